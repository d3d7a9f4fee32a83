//! Folders and names: what is a picture, and which one is meant.

use std::fs;
use std::path::{Path, PathBuf};

use lookalike_sources::folder::{LeftOut, walk};
use lookalike_sources::{Address, Finder, Place, file};
use tempfile::TempDir;

fn shop(files: &[&str]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for file in files {
        put(&folder.path().join(file));
    }
    folder
}

fn put(path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, path.to_string_lossy().as_bytes()).unwrap();
}

fn names(folder: &Path) -> (Vec<String>, LeftOut, Vec<String>) {
    let walk = walk(folder, &|_| false).unwrap();
    (walk.pictures.into_iter().map(|found| found.name).collect(), walk.left_out, walk.notes)
}

#[test]
fn what_systems_leave_beside_pictures_is_left_out() {
    let folder = shop(&[
        "a.png",
        "b/C.JPG",
        "b/._C.JPG",
        "._a.png",
        "__MACOSX/a.png",
        "__macosx/b.png",
        ".git/x.png",
        ".trash/x.png",
        ".Trash-1000/x.png",
        "@eaDir/x.png",
        "b/@eaDir/C.JPG/SYNOPHOTO_THUMB_M.jpg",
        "#recycle/x.png",
        "lost+found/x.png",
        "$RECYCLE.BIN/x.png",
        "Thumbs.db",
        "desktop.ini",
        ".DS_Store",
        ".hidden.png",
        "text.txt",
        "feed.csv",
        "c.webp",
        "d.tiff",
        "e.HEIC",
    ]);
    let (names, left_out, notes) = names(folder.path());
    assert_eq!(names, ["a.png", "b/C.JPG", "c.webp", "d.tiff", "e.HEIC"]);
    assert_eq!(left_out, LeftOut { hidden: 16, other: 2, ..LeftOut::default() });
    assert_eq!(notes, Vec::<String>::new());
    assert_eq!(left_out.to_string(), "16 hidden or of the system");
}

#[test]
fn what_lookalike_has_written_is_left_out_and_what_lies_beside_it_not() {
    let folder = shop(&["a.png", "out/thumbs/1.jpg", "out/thumbs/own.jpg", "out/own.png"]);
    let written = folder.path().join("out/thumbs/1.jpg");
    let walk = walk(folder.path(), &|path| path == written).unwrap();
    let names: Vec<_> = walk.pictures.iter().map(|found| found.name.as_str()).collect();
    assert_eq!(names, ["a.png", "out/own.png", "out/thumbs/own.jpg"]);
    assert_eq!(walk.left_out.own, 1);
}

#[test]
fn a_folder_that_is_missing_is_said_and_a_hidden_one_may_be_the_root() {
    let folder = shop(&[".shop/a.png"]);
    assert!(walk(&folder.path().join("none"), &|_| false).is_err());
    assert_eq!(names(&folder.path().join(".shop")).0, ["a.png"]);
}

#[cfg(unix)]
#[test]
fn links_are_followed_once() {
    use std::os::unix::fs::symlink;
    let shared = shop(&["one.png", "deep/two.png"]);
    let folder = shop(&["a.png", "b/c.png"]);
    let at = |name: &str| folder.path().join(name);
    symlink(".", at("loop")).unwrap();
    symlink("..", at("b/up")).unwrap();
    symlink("../..", at("b/above")).unwrap();
    symlink(folder.path(), at("again")).unwrap();
    symlink("b", at("b2")).unwrap();
    symlink("a.png", at("0.png")).unwrap();
    symlink("nowhere", at("broken.png")).unwrap();
    symlink(shared.path(), at("shared")).unwrap();
    symlink(shared.path().join("deep"), at("shared2")).unwrap();
    symlink(folder.path(), shared.path().join("back")).unwrap();
    fs::hard_link(at("a.png"), at("hard.png")).unwrap();
    let (names, left_out, notes) = names(folder.path());
    // A file keeps its own name; two names of one file that are no links are two products.
    assert_eq!(names, ["a.png", "b/c.png", "hard.png", "shared/deep/two.png", "shared/one.png"]);
    assert_eq!(left_out.links, 8);
    assert_eq!(notes.len(), 1);
    assert!(notes[0].contains("broken.png"), "{notes:?}");
}

#[cfg(unix)]
#[test]
fn pipes_and_sockets_are_never_opened() {
    let folder = shop(&["a.png"]);
    let socket = folder.path().join("socket.png");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let pipe = folder.path().join("pipe.png");
    if !std::process::Command::new("mkfifo").arg(&pipe).status().is_ok_and(|s| s.success()) {
        eprintln!("skipped: there is no mkfifo");
        return;
    }
    let (names, left_out, notes) = names(folder.path());
    assert_eq!((names.as_slice(), left_out.special), (["a.png".to_owned()].as_slice(), 2));
    assert_eq!(notes.len(), 2);
    // A feed may name them too.
    for (name, what) in [("pipe.png", "a pipe"), ("socket.png", "a socket"), (".", "a folder")] {
        let said = file::read(&folder.path().join(name), 1000).unwrap_err().to_string();
        assert!(said.contains(what), "{said}");
    }
    assert!(file::read(Path::new("/dev/zero"), 1000).unwrap_err().to_string().contains("a device"));
}

#[cfg(unix)]
#[test]
fn folders_that_cannot_be_read_are_said_and_passed_over() {
    use std::os::unix::fs::PermissionsExt;
    let folder = shop(&["a.png", "locked/b.png"]);
    let locked = folder.path().join("locked");
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).unwrap();
    let readable = fs::read_dir(&locked).is_ok();
    let (names, _, notes) = names(folder.path());
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o755)).unwrap();
    if readable {
        eprintln!("skipped: this user may read everything");
        return;
    }
    assert_eq!(names, ["a.png"]);
    assert!(notes[0].contains("locked"), "{notes:?}");
}

#[cfg(unix)]
#[test]
fn names_that_are_not_utf_8_are_found_again() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let folder = shop(&["a.png"]);
    let name = OsStr::from_bytes(b"caf\xe9 5%41.png");
    if fs::write(folder.path().join(name), "x").is_err() {
        eprintln!("skipped: this file system takes UTF-8 alone");
        return;
    }
    let (names, ..) = names(folder.path());
    assert_eq!(names, ["a.png", "caf%E9 5%2541.png"]);
    let found = Finder::in_folder(folder.path()).find(&names[1]).unwrap();
    assert_eq!(found, Place::File(folder.path().join(name)));
}

#[test]
fn files_have_a_largest_size() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("x.png");
    fs::write(&path, [0; 100]).unwrap();
    assert_eq!(file::read(&path, 100).unwrap().len(), 100);
    let said = file::read(&path, 99).unwrap_err().to_string();
    assert!(said.contains("100 bytes") && said.contains("at most 99"), "{said}");
    let said = file::read(&folder.path().join("none.png"), 99).unwrap_err().to_string();
    assert!(said.contains("there is no file"), "{said}");
}

/// What a name is found as, below the folder.
fn found(finder: &Finder, folder: &Path, name: &str) -> PathBuf {
    match finder.find(name).unwrap_or_else(|e| panic!("{name}: {e}")) {
        Place::File(path) => path.strip_prefix(folder).unwrap().to_owned(),
        Place::Address(address) => panic!("{name}: {address}"),
    }
}

#[test]
fn what_exports_do_to_names_is_undone() {
    let folder = shop(&["x.png", "dir/x.png", "a b.png", "ä/ö.png", "50%.png", "pics/shop/y.png"]);
    let at = folder.path();
    let finder = Finder::in_folder(at);
    let absolute = at.join("dir/x.png").display().to_string();
    for (name, is) in [
        ("x.png", "x.png"),
        ("./x.png", "x.png"),
        (" x.png \n", "x.png"),
        ("x.png?v=1", "x.png"),
        ("x.png?v=1#frag", "x.png"),
        ("x.png#frag", "x.png"),
        ("/x.png", "x.png"),
        ("/dir/x.png?v=1", "dir/x.png"),
        ("dir\\x.png", "dir/x.png"),
        (".\\dir\\x.png", "dir/x.png"),
        ("\\dir\\x.png", "dir/x.png"),
        ("a%20b.png", "a b.png"),
        ("%C3%A4/%C3%B6.png", "ä/ö.png"),
        ("50%.png", "50%.png"),
        ("50%25.png", "50%.png"),
        ("C:\\shop\\dir\\x.png", "dir/x.png"),
        ("D:/export/pics/shop/y.png", "pics/shop/y.png"),
        ("file:///C:/export/a%20b.png", "a b.png"),
        ("file://dir/x.png", "dir/x.png"),
        ("file:x.png", "x.png"),
        (absolute.as_str(), "dir/x.png"),
        (&format!("file://{absolute}"), "dir/x.png"),
        (&format!("FILE://localhost{absolute}?v=2"), "dir/x.png"),
        ("X.PNG", "x.png"),
        ("Dir\\X.png?v=3", "dir/x.png"),
    ] {
        let found = found(&finder, at, name);
        assert_eq!(found.components().collect::<PathBuf>(), PathBuf::from(is), "{name}");
    }
}

#[test]
fn the_exact_name_comes_first() {
    let folder = shop(&["a%20b.png", "a b.png", "x.png?v=1", "x.png", "c#d.png", "c"]);
    let finder = Finder::in_folder(folder.path());
    for name in ["a%20b.png", "x.png?v=1", "c#d.png"] {
        assert_eq!(found(&finder, folder.path(), name), PathBuf::from(name));
    }
    assert_eq!(found(&finder, folder.path(), "c#d.png?v=2"), PathBuf::from("c#d.png"));
}

#[test]
fn either_unicode_form_is_found() {
    let (nfc, nfd) = ("caf\u{e9}/\u{c4}pfel.png", "cafe\u{301}/A\u{308}pfel.png");
    for (disk, feed) in [(nfc, nfd), (nfd, nfc)] {
        let folder = shop(&[disk]);
        let finder = Finder::in_folder(folder.path());
        assert_eq!(found(&finder, folder.path(), feed), PathBuf::from(disk));
        let encoded = percent_encoding::utf8_percent_encode(feed, percent_encoding::CONTROLS);
        assert_eq!(found(&finder, folder.path(), &format!("{encoded}?v=1")), PathBuf::from(disk));
    }
    // Where both are there, each is itself.
    let folder = shop(&[nfc, nfd]);
    let finder = Finder::in_folder(folder.path());
    if fs::read_dir(folder.path()).unwrap().count() == 2 {
        assert_eq!(found(&finder, folder.path(), nfd), PathBuf::from(nfd));
    }
}

#[test]
fn case_is_forgiven_where_one_file_fits() {
    let folder = shop(&["Red.png", "RED.png", "Blue.png"]);
    let finder = Finder::in_folder(folder.path());
    assert_eq!(found(&finder, folder.path(), "blue.PNG"), PathBuf::from("Blue.png"));
    assert_eq!(found(&finder, folder.path(), "Red.png"), PathBuf::from("Red.png"));
    if fs::read_dir(folder.path()).unwrap().count() == 3 {
        let said = finder.find("red.png").unwrap_err().to_string();
        assert!(said.contains("RED.png, Red.png"), "{said}");
    }
}

#[test]
fn what_is_not_there_is_said_with_what_was_tried() {
    let folder = shop(&["dir/x.png"]);
    let finder = Finder::in_folder(folder.path());
    let said = finder.find("dir\\y%20z.png?v=1").unwrap_err().to_string();
    for tried in ["dir\\y%20z.png?v=1", "dir/y z.png"] {
        assert!(said.contains(tried), "{said}");
    }
    for name in ["", " ", "dir", "\0", "%00", "?", "#", "/", "..", "C:\\", "file:", "file:///"] {
        assert!(finder.find(name).is_err(), "{name:?}");
    }
    for name in ["ftp://a.example/x.png", "data:image/png;base64,AAAA", "http://", "s3://b/x.png"] {
        assert!(finder.find(name).is_err(), "{name:?}");
    }
}

#[test]
fn a_feed_from_an_address_names_addresses_alone() {
    let finder = Finder::at_address(Address::parse("https://shop.example/feeds/all.csv").unwrap());
    for (name, is) in [
        ("x.png", "https://shop.example/feeds/x.png"),
        ("/x y.png?v=1", "https://shop.example/x%20y.png?v=1"),
        ("../x.png", "https://shop.example/x.png"),
        ("//cdn.example/x.png", "https://cdn.example/x.png"),
        ("http://other.example/x.png", "http://other.example/x.png"),
    ] {
        assert_eq!(
            finder.find(name).unwrap(),
            Place::Address(Address::parse(is).unwrap()),
            "{name}"
        );
        assert!(finder.address(name).is_some());
    }
    for name in ["file:///etc/passwd", "C:\\x.png", "FILE:x.png", "ftp://x/y"] {
        assert!(finder.find(name).is_err(), "{name}");
        assert!(finder.address(name).is_none());
    }
}
