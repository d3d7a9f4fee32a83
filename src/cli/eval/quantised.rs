//! What quantising costs: two prepared networks on the same pictures.

use std::ops::Range;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::Serialize;

use super::neighbours::{self, Figures, Label};
use crate::cli::progress::Progress;
use crate::cli::{catalogue, files, output, values};
use crate::embedding::Embedding;
use crate::engine::pooled_features;
use crate::error::{Error, ErrorKind, Result};
use crate::learn::{LearnOptions, pca_whitening};
use crate::model::Network;
use crate::preprocess::resize;
use crate::projection::Block;

#[derive(clap::Args)]
pub(super) struct Args {
    /// Catalogues: folders of pictures whose sub-folders are the labels, or feeds.
    #[arg(required = true)]
    catalogues: Vec<PathBuf>,
    /// The network in integers.
    #[arg(short, long)]
    model: PathBuf,
    /// The same network in real numbers, prepared with the same layers and `--weight-bits 32`.
    #[arg(long)]
    against: PathBuf,
    /// Labels with fewer products are left out.
    #[arg(long, default_value_t = 6, value_parser = values::count(2..=1_000_000))]
    min_label: usize,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// How alike the two networks see a layer: cosines of its pooled features over the pictures.
#[derive(Serialize)]
struct LayerCosines {
    layer: String,
    mean: f64,
    min: f64,
}

#[derive(Serialize)]
struct Row {
    catalogue: PathBuf,
    pictures: usize,
    cosines: Vec<LayerCosines>,
    /// Neighbours by all layers joined, after signed square root and PCA that each network fits for itself.
    model: Figures,
    against: Figures,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let model = files::open_network(&args.model)?;
    let against = files::open_network(&args.against)?;
    if model.spec().layers != against.spec().layers || model.spec().input != against.spec().input {
        let context =
            "the two networks differ in their layers or their input: prepare both from one file";
        return Err(Error::new(ErrorKind::Mismatch, context));
    }
    let rows = args
        .catalogues
        .iter()
        .map(|path| compare(path, &model, &against, args.min_label))
        .collect::<Result<Vec<_>>>()?;
    if args.json {
        return output::json(&rows);
    }
    for row in rows {
        output::line(format_args!("{}: {} pictures", row.catalogue.display(), row.pictures))?;
        for LayerCosines { layer, mean, min } in row.cosines {
            output::line(format_args!("  {layer:<12} cosine mean {mean:.4} min {min:.4}"))?;
        }
        output::line(format_args!("  integers     {}", row.model.in_words()))?;
        output::line(format_args!("  real numbers {}", row.against.in_words()))?;
    }
    Ok(())
}

fn compare(path: &Path, model: &Network, against: &Network, min_label: usize) -> Result<Row> {
    let catalogue = catalogue::read(path, &catalogue::Args::default())?;
    let items = &catalogue.items;
    let bar = Progress::new(items.len(), "embedding twice");
    let pooled: Vec<[Vec<f32>; 2]> = items
        .par_iter()
        .map(|item| {
            let (_, picture) = catalogue.pictures.main(&item.product)?;
            let small = resize(&picture, model.spec().input.size)?;
            let both =
                [pooled_features(model, &small, None)?, pooled_features(against, &small, None)?];
            bar.inc(1);
            Ok(both)
        })
        .collect::<Result<_>>()?;
    bar.finish();

    let layers = &model.spec().layers;
    let mut start = 0;
    let mut cosines = Vec::with_capacity(layers.len());
    for layer in layers {
        let part = start..start + layer.dim;
        let all = pooled.iter().map(|both| cosine(both, part.clone())).collect::<Vec<_>>();
        cosines.push(LayerCosines {
            layer: layer.name.clone(),
            mean: all.iter().sum::<f64>() / all.len().max(1) as f64,
            min: all.iter().copied().fold(1.0, f64::min),
        });
        start = part.end;
    }

    let by = if catalogue.feed { Label::TitleNoun } else { Label::Category };
    let names = items.iter().map(|item| neighbours::label(&item.product, by));
    let labels = neighbours::labels(names, min_label);
    let blocks: Vec<Block> =
        layers.iter().map(|l| Block { dim: l.dim, power: 0.5, weight: 1.0 }).collect();
    let figures = |which: usize| -> Result<Figures> {
        let rows: Vec<&[f32]> = pooled.iter().map(|both| both[which].as_slice()).collect();
        let projection = pca_whitening(&rows, &blocks, LearnOptions::default())?;
        let embeddings: Vec<Embedding> =
            rows.iter().map(|row| projection.apply(row)).collect::<Result<_>>()?;
        let answers = neighbours::leave_one_out(&labels, neighbours::scan(&embeddings)?)?;
        neighbours::figures(&labels, &answers)
    };
    Ok(Row {
        catalogue: path.to_owned(),
        pictures: items.len(),
        cosines,
        model: figures(0)?,
        against: figures(1)?,
    })
}

/// 1 for two vectors of zeros.
fn cosine([a, b]: &[Vec<f32>; 2], part: Range<usize>) -> f64 {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
    };
    let (a, b) = (&a[part.clone()], &b[part]);
    let norm = (dot(a, a) * dot(b, b)).sqrt();
    if norm > 0.0 { dot(a, b) / norm } else { f64::from(a == b) }
}
