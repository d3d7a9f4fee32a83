//! Opening files that others name: regular ones alone, and never more than a limit.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{ErrorKind as IoKind, Read};
use std::path::Path;

use lookalike_error::{Error, ErrorKind, Result};

/// The whole content of a regular file of at most `max_bytes` bytes.
///
/// A pipe, a socket or a device is never opened: reading one could wait for ever.
///
/// # Errors
///
/// Where there is no such file, it is not a regular one, it is too large, or reading fails.
pub fn read(path: &Path, max_bytes: u64) -> Result<Vec<u8>> {
    let (file, length) = open(path)?;
    if length > max_bytes {
        return Err(too_large(path, length, max_bytes));
    }
    let mut content = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    // It may have grown since it was measured.
    file.take(max_bytes.saturating_add(1))
        .read_to_end(&mut content)
        .map_err(|cause| io("read", path, cause))?;
    if content.len() as u64 > max_bytes {
        return Err(too_large(path, content.len() as u64, max_bytes));
    }
    Ok(content)
}

/// Opens a regular file, and says how long it is.
///
/// # Errors
///
/// Where there is no such file, it is not a regular one, or it cannot be opened.
pub fn open(path: &Path) -> Result<(File, u64)> {
    // Before it is opened, since opening some devices does something; and after, since the name may
    // mean another file by then.
    regular(path, &fs::metadata(path).map_err(|cause| io("read", path, cause))?)?;
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
    let file = options.open(path).map_err(|cause| io("read", path, cause))?;
    let metadata = file.metadata().map_err(|cause| io("read", path, cause))?;
    regular(path, &metadata)?;
    Ok((file, metadata.len()))
}

fn regular(path: &Path, metadata: &Metadata) -> Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    let what = format!("{} is {}, not a file: left unopened", path.display(), kind(metadata));
    Err(Error::new(ErrorKind::BadCatalog, what))
}

/// What a thing that is no regular file is.
pub(crate) fn kind(metadata: &Metadata) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        let kind = metadata.file_type();
        if kind.is_fifo() {
            return "a pipe";
        }
        if kind.is_socket() {
            return "a socket";
        }
        if kind.is_block_device() || kind.is_char_device() {
            return "a device";
        }
    }
    if metadata.is_dir() { "a folder" } else { "something special" }
}

fn too_large(path: &Path, length: u64, max_bytes: u64) -> Error {
    let what = format!("{} has {length} bytes; at most {max_bytes} bytes are read", path.display());
    Error::new(ErrorKind::TooLarge, what)
}

fn io(what: &str, path: &Path, cause: std::io::Error) -> Error {
    let path = path.display();
    if cause.kind() == IoKind::NotFound {
        return Error::new(ErrorKind::Io, format!("there is no file {path}"));
    }
    Error::with_source(ErrorKind::Io, format!("cannot {what} {path}"), cause)
}
