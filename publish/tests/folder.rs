//! A hosted folder through its door: whatever happens, what was there is whole, and what is a
//! shop's own stays.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lookalike_publish::{Folder, OwnFiles};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const DAY: Duration = Duration::from_secs(86_400);
const NEVER: Duration = Duration::from_secs(u64::MAX);

fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// Every file below a folder but our private ones, by name.
fn files(root: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
            if name == ".lookalike" {
                continue;
            }
            if path.is_dir() {
                open.push(path);
            } else {
                found.insert(name);
            }
        }
    }
    found
}

fn set<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.into_iter().map(str::to_owned).collect()
}

/// Puts a network and thumbnails in and gives the manifest that names them.
fn fill(folder: &Folder, version: &str, thumbs: &[&str]) -> Vec<u8> {
    let jpeg = |text: &&str| [&[0xff, 0xd8], text.as_bytes()].concat();
    let thumbs: Vec<String> =
        thumbs.iter().map(|thumb| folder.put_thumb(&jpeg(thumb)).unwrap()).collect();
    let products: Vec<Value> = thumbs.iter().map(|t| json!({"images": [{"thumb": t}]})).collect();
    let products = json!({ "products": products }).to_string().into_bytes();
    let model = version.as_bytes();
    let file = |role: &str, path: String, bytes: &[u8]| json!({"role": role, "path": path, "bytes": bytes.len(), "sha256": sha256(bytes)});
    let mut network = file("model", folder.put("model", "onnx", model).unwrap(), model);
    let packed = [b"packed ", model].concat();
    network["packed"] = file("model", folder.put("model", "packed", &packed).unwrap(), &packed);
    let list =
        [network, file("products", folder.put("products", "json", &products).unwrap(), &products)];
    json!({"format": 1, "generator": "lookalike 0.1.0", "files": list}).to_string().into_bytes()
}

fn publish(root: &Path, version: &str, thumbs: &[&str], keep: Duration) {
    let folder = Folder::open(root).unwrap();
    let manifest = fill(&folder, version, thumbs);
    folder.commit(&manifest, keep).unwrap();
}

/// All files that the manifest names are there and are what it says; gives their names.
fn whole(root: &Path) -> BTreeSet<String> {
    let manifest: Value =
        serde_json::from_slice(&fs::read(root.join("manifest.json")).unwrap()).unwrap();
    let mut names = set(["manifest.json"]);
    let listed = manifest["files"].as_array().unwrap();
    for file in listed.iter().chain(listed.iter().filter_map(|file| file.get("packed"))) {
        let name = file["path"].as_str().unwrap();
        let content = fs::read(root.join(name)).unwrap();
        assert_eq!(sha256(&content), file["sha256"].as_str().unwrap(), "{name}");
        names.insert(name.to_owned());
        if file["role"] == "products" {
            let list: Value = serde_json::from_slice(&content).unwrap();
            for product in list["products"].as_array().unwrap() {
                let thumb = product["images"][0]["thumb"].as_str().unwrap();
                assert!(root.join(thumb).is_file(), "{thumb}");
                names.insert(thumb.to_owned());
            }
        }
    }
    names
}

#[test]
fn nothing_shows_before_the_commit_and_everything_after() {
    let root = scratch("commit").join("new/folder");
    let folder = Folder::open(&root).unwrap();
    let manifest = fill(&folder, "one", &["a", "b", "a"]);
    assert_eq!(files(&root), set([]));
    let done = folder.commit(&manifest, NEVER).unwrap();
    assert_eq!((done.written, done.kept, done.removed), (5, 0, 0));
    assert_eq!(files(&root), whole(&root));
    assert_eq!(files(&root).len(), 6);
    assert!(!root.join(".lookalike/aside").exists() && !root.join(".lookalike/next.json").exists());
    // Names say what is in them.
    assert!(root.join(format!("model-{}.onnx", &sha256(b"one")[..16])).is_file());
}

#[test]
fn files_of_the_manifest_before_stay_as_long_as_asked() {
    let root = scratch("generations");
    publish(&root, "one", &["a", "b"], NEVER);
    let first = files(&root);
    publish(&root, "two", &["b", "c"], NEVER);
    assert!(first.is_subset(&files(&root)), "the generation before stays");
    publish(&root, "three", &["c"], DAY);
    assert!(first.is_subset(&files(&root)), "a day has not gone by");
    publish(&root, "three", &["c"], Duration::ZERO);
    assert_eq!(files(&root), whole(&root), "nothing is kept");
    // What comes back before it is removed is current again.
    publish(&root, "one", &["a"], NEVER);
    publish(&root, "two", &["b"], NEVER);
    publish(&root, "one", &["a"], Duration::ZERO);
    assert_eq!(files(&root), whole(&root));
}

#[test]
fn a_second_run_says_so_and_the_lock_goes_with_its_owner() {
    let root = scratch("lock");
    let folder = Folder::open(&root).unwrap();
    let second = Folder::open(&root).err().unwrap().to_string();
    assert!(second.contains("another run is at work"), "{second}");
    drop(folder);
    publish(&root, "one", &[], NEVER);
}

#[test]
fn what_a_shop_has_there_is_left_alone() {
    let root = scratch("own");
    let own = ["model.onnx", "index.bin", "products.json", "index.html", "thumbs/0.jpg"];
    for name in own {
        fs::create_dir_all(root.join("thumbs")).unwrap();
        fs::write(root.join(name), name).unwrap();
    }
    // A file of theirs that is what we would write, and one under a name that we would use.
    let thumb = Folder::open(&root).unwrap().put_thumb(b"\xff\xd8same").unwrap();
    fs::create_dir_all(root.join(&thumb).parent().unwrap()).unwrap();
    fs::write(root.join(&thumb), b"\xff\xd8same").unwrap();
    let taken = Folder::open(&root).unwrap().put_thumb(b"\xff\xd8taken").unwrap();
    fs::create_dir_all(root.join(&taken).parent().unwrap()).unwrap();
    fs::write(root.join(&taken), "theirs").unwrap();
    let before = files(&root);
    publish(&root, "one", &["same", "taken", "x"], Duration::ZERO);
    assert!(whole(&root).contains(&thumb) && !whole(&root).contains(&taken));
    publish(&root, "two", &["y"], Duration::ZERO);
    assert!(before.is_subset(&files(&root)));
    assert_eq!(files(&root), &before | &whole(&root));
    assert!(own.iter().all(|name| fs::read_to_string(root.join(name)).unwrap() == *name));
    assert_eq!(fs::read_to_string(root.join(&taken)).unwrap(), "theirs");
}

#[test]
fn a_manifest_of_something_else_is_not_overwritten() {
    let root = scratch("foreign");
    for content in [r#"{"name":"Shop","icons":[]}"#, "", "{", r#"{"generator":"vite","files":[]}"#]
    {
        fs::write(root.join("manifest.json"), content).unwrap();
        let error = Folder::open(&root).err().unwrap().to_string();
        assert!(error.contains("not overwritten") && error.contains("give a folder"), "{error}");
        assert_eq!(fs::read_to_string(root.join("manifest.json")).unwrap(), content);
        assert!(!root.join(".lookalike").exists(), "the folder is as it was");
    }
}

#[test]
fn folders_that_cannot_be_written_are_refused_in_words() {
    let root = scratch("unfit");
    fs::write(root.join("file"), "").unwrap();
    let said = |path: &Path| Folder::open(path).err().unwrap().to_string();
    assert!(said(&root.join("file")).contains("is a file"));
    assert!(said(&root.join("file/below")).contains("file"));
    fs::create_dir(root.join("taken")).unwrap();
    fs::write(root.join("taken/.lookalike"), "").unwrap();
    assert!(said(&root.join("taken")).contains("in the way"));
    fs::create_dir(root.join("thumbed")).unwrap();
    fs::write(root.join("thumbed/thumbs"), "a file").unwrap();
    let folder = Folder::open(&root.join("thumbed")).unwrap();
    assert!(folder.put_thumb(b"\xff\xd8").unwrap_err().to_string().contains("in the way"));
    if Path::new("/proc/self").is_dir() {
        assert!(said(Path::new("/proc/self/lookalike")).contains("/proc/self"));
    }
}

#[cfg(unix)]
#[test]
fn links_are_followed_to_the_folder_and_nowhere_from_it() {
    use std::os::unix::fs::symlink;
    let root = scratch("links");
    symlink(root.join("nowhere"), root.join("broken")).unwrap();
    let broken = Folder::open(&root.join("broken")).err().unwrap().to_string();
    assert!(broken.contains("leads nowhere"), "{broken}");

    fs::create_dir(root.join("release-5")).unwrap();
    symlink("release-5", root.join("current")).unwrap();
    publish(&root.join("current"), "one", &["a"], NEVER);
    assert_eq!(files(&root.join("release-5")), whole(&root.join("current")));
    assert!(Folder::open(&root.join("release-5")).is_ok());

    // The shop's own pictures behind a link called thumbs.
    fs::create_dir_all(root.join("elsewhere")).unwrap();
    fs::create_dir(root.join("linked")).unwrap();
    symlink(root.join("elsewhere"), root.join("linked/thumbs")).unwrap();
    let folder = Folder::open(&root.join("linked")).unwrap();
    assert!(folder.put_thumb(b"\xff\xd8").unwrap_err().to_string().contains("in the way"));
    assert_eq!(files(&root.join("elsewhere")), set([]));

    fs::create_dir(root.join("pointed")).unwrap();
    fs::copy(root.join("current/manifest.json"), root.join("pointed/m")).unwrap();
    symlink("m", root.join("pointed/manifest.json")).unwrap();
    let error = Folder::open(&root.join("pointed")).err().unwrap().to_string();
    assert!(error.contains("is no file"), "{error}");
}

/// A folder as versions wrote it that kept no list; one file is there packed as well.
fn old_folder(root: &Path) {
    fs::create_dir_all(root.join("thumbs")).unwrap();
    let products =
        br#"{"products":[{"thumb":"thumbs/0.jpg"},{"images":[{"thumb":"thumbs/1.jpg"}]}]}"#;
    let mut list = Vec::new();
    for (role, name, content) in [
        ("model", "model.onnx", &b"network"[..]),
        ("index", "index.bin", b"codes"),
        ("products", "products.json", products),
    ] {
        fs::write(root.join(name), content).unwrap();
        list.push(
            json!({"role": role, "path": name, "bytes": content.len(), "sha256": sha256(content)}),
        );
    }
    fs::write(root.join("model.packed"), "packed").unwrap();
    list[0]["packed"] = json!({"path": "model.packed", "bytes": 6, "sha256": sha256(b"packed")});
    for i in 0..2 {
        fs::write(root.join(format!("thumbs/{i}.jpg")), [0xff, 0xd8, i]).unwrap();
    }
    let manifest = json!({"format": 1, "generator": "lookalike 0.1.0", "files": list});
    fs::write(root.join("manifest.json"), manifest.to_string()).unwrap();
}

#[test]
fn a_folder_without_a_list_is_adopted_where_all_agrees() {
    let root = scratch("old");
    old_folder(&root);
    fs::write(root.join("thumbs/logo.jpg"), "the shop's").unwrap();
    let before = files(&root);
    publish(&root, "new", &["a"], NEVER);
    assert!(before.is_subset(&files(&root)), "who has the old manifest finds its files");
    publish(&root, "new", &["a"], Duration::ZERO);
    assert_eq!(files(&root), &whole(&root) | &set(["thumbs/logo.jpg"]));
}

#[test]
fn a_folder_without_a_list_is_refused_where_something_disagrees() {
    for (what, content) in [
        ("model.onnx", None),
        ("index.bin", Some("other")),
        ("products.json", Some(r#"{"products":[]}"#)),
        ("model.packed", None),
        ("model.packed", Some("another")),
        ("thumbs/1.jpg", None),
        ("thumbs/0.jpg", Some("a text")),
    ] {
        let root = scratch("disagrees");
        old_folder(&root);
        match content {
            Some(content) => fs::write(root.join(what), content).unwrap(),
            None => fs::remove_file(root.join(what)).unwrap(),
        }
        let before = files(&root);
        let error = Folder::open(&root).err().unwrap().to_string();
        assert!(error.contains(what) && error.contains("Give another folder"), "{error}");
        assert_eq!(files(&root), before);
    }
    // A manifest that leads outside makes nothing there ours.
    let root = scratch("outside");
    fs::write(root.join("treasure"), "gold").unwrap();
    let (inside, content) = (root.join("in"), sha256(b"gold"));
    fs::create_dir(&inside).unwrap();
    let file = json!({"role": "model", "path": "../treasure", "bytes": 4, "sha256": content});
    let manifest = json!({"format": 1, "generator": "lookalike 9", "files": [file]});
    fs::write(inside.join("manifest.json"), manifest.to_string()).unwrap();
    assert!(Folder::open(&inside).err().unwrap().to_string().contains("lies outside"));
    assert!(root.join("treasure").is_file());
}

#[test]
fn a_file_of_an_earlier_run_is_read_where_it_is_what_it_was() {
    let root = scratch("read");
    publish(&root, "one", &["a"], NEVER);
    let (hash, name) =
        (sha256(b"packed one"), |hash: &str| format!("model-{}.packed", &hash[..16]));
    let folder = Folder::open(&root).unwrap();
    assert_eq!(folder.read(&name(&hash), &hash).unwrap(), b"packed one");
    assert_eq!(folder.read(&name(&hash), &sha256(b"two")), None);
    // Read, it is not kept by that.
    let manifest = fill(&folder, "two", &["a"]);
    folder.commit(&manifest, Duration::ZERO).unwrap();
    assert_eq!(files(&root), whole(&root));
    let folder = Folder::open(&root).unwrap();
    assert_eq!(folder.read(&name(&hash), &hash), None, "it is gone");
    let hash = sha256(b"packed two");
    fs::write(root.join(name(&hash)), "packed tow").unwrap();
    assert_eq!(folder.read(&name(&hash), &hash), None, "it is damaged");
    // Only what we wrote.
    fs::write(root.join("logo.packed"), "logo").unwrap();
    assert_eq!(folder.read("logo.packed", &sha256(b"logo")), None);
}

#[test]
fn a_folder_copied_without_its_private_part_goes_on() {
    let root = scratch("copied");
    publish(&root, "one", &["a", "b"], NEVER);
    fs::remove_dir_all(root.join(".lookalike")).unwrap();
    publish(&root, "two", &["b"], Duration::ZERO);
    assert_eq!(files(&root), whole(&root));
    // Likewise where the list is there and cannot be read, or speaks of another manifest.
    fs::write(root.join(".lookalike/files.json"), "{").unwrap();
    publish(&root, "three", &["b"], Duration::ZERO);
    assert_eq!(files(&root), whole(&root));
}

#[test]
fn a_run_that_ends_at_any_step_leaves_the_old_or_the_new_and_the_next_cleans_up() {
    // Every state that lies between two steps of a commit, made by hand from the folder before and
    // after.
    let root = scratch("steps");
    let (before, after) = (root.join("before"), root.join("after"));
    publish(&before, "one", &["a", "b"], NEVER);
    copy(&before, &after);
    publish(&after, "two", &["b", "c"], NEVER);
    let new: Vec<String> = files(&after).difference(&files(&before)).cloned().collect();
    assert_eq!(new.len(), 4);
    for step in 0..=new.len() + 2 {
        let folder = root.join(format!("step{step}"));
        copy(&before, &folder);
        fs::copy(after.join(".lookalike/files.json"), folder.join(".lookalike/next.json")).unwrap();
        for name in new.iter().take(step) {
            fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
            fs::copy(after.join(name), folder.join(name)).unwrap();
        }
        if step > new.len() {
            fs::copy(after.join("manifest.json"), folder.join("manifest.json")).unwrap();
        }
        let was = whole(&folder);
        assert_eq!(was, whole(if step > new.len() { &after } else { &before }));
        // A run that changes its mind.
        drop(Folder::open(&folder).unwrap());
        assert_eq!(whole(&folder), was);
        publish(&folder, "three", &["d"], NEVER);
        assert!(was.is_subset(&(&files(&folder) | &set(["manifest.json"]))));
        let orphans: BTreeSet<String> = files(&folder)
            .into_iter()
            .filter(|name| !was.contains(name) && !whole(&folder).contains(name))
            .collect();
        assert!(orphans.is_subset(&whole(&before)), "step {step}: {orphans:?}");
        publish(&folder, "three", &["d"], Duration::ZERO);
        assert_eq!(files(&folder), whole(&folder), "step {step}");
    }
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

#[test]
fn a_run_that_was_cut_off_before_the_swap_is_gone_on_with() {
    let root = scratch("cut");
    let folder = Folder::open(&root).unwrap();
    let thumb = folder.put_thumb(b"\xff\xd8made").unwrap();
    drop(folder);
    let hash = sha256(b"\xff\xd8made");
    let folder = Folder::open(&root).unwrap();
    assert!(folder.keep(&thumb, &hash), "what was made is not made again");
    assert!(!folder.keep("thumbs/no/ne.jpg", &hash));
    fs::write(root.join(".lookalike/aside").join(&thumb), "half").unwrap();
    drop(folder);
    let folder = Folder::open(&root).unwrap();
    assert!(!folder.keep(&thumb, &hash), "what was cut short is");
    assert_eq!(folder.put_thumb(b"\xff\xd8made").unwrap(), thumb);
    let manifest = fill(&folder, "one", &[]);
    folder.commit(&manifest, NEVER).unwrap();
    let folder = Folder::open(&root).unwrap();
    assert!(folder.keep(&thumb, &hash));
    drop(folder);
    fs::write(root.join(&thumb), "rotten").unwrap();
    let folder = Folder::open(&root).unwrap();
    assert!(!folder.keep(&thumb, &hash));
    assert_eq!(folder.put_thumb(b"\xff\xd8made").unwrap(), thumb);
    let manifest = fill(&folder, "one", &[]);
    folder.commit(&manifest, NEVER).unwrap();
    assert_eq!(fs::read(root.join(&thumb)).unwrap(), b"\xff\xd8made", "it is made good");
}

#[test]
fn trouble_after_the_swap_is_left_to_the_next_run() {
    let root = scratch("untidy");
    publish(&root, "one", &["a"], NEVER);
    let folder = Folder::open(&root).unwrap();
    let manifest = fill(&folder, "two", &["b"]);
    let list = root.join(".lookalike/files.json");
    fs::remove_file(&list).unwrap();
    fs::create_dir(&list).unwrap();
    let done = folder.commit(&manifest, Duration::ZERO).unwrap();
    assert!(done.untidy.is_some());
    assert_eq!(fs::read(root.join("manifest.json")).unwrap(), manifest);
    whole(&root);
    fs::remove_dir(&list).unwrap();
    publish(&root, "three", &["c"], Duration::ZERO);
    assert_eq!(files(&root), whole(&root));
}

#[test]
fn own_files_are_told_wherever_they_lie() {
    let root = scratch("told");
    let (hosted, old, copied) =
        (root.join("shop/out"), root.join("shop/old"), root.join("copy/of"));
    publish(&hosted, "one", &["a", "b"], NEVER);
    publish(&hosted, "two", &["b"], NEVER);
    old_folder(&old);
    copy(&hosted, &copied);
    fs::remove_dir_all(copied.join(".lookalike")).unwrap();
    for folder in [&hosted, &old, &copied] {
        fs::write(folder.join("thumbs/own.jpg"), "theirs").unwrap();
        fs::write(folder.join("own.png"), "theirs").unwrap();
    }
    fs::write(root.join("shop/manifest.json"), r#"{"name":"a web app"}"#).unwrap();
    let own = OwnFiles::new();
    for (folder, all) in [(&hosted, true), (&old, true), (&copied, false)] {
        let theirs = set(["own.png", "thumbs/own.jpg", "manifest.json"]);
        for name in files(folder).difference(&theirs) {
            // The copy's list of files is gone: what its manifest names is known.
            let known = all || whole(folder).contains(name);
            assert_eq!(own.wrote(&folder.join(name)), known, "{name} in {}", folder.display());
        }
        assert!(!own.wrote(&folder.join("own.png")) && !own.wrote(&folder.join("thumbs/own.jpg")));
    }
    assert!(own.wrote(&hosted.join(".lookalike/aside/thumbs/x.jpg")));
    assert!(!own.wrote(&root.join("shop/other.jpg")) && !own.wrote(&root.join("nowhere.jpg")));
}
