//! The cache on disk: what was fetched, one file an address.
//!
//! A file is the body, then what is known of it as JSON, then the JSON's length (`u32`, little
//! endian) and a mark. It is written aside and renamed, so that a run which is killed leaves none
//! half written; one that was cut short or changed since has no mark or another hash, and is fetched
//! anew. The folder may be removed at any time.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use lookalike_error::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

const MARK: &[u8; 8] = b"lkFetch1";
/// The JSON's length and the mark.
const TAIL: u64 = 4 + MARK.len() as u64;
/// No JSON of ours is longer; what claims to be is damaged.
const MAX_KNOWN: u64 = 64 << 10;
const EXTENSION: &str = "fetched";
/// Files in the making that are older were left by a run that was killed.
const LEFT_BEHIND: Duration = Duration::from_secs(24 * 3600);
/// What no run has asked for in so long is removed.
const UNUSED: Duration = Duration::from_secs(90 * 24 * 3600);

/// What is known of a body.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Known {
    /// Where it was asked for.
    pub(crate) address: String,
    /// Where it came from in the end, after redirects; what the two below hold for.
    pub(crate) from: String,
    pub(crate) etag: Option<String>,
    pub(crate) last_modified: Option<String>,
    pub(crate) media_type: Option<String>,
    /// Of the body, in hex.
    sha256: String,
}

impl Known {
    /// Of a body whose hash is not known yet.
    pub(crate) fn new(address: String, from: String) -> Self {
        let (etag, last_modified, media_type, sha256) = (None, None, None, String::new());
        Self { address, from, etag, last_modified, media_type, sha256 }
    }
}

/// A body on disk.
pub(crate) struct Entry {
    pub(crate) known: Known,
    /// Stands at the body's first byte.
    pub(crate) file: File,
    /// Of the body, in bytes.
    pub(crate) length: u64,
}

pub(crate) struct Store {
    folder: PathBuf,
    making: PathBuf,
}

impl Store {
    /// Makes the folder where there is none, and removes what is too old from one that is there.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        let making = folder.join("making");
        fs::create_dir_all(&making).map_err(|cause| failed("make the folder", &making, cause))?;
        // Programs that make backups leave a folder out that says so.
        let tag = folder.join("CACHEDIR.TAG");
        if !tag.exists() {
            let text = "Signature: 8a477f597d28d172789f06886806bc55\n\
                        # Pictures that lookalike has fetched; may be removed at any time.\n";
            fs::write(&tag, text).map_err(|cause| failed("write", &tag, cause))?;
        }
        let store = Self { folder: folder.to_owned(), making };
        store.sweep();
        Ok(store)
    }

    fn path(&self, address: &str) -> PathBuf {
        let name = hex(&Sha256::digest(address));
        self.folder.join(&name[..2]).join(format!("{}.{EXTENSION}", &name[2..]))
    }

    /// What is there for an address; none where there is nothing, or it is visibly damaged. Its hash
    /// is not looked at: [`Self::read`] does.
    pub(crate) fn entry(&self, address: &str) -> Option<Entry> {
        let path = self.path(address);
        let mut file = File::open(path).ok()?;
        let whole = file.metadata().ok()?.len();
        let mut tail = [0; TAIL as usize];
        file.seek(SeekFrom::Start(whole.checked_sub(TAIL)?)).ok()?;
        file.read_exact(&mut tail).ok()?;
        let (length, mark) = tail.split_at(4);
        let known = u64::from(u32::from_le_bytes(length.try_into().ok()?));
        if mark != MARK || known > MAX_KNOWN {
            return None;
        }
        let length = (whole - TAIL).checked_sub(known)?;
        file.seek(SeekFrom::Start(length)).ok()?;
        let mut json = vec![0; known as usize];
        file.read_exact(&mut json).ok()?;
        let known = serde_json::from_slice(&json).ok()?;
        file.rewind().ok()?;
        Some(Entry { known, file, length })
    }

    /// A body, if there is one that is whole.
    pub(crate) fn read(&self, address: &str) -> Option<Vec<u8>> {
        let mut entry = self.entry(address)?;
        let mut body = vec![0; usize::try_from(entry.length).ok()?];
        entry.file.read_exact(&mut body).ok()?;
        (hex(&Sha256::digest(&body)) == entry.known.sha256).then_some(body)
    }

    /// Whether there is a body that is whole; reads it without holding it.
    pub(crate) fn is_whole(&self, address: &str) -> bool {
        let Some(entry) = self.entry(address) else { return false };
        let mut hash = Sha256::new();
        let mut body = entry.file.take(entry.length);
        std::io::copy(&mut body, &mut hash).is_ok_and(|n| n == entry.length)
            && hex(&hash.finalize()) == entry.known.sha256
    }

    /// Says that a run has asked for it.
    pub(crate) fn touch(&self, address: &str) {
        if let Ok(file) = File::options().append(true).open(self.path(address)) {
            // Fails on file systems that keep no times: then it is fetched again in 90 days.
            let _ = file.set_modified(SystemTime::now());
        }
    }

    pub(crate) fn remove(&self, address: &str) {
        // One that cannot be removed is written over.
        let _ = fs::remove_file(self.path(address));
    }

    /// Begins a body; until it is finished it is not there.
    pub(crate) fn begin(&self) -> Result<Making> {
        static MADE: AtomicU64 = AtomicU64::new(0);
        loop {
            let number = MADE.fetch_add(1, Ordering::Relaxed);
            let path = self.making.join(format!("{}-{number}.{EXTENSION}", process::id()));
            match File::create_new(&path) {
                Ok(file) => return Ok(Making { file, path, hash: Sha256::new() }),
                // Left by a run that was killed, whose number this one has now.
                Err(cause) if cause.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(cause) => return Err(failed("write", &path, cause)),
            }
        }
    }

    /// Puts a body where it is found.
    pub(crate) fn finish(&self, address: &str, mut making: Making, mut known: Known) -> Result<()> {
        let path = self.path(address);
        let written = |cause| failed("write", &path, cause);
        known.sha256 = hex(&std::mem::take(&mut making.hash).finalize());
        let json = serde_json::to_vec(&known).map_err(|cause| written(cause.into()))?;
        let file = &mut making.file;
        if json.len() as u64 > MAX_KNOWN {
            let what = "what its server says of it is too long to keep";
            return Err(Error::new(ErrorKind::TooLarge, what));
        }
        file.write_all(&json).map_err(written)?;
        file.write_all(&(json.len() as u32).to_le_bytes()).map_err(written)?;
        file.write_all(MARK).map_err(written)?;
        fs::create_dir_all(path.parent().unwrap_or(&self.folder)).map_err(written)?;
        // Its own path is free then, and removing it does nothing.
        fs::rename(&making.path, &path).map_err(written)
    }

    /// Removes what runs that were killed have left, and what no run has asked for in a long time.
    /// Files of other names than ours stay.
    fn sweep(&self) {
        for path in files(&self.making) {
            remove_older(&path, LEFT_BEHIND);
        }
        for folder in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let name = folder.file_name();
            if name.len() == 2 && name.to_string_lossy().bytes().all(|b| b.is_ascii_hexdigit()) {
                for path in files(&folder.path()) {
                    remove_older(&path, UNUSED);
                }
            }
        }
    }
}

/// A body that is being written; removed unless it is finished.
pub(crate) struct Making {
    file: File,
    path: PathBuf,
    hash: Sha256,
}

impl Making {
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.hash.update(bytes);
        self.file.write_all(bytes).map_err(|cause| failed("write", &self.path, cause))
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        // Gone already where it was finished; else what cannot be removed is swept up in a day.
        let _ = fs::remove_file(&self.path);
    }
}

/// Ours in a folder.
fn files(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.extension() == Some(EXTENSION.as_ref()))
}

fn remove_older(path: &Path, age: Duration) {
    let old = |time: SystemTime| time.elapsed().is_ok_and(|elapsed| elapsed > age);
    if fs::metadata(path).and_then(|m| m.modified()).is_ok_and(old) {
        // Another run may have removed it first.
        let _ = fs::remove_file(path);
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn failed(what: &str, path: &Path, cause: std::io::Error) -> Error {
    let what = format!(
        "cannot {what} {}, where fetched pictures are kept; --pictures names another folder",
        path.display()
    );
    Error::with_source(ErrorKind::Io, what, cause)
}
