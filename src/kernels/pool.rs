//! Pools, sums and changes of scale: everything that is not a convolution. Written so that the compiler vectorises it.

use std::ops::Range;

use super::{Clamp, Rows, Shape, Window, nearest, requantise};

/// Parts of the window that lie inside the map.
fn span(out: usize, stride: usize, before: usize, kernel: usize, n: usize) -> Range<usize> {
    let start = (out * stride) as isize - before as isize;
    start.clamp(0, n as isize) as usize..(start + kernel as isize).clamp(0, n as isize) as usize
}

/// Largest code of each window; padding does not take part.
///
/// # Panics
///
/// When lengths do not agree with the shapes.
pub fn max_pool(
    input: Shape,
    window: &Window,
    data: &[u8],
    rows: Range<usize>,
    out: &mut Rows<'_>,
) {
    let (_, ow) = window.output(input.h, input.w).unwrap_or((0, 0));
    assert!(data.len() == input.len());
    out.check(rows.len() * ow, input.c);
    let c = input.c;
    for (line, y) in rows.enumerate() {
        let ys = span(y, window.stride.0, window.pad_before.0, window.kernel.0, input.h);
        for x in 0..ow {
            let to = &mut out.data[(line * ow + x) * out.stride + out.offset..][..c];
            to.fill(0);
            for iy in ys.clone() {
                for ix in span(x, window.stride.1, window.pad_before.1, window.kernel.1, input.w) {
                    for (t, f) in to.iter_mut().zip(&data[(iy * input.w + ix) * c..][..c]) {
                        *t = (*t).max(*f);
                    }
                }
            }
        }
    }
}

/// Mean of each window, `scale` = input scale / output scale. Padding counts (as zero) only if `include_pad`.
///
/// # Panics
///
/// When lengths do not agree with the shapes.
#[allow(clippy::too_many_arguments, reason = "mirrors the operator")]
pub fn average_pool(
    input: Shape,
    window: &Window,
    include_pad: bool,
    zero_point: u8,
    scale: f32,
    clamp: Clamp,
    data: &[u8],
    rows: Range<usize>,
    out: &mut Rows<'_>,
) {
    let (_, ow) = window.output(input.h, input.w).unwrap_or((0, 0));
    assert!(data.len() == input.len());
    out.check(rows.len() * ow, input.c);
    let scale_of = |n: usize| {
        scale / if include_pad { window.kernel.0 * window.kernel.1 } else { n.max(1) } as f32
    };
    // Half the memory where the sums leave room for it, as those of all common windows do.
    if window.kernel.0 * window.kernel.1 <= usize::from(u16::MAX / 255) {
        averages::<u16>(input, window, data, rows, out, ow, zero_point, scale_of, clamp);
    } else {
        averages::<u32>(input, window, data, rows, out, ow, zero_point, scale_of, clamp);
    }
}

/// A sum of codes.
trait Sum: Copy + Default + From<u8> + Into<u32> {
    /// Never overflows here: wrapping only keeps the check out of the loop.
    fn plus(self, other: Self) -> Self;
}

impl Sum for u16 {
    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }
}

impl Sum for u32 {
    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }
}

/// Sums down the columns first, then across: a pixel is added once for each row of windows that covers it.
#[allow(clippy::too_many_arguments, reason = "mirrors the operator")]
fn averages<T: Sum>(
    input: Shape,
    window: &Window,
    data: &[u8],
    rows: Range<usize>,
    out: &mut Rows<'_>,
    ow: usize,
    zero_point: u8,
    scale_of: impl Fn(usize) -> f32,
    clamp: Clamp,
) {
    let c = input.c;
    let line = input.w * c;
    let mut columns = vec![T::default(); line];
    let mut sums = vec![T::default(); c];
    for (y_out, y) in rows.enumerate() {
        let ys = span(y, window.stride.0, window.pad_before.0, window.kernel.0, input.h);
        add_lines(&mut columns, data, line, ys.clone(), T::from);
        for x in 0..ow {
            let xs = span(x, window.stride.1, window.pad_before.1, window.kernel.1, input.w);
            let n = ys.len() * xs.len();
            let (zeros, scale) = ((n * usize::from(zero_point)) as i32, scale_of(n));
            let to = &mut out.data[(y_out * ow + x) * out.stride + out.offset..][..c];
            add_lines(&mut sums, &columns, c, xs, |sum| sum);
            for (code, sum) in to.iter_mut().zip(&sums) {
                let sum: u32 = (*sum).into();
                *code = requantise(sum as i32 - zeros, scale, clamp);
            }
        }
    }
}

/// The sum of some lines of `length`, three at a time: that many are usual.
fn add_lines<F: Copy, T: Sum>(
    sums: &mut [T],
    lines: &[F],
    length: usize,
    which: Range<usize>,
    widen: impl Fn(F) -> T,
) {
    let line = |i: usize| &lines[i * length..][..length];
    let mut at = which.start;
    if which.len() >= 3 {
        let all = sums.iter_mut().zip(line(at)).zip(line(at + 1)).zip(line(at + 2));
        for (((sum, a), b), c) in all {
            *sum = widen(*a).plus(widen(*b)).plus(widen(*c));
        }
        at += 3;
    } else {
        sums.fill(T::default());
    }
    for i in at..which.end {
        for (sum, a) in sums.iter_mut().zip(line(i)) {
            *sum = (*sum).plus(widen(*a));
        }
    }
}

/// How two maps are added.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AddParams {
    /// Codes of zero of the two inputs.
    pub zero_points: [u8; 2],
    /// Input scale / output scale of the two inputs.
    pub scales: [f32; 2],
    /// Output range.
    pub clamp: Clamp,
}

/// Sum of two maps of the same shape, code by code, into a dense map.
///
/// # Panics
///
/// When lengths differ.
pub fn add(p: &AddParams, a: &[u8], b: &[u8], out: &mut [u8]) {
    assert!(a.len() == out.len() && b.len() == out.len());
    let (lo, hi) = p.clamp.bounds();
    let [za, zb] = p.zero_points.map(i32::from);
    for ((o, a), b) in out.iter_mut().zip(a).zip(b) {
        let real =
            (i32::from(*a) - za) as f32 * p.scales[0] + (i32::from(*b) - zb) as f32 * p.scales[1];
        let real = if real > lo { real } else { lo };
        let real = if real < hi { real } else { hi };
        *o = (nearest(real) + i32::from(p.clamp.zero_point)) as u8;
    }
}

/// Codes of one scale to codes of another, `scale` = input scale / output scale.
///
/// # Panics
///
/// When `data` is not a whole number of pixels of `c` channels that fit the output.
pub fn requantise_map(
    c: usize,
    zero_point: u8,
    scale: f32,
    clamp: Clamp,
    data: &[u8],
    out: &mut Rows<'_>,
) {
    let table: [u8; 256] =
        std::array::from_fn(|code| requantise(code as i32 - i32::from(zero_point), scale, clamp));
    look_up(c, &[table], data, out);
}

/// Any function of a code: one table for all channels, or one for each.
///
/// # Panics
///
/// When `data` is not a whole number of pixels of `c` channels that fit the output, or the tables are
/// neither one nor `c`.
pub fn look_up(c: usize, tables: &[[u8; 256]], data: &[u8], out: &mut Rows<'_>) {
    assert!(c > 0 && data.len().is_multiple_of(c));
    assert!(tables.len() == 1 || tables.len() == c);
    out.check(data.len() / c, c);
    for (pixel, to) in data.chunks_exact(c).zip(out.data.chunks_exact_mut(out.stride)) {
        let to = &mut to[out.offset..out.offset + c];
        if let [table] = tables {
            for (code, from) in to.iter_mut().zip(pixel) {
                *code = table[usize::from(*from)];
            }
        } else {
            for ((code, from), table) in to.iter_mut().zip(pixel).zip(tables) {
                *code = table[usize::from(*from)];
            }
        }
    }
}

/// How two maps are multiplied.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MultiplyParams {
    /// Codes of zero of the two inputs.
    pub zero_points: [u8; 2],
    /// Product of the inputs' scales / output scale.
    pub scale: f32,
    /// Output range.
    pub clamp: Clamp,
}

/// Product of two maps of `c` channels, code by code; `b` may be one pixel, which stands for all.
///
/// # Panics
///
/// When lengths do not fit.
pub fn multiply(p: &MultiplyParams, c: usize, a: &[u8], b: &[u8], out: &mut Rows<'_>) {
    assert!(c > 0 && a.len().is_multiple_of(c) && (b.len() == a.len() || b.len() == c));
    out.check(a.len() / c, c);
    let [za, zb] = p.zero_points.map(i32::from);
    let pixels = out.data.chunks_exact_mut(out.stride);
    for ((to, a), b) in pixels.zip(a.chunks_exact(c)).zip(b.chunks_exact(c).cycle()) {
        let to = &mut to[out.offset..out.offset + c];
        for ((code, a), b) in to.iter_mut().zip(a).zip(b) {
            *code = requantise((i32::from(*a) - za) * (i32::from(*b) - zb), p.scale, p.clamp);
        }
    }
}

/// Rows of a map with `before` rows and columns ahead of it, and `code` wherever it is not.
///
/// # Panics
///
/// When lengths do not agree with the shapes.
pub fn pad(
    input: Shape,
    before: (usize, usize),
    width: usize,
    code: u8,
    data: &[u8],
    rows: Range<usize>,
    out: &mut Rows<'_>,
) {
    let c = input.c;
    assert!(data.len() == input.len() && before.1 + input.w <= width);
    out.check(rows.len() * width, c);
    for (line, y) in rows.enumerate() {
        let own = y.checked_sub(before.0).filter(|y| *y < input.h);
        for x in 0..width {
            let to = &mut out.data[(line * width + x) * out.stride + out.offset..][..c];
            match (own, x.checked_sub(before.1).filter(|x| *x < input.w)) {
                (Some(y), Some(x)) => to.copy_from_slice(&data[(y * input.w + x) * c..][..c]),
                _ => to.fill(code),
            }
        }
    }
}

/// Real numbers to codes: `zero_point + round_half_even(x / scale)`, NaN to the zero point.
///
/// # Panics
///
/// When lengths differ.
pub fn quantise(scale: f32, zero_point: u8, data: &[f32], out: &mut [u8]) {
    assert!(data.len() == out.len());
    for (code, x) in out.iter_mut().zip(data) {
        let real = (x / scale).round_ties_even() + f32::from(zero_point);
        *code = real as u8;
    }
}
