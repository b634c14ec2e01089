//! The OpenAPI document: whole, and the same as the one on record.

use std::collections::BTreeSet;

use quorate_runtime::api::ops::{Method, OPERATIONS};
use serde_json::Value;

use crate::client::Running;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/api/openapi.json");

fn document() -> Value {
    let running = Running::start();
    let answer = running.client.get("/openapi.json");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    answer.json
}

fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str));
            fields.values().for_each(|field| references(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn every_reference_resolves_and_every_schema_is_used() {
    let document = document();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    for target in &found {
        let pointer = target.strip_prefix('#').unwrap_or_else(|| panic!("points outside: {target}"));
        assert!(document.pointer(pointer).is_some(), "dangling: {target}");
    }
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(found.contains(format!("#/components/schemas/{name}").as_str()), "unused: {name}");
    }
    assert!(!document.to_string().contains("$defs"));
}

#[test]
fn every_operation_is_described_with_all_its_fields() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    let mut described = 0;
    for op in OPERATIONS {
        let verb = match op.method {
            Method::Get => "get",
            Method::Post => "post",
        };
        let described_op = &document["paths"][format!("/api/v1{}", op.path)][verb];
        assert_eq!(described_op["operationId"], op.name);
        assert_eq!(described_op["summary"], op.summary);
        described += 1;
        let parameters = described_op["parameters"].as_array().unwrap();
        for field in op.fields() {
            let in_path = op.path.contains(&format!("{{{}}}", field.name));
            let parameter = parameters.iter().find(|p| p["name"] == field.name.as_str());
            if in_path || op.method == Method::Get {
                let parameter = parameter.unwrap_or_else(|| panic!("{}: no {}", op.name, field.name));
                assert_eq!(parameter["in"], if in_path { "path" } else { "query" });
                assert_eq!(parameter["required"], in_path || field.required);
                assert!(parameter["schema"].is_object(), "{parameter}");
                assert!(!field.description.is_empty(), "{}: {} is not explained", op.name, field.name);
            } else {
                let schema =
                    described_op["requestBody"]["content"]["application/json"]["schema"]["$ref"].as_str();
                let schema = document.pointer(schema.unwrap().trim_start_matches('#')).unwrap();
                assert!(schema["properties"].get(&field.name).is_some(), "{}: no {}", op.name, field.name);
            }
        }
        for status in ["200", "400", "404", "409", "413", "422", "503"] {
            assert!(described_op["responses"].get(status).is_some(), "{}: {status}", op.name);
        }
    }
    let operations =
        document["paths"].as_object().unwrap().values().map(|item| item.as_object().unwrap().len());
    assert_eq!(operations.sum::<usize>(), described + 4, "operations, the three pages and the events");
}

#[test]
fn the_document_is_the_one_on_record() {
    let mut text = serde_json::to_string_pretty(&document()).unwrap();
    text.push('\n');
    if std::env::var_os("QUORATE_REWRITE_GOLDEN").is_some_and(|v| v == "1") {
        std::fs::write(GOLDEN, &text).unwrap();
    }
    let golden = std::fs::read_to_string(GOLDEN).unwrap_or_default();
    assert!(text == golden, "tests/api/openapi.json differs; QUORATE_REWRITE_GOLDEN=1 rewrites it");
}
