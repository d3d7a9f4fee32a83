//! WooCommerce's product exports: a variable product and its variations are rows of their own, in
//! any order.

use std::collections::HashMap;

use crate::columns::{Draft, Slot, Target};
use crate::options::Options;
use crate::pictures;
use crate::record::{Field, key};
use crate::report::Place;

/// Names of the columns; exports are in the shop's language, of which some are known.
pub(crate) const ALIASES: [(Slot, &[&str]); 18] = [
    (Slot::Id, &["id", "sku", "artikelnummer", "ugs", "referencia"]),
    (Slot::Sku, &["sku", "artikelnummer", "ugs", "referencia"]),
    (Slot::Group, &[]),
    (Slot::RowType, &["type", "typ", "tipo"]),
    (
        Slot::Parent,
        &[
            "parent",
            "übergeordnet",
            "übergeordnetes_produkt",
            "parente",
            "superior",
            "principal",
            "genitore",
            "hoofd",
            "nadrzędny",
        ],
    ),
    // `Type` is the type of the row, and says nothing of what the thing is.
    (Slot::Kind, &["kind"]),
    (Slot::Url, &["url", "link", "permalink", "external_url", "externe_url", "url_externe"]),
    (Slot::Image, &["images", "bilder", "imágenes", "immagine", "immagini", "afbeeldingen"]),
    (Slot::MoreImages, &[]),
    (
        Slot::Price,
        &[
            "regular_price",
            "price",
            "regulärer_preis",
            "normaler_preis",
            "tarif_régulier",
            "precio_normal",
            "prezzo_di_listino",
            "reguliere_prijs",
        ],
    ),
    (
        Slot::SalePrice,
        &[
            "sale_price",
            "angebotspreis",
            "tarif_promo",
            "precio_rebajado",
            "prezzo_in_offerta",
            "actieprijs",
        ],
    ),
    (Slot::ListPrice, &[]),
    (Slot::SaleStart, &["date_sale_price_starts"]),
    (Slot::SaleEnd, &["date_sale_price_ends"]),
    (
        Slot::Availability,
        &[
            "in_stock",
            "vorrätig",
            "en_stock",
            "hay_existencias",
            "existencias",
            "in_magazzino",
            "op_voorraad",
        ],
    ),
    (
        Slot::Quantity,
        &[
            "stock",
            "bestand",
            "lager",
            "lagerbestand",
            "inventaire",
            "inventario",
            "magazzino",
            "voorraad",
        ],
    ),
    (
        Slot::Published,
        &[
            "published",
            "veröffentlicht",
            "publié",
            "publiée",
            "publicado",
            "pubblicato",
            "gepubliceerd",
            "opublikowano",
        ],
    ),
    (
        Slot::Visibility,
        &["visibility_in_catalog", "visibility_in_catalogue", "sichtbarkeit_im_katalog"],
    ),
];

/// Begins of names that are settings of the shop.
pub(crate) const INTERNAL: [&str; 35] = [
    "tags",
    "is_featured",
    "date_",
    "weight",
    "length",
    "width",
    "height",
    "gewicht",
    "länge",
    "breite",
    "höhe",
    "download",
    "upsell",
    "cross_sell",
    "grouped_products",
    "button_text",
    "purchase_note",
    "allow_customer_reviews",
    "backorders",
    "low_stock",
    "sold_individually",
    "attribute_",
    "attribut",
    "atributo",
    "atrybut",
    "swatches",
    "gtin",
    "type",
    "parent",
    "stock",
    "ist_hervorgehoben",
    "steuer",
    "lieferrückstände",
    "name_des_attributs",
    "schlagwörter",
];

/// Columns of attributes: `attribute_2_value_s`, or as in the shop's language
/// `valeur_s_de_l_attribut_2`.
pub(crate) fn option(name: &str) -> Option<Target> {
    const ATTRIBUTE: [&str; 5] = ["attribut", "atribut", "atrybut", "kenmerk", "eigenschap"];
    const NAMES: [&str; 6] = ["name", "nom", "nome", "nombre", "naam", "nazwa"];
    const VALUES: [&str; 4] = ["val", "wert", "waarde", "wart"];
    const DEFAULT: [&str; 4] = ["default", "défaut", "defecto", "standardwert"];
    let words: Vec<&str> = name.split('_').collect();
    if words.iter().any(|word| DEFAULT.contains(word)) {
        return None;
    }
    if !words.iter().any(|word| ATTRIBUTE.iter().any(|stem| word.starts_with(stem))) {
        return None;
    }
    let number = words.iter().find_map(|word| word.parse::<u8>().ok());
    let number = number.filter(|n| (1..=100).contains(n))?;
    if words.iter().any(|word| NAMES.contains(word)) {
        Some(Target::OptionName(number))
    } else {
        let value = |word: &&str| VALUES.iter().any(|stem| word.starts_with(stem));
        words.iter().any(value).then_some(Target::OptionValue(number))
    }
}

/// The types of rows, by which an export is told whatever its language.
const TYPES: [&str; 9] = [
    "simple",
    "variable",
    "variation",
    "grouped",
    "external",
    "virtual",
    "downloadable",
    "subscription",
    "variable-subscription",
];

/// Whether all of a column's values are types of rows.
pub(crate) fn are_types<'a>(values: impl IntoIterator<Item = &'a str>) -> bool {
    let mut any = false;
    let all = values.into_iter().all(|value| {
        any = true;
        value.split(',').all(|word| TYPES.contains(&word.trim()))
    });
    any && all
}

fn is_type(row: &Draft, name: &str) -> bool {
    row.get(Slot::RowType).is_some_and(|text| text.split(',').any(|word| word.trim() == name))
}

/// Joins variations and their products.
#[derive(Debug, Default)]
pub(crate) struct WooCommerce {
    /// Variable products.
    parents: Vec<Draft>,
    /// Where among them one is, by `id:12` and by number.
    index: HashMap<String, usize>,
    /// The first variation that is shown, by what it calls its product.
    first: HashMap<String, Place>,
}

impl WooCommerce {
    /// Looks at a row beforehand.
    pub(crate) fn survey(&mut self, row: &Draft, shown: bool) {
        if is_type(row, "variable") || is_type(row, "variable-subscription") {
            for name in names(row) {
                self.index.entry(name).or_insert(self.parents.len());
            }
            self.parents.push(row.clone());
        } else if let (Some(parent), true) = (row.get(Slot::Parent), shown) {
            self.first.entry(parent.to_owned()).or_insert(row.place);
        }
    }

    /// What a row is, with what it takes from its product; `None` for a product whose variations
    /// stand for it. The flag says that a variation's product is missing.
    pub(crate) fn take(&self, mut row: Draft, options: &Options) -> Option<(Draft, bool)> {
        let is_variable = is_type(&row, "variable") || is_type(&row, "variable-subscription");
        let mut page = row.get(Slot::Id).map(str::to_owned);
        let mut lost = false;
        if is_variable && self.first_of(&row).is_some() {
            return None;
        }
        let parent = row.get(Slot::Parent).map(str::to_owned);
        if let Some(name) = parent.filter(|_| is_type(&row, "variation") || !is_variable) {
            match self.index.get(&name).and_then(|&at| self.parents.get(at)) {
                Some(parent) => {
                    page = parent.get(Slot::Id).map(str::to_owned);
                    let first = self.first_of(parent) == Some(row.place);
                    adopt(&mut row, parent, first);
                    let group = parent.get(Slot::Id).unwrap_or(&name).to_owned();
                    row.set(Slot::Group, group);
                }
                None if is_type(&row, "variation") => {
                    lost = true;
                    row.set(Slot::Group, name);
                }
                None => {}
            }
        }
        tidy(&mut row);
        let is_number = |id: &String| id.bytes().all(|b| b.is_ascii_digit());
        if let (None, Some(shop), Some(id)) =
            (row.get(Slot::Url), &options.shop_url, page.filter(is_number))
        {
            // The short address that WordPress leads on to the page.
            let url = format!("{}/?post_type=product&p={id}", shop.trim_end_matches('/'));
            row.set(Slot::Url, url);
        }
        Some((row, lost))
    }

    /// The first variation of a variable product.
    fn first_of(&self, parent: &Draft) -> Option<Place> {
        names(parent).iter().filter_map(|name| self.first.get(name)).min().copied()
    }
}

/// What variations may call a variable product.
fn names(row: &Draft) -> Vec<String> {
    let id = row.get(Slot::Id).map(|id| format!("id:{id}"));
    id.into_iter().chain(row.get(Slot::Sku).map(str::to_owned)).collect()
}

fn adopt(row: &mut Draft, parent: &Draft, first: bool) {
    for slot in [Slot::Title, Slot::Url, Slot::Category, Slot::Kind, Slot::Currency] {
        row.inherit(slot, parent);
    }
    // A variation of a draft is no more to be seen than the draft.
    for slot in [Slot::Published, Slot::Visibility, Slot::Status] {
        if parent.get(slot).is_some() {
            row.clear(slot);
            row.inherit(slot, parent);
        }
    }
    for (name, value) in &parent.attributes {
        row.set_attribute(name.clone(), value.clone());
    }
    let theirs: Vec<Field> = parent
        .pictures
        .iter()
        .flat_map(|field| {
            let names = pictures::split(&field.text).into_iter();
            names.map(|text| Field { text, ..field.clone() })
        })
        .collect();
    if first {
        row.pictures.extend(theirs);
    } else if row.pictures.is_empty() {
        row.pictures.extend(theirs.into_iter().next());
    }
}

fn tidy(row: &mut Draft) {
    for (name, value) in std::mem::take(&mut row.options) {
        if !name.trim().is_empty() && !value.trim().is_empty() {
            row.set_attribute(key(&name), value);
        }
    }
    for (_, value) in &mut row.attributes {
        *value = unescape(value);
    }
    for slot in [Slot::Title, Slot::Category] {
        if let Some(text) = row.get(slot).map(str::to_owned) {
            let text = if slot == Slot::Category { deepest(&text) } else { unescape(&text) };
            row.set(slot, text);
        }
    }
}

/// Line ends are written `\n`, and commas within a value `\,`.
fn unescape(text: &str) -> String {
    text.replace("\\n", " ").replace("\\r", " ").replace("\\,", ",")
}

/// Of several categories the most particular one.
fn deepest(text: &str) -> String {
    let hidden = text.replace("\\,", "\u{1}");
    let mut best = "";
    for category in hidden.split(',').map(str::trim).filter(|c| !c.is_empty()) {
        let depth = |c: &str| c.matches('>').count();
        if best.is_empty() || depth(category) > depth(best) {
            best = category;
        }
    }
    unescape(&best.replace('\u{1}', ","))
}
