//! What was pending becomes a step, now that the codes of its result are known.

use super::{Lowering, Quant, Result, Work, ratio, unsupported};
use crate::kernels::{
    AddParams, Clamp, Conv, ConvParams, Depthwise, MultiplyParams, Shape, signed,
};
use crate::model::int8::program::{Op, Tensor};
use crate::model::proto::{NodeProto, TensorProto};

impl Lowering<'_> {
    pub(super) fn emit(
        &mut self,
        node: &NodeProto,
        work: Work<'_>,
        lo: f32,
        hi: f32,
        to: Quant,
    ) -> Result<usize> {
        let code = |x: f32| {
            ((x / to.scale).round_ties_even() + f32::from(to.zero_point)).clamp(0.0, 255.0) as u8
        };
        let clamp = Clamp { zero_point: to.zero_point, lo: code(lo), hi: code(hi) };
        let tensor = |shape: Shape| Tensor { shape, scale: to.scale, zero_point: to.zero_point };
        match work {
            Work::Conv { input, weights, scales, bias, window, depthwise } => {
                let from = self.builder.get(input);
                let out_c = bias.len();
                let (kh, kw) = window.kernel;
                let scale_of = |o: usize| scales[o % scales.len()];
                let mut scale = Vec::with_capacity(out_c);
                let mut whole = Vec::with_capacity(out_c);
                for (o, b) in bias.iter().enumerate() {
                    let unit = f64::from(from.scale) * f64::from(scale_of(o));
                    scale.push((unit / f64::from(to.scale)) as f32);
                    whole.push(
                        (f64::from(*b) / unit)
                            .round_ties_even()
                            .clamp(f64::from(i32::MIN), f64::from(i32::MAX))
                            as i32,
                    );
                }
                let params = ConvParams {
                    input: from.shape,
                    out_c,
                    window,
                    input_zero_point: from.zero_point,
                    scale,
                    clamp,
                };
                let shape = params.output()?;
                let raw = bytes(weights);
                let op = if depthwise {
                    // OIHW, of which I is 1, to HWC.
                    let taps = kh * kw;
                    let mut hwc = Vec::with_capacity(raw.len());
                    for tap in 0..taps.min(raw.len()) {
                        hwc.extend(signed(&raw[tap..]).iter().step_by(taps));
                    }
                    Op::Depthwise(Depthwise::new(params, &hwc, &whole, self.isa)?)
                } else {
                    Op::Conv(Conv::new(params, signed(&raw), &whole, self.isa)?)
                };
                Ok(self.builder.node(&node.name, op, vec![input], tensor(shape))?)
            }
            Work::AveragePool { input, window, include_pad } => {
                let from = self.builder.get(input);
                let (h, w) = window.output(from.shape.h, from.shape.w)?;
                let op = Op::AveragePool {
                    window,
                    include_pad,
                    scale: ratio(from.scale, to.scale)?,
                    clamp,
                };
                let shape = Shape { h, w, ..from.shape };
                Ok(self.builder.node(&node.name, op, vec![input], tensor(shape))?)
            }
            Work::Add { inputs } => {
                let [a, b] = inputs.map(|id| self.builder.get(id));
                let op = Op::Add(AddParams {
                    zero_points: [a.zero_point, b.zero_point],
                    scales: [ratio(a.scale, to.scale)?, ratio(b.scale, to.scale)?],
                    clamp,
                });
                Ok(self.builder.node(&node.name, op, inputs.to_vec(), tensor(a.shape))?)
            }
            Work::Multiply { inputs } => {
                let [a, b] = inputs.map(|id| self.builder.get(id));
                let op = Op::Multiply(MultiplyParams {
                    zero_points: [a.zero_point, b.zero_point],
                    scale: ratio(a.scale * b.scale, to.scale)?,
                    clamp,
                });
                Ok(self.builder.node(&node.name, op, inputs.to_vec(), tensor(a.shape))?)
            }
            Work::Concat { inputs } => {
                if lo > f32::NEG_INFINITY || hi < f32::INFINITY {
                    return unsupported("a concatenation is clipped");
                }
                let all: Vec<Shape> = inputs.iter().map(|id| self.builder.get(*id).shape).collect();
                let c = all.iter().fold(0usize, |c, s| c.saturating_add(s.c));
                let shape = Shape { c, ..all[0] };
                Ok(self.builder.node(&node.name, Op::Concat, inputs, tensor(shape))?)
            }
        }
    }
}

/// The bytes of an `int8` tensor.
fn bytes(tensor: &TensorProto) -> std::borrow::Cow<'_, [u8]> {
    if tensor.raw_data.is_empty() {
        tensor.int32_data.iter().map(|q| *q as u8).collect::<Vec<_>>().into()
    } else {
        (&tensor.raw_data[..]).into()
    }
}
