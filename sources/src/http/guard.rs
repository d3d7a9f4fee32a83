//! Which machines are asked: those of the internet, and not the one that asks nor its neighbours.
//!
//! A feed is written by others. Without this, a line of it could make a shop's server ask its own
//! network. What counts is the number that a name leads to when the connection is made, so that no
//! name which changes its mind in between gets by.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// Looks names up and leaves out the numbers that are not to be asked.
#[derive(Debug)]
pub(super) struct Guard<R = DefaultResolver> {
    pub(super) allow_private: bool,
    pub(super) resolver: R,
}

/// A host is not asked.
#[derive(Debug)]
pub(super) struct Refused(IpAddr, &'static str);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}; --allow-private lets it be asked", self.0, self.1)
    }
}

impl std::error::Error for Refused {}

impl<R: Resolver> Resolver for Guard<R> {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.resolver.resolve(uri, config, timeout)?;
        // The proxy itself, which whoever runs this has named, commonly has a private address.
        let proxy = config.proxy().is_some_and(|proxy| proxy.uri().authority() == uri.authority());
        if self.allow_private || proxy {
            return Ok(found);
        }
        let mut allowed = self.empty();
        let mut refused = None;
        for address in found.iter() {
            match not_public(address.ip()) {
                None => allowed.push(*address),
                Some(what) => refused = Some(Refused(address.ip(), what)),
            }
        }
        match refused {
            Some(refused) if allowed.is_empty() => Err(ureq::Error::Other(Box::new(refused))),
            _ => Ok(allowed),
        }
    }
}

/// Refuses a host that is a number, which a proxy would not look up here.
pub(super) fn check_number(host: &str) -> Result<(), Refused> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match host.parse::<IpAddr>() {
        Ok(ip) => not_public(ip).map_or(Ok(()), |what| Err(Refused(ip, what))),
        Err(_) => Ok(()),
    }
}

/// What an address is, if it is none of the internet's. After the registries of special-purpose
/// addresses (RFC 6890).
pub(super) fn not_public(ip: IpAddr) -> Option<&'static str> {
    match ip {
        IpAddr::V4(ip) => not_public_v4(ip),
        IpAddr::V6(ip) => not_public_v6(ip),
    }
}

fn not_public_v4(ip: Ipv4Addr) -> Option<&'static str> {
    let [a, b, c, _] = ip.octets();
    Some(match (a, b, c) {
        (0, ..) => "no address of a host",
        (127, ..) => "this machine",
        (10, ..) | (172, 16..=31, _) | (192, 168, _) => "a private address",
        (100, 64..=127, _) => "an address between a provider and its customers",
        (169, 254, _) => "an address of the local link, such as a cloud's own",
        (192, 0, 0) | (192, 0, 2) | (192, 88, 99) | (198, 18..=19, _) => "a reserved address",
        (198, 51, 100) | (203, 0, 113) => "a reserved address",
        (224..=239, ..) => "an address of many hosts",
        (240..=255, ..) => "a reserved address",
        _ => return None,
    })
}

fn not_public_v6(ip: Ipv6Addr) -> Option<&'static str> {
    let parts = ip.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match parts {
        [0, 0, 0, 0, 0, 0, 0, 0] => Some("no address of a host"),
        [0, 0, 0, 0, 0, 0, 0, 1] => Some("this machine"),
        // One of version 4 within: mapped, translated, compatible; through NAT64; through 6to4.
        [0, 0, 0, 0, 0, 0xffff, a, b]
        | [0, 0, 0, 0, 0xffff, 0, a, b]
        | [0, 0, 0, 0, 0, 0, a, b]
        | [0x64, 0xff9b, 0, 0, 0, 0, a, b]
        | [0x2002, a, b, ..] => not_public_v4(v4(a, b)),
        [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] => Some("a private address"),
        [0xfe80..=0xfebf, ..] => Some("an address of the local link"),
        [0xff00..=0xffff, ..] => Some("an address of many hosts"),
        // What the internet has is 2000::/3, but for what is set aside within it.
        [0x2001, 0x0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => {
            Some("a reserved address")
        }
        [0x2000..=0x3fff, ..] => None,
        _ => Some("a reserved address"),
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn what_is_not_the_internets_is_told() {
        for ip in [
            "0.0.0.0",
            "127.0.0.1",
            "127.255.0.3",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "100.127.255.255",
            "169.254.169.254",
            "192.0.0.192",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001::1",
            "2001:db8::1",
            "100::1",
            "4000::1",
        ] {
            assert!(not_public(ip.parse().unwrap()).is_some(), "{ip}");
        }
        for ip in [
            "1.1.1.1",
            "8.8.8.8",
            "172.15.0.1",
            "172.32.0.1",
            "100.63.0.1",
            "100.128.0.1",
            "192.0.3.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450::1",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::1",
            "2001:4860:4860::8888",
        ] {
            assert_eq!(not_public(ip.parse().unwrap()), None, "{ip}");
        }
    }

    /// Answers with one list of numbers after another, as the owner of a name may.
    #[derive(Debug)]
    struct Fickle(Mutex<Vec<Vec<&'static str>>>);

    impl Resolver for Fickle {
        fn resolve(
            &self,
            _: &Uri,
            _: &Config,
            _: NextTimeout,
        ) -> Result<ResolvedSocketAddrs, ureq::Error> {
            let mut found = self.empty();
            for number in self.0.lock().unwrap().remove(0) {
                found.push(SocketAddr::new(number.parse().unwrap(), 80));
            }
            Ok(found)
        }
    }

    #[test]
    fn a_name_that_changes_its_mind_gets_nowhere() {
        let answers = vec![vec!["8.8.8.8"], vec!["8.8.8.8", "127.0.0.1"], vec!["169.254.169.254"]];
        let guard = Guard { allow_private: false, resolver: Fickle(Mutex::new(answers)) };
        let uri: Uri = "http://rebinds.example/".parse().unwrap();
        let config = Config::default();
        let ask = || {
            let found = guard.resolve(&uri, &config, NextTimeout::default());
            found.map(|found| found.iter().map(|a| a.ip().to_string()).collect::<Vec<_>>())
        };
        assert_eq!(ask().unwrap(), ["8.8.8.8"]);
        assert_eq!(ask().unwrap(), ["8.8.8.8"], "the other is never asked");
        let said = ask().unwrap_err().to_string();
        assert!(said.contains("169.254.169.254") && said.contains("--allow-private"), "{said}");
    }

    #[test]
    fn numbers_are_told_from_names() {
        assert!(check_number("127.0.0.1").is_err() && check_number("[::1]").is_err());
        assert!(check_number("shop.example").is_ok() && check_number("1.1.1.1").is_ok());
    }
}
