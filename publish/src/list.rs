//! The list of files that we have written into a folder.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use lookalike_error::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use crate::{PRIVATE, disk};

/// Version of the list's form.
const FORMAT: u32 = 1;

/// A file of ours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) bytes: u64,
    /// 64 hexadecimal digits.
    pub(crate) sha256: String,
    /// When the last manifest that names it was replaced, in seconds since 1970; absent while the
    /// manifest that is there names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) replaced: Option<u64>,
}

impl Entry {
    pub(crate) fn of(content: &[u8]) -> Self {
        Self { bytes: content.len() as u64, sha256: disk::sha256(content), replaced: None }
    }

    /// Whether the file at `path` is this one. One that cannot be read is not.
    pub(crate) fn is_at(&self, path: &Path) -> bool {
        let sized = std::fs::symlink_metadata(path)
            .is_ok_and(|meta| meta.is_file() && meta.len() == self.bytes);
        sized && std::fs::read(path).is_ok_and(|found| disk::sha256(&found) == self.sha256)
    }
}

/// All files of ours in a folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct List {
    format: u32,
    /// SHA-256 of the manifest that was written last.
    pub(crate) manifest: Option<String>,
    /// By name, relative to the folder, with `/` between parts.
    pub(crate) files: BTreeMap<String, Entry>,
}

impl Default for List {
    fn default() -> Self {
        Self { format: FORMAT, manifest: None, files: BTreeMap::new() }
    }
}

impl List {
    /// `None` if there is none or it cannot be read: what is ours is then told from the manifest.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>> {
        let Some(bytes) = disk::read_if_there(path)? else { return Ok(None) };
        let list: Option<Self> = serde_json::from_slice(&bytes).ok();
        // A name that leads out of the folder is nothing that we wrote.
        Ok(list.filter(|list| list.format == FORMAT && list.files.keys().all(|n| is_inside(n))))
    }

    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let json = serde_json::to_vec(self).map_err(|cause| {
            Error::with_source(ErrorKind::Internal, "writing the list of files failed", cause)
        })?;
        disk::replace(path, &json)
    }
}

/// Whether a name leads to a file within the folder that it is relative to, and not into our
/// private one.
pub(crate) fn is_inside(name: &str) -> bool {
    let path = Path::new(name);
    let normal = path.components().all(|part| matches!(part, Component::Normal(_)));
    !name.is_empty()
        && normal
        && !name.contains(['\\', ':', '\0'])
        && !path.starts_with(PRIVATE)
        && name != "manifest.json"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_elsewhere_are_none_of_ours() {
        for name in ["a.bin", "thumbs/ab/cd.jpg"] {
            assert!(is_inside(name), "{name}");
        }
        for name in
            ["", "/etc/passwd", "../a", "a/../../b", "C:\\a", "manifest.json", ".lookalike/lock"]
        {
            assert!(!is_inside(name), "{name}");
        }
    }
}
