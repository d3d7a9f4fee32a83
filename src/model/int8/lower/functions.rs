//! Functions of numbers, products, and what only renames axes or frames a map.

use super::super::curve::{self, Tables};
use super::{Lowering, Result, Value, Work, broken, pending, unsupported, window};
use crate::kernels::{Shape, Window};
use crate::model::int8::program::{Op, Tensor};
use crate::model::onnx::{self, int, ints, text};
use crate::model::proto::{DataType, NodeProto, TensorProto};

impl<'a> Lowering<'a> {
    fn stored(&self, node: &NodeProto, i: usize) -> Option<&'a TensorProto> {
        self.stored.get(node.input.get(i)?.as_str()).copied()
    }

    /// The bounds of a `Clip`.
    pub(super) fn bounds(&self, node: &NodeProto) -> Result<(f32, f32)> {
        let bound = |i: usize, default: f32| match node.input.get(i).map(String::as_str) {
            None | Some("") => Ok(default),
            Some(_) => match self.stored(node, i).map(onnx::floats).transpose()?.as_deref() {
                Some([x]) if !x.is_nan() => Ok(*x),
                _ => unsupported("a bound is not a constant number"),
            },
        };
        let (lo, hi) = (bound(1, f32::NEG_INFINITY)?, bound(2, f32::INFINITY)?);
        if lo > hi {
            return broken(format!("the range {lo}..{hi} is empty"));
        }
        Ok((lo, hi))
    }

    /// What a value is of the codes of one tensor, if it is that.
    fn curve(&self, value: Value<'a>) -> Option<(usize, Tables)> {
        match value {
            Value::Real(id) => {
                let tensor = self.builder.get(id);
                let real = |code: usize| {
                    (code as i32 - i32::from(tensor.zero_point)) as f32 * tensor.scale
                };
                Some((id, vec![std::array::from_fn(real)]))
            }
            Value::Curve { input, tables } => Some((input, tables)),
            _ => None,
        }
    }

    /// A function of each number of a node's first input.
    pub(super) fn function(&self, node: &NodeProto, f: impl Fn(f64) -> f64) -> Result<Value<'a>> {
        match self.curve(self.value(node, 0)?) {
            Some((input, tables)) => Ok(Value::Curve { input, tables: curve::map(&tables, f) }),
            None => unsupported(format!("{:?} is not quantised", node.input[0])),
        }
    }

    pub(super) fn unary(&self, node: &NodeProto) -> Result<Value<'a>> {
        match curve::unary(node) {
            Some(f) => self.function(node, f),
            None => unsupported("there is no kernel for it"),
        }
    }

    pub(super) fn batch_norm(&self, node: &NodeProto) -> Result<Value<'a>> {
        let parameters = [1, 2, 3, 4].map(|i| self.stored(node, i).map(onnx::floats));
        let [Some(gamma), Some(beta), Some(mean), Some(var)] = parameters else {
            return unsupported("its parameters are not constants");
        };
        let (gamma, beta, mean, var) = (gamma?, beta?, mean?, var?);
        let Some((input, tables)) = self.curve(self.value(node, 0)?) else {
            return unsupported(format!("{:?} is not quantised", node.input[0]));
        };
        let channels = self.builder.get(input).shape.c;
        if [&gamma, &beta, &mean, &var].iter().any(|v| v.len() != channels) {
            return broken(format!("its parameters are not for {channels} channels"));
        }
        let epsilon = f64::from(onnx::real(node, "epsilon").unwrap_or(1e-5));
        let each = (0..channels).map(|c| {
            let [gamma, beta, mean, var] = [gamma[c], beta[c], mean[c], var[c]].map(f64::from);
            let factor = gamma / (var + epsilon).sqrt();
            tables[c % tables.len()].map(|x| ((f64::from(x) - mean) * factor + beta) as f32)
        });
        Ok(Value::Curve { input, tables: each.collect() })
    }

    /// An operator of two tensors: a function of one tensor's codes, a sum, or a product.
    pub(super) fn binary(&self, node: &'a NodeProto) -> Result<Value<'a>> {
        let op = node.op_type.as_str();
        let (Some(f), 2) = (curve::binary(op), node.input.len()) else {
            return unsupported("not of two inputs");
        };
        let constants = [0, 1].map(|i| self.stored(node, i).map(|t| onnx::along_channels(t, 4)));
        let operand = |i: usize| -> Result<Option<(usize, Tables)>> {
            match &constants[i] {
                Some(Some(values)) => {
                    Ok(Some((usize::MAX, values.iter().map(|x| [*x; 256]).collect())))
                }
                Some(None) => unsupported(format!("{:?} varies within a channel", node.input[i])),
                None => Ok(self.curve(self.value(node, i)?)),
            }
        };
        if let (Some((a, a_tables)), Some((b, b_tables))) = (operand(0)?, operand(1)?) {
            let input = a.min(b);
            if a == b || a.max(b) == usize::MAX {
                if input == usize::MAX {
                    return unsupported("both inputs are constants");
                }
                return match curve::zip(&a_tables, &b_tables, f) {
                    Some(tables) => Ok(Value::Curve { input, tables }),
                    None => broken("its constant does not fit the channels"),
                };
            }
        }
        let (a, b) = (self.real(node, 0)?, self.real(node, 1)?);
        let shapes = [a, b].map(|id| self.builder.get(id).shape);
        let pixel = |s: Shape| s.h * s.w == 1;
        match op {
            "Add" if shapes[0] == shapes[1] => Ok(pending(node, Work::Add { inputs: [a, b] })),
            "Mul" if shapes[0] == shapes[1] || (pixel(shapes[1]) && shapes[0].c == shapes[1].c) => {
                Ok(pending(node, Work::Multiply { inputs: [a, b] }))
            }
            "Mul" if pixel(shapes[0]) && shapes[0].c == shapes[1].c => {
                Ok(pending(node, Work::Multiply { inputs: [b, a] }))
            }
            "Add" | "Mul" => unsupported("the shapes differ"),
            _ => unsupported("there is no kernel for it on two maps"),
        }
    }

    /// Of a pool, or of one over the whole map.
    pub(super) fn window_of(&self, node: &NodeProto, shape: Shape) -> Result<Window> {
        match node.op_type.as_str() {
            "GlobalAveragePool" | "GlobalMaxPool" => {}
            "ReduceMean" => {
                let axes = match ints(node, "axes") {
                    Some(axes) => axes.to_vec(),
                    None => self.integers(node, 1).unwrap_or_default(),
                };
                let mut axes: Vec<i64> =
                    axes.iter().map(|a| if *a < 0 { a.saturating_add(4) } else { *a }).collect();
                axes.sort_unstable();
                if axes != [2, 3] || int(node, "keepdims").unwrap_or(1) == 0 {
                    return unsupported("not a mean over a whole map that keeps its axes");
                }
            }
            _ => return window(node, shape, None),
        }
        let window = Window {
            kernel: (shape.h, shape.w),
            stride: (1, 1),
            pad_before: (0, 0),
            pad_after: (0, 0),
        };
        match window.output(shape.h, shape.w) {
            Ok(_) => Ok(window),
            Err(e) => unsupported(e.0),
        }
    }

    /// The few integers of a stored input.
    fn integers(&self, node: &NodeProto, i: usize) -> Option<Vec<i64>> {
        let tensor = self.stored(node, i)?;
        let numbers = match DataType::try_from(tensor.data_type).ok()? {
            DataType::Int64 if tensor.raw_data.is_empty() => tensor.int64_data.clone(),
            DataType::Int64 => {
                tensor.raw_data.as_chunks::<8>().0.iter().map(|b| i64::from_le_bytes(*b)).collect()
            }
            _ => return None,
        };
        Some(numbers).filter(|numbers: &Vec<i64>| numbers.len() <= 16)
    }

    /// Zeros around a map.
    pub(super) fn pad(&mut self, node: &'a NodeProto) -> Result<Value<'a>> {
        let input = self.real(node, 0)?;
        let pads = match ints(node, "pads") {
            Some(pads) => Some(pads.to_vec()),
            None => self.integers(node, 1),
        };
        let value = match node.input.get(2).map(String::as_str) {
            None | Some("") => 0.0,
            Some(_) => match self.stored(node, 2).map(onnx::floats).transpose()?.as_deref() {
                Some([value]) => *value,
                _ => return unsupported("its value is not a constant number"),
            },
        };
        let from = self.builder.get(input);
        let Some([0, 0, top, left, 0, 0, bottom, right]) = pads.as_deref() else {
            return unsupported("not a frame around a map");
        };
        if value != 0.0 || !matches!(text(node, "mode"), b"" | b"constant") {
            return unsupported("not of zeros");
        }
        let sides = [top, left, bottom, right].map(|n| usize::try_from(*n).ok());
        let [Some(top), Some(left), Some(bottom), Some(right)] = sides else {
            return unsupported("pads below 0");
        };
        let h = from.shape.h.saturating_add(top).saturating_add(bottom);
        let w = from.shape.w.saturating_add(left).saturating_add(right);
        let to = Tensor { shape: Shape { h, w, ..from.shape }, ..from };
        let op = Op::Pad { before: (top, left), code: from.zero_point };
        Ok(Value::Real(self.builder.node(&node.name, op, vec![input], to)?))
    }

    /// Other axes for a map of one pixel: its codes stay as they are.
    pub(super) fn rename(&self, node: &NodeProto) -> Result<Value<'a>> {
        let (input, dims) = match self.value(node, 0)? {
            Value::Real(id) => {
                let Shape { h, w, c } = self.builder.get(id).shape;
                (id, vec![1, c as i64, h as i64, w as i64])
            }
            Value::Flat { input, dims } => (input, dims),
            _ => return unsupported(format!("{:?} is not quantised", node.input[0])),
        };
        if dims.iter().filter(|d| **d != 1).count() > 1 {
            return unsupported("of more than one pixel");
        }
        let count: i64 = dims.iter().product();
        let axes = || match ints(node, "axes") {
            Some(axes) => Some(axes.to_vec()),
            None => self.integers(node, 1),
        };
        let to: Option<Vec<i64>> = match node.op_type.as_str() {
            "Flatten" if int(node, "axis").unwrap_or(1) == 1 => {
                Some(vec![dims[0], count / dims[0]])
            }
            "Transpose" => ints(node, "perm").and_then(|perm| {
                perm.iter().map(|p| dims.get(usize::try_from(*p).ok()?).copied()).collect()
            }),
            "Squeeze" => {
                let wrap = |a: i64| if a < 0 { a.saturating_add(dims.len() as i64) } else { a };
                let axes = axes().map(|axes| axes.into_iter().map(wrap).collect::<Vec<_>>());
                let kept = |i: usize, d: i64| match &axes {
                    Some(axes) => !axes.contains(&(i as i64)),
                    None => d != 1,
                };
                let left = dims.iter().enumerate().filter(|(i, d)| kept(*i, **d));
                Some(left.map(|(_, d)| *d).collect())
            }
            "Unsqueeze" => axes().map(|axes| {
                let rank = dims.len() + axes.len();
                let wrap = |a: &i64| if *a < 0 { a.saturating_add(rank as i64) } else { *a };
                let axes: Vec<i64> = axes.iter().map(wrap).collect();
                let mut rest = dims.iter();
                let side = |i: usize| match axes.contains(&(i as i64)) {
                    true => 1,
                    false => rest.next().copied().unwrap_or(1),
                };
                (0..rank).map(side).collect()
            }),
            "Reshape" => self.integers(node, 1).map(|wanted| {
                let side = |(i, d): (usize, &i64)| match *d {
                    0 => dims.get(i).copied().unwrap_or(0),
                    d => d,
                };
                let mut to: Vec<i64> = wanted.iter().enumerate().map(side).collect();
                // All other axes have to be 1 then; the check below sees whether they are.
                let rest = if to.contains(&count) { 1 } else { count };
                if let Some(free) = to.iter_mut().find(|d| **d == -1) {
                    *free = rest;
                }
                to
            }),
            _ => None,
        };
        let Some(to) = to.filter(|to| {
            to.iter().all(|d| *d == 1 || *d == count)
                && to.iter().filter(|d| **d != 1).count() == usize::from(count != 1)
        }) else {
            return unsupported("not to axes of which all but one are 1");
        };
        match to[..] {
            [1, c, 1, 1] if c == count => Ok(Value::Real(input)),
            _ => Ok(Value::Flat { input, dims: to }),
        }
    }
}
