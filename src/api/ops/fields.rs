//! What a request can hold, read from its schema.

use serde_json::Value;

/// How an operation is called over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads; fields stand in path and query.
    Get,
    /// Writes; fields stand in path and JSON body.
    Post,
}

/// A field of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// The JSON types it takes; empty for any.
    pub types: Vec<String>,
    /// The words it takes, where it takes only some.
    pub choices: Vec<String>,
    /// What it means.
    pub description: String,
    /// It must be given.
    pub required: bool,
}

pub(super) fn field_types(schema: &Value, field: &str) -> Vec<String> {
    types_of(&schema["properties"][field])
}

pub(super) fn types_of(property: &Value) -> Vec<String> {
    let named = |value: &Value| value.as_str().map(str::to_owned);
    let mut types: Vec<String> = match &property["type"] {
        Value::Array(types) => types.iter().filter_map(named).collect(),
        single => named(single).into_iter().collect(),
    };
    for variant in property["anyOf"].as_array().into_iter().flatten() {
        types.extend(types_of(variant));
    }
    types.retain(|t| t != "null");
    types
}

pub(super) fn choices_of(property: &Value) -> Vec<String> {
    let own = property["enum"].as_array().into_iter().flatten();
    let mut choices: Vec<String> = own.filter_map(Value::as_str).map(str::to_owned).collect();
    for variant in property["anyOf"].as_array().into_iter().flatten() {
        choices.extend(choices_of(variant));
    }
    choices
}
