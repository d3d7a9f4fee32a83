//! Dilated pools, whose dilation tract passes over: written as what they are, the largest or the sum of shifted maps.

use super::onnx::{self, bad, float_tensor, int, place};
use crate::error::Result;
use crate::model::proto::{GraphProto, NodeProto};
use crate::model::shapes::Facts;
use crate::model::window::{self, Sliding};
use crate::model::write;

/// Cells of a dilated window; each becomes some nodes.
const MOST: usize = 64;

/// Replaces them.
///
/// # Errors
/// `BadModel` for windows that are too large, or that count what `ceil_mode` adds.
pub(super) fn spell_out(graph: &mut GraphProto, facts: &Facts) -> Result<()> {
    let pool = |n: &NodeProto| matches!(n.op_type.as_str(), "MaxPool" | "AveragePool");
    let dilated = |n: &NodeProto| {
        pool(n) && onnx::ints(n, "dilations").is_some_and(|d| d.iter().any(|d| *d != 1))
    };
    if !graph.node.iter().any(dilated) {
        return Ok(());
    }
    let mut nodes = Vec::new();
    for node in std::mem::take(&mut graph.node) {
        if !dilated(&node) {
            nodes.push(node);
            continue;
        }
        let map = facts.get(&node.input[0]).and_then(|fact| fact.map());
        let (_, h, w) = map.ok_or_else(|| bad("its input is not a map").at(place(&node)))?;
        let sliding = window::read(&node, (h, w), None).map_err(|e| e.at(place(&node)))?;
        one(&node, &sliding, (h, w), graph, &mut nodes).map_err(|e| e.at(place(&node)))?;
    }
    graph.node = nodes;
    Ok(())
}

fn one(
    node: &NodeProto,
    sliding: &Sliding,
    (h, w): (usize, usize),
    graph: &mut GraphProto,
    nodes: &mut Vec<NodeProto>,
) -> Result<()> {
    let Sliding { kernel, stride, dilation, before, after, ragged, output } = *sliding;
    if kernel.0 * kernel.1 > MOST {
        return Err(bad(format!("a dilated window of {kernel:?} is larger than {MOST} cells")));
    }
    let largest = node.op_type == "MaxPool";
    let counts = int(node, "count_include_pad").unwrap_or(0) != 0;
    if ragged && counts {
        return Err(bad("ceil_mode where padding counts, on a dilated window, is not supported"));
    }
    let name = |what: &str| format!("{}.{what}", node.output[0]);
    let mut stored = |what: &str, list: &[usize]| {
        let list: Vec<i64> = list.iter().map(|n| *n as i64).collect();
        graph.initializer.push(write::int64_tensor(&name(what), &list));
        name(what)
    };
    let pads = stored("pads", &[0, 0, before.0, before.1, 0, 0, after.0, after.1]);
    let (axes, steps) = (stored("axes", &[2, 3]), stored("steps", &[stride.0, stride.1]));
    let mut joined: Option<String> = None;
    let padded = name("padded");
    let mut slices = Vec::new();
    for (i, (y, x)) in (0..kernel.0).flat_map(|y| (0..kernel.1).map(move |x| (y, x))).enumerate() {
        let start = [y * dilation.0, x * dilation.1];
        let end =
            [start[0] + (output.0 - 1) * stride.0 + 1, start[1] + (output.1 - 1) * stride.1 + 1];
        let (start, end) = (stored(&format!("start{i}"), &start), stored(&format!("end{i}"), &end));
        let slice = name(&format!("slice{i}"));
        slices.push(write::node("Slice", &[&padded, &start, &end, &axes, &steps], &slice, &[]));
        joined = Some(match joined {
            None => slice,
            Some(before) => {
                let both = name(&format!("join{i}"));
                let op = if largest { "Max" } else { "Add" };
                slices.push(write::node(op, &[&before, &slice], &both, &[]));
                both
            }
        });
    }
    let outside = name("outside");
    let value = if largest { f32::MIN } else { 0.0 };
    graph.initializer.push(float_tensor(&outside, &[], &[value]));
    nodes.push(write::node("Pad", &[&node.input[0], &pads, &outside], &padded, &[]));
    nodes.append(&mut slices);
    let joined = joined.unwrap_or(padded);
    if largest {
        nodes.push(write::node("Identity", &[&joined], &node.output[0], &[]));
        return Ok(());
    }
    // How many cells of a window lie on the map.
    let inside = |out: usize, k: usize, d: usize, s: usize, before: usize, n: usize| {
        (0..k).filter(|i| (before..before + n).contains(&(out * s + i * d))).count()
    };
    let mut shares = Vec::with_capacity(output.0 * output.1);
    for y in 0..output.0 {
        for x in 0..output.1 {
            let cells = if counts {
                kernel.0 * kernel.1
            } else {
                inside(y, kernel.0, dilation.0, stride.0, before.0, h)
                    * inside(x, kernel.1, dilation.1, stride.1, before.1, w)
            };
            shares.push(1.0 / cells.max(1) as f32);
        }
    }
    let share = name("share");
    let dims = [1, 1, output.0 as i64, output.1 as i64];
    graph.initializer.push(float_tensor(&share, &dims, &shares));
    nodes.push(write::node("Mul", &[&joined, &share], &node.output[0], &[]));
    Ok(())
}
