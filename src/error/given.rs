//! What a machine was given, in the words of whoever gave it.

use serde_json::Value;

/// Fields whose values are texts, even when they look like numbers.
const TEXTS: [&str; 3] = ["rule", "algorithm", "voters"];

/// What a machine was given, which it tells as text, with the type it had.
pub(super) fn typed(field: &str, given: &str) -> Value {
    match serde_json::from_str(given) {
        Ok(value @ (Value::Number(_) | Value::Bool(_))) if !TEXTS.contains(&field) => value,
        Ok(_) | Err(_) => given.into(),
    }
}
