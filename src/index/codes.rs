//! int8 codes: an embedding in one byte a dimension, compared by exact integer arithmetic.

use crate::embedding::Embedding;
use crate::error::{Error, ErrorKind, Result};
use crate::kernels::dot;

/// Up to here the dot product of two codes stays within `i32`.
const MAX_DIM: usize = 1 << 16;

/// An embedding scaled so that its largest component is 127 (or -127) and rounded. The scale is
/// not kept: the cosine does not need it. The same embedding gives the same code everywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code(Box<[i8]>);

impl Code {
    /// The code of an embedding.
    #[must_use]
    pub fn new(embedding: &Embedding) -> Self {
        let values = embedding.as_slice();
        // Unit vectors have a component of at least 1/sqrt(dim): never a division by zero.
        let peak = values.iter().fold(0f32, |m, x| m.max(x.abs()));
        Self(values.iter().map(|x| (x / peak * 127.0).round() as i8).collect())
    }

    /// The components, `[dim]`.
    #[must_use]
    pub fn as_slice(&self) -> &[i8] {
        &self.0
    }
}

/// Many codes of one dimension, `[len][dim]`, with their inverse norms.
#[derive(Clone, PartialEq)]
pub struct Codes {
    dim: usize,
    values: Vec<i8>,
    inverse_norms: Vec<f32>,
}

impl Codes {
    /// Codes from `[len][dim]` bytes.
    ///
    /// # Errors
    /// `BadIndex` if the length is no multiple of `dim`, or a code is all zero and so has no
    /// direction.
    pub fn new(dim: usize, values: Vec<i8>) -> Result<Self> {
        if dim > MAX_DIM {
            return Err(Error::new(
                ErrorKind::BadIndex,
                format!("codes of {dim} dimensions: {MAX_DIM} is the most"),
            ));
        }
        if dim == 0 || !values.len().is_multiple_of(dim) {
            return Err(Error::new(
                ErrorKind::BadIndex,
                format!("{} bytes of codes do not divide into {dim} dimensions", values.len()),
            ));
        }
        let inverse_norms: Vec<f32> = values.chunks_exact(dim).map(inverse_norm).collect();
        if let Some(row) = inverse_norms.iter().position(|n| !n.is_finite()) {
            return Err(Error::new(ErrorKind::BadIndex, format!("code {row} is all zero")));
        }
        Ok(Self { dim, values, inverse_norms })
    }

    /// Codes of embeddings, which must have one dimension.
    ///
    /// # Errors
    /// `Mismatch` if a dimension differs; `BadIndex` if there are none.
    pub fn from_embeddings(embeddings: &[Embedding]) -> Result<Self> {
        let dim = embeddings.first().map_or(0, Embedding::dim);
        let mut values = Vec::with_capacity(dim * embeddings.len());
        for (row, embedding) in embeddings.iter().enumerate() {
            if embedding.dim() != dim {
                return Err(Error::new(
                    ErrorKind::Mismatch,
                    format!("embedding {row} has {} dimensions, the first {dim}", embedding.dim()),
                ));
            }
            values.extend(Code::new(embedding).as_slice());
        }
        Self::new(dim, values)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inverse_norms.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Dimension of each.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// All components, `[len][dim]`.
    #[must_use]
    pub fn as_slice(&self) -> &[i8] {
        &self.values
    }

    /// The code at `i`, which must be below `len`.
    #[must_use]
    pub fn get(&self, i: usize) -> &[i8] {
        &self.values[i * self.dim..(i + 1) * self.dim]
    }

    /// The embedding that the code at `i` stands for, to within rounding.
    ///
    /// # Errors
    /// Never for codes that [`Codes::new`] let pass.
    pub fn embedding(&self, i: usize) -> Result<Embedding> {
        Embedding::new(self.get(i).iter().map(|&x| f32::from(x)).collect())
    }

    /// The cosine between the codes at `i` and `j`.
    #[must_use]
    pub fn cosine(&self, i: usize, j: usize) -> f32 {
        dot(self.get(i), self.get(j)) as f32 * self.inverse_norms[i] * self.inverse_norms[j]
    }

    /// What turns a query code into cosines.
    ///
    /// # Errors
    /// `Mismatch` if its dimension is not that of the codes.
    pub fn scorer<'a>(&'a self, query: &'a Code) -> Result<Scorer<'a>> {
        if query.0.len() != self.dim {
            return Err(Error::new(
                ErrorKind::Mismatch,
                format!("a query of {} dimensions, the index has {}", query.0.len(), self.dim),
            ));
        }
        Ok(Scorer { codes: self, query: &query.0, inverse_norm: inverse_norm(&query.0) })
    }
}

impl std::fmt::Debug for Codes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Codes({} x {})", self.len(), self.dim)
    }
}

/// A query against [`Codes`].
#[derive(Clone, Copy, Debug)]
pub struct Scorer<'a> {
    codes: &'a Codes,
    query: &'a [i8],
    inverse_norm: f32,
}

impl Scorer<'_> {
    /// The cosine to the code at `i`, -1 to 1 to within rounding.
    #[must_use]
    pub fn cosine(&self, i: usize) -> f32 {
        dot(self.query, self.codes.get(i)) as f32 * self.inverse_norm * self.codes.inverse_norms[i]
    }
}

fn inverse_norm(code: &[i8]) -> f32 {
    1.0 / (dot(code, code) as f32).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn e(values: &[f32]) -> Embedding {
        Embedding::new(values.to_vec()).unwrap()
    }

    #[test]
    fn codes_keep_the_cosine_to_within_rounding() {
        let a = e(&(0..256).map(|i| (i as f32 * 0.7).sin()).collect::<Vec<_>>());
        let b = e(&(0..256).map(|i| (i as f32 * 0.7 + 0.4).sin()).collect::<Vec<_>>());
        let codes = Codes::from_embeddings(&[a.clone(), b.clone()]).unwrap();
        let exact = a.dot(&b).unwrap();
        assert!((codes.cosine(0, 1) - exact).abs() < 2e-3);
        let query = Code::new(&a);
        let scorer = codes.scorer(&query).unwrap();
        assert!((scorer.cosine(0) - 1.0).abs() < 1e-6);
        assert_eq!(scorer.cosine(1), codes.cosine(0, 1));
        assert!(a.dot(&codes.embedding(0).unwrap()).unwrap() > 0.9999);
    }

    #[test]
    fn codes_without_direction_or_shape_are_refused() {
        assert!(Codes::new(2, vec![1, 2, 0, 0]).is_err());
        assert!(Codes::new(2, vec![1, 2, 3]).is_err());
        assert!(Codes::new(0, vec![]).is_err());
        assert!(Codes::new(MAX_DIM + 1, vec![1; MAX_DIM + 1]).is_err());
        assert!(Codes::from_embeddings(&[e(&[1.0]), e(&[1.0, 0.0])]).is_err());
        let codes = Codes::new(2, vec![1, 2]).unwrap();
        assert!(codes.scorer(&Code::new(&e(&[1.0]))).is_err());
    }
}
