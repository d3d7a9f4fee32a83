//! Where there is too little to learn from: features as they are, folded to fewer dimensions.

use super::LARGEST;
use crate::error::Result;
use crate::projection::{Block, Matrix, Projection};

/// Each input goes, with a sign, to one of `dim` outputs, so that cosines stay what they are on
/// average; nothing is taken off. With `dim` outputs or fewer inputs they stay exactly. Weinberger
/// et al., Feature hashing for large scale multitask learning, ICML 2009.
///
/// # Errors
/// `BadIndex` if there are no blocks or no dimensions.
pub(super) fn projection(blocks: &[Block], dim: usize) -> Result<Projection> {
    let inputs: usize = blocks.iter().map(|b| b.dim).sum();
    let outputs = dim.min(inputs);
    let mut rows = vec![0f32; inputs * outputs];
    for input in 0..inputs {
        let sign = if input < outputs || mixed(input as u64) & 1 == 0 { 1.0 } else { -1.0 };
        rows[input % outputs * inputs + input] = sign * LARGEST as f32;
    }
    Projection::new(blocks.to_vec(), vec![0.0; inputs], Matrix::rounded(inputs, &rows)?)
}

/// A number whose bits look random (Steele, Lea and Flood, Fast splittable pseudorandom number
/// generators, OOPSLA 2014); the same on every machine.
fn mixed(number: u64) -> u64 {
    let x = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features(count: usize, seed: u64) -> Vec<f32> {
        (0..count as u64)
            .map(|i| (mixed(i + seed * 10_007) >> 40) as f32 / (1 << 24) as f32)
            .collect()
    }

    #[test]
    fn cosines_stay() {
        let block = |dim| Block { dim, power: 0.5, weight: 1.0 };
        let cosine = |dim: usize, blocks: &[Block], a: &[f32], b: &[f32]| {
            let p = projection(blocks, dim).unwrap();
            p.apply(a).unwrap().dot(&p.apply(b).unwrap()).unwrap()
        };
        let (a, b) = (features(2000, 1), features(2000, 2));
        let blocks = [block(800), block(1200)];
        let exact = cosine(2000, &blocks, &a, &b);
        assert!(exact < 0.9, "{exact}");
        let folded = cosine(256, &blocks, &a, &b);
        assert!((folded - exact).abs() < 0.15, "{folded} {exact}");
        let (a, b) = ([4.0, 0.0, 9.0], [4.0, 1.0, 0.0]);
        assert!((cosine(256, &[block(3)], &a, &b) - 4.0 / (13f32 * 5.0).sqrt()).abs() < 1e-6);
    }
}
