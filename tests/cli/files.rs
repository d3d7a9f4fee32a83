//! The folder that a shop hosts, when its files do not belong together.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::harness::{ROOT, fail, hosted, indexed, succeed, text};

#[test]
fn files_that_do_not_belong_together_are_refused() {
    let (root, served) = indexed("together");
    let photo = root.join("shop/0.png");
    let search = || fail(&["search", "--index", text(&served), text(&photo)]);
    let (model_path, index_path) = (hosted(&served, "model"), hosted(&served, "index"));
    let keep = |path: &Path| fs::read(path).unwrap();
    let (model, index) = (keep(&model_path), keep(&index_path));
    let manifest = keep(&served.join("manifest.json"));

    let name = text(&index_path);
    fs::write(&index_path, &index[..index.len() / 2]).unwrap();
    assert!(search().contains(name.rsplit('/').next().unwrap()));
    fs::remove_file(&index_path).unwrap();
    assert!(search().contains(name.rsplit('/').next().unwrap()));
    fs::write(&index_path, &index).unwrap();

    // Another network under the same name, first as an accident, then with a manifest to match.
    let other = root.join("other.onnx");
    let source = format!("{ROOT}/tests/models/tiny.onnx");
    succeed(&["model", "prepare", &source, "-o", text(&other), "--layer", "joined"]);
    let other = fs::read(other).unwrap();
    fs::write(&model_path, &other).unwrap();
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

    fs::write(&model_path, &model).unwrap();
    fs::write(served.join("manifest.json"), "<html>404</html>").unwrap();
    assert!(search().contains("manifest.json"));
}
