//! The one door to standard output and standard error.
//!
//! What a command was asked for goes to standard output: where that cannot be written the command
//! has failed, unless the reader has seen enough and left, as `head` does. What is said besides goes
//! to standard error; nobody need listen there, so that never fails.

use std::fmt::{self, Display};
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};

/// A line on standard output.
pub(super) fn line(text: impl Display) -> Result<()> {
    print(format_args!("{text}\n"))
}

/// A value as one line of JSON on standard output.
pub(super) fn json(value: &(impl Serialize + ?Sized)) -> Result<()> {
    let json = serde_json::to_string(value)
        .map_err(|cause| Error::with_source(ErrorKind::Internal, "writing JSON failed", cause))?;
    line(json)
}

/// Text that ends its own lines, on standard output.
pub(super) fn print(text: impl Display) -> Result<()> {
    checked(|| {
        let mut out = io::stdout().lock();
        write!(out, "{text}")?;
        // An error would otherwise show after the command has said that all is done.
        out.flush()
    })
}

/// What `write` does to standard output, its error in our words.
pub(super) fn checked(write: impl FnOnce() -> io::Result<()>) -> Result<()> {
    if CLOSED.load(Ordering::Relaxed) {
        let what = "standard output is closed: nothing can be printed";
        return Err(Error::new(ErrorKind::Io, what));
    }
    write().map_err(|cause| match cause.kind() {
        io::ErrorKind::BrokenPipe => {
            Error::with_source(ErrorKind::Io, "cannot write to standard output", ReaderLeft)
        }
        _ => Error::with_source(ErrorKind::Io, "cannot write to standard output", cause),
    })
}

/// A line on standard error.
pub(super) fn remark(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Whoever read our output has enough of it: no reason to complain.
pub(super) fn reader_left(error: &Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<ReaderLeft>())
}

/// The other end of the pipe is closed.
#[derive(Debug)]
struct ReaderLeft;

impl Display for ReaderLeft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the reader has closed the pipe")
    }
}

impl std::error::Error for ReaderLeft {}

/// Whether the process was started with standard output closed.
static CLOSED: AtomicBool = AtomicBool::new(false);

/// Looks before `main`: the standard library opens `/dev/null` in the place of what is closed, and
/// then what is printed would be lost without a word.
#[cfg(unix)]
#[ctor::ctor(unsafe)]
fn look_at_standard_output() {
    let there = |name: &str| std::fs::metadata(name).is_ok();
    CLOSED.store(there("/dev/fd") && !there("/dev/fd/1"), Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_who_left_is_told_from_a_full_disk() {
        let failed = |kind: io::ErrorKind| checked(|| Err(kind.into())).unwrap_err();
        assert!(reader_left(&failed(io::ErrorKind::BrokenPipe)));
        let full = failed(io::ErrorKind::StorageFull);
        assert!(!reader_left(&full) && full.to_string().starts_with("cannot write to standard"));
        // A pipe of another kind, such as a connection, is no reader of ours.
        let other = io::Error::from(io::ErrorKind::BrokenPipe);
        assert!(!reader_left(&Error::with_source(ErrorKind::Io, "cannot fetch", other)));
    }
}
