//! Which product each picture belongs to.

use std::ops::Range;

use crate::error::{Error, ErrorKind, Result};

/// Pictures by product: rows of pictures lie in product order, a product's main picture first.
/// Every product has a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owners {
    /// Product of each picture.
    of: Vec<u32>,
    /// First picture of each product, and the number of pictures.
    starts: Vec<u32>,
}

impl Owners {
    /// From the number of pictures of each product.
    ///
    /// # Errors
    /// `BadIndex` if a product has none, there are no products, or more pictures than `u32` counts.
    pub fn of_counts(counts: impl IntoIterator<Item = usize>) -> Result<Self> {
        let (mut of, mut starts) = (Vec::new(), vec![0u32]);
        for (product, count) in counts.into_iter().enumerate() {
            let end = u32::try_from(of.len().saturating_add(count)).ok();
            let (Some(end), Ok(product)) = (end.filter(|_| count > 0), u32::try_from(product))
            else {
                return Err(bad(format!("product {} has {count} pictures", product + 1)));
            };
            of.resize(end as usize, product);
            starts.push(end);
        }
        if of.is_empty() {
            return Err(bad("there are no products".into()));
        }
        Ok(Self { of, starts })
    }

    /// One picture a product.
    ///
    /// # Errors
    /// As [`Owners::of_counts`].
    pub fn single(products: usize) -> Result<Self> {
        Self::of_counts(std::iter::repeat_n(1, products))
    }

    /// How many products there are.
    #[must_use]
    pub fn products(&self) -> usize {
        self.starts.len() - 1
    }

    /// How many pictures there are, of all products.
    #[must_use]
    pub fn pictures(&self) -> usize {
        self.of.len()
    }

    /// The product of each picture, ascending.
    #[must_use]
    pub fn as_slice(&self) -> &[u32] {
        &self.of
    }

    /// The pictures of a product, the main one first; empty if there is no such product.
    #[must_use]
    pub fn pictures_of(&self, product: u32) -> Range<u32> {
        let at = product as usize;
        match (self.starts.get(at), self.starts.get(at.saturating_add(1))) {
            (Some(&start), Some(&end)) => start..end,
            _ => 0..0,
        }
    }

    /// The number of pictures of each product.
    pub fn counts(&self) -> impl Iterator<Item = u32> {
        self.starts.windows(2).map(|ends| ends[1] - ends[0])
    }
}

fn bad(what: String) -> Error {
    Error::new(ErrorKind::BadIndex, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_lie_in_product_order_and_every_product_has_one() {
        let owners = Owners::of_counts([2, 1, 3]).unwrap();
        assert_eq!((owners.products(), owners.pictures()), (3, 6));
        assert_eq!(owners.as_slice(), [0, 0, 1, 2, 2, 2]);
        assert_eq!(owners.pictures_of(2), 3..6);
        assert!(owners.pictures_of(3).is_empty() && owners.pictures_of(u32::MAX).is_empty());
        assert!(owners.counts().eq([2, 1, 3]));
        assert_eq!(Owners::single(2).unwrap(), Owners::of_counts([1, 1]).unwrap());
        for wrong in [vec![], vec![1, 0, 2], vec![0], vec![1, usize::MAX]] {
            assert_eq!(Owners::of_counts(wrong).unwrap_err().kind(), ErrorKind::BadIndex);
        }
    }
}
