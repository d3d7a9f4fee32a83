//! The whole chain from nothing to a page that searches.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::builds;
use crate::cache::Step;
use crate::paths::Paths;
use crate::{catalog, setup, sh, weights};

/// What the sample model is made with; see `lookalike model prepare --help`.
const PREPARE: [&str; 10] = [
    "--layer",
    "mixed8",
    "--input-size",
    "299",
    "--mean",
    "0,0,0",
    "--std",
    "1,1,1",
    "--name",
    "inception_v3",
];

/// Builds everything, and indexes `own` catalogue or else the sample one.
pub fn prepare(paths: &Paths, own: Option<&Path>, optimise: bool) -> Result<()> {
    // Before the long work, so that a typing error shows at once.
    if let Some(own) = own {
        ensure!(
            own.exists(),
            "there is no catalogue {}: give a folder of pictures or a CSV file",
            own.display()
        );
    }
    let toolchain = setup::setup(paths)?;
    weights::weights(paths)?;
    if own.is_none() {
        catalog::catalog(paths)?;
    }
    let lookalike = builds::native(paths)?;
    model(paths, &lookalike)?;
    index(paths, &lookalike, own)?;
    builds::wasm(paths, &toolchain, optimise)
}

fn model(paths: &Paths, lookalike: &Path) -> Result<()> {
    let (input, output) = (paths.weights(), paths.model());
    Step::new(&paths.stamps(), "model")
        .value("flags", PREPARE.join(" "))
        .input(&input)?
        .input(lookalike)?
        .output(&output)
        .run(|| {
            fs::create_dir_all(output.parent().context("a file has a folder")?)?;
            let mut prepare = sh::command(lookalike);
            prepare.args(["model", "prepare"]).arg(&input).arg("-o").arg(&output).args(PREPARE);
            sh::run(&mut prepare)
        })?;
    Ok(())
}

fn index(paths: &Paths, lookalike: &Path, own: Option<&Path>) -> Result<()> {
    let folder = paths.catalog_source();
    let table = folder.join("catalog.csv");
    let output = paths.catalog();
    let mut step = Step::new(&paths.stamps(), "index").input(&paths.model())?.input(lookalike)?;
    // A CSV file names pictures anywhere: for an own one, the folder around it counts as its input.
    step = match own {
        Some(own) if own.is_file() => step
            .input(own.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")))?,
        Some(own) => step.input(own)?,
        None => step.input(&folder)?,
    };
    let catalog = own.unwrap_or(&table);
    step.value("catalog", catalog.to_string_lossy().as_bytes()).output(&output).run(|| {
        let mut index = sh::command(lookalike);
        index.arg("index").arg(catalog).arg("--model").arg(paths.model()).arg("-o").arg(&output);
        sh::run(&mut index)
    })?;
    Ok(())
}
