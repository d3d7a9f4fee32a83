//! Arm with NEON, which every 64-bit one has: widening 16-bit products on tiles of 4 pixels by 8 channels, with Winograd.
//! With the dot products of Armv8.2 (`sdot`: Apple's since the A11, servers since the Graviton2) 16 products an
//! instruction on tiles of 8 pixels by 8 channels, which Winograd's 16-bit products do not reach.

use core::arch::aarch64::*;
use core::arch::asm;

use super::simd::{self, MAGIC, Simd};
use super::{Family, Ops, Product, Tile, winograd};

pub(super) static OPS: Ops = Ops {
    family: Family::Pairs,
    flip: || 0,
    mr: 4,
    nr: 8,
    tile,
    winograd: Some(winograd::Ops {
        raw,
        weights_2d,
        input_2d,
        output_2d,
        weights_1d,
        input_1d,
        output_1d,
    }),
    fallback: None,
};

/// `sdot` takes both operands as signed: codes go in minus 128, and the difference is folded into the bias.
pub(super) static DOT: Ops = Ops {
    family: Family::Quads,
    flip: || 0x80,
    mr: DOT_MR,
    nr: DOT_NR,
    tile: tile_dot,
    winograd: None,
    fallback: None,
};

const DOT_MR: usize = 8;
const DOT_NR: usize = 8;

/// Whether [`DOT`] runs here.
pub(super) fn has_dot() -> bool {
    std::arch::is_aarch64_feature_detected!("dotprod")
}

#[derive(Clone, Copy)]
#[repr(transparent)]
struct V(int32x4_t);

impl V {
    #[inline(always)]
    fn halves(self) -> int16x8_t {
        // SAFETY: every AArch64 processor that Rust runs on has NEON.
        unsafe { vreinterpretq_s16_s32(self.0) }
    }
    #[inline(always)]
    fn of(halves: int16x8_t) -> Self {
        // SAFETY: as `halves`.
        V(unsafe { vreinterpretq_s32_s16(halves) })
    }
}

// SAFETY: (of all blocks below) every AArch64 processor that Rust runs on has NEON; the bytes behind the pointers are
// there by the contract of `Simd`.
impl Simd for V {
    const LANES: usize = 4;
    const UNROLL: usize = 1;
    /// Products of words 0 and 1, and of 2 and 3: neighbours are added once, at the end.
    type Sum = [int32x4_t; 2];

    #[inline(always)]
    unsafe fn splat(x: i32) -> Self {
        // SAFETY: NEON.
        V(unsafe { vdupq_n_s32(x) })
    }
    #[inline(always)]
    unsafe fn load(p: *const i32) -> Self {
        // SAFETY: NEON and 16 bytes, by contract.
        V(unsafe { vld1q_s32(p) })
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut i32) {
        // SAFETY: NEON and 16 bytes, by contract.
        unsafe { vst1q_s32(p, self.0) }
    }
    #[inline(always)]
    unsafe fn add(self, o: Self) -> Self {
        // SAFETY: NEON.
        V(unsafe { vaddq_s32(self.0, o.0) })
    }
    #[inline(always)]
    unsafe fn sub(self, o: Self) -> Self {
        // SAFETY: NEON.
        V(unsafe { vsubq_s32(self.0, o.0) })
    }
    #[inline(always)]
    unsafe fn mul(self, o: Self) -> Self {
        // SAFETY: NEON.
        V(unsafe { vmulq_s32(self.0, o.0) })
    }
    #[inline(always)]
    unsafe fn shl<const N: u32>(self) -> Self {
        // SAFETY: NEON.
        V(unsafe { vshlq_s32(self.0, vdupq_n_s32(N as i32)) })
    }
    #[inline(always)]
    unsafe fn broadcast(p: *const u32) -> Self {
        // SAFETY: NEON and 4 bytes, by contract.
        V(unsafe { vld1q_dup_s32(p.cast()) })
    }
    #[inline(always)]
    unsafe fn start(self) -> Self::Sum {
        // SAFETY: NEON. A word and a 0 beside it are added at the end.
        unsafe {
            let zero = vdupq_n_s32(0);
            [vzip1q_s32(self.0, zero), vzip2q_s32(self.0, zero)]
        }
    }
    #[inline(always)]
    unsafe fn dot(sum: Self::Sum, a: Self, b: Self) -> Self::Sum {
        let (a, b) = (a.halves(), b.halves());
        // SAFETY: NEON.
        unsafe {
            [vmlal_s16(sum[0], vget_low_s16(a), vget_low_s16(b)), vmlal_high_s16(sum[1], a, b)]
        }
    }
    #[inline(always)]
    unsafe fn total(sum: Self::Sum) -> Self {
        // SAFETY: NEON.
        V(unsafe { vpaddq_s32(sum[0], sum[1]) })
    }
    #[inline(always)]
    unsafe fn load_u8(p: *const u8) -> Self {
        // SAFETY: NEON and 8 bytes, by contract.
        Self::of(unsafe { vreinterpretq_s16_u16(vmovl_u8(vld1_u8(p))) })
    }
    #[inline(always)]
    unsafe fn load_i8(p: *const i8) -> Self {
        // SAFETY: NEON and 8 bytes, by contract.
        Self::of(unsafe { vmovl_s8(vld1_s8(p)) })
    }
    #[inline(always)]
    unsafe fn add16(self, o: Self) -> Self {
        // SAFETY: NEON.
        Self::of(unsafe { vaddq_s16(self.halves(), o.halves()) })
    }
    #[inline(always)]
    unsafe fn sub16(self, o: Self) -> Self {
        // SAFETY: NEON.
        Self::of(unsafe { vsubq_s16(self.halves(), o.halves()) })
    }
    #[inline(always)]
    unsafe fn shl16<const N: u32>(self) -> Self {
        // SAFETY: NEON.
        Self::of(unsafe { vshlq_s16(self.halves(), vdupq_n_s16(N as i16)) })
    }
    #[inline(always)]
    unsafe fn times16(self, factor: i16) -> Self {
        // SAFETY: NEON.
        Self::of(unsafe { vmulq_n_s16(self.halves(), factor) })
    }
    #[inline(always)]
    unsafe fn store_pairs(self, high: Self, p: *mut i32) {
        let (low, high) = (self.halves(), high.halves());
        // SAFETY: NEON and 32 bytes, by contract.
        unsafe {
            vst1q_s16(p.cast(), vzip1q_s16(low, high));
            vst1q_s16(p.add(4).cast(), vzip2q_s16(low, high));
        }
    }
    #[inline(always)]
    unsafe fn round<const CLAMPED: bool>(
        self,
        scale: Self,
        lo: f32,
        hi: f32,
        zero_point: i32,
    ) -> Self {
        // SAFETY: NEON.
        V(unsafe {
            let mut real = vmulq_f32(vcvtq_f32_s32(self.0), vreinterpretq_f32_s32(scale.0));
            if CLAMPED {
                real = vminq_f32(vmaxq_f32(real, vdupq_n_f32(lo)), vdupq_n_f32(hi));
            }
            let code = vreinterpretq_s32_f32(vaddq_f32(real, vdupq_n_f32(MAGIC)));
            vsubq_s32(code, vdupq_n_s32(MAGIC.to_bits() as i32 - zero_point))
        })
    }
    #[inline(always)]
    unsafe fn store_u8(p: *mut u8, first: Self, second: Self) {
        // SAFETY: NEON and 8 bytes, by contract.
        unsafe {
            let halves = vcombine_s16(vqmovn_s32(first.0), vqmovn_s32(second.0));
            vst1_u8(p, vqmovun_s16(halves));
        }
    }
}

fn tile(t: &mut Tile<'_>) {
    // SAFETY: every AArch64 processor that Rust runs on has NEON.
    unsafe { simd::tile::<V, 4, 2>(t) }
}

fn raw(p: &mut Product<'_>) {
    // SAFETY: as `tile`.
    unsafe { simd::raw::<V, 4, 2>(p) }
}

fn weights_2d(job: &mut winograd::Weights<'_>) {
    // SAFETY: as `tile`.
    unsafe { winograd::weights_2d::<V>(job) }
}

fn weights_1d(job: &mut winograd::Weights<'_>) {
    // SAFETY: as `tile`.
    unsafe { winograd::weights_1d::<V>(job) }
}

fn input_2d(job: &mut winograd::Input2d<'_>) {
    // SAFETY: as `tile`.
    unsafe { winograd::input_2d::<V>(job) }
}

fn output_2d(job: &mut winograd::Output<'_>) {
    // SAFETY: as `tile`.
    unsafe {
        if job.clamped {
            winograd::output_2d::<V, true>(job);
        } else {
            winograd::output_2d::<V, false>(job);
        }
    }
}

fn input_1d(job: &mut winograd::Input1d<'_>) {
    // SAFETY: as `tile`.
    unsafe { winograd::input_1d::<V>(job) }
}

fn output_1d(job: &mut winograd::Output<'_>) {
    // SAFETY: as `tile`.
    unsafe {
        if job.clamped {
            winograd::output_1d::<V, true>(job);
        } else {
            winograd::output_1d::<V, false>(job);
        }
    }
}

/// `sum + a · b` of four signed bytes a lane. The intrinsic is not stable yet.
#[target_feature(enable = "dotprod")]
#[inline]
fn sdot(sum: int32x4_t, a: int32x4_t, b: int32x4_t) -> int32x4_t {
    let mut sum = sum;
    // SAFETY: registers alone, and the instruction is enabled here.
    unsafe {
        asm!(
            "sdot {sum:v}.4s, {a:v}.16b, {b:v}.16b",
            sum = inout(vreg) sum, a = in(vreg) a, b = in(vreg) b,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    sum
}

#[target_feature(enable = "dotprod")]
fn tile_sdot(t: &mut Tile<'_>) {
    t.check(DOT_MR, DOT_NR);
    for first in (0..t.rows).step_by(DOT_MR) {
        // SAFETY: check() has bounded bias by DOT_NR, a by whole tiles of rows of `groups` words, b by `groups` times
        // DOT_NR words.
        unsafe {
            let bias = [vld1q_s32(t.bias.as_ptr()), vld1q_s32(t.bias.as_ptr().add(4))];
            let mut acc = [bias; DOT_MR];
            let mut a = t.a.as_ptr().add(first * t.lda);
            let mut b = t.b.as_ptr().cast::<i32>();
            for _ in 0..t.groups {
                let weights = [vld1q_s32(b), vld1q_s32(b.add(4))];
                for (r, row) in acc.iter_mut().enumerate() {
                    let x = vld1q_dup_s32(a.add(r * t.lda).cast());
                    row[0] = sdot(row[0], x, weights[0]);
                    row[1] = sdot(row[1], x, weights[1]);
                }
                a = a.add(1);
                b = b.add(DOT_NR);
            }
            simd::finish(t, first, &acc.map(|row| row.map(V)));
        }
    }
}

fn tile_dot(t: &mut Tile<'_>) {
    // SAFETY: `Isa::ops` hands out this table only where `has_dot` said yes.
    unsafe { tile_sdot(t) }
}

/// See [`super::dot`].
pub(super) fn dot(a: &[i8], b: &[i8]) -> i32 {
    let len = a.len().min(b.len());
    let whole = len - len % 16;
    // SAFETY: NEON; 16 codes from `at` on lie below `whole`, which is no more than either length.
    let sum = unsafe {
        let (mut low, mut high) = (vdupq_n_s32(0), vdupq_n_s32(0));
        for at in (0..whole).step_by(16) {
            let (x, y) = (vld1q_s8(a.as_ptr().add(at)), vld1q_s8(b.as_ptr().add(at)));
            low = vpadalq_s16(low, vmull_s8(vget_low_s8(x), vget_low_s8(y)));
            high = vpadalq_s16(high, vmull_high_s8(x, y));
        }
        vaddvq_s32(vaddq_s32(low, high))
    };
    sum + super::generic::dot(&a[whole..len], &b[whole..len])
}
