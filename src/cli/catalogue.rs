//! Finding a catalogue's products: in a feed, which is a file or an address, or as a folder of
//! pictures.

use std::path::{Path, PathBuf};

use lookalike_publish::OwnFiles;
use lookalike_sources::Address;
use lookalike_sources::folder::walk;

pub(super) use super::pictures::Pictures;
use super::{feed, files, output, pictures};
use crate::catalog::{Image, Product};
use crate::error::{Error, ErrorKind, Result};

/// How a feed's file may end in a folder that is a catalogue; what it is is told from its content.
const FEEDS: [&str; 9] = ["csv", "tsv", "txt", "jsonl", "ndjson", "json", "jsonld", "xml", "rss"];

/// How a catalogue is read.
#[derive(clap::Args, Clone, Debug, Default)]
pub(super) struct Args {
    #[command(flatten)]
    reading: feed::Reading,
    #[command(flatten)]
    fetch: pictures::Args,
}

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

/// Reads a catalogue: a feed of any kind, which is a file or an address by http or https, a folder
/// with one named `catalog` (`catalog.csv`, `.tsv`, `.xml`, `.json`, …), or a folder of pictures whose
/// sub-folders are categories.
pub(super) fn read(path: &Path, args: &Args) -> Result<Catalogue> {
    if let Some(address) = address(path)? {
        let (pictures, file) = Pictures::of_feed(&address, &args.fetch)?;
        let (items, skipped) = feed::read(file, &address.to_string(), &args.reading)?;
        return Ok(Catalogue { items, pictures, skipped, attribution: None, feed: true });
    }
    files::must_exist(path, "give a folder of pictures, or a feed")?;
    if !path.is_dir() {
        return read_file(path, args);
    }
    match feed_in(path)? {
        Some(file) => read_file(&file, args),
        None => read_folder(path, &args.fetch),
    }
}

/// The address that is meant, if one is.
pub(super) fn address(path: &Path) -> Result<Option<Address>> {
    path.to_str().filter(|path| Address::is_meant(path)).map(Address::parse).transpose()
}

fn read_file(path: &Path, args: &Args) -> Result<Catalogue> {
    let (items, skipped) =
        feed::read(feed::open(path)?, &path.display().to_string(), &args.reading)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let attribution = folder.join("ATTRIBUTION.md");
    let attribution =
        if attribution.is_file() { Some(files::read_text(&attribution)?) } else { None };
    let pictures = Pictures::in_folder(folder, &args.fetch);
    Ok(Catalogue { items, pictures, skipped, attribution, feed: true })
}

/// The feed that a path means: itself, or the one in the folder that it is.
pub(super) fn feed_file(path: &Path) -> Result<PathBuf> {
    files::must_exist(path, "give a feed")?;
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    feed_in(path)?.ok_or_else(|| {
        let what = format!("{} holds no feed named catalog, such as catalog.csv", path.display());
        Error::new(ErrorKind::BadCatalog, what)
    })
}

/// The file named `catalog` in a folder, whatever the case; of several the one whose ending comes
/// first in [`FEEDS`].
fn feed_in(folder: &Path) -> Result<Option<PathBuf>> {
    let rank = |path: &PathBuf| {
        let name = path.file_name()?.to_string_lossy().to_lowercase();
        let ending = name.strip_prefix("catalog.")?;
        let ending = ending.strip_suffix(".gz").unwrap_or(ending);
        FEEDS.iter().position(|known| *known == ending)
    };
    let entries = std::fs::read_dir(folder).map_err(|cause| {
        let what = format!("cannot list the folder {}", folder.display());
        Error::with_source(ErrorKind::Io, what, cause)
    })?;
    let files = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file());
    Ok(files.filter_map(|path| Some((rank(&path)?, path))).min().map(|(_, path)| path))
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
