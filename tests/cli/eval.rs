//! `lookalike eval`.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::harness::{ROOT, fail, folder, indexed, json, prepared, shop, succeed, text};

#[test]
fn folders_of_pictures_are_catalogues_and_can_be_measured() {
    let root = folder("folders");
    let (model, catalogue) = (prepared(&root), shop(&root));
    let labelled = root.join("labelled");
    for i in 0..24 {
        let folder = labelled.join(if i % 2 == 0 { "discs" } else { "stripes" });
        fs::create_dir_all(&folder).unwrap();
        fs::copy(catalogue.join(format!("{i}.png")), folder.join(format!("{i}.png"))).unwrap();
    }
    let rows = json(&["eval", text(&labelled), "--model", text(&model), "--json"]);
    let rows = rows.as_array().unwrap();
    assert!(rows.iter().any(|r| r["layers"] == "first+joined"));
    assert!(
        rows.iter().all(|r| r["queries"] == 24 && r["top1"].as_f64().unwrap() > 0.6),
        "{rows:?}"
    );

    let out = root.join("served");
    succeed(&[
        "index",
        text(&labelled),
        "--model",
        text(&model),
        "-o",
        text(&out),
        "--part-bytes",
        "1000",
    ]);
    let manifest = json(&["inspect", text(&out.join("manifest.json")), "--json"]);
    assert!(manifest["files"][0]["parts"].as_array().unwrap().len() > 2);
    let figures = json(&["eval", "--index", text(&out), "--label", "category", "--json"]);
    assert!(figures["p_at_5"].as_f64().unwrap() > 0.6);
    assert!(figures["recall_at_20"].as_f64().unwrap() > 0.99);
}

#[test]
fn quantising_is_measured_against_real_numbers() {
    let root = folder("quantised");
    let shop = shop(&root);
    let source = format!("{ROOT}/tests/models/tiny.onnx");
    let prepare = |name: &str, options: &[&str]| {
        let model = root.join(name);
        let call = ["model", "prepare", &source, "-o", text(&model), "--layer", "first,joined"];
        succeed(&[&call[..], options].concat());
        model
    };
    let real = prepare("real.onnx", &["--weight-bits", "32"]);
    let usual = prepare("usual.onnx", &["--calibrate", text(&shop)]);
    let finer = prepare("finer.onnx", &["--calibrate", text(&shop), "--weight-bits", "8"]);
    let bytes = |name: &str, options: &[&str]| fs::read(prepare(name, options)).unwrap();
    let again = bytes("again.onnx", &["--calibrate", text(&shop)]);
    assert!(fs::read(&usual).unwrap() == again, "preparing twice must give the same bytes");
    let rounding = ["--calibrate", text(&shop), "--rounding"];
    let rounded = |rule| bytes("rounded.onnx", &[&rounding[..], &[rule]].concat());
    assert!(rounded("compensated") == again && rounded("nearest") != again);
    let cosines = |model: &Path, against: &Path| -> Vec<f64> {
        let call = ["eval", "quantised", text(&shop), "--model", text(model), "--against"];
        let rows = json(&[&call[..], &[text(against), "--json"]].concat());
        let row = &rows[0];
        assert_eq!((&row["pictures"], rows.as_array().unwrap().len()), (&Value::from(24), 1));
        assert!(row["model"]["p_at_5"].is_f64() && row["against"]["p_at_5"].is_f64());
        let layers = row["cosines"].as_array().unwrap();
        layers.iter().map(|l| l["min"].as_f64().unwrap()).collect()
    };
    assert!(cosines(&real, &real).iter().all(|c| *c > 0.999_999));
    let (usual, finer) = (cosines(&usual, &real), cosines(&finer, &real));
    assert_eq!(usual.len(), 2);
    for (usual, finer) in usual.iter().zip(&finer) {
        assert!((0.97..1.0).contains(usual) && (0.97..1.0).contains(finer), "{usual} {finer}");
    }
    let other = root.join("other.onnx");
    succeed(&["model", "prepare", &source, "-o", text(&other), "--layer", "first"]);
    let call = ["eval", "quantised", text(&shop), "--model", text(&other), "--against"];
    assert!(fail(&[&call[..], &[text(&real)]].concat()).contains("layers"));
}

#[test]
fn masks_are_measured_against_the_clean_photo() {
    let (root, served) = indexed("masks-eval");
    let shop = root.join("shop");
    let ask = ["eval", "masks", text(&shop), "--index", text(&served), "--draws", "6", "--json"];
    let table = json(&ask);
    let rows = table.as_array().unwrap();
    assert_eq!(rows.len(), 2 * 13, "two places; clean, no mask, and each fill with each pooling");
    for place in rows.chunks(13) {
        let figure = |row: &Value, name: &str| row[name].as_f64().unwrap();
        assert_eq!(
            (&place[0]["fill"], figure(&place[0], "recall_at_10")),
            (&"clean photo".into(), 1.0)
        );
        assert_eq!((&place[1]["fill"], &place[1]["draws"]), (&"no mask".into(), &6.into()));
        for row in place {
            assert_eq!(row["place"], place[0]["place"]);
            assert!((0.0..=1.0).contains(&figure(row, "recall_at_10")), "{row}");
            assert!(figure(row, "rank_mean") >= 1.0, "{row}");
        }
        let best = place[2..].iter().map(|row| figure(row, "recall_at_10")).fold(0.0, f64::max);
        assert!(
            best > figure(&place[1], "recall_at_10"),
            "no mask is as good as the best: {place:?}"
        );
    }
    assert_eq!(json(&ask), table, "the same draws again");
    let other = folder("masks-other");
    fs::create_dir_all(&other).unwrap();
    fs::copy(shop.join("0.png"), other.join("0.png")).unwrap();
    let refused = fail(&["eval", "masks", text(&other), "--index", text(&served)]);
    assert!(refused.contains("give the catalogue that the index was built"), "{refused}");
}
