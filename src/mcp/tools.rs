//! A row of the table as a tool.

use std::sync::Arc;

use quorate_runtime::api::ops::{OPERATIONS, Operation};
use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde_json::{Map, Value};

use crate::waits::{self, LONGEST};

/// The field that makes a repeat safe.
const KEY_FIELD: &str = "idempotency_key";

/// The name of the tool: that of the operation, without the dot that clients do not take.
pub(crate) fn name(op: &Operation) -> String {
    op.name.replace('.', "_")
}

/// The operation of the tool of this name.
pub fn operation(tool: &str) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|op| {
        let (own, given) = (op.name.as_bytes(), tool.as_bytes());
        let same = |(own, given): (&u8, &u8)| own == given || (*own == b'.' && *given == b'_');
        own.len() == given.len() && own.iter().zip(given).all(same)
    })
}

/// The tool. It has no output schema: there are clients that check errors by it too, and then show neither.
pub(crate) fn tool(op: &Operation) -> Tool {
    let mut request = (op.request)().to_value();
    let about = request.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
    let annotations = ToolAnnotations::new()
        .read_only(op.reads())
        .destructive(op.is_destructive())
        .idempotent(op.is_idempotent())
        .open_world(false);
    let description = description(op, &about, &request);
    simplify(&mut request);
    let mut schema = request.as_object_mut().map(std::mem::take).unwrap_or_default();
    for name in ["$schema", "title", "description"] {
        schema.remove(name);
    }
    Tool::new(name(op), description, Arc::new(schema)).with_annotations(annotations)
}

/// The same schema in words that every client knows: to leave a field out says the same as to say null, so that null is not
/// offered; formats of numbers and line breaks are left out.
fn simplify(schema: &mut Value) {
    let is_null = |schema: &Value| schema.is_null() || *schema == "null" || schema["type"] == "null";
    match schema {
        Value::Array(parts) => parts.iter_mut().for_each(simplify),
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                match (name.as_str(), &mut *value) {
                    ("type" | "anyOf" | "enum", Value::Array(parts)) => parts.retain(|part| !is_null(part)),
                    ("description", Value::String(text)) => {
                        *text = text.split_whitespace().collect::<Vec<_>>().join(" ");
                    }
                    _ => {}
                }
                simplify(value);
            }
            fields.retain(|name, value| name != "format" || !value.is_string());
            if let Some(Value::Array(types)) = fields.get_mut("type")
                && types.len() == 1
            {
                let only = types.remove(0);
                fields.insert("type".into(), only);
            }
            if let Some(Value::Array(parts)) = fields.get_mut("anyOf")
                && parts.len() == 1
                && let Value::Object(only) = parts.remove(0)
            {
                fields.remove("anyOf");
                for (name, value) in only {
                    fields.entry(name).or_insert(value);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What it does, what it needs, and how long it takes.
fn description(op: &Operation, about: &str, request: &Value) -> String {
    let mut told = sentence(op.summary);
    // The first sentence there says the same as the summary.
    let about = about.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((_, more)) = about.split_once(". ") {
        told.push(' ');
        told.push_str(more);
    }
    if request["properties"].get(KEY_FIELD).is_some() {
        told.push_str(" With an idempotency_key a repeat is answered and not done again.");
    }
    if waits::can_wait(op) {
        told.push_str(&format!(
            " A wait ends after {} s at the latest, and the answer says how to go on; what is waited for goes on.",
            LONGEST.as_secs()
        ));
    }
    if !op.acts.is_empty() {
        let fields: Vec<&str> = op.acts.iter().map(|acts| acts.field()).collect();
        told.push_str(&format!(" Acts as whom it names in {}.", fields.join(", ")));
    }
    told.push_str(&format!(" Scope: {} ({}).", op.name, op.scope.name()));
    told
}

fn sentence(summary: &str) -> String {
    let mut chars = summary.chars();
    let text: String =
        chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default();
    format!("{text}.")
}

/// The arguments of a call.
pub(crate) fn fields(arguments: Option<JsonObject>) -> Map<String, Value> {
    arguments.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_operation_is_one_tool_whose_name_every_client_takes() {
        for op in OPERATIONS {
            let name = name(op);
            assert!(
                name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'),
                "{name}"
            );
            assert_eq!(operation(&name).map(|found| found.name), Some(op.name));
        }
        for unknown in ["", "quorum", "quorum.start.", "quorum_starts", "worker_leader.lost"] {
            assert!(operation(unknown).is_none(), "{unknown}");
        }
    }

    #[test]
    fn a_schema_offers_no_null_and_keeps_what_is_required() {
        let mut schema = json!({
            "type": "object", "required": ["a"],
            "properties": {
                "a": { "type": "string", "description": "One\ntwo." },
                "b": { "type": ["integer", "null"], "format": "uint32", "minimum": 0 },
                "c": { "anyOf": [{ "$ref": "#/$defs/C" }, { "type": "null" }], "description": "c" },
                "format": { "type": ["string", "integer", "null"] },
            },
            "$defs": { "C": { "type": ["string", "null"], "enum": ["x", null] } },
        });
        simplify(&mut schema);
        let simple = json!({
            "type": "object", "required": ["a"],
            "properties": {
                "a": { "type": "string", "description": "One two." },
                "b": { "type": "integer", "minimum": 0 },
                "c": { "description": "c", "$ref": "#/$defs/C" },
                "format": { "type": ["string", "integer"] },
            },
            "$defs": { "C": { "type": "string", "enum": ["x"] } },
        });
        assert_eq!(schema, simple);
    }

    #[test]
    fn a_tool_says_what_it_takes_and_what_it_does() {
        for op in OPERATIONS {
            let tool = tool(op);
            assert_eq!(tool.input_schema["type"], "object", "{}", op.name);
            let told = tool.description.unwrap();
            assert!(told.contains(op.name), "{told}");
            let hints = tool.annotations.unwrap();
            assert_eq!(hints.read_only_hint, Some(op.reads()));
            assert_eq!(hints.open_world_hint, Some(false));
        }
        let cancel = tool(operation("quorum_cancel").unwrap()).annotations.unwrap();
        assert_eq!((cancel.destructive_hint, cancel.idempotent_hint), (Some(true), Some(true)));
    }
}
