//! What columns become: the fields of a product, in a documented order where several mean the same.

mod aliases;

use lookalike_error::{Error, ErrorKind, Result};
use lookalike_products::KIND;

use crate::dialect::Dialect;
use crate::options::Options;
use crate::record::{Field, Names, Record, key};
use crate::report::Place;

/// Attributes of one product.
const MAX_ATTRIBUTES: usize = 48;

/// What a column can be for a product; the order is that of [`Slot::ALL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slot {
    /// The product's id.
    Id,
    /// What variants share.
    Group,
    /// Its name.
    Title,
    /// Its page.
    Url,
    /// The main picture, or a list that begins with it.
    Image,
    /// More pictures.
    MoreImages,
    /// The usual price.
    Price,
    /// The price in a sale.
    SalePrice,
    /// The price before a sale.
    ListPrice,
    /// When the sale price holds, an interval.
    SaleDates,
    /// When it begins.
    SaleStart,
    /// When it ends.
    SaleEnd,
    /// The prices' currency.
    Currency,
    /// The shop's own category.
    Category,
    /// What kind of thing it is, where there is a category besides.
    Kind,
    /// Whether it can be had.
    Availability,
    /// How many there are.
    Quantity,
    /// Whether it is sold when there are none.
    Policy,
    /// Who counts how many there are, if anyone.
    Tracker,
    /// Active, draft, archived and the like.
    Status,
    /// Whether it is published.
    Published,
    /// Whether it is shown among others.
    Visibility,
    /// Shopify: what the rows of a product share.
    Handle,
    /// A variant's own number.
    Sku,
    /// Shopify: a variant's own picture.
    VariantImage,
    /// Shopify: where among its product's pictures one stands.
    Position,
    /// WooCommerce: simple, variable, variation, grouped, external.
    RowType,
    /// WooCommerce: the variable product of a variation.
    Parent,
}

impl Slot {
    /// All of them.
    pub const ALL: [Self; 28] = [
        Self::Id,
        Self::Group,
        Self::Title,
        Self::Url,
        Self::Image,
        Self::MoreImages,
        Self::Price,
        Self::SalePrice,
        Self::ListPrice,
        Self::SaleDates,
        Self::SaleStart,
        Self::SaleEnd,
        Self::Currency,
        Self::Category,
        Self::Kind,
        Self::Availability,
        Self::Quantity,
        Self::Policy,
        Self::Tracker,
        Self::Status,
        Self::Published,
        Self::Visibility,
        Self::Handle,
        Self::Sku,
        Self::VariantImage,
        Self::Position,
        Self::RowType,
        Self::Parent,
    ];

    /// Its name in JSON and in `--map`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Group => "group",
            Self::Title => "title",
            Self::Url => "url",
            Self::Image => "image",
            Self::MoreImages => "images",
            Self::Price => "price",
            Self::SalePrice => "sale_price",
            Self::ListPrice => "list_price",
            Self::SaleDates => "sale_dates",
            Self::SaleStart => "sale_start",
            Self::SaleEnd => "sale_end",
            Self::Currency => "currency",
            Self::Category => "category",
            Self::Kind => KIND,
            Self::Availability => "availability",
            Self::Quantity => "quantity",
            Self::Policy => "policy",
            Self::Tracker => "tracker",
            Self::Status => "status",
            Self::Published => "published",
            Self::Visibility => "visibility",
            Self::Handle => "handle",
            Self::Sku => "sku",
            Self::VariantImage => "variant_image",
            Self::Position => "position",
            Self::RowType => "row_type",
            Self::Parent => "parent",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|slot| slot.as_str() == name)
    }
}

/// Whether a column of this name holds pictures, in feeds that have no dialect of their own.
pub(crate) fn is_picture(name: &str) -> bool {
    [Slot::Image, Slot::MoreImages]
        .into_iter()
        .any(|slot| aliases::of(slot, Dialect::Json).contains(&name))
        || aliases::numbered_picture(name)
}

/// Whether a header of this name says that a table has products.
pub(crate) fn is_known(name: &str) -> bool {
    let name = key(name);
    let dialects = [Dialect::Table, Dialect::Shopify, Dialect::WooCommerce];
    dialects.iter().any(|&d| Slot::ALL.iter().any(|&s| aliases::of(s, d).contains(&&*name)))
        || aliases::is_internal(&name, Dialect::Table)
}

/// What a column became.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A field of products.
    Field(Slot),
    /// The name of an option, such as Colour.
    OptionName(u8),
    /// The value of an option, such as red.
    OptionValue(u8),
    /// An attribute of this name.
    Attribute(String),
    /// Known, but nothing that a shopper compares by: shipped on request only.
    Internal,
    /// Without a name, or one too many.
    Ignored,
}

/// Which columns are tried for what, in order.
#[derive(Clone, Debug)]
pub(crate) struct Mapping {
    /// By slot, the columns that may fill it, the first choice first.
    slots: Vec<Vec<usize>>,
    /// By column.
    targets: Vec<Target>,
    /// Columns whose numbers are of Google's taxonomy: a word is worth more, and a number nothing.
    taxonomy: Vec<usize>,
}

impl Mapping {
    /// Finds out what the columns of a dialect become.
    ///
    /// # Errors
    /// `BadCatalog` if a column that the options name is not there.
    pub(crate) fn new(names: &Names, dialect: Dialect, options: &Options) -> Result<Self> {
        let mut slots = vec![Vec::new(); Slot::ALL.len()];
        let mut targets = vec![None; names.len()];
        let mut own = Vec::new();
        for (ours, theirs) in &options.map {
            let Some(column) = names.find(&key(theirs)) else {
                let known: Vec<&str> = (0..names.len()).map(|c| names.name(c)).collect();
                return Err(Error::new(
                    ErrorKind::BadCatalog,
                    format!("there is no column {theirs:?}; there are {}", known.join(", ")),
                ));
            };
            own.push(column);
            match Slot::named(&key(ours)) {
                Some(slot) => {
                    slots[slot as usize].push(column);
                    targets[column].get_or_insert(Target::Field(slot));
                }
                None => targets[column] = Some(Target::Attribute(key(ours))),
            }
        }
        for slot in Slot::ALL {
            for alias in aliases::of(slot, dialect) {
                // A name may stand over several columns.
                for column in (0..names.len()).filter(|&c| names.key(c) == *alias) {
                    if own.contains(&column) || slots[slot as usize].contains(&column) {
                        continue;
                    }
                    slots[slot as usize].push(column);
                    targets[column].get_or_insert(Target::Field(slot));
                }
            }
        }
        let targets: Vec<Target> = targets
            .into_iter()
            .enumerate()
            .map(|(column, target)| match target {
                Some(target) => target,
                None => {
                    let name = names.key(column);
                    let numbered = aliases::numbered_picture(name);
                    if numbered {
                        slots[Slot::MoreImages as usize].push(column);
                        slots[Slot::Image as usize].push(column);
                    }
                    other(name, numbered, dialect, options)
                }
            })
            .collect();
        let is_taxonomy =
            |&c: &usize| aliases::TAXONOMY.contains(&names.key(c)) && !own.contains(&c);
        let taxonomy = (0..names.len()).filter(is_taxonomy).collect();
        Ok(Self { slots, targets, taxonomy })
    }

    /// What a column became.
    pub(crate) fn target(&self, column: usize) -> &Target {
        self.targets.get(column).unwrap_or(&Target::Ignored)
    }

    /// The columns that may fill a slot, the first choice first.
    pub(crate) fn columns(&self, slot: Slot) -> &[usize] {
        &self.slots[slot as usize]
    }

    /// Sorts a record's values.
    pub(crate) fn draft(&self, record: Record) -> Draft {
        let mut draft = Draft {
            place: record.place,
            values: vec![None; Slot::ALL.len()],
            pictures: Vec::new(),
            options: Vec::new(),
            attributes: Vec::new(),
            crowded: false,
            numbered: None,
        };
        let mut by_column: Vec<Vec<&Field>> = vec![Vec::new(); self.targets.len()];
        for field in &record.fields {
            if !field.text.trim().is_empty()
                && let Some(fields) = by_column.get_mut(field.column)
            {
                if self.taxonomy.contains(&field.column) && is_number(&field.text) {
                    draft.numbered.get_or_insert_with(|| field.clone());
                } else {
                    fields.push(field);
                }
            }
        }
        for slot in Slot::ALL {
            let filled = |column: &&usize| !by_column[**column].is_empty();
            let first = self.columns(slot).iter().find(filled);
            draft.values[slot as usize] = first.map(|&column| by_column[column][0].clone());
        }
        // The first choice for the main picture, and after it all others.
        let main = self.columns(Slot::Image).iter().find(|&&c| !by_column[c].is_empty());
        let more = self.columns(Slot::MoreImages).iter().filter(|&column| Some(column) != main);
        for &column in main.into_iter().chain(more) {
            draft.pictures.extend(by_column[column].iter().map(|&field| field.clone()));
        }
        for (column, fields) in by_column.iter().enumerate() {
            let Some(first) = fields.first() else { continue };
            match &self.targets[column] {
                Target::OptionName(n) => draft.option(*n).0.clone_from(&first.text),
                Target::OptionValue(n) => draft.option(*n).1.clone_from(&first.text),
                Target::Attribute(name) => {
                    let all: Vec<&str> = fields.iter().map(|f| f.text.trim()).collect();
                    draft.set_attribute(name.clone(), all.join(", "));
                }
                Target::Field(_) | Target::Internal | Target::Ignored => {}
            }
        }
        draft
    }
}

fn is_number(text: &str) -> bool {
    text.trim().bytes().all(|b| b.is_ascii_digit())
}

/// What a column becomes that fills no slot.
fn other(name: &str, numbered: bool, dialect: Dialect, options: &Options) -> Target {
    if name.is_empty() || name.starts_with("unnamed_") {
        return Target::Ignored;
    }
    if options.keep.iter().any(|keep| key(keep) == name) {
        return Target::Attribute(name.to_owned());
    }
    if numbered {
        return Target::Field(Slot::MoreImages);
    }
    if let Some(option) = aliases::option(name, dialect) {
        return option;
    }
    if aliases::is_internal(name, dialect) && !options.keep.iter().any(|keep| keep == "all") {
        return Target::Internal;
    }
    Target::Attribute(name.to_owned())
}

/// A record whose values have found their slots; what its dialect makes of it is still open.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) place: Place,
    values: Vec<Option<Field>>,
    /// Values that name pictures, the main one first.
    pub(crate) pictures: Vec<Field>,
    /// Names and values of options, by number from 0.
    pub(crate) options: Vec<(String, String)>,
    pub(crate) attributes: Vec<(String, String)>,
    /// Whether there were more attributes than are kept.
    pub(crate) crowded: bool,
    /// A category that is a number of Google's taxonomy.
    pub(crate) numbered: Option<Field>,
}

impl Draft {
    /// A slot's value, trimmed and never empty.
    pub(crate) fn get(&self, slot: Slot) -> Option<&str> {
        self.field(slot).map(|field| field.text.trim())
    }

    /// A slot's value and where it stands.
    pub(crate) fn field(&self, slot: Slot) -> Option<&Field> {
        self.values[slot as usize].as_ref()
    }

    /// Gives a slot a value.
    pub(crate) fn set(&mut self, slot: Slot, text: impl Into<String>) {
        let text = text.into();
        let field = Field { column: usize::MAX, text, place: self.place };
        self.values[slot as usize] = Some(field).filter(|f| !f.text.trim().is_empty());
    }

    /// Takes a slot's value away.
    pub(crate) fn clear(&mut self, slot: Slot) {
        self.values[slot as usize] = None;
    }

    /// Takes a slot's value from another draft where this has none.
    pub(crate) fn inherit(&mut self, slot: Slot, from: &Self) {
        if self.values[slot as usize].is_none() {
            self.values[slot as usize].clone_from(&from.values[slot as usize]);
        }
    }

    /// Adds an attribute unless there is one of this name.
    pub(crate) fn set_attribute(&mut self, name: String, value: String) {
        if self.attributes.iter().any(|(known, _)| *known == name) {
            return;
        }
        if self.attributes.len() < MAX_ATTRIBUTES {
            self.attributes.push((name, value));
        } else {
            self.crowded = true;
        }
    }

    fn option(&mut self, number: u8) -> &mut (String, String) {
        let at = usize::from(number.max(1)) - 1;
        if self.options.len() <= at {
            self.options.resize(at + 1, Default::default());
        }
        &mut self.options[at]
    }
}
