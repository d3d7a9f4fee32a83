//! JSON as programming interfaces answer: lists as GraphQL has them, within objects that say more
//! than the shop's products.

use serde_json::{Map, Value};

use crate::columns::is_picture;
use crate::record::key;

/// How deep a list of products is looked for.
const MAX_DEPTH: usize = 6;

/// Turns GraphQL's connections, `{"edges": [{"node": …}]}` and `{"nodes": […]}`, into lists,
/// wherever they stand.
pub(crate) fn without_connections(value: &mut Value) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(without_connections),
        Value::Object(object) => {
            if let Some(inner) = connected(object) {
                *value = inner;
                without_connections(value);
            } else {
                object.values_mut().for_each(without_connections);
            }
        }
        _ => {}
    }
}

/// What stands in a connection, or in an edge of it.
fn connected(object: &mut Map<String, Value>) -> Option<Value> {
    let beside = ["cursor", "__typename", "pageInfo", "totalCount"];
    let alone =
        |name: &str| object.keys().all(|other| other == name || beside.contains(&other.as_str()));
    let is =
        |name: &str, kind: fn(&Value) -> bool| object.get(name).is_some_and(kind) && alone(name);
    let name = if is("edges", Value::is_array) {
        "edges"
    } else if is("nodes", Value::is_array) {
        "nodes"
    } else if is("node", Value::is_object) {
        "node"
    } else {
        return None;
    };
    object.remove(name)
}

/// The products within an object that is none: of all lists, the one that holds most; the first of
/// these. `None` if there is none, or the object is a product itself.
pub(crate) fn products(object: &mut Map<String, Value>) -> Option<Vec<Value>> {
    if is_product(object) {
        return None;
    }
    let mut best = (0, Vec::new());
    look(object, &mut Vec::new(), &mut best);
    let (_, path) = best;
    let (last, before) = path.split_last()?;
    let mut at = object;
    for name in before {
        at = at.get_mut(name)?.as_object_mut()?;
    }
    match at.remove(last) {
        Some(Value::Array(list)) => Some(list),
        _ => None,
    }
}

fn look(object: &Map<String, Value>, path: &mut Vec<String>, best: &mut (usize, Vec<String>)) {
    for (name, value) in object {
        path.push(name.clone());
        match value {
            Value::Array(list) => {
                let count =
                    list.iter().filter_map(Value::as_object).filter(|o| is_product(o)).count();
                if count > best.0 {
                    *best = (count, path.clone());
                }
            }
            Value::Object(inner) if path.len() < MAX_DEPTH => look(inner, path, best),
            _ => {}
        }
        path.pop();
    }
}

/// Whether an object could be a product: something that names it, and a picture or variants.
fn is_product(object: &Map<String, Value>) -> bool {
    let names = ["id", "sku", "handle", "title", "name", "product_id", "item_id", "gtin", "slug"];
    let keys: Vec<String> = object.keys().map(|name| key(name)).collect();
    let pictured = |key: &String| is_picture(key) || key == "variants";
    keys.iter().any(|key| names.contains(&key.as_str())) && keys.iter().any(pictured)
}
