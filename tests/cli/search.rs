//! `lookalike search`.

use serde_json::Value;

use crate::harness::{fail, ids, indexed, json, text};

#[test]
fn queries_in_json_filter_and_move() {
    let (_, served) = indexed("queries");
    let ask = |query: &str| json(&["search", "--index", text(&served), "--query", query, "--json"]);
    let plain = ids(&ask(r#"{"productId":"p4","k":5}"#));
    assert!(plain.len() == 5 && !plain.contains(&"p4".to_owned()));
    let cheap = r#"{"productId":"p4","filter":{"category":["Stripes"],"price":{"max":16.0}}"#;
    let each = ask(&format!("{cheap},\"variants\":true}}"));
    assert_eq!(ids(&each).len(), 3, "p1, p3 and p5 are stripes of up to 16");
    // Whatever stands for another names it: none of the three is lost.
    let folded = ask(&format!("{cheap}}}"));
    let mut reachable = ids(&folded);
    for hit in folded["hits"].as_array().unwrap() {
        let others = hit["variants"].as_array().into_iter().flatten();
        reachable.extend(others.map(|id| id.as_str().unwrap().to_owned()));
    }
    assert!(ids(&each).iter().all(|id| reachable.contains(id)), "{reachable:?}");
    let toward = r#"{"productId":"p4","k":8,"toward":[{"from":{"column":"category","value":"Discs"},"to":{"column":"category","value":"Stripes"},"strength":0.9}]}"#;
    let stripes = |answer: &Value| {
        let hits = answer["hits"].as_array().unwrap();
        hits.iter().filter(|h| h["product"]["category"] == "Stripes").count()
    };
    assert!(stripes(&ask(toward)) > stripes(&ask(r#"{"productId":"p4","k":8}"#)));
    let unlike = ids(&ask(r#"{"productId":"p4","unlike":["p6"]}"#));
    assert!(!unlike.contains(&"p6".to_owned()));

    let refuse = |query: &str| fail(&["search", "--index", text(&served), "--query", query]);
    assert!(refuse(r#"{"productId":"p99"}"#).contains("p99"));
    assert!(
        refuse(r#"{"productId":"p4","filter":{"attributes":{"size":["L"]}}}"#).contains("size")
    );
    assert!(refuse(r#"{"productId":"p4","toward":[{"to":{"column":"category","value":"Beds"},"strength":0.5}]}"#).contains("Beds"));
    assert!(refuse("{").contains("cannot be read"));
}

#[test]
fn masks_change_what_is_found() {
    let (root, served) = indexed("masks");
    let (photo, mask) = (root.join("photo.png"), root.join("mask.png"));
    // A disc on the left, stripes on the right; the mask covers the right.
    let disc = image::open(root.join("shop/4.png")).unwrap().into_rgb8();
    let stripe = image::open(root.join("shop/5.png")).unwrap().into_rgb8();
    let both = image::RgbImage::from_fn(96, 40, |x, y| {
        if x < 48 { *disc.get_pixel(x, y) } else { *stripe.get_pixel(x - 48, y) }
    });
    both.save(&photo).unwrap();
    image::GrayImage::from_fn(96, 40, |x, _| image::Luma([if x < 48 { 0 } else { 255 }]))
        .save(&mask)
        .unwrap();
    let whole = json(&["search", "--index", text(&served), text(&photo), "--json"]);
    let masked =
        json(&["search", "--index", text(&served), text(&photo), "--mask", text(&mask), "--json"]);
    assert_ne!(ids(&whole), ids(&masked));
    image::GrayImage::from_pixel(4, 4, image::Luma([0])).save(&mask).unwrap();
    let nothing =
        json(&["search", "--index", text(&served), text(&photo), "--mask", text(&mask), "--json"]);
    assert_eq!(nothing, whole, "a mask over nothing changes nothing");
    image::GrayImage::from_pixel(4, 4, image::Luma([255])).save(&mask).unwrap();
    let all = fail(&["search", "--index", text(&served), text(&photo), "--mask", text(&mask)]);
    assert!(all.contains("covers the whole picture"), "{all}");
}
