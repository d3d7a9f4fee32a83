//! `lookalike eval`: how good the neighbours are, and what they cost. One file a protocol.

mod heldout;
mod learning;
mod masks;
mod memory;
mod neighbours;
mod quantised;
mod report;
mod stage;

use crate::error::Result;

#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Args {
    #[command(subcommand)]
    protocol: Option<Protocol>,
    #[command(flatten)]
    neighbours: neighbours::Args,
}

/// What else than the neighbours is measured.
#[derive(clap::Subcommand)]
enum Protocol {
    /// Time and memory of learning, and of building the graph, at growing sizes of a catalogue.
    Learning(learning::Args),
    /// What quantising a network costs: cosines to it in real numbers, and both networks' neighbours.
    Quantised(quantised::Args),
    /// Whether a mask brings a product's neighbours back, with each way to fill it.
    Masks(masks::Args),
}

pub(super) fn run(args: &Args) -> Result<()> {
    match &args.protocol {
        None => neighbours::run(&args.neighbours),
        Some(Protocol::Learning(args)) => learning::run(args),
        Some(Protocol::Quantised(args)) => quantised::run(args),
        Some(Protocol::Masks(args)) => masks::run(args),
    }
}
