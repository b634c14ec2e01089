//! What is asked for as an answer, as JSON.

use serde_json::{Map, Value, json};

use crate::core::voting::proposal::answer::{AnswerSchema, AnswerShape};

/// What is asked for as JSON, of the same meaning as it was given.
pub(crate) fn to_json(schema: &AnswerSchema) -> Value {
    let mut out = Map::new();
    let mut put = |word: &str, value: Value| drop(out.insert(word.to_owned(), value));
    match &schema.shape {
        AnswerShape::Boolean => put("type", "boolean".into()),
        AnswerShape::Integer { minimum, maximum, choices } => {
            put("type", "integer".into());
            minimum.iter().for_each(|n| put("minimum", (*n).into()));
            maximum.iter().for_each(|n| put("maximum", (*n).into()));
            if !choices.is_empty() {
                put("enum", json!(choices));
            }
        }
        AnswerShape::Text { min_length, max_length, choices } => {
            put("type", "string".into());
            min_length.iter().for_each(|n| put("minLength", (*n).into()));
            max_length.iter().for_each(|n| put("maxLength", (*n).into()));
            if !choices.is_empty() {
                put("enum", json!(choices));
            }
        }
        AnswerShape::Object { fields } => {
            put("type", "object".into());
            let parts = fields.iter().map(|field| (field.name.clone(), to_json(&field.schema)));
            put("properties", Value::Object(parts.collect()));
            let required: Vec<&str> =
                fields.iter().filter(|field| field.required).map(|field| field.name.as_str()).collect();
            put("required", required.into());
            put("additionalProperties", false.into());
        }
    }
    schema.title.iter().for_each(|text| put("title", text.as_str().into()));
    schema.description.iter().for_each(|text| put("description", text.as_str().into()));
    Value::Object(out)
}
