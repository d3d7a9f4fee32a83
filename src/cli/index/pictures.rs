//! Looking at pictures for an index: each once in its life, unless the networks or the thumbnails
//! change.

use fast_image_resize::PixelType;
use image::codecs::jpeg::JpegEncoder;
use lookalike_publish::Folder;

use crate::cli::lesson::{Networks, Seen};
use crate::cli::look::Shot;
use crate::cli::state::{Look, PictureId, State, Thumb};
use crate::error::{Error, ErrorKind, Result};
use crate::image::Picture;
use crate::learn::difference_hash;
use crate::manifest::sha256;
use crate::preprocess::resample;

/// What an index needs of a picture.
pub(super) struct Embedded {
    pub(super) id: PictureId,
    pub(super) seen: Seen,
    /// Difference hash.
    pub(super) hash: u64,
    /// Name of the thumbnail.
    pub(super) thumb: Option<String>,
    /// Whether the networks had to look at it in this run.
    pub(super) fresh: bool,
}

/// Who looks, what is remembered, and where thumbnails go.
pub(super) struct Looking<'a> {
    pub(super) networks: &'a Networks,
    pub(super) state: &'a State,
    pub(super) folder: &'a Folder,
    /// Longer side of the thumbnails in pixels; 0 for none.
    pub(super) side: u32,
}

impl Looking<'_> {
    /// What an index needs of a picture, remembered from the moment that it is known. The inner
    /// error is the picture's, the outer one that of the folder or the state, such as a full disk.
    pub(super) fn at(&self, shot: &Shot<'_>) -> Result<Result<Embedded>> {
        let known = self.state.look(shot.id, self.side).filter(|look| self.has_thumb(look));
        let seen = self.networks.remembered(self.state, shot.id);
        let (look, seen, fresh) = match (known, seen) {
            (Some(look), Some(seen)) => (look, seen, false),
            (known, seen) => {
                let picture = match shot.decode() {
                    Ok(picture) => picture,
                    Err(error) => return Ok(Err(error)),
                };
                let (seen, fresh) = match seen {
                    Some(seen) => (seen, false),
                    None => match self.networks.look(&picture) {
                        Ok(seen) => (seen, true),
                        Err(error) => return Ok(Err(error)),
                    },
                };
                if fresh {
                    self.networks.remember(self.state, shot.id, &seen)?;
                }
                let look = match known {
                    Some(look) => look,
                    None => self.look(shot.id, &picture)?,
                };
                (look, seen, fresh)
            }
        };
        let thumb = look.thumb.map(|thumb| thumb.name);
        Ok(Ok(Embedded { id: shot.id, seen, hash: look.hash, thumb, fresh }))
    }

    fn has_thumb(&self, look: &Look) -> bool {
        match &look.thumb {
            None => self.side == 0,
            Some(thumb) => self.folder.keep(&thumb.name, &thumb.sha256),
        }
    }

    fn look(&self, id: PictureId, picture: &Picture) -> Result<Look> {
        let thumb = if self.side > 0 {
            let jpeg = thumbnail(picture, self.side)?;
            Some(Thumb { name: self.folder.put_thumb(&jpeg)?, sha256: sha256(&jpeg) })
        } else {
            None
        };
        let look = Look { hash: difference_hash(picture)?, thumb };
        self.state.keep_look(id, self.side, &look)?;
        Ok(look)
    }
}

/// A JPEG whose longer side has at most `side` pixels.
pub(in crate::cli) fn thumbnail(picture: &Picture, side: u32) -> Result<Vec<u8>> {
    let (width, height) = (picture.width(), picture.height());
    let longer = width.max(height);
    let shrink = |x: u32| {
        if longer <= side {
            x
        } else {
            ((u64::from(x) * u64::from(side)) / u64::from(longer)).max(1) as u32
        }
    };
    let (w, h) = (shrink(width), shrink(height));
    let pixels = resample(width, height, picture.rgb(), PixelType::U8x3, w, h)?;
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, 85)
        .encode(&pixels, w, h, image::ExtendedColorType::Rgb8)
        .map_err(|cause| {
            Error::with_source(ErrorKind::Internal, "writing a thumbnail failed", cause)
        })?;
    Ok(jpeg)
}
