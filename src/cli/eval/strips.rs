//! Results as rows of pictures: what a table cannot say.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use fast_image_resize::PixelType;
use image::codecs::jpeg::JpegEncoder;

use super::report;
use crate::catalog::Product;
use crate::cli::files;
use crate::error::{Error, ErrorKind, Result};
use crate::image::{Limits, Picture, decode};
use crate::preprocess::resample;

/// One start and what several ways to search found, by name.
pub(super) struct Strip {
    pub(super) title: String,
    pub(super) start: u32,
    pub(super) rows: Vec<(String, Vec<u32>)>,
}

/// Results shown of each row.
const SHOWN: usize = 6;
/// Side of a picture in the JPEG, and the space around it.
const SIDE: usize = 96;
const GAP: usize = 6;

fn thumb(folder: &Path, product: &Product) -> Option<Vec<u8>> {
    files::read(&folder.join(product.thumb()?)).ok()
}

/// A page with all strips, and whose pictures they are.
pub(super) fn page(
    folder: &Path,
    products: &[Product],
    strips: &[Strip],
    attribution: Option<&str>,
) -> String {
    let mut page = report::head("Directions");
    let figure = |page: &mut String, row: u32, class: &str| {
        let Some(product) = products.get(row as usize) else { return };
        let _ = write!(
            page,
            "<figure class={class}>{}<figcaption>{}</figcaption></figure>",
            report::image(thumb(folder, product)),
            report::escaped(&product.title)
        );
    };
    for strip in strips {
        let _ = write!(page, "<h2>{}</h2><section>", report::escaped(&strip.title));
        figure(&mut page, strip.start, "q");
        page.push_str("<div>");
        for (name, rows) in &strip.rows {
            let _ = write!(page, "<p>{}</p><div class=r>", report::escaped(name));
            for &row in rows.iter().take(SHOWN) {
                figure(&mut page, row, "r");
            }
            page.push_str("</div>");
        }
        page.push_str("</div></section>");
    }
    if let Some(text) = attribution {
        let _ = write!(page, "<p>{}</p>", report::escaped(text));
    }
    page.push_str("</body></html>\n");
    page
}

/// A strip as one picture: a line for each way, the start in front of each.
pub(super) fn jpeg(folder: &Path, products: &[Product], strip: &Strip) -> Result<Vec<u8>> {
    let cell = SIDE + GAP;
    let (width, height) = (cell * (SHOWN + 1) + 3 * GAP, cell * strip.rows.len() + GAP);
    let mut pixels = vec![236u8; width * height * 3];
    let mut paste = |row: u32, left: usize, top: usize| -> Result<()> {
        let Some(product) = products.get(row as usize) else { return Ok(()) };
        let file = thumb(folder, product).ok_or_else(|| {
            let what =
                format!("{}: the product {:?} has no thumbnail", folder.display(), product.id);
            Error::new(ErrorKind::BadCatalog, what)
        })?;
        let small = squared(&decode(&file, &Limits::default())?)?;
        for (y, line) in small.chunks_exact(SIDE * 3).enumerate() {
            let at = ((top + y) * width + left) * 3;
            pixels[at..at + SIDE * 3].copy_from_slice(line);
        }
        Ok(())
    };
    for (line, (_, rows)) in strip.rows.iter().enumerate() {
        let top = GAP + line * cell;
        paste(strip.start, GAP, top)?;
        for (place, &row) in rows.iter().take(SHOWN).enumerate() {
            paste(row, 3 * GAP + (place + 1) * cell, top)?;
        }
    }
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, 82)
        .encode(&pixels, width as u32, height as u32, image::ExtendedColorType::Rgb8)
        .map_err(|e| Error::with_source(ErrorKind::Internal, "writing a JPEG failed", e))?;
    Ok(jpeg)
}

/// RGB of `SIDE` x `SIDE`: the whole picture, the rest white.
fn squared(picture: &Picture) -> Result<Vec<u8>> {
    let (w, h) = (picture.width() as usize, picture.height() as usize);
    let fit = |x: usize| (x * SIDE / w.max(h)).max(1);
    let (fw, fh) = (fit(w), fit(h));
    let small = resample(w as u32, h as u32, picture.rgb(), PixelType::U8x3, fw as u32, fh as u32)?;
    let mut out = vec![255u8; SIDE * SIDE * 3];
    let (left, top) = ((SIDE - fw) / 2, (SIDE - fh) / 2);
    for (y, line) in small.chunks_exact(fw * 3).enumerate() {
        let at = ((top + y) * SIDE + left) * 3;
        out[at..at + fw * 3].copy_from_slice(line);
    }
    Ok(out)
}

/// The names of the lines, and who made what is shown, under which terms: a caption.
pub(super) fn credits(products: &[Product], strip: &Strip) -> String {
    let mut out = format!("{}\n", strip.title);
    for (name, _) in &strip.rows {
        let _ = writeln!(out, "- {name}");
    }
    let shown = strip.rows.iter().flat_map(|(_, rows)| rows.iter().take(SHOWN));
    let rows: BTreeSet<u32> = shown.copied().chain([strip.start]).collect();
    for row in rows {
        let Some(product) = products.get(row as usize) else { continue };
        let of = |name: &str| product.attributes.get(name).map_or("", String::as_str);
        let _ = writeln!(out, "{} ({}, {})", product.title, of("creator"), of("license"));
    }
    out
}
