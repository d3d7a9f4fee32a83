//! The command line as a user runs it, with a tiny network and pictures made here; one file a
//! command.

mod embed;
mod eval;
mod feed;
mod files;
mod harness;
mod hosting;
mod index;
mod kills;
mod model;
mod nightly;
mod pictures;
mod search;
#[path = "../../sources/tests/common/mod.rs"]
mod server;
mod small;
mod sources;
mod terminal;
