//! One entry point for every chore: `cargo xtask --help`.

mod arm;
mod bench;
mod builds;
mod cache;
mod catalog;
mod check;
mod demo;
mod dist;
mod exports;
mod fetch;
mod minify;
mod paths;
mod samples;
mod serve;
mod setup;
mod sh;
mod size;
mod weights;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

use builds::Which;
use paths::Paths;

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "Every chore of the repository")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Build, fetch, index and serve: from a fresh clone to a page that searches
    Demo {
        /// A folder of pictures or a CSV file instead of the sample catalogue
        #[arg(long, value_name = "PATH")]
        catalog: Option<PathBuf>,
        /// The network that the page runs
        #[arg(long, value_enum, default_value = "inception-v3")]
        model: demo::Model,
        /// Stop before serving
        #[arg(long)]
        no_serve: bool,
        #[command(flatten)]
        listen: Listen,
    },
    /// Everything that CI runs: format, lints, tests, types, the page in a browser
    Test,
    /// Measure, beside the peers in the same run
    Bench {
        /// Only one side
        only: Option<bench::Where>,
        /// Write the figures here as well
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
    },
    /// Bytes that a shopper downloads, against the budgets
    Size {
        /// Write the figures here as well
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
    },
    /// A folder to upload to any static host, and the npm package
    Dist {
        /// A folder of pictures or a CSV file instead of the sample catalogue
        #[arg(long, value_name = "PATH")]
        catalog: Option<PathBuf>,
    },
    /// Install what building and serving needs
    Setup,
    /// Fetch the sample networks' weights and convert them to ONNX
    Weights,
    /// Export InceptionV3 from Keras and torchvision as the README says, and compare
    Exports {
        /// Only one of them
        only: Option<exports::Framework>,
    },
    /// Compare the kernels for 64-bit Arm with the generic ones, on an emulated machine
    Arm,
    /// Fetch the sample catalogue
    Catalog,
    /// Build the command line and the browser's modules with their bindings
    Build {
        /// Only one of them; all if absent
        only: Option<builds::Part>,
    },
    /// Serve the repository, or another folder, as a static host would
    Serve {
        /// The folder to serve
        #[arg(long, value_name = "FOLDER")]
        root: Option<PathBuf>,
        #[command(flatten)]
        listen: Listen,
    },
}

/// How the server listens. Not named as a chore is: each is a group of arguments under its name.
#[derive(Args)]
struct Listen {
    /// Where to listen; 0 takes any free port; 8080, or the next that is free, if absent
    #[arg(long)]
    port: Option<u16>,
    /// The address to listen on; 0.0.0.0 lets other devices in
    #[arg(long, default_value = "127.0.0.1")]
    host: String,
    /// Send the headers of a cross-origin isolated page, which threads need
    #[arg(long)]
    isolate: bool,
    /// Let pages of other origins load the files
    #[arg(long)]
    cors: bool,
}

impl Listen {
    fn run(&self, root: &Path) -> Result<()> {
        serve::Site::new(root, self.isolate, self.cors)?.serve(&self.host, self.port, |address| {
            // The one line on standard output, for whoever starts this from a script. Whether anyone
            // reads it or not, the pages are served.
            let _ = writeln!(std::io::stdout(), "http://{address}/");
            eprintln!("==> serving {}: open the address above; Ctrl-C ends", root.display());
        })
    }
}

fn main() -> ExitCode {
    match run(Cli::parse().chore) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(chore: Chore) -> Result<()> {
    let paths = Paths::new();
    match chore {
        Chore::Demo { catalog, model, no_serve, listen } => {
            demo::prepare(&paths, catalog.as_deref(), model, Which::Usual)?;
            if no_serve { Ok(()) } else { listen.run(&paths.root) }
        }
        Chore::Test => check::test(&paths),
        Chore::Bench { only, json } => bench::bench(&paths, only, json.as_deref()),
        Chore::Size { json } => {
            demo::prepare(&paths, None, demo::Model::InceptionV3, Which::Usual)?;
            size::size(&paths, json.as_deref())
        }
        Chore::Dist { catalog } => dist::dist(&paths, catalog.as_deref()),
        Chore::Setup => setup::setup(&paths).map(drop),
        Chore::Weights => {
            weights::weights(&paths)?;
            weights::LITE0.weights(&paths)?;
            weights::LITE2.weights(&paths)
        }
        Chore::Exports { only } => exports::exports(&paths, only),
        Chore::Arm => arm::arm(&paths),
        Chore::Catalog => catalog::catalog(&paths),
        Chore::Build { only } => {
            let toolchain = setup::setup(&paths)?;
            if only != Some(builds::Part::Web) {
                builds::native(&paths)?;
            }
            match only {
                Some(builds::Part::Native) => Ok(()),
                Some(builds::Part::Web) => builds::wasm(&paths, &toolchain, Which::Usual),
                None => builds::wasm(&paths, &toolchain, Which::All),
            }
        }
        Chore::Serve { root, listen } => listen.run(root.as_deref().unwrap_or(&paths.root)),
    }
}

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory};

    use super::*;

    /// The command itself and all below it.
    fn all(command: &Command) -> Vec<Command> {
        let below = command.get_subcommands().flat_map(all);
        std::iter::once(command.clone()).chain(below).collect()
    }

    #[test]
    fn every_chore_starts_and_explains_itself() {
        let mut whole = Cli::command();
        whole.build();
        whole.clone().debug_assert();
        let chores = all(&whole);
        assert!(chores.len() > 10, "{}", chores.len());
        for mut chore in chores {
            let name = chore.get_name().to_owned();
            chore.clone().debug_assert();
            assert!(chore.get_about().is_some() || name.contains("help"), "{name}");
            for arg in chore.get_arguments() {
                assert!(arg.get_help().is_some(), "{name}: {} has no help", arg.get_id());
            }
            assert!(chore.render_long_help().to_string().contains("Usage:"), "{name}");
        }
    }

    #[test]
    fn the_server_is_called_with_what_it_knows() {
        for call in [
            &["x", "serve"][..],
            &["x", "serve", "--root", "www", "--port", "0", "--isolate", "--cors"],
            &["x", "demo", "--no-serve"],
            &["x", "demo", "--port", "9000", "--host", "::1"],
        ] {
            assert!(Cli::try_parse_from(call).is_ok(), "{call:?}");
        }
        for call in [&["x", "serve", "--port", "70000"][..], &["x", "serve", "www"], &["x"]] {
            assert!(Cli::try_parse_from(call).is_err(), "{call:?}");
        }
    }
}
