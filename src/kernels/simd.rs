//! What the pair kernels need of a register, so that `simd128`, `avx2` and `neon` share their loops.

use super::{Product, Tile};

/// A register of 32-bit or 16-bit integers, or of `f32` (in the same type, as bits).
///
/// # Safety
///
/// All methods are unsafe: the instruction set must be available, and pointers must be valid for the register's bytes
/// (`LANES` bytes times 4; `2 * LANES` bytes for [`Simd::load_u8`] and
/// [`Simd::load_i8`]; two registers for [`Simd::store_pairs`]). No alignment is needed. Each is `inline(always)`
/// so that it takes on the target features of the function it lands in.
pub(crate) trait Simd: Copy {
    /// 32-bit lanes.
    const LANES: usize;
    /// Groups of products in one turn of the inner loop, which shares the cost of moving its pointers between them.
    const UNROLL: usize;
    /// What the inner loop adds to: one of us, or more where neighbours are better added at the end.
    type Sum: Copy;
    unsafe fn splat(x: i32) -> Self;
    unsafe fn load(p: *const i32) -> Self;
    unsafe fn store(self, p: *mut i32);
    unsafe fn add(self, o: Self) -> Self;
    unsafe fn sub(self, o: Self) -> Self;
    unsafe fn mul(self, o: Self) -> Self;
    unsafe fn shl<const N: u32>(self) -> Self;
    /// One 32-bit word in all lanes.
    unsafe fn broadcast(p: *const u32) -> Self;
    /// A sum that starts from this.
    unsafe fn start(self) -> Self::Sum;
    /// `sum + a.even * b.even + a.odd * b.odd` of 16-bit halves.
    unsafe fn dot(sum: Self::Sum, a: Self, b: Self) -> Self::Sum;
    /// The sum itself, a word a lane.
    unsafe fn total(sum: Self::Sum) -> Self;
    /// `2 * LANES` bytes to 16-bit lanes.
    unsafe fn load_u8(p: *const u8) -> Self;
    /// The same of signed bytes.
    unsafe fn load_i8(p: *const i8) -> Self;
    unsafe fn add16(self, o: Self) -> Self;
    unsafe fn sub16(self, o: Self) -> Self;
    unsafe fn shl16<const N: u32>(self) -> Self;
    unsafe fn times16(self, factor: i16) -> Self;
    /// Stores two registers: words whose low halves are our 16-bit lanes, and whose high ones are `high`'s.
    unsafe fn store_pairs(self, high: Self, p: *mut i32);
    /// The rounding step of [`super::requantise`]: 32-bit sums to 32-bit codes. Without `CLAMPED`, `store_u8` clamps them
    /// to the range of a byte; products have to be below 2^22 then.
    unsafe fn round<const CLAMPED: bool>(
        self,
        scale: Self,
        lo: f32,
        hi: f32,
        zero_point: i32,
    ) -> Self;
    /// Narrows two registers of codes to `2 * LANES` bytes.
    unsafe fn store_u8(p: *mut u8, first: Self, second: Self);
}

/// 1.5 * 2^23: adding it to a small float leaves the nearest integer (ties to even) in the low bits.
pub(crate) const MAGIC: f32 = 12_582_912.0;

/// Tiles of `MR` x `NV` registers on pairs: multiply, add, requantise, store.
///
/// # Safety
///
/// The instruction set of `S` must be available. Bounds are asserted here.
#[inline(always)]
pub(crate) unsafe fn tile<S: Simd, const MR: usize, const NV: usize>(t: &mut Tile<'_>) {
    t.check(MR, NV * S::LANES);
    for first in (0..t.rows).step_by(MR) {
        // SAFETY: check() has bounded every row of a and the panel b by `groups`, and bias by NV registers.
        unsafe {
            let start: [S; NV] =
                std::array::from_fn(|v| S::load(t.bias.as_ptr().add(v * S::LANES)));
            let a = t.a.as_ptr().add(first * t.lda);
            let acc = accumulate::<S, MR, NV>(start, a, t.lda, t.b.as_ptr(), t.groups);
            finish(t, first, &acc);
        }
    }
}

/// Requantises the sums of the tile whose first row is `first`, and stores them.
///
/// # Safety
///
/// The instruction set of `S` must be available, `t.check(MR, NV * S::LANES)` must have passed, and `first` be below
/// `t.rows`.
#[inline(always)]
pub(crate) unsafe fn finish<S: Simd, const MR: usize, const NV: usize>(
    t: &mut Tile<'_>,
    first: usize,
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
                row[v] = row[v].round::<true>(scale, lo, hi, zero_point);
            }
        }
        if t.rows - first >= MR && t.cols == nr {
            for (r, row) in acc.iter().enumerate() {
                for v in (0..NV).step_by(2) {
                    // SAFETY: check() has bounded offset + (rows - 1) * stride + cols, and this tile is whole.
                    S::store_u8(
                        t.out.as_mut_ptr().add(t.offset + (first + r) * t.stride + v * S::LANES),
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
            t.scatter(first, nr, &finished[..MR * nr]);
        }
    }
}

/// The sums of `groups` products a row, each begun with `start`.
///
/// # Safety
///
/// `a` is valid for `MR` rows of `groups` words, `lda` apart; `b` for `groups * NV` registers.
#[inline(always)]
pub(crate) unsafe fn accumulate<S: Simd, const MR: usize, const NV: usize>(
    start: [S; NV],
    a: *const u32,
    lda: usize,
    b: *const u32,
    groups: usize,
) -> [[S; NV]; MR] {
    // SAFETY: see above; the pointers advance by one group at a time and are read only inside `groups`.
    unsafe {
        let mut sums = [start.map(|s| s.start()); MR];
        let mut rows: [*const u32; MR] = std::array::from_fn(|r| a.add(r * lda));
        let mut b = b.cast::<i32>();
        let mut step = |rows: &[*const u32; MR], b: *const i32, i: usize| {
            let weights: [S; NV] = std::array::from_fn(|v| S::load(b.add((i * NV + v) * S::LANES)));
            for (row, a) in sums.iter_mut().zip(rows) {
                let x = S::broadcast(a.add(i));
                for v in 0..NV {
                    row[v] = S::dot(row[v], x, weights[v]);
                }
            }
        };
        let mut left = groups;
        'depth: while left > 0 {
            // Each group ends with a test of its own: LLVM for wasm would load the operands of one straight piece before
            // it multiplies any, and run out of registers.
            for i in 0..S::UNROLL {
                step(&rows, b, i);
                left -= 1;
                if left == 0 {
                    break 'depth;
                }
            }
            rows = rows.map(|a| a.add(S::UNROLL));
            b = b.add(S::UNROLL * NV * S::LANES);
        }
        sums.map(|row| row.map(|sum| S::total(sum)))
    }
}

/// The same tiles, sums stored as they are.
///
/// # Safety
///
/// The instruction set of `S` must be available. Bounds are asserted here.
#[inline(always)]
pub(crate) unsafe fn raw<S: Simd, const MR: usize, const NV: usize>(p: &mut Product<'_>) {
    let nr = NV * S::LANES;
    assert!(p.rows.is_multiple_of(MR) && p.rows > 0 && p.a.len() >= p.rows * p.groups);
    assert!(p.b.len() >= p.groups * nr && p.out.len() >= (p.rows - 1) * p.stride + nr);
    for first in (0..p.rows).step_by(MR) {
        // SAFETY: the assertions bound a, b and out.
        unsafe {
            let a = p.a.as_ptr().add(first * p.groups);
            let start = [S::splat(0); NV];
            let acc = accumulate::<S, MR, NV>(start, a, p.groups, p.b.as_ptr(), p.groups);
            for (r, row) in acc.iter().enumerate() {
                for (v, sum) in row.iter().enumerate() {
                    sum.store(p.out.as_mut_ptr().add((first + r) * p.stride + v * S::LANES));
                }
            }
        }
    }
}
