//! Every text of every request is an id, one of a list of words, checked as a name, looked up, or declared free.

use serde_json::{Map, Value, json};

use crate::api::Quorate;
use crate::api::ops::{OPERATIONS, Operation};
use crate::config::Config;
use crate::error::{Error, ErrorKind};

/// Names and addresses, by the operation (all of them where it is empty) and the field.
const NAMES: &[(&str, &str)] = &[
    ("cell.register", "arm"),
    ("cell.register", "department"),
    ("quorum.start", "arm"),
    ("quorum.extend", "by"),
    ("quorum.cancel", "by"),
    ("consensus.extend", "by"),
    ("consensus.remind", "by"),
    ("consensus.cancel", "by"),
    ("algorithm.register", "name"),
    ("algorithm.register", "by"),
    ("job.submit", "gate_addr"),
    ("job.transfer", "new_leader_addr"),
    ("job.acquire", "holder_addr"),
    ("job.renew", "holder_addr"),
    ("job.release", "holder_addr"),
    ("job.cancel", "requester_id"),
    ("job.extend", "request_id"),
    ("gate.transfer", "new_gate_addr"),
    ("flow.offer", "key"),
    ("shed.check", "handler"),
    ("session.cancel", "cancelled_by"),
    ("session.extend", "by"),
    ("session.remind", "by"),
    ("session.spend", "by"),
    ("voter.feedback", "by"),
    ("candidate.register", "by"),
    ("candidate.register", "kind"),
    ("candidate.select", "by"),
    ("voter.rotate", "by"),
    ("stop.engage", "by"),
    ("stop.release", "by"),
    ("consensus.spend", "by"),
];
/// Words of a list that their own parts hold: another word is refused, and the error names the field.
const WORDS: &[(&str, &str)] = &[
    ("job.submit", "timeout_rule"),
    ("session.open", "weights"),
    ("job.submit", "dc_timeout_policy"),
    ("job.submit", "extension_mode"),
    ("job.submit", "downtime"),
    ("job.workflow", "to"),
    ("job.complete", "status"),
    ("job.list", "state"),
    ("worker.report", "outcome"),
    ("datacenter.update", "health_bucket"),
    ("route.failure", "reason"),
    ("identity.create", "scopes[0]"),
    ("identity.create", "acts_as[0]"),
    ("identity.create", "public_key"),
    ("identity.grant", "scopes[0]"),
    ("identity.grant", "acts_as[0]"),
    ("identity.grant", "public_key"),
    ("retention.hold", "kind"),
    ("retention.release", "kind"),
    ("history.query", "kind"),
    ("history.query", "event"),
    ("history.query", "outcome"),
    ("hook.register", "url"),
    ("hook.register", "secret"),
    ("hook.register", "filter.kind"),
    ("hook.register", "filter.event"),
    ("hook.register", "filter.outcome"),
    ("history.count", "kind"),
    ("history.count", "event"),
    ("history.count", "outcome"),
    ("history.count", "per"),
    ("history.entity", "kind"),
    ("history.why", "kind"),
    ("history.state_at", "kind"),
    ("history.prove", "kind"),
    ("history.consistency", "old_checkpoint"),
    ("history.verify", "public_key"),
    ("session.vote", "signature"),
    ("session.delegate", "signature"),
    ("session.vote", "hash"),
    ("session.vote", "commit"),
    ("voter.register", "public_key"),
    ("voter.rotate", "public_key"),
    ("voter.rotate", "signature"),
    ("session.open", "operation.operation_hash"),
    ("consensus.request", "operation.operation_hash"),
    ("consensus.request", "answer_schema"),
    ("session.spend", "operation_hash"),
    ("consensus.spend", "operation_hash"),
];
/// What is only looked up: it is found as it was stored, or it is not.
const SOUGHT: &[(&str, &str)] = &[
    ("consensus.request", "algorithm"),
    ("algorithm.unregister", "name"),
    ("algorithm.set_default", "name"),
    ("hook.register", "filter.cursor"),
    ("", "cursor"),
];
/// Sentences for people: no control characters.
const SENTENCES: &[(&str, &str)] = &[
    ("quorum.vote", "reason"),
    ("quorum.extend", "reason"),
    ("quorum.cancel", "reason"),
    ("consensus.vote", "reason"),
    ("consensus.extend", "reason"),
    ("consensus.delegate", "reason"),
    ("consensus.cancel", "reason"),
    ("identity.revoke", "reason"),
    ("session.cancel", "reason"),
    ("session.extend", "reason"),
    ("session.delegate", "reason"),
    ("voter.quarantine", "reason"),
    ("voter.release", "reason"),
    ("voter.rotate", "reason"),
    ("retention.hold", "reason"),
    ("subject.shred", "reason"),
    ("stop.engage", "reason"),
];
/// Nobody compares it.
const FREE: &[(&str, &str)] = &[
    ("job.extend", "reason"),
    ("job.workflow", "reason"),
    ("job.workflow", "result"),
    ("job.complete", "reason"),
    ("job.cancel", "reason"),
    ("worker.report", "result"),
    ("job.submit", "payload"),
    ("job.submit", "workflows[0].payload"),
    ("flow.offer", "message"),
    ("quorum.start", "subject"),
    ("consensus.request", "proposal"),
    ("consensus.vote", "value"),
    ("session.open", "proposal"),
    ("session.open", "context.*"),
    ("session.open", "operation.arguments"),
    ("session.spend", "arguments"),
    ("consensus.request", "operation.arguments"),
    ("consensus.spend", "arguments"),
    ("session.open", "kinds.*"),
    // Part of what a voter signs, byte for byte.
    ("session.vote", "reasoning"),
    // Secrets: only their hashes are compared.
    ("session.vote", "handle"),
    ("session.delegate", "handle"),
    ("session.vote", "salt"),
    ("voter.register", "handle"),
    // A text whose signature does not fit is an answer, not an error.
    ("history.verify", "checkpoint"),
    ("history.verify", "since"),
    ("consensus.vote", "metadata.*"),
    ("agent.beat", "metadata.*"),
    // Rules are read by their own grammar, which checks the ids in them.
    ("quorum.start", "rule"),
    ("algorithm.register", "rule"),
    ("algorithm.register", "params.*"),
];

fn holds(table: &[(&str, &str)], op: &str, field: &str) -> bool {
    table.iter().any(|(of, name)| (of.is_empty() || *of == op) && *name == field)
}

/// A place in a request that takes a text, and its schema.
struct Leaf {
    path: String,
    schema: Value,
}

fn leaves(root: &Value, schema: &Value, path: &str, found: &mut Vec<Leaf>) {
    let target = schema["$ref"].as_str().and_then(|place| root.pointer(place.strip_prefix('#')?));
    let schema = target.unwrap_or(schema);
    for variant in ["anyOf", "oneOf"].iter().flat_map(|of| schema[*of].as_array()).flatten() {
        leaves(root, variant, path, found);
    }
    let join = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    for (name, part) in schema["properties"].as_object().into_iter().flatten() {
        leaves(root, part, &join(name), found);
    }
    if !schema["items"].is_null() {
        leaves(root, &schema["items"], &format!("{path}[0]"), found);
    }
    match &schema["additionalProperties"] {
        Value::Null | Value::Bool(false) => {}
        part => leaves(root, part, &join("*"), found),
    }
    let is = |kind: &str| match &schema["type"] {
        Value::Array(types) => types.iter().any(|one| one == kind),
        one => one == kind,
    };
    // A number that may be written as a fraction is a number.
    let is_text = is("string") && !is("number");
    let is_typed = !schema["type"].is_null()
        || ["anyOf", "oneOf", "enum", "const"].iter().any(|of| !schema[*of].is_null());
    if is_text || !is_typed {
        found.push(Leaf { path: path.to_owned(), schema: schema.clone() });
    }
}

/// A value that a field of this schema takes.
fn sample(root: &Value, schema: &Value) -> Value {
    let target = schema["$ref"].as_str().and_then(|place| root.pointer(place.strip_prefix('#')?));
    let schema = target.unwrap_or(schema);
    if let Some(word) = schema["enum"].as_array().and_then(|words| words.first()) {
        return word.clone();
    }
    let kind = match &schema["type"] {
        Value::Array(types) => types[0].clone(),
        one => one.clone(),
    };
    match kind.as_str() {
        Some("string") if schema["format"] == "date-time" => json!("1970-01-01T00:00:00Z"),
        Some("string") => json!("x"),
        Some("integer" | "number") => json!(1),
        Some("boolean") => json!(true),
        Some("array") => json!([sample(root, &schema["items"])]),
        Some("object") => needed(root, schema).into(),
        Some(_) | None => json!("threshold"),
    }
}

fn needed(root: &Value, schema: &Value) -> Map<String, Value> {
    let names = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    names.map(|name| (name.to_owned(), sample(root, &schema["properties"][name]))).collect()
}

async fn refusal(q: &Quorate, op: &'static Operation, field: &str, text: &str) -> Result<Value, Error> {
    let schema = (op.request)().to_value();
    let mut fields = needed(&schema, &schema);
    match op.name {
        // What waits would wait here.
        "consensus.request" => drop(fields.insert("wait".into(), false.into())),
        "consensus.extend" | "session.extend" => drop(fields.insert("timeout_ms".into(), 1_000.into())),
        // It is looked at first: the key of RFC 8032, section 7.1, test 1.
        "voter.rotate" => {
            let key = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
            fields.insert("public_key".into(), key.into());
        }
        // It is looked at first.
        "hook.register" => drop(fields.insert("url".into(), "https://hooks.example.com/".into())),
        "quorum.extend" => drop(fields.insert("timeout_seconds".into(), 1.into())),
        // One of two is needed, which no schema says.
        "history.state_at" => drop(fields.insert("seq".into(), 1.into())),
        _ => {}
    }
    fields.insert(field.to_owned(), text.into());
    op.call(q.clone(), fields).await
}

/// The field is refused, by its name.
async fn refuses(q: &Quorate, op: &'static Operation, field: &str, text: &str) {
    match refusal(q, op, field, text).await {
        Err(error) if error.kind() == ErrorKind::InvalidArgument => {
            let named = error.detail("field").and_then(Value::as_str).unwrap_or_default();
            assert_eq!(named, field, "{} {field}={text:?}: {error}", op.name);
        }
        other => panic!("{} {field}={text:?}: {other:?}", op.name),
    }
}

#[tokio::test]
async fn every_text_of_every_request_is_checked_or_declared_free() {
    let q = Quorate::open(Config::memory()).await.unwrap();
    let mut checked = Vec::new();
    for op in OPERATIONS {
        let root = (op.request)().to_value();
        let mut texts = Vec::new();
        leaves(&root, &root, "", &mut texts);
        for Leaf { path, schema } in texts {
            let is_word = schema["enum"].is_array() || schema["const"].is_string();
            let is_id = schema["minLength"] == 1 && schema["maxLength"] == 256;
            let is_instant = schema["format"] == "date-time";
            let sorts = [
                is_word,
                is_id,
                is_instant,
                holds(NAMES, op.name, &path),
                holds(WORDS, op.name, &path),
                holds(SOUGHT, op.name, &path) && !is_id,
                holds(SENTENCES, op.name, &path),
                holds(FREE, op.name, &path),
            ];
            let count = sorts.iter().filter(|is| **is).count();
            assert_eq!(count, 1, "{} {path} is of {count} sorts: {schema}", op.name);
            let is_top = !path.contains(['.', '[']);
            if is_id && is_top {
                refuses(&q, op, &path, "a\u{7}b").await;
            }
            if holds(NAMES, op.name, &path) {
                let longer = "x".repeat(4_097);
                for unclear in ["a\u{200b}b", "Zoe\u{308}", "a\u{202e}b", "a\nb", " a", " ", longer.as_str()]
                {
                    refuses(&q, op, &path, unclear).await;
                }
            }
            if is_instant && is_top || holds(WORDS, op.name, &path) {
                refuses(&q, op, &path, "no such word").await;
            }
            if holds(SENTENCES, op.name, &path) {
                refuses(&q, op, &path, "a\u{1b}b").await;
            }
            checked.push((op.name, path));
        }
    }
    for table in [NAMES, WORDS, SENTENCES, FREE] {
        for (op, field) in table {
            assert!(checked.iter().any(|(of, path)| of == op && path == field), "{op} {field} is no text");
        }
    }
    q.close().await.unwrap();
}
