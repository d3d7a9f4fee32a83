//! The command line: the only part that touches files. Exit codes: 0 done, 1 the work failed, 2 the
//! call was wrong.

mod catalogue;
mod composites;
mod cutout;
mod embed;
mod eval;
mod feed;
mod files;
mod grow;
mod index;
mod inspect;
mod lesson;
mod look;
mod model;
mod output;
mod packed;
mod pictures;
mod progress;
mod random;
mod search;
mod selection;
mod state;
mod values;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::Result;

/// Visual product search that runs in the shopper's browser.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Show no progress.
    #[arg(short, long, global = true)]
    quiet: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Work on networks.
    Model {
        #[command(subcommand)]
        command: ModelCommand,
    },
    /// Show what would be read of a shop's feed.
    Feed(feed::Args),
    /// Build the files that a shop hosts from its catalogue.
    Index(Box<index::Args>),
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
    /// Print what a prepared network sees in pictures, before any projection.
    Features(model::FeaturesArgs),
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let result = match Cli::try_parse() {
        Ok(cli) => run(cli),
        // A wrong call; what is asked for with `--help` and `--version` is no error.
        Err(wrong) if wrong.use_stderr() => {
            let _ = wrong.print();
            return ExitCode::from(2);
        }
        Err(asked) => output::checked(|| asked.print()),
    };
    match result {
        Err(error) if !output::reader_left(&error) => {
            output::remark(format_args!("error: {error}"));
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

fn run(cli: Cli) -> Result<()> {
    if cli.quiet {
        progress::be_quiet();
    }
    match cli.command {
        Command::Model { command: ModelCommand::Prepare(args) } => model::run(&args),
        Command::Model { command: ModelCommand::Features(args) } => model::features(&args),
        Command::Feed(args) => feed::run(&args),
        Command::Index(args) => index::run(&args),
        Command::Search(args) => search::run(&args),
        Command::Embed(args) => embed::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Eval(args) => eval::run(&args),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_options_do_not_clash_and_all_are_explained() {
        let mut whole = Cli::command();
        whole.build();
        whole.clone().debug_assert();
        let mut open = vec![&whole];
        let mut seen = 0;
        while let Some(command) = open.pop() {
            let name = command.get_name();
            assert!(command.get_about().is_some() || name == "help", "{name}");
            for arg in command.get_arguments() {
                assert!(arg.get_help().is_some(), "{name}: {} has no help", arg.get_id());
            }
            seen += 1;
            open.extend(command.get_subcommands());
        }
        assert!(seen > 10, "{seen} commands");
    }
}
