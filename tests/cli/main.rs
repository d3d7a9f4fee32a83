//! The command line as a user runs it, with a tiny network and pictures made here; one file a
//! command.

mod embed;
mod eval;
mod files;
mod harness;
mod index;
mod model;
mod search;
mod terminal;
