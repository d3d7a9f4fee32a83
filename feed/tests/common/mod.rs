//! Reading a feed in one go.
#![allow(dead_code, reason = "each test uses some of it")]

use std::io::Cursor;

use lookalike_feed::{About, Entry, Feed, Found, LeftOut, Loss, Options, Remark, Summary};
use lookalike_products::Product;

pub(crate) struct Read {
    pub(crate) about: About,
    pub(crate) entries: Vec<Entry>,
    pub(crate) refused: Vec<Remark>,
    pub(crate) left_out: Vec<LeftOut>,
    pub(crate) lost: Vec<(Loss, Remark)>,
    pub(crate) summary: Summary,
}

impl Read {
    pub(crate) fn ids(&self) -> Vec<&str> {
        self.entries.iter().map(|e| e.product.id.as_str()).collect()
    }

    pub(crate) fn product(&self, id: &str) -> &Product {
        let found = self.entries.iter().find(|e| e.product.id == id);
        &found.unwrap_or_else(|| panic!("no {id} among {:?}", self.ids())).product
    }

    pub(crate) fn images(&self, id: &str) -> Vec<&str> {
        self.product(id).images.iter().map(|i| i.image.as_str()).collect()
    }

    pub(crate) fn group(&self, id: &str) -> Option<&str> {
        self.entries.iter().find(|e| e.product.id == id).and_then(|e| e.group.as_deref())
    }

    /// Prices in order.
    pub(crate) fn prices(&self) -> Vec<Option<f64>> {
        self.entries.iter().map(|e| e.product.price).collect()
    }
}

pub(crate) fn read_with(bytes: impl AsRef<[u8]>, options: Options) -> Read {
    try_read(bytes, options).unwrap_or_else(|e| panic!("{e}"))
}

pub(crate) fn read(bytes: impl AsRef<[u8]>) -> Read {
    read_with(bytes, Options::default())
}

pub(crate) fn try_read(bytes: impl AsRef<[u8]>, options: Options) -> lookalike_error::Result<Read> {
    let mut feed = Feed::open(Cursor::new(bytes.as_ref()), options)?;
    let mut read = Read {
        about: feed.about().clone(),
        entries: Vec::new(),
        refused: Vec::new(),
        left_out: Vec::new(),
        lost: Vec::new(),
        summary: Summary::default(),
    };
    for found in &mut feed {
        match found? {
            Found::Product(entry) => read.entries.push(*entry),
            Found::Refused(remark) => read.refused.push(remark),
            Found::LeftOut(why, _) => read.left_out.push(why),
            Found::Lost(loss, remark) => read.lost.push((loss, remark)),
        }
    }
    read.summary = feed.summary().clone();
    assert_eq!(read.summary.products, read.entries.len() as u64);
    assert_eq!(read.summary.refused, read.refused.len() as u64);
    Ok(read)
}

/// What opening a feed is refused with.
pub(crate) fn refusal(bytes: impl AsRef<[u8]>) -> String {
    match try_read(bytes, Options::default()) {
        Ok(read) => panic!("read as {:?}", read.about),
        Err(error) => error.to_string(),
    }
}
