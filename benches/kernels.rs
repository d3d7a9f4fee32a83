//! Convolutions on every instruction set that this machine has, and the inner loop that bounds them.
//!
//! `cargo bench --bench kernels`; items are multiplications as the textbook counts them, so that Winograd shows as more
//! than the inner loop's peak.

use divan::Bencher;
use divan::counter::ItemsCount;
use lookalike::kernels::{Clamp, Conv, ConvParams, Isa, Rows, Scratch, Shape, Window, peak};

/// Height and width, channels in and out, kernel, stride, padding.
type Layer = (usize, usize, usize, (usize, usize), usize, (usize, usize));

/// The layers of InceptionV3 that take the time.
const LAYERS: [Layer; 8] = [
    (299, 3, 32, (3, 3), 2, (0, 0)),
    (147, 32, 64, (3, 3), 1, (1, 1)),
    (73, 80, 192, (3, 3), 1, (0, 0)),
    (35, 48, 64, (5, 5), 1, (2, 2)),
    (35, 288, 64, (1, 1), 1, (0, 0)),
    (35, 288, 384, (3, 3), 2, (0, 0)),
    (17, 768, 192, (1, 1), 1, (0, 0)),
    (17, 192, 192, (1, 7), 1, (0, 3)),
];

fn main() {
    divan::main();
}

#[divan::bench(args = Isa::available().into_iter().skip(1))]
fn inner_loop(bencher: Bencher<'_, '_>, isa: Isa) {
    const REPEATS: usize = 100;
    let macs = peak::inner_loop(isa, 1) * REPEATS as u64;
    bencher.counter(ItemsCount::new(macs)).bench(|| peak::inner_loop(isa, REPEATS));
}

#[divan::bench(args = (0..LAYERS.len()).flat_map(|layer| {
    Isa::available().into_iter().skip(1).flat_map(move |isa| [(layer, isa, false), (layer, isa, true)])
}))]
fn convolution(bencher: Bencher<'_, '_>, (layer, isa, fast): (usize, Isa, bool)) {
    let (side, c, out_c, kernel, stride, pad) = LAYERS[layer];
    let code = |i: usize| i.wrapping_mul(2_654_435_761) >> 13;
    let weights: Vec<i8> =
        (0..kernel.0 * kernel.1 * c * out_c).map(|i| (code(i) % 127) as i8 - 63).collect();
    let input: Vec<u8> = (0..side * side * c).map(|i| code(i) as u8).collect();
    let params = ConvParams {
        input: Shape { h: side, w: side, c },
        out_c,
        window: Window { kernel, stride: (stride, stride), pad_before: pad, pad_after: pad },
        input_zero_point: 0,
        scale: vec![0.002; out_c],
        clamp: Clamp::RELU,
    };
    let make = if fast { Conv::new } else { Conv::direct };
    let conv = make(params, &weights, &vec![0; out_c], isa).expect("the layers above are sound");
    let shape = conv.output();
    let mut out = vec![0; shape.len()];
    let mut scratch = Scratch::default();
    bencher.counter(ItemsCount::new(conv.macs())).bench_local(|| {
        let mut rows = Rows { data: &mut out, stride: shape.c, offset: 0 };
        conv.run(&input, 0..shape.h, &mut rows, &mut scratch);
    });
}
