//! Times and durations as people read and write them. What machines read is left as it is.

use std::time::Duration;

use chrono::{DateTime, Local, SecondsFormat, Utc};
use serde_json::{Map, Value};

use quorate_runtime::core::kernel::time::Timestamp;
use quorate_runtime::shell::clock::Clock;

/// Fields that hold what somebody brought along; nothing in them is rewritten.
const OPAQUE: &[&str] = &["proposal", "subject", "question", "metadata", "message", "context", "data"];
/// Fields of rows that say exactly when.
const EXACT: &[&str] = &["at", "began_at", "opened_at", "closed_at", "started_at", "granted_at"];
/// Fields that say when something ended.
const ENDED: [&str; 2] = ["closed_at", "ended_at"];
/// Numbers that are spans, and how many milliseconds one of them is.
const SPANS: &[(&str, f64)] = &[
    ("left_ms", 1.0),
    ("for_ms", 1.0),
    ("lease_ms", 1.0),
    ("age_seconds", 1_000.0),
    ("left_seconds", 1_000.0),
];

/// The wall clock now.
pub(super) fn now() -> Timestamp {
    Clock::system(Timestamp::EPOCH, None).now()
}

/// How instants are told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// The instant from which the others are seen.
    pub(super) now: Timestamp,
    /// In UTC, not in the zone of this machine.
    pub(super) utc: bool,
}

impl Times {
    /// A reply with its instants and spans as people read them.
    pub(super) fn in_words(&self, reply: &Value) -> Value {
        match reply {
            // The fields of a reply are no rows, whatever they hold.
            Value::Object(fields) => {
                let field = |(name, value): (&String, &Value)| {
                    let told = match past_deadline(fields, name, value) {
                        Some(deadline) => self.exact(deadline).into(),
                        None => self.field(name, value, false),
                    };
                    (name.clone(), told)
                };
                Value::Object(fields.iter().map(field).collect::<Map<_, _>>())
            }
            other => self.words(other, false),
        }
    }

    fn words(&self, value: &Value, in_row: bool) -> Value {
        match value {
            Value::Object(fields) => {
                // Named rows are rows too.
                let rows = !fields.is_empty() && fields.values().all(Value::is_object);
                let field = |(name, value): (&String, &Value)| {
                    let told = match past_deadline(fields, name, value) {
                        // When it would have ended is of no use in a row.
                        Some(_) if in_row || rows => Value::Null,
                        _ => self.field(name, value, in_row || rows),
                    };
                    (name.clone(), told)
                };
                Value::Object(fields.iter().map(field).collect::<Map<_, _>>())
            }
            Value::Array(items) => items.iter().map(|item| self.words(item, true)).collect(),
            other => other.clone(),
        }
    }

    fn field(&self, name: &str, value: &Value, in_row: bool) -> Value {
        if OPAQUE.contains(&name) {
            return value.clone();
        }
        let span = SPANS.iter().find(|(of, _)| *of == name).zip(value.as_f64());
        if let Some(((_, unit), number)) = span {
            return span_of(Duration::from_secs_f64((number * unit / 1_000.0).max(0.0))).into();
        }
        match value.as_str().and_then(instant) {
            Some(at) if name == "now" => self.exact(at).into(),
            Some(at) if !in_row => format!("{} ({})", self.exact(at), self.distance(at)).into(),
            Some(at) if EXACT.contains(&name) => self.exact(at).into(),
            Some(at) => self.distance(at).into(),
            None => self.words(value, in_row),
        }
    }

    /// The date and the time of day.
    fn exact(&self, at: Timestamp) -> String {
        let Some(utc) = DateTime::<Utc>::from_timestamp_micros(at.as_micros()) else { return at.to_string() };
        match self.utc {
            true => utc.format("%Y-%m-%d %H:%M:%SZ").to_string(),
            false => utc.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S").to_string(),
        }
    }

    /// How long ago, or how long still.
    fn distance(&self, at: Timestamp) -> String {
        if at > self.now {
            format!("in {}", span_of(at.since(self.now)))
        } else {
            format!("{} ago", span_of(self.now.since(at)))
        }
    }
}

/// The deadline of what has ended: nobody waits for it any more.
fn past_deadline(fields: &Map<String, Value>, name: &str, value: &Value) -> Option<Timestamp> {
    let ended = || ENDED.iter().any(|end| fields.get(*end).is_some_and(|at| !at.is_null()));
    (name == "deadline" && ended()).then(|| instant(value.as_str()?)).flatten()
}

/// The heading of a column: a span stands in its own units, whatever those of its field are.
pub(super) fn heading(name: &str) -> &str {
    let is_span = SPANS.iter().any(|(of, _)| *of == name);
    let bare = || name.strip_suffix("_ms").or_else(|| name.strip_suffix("_seconds"));
    is_span.then(bare).flatten().unwrap_or(name)
}

/// A span in its two largest units.
pub(super) fn span_of(span: Duration) -> String {
    const UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];
    let seconds = span.as_secs();
    let Some(largest) = UNITS.iter().position(|(_, unit)| seconds >= *unit) else {
        return format!("{}ms", span.as_millis());
    };
    let (name, unit) = UNITS[largest];
    let rest = UNITS.get(largest + 1).map(|(name, part)| (name, seconds % unit / part));
    match rest {
        Some((next, part)) if part > 0 => format!("{}{name} {part}{next}", seconds / unit),
        _ => format!("{}{name}", seconds / unit),
    }
}

/// The instant that a text of a reply is, written as replies write them.
fn instant(text: &str) -> Option<Timestamp> {
    let is_one = text.len() >= 20 && text.ends_with('Z') && text.as_bytes().get(10) == Some(&b'T');
    if is_one { Timestamp::parse(text).ok() } else { None }
}

/// A span as people write it, such as `90s`, `10m` or `2h30m`; none for a plain number, and for what is none.
pub(super) fn span(text: &str) -> Option<Duration> {
    text.chars().any(char::is_alphabetic).then(|| humantime::parse_duration(text).ok()).flatten()
}

/// A number of these units as a request takes it, from a span.
pub(super) fn in_units(field: &str, text: &str) -> Option<Value> {
    if field.ends_with("_ms") {
        return Some(u64::try_from(span(text)?.as_millis()).ok()?.into());
    }
    field.ends_with("_seconds").then(|| span(text)).flatten().map(|span| span.as_secs_f64().into())
}

/// An instant as a request takes it, from a distance to now: ago, or for a deadline from now on.
pub(super) fn instant_from(field: &str, text: &str, now: Timestamp) -> Option<String> {
    let (ago, text) = match text.strip_suffix("ago") {
        Some(text) => (true, text.trim_end()),
        None => (field != "deadline", text),
    };
    let span = span(text)?;
    let at = if ago { now.minus(span) } else { now.plus(span) };
    let utc = DateTime::<Utc>::from_timestamp_micros(at.as_micros())?;
    Some(utc.to_rfc3339_opts(SecondsFormat::Micros, true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn spans_are_told_in_their_two_largest_units() {
        let told = [
            (0, "0ms"),
            (999, "999ms"),
            (1_000, "1s"),
            (90_000, "1m 30s"),
            (3_600_000, "1h"),
            (9_000_000, "2h 30m"),
            (90_061_000, "1d 1h"),
            (86_400_000 * 400, "400d"),
        ];
        for (ms, expected) in told {
            assert_eq!(span_of(Duration::from_millis(ms)), expected);
        }
    }

    #[test]
    fn spans_and_distances_are_read_as_people_write_them() {
        assert_eq!(in_units("timeout_ms", "2h30m"), Some(json!(9_000_000)));
        assert_eq!(in_units("timeout_seconds", "90s"), Some(json!(90.0)));
        assert_eq!(in_units("timeout_ms", "500ms"), Some(json!(500)));
        for (field, text) in
            [("timeout_ms", "90"), ("limit", "90s"), ("timeout_ms", "soon"), ("wait_ms", "-1s")]
        {
            assert_eq!(in_units(field, text), None, "{field} {text}");
        }
        let now = Timestamp::from_millis(86_400_000);
        assert_eq!(instant_from("since", "10m", now).unwrap(), "1970-01-01T23:50:00.000000Z");
        assert_eq!(instant_from("until", "1d ago", now).unwrap(), "1970-01-01T00:00:00.000000Z");
        assert_eq!(instant_from("deadline", "2days", now).unwrap(), "1970-01-04T00:00:00.000000Z");
        assert_eq!(instant_from("since", "1970-01-01", now), None);
    }

    #[test]
    fn instants_are_told_by_their_distance_and_what_was_brought_along_is_left_alone() {
        let times = Times { now: Timestamp::from_millis(60_000), utc: true };
        let at = "1970-01-01T00:00:30Z";
        let reply = json!({
            "opened_at": at, "proposal": { "at": at }, "left_ms": 90_000,
            "rows": [{ "deadline": "1970-01-01T00:02:00Z", "at": at, "seen": at, "left_seconds": 1.5 }],
        });
        let told = json!({
            "opened_at": "1970-01-01 00:00:30Z (30s ago)", "proposal": { "at": at }, "left_ms": "1m 30s",
            "rows": [{ "deadline": "in 1m", "at": "1970-01-01 00:00:30Z", "seen": "30s ago", "left_seconds": "1s" }],
        });
        assert_eq!(times.in_words(&reply), told);
    }

    #[test]
    fn what_has_ended_has_no_time_left() {
        let times = Times { now: Timestamp::from_millis(60_000), utc: true };
        let (closed, deadline) = ("1970-01-01T00:00:30Z", "1970-01-01T00:02:00Z");
        let ended = json!({ "closed_at": closed, "deadline": deadline });
        let open = json!({ "closed_at": null, "deadline": deadline });
        let told = times.in_words(&json!({ "rows": [ended, open] }));
        let deadlines: Vec<&Value> =
            told["rows"].as_array().unwrap().iter().map(|row| &row["deadline"]).collect();
        assert_eq!(deadlines, [&Value::Null, &json!("in 1m")]);
        assert_eq!(times.in_words(&ended)["deadline"], "1970-01-01 00:02:00Z");
        assert_eq!(
            (heading("left_ms"), heading("age_seconds"), heading("duration_ms")),
            ("left", "age", "duration_ms")
        );
    }
}
