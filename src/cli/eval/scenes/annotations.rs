//! What is where in photos, and which products are of its kind.

use std::path::Path;

use serde::Deserialize;

use crate::area::Area;
use crate::cli::files;
use crate::error::{Error, ErrorKind, Result};

/// Beside the photos.
const FILE: &str = "objects.json";

/// A photo and the things in it.
pub(super) struct Photo {
    pub(super) file: String,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) things: Vec<Thing>,
}

/// A thing, and what it is, if the catalogue has something of the kind.
pub(super) struct Thing {
    pub(super) kind: Option<String>,
    pub(super) place: Area,
}

#[derive(Deserialize)]
struct Marked {
    file: String,
    width: u32,
    height: u32,
    objects: Vec<Object>,
}

#[derive(Deserialize)]
struct Object {
    /// The word under which a catalogue has it; `None` where it has nothing alike.
    kind: Option<String>,
    r#box: [f64; 4],
}

/// Words that say the same as a kind, or nearly.
const WORDS: [(&str, &[&str]); 9] = [
    ("chair", &["armchair", "stool"]),
    ("sofa", &["couch", "armchair"]),
    ("table", &["desk"]),
    ("plant", &["vase", "orchids", "cactus", "flowers"]),
    ("cup", &["mug", "glass"]),
    ("sink", &["washbasin"]),
    ("oven", &["stove", "cooker"]),
    ("television", &["tv"]),
    ("person", &["male", "female", "man", "woman", "characters"]),
];

/// Not bought, whatever a catalogue of models has.
const LEFT_OUT: &str = "person";

/// The kinds that a shop of furniture has many of.
pub(super) const SIX: [&str; 6] = ["chair", "sofa", "table", "bed", "plant", "cup"];

/// Whether a title names a kind: by one of its words, without digits, in small letters.
pub(super) fn is_of_kind(title: &str, kind: &str) -> bool {
    let alike = WORDS.iter().find(|(word, _)| *word == kind).map_or(&[][..], |(_, alike)| alike);
    title
        .to_lowercase()
        .split(|c: char| !c.is_alphabetic())
        .any(|word| word == kind || alike.contains(&word))
}

/// The photos of a folder in which something is marked.
pub(super) fn read(folder: &Path) -> Result<Vec<Photo>> {
    let path = folder.join(FILE);
    let advice = "give a folder of photos with a list of what is in them, see docs/scenes.md";
    files::must_exist(folder, advice)?;
    files::must_exist(&path, advice)?;
    let bad = |what: String| Error::new(ErrorKind::BadCatalog, what).at(path.display());
    let marked: Vec<Marked> = serde_json::from_slice(&files::read(&path)?).map_err(|cause| {
        let what = format!("{} cannot be read: {advice}", path.display());
        Error::with_source(ErrorKind::BadCatalog, what, cause)
    })?;
    let mut photos = Vec::new();
    for Marked { file, width, height, objects } in marked {
        let mut things = Vec::new();
        for (at, Object { kind, r#box: place }) in (1..).zip(objects) {
            if kind.as_deref() == Some(LEFT_OUT) {
                continue;
            }
            let place = Area::touched(place, width, height).ok_or_else(|| {
                bad(format!("{file}, object {at}: the box {place:?} holds nothing of the photo"))
            })?;
            things.push(Thing { kind, place });
        }
        if !things.is_empty() {
            photos.push(Photo { file, width, height, things });
        }
    }
    if !photos.iter().flat_map(|photo| &photo.things).any(|thing| thing.kind.is_some()) {
        return Err(bad("nothing is marked that could be looked for".into()));
    }
    Ok(photos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_of_a_kind_by_one_of_its_words() {
        for (title, kind) in [
            ("Oak table 2", "table"),
            ("Desk", "table"),
            ("Armchair2", "chair"),
            ("Armchair", "sofa"),
            ("Two-seat SOFA", "sofa"),
            ("Cactus", "plant"),
        ] {
            assert!(is_of_kind(title, kind), "{title} {kind}");
        }
        for (title, kind) in
            [("Tablecloth", "table"), ("Chair", "sofa"), ("", "bed"), ("Bedroom", "bed")]
        {
            assert!(!is_of_kind(title, kind), "{title} {kind}");
        }
    }
}
