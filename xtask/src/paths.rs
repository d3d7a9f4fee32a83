//! Where everything lies.

use std::path::{Path, PathBuf};

/// The repository's root and the folders that the chores read and write.
pub struct Paths {
    pub root: PathBuf,
}

impl Paths {
    /// The root is the parent of this package, wherever the call came from.
    pub fn new() -> Self {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        Self { root: manifest.parent().unwrap_or(manifest).to_owned() }
    }

    /// Where cargo builds.
    pub fn target(&self) -> PathBuf {
        self.root.join("target")
    }

    /// Work files of the chores, ignored by git.
    pub fn work(&self) -> PathBuf {
        self.root.join("target/lookalike")
    }

    /// What only the benches make and read.
    pub fn bench(&self) -> PathBuf {
        self.work().join("bench")
    }

    /// The native command line.
    pub fn lookalike(&self) -> PathBuf {
        self.target().join(format!("release/lookalike{}", std::env::consts::EXE_SUFFIX))
    }

    /// One stamp a step; see [`crate::cache`].
    pub fn stamps(&self) -> PathBuf {
        self.work().join("stamps")
    }

    /// Archives as fetched.
    pub fn packages(&self) -> PathBuf {
        self.work().join("packages")
    }

    /// InceptionV3, f32.
    pub fn weights(&self) -> PathBuf {
        self.work().join("weights/inception_v3.onnx")
    }

    /// The sample shop's catalogue: `catalog.csv`, `pictures/`, `ATTRIBUTION.md`.
    pub fn catalog_source(&self) -> PathBuf {
        self.work().join("catalog-src")
    }

    /// What `lookalike model prepare` makes of the weights.
    pub fn model(&self) -> PathBuf {
        self.work().join("model/model.onnx")
    }

    /// The same of the teacher's weights.
    pub fn teacher(&self) -> PathBuf {
        self.work().join("model/teacher.onnx")
    }

    /// What `lookalike index` writes and the page loads.
    pub fn catalog(&self) -> PathBuf {
        self.root.join("catalog")
    }

    /// Photos to try the page with, and their list.
    pub fn samples(&self) -> PathBuf {
        self.root.join("samples")
    }

    /// The wasm module and its bindings.
    pub fn pkg(&self) -> PathBuf {
        self.root.join("pkg")
    }
}
