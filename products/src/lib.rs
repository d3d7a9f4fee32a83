//! What a shop sells: the product list that travels with the index.

mod filter;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use lookalike_error::{Error, ErrorKind, Result};

pub use filter::{Filter, PriceRange};

/// The attribute that says what kind of thing a product is, where a feed has more than a category.
pub const KIND: &str = "kind";

/// One of a product's pictures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Image {
    /// Its name or address as the feed gives it.
    pub image: String,
    /// A small copy, relative to the manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thumb: Option<String>,
}

/// Whether a product can be had, in the four words of schema.org that feeds share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Availability {
    /// Now.
    InStock,
    /// Not now.
    OutOfStock,
    /// Before it comes out.
    #[serde(rename = "preorder")]
    PreOrder,
    /// Later than usual.
    #[serde(rename = "backorder")]
    BackOrder,
}

impl Availability {
    /// All of them, the best first.
    pub const ALL: [Self; 4] = [Self::InStock, Self::PreOrder, Self::BackOrder, Self::OutOfStock];

    /// Its name in JSON and in filters.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InStock => "in_stock",
            Self::OutOfStock => "out_of_stock",
            Self::PreOrder => "preorder",
            Self::BackOrder => "backorder",
        }
    }
}

/// A product as it is shown. Absent values stay absent in JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Product {
    /// Unique in the catalogue, never empty.
    pub id: String,
    /// Its name.
    pub title: String,
    /// Where to buy it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Its pictures, the main one first. Each has a row in the index.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Image>,
    /// What a shopper pays, in units of `currency`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<f64>,
    /// The price before a sale, shown struck out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list_price: Option<f64>,
    /// ISO 4217 code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// The shop's own category.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Whether it can be had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub availability: Option<Availability>,
    /// The id of the product that stands for this one among results: the same thing in another
    /// colour, or the same picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant_of: Option<String>,
    /// All other columns.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
}

impl Product {
    /// The small copy of the main picture, relative to the manifest.
    #[must_use]
    pub fn thumb(&self) -> Option<&str> {
        self.images.first()?.thumb.as_deref()
    }
}

/// All products, in the order of the index's owners.
#[derive(Clone, Debug, PartialEq)]
pub struct Products {
    list: Vec<Product>,
    rows: HashMap<String, u32>,
    /// By row, the row that stands for its group of variants.
    stands: Vec<u32>,
    /// Rows of each group of variants, by the row of the product that stands for it.
    variants: HashMap<u32, Vec<u32>>,
    /// Names of the attributes that any of them has.
    columns: BTreeSet<String>,
}

/// `products.json`.
#[derive(Serialize, Deserialize)]
struct File {
    products: Vec<Product>,
}

impl Products {
    /// A product list.
    ///
    /// # Errors
    /// `BadCatalog` if an id is empty or appears twice.
    pub fn new(list: Vec<Product>) -> Result<Self> {
        let mut rows = HashMap::with_capacity(list.len());
        for (row, product) in list.iter().enumerate() {
            if product.id.is_empty() {
                return Err(Error::new(
                    ErrorKind::BadCatalog,
                    format!("product {} ({:?}) has no id", row + 1, product.title),
                ));
            }
            if let Some(first) = rows.insert(product.id.clone(), row as u32) {
                return Err(Error::new(
                    ErrorKind::BadCatalog,
                    format!(
                        "the id {:?} is used twice, by products {} and {}; ids must be unique",
                        product.id,
                        first + 1,
                        row + 1
                    ),
                ));
            }
        }
        let mut stands_for: Vec<u32> = (0..list.len() as u32).collect();
        let mut variants: HashMap<u32, Vec<u32>> = HashMap::new();
        for (row, product) in list.iter().enumerate() {
            let Some(first) = &product.variant_of else { continue };
            let stands = rows
                .get(first)
                .copied()
                .filter(|&first| list.get(first as usize).is_some_and(|p| p.variant_of.is_none()));
            let Some(stands) = stands else {
                return Err(Error::new(
                    ErrorKind::BadCatalog,
                    format!(
                        "product {:?} is a variant of {first:?}, which is no product or itself a variant",
                        product.id
                    ),
                ));
            };
            stands_for[row] = stands;
            variants.entry(stands).or_insert_with(|| vec![stands]).push(row as u32);
        }
        let mut columns = BTreeSet::new();
        for name in list.iter().flat_map(|p| p.attributes.keys()) {
            if !columns.contains(name) {
                columns.insert(name.clone());
            }
        }
        Ok(Self { list, rows, stands: stands_for, variants, columns })
    }

    /// Reads `products.json`.
    ///
    /// # Errors
    /// `BadCatalog` if it is not JSON of the documented form, or as [`Products::new`].
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let file: File = serde_json::from_slice(bytes).map_err(|cause| {
            Error::with_source(ErrorKind::BadCatalog, "the product list cannot be read", cause)
        })?;
        Self::new(file.products)
    }

    /// The content of `products.json`.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let file = File { products: self.list.clone() };
        // Strings and finite numbers: serialising cannot fail.
        serde_json::to_vec(&file).unwrap_or_default()
    }

    /// The product of a row.
    #[must_use]
    pub fn get(&self, row: u32) -> Option<&Product> {
        self.list.get(row as usize)
    }

    /// The row that stands for a row's group of variants; itself if it has none.
    #[must_use]
    pub fn stands_for(&self, row: u32) -> u32 {
        self.stands.get(row as usize).copied().unwrap_or(row)
    }

    /// All rows of a row's group of variants, ascending from the one that stands for it; empty if
    /// it has none.
    #[must_use]
    pub fn variants(&self, row: u32) -> &[u32] {
        self.variants.get(&self.stands_for(row)).map_or(&[], Vec::as_slice)
    }

    /// The row of a product.
    ///
    /// # Errors
    /// `BadQuery` if there is no such id.
    pub fn row(&self, id: &str) -> Result<u32> {
        self.rows.get(id).copied().ok_or_else(|| {
            Error::new(ErrorKind::BadQuery, format!("the catalogue has no product {id:?}"))
        })
    }

    /// The names of the attributes that any product has.
    #[must_use]
    pub fn columns(&self) -> &BTreeSet<String> {
        &self.columns
    }

    /// All of them, by row.
    #[must_use]
    pub fn as_slice(&self) -> &[Product] {
        &self.list
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product(id: &str) -> Product {
        Product { id: id.into(), title: "Chair".into(), ..Product::default() }
    }

    #[test]
    fn ids_are_unique_and_lead_to_rows() {
        let products = Products::new(vec![product("a"), product("b")]).unwrap();
        assert_eq!(products.row("b").unwrap(), 1);
        assert_eq!(products.row("c").unwrap_err().kind(), ErrorKind::BadQuery);
        let twice = Products::new(vec![product("a"), product("a")]).unwrap_err();
        assert_eq!(twice.kind(), ErrorKind::BadCatalog);
        assert!(twice.to_string().contains("1 and 2"), "{twice}");
        assert!(Products::new(vec![product("")]).is_err());
    }

    #[test]
    fn the_file_round_trips_and_says_nothing_of_what_is_absent() {
        let products = Products::new(vec![product("a")]).unwrap();
        let json = products.write();
        assert_eq!(json, br#"{"products":[{"id":"a","title":"Chair"}]}"#);
        assert_eq!(Products::read(&json).unwrap(), products);
        assert!(Products::read(b"<html>").is_err());
    }

    #[test]
    fn variants_stand_together_and_must_exist() {
        let product = |id: &str, of: Option<&str>| Product {
            id: id.into(),
            variant_of: of.map(str::to_owned),
            ..Product::default()
        };
        let list = vec![product("a", None), product("b", Some("a")), product("c", None)];
        let products = Products::new(list.clone()).unwrap();
        assert_eq!((products.stands_for(1), products.stands_for(2)), (0, 2));
        assert_eq!(products.variants(1), [0, 1]);
        assert!(products.variants(2).is_empty());
        assert_eq!(Products::read(&products.write()).unwrap(), products);
        for wrong in ["z", "b", "d"] {
            let mut broken = list.clone();
            broken.push(product("d", Some(wrong)));
            assert_eq!(Products::new(broken).unwrap_err().kind(), ErrorKind::BadCatalog, "{wrong}");
        }
    }
}
