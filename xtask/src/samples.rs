//! A photo from life to try the sample shop with, beside the pictures that the page sets together itself.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use zip::ZipArchive;

use crate::cache::{Step, fresh_folder, write_atomic};
use crate::fetch::{Archive, pip_download_for};
use crate::paths::Paths;

/// The wheel for one platform; nothing of it but a picture is used, so any platform can read it.
const PACKAGE: &str = "scikit-image==0.25.2";
const PLATFORM: [&str; 6] =
    ["--platform", "manylinux2014_x86_64", "--python-version", "3.11", "--implementation", "cp"];
const ARCHIVE: Archive = Archive {
    file: "scikit_image-0.25.2-cp311-manylinux2014_x86_64.whl",
    sha256: "24cc986e1f4187a12aa319f777b36008764e856e5013666a4a83f8df083c2641",
};
/// In the wheel.
const PHOTO: &str = "skimage/data/coffee.png";
/// In the folder.
const FILE: &str = "coffee.png";
const PHOTO_LIMIT: u64 = 1 << 20;
/// Which photos there are; the page reads it.
const LIST: &str = "samples.json";
const SOURCE: &str = include_str!("samples.rs");

/// Makes `samples/`: the photo for the sample shop, and for an own catalogue an empty list, since nobody knows what
/// that shop sells.
pub fn samples(paths: &Paths, own: bool) -> Result<()> {
    let out = paths.samples();
    Step::new(&paths.stamps(), "samples")
        .value("archive", ARCHIVE.sha256)
        .value("source", SOURCE)
        .value("own", if own { "own" } else { "sample" })
        .output(&out)
        .run(|| {
            fresh_folder(&out)?;
            let list = if own {
                json!([])
            } else {
                write_atomic(&out.join(FILE), &photo(paths)?)?;
                json!([{
                    "file": FILE,
                    "title": "A cup of coffee on a table",
                    "credit": "Rachel Michetti, Pikolo Espresso Bar; CC0; from the Python package scikit-image",
                }])
            };
            write_list(&out, &list)
        })?;
    Ok(())
}

fn write_list(out: &Path, list: &serde_json::Value) -> Result<()> {
    fs::write(out.join(LIST), serde_json::to_vec_pretty(list)?)
        .context("writing the list of samples")
}

fn photo(paths: &Paths) -> Result<Vec<u8>> {
    let archive = ARCHIVE.get(paths, |folder| pip_download_for(PACKAGE, &PLATFORM, folder))?;
    let mut wheel = ZipArchive::new(File::open(&archive)?).context("not a wheel")?;
    let entry = wheel.by_name(PHOTO)?;
    ensure!(entry.size() <= PHOTO_LIMIT, "{PHOTO} is too large");
    let mut bytes = Vec::new();
    entry.take(PHOTO_LIMIT).read_to_end(&mut bytes)?;
    Ok(bytes)
}
