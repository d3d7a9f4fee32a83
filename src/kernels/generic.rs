//! The definition of every kernel in plain safe Rust: slow, obvious, and what all other variants are tested against.

use std::ops::Range;

use super::{Clamp, ConvParams, Rows, Window, requantise};

/// Dot product of two codes; what the shorter lacks counts as zero.
#[must_use]
pub fn dot(a: &[i8], b: &[i8]) -> i32 {
    a.iter().zip(b).fold(0, |sum, (&x, &y)| sum + i32::from(x) * i32::from(y))
}

/// Positions of the input that a window covers: `(tap, position)` pairs that lie inside `0..n`.
fn inside(
    out: usize,
    stride: usize,
    before: usize,
    kernel: usize,
    n: usize,
) -> impl Iterator<Item = (usize, usize)> {
    (0..kernel).filter_map(move |k| {
        (out * stride + k).checked_sub(before).filter(|i| *i < n).map(|i| (k, i))
    })
}

/// Convolution of `rows` of the output. `weights` is OIHW.
pub fn conv(
    p: &ConvParams,
    weights: &[i8],
    bias: &[i32],
    input: &[u8],
    rows: Range<usize>,
    out: &mut Rows<'_>,
) {
    let (_, ow) = p.window.output(p.input.h, p.input.w).unwrap_or((0, 0));
    let (kh, kw) = p.window.kernel;
    let zero = i32::from(p.input_zero_point);
    let c = p.input.c;
    for (line, y) in rows.enumerate() {
        for x in 0..ow {
            for o in 0..p.out_c {
                let mut acc = bias[o];
                for (ky, iy) in inside(y, p.window.stride.0, p.window.pad_before.0, kh, p.input.h) {
                    for (kx, ix) in
                        inside(x, p.window.stride.1, p.window.pad_before.1, kw, p.input.w)
                    {
                        let pixel = &input[(iy * p.input.w + ix) * c..][..c];
                        let taps =
                            weights[o * c * kh * kw + ky * kw + kx..].iter().step_by(kh * kw);
                        for (a, w) in pixel.iter().zip(taps) {
                            acc = acc.wrapping_add((i32::from(*a) - zero) * i32::from(*w));
                        }
                    }
                }
                out.data[(line * ow + x) * out.stride + out.offset + o] =
                    requantise(acc, p.scale[o], p.clamp);
            }
        }
    }
}

/// Depthwise convolution of `rows` of the output. `weights` is HWC.
pub fn depthwise(
    p: &ConvParams,
    weights: &[i8],
    bias: &[i32],
    input: &[u8],
    rows: Range<usize>,
    out: &mut Rows<'_>,
) {
    let (_, ow) = p.window.output(p.input.h, p.input.w).unwrap_or((0, 0));
    let (kh, kw) = p.window.kernel;
    let zero = i32::from(p.input_zero_point);
    let c = p.input.c;
    for (line, y) in rows.enumerate() {
        for x in 0..ow {
            for o in 0..c {
                let mut acc = bias[o];
                for (ky, iy) in inside(y, p.window.stride.0, p.window.pad_before.0, kh, p.input.h) {
                    for (kx, ix) in
                        inside(x, p.window.stride.1, p.window.pad_before.1, kw, p.input.w)
                    {
                        let a = i32::from(input[(iy * p.input.w + ix) * c + o]) - zero;
                        acc = acc.wrapping_add(a * i32::from(weights[(ky * kw + kx) * c + o]));
                    }
                }
                out.data[(line * ow + x) * out.stride + out.offset + o] =
                    requantise(acc, p.scale[o], p.clamp);
            }
        }
    }
}

/// Largest code of each window; padding does not take part.
pub fn max_pool(
    input: super::Shape,
    window: &Window,
    data: &[u8],
    rows: Range<usize>,
    out: &mut Rows<'_>,
) {
    pool(input, window, data, rows, out, |codes| codes.max().unwrap_or(0));
}

/// Mean of each window, `scale` = input scale / output scale. Padding counts only if `include_pad`.
#[allow(clippy::too_many_arguments, reason = "mirrors the operator")]
pub fn average_pool(
    input: super::Shape,
    window: &Window,
    include_pad: bool,
    zero_point: u8,
    scale: f32,
    clamp: Clamp,
    data: &[u8],
    rows: Range<usize>,
    out: &mut Rows<'_>,
) {
    let area = window.kernel.0 * window.kernel.1;
    pool(input, window, data, rows, out, |codes| {
        let (mut sum, mut n) = (0i32, 0usize);
        for code in codes {
            sum += i32::from(code) - i32::from(zero_point);
            n += 1;
        }
        requantise(sum, scale / if include_pad { area } else { n.max(1) } as f32, clamp)
    });
}

fn pool(
    input: super::Shape,
    window: &Window,
    data: &[u8],
    rows: Range<usize>,
    out: &mut Rows<'_>,
    mut reduce: impl FnMut(&mut dyn Iterator<Item = u8>) -> u8,
) {
    let (_, ow) = window.output(input.h, input.w).unwrap_or((0, 0));
    for (line, y) in rows.enumerate() {
        for x in 0..ow {
            for c in 0..input.c {
                let mut codes =
                    inside(y, window.stride.0, window.pad_before.0, window.kernel.0, input.h)
                        .flat_map(|(_, iy)| {
                            inside(
                                x,
                                window.stride.1,
                                window.pad_before.1,
                                window.kernel.1,
                                input.w,
                            )
                            .map(move |(_, ix)| data[(iy * input.w + ix) * input.c + c])
                        });
                out.data[(line * ow + x) * out.stride + out.offset + c] = reduce(&mut codes);
            }
        }
    }
}
