//! JSON: one object a line, an array of them, or an object that holds such an array. Elements are
//! taken apart by their brackets, so that a damaged one costs no other, and none is held longer
//! than it takes to read it.

use std::collections::VecDeque;
use std::io::{self, BufRead};

use serde_json::Value;

use crate::budget::{TOO_MUCH, TooMuch};
use crate::columns::is_picture;
use crate::dialect::{schema_org, variants};
use crate::encoding::Text;
use crate::graph;
use crate::pictures;
use crate::record::{Field, MAX_RECORD, Names, Raw, Record, key};
use crate::report::{Place, Remark};

/// Names under which objects hold the list of their products.
const LISTS: [&str; 10] = [
    "products",
    "items",
    "data",
    "entries",
    "hits",
    "results",
    "offers",
    "feed",
    "@graph",
    "itemListElement",
];

/// How the elements are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// One a line.
    Lines,
    /// One after the other, or in an array.
    Values,
    /// In an array that an object holds under this name.
    Within(String),
}

/// Tells the layout from a feed's first characters. `small` feeds may be read as one value.
pub(crate) fn layout(sample: &str, small: bool) -> Layout {
    let text = sample.trim_start();
    if !text.starts_with('{') {
        return Layout::Values;
    }
    let is_object = |line: &str| serde_json::from_str::<Value>(line).is_ok_and(|v| v.is_object());
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let (first, second) = (lines.next().unwrap_or_default(), lines.next());
    let objects = |line: &str| line.starts_with('{') && line.ends_with('}');
    match second {
        Some(second) if is_object(first) || (objects(second) && is_object(second)) => {
            return Layout::Lines;
        }
        _ => {}
    }
    let linked = text.contains("\"@context\"") || text.contains("\"@type\"");
    if linked && small {
        return Layout::Values;
    }
    // The first key of the outermost object whose value is an array of objects.
    let mut depth = 0usize;
    let mut rest = text;
    while let Some(at) = rest.find(['{', '[', '}', ']', '"']) {
        let c = rest.as_bytes()[at];
        rest = &rest[at + 1..];
        match c {
            b'"' => {
                let Some(end) = string_end(rest) else { break };
                let name = &rest[..end];
                rest = &rest[end + 1..];
                let value = rest.trim_start().strip_prefix(':').map(str::trim_start);
                let list = value.and_then(|v| v.strip_prefix('[')).map(str::trim_start);
                if depth == 1 && LISTS.contains(&name) && list.is_some_and(|l| l.starts_with('{')) {
                    return Layout::Within(name.to_owned());
                }
            }
            b'{' | b'[' => depth += 1,
            _ => depth = depth.saturating_sub(1),
        }
        if depth == 0 {
            break;
        }
    }
    Layout::Values
}

/// Where a string that has begun ends.
fn string_end(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.bytes().enumerate() {
        match c {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at),
            _ => {}
        }
    }
    None
}

/// The elements of a feed.
pub(crate) struct Elements<'a> {
    text: Text<'a>,
    layout: Layout,
    /// Brackets of arrays, and of the object around the list, that are open.
    open: Vec<u8>,
    /// Whether the list that [`Layout::Within`] names is found.
    found: bool,
    line: u64,
    out: VecDeque<Raw>,
    /// Whether any element was schema.org's.
    pub(crate) linked: bool,
    ended: bool,
}

/// A piece of JSON that stands where an element should.
enum Piece {
    Element(Vec<u8>),
    TooLong,
    Unclosed,
}

impl<'a> Elements<'a> {
    pub(crate) fn new(text: Text<'a>, layout: Layout) -> Self {
        Self {
            text,
            layout,
            open: Vec::new(),
            found: false,
            line: 0,
            out: VecDeque::new(),
            linked: false,
            ended: false,
        }
    }

    /// What comes next.
    pub(crate) fn next(&mut self, names: &mut Names) -> io::Result<Option<Raw>> {
        loop {
            if let Some(raw) = self.out.pop_front() {
                return Ok(Some(raw));
            }
            if self.ended {
                return Ok(None);
            }
            if self.layout == Layout::Lines {
                self.next_line(names)?;
            } else {
                self.next_value(names)?;
            }
            self.out.extend(self.text.take_bad().into_iter().map(Raw::Bad));
        }
    }

    fn next_line(&mut self, names: &mut Names) -> io::Result<()> {
        let mut line = String::new();
        let Some(cut) = self.text.line(MAX_RECORD, &mut line)? else {
            self.ended = true;
            return Ok(());
        };
        self.line += 1;
        let place = Place { line: self.line, column: 1 };
        if cut {
            self.refuse(place, format!("the line is longer than {} MiB", MAX_RECORD >> 20));
        } else if !line.trim().is_empty() {
            self.element(&line, place, names);
        }
        Ok(())
    }

    fn next_value(&mut self, names: &mut Names) -> io::Result<()> {
        let place = self.text.place();
        let Some(&byte) = self.text.fill_buf()?.first() else {
            self.ended = true;
            if self.open.is_empty() {
                return Ok(());
            }
            let why = "the feed breaks off within a list".to_owned();
            self.out.push_back(Raw::BrokenOff(Remark { place, why }));
            return Ok(());
        };
        let wrapped = matches!(self.layout, Layout::Within(_));
        match byte {
            b if b.is_ascii_whitespace() || b == b',' => self.text.consume(1),
            b'[' => {
                self.text.consume(1);
                self.open.push(b'[');
            }
            b']' | b'}' => {
                self.text.consume(1);
                self.open.pop();
            }
            b'{' if wrapped && !self.found && self.open.is_empty() => {
                self.text.consume(1);
                self.open.push(b'{');
            }
            // Keys and other values around the list.
            _ if wrapped && self.open.last() != Some(&b'[') => self.around()?,
            b'{' => match self.piece()? {
                Piece::Element(bytes) => {
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    self.element(&text, place, names);
                }
                Piece::TooLong => {
                    self.refuse(
                        place,
                        format!("the element is longer than {} MiB", MAX_RECORD >> 20),
                    );
                }
                Piece::Unclosed => {
                    self.ended = true;
                    let why = "the feed breaks off within the element that begins here".to_owned();
                    self.out.push_back(Raw::BrokenOff(Remark { place, why }));
                }
            },
            _ => {
                // A number, a word or a text where an object should stand.
                let quoted = byte == b'"';
                self.skip_scalar(quoted)?;
                self.refuse(place, "an object should stand here".to_owned());
            }
        }
        Ok(())
    }

    /// Passes a key, a colon or a value of the object around the list.
    fn around(&mut self) -> io::Result<()> {
        match self.text.fill_buf()?.first() {
            Some(b'"') => {
                let name = self.skip_scalar(true)?;
                let Layout::Within(wanted) = &self.layout else { return Ok(()) };
                let is_list = name.trim_matches('"') == wanted && !self.found;
                self.skip_space(b':')?;
                if is_list && self.text.fill_buf()?.first() == Some(&b'[') {
                    self.found = true;
                    self.text.consume(1);
                    self.open.push(b'[');
                }
            }
            Some(b'{' | b'[') => {
                self.piece()?;
            }
            _ => {
                self.skip_scalar(false)?;
            }
        }
        Ok(())
    }

    fn skip_space(&mut self, also: u8) -> io::Result<()> {
        while let Some(&b) = self.text.fill_buf()?.first() {
            if !b.is_ascii_whitespace() && b != also {
                break;
            }
            self.text.consume(1);
        }
        Ok(())
    }

    /// Passes a text, or anything else up to what may follow a value; gives its begin.
    fn skip_scalar(&mut self, quoted: bool) -> io::Result<String> {
        let mut seen = Vec::new();
        let mut escaped = false;
        let mut first = true;
        while let Some(&b) = self.text.fill_buf()?.first() {
            let ends = matches!(b, b',' | b']' | b'}') || b.is_ascii_whitespace();
            if !quoted && ends && !first {
                break;
            }
            self.text.consume(1);
            if seen.len() < 64 {
                seen.push(b);
            }
            if quoted && !first && !escaped && (b == b'"' || b == b'\n') {
                break;
            }
            escaped = b == b'\\' && !escaped;
            first = false;
        }
        Ok(String::from_utf8_lossy(&seen).into_owned())
    }

    /// Takes the text of an object or array, whose first bracket comes next.
    fn piece(&mut self) -> io::Result<Piece> {
        let mut bytes = Vec::new();
        let mut long = false;
        let mut depth = 0usize;
        let (mut within_text, mut escaped, mut torn, mut fresh) = (false, false, false, false);
        loop {
            let chunk = self.text.fill_buf()?;
            if chunk.is_empty() {
                return Ok(Piece::Unclosed);
            }
            let mut used = 0;
            let mut done = false;
            for &b in chunk {
                // After a line that broke a text off, an element that begins a line is the next one.
                if torn && fresh && !b.is_ascii_whitespace() {
                    if b == b'{' {
                        done = true;
                        break;
                    }
                    fresh = false;
                }
                used += 1;
                if within_text {
                    match b {
                        _ if escaped => escaped = false,
                        b'\\' => escaped = true,
                        b'"' => within_text = false,
                        b'\n' => (within_text, torn, fresh) = (false, true, true),
                        _ => {}
                    }
                    continue;
                }
                match b {
                    b'"' => within_text = true,
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => {
                        depth = depth.saturating_sub(1);
                        done = depth == 0;
                    }
                    b'\n' => fresh = true,
                    _ => {}
                }
                if done {
                    break;
                }
            }
            long |= bytes.len() + used > MAX_RECORD;
            if long {
                bytes = Vec::new();
            } else {
                bytes.extend_from_slice(&chunk[..used]);
            }
            self.text.consume(used);
            if done {
                return Ok(if long { Piece::TooLong } else { Piece::Element(bytes) });
            }
        }
    }

    fn refuse(&mut self, place: Place, why: String) {
        self.out.push_back(Raw::Refused(Remark { place, why }));
    }

    fn element(&mut self, text: &str, place: Place, names: &mut Names) {
        let mut value: Value = match serde_json::from_str(text) {
            Ok(value) => value,
            Err(cause) => {
                let (place, why) = json_error(&cause, place);
                return self.refuse(place, why);
            }
        };
        graph::without_connections(&mut value);
        self.linked |= schema_org::is_linked(&value);
        let within = match &mut value {
            Value::Object(object) if !schema_org::is_linked_object(object) => {
                graph::products(object)
            }
            Value::Array(list) => Some(std::mem::take(list)),
            _ => None,
        };
        // All begin where the answer around them does: the library keeps no places.
        let Some(list) = within else { return self.product(&value, place, names) };
        for value in &list {
            self.product(value, place, names);
        }
    }

    fn product(&mut self, value: &Value, place: Place, names: &mut Names) {
        match records(value, place, names) {
            Ok(Some(records)) => self.out.extend(records.into_iter().map(Raw::Record)),
            Ok(None) => self.refuse(place, "an object should stand here".to_owned()),
            Err(TooMuch) => self.refuse(place, TOO_MUCH.to_owned()),
        }
    }
}

/// An error of the library's with its place in the feed.
pub(crate) fn json_error(cause: &serde_json::Error, begin: Place) -> (Place, String) {
    let (line, column) = (cause.line().max(1) as u64, cause.column() as u64);
    let place = if line == 1 {
        Place { line: begin.line, column: (begin.column + column).saturating_sub(1).max(1) }
    } else {
        Place { line: begin.line + line - 1, column }
    };
    let text = cause.to_string();
    let what = text.split(" at line ").next().unwrap_or_default();
    (place, format!("no JSON: {what}"))
}

/// The products of an element; `None` if it is no object.
///
/// # Errors
/// `TooMuch` if they are larger than is kept in memory.
pub(crate) fn records(
    value: &Value,
    place: Place,
    names: &mut Names,
) -> Result<Option<Vec<Record>>, TooMuch> {
    let pairs = if schema_org::is_linked(value) {
        schema_org::products(value)?
    } else {
        let Some(object) = value.as_object() else { return Ok(None) };
        variants::products(object)?.unwrap_or_else(|| {
            let mut pairs = Vec::new();
            for (name, value) in object {
                flatten(&key(name), value, 0, &mut pairs);
            }
            vec![pairs]
        })
    };
    let record = |pairs: Vec<(String, String)>| Record {
        place,
        fields: pairs
            .into_iter()
            .filter_map(|(name, text)| Some(Field { column: names.intern(&name)?, text, place }))
            .collect(),
    };
    Ok(Some(pairs.into_iter().map(record).collect()))
}

/// Turns a value into named texts; what lies deeper has its path for a name.
pub(crate) fn flatten(name: &str, value: &Value, depth: usize, out: &mut Vec<(String, String)>) {
    let push = |out: &mut Vec<(String, String)>, text: String| out.push((name.to_owned(), text));
    if is_picture(name) && !value.is_string() {
        let mut found = Vec::new();
        pictures::of_json(value, &mut found);
        found.into_iter().for_each(|text| push(out, text));
        return;
    }
    match value {
        Value::Null => {}
        Value::Bool(yes) => push(out, yes.to_string()),
        Value::Number(number) => push(out, number_text(number)),
        Value::String(text) => push(out, text.clone()),
        Value::Array(list) => {
            for value in list {
                match pair(value) {
                    Some((name, value)) => flatten(&key(name), value, depth + 1, out),
                    None if !value.is_array() => flatten(name, value, depth + 1, out),
                    None => {}
                }
            }
        }
        Value::Object(object) => {
            let get = |names: &[&str]| names.iter().find_map(|n| object.get(*n));
            let amount =
                get(&["amount", "value", "price"]).filter(|v| v.is_number() || v.is_string());
            let currency = get(&["currency", "currencyCode", "currency_code", "priceCurrency"])
                .and_then(Value::as_str);
            if let (Some(amount), Some(currency)) = (amount, currency) {
                let amount = scalar(amount).unwrap_or_default();
                push(out, format!("{amount} {currency}"));
            } else if let Some(text) = get(&["name", "title", "label", "@value"]).and_then(scalar) {
                push(out, text);
            } else if depth < 3 {
                for (sub, value) in object {
                    flatten(&format!("{name}_{}", key(sub)), value, depth + 1, out);
                }
            }
        }
    }
}

/// `{"name": …, "value": …}`, which is an attribute.
fn pair(value: &Value) -> Option<(&str, &Value)> {
    let object = value.as_object()?;
    Some((object.get("name")?.as_str()?, object.get("value")?))
}

/// A text, number or truth value as text.
pub(crate) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number_text(number)),
        Value::Bool(yes) => Some(yes.to_string()),
        _ => None,
    }
}

/// A number as text that no decimal comma can be seen in: the point of JSON is a decimal one, even
/// before three digits.
fn number_text(number: &serde_json::Number) -> String {
    let text = number.to_string();
    match text.split_once('.') {
        Some((_, fraction)) if fraction.len() == 3 => format!("{text}0"),
        _ => text,
    }
}
