//! A catalogue's own columns as something to learn from.

use std::collections::{BTreeMap, BTreeSet};

use lookalike_linalg::Matrix;

use crate::catalog::{Availability, Product};
use crate::error::{Error, ErrorKind, Result};

/// Words shared by fewer products say too little to learn from; a value of a column needs two.
const MIN_WORD: usize = 3;
const MIN_VALUE: usize = 2;
/// Labels beyond these, rarest first, are left out: each costs a regression.
const MAX_LABELS: usize = 1000;

/// A column of the catalogue: the labels that each product has in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// As the feed names it.
    pub name: String,
    /// Per product; empty where the column is.
    labels: Vec<BTreeSet<String>>,
}

impl Column {
    /// Reads a column. `title` gives the title's words; `category`, `availability`, `currency` and
    /// any attribute give their value as one label.
    ///
    /// # Errors
    /// `BadCatalog` if no product has such a column; the message names those there are.
    pub fn read(name: &str, products: &[&Product]) -> Result<Self> {
        let labels: Vec<BTreeSet<String>> =
            products.iter().map(|product| labels_of(name, product)).collect();
        if labels.iter().all(BTreeSet::is_empty) {
            let mut known: BTreeSet<&str> =
                products.iter().flat_map(|p| p.attributes.keys().map(String::as_str)).collect();
            known.extend(["title", "category"]);
            let known = known.into_iter().collect::<Vec<_>>().join(", ");
            return Err(Error::new(
                ErrorKind::BadCatalog,
                format!("no product has a value in the column {name:?}; there are: {known}"),
            ));
        }
        Ok(Self { name: name.to_owned(), labels })
    }

    /// Number of products.
    pub(super) fn len(&self) -> usize {
        self.labels.len()
    }

    /// The labels that enough products share but not all. `None` if there are none.
    pub(super) fn shared(&self) -> Option<Labels> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for label in self.labels.iter().flatten() {
            *counts.entry(label).or_default() += 1;
        }
        let least = if self.name == "title" { MIN_WORD } else { MIN_VALUE };
        let mut kept: Vec<(&str, usize)> =
            counts.into_iter().filter(|&(_, c)| c >= least && c < self.labels.len()).collect();
        kept.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        kept.truncate(MAX_LABELS);
        if kept.is_empty() {
            return None;
        }
        let place: BTreeMap<&str, usize> =
            kept.iter().enumerate().map(|(j, (label, _))| (*label, j)).collect();
        let places = |labels: &BTreeSet<String>| {
            labels.iter().filter_map(|label| place.get(label.as_str()).copied()).collect()
        };
        Some(Labels {
            of: self.labels.iter().map(places).collect(),
            counts: kept.into_iter().map(|(_, count)| count).collect(),
        })
    }
}

/// Labels as numbers: per product and label 1 where the product has it, divided by the root of the
/// label's share so that rare labels count as much as common ones; else 0.
pub(super) struct Labels {
    /// Per product.
    of: Vec<Vec<usize>>,
    /// Products per label.
    counts: Vec<usize>,
}

impl Labels {
    /// Of some products, `[products][labels]`.
    pub(super) fn rows(&self, products: &[usize]) -> Matrix {
        Matrix::from_fn(products.len(), self.counts.len(), |i, j| {
            if self.of[products[i]].contains(&j) { self.value(j) } else { 0.0 }
        })
    }

    /// Means over all products.
    pub(super) fn means(&self) -> Vec<f64> {
        let share = |j: usize| self.counts[j] as f64 / self.of.len() as f64;
        (0..self.counts.len()).map(|j| share(j) * self.value(j)).collect()
    }

    fn value(&self, label: usize) -> f64 {
        (self.of.len() as f64 / self.counts[label] as f64).sqrt()
    }
}

fn labels_of(column: &str, product: &Product) -> BTreeSet<String> {
    let whole = |value: Option<&str>| {
        value.map(|v| v.trim().to_lowercase()).filter(|v| !v.is_empty()).into_iter().collect()
    };
    match column {
        "title" => product
            .title
            .split(|c: char| !c.is_alphabetic())
            .filter(|word| word.chars().count() > 1)
            .map(str::to_lowercase)
            .collect(),
        "category" => whole(product.category.as_deref()),
        "availability" => whole(product.availability.map(Availability::as_str)),
        "currency" => whole(product.currency.as_deref()),
        other => whole(product.attributes.get(other).map(String::as_str)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product(title: &str, category: &str) -> Product {
        Product {
            title: title.into(),
            category: Some(category.into()).filter(|c: &String| !c.is_empty()),
            attributes: [("creator".to_owned(), "Ann".to_owned())].into(),
            ..Product::default()
        }
    }

    #[test]
    fn values_are_whole_and_titles_are_words() {
        let p = product("Oak table, 3 legs", "Living room");
        assert_eq!(labels_of("category", &p), ["living room".to_owned()].into());
        let words: Vec<String> = labels_of("title", &p).into_iter().collect();
        assert_eq!(words, ["legs", "oak", "table"]);
        assert_eq!(labels_of("creator", &p), ["ann".to_owned()].into());
    }

    #[test]
    fn singletons_and_what_all_share_teach_nothing() {
        let list = [product("a", "x"), product("b", "x"), product("c", "y"), product("d", "")];
        let refs: Vec<&Product> = list.iter().collect();
        let labels = Column::read("category", &refs).unwrap().shared().unwrap();
        let m = labels.rows(&[0, 3]);
        assert_eq!((m.rows(), m.cols()), (2, 1), "only x has two members");
        assert_eq!((m.at(0, 0), m.at(1, 0)), (2f64.sqrt(), 0.0));
        assert!((labels.means()[0] - 2f64.sqrt() / 2.0).abs() < 1e-12);
        assert!(Column::read("creator", &refs).unwrap().shared().is_none(), "all alike");
    }

    #[test]
    fn an_unknown_column_is_named_with_those_there_are() {
        let list = [product("a", "x")];
        let refs: Vec<&Product> = list.iter().collect();
        let error = Column::read("colour", &refs).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadCatalog);
        assert!(error.to_string().contains("category, creator, title"), "{error}");
    }
}
