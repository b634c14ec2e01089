//! The history and the state of an entity, as resources.
//!
//! ```text
//!  quorate://history/ENTITY?kind=KIND   its log, as history.entity tells it
//!  quorate://state/ENTITY?kind=KIND     how it stands now
//! ```
//!
//! The kind is needed only when several kinds have the id. An id is percent-encoded, so that a slash in it is part of it.

use quorate_runtime::api::ops::find;
use quorate_runtime::error::{Error, ErrorKind};
use rmcp::model::{Resource, ResourceContents, ResourceTemplate};
use serde_json::{Map, Value};

use crate::Operations;

const MIME: &str = "application/json";
const HISTORY: &str = "quorate://history/";
const STATE: &str = "quorate://state/";
/// Events of one history at most: the newest page is asked for with `history_entity`.
const MOST_EVENTS: u64 = 1_000;

/// A kind of entity, the operation that shows how one stands, and the field that says which.
const STATES: &[(&str, &str, &str)] = &[
    ("quorum", "quorum.status", "quorum_id"),
    ("proposal", "consensus.result", "proposal_id"),
    ("session", "session.result", "session_id"),
    ("job", "job.status", "job_id"),
    ("gate", "gate.status", "job_id"),
    ("cell", "capacity.status", "cell_id"),
    ("budget", "budget.status", "budget_id"),
    ("agent", "agent.health", "agent_id"),
    ("voter", "voter.state", "voter_id"),
    ("worker", "worker.status", "worker_id"),
    ("flow", "flow.status", "flow_id"),
];

/// What is open: the operation that lists it, where the rows are, the field that names one, and its kind.
const OPEN: &[(&str, &str, &str, &str)] = &[
    ("consensus.open", "proposals", "proposal_id", "proposal"),
    ("quorum.list", "quorums", "quorum_id", "quorum"),
    ("session.list", "sessions", "session_id", "session"),
    ("job.list", "jobs", "job_id", "job"),
    ("agent.list", "agents", "agent_id", "agent"),
];

/// How a client makes the address of a resource.
pub(crate) fn templates() -> Vec<ResourceTemplate> {
    let template = |base: &str, name: &str, about: &str| {
        ResourceTemplate::new(format!("{base}{{entity}}{{?kind}}"), name)
            .with_description(about)
            .with_mime_type(MIME)
    };
    vec![
        template(HISTORY, "history", "Everything recorded about an entity, oldest first, with its votes"),
        template(STATE, "state", "How an entity stands now"),
    ]
}

/// What is open now, as resources. What the caller may not list is left out.
pub(crate) async fn open(ops: &dyn Operations) -> Result<Vec<Resource>, Error> {
    let covered = ops.covered().await?;
    let mut found = Vec::new();
    for (list, rows, id, kind) in OPEN {
        let Ok(op) = find(list) else { continue };
        if !covered.contains(op.name) {
            continue;
        }
        let page = ops.call(op, Map::new()).await?;
        for row in page[*rows].as_array().into_iter().flatten() {
            let Some(id) = row[*id].as_str() else { continue };
            for (base, what) in [(STATE, "state"), (HISTORY, "history")] {
                let uri = format!("{base}{}?kind={kind}", encoded(id));
                found.push(
                    Resource::new(uri, format!("{kind} {id}, {what}"))
                        .with_description(format!("The {what} of {kind} {id}"))
                        .with_mime_type(MIME),
                );
            }
        }
    }
    Ok(found)
}

/// Reads one.
///
/// # Errors
/// `not_found` for an address of nothing; those of the operations.
pub(crate) async fn read(ops: &dyn Operations, uri: &str) -> Result<ResourceContents, Error> {
    let value = match Address::read(uri) {
        Some(Address { base: HISTORY, entity, kind }) => history(ops, &entity, kind, MOST_EVENTS).await?,
        Some(Address { base: _, entity, kind }) => state(ops, &entity, kind).await?,
        None => {
            let expected = "quorate://history/ENTITY or quorate://state/ENTITY, the id percent-encoded";
            return Err(Error::invalid("uri", uri, expected));
        }
    };
    Ok(ResourceContents::text(value.to_string(), uri).with_mime_type(MIME))
}

async fn history(ops: &dyn Operations, id: &str, kind: Option<String>, limit: u64) -> Result<Value, Error> {
    let mut fields = Map::new();
    fields.insert("entity_id".into(), id.into());
    fields.insert("limit".into(), limit.into());
    if let Some(kind) = kind {
        fields.insert("kind".into(), kind.into());
    }
    ops.call(find("history.entity")?, fields).await
}

async fn state(ops: &dyn Operations, id: &str, kind: Option<String>) -> Result<Value, Error> {
    let kind = match kind {
        Some(kind) => kind,
        None => {
            let log = history(ops, id, None, 1).await?;
            log["kind"].as_str().unwrap_or_default().to_owned()
        }
    };
    let Some((_, show, field)) = STATES.iter().find(|(name, _, _)| *name == kind) else {
        let message =
            format!("nothing shows how one of this kind stands; its history can be read. kind={kind}");
        return Err(Error::new(ErrorKind::NotFound, message));
    };
    let mut fields = Map::new();
    fields.insert((*field).into(), id.into());
    ops.call(find(show)?, fields).await
}

/// The address of a resource.
#[derive(Debug, PartialEq, Eq)]
struct Address {
    base: &'static str,
    entity: String,
    kind: Option<String>,
}

impl Address {
    fn read(uri: &str) -> Option<Self> {
        let (base, rest) =
            [HISTORY, STATE].into_iter().find_map(|base| Some((base, uri.strip_prefix(base)?)))?;
        let (entity, kind) = match rest.split_once('?') {
            Some((entity, query)) => (entity, Some(decoded(query.strip_prefix("kind=")?)?)),
            None => (rest, None),
        };
        let entity = decoded(entity).filter(|entity| !entity.is_empty())?;
        Some(Address { base, entity, kind })
    }
}

/// Percent-encodes everything but letters, digits and `-._~` (RFC 3986, 2.3).
fn encoded(text: &str) -> String {
    let byte = |b: u8| match b {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(b).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// Undoes percent-encoding; none when it is broken or the bytes are not UTF-8.
fn decoded(text: &str) -> Option<String> {
    let hex = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => hex(rest.next()?)? << 4 | hex(rest.next()?)?,
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_runtime::api::ops::OPERATIONS;

    #[test]
    fn an_address_names_one_entity_whatever_its_id() {
        let read = |uri: &str| Address::read(uri).map(|address| (address.entity, address.kind));
        assert_eq!(read("quorate://history/q1"), Some(("q1".into(), None)));
        for id in ["a/b", "ä ?", "100%", "a?kind=b"] {
            let uri = format!("{STATE}{}?kind=quorum", encoded(id));
            assert_eq!(read(&uri), Some((id.into(), Some("quorum".into()))), "{uri}");
        }
        for broken in [
            "",
            "quorate://",
            "quorate://history/",
            "http://history/q",
            "quorate://state/%4",
            "quorate://state/q?x=1",
        ] {
            assert_eq!(read(broken), None, "{broken}");
        }
    }

    #[test]
    fn the_operations_behind_resources_exist_and_take_those_fields() {
        for (_, show, field) in STATES {
            assert!(find(show).unwrap().fields().iter().any(|f| f.name == *field), "{show}");
        }
        for (list, rows, _, kind) in OPEN {
            assert!(STATES.iter().any(|(name, _, _)| name == kind), "{kind}");
            if let Some(op) = OPERATIONS.iter().find(|op| op.name == *list) {
                assert!((op.reply)().to_value()["properties"].get(*rows).is_some(), "{list}");
            }
        }
    }
}
