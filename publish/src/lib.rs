//! The folder that a shop hosts, and what is remembered from one run to the next.
//!
//! [`Folder`] is the only door through which hosted files are written. Everything is written aside
//! first; what a visitor sees changes by one renaming, that of `manifest.json`. It keeps a list of
//! the files that it has written, and neither overwrites nor removes any other. [`OwnFiles`] tells
//! those files wherever they lie, so that none is taken for a shop's picture. [`Store`] remembers
//! what a run has computed, as it computes it.
//!
//! ```text
//! manifest.json                  names all others; renamed into place last
//! model-HASH.onnx  index-HASH.bin  products-HASH.json  thumbs/ab/HASH.jpg
//! model-HASH.packed ...          the same as gzip
//! .lookalike/                    ours alone; need not be uploaded
//!   lock                         held by the run that writes
//!   files.json                   the list of our own files
//!   next.json                    the list as it will be, while files are moved into place
//!   aside/                       files that are not in place yet
//!   state/                       what the pictures looked like to the networks
//! ```

mod disk;
mod folder;
mod hosted;
mod list;
mod lock;
mod own;
mod store;

pub use folder::{Committed, Folder};
pub use own::OwnFiles;
pub use store::{Key, Store};

/// The folder within a hosted folder that is ours alone and need not be uploaded.
pub const PRIVATE: &str = ".lookalike";
