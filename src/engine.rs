//! Photo, mask and query to products: the one place that joins network, index and catalogue.

use std::borrow::Cow;
use std::collections::HashSet;

use serde::Serialize;

use crate::catalog::{Filter, Product, Products};
use crate::embedding::Embedding;
use crate::error::{Error, ErrorKind, Result};
use crate::explain::{HeatMap, explain};
use crate::image::Picture;
use crate::index::Index;
use crate::kernels::{Alone, Split};
use crate::manifest::{Manifest, Role};
use crate::mask::{Fill, Mask};
use crate::model::{Features, Network};
use crate::preprocess::resize;
use crate::query::{DEFAULT_K, Query, View};

/// Width of the graph search; [`Index::search`] explains.
pub const EF_SEARCH: usize = 128;
/// Weight of the mean of the liked products against the start, as usual for Rocchio's method.
const LIKE: f32 = 0.75;
/// Weight of the mean of the disliked ones.
const UNLIKE: f32 = 0.25;

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
    /// Ids of its variants, which are not hits of their own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub variants: Vec<&'a str>,
}

/// The photo of the moment. What was computed of it is kept until it changes.
struct Photo {
    /// As given; shrunk to the network's input size once that is known.
    picture: Picture,
    mask: Option<Mask>,
    whole: Option<Seen>,
    masked: Option<Seen>,
}

/// What the network saw.
struct Seen {
    features: Features,
    embedding: Embedding,
}

impl Photo {
    /// What the network sees, computed if it is not known yet, and the mask if the view has one.
    fn seen(
        &mut self,
        network: &Network,
        index: &Index,
        view: View,
    ) -> Result<(&Seen, Option<&Mask>)> {
        let size = network.spec().input.size;
        if (self.picture.width(), self.picture.height()) != (size, size) {
            self.picture = resize(&self.picture, size)?;
        }
        let mask = self.mask.as_ref().filter(|mask| view == View::Masked && !mask.is_empty());
        let slot = if mask.is_some() { &mut self.masked } else { &mut self.whole };
        let seen = match slot {
            Some(seen) => seen,
            empty => {
                let features = features(network, &self.picture, mask)?;
                let embedding = index.projection().apply(&features.pool(mask)?)?;
                empty.insert(Seen { features, embedding })
            }
        };
        Ok((seen, mask))
    }
}

/// A catalogue that can be searched. Files are provided one by one, in any order; index and
/// products alone answer queries by product, photos need the network as well.
pub struct Engine {
    manifest: Manifest,
    network: Option<Network>,
    index: Option<Index>,
    products: Option<Products>,
    photo: Option<Photo>,
    /// Which rows pass the filter of the last query that had one: a slider asks with the same one
    /// again and again.
    passing: Option<(Filter, Vec<bool>)>,
    threads: &'static dyn Split,
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
            passing: None,
            threads: &Alone,
        })
    }

    /// Lets these threads share the network's layers.
    #[must_use]
    pub fn with_threads(mut self, threads: &'static dyn Split) -> Self {
        self.threads = threads;
        self
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
    /// `sha256` is the SHA-256 of `bytes` where the caller knows it, whose word is taken for it: the
    /// browser computes it several times faster than wasm does. It is computed here if absent.
    ///
    /// # Errors
    /// `BadFile` if it is not the file that the manifest promises, `BadModel`, `BadIndex` or
    /// `BadCatalog` if it is but is damaged, `Mismatch` if it does not belong to the others.
    pub fn provide(&mut self, role: Role, bytes: Vec<u8>, sha256: Option<&str>) -> Result<()> {
        let file = self.manifest.file(role)?;
        file.verify(&bytes, sha256)?;
        match role {
            Role::Model => {
                let hash = file.sha256.to_ascii_lowercase();
                let mut network = Network::load(bytes)?;
                network.share(self.threads);
                self.check_model(&hash, network.spec().dim())?;
                self.network = Some(network);
            }
            Role::Index => {
                let index = Index::read_checked(&bytes)?;
                self.check_index(&index)?;
                check_count(index.len(), self.products.as_ref().map(Products::len))?;
                self.index = Some(index);
            }
            Role::Products => {
                let products = Products::read(&bytes)?;
                check_count(products.len(), self.index.as_ref().map(Index::len))?;
                self.products = Some(products);
                self.passing = None;
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
        Ok(&photo.seen(network, index, view)?.0.embedding)
    }

    /// The photo's pooled features, `[sum of the layers' dims]`: what the network's file itself
    /// gives as its output, where nothing is masked.
    ///
    /// # Errors
    /// As [`Engine::embed`].
    pub fn pooled(&mut self, view: View) -> Result<Vec<f32>> {
        let network = self.network.as_ref().ok_or_else(|| not_ready(Role::Model))?;
        let index = self.index.as_ref().ok_or_else(|| not_ready(Role::Index))?;
        let photo = self.photo.as_mut().ok_or_else(no_photo)?;
        let (seen, mask) = photo.seen(network, index, view)?;
        seen.features.pool(mask)
    }

    /// Where in the photo its similarity to a product comes from.
    ///
    /// # Errors
    /// As [`Engine::embed`]; `BadQuery` if there is no such product.
    pub fn explain(&mut self, id: &str, view: View) -> Result<HeatMap> {
        let network = self.network.as_ref().ok_or_else(|| not_ready(Role::Model))?;
        let index = self.index.as_ref().ok_or_else(|| not_ready(Role::Index))?;
        let products = self.products.as_ref().ok_or_else(|| not_ready(Role::Products))?;
        let target = index.embedding(products.row(id)?)?;
        let photo = self.photo.as_mut().ok_or_else(no_photo)?;
        let (seen, mask) = photo.seen(network, index, view)?;
        explain(&seen.features, mask, index.projection(), &target)
    }

    /// Where in the embedding space a query looks. In this order: the start; the walk along the
    /// great circle; the examples, after Rocchio (in: The SMART Retrieval System, 1971); `strength`
    /// times each direction of [`Index::direction`]. Renormalised after each step.
    ///
    /// # Errors
    /// `BadQuery` if the query is contradictory, names what does not exist, or ends nowhere;
    /// `NotReady` if something has to be provided first.
    pub fn locate(&mut self, query: &Query) -> Result<Embedding> {
        query.validate()?;
        let photo = match (query.photo, query.walk) {
            (None, _) => None,
            (Some(View::Masked), Some(t)) => {
                let whole = self.embed(View::Whole)?.clone();
                Some(whole.walk(self.embed(View::Masked)?, t)?)
            }
            (Some(view), _) => Some(self.embed(view)?.clone()),
        };
        let (index, products) = self.searchable()?;
        let stored = |id: &String| index.embedding(products.row(id)?);
        let mean_of = |ids: &[String]| -> Result<Option<Embedding>> {
            let examples = ids.iter().map(stored).collect::<Result<Vec<_>>>()?;
            if examples.is_empty() { Ok(None) } else { Embedding::mean(&examples).map(Some) }
        };
        let start = match (photo, &query.product_id, &query.embedding) {
            (Some(embedding), ..) => Some(embedding),
            (_, Some(id), _) => Some(stored(id)?),
            (_, _, Some(values)) => Some(Embedding::new(values.clone())?),
            _ => None,
        };
        let (like, unlike) = (mean_of(&query.like)?, mean_of(&query.unlike)?);
        let mut at = match (start, like) {
            (Some(start), None) => start,
            (None, Some(like)) => like,
            (Some(start), Some(like)) => start.moved(&like.as_direction(), LIKE)?,
            (None, None) => return Err(Error::new(ErrorKind::BadQuery, "the query has no start")),
        };
        if let Some(unlike) = unlike {
            at = at.moved(&unlike.as_direction(), -UNLIKE)?;
        }
        for step in &query.toward {
            let direction = index.direction(step.from.as_ref(), &step.to)?;
            at = at.moved(&direction, step.strength)?;
        }
        if at.dim() != index.projection().out_dim() {
            return Err(Error::new(
                ErrorKind::BadQuery,
                format!(
                    "the embedding has {} dimensions, the index {}",
                    at.dim(),
                    index.projection().out_dim()
                ),
            ));
        }
        Ok(at)
    }

    /// Answers a query, best hits first. With a filter every product that passes is compared, so
    /// the hits are the true nearest; without one they come through the graph.
    ///
    /// # Errors
    /// As [`Engine::locate`]; also `BadQuery` if the filter names a column that does not exist.
    pub fn search(&mut self, query: &Query) -> Result<Vec<Hit<'_>>> {
        let at = self.locate(query)?;
        if let Some(filter) = &query.filter {
            self.apply(filter)?;
        }
        let (index, products) = self.searchable()?;
        let left_out = query
            .product_id
            .iter()
            .chain(&query.unlike)
            .map(|id| products.row(id))
            .collect::<Result<Vec<_>>>()?;
        let k = query.k.unwrap_or(DEFAULT_K);
        let passing = match (&query.filter, &self.passing) {
            (Some(_), Some((_, passing))) => Some(passing.as_slice()),
            _ => None,
        };
        let least = query.min_score.unwrap_or(f32::NEG_INFINITY);
        let mut wanted = k + left_out.len();
        // Keeping more costs a scan nothing, scanning again because variants took places does.
        if passing.is_some() && !query.variants {
            wanted = (wanted * 8).min(index.len());
        }
        let mut found = loop {
            let mut found = match passing {
                None => index.search(&at, wanted, EF_SEARCH)?,
                Some(passing) => index.search_exact(&at, wanted, |row| passing[row as usize])?,
            };
            // Best first: beyond the last are none that score higher.
            let exhausted = found.len() < wanted
                || wanted >= index.len()
                || found.last().is_some_and(|last| last.score < least);
            found.retain(|n| n.score >= least && !left_out.contains(&n.row));
            if !query.variants {
                let mut groups = HashSet::new();
                found.retain(|n| groups.insert(products.stands_for(n.row)));
            }
            // Groups may have taken places away: look further.
            if found.len() >= k || exhausted {
                break found;
            }
            wanted = (wanted * 2).min(index.len());
        };
        found.truncate(k);
        Ok(found
            .into_iter()
            .filter_map(|n| {
                let product = products.get(n.row)?;
                let others = if query.variants { &[] } else { products.variants(n.row) };
                let variants = others
                    .iter()
                    .filter(|&&row| row != n.row && !left_out.contains(&row))
                    .filter_map(|&row| Some(products.get(row)?.id.as_str()))
                    .collect();
                Some(Hit { row: n.row, id: &product.id, score: n.score, product, variants })
            })
            .collect())
    }

    /// What of a query fits this catalogue, and in words what does not: links outlive the catalogue
    /// they were made with. Only names are looked at: products, groups, columns and their values.
    ///
    /// # Errors
    /// `NotReady` if index or products are missing.
    pub fn fit(&self, query: &Query) -> Result<(Query, Vec<String>)> {
        let (index, products) = self.searchable()?;
        let mut fitting = query.clone();
        let mut left_out = Vec::new();
        let mut known = |id: &String| {
            let known = products.row(id).is_ok();
            if !known {
                left_out.push(format!("product {id:?}"));
            }
            known
        };
        fitting.product_id = fitting.product_id.filter(&mut known);
        fitting.like.retain(&mut known);
        fitting.unlike.retain(&mut known);
        fitting.toward.retain_mut(|step| {
            // Without its start, a direction can still come from the mean of all.
            step.from = step.from.take().filter(|from| index.group(from).is_ok());
            let leads = index.direction(step.from.as_ref(), &step.to).is_ok();
            if !leads {
                left_out.push(format!("direction to {}", step.to));
            }
            leads
        });
        if let Some(filter) = &mut fitting.filter {
            left_out.extend(filter.fit(products));
            if *filter == Filter::default() {
                fitting.filter = None;
            }
        }
        Ok((fitting, left_out))
    }

    /// Notes which rows pass a filter, unless they are noted already.
    fn apply(&mut self, filter: &Filter) -> Result<()> {
        if self.passing.as_ref().is_some_and(|(last, _)| last == filter) {
            return Ok(());
        }
        let (_, products) = self.searchable()?;
        filter.check_columns(products)?;
        let passing = products.as_slice().iter().map(|p| filter.accepts(p)).collect();
        self.passing = Some((filter.clone(), passing));
        Ok(())
    }

    fn searchable(&self) -> Result<(&Index, &Products)> {
        let index = self.index.as_ref().ok_or_else(|| not_ready(Role::Index))?;
        let products = self.products.as_ref().ok_or_else(|| not_ready(Role::Products))?;
        Ok((index, products))
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Engine({:?}, {:?})", self.network, self.index)
    }
}

/// Feature maps of a picture at the network's input size, with the pixels that the mask takes out
/// filled in.
fn features(network: &Network, picture: &Picture, mask: Option<&Mask>) -> Result<Features> {
    let shown = match mask {
        Some(mask) => Cow::Owned(mask.fill(picture, Fill::default())?),
        None => Cow::Borrowed(picture),
    };
    network.run(&shown)
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
    features(network, picture, mask)?.pool(mask)
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
