//! Time and memory of what `lookalike index` does after the networks have seen the pictures.

use std::path::PathBuf;
use std::time::Instant;

use rayon::prelude::*;
use serde::Serialize;

use super::memory;
use crate::catalog::Product;
use crate::cli::catalogue::{self, Catalogue};
use crate::cli::grow::plan;
use crate::cli::lesson::{self, Networks};
use crate::cli::{output, values};
use crate::error::{Error, ErrorKind, Result};
use crate::index::{Index, ModelId};
use crate::learn::Recipe;

#[derive(clap::Args)]
pub(super) struct Args {
    /// The catalogue to grow: a folder of pictures or a feed.
    catalog: PathBuf,
    /// A network that `lookalike model prepare` has written.
    #[arg(short, long)]
    model: PathBuf,
    /// Sizes to measure at. Products beyond those that there are lie between two that resemble each
    /// other, and have the title and the columns of one of them.
    #[arg(long, value_delimiter = ',', default_values_t = [820, 10_000, 100_000],
        value_parser = values::count(1..=10_000_000))]
    products: Vec<usize>,
    /// Build codes and graph as well.
    #[arg(long)]
    graph: bool,
    #[command(flatten)]
    lesson: lesson::Args,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What one size took.
#[derive(Debug, Serialize)]
struct Row {
    products: usize,
    /// Bytes of all features of both networks, which are there before.
    features_bytes: usize,
    /// Seconds of learning the projection.
    learn_s: f64,
    /// The most memory while learning, the features included.
    #[serde(skip_serializing_if = "Option::is_none")]
    learn_peak_bytes: Option<u64>,
    /// Seconds of projecting, coding and building the graph.
    #[serde(skip_serializing_if = "Option::is_none")]
    graph_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    graph_peak_bytes: Option<u64>,
    recipe: Recipe,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let networks = Networks::load(&args.model, &args.lesson)?;
    let Catalogue { items, pictures, .. } =
        catalogue::read(&args.catalog, &catalogue::Args::default())?;
    let state = args.lesson.open_state()?;
    let (items, material) =
        networks.view(items, &pictures, state.as_ref(), &args.lesson.composites)?;
    // A grown product has one picture, between two main ones.
    let material = material.mains()?;
    if items.is_empty() || args.products.contains(&0) {
        return Err(Error::new(ErrorKind::BadCatalog, "there are no products to measure with"));
    }
    if !args.json {
        output::line(format_args!(
            "{:>9} {:>12} {:>9} {:>12} {:>9} {:>12}",
            "products", "features MB", "learn s", "peak MB", "graph s", "peak MB"
        ))?;
    }
    for &count in &args.products {
        let plan = plan(&material.pooled, count);
        let products: Vec<Product> = plan.iter().map(|m| items[m.from].product.clone()).collect();
        let material = material.grown(&plan)?;
        let row = measure(args, &networks, &material, &products)?;
        if args.json {
            output::json(&row)?;
        } else {
            print(&row)?;
        }
    }
    Ok(())
}

fn measure(
    args: &Args,
    networks: &Networks,
    material: &lesson::Material,
    products: &[Product],
) -> Result<Row> {
    let rows: Vec<usize> = (0..products.len()).collect();
    let list: Vec<&Product> = products.iter().collect();
    memory::reset();
    let start = Instant::now();
    let (projection, recipe) = material.learn(&rows, &list, &args.lesson)?;
    let learn_s = start.elapsed().as_secs_f64();
    let learn_peak_bytes = memory::peak();
    let mut row = Row {
        products: products.len(),
        features_bytes: material.bytes(),
        learn_s,
        learn_peak_bytes,
        graph_s: None,
        graph_peak_bytes: None,
        recipe,
    };
    if args.graph {
        memory::reset();
        let start = Instant::now();
        let embeddings = material
            .pooled
            .par_iter()
            .map(|pooled| projection.apply(pooled))
            .collect::<Result<Vec<_>>>()?;
        let owners = material.owners.clone();
        Index::build(ModelId::of(&networks.bytes), projection, &embeddings, owners, &[])?;
        row.graph_s = Some(start.elapsed().as_secs_f64());
        row.graph_peak_bytes = memory::peak();
    }
    Ok(row)
}

fn print(row: &Row) -> Result<()> {
    let mb = |bytes: Option<u64>| bytes.map_or(String::new(), |b| format!("{:.0}", b as f64 / 1e6));
    let seconds = |s: Option<f64>| s.map_or(String::new(), |s| format!("{s:.1}"));
    output::line(format_args!(
        "{:>9} {:>12.0} {:>9.1} {:>12} {:>9} {:>12}",
        row.products,
        row.features_bytes as f64 / 1e6,
        row.learn_s,
        mb(row.learn_peak_bytes),
        seconds(row.graph_s),
        mb(row.graph_peak_bytes),
    ))?;
    for note in &row.recipe.notes {
        output::line(format_args!("          {note}"))?;
    }
    Ok(())
}
