//! Looking at every picture of a catalogue, several at a time.

use rayon::prelude::*;

use super::catalogue::{Item, Pictures};
use super::progress::Progress;
use super::state::PictureId;
use crate::catalog::Image;
use crate::error::Result;
use crate::image::Picture;
use crate::index::Owners;

/// What was made of a catalogue's pictures. Only those that could be used are left in `items`; each
/// of these has one at least.
pub(super) struct Looked<T> {
    pub(super) items: Vec<Item>,
    /// Whose the pictures are; as many as `seen`.
    pub(super) counts: Vec<usize>,
    /// Per picture, in product order.
    pub(super) seen: Vec<T>,
    /// Pictures that could not be used, of products that have others.
    pub(super) pictures_skipped: Vec<String>,
    /// Products without any picture that can be used.
    pub(super) products_skipped: Vec<String>,
}

impl<T> Looked<T> {
    /// Whose the pictures are.
    ///
    /// # Errors
    /// `BadIndex` if there are none.
    pub(super) fn owners(&self) -> Result<Owners> {
        Owners::of_counts(self.counts.iter().copied())
    }
}

/// A picture's file, decoded when it is asked for.
pub(super) struct Shot<'a> {
    pub(super) id: PictureId,
    pictures: &'a Pictures,
    image: &'a Image,
    file: Vec<u8>,
}

impl Shot<'_> {
    pub(super) fn decode(&self) -> Result<Picture> {
        self.pictures.decode(&self.image.image, &self.file)
    }
}

/// Calls `look` with each picture. A picture that cannot be used is left out of its product, whose
/// next one then is the main one; a product is left out with its last.
///
/// # Errors
/// The outer error of `look`, which ends the work; the inner one is that picture's alone.
pub(super) fn every_picture<T: Send>(
    items: Vec<Item>,
    pictures: &Pictures,
    look: impl Fn(&Shot<'_>) -> Result<Result<T>> + Sync,
) -> Result<Looked<T>> {
    let all: Vec<&Image> = items.iter().flat_map(|item| &item.product.images).collect();
    pictures.prefetch(&all);
    let bar = Progress::new(all.len(), "embedding");
    let mut results = all
        .par_iter()
        .map(|image| {
            let result = match pictures.read(&image.image) {
                Ok(file) => look(&Shot { id: PictureId::of(&file), pictures, image, file }),
                Err(error) => Ok(Err(error)),
            };
            bar.inc(1);
            result
        })
        .collect::<Result<Vec<_>>>()?
        .into_iter();
    bar.finish();
    pictures.say_fetched();
    let mut looked = Looked {
        items: Vec::new(),
        counts: Vec::new(),
        seen: Vec::new(),
        pictures_skipped: Vec::new(),
        products_skipped: Vec::new(),
    };
    for mut item in items {
        let mut reasons = Vec::new();
        let before = looked.seen.len();
        let images = std::mem::take(&mut item.product.images);
        for (image, result) in images.into_iter().zip(results.by_ref()) {
            match result {
                Ok(seen) => {
                    looked.seen.push(seen);
                    item.product.images.push(image);
                }
                Err(error) => reasons.push(error.to_string()),
            }
        }
        let id = &item.product.id;
        if item.product.images.is_empty() {
            let why =
                if reasons.is_empty() { "it has no picture".into() } else { reasons.join("; ") };
            looked.products_skipped.push(format!("product {id:?}: {why}"));
            continue;
        }
        let lost = reasons.into_iter().map(|why| format!("a picture of product {id:?}: {why}"));
        looked.pictures_skipped.extend(lost);
        looked.counts.push(looked.seen.len() - before);
        looked.items.push(item);
    }
    Ok(looked)
}
