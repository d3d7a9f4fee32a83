//! What lies along the walk from the whole to the masked photo, and beyond either end.

use std::path::PathBuf;

use rayon::prelude::*;
use serde::Serialize;

use super::masks::{pairs, shown};
use super::stage::{Place, set};
use crate::cli::progress::Progress;
use crate::cli::{files, output, values};
use crate::embedding::Embedding;
use crate::engine::pooled_features;
use crate::error::{Error, ErrorKind, Result};
use crate::index::Index;

#[derive(clap::Args)]
pub(super) struct Args {
    /// The catalogue that the index was built from: its pictures.
    catalog: PathBuf,
    /// A folder that `lookalike index` has written from it.
    #[arg(short, long)]
    index: PathBuf,
    /// How many products ask, each with another pasted beside it and one over it; 0 takes all.
    #[arg(long, default_value_t = 70, value_parser = values::count(0..=1_000_000))]
    draws: usize,
    /// Which products, and which others: another seed, other pairs.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print JSON: [{"t", "course", "masked", "whole", "clean", "product"}].
    #[arg(long)]
    json: bool,
}

/// Results that are looked at.
const DEPTH: usize = 10;
/// How far the mask reaches beyond what it covers, in pixels of the network's input.
const GROW: u32 = 4;
const STEPS: [f32; 9] = [-0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5];

/// How the two ends are joined.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Course {
    /// Along the great circle, as the engine does.
    Spherical,
    /// Along the straight line, renormalised.
    Linear,
}

impl Course {
    fn at(self, whole: &Embedding, masked: &Embedding, t: f32) -> Result<Embedding> {
        match self {
            Self::Spherical => whole.walk(masked, t),
            Self::Linear => whole.moved(&whole.direction_to(masked)?, t),
        }
    }
}

/// One photo: its ends, and what the product's own photo, with nothing pasted, finds.
struct Scene {
    whole: Embedding,
    masked: Embedding,
    clean: Vec<u32>,
    product: u32,
}

/// Means over the photos, shares of the first ten.
#[derive(Serialize)]
struct Row {
    course: Course,
    t: f32,
    /// What the masked photo finds.
    masked: f64,
    /// What the whole photo finds.
    whole: f64,
    /// What the product alone would have found.
    clean: f64,
    /// How often the product itself is among them.
    product: f64,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let engine = files::open_engine(&args.index)?;
    let (Some(index), Some(network)) = (engine.index(), engine.network()) else {
        return Err(Error::new(ErrorKind::Internal, "the engine did not load its files"));
    };
    let shown = shown(&args.catalog, &args.index, &engine)?;
    let pairs = pairs(shown.rows.len(), args.draws, args.seed)?;
    let bar = Progress::new(2 * pairs.len(), "looking");
    let jobs: Vec<(usize, usize, Place)> = pairs
        .into_iter()
        .flat_map(|(a, b)| [Place::Over, Place::Beside].map(|place| (a, b, place)))
        .collect();
    let scenes: Vec<Scene> = jobs
        .par_iter()
        .map(|&(product, other, place)| {
            let size = network.spec().input.size;
            let staged = set(&shown.picture(product)?, &shown.picture(other)?, place, size, GROW)?;
            let embed =
                |picture, mask| index.projection().apply(&pooled_features(network, picture, mask)?);
            let scene = Scene {
                whole: embed(&staged.pasted, None)?,
                masked: embed(&staged.pasted, Some(&staged.mask))?,
                clean: nearest(index, &embed(&staged.clean, None)?)?,
                product: shown.rows[product],
            };
            bar.inc(1);
            Ok(scene)
        })
        .collect::<Result<_>>()?;
    bar.finish();
    let mut table = Vec::new();
    for course in [Course::Spherical, Course::Linear] {
        for t in STEPS {
            table.push(row(index, &scenes, course, t)?);
        }
    }
    if args.json {
        return output::json(&table);
    }
    output::line(format_args!("{} photos; shares of the first {DEPTH}", scenes.len()))?;
    output::line(format_args!(
        "{:<10} {:>6} {:>7} {:>7} {:>7} {:>8}",
        "", "t", "masked", "whole", "clean", "product"
    ))?;
    for Row { course, t, masked, whole, clean, product } in table {
        let name = match course {
            Course::Spherical => "spherical",
            Course::Linear => "linear",
        };
        output::line(format_args!(
            "{name:<10} {t:>6.2} {masked:>7.3} {whole:>7.3} {clean:>7.3} {product:>8.3}"
        ))?;
    }
    Ok(())
}

fn nearest(index: &Index, at: &Embedding) -> Result<Vec<u32>> {
    Ok(index.search_exact(at, DEPTH, |_| true)?.into_iter().map(|n| n.product).collect())
}

fn row(index: &Index, scenes: &[Scene], course: Course, t: f32) -> Result<Row> {
    let each = scenes
        .par_iter()
        .map(|scene| {
            let found = nearest(index, &course.at(&scene.whole, &scene.masked, t)?)?;
            let share = |of: &[u32]| {
                found.iter().filter(|row| of.contains(row)).count() as f64 / DEPTH as f64
            };
            Ok([
                share(&nearest(index, &scene.masked)?),
                share(&nearest(index, &scene.whole)?),
                share(&scene.clean),
                f64::from(u8::from(found.contains(&scene.product))),
            ])
        })
        .collect::<Result<Vec<_>>>()?;
    let mean = |at: usize| each.iter().map(|v| v[at]).sum::<f64>() / each.len().max(1) as f64;
    Ok(Row { course, t, masked: mean(0), whole: mean(1), clean: mean(2), product: mean(3) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_courses_end_where_they_should() {
        let e = |v: &[f32]| Embedding::new(v.to_vec()).unwrap();
        let (whole, masked) = (e(&[1.0, 0.2, 0.0]), e(&[0.1, 1.0, 0.5]));
        for course in [Course::Spherical, Course::Linear] {
            assert!(course.at(&whole, &masked, 0.0).unwrap().dot(&whole).unwrap() > 0.9999);
            assert!(course.at(&whole, &masked, 1.0).unwrap().dot(&masked).unwrap() > 0.9999);
        }
        let beyond = |course: Course| course.at(&whole, &masked, 1.5).unwrap();
        let apart = beyond(Course::Spherical).dot(&beyond(Course::Linear)).unwrap();
        assert!(apart < 0.999, "beyond the ends they differ: {apart}");
    }
}
