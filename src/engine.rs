//! Photo, mask and query to products: the one place that joins network, index and catalogue.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::catalog::{Product, Products};
use crate::embedding::Embedding;
use crate::error::{Error, ErrorKind, Result};
use crate::image::Picture;
use crate::index::Index;
use crate::manifest::{Manifest, Role, sha256};
use crate::mask::{Fill, Mask};
use crate::model::Network;
use crate::preprocess::resize;

/// Results when a query does not say how many.
pub const DEFAULT_K: usize = 20;
/// Most results that a query may ask for.
pub const MAX_K: usize = 1000;
/// Width of the graph search; [`Index::search`] explains.
pub const EF_SEARCH: usize = 128;

/// Which version of the photo is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum View {
    /// All of it.
    Whole,
    /// Without what the mask takes out; the whole if there is no mask.
    Masked,
}

/// What to look for; as JSON, with camelCase names, the same on the page and in the terminal.
/// Exactly one of `photo` and `product_id` is given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Query {
    /// Look for what resembles the photo.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub photo: Option<View>,
    /// Look for what resembles this product; it is not among the hits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product_id: Option<String>,
    /// How many, 1 to [`MAX_K`]; [`DEFAULT_K`] if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub k: Option<usize>,
}

/// A product that was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Hit<'a> {
    /// Its row in the product list.
    pub row: u32,
    /// Its id.
    pub id: &'a str,
    /// Cosine to the query, -1 to 1.
    pub score: f32,
    /// All that is known of it.
    pub product: &'a Product,
}

/// The photo of the moment. What was computed of it is kept until it changes.
struct Photo {
    /// As given; shrunk to the network's input size once that is known.
    picture: Picture,
    mask: Option<Mask>,
    whole: Option<Embedding>,
    masked: Option<Embedding>,
}

/// A catalogue that can be searched. Files are provided one by one, in any order; index and
/// products alone answer queries by product, photos need the network as well.
pub struct Engine {
    manifest: Manifest,
    network: Option<Network>,
    index: Option<Index>,
    products: Option<Products>,
    photo: Option<Photo>,
}

impl Engine {
    /// An engine for the catalogue that a manifest describes.
    ///
    /// # Errors
    /// `BadFile` if the manifest cannot be read.
    pub fn new(manifest: &[u8]) -> Result<Self> {
        Ok(Self {
            manifest: Manifest::read(manifest)?,
            network: None,
            index: None,
            products: None,
            photo: None,
        })
    }

    /// The manifest.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The network, once provided.
    #[must_use]
    pub fn network(&self) -> Option<&Network> {
        self.network.as_ref()
    }

    /// The index, once provided.
    #[must_use]
    pub fn index(&self) -> Option<&Index> {
        self.index.as_ref()
    }

    /// The product list, once provided.
    #[must_use]
    pub fn products(&self) -> Option<&Products> {
        self.products.as_ref()
    }

    /// Takes in one of the manifest's files. What was provided before stays if this one is refused.
    ///
    /// # Errors
    /// `BadFile` if it is not the file that the manifest promises, `BadModel`, `BadIndex` or
    /// `BadCatalog` if it is but is damaged, `Mismatch` if it does not belong to the others.
    pub fn provide(&mut self, role: Role, bytes: &[u8]) -> Result<()> {
        self.manifest.file(role)?.verify(bytes)?;
        match role {
            Role::Model => {
                let network = Network::load(bytes)?;
                self.check_model(&sha256(bytes), network.spec().dim())?;
                self.network = Some(network);
            }
            Role::Index => {
                let index = Index::read(bytes)?;
                self.check_index(&index)?;
                check_count(index.len(), self.products.as_ref().map(Products::len))?;
                self.index = Some(index);
            }
            Role::Products => {
                let products = Products::read(bytes)?;
                check_count(products.len(), self.index.as_ref().map(Index::len))?;
                self.products = Some(products);
            }
        }
        Ok(())
    }

    fn check_model(&self, hash: &str, dim: usize) -> Result<()> {
        let index_fits = self.index.as_ref().is_none_or(|index| {
            index.model().to_string() == hash && index.projection().in_dim() == dim
        });
        if hash == self.manifest.model.sha256 && index_fits {
            return Ok(());
        }
        Err(mismatch())
    }

    fn check_index(&self, index: &Index) -> Result<()> {
        let network_fits = self
            .network
            .as_ref()
            .is_none_or(|network| network.spec().dim() == index.projection().in_dim());
        if index.model().to_string() == self.manifest.model.sha256 && network_fits {
            return Ok(());
        }
        Err(mismatch())
    }

    /// The photo to search with; forgets the mask of the one before.
    pub fn set_photo(&mut self, picture: Picture) {
        self.photo = Some(Photo { picture, mask: None, whole: None, masked: None });
    }

    /// What to take out of the photo; `None` takes out nothing. The whole photo's embedding stays.
    ///
    /// # Errors
    /// `NotReady` if there is no photo.
    pub fn set_mask(&mut self, mask: Option<Mask>) -> Result<()> {
        let photo = self.photo.as_mut().ok_or_else(no_photo)?;
        photo.mask = mask;
        photo.masked = None;
        Ok(())
    }

    /// Forgets photo and mask.
    pub fn clear_photo(&mut self) {
        self.photo = None;
    }

    /// The embedding of the photo; runs the network only for what is not known yet.
    ///
    /// # Errors
    /// `NotReady` if network, index or photo are missing; `BadQuery` if the mask leaves nothing.
    pub fn embed(&mut self, view: View) -> Result<&Embedding> {
        let network = self.network.as_ref().ok_or_else(|| not_ready(Role::Model))?;
        let index = self.index.as_ref().ok_or_else(|| not_ready(Role::Index))?;
        let photo = self.photo.as_mut().ok_or_else(no_photo)?;
        let size = network.spec().input.size;
        if (photo.picture.width(), photo.picture.height()) != (size, size) {
            photo.picture = resize(&photo.picture, size)?;
        }
        let mask = photo.mask.as_ref().filter(|mask| view == View::Masked && !mask.is_empty());
        let slot = if mask.is_some() { &mut photo.masked } else { &mut photo.whole };
        match slot {
            Some(embedding) => Ok(embedding),
            empty => {
                let pooled = pooled_features(network, &photo.picture, mask)?;
                Ok(empty.insert(index.projection().apply(&pooled)?))
            }
        }
    }

    /// Answers a query, best hits first.
    ///
    /// # Errors
    /// `BadQuery` if the query is contradictory or names what does not exist; `NotReady` if
    /// something has to be provided first.
    pub fn search(&mut self, query: &Query) -> Result<Vec<Hit<'_>>> {
        let k = query.k.unwrap_or(DEFAULT_K);
        if k == 0 || k > MAX_K {
            return Err(Error::new(ErrorKind::BadQuery, format!("k is {k}, not in 1..={MAX_K}")));
        }
        let (vector, itself) = match (query.photo, &query.product_id) {
            (Some(view), None) => (self.embed(view)?.clone(), None),
            (None, Some(id)) => {
                let row =
                    self.products.as_ref().ok_or_else(|| not_ready(Role::Products))?.row(id)?;
                let index = self.index.as_ref().ok_or_else(|| not_ready(Role::Index))?;
                (index.embedding(row)?, Some(row))
            }
            _ => {
                return Err(Error::new(
                    ErrorKind::BadQuery,
                    "a query needs either a photo or a productId",
                ));
            }
        };
        let index = self.index.as_ref().ok_or_else(|| not_ready(Role::Index))?;
        let products = self.products.as_ref().ok_or_else(|| not_ready(Role::Products))?;
        let mut found = index.search(&vector, k + usize::from(itself.is_some()), EF_SEARCH)?;
        found.retain(|n| Some(n.row) != itself);
        found.truncate(k);
        Ok(found
            .into_iter()
            .filter_map(|n| {
                let product = products.get(n.row)?;
                Some(Hit { row: n.row, id: &product.id, score: n.score, product })
            })
            .collect())
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Engine({:?}, {:?})", self.network, self.index)
    }
}

/// Pooled features, `[sum of the layers' dims]`, of a picture at the network's input size, without
/// what the mask takes out: its pixels are filled in, and the pooling passes over them.
///
/// # Errors
/// `BadQuery` if the mask leaves nothing; `BadModel` if the network fails.
pub fn pooled_features(
    network: &Network,
    picture: &Picture,
    mask: Option<&Mask>,
) -> Result<Vec<f32>> {
    let seen = match mask {
        Some(mask) => Cow::Owned(mask.fill(picture, Fill::default())?),
        None => Cow::Borrowed(picture),
    };
    network.run(&seen)?.pool(mask)
}

fn check_count(ours: usize, theirs: Option<usize>) -> Result<()> {
    match theirs {
        Some(theirs) if theirs != ours => Err(Error::new(
            ErrorKind::Mismatch,
            format!("the product list and the index differ in length ({ours} and {theirs})"),
        )),
        _ => Ok(()),
    }
}

fn mismatch() -> Error {
    Error::new(
        ErrorKind::Mismatch,
        "the network is not the one that the index was built with; upload all files of one \
         `lookalike index` run together",
    )
}

fn not_ready(role: Role) -> Error {
    Error::new(ErrorKind::NotReady, format!("the {} has not been loaded yet", role.as_str()))
}

fn no_photo() -> Error {
    Error::new(ErrorKind::NotReady, "there is no photo yet")
}
