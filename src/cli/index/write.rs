//! Putting an index's files into the folder that a shop hosts.

use lookalike_publish::Folder;

use super::origin::Lesson;
use super::pack::pack;
use crate::cli::lesson::Networks;
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::{FORMAT, File, Manifest, Model, Part, Role, sha256};

/// What writes the files, as manifests say it.
const GENERATOR: &str = concat!("lookalike ", env!("CARGO_PKG_VERSION"));

/// Stem and ending of a role's file.
const fn named(role: Role) -> (&'static str, &'static str) {
    match role {
        Role::Model => ("model", "onnx"),
        Role::Index => ("index", "bin"),
        Role::Products => ("products", "json"),
    }
}

/// What the gzip of any file is called: an ending for which no server declares an encoding or packs by itself.
const PACKED: &str = "packed";

/// Puts a file in, and as gzip beside it where that is smaller; in parts instead where it is larger than `part_bytes`.
/// Describes it.
pub(in crate::cli) fn put(
    folder: &Folder,
    role: Role,
    content: &[u8],
    part_bytes: Option<usize>,
) -> Result<File> {
    let (stem, ending) = named(role);
    let Some(limit) = part_bytes.filter(|&limit| content.len() > limit) else {
        let file = File::of(role, &folder.put(stem, ending, content)?, content);
        return Ok(match pack(content, || last_packed(folder, &file)) {
            Some(packed) => file.packed_at(&folder.put(stem, PACKED, &packed)?, &packed),
            None => file,
        });
    };
    let parts = content
        .chunks(limit.max(1))
        .enumerate()
        .map(|(i, part)| {
            let path = folder.put(stem, &format!("{ending}.{i}"), part)?;
            Ok(Part { path, bytes: part.len() as u64, sha256: sha256(part) })
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(File::of(role, &format!("{stem}.{ending}"), content).in_parts(parts))
}

/// What the last run packed this very file to, if it is there. A manifest of another version may have been packed in
/// another way: the same catalogue gives the same files, whatever was there before.
fn last_packed(folder: &Folder, file: &File) -> Option<Vec<u8>> {
    let last =
        Manifest::read(folder.manifest()?).ok().filter(|last| last.generator == GENERATOR)?;
    let before = last.file(file.role).ok().filter(|before| before.sha256 == file.sha256)?;
    let packed = before.packed.as_ref()?;
    folder.read(&packed.path, &packed.sha256)
}

/// The manifest of an index, and its bytes.
pub(super) fn manifest(
    networks: &Networks,
    lesson: &Lesson,
    (dim, products): (usize, usize),
    files: Vec<File>,
    attribution: Option<String>,
) -> Result<(Manifest, Vec<u8>)> {
    let spec = networks.own.spec();
    let manifest = Manifest {
        format: FORMAT,
        generator: GENERATOR.into(),
        model: Model {
            name: spec.name.clone(),
            sha256: sha256(&networks.bytes),
            engine: networks.own.engine().runtime(),
            input_size: spec.input.size,
            layers: spec.layers.iter().map(|l| l.name.clone()).collect(),
            dims: spec.layers.iter().map(|l| l.dim).collect(),
        },
        recipe: lesson.recipe.clone(),
        dim,
        products,
        scores: lesson.scores.map(|learnt| learnt.scores),
        files,
        attribution,
    };
    let json = json(&manifest)?;
    Ok((manifest, json))
}

/// The bytes of `manifest.json`.
pub(in crate::cli) fn json(manifest: &Manifest) -> Result<Vec<u8>> {
    serde_json::to_vec_pretty(manifest).map_err(|cause| {
        Error::with_source(ErrorKind::Internal, "writing the manifest failed", cause)
    })
}
