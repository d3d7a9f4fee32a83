//! `lookalike feed`, and indexing from feeds of other kinds than CSV.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Output;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::harness::{fail, folder, hosted, json, lookalike, prepared, shop, succeed, text};
use crate::server::{Server, ok, status};

fn write(root: &Path, name: &str, content: &str) -> PathBuf {
    let path = root.join(name);
    fs::write(&path, content).unwrap();
    path
}

const MIXED: &str = "sku;Titel;image;Preis;Farbe\n\
                     1;Stuhl;https://c.example/1.jpg, https://c.example/2.jpg;1.299,00 €;rot\n\
                     2;Tisch;t.png;billig;\n\
                     3;Bank;;5,00;\n\
                     1;Hocker;h.png;5,00;\n";

#[test]
fn a_feed_is_shown_before_anything_runs() {
    let root = folder("feed-shown");
    let feed = write(&root, "export.txt", MIXED);
    let shown = succeed(&["feed", text(&feed), "--max-refused", "0.5"]);
    for part in [
        "semicolon between values",
        "Preis -> price, 4 filled; decimal comma",
        "price: 1299 EUR",
        "picture: https://c.example/2.jpg",
        "refused: line 4, column 1: the product \"3\" names no picture",
        "refused: line 5, column 1: the id \"1\" was already used in line 2",
        "note (price): line 3, column 15: the price \"billig\" cannot be read",
        "4 rows: 2 products (0 of them variants) with 3 pictures, 2 refused",
    ] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    let error = fail(&["feed", text(&feed)]);
    assert!(error.contains("2 of 4 products could not be used"), "{error}");
}

#[test]
fn the_json_of_a_feed_has_its_documented_form() {
    let root = folder("feed-json");
    let feed = write(&root, "export.csv", MIXED);
    let args = ["feed", text(&feed), "--json", "--max-refused", "1", "--map", "material=Farbe"];
    let value = json(&args);
    assert_eq!(value["dialect"], "table");
    assert_eq!(value["delimiter"], "semicolon");
    assert_eq!(
        (value["encoding"].as_str(), value["byteOrderMark"].as_bool()),
        (Some("UTF-8"), Some(false))
    );
    assert_eq!(value["columns"][3]["became"], "price");
    assert_eq!(value["columns"][4]["became"], "attribute");
    assert_eq!(value["columns"][4]["as"], "material");
    assert_eq!(value["first"][0]["product"]["images"][1]["image"], "https://c.example/2.jpg");
    assert_eq!(
        (value["refused"][0]["line"].as_u64(), value["refused"][0]["column"].as_u64()),
        (Some(4), Some(1))
    );
    assert_eq!(value["lost"][0]["what"], "price");
    assert_eq!(value["counts"]["products"], 2);
    assert_eq!(value["counts"]["lost"]["price"], 1);
    assert_eq!((value["accepted"].as_bool(), value["brokenOff"].is_null()), (Some(true), true));
    // Printed where too much is lost as well, before the exit status says so.
    let output = lookalike(&["feed", text(&feed), "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(value["accepted"], false);
}

#[test]
fn calls_that_cannot_be_meant_are_refused() {
    let root = folder("feed-wrong");
    for args in [["--map", "title"], ["--currency", "euro"], ["--decimal", "dot"]] {
        let feed = write(&root, "a.csv", MIXED);
        let output = lookalike(&["feed", text(&feed), args[0], args[1]]);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
    }
    assert!(fail(&["feed", text(&root.join("nowhere.csv"))]).contains("missing"));
    assert!(fail(&["feed", text(&folder("feed-empty"))]).contains("catalog.csv"));
    assert!(fail(&["feed", text(&write(&root, "empty.csv", ""))]).contains("is empty"));
}

#[test]
fn shops_of_every_kind_are_indexed() {
    let root = folder("feed-index");
    let model = prepared(&root);
    let catalogue = shop(&root);
    fs::remove_file(catalogue.join("catalog.csv")).unwrap();
    let xml: String = (0..12)
        .map(|i| {
            format!(
                "<item><g:id>x{i}</g:id><title>Disc {i}</title><g:image_link>{i}.png</g:image_link>\
                 <g:additional_image_link>{}.png</g:additional_image_link><g:price>{i},50 EUR</g:price>\
                 <g:item_group_id>g{}</g:item_group_id></item>",
                i + 12,
                i / 2
            )
        })
        .collect();
    let xml =
        format!("<rss xmlns:g='http://base.google.com/ns/1.0'><channel>{xml}</channel></rss>");
    let shopify: String = (0..12)
        .map(|i| format!("h{},T,,Size,{i},V{i},{i}.00,{i}.png,{}.png,active\n", i / 2, i + 12))
        .collect();
    let shopify =
        "Handle,Title,Vendor,Option1 Name,Option1 Value,Variant SKU,Variant Price,Image Src,\
                   Variant Image,Status\n"
            .to_owned()
            + &shopify;
    let lines: String = (0..12)
        .map(|i| format!("{{\"id\":{i},\"images\":[\"{i}.png\",\"{}.png\"]}}\n", i + 12))
        .collect();
    for (name, content, first) in [
        ("CATALOG.XML", &xml, "x0"),
        ("Catalog.CSV", &shopify, "V0"),
        ("catalog.json", &lines, "0"),
    ] {
        fs::File::create(catalogue.join(name)).unwrap().write_all(content.as_bytes()).unwrap();
        let out = root.join(format!("served-{first}"));
        succeed(&["index", text(&catalogue), "--model", text(&model), "-o", text(&out)]);
        let list: serde_json::Value =
            serde_json::from_slice(&fs::read(hosted(&out, "products")).unwrap()).unwrap();
        assert_eq!(list["products"].as_array().unwrap().len(), 12, "{name}");
        assert_eq!(list["products"][0]["id"], first);
        assert!(list["products"][0]["images"].as_array().unwrap().len() >= 2, "{name}");
        if name != "catalog.json" {
            // The second of each group stands behind the first.
            assert!(list["products"][1]["variantOf"].is_string(), "{name}");
        }
        fs::remove_file(catalogue.join(name)).unwrap();
    }
}

#[test]
fn packed_feeds_and_old_encodings_are_read() {
    let root = folder("feed-packed");
    let packed = |bytes: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let plain =
        json(&["feed", text(&write(&root, "plain.csv", MIXED)), "--json", "--max-refused", "1"]);
    // By its content, whatever its name; and in a folder by its name.
    for name in ["export.csv", "catalog.csv.gz"] {
        let path = root.join(name);
        fs::write(&path, packed(MIXED.as_bytes())).unwrap();
        let given = if name == "export.csv" { &path } else { &root };
        let mut read = json(&["feed", text(given), "--json", "--max-refused", "1"]);
        read["feed"] = plain["feed"].clone();
        assert_eq!(read, plain, "{name}");
    }
    let whole = packed(MIXED.as_bytes());
    fs::write(root.join("cut.gz"), &whole[..whole.len() - 9]).unwrap();
    let error = fail(&["feed", text(&root.join("cut.gz"))]);
    assert!(error.contains("cut off") && error.contains("cut.gz"), "{error}");

    // "Стул" and "Стол" by KOI8-R, told and given.
    let koi =
        b"id,title,image\n1,\xf3\xd4\xd5\xcc \xc4\xc5\xd2\xc5\xd7\xd1\xce\xce\xd9\xca,a.png\n";
    let feed = root.join("koi.csv");
    fs::write(&feed, koi).unwrap();
    for more in [&[][..], &["--encoding", "koi8-r"]] {
        let value = json(&[&["feed", text(&feed), "--json"], more].concat());
        assert_eq!(value["first"][0]["product"]["title"], "Стул деревянный", "{value}");
    }
    let error = fail(&["feed", text(&feed), "--encoding", "klingon"]);
    assert!(error.contains("no encoding \"klingon\""), "{error}");
}

#[test]
fn a_feed_is_shown_by_its_address() {
    let server = Server::start(|request| match request.path.as_str() {
        "/feed.csv" => ok(MIXED).with("Content-Type", "text/csv"),
        _ => status(404),
    });
    let show = |path: &str, more: &[&str]| {
        let url = server.url(path);
        lookalike(&[&["feed", &url, "--json", "--max-refused", "1"], more].concat())
    };
    let output = show("/feed.csv", &["--allow-private"]);
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (value["dialect"].as_str(), value["counts"]["products"].as_u64()),
        (Some("table"), Some(2))
    );
    let errors = |output: Output| {
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(errors(show("/none.csv", &["--allow-private"])).contains("404"));
    assert!(errors(show("/feed.csv", &[])).contains("--allow-private"));
}
