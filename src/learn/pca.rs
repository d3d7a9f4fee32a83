//! Principal components with partial whitening: Jégou and Chum, Negative evidences and
//! co-occurrences in image retrieval, ECCV 2012.

use half::f16;
use lookalike_linalg::Matrix;

use crate::error::{Error, ErrorKind, Result};
use crate::projection::{Block, Projection, powered};

/// Components weaker than this share of the strongest are noise of `f32`.
const MIN_SHARE: f64 = 1e-7;

/// What to keep of the principal components.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PcaOptions {
    /// Dimensions to keep at most; fewer if the catalogue does not have as many.
    pub dim: usize,
    /// 0 keeps the components' strengths, 1 makes them equal: each is divided by its standard
    /// deviation to this power.
    pub whitening: f64,
}

impl Default for PcaOptions {
    fn default() -> Self {
        Self { dim: 256, whitening: 0.5 }
    }
}

/// Learns centre and components from pooled features `[products][sum of block dims]`.
///
/// # Errors
/// `BadCatalog` if there are fewer than two pictures that differ.
pub fn pca_whitening(
    pooled: &[Vec<f32>],
    blocks: &[Block],
    options: PcaOptions,
) -> Result<Projection> {
    let features: Vec<Vec<f32>> = pooled.iter().map(|p| powered(p, blocks)).collect();
    let (count, dim) = (features.len(), blocks.iter().map(|b| b.dim).sum::<usize>());
    let mut mean = vec![0f64; dim];
    for row in &features {
        mean.iter_mut().zip(row).for_each(|(m, &x)| *m += f64::from(x) / count as f64);
    }
    let centred = Matrix::from_fn(count, dim, |i, j| f64::from(features[i][j]) - mean[j]);

    // The smaller of the two products has the same eigenvalues.
    let by_rows = count < dim;
    let gram = if by_rows {
        centred.times_transposed(&centred)
    } else {
        centred.transposed_times(&centred)
    };
    let (strengths, vectors) = gram.symmetric_eigen().ok_or_else(|| {
        Error::new(ErrorKind::Internal, "the principal components do not converge")
    })?;
    let strongest = strengths.last().copied().unwrap_or(0.0);
    if !(strongest > 0.0) {
        return Err(Error::new(
            ErrorKind::BadCatalog,
            "all pictures of the catalogue look the same: nothing can be told apart",
        ));
    }
    // Eigenvalues ascend.
    let kept: Vec<usize> = (0..strengths.len())
        .rev()
        .take_while(|&i| strengths[i] > strongest * MIN_SHARE)
        .take(options.dim)
        .collect();
    let chosen = Matrix::from_fn(vectors.rows(), kept.len(), |i, j| vectors.at(i, kept[j]));
    // [dim][kept]
    let components = if by_rows { centred.transposed_times(&chosen) } else { chosen };
    let mut matrix = Vec::with_capacity(kept.len() * dim);
    for (column, &i) in kept.iter().enumerate() {
        let component = || (0..dim).map(|j| components.at(j, column));
        let length = component().map(|x| x * x).sum::<f64>().sqrt();
        let deviation = (strengths[i] / strongest).sqrt();
        // The sign of an eigenvector is arbitrary; fix it so that builds repeat.
        let largest = component().fold(0f64, |m, x| if x.abs() > m.abs() { x } else { m });
        let scale = deviation.powf(-options.whitening) / length * largest.signum();
        matrix.extend(component().map(|x| f16::from_f64(x * scale)));
    }
    let mean = mean.into_iter().map(|m| m as f32).collect();
    Projection::new(blocks.to_vec(), mean, matrix)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: Block = Block { dim: 3, power: 1.0, weight: 1.0 };

    fn spread(projection: &Projection, pooled: &[Vec<f32>]) -> Vec<Vec<f32>> {
        pooled.iter().map(|p| projection.apply(p).unwrap().as_slice().to_vec()).collect()
    }

    /// Unit vectors near (0, 0, 1) that vary much along x and little along y.
    fn pictures() -> Vec<Vec<f32>> {
        let at = |x: f32, y: f32| vec![x, y, 1.0];
        vec![at(0.3, 0.0), at(-0.3, 0.0), at(0.0, 0.05), at(0.0, -0.05)]
    }

    #[test]
    fn the_strongest_component_comes_first_and_dim_is_kept() {
        let p =
            pca_whitening(&pictures(), &[BLOCK], PcaOptions { dim: 2, whitening: 0.0 }).unwrap();
        assert_eq!(p.out_dim(), 2);
        let e = spread(&p, &pictures());
        assert!(e[0][0].abs() > 0.99 && e[2][1].abs() > 0.9, "{e:?}");
        assert!((e[0][0] + e[1][0]).abs() < 0.02);
    }

    #[test]
    fn whitening_lifts_the_weak_components() {
        let ratio = |whitening| {
            let options = PcaOptions { dim: 2, whitening };
            let p = pca_whitening(&pictures(), &[BLOCK], options).unwrap();
            let row = |i: usize| {
                p.matrix()[i * 3..][..3].iter().map(|x| x.to_f32().powi(2)).sum::<f32>().sqrt()
            };
            row(1) / row(0)
        };
        assert!((ratio(0.0) - 1.0).abs() < 0.01);
        assert!(ratio(0.5) > 1.5 && ratio(1.0) > ratio(0.5) * 1.5);
    }

    #[test]
    fn more_pictures_than_dimensions_give_the_same_components() {
        let few = pictures();
        let many: Vec<Vec<f32>> = few.iter().cycle().take(40).cloned().collect();
        let options = PcaOptions::default();
        let (a, b) = (
            pca_whitening(&few, &[BLOCK], options).unwrap(),
            pca_whitening(&many, &[BLOCK], options).unwrap(),
        );
        for (x, y) in spread(&a, &few).iter().flatten().zip(spread(&b, &few).iter().flatten()) {
            assert!((x - y).abs() < 0.01, "{x} {y}");
        }
    }

    #[test]
    fn catalogues_without_variety_are_refused() {
        let alike = vec![vec![1.0, 2.0, 3.0]; 5];
        for pictures in [&alike[..], &alike[..1], &[]] {
            let error = pca_whitening(pictures, &[BLOCK], PcaOptions::default()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BadCatalog);
        }
    }
}
