//! Where pictures come from: addresses, folders as shops have them, names as feeds give them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::{fail, folder, lookalike, prepared, shop, text};
use crate::server::{Reply, Server, ok, status};

/// Serves a shop's folder; of its pictures 3 is gone, 4 and 5 fail at first.
fn serve(catalogue: &Path) -> Server {
    let catalogue = catalogue.to_owned();
    Server::start(move |request| {
        let file = request.path.trim_start_matches('/').split('?').next().unwrap();
        let etag = format!("\"{file}\"");
        match (file, request.nth) {
            ("3.png", _) => status(404),
            ("4.png", 0) => status(503),
            ("5.png", 0) => Reply::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\ncut".into()),
            _ if request.headers.get("if-none-match") == Some(&etag) => {
                Reply::Full(304, Vec::new(), Vec::new())
            }
            _ => match fs::read(catalogue.join(file)) {
                Ok(body) => {
                    let kind = if file.ends_with("csv") { "text/csv" } else { "image/png" };
                    ok(body).with("ETag", &etag).with("Content-Type", kind)
                }
                Err(_) => status(404),
            },
        }
    })
}

fn index(catalogue: &str, model: &Path, out: &Path, more: &[&str]) -> (bool, String, String) {
    let args = ["index", catalogue, "--model", text(model), "-o", text(out)];
    let output = lookalike(&[&args, more].concat());
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), said(&output.stdout), said(&output.stderr))
}

#[test]
fn a_feed_and_its_pictures_come_by_address() {
    let root = folder("addresses");
    let (model, catalogue) = (prepared(&root), shop(&root));
    let server = serve(&catalogue);
    let feed = server.url("/catalog.csv");
    let cache = root.join("cache");
    let options = ["--allow-private", "--pictures", text(&cache)];
    let first = root.join("first");
    let (done, out, errors) = index(&feed, &model, &first, &options);
    assert!(done && out.contains("23 products (1 skipped)"), "{out}{errors}");
    assert!(errors.contains(&format!("{}: there is none (404", server.url("/3.png"))), "{errors}");
    assert!(errors.contains("24 fetched") && errors.contains("1 failed"), "{errors}");

    // The next night nothing is fetched that has not changed.
    let (done, _, errors) = index(&feed, &model, &root.join("second"), &options);
    assert!(done && errors.contains("0 fetched (0.0 MB), 24 unchanged, 1 failed"), "{errors}");

    // The same from files: the same index.
    let csv = fs::read_to_string(catalogue.join("catalog.csv")).unwrap();
    let lines: Vec<&str> = csv.lines().filter(|line| !line.starts_with("p3,")).collect();
    fs::write(catalogue.join("catalog.csv"), lines.join("\n")).unwrap();
    let files = root.join("files");
    assert!(index(text(&catalogue), &model, &files, &[]).0);
    assert_eq!(fs::read(index_file(&first)).unwrap(), fs::read(index_file(&files)).unwrap());
}

/// The index in a hosted folder, whatever it is called.
fn index_file(hosted: &Path) -> PathBuf {
    let manifest = fs::read_to_string(hosted.join("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    let files = manifest["files"].as_array().unwrap();
    let index = files.iter().find(|file| file["role"] == "index").unwrap();
    hosted.join(index["path"].as_str().unwrap())
}

#[test]
fn private_addresses_need_to_be_allowed() {
    let root = folder("private");
    let (model, catalogue) = (prepared(&root), shop(&root));
    let server = serve(&catalogue);
    let args = ["index", &server.url("/catalog.csv"), "--model", text(&model), "-o"];
    let (out, cache) = (root.join("out"), root.join("cache"));
    let said = fail(&[&args[..], &[text(&out), "--pictures", text(&cache)]].concat());
    assert!(said.contains("127.0.0.1 is this machine; --allow-private"), "{said}");
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn names_are_found_as_feeds_give_them() {
    let root = folder("names");
    let (model, catalogue) = (prepared(&root), shop(&root));
    fs::create_dir(catalogue.join("dir")).unwrap();
    for (from, to) in
        [("0.png", "dir/a b.png"), ("1.png", "A\u{308}pfel.png"), ("2.png", "dir/c.png")]
    {
        fs::rename(catalogue.join(from), catalogue.join(to)).unwrap();
    }
    let absolute = catalogue.join("7.png");
    let csv = fs::read_to_string(catalogue.join("catalog.csv")).unwrap();
    let csv = csv
        .replace(",0.png,", ",dir\\a%20b.png?v=1,")
        .replace(",1.png,", ",\u{c4}pfel.png,")
        .replace(",2.png,", ",C:\\shop\\dir\\c.png,")
        .replace(",5.png,", ",/5.png,")
        .replace(",6.png,", ",file://6.png,")
        .replace(",7.png,", &format!(",{},", text(&absolute)))
        .replace(",8.png,", ",8.PNG#x,");
    fs::write(catalogue.join("catalog.csv"), csv).unwrap();
    let (done, out, errors) = index(text(&catalogue), &model, &root.join("out"), &[]);
    assert!(done && out.contains("24 products (0 skipped)"), "{out}{errors}");
}

#[cfg(unix)]
#[test]
fn folders_are_read_as_shops_have_them() {
    use std::os::unix::fs::symlink;
    let root = folder("folders");
    let (model, catalogue) = (prepared(&root), shop(&root));
    fs::remove_file(catalogue.join("catalog.csv")).unwrap();
    for folder in ["__MACOSX", ".git", ".trash", "@eaDir", "discs"] {
        fs::create_dir(catalogue.join(folder)).unwrap();
        fs::copy(catalogue.join("0.png"), catalogue.join(folder).join("x.png")).unwrap();
    }
    for i in 0..24 {
        fs::write(catalogue.join(format!("._{i}.png")), "AppleDouble").unwrap();
    }
    fs::rename(catalogue.join("9.png"), catalogue.join("9.PNG")).unwrap();
    symlink(".", catalogue.join("loop")).unwrap();
    symlink("..", catalogue.join("discs/loop")).unwrap();
    let pipe = catalogue.join("pipe.png");
    let piped = std::process::Command::new("mkfifo").arg(&pipe).status().is_ok_and(|s| s.success());
    let hosted = catalogue.join("out");
    for run in ["first", "second"] {
        // What the first has written lies within what the second reads.
        let (done, out, errors) = index(text(&catalogue), &model, &hosted, &[]);
        assert!(done && out.contains("25 products (0 skipped)"), "{run}: {out}{errors}");
        assert!(
            errors.contains("hidden or of the system") && errors.contains("2 linked"),
            "{errors}"
        );
        assert!(!piped || errors.contains("pipe.png is a pipe"), "{errors}");
    }
    if piped {
        // A feed that names it is told so.
        let csv = "id,title,image\n1,Pipe,pipe.png\n2,Disc,0.png\n3,Stripe,1.png\n";
        fs::write(catalogue.join("catalog.csv"), csv).unwrap();
        let (_, _, errors) = index(text(&catalogue), &model, &root.join("piped"), &[]);
        assert!(errors.contains("pipe.png is a pipe, not a file"), "{errors}");
    }
}
