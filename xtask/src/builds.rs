//! Builds the command line and the browser's module.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use wasm_bindgen_cli_support::Bindgen;

use crate::cache::{Step, files_below, fresh_folder};
use crate::paths::Paths;
use crate::setup::{WASM_TARGET, WasmToolchain};
use crate::sh;

const PACKAGE: &str = "lookalike";
/// Profile of Cargo.toml for the browser.
const WASM_PROFILE: &str = "wasm";
const WASM_FILE: &str = "lookalike_bg.wasm";
/// The features are read from the module itself.
const WASM_OPT: [&str; 2] = ["-Oz", "--detect-features"];

/// Builds the native command line and returns its path.
pub fn native(paths: &Paths) -> Result<PathBuf> {
    eprintln!("==> building the command line");
    let mut cargo = sh::command("cargo");
    cargo
        .args(["build", "--release", "-p", PACKAGE, "--target-dir"])
        .arg(paths.target())
        .current_dir(&paths.root);
    sh::run(&mut cargo)?;
    Ok(paths.target().join("release").join(format!("{PACKAGE}{}", std::env::consts::EXE_SUFFIX)))
}

/// Builds the browser's module and its bindings into `pkg/`. `optimise` runs `wasm-opt` as well, which takes minutes.
pub fn wasm(paths: &Paths, toolchain: &WasmToolchain, optimise: bool) -> Result<()> {
    eprintln!("==> building the browser's module");
    // A folder of its own, so that it can build beside native code without waiting for its lock.
    let target_dir = paths.target().join("wasm");
    let mut cargo = wasm_cargo(toolchain, "build");
    cargo.args(["--profile", WASM_PROFILE]).args(WASM_FLAGS).arg("--target-dir").arg(&target_dir);
    sh::run(cargo.current_dir(&paths.root))?;

    let module = target_dir.join(WASM_TARGET).join(WASM_PROFILE).join(format!("{PACKAGE}.wasm"));
    let bindings = bindings(paths, &module)?;
    let mut wasm = bindings.join(WASM_FILE);
    if optimise {
        wasm = optimised(paths, &wasm)?;
    }
    publish(paths, &bindings, &wasm)
}

/// What makes the library a module for the browser, for any cargo command.
pub const WASM_FLAGS: [&str; 7] = [
    "-p",
    PACKAGE,
    "--lib",
    "--no-default-features",
    "--features",
    "wasm",
    "--target=wasm32-unknown-unknown",
];

/// `cargo SUBCOMMAND` by the compiler that has the wasm target.
pub fn wasm_cargo(toolchain: &WasmToolchain, subcommand: &str) -> std::process::Command {
    match toolchain {
        WasmToolchain::Rustup => {
            let mut cargo = sh::command("cargo");
            cargo.arg(subcommand);
            cargo
        }
        WasmToolchain::Debian { linker } => {
            let mut cargo = sh::command("rustup");
            cargo.args(["run", "debian", "cargo", subcommand, "-Zbuild-std=std,panic_abort"]);
            // Building the standard library is a nightly feature that this variable opens.
            cargo
                .env("RUSTC_BOOTSTRAP", "1")
                .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
            cargo
        }
    }
}

/// Makes the scripts that load the module, and the module that they load.
fn bindings(paths: &Paths, module: &Path) -> Result<PathBuf> {
    let out = paths.work().join("bindings");
    Step::new(&paths.stamps(), "bindings")
        .value("wasm-bindgen", bindgen_version(paths)?)
        .value("source", include_str!("builds.rs"))
        .input(module)?
        .output(&out)
        .run(|| {
            fresh_folder(&out)?;
            let mut bindgen = Bindgen::new();
            bindgen.input_path(module).web(true)?.out_name(PACKAGE).typescript(true);
            // What only a debugger reads.
            bindgen.remove_name_section(true).remove_producers_section(true);
            bindgen.generate(&out).context("making the bindings")
        })?;
    Ok(out)
}

/// The module after `wasm-opt`, made once for each input.
fn optimised(paths: &Paths, wasm: &Path) -> Result<PathBuf> {
    let out = paths.work().join("optimised").join(WASM_FILE);
    Step::new(&paths.stamps(), "wasm-opt")
        .value("flags", WASM_OPT.join(" "))
        .input(wasm)?
        .input(&paths.root.join("package-lock.json"))?
        .output(&out)
        .run(|| {
            fs::create_dir_all(out.parent().context("a file has a folder")?)?;
            let mut opt = sh::command(paths.root.join("node_modules/.bin/wasm-opt"));
            opt.args(WASM_OPT).arg(wasm).arg("-o").arg(&out);
            sh::run(&mut opt).context("wasm-opt comes from the npm package binaryen")
        })?;
    Ok(out)
}

/// Puts the bindings and this build of their module into `pkg/`.
fn publish(paths: &Paths, bindings: &Path, wasm: &Path) -> Result<()> {
    let pkg = paths.pkg();
    Step::new(&paths.stamps(), "pkg").input(bindings)?.input(wasm)?.output(&pkg).run(|| {
        fresh_folder(&pkg)?;
        for file in files_below(bindings)? {
            let to = pkg.join(file.strip_prefix(bindings).unwrap_or(&file));
            fs::create_dir_all(to.parent().context("a file has a folder")?)?;
            fs::copy(&file, to)?;
        }
        fs::copy(wasm, pkg.join(WASM_FILE))?;
        eprintln!("    {WASM_FILE}: {:.2} MB", wasm.metadata()?.len() as f64 / 1e6);
        Ok(())
    })?;
    Ok(())
}

/// The version of wasm-bindgen in Cargo.lock, which must be the one that the bindings are made with.
fn bindgen_version(paths: &Paths) -> Result<String> {
    let lock = fs::read_to_string(paths.root.join("Cargo.lock")).context("reading Cargo.lock")?;
    let version =
        |name| locked_version(&lock, name).with_context(|| format!("Cargo.lock has no {name}"));
    let (library, support) = (version("wasm-bindgen")?, version("wasm-bindgen-cli-support")?);
    ensure!(
        library == support,
        "wasm-bindgen is {library} and wasm-bindgen-cli-support {support}; they must be the same: \
         cargo update -p wasm-bindgen --precise {support}"
    );
    Ok(library.to_owned())
}

fn locked_version<'a>(lock: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = lock.split_once(&format!("name = \"{name}\"\nversion = \""))?;
    rest.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_from_the_lock_file() {
        let lock = "[[package]]\nname = \"a-b\"\nversion = \"1.2.3\"\n\n[[package]]\nname = \"a\"\nversion = \"4.5.6\"\n";
        assert_eq!(locked_version(lock, "a"), Some("4.5.6"));
        assert_eq!(locked_version(lock, "a-b"), Some("1.2.3"));
        assert_eq!(locked_version(lock, "b"), None);
    }
}
