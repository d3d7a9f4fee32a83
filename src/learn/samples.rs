//! What projections are learnt from: many feature vectors, their centre, and what they are regressed
//! to. Nothing here is as large as the catalogue but the features themselves: products of matrices are
//! summed up over chunks of rows, which are turned into `f64` when they are needed.

use std::cell::OnceCell;
use std::collections::HashMap;

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

/// Feature vectors of pictures after the signed power, `[count][dim]`, and their mean. Each product
/// weighs 1, which its pictures share.
pub(super) struct Samples<'a> {
    pooled: &'a [&'a [f32]],
    blocks: &'a [Block],
    shares: &'a Shares,
    mean: Vec<f64>,
    /// Products of the centred rows `X` with themselves, by weight; see [`Samples::products`].
    products: OnceCell<Matrix>,
}

/// Which product each row belongs to, and what the row weighs.
#[derive(Clone, Debug)]
pub(super) struct Shares {
    owners: Vec<u32>,
    weights: Vec<f64>,
    total: f64,
}

impl Shares {
    /// Of the product of each row.
    pub(super) fn new(owners: &[u32]) -> Self {
        Self::with_copies(owners, &[])
    }

    /// Of the product of each row, the copies' rows behind the others. All copies of a product weigh
    /// as much together as all its pictures.
    pub(super) fn with_copies(owners: &[u32], copies: &[u32]) -> Self {
        let parts = |owners: &[u32]| {
            let mut counts: HashMap<u32, usize> = HashMap::new();
            owners.iter().for_each(|&owner| *counts.entry(owner).or_default() += 1);
            owners.iter().map(|owner| 1.0 / counts[owner] as f64).collect::<Vec<f64>>()
        };
        let weights = [parts(owners), parts(copies)].concat();
        let total = weights.iter().sum::<f64>().round();
        Self { owners: [owners, copies].concat(), weights, total }
    }

    /// The product of a row.
    pub(super) fn owner(&self, row: usize) -> u32 {
        self.owners[row]
    }

    /// What a row weighs: above 0, at most 1.
    pub(super) fn weight(&self, row: usize) -> f64 {
        self.weights[row]
    }

    /// What belongs to some rows, `[rows][any]`, times the roots of their weights.
    pub(super) fn rooted(&self, rows: &[usize], matrix: &Matrix) -> Matrix {
        let roots: Vec<f64> = rows.iter().map(|&row| self.weight(row).sqrt()).collect();
        Matrix::from_fn(matrix.rows(), matrix.cols(), |i, j| roots[i] * matrix.at(i, j))
    }

    /// How many products there are, those with copies twice: what all rows weigh together.
    pub(super) fn products(&self) -> f64 {
        self.total
    }
}

/// What rows of features are regressed to: numbers per row.
pub(super) enum Targets<'a> {
    /// Other features, projected onto directions `[their dim][any]`, and the row of them that is each
    /// row's: a copy has its picture's.
    Projected(Samples<'a>, Matrix, &'a [usize]),
    /// What products share, and whose rows are.
    Labels(Labels, &'a Shares),
    /// Several side by side, each scaled.
    Beside(Vec<(&'a Targets<'a>, f64)>),
}

impl Targets<'_> {
    /// The targets of some rows, `[rows][any]`.
    pub(super) fn rows(&self, rows: &[usize]) -> Matrix {
        match self {
            Self::Projected(samples, onto, of) => {
                let theirs: Vec<usize> = rows.iter().map(|&row| of[row]).collect();
                samples.centred(&theirs).times(onto)
            }
            Self::Labels(labels, shares) => {
                let owners: Vec<usize> =
                    rows.iter().map(|&row| shares.owner(row) as usize).collect();
                labels.rows(&owners)
            }
            Self::Beside(parts) => {
                let parts: Vec<(Matrix, f64)> =
                    parts.iter().map(|(part, scale)| (part.rows(rows), *scale)).collect();
                beside(&parts)
            }
        }
    }

    /// Their means over all products.
    fn means(&self) -> Vec<f64> {
        match self {
            Self::Projected(_, onto, _) => vec![0.0; onto.cols()],
            Self::Labels(labels, _) => labels.means(),
            Self::Beside(parts) => {
                let means = |(part, scale): &(&Targets<'_>, f64)| {
                    part.means().into_iter().map(|mean| mean * scale).collect::<Vec<_>>()
                };
                parts.iter().flat_map(means).collect()
            }
        }
    }
}

impl<'a> Samples<'a> {
    /// From pooled features `[count][sum of block dims]`, and whose they are.
    pub(super) fn new(pooled: &'a [&'a [f32]], blocks: &'a [Block], shares: &'a Shares) -> Self {
        let dim = blocks.iter().map(|b| b.dim).sum();
        // Chunk by chunk, so that the sum does not depend on the number of threads.
        let sums: Vec<Vec<f64>> = pooled
            .par_chunks(CHUNK)
            .zip(shares.weights.par_chunks(CHUNK))
            .map(|(chunk, weights)| {
                let mut sum = vec![0f64; dim];
                for (row, weight) in chunk.iter().zip(weights) {
                    let row = powered(row, blocks);
                    sum.iter_mut().zip(row).for_each(|(m, x)| *m += weight * f64::from(x));
                }
                sum
            })
            .collect();
        let mut mean = vec![0f64; dim];
        for sum in sums {
            mean.iter_mut().zip(sum).for_each(|(m, x)| *m += x);
        }
        mean.iter_mut().for_each(|m| *m /= shares.products().max(1.0));
        Self { pooled, blocks, shares, mean, products: OnceCell::new() }
    }

    pub(super) fn shares(&self) -> &'a Shares {
        self.shares
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
        self.scaled(rows, |_| 1.0)
    }

    /// The same, each times the root of its weight: what least squares are taken of.
    fn weighted(&self, rows: &[usize]) -> Matrix {
        self.scaled(rows, |row| self.shares.weight(row).sqrt())
    }

    fn scaled(&self, rows: &[usize], scale: impl Fn(usize) -> f64) -> Matrix {
        let features: Vec<Vec<f32>> =
            rows.par_iter().map(|&row| powered(self.pooled[row], self.blocks)).collect();
        let scales: Vec<f64> = rows.iter().map(|&row| scale(row)).collect();
        Matrix::from_fn(rows.len(), self.dim(), |i, j| {
            scales[i] * (f64::from(features[i][j]) - self.mean[j])
        })
    }

    pub(super) fn all(&self) -> Vec<usize> {
        (0..self.len()).collect()
    }

    /// Whether there are fewer rows than dimensions: the products of rows are then the smaller.
    fn by_rows(&self) -> bool {
        self.len() < self.dim()
    }

    /// `X * X^T` if there are fewer rows than dimensions, else `X^T * X`, where `X` are the centred
    /// rows times the roots of their weights. They have the same eigenvalues.
    fn products(&self) -> &Matrix {
        self.products.get_or_init(|| {
            if self.by_rows() {
                let x = self.weighted(&self.all());
                return x.times_transposed(&x);
            }
            let mut sum = Matrix::zeros(self.dim(), self.dim());
            for rows in self.all().chunks(CHUNK) {
                sum.add_gram(&self.weighted(rows));
            }
            sum.mirror_lower();
            sum
        })
    }

    /// Whether any two rows differ.
    pub(super) fn vary(&self) -> bool {
        let products = self.products();
        let trace: f64 = (0..products.rows()).map(|i| products.at(i, i)).sum();
        trace / self.shares.products().max(1.0) > self.least_variance()
    }

    fn least_variance(&self) -> f64 {
        NO_VARIETY * self.mean.iter().map(|m| m * m).sum::<f64>()
    }

    /// `Z^T Z` of `Z = X * onto`; `onto` is `[dim][any]`.
    pub(super) fn moments_of(&self, onto: &Matrix) -> Matrix {
        if self.by_rows() {
            let z = self.weighted(&self.all()).times(onto);
            return z.transposed_times(&z);
        }
        onto.transposed_times(&self.products().times(onto))
    }

    /// Principal directions: their variances, descending, and unit vectors as columns `[dim][r]`.
    /// None of them if all rows are the same. `None` if the features are not finite.
    pub(super) fn principal(&self, most: usize) -> Option<(Vec<f64>, Matrix)> {
        let (values, vectors) = self.products().symmetric_eigen()?;
        let strongest = values.last().copied().unwrap_or(0.0);
        let least = (strongest * MIN_SHARE).max(self.least_variance() * self.shares.products());
        // Eigenvalues ascend.
        let kept: Vec<usize> = (0..values.len())
            .rev()
            .take_while(|&i| values[i] > 0.0 && values[i] > least)
            .take(most)
            .collect();
        let chosen = Matrix::from_fn(vectors.rows(), kept.len(), |i, j| vectors.at(i, kept[j]));
        let directions = if self.by_rows() {
            self.weighted(&self.all()).transposed_times(&chosen)
        } else {
            chosen
        };
        let directions = unit_columns(&directions);
        Some((kept.iter().map(|&i| values[i] / self.shares.products()).collect(), directions))
    }

    /// Ridge regression of the centred targets on the centred features: `[dim][their columns]`.
    /// `strength` is the regularisation as a share of the features' total variance. `None` if the
    /// system cannot be solved.
    pub(super) fn ridge(&self, targets: &Targets<'_>, strength: f64) -> Option<Matrix> {
        let means = targets.means();
        let centred =
            |rows: &[usize]| self.shares.rooted(rows, &minus(&targets.rows(rows), &means));
        let system = regularised(self.products(), strength, self.shares.products());
        if self.by_rows() {
            let dual = system.solve_positive_definite(&centred(&self.all()))?;
            return Some(self.weighted(&self.all()).transposed_times(&dual));
        }
        let mut right = Matrix::zeros(self.dim(), means.len());
        for rows in self.all().chunks(CHUNK) {
            right.add_transposed_times(&self.weighted(rows), &centred(rows));
        }
        system.solve_positive_definite(&right)
    }
}

/// `gram + strength * trace(gram) / weight * I`, where `weight` is what the rows weigh together.
pub(super) fn regularised(gram: &Matrix, strength: f64, weight: f64) -> Matrix {
    let trace: f64 = (0..gram.rows()).map(|i| gram.at(i, i)).sum();
    let mut sum = gram.clone();
    sum.add_to_diagonal(strength * trace / weight);
    sum
}

/// Each row minus the same.
pub(super) fn minus(matrix: &Matrix, row: &[f64]) -> Matrix {
    Matrix::from_fn(matrix.rows(), matrix.cols(), |i, j| matrix.at(i, j) - row[j])
}

/// The mean of each column, of rows of these weights.
pub(super) fn column_means(matrix: &Matrix, weights: &[f64]) -> Vec<f64> {
    let total = weights.iter().sum::<f64>().max(f64::MIN_POSITIVE);
    let column = |j: usize| weights.iter().enumerate().map(move |(i, w)| w * matrix.at(i, j));
    (0..matrix.cols()).map(|j| column(j).sum::<f64>() / total).collect()
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

/// Root mean square of the rows' lengths, of rows of these weights.
pub(super) fn rms(matrix: &Matrix, weights: &[f64]) -> f64 {
    let square = |i: usize| (0..matrix.cols()).map(|j| matrix.at(i, j).powi(2)).sum::<f64>();
    let total = weights.iter().enumerate().map(|(i, w)| w * square(i)).sum::<f64>();
    (total / weights.iter().sum::<f64>().max(f64::MIN_POSITIVE)).sqrt()
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

    /// One picture a product.
    fn single(count: usize) -> Shares {
        Shares::new(&(0..count as u32).collect::<Vec<_>>())
    }

    fn length(matrix: &Matrix) -> f64 {
        rms(matrix, &vec![1.0; matrix.rows()])
    }

    /// Targets that are a linear law of the features: twice the first minus the second.
    fn law<'a>(pooled: &'a [&'a [f32]], blocks: &'a [Block], shares: &'a Shares) -> Targets<'a> {
        const EACH: [usize; 64] = {
            let mut each = [0; 64];
            let mut i = 0;
            while i < each.len() {
                each[i] = i;
                i += 1;
            }
            each
        };
        let onto = Matrix::from_fn(4, 1, |i, _| [2.0, -1.0, 0.0, 0.0][i]);
        Targets::Projected(Samples::new(pooled, blocks, shares), onto, &EACH)
    }

    #[test]
    fn ridge_finds_a_linear_law_from_few_samples_and_from_many() {
        // Below and above the dimension: the dual and the primal way.
        for count in [3, 4, 50] {
            let (rows, blocks) = (points(count), [block(4)]);
            let (pooled, shares) = (refs(&rows), single(count));
            let samples = Samples::new(&pooled, &blocks, &shares);
            let t = law(&pooled, &blocks, &shares);
            let w = samples.ridge(&t, 1e-9).unwrap();
            let fitted = samples.centred(&samples.all()).times(&w);
            let wanted = t.rows(&samples.all());
            for i in 0..count {
                assert!((fitted.at(i, 0) - wanted.at(i, 0)).abs() < 1e-4, "{count} {i}");
            }
            let strong = samples.ridge(&t, 1e4).unwrap();
            assert!(length(&strong) < 0.1 * length(&w), "regularisation shrinks");
        }
    }

    #[test]
    fn both_ways_agree() {
        let (rows, blocks) = (points(40), [block(4)]);
        let (pooled, shares) = (refs(&rows), single(rows.len()));
        let samples = Samples::new(&pooled, &blocks, &shares);
        let t = law(&pooled, &blocks, &shares);
        let x = samples.centred(&samples.all());
        let dual = regularised(&x.times_transposed(&x), 0.1, 40.0)
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
        let (pooled, shares) = (refs(&rows), single(rows.len()));
        let samples = Samples::new(&pooled, &blocks, &shares);
        let x = samples.centred(&samples.all());
        assert!(column_means(&x, &vec![1.0; x.rows()]).iter().all(|m| m.abs() < 1e-9));
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
        let (pooled, blocks, shares) = (refs(&rows), [block(3)], single(rows.len()));
        let samples = Samples::new(&pooled, &blocks, &shares);
        assert!(!samples.vary());
        assert!(samples.principal(2).unwrap().0.is_empty());
    }

    #[test]
    fn principal_directions_are_orthonormal_and_ordered() {
        for count in [3, 60] {
            let (rows, blocks) = (points(count), [block(4)]);
            let (pooled, shares) = (refs(&rows), single(count));
            let samples = Samples::new(&pooled, &blocks, &shares);
            let (variances, v) = samples.principal(3).unwrap();
            assert!(variances.windows(2).all(|w| w[0] >= w[1]));
            let vv = v.transposed_times(&v);
            for (i, j) in (0..v.cols()).flat_map(|i| (0..v.cols()).map(move |j| (i, j))) {
                let expected = if i == j { 1.0 } else { 0.0 };
                assert!((vv.at(i, j) - expected).abs() < 1e-6, "{count}: {i} {j}");
            }
        }
    }

    /// Thirty products, of which the first has its picture ten times over.
    fn repeated(rows: &[Vec<f32>]) -> (Vec<&[f32]>, Shares) {
        let mut pooled = vec![rows[0].as_slice(); 10];
        pooled.extend(refs(&rows[1..]));
        let owners: Vec<u32> = [0; 10].into_iter().chain(1..rows.len() as u32).collect();
        (pooled, Shares::new(&owners))
    }

    #[test]
    fn a_product_with_ten_pictures_weighs_as_much_as_one_with_a_single_one() {
        // Below and above the dimension.
        for count in [3, 30] {
            let (rows, blocks) = (points(count), [block(4)]);
            let (once, shares) = (refs(&rows), single(count));
            let plain = Samples::new(&once, &blocks, &shares);
            let (often, shared) = repeated(&rows);
            let weighed = Samples::new(&often, &blocks, &shared);
            let close = |a: f64, b: f64| (a - b).abs() < 1e-6 * (1.0 + b.abs());
            assert!(weighed.mean().iter().zip(plain.mean()).all(|(a, b)| close(*a, *b)));
            let (a, b) = (weighed.principal(2).unwrap(), plain.principal(2).unwrap());
            assert!(a.0.iter().zip(&b.0).all(|(a, b)| close(*a, *b)), "{:?} {:?}", a.0, b.0);
            let (t, u) = (law(&often, &blocks, &shared), law(&once, &blocks, &shares));
            let (v, w) = (weighed.ridge(&t, 0.1).unwrap(), plain.ridge(&u, 0.1).unwrap());
            assert!((0..4).all(|i| close(v.at(i, 0), w.at(i, 0))));
            assert!(close(weighed.moments_of(&v).at(0, 0), plain.moments_of(&w).at(0, 0)));
        }
    }

    #[test]
    fn copies_of_a_product_weigh_together_what_its_pictures_do() {
        let shares = Shares::with_copies(&[0, 0, 1, 2], &[1, 1, 1, 0]);
        assert_eq!(shares.weights, [0.5, 0.5, 1.0, 1.0, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0, 1.0]);
        assert_eq!((shares.products(), shares.owner(6)), (5.0, 1));
    }

    #[test]
    fn parts_go_side_by_side() {
        let one = |v: f64| Matrix::from_fn(2, 1, |i, _| v + i as f64);
        let m = beside(&[(one(1.0), 1.0), (one(10.0), 0.5)]);
        assert_eq!((m.cols(), m.at(1, 0), m.at(1, 1)), (2, 2.0, 5.5));
    }
}
