//! Photo, mask and query to products: the one place that joins network, index and catalogue.

mod answer;
mod photo;

pub use answer::{EF_SEARCH, Hit};
pub use photo::{Found, Next, PHOTO_SIDE, pooled_features};

use crate::area::Rect;
use crate::catalog::{Filter, Products};
use crate::embedding::Embedding;
use crate::error::{Error, ErrorKind, Result};
use crate::explain::{HeatMap, explain};
use crate::frame::Crop;
use crate::image::Picture;
use crate::index::Index;
use crate::kernels::{Alone, Split};
use crate::manifest::{Manifest, Role};
use crate::mask::Mask;
use crate::model::Network;
use crate::query::View;
use crate::things::{self, Thing};
use photo::Photo;

/// A catalogue that can be searched. Files are provided one by one, in any order; index and
/// products alone answer queries by product, photos need the network as well.
pub struct Engine {
    manifest: Manifest,
    network: Option<Network>,
    index: Option<Index>,
    products: Option<Products>,
    photo: Option<Photo>,
    crop: Crop,
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
            crop: Crop::default(),
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
                if let Some(products) = &self.products {
                    check_pictures(&index, products)?;
                }
                self.index = Some(index);
                self.passing = None;
            }
            Role::Products => {
                let products = Products::read(&bytes)?;
                if let Some(index) = &self.index {
                    check_pictures(index, &products)?;
                }
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

    /// The photo to search with; forgets the mask of the one before. It is kept at no more than
    /// [`PHOTO_SIDE`] pixels a side.
    ///
    /// # Errors
    /// `Internal` only: a [`Picture`] can be shrunk.
    pub fn set_photo(&mut self, picture: Picture) -> Result<()> {
        self.photo = Some(Photo::new(picture)?);
        Ok(())
    }

    /// What to take out of the photo; `None` takes out nothing. The whole photo's embedding stays.
    ///
    /// # Errors
    /// `NotReady` if there is no photo.
    pub fn set_mask(&mut self, mask: Option<Mask>) -> Result<()> {
        self.photo.as_mut().ok_or_else(no_photo)?.set_mask(mask);
        Ok(())
    }

    /// When and how what the mask leaves is shown to the network alone, for measuring; as
    /// [`Crop::default`] says if not set. Forgets photo and mask.
    pub fn set_crop(&mut self, crop: Crop) {
        self.crop = crop;
        self.photo = None;
    }

    /// What of the photo the network looks at: all of it, or the part around what the mask leaves.
    ///
    /// # Errors
    /// `NotReady` if network or photo are missing.
    pub fn seen(&self, view: View) -> Result<Rect> {
        let network = self.network.as_ref().ok_or_else(|| not_ready(Role::Model))?;
        let photo = self.photo.as_ref().ok_or_else(no_photo)?;
        Ok(photo.shown(&self.crop, network.spec().input.size, view))
    }

    /// What lies at a point of the photo, in fractions of it; `None` on a plain ground. Needs neither
    /// network nor index.
    ///
    /// # Errors
    /// `NotReady` if there is no photo; `BadQuery` if the point lies outside of it.
    pub fn thing_at(&self, x: f32, y: f32) -> Result<Option<Thing>> {
        things::thing_at(self.photo.as_ref().ok_or_else(no_photo)?.picture(), x, y)
    }

    /// Looks at one window of the photo, the most promising being number 0: what is there, if the
    /// catalogue has something like it. What overlaps a thing that was `found` already (boxes, in
    /// fractions of the photo) is that thing or a part of it, and is not found again. Nothing is looked
    /// at where it is not known what scores mean.
    ///
    /// # Errors
    /// `NotReady` if network, index or photo are missing; `BadModel` if the network fails.
    pub fn look_at(&mut self, window: usize, found: &[Rect]) -> Result<Next> {
        let network = self.network.as_ref().ok_or_else(|| not_ready(Role::Model))?;
        let index = self.index.as_ref().ok_or_else(|| not_ready(Role::Index))?;
        let photo = self.photo.as_mut().ok_or_else(no_photo)?;
        let Some(scores) = self.manifest.scores else { return Ok(Next::Done) };
        photo.look_at(network, index, &self.crop, scores, (window, found))
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
        Ok(&photo.seen(network, index, &self.crop, view)?.embedding)
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
        let seen = photo.seen(network, index, &self.crop, view)?;
        seen.features.pool(seen.mask.as_ref())
    }

    /// Where in the photo its similarity to a product comes from: to the picture `image` of it (0
    /// being the main one), or else to the one that the photo resembles most.
    ///
    /// # Errors
    /// As [`Engine::embed`]; `BadQuery` if there is no such product or picture.
    pub fn explain(&mut self, id: &str, image: Option<u32>, view: View) -> Result<HeatMap> {
        let network = self.network.as_ref().ok_or_else(|| not_ready(Role::Model))?;
        let index = self.index.as_ref().ok_or_else(|| not_ready(Role::Index))?;
        let products = self.products.as_ref().ok_or_else(|| not_ready(Role::Products))?;
        let row = products.row(id)?;
        let photo = self.photo.as_mut().ok_or_else(no_photo)?;
        let seen = photo.seen(network, index, &self.crop, view)?;
        let image = match image {
            Some(image) => image,
            None => index.nearest_picture(&seen.embedding, row)?,
        };
        let target = index.picture(row, image)?;
        let heat = explain(&seen.features, seen.mask.as_ref(), index.projection(), &target)?;
        Ok(match &seen.frame {
            Some(frame) => heat.of_part(frame.place(), frame.rect()),
            None => heat,
        })
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

/// The list and the index belong together if each product has as many pictures in both.
fn check_pictures(index: &Index, products: &Products) -> Result<()> {
    let differ = |what: String| {
        Err(Error::new(
            ErrorKind::Mismatch,
            format!(
                "the product list and the index do not belong together: {what}; upload all files of \
                 one `lookalike index` run together"
            ),
        ))
    };
    if products.len() != index.products() {
        return differ(format!("{} and {} products", products.len(), index.products()));
    }
    let counts = products.as_slice().iter().zip(index.owners().counts());
    match counts.into_iter().find(|(product, count)| product.images.len() != *count as usize) {
        None => Ok(()),
        Some((product, count)) => differ(format!(
            "the product {:?} has {} pictures in the one and {count} in the other",
            product.id,
            product.images.len()
        )),
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
