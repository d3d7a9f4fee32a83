//! Which products may be found.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Availability, Product, Products};
use lookalike_error::{Error, ErrorKind, Result};

/// A range of prices, both ends included; an absent end is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PriceRange {
    /// Lowest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// Highest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
}

/// A product passes if it passes every column that is named; within a column any of the values
/// will do. A product without a value does not pass.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Filter {
    /// Any of these categories.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub category: Vec<String>,
    /// Any of these availabilities.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub availability: Vec<Availability>,
    /// Within this range.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<PriceRange>,
    /// By attribute, any of these values.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, Vec<String>>,
}

impl Filter {
    /// Checks what can be checked without a catalogue.
    ///
    /// # Errors
    /// `BadQuery` if a price is not a number or the range is upside down.
    pub fn validate(&self) -> Result<()> {
        let Some(PriceRange { min, max }) = self.price else { return Ok(()) };
        let numbers = [min, max].into_iter().flatten().all(f64::is_finite);
        let upside_down = matches!((min, max), (Some(min), Some(max)) if min > max);
        if numbers && !upside_down {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::BadQuery,
            format!("the price range {min:?} to {max:?} holds no price"),
        ))
    }

    /// Checks that the catalogue has the columns.
    ///
    /// # Errors
    /// `BadQuery` that names the column and those that exist.
    pub fn check_columns(&self, products: &Products) -> Result<()> {
        let known = products.columns();
        match self.attributes.keys().find(|column| !known.contains(*column)) {
            None => Ok(()),
            Some(column) => Err(Error::new(
                ErrorKind::BadQuery,
                format!(
                    "the catalogue has no column {column:?} to filter by; it has {}",
                    known.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
                ),
            )),
        }
    }

    /// Drops columns and values that no product has, and says which. A price range stays: prices
    /// come and go.
    pub fn fit(&mut self, products: &Products) -> Vec<String> {
        let list = products.as_slice();
        let mut dropped = Vec::new();
        dropped.extend(keep("category", &mut self.category, list, |p| p.category.as_ref()));
        dropped.extend(keep("availability", &mut self.availability, list, |p| {
            p.availability.as_ref()
        }));
        self.attributes.retain(|column, values| {
            dropped.extend(keep(column, values, list, |p| p.attributes.get(column)));
            !values.is_empty()
        });
        dropped
    }

    /// Whether a product passes.
    #[must_use]
    pub fn accepts(&self, product: &Product) -> bool {
        let price_fits = self.price.is_none_or(|range| {
            product.price.is_some_and(|price| {
                range.min.is_none_or(|min| price >= min) && range.max.is_none_or(|max| price <= max)
            })
        });
        price_fits
            && any_of(&self.category, product.category.as_ref())
            && any_of(&self.availability, product.availability.as_ref())
            && self
                .attributes
                .iter()
                .all(|(column, values)| any_of(values, product.attributes.get(column)))
    }
}

/// Whether a column that is filtered by `wanted`, if by anything, has one of its values.
fn any_of<T: PartialEq>(wanted: &[T], value: Option<&T>) -> bool {
    wanted.is_empty() || value.is_some_and(|v| wanted.contains(v))
}

/// Keeps the values that some product has, and names the others.
fn keep<T: PartialEq + std::fmt::Debug>(
    column: &str,
    values: &mut Vec<T>,
    list: &[Product],
    of: impl Fn(&Product) -> Option<&T>,
) -> Option<String> {
    let mut gone = Vec::new();
    values.retain(|value| {
        let known = list.iter().any(|product| of(product) == Some(value));
        if !known {
            gone.push(format!("{value:?}"));
        }
        known
    });
    (!gone.is_empty()).then(|| format!("{column} {}", gone.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product(category: &str, price: Option<f64>, colour: &str) -> Product {
        Product {
            id: "a".into(),
            category: Some(category.into()),
            price,
            attributes: [("colour".to_owned(), colour.to_owned())].into(),
            ..Product::default()
        }
    }

    #[test]
    fn every_column_counts_and_any_value_will_do() {
        let filter: Filter = serde_json::from_str(
            r#"{"category":["Sofas","Beds"],"price":{"min":10},"attributes":{"colour":["red"]}}"#,
        )
        .unwrap();
        assert!(filter.accepts(&product("Sofas", Some(10.0), "red")));
        assert!(!filter.accepts(&product("Chairs", Some(10.0), "red")));
        assert!(!filter.accepts(&product("Beds", Some(9.99), "red")));
        assert!(!filter.accepts(&product("Beds", None, "red")));
        assert!(!filter.accepts(&product("Beds", Some(99.0), "blue")));
        assert!(Filter::default().accepts(&product("x", None, "y")));
    }

    #[test]
    fn columns_and_ranges_that_make_no_sense_are_named() {
        let products = Products::new(vec![product("Sofas", None, "red")]).unwrap();
        let filter: Filter = serde_json::from_str(r#"{"attributes":{"size":["L"]}}"#).unwrap();
        let error = filter.check_columns(&products).unwrap_err().to_string();
        assert!(error.contains("\"size\"") && error.contains("colour"), "{error}");
        let mut stale: Filter = serde_json::from_str(
            r#"{"category":["Sofas","Beds"],"attributes":{"size":["L"],"colour":["red"]},"price":{"min":5.0}}"#,
        )
        .unwrap();
        assert_eq!(stale.fit(&products), [r#"category "Beds""#, r#"size "L""#]);
        assert!(stale.accepts(&product("Sofas", Some(9.0), "red")) && stale.attributes.len() == 1);
        assert!(stale.fit(&products).is_empty());
        for (min, max) in [(Some(2.0), Some(1.0)), (Some(f64::NAN), None)] {
            let price = Some(PriceRange { min, max });
            assert!(Filter { price, ..Filter::default() }.validate().is_err());
        }
    }
}
