//! A real-valued graph to static QDQ: weights int8 per output channel, activations uint8 per tensor, biases int32.
//!
//! Weights take 7 bits, -63..=63, unless told otherwise ([`super::rounder`]). Products of a code and such a weight cannot
//! saturate in pairs of 16 bits, so every machine's 8-bit dot product is exact on them (see `kernels::relaxed`), and
//! onnxruntime's too. Weights of fewer bits are stored in bytes as well: the file stays what any runtime reads, and packs
//! better.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::curve::{BINARY, UNARY};
use super::rounder::{Layer, Rounder, USUAL_BITS, scales};
use crate::error::Result;
use crate::model::onnx::{self, bad};
use crate::model::proto::{DataType, GraphProto, NodeProto, TensorProto};
use crate::model::write;

/// How the range of a tensor's values is taken from what was seen of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RangeRule {
    /// The one with the smallest mean square error, of rounding and of clipping.
    SquareError,
    /// The one that holds this share of the values above zero, 0 to 1.
    Share(f64),
    /// From the smallest to the largest value.
    Whole,
}

/// How real weights become codes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rounding {
    /// Each to the nearest.
    Nearest,
    /// So that the errors cancel in what a layer gives for pictures like those of the calibration; the bias takes away what
    /// they add to its mean.
    #[default]
    Compensated,
}

/// Bins of a histogram.
const BINS: usize = 2048;

/// What was seen of one tensor's values: their range, and how they spread above zero.
#[derive(Clone, Debug)]
pub(crate) struct Observed {
    min: f32,
    max: f32,
    /// Right edge of the last bin; doubled when a value falls beyond.
    width: f32,
    bins: Vec<u64>,
}

impl Default for Observed {
    fn default() -> Self {
        Self { min: 0.0, max: 0.0, width: 1.0, bins: vec![0; BINS] }
    }
}

impl Observed {
    /// Takes in values; those that are not finite are an error of the network and are refused elsewhere.
    pub(crate) fn add(&mut self, values: impl IntoIterator<Item = f32>) {
        for x in values {
            self.min = self.min.min(x);
            self.max = self.max.max(x);
            if x > 0.0 && x < 1e30 {
                while x >= self.width {
                    self.widen();
                }
                self.bins[(x / self.width * BINS as f32) as usize % BINS] += 1;
            }
        }
    }

    /// Twice the range in the same number of bins.
    fn widen(&mut self) {
        self.width *= 2.0;
        for i in 0..BINS / 2 {
            self.bins[i] = self.bins[2 * i] + self.bins[2 * i + 1];
        }
        self.bins[BINS / 2..].fill(0);
    }

    /// Takes in what another has seen; the order does not matter.
    pub(crate) fn merge(&mut self, mut other: Observed) {
        while self.width < other.width {
            self.widen();
        }
        while other.width < self.width {
            other.widen();
        }
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.bins.iter_mut().zip(other.bins).for_each(|(a, b)| *a += b);
    }

    /// The range to quantise: larger values are clipped and the others rounded. Ranges that cross zero are taken whole.
    pub(crate) fn range(&self, rule: RangeRule) -> (f32, f32) {
        if self.min < 0.0 || self.max <= 0.0 {
            return (self.min, self.max.max(0.0));
        }
        match rule {
            RangeRule::Whole => (0.0, self.max),
            RangeRule::Share(share) => (0.0, self.quantile(share)),
            RangeRule::SquareError => (0.0, self.least_error()),
        }
    }

    /// The right edge of the bin where the share of the values above zero is reached.
    fn quantile(&self, share: f64) -> f32 {
        let wanted = share * self.bins.iter().sum::<u64>() as f64;
        let mut seen = 0;
        for (i, n) in self.bins.iter().enumerate() {
            seen += n;
            if seen as f64 >= wanted {
                return ((i + 1) as f32 * self.width / BINS as f32).min(self.max);
            }
        }
        self.max
    }

    /// The upper bound that makes the mean square error smallest.
    fn least_error(&self) -> f32 {
        let error = |bound: f32| {
            let step = bound / 255.0;
            let rounding = f64::from(step * step / 12.0);
            let mut sum = 0.0;
            for (i, n) in self.bins.iter().enumerate().filter(|(_, n)| **n > 0) {
                let x = (i as f32 + 0.5) * self.width / BINS as f32;
                let clipped = f64::from((x - bound).max(0.0));
                sum += *n as f64 * if x > bound { clipped * clipped } else { rounding };
            }
            sum
        };
        let bounds = (24..=128).map(|i| self.max * i as f32 / 128.0);
        let best = bounds.map(|b| (error(b), b)).min_by(|a, b| a.0.total_cmp(&b.0));
        best.map_or(self.max, |(_, b)| b)
    }
}

/// Operators that compute sums: a `Relu` or `Clip` behind them is part of the step from the sum to a code.
const SUMS: [&str; 6] = ["Conv", "AveragePool", "GlobalAveragePool", "ReduceMean", "Add", "Mul"];
/// Those that only select or frame: the codes of their result are their input's.
const SAME: [&str; 3] = ["MaxPool", "GlobalMaxPool", "Pad"];

fn readers(graph: &GraphProto) -> HashMap<&str, Vec<&NodeProto>> {
    let mut readers: HashMap<&str, Vec<&NodeProto>> = HashMap::new();
    for node in &graph.node {
        for input in &node.input {
            readers.entry(input).or_default().push(node);
        }
    }
    readers
}

/// Whether a tensor is only on its way to its activation function.
fn is_fused(name: &str, readers: &HashMap<&str, Vec<&NodeProto>>, outputs: &[String]) -> bool {
    let activation =
        |n: &&NodeProto| matches!(n.op_type.as_str(), "Relu" | "Clip") && n.input[0] == name;
    !outputs.iter().any(|o| o == name)
        && readers.get(name).is_some_and(|r| r.len() == 1 && r.iter().all(activation))
}

/// Which tensor's numbers each chain of functions of one number starts from, by the chain's results: on codes a chain is one
/// table, so that nothing between its ends needs codes.
fn chains<'a>(
    graph: &'a GraphProto,
    readers: &HashMap<&str, Vec<&NodeProto>>,
    outputs: &[String],
) -> HashMap<&'a str, &'a str> {
    let stored: HashSet<&str> = graph.initializer.iter().map(|t| t.name.as_str()).collect();
    let sums: HashSet<&str> = graph
        .node
        .iter()
        .filter(|n| SUMS.contains(&n.op_type.as_str()))
        .flat_map(|n| n.output.iter().map(String::as_str))
        .collect();
    let mut chains: HashMap<&str, &str> = HashMap::new();
    for node in &graph.node {
        let op = node.op_type.as_str();
        let Some(output) = node.output.first() else { continue };
        if !UNARY.contains(&op) && !BINARY.contains(&op) && op != "BatchNormalization" {
            continue;
        }
        let computed = node.input.iter().map(String::as_str);
        let computed: Vec<&str> =
            computed.filter(|name| !name.is_empty() && !stored.contains(name)).collect();
        // Part of the operator before, where that has a range of its own to clip.
        let part = |name: &str| {
            matches!(op, "Relu" | "Clip")
                && sums.contains(name)
                && !chains.contains_key(name)
                && is_fused(name, readers, outputs)
        };
        let mut starts = computed.iter().map(|name| chains.get(name).copied().unwrap_or(name));
        let Some(start) = starts.next() else { continue };
        if starts.all(|other| other == start) && !part(computed[0]) {
            chains.insert(output, start);
        }
    }
    chains
}

/// The tensors whose ranges [`apply`] needs, in the graph's order.
pub(crate) fn points(graph: &GraphProto, outputs: &[String]) -> Vec<String> {
    let readers = readers(graph);
    let chains = chains(graph, &readers, outputs);
    let within = |name: &str| {
        let start = chains.get(name);
        let goes_on = |reader: &&NodeProto| {
            start.is_some() && reader.output.first().and_then(|o| chains.get(o.as_str())) == start
        };
        readers.get(name).is_some_and(|readers| readers.iter().all(goes_on))
            && !outputs.iter().any(|o| o == name)
    };
    let coded = |node: &&NodeProto| {
        let op = node.op_type.as_str();
        let Some(name) = node.output.first() else { return false };
        if chains.contains_key(name.as_str()) {
            return !within(name);
        }
        match op {
            "Relu" | "Clip" | "Concat" => true,
            op => SUMS.contains(&op) && !is_fused(name, &readers, outputs),
        }
    };
    graph.node.iter().filter(coded).filter_map(|n| n.output.first()).cloned().collect()
}

#[derive(Clone, Copy, Debug)]
struct Quant {
    scale: f32,
    zero_point: u8,
}

impl Quant {
    fn of((min, max): (f32, f32)) -> Self {
        let (min, max) = (min.min(0.0), max.max(0.0));
        let scale = (max - min) / 255.0;
        // A map of zeros: any scale will do.
        let scale =
            if scale > f32::MIN_POSITIVE * 1e6 && scale.is_finite() { scale } else { 1.0 / 255.0 };
        Self { scale, zero_point: (-min / scale).round_ties_even().clamp(0.0, 255.0) as u8 }
    }
}

/// Quantises `graph` in place. `ranges` has an entry for each of [`points`] that is computed from the
/// picture and holds real numbers, not a shape; `input_range` is that of the input.
///
/// # Errors
/// `BadModel` when weights are missing or not finite, or a range is.
///
/// Says how many bits each layer's weights have got, by their name.
pub(crate) fn apply(
    graph: &mut GraphProto,
    outputs: &[String],
    input_range: (f32, f32),
    ranges: &HashMap<String, (f32, f32)>,
    rounder: &Rounder<'_>,
) -> Result<BTreeMap<String, u8>> {
    let input = onnx::input(graph)?.name.clone();
    let mut quants: HashMap<String, Quant> =
        HashMap::from([(input.clone(), Quant::of(input_range))]);
    let coded: HashSet<String> = ranges.keys().cloned().collect();
    {
        let readers = readers(graph);
        // Backwards, so that a concatenation has its codes before its members take them over.
        for node in graph.node.iter().rev() {
            let Some(name) = node.output.first().filter(|name| coded.contains(*name)) else {
                continue;
            };
            let joined = match readers.get(name.as_str()).map(Vec::as_slice) {
                Some([only]) if only.op_type == "Concat" && !outputs.contains(name) => {
                    only.output.first().and_then(|o| quants.get(o)).copied()
                }
                _ => None,
            };
            let range = ranges.get(name).filter(|r| r.0.is_finite() && r.1.is_finite());
            let quant = match (joined, range) {
                (Some(quant), _) => quant,
                (None, Some(range)) => Quant::of(*range),
                (None, None) => return Err(bad(format!("tensor {name:?} has no finite range"))),
            };
            quants.insert(name.clone(), quant);
        }
        for node in &graph.node {
            if SAME.contains(&node.op_type.as_str())
                && let (Some(from), Some(to)) = (node.input.first(), node.output.first())
                && let Some(quant) = quants.get(from).copied()
            {
                quants.insert(to.clone(), quant);
            }
        }
    }
    let mut stored: HashMap<String, TensorProto> =
        graph.initializer.drain(..).map(|t| (t.name.clone(), t)).collect();
    let bits = rounder.bits(&layers(graph, &quants, &stored)?);
    let mut made: Vec<TensorProto> = Vec::new();
    let mut nodes: Vec<NodeProto> = Vec::new();
    let codes = format!("{input}.real");
    pair(&input, &format!("{input}.codes"), &codes, quants[&input], &mut nodes, &mut made);
    for mut node in graph.node.drain(..) {
        if node.op_type == "Conv" {
            let from = quants.get(&node.input[0]).copied();
            weights(&node, from, (rounder, &bits), &mut stored, &mut nodes, &mut made)
                .map_err(|e| e.at(format_args!("node {:?}", node.name)))?;
        }
        for name in &mut node.input {
            if *name == input {
                name.clone_from(&codes);
            }
        }
        match node.output.first().cloned().and_then(|name| quants.get(&name).map(|q| (name, *q))) {
            Some((name, quant)) => {
                let real = format!("{name}.exact");
                node.output[0].clone_from(&real);
                nodes.push(node);
                pair(&real, &format!("{name}.codes"), &name, quant, &mut nodes, &mut made);
            }
            None => nodes.push(node),
        }
    }
    graph.node = nodes;
    let used: HashSet<&str> =
        graph.node.iter().flat_map(|n| n.input.iter().map(String::as_str)).collect();
    made.extend(stored.into_values());
    made.retain(|t| used.contains(t.name.as_str()));
    made.sort_by(|a, b| a.name.cmp(&b.name));
    made.dedup_by(|a, b| a.name == b.name);
    graph.initializer = made;
    Ok(bits)
}

/// The weights of all convolutions, each once, as far as they can be quantised: what is wrong with others is said when it is
/// their turn.
fn layers(
    graph: &GraphProto,
    quants: &HashMap<String, Quant>,
    stored: &HashMap<String, TensorProto>,
) -> Result<Vec<Layer>> {
    let mut seen = HashSet::new();
    let mut layers = Vec::new();
    for node in graph.node.iter().filter(|n| n.op_type == "Conv") {
        let Some(real) = node.input.get(1).and_then(|name| stored.get(name)) else { continue };
        let channels = real.dims.first().map_or(0, |d| *d as usize);
        let values = onnx::floats(real)?;
        let usable = channels > 0 && !values.is_empty() && values.iter().all(|w| w.is_finite());
        if usable && seen.insert(&real.name) {
            let bias = node.input.get(2).filter(|name| stored.contains_key(*name));
            let step = bias.and(quants.get(&node.input[0])).map(|quant| quant.scale);
            layers.push(Layer { name: real.name.clone(), values, channels, step });
        }
    }
    Ok(layers)
}

/// Q and DQ with the same scale.
fn pair(
    from: &str,
    codes: &str,
    to: &str,
    quant: Quant,
    nodes: &mut Vec<NodeProto>,
    made: &mut Vec<TensorProto>,
) {
    let (scale, zero) = (format!("{codes}.scale"), format!("{codes}.zero"));
    made.push(onnx::float_tensor(&scale, &[], &[quant.scale]));
    made.push(tensor(&zero, &[], DataType::Uint8, vec![quant.zero_point]));
    nodes.push(write::node("QuantizeLinear", &[from, &scale, &zero], codes, &[]));
    let mut back = write::node("DequantizeLinear", &[codes, &scale, &zero], to, &[]);
    // Operators are often named after their output, which is now this node's.
    back.name = format!("{to}.dequantise");
    nodes.push(back);
}

fn tensor(name: &str, dims: &[i64], data_type: DataType, raw_data: Vec<u8>) -> TensorProto {
    TensorProto {
        name: name.into(),
        dims: dims.to_vec(),
        data_type: data_type as i32,
        raw_data: raw_data.into(),
        ..TensorProto::default()
    }
}

/// Replaces the weights and the bias of a convolution by codes behind `DequantizeLinear`.
fn weights(
    node: &NodeProto,
    from: Option<Quant>,
    (rounder, bits): (&Rounder<'_>, &BTreeMap<String, u8>),
    stored: &mut HashMap<String, TensorProto>,
    nodes: &mut Vec<NodeProto>,
    made: &mut Vec<TensorProto>,
) -> Result<()> {
    let Some(name) = node.input.get(1) else { return Err(bad("a convolution without weights")) };
    // Weights that are computed, or that an earlier convolution has turned into codes.
    let Some(real) = stored.remove(name) else { return Ok(()) };
    let values = onnx::floats(&real)?;
    let channels = real.dims.first().map_or(0, |d| *d as usize);
    if channels == 0 || values.is_empty() || !values.iter().all(|w| w.is_finite()) {
        return Err(bad(format!("weights {name:?} are empty or not finite")));
    }
    let bits = bits.get(name).copied().unwrap_or(USUAL_BITS);
    let scales = scales(&values, channels, bits);
    let bias = node.input.get(2).filter(|name| stored.contains_key(*name));
    let step = bias.and(from).map(|from| from.scale);
    let layer = Layer { name: name.clone(), values, channels, step };
    let (codes, lost) = rounder.round(&layer, &scales, bits);
    let [q, s, z] = ["codes", "scale", "zero"].map(|part| format!("{name}.{part}"));
    made.push(write::int8_tensor(&q, &real.dims, &codes));
    made.push(onnx::float_tensor(&s, &[channels as i64], &scales));
    made.push(write::int8_tensor(&z, &[channels as i64], &vec![0; channels]));
    nodes.push(write::node("DequantizeLinear", &[&q, &s, &z], name, &[("axis", 0)]));
    let (Some(from), Some(bias)) = (from, bias.and_then(|name| stored.get(name))) else {
        return Ok(());
    };
    let bias_name = bias.name.clone();
    let bias = onnx::floats(bias)?;
    if bias.len() != channels || !bias.iter().all(|b| b.is_finite()) {
        return Err(bad(format!(
            "{} biases for {channels} channels, or some are not finite",
            bias.len()
        )));
    }
    let units: Vec<f32> = scales.iter().map(|s| s * from.scale).collect();
    let codes: Vec<u8> = bias
        .iter()
        .zip(&lost)
        .zip(&units)
        .flat_map(|((b, lost), unit)| {
            ((f64::from(b + lost) / f64::from(*unit)).round_ties_even() as i32).to_le_bytes()
        })
        .collect();
    stored.remove(&bias_name);
    let [q, s, z] = ["codes", "scale", "zero"].map(|part| format!("{bias_name}.{part}"));
    made.push(tensor(&q, &[channels as i64], DataType::Int32, codes));
    made.push(onnx::float_tensor(&s, &[channels as i64], &units));
    made.push(tensor(&z, &[channels as i64], DataType::Int32, vec![0; channels * 4]));
    nodes.push(write::node("DequantizeLinear", &[&q, &s, &z], &bias_name, &[("axis", 0)]));
    Ok(())
}
