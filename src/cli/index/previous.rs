//! The index that is there before a run.

use lookalike_publish::Folder;
use serde::Deserialize;

use super::origin::Origin;
use crate::catalog::Products;
use crate::cli::files;
use crate::cli::state::State;
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::{Manifest, Role};

/// What is known of the index that is there; `None` where a version wrote it that this one cannot
/// read, or where it is damaged.
pub(super) struct Previous {
    /// How many products it has; any version's manifest says so.
    pub(super) count: usize,
    pub(super) products: Option<Products>,
    pub(super) origin: Option<Origin>,
}

impl Previous {
    /// `None` if the folder holds no index yet.
    pub(super) fn read(folder: &Folder, state: &State) -> Option<Self> {
        #[derive(Deserialize)]
        struct Count {
            products: usize,
        }
        let bytes = folder.manifest()?;
        let count = serde_json::from_slice::<Count>(bytes).map_or(0, |manifest| manifest.products);
        let manifest = Manifest::read(bytes).ok();
        let products = manifest.as_ref().and_then(|manifest| {
            let content = files::read_role(folder.path(), manifest, Role::Products).ok()?;
            manifest.file(Role::Products).ok()?.verify(&content, None).ok()?;
            Products::read(&content).ok()
        });
        let origin = manifest.as_ref().and_then(|manifest| {
            Origin::read(&state.origin(&manifest.file(Role::Index).ok()?.sha256)?)
        });
        Some(Self { count, products, origin })
    }

    /// Refuses a catalogue that has lost more than `share` of its products since.
    ///
    /// # Errors
    /// `BadCatalog` that says how to go on if that is right.
    pub(super) fn check_shrinking(&self, now: usize, share: f64) -> Result<()> {
        let lost = self.count.saturating_sub(now);
        if lost as f64 <= share * self.count as f64 {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::BadCatalog,
            format!(
                "the catalogue has {now} products, the index that is there {}: more than the {:.0} % fewer that \
                 --max-shrink allows. If that is right, give --max-shrink 1; the index that is there is untouched",
                self.count,
                share * 100.0
            ),
        ))
    }
}
