//! Rounding a layer's weights so that the errors cancel in what the layer gives, not one by one.
//!
//! One weight after the other is rounded to its nearest code, and the weights that are still real are moved by what makes
//! up best for the error, given how the layer's inputs vary together. This is GPTQ (Frantar, Ashkboos, Hoefler and
//! Alistarh, 2022, <https://arxiv.org/abs/2210.17323>), which solves Optimal Brain Surgeon's problem for a whole layer with
//! one Cholesky factor. Two things are our own: moments are taken around the mean, since the bias can take the mean's error
//! away exactly, and the inputs' own rounding noise stands on their diagonal, which is the damping that the method needs.

use lookalike_linalg::Matrix;
use rayon::prelude::*;

use super::patches::Moments;

/// Share of the mean variance that is added to each, as in the paper.
const DAMPING: f64 = 0.01;
/// Channels that are rounded together, so that a row of the factor is read once for all.
const TOGETHER: usize = 8;

/// What is known of a layer's inputs, worked out once for all its channels.
pub(crate) struct Solver {
    /// Inputs, those that vary most first.
    order: Vec<usize>,
    /// Rows of the upper Cholesky factor of the inverse of the inputs' covariance, in that order, each from its diagonal on.
    factor: Vec<f32>,
}

impl Solver {
    /// `step` is that of the input's codes. `None` where the moments say nothing (numbers that are not finite, nothing seen).
    pub(crate) fn of(moments: &Moments, step: f32) -> Option<Self> {
        if moments.width() == 0 {
            return None;
        }
        let (order, factor) = factor(moments, step)?;
        Some(Self { order, factor })
    }

    /// Codes of `weights`, `[channel][weight]`, within ±`max`, and what they add to the results' variance, over all channels
    /// (what the damping stands for included).
    ///
    /// # Panics
    /// If the weights are not as many as inputs for each scale.
    pub(crate) fn round(&self, weights: &[f32], scales: &[f32], max: f32) -> (Vec<i8>, f64) {
        let width = self.order.len();
        assert_eq!(weights.len(), width * scales.len(), "weights of other inputs");
        let mut codes = vec![0i8; weights.len()];
        let added: Vec<f64> = codes
            .par_chunks_mut(width * TOGETHER)
            .zip(weights.par_chunks(width * TOGETHER))
            .zip(scales.par_chunks(TOGETHER))
            .map(|((codes, weights), scales)| self.round_some(codes, weights, scales, max))
            .collect();
        (codes, added.iter().sum())
    }

    /// The same for some channels.
    fn round_some(&self, codes: &mut [i8], weights: &[f32], scales: &[f32], max: f32) -> f64 {
        let width = self.order.len();
        // In units of a channel's scale, in the order of rounding.
        let mut left: Vec<Vec<f32>> = weights
            .chunks_exact(width)
            .zip(scales)
            .map(|(channel, scale)| self.order.iter().map(|&i| channel[i] / scale).collect())
            .collect();
        let mut added = 0.0;
        let mut row = &self.factor[..];
        for (at, &to) in self.order.iter().enumerate() {
            let (own, rest) = row.split_at(width - at);
            row = rest;
            let channels = left.iter_mut().zip(codes.chunks_exact_mut(width)).zip(scales);
            for ((left, codes), scale) in channels {
                let code = left[at].round_ties_even().clamp(-max, max);
                codes[to] = code as i8;
                let error = (left[at] - code) / own[0];
                added += f64::from(error * scale).powi(2);
                let later = left[at..].iter_mut().zip(own).skip(1);
                later.for_each(|(w, u)| *w -= error * u);
            }
        }
        added
    }
}

/// The order of rounding, inputs that vary most first, and the upper Cholesky factor of the inverse of the inputs'
/// covariance in that order: rows, each from its diagonal on.
fn factor(moments: &Moments, step: f32) -> Option<(Vec<usize>, Vec<f32>)> {
    let width = moments.width();
    let mean = moments.mean();
    let variance: Vec<f64> = (0..width).map(|i| moments.covariance(&mean, i, i)).collect();
    let noise = f64::from(step) * f64::from(step) / 12.0;
    let damping = noise + DAMPING * variance.iter().sum::<f64>() / width as f64;
    let mut order: Vec<usize> = (0..width).collect();
    order.sort_by(|&a, &b| variance[b].total_cmp(&variance[a]).then(a.cmp(&b)));
    let mut covariance =
        Matrix::from_fn(width, width, |i, j| moments.covariance(&mean, order[i], order[j]));
    covariance.add_to_diagonal(damping);
    let one = Matrix::from_fn(width, width, |i, j| f64::from(u8::from(i == j)));
    let lower = covariance.solve_positive_definite(&one)?.cholesky()?;
    let rows = (0..width).flat_map(|i| (i..width).map(move |j| (i, j)));
    let factor: Vec<f32> = rows.map(|(i, j)| lower.at(j, i) as f32).collect();
    factor.iter().all(|x| x.is_finite()).then_some((order, factor))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::check::Random;

    /// Windows of inputs that vary together, as neighbouring channels do, around a mean.
    fn windows(width: usize, n: usize) -> Vec<f32> {
        let mut rng = Random::new(5);
        let mut all = Vec::new();
        for _ in 0..n {
            let mut common = 0.0;
            for i in 0..width {
                if i % 4 == 0 {
                    common = rng.below(1000) as f32 / 500.0 - 1.0;
                }
                all.push(3.0 + common + 0.2 * (rng.below(1000) as f32 / 500.0 - 1.0));
            }
        }
        all
    }

    /// Mean square error of what the channels give, after the best bias.
    fn error(weights: &[f32], codes: &[i8], scale: f32, windows: &[f32], width: usize) -> f64 {
        let mut sum = 0.0;
        for (weights, codes) in weights.chunks(width).zip(codes.chunks(width)) {
            let errors: Vec<f64> = windows
                .chunks(width)
                .map(|x| {
                    let each = weights.iter().zip(codes).zip(x);
                    each.map(|((w, q), x)| f64::from((w - f32::from(*q) * scale) * x)).sum()
                })
                .collect();
            let mean = errors.iter().sum::<f64>() / errors.len() as f64;
            sum += errors.iter().map(|e| (e - mean).powi(2)).sum::<f64>();
        }
        sum
    }

    #[test]
    fn errors_cancel_where_inputs_vary_together() {
        let (width, channels, scale) = (24, 9, 0.05);
        let mut rng = Random::new(9);
        let weights: Vec<f32> =
            (0..width * channels).map(|_| rng.below(1000) as f32 / 1000.0 - 0.5).collect();
        let seen = windows(width, 300);
        let mut moments = Moments::empty(width);
        moments.add(&seen, moments.width(), 0);
        let solver = Solver::of(&moments, 0.01).unwrap();
        let (codes, added) = solver.round(&weights, &[scale; 9], 63.0);
        let nearest: Vec<i8> =
            weights.iter().map(|w| (w / scale).round_ties_even() as i8).collect();
        let other = windows(width, 1000);
        let [ours, plain] = [&codes, &nearest].map(|c| error(&weights, c, scale, &other, width));
        assert!(ours < 0.5 * plain, "{ours} against {plain}");
        assert_eq!((codes, added), solver.round(&weights, &[scale; 9], 63.0));
        let codes_len = weights.len();
        let (_, whole) = solver.round(&weights, &[scale; 9], 0.0);
        let (small, more) = solver.round(&weights, &[scale; 9], 4.0);
        assert!(small.iter().all(|q| q.abs() <= 4));
        // What it says of the pictures that it was told of is so, but for the damping.
        for (codes, added) in [(&small, more), (&vec![0; codes_len], whole)] {
            let seen = error(&weights, codes, scale, &seen, width) / 300.0;
            assert!((0.7 * added..1.001 * added).contains(&seen), "{seen}, not {added}");
        }
    }

    #[test]
    fn inputs_that_never_vary_and_too_few_windows_do_no_harm() {
        let weights = [0.26f32, -0.14, 0.0, 0.5];
        for seen in
            [vec![], vec![1.0; 4], vec![0.0; 40], vec![1.0, 0.0, 5.0, 1.0, 2.0, 0.0, 5.0, 1.0]]
        {
            let mut moments = Moments::empty(4);
            moments.add(&seen, moments.width(), 0);
            let (codes, _) = Solver::of(&moments, 0.02).unwrap().round(&weights, &[0.1], 63.0);
            let near = |(q, w): (&i8, &f32)| (f32::from(*q) - w / 0.1).abs() < 1.5;
            assert!(codes.iter().zip(&weights).all(near), "{seen:?}: {codes:?}");
        }
        let mut moments = Moments::empty(2);
        moments.add(&[f32::NAN, 1.0], 2, 0);
        assert!(Solver::of(&moments, 0.02).is_none());
        assert!(Solver::of(&Moments::empty(0), 0.02).is_none());
    }
}
