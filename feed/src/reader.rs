//! Reading a feed: once over all of it to learn how it is written, then product by product.

use std::collections::{HashMap, VecDeque};
use std::io::{self, Read, Seek, SeekFrom};

use lookalike_error::{Error, ErrorKind, Result};

use crate::columns::{self, Mapping, Slot};
use crate::dialect::Dialect;
use crate::dialect::shopify::Shopify;
use crate::dialect::woocommerce::{self, WooCommerce};
use crate::encoding::{Charset, Text};
use crate::html;
use crate::json::{self, Elements, Layout};
use crate::options::Options;
use crate::price::{Decimal, Evidence};
use crate::product::{Entry, Maker, Outcome, hidden, shown};
use crate::record::{MAX_RECORD, Names, Raw, Record};
use crate::report::{Column, LeftOut, Loss, Remark, Summary};
use crate::table::{self, Table};
use crate::xml::Items;

/// Characters by which a feed's syntax is told.
const SAMPLE: u64 = 64 << 10;

/// What a feed is, as told from its content.
#[derive(Clone, Debug, PartialEq)]
pub struct About {
    /// Whose way of writing it follows.
    pub dialect: Dialect,
    /// Its encoding's name, such as `UTF-8`.
    pub encoding: &'static str,
    /// Whether a byte order mark stands at its begin.
    pub mark: bool,
    /// What stands between values, for tables: `comma`, `semicolon`, `tab` or `bar`.
    pub delimiter: Option<&'static str>,
    /// Its columns in their order, or in the order of their first use.
    pub columns: Vec<Column>,
}

/// What reading gives next.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// A product.
    Product(Box<Entry>),
    /// What cannot be used.
    Refused(Remark),
    /// What is left out on purpose.
    LeftOut(LeftOut, Remark),
    /// What a product that was kept has lost.
    Lost(Loss, Remark),
}

/// How a feed is written down.
#[derive(Clone, Debug)]
enum Syntax {
    Table(u8),
    Xml,
    Json(Layout),
    Html,
}

enum Rows<'a> {
    Table(Table<'a>),
    Xml(Items<'a>),
    Json(Elements<'a>),
    Html(VecDeque<Raw>),
}

impl<'a> Rows<'a> {
    fn open(
        mut source: impl Read + Seek + 'a,
        charset: Charset,
        syntax: &Syntax,
        names: &mut Names,
    ) -> io::Result<Self> {
        source.seek(SeekFrom::Start(0))?;
        let mut text = Text::new(source, charset);
        Ok(match syntax {
            Syntax::Table(delimiter) => Self::Table(Table::open(text, *delimiter, names)?),
            Syntax::Xml => Self::Xml(Items::new(text.with_mended_tags())),
            Syntax::Json(layout) => Self::Json(Elements::new(text, layout.clone())),
            Syntax::Html => Self::Html(html::read(&mut text, names)?),
        })
    }

    fn next(&mut self, names: &mut Names) -> io::Result<Option<Raw>> {
        match self {
            Self::Table(table) => table.next(),
            Self::Xml(items) => items.next(names),
            Self::Json(elements) => elements.next(names),
            Self::Html(raws) => Ok(raws.pop_front()),
        }
    }

    /// Lets a table know by which column its rows are told.
    fn look_for(&mut self, mapping: &Mapping) {
        if let Self::Table(table) = self {
            let slots = [Slot::Image, Slot::VariantImage, Slot::MoreImages];
            let column = slots.iter().find_map(|&slot| mapping.columns(slot).first());
            table.look_for(column.copied());
        }
    }
}

/// How rows become drafts of products.
enum Assembly {
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

/// A feed that is being read. Iterating gives its products and all that is the matter with it.
pub struct Feed<'a> {
    about: About,
    rows: Rows<'a>,
    names: Names,
    mapping: Mapping,
    assembly: Assembly,
    maker: Maker,
    options: Options,
    queue: VecDeque<Found>,
    summary: Summary,
    ended: bool,
}

impl<'a> Feed<'a> {
    /// Looks over a feed. It is read twice from its begin: which of comma and point is the decimal
    /// one, and which rows belong together, cannot be told from its first lines.
    ///
    /// # Errors
    /// `BadCatalog` if it is empty or no feed, if no column has ids or pictures, or if the options
    /// name a column that it does not have; `Io` if reading fails.
    pub fn open<R: Read + Seek + 'a>(mut source: R, options: Options) -> Result<Self> {
        let charset = Charset::detect(&mut source).map_err(failed)?;
        let sample = sample(&mut source, charset)?;
        let syntax = syntax(&mut source, &sample).map_err(failed)?;
        let mut survey = Survey::run(&mut source, charset, &syntax, &sample, &options)?;
        let columns = survey.columns(&options);
        check(&survey.mapping, survey.dialect, &columns, survey.records)?;
        let mut names = Names::default();
        let mut rows = Rows::open(source, charset, &syntax, &mut names).map_err(failed)?;
        rows.look_for(&survey.mapping);
        let about = About {
            dialect: survey.dialect,
            encoding: charset.name(),
            mark: charset.mark(),
            delimiter: match syntax {
                Syntax::Table(delimiter) => Some(table::delimiter_name(delimiter)),
                _ => None,
            },
            columns,
        };
        Ok(Self {
            about,
            rows,
            names: survey.names,
            mapping: survey.mapping,
            assembly: survey.assembly,
            maker: Maker::new(options.clone(), survey.decimals),
            options,
            queue: VecDeque::new(),
            summary: Summary::default(),
            ended: false,
        })
    }

    /// What the feed is.
    #[must_use]
    pub fn about(&self) -> &About {
        &self.about
    }

    /// Counts of what was read so far; of the whole feed once iterating has ended.
    #[must_use]
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    fn advance(&mut self) -> Result<()> {
        match self.rows.next(&mut self.names).map_err(failed)? {
            Some(Raw::Record(record)) => {
                self.summary.rows += 1;
                let draft = self.mapping.draft(record);
                match &mut self.assembly {
                    Assembly::Plain => self.make(draft),
                    Assembly::Shopify(shopify) => {
                        let done = shopify.push(draft, &self.options);
                        done.into_iter().for_each(|draft| self.make(draft));
                    }
                    Assembly::WooCommerce(woo) => {
                        let place = draft.place;
                        if let Some((draft, lost)) = woo.take(draft, &self.options) {
                            if lost {
                                let why = format!(
                                    "the variation's product {:?} is not in the feed",
                                    shown(draft.get(Slot::Group).unwrap_or_default())
                                );
                                self.lose(Loss::Relation, Remark { place, why });
                            }
                            self.make(draft);
                        }
                    }
                }
            }
            Some(Raw::Refused(remark)) => {
                self.summary.rows += 1;
                self.refuse(remark);
            }
            Some(Raw::Bad(place)) => {
                let why = "a byte stands here that is no character".to_owned();
                self.lose(Loss::Byte, Remark { place, why });
            }
            Some(Raw::BrokenOff(remark)) => {
                self.summary.broken_off = Some(remark.clone());
                self.refuse(remark);
            }
            None => {
                self.ended = true;
                if let Assembly::Shopify(shopify) = &mut self.assembly {
                    let done = shopify.finish(&self.options);
                    done.into_iter().for_each(|draft| self.make(draft));
                }
            }
        }
        Ok(())
    }

    fn make(&mut self, draft: columns::Draft) {
        let outcome = self.maker.make(draft);
        let kept = matches!(outcome, Outcome::Entry(_));
        let losses = std::mem::take(&mut self.maker.losses);
        match outcome {
            Outcome::Entry(entry) => {
                self.summary.products += 1;
                self.summary.pictures += entry.product.images.len() as u64;
                self.summary.variants = self.maker.variants;
                self.queue.push_back(Found::Product(entry));
            }
            Outcome::LeftOut(why, remark) => {
                *self.summary.left_out.entry(why).or_default() += 1;
                self.queue.push_back(Found::LeftOut(why, remark));
            }
            Outcome::Refused(remark) => self.refuse(remark),
        }
        if kept {
            losses.into_iter().for_each(|(loss, remark)| self.lose(loss, remark));
        }
    }

    fn refuse(&mut self, remark: Remark) {
        self.summary.refused += 1;
        self.queue.push_back(Found::Refused(remark));
    }

    fn lose(&mut self, loss: Loss, remark: Remark) {
        *self.summary.losses.entry(loss).or_default() += 1;
        self.queue.push_back(Found::Lost(loss, remark));
    }
}

impl Iterator for Feed<'_> {
    type Item = Result<Found>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(found) = self.queue.pop_front() {
                return Some(Ok(found));
            }
            if self.ended {
                return None;
            }
            if let Err(error) = self.advance() {
                self.ended = true;
                return Some(Err(error));
            }
        }
    }
}

/// The first look over a feed.
struct Survey {
    dialect: Dialect,
    names: Names,
    mapping: Mapping,
    assembly: Assembly,
    seen: Vec<Seen>,
    decimals: HashMap<usize, Decimal>,
    records: u64,
}

impl Survey {
    fn run<R: Read + Seek>(
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
        while let Some(raw) = rows.next(&mut names).map_err(failed)? {
            let Raw::Record(record) = raw else { continue };
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
        Ok(Self { dialect, names, mapping, assembly, seen, decimals, records })
    }

    /// Decides how prices are written, and describes the columns.
    fn columns(&mut self, options: &Options) -> Vec<Column> {
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
fn check(mapping: &Mapping, dialect: Dialect, columns: &[Column], records: u64) -> Result<()> {
    let has = |slots: &[Slot]| slots.iter().any(|&slot| !mapping.columns(slot).is_empty());
    let bad = |what: String| Err(Error::new(ErrorKind::BadCatalog, what));
    if columns.is_empty() {
        return bad(match dialect {
            Dialect::SchemaOrg => "there is no JSON-LD of a schema.org Product in it".to_owned(),
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
    if records == 0 {
        return bad("the feed has no products".to_owned());
    }
    Ok(())
}

fn failed(cause: io::Error) -> Error {
    Error::with_source(ErrorKind::Io, "the feed cannot be read", cause)
}

/// The first characters, once it is sure that they are characters.
fn sample<R: Read + Seek>(source: &mut R, charset: Charset) -> Result<String> {
    let bad = |what: &str| Err(Error::new(ErrorKind::BadCatalog, what));
    source.seek(SeekFrom::Start(0)).map_err(failed)?;
    let mut head = Vec::new();
    source.by_ref().take(8).read_to_end(&mut head).map_err(failed)?;
    match head.as_slice() {
        [] => return bad("the feed is empty"),
        [b'P', b'K', 3, 4, ..] | [0xd0, 0xcf, 0x11, 0xe0, ..] => {
            return bad(
                "this is a workbook or an archive: save the table as CSV, or unpack it first",
            );
        }
        [0x1f, 0x8b, ..] => return bad("this is packed with gzip: unpack it first"),
        [0x89, b'P', b'N', b'G', ..] | [0xff, 0xd8, 0xff, ..] | [b'G', b'I', b'F', b'8', ..] => {
            return bad("this is a picture: give the folder that it is in");
        }
        [b'%', b'P', b'D', b'F', ..] => return bad("this is a PDF: give a table, XML or JSON"),
        _ => {}
    }
    source.seek(SeekFrom::Start(0)).map_err(failed)?;
    let mut text = Vec::new();
    Text::new(&mut *source, charset).take(SAMPLE).read_to_end(&mut text).map_err(failed)?;
    // Cut within a character, perhaps.
    let text = String::from_utf8_lossy(&text).into_owned();
    if text.trim().is_empty() {
        return bad("the feed is empty");
    }
    Ok(text)
}

fn syntax<R: Seek>(source: &mut R, sample: &str) -> io::Result<Syntax> {
    let size = source.seek(SeekFrom::End(0))?;
    let text = sample.trim_start();
    let begins = |c: char, then: &[char]| {
        text.strip_prefix(c)
            .is_some_and(|rest| rest.trim_start().starts_with(then) || rest.trim().is_empty())
    };
    let head: String = text.chars().take(1024).collect::<String>().to_ascii_lowercase();
    Ok(if text.starts_with('<') {
        if head.contains("<!doctype html") || head.contains("<html") {
            Syntax::Html
        } else {
            Syntax::Xml
        }
    } else if begins('{', &['"', '}']) || begins('[', &['{', ']', '[']) {
        Syntax::Json(json::layout(sample, size <= MAX_RECORD as u64))
    } else {
        Syntax::Table(table::delimiter(sample, columns::is_known))
    })
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
