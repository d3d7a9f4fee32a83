//! Texts as people read them: no markup, no control characters, not without end.

use std::borrow::Cow;

/// Bytes of a value that are looked at, markup included.
const MAX_MARKUP: usize = 64 << 10;

/// Plain text of at most `most` characters, and whether it was cut.
pub(crate) fn plain(text: &str, most: usize) -> (String, bool) {
    let text = &text[..text.floor_char_boundary(MAX_MARKUP)];
    let mut text = decode(&strip(text));
    // Markup that was escaped once more.
    if text.contains("</") || text.contains("/>") {
        text = decode(&strip(&text));
    }
    let mut words = String::with_capacity(text.len().min(4 * most));
    let mut count = 0;
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty())
    {
        if count > 0 {
            words.push(' ');
            count += 1;
        }
        for c in word.chars() {
            if count == most {
                words.pop();
                words.truncate(words.trim_end().len());
                words.push('…');
                return (words, true);
            }
            words.push(c);
            count += 1;
        }
    }
    (words, false)
}

/// Takes tags and comments out, and what stands in scripts and styles.
fn strip(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let tag = rest[1..].chars().next();
        if !tag.is_some_and(|c| c.is_ascii_alphabetic() || matches!(c, '/' | '!')) {
            out.push('<');
            rest = &rest[1..];
            continue;
        }
        let name: String = rest[1..]
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .map(|c| c.to_ascii_lowercase())
            .collect();
        let end = if rest.starts_with("<!--") {
            rest.find("-->").map(|at| at + 3)
        } else if matches!(name.as_str(), "script" | "style") {
            let close = format!("</{name}");
            find_ignoring_case(rest, &close)
                .and_then(|at| rest[at..].find('>').map(|end| at + end + 1))
        } else {
            rest.find('>').map(|at| at + 1)
        };
        match end {
            Some(end) => {
                if !matches!(
                    name.as_str(),
                    "b" | "i" | "em" | "strong" | "span" | "a" | "sup" | "sub"
                ) && !is_closing_inline(rest)
                {
                    out.push(' ');
                }
                rest = &rest[end..];
            }
            // What has no end here has none further on.
            None => break,
        }
    }
    out.push_str(rest);
    out
}

fn is_closing_inline(tag: &str) -> bool {
    ["</b>", "</i>", "</em>", "</strong>", "</span>", "</a>", "</sup>", "</sub>"]
        .iter()
        .any(|t| tag.starts_with(t))
}

fn find_ignoring_case(text: &str, what: &str) -> Option<usize> {
    text.as_bytes().windows(what.len()).position(|w| w.eq_ignore_ascii_case(what.as_bytes()))
}

/// Replaces the references of HTML by what they stand for; others stay as they are.
pub(crate) fn decode(text: &str) -> String {
    if !text.contains('&') {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.bytes().take(34).position(|b| b == b';');
        let known = end.and_then(|end| Some((end, reference(&rest[1..end])?)));
        match known {
            Some((end, text)) => {
                out.push_str(&text);
                rest = &rest[end + 1..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// What a reference, without `&` and `;`, stands for.
fn reference(name: &str) -> Option<String> {
    let Some(number) = name.strip_prefix('#') else {
        let written = format!("&{name};");
        return match html_escape::decode_html_entities(&written) {
            Cow::Owned(text) if text != written => Some(text),
            _ => None,
        };
    };
    let code = match number.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => number.parse(),
    };
    let c = code.ok().and_then(char::from_u32).filter(|&c| c != '\0')?;
    Some(c.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_becomes_words() {
        for (html, expected) in [
            ("Chair &amp; table", "Chair & table"),
            ("<p>Oak<br/>and <b>ash</b>wood</p>", "Oak and ashwood"),
            ("&lt;p&gt;Oak&lt;/p&gt;", "Oak"),
            ("a < b > c, 3<4", "a < b > c, 3<4"),
            ("x<script>alert(1)</SCRIPT>y<!-- z -->", "x y"),
            ("caf&eacute; &#8211; &#x20AC; &unknown; &", "café – € &unknown; &"),
            ("two\n\tlines\u{0}\u{7f}", "two lines"),
            ("<p unclosed", "<p unclosed"),
        ] {
            assert_eq!(plain(html, 300).0, expected, "{html}");
        }
        assert_eq!(plain("abcdef", 6), ("abcdef".into(), false));
        assert_eq!(plain("abcdefg", 6), ("abcde…".into(), true));
    }
}
