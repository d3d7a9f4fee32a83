//! schema.org's Product and ProductGroup as JSON-LD, taken apart into the names that other feeds
//! use.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::budget::{Budget, TooMuch, brief};
use crate::json::{flatten, scalar};
use crate::pictures;
use crate::record::key;

type Object = Map<String, Value>;
type Pairs = Vec<(String, String)>;

/// How deep lists of lists are followed.
const MAX_DEPTH: usize = 8;
/// Products of one element.
const MAX_PRODUCTS: usize = 100_000;

/// Whether a value speaks JSON-LD.
pub(crate) fn is_linked(value: &Value) -> bool {
    match value {
        Value::Object(object) => is_linked_object(object),
        Value::Array(list) => list.iter().any(|v| v.is_object() && is_linked(v)),
        _ => false,
    }
}

pub(crate) fn is_linked_object(object: &Object) -> bool {
    ["@type", "@graph", "@context"].iter().any(|n| object.contains_key(*n))
}

/// The products that a value describes.
///
/// # Errors
/// `TooMuch` if they are larger than is kept in memory.
pub(crate) fn products(value: &Value) -> Result<Vec<Pairs>, TooMuch> {
    let mut walk = Walk { by_id: HashMap::new(), out: Vec::new(), budget: Budget::default() };
    walk.learn_ids(value, 0);
    walk.visit(value, 0)?;
    Ok(walk.out)
}

struct Walk<'a> {
    /// Objects that others refer to.
    by_id: HashMap<&'a str, &'a Object>,
    out: Vec<Pairs>,
    budget: Budget,
}

impl<'a> Walk<'a> {
    fn learn_ids(&mut self, value: &'a Value, depth: usize) {
        match value {
            Value::Array(list) if depth < MAX_DEPTH => {
                list.iter().for_each(|v| self.learn_ids(v, depth + 1));
            }
            Value::Object(object) if depth < MAX_DEPTH => {
                if let (Some(id), true) =
                    (object.get("@id").and_then(Value::as_str), object.len() > 1)
                {
                    self.by_id.entry(id).or_insert(object);
                }
                object.values().for_each(|v| self.learn_ids(v, depth + 1));
            }
            _ => {}
        }
    }

    /// An object, or the one that it refers to.
    fn object(&self, value: &'a Value) -> Option<&'a Object> {
        let object = value.as_object()?;
        let id = object.get("@id").and_then(Value::as_str).filter(|_| object.len() == 1);
        Some(id.and_then(|id| self.by_id.get(id).copied()).unwrap_or(object))
    }

    fn visit(&mut self, value: &'a Value, depth: usize) -> Result<(), TooMuch> {
        if depth > MAX_DEPTH || self.out.len() >= MAX_PRODUCTS {
            return Ok(());
        }
        if let Value::Array(list) = value {
            return list.iter().try_for_each(|v| self.visit(v, depth + 1));
        }
        let Some(object) = value.as_object() else { return Ok(()) };
        if is_type(object, &["ProductGroup"]) {
            self.group(object)?;
        } else if is_type(object, &["Product", "IndividualProduct", "ProductModel", "SomeProducts"])
        {
            match object.get("hasVariant") {
                Some(_) => self.group(object)?,
                None => self.push(object, None)?,
            }
        } else {
            for name in
                ["@graph", "itemListElement", "item", "mainEntity", "itemOffered", "hasPart"]
            {
                if let Some(value) = object.get(name) {
                    self.visit(value, depth + 1)?;
                }
            }
        }
        Ok(())
    }

    fn push(&mut self, object: &'a Object, group: Option<&'a Object>) -> Result<(), TooMuch> {
        let mut pairs = self.product(object, group);
        pairs.iter_mut().filter(|(name, _)| name != "image").for_each(|(_, text)| brief(text));
        self.budget.spend(&pairs)?;
        self.out.push(pairs);
        Ok(())
    }

    fn group(&mut self, group: &'a Object) -> Result<(), TooMuch> {
        let variants = list(group.get("hasVariant"));
        let mut any = false;
        for variant in variants {
            let Some(variant) = self.object(variant) else { continue };
            self.push(variant, Some(group))?;
            any = true;
        }
        if any { Ok(()) } else { self.push(group, None) }
    }

    fn product(&self, object: &'a Object, group: Option<&'a Object>) -> Pairs {
        let mut pairs = Pairs::new();
        let get = |name: &str| object.get(name).or_else(|| group?.get(name));
        let text = |object: &'a Object, names: &[&str]| {
            names.iter().find_map(|n| scalar(object.get(*n)?).filter(|t| !t.trim().is_empty()))
        };
        let mut push = |name: &str, text: Option<String>| {
            pairs.extend(text.map(|text| (name.to_owned(), text)));
        };
        push(
            "id",
            text(
                object,
                &["sku", "productID", "identifier", "@id", "mpn", "gtin", "gtin13", "url"],
            ),
        );
        push("title", get("name").and_then(scalar));
        push("url", object.get("url").or_else(|| group?.get("url")).and_then(scalar));
        let parent = group.or_else(|| self.object(list(object.get("isVariantOf")).first()?));
        let shared = parent.and_then(|p| text(p, &["productGroupID", "sku", "@id", "url", "name"]));
        push("item_group_id", shared.or_else(|| text(object, &["inProductGroupWithID"])));
        for name in ["brand", "category", "color", "size", "material", "pattern", "description"] {
            let Some(value) = get(name) else { continue };
            let value = list(Some(value));
            let texts: Vec<String> = value
                .into_iter()
                .filter_map(|v| {
                    let object = self.object(v);
                    scalar(v).or_else(|| text(object?, &["name", "@value"]))
                })
                .collect();
            push(name, (!texts.is_empty()).then(|| texts.join(", ")));
        }
        let mut images = Vec::new();
        for image in list(object.get("image").or_else(|| group?.get("image"))) {
            match self.object(image) {
                Some(object) => pictures::of_object(object, &mut images),
                None => pictures::of_json(image, &mut images),
            }
        }
        images.into_iter().for_each(|image| push("image", Some(image)));
        self.offers(get("offers"), &mut pairs);
        for property in list(object.get("additionalProperty")) {
            let Some(property) = self.object(property) else { continue };
            if let (Some(name), Some(value)) = (text(property, &["name"]), property.get("value")) {
                flatten(&key(&name), value, 2, &mut pairs);
            }
        }
        pairs
    }

    /// The offer that a shopper would take: the first in stock that has a price, else the first
    /// that has one, else the first.
    fn offers(&self, offers: Option<&'a Value>, pairs: &mut Pairs) {
        let mut all: Vec<&Object> = Vec::new();
        for offer in list(offers) {
            let Some(offer) = self.object(offer) else { continue };
            all.push(offer);
            all.extend(list(offer.get("offers")).into_iter().filter_map(|v| self.object(v)));
        }
        let price = |offer: &'a Object| self.price(offer, false);
        let in_stock = |offer: &'a Object| {
            let text = offer.get("availability").and_then(scalar).unwrap_or_default();
            crate::availability::parse(&text) == Some(lookalike_products::Availability::InStock)
        };
        let best = all
            .iter()
            .copied()
            .find(|o| price(o).is_some() && in_stock(o))
            .or_else(|| all.iter().copied().find(|o| price(o).is_some()))
            .or_else(|| all.first().copied());
        let Some(offer) = best else { return };
        let mut push = |name: &str, text: Option<String>| {
            if !pairs.iter().any(|(known, _)| known == name) {
                pairs.extend(text.map(|text| (name.to_owned(), text)));
            }
        };
        let (amount, currency) = price(offer).unzip();
        push("price", amount);
        push(
            "currency",
            currency.flatten().or_else(|| offer.get("priceCurrency").and_then(scalar)),
        );
        push("list_price", self.price(offer, true).map(|(amount, _)| amount));
        push("availability", offer.get("availability").and_then(scalar));
        push("url", offer.get("url").and_then(scalar));
        push("id", offer.get("sku").and_then(scalar));
    }

    /// An offer's price, or the one before it was lowered, and its currency.
    fn price(&self, offer: &'a Object, before: bool) -> Option<(String, Option<String>)> {
        let currency = |o: &Object| o.get("priceCurrency").and_then(scalar);
        let plain = ["price", "lowPrice"].iter().find_map(|name| scalar(offer.get(*name)?));
        if let (Some(amount), false) = (plain, before) {
            return Some((amount, currency(offer)));
        }
        list(offer.get("priceSpecification")).into_iter().find_map(|value| {
            let object = self.object(value)?;
            let kind = object.get("priceType").and_then(scalar).unwrap_or_default();
            let struck = ["ListPrice", "StrikethroughPrice", "MSRP", "SRP"]
                .iter()
                .any(|name| kind.ends_with(name));
            let amount = scalar(object.get("price")?)?;
            (struck == before).then(|| (amount, currency(object)))
        })
    }
}

/// One value or several.
fn list(value: Option<&Value>) -> Vec<&Value> {
    match value {
        Some(Value::Array(list)) => list.iter().collect(),
        Some(value) => vec![value],
        None => Vec::new(),
    }
}

/// Whether an object is of one of these types, however they are addressed.
fn is_type(object: &Object, types: &[&str]) -> bool {
    list(object.get("@type")).into_iter().filter_map(Value::as_str).any(|name| {
        let name = name.rsplit(['/', ':', '#']).next().unwrap_or(name);
        types.contains(&name)
    })
}
