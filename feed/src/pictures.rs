//! Several pictures in one value: lists by comma, semicolon, bar, space or line, quoted or not, and
//! JSON. Addresses may hold such characters themselves (`…/w_500,h_500/a.jpg`), so a list is cut
//! only where what follows is an address, or where file names stand on both sides.

use serde_json::{Map, Value};

use crate::address::begins_address;

const EXTENSIONS: [&str; 15] = [
    "jpg", "jpeg", "jpe", "jfif", "png", "webp", "gif", "bmp", "tif", "tiff", "avif", "heic",
    "heif", "svg", "jxl",
];

/// The names or addresses in a value.
pub(crate) fn split(text: &str) -> Vec<String> {
    let text = text.trim();
    if text.starts_with(['[', '{']) {
        // Python writes lists with single quotes.
        let json = serde_json::from_str::<Value>(text)
            .or_else(|_| serde_json::from_str(&text.replace('\'', "\"")));
        if let Ok(value) = json {
            let mut found = Vec::new();
            of_json(&value, &mut found);
            return found;
        }
    }
    cut(text).into_iter().map(tidy).filter(|name| !name.is_empty()).collect()
}

/// The address of a picture in JSON: a text, or an object that has it under one of several names.
pub(crate) fn of_json(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.extend(Some(tidy(text)).filter(|name| !name.is_empty())),
        Value::Array(list) => list.iter().for_each(|value| of_json(value, found)),
        Value::Object(object) => of_object(object, found),
        _ => {}
    }
}

/// The same of an object.
pub(crate) fn of_object(object: &Map<String, Value>, found: &mut Vec<String>) {
    let names = [
        "url",
        "contentUrl",
        "originalSrc",
        "transformedSrc",
        "src",
        "link",
        "href",
        "image",
        "original",
        "@id",
    ];
    if let Some(value) = names.iter().find_map(|name| object.get(*name)) {
        of_json(value, found);
    }
}

/// Without spaces and quotes around, and with the scheme that `//` leaves out.
fn tidy(name: &str) -> String {
    let name = name.trim();
    let name = name.strip_prefix('"').and_then(|n| n.strip_suffix('"')).unwrap_or(name).trim();
    match name.strip_prefix("//") {
        Some(rest) => format!("https://{rest}"),
        None => name.to_owned(),
    }
}

fn is_separator(c: char) -> bool {
    matches!(c, ',' | ';' | '|') || c.is_whitespace()
}

fn cut(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut begin = 0;
    let mut quoted = text.starts_with('"');
    let mut after = 0;
    for (at, c) in text.char_indices() {
        if at < after {
            continue;
        }
        if quoted {
            // An address in quotes ends with them.
            quoted = !(c == '"' && at > begin);
            continue;
        }
        if !is_separator(c) {
            continue;
        }
        let rest = &text[at..];
        let next = rest.trim_start_matches(is_separator);
        let separator = &rest[..rest.len() - next.len()];
        after = at + separator.len();
        let hard = separator.contains([',', ';', '|', '\n', '\t']);
        if separates(&text[begin..at], next, hard) {
            parts.push(&text[begin..at]);
            begin = after;
            quoted = next.starts_with('"');
        }
    }
    parts.push(&text[begin..]);
    // A list may end in its separator.
    if let Some(last) = parts.last_mut() {
        let bare = last.trim_end_matches(|c| matches!(c, ';' | '|') || c.is_whitespace());
        *last = if begins_address(bare) && !is_file(bare.trim_end_matches(',')) {
            bare
        } else {
            bare.trim_end_matches(',')
        };
    }
    parts
}

/// Whether a separator between these two stands between pictures. `hard` is one that file names
/// seldom hold.
fn separates(before: &str, next: &str, hard: bool) -> bool {
    let bare = next.trim_start_matches('"');
    if begins_address(bare) {
        return true;
    }
    let before = before.trim().trim_matches('"');
    // Its end tells as much, and a list of a million words is then no work of a million squared.
    let end = &before[before.ceil_char_boundary(before.len().saturating_sub(1024))..];
    if begins_address(before) {
        // An address and then a mere name: only where the name has no folder, since a slash means
        // that the address goes on behind its comma.
        let token = bare.split(is_separator).next().unwrap_or_default();
        return hard && is_file(end) && is_file(token) && !token.contains('/');
    }
    let token = if hard {
        bare.split([',', ';', '|', '\n', '\t']).next().unwrap_or_default()
    } else {
        bare.split(char::is_whitespace).next().unwrap_or_default()
    };
    is_file(end) && is_file(token.trim().trim_matches(['"', ',', ';', '|']))
}

/// Whether a name ends as pictures' names do, whatever is asked of it behind `?`.
pub(crate) fn is_file(name: &str) -> bool {
    let name = name.split(['?', '#']).next().unwrap_or_default().trim_end();
    let extension = name.rsplit_once('.').map(|(_, e)| e.to_ascii_lowercase());
    extension.is_some_and(|e| EXTENSIONS.contains(&e.as_str()))
}

/// Whether a value could name pictures: to tell rows of a table from lines of a text.
pub(crate) fn is_likely(value: &str) -> bool {
    let value = value.trim().trim_matches('"');
    begins_address(value) || is_file(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_cut_between_pictures_only() {
        for (text, expected) in [
            ("a.png", &["a.png"][..]),
            ("a.png, b.png", &["a.png", "b.png"]),
            ("a.png;b.png|c.png", &["a.png", "b.png", "c.png"]),
            ("a.png b.png\nc.png", &["a.png", "b.png", "c.png"]),
            ("my chair.png, my other chair.png", &["my chair.png", "my other chair.png"]),
            ("my chair.png", &["my chair.png"]),
            ("a, b.png", &["a, b.png"]),
            ("a.png,", &["a.png"]),
            ("a.png?v=1,b.png?v=2", &["a.png?v=1", "b.png?v=2"]),
            ("https://x/a.jpg,https://x/b.jpg", &["https://x/a.jpg", "https://x/b.jpg"]),
            ("https://x/1 https://x/2", &["https://x/1", "https://x/2"]),
            ("https://x/1;https://x/2 | http://x/3", &["https://x/1", "https://x/2", "http://x/3"]),
            ("//x/a.jpg, //x/b.jpg", &["https://x/a.jpg", "https://x/b.jpg"]),
            (
                "https://x/w_500,h_500/a.jpg,https://x/w_500,h_500/b.jpg",
                &["https://x/w_500,h_500/a.jpg", "https://x/w_500,h_500/b.jpg"],
            ),
            ("https://x/a.jpg,w_500/b.jpg", &["https://x/a.jpg,w_500/b.jpg"]),
            ("https://x/a%2Cb.jpg,https://x/c.jpg", &["https://x/a%2Cb.jpg", "https://x/c.jpg"]),
            (r#""https://x/a,b","https://x/c""#, &["https://x/a,b", "https://x/c"]),
            (r#"["a.jpg", "b,c.jpg"]"#, &["a.jpg", "b,c.jpg"]),
            ("['a.jpg', 'b.jpg']", &["a.jpg", "b.jpg"]),
            (r#"[{"url":"a.jpg"},{"src":"b.jpg"}]"#, &["a.jpg", "b.jpg"]),
            ("[broken", &["[broken"]),
            ("", &[]),
            (" , ", &[]),
        ] {
            assert_eq!(split(text), expected, "{text}");
        }
    }
}
