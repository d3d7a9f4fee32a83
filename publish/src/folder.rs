//! A hosted folder, open for writing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lookalike_error::{Error, ErrorKind, Result};

use crate::hosted::Manifest;
use crate::list::{Entry, List};
use crate::lock::Lock;
use crate::{PRIVATE, disk};

const MANIFEST: &str = "manifest.json";
/// Digits of a content's hash in a file's name. Two contents that share them are told apart by all
/// digits.
const DIGITS: usize = 16;
/// Files that are waited for at once: a disk takes several in one go.
const SYNCING: usize = 8;

/// When a file was replaced that no manifest has ever named.
const NEVER_NAMED: u64 = 0;

/// A folder that a shop hosts, locked by this process. What is put into it lies aside until
/// [`Folder::commit`]; if that is never reached, whatever the reason, the folder is as it was.
pub struct Folder {
    root: PathBuf,
    private: PathBuf,
    _lock: Lock,
    list: List,
    manifest: Option<Vec<u8>>,
    /// What the next manifest names, by name.
    planned: Mutex<BTreeMap<String, Planned>>,
}

struct Planned {
    entry: Entry,
    place: Place,
}

/// Where a planned file is.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// Where it belongs, and ours.
    There,
    /// Where it belongs, but not written by us: it is used and never removed.
    Foreign,
    /// Waiting.
    Aside,
}

/// What [`Folder::commit`] did.
#[derive(Debug, Default)]
pub struct Committed {
    /// Files that were moved into place.
    pub written: usize,
    /// Files that were there already.
    pub kept: usize,
    /// Files of earlier manifests that were removed.
    pub removed: usize,
    /// What went wrong after the swap: it is done, and the next run tidies up.
    pub untidy: Option<Error>,
}

impl Folder {
    /// Opens a folder for writing, makes it if it is not there, and puts in order what a run that
    /// was cut off has left.
    ///
    /// # Errors
    /// `Io` if it cannot be written to, is no folder, or another process has it open; `BadFile` if
    /// there is a `manifest.json` in it that we have not written, or one of a folder without a list
    /// of our own files that does not agree with what lies there. The folder is then as it was.
    pub fn open(path: &Path) -> Result<Self> {
        let is_link = disk::look(path)?.is_some_and(|kind| kind.is_symlink());
        let wrong = |what: &str| Error::new(ErrorKind::Io, format!("{} {what}", path.display()));
        if !path.exists() && is_link {
            return Err(wrong("is a link that leads nowhere; remove it or give another folder"));
        }
        if path.exists() && !path.is_dir() {
            return Err(wrong("is a file; give the folder to write"));
        }
        disk::make_folder(path)?;
        let root = fs::canonicalize(path).map_err(|cause| disk::io("open", path, cause))?;
        // Before anything is written, so that a folder which is not for us stays untouched.
        check_manifest(&root)?;
        let private = root.join(PRIVATE);
        if disk::look(&private)?.is_some_and(|kind| !kind.is_dir()) {
            return Err(Error::new(
                ErrorKind::Io,
                format!("{} is in the way: it has to be a folder", private.display()),
            ));
        }
        disk::make_folder(&private)?;
        let lock = Lock::take(path, &private.join("lock"))?;
        // Again, now that nobody else writes.
        let manifest = check_manifest(&root)?;
        let list = put_in_order(&root, &private, manifest.as_deref())?;
        let planned = Mutex::default();
        Ok(Self { root, private, _lock: lock, list, manifest, planned })
    }

    /// Where the folder is: absolute, links resolved.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// A folder for what is remembered between runs.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.private.join("state")
    }

    /// The manifest that is there.
    #[must_use]
    pub fn manifest(&self) -> Option<&[u8]> {
        self.manifest.as_deref()
    }

    /// Takes a file in, to be called `STEM-HASH.ENDING`, and gives its name.
    ///
    /// # Errors
    /// `Io` if it cannot be written.
    pub fn put(&self, stem: &str, ending: &str, content: &[u8]) -> Result<String> {
        self.take(content, |hash| format!("{stem}-{hash}.{ending}"))
    }

    /// Takes a thumbnail in and gives its name, below `thumbs/`.
    ///
    /// # Errors
    /// `Io` if it cannot be written.
    pub fn put_thumb(&self, jpeg: &[u8]) -> Result<String> {
        self.take(jpeg, |hash| format!("thumbs/{}/{}.jpg", &hash[..2], &hash[2..]))
    }

    /// The content of a file of an earlier run, if it is there and has the `sha256` that is expected. It is not kept by
    /// this: put it.
    #[must_use]
    pub fn read(&self, name: &str, sha256: &str) -> Option<Vec<u8>> {
        self.list.files.get(name).filter(|entry| entry.sha256 == sha256)?;
        let content = fs::read(self.root.join(name)).ok()?;
        (disk::sha256(&content) == sha256).then_some(content)
    }

    /// Keeps a file of an earlier run, or of one that was cut off, without its content being at
    /// hand. Gives whether it is there and has the `sha256` that is expected.
    #[must_use]
    pub fn keep(&self, name: &str, sha256: &str) -> bool {
        if let Some(planned) = self.planned().get(name) {
            return planned.entry.sha256 == sha256;
        }
        let listed = self.list.files.get(name).filter(|entry| entry.sha256 == sha256);
        let (entry, place) = if let Some(entry) = listed.filter(|e| e.is_at(&self.root.join(name)))
        {
            (Entry { replaced: None, ..entry.clone() }, Place::There)
        } else {
            // A run that was cut off has left no list of what it put aside; its content says what
            // it is.
            let Ok(content) = fs::read(self.aside(name)) else { return false };
            (Entry::of(&content), Place::Aside)
        };
        let same = entry.sha256 == sha256;
        if same {
            self.planned().insert(name.to_owned(), Planned { entry, place });
        }
        same
    }

    fn take(&self, content: &[u8], name_of: impl Fn(&str) -> String) -> Result<String> {
        let entry = Entry::of(content);
        for digits in [DIGITS, entry.sha256.len()] {
            let name = name_of(&entry.sha256[..digits]);
            let Some(place) = self.place(&name, &entry)? else { continue };
            {
                let mut planned = self.planned();
                if let Some(same) = planned.get(&name) {
                    if same.entry.sha256 == entry.sha256 {
                        return Ok(name);
                    }
                    continue;
                }
                planned.insert(name.clone(), Planned { entry: entry.clone(), place });
            }
            if place == Place::Aside {
                let aside = self.aside(&name);
                if !entry.is_at(&aside) {
                    disk::write(&aside, content)?;
                }
            }
            return Ok(name);
        }
        Err(in_the_way(&self.root.join(name_of(&entry.sha256))))
    }

    /// Where a file of this name and content is or will be; `None` if another one has the name.
    fn place(&self, name: &str, entry: &Entry) -> Result<Option<Place>> {
        let path = self.root.join(name);
        self.check_way(name)?;
        if let Some(listed) = self.list.files.get(name) {
            let place = if entry.is_at(&path) { Place::There } else { Place::Aside };
            return Ok((listed.sha256 == entry.sha256).then_some(place));
        }
        Ok(match disk::look(&path)? {
            None => Some(Place::Aside),
            Some(_) => entry.is_at(&path).then_some(Place::Foreign),
        })
    }

    /// The folders between ours and a file must be folders: a link would lead to places that are
    /// not ours.
    fn check_way(&self, name: &str) -> Result<()> {
        let above: Vec<&Path> = Path::new(name).ancestors().skip(1).collect();
        // The outermost first: what is in a file cannot even be looked at.
        for folder in above.into_iter().rev().filter(|folder| !folder.as_os_str().is_empty()) {
            let folder = self.root.join(folder);
            if disk::look(&folder)?.is_some_and(|kind| !kind.is_dir()) {
                return Err(in_the_way(&folder));
            }
        }
        Ok(())
    }

    /// Moves all that was put or kept into place and then, by one renaming, the manifest that names
    /// it. Files of earlier manifests stay for `keep` after the last manifest that named them was
    /// replaced.
    ///
    /// # Errors
    /// `Io` if something cannot be written: the manifest that was there and all its files are then
    /// untouched.
    pub fn commit(mut self, manifest: &[u8], keep: Duration) -> Result<Committed> {
        let planned =
            std::mem::take(self.planned.get_mut().unwrap_or_else(PoisonError::into_inner));
        let waiting: Vec<&String> =
            planned.iter().filter(|(_, p)| p.place == Place::Aside).map(|(name, _)| name).collect();
        self.sync_aside(&waiting)?;

        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let mut next = self.list.clone();
        next.manifest = Some(disk::sha256(manifest));
        next.files.values_mut().for_each(|entry| entry.replaced = entry.replaced.or(Some(now)));
        for (name, planned) in planned.iter().filter(|(_, p)| p.place != Place::Foreign) {
            next.files.insert(name.clone(), planned.entry.clone());
        }
        // From here on, whatever is in place without being on the old list is on this one.
        let next_path = self.private.join("next.json");
        next.write(&next_path)?;

        let mut folders = BTreeSet::new();
        for name in &waiting {
            let path = self.root.join(name);
            // Somebody may have put a file of their own there since.
            self.check_way(name)?;
            if !self.list.files.contains_key(*name) && disk::look(&path)?.is_some() {
                return Err(in_the_way(&path));
            }
            let folder = path.parent().unwrap_or(&self.root).to_owned();
            if !folders.contains(&folder) {
                disk::make_folder(&folder)?;
                folders.insert(folder);
            }
            fs::rename(self.aside(name), &path).map_err(|cause| disk::io("write", &path, cause))?;
        }
        for folder in folders.iter().flat_map(|folder| folder.ancestors()) {
            if folder.starts_with(&self.root) {
                disk::sync_folder(folder)?;
            }
        }

        // The swap. A manifest that is the same keeps its date, and with it what hosts tell caches.
        if self.manifest.as_deref() != Some(manifest) {
            let aside = self.aside(MANIFEST);
            disk::write(&aside, manifest)?;
            disk::sync(&aside)?;
            disk::rename(&aside, &self.root.join(MANIFEST))?;
        }
        let (written, kept) = (waiting.len(), planned.len() - waiting.len());
        let listed = disk::rename(&next_path, &self.private.join("files.json"));
        self.list = next;
        let (removed, untidy) = match listed.and_then(|()| self.clean_up(now, keep)) {
            Ok(removed) => (removed, None),
            Err(error) => (0, Some(error)),
        };
        Ok(Committed { written, kept, removed, untidy })
    }

    fn sync_aside(&self, names: &[&String]) -> Result<()> {
        let next = AtomicUsize::new(0);
        let work = || -> Result<()> {
            while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
                disk::sync(&self.aside(name))?;
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..SYNCING).map(|_| scope.spawn(work)).collect();
            let panicked = |_| Error::new(ErrorKind::Internal, "a thread that writes has panicked");
            workers.into_iter().try_for_each(|worker| worker.join().map_err(panicked)?)
        })
    }

    /// Removes our own files that no manifest has named for long, and all that is left aside.
    fn clean_up(&mut self, now: u64, keep: Duration) -> Result<usize> {
        let expired = |entry: &Entry| {
            // A clock that was turned back makes nothing older.
            let old = |since| since == NEVER_NAMED || now.saturating_sub(since) >= keep.as_secs();
            entry.replaced.is_some_and(old)
        };
        let names: Vec<String> =
            self.list.files.iter().filter(|(_, e)| expired(e)).map(|(n, _)| n.clone()).collect();
        for name in &names {
            let path = self.root.join(name);
            if self.check_way(name).is_ok() && self.list.files[name].is_at(&path) {
                disk::remove(&path)?;
                // Folders that this leaves empty were made for it; others are not removed by this.
                for folder in Path::new(name).ancestors().skip(1) {
                    if folder.as_os_str().is_empty()
                        || fs::remove_dir(self.root.join(folder)).is_err()
                    {
                        break;
                    }
                }
            }
            self.list.files.remove(name);
        }
        if !names.is_empty() {
            self.list.write(&self.private.join("files.json"))?;
        }
        let aside = self.private.join("aside");
        if disk::look(&aside)?.is_some() {
            fs::remove_dir_all(&aside).map_err(|cause| disk::io("remove", &aside, cause))?;
        }
        Ok(names.len())
    }

    fn aside(&self, name: &str) -> PathBuf {
        self.private.join("aside").join(name)
    }

    fn planned(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Planned>> {
        self.planned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn in_the_way(path: &Path) -> Error {
    Error::new(
        ErrorKind::Io,
        format!(
            "{} is in the way and was not written by us: move it, or give another folder",
            path.display()
        ),
    )
}

/// The manifest that is there, if it is one of ours.
fn check_manifest(root: &Path) -> Result<Option<Vec<u8>>> {
    let path = root.join(MANIFEST);
    let Some(kind) = disk::look(&path)? else { return Ok(None) };
    if !kind.is_file() {
        return Err(Error::new(
            ErrorKind::BadFile,
            format!(
                "{} is no file; it would be replaced by one: give another folder",
                path.display()
            ),
        ));
    }
    let bytes = disk::read(&path)?;
    if Manifest::read(&bytes).is_none() {
        return Err(Error::new(
            ErrorKind::BadFile,
            format!(
                "{} was not written by us and is not overwritten: give a folder of its own, such as {}",
                path.display(),
                root.join("lookalike").display()
            ),
        ));
    }
    Ok(Some(bytes))
}

/// The list of our files, true for what is there now, after whatever has happened since the last
/// run.
fn put_in_order(root: &Path, private: &Path, manifest: Option<&[u8]>) -> Result<List> {
    let (list_path, next_path) = (private.join("files.json"), private.join("next.json"));
    let mut list = List::read(&list_path)?.unwrap_or_default();
    let there = manifest.map(disk::sha256);
    if let Some(next) = List::read(&next_path)? {
        if there.is_some() && next.manifest == there {
            // It was cut off after the swap.
            disk::rename(&next_path, &list_path)?;
            list = next;
        } else {
            // Before it. What is in place already is ours, and goes with the next swap unless that
            // needs it.
            for (name, entry) in next.files {
                if !list.files.contains_key(&name) && entry.is_at(&root.join(&name)) {
                    list.files.insert(name, Entry { replaced: Some(NEVER_NAMED), ..entry });
                }
            }
            list.write(&list_path)?;
        }
    }
    disk::remove(&next_path)?;
    if let Some(bytes) = manifest.filter(|_| list.manifest != there) {
        // Made before there was a list, copied without it, or put back from an earlier run.
        let Some(manifest) = Manifest::read(bytes) else { return Ok(list) };
        let adopted = manifest.adopt(root)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        list.files.values_mut().for_each(|entry| entry.replaced = entry.replaced.or(Some(now)));
        list.files.extend(adopted);
        list.manifest = there;
        list.write(&list_path)?;
    }
    Ok(list)
}
