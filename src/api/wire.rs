//! How a client speaks to the HTTP door: where a request goes, what it carries, and what an answer holds. The way there is
//! the client's own.

use serde_json::{Map, Value};

use super::ops::{Method, Operation};
use crate::error::{Error, ErrorKind, KINDS};

/// A request as it goes out.
#[derive(Clone, Debug, PartialEq)]
pub struct WireRequest {
    /// Path and query, below the root of the server.
    pub target: String,
    /// The JSON body; a question has none.
    pub body: Option<Value>,
}

impl WireRequest {
    /// The call of an operation with these fields.
    pub fn of(op: &Operation, mut fields: Map<String, Value>) -> Self {
        let path = format!("/api/v1{}", path(op, &mut fields));
        match op.method {
            Method::Get => WireRequest { target: path + &query(&fields), body: None },
            Method::Post => WireRequest { target: path, body: Some(Value::Object(fields)) },
        }
    }
}

/// The fields as the query of an address; empty without fields.
pub fn query(fields: &Map<String, Value>) -> String {
    let pair = |(n, (name, value)): (usize, (&String, &Value))| {
        format!("{}{name}={}", if n == 0 { '?' } else { '&' }, encode(&text(value)))
    };
    fields.iter().enumerate().map(pair).collect()
}

/// The operation's path; the fields that stand in it are taken out of the request.
fn path(op: &Operation, fields: &mut Map<String, Value>) -> String {
    let part = |part: &str, fields: &mut Map<String, Value>| match part
        .strip_prefix('{')
        .and_then(|part| part.strip_suffix('}'))
    {
        Some(name) => fields.remove(name).map(|value| encode(&text(&value))).unwrap_or_default(),
        None => part.to_owned(),
    };
    op.path.split('/').map(|p| part(p, fields)).collect::<Vec<_>>().join("/")
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Percent-encodes everything but letters, digits and `-._~` (RFC 3986, 2.3).
fn encode(text: &str) -> String {
    let byte = |b: u8| match b {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(b).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// The reply or the error in an answer; `None` when it holds neither, and so is not that of a Quorate server.
pub fn answer(op: &Operation, body: Value) -> Option<Result<Value, Error>> {
    let Value::Object(mut body) = body else { return None };
    // A reply that tells that nothing was done stands beside the error, and says more.
    if let Some(reply) = op.key.and_then(|key| body.remove(key)) {
        return Some(Ok(reply));
    }
    if let Some(Value::Object(error)) = body.remove("error") {
        return Some(Err(error_of(error)));
    }
    if body.remove("success") != Some(Value::Bool(true)) {
        return None;
    }
    op.key.is_none().then(|| Ok(Value::Object(body)))
}

/// The error that a server tells.
pub fn error_of(mut error: Map<String, Value>) -> Error {
    let name = error.remove("kind").unwrap_or_default();
    let message = error.remove("message").unwrap_or_default();
    let kind =
        KINDS.iter().find(|entry| name == entry.name).map_or(ErrorKind::StoreError, |entry| entry.kind);
    error
        .iter()
        .fold(Error::new(kind, text(&message)), |error, (name, value)| error.with(name, value.clone()))
}

#[cfg(test)]
mod tests {
    use super::super::ops::find;
    use super::*;
    use serde_json::json;

    fn fields(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn ids_in_paths_are_encoded_and_leave_the_body() {
        let request = WireRequest::of(
            find("quorum.vote").unwrap(),
            fields(json!({"quorum_id": "a/ä ?", "vote": true})),
        );
        assert_eq!(request.target, "/api/v1/quorum/a%2F%C3%A4%20%3F/vote");
        assert_eq!(request.body, Some(json!({ "vote": true })));
    }

    #[test]
    fn a_question_carries_its_fields_in_the_query() {
        let request = WireRequest::of(
            find("consensus.result").unwrap(),
            fields(json!({"proposal_id": "p", "wait_ms": 5})),
        );
        assert_eq!(
            request,
            WireRequest { target: "/api/v1/consensus/p/result?wait_ms=5".into(), body: None }
        );
    }

    #[test]
    fn an_error_comes_back_with_its_kind_and_details() {
        let op = find("quorum.status").unwrap();
        let body = json!({ "success": false, "error": { "kind": "not_found", "message": "m", "x": 1 } });
        let error = answer(op, body).unwrap().unwrap_err();
        assert_eq!((error.kind(), error.detail("x")), (ErrorKind::NotFound, Some(&json!(1))));
        assert!(answer(op, json!([])).is_none());
        let op = find("capacity.release").unwrap();
        let body =
            json!({ "success": false, "result": { "status": "x" }, "error": { "kind": "nothing_done" } });
        assert_eq!(answer(op, body), Some(Ok(json!({ "status": "x" }))));
    }
}
