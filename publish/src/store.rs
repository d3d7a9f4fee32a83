//! A memory between runs: values by key in one file that only grows, so that what a run has
//! computed is kept from the moment that it is computed.

use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use lookalike_error::Result;
use sha2::{Digest, Sha256};

use crate::disk;
use crate::lock::Lock;

/// What a value is found by; make it a hash of all that the value depends on.
pub type Key = [u8; 32];

const NAME: &str = "seen.log";
/// What the file begins with.
const MAGIC: &[u8; 8] = b"LLSEEN\x00\x01";
/// Length (u32, little-endian), key, and the first bytes of the SHA-256 of both key and value.
const HEAD: usize = 4 + 32 + CHECK;
const CHECK: usize = 8;

/// Values by key on disk. Values that are damaged, or that a run was writing when it was cut off,
/// are as if they had never been put.
pub struct Store {
    path: PathBuf,
    _lock: Lock,
    log: Mutex<Log>,
}

struct Log {
    file: File,
    /// Where the next value goes.
    end: u64,
    /// Where each value is, and its length.
    places: HashMap<Key, (u64, u32)>,
    /// What this run has asked for or put.
    used: HashSet<Key>,
}

impl Store {
    /// Opens the store in a folder, which is made if it is not there. Reads the keys alone.
    ///
    /// # Errors
    /// `Io` if it cannot be read and written, or another process has it open.
    pub fn open(folder: &Path) -> Result<Self> {
        disk::make_folder(folder)?;
        let lock = Lock::take(folder, &folder.join("lock"))?;
        let path = folder.join(NAME);
        let log = Log::open(&path).map_err(|cause| disk::io("open", &path, cause))?;
        Ok(Self { path, _lock: lock, log: Mutex::new(log) })
    }

    /// The value of a key, if there is one and it is whole.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<Vec<u8>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).get(key)
    }

    /// Remembers a value; one that was there before is forgotten.
    ///
    /// # Errors
    /// `Io` if it cannot be written; what was there before stays.
    pub fn put(&self, key: &Key, value: &[u8]) -> Result<()> {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.put(key, value).map_err(|cause| disk::io("write", &self.path, cause))
    }

    /// Forgets what was neither asked for nor put since the store was opened, if that is more than
    /// half of the file.
    ///
    /// # Errors
    /// `Io` if it cannot be written; what was there before stays.
    pub fn forget_unused(&self) -> Result<()> {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let used: u64 =
            log.used.iter().filter_map(|key| Some(log.places.get(key)?.1)).map(u64::from).sum();
        if used >= log.end / 2 {
            return Ok(());
        }
        let mut keys: Vec<Key> = log.used.iter().copied().collect();
        // In the order of the file, which is the quickest to read.
        keys.sort_by_key(|key| log.places.get(key).map(|&(at, _)| at));
        let aside = self.path.with_extension("new");
        let _ = std::fs::remove_file(&aside);
        let mut write = || -> io::Result<()> {
            let mut fresh = Log::open(&aside)?;
            for key in &keys {
                if let Some(value) = log.get(key) {
                    fresh.put(key, &value)?;
                }
            }
            fresh.file.sync_all()
        };
        write().map_err(|cause| disk::io("write", &aside, cause))?;
        disk::rename(&aside, &self.path)?;
        *log = Log::open(&self.path).map_err(|cause| disk::io("open", &self.path, cause))?;
        log.used = keys.into_iter().collect();
        Ok(())
    }
}

impl Log {
    fn open(path: &Path) -> io::Result<Self> {
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let length = file.metadata()?.len();
        let mut magic = [0; MAGIC.len()];
        let known =
            length >= MAGIC.len() as u64 && file.read_exact(&mut magic).is_ok() && &magic == MAGIC;
        if !known {
            // New, or nothing that this version can read: it is a memory, and can be made again.
            file.set_len(0)?;
            file.rewind()?;
            file.write_all(MAGIC)?;
        }
        let mut places = HashMap::new();
        let mut end = MAGIC.len() as u64;
        if known {
            let mut reader = BufReader::new(&file);
            let mut head = [0; HEAD];
            while end + HEAD as u64 <= length {
                reader.read_exact(&mut head)?;
                let (size, key) = parse(&head);
                let start = end + HEAD as u64;
                if start + u64::from(size) > length {
                    break;
                }
                reader.seek_relative(i64::from(size))?;
                places.insert(key, (start, size));
                end = start + u64::from(size);
            }
            // A value that was being written when its run was cut off.
            file.set_len(end)?;
        }
        Ok(Self { file, end, places, used: HashSet::new() })
    }

    fn get(&mut self, key: &Key) -> Option<Vec<u8>> {
        let &(at, size) = self.places.get(key)?;
        self.used.insert(*key);
        let mut bytes = vec![0; HEAD + size as usize];
        self.file.seek(SeekFrom::Start(at - HEAD as u64)).ok()?;
        self.file.read_exact(&mut bytes).ok()?;
        let value = bytes.split_off(HEAD);
        (bytes[HEAD - CHECK..] == check(key, &value)).then_some(value)
    }

    fn put(&mut self, key: &Key, value: &[u8]) -> io::Result<()> {
        let size = u32::try_from(value.len()).map_err(io::Error::other)?;
        let mut bytes = Vec::with_capacity(HEAD + value.len());
        bytes.extend(size.to_le_bytes());
        bytes.extend(key);
        bytes.extend(check(key, value));
        bytes.extend(value);
        self.file.seek(SeekFrom::Start(self.end))?;
        if let Err(cause) = self.file.write_all(&bytes) {
            // Half a value would be taken for the head of the next.
            self.file.set_len(self.end)?;
            return Err(cause);
        }
        self.places.insert(*key, (self.end + HEAD as u64, size));
        self.used.insert(*key);
        self.end += bytes.len() as u64;
        Ok(())
    }
}

fn parse(head: &[u8; HEAD]) -> (u32, Key) {
    let size = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
    let mut key = Key::default();
    key.copy_from_slice(&head[4..36]);
    (size, key)
}

fn check(key: &Key, value: &[u8]) -> [u8; CHECK] {
    let hash = Sha256::new().chain_update(key).chain_update(value).finalize();
    let mut check = [0; CHECK];
    check.copy_from_slice(&hash[..CHECK]);
    check
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("lookalike-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        folder
    }

    #[test]
    fn what_was_put_is_there_after_any_cut() {
        let folder = scratch("store-cut");
        let store = Store::open(&folder).unwrap();
        assert!(Store::open(&folder).is_err(), "one process at a time");
        for i in 0..4u8 {
            store.put(&[i; 32], &[i; 100]).unwrap();
        }
        drop(store);
        let whole = std::fs::read(folder.join(NAME)).unwrap();
        for cut in 0..whole.len() {
            std::fs::write(folder.join(NAME), &whole[..cut]).unwrap();
            let store = Store::open(&folder).unwrap();
            let left = (0..4u8).filter(|&i| store.get(&[i; 32]) == Some(vec![i; 100])).count();
            assert_eq!(left, cut.saturating_sub(MAGIC.len()) / (HEAD + 100), "{cut}");
            store.put(&[9; 32], b"more").unwrap();
            drop(store);
            assert_eq!(Store::open(&folder).unwrap().get(&[9; 32]).unwrap(), b"more", "{cut}");
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn damage_costs_what_is_damaged() {
        let folder = scratch("store-damage");
        let store = Store::open(&folder).unwrap();
        for i in 0..3u8 {
            store.put(&[i; 32], &[i; 50]).unwrap();
        }
        drop(store);
        let whole = std::fs::read(folder.join(NAME)).unwrap();
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x55;
            std::fs::write(folder.join(NAME), damaged).unwrap();
            let store = Store::open(&folder).unwrap();
            let found: Vec<_> = (0..3u8).filter_map(|i| Some((i, store.get(&[i; 32])?))).collect();
            assert!(found.len() < 3 && found.iter().all(|(i, v)| *v == [*i; 50]), "{at}");
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_is_not_used_is_forgotten_once_it_is_more_than_half() {
        let folder = scratch("store-unused");
        let store = Store::open(&folder).unwrap();
        for i in 0..10u8 {
            store.put(&[i; 32], &[i; 1000]).unwrap();
        }
        drop(store);
        let size = || std::fs::metadata(folder.join(NAME)).unwrap().len();
        let full = size();
        for (asked, smaller) in [(7, false), (2, true)] {
            let store = Store::open(&folder).unwrap();
            (0..asked).for_each(|i| assert!(store.get(&[i; 32]).is_some()));
            store.forget_unused().unwrap();
            assert_eq!(size() < full / 2, smaller);
            store.put(&[99; 32], b"after").unwrap();
            assert_eq!(store.get(&[1; 32]).unwrap(), [1; 1000]);
        }
        let store = Store::open(&folder).unwrap();
        assert_eq!(store.get(&[5; 32]), None);
        assert_eq!(store.get(&[99; 32]).unwrap(), b"after");
        drop(store);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
