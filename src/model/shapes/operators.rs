//! Operators that compute: what each gives for the shapes it is given, and how many multiplications it takes.

use super::numbers::zip;
use super::{Fact, Node};
use crate::error::Result;
use crate::model::onnx::{self, bad};
use crate::model::window;

/// Results and multiplications.
type Results = Result<(Vec<Fact>, u64)>;

impl Node<'_> {
    pub(super) fn run(&self) -> Results {
        let fact = match self.node.op_type.as_str() {
            _ if !matches!(self.node.domain.as_str(), "" | "ai.onnx") => {
                return Err(bad(format!(
                    "operators of {:?} are not supported; export the network without them",
                    self.node.domain
                )));
            }
            "Conv" => return self.conv(),
            "MaxPool" | "AveragePool" => self.pool()?,
            "GlobalAveragePool" | "GlobalMaxPool" => {
                let (c, ..) = self.map(0)?;
                Fact::real(vec![1, c, 1, 1])
            }
            "MatMul" => return self.matmul(),
            "Gemm" => return self.gemm(),
            "BatchNormalization" => self.batch_norm()?,
            "LayerNormalization" => self.layer_norm()?,
            "InstanceNormalization" => {
                let (c, ..) = self.map(0)?;
                self.vectors(&[1, 2], c)?;
                self.input(0)?.clone()
            }
            "LRN" => {
                let (c, ..) = self.map(0)?;
                let size = self.int("size", 0);
                if size < 1 || size as u64 > 2 * c as u64 + 1 || size % 2 == 0 {
                    return Err(bad(format!("size is {size}; an odd number up to the channels")));
                }
                self.input(0)?.clone()
            }
            "Relu" | "LeakyRelu" | "Sigmoid" | "HardSigmoid" | "HardSwish" | "Tanh" | "Elu"
            | "Selu" | "Celu" | "Softplus" | "Softsign" | "Erf" | "Exp" | "Log" | "Sqrt"
            | "Reciprocal" | "Floor" | "Ceil" | "Round" | "Gelu" | "Mish" | "ThresholdedRelu"
            | "Neg" | "Abs" | "Sign" | "Not" | "Sin" | "Cos" => self.unary()?,
            "Identity" => self.input(0)?.clone(),
            "Dropout" => self.dropout()?,
            "Cast" => self.cast()?,
            "Clip" => self.clip()?,
            "Softmax" | "LogSoftmax" => {
                let fact = self.input(0)?;
                self.axis("axis", self.int("axis", -1), fact.rank())?;
                Fact::real(fact.dims.clone())
            }
            "Add" | "Sub" | "Mul" | "Div" | "Pow" | "PRelu" => self.elementwise(2, 2)?,
            "Mod" | "And" | "Or" | "Xor" => self.elementwise(2, 2)?,
            "Equal" | "Greater" | "GreaterOrEqual" | "Less" | "LessOrEqual" => {
                Fact { real: false, ..self.elementwise(2, 2)? }
            }
            "Sum" | "Mean" | "Max" | "Min" => self.elementwise(1, usize::MAX)?,
            "Where" => {
                let fact = self.elementwise(3, 3)?;
                Fact { real: self.input(1)?.real, ..fact }
            }
            "ReduceMean" | "ReduceSum" | "ReduceMax" | "ReduceMin" | "ReduceProd" | "ReduceL1"
            | "ReduceL2" | "ReduceSumSquare" => self.reduce()?,
            "QuantizeLinear" => self.scaled(false)?,
            "DequantizeLinear" => self.scaled(true)?,
            _ => return self.arrange().map(|facts| (facts, 0)),
        };
        Ok((vec![fact], 0))
    }

    fn conv(&self) -> Results {
        let (c, h, w) = self.map(0)?;
        let weights = self.input(1)?;
        let [out, own, kh, kw] = weights.dims[..] else {
            return Err(bad(format!("its weights have shape {:?}, not of 4 axes", weights.dims)));
        };
        let group = self.int("group", 1);
        let fits = usize::try_from(group)
            .is_ok_and(|g| g > 0 && c.is_multiple_of(g) && out.is_multiple_of(g) && c / g == own);
        if !fits || out == 0 || kh == 0 || kw == 0 {
            return Err(bad(format!(
                "its weights {:?} with group {group} do not fit a map of {c} channels",
                weights.dims
            )));
        }
        if self.has(2) && self.input(2)?.dims != [out] {
            return Err(bad(format!("its bias {:?} is not of {out}", self.input(2)?.dims)));
        }
        let (h, w) = window::read(self.node, (h, w), Some((kh, kw)))?.output;
        let macs = [out, own, kh, kw, h, w].iter().fold(1u64, |n, d| n.saturating_mul(*d as u64));
        Ok((vec![Fact::real(vec![1, out, h, w])], macs))
    }

    fn pool(&self) -> Result<Fact> {
        let (c, h, w) = self.map(0)?;
        if self.node.output.len() > 1 {
            return Err(bad("its second result, where the largest were, is not supported"));
        }
        let (h, w) = window::read(self.node, (h, w), None)?.output;
        Ok(Fact::real(vec![1, c, h, w]))
    }

    fn matmul(&self) -> Results {
        let (a, b) = (&self.input(0)?.dims, &self.input(1)?.dims);
        let wrong = || bad(format!("shapes {a:?} and {b:?} cannot be multiplied"));
        if a.len() < 2 || b.len() < 2 {
            return Err(wrong());
        }
        let ((a_batch, a), (b_batch, b)) = (a.split_at(a.len() - 2), b.split_at(b.len() - 2));
        if a[1] != b[0] {
            return Err(wrong());
        }
        let mut dims = broadcast(&[a_batch, b_batch])?;
        dims.extend([a[0], b[1]]);
        let fact = Fact::real(dims);
        let macs = fact.count().saturating_mul(a[1] as u64);
        Ok((vec![fact], macs))
    }

    fn gemm(&self) -> Results {
        let turned = |i: usize, name: &str| match self.input(i)?.dims[..] {
            [a, b] => Ok(if self.int(name, 0) == 0 { (a, b) } else { (b, a) }),
            ref other => Err(bad(format!("input {i} has shape {other:?}, not of 2 axes"))),
        };
        let ((m, k), (k2, n)) = (turned(0, "transA")?, turned(1, "transB")?);
        if k != k2 {
            return Err(bad(format!("{m} x {k} and {k2} x {n} cannot be multiplied")));
        }
        if self.has(2) && broadcast(&[&self.input(2)?.dims, &[m, n]])? != [m, n] {
            return Err(bad(format!("its bias {:?} is not of {n}", self.input(2)?.dims)));
        }
        let fact = Fact::real(vec![m, n]);
        let macs = fact.count().saturating_mul(k as u64);
        Ok((vec![fact], macs))
    }

    /// Checks that inputs hold one number for each of `n` channels.
    fn vectors(&self, which: &[usize], n: usize) -> Result<()> {
        for i in which {
            let dims = &self.input(*i)?.dims;
            if *dims != [n] {
                return Err(bad(format!("input {i} has shape {dims:?}, [{n}] is needed")));
            }
        }
        Ok(())
    }

    fn batch_norm(&self) -> Result<Fact> {
        let fact = self.input(0)?;
        let channels = *fact.dims.get(1).ok_or_else(|| bad("its input has no channels"))?;
        self.vectors(&[1, 2, 3, 4], channels)?;
        if self.int("training_mode", 0) != 0 || self.node.output.len() > 1 {
            return Err(bad("it is exported for training: export the network in its eval mode"));
        }
        Ok(fact.clone())
    }

    fn layer_norm(&self) -> Result<Fact> {
        let fact = self.input(0)?;
        let axis = self.axis("axis", self.int("axis", -1), fact.rank())?;
        for i in (1..3).filter(|i| self.has(*i)) {
            let dims = &self.input(i)?.dims;
            if broadcast(&[dims, &fact.dims[axis..]])? != fact.dims[axis..] {
                return Err(bad(format!(
                    "input {i} of shape {dims:?} does not fit {:?}",
                    fact.dims
                )));
            }
        }
        Ok(fact.clone())
    }

    fn unary(&self) -> Result<Fact> {
        let fact = self.input(0)?;
        let numbers = match &fact.numbers {
            Some(_) if matches!(self.node.op_type.as_str(), "Neg" | "Abs" | "Sign" | "Not") => {
                zip(&[fact], &fact.dims, |n| self.arithmetic(n))?
            }
            _ => None,
        };
        Ok(Fact { numbers, ..fact.clone() })
    }

    fn dropout(&self) -> Result<Fact> {
        // Input 2 says that it is for training.
        if self.has(2) && self.numbers(2)? != [0] {
            return Err(bad("it is exported for training: export the network in its eval mode"));
        }
        if self.node.output.len() > 1 {
            return Err(bad("its second result is not supported"));
        }
        Ok(self.input(0)?.clone())
    }

    fn cast(&self) -> Result<Fact> {
        let fact = self.input(0)?;
        match onnx::int(self.node, "to") {
            Some(1) => Ok(Fact { real: true, numbers: None, ..fact.clone() }),
            // What real numbers become is not followed.
            Some(2 | 3 | 6 | 7 | 9) => Ok(Fact {
                real: false,
                numbers: fact.numbers.clone().filter(|_| !fact.real),
                ..fact.clone()
            }),
            other => Err(bad(format!("to is {other:?}: a cast to that type is not supported"))),
        }
    }

    fn clip(&self) -> Result<Fact> {
        for i in (1..3).filter(|i| self.has(*i)) {
            if self.input(i)?.count() != 1 {
                return Err(bad(format!("input {i} is not one number")));
            }
        }
        Ok(Fact { numbers: None, ..self.input(0)?.clone() })
    }

    fn elementwise(&self, least: usize, most: usize) -> Result<Fact> {
        let count = self.node.input.len();
        if count < least || count > most {
            return Err(bad(format!("it has {count} inputs")));
        }
        let facts = (0..count).map(|i| self.input(i)).collect::<Result<Vec<_>>>()?;
        let shapes: Vec<&[usize]> = facts.iter().map(|f| &f.dims[..]).collect();
        let dims = broadcast(&shapes)?;
        let real = facts.iter().any(|f| f.real);
        let numbers = if real { None } else { zip(&facts, &dims, |n| self.arithmetic(n))? };
        if !real && numbers.is_none() && matches!(self.node.op_type.as_str(), "Div" | "Mod" | "Pow")
        {
            return Err(bad("it divides integers that are not known before the network runs"));
        }
        Ok(Fact { real, dims, constant: false, numbers })
    }

    fn reduce(&self) -> Result<Fact> {
        let fact = self.input(0)?;
        let all: Vec<i64> = (0..fact.rank() as i64).collect();
        let axes = match self.listed(1)? {
            None | Some([]) if self.int("noop_with_empty_axes", 0) != 0 => return Ok(fact.clone()),
            None | Some([]) => self.axes(&all, fact.rank())?,
            Some(axes) => self.axes(axes, fact.rank())?,
        };
        let keep = self.int("keepdims", 1) != 0;
        let dims = fact.dims.iter().enumerate().filter_map(|(i, d)| match axes.contains(&i) {
            true => keep.then_some(1),
            false => Some(*d),
        });
        let dims: Vec<usize> = dims.collect();
        let numbers = match &fact.numbers {
            // All of a vector's, as shapes are counted.
            Some(numbers) if axes.len() == fact.rank() => match self.node.op_type.as_str() {
                "ReduceProd" => numbers.iter().try_fold(1i64, |all, n| all.checked_mul(*n)),
                "ReduceSum" => numbers.iter().try_fold(0i64, |all, n| all.checked_add(*n)),
                "ReduceMax" => numbers.iter().max().copied(),
                "ReduceMin" => numbers.iter().min().copied(),
                _ => None,
            }
            .map(|n| vec![n]),
            _ => None,
        };
        if fact.count() == 0 {
            return Err(bad("it reduces nothing"));
        }
        Ok(Fact { dims, numbers, ..fact.clone() })
    }

    /// Codes to real numbers or back.
    fn scaled(&self, real: bool) -> Result<Fact> {
        let fact = self.input(0)?;
        let scale = &self.input(1)?.dims;
        if scale.len() > 1 {
            return Err(bad("scales for blocks are not supported"));
        }
        let scales: usize = scale.iter().product();
        if scales != 1 {
            let axis = self.axis("axis", self.int("axis", 1), fact.rank())?;
            if fact.dims[axis] != scales {
                return Err(bad(format!(
                    "{scales} scales do not fit axis {axis} of shape {:?}",
                    fact.dims
                )));
            }
        }
        if self.has(2) && self.input(2)?.count() != scales as u64 {
            return Err(bad(format!("{scales} scales, other zero points")));
        }
        Ok(Fact { real, numbers: None, ..fact.clone() })
    }
}

/// The shape that all of these broadcast to.
pub(super) fn broadcast(shapes: &[&[usize]]) -> Result<Vec<usize>> {
    let rank = shapes.iter().map(|s| s.len()).max().unwrap_or(0);
    let mut dims = vec![1; rank];
    for shape in shapes {
        for (to, from) in dims.iter_mut().rev().zip(shape.iter().rev()) {
            match (*to, *from) {
                (_, 1) => {}
                (1, side) => *to = side,
                (a, b) if a == b => {}
                _ => return Err(bad(format!("shapes {shapes:?} do not fit each other"))),
            }
        }
    }
    Ok(dims)
}
