//! What of a photo is searched with: a box and a mask, which are one mask.

use std::path::{Path, PathBuf};

use super::files;
use super::values::{self, Corners};
use crate::area::Area;
use crate::error::{Error, ErrorKind, Result};
use crate::image::{Limits, Picture, decode};
use crate::mask::Mask;

#[derive(clap::Args)]
pub(super) struct Args {
    /// Search with this part of the photo alone: pixels of the upright picture from the upper left
    /// corner, of which x1 and y1 are the first beyond it; what lies outside is clipped.
    #[arg(long = "box", value_name = "X0,Y0,X1,Y1", requires = "photo", allow_hyphen_values = true,
        value_parser = values::corners)]
    corners: Option<Corners>,
    /// A picture as large as the photo, white where the photo is to be ignored.
    #[arg(long, requires = "photo")]
    mask: Option<PathBuf>,
}

impl Args {
    /// The mask of a photo; `None` if all of it is searched with.
    pub(super) fn mask(&self, photo: &Picture) -> Result<Option<Mask>> {
        let painted = self.mask.as_deref().map(picture).transpose()?;
        let painted = painted.map(|mask| {
            let luma = mask.rgb().chunks_exact(3).map(|p| p[1]).collect();
            Mask::new(mask.width(), mask.height(), luma)
        });
        let painted = painted.transpose()?;
        let Some(corners) = self.corners else { return Ok(painted) };
        let area = area(corners, photo)?;
        let (width, height) = (photo.width(), photo.height());
        match painted {
            Some(mask) => Ok(Some(mask.resized(width, height)?.within(area))),
            None => Mask::only(area, width, height).map(Some),
        }
    }
}

/// The pixels of a photo that lie in a box.
pub(super) fn area(Corners(corners): Corners, photo: &Picture) -> Result<Area> {
    let (width, height) = (photo.width(), photo.height());
    Area::touched(corners.map(|at| at as f64), width, height).ok_or_else(|| {
        let [x0, y0, x1, y1] = corners;
        Error::new(
            ErrorKind::BadQuery,
            format!(
                "the box {x0},{y0},{x1},{y1} lies outside of the photo, which has {width}x{height} \
                 pixels once it is upright: give one that holds a part of it"
            ),
        )
    })
}

/// A picture file.
pub(super) fn picture(path: &Path) -> Result<Picture> {
    decode(&files::read_picture(path)?, &Limits::default()).map_err(|e| e.at(path.display()))
}
