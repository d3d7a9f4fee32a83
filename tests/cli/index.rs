//! `lookalike index`.

use std::fs;

use serde_json::Value;

use crate::harness::{
    fail, files, folder, hosted, ids, indexed, json, lookalike, prepared, shop, succeed, text,
};

#[test]
fn a_catalogue_becomes_an_index_that_finds_its_products() {
    let (root, served) = indexed("finds");
    for i in [0, 5, 23] {
        let photo = root.join(format!("shop/{i}.png"));
        let answer = json(&["search", "--index", text(&served), text(&photo), "-k", "3", "--json"]);
        assert_eq!(ids(&answer)[0], format!("p{i}"));
        assert!(answer["hits"][0]["score"].as_f64().unwrap() > 0.99);
        let thumb = answer["hits"][0]["product"]["images"][0]["thumb"].as_str().unwrap();
        assert!(fs::read(served.join(thumb)).unwrap().starts_with(&[0xff, 0xd8]), "{thumb}");
    }
    let about = json(&["inspect", text(&hosted(&served, "index")), "--json"]);
    assert_eq!((&about["products"], &about["unreachable"]), (&Value::from(24), &Value::from(0)));
    assert_eq!((&about["pictures"], &about["most_pictures"]), (&24.into(), &1.into()));
    assert_eq!(about["groups_by_column"]["category"], 2);
    let model = json(&["inspect", text(&hosted(&served, "model")), "--json"]);
    assert_eq!(model["layers"], serde_json::json!(["first", "joined"]));
    assert_eq!(model["sha256"], about["model"]);
    let manifest = json(&["inspect", text(&served.join("manifest.json")), "--json"]);
    assert_eq!(manifest["products"], 24);
}

#[test]
fn building_twice_gives_the_same_bytes() {
    let (root, first) = indexed("twice");
    let second = root.join("again");
    let (shop, model) = (root.join("shop"), root.join("model.onnx"));
    succeed(&["index", text(&shop), "--model", text(&model), "-o", text(&second)]);
    assert_eq!(files(&first), files(&second), "names say what is in them");
    for file in files(&first) {
        assert!(fs::read(first.join(&file)).unwrap() == fs::read(second.join(&file)).unwrap());
    }
}

#[test]
fn bad_rows_are_named_and_skipped_up_to_a_share() {
    let root = folder("rows");
    let (model, catalogue) = (prepared(&root), shop(&root));
    let csv = fs::read_to_string(catalogue.join("catalog.csv")).unwrap();
    fs::write(catalogue.join("3.png"), "not a picture").unwrap();
    fs::write(catalogue.join("catalog.csv"), format!("{csv}p90,Lost,Discs,nowhere.png,,\n"))
        .unwrap();
    let out = root.join("served");
    let args = ["index", text(&catalogue), "--model", text(&model), "-o", text(&out)];
    let output = lookalike(&args);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{errors}");
    assert!(errors.contains("3.png") && errors.contains("nowhere.png"), "{errors}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("23 products (2 skipped)"));

    let strict = fail(&[&args[..], &["--max-skipped", "0.05"]].concat());
    assert!(strict.contains("2 of 25"), "{strict}");
    fs::write(catalogue.join("catalog.csv"), format!("{csv}p3,Twin,Discs,4.png,,\n")).unwrap();
    let twins = lookalike(&args);
    let errors = String::from_utf8_lossy(&twins.stderr).into_owned();
    assert!(twins.status.success(), "{errors}");
    assert!(errors.contains("\"p3\"") && errors.contains("line 26, column 1"), "{errors}");
    fs::write(catalogue.join("catalog.csv"), "id,title\n1,Chair\n").unwrap();
    assert!(fail(&args).contains("no column of pictures"));
}
