//! The embedding of a picture, and geometry on embeddings.
//!
//! An [`Embedding`] is a point on the unit sphere; pictures that look alike lie close together, and
//! the cosine of the angle between two of them is their dot product. Everything here is a pure
//! function that gives a new unit vector, or an error where the result would have no direction.

use crate::error::{Error, ErrorKind, Result};

/// Vectors shorter than this have no direction that means anything in `f32`.
const MIN_NORM: f32 = 1e-6;

/// A unit vector of fixed dimension: finite components, L2 norm 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedding(Box<[f32]>);

/// The difference of two embeddings: a vector of any length, to walk along. Dimension as theirs.
#[derive(Clone, Debug, PartialEq)]
pub struct Direction(Box<[f32]>);

impl Embedding {
    /// Normalises `values` to length 1.
    ///
    /// # Errors
    /// `BadQuery` if a value is not finite or all are (nearly) zero.
    pub fn new(values: Vec<f32>) -> Result<Self> {
        let norm = norm(&values);
        if !norm.is_finite() {
            return Err(Error::new(
                ErrorKind::BadQuery,
                "an embedding has values that are not finite",
            ));
        }
        if norm < MIN_NORM {
            return Err(Error::new(
                ErrorKind::BadQuery,
                "an embedding has no direction: all its values are zero",
            ));
        }
        Ok(Self(values.into_iter().map(|x| x / norm).collect()))
    }

    /// Takes over values that were normalised before, as they are.
    ///
    /// # Errors
    /// `BadQuery` if their length is not 1, to within 0.001.
    pub fn from_normalised(values: Vec<f32>) -> Result<Self> {
        let norm = norm(&values);
        if (norm - 1.0).abs() <= 1e-3 {
            return Ok(Self(values.into()));
        }
        Err(Error::new(ErrorKind::BadQuery, format!("an embedding has length {norm}, not 1")))
    }

    /// The components, `[dim]`.
    #[must_use]
    pub fn as_slice(&self) -> &[f32] {
        &self.0
    }

    /// The number of components.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.0.len()
    }

    /// The cosine of the angle to `other`, -1 to 1.
    ///
    /// # Errors
    /// `Mismatch` if the dimensions differ.
    pub fn dot(&self, other: &Self) -> Result<f32> {
        same_dim(self.dim(), other.dim())?;
        Ok(dot(&self.0, &other.0).clamp(-1.0, 1.0))
    }

    /// The normalised mean of a group: its centroid on the sphere.
    ///
    /// # Errors
    /// `BadQuery` if the group is empty or its members cancel each other out; `Mismatch` if the
    /// dimensions differ.
    pub fn mean<'a>(group: impl IntoIterator<Item = &'a Self>) -> Result<Self> {
        let mut members = group.into_iter();
        let first = members.next().ok_or_else(|| {
            Error::new(ErrorKind::BadQuery, "the mean of an empty group does not exist")
        })?;
        let mut sum = first.0.to_vec();
        for member in members {
            same_dim(sum.len(), member.dim())?;
            for (total, x) in sum.iter_mut().zip(&*member.0) {
                *total += x;
            }
        }
        Self::new(sum)
    }

    /// The direction that leads from this embedding to `target`: `target - self`.
    ///
    /// # Errors
    /// `Mismatch` if the dimensions differ.
    pub fn direction_to(&self, target: &Self) -> Result<Direction> {
        same_dim(self.dim(), target.dim())?;
        Ok(Direction(target.0.iter().zip(&*self.0).map(|(t, s)| t - s).collect()))
    }

    /// The direction from the origin to here.
    #[must_use]
    pub fn as_direction(&self) -> Direction {
        Direction(self.0.clone())
    }

    /// `self + strength * direction`, renormalised.
    ///
    /// # Errors
    /// `BadQuery` if `strength` is not finite or the sum vanishes; `Mismatch` if the dimensions
    /// differ.
    pub fn moved(&self, direction: &Direction, strength: f32) -> Result<Self> {
        same_dim(self.dim(), direction.0.len())?;
        finite("strength", strength)?;
        if strength == 0.0 {
            return Ok(self.clone());
        }
        Self::new(self.0.iter().zip(&*direction.0).map(|(x, d)| x + strength * d).collect())
    }

    /// The point at `t` on the great circle through this embedding (`t = 0`) and `other`
    /// (`t = 1`); below 0 and above 1 it goes on beyond the ends. Spherical linear interpolation,
    /// Shoemake 1985.
    ///
    /// # Errors
    /// `BadQuery` if `t` is not finite or the two are opposite (no unique circle); `Mismatch` if
    /// the dimensions differ.
    pub fn walk(&self, other: &Self, t: f32) -> Result<Self> {
        finite("t", t)?;
        let cosine = self.dot(other)?;
        if t == 0.0 {
            return Ok(self.clone());
        }
        if t == 1.0 {
            return Ok(other.clone());
        }
        if cosine > 1.0 - 1e-6 {
            return Ok(self.clone());
        }
        let angle = cosine.acos();
        let (from, to) = (((1.0 - t) * angle).sin(), (t * angle).sin());
        Self::new(self.0.iter().zip(&*other.0).map(|(a, b)| from * a + to * b).collect())
    }
}

impl Direction {
    /// A direction of these components, `[dim]`.
    ///
    /// # Errors
    /// `BadQuery` if one is not finite.
    pub fn new(values: Vec<f32>) -> Result<Self> {
        if values.iter().all(|x| x.is_finite()) {
            return Ok(Self(values.into()));
        }
        Err(Error::new(ErrorKind::BadQuery, "a direction has values that are not finite"))
    }

    /// Its L2 norm; at most 2 for the difference of two embeddings.
    #[must_use]
    pub fn length(&self) -> f32 {
        norm(&self.0)
    }

    /// The same direction with length 1, so that a strength means the same along any direction.
    ///
    /// # Errors
    /// `BadQuery` if its ends are the same point.
    pub fn unit(&self) -> Result<Self> {
        let length = self.length();
        if !(length >= MIN_NORM) {
            return Err(Error::new(
                ErrorKind::BadQuery,
                "the two ends of a direction are the same point",
            ));
        }
        Ok(Self(self.0.iter().map(|x| x / length).collect()))
    }

    /// The components, `[dim]`.
    #[must_use]
    pub fn as_slice(&self) -> &[f32] {
        &self.0
    }
}

fn finite(name: &str, value: f32) -> Result<()> {
    if value.is_finite() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::BadQuery, format!("{name} is {value}: give a finite number")))
}

fn same_dim(ours: usize, theirs: usize) -> Result<()> {
    if ours == theirs {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Mismatch,
        format!("embeddings of {ours} and {theirs} dimensions cannot be compared"),
    ))
}

pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

pub(crate) fn norm(values: &[f32]) -> f32 {
    dot(values, values).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn e(values: &[f32]) -> Embedding {
        Embedding::new(values.to_vec()).unwrap()
    }

    fn close(a: &Embedding, b: &Embedding) -> bool {
        a.as_slice().iter().zip(b.as_slice()).all(|(x, y)| (x - y).abs() < 1e-5)
    }

    #[test]
    fn embeddings_have_length_one_or_do_not_exist() {
        assert_eq!(e(&[3.0, 4.0]).as_slice(), [0.6, 0.8]);
        for bad in [vec![], vec![0.0; 3], vec![f32::NAN, 1.0], vec![f32::INFINITY, 1.0]] {
            assert_eq!(Embedding::new(bad).unwrap_err().kind(), ErrorKind::BadQuery);
        }
        assert!(Embedding::from_normalised(vec![0.6, 0.8]).is_ok());
        assert!(Embedding::from_normalised(vec![0.6, 0.9]).is_err());
        assert!(Embedding::from_normalised(vec![f32::NAN]).is_err());
        let other = e(&[1.0, 0.0, 0.0]);
        assert_eq!(e(&[1.0, 0.0]).dot(&other).unwrap_err().kind(), ErrorKind::Mismatch);
    }

    #[test]
    fn a_walk_starts_and_ends_where_it_says() {
        let (a, b) = (e(&[1.0, 0.2, 0.0]), e(&[0.1, 1.0, 0.5]));
        assert_eq!(a.walk(&b, 0.0).unwrap(), a);
        assert_eq!(a.walk(&b, 1.0).unwrap(), b);
        let (forth, back) = (a.walk(&b, 0.3).unwrap(), b.walk(&a, 0.7).unwrap());
        assert!(close(&forth, &back));
        // Beyond the end, the angle goes on growing.
        assert!(a.dot(&a.walk(&b, 1.3).unwrap()).unwrap() < a.dot(&b).unwrap());
        assert!(a.walk(&b, f32::NAN).is_err());
        let opposite = e(&[-1.0, -0.2, 0.0]);
        assert!(a.walk(&opposite, 0.5).is_err());
    }

    #[test]
    fn directions_are_antisymmetric_and_strength_zero_changes_nothing() {
        let (a, b) = (e(&[1.0, 0.2, 0.0]), e(&[0.1, 1.0, 0.5]));
        let (ab, ba) = (a.direction_to(&b).unwrap(), b.direction_to(&a).unwrap());
        assert!(ab.as_slice().iter().zip(ba.as_slice()).all(|(x, y)| *x == -*y));
        assert_eq!(a.moved(&ab, 0.0).unwrap(), a);
        assert!(close(&a.moved(&ab, 1.0).unwrap(), &b));
        assert!((ab.unit().unwrap().length() - 1.0).abs() < 1e-6);
        assert!(a.direction_to(&a).unwrap().unit().is_err());
        assert!(a.moved(&ab, f32::NAN).is_err());
    }

    #[test]
    fn the_mean_is_of_someone_and_points_somewhere() {
        let mean = Embedding::mean([&e(&[1.0, 0.0]), &e(&[0.0, 1.0])]).unwrap();
        assert!(close(&mean, &e(&[1.0, 1.0])));
        assert!(Embedding::mean([]).is_err());
        assert!(Embedding::mean([&e(&[1.0, 0.0]), &e(&[-1.0, 0.0])]).is_err());
    }
}
