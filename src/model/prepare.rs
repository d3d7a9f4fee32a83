//! Any ONNX image network -> one that this crate serves: cut at the layers that matter, BatchNorm
//! folded, weights as int8 per output channel, describing itself. Native only.

use std::collections::{BTreeMap, HashSet};

use rayon::prelude::*;

use super::graph::{self, Draft};
use super::int8::patches::{AllMoments, Sample, Sources};
use super::int8::quantise::{self, Observed, RangeRule, Rounding};
use super::int8::rounder::{Bits, Rounder, USUAL_BITS};
use super::onnx::{self, bad};
use super::proto::{DataType, GraphProto, ModelProto};
use super::shapes::{self, Facts};
use super::spec::{Layer, ModelSpec};
use super::tract::Plan;
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
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Weights {
    /// As codes of -63 to 63 with a calibration, else of -127 to 127.
    #[default]
    Usual,
    /// As codes of so many bits, sign included: 3 to 8 with a calibration, else 8. With 8 and a calibration, machines whose
    /// 8-bit products saturate take longer over them.
    Bits(u8),
    /// As codes of 3 to 7 bits, in each layer as many as pay there: so many bits a weight on average. Only with a calibration.
    Mixed(f64),
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

/// A network that was prepared.
#[derive(Debug)]
pub struct Prepared {
    /// The new ONNX file.
    pub bytes: Vec<u8>,
    /// What it says of itself.
    pub spec: ModelSpec,
    /// For people: what was changed that they should know.
    pub notes: Vec<String>,
}

/// Prepares a network.
///
/// Without a calibration only the weights become int8, and the network runs in real numbers.
///
/// # Errors
/// `BadModel` if the file is damaged, is not an image network, or has no such layer; the message
/// then lists layers that it has. `BadQuery` if the options cannot be meant.
pub fn prepare(
    bytes: Vec<u8>,
    options: &PrepareOptions,
    calibration: Option<&Calibration<'_>>,
) -> Result<Prepared> {
    check_scale(options)?;
    let mut model = onnx::decode(bytes)?;
    let version = onnx::opset(&model);
    if version == 0 {
        return Err(bad("the file does not say which ONNX operator set it uses"));
    }
    if version < MIN_OPSET {
        return Err(bad(format!(
            "the network uses ONNX operator set {version}; export it again with {MIN_OPSET} or later"
        )));
    }
    model.ir_version = model.ir_version.max(8);
    if options.layers.is_empty() {
        return Err(bad("no layer was named: choose one or more with --layer"));
    }
    graph::only_f32(&mut model)?;
    shapes::sort(onnx::graph_mut(&mut model)?)?;
    let mut layers: Vec<String> = options
        .layers
        .iter()
        .map(|name| graph::resolve(onnx::graph(&model)?, name))
        .collect::<Result<_>>()?;
    onnx::cut(onnx::graph_mut(&mut model)?, &layers)?;

    let mut notes = Vec::new();
    let taken = understand_input(onnx::graph(&model)?, options.input_size)?;
    let mut input = InputSpec { size: taken.size, mean: options.mean, std: options.std };
    if taken.bytes {
        input = of_bytes(input, &mut notes)?;
    }
    input.validate()?;
    let side = i64::from(input.size);
    let shape = if taken.nhwc { [1, side, side, 3] } else { [1, 3, side, side] };
    let graph = onnx::graph_mut(&mut model)?;
    graph.input = vec![onnx::value_info(&taken.name, &shape.map(Some))];
    let mut draft = Draft { model: &mut model, layers: &mut layers, input: &mut input, notes };
    let facts = draft.tidy(taken.nhwc)?;
    let mut notes = draft.notes;
    let ranks_and_dims = layer_dims(&facts, &layers)?;
    match (calibration, options.weights) {
        (None, Weights::Real) => {}
        (None, Weights::Usual | Weights::Bits(8)) => {
            quantise_weights(onnx::graph_mut(&mut model)?)?;
        }
        (None, _) => return Err(wrong("weights of so few bits need pictures: give --calibrate")),
        (Some(calibration), weights) => {
            let bits = match weights {
                Weights::Usual => Bits::Same(USUAL_BITS),
                Weights::Bits(bits @ 3..=8) => Bits::Same(bits),
                Weights::Bits(_) => return Err(wrong("a weight has 3 to 8 bits")),
                Weights::Mixed(mean) if (3.0..=7.0).contains(&mean) => Bits::Mean(mean),
                Weights::Mixed(_) => {
                    return Err(wrong("mixed weights have 3 to 7 bits on average"));
                }
                Weights::Real => {
                    return Err(wrong("a network that runs in integers cannot keep real weights"));
                }
            };
            let chosen = calibrate(&mut model, &layers, &input, calibration, bits)?;
            if matches!(bits, Bits::Mean(_)) {
                notes.push(said(&chosen));
            }
        }
    }
    let graph = onnx::graph_mut(&mut model)?;
    let layers: Vec<Layer> = layers
        .into_iter()
        .zip(&ranks_and_dims)
        .map(|(name, &(_, dim))| Layer { name, dim })
        .collect();
    add_pooling(graph, &layers, &ranks_and_dims);

    let spec = ModelSpec { name: options.name.clone(), input, layers };
    spec.write(&mut model);
    model.producer_name = "lookalike".into();
    model.producer_version = env!("CARGO_PKG_VERSION").into();
    Ok(Prepared { bytes: write::encode(&model), spec, notes })
}

fn wrong(why: &str) -> Error {
    Error::new(ErrorKind::BadQuery, why)
}

/// How many layers have got how many bits.
fn said(chosen: &BTreeMap<String, u8>) -> String {
    let of = |bits| chosen.values().filter(|chosen| **chosen == bits).count();
    let each: Vec<String> = (3..=8)
        .filter(|&bits| of(bits) > 0)
        .map(|bits| format!("{bits} bits in {}", of(bits)))
        .collect();
    format!("weights of {} of {} layers", each.join(", "), chosen.len())
}

/// Means and deviations that are of 0..=255, as many recipes give them.
fn check_scale(options: &PrepareOptions) -> Result<()> {
    let large = |values: &[f32; 3], most: f32| values.iter().any(|x| x.abs() > most);
    if !large(&options.mean, 2.0) && !large(&options.std, 8.0) {
        return Ok(());
    }
    let list = |values: [f32; 3]| values.map(|x| format!("{:.4}", x / 255.0)).join(",");
    Err(Error::new(
        ErrorKind::BadQuery,
        format!(
            "--mean {:?} and --std {:?} are of pixels from 0 to 255; here they are from 0 to 1, so \
             divide both by 255: --mean {} --std {}",
            options.mean,
            options.std,
            list(options.mean),
            list(options.std)
        ),
    ))
}

/// The input of a network that takes bytes, as real numbers from 0 to 255.
fn of_bytes(input: InputSpec, notes: &mut Vec<String>) -> Result<InputSpec> {
    if (input.mean, input.std) != ([0.0; 3], [1.0; 3]) {
        return Err(Error::new(
            ErrorKind::BadQuery,
            "the network takes bytes from 0 to 255 (uint8) and scales them itself: leave --mean and \
             --std out",
        ));
    }
    notes.push(
        "the network takes bytes from 0 to 255 (uint8); it is given the same as real numbers"
            .into(),
    );
    Ok(InputSpec { std: [1.0 / 255.0; 3], ..input })
}

/// Rank and number of features of each layer.
fn layer_dims(facts: &Facts, layers: &[String]) -> Result<Vec<(usize, usize)>> {
    let one = |layer: &String| match facts.get(layer).map(|fact| &fact.dims[..]) {
        Some(dims @ ([1, c] | [1, c, _, _])) => Ok((dims.len(), *c)),
        dims => Err(bad(format!(
            "layer {layer:?} has shape {:?}; a feature map [1, channels, height, width] or a vector \
             [1, channels] is needed",
            dims.unwrap_or_default()
        ))),
    };
    layers.iter().map(one).collect()
}

/// Quantises weights and activations for what the pictures give.
fn calibrate(
    model: &mut ModelProto,
    layers: &[String],
    input: &InputSpec,
    calibration: &Calibration<'_>,
    bits: Bits,
) -> Result<BTreeMap<String, u8>> {
    if let Some(node) = onnx::graph(model)?.node.iter().find(|n| n.op_type == "QuantizeLinear") {
        return Err(bad(
            "the network is quantised already: give the one with real numbers, or leave \
             --calibrate out",
        )
        .at(onnx::place(node)));
    }
    let name = onnx::input(onnx::graph(model)?)?.name.clone();
    let sources = match calibration.rounding {
        Rounding::Nearest => None,
        Rounding::Compensated => Some(Sources::of(onnx::graph(model)?, &name)),
    };
    let (observed, moments) = observe(model, layers, input, calibration, sources.as_ref())?;
    let ranges =
        observed.iter().map(|(name, seen)| (name.clone(), seen.range(calibration.range))).collect();
    let graph = onnx::graph_mut(model)?;
    let moments = sources.as_ref().map(|sources| (sources, &moments[..]));
    let rounder = Rounder { bits, moments };
    quantise::apply(graph, layers, input_range(input), &ranges, &rounder)
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
    calibration: &Calibration<'_>,
    sources: Option<&Sources>,
) -> Result<(BTreeMap<String, Observed>, AllMoments)> {
    if calibration.pictures.is_empty() {
        return Err(Error::new(ErrorKind::BadQuery, "there are no pictures to calibrate with"));
    }
    let mut watched = model.clone();
    let graph = onnx::graph_mut(&mut watched)?;
    let facts = shapes::infer(graph)?;
    // Transformers compute with shapes, too.
    let seen = |name: &String| facts.get(name).is_some_and(|fact| fact.real && !fact.constant);
    let names: Vec<String> = quantise::points(graph, layers).into_iter().filter(seen).collect();
    let known: HashSet<&str> = names.iter().map(String::as_str).collect();
    let tensors = sources.map(Sources::tensors).unwrap_or_default();
    let more = tensors.into_iter().filter(|name| !known.contains(name));
    let all: Vec<&str> = names.iter().map(String::as_str).chain(more).collect();
    graph.output = all.iter().map(|name| onnx::value_info(name, &[None; 4])).collect();
    let plan = Plan::new(&watched, input)?;
    let one = |(i, picture): (usize, &Picture)| -> Result<(Vec<Observed>, Sample)> {
        let outputs = plan.run(&resize(picture, input.size)?, input)?;
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

/// What a network takes.
#[derive(Debug)]
struct Taken {
    name: String,
    /// `[1, size, size, 3]`, TensorFlow's habit, instead of `[1, 3, size, size]`.
    nhwc: bool,
    size: u32,
    /// Bytes instead of real numbers.
    bytes: bool,
}

fn understand_input(graph: &GraphProto, size: Option<u32>) -> Result<Taken> {
    let input = onnx::input(graph)?;
    let dims = onnx::dims(input).unwrap_or_default();
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
    let (nhwc, height, width) = match (a, c) {
        (Some(3), _) => (false, b, c),
        (_, Some(3)) => (true, a, b),
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
    let kind =
        input.r#type.as_ref().and_then(|t| t.tensor_type.as_ref()).map_or(0, |t| t.elem_type);
    let bytes = match DataType::try_from(kind) {
        Ok(DataType::Undefined | DataType::Float) => false,
        Ok(DataType::Uint8) => true,
        kind => {
            return Err(bad(format!(
                "input {:?} is of type {kind:?}; a network that takes float32 or uint8 is needed",
                input.name
            )));
        }
    };
    Ok(Taken { name: input.name.clone(), nhwc, size: side, bytes })
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
    fn understood(dims: &[Option<i64>], size: Option<u32>) -> Result<(bool, u32)> {
        let file: &[u8] = include_bytes!("../../tests/models/tiny.onnx");
        let mut model = onnx::decode(file.to_vec())?;
        let graph = onnx::graph_mut(&mut model)?;
        let name = onnx::input(graph)?.name.clone();
        let value = |dim: &Option<i64>| Dimension {
            value: Some(dim.map_or_else(|| DimValue::Param("any".into()), DimValue::Value)),
        };
        let input = graph.input.iter_mut().find(|i| i.name == name);
        let shape = input
            .and_then(|i| i.r#type.as_mut()?.tensor_type.as_mut()?.shape.as_mut())
            .expect("the tiny network's input has a shape");
        shape.dim = dims.iter().map(value).collect();
        understand_input(graph, size).map(|taken| (taken.nhwc, taken.size))
    }

    #[test]
    fn sizes_that_are_not_fixed_have_to_be_given() {
        let free = [None, Some(3), None, None];
        assert_eq!(understood(&free, Some(64)).unwrap(), (false, 64));
        assert_eq!(understood(&[Some(1), None, None, Some(3)], Some(64)).unwrap(), (true, 64));
        assert_eq!(understood(&[None, Some(3), Some(32), None], None).unwrap().1, 32);
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
