//! `lookalike model prepare`.

use std::fs;

use crate::harness::{ROOT, fail, folder, text};

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
