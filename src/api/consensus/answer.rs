//! What is asked for as an answer, and an answer, read from JSON.
//!
//! | keyword | beside |
//! |---|---|
//! | `type`: `boolean`, `integer`, `string` or `object`; may be left out beside `enum` and `properties` | |
//! | `title`, `description`, for people | every type |
//! | `enum`, a list of choices | integers and strings |
//! | `minimum`, `maximum` | integers |
//! | `minLength`, `maxLength`, in characters | strings |
//! | `properties`, `required`, `additionalProperties`: false | objects |
//!
//! Every other keyword, and one beside a type that it says nothing about, is refused with its place.

use serde_json::{Map, Value};

use crate::core::voting::proposal::answer::{
    AnswerField, AnswerSchema, AnswerShape, AnswerValue, LARGEST, MOST_PARTS, SCHEMA,
};
use crate::error::Error;

/// Bytes of what is asked for as an answer, as JSON.
const MAX_SCHEMA_BYTES: usize = 8 << 10;
/// Bytes of a title or a description.
const MAX_WORDS: usize = 1_024;
/// How deep it is looked at all; how deep it may be, its own check says.
const DEEPEST_READ: usize = 16;

/// Reads what is asked for.
///
/// # Errors
/// `invalid_argument` naming the place of the first word that is not understood.
pub(super) fn read(given: &Value) -> Result<AnswerSchema, Error> {
    let bytes = given.to_string().len();
    if bytes > MAX_SCHEMA_BYTES {
        let expected = format!("up to {MAX_SCHEMA_BYTES} bytes of JSON");
        return Err(Error::invalid(SCHEMA, format!("{bytes} bytes"), &expected));
    }
    read_at(SCHEMA, given, DEEPEST_READ)
}

fn read_at(path: &str, given: &Value, depth: usize) -> Result<AnswerSchema, Error> {
    let Value::Object(words) = given else {
        return Err(misfit(
            path,
            given,
            "an object with the type of the answer, such as {\"type\":\"integer\"}",
        ));
    };
    if depth == 0 {
        return Err(misfit(path, given, "fewer shapes within each other"));
    }
    let kind = kind_of(path, words)?;
    let also: &[&str] = match kind {
        "integer" => &["enum", "minimum", "maximum"],
        "string" => &["enum", "minLength", "maxLength"],
        "object" => &["properties", "required", "additionalProperties"],
        _ => &[],
    };
    let common = ["type", "title", "description"];
    if let Some((word, value)) =
        words.iter().find(|(word, _)| !common.contains(&word.as_str()) && !also.contains(&word.as_str()))
    {
        let known: Vec<&str> = common.iter().chain(also).copied().collect();
        let expected = format!("no other keyword for an answer of type {kind} than {}", known.join(", "));
        return Err(misfit(&format!("{path}.{word}"), value, &expected));
    }
    let shape = match kind {
        "boolean" => AnswerShape::Boolean,
        "integer" => AnswerShape::Integer {
            minimum: whole(path, words, "minimum")?,
            maximum: whole(path, words, "maximum")?,
            choices: choices(path, words, "whole numbers of 64 bits", Value::as_i64)?,
        },
        "string" => AnswerShape::Text {
            min_length: length(path, words, "minLength")?,
            max_length: length(path, words, "maxLength")?,
            choices: choices(path, words, "texts", |value| value.as_str().map(str::to_owned))?,
        },
        _ => AnswerShape::Object { fields: fields(path, words, depth)? },
    };
    Ok(AnswerSchema {
        title: sentence(path, words, "title")?,
        description: sentence(path, words, "description")?,
        shape,
    })
}

/// The type that is named, or that follows from what stands beside it.
fn kind_of(path: &str, words: &Map<String, Value>) -> Result<&'static str, Error> {
    const KINDS: [&str; 4] = ["boolean", "integer", "string", "object"];
    let at = format!("{path}.type");
    match words.get("type") {
        Some(given) => {
            let known = KINDS.into_iter().find(|kind| given.as_str() == Some(*kind));
            known.ok_or_else(|| misfit(&at, given, &format!("one of {}", KINDS.join(", "))))
        }
        None if words.contains_key("properties") => Ok("object"),
        None => match words.get("enum").and_then(Value::as_array).and_then(|choices| choices.first()) {
            Some(Value::String(_)) => Ok("string"),
            Some(Value::Number(_)) => Ok("integer"),
            Some(_) | None => {
                Err(Error::missing(&at).with("expected", format!("one of {}", KINDS.join(", "))))
            }
        },
    }
}

fn misfit(path: &str, given: &Value, expected: &str) -> Error {
    Error::invalid(path, given.clone(), expected)
}

fn sentence(path: &str, words: &Map<String, Value>, word: &str) -> Result<Option<String>, Error> {
    let fits = |text: &str| text.len() <= MAX_WORDS && !text.chars().any(|c| c.is_control() && c != '\n');
    match words.get(word) {
        None => Ok(None),
        Some(Value::String(text)) if fits(text) => Ok(Some(text.clone())),
        Some(given) => {
            let expected = format!("a text of up to {MAX_WORDS} bytes without control characters");
            Err(misfit(&format!("{path}.{word}"), given, &expected))
        }
    }
}

fn whole(path: &str, words: &Map<String, Value>, word: &str) -> Result<Option<i64>, Error> {
    let Some(given) = words.get(word) else { return Ok(None) };
    let read =
        given.as_i64().ok_or_else(|| misfit(&format!("{path}.{word}"), given, "a whole number of 64 bits"));
    read.map(Some)
}

fn length(path: &str, words: &Map<String, Value>, word: &str) -> Result<Option<u32>, Error> {
    let Some(given) = words.get(word) else { return Ok(None) };
    let read = given.as_u64().and_then(|n| u32::try_from(n).ok());
    read.map(Some)
        .ok_or_else(|| misfit(&format!("{path}.{word}"), given, "a whole number from 0 to 4294967295"))
}

fn choices<T>(
    path: &str,
    words: &Map<String, Value>,
    what: &str,
    read: impl Fn(&Value) -> Option<T>,
) -> Result<Vec<T>, Error> {
    let Some(given) = words.get("enum") else { return Ok(Vec::new()) };
    let at = format!("{path}.enum");
    let listed = given.as_array().filter(|choices| !choices.is_empty());
    let listed = listed.ok_or_else(|| misfit(&at, given, &format!("a list of 1 to {MOST_PARTS} {what}")))?;
    let one = |(n, choice): (usize, &Value)| {
        read(choice).ok_or_else(|| misfit(&format!("{at}[{n}]"), choice, &format!("one of the {what}")))
    };
    listed.iter().enumerate().map(one).collect()
}

fn fields(path: &str, words: &Map<String, Value>, depth: usize) -> Result<Vec<AnswerField>, Error> {
    let at = format!("{path}.properties");
    if let Some(given) = words.get("additionalProperties").filter(|given| **given != Value::Bool(false)) {
        let expected = "false: an answer has no fields but those that are named";
        return Err(misfit(&format!("{path}.additionalProperties"), given, expected));
    }
    let listed = match words.get("properties") {
        Some(Value::Object(listed)) => listed,
        Some(given) => return Err(misfit(&at, given, "an object with the fields of the answer")),
        None => return Err(Error::missing(&at)),
    };
    let at_required = format!("{path}.required");
    let required = match words.get("required") {
        None => Vec::new(),
        Some(Value::Array(names)) => {
            let name =
                |(n, name): (usize, &Value)| match name.as_str().filter(|name| listed.contains_key(*name)) {
                    Some(name) => Ok(name.to_owned()),
                    None => {
                        Err(misfit(&format!("{at_required}[{n}]"), name, "the name of one of the properties"))
                    }
                };
            names.iter().enumerate().map(name).collect::<Result<Vec<_>, _>>()?
        }
        Some(given) => return Err(misfit(&at_required, given, "a list of names")),
    };
    let field = |(name, given): (&String, &Value)| {
        let schema = read_at(&format!("{at}.{name}"), given, depth - 1)?;
        Ok(AnswerField { name: name.clone(), required: required.contains(name), schema })
    };
    listed.iter().map(field).collect()
}

/// An answer, as whoever votes gave it.
///
/// # Errors
/// `invalid_argument` when it is too large.
pub(super) fn value(given: &Value) -> Result<AnswerValue, Error> {
    let bytes = given.to_string().len();
    if bytes > LARGEST {
        let expected = format!("up to {LARGEST} bytes of JSON");
        return Err(Error::invalid("value", format!("{bytes} bytes"), &expected));
    }
    Ok(value_of(given))
}

fn value_of(given: &Value) -> AnswerValue {
    match given {
        Value::Bool(value) => AnswerValue::Boolean(*value),
        Value::String(text) => AnswerValue::Text(text.clone()),
        Value::Object(fields) => {
            let field = |(name, value): (&String, &Value)| (name.clone(), value_of(value));
            AnswerValue::Object(fields.iter().map(field).collect())
        }
        Value::Number(number) if number.is_i64() => AnswerValue::Integer(number.as_i64().unwrap_or_default()),
        Value::Number(_) | Value::Null | Value::Array(_) => AnswerValue::Other(given.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::shell::answer_schema::to_json;

    fn place(given: Value) -> (Option<String>, Option<String>) {
        let error = read(&given).err();
        let detail = |name: &str| Some(error.as_ref()?.detail(name)?.as_str()?.to_owned());
        (detail("field"), detail("expected"))
    }

    #[test]
    fn a_word_that_nobody_checks_is_refused_with_its_place() {
        for (given, at) in [
            (json!(true), "answer_schema"),
            (json!("integer"), "answer_schema"),
            (json!({}), "answer_schema.type"),
            (json!({ "type": "number" }), "answer_schema.type"),
            (json!({ "type": ["integer", "null"] }), "answer_schema.type"),
            (json!({ "type": "array", "items": {} }), "answer_schema.type"),
            (json!({ "type": "string", "pattern": "a" }), "answer_schema.pattern"),
            (json!({ "type": "string", "minimum": 1 }), "answer_schema.minimum"),
            (json!({ "type": "boolean", "enum": [true] }), "answer_schema.enum"),
            (json!({ "type": "integer", "minimum": 1.5 }), "answer_schema.minimum"),
            (json!({ "type": "integer", "maximum": u64::MAX }), "answer_schema.maximum"),
            (json!({ "type": "integer", "enum": [] }), "answer_schema.enum"),
            (json!({ "type": "integer", "enum": [1, "2"] }), "answer_schema.enum[1]"),
            (json!({ "enum": [true] }), "answer_schema.type"),
            (json!({ "type": "string", "maxLength": -1 }), "answer_schema.maxLength"),
            (json!({ "type": "string", "title": "a\u{7}" }), "answer_schema.title"),
            (json!({ "type": "object" }), "answer_schema.properties"),
            (json!({ "properties": { "a": { "$ref": "#" } } }), "answer_schema.properties.a.type"),
            (
                json!({ "properties": { "a": { "type": "string", "format": "date" } } }),
                "answer_schema.properties.a.format",
            ),
            (
                json!({ "properties": { "a": { "type": "boolean" } }, "required": ["b"] }),
                "answer_schema.required[0]",
            ),
            (json!({ "properties": {}, "additionalProperties": true }), "answer_schema.additionalProperties"),
            (json!({ "type": "string", "title": "x".repeat(9_000) }), "answer_schema"),
        ] {
            assert_eq!(place(given.clone()).0.as_deref(), Some(at), "{given}");
        }
        let (_, expected) = place(json!({ "type": "integer", "multipleOf": 5 }));
        assert!(expected.unwrap().ends_with("type, title, description, enum, minimum, maximum"));
    }

    #[test]
    fn what_is_asked_for_is_written_as_it_was_read() {
        for given in [
            json!({ "type": "boolean", "title": "Sure?" }),
            json!({ "type": "integer", "minimum": -1, "maximum": i64::MAX, "description": "cents" }),
            json!({ "type": "string", "minLength": 1, "maxLength": 10, "enum": ["a", "b"] }),
            json!({
                "type": "object",
                "properties": { "z": { "type": "boolean" }, "a": { "type": "integer", "enum": [1, 2] } },
                "required": ["z"],
                "additionalProperties": false,
            }),
        ] {
            let schema = read(&given).unwrap();
            assert_eq!(to_json(&schema), given);
            assert_eq!(to_json(&read(&to_json(&schema)).unwrap()), given);
        }
        assert_eq!(
            to_json(&read(&json!({ "enum": ["a"] })).unwrap()),
            json!({ "type": "string", "enum": ["a"] })
        );
    }

    #[test]
    fn deep_json_is_refused_and_exhausts_nothing() {
        let deep =
            (0..300).fold(json!({ "type": "boolean" }), |inner, _| json!({ "properties": { "a": inner } }));
        let error = read(&deep).unwrap_err();
        assert!(error.detail("field").unwrap().as_str().unwrap().starts_with("answer_schema"), "{error}");
    }
}
