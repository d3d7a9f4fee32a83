//! Product feeds as shops have them: tables, XML and JSON of Google Merchant, Meta, Shopify,
//! WooCommerce, schema.org and others, told from their content.
//!
//! [`Feed`] reads bytes; files and addresses are opened elsewhere. It goes over a feed twice and
//! holds no more of it than a record at a time, a few bytes for each id, and WooCommerce's variable
//! products. Nothing is lost in silence: what cannot be used is [refused](Found::Refused) with its
//! place, what a product loses is [said](Found::Lost), and [`Summary`] counts both.

mod address;
mod availability;
mod budget;
mod charset;
mod columns;
mod dates;
mod dialect;
mod encoding;
mod graph;
mod html;
mod json;
mod options;
mod pictures;
mod price;
mod product;
mod reader;
mod record;
mod report;
mod survey;
mod syntax;
mod table;
mod text;
mod xml;

pub use columns::{Slot, Target};
pub use dialect::Dialect;
pub use options::Options;
pub use price::Decimal;
pub use product::Entry;
pub use reader::{About, Feed, Found};
pub use report::{Column, LeftOut, Loss, Place, Remark, Summary};
