//! `lookalike eval`: how good the neighbours are. One file a protocol.

mod heldout;
mod neighbours;
mod report;

use crate::error::Result;

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    neighbours: neighbours::Args,
}

pub(super) fn run(args: &Args) -> Result<()> {
    neighbours::run(&args.neighbours)
}
