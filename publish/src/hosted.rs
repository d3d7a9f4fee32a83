//! What a manifest and its product list name: for folders that were made before there was a list of
//! our own files, or that were copied without it.

use std::collections::BTreeMap;
use std::path::Path;

use lookalike_error::{Error, ErrorKind, Result};
use serde::Deserialize;

use crate::disk;
use crate::list::{Entry, is_inside};

/// Of `manifest.json`, the fields by which it is known and those that name files.
#[derive(Deserialize)]
pub(crate) struct Manifest {
    generator: String,
    files: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    role: String,
    path: String,
    bytes: u64,
    sha256: String,
    #[serde(default)]
    parts: Vec<Part>,
    /// The same as gzip, beside it.
    #[serde(default)]
    packed: Option<Part>,
}

#[derive(Deserialize)]
struct Part {
    path: String,
    bytes: u64,
    sha256: String,
}

#[derive(Deserialize)]
struct Products {
    products: Vec<Product>,
}

#[derive(Deserialize)]
struct Product {
    #[serde(default)]
    thumb: Option<String>,
    #[serde(default)]
    images: Vec<Image>,
}

#[derive(Deserialize)]
struct Image {
    #[serde(default)]
    thumb: Option<String>,
}

impl Manifest {
    /// `None` if these are not the bytes of a manifest of ours: other things are called
    /// `manifest.json` too.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let manifest: Self = serde_json::from_slice(bytes).ok()?;
        manifest.generator.starts_with("lookalike ").then_some(manifest)
    }

    /// Name, size and hash of what is hosted: parts where a file is split, and what is packed as well.
    fn hosted(&self) -> impl Iterator<Item = (&str, Entry)> {
        self.files.iter().flat_map(|file| {
            let whole = (&file.path, file.bytes, &file.sha256);
            let whole = file.parts.is_empty().then_some(whole);
            let others = file.parts.iter().chain(&file.packed);
            let all = whole.into_iter().chain(others.map(|p| (&p.path, p.bytes, &p.sha256)));
            all.map(|(path, bytes, sha256)| {
                let sha256 = sha256.to_ascii_lowercase();
                (path.as_str(), Entry { bytes, sha256, replaced: None })
            })
        })
    }

    /// The thumbnails that the product list names; none where that cannot be read.
    fn thumbs(&self, root: &Path) -> Vec<String> {
        let Some(file) = self.files.iter().find(|file| file.role == "products") else {
            return Vec::new();
        };
        let mut names: Vec<&str> = file.parts.iter().map(|part| part.path.as_str()).collect();
        if names.is_empty() {
            names.push(&file.path);
        }
        let mut json = Vec::new();
        for name in names {
            let Some(part) = is_inside(name).then(|| std::fs::read(root.join(name)).ok()).flatten()
            else {
                return Vec::new();
            };
            json.extend(part);
        }
        let list = serde_json::from_slice::<Products>(&json).map(|list| list.products);
        let thumbs = list.unwrap_or_default().into_iter().flat_map(|product| {
            product.thumb.into_iter().chain(product.images.into_iter().filter_map(|i| i.thumb))
        });
        thumbs.filter(|name| is_inside(name)).collect()
    }

    /// All that it and its product list name, whether it is there or not.
    pub(crate) fn names(&self, root: &Path) -> Vec<String> {
        let hosted = self.hosted().map(|(name, _)| name.to_owned());
        hosted.filter(|name| is_inside(name)).chain(self.thumbs(root)).collect()
    }

    /// The files that are there, if all that are named are and agree.
    ///
    /// # Errors
    /// `BadFile` that says which does not, and what to do.
    pub(crate) fn adopt(&self, root: &Path) -> Result<BTreeMap<String, Entry>> {
        let refuse = |name: &str, why: &str| {
            Error::new(
                ErrorKind::BadFile,
                format!(
                    "{} was written before there was a list of the files that belong to the index, and {name}, which \
                     its manifest.json names, {why}: so it cannot be told which files are yours. Give another folder, \
                     or remove manifest.json and the files of the old index yourself",
                    root.display()
                ),
            )
        };
        let mut files = BTreeMap::new();
        for (name, entry) in self.hosted() {
            if !is_inside(name) {
                return Err(refuse(name, "lies outside it"));
            }
            if !entry.is_at(&root.join(name)) {
                return Err(refuse(name, "is missing or another file"));
            }
            files.insert(name.to_owned(), entry);
        }
        for name in self.thumbs(root) {
            let path = root.join(&name);
            let file = disk::look(&path)?.is_some_and(|kind| kind.is_file());
            let content = if file { disk::read(&path)? } else { Vec::new() };
            if !content.starts_with(&[0xff, 0xd8]) {
                return Err(refuse(&name, "is missing or not a thumbnail"));
            }
            files.insert(name, Entry::of(&content));
        }
        Ok(files)
    }
}
