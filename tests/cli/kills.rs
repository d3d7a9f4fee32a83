//! Runs that end in the middle, for whatever reason: the old index or the new one is there, whole.

#![cfg(unix)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::{files, folder, ids, json, lookalike, prepared, text};
use crate::hosting::whole;

/// At how many moments a run is ended.
const MOMENTS: u32 = 24;
const PRODUCTS: u32 = 60;

/// A shop whose pictures are large enough that a run takes a while; `version` changes two thirds of
/// them.
fn draw(shop: &Path, version: u32) {
    fs::create_dir_all(shop).unwrap();
    let mut csv = "id,title,category,image,price\n".to_owned();
    for i in 0..PRODUCTS {
        let seed = if i % 3 == 0 { i } else { i + version * 1000 };
        let picture = image::RgbImage::from_fn(320, 240, |x, y| {
            let inside = (x / (3 + seed % 17) + y / (5 + seed % 11)) % 2 == 0;
            let shade = (seed * 37 % 200) as u8;
            image::Rgb(if inside { [shade, 255 - shade, (x % 256) as u8] } else { [245; 3] })
        });
        picture.save(shop.join(format!("{i}.png"))).unwrap();
        csv += &format!("p{i},Product {i},Things,{i}.png,{}\n", i + version);
    }
    fs::write(shop.join("catalog.csv"), csv).unwrap();
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

struct Stage {
    root: PathBuf,
    /// A folder with an index of the old catalogue, the new one lying in `shop`.
    old: PathBuf,
    /// What a run that nobody disturbs makes of it.
    new: PathBuf,
    took: Duration,
}

impl Stage {
    fn set(name: &str) -> Self {
        let root = folder(name);
        prepared(&root);
        let (old, new) = (root.join("old"), root.join("new"));
        draw(&root.join("shop"), 1);
        let stage = Self { root, old, new, took: Duration::ZERO };
        assert!(stage.run(&stage.old, &[]).status.success());
        draw(&stage.root.join("shop"), 2);
        copy(&stage.old, &stage.new);
        let start = Instant::now();
        assert!(stage.run(&stage.new, &[]).status.success());
        Self { took: start.elapsed(), ..stage }
    }

    fn args(&self, out: &Path) -> Vec<String> {
        let [shop, model] =
            ["shop", "model.onnx"].map(|name| text(&self.root.join(name)).to_owned());
        let args = ["index", &shop, "--model", &model, "-o", text(out), "--json"];
        args.map(str::to_owned).to_vec()
    }

    fn run(&self, out: &Path, more: &[&str]) -> Output {
        let args = self.args(out);
        let args: Vec<&str> = args.iter().map(String::as_str).chain(more.iter().copied()).collect();
        lookalike(&args)
    }

    fn answer(&self, served: &Path) -> Vec<String> {
        let photo = self.root.join("shop/1.png");
        ids(&json(&["search", "--index", text(served), text(&photo), "-k", "9", "--json"]))
    }

    /// What is there is the old index or the new one, whole; gives whether it is the new one.
    fn check(&self, served: &Path, what: &str) -> bool {
        let manifest = |folder: &Path| fs::read(folder.join("manifest.json")).unwrap();
        let is_new = manifest(served) == manifest(&self.new);
        assert!(is_new || manifest(served) == manifest(&self.old), "{what}");
        whole(served);
        let like = if is_new { &self.new } else { &self.old };
        assert_eq!(self.answer(served), self.answer(like), "{what}");
        is_new
    }

    /// The next run succeeds, makes what an undisturbed one makes, and leaves nothing over.
    fn go_on(&self, served: &Path, what: &str) -> Value {
        let next = self.run(served, &["--keep", "0"]);
        assert!(next.status.success(), "{what}: {}", String::from_utf8_lossy(&next.stderr));
        assert!(self.check(served, what), "{what}");
        assert_eq!(files(served), whole(served), "{what}: something is left over");
        assert!(
            !served.join(".lookalike/aside").exists()
                && !served.join(".lookalike/next.json").exists()
        );
        serde_json::from_slice(&next.stdout).unwrap()
    }
}

#[test]
fn killed_at_any_moment_the_old_index_is_whole_and_the_next_run_goes_on() {
    let stage = Stage::set("kills");
    let (old, new) = (stage.answer(&stage.old), stage.answer(&stage.new));
    assert_ne!(old, new, "the two have to differ");
    let (mut ended, mut resumed) = (0, 0);
    for moment in 0..MOMENTS {
        let signal = ["KILL", "TERM", "INT"][(moment % 3) as usize];
        let served = stage.root.join("served");
        let _ = fs::remove_dir_all(&served);
        copy(&stage.old, &served);
        let mut run = Command::new(env!("CARGO_BIN_EXE_lookalike"))
            .args(stage.args(&served))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        thread::sleep(stage.took * moment / MOMENTS);
        let kill = format!("kill -{signal} {}", run.id());
        let _ = Command::new("sh").args(["-c", &kill]).stderr(Stdio::null()).status().unwrap();
        let success = run.wait().unwrap().success();
        ended += u32::from(!success);
        let what = format!("{signal} at moment {moment} of {MOMENTS}");
        let is_new = stage.check(&served, &what);
        assert!(is_new || !success, "{what}");
        let report = stage.go_on(&served, &what);
        let again = report["embedded"].as_u64().unwrap();
        assert!(again <= u64::from(PRODUCTS) * 2 / 3, "{what}: {again} embedded");
        resumed += u32::from(!is_new && again < u64::from(PRODUCTS) * 2 / 3);
    }
    assert!(
        ended >= MOMENTS / 3,
        "only {ended} of {MOMENTS} runs were ended before they were done"
    );
    assert!(resumed > 0, "no run went on where another was cut off");
}

#[test]
fn a_disk_that_is_full_leaves_the_old_index_whole() {
    let stage = Stage::set("full");
    let largest =
        files(&stage.new).iter().map(|f| fs::metadata(stage.new.join(f)).unwrap().len()).max();
    // No file may grow beyond so many blocks of 512 bytes; the signal that says so is ignored, as
    // it is on a full disk.
    let (mut refused, mut limit) = (0, 1);
    while limit * 512 < largest.unwrap() * 2 {
        let served = stage.root.join("served");
        let _ = fs::remove_dir_all(&served);
        copy(&stage.old, &served);
        let limited = format!("trap '' XFSZ; ulimit -f {limit}; exec \"$@\"");
        let output = Command::new("sh")
            .args(["-c", &limited, "sh", env!("CARGO_BIN_EXE_lookalike")])
            .args(stage.args(&served))
            .output()
            .unwrap();
        let what = format!("limit {limit}");
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{what}: {said}");
            assert!(said.contains("free some space"), "{what}: {said}");
            assert!(!stage.check(&served, &what), "{what}");
            refused += 1;
        }
        stage.go_on(&served, &what);
        limit *= 3;
    }
    assert!(refused >= 3, "{refused} runs met the limit");
}
