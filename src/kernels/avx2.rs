//! x86-64 with AVX2: `vpmaddwd` on tiles of 4 pixels by 16 channels. `vpmaddubsw` would be faster and saturates.

use core::arch::x86_64::*;

use super::simd::{self, MAGIC, Simd};
use super::{Family, Ops, Product, Tile, winograd};

pub(super) static OPS: Ops = Ops {
    family: Family::Pairs,
    flip: || 0,
    mr: 4,
    nr: 16,
    tile,
    winograd: Some(winograd::Ops {
        raw,
        weights_2d,
        input_2d,
        output_2d,
        weights_1d,
        input_1d,
        output_1d,
    }),
    fallback: None,
};

#[derive(Clone, Copy)]
#[repr(transparent)]
struct V(__m256i);

// SAFETY: (of all blocks below) AVX2 is there by the contract of `Simd`, and so are the bytes behind the pointers.
impl Simd for V {
    const LANES: usize = 8;
    const UNROLL: usize = 1;
    type Sum = Self;

    #[inline(always)]
    unsafe fn splat(x: i32) -> Self {
        // SAFETY: AVX2, by contract.
        V(unsafe { _mm256_set1_epi32(x) })
    }
    #[inline(always)]
    unsafe fn load(p: *const i32) -> Self {
        // SAFETY: AVX2 and 32 bytes, by contract.
        V(unsafe { _mm256_loadu_si256(p.cast()) })
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut i32) {
        // SAFETY: AVX2 and 32 bytes, by contract.
        unsafe { _mm256_storeu_si256(p.cast(), self.0) }
    }
    #[inline(always)]
    unsafe fn add(self, o: Self) -> Self {
        // SAFETY: AVX2, by contract.
        V(unsafe { _mm256_add_epi32(self.0, o.0) })
    }
    #[inline(always)]
    unsafe fn sub(self, o: Self) -> Self {
        // SAFETY: AVX2, by contract.
        V(unsafe { _mm256_sub_epi32(self.0, o.0) })
    }
    #[inline(always)]
    unsafe fn mul(self, o: Self) -> Self {
        // SAFETY: AVX2, by contract.
        V(unsafe { _mm256_mullo_epi32(self.0, o.0) })
    }
    #[inline(always)]
    unsafe fn shl<const N: u32>(self) -> Self {
        // SAFETY: AVX2, by contract.
        V(unsafe { _mm256_sll_epi32(self.0, _mm_cvtsi32_si128(N as i32)) })
    }
    #[inline(always)]
    unsafe fn broadcast(p: *const u32) -> Self {
        // SAFETY: AVX2 and 4 bytes, by contract.
        V(unsafe { _mm256_set1_epi32(p.read_unaligned() as i32) })
    }
    #[inline(always)]
    unsafe fn start(self) -> Self {
        self
    }
    #[inline(always)]
    unsafe fn dot(sum: Self, a: Self, b: Self) -> Self {
        // SAFETY: AVX2, by contract.
        V(unsafe { _mm256_add_epi32(sum.0, _mm256_madd_epi16(a.0, b.0)) })
    }
    #[inline(always)]
    unsafe fn total(sum: Self) -> Self {
        sum
    }
    #[inline(always)]
    unsafe fn load_u8(p: *const u8) -> Self {
        // SAFETY: AVX2 and 16 bytes, by contract.
        V(unsafe { _mm256_cvtepu8_epi16(_mm_loadu_si128(p.cast())) })
    }
    #[inline(always)]
    unsafe fn load_i8(p: *const i8) -> Self {
        // SAFETY: AVX2 and 16 bytes, by contract.
        V(unsafe { _mm256_cvtepi8_epi16(_mm_loadu_si128(p.cast())) })
    }
    #[inline(always)]
    unsafe fn add16(self, o: Self) -> Self {
        // SAFETY: AVX2, by contract.
        V(unsafe { _mm256_add_epi16(self.0, o.0) })
    }
    #[inline(always)]
    unsafe fn sub16(self, o: Self) -> Self {
        // SAFETY: AVX2, by contract.
        V(unsafe { _mm256_sub_epi16(self.0, o.0) })
    }
    #[inline(always)]
    unsafe fn shl16<const N: u32>(self) -> Self {
        // SAFETY: AVX2, by contract.
        V(unsafe { _mm256_sll_epi16(self.0, _mm_cvtsi32_si128(N as i32)) })
    }
    #[inline(always)]
    unsafe fn times16(self, factor: i16) -> Self {
        // SAFETY: AVX2, by contract.
        V(unsafe { _mm256_mullo_epi16(self.0, _mm256_set1_epi16(factor)) })
    }
    #[inline(always)]
    unsafe fn store_pairs(self, high: Self, p: *mut i32) {
        // SAFETY: AVX2 and 64 bytes, by contract.
        unsafe {
            // Lanes of 128 bits: words 0 to 3 and 8 to 11 | 4 to 7 and 12 to 15.
            let (a, b) =
                (_mm256_unpacklo_epi16(self.0, high.0), _mm256_unpackhi_epi16(self.0, high.0));
            _mm256_storeu_si256(p.cast(), _mm256_permute2x128_si256::<0x20>(a, b));
            _mm256_storeu_si256(p.add(8).cast(), _mm256_permute2x128_si256::<0x31>(a, b));
        }
    }
    #[inline(always)]
    unsafe fn round<const CLAMPED: bool>(
        self,
        scale: Self,
        lo: f32,
        hi: f32,
        zero_point: i32,
    ) -> Self {
        // SAFETY: AVX2, by contract.
        V(unsafe {
            let mut real = _mm256_mul_ps(_mm256_cvtepi32_ps(self.0), _mm256_castsi256_ps(scale.0));
            if CLAMPED {
                real = _mm256_min_ps(_mm256_max_ps(real, _mm256_set1_ps(lo)), _mm256_set1_ps(hi));
            }
            let code = _mm256_castps_si256(_mm256_add_ps(real, _mm256_set1_ps(MAGIC)));
            _mm256_sub_epi32(code, _mm256_set1_epi32(MAGIC.to_bits() as i32 - zero_point))
        })
    }
    #[inline(always)]
    unsafe fn store_u8(p: *mut u8, first: Self, second: Self) {
        // SAFETY: AVX2 and 16 bytes, by contract.
        unsafe {
            // Lanes of 128 bits: f0 s0 | f1 s1, put in order as f0 f1 | s0 s1.
            let halves =
                _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi32(first.0, second.0));
            let bytes = _mm_packus_epi16(
                _mm256_castsi256_si128(halves),
                _mm256_extracti128_si256::<1>(halves),
            );
            _mm_storeu_si128(p.cast(), bytes);
        }
    }
}

#[target_feature(enable = "avx2")]
fn tile_avx2(t: &mut Tile<'_>) {
    // SAFETY: AVX2 is enabled here.
    unsafe { simd::tile::<V, 4, 2>(t) }
}

fn tile(t: &mut Tile<'_>) {
    // SAFETY: `Isa::ops` hands out this table only where AVX2 was detected.
    unsafe { tile_avx2(t) }
}

#[target_feature(enable = "avx2")]
fn raw_avx2(p: &mut Product<'_>) {
    // SAFETY: AVX2 is enabled here.
    unsafe { simd::raw::<V, 4, 2>(p) }
}

fn raw(p: &mut Product<'_>) {
    // SAFETY: as `tile`.
    unsafe { raw_avx2(p) }
}

macro_rules! transform {
    ($name:ident, $avx2:ident, $type:ty, |$job:ident| $body:expr) => {
        #[target_feature(enable = "avx2")]
        fn $avx2($job: &mut $type) {
            // SAFETY: AVX2 is enabled here.
            unsafe { $body }
        }

        fn $name(job: &mut $type) {
            // SAFETY: as `tile`.
            unsafe { $avx2(job) }
        }
    };
}

transform!(weights_2d, weights_2d_avx2, winograd::Weights<'_>, |job| winograd::weights_2d::<V>(
    job
));
transform!(weights_1d, weights_1d_avx2, winograd::Weights<'_>, |job| winograd::weights_1d::<V>(
    job
));
transform!(input_2d, input_2d_avx2, winograd::Input2d<'_>, |job| winograd::input_2d::<V>(job));
transform!(output_2d, output_2d_avx2, winograd::Output<'_>, |job| if job.clamped {
    winograd::output_2d::<V, true>(job);
} else {
    winograd::output_2d::<V, false>(job);
});
transform!(input_1d, input_1d_avx2, winograd::Input1d<'_>, |job| winograd::input_1d::<V>(job));
transform!(output_1d, output_1d_avx2, winograd::Output<'_>, |job| if job.clamped {
    winograd::output_1d::<V, true>(job);
} else {
    winograd::output_1d::<V, false>(job);
});

/// See [`super::dot`]; `None` on a machine without AVX2.
#[inline]
pub(super) fn dot(a: &[i8], b: &[i8]) -> Option<i32> {
    // SAFETY: AVX2 was detected just now.
    is_x86_feature_detected!("avx2").then(|| unsafe { dot_avx2(a, b) })
}

#[target_feature(enable = "avx2")]
fn dot_avx2(a: &[i8], b: &[i8]) -> i32 {
    let len = a.len().min(b.len());
    let whole = len - len % 32;
    let (mut even, mut odd) = (_mm256_setzero_si256(), _mm256_setzero_si256());
    // SAFETY: 16 codes from `at` on lie below `whole`, which is no more than either length.
    let load = |from: &[i8], at: usize| unsafe {
        _mm256_cvtepi8_epi16(_mm_loadu_si128(from.as_ptr().add(at).cast()))
    };
    for at in (0..whole).step_by(32) {
        even = _mm256_add_epi32(even, _mm256_madd_epi16(load(a, at), load(b, at)));
        odd = _mm256_add_epi32(odd, _mm256_madd_epi16(load(a, at + 16), load(b, at + 16)));
    }
    let sum = _mm256_add_epi32(even, odd);
    let sum = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256::<1>(sum));
    let sum = _mm_add_epi32(sum, _mm_shuffle_epi32::<0b01_00_11_10>(sum));
    let sum = _mm_add_epi32(sum, _mm_shuffle_epi32::<0b10_11_00_01>(sum));
    _mm_cvtsi128_si32(sum) + super::generic::dot(&a[whole..len], &b[whole..len])
}
