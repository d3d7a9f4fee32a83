//! Weights into the order in which the inner loops read them. Runs once a layer, when a network is loaded, and takes most
//! of that time.

use super::{Family, bytes_mut, halves_mut};

/// What the packing needs to know of a layer. Weights are OIHW, as ONNX has them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layer {
    /// Channels of the output and the input.
    pub(super) out_c: usize,
    pub(super) c: usize,
    /// Height times width of the kernel.
    pub(super) taps: usize,
}

/// OIHW weights to panels of `nr` channels: `[panel][group][nr]` words of two halves or four bytes, groups in the order
/// HWI. What is missing of the last group or the last panel is 0.
pub(super) fn direct(weights: &[i8], layer: Layer, family: Family, nr: usize) -> Vec<u32> {
    let Layer { out_c, c, taps } = layer;
    let size = match family {
        Family::Pairs => 2,
        Family::Quads => 4,
    };
    let groups = (c * taps).div_ceil(size);
    let mut packed = vec![0; out_c.div_ceil(nr) * groups * nr];
    let mut row = vec![0; groups];
    for (o, channel) in weights.chunks_exact(c * taps).enumerate() {
        match family {
            Family::Pairs => hwi(channel, layer, halves_mut(&mut row), i16::from),
            Family::Quads => hwi(channel, layer, bytes_mut(&mut row), |w| w as u8),
        }
        // From here on whole words are moved.
        let (panel, lane) = (o / nr, o % nr);
        let lanes = packed[panel * groups * nr..][..groups * nr].chunks_exact_mut(nr);
        lanes.zip(&row).for_each(|(lanes, word)| lanes[lane] = *word);
    }
    packed
}

/// One channel's weights from IHW to HWI.
#[inline(always)]
fn hwi<T>(channel: &[i8], Layer { c, taps, .. }: Layer, to: &mut [T], code: impl Fn(i8) -> T) {
    if taps == 1 {
        to.iter_mut().zip(channel).for_each(|(to, w)| *to = code(*w));
        return;
    }
    for (tap, to) in to.chunks_exact_mut(c).take(taps).enumerate() {
        for (to, weights) in to.iter_mut().zip(channel.chunks_exact(taps)) {
            *to = code(weights[tap]);
        }
    }
}

/// Lays the channels of panels side by side, one panel after the other.
pub(super) struct Panel {
    from: Vec<i8>,
    to: Vec<i8>,
    nr: usize,
}

impl Panel {
    /// For panels of `nr` channels, a power of two, of so many weights each.
    pub(super) fn new(per_channel: usize, nr: usize) -> Self {
        let room = || vec![0; per_channel * nr];
        Panel { from: room(), to: room(), nr }
    }

    /// `[channel][weight]` to `[weight][nr]`, by as many perfect shuffles of the whole as `nr` has binary digits. Channels
    /// that are missing are 0.
    pub(super) fn lay(&mut self, rows: &[i8]) -> &[i8] {
        self.from[..rows.len()].copy_from_slice(rows);
        self.from[rows.len()..].fill(0);
        for _ in 0..self.nr.ilog2() {
            shuffle(&self.from, &mut self.to);
            std::mem::swap(&mut self.from, &mut self.to);
        }
        &self.from
    }
}

/// The second half between the first.
fn shuffle(from: &[i8], to: &mut [i8]) {
    let (first, second) = from.split_at(from.len() / 2);
    for ((to, a), b) in to.as_chunks_mut::<2>().0.iter_mut().zip(first).zip(second) {
        *to = [*a, *b];
    }
}

/// The largest magnitude of all.
pub(super) fn largest(weights: &[i8]) -> u8 {
    weights.iter().fold(0, |largest, w| largest.max(w.unsigned_abs()))
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
