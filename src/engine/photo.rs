//! What the network sees in a photo, and in a catalogue's pictures.

use std::borrow::Cow;

use crate::embedding::Embedding;
use crate::error::Result;
use crate::image::Picture;
use crate::index::Index;
use crate::mask::{Fill, Mask};
use crate::model::{Features, Network};
use crate::preprocess::resize;
use crate::query::View;

/// The photo of the moment. What was computed of it is kept until it changes.
pub(super) struct Photo {
    /// As given; shrunk to the network's input size once that is known.
    picture: Picture,
    mask: Option<Mask>,
    whole: Option<Seen>,
    masked: Option<Seen>,
}

/// What the network saw.
pub(super) struct Seen {
    pub(super) features: Features,
    pub(super) embedding: Embedding,
}

impl Photo {
    pub(super) fn new(picture: Picture) -> Self {
        Self { picture, mask: None, whole: None, masked: None }
    }

    /// Takes out what the mask covers; what is known of the whole photo stays.
    pub(super) fn set_mask(&mut self, mask: Option<Mask>) {
        self.mask = mask;
        self.masked = None;
    }

    /// What the network sees, computed if it is not known yet, and the mask if the view has one.
    pub(super) fn seen(
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
