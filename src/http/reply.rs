//! The two forms of an answer: `{"success": true, …}` and `{"success": false, "detail", "code", "error"}`. A reply that
//! tells that nothing was done has the second, with the reply beside.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::HttpResponse;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::web::Bytes;
use serde::Serialize;
use serde_json::{Map, Value};

use super::callers::CHALLENGE;
use quorate_runtime::api::ops::Operation;
use quorate_runtime::api::outcome::not_done;
use quorate_runtime::error::{Error, ErrorKind};

/// An answer of JSON bytes. Every answer is a view of one instant, so nothing may keep it.
pub(super) fn json(status: StatusCode, body: Bytes) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header((CONTENT_TYPE, "application/json"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(body)
}

/// An answer of one JSON value.
pub(super) fn value<T: Serialize>(status: StatusCode, value: &T) -> HttpResponse {
    match serde_json::to_vec(value) {
        Ok(body) => json(status, body.into()),
        Err(e) => {
            let message = format!("the answer cannot be written as JSON. cause={e}");
            let error = Error::new(ErrorKind::StoreError, message);
            json(status_of(error.kind()), form(&error).to_string().into())
        }
    }
}

/// Seconds after which a reply that means "not now" may be asked for again.
const NOT_NOW: u64 = 1;

/// The answer to an operation that was carried out; with its own status if that is asked for.
pub(super) fn success(op: &Operation, reply: Value, status_codes: bool) -> HttpResponse {
    let own = op.statuses.iter().find(|(word, _)| status_codes && reply["status"] == **word);
    let status = own.and_then(|(_, code)| StatusCode::from_u16(*code).ok()).unwrap_or(StatusCode::OK);
    let undone = not_done(op, &reply);
    let mut out = Map::new();
    out.insert("success".into(), undone.is_none().into());
    match (op.key, reply) {
        (Some(key), reply) => {
            out.insert(key.into(), reply);
        }
        (None, Value::Object(fields)) => out.extend(fields),
        (None, reply) => {
            out.insert("reply".into(), reply);
        }
    }
    let again = undone.as_ref().filter(|error| error.is_retryable()).and_then(again_in);
    if let Some(error) = undone {
        told(&error, &mut out);
    }
    let mut response = value(status, &out);
    let not_now = (status == StatusCode::TOO_MANY_REQUESTS).then_some(NOT_NOW);
    if let Some(seconds) = again.or(not_now) {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}

/// Marks an answer that is not given at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Late;

/// The answer to a request that was not served.
pub(super) fn failure(error: &Error, status: StatusCode) -> HttpResponse {
    let mut response = json(status, form(error).to_string().into());
    if error.kind() == ErrorKind::NotAuthenticated {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE));
    }
    if error.kind() == ErrorKind::ShareExceeded {
        response.extensions_mut().insert(Late);
    }
    if error.is_retryable() {
        response.headers_mut().insert(RETRY_AFTER, again_in(error).unwrap_or(NOT_NOW).into());
    }
    response
}

/// After how many whole seconds it may be asked again, if the error says so. Never none: what may be tried again at once
/// would not have been refused.
fn again_in(error: &Error) -> Option<u64> {
    let ms = error.detail("retry_after_ms").and_then(Value::as_u64)?;
    Some(ms.div_ceil(1_000).max(1))
}

/// The answer to a request whose body was not read to its end: the connection cannot be used again, and is closed.
///
/// What was not read lives as long as the answer. Were it let go before, the server would go on reading it, to use the
/// connection again after its end; a chunked body that never ends would hold its socket for ever.
pub(crate) fn cut_off<B: Unpin + 'static>(error: &Error, unread: B) -> HttpResponse {
    let mut response = failure(error, status_of(error.kind()));
    response.head_mut().set_connection_type(actix_web::http::ConnectionType::Close);
    response.map_body(|_, body| match body.try_into_bytes() {
        Ok(text) => BoxBody::new(Last { text: Some(text), _unread: unread }),
        Err(body) => body,
    })
}

/// The last answer of a connection.
struct Last<B> {
    text: Option<Bytes>,
    _unread: B,
}

impl<B: Unpin> MessageBody for Last<B> {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.text.as_ref().map_or(0, |text| text.len() as u64))
    }

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        Poll::Ready(self.text.take().map(Ok))
    }
}

/// The body of a refusal.
pub(super) fn form(error: &Error) -> Value {
    let mut out = Map::new();
    out.insert("success".into(), false.into());
    told(error, &mut out);
    Value::Object(out)
}

fn told(error: &Error, out: &mut Map<String, Value>) {
    out.insert("detail".into(), error.message().into());
    out.insert("code".into(), error.kind().name().into());
    out.insert("error".into(), error.to_json());
}

/// The status of a kind.
pub(super) fn status_of(kind: ErrorKind) -> StatusCode {
    StatusCode::from_u16(kind.entry().status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The status of an error of an operation, of which these given fields are answered with 400.
pub(super) fn status_for(error: &Error, bad_request: &[&str]) -> StatusCode {
    let field = error.detail("field").and_then(Value::as_str);
    match (error.kind(), field) {
        (ErrorKind::InvalidArgument, Some(field)) if bad_request.contains(&field) => StatusCode::BAD_REQUEST,
        (kind, _) => status_of(kind),
    }
}
