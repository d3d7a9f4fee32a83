//! x86-64 with AVX-512 VNNI: `vpdpbusd` on tiles of 12 pixels by 32 channels; it does not saturate.

use core::arch::x86_64::*;

use super::simd::MAGIC;
use super::{Family, Ops, Tile};

const MR: usize = 12;
const NR: usize = 32;

pub(super) static OPS: Ops =
    Ops { family: Family::Quads, flip: || 0, mr: MR, nr: NR, tile, winograd: None, fallback: None };

pub(super) fn detected() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512vnni")
}

fn tile(t: &mut Tile<'_>) {
    // SAFETY: `Isa::ops` hands out this table only where `detected` said yes.
    unsafe { tile_vnni(t) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn tile_vnni(t: &mut Tile<'_>) {
    t.check(MR, NR);
    let (lo, hi) = t.clamp.bounds();
    let (lo, hi) = (_mm512_set1_ps(lo), _mm512_set1_ps(hi));
    let back = _mm512_set1_epi32(MAGIC.to_bits() as i32 - i32::from(t.clamp.zero_point));
    // SAFETY: check() has bounded bias and scale by NR.
    let (bias, scale) = unsafe {
        (
            [
                _mm512_loadu_si512(t.bias.as_ptr().cast()),
                _mm512_loadu_si512(t.bias.as_ptr().add(16).cast()),
            ],
            [_mm512_loadu_ps(t.scale.as_ptr()), _mm512_loadu_ps(t.scale.as_ptr().add(16))],
        )
    };
    for first in (0..t.rows).step_by(MR) {
        let mut acc = [bias; MR];
        // SAFETY: check() has bounded a by whole tiles of rows of `groups` words, b by `groups` times NR words.
        unsafe {
            let (mut a, mut b) = (t.a.as_ptr().add(first * t.lda), t.b.as_ptr());
            for _ in 0..t.groups {
                let weights = [_mm512_loadu_si512(b.cast()), _mm512_loadu_si512(b.add(16).cast())];
                for (r, row) in acc.iter_mut().enumerate() {
                    let x = _mm512_set1_epi32(a.add(r * t.lda).read() as i32);
                    row[0] = _mm512_dpbusd_epi32(row[0], x, weights[0]);
                    row[1] = _mm512_dpbusd_epi32(row[1], x, weights[1]);
                }
                a = a.add(1);
                b = b.add(NR);
            }
        }
        let mut finished = [0u8; MR * NR];
        let whole = t.cols == NR;
        for (r, row) in acc.iter().enumerate().take(t.rows - first) {
            let at = t.offset + (first + r) * t.stride;
            for (v, sum) in row.iter().enumerate() {
                let real = _mm512_mul_ps(_mm512_cvtepi32_ps(*sum), scale[v]);
                let real = _mm512_min_ps(_mm512_max_ps(real, lo), hi);
                let code = _mm512_add_ps(real, _mm512_set1_ps(MAGIC));
                let bytes = _mm512_cvtepi32_epi8(_mm512_sub_epi32(_mm512_castps_si512(code), back));
                // SAFETY: a whole row was bounded by check(): offset + (rows - 1) * stride + 32; else `finished` has
                // MR * NR.
                unsafe {
                    let to = if whole {
                        t.out.as_mut_ptr().add(at + v * 16)
                    } else {
                        finished.as_mut_ptr().add(r * NR + v * 16)
                    };
                    _mm_storeu_si128(to.cast(), bytes);
                }
            }
        }
        if !whole {
            t.scatter(first, NR, &finished);
        }
    }
}
