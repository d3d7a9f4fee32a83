//! Finding a catalogue's products and pictures on disk: a feed file, or a folder of pictures.

use std::path::{Path, PathBuf};

use lookalike_feed::{FeedFormat, read_feed};
use lookalike_publish::OwnFiles;

use super::files;
use crate::catalog::{Image, Product};
use crate::error::{Error, ErrorKind, Result};
use crate::image::{Limits, Picture, decode};

/// What is taken for a picture when a folder is searched.
const EXTENSIONS: [&str; 9] = ["jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "avif"];

/// A product; its pictures are read from the catalogue's [`Pictures`].
pub(super) struct Item {
    pub(super) product: Product,
    /// What its variants share, where the feed says so.
    pub(super) group: Option<String>,
}

/// Where a catalogue's pictures come from.
pub(super) struct Pictures {
    folder: PathBuf,
}

impl Pictures {
    /// The content of a picture, by the name that the catalogue gives it.
    pub(super) fn read(&self, name: &str) -> Result<Vec<u8>> {
        files::read_picture(&self.folder.join(name))
    }

    /// A product's main picture, as its file and decoded.
    pub(super) fn main(&self, product: &Product) -> Result<(Vec<u8>, Picture)> {
        let image = product.images.first().ok_or_else(|| {
            let what = format!("the product {:?} has no picture", product.id);
            Error::new(ErrorKind::BadCatalog, what)
        })?;
        self.open(image)
    }

    /// A picture, as its file and decoded.
    pub(super) fn open(&self, image: &Image) -> Result<(Vec<u8>, Picture)> {
        let file = self.read(&image.image)?;
        let picture = self.decode(&image.image, &file)?;
        Ok((file, picture))
    }

    /// The picture that a file is; the name is for whoever has to mend it.
    pub(super) fn decode(&self, name: &str, file: &[u8]) -> Result<Picture> {
        decode(file, &Limits::default()).map_err(|e| e.at(self.folder.join(name).display()))
    }
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
/// folder of pictures whose sub-folders are categories.
pub(super) fn read(path: &Path) -> Result<Catalogue> {
    files::must_exist(path, "give a folder of pictures, or a feed")?;
    if !path.is_dir() {
        return read_file(path);
    }
    let feed = ["catalog.csv", "catalog.tsv", "catalog.jsonl"].map(|name| path.join(name));
    match feed.iter().find(|file| file.is_file()) {
        Some(file) => read_file(file),
        None => read_folder(path),
    }
}

fn read_file(path: &Path) -> Result<Catalogue> {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let format = match extension.as_str() {
        "csv" => FeedFormat::Csv,
        "tsv" | "txt" => FeedFormat::Tsv,
        "jsonl" | "ndjson" => FeedFormat::JsonLines,
        _ => {
            return Err(Error::new(
                ErrorKind::BadCatalog,
                format!(
                    "{} is not a catalogue: give a folder of pictures, or a .csv, .tsv or .jsonl file",
                    path.display()
                ),
            ));
        }
    };
    let entries = read_feed(&files::read_text(path)?, format).map_err(|e| e.at(path.display()))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut items: Vec<Item> = Vec::with_capacity(entries.len());
    let mut skipped = Vec::new();
    let mut ids = std::collections::HashMap::new();
    for entry in entries {
        let place = format!("{} row {}", path.display(), entry.record);
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
    let attribution = folder.join("ATTRIBUTION.md");
    let attribution =
        if attribution.is_file() { Some(files::read_text(&attribution)?) } else { None };
    let pictures = Pictures { folder: folder.to_owned() };
    Ok(Catalogue { items, pictures, skipped, attribution, feed: true })
}

fn read_folder(root: &Path) -> Result<Catalogue> {
    let own = OwnFiles::new();
    let mut items = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        for path in files::list(&folder)? {
            if path.is_dir() {
                open.push(path);
            } else if is_picture(&path) && !own.wrote(&path) {
                items.push(folder_item(root, &path));
            }
        }
    }
    items.sort_by(|a: &Item, b| a.product.id.cmp(&b.product.id));
    if items.is_empty() {
        return Err(Error::new(
            ErrorKind::BadCatalog,
            format!("{} holds no pictures and no catalog.csv", root.display()),
        ));
    }
    let pictures = Pictures { folder: root.to_owned() };
    Ok(Catalogue { items, pictures, skipped: Vec::new(), attribution: None, feed: false })
}

fn is_picture(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    EXTENSIONS.contains(&extension.as_str())
}

/// The path below the root is the id, the file's name the title, the folder the category.
fn folder_item(root: &Path, path: &Path) -> Item {
    let below = path.strip_prefix(root).unwrap_or(path);
    let id =
        below.components().map(|c| c.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/");
    let category = below
        .parent()
        .map(|p| p.to_string_lossy().into_owned())
        .filter(|category| !category.is_empty());
    let title = path.file_stem().unwrap_or_default().to_string_lossy().replace(['_', '-'], " ");
    let images = vec![Image { image: id.clone(), thumb: None }];
    Item { product: Product { id, title, images, category, ..Product::default() }, group: None }
}
