//! What a feed does not say by itself.

use crate::price::Decimal;

/// How to read a feed, where it cannot be told from the feed.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Pairs of our name for a field, or an attribute's name, and the feed's name of a column. They
    /// come before everything that is told by names.
    pub map: Vec<(String, String)>,
    /// The name of the feed's encoding, as the WHATWG's Encoding Standard lists them, such as
    /// `shift_jis` or `macintosh`; told from the bytes if absent.
    pub encoding: Option<String>,
    /// The shop's address, for exports that have no addresses of products: `https://shop.example`.
    pub shop_url: Option<String>,
    /// The currency of prices that have none, an ISO 4217 code.
    pub currency: Option<String>,
    /// The decimal character of all prices; told by column if absent.
    pub decimal: Option<Decimal>,
    /// Columns to ship as attributes that are left out otherwise, such as `description`, or `all`.
    pub keep: Vec<String>,
    /// The time for which sale prices are looked at, in seconds since 1970. Without one, sale
    /// prices hold whatever their dates.
    pub now: Option<i64>,
}
