//! Words, addresses and numbers that say whether a product can be had.

use lookalike_products::Availability;

/// Reads a value of availability: any writing of the four, words that mean one of them, yes and
/// no, or a quantity.
pub(crate) fn parse(text: &str) -> Option<Availability> {
    let text = text.trim();
    if let Some(quantity) = quantity(text) {
        return Some(of_quantity(quantity));
    }
    // https://schema.org/InStock, schema:InStock
    let word = text.rsplit(['/', '#', ':']).next().unwrap_or(text);
    let word: String =
        word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    use Availability::{BackOrder, InStock, OutOfStock, PreOrder};
    Some(match word.as_str() {
        "instock"
        | "available"
        | "availablenow"
        | "limitedavailability"
        | "limitedstock"
        | "lowstock"
        | "instoreonly"
        | "onlineonly"
        | "yes"
        | "true"
        | "y"
        | "ja"
        | "auflager"
        | "lieferbar"
        | "sofortlieferbar"
        | "verfügbar"
        | "vorrätig"
        | "enstock"
        | "disponible"
        | "disponibile"
        | "oui"
        | "sí"
        | "si"
        | "opvoorraad"
        | "voorradig"
        | "dostępny"
        | "skladem" => InStock,
        "outofstock" | "soldout" | "discontinued" | "unavailable" | "notavailable" | "nostock"
        | "reserved" | "no" | "false" | "n" | "nein" | "non" | "ausverkauft" | "nichtauflager"
        | "nichtlieferbar" | "nichtverfügbar" | "nichtvorrätig" | "rupturedestock"
        | "enrupture" | "épuisé" | "agotado" | "sinstock" | "esaurito" | "nondisponibile"
        | "uitverkocht" | "nietopvoorraad" | "niedostępny" => OutOfStock,
        "preorder" | "presale" | "vorbestellbar" | "vorbestellung" | "précommande" | "preventa" => {
            PreOrder
        }
        "backorder" | "backordered" | "onbackorder" | "availablefororder" | "madetoorder"
        | "onorder" | "bestellbar" | "notify" | "surcommande" => BackOrder,
        _ => return None,
    })
}

/// A number of pieces.
pub(crate) fn quantity(text: &str) -> Option<f64> {
    text.trim().parse::<f64>().ok().filter(|q| q.is_finite())
}

/// What a number of pieces means.
pub(crate) fn of_quantity(quantity: f64) -> Availability {
    if quantity > 0.0 { Availability::InStock } else { Availability::OutOfStock }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_writing_becomes_one_of_four() {
        use Availability::{BackOrder, InStock, OutOfStock, PreOrder};
        for (text, expected) in [
            ("in_stock", Some(InStock)),
            ("in stock", Some(InStock)),
            ("In-Stock", Some(InStock)),
            ("https://schema.org/InStock", Some(InStock)),
            ("http://schema.org/LimitedAvailability", Some(InStock)),
            ("schema:OutOfStock", Some(OutOfStock)),
            ("out of stock", Some(OutOfStock)),
            ("discontinued", Some(OutOfStock)),
            ("SoldOut", Some(OutOfStock)),
            ("preorder", Some(PreOrder)),
            ("pre-order", Some(PreOrder)),
            ("PreSale", Some(PreOrder)),
            ("available for order", Some(BackOrder)),
            ("backorder", Some(BackOrder)),
            ("1", Some(InStock)),
            ("0", Some(OutOfStock)),
            ("-2", Some(OutOfStock)),
            ("true", Some(InStock)),
            ("nicht vorrätig", Some(OutOfStock)),
            ("perhaps", None),
            ("", None),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }
}
