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

mod transform;
mod weights;

use std::ops::Range;

use super::{ConvParams, Product, Rows, Scratch, Shape, halves_mut, pack};
pub(crate) use transform::{input_1d, input_2d, output_1d, output_2d};
pub(crate) use weights::{Weights, weights_1d, weights_2d};

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
    pub(crate) weights_2d: fn(&mut Weights<'_>),
    pub(crate) input_2d: fn(&mut Input2d<'_>),
    pub(crate) output_2d: fn(&mut Output<'_>),
    pub(crate) weights_1d: fn(&mut Weights<'_>),
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
        ops: &super::Ops,
    ) -> Option<Winograd> {
        let (nr, mr, ops) = (ops.nr, ops.mr, ops.winograd.as_ref()?);
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
        let (transform, points, longest, parts) = match method {
            Method::Square => (ops.weights_2d, 36, 0, vec![[None; 5]]),
            Method::Line { vertical, taps, chunks, .. } => {
                let part = |part: usize| {
                    let (across, along) = (part / chunks, part % chunks * taps);
                    std::array::from_fn(|t| {
                        let (y, x) =
                            if vertical { (along + t, across) } else { (across, along + t) };
                        (t < taps && y < kh && x < kw).then_some(y * kw + x)
                    })
                };
                let parts = chunks * if vertical { kw } else { kh };
                (ops.weights_1d, 8, taps, (0..parts).map(part).collect())
            }
        };
        let groups = c * parts.len() / 2;
        let size = points * groups * nr;
        let mut packed = vec![0; p.out_c.div_ceil(nr) * size];
        let mut panel = pack::Panel::new(per_channel, nr);
        for (rows, out) in weights.chunks(nr * per_channel).zip(packed.chunks_exact_mut(size)) {
            let weights = panel.lay(rows);
            transform(&mut Weights { weights, c, taps: kh * kw, parts: &parts, longest, out });
        }
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
        let strip = 6 * (4 * across + 2) * c;
        Scratch::grow(&mut s.strip, strip);
        Scratch::grow(&mut s.v, 36 * capacity * self.groups);
        let part = self.part(36);
        Scratch::grow(&mut s.m, 36 * part * nr);
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
        Scratch::grow(&mut s.v, 8 * block * self.groups);
        let part = self.part(8);
        Scratch::grow(&mut s.m, 8 * part * nr);
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
