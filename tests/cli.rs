//! The command line as a user runs it, with a tiny network and pictures made here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn lookalike(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lookalike")).args(args).output().unwrap()
}

/// Standard output of a call that must succeed.
fn succeed(args: &[&str]) -> String {
    let output = lookalike(args);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "lookalike {args:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// The message of a call that must fail with exit code 1, without a panic.
fn fail(args: &[&str]) -> String {
    let output = lookalike(args);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "lookalike {args:?}: {errors}");
    assert!(errors.contains("error: ") && !errors.contains("panicked"), "{errors}");
    errors
}

/// An empty folder of this test's own.
fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A shop of 24 products: stripes and discs in several colours.
fn shop(root: &Path) -> PathBuf {
    let catalogue = root.join("shop");
    fs::create_dir_all(&catalogue).unwrap();
    let mut csv = "id,title,category,image,price,colour\n".to_owned();
    for i in 0..24u32 {
        let disc = i % 2 == 0;
        let picture = image::RgbImage::from_fn(48, 40, |x, y| {
            let (dx, dy) = (x as i32 - 24, y as i32 - 20);
            let inside = if disc { dx * dx + dy * dy < 200 } else { (x + i) / 4 % 2 == 0 };
            let shade = (i * 10) as u8;
            image::Rgb(if inside { [255 - shade, shade, 40 + shade / 2] } else { [250, 250, 250] })
        });
        let name = format!("{i}.png");
        picture.save(catalogue.join(&name)).unwrap();
        let (kind, colour) = if disc { ("Disc", "red") } else { ("Stripe", "green") };
        csv += &format!("p{i},{kind} {i},{kind}s,{name},{}.50,{colour}\n", 10 + i);
    }
    fs::write(catalogue.join("catalog.csv"), csv).unwrap();
    catalogue
}

fn prepared(root: &Path) -> PathBuf {
    let model = root.join("model.onnx");
    let source = format!("{ROOT}/tests/models/tiny.onnx");
    succeed(&["model", "prepare", &source, "-o", text(&model), "--layer", "first,joined"]);
    model
}

fn indexed(name: &str) -> (PathBuf, PathBuf) {
    let root = folder(name);
    let (model, out) = (prepared(&root), root.join("served"));
    succeed(&["index", text(&shop(&root)), "--model", text(&model), "-o", text(&out)]);
    (root, out)
}

fn json(args: &[&str]) -> Value {
    serde_json::from_str(&succeed(args)).unwrap()
}

fn ids(answer: &Value) -> Vec<String> {
    let hits = answer["hits"].as_array().unwrap();
    hits.iter().map(|h| h["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_catalogue_becomes_an_index_that_finds_its_products() {
    let (root, served) = indexed("finds");
    for i in [0, 5, 23] {
        let photo = root.join(format!("shop/{i}.png"));
        let answer = json(&["search", "--index", text(&served), text(&photo), "-k", "3", "--json"]);
        assert_eq!(ids(&answer)[0], format!("p{i}"));
        assert!(answer["hits"][0]["score"].as_f64().unwrap() > 0.99);
        assert_eq!(answer["hits"][0]["product"]["thumb"], format!("thumbs/{i}.jpg"));
    }
    let about = json(&["inspect", text(&served.join("index.bin")), "--json"]);
    assert_eq!((&about["products"], &about["unreachable"]), (&Value::from(24), &Value::from(0)));
    let model = json(&["inspect", text(&served.join("model.onnx")), "--json"]);
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
    for file in ["index.bin", "products.json", "model.onnx", "manifest.json", "thumbs/7.jpg"] {
        assert_eq!(
            fs::read(first.join(file)).unwrap(),
            fs::read(second.join(file)).unwrap(),
            "{file}"
        );
    }
}

#[test]
fn queries_in_json_filter_and_move() {
    let (_, served) = indexed("queries");
    let ask = |query: &str| json(&["search", "--index", text(&served), "--query", query, "--json"]);
    let plain = ids(&ask(r#"{"productId":"p4","k":5}"#));
    assert!(plain.len() == 5 && !plain.contains(&"p4".to_owned()));
    let cheap = r#"{"productId":"p4","filter":{"category":["Stripes"],"price":{"max":16.0}}"#;
    let each = ask(&format!("{cheap},\"variants\":true}}"));
    assert_eq!(ids(&each).len(), 3, "p1, p3 and p5 are stripes of up to 16");
    // Whatever stands for another names it: none of the three is lost.
    let folded = ask(&format!("{cheap}}}"));
    let mut reachable = ids(&folded);
    for hit in folded["hits"].as_array().unwrap() {
        let others = hit["variants"].as_array().into_iter().flatten();
        reachable.extend(others.map(|id| id.as_str().unwrap().to_owned()));
    }
    assert!(ids(&each).iter().all(|id| reachable.contains(id)), "{reachable:?}");
    let toward = r#"{"productId":"p4","k":8,"toward":[{"from":{"column":"category","value":"Discs"},"to":{"column":"category","value":"Stripes"},"strength":0.9}]}"#;
    let stripes = |answer: &Value| {
        let hits = answer["hits"].as_array().unwrap();
        hits.iter().filter(|h| h["product"]["category"] == "Stripes").count()
    };
    assert!(stripes(&ask(toward)) > stripes(&ask(r#"{"productId":"p4","k":8}"#)));
    let unlike = ids(&ask(r#"{"productId":"p4","unlike":["p6"]}"#));
    assert!(!unlike.contains(&"p6".to_owned()));

    let refuse = |query: &str| fail(&["search", "--index", text(&served), "--query", query]);
    assert!(refuse(r#"{"productId":"p99"}"#).contains("p99"));
    assert!(
        refuse(r#"{"productId":"p4","filter":{"attributes":{"size":["L"]}}}"#).contains("size")
    );
    assert!(refuse(r#"{"productId":"p4","toward":[{"to":{"column":"category","value":"Beds"},"strength":0.5}]}"#).contains("Beds"));
    assert!(refuse("{").contains("cannot be read"));
}

#[test]
fn masks_change_what_is_found() {
    let (root, served) = indexed("masks");
    let (photo, mask) = (root.join("photo.png"), root.join("mask.png"));
    // A disc on the left, stripes on the right; the mask covers the right.
    let disc = image::open(root.join("shop/4.png")).unwrap().into_rgb8();
    let stripe = image::open(root.join("shop/5.png")).unwrap().into_rgb8();
    let both = image::RgbImage::from_fn(96, 40, |x, y| {
        if x < 48 { *disc.get_pixel(x, y) } else { *stripe.get_pixel(x - 48, y) }
    });
    both.save(&photo).unwrap();
    image::GrayImage::from_fn(96, 40, |x, _| image::Luma([if x < 48 { 0 } else { 255 }]))
        .save(&mask)
        .unwrap();
    let whole = json(&["search", "--index", text(&served), text(&photo), "--json"]);
    let masked =
        json(&["search", "--index", text(&served), text(&photo), "--mask", text(&mask), "--json"]);
    assert_ne!(ids(&whole), ids(&masked));
    image::GrayImage::from_pixel(4, 4, image::Luma([0])).save(&mask).unwrap();
    let nothing =
        json(&["search", "--index", text(&served), text(&photo), "--mask", text(&mask), "--json"]);
    assert_eq!(nothing, whole, "a mask over nothing changes nothing");
    image::GrayImage::from_pixel(4, 4, image::Luma([255])).save(&mask).unwrap();
    let all = fail(&["search", "--index", text(&served), text(&photo), "--mask", text(&mask)]);
    assert!(all.contains("covers the whole picture"), "{all}");
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
    let twins = fail(&args);
    assert!(twins.contains("\"p3\"") && twins.contains("row 25"), "{twins}");
    fs::write(catalogue.join("catalog.csv"), "id,title\n1,Chair\n").unwrap();
    assert!(fail(&args).contains("no column \"image\""));
}

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

#[test]
fn wrong_calls_exit_with_2() {
    for args in [&["serach"][..], &["search"], &["index", "x"], &["eval"], &[]] {
        assert_eq!(lookalike(args).status.code(), Some(2), "{args:?}");
    }
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
