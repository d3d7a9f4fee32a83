//! `lookalike index` beside a script that embeds the same pictures with onnxruntime in Python.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::cache::Step;
use crate::paths::Paths;
use crate::sh;
use crate::size::Figure;

const PACKAGES: [&str; 3] = ["onnxruntime==1.30.0", "pillow==12.0.0", "numpy==2.3.5"];
const SCRIPT: &str = "benches/python/embed.py";
/// Least that we are to be faster by.
const BAR: f64 = 1.5;
/// In turn, so that a busy moment of the machine does not fall on one side only.
const ROUNDS: usize = 3;

#[derive(Deserialize)]
struct Timed {
    pictures: usize,
    seconds: f64,
}

/// Pictures per second, ours over the faster of Python's ways.
pub fn figures(paths: &Paths) -> Result<Vec<Figure>> {
    let python = venv(paths)?;
    let table = paths.catalog_source().join("catalog.csv");
    let out = paths.bench().join("index");
    let (int8, real) = (paths.model(), paths.bench().join("f32.onnx"));
    let mut ours = Vec::new();
    let mut theirs: [Vec<f64>; 2] = Default::default();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let mut index = sh::command(paths.lookalike());
        index.arg("index").arg(&table).arg("--model").arg(&int8).arg("-o").arg(&out);
        sh::output(&mut index)?;
        let seconds = start.elapsed().as_secs_f64();
        for (model, rates) in [&int8, &real].into_iter().zip(&mut theirs) {
            let mut embed = sh::command(&python);
            embed.arg(paths.root.join(SCRIPT)).arg(&table).arg(model);
            let timed: Timed = serde_json::from_str(&sh::text(&mut embed)?)
                .with_context(|| format!("reading what {SCRIPT} says"))?;
            rates.push(timed.pictures as f64 / timed.seconds);
            if rates.len() > ours.len() {
                ours.push(timed.pictures as f64 / seconds);
            }
        }
    }
    let best = |rates: &[f64]| rates.iter().copied().fold(0.0, f64::max);
    let all = [("ours", &ours), ("onnxruntime int8", &theirs[0]), ("onnxruntime f32", &theirs[1])];
    println!("{:<20} {:>8} {:>8}  pictures a second", "indexing", "best", "median");
    for (name, rates) in all {
        println!("{name:<20} {:>8.2} {:>8.2}", best(rates), median(rates));
    }
    let ratio = best(&ours) / best(&theirs[0]).max(best(&theirs[1]));
    let informs = |name: &str, value: f64| Figure {
        name: format!("index.{name}"),
        value,
        unit: "pictures/s".into(),
        bar: None,
        pass: true,
    };
    Ok(vec![
        Figure {
            name: "index.vs_ort_python".into(),
            value: ratio,
            unit: "ratio".into(),
            bar: Some(BAR),
            pass: ratio >= BAR,
        },
        informs("ours", best(&ours)),
        informs("ort_python_int8", best(&theirs[0])),
        informs("ort_python_f32", best(&theirs[1])),
    ])
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}

/// The interpreter of an environment of its own that has the packages.
fn venv(paths: &Paths) -> Result<PathBuf> {
    let folder = paths.work().join("python");
    let python = folder.join("bin/python");
    Step::new(&paths.stamps(), "python")
        .value("packages", PACKAGES.join(" "))
        .output(&python)
        .run(|| {
            if folder.exists() {
                fs::remove_dir_all(&folder)?;
            }
            sh::run(sh::command("python3").args(["-m", "venv"]).arg(&folder))
                .context("on Debian, `apt-get install python3-venv` has what is missing")?;
            sh::run(
                sh::command(&python)
                    .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
                    .args(PACKAGES),
            )?;
            ensure!(python.is_file(), "{} was not made", python.display());
            Ok(())
        })?;
    Ok(python)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one() {
        assert_eq!((median(&[3.0, 1.0, 2.0]), median(&[])), (2.0, 0.0));
    }
}
