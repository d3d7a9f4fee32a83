//! A factor and a shift for each channel, whatever a graph calls them, become part of the convolution before them.

use std::collections::HashMap;

use super::{readers, replace, stored};
use crate::error::Result;
use crate::model::onnx::{self, bad, place};
use crate::model::proto::{GraphProto, NodeProto};
use crate::model::shapes::Facts;

/// `(x - before) * factor + after`, channel by channel; one number stands for all.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Affine {
    before: Vec<f32>,
    pub(super) factor: Vec<f32>,
    after: Vec<f32>,
}

impl Affine {
    /// What is added after the factor.
    pub(super) fn shift(&self, channel: usize) -> f64 {
        let at = |v: &[f32]| f64::from(v[channel % v.len()]);
        at(&self.after) - at(&self.before) * at(&self.factor)
    }

    /// Whether it has a number for each of so many channels, or one for all.
    pub(super) fn fits(&self, channels: usize) -> bool {
        let all = [&self.before, &self.factor, &self.after];
        all.iter().all(|v| v.len() == 1 || v.len() == channels)
            && all.iter().all(|v| v.iter().all(|x| x.is_finite()))
    }
}

/// What a node does to its input number `i`, if it is such a node: `BatchNormalization`, or arithmetic with a constant that
/// differs at most from channel to channel. `rank` is that of the result.
///
/// # Errors
/// `BadModel` if a `BatchNormalization` does not fit together.
pub(super) fn of(
    graph: &GraphProto,
    node: &NodeProto,
    rank: usize,
) -> Result<Option<(usize, Affine)>> {
    let (zero, one) = (vec![0.0], vec![1.0]);
    if node.op_type == "BatchNormalization" {
        let parameters = [1, 2, 3, 4].map(|i| stored(graph, node.input.get(i)?));
        let [Some(gamma), Some(beta), Some(mean), Some(var)] = parameters else { return Ok(None) };
        let epsilon = onnx::real(node, "epsilon").unwrap_or(1e-5);
        let [gamma, beta, mean, var] = [gamma, beta, mean, var].map(onnx::floats);
        let (gamma, beta, mean, var) = (gamma?, beta?, mean?, var?);
        if [&beta, &mean, &var].iter().any(|v| v.len() != gamma.len()) {
            return Err(bad("its parameters are not equally many"));
        }
        let factor = gamma.iter().zip(&var).map(|(g, v)| g / (v + epsilon).sqrt()).collect();
        return Ok(Some((0, Affine { before: mean, factor, after: beta })));
    }
    if !matches!(node.op_type.as_str(), "Add" | "Sub" | "Mul" | "Div") || node.input.len() != 2 {
        return Ok(None);
    }
    let vectors = [0, 1].map(|i| onnx::along_channels(stored(graph, &node.input[i])?, rank));
    let (at, values) = match vectors {
        [None, Some(values)] => (0, values),
        [Some(values), None] => (1, values),
        _ => return Ok(None),
    };
    let negative = || values.iter().map(|x| -x).collect();
    let affine = match (node.op_type.as_str(), at) {
        ("Add", _) => Affine { before: zero, factor: one, after: values },
        ("Sub", 0) => Affine { before: zero, factor: one, after: negative() },
        ("Sub", _) => Affine { before: zero, factor: vec![-1.0], after: values },
        ("Mul", _) => Affine { before: zero.clone(), factor: values, after: zero },
        ("Div", 0) if values.iter().all(|x| *x != 0.0) => {
            let factor = values.iter().map(|x| 1.0 / x).collect();
            Affine { before: zero.clone(), factor, after: zero }
        }
        _ => return Ok(None),
    };
    Ok(Some((at, affine)))
}

/// Folds them. It cannot be where weights are computed or shared, or where others read what the convolution gives.
///
/// # Errors
/// `BadModel` if a `BatchNormalization` does not fit together.
pub(super) fn fold(graph: &mut GraphProto, facts: &Facts, layers: &[String]) -> Result<()> {
    let readers = readers(graph, layers);
    let mut at = 0;
    while at < graph.node.len() {
        if one(graph, at, facts, &readers)? {
            graph.node.remove(at);
        } else {
            at += 1;
        }
    }
    Ok(())
}

fn one(
    graph: &mut GraphProto,
    at: usize,
    facts: &Facts,
    readers: &HashMap<String, usize>,
) -> Result<bool> {
    let node = &graph.node[at];
    let rank = node.output.first().and_then(|o| facts.get(o)).map_or(4, |fact| fact.dims.len());
    let Some((input, affine)) = of(graph, node, rank).map_err(|e| e.at(place(node)))? else {
        return Ok(false);
    };
    let source = node.input[input].clone();
    let conv = graph
        .node
        .iter()
        .position(|n| n.op_type == "Conv" && n.output.first() == Some(&source))
        .filter(|_| readers.get(&source) == Some(&1));
    let Some(conv) = conv else { return Ok(false) };
    let conv_node = &graph.node[conv];
    let weights_name = conv_node.input.get(1);
    let shared = weights_name.and_then(|name| readers.get(name)) != Some(&1);
    let Some(weights) = weights_name.and_then(|name| stored(graph, name)).filter(|_| !shared)
    else {
        return Ok(false);
    };
    let channels = weights.dims.first().map_or(0, |&d| d as usize);
    let old_bias = match conv_node.input.get(2).filter(|name| !name.is_empty()) {
        None => vec![0.0; channels],
        Some(name) => match stored(graph, name) {
            Some(bias) => onnx::floats(bias)?,
            None => return Ok(false),
        },
    };
    if channels == 0 || old_bias.len() != channels || !affine.fits(channels) {
        return Ok(false);
    }
    let of = |v: &[f32], c: usize| v[c % v.len()];
    let mut values = onnx::floats(weights)?;
    let per_channel = (values.len() / channels).max(1);
    for (c, chunk) in values.chunks_mut(per_channel).enumerate() {
        chunk.iter_mut().for_each(|w| *w *= of(&affine.factor, c));
    }
    let bias: Vec<f32> = (0..channels)
        .map(|c| {
            (old_bias[c] - of(&affine.before, c)) * of(&affine.factor, c) + of(&affine.after, c)
        })
        .collect();
    // One product too many for an `f32`: the network may still give numbers step by step.
    if !values.iter().chain(&bias).all(|x| x.is_finite()) {
        return Ok(false);
    }
    let weights = onnx::float_tensor(&weights.name, &weights.dims, &values);
    let bias =
        onnx::float_tensor(&format!("{}.folded_bias", weights.name), &[channels as i64], &bias);
    let output = graph.node[at].output[0].clone();
    let conv_node = &mut graph.node[conv];
    conv_node.input.truncate(2);
    conv_node.input.push(bias.name.clone());
    conv_node.output[0] = output;
    replace(graph, weights);
    replace(graph, bias);
    Ok(true)
}
