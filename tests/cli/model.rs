//! `lookalike model prepare` and `features`.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::harness::{ROOT, fail, folder, json, lookalike, shop, text};

#[test]
fn networks_that_cannot_be_used_are_refused() {
    let root = folder("networks");
    let out = root.join("out.onnx");
    let tiny = format!("{ROOT}/tests/models/tiny.onnx");
    let missing = fail(&["model", "prepare", &tiny, "-o", text(&out), "--layer", "mixed99"]);
    assert!(missing.contains("mixed99") && missing.contains("joined"), "{missing}");
    let size = fail(&[
        "model",
        "prepare",
        &tiny,
        "-o",
        text(&out),
        "--layer",
        "joined",
        "--input-size",
        "64",
    ]);
    assert!(size.contains("32x32"), "{size}");
    for entry in fs::read_dir(format!("{ROOT}/tests/models/bad")).unwrap() {
        let path = entry.unwrap().path();
        let message = fail(&["model", "prepare", text(&path), "-o", text(&out), "--layer", "y"]);
        assert!(message.contains(path.file_name().unwrap().to_str().unwrap()), "{message}");
        assert!(!out.exists());
        assert!(fail(&["inspect", text(&path)]).contains(".onnx"));
    }
    let unprepared = fail(&["inspect", &tiny]);
    assert!(unprepared.contains("model prepare"), "{unprepared}");
}

/// Prepares a test network as `flags` say; gives what `inspect` says of the result, and what was said on the way.
fn prepared(root: &Path, network: &str, flags: &[&str]) -> (Value, String) {
    let (source, out) = (format!("{ROOT}/tests/models/{network}"), root.join("out.onnx"));
    let output = lookalike(&[&["model", "prepare", &source, "-o", text(&out)], flags].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    (json(&["inspect", "--json", text(&out)]), said)
}

#[test]
fn a_network_that_takes_channels_last_runs_in_integers() {
    let root = folder("channels-last");
    let catalogue = shop(&root);
    let calibrate = ["--layer", "joined", "--calibrate", text(&catalogue)];
    let (about, said) = prepared(&root, "tiny-nhwc.onnx", &calibrate);
    assert_eq!((&about["engine"], &about["not_lowered"]), (&"int8".into(), &Value::Null), "{said}");
    assert!(!said.contains("warning"), "{said}");
    // A part of a path, and features one by one.
    let short = ["--layer", "mixed8", "--calibrate", text(&catalogue)];
    let (about, said) = prepared(&root, "cases/nhwc-map-last.onnx", &short);
    assert_eq!((&about["engine"], &about["dims"][0]), (&"int8".into(), &8.into()), "{said}");
    let picture = catalogue.join("0.png");
    let seen = json(&["model", "features", "-m", text(&root.join("out.onnx")), text(&picture)]);
    assert_eq!(seen["features"].as_array().unwrap().len(), 8);
}

#[test]
fn a_network_that_needs_the_large_build_says_so_and_why() {
    let root = folder("large-build");
    let catalogue = shop(&root);
    let (about, said) = prepared(&root, "tiny.onnx", &["--layer", "joined"]);
    assert_eq!(about["engine"], "tract");
    assert!(said.contains("warning") && said.contains("--calibrate"), "{said}");
    let (model, served) = (root.join("out.onnx"), root.join("served"));
    let index = ["index", text(&catalogue), "--model", text(&model), "-o", text(&served)];
    let said = String::from_utf8(lookalike(&index).stderr).unwrap();
    assert!(said.contains("warning") && said.contains("pkg/full/"), "{said}");

    let flags = ["--layer", "end", "--calibrate", text(&catalogue)];
    let (about, said) = prepared(&root, "cases/grouped.onnx", &flags);
    assert_eq!(about["engine"], "tract");
    assert!(said.contains("pkg/full/") && said.contains("groups"), "{said}");
}

#[test]
fn what_is_refused_is_not_written() {
    let root = folder("refused");
    let out = root.join("out.onnx");
    let case = |name: &str| format!("{ROOT}/tests/models/cases/{name}.onnx");
    let prepare = |name: &str, more: &[&str]| {
        fail(
            &[&["model", "prepare", &case(name), "-o", text(&out), "--layer", "end"], more]
                .concat(),
        )
    };
    let bytes = prepare("silu", &["--mean", "123.675,116.28,103.53", "--std", "58.4,57.1,57.4"]);
    assert!(bytes.contains("255") && bytes.contains("--mean 0.4850"), "{bytes}");
    assert!(prepare("bad-conv-strides-0", &[]).contains("strides"));
    assert!(prepare("double", &[]).contains("float32"));
    assert!(!out.exists());
}
