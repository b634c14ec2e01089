//! `GET /page/view`: what the page shows, in one answer.
//!
//! ```text
//!  ?parts=jobs,stops&voter=ann&after.jobs=CURSOR ─► for each part: the operation of the table, as the caller
//!    {"success":true,"view":{"position":41,"identity":{…},"parts":{"jobs":{"reply":{…}},"stops":{"error":{…}}}}}
//! ```
//!
//! A part is an operation that reads, with the fields the page gives it; it is checked, and refused, as at any other
//! door. An operation this version does not have is left out, and the page hides its part. The position is taken first:
//! who follows events from there misses nothing that is not in the answer.
//!
//! Lists are one page long, the newest first where the operation can be told so, and long texts in them are cut, so the
//! answer is bounded whatever is open. The whole stands in the operation itself.

use std::collections::BTreeSet;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_ENCODING, HeaderValue, VARY};
use actix_web::{HttpRequest, HttpResponse};
use flate2::Compression;
use serde_json::{Map, Value, json};

use super::{compressed, takes_gzip};
use crate::fields::query_pairs;
use crate::reply;
use quorate_runtime::Quorate;
use quorate_runtime::api::dto::HistoryQuery;
use quorate_runtime::api::json::twice;
use quorate_runtime::api::ops::{self, Operation};
use quorate_runtime::error::{Error, ErrorKind};

/// Where it stands.
pub(crate) const PATH: &str = "/page/view";

/// Lines of a list.
const LINES: u64 = 50;
/// Lines of a list of which each is asked for again.
const CLOSE_LINES: u64 = 24;
/// Lines of a list that has no pages.
const UNPAGED: usize = 200;
/// Open questions that are looked at for those that await somebody.
const LOOKED_AT: u64 = 1_000;
/// Pages of them.
const LOOKS: usize = 3;
/// Characters of a text that are shown in a list.
const SHOWN: usize = 300;
/// Entries of a list, or members of an object, that are shown inside a line.
const MEMBERS: usize = 12;
/// Levels of a value that are shown inside a line.
const LEVELS: usize = 5;

/// A part of the page.
struct Part {
    name: &'static str,
    op: &'static str,
    /// The field of the operation that takes who votes; without one, it is a part for everybody.
    voter: Option<&'static str>,
    /// How many lines it has; none for what is no list.
    limit: Option<u64>,
    /// Which of the list's, where the operation can be told.
    state: Option<&'static str>,
    /// For each line, under this member of the reply: this operation, with the members of the line that are its fields.
    each: Option<(&'static str, &'static str)>,
}

const fn counts(name: &'static str, op: &'static str) -> Part {
    Part { name, op, voter: None, limit: None, state: None, each: None }
}

const fn list(name: &'static str, op: &'static str) -> Part {
    Part { limit: Some(LINES), ..counts(name, op) }
}

/// Every part.
const PARTS: &[Part] = &[
    list("overview", "overview.show"),
    Part { state: Some("open"), ..list("quorums", "quorum.list") },
    list("proposals", "consensus.open"),
    list("sessions", "session.list"),
    Part { voter: Some("agent_id"), ..list("waiting_proposals", "consensus.open") },
    Part { voter: Some("voter_id"), ..list("waiting_sessions", "session.list") },
    Part { voter: Some("voter_id"), ..list("waiting_quorums", "quorum.list") },
    Part { limit: Some(CLOSE_LINES), each: Some(("jobs", "job.status")), ..list("jobs", "job.list") },
    Part { limit: Some(CLOSE_LINES), each: Some(("cells", "capacity.status")), ..list("cells", "cell.list") },
    list("agents", "agent.list"),
    list("leases", "lease.list"),
    list("workers", "worker.list"),
    list("members", "member.list"),
    list("stops", "stop.list"),
    counts("load", "shed.status"),
    counts("quorum_stats", "quorum.stats"),
    counts("consensus_stats", "consensus.stats"),
    counts("job_stats", "job.stats"),
    counts("capacity_stats", "capacity.stats"),
    counts("agent_stats", "agent.stats"),
];

/// What is asked for.
#[derive(Default)]
struct Asked {
    /// All of them when left out.
    parts: Option<Vec<String>>,
    voter: Option<String>,
    /// Cursors by part.
    after: Map<String, Value>,
}

impl Asked {
    fn of(request: &HttpRequest) -> Result<Asked, Error> {
        let mut asked = Asked::default();
        let mut given = BTreeSet::new();
        for pair in query_pairs(request.query_string()) {
            let (name, text) = pair?;
            if !given.insert(name.clone()) {
                return Err(twice(&name));
            }
            match &*name {
                "parts" => {
                    let parts: Vec<String> = text.split(',').map(str::to_owned).collect();
                    let known = |name: &String| PARTS.iter().any(|part| part.name == *name);
                    if let Some(unknown) = parts.iter().find(|name| !known(name)) {
                        return Err(Error::invalid("parts", unknown.as_str(), &names()));
                    }
                    asked.parts = Some(parts);
                }
                "voter" if !text.is_empty() => asked.voter = Some(text.into_owned()),
                "voter" => {}
                other => match other.strip_prefix("after.") {
                    Some(part) if PARTS.iter().any(|known| known.name == part) => {
                        asked.after.insert(part.to_owned(), text.into_owned().into());
                    }
                    Some(_) | None => {
                        return Err(Error::invalid(other, text.into_owned(), "parts, voter or after.PART"));
                    }
                },
            }
        }
        Ok(asked)
    }
}

fn names() -> String {
    let names: Vec<&str> = PARTS.iter().map(|part| part.name).collect();
    format!("some of {}", names.join(", "))
}

/// The answer to a request for the view.
pub(crate) async fn answer(q: &Quorate, request: &HttpRequest) -> HttpResponse {
    let view = match view(q, request).await {
        Ok(view) => json!({ "success": true, "view": view }).to_string(),
        Err(error) => return reply::failure(&error, reply::status_of(error.kind())),
    };
    let gzip = takes_gzip(request).then(|| compressed(view.as_bytes(), Compression::fast()));
    let mut response = match gzip.filter(|gzip| !gzip.is_empty()) {
        Some(gzip) => {
            let mut response = reply::json(StatusCode::OK, gzip);
            response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            response
        }
        None => reply::json(StatusCode::OK, view.into()),
    };
    response.headers_mut().insert(VARY, HeaderValue::from_static("accept-encoding, authorization"));
    response
}

async fn view(q: &Quorate, request: &HttpRequest) -> Result<Value, Error> {
    let mut asked = Asked::of(request)?;
    let identity = q.identities().own();
    if asked.voter.is_none() {
        asked.voter =
            identity.iter().flat_map(|identity| &identity.acts_as).find_map(|party| own_vote(party));
    }
    let position = match q.events(HistoryQuery::default()).await {
        Ok(events) => Some(events.position()),
        // Who may not read sees the parts refused, each with what is missing.
        Err(error) if error.kind() == ErrorKind::NotAuthorized => None,
        Err(error) => return Err(error),
    };
    let mut parts = Map::new();
    for part in PARTS {
        let is_asked = asked.parts.as_ref().is_none_or(|parts| parts.iter().any(|name| name == part.name));
        if !is_asked || (part.voter.is_some() && asked.voter.is_none()) {
            continue;
        }
        let Some(op) = ops::OPERATIONS.iter().find(|op| op.name == part.op) else { continue };
        // An operation that cannot say what awaits somebody says nothing about it.
        if part.voter.is_some_and(|field| !op.fields().iter().any(|known| known.name == field)) {
            continue;
        }
        let told = match part.reply(q, op, &asked).await {
            Ok(reply) => json!({ "reply": reply }),
            Err(error) => json!({ "error": error.to_json() }),
        };
        parts.insert(part.name.to_owned(), told);
    }
    Ok(json!({
        "now": q.health().now,
        "position": position,
        "asks_who_calls": q.knows_identities(),
        "identity": identity,
        "voter": asked.voter,
        "parts": parts,
    }))
}

/// Whose vote an identity has that acts as this party, where that is one voter or agent.
fn own_vote(party: &str) -> Option<String> {
    let id = party.strip_prefix("voter:").or_else(|| party.strip_prefix("agent:"))?;
    (!id.ends_with('*')).then(|| id.to_owned())
}

impl Part {
    async fn reply(&self, q: &Quorate, op: &'static Operation, asked: &Asked) -> Result<Value, Error> {
        let mut fields = Map::new();
        let known = op.fields();
        let takes = |name: &str| known.iter().any(|field| field.name == name);
        if let Some(limit) = self.limit.filter(|_| takes("limit")) {
            fields.insert("limit".into(), limit.into());
        }
        if let Some(state) = self.state.filter(|_| takes("state")) {
            fields.insert("state".into(), state.into());
        }
        if self.limit.is_some() && takes("newest_first") {
            fields.insert("newest_first".into(), true.into());
        }
        if let Some(cursor) = asked.after.get(self.name) {
            fields.insert("cursor".into(), cursor.clone());
        }
        if let (Some(field), Some(voter)) = (self.voter, &asked.voter) {
            fields.insert(field.into(), voter.as_str().into());
            return Ok(shortened(awaiting(q, op, fields).await?, LEVELS));
        }
        let mut reply = shortened(op.call(q.clone(), fields).await?, LEVELS);
        if self.limit.is_some() && !takes("limit") {
            cut(&mut reply);
        }
        if let Some((lines, each)) = self.each {
            let each = ops::find(each)?;
            let fields = each.fields();
            let of_line = |name: &String| fields.iter().any(|field| field.name == *name);
            for line in reply[lines].as_array_mut().into_iter().flatten() {
                let Value::Object(line) = line else { continue };
                let meant = line.iter().filter(|(name, _)| of_line(name) && name.as_str() != "datacenter");
                let meant: Map<String, Value> =
                    meant.map(|(name, value)| (name.clone(), value.clone())).collect();
                // What ended since the list was made has nothing more to say.
                if let Ok(status) = each.call(q.clone(), meant).await {
                    line.insert("status_reply".into(), shortened(status, LEVELS));
                }
            }
        }
        Ok(reply)
    }
}

/// The questions that await somebody. The operation looks at so many open ones, of which few may be theirs.
async fn awaiting(
    q: &Quorate,
    op: &'static Operation,
    mut fields: Map<String, Value>,
) -> Result<Value, Error> {
    fields.insert("limit".into(), LOOKED_AT.into());
    let mut reply = op.call(q.clone(), fields.clone()).await?;
    for _ in 1..LOOKS {
        if reply["more"] != true || count(&reply) >= LINES as usize {
            break;
        }
        fields.insert("cursor".into(), reply["next_cursor"].take());
        let mut next = op.call(q.clone(), fields.clone()).await?;
        let (Value::Object(held), Value::Object(next)) = (&mut reply, &mut next) else { break };
        for (name, value) in next.iter_mut() {
            match (held.get_mut(name), value) {
                (Some(Value::Array(lines)), Value::Array(more)) => lines.append(more),
                (_, value) => {
                    held.insert(name.clone(), value.take());
                }
            }
        }
    }
    let total = count(&reply);
    let Value::Object(members) = &mut reply else { return Ok(reply) };
    for lines in members.values_mut().filter_map(Value::as_array_mut) {
        lines.truncate(LINES as usize);
    }
    members.insert("awaiting".into(), total.into());
    Ok(reply)
}

/// Leaves no more lines than fit, and says how many it left out.
fn cut(reply: &mut Value) {
    let Value::Object(members) = reply else { return };
    let mut left_out = 0;
    for lines in members.values_mut().filter_map(Value::as_array_mut) {
        left_out += lines.len().saturating_sub(UNPAGED);
        lines.truncate(UNPAGED);
    }
    members.insert("not_shown".into(), left_out.into());
}

/// Lines of a reply that holds one list.
fn count(reply: &Value) -> usize {
    // What it says of names that nobody has is no line.
    let members = reply.as_object().into_iter().flatten().filter(|(name, _)| *name != "unknown");
    members.filter_map(|(_, value)| value.as_array()).map(Vec::len).max().unwrap_or(0)
}

/// The same with every long text cut, and with nothing that is long or deep inside a line. A list of lines stays whole.
fn shortened(value: Value, levels: usize) -> Value {
    match value {
        Value::String(text) => Value::String(cut_text(text)),
        Value::Array(_) | Value::Object(_) if levels == 0 => Value::String("…".into()),
        Value::Array(values) => {
            let most = if levels + 1 >= LEVELS { usize::MAX } else { MEMBERS };
            values.into_iter().take(most).map(|value| shortened(value, levels - 1)).collect()
        }
        Value::Object(fields) => {
            // The line itself, and the reply around it, have the members of their types.
            let most = if levels + 2 >= LEVELS { usize::MAX } else { MEMBERS };
            let fields = fields.into_iter().take(most);
            Value::Object(
                fields.map(|(name, value)| (cut_text(name), shortened(value, levels - 1))).collect(),
            )
        }
        other => other,
    }
}

fn cut_text(text: String) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_bounded_however_large_what_it_shows_is() {
        let long = "é".repeat(100_000);
        let wide: Vec<u64> = (0..10_000).collect();
        let deep = json!([[[[[1]]]]]);
        let proposal = json!({ "text": long, "list": wide, "deep": deep, (long.as_str()): 1 });
        let line = json!({ "proposal": proposal, "votes_for": 3 });
        let reply = json!({ "proposals": vec![line; 50], "more": true });
        let shown = shortened(reply, LEVELS);
        assert_eq!(shown["proposals"].as_array().unwrap().len(), 50);
        assert_eq!(shown["proposals"][0]["votes_for"], 3);
        assert_eq!(shown["proposals"][0]["proposal"]["text"].as_str().unwrap().chars().count(), SHOWN + 1);
        assert!(shown.to_string().len() < 50 * 2_000, "{}", shown.to_string().len());
    }

    #[test]
    fn a_list_without_pages_is_cut_and_says_so() {
        let mut reply = json!({ "members": vec![1; 250], "node_id": "n" });
        cut(&mut reply);
        assert_eq!((count(&reply), &reply["not_shown"]), (UNPAGED, &json!(50)));
    }

    #[test]
    fn every_part_that_is_there_reads() {
        for part in PARTS {
            let Some(op) = ops::OPERATIONS.iter().find(|op| op.name == part.op) else { continue };
            assert!(op.asks, "{}", op.name);
        }
    }
}
