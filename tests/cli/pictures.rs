//! Products with several pictures, from a feed to results; and what pictures are decoded to.

use std::fs;

use lookalike::image::{Limits, decode};
use lookalike::preprocess::resize;
use sha2::{Digest, Sha256};

use crate::harness::{ROOT, folder, json, prepared, shop, succeed, text};

#[test]
fn a_product_is_found_by_each_of_its_pictures() {
    let root = folder("each-picture");
    let (model, catalogue) = (prepared(&root), shop(&root));
    let lines: String = (0..8)
        .map(|i| {
            let (second, third) = (i + 8, i + 16);
            format!(
                "{{\"id\":\"q{i}\",\"images\":[\"{i}.png\",\"{second}.png\",\"{third}.png\"]}}\n"
            )
        })
        .collect();
    let feed = catalogue.join("several.jsonl");
    fs::write(&feed, lines).unwrap();
    let out = root.join("served");
    let report = json(&["index", text(&feed), "--model", text(&model), "-o", text(&out), "--json"]);
    assert_eq!(report["embedded"], 24, "{report}");
    for picture in 0..24 {
        let photo = catalogue.join(format!("{picture}.png"));
        let answer = json(&["search", text(&photo), "--index", text(&out), "--json", "-k", "3"]);
        let hit = &answer["hits"][0];
        let place = picture / 8;
        assert_eq!(hit["id"], format!("q{}", picture % 8), "{answer}");
        assert_eq!(hit["image"], place, "picture {picture}: {hit}");
        let images = hit["product"]["images"].as_array().unwrap();
        assert_eq!(images[place]["image"], format!("{picture}.png"));
    }
}

/// What is remembered of pictures from night to night is what they were decoded and resized to. If
/// this fails because either was changed on purpose, raise `LOOKS` in src/cli/state.rs as well:
/// otherwise old and new pictures are compared by different rules.
#[test]
fn pictures_come_out_as_they_did_when_they_were_remembered() {
    let mut names: Vec<_> = fs::read_dir(format!("{ROOT}/tests/pictures"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    names.sort();
    let mut hash = Sha256::new();
    for path in names.iter().filter(|path| path.extension().is_some_and(|e| e != "md")) {
        let picture = decode(&fs::read(path).unwrap(), &Limits::default()).unwrap();
        let small = resize(&picture, 32).unwrap();
        hash.update(picture.rgb());
        hash.update(small.rgb());
    }
    let hash: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        hash, "4def083fbd00c9b651358eaf2cb388a11127812c0822fc9c3e9e720a317acfb4",
        "of LOOKS = 2"
    );
}

#[test]
fn a_folder_is_no_file_to_inspect() {
    let root = folder("inspect-folder");
    let error = crate::harness::fail(&["inspect", text(&root)]);
    assert!(error.contains("is a folder: give a network"), "{error}");
    fs::write(root.join("manifest.json"), "{}").unwrap();
    let error = crate::harness::fail(&["inspect", text(&root)]);
    assert!(error.contains("manifest.json"), "{error}");
    assert!(!succeed(&["inspect", "--help"]).is_empty());
}
