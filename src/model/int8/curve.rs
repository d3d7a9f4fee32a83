//! Functions of one number. On codes of 8 bits, any chain of them, whatever it is made of, is a table of 256.

use crate::model::onnx::real;
use crate::model::proto::NodeProto;

/// The real numbers that a chain of functions makes of each code of a tensor: one table for all channels, or one for each.
pub(super) type Tables = Vec<[f32; 256]>;

/// Operators of one tensor that treat each number alike. `Relu` and `Clip` are among them.
pub(super) const UNARY: [&str; 17] = [
    "Relu",
    "Clip",
    "LeakyRelu",
    "Sigmoid",
    "HardSigmoid",
    "HardSwish",
    "Tanh",
    "Elu",
    "Selu",
    "Softplus",
    "Softsign",
    "Erf",
    "Exp",
    "Neg",
    "Abs",
    "Gelu",
    "Mish",
];
/// Operators of two tensors that treat each pair of numbers alike.
pub(super) const BINARY: [&str; 7] = ["Add", "Sub", "Mul", "Div", "Max", "Min", "PRelu"];

/// What an operator of [`UNARY`] computes, but for those whose bounds are inputs. `libm` gives the same everywhere.
pub(super) fn unary(node: &NodeProto) -> Option<Box<dyn Fn(f64) -> f64>> {
    let attribute = |name: &str, default: f64| real(node, name).map_or(default, f64::from);
    let sigmoid = |x: f64| 1.0 / (1.0 + libm::exp(-x));
    let softplus = |x: f64| if x > 30.0 { x } else { libm::log1p(libm::exp(x)) };
    Some(match node.op_type.as_str() {
        "Relu" => Box::new(|x| x.max(0.0)),
        "LeakyRelu" => {
            let alpha = attribute("alpha", 0.01);
            Box::new(move |x| if x < 0.0 { alpha * x } else { x })
        }
        "Sigmoid" => Box::new(sigmoid),
        "HardSigmoid" => {
            let (alpha, beta) = (attribute("alpha", 0.2), attribute("beta", 0.5));
            Box::new(move |x| (alpha * x + beta).clamp(0.0, 1.0))
        }
        "HardSwish" => Box::new(|x| x * (x / 6.0 + 0.5).clamp(0.0, 1.0)),
        "Tanh" => Box::new(libm::tanh),
        "Elu" => {
            let alpha = attribute("alpha", 1.0);
            Box::new(move |x| if x < 0.0 { alpha * libm::expm1(x) } else { x })
        }
        "Selu" => {
            let alpha = attribute("alpha", 1.673_263_192_176_818_8);
            let gamma = attribute("gamma", 1.050_700_902_938_842_8);
            Box::new(move |x| gamma * if x < 0.0 { alpha * libm::expm1(x) } else { x })
        }
        "Softplus" => Box::new(softplus),
        "Softsign" => Box::new(|x| x / (1.0 + x.abs())),
        "Erf" => Box::new(libm::erf),
        "Exp" => Box::new(libm::exp),
        "Neg" => Box::new(|x| -x),
        "Abs" => Box::new(f64::abs),
        "Gelu" if node.attribute.is_empty() => {
            Box::new(|x| 0.5 * x * (1.0 + libm::erf(x * std::f64::consts::FRAC_1_SQRT_2)))
        }
        "Mish" => Box::new(move |x| x * libm::tanh(softplus(x))),
        _ => return None,
    })
}

/// What an operator of [`BINARY`] computes.
pub(super) fn binary(op: &str) -> Option<fn(f64, f64) -> f64> {
    Some(match op {
        "Add" => |a, b| a + b,
        "Sub" => |a, b| a - b,
        "Mul" => |a, b| a * b,
        "Div" => |a, b| a / b,
        "Max" => f64::max,
        "Min" => f64::min,
        "PRelu" => |x, slope| if x < 0.0 { slope * x } else { x },
        _ => return None,
    })
}

/// A function of each number.
pub(super) fn map(tables: &Tables, f: impl Fn(f64) -> f64) -> Tables {
    tables.iter().map(|table| table.map(|x| f(f64::from(x)) as f32)).collect()
}

/// A function of each pair of numbers; where one has a table for all channels, it meets each of the other's.
pub(super) fn zip(a: &Tables, b: &Tables, f: fn(f64, f64) -> f64) -> Option<Tables> {
    let channels = a.len().max(b.len());
    if ![1, channels].contains(&a.len()) || ![1, channels].contains(&b.len()) {
        return None;
    }
    let one = |c: usize| -> [f32; 256] {
        let (a, b) = (&a[c % a.len()], &b[c % b.len()]);
        std::array::from_fn(|code| f(f64::from(a[code]), f64::from(b[code])) as f32)
    };
    Some((0..channels).map(one).collect())
}
