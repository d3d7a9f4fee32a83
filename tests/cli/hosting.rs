//! The folder that `index` writes: what a shop has there stays, and what was there is whole,
//! whatever happens.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use lookalike::manifest::sha256;
use serde_json::{Value, json};

use crate::harness::{
    fail, files, folder, hosted, ids, indexed, json, lookalike, prepared, shop, succeed, text,
};

/// Every file that the manifest names is there and is what it says, packed ones unpack to what they stand for; gives
/// their names, thumbnails and all.
pub(crate) fn whole(served: &Path) -> BTreeSet<String> {
    let manifest: Value =
        serde_json::from_slice(&fs::read(served.join("manifest.json")).unwrap()).unwrap();
    let mut names = BTreeSet::from(["manifest.json".to_owned()]);
    let mut list = Vec::new();
    for file in manifest["files"].as_array().unwrap() {
        let parts = file["parts"].as_array().cloned().unwrap_or_else(|| vec![file.clone()]);
        let mut all = Vec::new();
        for part in &parts {
            let name = part["path"].as_str().unwrap();
            let content = fs::read(served.join(name)).unwrap();
            assert_eq!(sha256(&content), part["sha256"].as_str().unwrap(), "{name}");
            let digits = &part["sha256"].as_str().unwrap()[..16];
            assert!(name.contains(digits), "{name} does not say what is in it");
            names.insert(name.to_owned());
            all.extend(content);
        }
        assert_eq!(sha256(&all), file["sha256"].as_str().unwrap());
        if let Some(packed) = file.get("packed") {
            let name = packed["path"].as_str().unwrap();
            let content = fs::read(served.join(name)).unwrap();
            let hash = packed["sha256"].as_str().unwrap();
            assert_eq!(
                (sha256(&content).as_str(), content.len() as u64),
                (hash, packed["bytes"].as_u64().unwrap())
            );
            assert!(name.contains(&hash[..16]) && name.ends_with(".packed"), "{name}");
            assert!(content.len() * 20 <= all.len() * 19, "{name}: not worth it");
            assert!(unpacked(&content) == all, "{name} unpacks to something else");
            names.insert(name.to_owned());
        }
        if file["role"] == "products" {
            list = all;
        }
    }
    let list: Value = serde_json::from_slice(&list).unwrap();
    for product in list["products"].as_array().unwrap() {
        for image in product["images"].as_array().unwrap() {
            let Some(thumb) = image["thumb"].as_str() else { continue };
            let hash = sha256(&fs::read(served.join(thumb)).unwrap());
            assert_eq!(thumb, format!("thumbs/{}/{}.jpg", &hash[..2], &hash[2..16]));
            names.insert(thumb.to_owned());
        }
    }
    names
}

fn unpacked(gzip: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(gzip).read_to_end(&mut plain).unwrap();
    plain
}

/// A folder of pictures that is a catalogue.
fn pictures(root: &Path) -> PathBuf {
    let (shop, folder) = (shop(root), root.join("pictures"));
    fs::create_dir_all(folder.join("discs")).unwrap();
    for i in 0..12 {
        fs::copy(shop.join(format!("{i}.png")), folder.join(format!("discs/{i}.png"))).unwrap();
    }
    folder
}

#[test]
fn all_that_a_shop_has_there_stays() {
    let root = folder("stays");
    let model = prepared(&root);
    let out = shop(&root);
    // The catalogue's own folder is written to, with thumbnails and files that are the shop's own.
    fs::create_dir_all(out.join("thumbs")).unwrap();
    for name in ["thumbs/0.jpg", "thumbs/logo.jpg", "model.onnx", "index.bin", "products.json"] {
        fs::write(out.join(name), name).unwrap();
    }
    let before: Vec<(String, Vec<u8>)> = files(&out)
        .into_iter()
        .map(|name| (name.clone(), fs::read(out.join(&name)).unwrap()))
        .collect();
    let run = |more: &[&str]| {
        let call = ["index", text(&out), "--model", text(&model), "-o", text(&out)];
        succeed(&[&call[..], more].concat());
        for (name, content) in &before {
            assert!(fs::read(out.join(name)).is_ok_and(|now| now == *content), "{name}");
        }
    };
    run(&[]);
    run(&["--keep", "0"]);
    run(&["--thumbs", "0", "--keep", "0"]);
    let ours = whole(&out);
    assert_eq!(files(&out), before.iter().map(|b| b.0.clone()).chain(ours).collect());
}

#[test]
fn a_manifest_of_something_else_stays_and_nothing_is_written_beside_it() {
    let root = folder("webapp");
    let (model, shop, out) = (prepared(&root), shop(&root), root.join("www"));
    fs::create_dir_all(&out).unwrap();
    fs::write(out.join("manifest.json"), r#"{"name":"Shop","start_url":"/"}"#).unwrap();
    let said = fail(&["index", text(&shop), "--model", text(&model), "-o", text(&out)]);
    assert!(said.contains("not overwritten") && said.contains("give a folder"), "{said}");
    assert_eq!(fs::read_dir(&out).unwrap().count(), 1);
    assert!(fs::read_to_string(out.join("manifest.json")).unwrap().contains("start_url"));
}

#[test]
fn own_files_are_not_read_as_pictures_of_the_catalogue() {
    let root = folder("inside");
    let (model, catalogue) = (prepared(&root), pictures(&root));
    // In the catalogue, the catalogue itself, and around it.
    for out in [catalogue.join("out"), catalogue.clone(), root.clone()] {
        for night in 0..3 {
            let call =
                ["index", text(&catalogue), "--model", text(&model), "-o", text(&out), "--json"];
            let report = json(&call);
            assert_eq!(report["products"], 12, "night {night} in {}", out.display());
            whole(&out);
        }
    }
    // A copy as it is uploaded, without our private folder, is known too.
    let copy = catalogue.join("uploaded");
    for name in files(&catalogue.join("out")) {
        fs::create_dir_all(copy.join(&name).parent().unwrap()).unwrap();
        fs::copy(catalogue.join("out").join(&name), copy.join(&name)).unwrap();
    }
    fs::copy(catalogue.join("discs/0.png"), copy.join("thumbs/own.png")).unwrap();
    let out = root.join("elsewhere");
    let report =
        json(&["index", text(&catalogue), "--model", text(&model), "-o", text(&out), "--json"]);
    assert_eq!(report["products"], 13, "the shop's own picture beside ours is read");
}

#[test]
fn an_error_leaves_the_old_index_as_it_was() {
    let (root, served) = indexed("kept");
    let (shop, model) = (root.join("shop"), root.join("model.onnx"));
    let photo = root.join("photo.png");
    fs::copy(shop.join("6.png"), &photo).unwrap();
    let ask = || ids(&json(&["search", "--index", text(&served), text(&photo), "--json"]));
    let (answer, before) = (ask(), files(&served));
    // A fifth of the pictures empty; then too few products; then a feed that cannot be read.
    for i in 0..5 {
        fs::write(shop.join(format!("{i}.png")), "").unwrap();
    }
    let index = ["index", text(&shop), "--model", text(&model), "-o", text(&served)];
    assert!(fail(&index).contains("5 of 24"));
    fs::write(shop.join("catalog.csv"), "id,title,image\np7,Chair,7.png\n").unwrap();
    let shrunk = fail(&index);
    assert!(shrunk.contains("--max-shrink") && shrunk.contains("24"), "{shrunk}");
    fs::write(shop.join("catalog.csv"), "id,title\n1,Chair\n").unwrap();
    fail(&index);
    assert_eq!((ask(), files(&served)), (answer, before));
    whole(&served);
}

#[test]
fn a_second_run_says_so_and_ends() {
    let (root, served) = indexed("locked");
    let before = files(&served);
    let lock = File::options().write(true).open(served.join(".lookalike/lock")).unwrap();
    lock.lock().unwrap();
    let (shop, model) = (root.join("shop"), root.join("model.onnx"));
    let index = ["index", text(&shop), "--model", text(&model), "-o", text(&served)];
    let said = fail(&index);
    assert!(said.contains("another run is at work"), "{said}");
    assert_eq!(files(&served), before);
    drop(lock);
    succeed(&index);
}

#[test]
fn folders_that_cannot_be_written_are_refused_in_words() {
    let (root, served) = indexed("unwritable");
    let (shop, model) = (root.join("shop"), root.join("model.onnx"));
    let into = |out: &Path| fail(&["index", text(&shop), "--model", text(&model), "-o", text(out)]);
    assert!(into(&served.join("manifest.json")).contains("is a file"));
    if Path::new("/proc/self").is_dir() {
        assert!(into(Path::new("/proc/self/lookalike")).contains("/proc/self"));
    }
}

#[test]
fn a_folder_of_a_version_without_a_list_is_taken_over() {
    let (root, served) = indexed("adopted");
    let (shop, model) = (root.join("shop"), root.join("model.onnx"));
    // As earlier versions wrote it: names without hashes, thumbnails by number, no list.
    fs::remove_dir_all(served.join(".lookalike")).unwrap();
    let mut list: Value =
        serde_json::from_slice(&fs::read(hosted(&served, "products")).unwrap()).unwrap();
    for (row, product) in list["products"].as_array_mut().unwrap().iter_mut().enumerate() {
        let old = served.join(product["images"][0]["thumb"].as_str().unwrap());
        let name = format!("thumbs/{row}.jpg");
        fs::copy(&old, served.join(&name)).unwrap();
        product["images"][0]["thumb"] = name.into();
    }
    let list = list.to_string();
    let mut manifest: Value =
        serde_json::from_slice(&fs::read(served.join("manifest.json")).unwrap()).unwrap();
    let old_names = ["model.onnx", "index.bin", "products.json"];
    for (file, name) in manifest["files"].as_array_mut().unwrap().iter_mut().zip(old_names) {
        let path = served.join(file["path"].as_str().unwrap());
        let content = if name == "products.json" {
            list.clone().into_bytes()
        } else {
            fs::read(&path).unwrap()
        };
        fs::remove_file(&path).unwrap();
        fs::write(served.join(name), &content).unwrap();
        file["path"] = name.into();
        file["bytes"] = content.len().into();
        file["sha256"] = sha256(&content).into();
    }
    manifest["format"] = 1.into();
    for entry in fs::read_dir(served.join("thumbs")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap();
        }
    }
    fs::write(served.join("manifest.json"), manifest.to_string()).unwrap();
    fs::write(served.join("thumbs/logo.jpg"), "the shop's").unwrap();
    let old = files(&served);

    let index = ["index", text(&shop), "--model", text(&model), "-o", text(&served)];
    succeed(&index);
    assert!(old.is_subset(&files(&served)), "who has the old manifest finds its files");
    succeed(&[&index[..], &["--keep", "0"]].concat());
    let theirs = BTreeSet::from(["thumbs/logo.jpg".to_owned()]);
    assert_eq!(files(&served), &whole(&served) | &theirs);

    // One whose files do not agree with its manifest is left alone.
    let torn = root.join("torn");
    fs::create_dir_all(&torn).unwrap();
    fs::write(torn.join("manifest.json"), manifest.to_string()).unwrap();
    for name in old_names {
        fs::write(torn.join(name), "the shop's").unwrap();
    }
    let said = fail(&["index", text(&shop), "--model", text(&model), "-o", text(&torn)]);
    assert!(said.contains("model.onnx") && said.contains("Give another folder"), "{said}");
    assert_eq!(files(&torn).len(), 4);
}

#[test]
fn parts_carry_the_hash_of_what_is_in_them() {
    let (root, served) = indexed("parts");
    let (shop, model) = (root.join("shop"), root.join("model.onnx"));
    let index = ["index", text(&shop), "--model", text(&model), "-o", text(&served), "--keep", "0"];
    succeed(&[&index[..], &["--part-bytes", "1000"]].concat());
    assert_eq!(files(&served), whole(&served));
    assert!(whole(&served).iter().any(|name| name.ends_with(".onnx.1")));
    assert!(
        !whole(&served).iter().any(|name| name.contains(".packed")),
        "what is split is not packed as well"
    );
    let none = lookalike(&[&index[..], &["--part-bytes", "0"]].concat());
    assert_eq!(none.status.code(), Some(2));
    assert!(
        json!(files(&served)).to_string().contains(".onnx.1"),
        "it is refused before anything is done"
    );
}

#[test]
fn files_are_packed_beside_the_plain_ones_and_not_again_where_nothing_changed() {
    let (root, served) = indexed("packed");
    let (shop, model) = (root.join("shop"), root.join("model.onnx"));
    let index = ["index", text(&shop), "--model", text(&model), "-o", text(&served), "--keep", "0"];
    let manifest = || -> Value {
        serde_json::from_slice(&fs::read(served.join("manifest.json")).unwrap()).unwrap()
    };
    let packed = |role: &str| {
        let manifest = manifest();
        let file =
            manifest["files"].as_array().unwrap().iter().find(|file| file["role"] == role).cloned();
        file.unwrap().get("packed").map(|packed| packed["path"].as_str().unwrap().to_owned())
    };
    let products = packed("products").expect("a list is worth it");
    assert_eq!(files(&served), whole(&served));
    let first = manifest();
    let about: Value = json(&["inspect", text(&served.join("manifest.json")), "--json"]);
    assert_eq!(about["files"], first["files"], "inspect shows them");

    // The same again, and in a new folder.
    succeed(&index);
    assert_eq!(manifest(), first);
    let fresh = root.join("fresh");
    succeed(&["index", text(&shop), "--model", text(&model), "-o", text(&fresh)]);
    let of_fresh: Value =
        serde_json::from_slice(&fs::read(fresh.join("manifest.json")).unwrap()).unwrap();
    assert_eq!(of_fresh, first);

    // Packed by something else to other bytes: they are kept while they are the list, by this version.
    let path = served.join("manifest.json");
    let plain = fs::read(hosted(&served, "products")).unwrap();
    let repacked = |generator: &str, content: &[u8]| {
        let mut gzip = Vec::new();
        flate2::read::GzEncoder::new(content, flate2::Compression::fast())
            .read_to_end(&mut gzip)
            .unwrap();
        let name = format!("products-{}.packed", &sha256(&gzip)[..16]);
        fs::write(served.join(&name), &gzip).unwrap();
        let mut manifest = first.clone();
        manifest["generator"] = json!(generator);
        for file in manifest["files"].as_array_mut().unwrap() {
            if file["role"] == "products" {
                file["packed"] =
                    json!({"path": name, "bytes": gzip.len(), "sha256": sha256(&gzip)});
            }
        }
        fs::write(&path, manifest.to_string()).unwrap();
        name
    };
    let own = first["generator"].as_str().unwrap();
    let other = repacked(own, &plain);
    assert_ne!(other, products);
    succeed(&index);
    assert_eq!(packed("products").unwrap(), other, "it was packed again");
    assert_eq!(files(&served), whole(&served));
    for (generator, content) in [("lookalike 0.0.1", &plain[..]), (own, b"[]")] {
        repacked(generator, content);
        succeed(&index);
        assert_eq!(packed("products").unwrap(), products);
        assert_eq!(files(&served), whole(&served));
    }
    // A damaged one is made anew.
    fs::write(served.join(&products), "damaged").unwrap();
    let said = lookalike(&index);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    assert_eq!(files(&served), whole(&served));
}
