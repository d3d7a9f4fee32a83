//! Telling files that we have written from a shop's own, wherever they lie.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::PRIVATE;
use crate::hosted::Manifest;
use crate::list::List;

/// A manifest larger than this is not read to see whether it is one of ours.
const MAX_MANIFEST_BYTES: u64 = 1 << 28;

/// Knows the files of every hosted folder that it comes across: by the folder's own list, and by
/// its manifest and product list, which alone are there where a folder was copied.
#[derive(Default)]
pub struct OwnFiles {
    /// Absolute paths of each folder's files; `None` for a folder that is not hosted.
    folders: Mutex<HashMap<PathBuf, Option<Arc<HashSet<PathBuf>>>>>,
}

impl OwnFiles {
    /// Knows nothing yet; looks when it is asked.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether `lookalike index` has written this file, or what a link leads to.
    #[must_use]
    pub fn wrote(&self, path: &Path) -> bool {
        let absolute = fs::canonicalize(path).or_else(|_| std::path::absolute(path));
        let Ok(path) = absolute else { return false };
        if path.components().any(|part| part.as_os_str() == PRIVATE) {
            return true;
        }
        let above = path.ancestors().skip(1);
        above.filter_map(|folder| self.files_of(folder)).any(|files| files.contains(&path))
    }

    fn files_of(&self, folder: &Path) -> Option<Arc<HashSet<PathBuf>>> {
        let mut folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = folders.get(folder) {
            return known.clone();
        }
        let files = find(folder).map(Arc::new);
        folders.insert(folder.to_owned(), files.clone());
        files
    }
}

/// The absolute paths of our files in a folder, if it is a hosted one.
fn find(folder: &Path) -> Option<HashSet<PathBuf>> {
    let mut names: HashSet<String> = HashSet::new();
    let private = folder.join(PRIVATE);
    // The second is there while a run moves its files into place, or where one ended while it did.
    for list in ["files.json", "next.json"] {
        if let Ok(Some(list)) = List::read(&private.join(list)) {
            names.extend(list.files.into_keys());
        }
    }
    let path = folder.join("manifest.json");
    let small = fs::metadata(&path).is_ok_and(|m| m.is_file() && m.len() < MAX_MANIFEST_BYTES);
    let manifest = small.then(|| fs::read(&path).ok()).flatten();
    if let Some(manifest) = manifest.as_deref().and_then(Manifest::read) {
        names.extend(manifest.names(folder));
    }
    (!names.is_empty()).then(|| names.iter().map(|name| folder.join(name)).collect())
}
