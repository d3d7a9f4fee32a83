//! A mean with its error, where values that belong together came from one photo.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::cli::random::mixed;

/// A mean of values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct Figure {
    pub(super) mean: f64,
    /// Standard error, by bootstrap over photos: things in one photo are not independent. See Efron
    /// and Tibshirani, An Introduction to the Bootstrap (1993), chapters 6 and 8.
    pub(super) error: f64,
    pub(super) count: usize,
}

/// Samples of photos, drawn with replacement.
const SAMPLES: u64 = 1000;

impl Figure {
    /// Of values, each with the photo that it belongs to.
    pub(super) fn of(values: impl IntoIterator<Item = (usize, f64)>) -> Self {
        let mut photos: BTreeMap<usize, (f64, usize)> = BTreeMap::new();
        for (photo, value) in values {
            let (sum, count) = photos.entry(photo).or_default();
            (*sum, *count) = (*sum + value, *count + 1);
        }
        let photos: Vec<(f64, usize)> = photos.into_values().collect();
        let mean = |drawn: &mut dyn Iterator<Item = (f64, usize)>| {
            let (sum, count) = drawn.fold((0.0, 0), |(s, c), (sum, count)| (s + sum, c + count));
            sum / count.max(1) as f64
        };
        let sampled: Vec<f64> = (0..SAMPLES)
            .map(|sample| {
                let draw = |i: usize| mixed(sample << 32 | i as u64) as usize % photos.len();
                mean(&mut (0..photos.len()).map(|i| photos[draw(i)]))
            })
            .collect();
        let middle = sampled.iter().sum::<f64>() / SAMPLES as f64;
        let spread = sampled.iter().map(|m| (m - middle).powi(2)).sum::<f64>();
        Self {
            mean: mean(&mut photos.iter().copied()),
            error: (spread / (SAMPLES - 1) as f64).sqrt(),
            count: photos.iter().map(|p| p.1).sum(),
        }
    }

    pub(super) fn in_words(self) -> String {
        format!("{:.3} +- {:.3} ({})", self.mean, self.error, self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_is_that_of_the_mean_and_photos_count_as_one() {
        let values: Vec<f64> = (0..100).map(|i| f64::from(i % 2)).collect();
        let apart = Figure::of(values.iter().copied().enumerate());
        assert_eq!((apart.mean, apart.count), (0.5, 100));
        assert!((apart.error - 0.05).abs() < 0.005, "{}", apart.error);
        // The same, ten things a photo, all alike: ten times fewer independent ones.
        let together = Figure::of((0..100usize).map(|i| (i / 10, ((i / 10) % 2) as f64)));
        assert_eq!(together.mean, 0.5);
        assert!((together.error - 0.158).abs() < 0.02, "{}", together.error);
        assert_eq!(Figure::of((0..5).map(|i| (i, 0.25))).error, 0.0);
        assert_eq!(Figure::of([]), Figure::default());
        assert_eq!(apart, Figure::of(values.into_iter().enumerate()), "repeats");
    }
}
