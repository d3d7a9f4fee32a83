//! Transforms of weights, packed into the order in which the inner loop reads them. With a network's load this is most of
//! the work, so it is done by registers, each holding one weight (or what becomes of it) of all channels of a panel.

use super::super::simd::Simd;

/// Transforms the weights of one panel.
pub(crate) struct Weights<'a> {
    /// `[weight][nr]` in the order of ONNX (IHW), channels that are missing 0.
    pub(crate) weights: &'a [i8],
    /// Channels of the input, even.
    pub(crate) c: usize,
    /// Height times width of the kernel.
    pub(crate) taps: usize,
    /// Which of the kernel's taps are transformed together; `None` where a part has fewer. One part of all in 2-D.
    pub(crate) parts: &'a [[Option<usize>; 5]],
    /// Taps of a whole part, 4 or 5. Unused in 2-D.
    pub(crate) longest: usize,
    /// `[point][group][nr]` words of two halves, groups by part and then by input channel.
    pub(crate) out: &'a mut [u32],
}

/// The factors of the inverse of F(4, 3), over 24; the last is left at half, so that products of two stay within 16 bits
/// with weights of 8, and the output transform doubles it.
const INVERSE_6: [i16; 6] = [6, -4, -4, 1, 1, 12];

/// G g of F(4, 3), times what makes it whole: `[6 g0 | -4, -4 | 1, 1 | 24]` belong to the inverse.
#[inline(always)]
unsafe fn points_6<S: Simd>([a, b, c]: [S; 3]) -> [S; 6] {
    // SAFETY: lane arithmetic only; the caller vouches for the instruction set.
    unsafe {
        let even = a.add16(c);
        let (even2, odd2) = (a.add16(c.shl16::<2>()), b.add16(b));
        [a, even.add16(b), even.sub16(b), even2.add16(odd2), even2.sub16(odd2), c]
    }
}

/// 8 transformed weights of 4 or 5 taps, the inverse's factors applied (over 360). None can leave 16 bits: the largest sum
/// of magnitudes is 20 * 5 * 128.
#[inline(always)]
unsafe fn points_8<S: Simd, const TAPS: usize>([a, b, c, d, e]: [S; 5]) -> [S; 8] {
    // SAFETY: as `points_6`.
    unsafe {
        // Even and odd powers of 1, of 2, and of 1/2 times 2^(taps - 1). The fifth tap is 0 where there are four.
        let (mut one, one_odd) = (a.add16(c), b.add16(d));
        let (mut two, two_odd) = (a.add16(c.shl16::<2>()), b.add16(b).add16(d.shl16::<3>()));
        let (half, half_odd) = if TAPS == 5 {
            one = one.add16(e);
            two = two.add16(e.shl16::<4>());
            (a.shl16::<4>().add16(c.shl16::<2>()).add16(e), b.shl16::<3>().add16(d.add16(d)))
        } else {
            (a.shl16::<3>().add16(c.add16(c)), b.shl16::<2>().add16(d))
        };
        [
            a.times16(-90),
            one.add16(one_odd).times16(-20),
            one.sub16(one_odd).times16(-20),
            two.add16(two_odd),
            two.sub16(two_odd),
            half.add16(half_odd),
            half.sub16(half_odd),
            if TAPS == 5 { e } else { d }.times16(90),
        ]
    }
}

impl Weights<'_> {
    /// Words of one point.
    fn check(&self, points: usize, nr: usize) -> usize {
        let Self { c, taps, .. } = *self;
        assert!(c.is_multiple_of(2) && self.weights.len() >= c * taps * nr);
        assert!(self.parts.iter().flatten().flatten().all(|tap| *tap < taps));
        let stride = self.parts.len() * c / 2 * nr;
        assert!(self.out.len() >= points * stride);
        stride
    }
}

/// See [`Weights`], for F(4x4, 3x3). None of the 36 can leave 16 bits: the
/// largest sum of magnitudes is 12 * 12 * 128.
///
/// # Safety
///
/// The instruction set of `S` must be available. Bounds are asserted here.
#[inline(always)]
pub(crate) unsafe fn weights_2d<S: Simd>(job: &mut Weights<'_>) {
    let nr = 2 * S::LANES;
    let stride = job.check(36, nr);
    assert!(job.taps == 9 && job.parts.len() == 1);
    // SAFETY: input channel i + 1 < c bounds the weights, group (c / 2 - 1) and point 35 the words, as just asserted.
    unsafe {
        for i in (0..job.c).step_by(2) {
            let right = [i, i + 1].map(|i| {
                let from = job.weights.as_ptr().add(i * 9 * nr);
                [0, 3, 6].map(|t| points_6([0, 1, 2].map(|x| S::load_i8(from.add((t + x) * nr)))))
            });
            let to = job.out.as_mut_ptr().add(i / 2 * nr);
            for x in 0..6 {
                let down = [0, 1].map(|half: usize| points_6([0, 1, 2].map(|y| right[half][y][x])));
                for y in 0..6 {
                    let factor = INVERSE_6[y] * INVERSE_6[x];
                    let [low, high] = down.map(|points: [S; 6]| points[y].times16(factor));
                    low.store_pairs(high, to.add((y * 6 + x) * stride).cast());
                }
            }
        }
    }
}

/// See [`Weights`], for the 8 points.
///
/// # Safety
///
/// The instruction set of `S` must be available. Bounds are asserted here.
#[inline(always)]
pub(crate) unsafe fn weights_1d<S: Simd>(job: &mut Weights<'_>) {
    // SAFETY: as here.
    unsafe {
        if job.longest == 4 {
            lines::<S, 4>(job);
        } else {
            lines::<S, 5>(job);
        }
    }
}

/// [`weights_1d`] for parts of `TAPS` taps.
#[inline(always)]
unsafe fn lines<S: Simd, const TAPS: usize>(job: &mut Weights<'_>) {
    let nr = 2 * S::LANES;
    let stride = job.check(8, nr);
    let (c, taps) = (job.c, job.taps);
    // SAFETY: input channel i + 1 < c and taps below `taps` bound the weights, groups and points the words, as asserted.
    unsafe {
        for (part, of_part) in job.parts.iter().enumerate() {
            for i in (0..c).step_by(2) {
                let [low, high] = [i, i + 1].map(|i| {
                    points_8::<S, TAPS>(of_part.map(|tap| match tap {
                        Some(tap) => S::load_i8(job.weights.as_ptr().add((i * taps + tap) * nr)),
                        None => S::splat(0),
                    }))
                });
                let to = job.out.as_mut_ptr().add((part * c + i) / 2 * nr);
                for (point, (low, high)) in low.into_iter().zip(high).enumerate() {
                    low.store_pairs(high, to.add(point * stride).cast());
                }
            }
        }
    }
}
