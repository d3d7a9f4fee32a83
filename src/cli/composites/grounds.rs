//! What copies are laid over: photos of a folder, or textures that are made up.

use std::path::Path;

use fast_image_resize::PixelType;

use super::{SIDE, textures};
use crate::area::Area;
use crate::cli::catalogue::{self, Catalogue};
use crate::cli::output;
use crate::cli::random::mixed;
use crate::cli::state::PictureId;
use crate::error::{Error, ErrorKind, Result};
use crate::image::Picture;
use crate::preprocess::resample;

/// Photos that are kept at a time, 300 KB each.
const MOST: usize = 500;

/// Where grounds come from.
pub(in crate::cli) enum Grounds {
    Made,
    /// One at least, by their content, each `SIDE` x `SIDE`.
    Photos(Vec<(PictureId, Picture)>),
}

impl Grounds {
    /// Those of a folder, or those that are made up.
    ///
    /// # Errors
    /// `BadCatalog` if the folder holds no picture that can be read; those that cannot be are said.
    pub(in crate::cli) fn open(folder: Option<&Path>) -> Result<Self> {
        let Some(folder) = folder else { return Ok(Self::Made) };
        let Catalogue { items, pictures, skipped, .. } =
            catalogue::read(folder, &catalogue::Args::default())?;
        let say = |what: &str| output::remark(format_args!("skipped: a ground: {what}"));
        skipped.iter().for_each(|what| say(what));
        let mut photos = Vec::new();
        // Spread over the folder, which may be sorted.
        let step = items.len().div_ceil(MOST).max(1);
        for item in items.iter().step_by(step) {
            let photo = pictures
                .main(&item.product)
                .and_then(|(file, picture)| Ok((PictureId::of(&file), square(&picture)?)));
            match photo {
                Ok(photo) => photos.push(photo),
                Err(error) => say(&error.to_string()),
            }
        }
        if photos.is_empty() {
            return Err(Error::new(
                ErrorKind::BadCatalog,
                format!("--grounds {}: there is no picture that can be read", folder.display()),
            ));
        }
        photos.sort_by_key(|photo| photo.0);
        photos.dedup_by_key(|photo| photo.0);
        if step > 1 {
            let (used, all, folder) = (photos.len(), items.len(), folder.display());
            output::remark(format_args!("note: {folder}: {used} of {all} grounds are used"));
        }
        if photos.len() == 1 {
            output::remark(format_args!(
                "note: all composites lie over one ground, whose look is learnt as well: give a dozen"
            ));
        }
        Ok(Self::Photos(photos))
    }

    /// What they are, for the manifest.
    pub(in crate::cli) fn name(&self) -> &'static str {
        match self {
            Self::Made => "made",
            Self::Photos(_) => "photos",
        }
    }

    /// All of them, for comparing.
    pub(in crate::cli) fn ids(&self) -> impl Iterator<Item = &[u8; 32]> {
        let photos: &[(PictureId, Picture)] = match self {
            Self::Made => &[],
            Self::Photos(photos) => photos,
        };
        photos.iter().map(|photo| &photo.0.0)
    }

    /// The ground of a seed, at `SIDE` x `SIDE`.
    pub(super) fn picture(&self, seed: u64) -> Result<Picture> {
        match self {
            Self::Made => textures::made(seed, SIDE),
            Self::Photos(photos) => Ok(photos[drawn(photos, seed)].1.clone()),
        }
    }

    /// Which ground a seed has: zeros for those that are made of the seed itself.
    pub(super) fn id(&self, seed: u64) -> [u8; 32] {
        match self {
            Self::Made => [0; 32],
            Self::Photos(photos) => photos[drawn(photos, seed)].0.0,
        }
    }
}

/// By rendezvous hashing (Thaler and Ravishankar, 1998): another photo in the folder changes few.
fn drawn(photos: &[(PictureId, Picture)], seed: u64) -> usize {
    let weight = |id: &PictureId| {
        let first = id.0.first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        mixed(seed ^ mixed(first))
    };
    (0..photos.len()).max_by_key(|&at| weight(&photos[at].0)).unwrap_or(0)
}

/// The middle of a picture.
fn square(picture: &Picture) -> Result<Picture> {
    let (w, h) = (picture.width(), picture.height());
    let side = w.min(h);
    let (x0, y0) = ((w - side) / 2, (h - side) / 2);
    let part = Area { x0, y0, x1: x0 + side, y1: y0 + side }.cut(picture)?;
    let rgb = resample(side, side, part.rgb(), PixelType::U8x3, SIDE, SIDE)?;
    Picture::from_rgb(SIDE, SIDE, rgb)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_photo_more_changes_few_choices() {
        let photo = |n: u8| {
            let id = PictureId::of(&[n]);
            (id, Picture::from_rgb(1, 1, vec![n; 3]).unwrap())
        };
        let few: Vec<_> = (0..9).map(photo).collect();
        let more: Vec<_> = (0..10).map(photo).collect();
        let changed = (0..1000).filter(|&s| few[drawn(&few, s)].0 != more[drawn(&more, s)].0);
        let changed = changed.count();
        assert!((50..160).contains(&changed), "{changed}");
        let used = |n: usize| (0..1000).any(|seed| drawn(&more, seed) == n);
        assert!((0..10).all(used));
    }
}
