//! The kernels on 64-bit Arm, on a machine that is none: cross-compiled, and run by an emulator of its processor.

use anyhow::Result;

use crate::paths::Paths;
use crate::{setup, sh};

const TARGET: &str = "aarch64-unknown-linux-gnu";
/// What Debian calls the emulator, the linker, and the C library to link with.
const PACKAGES: [&str; 3] = ["qemu-user", "gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross"];
/// Where Debian puts that library.
const SYSROOT: &str = "/usr/aarch64-linux-gnu";

/// Compares every variant of the kernels with the generic one, byte for byte, as an Arm machine runs them.
pub fn arm(paths: &Paths) -> Result<()> {
    install()?;
    // Without the command line, which no kernel needs and tract belongs to. Whole layers take minutes where each
    // instruction is emulated.
    sh::run(
        sh::command("cargo")
            .args(["test", "--release", "--target", TARGET, "-p", "lookalike", "--lib"])
            .args(["--no-default-features", "--", "kernels", "--skip", "on_whole_layers"])
            .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", "aarch64-linux-gnu-gcc")
            .env(
                "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER",
                format!("qemu-aarch64 -L {SYSROOT}"),
            )
            .current_dir(&paths.root),
    )
}

fn install() -> Result<()> {
    if !(sh::on_path("qemu-aarch64") && sh::on_path("aarch64-linux-gnu-gcc")) {
        eprintln!("==> installing {}", PACKAGES.join(" "));
        setup::install(&PACKAGES)?;
    }
    sh::run(sh::command("rustup").args(["target", "add", TARGET]))
}
