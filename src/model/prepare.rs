//! Any ONNX image network -> one that this crate serves: cut at the layers that matter, BatchNorm
//! folded, weights as int8 per output channel, describing itself. Native only.

use std::collections::{BTreeMap, HashMap, HashSet};

use rayon::prelude::*;

use super::int8::patches::{AllMoments, Sample, Sources};
use super::int8::quantise::{self, Observed, RangeRule, Rounder, Rounding};
use super::onnx::{self, bad};
use super::proto::{GraphProto, ModelProto, TensorProto};
use super::spec::{Layer, Layout, ModelSpec};
use super::tract::{self, Plan};
use super::write;
use crate::error::{Error, ErrorKind, Result};
use crate::image::Picture;
use crate::preprocess::{InputSpec, resize};

/// The oldest operator set with `DequantizeLinear` per channel.
const MIN_OPSET: i64 = 13;
/// Name of the prepared network's output, `[1][sum of dims]`.
const OUTPUT: &str = "embedding";

/// How to prepare a network.
#[derive(Clone, Debug, PartialEq)]
pub struct PrepareOptions {
    /// For people: which network this is.
    pub name: String,
    /// Tensors (or nodes) whose pooled features are joined, in this order.
    pub layers: Vec<String>,
    /// Side of the square input; `None` takes the one that the file fixes.
    pub input_size: Option<u32>,
    /// Per channel, subtracted from RGB in 0..=1.
    pub mean: [f32; 3],
    /// Per channel, divided by after that.
    pub std: [f32; 3],
    /// What is made of the weights.
    pub weights: Weights,
}

/// How weights are stored: with one scale for each output channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Weights {
    /// As codes of -63 to 63 with a calibration, else of -127 to 127.
    #[default]
    Usual,
    /// As codes of -127 to 127. With a calibration, machines whose 8-bit products saturate take longer over them.
    Bits8,
    /// As they are; not with a calibration.
    Real,
}

/// Pictures to learn the ranges of activations from, so that the whole network can run in integers.
pub struct Calibration<'a> {
    /// Of the kind that the network will see; some dozens do.
    pub pictures: &'a [Picture],
    /// How a tensor's range is taken from the values that they give.
    pub range: RangeRule,
    /// How weights become codes.
    pub rounding: Rounding,
    /// Called when the network has seen one more.
    pub seen: &'a (dyn Fn() + Sync),
}

/// Prepares a network; gives the bytes of the new ONNX file and what it says of itself.
///
/// # Errors
/// `BadModel` if the file is damaged, is not an image network, or has no such layer; the message
/// then lists layers that it has.
///
/// Without a calibration only the weights become int8, and the network runs in real numbers.
pub fn prepare(
    bytes: Vec<u8>,
    options: &PrepareOptions,
    calibration: Option<&Calibration<'_>>,
) -> Result<(Vec<u8>, ModelSpec)> {
    let mut model = onnx::decode(bytes)?;
    let opset = model
        .opset_import
        .iter_mut()
        .find(|o| o.domain.is_empty() || o.domain == "ai.onnx")
        .ok_or_else(|| bad("the file does not say which ONNX operator set it uses"))?;
    if opset.version < MIN_OPSET {
        return Err(bad(format!(
            "the network uses ONNX operator set {}; export it again with {MIN_OPSET} or later",
            opset.version
        )));
    }
    model.ir_version = model.ir_version.max(8);
    if options.layers.is_empty() {
        return Err(bad("no layer was named: choose one or more with --layer"));
    }
    let layers: Vec<String> = options
        .layers
        .iter()
        .map(|name| resolve(onnx::graph(&model)?, name))
        .collect::<Result<_>>()?;
    onnx::cut(onnx::graph_mut(&mut model)?, &layers)?;

    let (input_name, layout, size) = understand_input(onnx::graph(&model)?, options.input_size)?;
    let input = InputSpec { size, mean: options.mean, std: options.std };
    input.validate()?;
    let side = i64::from(size);
    let shape = match layout {
        Layout::Nchw => [1, 3, side, side],
        Layout::Nhwc => [1, side, side, 3],
    };
    let graph = onnx::graph_mut(&mut model)?;
    graph.input = vec![onnx::value_info(&input_name, &shape.map(Some))];

    fold_batch_norm(graph)?;
    let ranks_and_dims = tract::layer_dims(&model, &input, layout)?;
    match calibration {
        None if options.weights == Weights::Real => {}
        None => quantise_weights(onnx::graph_mut(&mut model)?)?,
        Some(calibration) => {
            let weight_max = match options.weights {
                Weights::Usual => 63.0,
                Weights::Bits8 => 127.0,
                Weights::Real => {
                    let context = "a network that runs in integers cannot keep real weights";
                    return Err(Error::new(ErrorKind::BadQuery, context));
                }
            };
            let sources = match calibration.rounding {
                Rounding::Nearest => None,
                Rounding::Compensated => Some(Sources::of(onnx::graph(&model)?, &input_name)),
            };
            let (observed, moments) =
                observe(&model, &layers, &input, layout, calibration, sources.as_ref())?;
            let ranges = observed
                .iter()
                .map(|(name, seen)| (name.clone(), seen.range(calibration.range)))
                .collect();
            let graph = onnx::graph_mut(&mut model)?;
            let moments = sources.as_ref().map(|sources| (sources, &moments[..]));
            let rounder = Rounder { max: weight_max, moments };
            quantise::apply(graph, &layers, input_range(&input), &ranges, &rounder)?;
        }
    }
    let graph = onnx::graph_mut(&mut model)?;
    let layers: Vec<Layer> = layers
        .into_iter()
        .zip(&ranks_and_dims)
        .map(|(name, &(_, dim))| Layer { name, dim })
        .collect();
    add_pooling(graph, &layers, &ranks_and_dims);

    let spec = ModelSpec { name: options.name.clone(), input, layout, layers };
    spec.write(&mut model);
    model.producer_name = "lookalike".into();
    model.producer_version = env!("CARGO_PKG_VERSION").into();
    Ok((write::encode(&model), spec))
}

/// What pixels become: the range that the input's codes have to cover.
fn input_range(input: &InputSpec) -> (f32, f32) {
    let (mut min, mut max) = (f32::INFINITY, f32::NEG_INFINITY);
    for (mean, std) in input.mean.iter().zip(&input.std) {
        min = min.min(-mean / std);
        max = max.max((1.0 - mean) / std);
    }
    (min, max)
}

/// Pictures that run at the same time; what was seen of them is added up in their order, so that the sums are always the
/// same.
const BATCH: usize = 8;

/// Runs the network in real numbers on the pictures; watches the tensors that will get codes, and samples the sources.
fn observe(
    model: &ModelProto,
    layers: &[String],
    input: &InputSpec,
    layout: Layout,
    calibration: &Calibration<'_>,
    sources: Option<&Sources>,
) -> Result<(BTreeMap<String, Observed>, AllMoments)> {
    if calibration.pictures.is_empty() {
        return Err(Error::new(ErrorKind::BadQuery, "there are no pictures to calibrate with"));
    }
    let mut watched = model.clone();
    let graph = onnx::graph_mut(&mut watched)?;
    let names = quantise::points(graph, layers);
    let known: HashSet<&str> = names.iter().map(String::as_str).collect();
    let tensors = sources.map(Sources::tensors).unwrap_or_default();
    let more = tensors.into_iter().filter(|name| !known.contains(name));
    let all: Vec<&str> = names.iter().map(String::as_str).chain(more).collect();
    graph.output = all.iter().map(|name| onnx::value_info(name, &[None; 4])).collect();
    let plan = Plan::new(&watched, input, layout)?;
    let one = |(i, picture): (usize, &Picture)| -> Result<(Vec<Observed>, Sample)> {
        let outputs = plan.run(&resize(picture, input.size)?, input, layout)?;
        let mut seen = Vec::new();
        for (name, output) in names.iter().zip(&outputs) {
            if !output.values.iter().all(|v| v.is_finite()) {
                return Err(bad(format!("tensor {name:?} has numbers that are not finite")));
            }
            let mut observed = Observed::default();
            observed.add(output.values.iter().copied());
            seen.push(observed);
        }
        let map = |name: &str| {
            let output = &outputs[all.iter().position(|other| *other == name)?];
            Some((&output.shape[..], &output.values[..]))
        };
        let samples = sources.map(|sources| sources.sample(i, map)).unwrap_or_default();
        (calibration.seen)();
        Ok((seen, samples))
    };
    let mut observed: BTreeMap<String, Observed> = BTreeMap::new();
    let mut moments = sources.map(Sources::moments).unwrap_or_default();
    let pictures: Vec<(usize, &Picture)> = calibration.pictures.iter().enumerate().collect();
    for batch in pictures.chunks(BATCH) {
        let seen: Vec<_> = batch.par_iter().copied().map(one).collect::<Result<_>>()?;
        let (seen, samples): (Vec<_>, Vec<_>) = seen.into_iter().unzip();
        if let Some(sources) = sources {
            sources.add(&mut moments, &samples);
        }
        for ranges in seen {
            for (name, range) in names.iter().zip(ranges) {
                observed.entry(name.clone()).or_default().merge(range);
            }
        }
    }
    Ok((observed, moments))
}

/// The tensor that `name` means: a tensor's own name, or a node's for its first output.
fn resolve(graph: &GraphProto, name: &str) -> Result<String> {
    if graph.node.iter().any(|n| n.output.iter().any(|o| o == name)) {
        return Ok(name.to_owned());
    }
    if let Some(output) = graph.node.iter().find(|n| n.name == name).and_then(|n| n.output.first())
    {
        return Ok(output.clone());
    }
    Err(bad(format!(
        "the network has no layer {name:?}; some that it has: {}",
        layer_names(graph).join(", ")
    )))
}

/// Names worth cutting at: where branches join, else the last operators.
fn layer_names(graph: &GraphProto) -> Vec<String> {
    let of = |kinds: &[&str]| -> Vec<String> {
        graph
            .node
            .iter()
            .filter(|n| kinds.contains(&n.op_type.as_str()))
            .filter_map(|n| n.output.first().cloned())
            .collect()
    };
    let joins = of(&["Concat", "Add"]);
    if joins.is_empty() { of(&["Relu", "Clip", "Conv"]) } else { joins }
}

/// Name, axis order and side of the input.
fn understand_input(graph: &GraphProto, size: Option<u32>) -> Result<(String, Layout, u32)> {
    let input = write::input(graph)?;
    let dims = write::dims(input).unwrap_or_default();
    let not_a_picture = || {
        bad(format!(
            "input {:?} has shape {dims:?}; a network that takes one RGB picture, [1, 3, size, \
             size] or [1, size, size, 3], is needed",
            input.name
        ))
    };
    let [batch, a, b, c] = dims[..] else { return Err(not_a_picture()) };
    if batch.is_some_and(|n| n != 1) {
        return Err(not_a_picture());
    }
    let (layout, height, width) = match (a, c) {
        (Some(3), _) => (Layout::Nchw, b, c),
        (_, Some(3)) => (Layout::Nhwc, a, b),
        _ => return Err(not_a_picture()),
    };
    let fixed = |side: Option<i64>| side.and_then(|s| u32::try_from(s).ok());
    let side = match (fixed(height), fixed(width), size) {
        (Some(h), Some(w), _) if h != w => return Err(not_a_picture()),
        (Some(h), _, Some(wanted)) if h != wanted => {
            return Err(bad(format!(
                "the network takes pictures of {h}x{h}, not {wanted}: leave --input-size out"
            )));
        }
        (Some(side), _, _) | (_, Some(side), _) | (None, None, Some(side)) => side,
        (None, None, None) => {
            return Err(bad("the file does not fix the input's size: give --input-size"));
        }
    };
    Ok((input.name.clone(), layout, side))
}

/// `BatchNormalization` behind a `Conv` that nobody else reads becomes part of the convolution.
fn fold_batch_norm(graph: &mut GraphProto) -> Result<()> {
    let mut readers: HashMap<String, usize> = HashMap::new();
    for name in graph.node.iter().flat_map(|n| &n.input).chain(graph.output.iter().map(|o| &o.name))
    {
        *readers.entry(name.clone()).or_default() += 1;
    }
    let mut norm = 0;
    while norm < graph.node.len() {
        let folded = graph.node[norm].op_type == "BatchNormalization" && {
            let source = graph.node[norm].input.first().cloned().unwrap_or_default();
            let conv = graph
                .node
                .iter()
                .position(|n| n.op_type == "Conv" && n.output.first() == Some(&source));
            match conv {
                Some(conv) if readers.get(&source) == Some(&1) => fold_one(graph, conv, norm)?,
                _ => false,
            }
        };
        if folded {
            graph.node.remove(norm);
        } else {
            norm += 1;
        }
    }
    Ok(())
}

/// Whether the pair could be folded: it cannot where weights are computed or shared.
fn fold_one(graph: &mut GraphProto, conv: usize, norm: usize) -> Result<bool> {
    let stored = |name: Option<&String>| graph.initializer.iter().find(|t| Some(&t.name) == name);
    let (conv_node, norm_node) = (&graph.node[conv], &graph.node[norm]);
    let weights_name = conv_node.input.get(1);
    let shared =
        graph.node.iter().flat_map(|n| &n.input).filter(|name| Some(*name) == weights_name).count();
    let parameters = [1, 2, 3, 4].map(|i| stored(norm_node.input.get(i)));
    let ([Some(gamma), Some(beta), Some(mean), Some(var)], Some(weights), 1) =
        (parameters, stored(weights_name), shared)
    else {
        return Ok(false);
    };
    let epsilon = norm_node.attribute.iter().find(|a| a.name == "epsilon").map_or(1e-5, |a| a.f);
    let (gamma, beta, mean, var) =
        (onnx::floats(gamma)?, onnx::floats(beta)?, onnx::floats(mean)?, onnx::floats(var)?);
    let channels = weights.dims.first().map_or(0, |&d| d as usize);
    let old_bias = match conv_node.input.get(2).filter(|name| !name.is_empty()) {
        None => vec![0.0; channels],
        name => match stored(name) {
            Some(bias) => onnx::floats(bias)?,
            None => return Ok(false),
        },
    };
    if channels == 0 || [&gamma, &beta, &mean, &var, &old_bias].iter().any(|v| v.len() != channels)
    {
        return Err(bad(format!("node {:?}: BatchNormalization does not fit", norm_node.name)));
    }
    let factor: Vec<f32> = gamma.iter().zip(&var).map(|(g, v)| g / (v + epsilon).sqrt()).collect();
    let mut values = onnx::floats(weights)?;
    let per_channel = values.len() / channels;
    for (chunk, f) in values.chunks_mut(per_channel.max(1)).zip(&factor) {
        chunk.iter_mut().for_each(|w| *w *= f);
    }
    let bias: Vec<f32> =
        (0..channels).map(|c| (old_bias[c] - mean[c]) * factor[c] + beta[c]).collect();
    let weights = onnx::float_tensor(&weights.name, &weights.dims, &values);
    let bias =
        onnx::float_tensor(&format!("{}.folded_bias", weights.name), &[channels as i64], &bias);
    let output = norm_node.output[0].clone();
    let conv_node = &mut graph.node[conv];
    conv_node.input.truncate(2);
    conv_node.input.push(bias.name.clone());
    conv_node.output[0] = output;
    replace_initializer(graph, weights);
    replace_initializer(graph, bias);
    Ok(true)
}

fn replace_initializer(graph: &mut GraphProto, tensor: TensorProto) {
    graph.initializer.retain(|t| t.name != tensor.name);
    graph.initializer.push(tensor);
}

/// Stores the weights of convolutions and dense layers as int8, symmetric per output channel,
/// behind a `DequantizeLinear`.
fn quantise_weights(graph: &mut GraphProto) -> Result<()> {
    let mut wanted: Vec<String> = graph
        .node
        .iter()
        .filter(|n| {
            let transposed = n.attribute.iter().any(|a| a.name == "transB" && a.i == 1);
            n.op_type == "Conv" || (n.op_type == "Gemm" && transposed)
        })
        .filter_map(|n| n.input.get(1).cloned())
        .collect();
    wanted.sort();
    wanted.dedup();
    let mut dequantise = Vec::with_capacity(wanted.len());
    for name in wanted {
        let Some(tensor) = graph.initializer.iter().find(|t| t.name == name) else { continue };
        let values = onnx::floats(tensor)?;
        if !values.iter().all(|v| v.is_finite()) {
            return Err(bad(format!("tensor {name:?} holds numbers that are not finite")));
        }
        let channels = tensor.dims.first().map_or(0, |&d| d as usize);
        if channels == 0 || values.is_empty() {
            return Err(bad(format!("tensor {name:?} is empty")));
        }
        let per_channel = values.len() / channels;
        let mut quantised = Vec::with_capacity(values.len());
        let mut scales = Vec::with_capacity(channels);
        for chunk in values.chunks(per_channel) {
            let peak = chunk.iter().fold(0f32, |m, w| m.max(w.abs()));
            // A channel of zeros, or of numbers too small for a scale: any scale will do.
            let scale = if peak > f32::MIN_POSITIVE * 127.0 { peak / 127.0 } else { 1.0 };
            quantised.extend(chunk.iter().map(|w| (w / scale).round().clamp(-127.0, 127.0) as i8));
            scales.push(scale);
        }
        let dims = tensor.dims.clone();
        let [q, s, z] = ["q", "scale", "zero"].map(|part| format!("{name}.{part}"));
        graph.initializer.retain(|t| t.name != name);
        graph.initializer.push(write::int8_tensor(&q, &dims, &quantised));
        graph.initializer.push(onnx::float_tensor(&s, &[channels as i64], &scales));
        graph.initializer.push(write::int8_tensor(&z, &[channels as i64], &vec![0; channels]));
        dequantise.push(write::node("DequantizeLinear", &[&q, &s, &z], &name, &[("axis", 0)]));
    }
    // ONNX wants nodes in the order of their dependencies.
    dequantise.append(&mut graph.node);
    graph.node = dequantise;
    Ok(())
}

/// Global average pooling of each layer, joined into the output, so that any runtime can serve the
/// file.
fn add_pooling(graph: &mut GraphProto, layers: &[Layer], ranks_and_dims: &[(usize, usize)]) {
    let mut vectors = Vec::with_capacity(layers.len());
    for (i, (layer, &(rank, _))) in layers.iter().zip(ranks_and_dims).enumerate() {
        if rank == 2 {
            vectors.push(layer.name.clone());
            continue;
        }
        let (pooled, flat) = (format!("lookalike.pooled.{i}"), format!("lookalike.flat.{i}"));
        graph.node.push(write::node("GlobalAveragePool", &[&layer.name], &pooled, &[]));
        graph.node.push(write::node("Flatten", &[&pooled], &flat, &[("axis", 1)]));
        vectors.push(flat);
    }
    let inputs: Vec<&str> = vectors.iter().map(String::as_str).collect();
    graph.node.push(write::node("Concat", &inputs, OUTPUT, &[("axis", 1)]));
    let dim: usize = layers.iter().map(|l| l.dim).sum();
    graph.output = vec![onnx::value_info(OUTPUT, &[Some(1), Some(dim as i64)])];
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::proto::{DimValue, Dimension};

    /// The tiny network with other dimensions of its input; `None` is not fixed.
    fn understood(dims: &[Option<i64>], size: Option<u32>) -> Result<(String, Layout, u32)> {
        let file: &[u8] = include_bytes!("../../tests/models/tiny.onnx");
        let mut model = onnx::decode(file.to_vec())?;
        let graph = onnx::graph_mut(&mut model)?;
        let name = write::input(graph)?.name.clone();
        let value = |dim: &Option<i64>| Dimension {
            value: Some(dim.map_or_else(|| DimValue::Param("any".into()), DimValue::Value)),
        };
        let input = graph.input.iter_mut().find(|i| i.name == name);
        let shape = input
            .and_then(|i| i.r#type.as_mut()?.tensor_type.as_mut()?.shape.as_mut())
            .expect("the tiny network's input has a shape");
        shape.dim = dims.iter().map(value).collect();
        understand_input(graph, size)
    }

    #[test]
    fn sizes_that_are_not_fixed_have_to_be_given() {
        let free = [None, Some(3), None, None];
        let (_, layout, side) = understood(&free, Some(64)).unwrap();
        assert_eq!((layout, side), (Layout::Nchw, 64));
        let (_, layout, side) = understood(&[Some(1), None, None, Some(3)], Some(64)).unwrap();
        assert_eq!((layout, side), (Layout::Nhwc, 64));
        assert_eq!(understood(&[None, Some(3), Some(32), None], None).unwrap().2, 32);
        assert!(understood(&free, None).unwrap_err().to_string().contains("--input-size"));
        for dims in [
            &[None, None, None, None][..],
            &[Some(2), Some(3), Some(32), Some(32)],
            &[Some(1), Some(3), Some(32), Some(48)],
            &[Some(3), Some(32), Some(32)],
        ] {
            let error = understood(dims, None).unwrap_err().to_string();
            assert!(error.contains("RGB picture"), "{dims:?}: {error}");
        }
    }
}
