//! Catalogues too small to learn from.

use std::fs;

use crate::harness::{fail, folder, ids, json, prepared, shop, succeed, text};

#[test]
fn one_product_two_and_three_make_an_index_that_answers() {
    let root = folder("small");
    let (model, shop) = (prepared(&root), shop(&root));
    for count in 1..=3 {
        let catalogue = root.join(format!("of-{count}"));
        fs::create_dir_all(&catalogue).unwrap();
        let mut csv = "id,title,category,image\n".to_owned();
        for i in 0..count {
            csv += &format!("p{i},Thing {i},Things,{i}.png\n");
            fs::copy(shop.join(format!("{i}.png")), catalogue.join(format!("{i}.png"))).unwrap();
        }
        fs::write(catalogue.join("catalog.csv"), csv).unwrap();
        let served = root.join(format!("served-{count}"));
        // Discs of two shades are variants of each other, which would stand together.
        let call = ["index", text(&catalogue), "--model", text(&model), "-o", text(&served)];
        succeed(&[&call[..], &["--variants", "false"]].concat());
        for i in 0..count {
            let photo = catalogue.join(format!("{i}.png"));
            let answer = json(&["search", "--index", text(&served), text(&photo), "--json"]);
            assert_eq!((ids(&answer)[0].as_str(), ids(&answer).len()), (&*format!("p{i}"), count));
        }
        let others = ["search", "--index", text(&served), "--product", "p0", "--json"];
        assert_eq!(ids(&json(&others)).len(), count - 1);
        let manifest = json(&["inspect", text(&served.join("manifest.json")), "--json"]);
        assert_eq!(manifest["products"], count);
    }
    let none = root.join("none");
    fs::create_dir_all(&none).unwrap();
    let out = root.join("served-0");
    let call = ["index", text(&none), "--model", text(&model), "-o", text(&out)];
    assert!(fail(&call).contains("no pictures"));
    fs::write(none.join("catalog.csv"), "id,title,image\n").unwrap();
    assert!(fail(&call).contains("catalog.csv"));
    assert!(!out.join("manifest.json").exists());
}
