//! `lookalike embed`.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::progress::Progress;
use super::{files, output};
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::image::{Limits, decode};
use crate::index::Code;
use crate::query::View;

#[derive(clap::Args)]
pub(super) struct Args {
    /// The folder that `lookalike index` has written.
    #[arg(short, long)]
    index: PathBuf,
    /// Pictures; each gives a line of JSON: {"file", "embedding": [dim], "code": [dim]}. One that
    /// cannot be read is said, the others go on, and the exit code is 1.
    #[arg(required = true)]
    photos: Vec<PathBuf>,
}

/// A line of what is printed.
#[derive(Serialize)]
struct Line {
    file: String,
    embedding: Vec<f32>,
    code: Vec<i8>,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let mut engine = files::open_engine(&args.index)?;
    let bar = Progress::new(args.photos.len(), "embedding");
    let mut failed = 0;
    for photo in &args.photos {
        match embed(&mut engine, photo) {
            Ok(line) => output::json(&line)?,
            Err(error) => {
                failed += 1;
                bar.remark(format_args!("skipped: {error}"));
            }
        }
        bar.inc(1);
    }
    bar.finish();
    if failed > 0 {
        let what = format!("{failed} of {} pictures could not be embedded", args.photos.len());
        return Err(Error::new(ErrorKind::BadPicture, what));
    }
    Ok(())
}

fn embed(engine: &mut Engine, photo: &Path) -> Result<Line> {
    let picture = decode(&files::read_picture(photo)?, &Limits::default());
    engine.set_photo(picture.map_err(|e| e.at(photo.display()))?);
    let embedding = engine.embed(View::Whole)?;
    Ok(Line {
        file: photo.display().to_string(),
        code: Code::new(embedding).as_slice().to_vec(),
        embedding: embedding.as_slice().to_vec(),
    })
}
