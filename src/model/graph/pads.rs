//! Padding that stands before a convolution or a pool becomes its own; rounding up of a pool's size becomes padding.

use super::{listed, maker, readers, stored};
use crate::error::Result;
use crate::model::onnx::{self, int, ints, text};
use crate::model::proto::{GraphProto, NodeProto};

/// Merges them where the result is the same to the last bit: zeros before a convolution; before a pool of the largest, the
/// least of numbers, or zeros where no number is below.
///
/// # Errors
/// `BadModel` if a stored tensor is not of real numbers.
pub(super) fn merge(graph: &mut GraphProto, layers: &[String]) -> Result<()> {
    let mut at = 0;
    while at < graph.node.len() {
        if graph.node[at].op_type == "Pad" && one(graph, at, layers)? {
            graph.node.remove(at);
        } else {
            at += 1;
        }
    }
    Ok(())
}

fn one(graph: &mut GraphProto, at: usize, layers: &[String]) -> Result<bool> {
    let pad = &graph.node[at];
    let Some(pads) = listed(graph, pad, "pads", 1) else { return Ok(false) };
    let &[0, 0, top, left, 0, 0, bottom, right] = &pads[..] else { return Ok(false) };
    let value = match pad.input.get(2).filter(|name| !name.is_empty()) {
        None => 0.0,
        Some(name) => match stored(graph, name).map(onnx::floats).transpose()?.as_deref() {
            Some([value]) => *value,
            _ => return Ok(false),
        },
    };
    let (from, to) = (pad.input[0].clone(), pad.output[0].clone());
    let positive = not_negative(graph, &from, 0);
    let takes = |node: &NodeProto| -> Option<Vec<i64>> {
        let kernel = match node.op_type.as_str() {
            "Conv" if value == 0.0 => {
                let weights = stored(graph, node.input.get(1)?)?;
                [*weights.dims.get(2)?, *weights.dims.get(3)?]
            }
            "MaxPool" if value <= f32::MIN || (value == 0.0 && positive) => {
                ints(node, "kernel_shape")?.try_into().ok()?
            }
            _ => return None,
        };
        if int(node, "ceil_mode").unwrap_or(0) != 0 || node.input.first() != Some(&to) {
            return None;
        }
        let own = match text(node, "auto_pad") {
            b"" | b"NOTSET" => ints(node, "pads").unwrap_or(&[0; 4]),
            b"VALID" => &[0; 4],
            _ => return None,
        };
        // Zeros and the least of numbers cannot stand side by side.
        if node.op_type == "MaxPool" && value == 0.0 && own.iter().any(|p| *p != 0) && !positive {
            return None;
        }
        let both: Vec<i64> =
            own.iter().zip([top, left, bottom, right]).map(|(a, b)| a + b).collect();
        let reach = |i: usize| {
            (kernel[i] - 1) * ints(node, "dilations").and_then(|d| d.get(i)).unwrap_or(&1) + 1
        };
        let fits = both.iter().enumerate().all(|(i, pad)| *pad < reach(i % 2));
        fits.then_some(both)
    };
    let users: Vec<usize> = graph
        .node
        .iter()
        .enumerate()
        .filter(|(_, n)| n.input.contains(&to))
        .map(|(i, _)| i)
        .collect();
    let count = readers(graph, layers).get(&to).copied().unwrap_or(0);
    let merged: Option<Vec<Vec<i64>>> = users.iter().map(|i| takes(&graph.node[*i])).collect();
    let Some(merged) = merged.filter(|_| count == users.len() && count > 0) else {
        return Ok(false);
    };
    for (i, pads) in users.into_iter().zip(merged) {
        let node = &mut graph.node[i];
        node.attribute.retain(|a| a.name != "pads" && a.name != "auto_pad");
        node.attribute.push(crate::model::write::ints_attribute("pads", pads));
        node.input[0].clone_from(&from);
    }
    Ok(true)
}

/// Whether a tensor cannot hold numbers below 0.
fn not_negative(graph: &GraphProto, name: &str, depth: usize) -> bool {
    let Some(node) = maker(graph, name).filter(|_| depth < 16) else { return false };
    match node.op_type.as_str() {
        "Relu" | "Sigmoid" | "HardSigmoid" | "Softmax" => true,
        "Clip" => {
            let low = node.input.get(1).and_then(|name| stored(graph, name));
            low.and_then(|low| onnx::floats(low).ok())
                .is_some_and(|low| low.iter().all(|x| *x >= 0.0))
        }
        "MaxPool" | "AveragePool" => not_negative(graph, &node.input[0], depth + 1),
        "Concat" | "Add" => node.input.iter().all(|i| not_negative(graph, i, depth + 1)),
        _ => false,
    }
}
