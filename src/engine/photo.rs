//! What the network sees in a photo, and in a catalogue's pictures.

use fast_image_resize::PixelType;

use super::EF_SEARCH;
use crate::area::{Area, Rect};
use crate::embedding::Embedding;
use crate::error::Result;
use crate::frame::{Crop, Frame};
use crate::image::Picture;
use crate::index::Index;
use crate::manifest::Scores;
use crate::mask::{Fill, Mask};
use crate::model::{Features, Network};
use crate::preprocess::{resample, resize};
use crate::query::View;
use crate::things::{Thing, things};

/// The longest side at which a photo is kept, in pixels: what a selection is cut from. Larger ones
/// are shrunk as they are set, in fixed point, so that the same pixels give the same code
/// everywhere. The page decodes to it as well (`www/picture.js`). Kept are 3 bytes a pixel, 3 MiB
/// at most; while one is set, the caller's 4 bytes a pixel beside them.
pub const PHOTO_SIDE: u32 = 1024;

/// The photo of the moment. What was computed of it is kept until it changes.
pub(super) struct Photo {
    /// At most [`PHOTO_SIDE`] on a side.
    picture: Picture,
    /// The same at the network's input size, once that is known.
    square: Option<Picture>,
    mask: Option<Mask>,
    whole: Option<Seen>,
    masked: Option<Seen>,
    /// What may be things, once that has been asked.
    things: Option<Vec<Thing>>,
}

/// A thing of which the catalogue has something alike.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Where it is.
    pub thing: Thing,
    /// The best cosine with a picture of the catalogue.
    pub score: f32,
    /// The product whose picture that is.
    pub row: u32,
}

/// What came of a window of the photo.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// There is something, and the catalogue has something like it.
    Found(Found),
    /// Not so.
    Nothing,
    /// No window is left.
    Done,
}

/// How much of what is found may overlap before it is the same thing, and how much of the smaller may
/// lie in the other before it is a part of it.
const SAME: f32 = 0.3;
const PART: f32 = 0.7;

/// What the network saw.
pub(super) struct Seen {
    pub(super) features: Features,
    pub(super) embedding: Embedding,
    /// What the pooling passed over.
    pub(super) mask: Option<Mask>,
    /// The part that was shown; `None`: all of the photo.
    pub(super) frame: Option<Frame>,
}

impl Photo {
    pub(super) fn new(picture: Picture) -> Result<Self> {
        let picture = kept(picture)?;
        Ok(Self { picture, square: None, mask: None, whole: None, masked: None, things: None })
    }

    /// As it is kept.
    pub(super) fn picture(&self) -> &Picture {
        &self.picture
    }

    /// Takes out what the mask covers; what is known of the whole photo stays.
    pub(super) fn set_mask(&mut self, mask: Option<Mask>) {
        self.mask = mask.filter(|mask| !mask.is_empty());
        self.masked = None;
    }

    /// Looks at what may be a thing, as the network would see it if it were selected. What is one of
    /// those that were `found` is passed over.
    pub(super) fn look_at(
        &mut self,
        network: &Network,
        index: &Index,
        crop: &Crop,
        scores: Scores,
        (window, found): (usize, &[Rect]),
    ) -> Result<Next> {
        if self.things.is_none() {
            self.things = Some(self.ranked(network, index, crop)?);
        }
        let things = self.things.as_deref().unwrap_or_default();
        let Some(thing) = things.get(window).cloned() else { return Ok(Next::Done) };
        let is_same = |there: &Rect| {
            let within = there.common(thing.rect) > PART * there.area().min(thing.rect.area());
            within || there.overlap(thing.rect) > SAME
        };
        if found.iter().any(is_same) {
            return Ok(Next::Nothing);
        }
        let (w, h) = (self.picture.width(), self.picture.height());
        let of = |share: f32, side: u32| f64::from(share) * f64::from(side);
        let Rect { x0, y0, x1, y1 } = thing.rect;
        let Some(area) = Area::touched([of(x0, w), of(y0, h), of(x1, w), of(y1, h)], w, h) else {
            return Ok(Next::Nothing);
        };
        let mask = Mask::only(area, w, h)?;
        let seen = self.look(network, index, crop, Some(mask))?;
        let best = index.search(&seen.embedding, 1, EF_SEARCH)?;
        let Some(best) = best.first().filter(|best| best.score >= scores.similar) else {
            return Ok(Next::Nothing);
        };
        Ok(Next::Found(Found { thing, score: best.score, row: best.product }))
    }

    /// What may be things, those first of which the catalogue seems to have something alike: by what the network saw of
    /// the whole photo where each of them lies.
    fn ranked(&mut self, network: &Network, index: &Index, crop: &Crop) -> Result<Vec<Thing>> {
        let things = things(&self.picture)?;
        let whole = self.seen(network, index, crop, View::Whole)?;
        let mut ranked = things
            .into_iter()
            .map(|thing| {
                let pooled = whole.features.pool(Some(&thing.mask))?;
                let best = index.search(&index.projection().apply(&pooled)?, 1, EF_SEARCH)?;
                Ok((best.first().map_or(-1.0, |best| best.score), thing))
            })
            .collect::<Result<Vec<_>>>()?;
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
        Ok(ranked.into_iter().map(|(_, thing)| thing).collect())
    }

    /// What the network is going to see of the photo, without running it.
    pub(super) fn shown(&self, crop: &Crop, size: u32, view: View) -> Rect {
        self.frame(crop, size, view).map_or(Rect::WHOLE, |frame| frame.rect())
    }

    fn frame(&self, crop: &Crop, size: u32, view: View) -> Option<Frame> {
        self.frame_of(crop, size, self.mask.as_ref().filter(|_| view == View::Masked))
    }

    fn frame_of(&self, crop: &Crop, size: u32, mask: Option<&Mask>) -> Option<Frame> {
        crop.frame(self.picture.width(), self.picture.height(), mask?, size)
    }

    /// What the network sees, computed if it is not known yet.
    pub(super) fn seen(
        &mut self,
        network: &Network,
        index: &Index,
        crop: &Crop,
        view: View,
    ) -> Result<&Seen> {
        let masked = view == View::Masked && self.mask.is_some();
        // Taken out and put back, because what fills it borrows the rest.
        let slot = if masked { self.masked.take() } else { self.whole.take() };
        let seen = match slot {
            Some(seen) => seen,
            None => {
                let mask = self.mask.clone().filter(|_| masked);
                self.look(network, index, crop, mask)?
            }
        };
        Ok(if masked { self.masked.insert(seen) } else { self.whole.insert(seen) })
    }

    fn look(
        &mut self,
        network: &Network,
        index: &Index,
        crop: &Crop,
        mask: Option<Mask>,
    ) -> Result<Seen> {
        let size = network.spec().input.size;
        let frame = self.frame_of(crop, size, mask.as_ref());
        let (features, mask) = match (&frame, mask.as_ref()) {
            (Some(frame), Some(mask)) => {
                let (picture, mask) = frame.square(&self.picture, mask)?;
                (features(network, &picture, Some(&mask))?, Some(mask))
            }
            (_, mask) => {
                let square = match &mut self.square {
                    Some(square) => square,
                    empty => empty.insert(resize(&self.picture, size)?),
                };
                (features(network, square, mask)?, mask.cloned())
            }
        };
        let embedding = index.projection().apply(&features.pool(mask.as_ref())?)?;
        Ok(Seen { features, embedding, mask, frame })
    }
}

/// A photo of at most [`PHOTO_SIDE`] on a side.
fn kept(picture: Picture) -> Result<Picture> {
    let (w, h) = (picture.width(), picture.height());
    let longest = w.max(h);
    if longest <= PHOTO_SIDE {
        return Ok(picture);
    }
    // Rounded, in integers.
    let side = |side: u32| {
        let (side, most, of) = (u64::from(side), u64::from(PHOTO_SIDE), u64::from(longest));
        ((2 * side * most + of) / (2 * of)).max(1) as u32
    };
    let rgb = resample(w, h, picture.rgb(), PixelType::U8x3, side(w), side(h))?;
    Picture::from_rgb(side(w), side(h), rgb)
}

/// Feature maps of a picture at the network's input size, with the pixels that the mask takes out
/// filled in.
fn features(network: &Network, picture: &Picture, mask: Option<&Mask>) -> Result<Features> {
    match mask {
        Some(mask) => network.run(&mask.fill(picture, Fill::default())?),
        None => network.run(picture),
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
    features(network, picture, mask)?.pool(mask)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn photos_are_kept_at_one_size_and_small_ones_as_they_are() {
        let sized = |w: u32, h: u32| {
            let picture = Picture::from_rgb(w, h, vec![90; (w * h * 3) as usize]).unwrap();
            let kept = kept(picture).unwrap();
            assert!(kept.rgb().iter().all(|v| *v == 90));
            (kept.width(), kept.height())
        };
        assert_eq!(sized(PHOTO_SIDE, 7), (PHOTO_SIDE, 7));
        assert_eq!(sized(2048, 1500), (1024, 750));
        assert_eq!(sized(1, 3000), (1, 1024));
        assert_eq!(sized(3000, 1), (1024, 1));
    }

    #[test]
    fn the_page_keeps_photos_at_the_same_size() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/www/picture.js");
        let Ok(page) = std::fs::read_to_string(page) else { return };
        let says = format!("export const ENGINE_SIDE = {PHOTO_SIDE};");
        assert!(page.contains(&says), "www/picture.js does not say {says}");
    }
}
