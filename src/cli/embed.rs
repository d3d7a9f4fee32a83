//! `lookalike embed`.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::progress::Progress;
use super::values::{self, Corners};
use super::{files, output, selection};
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::index::Code;
use crate::mask::Mask;
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
    /// Embed this part of each picture alone: pixels of the upright picture from the upper left
    /// corner, of which x1 and y1 are the first beyond it; what lies outside is clipped.
    #[arg(long = "box", value_name = "X0,Y0,X1,Y1", allow_hyphen_values = true,
        value_parser = values::corners)]
    corners: Option<Corners>,
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
        match embed(&mut engine, photo, args.corners) {
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

fn embed(engine: &mut Engine, photo: &Path, corners: Option<Corners>) -> Result<Line> {
    let picture = selection::picture(photo)?;
    let only = |corners| {
        let area = selection::area(corners, &picture).map_err(|e| e.at(photo.display()))?;
        Mask::only(area, picture.width(), picture.height())
    };
    let mask = corners.map(only).transpose()?;
    engine.set_photo(picture)?;
    engine.set_mask(mask)?;
    // Without a mask that is the whole.
    let embedding = engine.embed(View::Masked)?;
    Ok(Line {
        file: photo.display().to_string(),
        code: Code::new(embedding).as_slice().to_vec(),
        embedding: embedding.as_slice().to_vec(),
    })
}
