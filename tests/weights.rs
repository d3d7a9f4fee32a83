//! The real InceptionV3 weights as `cargo xtask weights` converts them: pooled features of a fixed
//! input must be those of the original network. Skipped where the weights have not been fetched.

use std::path::Path;

use tract_onnx::prelude::*;

#[test]
fn pooled_features_are_the_original_networks() -> TractResult<()> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("target/lookalike/weights/inception_v3.onnx");
    if !path.exists() {
        eprintln!("skipped: no weights yet; run `cargo xtask weights`");
        return Ok(());
    }
    let network = onnx()
        .model_for_path(path)?
        .with_outputs_by_name(["mixed5", "mixed8", "mixed10"])?
        .with_input_fact(0, f32::fact([1, 3, 299, 299]).into())?
        .into_optimized()?
        .into_runnable()?;
    let values: Vec<f32> =
        (0..3 * 299 * 299).map(|i| (0.5 + 0.5 * (0.01 * f64::from(i)).sin()) as f32).collect();
    let input = Tensor::from_shape(&[1, 3, 299, 299], &values)?;
    let outputs = network.run(tvec!(input.into()))?;
    for (output, (dim, norm, first)) in outputs.iter().zip([
        (768, 10.57883, &[0.10067, 1.14425, 0.71245, 0.01028][..]),
        (1280, 10.47161, &[0.11470, 0.12159, 0.03973]),
        (2048, 2.12061, &[0.38649, 0.0, 0.34144]),
    ]) {
        let map = output.to_plain_array_view::<f32>()?;
        let (channels, area) = (map.shape()[1], map.shape()[2] * map.shape()[3]);
        let map = map.into_shape_with_order((channels, area))?;
        let pooled: Vec<f32> = map.rows().into_iter().map(|r| r.sum() / area as f32).collect();
        assert_eq!(pooled.len(), dim);
        let found = pooled.iter().map(|x| x * x).sum::<f32>().sqrt();
        assert!((found - norm).abs() < 1e-3, "norm {found}, expected {norm}");
        for (x, y) in pooled.iter().zip(first) {
            assert!((x - y).abs() < 1e-4, "{:?}, expected {first:?}", &pooled[..4]);
        }
    }
    Ok(())
}
