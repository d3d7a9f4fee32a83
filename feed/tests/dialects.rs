//! Each kind of feed, as shops have it.

mod common;

use common::{read, read_with};
use lookalike_feed::{Dialect, LeftOut, Loss, Options, Slot, Target};
use lookalike_products::Availability;

fn shop() -> Options {
    Options {
        shop_url: Some("https://shop.example/".into()),
        currency: Some("EUR".into()),
        ..Options::default()
    }
}

#[test]
fn google_tables_have_groups_sales_and_several_pictures() {
    let tsv = "id\ttitle\tlink\timage_link\tadditional_image_link\tprice\tsale_price\tavailability\
               \titem_group_id\tproduct_type\tgoogle_product_category\tgtin\tcolor\n\
               1\tChair\thttps://s.example/1\thttps://c.example/w_5,h_5/1.jpg\t\
               https://c.example/a%2Cb.jpg,https://c.example/w_5,h_5/2.jpg\t15.00 USD\t12.00 USD\tin stock\
               \tG\tHome > Chairs\t436\t123\tred\n\
               2\tChair\thttps://s.example/2\thttps://c.example/3.jpg\t\t15.00 USD\t\tout_of_stock\tG\
               \t\t436\t\tblue\n";
    let read = read(tsv);
    assert_eq!(read.about.dialect, Dialect::Google);
    assert_eq!(read.about.delimiter, Some("tab"));
    let one = read.product("1");
    assert_eq!((one.price, one.list_price), (Some(12.0), Some(15.0)));
    assert_eq!(one.currency.as_deref(), Some("USD"));
    assert_eq!(one.category.as_deref(), Some("Home > Chairs"));
    assert_eq!(one.availability, Some(Availability::InStock));
    assert_eq!(one.attributes.keys().collect::<Vec<_>>(), ["color"]);
    assert_eq!(
        read.images("1"),
        [
            "https://c.example/w_5,h_5/1.jpg",
            "https://c.example/a%2Cb.jpg",
            "https://c.example/w_5,h_5/2.jpg"
        ]
    );
    // The number of Google's category is no word, and its loss is said.
    assert_eq!(read.product("2").category, None);
    assert_eq!(read.summary.losses.get(&Loss::Category), Some(&1));
    assert_eq!((read.group("1"), read.group("2")), (Some("G"), Some("G")));
    assert_eq!((read.summary.variants, read.summary.pictures), (1, 4));
}

#[test]
fn rss_and_atom_are_read_with_any_prefix() {
    let rss = r#"<?xml version="1.0"?>
        <!DOCTYPE rss [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
        <rss version="2.0" xmlns:shop="http://base.google.com/ns/1.0"><channel>
        <title>Shop</title><link>https://s.example</link>
        <item><shop:id>1</shop:id><title><![CDATA[Chair & <b>table</b>]]></title>
          <link>https://s.example/1?a=1&amp;b=2</link><description>x</description>
          <shop:title>Chair</shop:title>
          <shop:image_link>https://c.example/1.jpg?w=1&h=2</shop:image_link>
          <shop:additional_image_link>https://c.example/2.jpg</shop:additional_image_link>
          <shop:additional_image_link>https://c.example/3.jpg</shop:additional_image_link>
          <shop:price>15.00 USD</shop:price><shop:availability>in_stock</shop:availability>
          <shop:shipping><shop:country>US</shop:country><shop:price>5.00 USD</shop:price></shop:shipping>
          <shop:product_detail><shop:attribute_name>Seat height</shop:attribute_name>
            <shop:attribute_value>45 cm</shop:attribute_value></shop:product_detail>
        </item>
        <item><shop:id>2</shop:id><title>&b; caf&eacute;</title>
          <shop:image_link>https://c.example/4.jpg</shop:image_link></item>
        </channel></rss>"#;
    let found = read(rss);
    assert_eq!(found.about.dialect, Dialect::Rss);
    let one = found.product("1");
    assert_eq!(one.title, "Chair");
    assert_eq!(one.url.as_deref(), Some("https://s.example/1?a=1&b=2"));
    assert_eq!(one.price, Some(15.0));
    assert_eq!(one.attributes["seat_height"], "45 cm");
    assert_eq!(found.images("1")[0], "https://c.example/1.jpg?w=1&h=2");
    assert_eq!(found.images("1").len(), 3);
    assert_eq!(found.product("2").title, "&b; café");

    let atom = r#"<feed xmlns="http://www.w3.org/2005/Atom" xmlns:g="http://base.google.com/ns/1.0">
        <title>Shop</title><entry><g:id>1</g:id><id>tag:1</id><title>Chair</title>
        <link rel="alternate" href="https://s.example/1"/><link rel="self" href="https://s.example/x"/>
        <g:image_link>https://c.example/1.jpg</g:image_link><g:price>12,50 EUR</g:price></entry></feed>"#;
    let found = read(atom);
    assert_eq!(found.about.dialect, Dialect::Atom);
    let one = found.product("1");
    assert_eq!((one.url.as_deref(), one.price), (Some("https://s.example/1"), Some(12.5)));

    // Without a declaration of the prefix, and without a prefix.
    let bare = "<rss><channel><item><g:id>1</g:id><g:image_link>a.png</g:image_link></item>\
                <item><id>2</id><image_link>b.png</image_link></item></channel></rss>";
    assert_eq!(read(bare).ids(), ["1", "2"]);
}

#[test]
fn metas_templates_begin_with_advice() {
    let csv = "\"# Required | A unique ID, of yours\",# Required | Title,# Optional,# Optional,# Optional\n\
               id,title,availability,image[0].url,image[1].url\n\
               1,Chair,available for order,https://c.example/1,https://c.example/2\n\
               2,Sofa,discontinued,https://c.example/3,\n";
    let found = read(csv);
    assert_eq!(found.about.dialect, Dialect::Meta);
    assert_eq!(found.images("1"), ["https://c.example/1", "https://c.example/2"]);
    assert_eq!(found.product("1").availability, Some(Availability::BackOrder));
    assert_eq!(found.product("2").availability, Some(Availability::OutOfStock));

    for list in [
        "https://c.example/2 https://c.example/3",
        "https://c.example/2;https://c.example/3",
        "https://c.example/2|https://c.example/3",
        "\"https://c.example/2,https://c.example/3\"",
        "\"[\"\"https://c.example/2\"\",\"\"https://c.example/3\"\"]\"",
        "\"[{\"\"url\"\":\"\"https://c.example/2\"\"},{\"\"url\"\":\"\"https://c.example/3\"\"}]\"",
    ] {
        let csv = format!(
            "id,title,image_link,additional_image_link,price\n1,a,https://c.example/1,{list},1 USD\n"
        );
        let images = ["https://c.example/1", "https://c.example/2", "https://c.example/3"];
        assert_eq!(read(csv).images("1"), images, "{list}");
    }
}

const SHOPIFY_OLD: &str = "\
Handle,Title,Body (HTML),Vendor,Type,Tags,Published,Option1 Name,Option1 Value,Variant SKU,\
Variant Inventory Tracker,Variant Inventory Qty,Variant Inventory Policy,Variant Price,\
Variant Compare At Price,Image Src,Image Position,Variant Image,Status,Price / International
shirt,Shirt,<p>Soft</p>,Acme,Shirts,a,true,Colour,Red,S-R,shopify,3,deny,10.00,15.00,https://c/1.jpg,1,https://c/red.jpg,active,12
shirt,,,,,,,,Blue,S-B,shopify,0,continue,11.00,,https://c/red.jpg,2,https://c/blue.jpg,,
shirt,,,,,,,,Green,S-B,shopify,0,deny,11.00,,https://c/blue.jpg,3,,,
shirt,,,,,,,,,,,,,,,https://c/4.jpg,4,,,
mug,Mug,,Acme,Mugs,,true,Title,Default Title,,,0,deny,5.00,5.00,https://c/mug.jpg,1,,active,
draft,Draft,,Acme,Mugs,,true,Title,Default Title,,,0,deny,5.00,,https://c/d.jpg,1,,draft,
off,Off,,Acme,Mugs,,false,Title,Default Title,,,0,deny,5.00,,https://c/d.jpg,1,,active,
";

#[test]
fn shopifys_rows_of_a_handle_are_variants_and_pictures() {
    let found = read_with(SHOPIFY_OLD, shop());
    assert_eq!(found.about.dialect, Dialect::ShopifyOld);
    // A number that is used twice makes way for the handle and the options.
    assert_eq!(found.ids(), ["S-R", "S-B", "shirt/Green", "mug"]);
    let red = found.product("S-R");
    assert_eq!((red.price, red.list_price), (Some(10.0), Some(15.0)));
    assert_eq!((red.title.as_str(), red.category.as_deref()), ("Shirt", Some("Shirts")));
    assert_eq!(red.url.as_deref(), Some("https://shop.example/products/shirt"));
    assert_eq!(red.currency.as_deref(), Some("EUR"));
    assert_eq!(red.attributes["colour"], "Red");
    assert_eq!(red.attributes["vendor"], "Acme");
    assert_eq!(red.attributes.len(), 2);
    assert_eq!(found.images("S-R"), ["https://c/red.jpg", "https://c/1.jpg", "https://c/4.jpg"]);
    assert_eq!(found.images("S-B"), ["https://c/blue.jpg"]);
    assert_eq!(found.images("shirt/Green"), ["https://c/1.jpg"]);
    let stock = |id: &str| found.product(id).availability;
    assert_eq!(stock("S-R"), Some(Availability::InStock));
    assert_eq!(stock("S-B"), Some(Availability::BackOrder));
    assert_eq!(stock("shirt/Green"), Some(Availability::OutOfStock));
    // Nobody counts the mugs.
    assert_eq!(stock("mug"), Some(Availability::InStock));
    assert_eq!(found.product("mug").list_price, None);
    assert_eq!(["S-R", "S-B", "shirt/Green"].map(|id| found.group(id)), [Some("shirt"); 3]);
    assert_eq!(found.group("mug"), None);
    assert_eq!(found.left_out, [LeftOut::Draft, LeftOut::Unpublished]);
    assert!(found.refused.is_empty());
}

#[test]
fn shopifys_newer_header_is_known_too() {
    let csv = "Title,URL handle,Description,Vendor,Product category,Type,Published on online store,Status,\
               SKU,Option1 name,Option1 value,Price,Compare-at price,Inventory quantity,\
               Continue selling when out of stock,Product image URL,Image position,Variant image URL\n\
               Sofa,sofa,x,Acme,Furniture > Sofas,,TRUE,Active,SO-1,Size,L,1299.00,,0,TRUE,https://c/1.jpg,2,\n\
               ,sofa,,,,,,,SO-2,,XL,1499.00,,2,FALSE,https://c/0.jpg,1,\n";
    let found = read_with(csv, shop());
    assert_eq!(found.about.dialect, Dialect::Shopify);
    assert_eq!(found.images("SO-1"), ["https://c/0.jpg", "https://c/1.jpg"]);
    assert_eq!(found.product("SO-1").availability, Some(Availability::BackOrder));
    assert_eq!(found.product("SO-2").price, Some(1499.0));
    assert_eq!(found.product("SO-2").title, "Sofa");
    assert_eq!(found.product("SO-1").category.as_deref(), Some("Furniture > Sofas"));
    assert_eq!(found.group("SO-2"), Some("sofa"));
}

const WOO: &str = "\
ID,Type,SKU,Name,Published,Visibility in catalog,Description,In stock?,Stock,Sale price,Regular price,\
Categories,Images,Parent,External URL,Attribute 1 name,Attribute 1 value(s)
13,variation,H-R,Hoodie - Red,1,visible,,1,,\"40,50\",\"45,00\",,https://w/red.jpg,id:12,,Colour,Red
12,variable,H,Hoodie,1,visible,Soft\\nand warm,1,,,,\"Clothing, Clothing > Hoodies\",\"https://w/1.jpg, https://w/2.jpg\",,,Colour,\"Red, Blue\"
14,variation,H-B,Hoodie - Blue,1,visible,,backorder,,,\"45,00\",,,H,,Colour,Blue
15,simple,,Cap &amp; co,1,visible,,0,0,,\"18,00\",Hats,https://w/cap.jpg,,,Note,\"a\\, b\"
16,simple,,Private,0,visible,,1,,,\"18,00\",Hats,https://w/cap.jpg,,,,
17,simple,,Draft,-1,visible,,1,,,\"18,00\",Hats,https://w/cap.jpg,,,,
18,external,E,Poster,1,visible,,1,,,\"9,90\",Posters,https://w/p.jpg,,https://other.example/p,,
19,grouped,G,Set,1,visible,,1,,,,Sets,https://w/s.jpg,,,,
20,variation,X-1,Lost,1,visible,,1,,,\"9,00\",,https://w/x.jpg,X,,,
21,variable,D,Hidden,-1,visible,,1,,,,Sets,https://w/h.jpg,,,,
22,variation,D-1,Hidden - 1,1,visible,,1,,,\"9,00\",,,id:21,,,
";

#[test]
fn woocommerces_variations_take_from_their_product_in_any_order() {
    let found = read_with(WOO, shop());
    assert_eq!(found.about.dialect, Dialect::WooCommerce);
    // The variations stand for the variable product.
    assert_eq!(found.ids(), ["13", "14", "15", "18", "19", "20"]);
    let red = found.product("13");
    assert_eq!((red.price, red.list_price), (Some(40.5), Some(45.0)));
    assert_eq!(red.category.as_deref(), Some("Clothing > Hoodies"));
    assert_eq!(red.attributes["colour"], "Red");
    assert_eq!(red.url.as_deref(), Some("https://shop.example/?post_type=product&p=12"));
    assert_eq!(found.images("13"), ["https://w/red.jpg", "https://w/1.jpg", "https://w/2.jpg"]);
    assert_eq!(found.images("14"), ["https://w/1.jpg"]);
    assert_eq!(found.product("14").availability, Some(Availability::BackOrder));
    assert_eq!((found.group("13"), found.group("14")), (Some("12"), Some("12")));
    assert_eq!(found.product("15").title, "Cap & co");
    assert_eq!(found.product("15").attributes["note"], "a, b");
    assert_eq!(found.product("15").availability, Some(Availability::OutOfStock));
    assert_eq!(found.product("18").url.as_deref(), Some("https://other.example/p"));
    assert_eq!(found.lost[0].0, Loss::Relation);
    assert_eq!(found.left_out, [LeftOut::Private, LeftOut::Draft, LeftOut::Draft]);
}

#[test]
fn exports_in_other_languages_are_told_by_their_types_and_mapped() {
    let german = "ID;Typ;Artikelnummer;Name;Veröffentlicht;Vorrätig?;Angebotspreis;Regulärer Preis;Kategorien;Bilder;Übergeordnetes Produkt\n\
                  1;simple;A;Stuhl;1;1;;\"1.299,00\";Möbel > Stühle;https://w/1.jpg;\n\
                  2;variable;B;Tisch;1;1;;;Möbel;https://w/2.jpg;\n\
                  3;variation;B1;Tisch - rot;1;0;;\"99,00\";;;B\n";
    let found = read(german);
    assert_eq!(found.about.dialect, Dialect::WooCommerce);
    assert_eq!(found.ids(), ["1", "3"]);
    assert_eq!(found.prices(), [Some(1299.0), Some(99.0)]);
    assert_eq!(found.images("3"), ["https://w/2.jpg"]);

    // Drafts are left out and variations find their product whatever the language.
    let dutch = "ID,Type,SKU,Naam,Gepubliceerd,Op voorraad?,Voorraad,Reguliere prijs,Afbeeldingen,Hoofd\n\
                 1,simple,A,Stoel,1,1,4,12,https://w/1.jpg,\n\
                 2,simple,B,Tafel,-1,1,4,12,https://w/2.jpg,\n\
                 3,variable,C,Bank,1,1,,,https://w/3.jpg,\n\
                 4,variation,C1,Bank rood,1,1,,30,,id:3\n";
    let found = read(dutch);
    assert_eq!(found.ids(), ["1", "4"]);
    assert_eq!(found.left_out, [LeftOut::Draft]);
    assert_eq!(found.images("4"), ["https://w/3.jpg"]);
    let short =
        german.replace("Übergeordnetes Produkt", "Übergeordnet").replace("Stuhl;1", "Stuhl;0");
    let found = read(short);
    assert_eq!(found.ids(), ["3"]);
    assert_eq!(found.left_out, [LeftOut::Private]);
    assert!(!found.product("3").attributes.contains_key("kind"), "a row's type is no kind");

    for (name, value) in [
        ("Attribute 1 name", "Attribute 1 value(s)"),
        ("Attribut 1 Name", "Attribut 1 Wert(e)"),
        ("Name des Attributs 1", "Wert(e) des Attributs 1"),
        ("Nom de l’attribut 1", "Valeur(s) de l’attribut 1"),
        ("Nombre del atributo 1", "Valor(es) del atributo 1"),
        ("Nome dell'attributo 1", "Valore dell'attributo 1"),
        ("Nazwa atrybutu 1", "Wartość atrybutu 1"),
    ] {
        let csv = format!(
            "ID,Type,SKU,Name,Images,{name},{value},Valeur par défaut de l’attribut 1\n\
             1,simple,A,x,https://w/1.jpg,Colour,\"red, blue\",red\n"
        );
        let found = read(csv);
        let attributes = &found.product("1").attributes;
        assert_eq!(attributes["colour"], "red, blue", "{name}");
    }

    let polish = "Id;Rodzaj;Nazwa;Cena regularna;Obrazki\n1;simple;Krzesło;12,50;https://w/1.jpg\n";
    let map = [("price", "Cena regularna"), ("image", "obrazki"), ("material", "Rodzaj")];
    let map = map.map(|(a, b)| (a.to_owned(), b.to_owned())).to_vec();
    let found = read_with(polish, Options { map, ..Options::default() });
    assert_eq!(found.prices(), [Some(12.5)]);
    assert_eq!(found.product("1").attributes["material"], "simple");
}

#[test]
fn json_ld_is_read_from_files_and_pages() {
    let graph = r##"{"@context":"https://schema.org","@graph":[
        {"@type":"Organization","name":"Shop","logo":{"@id":"#logo"}},
        {"@type":"ImageObject","@id":"#img","contentUrl":"https://c.example/1.jpg"},
        {"@type":"Product","sku":"1","name":"Chair","image":[{"@id":"#img"},"https://c.example/2.jpg"],
         "brand":{"@type":"Brand","name":"Acme"},
         "offers":[{"@type":"Offer","price":"99.00","priceCurrency":"EUR","availability":"https://schema.org/OutOfStock"},
                   {"@type":"Offer","price":89,"priceCurrency":"EUR","availability":"InStock","url":"https://s.example/1"}]},
        {"@type":["Product","Vehicle"],"productID":"2","name":"Bike","image":{"@type":"ImageObject","url":"b.jpg"},
         "offers":{"@type":"AggregateOffer","lowPrice":10.125,"highPrice":"20","priceCurrency":"KWD"}},
        {"@type":"ProductGroup","productGroupID":"G","name":"Shirt","image":"g.jpg","category":"Shirts",
         "hasVariant":[{"@type":"Product","sku":"G1","color":"red","image":"g1.jpg"},
                       {"@type":"Product","sku":"G2","color":"blue"}]}]}"##;
    let found = read(graph);
    assert_eq!(found.about.dialect, Dialect::SchemaOrg);
    assert_eq!(found.ids(), ["1", "2", "G1", "G2"]);
    let one = found.product("1");
    assert_eq!((one.price, one.availability), (Some(89.0), Some(Availability::InStock)));
    assert_eq!(one.url.as_deref(), Some("https://s.example/1"));
    assert_eq!(one.attributes["brand"], "Acme");
    assert_eq!(found.images("1"), ["https://c.example/1.jpg", "https://c.example/2.jpg"]);
    assert_eq!(found.product("2").price, Some(10.125));
    assert_eq!(found.images("G2"), ["g.jpg"]);
    assert_eq!(found.product("G2").title, "Shirt");
    assert_eq!(found.group("G1"), Some("G"));

    let list = r#"{"@context":"http://schema.org","@type":"ItemList","itemListElement":[
        {"@type":"ListItem","position":1,"item":{"@type":"http://schema.org/Product","sku":"1","image":"a.png"}}]}"#;
    assert_eq!(read(list).ids(), ["1"]);

    let page = format!(
        "<!DOCTYPE html>\n<html><head><script>var a = '<script>';</script>\n\
         <script type=\"application/ld+json\">{graph}</script>\n\
         <script type='application/ld+json'>{{broken</script></head></html>"
    );
    let found = read(page);
    assert_eq!(found.ids(), ["1", "2", "G1", "G2"]);
    assert_eq!(found.refused.len(), 1);
}

#[test]
fn json_comes_in_lines_lists_and_wrappings() {
    let one = r#"{"id": 7, "image": "a.png", "price": 3, "brand": null}"#;
    let two = r#"{"id":"8","imageLink":"b.png","price":{"value":"1.299","currency":"EUR"},"images":["b.png","c.png",{"src":"d.png"}]}"#;
    for (text, dialect) in [
        (format!("{one}\n{two}\n"), Dialect::JsonLines),
        (format!("{one}\nnonsense\n{two}"), Dialect::JsonLines),
        (format!("[{one},\n {two}]"), Dialect::Json),
        (format!("{{\"count\": 2, \"products\": [{one}, {two}], \"x\": [1]}}"), Dialect::Json),
        (format!("\u{feff}[{one}, 5, {two}]"), Dialect::Json),
    ] {
        let found = read(&text);
        assert_eq!(found.about.dialect, dialect, "{text}");
        assert_eq!(found.ids(), ["7", "8"], "{text}");
        assert_eq!(found.product("7").price, Some(3.0));
        assert_eq!(found.images("8"), ["b.png", "c.png", "d.png"]);
        assert!(found.product("7").attributes.is_empty());
    }
    // One object alone, and numbers with three digits behind the point.
    let found = read(r#"{"id":1,"image":"a.png","price":1.299}"#);
    assert_eq!(found.prices(), [Some(1.299)]);
}

#[test]
fn answers_of_programming_interfaces_are_unwrapped() {
    let node = |id: u32| {
        format!(
            r#"{{"id":"p{id}","title":"Chair {id}","onlineStoreUrl":"https://s.example/{id}",
            "featuredImage":{{"url":"https://c.example/{id}.jpg"}},
            "images":{{"edges":[{{"node":{{"url":"https://c.example/{id}.jpg"}}}},{{"node":{{"originalSrc":"https://c.example/{id}b.jpg"}}}}]}},
            "priceRange":{{"minVariantPrice":{{"amount":"12.5","currencyCode":"EUR"}}}}}}"#
        )
    };
    let (one, two) = (node(1), node(2));
    for text in [
        format!(
            r#"{{"data":{{"products":{{"edges":[{{"cursor":"x","node":{one}}},{{"node":{two}}}],"pageInfo":{{"hasNextPage":false}}}}}}}}"#
        ),
        format!(
            r#"{{"data":{{"shop":{{"name":"S"}},"products":{{"nodes":[{one},{two}]}}}},"extensions":{{"cost":1}}}}"#
        ),
        format!(
            r#"{{"status":"ok","result":{{"total":2,"records":[{one},{two}],"facets":[{{"name":"x"}}]}}}}"#
        ),
        format!(r#"[{{"node":{one}}},{{"node":{two}}}]"#),
        format!(r#"{{"catalog":[{one},{two}]}}"#),
    ] {
        let found = read(&text);
        assert_eq!(found.ids(), ["p1", "p2"], "{text}");
        assert_eq!(found.images("p2"), ["https://c.example/2.jpg", "https://c.example/2b.jpg"]);
        assert_eq!(found.product("p1").url.as_deref(), Some("https://s.example/1"));
        assert_eq!(found.product("p1").price, Some(12.5));
    }
}

#[test]
fn delimiters_and_encodings_are_told() {
    let table = |d: &str| {
        format!("id{d}title{d}image\n1{d}Café, bar; tab | x{d}a.png\n")
            .replace(&format!("Café, bar; tab | x{d}"), &format!("\"Café, bar; tab | x\"{d}"))
    };
    for (d, name) in [(",", "comma"), (";", "semicolon"), ("\t", "tab"), ("|", "bar")] {
        let utf16: Vec<u8> = table(d).encode_utf16().flat_map(u16::to_le_bytes).collect();
        let western: Vec<u8> =
            table(d).chars().map(|c| if c == 'é' { 0xe9 } else { c as u8 }).collect();
        for (bytes, encoding) in [
            (table(d).into_bytes(), "UTF-8"),
            (utf16, "UTF-16LE"),
            (western, "windows-1252"),
            (format!("sep={d}\r\n{}", table(d)).into_bytes(), "UTF-8"),
        ] {
            let found = read(bytes);
            assert_eq!((found.about.delimiter, found.about.encoding), (Some(name), encoding));
            assert_eq!(found.product("1").title, "Café, bar; tab | x", "{name} {encoding}");
        }
    }
    // Many commas in a table between semicolons.
    let found = read("id;title;image\n1;a, b, c, d;a.png\n2;a, b, c, d;b.png\n");
    assert_eq!(found.about.delimiter, Some("semicolon"));
}

#[test]
fn columns_that_mean_the_same_follow_their_order() {
    let found = read(
        "id,sku,title,name,image,image_link\n\
         1,s1,a,b,x.png,y.png\n,s2,,b,,y.png\n3,,a,,x.png,\n",
    );
    assert_eq!(found.ids(), ["1", "s2", "3"]);
    let titles: Vec<&str> = found.entries.iter().map(|e| e.product.title.as_str()).collect();
    assert_eq!(titles, ["a", "b", "a"]);
    assert_eq!(found.images("1"), ["x.png"]);
    assert_eq!(found.images("s2"), ["y.png"]);
    let found =
        read("id,image,product_type,google_product_category\n1,a.png,Sofas,436\n2,b.png,,436\n");
    assert_eq!(found.product("1").category.as_deref(), Some("Sofas"));
    // Whatever the columns' order.
    let found = read("google_product_category,product_type,id,image\n,Sofas,1,a.png\n");
    assert_eq!(found.product("1").category.as_deref(), Some("Sofas"));
    let found =
        read("id,image,category,product_type,kind\n1,a.png,Home,Sofas,\n2,b.png,Home,Sofas,Bed\n");
    assert_eq!(found.product("1").attributes["kind"], "Sofas");
    assert_eq!(found.product("2").attributes["kind"], "Bed");
    let column = |name: &str| found.about.columns.iter().find(|c| c.name == name).unwrap();
    assert_eq!(column("category").target, Target::Field(Slot::Category));
    assert_eq!(column("kind").filled, 1);
    // The same name twice.
    let found = read("id,image,additional_image_link,additional_image_link\n1,a.png,b.png,c.png\n");
    assert_eq!(found.images("1"), ["a.png", "b.png", "c.png"]);
}

#[test]
fn lists_of_variants_in_json_are_products_of_their_own() {
    let shop_json = r#"{"products":[
        {"id":1,"title":"Tee","handle":"tee","vendor":"Acme","product_type":"Tops","tags":["a"],
         "options":[{"name":"Size","position":1,"values":["S","M"]},{"name":"Colour","position":2}],
         "images":[{"id":5,"src":"https://c/1.jpg"},{"id":6,"src":"https://c/m.jpg"}],
         "variants":[
            {"id":11,"title":"S / Red","option1":"S","option2":"Red","sku":"T-S","available":true,
             "price":"12.50","compare_at_price":"15.00","featured_image":null,"grams":9,"product_id":1},
            {"id":12,"title":"M / Red","option1":"M","option2":"Red","sku":"T-M","available":false,
             "price":"13.50","compare_at_price":null,"featured_image":{"src":"https://c/m.jpg"}}]},
        {"id":2,"title":"Mug","handle":"mug","options":[{"name":"Title"}],
         "images":[{"src":"https://c/2.jpg"},{"src":"https://c/3.jpg"}],
         "variants":[{"id":21,"title":"Default Title","option1":"Default Title","price":"5.00"}]}]}"#;
    let found = read_with(shop_json, shop());
    assert_eq!(found.about.dialect, Dialect::Json);
    assert_eq!(found.ids(), ["11", "12", "2"]);
    assert_eq!(found.prices(), [Some(12.5), Some(13.5), Some(5.0)]);
    assert_eq!(
        (found.group("11"), found.group("12"), found.group("2")),
        (Some("1"), Some("1"), None)
    );
    assert_eq!(found.images("11"), ["https://c/1.jpg"]);
    assert_eq!(found.images("12"), ["https://c/m.jpg"]);
    assert_eq!(found.images("2"), ["https://c/2.jpg", "https://c/3.jpg"]);
    let medium = found.product("12");
    assert_eq!((&*medium.title, medium.availability), ("Tee", Some(Availability::OutOfStock)));
    assert_eq!(medium.category.as_deref(), Some("Tops"));
    assert_eq!((&*medium.attributes["size"], &*medium.attributes["colour"]), ("M", "Red"));
    assert_eq!(medium.url.as_deref(), Some("https://shop.example/products/tee"));
    assert_eq!(found.product("11").list_price, Some(15.0));
    assert!(!found.product("2").attributes.contains_key("title"));

    // Without the shop's address the products are kept, and what gives it is said.
    let found = read(shop_json);
    assert_eq!(found.ids().len(), 3);
    assert!(found.lost[0].0 == Loss::Url && found.lost[0].1.why.contains("--shop-url"));

    let lines = r#"{"sku":"P","name":"Chair","image":"a.jpg","price":9,"variants":[{"color":"red"},{"color":"blue","price":10}]}
{"sku":"Q","name":"Stool","image":"b.jpg","price":4,"variants":[]}
{"sku":"R","name":"Bench","image":"c.jpg","price":4,"variants":["oak"]}
"#;
    let found = read(lines);
    assert_eq!(found.ids(), ["P/1", "P/2", "Q", "R"]);
    assert_eq!(found.prices(), [Some(9.0), Some(10.0), Some(4.0), Some(4.0)]);
    assert_eq!(found.product("P/2").attributes["color"], "blue");
}

#[test]
fn a_sale_of_nothing_is_none() {
    let csv = "id,image,price,sale_price\n1,a.png,4.50,0\n2,b.png,4.50,0.00 EUR\n3,c.png,4.50,3\n4,d.png,,0\n";
    let found = read(csv);
    assert_eq!(found.prices(), [Some(4.5), Some(4.5), Some(3.0), None]);
    assert_eq!(found.product("1").list_price, None);
    assert_eq!(found.product("3").list_price, Some(4.5));
}
