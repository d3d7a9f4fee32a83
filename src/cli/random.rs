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
