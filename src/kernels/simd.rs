//! What the pair kernels need of a register, so that `simd128` and `avx2` share their loops.

use super::Tile;

/// A register of 32-bit or 16-bit integers, or of `f32` (in the same type, as bits).
///
/// # Safety
///
/// All methods are unsafe: the instruction set must be available, and pointers must be valid for the register's bytes
/// (`LANES` bytes times 4; `2 * LANES` bytes for [`Simd::load_u8`]). No alignment is needed. Each is `inline(always)`
/// so that it takes on the target features of the function it lands in.
pub(crate) trait Simd: Copy {
    /// 32-bit lanes.
    const LANES: usize;
    unsafe fn splat(x: i32) -> Self;
    unsafe fn load(p: *const i32) -> Self;
    unsafe fn store(self, p: *mut i32);
    unsafe fn add(self, o: Self) -> Self;
    unsafe fn sub(self, o: Self) -> Self;
    unsafe fn mul(self, o: Self) -> Self;
    unsafe fn shl<const N: u32>(self) -> Self;
    unsafe fn shr<const N: u32>(self) -> Self;
    /// One 32-bit word in all lanes.
    unsafe fn broadcast(p: *const u32) -> Self;
    /// `self + a.even * b.even + a.odd * b.odd` of 16-bit halves.
    unsafe fn dot(self, a: Self, b: Self) -> Self;
    /// `2 * LANES` bytes to 16-bit lanes.
    unsafe fn load_u8(p: *const u8) -> Self;
    unsafe fn add16(self, o: Self) -> Self;
    unsafe fn sub16(self, o: Self) -> Self;
    unsafe fn shl16<const N: u32>(self) -> Self;
    /// The rounding step of [`super::requantise`], zero point left out: 32-bit sums to 32-bit codes.
    unsafe fn round(self, scale: Self, lo: f32, hi: f32, zero_point: i32) -> Self;
    /// Narrows two registers of codes to `2 * LANES` bytes.
    unsafe fn store_u8(p: *mut u8, first: Self, second: Self);
}

/// 1.5 * 2^23: adding it to a small float leaves the nearest integer (ties to even) in the low bits.
pub(crate) const MAGIC: f32 = 12_582_912.0;

/// The `MR` x `NV` registers tile on pairs: multiply, add, requantise, store.
///
/// # Safety
///
/// The instruction set of `S` must be available. Bounds are asserted here.
#[inline(always)]
pub(crate) unsafe fn tile<S: Simd, const MR: usize, const NV: usize>(t: &mut Tile<'_>) {
    let nr = NV * S::LANES;
    t.check(MR, nr);
    // SAFETY: check() has bounded every row of a and the panel b by `groups`, and bias and scale by nr.
    unsafe {
        let mut acc = [[S::splat(0); NV]; MR];
        for v in 0..NV {
            let start = S::load(t.bias.as_ptr().add(v * S::LANES));
            for row in &mut acc {
                row[v] = start;
            }
        }
        accumulate::<S, MR, NV>(&mut acc, t.a.as_ptr(), t.lda, t.b.as_ptr(), t.groups);
        finish(t, &acc);
    }
}

/// Requantises the sums of a tile and stores them.
///
/// # Safety
///
/// The instruction set of `S` must be available, and `t.check(MR, NV * S::LANES)` must have passed.
#[inline(always)]
pub(crate) unsafe fn finish<S: Simd, const MR: usize, const NV: usize>(
    t: &mut Tile<'_>,
    acc: &[[S; NV]; MR],
) {
    let nr = NV * S::LANES;
    let mut acc = *acc;
    // SAFETY: check() has bounded scale by nr; the stores have their own lines.
    unsafe {
        let (lo, hi) = t.clamp.bounds();
        let zero_point = i32::from(t.clamp.zero_point);
        for v in 0..NV {
            let scale = S::load(t.scale.as_ptr().add(v * S::LANES).cast());
            for row in &mut acc {
                row[v] = row[v].round(scale, lo, hi, zero_point);
            }
        }
        if t.rows == MR && t.cols == nr {
            for (r, row) in acc.iter().enumerate() {
                for v in (0..NV).step_by(2) {
                    // SAFETY: check() has bounded offset + rows * stride + cols, and this tile is whole.
                    S::store_u8(
                        t.out.as_mut_ptr().add(t.offset + r * t.stride + v * S::LANES),
                        row[v],
                        row[v + 1],
                    );
                }
            }
        } else {
            let mut finished = [0u8; 256];
            assert!(MR * nr <= finished.len());
            for (r, row) in acc.iter().enumerate() {
                for v in (0..NV).step_by(2) {
                    S::store_u8(
                        finished.as_mut_ptr().add(r * nr + v * S::LANES),
                        row[v],
                        row[v + 1],
                    );
                }
            }
            t.scatter(nr, &finished[..MR * nr]);
        }
    }
}

/// Adds `groups` products to the sums.
///
/// # Safety
///
/// `a` is valid for `MR` rows of `groups` words, `lda` apart; `b` for `groups * NV` registers.
#[inline(always)]
pub(crate) unsafe fn accumulate<S: Simd, const MR: usize, const NV: usize>(
    acc: &mut [[S; NV]; MR],
    a: *const u32,
    lda: usize,
    b: *const u32,
    groups: usize,
) {
    // SAFETY: see above; the pointers advance by one group at a time and are read only inside `groups`.
    unsafe {
        let mut sums = *acc;
        let (mut a, mut b) = (a, b.cast::<i32>());
        for _ in 0..groups {
            let mut weights = [S::splat(0); NV];
            for (v, w) in weights.iter_mut().enumerate() {
                *w = S::load(b.add(v * S::LANES));
            }
            for (r, row) in sums.iter_mut().enumerate() {
                let x = S::broadcast(a.add(r * lda));
                for v in 0..NV {
                    row[v] = row[v].dot(x, weights[v]);
                }
            }
            a = a.add(1);
            b = b.add(NV * S::LANES);
        }
        *acc = sums;
    }
}

/// The same tile, sums stored as they are: `MR` rows of `NV` registers into `out`.
///
/// # Safety
///
/// The instruction set of `S` must be available. Bounds are asserted here.
#[inline(always)]
pub(crate) unsafe fn raw<S: Simd, const MR: usize, const NV: usize>(
    a: &[u32],
    lda: usize,
    b: &[u32],
    groups: usize,
    out: &mut [i32],
) {
    let nr = NV * S::LANES;
    assert!(a.len() >= (MR - 1) * lda + groups && b.len() >= groups * nr && out.len() >= MR * nr);
    // SAFETY: the assertion bounds a, b and out.
    unsafe {
        let mut acc = [[S::splat(0); NV]; MR];
        accumulate::<S, MR, NV>(&mut acc, a.as_ptr(), lda, b.as_ptr(), groups);
        for (r, row) in acc.iter().enumerate() {
            for (v, sum) in row.iter().enumerate() {
                sum.store(out.as_mut_ptr().add(r * nr + v * S::LANES));
            }
        }
    }
}
