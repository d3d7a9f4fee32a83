//! Shopify's product exports: the rows of one handle are a product, its variants and its pictures.

use std::collections::HashSet;

use lookalike_products::Availability;

use crate::availability;
use crate::columns::{Draft, Slot};
use crate::options::Options;
use crate::pictures;
use crate::record::{Field, key};

/// Names of the columns, of both generations of the header.
pub(crate) const ALIASES: [(Slot, &[&str]); 20] = [
    // Made from the variant's number and the handle.
    (Slot::Id, &[]),
    (Slot::Group, &[]),
    (Slot::Handle, &["url_handle", "handle"]),
    (Slot::Sku, &["variant_sku", "sku"]),
    (Slot::Title, &["title"]),
    (Slot::Url, &["url", "product_url"]),
    (Slot::Image, &["product_image_url", "image_src"]),
    (Slot::MoreImages, &[]),
    (Slot::VariantImage, &["variant_image_url", "variant_image"]),
    (Slot::Position, &["image_position"]),
    (Slot::Price, &["price", "variant_price"]),
    (Slot::SalePrice, &[]),
    (Slot::ListPrice, &["compare_at_price", "variant_compare_at_price"]),
    (Slot::Category, &["type", "custom_product_type", "product_category", "standard_product_type"]),
    (Slot::Kind, &["kind"]),
    (Slot::Quantity, &["inventory_quantity", "variant_inventory_qty"]),
    (Slot::Policy, &["continue_selling_when_out_of_stock", "variant_inventory_policy"]),
    (Slot::Tracker, &["inventory_tracker", "variant_inventory_tracker"]),
    (Slot::Published, &["published_on_online_store", "published"]),
    (Slot::Status, &["status"]),
];

/// Begins of names that are settings of the shop, prices of other markets among them.
pub(crate) const INTERNAL: [&str; 14] = [
    "tags",
    "variant_",
    "price_",
    "compare_at_price_",
    "included_",
    "fulfillment",
    "charge_tax",
    "weight",
    "requires_shipping",
    "unit_price",
    "option1_linked",
    "option2_linked",
    "option3_linked",
    "template_suffix",
];

/// Rows of one product.
const MAX_ROWS: usize = 10_000;

/// Gathers the rows of a product.
#[derive(Debug, Default)]
pub(crate) struct Shopify {
    rows: Vec<Draft>,
    /// Numbers of variants that were given, by which one that is used again is told.
    numbers: HashSet<String>,
    /// Whether the export says who counts what is there.
    tracked: bool,
}

impl Shopify {
    pub(crate) fn new(tracked: bool) -> Self {
        Self { tracked, ..Self::default() }
    }

    /// Takes a row, and gives the product before it where that has ended.
    pub(crate) fn push(&mut self, row: Draft, options: &Options) -> Vec<Draft> {
        let same = self.rows.first().is_some_and(|first| {
            row.get(Slot::Handle).is_none_or(|handle| Some(handle) == first.get(Slot::Handle))
        });
        let done =
            if same && self.rows.len() < MAX_ROWS { Vec::new() } else { self.finish(options) };
        self.rows.push(row);
        done
    }

    /// The products, one a variant, of the rows gathered.
    pub(crate) fn finish(&mut self, options: &Options) -> Vec<Draft> {
        let rows = std::mem::take(&mut self.rows);
        let Some(head) = rows.iter().find(|r| r.get(Slot::Title).is_some()).or(rows.first()) else {
            return Vec::new();
        };
        let Some(handle) = head.get(Slot::Handle).map(str::to_owned) else { return rows };
        let head = head.clone();
        let names: Vec<String> = head.options.iter().map(|(name, _)| name.clone()).collect();
        let gallery = gallery(&rows);
        let mut variants: Vec<Draft> = rows.into_iter().filter(is_variant).collect();
        if variants.is_empty() {
            variants.push(head.clone());
        }
        let own: Vec<Option<Field>> =
            variants.iter().map(|v| v.field(Slot::VariantImage).cloned()).collect();
        let several = variants.len() > 1;
        for (i, variant) in variants.iter_mut().enumerate() {
            for slot in [
                Slot::Title,
                Slot::Url,
                Slot::Category,
                Slot::Kind,
                Slot::Status,
                Slot::Published,
                Slot::Currency,
                Slot::Price,
            ] {
                variant.inherit(slot, &head);
            }
            for (name, value) in &head.attributes {
                variant.set_attribute(name.clone(), value.clone());
            }
            let values: Vec<String> = variant.options.iter().map(|(_, v)| v.clone()).collect();
            for (name, value) in names.iter().zip(&values) {
                if !value.is_empty() && !name.is_empty() && value != "Default Title" {
                    variant.set_attribute(key(name), value.clone());
                }
            }
            variant.pictures = match &own[i] {
                Some(picture) => vec![picture.clone()],
                None => gallery.first().cloned().into_iter().collect(),
            };
            if i == 0 {
                // The first variant stands for all: it has what is no other's.
                let others: HashSet<&str> =
                    own[1..].iter().flatten().map(|f| f.text.trim()).collect();
                let rest = gallery.iter().filter(|f| !others.contains(f.text.trim()));
                variant.pictures.extend(rest.cloned());
            }
            if several {
                variant.set(Slot::Group, handle.clone());
            }
            let id = self.id(variant, &handle, several, &values);
            variant.set(Slot::Id, id);
            if let (None, Some(shop)) = (variant.get(Slot::Url), &options.shop_url) {
                let url = format!("{}/products/{handle}", shop.trim_end_matches('/'));
                variant.set(Slot::Url, url);
            }
            self.stock(variant);
        }
        variants
    }

    /// The variant's number, if it has one that no other has; else the handle, and the options'
    /// values where there are several.
    fn id(&mut self, variant: &Draft, handle: &str, several: bool, values: &[String]) -> String {
        if let Some(sku) = variant.get(Slot::Sku).map(|s| s.trim_start_matches('\''))
            && self.numbers.insert(sku.to_owned())
        {
            return sku.to_owned();
        }
        if !several {
            return handle.to_owned();
        }
        let values = values.iter().map(|v| v.trim()).filter(|v| !v.is_empty());
        [handle].into_iter().chain(values).collect::<Vec<_>>().join("/")
    }

    fn stock(&self, variant: &mut Draft) {
        if variant.get(Slot::Availability).is_some() {
            return;
        }
        let quantity = variant.get(Slot::Quantity).and_then(availability::quantity);
        let on = ["continue", "true", "yes", "1"];
        let goes_on = variant
            .get(Slot::Policy)
            .is_some_and(|policy| on.contains(&policy.to_lowercase().as_str()));
        let uncounted = self.tracked && variant.get(Slot::Tracker).is_none();
        let stock = match quantity {
            _ if uncounted => Availability::InStock,
            Some(quantity) if quantity > 0.0 => Availability::InStock,
            Some(_) if goes_on => Availability::BackOrder,
            Some(_) => Availability::OutOfStock,
            None => return,
        };
        variant.set(Slot::Availability, stock.as_str());
    }
}

/// Whether a row has a variant; others add a picture.
fn is_variant(row: &Draft) -> bool {
    row.get(Slot::Price).is_some()
        || row.get(Slot::Sku).is_some()
        || row.options.iter().any(|(_, value)| !value.trim().is_empty())
}

/// The product's pictures by their position.
fn gallery(rows: &[Draft]) -> Vec<Field> {
    let mut placed: Vec<(u32, Field)> = Vec::new();
    for (order, row) in rows.iter().enumerate() {
        let order =
            row.get(Slot::Position).and_then(|p| p.parse().ok()).unwrap_or(order as u32 + 1);
        for field in &row.pictures {
            let names = pictures::split(&field.text).into_iter();
            placed.extend(names.map(|text| (order, Field { text, ..field.clone() })));
        }
    }
    placed.sort_by_key(|(order, _)| *order);
    placed.into_iter().map(|(_, field)| field).collect()
}
