//! Where a catalogue's pictures are: folders, names of files, addresses by `http` and `https`.
//!
//! Rooms, each on those before it: [`file`] opens what others name, [`folder`] finds the pictures in
//! a folder, [`Address`] and [`Finder`] tell what a catalogue's names mean, [`Fetcher`] fetches
//! addresses and keeps what came in a cache on disk. [`Sources`] is all of them for one catalogue.

mod address;
pub mod file;
pub mod folder;
mod http;
mod names;
mod sources;
mod store;

pub use address::Address;
pub use http::{Counts, Failure, Fetched, Fetcher, Options, default_cache};
pub use names::{Finder, Place};
pub use sources::Sources;
