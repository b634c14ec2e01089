//! Which operation a path and a method name.
//!
//! Paths are matched as they stand on the wire, one segment at a time, and each segment is percent-decoded on its
//! own: an encoded slash is part of an id, never a separator. A path of literals wins over one with fields.

use std::borrow::Cow;

use actix_web::HttpRequest;
use actix_web::http::Method;

use super::{ALLOW_GET, ALLOW_POST, API_ROOT, page, serves};
use quorate_runtime::api::events::FILTERS;
use quorate_runtime::api::ops::{self, OPERATIONS, Operation};
use quorate_runtime::core::load::shed::Class;

/// A page about the server itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// The table of operations as OpenAPI.
    OpenApi,
    /// Counters and gauges.
    Metrics,
    /// Is work served?
    Health,
}

impl Page {
    /// Every page.
    pub(super) const ALL: [Page; 3] = [Page::OpenApi, Page::Metrics, Page::Health];

    /// Its name in metrics.
    pub(super) fn name(self) -> &'static str {
        match self {
            Page::OpenApi => "openapi",
            Page::Metrics => "metrics",
            Page::Health => "healthz",
        }
    }

    /// Where it stands.
    pub(super) fn path(self) -> &'static str {
        match self {
            Page::OpenApi => "/openapi.json",
            Page::Metrics => "/metrics",
            Page::Health => "/healthz",
        }
    }
}

/// What a path leads to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    /// An operation of the table.
    Operation(&'static Operation),
    /// A page.
    Page(Page),
    /// What is recorded, as it is recorded.
    Events,
    /// A file of the page for people.
    File(&'static page::File),
    /// What the page for people shows.
    View,
}

/// A field that stands in the path: its name, and its text or `None` when that is not percent-encoded UTF-8.
#[derive(Clone, Debug)]
pub(super) struct PathField {
    pub(super) name: &'static str,
    pub(super) text: Option<String>,
    /// The field takes text only, so that `123` is a text too.
    pub(super) is_text: bool,
}

/// What was found.
#[derive(Debug)]
pub(super) enum Found<'a> {
    /// This, with the fields in its path.
    Route(&'a Route, Vec<PathField>),
    /// The MCP door.
    Mcp,
    /// The path is known, the method is not.
    WrongMethod {
        /// The methods it takes.
        allow: &'static str,
    },
    /// Nothing stands there.
    Nothing,
}

impl Found<'_> {
    /// What requests of this kind are counted under.
    pub(super) fn label(&self) -> &'static str {
        match self {
            Found::Route(Route { target: Target::Operation(op), .. }, _) => op.name,
            Found::Route(Route { target: Target::Page(page), .. }, _) => page.name(),
            Found::Route(Route { target: Target::Events, .. }, _) => "events",
            Found::Route(Route { target: Target::File(_), .. }, _) => "page",
            Found::Route(Route { target: Target::View, .. }, _) => "page.view",
            Found::Mcp => "mcp",
            Found::WrongMethod { .. } | Found::Nothing => "unknown",
        }
    }
}

impl Found<'_> {
    /// Must whoever asks be known, where identities exist? What says nothing of what is recorded is open to all.
    pub(super) fn is_guarded(&self) -> bool {
        match self {
            Found::Route(route, _) => match route.target {
                Target::Operation(_) | Target::Events | Target::View | Target::Page(Page::Metrics) => true,
                Target::File(_) | Target::Page(Page::OpenApi | Page::Health) => false,
            },
            Found::Mcp => true,
            Found::WrongMethod { .. } | Found::Nothing => false,
        }
    }

    /// Is it what no load refuses, so that it stands in front of what else its client asks for?
    pub(super) fn is_control(&self) -> bool {
        let Found::Route(Route { target: Target::Operation(op), .. }, _) = self else { return false };
        op.class == Class::Control
    }

    /// Is it the document of the page for people?
    pub(super) fn is_document(&self) -> bool {
        match self {
            Found::Route(Route { target: Target::File(file), .. }, _) => file.is_document(),
            Found::Route(..) | Found::Mcp | Found::WrongMethod { .. } | Found::Nothing => false,
        }
    }
}

#[derive(Clone, Debug)]
enum Segment {
    Literal(&'static str),
    Field { name: &'static str, is_text: bool },
}

/// One path.
#[derive(Clone, Debug)]
pub(super) struct Route {
    /// Where it leads.
    pub(super) target: Target,
    /// The names of the operation's fields.
    pub(super) known: Vec<String>,
    method: ops::Method,
    segments: Vec<Segment>,
    /// How many segments are fields.
    fields: usize,
}

/// Where events are followed, below the root of operations.
pub(super) const EVENTS: &str = "/events";

/// Where the operations are tools of a Model Context Protocol server.
pub(super) const MCP: &str = "/mcp";

/// Every path there is.
#[derive(Debug)]
pub(super) struct Routes(Vec<Route>);

impl Routes {
    /// The paths of the table and of the pages.
    pub(super) fn new() -> Self {
        let mut filters = Vec::new();
        let operations: Vec<Route> = OPERATIONS
            .iter()
            .map(|op| {
                let fields = op.fields();
                let known: Vec<String> = fields.iter().map(|field| field.name.clone()).collect();
                if op.name == FILTERS {
                    filters.clone_from(&known);
                }
                let is_text = |name: &str| fields.iter().any(|f| f.name == name && f.types == ["string"]);
                let segments = segments(API_ROOT, is_text).chain(segments(op.path, is_text)).collect();
                Route { known, ..Route::new(Target::Operation(op), op.method, segments) }
            })
            .collect();
        let pages = Page::ALL.into_iter().map(|page| {
            Route::new(Target::Page(page), ops::Method::Get, segments(page.path(), |_| true).collect())
        });
        let path = segments(API_ROOT, |_| true).chain(segments(EVENTS, |_| true)).collect();
        let events = Route { known: filters, ..Route::new(Target::Events, ops::Method::Get, path) };
        let get = |path: &'static str, target| {
            Route::new(target, ops::Method::Get, segments(path, |_| true).collect())
        };
        let files = page::FILES.iter().map(|file| get(file.path, Target::File(file)));
        let view = get(page::view::PATH, Target::View);
        Routes(operations.into_iter().chain(pages).chain(files).chain([events, view]).collect())
    }

    /// What stands at a path that is still percent-encoded.
    pub(super) fn find(&self, method: &Method, path: &str) -> Found<'_> {
        // Which methods it takes is said by the protocol.
        if path == MCP {
            return Found::Mcp;
        }
        let Some(path) = path.strip_prefix('/') else { return Found::Nothing };
        let given: Vec<Option<Cow<'_, str>>> = path.split('/').map(|s| decode(s, false)).collect();
        let fitting = || self.0.iter().filter(|route| route.fits(&given));
        let Some(fewest) = fitting().map(|route| route.fields).min() else { return Found::Nothing };
        let mut best = fitting().filter(|route| route.fields == fewest);
        let mut allow = None;
        best.find_map(|route| {
            if serves(route.method, method) {
                return Some(Found::Route(route, route.path_fields(&given)));
            }
            allow = Some(match (route.method, allow) {
                (ops::Method::Get, None | Some(ALLOW_GET)) => ALLOW_GET,
                (ops::Method::Post, None | Some(ALLOW_POST)) => ALLOW_POST,
                (ops::Method::Get | ops::Method::Post, Some(_)) => "GET, HEAD, POST",
            });
            None
        })
        .unwrap_or(Found::WrongMethod { allow: allow.unwrap_or_default() })
    }
}

impl Route {
    fn new(target: Target, method: ops::Method, segments: Vec<Segment>) -> Self {
        let fields = segments.iter().filter(|s| matches!(s, Segment::Field { .. })).count();
        Route { target, known: Vec::new(), method, segments, fields }
    }

    fn fits(&self, given: &[Option<Cow<'_, str>>]) -> bool {
        self.segments.len() == given.len()
            && self.segments.iter().zip(given).all(|(segment, text)| match segment {
                Segment::Literal(literal) => text.as_deref() == Some(literal),
                Segment::Field { .. } => true,
            })
    }

    fn path_fields(&self, given: &[Option<Cow<'_, str>>]) -> Vec<PathField> {
        let field = |(segment, text): (&Segment, &Option<Cow<'_, str>>)| match segment {
            Segment::Literal(_) => None,
            Segment::Field { name, is_text } => {
                let text = text.as_ref().map(|text| text.clone().into_owned());
                Some(PathField { name, text, is_text: *is_text })
            }
        };
        self.segments.iter().zip(given).filter_map(field).collect()
    }
}

fn segments(path: &'static str, is_text: impl Fn(&str) -> bool) -> impl Iterator<Item = Segment> {
    path.split('/').skip(1).map(move |text| match field_name(text) {
        Some(name) => Segment::Field { name, is_text: is_text(name) },
        None => Segment::Literal(text),
    })
}

/// The field a segment of the table's paths stands for.
pub(super) fn field_name(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// The part of the request's path that is not the prefix of the scope the door is mounted in, as it stands on the
/// wire. (The router's own view of it is decoded already, and what is not UTF-8 is lost there; both views have the
/// same number of slashes.)
pub(super) fn raw_tail(request: &HttpRequest) -> &str {
    let slashes = request.match_info().unprocessed().matches('/').count();
    let path = request.uri().path();
    match path.rmatch_indices('/').nth(slashes.saturating_sub(1)) {
        Some((at, _)) => path.get(at..).unwrap_or_default(),
        None => path,
    }
}

/// Undoes percent-encoding; `None` when it is broken or the bytes are not UTF-8. In forms a plus is a space.
pub(super) fn decode(text: &str, form: bool) -> Option<Cow<'_, str>> {
    let encoded = |c: char| c == '%' || (form && c == '+');
    if !text.contains(encoded) {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => hex(rest.next()?)? << 4 | hex(rest.next()?)?,
            b'+' if form => b' ',
            other => other,
        });
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_encoding_is_undone_strictly() {
        assert_eq!(decode("a%2Fb%20%C3%A9+", false).as_deref(), Some("a/b é+"));
        assert_eq!(decode("a+b%2B", true).as_deref(), Some("a b+"));
        for broken in ["%", "%4", "%zz", "%+1", "%FF", "a%C3"] {
            assert_eq!(decode(broken, false), None, "{broken}");
        }
    }

    #[test]
    fn every_operation_and_page_is_found_at_its_own_path() {
        let routes = Routes::new();
        for op in OPERATIONS {
            let method = match op.method {
                ops::Method::Get => Method::GET,
                ops::Method::Post => Method::POST,
            };
            let found = routes.find(&method, &format!("{API_ROOT}{}", op.path));
            assert!(
                matches!(found, Found::Route(Route { target: Target::Operation(o), .. }, _) if o.name == op.name),
                "{}",
                op.name
            );
        }
        for page in Page::ALL {
            let found = routes.find(&Method::GET, page.path());
            assert!(matches!(found, Found::Route(Route { target: Target::Page(p), .. }, _) if *p == page));
        }
    }

    #[test]
    fn a_path_of_literals_wins_over_one_with_fields_whatever_the_method() {
        let page =
            |page, method, path| Route::new(Target::Page(page), method, segments(path, |_| true).collect());
        let routes = Routes(vec![
            page(Page::Health, ops::Method::Post, "/x/{id}"),
            page(Page::Metrics, ops::Method::Get, "/x/stats"),
        ]);
        let found = |method: &Method, path: &str| match routes.find(method, path) {
            Found::Route(Route { target: Target::Page(page), .. }, fields) => (page.name(), fields.len()),
            Found::WrongMethod { allow } => (allow, 0),
            Found::Route(..) | Found::Mcp | Found::Nothing => ("nothing", 0),
        };
        assert_eq!(found(&Method::GET, "/x/stats"), ("metrics", 0));
        assert_eq!(found(&Method::POST, "/x/stats"), (ALLOW_GET, 0));
        assert_eq!(found(&Method::POST, "/x/other"), ("healthz", 1));
        assert_eq!(found(&Method::GET, "/x/other"), (ALLOW_POST, 0));
    }
}
