//! What is remembered of pictures from one run to the next: by their content, so that a name or a
//! date says nothing.

use std::path::Path;

use lookalike_publish::{Key, Store};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::Result;

/// What pictures are decoded, resized and pooled to: raised by whoever changes any of these, so
/// that nothing is remembered that would come out otherwise now. A test holds what they come to.
const LOOKS: u32 = 2;

/// A picture's file, by the SHA-256 of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct PictureId(pub(super) [u8; 32]);

impl PictureId {
    pub(super) fn of(file: &[u8]) -> Self {
        Self(Sha256::digest(file).into())
    }
}

/// What is shown of a picture and compared besides the networks' features.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Look {
    /// Difference hash.
    pub(super) hash: u64,
    /// The small copy, where one is made.
    pub(super) thumb: Option<Thumb>,
}

/// A small copy of a picture in the hosted folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Thumb {
    /// Relative to the manifest.
    pub(super) name: String,
    /// 64 hexadecimal digits.
    pub(super) sha256: String,
}

/// The memory, open for this process alone.
pub(super) struct State {
    store: Store,
}

impl State {
    pub(super) fn open(folder: &Path) -> Result<Self> {
        Ok(Self { store: Store::open(folder)? })
    }

    /// What a network, by the SHA-256 of its file, sees in a picture.
    pub(super) fn features(
        &self,
        network: &[u8; 32],
        id: PictureId,
        dim: usize,
    ) -> Option<Vec<f32>> {
        let bytes = self.store.get(&key("features", &[network, &id.0]))?;
        let (values, rest) = bytes.as_chunks::<4>();
        let values: Vec<f32> = values.iter().map(|&b| f32::from_le_bytes(b)).collect();
        let whole = values.len() == dim && rest.is_empty();
        (whole && values.iter().all(|v| v.is_finite())).then_some(values)
    }

    pub(super) fn keep_features(
        &self,
        network: &[u8; 32],
        id: PictureId,
        features: &[f32],
    ) -> Result<()> {
        let bytes: Vec<u8> = features.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.store.put(&key("features", &[network, &id.0]), &bytes)
    }

    /// What is shown of a picture, its small copy having a longer side of `side` pixels.
    pub(super) fn look(&self, id: PictureId, side: u32) -> Option<Look> {
        serde_json::from_slice(&self.store.get(&key("look", &[&id.0, &side.to_le_bytes()]))?).ok()
    }

    pub(super) fn keep_look(&self, id: PictureId, side: u32, look: &Look) -> Result<()> {
        let json = serde_json::to_vec(look).unwrap_or_default();
        self.store.put(&key("look", &[&id.0, &side.to_le_bytes()]), &json)
    }

    /// What an index, by the SHA-256 of its file, was made from; its form is the caller's.
    pub(super) fn origin(&self, index: &str) -> Option<Vec<u8>> {
        self.store.get(&key("origin", &[index.as_bytes()]))
    }

    pub(super) fn keep_origin(&self, index: &str, origin: &[u8]) -> Result<()> {
        self.store.put(&key("origin", &[index.as_bytes()]), origin)
    }

    /// Forgets what this run had no use for, once that is more than half.
    pub(super) fn forget_unused(&self) -> Result<()> {
        self.store.forget_unused()
    }
}

/// The version counts as well: another may compute differently.
fn key(what: &str, parts: &[&[u8]]) -> Key {
    let mut hash = Sha256::new();
    hash.update(env!("CARGO_PKG_VERSION"));
    hash.update(LOOKS.to_le_bytes());
    for part in std::iter::once(what.as_bytes()).chain(parts.iter().copied()) {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_come_back_where_they_fit_and_nothing_else_does() {
        let folder = std::env::temp_dir().join(format!("lookalike-state-{}", std::process::id()));
        let state = State::open(&folder).unwrap();
        let (id, other) = (PictureId::of(b"picture"), PictureId::of(b"other"));
        assert_eq!(state.features(&[1; 32], id, 2), None);
        state.keep_features(&[1; 32], id, &[1.5, -2.0]).unwrap();
        assert_eq!(state.features(&[1; 32], id, 2), Some(vec![1.5, -2.0]));
        assert_eq!(state.features(&[2; 32], id, 2), None, "another network");
        assert_eq!(state.features(&[1; 32], other, 2), None, "another picture");
        assert_eq!(state.features(&[1; 32], id, 3), None, "of another length");
        state.keep_features(&[1; 32], id, &[f32::NAN, 0.0]).unwrap();
        assert_eq!(state.features(&[1; 32], id, 2), None, "not finite");
        let look = Look { hash: 7, thumb: None };
        state.keep_look(id, 256, &look).unwrap();
        assert_eq!((state.look(id, 256), state.look(id, 128)), (Some(look), None));
        drop(state);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
