//! Reading and writing with errors that name the file and say what to do.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use lookalike_error::{Error, ErrorKind, Result};
use sha2::{Digest, Sha256};

/// SHA-256 as 64 hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// An error of the operating system.
pub(crate) fn io(what: &str, path: &Path, cause: io::Error) -> Error {
    let advice = match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            "; free some space and run it again: the index that manifest.json names is whole"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "; choose a folder that this user may write to"
        }
        _ => "",
    };
    let context = format!("cannot {what} {}{advice}", path.display());
    Error::with_source(ErrorKind::Io, context, cause)
}

/// The whole content of a file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|cause| io("read", path, cause))
}

/// The whole content of a file; `None` if there is none.
pub(crate) fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(io("read", path, cause)),
    }
}

/// What lies at a path itself, links not followed; `None` if nothing does.
pub(crate) fn look(path: &Path) -> Result<Option<fs::FileType>> {
    match fs::symlink_metadata(path) {
        Ok(meta) => Ok(Some(meta.file_type())),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(io("look at", path, cause)),
    }
}

/// Makes a folder and those above it.
pub(crate) fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|cause| io("make the folder", path, cause))
}

/// Writes a file of ours within a folder of ours; it may be cut short if the machine fails.
pub(crate) fn write(path: &Path, content: &[u8]) -> Result<()> {
    if let Some(parent) = path.parent() {
        make_folder(parent)?;
    }
    let written = fs::write(path, content);
    if written.is_err() {
        // What does not fit should not take the room of what does.
        let _ = fs::remove_file(path);
    }
    written.map_err(|cause| io("write", path, cause))
}

/// Renames a file and makes sure that this outlives a failure of the machine.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).map_err(|cause| io("write", to, cause))?;
    to.parent().map_or(Ok(()), sync_folder)
}

/// Writes beside the target, waits for the disk and renames: the old content or the new, never a
/// part, whatever fails.
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    let beside = Path::new(&beside);
    let write = || -> io::Result<()> {
        let mut file = File::create(beside)?;
        file.write_all(content)?;
        file.sync_all()
    };
    if let Err(cause) = write() {
        let _ = fs::remove_file(beside);
        return Err(io("write", path, cause));
    }
    rename(beside, path)
}

/// Waits until a file's content is on the disk.
pub(crate) fn sync(path: &Path) -> Result<()> {
    File::open(path).and_then(|file| file.sync_all()).map_err(|cause| io("write", path, cause))
}

/// Waits until a folder's names are on the disk, where the system can.
pub(crate) fn sync_folder(path: &Path) -> Result<()> {
    if cfg!(unix) { sync(path) } else { Ok(()) }
}

/// Removes a file; one that is not there is no error.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(io("remove", path, cause)),
        _ => Ok(()),
    }
}
