//! Whether a projection that was learnt once still fits what a catalogue has become.

use lookalike_linalg::Matrix;

use crate::projection::{Projection, powered};

/// The share of features' variance about the projection's centre that lies in the directions which
/// it keeps, 0 to 1: one minus the reconstruction's relative squared error. `pooled` is
/// `[pictures][in_dim]`.
///
/// `None` if there are no pictures, features do not fit the projection, or they do not differ from
/// its centre.
#[must_use]
pub fn explained(projection: &Projection, pooled: &[&[f32]]) -> Option<f64> {
    let (inputs, outputs) = (projection.in_dim(), projection.out_dim());
    if pooled.is_empty() || pooled.iter().any(|p| p.len() != inputs) {
        return None;
    }
    let centred: Vec<Vec<f32>> = pooled
        .iter()
        .map(|pooled| {
            let mut features = powered(pooled, projection.blocks());
            features.iter_mut().zip(projection.mean()).for_each(|(x, mean)| *x -= mean);
            features
        })
        .collect();
    let rows: Vec<(f32, &[i8])> = projection.matrix().rows().collect();
    let matrix =
        Matrix::from_fn(outputs, inputs, |i, j| f64::from(rows[i].0) * f64::from(rows[i].1[j]));
    // The rows are not orthogonal, and rounding can make some depend on others: the least that
    // keeps the system solvable.
    let mut gram = matrix.times_transposed(&matrix);
    let trace: f64 = (0..outputs).map(|i| gram.at(i, i)).sum();
    gram.add_to_diagonal(trace / outputs as f64 * 1e-9);
    let x = Matrix::from_fn(centred.len(), inputs, |i, j| f64::from(centred[i][j]));
    let y = matrix.times_transposed(&x);
    let z = gram.solve_positive_definite(&y)?;
    let kept: f64 = (0..outputs)
        .flat_map(|i| (0..centred.len()).map(move |j| (i, j)))
        .map(|(i, j)| y.at(i, j) * z.at(i, j))
        .sum();
    let all: f64 = centred.iter().flatten().map(|&x| f64::from(x) * f64::from(x)).sum();
    (all > 0.0).then(|| (kept / all).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::projection::{Block, Matrix as Rounded};

    #[test]
    fn what_lies_in_the_kept_directions_is_explained_and_the_rest_is_not() {
        let block = Block { dim: 4, power: 1.0, weight: 1.0 };
        // Two directions, neither orthogonal nor of one length.
        let rows = Rounded::rounded(4, &[2.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0]).unwrap();
        let projection = Projection::new(vec![block], vec![0.0; 4], rows).unwrap();
        let of = |x: &[f32]| explained(&projection, &[x]).unwrap();
        assert!((of(&[0.6, -0.8, 0.0, 0.0]) - 1.0).abs() < 1e-6);
        assert!(of(&[0.0, 0.0, 1.0, 3.0]) < 1e-6);
        assert!((of(&[0.6, 0.0, 0.8, 0.0]) - 0.36).abs() < 1e-6);
        assert!(explained(&projection, &[]).is_none());
        assert!(explained(&projection, &[&[1.0; 3]]).is_none());
        assert!(explained(&projection, &[&[0.0; 4]]).is_none());
    }
}
