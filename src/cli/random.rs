//! Numbers that look random and are the same on every machine: measurements repeat.

/// A well-mixed function of its argument: SplitMix64 of Steele, Lea and Flood, OOPSLA 2014.
pub(super) fn mixed(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Uniform in 0 to below 1, for each `x` another.
pub(super) fn uniform(x: u64) -> f32 {
    (mixed(x) >> 40) as f32 / (1u64 << 24) as f32
}

/// 0 to `count` in an order that depends on the seed alone.
pub(super) fn shuffled(count: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by_key(|&i| mixed(seed << 40 | i as u64));
    order
}

/// Numbers of one seed, one after the other.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    /// Uniform in `low..high`.
    pub(super) fn roll(&mut self, low: f32, high: f32) -> f32 {
        self.0 = mixed(self.0);
        low + (high - low) * uniform(self.0)
    }

    /// Most of what stands behind things is far from pure colours.
    pub(super) fn colour(&mut self) -> [f32; 3] {
        let pure = [0; 3].map(|_| self.roll(20.0, 235.0));
        let grey = pure.iter().sum::<f32>() / 3.0;
        mix([grey; 3], pure, self.roll(0.2, 0.8))
    }

    /// A colour not far from another.
    pub(super) fn near(&mut self, colour: [f32; 3], reach: f32) -> [f32; 3] {
        colour.map(|c| c + self.roll(-reach, reach))
    }
}

/// A colour between two: `share` of the second.
pub(super) fn mix(a: [f32; 3], b: [f32; 3], share: f32) -> [f32; 3] {
    std::array::from_fn(|i| a[i] + (b[i] - a[i]) * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_spread_and_orders_hold_everyone_once() {
        let mean = (0..1000).map(uniform).sum::<f32>() / 1000.0;
        assert!((0..1000).map(uniform).all(|u| (0.0..1.0).contains(&u)));
        assert!((mean - 0.5).abs() < 0.03, "{mean}");
        let mut order = shuffled(50, 3);
        assert_ne!(order, shuffled(50, 4));
        order.sort_unstable();
        assert!(order.into_iter().eq(0..50));
    }
}
