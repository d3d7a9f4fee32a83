//! Transforms of inputs and of sums, by registers.

use super::super::simd::Simd;
use super::{INV9, INV45, Input1d, Input2d, Output};

/// B^T d of F(4, 3) on 16-bit lanes.
#[inline(always)]
unsafe fn input_6<S: Simd>(d: [S; 6]) -> [S; 6] {
    let [d0, d1, d2, d3, d4, d5] = d;
    // SAFETY: lane arithmetic only; the caller vouches for the instruction set.
    unsafe {
        let four2 = d2.shl16::<2>();
        let even = d4.sub16(four2); // d4 - 4 d2
        let odd = d3.sub16(d1.shl16::<2>()); // d3 - 4 d1
        let even2 = d4.sub16(d2); // d4 - d2
        let odd2 = d3.sub16(d1).shl16::<1>(); // 2 d3 - 2 d1
        [
            d0.shl16::<2>().add16(even.sub16(d2)), // 4 d0 - 5 d2 + d4
            even.add16(odd),
            even.sub16(odd),
            even2.add16(odd2),
            even2.sub16(odd2),
            d1.shl16::<2>().add16(d5).sub16(d3.shl16::<2>().add16(d3)), // 4 d1 - 5 d3 + d5
        ]
    }
}

/// See [`Input2d`].
///
/// # Safety
///
/// The instruction set of `S` must be available. Bounds are asserted here.
#[inline(always)]
pub(crate) unsafe fn input_2d<S: Simd>(job: &mut Input2d<'_>) {
    let lanes = 2 * S::LANES;
    let (c, w) = (job.c, job.w);
    let wide = 4 * job.tiles + 2;
    assert!(c.is_multiple_of(lanes) && job.strip.len() >= 6 * wide * c);
    assert!(job.rows.iter().all(|r| r.len() == w * c));
    assert!(job.v.len() >= 35 * job.point_stride + job.tiles * c);
    // Down: every column of the strip. Columns outside the map hold zero points, whose transform is 0 but for one row.
    let used = w.min(wide - job.pad_left.min(wide));
    for i in 0..6 {
        let edge = if i == 1 { -6 * i16::from(job.zero_point) } else { 0 };
        let row = &mut job.strip[i * wide * c..][..wide * c];
        row[..job.pad_left * c].fill(edge);
        row[(job.pad_left + used) * c..].fill(edge);
    }
    // SAFETY: the loops stay below used * c of rows of w * c bytes, and write at pad_left * c + that, within a row of the
    // strip since pad_left + used <= wide.
    unsafe {
        let strip = job.strip.as_mut_ptr().add(job.pad_left * c);
        for at in (0..used * c).step_by(lanes) {
            let d: [S; 6] = std::array::from_fn(|i| S::load_u8(job.rows[i].as_ptr().add(at)));
            for (i, t) in input_6(d).into_iter().enumerate() {
                t.store(strip.add(i * wide * c + at).cast());
            }
        }
    }
    // Right: every tile.
    // SAFETY: column 4 * tile + 5 < wide; v was bounded for point 35 and the last tile above.
    unsafe {
        let strip = job.strip.as_ptr();
        let v = job.v.as_mut_ptr();
        for tile in 0..job.tiles {
            for i in 0..6 {
                let from = strip.add((i * wide + tile * 4) * c);
                let to = v.add(i * 6 * job.point_stride + tile * c);
                for at in (0..c).step_by(lanes) {
                    let d: [S; 6] = std::array::from_fn(|j| S::load(from.add(j * c + at).cast()));
                    for (j, t) in input_6(d).into_iter().enumerate() {
                        t.store(to.add(j * job.point_stride + at).cast());
                    }
                }
            }
        }
    }
}

/// Requantises and writes one pixel: `nr` channels from `codes` of two registers.
#[inline(always)]
unsafe fn put<S: Simd>(job: &mut Output<'_>, at: usize, channel: usize, first: S, second: S) {
    let lanes = 2 * S::LANES;
    let at = job.offset + at + channel;
    if channel + lanes <= job.channels {
        assert!(at + lanes <= job.out.len());
        // SAFETY: just asserted.
        unsafe { S::store_u8(job.out.as_mut_ptr().add(at), first, second) }
    } else if channel < job.channels {
        let mut all = [0u8; 64];
        assert!(lanes <= all.len());
        // SAFETY: just asserted.
        unsafe { S::store_u8(all.as_mut_ptr(), first, second) }
        let n = job.channels - channel;
        job.out[at..at + n].copy_from_slice(&all[..n]);
    }
}

/// A^T m of F(4, 3), with what [`INVERSE_6`] has left out.
#[inline(always)]
unsafe fn output_6<S: Simd>([m0, m1, m2, m3, m4, m5]: [S; 6]) -> [S; 4] {
    // SAFETY: lane arithmetic only; the caller vouches for the instruction set.
    unsafe {
        let (s12, d12, s34, d34) = (m1.add(m2), m1.sub(m2), m3.add(m4), m3.sub(m4));
        [
            m0.add(s12).add(s34),
            d12.add(d34.shl::<1>()),
            s12.add(s34.shl::<2>()),
            d12.add(d34.shl::<3>()).add(m5.shl::<1>()),
        ]
    }
}

/// See [`Output`], for F(4x4, 3x3).
///
/// # Safety
///
/// The instruction set of `S` must be available. Bounds are asserted here.
#[inline(always)]
#[allow(
    clippy::needless_range_loop,
    reason = "as iterators, V8's code for it takes a fifth longer"
)]
pub(crate) unsafe fn output_2d<S: Simd, const CLAMPED: bool>(job: &mut Output<'_>) {
    assert!(job.m.len() >= 36 * job.nr && job.bias.len() >= job.nr && job.scale.len() >= job.nr);
    assert!(job.nr.is_multiple_of(2 * S::LANES));
    let (lo, hi) = job.clamp.bounds();
    let zero_point = i32::from(job.clamp.zero_point);
    // SAFETY: channel + 2 * LANES <= nr bounds all reads by the assertion.
    unsafe {
        let inverse = S::splat(INV9);
        for channel in (0..job.nr).step_by(2 * S::LANES) {
            let mut down = [[[S::splat(0); 6]; 4]; 2];
            for (half, down) in down.iter_mut().enumerate() {
                let channel = channel + half * S::LANES;
                for j in 0..6 {
                    let m = job.m.as_ptr().add(j * job.nr + channel);
                    let mut column: [S; 6] =
                        std::array::from_fn(|i| S::load(m.add(i * 6 * job.nr)));
                    if j == 1 {
                        // What is added at the point 1, 1 comes out in every output.
                        column[1] = column[1].add(S::load(job.bias.as_ptr().add(channel)));
                    }
                    for (row, sum) in down.iter_mut().zip(output_6(column)) {
                        row[j] = sum;
                    }
                }
            }
            let scales =
                [0, S::LANES].map(|half| S::load(job.scale.as_ptr().add(channel + half).cast()));
            for i in 0..job.valid[0] {
                let codes = [0, 1].map(|half| {
                    output_6(down[half][i]).map(|sum| {
                        // 64 times the sum, as the scale is a 64th.
                        sum.mul(inverse).round::<CLAMPED>(scales[half], lo, hi, zero_point)
                    })
                });
                for j in 0..job.valid[1] {
                    put(job, i * job.step[0] + j * job.step[1], channel, codes[0][j], codes[1][j]);
                }
            }
        }
    }
}

/// See [`Input1d`].
///
/// # Safety
///
/// The instruction set of `S` must be available. Bounds are asserted here.
#[inline(always)]
pub(crate) unsafe fn input_1d<S: Simd>(job: &mut Input1d<'_>) {
    let lanes = 2 * S::LANES;
    let c = job.pixels[0].len();
    assert!(c.is_multiple_of(lanes) && job.pixels.iter().all(|p| p.len() == c));
    assert!(job.v.len() >= 7 * job.point_stride + c);
    // SAFETY: at + lanes <= c bounds the pixels, and v by the assertion.
    unsafe {
        for at in (0..c).step_by(lanes) {
            let [d0, d1, d2, d3, d4, d5, d6, d7]: [S; 8] =
                std::array::from_fn(|i| S::load_u8(job.pixels[i].as_ptr().add(at)));
            let times21 = |x: S| x.shl16::<4>().add16(x.shl16::<2>()).add16(x);
            let times5 = |x: S| x.shl16::<2>().add16(x);
            let times17 = |x: S| x.shl16::<4>().add16(x);
            // x (x^2-4) (4x^2-1), times x and alone
            let one = [
                d6.add16(d2).shl16::<2>().sub16(times17(d4)),
                d5.add16(d1).shl16::<2>().sub16(times17(d3)),
            ];
            // x (x^2-1) (4x^2-1), times x and times 2
            let (five4, five3) = (times5(d4), times5(d3));
            let two = [
                d6.shl16::<2>().add16(d2).sub16(five4),
                d5.shl16::<2>().add16(d1).sub16(five3).shl16::<1>(),
            ];
            // x (x^2-1) (x^2-4), times 2x and alone
            let half = [
                d6.add16(d2.shl16::<2>()).sub16(five4).shl16::<1>(),
                d5.add16(d1.shl16::<2>()).sub16(five3),
            ];
            let v = [
                d6.sub16(d0).shl16::<2>().add16(times21(d2.sub16(d4))),
                one[0].add16(one[1]),
                one[0].sub16(one[1]),
                two[0].add16(two[1]),
                two[0].sub16(two[1]),
                half[0].add16(half[1]),
                half[0].sub16(half[1]),
                d7.sub16(d1).shl16::<2>().add16(times21(d3.sub16(d5))),
            ];
            for (i, t) in v.into_iter().enumerate() {
                t.store(job.v.as_mut_ptr().add(i * job.point_stride + at).cast());
            }
        }
    }
}

/// See [`Output`], for the 8 points.
///
/// # Safety
///
/// The instruction set of `S` must be available. Bounds are asserted here.
#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "both are indexed by lane and by place")]
pub(crate) unsafe fn output_1d<S: Simd, const CLAMPED: bool>(job: &mut Output<'_>) {
    assert!(job.m.len() >= 8 * job.nr && job.bias.len() >= job.nr && job.scale.len() >= job.nr);
    assert!(job.nr.is_multiple_of(2 * S::LANES));
    let (lo, hi) = job.clamp.bounds();
    let zero_point = i32::from(job.clamp.zero_point);
    // SAFETY: channel + LANES <= nr bounds all reads by the assertion.
    unsafe {
        let inverse = S::splat(INV45);
        for channel in (0..job.nr).step_by(2 * S::LANES) {
            let mut codes = [[S::splat(0); 2]; 5];
            for half in 0..2 {
                let channel = channel + half * S::LANES;
                let at = |i: usize| S::load(job.m.as_ptr().add(i * job.nr + channel));
                // What is added at the point 1 comes out in every output.
                let one = at(1).add(S::load(job.bias.as_ptr().add(channel)));
                let (s1, d1) = (one.add(at(2)), one.sub(at(2)));
                let (s2, d2) = (at(3).add(at(4)), at(3).sub(at(4)));
                let (sh, dh) = (at(5).add(at(6)), at(5).sub(at(6)));
                // y_i = 2^i (..) + 2^(n-1-i) (..), written out for n = 4 and n = 5
                let y = if job.n == 5 {
                    [
                        at(0).add(s1).add(s2).add(sh.shl::<4>()),
                        d1.add(d2.shl::<1>()).add(dh.shl::<3>()),
                        s1.add(s2.shl::<2>()).add(sh.shl::<2>()),
                        d1.add(d2.shl::<3>()).add(dh.shl::<1>()),
                        s1.add(s2.shl::<4>()).add(sh).add(at(7)),
                    ]
                } else {
                    [
                        at(0).add(s1).add(s2).add(sh.shl::<3>()),
                        d1.add(d2.shl::<1>()).add(dh.shl::<2>()),
                        s1.add(s2.shl::<2>()).add(sh.shl::<1>()),
                        d1.add(d2.shl::<3>()).add(dh).add(at(7)),
                        S::splat(0),
                    ]
                };
                let scale = S::load(job.scale.as_ptr().add(channel).cast());
                for (j, y) in y.into_iter().enumerate() {
                    // 8 times the sum, as the scale is an eighth.
                    codes[j][half] = y.mul(inverse).round::<CLAMPED>(scale, lo, hi, zero_point);
                }
            }
            for (j, [first, second]) in codes.into_iter().take(job.valid[1]).enumerate() {
                put(job, j * job.step[1], channel, first, second);
            }
        }
    }
}
