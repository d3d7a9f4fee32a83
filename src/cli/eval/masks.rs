//! Whether a mask brings a product's neighbours back: another product is pasted beside it or over
//! it, and masked.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use rayon::prelude::*;
use serde::Serialize;

use super::stage::{Place, Scene, set};
use crate::catalog::Product;
use crate::cli::catalogue::{self, Catalogue, Pictures};
use crate::cli::progress::Progress;
use crate::cli::random::shuffled;
use crate::cli::{files, output, values};
use crate::embedding::Embedding;
use crate::engine::{EF_SEARCH, Engine};
use crate::error::{Error, ErrorKind, Result};
use crate::frame::Crop;
use crate::image::Picture;
use crate::index::Index;
use crate::mask::{Fill, Mask};
use crate::model::Network;

#[derive(clap::Args)]
pub(super) struct Args {
    /// The catalogue that the index was built from: its pictures.
    catalog: PathBuf,
    /// A folder that `lookalike index` has written from it.
    #[arg(short, long)]
    index: PathBuf,
    /// Where the other product is pasted; both if not said.
    #[arg(long, value_enum)]
    place: Option<Where>,
    /// How many products ask, each with another pasted; 0 takes all.
    #[arg(long, default_value_t = 70, value_parser = values::count(0..=1_000_000))]
    draws: usize,
    /// Which products, and which others: another seed, other pairs.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How far beyond the other product's outline the mask reaches, in pixels of the network's
    /// input.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(0..=1000))]
    grow: u32,
    /// Print JSON: [{"place", "fill", "pooling", "recall_at_10", ...}].
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Where {
    /// At half size over the lower right of the product's picture.
    Over,
    /// To the right of the product, which is made smaller for it and hidden nowhere.
    Beside,
}

/// Neighbours that are to come back.
const DEPTH: usize = 10;

/// What is done about the pasted product.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    /// Nothing is pasted.
    Clean,
    /// It is pasted, and not masked.
    Unmasked,
    /// It is masked: what its pixels are replaced with, and whether the pooling passes over it.
    Masked(Fill, Pooling),
    /// All but the product is masked, as *only this* does; what is left is shown larger, or not.
    Only(Selected, Crop),
}

/// What of the product is selected.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Selected {
    /// Its outline, as far as it can be seen.
    Outline,
    /// The box around it, hidden or not.
    Box,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Pooling {
    /// Every cell counts the same.
    Plain,
    /// A cell counts as much as the mask leaves of it, in each layer at its own resolution.
    Coverage,
}

/// What one query of a way found.
struct Found {
    /// The best ten rows, through the graph.
    best: Vec<u32>,
    /// The place of the product itself among all, 1 being the best.
    rank: usize,
}

/// Means over the draws; shares are 0 to 1.
#[derive(Debug, Serialize)]
struct Row {
    place: &'static str,
    fill: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pooling: Option<Pooling>,
    /// Share of the clean query's best 10 that are among the best 10.
    recall_at_10: f64,
    /// Its standard error over the draws.
    recall_error: f64,
    /// The same without the product itself.
    neighbours: f64,
    /// Share of the draws in which the product itself comes first.
    first: f64,
    /// The place of the product itself: the median of the draws.
    rank_median: usize,
    /// Its mean.
    rank_mean: f64,
    draws: usize,
}

fn ways() -> Vec<Way> {
    let masked = [Pooling::Plain, Pooling::Coverage]
        .into_iter()
        .flat_map(|pooling| Fill::ALL.map(|fill| Way::Masked(fill, pooling)))
        // Neither filled nor passed over: not masked.
        .filter(|way| *way != Way::Masked(Fill::Keep, Pooling::Plain));
    let only = [Selected::Outline, Selected::Box]
        .into_iter()
        .flat_map(|selected| [Crop::NEVER, Crop::default()].map(|crop| Way::Only(selected, crop)));
    [Way::Clean, Way::Unmasked].into_iter().chain(masked).chain(only).collect()
}

pub(super) fn run(args: &Args) -> Result<()> {
    let engine = files::open_engine(&args.index)?;
    let shown = shown(&args.catalog, &args.index, &engine)?;
    let pairs = pairs(shown.rows.len(), args.draws, args.seed)?;
    let places = match args.place {
        Some(Where::Over) => &[Place::Over][..],
        Some(Where::Beside) => &[Place::Beside],
        None => &[Place::Over, Place::Beside],
    };
    let ways = ways();
    let bar = Progress::new(places.len() * pairs.len(), "asking");
    let mut table = Vec::new();
    for &place in places {
        let found: Vec<Vec<Found>> = pairs
            .par_iter()
            .map(|&(product, other)| {
                let size = network(&engine)?.spec().input.size;
                let scene =
                    set(&shown.picture(product)?, &shown.picture(other)?, place, size, args.grow)?;
                let answers =
                    ways.iter().map(|&way| ask(&engine, &scene, way, shown.rows[product]));
                let answers = answers.collect::<Result<Vec<_>>>();
                bar.inc(1);
                answers
            })
            .collect::<Result<_>>()?;
        for (at, &way) in ways.iter().enumerate() {
            let each = found.iter().zip(&pairs).map(|(of, &(product, _))| {
                // The clean query is the first way.
                (&of[0], &of[at], shown.rows[product])
            });
            table.push(summary(place, way, each.collect()));
        }
    }
    bar.finish();
    print(args, &table)
}

/// The products of a catalogue that an index holds.
pub(super) struct Shown {
    products: Vec<Product>,
    pictures: Pictures,
    /// Their rows in the index.
    pub(super) rows: Vec<u32>,
}

impl Shown {
    /// A product's main picture.
    pub(super) fn picture(&self, at: usize) -> Result<Picture> {
        Ok(self.pictures.main(&self.products[at])?.1)
    }
}

/// Finds the products of `catalog` in the index.
pub(super) fn shown(catalog: &Path, index: &Path, engine: &Engine) -> Result<Shown> {
    let products = engine.products().ok_or_else(unloaded)?;
    let Catalogue { items, pictures, .. } = catalogue::read(catalog, &catalogue::Args::default())?;
    let known: Vec<(Product, u32)> = items
        .into_iter()
        .filter_map(|item| {
            let row = products.row(&item.product.id).ok()?;
            Some((item.product, row))
        })
        .collect();
    if known.len() < products.len() {
        return Err(Error::new(
            ErrorKind::Mismatch,
            format!(
                "{} has {} of the {} products of {}: give the catalogue that the index was built \
                 from",
                catalog.display(),
                known.len(),
                products.len(),
                index.display()
            ),
        ));
    }
    let (products, rows) = known.into_iter().unzip();
    Ok(Shown { products, pictures, rows })
}

/// Who asks, and who is pasted: both in an order that the seed gives.
pub(super) fn pairs(count: usize, draws: usize, seed: u64) -> Result<Vec<(usize, usize)>> {
    if count < 2 {
        return Err(Error::new(ErrorKind::BadCatalog, "one product cannot be in another's way"));
    }
    let (asking, pasted) = (shuffled(count, 2 * seed), shuffled(count, 2 * seed + 1));
    let wanted = if draws == 0 { count } else { draws.min(count) };
    let pairs = asking.into_iter().zip(&pasted).enumerate().take(wanted);
    Ok(pairs
        .map(|(i, (product, &other))| {
            (product, if other == product { pasted[(i + 1) % count] } else { other })
        })
        .collect())
}

fn network(engine: &Engine) -> Result<&Network> {
    engine.network().ok_or_else(unloaded)
}

fn unloaded() -> Error {
    Error::new(ErrorKind::Internal, "the engine did not load its files")
}

fn ask(engine: &Engine, scene: &Scene, way: Way, row: u32) -> Result<Found> {
    let index = engine.index().ok_or_else(unloaded)?;
    let network = network(engine)?;
    let embed = |picture: &Picture, mask: Option<&Mask>| -> Result<Embedding> {
        index.projection().apply(&network.run(picture)?.pool(mask)?)
    };
    let query = match way {
        Way::Clean => embed(&scene.clean, None)?,
        Way::Unmasked => embed(&scene.pasted, None)?,
        Way::Masked(fill, pooling) => {
            let filled = scene.mask.fill(&scene.pasted, fill)?;
            embed(&filled, (pooling == Pooling::Coverage).then_some(&scene.mask))?
        }
        Way::Only(selected, crop) => {
            let (size, pasted) = (scene.pasted.width(), &scene.pasted);
            let mask = match selected {
                Selected::Outline => scene.only.clone(),
                Selected::Box => Mask::only(scene.area, size, size)?,
            };
            let (picture, mask) = match crop.frame(size, size, &mask, size) {
                Some(frame) => frame.square(pasted, &mask)?,
                None => (pasted.clone(), mask),
            };
            embed(&mask.fill(&picture, Fill::default())?, Some(&mask))?
        }
    };
    let best = index.search(&query, DEPTH, EF_SEARCH)?.into_iter().map(|n| n.product).collect();
    Ok(Found { best, rank: rank(index, &query, row)? })
}

/// The place of a row among all, by an exact scan.
fn rank(index: &Index, query: &Embedding, row: u32) -> Result<usize> {
    let all = index.search_exact(query, index.products(), |_| true)?;
    Ok(all.iter().position(|n| n.product == row).map_or(index.products(), |at| at + 1))
}

/// `each`: what the clean query found, what this way found, and the product's row.
fn summary(place: Place, way: Way, each: Vec<(&Found, &Found, u32)>) -> Row {
    let share = |wanted: &mut dyn Iterator<Item = &u32>, found: &Found| {
        let (mut all, mut hits) = (0u32, 0u32);
        for row in wanted {
            all += 1;
            hits += u32::from(found.best.contains(row));
        }
        f64::from(hits) / f64::from(all.max(1))
    };
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let recalls: Vec<f64> =
        each.iter().map(|(clean, found, _)| share(&mut clean.best.iter(), found)).collect();
    let neighbours: Vec<f64> = each
        .iter()
        .map(|(clean, found, own)| share(&mut clean.best.iter().filter(|r| *r != own), found))
        .collect();
    let mut ranks: Vec<usize> = each.iter().map(|(_, found, _)| found.rank).collect();
    ranks.sort_unstable();
    let recall = mean(&recalls);
    let squares: Vec<f64> = recalls.iter().map(|r| (r - recall).powi(2)).collect();
    let (fill, pooling) = match way {
        Way::Clean => ("clean photo", None),
        Way::Unmasked => ("no mask", None),
        Way::Masked(fill, pooling) => (fill.name(), Some(pooling)),
        Way::Only(selected, crop) => {
            let name = match (selected, crop == Crop::NEVER) {
                (Selected::Outline, true) => "only this",
                (Selected::Outline, false) => "only this, cropped",
                (Selected::Box, true) => "box",
                (Selected::Box, false) => "box, cropped",
            };
            (name, Some(Pooling::Coverage))
        }
    };
    Row {
        place: place.name(),
        fill,
        pooling,
        recall_at_10: recall,
        recall_error: (mean(&squares) / each.len().max(1) as f64).sqrt(),
        neighbours: mean(&neighbours),
        first: ranks.iter().filter(|r| **r == 1).count() as f64 / ranks.len().max(1) as f64,
        rank_median: ranks.get(ranks.len() / 2).copied().unwrap_or(0),
        rank_mean: ranks.iter().sum::<usize>() as f64 / ranks.len().max(1) as f64,
        draws: each.len(),
    }
}

fn print(args: &Args, table: &[Row]) -> Result<()> {
    if args.json {
        return output::json(table);
    }
    output::line(format_args!(
        "{:<7} {:<18} {:<9} {:>9} {:>6} {:>10} {:>6} {:>7} {:>7}",
        "place", "fill", "pooling", "recall@10", "+-", "neighbours", "first", "median", "mean"
    ))?;
    for row in table {
        let pooling = match row.pooling {
            None => "",
            Some(Pooling::Plain) => "plain",
            Some(Pooling::Coverage) => "coverage",
        };
        output::line(format_args!(
            "{:<7} {:<18} {pooling:<9} {:>9.3} {:>6.3} {:>10.3} {:>6.3} {:>7} {:>7.1}",
            row.place,
            row.fill,
            row.recall_at_10,
            row.recall_error,
            row.neighbours,
            row.first,
            row.rank_median,
            row.rank_mean
        ))?;
    }
    if let Some(row) = table.first() {
        output::line(format_args!("{} draws", row.draws))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_in_the_way_of_oneself_and_seeds_differ() {
        for count in [2, 3, 70] {
            let pairs = pairs(count, 0, 1).unwrap();
            assert_eq!(pairs.len(), count);
            assert!(pairs.iter().all(|(a, b)| a != b && *b < count), "{pairs:?}");
        }
        assert_eq!(pairs(70, 5, 1).unwrap().len(), 5);
        assert_eq!(pairs(70, 5, 1).unwrap(), pairs(70, 5, 1).unwrap());
        assert_ne!(pairs(70, 5, 1).unwrap(), pairs(70, 5, 2).unwrap());
        assert_eq!(pairs(1, 5, 1).unwrap_err().kind(), ErrorKind::BadCatalog);
    }

    #[test]
    fn shares_count_what_they_say() {
        let clean = Found { best: vec![7, 1, 2, 3], rank: 1 };
        let found = Found { best: vec![7, 1, 9, 8], rank: 4 };
        let gone = Found { best: vec![5, 6], rank: 9 };
        let row =
            summary(Place::Over, Way::Unmasked, vec![(&clean, &found, 7), (&clean, &gone, 7)]);
        assert_eq!((row.recall_at_10, row.first, row.rank_median), (0.25, 0.0, 9));
        assert!((row.neighbours - 1.0 / 6.0).abs() < 1e-9);
        assert_eq!((row.rank_mean, row.draws), (6.5, 2));
    }

    #[test]
    fn every_fill_is_measured_alone_and_with_the_pooling() {
        let ways = ways();
        assert_eq!(ways.len(), 2 + 5 + 6 + 4);
        assert!(ways.contains(&Way::Masked(Fill::default(), Pooling::Coverage)));
    }
}
