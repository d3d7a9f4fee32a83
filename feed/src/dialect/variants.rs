//! JSON whose products have their variants in a list, as Shopify's `products.json` has, taken apart
//! into a record each.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use crate::budget::{Budget, TooMuch, brief};
use crate::columns::is_picture;
use crate::json::{flatten, scalar};
use crate::pictures;
use crate::record::key;

type Object = Map<String, Value>;
type Pairs = Vec<(String, String)>;

/// What a variant repeats of its product, says about the list, or has for its parcel.
const LEFT_OUT: [&str; 9] = [
    "id",
    "product_id",
    "title",
    "name",
    "position",
    "grams",
    "weight_unit",
    "requires_shipping",
    "taxable",
];

/// The variants of a product as products of their own; `None` if it has no list of them.
///
/// # Errors
/// `TooMuch` if they repeat more of their product than is kept in memory.
pub(crate) fn products(product: &Object) -> Result<Option<Vec<Pairs>>, TooMuch> {
    let list = product.get("variants").and_then(Value::as_array);
    let variants: Vec<&Object> = list.into_iter().flatten().filter_map(Value::as_object).collect();
    if variants.is_empty() {
        return Ok(None);
    }
    let (theirs, mut shared) = split(product);
    shared.iter_mut().for_each(|(_, text)| brief(text));
    let has_page = shared.iter().any(|(name, _)| name == "url");
    if let Some(handle) = text(product, &["handle"]).filter(|_| !has_page) {
        shared.push(("url".to_owned(), format!("/products/{handle}")));
    }
    let name = text(product, &["id", "product_id", "handle", "sku"]);
    let parts: Vec<(Vec<String>, Pairs)> = variants.iter().map(|variant| split(variant)).collect();
    // How many variants have a picture for their own.
    let mut owners: HashMap<String, usize> = HashMap::new();
    for image in parts.iter().flat_map(|(images, _)| images.iter().collect::<HashSet<_>>()) {
        *owners.entry(image.clone()).or_default() += 1;
    }
    let several = variants.len() > 1;
    let mut budget = Budget::default();
    let mut out = Vec::new();
    for (at, (variant, (mut images, mine))) in variants.iter().zip(parts).enumerate() {
        let mut pairs = Pairs::new();
        let mut push = |name: &str, text: Option<String>| {
            pairs.extend(text.map(|text| (name.to_owned(), text)));
        };
        let own = text(variant, &["id", "variant_id", "sku"]);
        if several {
            let number = || name.as_ref().map(|name| format!("{name}/{}", at + 1));
            push("id", own.or_else(number));
            push("item_group_id", name.clone());
        } else {
            push("id", name.clone().or(own));
        }
        // The first has the product's pictures but for those that are another's own.
        if at == 0 {
            let free = theirs.iter().filter(|&image| {
                let own = usize::from(images.contains(image));
                owners.get(image).is_none_or(|&owners| owners <= own)
            });
            let free: Vec<String> = free.cloned().collect();
            images.extend(free);
        }
        if images.is_empty() {
            images.extend(theirs.first().cloned());
        }
        images.into_iter().for_each(|image| push("image", Some(image)));
        pairs.extend(options(product, variant));
        // What a variant says itself goes before what its product says.
        pairs.extend(mine.into_iter().filter(|(n, _)| !LEFT_OUT.contains(&&**n) && !numbered(n)));
        let known: HashSet<String> = pairs.iter().map(|(name, _)| name.clone()).collect();
        pairs.extend(shared.iter().filter(|(name, _)| !known.contains(name)).cloned());
        budget.spend(&pairs)?;
        out.push(pairs);
    }
    Ok(Some(out))
}

/// Its pictures, and all else that it says.
fn split(object: &Object) -> (Vec<String>, Pairs) {
    let (mut images, mut pairs) = (Vec::new(), Pairs::new());
    for (name, value) in object {
        let name = key(name);
        if name == "featured_image" || is_picture(&name) {
            match value {
                Value::String(text) => images.extend(pictures::split(text)),
                value => pictures::of_json(value, &mut images),
            }
        } else if name == "available" {
            flatten("availability", value, 0, &mut pairs);
        } else if name != "variants" {
            flatten(&name, value, 0, &mut pairs);
        }
    }
    (images, pairs)
}

/// A variant's options by the names that the product gives them.
fn options(product: &Object, variant: &Object) -> Pairs {
    let names = product.get("options").and_then(Value::as_array);
    let name = |at: usize| {
        let value = names?.get(at)?;
        scalar(value).or_else(|| text(value.as_object()?, &["name"]))
    };
    (0..3)
        .filter_map(|at| {
            let value = text(variant, &[&format!("option{}", at + 1)])?;
            let name = name(at)?;
            // Shopify's way to say that there is nothing to choose.
            (value != "Default Title").then(|| (key(&name), value))
        })
        .collect()
}

/// `option1`, which the product names.
fn numbered(name: &str) -> bool {
    name.strip_prefix("option").is_some_and(|n| n.parse::<u8>().is_ok())
}

fn text(object: &Object, names: &[&str]) -> Option<String> {
    names.iter().find_map(|n| scalar(object.get(*n)?).filter(|t| !t.trim().is_empty()))
}
