//! Convolution: weights packed once, inputs gathered in blocks of pixels, tiles multiplied and finished.

use std::ops::Range;

use super::winograd::Winograd;
use super::{
    BadLayer, ConvParams, Family, Isa, Ops, Rows, Scratch, Shape, Tile, bad, bytes_mut, generic,
    halves_mut, pack,
};

/// Bytes of gathered inputs that one pass over the weights works on.
const BLOCK_BYTES: usize = 96 * 1024;

/// A convolution with its weights packed for one instruction set.
#[derive(Debug)]
pub struct Conv {
    params: ConvParams,
    output: Shape,
    isa: Isa,
    /// One for each output channel, padded to whole panels; input zero point folded in except in `Generic`.
    bias: Vec<i32>,
    scale: Vec<f32>,
    weights: Weights,
}

#[derive(Debug)]
enum Weights {
    /// As given, OIHW.
    Plain(Vec<i8>),
    /// `[panel][group][nr]` words.
    Direct(Vec<u32>),
    Winograd(Winograd),
}

impl Conv {
    /// Checks and packs. `weights` is OIHW, as ONNX has them, `bias` in units of input scale times weight scale.
    ///
    /// # Errors
    /// When lengths do not agree, a scale is not a number above 0, or the window does not fit.
    pub fn new(
        params: ConvParams,
        weights: &[i8],
        bias: &[i32],
        isa: Isa,
    ) -> Result<Conv, BadLayer> {
        Conv::with(params, weights, bias, isa, true)
    }

    /// As [`Conv::new`], without Winograd: for measurements and tests.
    ///
    /// # Errors
    /// As [`Conv::new`].
    pub fn direct(
        params: ConvParams,
        weights: &[i8],
        bias: &[i32],
        isa: Isa,
    ) -> Result<Conv, BadLayer> {
        Conv::with(params, weights, bias, isa, false)
    }

    fn with(
        params: ConvParams,
        weights: &[i8],
        bias: &[i32],
        isa: Isa,
        fast: bool,
    ) -> Result<Conv, BadLayer> {
        params.output()?;
        let (kh, kw) = params.window.kernel;
        let per_channel = kh * kw * params.input.c;
        if per_channel == 0 || per_channel > 1 << 20 {
            return bad(format!("{per_channel} weights for one channel"));
        }
        let output = params.check(weights.len(), bias.len(), per_channel)?;
        let Some(mut ops) = isa.ops() else {
            let (bias, scale) = (bias.to_vec(), params.scale.clone());
            return Ok(Conv {
                params,
                output,
                isa: Isa::Generic,
                bias,
                scale,
                weights: Weights::Plain(weights.to_vec()),
            });
        };
        if let Some(fallback) = ops.fallback
            && pack::largest(weights) > 63
        {
            ops = fallback;
        }
        // Relaxed products on x86 (codes go in as they are) are not faster than Winograd's fewer ones; on Arm they are.
        let with_winograd = match ops.fallback {
            Some(fallback) if (ops.flip)() == 0 => fallback,
            _ => ops,
        };
        let winograd =
            if fast { Winograd::new(&params, weights, bias, with_winograd) } else { None };
        if winograd.is_some() {
            ops = with_winograd;
        }
        let padded = params.out_c.next_multiple_of(ops.nr);
        let mut scale = params.scale.clone();
        scale.resize(padded, 1.0);
        let zero = i32::from(params.input_zero_point) - i32::from((ops.flip)());
        let mut folded: Vec<i32> = bias
            .iter()
            .zip(weights.chunks_exact(per_channel))
            .map(|(b, w)| b.wrapping_sub(zero.wrapping_mul(pack::sum(w))))
            .collect();
        folded.resize(padded, 0);
        let weights = match winograd {
            Some(winograd) => {
                winograd.finish(&mut folded, &mut scale);
                Weights::Winograd(winograd)
            }
            None => {
                let layer = pack::Layer { out_c: params.out_c, c: params.input.c, taps: kh * kw };
                Weights::Direct(pack::direct(weights, layer, ops.family, ops.nr))
            }
        };
        // The fallback of an instruction set is one of its own: `isa` need not remember it, `loops` finds it again.
        let isa = Isa::available()
            .into_iter()
            .find(|i| i.ops().is_some_and(|o| std::ptr::eq(o, ops)))
            .unwrap_or(isa);
        Ok(Conv { params, output, isa, bias: folded, scale, weights })
    }

    /// What it was made from.
    #[must_use]
    pub fn params(&self) -> &ConvParams {
        &self.params
    }

    /// Shape of the output.
    #[must_use]
    pub fn output(&self) -> Shape {
        self.output
    }

    /// Instruction set in use, and whether Winograd's method is.
    #[must_use]
    pub fn variant(&self) -> (Isa, bool) {
        (self.isa, matches!(self.weights, Weights::Winograd(_)))
    }

    /// Multiplications that the textbook convolution takes.
    #[must_use]
    pub fn macs(&self) -> u64 {
        let (kh, kw) = self.params.window.kernel;
        self.output.len() as u64 * (kh * kw * self.params.input.c) as u64
    }

    /// Multiplications that the inner loop really does, without padding of channels.
    #[must_use]
    pub fn products(&self) -> u64 {
        match &self.weights {
            Weights::Winograd(w) => w.products(self.output),
            _ => self.macs(),
        }
    }

    /// Bytes of packed weights.
    #[must_use]
    pub fn bytes(&self) -> usize {
        8 * self.bias.len()
            + match &self.weights {
                Weights::Plain(w) => w.len(),
                Weights::Direct(w) => w.len() * 4,
                Weights::Winograd(w) => w.bytes(),
            }
    }

    /// Bytes that [`Scratch`] grows to for this layer.
    #[must_use]
    pub fn scratch_bytes(&self) -> usize {
        match &self.weights {
            Weights::Plain(_) => 0,
            Weights::Direct(_) => BLOCK_BYTES.max(64 * self.groups() * 4),
            Weights::Winograd(w) => w.scratch_bytes(&self.params, self.output),
        }
    }

    /// Ranges of rows start at multiples of this; they end at one or at the last row.
    #[must_use]
    pub fn row_step(&self) -> usize {
        match &self.weights {
            Weights::Winograd(w) => w.row_step(),
            _ => 1,
        }
    }

    fn groups(&self) -> usize {
        let (kh, kw) = self.params.window.kernel;
        let quads = self.isa.ops().is_some_and(|o| o.family != Family::Pairs);
        (kh * kw * self.params.input.c).div_ceil(if quads { 4 } else { 2 })
    }

    /// Computes `rows` of the output from the whole `input` (dense NHWC).
    ///
    /// # Panics
    ///
    /// When lengths do not agree with the parameters, or `rows` does not start on a [`Conv::row_step`].
    pub fn run(&self, input: &[u8], rows: Range<usize>, out: &mut Rows<'_>, scratch: &mut Scratch) {
        assert!(
            rows.start <= rows.end && rows.end <= self.output.h,
            "rows {rows:?} of {}",
            self.output.h
        );
        let step = self.row_step();
        assert!(
            rows.start.is_multiple_of(step)
                && (rows.end.is_multiple_of(step) || rows.end == self.output.h)
        );
        assert!(input.len() == self.params.input.len(), "input of {} bytes", input.len());
        out.check(rows.len() * self.output.w, self.output.c);
        match (&self.weights, self.isa.ops()) {
            (Weights::Plain(weights), _) => {
                generic::conv(&self.params, weights, &self.bias, input, rows, out);
            }
            (Weights::Direct(weights), Some(ops)) => {
                self.run_direct(ops, weights, input, rows, out, scratch);
            }
            (Weights::Winograd(winograd), Some(Ops { winograd: Some(ops), .. })) => {
                winograd.run(
                    ops,
                    &self.params,
                    self.output,
                    &self.bias,
                    &self.scale,
                    input,
                    rows,
                    out,
                    scratch,
                );
            }
            _ => unreachable!("packed for an instruction set that is available"),
        }
    }

    fn run_direct(
        &self,
        ops: &Ops,
        weights: &[u32],
        input: &[u8],
        rows: Range<usize>,
        out: &mut Rows<'_>,
        s: &mut Scratch,
    ) {
        let groups = self.groups();
        let (mr, nr) = (ops.mr, ops.nr);
        let w = self.output.w;
        let (first, last) = (rows.start * w, rows.end * w);
        let block = (BLOCK_BYTES / (groups * 4)).clamp(mr, 64.max(mr)) / mr * mr;
        Scratch::grow(&mut s.a, block * groups);
        let mut start = first;
        while start < last {
            let count = block.min(last - start);
            // Rows beyond `count` hold what was there before: their sums are computed and thrown away.
            let a = &mut s.a[..count.next_multiple_of(mr) * groups];
            gather(&self.params, ops, w, input, start, count, groups, a);
            for panel in 0..self.output.c.div_ceil(nr) {
                let b = &weights[panel * groups * nr..][..groups * nr];
                (ops.tile)(&mut Tile {
                    a,
                    lda: groups,
                    b,
                    groups,
                    bias: &self.bias[panel * nr..][..nr],
                    scale: &self.scale[panel * nr..][..nr],
                    clamp: self.params.clamp,
                    offset: (start - first) * out.stride + out.offset + panel * nr,
                    out: out.data,
                    stride: out.stride,
                    rows: count,
                    cols: (self.output.c - panel * nr).min(nr),
                });
            }
            start += count;
        }
    }
}

/// Lays the windows of `count` pixels from `start` on side by side, one row of `groups` words each.
#[allow(clippy::too_many_arguments, reason = "plain data")]
fn gather(
    p: &ConvParams,
    ops: &Ops,
    out_w: usize,
    input: &[u8],
    start: usize,
    count: usize,
    groups: usize,
    a: &mut [u32],
) {
    match ops.family {
        Family::Pairs => {
            rows(p, out_w, input, start, count, groups * 2, halves_mut(a), |to, from| {
                for (t, f) in to.iter_mut().zip(from) {
                    *t = i16::from(*f);
                }
            });
        }
        Family::Quads => match (ops.flip)() {
            0 => rows(p, out_w, input, start, count, groups * 4, bytes_mut(a), |to, from| {
                to.copy_from_slice(from);
            }),
            flip => rows(p, out_w, input, start, count, groups * 4, bytes_mut(a), |to, from| {
                for (t, f) in to.iter_mut().zip(from) {
                    *t = f ^ flip;
                }
            }),
        },
    }
}

#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "plain data")]
fn rows<T: Copy + Default>(
    p: &ConvParams,
    out_w: usize,
    input: &[u8],
    start: usize,
    count: usize,
    lda: usize,
    a: &mut [T],
    copy: impl Fn(&mut [T], &[u8]),
) {
    let c = p.input.c;
    let (kh, kw) = p.window.kernel;
    let per_channel = kh * kw * c;
    if (kh, kw) == (1, 1) && p.window.stride == (1, 1) && lda == c {
        copy(&mut a[..count * c], &input[start * c..][..count * c]);
        return;
    }
    let padding = [p.input_zero_point; 64];
    let pad = |to: &mut [T]| {
        for part in to.chunks_mut(padding.len()) {
            let n = part.len();
            copy(part, &padding[..n]);
        }
    };
    for (i, row) in a.chunks_exact_mut(lda).take(count).enumerate() {
        let (y, x) = ((start + i) / out_w, (start + i) % out_w);
        row[per_channel..].fill(T::default());
        let left = (x * p.window.stride.1) as isize - p.window.pad_before.1 as isize;
        let (from, to) = (
            left.clamp(0, p.input.w as isize) as usize,
            (left + kw as isize).clamp(0, p.input.w as isize) as usize,
        );
        let skip = (from as isize - left) as usize;
        for (ky, line) in row[..per_channel].chunks_exact_mut(kw * c).enumerate() {
            match (y * p.window.stride.0 + ky)
                .checked_sub(p.window.pad_before.0)
                .filter(|iy| *iy < p.input.h)
            {
                Some(iy) if to > from => {
                    pad(&mut line[..skip * c]);
                    copy(
                        &mut line[skip * c..(skip + to - from) * c],
                        &input[(iy * p.input.w + from) * c..(iy * p.input.w + to) * c],
                    );
                    pad(&mut line[(skip + to - from) * c..]);
                }
                _ => pad(line),
            }
        }
    }
}
