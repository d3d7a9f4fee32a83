//! What every test here needs: the program itself, a shop, a tiny network, an index.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

pub(crate) const ROOT: &str = env!("CARGO_MANIFEST_DIR");

pub(crate) fn lookalike(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lookalike")).args(args).output().unwrap()
}

/// The same, with the shell's help: `$0` is the program, `$1` and so on are `args`.
#[cfg(unix)]
pub(crate) fn in_shell(script: &str, args: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_lookalike");
    Command::new("bash").args(["-c", script, program]).args(args).output().unwrap()
}

/// Standard output of a call that must succeed.
pub(crate) fn succeed(args: &[&str]) -> String {
    let output = lookalike(args);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "lookalike {args:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// The message of a call that must fail with exit code 1, without a panic.
pub(crate) fn fail(args: &[&str]) -> String {
    let output = lookalike(args);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "lookalike {args:?}: {errors}");
    assert!(errors.contains("error: ") && !errors.contains("panicked"), "{errors}");
    errors
}

/// An empty folder of this test's own.
pub(crate) fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A shop of 24 products: stripes and discs in several colours.
pub(crate) fn shop(root: &Path) -> PathBuf {
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

pub(crate) fn prepared(root: &Path) -> PathBuf {
    let model = root.join("model.onnx");
    let source = format!("{ROOT}/tests/models/tiny.onnx");
    succeed(&["model", "prepare", &source, "-o", text(&model), "--layer", "first,joined"]);
    model
}

pub(crate) fn indexed(name: &str) -> (PathBuf, PathBuf) {
    let root = folder(name);
    let (model, out) = (prepared(&root), root.join("served"));
    succeed(&["index", text(&shop(&root)), "--model", text(&model), "-o", text(&out)]);
    (root, out)
}

pub(crate) fn json(args: &[&str]) -> Value {
    serde_json::from_str(&succeed(args)).unwrap()
}

pub(crate) fn ids(answer: &Value) -> Vec<String> {
    let hits = answer["hits"].as_array().unwrap();
    hits.iter().map(|h| h["id"].as_str().unwrap().to_owned()).collect()
}

/// The file of a role in a hosted folder, by what its manifest says.
pub(crate) fn hosted(folder: &Path, role: &str) -> PathBuf {
    let manifest: Value =
        serde_json::from_slice(&fs::read(folder.join("manifest.json")).unwrap()).unwrap();
    let files = manifest["files"].as_array().unwrap();
    let file = files.iter().find(|file| file["role"] == role).unwrap();
    folder.join(file["path"].as_str().unwrap())
}

/// Names of all files in a hosted folder but those that are our own business.
pub(crate) fn files(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![folder.to_owned()];
    while let Some(inner) = open.pop() {
        for entry in fs::read_dir(inner).unwrap() {
            let path = entry.unwrap().path();
            let name = text(path.strip_prefix(folder).unwrap()).to_owned();
            if path.is_dir() && name != ".lookalike" {
                open.push(path);
            } else if path.is_file() {
                found.insert(name);
            }
        }
    }
    found
}
