//! Names: from what a catalogue calls a picture to the file or the address that is meant.
//!
//! The exact name comes first. Only where no file has it, the usual ways in which exports spoil
//! names are undone, fewest first: spaces around it, `\` for `/`, `%20`, `?v=1#part`, a leading `/`
//! or a drive that meant the shop's folder; then another Unicode form (NFC in the feed, NFD on the
//! disk), then other case, where only one file fits.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use lookalike_error::{Error, ErrorKind, Result};
use percent_encoding::percent_decode_str;
use unicode_normalization::UnicodeNormalization;

use crate::address::Address;

/// Where a picture is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// On this machine.
    File(PathBuf),
    /// On another.
    Address(Address),
}

/// Finds what a catalogue's names mean.
///
/// A catalogue on this machine may name any file on it, by an absolute path or by `..`: it is the
/// shop's own. One that came by an address names other addresses alone, and no file here.
pub struct Finder {
    base: Base,
    listings: Mutex<HashMap<PathBuf, Arc<Listing>>>,
}

/// What relative names start from.
enum Base {
    Folder(PathBuf),
    Address(Address),
}

impl Finder {
    /// Names relative to a folder.
    #[must_use]
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        let mut folder = folder.into();
        if folder.as_os_str().is_empty() {
            folder.push(".");
        }
        Self { base: Base::Folder(folder), listings: Mutex::default() }
    }

    /// Names relative to an address, such as that of the feed.
    #[must_use]
    pub fn at_address(address: Address) -> Self {
        Self { base: Base::Address(address), listings: Mutex::default() }
    }

    /// What `name` means.
    ///
    /// # Errors
    ///
    /// Where no file is called so, or several might be meant; the message says what was tried. Where
    /// the name is an address that cannot be one.
    pub fn find(&self, name: &str) -> Result<Place> {
        if Address::is_meant(name) {
            return Address::parse(name).map(Place::Address);
        }
        match &self.base {
            Base::Folder(folder) => self.file(folder, name).map(Place::File),
            Base::Address(address) => {
                if is_file_address(name) || after_drive(name).is_some() {
                    let what = format!(
                        "{name:?} is a file's name; a feed that came from {address} can name \
                         addresses alone"
                    );
                    return Err(Error::new(ErrorKind::BadCatalog, what));
                }
                address.join(name).map(Place::Address)
            }
        }
    }

    /// The address that `name` means, if it means one; files are not looked for.
    #[must_use]
    pub fn address(&self, name: &str) -> Option<Address> {
        match &self.base {
            Base::Folder(_) if !Address::is_meant(name) => None,
            _ => match self.find(name) {
                Ok(Place::Address(address)) => Some(address),
                _ => None,
            },
        }
    }

    fn file(&self, folder: &Path, name: &str) -> Result<PathBuf> {
        let tries = tries(folder, name);
        if let Some(found) = tries.iter().find(|path| is_there(path)) {
            return Ok(found.clone());
        }
        for path in &tries {
            if let Some(found) = self.loosely(path)? {
                return Ok(found);
            }
        }
        let also: Vec<String> = tries.iter().skip(1).map(|p| p.display().to_string()).collect();
        let mut what = match tries.first() {
            Some(first) => format!("there is no picture {}", first.display()),
            None => "a picture has no name".to_owned(),
        };
        if !also.is_empty() {
            what += &format!(", nor {}", also.join(", nor "));
        }
        Err(Error::new(ErrorKind::BadCatalog, what))
    }

    /// The one file whose path differs from `path` in Unicode form, else in case alone.
    fn loosely(&self, path: &Path) -> Result<Option<PathBuf>> {
        let mut at = PathBuf::new();
        for part in path.components() {
            let Component::Normal(name) = part else {
                at.push(part);
                continue;
            };
            let exact = at.join(name);
            if fs::symlink_metadata(&exact).is_ok() {
                at = exact;
                continue;
            }
            let Some(name) = name.to_str() else { return Ok(None) };
            let listing = self.listing(&at);
            let (composed, folded) = (composed(name), folded(name));
            let fitting = [listing.composed.get(&composed), listing.folded.get(&folded)];
            match fitting.into_iter().flatten().next().map(Vec::as_slice) {
                None | Some([]) => return Ok(None),
                Some([one]) => at.push(one),
                Some(several) => {
                    let what = format!(
                        "{} could be any of {}: name it exactly",
                        exact.display(),
                        several.join(", ")
                    );
                    return Err(Error::new(ErrorKind::BadCatalog, what));
                }
            }
        }
        Ok(is_there(&at).then_some(at))
    }

    fn listing(&self, folder: &Path) -> Arc<Listing> {
        let mut listings = self.listings.lock().unwrap_or_else(PoisonError::into_inner);
        let listing = listings.entry(folder.to_owned());
        Arc::clone(listing.or_insert_with(|| Arc::new(Listing::of(folder))))
    }
}

/// The names in a folder, by what they have in common with others.
#[derive(Default)]
struct Listing {
    composed: HashMap<String, Vec<String>>,
    folded: HashMap<String, Vec<String>>,
}

impl Listing {
    /// Empty where the folder cannot be listed: then nothing is found in it.
    fn of(folder: &Path) -> Self {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let mut names: Vec<String> = fs::read_dir(folder)
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect();
        names.sort();
        let mut listing = Self::default();
        for name in names {
            listing.composed.entry(composed(&name)).or_default().push(name.clone());
            listing.folded.entry(folded(&name)).or_default().push(name);
        }
        listing
    }
}

fn composed(name: &str) -> String {
    name.nfc().collect()
}

fn folded(name: &str) -> String {
    composed(name).to_lowercase()
}

/// Whether something that is no folder has this path. What it is, is looked at when it is opened.
fn is_there(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| !metadata.is_dir())
}

/// The paths that a name may mean, the likeliest first.
fn tries(folder: &Path, name: &str) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    let name = if is_file_address(name) { after_file(name.trim()) } else { name };
    paths.extend(readings(name).into_iter().flat_map(|reading| places(folder, &reading)));
    let mut met = HashSet::new();
    paths.retain(|path| met.insert(path.as_os_str().to_owned()));
    paths
}

/// The path of a `file:` address, still encoded: `/x` in `file:///x` and `file://localhost/x`, `C:/x` in
/// `file:///C:/x`. What is written with too few strokes, as in `file://x.png`, is relative.
fn after_file(name: &str) -> &str {
    let path = &name["file:".len()..];
    let path = path.strip_prefix("//localhost/").map_or(path, |_| &path["//localhost".len()..]);
    let path = path.strip_prefix("//").unwrap_or(path);
    match path.strip_prefix('/') {
        Some(drive) if after_drive(drive).is_some() => drive,
        _ => path,
    }
}

/// A name as it stands, and with more and more of what exports do to names undone.
fn readings(name: &str) -> Vec<PathBuf> {
    const TRIM: u8 = 1;
    const QUERY: u8 = 2;
    const FRAGMENT: u8 = 4;
    const DECODE: u8 = 8;
    const SLASHES: u8 = 16;
    let mut ways: Vec<u8> = (0..32).collect();
    ways.sort_by_key(|way| (way.count_ones(), *way));
    let mut readings = Vec::new();
    for way in ways {
        let mut text = name;
        if way & TRIM != 0 {
            text = text.trim();
        }
        if way & QUERY != 0 {
            text = text.split('?').next().unwrap_or_default();
        }
        if way & FRAGMENT != 0 {
            text = text.split('#').next().unwrap_or_default();
        }
        let mut bytes = if way & DECODE != 0 {
            percent_decode_str(text).collect()
        } else {
            text.as_bytes().to_vec()
        };
        if way & SLASHES != 0 {
            bytes.iter_mut().filter(|byte| **byte == b'\\').for_each(|byte| *byte = b'/');
        }
        let Some(path) = path_of(bytes) else { continue };
        if !path.as_os_str().is_empty() && !readings.contains(&path) {
            readings.push(path);
        }
    }
    readings
}

#[cfg(unix)]
fn path_of(bytes: Vec<u8>) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt;
    Some(std::ffi::OsString::from_vec(bytes).into())
}

#[cfg(not(unix))]
fn path_of(bytes: Vec<u8>) -> Option<PathBuf> {
    String::from_utf8(bytes).ok().map(PathBuf::from)
}

/// Where a reading may lie: as it says; and, where it starts from a root or a drive, below `folder`.
fn places(folder: &Path, reading: &Path) -> Vec<PathBuf> {
    // Joining an absolute path replaces the folder.
    let mut places = vec![folder.join(reading)];
    if reading.has_root() {
        let below = reading.components().filter(|c| matches!(c, Component::Normal(_)));
        places.push(folder.join(below.collect::<PathBuf>()));
    }
    // The folders above the picture on the machine that made the feed need not be here.
    if let Some(below) = reading.to_str().and_then(after_drive).filter(|p| !p.contains('\\')) {
        let parts: Vec<&str> = below.split('/').filter(|part| !part.is_empty()).collect();
        places.extend((0..parts.len()).map(|from| folder.join(parts[from..].join("/"))));
    }
    places
}

/// What follows `C:\` or `C:/`.
fn after_drive(name: &str) -> Option<&str> {
    let name = name.trim();
    let mut letters = name.chars();
    let drive = letters.next().is_some_and(|c| c.is_ascii_alphabetic());
    (drive && letters.next() == Some(':') && matches!(letters.next(), Some('\\' | '/')))
        .then(|| &name[3..])
}

fn is_file_address(name: &str) -> bool {
    name.trim().get(..5).is_some_and(|start| start.eq_ignore_ascii_case("file:"))
}
