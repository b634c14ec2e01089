//! Where a hook may send: the parts of its URL, and the addresses to which nothing is sent.
//!
//! A server that posts to whatever URL it is given can be made to reach what only it can reach: itself, its neighbours, the
//! metadata service of its machine. So addresses that are not those of the public Internet are refused, when the URL names
//! one and again at every connection, where a name may lead to another address than before.
//!
//! # Source
//! The registries of special addresses: IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890), IPv6 Global Unicast
//! Address Space. URLs: RFC 3986, as far as it is told here.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Longest URL, in bytes.
pub const MAX_URL: usize = 2_048;

/// Where the requests of a hook go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Are they encrypted?
    pub secure: bool,
    /// To whom.
    pub host: HostName,
    /// At which port.
    pub port: u16,
    /// The name and, where it was given, the port, as the request names them.
    pub authority: String,
    /// The path, and the query where there is one.
    pub path: String,
}

/// Whom a URL names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostName {
    /// A name, which leads to addresses.
    Name(String),
    /// An address.
    Address(IpAddr),
}

impl Target {
    /// Reads `http://HOST[:PORT][/PATH][?QUERY]`, or the same with `https`.
    ///
    /// # Errors
    /// What a URL must be, as far as this one is not. It does not repeat the URL, which may hold what is secret.
    pub fn parse(url: &str) -> Result<Self, &'static str> {
        if url.len() > MAX_URL {
            return Err("at most 2048 bytes");
        }
        if !url.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte)) {
            return Err("letters, digits and signs of a URL; everything else as %XX");
        }
        let (scheme, rest) = url.split_once("://").ok_or("http://HOST or https://HOST")?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err("http or https as its scheme"),
        };
        if rest.contains('#') {
            return Err("no fragment: it would not be sent");
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.contains('@') {
            return Err("no credentials in it: the signature says who sends");
        }
        let (host, port) = host_and_port(authority)?;
        let port = match port {
            Some(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
                text.parse().ok().filter(|port| *port > 0).ok_or("a port from 1 to 65535")?
            }
            Some(_) => return Err("a port from 1 to 65535"),
            None if secure => 443,
            None => 80,
        };
        let path = match path {
            "" => "/".to_owned(),
            query if query.starts_with('?') => format!("/{query}"),
            path => path.to_owned(),
        };
        Ok(Target { secure, host: host_of(host)?, port, authority: authority.to_owned(), path })
    }

    /// The address that the URL names, known without asking anybody. RFC 6761 §6.3 keeps `localhost` for this machine.
    pub fn address(&self) -> Option<IpAddr> {
        match &self.host {
            HostName::Address(address) => Some(*address),
            HostName::Name(name) if name == "localhost" || name.ends_with(".localhost") => {
                Some(Ipv4Addr::LOCALHOST.into())
            }
            HostName::Name(_) => None,
        }
    }
}

fn host_and_port(authority: &str) -> Result<(&str, Option<&str>), &'static str> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (_, after) = rest.split_once(']').ok_or("an IPv6 address in brackets")?;
        let host = &authority[..authority.len() - after.len()];
        return match after.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if after.is_empty() => Ok((host, None)),
            None => Err("an IPv6 address in brackets"),
        };
    }
    Ok(authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))))
}

fn host_of(text: &str) -> Result<HostName, &'static str> {
    if let Some(inner) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        let address: Ipv6Addr = inner.parse().map_err(|_| "an IPv6 address in brackets")?;
        return Ok(HostName::Address(address.into()));
    }
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Ok(HostName::Address(address.into()));
    }
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    if name.len() > 253 || !name.split('.').all(is_label) {
        return Err("a host: a name, an IPv4 address, or an IPv6 address in brackets");
    }
    // `2130706433`, `127.1` and `0x7f.1` are addresses to those who look them up, and to nobody who reads them.
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit())
        || last.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if is_number {
        return Err("an IPv4 address as four numbers, each without leading zeros");
    }
    Ok(HostName::Name(name))
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostName::Name(name) => f.write_str(name),
            HostName::Address(address) => write!(f, "{address}"),
        }
    }
}

/// Networks of IPv4 that are not the public Internet: first address, bits of the network, what they are.
const WITHIN_V4: &[(Ipv4Addr, u8, &str)] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8, "unspecified"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "private"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "shared behind a carrier's NAT"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "loopback"),
    (Ipv4Addr::new(168, 63, 129, 16), 32, "metadata of a machine"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "link-local"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "private"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "special"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "documentation"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "relay"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "private"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "benchmarks"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "documentation"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "documentation"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "reserved"),
];

/// Parts of the public Internet of IPv6 that lead elsewhere.
const WITHIN_V6: &[(Ipv6Addr, u8, &str)] = &[
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, "special"),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, "documentation"),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, "relay"),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, "documentation"),
];

/// What an address is to which nothing is sent; none for one of the public Internet.
pub fn why_refused(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => {
            let bits = address.to_bits();
            let is_in = |(first, length, _): &&(Ipv4Addr, u8, &str)| {
                (bits ^ first.to_bits()) >> (32 - u32::from(*length)) == 0
            };
            WITHIN_V4.iter().find(is_in).map(|(_, _, what)| *what)
        }
        IpAddr::V6(address) => {
            let bits = address.to_bits();
            let within =
                |first: Ipv6Addr, length: u8| (bits ^ first.to_bits()) >> (128 - u32::from(length)) == 0;
            // By this prefix a network of IPv6 alone reaches IPv4 (RFC 6052).
            if within(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96) {
                let [.., a, b, c, d] = address.octets();
                return why_refused(Ipv4Addr::new(a, b, c, d).into());
            }
            if address.to_ipv4_mapped().is_some() {
                return Some("IPv4 written as IPv6");
            }
            if !within(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3) {
                return Some("not of the public Internet");
            }
            WITHIN_V6.iter().find(|(first, length, _)| within(*first, *length)).map(|(_, _, what)| *what)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_as_it_will_be_used() {
        let read = |url: &str| {
            let Target { secure, host, port, authority, path } = Target::parse(url).unwrap();
            (secure, host.to_string(), port, authority, path)
        };
        let of = |secure, host: &str, port, authority: &str, path: &str| {
            (secure, host.to_owned(), port, authority.to_owned(), path.to_owned())
        };
        assert_eq!(
            read("https://Hooks.Example.com"),
            of(true, "hooks.example.com", 443, "Hooks.Example.com", "/")
        );
        assert_eq!(
            read("http://a.example:8080/x?y=1"),
            of(false, "a.example", 8080, "a.example:8080", "/x?y=1")
        );
        assert_eq!(read("HTTP://a.example?y"), of(false, "a.example", 80, "a.example", "/?y"));
        assert_eq!(read("https://[2001:4860::1]:9/"), of(true, "2001:4860::1", 9, "[2001:4860::1]:9", "/"));
        assert_eq!(read("http://8.8.8.8/"), of(false, "8.8.8.8", 80, "8.8.8.8", "/"));
    }

    #[test]
    fn what_is_no_plain_url_is_refused_and_not_repeated() {
        let long = format!("https://a.example/{}", "x".repeat(MAX_URL));
        for url in [
            "",
            "a.example",
            "ftp://a.example/",
            "file:///etc/passwd",
            "gopher://a.example/",
            "https://",
            "https:///x",
            "https://ann:secret@a.example/",
            "https://a.example@127.0.0.1/",
            "https://a.example/#part",
            "https://a.example:0/",
            "https://a.example:65536/",
            "https://a.example:+80/",
            "https://a.example:/",
            "https://a b.example/",
            "https://a.example/\r\nx: y",
            "https://a..example/",
            "https://[::1/",
            "https://[::1]x/",
            "https://[fe80::1%25eth0]/",
            "https://\\127.0.0.1/",
            // Addresses to those who look them up.
            "http://2130706433/",
            "http://127.1/",
            "http://0x7f.0.0.1/",
            "http://0x7f000001/",
            "http://0177.0.0.1/",
            "http://127.0.0.1./",
            &long,
        ] {
            let refused = Target::parse(url);
            assert!(refused.is_err(), "{url}: {refused:?}");
            assert!(!refused.is_err_and(|why| why.contains("secret")), "{url}");
        }
    }

    #[test]
    fn only_addresses_of_the_public_internet_are_sent_to() {
        for address in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.255",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.168.1.1",
            "198.18.0.1",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.250",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(why_refused(address.parse().unwrap()).is_some(), "{address}");
        }
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "64:ff9b::808:808",
            "2001:4860:4860::8888",
            "2606:4700::1111",
            "2a00:1450::1",
        ] {
            assert_eq!(why_refused(address.parse().unwrap()), None, "{address}");
        }
    }

    #[test]
    fn names_that_are_this_machine_whatever_a_name_server_says_are_its_loopback() {
        for url in ["http://localhost/", "http://LOCALHOST:1/", "http://a.localhost/", "http://localhost./"] {
            let address = Target::parse(url).unwrap().address();
            assert_eq!(address, Some(Ipv4Addr::LOCALHOST.into()), "{url}");
        }
        assert_eq!(Target::parse("http://localhost.example/").unwrap().address(), None);
    }
}
