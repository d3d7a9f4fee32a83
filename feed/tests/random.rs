//! Bytes of any kind: reading ends, without a panic, and counts what it gives.

mod common;

use common::try_read;
use lookalike_feed::Options;

/// Numbers that repeat from run to run.
struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }
}

const BEGINS: [&str; 8] = [
    "",
    "id,title,image,price\n",
    "id\ttitle\timage\tprice\n",
    "Handle,Title,Option1 Value,Variant Price,Image Src,Variant Image\n",
    "ID,Type,SKU,Name,Images,Parent,Regular price,In stock?\n",
    "<rss xmlns:g='http://base.google.com/ns/1.0'><channel>",
    "[{\"id\":1,\"image\":\"a\"},",
    "{\"@context\":\"https://schema.org\",\"@graph\":[",
];

const PIECES: [&str; 48] = [
    "\"",
    "\"\"",
    ",",
    ";",
    "\t",
    "|",
    "\n",
    "\r\n",
    "\r",
    " ",
    "a.png",
    "https://x/a,b.jpg",
    "1,299",
    "1.299,00 €",
    "12,-",
    "variable",
    "variation",
    "id:1",
    "simple",
    "<item>",
    "</item>",
    "<g:id>",
    "</g:id>",
    "<g:image_link>",
    "</g:image_link>",
    "<![CDATA[",
    "]]>",
    "&amp;",
    "&",
    "&#0;",
    "<",
    ">",
    "<!--",
    "{",
    "}",
    "[",
    "]",
    ":",
    "\"id\":",
    "\"image\":",
    "\"@type\":\"Product\"",
    "\\",
    "\u{0}",
    "\u{fffd}",
    "é",
    "\u{2028}",
    "\\n",
    "'",
];

#[test]
fn random_pieces_are_survived() {
    let mut random = Random(7);
    for round in 0..4000 {
        let mut text = BEGINS[random.next(BEGINS.len())].to_owned();
        for _ in 0..random.next(80) {
            text.push_str(PIECES[random.next(PIECES.len())]);
        }
        let mut bytes = text.into_bytes();
        if round % 3 == 0 {
            for _ in 0..random.next(4) {
                bytes.push(random.next(256) as u8);
            }
        }
        // Counts are checked on the way.
        let _ = try_read(&bytes, Options::default());
    }
}

#[test]
fn random_bytes_are_survived() {
    let mut random = Random(11);
    for _ in 0..1000 {
        let length = random.next(300);
        let bytes: Vec<u8> = (0..length).map(|_| random.next(256) as u8).collect();
        let _ = try_read(&bytes, Options::default());
    }
}

#[test]
fn feeds_made_to_take_long_do_not() {
    // Each would take hours where reading again were not bounded.
    let quotes = "id,title,image\n".to_owned() + &"\"\"b\n".repeat(400_000);
    let opened = "id,title,image\n".to_owned() + &"1,\"a,b.png\n".repeat(100_000);
    let tags = "<rss><channel>".to_owned() + &"<item>".repeat(300_000);
    let deep = "<rss><channel><item>".to_owned() + &"<a>".repeat(100_000);
    let markup = format!("id,title,image\n1,\"{}\",a.png\n", "<!--".repeat(500_000));
    let brackets = "[".repeat(1_000_000);
    let objects = "{\"a\":".repeat(200_000);
    let list = format!("id,image\n1,\"{}\"\n", "a.png,".repeat(200_000));
    let spaces = format!("id,image,title\n1,\"{}\",x\n", "a ".repeat(500_000));
    for text in [quotes, opened, tags, deep, markup, brackets, objects, list, spaces] {
        let _ = try_read(text, Options::default());
    }
}
