//! Product feeds: CSV, TSV and JSON lines, by the column names of Google Merchant feeds. Native
//! only; works on text, files are opened elsewhere.

use std::collections::BTreeMap;

use lookalike_error::{Error, ErrorKind, Result};
use lookalike_products::{Availability, Image, Product};

/// How a feed is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedFormat {
    /// Comma-separated with a header row.
    Csv,
    /// Tab-separated with a header row.
    Tsv,
    /// One JSON object a line.
    JsonLines,
}

/// A row of a feed: the product and its picture, if the row is usable.
#[derive(Debug)]
pub struct Entry {
    /// Line (or record) of the feed, from 1 after the header.
    pub record: usize,
    /// The product, with its pictures as the feed names them; at least one.
    pub product: Result<Product>,
    /// What its variants share.
    pub group: Option<String>,
}

/// Other names that shops' exports use for our columns.
const ALIASES: [(&str, &str); 9] = [
    ("name", "title"),
    ("link", "url"),
    ("image_link", "image"),
    ("picture", "image"),
    ("product_type", "category"),
    ("google_product_category", "category"),
    ("item_group_id", "group"),
    ("sku", "id"),
    ("handle", "id"),
];

/// Reads a feed. Rows that cannot be used are given as errors, so that the caller can report and
/// skip them.
///
/// # Errors
/// `BadCatalog` if the feed as a whole cannot be read: no header, no `image` column, no rows.
pub fn read_feed(text: &str, format: FeedFormat) -> Result<Vec<Entry>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let rows = match format {
        FeedFormat::Csv => separated(text, b',')?,
        FeedFormat::Tsv => separated(text, b'\t')?,
        FeedFormat::JsonLines => json_lines(text),
    };
    if rows.is_empty() {
        return Err(Error::new(ErrorKind::BadCatalog, "the catalogue has no products"));
    }
    Ok(rows
        .into_iter()
        .enumerate()
        .map(|(i, row)| {
            let group = row.as_ref().ok().and_then(|row| row.get("group").cloned());
            Entry { record: i + 1, product: row.and_then(product), group }
        })
        .collect())
}

type Row = BTreeMap<String, String>;

fn separated(text: &str, delimiter: u8) -> Result<Vec<Result<Row>>> {
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).flexible(false).from_reader(text.as_bytes());
    let bad = |context: &str, cause: csv::Error| {
        Error::with_source(ErrorKind::BadCatalog, context.to_owned(), cause)
    };
    let header: Vec<String> = reader
        .headers()
        .map_err(|cause| bad("the header row cannot be read", cause))?
        .iter()
        .map(column)
        .collect();
    if !header.iter().any(|h| h == "image") {
        return Err(Error::new(
            ErrorKind::BadCatalog,
            format!(
                "the catalogue has no column \"image\" (or \"image_link\"), only {}",
                header.join(", ")
            ),
        ));
    }
    Ok(reader
        .records()
        .map(|record| {
            let record = record.map_err(|cause| bad("the row cannot be read", cause))?;
            Ok(header.iter().cloned().zip(record.iter().map(str::to_owned)).collect())
        })
        .collect())
}

fn json_lines(text: &str) -> Vec<Result<Row>> {
    use serde_json::Value;
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| {
            let object: BTreeMap<String, Value> = serde_json::from_str(line).map_err(|cause| {
                Error::with_source(ErrorKind::BadCatalog, "the line is not a JSON object", cause)
            })?;
            let text = |value: Value| match value {
                Value::String(text) => text,
                Value::Null => String::new(),
                other => other.to_string(),
            };
            Ok(object.into_iter().map(|(k, v)| (column(&k), text(v))).collect())
        })
        .collect()
}

/// Our name for a feed's column.
fn column(name: &str) -> String {
    let name = name.trim().to_lowercase().replace([' ', '-'], "_");
    let name = name.strip_prefix("g:").unwrap_or(&name).to_owned();
    ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, ours)| (*ours).to_owned())
}

fn product(row: Row) -> Result<Product> {
    let mut product = Product::default();
    for (name, value) in row {
        let value = value.trim();
        if value.is_empty() {
            continue;
        }
        let text = || Some(value.to_owned());
        match name.as_str() {
            "id" => product.id = value.to_owned(),
            "title" => product.title = value.to_owned(),
            "url" => product.url = text(),
            "image" => product.images.push(Image { image: value.to_owned(), thumb: None }),
            "group" => {}
            "category" => product.category = text(),
            "availability" => {
                product.availability = Availability::ALL.into_iter().find(|a| a.as_str() == value);
            }
            "currency" => product.currency = text(),
            "price" => {
                let (price, currency) = price(value)?;
                product.price = Some(price);
                if product.currency.is_none() {
                    product.currency = currency;
                }
            }
            _ => {
                product.attributes.insert(name, value.to_owned());
            }
        }
    }
    let bad = |what: String| Err(Error::new(ErrorKind::BadCatalog, what));
    if product.id.is_empty() {
        return bad(format!("the product {:?} has no id", product.title));
    }
    if product.images.is_empty() {
        return bad(format!("the product {:?} names no picture", product.id));
    }
    if product.title.is_empty() {
        product.title.clone_from(&product.id);
    }
    Ok(product)
}

/// `12.50`, or `12.50 EUR` as Google Merchant feeds write it.
fn price(text: &str) -> Result<(f64, Option<String>)> {
    let mut words = text.split_whitespace();
    let number =
        words.next().and_then(|n| n.parse::<f64>().ok()).filter(|n| n.is_finite() && *n >= 0.0);
    let currency = words.next().map(str::to_owned);
    match (number, words.next()) {
        (Some(number), None) => Ok((number, currency)),
        _ => Err(Error::new(
            ErrorKind::BadCatalog,
            format!("the price {text:?} is not a number, such as 12.50 or \"12.50 EUR\""),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_merchant_columns_and_keeps_the_rest() {
        let csv = "\u{feff}id,Title,image_link,link,price,Colour\n\
                   1,Chair,a.jpg,https://shop/1,12.50 EUR,red\n";
        let entries = read_feed(csv, FeedFormat::Csv).unwrap();
        let product = entries[0].product.as_ref().unwrap();
        assert_eq!(product.id, "1");
        assert_eq!(product.images[0].image, "a.jpg");
        assert_eq!((product.price, product.currency.as_deref()), (Some(12.5), Some("EUR")));
        assert_eq!(product.attributes["colour"], "red");
    }

    #[test]
    fn bad_rows_are_reported_one_by_one() {
        let tsv = "id\timage\tprice\n1\ta.jpg\t\n2\t\t1\n\tb.jpg\t1\n4\tc.jpg\tcheap\n5\n";
        let entries = read_feed(tsv, FeedFormat::Tsv).unwrap();
        let good: Vec<bool> = entries.iter().map(|e| e.product.is_ok()).collect();
        assert_eq!(good, [true, false, false, false, false]);
        assert!(entries[1].product.as_ref().unwrap_err().to_string().contains("\"2\""));
        assert_eq!(entries[4].record, 5);
    }

    #[test]
    fn feeds_without_pictures_or_rows_are_refused() {
        assert!(read_feed("id,title\n1,Chair\n", FeedFormat::Csv).is_err());
        assert!(read_feed("id,image\n", FeedFormat::Csv).is_err());
        assert!(read_feed("", FeedFormat::JsonLines).is_err());
    }

    #[test]
    fn json_lines_take_numbers_and_null() {
        let text = "{\"id\": 7, \"image\": \"a.png\", \"price\": 3, \"brand\": null}\nnonsense\n";
        let entries = read_feed(text, FeedFormat::JsonLines).unwrap();
        let product = entries[0].product.as_ref().unwrap();
        assert_eq!((product.id.as_str(), product.price), ("7", Some(3.0)));
        assert!(product.attributes.is_empty());
        assert!(entries[1].product.is_err());
    }
}
