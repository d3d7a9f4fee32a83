//! Putting an index's files into the folder that a shop hosts.

use lookalike_publish::Folder;

use super::origin::Lesson;
use crate::cli::lesson::Networks;
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::{FORMAT, File, Manifest, Model, Part, Role, sha256};

/// Stem and ending of a role's file.
const fn named(role: Role) -> (&'static str, &'static str) {
    match role {
        Role::Model => ("model", "onnx"),
        Role::Index => ("index", "bin"),
        Role::Products => ("products", "json"),
    }
}

/// Puts a file in, in parts where it is larger than `part_bytes`, and describes it.
pub(in crate::cli) fn put(
    folder: &Folder,
    role: Role,
    content: &[u8],
    part_bytes: Option<usize>,
) -> Result<File> {
    let (stem, ending) = named(role);
    let Some(limit) = part_bytes.filter(|&limit| content.len() > limit) else {
        return Ok(File::of(role, &folder.put(stem, ending, content)?, content));
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
        generator: concat!("lookalike ", env!("CARGO_PKG_VERSION")).into(),
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
