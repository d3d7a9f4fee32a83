//! Visual product search that runs where the photo is: in the shopper's browser, or in a terminal.
//!
//! A photo goes through [`image`] (decoding, limits), [`mask`] (what to ignore) and [`preprocess`]
//! into a [`model`] (an ONNX network cut at the layers that matter); its pooled features go through
//! a [`projection`] to an [`embedding`], which is looked up in an [`index`] of int8 codes and
//! linked to the [`catalog`]. [`engine`] joins the parts. `ARCHITECTURE.md` has the map.
//!
//! ```no_run
//! # fn read(_: &str) -> Vec<u8> { vec![] }
//! use lookalike::engine::Engine;
//! use lookalike::manifest::Role;
//! use lookalike::query::{Query, View};
//!
//! let mut engine = Engine::new(&read("manifest.json"))?;
//! engine.provide(Role::Model, read("model.onnx"), None)?;
//! engine.provide(Role::Index, read("index.bin"), None)?;
//! engine.provide(Role::Products, read("products.json"), None)?;
//! engine.set_photo(lookalike::image::Picture::from_rgb(1, 1, vec![200, 180, 160])?)?;
//! for hit in engine.search(&Query { photo: Some(View::Whole), ..Query::default() })? {
//!     println!("{:.3} {}", hit.score, hit.product.title);
//! }
//! # Ok::<(), lookalike::Error>(())
//! ```

// So that every room says `crate::error`, wherever it lies.
extern crate lookalike_error as error;

pub mod area;
pub mod embedding;
pub mod engine;
pub mod explain;
pub mod frame;
pub mod index;
pub mod kernels;
#[cfg(feature = "cli")]
pub mod learn;
pub mod manifest;
pub mod mask;
pub mod model;
pub mod preprocess;
pub mod projection;
pub mod query;
pub mod things;

#[cfg(feature = "cli")]
pub mod cli;
#[cfg(all(feature = "wasm", target_arch = "wasm32"))]
mod wasm;

pub use error::{Error, ErrorKind, Result};
pub use lookalike_pictures as image;
pub use lookalike_products as catalog;
