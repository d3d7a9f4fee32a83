//! Runs other programs, with errors that say what was run and what to do.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// A command whose environment is free of what the outer `cargo run` put there,
/// so that a nested cargo sees the same environment whether it was started from
/// here or by hand, and rebuilds nothing because of the difference.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (key, _) in std::env::vars_os() {
        let name = key.to_string_lossy();
        if name.starts_with("CARGO_PKG_")
            || name.starts_with("CARGO_MANIFEST_")
            || matches!(name.as_ref(), "CARGO" | "RUSTUP_TOOLCHAIN" | "OUT_DIR")
        {
            command.env_remove(&key);
        }
    }
    command
}

/// The command as a person would type it.
pub fn show(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| {
            let word = word.to_string_lossy();
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:@,+".contains(c);
            if !word.is_empty() && word.chars().all(plain) {
                word.into_owned()
            } else {
                format!("'{}'", word.replace('\'', r"'\''"))
            }
        })
        .collect::<Vec<_>>()
        .join(" ")
}

/// Runs to the end with the terminal attached; anything but success is an error.
pub fn run(command: &mut Command) -> Result<()> {
    eprintln!("    $ {}", show(command));
    let status = command.status().with_context(|| cannot_start(command))?;
    if !status.success() {
        bail!("`{}` failed ({status})", show(command));
    }
    Ok(())
}

/// Runs silently and returns standard output; the error holds what it printed.
pub fn output(command: &mut Command) -> Result<Vec<u8>> {
    let output = command.stdin(Stdio::null()).output().with_context(|| cannot_start(command))?;
    if !output.status.success() {
        bail!(
            "`{}` failed ({}):\n{}{}",
            show(command),
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(output.stdout)
}

/// [`output`], as text without the surrounding white space.
pub fn text(command: &mut Command) -> Result<String> {
    let bytes = output(command)?;
    Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
}

fn cannot_start(command: &Command) -> String {
    format!(
        "cannot start `{}`: is it installed and on the PATH?",
        command.get_program().to_string_lossy()
    )
}

/// Whether a program of this name is on the `PATH`.
pub fn on_path(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| is_program(&dir.join(program))))
}

fn is_program(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    }
    #[cfg(not(unix))]
    {
        path.is_file() || path.with_extension("exe").is_file()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_a_command_as_typed() {
        let mut command = command("echo");
        command.args(["a-b=c", "two words", "it's", ""]);
        assert_eq!(show(&command), r"echo a-b=c 'two words' 'it'\''s' ''");
    }

    #[test]
    fn failure_names_the_command_and_its_words() {
        let mut failing = command("sh");
        failing.args(["-c", "echo out; echo why >&2; exit 3"]);
        let message = format!("{:#}", output(&mut failing).expect_err("exit 3"));
        assert!(message.contains("sh -c"), "{message}");
        assert!(message.contains("out\nwhy"), "{message}");
    }

    #[test]
    fn a_missing_program_is_named() {
        let mut missing = command("no-such-program-here");
        let message = format!("{:#}", run(&mut missing).expect_err("missing"));
        assert!(message.contains("no-such-program-here"), "{message}");
        assert!(!on_path("no-such-program-here"));
        assert!(on_path("sh"));
    }
}
