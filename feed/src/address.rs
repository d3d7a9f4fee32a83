//! Addresses of product pages.

use std::net::Ipv6Addr;

/// An address that a browser would open over http or https, tidied, or `None`. What begins with
/// `//` is taken for https; a path is taken to be the shop's own.
pub(crate) fn page(text: &str, shop: Option<&str>) -> Option<String> {
    let text = text.trim();
    let joined;
    let text = if text.starts_with("//") {
        joined = format!("https:{text}");
        &joined
    } else if text.starts_with('/') {
        joined = format!("{}{text}", shop?.trim_end_matches('/'));
        &joined
    } else {
        text
    };
    let scheme = ["https://", "http://"].into_iter().find(|s| starts_with(text, s))?;
    let rest = &text[scheme.len()..];
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit('@').next().unwrap_or_default();
    (is_host(host) && !path.contains(|c: char| c.is_control() || c == '\\'))
        .then(|| format!("{scheme}{authority}{}", path.replace(' ', "%20")))
}

/// Whether a text begins an address of any kind that pictures have.
pub(crate) fn begins_address(text: &str) -> bool {
    text.starts_with("//")
        || ["https://", "http://", "data:image/", "file://", "ftp://"]
            .into_iter()
            .any(|scheme| starts_with(text, scheme))
}

fn starts_with(text: &str, scheme: &str) -> bool {
    text.get(..scheme.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(scheme))
}

fn is_host(host: &str) -> bool {
    let port = |port: &str| port.is_empty() || port.parse::<u16>().is_ok();
    if let Some(rest) = host.strip_prefix('[') {
        let Some((address, after)) = rest.split_once(']') else { return false };
        return address.parse::<Ipv6Addr>().is_ok()
            && (after.is_empty() || after.strip_prefix(':').is_some_and(port));
    }
    let (name, number) = host.split_once(':').unwrap_or((host, ""));
    let fine = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    !name.is_empty()
        && name.len() <= 253
        && name.chars().all(fine)
        && port(number)
        && name.contains(char::is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_browser_opens_is_an_address() {
        for (text, expected) in [
            ("https://shop.example/p/1?a=b#c", Some("https://shop.example/p/1?a=b#c")),
            (" HTTP://shop.example ", Some("http://shop.example")),
            ("http://münchen.example:8080/ä b", Some("http://münchen.example:8080/ä%20b")),
            ("//shop.example/x", Some("https://shop.example/x")),
            ("http://[::1]:80/", Some("http://[::1]:80/")),
            ("/p/1", Some("https://my.shop/p/1")),
            ("http://[::1", None),
            ("http://exa mple", None),
            ("http://", None),
            ("https:///x", None),
            ("http://a:99999/", None),
            ("javascript:alert(1)", None),
            ("shop.example/p", None),
            ("", None),
        ] {
            let found = page(text, Some("https://my.shop/"));
            assert_eq!(found.as_deref(), expected, "{text}");
        }
        assert_eq!(page("/p/1", None), None);
    }
}
