//! `lookalike search`.

use serde_json::Value;

use crate::harness::{fail, ids, indexed, json, lookalike, succeed, text};

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
    let toward = r#"{"productId":"p4","k":8,"toward":[{"from":{"column":"category","value":"Discs"},
        "to":{"column":"category","value":"Stripes"},"strength":0.9}]}"#;
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
    let beds = r#"{"productId":"p4","toward":[{"to":{"column":"category","value":"Beds"},"strength":0.5}]}"#;
    assert!(refuse(beds).contains("Beds"));
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

#[test]
fn a_box_is_what_is_searched_with() {
    let (root, served) = indexed("boxes");
    let photo = root.join("photo.png");
    // A disc in the lower right corner of a photo that is otherwise noise.
    let disc = image::open(root.join("shop/4.png")).unwrap().into_rgb8();
    let noise = |x: u32, y: u32| (x * 7919 + y * 104_729).wrapping_mul(2_654_435_761) >> 24;
    let scene = image::RgbImage::from_fn(320, 240, |x, y| {
        if x >= 260 && y >= 190 && x < 308 && y < 230 {
            *disc.get_pixel(x - 260, y - 190)
        } else {
            image::Rgb([noise(x, y) as u8, noise(x + 9, y) as u8, noise(x, y + 9) as u8])
        }
    });
    scene.save(&photo).unwrap();
    let search = |more: &[&str]| {
        json(&[&["search", "--index", text(&served), text(&photo), "--json"], more].concat())
    };
    let boxed = search(&["--box", "260,190,308,230"]);
    assert_ne!(ids(&search(&[])), ids(&boxed));
    // What lies outside is clipped; a mask of the same box is the same question.
    assert_eq!(search(&["--box", "260,190,308,230"]), boxed);
    let corner = search(&["--box", "250,180,320,240"]);
    assert_eq!(search(&["--box", "250,180,9999,9999"]), corner);
    let mask = root.join("mask.png");
    let outside = |x: u32, y: u32| !(260..308).contains(&x) || !(190..230).contains(&y);
    image::GrayImage::from_fn(320, 240, |x, y| image::Luma([u8::from(outside(x, y)) * 255]))
        .save(&mask)
        .unwrap();
    assert_eq!(search(&["--mask", text(&mask)]), boxed);
    // All of the photo is the whole photo.
    assert_eq!(search(&["--box", "-5,-5,400,400"]), search(&[]));
    // One pixel is little, but an answer.
    assert!(!ids(&search(&["--box", "10,10,11,11"])).is_empty());
    let call = |corners: &str| {
        lookalike(&["search", "--index", text(&served), text(&photo), "--box", corners])
    };
    for wrong in ["1,2,3", "9,9,9,9", "a,b,c,d", "30,30,20,40"] {
        assert_eq!(call(wrong).status.code(), Some(2), "{wrong}");
    }
    let error = fail(&["search", "--index", text(&served), text(&photo), "--box", "320,0,400,10"]);
    assert!(error.contains("outside of the photo, which has 320x240"), "{error}");
    // `embed` takes the same part: its code is nearest to the same product.
    let embed = |corners: &[&str]| {
        succeed(&[&["embed", "--index", text(&served), text(&photo)], corners].concat())
    };
    assert_ne!(embed(&["--box", "260,190,308,230"]), embed(&[]));
    assert_eq!(embed(&["--box", "0,0,320,240"]), embed(&[]));
}

#[test]
fn a_photo_of_any_shape_can_be_boxed() {
    let (root, served) = indexed("odd-boxes");
    for (w, h, corners) in [(1, 3000, "0,100,1,101"), (3000, 1, "2990,0,3000,1"), (2, 2, "0,0,1,1")]
    {
        let photo = root.join(format!("{w}x{h}.png"));
        image::RgbImage::from_fn(w, h, |x, y| image::Rgb([x as u8, y as u8, 9]))
            .save(&photo)
            .unwrap();
        let answer =
            json(&["search", "--index", text(&served), text(&photo), "--box", corners, "--json"]);
        assert!(!ids(&answer).is_empty(), "{w}x{h}");
    }
}
