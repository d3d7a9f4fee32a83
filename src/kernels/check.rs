//! Every variant against `generic`, over the shapes that occur and random ones. A module rather than a test, so that the
//! wasm builds can run it too (feature `check`): natively `cargo test`, in a browser through [`all`].

use super::{
    AddParams, Clamp, Conv, ConvParams, Depthwise, Isa, Rows, Scratch, Shape, Window, add,
    average_pool, dot, generic, max_pool, requantise,
};

/// A small generator of reproducible numbers (xorshift).
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// Starts at `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number in `0..n`.
    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) as usize % n
    }

    /// Random codes; every fourth call gives extremes only.
    pub fn codes(&mut self, n: usize) -> Vec<u8> {
        let extreme = self.below(4) == 0;
        (0..n)
            .map(|_| if extreme { [0, 255][self.below(2)] } else { self.below(256) as u8 })
            .collect()
    }

    /// Random weights within ±`max`; every fourth call gives extremes only.
    pub fn weights(&mut self, n: usize, max: usize) -> Vec<i8> {
        let extreme = self.below(4) == 0;
        (0..n)
            .map(|_| {
                let w = if extreme {
                    [0, max, 2 * max][self.below(3)]
                } else {
                    self.below(2 * max + 1)
                };
                (w as isize - max as isize) as i8
            })
            .collect()
    }
}

/// Input height, width, channels; output channels; kernel; stride; padding before (rows, columns) and after.
pub type Layer =
    (usize, usize, usize, usize, (usize, usize), usize, (usize, usize), (usize, usize));

/// Every kind of convolution in InceptionV3 (299x299) and the dense ones of EfficientNet-Lite0 (224x224).
pub const LAYERS: &[Layer] = &[
    (299, 299, 3, 32, (3, 3), 2, (0, 0), (0, 0)),
    (149, 149, 32, 32, (3, 3), 1, (0, 0), (0, 0)),
    (147, 147, 32, 64, (3, 3), 1, (1, 1), (1, 1)),
    (73, 73, 64, 80, (1, 1), 1, (0, 0), (0, 0)),
    (73, 73, 80, 192, (3, 3), 1, (0, 0), (0, 0)),
    (35, 35, 192, 64, (1, 1), 1, (0, 0), (0, 0)),
    (35, 35, 192, 32, (1, 1), 1, (0, 0), (0, 0)),
    (35, 35, 48, 64, (5, 5), 1, (2, 2), (2, 2)),
    (35, 35, 64, 96, (3, 3), 1, (1, 1), (1, 1)),
    (35, 35, 96, 96, (3, 3), 1, (1, 1), (1, 1)),
    (35, 35, 288, 384, (3, 3), 2, (0, 0), (0, 0)),
    (35, 35, 96, 96, (3, 3), 2, (0, 0), (0, 0)),
    (17, 17, 768, 128, (1, 1), 1, (0, 0), (0, 0)),
    (17, 17, 768, 192, (1, 1), 1, (0, 0), (0, 0)),
    (17, 17, 128, 128, (1, 7), 1, (0, 3), (0, 3)),
    (17, 17, 128, 192, (7, 1), 1, (3, 0), (3, 0)),
    (17, 17, 160, 160, (7, 1), 1, (3, 0), (3, 0)),
    (17, 17, 160, 192, (1, 7), 1, (0, 3), (0, 3)),
    (17, 17, 192, 192, (1, 7), 1, (0, 3), (0, 3)),
    (17, 17, 192, 320, (3, 3), 2, (0, 0), (0, 0)),
    (8, 8, 1280, 320, (1, 1), 1, (0, 0), (0, 0)),
    (8, 8, 384, 384, (1, 3), 1, (0, 1), (0, 1)),
    (8, 8, 384, 384, (3, 1), 1, (1, 0), (1, 0)),
    (8, 8, 448, 384, (3, 3), 1, (1, 1), (1, 1)),
    (8, 8, 2048, 192, (1, 1), 1, (0, 0), (0, 0)),
    (224, 224, 3, 32, (3, 3), 2, (0, 0), (1, 1)),
    (112, 112, 32, 16, (1, 1), 1, (0, 0), (0, 0)),
    (56, 56, 144, 24, (1, 1), 1, (0, 0), (0, 0)),
    (28, 28, 40, 240, (1, 1), 1, (0, 0), (0, 0)),
    (7, 7, 1152, 320, (1, 1), 1, (0, 0), (0, 0)),
    (7, 7, 320, 1280, (1, 1), 1, (0, 0), (0, 0)),
];

/// Odd ones: edges, single pixels, channels that fill no register, paddings on one side.
pub const ODD: &[Layer] = &[
    (1, 1, 1, 1, (1, 1), 1, (0, 0), (0, 0)),
    (1, 1, 5, 3, (1, 1), 1, (0, 0), (0, 0)),
    (3, 3, 16, 9, (3, 3), 1, (0, 0), (0, 0)),
    (1, 1, 16, 17, (3, 3), 1, (1, 1), (1, 1)),
    (2, 9, 16, 33, (3, 3), 1, (2, 0), (0, 2)),
    (6, 5, 48, 40, (3, 3), 1, (1, 1), (1, 1)),
    (9, 11, 32, 7, (3, 3), 1, (1, 1), (1, 1)),
    (1, 1, 16, 8, (1, 7), 1, (0, 3), (0, 3)),
    (5, 6, 32, 20, (1, 7), 1, (0, 3), (0, 3)),
    (6, 5, 32, 20, (7, 1), 1, (3, 0), (3, 0)),
    (11, 4, 16, 24, (8, 1), 1, (7, 0), (7, 0)),
    (9, 9, 16, 24, (5, 5), 1, (2, 2), (2, 2)),
    (9, 9, 16, 24, (5, 4), 1, (0, 3), (4, 0)),
    (9, 9, 16, 24, (5, 7), 1, (4, 0), (0, 6)),
    (9, 7, 16, 24, (4, 1), 1, (0, 0), (0, 0)),
    (9, 7, 16, 24, (6, 1), 1, (2, 0), (3, 0)),
    (10, 10, 7, 13, (3, 2), 3, (2, 1), (0, 0)),
    (12, 12, 3, 5, (5, 5), 2, (2, 2), (2, 2)),
    (13, 1, 130, 66, (3, 1), 1, (1, 0), (1, 0)),
];

fn params(rng: &mut Random, layer: &Layer, weights: &[i8], out_c: usize) -> ConvParams {
    let &(h, w, c, _, kernel, stride, before, after) = layer;
    let per_channel = weights.len() / out_c;
    let zero_point = [0, 0, 128, rng.below(256) as u8][rng.below(4)];
    let clamp = match rng.below(3) {
        0 => Clamp::RELU,
        1 => Clamp { zero_point: 100, lo: 0, hi: 255 },
        _ => Clamp { zero_point: 3, lo: 3, hi: 200 },
    };
    // Sums of this standard deviation fill the codes; a few channels stay extreme on purpose.
    let typical = 1.0 / (70.0 * (per_channel as f32).sqrt());
    let scale = (0..out_c).map(|_| typical * [0.5, 1.0, 1.7, 30.0][rng.below(4)]).collect();
    let window = Window { kernel, stride: (stride, stride), pad_before: before, pad_after: after };
    ConvParams {
        input: Shape { h, w, c },
        out_c,
        window,
        input_zero_point: zero_point,
        scale,
        clamp,
    }
}

/// One convolution on every variant, whole and in parts, into a slice of a wider tensor. Counts the comparisons.
fn conv(rng: &mut Random, layer: &Layer, isas: &[Isa]) -> Result<usize, String> {
    let &(h, w, c, out_c, kernel, ..) = layer;
    let max = [63, 127][rng.below(2)];
    let weights = rng.weights(out_c * kernel.0 * kernel.1 * c, max);
    let p = params(rng, layer, &weights, out_c);
    let bias: Vec<i32> = (0..out_c).map(|_| rng.below(20001) as i32 - 10000).collect();
    let input = rng.codes(h * w * c);
    let Ok(shape) = p.output() else { return Err(format!("{layer:?} does not fit")) };
    let (stride, offset) = (out_c + rng.below(9), rng.below(4));
    let stride = stride + offset;
    let mut expected = vec![7u8; shape.h * shape.w * stride];
    let mut all = Rows { data: &mut expected, stride, offset };
    generic::conv(&p, &weights, &bias, &input, 0..shape.h, &mut all);
    let mut compared = 0;
    for isa in isas {
        for fast in [false, true] {
            let make = if fast { Conv::new } else { Conv::direct };
            let layer_conv = make(p.clone(), &weights, &bias, *isa).map_err(|e| e.to_string())?;
            let mut scratch = Scratch::default();
            let mut got = vec![7u8; expected.len()];
            let step = layer_conv.row_step();
            let mut start = 0;
            while start < shape.h {
                let steps = if compared % 2 == 0 { shape.h } else { 1 + rng.below(shape.h) };
                let end = (start + steps * step).min(shape.h);
                let data = &mut got[start * shape.w * stride..end * shape.w * stride];
                layer_conv.run(
                    &input,
                    start..end,
                    &mut Rows { data, stride, offset },
                    &mut scratch,
                );
                start = end;
            }
            if let Some(at) = (0..got.len()).find(|i| got[*i] != expected[*i]) {
                let (pixel, channel) = (at / stride, at % stride);
                return Err(format!(
                    "{layer:?} {isa:?} {:?}: pixel ({}, {}), byte {channel}: {} instead of {}",
                    layer_conv.variant(),
                    pixel / shape.w,
                    pixel % shape.w,
                    got[at],
                    expected[at]
                ));
            }
            if scratch.bytes() > layer_conv.scratch_bytes() + 1024 {
                return Err(format!(
                    "{layer:?} {isa:?}: scratch of {} bytes, {} announced",
                    scratch.bytes(),
                    layer_conv.scratch_bytes()
                ));
            }
            compared += 1;
        }
    }
    Ok(compared)
}

fn depthwise(rng: &mut Random, layer: &Layer, isas: &[Isa]) -> Result<usize, String> {
    let &(h, w, c, _, kernel, ..) = layer;
    let weights = rng.weights(kernel.0 * kernel.1 * c, 127);
    let p = params(rng, layer, &weights, c);
    let bias: Vec<i32> = (0..c).map(|_| rng.below(2001) as i32 - 1000).collect();
    let input = rng.codes(h * w * c);
    let shape = p.output().map_err(|e| e.to_string())?;
    let mut expected = vec![0u8; shape.len()];
    generic::depthwise(
        &p,
        &weights,
        &bias,
        &input,
        0..shape.h,
        &mut Rows { data: &mut expected, stride: c, offset: 0 },
    );
    for isa in isas {
        let layer_conv =
            Depthwise::new(p.clone(), &weights, &bias, *isa).map_err(|e| e.to_string())?;
        let mut got = vec![0u8; shape.len()];
        let cut = rng.below(shape.h + 1);
        let (first, second) = got.split_at_mut(cut * shape.w * c);
        layer_conv.run(&input, 0..cut, &mut Rows { data: first, stride: c, offset: 0 });
        layer_conv.run(&input, cut..shape.h, &mut Rows { data: second, stride: c, offset: 0 });
        if got != expected {
            return Err(format!("depthwise {layer:?} {isa:?} differs"));
        }
    }
    Ok(isas.len())
}

fn pools(rng: &mut Random) -> Result<usize, String> {
    let input = Shape { h: 1 + rng.below(12), w: 1 + rng.below(12), c: 1 + rng.below(40) };
    // The large one has sums beyond 16 bits.
    let k = if rng.below(16) == 0 { 17 } else { 1 + rng.below(3) };
    let pad = rng.below(k);
    let window = Window {
        kernel: (k, k),
        stride: (1 + rng.below(2), 1),
        pad_before: (pad, pad),
        pad_after: (pad, 0),
    };
    let Ok((oh, ow)) = window.output(input.h, input.w) else { return Ok(0) };
    let data = rng.codes(input.len());
    let (stride, offset) = (input.c + 3, 2);
    let mut expected = vec![0u8; oh * ow * stride];
    let mut got = expected.clone();
    macro_rules! rows {
        ($d:expr) => {
            &mut Rows { data: &mut $d, stride, offset }
        };
    }
    generic::max_pool(input, &window, &data, 0..oh, rows!(expected));
    max_pool(input, &window, &data, 0..oh, rows!(got));
    if got != expected {
        return Err(format!("max pool {input:?} {window:?}"));
    }
    let (include, zero, scale) =
        (rng.below(2) == 0, rng.below(256) as u8, 0.5 + rng.below(100) as f32 / 70.0);
    let clamp = Clamp { zero_point: rng.below(256) as u8, lo: 0, hi: 255 };
    generic::average_pool(
        input,
        &window,
        include,
        zero,
        scale,
        clamp,
        &data,
        0..oh,
        rows!(expected),
    );
    average_pool(input, &window, include, zero, scale, clamp, &data, 0..oh, rows!(got));
    if got != expected {
        return Err(format!("average pool {input:?} {window:?}"));
    }
    let p = AddParams { zero_points: [zero, 7], scales: [scale, 0.9], clamp };
    let other = rng.codes(data.len());
    let mut sum = vec![0; data.len()];
    add(&p, &data, &other, &mut sum);
    for ((s, a), b) in sum.iter().zip(&data).zip(&other) {
        let real = (f32::from(*a) - f32::from(zero)) * scale
            + (f32::from(*b) - 7.0) * 0.9
            + f32::from(clamp.zero_point);
        if (real.clamp(0.0, 255.0) - f32::from(*s)).abs() > 0.501 {
            return Err(format!("{a} + {b} = {s}, not {real}"));
        }
    }
    Ok(3)
}

/// The dot product of every length up to a few registers, and of one that fills the sum.
fn dots(rng: &mut Random) -> Result<usize, String> {
    for len in (0..130).chain([1 << 16]) {
        let (a, b) = (rng.weights(len, 127), rng.weights(len, 127));
        let (expected, got) = (generic::dot(&a, &b), dot(&a, &b));
        if got != expected {
            return Err(format!("dot product of {len}: {got} instead of {expected}"));
        }
    }
    Ok(131)
}

/// Everything, with `random` shapes on top; the number of comparisons, or the first difference. The listed shapes take
/// the scalar code about `shapes.len()` network passes, so `large` can leave the big ones out.
///
/// # Errors
/// The first difference, with shape, variant and place.
pub fn all(seed: u64, random: usize, large: bool) -> Result<usize, String> {
    let isas = Isa::available();
    let mut rng = Random::new(seed);
    let mut compared = dots(&mut rng)?;
    for layer in ODD.iter().chain(if large { LAYERS } else { &[] }) {
        compared += conv(&mut rng, layer, &isas)?;
    }
    for &(n, c, k, stride) in &[
        (112, 32, 3, 1),
        (112, 96, 3, 2),
        (56, 144, 5, 2),
        (28, 240, 5, 1),
        (14, 672, 5, 1),
        (7, 1152, 3, 1),
        (5, 21, 3, 1),
    ] {
        let layer = (n, n, c, c, (k, k), stride, (k / 2, k / 2), (k / 2, k / 2));
        compared += depthwise(&mut rng, &layer, &isas)?;
    }
    for _ in 0..random {
        let side = |rng: &mut Random| 1 + rng.below(20);
        let kernel = [(1, 1), (3, 3), (3, 3), (1, 7), (7, 1), (5, 5), (2, 3), (1, 3)][rng.below(8)];
        let pad = |rng: &mut Random| (rng.below(kernel.0), rng.below(kernel.1));
        let c = if rng.below(2) == 0 { 16 * (1 + rng.below(4)) } else { 1 + rng.below(70) };
        let layer = (
            side(&mut rng),
            side(&mut rng),
            c,
            1 + rng.below(70),
            kernel,
            1 + rng.below(5) / 4,
            pad(&mut rng),
            pad(&mut rng),
        );
        let window =
            Window { kernel, stride: (layer.5, layer.5), pad_before: layer.6, pad_after: layer.7 };
        if window.output(layer.0, layer.1).is_ok() {
            compared += conv(&mut rng, &layer, &isas)?;
        }
        compared += pools(&mut rng)?;
    }
    for acc in [i32::MIN, -1, 0, 1, i32::MAX] {
        for scale in [f32::MIN_POSITIVE, 0.01, 0.5, f32::MAX] {
            let _ = requantise(acc, scale, Clamp::RELU);
        }
    }
    Ok(compared)
}

#[cfg(test)]
mod tests {
    use super::super::{BadLayer, bad};
    use super::*;

    #[test]
    fn every_variant_equals_generic_on_whole_layers() {
        for isa in Isa::available() {
            eprintln!("variant {isa:?}");
        }
        let compared = all(1, 300, true);
        assert!(compared.as_ref().is_ok_and(|n| *n > 500), "{compared:?}");
    }

    /// The part that is quick enough for an emulated machine: `cargo xtask arm`.
    #[test]
    fn every_variant_equals_generic_on_small_layers() {
        let compared = all(2, 60, false);
        assert!(compared.as_ref().is_ok_and(|n| *n > 100), "{compared:?}");
    }

    #[test]
    fn winograd_is_used_where_it_pays() {
        let Some(isa) = Isa::available()
            .into_iter()
            .find(|i| matches!(i, Isa::Avx2 | Isa::Simd128 | Isa::Neon))
        else {
            return;
        };
        for (layer, expected) in [
            (LAYERS[2], true),
            (LAYERS[7], true),
            (LAYERS[14], true),
            (LAYERS[10], false),
            (LAYERS[0], false),
        ] {
            let mut rng = Random::new(3);
            let weights = rng.weights(layer.3 * layer.4.0 * layer.4.1 * layer.2, 63);
            let p = params(&mut rng, &layer, &weights, layer.3);
            let conv = Conv::new(p, &weights, &vec![0; layer.3], isa).unwrap();
            assert_eq!(conv.variant().1, expected, "{layer:?}");
        }
    }

    #[test]
    fn sums_too_large_for_winograd_go_direct() {
        let Some(isa) = Isa::available()
            .into_iter()
            .find(|i| matches!(i, Isa::Avx2 | Isa::Simd128 | Isa::Neon))
        else {
            return;
        };
        let layer = (6, 6, 448, 8, (3, 3), 1, (1, 1), (1, 1));
        let weights = vec![127i8; 8 * 9 * 448];
        let p = params(&mut Random::new(1), &layer, &weights, 8);
        assert!(!Conv::new(p, &weights, &[0; 8], isa).unwrap().variant().1);
    }

    #[test]
    fn bad_layers_are_errors() {
        let good =
            || params(&mut Random::new(1), &(5, 5, 4, 2, (3, 3), 1, (1, 1), (1, 1)), &[0; 72], 2);
        let make = |p: ConvParams, w: usize, b: usize| {
            Conv::new(p, &vec![0; w], &vec![0; b], Isa::Generic).map(|_| ())
        };
        assert_eq!(make(good(), 72, 2), Ok(()));
        assert!(make(good(), 71, 2).is_err());
        assert!(make(good(), 72, 3).is_err());
        for scale in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            assert!(make(ConvParams { scale: vec![1.0, scale], ..good() }, 72, 2).is_err());
        }
        let window = good().window;
        for bad_window in [
            Window { kernel: (0, 3), ..window },
            Window { kernel: (9, 9), ..window },
            Window { stride: (0, 1), ..window },
            Window { pad_before: (3, 1), ..window },
            Window { kernel: (usize::MAX, 3), ..window },
        ] {
            assert!(
                make(ConvParams { window: bad_window, ..good() }, 72, 2).is_err(),
                "{bad_window:?}"
            );
        }
        assert!(make(ConvParams { input: Shape { h: 5, w: 5, c: 0 }, ..good() }, 0, 2).is_err());
        assert_eq!(bad::<()>("x"), Err(BadLayer("x".into())));
    }

    #[test]
    fn requantise_rounds_half_to_even_and_clamps() {
        let clamp = Clamp { zero_point: 10, lo: 5, hi: 250 };
        let cases =
            [(1, 10), (3, 12), (5, 12), (-3, 8), (-1000, 5), (i32::MIN, 5), (i32::MAX, 250)];
        for (acc, code) in cases {
            assert_eq!(requantise(acc, 0.5, clamp), code, "{acc}");
        }
        for i in -70_000..70_000 {
            let x = i as f32 / 256.0;
            assert_eq!(super::super::nearest(x), x.round_ties_even() as i32, "{x}");
        }
    }
}
