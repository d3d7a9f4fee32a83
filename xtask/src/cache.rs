//! Steps that run only when their inputs changed.
//!
//! A step's stamp holds the hash of everything it was made from and the sizes of
//! what it made. It is up to date while both still agree. The hash covers
//! contents, not times, so a fresh checkout of the same files stays up to date.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// One cached step: name its inputs, name its outputs, then [`run`](Step::run) it.
pub struct Step {
    name: String,
    stamp: PathBuf,
    inputs: Sha256,
    outputs: Vec<PathBuf>,
}

#[derive(Serialize, Deserialize, PartialEq)]
struct Stamp {
    inputs: String,
    outputs: Vec<Made>,
}

/// What an output looked like when it was made: a folder counts all its files.
#[derive(Serialize, Deserialize, PartialEq)]
struct Made {
    path: PathBuf,
    files: u64,
    bytes: u64,
}

impl Step {
    /// A step whose stamp lies in the folder `stamps`.
    pub fn new(stamps: &Path, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            stamp: stamps.join(format!("{name}.json")),
            inputs: Sha256::new(),
            outputs: Vec::new(),
        }
    }

    /// A named value that the outcome depends on: a version, a flag, the step's own source.
    pub fn value(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.add(name.as_bytes());
        self.add(value.as_ref());
        self
    }

    /// A file, or a folder with all below it, that the outcome depends on.
    pub fn input(mut self, path: &Path) -> Result<Self> {
        for file in files_below(path)? {
            let relative = file.strip_prefix(path).unwrap_or(&file);
            self.add(relative.to_string_lossy().as_bytes());
            let digest = hash_file(&file)?;
            self.add(&digest);
        }
        Ok(self)
    }

    /// A file or folder that the step makes.
    pub fn output(mut self, path: &Path) -> Self {
        self.outputs.push(path.to_owned());
        self
    }

    /// Lengths are hashed with the fields so that moving a byte between two of them shows.
    fn add(&mut self, field: &[u8]) {
        self.inputs.update((field.len() as u64).to_le_bytes());
        self.inputs.update(field);
    }

    /// Does `work` unless the step is up to date; says which. Returns whether it worked.
    pub fn run(self, work: impl FnOnce() -> Result<()>) -> Result<bool> {
        let inputs = hex(&self.inputs.finalize());
        if is_current(&self.stamp, &inputs, &self.outputs) {
            eprintln!("==> {}: up to date", self.name);
            return Ok(false);
        }
        eprintln!("==> {}", self.name);
        // A stamp that outlives a failed run would vouch for half-made outputs.
        if self.stamp.exists() {
            fs::remove_file(&self.stamp)
                .with_context(|| format!("removing {}", self.stamp.display()))?;
        }
        let start = Instant::now();
        work().with_context(|| format!("step `{}`", self.name))?;
        let outputs = self.outputs.iter().map(|path| made(path)).collect::<Result<_>>()?;
        let stamp = serde_json::to_vec_pretty(&Stamp { inputs, outputs })?;
        write_atomic(&self.stamp, &stamp)?;
        eprintln!("    {}: done in {:.1} s", self.name, start.elapsed().as_secs_f64());
        Ok(true)
    }
}

fn is_current(stamp: &Path, inputs: &str, outputs: &[PathBuf]) -> bool {
    let Ok(bytes) = fs::read(stamp) else {
        return false;
    };
    let Ok(stamp) = serde_json::from_slice::<Stamp>(&bytes) else {
        return false;
    };
    stamp.inputs == inputs
        && stamp.outputs.len() == outputs.len()
        && outputs
            .iter()
            .zip(&stamp.outputs)
            .all(|(path, was)| made(path).is_ok_and(|is| is == *was))
}

fn made(path: &Path) -> Result<Made> {
    let mut result = Made { path: path.to_owned(), files: 0, bytes: 0 };
    for file in files_below(path)? {
        result.files += 1;
        result.bytes += file.metadata()?.len();
    }
    Ok(result)
}

/// The file itself, or all files below a folder in a fixed order. Missing is an error.
pub fn files_below(path: &Path) -> Result<Vec<PathBuf>> {
    let meta = fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
    if meta.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries =
            fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    Ok(files)
}

/// SHA-256 of a file's content.
pub fn hash_file(path: &Path) -> Result<Vec<u8>> {
    let mut file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let n = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => bail!("cannot read {}: {error}", path.display()),
        };
        hash.update(&buffer[..n]);
    }
    Ok(hash.finalize().to_vec())
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes beside the target and renames, so that nobody ever sees half a file.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().context("a file has a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let temporary = path.with_extension("partial");
    let write = || -> io::Result<()> {
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        drop(file);
        fs::rename(&temporary, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// An empty folder at `path`, whatever was there before.
pub fn fresh_folder(path: &Path) -> Result<()> {
    if path.exists() {
        fs::remove_dir_all(path).with_context(|| format!("cannot empty {}", path.display()))?;
    }
    fs::create_dir_all(path).with_context(|| format!("cannot make {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("xtask-cache-{name}-{}", std::process::id()));
        fresh_folder(&path).expect("scratch folder");
        path
    }

    fn step(root: &Path) -> Result<bool> {
        let out = root.join("out");
        Step::new(&root.join("stamps"), "copy")
            .value("version", "1")
            .input(&root.join("in"))?
            .output(&out)
            .run(|| write_atomic(&out, &fs::read(root.join("in"))?))
    }

    #[test]
    fn runs_once_and_again_only_when_something_changed() -> Result<()> {
        let root = scratch("again");
        fs::write(root.join("in"), "one")?;
        assert!(step(&root)?);
        assert!(!step(&root)?, "nothing changed");
        fs::write(root.join("in"), "one")?;
        assert!(!step(&root)?, "a newer time alone is no change");
        fs::write(root.join("in"), "two")?;
        assert!(step(&root)?, "an input changed");
        fs::remove_file(root.join("out"))?;
        assert!(step(&root)?, "the output is gone");
        fs::write(root.join("out"), "cut")?;
        assert!(!step(&root)?, "same size: contents of outputs are not checked");
        fs::write(root.join("out"), "shorter?")?;
        assert!(step(&root)?, "the output's size changed");
        fs::write(root.join("stamps/copy.json"), "not json")?;
        assert!(step(&root)?, "an unreadable stamp vouches for nothing");
        fs::remove_dir_all(&root)?;
        Ok(())
    }

    #[test]
    fn a_failed_step_is_not_up_to_date() -> Result<()> {
        let root = scratch("failed");
        let run = |fail: bool| {
            Step::new(&root, "s").output(&root).run(|| if fail { bail!("no") } else { Ok(()) })
        };
        run(false)?;
        fs::write(root.join("more"), "x")?;
        assert!(run(true).is_err());
        assert!(!root.join("s.json").exists());
        fs::remove_dir_all(&root)?;
        Ok(())
    }

    #[test]
    fn folders_count_names_and_contents() -> Result<()> {
        let root = scratch("folder");
        let digest = || -> Result<String> {
            Ok(hex(&Step::new(&root, "s").input(&root.join("d"))?.inputs.finalize()))
        };
        fs::create_dir_all(root.join("d/sub"))?;
        fs::write(root.join("d/sub/a"), "1")?;
        let first = digest()?;
        fs::rename(root.join("d/sub/a"), root.join("d/sub/b"))?;
        let renamed = digest()?;
        assert_ne!(first, renamed);
        fs::write(root.join("d/sub/b"), "2")?;
        assert_ne!(renamed, digest()?);
        fs::remove_dir_all(&root)?;
        assert!(digest().is_err(), "a missing input is an error");
        Ok(())
    }
}
