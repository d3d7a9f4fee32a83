//! Builds the command line and the browser's module.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use wasm_bindgen_cli_support::Bindgen;

use crate::cache::{Step, files_below, fresh_folder};
use crate::paths::Paths;
use crate::setup::{WASM_TARGET, WasmToolchain};
use crate::sh;

const PACKAGE: &str = "lookalike";
const WASM_FILE: &str = "lookalike_bg.wasm";
/// Profile of Cargo.toml for the browser.
const WASM_PROFILE: &str = "wasm";

const THREADS: &str = "+atomics,+bulk-memory";
/// What the linker has to be told of a shared memory, besides its bounds: workers make their own stack and locals.
const SHARED_MEMORY: [&str; 6] = [
    "--shared-memory",
    "--import-memory",
    "--export=__wasm_init_tls",
    "--export=__tls_size",
    "--export=__tls_align",
    "--export=__tls_base",
];
/// A shared memory has to name the most that it grows to. Address space, not memory: three times what the network and
/// an index of 100 000 products take.
const MOST_MEMORY: u32 = 512 << 20;

/// A build of the engine for the browser. A page fetches one of them: `www/engine.js` says which.
pub struct Variant {
    /// Its folder in `pkg/`; empty for the one that every browser can run.
    pub folder: &'static str,
    /// Cargo features.
    features: &'static str,
    /// Instructions beyond those in `.cargo/config.toml`.
    instructions: &'static str,
}

/// What `cargo xtask build` can be asked for.
#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
pub enum Part {
    /// The command line
    Native,
    /// The browser's modules that run quantised networks
    Web,
}

/// Which variants are built.
#[derive(Clone, Copy, PartialEq)]
pub enum Which {
    /// Those that run quantised networks.
    Usual,
    /// Also the one with tract, which takes minutes.
    All,
}

pub const VARIANTS: [Variant; 5] = [
    Variant { folder: "", features: "wasm", instructions: "" },
    // Dot products of 8 bits, whose operands machines may read as signed or not.
    Variant { folder: "relaxed", features: "wasm", instructions: "+relaxed-simd" },
    // The same two on a memory that workers share.
    Variant { folder: "threads", features: "wasm", instructions: THREADS },
    Variant {
        folder: "relaxed-threads",
        features: "wasm",
        instructions: "+relaxed-simd,+atomics,+bulk-memory",
    },
    // Networks that our kernels do not cover, on tract.
    Variant { folder: "full", features: "wasm,tract", instructions: "" },
];

impl Variant {
    fn name(&self) -> &str {
        if self.folder.is_empty() { "baseline" } else { self.folder }
    }

    pub fn has_threads(&self) -> bool {
        self.instructions.contains("+atomics")
    }

    /// Whether it is the build with tract.
    pub fn has_tract(&self) -> bool {
        self.features.contains("tract")
    }

    /// Arguments for any cargo command that has the library for the browser as its subject.
    pub fn flags(&self, paths: &Paths) -> Vec<String> {
        let mut flags: Vec<String> =
            ["-p", PACKAGE, "--lib", "--no-default-features", "--target", WASM_TARGET]
                .map(String::from)
                .to_vec();
        flags.extend(["--features".into(), self.features.into()]);
        flags.extend(["--profile".into(), WASM_PROFILE.into()]);
        flags.extend(["--target-dir".into(), self.target(paths).display().to_string()]);
        if !self.instructions.is_empty() {
            // Joined with what the configuration file has.
            let mut words = vec![format!("target-feature={}", self.instructions)];
            if self.has_threads() {
                words.extend(SHARED_MEMORY.map(|word| format!("link-arg={word}")));
                words.push(format!("link-arg=--max-memory={MOST_MEMORY}"));
            }
            let words: Vec<String> = words.iter().map(|word| format!("\"-C{word}\"")).collect();
            flags.push("--config".into());
            flags.push(format!("target.{WASM_TARGET}.rustflags=[{}]", words.join(", ")));
        }
        flags
    }

    /// A folder for each set of instructions, so that none throws away what another has compiled, and none waits for the
    /// lock of native builds.
    fn target(&self, paths: &Paths) -> PathBuf {
        let wasm = paths.target().join("wasm");
        if self.instructions.is_empty() { wasm } else { wasm.join(self.folder) }
    }

    fn module(&self, paths: &Paths) -> PathBuf {
        let folder = self.target(paths).join(WASM_TARGET).join(WASM_PROFILE);
        folder.join(format!("{PACKAGE}.wasm"))
    }
}

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

/// Builds the browser's modules and their bindings into `pkg/`.
pub fn wasm(paths: &Paths, toolchain: &WasmToolchain, which: Which) -> Result<()> {
    let mut made = Vec::new();
    for variant in VARIANTS.iter().filter(|v| which == Which::All || !v.has_tract()) {
        eprintln!("==> building the browser's module: {}", variant.name());
        let mut cargo = wasm_cargo(toolchain, "build");
        if variant.has_threads() {
            match toolchain {
                WasmToolchain::Rustup { source: true } => build_std(&mut cargo),
                WasmToolchain::Rustup { source: false } => {
                    eprintln!(
                        "    left out: the standard library has to be built for it, and rust-src is not there"
                    );
                    continue;
                }
                // Builds it in any case.
                WasmToolchain::Debian { .. } => {}
            }
        }
        sh::run(cargo.args(variant.flags(paths)).current_dir(&paths.root))?;
        made.push((variant, bindings(paths, variant)?));
    }
    publish(paths, &made)
}

/// `cargo SUBCOMMAND` by the compiler that has the wasm target.
pub fn wasm_cargo(toolchain: &WasmToolchain, subcommand: &str) -> std::process::Command {
    match toolchain {
        WasmToolchain::Rustup { .. } => {
            let mut cargo = sh::command("cargo");
            cargo.arg(subcommand);
            cargo
        }
        WasmToolchain::Debian { linker } => {
            let mut cargo = sh::command("rustup");
            cargo.args(["run", "debian", "cargo", subcommand]);
            build_std(&mut cargo);
            cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
            cargo
        }
    }
}

/// Lets cargo build the standard library as well, a nightly feature that the variable opens.
fn build_std(cargo: &mut std::process::Command) {
    cargo.arg("-Zbuild-std=std,panic_abort").env("RUSTC_BOOTSTRAP", "1");
}

/// Makes the scripts that load the module, and the module that they load.
fn bindings(paths: &Paths, variant: &Variant) -> Result<PathBuf> {
    let out = paths.work().join("bindings").join(variant.name());
    let module = variant.module(paths);
    Step::new(&paths.stamps(), &format!("bindings-{}", variant.name()))
        .value("wasm-bindgen", bindgen_version(paths)?)
        .value("source", include_str!("builds.rs"))
        .input(&module)?
        .output(&out)
        .run(|| {
            fresh_folder(&out)?;
            let mut bindgen = Bindgen::new();
            bindgen.input_path(&module).web(true)?.out_name(PACKAGE).typescript(true);
            // What only a debugger reads.
            bindgen.remove_name_section(true).remove_producers_section(true);
            // Not `wasm-opt` after it: a minute for each build, and at its best 0.2 % fewer bytes after brotli.
            bindgen.generate(&out).context("making the bindings")
        })?;
    Ok(out)
}

/// Puts the builds into `pkg/`, each into its folder.
fn publish(paths: &Paths, made: &[(&Variant, PathBuf)]) -> Result<()> {
    let pkg = paths.pkg();
    let mut step = Step::new(&paths.stamps(), "pkg").output(&pkg);
    for (variant, bindings) in made {
        step = step.value("variant", variant.folder).input(bindings)?;
    }
    step.run(|| {
        fresh_folder(&pkg)?;
        for (variant, bindings) in made {
            let to = pkg.join(variant.folder);
            for file in files_below(bindings)? {
                let to = to.join(file.strip_prefix(bindings).unwrap_or(&file));
                fs::create_dir_all(to.parent().context("a file has a folder")?)?;
                fs::copy(&file, to)?;
            }
            let bytes = to.join(WASM_FILE).metadata()?.len();
            eprintln!("    {}: {:.2} MB", variant.name(), bytes as f64 / 1e6);
        }
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
