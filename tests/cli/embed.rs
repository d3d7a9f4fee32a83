//! `lookalike embed`.

use std::fs;

use serde_json::Value;

use crate::harness::{fail, indexed, json, lookalike, text};

#[test]
fn each_picture_is_a_line_and_its_code_the_rounded_embedding() {
    let (root, served) = indexed("embed");
    let picture = root.join("shop/3.png");
    let line = json(&["embed", "--index", text(&served), text(&picture)]);
    let numbers = |name: &str| -> Vec<f64> {
        line[name].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
    };
    let (embedding, code) = (numbers("embedding"), numbers("code"));
    assert_eq!((&line["file"], embedding.len()), (&Value::from(text(&picture)), code.len()));
    assert!((embedding.iter().map(|v| v * v).sum::<f64>() - 1.0).abs() < 1e-5);
    let peak = embedding.iter().fold(0f64, |most, v| most.max(v.abs()));
    assert!(embedding.iter().zip(&code).all(|(v, c)| (v / peak * 127.0 - c).abs() <= 0.51));
}

#[test]
fn a_bad_file_among_many_is_said_and_the_others_go_on() {
    let (root, served) = indexed("embed-bad");
    let bad = root.join("bad.png");
    fs::write(&bad, "no picture").unwrap();
    let (first, last) = (root.join("shop/0.png"), root.join("shop/1.png"));
    let missing = root.join("nowhere.png");
    let photos = [&first, &bad, &missing, &root, &last].map(|path| text(path));
    let output = lookalike(&[&["embed", "--index", text(&served)][..], &photos].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    for name in ["bad.png", "nowhere.png", "is a folder", "3 of 5"] {
        assert!(said.contains(name), "{name}: {said}");
    }
    let lines = String::from_utf8(output.stdout).unwrap();
    let files: Vec<String> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["file"].as_str().unwrap().into())
        .collect();
    assert_eq!(files, [text(&first), text(&last)]);
    let alone = fail(&["embed", "--index", text(&served), text(&bad)]);
    assert!(alone.contains("1 of 1"), "{alone}");
}
