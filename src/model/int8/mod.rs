//! Quantised networks on our own kernels.
//!
//! [`lower`] reads a QDQ ONNX graph and writes a [`Program`]: convolutions with packed weights, pools, sums and changes
//! of scale over `u8` maps in NHWC, concatenations done by writing in place, buffers shared by what does not live at the
//! same time. A graph with anything else in it is left to tract, and [`NotLowered`] says why.

mod curve;
mod lower;
#[cfg(feature = "cli")]
pub(crate) mod patches;
mod program;
#[cfg(feature = "cli")]
pub(crate) mod quantise;
#[cfg(feature = "cli")]
pub(crate) mod rounder;
#[cfg(feature = "cli")]
mod rounding;

pub(crate) use lower::{NotLowered, lower};
pub(crate) use program::{Program, State};

#[cfg(all(test, feature = "cli"))]
mod tests;
