//! A lock of the operating system, which dies with its process.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use lookalike_error::{Error, ErrorKind, Result};

use crate::disk;

/// Held until it is dropped, or until its process ends, however it ends.
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of `folder`, by the file `lock` in it. That file stays: removing it would let
    /// two runs hold a lock each.
    pub(crate) fn take(folder: &Path, lock: &Path) -> Result<Self> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(lock)
            .map_err(|cause| disk::io("write", lock, cause))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(Error::new(
                ErrorKind::Io,
                format!(
                    "another run is at work in {}; run this one when that has ended",
                    folder.display()
                ),
            )),
            Err(TryLockError::Error(cause)) => Err(Error::with_source(
                ErrorKind::Io,
                format!(
                    "{} cannot be locked, as some network drives cannot; write to a folder on a local disk and copy \
                     it from there",
                    lock.display()
                ),
                cause,
            )),
        }
    }
}
