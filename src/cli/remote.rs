//! An operation on a running server: the request goes out as the HTTP door reads it, the answer comes back as the
//! operation gave it.

use std::fmt;
use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value};
use ureq::Agent;
use ureq::config::ConfigBuilder;
use ureq::typestate::AgentScope;
#[cfg(unix)]
use ureq::unversioned::resolver::DefaultResolver;

#[cfg(unix)]
use super::socket::OwnerConnector;
use quorate_runtime::api::ops::{Method, Operation};
use quorate_runtime::error::{Error, ErrorKind, KINDS};

/// How long a server may take to answer: the longest wait for a quorum, and some.
const PATIENCE: Duration = Duration::from_secs(330);
/// How long a server may take to begin to tell events.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// Largest answer read, in bytes.
const MAX_ANSWER: u64 = 256 << 20;

/// Where a server is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Server {
    /// At this URL.
    Url(String),
    /// At the socket in this data folder, which it has opened.
    #[cfg(unix)]
    Owner(PathBuf),
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Server::Url(url) => write!(f, "url={url}"),
            #[cfg(unix)]
            Server::Owner(folder) => write!(f, "data={}", folder.display()),
        }
    }
}

impl Server {
    /// The URL without its last slash.
    fn base(&self) -> Result<&str, Error> {
        match self {
            Server::Url(url) => {
                let base = url.trim_end_matches('/');
                if !base.starts_with("http://") {
                    return Err(Error::invalid("url", url.as_str(), "http://HOST:PORT"));
                }
                Ok(base)
            }
            // The name that the server has for itself; the socket is taken whatever it is.
            #[cfg(unix)]
            Server::Owner(_) => Ok("http://localhost"),
        }
    }

    fn agent(&self, config: ConfigBuilder<AgentScope>) -> Agent {
        match self {
            Server::Url(_) => Agent::new_with_config(config.build()),
            #[cfg(unix)]
            Server::Owner(folder) => {
                let config = config.proxy(None).build();
                Agent::with_parts(config, OwnerConnector(folder.clone()), DefaultResolver::default())
            }
        }
    }
}

/// The detail of an error after which a request may be sent again: no server has heard it, or it only asks.
pub(super) const UNHEARD: &str = "unheard";

/// Calls the operation at a server.
///
/// # Errors
/// What the server answers; `invalid_argument` for a URL that is none; `store_error` when there is no server or it
/// does not speak this protocol; `outcome_unknown` when the request may have been carried out and no answer came.
pub(super) fn call(server: &Server, op: &Operation, mut fields: Map<String, Value>) -> Result<Value, Error> {
    let base = server.base()?;
    let mut target = format!("{base}/api/v1{}", path(op, &mut fields));
    let config = Agent::config_builder().timeout_global(Some(PATIENCE)).http_status_as_error(false);
    let agent = server.agent(config);
    let sent = match op.method {
        Method::Get => {
            target.push_str(&query(&fields));
            agent.get(&target).call()
        }
        Method::Post => agent.post(&target).send_json(Value::Object(fields)),
    };
    let unanswered = |e: &ureq::Error| {
        let unheard = op.method == Method::Get || never_sent(e);
        let kind = if unheard { ErrorKind::StoreError } else { ErrorKind::OutcomeUnknown };
        let error = Error::new(kind, format!("no answer from the server. {server}, cause={e}"));
        if unheard { error.with(UNHEARD, true) } else { error }
    };
    let mut answer = sent.map_err(|e| unanswered(&e))?;
    let body: Value =
        answer.body_mut().with_config().limit(MAX_ANSWER).read_json().map_err(|e| match &e {
            ureq::Error::Json(json) if !json.is_io() && !json.is_eof() => foreign(server, &e.to_string()),
            e => unanswered(e),
        })?;
    unwrap(op, body).unwrap_or_else(|| Err(foreign(server, answer.status().as_str())))
}

/// Follows the events at a server that fit the filters in `fields`.
///
/// # Errors
/// What the server answers; `invalid_argument` for a URL that is none; `store_error` when there is no server or it does
/// not speak this protocol.
pub(super) fn follow(
    server: &Server,
    op: &Operation,
    fields: Map<String, Value>,
) -> Result<impl Read + use<>, Error> {
    let base = server.base()?;
    let config = Agent::config_builder()
        .timeout_connect(Some(CONNECT_PATIENCE))
        .timeout_recv_response(Some(CONNECT_PATIENCE))
        .http_status_as_error(false);
    let agent = server.agent(config);
    let answer = agent.get(format!("{base}/api/v1/events{}", query(&fields))).call();
    let mut answer = answer.map_err(|e| {
        Error::new(ErrorKind::StoreError, format!("no answer from the server. {server}, cause={e}"))
    })?;
    if answer.status().is_success() {
        return Ok(answer.into_body().into_reader());
    }
    let body = answer.body_mut().read_json().map_err(|e| foreign(server, &e.to_string()))?;
    Err(match unwrap(op, body) {
        Some(Err(error)) => error,
        Some(Ok(_)) | None => foreign(server, answer.status().as_str()),
    })
}

/// The fields as the query of an address.
fn query(fields: &Map<String, Value>) -> String {
    let pair = |(n, (name, value)): (usize, (&String, &Value))| {
        format!("{}{name}={}", if n == 0 { '?' } else { '&' }, encode(&text(value)))
    };
    fields.iter().enumerate().map(pair).collect()
}

/// Did the request certainly not reach a server? Whatever else went wrong, it may have been carried out.
fn never_sent(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::HostNotFound | ureq::Error::ConnectionFailed | ureq::Error::BadUri(_) => true,
        ureq::Error::Timeout(at) => matches!(at, ureq::Timeout::Resolve | ureq::Timeout::Connect),
        ureq::Error::Io(e) => e.kind() == std::io::ErrorKind::ConnectionRefused,
        _ => false,
    }
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

/// The reply or the error in an answer; `None` when it holds neither.
fn unwrap(op: &Operation, body: Value) -> Option<Result<Value, Error>> {
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
pub(super) fn error_of(mut error: Map<String, Value>) -> Error {
    let name = error.remove("kind").unwrap_or_default();
    let message = error.remove("message").unwrap_or_default();
    let kind =
        KINDS.iter().find(|entry| name == entry.name).map_or(ErrorKind::StoreError, |entry| entry.kind);
    error
        .iter()
        .fold(Error::new(kind, text(&message)), |error, (name, value)| error.with(name, value.clone()))
}

fn foreign(server: &Server, what: &str) -> Error {
    let message = format!("the answer is not that of a Quorate server. {server}, answer={what}");
    Error::new(ErrorKind::StoreError, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ids_in_paths_are_encoded_and_leave_the_body() {
        let op = quorate_runtime::api::ops::find("quorum.vote").unwrap();
        let mut fields = Map::new();
        fields.insert("quorum_id".into(), "a/ä ?".into());
        fields.insert("vote".into(), true.into());
        assert_eq!(path(op, &mut fields), "/quorum/a%2F%C3%A4%20%3F/vote");
        assert_eq!(Value::Object(fields), json!({ "vote": true }));
    }

    #[test]
    fn an_error_comes_back_with_its_kind_and_details() {
        let op = quorate_runtime::api::ops::find("quorum.status").unwrap();
        let body = json!({ "success": false, "error": { "kind": "not_found", "message": "m", "x": 1 } });
        let error = unwrap(op, body).unwrap().unwrap_err();
        assert_eq!((error.kind(), error.detail("x")), (ErrorKind::NotFound, Some(&json!(1))));
        assert!(unwrap(op, json!([])).is_none());
        let op = quorate_runtime::api::ops::find("capacity.release").unwrap();
        let body =
            json!({ "success": false, "result": { "status": "x" }, "error": { "kind": "nothing_done" } });
        assert_eq!(unwrap(op, body), Some(Ok(json!({ "status": "x" }))));
    }
}
