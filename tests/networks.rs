//! Networks as exporters and attackers write them, prepared and run: what onnxruntime computes has to come out, in real
//! numbers and in integers, or an error that says what is wrong. tests/models/make.py makes the networks.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use lookalike::image::Picture;
use lookalike::manifest::Runtime;
use lookalike::model::{
    Calibration, Network, PrepareOptions, Prepared, RangeRule, Rounding, Weights, prepare,
};
use serde::Deserialize;

const SIDE: u32 = 16;

/// What tests/models/cases/cases.json says of a network.
#[derive(Deserialize)]
struct Case {
    layer: String,
    expect: String,
    says: Vec<String>,
    mean: f32,
    std: f32,
    features: Option<Vec<f32>>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models/cases")
}

fn cases() -> BTreeMap<String, Case> {
    serde_json::from_slice(&fs::read(folder().join("cases.json")).unwrap()).unwrap()
}

fn bytes(name: &str) -> Vec<u8> {
    fs::read(folder().join(format!("{name}.onnx"))).unwrap()
}

/// The picture that make.py draws; others for other seeds.
fn picture(seed: u32) -> Picture {
    let mut rgb = Vec::new();
    for y in 0..SIDE {
        for x in 0..SIDE {
            for c in 0..3 {
                rgb.push(
                    ((x * 37 + y * 59 + c * 83 + x * y * 11 + seed * (x + 3 * y)) % 256) as u8,
                );
            }
        }
    }
    Picture::from_rgb(SIDE, SIDE, rgb).unwrap()
}

fn options(case: &Case, weights: Weights) -> PrepareOptions {
    PrepareOptions {
        name: "case".into(),
        layers: vec![case.layer.clone()],
        input_size: None,
        mean: [case.mean; 3],
        std: [case.std; 3],
        weights,
    }
}

fn real(name: &str, case: &Case) -> lookalike::Result<Prepared> {
    prepare(bytes(name), &options(case, Weights::Real), None)
}

fn quantised(name: &str, case: &Case) -> lookalike::Result<Prepared> {
    let pictures: Vec<Picture> = (0..6).map(picture).collect();
    let calibration = Calibration {
        pictures: &pictures,
        range: RangeRule::Whole,
        rounding: Rounding::Nearest,
        seen: &|| {},
    };
    prepare(bytes(name), &options(case, Weights::Bits(8)), Some(&calibration))
}

fn features(prepared: Prepared) -> (Vec<f32>, Network) {
    let network = Network::load(prepared.bytes).unwrap();
    let maps = network.run(&picture(0)).unwrap();
    (maps.pool(None).unwrap(), network)
}

/// Distance, as a share of the length of what was expected.
fn error(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let length = |v: &mut dyn Iterator<Item = f32>| v.map(|x| x * x).sum::<f32>().sqrt();
    length(&mut found.iter().zip(expected).map(|(a, b)| a - b))
        / length(&mut expected.iter().copied()).max(1e-6)
}

#[test]
fn networks_give_what_onnxruntime_gives() {
    let mut wrong = Vec::new();
    for (name, case) in cases() {
        let Some(expected) = &case.features else { continue };
        match real(&name, &case) {
            Ok(prepared) => {
                let (found, _) = features(prepared);
                let off = error(&found, expected);
                if off.is_nan() || off > 1e-4 {
                    wrong.push(format!("{name} in real numbers: off by {off}"));
                }
            }
            Err(e) => wrong.push(format!("{name} in real numbers: {e}")),
        }
        match quantised(&name, &case) {
            Ok(prepared) => {
                let (found, network) = features(prepared);
                let engine = network.engine();
                let runs = if engine.runtime() == Runtime::Int8 { "int8" } else { "tract" };
                let why = engine.not_lowered.clone().unwrap_or_default();
                if runs != case.expect || !case.says.iter().all(|word| why.contains(word)) {
                    wrong.push(format!("{name}: runs on {runs}: {why}"));
                }
                let warned = engine.warning().is_some_and(|warning| warning.contains(&why));
                assert_eq!(warned, runs == "tract", "{name}");
                let off = error(&found, expected);
                if off.is_nan() || off > 0.05 {
                    wrong.push(format!("{name} quantised ({runs}): off by {off}"));
                }
            }
            Err(e) => wrong.push(format!("{name} quantised: {e}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_makes_no_sense_is_refused_with_its_name() {
    let mut wrong = Vec::new();
    for (name, case) in cases().into_iter().filter(|(_, case)| case.expect == "refused") {
        for result in [real(&name, &case), quantised(&name, &case)] {
            match result {
                Ok(_) => wrong.push(format!("{name}: taken")),
                Err(e) => {
                    let text = e.to_string();
                    let missing: Vec<_> = case.says.iter().filter(|w| !text.contains(*w)).collect();
                    if !missing.is_empty() {
                        wrong.push(format!("{name}: {text}: without {missing:?}"));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_a_network_does_to_its_input_becomes_its_normalisation() {
    let cases = cases();
    let spec = |name: &str| real(name, &cases[name]).unwrap();
    let near = |a: [f32; 3], b: [f32; 3]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-4);

    let bytes = spec("input-uint8");
    assert!(near(bytes.spec.input.mean, [0.5; 3]) && near(bytes.spec.input.std, [0.5; 3]));
    assert!(bytes.notes.iter().any(|note| note.contains("uint8")), "{:?}", bytes.notes);
    let scaled = PrepareOptions { mean: [0.5; 3], ..options(&cases["input-uint8"], Weights::Real) };
    let refused = prepare(self::bytes("input-uint8"), &scaled, None).unwrap_err().to_string();
    assert!(refused.contains("--mean"), "{refused}");

    let bgr = spec("input-bgr").spec.input;
    assert!(near(bgr.mean, [0.48, 0.45, 0.4]) && near(bgr.std, [1.0; 3]), "{bgr:?}");
    let left = spec("input-negative");
    assert!(near(left.spec.input.std, [1.0; 3]) && left.notes.is_empty());
}

#[test]
fn means_and_deviations_of_bytes_are_noticed() {
    let case = &cases()["silu"];
    for (mean, std) in
        [([123.675, 116.28, 103.53], [58.395, 57.12, 57.375]), ([127.5; 3], [1.0; 3])]
    {
        let options = PrepareOptions { mean, std, ..options(case, Weights::Real) };
        let refused = prepare(bytes("silu"), &options, None).unwrap_err().to_string();
        assert!(refused.contains("255"), "{refused}");
    }
    let options = PrepareOptions {
        mean: [0.485, 0.456, 0.406],
        std: [1.0 / 255.0; 3],
        ..options(case, Weights::Real)
    };
    prepare(bytes("silu"), &options, None).unwrap();
}

#[test]
fn a_pooled_layer_keeps_its_map_for_the_mask() {
    for name in ["layer-gap", "layer-flat", "layer-squeezed", "layer-reshaped", "nhwc-mean"] {
        let prepared = real(name, &cases()[name]).unwrap();
        assert!(prepared.notes.iter().any(|note| note.contains("mask")), "{name}");
        let (_, network) = features(prepared);
        assert!(network.run(&picture(0)).unwrap().0[0].height > 1, "{name}");
    }
}
