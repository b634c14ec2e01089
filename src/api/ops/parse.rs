//! Requests as they are read: an error names the field, what was given and what was expected.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use serde_path_to_error::{Path, Segment};

use super::super::nearest::nearest;
use crate::error::Error;

/// An error about a part of a field, which it names by its place in that field.
pub(super) fn inside(field: &str, error: &Error) -> Error {
    let detail = |name: &str| error.detail(name).and_then(Value::as_str).unwrap_or_default();
    let part = detail("field");
    let place = match part {
        "number" => field.to_owned(),
        part if part.starts_with('[') => format!("{field}{part}"),
        part => format!("{field}.{part}"),
    };
    Error::invalid(&place, detail("value"), detail("expected"))
}

/// Reads a typed request; an error names the field, the value given and what was expected.
pub fn parse<T: DeserializeOwned>(fields: Map<String, Value>) -> Result<T, Error> {
    let mut input = Value::Object(fields);
    let mut read = serde_path_to_error::deserialize::<_, T>(&input);
    // `-0` is a whole number, which JSON keeps as a double to keep its sign.
    while let Err(error) = &read
        && let Some(value) = value_at_mut(&mut input, error.path())
        && value.as_f64().is_some_and(|double| double == 0.0 && double.is_sign_negative())
    {
        *value = 0.into();
        read = serde_path_to_error::deserialize(&input);
    }
    read.map_err(|error| {
        let path_is_whole = error.path().iter().next().is_none();
        let message = error.inner().to_string();
        // A missing or unknown field is named in the message, its path is the whole object.
        let named = message.split('`').nth(1).unwrap_or_default().to_owned();
        let field = if path_is_whole { named.clone() } else { error.path().to_string() };
        if message.starts_with("missing field") {
            let missing = if path_is_whole { field } else { format!("{field}.{named}") };
            return Error::missing(&missing);
        }
        let value = if path_is_whole { input.get(&field) } else { value_at(&input, error.path()) };
        let expected = message.rsplit_once("expected ").map_or(message.as_str(), |(_, expected)| expected);
        // Deserialisers name Rust's types; the reader is told in words.
        let expected = match expected {
            "f64" => "a number",
            "a boolean" => "true or false",
            "i64" if value.is_some_and(Value::is_u64) => "a whole number up to 9223372036854775807",
            "i64" => "a whole number",
            "u64" | "usize" => "a whole number, at least 0",
            "a map" => "a JSON object",
            "u32" => "a whole number from 0 to 4294967295",
            other if other.starts_with("struct ") => "a JSON object",
            other => other,
        };
        let error = Error::invalid(&field, value.cloned().unwrap_or_default(), expected);
        if message.starts_with("unknown field") { unknown(&error, &named, &message) } else { error }
    })
}

/// The error for a field that there is not, with the one that may have been meant; `expected` names them all.
fn unknown(error: &Error, name: &str, message: &str) -> Error {
    // The first name in the sentence is the unknown one.
    let known: Vec<&str> = message.split('`').skip(3).step_by(2).collect();
    let like = nearest(known.iter().copied(), name);
    let meant = match like {
        Some(known) => format!("did you mean {known}?"),
        None if known.is_empty() => "there are none".to_owned(),
        None => format!("there are {}", known.join(", ")),
    };
    let place = error.detail("field").and_then(Value::as_str).unwrap_or_default();
    let out = Error::new(error.kind(), format!("unknown field {place}; {meant}"));
    let details = ["field", "value", "expected"].into_iter();
    let out = details.fold(out, |out, name| out.with(name, error.detail(name).cloned().unwrap_or_default()));
    match like {
        Some(like) => out.with("nearest", like),
        None => out,
    }
}

fn value_at<'a>(input: &'a Value, path: &Path) -> Option<&'a Value> {
    path.iter().try_fold(input, |at, segment| match segment {
        Segment::Map { key } => at.get(key),
        Segment::Seq { index } => at.get(index),
        Segment::Enum { .. } | Segment::Unknown => Some(at),
    })
}

fn value_at_mut<'a>(input: &'a mut Value, path: &Path) -> Option<&'a mut Value> {
    path.iter().try_fold(input, |at, segment| match segment {
        Segment::Map { key } => at.get_mut(key),
        Segment::Seq { index } => at.get_mut(index),
        Segment::Enum { .. } | Segment::Unknown => Some(at),
    })
}
