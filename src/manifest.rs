//! `manifest.json`: what a served catalogue consists of, with the size and hash of every file.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Error, ErrorKind, Result};

/// Version of the manifest's form, and of the files that it names.
pub const FORMAT: u32 = 2;

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The network, ONNX.
    Model,
    /// Codes, graph and projection.
    Index,
    /// The product list.
    Products,
}

impl Role {
    /// Its name in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Index => "index",
            Self::Products => "products",
        }
    }
}

impl std::str::FromStr for Role {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        [Self::Model, Self::Index, Self::Products]
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| {
                Error::new(ErrorKind::BadFile, format!("there is no file role {text:?}"))
            })
    }
}

/// A piece of a file that a host would not take whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Relative to the manifest.
    pub path: String,
    /// Exact size.
    pub bytes: u64,
    /// SHA-256, 64 hexadecimal digits.
    pub sha256: String,
}

/// Hashes of a file's consecutive blocks: a browser compares them while the file is still arriving, and has nothing
/// left to hash when it is here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocks {
    /// Size of each but the last, which may be shorter.
    pub bytes: u64,
    /// SHA-256 of each, 64 hexadecimal digits.
    pub sha256: Vec<String>,
}

/// The same file as gzip, for browsers that unpack while it arrives: it is small whatever the host does. The file itself
/// is hosted as well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packed {
    /// Relative to the manifest. Its ending is a neutral one, so that no server declares an encoding of its own.
    pub path: String,
    /// Exact size, packed.
    pub bytes: u64,
    /// SHA-256 of the packed bytes, 64 hexadecimal digits: the folder knows its files by it. Browsers check what they
    /// have unpacked instead.
    pub sha256: String,
}

/// Some milliseconds of hashing, and of downloading where connections are good.
const BLOCK_BYTES: usize = 1 << 20;

/// A hosted file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// What it is for.
    pub role: Role,
    /// Relative to the manifest. Not hosted itself if there are `parts`.
    pub path: String,
    /// Exact size after any transfer encoding is undone.
    pub bytes: u64,
    /// SHA-256 of those bytes, 64 hexadecimal digits.
    pub sha256: String,
    /// If not empty, the file is these pieces joined.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
    /// Where they are given, they are the whole file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks: Option<Blocks>,
    /// Absent where packing gains little, and beside `parts`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packed: Option<Packed>,
}

impl File {
    /// Describes a file that is hosted whole; one of several blocks has their hashes too.
    #[must_use]
    pub fn of(role: Role, path: &str, content: &[u8]) -> Self {
        let blocks = (content.len() > BLOCK_BYTES).then(|| Blocks {
            bytes: BLOCK_BYTES as u64,
            sha256: content.chunks(BLOCK_BYTES).map(sha256).collect(),
        });
        Self {
            role,
            path: path.to_owned(),
            bytes: content.len() as u64,
            sha256: sha256(content),
            parts: Vec::new(),
            blocks,
            packed: None,
        }
    }

    /// The same file, hosted in pieces instead.
    #[must_use]
    pub fn in_parts(self, parts: Vec<Part>) -> Self {
        Self { parts, blocks: None, packed: None, ..self }
    }

    /// The same file, hosted as gzip as well: `content` is what lies at `path`.
    #[must_use]
    pub fn packed_at(self, path: &str, content: &[u8]) -> Self {
        let (bytes, sha256) = (content.len() as u64, sha256(content));
        Self { packed: Some(Packed { path: path.to_owned(), bytes, sha256 }), ..self }
    }

    /// Whether the blocks, if there are any, are as many as the file has.
    fn has_all_blocks(&self) -> bool {
        self.blocks.as_ref().is_none_or(|blocks| {
            blocks.bytes > 0 && self.bytes.div_ceil(blocks.bytes) == blocks.sha256.len() as u64
        })
    }

    /// Checks that `content` is the file that was promised. `hash` is its SHA-256 (64 hexadecimal
    /// digits) where the caller has it; it is computed if absent.
    ///
    /// # Errors
    /// `BadFile` that says which file, and whether it was cut short or is another one.
    pub fn verify(&self, content: &[u8], hash: Option<&str>) -> Result<()> {
        if content.len() as u64 != self.bytes {
            return Err(Error::new(
                ErrorKind::BadFile,
                format!(
                    "{}: {} bytes arrived, the manifest promises {}; the download was cut short or \
                     the file on the server is another one",
                    self.path,
                    content.len(),
                    self.bytes
                ),
            ));
        }
        let found = hash.map_or_else(|| Cow::Owned(sha256(content)), Cow::Borrowed);
        if !found.eq_ignore_ascii_case(&self.sha256) {
            return Err(Error::new(
                ErrorKind::BadFile,
                format!(
                    "{}: the content is not what the manifest promises; upload all files of one \
                     `lookalike index` run together",
                    self.path
                ),
            ));
        }
        Ok(())
    }
}

/// What runs a network in the browser; says which build of the engine a page has to fetch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Runtime {
    /// Our integer kernels, which are in every build.
    #[default]
    Int8,
    /// tract, which is in `pkg/full/` alone.
    Tract,
}

/// The network that made the index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    /// For people.
    pub name: String,
    /// SHA-256 of its file, 64 hexadecimal digits.
    pub sha256: String,
    /// What runs it. Manifests of older versions do not say; networks that are not lowered to our
    /// kernels are then refused, and the message says what to do.
    #[serde(default)]
    pub engine: Runtime,
    /// Side of its square input in pixels.
    pub input_size: u32,
    /// Layers whose pooled features are joined.
    pub layers: Vec<String>,
    /// Their dimensions.
    pub dims: Vec<usize>,
}

/// What cosines mean in this catalogue, learnt from trials at index time: a score of at least `same` is most likely the
/// same product.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// At least this: the same product.
    pub same: f32,
    /// At least this: very close.
    pub close: f32,
    /// At least this: similar. Below it, nothing in the catalogue is much like what was asked for.
    pub similar: f32,
}

impl Scores {
    /// Whether they are cosines, none above the one before.
    fn make_sense(&self) -> bool {
        let all = [1.0, self.same, self.close, self.similar, -1.0];
        all.is_sorted_by(|higher, lower| higher >= lower)
    }
}

/// The whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// What wrote it.
    pub generator: String,
    /// The network.
    pub model: Model,
    /// How features become embeddings; for people and for comparing runs.
    pub recipe: serde_json::Value,
    /// Dimension of the embeddings.
    pub dim: usize,
    /// Number of products.
    pub products: usize,
    /// What scores mean; absent where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scores: Option<Scores>,
    /// What to fetch.
    pub files: Vec<File>,
    /// Whose work the catalogue shows, where its licences ask that to be said.
    #[serde(default)]
    pub attribution: Option<String>,
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// `BadFile` if it is not JSON of this form; `Mismatch` if it is of another format version.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let bad = |cause| {
            Error::with_source(
                ErrorKind::BadFile,
                "manifest.json cannot be read; check that its address is right",
                cause,
            )
        };
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        let version: Version = serde_json::from_slice(bytes).map_err(bad)?;
        if version.format != FORMAT {
            return Err(Error::new(
                ErrorKind::Mismatch,
                format!(
                    "manifest.json is of format {}, this version reads {FORMAT}: build the index \
                     again with this version of `lookalike index`",
                    version.format
                ),
            ));
        }
        let manifest: Self = serde_json::from_slice(bytes).map_err(bad)?;
        if let Some(file) = manifest.files.iter().find(|file| !file.has_all_blocks()) {
            return Err(Error::new(
                ErrorKind::BadFile,
                format!(
                    "manifest.json: the blocks of {} are not as many as its size makes; build the \
                     index again",
                    file.path
                ),
            ));
        }
        if manifest.scores.is_some_and(|scores| !scores.make_sense()) {
            return Err(Error::new(
                ErrorKind::BadFile,
                "manifest.json: \"scores\" has to be cosines, 1 >= same >= close >= similar >= -1; build the index again",
            ));
        }
        Ok(manifest)
    }

    /// The entry of a role.
    ///
    /// # Errors
    /// `BadFile` if the manifest has none.
    pub fn file(&self, role: Role) -> Result<&File> {
        self.files.iter().find(|f| f.role == role).ok_or_else(|| {
            Error::new(ErrorKind::BadFile, format!("manifest.json lists no {} file", role.as_str()))
        })
    }
}

/// SHA-256 as 64 hexadecimal digits.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_checked_by_size_and_hash() {
        let file = File::of(Role::Index, "index.bin", b"abc");
        assert_eq!(file.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert!(file.verify(b"abc", None).is_ok());
        assert!(file.verify(b"abc", Some(&file.sha256.to_uppercase())).is_ok());
        assert!(file.verify(b"ab", None).unwrap_err().to_string().contains("2 bytes arrived"));
        assert_eq!(file.verify(b"abd", None).unwrap_err().kind(), ErrorKind::BadFile);
        let other = sha256(b"abd");
        assert_eq!(file.verify(b"abd", Some(&other)).unwrap_err().kind(), ErrorKind::BadFile);
    }

    #[test]
    fn blocks_are_the_whole_file() {
        let content: Vec<u8> = (0..2 * BLOCK_BYTES + 5).map(|i| (i / 7) as u8).collect();
        let file = File::of(Role::Model, "model.onnx", &content);
        let blocks = file.blocks.clone().unwrap();
        assert_eq!((blocks.bytes, blocks.sha256.len()), (BLOCK_BYTES as u64, 3));
        assert_eq!(blocks.sha256[2], sha256(&content[2 * BLOCK_BYTES..]));
        assert_eq!(File::of(Role::Index, "index.bin", &content[..BLOCK_BYTES]).blocks, None);
        assert!(file.has_all_blocks());
        for bytes in [0, 1, BLOCK_BYTES as u64 / 2, u64::MAX] {
            let blocks = Some(Blocks { bytes, ..blocks.clone() });
            assert!(!File { blocks, ..file.clone() }.has_all_blocks(), "{bytes}");
        }
        assert_eq!(file.in_parts(Vec::new()).blocks, None);
    }

    #[test]
    fn a_packed_file_is_described_beside_the_plain_one() {
        let plain = File::of(Role::Index, "index.bin", b"abcabcabc");
        let json = serde_json::to_value(&plain).unwrap();
        assert!(
            json.get("packed").is_none(),
            "who packs nothing writes what it always wrote: {json}"
        );
        assert_eq!(serde_json::from_value::<File>(json).unwrap(), plain);

        let both = plain.clone().packed_at("index.packed", b"abc");
        let packed = both.packed.clone().unwrap();
        assert_eq!((packed.path.as_str(), packed.bytes), ("index.packed", 3));
        assert_eq!(packed.sha256, sha256(b"abc"));
        assert_eq!(File { packed: None, ..both.clone() }, plain);
        let json = serde_json::to_vec(&both).unwrap();
        assert_eq!(serde_json::from_slice::<File>(&json).unwrap(), both);
        assert_eq!(both.in_parts(Vec::new()).packed, None);
    }

    #[test]
    fn scores_are_cosines_in_order() {
        let of = |same, close, similar| Scores { same, close, similar }.make_sense();
        assert!(of(0.9, 0.6, 0.3) && of(1.0, 1.0, -1.0));
        for wrong in [of(0.6, 0.9, 0.3), of(0.9, 0.3, 0.6), of(1.1, 0.6, 0.3), of(0.9, 0.6, -1.5)] {
            assert!(!wrong);
        }
        assert!(!of(f32::NAN, 0.6, 0.3) && !of(0.9, 0.6, f32::NAN));
    }

    #[test]
    fn manifests_of_other_formats_are_refused() {
        assert!(Manifest::read(b"<html>404</html>").is_err());
        let other = Manifest::read(br#"{"format": 1}"#).unwrap_err();
        assert_eq!(other.kind(), ErrorKind::Mismatch);
        assert!(other.to_string().contains("format 1"), "{other}");
        assert!(other.to_string().contains("`lookalike index`"), "{other}");
        assert!(Manifest::read(br#"{"format": 2}"#).is_err());
    }
}
