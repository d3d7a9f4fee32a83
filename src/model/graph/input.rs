//! What a network does to its input alone, before the first operator that looks at more than a pixel's channel, becomes
//! part of how pictures are normalised: torchvision's `transform_input`, Keras' `Rescaling` and `Normalization`, means
//! that are subtracted, BGR.

use std::collections::HashMap;

use super::{affine, listed, stored};
use crate::error::Result;
use crate::model::onnx::{self, int};
use crate::model::proto::{GraphProto, NodeProto, TensorProto};
use crate::preprocess::InputSpec;

/// A channel of the input, times a factor, plus a shift.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Plane {
    channel: usize,
    factor: f64,
    shift: f64,
}

/// A tensor that is made of such planes.
#[derive(Clone, Debug, PartialEq)]
struct Planes {
    list: Vec<Plane>,
    /// Whether it has a channel axis, which is then axis 1: one channel that was picked out has none.
    axis: bool,
}

/// Folds them into `input`. Leaves the graph alone where a layer is asked for on the way, or where the result is not one
/// normalisation of all three channels.
///
/// # Errors
/// `BadModel` if a `BatchNormalization` on the way does not fit together.
pub(super) fn fold(
    graph: &mut GraphProto,
    layers: &[String],
    input: &mut InputSpec,
    notes: &mut Vec<String>,
) -> Result<()> {
    let name = onnx::input(graph)?.name.clone();
    let plain = |channel| Plane { channel, factor: 1.0, shift: 0.0 };
    let start = Planes { list: (0..3).map(plain).collect(), axis: true };
    let mut known = HashMap::from([(name.clone(), start.clone())]);
    let mut before: Vec<usize> = Vec::new();
    // The tensors that others than such nodes read.
    let mut ends: Vec<String> = Vec::new();
    for (i, node) in graph.node.iter().enumerate() {
        let results = follow(graph, node, &known)?;
        match results {
            Some(results) => {
                before.push(i);
                known.extend(node.output.iter().cloned().zip(results));
            }
            None => {
                let read = node.input.iter().filter(|name| known.contains_key(*name));
                ends.extend(read.cloned());
            }
        }
    }
    let Some(first) = ends.first().and_then(|name| known.get(name)).cloned() else { return Ok(()) };
    let asked = layers.iter().any(|layer| known.contains_key(layer));
    if first == start || asked || ends.iter().any(|name| known.get(name) != Some(&first)) {
        return Ok(());
    }
    let channels: Vec<usize> = first.list.iter().map(|p| p.channel).collect();
    let reversed = channels == [2, 1, 0];
    if !first.axis || !(reversed || channels == [0, 1, 2]) {
        return Ok(());
    }
    let mut spec = *input;
    for plane in &first.list {
        // (x - mean) / std * factor + shift, as (x - mean') / std'.
        let (mean, std) =
            (f64::from(input.mean[plane.channel]), f64::from(input.std[plane.channel]));
        spec.std[plane.channel] = (std / plane.factor) as f32;
        spec.mean[plane.channel] = (mean - plane.shift * std / plane.factor) as f32;
    }
    if spec.validate().is_err() || (reversed && !turn(graph, &ends)?) {
        return Ok(());
    }
    *input = spec;
    for node in &mut graph.node {
        for read in node.input.iter_mut().filter(|read| ends.contains(read)) {
            read.clone_from(&name);
        }
    }
    let mut at = 0..;
    graph.node.retain(|_| !at.next().is_some_and(|i| before.contains(&i)));
    notes.push(format!(
        "what the network does to its input alone is part of its mean and std now: {:?} and {:?}",
        spec.mean, spec.std
    ));
    Ok(())
}

/// The planes that a node gives, if it is such a node.
fn follow(
    graph: &GraphProto,
    node: &NodeProto,
    known: &HashMap<String, Planes>,
) -> Result<Option<Vec<Planes>>> {
    let all: Vec<Option<&Planes>> = node.input.iter().map(|name| known.get(name)).collect();
    if all.iter().all(Option::is_none) {
        return Ok(None);
    }
    if node.op_type == "Concat" {
        let planes: Option<Vec<&Planes>> = all.into_iter().collect();
        let along = matches!(int(node, "axis"), Some(1 | -3));
        let planes = planes.filter(|all| along && all.iter().all(|p| p.axis));
        let joined = |all: Vec<&Planes>| {
            vec![Planes { list: all.iter().flat_map(|p| p.list.clone()).collect(), axis: true }]
        };
        return Ok(planes.map(joined));
    }
    let rank = |planes: &Planes| if planes.axis { 4 } else { 3 };
    if let Some(planes) = all.iter().flatten().next()
        && let Some((i, affine)) = affine::of(graph, node, rank(planes))?
    {
        let Some(planes) = all.get(i).copied().flatten() else { return Ok(None) };
        // Without a channel axis, axis 1 is the height: one number for all, then.
        if !affine.fits(if planes.axis { planes.list.len() } else { 1 }) {
            return Ok(None);
        }
        let list = planes.list.iter().enumerate().map(|(c, p)| {
            let factor = f64::from(affine.factor[c % affine.factor.len()]);
            Plane { factor: p.factor * factor, shift: p.shift * factor + affine.shift(c), ..*p }
        });
        return Ok(Some(vec![Planes { list: list.collect(), axis: planes.axis }]));
    }
    let Some(planes) = all[0] else { return Ok(None) };
    let one = |list: Vec<Plane>, axis| Ok(Some(vec![Planes { list, axis }]));
    let along = |default| matches!(int(node, "axis").unwrap_or(default), 1 | -3) && planes.axis;
    let (list, count) = (&planes.list, planes.list.len() as i64);
    let at = |i: i64| list.get(usize::try_from(if i < 0 { i + count } else { i }).ok()?).copied();
    match node.op_type.as_str() {
        "Identity" => Ok(Some(vec![planes.clone()])),
        "Gather" if along(0) => {
            let Some(which) = node.input.get(1).and_then(|name| stored(graph, name)) else {
                return Ok(None);
            };
            let indices = crate::model::shapes::integers(which).unwrap_or_default();
            match indices.iter().map(|i| at(*i)).collect::<Option<Vec<_>>>() {
                Some(list) if which.dims.len() < 2 && !list.is_empty() => {
                    one(list, which.dims.len() == 1)
                }
                _ => Ok(None),
            }
        }
        "Unsqueeze" if !planes.axis => {
            let axes = listed(graph, node, "axes", 1);
            if axes.is_some_and(|axes| matches!(axes[..], [1 | -3])) {
                one(list.clone(), true)
            } else {
                Ok(None)
            }
        }
        "Slice" if planes.axis => {
            let of = |i: usize| node.input.get(i).and_then(|n| numbers(stored(graph, n)?));
            let (Some(starts), Some(ends), Some(axes)) = (of(1), of(2), of(3)) else {
                return Ok(None);
            };
            let step = if node.input.len() > 4 { of(4) } else { Some(1) };
            let Some(step) = step.filter(|step| *step != 0 && matches!(axes, 1 | -3)) else {
                return Ok(None);
            };
            let wrap = |n: i64| if n < 0 { n.saturating_add(count) } else { n };
            let mut i = wrap(starts).clamp(0, count - i64::from(step < 0));
            let end = wrap(ends).clamp(-1, count);
            let mut picked = Vec::new();
            while (step > 0 && i < end) || (step < 0 && i > end) {
                picked.extend(at(i).filter(|_| i >= 0));
                i = i.saturating_add(step);
            }
            if picked.is_empty() { Ok(None) } else { one(picked, true) }
        }
        "Split" if along(0) && node.output.len() == list.len() => {
            Ok(Some(list.iter().map(|p| Planes { list: vec![*p], axis: true }).collect()))
        }
        _ => Ok(None),
    }
}

fn numbers(tensor: &TensorProto) -> Option<i64> {
    match crate::model::shapes::integers(tensor)?[..] {
        [one] => Some(one),
        _ => None,
    }
}

/// Reverses the input channels of the convolutions that read these tensors; `false` if others read them too.
fn turn(graph: &mut GraphProto, ends: &[String]) -> Result<bool> {
    let reads = |n: &NodeProto| n.input.iter().any(|name| ends.contains(name));
    let mut weights: Vec<String> = Vec::new();
    for node in graph.node.iter().filter(|n| reads(n)) {
        let own = node.input.get(1).filter(|name| {
            let shape = stored(graph, name).map(|t| &t.dims[..]);
            node.op_type == "Conv" && matches!(shape, Some([_, 3, _, _]))
        });
        match own {
            Some(name) => weights.push(name.clone()),
            // A node of the chain itself is not there any more afterwards.
            None if follow_only(node) => {}
            None => return Ok(false),
        }
    }
    let uses =
        |name: &String| graph.node.iter().flat_map(|n| &n.input).filter(|i| *i == name).count();
    if weights.is_empty() || weights.iter().any(|name| uses(name) != 1) {
        return Ok(false);
    }
    for name in weights {
        let Some(tensor) = stored(graph, &name) else { return Ok(false) };
        let dims = tensor.dims.clone();
        let mut values = onnx::floats(tensor)?;
        let area = (dims[2] * dims[3]) as usize;
        for filter in values.chunks_mut(3 * area) {
            for i in 0..area {
                filter.swap(i, 2 * area + i);
            }
        }
        let turned = onnx::float_tensor(&name, &dims, &values);
        super::replace(graph, turned);
    }
    Ok(true)
}

/// Whether a node is of the kinds that [`follow`] understands.
fn follow_only(node: &NodeProto) -> bool {
    matches!(
        node.op_type.as_str(),
        "Identity"
            | "Gather"
            | "Unsqueeze"
            | "Slice"
            | "Split"
            | "Concat"
            | "Add"
            | "Sub"
            | "Mul"
            | "Div"
            | "BatchNormalization"
    )
}
