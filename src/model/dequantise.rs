//! `DequantizeLinear` of stored codes.

use super::onnx::{self, bad, float_tensor, floats};
use super::proto::{NodeProto, TensorProto};
use crate::error::Result;

/// The `f32` tensor that a node gives for stored codes, per tensor or per channel; it has the name of the node's result.
///
/// # Errors
/// `BadModel` if scales or zero points do not fit.
pub(super) fn tensor(
    node: &NodeProto,
    values: &TensorProto,
    scale: &TensorProto,
    zero: Option<&TensorProto>,
) -> Result<TensorProto> {
    let Some(output) = node.output.first() else { return Err(bad("it has no output")) };
    let scales = floats(scale)?;
    if scales.is_empty() || !scales.iter().all(|s| s.is_finite() && *s > 0.0) {
        return Err(bad("a scale is not a number above 0"));
    }
    let zeros = match zero {
        Some(zero) => floats(zero)?,
        None => vec![0.0; scales.len()],
    };
    if zeros.len() != scales.len() {
        return Err(bad(format!("{} scales, {} zero points", scales.len(), zeros.len())));
    }
    let mut numbers = floats(values)?;
    if scales.len() == 1 {
        numbers.iter_mut().for_each(|x| *x = (*x - zeros[0]) * scales[0]);
    } else {
        let rank = values.dims.len() as i64;
        let axis = onnx::int(node, "axis").unwrap_or(1);
        let axis = if axis < 0 { axis.saturating_add(rank) } else { axis };
        let channels = usize::try_from(axis).ok().and_then(|a| values.dims.get(a)).copied();
        if channels != Some(scales.len() as i64) {
            return Err(bad(format!(
                "{} scales do not fit axis {axis} of shape {:?}",
                scales.len(),
                values.dims
            )));
        }
        let inner: i64 = values.dims[axis as usize + 1..].iter().product();
        for (run, chunk) in numbers.chunks_mut((inner as usize).max(1)).enumerate() {
            let channel = run % scales.len();
            chunk.iter_mut().for_each(|x| *x = (*x - zeros[channel]) * scales[channel]);
        }
    }
    Ok(float_tensor(output, &values.dims, &numbers))
}
