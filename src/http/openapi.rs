//! The table of operations as an OpenAPI 3.1 document. Nothing in it is written by hand but the two forms of an
//! answer.

use std::collections::BTreeMap;

use schemars::Schema;
use serde_json::{Map, Value, json};

use super::API_ROOT;
use super::events;
use super::fields::{KEY_FIELD, KEY_HEADER, STATUS_CODES};
use super::routes::{EVENTS, Page, field_name};
use quorate_runtime::api::dto::Health;
use quorate_runtime::api::events::{FILTERS, NOT_FOLLOWED};
use quorate_runtime::api::ops::{Method, OPERATIONS, Operation};
use quorate_runtime::api::outcome::MAY_BE_UNDONE;
use quorate_runtime::error::{ErrorKind, KINDS};

/// Where schemas stand in the document.
const SCHEMAS: &str = "#/components/schemas/";

/// The document.
pub(super) fn document() -> Value {
    let mut schemas = Schemas::default();
    let mut paths: Map<String, Value> = Map::new();
    for op in OPERATIONS {
        let item = paths.entry(format!("{API_ROOT}{}", op.path)).or_insert_with(|| json!({}));
        item[verb(op.method)] = operation(op, &mut schemas);
        if op.name == FILTERS {
            let events = describe_events(op, &mut schemas);
            paths.insert(format!("{API_ROOT}{EVENTS}"), json!({ "get": events }));
        }
    }
    for page in Page::ALL {
        paths.insert(page.path().to_owned(), json!({ "get": describe_page(page, &mut schemas) }));
    }
    let kinds: Vec<&str> = KINDS.iter().map(|entry| entry.name).collect();
    schemas.0.insert("Error".into(), error_schema(&kinds));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Quorate",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Every operation of a Quorate server. Fields may stand in path, query or JSON body.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "paths": paths,
        "security": [{}, { "bearer": [] }],
        "components": {
            "schemas": schemas.0,
            "responses": error_responses(),
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The token of an identity. Needed once identities exist, but for /healthz and /openapi.json.",
                },
            },
        },
    })
}

fn verb(method: Method) -> &'static str {
    match method {
        Method::Get => "get",
        Method::Post => "post",
    }
}

fn operation(op: &Operation, schemas: &mut Schemas) -> Value {
    let (request, mut root) = schemas.take((op.request)());
    let in_path: Vec<&str> = op.path.split('/').filter_map(field_name).collect();
    let mut parameters = Vec::new();
    for field in op.fields() {
        let is_path = in_path.contains(&field.name.as_str());
        if !is_path && op.method == Method::Post {
            continue;
        }
        let mut schema = root["properties"][&field.name].clone();
        if let Some(schema) = schema.as_object_mut() {
            schema.remove("description");
        }
        parameters.push(json!({
            "name": field.name,
            "in": if is_path { "path" } else { "query" },
            "required": is_path || field.required,
            "description": field.description,
            "schema": schema,
        }));
    }
    if op.method == Method::Post && op.fields().iter().any(|field| field.name == KEY_FIELD) {
        parameters.push(json!({
            "name": KEY_HEADER,
            "in": "header",
            "required": false,
            "description": "Stands for the field idempotency_key; where the body has one too, it must be the same.",
            "schema": { "type": "string", "minLength": 1, "maxLength": 256 },
        }));
    }
    if !op.statuses.is_empty() {
        let words: Vec<String> =
            op.statuses.iter().map(|(word, code)| format!("{code} for `{word}`")).collect();
        parameters.push(json!({
            "name": STATUS_CODES,
            "in": "query",
            "required": false,
            "description": format!("Answer with a status of its own instead of 200: {}.", words.join(", ")),
            "schema": { "type": "boolean", "default": false },
        }));
    }
    let (noun, _) = op.name.split_once('.').unwrap_or((op.name, ""));
    let mut out = json!({
        "operationId": op.name,
        "tags": [noun],
        "summary": op.summary,
        "parameters": parameters,
    });
    if op.method == Method::Post {
        let name = if in_path.is_empty() { request } else { format!("{request}Body") };
        drop_fields(&mut root, &in_path);
        let required = root["required"].as_array().is_some_and(|required| !required.is_empty());
        let schema = schemas.put(name, root);
        out["requestBody"] = json!({
            "required": required,
            "content": { "application/json": { "schema": schema } },
        });
    }
    out["responses"] = responses(op, schemas);
    out
}

/// The schema of a body has no fields that stand in the path.
fn drop_fields(schema: &mut Value, names: &[&str]) {
    if let Some(properties) = schema["properties"].as_object_mut() {
        properties.retain(|name, _| !names.contains(&name.as_str()));
    }
    if let Some(required) = schema["required"].as_array_mut() {
        required.retain(|name| name.as_str().is_none_or(|name| !names.contains(&name)));
    }
}

fn responses(op: &Operation, schemas: &mut Schemas) -> Value {
    let (name, root) = schemas.take((op.reply)());
    let reply = schemas.put(name, root);
    let success = json!({ "type": "boolean", "const": true });
    let schema = match op.key {
        Some(key) => {
            json!({ "type": "object", "required": ["success", key], "properties": { "success": success, key: reply } })
        }
        None => json!({
            "allOf": [
                { "type": "object", "required": ["success"], "properties": { "success": success } },
                reply,
            ],
        }),
    };
    // What was asked for and not done is told beside the reply.
    let schema = match op.key.filter(|_| MAY_BE_UNDONE.contains(&op.name)) {
        Some(key) => {
            let told = json!({ "type": "object", "required": [key], "properties": { key: reply } });
            let undone = json!({ "allOf": [{ "$ref": format!("{SCHEMAS}Error") }, told] });
            json!({ "anyOf": [schema, undone] })
        }
        None => schema,
    };
    let description = match op.method {
        Method::Get => "The answer.",
        Method::Post => "Done, and durable.",
    };
    let mut out = Map::new();
    let answer = |description: &str, schema: &Value| json!({ "description": description, "content": { "application/json": { "schema": schema } } });
    out.insert("200".into(), answer(description, &schema));
    for status in statuses().keys() {
        out.insert(status.clone(), json!({ "$ref": format!("#/components/responses/{status}") }));
    }
    for (word, code) in op.statuses {
        let status = code.to_string();
        let asked = format!("The answer `{word}`, when asked for with `{STATUS_CODES}=true`.");
        let response = match statuses().get(&status) {
            None => answer(&asked, &schema),
            Some(kinds) => {
                let either = json!({ "anyOf": [schema, { "$ref": format!("{SCHEMAS}Error") }] });
                answer(&format!("{asked} Not served: {}.", kinds.join(", ")), &either)
            }
        };
        out.insert(status, response);
    }
    Value::Object(out)
}

/// The names of error kinds by status.
fn statuses() -> BTreeMap<String, Vec<&'static str>> {
    let mut statuses: BTreeMap<String, Vec<&'static str>> = BTreeMap::new();
    for entry in KINDS {
        statuses.entry(entry.status.to_string()).or_default().push(entry.name);
    }
    // Of what is too large in the head of a request the status says where.
    for status in ["414", "431"] {
        statuses.entry(status.to_owned()).or_default().push(ErrorKind::PayloadTooLarge.name());
    }
    statuses
}

fn error_responses() -> Value {
    let response = |(status, kinds): (String, Vec<&str>)| {
        let schema = json!({ "$ref": format!("{SCHEMAS}Error") });
        let description = format!("Not served: {}.", kinds.join(", "));
        (
            status,
            json!({ "description": description, "content": { "application/json": { "schema": schema } } }),
        )
    };
    Value::Object(statuses().into_iter().map(response).collect())
}

fn error_schema(kinds: &[&str]) -> Value {
    json!({
        "type": "object",
        "description": "A request that was not served.",
        "required": ["success", "detail", "code", "error"],
        "properties": {
            "success": { "type": "boolean", "const": false },
            "detail": { "type": "string", "description": "What did not fit." },
            "code": { "type": "string", "enum": kinds },
            "error": {
                "type": "object",
                "required": ["kind", "message"],
                "properties": {
                    "kind": { "type": "string", "enum": kinds },
                    "message": { "type": "string" },
                    "field": { "type": "string", "description": "The field that did not fit." },
                },
                "additionalProperties": true,
            },
        },
    })
}

/// The way to follow events, with the filters of this operation.
fn describe_events(op: &Operation, schemas: &mut Schemas) -> Value {
    let mut described = operation(op, schemas);
    let takes = |parameter: &Value| !NOT_FOLLOWED.map(Some).contains(&parameter["name"].as_str());
    let mut parameters: Vec<Value> = described["parameters"].as_array().cloned().unwrap_or_default();
    parameters.retain(takes);
    parameters.push(json!({
        "name": events::LAST_EVENT_ID,
        "in": "header",
        "required": false,
        "description": "Go on after this position, whatever the cursor says.",
        "schema": { "type": "string" },
    }));
    described["operationId"] = "events".into();
    described["summary"] = "follow what is recorded, as it is recorded".into();
    described["parameters"] = parameters.into();
    described["responses"]["200"] = json!({
        "description": "Server-sent events without an end; each has the position as its id and a recorded event as its data.",
        "content": { "text/event-stream": { "schema": { "type": "string" } } },
    });
    described
}

fn describe_page(page: Page, schemas: &mut Schemas) -> Value {
    let answer = |description: &str, media: &str, schema: Value| json!({ "description": description, "content": { media: { "schema": schema } } });
    let (summary, responses) = match page {
        Page::OpenApi => {
            let ok = answer("An OpenAPI 3.1 document.", "application/json", json!({ "type": "object" }));
            ("describe the operations", json!({ "200": ok }))
        }
        Page::Metrics => {
            let media = "application/openmetrics-text";
            let ok = answer("OpenMetrics text.", media, json!({ "type": "string" }));
            ("show counters and gauges", json!({ "200": ok }))
        }
        Page::Health => {
            let (name, root) = schemas.take(schemars::schema_for!(Health));
            let health = schemas.put(name, root);
            let ok = answer("Work is served.", "application/json", health.clone());
            let failed = answer("The store refuses work.", "application/json", health);
            ("say whether work is served", json!({ "200": ok, "503": failed }))
        }
    };
    json!({ "operationId": page.name(), "tags": ["server"], "summary": summary, "responses": responses })
}

/// The schemas all operations share.
#[derive(Default)]
struct Schemas(BTreeMap<String, Value>);

impl Schemas {
    /// Moves what a schema defines to the shared ones; gives its name and the rest.
    fn take(&mut self, schema: Schema) -> (String, Value) {
        let mut root = schema.to_value();
        point_to_components(&mut root);
        let fields = root.as_object_mut().map(std::mem::take).unwrap_or_default();
        let mut rest = Map::new();
        let mut name = String::new();
        for (key, value) in fields {
            match (key.as_str(), value) {
                ("$schema", _) => {}
                ("title", title) => name = title.as_str().unwrap_or_default().to_owned(),
                ("$defs", Value::Object(definitions)) => self.0.extend(definitions),
                (_, value) => {
                    rest.insert(key, value);
                }
            }
        }
        (name, Value::Object(rest))
    }

    /// Shares a schema, and refers to it.
    fn put(&mut self, name: String, schema: Value) -> Value {
        let reference = json!({ "$ref": format!("{SCHEMAS}{name}") });
        self.0.insert(name, schema);
        reference
    }
}

fn point_to_components(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(target) if key == "$ref" => {
                        *target = target.replacen("#/$defs/", SCHEMAS, 1);
                    }
                    other => point_to_components(other),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(point_to_components),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
