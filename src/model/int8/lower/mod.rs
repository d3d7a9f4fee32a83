//! QDQ ONNX to a [`Program`].

mod codes;
mod emit;
mod functions;

use std::collections::HashMap;
use std::fmt;

use super::curve::{BINARY, Tables, UNARY};
use super::program::{Builder, Op, Program, Tensor};
use crate::error::Error;
use crate::kernels::{BadLayer, Isa, Shape, Window};
use crate::model::onnx::{self, int};
use crate::model::proto::{GraphProto, NodeProto, TensorProto};
use crate::model::window;

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
    /// What a chain of functions makes of each code of a tensor.
    Curve { input: usize, tables: Tables },
    /// A tensor of one pixel whose axes are not `[1, channels, 1, 1]`; which they are.
    Flat { input: usize, dims: Vec<i64> },
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
    Multiply {
        inputs: [usize; 2],
    },
    Concat {
        inputs: Vec<usize>,
    },
}

/// Rewrites a whole graph, whose input is `[1, 3, side, side]`; `layers` become the outputs.
///
/// # Errors
/// See [`NotLowered`]; names the node.
pub(crate) fn lower(
    graph: &GraphProto,
    side: usize,
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
        isa,
    };
    let mut inputs = graph.input.iter().filter(|i| !lowering.stored.contains_key(i.name.as_str()));
    let (Some(input), None) = (inputs.next(), inputs.next()) else {
        return unsupported("the network has not exactly one input");
    };
    lowering.values.insert(&input.name, Value::Input);
    for node in &graph.node {
        lowering.node(node).map_err(|e| match e {
            NotLowered::Unsupported(why) => {
                NotLowered::Unsupported(format!("{}: {why}", onnx::place(node)))
            }
            NotLowered::Bad(e) => NotLowered::Bad(e.at(onnx::place(node))),
        })?;
    }
    let mut outputs = Vec::with_capacity(layers.len());
    for layer in layers {
        match lowering.values.get(layer.as_str()) {
            Some(Value::Real(id) | Value::Codes(id)) => outputs.push(*id),
            Some(Value::Flat { input, .. }) => outputs.push(*input),
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
            "Clip" => {
                let (lo, hi) = self.bounds(node)?;
                self.clip(node, lo, hi)?
            }
            "Relu" => self.clip(node, 0.0, f32::INFINITY)?,
            "MaxPool" | "GlobalMaxPool" => {
                let input = self.real(node, 0)?;
                let from = self.builder.get(input);
                let window = self.window_of(node, from.shape)?;
                let (h, w) = window.output(from.shape.h, from.shape.w)?;
                let to = Tensor { shape: Shape { h, w, ..from.shape }, ..from };
                Value::Real(self.builder.node(&node.name, Op::MaxPool(window), vec![input], to)?)
            }
            "AveragePool" | "GlobalAveragePool" | "ReduceMean" => {
                let input = self.real(node, 0)?;
                let window = self.window_of(node, self.builder.get(input).shape)?;
                let include_pad = int(node, "count_include_pad").unwrap_or(0) != 0;
                pending(node, Work::AveragePool { input, window, include_pad })
            }
            "Pad" => self.pad(node)?,
            "Flatten" | "Squeeze" | "Unsqueeze" | "Reshape" | "Transpose" => self.rename(node)?,
            "BatchNormalization" => self.batch_norm(node)?,
            op if BINARY.contains(&op) => self.binary(node)?,
            op if UNARY.contains(&op) => self.unary(node)?,
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
                    let c = all.iter().fold(0usize, |c, t| c.saturating_add(t.shape.c));
                    let to = Tensor { shape: Shape { c, ..first.shape }, ..*first };
                    Value::Real(self.builder.node(&node.name, Op::Concat, inputs, to)?)
                } else {
                    pending(node, Work::Concat { inputs })
                }
            }
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
            _ => self.function(node, |x| x.max(f64::from(min)).min(f64::from(max))),
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
        let window = window(node, self.builder.get(input).shape, Some((kh, kw)))?;
        Ok(pending(node, Work::Conv { input, weights: tensor, scales, bias, window, depthwise }))
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

/// Kernel, strides and padding of a node on a map; `weights` is the kernel of a convolution.
fn window(node: &NodeProto, shape: Shape, weights: Option<(usize, usize)>) -> Result<Window> {
    let sliding = window::read(node, (shape.h, shape.w), weights)?;
    if sliding.ragged && int(node, "count_include_pad").unwrap_or(0) != 0 {
        return unsupported("ceil_mode, where padding counts");
    }
    sliding.window().map_err(NotLowered::Unsupported)
}
