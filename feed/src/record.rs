//! What every syntax comes down to: records of named values.

use std::collections::HashMap;

use crate::report::{Place, Remark};

/// Columns beyond these are not read.
pub(crate) const MAX_COLUMNS: usize = 1024;
/// Bytes of one value, or one record, that are read at most.
pub(crate) const MAX_RECORD: usize = 8 << 20;

/// A value of a record.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    /// Which of the [`Names`].
    pub(crate) column: usize,
    pub(crate) text: String,
    pub(crate) place: Place,
}

/// A row, element or item. A column may have several values.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) place: Place,
    pub(crate) fields: Vec<Field>,
}

/// What a syntax gives next.
#[derive(Debug)]
pub(crate) enum Raw {
    Record(Record),
    /// A row that cannot be read.
    Refused(Remark),
    /// Bytes that stand for no character.
    Bad(Place),
    /// Nothing can be read from here on.
    BrokenOff(Remark),
}

/// The columns' names, as the feed has them and in the form by which they are known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    list: Vec<(String, String)>,
    index: HashMap<String, usize>,
}

impl Names {
    /// The number of a column, given one if it is new and there is room.
    pub(crate) fn intern(&mut self, name: &str) -> Option<usize> {
        let key = key(name);
        if let Some(&at) = self.index.get(&key) {
            return Some(at);
        }
        if key.is_empty() || self.list.len() >= MAX_COLUMNS {
            return None;
        }
        Some(self.push(name, key))
    }

    /// A column of a table, where each has a number of its own even if the name is used twice.
    pub(crate) fn push_column(&mut self, name: &str) -> usize {
        self.push(name, key(name))
    }

    fn push(&mut self, name: &str, key: String) -> usize {
        let at = self.list.len();
        self.index.entry(key.clone()).or_insert(at);
        self.list.push((name.trim().to_owned(), key));
        at
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    /// The name as the feed has it.
    pub(crate) fn name(&self, column: usize) -> &str {
        self.list.get(column).map_or("", |(name, _)| name)
    }

    /// The name by which it is known.
    pub(crate) fn key(&self, column: usize) -> &str {
        self.list.get(column).map_or("", |(_, key)| key)
    }

    /// The column of a key.
    pub(crate) fn find(&self, key: &str) -> Option<usize> {
        self.index.get(key).copied()
    }
}

/// The form by which a column is known: lower case, `imageLink`, `Image Link`, `g:image_link` and
/// `image-link` all `image_link`. What stands in brackets behind a metafield's name is left out.
pub(crate) fn key(name: &str) -> String {
    let name = name.trim().trim_start_matches('\u{feff}');
    let name = name.strip_prefix("g:").unwrap_or(name);
    let name = name.split(" (product.metafields").next().unwrap_or(name);
    let mut key = String::with_capacity(name.len());
    let mut before = '_';
    for c in name.chars() {
        if c.is_alphanumeric() {
            let camel = c.is_uppercase() && (before.is_lowercase() || before.is_ascii_digit());
            if camel && !key.ends_with('_') {
                key.push('_');
            }
            key.extend(c.to_lowercase());
        } else if !key.is_empty() && !key.ends_with('_') {
            key.push('_');
        }
        before = c;
    }
    key.truncate(key.trim_end_matches('_').len());
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_known_however_they_are_spelt() {
        for name in ["image_link", "Image Link", "g:image_link", "imageLink", " IMAGE-LINK "] {
            assert_eq!(key(name), "image_link", "{name}");
        }
        assert_eq!(key("Attribute 1 value(s)"), "attribute_1_value_s");
        assert_eq!(key("image[0].url"), "image_0_url");
        assert_eq!(key("In stock?"), "in_stock");
        assert_eq!(key("productGroupID"), "product_group_id");
        assert_eq!(key("Color (product.metafields.shopify.color-pattern)"), "color");
        assert_eq!(key("Währung"), "währung");
        assert_eq!(key("  "), "");
    }
}
