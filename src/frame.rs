//! Which part of a photo the network is shown, and how that part lies in the network's square.

use fast_image_resize::PixelType;

use crate::area::{Area, Rect};
use crate::error::Result;
use crate::image::Picture;
use crate::mask::Mask;
use crate::preprocess::resample;

/// When what a mask leaves is shown to the network alone, and how; docs/masking.md has the figures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Crop {
    /// Only if the rectangle around what the mask leaves takes less than this share of the photo.
    pub below: f64,
    /// How far the rectangle is grown to each side, as a share of its longer side.
    pub margin: f64,
    /// What becomes of its proportions.
    pub shape: Shape,
}

/// How a part that is not square fills the network's square.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Its longer side does, and the pooling passes over the rest.
    Kept,
    /// Both sides do: it is squashed, as whole pictures are.
    Squashed,
}

impl Default for Crop {
    fn default() -> Self {
        Self { below: 0.6, margin: 0.1, shape: Shape::Kept }
    }
}

/// The least side of what is shown, in pixels of the photo: enlarging fewer shows nothing more.
const LEAST: i64 = 32;

impl Crop {
    /// Never: the whole photo is shown, whatever the mask leaves.
    pub const NEVER: Self = Self { below: 0.0, margin: 0.0, shape: Shape::Squashed };

    /// What is shown of a `width` x `height` photo; `None` if all of it is.
    #[must_use]
    pub fn frame(&self, width: u32, height: u32, mask: &Mask, size: u32) -> Option<Frame> {
        let left = mask.left()?;
        let share = f64::from(left.width()) * f64::from(left.height())
            / (f64::from(mask.width()) * f64::from(mask.height()));
        if !(share < self.below) {
            return None;
        }
        let ((x0, x1), (y0, y1)) = (
            scaled(left.x0, left.x1, mask.width(), width),
            scaled(left.y0, left.y1, mask.height(), height),
        );
        let (w, h) = (x1 - x0, y1 - y0);
        let grow = (self.margin * w.max(h) as f64).round() as i64;
        let (grown_w, grown_h) = ((w + 2 * grow).max(LEAST), (h + 2 * grow).max(LEAST));
        let (outer_w, outer_h) = match self.shape {
            Shape::Squashed => (grown_w, grown_h),
            Shape::Kept => (grown_w.max(grown_h), grown_w.max(grown_h)),
        };
        let (photo_x, to_x) = laid((x0, w), grown_w, outer_w, width, size);
        let (photo_y, to_y) = laid((y0, h), grown_h, outer_h, height, size);
        let area = |x: (u32, u32), y: (u32, u32)| Area { x0: x.0, y0: y.0, x1: x.1, y1: y.1 };
        Some(Frame {
            photo: (width, height),
            shown: area(photo_x, photo_y),
            place: area(to_x, to_y),
            size,
        })
    }
}

/// Pixels `from..to` of a side of `of` on a side of `on`, rounded outwards.
fn scaled(from: u32, to: u32, of: u32, on: u32) -> (i64, i64) {
    let (from, to, of, on) = (i64::from(from), i64::from(to), i64::from(of), i64::from(on));
    (from * on / of, (to * on + of - 1) / of)
}

/// Along one side: `length` pixels from `start`, grown to `grown` about their middle and clipped to
/// the photo, and where these lie on the square's side, which shows `outer` pixels.
fn laid(
    (start, length): (i64, i64),
    grown: i64,
    outer: i64,
    photo: u32,
    size: u32,
) -> ((u32, u32), (u32, u32)) {
    let (photo, size) = (i64::from(photo), i64::from(size));
    let first = start - (grown - length).div_euclid(2);
    let from = first.clamp(0, photo - 1);
    let to = (first + grown).clamp(from + 1, photo);
    let origin = first - (outer - grown).div_euclid(2);
    let place = |at: i64| ((2 * (at - origin) * size + outer) / (2 * outer)).clamp(0, size);
    let left = place(from).min(size - 1);
    let right = place(to).max(left + 1);
    // All are within a side, which is a u32.
    ((from as u32, to as u32), (left as u32, right as u32))
}

/// A part of a photo in the network's square.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    photo: (u32, u32),
    /// The part, in pixels of the photo.
    shown: Area,
    /// Where it lies in the square; the rest is padding.
    place: Area,
    /// The square's side.
    size: u32,
}

impl Frame {
    /// What is shown of the photo, without padding.
    #[must_use]
    pub fn rect(&self) -> Rect {
        let share = |at: u32, of: u32| (f64::from(at) / f64::from(of)) as f32;
        let Area { x0, y0, x1, y1 } = self.shown;
        let (w, h) = self.photo;
        Rect { x0: share(x0, w), y0: share(y0, h), x1: share(x1, w), y1: share(y1, h) }
    }

    /// Where the part lies in the square, in fractions of the square.
    #[must_use]
    pub fn place(&self) -> Rect {
        let share = |at: u32| (f64::from(at) / f64::from(self.size)) as f32;
        let Area { x0, y0, x1, y1 } = self.place;
        Rect { x0: share(x0), y0: share(y0), x1: share(x1), y1: share(y1) }
    }

    /// The square, and what of it is taken out: the padding, and what `mask` takes out of the part.
    ///
    /// # Errors
    /// `Internal` only, for a photo of the size that this frame was made for.
    pub fn square(&self, photo: &Picture, mask: &Mask) -> Result<(Picture, Mask)> {
        let (from, to) = (self.shown, self.place);
        let sizes = (from.width(), from.height(), to.width(), to.height());
        let resized =
            |pixels: &[u8], kind| resample(sizes.0, sizes.1, pixels, kind, sizes.2, sizes.3);
        let rgb = resized(&from.rows(photo.rgb(), photo.width(), 3), PixelType::U8x3)?;
        let mask = mask.resized(photo.width(), photo.height())?;
        let covered = resized(&from.rows(mask.coverage(), photo.width(), 1), PixelType::U8)?;
        let picture = Picture::from_rgb(self.size, self.size, self.padded(&rgb, 3, 255))?;
        Ok((picture, Mask::new(self.size, self.size, self.padded(&covered, 1, 255))?))
    }

    /// Rows of the part's pixels in the square, `with` around them.
    fn padded(&self, pixels: &[u8], bytes: usize, with: u8) -> Vec<u8> {
        let (size, to) = (self.size as usize * bytes, self.place);
        let mut square = vec![with; size * self.size as usize];
        let columns = to.x0 as usize * bytes..to.x1 as usize * bytes;
        let rows = square.chunks_exact_mut(size).skip(to.y0 as usize);
        for (row, part) in rows.zip(pixels.chunks_exact(columns.len())) {
            row[columns.clone()].copy_from_slice(part);
        }
        square
    }
}
