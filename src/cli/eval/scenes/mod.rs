//! What a shopper meets: a thing in a photo among others, found again in the catalogue. On photos
//! whose things are marked, and on scenes made of the catalogue's own products.

mod annotations;
mod dots;
mod figure;
mod grounds;
mod made;
mod page;
mod photos;

use std::path::PathBuf;

use clap::ValueEnum;
use serde::Serialize;

use crate::area::Area;
use crate::cli::{files, values};
use crate::engine::Engine;
use crate::error::Result;
use crate::frame::{Crop, Shape};
use crate::image::Picture;
use crate::mask::Mask;
use crate::query::{self, Query};
use crate::things::thing_at;

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
    /// Shares of the photo that a product's box takes, with --synthetic; 0.1, 0.2 and 0.4 if not
    /// said.
    #[arg(long = "area", value_name = "SHARE", requires = "synthetic", value_parser = values::share)]
    areas: Vec<f64>,
    /// Hide this share of the product's box, from below, behind another product.
    #[arg(long, value_name = "SHARE", requires = "synthetic", conflicts_with = "dots", value_parser = values::share)]
    hidden: Option<f64>,
    /// Lay products whose picture has no plain ground over whole, as a rectangle, instead of leaving
    /// them out.
    #[arg(long, requires = "synthetic")]
    rectangles: bool,
    /// Ask with these alone, and not with every one that there is. May be repeated.
    #[arg(long = "view", value_name = "VIEW", value_enum)]
    views: Vec<View>,
    /// Count dots: how many of the products are marked, and how many bare grounds, for the first area.
    #[arg(long, requires = "synthetic", conflicts_with_all = ["views", "report"])]
    dots: bool,
    #[command(flatten)]
    crop: Cropping,
    /// Write a page with what was asked and found, pictures included.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Print one line of JSON; docs/scenes.md says what is in it.
    #[arg(long)]
    json: bool,
}

/// How *only this* is shown to the network, other than the engine does it.
#[derive(clap::Args)]
struct Cropping {
    /// Crop if what a mask leaves takes less than this share of the photo.
    #[arg(long, value_name = "SHARE", value_parser = values::share, default_value_t = Crop::default().below)]
    crop_below: f64,
    /// Grow what is shown to each side by this share of its longer side.
    #[arg(long, value_name = "SHARE", value_parser = values::share, default_value_t = Crop::default().margin)]
    crop_margin: f64,
    /// Fill the network's square with it, whatever becomes of its proportions.
    #[arg(long)]
    crop_squashed: bool,
}

impl From<&Cropping> for Crop {
    fn from(of: &Cropping) -> Self {
        let shape = if of.crop_squashed { Shape::Squashed } else { Shape::Kept };
        Self { below: of.crop_below, margin: of.crop_margin, shape }
    }
}

/// What is asked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
enum View {
    /// The whole photo.
    Whole,
    /// The photo with everything but the thing's box masked, as the engine sees it: *only this*.
    OnlyThis,
    /// The same without cropping.
    NotCropped,
    /// The thing's box, grown by the margin and cut out.
    Box,
    /// What a tap in the middle of the box selects, alone, as the page does it; nothing is found where it says that nothing
    /// stands out.
    Tap,
    /// *Only this*, and the same in a mirror: the mean of both embeddings.
    Mirrored,
    /// *Only this*, and the same with a box wider by a quarter to each side: the mean of both.
    Wider,
}

impl View {
    /// What is asked with if nothing is said.
    const USUAL: [Self; 4] = [Self::Whole, Self::NotCropped, Self::OnlyThis, Self::Box];

    const fn name(self) -> &'static str {
        match self {
            Self::Whole => "whole photo",
            Self::OnlyThis => "only this",
            Self::NotCropped => "not cropped",
            Self::Box => "box",
            Self::Tap => "tap",
            Self::Mirrored => "mirrored too",
            Self::Wider => "wider too",
        }
    }

    /// What is found first, as a shopper would see it who shows variants one by one. `place` is the
    /// box, grown.
    fn ask(self, engine: &mut Engine, crop: Crop, photo: &Picture, place: Area) -> Result<Answer> {
        engine.set_crop(if self == Self::NotCropped { Crop::NEVER } else { crop });
        let (w, h) = (photo.width(), photo.height());
        let similar = engine.manifest().scores.map(|scores| scores.similar);
        let only = |place: Area| Mask::only(place, w, h).map(Some);
        let mut looks: Vec<(Picture, Option<Mask>)> = vec![match self {
            Self::Whole => (photo.clone(), None),
            Self::Box => (place.cut(photo)?, None),
            Self::OnlyThis | Self::NotCropped | Self::Mirrored | Self::Wider => {
                (photo.clone(), only(place)?)
            }
            Self::Tap => {
                let middle = |from: u32, to: u32, of: u32| (from + to) as f32 / 2.0 / of as f32;
                let (x, y) = (middle(place.x0, place.x1, w), middle(place.y0, place.y1, h));
                let Some(thing) = thing_at(photo, x, y)? else {
                    let nothing_alike = similar.map(|_| true);
                    return Ok(Answer { rows: Vec::new(), nothing_alike });
                };
                (photo.clone(), Some(thing.mask.resized(w, h)?))
            }
        }];
        match self {
            Self::Mirrored => {
                let Area { x0, y0, x1, y1 } = place;
                looks.push((mirrored(photo)?, only(Area { x0: w - x1, y0, x1: w - x0, y1 })?));
            }
            Self::Wider => looks.push((photo.clone(), only(place.grown(WIDER, w, h))?)),
            Self::Whole | Self::NotCropped | Self::OnlyThis | Self::Box | Self::Tap => {}
        }
        let mut sum: Vec<f32> = Vec::new();
        for (photo, mask) in looks {
            engine.set_photo(photo)?;
            engine.set_mask(mask)?;
            // The whole, where nothing is masked.
            let seen = engine.embed(query::View::Masked)?.as_slice();
            sum.resize(seen.len(), 0.0);
            sum.iter_mut().zip(seen).for_each(|(sum, x)| *sum += x);
        }
        let query =
            Query { embedding: Some(sum), variants: true, k: Some(DEPTH), ..Query::default() };
        let hits = engine.search(&query)?;
        let best = hits.first().map_or(-1.0, |hit| hit.score);
        let nothing_alike = similar.map(|similar| best < similar);
        Ok(Answer { rows: hits.into_iter().map(|hit| hit.row).collect(), nothing_alike })
    }
}

/// By how much a box is grown in [`View::Wider`], as a share of its width and height.
const WIDER: f64 = 0.25;

/// What a question finds.
#[derive(Clone)]
struct Answer {
    /// Rows of products, best first.
    rows: Vec<u32>,
    /// Whether the page would say that there is nothing much like it; `None` where the index does
    /// not know what scores mean.
    nothing_alike: Option<bool>,
}

/// Left and right swapped.
fn mirrored(picture: &Picture) -> Result<Picture> {
    let (w, h) = (picture.width(), picture.height());
    let rows = picture.rgb().chunks_exact(w as usize * 3);
    let rgb = rows.flat_map(|row| row.rchunks_exact(3).flatten().copied()).collect();
    Picture::from_rgb(w, h, rgb)
}

/// Results that are looked at.
const DEPTH: usize = 10;

pub(super) fn run(args: &Args) -> Result<()> {
    if let Some(path) = &args.report {
        files::must_be_writable(path)?;
    }
    match (args.synthetic, args.dots) {
        (true, true) => dots::run(args),
        (true, false) => made::run(args),
        (false, _) => photos::run(args),
    }
}
