//! From features to a searchable index, and which of its products are the same thing again.

use rayon::prelude::*;

use super::origin::Lesson;
use crate::catalog::{Product, Products};
use crate::cli::lesson::Material;
use crate::embedding::Embedding;
use crate::engine::EF_SEARCH;
use crate::error::Result;
use crate::index::{GroupKey, Index, ModelId};
use crate::learn::{Alike, variants};
use crate::projection::Projection;

/// Neighbours among which variants of a product are looked for.
const VARIANT_CANDIDATES: usize = 32;

/// The embedding of each picture.
pub(super) fn embeddings(projection: &Projection, material: &Material) -> Result<Vec<Embedding>> {
    material.pooled.par_iter().map(|pooled| projection.apply(pooled)).collect()
}

/// Codes, groups and graph.
pub(super) fn index(
    model: ModelId,
    lesson: &Lesson,
    embeddings: &[Embedding],
    material: &Material,
    products: &[Product],
) -> Result<Index> {
    let keys: Vec<Vec<GroupKey>> = products.iter().map(group_keys).collect();
    let projection = lesson.projection.clone();
    Index::build(model, projection, embeddings, material.owners.clone(), &keys)
}

/// The columns' values by which products are grouped.
pub(in crate::cli) fn group_keys(product: &Product) -> Vec<GroupKey> {
    let category = product.category.iter().map(|value| ("category", value));
    let attributes = product.attributes.iter().map(|(column, value)| (column.as_str(), value));
    category
        .chain(attributes)
        .map(|(column, value)| GroupKey { column: column.to_owned(), value: value.clone() })
        .collect()
}

/// The products, those that are variants of another saying so. `hashes` are those of main pictures,
/// `groups` the feed's own.
pub(super) fn with_variants(
    mut products: Vec<Product>,
    lesson: &Lesson,
    material: &Material,
    (hashes, groups): (&[u64], &[Option<String>]),
    index: &Index,
) -> Result<Products> {
    let plain: Vec<Embedding> = (0..products.len())
        .into_par_iter()
        .map(|row| lesson.plain().apply(&material.pooled[material.main(row)]))
        .collect::<Result<_>>()?;
    let first = variants(&plain, Alike::by(lesson.plain_method), hashes, groups, |row| {
        let found = index.search(&index.embedding(row as u32)?, VARIANT_CANDIDATES, EF_SEARCH)?;
        Ok(found.into_iter().map(|n| n.product as usize).collect())
    })?;
    for (row, &first) in first.iter().enumerate() {
        products[row].variant_of = (first != row).then(|| products[first].id.clone());
    }
    Products::new(products)
}
