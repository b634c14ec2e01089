//! Path, query and JSON body, merged into the one object of fields an operation takes.
//!
//! A field may stand in several places when it says the same everywhere; otherwise the request is refused, for
//! there is no telling which was meant.

use std::borrow::Cow;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::body::{BodyStream, MessageBody};
use actix_web::http::header::{CONTENT_LENGTH, HeaderMap, UPGRADE};
use actix_web::web::{self, Bytes, BytesMut};
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use tokio::sync::watch;

use super::places::{Room, no_place};
use super::routes::{PathField, decode};
use quorate_runtime::api::json;
use quorate_runtime::api::ops::{Method, Operation};
use quorate_runtime::api::shards::group::SHARD;
use quorate_runtime::error::{Error, ErrorKind};

/// Header that names a request, for operations with a field `idempotency_key`.
pub(super) const KEY_HEADER: &str = "Idempotency-Key";
/// Characters of a key that an error tells.
const SHOWN: usize = 256;
/// The field the header fills.
pub(super) const KEY_FIELD: &str = "idempotency_key";

/// The part of a query that asks for the statuses of an operation.
pub(super) const STATUS_CODES: &str = "status_codes";

/// Bytes of a refused body still taken off the wire, unread and unkept, so that a client that sends before it
/// listens hears the answer; a longer one is cut off.
const DISCARD_MAX: u64 = 64 << 20;

/// A body that is there after this is none that keeps others waiting: also one that came with its head is handed over
/// a moment later.
const GRACE: Duration = Duration::from_millis(100);

/// A body that was not read to its end.
pub(super) type Unread = BodyStream<web::Payload>;

/// Does this request want the connection for another protocol, so that its body has no end?
pub(super) fn is_tunnel(request: &HttpRequest) -> bool {
    let wants_socket = || {
        let upgrades = request.headers().get_all(UPGRADE);
        upgrades.into_iter().any(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"))
    };
    request.method() == actix_web::http::Method::CONNECT || wants_socket()
}

/// Reads the body, as far as the options allow.
///
/// # Errors
/// With what was not read, for [`reply::cut_off`](super::reply::cut_off):
/// `payload_too_large`; `malformed_request` when it breaks off; `request_timeout`; `overloaded` or `share_exceeded` when too many others are not there yet; `store_error` when the server stops before it is there.
pub(super) async fn read_body(
    request: &HttpRequest,
    payload: web::Payload,
    room: Room<'_>,
    mut stopping: watch::Receiver<bool>,
) -> Result<Bytes, (Error, Unread)> {
    let declared = request.headers().get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    let mut body = BodyStream::new(payload);
    let taken = take(&mut body, declared.unwrap_or(0), room);
    let stops = async {
        let _ = stopping.wait_for(|stopping| *stopping).await;
        // What is on its way already may still arrive.
        tokio::time::sleep(GRACE).await;
    };
    let read = tokio::select! {
        biased;
        read = tokio::time::timeout(room.options.body_timeout, taken) => read.unwrap_or_else(|_| {
            let limit = room.options.body_timeout.as_millis();
            let message = format!("the body did not arrive in time. limit_ms={limit}");
            Err(Error::new(ErrorKind::RequestTimeout, message)
                .with("limit_ms", u64::try_from(limit).unwrap_or(u64::MAX)))
        }),
        () = stops => {
            let message = "the server stops, and the body of the request was not there";
            Err(Error::new(ErrorKind::StoreError, message))
        }
    };
    read.map_err(|error| (error, body))
}

async fn take(body: &mut Unread, declared: u64, room: Room<'_>) -> Result<Bytes, Error> {
    let Room { options, places, client } = room;
    let limit = options.max_body_bytes;
    let mut kept = BytesMut::new();
    let mut seen: u64 = 0;
    let mut too_large = declared > limit as u64;
    // Taken when more is to come after the grace, and held to the end of the body.
    let (mut place, mut kept_bytes) = (None, Vec::new());
    let mut grace = pin!(tokio::time::sleep(GRACE));
    while !(too_large && declared.max(seen) > DISCARD_MAX) {
        let next = poll_fn(|context| match Pin::new(&mut *body).poll_next(context) {
            Poll::Ready(chunk) => Poll::Ready(Ok(chunk)),
            Poll::Pending if place.is_none() && grace.as_mut().poll(context).is_ready() => {
                match places.bodies.take(client, options.max_slow_bodies, options.max_slow_bodies_each) {
                    Ok(taken) => {
                        place = Some(taken);
                        Poll::Pending
                    }
                    Err(error) => Poll::Ready(Err(error)),
                }
            }
            Poll::Pending => Poll::Pending,
        });
        let Some(chunk) = next.await? else { break };
        let chunk = chunk
            .map_err(|e| Error::new(ErrorKind::MalformedRequest, format!("the body broke off. cause={e}")))?;
        seen += chunk.len() as u64;
        too_large |= seen > limit as u64;
        if too_large {
            kept.clear();
            kept_bytes.clear();
            continue;
        }
        let bytes = places.body_bytes.take(chunk.len(), options.max_slow_bytes);
        kept_bytes.push(bytes.ok_or_else(|| no_place("bytes of bodies", options.max_slow_bytes))?);
        kept.extend_from_slice(&chunk);
    }
    if too_large {
        let message = format!("the body is too large. limit={limit}");
        return Err(Error::new(ErrorKind::PayloadTooLarge, message).with("limit", limit));
    }
    Ok(kept.freeze())
}

/// Everything a request for an operation says.
pub(super) struct Input<'a> {
    pub(super) op: &'static Operation,
    pub(super) known: &'a [String],
    pub(super) path: Vec<PathField>,
    pub(super) request: &'a HttpRequest,
    pub(super) body: &'a [u8],
}

/// What a request says.
pub(super) struct Asked {
    /// The fields of the operation.
    pub(super) fields: Map<String, Value>,
    /// The reply's own status, where the operation has one for it.
    pub(super) status_codes: bool,
}

impl Input<'_> {
    /// The fields of the request.
    ///
    /// # Errors
    /// `malformed_request` when the body is not JSON or not one object; `invalid_argument` naming the field that is
    /// given twice, given differently, or not percent-encoded UTF-8.
    pub(super) fn merge(self) -> Result<Asked, Error> {
        let (mut fields, mut status_codes) = (Map::new(), false);
        for PathField { name, text, is_text } in self.path {
            let text = text.ok_or_else(|| not_text(name))?;
            let value = if is_text { Value::String(text) } else { self.op.field_from_text(name, &text)? };
            fields.insert(name.to_owned(), value);
        }
        for (name, value) in query_fields(self.op, self.known, self.request.query_string())? {
            if name == STATUS_CODES && !self.op.statuses.is_empty() {
                status_codes = match value.as_str() {
                    Some("true") => true,
                    Some("false") => false,
                    Some(_) | None => return Err(Error::invalid(STATUS_CODES, value, "true or false")),
                };
            } else {
                put(&mut fields, name, value)?;
            }
        }
        for (name, value) in body_fields(self.body)? {
            put(&mut fields, name, value)?;
        }
        if self.op.method == Method::Post
            && self.known.iter().any(|known| known == KEY_FIELD)
            && let Some(key) = header_text(self.request.headers(), KEY_HEADER)?
        {
            match fields.get(KEY_FIELD) {
                None | Some(Value::Null) => {
                    fields.insert(KEY_FIELD.to_owned(), key.into());
                }
                Some(other) if *other != key => return Err(two_keys(&key, other)),
                Some(_) => {}
            }
        }
        Ok(Asked { fields, status_codes })
    }
}

/// A request has one name: there is no telling which of two was meant.
fn two_keys(header: &str, field: &Value) -> Error {
    let short = |text: String| text.chars().take(SHOWN).collect::<String>();
    let field = field.as_str().map_or_else(|| field.to_string(), str::to_owned);
    let (header, field) = (short(header.to_owned()), short(field));
    let expected = format!(
        "one key: the header Idempotency-Key and the field say the same, or one of them is left out. header={header}, \
         field={field}"
    );
    Error::invalid(KEY_FIELD, header.clone(), &expected).with("header", header).with("body", field)
}

fn put(fields: &mut Map<String, Value>, name: String, value: Value) -> Result<(), Error> {
    match fields.get(&name) {
        Some(other) if *other != value => {
            Err(Error::invalid(&name, value, "the same value wherever it is given: path, query or body"))
        }
        Some(_) => Ok(()),
        None => {
            fields.insert(name, value);
            Ok(())
        }
    }
}

fn not_text(field: &str) -> Error {
    Error::invalid(field, "not UTF-8", "percent-encoded UTF-8")
}

pub(super) fn query_fields(
    op: &Operation,
    known: &[String],
    query: &str,
) -> Result<Map<String, Value>, Error> {
    let mut fields = Map::new();
    for pair in query_pairs(query) {
        let (name, text) = pair?;
        // The typed request refuses a field nobody knows, whatever it says.
        let is_known = known.iter().any(|known| *known == name);
        let value = if is_known { op.field_from_text(&name, &text)? } else { text.into_owned().into() };
        if fields.insert(name.clone().into_owned(), value).is_some() {
            return Err(json::twice(&name));
        }
    }
    Ok(fields)
}

/// The names and texts of a query, decoded.
pub(super) fn query_pairs(query: &str) -> impl Iterator<Item = Result<(Cow<'_, str>, Cow<'_, str>), Error>> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, text) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decode(name, true).ok_or_else(|| not_text("query"))?;
        let text = decode(text, true).ok_or_else(|| not_text(&name))?;
        Ok((name, text))
    })
}

/// The shard that a query names.
///
/// # Errors
/// `invalid_argument` for what is not percent-encoded UTF-8.
pub(super) fn shard_named(request: &HttpRequest) -> Result<Option<Value>, Error> {
    for pair in query_pairs(request.query_string()) {
        let (name, text) = pair?;
        if name == SHARD {
            return Ok(Some(text.into_owned().into()));
        }
    }
    Ok(None)
}

/// The text of a header that may be given once.
pub(super) fn header_text(headers: &HeaderMap, header: &str) -> Result<Option<String>, Error> {
    let field = header.to_ascii_lowercase().replace('-', "_");
    let mut given = headers.get_all(header);
    let Some(text) = given.next() else { return Ok(None) };
    if given.next().is_some() {
        return Err(json::twice(&field));
    }
    let text = std::str::from_utf8(text.as_bytes());
    text.map(|text| Some(text.to_owned()))
        .map_err(|_| Error::invalid(&field, "not UTF-8", &format!("UTF-8 in the header {header}")))
}

fn body_fields(body: &[u8]) -> Result<Map<String, Value>, Error> {
    let malformed = |why: Cow<'_, str>| {
        Error::new(ErrorKind::MalformedRequest, format!("the body is not one JSON object. cause={why}"))
    };
    let text = std::str::from_utf8(body).map_err(|e| malformed(e.to_string().into()))?.trim_ascii();
    if text.is_empty() {
        return Ok(Map::new());
    }
    // JSON that is well formed but holds what cannot be taken, such as 1e999, is an invalid field, not broken JSON.
    serde_json::from_str::<IgnoredAny>(text).map_err(|e| malformed(e.to_string().into()))?;
    if !text.starts_with('{') {
        return Err(malformed("it is something else".into()));
    }
    json::check(text)?;
    let mut json = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut json)
        .map_err(|e| Error::invalid(&e.path().to_string(), "unreadable", &e.inner().to_string()))
}
