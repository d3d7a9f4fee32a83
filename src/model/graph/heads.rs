//! A layer that is a pooled map means the map: pooling is this crate's own, so that a mask can weigh the map's cells.

use super::{listed, maker};
use crate::model::onnx::{int, ints, text};
use crate::model::proto::{GraphProto, NodeProto};
use crate::model::shapes::Facts;
use crate::model::write;

/// Writes the mean of a map that drops its axes as a pool and a change of axes, each of which is known by itself.
pub(super) fn keep_axes(graph: &mut GraphProto, facts: &Facts) {
    let mut at = 0;
    while at < graph.node.len() {
        let node = &graph.node[at];
        let drops = node.op_type == "ReduceMean" && int(node, "keepdims") == Some(0);
        if drops && pools(graph, node, facts) {
            let (from, to) = (node.input[0].clone(), node.output[0].clone());
            let pooled = format!("{to}.pooled");
            let mut pool = write::node("GlobalAveragePool", &[&from], &pooled, &[]);
            pool.name.clone_from(&node.name);
            graph.node[at] = pool;
            at += 1;
            graph.node.insert(at, write::node("Flatten", &[&pooled], &to, &[("axis", 1)]));
        }
        at += 1;
    }
}

/// Replaces such layers, through whatever only renames axes or leaves as it is what it is given.
pub(super) fn find(
    graph: &GraphProto,
    facts: &Facts,
    layers: &mut [String],
    notes: &mut Vec<String>,
) {
    for layer in layers {
        let mut at = layer.clone();
        let map = loop {
            let Some(node) = maker(graph, &at) else { break None };
            let Some(from) = node.input.first().cloned() else { break None };
            if pools(graph, node, facts) {
                break Some(from);
            }
            // One number a feature, before and after.
            let vector = |name: &str| {
                facts.get(name).is_some_and(|f| f.dims.iter().filter(|d| **d != 1).count() <= 1)
            };
            let renames =
                matches!(node.op_type.as_str(), "Flatten" | "Reshape" | "Squeeze" | "Unsqueeze");
            if !renames || !vector(&from) || !vector(&at) {
                break None;
            }
            at = from;
        };
        // The map has to be a node's result, and not have been pooled more finely.
        if let Some(map) = map.filter(|map| maker(graph, map).is_some()) {
            notes.push(format!(
                "layer {layer:?} is the mean of the map {map:?}, which is what is kept: a mask can \
                 weigh its cells"
            ));
            *layer = map;
        }
    }
}

/// Whether a node gives the mean of each channel over a whole map.
fn pools(graph: &GraphProto, node: &NodeProto, facts: &Facts) -> bool {
    let Some((_, h, w)) = facts.get(&node.input[0]).and_then(|fact| fact.map()) else {
        return false;
    };
    match node.op_type.as_str() {
        "GlobalAveragePool" => true,
        "ReduceMean" => {
            let axes = listed(graph, node, "axes", 1).unwrap_or_default();
            let mut axes: Vec<i64> = axes.iter().map(|a| if *a < 0 { a + 4 } else { *a }).collect();
            axes.sort_unstable();
            axes == [2, 3]
        }
        "AveragePool" => {
            let whole = ints(node, "kernel_shape") == Some(&[h as i64, w as i64]);
            let bare = ints(node, "pads").is_none_or(|pads| pads.iter().all(|p| *p == 0));
            let same = !matches!(text(node, "auto_pad"), b"" | b"NOTSET" | b"VALID");
            whole && bare && !same && int(node, "ceil_mode").unwrap_or(0) == 0 && {
                ints(node, "dilations").is_none_or(|d| d.iter().all(|d| *d == 1))
            }
        }
        _ => false,
    }
}
