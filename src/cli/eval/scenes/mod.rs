//! What a shopper meets: a thing in a photo among others, found again in the catalogue. On photos
//! whose things are marked, and on scenes made of the catalogue's own products.

mod annotations;
mod figure;
mod grounds;
mod made;
mod page;
mod photos;

use std::path::PathBuf;

use crate::cli::{files, values};
use crate::engine::Engine;
use crate::error::Result;
use crate::image::Picture;
use crate::mask::Mask;
use crate::query::{Query, View};

#[derive(clap::Args)]
pub(super) struct Args {
    /// A folder of photos with an objects.json that says what is where in them; with --synthetic
    /// the catalogue that the index was built from.
    photos: PathBuf,
    /// A folder that `lookalike index` has written.
    #[arg(short, long)]
    index: PathBuf,
    /// Another index, to compare with on the same things: what was before.
    #[arg(long, value_name = "INDEX", conflicts_with = "synthetic")]
    against: Option<PathBuf>,
    /// How far a box is grown to each side, as a share of its width and height.
    #[arg(long, value_name = "SHARE", default_value_t = 0.1, value_parser = values::share)]
    margin: f64,
    /// Ask with the whole photo as well.
    #[arg(long, conflicts_with = "synthetic")]
    whole: bool,
    /// Make the scenes: products cut out of their plain ground, laid over other grounds.
    #[arg(long)]
    synthetic: bool,
    /// Photos to lay products over instead of grounds that are made here.
    #[arg(long, value_name = "FOLDER", requires = "synthetic")]
    grounds: Option<PathBuf>,
    /// How many products ask, with --synthetic; 0 takes all.
    #[arg(long, default_value_t = 70, value_parser = values::count(0..=1_000_000))]
    draws: usize,
    /// Which products, over which grounds, with --synthetic: another seed, other scenes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write a page with what was asked and found, pictures included.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Print one line of JSON; docs/scenes.md says what is in it.
    #[arg(long)]
    json: bool,
}

/// Results that are looked at.
const DEPTH: usize = 10;

pub(super) fn run(args: &Args) -> Result<()> {
    if let Some(path) = &args.report {
        files::must_be_writable(path)?;
    }
    if args.synthetic { made::run(args) } else { photos::run(args) }
}

/// Rows of the products that are found first for a picture, best first, as a shopper would see them
/// who shows variants one by one.
fn first(engine: &mut Engine, picture: Picture, mask: Option<Mask>) -> Result<Vec<u32>> {
    let view = if mask.is_some() { View::Masked } else { View::Whole };
    engine.set_photo(picture);
    engine.set_mask(mask)?;
    let query = Query { photo: Some(view), variants: true, k: Some(DEPTH), ..Query::default() };
    Ok(engine.search(&query)?.into_iter().map(|hit| hit.row).collect())
}

/// Pixels `x0..x1` and `y0..y1` of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rect {
    x0: u32,
    y0: u32,
    x1: u32,
    y1: u32,
}

impl Rect {
    /// The pixels of a `width` x `height` picture that a box touches; `None` if there are none.
    fn touched([x0, y0, x1, y1]: [f64; 4], width: u32, height: u32) -> Option<Self> {
        // A cast takes NaN to 0 and what is too large to the largest.
        let low = |v: f64, most: u32| (v.floor().max(0.0) as u32).min(most);
        let high = |v: f64, most: u32| (v.ceil().max(0.0) as u32).min(most);
        let rect = Self {
            x0: low(x0, width),
            y0: low(y0, height),
            x1: high(x1, width),
            y1: high(y1, height),
        };
        (rect.x0 < rect.x1 && rect.y0 < rect.y1).then_some(rect)
    }

    /// Grown to each side by a share of its own width and height.
    fn grown(self, share: f64, width: u32, height: u32) -> Self {
        let (w, h) = (f64::from(self.x1 - self.x0) * share, f64::from(self.y1 - self.y0) * share);
        let [x0, y0, x1, y1] = [self.x0, self.y0, self.x1, self.y1].map(f64::from);
        Self::touched([x0 - w, y0 - h, x1 + w, y1 + h], width, height).unwrap_or(self)
    }

    /// This part of a picture, which holds it.
    fn cut(self, picture: &Picture) -> Result<Picture> {
        let stride = picture.width() as usize * 3;
        let columns = self.x0 as usize * 3..self.x1 as usize * 3;
        let rows = picture.rgb().chunks_exact(stride);
        let rows = rows.skip(self.y0 as usize).take((self.y1 - self.y0) as usize);
        let rgb = rows.flat_map(|row| row[columns.clone()].iter().copied()).collect();
        Picture::from_rgb(self.x1 - self.x0, self.y1 - self.y0, rgb)
    }

    /// A mask that leaves nothing but this of a `width` x `height` picture.
    fn only(self, width: u32, height: u32) -> Result<Mask> {
        let inside = |at: u32| {
            (self.x0..self.x1).contains(&(at % width)) && (self.y0..self.y1).contains(&(at / width))
        };
        Mask::new(
            width,
            height,
            (0..width * height).map(|at| u8::from(!inside(at)) * 255).collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_are_clipped_and_grown_within_the_photo() {
        let rect = |x0, y0, x1, y1| Rect { x0, y0, x1, y1 };
        assert_eq!(Rect::touched([-3.0, 2.2, 9.9, 99.0], 20, 30), Some(rect(0, 2, 10, 30)));
        for nothing in [[5.0, 5.0, 5.0, 9.0], [25.0, 0.0, 30.0, 9.0], [9.0, 9.0, 3.0, 3.0]] {
            assert_eq!(Rect::touched(nothing, 20, 30), None, "{nothing:?}");
        }
        assert_eq!(Rect::touched([f64::NAN; 4], 20, 30), None);
        assert_eq!(rect(5, 10, 15, 30).grown(0.1, 20, 30), rect(4, 8, 16, 30));
        assert_eq!(rect(5, 10, 15, 30).grown(0.0, 20, 30), rect(5, 10, 15, 30));
    }

    #[test]
    fn what_is_cut_out_is_what_the_mask_leaves() {
        let pixels: Vec<u8> = (0..20 * 10 * 3).map(|i| (i % 251) as u8).collect();
        let picture = Picture::from_rgb(20, 10, pixels).unwrap();
        let rect = Rect { x0: 3, y0: 2, x1: 7, y1: 9 };
        let part = rect.cut(&picture).unwrap();
        assert_eq!((part.width(), part.height()), (4, 7));
        assert_eq!(part.rgb()[..3], picture.rgb()[(2 * 20 + 3) * 3..][..3]);
        let mask = rect.only(20, 10).unwrap();
        assert!((mask.kept() - 28.0 / 200.0).abs() < 1e-6);
        assert_eq!((mask.coverage()[2 * 20 + 3], mask.coverage()[2 * 20 + 7]), (0, 255));
    }
}
