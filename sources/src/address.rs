//! Addresses of pictures and feeds: `http` and `https` alone.

use std::fmt;

use lookalike_error::{Error, ErrorKind, Result};
use url::Url;

/// An address by `http` or `https`. Printed without user name, password and fragment.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Address(Url);

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
        let whole;
        let text = if text.starts_with("//") {
            whole = format!("https:{text}");
            &whole
        } else {
            text
        };
        let refused = |why: String| {
            let what = format!("{:?} cannot be fetched: {why}", shortened(text));
            Error::new(ErrorKind::BadCatalog, what)
        };
        if let Some(scheme) = scheme(text).filter(|scheme| !is_web(scheme)) {
            return Err(refused(format!("addresses by http and https are, by {scheme} not")));
        }
        let mut url = Url::parse(text).map_err(|cause| refused(cause.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(refused("it names no host".to_owned()));
        }
        url.set_fragment(None);
        Ok(Self(url))
    }

    /// The address that `name` means where it stands in what came from this one: another address, or
    /// a path relative to it.
    ///
    /// # Errors
    ///
    /// Where it means none, or one by another scheme.
    pub fn join(&self, name: &str) -> Result<Self> {
        let joined = self.0.join(name.trim()).map_err(|cause| {
            let what = format!("{:?} below {self} is no address: {cause}", shortened(name));
            Error::new(ErrorKind::BadCatalog, what)
        })?;
        Self::parse(joined.as_str())
    }

    /// The host's name or number.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// What follows the last point of its file's name; empty where there is none.
    #[must_use]
    pub fn extension(&self) -> &str {
        let file = self.0.path().rsplit('/').next().unwrap_or_default();
        file.rsplit_once('.').map_or("", |(_, extension)| extension)
    }

    pub(crate) fn url(&self) -> &Url {
        &self.0
    }

    /// What goes over the wire: no user name and password, which go in a header of their own.
    pub(crate) fn plain(&self) -> Url {
        let mut url = self.0.clone();
        // Fails for addresses without a host alone, which are not ours.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url
    }

    /// User name and password, decoded.
    pub(crate) fn credentials(&self) -> Option<(String, String)> {
        let decode =
            |s: &str| percent_encoding::percent_decode_str(s).decode_utf8_lossy().into_owned();
        let password = self.0.password();
        if self.0.username().is_empty() && password.is_none() {
            return None;
        }
        Some((decode(self.0.username()), decode(password.unwrap_or_default())))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.plain().as_str())
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
        assert_eq!(address("HTTP://bücher.example/x"), "http://xn--bcher-kva.example/x");
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
