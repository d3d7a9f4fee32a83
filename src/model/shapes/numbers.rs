//! Small tensors of integers: the shapes that a graph computes with.

use super::{Fact, Node};
use crate::error::Result;
use crate::model::onnx::bad;
use crate::model::proto::{DataType, TensorProto};

/// More numbers than this are no shape.
const MOST: usize = 4096;

/// The integers of a stored tensor, if they are few. Its length was checked when the file was decoded.
pub(super) fn of(tensor: &TensorProto) -> Option<Vec<i64>> {
    let raw = &tensor.raw_data;
    let all: Vec<i64> = match DataType::try_from(tensor.data_type).ok()? {
        DataType::Int64 if raw.is_empty() => tensor.int64_data.clone(),
        DataType::Int64 => {
            raw.as_chunks::<8>().0.iter().take(MOST + 1).map(|b| i64::from_le_bytes(*b)).collect()
        }
        DataType::Int32 if !raw.is_empty() => raw
            .as_chunks::<4>()
            .0
            .iter()
            .take(MOST + 1)
            .map(|b| i64::from(i32::from_le_bytes(*b)))
            .collect(),
        DataType::Bool if !raw.is_empty() => {
            raw.iter().take(MOST + 1).map(|b| i64::from(*b)).collect()
        }
        DataType::Int32 | DataType::Bool => {
            tensor.int32_data.iter().map(|v| i64::from(*v)).collect()
        }
        _ => return None,
    };
    (all.len() <= MOST).then_some(all)
}

/// A product of `to` by numbers of tensors that broadcast, where they are known.
pub(super) fn zip(
    facts: &[&Fact],
    to: &[usize],
    apply: impl Fn(&[i64]) -> Result<i64>,
) -> Result<Option<Vec<i64>>> {
    let count = to.iter().fold(1usize, |all, side| all.saturating_mul(*side));
    let known: Option<Vec<&Vec<i64>>> = facts.iter().map(|f| f.numbers.as_ref()).collect();
    let Some(known) = known.filter(|_| count <= MOST) else { return Ok(None) };
    let each = (0..count).map(|flat| {
        let numbers: Vec<i64> = facts
            .iter()
            .zip(&known)
            .map(|(fact, numbers)| numbers[place(flat, to, &fact.dims)])
            .collect();
        apply(&numbers)
    });
    each.collect::<Result<Vec<_>>>().map(Some)
}

/// Where an element of shape `to` lies in a tensor of shape `from` that broadcasts to it.
fn place(mut flat: usize, to: &[usize], from: &[usize]) -> usize {
    let (mut at, mut stride) = (0, 1);
    for (i, side) in to.iter().rev().enumerate() {
        let index = flat % side.max(&1);
        flat /= side.max(&1);
        if let Some(own) = from.len().checked_sub(i + 1).map(|axis| from[axis]) {
            if own > 1 {
                at += index * stride;
            }
            stride *= own;
        }
    }
    at
}

impl Node<'_> {
    /// Integers in, integers out; overflow and division by zero are errors.
    pub(super) fn arithmetic(&self, numbers: &[i64]) -> Result<i64> {
        let op = self.node.op_type.as_str();
        let fold = |f: fn(i64, i64) -> Option<i64>| {
            let (first, rest) = numbers.split_first()?;
            rest.iter().try_fold(*first, |all, n| f(all, *n))
        };
        let result = match op {
            "Add" | "Sum" => fold(i64::checked_add),
            "Sub" => fold(i64::checked_sub),
            "Mul" => fold(i64::checked_mul),
            "Div" => fold(i64::checked_div),
            "Mod" => fold(i64::checked_rem_euclid),
            "Max" => fold(|a, b| Some(a.max(b))),
            "Min" => fold(|a, b| Some(a.min(b))),
            "Pow" => fold(|a, b| a.checked_pow(u32::try_from(b).ok()?)),
            "Equal" => fold(|a, b| Some(i64::from(a == b))),
            "Greater" => fold(|a, b| Some(i64::from(a > b))),
            "GreaterOrEqual" => fold(|a, b| Some(i64::from(a >= b))),
            "Less" => fold(|a, b| Some(i64::from(a < b))),
            "LessOrEqual" => fold(|a, b| Some(i64::from(a <= b))),
            "And" => fold(|a, b| Some(i64::from(a != 0 && b != 0))),
            "Or" => fold(|a, b| Some(i64::from(a != 0 || b != 0))),
            "Xor" => fold(|a, b| Some(i64::from((a != 0) != (b != 0)))),
            "Where" => match numbers {
                [which, yes, no] => Some(if *which == 0 { *no } else { *yes }),
                _ => None,
            },
            "Neg" => numbers.first().and_then(|n| n.checked_neg()),
            "Abs" => numbers.first().and_then(|n| n.checked_abs()),
            "Not" => numbers.first().map(|n| i64::from(*n == 0)),
            "Sign" => numbers.first().map(|n| n.signum()),
            _ => None,
        };
        result.ok_or_else(|| bad(format!("its numbers {numbers:?} have no result")))
    }

    /// The single integer of an input.
    pub(super) fn number(&self, i: usize) -> Result<i64> {
        match self.numbers(i)? {
            [number] => Ok(*number),
            other => Err(bad(format!("input {i} holds {} numbers, one is needed", other.len()))),
        }
    }

    /// What a `Constant` holds.
    pub(super) fn constant(&self) -> Result<Fact> {
        if let Some(attribute) = self.node.attribute.first() {
            return match attribute.name.as_str() {
                "value" => match &attribute.t {
                    Some(tensor) => super::stored(tensor),
                    None => Err(bad("its value is missing")),
                },
                "value_float" => Ok(Fact::real(vec![])),
                "value_floats" => Ok(Fact::real(vec![attribute.floats.len()])),
                "value_int" => Ok(Fact::integers(vec![], Some(vec![attribute.i]))),
                "value_ints" => Ok(Fact::integers(
                    vec![attribute.ints.len()],
                    Some(attribute.ints.clone()).filter(|ints| ints.len() <= MOST),
                )),
                other => Err(bad(format!("attribute {other} is not supported"))),
            };
        }
        Err(bad("its value is missing"))
    }

    /// Sizes from an input that names a shape.
    pub(super) fn shape(&self, i: usize) -> Result<Vec<usize>> {
        let numbers = self.numbers(i)?;
        let sides: Option<Vec<usize>> = numbers
            .iter()
            .map(|n| usize::try_from(*n).ok().filter(|n| *n as u64 <= super::MAX_ELEMENTS))
            .collect();
        sides
            .filter(|sides| sides.len() <= super::MAX_RANK)
            .ok_or_else(|| bad(format!("{numbers:?} is not a shape")))
    }

    pub(super) fn filled(&self) -> Result<Fact> {
        let dims = self.shape(0)?;
        let value =
            self.node.attribute.iter().find(|a| a.name == "value").and_then(|a| a.t.as_ref());
        let Some(value) = value else { return Ok(Fact::real(dims)) };
        let fact = super::stored(value)?;
        if fact.count() != 1 {
            return Err(bad("value has to hold one number"));
        }
        let count = dims.iter().fold(1u64, |all, d| all.saturating_mul(*d as u64));
        let numbers = fact.numbers.filter(|_| count <= MOST as u64);
        let numbers = numbers.map(|n| vec![n[0]; count as usize]);
        Ok(Fact { real: fact.real, dims, constant: true, numbers })
    }

    pub(super) fn range(&self) -> Result<Fact> {
        let (start, limit, step) = (self.number(0)?, self.number(1)?, self.number(2)?);
        if step == 0 {
            return Err(bad("its step (input 2) is 0"));
        }
        let span = i128::from(limit) - i128::from(start);
        let count = (span / i128::from(step) + i128::from(span % i128::from(step) != 0)).max(0);
        // Of the same sign as the step, or nothing.
        let count = if (span > 0) == (step > 0) { count } else { 0 };
        let count = usize::try_from(count)
            .ok()
            .filter(|n| *n as u64 <= super::MAX_ELEMENTS)
            .ok_or_else(|| bad(format!("{start} to {limit} by {step} are too many numbers")))?;
        let numbers = (count <= MOST)
            .then(|| (0..count as i64).map(|i| start + i * step).collect::<Vec<_>>());
        Ok(Fact::integers(vec![count], numbers))
    }
}
