//! Items of XML feeds: RSS 2.0, Atom, and lists of products of other makes.
//!
//! Read as leniently as feeds are written: a bare `&` is a character, references of HTML are known
//! without a declaration, and declarations are never expanded.

use std::collections::HashMap;
use std::io::{self, BufRead};

use maybe_xml::Reader;
use maybe_xml::token::Ty;
use maybe_xml::token::prop::Attributes;

use crate::encoding::Text;
use crate::record::{Field, MAX_RECORD, Names, Raw, Record, key};
use crate::report::{Place, Remark};
use crate::text::decode;

/// Google's names, by which others are ruled out.
const GOOGLE: [&str; 2] = ["http://base.google.com/ns/1.0", "https://base.google.com/ns/1.0"];
/// Names that need no prefix to be told.
const PLAIN: [&str; 2] = ["http://base.google.com/cns", "http://www.w3.org/2005/Atom"];
const MEDIA: &str = "http://search.yahoo.com/mrss";
/// Elements that stand for a product.
const ITEMS: [&str; 5] = ["item", "entry", "product", "offer", "shopitem"];
/// Elements whose own elements are markup.
const TEXTS: [&str; 6] = ["title", "description", "summary", "content", "name", "encoded"];
/// Levels of elements within an item.
const MAX_DEPTH: usize = 64;

/// Prefixes of namespaces that are remembered.
const MAX_PREFIXES: usize = 64;

/// The items of a feed.
pub(crate) struct Items<'a> {
    text: Text<'a>,
    /// What was read of it and is not taken apart yet begins at `at`, which is `place`.
    buffer: String,
    at: usize,
    place: Place,
    /// Whether the text is read to its end.
    drained: bool,
    /// What prefixes stand for; an empty one for names without.
    prefixes: HashMap<String, String>,
    /// Names of the elements that are open, outside of items.
    outside: Vec<String>,
    item: Option<Item>,
    /// Refused items that an element without an end has swallowed.
    swallowed: u64,
    bad: Vec<Place>,
    ended: bool,
}

/// A piece of XML.
enum Token {
    Start(Tag),
    /// An element with nothing in it.
    Empty(Tag),
    End(String),
    /// With its references.
    Text(String),
    /// As it is.
    Cdata(String),
    Other,
}

/// A tag that begins an element.
struct Tag {
    name: String,
    attributes: Vec<(String, String)>,
    /// The whole of it where there is a `<` in it.
    torn: Option<String>,
}

impl Tag {
    fn new(name: &str, attributes: Option<Attributes>, text: &str) -> Self {
        let attributes = attributes.into_iter().flatten().take(64).filter_map(|attribute| {
            let value = attribute.value()?.as_str();
            let value = value.trim_matches(['"', '\'']);
            Some((attribute.name().as_str().to_ascii_lowercase(), decode(value)))
        });
        let torn = text[1..].contains('<').then(|| text.to_owned());
        Self { name: name.to_owned(), attributes: attributes.collect(), torn }
    }
}

struct Item {
    name: String,
    place: Place,
    /// Names of the elements that are open within, as written and as known.
    open: Vec<Open>,
    values: Vec<Value>,
    bytes: usize,
    damage: Option<Remark>,
}

struct Open {
    written: String,
    known: String,
    google: bool,
    place: Place,
    text: String,
}

struct Value {
    name: String,
    google: bool,
    text: String,
    place: Place,
}

impl<'a> Items<'a> {
    pub(crate) fn new(text: Text<'a>) -> Self {
        Self {
            text,
            buffer: String::new(),
            at: 0,
            place: Place::START,
            drained: false,
            prefixes: HashMap::new(),
            outside: Vec::new(),
            item: None,
            swallowed: 0,
            bad: Vec::new(),
            ended: false,
        }
    }

    /// What comes next.
    pub(crate) fn next(&mut self, names: &mut Names) -> io::Result<Option<Raw>> {
        loop {
            if let Some(place) = self.bad.pop() {
                return Ok(Some(Raw::Bad(place)));
            }
            if self.ended {
                return Ok(None);
            }
            let place = self.place;
            if self.swallowed > 0 {
                self.swallowed -= 1;
                let why = "the item stands in an element that is damaged".to_owned();
                return Ok(Some(Raw::Refused(Remark { place, why })));
            }
            let raw = match self.token()? {
                Some(Token::Start(tag)) => self.start(tag, place),
                Some(Token::Empty(tag)) => {
                    let name = tag.name.clone();
                    let before = self.start(tag, place);
                    let after = self.end(&name, place, names);
                    before.or(after)
                }
                Some(Token::End(name)) => self.end(&name, place, names),
                Some(Token::Text(text)) => {
                    self.take_text(&decode(&text));
                    None
                }
                Some(Token::Cdata(text)) => {
                    self.take_text(&text);
                    None
                }
                Some(Token::Other) => None,
                None => self.finish(place),
            };
            self.bad.extend(self.text.take_bad().into_iter().rev());
            if raw.is_some() {
                return Ok(raw);
            }
        }
    }

    /// The end, which should come after the outermost element's.
    fn finish(&mut self, place: Place) -> Option<Raw> {
        self.ended = true;
        let rest = self.buffer.len() - self.at;
        let within = self.item.take().map(|item| item.name).or(self.outside.pop());
        let why = if rest > MAX_RECORD {
            format!("a tag is longer than {} MiB", MAX_RECORD >> 20)
        } else if rest > 0 {
            "the feed breaks off within a tag".to_owned()
        } else {
            format!("the feed breaks off within <{}>", within?)
        };
        Some(Raw::BrokenOff(Remark { place, why }))
    }

    /// The next piece; `None` at the end, or where a piece has none.
    fn token(&mut self) -> io::Result<Option<Token>> {
        loop {
            let mut at = self.at;
            let found = Reader::from_str(&self.buffer).tokenize(&mut at);
            // More of a text may follow, and of a reference in it.
            let whole = found.filter(|_| at < self.buffer.len() || self.drained);
            let token = whole.map(|token| match token.ty() {
                Ty::StartTag(tag) => {
                    Token::Start(Tag::new(tag.name().as_str(), tag.attributes(), tag.as_str()))
                }
                Ty::EmptyElementTag(tag) => {
                    Token::Empty(Tag::new(tag.name().as_str(), tag.attributes(), tag.as_str()))
                }
                Ty::EndTag(tag) => Token::End(tag.name().as_str().to_owned()),
                Ty::Characters(text) => Token::Text(text.content().as_str().to_owned()),
                Ty::Cdata(text) => Token::Cdata(text.content().as_str().to_owned()),
                _ => Token::Other,
            });
            if let Some(token) = token {
                self.place.pass_bytes(&self.buffer.as_bytes()[self.at..at]);
                self.at = at;
                return Ok(Some(token));
            }
            if self.drained || self.buffer.len() - self.at > MAX_RECORD {
                return Ok(None);
            }
            self.read_more()?;
        }
    }

    /// Reads at least as much as is there already: a long piece is looked at few times.
    fn read_more(&mut self) -> io::Result<()> {
        self.buffer.drain(..self.at);
        self.at = 0;
        let wanted = (self.buffer.len() * 2).max(1 << 16);
        let mut bytes = std::mem::take(&mut self.buffer).into_bytes();
        while bytes.len() < wanted {
            let chunk = self.text.fill_buf()?;
            if chunk.is_empty() {
                self.drained = true;
                break;
            }
            bytes.extend_from_slice(chunk);
            let used = chunk.len();
            self.text.consume(used);
        }
        // Chunks are whole characters.
        self.buffer = String::from_utf8(bytes)
            .unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned());
        Ok(())
    }

    fn start(&mut self, tag: Tag, place: Place) -> Option<Raw> {
        for (name, uri) in &tag.attributes {
            let prefix = name.strip_prefix("xmlns").map(|rest| rest.trim_start_matches(':'));
            if let Some(prefix) = prefix.filter(|_| self.prefixes.len() < MAX_PREFIXES) {
                self.prefixes.insert(prefix.to_owned(), uri.clone());
            }
        }
        let (name, google) = self.known(&tag.name);
        let Tag { name: written, attributes, torn } = tag;
        let is_item = ITEMS.contains(&name.as_str()) && !self.outside.is_empty();
        let mut refused = None;
        if let Some(item) = &mut self.item {
            // An item right within an item of the same name: the first was not closed.
            if is_item && item.open.is_empty() && item.name == written {
                let why = format!("<{written}> is not closed");
                refused = Some(Raw::Refused(Remark { place: item.place, why }));
                self.item = None;
            }
        }
        let Some(item) = &mut self.item else {
            if is_item {
                let mut item = Item {
                    name: written,
                    place,
                    open: Vec::new(),
                    values: Vec::new(),
                    bytes: 0,
                    damage: None,
                };
                for (name, text) in &attributes {
                    item.push(Value { name: key(name), google: false, text: text.clone(), place });
                }
                self.item = Some(item);
            } else if self.outside.len() < MAX_DEPTH {
                self.outside.push(written);
            }
            return refused;
        };
        // A `<` within a tag: one that was meant as a character, and has swallowed others.
        if let Some(text) = torn {
            let begin = format!("<{}", item.name);
            self.swallowed += text.matches(&begin).count() as u64;
            let why = "a < stands here that is no tag".to_owned();
            item.damage.get_or_insert(Remark { place, why });
        }
        if item.open.len() >= MAX_DEPTH {
            let why = format!("elements stand more than {MAX_DEPTH} deep");
            item.damage.get_or_insert(Remark { place, why });
        }
        let mut known = name;
        for (attribute, text) in &attributes {
            // <link rel="alternate" href="…"/>, <category term="…"/>, <enclosure url="…"/>
            match attribute.as_str() {
                "href" | "url" | "term" | "src" => {
                    item.push(Value { name: known.clone(), google, text: text.clone(), place });
                }
                "rel" if !matches!(text.as_str(), "alternate" | "") => {
                    known = format!("link_{text}");
                }
                _ => {}
            }
        }
        match item.open.last() {
            Some(parent) if item.open.len() < MAX_DEPTH => {
                known = format!("{}_{known}", parent.known);
            }
            // Names must not grow with depth for ever.
            Some(_) => known = String::new(),
            None => {}
        }
        item.open.push(Open { written, known, google, place, text: String::new() });
        refused
    }

    fn end(&mut self, written: &str, place: Place, names: &mut Names) -> Option<Raw> {
        let Some(item) = &mut self.item else {
            if let Some(at) = self.outside.iter().rposition(|name| name == written) {
                self.outside.truncate(at);
            }
            return None;
        };
        if let Some(at) = item.open.iter().rposition(|open| open.written == written) {
            if at + 1 < item.open.len() {
                let open = &item.open[at + 1];
                let why = format!("<{}> is not closed", open.written);
                item.damage.get_or_insert(Remark { place: open.place, why });
            }
            while item.open.len() > at {
                item.close();
            }
            return None;
        }
        let in_outside = self.outside.iter().any(|name| name == written);
        if written != item.name && !in_outside {
            let why = format!("</{written}> closes nothing");
            item.damage.get_or_insert(Remark { place, why });
            return None;
        }
        let mut item = self.item.take()?;
        if written != item.name {
            let why = format!("<{}> is not closed", item.name);
            item.damage = Some(Remark { place: item.place, why });
            self.end(written, place, names);
        } else if let Some(open) = item.open.first() {
            let why = format!("<{}> is not closed", open.written);
            item.damage.get_or_insert(Remark { place: open.place, why });
        }
        Some(item.finish(names))
    }

    /// A name as it is known, and whether it is one of Google's.
    fn known(&self, written: &str) -> (String, bool) {
        let (prefix, local) = written.split_once(':').unwrap_or(("", written));
        let local = key(local);
        let uri = self.prefixes.get(&prefix.to_ascii_lowercase()).map(String::as_str);
        let uri = uri.unwrap_or_default();
        if GOOGLE.contains(&uri.trim_end_matches('/')) {
            return (local, true);
        }
        // The prefix is Google's even where nobody says so.
        if prefix == "g" && uri.is_empty() {
            return (local, true);
        }
        if uri.starts_with(MEDIA) {
            return (format!("media_{local}"), false);
        }
        if prefix.is_empty() || PLAIN.iter().any(|plain| uri.starts_with(plain)) {
            return (local, false);
        }
        (format!("{}_{local}", key(prefix)), false)
    }

    fn take_text(&mut self, text: &str) {
        let Some(item) = &mut self.item else { return };
        item.bytes += text.len();
        if item.bytes > MAX_RECORD {
            let why = format!("the item is longer than {} MiB", MAX_RECORD >> 20);
            item.damage.get_or_insert(Remark { place: item.place, why });
        } else if let Some(open) = item.open.last_mut() {
            open.text.push_str(text);
        }
    }
}

impl Item {
    fn push(&mut self, value: Value) {
        self.bytes += value.text.len();
        if self.bytes <= MAX_RECORD && !value.text.trim().is_empty() {
            self.values.push(value);
        }
    }

    /// Takes the innermost element's value.
    fn close(&mut self) {
        let Some(open) = self.open.pop() else { return };
        // Markup within a text belongs to it.
        let within_text = self.open.iter().any(|open| TEXTS.contains(&open.known.as_str()));
        if let Some(parent) = self.open.last_mut()
            && within_text
        {
            parent.text.push(' ');
            parent.text.push_str(&open.text);
            return;
        }
        let Open { known, google, text, place, .. } = open;
        if known == "product_detail" {
            return self.detail();
        }
        // The text was counted as it came.
        self.bytes = self.bytes.saturating_sub(text.len());
        self.push(Value { name: known, google, text, place });
    }

    /// Google's details are attributes with names of their own.
    fn detail(&mut self) {
        let mut take = |name: &str| {
            let at = self.values.iter().rposition(|v| v.name == name)?;
            Some(self.values.remove(at))
        };
        let name = take("product_detail_attribute_name");
        let value = take("product_detail_attribute_value");
        take("product_detail_section_name");
        if let (Some(name), Some(value)) = (name, value) {
            self.values.push(Value { name: key(&name.text), google: false, ..value });
        }
    }

    fn finish(self, names: &mut Names) -> Raw {
        if let Some(damage) = self.damage {
            return Raw::Refused(damage);
        }
        let fields = self
            .values
            .iter()
            .filter(|value| {
                value.google || !self.values.iter().any(|v| v.google && v.name == value.name)
            })
            .filter_map(|value| {
                let column = names.intern(&value.name)?;
                Some(Field { column, text: value.text.clone(), place: value.place })
            })
            .collect();
        Raw::Record(Record { place: self.place, fields })
    }
}
