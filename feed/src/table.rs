//! Tables: rows of values between commas, semicolons, tabs or bars, quoted or not, with a header.
//!
//! Own code because libraries for CSV either end at damage or swallow it: a quote that nobody
//! closes makes one value of all the rows behind it. Here a quote is believed only as long as the
//! lines inside it do not look like rows themselves.

use std::collections::VecDeque;
use std::io;

use crate::encoding::Text;
use crate::pictures;
use crate::record::{Field, MAX_RECORD, Names, Raw, Record};
use crate::report::{Place, Remark};

/// Lines of one value.
const MAX_LINES: usize = 20_000;
/// Bytes that may be read again because a quote was not closed, besides four times those that were
/// read. After that no value goes on behind its line, so that reading takes time in proportion to
/// the feed.
const MAX_AGAIN: usize = 64 << 20;

/// Characters that may stand between values.
pub(crate) const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// A value, and where it begins.
#[derive(Debug)]
struct Cell {
    text: String,
    place: Place,
}

#[derive(Debug)]
struct Line {
    number: u64,
    text: String,
    cut: bool,
}

/// What a line did to a row.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Done,
    /// A quoted value goes on in the next line.
    Open,
    /// The quote at this place cannot be one that goes on.
    Broken(Place),
}

/// How quotes are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quotes {
    /// A value in quotes may hold anything; a stray quote in it is a character.
    Lenient,
    /// A stray quote in a quoted value breaks it.
    Strict,
    /// Quotes count only where both ends of a value have one.
    Paired,
}

/// A row as it grows line by line.
struct Parser {
    delimiter: u8,
    quotes: Quotes,
    cells: Vec<Cell>,
    /// The quoted value that is not closed yet.
    open: Option<Cell>,
}

impl Parser {
    fn new(delimiter: u8, quotes: Quotes) -> Self {
        Self { delimiter, quotes, cells: Vec::new(), open: None }
    }

    fn line(&mut self, line: &str, number: u64) -> Step {
        let bytes = line.as_bytes();
        let mut at = 0;
        // Columns are counted once along the line.
        let (mut counted, mut column) = (0, 1);
        let mut place = |to: usize| {
            column += line[counted..to].chars().count() as u64;
            counted = to;
            Place { line: number, column }
        };
        loop {
            if let Some(open) = &mut self.open {
                let Some(found) = bytes[at..].iter().position(|&b| b == b'"') else {
                    open.text.push_str(&line[at..]);
                    open.text.push('\n');
                    return Step::Open;
                };
                let quote = at + found;
                open.text.push_str(&line[at..quote]);
                if bytes.get(quote + 1) == Some(&b'"') {
                    open.text.push('"');
                    at = quote + 2;
                    continue;
                }
                let rest = line[quote + 1..].trim_start_matches(' ');
                if rest.is_empty() || rest.as_bytes()[0] == self.delimiter {
                    self.cells.extend(self.open.take());
                    if rest.is_empty() {
                        return Step::Done;
                    }
                    at = line.len() - rest.len() + 1;
                    continue;
                }
                // A quote at a value's begin, in a later line: another value's.
                let opens = quote == 0 || bytes[quote - 1] == self.delimiter;
                if self.quotes == Quotes::Strict || (opens && number > open.place.line) {
                    return Step::Broken(open.place);
                }
                open.text.push('"');
                at = quote + 1;
                continue;
            }
            let start = line.len() - line[at..].trim_start_matches(' ').len();
            let end = bytes[at..].iter().position(|&b| b == self.delimiter);
            let end = end.map_or(line.len(), |n| at + n);
            if bytes.get(start) == Some(&b'"') {
                let inner = match self.quotes {
                    Quotes::Paired => paired(line[start..end].trim_end_matches(' ')),
                    _ => {
                        self.open = Some(Cell { text: String::new(), place: place(start) });
                        at = start + 1;
                        continue;
                    }
                };
                let text = inner.unwrap_or_else(|| line[at..end].to_owned());
                self.cells.push(Cell { text, place: place(start) });
            } else {
                self.cells.push(Cell { text: line[at..end].to_owned(), place: place(at) });
            }
            if end == line.len() {
                return Step::Done;
            }
            at = end + 1;
        }
    }
}

/// What stands in the quotes around a value, if they are a pair.
fn paired(cell: &str) -> Option<String> {
    let inner = cell.strip_prefix('"')?.strip_suffix('"')?;
    // Quotes within are doubled.
    let alone = inner.replace("\"\"", "").contains('"');
    (!alone).then(|| inner.replace("\"\"", "\""))
}

/// The rows of a table.
pub(crate) struct Table<'a> {
    text: Text<'a>,
    delimiter: u8,
    /// The number in [`Names`] of each of the header's columns.
    header: Vec<usize>,
    /// The place among them of the column with the pictures, by which rows are known.
    picture: Option<usize>,
    pending: VecDeque<Line>,
    next_line: u64,
    /// Bytes read, and of them read again.
    total: usize,
    again: usize,
    out: VecDeque<Raw>,
    /// Whether a line of Meta's advice stood before the header.
    pub(crate) advice: bool,
}

impl<'a> Table<'a> {
    /// Reads up to the header, whose names it adds.
    pub(crate) fn open(text: Text<'a>, delimiter: u8, names: &mut Names) -> io::Result<Self> {
        let mut table = Self {
            text,
            delimiter,
            header: Vec::new(),
            picture: None,
            pending: VecDeque::new(),
            next_line: 1,
            total: 0,
            again: 0,
            out: VecDeque::new(),
            advice: false,
        };
        while let Some(cells) = table.header_row()? {
            let mut filled =
                cells.iter().map(|c| c.text.trim()).filter(|t| !t.is_empty()).peekable();
            let sep = cells.first().is_some_and(|c| is_separator_line(&c.text));
            if filled.peek().is_none() || sep {
                continue;
            }
            if filled.all(|text| text.starts_with('#')) {
                table.advice |= cells.iter().any(|c| c.text.contains("# Required |"));
                continue;
            }
            let most = crate::record::MAX_COLUMNS;
            table.header =
                cells.iter().take(most).map(|cell| names.push_column(&cell.text)).collect();
            break;
        }
        Ok(table)
    }

    /// Tells which of the names' columns names pictures.
    pub(crate) fn look_for(&mut self, column: Option<usize>) {
        self.picture = self.header.iter().position(|c| Some(*c) == column);
    }

    fn header_row(&mut self) -> io::Result<Option<Vec<Cell>>> {
        let Some(line) = self.take_line()? else { return Ok(None) };
        Ok(Some(match self.row(line)? {
            Ok(cells) => cells,
            Err((line, _)) => {
                let mut parser = Parser::new(self.delimiter, Quotes::Paired);
                parser.line(&line.text, line.number);
                parser.cells
            }
        }))
    }

    /// What comes next.
    pub(crate) fn next(&mut self) -> io::Result<Option<Raw>> {
        loop {
            if let Some(raw) = self.out.pop_front() {
                return Ok(Some(raw));
            }
            let line = self.take_line();
            self.out.extend(self.text.take_bad().into_iter().map(Raw::Bad));
            let Some(line) = line? else { return Ok(self.out.pop_front()) };
            if line.text.trim().is_empty() && !line.text.contains(char::from(self.delimiter)) {
                continue;
            }
            let begin = Place { line: line.number, column: 1 };
            if line.cut {
                let why = format!("the row is longer than {} MiB", MAX_RECORD >> 20);
                self.out.push_back(Raw::Refused(Remark { place: begin, why }));
                continue;
            }
            match self.row(line)? {
                Ok(cells) => self.out.extend(self.record(begin, cells)),
                Err((_, place)) => {
                    let why = "the quote that opens here is not closed".to_owned();
                    self.out.push_back(Raw::Refused(Remark { place, why }));
                }
            }
            self.out.extend(self.text.take_bad().into_iter().map(Raw::Bad));
        }
    }

    fn take_line(&mut self) -> io::Result<Option<Line>> {
        if let Some(line) = self.pending.pop_front() {
            return Ok(Some(line));
        }
        let mut text = String::new();
        let cut = self.text.line(MAX_RECORD, &mut text)?;
        let number = self.next_line;
        self.next_line += 1;
        self.total += text.len();
        Ok(cut.map(|cut| Line { number, text, cut }))
    }

    /// The values of the row that begins with a line, or where a quote in it is not closed. Then
    /// the lines after this one are left to be read as rows.
    fn row(&mut self, first: Line) -> io::Result<Result<Vec<Cell>, (Line, Place)>> {
        let tabs = self.delimiter == b'\t';
        if tabs {
            // Quotes in such files are mostly inches: pairs around a value count, and only where
            // that does not give a row is more tried.
            let mut parser = Parser::new(self.delimiter, Quotes::Paired);
            parser.line(&first.text, first.number);
            let opens = |text: &str| text.trim_start_matches(' ').starts_with('"');
            if !parser.cells.iter().any(|cell| opens(&cell.text)) {
                return Ok(Ok(parser.cells));
            }
        }
        let quotes = if tabs { Quotes::Strict } else { Quotes::Lenient };
        let mut parser = Parser::new(self.delimiter, quotes);
        let is_row = self.is_row(&first.text);
        let mut step = parser.line(&first.text, first.number);
        let mut taken: Vec<Line> = Vec::new();
        let mut bytes = first.text.len();
        let spent = self.again > MAX_AGAIN + self.total.saturating_mul(4);
        while step == Step::Open {
            let open = parser.open.as_ref().map_or(Place::START, |cell| cell.place);
            let full = bytes > MAX_RECORD || taken.len() > MAX_LINES || spent;
            let line = if full { None } else { self.take_line()? };
            let Some(line) = line else {
                step = Step::Broken(open);
                break;
            };
            // A row within a quote that itself is in what looks like a row.
            let swallows = self.is_row(&line.text) && (is_row || tabs);
            step = if swallows { Step::Broken(open) } else { parser.line(&line.text, line.number) };
            bytes += line.text.len() + 1;
            taken.push(line);
        }
        let width = self.header.len();
        if step == Step::Done && width > 0 && !taken.is_empty() && parser.cells.len() != width {
            // The wrong number of values over several lines, the next of which is a row by itself.
            if taken.iter().any(|line| self.is_row(&line.text)) {
                let place = parser.cells.iter().find(|c| c.text.contains('\n')).map(|c| c.place);
                step = Step::Broken(place.unwrap_or(Place { line: first.number, column: 1 }));
            }
        }
        let wrong_width = width > 0 && parser.cells.len() != width;
        if matches!(step, Step::Broken(_)) || (tabs && wrong_width) {
            self.again += bytes;
            for line in taken.into_iter().rev() {
                self.pending.push_front(line);
            }
            if tabs {
                let mut parser = Parser::new(self.delimiter, Quotes::Paired);
                parser.line(&first.text, first.number);
                return Ok(Ok(parser.cells));
            }
        }
        Ok(match step {
            Step::Broken(place) => Err((first, place)),
            _ => Ok(parser.cells),
        })
    }

    /// Whether a line is as wide as the header and has a picture in its place, quotes or not.
    fn is_row(&self, line: &str) -> bool {
        let Some(picture) = self.picture else { return false };
        let delimiter = char::from(self.delimiter);
        line.split(delimiter).nth(picture).is_some_and(pictures::is_likely)
            && line.split(delimiter).count() == self.header.len()
    }

    fn record(&self, place: Place, cells: Vec<Cell>) -> Option<Raw> {
        let width = self.header.len();
        if cells.iter().all(|cell| cell.text.trim().is_empty()) {
            return None;
        }
        if let Some(extra) = cells.iter().skip(width).find(|cell| !cell.text.trim().is_empty()) {
            let why = format!(
                "the row has {} values and the header {width}: a value that holds {} must stand in \
                 quotes",
                cells.len(),
                delimiter_name(self.delimiter)
            );
            return Some(Raw::Refused(Remark { place: extra.place, why }));
        }
        let fields = self
            .header
            .iter()
            .zip(cells)
            .filter(|(_, cell)| !cell.text.trim().is_empty())
            .map(|(&column, cell)| Field { column, text: cell.text, place: cell.place })
            .collect();
        Some(Raw::Record(Record { place, fields }))
    }
}

/// `sep=;`, by which spreadsheets say what stands between values.
fn is_separator_line(text: &str) -> bool {
    let text = text.trim().trim_matches('"').to_ascii_lowercase();
    text.strip_prefix("sep=").is_some_and(|rest| rest.len() <= 1)
}

/// What a delimiter is called in messages and JSON.
pub(crate) fn delimiter_name(delimiter: u8) -> &'static str {
    match delimiter {
        b'\t' => "tab",
        b';' => "semicolon",
        b'|' => "bar",
        _ => "comma",
    }
}

/// Tells the delimiter from the first lines: what `sep=` says, else the one that gives a header
/// with most names that are known and rows that are as wide as it.
pub(crate) fn delimiter(sample: &str, is_known: impl Fn(&str) -> bool) -> u8 {
    let first = sample.lines().next().unwrap_or_default();
    if is_separator_line(first) {
        return sep_of(first).unwrap_or(b'\t');
    }
    // With one of them in front, `sep=,` is cut at it.
    if let Some(d) = sep_of(first) {
        return d;
    }
    let score = |&delimiter: &u8| {
        let mut rows = Vec::new();
        let mut parser = Parser::new(delimiter, Quotes::Lenient);
        let ended = sample.ends_with('\n');
        let lines: Vec<&str> = sample.lines().collect();
        // The last line of a sample may be cut.
        let whole = lines.len() - usize::from(!ended && lines.len() > 1);
        for (number, line) in lines[..whole].iter().enumerate() {
            match parser.line(line, number as u64 + 1) {
                Step::Open => continue,
                Step::Done | Step::Broken(_) => {
                    let row =
                        std::mem::replace(&mut parser, Parser::new(delimiter, Quotes::Lenient));
                    rows.push(row.cells);
                }
            }
            if rows.len() > 50 {
                break;
            }
        }
        let blank = |cells: &Vec<Cell>| cells.iter().all(|c| c.text.trim().is_empty());
        rows.retain(|cells| !blank(cells) && !cells.iter().all(|c| c.text.starts_with('#')));
        let Some((header, rows)) = rows.split_first() else { return (0, 0, 0) };
        let known = header.iter().filter(|cell| is_known(&cell.text)).count();
        let even = rows.iter().filter(|row| row.len() == header.len()).count();
        let even = if rows.is_empty() { 0 } else { even * 100 / rows.len() };
        (known, if header.len() > 1 { even } else { 0 }, header.len())
    };
    DELIMITERS.iter().copied().rev().max_by_key(score).unwrap_or(b',')
}

fn sep_of(line: &str) -> Option<u8> {
    let line = line.trim_matches(['"', ' ', '\r']);
    let rest = line.get(..4).filter(|b| b.eq_ignore_ascii_case("sep=")).map(|_| &line[4..])?;
    DELIMITERS.into_iter().find(|&d| rest.as_bytes().first() == Some(&d))
}
