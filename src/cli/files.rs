//! Files, with errors that name them.

use std::fs;
use std::path::Path;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::{Manifest, Role};

fn io(what: &str, path: &Path, cause: std::io::Error) -> Error {
    Error::with_source(ErrorKind::Io, format!("cannot {what} {}", path.display()), cause)
}

/// The whole content of a file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|cause| io("read", path, cause))
}

/// The whole content of a text file.
pub(super) fn read_text(path: &Path) -> Result<String> {
    String::from_utf8(read(path)?).map_err(|cause| {
        let what = format!("{} is not UTF-8 text", path.display());
        Error::with_source(ErrorKind::BadCatalog, what, cause)
    })
}

/// Writes beside the target and renames, so that a failure never leaves half a file.
pub(super) fn write(path: &Path, content: &[u8]) -> Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".part");
    let temporary = Path::new(&temporary);
    fs::write(temporary, content).map_err(|cause| io("write", temporary, cause))?;
    fs::rename(temporary, path).map_err(|cause| io("write", path, cause))
}

/// Makes a folder and those above it.
pub(super) fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|cause| io("make the folder", path, cause))
}

/// What lies in a folder, sorted by name.
pub(super) fn list(path: &Path) -> Result<Vec<std::path::PathBuf>> {
    let entries = fs::read_dir(path).map_err(|cause| io("list the folder", path, cause))?;
    let mut paths = entries
        .map(|entry| entry.map(|e| e.path()))
        .collect::<std::io::Result<Vec<_>>>()
        .map_err(|cause| io("list the folder", path, cause))?;
    paths.sort();
    Ok(paths)
}

/// Removes a folder of our own making, if it is there.
pub(super) fn remove_folder(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
            Err(io("remove", path, cause))
        }
        _ => Ok(()),
    }
}

/// An engine with everything that a served folder holds.
pub(super) fn open_engine(folder: &Path) -> Result<Engine> {
    let manifest_path = folder.join("manifest.json");
    let bytes = read(&manifest_path)?;
    let at = |path: &Path| path.display().to_string();
    let mut engine = Engine::new(&bytes).map_err(|e| e.at(at(&manifest_path)))?;
    for role in [Role::Model, Role::Index, Role::Products] {
        let content = read_role(folder, engine.manifest(), role)?;
        engine.provide(role, content, None).map_err(|e| e.at(at(folder)))?;
    }
    Ok(engine)
}

/// The content of one of a manifest's files, its parts joined.
pub(super) fn read_role(folder: &Path, manifest: &Manifest, role: Role) -> Result<Vec<u8>> {
    let file = manifest.file(role)?;
    if file.parts.is_empty() {
        return read(&folder.join(&file.path));
    }
    let mut content = Vec::new();
    for part in &file.parts {
        content.extend(read(&folder.join(&part.path))?);
    }
    Ok(content)
}

/// A progress bar with an estimate, on the terminal's error stream; nothing if that is no terminal.
pub(super) fn progress(length: usize, what: &'static str) -> ProgressBar {
    let template = "{msg} {wide_bar} {pos}/{len} {per_sec} eta {eta}";
    let bar = ProgressBar::new(length as u64).with_message(what);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
