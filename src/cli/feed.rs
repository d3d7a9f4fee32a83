//! `lookalike feed`: shows what would be read of a feed before anything runs; and how feeds are read.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use lookalike_feed::{About, Decimal, Entry, Feed, Found, Options, Remark, Summary, Target};
use serde_json::{Value, json};

use super::catalogue::{self, Item};
use super::packed::unpacked;
use super::pictures::{self, Pictures};
use super::{files, output, values};
use crate::error::{Error, ErrorKind, Result};

/// Remarks of a kind that are shown one by one; others are counted.
const SHOWN: usize = 20;
/// Refusals and losses in JSON.
const SHOWN_JSON: usize = 1000;

/// How a feed is read where it does not say so itself.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Reading {
    /// Take a column for one of ours: id, title, url, image, images, price, sale_price, list_price,
    /// currency, category, kind, group, availability, quantity, status or, by any other name, an
    /// attribute. May be repeated.
    #[arg(long, value_name = "OURS=THEIRS", value_parser = pair)]
    map: Vec<(String, String)>,
    /// The feed's encoding, such as shift_jis or macintosh; else it is told from its bytes.
    #[arg(long, value_name = "NAME")]
    encoding: Option<String>,
    /// The shop's address, for exports without addresses of products (Shopify, WooCommerce).
    #[arg(long, value_name = "URL")]
    shop_url: Option<String>,
    /// The currency of prices that have none, such as EUR.
    #[arg(long, value_name = "CODE", value_parser = currency)]
    currency: Option<String>,
    /// The decimal character of all prices; else each column's is told from its values.
    #[arg(long, value_name = "point|comma", value_parser = decimal)]
    decimal: Option<Decimal>,
    /// Ship a column as an attribute that is left out otherwise, such as description; "all" keeps
    /// every one. May be repeated.
    #[arg(long, value_name = "COLUMN")]
    keep_column: Vec<String>,
    /// Share of a feed's products that may be refused before the run fails.
    #[arg(long, default_value_t = 0.1, value_parser = values::share)]
    max_refused: f64,
}

impl Default for Reading {
    fn default() -> Self {
        Self {
            map: Vec::new(),
            encoding: None,
            shop_url: None,
            currency: None,
            decimal: None,
            keep_column: Vec::new(),
            max_refused: 0.1,
        }
    }
}

impl Reading {
    fn options(&self) -> Options {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Options {
            map: self.map.clone(),
            encoding: self.encoding.clone(),
            shop_url: self.shop_url.clone(),
            currency: self.currency.clone(),
            decimal: self.decimal,
            keep: self.keep_column.clone(),
            now: now.ok().and_then(|since| i64::try_from(since.as_secs()).ok()),
        }
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((ours, theirs)) if !ours.trim().is_empty() && !theirs.trim().is_empty() => {
            Ok((ours.trim().to_owned(), theirs.trim().to_owned()))
        }
        _ => Err("our name, = and the feed's are needed, such as title=Bezeichnung".into()),
    }
}

fn currency(text: &str) -> Result<String, String> {
    let code = text.trim().to_uppercase();
    if code.len() == 3 && code.bytes().all(|b| b.is_ascii_uppercase()) {
        Ok(code)
    } else {
        Err("a code of three letters is needed, such as EUR".into())
    }
}

fn decimal(text: &str) -> Result<Decimal, String> {
    [Decimal::Point, Decimal::Comma]
        .into_iter()
        .find(|decimal| decimal.as_str() == text)
        .ok_or_else(|| "point or comma is needed".into())
}

#[derive(clap::Args)]
pub(super) struct Args {
    /// The feed: a file, its address, or a folder with a file named catalog.
    feed: PathBuf,
    #[command(flatten)]
    reading: Reading,
    #[command(flatten)]
    fetch: pictures::Args,
    /// Products to show.
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = values::count(0..=1000))]
    first: usize,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<()> {
    if let Some(address) = catalogue::address(&args.feed)? {
        let (_, file) = Pictures::of_feed(&address, &args.fetch)?;
        return show(args, &address.to_string(), file);
    }
    let path = catalogue::feed_file(&args.feed)?;
    show(args, &path.display().to_string(), open(&path)?)
}

fn show(args: &Args, name: &str, source: impl Read + Seek) -> Result<()> {
    let limit = if args.json { SHOWN_JSON } else { SHOWN };
    let source = unpacked(source).map_err(|e| e.at(name))?;
    let mut feed = Feed::open(source, args.reading.options()).map_err(|e| e.at(name))?;
    let mut first = Vec::new();
    let mut refused = Vec::new();
    let mut lost = Vec::new();
    for found in &mut feed {
        match found.map_err(|e| e.at(name))? {
            Found::Product(entry) if first.len() < args.first => first.push(*entry),
            Found::Refused(remark) if refused.len() < limit => refused.push(remark),
            Found::Lost(loss, remark) if lost.len() < limit => lost.push((loss.as_str(), remark)),
            _ => {}
        }
    }
    let summary = feed.summary();
    let checked = summary.check(args.reading.max_refused).map_err(|e| e.at(name));
    let report = Report { name, about: feed.about(), summary, first, refused, lost };
    if args.json {
        let mut value = report.json();
        value["accepted"] = checked.is_ok().into();
        output::json(&value)?;
    } else {
        report.print()?;
    }
    checked
}

/// What `lookalike feed` says.
struct Report<'a> {
    name: &'a str,
    about: &'a About,
    summary: &'a Summary,
    first: Vec<Entry>,
    refused: Vec<Remark>,
    lost: Vec<(&'static str, Remark)>,
}

impl Report<'_> {
    fn print(&self) -> Result<()> {
        let About { dialect, encoding, mark, delimiter, columns } = self.about;
        let mark = if *mark { " with a byte order mark" } else { "" };
        let delimiter = delimiter.map_or_else(String::new, |d| format!(", {d} between values"));
        let name = self.name;
        output::line(format_args!("{name}: {}, {encoding}{mark}{delimiter}", dialect.describe()))?;
        output::line("columns:")?;
        for column in columns {
            let sample = column.sample.as_deref().unwrap_or("(always empty)");
            let note = column.note.as_deref().map_or_else(String::new, |n| format!("; {n}"));
            let became = describe(&column.target);
            let name = if column.name.is_empty() { "(no name)" } else { &column.name };
            output::line(format_args!(
                "  {name} -> {became}, {} filled{note}: {sample}",
                column.filled
            ))?;
        }
        for Entry { product, group, place } in &self.first {
            output::line(format_args!("line {}: {} {:?}", place.line, product.id, product.title))?;
            let money = |amount: f64| {
                let currency = product.currency.as_deref().unwrap_or("(no currency)");
                format!("{amount} {currency}")
            };
            let before = product.list_price.map(|p| format!("{} before", money(p)));
            for (what, text) in [
                ("price", product.price.map(money)),
                ("list price", before),
                ("availability", product.availability.map(|a| a.as_str().to_owned())),
                ("category", product.category.clone()),
                ("group", group.clone()),
                ("url", product.url.clone()),
            ] {
                if let Some(text) = text {
                    output::line(format_args!("  {what}: {text}"))?;
                }
            }
            for image in &product.images {
                output::line(format_args!("  picture: {}", image.image))?;
            }
            for (name, value) in &product.attributes {
                output::line(format_args!("  {name}: {value}"))?;
            }
        }
        for remark in &self.refused {
            output::line(format_args!("refused: {remark}"))?;
        }
        more(self.summary.refused, self.refused.len(), "refused")?;
        for (loss, remark) in &self.lost {
            output::line(format_args!("note ({loss}): {remark}"))?;
        }
        more(self.summary.losses.values().sum(), self.lost.len(), "noted")?;
        output::line(counts(self.summary))
    }

    fn json(&self) -> Value {
        let place = |remark: &Remark| json!({ "line": remark.place.line, "column": remark.place.column, "why": remark.why });
        let columns: Vec<Value> = self.about.columns.iter().map(column).collect();
        let products: Vec<Value> = self
            .first
            .iter()
            .map(|entry| {
                let (line, column) = (entry.place.line, entry.place.column);
                json!({ "line": line, "column": column, "group": entry.group, "product": entry.product })
            })
            .collect();
        let lost: Vec<Value> = self
            .lost
            .iter()
            .map(|(loss, remark)| {
                let mut value = place(remark);
                value["what"] = (*loss).into();
                value
            })
            .collect();
        let summary = self.summary;
        let left_out: BTreeMap<&str, u64> =
            summary.left_out.iter().map(|(why, &n)| (why.as_str(), n)).collect();
        let losses: BTreeMap<&str, u64> =
            summary.losses.iter().map(|(loss, &n)| (loss.as_str(), n)).collect();
        json!({
            "feed": self.name,
            "dialect": self.about.dialect.as_str(),
            "encoding": self.about.encoding,
            "byteOrderMark": self.about.mark,
            "delimiter": self.about.delimiter,
            "columns": columns,
            "first": products,
            "refused": self.refused.iter().map(place).collect::<Vec<_>>(),
            "lost": lost,
            "counts": {
                "rows": summary.rows,
                "products": summary.products,
                "pictures": summary.pictures,
                "variants": summary.variants,
                "refused": summary.refused,
                "leftOut": left_out,
                "lost": losses,
            },
            "brokenOff": summary.broken_off.as_ref().map(place),
        })
    }
}

fn column(column: &lookalike_feed::Column) -> Value {
    let (became, name) = match &column.target {
        Target::Field(slot) => (slot.as_str(), None),
        Target::Attribute(name) => ("attribute", Some(name.clone())),
        Target::OptionName(n) => ("option_name", Some(n.to_string())),
        Target::OptionValue(n) => ("option_value", Some(n.to_string())),
        Target::Internal => ("left_out", None),
        Target::Ignored => ("ignored", None),
    };
    json!({
        "name": column.name,
        "became": became,
        "as": name,
        "filled": column.filled,
        "sample": column.sample,
        "note": column.note,
    })
}

fn describe(target: &Target) -> String {
    match target {
        Target::Field(slot) => slot.as_str().to_owned(),
        Target::Attribute(name) => format!("attribute {name}"),
        Target::OptionName(n) => format!("name of option {n}"),
        Target::OptionValue(n) => format!("value of option {n}"),
        Target::Internal => "left out (--keep-column ships it)".to_owned(),
        Target::Ignored => "ignored".to_owned(),
    }
}

fn more(all: u64, shown: usize, what: &str) -> Result<()> {
    match all.saturating_sub(shown as u64) {
        0 => Ok(()),
        rest => output::line(format_args!("and {rest} more {what}")),
    }
}

/// The counts of a feed in a line.
fn counts(summary: &Summary) -> String {
    let Summary { rows, products, pictures, variants, refused, .. } = summary;
    let mut text = format!(
        "{rows} rows: {products} products ({variants} of them variants) with {pictures} pictures, \
         {refused} refused"
    );
    for (why, n) in &summary.left_out {
        text += &format!(", {n} {} left out", why.as_str());
    }
    for (loss, n) in &summary.losses {
        text += &format!(", {n} lost: {}", loss.as_str());
    }
    text
}

/// Opens a feed's file.
pub(super) fn open(path: &Path) -> Result<File> {
    files::must_exist(path, "give a feed, or a folder of pictures")?;
    let failed =
        |cause| Error::with_source(ErrorKind::Io, format!("cannot read {}", path.display()), cause);
    // A pipe can be read once, and a feed is read twice.
    if !path.metadata().map_err(failed)?.is_file() {
        let what = format!("{} is no file: save the feed first", path.display());
        return Err(Error::new(ErrorKind::BadCatalog, what));
    }
    File::open(path).map_err(failed)
}

/// Reads all of a feed: its products, and what could not be used, with the reason. What products
/// lost is said on the way.
pub(super) fn read(
    source: impl Read + Seek,
    name: &str,
    reading: &Reading,
) -> Result<(Vec<Item>, Vec<String>)> {
    let source = unpacked(source).map_err(|e| e.at(name))?;
    let mut feed = Feed::open(source, reading.options()).map_err(|e| e.at(name))?;
    let mut items = Vec::new();
    let mut skipped = Vec::new();
    let mut said = 0;
    for found in &mut feed {
        match found.map_err(|e| e.at(name))? {
            Found::Product(entry) => {
                items.push(Item { product: entry.product, group: entry.group });
            }
            Found::Refused(remark) => skipped.push(format!("{name}: {remark}")),
            Found::Lost(_, remark) => {
                said += 1;
                if said <= SHOWN {
                    output::remark(format_args!("note: {name}: {remark}"));
                }
            }
            Found::LeftOut(..) => {}
        }
    }
    let summary = feed.summary();
    let About { dialect, encoding, .. } = feed.about();
    let encoding = if *encoding == "UTF-8" { String::new() } else { format!(" in {encoding}") };
    output::remark(format_args!("{name}: {}{encoding}: {}", dialect.describe(), counts(summary)));
    if let Err(error) = summary.check(reading.max_refused) {
        for reason in skipped.iter().take(SHOWN) {
            output::remark(format_args!("refused: {reason}"));
        }
        return Err(error.at(name));
    }
    Ok((items, skipped))
}
