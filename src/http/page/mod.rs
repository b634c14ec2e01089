//! The page for people: what stands at `/`, built into the binary.
//!
//! ```text
//!  GET /                 the document                      open to all: it says nothing of what is recorded
//!  GET /page/…           its style and its modules         likewise
//!  GET /page/view        what it shows, in one answer      asks who calls, as the operations it is made of do
//!  GET /api/v1/events    what is recorded from there on    the page reads it with fetch, so that it can send a token
//! ```
//!
//! | file | holds |
//! |---|---|
//! | `mod` | the files, how they are sent, what a browser may do with them |
//! | `view` | what the page shows: operations that read, several in one answer |
//! | `site/` | the document, its style and its modules, as they are written by hand |
//!
//! Nothing is built: a browser reads the files as they stand here. They are compressed once, when the first is asked
//! for. A browser keeps them and asks whether they are still the same, so a new version is seen at once.
//!
//! The policy lets a browser load nothing but these files and ask nothing but this server, and run no script that
//! stands in markup or in a text; with Trusted Types, no text becomes markup either.
//!
//! Sources: W3C Content Security Policy Level 3; W3C Trusted Types; RFC 9110 §8.8.3 (ETag), §12.5.3 (Accept-Encoding).

pub(super) mod view;

use std::io::Write;
use std::sync::LazyLock;

use actix_web::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use actix_web::http::{Method, StatusCode};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use flate2::Compression;
use flate2::write::GzEncoder;

/// What a browser may do for the page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
                      trusted-types 'none'";

/// One file of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct File {
    /// Where it stands.
    pub(super) path: &'static str,
    /// What it is.
    content: &'static str,
    text: &'static str,
}

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Every file. The first is the document.
pub(super) static FILES: &[File] = &[
    File { path: "/", content: "text/html; charset=utf-8", text: include_str!("site/index.html") },
    File {
        path: "/page/style.css",
        content: "text/css; charset=utf-8",
        text: include_str!("site/style.css"),
    },
    File { path: "/page/icon.svg", content: "image/svg+xml", text: include_str!("site/icon.svg") },
    File { path: "/page/main.js", content: SCRIPT, text: include_str!("site/main.js") },
    File { path: "/page/dom.js", content: SCRIPT, text: include_str!("site/dom.js") },
    File { path: "/page/door.js", content: SCRIPT, text: include_str!("site/door.js") },
    File { path: "/page/parts.js", content: SCRIPT, text: include_str!("site/parts.js") },
    File { path: "/page/more.css", content: "text/css; charset=utf-8", text: include_str!("site/more.css") },
    File { path: "/page/side.js", content: SCRIPT, text: include_str!("site/side.js") },
    File { path: "/page/live.js", content: SCRIPT, text: include_str!("site/live.js") },
    File { path: "/page/sign.js", content: SCRIPT, text: include_str!("site/sign.js") },
    File { path: "/page/vote.js", content: SCRIPT, text: include_str!("site/vote.js") },
    File { path: "/page/map.js", content: SCRIPT, text: include_str!("site/map.js") },
    File { path: "/page/entity.js", content: SCRIPT, text: include_str!("site/entity.js") },
];

/// A file as it is sent.
struct Ready {
    gzip: Bytes,
    /// Names these bytes, without its quotes.
    tag: String,
}

static READY: LazyLock<Vec<Ready>> = LazyLock::new(|| FILES.iter().map(Ready::of).collect());

impl Ready {
    fn of(file: &File) -> Ready {
        let mut crc = flate2::Crc::new();
        crc.update(file.text.as_bytes());
        let gzip = compressed(file.text.as_bytes(), Compression::best());
        let tag = format!("{}-{:08x}-{:x}", env!("CARGO_PKG_VERSION"), crc.sum(), crc.amount());
        Ready { gzip, tag }
    }
}

fn compressed(bytes: &[u8], how: Compression) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), how);
    // A vector takes whatever is written to it.
    encoder.write_all(bytes).and_then(|()| encoder.finish()).unwrap_or_default().into()
}

impl File {
    /// Is it the document, to which links of elsewhere may lead?
    pub(super) fn is_document(&self) -> bool {
        self.path == "/"
    }

    /// The answer to a request for it.
    pub(super) fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let ready = FILES.iter().zip(READY.iter()).find_map(|(file, ready)| (file == self).then_some(ready));
        let gzip = ready.map(|ready| &ready.gzip).filter(|gzip| !gzip.is_empty() && takes_gzip(request));
        let tag = ready.map(|ready| match gzip {
            Some(_) => format!("\"{}-gz\"", ready.tag),
            None => format!("\"{}\"", ready.tag),
        });
        let tag = tag.unwrap_or_default();
        if has(request, &tag) {
            let mut response = HttpResponse::build(StatusCode::NOT_MODIFIED);
            return self.with_headers(&mut response, &tag).finish();
        }
        let mut response = HttpResponse::Ok();
        self.with_headers(&mut response, &tag).insert_header((CONTENT_TYPE, self.content));
        match gzip {
            Some(gzip) => response.insert_header((CONTENT_ENCODING, "gzip")).body(gzip.clone()),
            None => response.body(Bytes::from_static(self.text.as_bytes())),
        }
    }

    fn with_headers<'r>(
        &self,
        response: &'r mut HttpResponseBuilder,
        tag: &str,
    ) -> &'r mut HttpResponseBuilder {
        response
            .insert_header((CACHE_CONTROL, "no-cache"))
            .insert_header((ETAG, tag))
            .insert_header((VARY, "accept-encoding"))
            .insert_header((CONTENT_SECURITY_POLICY, POLICY))
            .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .insert_header((X_FRAME_OPTIONS, "DENY"))
            .insert_header((REFERRER_POLICY, "no-referrer"))
            .insert_header(("cross-origin-opener-policy", "same-origin"))
            .insert_header(("cross-origin-resource-policy", "same-origin"))
    }
}

/// Has the browser these bytes?
fn has(request: &HttpRequest, tag: &str) -> bool {
    let named = request.headers().get_all(IF_NONE_MATCH).filter_map(|held| held.to_str().ok());
    named
        .flat_map(|held| held.split(','))
        .map(str::trim)
        .any(|held| held == "*" || held.strip_prefix("W/").unwrap_or(held) == tag)
}

/// Does the browser take gzip? One that says it does so with weight 0 does not.
fn takes_gzip(request: &HttpRequest) -> bool {
    let said = request.headers().get_all(ACCEPT_ENCODING).filter_map(|said| said.to_str().ok());
    said.flat_map(|said| said.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, "q=1"));
        let weight = weight.trim().strip_prefix("q=").and_then(|weight| weight.parse::<f32>().ok());
        name.trim().eq_ignore_ascii_case("gzip") && weight.is_some_and(|weight| weight > 0.0)
    })
}

/// Is this a request by which a browser goes to the page, as opposed to one that a page sends?
pub(super) fn is_visit(request: &HttpRequest) -> bool {
    let says = |name: &str, word: &str| {
        let mut said = request.headers().get_all(name);
        said.next().is_some_and(|said| said.as_bytes() == word.as_bytes()) && said.next().is_none()
    };
    matches!(*request.method(), Method::GET | Method::HEAD)
        && says("sec-fetch-mode", "navigate")
        && says("sec-fetch-dest", "document")
}

#[cfg(test)]
#[path = "page_test.rs"]
mod page_test;
