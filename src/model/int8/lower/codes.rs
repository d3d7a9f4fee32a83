//! Codes and what they mean: `QuantizeLinear`, `DequantizeLinear`.

use super::{Lowering, Quant, Result, Value, broken, ratio, unsupported};
use crate::kernels::{Clamp, quantise};
use crate::model::int8::program::{Op, Tensor};
use crate::model::onnx::{self, int};
use crate::model::proto::{DataType, NodeProto, TensorProto};

impl<'a> Lowering<'a> {
    /// Scales and zero points (as for `u8`) of a Q or DQ node, and whether its codes are signed.
    fn params(&self, node: &NodeProto) -> Result<(Vec<f32>, Vec<i32>, Option<bool>)> {
        let stored = |i: usize| {
            node.input.get(i).filter(|n| !n.is_empty()).map(|n| self.stored.get(n.as_str()))
        };
        let Some(Some(scale)) = stored(1) else {
            return unsupported("its scale is not a constant");
        };
        let scales = onnx::floats(scale)?;
        if scales.is_empty() || !scales.iter().all(|s| s.is_finite() && *s > 0.0) {
            return broken("a scale is not a number above 0");
        }
        let (zeros, signed) = match stored(2) {
            None => (vec![0; scales.len()], None),
            Some(None) => return unsupported("its zero point is not a constant"),
            Some(Some(zero)) => {
                let signed = match DataType::try_from(zero.data_type) {
                    Ok(DataType::Uint8) => false,
                    Ok(DataType::Int8 | DataType::Int32) => true,
                    _ => return unsupported("its codes are not of 8 bits"),
                };
                let (lo, hi) = if signed { (-128.0, 127.0) } else { (0.0, 255.0) };
                let zeros = onnx::floats(zero)?;
                if zeros.iter().any(|z| !(lo..=hi).contains(z)) {
                    return broken("a zero point is outside the range of its type");
                }
                (zeros.into_iter().map(|z| z as i32).collect(), Some(signed))
            }
        };
        if zeros.len() != scales.len() {
            return broken(format!("{} scales, {} zero points", scales.len(), zeros.len()));
        }
        Ok((scales, zeros, signed))
    }

    /// Scale and zero point of activations.
    fn activation(&self, node: &NodeProto) -> Result<Quant> {
        let (scales, zeros, signed) = self.params(node)?;
        match (&scales[..], &zeros[..]) {
            // Signed codes are kept as unsigned ones, 128 higher; no one sees the difference.
            ([scale], [zero]) => {
                let zero_point = (zero + if signed == Some(true) { 128 } else { 0 }) as u8;
                Ok(Quant { scale: *scale, zero_point })
            }
            _ => unsupported("activations have a scale for each channel"),
        }
    }

    pub(super) fn dequantise(&mut self, node: &'a NodeProto) -> Result<Value<'a>> {
        let Some(name) = node.input.first() else { return broken("input 0 is missing") };
        if let Some(tensor) = self.stored.get(name.as_str()) {
            let (scales, zeros, _) = self.params(node)?;
            let data_type = DataType::try_from(tensor.data_type);
            if data_type == Ok(DataType::Int32) && tensor.dims.len() <= 1 {
                let codes = integers(tensor)?;
                if scales.len() != 1 && scales.len() != codes.len() {
                    return broken(format!("{} scales for {} numbers", scales.len(), codes.len()));
                }
                let values = codes
                    .iter()
                    .enumerate()
                    .map(|(i, q)| (q * f64::from(scales[i % scales.len()])) as f32);
                return Ok(Value::Vector(values.collect()));
            }
            if data_type != Ok(DataType::Int8) || zeros.iter().any(|z| *z != 0) {
                return unsupported("weights are not symmetric int8");
            }
            let channels = tensor.dims.first().copied().unwrap_or(0);
            if scales.len() != 1
                && (scales.len() as i64 != channels || int(node, "axis").unwrap_or(1) != 0)
            {
                return unsupported("scales are not per output channel");
            }
            return Ok(Value::Weights { tensor, scales });
        }
        let Value::Codes(id) = self.value(node, 0)? else {
            return unsupported("its input is not quantised");
        };
        let to = self.activation(node)?;
        let from = self.builder.get(id);
        if (from.scale, from.zero_point) != (to.scale, to.zero_point) {
            return unsupported("its scale is not that of its input");
        }
        Ok(Value::Real(id))
    }

    pub(super) fn quantise(&mut self, node: &'a NodeProto) -> Result<Value<'a>> {
        let to = self.activation(node)?;
        match self.value(node, 0)? {
            Value::Input => {
                let tensor =
                    Tensor { shape: self.shape, scale: to.scale, zero_point: to.zero_point };
                Ok(Value::Codes(self.builder.tensor(tensor)?))
            }
            Value::Real(id) => {
                let from = self.builder.get(id);
                if (from.scale, from.zero_point) == (to.scale, to.zero_point) {
                    return Ok(Value::Codes(id));
                }
                let clamp = Clamp { zero_point: to.zero_point, lo: 0, hi: 255 };
                let op = Op::Requantise { scale: ratio(from.scale, to.scale)?, clamp };
                let tensor =
                    Tensor { shape: from.shape, scale: to.scale, zero_point: to.zero_point };
                Ok(Value::Codes(self.builder.node(&node.name, op, vec![id], tensor)?))
            }
            Value::Pending { node: origin, work, lo, hi } => {
                self.only_reader(node)?;
                Ok(Value::Codes(self.emit(origin, work, lo, hi, to)?))
            }
            Value::Curve { input, tables } => {
                let from = self.builder.get(input);
                if tables.len() != 1 && tables.len() != from.shape.c {
                    return unsupported("its numbers are not one for each channel");
                }
                if tables.iter().flatten().any(|x| x.is_nan()) {
                    return unsupported("it quantises what is not a number");
                }
                let coded = tables.iter().map(|table| {
                    let mut codes = [0; 256];
                    quantise(to.scale, to.zero_point, table, &mut codes);
                    codes
                });
                let op = Op::Table(coded.collect());
                let tensor =
                    Tensor { shape: from.shape, scale: to.scale, zero_point: to.zero_point };
                Ok(Value::Codes(self.builder.node(&node.name, op, vec![input], tensor)?))
            }
            _ => unsupported("it quantises a constant"),
        }
    }
}

/// The codes of an `int32` tensor, which `f32` could not hold. Its length was checked when the file was decoded.
fn integers(tensor: &TensorProto) -> Result<Vec<f64>> {
    Ok(if tensor.raw_data.is_empty() {
        tensor.int32_data.iter().map(|q| f64::from(*q)).collect()
    } else {
        tensor
            .raw_data
            .as_chunks::<4>()
            .0
            .iter()
            .map(|b| f64::from(i32::from_le_bytes(*b)))
            .collect()
    })
}
