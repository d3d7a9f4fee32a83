//! Operators that move elements about, or make them.

use super::operators::broadcast;
use super::{Fact, Node};
use crate::error::Result;
use crate::model::onnx::{bad, ints};

impl Node<'_> {
    pub(super) fn arrange(&self) -> Result<Vec<Fact>> {
        Ok(vec![match self.node.op_type.as_str() {
            "Constant" => self.constant()?,
            "ConstantOfShape" => self.filled()?,
            "Range" => self.range()?,
            "Shape" => self.shape_of()?,
            "Reshape" => self.reshape()?,
            "Flatten" => self.flatten()?,
            "Squeeze" => self.squeeze()?,
            "Unsqueeze" => self.unsqueeze()?,
            "Transpose" => self.transpose()?,
            "Concat" => self.concat()?,
            "Split" => return self.split(),
            "Slice" => self.slice()?,
            "Gather" => self.gather()?,
            "Expand" => self.expand()?,
            "Tile" => self.tile()?,
            "Pad" => self.pad()?,
            "SpaceToDepth" | "DepthToSpace" => self.blocks()?,
            _ => {
                return Err(bad(
                    "this operator is not supported: choose a layer before it, or export the \
                     network without it",
                ));
            }
        }])
    }

    fn shape_of(&self) -> Result<Fact> {
        let dims: Vec<i64> = self.input(0)?.dims.iter().map(|d| *d as i64).collect();
        let rank = dims.len() as i64;
        let bound = |name: &str, default: i64| {
            let at = self.int(name, default);
            (if at < 0 { at.saturating_add(rank) } else { at }).clamp(0, rank) as usize
        };
        let (start, end) = (bound("start", 0), bound("end", rank));
        let dims = dims[start.min(end)..end].to_vec();
        Ok(Fact::integers(vec![dims.len()], Some(dims)))
    }

    fn reshape(&self) -> Result<Fact> {
        let fact = self.input(0)?;
        let wanted = match ints(self.node, "shape") {
            Some(shape) => shape,
            None => self.numbers(1)?,
        };
        let wrong = || bad(format!("shape {:?} cannot become {wanted:?}", fact.dims));
        if wanted.len() > super::MAX_RANK {
            return Err(wrong());
        }
        let keeps_zeros = self.int("allowzero", 0) != 0;
        let mut free = None;
        let mut dims = Vec::with_capacity(wanted.len());
        for (i, side) in wanted.iter().enumerate() {
            dims.push(match *side {
                -1 if free.replace(i).is_none() => 1,
                0 if !keeps_zeros => *fact.dims.get(i).ok_or_else(wrong)?,
                side => usize::try_from(side).map_err(|_| wrong())?,
            });
        }
        let count = |dims: &[usize]| {
            dims.iter().try_fold(1u64, |all, d| all.checked_mul(*d as u64)).ok_or_else(wrong)
        };
        if let Some(free) = free {
            let rest = count(&dims)?;
            if rest == 0 || !fact.count().is_multiple_of(rest) {
                return Err(wrong());
            }
            dims[free] = (fact.count() / rest) as usize;
        }
        if count(&dims)? != fact.count() {
            return Err(wrong());
        }
        Ok(fact.with(dims))
    }

    fn flatten(&self) -> Result<Fact> {
        let fact = self.input(0)?;
        let axis = self.int("axis", 1);
        // The rank itself is an axis here.
        let axis = if axis == fact.rank() as i64 {
            fact.rank()
        } else {
            self.axis("axis", axis, fact.rank())?
        };
        let product = |dims: &[usize]| dims.iter().product();
        Ok(fact.with(vec![product(&fact.dims[..axis]), product(&fact.dims[axis..])]))
    }

    fn squeeze(&self) -> Result<Fact> {
        let fact = self.input(0)?;
        let axes = match self.listed(1)? {
            Some(axes) => self.axes(axes, fact.rank())?,
            None => (0..fact.rank()).filter(|i| fact.dims[*i] == 1).collect(),
        };
        if let Some(axis) = axes.iter().find(|a| fact.dims[**a] != 1) {
            return Err(bad(format!("axis {axis} of shape {:?} is not 1", fact.dims)));
        }
        let kept = fact.dims.iter().enumerate().filter(|(i, _)| !axes.contains(i));
        Ok(fact.with(kept.map(|(_, d)| *d).collect()))
    }

    fn unsqueeze(&self) -> Result<Fact> {
        let fact = self.input(0)?;
        let axes = self.listed(1)?.ok_or_else(|| bad("axes are missing"))?;
        let rank = fact.rank() + axes.len();
        if rank > super::MAX_RANK {
            return Err(bad(format!("{rank} axes are too many")));
        }
        let axes = self.axes(axes, rank)?;
        let mut rest = fact.dims.iter();
        let dims = (0..rank).map(|i| match axes.contains(&i) {
            true => 1,
            false => *rest.next().unwrap_or(&1),
        });
        Ok(fact.with(dims.collect()))
    }

    fn transpose(&self) -> Result<Fact> {
        let fact = self.input(0)?;
        let reversed: Vec<i64> = (0..fact.rank() as i64).rev().collect();
        let perm = ints(self.node, "perm").unwrap_or(&reversed);
        let mut sorted = perm.to_vec();
        sorted.sort_unstable();
        if !sorted.iter().copied().eq(0..fact.rank() as i64) {
            return Err(bad(format!("perm {perm:?} is not an order of {} axes", fact.rank())));
        }
        let dims = perm.iter().map(|p| fact.dims[*p as usize]).collect();
        Ok(Fact { numbers: fact.numbers.clone().filter(|_| fact.rank() < 2), ..fact.with(dims) })
    }

    fn concat(&self) -> Result<Fact> {
        let facts =
            (0..self.node.input.len()).map(|i| self.input(i)).collect::<Result<Vec<_>>>()?;
        let Some(first) = facts.first() else { return Err(bad("it has no inputs")) };
        let axis = self.axis("axis", self.int("axis", 0), first.rank())?;
        let mut dims = first.dims.clone();
        dims[axis] = 0;
        for fact in &facts {
            let same = fact.rank() == first.rank()
                && (0..fact.rank()).all(|i| i == axis || fact.dims[i] == first.dims[i]);
            if !same {
                return Err(bad(format!(
                    "shapes {:?} and {:?} cannot be joined along axis {axis}",
                    first.dims, fact.dims
                )));
            }
            dims[axis] = dims[axis].saturating_add(fact.dims[axis]);
        }
        let numbers: Option<Vec<&[i64]>> =
            facts.iter().map(|f| f.numbers.as_deref().filter(|_| f.rank() == 1)).collect();
        let numbers = numbers.map(|all| all.concat());
        Ok(Fact { real: first.real, dims, constant: false, numbers })
    }

    fn split(&self) -> Result<Vec<Fact>> {
        let fact = self.input(0)?;
        let axis = self.axis("axis", self.int("axis", 0), fact.rank())?;
        let (side, parts) = (fact.dims[axis], self.node.output.len());
        let even: Vec<i64> = {
            let each = side.div_ceil(parts.max(1));
            let of = |i: usize| side.saturating_sub(i * each).min(each);
            (0..parts).map(|i| of(i) as i64).collect()
        };
        let listed = match ints(self.node, "split") {
            Some(split) => Some(split),
            None if self.has(1) => Some(self.numbers(1)?),
            None => None,
        };
        let sizes = listed.unwrap_or(&even);
        let sum = sizes.iter().try_fold(0i64, |all, n| all.checked_add(*n).filter(|_| *n > 0));
        let named = self.int("num_outputs", parts as i64);
        if sizes.len() != parts || sum != Some(side as i64) || named != parts as i64 {
            return Err(bad(format!("{side} cannot be split into {sizes:?}")));
        }
        let part = |size: &i64| {
            let mut dims = fact.dims.clone();
            dims[axis] = *size as usize;
            Fact { numbers: None, ..fact.with(dims) }
        };
        Ok(sizes.iter().map(part).collect())
    }

    fn slice(&self) -> Result<Fact> {
        let fact = self.input(0)?;
        let (starts, ends) = (self.numbers(1)?, self.numbers(2)?);
        let every: Vec<i64> = (0..starts.len() as i64).collect();
        let axes = if self.has(3) { self.numbers(3)? } else { &every };
        let ones = vec![1; starts.len()];
        let steps = if self.has(4) { self.numbers(4)? } else { &ones };
        if [ends.len(), axes.len(), steps.len()].iter().any(|n| *n != starts.len()) {
            return Err(bad("starts, ends, axes and steps are not equally many"));
        }
        self.axes(axes, fact.rank())?;
        let mut dims = fact.dims.clone();
        let mut numbers = fact.numbers.clone().filter(|_| fact.rank() == 1);
        for i in 0..starts.len() {
            let axis = self.axis("axes", axes[i], fact.rank())?;
            let (side, step) = (fact.dims[axis] as i64, steps[i]);
            if step == 0 || step == i64::MIN {
                return Err(bad(format!("a step of {step}")));
            }
            let wrap = |n: i64| if n < 0 { n.saturating_add(side) } else { n };
            let (start, end) = if step > 0 {
                (wrap(starts[i]).clamp(0, side), wrap(ends[i]).clamp(0, side))
            } else {
                (wrap(starts[i]).clamp(-1, side - 1), wrap(ends[i]).clamp(-1, side - 1))
            };
            let span = if step > 0 { end - start } else { start - end };
            let count = span.max(0).unsigned_abs().div_ceil(step.unsigned_abs()) as usize;
            dims[axis] = count;
            numbers = numbers.map(|all| {
                (0..count as i64).map(|i| all[(start + i * step) as usize]).collect::<Vec<_>>()
            });
        }
        Ok(Fact { numbers, ..fact.with(dims) })
    }

    fn gather(&self) -> Result<Fact> {
        let (fact, which) = (self.input(0)?, self.input(1)?);
        let axis = self.axis("axis", self.int("axis", 0), fact.rank())?;
        let side = fact.dims[axis] as i64;
        let indices = self.numbers(1)?;
        if let Some(index) = indices.iter().find(|i| !(-side..side).contains(*i)) {
            return Err(bad(format!("index {index} is not one of {side}")));
        }
        let mut dims = fact.dims[..axis].to_vec();
        dims.extend(&which.dims);
        dims.extend(&fact.dims[axis + 1..]);
        let numbers = fact.numbers.as_ref().filter(|_| fact.rank() == 1).map(|all| {
            let at = |i: &i64| all[(if *i < 0 { i + side } else { *i }) as usize];
            indices.iter().map(at).collect()
        });
        Ok(Fact { numbers, ..fact.with(dims) })
    }

    fn expand(&self) -> Result<Fact> {
        let fact = self.input(0)?;
        let dims = broadcast(&[&fact.dims, &self.shape(1)?])?;
        let numbers = fact.numbers.clone().filter(|_| dims == fact.dims);
        Ok(Fact { numbers, ..fact.with(dims) })
    }

    fn tile(&self) -> Result<Fact> {
        let fact = self.input(0)?;
        let repeats = self.shape(1)?;
        if repeats.len() != fact.rank() {
            return Err(bad(format!("{} repeats for {} axes", repeats.len(), fact.rank())));
        }
        let dims = fact.dims.iter().zip(&repeats).map(|(d, n)| d.saturating_mul(*n)).collect();
        Ok(Fact { numbers: None, ..fact.with(dims) })
    }

    fn pad(&self) -> Result<Fact> {
        let fact = self.input(0)?;
        let pads = match ints(self.node, "pads") {
            Some(pads) => pads,
            None => self.numbers(1)?,
        };
        let mode = crate::model::onnx::text(self.node, "mode");
        if !matches!(mode, b"" | b"constant") {
            return Err(bad(format!(
                "mode is {:?}; only constant padding is supported",
                String::from_utf8_lossy(mode)
            )));
        }
        if self.has(2) && self.input(2)?.count() != 1 {
            return Err(bad("its value (input 2) is not one number"));
        }
        if self.has(3) {
            return Err(bad("axes are not supported: pads for all axes are needed"));
        }
        let rank = fact.rank();
        let fits = |n: &i64| (0..=super::MAX_ELEMENTS as i64).contains(n);
        if pads.len() != 2 * rank || !pads.iter().all(fits) {
            return Err(bad(format!(
                "pads {pads:?}: two numbers for each of {rank} axes, none below 0, are needed"
            )));
        }
        let side = |i: usize| fact.dims[i].saturating_add((pads[i] + pads[i + rank]) as usize);
        Ok(Fact { numbers: None, ..fact.with((0..rank).map(side).collect()) })
    }

    fn blocks(&self) -> Result<Fact> {
        let (c, h, w) = self.map(0)?;
        let size = self.int("blocksize", 0);
        let wrong = || bad(format!("blocksize {size} does not fit {c} x {h} x {w}"));
        let n = usize::try_from(size).ok().filter(|n| (1..=64).contains(n)).ok_or_else(wrong)?;
        let dims = if self.node.op_type == "SpaceToDepth" {
            if !h.is_multiple_of(n) || !w.is_multiple_of(n) {
                return Err(wrong());
            }
            vec![1, c * n * n, h / n, w / n]
        } else {
            if !c.is_multiple_of(n * n) {
                return Err(wrong());
            }
            vec![1, c / (n * n), h * n, w * n]
        };
        Ok(Fact::real(dims))
    }
}
