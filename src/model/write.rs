//! Making and changing ONNX files.

#[cfg(feature = "cli")]
use prost::Message;

use super::proto::{AttributeProto, AttributeType, DataType, NodeProto, TensorProto};
#[cfg(feature = "cli")]
use super::proto::{ModelProto, StringStringEntryProto};

/// Serialises a model.
#[cfg(feature = "cli")]
#[must_use]
pub(super) fn encode(model: &ModelProto) -> Vec<u8> {
    model.encode_to_vec()
}

/// An `int8` tensor.
#[cfg(feature = "cli")]
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
        attribute: ints.iter().map(|&(name, i)| int_attribute(name, i)).collect(),
        ..NodeProto::default()
    }
}

/// An integer attribute.
pub(super) fn int_attribute(name: &str, i: i64) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: AttributeType::Int as i32,
        i,
        ..AttributeProto::default()
    }
}

/// An attribute of several integers.
#[cfg(feature = "cli")]
pub(super) fn ints_attribute(name: &str, ints: Vec<i64>) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: AttributeType::Ints as i32,
        ints,
        ..AttributeProto::default()
    }
}

/// A vector of `int64`.
pub(super) fn int64_tensor(name: &str, values: &[i64]) -> TensorProto {
    TensorProto {
        name: name.into(),
        dims: vec![values.len() as i64],
        data_type: DataType::Int64 as i32,
        raw_data: values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>().into(),
        ..TensorProto::default()
    }
}

#[cfg(feature = "cli")]
/// Sets a metadata entry, replacing one of the same key.
pub(super) fn set_metadata(model: &mut ModelProto, key: &str, value: String) {
    model.metadata_props.retain(|p| p.key != key);
    model.metadata_props.push(StringStringEntryProto { key: key.into(), value });
}
