//! How fast the inner loop can be on this machine: what the share of peak is a share of.

use super::{Clamp, Isa, Tile};

/// Runs the inner loop of `isa` on operands that stay in the first-level cache and returns the multiplications done;
/// divide by the time taken. 0 for `Generic`, which has no inner loop to speak of.
#[must_use]
pub fn inner_loop(isa: Isa, repeats: usize) -> u64 {
    let Some(ops) = isa.ops() else { return 0 };
    let groups = 256;
    let a: Vec<u32> = (0..ops.mr * groups).map(|i| (i % 97) as u32).collect();
    let b: Vec<u32> = (0..ops.nr * groups).map(|i| (i % 61) as u32).collect();
    let (bias, scale) = (vec![0; ops.nr], vec![1.0; ops.nr]);
    let mut out = vec![0; ops.mr * ops.nr];
    for _ in 0..repeats {
        (ops.tile)(&mut Tile {
            a: &a,
            lda: groups,
            b: &b,
            groups,
            bias: &bias,
            scale: &scale,
            clamp: Clamp::RELU,
            out: std::hint::black_box(&mut out),
            offset: 0,
            stride: ops.nr,
            rows: ops.mr,
            cols: ops.nr,
        });
    }
    let word = if ops.family == super::Family::Pairs { 2 } else { 4 };
    repeats as u64 * (ops.mr * ops.nr * groups * word) as u64
}
