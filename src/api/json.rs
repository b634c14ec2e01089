//! JSON from outside. Every number in it is kept as it is written, or refused: what is shown to voters, and what the
//! digest of a payload is made of, is what the caller wrote.
//!
//! A whole number is kept when it is one of 64 bits, signed or not. Any other number becomes a double, and is kept when
//! the shortest decimal of that double has the value of the text: `0.1`, `1.50` and `1e3` are, `0.1` followed by thirty
//! digits, `9007199254740993.0` and `1e999` are not. Whoever needs more writes a text.
//!
//! An object names each of its members once. There is no telling which of two was meant, so both are refused.

use std::borrow::Cow;
use std::ops::Range;

use serde::de::IgnoredAny;
use serde_json::{Map, Number, Value};

use crate::error::{Error, ErrorKind};

/// What a number must be to be kept.
const EXACT: &str = "a number that is kept exactly: whole from -9223372036854775808 to 18446744073709551615, or a \
                     decimal of at most 17 digits; anything else as a text";
/// What a number in a payload must be to be sure that nothing was lost on its way here.
const IN_PAYLOAD: &str = "numbers from -9223372036854775808 to 18446744073709551615, larger ones as text: they may have \
                          been rounded";

/// Reads JSON from a text.
///
/// ```
/// let kept = quorate_runtime::api::json::read(r#"{ "cents": 18446744073709551615 }"#).unwrap();
/// assert_eq!(kept["cents"], u64::MAX);
/// let refused = quorate_runtime::api::json::read(r#"{ "to": [{ "cents": 18446744073709551616 }] }"#).unwrap_err();
/// assert_eq!(refused.detail("field").unwrap(), "to[0].cents");
/// ```
///
/// # Errors
/// `malformed_request` when it is not JSON; `invalid_argument` naming the number that cannot be kept exactly, or the
/// member that is given twice.
pub fn read(text: &str) -> Result<Value, Error> {
    let malformed = |e: serde_json::Error| {
        Error::new(ErrorKind::MalformedRequest, format!("the text is not JSON. cause={e}"))
    };
    serde_json::from_str::<IgnoredAny>(text).map_err(malformed)?;
    check(text)?;
    serde_json::from_str(text).map_err(malformed)
}

/// Checks the numbers of a text that is known to be JSON, and the names in its objects.
///
/// # Errors
/// `invalid_argument` naming the first number that cannot be kept exactly, or a member that is given twice.
pub fn check(text: &str) -> Result<(), Error> {
    let mut place: Vec<Place> = Vec::new();
    // The names seen in every object that is open, the innermost last.
    let mut names: Vec<Range<usize>> = Vec::new();
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                let end = end_of_string(bytes, at);
                // A text after a colon is passed over below: one that is met in an object is a name.
                if let Some(Place::Member { name, .. }) = place.last_mut() {
                    *name = at..end;
                    names.push(at..end);
                }
                at = end;
            }
            b':' => {
                at += 1;
                // The value: a text right behind the colon must not be taken for a name.
                while bytes.get(at).is_some_and(u8::is_ascii_whitespace) {
                    at += 1;
                }
                if bytes.get(at) == Some(&b'"') {
                    at = end_of_string(bytes, at);
                }
            }
            b'{' => {
                place.push(Place::Member { name: 0..0, first: names.len() });
                at += 1;
            }
            b'[' => {
                place.push(Place::Item(0));
                at += 1;
            }
            b'}' | b']' => {
                if let Some(Place::Member { first, name }) = place.last_mut() {
                    if let Some(again) = given_twice(text, names.get(*first..).unwrap_or_default()) {
                        *name = again;
                        return Err(twice(&path(text, &place)));
                    }
                    names.truncate(*first);
                }
                place.pop();
                at += 1;
            }
            b',' => {
                if let Some(Place::Item(index)) = place.last_mut() {
                    *index += 1;
                }
                at += 1;
            }
            b'-' | b'0'..=b'9' => {
                let is_part = |byte: &u8| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9');
                let length = bytes.iter().skip(at).take_while(|byte| is_part(byte)).count();
                let number = text.get(at..at + length).unwrap_or_default();
                if !is_exact(number) {
                    return Err(refused(&path(text, &place), number));
                }
                at += length;
            }
            _ => at += 1,
        }
    }
    Ok(())
}

/// The error for a number that cannot be kept.
pub(super) fn refused(field: &str, number: &str) -> Error {
    Error::invalid(if field.is_empty() { "number" } else { field }, number, EXACT)
}

/// The error for a field, or a member of one, that is given twice.
pub fn twice(field: &str) -> Error {
    Error::invalid(field, "given twice", "a field given once")
}

/// Where the text is: in an object behind a name, or in a list at an index.
enum Place {
    /// The name, quoted, and where the names of this object begin among those kept.
    Member {
        name: Range<usize>,
        first: usize,
    },
    Item(usize),
}

fn path(text: &str, place: &[Place]) -> String {
    let mut path = String::new();
    for step in place {
        match step {
            Place::Member { name, .. } => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(&unescaped(text, name));
            }
            Place::Item(index) => path.push_str(&format!("[{index}]")),
        }
    }
    path
}

/// The name that stands here in quotes. One that no text can hold is left as it is written.
fn unescaped<'t>(text: &'t str, place: &Range<usize>) -> Cow<'t, str> {
    let quoted = text.get(place.clone()).unwrap_or_default();
    let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(quoted);
    match inner.contains('\\').then(|| serde_json::from_str(quoted)) {
        Some(Ok(name)) => Cow::Owned(name),
        Some(Err(_)) | None => Cow::Borrowed(inner),
    }
}

/// A name of one object that was there before, however it is written.
fn given_twice(text: &str, names: &[Range<usize>]) -> Option<Range<usize>> {
    let mut sorted: Vec<(Cow<'_, str>, &Range<usize>)> =
        names.iter().map(|name| (unescaped(text, name), name)).collect();
    sorted.sort_by(|left, right| left.0.cmp(&right.0));
    let pairs = sorted.iter().zip(sorted.iter().skip(1));
    pairs.filter(|(one, next)| one.0 == next.0).map(|(_, next)| next.1.clone()).min_by_key(|name| name.start)
}

/// The place behind the text that begins here.
fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    at
}

/// Is a JSON number of this text kept with its value?
pub(super) fn is_exact(text: &str) -> bool {
    let Ok(kept) = text.parse::<Number>() else { return false };
    if kept.is_i64() || kept.is_u64() {
        return true;
    }
    let is_whole = !text.contains(['.', 'e', 'E']) && text != "-0";
    !is_whole && decimal(text) == decimal(&kept.to_string())
}

/// The digits of a number without zeros at their ends, and the power of ten of the last of them; the sign of zero does
/// not count.
fn decimal(text: &str) -> Option<(bool, String, i64)> {
    let (is_negative, text) = text.strip_prefix('-').map_or((false, text), |text| (true, text));
    let (number, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, places) = number.split_once('.').unwrap_or((number, ""));
    let all = format!("{whole}{places}");
    let digits = all.trim_start_matches('0').trim_end_matches('0');
    if digits.is_empty() {
        return Some((false, String::new(), 0));
    }
    let exponent: i64 = exponent.parse().ok()?;
    let dropped = all.len() - all.trim_end_matches('0').len();
    let power =
        exponent.checked_sub(i64::try_from(places.len()).ok()?)?.checked_add(i64::try_from(dropped).ok()?)?;
    Some((is_negative, digits.to_owned(), power))
}

/// Checks the numbers of a payload that came as a value: where a program has parsed it, a whole number beyond 64 bits
/// may have become a double on the way.
///
/// # Errors
/// `invalid_argument` naming the place of the number.
pub(super) fn check_payload(field: &str, payload: &Value) -> Result<(), Error> {
    match payload {
        Value::Number(number) if !is_sure(number) => {
            Err(Error::invalid(field, Value::Number(number.clone()), IN_PAYLOAD))
        }
        Value::Array(items) => {
            let mut items = items.iter().enumerate();
            items.try_for_each(|(index, item)| check_payload(&format!("{field}[{index}]"), item))
        }
        Value::Object(fields) => check_members(field, fields),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

/// The same for the members of an object.
///
/// # Errors
/// As [`check_payload`].
pub(super) fn check_members(field: &str, members: &Map<String, Value>) -> Result<(), Error> {
    members.iter().try_for_each(|(name, value)| check_payload(&format!("{field}.{name}"), value))
}

fn is_sure(number: &Number) -> bool {
    const BEYOND: f64 = 18_446_744_073_709_551_616.0;
    const LOWEST: f64 = -9_223_372_036_854_775_808.0;
    let whole = number.is_i64() || number.is_u64();
    whole || number.as_f64().is_some_and(|number| (LOWEST..BEYOND).contains(&number))
}

/// Checks what a typed request would take without a word: a whole number where a double is read that is not one, which would be
/// rounded, and a list where an object is read, whose members would be taken by their places.
///
/// # Errors
/// `invalid_argument` naming the field.
pub(super) fn check_shapes(
    schema: impl FnOnce() -> &'static Value,
    fields: &Map<String, Value>,
) -> Result<(), Error> {
    // Many requests hold neither, and a schema costs something.
    if !fields.values().any(needs_look) {
        return Ok(());
    }
    let root = schema();
    let mut members = fields.iter();
    members.try_for_each(|(name, value)| check_shape(root, &root["properties"][name], name, value))
}

/// Does a schema take a value of this JSON type? One that says nothing takes everything.
fn takes(root: &Value, schema: &Value, name: &str) -> bool {
    let definition = schema["$ref"].as_str().and_then(|place| root.pointer(place.strip_prefix('#')?));
    let schema = definition.unwrap_or(schema);
    let variants: Vec<&Value> =
        ["anyOf", "oneOf"].iter().filter_map(|of| schema[of].as_array()).flatten().collect();
    match &schema["type"] {
        Value::Array(types) => types.iter().any(|one| one == name),
        Value::String(one) => one == name,
        _ => variants.is_empty() || variants.iter().any(|variant| takes(root, variant, name)),
    }
}

fn check_shape(root: &Value, schema: &Value, path: &str, value: &Value) -> Result<(), Error> {
    let definition = schema["$ref"].as_str().and_then(|place| root.pointer(place.strip_prefix('#')?));
    let schema = definition.unwrap_or(schema);
    let is = |name: &str| match &schema["type"] {
        Value::Array(types) => types.iter().any(|one| one == name),
        one => one == name,
    };
    let variants = schema["anyOf"].as_array().into_iter().flatten();
    // Whether a list fits is a matter of all of them.
    let of_value = |variant: &&Value| !value.is_array() || takes(root, variant, "array");
    variants.filter(of_value).try_for_each(|variant| check_shape(root, variant, path, value))?;
    match value {
        Value::Array(_) if takes(root, schema, "object") && !takes(root, schema, "array") => {
            Err(Error::invalid(path, value.clone(), "a JSON object"))
        }
        Value::Number(number) if is("number") && is_long(number) => {
            let expected = "a number that a double is exactly; whole ones are up to 9007199254740992";
            Err(Error::invalid(path, value.clone(), expected))
        }
        Value::Array(items) => items.iter().enumerate().try_for_each(|(index, item)| {
            check_shape(root, &schema["items"], &format!("{path}[{index}]"), item)
        }),
        Value::Object(fields) => fields.iter().try_for_each(|(name, value)| {
            let own = &schema["properties"][name];
            let schema = if own.is_null() { &schema["additionalProperties"] } else { own };
            check_shape(root, schema, &format!("{path}.{name}"), value)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

fn needs_look(value: &Value) -> bool {
    match value {
        Value::Number(number) => is_long(number),
        Value::Array(_) => true,
        Value::Object(fields) => fields.values().any(needs_look),
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}

/// A whole number that no double is.
fn is_long(number: &Number) -> bool {
    let whole = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
    whole.is_some_and(|whole| whole as f64 as i128 != whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_number_is_kept_with_its_value_or_refused() {
        for kept in [
            "0",
            "-0",
            "-0.0",
            "1",
            "-9223372036854775808",
            "18446744073709551615",
            "0.1",
            "1.50",
            "1e3",
            "1E+3",
            "-2.5e-3",
            "0.30000000000000004",
            "1e300",
            "5e-324",
            "100.0",
            "0e999",
            "9007199254740992.0",
        ] {
            assert!(is_exact(kept), "{kept}");
        }
        for refused in [
            "18446744073709551616",
            "-9223372036854775809",
            "20000000000000000000",
            "9007199254740993.0",
            "0.1000000000000000055511151231257827",
            "1e400",
            "-1e999",
            "1e-400",
            "0.12345678901234567890",
        ] {
            assert!(!is_exact(refused), "{refused}");
        }
    }

    #[test]
    fn the_place_of_a_number_is_named_whatever_stands_around_it() {
        let at = |text: &str| read(text).unwrap_err().detail("field").unwrap().clone();
        assert_eq!(at(r#"{"a": "1e999", "b\"": {"c": [1, "2", {"d" : 1e999}]}}"#), "b\".c[2].d");
        assert_eq!(at(r#"[[], [1, [-18446744073709551616]]]"#), "[1][1][0]");
        assert_eq!(at("1e999"), "number");
        assert_eq!(at(r#"{"a":"x\\","b":1e999}"#), "b");
        assert_eq!(read(r#"{"a":"}1e999{","b":[{}]}"#).unwrap(), json!({ "a": "}1e999{", "b": [{}] }));
        assert!(read("{").is_err());
    }

    #[test]
    fn a_member_given_twice_is_refused_by_its_place_however_it_is_written() {
        let at = |text: &str| {
            let refused = read(text).unwrap_err();
            assert_eq!(refused.detail("value").unwrap(), "given twice", "{text}");
            refused.detail("field").unwrap().as_str().unwrap().to_owned()
        };
        assert_eq!(at(r#"{"a":1,"b":2,"a":1}"#), "a");
        assert_eq!(at(r#"{"subject":{"amount":1,"amount":5}}"#), "subject.amount");
        assert_eq!(at(r#"{"list":[{"x":1},{"x":{"y":[],"y":{}}}]}"#), "list[1].x.y");
        assert_eq!(at(r#"{"a":{"b":1},"\u0061":"a"}"#), "a");
        assert_eq!(at(r#"[[{"":1, "" :2}]]"#), "[0][0].");
        assert_eq!(at(r#"{"z":1,"z":2,"y":1,"y":2}"#), "z");
        let sound = json!({ "a": { "a": "a", "b": [{ "a": 1 }, { "a": 1 }] }, "A": "b", "b": ["b", "b"] });
        assert_eq!(read(&sound.to_string()).unwrap(), sound);
        assert_eq!(check(&"[".repeat(100_000)), Ok(()));
    }

    #[test]
    fn a_payload_that_a_program_parsed_holds_no_number_that_may_have_been_rounded() {
        let parsed: Value = serde_json::from_str(r#"{"to":[{"cents":18446744073709551616}]}"#).unwrap();
        let refused = check_payload("subject", &parsed).unwrap_err();
        assert_eq!(refused.detail("field").unwrap(), "subject.to[0].cents");
        for sure in [json!(u64::MAX), json!(i64::MIN), json!(0.1), json!(1.8e19), json!(-9e18)] {
            assert_eq!(check_payload("subject", &sure), Ok(()), "{sure}");
        }
        assert!(check_payload("subject", &json!(1e300)).is_err());
    }
    #[test]
    fn what_would_be_taken_for_something_else_is_refused_where_it_stands() {
        let schema: &'static Value = Box::leak(Box::new(json!({
            "$defs": { "part": { "type": "object", "properties": { "y": { "type": ["number", "null"] } } } },
            "properties": { "x": { "anyOf": [{ "$ref": "#/$defs/part" }, { "type": "null" }] },
                "list": { "type": "array", "items": { "type": "number" } },
                "parts": { "anyOf": [{ "type": "array", "items": { "$ref": "#/$defs/part" } }, { "type": "null" }] },
                "named": { "additionalProperties": { "type": "number" } },
                "whole": { "type": "integer" }, "any": true }
        })));
        let at = |fields: Value| {
            let fields = fields.as_object().unwrap().clone();
            check_shapes(|| schema, &fields)
                .map_err(|e| e.detail("field").unwrap().as_str().unwrap().to_owned())
        };
        let long = 9_007_199_254_740_993_u64;
        assert_eq!(at(json!({ "x": { "y": long } })), Err("x.y".to_owned()));
        assert_eq!(at(json!({ "list": [1, long] })), Err("list[1]".to_owned()));
        assert_eq!(at(json!({ "named": { "a": long } })), Err("named.a".to_owned()));
        assert_eq!(at(json!({ "whole": long, "any": { "y": long }, "list": [long - 1] })), Ok(()));
        assert_eq!(at(json!({ "list": [u64::MAX] })), Err("list[0]".to_owned()));
        // A list is no object whose members have no names.
        assert_eq!(at(json!({ "x": [1] })), Err("x".to_owned()));
        assert_eq!(at(json!({ "parts": [{ "y": 1 }, [1]] })), Err("parts[1]".to_owned()));
        assert_eq!(at(json!({ "parts": [{ "y": long }] })), Err("parts[0].y".to_owned()));
        assert_eq!(at(json!({ "list": [1], "any": [1], "none": [1], "parts": [] })), Ok(()));
    }
}
