//! Learns the projection from a catalogue's own features. Native only; the browser gets the result.

mod pca;

pub use pca::{PcaOptions, pca_whitening};
