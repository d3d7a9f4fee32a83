//! Principal components with partial whitening: Jégou and Chum, Negative evidences and
//! co-occurrences in image retrieval, ECCV 2012.

use lookalike_linalg::Matrix;

use super::samples::{Samples, Shares};
use super::{LearnOptions, finish};
use crate::error::{Error, ErrorKind, Result};
use crate::projection::{Block, Projection};

/// Learns centre and components from pooled features `[pictures][sum of block dims]`, all of the same
/// weight.
///
/// # Errors
/// `BadCatalog` if there are fewer than two pictures that differ.
pub fn pca_whitening(
    pooled: &[&[f32]],
    blocks: &[Block],
    options: LearnOptions,
) -> Result<Projection> {
    let each: Vec<u32> = (0..pooled.len() as u32).collect();
    let shares = Shares::new(&each);
    let samples = Samples::new(pooled, blocks, &shares);
    let components = components(&samples, options)?.ok_or_else(|| {
        Error::new(
            ErrorKind::BadCatalog,
            "all pictures of the catalogue look the same: nothing can be told apart",
        )
    })?;
    finish(&samples, blocks, &components)
}

/// Principal directions divided by their deviation to the power of the whitening: `[dim][kept]`.
/// `None` if all pictures look the same.
pub(super) fn components(samples: &Samples<'_>, options: LearnOptions) -> Result<Option<Matrix>> {
    let (variances, directions) = samples.principal(options.dim).ok_or_else(|| {
        Error::new(ErrorKind::Internal, "the principal components do not converge")
    })?;
    Ok(variances.first().map(|strongest| {
        Matrix::from_fn(directions.rows(), directions.cols(), |i, j| {
            directions.at(i, j) * (variances[j] / strongest).sqrt().powf(-options.whitening)
        })
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learnt(pooled: &[Vec<f32>], options: LearnOptions) -> Result<Projection> {
        let rows: Vec<&[f32]> = pooled.iter().map(Vec::as_slice).collect();
        pca_whitening(&rows, &[BLOCK], options)
    }

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
        let p = learnt(&pictures(), LearnOptions { dim: 2, whitening: 0.0 }).unwrap();
        assert_eq!(p.out_dim(), 2);
        let e = spread(&p, &pictures());
        assert!(e[0][0].abs() > 0.99 && e[2][1].abs() > 0.9, "{e:?}");
        assert!((e[0][0] + e[1][0]).abs() < 0.02);
    }

    #[test]
    fn whitening_lifts_the_weak_components() {
        let ratio = |whitening| {
            let options = LearnOptions { dim: 2, whitening };
            let p = learnt(&pictures(), options).unwrap();
            let row = |i: usize| {
                let (scale, row) = p.matrix().rows().nth(i).unwrap();
                scale * row.iter().map(|x| f32::from(*x).powi(2)).sum::<f32>().sqrt()
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
        let options = LearnOptions::default();
        let (a, b) = (learnt(&few, options).unwrap(), learnt(&many, options).unwrap());
        for (x, y) in spread(&a, &few).iter().flatten().zip(spread(&b, &few).iter().flatten()) {
            assert!((x - y).abs() < 0.01, "{x} {y}");
        }
    }

    #[test]
    fn catalogues_without_variety_are_refused() {
        let alike = vec![vec![1.0, 2.0, 3.0]; 5];
        for pictures in [&alike[..], &alike[..1], &[]] {
            let error = learnt(pictures, LearnOptions::default()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BadCatalog);
        }
    }
}
