//! `lookalike embed`.

use std::path::PathBuf;

use serde_json::json;

use super::files;
use crate::error::Result;
use crate::image::{Limits, decode};
use crate::index::Code;
use crate::query::View;

#[derive(clap::Args)]
pub(super) struct Args {
    /// The folder that `lookalike index` has written.
    #[arg(short, long)]
    index: PathBuf,
    /// Pictures; each gives a line of JSON: {"file", "embedding": [dim], "code": [dim]}.
    #[arg(required = true)]
    photos: Vec<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let mut engine = files::open_engine(&args.index)?;
    for photo in &args.photos {
        let picture = decode(&files::read(photo)?, &Limits::default());
        engine.set_photo(picture.map_err(|e| e.at(photo.display()))?);
        let embedding = engine.embed(View::Whole)?;
        let line = json!({
            "file": photo.display().to_string(),
            "embedding": embedding.as_slice(),
            "code": Code::new(embedding).as_slice(),
        });
        println!("{line}");
    }
    Ok(())
}
