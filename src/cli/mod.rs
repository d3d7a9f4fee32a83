//! The command line: the only part that touches files. Exit codes: 0 done, 1 the work failed, 2 the
//! call was wrong.

mod catalogue;
mod embed;
mod eval;
mod files;
mod grow;
mod index;
mod inspect;
mod lesson;
mod model;
mod random;
mod search;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Visual product search that runs in the shopper's browser.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Work on networks.
    Model {
        #[command(subcommand)]
        command: ModelCommand,
    },
    /// Build the files that a shop hosts from its catalogue.
    Index(index::Args),
    /// Find the products that resemble a photo.
    Search(search::Args),
    /// Print a photo's embedding, for other engines.
    Embed(embed::Args),
    /// Say what is in a model, an index or a manifest.
    Inspect(inspect::Args),
    /// Measure how good the neighbours are.
    Eval(Box<eval::Args>),
}

#[derive(Subcommand)]
enum ModelCommand {
    /// Cut any ONNX image network at a layer and make it small and self-describing.
    Prepare(model::Args),
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    // clap exits with 2 when the call is wrong.
    let result = match Cli::parse().command {
        Command::Model { command: ModelCommand::Prepare(args) } => model::run(&args),
        Command::Index(args) => index::run(&args),
        Command::Search(args) => search::run(&args),
        Command::Embed(args) => embed::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Eval(args) => eval::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
