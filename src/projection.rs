//! From the network's pooled features to the embedding that is indexed and compared.
//!
//! ```text
//! pooled [sum of block dims] -> per block: sign(x)*|x|^power, L2, times weight -> joined
//!        -> minus mean -> times matrix -> L2 = embedding [out_dim]
//! ```
//!
//! Whatever is learnt on a catalogue (PCA and whitening after Jégou and Chum, ECCV 2012; a
//! regression to a stronger network) is linear after the power and ends up in the one matrix, so
//! that the browser's part stays the same.

use half::f16;

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
    /// `[out_dim][in_dim]`; half precision loses nothing that an int8 code could hold.
    matrix: Vec<f16>,
    out_dim: usize,
}

impl Projection {
    /// The projection with the given centre `[in_dim]` and matrix `[out_dim][in_dim]`, where
    /// `in_dim` is the sum of the blocks' dimensions.
    ///
    /// # Errors
    /// `BadIndex` if the lengths do not fit each other, a block is degenerate, or a value is not
    /// finite.
    pub fn new(blocks: Vec<Block>, mean: Vec<f32>, matrix: Vec<f16>) -> Result<Self> {
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
        if mean.len() != in_dim || matrix.is_empty() || !matrix.len().is_multiple_of(in_dim) {
            return bad(format!(
                "{} means and {} matrix entries do not fit {in_dim} inputs",
                mean.len(),
                matrix.len()
            ));
        }
        if !mean.iter().all(|x| x.is_finite()) || !matrix.iter().all(|x| x.is_finite()) {
            return bad("a value is not finite".into());
        }
        let out_dim = matrix.len() / in_dim;
        Ok(Self { blocks, mean, matrix, out_dim })
    }

    /// The number of pooled features that go in.
    #[must_use]
    pub fn in_dim(&self) -> usize {
        self.mean.len()
    }

    /// The dimension of the embedding that comes out.
    #[must_use]
    pub fn out_dim(&self) -> usize {
        self.out_dim
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
    pub fn matrix(&self) -> &[f16] {
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
        let row_times_features = |row: &[f16]| {
            // Eight sums side by side: a fixed order, the same natively and in wasm, that
            // compilers can vectorise.
            let mut sums = [0f32; 8];
            let ((xs, last_xs), (ws, last_ws)) = (features.as_chunks::<8>(), row.as_chunks::<8>());
            for (xs, ws) in xs.iter().zip(ws) {
                for i in 0..8 {
                    sums[i] += xs[i] * widened(ws[i]);
                }
            }
            for ((sum, x), w) in sums.iter_mut().zip(last_xs).zip(last_ws) {
                *sum += x * widened(*w);
            }
            sums.iter().sum()
        };
        Ok(self.matrix.chunks_exact(self.in_dim()).map(row_times_features).collect())
    }
}

/// A finite number of half precision as `f32`, exactly: its exponent and fraction read as those of an `f32` are too small by
/// 2^112. Without a branch, so that it is done for several at once; the crate's own conversion took a tenth of the time of
/// building an index.
#[inline(always)]
fn widened(half: f16) -> f32 {
    let bits = u32::from(half.to_bits());
    let magnitude = f32::from_bits((bits & 0x7fff) << 13) * f32::from_bits((112 + 127) << 23);
    f32::from_bits(magnitude.to_bits() | (bits & 0x8000) << 16)
}

impl std::fmt::Debug for Projection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Projection({:?} -> {})", self.blocks, self.out_dim)
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

    fn half(values: &[f32]) -> Vec<f16> {
        values.iter().map(|&x| f16::from_f32(x)).collect()
    }

    #[test]
    fn blocks_are_powered_normalised_and_weighted_apart() {
        let blocks = [block(2), Block { weight: 2.0, ..block(1) }, block(1)];
        let features = powered(&[9.0, -16.0, 5.0, 0.0], &blocks);
        let expected = [0.6, -0.8, 2.0, 0.0];
        assert!(features.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{features:?}");
    }

    #[test]
    fn every_finite_half_widens_exactly() {
        let finite = (0..=u16::MAX).map(f16::from_bits).filter(|half| half.is_finite());
        for half in finite {
            assert_eq!(widened(half).to_bits(), half.to_f32().to_bits(), "{half}");
        }
    }

    #[test]
    fn applies_centre_and_matrix_and_normalises() {
        let p =
            Projection::new(vec![block(2)], vec![0.6, 0.0], half(&[1.0, 0.0, 0.0, 2.0])).unwrap();
        // sqrt and L2 give (0.6, 0.8); minus the centre (0, 0.8); times the matrix (0, 1.6).
        assert_eq!(p.apply(&[9.0, 16.0]).unwrap().as_slice(), [0.0, 1.0]);
        assert_eq!(p.apply(&[1.0]).unwrap_err().kind(), ErrorKind::Mismatch);
        assert_eq!(p.apply(&[f32::NAN, 1.0]).unwrap_err().kind(), ErrorKind::BadModel);
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let one = || half(&[1.0, 1.0]);
        assert!(Projection::new(vec![], vec![], vec![]).is_err());
        assert!(Projection::new(vec![block(2)], vec![0.0], one()).is_err());
        assert!(Projection::new(vec![block(2)], vec![0.0; 2], half(&[1.0; 3])).is_err());
        assert!(Projection::new(vec![block(2)], vec![0.0, f32::NAN], one()).is_err());
        assert!(
            Projection::new(vec![Block { power: 0.0, ..block(2) }], vec![0.0; 2], one()).is_err()
        );
        let huge = Block { dim: usize::MAX, ..block(1) };
        assert!(Projection::new(vec![huge, huge], vec![0.0; 2], one()).is_err());
    }
}
