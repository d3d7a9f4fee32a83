//! One entry point for every chore: `cargo xtask --help`.

mod bench;
mod builds;
mod cache;
mod catalog;
mod check;
mod demo;
mod dist;
mod fetch;
mod paths;
mod serve;
mod setup;
mod sh;
mod size;
mod weights;

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
        serve: Serve,
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
        serve: Serve,
    },
}

#[derive(Args)]
struct Serve {
    /// Where to listen; 0 takes any free port
    #[arg(long, default_value_t = 8080)]
    port: u16,
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

impl Serve {
    fn run(&self, root: &Path) -> Result<()> {
        serve::Site::new(root, self.isolate, self.cors)?.serve(&self.host, self.port, |address| {
            // The one line on standard output, for whoever starts this from a script.
            println!("http://{address}/");
            eprintln!("==> serving {}: open the address above; Ctrl-C ends", root.display());
        })
    }
}

fn main() -> ExitCode {
    match run(Cli::parse().chore) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(chore: Chore) -> Result<()> {
    let paths = Paths::new();
    match chore {
        Chore::Demo { catalog, model, no_serve, serve } => {
            demo::prepare(&paths, catalog.as_deref(), model, Which::Usual)?;
            if no_serve { Ok(()) } else { serve.run(&paths.root) }
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
            weights::teacher(&paths)
        }
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
        Chore::Serve { root, serve } => serve.run(root.as_deref().unwrap_or(&paths.root)),
    }
}
