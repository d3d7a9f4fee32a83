//! The whole chain from nothing to a page that searches.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;

use crate::builds::{self, Which};
use crate::cache::Step;
use crate::paths::Paths;
use crate::{catalog, samples, setup, sh, weights};

/// The sample catalogue's columns that its index learns from.
const LEARN_FROM: &str = "title,category";

/// A network that the page can run.
#[derive(Debug, Clone, Copy, PartialEq, ValueEnum)]
pub enum Model {
    /// Larger and slower; the sample index learns from the last of these.
    InceptionV3,
    /// Small and fast.
    EfficientnetLite0,
    /// Between the two.
    EfficientnetLite2,
}

impl Model {
    fn weights(self, paths: &Paths) -> PathBuf {
        match self {
            Self::InceptionV3 => paths.weights(),
            Self::EfficientnetLite0 => weights::LITE0.file(paths),
            Self::EfficientnetLite2 => weights::LITE2.file(paths),
        }
    }

    /// What it is prepared with; see `lookalike model prepare --help`.
    pub fn flags(self) -> [&'static str; 10] {
        let [layers, size, mean, std, name] = match self {
            Self::InceptionV3 => {
                ["mixed2,mixed5,mixed6,mixed7,mixed8", "299", "0", "1", "inception_v3"]
            }
            // (RGB - 127) / 128
            Self::EfficientnetLite0 => {
                ["head", "224", "0.49803922", "0.5019608", "efficientnet_lite0"]
            }
            Self::EfficientnetLite2 => {
                ["head", "260", "0.49803922", "0.5019608", "efficientnet_lite2"]
            }
        };
        ["--layer", layers, "--input-size", size, "--mean", mean, "--std", std, "--name", name]
    }
}

/// Builds everything, and indexes `own` catalogue or else the sample one.
pub fn prepare(paths: &Paths, own: Option<&Path>, shown: Model, which: Which) -> Result<()> {
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
    weights::LITE2.weights(paths)?;
    if shown == Model::EfficientnetLite0 {
        weights::LITE0.weights(paths)?;
    }
    if own.is_none() {
        catalog::catalog(paths)?;
    }
    samples::samples(paths, own.is_some())?;
    let lookalike = builds::native(paths)?;
    let source = paths.catalog_source();
    // What the shopper's machine runs is quantised on pictures like those that it will see.
    let calibrate = own.unwrap_or(&source);
    model(paths, &lookalike, "model", shown, Some(calibrate), &paths.model())?;
    let teacher = paths.teacher();
    model(paths, &lookalike, "teacher", Model::EfficientnetLite2, None, &teacher)?;
    // A network has nothing to learn from itself, nor from a lesser one of its family.
    let teacher = (shown == Model::InceptionV3).then_some(teacher.as_path());
    index(paths, &lookalike, own, teacher)?;
    let which = if needs_tract(paths)? { Which::All } else { which };
    builds::wasm(paths, &toolchain, which)
}

/// Whether the index's network runs on the build with tract alone.
fn needs_tract(paths: &Paths) -> Result<bool> {
    let path = paths.catalog().join("manifest.json");
    let bytes = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    let manifest: serde_json::Value = serde_json::from_slice(&bytes)?;
    Ok(manifest["model"]["engine"] == "tract")
}

/// Prepares a network; `calibrate` is the catalogue to quantise it on.
fn model(
    paths: &Paths,
    lookalike: &Path,
    step: &str,
    model: Model,
    calibrate: Option<&Path>,
    output: &Path,
) -> Result<()> {
    let (input, flags) = (model.weights(paths), model.flags());
    let calibrate = calibrate.map(|path| path.display().to_string());
    Step::new(&paths.stamps(), step)
        .value("flags", flags.join(" "))
        .value("calibrate", calibrate.as_deref().unwrap_or_default())
        .input(&input)?
        .input(lookalike)?
        .output(output)
        .run(|| {
            fs::create_dir_all(output.parent().context("a file has a folder")?)?;
            let mut prepare = sh::command(lookalike);
            prepare.args(["model", "prepare"]).arg(&input).arg("-o").arg(output).args(flags);
            if let Some(path) = &calibrate {
                prepare.args(["--calibrate", path]);
            }
            sh::run(&mut prepare)
        })?;
    Ok(())
}

fn index(
    paths: &Paths,
    lookalike: &Path,
    own: Option<&Path>,
    teacher: Option<&Path>,
) -> Result<()> {
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
    if let Some(teacher) = teacher {
        step = step.input(teacher)?;
    }
    // An own catalogue need not have such columns.
    let columns: &[&str] = if own.is_none() { &["--learn-from", LEARN_FROM] } else { &[] };
    let catalog = own.unwrap_or(&table);
    step = step.value("columns", columns.join(" "));
    step.value("catalog", catalog.to_string_lossy().as_bytes()).output(&output).run(|| {
        let mut index = sh::command(lookalike);
        index.arg("index").arg(catalog).arg("--model").arg(paths.model()).arg("-o").arg(&output);
        // The same from the same inputs, whatever was there before; nobody has yesterday's page open.
        index.args(columns).args(["--relearn", "--keep", "0", "--max-shrink", "1"]);
        if let Some(teacher) = teacher {
            index.arg("--teacher").arg(teacher);
        }
        sh::run(&mut index)
    })?;
    Ok(())
}
