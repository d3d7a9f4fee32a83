//! `lookalike eval`: how good the neighbours are, and what they cost. One file a protocol.

mod algebra;
mod grown;
mod heldout;
mod learning;
mod masks;
mod memory;
mod neighbours;
mod nightly;
mod quantised;
mod report;
mod scenes;
mod stage;
mod strips;
mod taps;
mod walk;

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
    /// Write a larger index, grown from one that is there, to measure time and memory with.
    Grow(grown::Args),
    /// What a night costs: a large index, and the same again with a few of its pictures changed.
    Nightly(nightly::Args),
    /// What directions between groups do to the results, at growing strength.
    Algebra(algebra::Args),
    /// Time and memory of learning, and of building the graph, at growing sizes of a catalogue.
    Learning(learning::Args),
    /// What quantising a network costs: cosines to it in real numbers, and both networks' neighbours.
    Quantised(quantised::Args),
    /// What lies along the walk from the whole to the masked photo, and beyond either end.
    Walk(walk::Args),
    /// Whether a mask brings a product's neighbours back, with each way to fill it.
    Masks(masks::Args),
    /// Whether a thing in a photo is found: of its kind in photos from life, or the very product in
    /// scenes made of the catalogue.
    Scenes(scenes::Args),
    /// How well the thing at a tapped point of a photo is outlined.
    Taps(taps::Args),
}

pub(super) fn run(args: &Args) -> Result<()> {
    match &args.protocol {
        None => neighbours::run(&args.neighbours),
        Some(Protocol::Grow(args)) => grown::run(args),
        Some(Protocol::Nightly(args)) => nightly::run(args),
        Some(Protocol::Algebra(args)) => algebra::run(args),
        Some(Protocol::Learning(args)) => learning::run(args),
        Some(Protocol::Quantised(args)) => quantised::run(args),
        Some(Protocol::Walk(args)) => walk::run(args),
        Some(Protocol::Masks(args)) => masks::run(args),
        Some(Protocol::Scenes(args)) => scenes::run(args),
        Some(Protocol::Taps(args)) => taps::run(args),
    }
}
