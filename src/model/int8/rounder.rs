//! How the weights of a network become codes: the bits of each layer, the scale of each channel, and the rounding.
//!
//! Weights of all bits are stored as bytes; those of fewer pack better, which is what they are for. A network can have as
//! many in every layer, or a mean that is spent where it saves most: each layer is rounded with 3 to 7 bits, what that
//! adds to the layer's result is measured as a share of what the result varies, and bits go, one at a time, to the layer
//! where a bit takes away the most of it for the weights that get it. Layers of few weights, the first and depthwise ones,
//! so get many, and it is the large ones that have to save.

use std::collections::BTreeMap;

use super::patches::{Moments, Sources};
use super::rounding::Solver;

/// Of a weight, unless told otherwise.
pub(crate) const USUAL_BITS: u8 = 7;
/// What [`Bits::Mean`] chooses from; 8 would cost some machines their fastest products.
const FEWEST: u8 = 3;
const CHOICES: usize = (USUAL_BITS - FEWEST) as usize + 1;

/// How many bits the weights have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bits {
    /// As many in every layer.
    Same(u8),
    /// So many on average over all weights.
    Mean(f64),
}

/// The largest magnitude of a code.
fn largest(bits: u8) -> f32 {
    ((1u32 << (bits - 1)) - 1) as f32
}

/// The weights of a convolution.
pub(crate) struct Layer {
    pub(crate) name: String,
    /// `[channel][weight]`, finite, not empty.
    pub(crate) values: Vec<f32>,
    /// Output channels, not 0.
    pub(crate) channels: usize,
    /// That of the input's codes, if there is a bias that can take away what rounding adds to the mean.
    pub(crate) step: Option<f32>,
}

/// What weights are rounded by.
pub(crate) struct Rounder<'a> {
    pub(crate) bits: Bits,
    /// For [`super::quantise::Rounding::Compensated`].
    pub(crate) moments: Option<(&'a Sources, &'a [Vec<Moments>])>,
}

impl Rounder<'_> {
    /// The bits of each layer, by its name.
    pub(crate) fn bits(&self, layers: &[Layer]) -> BTreeMap<String, u8> {
        let bits = match self.bits {
            Bits::Same(bits) => vec![bits; layers.len()],
            Bits::Mean(mean) => {
                let noise = |layer: &Layer| (layer.values.len(), self.noise(layer));
                spend(&layers.iter().map(noise).collect::<Vec<_>>(), mean)
            }
        };
        layers.iter().map(|layer| layer.name.clone()).zip(bits).collect()
    }

    /// Codes of a layer, `[channel][weight]`, and what has to be added to its biases for them.
    pub(crate) fn round(&self, layer: &Layer, scales: &[f32], bits: u8) -> (Vec<i8>, Vec<f32>) {
        let (mut codes, mut lost) = (Vec::new(), Vec::new());
        self.each_group(layer, scales, |values, scales, solver| {
            let Some((solver, moments)) = solver else {
                codes.extend(nearest(values, scales, bits));
                lost.extend(scales.iter().map(|_| 0.0));
                return;
            };
            let (group, _) = solver.round(values, scales, largest(bits));
            let width = moments.width();
            let mean = moments.mean();
            lost.extend(values.chunks(width).zip(group.chunks(width)).zip(scales).map(
                |((real, codes), scale)| {
                    let each = real.iter().zip(codes).zip(&mean);
                    each.map(|((w, q), x)| (f64::from(*w) - f64::from(*q) * f64::from(*scale)) * x)
                        .sum::<f64>() as f32
                },
            ));
            codes.extend(group);
        });
        (codes, lost)
    }

    /// Calls `with` for the output channels that read the same inputs, one group after the other: their weights, scales and
    /// what is known of their inputs.
    fn each_group(
        &self,
        layer: &Layer,
        scales: &[f32],
        mut with: impl FnMut(&[f32], &[f32], Option<(&Solver, &Moments)>),
    ) {
        let moments = self.moments.and_then(|(sources, all)| all.get(sources.index(&layer.name)?));
        let groups = match moments.zip(layer.step) {
            Some((groups, _)) if scales.len().is_multiple_of(groups.len().max(1)) => &groups[..],
            _ => &[],
        };
        let count = groups.len().max(1);
        let values = layer.values.chunks(layer.values.len() / count);
        for (i, (values, scales)) in values.zip(scales.chunks(scales.len() / count)).enumerate() {
            let solver = groups.get(i).zip(layer.step).and_then(|(moments, step)| {
                let fits = moments.width() * scales.len() == values.len();
                Some((fits.then(|| Solver::of(moments, step)).flatten()?, moments))
            });
            with(values, scales, solver.as_ref().map(|(solver, moments)| (solver, *moments)));
        }
    }

    /// What rounding to each of 3 to 7 bits adds to a layer's result, as a share of what that varies.
    fn noise(&self, layer: &Layer) -> [f64; CHOICES] {
        let mut added = [0.0; CHOICES];
        let mut whole = 0.0;
        let ones = vec![1.0; layer.channels];
        self.each_group(layer, &ones, |values, ones, solver| {
            let squares = |each: &mut dyn Iterator<Item = f32>| -> f64 {
                each.map(|x| f64::from(x) * f64::from(x)).sum()
            };
            whole += match solver {
                // As if all were rounded to 0: then the whole result is lost.
                Some((solver, _)) => solver.round(values, ones, 0.0).1,
                None => squares(&mut values.iter().copied()),
            };
            for (bits, added) in (FEWEST..).zip(&mut added) {
                let scales = scales(values, ones.len(), bits);
                *added += match solver {
                    Some((solver, _)) => solver.round(values, &scales, largest(bits)).1,
                    None => {
                        let width = values.len() / scales.len();
                        let codes = nearest(values, &scales, bits);
                        let back = codes.iter().enumerate();
                        let back = back.map(|(i, q)| f32::from(*q) * scales[i / width]);
                        squares(&mut values.iter().zip(back).map(|(w, back)| w - back))
                    }
                };
            }
        });
        added.map(|added| if whole > 0.0 { added / whole } else { 0.0 })
    }
}

/// Each weight to the code nearest to it.
fn nearest(values: &[f32], scales: &[f32], bits: u8) -> Vec<i8> {
    let max = largest(bits);
    let code = |w: &f32, scale: f32| (w / scale).round_ties_even().clamp(-max, max) as i8;
    let channels = values.chunks((values.len() / scales.len()).max(1)).zip(scales);
    channels.flat_map(|(channel, scale)| channel.iter().map(|w| code(w, *scale))).collect()
}

/// The bits of layers, from how many weights each has and what each number of bits adds: at most `mean` over all weights,
/// but never fewer than the fewest.
fn spend(layers: &[(usize, [f64; CHOICES])], mean: f64) -> Vec<u8> {
    let all: usize = layers.iter().map(|(weights, _)| weights).sum();
    let mut left = ((mean - f64::from(FEWEST)) * all as f64).max(0.0) as usize;
    let mut chosen = vec![0; layers.len()];
    loop {
        let gain = |(at, (weights, noise)): (usize, &(usize, [f64; CHOICES]))| {
            let has: usize = chosen[at];
            let next = noise.get(has + 1)?;
            (*weights <= left).then(|| ((noise[has] - next) / *weights as f64, at))
        };
        let gains = layers.iter().enumerate().filter_map(gain);
        // Of equal ones the first, so that it repeats.
        let Some((_, at)) = gains.max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1))) else {
            return chosen.iter().map(|has| FEWEST + *has as u8).collect();
        };
        chosen[at] += 1;
        left -= layers[at].0;
    }
}

/// Scales of the channels with the smallest square error.
pub(crate) fn scales(values: &[f32], channels: usize, bits: u8) -> Vec<f32> {
    values.chunks(values.len() / channels).map(|channel| scale(channel, bits)).collect()
}

fn scale(channel: &[f32], bits: u8) -> f32 {
    let max = largest(bits);
    let peak = channel.iter().fold(0f32, |m, w| m.max(w.abs()));
    // A channel of zeros, or of numbers too small for a scale: any scale will do.
    if peak < f32::MIN_POSITIVE * 1e6 {
        return 1.0;
    }
    let error = |scale: f32| -> f32 {
        let back = |w: &f32| (w / scale).round_ties_even().clamp(-max, max) * scale;
        channel.iter().map(|w| (w - back(w)).powi(2)).sum()
    };
    // The fewer the codes, the more it pays to clip.
    let least = if bits < USUAL_BITS { 6 } else { 16 };
    let scales = (least..=24).map(|i| peak / max * i as f32 / 24.0);
    scales.map(|s| (error(s), s)).min_by(|a, b| a.0.total_cmp(&b.0)).map_or(peak / max, |(_, s)| s)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::check::Random;

    fn layer(name: &str, channels: usize, width: usize, seed: u64) -> Layer {
        let mut rng = Random::new(seed);
        let values = (0..channels * width).map(|_| rng.below(2001) as f32 / 1000.0 - 1.0).collect();
        Layer { name: name.into(), values, channels, step: None }
    }

    #[test]
    fn codes_keep_to_their_bits() {
        let layer = layer("a", 5, 40, 3);
        let mut before = f64::INFINITY;
        for (bits, most) in [(3, 3), (4, 7), (5, 15), (6, 31), (7, 63), (8, 127)] {
            let scales = scales(&layer.values, layer.channels, bits);
            let rounder = Rounder { bits: Bits::Same(bits), moments: None };
            let (codes, lost) = rounder.round(&layer, &scales, bits);
            assert_eq!(codes.iter().map(|q| q.unsigned_abs()).max(), Some(most), "{bits} bits");
            assert_eq!(lost, [0.0; 5]);
            let back = codes.iter().enumerate().map(|(i, q)| f32::from(*q) * scales[i / 40]);
            let errors = layer.values.iter().zip(back).map(|(w, b)| f64::from(w - b).powi(2));
            let error: f64 = errors.sum();
            assert!(error < 0.5 * before, "{bits} bits: {error} after {before}");
            before = error;
        }
    }

    #[test]
    fn a_mean_is_kept_to_and_small_layers_get_more() {
        let layers = [layer("large", 64, 100, 1), layer("small", 4, 9, 2), layer("mid", 8, 50, 3)];
        let all: usize = layers.iter().map(|l| l.values.len()).sum();
        let spent = |mean: f64| {
            let bits = Rounder { bits: Bits::Mean(mean), moments: None }.bits(&layers);
            let used: usize =
                layers.iter().map(|l| usize::from(bits[&l.name]) * l.values.len()).sum();
            assert!(used as f64 <= mean.max(3.0) * all as f64, "{mean}: {bits:?}");
            [bits["large"], bits["mid"], bits["small"]]
        };
        assert_eq!(spent(3.0), [3, 3, 3]);
        assert_eq!(spent(3.3), [3, 7, 7]);
        assert_eq!(spent(7.0), [7, 7, 7]);
        let [large, mid, small] = spent(4.2);
        assert!(large == 4 && small >= mid && mid > large, "{large} {mid} {small}");
        assert!(Rounder { bits: Bits::Mean(4.0), moments: None }.bits(&[]).is_empty());
    }

    #[test]
    fn bits_go_where_they_take_most_away() {
        // The second is as large, and three times as sensitive.
        let noise = [0.16, 0.04, 0.01, 0.0025, 0.0006];
        let layers = [(100, noise.map(|n| n / 3.0)), (100, noise), (100, [0.0; CHOICES])];
        assert_eq!(spend(&layers, 3.34), [3, 4, 3]);
        assert_eq!(spend(&layers, 3.67), [4, 4, 3]);
        assert_eq!(spend(&layers, 4.01), [4, 5, 3]);
        assert_eq!(spend(&layers, 1.0), [3, 3, 3]);
        assert_eq!(spend(&layers, 99.0), [7, 7, 7]);
    }
}
