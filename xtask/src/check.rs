//! Everything that CI runs. Goes on after a failure, so that one run shows all.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::builds::{VARIANTS, Variant, Which, wasm_cargo};
use crate::paths::Paths;
use crate::setup::WasmToolchain;
use crate::{arm, demo, dist, setup, sh, size, weights};

struct Report {
    lines: Vec<(String, Duration, Option<String>)>,
}

impl Report {
    fn step(&mut self, name: &str, work: impl FnOnce() -> Result<()>) {
        eprintln!("\n==> test: {name}");
        let start = Instant::now();
        let failure = work().err().map(|error| format!("{error:#}"));
        if let Some(failure) = &failure {
            eprintln!("    FAILED: {failure}");
        }
        self.lines.push((name.to_owned(), start.elapsed(), failure));
    }

    fn finish(self) -> Result<()> {
        eprintln!("\n==> test: summary");
        for (name, time, failure) in &self.lines {
            let verdict = if failure.is_some() { "FAILED" } else { "ok" };
            eprintln!("    {verdict:<6} {name} ({:.1} s)", time.as_secs_f64());
        }
        let failed: Vec<&str> = self
            .lines
            .iter()
            .filter(|(_, _, failure)| failure.is_some())
            .map(|(name, ..)| name.as_str())
            .collect();
        if failed.is_empty() {
            return Ok(());
        }
        bail!("{} of {} steps failed: {}", failed.len(), self.lines.len(), failed.join(", "))
    }
}

/// Formatting, lints, Rust tests, types of the page, and the page in a browser.
pub fn test(paths: &Paths) -> Result<()> {
    // Without these nothing below can run, so their failure ends the run.
    setup::rust_components()?;
    let toolchain = setup::setup(paths)?;
    let chromium = setup::chromium()?;

    let mut report = Report { lines: Vec::new() };
    let cargo = |words: &str| run(paths, sh::command("cargo").args(words.split(' ')));
    report.step("rustfmt", || cargo("fmt --all --check"));
    // One profile for everything native, so that the network's runtime compiles once. Not the whole
    // workspace: with xtask's features in the mix, the same dependencies would be built again.
    report.step("clippy", || {
        cargo("clippy --release --workspace --exclude xtask --all-targets -- -D warnings")
    });
    report.step("clippy, xtask", || {
        cargo("clippy --profile xtask -p xtask --all-targets -- -D warnings")
    });
    report.step("clippy, wasm", || clippy_wasm(paths, &toolchain));
    report.step("types of the page", || npm_run(paths, "check"));
    report.step("cargo test, xtask", || cargo("test --profile xtask -p xtask"));
    // The tests read the sample weights and catalogue; the browser loads what the demo serves.
    report.step("demo", || {
        // A test looks at what the smallest network says.
        weights::LITE0.weights(paths)?;
        demo::prepare(paths, None, demo::Model::InceptionV3, Which::All)
    });
    report.step("size", || size::size(paths, None));
    // A test looks at the site as it is given away.
    report.step("dist", || dist::dist(paths, None));
    report
        .step("cargo test", || cargo("test --release --workspace --exclude xtask --no-fail-fast"));
    report.step("kernels on Arm", || arm::arm(paths));
    report.step("node --test", || {
        let mut node = sh::command("node");
        node.args(["--test", "--test-concurrency=1", "--test-reporter=spec"]);
        node.args(page_tests(paths)?).env("CHROMIUM", &chromium);
        run(paths, &mut node)
    });
    report.finish()
}

/// Node 20 takes files, later ones folders and patterns as well: files work with all.
fn page_tests(paths: &Paths) -> Result<Vec<std::path::PathBuf>> {
    let tests: Vec<_> = crate::cache::files_below(&paths.root.join("tests"))?
        .into_iter()
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.ends_with(".test.mjs") || name.ends_with(".test.js")
        })
        .collect();
    if tests.is_empty() {
        bail!("tests/ holds no *.test.js");
    }
    Ok(tests)
}

fn clippy_wasm(paths: &Paths, toolchain: &WasmToolchain) -> Result<()> {
    // These two have all code that the others have, but for tract's, which native clippy reads.
    let read = |v: &&Variant| ["", "relaxed-threads"].contains(&v.folder);
    for variant in VARIANTS.iter().filter(read) {
        let mut cargo = match toolchain {
            // Debian's compiler has no clippy of the same version: check what can be checked.
            WasmToolchain::Debian { .. } => wasm_cargo(toolchain, "check"),
            WasmToolchain::Rustup { .. } => wasm_cargo(toolchain, "clippy"),
        };
        cargo.args(variant.flags(paths));
        if matches!(toolchain, WasmToolchain::Rustup { .. }) {
            cargo.args(["--", "-D", "warnings"]);
        }
        run(paths, &mut cargo)?;
    }
    Ok(())
}

fn npm_run(paths: &Paths, script: &str) -> Result<()> {
    run(paths, sh::command("npm").args(["run", "--silent", script]))
}

fn run(paths: &Paths, command: &mut Command) -> Result<()> {
    sh::run(command.current_dir(&paths.root))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_fails_the_run_but_not_the_steps_after_it() {
        let mut report = Report { lines: Vec::new() };
        let mut ran = 0;
        report.step("first", || bail!("no"));
        report.step("second", || {
            ran += 1;
            Ok(())
        });
        assert_eq!(ran, 1);
        let error = report.finish().expect_err("one failed").to_string();
        assert_eq!(error, "1 of 2 steps failed: first");
        assert!(Report { lines: Vec::new() }.finish().is_ok());
    }
}
