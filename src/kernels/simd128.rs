//! WebAssembly fixed-width SIMD: `i32x4.dot_i16x8_s` on tiles of 4 pixels by 8 channels.
//!
//! Larger tiles spill in V8, which has 15 registers to give: 4x8 runs at 41 GMAC/s where 6x8 and 4x12 run at 27.

use core::arch::wasm32::*;

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

#[derive(Clone, Copy)]
#[repr(transparent)]
struct V(v128);

impl Simd for V {
    const LANES: usize = 4;
    const UNROLL: usize = 4;
    type Sum = Self;

    #[inline(always)]
    unsafe fn splat(x: i32) -> Self {
        V(i32x4_splat(x))
    }
    #[inline(always)]
    unsafe fn load(p: *const i32) -> Self {
        // SAFETY: the caller's pointer is valid for 16 bytes.
        V(unsafe { v128_load(p.cast()) })
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut i32) {
        // SAFETY: the caller's pointer is valid for 16 bytes.
        unsafe { v128_store(p.cast(), self.0) }
    }
    #[inline(always)]
    unsafe fn add(self, o: Self) -> Self {
        V(i32x4_add(self.0, o.0))
    }
    #[inline(always)]
    unsafe fn sub(self, o: Self) -> Self {
        V(i32x4_sub(self.0, o.0))
    }
    #[inline(always)]
    unsafe fn mul(self, o: Self) -> Self {
        V(i32x4_mul(self.0, o.0))
    }
    #[inline(always)]
    unsafe fn shl<const N: u32>(self) -> Self {
        V(i32x4_shl(self.0, N))
    }
    #[inline(always)]
    unsafe fn broadcast(p: *const u32) -> Self {
        // SAFETY: the caller's pointer is valid for 4 bytes.
        V(unsafe { v128_load32_splat(p) })
    }
    #[inline(always)]
    unsafe fn start(self) -> Self {
        self
    }
    #[inline(always)]
    unsafe fn dot(sum: Self, a: Self, b: Self) -> Self {
        V(i32x4_add(sum.0, i32x4_dot_i16x8(a.0, b.0)))
    }
    #[inline(always)]
    unsafe fn total(sum: Self) -> Self {
        sum
    }
    #[inline(always)]
    unsafe fn load_u8(p: *const u8) -> Self {
        // SAFETY: the caller's pointer is valid for 8 bytes.
        V(unsafe { u16x8_load_extend_u8x8(p) })
    }
    #[inline(always)]
    unsafe fn load_i8(p: *const i8) -> Self {
        // SAFETY: the caller's pointer is valid for 8 bytes.
        V(unsafe { i16x8_load_extend_i8x8(p) })
    }
    #[inline(always)]
    unsafe fn add16(self, o: Self) -> Self {
        V(i16x8_add(self.0, o.0))
    }
    #[inline(always)]
    unsafe fn sub16(self, o: Self) -> Self {
        V(i16x8_sub(self.0, o.0))
    }
    #[inline(always)]
    unsafe fn shl16<const N: u32>(self) -> Self {
        V(i16x8_shl(self.0, N))
    }
    #[inline(always)]
    unsafe fn times16(self, factor: i16) -> Self {
        V(i16x8_mul(self.0, i16x8_splat(factor)))
    }
    #[inline(always)]
    unsafe fn store_pairs(self, high: Self, p: *mut i32) {
        let first = i16x8_shuffle::<0, 8, 1, 9, 2, 10, 3, 11>(self.0, high.0);
        let second = i16x8_shuffle::<4, 12, 5, 13, 6, 14, 7, 15>(self.0, high.0);
        // SAFETY: the caller's pointer is valid for 32 bytes.
        unsafe {
            v128_store(p.cast(), first);
            v128_store(p.add(4).cast(), second);
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
        let mut real = f32x4_mul(f32x4_convert_i32x4(self.0), scale.0);
        if CLAMPED {
            // pmax(a, b) is `a < b ? b : a`, one instruction on every machine; there are no NaNs here.
            real = f32x4_pmin(f32x4_pmax(real, f32x4_splat(lo)), f32x4_splat(hi));
        }
        let code = f32x4_add(real, f32x4_splat(MAGIC));
        V(i32x4_sub(code, i32x4_splat(MAGIC.to_bits() as i32 - zero_point)))
    }
    #[inline(always)]
    unsafe fn store_u8(p: *mut u8, first: Self, second: Self) {
        let halves = i16x8_narrow_i32x4(first.0, second.0);
        // SAFETY: the caller's pointer is valid for 8 bytes.
        unsafe { v128_store64_lane::<0>(u8x16_narrow_i16x8(halves, halves), p.cast()) }
    }
}

pub(super) fn tile(t: &mut Tile<'_>) {
    // SAFETY: this build has simd128 throughout.
    unsafe { simd::tile::<V, 4, 2>(t) }
}

fn raw(p: &mut Product<'_>) {
    // SAFETY: this build has simd128 throughout.
    unsafe { simd::raw::<V, 4, 2>(p) }
}

fn weights_2d(job: &mut winograd::Weights<'_>) {
    // SAFETY: this build has simd128 throughout.
    unsafe { winograd::weights_2d::<V>(job) }
}

fn weights_1d(job: &mut winograd::Weights<'_>) {
    // SAFETY: this build has simd128 throughout.
    unsafe { winograd::weights_1d::<V>(job) }
}

fn input_2d(job: &mut winograd::Input2d<'_>) {
    // SAFETY: this build has simd128 throughout.
    unsafe { winograd::input_2d::<V>(job) }
}

fn output_2d(job: &mut winograd::Output<'_>) {
    // SAFETY: this build has simd128 throughout.
    unsafe {
        if job.clamped {
            winograd::output_2d::<V, true>(job);
        } else {
            winograd::output_2d::<V, false>(job);
        }
    }
}

fn input_1d(job: &mut winograd::Input1d<'_>) {
    // SAFETY: this build has simd128 throughout.
    unsafe { winograd::input_1d::<V>(job) }
}

fn output_1d(job: &mut winograd::Output<'_>) {
    // SAFETY: this build has simd128 throughout.
    unsafe {
        if job.clamped {
            winograd::output_1d::<V, true>(job);
        } else {
            winograd::output_1d::<V, false>(job);
        }
    }
}

/// Ends a tile whose sums another loop has made.
#[cfg(target_feature = "relaxed-simd")]
pub(super) fn finish(t: &mut Tile<'_>, first: usize, acc: &[[v128; 2]; 4]) {
    let acc = acc.map(|row| row.map(V));
    // SAFETY: this build has simd128 throughout, and the caller has checked the tile for 4 by 8.
    unsafe { simd::finish(t, first, &acc) }
}

/// See [`super::dot`].
pub(super) fn dot(a: &[i8], b: &[i8]) -> i32 {
    let len = a.len().min(b.len());
    let whole = len - len % 16;
    let (mut low, mut high) = (i32x4_splat(0), i32x4_splat(0));
    for at in (0..whole).step_by(16) {
        // SAFETY: 16 codes from `at` on lie below `whole`, which is no more than either length.
        let (x, y) =
            unsafe { (v128_load(a.as_ptr().add(at).cast()), v128_load(b.as_ptr().add(at).cast())) };
        low = i32x4_add(low, i32x4_dot_i16x8(i16x8_extend_low_i8x16(x), i16x8_extend_low_i8x16(y)));
        high = i32x4_add(
            high,
            i32x4_dot_i16x8(i16x8_extend_high_i8x16(x), i16x8_extend_high_i8x16(y)),
        );
    }
    let sum = i32x4_add(low, high);
    i32x4_extract_lane::<0>(sum)
        + i32x4_extract_lane::<1>(sum)
        + i32x4_extract_lane::<2>(sum)
        + i32x4_extract_lane::<3>(sum)
        + super::generic::dot(&a[whole..len], &b[whole..len])
}
