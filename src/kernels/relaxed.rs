//! WebAssembly relaxed SIMD: `i32x4.relaxed_dot_i8x16_i7x16_add`, 16 products an instruction where the machine has them.
//!
//! Its second operand is meant to stay within 7 bits; what a set top bit means is left to the machine. We put the
//! activations there, all 8 bits, and ask the machine once: x86 takes the byte as unsigned, so the codes go in as they
//! are; Arm takes it as signed, so they go in minus 128 (`flip` 0x80) and the difference is folded into the bias. Pairs of
//! products may saturate at 16 bits on x86 without VNNI: with weights of 7 bits, |w| <= 63, they cannot (2 * 255 * 63 <
//! 2^15). Layers with larger weights run as `simd128`. A machine that does neither never gets this variant.

use core::arch::wasm32::*;
use std::sync::OnceLock;

use super::{Family, Ops, Tile, simd128};

const MR: usize = 4;
const NR: usize = 8;

pub(super) static OPS: Ops = Ops {
    family: Family::Quads,
    flip: || behaviour().unwrap_or(0),
    mr: MR,
    nr: NR,
    tile,
    winograd: None,
    fallback: Some(&simd128::OPS),
};

/// Whether the top bit of the second operand means what one of our two packings needs.
pub(super) fn works() -> bool {
    behaviour().is_some()
}

/// What to flip in the activations, measured once.
fn behaviour() -> Option<u8> {
    static FLIP: OnceLock<Option<u8>> = OnceLock::new();
    *FLIP.get_or_init(|| {
        let dot = |a: i8, b: u8| {
            // The operands come from memory that the compiler cannot see through.
            let (a, b) =
                (std::hint::black_box(i8x16_splat(a)), std::hint::black_box(u8x16_splat(b)));
            i32x4_extract_lane::<0>(i32x4_relaxed_dot_i8x16_i7x16_add(a, b, i32x4_splat(1)))
        };
        let agrees = |value: fn(u8) -> i32| {
            [0u8, 1, 127, 128, 200, 255].iter().all(|b| {
                [-63i8, -1, 0, 5, 63]
                    .iter()
                    .all(|a| dot(*a, *b) == 1 + 4 * i32::from(*a) * value(*b))
            })
        };
        if agrees(i32::from) {
            Some(0)
        } else if agrees(|b| i32::from(b as i8)) {
            Some(0x80)
        } else {
            None
        }
    })
}

fn tile(t: &mut Tile<'_>) {
    t.check(MR, NR);
    for first in (0..t.rows).step_by(MR) {
        let mut acc = [[i32x4_splat(0); 2]; MR];
        // SAFETY: check() has bounded bias by NR, a by whole tiles of rows of `groups` words, b by `groups` times NR words.
        unsafe {
            let mut a = t.a.as_ptr().add(first * t.lda);
            let mut b = t.b.as_ptr();
            acc.fill([v128_load(t.bias.as_ptr().cast()), v128_load(t.bias.as_ptr().add(4).cast())]);
            for _ in 0..t.groups {
                let weights = [v128_load(b.cast()), v128_load(b.add(4).cast())];
                for (r, row) in acc.iter_mut().enumerate() {
                    let x = v128_load32_splat(a.add(r * t.lda));
                    row[0] = i32x4_relaxed_dot_i8x16_i7x16_add(weights[0], x, row[0]);
                    row[1] = i32x4_relaxed_dot_i8x16_i7x16_add(weights[1], x, row[1]);
                }
                a = a.add(1);
                b = b.add(NR);
            }
        }
        simd128::finish(t, first, &acc);
    }
}
