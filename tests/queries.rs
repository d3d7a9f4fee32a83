//! The queries of `tests/queries/`, through the library and through the terminal; `tests/e2e/queries.test.mjs` asks the same
//! files in the browser. All three must give the same products with the same scores, by the same of their pictures.
//!
//! `LOOKALIKE_BLESS=1 cargo test --release --test queries` makes the index and what is expected again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use lookalike::ErrorKind;
use lookalike::area::Rect;
use lookalike::engine::{Engine, Found as FoundThing, Hit, Next};
use lookalike::image::{Limits, Picture, decode};
use lookalike::manifest::Role;
use lookalike::mask::Mask;
use lookalike::query::{Query, View};
use serde_json::{Value, json};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// Scores are sums of integers and a few roundings in `f32`.
const TOLERANCE: f64 = 1e-5;

fn folder() -> PathBuf {
    Path::new(ROOT).join("tests/queries")
}

/// Every case with its name; makes all that is expected again if that is asked for.
fn cases() -> Vec<(String, Value)> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "json"));
    paths.sort();
    assert!(paths.len() > 15, "where are the queries?");
    let name = |path: &Path| path.file_stem().unwrap().to_string_lossy().into_owned();
    let read = |path: &Path| serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    paths.iter().map(|path| (name(path), read(path))).collect()
}

fn picture(name: &str) -> Picture {
    decode(&fs::read(folder().join(name)).unwrap(), &Limits::default()).unwrap()
}

fn served(name: &str) -> Vec<u8> {
    fs::read(folder().join("served").join(name)).unwrap()
}

fn engine() -> Engine {
    engine_of(&served("manifest.json"))
}

/// The index under a manifest of its own.
fn engine_of(manifest: &[u8]) -> Engine {
    let mut engine = Engine::new(manifest).unwrap();
    for role in [Role::Model, Role::Index, Role::Products] {
        let file = served(&engine.manifest().file(role).unwrap().path);
        engine.provide(role, file, None).unwrap();
    }
    engine
}

/// What the library answers: `{"hits": [{id, score, image, variants}]}` or `{"refused": kind, "because": message}`.
fn answer(engine: &mut Engine, query: &Value) -> Value {
    let query = match Query::from_json(&query.to_string()) {
        Ok(query) => query,
        Err(error) => {
            return json!({"refused": error.kind().as_str(), "because": error.to_string()});
        }
    };
    if query.photo.is_some() {
        engine.set_photo(picture("photo.png")).unwrap();
        let mask = picture("mask.png");
        let coverage = mask.rgb().chunks_exact(3).map(|p| p[1]).collect();
        engine.set_mask(Some(Mask::new(mask.width(), mask.height(), coverage).unwrap())).unwrap();
    }
    match engine.search(&query) {
        Ok(hits) => {
            let hit = |h: &Hit<'_>| {
                let mut hit = json!({"id": h.id, "score": h.score, "image": h.image});
                if !h.variants.is_empty() {
                    hit["variants"] = json!(h.variants);
                }
                hit
            };
            json!({"hits": hits.iter().map(hit).collect::<Vec<Value>>()})
        }
        Err(error) => json!({"refused": error.kind().as_str(), "because": error.to_string()}),
    }
}

/// A hit's score, and what is shown of it: id, picture and variants.
struct Found {
    score: f64,
    shown: (String, u64, Vec<String>),
}

fn found(hit: &Value) -> Found {
    let id = hit["id"].as_str().unwrap().to_owned();
    let others = hit.get("variants").and_then(Value::as_array).into_iter().flatten();
    let variants = others.map(|id| id.as_str().unwrap().to_owned()).collect();
    Found {
        score: hit["score"].as_f64().unwrap(),
        shown: (id, hit["image"].as_u64().unwrap(), variants),
    }
}

fn same(name: &str, got: &Value, expected: &Value) {
    assert_eq!(got.get("refused"), expected.get("refused"), "{name}: {got}");
    if let Some(because) = expected.get("because").and_then(Value::as_str) {
        let said = got["because"].as_str().unwrap();
        assert!(said.contains(because), "{name}: {said:?} does not say {because:?}");
        return;
    }
    let hits = |v: &Value| {
        v["hits"].as_array().unwrap_or_else(|| panic!("{name}: {v}")).iter().map(found).collect()
    };
    let (got, expected): (Vec<Found>, Vec<Found>) = (hits(got), hits(expected));
    let shown = |l: &[Found]| l.iter().map(|h| h.shown.clone()).collect::<Vec<_>>();
    assert_eq!(shown(&got), shown(&expected), "{name}");
    for (Found { score: a, shown }, Found { score: b, .. }) in got.iter().zip(&expected) {
        assert!((a - b).abs() <= TOLERANCE, "{name}: {shown:?} scores {a}, expected {b}");
    }
}

#[test]
fn the_library_answers_as_expected() {
    if std::env::var_os("LOOKALIKE_BLESS").is_some() {
        bless();
    }
    let mut engine = engine();
    for (name, case) in cases() {
        same(&name, &answer(&mut engine, &case["query"]), &case);
    }
}

#[test]
fn the_terminal_answers_as_expected() {
    if std::env::var_os("LOOKALIKE_BLESS").is_some() {
        return;
    }
    let path = |name: &str| folder().join(name).display().to_string();
    for (name, case) in cases() {
        let query = case["query"].to_string();
        let mut command = Command::new(env!("CARGO_BIN_EXE_lookalike"));
        command.args(["search", "--index", &path("served"), "--query", &query, "--json"]);
        if case["query"].get("photo").is_some() {
            command.args([&path("photo.png"), "--mask", &path("mask.png")]);
        }
        let output = command.output().unwrap();
        if let Some(because) = case.get("because").and_then(Value::as_str) {
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{name}: {said}");
            assert!(said.contains(because), "{name}: {said:?} does not say {because:?}");
            continue;
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let got =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{name}: {said}"));
        same(&name, &got, &case);
    }
}

#[test]
fn queries_survive_being_read_and_written() {
    for (name, case) in cases() {
        let Ok(query) = Query::from_json(&case["query"].to_string()) else { continue };
        // By way of text: as a value, 0.4 in f32 would show all its digits.
        let written: Value = serde_json::from_str(&serde_json::to_string(&query).unwrap()).unwrap();
        assert_eq!(written, case["query"], "{name}");
    }
}

/// A disc, stripes or a box.
fn draw(kind: u32, i: u32) -> image::RgbImage {
    image::RgbImage::from_fn(48, 40, |x, y| {
        let (dx, dy) = (x as i32 - 24, y as i32 - 20);
        let inside = match kind {
            0 => dx * dx + dy * dy < 120 + i as i32 * 3,
            1 => ((x + i) / 4).is_multiple_of(2),
            _ => dx.abs() < 8 + i as i32 / 4 && dy.abs() < 14,
        };
        let shade = (i * 7) as u8;
        image::Rgb(if inside { [255 - shade, shade, 40 + shade / 2] } else { [250; 3] })
    })
}

/// Makes the index from drawn pictures, the photo and its mask, and writes down what is answered now.
fn bless() {
    let work = Path::new(env!("CARGO_TARGET_TMPDIR")).join("queries");
    let _ = fs::remove_dir_all(&work);
    fs::create_dir_all(&work).unwrap();
    let run = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_lookalike")).args(args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let mut feed = String::new();
    for i in 0..36u32 {
        let kind = i % 3;
        draw(kind, i).save(work.join(format!("{i}.png"))).unwrap();
        // Every fourth product has two pictures more, of what others look like.
        let mut more = Vec::new();
        if i % 4 == 1 {
            for other in 1..3 {
                let name = format!("{i}-{other}.png");
                draw((kind + other) % 3, (i + 9 * other) % 36).save(work.join(&name)).unwrap();
                more.push(name);
            }
        }
        let name = ["Disc", "Stripe", "Box"][kind as usize];
        let plural = ["Discs", "Stripes", "Boxes"][kind as usize];
        let colour = ["red", "green"][(i / 18) as usize];
        let stock = ["in_stock", "out_of_stock"][(i / 3 % 2) as usize];
        let mut product = json!({
            "id": format!("p{i}"),
            "title": format!("{name} {i}"),
            "category": plural,
            "image": format!("{i}.png"),
            "price": format!("{}.50", 10 + i),
            "colour": colour,
            "availability": stock,
        });
        if !more.is_empty() {
            product["additional_image_link"] = more.join(",").into();
        }
        // The last six are three groups of two.
        if i >= 30 {
            product["item_group_id"] = format!("set {kind}").into();
        }
        feed += &format!("{product}\n");
    }
    fs::write(work.join("catalog.jsonl"), feed).unwrap();
    let at = |name: &str| work.join(name).display().to_string();
    let tiny = format!("{ROOT}/tests/models/tiny.onnx");
    // An int8 network: its sums are the same on every machine.
    let calibrate = at("");
    run(&[
        "model",
        "prepare",
        &tiny,
        "-o",
        &at("m.onnx"),
        "--layer",
        "first,joined",
        "--calibrate",
        &calibrate,
    ]);
    let served = folder().join("served").display().to_string();
    let _ = fs::remove_dir_all(&served);
    run(&[
        "index",
        &calibrate,
        "--model",
        &at("m.onnx"),
        "-o",
        &served,
        "--thumbs",
        "0",
        "--dim",
        "16",
    ]);
    // Only the next run would want it.
    fs::remove_dir_all(folder().join("served/.lookalike")).unwrap();
    let (left, right) =
        (image::open(work.join("6.png")).unwrap(), image::open(work.join("7.png")).unwrap());
    let (left, right) = (left.into_rgb8(), right.into_rgb8());
    let both =
        |x: u32, y: u32| if x < 48 { *left.get_pixel(x, y) } else { *right.get_pixel(x - 48, y) };
    image::RgbImage::from_fn(96, 40, both).save(folder().join("photo.png")).unwrap();
    image::GrayImage::from_fn(96, 40, |x, _| image::Luma([if x < 48 { 0 } else { 255 }]))
        .save(folder().join("mask.png"))
        .unwrap();
    let mut engine = engine();
    for (name, mut case) in cases() {
        let got = answer(&mut engine, &case["query"]);
        if case.get("because").is_some() {
            // What a refusal has to say is written by hand.
            continue;
        }
        assert!(got.get("hits").is_some(), "{name}: {got}");
        case["hits"] = got["hits"].clone();
        let text = serde_json::to_string_pretty(&case).unwrap();
        fs::write(folder().join(format!("{name}.json")), text + "\n").unwrap();
    }
}

/// The same index, as if this were known of its scores.
fn engine_that_knows(scores: Option<Value>) -> Engine {
    let mut manifest: Value = serde_json::from_slice(&served("manifest.json")).unwrap();
    manifest.as_object_mut().unwrap().remove("scores");
    if let Some(scores) = scores {
        manifest["scores"] = scores;
    }
    engine_of(manifest.to_string().as_bytes())
}

/// Two blocks on a pale wall; without the second, one.
fn blocks(both: bool) -> Picture {
    let rgb = (0..160 * 120).flat_map(|at| match (at % 160, at / 160) {
        (20..65, 30..90) => [30, 60, 180],
        (95..140, 30..90) if both => [220, 180, 40],
        _ => [230, 230, 225],
    });
    Picture::from_rgb(160, 120, rgb.collect()).unwrap()
}

/// All that is found in the engine's photo.
fn things(engine: &mut Engine) -> Vec<FoundThing> {
    let mut all: Vec<FoundThing> = Vec::new();
    for window in 0..100 {
        let found: Vec<Rect> = all.iter().map(|found| found.thing.rect).collect();
        match engine.look_at(window, &found).unwrap() {
            Next::Found(found) => all.push(found),
            Next::Nothing => {}
            Next::Done => return all,
        }
    }
    panic!("windows end");
}

#[test]
fn things_in_a_photo_are_found_once_each_if_something_is_like_them() {
    let any = json!({"same": 1, "close": 0, "similar": -1});
    let mut engine = engine_that_knows(Some(any));
    assert_eq!(engine.look_at(0, &[]).unwrap_err().kind(), ErrorKind::NotReady);
    engine.set_photo(blocks(true)).unwrap();
    let whole = engine.embed(View::Whole).unwrap().clone();
    let found = things(&mut engine);
    assert_eq!(found.len(), 2, "{found:?}");
    let middle = |found: &FoundThing| (found.thing.rect.x0 + found.thing.rect.x1) / 2.0;
    let mut middles: Vec<f32> = found.iter().map(middle).collect();
    middles.sort_by(f32::total_cmp);
    assert!((middles[0] - 0.266).abs() < 0.05 && (middles[1] - 0.734).abs() < 0.05, "{middles:?}");
    // What overlaps one of them, or is a part of it, is it.
    let part = Rect { x0: 0.15, y0: 0.3, x1: 0.25, y1: 0.5 };
    let other = |engine: &mut Engine| engine.look_at(0, &[part, Rect::WHOLE]).unwrap();
    assert_eq!(other(&mut engine), Next::Nothing);
    // Looking changes nothing of what is searched with, and another photo has other things.
    assert_eq!(engine.embed(View::Whole).unwrap(), &whole);
    assert_eq!(things(&mut engine), found, "asked again");
    engine.set_photo(blocks(false)).unwrap();
    assert_eq!(things(&mut engine).len(), 1);

    let none = json!({"same": 1, "close": 1, "similar": 1});
    let mut engine = engine_that_knows(Some(none));
    engine.set_photo(blocks(true)).unwrap();
    assert_eq!(things(&mut engine), [], "nothing is so much like them");
    let mut engine = engine_that_knows(None);
    engine.set_photo(blocks(true)).unwrap();
    assert_eq!(engine.look_at(0, &[]).unwrap(), Next::Done, "nobody knows what scores mean");
}
