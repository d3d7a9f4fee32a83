//! One entry point for every chore: `cargo xtask --help`.

mod cache;
mod fetch;
mod paths;
mod sh;
mod weights;

use anyhow::Result;
use clap::{Parser, Subcommand};

use paths::Paths;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Every chore of the repository")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Fetch the sample network's weights and convert them to ONNX.
    Weights,
}

fn main() -> Result<()> {
    let paths = Paths::new();
    match Cli::parse().chore {
        Chore::Weights => weights::weights(&paths),
    }
}
