//! What projections are learnt from: many feature vectors and their centre.

use lookalike_linalg::Matrix;

use crate::projection::{Block, powered};

/// Rows that are turned into `f64` at a time: a catalogue of 100 000 products need not fit twice.
const CHUNK: usize = 4096;

/// Feature vectors after the signed power, `[count][dim]`, and their mean.
pub(super) struct Samples {
    features: Vec<Vec<f32>>,
    mean: Vec<f64>,
}

impl Samples {
    /// From pooled features `[count][sum of block dims]`.
    pub(super) fn new(pooled: &[Vec<f32>], blocks: &[Block]) -> Self {
        let features: Vec<Vec<f32>> = pooled.iter().map(|p| powered(p, blocks)).collect();
        let mut mean = vec![0f64; blocks.iter().map(|b| b.dim).sum()];
        for row in &features {
            mean.iter_mut().zip(row).for_each(|(m, &x)| *m += f64::from(x));
        }
        mean.iter_mut().for_each(|m| *m /= features.len().max(1) as f64);
        Self { features, mean }
    }

    pub(super) fn len(&self) -> usize {
        self.features.len()
    }

    pub(super) fn dim(&self) -> usize {
        self.mean.len()
    }

    pub(super) fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// The given rows minus the centre, `[rows][dim]`.
    pub(super) fn centred(&self, rows: &[usize]) -> Matrix {
        Matrix::from_fn(rows.len(), self.dim(), |i, j| {
            f64::from(self.features[rows[i]][j]) - self.mean[j]
        })
    }

    pub(super) fn all(&self) -> Vec<usize> {
        (0..self.len()).collect()
    }

    /// `X^T X` and `X^T right` of the centred rows `X`, a chunk of rows at a time;
    /// `right` is `[count][any]`.
    fn moments(&self, right: &Matrix) -> (Matrix, Matrix) {
        let mut sums: Option<(Matrix, Matrix)> = None;
        for rows in self.all().chunks(CHUNK) {
            let x = self.centred(rows);
            let r = Matrix::from_fn(rows.len(), right.cols(), |i, j| right.at(rows[i], j));
            let (xx, xr) = (x.transposed_times(&x), x.transposed_times(&r));
            sums = Some(match sums {
                None => (xx, xr),
                Some((a, b)) => (plus(&a, &xx), plus(&b, &xr)),
            });
        }
        sums.unwrap_or_else(|| {
            let zero = |cols| Matrix::from_fn(self.dim(), cols, |_, _| 0.0);
            (zero(self.dim()), zero(right.cols()))
        })
    }

    /// `Z^T Z` of `Z = X * onto`, a chunk of rows at a time; `onto` is `[dim][any]`.
    pub(super) fn moments_of(&self, onto: &Matrix) -> Matrix {
        self.all()
            .chunks(CHUNK)
            .map(|rows| {
                let z = self.centred(rows).times(onto);
                z.transposed_times(&z)
            })
            .reduce(|a, b| plus(&a, &b))
            .unwrap_or_else(|| Matrix::from_fn(onto.cols(), onto.cols(), |_, _| 0.0))
    }

    /// Principal directions: their variances, descending, and unit vectors as columns `[dim][r]`.
    /// `None` if the features are not finite.
    pub(super) fn principal(&self, most: usize) -> Option<(Vec<f64>, Matrix)> {
        // The smaller of the two products has the same eigenvalues.
        let by_rows = self.len() < self.dim();
        let (values, vectors, centred) = if by_rows {
            let x = self.centred(&self.all());
            let (values, vectors) = x.times_transposed(&x).symmetric_eigen()?;
            (values, vectors, Some(x))
        } else {
            let none = Matrix::from_fn(self.len(), 0, |_, _| 0.0);
            let (values, vectors) = self.moments(&none).0.symmetric_eigen()?;
            (values, vectors, None)
        };
        let strongest = values.last().copied().unwrap_or(0.0);
        // Eigenvalues ascend.
        let kept: Vec<usize> = (0..values.len())
            .rev()
            .take_while(|&i| values[i] > 0.0 && values[i] > strongest * MIN_SHARE)
            .take(most)
            .collect();
        let chosen = Matrix::from_fn(vectors.rows(), kept.len(), |i, j| vectors.at(i, kept[j]));
        let directions = centred.map_or(chosen.clone(), |x| x.transposed_times(&chosen));
        let directions = unit_columns(&directions);
        Some((kept.iter().map(|&i| values[i] / self.len() as f64).collect(), directions))
    }

    /// Ridge regression of `targets` `[count][t]`, whose columns have mean 0, on the centred
    /// features: `[dim][t]`. `strength` is the regularisation as a share of the features' total
    /// variance. `None` if the system cannot be solved.
    pub(super) fn ridge(&self, targets: &Matrix, strength: f64) -> Option<Matrix> {
        if self.len() <= self.dim() {
            let x = self.centred(&self.all());
            let dual = regularised(&x.times_transposed(&x), strength, self.len())
                .solve_positive_definite(targets)?;
            Some(x.transposed_times(&dual))
        } else {
            let (xx, xt) = self.moments(targets);
            regularised(&xx, strength, self.len()).solve_positive_definite(&xt)
        }
    }
}

/// Components weaker than this share of the strongest are noise of `f32`.
const MIN_SHARE: f64 = 1e-7;

/// `gram + strength * trace(gram) / count * I`.
pub(super) fn regularised(gram: &Matrix, strength: f64, count: usize) -> Matrix {
    let trace: f64 = (0..gram.rows()).map(|i| gram.at(i, i)).sum();
    let ridge = strength * trace / count as f64;
    Matrix::from_fn(gram.rows(), gram.cols(), |i, j| {
        gram.at(i, j) + if i == j { ridge } else { 0.0 }
    })
}

fn plus(a: &Matrix, b: &Matrix) -> Matrix {
    Matrix::from_fn(a.rows(), a.cols(), |i, j| a.at(i, j) + b.at(i, j))
}

/// Each column scaled to length 1, with its largest entry positive: the sign of an eigenvector is
/// arbitrary, and builds should repeat.
pub(super) fn unit_columns(matrix: &Matrix) -> Matrix {
    let scales: Vec<f64> = (0..matrix.cols())
        .map(|j| {
            let column = || (0..matrix.rows()).map(|i| matrix.at(i, j));
            let length = column().map(|x| x * x).sum::<f64>().sqrt();
            let largest = column().fold(0f64, |m, x| if x.abs() > m.abs() { x } else { m });
            if length > 0.0 { largest.signum() / length } else { 0.0 }
        })
        .collect();
    Matrix::from_fn(matrix.rows(), matrix.cols(), |i, j| matrix.at(i, j) * scales[j])
}

/// The columns minus their means over `rows`, all rows of `matrix` included.
pub(super) fn centred_columns(matrix: &Matrix, rows: &[usize]) -> Matrix {
    let means: Vec<f64> = (0..matrix.cols())
        .map(|j| rows.iter().map(|&i| matrix.at(i, j)).sum::<f64>() / rows.len().max(1) as f64)
        .collect();
    Matrix::from_fn(matrix.rows(), matrix.cols(), |i, j| matrix.at(i, j) - means[j])
}

/// Root mean square of the rows' lengths.
pub(super) fn rms(matrix: &Matrix) -> f64 {
    let total: f64 = (0..matrix.cols())
        .map(|j| (0..matrix.rows()).map(|i| matrix.at(i, j).powi(2)).sum::<f64>())
        .sum();
    (total / matrix.rows().max(1) as f64).sqrt()
}

/// Matrices with the same number of rows side by side, each scaled.
pub(super) fn beside(parts: &[(Matrix, f64)]) -> Matrix {
    let columns: Vec<(usize, usize)> = parts
        .iter()
        .enumerate()
        .flat_map(|(p, (m, _))| (0..m.cols()).map(move |j| (p, j)))
        .collect();
    let rows = parts.first().map_or(0, |(m, _)| m.rows());
    Matrix::from_fn(rows, columns.len(), |i, c| {
        let (p, j) = columns[c];
        parts[p].0.at(i, j) * parts[p].1
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(dim: usize) -> Block {
        Block { dim, power: 1.0, weight: 1.0 }
    }

    /// Deterministic points near (0, 0, 1), spread differently along each axis.
    fn points(count: usize) -> Vec<Vec<f32>> {
        (0..count)
            .map(|i| {
                let t = i as f32;
                vec![0.3 * (t * 1.7).sin(), 0.1 * (t * 0.9).cos(), 1.0, 0.05 * (t * 2.3).sin()]
            })
            .collect()
    }

    fn targets(samples: &Samples) -> Matrix {
        let x = samples.centred(&samples.all());
        let t = Matrix::from_fn(samples.len(), 1, |i, _| 2.0 * x.at(i, 0) - x.at(i, 1));
        centred_columns(&t, &samples.all())
    }

    #[test]
    fn ridge_finds_a_linear_law_from_few_samples_and_from_many() {
        // Below and above the dimension: the dual and the primal way.
        for count in [4, 50] {
            let samples = Samples::new(&points(count), &[block(4)]);
            let t = targets(&samples);
            let w = samples.ridge(&t, 1e-9).unwrap();
            let fitted = samples.centred(&samples.all()).times(&w);
            for i in 0..count {
                assert!((fitted.at(i, 0) - t.at(i, 0)).abs() < 1e-4, "{count} {i}");
            }
            let strong = samples.ridge(&t, 1e4).unwrap();
            assert!(rms(&strong) < 0.1 * rms(&w), "regularisation shrinks");
        }
    }

    #[test]
    fn both_ways_agree() {
        let samples = Samples::new(&points(40), &[block(4)]);
        let t = targets(&samples);
        let x = samples.centred(&samples.all());
        let dual =
            regularised(&x.times_transposed(&x), 0.1, 40).solve_positive_definite(&t).unwrap();
        let dual = x.transposed_times(&dual);
        let primal = samples.ridge(&t, 0.1).unwrap();
        assert!((0..4).all(|i| (dual.at(i, 0) - primal.at(i, 0)).abs() < 1e-9));
    }

    #[test]
    fn principal_directions_are_orthonormal_and_ordered() {
        for count in [3, 60] {
            let samples = Samples::new(&points(count), &[block(4)]);
            let (variances, v) = samples.principal(3).unwrap();
            assert!(variances.windows(2).all(|w| w[0] >= w[1]));
            let vv = v.transposed_times(&v);
            for (i, j) in (0..v.cols()).flat_map(|i| (0..v.cols()).map(move |j| (i, j))) {
                let expected = if i == j { 1.0 } else { 0.0 };
                assert!((vv.at(i, j) - expected).abs() < 1e-6, "{count}: {i} {j}");
            }
        }
    }

    #[test]
    fn parts_go_side_by_side() {
        let one = |v: f64| Matrix::from_fn(2, 1, |i, _| v + i as f64);
        let m = beside(&[(one(1.0), 1.0), (one(10.0), 0.5)]);
        assert_eq!((m.cols(), m.at(1, 0), m.at(1, 1)), (2, 2.0, 5.5));
    }
}
