//! From the network's pooled features to the embedding that is indexed and compared.
//!
//! ```text
//! pooled [sum of block dims] -> per block: sign(x)*|x|^power, L2, times weight -> joined
//!        -> minus mean -> times matrix -> L2 = embedding [out_dim]
//! ```
//!
//! Whatever is learnt on a catalogue (PCA and whitening after Jégou and Chum, ECCV 2012; a
//! regression to a stronger network) is linear after the power and ends up in the one matrix, so
//! that the browser's part stays the same. The matrix is kept in int8, a scale for each row:
//! measured, that costs nothing (`docs/retrieval.md`).

use crate::embedding::{Embedding, norm};
use crate::error::{Error, ErrorKind, Result};

/// How one layer's pooled features enter the projection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Block {
    /// How many features the layer has.
    pub dim: usize,
    /// The exponent of the signed power, 0.5 being the square root; in (0, 1].
    pub power: f32,
    /// What the block's unit vector is multiplied with; above 0.
    pub weight: f32,
}

/// The affine map from pooled features to embeddings.
#[derive(Clone, PartialEq)]
pub struct Projection {
    blocks: Vec<Block>,
    /// `[in_dim]`
    mean: Vec<f32>,
    matrix: Matrix,
}

/// Rows of int8, `[rows][columns]`, each with a scale: an entry is `scale * value`.
#[derive(Clone, PartialEq)]
pub struct Matrix {
    columns: usize,
    /// `[rows]`
    scales: Vec<f32>,
    /// `[rows][columns]`
    values: Vec<i8>,
}

impl Matrix {
    /// A matrix from its parts: scales `[rows]` and values `[rows][columns]`.
    ///
    /// # Errors
    /// `BadIndex` if there are no rows or columns, the lengths do not fit, or a scale is negative or
    /// not finite.
    pub fn new(columns: usize, scales: Vec<f32>, values: Vec<i8>) -> Result<Self> {
        let bad =
            |what: String| Err(Error::new(ErrorKind::BadIndex, format!("projection: {what}")));
        if columns == 0
            || scales.is_empty()
            || scales.len().checked_mul(columns) != Some(values.len())
        {
            return bad(format!(
                "{} matrix entries and {} scales do not fit {columns} inputs",
                values.len(),
                scales.len()
            ));
        }
        if !scales.iter().all(|s| s.is_finite() && *s >= 0.0) {
            return bad("a scale is negative or not finite".into());
        }
        Ok(Self { columns, scales, values })
    }

    /// Rounds rows of real numbers, `[rows][columns]`: the largest entry of a row becomes 127 or
    /// -127. A row of zeros stays one.
    ///
    /// # Errors
    /// `BadIndex` if `rows` is empty or no multiple of `columns`, or an entry is not finite.
    pub fn rounded(columns: usize, rows: &[f32]) -> Result<Self> {
        let (mut scales, mut values) = (Vec::new(), Vec::with_capacity(rows.len()));
        for row in rows.chunks(columns.max(1)) {
            let finite = row.iter().all(|x| x.is_finite());
            let largest = row.iter().fold(0f32, |m, x| m.max(x.abs()));
            let scale = if finite { largest / 127.0 } else { f32::NAN };
            let code = |x: &f32| if scale > 0.0 { (x / scale).round() as i8 } else { 0 };
            scales.push(scale);
            values.extend(row.iter().map(code));
        }
        Self::new(columns, scales, values)
    }

    /// Each row's scale and values.
    pub fn rows(&self) -> impl Iterator<Item = (f32, &[i8])> {
        self.scales.iter().copied().zip(self.values.chunks_exact(self.columns))
    }

    /// The scales, `[rows]`.
    #[must_use]
    pub fn scales(&self) -> &[f32] {
        &self.scales
    }

    /// The values, `[rows][columns]`.
    #[must_use]
    pub fn values(&self) -> &[i8] {
        &self.values
    }
}

impl Projection {
    /// The projection with the given centre `[in_dim]` and matrix `[out_dim][in_dim]`, where
    /// `in_dim` is the sum of the blocks' dimensions.
    ///
    /// # Errors
    /// `BadIndex` if the lengths do not fit each other, a block is degenerate, or a value is not
    /// finite.
    pub fn new(blocks: Vec<Block>, mean: Vec<f32>, matrix: Matrix) -> Result<Self> {
        let bad =
            |what: String| Err(Error::new(ErrorKind::BadIndex, format!("projection: {what}")));
        let in_dim = blocks.iter().try_fold(0usize, |sum, b| sum.checked_add(b.dim)).unwrap_or(0);
        if in_dim == 0 || blocks.iter().any(|b| b.dim == 0) {
            return bad("a block has no dimensions".into());
        }
        if let Some(b) = blocks
            .iter()
            .find(|b| !(b.power > 0.0 && b.power <= 1.0 && b.weight > 0.0 && b.weight.is_finite()))
        {
            return bad(format!("power {} or weight {} out of range", b.power, b.weight));
        }
        if mean.len() != in_dim || matrix.columns != in_dim {
            return bad(format!(
                "{} means and {} matrix columns do not fit {in_dim} inputs",
                mean.len(),
                matrix.columns
            ));
        }
        if !mean.iter().all(|x| x.is_finite()) {
            return bad("a value is not finite".into());
        }
        Ok(Self { blocks, mean, matrix })
    }

    /// The number of pooled features that go in.
    #[must_use]
    pub fn in_dim(&self) -> usize {
        self.mean.len()
    }

    /// The dimension of the embedding that comes out.
    #[must_use]
    pub fn out_dim(&self) -> usize {
        self.matrix.scales.len()
    }

    /// How each layer enters.
    #[must_use]
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// The centre, `[in_dim]`.
    #[must_use]
    pub fn mean(&self) -> &[f32] {
        &self.mean
    }

    /// The matrix, `[out_dim][in_dim]`.
    #[must_use]
    pub fn matrix(&self) -> &Matrix {
        &self.matrix
    }

    /// Projects pooled features `[in_dim]`.
    ///
    /// # Errors
    /// `Mismatch` if the length is not `in_dim`; `BadModel` if the features are not finite or give
    /// no direction.
    pub fn apply(&self, pooled: &[f32]) -> Result<Embedding> {
        Embedding::new(self.linear(pooled)?).map_err(|cause| {
            Error::with_source(ErrorKind::BadModel, "the network's features cannot be used", cause)
        })
    }

    /// The length of the projected vector before it is normalised, above 0.
    ///
    /// # Errors
    /// As [`Projection::apply`].
    pub fn length(&self, pooled: &[f32]) -> Result<f32> {
        let length = norm(&self.linear(pooled)?);
        if length.is_finite() && length > 0.0 {
            return Ok(length);
        }
        Err(Error::new(ErrorKind::BadModel, "the network's features have no direction"))
    }

    fn linear(&self, pooled: &[f32]) -> Result<Vec<f32>> {
        if pooled.len() != self.in_dim() {
            return Err(Error::new(
                ErrorKind::Mismatch,
                format!(
                    "the network gives {} features, the index was built from {}; use the network \
                     that the index names",
                    pooled.len(),
                    self.in_dim()
                ),
            ));
        }
        let mut features = powered(pooled, &self.blocks);
        for (x, mean) in features.iter_mut().zip(&self.mean) {
            *x -= mean;
        }
        let row_times_features = |(scale, row): (f32, &[i8])| {
            // Eight sums side by side: a fixed order, the same natively and in wasm, that
            // compilers can vectorise.
            let mut sums = [0f32; 8];
            let ((xs, last_xs), (ws, last_ws)) = (features.as_chunks::<8>(), row.as_chunks::<8>());
            for (xs, ws) in xs.iter().zip(ws) {
                for i in 0..8 {
                    sums[i] += xs[i] * f32::from(ws[i]);
                }
            }
            for ((sum, x), w) in sums.iter_mut().zip(last_xs).zip(last_ws) {
                *sum += x * f32::from(*w);
            }
            scale * sums.iter().sum::<f32>()
        };
        Ok(self.matrix.rows().map(row_times_features).collect())
    }
}

impl std::fmt::Debug for Projection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Projection({:?} -> {})", self.blocks, self.out_dim())
    }
}

/// The part before the matrix: signed power, L2 and weight of each block. `pooled` must be as long
/// as the blocks together. A block that is all zero stays so.
#[must_use]
pub fn powered(pooled: &[f32], blocks: &[Block]) -> Vec<f32> {
    let mut features = pooled.to_vec();
    let mut rest = features.as_mut_slice();
    for block in blocks {
        let (part, tail) = rest.split_at_mut(block.dim);
        for x in part.iter_mut() {
            *x = if block.power == 0.5 {
                // sqrt is exact everywhere; powf is not the same in every libm.
                x.abs().sqrt().copysign(*x)
            } else {
                x.abs().powf(block.power).copysign(*x)
            };
        }
        let length = norm(part);
        if length > 0.0 {
            part.iter_mut().for_each(|x| *x *= block.weight / length);
        }
        rest = tail;
    }
    features
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(dim: usize) -> Block {
        Block { dim, power: 0.5, weight: 1.0 }
    }

    fn matrix(columns: usize, values: &[f32]) -> Matrix {
        Matrix::rounded(columns, values).unwrap()
    }

    #[test]
    fn blocks_are_powered_normalised_and_weighted_apart() {
        let blocks = [block(2), Block { weight: 2.0, ..block(1) }, block(1)];
        let features = powered(&[9.0, -16.0, 5.0, 0.0], &blocks);
        let expected = [0.6, -0.8, 2.0, 0.0];
        assert!(features.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{features:?}");
    }

    #[test]
    fn rows_are_rounded_each_to_its_own_scale() {
        let m = matrix(3, &[1.0, -2.0, 0.5, 0.0, 0.0, 0.0, 1e-6, 3e-7, -1e-6]);
        assert_eq!(m.values(), [64, -127, 32, 0, 0, 0, 127, 38, -127]);
        assert_eq!(m.scales()[1], 0.0);
        assert!((m.scales()[0] - 2.0 / 127.0).abs() < 1e-9);
        for wrong in [f32::NAN, f32::INFINITY] {
            assert!(Matrix::rounded(2, &[1.0, wrong]).is_err());
        }
        assert!(Matrix::rounded(0, &[1.0]).is_err() && Matrix::rounded(1, &[]).is_err());
        assert!(Matrix::rounded(2, &[1.0, 1.0, 1.0]).is_err());
        assert!(Matrix::new(1, vec![-1.0], vec![1]).is_err());
        assert!(Matrix::new(usize::MAX, vec![1.0; 2], vec![1]).is_err());
    }

    #[test]
    fn applies_centre_and_matrix_and_normalises() {
        let p = Projection::new(vec![block(2)], vec![0.6, 0.0], matrix(2, &[1.0, 0.0, 0.0, 2.0]))
            .unwrap();
        // sqrt and L2 give (0.6, 0.8); minus the centre (0, 0.8); times the matrix (0, 1.6).
        assert_eq!(p.apply(&[9.0, 16.0]).unwrap().as_slice(), [0.0, 1.0]);
        assert_eq!(p.apply(&[1.0]).unwrap_err().kind(), ErrorKind::Mismatch);
        assert_eq!(p.apply(&[f32::NAN, 1.0]).unwrap_err().kind(), ErrorKind::BadModel);
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let one = || matrix(2, &[1.0, 1.0]);
        assert!(Projection::new(vec![], vec![], one()).is_err());
        assert!(Projection::new(vec![block(2)], vec![0.0], one()).is_err());
        assert!(Projection::new(vec![block(2)], vec![0.0; 2], matrix(3, &[1.0; 3])).is_err());
        assert!(Projection::new(vec![block(2)], vec![0.0, f32::NAN], one()).is_err());
        assert!(
            Projection::new(vec![Block { power: 0.0, ..block(2) }], vec![0.0; 2], one()).is_err()
        );
        let huge = Block { dim: usize::MAX, ..block(1) };
        assert!(Projection::new(vec![huge, huge], vec![0.0; 2], one()).is_err());
    }
}
