//! Damaged feeds: what is wrong is named with its place, and the rest is kept.

mod common;

use common::{read, read_with, refusal};
use lookalike_feed::{Loss, Options, Place};

fn at(line: u64, column: u64) -> Place {
    Place { line, column }
}

/// Rows 1 to 24 of a shop, in which some lines are others.
fn shop(delimiter: char, instead: &[(usize, &str)]) -> String {
    let mut lines = vec!["id,title,image,price,colour".to_owned()];
    lines.extend((1..=24).map(|i| format!("p{i},Chair {i},{i}.png,{i}.50,red")));
    let mut lines: Vec<String> =
        lines.into_iter().map(|line| line.replace(',', &delimiter.to_string())).collect();
    for (row, line) in instead {
        lines[*row] = (*line).to_owned();
    }
    lines.join("\n") + "\n"
}

#[test]
fn an_unclosed_quote_costs_its_row_alone() {
    for (instead, column, rest_is_quoted) in [
        ("p6,Chair 6,6.png,6.50,\"red", 23, false),
        ("p6,\"24 inch,6.png,6.50,red", 4, false),
        ("\"p6,Chair 6,6.png,6.50,red", 1, false),
        ("p6,Chair 6,6.png,6.50,\"red", 23, true),
        ("p6,\"24 inch,6.png,6.50,red", 4, true),
    ] {
        let mut text = shop(',', &[(6, instead)]);
        if rest_is_quoted {
            text = text.replace(",Chair 9,", ",\"Chair, 9\",").replace("9.50,red", "9.50,\"red\"");
        }
        let found = read(&text);
        assert_eq!(found.entries.len(), 23, "{instead}");
        assert_eq!(found.refused.len(), 1, "{instead}");
        assert_eq!(found.refused[0].place, at(7, column), "{instead}");
        assert!(found.refused[0].why.contains("not closed"), "{}", found.refused[0]);
        assert!(found.summary.check(0.1).is_ok() && found.summary.check(0.01).is_err());
    }
    // Two that could be taken for a pair.
    let text =
        shop(',', &[(6, "p6,\"24 inch,6.png,6.50,red"), (18, "p18,monitor 24\",18.png,1,red")]);
    let found = read(text);
    assert_eq!((found.entries.len(), found.refused.len()), (23, 1));
    let text = shop(',', &[(6, "p6,\"24 inch,6.png,6.50,red"), (7, "p7,monitor 24\",7.png,1,red")]);
    assert_eq!(read(text).entries.len(), 23);
}

#[test]
fn quotes_that_hold_lines_and_delimiters_are_believed() {
    let text = shop(
        ',',
        &[
            (3, "p3,\"Chair, \"\"big\"\"\nof oak, ash,\nand elm\",3.png,1,red"),
            (5, "p5,24\" screen,5.png,1,red"),
            (7, "p7,\"24\" screen, black\",7.png,1,red"),
        ],
    );
    let found = read(text);
    assert!(found.refused.is_empty(), "{:?}", found.refused);
    assert_eq!(found.entries.len(), 24);
    assert_eq!(found.product("p3").title, "Chair, \"big\" of oak, ash, and elm");
    assert_eq!(found.product("p5").title, "24\" screen");
    assert_eq!(found.product("p7").title, "24\" screen, black");
    assert_eq!(found.entries[23].place.line, 27);
}

#[test]
fn quotes_between_tabs_are_inches_unless_they_are_pairs() {
    let text = shop(
        '\t',
        &[
            (6, "p6\t\"24 inch\t6.png\t6.50\tred"),
            (18, "p18\t\"24 inch\t18.png\t6.50\tred"),
            (20, "p20\t\"Said \"\"so\"\"\"\t20.png\t6.50\tred"),
            (21, "p21\tMonitor 24\"\t21.png\t6.50\tred"),
            (22, "p22\t\"two\nlines\"\t22.png\t6.50\tred"),
        ],
    );
    let found = read(text);
    assert!(found.refused.is_empty(), "{:?}", found.refused);
    assert_eq!(found.entries.len(), 24);
    assert_eq!(found.product("p6").title, "\"24 inch");
    assert_eq!(found.product("p18").title, "\"24 inch");
    assert_eq!(found.product("p20").title, "Said \"so\"");
    assert_eq!(found.product("p21").title, "Monitor 24\"");
    assert_eq!(found.product("p22").title, "two lines");
    // The second quote ends a title: still no pair.
    let text = shop(
        '\t',
        &[(6, "p6\t\"24 inch\t6.png\t6.50\tred"), (7, "p7\tMonitor 24\"\t7.png\t6.50\tred")],
    );
    assert_eq!(read(text).entries.len(), 24);
}

#[test]
fn ragged_rows_are_kept_where_they_have_what_is_needed() {
    let text = shop(
        ',',
        &[
            (2, "p2,Chair 2,2.png"),
            (3, "p3,Chair 3"),
            (4, "p4,Chair 4,4.png,4.50,red,,"),
            (5, "p5,Chair, the big one,5.png,5.50,red"),
            (6, ""),
            (7, ",,,,"),
        ],
    );
    let found = read(text);
    assert_eq!(found.entries.len(), 20);
    assert_eq!(found.product("p2").price, None);
    assert_eq!(found.refused.len(), 2);
    assert_eq!((found.refused[0].place, found.refused[1].place), (at(4, 1), at(6, 34)));
    assert!(found.refused[1].why.contains("6 values"), "{}", found.refused[1]);
    // The column of row numbers that pandas writes.
    for name in ["", "Unnamed: 0"] {
        let found = read(format!("{name},id,image\n0,1,a.png\n1,2,b.png\n"));
        assert!(found.product("1").attributes.is_empty());
        assert_eq!(found.ids(), ["1", "2"]);
    }
}

#[test]
fn the_first_of_two_products_with_an_id_is_kept() {
    let text = shop(',', &[(9, "p2,Other,9.png,1,blue")]);
    let found = read(text);
    assert_eq!(found.entries.len(), 23);
    assert_eq!(found.product("p2").title, "Chair 2");
    assert_eq!(found.refused[0].place.line, 10);
    assert!(found.refused[0].why.contains("\"p2\"") && found.refused[0].why.contains("line 3"));
}

#[test]
fn bad_bytes_are_named_and_the_row_is_kept() {
    let mut bytes =
        shop(',', &[(4, "p4,Ch\u{1}ir,4.png,4.50,r\u{0}ed"), (5, "p5,Café,5.png,1,red")])
            .into_bytes();
    let at_bad = bytes.iter().position(|&b| b == 1).unwrap();
    bytes[at_bad] = 0xff;
    let found = read(bytes);
    assert_eq!(found.about.encoding, "UTF-8");
    assert_eq!(found.entries.len(), 24);
    let places: Vec<Place> = found.lost.iter().map(|(_, remark)| remark.place).collect();
    assert_eq!(places, [at(5, 6), at(5, 22)]);
    assert!(found.lost.iter().all(|(loss, _)| *loss == Loss::Byte));
    assert_eq!(found.product("p4").attributes["colour"], "red");
}

#[test]
fn a_price_that_cannot_be_read_costs_the_price() {
    let text = shop(',', &[(4, "p4,Chair,4.png,cheap,red"), (5, "p5,Chair,5.png,\"5,5\",red")]);
    let found = read(text);
    assert_eq!(found.entries.len(), 24);
    assert_eq!((found.product("p4").price, found.product("p5").price), (None, None));
    assert_eq!(found.summary.losses[&Loss::Price], 2);
    assert_eq!(found.lost[0].1.place, at(5, 16));
}

#[test]
fn a_column_of_prices_has_one_decimal_character() {
    let prices = |values: &[&str], options: Options| {
        let rows: Vec<String> =
            values.iter().enumerate().map(|(i, v)| format!("{i};\"{v}\";{i}.png\n")).collect();
        read_with(format!("id;price;image\n{}", rows.concat()), options).prices()
    };
    let told = |values: &[&str]| prices(values, Options::default());
    assert_eq!(told(&["1,299", "2,4"]), [Some(1.299), Some(2.4)]);
    assert_eq!(
        told(&["1,299", "2,4", "3,499.00", "3.50", "4.20"]),
        [Some(1299.0), None, Some(3499.0), Some(3.5), Some(4.2)]
    );
    assert_eq!(told(&["1.299", "1.299,00 €"]), [Some(1299.0), Some(1299.0)]);
    assert_eq!(told(&["1 299.00", "12"]), [Some(1299.0), Some(12.0)]);
    assert_eq!(told(&["1.299", "2.499"]), [Some(1299.0), Some(2499.0)]);
    let point = Options { decimal: Some(lookalike_feed::Decimal::Point), ..Options::default() };
    assert_eq!(prices(&["1.299", "2.499"], point), [Some(1.299), Some(2.499)]);
    let dinar = Options { currency: Some("KWD".into()), ..Options::default() };
    assert_eq!(prices(&["1.299", "2.499"], dinar), [Some(1.299), Some(2.499)]);
    // A column that says nothing goes by its neighbours.
    let found = read("id;price;sale_price;image\n1;12,50;1.299;a.png\n2;1500,00;1.299;b.png\n");
    assert_eq!(found.product("2").price, Some(1299.0));
    let notes: Vec<_> = found.about.columns.iter().filter_map(|c| c.note.as_deref()).collect();
    assert_eq!(notes, ["decimal comma", "decimal comma"]);
}

#[test]
fn currencies_that_disagree_are_said() {
    let found = read(
        "id,price,currency,image\n1,12 EUR,USD,a.png\n2,12,USD,b.png\n3,$12,CAD,c.png\n4,€ 12,,d.png\n",
    );
    let currencies: Vec<_> =
        found.entries.iter().map(|e| e.product.currency.as_deref().unwrap()).collect();
    assert_eq!(currencies, ["EUR", "USD", "CAD", "EUR"]);
    assert_eq!(found.lost.len(), 1);
    assert_eq!(found.lost[0].0, Loss::Currency);
    assert!(found.lost[0].1.why.contains("EUR") && found.lost[0].1.why.contains("USD"));
}

#[test]
fn a_sale_is_what_is_paid_while_it_holds() {
    let text = "id,price,sale_price,sale_price_effective_date,image\n\
                1,15 USD,12 USD,2024-01-01T00:00+0000/2024-02-01T00:00+0000,a.png\n\
                2,15 USD,18 USD,,a.png\n3,,12 USD,,a.png\n4,15 USD,12 USD,whenever,a.png\n";
    let during = read_with(text, Options { now: Some(1_705_000_000), ..Options::default() });
    assert_eq!(during.prices(), [Some(12.0), Some(15.0), Some(12.0), Some(12.0)]);
    assert_eq!(during.product("1").list_price, Some(15.0));
    assert_eq!(during.product("3").list_price, None);
    let after = read_with(text, Options { now: Some(1_800_000_000), ..Options::default() });
    assert_eq!((after.product("1").price, after.product("1").list_price), (Some(15.0), None));
    let compare = read("id,price,compare_at_price,image\n1,12,15,a.png\n2,12,12,b.png\n");
    assert_eq!(compare.product("1").list_price, Some(15.0));
    assert_eq!(compare.product("2").list_price, None);
}

#[test]
fn long_values_and_pages_that_are_none_cost_themselves() {
    let long = "word ".repeat(300_000);
    let found = read(format!(
        "id,title,image,url,material,description\n\
         1,\"{long}\",a.png,javascript:alert(1),\"{long}\",\"{long}\"\n2,b,b.png,http://[::1,,\n"
    ));
    let one = found.product("1");
    assert!(one.title.chars().count() <= 301 && one.title.ends_with('…'));
    assert!(one.attributes["material"].len() < 900);
    assert!(!one.attributes.contains_key("description"));
    assert_eq!(one.url, None);
    assert_eq!((found.summary.losses[&Loss::Cut], found.summary.losses[&Loss::Url]), (2, 2));
    let keep = Options { keep: vec!["description".into()], ..Options::default() };
    let found = read_with("id,image,description\n1,a.png,<p>Soft &amp; warm</p>\n", keep);
    assert_eq!(found.product("1").attributes["description"], "Soft & warm");
}

#[test]
fn damaged_items_of_xml_cost_themselves() {
    let item =
        |i: usize| format!("<item><g:id>{i}</g:id><g:image_link>{i}.png</g:image_link></item>\n");
    let feed = |items: &[String]| {
        let items = items.concat();
        format!("<rss xmlns:g='http://base.google.com/ns/1.0'><channel>\n{items}</channel></rss>")
    };
    for (damaged, more) in [
        ("<item><g:id>9</g:id><title>Chair<g:image_link>9.png</g:image_link></item>\n", 0),
        ("<item><g:id>9</g:id><g:image_link>9.png</g:image_link>\n", 0),
        ("<item><g:id>9</g:id><title>5 <3</title></item>\n", 0),
        ("<item><g:id>9</g:id></g:foo><g:image_link>9.png</g:image_link></item>\n", 0),
        ("<item><title>No id</title><g:image_link>9.png</g:image_link></item>\n", 0),
    ] {
        let found = read(feed(&[item(1), item(2), damaged.to_owned(), item(3), item(4)]));
        let ids = found.ids();
        assert!(ids.len() >= 3 && !ids.contains(&"9"), "{damaged}: {ids:?} {:?}", found.refused);
        assert_eq!(
            found.entries.len() + found.refused.len(),
            5 + more,
            "{damaged} {:?}",
            found.refused
        );
        assert!(found.refused[0].place.line >= 4, "{damaged} {}", found.refused[0]);
    }
    // Signs that are no tags cost nothing.
    let signs = "<item><g:id>9</g:id><title>24\" < 30\" & I <3 it</title>\
                 <g:image_link>9.png</g:image_link></item>\n";
    let found = read(feed(&[item(1), signs.to_owned(), item(2)]));
    assert_eq!(found.ids(), ["1", "9", "2"]);
    assert_eq!(found.product("9").title, "24\" < 30\" & I <3 it");
    // A feed that breaks off says so, whatever share is allowed.
    let whole = feed(&[item(1), item(2)]);
    for cut in [whole.len() - 10, whole.len() - 40] {
        let found = read(&whole[..cut]);
        assert!(!found.entries.is_empty());
        assert!(found.summary.broken_off.is_some());
        let error = found.summary.check(1.0).unwrap_err().to_string();
        assert!(error.contains("breaks off") || error.contains("no XML"), "{error}");
    }
}

#[test]
fn damaged_elements_of_json_cost_themselves() {
    let found = read(
        "{\"id\":1,\"image\":\"a\"}\n{\"id\":2,\"image\":\"b}\n{\"id\":3,\"image\":\"c\"}\n[1]\n",
    );
    assert_eq!(found.ids(), ["1", "3"]);
    assert_eq!((found.refused[0].place.line, found.refused[1].place.line), (2, 4));
    let found = read(
        "[{\"id\":1,\"image\":\"a\"},\n{\"id\":\"2,\"image\":\"b\"},\n{\"id\":3,\"image\":\"c\"}]",
    );
    assert_eq!(found.ids(), ["1", "3"]);
    assert_eq!(found.refused.len(), 1);
    assert_eq!(found.refused[0].place.line, 2);
    let found = read("[{\"id\":1,\"image\":\"a\"},\n{\"id\":\"2\",\"im");
    assert_eq!(found.ids(), ["1"]);
    assert!(found.summary.check(1.0).unwrap_err().to_string().contains("breaks off"));
}

#[test]
fn variants_that_would_fill_the_memory_with_what_they_share_are_refused() {
    // A small file: each of many variants repeats its product.
    let many = |variant: &str, count: usize| vec![variant; count].join(",");
    let long = "a".repeat(60_000);
    let shared: Vec<String> = (0..90).map(|n| format!("\"word{n}\":\"{long}\"")).collect();
    let plain = format!(
        "[{{\"id\":1,\"image\":\"a.png\"}},{{\"id\":2,\"image\":\"b.png\",{},\"variants\":[{}]}}]",
        shared.join(","),
        many("{}", 5000)
    );
    let pictures = many("\"https://c.example/a.png\"", 20_000);
    let linked = format!(
        "[{{\"@type\":\"Product\",\"sku\":\"1\",\"image\":\"a.png\"}},{{\"@type\":\"ProductGroup\",\"name\":\"x\",\
         \"image\":[{pictures}],\"hasVariant\":[{}]}}]",
        many("{\"sku\":\"v\"}", 2000)
    );
    for feed in [plain, linked] {
        let found = read(feed);
        assert_eq!(found.ids(), ["1"]);
        assert!(found.refused[0].why.contains("variants repeat"), "{}", found.refused[0].why);
    }
    // A long description is no reason: what is kept of it is short.
    let shirts: Vec<String> = (0..300).map(|n| format!("{{\"sku\":\"{n}\"}}")).collect();
    let found = read(format!(
        "{{\"@type\":\"ProductGroup\",\"name\":\"x\",\"description\":\"{}\",\"image\":\"a.png\",\"hasVariant\":[{}]}}",
        "a".repeat(1_000_000),
        shirts.join(",")
    ));
    assert_eq!(found.ids().len(), 300);
}

#[test]
fn what_is_no_feed_is_refused_with_advice() {
    for (bytes, word) in [
        (&b""[..], "empty"),
        (b"  \n", "empty"),
        (b"PK\x03\x04xxxx", "CSV"),
        (b"\x1f\x8bxxxx", "unpack"),
        (b"\x89PNG\r\n", "picture"),
        (b"id,title\n1,Chair\n", "--map image="),
        (b"image,title\na.png,Chair\n", "--map id="),
        (b"id,image\n", "no products"),
        (b"<html><body>404</body></html>", "JSON-LD"),
        (b"<rss><channel></channel></rss>", "no products"),
        (b"[]", "no products"),
        (b"{}", "no products"),
        (b"hello", "--map image="),
        (b"{\"id\":1\n{broken\n", "line 1, column"),
    ] {
        let error = refusal(bytes);
        assert!(error.contains(word), "{}: {error}", String::from_utf8_lossy(bytes));
    }
    let map = vec![("title".to_owned(), "Titel".to_owned())];
    let options = Options { map, ..Options::default() };
    let error = common::try_read("id,image\n1,a.png\n", options).err().unwrap().to_string();
    assert!(error.contains("\"Titel\"") && error.contains("id, image"), "{error}");
    // Where every row is damaged the rows say so.
    let found = read("id,title,image\n1,\"Chair,a.png\n");
    assert_eq!(found.refused[0].place, at(2, 3));
    assert!(found.summary.check(0.5).is_err());
}
