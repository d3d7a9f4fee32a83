//! The sample shop: the furniture of Debian's `sweethome3d-furniture` as a catalogue folder.

mod attribution;
mod sh3f;

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::{Cursor, Read};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use crate::cache::{Step, fresh_folder};
use crate::fetch::Archive;
use crate::paths::Paths;
use crate::sh;
use attribution::{Authors, LICENCES, Licence};
use sh3f::{Library, Piece};

const PACKAGE: &str = "sweethome3d-furniture";
const VERSION: &str = "1.8-1";
const ARCHIVE: Archive = Archive {
    file: "sweethome3d-furniture_1.8-1_all.deb",
    sha256: "3ccb90c63f9525e887a767b9cd5c8b6933b8b6b2973a615a5359ee68a2118668",
};
/// Folder of the libraries inside the package.
const FOLDER: &str = "usr/share/sweethome3d/furniture";
/// What the package of this version holds; another count means that something was misread.
const PRODUCTS: usize = 820;

const COLUMNS: [&str; 17] = [
    "id",
    "title",
    "category",
    "kind",
    "image",
    "url",
    "price",
    "currency",
    "availability",
    "tags",
    "collection",
    "creator",
    "license",
    "licence_url",
    "width_cm",
    "depth_cm",
    "height_cm",
];

const SOURCE: [&str; 3] =
    [include_str!("mod.rs"), include_str!("sh3f.rs"), include_str!("attribution.rs")];

/// Makes `target/lookalike/catalog-src/`.
pub fn catalog(paths: &Paths) -> Result<()> {
    let out = paths.catalog_source();
    Step::new(&paths.stamps(), "catalog")
        .value("archive", ARCHIVE.sha256)
        .value("source", SOURCE.concat())
        .output(&out)
        .run(|| {
            let archive = ARCHIVE.get(paths, apt_download)?;
            let libraries = unpack(&archive)?;
            fresh_folder(&out)?;
            let count = write(libraries, &out)?;
            ensure!(count == PRODUCTS, "found {count} products, expected {PRODUCTS}");
            eprintln!("    {count} products in {}", out.display());
            Ok(())
        })?;
    Ok(())
}

/// `apt-get download` needs no root; only its package lists may have to be fetched first, which does.
fn apt_download(folder: &Path) -> Result<()> {
    const ELSEWHERE: &str = "The sample catalogue comes from a Debian package. \
        On another system, point the demo at any folder of pictures: cargo xtask demo --catalog FOLDER";
    ensure!(sh::on_path("apt-get") && sh::on_path("dpkg-deb"), "no apt-get here. {ELSEWHERE}");
    let download = || {
        let mut command = sh::command("apt-get");
        command
            .args([
                "download",
                "-q",
                "-o",
                "APT::Sandbox::User=root",
                &format!("{PACKAGE}={VERSION}"),
            ])
            .current_dir(folder);
        sh::run(&mut command)
    };
    if download().is_err() {
        eprintln!("    apt does not know {PACKAGE} {VERSION} yet: updating its lists");
        crate::setup::apt(&["update", "-q"])?;
        download().context(ELSEWHERE)?;
    }
    Ok(())
}

/// The libraries in the package, in the order of [`LICENCES`].
fn unpack(deb: &Path) -> Result<Vec<(&'static Licence, Library)>> {
    let files = sh::output(sh::command("dpkg-deb").arg("--fsys-tarfile").arg(deb))?;
    let mut found = Vec::new();
    for entry in tar::Archive::new(Cursor::new(files)).entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let path = path.strip_prefix(".").unwrap_or(&path);
        if !path.starts_with(FOLDER) || path.extension().is_none_or(|ending| ending != "sh3f") {
            continue;
        }
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let Some(order) = LICENCES.iter().position(|licence| licence.library == stem) else {
            bail!(
                "the package holds a library whose licence is not known here: {}",
                path.display()
            );
        };
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes)?;
        let library =
            Library::read(bytes).with_context(|| format!("reading {}", path.display()))?;
        found.push((order, library));
    }
    found.sort_by_key(|(order, _)| *order);
    ensure!(found.len() == LICENCES.len(), "{} of {} libraries found", found.len(), LICENCES.len());
    Ok(found.into_iter().map(|(order, library)| (&LICENCES[order], library)).collect())
}

/// Writes the catalogue's files into `out` and returns the number of products.
fn write(libraries: Vec<(&'static Licence, Library)>, out: &Path) -> Result<usize> {
    fs::create_dir_all(out.join("pictures"))?;
    fs::create_dir_all(out.join("licences"))?;
    let mut csv = csv::Writer::from_path(out.join("catalog.csv"))?;
    csv.write_record(COLUMNS)?;
    let kinds = Kinds::of(libraries.iter().flat_map(|(_, l)| &l.pieces).map(|p| p.name.as_str()));
    let mut ids = HashSet::new();
    let mut credits = Vec::new();
    for (licence, mut library) in libraries {
        let mut authors = Authors::new();
        for piece in std::mem::take(&mut library.pieces) {
            let id = id(licence, &piece);
            ensure!(ids.insert(id.clone()), "two products would have the id {id}");
            let image = format!("pictures/{id}.png");
            let product = || -> Result<String> {
                fs::write(out.join(&image), over_white(&library.icon(&piece)?)?.encode()?)?;
                Ok(library.origin(&piece)?.unwrap_or_default())
            };
            let url = with(product, &id)?;
            let [width, depth, height] = &piece.size;
            csv.write_record([
                &id,
                &piece.name,
                &piece.category,
                kinds.kind(&piece.name).unwrap_or_default(),
                &image,
                &url,
                "",
                "",
                "",
                &piece.tags,
                &library.name,
                &piece.creator,
                licence.name,
                licence.url,
                width,
                depth,
                height,
            ])?;
            authors.entry(piece.creator).or_default().insert(piece.name);
        }
        fs::write(out.join(format!("licences/{}.txt", licence.library)), &library.licence_text)?;
        credits.push((licence, authors));
    }
    csv.flush()?;
    fs::write(out.join("ATTRIBUTION.md"), attribution::text(&credits))?;
    Ok(ids.len())
}

/// What kinds of things there are, as their names say: the last word of a name without numbers, a
/// plural with its singular, a couch being a sofa. The libraries' own categories are rooms, in which
/// beds stand beside lamps; these are what a shop's product types would be.
struct Kinds(HashMap<String, usize>);

impl Kinds {
    /// A word that fewer pieces share is no kind.
    const FEWEST: usize = 4;

    fn of<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let mut counts = HashMap::new();
        let nouns: Vec<String> = names.filter_map(noun).collect();
        let known: HashSet<&String> = nouns.iter().collect();
        for noun in &nouns {
            let singular = noun.strip_suffix('s').map(str::to_owned).filter(|s| known.contains(s));
            *counts.entry(singular.unwrap_or_else(|| noun.clone())).or_default() += 1;
        }
        counts.retain(|_, count| *count >= Self::FEWEST);
        Self(counts)
    }

    fn kind(&self, name: &str) -> Option<&str> {
        let noun = noun(name)?;
        let singular = noun.strip_suffix('s').and_then(|s| self.0.get_key_value(s));
        singular.or_else(|| self.0.get_key_value(&noun)).map(|(kind, _)| kind.as_str())
    }
}

fn noun(name: &str) -> Option<String> {
    let word = name
        .split(|c: char| !c.is_alphanumeric())
        .rfind(|word| !word.is_empty() && !word.chars().all(|c| c.is_ascii_digit()))?
        .to_lowercase();
    Some(if word == "couch" { "sofa".to_owned() } else { word })
}

fn with<T>(work: impl FnOnce() -> Result<T>, id: &str) -> Result<T> {
    work().with_context(|| format!("product {id}"))
}

/// Library and key, in letters that need no escape in an address or a file name.
fn id(licence: &Licence, piece: &Piece) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '-' }
    };
    format!("{}-{}", licence.library, piece.key.chars().map(plain).collect::<String>())
}

/// A PNG file of any colour type as RGB over white.
fn over_white(png: &[u8]) -> Result<Picture> {
    let mut decoder = png::Decoder::new(Cursor::new(png));
    decoder.set_transformations(
        png::Transformations::normalize_to_color8() | png::Transformations::ALPHA,
    );
    let mut reader = decoder.read_info().context("not a PNG picture")?;
    let mut bytes = vec![0; reader.output_buffer_size().context("the picture is too large")?];
    let frame = reader.next_frame(&mut bytes).context("a damaged PNG picture")?;
    let bytes = &bytes[..frame.buffer_size()];
    let rgb = match frame.color_type {
        png::ColorType::Rgba => bytes
            .as_chunks()
            .0
            .iter()
            .flat_map(|&[r, g, b, a]| [r, g, b].map(|v| over(v, a)))
            .collect(),
        png::ColorType::GrayscaleAlpha => {
            bytes.as_chunks().0.iter().flat_map(|&[v, a]| [over(v, a); 3]).collect()
        }
        other => bail!("the decoder gave {other:?} without transparency"),
    };
    Ok(Picture { width: frame.width, height: frame.height, rgb })
}

/// One channel's value over white.
fn over(value: u8, alpha: u8) -> u8 {
    let (value, alpha) = (u32::from(value), u32::from(alpha));
    ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
}

/// 8-bit RGB, row by row.
#[derive(Debug, PartialEq)]
struct Picture {
    width: u32,
    height: u32,
    rgb: Vec<u8>,
}

impl Picture {
    fn encode(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.width, self.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.write_header()?.write_image_data(&self.rgb)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One row of pixels of the given colour type.
    fn row(color: png::ColorType, palette: Option<&[u8]>, pixels: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let width = (pixels.len() / color.samples()) as u32;
        let mut encoder = png::Encoder::new(&mut bytes, width, 1);
        encoder.set_color(color);
        if let Some(palette) = palette {
            encoder.set_palette(palette.to_vec());
        }
        let mut writer = encoder.write_header().expect("header");
        writer.write_image_data(pixels).expect("pixels");
        writer.finish().expect("end");
        bytes
    }

    #[test]
    fn kinds_are_nouns_that_several_share() {
        let names = ["Oak chair", "Chair 2", "Office chairs", "Chair", "Big sofa", "Couch", "Sofa"];
        let kinds = Kinds::of(names.into_iter().chain(["Sofa 3", "Lamp", "7"]));
        assert_eq!(kinds.kind("Garden chairs 4"), Some("chair"));
        assert_eq!(kinds.kind("Three-seat Couch"), Some("sofa"));
        assert_eq!((kinds.kind("Lamp"), kinds.kind("7")), (None, None));
    }

    #[test]
    fn transparency_becomes_white() -> Result<()> {
        let pixels = [10, 20, 30, 255, 10, 20, 30, 0, 0, 0, 255, 128];
        let flat = over_white(&row(png::ColorType::Rgba, None, &pixels))?;
        assert_eq!(
            flat,
            Picture { width: 3, height: 1, rgb: vec![10, 20, 30, 255, 255, 255, 127, 127, 255] }
        );
        assert_eq!(over_white(&flat.encode()?)?, flat, "what is written reads the same");
        Ok(())
    }

    #[test]
    fn every_colour_type_is_read() -> Result<()> {
        let rgb = |bytes: Vec<u8>| over_white(&bytes).map(|picture| picture.rgb);
        assert_eq!(rgb(row(png::ColorType::Rgb, None, &[1, 2, 3]))?, [1, 2, 3]);
        assert_eq!(rgb(row(png::ColorType::Grayscale, None, &[9]))?, [9, 9, 9]);
        assert_eq!(rgb(row(png::ColorType::GrayscaleAlpha, None, &[9, 0]))?, [255, 255, 255]);
        assert_eq!(rgb(row(png::ColorType::Indexed, Some(&[7, 8, 9]), &[0]))?, [7, 8, 9]);
        Ok(())
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        assert!(over_white(b"").is_err());
        let whole = row(png::ColorType::Rgb, None, &[1, 2, 3]);
        assert!(over_white(&whole[..whole.len() / 2]).is_err());
    }

    #[test]
    fn ids_need_no_escape() {
        let piece = |key: &str| Piece {
            key: key.into(),
            name: String::new(),
            category: String::new(),
            tags: String::new(),
            creator: String::new(),
            size: Default::default(),
            icon: String::new(),
            model: String::new(),
        };
        assert_eq!(id(&LICENCES[4], &piece("RJ-45 plug/é")), "Scopia-RJ-45-plug--");
    }
}
