//! Weights into the order in which the inner loops read them. Runs once a layer, when a network is loaded, and takes most
//! of that time: everything below is loops over whole runs of memory that the compiler turns into vectors.
//!
//! The weights of a panel's channels are first laid side by side, `[weight][channel]`; from there every step works on one
//! weight of all channels.

use super::Family;

/// A weight of all channels of a panel, or what becomes of it.
#[derive(Clone, Copy)]
pub(super) struct Lanes<const NR: usize>([i16; NR]);

impl<const NR: usize> Lanes<NR> {
    pub(super) const ZERO: Self = Lanes([0; NR]);

    fn load(weights: &[[i8; NR]], at: usize) -> Self {
        let weight = &weights[at];
        Lanes(std::array::from_fn(|i| i16::from(weight[i])))
    }
}

impl<const NR: usize> std::ops::Add for Lanes<NR> {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Lanes(std::array::from_fn(|i| self.0[i].wrapping_add(other.0[i])))
    }
}

impl<const NR: usize> std::ops::Sub for Lanes<NR> {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Lanes(std::array::from_fn(|i| self.0[i].wrapping_sub(other.0[i])))
    }
}

impl<const NR: usize> std::ops::Mul<i16> for Lanes<NR> {
    type Output = Self;
    fn mul(self, factor: i16) -> Self {
        Lanes(std::array::from_fn(|i| self.0[i].wrapping_mul(factor)))
    }
}

/// What the packing needs to know of a layer. Weights are OIHW, as ONNX has them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layer {
    /// Channels of the output and the input.
    pub(super) out_c: usize,
    pub(super) c: usize,
    /// Height times width of the kernel.
    pub(super) taps: usize,
}

impl Layer {
    /// Weights of one output channel.
    fn per_channel(self) -> usize {
        self.c * self.taps
    }
}

/// OIHW weights to panels of `nr` channels: `[panel][group][nr]` words of two halves or four bytes, groups in the order
/// HWI. What is missing of the last group or the last panel is 0.
pub(super) fn direct(weights: &[i8], layer: Layer, family: Family, nr: usize) -> Vec<u32> {
    match nr {
        8 => direct_by::<8>(weights, layer, family),
        #[cfg(not(target_arch = "wasm32"))]
        16 => direct_by::<16>(weights, layer, family),
        #[cfg(not(target_arch = "wasm32"))]
        32 => direct_by::<32>(weights, layer, family),
        _ => unreachable!("no variant has tiles of {nr} channels"),
    }
}

fn direct_by<const NR: usize>(weights: &[i8], layer: Layer, family: Family) -> Vec<u32> {
    let Layer { out_c, c, taps } = layer;
    let size = match family {
        Family::Pairs => 2,
        Family::Quads => 4,
    };
    let groups = layer.per_channel().div_ceil(size);
    let mut packed = Vec::with_capacity(out_c.div_ceil(NR) * groups * NR);
    let mut panel = Panel::new(layer);
    for rows in weights.chunks(NR * layer.per_channel()) {
        let side_by_side: &[[i8; NR]] = panel.lay(rows);
        let mut order = (0..taps).flat_map(|tap| (0..c).map(move |i| i * taps + tap));
        // Behind the last there is a 0.
        let mut next = || order.next().unwrap_or(c * taps);
        for _ in 0..groups {
            let words: [u32; NR] = match family {
                Family::Pairs => {
                    pairs(Lanes::load(side_by_side, next()), Lanes::load(side_by_side, next()))
                }
                Family::Quads => {
                    let four: [&[i8; NR]; 4] = std::array::from_fn(|_| &side_by_side[next()]);
                    std::array::from_fn(|i| {
                        u32::from_le_bytes(std::array::from_fn(|j| four[j][i] as u8))
                    })
                }
            };
            packed.extend_from_slice(&words);
        }
    }
    packed
}

fn pairs<const NR: usize>(low: Lanes<NR>, high: Lanes<NR>) -> [u32; NR] {
    std::array::from_fn(|i| u32::from(low.0[i] as u16) | u32::from(high.0[i] as u16) << 16)
}

/// What makes `POINTS` values of up to 9 taps.
pub(super) trait Transform<const POINTS: usize> {
    fn apply<const NR: usize>(&self, taps: [Lanes<NR>; 9]) -> [Lanes<NR>; POINTS];
}

/// Winograd's weights: `[panel][point][group][nr]` words of two halves. Taps are transformed in `parts`; `of_part` says
/// which of the kernel's taps belong to one, none where the kernel has no such tap.
pub(super) fn transformed<const POINTS: usize>(
    weights: &[i8],
    layer: Layer,
    nr: usize,
    parts: usize,
    of_part: impl Fn(usize) -> [Option<usize>; 9],
    transform: impl Transform<POINTS>,
) -> Vec<u32> {
    match nr {
        8 => transformed_by::<POINTS, 8>(weights, layer, parts, of_part, transform),
        #[cfg(not(target_arch = "wasm32"))]
        16 => transformed_by::<POINTS, 16>(weights, layer, parts, of_part, transform),
        _ => unreachable!("no variant transforms panels of {nr} channels"),
    }
}

fn transformed_by<const POINTS: usize, const NR: usize>(
    weights: &[i8],
    layer: Layer,
    parts: usize,
    of_part: impl Fn(usize) -> [Option<usize>; 9],
    transform: impl Transform<POINTS>,
) -> Vec<u32> {
    let Layer { out_c, c, taps } = layer;
    let groups = c * parts / 2;
    let size = POINTS * groups * NR;
    let mut packed = Vec::with_capacity(out_c.div_ceil(NR) * size);
    let mut panel = Panel::new(layer);
    for rows in weights.chunks(NR * layer.per_channel()) {
        let side_by_side: &[[i8; NR]] = panel.lay(rows);
        let start = packed.len();
        packed.resize(start + size, 0);
        let (words, _) = packed[start..].as_chunks_mut::<NR>();
        for part in 0..parts {
            // Where a tap's weight of input channel i is: a tap that the kernel lacks reads the 0 behind all weights.
            let of_part = of_part(part);
            let (mut first, mut step) = ([c * taps; 9], [0; 9]);
            for (tap, (first, step)) in of_part.iter().zip(first.iter_mut().zip(&mut step)) {
                if let Some(tap) = tap {
                    (*first, *step) = (*tap, taps);
                }
            }
            let at = |i: usize| {
                transform.apply(std::array::from_fn(|t| {
                    Lanes::load(side_by_side, first[t] + i * step[t])
                }))
            };
            for i in (0..c).step_by(2) {
                let (low, high) = (at(i), at(i + 1));
                let group = (part * c + i) / 2;
                for (point, (low, high)) in low.into_iter().zip(high).enumerate() {
                    words[point * groups + group] = pairs(low, high);
                }
            }
        }
    }
    packed
}

/// Lays the channels of a panel side by side.
struct Panel {
    from: Vec<i8>,
    to: Vec<i8>,
    per_channel: usize,
}

impl Panel {
    fn new(layer: Layer) -> Self {
        Panel { from: Vec::new(), to: Vec::new(), per_channel: layer.per_channel() }
    }

    /// `[channel][weight]` to `[weight][NR]`, and one more weight of 0; channels that are missing are 0. With a power of two
    /// of channels that is as many perfect shuffles of the whole as it has binary digits.
    fn lay<const NR: usize>(&mut self, rows: &[i8]) -> &[[i8; NR]] {
        self.from.clear();
        self.from.extend_from_slice(rows);
        self.from.resize(NR * self.per_channel, 0);
        self.to.clear();
        self.to.resize(NR * self.per_channel, 0);
        for _ in 0..NR.ilog2() {
            shuffle(&self.from, &mut self.to);
            std::mem::swap(&mut self.from, &mut self.to);
        }
        self.from.resize(NR * (self.per_channel + 1), 0);
        self.from.as_chunks().0
    }
}

/// The second half between the first.
fn shuffle(from: &[i8], to: &mut [i8]) {
    let (first, second) = from.split_at(from.len() / 2);
    for ((to, a), b) in to.as_chunks_mut::<2>().0.iter_mut().zip(first).zip(second) {
        *to = [*a, *b];
    }
}

/// The sum of a channel's weights.
pub(super) fn sum(channel: &[i8]) -> i32 {
    // In 16 bits first, which 256 numbers of 8 bits cannot leave.
    let part = |part: &[i8]| i32::from(part.iter().map(|w| i16::from(*w)).sum::<i16>());
    channel.chunks(256).map(part).sum()
}

/// The sum of their magnitudes.
pub(super) fn magnitude(channel: &[i8]) -> i64 {
    let part =
        |part: &[i8]| i64::from(part.iter().map(|w| u16::from(w.unsigned_abs())).sum::<u16>());
    channel.chunks(256).map(part).sum()
}

#[cfg(test)]
mod tests {
    use super::super::check::Random;
    use super::*;

    fn weights(n: usize, seed: u64) -> Vec<i8> {
        Random::new(seed).codes(n).into_iter().map(|w| w as i8).collect()
    }

    #[test]
    fn words_lie_by_panel_group_and_channel() {
        for (out_c, c, taps) in [(8, 16, 1), (9, 3, 9), (33, 7, 1), (1, 1, 1), (40, 26, 5)] {
            let (layer, per_channel) = (Layer { out_c, c, taps }, c * taps);
            let w = weights(out_c * per_channel, 3);
            for nr in [8, 16, 32] {
                for (family, size) in [(Family::Pairs, 2), (Family::Quads, 4)] {
                    let packed = direct(&w, layer, family, nr);
                    let groups = per_channel.div_ceil(size);
                    assert_eq!(packed.len(), out_c.div_ceil(nr) * groups * nr);
                    for (at, word) in packed.into_iter().enumerate() {
                        let (panel, group, lane) = (at / nr / groups, at / nr % groups, at % nr);
                        let o = panel * nr + lane;
                        let tap = |i: usize| {
                            let (tap, i) = ((group * size + i) / c, (group * size + i) % c);
                            if o < out_c && tap < taps { w[(o * c + i) * taps + tap] } else { 0 }
                        };
                        let expected = match family {
                            Family::Pairs => {
                                u32::from(i16::from(tap(0)) as u16)
                                    | u32::from(i16::from(tap(1)) as u16) << 16
                            }
                            Family::Quads => u32::from_le_bytes([0, 1, 2, 3].map(|i| tap(i) as u8)),
                        };
                        assert_eq!(word, expected, "{out_c} {per_channel} {nr} {family:?} {at}");
                    }
                }
            }
        }
    }

    #[test]
    fn sums_of_many_extreme_weights() {
        for w in [-128i8, 127, -1] {
            let channel = vec![w; 70_001];
            assert_eq!(sum(&channel), i32::from(w) * 70_001);
            assert_eq!(magnitude(&channel), i64::from(w.unsigned_abs()) * 70_001);
        }
    }
}
