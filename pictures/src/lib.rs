//! Bytes of a picture file to oriented, bounded sRGB pixels, as a browser shows them.
//!
//! [`sniff`] looks at a file without decoding it: what it is, whether it is whole, whether it is
//! too large. The browser asks it before its own decoder runs, the command line before
//! [`decode()`] (feature `decode`) does, so that both refuse the same files in the same words.
//!
//! One way through the rooms: [`Limits`] and [`Format`], then `jpeg` (segments and entropy data),
//! then [`sniff`], then [`decode()`] to a [`Picture`].

mod format;
mod jpeg;
mod limits;
mod picture;
mod sniff;

#[cfg(feature = "decode")]
mod decode;

pub use format::Format;
pub use limits::Limits;
pub use picture::Picture;
pub use sniff::{Header, preview, sniff};

#[cfg(feature = "decode")]
pub use decode::decode;

use lookalike_error::{Error, ErrorKind};

fn bad(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::BadPicture, what)
}

/// The picture stops before its end.
fn cut_off(format: Format) -> Error {
    let what = format!("the {format} file ends before its picture does; copy or download it again");
    Error::new(ErrorKind::CutOff, what)
}

fn damaged(format: Format, what: &str) -> Error {
    bad(format!("the {format} picture is damaged: {what}"))
}
