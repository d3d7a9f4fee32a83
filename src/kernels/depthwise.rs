//! Depthwise convolution, in blocks of channels that the compiler keeps in registers.

use std::ops::Range;

use super::{BadLayer, ConvParams, Isa, Rows, Shape, generic, requantise};

/// Channels of one block.
const BLOCK: usize = 16;

/// A convolution of each channel by itself.
#[derive(Debug)]
pub struct Depthwise {
    params: ConvParams,
    output: Shape,
    isa: Isa,
    /// HWC.
    weights: Vec<i8>,
    bias: Vec<i32>,
}

impl Depthwise {
    /// Checks. `weights` is HWC; input and output have the same number of channels.
    ///
    /// # Errors
    /// When lengths do not agree, a scale is not a number above 0, or the window does not fit.
    pub fn new(
        params: ConvParams,
        weights: &[i8],
        bias: &[i32],
        isa: Isa,
    ) -> Result<Depthwise, BadLayer> {
        let (kh, kw) = params.window.kernel;
        if params.out_c != params.input.c {
            return super::bad(format!("{} channels in, {} out", params.input.c, params.out_c));
        }
        params.output()?;
        let output = params.check(weights.len(), bias.len(), kh * kw)?;
        Ok(Depthwise { params, output, isa, weights: weights.to_vec(), bias: bias.to_vec() })
    }

    /// Shape of the output.
    #[must_use]
    pub fn output(&self) -> Shape {
        self.output
    }

    /// What it was made from.
    #[must_use]
    pub fn params(&self) -> &ConvParams {
        &self.params
    }

    /// Multiplications.
    #[must_use]
    pub fn macs(&self) -> u64 {
        self.output.len() as u64
            * (self.params.window.kernel.0 * self.params.window.kernel.1) as u64
    }

    /// Bytes of weights.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.weights.len() + 4 * self.bias.len()
    }

    /// Computes `rows` of the output from the whole `input` (dense NHWC).
    ///
    /// # Panics
    ///
    /// When lengths do not agree with the parameters.
    pub fn run(&self, input: &[u8], rows: Range<usize>, out: &mut Rows<'_>) {
        assert!(rows.end <= self.output.h, "rows {rows:?} of {}", self.output.h);
        assert!(input.len() == self.params.input.len(), "input of {} bytes", input.len());
        out.check(rows.len() * self.output.w, self.output.c);
        if self.isa == Isa::Generic {
            generic::depthwise(&self.params, &self.weights, &self.bias, input, rows, out);
            return;
        }
        let p = &self.params;
        let (c, w) = (p.input.c, p.input.w);
        let (kh, kw) = p.window.kernel;
        let zero = i32::from(p.input_zero_point);
        for (line, y) in rows.enumerate() {
            let top = (y * p.window.stride.0) as isize - p.window.pad_before.0 as isize;
            let ys =
                (-top).max(0) as usize..(p.input.h as isize - top).clamp(0, kh as isize) as usize;
            for x in 0..self.output.w {
                let left = (x * p.window.stride.1) as isize - p.window.pad_before.1 as isize;
                let xs =
                    (-left).max(0) as usize..(w as isize - left).clamp(0, kw as isize) as usize;
                let to = &mut out.data[(line * self.output.w + x) * out.stride + out.offset..][..c];
                for (first, codes) in (0..c).step_by(BLOCK).zip(to.chunks_mut(BLOCK)) {
                    let n = codes.len();
                    let mut acc = [0i32; BLOCK];
                    acc[..n].copy_from_slice(&self.bias[first..first + n]);
                    for ky in ys.clone() {
                        for kx in xs.clone() {
                            let pixel = ((top + ky as isize) as usize * w
                                + (left + kx as isize) as usize)
                                * c
                                + first;
                            let (a, b) = (
                                &input[pixel..pixel + n],
                                &self.weights[(ky * kw + kx) * c + first..][..n],
                            );
                            if let (Ok(a), Ok(b)) =
                                (<&[u8; BLOCK]>::try_from(a), <&[i8; BLOCK]>::try_from(b))
                            {
                                for i in 0..BLOCK {
                                    acc[i] = acc[i]
                                        .wrapping_add((i32::from(a[i]) - zero) * i32::from(b[i]));
                                }
                            } else {
                                for i in 0..n {
                                    acc[i] = acc[i]
                                        .wrapping_add((i32::from(a[i]) - zero) * i32::from(b[i]));
                                }
                            }
                        }
                    }
                    for (code, (sum, scale)) in
                        codes.iter_mut().zip(acc.iter().zip(&p.scale[first..]))
                    {
                        *code = requantise(*sum, *scale, p.clamp);
                    }
                }
            }
        }
    }
}
