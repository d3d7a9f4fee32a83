//! Where the window of a convolution or a pool slides: read from a node, checked, and with its padding spelled out.

use super::onnx::{bad, int, ints, text};
use super::proto::NodeProto;
use crate::error::Result;
use crate::kernels::Window;

/// A kernel, stride, dilation or padding beyond this is refused: no map has such sides.
const MOST: i64 = 1 << 12;

/// Rows and columns.
type Pair = (usize, usize);

/// What a node's attributes say of its window, for a map of a given size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sliding {
    pub(super) kernel: Pair,
    pub(super) stride: Pair,
    pub(super) dilation: Pair,
    pub(super) before: Pair,
    /// With what `ceil_mode` adds, so that every window lies within map and padding.
    pub(super) after: Pair,
    /// `ceil_mode` has added to `after`: cells that an average does not count.
    pub(super) ragged: bool,
    /// Of the result.
    pub(super) output: Pair,
}

/// Reads kernel, strides, dilations and padding of a node on a map of `(h, w)`. `weights` is the kernel of a convolution; a
/// pool has to name its own.
///
/// # Errors
/// `BadModel` that names the attribute; also where no window fits, and where a pool's window may see padding alone.
pub(super) fn read(node: &NodeProto, (h, w): Pair, weights: Option<Pair>) -> Result<Sliding> {
    let pair = |name: &str, default: Option<Pair>| match (ints(node, name), default) {
        (Some(&[a, b]), _) if (1..=MOST).contains(&a) && (1..=MOST).contains(&b) => {
            Ok((a as usize, b as usize))
        }
        (None | Some([]), Some(default)) => Ok(default),
        (None | Some([]), None) => Err(bad(format!("{name} is missing"))),
        (Some(other), _) => {
            Err(bad(format!("{name} is {other:?}; two numbers, each 1 to {MOST}, are needed")))
        }
    };
    let kernel = pair("kernel_shape", weights)?;
    if let Some(weights) = weights.filter(|weights| *weights != kernel) {
        return Err(bad(format!("kernel_shape is {kernel:?}, its weights are of {weights:?}")));
    }
    // Weights say it themselves where the attribute is left out.
    if [kernel.0, kernel.1].iter().any(|k| !(1..=MOST as usize).contains(k)) {
        return Err(bad(format!("its weights are of {kernel:?}; 1 to {MOST} are possible")));
    }
    let stride = pair("strides", Some((1, 1)))?;
    let dilation = pair("dilations", Some((1, 1)))?;
    let reach = |k: usize, d: usize| (k - 1) * d + 1;
    let covers = (reach(kernel.0, dilation.0), reach(kernel.1, dilation.1));
    let same =
        |n: usize, k: usize, s: usize| ((n.div_ceil(s).max(1) - 1) * s + k).saturating_sub(n);
    let all = (same(h, covers.0, stride.0), same(w, covers.1, stride.1));
    let (before, mut after) = match text(node, "auto_pad") {
        b"NOTSET" | b"" => match ints(node, "pads") {
            None | Some([]) => ((0, 0), (0, 0)),
            Some(&[top, left, bottom, right])
                if [top, left, bottom, right].iter().all(|p| (0..=MOST).contains(p)) =>
            {
                ((top as usize, left as usize), (bottom as usize, right as usize))
            }
            Some(other) => {
                return Err(bad(format!(
                    "pads is {other:?}; four numbers, each 0 to {MOST}, are needed"
                )));
            }
        },
        b"VALID" => ((0, 0), (0, 0)),
        b"SAME_UPPER" => ((all.0 / 2, all.1 / 2), (all.0.div_ceil(2), all.1.div_ceil(2))),
        b"SAME_LOWER" => ((all.0.div_ceil(2), all.1.div_ceil(2)), (all.0 / 2, all.1 / 2)),
        other => {
            return Err(bad(format!("auto_pad is {:?}", String::from_utf8_lossy(other))));
        }
    };
    let pool = weights.is_none();
    for (pads, covers) in [((before.0, after.0), covers.0), ((before.1, after.1), covers.1)] {
        if pool && (pads.0 >= covers || pads.1 >= covers) {
            return Err(bad(format!(
                "pads {} and {} are not smaller than the kernel's {covers}: a window would see \
                 padding alone",
                pads.0, pads.1
            )));
        }
    }
    let ceil = int(node, "ceil_mode").unwrap_or(0) != 0;
    let side = |n: usize, covers: usize, s: usize, before: usize, after: usize| {
        let Some(free) = (n + before + after).checked_sub(covers) else {
            return Err(bad(format!(
                "kernel_shape, pads and dilations: a window of {covers} does not fit into {n} + \
                 {before} + {after}"
            )));
        };
        let mut steps = if ceil { free.div_ceil(s) } else { free / s };
        // The last window has to begin on the map, or before it.
        if ceil && steps * s >= n + before {
            steps -= 1;
        }
        Ok((steps + 1, (steps * s + covers).saturating_sub(n + before).max(after)))
    };
    let (out_h, bottom) = side(h, covers.0, stride.0, before.0, after.0)?;
    let (out_w, right) = side(w, covers.1, stride.1, before.1, after.1)?;
    let ragged = (bottom, right) != after;
    after = (bottom, right);
    Ok(Sliding { kernel, stride, dilation, before, after, ragged, output: (out_h, out_w) })
}

impl Sliding {
    /// For our kernels, or why they do not take it.
    pub(super) fn window(&self) -> std::result::Result<Window, String> {
        if self.dilation != (1, 1) {
            return Err("dilated".into());
        }
        let window = Window {
            kernel: self.kernel,
            stride: self.stride,
            pad_before: self.before,
            pad_after: self.after,
        };
        // Any map that holds the kernel will do: the limits are the kernel's own.
        window.output(self.kernel.0, self.kernel.1).map_err(|e| e.0)?;
        Ok(window)
    }
}
