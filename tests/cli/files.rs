//! The folder that a shop hosts, when its files do not belong together.

use std::fs;

use serde_json::Value;

use crate::harness::{ROOT, fail, indexed, succeed, text};

#[test]
fn files_that_do_not_belong_together_are_refused() {
    let (root, served) = indexed("together");
    let photo = root.join("shop/0.png");
    let search = || fail(&["search", "--index", text(&served), text(&photo)]);
    let keep = |name: &str| fs::read(served.join(name)).unwrap();
    let (model, index, manifest) = (keep("model.onnx"), keep("index.bin"), keep("manifest.json"));

    fs::write(served.join("index.bin"), &index[..index.len() / 2]).unwrap();
    assert!(search().contains("index.bin"));
    fs::remove_file(served.join("index.bin")).unwrap();
    assert!(search().contains("index.bin"));
    fs::write(served.join("index.bin"), &index).unwrap();

    // Another network under the same name, first as an accident, then with a manifest to match.
    let other = root.join("other.onnx");
    let source = format!("{ROOT}/tests/models/tiny.onnx");
    succeed(&["model", "prepare", &source, "-o", text(&other), "--layer", "joined"]);
    let other = fs::read(other).unwrap();
    fs::write(served.join("model.onnx"), &other).unwrap();
    assert!(search().contains("manifest promises"));
    let mut forged: Value = serde_json::from_slice(&manifest).unwrap();
    for file in forged["files"].as_array_mut().unwrap() {
        if file["role"] == "model" {
            file["bytes"] = other.len().into();
            file["sha256"] = lookalike::manifest::sha256(&other).into();
        }
    }
    fs::write(served.join("manifest.json"), forged.to_string()).unwrap();
    assert!(search().contains("not the one that the index was built with"));

    fs::write(served.join("model.onnx"), &model).unwrap();
    fs::write(served.join("manifest.json"), "<html>404</html>").unwrap();
    assert!(search().contains("manifest.json"));
}
