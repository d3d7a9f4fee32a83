//! The ONNX file as data: decoding, validating, and the metadata by which it describes itself.
//!
//! Everything here treats the file as hostile: sizes are compared with the bytes that are really
//! there before anything is allocated.

use std::collections::{HashMap, HashSet};

use prost::Message;
use prost::bytes::Bytes;

use super::proto::{
    AttributeProto, AttributeType, DataLocation, DataType, DimValue, Dimension, GraphProto,
    ModelProto, NodeProto, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto,
    ValueInfoProto,
};
use crate::error::{Error, ErrorKind, Result};

/// Tensors beyond this many elements are refused; the largest of known image networks has 10^8.
const MAX_ELEMENTS: u64 = 1 << 28;

/// Decodes a model and checks that each stored tensor holds what it declares. Their data are slices
/// of `bytes`, which lives as long as one of them.
///
/// # Errors
/// `BadModel` with the name of what is wrong.
pub(super) fn decode(bytes: impl Into<Bytes>) -> Result<ModelProto> {
    let model = ModelProto::decode(bytes.into()).map_err(|cause| {
        Error::with_source(
            ErrorKind::BadModel,
            "this is not an ONNX file, or it is cut short",
            cause,
        )
    })?;
    let graph = graph(&model)?;
    if graph.node.is_empty() {
        return Err(Error::new(ErrorKind::BadModel, "the ONNX file holds no network"));
    }
    for tensor in &graph.initializer {
        check_tensor(tensor).map_err(|e| e.at(format_args!("tensor {:?}", tensor.name)))?;
    }
    for node in &graph.node {
        check_attributes(node).map_err(|e| e.at(place(node)))?;
    }
    Ok(model)
}

pub(super) fn bad(context: impl Into<String>) -> Error {
    Error::new(ErrorKind::BadModel, context)
}

pub(super) fn graph(model: &ModelProto) -> Result<&GraphProto> {
    model.graph.as_ref().ok_or_else(|| bad("the ONNX file holds no graph"))
}

pub(super) fn graph_mut(model: &mut ModelProto) -> Result<&mut GraphProto> {
    model.graph.as_mut().ok_or_else(|| bad("the ONNX file holds no graph"))
}

fn check_tensor(tensor: &TensorProto) -> Result<()> {
    if tensor.data_location == Some(DataLocation::External as i32)
        || !tensor.external_data.is_empty()
    {
        return Err(bad("its data is in another file; save the model as one file"));
    }
    let elements = elements(tensor)?;
    let width = match DataType::try_from(tensor.data_type) {
        Ok(DataType::Float | DataType::Int32 | DataType::Uint32) => 4,
        Ok(DataType::Double | DataType::Int64 | DataType::Uint64) => 8,
        Ok(DataType::Float16 | DataType::Bfloat16 | DataType::Int16 | DataType::Uint16) => 2,
        Ok(DataType::Int8 | DataType::Uint8 | DataType::Bool) => 1,
        Ok(DataType::String) => return Ok(()),
        _ => return Err(bad(format!("data type {} is not supported", tensor.data_type))),
    };
    let held = if tensor.raw_data.is_empty() {
        let listed = tensor.float_data.len()
            + tensor.int32_data.len()
            + tensor.int64_data.len()
            + tensor.double_data.len()
            + tensor.uint64_data.len();
        listed as u64
    } else {
        if !tensor.raw_data.len().is_multiple_of(width) {
            return Err(bad("its data ends within a number"));
        }
        (tensor.raw_data.len() / width) as u64
    };
    if held != elements {
        return Err(bad(format!(
            "its shape {:?} declares {elements} numbers, {held} are there",
            tensor.dims
        )));
    }
    Ok(())
}

/// The number of elements that a tensor's shape declares. A side of 0 does not excuse the others.
fn elements(tensor: &TensorProto) -> Result<u64> {
    let sides = tensor.dims.iter().try_fold(1u64, |product, &dim| {
        u64::try_from(dim).ok().and_then(|dim| product.checked_mul(dim.max(1)))
    });
    match sides {
        Some(count) if count <= MAX_ELEMENTS => {
            Ok(if tensor.dims.contains(&0) { 0 } else { count })
        }
        _ => Err(bad(format!("its shape {:?} is negative or too large", tensor.dims))),
    }
}

/// A tensor's numbers as `f32`. Checked by [`decode`] to be as many as its shape declares.
pub(super) fn floats(tensor: &TensorProto) -> Result<Vec<f32>> {
    let raw = &tensor.raw_data;
    let wrong = || bad(format!("tensor {:?}: expected real numbers", tensor.name));
    Ok(match DataType::try_from(tensor.data_type).map_err(|_| wrong())? {
        DataType::Float if raw.is_empty() => tensor.float_data.clone(),
        DataType::Float => raw.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
        DataType::Float16 if !raw.is_empty() => {
            raw.as_chunks::<2>().0.iter().map(|b| half::f16::from_le_bytes(*b).to_f32()).collect()
        }
        DataType::Double if !raw.is_empty() => {
            raw.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect()
        }
        DataType::Int8 if !raw.is_empty() => raw.iter().map(|&b| f32::from(b as i8)).collect(),
        DataType::Uint8 if !raw.is_empty() => raw.iter().map(|&b| f32::from(b)).collect(),
        DataType::Int32 if !raw.is_empty() => {
            raw.as_chunks::<4>().0.iter().map(|b| i32::from_le_bytes(*b) as f32).collect()
        }
        DataType::Int8 | DataType::Uint8 | DataType::Int32 => {
            tensor.int32_data.iter().map(|&v| v as f32).collect()
        }
        _ => return Err(wrong()),
    })
}

/// The attributes that this crate or tract reads, each with the type that it has to be of.
const ATTRIBUTES: [(&str, AttributeType); 24] = [
    ("strides", AttributeType::Ints),
    ("pads", AttributeType::Ints),
    ("dilations", AttributeType::Ints),
    ("kernel_shape", AttributeType::Ints),
    ("axes", AttributeType::Ints),
    ("perm", AttributeType::Ints),
    ("split", AttributeType::Ints),
    ("shape", AttributeType::Ints),
    ("axis", AttributeType::Int),
    ("group", AttributeType::Int),
    ("keepdims", AttributeType::Int),
    ("ceil_mode", AttributeType::Int),
    ("count_include_pad", AttributeType::Int),
    ("storage_order", AttributeType::Int),
    ("to", AttributeType::Int),
    ("size", AttributeType::Int),
    ("blocksize", AttributeType::Int),
    ("transA", AttributeType::Int),
    ("transB", AttributeType::Int),
    ("epsilon", AttributeType::Float),
    ("alpha", AttributeType::Float),
    ("beta", AttributeType::Float),
    ("auto_pad", AttributeType::String),
    ("mode", AttributeType::String),
];

/// Whether a node's attributes are each there once, and of the type that they have to be.
fn check_attributes(node: &NodeProto) -> Result<()> {
    for (i, attribute) in node.attribute.iter().enumerate() {
        let name = attribute.name.as_str();
        if node.attribute[..i].iter().any(|other| other.name == name) {
            return Err(bad(format!("attribute {name} is there twice")));
        }
        let wanted = ATTRIBUTES.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind);
        // Files of old exporters leave the type out.
        let given = AttributeType::try_from(attribute.r#type).unwrap_or(AttributeType::Undefined);
        if wanted.is_some_and(|wanted| given != wanted && given != AttributeType::Undefined) {
            return Err(bad(format!("attribute {name} is of the wrong type")));
        }
        if attribute.g.is_some() || !attribute.graphs.is_empty() {
            return Err(bad("control flow is not supported; export the network without it"));
        }
        if let Some(tensor) = &attribute.t {
            check_tensor(tensor).map_err(|e| e.at(format_args!("attribute {name}")))?;
        }
    }
    Ok(())
}

/// Where a message points to.
pub(super) fn place(node: &NodeProto) -> String {
    let name = if node.name.is_empty() { node.output.first() } else { Some(&node.name) };
    format!("node {:?} ({})", name.map_or("", String::as_str), node.op_type)
}

fn attribute<'a>(node: &'a NodeProto, name: &str) -> Option<&'a AttributeProto> {
    node.attribute.iter().find(|a| a.name == name)
}

/// An integer attribute; `None` where it is not there.
pub(super) fn int(node: &NodeProto, name: &str) -> Option<i64> {
    attribute(node, name).map(|a| a.i)
}

/// A real attribute.
pub(super) fn real(node: &NodeProto, name: &str) -> Option<f32> {
    attribute(node, name).map(|a| a.f)
}

/// An attribute of several integers.
pub(super) fn ints<'a>(node: &'a NodeProto, name: &str) -> Option<&'a [i64]> {
    attribute(node, name).map(|a| &a.ints[..])
}

/// An attribute of text; empty where it is not there.
pub(super) fn text<'a>(node: &'a NodeProto, name: &str) -> &'a [u8] {
    attribute(node, name).map_or(&b""[..], |a| &a.s[..])
}

/// A little-endian `f32` tensor.
#[cfg(feature = "tract")]
pub(super) fn float_tensor(name: &str, dims: &[i64], values: &[f32]) -> TensorProto {
    TensorProto {
        name: name.into(),
        dims: dims.to_vec(),
        data_type: DataType::Float as i32,
        raw_data: values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>().into(),
        ..TensorProto::default()
    }
}

/// A `f32` graph input or output; `None` for dimensions that are not fixed.
pub(super) fn value_info(name: &str, dims: &[Option<i64>]) -> ValueInfoProto {
    let dim = dims.iter().map(|&d| Dimension { value: d.map(DimValue::Value) }).collect();
    ValueInfoProto {
        name: name.into(),
        r#type: Some(TypeProto {
            tensor_type: Some(TensorTypeProto {
                elem_type: DataType::Float as i32,
                shape: Some(TensorShapeProto { dim }),
            }),
        }),
    }
}

/// The dimensions of a graph input, `None` where not fixed.
#[cfg(feature = "tract")]
pub(super) fn dims(info: &ValueInfoProto) -> Option<Vec<Option<i64>>> {
    let tensor = info.r#type.as_ref()?.tensor_type.as_ref()?;
    let dims = tensor.shape.as_ref()?.dim.iter().map(|d| match d.value {
        Some(DimValue::Value(v)) if v > 0 => Some(v),
        _ => None,
    });
    Some(dims.collect())
}

/// The one graph input that is not an initializer.
#[cfg(feature = "tract")]
pub(super) fn input(graph: &GraphProto) -> Result<&ValueInfoProto> {
    let stored: HashSet<&str> = graph.initializer.iter().map(|t| t.name.as_str()).collect();
    let mut inputs = graph.input.iter().filter(|i| !stored.contains(i.name.as_str()));
    match (inputs.next(), inputs.next()) {
        (Some(input), None) => Ok(input),
        (None, _) => Err(bad("what was chosen of the network does not depend on an input")),
        (Some(_), Some(second)) => Err(bad(format!(
            "the network has a second input, {:?}; an image network with one is needed",
            second.name
        ))),
    }
}

/// The numbers of a stored tensor that differs from channel to channel alone, where it meets a tensor of `rank` axes: one
/// for each channel, or one for all.
pub(super) fn along_channels(tensor: &TensorProto, rank: usize) -> Option<Vec<f32>> {
    if tensor.data_type != DataType::Float as i32 || tensor.dims.len() > rank {
        return None;
    }
    let ahead = rank - tensor.dims.len();
    if tensor.dims.iter().enumerate().any(|(i, d)| *d != 1 && ahead + i != 1) {
        return None;
    }
    floats(tensor).ok().filter(|v| !v.is_empty())
}

/// Keeps only what the tensors in `outputs` depend on, and makes them the graph's outputs.
pub(super) fn cut(graph: &mut GraphProto, outputs: &[String]) -> Result<()> {
    let makers: HashMap<&str, usize> = graph
        .node
        .iter()
        .enumerate()
        .flat_map(|(i, n)| n.output.iter().map(move |o| (o.as_str(), i)))
        .collect();
    let mut needed = vec![false; graph.node.len()];
    let mut used: HashSet<String> = HashSet::new();
    let mut open: Vec<&str> = Vec::new();
    for output in outputs {
        if !makers.contains_key(output.as_str()) {
            return Err(bad(format!("the network has no tensor {output:?}")));
        }
        open.push(output);
    }
    while let Some(tensor) = open.pop() {
        if !used.insert(tensor.to_owned()) {
            continue;
        }
        if let Some(&maker) = makers.get(tensor) {
            needed[maker] = true;
            open.extend(
                graph.node[maker].input.iter().map(String::as_str).filter(|s| !s.is_empty()),
            );
        }
    }
    let mut keep = needed.into_iter();
    graph.node.retain(|_| keep.next().unwrap_or(false));
    graph.initializer.retain(|t| used.contains(&t.name));
    graph.input.retain(|i| used.contains(&i.name));
    graph.output = outputs.iter().map(|name| value_info(name, &[None; 4])).collect();
    Ok(())
}

/// The version of the operators that the file uses; 0 if it does not say.
#[cfg(feature = "tract")]
pub(super) fn opset(model: &ModelProto) -> i64 {
    let standard = |domain: &str| matches!(domain, "" | "ai.onnx");
    model.opset_import.iter().find(|o| standard(&o.domain)).map_or(0, |o| o.version)
}

/// The value of a metadata entry.
pub(super) fn metadata<'a>(model: &'a ModelProto, key: &str) -> Option<&'a str> {
    model.metadata_props.iter().find(|p| p.key == key).map(|p| p.value.as_str())
}

#[cfg(all(test, feature = "cli"))]
mod tests {
    use super::super::proto::NodeProto;
    use super::super::write::{encode, node};
    use super::*;

    fn model(initializer: Vec<TensorProto>, node: Vec<NodeProto>) -> ModelProto {
        let graph = GraphProto { node, initializer, ..GraphProto::default() };
        ModelProto { graph: Some(graph), ..ModelProto::default() }
    }

    fn refused(model: &ModelProto) -> String {
        let error = decode(encode(model)).expect_err("should be refused");
        assert_eq!(error.kind(), ErrorKind::BadModel);
        error.to_string()
    }

    #[test]
    fn tensors_must_hold_what_they_declare() {
        let relu = || vec![node("Relu", &["x"], "y", &[])];
        assert!(refused(&model(vec![], vec![])).contains("no network"));
        let mut lie = float_tensor("w", &[1000, 1000, 1000], &[1.0]);
        assert!(refused(&model(vec![lie.clone()], relu())).contains("\"w\""));
        lie.dims = vec![100, 100];
        assert!(refused(&model(vec![lie.clone()], relu())).contains("10000 numbers, 1 are there"));
        lie.dims = vec![-1];
        assert!(refused(&model(vec![lie.clone()], relu())).contains("negative"));
        lie.dims = vec![i64::MAX, i64::MAX];
        assert!(refused(&model(vec![lie], relu())).contains("too large"));
        let mut short = float_tensor("w", &[1], &[1.0]);
        short.raw_data.truncate(3);
        assert!(refused(&model(vec![short], relu())).contains("within a number"));
        assert!(decode(&b"<html>404</html>"[..]).is_err());
    }

    #[test]
    fn cutting_drops_what_is_behind() {
        let mut m = model(
            vec![float_tensor("w", &[1], &[1.0]), float_tensor("v", &[1], &[1.0])],
            vec![node("Mul", &["x", "w"], "a", &[]), node("Mul", &["a", "v"], "b", &[])],
        );
        let g = graph_mut(&mut m).unwrap();
        cut(g, &["a".into()]).unwrap();
        assert_eq!((g.node.len(), g.initializer.len()), (1, 1));
        assert!(cut(g, &["nowhere".into()]).is_err());
    }
}
