//! Addresses of pictures and feeds: `http` and `https` alone.

use std::fmt;
use std::net::Ipv4Addr;

use fluent_uri::{Uri, UriRef};
use lookalike_error::{Error, ErrorKind, Result};
use percent_encoding::percent_decode_str;

/// An address by `http` or `https`. Printed without user name, password and fragment.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Address {
    secure: bool,
    /// User name and password, percent-encoded.
    user: Option<String>,
    /// In lower case; a number of version 6 in brackets.
    host: String,
    port: Option<u16>,
    /// Path and query; begins with `/`.
    path: String,
}

impl Address {
    /// Whether `text` is meant as an address rather than as the name of a file. `//host.name/x.png`
    /// is one; `C:\x.png` and `file:///x.png` are not.
    #[must_use]
    pub fn is_meant(text: &str) -> bool {
        let text = text.trim();
        if let Some(rest) = text.strip_prefix("//") {
            let host = rest.split('/').next().unwrap_or_default();
            return host.contains('.') && rest.len() > host.len() && !host.starts_with('.');
        }
        match scheme(text) {
            None => false,
            Some(scheme) if scheme.eq_ignore_ascii_case("file") => false,
            Some(scheme) if is_web(scheme) || scheme.eq_ignore_ascii_case("data") => true,
            Some(scheme) => text[scheme.len() + 1..].starts_with("//"),
        }
    }

    /// Reads an address. What feeds leave raw (spaces, letters beyond ASCII) is percent-encoded; one
    /// without a scheme, `//host.name/x.png`, is taken as `https`.
    ///
    /// # Errors
    ///
    /// Where it is no address, or one by another scheme.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        if text.starts_with("//") {
            return Self::parse(&format!("https:{text}"));
        }
        if let Some(scheme) = scheme(text).filter(|scheme| !is_web(scheme)) {
            let why = format!("addresses by http and https are, by {scheme} not");
            return Err(refused(text, why));
        }
        let uri = Uri::parse(encoded(text)).map_err(|(cause, _)| refused(text, cause))?;
        Self::of(&uri, text)
    }

    fn of(uri: &Uri<String>, text: &str) -> Result<Self> {
        let authority = uri.authority().filter(|authority| !authority.host().is_empty());
        let authority = authority.ok_or_else(|| refused(text, "it names no host"))?;
        let host = authority.host().to_ascii_lowercase();
        if host.contains('%') {
            let why = "its host's name has letters beyond ASCII; write it as xn--…";
            return Err(refused(text, why));
        }
        // Some systems read 2130706433 and 0x7f.1 as numbers of hosts.
        let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
        let number = last.starts_with("0x") || last.bytes().all(|byte| byte.is_ascii_digit());
        if number && host.parse::<Ipv4Addr>().is_err() {
            return Err(refused(text, format!("{host} is no host")));
        }
        let port = authority.port_to_u16().map_err(|_| refused(text, "its port is no port"))?;
        // Resolved, it has no `.` and `..` any more.
        let path = UriRef::parse(format!("http://x{}", uri.path()));
        let path = path.map_err(|(cause, _)| refused(text, cause))?;
        let base = Uri::parse("http://x/").map_err(|cause| refused(text, cause))?;
        let resolved = path.resolve_against(&base).map_err(|cause| refused(text, cause))?;
        let mut path = resolved.path().as_str().to_owned();
        if path.is_empty() {
            path.push('/');
        }
        if let Some(query) = uri.query() {
            path = path + "?" + query.as_str();
        }
        Ok(Self {
            secure: uri.scheme().as_str().eq_ignore_ascii_case("https"),
            user: authority.userinfo().map(|user| user.as_str().to_owned()),
            host,
            port,
            path,
        })
    }

    /// The address that `name` means where it stands in what came from this one: another address, or
    /// a path relative to it.
    ///
    /// # Errors
    ///
    /// Where it means none, or one by another scheme.
    pub fn join(&self, name: &str) -> Result<Self> {
        let name = name.trim();
        if scheme(name).is_some() {
            return Self::parse(name);
        }
        let base = Uri::parse(self.to_string());
        let base = base.map_err(|(cause, _)| refused(name, cause))?;
        let joined = UriRef::parse(encoded(name)).map_err(|(cause, _)| cause.to_string());
        let joined = joined.and_then(|r| r.resolve_against(&base).map_err(|c| c.to_string()));
        Self::of(&joined.map_err(|cause| refused(name, cause))?, name)
    }

    /// The host's name or number.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// What follows the last point of its file's name; empty where there is none.
    #[must_use]
    pub fn extension(&self) -> &str {
        let path = self.path.split('?').next().unwrap_or_default();
        let file = path.rsplit('/').next().unwrap_or_default();
        file.rsplit_once('.').map_or("", |(_, extension)| extension)
    }

    /// All of it, user name and password too: not for eyes.
    pub(crate) fn key(&self) -> String {
        format!("{} {self}", self.user.as_deref().unwrap_or_default())
    }

    /// User name and password, decoded.
    pub(crate) fn credentials(&self) -> Option<(String, String)> {
        let user = self.user.as_deref()?;
        let (user, password) = user.split_once(':').unwrap_or((user, ""));
        let decode = |s: &str| percent_decode_str(s).decode_utf8_lossy().into_owned();
        Some((decode(user), decode(password)))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        f.write_str(&self.path)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text's scheme, if it begins with one. One letter is a drive of Windows.
fn scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once(':')?;
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    let letter = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
    (letter && scheme.len() > 1 && scheme.chars().all(fits)).then_some(scheme)
}

fn is_web(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
}

/// Percent-encodes what no address may hold, and keeps what is encoded already.
fn encoded(text: &str) -> String {
    let (mut encoded, bytes) = (String::with_capacity(text.len()), text.as_bytes());
    let host = text.find("//").map_or(0, |at| at + 2);
    let path = text[host..].find(['/', '\\', '?', '#']).map_or(text.len(), |at| at + host);
    let query = text.find(['?', '#']).unwrap_or(text.len());
    for (at, &byte) in bytes.iter().enumerate() {
        let hex = |i: usize| bytes.get(at + i).is_some_and(u8::is_ascii_hexdigit);
        match byte {
            b'\t' | b'\n' | b'\r' => {}
            // As browsers do.
            b'\\' if at < query => encoded.push('/'),
            b'%' if hex(1) && hex(2) => encoded.push('%'),
            b'[' | b']' if host <= at && at < path => encoded.push(char::from(byte)),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => encoded.push(char::from(byte)),
            _ if b"-._~:/?#@!$&'()*+,;=".contains(&byte) => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

fn refused(text: &str, why: impl fmt::Display) -> Error {
    let what = format!("{:?} cannot be fetched: {why}", shortened(text));
    Error::new(ErrorKind::BadCatalog, what)
}

/// For messages: no password, and not the megabyte of a `data:` address.
fn shortened(text: &str) -> String {
    let text = match (text.find("//"), text.split(['?', '#']).next().and_then(|t| t.rfind('@'))) {
        (Some(start), Some(at)) if start < at => {
            format!("{}{}", &text[..start + 2], &text[at + 1..])
        }
        _ => text.to_owned(),
    };
    if text.chars().count() <= 200 {
        return text;
    }
    text.chars().take(200).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_from_a_file() {
        for text in ["http://a/x.png", "HTTPS://a/x", " //cdn.shop.example/x.png", "ftp://a/x.png"]
        {
            assert!(Address::is_meant(text), "{text}");
        }
        for text in
            ["x.png", "a/b.png", "C:\\x.png", "C:/x.png", "file:///x.png", "//x.png", "a:b.png"]
        {
            assert!(!Address::is_meant(text), "{text}");
        }
        assert!(Address::is_meant("data:image/png;base64,AAAA"));
    }

    #[test]
    fn what_feeds_leave_raw_is_encoded() {
        let address = |text: &str| Address::parse(text).unwrap().to_string();
        assert_eq!(
            address("https://a.example/rote Hüte.jpg"),
            "https://a.example/rote%20H%C3%BCte.jpg"
        );
        assert_eq!(
            address("https://a.example/a%20b.jpg?v=1 2#c"),
            "https://a.example/a%20b.jpg?v=1%202"
        );
        assert_eq!(address("//cdn.example/x.png"), "https://cdn.example/x.png");
        assert_eq!(address("HTTP://Shop.Example"), "http://shop.example/");
        assert_eq!(
            address("https://a/b/../c/./50%/[1]{2}|x^.png"),
            "https://a/c/50%25/%5B1%5D%7B2%7D%7Cx%5E.png"
        );
        assert_eq!(
            address("http://[2606:4700::1]:81/\\x\\y.png?a\\b"),
            "http://[2606:4700::1]:81//x/y.png?a%5Cb"
        );
        assert_eq!(address("https://a/../../x?y=/../z#w"), "https://a/x?y=/../z");
    }

    #[test]
    fn names_are_relative_to_an_address() {
        let base = Address::parse("https://u:p@a.example:8443/feeds/all.csv?key=1").unwrap();
        let join = |name: &str| base.join(name).unwrap().to_string();
        assert_eq!(join("x y.png"), "https://a.example:8443/feeds/x%20y.png");
        assert_eq!(join("../ä.png?v=1"), "https://a.example:8443/%C3%A4.png?v=1");
        assert_eq!(join("//b.example/x"), "https://b.example/x");
        assert_eq!(join("http://b.example/x"), "http://b.example/x");
        assert_eq!(join("/a:b.png"), "https://a.example:8443/a:b.png");
        assert!(base.join("ftp://b.example/x").is_err());
        // Its secrets are its own.
        assert_eq!(base.join("x").unwrap().credentials(), None);
        assert_eq!((base.extension(), base.host()), ("csv", "a.example"));
    }

    #[test]
    fn other_schemes_are_refused_and_secrets_not_said() {
        for text in [
            "ftp://a.example/x",
            "data:image/png;base64,AA",
            "https://",
            "http://exa mple/",
            "s3://b/x",
        ] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
        let address = Address::parse("https://user:s3cret@a.example/x?y=@").unwrap();
        assert_eq!(
            format!("{address} {address:?}"),
            "https://a.example/x?y=@ https://a.example/x?y=@"
        );
        assert_eq!(address.credentials(), Some(("user".into(), "s3cret".into())));
        let said = Address::parse("https://user:s3cret@exa mple/x").unwrap_err().to_string();
        assert!(!said.contains("s3cret"), "{said}");
    }
}
