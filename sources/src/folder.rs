//! Folders: which files in one are pictures of a catalogue.
//!
//! What systems and programs leave beside pictures is left out, links are followed once, and pipes,
//! sockets and devices are never opened. Whatever is left out is counted, so that it can be said.

use std::collections::{HashSet, VecDeque};
use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};

use lookalike_error::{Error, ErrorKind, Result};

use crate::file::kind;

/// How files end that are taken for pictures, whatever their case. Formats that are not read (such
/// as HEIC) are among them: a picture that is refused by name is not lost without a word.
pub const EXTENSIONS: [&str; 15] = [
    "jpg", "jpeg", "jpe", "jfif", "png", "apng", "webp", "gif", "bmp", "dib", "tif", "tiff",
    "avif", "heic", "heif",
];

/// Files and folders that systems, shares and sync programs make for themselves; in lower case. Names
/// that begin with a point (`._x.png`, `.DS_Store`, `.git`, `.trash`) are hidden anyway.
const SYSTEM: [&str; 13] = [
    "__macosx",
    "thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "@eadir",
    "@recycle",
    "@recently-snapshot",
    "#recycle",
    "#snapshot",
    "lost+found",
    "$recycle.bin",
    "system volume information",
    "recycler",
];

/// A picture in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it is.
    pub path: PathBuf,
    /// Its path below the folder with `/` between the parts. [`Finder::find`](crate::Finder::find)
    /// finds the file by it. Bytes that are not UTF-8 are percent-encoded.
    pub name: String,
}

/// What a folder holds.
#[derive(Clone, Debug, Default)]
pub struct Walk {
    /// The pictures, sorted by name.
    pub pictures: Vec<Found>,
    /// Folders that could not be read and links that lead nowhere, one sentence each.
    pub notes: Vec<String>,
    /// What was left out.
    pub left_out: LeftOut,
}

/// How much was left out of a folder, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Hidden files and folders, and those that systems make for themselves.
    pub hidden: usize,
    /// Files that `lookalike index` has written.
    pub own: usize,
    /// Links to what is read already.
    pub links: usize,
    /// Pipes, sockets and devices with a picture's name.
    pub special: usize,
    /// Files that do not end as pictures do.
    pub other: usize,
}

impl fmt::Display for LeftOut {
    /// Such as "2 hidden or of the system, 1 link to what is there already"; empty where nothing
    /// was left out but files that are no pictures.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (self.hidden, "hidden or of the system"),
            (self.own, "written by lookalike"),
            (self.links, "linked to what is there already"),
            (self.special, "pipes, sockets or devices"),
        ];
        let said: Vec<String> =
            parts.iter().filter(|p| p.0 > 0).map(|(n, what)| format!("{n} {what}")).collect();
        f.write_str(&said.join(", "))
    }
}

/// Finds the pictures in a folder and the folders below it.
///
/// `own` says of a file or folder whether `lookalike index` has written it.
///
/// # Errors
///
/// Where the folder itself cannot be listed. One below it that cannot is a note.
pub fn walk(root: &Path, own: &dyn Fn(&Path) -> bool) -> Result<Walk> {
    let list = fs::read_dir(root).map_err(|cause| {
        Error::with_source(
            ErrorKind::Io,
            format!("cannot list the folder {}", root.display()),
            cause,
        )
    })?;
    drop(list);
    let mut walker =
        Walker { root, own, walk: Walk::default(), seen: HashSet::new(), links: VecDeque::new() };
    let above: HashSet<Id> = root
        .canonicalize()
        .ok()
        .iter()
        .flat_map(|path| path.ancestors().skip(1).filter_map(identity_of).collect::<Vec<_>>())
        .collect();
    if let Some(id) = identity_of(root) {
        walker.seen.insert(id);
    }
    walker.folders(root.to_owned());
    // Links come after what is really there, so that a file keeps its own name and not a link's.
    while let Some(link) = walker.links.pop_front() {
        walker.link(&link, &above);
    }
    let mut walk = walker.walk;
    walk.pictures.sort_by(|a, b| a.name.cmp(&b.name));
    walk.notes.sort();
    Ok(walk)
}

struct Walker<'a> {
    root: &'a Path,
    own: &'a dyn Fn(&Path) -> bool,
    walk: Walk,
    /// Folders and pictures that were met.
    seen: HashSet<Id>,
    /// Still to follow.
    links: VecDeque<PathBuf>,
}

impl Walker<'_> {
    /// A folder and those below it, without following links.
    fn folders(&mut self, folder: PathBuf) {
        let mut open = VecDeque::from([folder]);
        while let Some(folder) = open.pop_front() {
            for path in self.list(&folder) {
                if left_out(path.file_name().unwrap_or_default()) {
                    self.walk.left_out.hidden += 1;
                } else if (self.own)(&path) {
                    self.walk.left_out.own += 1;
                } else {
                    match fs::symlink_metadata(&path) {
                        Err(cause) => self.note(&path, "cannot be read", &cause),
                        Ok(metadata) if metadata.is_symlink() => self.links.push_back(path),
                        Ok(metadata) if metadata.is_dir() => {
                            // A folder that is mounted within itself comes by again.
                            if self.seen.insert(identity(&path, &metadata)) {
                                open.push_back(path);
                            } else {
                                self.walk.left_out.links += 1;
                            }
                        }
                        Ok(metadata) => self.file(path, &metadata, false),
                    }
                }
            }
        }
    }

    fn link(&mut self, link: &Path, above: &HashSet<Id>) {
        let metadata = match fs::metadata(link) {
            Ok(metadata) => metadata,
            Err(cause) => return self.note(link, "is a link that leads nowhere", &cause),
        };
        if !metadata.is_dir() {
            return self.file(link.to_owned(), &metadata, true);
        }
        let id = identity(link, &metadata);
        // One that leads above the folder would bring in everything beside it.
        if above.contains(&id) || !self.seen.insert(id) {
            self.walk.left_out.links += 1;
        } else {
            self.folders(link.to_owned());
        }
    }

    fn file(&mut self, path: PathBuf, metadata: &Metadata, by_link: bool) {
        if !is_picture(&path) {
            self.walk.left_out.other += 1;
        } else if !metadata.is_file() {
            self.walk.left_out.special += 1;
            self.walk.notes.push(format!("{} is {}: left out", path.display(), kind(metadata)));
        } else if !self.seen.insert(identity(&path, metadata)) && by_link {
            self.walk.left_out.links += 1;
        } else {
            let name = name_below(self.root, &path);
            // Found again by its name? It is not where another file is called what this one's
            // encoded name says.
            if path.to_str().is_none() && self.root.join(&name).exists() {
                let note = format!("{} has a name that is not UTF-8: left out", path.display());
                self.walk.notes.push(note);
            } else {
                self.walk.pictures.push(Found { path, name });
            }
        }
    }

    fn list(&mut self, folder: &Path) -> Vec<PathBuf> {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(cause) => {
                self.note(folder, "cannot be listed", &cause);
                return Vec::new();
            }
        };
        let mut paths = Vec::new();
        for entry in entries {
            match entry {
                Ok(entry) => paths.push(entry.path()),
                Err(cause) => self.note(folder, "cannot be listed to its end", &cause),
            }
        }
        paths.sort();
        paths
    }

    fn note(&mut self, path: &Path, what: &str, cause: &std::io::Error) {
        self.walk.notes.push(format!("{} {what}: {cause}", path.display()));
    }
}

/// Whether a name is a hidden one, or one of a system's own.
fn left_out(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with('.') || SYSTEM.contains(&name.to_lowercase().as_str())
}

fn is_picture(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    EXTENSIONS.contains(&extension.as_str())
}

fn name_below(root: &Path, path: &Path) -> String {
    let below = path.strip_prefix(root).unwrap_or(path);
    below.components().map(|part| text(part.as_os_str())).collect::<Vec<_>>().join("/")
}

/// A name as text. Where it is not UTF-8, the bytes that are not, and `%` itself, are encoded.
fn text(name: &OsStr) -> String {
    if let Some(name) = name.to_str() {
        return name.to_owned();
    }
    let mut text = String::new();
    for chunk in name.as_encoded_bytes().utf8_chunks() {
        text.push_str(&chunk.valid().replace('%', "%25"));
        text.extend(chunk.invalid().iter().map(|byte| format!("%{byte:02X}")));
    }
    text
}

#[cfg(unix)]
type Id = (u64, u64);

#[cfg(unix)]
fn identity(_: &Path, metadata: &Metadata) -> Id {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
type Id = PathBuf;

#[cfg(not(unix))]
fn identity(path: &Path, _: &Metadata) -> Id {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

fn identity_of(path: &Path) -> Option<Id> {
    Some(identity(path, &fs::metadata(path).ok()?))
}
