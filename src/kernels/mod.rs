//! Integer kernels for convolutional networks and int8 codes, and the only unsafe code of the crate.
//!
//! # Data
//!
//! Activations are `u8`, NHWC, one picture at a time (N = 1), quantised per tensor: `real = scale * (q - zero_point)`.
//! Weights are `i8`, OIHW (depthwise: HWC), symmetric, quantised per output channel. Biases are `i32` in units of
//! `input scale * weight scale`.
//!
//! # One result everywhere
//!
//! A convolution is an `i32` sum (wrapping, as every instruction set does it) followed by [`requantise`], which is one
//! conversion, one `f32` multiplication and one rounding, each correctly rounded by IEEE 754 and never contracted.
//! Every variant therefore gives the same bytes, and the same as onnxruntime's own definition of a quantised convolution.
//! `generic` states it in scalar code; the tests compare every other variant with it over every shape.
//!
//! # Variants
//!
//! | [`Isa`] | inner loop | Winograd |
//! |---|---|---|
//! | `Generic` | scalar, the oracle | no |
//! | `Simd128` | wasm `i32x4.dot_i16x8_s`, 4 pixels x 8 channels | yes |
//! | `Relaxed` | wasm `i32x4.relaxed_dot_i8x16_i7x16_add`, for weights within 7 bits | as `Simd128` on x86 |
//! | `Avx2` | `vpmaddwd`, 4 pixels x 16 channels | yes |
//! | `Vnni` | `vpdpbusd` on 512 bits, 12 pixels x 32 channels | no |
//! | `Neon` | `smlal`, 4 pixels x 8 channels | yes |
//! | `NeonDot` | `sdot`, 8 pixels x 8 channels | no |
//!
//! # Work in parts
//!
//! Every kernel computes a range of output rows into a slice that holds just those rows, so a pool of threads can split
//! one layer without sharing mutable memory. Outputs have a pixel stride and a channel offset: a branch writes straight
//! into its place of a concatenation.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(any(test, feature = "check"))]
pub mod check;
mod conv;
mod depthwise;
pub mod generic;
#[cfg(target_arch = "aarch64")]
mod neon;
mod pack;
pub mod peak;
mod pool;
#[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
mod relaxed;
mod simd;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd128;
mod team;
#[cfg(target_arch = "x86_64")]
mod vnni;
mod winograd;

pub use conv::Conv;
pub use depthwise::Depthwise;
pub use pool::{
    AddParams, MultiplyParams, add, average_pool, look_up, max_pool, multiply, pad, quantise,
    requantise_map,
};
pub use team::{Alone, Split, Team};

use std::fmt;

/// Why a layer cannot be built from what was given. The caller names the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLayer(pub String);

impl fmt::Display for BadLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadLayer {}

pub(crate) fn bad<T>(message: impl Into<String>) -> Result<T, BadLayer> {
    Err(BadLayer(message.into()))
}

/// An instruction set that the kernels are written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Isa {
    /// Scalar code in safe Rust, the definition of what the others compute.
    Generic,
    /// WebAssembly fixed-width SIMD.
    Simd128,
    /// WebAssembly relaxed SIMD; the layers whose weights exceed 7 bits run as `Simd128`.
    Relaxed,
    /// x86-64 with AVX2.
    Avx2,
    /// x86-64 with AVX-512 VNNI.
    Vnni,
    /// 64-bit Arm.
    Neon,
    /// 64-bit Arm with the dot products of Armv8.2.
    NeonDot,
}

impl Isa {
    /// The variants that this machine (and, for wasm, this build) can run, slowest first.
    #[must_use]
    pub fn available() -> Vec<Isa> {
        #[allow(unused_mut, reason = "some targets have the generic variant only")]
        let mut found = vec![Isa::Generic];
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
        found.push(Isa::Simd128);
        #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
        if relaxed::works() {
            found.push(Isa::Relaxed);
        }
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") {
                found.push(Isa::Avx2);
                if vnni::detected() {
                    found.push(Isa::Vnni);
                }
            }
        }
        #[cfg(target_arch = "aarch64")]
        {
            found.push(Isa::Neon);
            if neon::has_dot() {
                found.push(Isa::NeonDot);
            }
        }
        found
    }

    /// The fastest available variant.
    #[must_use]
    pub fn best() -> Isa {
        *Isa::available().last().unwrap_or(&Isa::Generic)
    }

    /// The loops of this variant; `None` for `Generic`, and for one that is not available here.
    pub(crate) fn ops(self) -> Option<&'static Ops> {
        if !Isa::available().contains(&self) {
            return None;
        }
        match self {
            Isa::Generic => None,
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            Isa::Simd128 => Some(&simd128::OPS),
            #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
            Isa::Relaxed => Some(&relaxed::OPS),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => Some(&avx2::OPS),
            #[cfg(target_arch = "x86_64")]
            Isa::Vnni => Some(&vnni::OPS),
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => Some(&neon::OPS),
            #[cfg(target_arch = "aarch64")]
            Isa::NeonDot => Some(&neon::DOT),
            #[allow(unreachable_patterns, reason = "depends on the target")]
            _ => None,
        }
    }
}

/// Exact dot product of two int8 codes of up to 2^16 dimensions, on the fastest variant there is; what the shorter one
/// lacks counts as zero. Scanning a catalogue is little else.
#[inline]
#[must_use]
pub fn dot(a: &[i8], b: &[i8]) -> i32 {
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    return simd128::dot(a, b);
    #[cfg(target_arch = "aarch64")]
    return neon::dot(a, b);
    #[cfg(target_arch = "x86_64")]
    if let Some(sum) = avx2::dot(a, b) {
        return sum;
    }
    #[cfg(not(any(
        all(target_arch = "wasm32", target_feature = "simd128"),
        target_arch = "aarch64"
    )))]
    generic::dot(a, b)
}

/// Height, width and channels of an activation map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Rows.
    pub h: usize,
    /// Columns.
    pub w: usize,
    /// Channels.
    pub c: usize,
}

impl Shape {
    /// Bytes of a dense map of this shape.
    #[must_use]
    pub fn len(self) -> usize {
        self.h * self.w * self.c
    }

    /// Whether the map holds nothing.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// Where a window slides: kernel, stride and padding as (rows, columns).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    /// Height and width of the kernel.
    pub kernel: (usize, usize),
    /// Steps between outputs.
    pub stride: (usize, usize),
    /// Rows and columns added before the map.
    pub pad_before: (usize, usize),
    /// Rows and columns added after the map.
    pub pad_after: (usize, usize),
}

impl Window {
    /// Rows and columns of the output for an input of `h` x `w`; an error when the window does not fit.
    ///
    /// # Errors
    /// When a side is beyond its limit, the padding not smaller than the kernel, or the map smaller than the window.
    pub fn output(&self, h: usize, w: usize) -> Result<(usize, usize), BadLayer> {
        let side = |n: usize, k: usize, s: usize, before: usize, after: usize| {
            if k == 0 || s == 0 || k > 64 || s > 64 {
                return bad(format!("kernel {k} with stride {s} is outside 1..=64"));
            }
            if before >= k || after >= k {
                return bad(format!("padding {before}+{after} is not smaller than the kernel {k}"));
            }
            match (n + before + after).checked_sub(k) {
                Some(free) => Ok(free / s + 1),
                None => bad(format!("kernel {k} does not fit into {n} + {before} + {after}")),
            }
        };
        Ok((
            side(h, self.kernel.0, self.stride.0, self.pad_before.0, self.pad_after.0)?,
            side(w, self.kernel.1, self.stride.1, self.pad_before.1, self.pad_after.1)?,
        ))
    }
}

/// The range that outputs are clamped to and the code that stands for zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clamp {
    /// Code of the real number 0.
    pub zero_point: u8,
    /// Smallest code; `zero_point` for ReLU.
    pub lo: u8,
    /// Largest code; the code of 6 for ReLU6.
    pub hi: u8,
}

impl Clamp {
    /// ReLU and no upper bound but that of the type, with zero point 0.
    pub const RELU: Clamp = Clamp { zero_point: 0, lo: 0, hi: 255 };

    fn bounds(self) -> (f32, f32) {
        let z = f32::from(self.zero_point);
        (f32::from(self.lo) - z, f32::from(self.hi) - z)
    }
}

/// `q = zero_point + round_half_even(clamp(acc * scale))`: the one definition of the step from a sum to a code.
#[must_use]
pub fn requantise(acc: i32, scale: f32, clamp: Clamp) -> u8 {
    let (lo, hi) = clamp.bounds();
    // acc is finite and scale is checked to be, so no NaN reaches the comparison.
    let real = acc as f32 * scale;
    let real = if real > lo { real } else { lo };
    let real = if real < hi { real } else { hi };
    (nearest(real) + i32::from(clamp.zero_point)) as u8
}

/// The nearest integer, ties to even, of a number below 2^22 in magnitude. `f32::round_ties_even` is a call into the C
/// library on machines of the oldest x86-64 kind, which Rust compiles for; this is one addition, and vectorises.
#[inline(always)]
fn nearest(x: f32) -> i32 {
    ((x + simd::MAGIC).to_bits() as i32).wrapping_sub(simd::MAGIC.to_bits() as i32)
}

/// Largest side or number of channels.
pub(crate) const MAX_SIDE: usize = 1 << 14;

/// Everything but the data of a quantised convolution.
#[derive(Debug, Clone)]
pub struct ConvParams {
    /// Shape of the input.
    pub input: Shape,
    /// Channels of the output.
    pub out_c: usize,
    /// Kernel, stride, padding.
    pub window: Window,
    /// Code of zero in the input; padding has this value.
    pub input_zero_point: u8,
    /// `input scale * weight scale / output scale`, one for each output channel.
    pub scale: Vec<f32>,
    /// Output range.
    pub clamp: Clamp,
}

impl ConvParams {
    /// Shape of the output; an error for windows that do not fit.
    ///
    /// # Errors
    /// As [`Window::output`].
    pub fn output(&self) -> Result<Shape, BadLayer> {
        let Shape { h, w, c } = self.input;
        if h > MAX_SIDE || w > MAX_SIDE || c > MAX_SIDE || self.out_c > MAX_SIDE {
            return bad(format!(
                "{h} x {w} x {c} to {} channels: a side beyond {MAX_SIDE}",
                self.out_c
            ));
        }
        let (h, w) = self.window.output(self.input.h, self.input.w)?;
        Ok(Shape { h, w, c: self.out_c })
    }

    /// Checks lengths and ranges. `weights` is the number of weights that belong to one output channel.
    fn check(&self, weights: usize, bias: usize, per_channel: usize) -> Result<Shape, BadLayer> {
        let out = self.output()?;
        if self.input.is_empty() || self.out_c == 0 {
            return bad(format!("empty map: {:?} to {} channels", self.input, self.out_c));
        }
        if weights != per_channel * self.out_c {
            return bad(format!("{weights} weights instead of {} x {per_channel}", self.out_c));
        }
        if bias != self.out_c || self.scale.len() != self.out_c {
            return bad(format!(
                "{bias} biases and {} scales for {} channels",
                self.scale.len(),
                self.out_c
            ));
        }
        if let Some(i) = self.scale.iter().position(|s| !s.is_finite() || *s <= 0.0) {
            return bad(format!("scale of channel {i} is {}", self.scale[i]));
        }
        if self.clamp.lo > self.clamp.hi {
            return bad(format!("output range {}..={} is empty", self.clamp.lo, self.clamp.hi));
        }
        Ok(out)
    }
}

/// Buffers that one thread keeps between layers. They grow to what the largest layer needs, which
/// [`Conv::scratch_bytes`] tells beforehand.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(crate) a: Vec<u32>,
    pub(crate) strip: Vec<i16>,
    pub(crate) v: Vec<u32>,
    pub(crate) m: Vec<i32>,
}

impl Scratch {
    /// Makes a buffer long enough, and takes no more memory than that: a vector left to itself
    /// doubles.
    pub(crate) fn grow<T: Clone + Default>(buffer: &mut Vec<T>, length: usize) {
        if length > buffer.len() {
            buffer.reserve_exact(length - buffer.len());
            buffer.resize(length, T::default());
        }
    }

    /// Bytes held now.
    #[must_use]
    pub fn bytes(&self) -> usize {
        4 * (self.a.capacity() + self.v.capacity() + self.m.capacity()) + 2 * self.strip.capacity()
    }
}

/// Part of an output: whole rows, each pixel `stride` bytes after the one before, our channels from `offset` on.
#[derive(Debug)]
pub struct Rows<'a> {
    /// Exactly the bytes of the rows to compute.
    pub data: &'a mut [u8],
    /// Bytes from a pixel to the next; the channels of the whole tensor.
    pub stride: usize,
    /// First channel to write.
    pub offset: usize,
}

impl Rows<'_> {
    fn check(&self, pixels: usize, channels: usize) {
        assert!(
            self.data.len() == pixels * self.stride,
            "the slice holds {} bytes for {pixels} pixels",
            self.data.len()
        );
        assert!(self.offset + channels <= self.stride, "channels leave the pixel");
    }
}

/// How the operands of the inner loop are grouped: one 32-bit word of a row of inputs meets one word of each channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// Two `i16` by two `i16`.
    Pairs,
    /// Four `u8` by four `i8`.
    #[allow(dead_code, reason = "some targets have no variant of this kind")]
    Quads,
}

/// Operands of one panel: `rows` pixels by `cols` channels.
pub(crate) struct Tile<'a> {
    /// Input rows, `lda` words apart; as many can be read as whole tiles of `mr` have.
    pub(crate) a: &'a [u32],
    pub(crate) lda: usize,
    /// One panel: `groups` times `nr` words.
    pub(crate) b: &'a [u32],
    pub(crate) groups: usize,
    /// `nr` starting sums.
    pub(crate) bias: &'a [i32],
    /// `nr` multipliers.
    pub(crate) scale: &'a [f32],
    pub(crate) clamp: Clamp,
    pub(crate) out: &'a mut [u8],
    /// First byte of the first row in `out`, and bytes from a pixel to the next.
    pub(crate) offset: usize,
    pub(crate) stride: usize,
    pub(crate) rows: usize,
    pub(crate) cols: usize,
}

impl Tile<'_> {
    /// The bounds that the SIMD tiles rely on.
    #[inline(always)]
    pub(crate) fn check(&self, mr: usize, nr: usize) {
        assert!(self.rows >= 1 && self.cols >= 1 && self.cols <= nr);
        assert!(self.a.len() >= (self.rows.next_multiple_of(mr) - 1) * self.lda + self.groups);
        assert!(
            self.b.len() >= self.groups * nr && self.bias.len() >= nr && self.scale.len() >= nr
        );
        assert!(self.out.len() >= self.offset + (self.rows - 1) * self.stride + self.cols);
    }

    /// Copies a finished tile of `nr` bytes a row, whose first row is `first`, into the output: for tiles on the edge.
    #[inline]
    pub(crate) fn scatter(&mut self, first: usize, nr: usize, finished: &[u8]) {
        for (r, row) in finished.chunks_exact(nr).take(self.rows - first).enumerate() {
            let at = self.offset + (first + r) * self.stride;
            self.out[at..at + self.cols].copy_from_slice(&row[..self.cols]);
        }
    }
}

/// Operands of a product whose sums are stored as they are.
pub(crate) struct Product<'a> {
    /// `rows` rows of `groups` words.
    pub(crate) a: &'a [u32],
    /// One panel: `groups` times `nr` words.
    pub(crate) b: &'a [u32],
    pub(crate) groups: usize,
    /// A multiple of `mr`.
    pub(crate) rows: usize,
    /// `nr` sums a row, `stride` words from a row to the next.
    pub(crate) out: &'a mut [i32],
    pub(crate) stride: usize,
}

/// The loops of one instruction set.
pub(crate) struct Ops {
    pub(crate) family: Family,
    /// Quads only: what the inputs are stored `^` with, 0 or 0x80, see `relaxed`.
    pub(crate) flip: fn() -> u8,
    /// Pixels of a tile.
    pub(crate) mr: usize,
    /// Channels of a tile.
    pub(crate) nr: usize,
    /// Multiply, add, requantise, store: all tiles of a panel.
    pub(crate) tile: fn(&mut Tile<'_>),
    /// Winograd's loops, where the 16-bit product is the fastest that there is.
    pub(crate) winograd: Option<winograd::Ops>,
    /// Used instead for layers that this variant cannot take (weights beyond 7 bits).
    pub(crate) fallback: Option<&'static Ops>,
}

/// The words as the 16-bit halves that the pair kernels see (all our targets are little-endian).
pub(crate) fn halves_mut(words: &mut [u32]) -> &mut [i16] {
    // SAFETY: u32 is aligned for i16, has twice its size, and every bit pattern is a valid i16; the length is doubled.
    unsafe { std::slice::from_raw_parts_mut(words.as_mut_ptr().cast(), words.len() * 2) }
}

/// The bytes of an `int8` tensor.
pub(crate) fn signed(bytes: &[u8]) -> &[i8] {
    // SAFETY: u8 and i8 have the same size and alignment, and every bit pattern is valid for both.
    unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len()) }
}

/// The words as bytes.
pub(crate) fn bytes_mut(words: &mut [u32]) -> &mut [u8] {
    // SAFETY: u8 has no alignment, four fit into a u32, and every bit pattern is valid; the length is multiplied by 4.
    unsafe { std::slice::from_raw_parts_mut(words.as_mut_ptr().cast(), words.len() * 4) }
}
