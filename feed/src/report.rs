//! What reading a feed has to say besides its products.

use std::collections::BTreeMap;
use std::fmt;

use lookalike_error::{Error, ErrorKind, Result};

use crate::columns::Target;

/// A place in a feed's text, both counted from 1; columns are characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: u64,
    /// The character in that line.
    pub column: u64,
}

impl Place {
    pub(crate) const START: Self = Self { line: 1, column: 1 };

    pub(crate) fn pass(&mut self, c: char) {
        if c == '\n' {
            self.line += 1;
            self.column = 1;
        } else {
            self.column += 1;
        }
    }

    /// Passes UTF-8 text, which may end within a character.
    pub(crate) fn pass_bytes(&mut self, bytes: &[u8]) {
        let newlines = bytes.iter().filter(|&&b| b == b'\n').count() as u64;
        let tail = match bytes.iter().rposition(|&b| b == b'\n') {
            Some(at) => {
                self.line += newlines;
                self.column = 1;
                &bytes[at + 1..]
            }
            None => bytes,
        };
        // Each character has one byte that continues none.
        self.column += tail.iter().filter(|&&b| b & 0xc0 != 0x80).count() as u64;
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// Something that a message is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// Where it stands.
    pub place: Place,
    /// What is the matter.
    pub why: String,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.why)
    }
}

/// What a product lost although it was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loss {
    /// Bytes that stand for no character.
    Byte,
    /// A price that cannot be read.
    Price,
    /// A currency that two values disagree about.
    Currency,
    /// A word for availability that is not known.
    Availability,
    /// A category that is a number of Google's taxonomy and no word.
    Category,
    /// An address that is no http or https address.
    Url,
    /// A value that was too long, or too many of them.
    Cut,
    /// A variant whose product is not in the feed, and the like.
    Relation,
}

impl Loss {
    /// Its name in JSON; stable.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Byte => "byte",
            Self::Price => "price",
            Self::Currency => "currency",
            Self::Availability => "availability",
            Self::Category => "category",
            Self::Url => "url",
            Self::Cut => "cut",
            Self::Relation => "relation",
        }
    }
}

/// Why a product was left out on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeftOut {
    /// A draft or otherwise unfinished.
    Draft,
    /// Private.
    Private,
    /// Not published, archived or hidden.
    Unpublished,
}

impl LeftOut {
    /// Its name in JSON; stable.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Private => "private",
            Self::Unpublished => "unpublished",
        }
    }
}

/// A column of the feed and what it became.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Its name as the feed has it.
    pub name: String,
    /// What it became.
    pub target: Target,
    /// How many rows have a value in it.
    pub filled: u64,
    /// The first value.
    pub sample: Option<String>,
    /// What was decided about it, such as how its prices are written.
    pub note: Option<String>,
}

/// Counts of a feed that was read to its end.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Rows, elements or items, without the header.
    pub rows: u64,
    /// Products given.
    pub products: u64,
    /// Their pictures.
    pub pictures: u64,
    /// Products that share a group with one before them.
    pub variants: u64,
    /// What could not be used.
    pub refused: u64,
    /// What was left out on purpose, by reason.
    pub left_out: BTreeMap<LeftOut, u64>,
    /// What products lost although they were kept.
    pub losses: BTreeMap<Loss, u64>,
    /// Where the feed broke off, if it did: what came after is not known.
    pub broken_off: Option<Remark>,
}

impl Summary {
    /// Whether no more was lost than allowed.
    ///
    /// # Errors
    /// `BadCatalog` if the feed broke off, gave no product, or if more than the share `max_refused`
    /// (0 to 1) of what should have been a product was refused.
    pub fn check(&self, max_refused: f64) -> Result<()> {
        let bad = |what: String| Err(Error::new(ErrorKind::BadCatalog, what));
        if let Some(remark) = &self.broken_off {
            return bad(format!("{remark}; get the feed again, in full"));
        }
        if self.products == 0 && self.refused == 0 {
            return bad(match self.left_out.values().sum::<u64>() {
                0 => "the feed has no products".to_owned(),
                n => format!("the feed has no products but {n} that are not published"),
            });
        }
        let total = self.products + self.refused;
        if self.products == 0 || self.refused as f64 > max_refused * total as f64 {
            return bad(format!(
                "{} of {total} products could not be used, more than the {:.0} % that are allowed \
                 (--max-refused)",
                self.refused,
                max_refused * 100.0
            ));
        }
        Ok(())
    }
}
