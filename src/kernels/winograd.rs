//! Convolution by Winograd's minimal filtering in 16-bit integers, bit for bit equal to the direct sum.
//!
//! # Two dimensions: F(4x4, 3x3)
//!
//! For 3x3 kernels of stride 1. A tile of 6x6 inputs gives 4x4 outputs with 36 products instead of 144. With the points
//! 0, ±1, ±2, ∞ the transformed inputs are at most 68 * 255 and the transformed weights fit 16 bits too (it is checked),
//! so nothing is lost: all sums are taken modulo 2^32, the output transform gives 576 y = 64 * 9 y modulo 2^32, and 9 has
//! an inverse modulo 2^32, which leaves 64 y. As |y| < 2^25 (checked against weights and biases) that is 64 y itself, and a
//! scale that is a 64th takes the power of two away: floating point rounds 64 y as it rounds y.
//!
//! # One dimension: 8 points
//!
//! For kernels of 4 to 8 taps along one axis (and any number across it): points 0, ±1, ±2, ±1/2, ∞. Taps are cut into
//! groups of `r` that are added in the transformed domain, and a tile has `n = 9 - r` outputs; 1x7 is two groups of 4
//! with 5 outputs, 16 products instead of 35; 5x5 is five groups of 5 with 4 outputs, 40 instead of 100. Here the output
//! transform gives 360 y = 8 * 45 y.
//!
//! The factors that the inverse needs (rational in the textbook) are multiplied into the weights as far as they fit.

use std::ops::Range;

use super::pack::{self, Lanes};
use super::simd::Simd;
use super::{ConvParams, Product, Rows, Scratch, Shape, halves_mut};

/// Channels of a panel, at most.
const MAX_NR: usize = 16;

/// Bytes of transformed input that one block of tiles may take: half of a 512 KiB second-level cache.
const BLOCK_BYTES: usize = 256 * 1024;

/// Bytes of sums that lie between the products and the transform back: most of a 32 KiB first-level cache.
const SUMS_BYTES: usize = 24 * 1024;

/// The loops of one instruction set.
pub(crate) struct Ops {
    /// `simd::raw`.
    pub(crate) raw: fn(&mut Product<'_>),
    pub(crate) input_2d: fn(&mut Input2d<'_>),
    pub(crate) output_2d: fn(&mut Output<'_>),
    pub(crate) input_1d: fn(&mut Input1d<'_>),
    pub(crate) output_1d: fn(&mut Output<'_>),
}

/// Transforms the inputs of a row of tiles.
pub(crate) struct Input2d<'a> {
    /// Six rows of `w * c` bytes.
    pub(crate) rows: [&'a [u8]; 6],
    pub(crate) w: usize,
    pub(crate) c: usize,
    pub(crate) pad_left: usize,
    pub(crate) zero_point: u8,
    /// Work space: 6 rows of `4 * tiles + 2` pixels.
    pub(crate) strip: &'a mut [i16],
    pub(crate) tiles: usize,
    /// `[36][tile][c]`, `point_stride` halves from a point to the next, starting at the first tile of this row.
    pub(crate) v: &'a mut [i16],
    pub(crate) point_stride: usize,
}

/// Transforms the inputs of one tile and one group of taps.
pub(crate) struct Input1d<'a> {
    /// Eight pixels of `c` bytes.
    pub(crate) pixels: [&'a [u8]; 8],
    /// `[8][...]`, `point_stride` halves from a point to the next, starting at this tile and group.
    pub(crate) v: &'a mut [i16],
    pub(crate) point_stride: usize,
}

/// Transforms the sums of one tile and `nr` channels back and writes the codes.
pub(crate) struct Output<'a> {
    /// `[points][nr]` sums.
    pub(crate) m: &'a [i32],
    pub(crate) nr: usize,
    /// As [`Winograd::finish`] has left them.
    pub(crate) bias: &'a [i32],
    pub(crate) scale: &'a [f32],
    pub(crate) clamp: super::Clamp,
    /// Whether sums may be so large that they have to be clamped before they are rounded.
    pub(crate) clamped: bool,
    pub(crate) out: &'a mut [u8],
    pub(crate) offset: usize,
    /// Bytes between neighbours along the tile (1-D), or down and right (2-D).
    pub(crate) step: [usize; 2],
    /// Outputs that lie inside the map.
    pub(crate) valid: [usize; 2],
    /// Outputs of a whole 1-D tile.
    pub(crate) n: usize,
    /// Channels that exist.
    pub(crate) channels: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    /// F(4x4, 3x3).
    Square,
    /// 8 points along x (0 rows) or y; taps of a group, outputs of a tile, groups along the axis.
    Line { vertical: bool, taps: usize, n: usize, chunks: usize },
}

/// A convolution prepared for Winograd.
#[derive(Debug)]
pub(crate) struct Winograd {
    method: Method,
    /// `[panel][point][group of channels and taps][nr]` words of two halves.
    weights: Vec<u32>,
    /// Groups of two inputs of one point: words in a row of V.
    groups: usize,
    nr: usize,
    mr: usize,
    /// See [`Output::clamped`].
    clamped: bool,
}

const INV9: i32 = 954_437_177; // 9 * this = 1 modulo 2^32
const INV45: i32 = -1_527_099_483; // 45 * this = 1 modulo 2^32

impl Winograd {
    /// Prepares the weights (OIHW), or says no: shape not suited, or numbers that could leave their range.
    pub(crate) fn new(
        p: &ConvParams,
        weights: &[i8],
        bias: &[i32],
        nr: usize,
        mr: usize,
    ) -> Option<Winograd> {
        let (kh, kw) = p.window.kernel;
        let c = p.input.c;
        // 16 halves are the widest register of a variant that has Winograd.
        if p.window.stride != (1, 1) || !c.is_multiple_of(16) || c > 4096 || nr > MAX_NR {
            return None;
        }
        let line = |vertical: bool, k: usize| {
            let (taps, chunks) = match k {
                4..=5 => (k, 1),
                6..=8 => (4, 2),
                _ => return None,
            };
            Some(Method::Line { vertical, taps, n: 9 - taps, chunks })
        };
        let method = match (kh, kw) {
            (3, 3) => Method::Square,
            (1, k) | (5, k) => line(false, k)?,
            (k, 1) => line(true, k)?,
            _ => return None,
        };
        let limit = match method {
            Method::Square => 1i64 << 25,
            Method::Line { .. } => 1 << 28,
        };
        let per_channel = kh * kw * c;
        let largest = |(w, b): (&[i8], &i32)| 255 * pack::magnitude(w) + i64::from(*b).abs();
        let largest = weights.chunks_exact(per_channel).zip(bias).map(largest).max()?;
        let (least, most) =
            p.scale.iter().fold((f32::MAX, 0f32), |(a, b), s| (a.min(*s), b.max(*s)));
        // Scales are divided by 64, which must lose nothing.
        if largest >= limit || least < 1e-30 {
            return None;
        }
        let whole = p.clamp.lo == 0 && p.clamp.hi == 255;
        let clamped = !whole || largest as f32 * most > 1e6;
        let layer = pack::Layer { out_c: p.out_c, c, taps: kh * kw };
        let (parts, packed) = match method {
            Method::Square => {
                let all = |_| std::array::from_fn(Some);
                (1, pack::transformed(weights, layer, nr, 1, all, SquareWeights))
            }
            Method::Line { vertical, taps, chunks, .. } => {
                let parts = chunks * if vertical { kw } else { kh };
                let of_part = |part: usize| {
                    let (across, along) = (part / chunks, part % chunks * taps);
                    std::array::from_fn(|t| {
                        let (y, x) =
                            if vertical { (along + t, across) } else { (across, along + t) };
                        (t < taps && y < kh && x < kw).then_some(y * kw + x)
                    })
                };
                let packed = match taps {
                    4 => pack::transformed(weights, layer, nr, parts, of_part, LineWeights::<4>),
                    _ => pack::transformed(weights, layer, nr, parts, of_part, LineWeights::<5>),
                };
                (parts, packed)
            }
        };
        let groups = c * parts / 2;
        Some(Winograd { method, weights: packed, groups, nr, mr, clamped })
    }

    /// Makes of biases and scales what the output transforms need: they add the one before they divide, and leave a power
    /// of two to the other.
    pub(crate) fn finish(&self, bias: &mut [i32], scale: &mut [f32]) {
        let (factor, power) = match self.method {
            Method::Square => (576, 64.0),
            Method::Line { .. } => (360, 8.0),
        };
        bias.iter_mut().for_each(|b| *b = b.wrapping_mul(factor));
        scale.iter_mut().for_each(|s| *s /= power);
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        self.weights.len() * 4
    }

    /// Output rows come in multiples of this (but for the last).
    pub(crate) fn row_step(&self) -> usize {
        match self.method {
            Method::Square => 4,
            Method::Line { vertical: true, n, .. } => n,
            Method::Line { .. } => 1,
        }
    }

    /// Products of 16 bits for `rows` rows of output, for the share of peak.
    pub(crate) fn products(&self, out: Shape) -> u64 {
        let tiles = match self.method {
            Method::Square => out.h.div_ceil(4) * out.w.div_ceil(4) * 36,
            Method::Line { vertical: true, n, .. } => out.h.div_ceil(n) * out.w * 8,
            Method::Line { n, .. } => out.h * out.w.div_ceil(n) * 8,
        };
        tiles as u64 * (self.groups * 2 * out.c) as u64
    }

    /// Tiles of one block, a multiple of `mr`.
    fn block(&self, points: usize) -> usize {
        (BLOCK_BYTES / (points * self.groups * 4)).clamp(2 * self.mr, 256) / self.mr * self.mr
    }

    #[allow(
        clippy::too_many_arguments,
        reason = "the layer, the data and the buffers; bundled nowhere else"
    )]
    pub(crate) fn run(
        &self,
        ops: &Ops,
        p: &ConvParams,
        out_shape: Shape,
        bias: &[i32],
        scale: &[f32],
        input: &[u8],
        rows: Range<usize>,
        out: &mut Rows<'_>,
        s: &mut Scratch,
    ) {
        match self.method {
            Method::Square => self.run_square(ops, p, out_shape, bias, scale, input, rows, out, s),
            Method::Line { vertical, taps, n, chunks } => {
                let line = (vertical, taps, n, chunks);
                self.run_line(ops, p, out_shape, bias, scale, input, rows, out, s, line);
            }
        }
    }

    /// Tiles whose sums are made before they are transformed back, a multiple of `mr`.
    fn part(&self, points: usize) -> usize {
        (SUMS_BYTES / (points * self.nr * 4) / self.mr).max(1) * self.mr
    }

    /// The products of some tiles of a block: for each point, their rows of V by one panel, into `[tile][point][nr]`.
    fn multiply(
        &self,
        ops: &Ops,
        points: usize,
        panel: usize,
        tiles: Range<usize>,
        (v, point_stride): (&[u32], usize),
        m: &mut [i32],
    ) {
        let (groups, nr) = (self.groups, self.nr);
        for point in 0..points {
            (ops.raw)(&mut Product {
                a: &v[point * point_stride..][tiles.start * groups..tiles.end * groups],
                b: &self.weights[(panel * points + point) * groups * nr..][..groups * nr],
                groups,
                rows: tiles.len(),
                out: &mut m[point * nr..],
                stride: points * nr,
            });
        }
    }

    #[allow(clippy::too_many_arguments, reason = "as run")]
    fn run_square(
        &self,
        ops: &Ops,
        p: &ConvParams,
        out_shape: Shape,
        bias: &[i32],
        scale: &[f32],
        input: &[u8],
        rows: Range<usize>,
        out: &mut Rows<'_>,
        s: &mut Scratch,
    ) {
        let (c, w, nr) = (p.input.c, p.input.w, self.nr);
        let across = out_shape.w.div_ceil(4);
        let strips = (self.block(36) / across).max(1);
        let capacity = (strips * across).next_multiple_of(self.mr);
        let line = w * c;
        let padding = vec![p.input_zero_point; line];
        s.strip.resize(6 * (4 * across + 2) * c, 0);
        s.v.resize((36 * capacity * self.groups).max(s.v.len()), 0);
        let part = self.part(36);
        s.m.resize((36 * part * nr).max(s.m.len()), 0);
        let mut y0 = rows.start;
        while y0 < rows.end {
            let strips = strips.min((rows.end - y0).div_ceil(4));
            let tiles = (strips * across).next_multiple_of(self.mr);
            let point_stride = tiles * self.groups;
            for strip in 0..strips {
                let row = |i: usize| {
                    (y0 + strip * 4 + i)
                        .checked_sub(p.window.pad_before.0)
                        .filter(|y| *y < p.input.h)
                        .map_or(&padding[..], |y| &input[y * line..][..line])
                };
                (ops.input_2d)(&mut Input2d {
                    rows: [row(0), row(1), row(2), row(3), row(4), row(5)],
                    w,
                    c,
                    pad_left: p.window.pad_before.1,
                    zero_point: p.input_zero_point,
                    strip: &mut s.strip[..6 * (4 * across + 2) * c],
                    tiles: across,
                    v: &mut halves_mut(&mut s.v)[strip * across * c..],
                    point_stride: point_stride * 2,
                });
            }
            for panel in 0..out_shape.c.div_ceil(nr) {
                for start in (0..tiles).step_by(part) {
                    let end = (start + part).min(tiles);
                    self.multiply(ops, 36, panel, start..end, (&s.v, point_stride), &mut s.m);
                    for tile in start..end.min(strips * across) {
                        let (y, x) = (y0 + tile / across * 4, tile % across * 4);
                        (ops.output_2d)(&mut Output {
                            m: &s.m[(tile - start) * 36 * nr..],
                            nr,
                            bias: &bias[panel * nr..],
                            scale: &scale[panel * nr..],
                            clamp: p.clamp,
                            clamped: self.clamped,
                            offset: ((y - rows.start) * out_shape.w + x) * out.stride
                                + out.offset
                                + panel * nr,
                            out: out.data,
                            step: [out_shape.w * out.stride, out.stride],
                            valid: [(rows.end - y).min(4), (out_shape.w - x).min(4)],
                            n: 4,
                            channels: (out_shape.c - panel * nr).min(nr),
                        });
                    }
                }
            }
            y0 += strips * 4;
        }
    }

    #[allow(clippy::too_many_arguments, reason = "as run")]
    fn run_line(
        &self,
        ops: &Ops,
        p: &ConvParams,
        out_shape: Shape,
        bias: &[i32],
        scale: &[f32],
        input: &[u8],
        rows: Range<usize>,
        out: &mut Rows<'_>,
        s: &mut Scratch,
        (vertical, taps, n, chunks): (bool, usize, usize, usize),
    ) {
        let (c, nr) = (p.input.c, self.nr);
        let k = self.groups * 2;
        let across = if vertical { out_shape.w } else { out_shape.w.div_ceil(n) };
        let all = if vertical { rows.len().div_ceil(n) } else { rows.len() } * across;
        let block = self.block(8).min(all.next_multiple_of(self.mr));
        let padding = vec![p.input_zero_point; c];
        s.v.resize((8 * block * self.groups).max(s.v.len()), 0);
        let part = self.part(8);
        s.m.resize((8 * part * nr).max(s.m.len()), 0);
        // First output of a tile.
        let place = |tile: usize| {
            let (line, x) = (tile / across, tile % across);
            if vertical { (rows.start + line * n, x) } else { (rows.start + line, x * n) }
        };
        let mut first = 0;
        while first < all {
            let count = block.min(all - first);
            let tiles = count.next_multiple_of(self.mr);
            let point_stride = tiles * self.groups;
            for t in 0..count {
                let (y, x) = place(first + t);
                for group in 0..k / c {
                    let (off, along) = (group / chunks, group % chunks * taps);
                    let pixel = |i: usize| {
                        let (y, x) = if vertical {
                            (y + along + i, x + off)
                        } else {
                            (y + off, x + along + i)
                        };
                        let y = y.checked_sub(p.window.pad_before.0).filter(|y| *y < p.input.h);
                        let x = x.checked_sub(p.window.pad_before.1).filter(|x| *x < p.input.w);
                        match (y, x) {
                            (Some(y), Some(x)) => &input[(y * p.input.w + x) * c..][..c],
                            _ => &padding[..],
                        }
                    };
                    (ops.input_1d)(&mut Input1d {
                        pixels: [
                            pixel(0),
                            pixel(1),
                            pixel(2),
                            pixel(3),
                            pixel(4),
                            pixel(5),
                            pixel(6),
                            pixel(7),
                        ],
                        v: &mut halves_mut(&mut s.v)[t * k + group * c..],
                        point_stride: point_stride * 2,
                    });
                }
            }
            for panel in 0..out_shape.c.div_ceil(nr) {
                for start in (0..tiles).step_by(part) {
                    let end = (start + part).min(tiles);
                    self.multiply(ops, 8, panel, start..end, (&s.v, point_stride), &mut s.m);
                    for t in start..end.min(count) {
                        let (y, x) = place(first + t);
                        let left = if vertical { rows.end - y } else { out_shape.w - x };
                        (ops.output_1d)(&mut Output {
                            m: &s.m[(t - start) * 8 * nr..],
                            nr,
                            bias: &bias[panel * nr..],
                            scale: &scale[panel * nr..],
                            clamp: p.clamp,
                            clamped: self.clamped,
                            offset: ((y - rows.start) * out_shape.w + x) * out.stride
                                + out.offset
                                + panel * nr,
                            out: out.data,
                            step: [0, if vertical { out_shape.w * out.stride } else { out.stride }],
                            valid: [1, left.min(n)],
                            n,
                            channels: (out_shape.c - panel * nr).min(nr),
                        });
                    }
                }
            }
            first += count;
        }
    }

    /// Bytes of scratch that [`Winograd::run`] needs.
    pub(crate) fn scratch_bytes(&self, p: &ConvParams, out: Shape) -> usize {
        match self.method {
            Method::Square => {
                let across = out.w.div_ceil(4);
                let tiles = ((self.block(36) / across).max(1) * across).next_multiple_of(self.mr);
                36 * (tiles * self.groups + self.part(36) * self.nr) * 4
                    + 12 * (4 * across + 2) * p.input.c
            }
            Method::Line { .. } => 8 * (self.block(8) * self.groups + self.part(8) * self.nr) * 4,
        }
    }
}

/// G g of F(4, 3), times what makes it whole: `[6 g0 | -4, -4 | 1, 1 | 24]` belong to the inverse.
fn points_6<const NR: usize>([a, b, c]: [Lanes<NR>; 3]) -> [Lanes<NR>; 6] {
    let (even, odd) = (a + c, b);
    let (even2, odd2) = (a + c * 4, b + b);
    [a, even + odd, even - odd, even2 + odd2, even2 - odd2, c]
}

/// The factors of the inverse of F(4, 3), over 24; the last is left at half, so that products of two stay within 16 bits
/// with weights of 8, and the output transform doubles it.
const INVERSE_6: [i16; 6] = [6, -4, -4, 1, 1, 12];

/// 36 transformed weights, `[down][right]`. None can leave 16 bits: the largest sum of magnitudes is 12 * 12 * 128.
struct SquareWeights;

impl pack::Transform<36> for SquareWeights {
    #[inline(always)]
    fn apply<const NR: usize>(
        &self,
        [a, b, c, d, e, f, g, h, i]: [Lanes<NR>; 9],
    ) -> [Lanes<NR>; 36] {
        let right = [points_6([a, b, c]), points_6([d, e, f]), points_6([g, h, i])];
        let mut all = [Lanes::ZERO; 36];
        for x in 0..6 {
            let down = points_6([right[0][x], right[1][x], right[2][x]]);
            for (y, value) in down.into_iter().enumerate() {
                all[y * 6 + x] = value * (INVERSE_6[y] * INVERSE_6[x]);
            }
        }
        all
    }
}

/// 8 transformed weights of 4 or 5 taps, the inverse's factors applied (over 360). None can leave 16 bits: the largest sum
/// of magnitudes is 20 * 5 * 128.
struct LineWeights<const TAPS: usize>;

impl<const TAPS: usize> pack::Transform<8> for LineWeights<TAPS> {
    #[inline(always)]
    fn apply<const NR: usize>(&self, [a, b, c, d, e, ..]: [Lanes<NR>; 9]) -> [Lanes<NR>; 8] {
        // Even and odd powers of 1, of 2, and of 1/2 times 2^(taps - 1). The fifth tap is 0 where there are four.
        let (one, one_odd) = (a + c + e, b + d);
        let (two, two_odd) = (a + c * 4 + e * 16, b * 2 + d * 8);
        let (half, half_odd) = if TAPS == 5 {
            (a * 16 + c * 4 + e, b * 8 + d * 2)
        } else {
            (a * 8 + c * 2, b * 4 + d)
        };
        [
            a * -90,
            (one + one_odd) * -20,
            (one - one_odd) * -20,
            two + two_odd,
            two - two_odd,
            half + half_odd,
            half - half_odd,
            if TAPS == 5 { e } else { d } * 90,
        ]
    }
}

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
