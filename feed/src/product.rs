//! From sorted values to a product: what is worth keeping of each, and what is said where it is not.

use std::collections::{HashMap, HashSet, hash_map};
use std::hash::{DefaultHasher, Hash, Hasher};

use lookalike_products::{Availability, Image, KIND, Product};

use crate::columns::{Draft, Slot};
use crate::options::Options;
use crate::price::{self, Decimal, Money, Price};
use crate::record::Field;
use crate::report::{LeftOut, Loss, Place, Remark};
use crate::{address, availability, dates, pictures, text};

/// Pictures of one product.
pub(crate) const MAX_PICTURES: usize = 32;
/// Characters of a title, and of an attribute or a category.
const MAX_TITLE: usize = 300;
const MAX_VALUE: usize = 200;
/// Bytes of an id, and of a picture's or a page's address.
const MAX_ID: usize = 512;
const MAX_ADDRESS: usize = 4096;

/// A product as the feed has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The product, with its pictures as the feed names them; at least one.
    pub product: Product,
    /// What its variants share.
    pub group: Option<String>,
    /// Where it begins.
    pub place: Place,
}

/// What a draft comes to.
#[derive(Debug)]
pub(crate) enum Outcome {
    Entry(Box<Entry>),
    LeftOut(LeftOut, Remark),
    Refused(Remark),
}

/// Makes products, and knows which it has made.
pub(crate) struct Maker {
    options: Options,
    /// How prices are written, by column.
    decimals: HashMap<usize, Decimal>,
    /// Where each id was used; ids as two hashes, since there may be millions.
    ids: HashMap<(u64, u64), u64>,
    groups: HashSet<u64>,
    /// Products that share a group with one before them.
    pub(crate) variants: u64,
    /// What the products lost since this was last taken.
    pub(crate) losses: Vec<(Loss, Remark)>,
}

impl Maker {
    pub(crate) fn new(options: Options, decimals: HashMap<usize, Decimal>) -> Self {
        Self {
            options,
            decimals,
            ids: HashMap::new(),
            groups: HashSet::new(),
            variants: 0,
            losses: Vec::new(),
        }
    }

    pub(crate) fn make(&mut self, draft: Draft) -> Outcome {
        let place = draft.place;
        let refused = |why: String| Outcome::Refused(Remark { place, why });
        let name = || draft.get(Slot::Id).or(draft.get(Slot::Title)).unwrap_or_default();
        if let Some(why) = hidden(&draft) {
            let text = format!("{:?} is not published", shown(name()));
            return Outcome::LeftOut(why, Remark { place, why: text });
        }
        let Some(id) = draft.get(Slot::Id) else {
            let title = draft.get(Slot::Title).unwrap_or_default();
            return refused(format!("the product {:?} has no id", shown(title)));
        };
        let id = id.to_owned();
        if id.len() > MAX_ID {
            return refused(format!("the id {:?} is longer than {MAX_ID} bytes", shown(&id)));
        }
        let images = self.pictures(&draft);
        if images.is_empty() {
            return refused(format!("the product {:?} names no picture", shown(&id)));
        }
        match self.ids.entry((hash(&id, 1), hash(&id, 2))) {
            hash_map::Entry::Vacant(free) => {
                free.insert(place.line);
            }
            hash_map::Entry::Occupied(used) => {
                return refused(format!(
                    "the id {:?} was already used in line {}; the first is kept",
                    shown(&id),
                    used.get()
                ));
            }
        }
        let mut title = self.text(&draft, Slot::Title, MAX_TITLE).unwrap_or_default();
        if title.is_empty() {
            title.clone_from(&id);
        }
        let (price, list_price, currency) = self.prices(&draft);
        let category = self.text(&draft, Slot::Category, MAX_VALUE);
        if let (None, Some(number)) = (&category, &draft.numbered) {
            let why = format!(
                "the category is {} of Google's taxonomy, which says nothing to a shopper: it is left out; \
                 --map category=COLUMN takes words from another column",
                shown(number.text.trim())
            );
            self.lose(Loss::Category, number.place, why);
        }
        let kind =
            self.text(&draft, Slot::Kind, MAX_VALUE).filter(|k| Some(k) != category.as_ref());
        let mut product = Product {
            id,
            title,
            url: self.url(&draft),
            images,
            price,
            list_price,
            currency,
            category,
            availability: self.availability(&draft),
            ..Product::default()
        };
        product.attributes.extend(kind.map(|kind| (KIND.to_owned(), kind)));
        if draft.crowded {
            self.lose(Loss::Cut, place, "there are more attributes than are kept".to_owned());
        }
        for (name, value) in &draft.attributes {
            let (value, cut) = text::plain(value, MAX_VALUE);
            let name: String = name.chars().take(64).collect();
            if cut {
                let why = format!("the attribute {name} is cut to {MAX_VALUE} characters");
                self.lose(Loss::Cut, place, why);
            }
            if !value.is_empty() && !name.is_empty() {
                product.attributes.entry(name).or_insert(value);
            }
        }
        let group = draft.get(Slot::Group).map(str::to_owned);
        if let Some(group) = &group {
            self.variants += u64::from(!self.groups.insert(hash(group, 1)));
        }
        Outcome::Entry(Box::new(Entry { product, group, place }))
    }

    fn lose(&mut self, loss: Loss, place: Place, why: String) {
        self.losses.push((loss, Remark { place, why }));
    }

    fn pictures(&mut self, draft: &Draft) -> Vec<Image> {
        let mut seen = HashSet::new();
        let mut images = Vec::new();
        for field in &draft.pictures {
            for name in pictures::split(&field.text) {
                if name.len() > MAX_ADDRESS {
                    let why = format!("a picture's address is longer than {MAX_ADDRESS} bytes");
                    self.lose(Loss::Cut, field.place, why);
                } else if images.len() >= MAX_PICTURES {
                    let why = format!("there are more than {MAX_PICTURES} pictures");
                    self.lose(Loss::Cut, field.place, why);
                    return images;
                } else if seen.insert(name.clone()) {
                    images.push(Image { image: text::decode(&name), thumb: None });
                }
            }
        }
        images
    }

    fn text(&mut self, draft: &Draft, slot: Slot, most: usize) -> Option<String> {
        let field = draft.field(slot)?;
        let (text, cut) = text::plain(&field.text, most);
        if cut {
            let why = format!("the {} is cut to {most} characters", slot.as_str());
            self.lose(Loss::Cut, field.place, why);
        }
        Some(text).filter(|text| !text.is_empty())
    }

    fn url(&mut self, draft: &Draft) -> Option<String> {
        let field = draft.field(Slot::Url)?;
        let text = text::decode(&field.text);
        let url = address::page(&text, self.options.shop_url.as_deref())
            .filter(|url| url.len() <= MAX_ADDRESS);
        if url.is_none() {
            let what = shown(field.text.trim());
            let why = if what.starts_with('/') && !what.starts_with("//") {
                format!("{what:?} is a path within the shop, whose address --shop-url gives")
            } else {
                format!("{what:?} is no http or https address")
            };
            self.lose(Loss::Url, field.place, why);
        }
        url
    }

    fn availability(&mut self, draft: &Draft) -> Option<Availability> {
        if let Some(field) = draft.field(Slot::Availability) {
            let found = availability::parse(&field.text);
            if found.is_some() {
                return found;
            }
            let why = format!("the availability {:?} is not known", shown(field.text.trim()));
            self.lose(Loss::Availability, field.place, why);
        }
        draft.get(Slot::Quantity).and_then(availability::parse)
    }

    /// What a shopper pays, what it was before, and the currency.
    fn prices(&mut self, draft: &Draft) -> (Option<f64>, Option<f64>, Option<String>) {
        let base = self.price(draft.field(Slot::Price));
        let list = self.price(draft.field(Slot::ListPrice));
        let sale = self.price(draft.field(Slot::SalePrice)).filter(|_| {
            self.options.now.is_none_or(|now| {
                let get = |slot| draft.get(slot);
                dates::holds(now, get(Slot::SaleDates), get(Slot::SaleStart), get(Slot::SaleEnd))
            })
        });
        let usual = base.or(list.clone());
        // A sale that is dearer is none, and 0 is how some exports write that there is none.
        let sale = sale.filter(|s| s.amount > 0.0);
        let sale = sale.filter(|s| usual.as_ref().is_none_or(|u| s.amount < u.amount));
        let paid = sale.or(usual.clone());
        let Some(paid) = paid else {
            return (None, None, self.column_currency(draft));
        };
        let before = [usual, list]
            .into_iter()
            .flatten()
            .map(|p| p.amount)
            .filter(|&amount| amount > paid.amount)
            .reduce(f64::max);
        let currency = self.currency(draft, &paid.currency);
        (Some(paid.amount), before, currency)
    }

    fn price(&mut self, field: Option<&Field>) -> Option<Price> {
        let field = field?;
        let decimal = self.decimals.get(&field.column).copied();
        let decimal = decimal.or(self.options.decimal).unwrap_or(Decimal::Point);
        let price = price::parse(&text::decode(&field.text), decimal);
        if price.is_none() {
            let why = format!(
                "the price {:?} cannot be read (the decimal character of its column is the {})",
                shown(field.text.trim()),
                decimal.as_str()
            );
            self.lose(Loss::Price, field.place, why);
        }
        price
    }

    fn column_currency(&self, draft: &Draft) -> Option<String> {
        let text = draft.get(Slot::Currency)?;
        Some(match price::money(text) {
            Some(Money::Code(code)) => code,
            Some(Money::Sign(codes)) if !codes[0].is_empty() => codes[0].to_owned(),
            _ => text.chars().take(8).collect::<String>().to_uppercase(),
        })
    }

    fn currency(&mut self, draft: &Draft, said: &Money) -> Option<String> {
        let column = self.column_currency(draft);
        let known = column.clone().or_else(|| self.options.currency.clone());
        let own = match said {
            Money::Unsaid => return known,
            Money::Code(code) => code.clone(),
            Money::Sign(codes) => {
                if let Some(known) = known.as_ref().filter(|k| codes.contains(&k.as_str())) {
                    return Some(known.clone());
                }
                codes[0].to_owned()
            }
        };
        if own.is_empty() {
            return known;
        }
        if let Some(column) = column.filter(|c| *c != own) {
            let why = format!("the price is in {own}, its column of currencies says {column}");
            let place = draft.field(Slot::Price).map_or(draft.place, |field| field.place);
            self.lose(Loss::Currency, place, why);
        }
        Some(own)
    }
}

/// Why a product is not to be seen, if so.
pub(crate) fn hidden(draft: &Draft) -> Option<LeftOut> {
    let word = |slot| draft.get(slot).map(str::to_lowercase);
    match word(Slot::Status).as_deref() {
        Some("draft" | "pending" | "auto-draft" | "future") => return Some(LeftOut::Draft),
        Some("private") => return Some(LeftOut::Private),
        Some(
            "archived" | "unpublished" | "inactive" | "disabled" | "hidden" | "unlisted"
            | "deleted" | "trash",
        ) => return Some(LeftOut::Unpublished),
        _ => {}
    }
    match word(Slot::Published).as_deref() {
        Some("-1" | "2" | "draft" | "pending") => return Some(LeftOut::Draft),
        // WooCommerce's 0 is a private product.
        Some("private") => return Some(LeftOut::Private),
        Some("0") if draft.get(Slot::RowType).is_some() => return Some(LeftOut::Private),
        Some("0" | "false" | "no" | "nein" | "non") => return Some(LeftOut::Unpublished),
        _ => {}
    }
    match word(Slot::Visibility).as_deref() {
        Some("hidden" | "staging" | "whitelist_only" | "not visible individually") => {
            Some(LeftOut::Unpublished)
        }
        _ => None,
    }
}

/// A text as messages show it.
pub(crate) fn shown(text: &str) -> String {
    text::plain(text, 60).0
}

fn hash(text: &str, salt: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    salt.hash(&mut hasher);
    text.hash(&mut hasher);
    hasher.finish()
}
