//! Finding a catalogue's products: in a feed, which is a file or an address, or as a folder of
//! pictures.

use std::io::Read;
use std::path::Path;

use lookalike_feed::{FeedFormat, read_feed};
use lookalike_publish::OwnFiles;
use lookalike_sources::Address;
use lookalike_sources::folder::walk;

pub(super) use super::pictures::Pictures;
use super::{files, output, pictures};
use crate::catalog::{Image, Product};
use crate::error::{Error, ErrorKind, Result};

/// A product; its pictures are read from the catalogue's [`Pictures`].
pub(super) struct Item {
    pub(super) product: Product,
    /// What its variants share, where the feed says so.
    pub(super) group: Option<String>,
}

/// A catalogue, and the rows of it that cannot be used, with the reason.
pub(super) struct Catalogue {
    pub(super) items: Vec<Item>,
    pub(super) pictures: Pictures,
    pub(super) skipped: Vec<String>,
    pub(super) attribution: Option<String>,
    /// Whether it came from a feed; else from a folder of pictures.
    pub(super) feed: bool,
}

/// Reads a catalogue: a folder with a `catalog.csv` (or `.tsv`, `.jsonl`), such a file itself, or a
/// folder of pictures whose sub-folders are categories. A file may be an address by http or https.
pub(super) fn read(path: &Path, fetch: &pictures::Args) -> Result<Catalogue> {
    if let Some(address) = path.to_str().filter(|path| Address::is_meant(path)) {
        return read_address(&Address::parse(address)?, fetch);
    }
    files::must_exist(path, "give a folder of pictures, or a feed")?;
    if !path.is_dir() {
        return read_file(path, fetch);
    }
    let feed = ["catalog.csv", "catalog.tsv", "catalog.jsonl"].map(|name| path.join(name));
    match feed.iter().find(|file| file.is_file()) {
        Some(file) => read_file(file, fetch),
        None => read_folder(path, fetch),
    }
}

fn read_file(path: &Path, fetch: &pictures::Args) -> Result<Catalogue> {
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    let place = path.display().to_string();
    let format = format_of(&extension, &place)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let pictures = Pictures::in_folder(folder, fetch);
    let mut catalogue = read_entries(&files::read_text(path)?, format, &place, pictures)?;
    let attribution = folder.join("ATTRIBUTION.md");
    if attribution.is_file() {
        catalogue.attribution = Some(files::read_text(&attribution)?);
    }
    Ok(catalogue)
}

fn read_address(address: &Address, fetch: &pictures::Args) -> Result<Catalogue> {
    let (pictures, mut feed) = Pictures::of_feed(address, fetch)?;
    let place = address.to_string();
    let media_type = feed.media_type.as_deref().unwrap_or_default();
    let format = match media_type.split(';').next().unwrap_or_default().trim() {
        "text/csv" => FeedFormat::Csv,
        "text/tab-separated-values" => FeedFormat::Tsv,
        "application/jsonl" | "application/x-ndjson" => FeedFormat::JsonLines,
        _ => format_of(feed.address.extension(), &place)?,
    };
    let mut text = String::new();
    feed.read_to_string(&mut text).map_err(|cause| {
        Error::with_source(ErrorKind::BadCatalog, format!("cannot read {place}"), cause)
    })?;
    read_entries(&text, format, &place, pictures)
}

fn format_of(extension: &str, place: &str) -> Result<FeedFormat> {
    Ok(match extension.to_lowercase().as_str() {
        "csv" => FeedFormat::Csv,
        "tsv" | "txt" => FeedFormat::Tsv,
        "jsonl" | "ndjson" => FeedFormat::JsonLines,
        _ => {
            return Err(Error::new(
                ErrorKind::BadCatalog,
                format!(
                    "{place} is not a catalogue: give a folder of pictures, or a .csv, .tsv or .jsonl file"
                ),
            ));
        }
    })
}

fn read_entries(
    text: &str,
    format: FeedFormat,
    feed: &str,
    pictures: Pictures,
) -> Result<Catalogue> {
    let entries = read_feed(text, format).map_err(|e| e.at(feed))?;
    let mut items: Vec<Item> = Vec::with_capacity(entries.len());
    let mut skipped = Vec::new();
    let mut ids = std::collections::HashMap::new();
    for entry in entries {
        let place = format!("{feed} row {}", entry.record);
        match entry.product {
            Err(error) => skipped.push(error.at(place).to_string()),
            Ok(product) => {
                if let Some(first) = ids.insert(product.id.clone(), entry.record) {
                    return Err(Error::new(
                        ErrorKind::BadCatalog,
                        format!(
                            "{place}: the id {:?} was already used in row {first}; ids must be unique",
                            product.id
                        ),
                    ));
                }
                items.push(Item { product, group: entry.group });
            }
        }
    }
    Ok(Catalogue { items, pictures, skipped, attribution: None, feed: true })
}

fn read_folder(root: &Path, fetch: &pictures::Args) -> Result<Catalogue> {
    let own = OwnFiles::new();
    let walk = walk(root, &|path| own.wrote(path))?;
    for note in &walk.notes {
        output::remark(format_args!("note: {note}"));
    }
    let left_out = walk.left_out.to_string();
    if !left_out.is_empty() {
        output::remark(format_args!("note: {}: left out: {left_out}", root.display()));
    }
    if walk.pictures.is_empty() {
        return Err(Error::new(
            ErrorKind::BadCatalog,
            format!("{} holds no pictures and no catalog.csv", root.display()),
        ));
    }
    let items = walk.pictures.into_iter().map(|found| folder_item(found.name)).collect();
    let pictures = Pictures::in_folder(root, fetch);
    Ok(Catalogue { items, pictures, skipped: Vec::new(), attribution: None, feed: false })
}

/// The path below the root is the id, the file's name the title, the folder the category.
fn folder_item(id: String) -> Item {
    let (category, file) = match id.rsplit_once('/') {
        Some((category, file)) => (Some(category.to_owned()), file),
        None => (None, id.as_str()),
    };
    let title = file.rsplit_once('.').map_or(file, |(stem, _)| stem).replace(['_', '-'], " ");
    let images = vec![Image { image: id.clone(), thumb: None }];
    Item { product: Product { id, title, images, category, ..Product::default() }, group: None }
}
