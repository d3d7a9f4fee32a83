//! `lookalike search`.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{files, output, values};
use crate::engine::Hit;
use crate::error::Result;
use crate::image::{Limits, Picture, decode};
use crate::mask::Mask;
use crate::query::{DEFAULT_K, MAX_K, Query, View};

#[derive(clap::Args)]
pub(super) struct Args {
    /// The folder that `lookalike index` has written.
    #[arg(short, long)]
    index: PathBuf,
    /// The photo to search with.
    #[arg(required_unless_present_any = ["product", "query"])]
    photo: Option<PathBuf>,
    /// A picture as large as the photo, white where the photo is to be ignored.
    #[arg(long, requires = "photo")]
    mask: Option<PathBuf>,
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
    let photo = args.photo.as_deref().map(picture).transpose()?;
    let mask = args.mask.as_deref().map(picture).transpose()?;
    let mut engine = files::open_engine(&args.index)?;
    if let Some(photo) = photo {
        engine.set_photo(photo);
    }
    if let Some(mask) = mask {
        let luma = mask.rgb().chunks_exact(3).map(|p| p[1]).collect();
        engine.set_mask(Some(Mask::new(mask.width(), mask.height(), luma)?))?;
    }
    let query = match &args.query {
        Some(json) => Query::from_json(json)?,
        None => Query {
            photo: args.photo.as_ref().map(|_| match args.mask {
                Some(_) => View::Masked,
                None => View::Whole,
            }),
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

fn picture(path: &Path) -> Result<Picture> {
    decode(&files::read_picture(path)?, &Limits::default()).map_err(|e| e.at(path.display()))
}
