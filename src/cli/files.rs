//! Files, with errors that name them.

use std::fs;
use std::io::Read;
use std::path::Path;

use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::image::{Limits, preview};
use crate::manifest::{Manifest, Role};
use crate::model::Network;

fn io(what: &str, path: &Path, cause: std::io::Error) -> Error {
    Error::with_source(ErrorKind::Io, format!("cannot {what} {}", path.display()), cause)
}

/// An error about what lies at a path, or does not.
fn unfit(path: &Path, what: &str) -> Error {
    Error::new(ErrorKind::Io, format!("{} {what}", path.display()))
}

/// The whole content of a file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    if path.is_dir() {
        return Err(unfit(path, "is a folder: give a file"));
    }
    fs::read(path).map_err(|cause| match cause.kind() {
        std::io::ErrorKind::NotFound => unfit(path, "is missing: there is no such file"),
        _ => io("read", path, cause),
    })
}

/// The content of a picture file; what cannot be a picture, or is too large for one, is not read.
pub(super) fn read_picture(path: &Path) -> Result<Vec<u8>> {
    let limits = Limits::default();
    if path.is_dir() {
        return Err(unfit(path, "is a folder: give a file"));
    }
    let mut file = fs::File::open(path).map_err(|cause| match cause.kind() {
        std::io::ErrorKind::NotFound => unfit(path, "is missing: there is no such file"),
        _ => io("read", path, cause),
    })?;
    let mut content = Vec::new();
    let failed = |cause| io("read", path, cause);
    (&mut file).take(512).read_to_end(&mut content).map_err(failed)?;
    // A pipe has no length of its own.
    let length = file.metadata().map_err(failed)?.len().max(content.len() as u64);
    preview(&content, length, &limits).map_err(|e| e.at(path.display()))?;
    file.take(limits.max_bytes).read_to_end(&mut content).map_err(failed)?;
    Ok(content)
}

/// Refuses a path where nothing is; `advice` says what to give.
pub(super) fn must_exist(path: &Path, advice: &str) -> Result<()> {
    match fs::metadata(path) {
        Ok(_) => Ok(()),
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
            Err(unfit(path, &format!("is missing: {advice}")))
        }
        Err(cause) => Err(io("look at", path, cause)),
    }
}

/// Refuses a path at which no file can be written, before the work that would be lost.
pub(super) fn must_be_writable(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Err(unfit(path, "is a folder: give the name of the file to write"));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    match folder {
        Some(folder) if !folder.is_dir() => {
            let folder = folder.display();
            Err(unfit(path, &format!("cannot be written: there is no folder {folder}; make it")))
        }
        _ => Ok(()),
    }
}

/// The file of a network, prepared by `lookalike model prepare`.
pub(super) fn read_network(path: &Path) -> Result<Vec<u8>> {
    must_exist(path, "give a network that `lookalike model prepare` has written")?;
    read(path)
}

/// A network, prepared by `lookalike model prepare`.
pub(super) fn open_network(path: &Path) -> Result<Network> {
    Network::load(read_network(path)?).map_err(|e| e.at(path.display()))
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

/// An engine with everything that a served folder holds.
pub(super) fn open_engine(folder: &Path) -> Result<Engine> {
    let advice = "give the folder that `lookalike index` has written";
    must_exist(folder, advice)?;
    if !folder.is_dir() {
        return Err(unfit(folder, &format!("is a file: {advice}")));
    }
    let manifest_path = folder.join("manifest.json");
    must_exist(&manifest_path, advice)?;
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
