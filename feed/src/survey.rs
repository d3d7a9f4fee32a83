//! The first look over a feed: its dialect, its columns, how its prices are written, and which rows
//! belong together.

use std::collections::HashMap;
use std::io::{self, Read, Seek};

use lookalike_error::{Error, ErrorKind, Result};

use crate::charset::Charset;
use crate::columns::Mapping;
use crate::columns::Slot;
use crate::dialect::Dialect;
use crate::dialect::shopify::Shopify;
use crate::dialect::woocommerce::{self, WooCommerce};
use crate::json::Layout;
use crate::options::Options;
use crate::price::{Decimal, Evidence};
use crate::product::{hidden, shown};
use crate::record::{Names, Raw, Record};
use crate::report::{Column, Remark};
use crate::syntax::{Rows, Syntax, failed};

/// How rows become drafts of products.
pub(crate) enum Assembly {
    Plain,
    Shopify(Shopify),
    WooCommerce(WooCommerce),
}

/// What the first look over a column found.
#[derive(Clone, Debug, Default)]
struct Seen {
    filled: u64,
    sample: Option<String>,
    evidence: Evidence,
}

/// The first look over a feed.
pub(crate) struct Survey {
    pub(crate) dialect: Dialect,
    pub(crate) names: Names,
    pub(crate) mapping: Mapping,
    pub(crate) assembly: Assembly,
    seen: Vec<Seen>,
    pub(crate) decimals: HashMap<usize, Decimal>,
    records: u64,
    /// The first row that cannot be read.
    refused: Option<Remark>,
}

impl Survey {
    pub(crate) fn run<R: Read + Seek>(
        source: &mut R,
        charset: Charset,
        syntax: &Syntax,
        sample: &str,
        options: &Options,
    ) -> Result<Self> {
        let mut names = Names::default();
        let mut dialect = match syntax {
            Syntax::Table(_) => table_dialect(source, charset, syntax).map_err(failed)?,
            Syntax::Xml => xml_dialect(sample),
            Syntax::Json(Layout::Lines) => Dialect::JsonLines,
            Syntax::Json(_) => Dialect::Json,
            Syntax::Html => Dialect::SchemaOrg,
        };
        let mut rows = Rows::open(&mut *source, charset, syntax, &mut names).map_err(failed)?;
        // Tables have all their columns at once, others as they come.
        let mut mapping = match syntax {
            Syntax::Table(_) => Mapping::new(&names, dialect, options)?,
            _ => Mapping::new(&names, dialect, &Options::default())?,
        };
        rows.look_for(&mapping);
        let mut woo = WooCommerce::default();
        let mut seen: Vec<Seen> = Vec::new();
        let mut records = 0;
        let mut refused = None;
        while let Some(raw) = rows.next(&mut names).map_err(failed)? {
            let record = match raw {
                Raw::Record(record) => record,
                Raw::Refused(remark) | Raw::BrokenOff(remark) => {
                    refused.get_or_insert(remark);
                    continue;
                }
                Raw::Bad(_) => continue,
            };
            records += 1;
            seen.resize(names.len(), Seen::default());
            look(&record, &mut seen);
            if dialect == Dialect::WooCommerce {
                let draft = mapping.draft(record);
                woo.survey(&draft, hidden(&draft).is_none());
            }
        }
        if matches!(&rows, Rows::Json(elements) if elements.linked) {
            dialect = Dialect::SchemaOrg;
        }
        if !matches!(syntax, Syntax::Table(_)) && records > 0 {
            mapping = Mapping::new(&names, dialect, options)?;
        }
        seen.resize(names.len(), Seen::default());
        let assembly = match dialect {
            Dialect::Shopify | Dialect::ShopifyOld => {
                let tracked = !mapping.columns(Slot::Tracker).is_empty();
                Assembly::Shopify(Shopify::new(tracked))
            }
            Dialect::WooCommerce => Assembly::WooCommerce(woo),
            _ => Assembly::Plain,
        };
        let decimals = HashMap::new();
        Ok(Self { dialect, names, mapping, assembly, seen, decimals, records, refused })
    }

    /// Decides how prices are written, and describes the columns.
    pub(crate) fn columns(&mut self, options: &Options) -> Vec<Column> {
        let mut notes: HashMap<usize, String> = HashMap::new();
        let slots = [Slot::Price, Slot::SalePrice, Slot::ListPrice];
        let mut prices: Vec<usize> =
            slots.iter().flat_map(|&slot| self.mapping.columns(slot)).copied().collect();
        prices.sort_unstable();
        prices.dedup();
        let mut together = Evidence::default();
        for &column in &prices {
            together.join(self.seen[column].evidence);
        }
        let currency = options.currency.clone().or_else(|| {
            let column = self.mapping.columns(Slot::Currency).first()?;
            self.seen[*column].sample.clone()
        });
        for column in prices {
            let evidence = self.seen[column].evidence;
            let told = options.decimal.or(evidence.verdict());
            let decimal =
                told.or(together.verdict()).unwrap_or_else(|| evidence.guess(currency.as_deref()));
            self.decimals.insert(column, decimal);
            if self.seen[column].filled > 0 {
                let guessed = told.is_none() && evidence.is_open();
                let how = if guessed && together.verdict().is_none() {
                    " (a guess: three digits follow every separator; --decimal settles it)"
                } else {
                    ""
                };
                notes.insert(column, format!("decimal {}{how}", decimal.as_str()));
            }
        }
        (0..self.names.len())
            .map(|column| Column {
                name: self.names.name(column).to_owned(),
                target: self.mapping.target(column).clone(),
                filled: self.seen[column].filled,
                sample: self.seen[column].sample.clone(),
                note: notes.remove(&column),
            })
            .collect()
    }
}

fn look(record: &Record, seen: &mut [Seen]) {
    for field in &record.fields {
        let Some(seen) = seen.get_mut(field.column) else { continue };
        let text = field.text.trim();
        if text.is_empty() {
            continue;
        }
        seen.filled += 1;
        if seen.sample.is_none() {
            seen.sample = Some(shown(text));
        }
        let is_short = text.len() <= 100 && text.contains(['.', ',']);
        if is_short && text.contains(|c: char| c.is_ascii_digit()) {
            seen.evidence.add(&crate::text::decode(text));
        }
    }
}

/// Refuses a feed from which no product can come.
pub(crate) fn check(survey: &Survey, columns: &[Column]) -> Result<()> {
    let has = |slots: &[Slot]| slots.iter().any(|&slot| !survey.mapping.columns(slot).is_empty());
    let bad = |what: String| Err(Error::new(ErrorKind::BadCatalog, what));
    if columns.is_empty() {
        return bad(match (&survey.refused, survey.dialect) {
            (Some(remark), _) => remark.to_string(),
            (_, Dialect::SchemaOrg) => {
                "there is no JSON-LD of a schema.org Product in it".to_owned()
            }
            _ => "there are no products in it".to_owned(),
        });
    }
    let names: Vec<&str> =
        columns.iter().map(|c| c.name.as_str()).filter(|name| !name.is_empty()).take(40).collect();
    let names = names.join(", ");
    if !has(&[Slot::Image, Slot::MoreImages, Slot::VariantImage]) {
        return bad(format!(
            "no column of pictures, such as image or image_link, is among {names}; --map image=COLUMN \
             names it"
        ));
    }
    if !has(&[Slot::Id, Slot::Handle]) {
        return bad(format!(
            "no column of ids, such as id or sku, is among {names}; --map id=COLUMN names it"
        ));
    }
    if survey.records == 0 && survey.refused.is_none() {
        return bad("the feed has no products".to_owned());
    }
    Ok(())
}

/// The dialect of XML, by its outermost element.
fn xml_dialect(sample: &str) -> Dialect {
    let root = sample.split('<').skip(1).find(|tag| !tag.starts_with(['?', '!']));
    let name = root.and_then(|tag| tag.split(|c: char| c.is_whitespace() || c == '>').next());
    match name.unwrap_or_default().to_ascii_lowercase().rsplit(':').next() {
        Some("rss" | "rdf" | "channel") => Dialect::Rss,
        Some("feed") => Dialect::Atom,
        _ => Dialect::Xml,
    }
}

/// The dialect of a table, by its header and first rows.
fn table_dialect<R: Read + Seek>(
    source: &mut R,
    charset: Charset,
    syntax: &Syntax,
) -> io::Result<Dialect> {
    let mut names = Names::default();
    let mut rows = Rows::open(source, charset, syntax, &mut names)?;
    let advice = matches!(&rows, Rows::Table(table) if table.advice);
    let mut values: Vec<Vec<String>> = vec![Vec::new(); names.len()];
    for _ in 0..50 {
        match rows.next(&mut names)? {
            Some(Raw::Record(record)) => {
                for field in record.fields {
                    values[field.column].push(field.text.trim().to_lowercase());
                }
            }
            Some(_) => {}
            None => break,
        }
    }
    let woo = values.iter().any(|v| woocommerce::are_types(v.iter().map(String::as_str)))
        && ["id", "sku", "artikelnummer"].iter().any(|name| names.find(name).is_some());
    Ok(Dialect::of_table(&names, advice, woo))
}
