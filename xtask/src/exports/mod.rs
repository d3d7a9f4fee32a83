//! The exports that the README shows, run with weights drawn at random, and for Keras with trained ones: what comes out
//! has to be found by short names, run on the int8 engine, and give what the framework gives.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use serde::Deserialize;

use crate::cache::Step;
use crate::paths::Paths;
use crate::{builds, catalog, sh, weights};

const SCRIPT: &str = include_str!("export.py");
/// What is asked for of the features, each centred over the pictures first, and of the framework's.
const REAL: Bar = Bar { engine: "tract", all: 0.9999, picture: 0.9999 };

/// Least cosines on an engine.
struct Bar {
    engine: &'static str,
    /// Of all pictures' features as one vector.
    all: f64,
    /// Of each picture's.
    picture: f64,
}

/// Whose export.
#[derive(Debug, Clone, Copy, PartialEq, ValueEnum)]
pub enum Framework {
    /// Channels last, `inception_v3_1/mixed8_1/concat:0`.
    Keras,
    /// Channels first, `/Mixed_7a/Concat_output_0`, `transform_input`; installing torch takes gigabytes.
    Torchvision,
}

impl Framework {
    fn name(self) -> &'static str {
        match self {
            Self::Keras => "keras",
            Self::Torchvision => "torchvision",
        }
    }

    fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Keras => &[
                "tensorflow-cpu==2.21.0",
                "keras==3.15.1",
                "tf2onnx==1.17.0",
                "onnx==1.23.2",
                "pillow==13.0.0",
            ],
            Self::Torchvision => {
                &["torch==2.15.0", "torchvision==0.29.2", "onnx==1.23.2", "pillow==13.0.0"]
            }
        }
    }

    /// As a person would call them.
    fn layers(self) -> [&'static str; 3] {
        match self {
            Self::Keras => ["mixed2", "mixed5", "mixed8"],
            Self::Torchvision => ["Mixed_5d", "Mixed_6d", "Mixed_7a"],
        }
    }

    /// The trained ones that are at hand are named as Keras names them.
    fn weights(self) -> &'static [Weights] {
        match self {
            Self::Keras => &[Weights::Drawn, Weights::Trained],
            Self::Torchvision => &[Weights::Drawn],
        }
    }
}

/// What the exported network has learnt.
#[derive(Debug, Clone, Copy)]
enum Weights {
    /// Nothing.
    Drawn,
    /// The InceptionV3 of the sample catalogue.
    Trained,
}

impl Weights {
    fn name(self) -> &'static str {
        match self {
            Self::Drawn => "drawn",
            Self::Trained => "trained",
        }
    }

    /// 0.98 is asked for of all pictures together. A single picture near the mean of all has little left to compare once it
    /// is centred, and a drawn network multiplies noise from layer to layer: its bar only notices what is broken.
    fn quantised(self) -> Bar {
        let picture = match self {
            Self::Drawn => 0.75,
            Self::Trained => 0.95,
        };
        Bar { engine: "int8", all: 0.98, picture }
    }
}

/// Exports, prepares, and compares; all frameworks if `only` is `None`.
pub fn exports(paths: &Paths, only: Option<Framework>) -> Result<()> {
    catalog::catalog(paths)?;
    weights::weights(paths)?;
    let lookalike = builds::native(paths)?;
    for framework in Framework::value_variants().iter().filter(|f| only.is_none_or(|o| o == **f)) {
        for weights in framework.weights() {
            println!("{}, weights {}", framework.name(), weights.name());
            one(paths, &lookalike, *framework, *weights)
                .with_context(|| format!("the export of {}", framework.name()))?;
        }
    }
    Ok(())
}

fn one(paths: &Paths, lookalike: &Path, framework: Framework, weights: Weights) -> Result<()> {
    let readme = fs::read_to_string(paths.root.join("README.md")).context("reading README.md")?;
    let (snippet, flags) = snippet(&readme, framework.name())?;
    let name = format!("{}-{}", framework.name(), weights.name());
    let folder = paths.work().join("exports").join(&name);
    fs::create_dir_all(&folder)?;
    let pictures = paths.catalog_source().join("pictures");
    let python = python(paths, framework)?;
    let code = folder.join("snippet.py");
    fs::write(&code, &snippet)?;
    let script = folder.join("export.py");
    fs::write(&script, SCRIPT)?;
    let mut step = Step::new(&paths.stamps(), &format!("export-{name}")).input(&pictures)?;
    let trained = paths.weights();
    let source = match weights {
        Weights::Drawn => Path::new("drawn"),
        Weights::Trained => {
            step = step.input(&trained)?;
            &trained
        }
    };
    step.value("snippet", &snippet)
        .value("script", SCRIPT)
        .value("packages", framework.packages().join(" "))
        .output(&folder.join("inception.onnx"))
        .output(&folder.join("features.json"))
        .run(|| {
            let mut export = sh::command(&python);
            export.arg(&script).arg(framework.name()).arg(&code).arg(&pictures).arg(&folder);
            sh::run(export.arg(source).args(framework.layers()))
        })?;
    let theirs: BTreeMap<String, Vec<Vec<f64>>> =
        serde_json::from_slice(&fs::read(folder.join("features.json"))?)?;
    let theirs = framework.layers().map(|layer| theirs.get(layer).cloned().unwrap_or_default());

    let real = folder.join("f32.onnx");
    prepare(lookalike, &folder, &real, framework, &flags, &["--weight-bits", "32"])?;
    check(lookalike, &folder, &real, &REAL, &theirs)?;
    let int8 = folder.join("model.onnx");
    // Other pictures than those compared.
    let calibrate = folder.join("calibrate");
    let calibrate = calibrate.to_string_lossy();
    prepare(lookalike, &folder, &int8, framework, &flags, &["--calibrate", &calibrate])?;
    check(lookalike, &folder, &int8, &weights.quantised(), &theirs)
}

/// The Python that the README shows for a framework, and the flags of its `lookalike model prepare`.
fn snippet(readme: &str, framework: &str) -> Result<(String, Vec<String>)> {
    let block = readme
        .split("```python\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .find(|code| {
            code.contains(&format!("import {framework}"))
                || code.contains(&format!(", {framework}"))
        })
        .with_context(|| format!("README.md shows no export of {framework}"))?;
    let flags = block
        .lines()
        .find_map(|line| {
            line.strip_prefix("# lookalike model prepare inception.onnx -o model.onnx ")
        })
        .context("the export does not say how to prepare what it makes")?;
    let words: Vec<String> = flags.split_whitespace().map(str::to_owned).collect();
    // What is compared, and on what pictures, is given here.
    let mut kept = Vec::new();
    for pair in words.chunks(2) {
        if !matches!(pair[0].as_str(), "--layer" | "--calibrate") {
            kept.extend_from_slice(pair);
        }
    }
    Ok((block.to_owned(), kept))
}

fn prepare(
    lookalike: &Path,
    folder: &Path,
    output: &Path,
    framework: Framework,
    flags: &[String],
    more: &[&str],
) -> Result<()> {
    let mut prepare = sh::command(lookalike);
    prepare.args(["model", "prepare"]).arg(folder.join("inception.onnx")).arg("-o").arg(output);
    prepare.args(["--layer", &framework.layers().join(",")]).args(flags).args(more);
    sh::run(&mut prepare)
}

#[derive(Deserialize)]
struct About {
    engine: String,
    layers: Vec<String>,
    dims: Vec<usize>,
}

#[derive(Deserialize)]
struct Line {
    features: Vec<f64>,
}

/// Compares what a prepared network gives for the pictures with what the framework gave for the same pixels.
fn check(
    lookalike: &Path,
    folder: &Path,
    model: &Path,
    bar: &Bar,
    theirs: &[Vec<Vec<f64>>],
) -> Result<()> {
    let about = sh::output(sh::command(lookalike).arg("inspect").arg("--json").arg(model))?;
    let about: About = serde_json::from_slice(&about)?;
    let engine = bar.engine;
    ensure!(about.engine == engine, "it runs on {}, not on {engine}", about.engine);
    let mut pictures: Vec<PathBuf> = fs::read_dir(folder.join("input"))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    pictures.sort();
    let lines = sh::text(
        sh::command(lookalike).args(["model", "features", "--model"]).arg(model).args(&pictures),
    )?;
    let ours: Vec<Line> = lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let mut start = 0;
    for ((layer, dim), theirs) in about.layers.iter().zip(&about.dims).zip(theirs) {
        let ours = ours.iter().map(|line| line.features[start..start + dim].to_vec()).collect();
        start += dim;
        ensure!(theirs.len() == pictures.len() && theirs.len() >= 50, "too few pictures");
        ensure!(theirs.iter().all(|f| f.len() == *dim), "layer {layer} has not {dim} features");
        let (ours, theirs) = (centred(ours), centred(theirs.clone()));
        let (all, picture) = (cosine(&ours.concat(), &theirs.concat()), least(&ours, &theirs));
        println!(
            "{engine:>6} {layer:<36} {} pictures: cosine {all:.6}, least picture {picture:.6}",
            pictures.len()
        );
        // A cosine that is no number fails too.
        if !(all >= bar.all && picture >= bar.picture) {
            bail!(
                "layer {layer} agrees with the framework's by {all} ({picture} for the worst picture); \
                 {} ({}) is asked for",
                bar.all,
                bar.picture
            );
        }
    }
    Ok(())
}

/// Each feature minus its mean over the pictures.
fn centred(mut rows: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let count = rows.len() as f64;
    for i in 0..rows.first().map_or(0, Vec::len) {
        let mean = rows.iter().map(|row| row[i]).sum::<f64>() / count;
        rows.iter_mut().for_each(|row| row[i] -= mean);
    }
    rows
}

/// The least cosine of two rows; no number if one is none.
fn least(a: &[Vec<f64>], b: &[Vec<f64>]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(a, b)| cosine(a, b))
        .fold(f64::INFINITY, |least, x| if x.is_nan() { x } else { least.min(x) })
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// The interpreter of an environment of the framework's own.
fn python(paths: &Paths, framework: Framework) -> Result<PathBuf> {
    let folder = paths.work().join(format!("exports/python-{}", framework.name()));
    let python = folder.join("bin/python");
    Step::new(&paths.stamps(), &format!("python-{}", framework.name()))
        .value("packages", framework.packages().join(" "))
        .output(&python)
        .run(|| {
            if folder.exists() {
                fs::remove_dir_all(&folder)?;
            }
            sh::run(sh::command("python3").args(["-m", "venv"]).arg(&folder))
                .context("on Debian, `apt-get install python3-venv` has what is missing")?;
            let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
            sh::run(sh::command(&python).args(install).args(framework.packages()))?;
            ensure!(python.is_file(), "{} was not made", python.display());
            Ok(())
        })?;
    Ok(python)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_shows_both_exports() {
        let readme = include_str!("../../../README.md");
        for framework in Framework::value_variants() {
            let (code, flags) = snippet(readme, framework.name()).expect("README has the snippet");
            assert!(code.contains("net = ") && code.contains("inception.onnx"), "{code}");
            assert!(flags.iter().any(|flag| flag == "--mean"), "{flags:?}");
        }
    }

    #[test]
    fn features_are_centred_before_they_are_compared() {
        let a = vec![vec![101.0, 1.0], vec![99.0, 1.0], vec![100.0, 4.0]];
        let b = vec![vec![1.0, 0.0], vec![-1.0, 0.0], vec![0.0, 3.0]];
        assert!((least(&centred(a), &centred(b.clone())) - 1.0).abs() < 1e-9);
        let other = vec![vec![-3.0, 0.0], vec![3.0, 0.0], vec![0.0, 3.0]];
        assert!(least(&centred(b), &centred(other)) < 0.0);
    }
}
