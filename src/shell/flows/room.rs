//! The memory that messages of streams take.

use std::mem::size_of;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use super::Message;
use crate::core::load::flow::FlowConfig;

/// What the map of an object takes for each of its fields, besides name and value.
const FIELD: usize = 48;

/// So much memory, given back when dropped.
#[derive(Debug)]
pub(super) struct Room {
    taken: Arc<AtomicUsize>,
    bytes: usize,
}

impl Room {
    /// Takes so much, unless it would be more than the most.
    pub(super) fn take(taken: &Arc<AtomicUsize>, bytes: usize, most: usize) -> Option<Self> {
        // Counted by the guard from here on, so that it goes back also when it is too much.
        let before = taken.fetch_add(bytes, Ordering::AcqRel);
        let room = Room { taken: taken.clone(), bytes };
        (before.saturating_add(bytes) <= most).then_some(room)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.taken.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

/// The configuration in force: no stream is without a bound in bytes.
pub(super) fn bounded(asked: &FlowConfig, most_bytes: usize) -> FlowConfig {
    let own = asked.max_buffer_bytes.unwrap_or(most_bytes);
    FlowConfig { max_buffer_bytes: Some(own.min(most_bytes)), ..asked.clone() }
}

/// About the bytes of memory a message takes; `[1,1,1]` takes far more of it than of JSON.
pub(super) fn weight(message: &Message) -> usize {
    let names = [message.sender.as_deref(), message.key.as_ref().map(|key| key.name.as_str())];
    size_of::<Message>() + names.into_iter().flatten().map(str::len).sum::<usize>() + held(&message.value)
}

/// Bytes behind a value.
fn held(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 0,
        Value::Number(number) => number.to_string().len(),
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(|item| size_of::<Value>() + held(item)).sum(),
        Value::Object(fields) => {
            let field =
                |(name, value): (&String, &Value)| name.len() + size_of::<Value>() + FIELD + held(value);
            fields.iter().map(field).sum()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_refused_takes_nothing_and_what_is_dropped_gives_back() {
        let taken = Arc::new(AtomicUsize::new(0));
        let first = Room::take(&taken, 60, 100);
        assert!(first.is_some() && Room::take(&taken, 41, 100).is_none());
        assert_eq!(taken.load(Ordering::Acquire), 60);
        let second = Room::take(&taken, 40, 100);
        assert_eq!((second.is_some(), taken.load(Ordering::Acquire)), (true, 100));
        drop((first, second));
        assert_eq!(taken.load(Ordering::Acquire), 0);
    }

    #[test]
    fn many_small_values_weigh_what_they_take_and_not_what_they_read_like() {
        let of = |value: Value| weight(&Message::new(value, 0));
        let empty = of(json!(null));
        assert!(of(json!(vec![1; 1_000])) - empty >= 1_000 * size_of::<Value>());
        assert!(of(json!("x".repeat(5_000))) - empty >= 5_000);
        assert!(of(json!({ "a": { "b": [] } })) - empty >= 2 * FIELD);
    }
}
