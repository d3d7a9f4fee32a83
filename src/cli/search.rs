//! `lookalike search`.

use std::path::PathBuf;

use serde::Serialize;

use super::{files, output, selection, values};
use crate::engine::Hit;
use crate::error::Result;
use crate::query::{DEFAULT_K, MAX_K, Query, View};

#[derive(clap::Args)]
pub(super) struct Args {
    /// The folder that `lookalike index` has written.
    #[arg(short, long)]
    index: PathBuf,
    /// The photo to search with.
    #[arg(required_unless_present_any = ["product", "query"])]
    photo: Option<PathBuf>,
    #[command(flatten)]
    selection: selection::Args,
    /// Search for what resembles this product instead.
    #[arg(long, value_name = "ID", conflicts_with = "photo")]
    product: Option<String>,
    /// How many hits, 1 to 1000.
    #[arg(short, default_value_t = DEFAULT_K, value_parser = values::count(1..=MAX_K as u64))]
    k: usize,
    /// A query as JSON, the same as on the page; it says itself how many hits, as "k".
    #[arg(long, value_name = "JSON", conflicts_with_all = ["product", "k"])]
    query: Option<String>,
    /// Print one line of JSON: {"hits": [{"row", "id", "score", "product", "image", "variants"}]}.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Answer<'a> {
    hits: Vec<Hit<'a>>,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let photo = args.photo.as_deref().map(selection::picture).transpose()?;
    let mask = photo.as_ref().map(|photo| args.selection.mask(photo)).transpose()?.flatten();
    let mut engine = files::open_engine(&args.index)?;
    let view = if mask.is_some() { View::Masked } else { View::Whole };
    if let Some(photo) = photo {
        engine.set_photo(photo)?;
        engine.set_mask(mask)?;
    }
    let query = match &args.query {
        Some(json) => Query::from_json(json)?,
        None => Query {
            photo: args.photo.as_ref().map(|_| view),
            product_id: args.product.clone(),
            k: Some(args.k),
            ..Query::default()
        },
    };
    let hits = engine.search(&query)?;
    if args.json {
        return output::json(&Answer { hits });
    }
    for (rank, Hit { score, id, product, .. }) in (1..).zip(&hits) {
        let category = product.category.as_deref().unwrap_or_default();
        let title = &product.title;
        output::line(format_args!("{rank:>3}  {score:.3}  {id}  {title}  {category}"))?;
    }
    Ok(())
}
