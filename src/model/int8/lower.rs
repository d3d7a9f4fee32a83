//! QDQ ONNX to a [`Program`].

use std::collections::HashMap;
use std::fmt;

use super::program::{Builder, Op, Program, Tensor};
use crate::error::Error;
use crate::kernels::{
    AddParams, BadLayer, Clamp, Conv, ConvParams, Depthwise, Isa, Shape, Window, signed,
};
use crate::model::onnx;
use crate::model::proto::{DataType, GraphProto, NodeProto, TensorProto};

/// Why a graph does not run on our kernels.
#[derive(Debug)]
pub(crate) enum NotLowered {
    /// It is fine but has something that we have no kernel for, or is not quantised: tract runs it.
    Unsupported(String),
    /// It makes no sense, and would make none in another runtime.
    Bad(Error),
}

impl fmt::Display for NotLowered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotLowered::Unsupported(why) => f.write_str(why),
            NotLowered::Bad(error) => write!(f, "{error}"),
        }
    }
}

type Result<T> = std::result::Result<T, NotLowered>;

fn unsupported<T>(why: impl Into<String>) -> Result<T> {
    Err(NotLowered::Unsupported(why.into()))
}

fn broken<T>(why: impl Into<String>) -> Result<T> {
    Err(NotLowered::Bad(onnx::bad(why)))
}

impl From<BadLayer> for NotLowered {
    fn from(e: BadLayer) -> Self {
        NotLowered::Bad(onnx::bad(e.0))
    }
}

impl From<Error> for NotLowered {
    fn from(e: Error) -> Self {
        NotLowered::Bad(e)
    }
}

/// Scale and zero point of a tensor.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Quant {
    scale: f32,
    zero_point: u8,
}

/// What a name of the graph stands for.
#[derive(Clone)]
enum Value<'a> {
    /// The network's input, not yet quantised.
    Input,
    /// Codes.
    Codes(usize),
    /// The real numbers that codes stand for.
    Real(usize),
    /// Constant weights.
    Weights { tensor: &'a TensorProto, scales: Vec<f32> },
    /// A constant vector.
    Vector(Vec<f32>),
    /// Real numbers on their way to be quantised.
    Pending { node: &'a NodeProto, work: Work<'a>, lo: f32, hi: f32 },
}

#[derive(Clone)]
enum Work<'a> {
    Conv {
        input: usize,
        weights: &'a TensorProto,
        scales: Vec<f32>,
        bias: Vec<f32>,
        window: Window,
        depthwise: bool,
    },
    AveragePool {
        input: usize,
        window: Window,
        include_pad: bool,
    },
    Add {
        inputs: [usize; 2],
    },
    Concat {
        inputs: Vec<usize>,
    },
}

/// Rewrites a whole graph. `nhwc` says that the input is `[1, side, side, 3]`, else it is `[1, 3, side, side]`;
/// `layers` become the outputs.
///
/// # Errors
/// See [`NotLowered`]; names the node.
pub(crate) fn lower(
    graph: &GraphProto,
    side: usize,
    nhwc: bool,
    layers: &[String],
    isa: Isa,
) -> Result<Program> {
    let mut readers: HashMap<&str, usize> = HashMap::new();
    for name in graph.node.iter().flat_map(|n| &n.input).chain(layers) {
        *readers.entry(name).or_default() += 1;
    }
    let mut lowering = Lowering {
        stored: graph.initializer.iter().map(|t| (t.name.as_str(), t)).collect(),
        values: HashMap::new(),
        builder: Builder::default(),
        readers,
        shape: Shape { h: side, w: side, c: 3 },
        // An NHWC input has to be transposed before anything else reads it.
        nhwc,
        isa,
    };
    let mut inputs = graph.input.iter().filter(|i| !lowering.stored.contains_key(i.name.as_str()));
    let (Some(input), None) = (inputs.next(), inputs.next()) else {
        return unsupported("the network has not exactly one input");
    };
    lowering.values.insert(&input.name, Value::Input);
    for node in &graph.node {
        let place = || format!("node {:?} ({})", node.name, node.op_type);
        lowering.node(node).map_err(|e| match e {
            NotLowered::Unsupported(why) => NotLowered::Unsupported(format!("{}: {why}", place())),
            NotLowered::Bad(e) => NotLowered::Bad(e.at(place())),
        })?;
    }
    let mut outputs = Vec::with_capacity(layers.len());
    for layer in layers {
        match lowering.values.get(layer.as_str()) {
            Some(Value::Real(id) | Value::Codes(id)) => outputs.push(*id),
            _ => return unsupported(format!("layer {layer:?} is not quantised")),
        }
    }
    Ok(lowering.builder.finish(&outputs)?)
}

struct Lowering<'a> {
    stored: HashMap<&'a str, &'a TensorProto>,
    values: HashMap<&'a str, Value<'a>>,
    builder: Builder,
    readers: HashMap<&'a str, usize>,
    shape: Shape,
    nhwc: bool,
    isa: Isa,
}

impl<'a> Lowering<'a> {
    fn node(&mut self, node: &'a NodeProto) -> Result<()> {
        let Some(output) = node.output.first().map(String::as_str) else {
            return broken("it has no output");
        };
        let value = match node.op_type.as_str() {
            "QuantizeLinear" => self.quantise(node)?,
            "DequantizeLinear" => self.dequantise(node)?,
            "Conv" => self.conv(node)?,
            "Relu" => self.clip(node, 0.0, f32::INFINITY)?,
            "Clip" => {
                let bound = |i: usize, default: f32| match node.input.get(i).map(String::as_str) {
                    None | Some("") => Ok(default),
                    Some(name) => {
                        match self.stored.get(name).map(|t| onnx::floats(t)).transpose()?.as_deref()
                        {
                            Some([x]) if !x.is_nan() => Ok(*x),
                            _ => unsupported("a bound is not a constant number"),
                        }
                    }
                };
                let (lo, hi) = (bound(1, f32::NEG_INFINITY)?, bound(2, f32::INFINITY)?);
                if lo > hi {
                    return broken(format!("the range {lo}..{hi} is empty"));
                }
                self.clip(node, lo, hi)?
            }
            "MaxPool" => {
                let input = self.real(node, 0)?;
                let from = self.builder.get(input);
                let window = window(node, from.shape, None)?;
                let (h, w) = window.output(from.shape.h, from.shape.w)?;
                let to = Tensor { shape: Shape { h, w, ..from.shape }, ..from };
                Value::Real(self.builder.node(&node.name, Op::MaxPool(window), vec![input], to))
            }
            "AveragePool" => {
                let input = self.real(node, 0)?;
                let window = window(node, self.builder.get(input).shape, None)?;
                let include_pad = int(node, "count_include_pad").unwrap_or(0) != 0;
                pending(node, Work::AveragePool { input, window, include_pad })
            }
            "Add" => {
                let inputs = [self.real(node, 0)?, self.real(node, 1)?];
                if self.builder.get(inputs[0]).shape != self.builder.get(inputs[1]).shape {
                    return unsupported("the shapes differ");
                }
                pending(node, Work::Add { inputs })
            }
            "Concat" => {
                if !matches!(int(node, "axis"), Some(1 | -3)) {
                    return unsupported("not along the channels");
                }
                let inputs = (0..node.input.len())
                    .map(|i| self.real(node, i))
                    .collect::<Result<Vec<_>>>()?;
                let all: Vec<Tensor> = inputs.iter().map(|id| self.builder.get(*id)).collect();
                let Some(first) = all.first() else { return broken("it has no inputs") };
                if all.iter().any(|t| (t.shape.h, t.shape.w) != (first.shape.h, first.shape.w)) {
                    return broken("the maps differ in size");
                }
                if all.iter().all(|t| (t.scale, t.zero_point) == (first.scale, first.zero_point)) {
                    let c = all.iter().map(|t| t.shape.c).sum();
                    let to = Tensor { shape: Shape { c, ..first.shape }, ..*first };
                    Value::Real(self.builder.node(&node.name, Op::Concat, inputs, to))
                } else {
                    pending(node, Work::Concat { inputs })
                }
            }
            "Transpose" if self.nhwc => match (self.value(node, 0)?, ints(node, "perm")) {
                (Value::Input, Some([0, 3, 1, 2])) => {
                    self.nhwc = false;
                    Value::Input
                }
                _ => return unsupported("only the input is transposed"),
            },
            "Identity" | "Dropout" => self.value(node, 0)?,
            _ => return unsupported("there is no kernel for it"),
        };
        self.values.insert(output, value);
        Ok(())
    }

    fn value(&self, node: &NodeProto, i: usize) -> Result<Value<'a>> {
        let Some(name) = node.input.get(i).map(String::as_str) else {
            return broken(format!("input {i} is missing"));
        };
        match self.values.get(name) {
            Some(value) => Ok(value.clone()),
            None if self.stored.contains_key(name) => {
                unsupported(format!("{name:?} is a constant"))
            }
            None => broken(format!("it reads {name:?}, which nothing has written")),
        }
    }

    fn real(&self, node: &NodeProto, i: usize) -> Result<usize> {
        match self.value(node, i)? {
            Value::Real(id) => Ok(id),
            _ => unsupported(format!("{:?} is not quantised", node.input[i])),
        }
    }

    /// Scales and zero points (as for `u8`) of a Q or DQ node, and whether its codes are signed.
    fn params(&self, node: &NodeProto) -> Result<(Vec<f32>, Vec<i32>, Option<bool>)> {
        let stored = |i: usize| {
            node.input.get(i).filter(|n| !n.is_empty()).map(|n| self.stored.get(n.as_str()))
        };
        let Some(Some(scale)) = stored(1) else {
            return unsupported("its scale is not a constant");
        };
        let scales = onnx::floats(scale)?;
        if scales.is_empty() || !scales.iter().all(|s| s.is_finite() && *s > 0.0) {
            return broken("a scale is not a number above 0");
        }
        let (zeros, signed) = match stored(2) {
            None => (vec![0; scales.len()], None),
            Some(None) => return unsupported("its zero point is not a constant"),
            Some(Some(zero)) => {
                let signed = match DataType::try_from(zero.data_type) {
                    Ok(DataType::Uint8) => false,
                    Ok(DataType::Int8 | DataType::Int32) => true,
                    _ => return unsupported("its codes are not of 8 bits"),
                };
                let (lo, hi) = if signed { (-128.0, 127.0) } else { (0.0, 255.0) };
                let zeros = onnx::floats(zero)?;
                if zeros.iter().any(|z| !(lo..=hi).contains(z)) {
                    return broken("a zero point is outside the range of its type");
                }
                (zeros.into_iter().map(|z| z as i32).collect(), Some(signed))
            }
        };
        if zeros.len() != scales.len() {
            return broken(format!("{} scales, {} zero points", scales.len(), zeros.len()));
        }
        Ok((scales, zeros, signed))
    }

    /// Scale and zero point of activations.
    fn activation(&self, node: &NodeProto) -> Result<Quant> {
        let (scales, zeros, signed) = self.params(node)?;
        match (&scales[..], &zeros[..]) {
            // Signed codes are kept as unsigned ones, 128 higher; no one sees the difference.
            ([scale], [zero]) => {
                let zero_point = (zero + if signed == Some(true) { 128 } else { 0 }) as u8;
                Ok(Quant { scale: *scale, zero_point })
            }
            _ => unsupported("activations have a scale for each channel"),
        }
    }

    fn dequantise(&mut self, node: &'a NodeProto) -> Result<Value<'a>> {
        let Some(name) = node.input.first() else { return broken("input 0 is missing") };
        if let Some(tensor) = self.stored.get(name.as_str()) {
            let (scales, zeros, _) = self.params(node)?;
            let data_type = DataType::try_from(tensor.data_type);
            if data_type == Ok(DataType::Int32) && tensor.dims.len() <= 1 {
                let codes = integers(tensor)?;
                if scales.len() != 1 && scales.len() != codes.len() {
                    return broken(format!("{} scales for {} numbers", scales.len(), codes.len()));
                }
                let values = codes
                    .iter()
                    .enumerate()
                    .map(|(i, q)| (q * f64::from(scales[i % scales.len()])) as f32);
                return Ok(Value::Vector(values.collect()));
            }
            if data_type != Ok(DataType::Int8) || zeros.iter().any(|z| *z != 0) {
                return unsupported("weights are not symmetric int8");
            }
            let channels = tensor.dims.first().copied().unwrap_or(0);
            if scales.len() != 1
                && (scales.len() as i64 != channels || int(node, "axis").unwrap_or(1) != 0)
            {
                return unsupported("scales are not per output channel");
            }
            return Ok(Value::Weights { tensor, scales });
        }
        let Value::Codes(id) = self.value(node, 0)? else {
            return unsupported("its input is not quantised");
        };
        let to = self.activation(node)?;
        let from = self.builder.get(id);
        if (from.scale, from.zero_point) != (to.scale, to.zero_point) {
            return unsupported("its scale is not that of its input");
        }
        Ok(Value::Real(id))
    }

    fn clip(&mut self, node: &'a NodeProto, min: f32, max: f32) -> Result<Value<'a>> {
        match self.value(node, 0)? {
            Value::Pending { node: origin, work, lo, hi } => {
                self.only_reader(node)?;
                Ok(Value::Pending {
                    node: origin,
                    work,
                    lo: lo.max(min).min(max),
                    hi: hi.min(max).max(min),
                })
            }
            _ => unsupported("its input is not the result of a convolution or sum"),
        }
    }

    /// A pending value is folded into what reads it, so there can be one reader only.
    fn only_reader(&self, node: &NodeProto) -> Result<()> {
        let name = node.input[0].as_str();
        if self.readers.get(name) == Some(&1) {
            Ok(())
        } else {
            unsupported(format!("{name:?} is also read unquantised"))
        }
    }

    fn conv(&mut self, node: &'a NodeProto) -> Result<Value<'a>> {
        let input = self.real(node, 0)?;
        let Value::Weights { tensor, scales } = self.value(node, 1)? else {
            return unsupported("its weights are not quantised");
        };
        let dims: Vec<usize> =
            tensor.dims.iter().map(|d| usize::try_from(*d).unwrap_or(0)).collect();
        let [out_c, group_c, kh, kw] = dims[..] else {
            return unsupported("its weights are not of rank 4");
        };
        let bias = match node.input.get(2).map(String::as_str) {
            None | Some("") => vec![0.0; out_c],
            Some(name) => match (self.values.get(name), self.stored.get(name)) {
                (Some(Value::Vector(bias)), _) => bias.clone(),
                (None, Some(tensor)) => onnx::floats(tensor)?,
                _ => return unsupported("its bias is not a constant"),
            },
        };
        if bias.len() != out_c || !bias.iter().all(|b| b.is_finite()) {
            return broken(format!(
                "{} biases for {out_c} channels, or some are not finite",
                bias.len()
            ));
        }
        let c = self.builder.get(input).shape.c;
        let groups = int(node, "group").unwrap_or(1);
        let depthwise = groups as usize == c && group_c == 1 && out_c == c && c > 1;
        if !depthwise && (groups != 1 || group_c != c) {
            if groups > 1 {
                return unsupported(format!("{groups} groups"));
            }
            return broken(format!("weights for {group_c} channels on a map of {c}"));
        }
        if ints(node, "dilations").is_some_and(|d| d.iter().any(|d| *d != 1)) {
            return unsupported("dilated");
        }
        let window = window(node, self.builder.get(input).shape, Some((kh, kw)))?;
        Ok(pending(node, Work::Conv { input, weights: tensor, scales, bias, window, depthwise }))
    }

    fn quantise(&mut self, node: &'a NodeProto) -> Result<Value<'a>> {
        let to = self.activation(node)?;
        match self.value(node, 0)? {
            Value::Input => {
                if self.nhwc {
                    return unsupported("the input is quantised before it is transposed");
                }
                let tensor =
                    Tensor { shape: self.shape, scale: to.scale, zero_point: to.zero_point };
                Ok(Value::Codes(self.builder.tensor(tensor)))
            }
            Value::Real(id) => {
                let from = self.builder.get(id);
                if (from.scale, from.zero_point) == (to.scale, to.zero_point) {
                    return Ok(Value::Codes(id));
                }
                let clamp = Clamp { zero_point: to.zero_point, lo: 0, hi: 255 };
                let op = Op::Requantise { scale: ratio(from.scale, to.scale)?, clamp };
                let tensor =
                    Tensor { shape: from.shape, scale: to.scale, zero_point: to.zero_point };
                Ok(Value::Codes(self.builder.node(&node.name, op, vec![id], tensor)))
            }
            Value::Pending { node: origin, work, lo, hi } => {
                self.only_reader(node)?;
                Ok(Value::Codes(self.emit(origin, work, lo, hi, to)?))
            }
            _ => unsupported("it quantises a constant"),
        }
    }

    fn emit(
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
                Ok(self.builder.node(&node.name, op, vec![input], tensor(shape)))
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
                Ok(self.builder.node(
                    &node.name,
                    op,
                    vec![input],
                    tensor(Shape { h, w, ..from.shape }),
                ))
            }
            Work::Add { inputs } => {
                let [a, b] = inputs.map(|id| self.builder.get(id));
                let op = Op::Add(AddParams {
                    zero_points: [a.zero_point, b.zero_point],
                    scales: [ratio(a.scale, to.scale)?, ratio(b.scale, to.scale)?],
                    clamp,
                });
                Ok(self.builder.node(&node.name, op, inputs.to_vec(), tensor(a.shape)))
            }
            Work::Concat { inputs } => {
                if lo > f32::NEG_INFINITY || hi < f32::INFINITY {
                    return unsupported("a concatenation is clipped");
                }
                let all: Vec<Shape> = inputs.iter().map(|id| self.builder.get(*id).shape).collect();
                let shape = Shape { c: all.iter().map(|s| s.c).sum(), ..all[0] };
                Ok(self.builder.node(&node.name, Op::Concat, inputs, tensor(shape)))
            }
        }
    }
}

fn pending<'a>(node: &'a NodeProto, work: Work<'a>) -> Value<'a> {
    Value::Pending { node, work, lo: f32::NEG_INFINITY, hi: f32::INFINITY }
}

fn ratio(from: f32, to: f32) -> Result<f32> {
    match from / to {
        ratio if ratio.is_finite() && ratio > 0.0 => Ok(ratio),
        ratio => broken(format!("scales {from} and {to} have the ratio {ratio}")),
    }
}

/// The codes of an `int32` tensor, which `f32` could not hold. Its length was checked when the file was decoded.
fn integers(tensor: &TensorProto) -> Result<Vec<f64>> {
    Ok(if tensor.raw_data.is_empty() {
        tensor.int32_data.iter().map(|q| f64::from(*q)).collect()
    } else {
        tensor
            .raw_data
            .as_chunks::<4>()
            .0
            .iter()
            .map(|b| f64::from(i32::from_le_bytes(*b)))
            .collect()
    })
}

/// The bytes of an `int8` tensor.
fn bytes(tensor: &TensorProto) -> std::borrow::Cow<'_, [u8]> {
    if tensor.raw_data.is_empty() {
        tensor.int32_data.iter().map(|q| *q as u8).collect::<Vec<_>>().into()
    } else {
        (&tensor.raw_data[..]).into()
    }
}

fn int(node: &NodeProto, name: &str) -> Option<i64> {
    node.attribute.iter().find(|a| a.name == name).map(|a| a.i)
}

fn ints<'a>(node: &'a NodeProto, name: &str) -> Option<&'a [i64]> {
    node.attribute.iter().find(|a| a.name == name).map(|a| &a.ints[..])
}

/// Kernel, strides and padding of a node on a map.
pub(super) fn window(
    node: &NodeProto,
    shape: Shape,
    weights: Option<(usize, usize)>,
) -> Result<Window> {
    let pair = |name: &str, default: Option<(usize, usize)>| match (ints(node, name), default) {
        (Some([a, b]), _) => match (usize::try_from(*a), usize::try_from(*b)) {
            (Ok(a), Ok(b)) if a <= 64 && b <= 64 => Ok((a, b)),
            _ => broken(format!("{name} {a}, {b} is outside 0..=64")),
        },
        (None | Some([]), Some(default)) => Ok(default),
        _ => unsupported(format!("{name} is missing or not of two axes")),
    };
    let kernel = pair("kernel_shape", weights)?;
    if weights.is_some_and(|w| w != kernel) {
        return broken(format!("kernel {kernel:?} with weights for {weights:?}"));
    }
    if int(node, "ceil_mode").unwrap_or(0) != 0 {
        return unsupported("ceil_mode");
    }
    let stride = pair("strides", Some((1, 1)))?;
    if stride.0 == 0 || stride.1 == 0 {
        return broken("a stride of 0");
    }
    let auto =
        node.attribute.iter().find(|a| a.name == "auto_pad").map_or(&b"NOTSET"[..], |a| &a.s[..]);
    let (pad_before, pad_after) = match auto {
        b"NOTSET" | b"" => match ints(node, "pads") {
            None | Some([]) => ((0, 0), (0, 0)),
            Some(pads @ &[top, left, bottom, right])
                if pads.iter().all(|p| (0..64).contains(p)) =>
            {
                ((top as usize, left as usize), (bottom as usize, right as usize))
            }
            Some(pads) => return broken(format!("pads {pads:?}")),
        },
        b"VALID" => ((0, 0), (0, 0)),
        b"SAME_UPPER" | b"SAME_LOWER" => {
            let side = |n: usize, k: usize, s: usize| {
                let all = ((n.div_ceil(s) - 1) * s + k).saturating_sub(n);
                if auto == b"SAME_UPPER" {
                    (all / 2, all.div_ceil(2))
                } else {
                    (all.div_ceil(2), all / 2)
                }
            };
            let (y, x) = (side(shape.h, kernel.0, stride.0), side(shape.w, kernel.1, stride.1));
            ((y.0, x.0), (y.1, x.1))
        }
        _ => return broken("auto_pad has an unknown value"),
    };
    Ok(Window { kernel, stride, pad_before, pad_after })
}
