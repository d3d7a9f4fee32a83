//! Runs the benches and gathers their figures.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use serde::Deserialize;

use crate::builds::Which;
use crate::cache::files_below;
use crate::paths::Paths;
use crate::size::Figure;
use crate::{demo, setup, sh};

#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub enum Where {
    /// In Chromium, beside the peers.
    Web,
    /// On this machine, by `cargo bench`.
    Native,
}

/// Runs the benches of one side, or of both.
pub fn bench(paths: &Paths, only: Option<Where>, json: Option<&Path>) -> Result<()> {
    let mut figures = Vec::new();
    demo::prepare(paths, None, demo::Model::InceptionV3, Which::Usual)?;
    let mut passed = true;
    if only != Some(Where::Native) {
        passed &= web(paths, &mut figures)?;
    }
    if only != Some(Where::Web) {
        native(paths, &mut figures)?;
    }
    if let Some(json) = json {
        fs::write(json, serde_json::to_vec_pretty(&figures)?)
            .with_context(|| format!("writing {}", json.display()))?;
    }
    ensure!(passed, "a bench in the browser failed or missed its bar; see above");
    Ok(())
}

/// Each script of `benches/web` prints its table and writes its figures; a bar missed is a failure only after all of
/// them have run.
fn web(paths: &Paths, figures: &mut Vec<Figure>) -> Result<bool> {
    let chromium = setup::chromium()?;
    let mut passed = true;
    // The engine beside its peers; then the page as a shopper feels it.
    for script in ["run", "page"] {
        let out = paths.work().join(format!("bench-web-{script}.json"));
        if out.exists() {
            fs::remove_file(&out)?;
        }
        let mut node = sh::command("node");
        node.arg(format!("benches/web/{script}.mjs"))
            .arg("--json")
            .arg(&out)
            .env("CHROMIUM", &chromium)
            .current_dir(&paths.root);
        let ran = sh::run(&mut node);
        match fs::read(&out) {
            Ok(bytes) => figures
                .append(&mut serde_json::from_slice(&bytes).context("figures of the web benches")?),
            Err(_) => ran.as_ref().map(drop).map_err(|error| anyhow::anyhow!("{error:#}"))?,
        }
        passed &= ran.is_ok();
    }
    Ok(passed && figures.iter().all(|figure| figure.pass))
}

fn native(paths: &Paths, figures: &mut Vec<Figure>) -> Result<()> {
    sh::run(sh::command("cargo").args(["bench", "-p", "lookalike"]).current_dir(&paths.root))?;
    let folder = paths.target().join("criterion");
    if folder.is_dir() {
        figures.append(&mut criterion(&folder)?);
    }
    Ok(())
}

#[derive(Deserialize)]
struct Benchmark {
    full_id: String,
}

#[derive(Deserialize)]
struct Estimates {
    median: Estimate,
}

#[derive(Deserialize)]
struct Estimate {
    /// In nanoseconds.
    point_estimate: f64,
}

/// The medians that criterion left in its folder.
fn criterion(folder: &Path) -> Result<Vec<Figure>> {
    let estimates: Vec<PathBuf> = files_below(folder)?
        .into_iter()
        .filter(|path| path.ends_with("new/estimates.json"))
        .collect();
    let read = |path: PathBuf| -> Result<Figure> {
        let estimates: Estimates = serde_json::from_slice(&fs::read(&path)?)?;
        let benchmark: Benchmark =
            serde_json::from_slice(&fs::read(path.with_file_name("benchmark.json"))?)?;
        Ok(Figure {
            name: format!("native.{}", benchmark.full_id),
            value: estimates.median.point_estimate / 1e6,
            unit: "ms".into(),
            bar: None,
            pass: true,
        })
    };
    estimates
        .into_iter()
        .map(|path| {
            let name = path.display().to_string();
            read(path).context(name)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_criterion_in_milliseconds() -> Result<()> {
        let folder = std::env::temp_dir().join(format!("xtask-bench-{}", std::process::id()));
        let run = folder.join("group/name/new");
        crate::cache::fresh_folder(&run)?;
        fs::write(run.join("benchmark.json"), r#"{"group_id":"group","full_id":"group/name"}"#)?;
        fs::write(
            run.join("estimates.json"),
            r#"{"median":{"point_estimate":2500000.0,"standard_error":1.0}}"#,
        )?;
        let figures = criterion(&folder)?;
        assert_eq!(figures.len(), 1);
        assert_eq!((figures[0].name.as_str(), figures[0].value), ("native.group/name", 2.5));
        fs::remove_dir_all(&folder)?;
        Ok(())
    }
}
