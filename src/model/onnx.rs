//! The ONNX file as data: decoding, validating, and the metadata by which it describes itself.
//!
//! Everything here treats the file as hostile: sizes are compared with the bytes that are really
//! there before anything is allocated.

use std::collections::{HashMap, HashSet};

use prost::Message;
use prost::bytes::Bytes;

use super::proto::{
    DataLocation, DataType, DimValue, Dimension, GraphProto, ModelProto, TensorProto,
    TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
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
        for attribute in &node.attribute {
            if let Some(tensor) = &attribute.t {
                check_tensor(tensor).map_err(|e| e.at(format_args!("node {:?}", node.name)))?;
            }
            if attribute.g.is_some() || !attribute.graphs.is_empty() {
                return Err(bad(format!(
                    "node {:?} ({}): control flow is not supported; export the network without it",
                    node.name, node.op_type
                )));
            }
        }
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

/// The number of elements that a tensor's shape declares.
fn elements(tensor: &TensorProto) -> Result<u64> {
    let count = tensor.dims.iter().try_fold(1u64, |product, &dim| {
        u64::try_from(dim).ok().and_then(|dim| product.checked_mul(dim))
    });
    match count {
        Some(count) if count <= MAX_ELEMENTS => Ok(count),
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
