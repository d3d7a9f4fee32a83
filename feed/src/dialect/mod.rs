//! The kinds of feeds, and what is particular to them.

pub(crate) mod schema_org;
pub(crate) mod shopify;
pub(crate) mod variants;
pub(crate) mod woocommerce;

use crate::record::Names;

/// Whose way of writing a feed follows; told from its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Google Merchant, a table.
    Google,
    /// RSS 2.0, with Google Merchant's names or without.
    Rss,
    /// Atom, with Google Merchant's names or without.
    Atom,
    /// XML of another make with items, products or offers.
    Xml,
    /// Meta's catalogue, a table.
    Meta,
    /// Shopify's products, as exported today.
    Shopify,
    /// Shopify's products, as exported before.
    ShopifyOld,
    /// WooCommerce's products.
    WooCommerce,
    /// schema.org's Product and ProductGroup, in a file or a page.
    SchemaOrg,
    /// A JSON object a line.
    JsonLines,
    /// A list of JSON objects.
    Json,
    /// Any other table.
    Table,
}

impl Dialect {
    /// Its name in JSON; stable.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Google => "google",
            Self::Rss => "rss",
            Self::Atom => "atom",
            Self::Xml => "xml",
            Self::Meta => "meta",
            Self::Shopify => "shopify",
            Self::ShopifyOld => "shopify-old",
            Self::WooCommerce => "woocommerce",
            Self::SchemaOrg => "schema.org",
            Self::JsonLines => "json-lines",
            Self::Json => "json",
            Self::Table => "table",
        }
    }

    /// What it is, for people.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Google => "Google Merchant table",
            Self::Rss => "RSS feed",
            Self::Atom => "Atom feed",
            Self::Xml => "XML list of products",
            Self::Meta => "Meta catalogue table",
            Self::Shopify => "Shopify product export",
            Self::ShopifyOld => "Shopify product export (older header)",
            Self::WooCommerce => "WooCommerce product export",
            Self::SchemaOrg => "schema.org JSON-LD",
            Self::JsonLines => "JSON lines",
            Self::Json => "JSON",
            Self::Table => "table",
        }
    }

    /// Tells a table's dialect by its header, the line of advice that Meta's templates begin with,
    /// and whether the rows' types are WooCommerce's.
    pub(crate) fn of_table(names: &Names, advice: bool, woo_types: bool) -> Self {
        let has = |key: &str| names.find(key).is_some();
        let any = |keys: &[&str]| keys.iter().any(|key| has(key));
        let options = any(&["option1_value", "option1_name"]);
        if has("url_handle") && (options || any(&["product_image_url", "compare_at_price"])) {
            Self::Shopify
        } else if has("handle") && (options || any(&["variant_price", "image_src", "variant_sku"]))
        {
            Self::ShopifyOld
        } else if woo_types
            || (has("images") && any(&["regular_price", "in_stock"]) && any(&["type", "parent"]))
        {
            Self::WooCommerce
        } else if advice
            || any(&["image_0_url", "fb_product_category", "quantity_to_sell_on_facebook"])
        {
            Self::Meta
        } else if has("image_link")
            && any(&["id", "link"])
            && any(&["price", "availability", "link"])
        {
            Self::Google
        } else {
            Self::Table
        }
    }
}
