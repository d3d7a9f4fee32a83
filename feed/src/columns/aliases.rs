//! Names that shops' exports use for the fields of products. Within a list the first choice stands
//! first.

use super::{Slot, Target};
use crate::dialect::{Dialect, shopify, woocommerce};

/// The names for a slot, in order.
pub(super) fn of(slot: Slot, dialect: Dialect) -> &'static [&'static str] {
    let own: &[(Slot, &'static [&'static str])] = match dialect {
        Dialect::Shopify | Dialect::ShopifyOld => &shopify::ALIASES,
        Dialect::WooCommerce => &woocommerce::ALIASES,
        _ => &[],
    };
    match own.iter().find(|(of, _)| *of == slot) {
        Some((_, names)) => names,
        None => general(slot),
    }
}

fn general(slot: Slot) -> &'static [&'static str] {
    match slot {
        Slot::Id => &[
            "id",
            "product_id",
            "item_id",
            "offer_id",
            "article_id",
            "sku",
            "variant_sku",
            "article_number",
            "item_number",
            "product_code",
            "artikelnummer",
            "reference",
            "référence",
            "handle",
            "url_handle",
            "guid",
        ],
        Slot::Group => &[
            "item_group_id",
            "group",
            "group_id",
            "product_group_id",
            "variant_group_id",
            "parent_sku",
            "parent_id",
            "parent",
        ],
        Slot::Title => &[
            "title",
            "name",
            "product_name",
            "product_title",
            "item_name",
            "titel",
            "bezeichnung",
            "produktname",
            "artikelbezeichnung",
            "titre",
            "nom",
            "título",
            "titulo",
            "nombre",
            "titolo",
            "nome",
            "naam",
            "nazwa",
        ],
        Slot::Url => &[
            "url",
            "link",
            "product_url",
            "product_link",
            "item_url",
            "permalink",
            "canonical_url",
            "canonical_link",
            "external_url",
            "deeplink",
            "href",
            "mobile_link",
        ],
        Slot::Image => &[
            "image",
            "image_link",
            "image_url",
            "image_src",
            "main_image",
            "main_image_url",
            "main_image_link",
            "primary_image",
            "product_image",
            "product_image_url",
            "picture",
            "picture_url",
            "photo",
            "photo_url",
            "img",
            "img_url",
            "imgurl",
            "images",
            "image_urls",
            "image_links",
            "pictures",
            "photos",
            "bild",
            "bildlink",
            "bilder",
            "imagen",
            "imágenes",
            "immagine",
            "immagini",
            "afbeelding",
            "afbeeldingen",
            "zdjęcie",
            "zdjęcia",
            "thumbnail",
            "thumbnail_url",
            "media_content",
            "enclosure",
            "media_thumbnail",
        ],
        Slot::MoreImages => &[
            "additional_image_link",
            "additional_image_links",
            "additional_image",
            "additional_images",
            "additional_image_urls",
            "extra_images",
            "other_images",
            "gallery",
            "gallery_images",
            "media_gallery",
            "images",
            "image_urls",
            "image_links",
            "pictures",
            "photos",
            "bilder",
            "weitere_bilder",
        ],
        Slot::Price => &[
            "price",
            "product_price",
            "current_price",
            "variant_price",
            "unit_price",
            "amount",
            "low_price",
            "regular_price",
            "preis",
            "verkaufspreis",
            "prix",
            "precio",
            "preço",
            "prezzo",
            "prijs",
            "cena",
            "pris",
        ],
        Slot::SalePrice => &[
            "sale_price",
            "special_price",
            "discounted_price",
            "discount_price",
            "offer_price",
            "promo_price",
            "angebotspreis",
            "sonderpreis",
            "prix_promo",
        ],
        Slot::ListPrice => &[
            "list_price",
            "compare_at_price",
            "variant_compare_at_price",
            "regular_price",
            "original_price",
            "old_price",
            "was_price",
            "price_before_discount",
            "streichpreis",
        ],
        Slot::SaleDates => &["sale_price_effective_date", "sale_dates"],
        Slot::SaleStart => &["sale_start", "sale_price_start_date"],
        Slot::SaleEnd => &["sale_end", "sale_price_end_date"],
        Slot::Currency => &[
            "currency",
            "price_currency",
            "currency_code",
            "currency_id",
            "währung",
            "waehrung",
            "devise",
            "moneda",
            "valuta",
            "waluta",
        ],
        Slot::Category => &[
            "category",
            "product_type",
            "categories",
            "product_category",
            "main_category",
            "category_name",
            "category_path",
            "breadcrumb",
            "breadcrumbs",
            "kategorie",
            "kategorien",
            "catégorie",
            "catégories",
            "categoría",
            "categorías",
            "categoria",
            "categorie",
            "kategoria",
            "google_product_category",
            "fb_product_category",
        ],
        Slot::Kind => &["kind", "type", "product_type"],
        Slot::Availability => &[
            "availability",
            "in_stock",
            "stock_status",
            "availability_status",
            "is_in_stock",
            "stock_availability",
            "verfügbarkeit",
            "verfuegbarkeit",
            "lieferbarkeit",
            "disponibilité",
            "disponibilidad",
            "disponibilità",
            "beschikbaarheid",
            "dostępność",
        ],
        Slot::Quantity => &[
            "quantity",
            "stock",
            "stock_quantity",
            "inventory_quantity",
            "inventory",
            "variant_inventory_qty",
            "qty",
            "quantity_to_sell_on_facebook",
            "bestand",
        ],
        Slot::Status => &["status", "product_status"],
        Slot::Published => &["published", "is_published", "published_on_online_store"],
        Slot::Visibility => &["visibility"],
        _ => &[],
    }
}

/// `image_2`, `image_0_url`, `image3`, `picture_4_src`.
pub(super) fn numbered_picture(name: &str) -> bool {
    ["image_link", "image_url", "additional_image_link", "image", "picture", "photo", "img", "bild"]
        .iter()
        .any(|stem| {
            let Some(rest) = name.strip_prefix(stem) else { return false };
            let rest = rest.trim_start_matches('_');
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            (1..=3).contains(&digits) && matches!(&rest[digits..], "" | "_url" | "_link" | "_src")
        })
}

/// Columns of options: `option1_name`, `attribute_2_value_s`.
pub(super) fn option(name: &str, dialect: Dialect) -> Option<Target> {
    let number = |rest: &str| rest.parse::<u8>().ok().filter(|n| (1..=100).contains(n));
    match dialect {
        Dialect::Shopify | Dialect::ShopifyOld => {
            let (n, what) = name.strip_prefix("option")?.split_once('_')?;
            match what {
                "name" => Some(Target::OptionName(number(n)?)),
                "value" => Some(Target::OptionValue(number(n)?)),
                _ => None,
            }
        }
        Dialect::WooCommerce => {
            let rest = woocommerce::ATTRIBUTE.iter().find_map(|stem| name.strip_prefix(stem))?;
            let (n, what) = rest.trim_start_matches('_').split_once('_')?;
            match what {
                "name" => Some(Target::OptionName(number(n)?)),
                _ if what.starts_with("value") || what.starts_with("wert") => {
                    Some(Target::OptionValue(number(n)?))
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// What nobody compares products by: texts of pages, numbers of logistics, settings of shops.
pub(super) fn is_internal(name: &str, dialect: Dialect) -> bool {
    const EXACT: [&str; 60] = [
        "description",
        "short_description",
        "long_description",
        "body",
        "body_html",
        "summary",
        "html",
        "content",
        "beschreibung",
        "kurzbeschreibung",
        "descripción",
        "descrizione",
        "omschrijving",
        "opis",
        "rich_text_description",
        "gtin",
        "gtin8",
        "gtin12",
        "gtin13",
        "gtin14",
        "ean",
        "upc",
        "isbn",
        "mpn",
        "barcode",
        "sku",
        "context",
        "identifier_exists",
        "tax",
        "tax_class",
        "tax_status",
        "tax_category",
        "position",
        "sort_order",
        "image_position",
        "image_alt_text",
        "alt_text",
        "mobile_link",
        "expiration_date",
        "availability_date",
        "multipack",
        "is_bundle",
        "adult",
        "gift_card",
        "promotion_id",
        "updated_at",
        "created_at",
        "pub_date",
        "updated",
        "published_at",
        "author",
        "variants",
        "options",
        "offers",
        "review",
        "reviews",
        "aggregate_rating",
        "main_entity_of_page",
        "has_merchant_return_policy",
        "checkout_url",
    ];
    const BEGIN: [&str; 25] = [
        "shipping",
        "inventory",
        "seo_",
        "meta_",
        "custom_label",
        "custom_number",
        "ads_",
        "adwords",
        "google_",
        "fb_",
        "included_destination",
        "excluded_destination",
        "min_handling",
        "max_handling",
        "min_energy",
        "max_energy",
        "energy_",
        "installment",
        "loyalty_",
        "unit_pricing",
        "cost",
        "tax_",
        "subscription_",
        "return_",
        "applinks_",
    ];
    EXACT.contains(&name)
        || BEGIN.iter().any(|begin| name.starts_with(begin))
        || match dialect {
            Dialect::Shopify | Dialect::ShopifyOld => {
                shopify::INTERNAL.iter().any(|begin| name.starts_with(begin))
            }
            Dialect::WooCommerce => {
                woocommerce::INTERNAL.iter().any(|begin| name.starts_with(begin))
            }
            _ => false,
        }
}
