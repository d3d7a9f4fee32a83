//! Weights that are stored as something else than real numbers under their own name: halves, results of `Constant`,
//! `Identity`, `Cast`, `Reshape`, `Transpose`, `DequantizeLinear` and arithmetic on them.

use std::collections::{HashMap, HashSet};

use super::layout::transposed;
use crate::error::Result;
use crate::model::dequantise;
use crate::model::onnx::{self, bad, float_tensor, floats, place};
use crate::model::proto::{DataType, GraphProto, ModelProto, NodeProto, TensorProto};
use crate::model::shapes::Facts;
use crate::model::write;

/// Makes a network of halves one of `f32`; every half is one exactly.
///
/// # Errors
/// `BadModel` with advice for types that are not read: `bfloat16` and `double`.
pub(in crate::model) fn only_f32(model: &mut ModelProto) -> Result<()> {
    let graph = onnx::graph_mut(model)?;
    for tensor in &mut graph.initializer {
        single(tensor).map_err(|e| e.at(format_args!("tensor {:?}", tensor.name)))?;
    }
    for node in &mut graph.node {
        let at = place(node);
        let cast = node.op_type == "Cast";
        for attribute in &mut node.attribute {
            if let Some(tensor) = &mut attribute.t {
                single(tensor).map_err(|e| e.at(&at))?;
            }
            if cast && attribute.name == "to" && attribute.i == DataType::Float16 as i64 {
                attribute.i = DataType::Float as i64;
            }
        }
    }
    for value in graph.input.iter_mut().chain(&mut graph.output) {
        let name = value.name.clone();
        let Some(tensor) = value.r#type.as_mut().and_then(|t| t.tensor_type.as_mut()) else {
            continue;
        };
        match DataType::try_from(tensor.elem_type) {
            Ok(DataType::Float16) => tensor.elem_type = DataType::Float as i32,
            Ok(kind @ (DataType::Bfloat16 | DataType::Double)) => {
                return Err(wrong_type(kind).at(format_args!("{name:?}")));
            }
            _ => {}
        }
    }
    Ok(())
}

fn wrong_type(kind: DataType) -> error::Error {
    bad(format!(
        "its numbers are of type {kind:?}, which is not read: export the network in float32 \
         (torch: model.float(); Keras: float32 as the dtype policy)"
    ))
}

fn single(tensor: &mut TensorProto) -> Result<()> {
    match DataType::try_from(tensor.data_type) {
        Ok(DataType::Float16) => {
            *tensor = float_tensor(&tensor.name, &tensor.dims, &floats(tensor)?);
            Ok(())
        }
        Ok(kind @ (DataType::Bfloat16 | DataType::Double)) => Err(wrong_type(kind)),
        _ => Ok(()),
    }
}

/// Computes real tensors that nodes make of stored ones, and stores them.
///
/// # Errors
/// `BadModel` if what is computed makes no sense.
pub(super) fn fold(graph: &mut GraphProto, facts: &Facts) -> Result<()> {
    let mut made: HashMap<String, TensorProto> = HashMap::new();
    let stored: HashMap<&str, &TensorProto> =
        graph.initializer.iter().map(|t| (t.name.as_str(), t)).collect();
    let mut folded: HashSet<usize> = HashSet::new();
    for (i, node) in graph.node.iter().enumerate() {
        let find = |i: usize| {
            let name = node.input.get(i)?;
            made.get(name).or_else(|| stored.get(name.as_str()).copied())
        };
        let Some(tensor) = computed(node, &find, facts).map_err(|e| e.at(place(node)))? else {
            continue;
        };
        made.insert(tensor.name.clone(), tensor);
        folded.insert(i);
    }
    if folded.is_empty() {
        return Ok(());
    }
    let mut at = 0..;
    graph.node.retain(|_| !at.next().is_some_and(|i| folded.contains(&i)));
    let mut made: Vec<TensorProto> = made.into_values().collect();
    // A fixed order, whatever the hash map's was.
    made.sort_by(|a, b| a.name.cmp(&b.name));
    graph.initializer.append(&mut made);
    let used: HashSet<&str> =
        graph.node.iter().flat_map(|n| n.input.iter().map(String::as_str)).collect();
    graph.initializer.retain(|t| used.contains(t.name.as_str()));
    Ok(())
}

/// What a node gives, if it is a tensor that can be stored: a constant, or real numbers made of stored ones.
fn computed<'a>(
    node: &NodeProto,
    find: &dyn Fn(usize) -> Option<&'a TensorProto>,
    facts: &Facts,
) -> Result<Option<TensorProto>> {
    let (Some(output), Some(fact)) = (node.output.first(), facts.get(&node.output[0])) else {
        return Ok(None);
    };
    let dims: Vec<i64> = fact.dims.iter().map(|d| *d as i64).collect();
    if node.op_type == "Constant" {
        return Ok(constant(node, output, &dims));
    }
    let first = find(0).filter(|_| fact.constant && fact.real);
    let Some(first) = first else { return Ok(None) };
    if !matches!(node.op_type.as_str(), "DequantizeLinear" | "Cast")
        && first.data_type != DataType::Float as i32
    {
        return Ok(None);
    }
    let real = |values: &[f32]| Ok(Some(float_tensor(output, &dims, values)));
    let each = |f: fn(f32) -> f32| real(&floats(first)?.into_iter().map(f).collect::<Vec<_>>());
    match node.op_type.as_str() {
        "DequantizeLinear" => {
            let (Some(scale), zero) = (find(1), find(2)) else { return Ok(None) };
            dequantise::tensor(node, first, scale, zero).map(Some)
        }
        "Identity" | "Dropout" | "Reshape" | "Squeeze" | "Unsqueeze" | "Flatten" => {
            real(&floats(first)?)
        }
        "Cast" => match DataType::try_from(first.data_type) {
            Ok(DataType::Float | DataType::Int8 | DataType::Uint8 | DataType::Int32) => {
                real(&floats(first)?)
            }
            _ => Ok(None),
        },
        "Transpose" => {
            let order: Vec<usize> = match onnx::ints(node, "perm") {
                Some(perm) => perm.iter().map(|p| *p as usize).collect(),
                None => (0..first.dims.len()).rev().collect(),
            };
            Ok(Some(TensorProto { name: output.clone(), ..transposed(first, &order)? }))
        }
        "Neg" => each(|x| -x),
        "Sqrt" => each(f32::sqrt),
        "Reciprocal" => each(f32::recip),
        "Add" | "Sub" | "Mul" | "Div" => {
            let Some(second) = find(1).filter(|t| t.data_type == DataType::Float as i32) else {
                return Ok(None);
            };
            let (a, b) = (spread(first, &fact.dims)?, spread(second, &fact.dims)?);
            let apply: fn(f32, f32) -> f32 = match node.op_type.as_str() {
                "Add" => |a, b| a + b,
                "Sub" => |a, b| a - b,
                "Mul" => |a, b| a * b,
                _ => |a, b| a / b,
            };
            real(&a.into_iter().zip(b).map(|(a, b)| apply(a, b)).collect::<Vec<_>>())
        }
        _ => Ok(None),
    }
}

fn constant(node: &NodeProto, output: &str, dims: &[i64]) -> Option<TensorProto> {
    let attribute = node.attribute.first()?;
    match attribute.name.as_str() {
        "value" => Some(TensorProto { name: output.into(), ..attribute.t.clone()? }),
        "value_float" => Some(float_tensor(output, dims, &[attribute.f])),
        "value_floats" => Some(float_tensor(output, dims, &attribute.floats)),
        "value_int" => {
            Some(TensorProto { dims: dims.to_vec(), ..write::int64_tensor(output, &[attribute.i]) })
        }
        "value_ints" => Some(write::int64_tensor(output, &attribute.ints)),
        _ => None,
    }
}

/// A tensor's numbers, repeated so that they fill `dims`, to which its shape broadcasts.
fn spread(tensor: &TensorProto, dims: &[usize]) -> Result<Vec<f32>> {
    let values = floats(tensor)?;
    let count = dims.iter().product();
    let ahead = dims.len() - tensor.dims.len();
    let at = |mut flat: usize| {
        let (mut at, mut stride) = (0, 1);
        for (axis, side) in dims.iter().enumerate().rev() {
            let index = flat % side;
            flat /= side;
            if let Some(own) = axis.checked_sub(ahead).map(|axis| tensor.dims[axis] as usize) {
                if own > 1 {
                    at += index * stride;
                }
                stride *= own;
            }
        }
        values[at]
    };
    Ok((0..count).map(at).collect())
}

/// Takes out nodes that change nothing: `Identity`, `Dropout`, a `Cast` of real numbers to real numbers.
pub(super) fn bypass(graph: &mut GraphProto, facts: &Facts, layers: &mut [String]) {
    let real = |name: &String| facts.get(name).is_some_and(|fact| fact.real);
    let mut others: HashMap<String, String> = HashMap::new();
    let input = onnx::input(graph).map(|input| input.name.clone()).unwrap_or_default();
    graph.node.retain_mut(|node| {
        for name in &mut node.input {
            if let Some(other) = others.get(name) {
                name.clone_from(other);
            }
        }
        let (Some(from), Some(to)) = (node.input.first(), node.output.first()) else { return true };
        let nothing = match node.op_type.as_str() {
            "Identity" | "Dropout" => true,
            "Cast" => real(from) && real(to),
            _ => false,
        };
        // A layer has to be a node's result.
        let kept = !nothing || (*from == input && layers.contains(to));
        if !kept {
            others.insert(to.clone(), from.clone());
        }
        kept
    });
    for layer in layers {
        if let Some(other) = others.get(layer) {
            layer.clone_from(other);
        }
    }
}
