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
    let cosines = |model: &Path, against: &Path| -> Vec<f64> {
        let call = ["eval", "quantised", text(&shop), "--model", text(model), "--against"];
        let rows = json(&[&call[..], &[text(against), "--json"]].concat());
        let row = &rows[0];
        assert_eq!((&row["pictures"], rows.as_array().unwrap().len()), (&Value::from(24), 1));
        assert!(row["model"]["p_at_5"].is_f64() && row["against"]["p_at_5"].is_f64());
        let layers = row["cosines"].as_array().unwrap();
        layers.iter().map(|l| l["min"].as_f64().unwrap()).collect()
    };
    let bits = |bits: &str| {
        let options = ["--calibrate", text(&shop), "--weight-bits", bits];
        let content = bytes("bits.onnx", &options);
        assert!(bytes("bits.onnx", &options) == content, "{bits}: the same bytes twice");
        let layers = cosines(&root.join("bits.onnx"), &real);
        (content, layers)
    };
    assert!(bits("7").0 == bytes("seven.onnx", &["--calibrate", text(&shop)]));
    assert!(bits("mixed:7").0 == bits("7").0 && bits("mixed:3").0 == bits("3").0);
    let mean = |bits_of: &str| {
        let (_, layers) = bits(bits_of);
        layers.iter().sum::<f64>() / layers.len() as f64
    };
    let [three, mixed, five] = ["3", "mixed:5", "5"].map(mean);
    assert!(three > 0.8 && three < five, "{three} {five}");
    assert!(mixed > three && five > 0.97, "{three} {mixed} {five}");
    let out = root.join("few.onnx");
    let few =
        ["model", "prepare", &source, "-o", text(&out), "--layer", "first", "--weight-bits", "4"];
    assert!(fail(&few).contains("--calibrate") && !out.exists());
    let again = bytes("again.onnx", &["--calibrate", text(&shop)]);
    assert!(fs::read(&usual).unwrap() == again, "preparing twice must give the same bytes");
    let rounding = ["--calibrate", text(&shop), "--rounding"];
    let rounded = |rule| bytes("rounded.onnx", &[&rounding[..], &[rule]].concat());
    assert!(rounded("compensated") == again && rounded("nearest") != again);
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
    // All products ask: of a few, chance may like the picture without a mask.
    let ask = ["eval", "masks", text(&shop), "--index", text(&served), "--draws", "0", "--json"];
    let table = json(&ask);
    let rows = table.as_array().unwrap();
    assert_eq!(
        rows.len(),
        2 * 17,
        "two places; clean, no mask, each fill with each pooling, two selections cropped or not"
    );
    for place in rows.chunks(17) {
        let figure = |row: &Value, name: &str| row[name].as_f64().unwrap();
        assert_eq!(
            (&place[0]["fill"], figure(&place[0], "recall_at_10")),
            (&"clean photo".into(), 1.0)
        );
        assert_eq!((&place[1]["fill"], &place[1]["draws"]), (&"no mask".into(), &24.into()));
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

#[test]
fn things_in_photos_are_found_by_their_boxes() {
    let (root, served) = indexed("scenes");
    let photos = root.join("photos");
    fs::create_dir_all(&photos).unwrap();
    // A disc at the left, stripes at the right, much else between.
    let open = |i: u32| image::open(root.join(format!("shop/{i}.png"))).unwrap().into_rgb8();
    let (disc, stripe) = (open(4), open(5));
    let photo = image::RgbImage::from_fn(240, 60, |x, y| match x {
        0..48 if y < 40 => *disc.get_pixel(x, y),
        192..240 if y < 40 => *stripe.get_pixel(x - 192, y),
        _ => image::Rgb([(x * 7 % 255) as u8, (y * 11 % 255) as u8, 90]),
    });
    photo.save(photos.join("one.png")).unwrap();
    let list = photos.join("objects.json");
    let objects = |first: &str| {
        format!(
            r#"[{{"file": "one.png", "width": 240, "height": 60, "objects": [
                {{"kind": "disc", "box": {first}}}, {{"kind": "stripe", "box": [192, 0, 240, 40]}},
                {{"kind": null, "box": [60, 0, 90, 40]}}, {{"kind": "person", "box": [9, 0, 20, 9]}}]}}]"#
        )
    };
    fs::write(&list, objects("[0, 0, 48, 40]")).unwrap();
    let report = root.join("scenes.html");
    let ask = ["eval", "scenes", text(&photos), "--index", text(&served)];
    let options = ["--margin", "0", "--json", "--report", text(&report)];
    let table = json(&[&ask[..], &options].concat());
    let found = table["found"].as_array().unwrap();
    assert_eq!(found.len(), 12, "two things and one without a kind, each in four views");
    assert_eq!((&found[8]["kind"], &found[8]["of_kind"]), (&Value::Null, &0.into()));
    assert_eq!(table["rows"][0]["things"]["count"], 2, "what has no kind counts in nothing");
    assert_eq!((&found[3]["found"][0], &found[3]["box"][2]), (&"p4".into(), &48.into()));
    assert_eq!((&found[7]["found"][0], &found[7]["view"]), (&"p5".into(), &"box".into()));
    let mean = |row: usize| table["rows"][row]["things"]["mean"].as_f64().unwrap();
    assert!(mean(3) > 0.5, "{}", table["rows"]);
    let views = [0, 1, 2, 3].map(|row| table["rows"][row]["view"].as_str().unwrap());
    assert_eq!(views, ["whole", "not-cropped", "only-this", "box"]);
    let one = json(&[&ask[..], &["--view", "box", "--json"]].concat());
    assert_eq!(
        (one["rows"].as_array().unwrap().len(), &one["rows"][0]["view"]),
        (1, &"box".into())
    );
    let tapped = json(&[&ask[..], &["--view", "tap", "--margin", "0", "--json"]].concat());
    let of = |at: usize| tapped["found"][at]["found"].as_array().unwrap().len();
    assert!((0..3).all(|at| [0, 10].contains(&of(at))) && tapped["rows"][0]["view"] == "tap");
    let twice = ["--view", "mirrored", "--view", "wider", "--margin", "0", "--json"];
    let twice = json(&[&ask[..], &twice].concat());
    let asked = twice["found"].as_array().unwrap();
    assert_eq!((asked.len(), &twice["rows"][1]["view"]), (6, &"wider".into()));
    assert!(asked.iter().all(|asked| asked["found"].as_array().unwrap().len() == 10));
    assert_eq!(table["chance"]["things"]["mean"], 0.5, "12 of 24 products each");
    assert_eq!(table["best"]["things"]["mean"], 1.0);
    assert!(fs::read_to_string(&report).unwrap().contains("disc in one.png"));
    let both = json(&[&ask[..], &["--against", text(&served), "--json"]].concat());
    assert_eq!(both["rows"][7]["gain"]["things"]["mean"], 0.0, "the same index gains nothing");

    for (bad, words) in [
        (objects("[300, 0, 400, 40]"), "object 1"),
        (objects("[0, 0, 48, 40]").replace("\"width\": 240", "\"width\": 999"), "999x60"),
        ("{".into(), "objects.json"),
        ("[]".into(), "nothing is marked"),
        (objects("[0, 0, 48, 40]").replace("one.png", "two.png"), "two.png is missing"),
    ] {
        fs::write(&list, bad).unwrap();
        let said = fail(&ask);
        assert!(said.contains(words), "{words}: {said}");
    }
    fs::remove_file(&list).unwrap();
    assert!(fail(&ask).contains("objects.json is missing"));
}

#[test]
fn products_are_found_again_in_scenes_made_of_them() {
    let (root, served) = indexed("scenes-made");
    let shop = root.join("shop");
    let ask = ["eval", "scenes", text(&shop), "--synthetic", "--index", text(&served)];
    // An index of so few products does not know what scores mean.
    let refused = fail(&[&ask[..], &["--dots"]].concat());
    assert!(refused.contains("there are no dots") && refused.contains("--composites"), "{refused}");
    let options = ["--draws", "5", "--json"];
    let table = json(&[&ask[..], &options].concat());
    let rows = table["rows"].as_array().unwrap();
    assert_eq!((rows.len(), &table["draws"]), (12, &5.into()), "three areas, four views");
    let recall = |area: usize, view: usize| {
        let row = &rows[area * 4 + view];
        assert_eq!(row["view"], ["whole", "not-cropped", "only-this", "box"][view]);
        row["recall_at_10"]["mean"].as_f64().unwrap()
    };
    assert!((0..3).all(|area| recall(area, 3) >= recall(area, 0)), "{rows:?}");
    assert!(recall(2, 3) > 0.5, "{rows:?}");
    assert_eq!(json(&[&ask[..], &options].concat()), table, "the same scenes again");
    let hidden = json(&[&ask[..], &options, &["--hidden", "0.5", "--view", "only-this"]].concat());
    let whole = json(&[&ask[..], &options, &["--view", "only-this"]].concat());
    assert_eq!((&hidden["draws"], hidden["rows"].as_array().unwrap().len()), (&5.into(), 3));
    assert_ne!(hidden["rows"], whole["rows"], "something stands before them");
    let other = json(&[&ask[..], &options, &["--grounds", text(&shop)]].concat());
    assert_ne!(other["rows"], table["rows"]);
    let said = fail(&[&ask[..], &["--grounds", text(&root.join("none"))]].concat());
    assert!(said.contains("none is missing"), "{said}");
}

#[test]
fn taps_are_measured_against_outlines() {
    let root = folder("taps");
    let photo = image::RgbImage::from_fn(160, 120, |x, y| {
        let inside = (40..90).contains(&x) && (30..90).contains(&y);
        image::Rgb(if inside { [190, 40, 30] } else { [210, 215, (200 + y / 8) as u8] })
    });
    photo.save(root.join("one.png")).unwrap();
    let list = root.join("objects.json");
    let objects = r#"[{"file": "one.png", "width": 160, "height": 120, "objects": [{"kind": "box",
        "box": [40, 30, 90, 90], "polygon": [[40, 30], [90, 30], [90, 90], [40, 90]]}]}]"#;
    fs::write(&list, objects).unwrap();
    let table = json(&["eval", "taps", text(&root), "--json"]);
    let row = &table["rows"][0];
    assert_eq!((&row["things"], &row["count"]), (&"all".into(), &1.into()));
    assert!(row["box_iou"]["mean"].as_f64().unwrap() > 0.85, "{table}");
    assert!(row["outline_iou"]["mean"].as_f64().unwrap() > 0.85, "{table}");
    assert!(row["whole_box_iou"].as_f64().unwrap() < 0.2, "{table}");
    assert!(fail(&["eval", "taps", text(&root), "--least", "0.9"]).contains("--least"));
    fs::write(&list, objects.replace("160", "999")).unwrap();
    assert!(fail(&["eval", "taps", text(&root)]).contains("not of the size"));
    fs::write(&list, "{}").unwrap();
    assert!(fail(&["eval", "taps", text(&root)]).contains("docs/things.md"));
}
