//! Dense matrices of `f64` and the few operations that learning a projection needs, over faer.
//!
//! A crate of its own so that faer's generic code is compiled once, not with every change of the
//! library.

use faer::linalg::matmul::matmul;
use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::linalg::solvers::Solve;
use faer::{Accum, Mat, Side, get_global_parallelism};

/// A dense matrix.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix(Mat<f64>);

impl Matrix {
    /// The matrix with the given entries.
    pub fn from_fn(rows: usize, cols: usize, entry: impl Fn(usize, usize) -> f64) -> Self {
        let mut matrix = Mat::zeros(rows, cols);
        for j in 0..cols {
            for i in 0..rows {
                matrix[(i, j)] = entry(i, j);
            }
        }
        Self(matrix)
    }

    /// A matrix of zeros.
    #[must_use]
    pub fn zeros(rows: usize, cols: usize) -> Self {
        Self(Mat::zeros(rows, cols))
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.0.nrows()
    }

    /// Number of columns.
    #[must_use]
    pub fn cols(&self) -> usize {
        self.0.ncols()
    }

    /// The entry in a row and column, which must exist.
    #[must_use]
    pub fn at(&self, row: usize, col: usize) -> f64 {
        self.0[(row, col)]
    }

    /// `self * other`.
    ///
    /// # Panics
    /// If the inner dimensions differ.
    #[must_use]
    pub fn times(&self, other: &Self) -> Self {
        Self(&self.0 * &other.0)
    }

    /// `self^T * other`.
    ///
    /// # Panics
    /// If the numbers of rows differ.
    #[must_use]
    pub fn transposed_times(&self, other: &Self) -> Self {
        Self(self.0.transpose() * &other.0)
    }

    /// `self * other^T`.
    ///
    /// # Panics
    /// If the numbers of columns differ.
    #[must_use]
    pub fn times_transposed(&self, other: &Self) -> Self {
        Self(&self.0 * other.0.transpose())
    }

    /// Adds the lower triangle of `x^T * x`; the other is left as it is.
    ///
    /// # Panics
    /// If `self` does not have as many rows and columns as `x` has columns.
    pub fn add_gram(&mut self, x: &Self) {
        triangular::matmul(
            &mut self.0,
            BlockStructure::TriangularLower,
            Accum::Add,
            x.0.transpose(),
            BlockStructure::Rectangular,
            &x.0,
            BlockStructure::Rectangular,
            1.0,
            get_global_parallelism(),
        );
    }

    /// Adds `x^T * y`.
    ///
    /// # Panics
    /// If the dimensions do not fit.
    pub fn add_transposed_times(&mut self, x: &Self, y: &Self) {
        matmul(&mut self.0, Accum::Add, x.0.transpose(), &y.0, 1.0, get_global_parallelism());
    }

    /// Copies the lower triangle into the upper one.
    ///
    /// # Panics
    /// If the matrix is not square.
    pub fn mirror_lower(&mut self) {
        assert_eq!(self.rows(), self.cols(), "a square matrix");
        for j in 1..self.cols() {
            for i in 0..j {
                self.0[(i, j)] = self.0[(j, i)];
            }
        }
    }

    /// Adds a value to each entry of the diagonal.
    pub fn add_to_diagonal(&mut self, value: f64) {
        for i in 0..self.rows().min(self.cols()) {
            self.0[(i, i)] += value;
        }
    }

    /// Eigenvalues, ascending, and the unit eigenvectors as columns in the same order, of a
    /// symmetric matrix of which only the lower triangle is read. `None` if it holds numbers that
    /// are not finite or the iteration does not converge.
    #[must_use]
    pub fn symmetric_eigen(&self) -> Option<(Vec<f64>, Self)> {
        if !self.is_finite() {
            return None;
        }
        if self.rows() <= 1 {
            let values = (0..self.rows()).map(|i| self.at(i, i)).collect();
            return Some((values, Self::from_fn(self.rows(), self.rows(), |_, _| 1.0)));
        }
        let eigen = self.0.self_adjoint_eigen(Side::Lower).ok()?;
        let values = eigen.S().column_vector();
        let values = (0..values.nrows()).map(|i| values[i]).collect();
        Some((values, Self(eigen.U().to_owned())))
    }

    /// `X` in `self * X = right` for a symmetric positive definite matrix of which only the lower
    /// triangle is read; `None` if it is not positive definite.
    #[must_use]
    pub fn solve_positive_definite(&self, right: &Self) -> Option<Self> {
        if !self.is_finite() || !right.is_finite() {
            return None;
        }
        Some(Self(self.0.llt(Side::Lower).ok()?.solve(&right.0)))
    }

    /// The lower triangular `L` with `L * L^T = self`, for a symmetric positive definite matrix of which only the lower
    /// triangle is read; `None` if it is not positive definite.
    #[must_use]
    pub fn cholesky(&self) -> Option<Self> {
        if !self.is_finite() {
            return None;
        }
        Some(Self(self.0.llt(Side::Lower).ok()?.L().to_owned()))
    }

    fn is_finite(&self) -> bool {
        (0..self.cols()).all(|j| (0..self.rows()).all(|i| self.at(i, j).is_finite()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Matrix {
        Matrix::from_fn(3, 3, |i, j| if i == j { 4.0 } else { 1.0 / (1.0 + (i + j) as f64) })
    }

    #[test]
    fn eigenvectors_rebuild_the_matrix() {
        let a = sample();
        let (values, vectors) = a.symmetric_eigen().unwrap();
        assert!(values.is_sorted());
        let scaled = Matrix::from_fn(3, 3, |i, j| vectors.at(i, j) * values[j]);
        let rebuilt = scaled.times_transposed(&vectors);
        for (i, j) in (0..9).map(|n| (n / 3, n % 3)) {
            assert!((rebuilt.at(i, j) - a.at(i, j)).abs() < 1e-12);
        }
    }

    #[test]
    fn solves_what_it_multiplies() {
        let (a, x) = (sample(), Matrix::from_fn(3, 2, |i, j| i as f64 - j as f64));
        let solved = a.solve_positive_definite(&a.times(&x)).unwrap();
        assert!((0..6).all(|n| (solved.at(n / 2, n % 2) - x.at(n / 2, n % 2)).abs() < 1e-12));
        assert_eq!(x.transposed_times(&x).rows(), 2);
    }

    #[test]
    fn sums_of_products_are_those_of_all_rows() {
        let x = Matrix::from_fn(7, 3, |i, j| ((i * 3 + j) as f64).sin());
        let y = Matrix::from_fn(7, 2, |i, j| ((i * 2 + j) as f64).cos());
        let part = |m: &Matrix, rows: std::ops::Range<usize>| {
            Matrix::from_fn(rows.len(), m.cols(), |i, j| m.at(rows.start + i, j))
        };
        let (mut gram, mut cross) = (Matrix::zeros(3, 3), Matrix::zeros(3, 2));
        for rows in [0..4, 4..7] {
            gram.add_gram(&part(&x, rows.clone()));
            cross.add_transposed_times(&part(&x, rows.clone()), &part(&y, rows));
        }
        gram.mirror_lower();
        gram.add_to_diagonal(1.0);
        let (xx, xy) = (x.transposed_times(&x), x.transposed_times(&y));
        for (i, j) in (0..9).map(|n| (n / 3, n % 3)) {
            let one = if i == j { 1.0 } else { 0.0 };
            assert!((gram.at(i, j) - xx.at(i, j) - one).abs() < 1e-12);
        }
        assert!((0..6).all(|n| (cross.at(n / 2, n % 2) - xy.at(n / 2, n % 2)).abs() < 1e-12));
    }

    #[test]
    fn what_cannot_be_solved_is_none() {
        let none = Matrix::from_fn(0, 0, |_, _| 0.0);
        assert_eq!(none.symmetric_eigen().unwrap().0, []);
        let bad = Matrix::from_fn(2, 2, |_, _| f64::NAN);
        assert!(bad.symmetric_eigen().is_none());
        let indefinite = Matrix::from_fn(2, 2, |i, j| if i == j { -1.0 } else { 0.0 });
        assert!(indefinite.solve_positive_definite(&indefinite).is_none());
    }
}
