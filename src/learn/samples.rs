//! What projections are learnt from: many feature vectors, their centre, and what they are regressed
//! to. Nothing here is as large as the catalogue but the features themselves: products of matrices are
//! summed up over chunks of rows, which are turned into `f64` when they are needed.

use std::cell::OnceCell;

use lookalike_linalg::Matrix;
use rayon::prelude::*;

use super::columns::Labels;
use crate::projection::{Block, powered};

/// Rows that are turned into `f64` at a time.
const CHUNK: usize = 2048;
/// Components weaker than this share of the strongest are noise of `f32`.
const MIN_SHARE: f64 = 1e-7;

/// Features that vary by less than this share of their mean's squared length are all the same, but
/// for the rounding of `f32`.
const NO_VARIETY: f64 = 1e-12;

/// Feature vectors after the signed power, `[count][dim]`, and their mean.
pub(super) struct Samples<'a> {
    pooled: &'a [&'a [f32]],
    blocks: &'a [Block],
    mean: Vec<f64>,
    /// Products of the centred rows `X` with themselves; see [`Samples::products`].
    products: OnceCell<Matrix>,
}

/// What rows of features are regressed to: numbers per row.
pub(super) enum Targets<'a> {
    /// Other features of the same rows, projected onto directions `[their dim][any]`.
    Projected(Samples<'a>, Matrix),
    /// What products share.
    Labels(Labels),
}

impl Targets<'_> {
    /// The targets of some rows, `[rows][any]`.
    pub(super) fn rows(&self, rows: &[usize]) -> Matrix {
        match self {
            Self::Projected(samples, onto) => samples.centred(rows).times(onto),
            Self::Labels(labels) => labels.rows(rows),
        }
    }

    /// Their means over all rows.
    fn means(&self) -> Vec<f64> {
        match self {
            Self::Projected(_, onto) => vec![0.0; onto.cols()],
            Self::Labels(labels) => labels.means(),
        }
    }
}

impl<'a> Samples<'a> {
    /// From pooled features `[count][sum of block dims]`.
    pub(super) fn new(pooled: &'a [&'a [f32]], blocks: &'a [Block]) -> Self {
        let dim = blocks.iter().map(|b| b.dim).sum();
        // Chunk by chunk, so that the sum does not depend on the number of threads.
        let sums: Vec<Vec<f64>> = pooled
            .par_chunks(CHUNK)
            .map(|chunk| {
                let mut sum = vec![0f64; dim];
                for row in chunk {
                    let row = powered(row, blocks);
                    sum.iter_mut().zip(row).for_each(|(m, x)| *m += f64::from(x));
                }
                sum
            })
            .collect();
        let mut mean = vec![0f64; dim];
        for sum in sums {
            mean.iter_mut().zip(sum).for_each(|(m, x)| *m += x);
        }
        mean.iter_mut().for_each(|m| *m /= pooled.len().max(1) as f64);
        Self { pooled, blocks, mean, products: OnceCell::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.pooled.len()
    }

    pub(super) fn dim(&self) -> usize {
        self.mean.len()
    }

    pub(super) fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// The given rows minus the centre, `[rows][dim]`.
    pub(super) fn centred(&self, rows: &[usize]) -> Matrix {
        let features: Vec<Vec<f32>> =
            rows.par_iter().map(|&row| powered(self.pooled[row], self.blocks)).collect();
        Matrix::from_fn(rows.len(), self.dim(), |i, j| f64::from(features[i][j]) - self.mean[j])
    }

    pub(super) fn all(&self) -> Vec<usize> {
        (0..self.len()).collect()
    }

    /// Whether there are fewer rows than dimensions: the products of rows are then the smaller.
    fn by_rows(&self) -> bool {
        self.len() < self.dim()
    }

    /// `X * X^T` if there are fewer rows than dimensions, else `X^T * X`. They have the same
    /// eigenvalues.
    fn products(&self) -> &Matrix {
        self.products.get_or_init(|| {
            if self.by_rows() {
                let x = self.centred(&self.all());
                return x.times_transposed(&x);
            }
            let mut sum = Matrix::zeros(self.dim(), self.dim());
            for rows in self.all().chunks(CHUNK) {
                sum.add_gram(&self.centred(rows));
            }
            sum.mirror_lower();
            sum
        })
    }

    /// Whether any two rows differ.
    pub(super) fn vary(&self) -> bool {
        let products = self.products();
        let trace: f64 = (0..products.rows()).map(|i| products.at(i, i)).sum();
        trace / self.len().max(1) as f64 > self.least_variance()
    }

    fn least_variance(&self) -> f64 {
        NO_VARIETY * self.mean.iter().map(|m| m * m).sum::<f64>()
    }

    /// `Z^T Z` of `Z = X * onto`; `onto` is `[dim][any]`.
    pub(super) fn moments_of(&self, onto: &Matrix) -> Matrix {
        if self.by_rows() {
            let z = self.centred(&self.all()).times(onto);
            return z.transposed_times(&z);
        }
        onto.transposed_times(&self.products().times(onto))
    }

    /// Principal directions: their variances, descending, and unit vectors as columns `[dim][r]`.
    /// None of them if all rows are the same. `None` if the features are not finite.
    pub(super) fn principal(&self, most: usize) -> Option<(Vec<f64>, Matrix)> {
        let (values, vectors) = self.products().symmetric_eigen()?;
        let strongest = values.last().copied().unwrap_or(0.0);
        let least = (strongest * MIN_SHARE).max(self.least_variance() * self.len() as f64);
        // Eigenvalues ascend.
        let kept: Vec<usize> = (0..values.len())
            .rev()
            .take_while(|&i| values[i] > 0.0 && values[i] > least)
            .take(most)
            .collect();
        let chosen = Matrix::from_fn(vectors.rows(), kept.len(), |i, j| vectors.at(i, kept[j]));
        let directions = if self.by_rows() {
            self.centred(&self.all()).transposed_times(&chosen)
        } else {
            chosen
        };
        let directions = unit_columns(&directions);
        Some((kept.iter().map(|&i| values[i] / self.len() as f64).collect(), directions))
    }

    /// Ridge regression of the centred targets on the centred features: `[dim][their columns]`.
    /// `strength` is the regularisation as a share of the features' total variance. `None` if the
    /// system cannot be solved.
    pub(super) fn ridge(&self, targets: &Targets<'_>, strength: f64) -> Option<Matrix> {
        let means = targets.means();
        let centred = |rows: &[usize]| minus(&targets.rows(rows), &means);
        let system = regularised(self.products(), strength, self.len());
        if self.by_rows() {
            let dual = system.solve_positive_definite(&centred(&self.all()))?;
            return Some(self.centred(&self.all()).transposed_times(&dual));
        }
        let mut right = Matrix::zeros(self.dim(), means.len());
        for rows in self.all().chunks(CHUNK) {
            right.add_transposed_times(&self.centred(rows), &centred(rows));
        }
        system.solve_positive_definite(&right)
    }
}

/// `gram + strength * trace(gram) / count * I`.
pub(super) fn regularised(gram: &Matrix, strength: f64, count: usize) -> Matrix {
    let trace: f64 = (0..gram.rows()).map(|i| gram.at(i, i)).sum();
    let mut sum = gram.clone();
    sum.add_to_diagonal(strength * trace / count as f64);
    sum
}

/// Each row minus the same.
pub(super) fn minus(matrix: &Matrix, row: &[f64]) -> Matrix {
    Matrix::from_fn(matrix.rows(), matrix.cols(), |i, j| matrix.at(i, j) - row[j])
}

/// The mean of each column.
pub(super) fn column_means(matrix: &Matrix) -> Vec<f64> {
    let column = |j: usize| (0..matrix.rows()).map(move |i| matrix.at(i, j)).sum::<f64>();
    (0..matrix.cols()).map(|j| column(j) / matrix.rows().max(1) as f64).collect()
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

    fn refs(rows: &[Vec<f32>]) -> Vec<&[f32]> {
        rows.iter().map(Vec::as_slice).collect()
    }

    /// Targets that are a linear law of the features: twice the first minus the second.
    fn law<'a>(pooled: &'a [&'a [f32]], blocks: &'a [Block]) -> Targets<'a> {
        let onto = Matrix::from_fn(4, 1, |i, _| [2.0, -1.0, 0.0, 0.0][i]);
        Targets::Projected(Samples::new(pooled, blocks), onto)
    }

    #[test]
    fn ridge_finds_a_linear_law_from_few_samples_and_from_many() {
        // Below and above the dimension: the dual and the primal way.
        for count in [3, 4, 50] {
            let (rows, blocks) = (points(count), [block(4)]);
            let pooled = refs(&rows);
            let samples = Samples::new(&pooled, &blocks);
            let t = law(&pooled, &blocks);
            let w = samples.ridge(&t, 1e-9).unwrap();
            let fitted = samples.centred(&samples.all()).times(&w);
            let wanted = t.rows(&samples.all());
            for i in 0..count {
                assert!((fitted.at(i, 0) - wanted.at(i, 0)).abs() < 1e-4, "{count} {i}");
            }
            let strong = samples.ridge(&t, 1e4).unwrap();
            assert!(rms(&strong) < 0.1 * rms(&w), "regularisation shrinks");
        }
    }

    #[test]
    fn both_ways_agree() {
        let (rows, blocks) = (points(40), [block(4)]);
        let pooled = refs(&rows);
        let samples = Samples::new(&pooled, &blocks);
        let t = law(&pooled, &blocks);
        let x = samples.centred(&samples.all());
        let dual = regularised(&x.times_transposed(&x), 0.1, 40)
            .solve_positive_definite(&t.rows(&samples.all()))
            .unwrap();
        let dual = x.transposed_times(&dual);
        let primal = samples.ridge(&t, 0.1).unwrap();
        assert!((0..4).all(|i| (dual.at(i, 0) - primal.at(i, 0)).abs() < 1e-9));
        let moments = samples.moments_of(&primal);
        let z = x.times(&primal);
        assert!((moments.at(0, 0) - z.transposed_times(&z).at(0, 0)).abs() < 1e-9);
    }

    #[test]
    fn chunks_add_up() {
        let (rows, blocks) = (points(CHUNK + 700), [block(4)]);
        let pooled = refs(&rows);
        let samples = Samples::new(&pooled, &blocks);
        let x = samples.centred(&samples.all());
        assert!(column_means(&x).iter().all(|m| m.abs() < 1e-9));
        let xx = x.transposed_times(&x);
        let products = samples.products();
        for (i, j) in (0..16).map(|n| (n / 4, n % 4)) {
            assert!((products.at(i, j) - xx.at(i, j)).abs() < 1e-9);
        }
        assert!(samples.vary());
    }

    #[test]
    fn rounding_is_no_variety() {
        // A third has no end in binary: the mean of many is not quite each of them.
        let rows = vec![vec![1.0 / 3.0, 0.1, 0.7]; 61];
        let (pooled, blocks) = (refs(&rows), [block(3)]);
        let samples = Samples::new(&pooled, &blocks);
        assert!(!samples.vary());
        assert!(samples.principal(2).unwrap().0.is_empty());
    }

    #[test]
    fn principal_directions_are_orthonormal_and_ordered() {
        for count in [3, 60] {
            let (rows, blocks) = (points(count), [block(4)]);
            let pooled = refs(&rows);
            let samples = Samples::new(&pooled, &blocks);
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
