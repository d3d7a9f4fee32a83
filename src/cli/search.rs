//! `lookalike search`.

use std::path::PathBuf;

use serde::Serialize;

use super::files;
use crate::engine::Hit;
use crate::error::{Error, ErrorKind, Result};
use crate::image::{Limits, decode};
use crate::mask::Mask;
use crate::query::{DEFAULT_K, Query, View};

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
    #[arg(long, conflicts_with = "photo")]
    product: Option<String>,
    /// How many hits.
    #[arg(short, default_value_t = DEFAULT_K)]
    k: usize,
    /// A query as JSON, the same as on the page.
    #[arg(long, conflicts_with = "product")]
    query: Option<String>,
    /// Print JSON: {"hits": [{"row", "id", "score", "product"}]}.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Answer<'a> {
    hits: Vec<Hit<'a>>,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let mut engine = files::open_engine(&args.index)?;
    let picture = |path: &PathBuf| {
        decode(&files::read(path)?, &Limits::default()).map_err(|e| e.at(path.display()))
    };
    if let Some(photo) = &args.photo {
        engine.set_photo(picture(photo)?);
    }
    if let Some(path) = &args.mask {
        let mask = picture(path)?;
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
        let json = serde_json::to_string(&Answer { hits }).map_err(|cause| {
            Error::with_source(ErrorKind::Internal, "writing JSON failed", cause)
        })?;
        println!("{json}");
        return Ok(());
    }
    for (rank, hit) in hits.iter().enumerate() {
        let category = hit.product.category.as_deref().unwrap_or_default();
        println!(
            "{:>3}  {:.3}  {}  {}  {category}",
            rank + 1,
            hit.score,
            hit.id,
            hit.product.title
        );
    }
    Ok(())
}
