//! `index` night after night: what has not changed is not looked at again, and the report says what
//! has.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::harness::{fail, files, folder, hosted, json, prepared, shop, succeed, text};
use crate::hosting::whole;

/// A shop, its network, and a folder that was written once.
struct Night {
    root: PathBuf,
}

impl Night {
    fn first(name: &str) -> (Self, Value) {
        let root = folder(name);
        prepared(&root);
        shop(&root);
        let night = Self { root };
        let report = night.run(&[]);
        (night, report)
    }

    fn served(&self) -> PathBuf {
        self.root.join("served")
    }

    fn call<'a>(&self, paths: &'a [PathBuf; 3], more: &[&'a str]) -> Vec<&'a str> {
        let [shop, model, out] = paths;
        let call = ["index", text(shop), "--model", text(model), "-o", text(out), "--json"];
        [&call[..], more].concat()
    }

    fn paths(&self, out: &str) -> [PathBuf; 3] {
        [self.root.join("shop"), self.root.join("model.onnx"), self.root.join(out)]
    }

    fn run(&self, more: &[&str]) -> Value {
        let paths = self.paths("served");
        let report = json(&self.call(&paths, more));
        whole(&self.served());
        report
    }

    fn refused(&self, more: &[&str]) -> String {
        let paths = self.paths("served");
        fail(&self.call(&paths, more))
    }

    /// Lets `change` rewrite the feed.
    fn feed(&self, change: impl Fn(&str) -> String) {
        let path = self.root.join("shop/catalog.csv");
        fs::write(&path, change(&fs::read_to_string(&path).unwrap())).unwrap();
    }

    fn draw(&self, name: &str, shade: u8) {
        let picture = image::RgbImage::from_fn(48, 40, |x, y| {
            let inside = (x * u32::from(shade) / 50 + y) % 9 < 4;
            image::Rgb(if inside { [shade, 90, 255 - shade] } else { [250; 3] })
        });
        picture.save(self.root.join("shop").join(name)).unwrap();
    }
}

/// A field for each name.
fn some(report: &Value, names: &[&str]) -> Value {
    names.iter().map(|name| report[*name].clone()).collect()
}

const COUNTS: [&str; 5] = ["embedded", "added", "changed", "removed", "projection"];

#[test]
fn only_what_is_new_or_changed_is_embedded() {
    let (night, first) = Night::first("nightly");
    assert_eq!(some(&first, &COUNTS), json!([24, 24, 0, 0, "learnt"]));
    assert!(first["because"].as_str().unwrap().contains("no index"));
    let before = files(&night.served());

    let idle = night.run(&[]);
    assert_eq!(some(&idle, &COUNTS), json!([0, 0, 0, 0, "kept"]));
    let all = before.len() - 1;
    assert_eq!(idle["files"], json!({"written": 0, "kept": all, "removed": 0}));
    assert_eq!(files(&night.served()), before);

    // A price: the list changes, the index does not.
    let index = hosted(&night.served(), "index");
    night.feed(|csv| csv.replace(",13.50,", ",9.50,"));
    let price = night.run(&[]);
    assert_eq!(some(&price, &COUNTS), json!([0, 0, 1, 0, "kept"]));
    assert_eq!(price["changes"]["changed"], json!(["p3"]));
    assert_eq!(hosted(&night.served(), "index"), index);

    // A picture under its old name, one more product, one fewer, and a picture that was renamed.
    night.draw("5.png", 200);
    night.draw("24.png", 120);
    fs::rename(night.root.join("shop/7.png"), night.root.join("shop/seven.png")).unwrap();
    night.feed(|csv| {
        let lines = csv.lines().filter(|line| !line.starts_with("p0,"));
        let csv: String = lines.map(|line| format!("{line}\n")).collect();
        csv.replace("7.png,17", "seven.png,17") + "p24,Stripe 24,Stripes,24.png,30,green\n"
    });
    let report = night.run(&[]);
    assert_eq!(some(&report, &COUNTS), json!([2, 1, 2, 1, "kept"]), "{report}");
    assert_eq!(report["changes"]["added"], json!(["p24"]));
    assert_eq!(report["changes"]["changed"], json!(["p5", "p7"]));
    assert_eq!(report["changes"]["removed"], json!(["p0"]));
    assert!((report["drift"]["new"].as_f64().unwrap() - 2.0 / 24.0).abs() < 1e-9);
    let found = json(&[
        "search",
        "--index",
        text(&night.served()),
        text(&night.root.join("shop/24.png")),
        "--json",
    ]);
    assert_eq!(found["hits"][0]["id"], "p24");
}

#[test]
fn relearn_gives_what_a_new_folder_gets_to_the_byte() {
    let (night, _) = Night::first("relearn");
    night.draw("3.png", 33);
    night.draw("9.png", 222);
    let kept = night.run(&[]);
    assert_eq!(kept["projection"], "kept");
    let relearnt = night.run(&["--relearn", "--keep", "0"]);
    assert_eq!(some(&relearnt, &["embedded", "projection"]), json!([0, "learnt"]));
    let paths = night.paths("fresh");
    succeed(&night.call(&paths, &[]));
    let (served, fresh) = (night.served(), &paths[2]);
    assert_eq!(files(&served), files(fresh));
    for file in files(fresh) {
        assert!(fs::read(served.join(&file)).unwrap() == fs::read(fresh.join(&file)).unwrap());
    }
}

#[test]
fn a_projection_is_learnt_anew_when_it_no_longer_fits() {
    let (night, _) = Night::first("drift");
    let because = |report: &Value| report["because"].as_str().unwrap_or("kept").to_owned();
    let options = night.run(&["--dim", "8"]);
    assert!(because(&options).contains("options have changed"), "{options}");
    assert_eq!((&options["embedded"], &options["dim"]), (&json!(0), &json!(8)));
    night.run(&[]);
    for i in 0..5 {
        night.draw(&format!("{i}.png"), 20 + 40 * i);
    }
    let drifted = night.run(&["--max-drift", "0.2"]);
    assert!(because(&drifted).starts_with("21 % of the pictures are new"), "{drifted}");
    fs::remove_dir_all(night.served().join(".lookalike/state")).unwrap();
    let forgotten = night.run(&[]);
    assert!(because(&forgotten).contains("nothing is remembered"), "{forgotten}");
    assert_eq!(some(&forgotten, &["embedded", "changed"]), json!([24, 0]));
}

#[test]
fn a_state_elsewhere_serves_as_well_and_thumbnails_come_and_go() {
    let (night, _) = Night::first("elsewhere");
    let state = night.root.join("state");
    let more = ["--state", text(&state)];
    assert_eq!(night.run(&more)["embedded"], 24);
    assert_eq!(night.run(&more)["embedded"], 0);
    assert!(state.join("seen.log").is_file());
    let thumbs = |served: &Path| files(served).iter().filter(|n| n.starts_with("thumbs/")).count();
    for (side, count) in [("0", 0), ("16", 24), ("256", 24)] {
        let report = night.run(&["--thumbs", side, "--keep", "0"]);
        assert_eq!((&report["embedded"], thumbs(&night.served())), (&json!(0), count), "{side}");
    }
    // A thumbnail that rots or is lost is made again, though the picture is known.
    let served = night.served();
    let name = files(&served).into_iter().find(|n| n.starts_with("thumbs/")).unwrap();
    for damage in [true, false] {
        if damage {
            fs::write(served.join(&name), "rotten").unwrap();
        } else {
            fs::remove_file(served.join(&name)).unwrap();
        }
        assert_eq!(night.run(&[])["files"]["written"], 1);
    }
}

#[test]
fn a_feed_that_has_shrunk_is_refused_before_any_picture_is_looked_at() {
    let (night, _) = Night::first("shrunk");
    night.feed(|csv| csv.lines().take(11).map(|line| format!("{line}\n")).collect());
    night.draw("2.png", 99);
    let said = night.refused(&[]);
    assert!(
        said.contains("10 products") && said.contains("24") && said.contains("--max-shrink 1"),
        "{said}"
    );
    assert_eq!(night.run(&["--max-shrink", "1"])["removed"], 14);
}

#[test]
fn refusals_are_reported() {
    let (night, _) = Night::first("refusals");
    fs::write(night.root.join("shop/4.png"), "not a picture").unwrap();
    let report = night.run(&[]);
    assert_eq!(some(&report, &["refused", "removed", "products"]), json!([1, 1, 23]));
    assert!(report["refusals"][0].as_str().unwrap().contains("4.png"));
}
