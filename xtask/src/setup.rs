//! Installs what the other chores need and is missing, and says so.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::cache::Step;
use crate::paths::Paths;
use crate::sh;

/// The one target that the browser runs.
pub const WASM_TARGET: &str = "wasm32-unknown-unknown";
const NODE_MAJOR: u32 = 20;
/// Debian's compiler for the web, linked into rustup under this name.
const DEBIAN_TOOLCHAIN: &str = "debian";

/// Which compiler builds the wasm.
#[derive(Debug, Clone, PartialEq)]
pub enum WasmToolchain {
    /// rustup's own, with the target installed. `source`: the standard library's is there, which builds with threads need.
    Rustup { source: bool },
    /// Debian's `rustc-web`, which builds the standard library from source, with the linker named here.
    Debian { linker: PathBuf },
}

/// Everything that building and serving needs; the browser is apart, see [`chromium`].
pub fn setup(paths: &Paths) -> Result<WasmToolchain> {
    node()?;
    node_packages(paths)?;
    wasm_toolchain()
}

fn node() -> Result<()> {
    const WANTED: &str =
        "Node 20 or newer is needed; see nodejs.org, or `apt-get install nodejs npm` on Debian 13.";
    let version = sh::text(sh::command("node").arg("--version")).context(WANTED)?;
    let major = major_version(&version)
        .with_context(|| format!("cannot read node's version {version:?}"))?;
    ensure!(major >= NODE_MAJOR, "node is {version}. {WANTED}");
    ensure!(sh::on_path("npm"), "node is here but npm is not. {WANTED}");
    Ok(())
}

fn major_version(version: &str) -> Option<u32> {
    version.trim_start_matches('v').split('.').next()?.parse().ok()
}

/// The development packages of package-lock.json, in node_modules/.
fn node_packages(paths: &Paths) -> Result<()> {
    Step::new(&paths.stamps(), "npm-packages")
        .input(&paths.root.join("package-lock.json"))?
        // npm writes this last; where it is gone or differs, the folder was tampered with.
        .output(&paths.root.join("node_modules/.package-lock.json"))
        .run(|| {
            sh::run(
                sh::command("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(&paths.root),
            )
        })?;
    Ok(())
}

/// Prefers rustup's target and falls back on Debian's packages where that cannot be had.
fn wasm_toolchain() -> Result<WasmToolchain> {
    // For trying the fallback where the target could be had.
    let force_debian =
        env::var_os("LOOKALIKE_WASM_TOOLCHAIN").is_some_and(|value| value == "debian");
    if !force_debian {
        if has_wasm_target() {
            return Ok(WasmToolchain::Rustup { source: rust_source() });
        }
        if sh::on_path("rustup") {
            eprintln!("==> installing the target {WASM_TARGET}");
            if sh::run(sh::command("rustup").args(["target", "add", WASM_TARGET])).is_ok() {
                return Ok(WasmToolchain::Rustup { source: rust_source() });
            }
            eprintln!("    it could not be fetched: trying Debian's compiler for the web");
        }
    }
    debian_toolchain()
}

/// Whether the standard library's source is there, installed if need be.
fn rust_source() -> bool {
    let here = || {
        sh::text(sh::command("rustc").args(["--print", "sysroot"])).is_ok_and(|root| {
            Path::new(&root).join("lib/rustlib/src/rust/library/std/Cargo.toml").is_file()
        })
    };
    if !here() && sh::on_path("rustup") {
        eprintln!("==> installing rust-src, which the builds with threads need");
        // Where it cannot be had, those builds are left out, and say so.
        let _ = sh::run(sh::command("rustup").args(["component", "add", "rust-src"]));
    }
    here()
}

/// Asked of the compiler, so that it works without rustup and without a network.
fn has_wasm_target() -> bool {
    sh::text(sh::command("rustc").args(["--print", "target-libdir", "--target", WASM_TARGET]))
        .is_ok_and(|folder| Path::new(&folder).is_dir())
}

fn debian_toolchain() -> Result<WasmToolchain> {
    ensure!(
        sh::on_path("rustup") && sh::on_path("apt-get"),
        "the compiler has no target {WASM_TARGET}, and it cannot be installed here: \
         run `rustup target add {WASM_TARGET}` with a network"
    );
    let missing: Vec<&str> = ["rustc-web", "cargo-web", "rust-web-src"]
        .into_iter()
        .filter(|package| !is_installed(package))
        .collect();
    if !missing.is_empty() {
        eprintln!("==> installing {}", missing.join(" "));
        install(&missing)?;
    }
    let linker = match wasm_linker() {
        Some(linker) => linker,
        None => {
            // An older linker cannot read what a newer LLVM writes; the plain package `lld` is older.
            let version = sh::text(sh::command("/usr/bin/rustc").arg("-vV"))?;
            let major =
                llvm_major(&version).context("/usr/bin/rustc does not say its LLVM version")?;
            install(&[&format!("lld-{major}")])?;
            wasm_linker().context("lld is installed but holds no wasm-ld")?
        }
    };
    let toolchains = sh::text(sh::command("rustup").args(["toolchain", "list"]))?;
    if !toolchains.lines().any(|line| line.split_whitespace().next() == Some(DEBIAN_TOOLCHAIN)) {
        sh::run(sh::command("rustup").args(["toolchain", "link", DEBIAN_TOOLCHAIN, "/usr"]))?;
    }
    Ok(WasmToolchain::Debian { linker })
}

/// 22 from a line `LLVM version: 22.1.8`.
fn llvm_major(version: &str) -> Option<u32> {
    let (_, rest) = version.split_once("LLVM version: ")?;
    rest.split('.').next()?.parse().ok()
}

/// The linker that comes with rustup's own compiler, or else the newest `wasm-ld` on the `PATH`.
fn wasm_linker() -> Option<PathBuf> {
    let own = sh::text(sh::command("rustc").args(["--print", "target-libdir"])).ok();
    if let Some(lld) = own
        .and_then(|libs| Some(Path::new(&libs).parent()?.join("bin/rust-lld")))
        .filter(|lld| lld.is_file())
    {
        return Some(lld);
    }
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    for folder in env::split_paths(&env::var_os("PATH")?) {
        for entry in folder.read_dir().into_iter().flatten().flatten() {
            if let Some(version) = linker_version(&entry.file_name().to_string_lossy()) {
                found.push((version, entry.path()));
            }
        }
    }
    found.sort();
    found.pop().map(|(_, path)| path)
}

/// 15 for `wasm-ld-15`; a plain `wasm-ld` is the system's default and comes first.
fn linker_version(file: &str) -> Option<u32> {
    match file.strip_prefix("wasm-ld")? {
        "" => Some(u32::MAX),
        rest => rest.strip_prefix('-')?.parse().ok(),
    }
}

/// Where Debian puts it, else any on the `PATH`.
pub fn chromium() -> Result<PathBuf> {
    if let Some(path) = find_chromium() {
        return Ok(path);
    }
    eprintln!("==> installing chromium, which runs the page in tests");
    install(&["chromium"])
        .context("tests need Chromium: install it, or name it in the variable CHROMIUM")?;
    find_chromium().context("chromium was installed, but there is no /usr/bin/chromium")
}

fn find_chromium() -> Option<PathBuf> {
    if let Some(path) = env::var_os("CHROMIUM") {
        return Some(path.into());
    }
    let folders = env::var_os("PATH").unwrap_or_default();
    ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .flat_map(|name| env::split_paths(&folders).map(move |folder| folder.join(name)))
        .find(|path| path.is_file())
}

/// pip, for archives that come from Python's registry; nothing of Python is run.
pub fn pip() -> Result<Command> {
    let pip = || {
        let mut pip = sh::command("python3");
        pip.args(["-m", "pip"]);
        pip
    };
    if sh::output(pip().arg("--version")).is_err() {
        eprintln!(
            "==> installing pip, which fetches the network that the sample index learns from"
        );
        install(&["python3-pip"]).context("`python3 -m pip` must work")?;
    }
    Ok(pip())
}

/// rustfmt and clippy, which a minimal toolchain lacks.
pub fn rust_components() -> Result<()> {
    for (program, component) in [("rustfmt", "rustfmt"), ("cargo-clippy", "clippy")] {
        if sh::output(sh::command(program).arg("--version")).is_err() {
            eprintln!("==> installing {component}");
            sh::run(sh::command("rustup").args(["component", "add", component]))?;
        }
    }
    Ok(())
}

fn is_installed(package: &str) -> bool {
    sh::text(sh::command("dpkg-query").args(["-W", "-f=${Status}", package]))
        .is_ok_and(|status| status.ends_with("ok installed"))
}

/// Debian packages, with the lists fetched first where they are too old or absent.
pub fn install(packages: &[&str]) -> Result<()> {
    ensure!(sh::on_path("apt-get"), "no apt-get here: install {} yourself", packages.join(", "));
    let words = [&["install", "-q", "-y", "--no-install-recommends"], packages].concat();
    if apt(&words).is_err() {
        apt(&["update", "-q"])?;
        apt(&words)?;
    }
    Ok(())
}

/// `apt-get` as root, or through sudo where that asks for no password.
pub fn apt(words: &[&str]) -> Result<()> {
    let mut command = if is_root() {
        sh::command("apt-get")
    } else if sh::output(sh::command("sudo").args(["-n", "true"])).is_ok() {
        let mut command = sh::command("sudo");
        command.args(["-n", "apt-get"]);
        command
    } else {
        bail!("this needs root. Run once, then try again:\n    sudo apt-get {}", words.join(" "));
    };
    sh::run(command.args(words).env("DEBIAN_FRONTEND", "noninteractive"))
}

fn is_root() -> bool {
    sh::text(sh::command("id").arg("-u")).is_ok_and(|id| id == "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_node() {
        assert_eq!(major_version("v20.20.2"), Some(20));
        assert_eq!(major_version("v8"), Some(8));
        assert_eq!(major_version("nonsense"), None);
    }

    #[test]
    fn versions_of_llvm() {
        let said = "rustc 1.96.0 (ac68faa20 2026-05-25)\nhost: x\nLLVM version: 22.1.8\n";
        assert_eq!(llvm_major(said), Some(22));
        assert_eq!(llvm_major("rustc 1.96.0"), None);
    }

    #[test]
    fn linkers_by_version() {
        assert_eq!(linker_version("wasm-ld-22"), Some(22));
        assert_eq!(linker_version("wasm-ld"), Some(u32::MAX));
        assert_eq!(linker_version("wasm-ld-22.bak"), None);
        assert_eq!(linker_version("ld"), None);
    }
}
