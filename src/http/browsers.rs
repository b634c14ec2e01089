//! Which requests come from a web page that has no business here.
//!
//! While the door knows nobody, every program of this machine may do everything. A browser is such a program, and it
//! sends requests for whatever page its user looks at:
//!
//! ```text
//!  a page of evil.example ──fetch("http://127.0.0.1:7171/…")──► Origin: https://evil.example      foreign_origin
//!                                                               Sec-Fetch-Site: cross-site
//!  evil.example, whose name now leads to 127.0.0.1 (rebinding) ► Host: evil.example:7171           foreign_host
//!  curl, a program, a page of the door itself ───────────────► Host: localhost:7171, same origin  served
//! ```
//!
//! A browser sets these headers itself; no page can leave them out or choose them. No answer carries CORS headers, so no
//! page can read one either. A content type is not demanded: `curl -d` sends that of a form.
//!
//! Sources: RFC 6454 (the web origin), RFC 9110 §7.2 (`Host`), W3C Fetch Metadata Request Headers (`Sec-Fetch-Site`),
//! C. Jackson et al., "Protecting Browsers from DNS Rebinding Attacks", CCS 2007.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::header::{HOST, HeaderName, ORIGIN};
use quorate_runtime::error::{Error, ErrorKind};

use super::page::is_visit;

/// The header by which a browser says how the asking page and this server are related.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// Characters of a header that an error tells.
const SHOWN: usize = 256;

/// The names under which the door may be called.
#[derive(Clone, Debug)]
pub(super) enum Names {
    /// Any: somebody else sees to it.
    Any,
    /// Those of the loopback, and these.
    Loopback(Vec<String>),
}

impl Names {
    fn has(&self, authority: &str) -> bool {
        match self {
            Names::Any => true,
            Names::Loopback(others) => {
                let name = name_of(authority);
                is_loopback(name) || others.iter().any(|other| other.eq_ignore_ascii_case(name))
            }
        }
    }
}

/// Is this request one that no web page of elsewhere sent? One for the document of the page for people may be a visit.
///
/// # Errors
/// `foreign_host` when it was sent to another name than the door's; `foreign_origin` when a page of another origin sent
/// it.
pub(super) fn check(request: &HttpRequest, names: &Names, is_document: bool) -> Result<(), Error> {
    let asked = request.uri().authority().map(|authority| authority.as_str().as_bytes());
    let hosts = || request.headers().get_all(HOST).map(|host| host.as_bytes()).chain(asked);
    for host in hosts() {
        if !std::str::from_utf8(host).is_ok_and(|host| names.has(host)) {
            return Err(foreign_host(host));
        }
    }
    let is_own = |site: &&[u8]| matches!(*site, b"same-origin" | b"none");
    let sites = request.headers().get_all(SEC_FETCH_SITE).map(|site| site.as_bytes());
    // A link leads people to the page for them. It shows nothing by itself, and nobody can frame it.
    let is_visit = is_document && is_visit(request);
    if let Some(site) = { sites }.find(|site| !is_own(site) && !is_visit) {
        return Err(foreign_origin("sec_fetch_site", site));
    }
    for origin in request.headers().get_all(ORIGIN).map(|origin| origin.as_bytes()) {
        let authority = origin.strip_prefix(b"http://").or_else(|| origin.strip_prefix(b"https://"));
        let is_own = |host: &[u8]| authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host));
        let mut hosts = hosts().peekable();
        if hosts.peek().is_none() || !hosts.all(is_own) {
            return Err(foreign_origin("origin", origin));
        }
    }
    Ok(())
}

/// The name or address in `name`, `name:port`, `[address]` or `[address]:port`.
fn name_of(authority: &str) -> &str {
    if let Some(bracketed) = authority.strip_prefix('[') {
        return bracketed.split_once(']').map_or("", |(address, _)| address);
    }
    let name = authority.split_once(':').map_or(authority, |(name, _)| name);
    name.strip_suffix('.').unwrap_or(name)
}

/// Does this name lead to this machine, whatever a name server says? RFC 6761 §6.3 keeps `localhost` for that.
fn is_loopback(name: &str) -> bool {
    let last = name.rsplit_once('.').map_or(name, |(_, last)| last);
    last.eq_ignore_ascii_case("localhost") || name.parse().is_ok_and(is_loopback_address)
}

/// Is this an address that only programs of this machine reach?
pub(super) fn is_loopback_address(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().take(SHOWN).collect()
}

fn foreign_host(host: &[u8]) -> Error {
    let host = shown(host);
    let message = format!(
        "this server is not called by that name; ask for localhost, or let it have the name with --allow-host. \
         given={host:?}"
    );
    Error::new(ErrorKind::ForeignHost, message).with("header", "host").with("given", host)
}

fn foreign_origin(header: &str, given: &[u8]) -> Error {
    let given = shown(given);
    let message = format!(
        "a web page of another origin may not ask here, and nothing was done; ask from a program. {header}={given:?}"
    );
    Error::new(ErrorKind::ForeignOrigin, message).with("header", header).with("given", given)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn asked(names: &Names, headers: &[(&str, &str)]) -> &'static str {
        let mut request = TestRequest::default();
        for header in headers {
            request = request.append_header(*header);
        }
        match check(&request.to_http_request(), names, false) {
            Ok(()) => "served",
            Err(error) => error.kind().name(),
        }
    }

    #[test]
    fn a_name_that_a_name_server_could_lead_here_is_foreign() {
        let own = Names::Loopback(Vec::new());
        for host in [
            "localhost",
            "localhost:7171",
            "LOCALHOST:1",
            "localhost.",
            "localhost.:80",
            "q.localhost:7171",
            "127.0.0.1",
            "127.0.0.1:7171",
            "127.8.9.1:1",
            "[::1]",
            "[::1]:7171",
            "[::ffff:127.0.0.1]:7171",
        ] {
            assert_eq!(asked(&own, &[("host", host)]), "served", "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:7171",
            "localhost.evil.example",
            "127.0.0.1.evil.example:7171",
            "10.0.0.1",
            "0.0.0.0:7171",
            "[::]:7171",
            "[fe80::1]",
            "",
            ":7171",
            "notlocalhost",
            "local host@evil",
            "[::1",
            "evil@localhost:1",
            "128.0.0.1",
            "1",
        ] {
            assert_eq!(asked(&own, &[("host", host)]), "foreign_host", "{host}");
            assert_eq!(asked(&Names::Any, &[("host", host)]), "served");
        }
        assert_eq!(asked(&own, &[]), "served", "a browser always names a host");
        assert_eq!(asked(&own, &[("host", "localhost"), ("host", "evil.example")]), "foreign_host");
        let named = Names::Loopback(vec!["q.internal".into()]);
        assert_eq!(asked(&named, &[("host", "Q.Internal:7171")]), "served");
        assert_eq!(asked(&named, &[("host", "r.internal")]), "foreign_host");
    }

    #[test]
    fn only_a_page_of_the_door_itself_may_ask() {
        for (origin, told) in [
            ("http://localhost:7171", "served"),
            ("https://localhost:7171", "served"),
            ("http://LOCALHOST:7171", "served"),
            ("http://localhost:3000", "foreign_origin"),
            ("http://127.0.0.1:7171", "foreign_origin"),
            ("https://evil.example", "foreign_origin"),
            ("http://localhost:7171.evil.example", "foreign_origin"),
            ("null", "foreign_origin"),
            ("", "foreign_origin"),
            ("file://", "foreign_origin"),
        ] {
            for names in [Names::Any, Names::Loopback(Vec::new())] {
                assert_eq!(
                    asked(&names, &[("host", "localhost:7171"), ("origin", origin)]),
                    told,
                    "{origin}"
                );
            }
        }
        let twice = [("origin", "http://localhost"), ("origin", "null"), ("host", "localhost")];
        assert_eq!(asked(&Names::Any, &twice), "foreign_origin");
        assert_eq!(
            asked(&Names::Any, &[("origin", "http://localhost")]),
            "foreign_origin",
            "no host to compare"
        );
        for (site, told) in [
            ("same-origin", "served"),
            ("none", "served"),
            ("same-site", "foreign_origin"),
            ("cross-site", "foreign_origin"),
            ("later-invention", "foreign_origin"),
        ] {
            let headers = [("host", "localhost"), ("sec-fetch-site", site)];
            assert_eq!(asked(&Names::Any, &headers), told, "{site}");
        }
    }
}
