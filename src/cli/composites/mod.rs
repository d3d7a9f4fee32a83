//! Copies of products over other grounds, as they stand in photos from life, for the projection to
//! learn from. Each is made from the content of the product's picture alone, so that every run makes
//! the same ones and remembers what the network sees in them.

mod grounds;
mod textures;

use std::cell::LazyCell;
use std::path::PathBuf;

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::cutout::CutOut;
use super::lesson::Networks;
use super::output;
use super::pictures::Pictures;
use super::progress::Progress;
use super::random::{Dice, mixed};
use super::state::{PictureId, State};
use crate::catalog::Product;
use crate::error::Result;
use crate::image::Picture;
pub(super) use grounds::Grounds;

/// Side of a copy in pixels; networks see it resized to their own input.
const SIDE: u32 = 320;
/// More copies say nothing new, and each takes an embedding.
const MOST: usize = 6000;
/// Of fewer products nothing could be held out to check what copies teach.
const FEWEST: usize = 40;
/// Grounds without any product, for which nothing should be found.
const BARE: usize = 60;
/// Raised by whoever changes how copies are made.
const VERSION: u8 = 1;

#[derive(clap::Args, Clone)]
pub(super) struct Args {
    /// Copies of each product over other grounds to learn from, so that products are found in photos
    /// from life: each takes as long as a picture. At most 6000 are made in all; 0 makes none.
    #[arg(long, default_value_t = 2, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=16))]
    pub(super) composites: u8,
    /// Photos without products to lay the copies over, such as empty rooms; without it over textures
    /// that are made up.
    #[arg(long, value_name = "FOLDER")]
    pub(super) grounds: Option<PathBuf>,
}

impl Args {
    /// None at all.
    pub(super) fn none() -> Self {
        Self { composites: 0, grounds: None }
    }
}

/// What the own network sees in the copies.
#[derive(Clone, Default)]
pub(super) struct Copies {
    /// The product of each.
    pub(super) of: Vec<u32>,
    /// As many, `[copies][sum of the layers' dims]`.
    pub(super) pooled: Vec<Vec<f32>>,
    /// Of grounds without a product.
    pub(super) bare: Vec<Vec<f32>>,
}

impl Copies {
    /// Of the products' main pictures, `ids` being theirs. Pictures that show nothing that could be
    /// cut out, such as white ones, have none.
    pub(super) fn view(
        networks: &Networks,
        (products, ids): (&[&Product], &[PictureId]),
        (pictures, state): (&Pictures, Option<&State>),
        grounds: &Grounds,
        count: u8,
    ) -> Result<Self> {
        if count == 0 || products.len() < FEWEST {
            return Ok(Self::default());
        }
        let wanted = chosen(ids, count);
        let bar = Progress::new(wanted.len() * usize::from(count), "composites");
        let seen: Vec<Vec<(u32, Vec<f32>)>> = wanted
            .par_iter()
            .map(|&product| {
                let id = ids[product as usize];
                // Cut out once for all copies, and not at all if these are remembered.
                let cut = LazyCell::new(|| {
                    let (_, picture) = pictures.main(products[product as usize]).ok()?;
                    CutOut::new(&picture, true)
                });
                let mut all = Vec::new();
                for copy in 0..count {
                    let look = see(networks, state, grounds, (id, copy), &cut)?;
                    if let Some(features) = look {
                        all.push((product, features));
                    }
                    bar.inc(1);
                }
                Ok(all)
            })
            .collect::<Result<_>>()?;
        let bare: Vec<Vec<f32>> = (0..BARE as u64)
            .into_par_iter()
            .map(|n| {
                let id = grounds.id(mixed(n));
                let id = PictureId(hash(&[b"bare", &n.to_le_bytes(), &id]));
                remembered(networks, state, id, || grounds.picture(mixed(n)).map(Some))
            })
            .filter_map(Result::transpose)
            .collect::<Result<_>>()?;
        bar.finish();
        let nothing = seen.iter().filter(|copies| copies.is_empty()).count();
        if nothing > 0 {
            output::remark(format_args!(
                "note: {nothing} pictures show nothing that could be laid over another ground"
            ));
        }
        let (of, pooled) = seen.into_iter().flatten().unzip();
        Ok(Self { of, pooled, bare })
    }
}

/// The products that copies are made of, ascending: those whose pictures' hashes are least, so that
/// others seldom change the choice.
fn chosen(ids: &[PictureId], count: u8) -> Vec<u32> {
    let mut order: Vec<u32> = (0..ids.len() as u32).collect();
    order.sort_by_key(|&product| ids[product as usize]);
    order.truncate(MOST / usize::from(count));
    order.sort_unstable();
    order
}

fn see<F: FnOnce() -> Option<CutOut>>(
    networks: &Networks,
    state: Option<&State>,
    grounds: &Grounds,
    (id, copy): (PictureId, u8),
    cut: &LazyCell<Option<CutOut>, F>,
) -> Result<Option<Vec<f32>>> {
    let seed = seed(id, copy);
    let key = hash(&[b"copy", &[VERSION, copy], &id.0, &grounds.id(seed)]);
    remembered(networks, state, PictureId(key), || match &**cut {
        Some(cut) => composite(cut, &grounds.picture(seed)?, seed).map(Some),
        None => Ok(None),
    })
}

/// What the own network sees in a picture, made only where that is not remembered.
fn remembered(
    networks: &Networks,
    state: Option<&State>,
    id: PictureId,
    picture: impl FnOnce() -> Result<Option<Picture>>,
) -> Result<Option<Vec<f32>>> {
    if let Some(features) = state.and_then(|state| networks.own_remembered(state, id)) {
        return Ok(Some(features));
    }
    let Some(picture) = picture()? else { return Ok(None) };
    let features = networks.own_look(&picture)?;
    if let Some(state) = state {
        networks.own_remember(state, id, &features)?;
    }
    Ok(Some(features))
}

fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}

fn seed(id: PictureId, copy: u8) -> u64 {
    let first = id.0.first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    mixed(first ^ u64::from(copy))
}

/// A product over a ground, nearly in its middle, as a box around it shows it: 0.55 to 1.15 of the
/// frame, turned from left to right or not, under a light of another strength and colour.
fn composite(cut: &CutOut, ground: &Picture, seed: u64) -> Result<Picture> {
    let mut dice = Dice(mixed(seed));
    let longer = cut.width().max(cut.height()) as f32;
    let scale = dice.roll(0.55, 1.15) * SIDE as f32 / longer;
    let side = |x: u32| ((x as f32 * scale).round() as u32).max(1);
    let light = dice.roll(0.75, 1.2);
    let tint = [0; 3].map(|_| light * dice.roll(0.9, 1.1));
    let cut = cut.resized(side(cut.width()), side(cut.height()))?.lit(tint);
    let cut = if dice.roll(0.0, 1.0) < 0.5 { cut.mirrored() } else { cut };
    let mut place = |side: u32| {
        let middle = (SIDE as f32 - side as f32) / 2.0;
        (middle + dice.roll(-0.08, 0.08) * SIDE as f32).round() as i64
    };
    let (left, top) = (place(cut.width()), place(cut.height()));
    cut.over(ground, left, top)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A red square on white.
    fn product() -> CutOut {
        let inside = |i: u32| (20..80).contains(&(i % 100)) && (30..70).contains(&(i / 100));
        let rgb = (0..10_000).flat_map(|i| if inside(i) { [200, 10, 10] } else { [255; 3] });
        CutOut::new(&Picture::from_rgb(100, 100, rgb.collect()).unwrap(), true).unwrap()
    }

    #[test]
    fn copies_repeat_differ_and_show_the_product_in_their_middle() {
        let grounds = Grounds::open(None).unwrap();
        let of = |seed: u64| composite(&product(), &grounds.picture(seed).unwrap(), seed).unwrap();
        for seed in 0..20 {
            let (one, again) = (of(seed), of(seed));
            assert!(one.rgb() == again.rgb());
            assert!(one.rgb() != of(seed + 1).rgb());
            let middle = (SIDE / 2 * SIDE + SIDE / 2) as usize * 3;
            let [r, g, b] = one.rgb()[middle..middle + 3] else { panic!() };
            assert!(r > 110 && g < 20 && b < 20, "{seed}: {r} {g} {b}");
            // What was its ground is another now.
            assert!(!one.rgb().chunks_exact(3).take(SIDE as usize).all(|pixel| pixel == [255; 3]));
        }
    }

    #[test]
    fn of_many_products_the_same_are_chosen_whatever_comes_besides() {
        let id = |n: u32| PictureId(hash(&[&n.to_le_bytes()]));
        let ids: Vec<PictureId> = (0..5000).map(id).collect();
        let chosen = |ids: &[PictureId]| chosen(ids, 2);
        assert_eq!(chosen(&ids[..2900]).len(), 2900);
        let (few, many) = (chosen(&ids[..4990]), chosen(&ids));
        assert_eq!((few.len(), many.len()), (3000, 3000));
        let kept = few.iter().filter(|product| many.contains(product)).count();
        assert!(kept >= 2990, "{kept}");
    }
}
