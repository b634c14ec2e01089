//! What an error tells of what was given: as it was written, and never all of a large input.

use serde_json::{Number, Value};

/// A name or sentence that quotes the input is cut in its middle: what was expected stands at its end.
pub(super) fn clip_text(text: &str) -> String {
    if text.len() <= 1_000 {
        return text.to_owned();
    }
    let head: String = text.chars().take(100).collect();
    let tail = text.char_indices().rev().nth(599).map_or(text, |(at, _)| text.get(at..).unwrap_or_default());
    format!("{head}… ({} bytes) …{tail}", text.len())
}

/// Long texts are cut, so that an error never carries a large input back.
pub(super) fn clip(value: Value) -> Value {
    match value {
        Value::String(text) if text.len() > 200 => {
            let head: String = text.chars().take(100).collect();
            format!("{head}… ({} bytes)", text.len()).into()
        }
        Value::Array(items) if items.len() <= 10 && items.iter().all(is_short) => {
            Value::Array(items.into_iter().map(clip).collect())
        }
        Value::Array(_) | Value::Object(_) => "a list or object".into(),
        other => other,
    }
}

/// Can it stand in a list that is told as it was given?
fn is_short(item: &Value) -> bool {
    match item {
        Value::String(text) => text.len() <= 64,
        Value::Number(_) | Value::Bool(_) | Value::Null => true,
        Value::Array(_) | Value::Object(_) => false,
    }
}

/// A whole number in digits, also where it is kept as a double: nobody wrote `-1.0` or `9.223372036854776e18` for it. Where
/// a whole number is asked for, it was written otherwise, and is told so.
pub(super) fn as_written(value: Value, expected: &str) -> Value {
    let number = match value {
        Value::Number(number) if !expected.starts_with("a whole number") => number,
        other => return other,
    };
    let double = number.as_f64().filter(|double| number.is_f64() && double.fract() == 0.0);
    let whole = double.and_then(|double| format!("{double:.0}").parse::<i128>().ok());
    let in_digits = whole.and_then(|whole| {
        let positive = u64::try_from(whole).map(Number::from);
        positive.or_else(|_| i64::try_from(whole).map(Number::from)).ok()
    });
    Value::Number(in_digits.unwrap_or(number))
}
