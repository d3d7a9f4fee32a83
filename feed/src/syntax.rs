//! How a feed is written down, told from its first characters, and its rows one after the other.

use std::collections::VecDeque;
use std::io::{self, Read, Seek, SeekFrom};

use lookalike_error::{Error, ErrorKind, Result};

use crate::charset::Charset;
use crate::columns::{self, Mapping, Slot};
use crate::encoding::Text;
use crate::html;
use crate::json::{self, Elements, Layout};
use crate::record::{MAX_RECORD, Names, Raw};
use crate::table::{self, Table};
use crate::xml::Items;

/// Characters by which a feed's syntax is told.
const SAMPLE: u64 = 64 << 10;

/// How a feed is written down.
#[derive(Clone, Debug)]
pub(crate) enum Syntax {
    Table(u8),
    Xml,
    Json(Layout),
    Html,
}

pub(crate) enum Rows<'a> {
    Table(Table<'a>),
    Xml(Items<'a>),
    Json(Elements<'a>),
    Html(VecDeque<Raw>),
}

impl<'a> Rows<'a> {
    pub(crate) fn open(
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

    pub(crate) fn next(&mut self, names: &mut Names) -> io::Result<Option<Raw>> {
        match self {
            Self::Table(table) => table.next(),
            Self::Xml(items) => items.next(names),
            Self::Json(elements) => elements.next(names),
            Self::Html(raws) => Ok(raws.pop_front()),
        }
    }

    /// Lets a table know by which column its rows are told.
    pub(crate) fn look_for(&mut self, mapping: &Mapping) {
        if let Self::Table(table) = self {
            let slots = [Slot::Image, Slot::VariantImage, Slot::MoreImages];
            let column = slots.iter().find_map(|&slot| mapping.columns(slot).first());
            table.look_for(column.copied());
        }
    }
}

pub(crate) fn failed(cause: io::Error) -> Error {
    Error::with_source(ErrorKind::Io, "the feed cannot be read", cause)
}

/// The first characters, once it is sure that they are characters.
pub(crate) fn sample<R: Read + Seek>(source: &mut R, charset: Charset) -> Result<String> {
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
        [0x1f, 0x8b, ..] => return bad("this is packed with gzip, twice perhaps: unpack it first"),
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

pub(crate) fn syntax<R: Seek>(source: &mut R, sample: &str) -> io::Result<Syntax> {
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
