//! Parts of pictures: rectangles of pixels, and of fractions.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::image::Picture;

/// A part of a picture, in fractions of its width and height: 0, 0 is its upper left corner.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rect {
    /// Left.
    pub x0: f32,
    /// Top.
    pub y0: f32,
    /// Right.
    pub x1: f32,
    /// Bottom.
    pub y1: f32,
}

impl Rect {
    /// All of it.
    pub const WHOLE: Self = Self { x0: 0.0, y0: 0.0, x1: 1.0, y1: 1.0 };

    /// What it takes of the picture.
    #[must_use]
    pub fn area(self) -> f32 {
        (self.x1 - self.x0).max(0.0) * (self.y1 - self.y0).max(0.0)
    }

    /// What both take of the picture.
    #[must_use]
    pub fn common(self, other: Self) -> f32 {
        Self {
            x0: self.x0.max(other.x0),
            y0: self.y0.max(other.y0),
            x1: self.x1.min(other.x1),
            y1: self.y1.min(other.y1),
        }
        .area()
    }

    /// Intersection over union, 0 to 1.
    #[must_use]
    pub fn overlap(self, other: Self) -> f32 {
        let both = self.common(other);
        let either = self.area() + other.area() - both;
        if either > 0.0 { both / either } else { 0.0 }
    }
}

/// Pixels `x0..x1` and `y0..y1` of a picture, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area {
    /// The first column.
    pub x0: u32,
    /// The first row.
    pub y0: u32,
    /// The column after the last.
    pub x1: u32,
    /// The row after the last.
    pub y1: u32,
}

impl Area {
    /// The pixels of a `width` x `height` picture that a box touches; `None` if there are none.
    #[must_use]
    pub fn touched([x0, y0, x1, y1]: [f64; 4], width: u32, height: u32) -> Option<Self> {
        // A cast takes NaN to 0 and what is too large to the largest.
        let low = |v: f64, most: u32| (v.floor().max(0.0) as u32).min(most);
        let high = |v: f64, most: u32| (v.ceil().max(0.0) as u32).min(most);
        let area = Self {
            x0: low(x0, width),
            y0: low(y0, height),
            x1: high(x1, width),
            y1: high(y1, height),
        };
        (area.x0 < area.x1 && area.y0 < area.y1).then_some(area)
    }

    /// Columns.
    #[must_use]
    pub const fn width(self) -> u32 {
        self.x1 - self.x0
    }

    /// Rows.
    #[must_use]
    pub const fn height(self) -> u32 {
        self.y1 - self.y0
    }

    /// Grown to each side by a share of its own width and height, within a picture.
    #[must_use]
    pub fn grown(self, share: f64, width: u32, height: u32) -> Self {
        let (w, h) = (f64::from(self.width()) * share, f64::from(self.height()) * share);
        let [x0, y0, x1, y1] = [self.x0, self.y0, self.x1, self.y1].map(f64::from);
        Self::touched([x0 - w, y0 - h, x1 + w, y1 + h], width, height).unwrap_or(self)
    }

    /// This part of a picture, which holds it.
    ///
    /// # Errors
    /// `BadPicture` if it does not.
    pub fn cut(self, picture: &Picture) -> Result<Picture> {
        let rgb = self.rows(picture.rgb(), picture.width(), 3);
        Picture::from_rgb(self.width(), self.height(), rgb)
    }

    /// Its part of rows of `width` pixels, `bytes` bytes each.
    pub(crate) fn rows(self, pixels: &[u8], width: u32, bytes: usize) -> Vec<u8> {
        let columns = self.x0 as usize * bytes..self.x1 as usize * bytes;
        let rows = pixels.chunks_exact(width as usize * bytes);
        let rows = rows.skip(self.y0 as usize).take(self.height() as usize);
        rows.flat_map(|row| row[columns.clone()].iter().copied()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_are_clipped_and_grown_within_the_photo() {
        let rect = |x0, y0, x1, y1| Area { x0, y0, x1, y1 };
        assert_eq!(Area::touched([-3.0, 2.2, 9.9, 99.0], 20, 30), Some(rect(0, 2, 10, 30)));
        for nothing in [[5.0, 5.0, 5.0, 9.0], [25.0, 0.0, 30.0, 9.0], [9.0, 9.0, 3.0, 3.0]] {
            assert_eq!(Area::touched(nothing, 20, 30), None, "{nothing:?}");
        }
        assert_eq!(Area::touched([f64::NAN; 4], 20, 30), None);
        assert_eq!(rect(5, 10, 15, 30).grown(0.1, 20, 30), rect(4, 8, 16, 30));
        assert_eq!(rect(5, 10, 15, 30).grown(0.0, 20, 30), rect(5, 10, 15, 30));
    }

    #[test]
    fn a_part_is_cut_out() {
        let pixels: Vec<u8> = (0..20 * 10 * 3).map(|i| (i % 251) as u8).collect();
        let picture = Picture::from_rgb(20, 10, pixels).unwrap();
        let rect = Area { x0: 3, y0: 2, x1: 7, y1: 9 };
        let part = rect.cut(&picture).unwrap();
        assert_eq!((part.width(), part.height()), (4, 7));
        assert_eq!(part.rgb()[..3], picture.rgb()[(2 * 20 + 3) * 3..][..3]);
    }
}
