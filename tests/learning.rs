//! Whatever cannot be learnt from is refused or done without, in words: never a silent bad index.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn lookalike(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lookalike")).args(args).output().unwrap()
}

/// An empty folder of this test's own.
fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("learning-{name}"));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A network of the test models, prepared.
fn prepared(root: &Path, source: &str, layer: &str) -> PathBuf {
    let model = root.join(format!("prepared-{}", source.replace('/', "-")));
    let source = format!("{ROOT}/tests/models/{source}");
    let output = lookalike(&["model", "prepare", &source, "-o", text(&model), "--layer", layer]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    model
}

/// A shop whose pictures and categories are what the functions say.
fn shop(
    root: &Path,
    count: u32,
    shade: impl Fn(u32, u32, u32) -> u8,
    category: impl Fn(u32) -> String,
) -> PathBuf {
    let shop = root.join("shop");
    fs::create_dir_all(&shop).unwrap();
    let mut csv = "id,title,category,image\n".to_owned();
    for i in 0..count {
        let picture = image::RgbImage::from_fn(40, 40, |x, y| {
            let s = shade(i, x, y);
            image::Rgb([s, s.wrapping_mul(3), 255 - s])
        });
        picture.save(shop.join(format!("{i}.png"))).unwrap();
        csv += &format!("p{i},Thing {i},{},{i}.png\n", category(i));
    }
    fs::write(shop.join("catalog.csv"), csv).unwrap();
    shop
}

/// Pictures that all differ.
fn varied(i: u32, x: u32, y: u32) -> u8 {
    ((x * (i % 7 + 1) + y * (i / 7 + 1) + i * i * 5) % 256) as u8
}

struct Run {
    output: Output,
    served: PathBuf,
}

impl Run {
    fn index(root: &Path, shop: &Path, model: &Path, more: &[&str]) -> Self {
        let served = root.join("served");
        let args = ["index", text(shop), "--model", text(model), "-o", text(&served)];
        Self { output: lookalike(&[&args[..], more].concat()), served }
    }

    fn said(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    fn told(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    /// What the manifest of a run that must succeed says of its recipe.
    fn recipe(&self) -> Value {
        assert!(self.output.status.success(), "{}", self.said());
        let manifest = fs::read_to_string(self.served.join("manifest.json")).unwrap();
        serde_json::from_str::<Value>(&manifest).unwrap()["recipe"].clone()
    }

    /// The message of a run that must be refused, leaving nothing that a page would load.
    fn refused(&self) -> String {
        assert_eq!(self.output.status.code(), Some(1), "{}", self.said());
        assert!(!self.said().contains("panicked"), "{}", self.said());
        assert!(!self.served.join("manifest.json").exists());
        self.said()
    }
}

/// The notes in a recipe, which are said as well.
fn notes(run: &Run) -> String {
    let recipe = run.recipe();
    let notes: Vec<&str> =
        recipe["notes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    assert!(notes.iter().all(|note| run.said().contains(note)), "{}", run.said());
    notes.join("\n")
}

#[test]
fn a_teacher_that_cannot_be_understood_is_named() {
    let root = folder("teacher");
    let shop = shop(&root, 4, varied, |_| "a".into());
    let model = prepared(&root, "tiny.onnx", "joined");
    let mut teachers = vec![format!("{ROOT}/tests/models/tiny.onnx"), text(&root).to_owned()];
    for entry in fs::read_dir(format!("{ROOT}/tests/models/bad")).unwrap() {
        teachers.push(text(&entry.unwrap().path()).to_owned());
    }
    for teacher in teachers {
        let message = Run::index(&root, &shop, &model, &["--teacher", &teacher]).refused();
        assert!(message.contains(&teacher), "{message}");
    }
}

#[test]
fn numbers_that_are_not_finite_are_refused_from_either_network() {
    let root = folder("nan");
    let shop = shop(&root, 50, varied, |_| "a".into());
    let tiny = prepared(&root, "tiny.onnx", "joined");
    let broken = prepared(&root, "not-a-number.onnx", "y");
    let message = Run::index(&root, &shop, &broken, &[]).refused();
    assert!(message.contains("\"y\" gives numbers that are not finite"), "{message}");
    let message = Run::index(&root, &shop, &tiny, &["--teacher", text(&broken)]).refused();
    assert!(message.contains("\"y\" gives numbers that are not finite"), "{message}");
    // Nothing of it is kept for a later run.
    let state = root.join("state");
    let more = ["--teacher", text(&broken), "--state", text(&state)];
    Run::index(&root, &shop, &tiny, &more).refused();
    let again = Run::index(&root, &shop, &tiny, &more).refused();
    assert!(again.contains("not finite"), "{again}");
}

#[test]
fn a_catalogue_smaller_than_the_projection_has_fewer_dimensions_and_no_teacher() {
    let root = folder("small");
    let shop = shop(&root, 7, varied, |i| ["a", "b"][i as usize % 2].into());
    let model = prepared(&root, "tiny.onnx", "first,joined");
    let teacher = prepared(&root, "tiny-nhwc.onnx", "joined");
    let more = ["--teacher", text(&teacher), "--learn-from", "category"];
    let run = Run::index(&root, &shop, &model, &more);
    assert!(notes(&run).contains("7 products are too few"), "{}", run.said());
    assert_eq!(run.recipe()["projection"], "pca");
    let manifest = fs::read_to_string(run.served.join("manifest.json")).unwrap();
    let dim = serde_json::from_str::<Value>(&manifest).unwrap()["dim"].as_u64().unwrap();
    assert!((1..7).contains(&dim), "7 pictures span at most 6 dimensions, not {dim}");
}

#[test]
fn transformers_teach_beside_others_and_each_is_told_of() {
    let root = folder("several");
    let shop = shop(&root, 60, varied, |_| "a".into());
    let model = prepared(&root, "tiny.onnx", "first,joined");
    let convolution = prepared(&root, "tiny-nhwc.onnx", "joined");
    let transformer = prepared(&root, "cases/vit-class-token.onnx", "end");
    let of = |teachers: &[&Path]| {
        let state = root.join("state");
        let more = teachers.iter().flat_map(|path| ["--teacher", text(path)]);
        let more: Vec<&str> = more.chain(["--state", text(&state)]).collect();
        Run::index(&root, &shop, &model, &more)
    };
    let both = of(&[&convolution, &transformer]);
    let told = |run: &Run, name: &str| {
        let teachers = run.recipe()["teachers"].as_array().cloned().unwrap_or_default();
        let followed = teachers.iter().any(|teacher| teacher["name"] == name);
        followed != notes(run).contains(&format!("{name} is not used"))
    };
    for name in ["tiny-nhwc", "vit-class-token"] {
        assert!(told(&both, name), "{name}: {} {}", both.recipe(), both.said());
    }
    // Each is asked once: what it saw is remembered.
    assert!(both.told().contains(" 60 of 60 pictures embedded"), "{}", both.told());
    let again = of(&[&convolution, &transformer]);
    assert!(again.told().contains(" 0 of 60 pictures embedded"), "{}", again.told());
    let alone = of(&[&transformer]);
    assert!(told(&alone, "vit-class-token"), "{} {}", alone.recipe(), alone.said());
    // A teacher that is named twice has one say.
    let twice = of(&[&transformer, &transformer]);
    assert!(twice.said().contains("it counts once"), "{}", twice.said());
    assert_eq!(twice.recipe(), alone.recipe());
}

#[test]
fn categories_with_one_member_teach_nothing_and_that_is_said() {
    let root = folder("singles");
    let shop = shop(&root, 48, varied, |i| format!("only {i}"));
    let model = prepared(&root, "tiny.onnx", "first,joined");
    let more = ["--learn-from", "category", "--composites", "0"];
    let run = Run::index(&root, &shop, &model, &more);
    assert!(notes(&run).contains("\"category\" is not used"), "{}", run.said());
    assert_eq!(run.recipe()["projection"], "pca");
    let unknown = Run::index(&root, &shop, &model, &["--learn-from", "colour"]);
    assert_eq!(unknown.output.status.code(), Some(1));
    assert!(unknown.said().contains("there are: category"), "{}", unknown.said());
    // The index that was there is still whole.
    let photo = shop.join("3.png");
    let search = ["search", "--index", text(&run.served), text(&photo), "-k", "1"];
    assert!(lookalike(&search).status.success());
}

#[test]
fn pictures_that_are_all_alike_or_few_make_an_index_all_the_same() {
    let alike = |_: u32, x: u32, y: u32| (x + y) as u8;
    // One product, two, three with one picture, and many of them.
    for (count, varied_shop) in [(1, true), (2, true), (3, false), (45, false)] {
        let root = folder(&format!("alike-{count}"));
        let category = |i: u32| ["a", "b"][i as usize % 2].into();
        let shop = if varied_shop {
            shop(&root, count, varied, category)
        } else {
            shop(&root, count, alike, category)
        };
        let model = prepared(&root, "tiny.onnx", "first,joined");
        let teacher = prepared(&root, "tiny-nhwc.onnx", "joined");
        let learning = ["--teacher", text(&teacher), "--learn-from", "category"];
        for more in [&[][..], &learning] {
            let run = Run::index(&root, &shop, &model, more);
            assert_eq!(run.recipe()["projection"], "plain");
            assert!(notes(&run).contains("compared as the network sees them"), "{}", run.said());
            let photo = shop.join("0.png");
            let query = format!(r#"{{"photo":"whole","variants":true,"k":{count}}}"#);
            let search = ["search", "--index", text(&run.served), text(&photo), "--json"];
            let output = lookalike(&[&search[..], &["--query", &query]].concat());
            let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
            let hits = answer["hits"].as_array().unwrap();
            assert_eq!((hits.len(), &hits[0]["id"]), (count as usize, &Value::from("p0")));
            assert!(hits[0]["score"].as_f64().unwrap() > 0.999, "{answer}");
            // Two different things are two results, the same picture is one.
            let output = lookalike(&search);
            let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
            let shown = if varied_shop { count as usize } else { 1 };
            assert_eq!(answer["hits"].as_array().unwrap().len(), shown, "{answer}");
        }
    }
}

#[test]
fn a_column_that_misleads_is_left_out() {
    let root = folder("misleads");
    // Categories by turns have nothing to do with the pictures.
    let shop = shop(&root, 60, varied, |i| format!("turn {}", (i * 37 + i / 11) % 4));
    let model = prepared(&root, "tiny.onnx", "first,joined");
    let run = Run::index(&root, &shop, &model, &["--learn-from", "category"]);
    let column = run.recipe()["columns"][0].clone();
    let (with, without) =
        (column["held_out"].as_f64().unwrap(), column["held_out_without"].as_f64().unwrap());
    let used = column["used"].as_bool().unwrap();
    assert!(!used || with > without, "{column}");
    // Or copies found their product less often.
    let why = ["gain nothing by it", "find their product less often"];
    assert!(used || why.iter().any(|why| notes(&run).contains(why)), "{column} {}", run.said());
    assert!(used == (with > without) || notes(&run).contains(why[1]), "{column}");
}

#[test]
fn learning_is_measured_at_sizes_above_and_below_the_catalogues() {
    let root = folder("measured");
    let shop = shop(&root, 12, varied, |i| ["a", "b"][i as usize % 2].into());
    let model = prepared(&root, "tiny.onnx", "first,joined");
    let teacher = prepared(&root, "tiny-nhwc.onnx", "joined");
    let args = ["eval", "learning", text(&shop), "--model", text(&model), "--graph", "--json"];
    let more = ["--products", "6,90", "--teacher", text(&teacher), "--learn-from", "category"];
    let output = lookalike(&[&args[..], &more].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    let rows: Vec<Value> = lines.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let counts: Vec<u64> = rows.iter().map(|r| r["products"].as_u64().unwrap()).collect();
    assert_eq!(counts, [6, 90]);
    for row in &rows {
        assert!(row["learn_s"].as_f64().unwrap() > 0.0 && row["graph_s"].as_f64().unwrap() > 0.0);
        if cfg!(target_os = "linux") {
            assert!(row["learn_peak_bytes"].as_u64() > row["features_bytes"].as_u64());
        }
    }
    let none = lookalike(&[&args[..], &["--products", "0"]].concat());
    assert_eq!(none.status.code(), Some(2), "a number that makes no sense is refused at once");
}

/// A shop of things on white, each of another shape and colour.
fn studio(root: &Path, count: u32) -> PathBuf {
    let shop = root.join("shop");
    fs::create_dir_all(&shop).unwrap();
    for i in 0..count {
        let picture = image::RgbImage::from_fn(48, 48, |x, y| {
            let (x, y) = (x as f32 - 24.0, y as f32 - 24.0);
            let (w, h) = (6.0 + (i % 8) as f32 * 2.0, 6.0 + (i / 8 % 8) as f32 * 2.0);
            let inside = (x / w).powi(2) + (y / h).powi(2) < 1.0;
            let colour = [(i * 53 % 200) as u8, (i * 97 % 200) as u8, (i * 29 % 200) as u8];
            image::Rgb(if inside { colour } else { [255; 3] })
        });
        picture.save(shop.join(format!("{i:02}.png"))).unwrap();
    }
    shop
}

#[test]
fn composites_are_made_by_default_repeat_and_are_remembered() {
    let root = folder("composites");
    let shop = studio(&root, 48);
    let model = prepared(&root, "tiny.onnx", "first,joined");
    let files = |run: &Run| {
        run.recipe();
        fs::read(run.served.join("manifest.json")).unwrap()
    };
    let first = Run::index(&root, &shop, &model, &["--relearn"]);
    let recipe = first.recipe();
    let used = recipe["composites"]["copies"] == 96;
    assert!(used || notes(&first).contains("composites are not used"), "{recipe}");
    let manifest: Value = serde_json::from_slice(&files(&first)).unwrap();
    assert_eq!(manifest["scores"].is_object(), used, "{manifest}");
    let again = Run::index(&root, &shop, &model, &["--relearn"]);
    assert_eq!(files(&first), files(&again), "from what is remembered");
    let other = folder("composites-anew");
    let anew = Run::index(&other, &shop, &model, &[]);
    assert_eq!(files(&again), files(&anew), "in a new folder");
    let kept = Run::index(&root, &shop, &model, &[]);
    assert_eq!(files(&kept), files(&anew), "a night without changes keeps scores as well");
    let without = Run::index(&root, &shop, &model, &["--composites", "0"]);
    assert_eq!(without.recipe()["composites"], Value::Null);
    assert!(without.said().is_empty() || !without.said().contains("composites"));
}

#[test]
fn grounds_of_any_kind_are_laid_under_or_refused_in_words() {
    let root = folder("grounds");
    let shop = studio(&root, 44);
    let model = prepared(&root, "tiny.onnx", "first,joined");
    let grounds = root.join("grounds");
    fs::create_dir_all(&grounds).unwrap();
    let with = ["--grounds", text(&grounds), "--relearn"];
    // None, and none that can be read.
    assert!(Run::index(&root, &shop, &model, &with).refused().contains("holds no pictures"));
    fs::write(grounds.join("torn.png"), b"\x89PNG\r\n\x1a\n and no more").unwrap();
    let message = Run::index(&root, &shop, &model, &with).refused();
    assert!(
        message.contains("torn.png") && message.contains("no picture that can be read"),
        "{message}"
    );
    let missing = ["--grounds", "no/such/folder"];
    assert!(Run::index(&root, &shop, &model, &missing).refused().contains("no/such/folder"));
    // One that can.
    let noise = |x: u32, y: u32| image::Rgb([(x * 7) as u8, (y * 11) as u8, (x * y) as u8]);
    image::RgbImage::from_fn(90, 60, noise).save(grounds.join("room.png")).unwrap();
    let one = Run::index(&root, &shop, &model, &with);
    one.recipe();
    assert!(
        one.said().contains("over one ground") && one.said().contains("torn.png"),
        "{}",
        one.said()
    );
    // Another one teaches something else, so that the projection is learnt anew.
    image::RgbImage::from_fn(60, 90, |x, y| noise(y, x * 3))
        .save(grounds.join("street.png"))
        .unwrap();
    let args = ["--grounds", text(&grounds), "--json"];
    let two = Run::index(&root, &shop, &model, &args);
    two.recipe();
    let report: Value = serde_json::from_slice(&two.output.stdout).unwrap();
    assert_eq!(report["projection"], "learnt", "{report}");
}

#[test]
fn catalogues_that_cannot_be_cut_out_make_an_index_all_the_same() {
    let model_of = |root: &Path| prepared(root, "tiny.onnx", "first,joined");
    // Busy grounds; products that fill the frame; nothing but white; transparent pictures.
    let root = folder("busy");
    let busy = shop(&root, 45, varied, |_| "a".into());
    Run::index(&root, &busy, &model_of(&root), &[]).recipe();
    type Pixel = fn(u32, u32, u32) -> [u8; 4];
    let kinds: [(&str, Pixel); 3] = [
        ("filled", |i, x, y| [(i * 5) as u8, (i * 3) as u8, u8::from(x == y) * 255, 255]),
        ("white", |_, _, _| [255; 4]),
        ("clear", |i, x, y| [(i * 5) as u8, 90, 200, u8::from(x + y > 20 + i % 30) * 255]),
    ];
    for (name, pixel) in kinds {
        let root = folder(name);
        let shop = root.join("shop");
        fs::create_dir_all(&shop).unwrap();
        for i in 0..42 {
            let picture = image::RgbaImage::from_fn(40, 40, |x, y| image::Rgba(pixel(i, x, y)));
            picture.save(shop.join(format!("{i:02}.png"))).unwrap();
        }
        let run = Run::index(&root, &shop, &model_of(&root), &[]);
        run.recipe();
        let nothing = run.said().contains("show nothing that could be laid over another ground");
        assert_eq!(nothing, name == "white", "{name}: {}", run.said());
    }
}
