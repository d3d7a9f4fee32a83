//! Runs the benches and gathers their figures.

mod python;
mod quality;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;

use crate::builds::Which;
use crate::cache::Step;
use crate::paths::Paths;
use crate::size::Figure;
use crate::{demo, setup, sh, weights};

#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub enum Where {
    /// What a shopper and a shop see: in Chromium beside the peers, the int8 network's quality, and
    /// indexing beside Python.
    Web,
    /// The kernels on this machine, by `cargo bench`.
    Native,
}

/// Benches in Chromium. Each prints its table and writes its figures into the file that `--json` names.
const IN_CHROMIUM: [&str; 4] = [
    "benches/web/run.mjs",
    "benches/web/page.mjs",
    "benches/web/things.mjs",
    "benches/web/arrive.mjs",
];
/// The same of a large catalogue, which takes longest to make and comes last.
const AT_SCALE: &str = "benches/web/slider.mjs";

/// What was measured, and what could not be.
#[derive(Default)]
struct Report {
    figures: Vec<Figure>,
    failures: Vec<String>,
}

impl Report {
    /// Takes in the figures of one bench; one that fails does not keep the others from running.
    fn add(&mut self, name: &str, figures: Result<Vec<Figure>>) {
        match figures {
            Ok(figures) => self.figures.extend(figures),
            Err(error) => self.failures.push(format!("{name}: {error:#}")),
        }
    }
}

/// Runs the benches of one side, or of both. What misses its bar is an error, but only at the end.
pub fn bench(paths: &Paths, only: Option<Where>, json: Option<&Path>) -> Result<()> {
    demo::prepare(paths, None, demo::Model::InceptionV3, Which::Usual)?;
    let mut report = Report::default();
    if only != Some(Where::Native) {
        peers(paths)?;
        for script in IN_CHROMIUM {
            report.add(script, in_chromium(paths, script));
        }
        report.add("python", python::figures(paths));
        report.add("quality", quality::figures(paths));
        report.add(AT_SCALE, in_chromium(paths, AT_SCALE));
    }
    if only != Some(Where::Web) {
        let bench = sh::run(
            sh::command("cargo").args(["bench", "-p", "lookalike"]).current_dir(&paths.root),
        );
        report.add("cargo bench", bench.map(|()| Vec::new()));
    }
    println!("\n{:<28} {:>10} {:<8} {:>8}", "figure", "value", "unit", "bar");
    for Figure { name, value, unit, bar, pass } in &report.figures {
        let bar = bar.map_or(String::new(), |bar| format!("{bar}"));
        let missed = if *pass { "" } else { "  MISSED" };
        println!("{name:<28} {value:>10.4} {unit:<8} {bar:>8}{missed}");
    }
    for failure in &report.failures {
        println!("not measured: {failure}");
    }
    if let Some(json) = json {
        fs::write(json, serde_json::to_vec_pretty(&report.figures)?)
            .with_context(|| format!("writing {}", json.display()))?;
    }
    let missed = report.figures.iter().filter(|figure| !figure.pass).count();
    ensure!(
        missed == 0 && report.failures.is_empty(),
        "{missed} figures miss their bar and {} benches failed; see above",
        report.failures.len()
    );
    Ok(())
}

fn in_chromium(paths: &Paths, script: &str) -> Result<Vec<Figure>> {
    let out = paths.bench().join("figures.json");
    if out.exists() {
        fs::remove_file(&out)?;
    }
    let mut node = sh::command("node");
    node.arg(script).arg("--json").arg(&out).env("CHROMIUM", setup::chromium()?);
    let ran = sh::run(node.current_dir(&paths.root));
    // A bench that has missed its bar ends with an error as well; its figures say so.
    match fs::read(&out) {
        Ok(bytes) => serde_json::from_slice(&bytes).context("reading its figures"),
        Err(_) => ran.and_then(|()| anyhow::bail!("it wrote no figures")),
    }
}

/// What only the benches need: our network in real numbers, and as TensorFlow.js takes it.
fn peers(paths: &Paths) -> Result<()> {
    let output = paths.bench().join("f32.onnx");
    let flags = demo::Model::InceptionV3.flags();
    let lookalike = paths.lookalike();
    Step::new(&paths.stamps(), "bench-f32")
        .value("flags", flags.join(" "))
        .input(&paths.weights())?
        .input(&lookalike)?
        .output(&output)
        .run(|| {
            fs::create_dir_all(paths.bench())?;
            let mut prepare = sh::command(&lookalike);
            prepare.args(["model", "prepare"]).arg(paths.weights()).arg("-o").arg(&output);
            sh::run(prepare.args(flags).args(["--weight-bits", "32"]))
        })?;
    weights::as_published(paths, &paths.bench().join("tfjs"))
}
