//! What convolutions read: samples of their windows while a network runs in real numbers, for [`super::rounding`].

use std::collections::HashMap;

use lookalike_linalg::Matrix;

use crate::kernels::{Shape, Window};
use crate::model::proto::{GraphProto, NodeProto};
use crate::model::window;

/// Windows looked at in each picture and layer.
const PER_PICTURE: usize = 128;
/// The same in layers of several groups, whose channels meet few inputs each.
const PER_PICTURE_GROUPED: usize = 16;
/// Convolutions with more weights a channel are left alone: memory grows with the square.
const MOST_WEIGHTS: usize = 4096;

/// Mean and second moments of what the weights of one output channel meet, in their order.
pub(crate) struct Moments {
    windows: usize,
    sum: Vec<f64>,
    /// Lower triangle of the sum of outer products.
    second: Matrix,
}

impl Moments {
    fn new(weights: usize) -> Self {
        Self { windows: 0, sum: vec![0.0; weights], second: Matrix::zeros(weights, weights) }
    }

    /// Takes in rows of a window each, of `stride` inputs, of which those from `start` are its own.
    pub(crate) fn add(&mut self, rows: &[f32], stride: usize, start: usize) {
        let width = self.sum.len();
        let windows = rows.len() / stride;
        for row in rows.chunks_exact(stride) {
            self.sum.iter_mut().zip(&row[start..]).for_each(|(sum, x)| *sum += f64::from(*x));
        }
        let own = |i: usize, j: usize| f64::from(rows[i * stride + start + j]);
        self.second.add_gram(&Matrix::from_fn(windows, width, own));
        self.windows += windows;
    }

    /// Nothing was seen yet.
    #[cfg(test)]
    pub(crate) fn empty(weights: usize) -> Self {
        Self::new(weights)
    }

    /// Number of weights.
    pub(crate) fn width(&self) -> usize {
        self.sum.len()
    }

    pub(crate) fn mean(&self) -> Vec<f64> {
        let n = self.windows.max(1) as f64;
        self.sum.iter().map(|sum| sum / n).collect()
    }

    /// Covariance of two inputs, given the means.
    pub(crate) fn covariance(&self, mean: &[f64], i: usize, j: usize) -> f64 {
        self.second.at(i.max(j), i.min(j)) / self.windows.max(1) as f64 - mean[i] * mean[j]
    }
}

/// Rows of windows of one picture, for each source.
pub(crate) type Sample = Vec<Vec<f32>>;
/// Moments of each group, for each source.
pub(crate) type AllMoments = Vec<Vec<Moments>>;

/// A tensor seen through a window: all convolutions that look at it so share their moments.
struct Source {
    tensor: String,
    node: NodeProto,
    kernel: (usize, usize),
    groups: usize,
    /// Of each group.
    channels: usize,
}

impl Source {
    /// Inputs that one output channel meets.
    fn width(&self) -> usize {
        self.channels * self.kernel.0 * self.kernel.1
    }
}

/// What to sample.
pub(crate) struct Sources {
    list: Vec<Source>,
    /// By the name of a convolution's weights.
    of_weights: HashMap<String, usize>,
}

impl Sources {
    /// Those of all convolutions whose input is not `input`, the network's: that is the pixels', and its few weights are not
    /// worth it.
    pub(crate) fn of(graph: &GraphProto, input: &str) -> Self {
        let stored: HashMap<&str, &[i64]> =
            graph.initializer.iter().map(|t| (t.name.as_str(), &t.dims[..])).collect();
        let mut all = Self { list: Vec::new(), of_weights: HashMap::new() };
        for node in graph.node.iter().filter(|n| n.op_type == "Conv") {
            let [Some(tensor), Some(weights)] = [node.input.first(), node.input.get(1)] else {
                continue;
            };
            let Some(&&[_, c, kh, kw]) = stored.get(weights.as_str()) else { continue };
            let side = |n: i64| usize::try_from(n).ok().filter(|n| (1..=MOST_WEIGHTS).contains(n));
            let group = node.attribute.iter().find(|a| a.name == "group");
            let (Some(c), Some(kh), Some(kw), Some(groups)) =
                (side(c), side(kh), side(kw), side(group.map_or(1, |a| a.i)))
            else {
                continue;
            };
            if tensor == input || c * kh * kw > MOST_WEIGHTS {
                continue;
            }
            let same = |s: &Source| {
                s.tensor == *tensor && s.kernel == (kh, kw) && s.node.attribute == node.attribute
            };
            let at = all.list.iter().position(same).unwrap_or_else(|| {
                let (tensor, node) = (tensor.clone(), node.clone());
                all.list.push(Source { tensor, node, kernel: (kh, kw), groups, channels: c });
                all.list.len() - 1
            });
            all.of_weights.insert(weights.clone(), at);
        }
        all
    }

    /// The tensors to watch, each once.
    pub(crate) fn tensors(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.list.iter().map(|s| s.tensor.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Windows of one picture, a list of rows for each source; `maps` gives a tensor's shape and its `[c][h][w]` values.
    /// `picture` is its number: others are sampled elsewhere.
    pub(crate) fn sample<'a>(
        &self,
        picture: usize,
        maps: impl Fn(&str) -> Option<(&'a [usize], &'a [f32])>,
    ) -> Sample {
        let one = |source: &Source| {
            let Some(([1, c, h, w], values)) = maps(&source.tensor) else { return Vec::new() };
            let shape = Shape { h: *h, w: *w, c: *c };
            let sliding = window::read(&source.node, (shape.h, shape.w), Some(source.kernel)).ok();
            match sliding.and_then(|sliding| sliding.window().ok()) {
                Some(window) if *c == source.channels * source.groups => {
                    let most = if source.groups == 1 { PER_PICTURE } else { PER_PICTURE_GROUPED };
                    rows(picture, most, shape, &window, values)
                }
                // What is wrong with it is said when it is quantised or run.
                _ => Vec::new(),
            }
        };
        self.list.iter().map(one).collect()
    }

    /// Places for the moments of each group, in the order of [`Sources::sample`].
    pub(crate) fn moments(&self) -> AllMoments {
        let groups = |source: &Source| {
            (0..source.groups).map(|_| Moments::new(source.width())).collect::<Vec<_>>()
        };
        self.list.iter().map(groups).collect()
    }

    /// Takes in the samples of some pictures. To the last bit, the sums depend on the order.
    pub(crate) fn add(&self, moments: &mut [Vec<Moments>], samples: &[Sample]) {
        for (at, (source, groups)) in self.list.iter().zip(moments).enumerate() {
            let rows: Vec<&[f32]> = samples.iter().map(|sample| &sample[at][..]).collect();
            let rows = rows.concat();
            for (group, moments) in groups.iter_mut().enumerate() {
                let width = source.width();
                moments.add(&rows, width * source.groups, group * width);
            }
        }
    }

    /// Which of the moments belong to these weights.
    pub(crate) fn index(&self, weights: &str) -> Option<usize> {
        self.of_weights.get(weights).copied()
    }
}

/// Up to `most` windows of a map, spread evenly; what lies outside is 0.
fn rows(picture: usize, most: usize, shape: Shape, window: &Window, values: &[f32]) -> Vec<f32> {
    let Ok((out_h, out_w)) = window.output(shape.h, shape.w) else { return Vec::new() };
    let all = out_h * out_w;
    let count = all.min(most);
    let (kh, kw) = window.kernel;
    let mut rows = Vec::with_capacity(count * shape.c * kh * kw);
    for i in 0..count {
        let at = (i * all / count + picture * 7) % all;
        let top = (at / out_w * window.stride.0) as isize - window.pad_before.0 as isize;
        let left = (at % out_w * window.stride.1) as isize - window.pad_before.1 as isize;
        for map in values.chunks_exact(shape.h * shape.w) {
            for y in top..top + kh as isize {
                for x in left..left + kw as isize {
                    let inside =
                        (0..shape.h as isize).contains(&y) && (0..shape.w as isize).contains(&x);
                    rows.push(if inside { map[y as usize * shape.w + x as usize] } else { 0.0 });
                }
            }
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_in_the_order_of_weights_and_zero_outside() {
        let shape = Shape { h: 2, w: 2, c: 2 };
        let window =
            Window { kernel: (3, 1), stride: (1, 1), pad_before: (1, 0), pad_after: (1, 0) };
        let values = [1.0, 2.0, 3.0, 4.0, 10.0, 20.0, 30.0, 40.0];
        let expected = [
            [0.0, 1.0, 3.0, 0.0, 10.0, 30.0],
            [0.0, 2.0, 4.0, 0.0, 20.0, 40.0],
            [1.0, 3.0, 0.0, 10.0, 30.0, 0.0],
            [2.0, 4.0, 0.0, 20.0, 40.0, 0.0],
        ];
        assert_eq!(rows(0, 9, shape, &window, &values), expected.concat());
        let mut moments = Moments::new(6);
        moments.add(&expected.concat(), 6, 0);
        let mean = moments.mean();
        assert_eq!(mean[1], 2.5);
        assert_eq!(moments.covariance(&mean, 1, 2), moments.covariance(&mean, 2, 1));
        assert_eq!(moments.covariance(&mean, 0, 3), 10.0 * moments.covariance(&mean, 0, 0));
        // As a depthwise layer sees them: the second channel alone.
        let mut second = Moments::new(3);
        second.add(&expected.concat(), 6, 3);
        assert_eq!(second.mean(), mean[3..]);
        let own = second.mean();
        assert_eq!(second.covariance(&own, 0, 1), moments.covariance(&mean, 3, 4));
    }
}
