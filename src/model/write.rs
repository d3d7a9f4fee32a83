//! Making and changing ONNX files. Native only.

use std::collections::HashSet;

use prost::Message;

use super::onnx::bad;
use super::proto::{
    AttributeProto, AttributeType, DataType, DimValue, GraphProto, ModelProto, NodeProto,
    StringStringEntryProto, TensorProto, ValueInfoProto,
};
use crate::error::Result;

/// Serialises a model.
#[must_use]
pub(super) fn encode(model: &ModelProto) -> Vec<u8> {
    model.encode_to_vec()
}

/// An `int8` tensor.
pub(super) fn int8_tensor(name: &str, dims: &[i64], values: &[i8]) -> TensorProto {
    TensorProto {
        name: name.into(),
        dims: dims.to_vec(),
        data_type: DataType::Int8 as i32,
        raw_data: values.iter().map(|&v| v as u8).collect::<Vec<_>>().into(),
        ..TensorProto::default()
    }
}

/// A node with integer attributes.
pub(super) fn node(
    op_type: &str,
    inputs: &[&str],
    output: &str,
    ints: &[(&str, i64)],
) -> NodeProto {
    NodeProto {
        op_type: op_type.into(),
        name: output.into(),
        input: inputs.iter().map(ToString::to_string).collect(),
        output: vec![output.into()],
        attribute: ints
            .iter()
            .map(|&(name, i)| AttributeProto {
                name: name.into(),
                r#type: AttributeType::Int as i32,
                i,
                ..AttributeProto::default()
            })
            .collect(),
        ..NodeProto::default()
    }
}

/// The dimensions of a graph input, `None` where not fixed.
pub(super) fn dims(info: &ValueInfoProto) -> Option<Vec<Option<i64>>> {
    let tensor = info.r#type.as_ref()?.tensor_type.as_ref()?;
    let dims = tensor.shape.as_ref()?.dim.iter().map(|d| match d.value {
        Some(DimValue::Value(v)) if v > 0 => Some(v),
        _ => None,
    });
    Some(dims.collect())
}

/// The one graph input that is not an initializer.
pub(super) fn input(graph: &GraphProto) -> Result<&ValueInfoProto> {
    let stored: HashSet<&str> = graph.initializer.iter().map(|t| t.name.as_str()).collect();
    let mut inputs = graph.input.iter().filter(|i| !stored.contains(i.name.as_str()));
    match (inputs.next(), inputs.next()) {
        (Some(input), None) => Ok(input),
        (None, _) => Err(bad("the network has no input")),
        (Some(_), Some(second)) => Err(bad(format!(
            "the network has a second input, {:?}; an image network with one is needed",
            second.name
        ))),
    }
}

/// Sets a metadata entry, replacing one of the same key.
pub(super) fn set_metadata(model: &mut ModelProto, key: &str, value: String) {
    model.metadata_props.retain(|p| p.key != key);
    model.metadata_props.push(StringStringEntryProto { key: key.into(), value });
}
