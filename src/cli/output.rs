//! What goes to stdout and stderr, and the exit code.
//!
//! With `--json`, stdout holds one line of JSON: the reply, or `{"error": …}`. Without, stdout holds tables, and an
//! error is two lines on stderr: what happened, and what to do next.

use std::io::{self, Write};

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Map, Value, json};

use super::fit::{fitted, width, wrapped};
use super::human::{self, Times};
use quorate_runtime::core::kernel::names::is_shown;
use quorate_runtime::error::{Error, advice_of};

/// Longest text of a table cell, in characters; what is longer is cut, `--json` shows it whole.
pub(super) const LONGEST_CELL: usize = 72;
/// Longest text of a field that has fields itself, in characters; what is longer gets a part of its own.
const LONGEST_FIELD: usize = 80;

/// Most columns of a table that has a single row; one of more is told downwards, like a reply.
const MOST_COLUMNS: usize = 20;

/// Fields that hold what somebody brought along; shown as the JSON they are.
const OPAQUE: &[&str] = &["proposal", "subject", "question"];
/// Rows too wide for a table, known by one of their fields, and the columns shown of them; `--json` shows all.
const BRIEF: &[(&str, &[&str])] = &[
    (
        "votes_abstain",
        &[
            "proposal_id",
            "state",
            "proposal",
            "closed_at",
            "decided_by",
            "outstanding",
            "deadline",
            "votes_for",
            "votes_against",
            "votes_abstain",
            "algorithm_used",
            "duration_ms",
        ],
    ),
    ("law", &["name", "parameters", "summary"]),
    ("at_ms", &["position", "at", "kind", "entity_id", "event", "data", "identity", "seq", "refused"]),
    ("sentence", &["entity_id", "seq", "at", "sentence"]),
    (
        "voter_reason",
        &[
            "seq",
            "voter_id",
            "vote",
            "weight",
            "cast_at",
            "counted",
            "confidence",
            "superseded",
            "refused",
            "reason",
            "metadata",
            "voter_reason",
        ],
    ),
    (
        "outstanding_count",
        &[
            "quorum_id",
            "kind",
            "id",
            "state",
            "question",
            "subject",
            "deadline",
            "in_place_of",
            "reminded",
            "answer_schema",
            "outstanding",
            "voted",
            "asked",
            "approve_votes",
            "required_votes",
            "reject_votes",
            "closed_at",
        ],
    ),
    ("quorum_type", &["quorum_id", "state", "closed_at", "result", "decided_by", "cell_id", "subject"]),
];

/// Why a command ends early.
#[derive(Debug)]
pub(super) enum Stop {
    /// It failed.
    Failed(Error),
    /// Its output cannot be written.
    Output(io::Error),
    /// A signal asked it to stop.
    Interrupted,
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Stop::Failed(error)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Stop::Output(error)
    }
}

/// How a command speaks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output {
    json: bool,
    utc: bool,
}

impl Output {
    /// For machines when `json`, else for people, who are told instants in their own zone or in UTC.
    pub(super) fn new(json: bool, utc: bool) -> Self {
        Output { json, utc }
    }

    /// True when stdout is for machines.
    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// Writes text to stdout as it is.
    pub(super) fn text(&self, text: &str) -> Result<(), Stop> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        Ok(out.flush()?)
    }

    /// Writes lines to stderr, every character of them to be seen.
    pub(super) fn complain(&self, text: &str) -> Result<(), Stop> {
        let lines: Vec<String> = text.split('\n').map(visible).collect();
        Ok(io::stderr().lock().write_all(lines.join("\n").as_bytes())?)
    }

    /// Writes a reply: one line of JSON, or tables.
    pub(super) fn reply(&self, reply: &Value) -> Result<(), Stop> {
        if self.json {
            return self.text(&format!("{reply}\n"));
        }
        let times = Times { now: human::now(), utc: self.utc };
        self.text(&tables(&times.in_words(reply)))
    }

    /// Says why a command ended and returns its exit code.
    pub(super) fn stop(&self, stop: &Stop) -> u8 {
        match stop {
            Stop::Failed(error) => {
                // When not even this can be written, the exit code still says it.
                let _ = if self.json {
                    self.text(&format!("{}\n", json!({ "error": error.to_json() })))
                } else {
                    self.complain(&format!(
                        "error: {}\nnext: {}\n",
                        visible(error.message()),
                        advice_of(error)
                    ))
                };
                error.kind().entry().exit
            }
            // Whoever read the output has seen enough.
            Stop::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => 1,
            Stop::Output(error) => {
                let _ = self.complain(&format!("error: the output cannot be written. cause={error}\n"));
                1
            }
            // 128 and the number of SIGINT, as shells have it.
            Stop::Interrupted => 130,
        }
    }
}

/// A table without lines, so that it reads well and can be cut into columns by other tools.
pub(super) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    shown(Table::new(), header, rows)
}

/// The same for reading alone: texts are broken so that no line is wider.
pub(super) fn narrow_table(
    width: u16,
    header: &[&str],
    rows: impl IntoIterator<Item = Vec<String>>,
) -> String {
    let mut table = Table::new();
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    shown(table, header, rows)
}

fn shown(mut table: Table, header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    table.load_style(presets::NOTHING);
    if !header.is_empty() {
        table.set_header(header.iter().map(|name| visible(name).to_uppercase()));
    }
    table.add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n") + "\n"
}

/// A reply as tables: its plain fields first, then what has rows or many fields, each under its name.
fn tables(reply: &Value) -> String {
    let Value::Object(fields) = reply else { return cell(reply, usize::MAX) + "\n" };
    let (parts, plain): (Vec<_>, Vec<_>) = fields.iter().partition(|(name, value)| is_part(name, value));
    let indent = plain.iter().map(|(name, _)| visible(name).chars().count() + 2).max().unwrap_or_default();
    let pair = |(name, value): (&String, &Value)| {
        vec![visible(name), wrapped(&field(name, value, usize::MAX), width().saturating_sub(indent))]
    };
    let mut out = table(&[], plain.into_iter().map(pair));
    for (name, value) in parts {
        out.push_str(&format!("\n{}\n", visible(name)));
        out.push_str(&match value {
            // One row of very many columns reads better downwards.
            Value::Array(items) if items.len() == 1 && items[0].as_object().is_some_and(is_long) => {
                tables(&items[0])
            }
            Value::Array(items) => list(&items.iter().filter_map(Value::as_object).collect::<Vec<_>>(), None),
            Value::Object(rows) if rows.values().all(Value::is_object) => {
                let names: Vec<&str> = rows.keys().map(String::as_str).collect();
                list(&rows.values().filter_map(Value::as_object).collect::<Vec<_>>(), Some(&names))
            }
            other => tables(other),
        });
    }
    out
}

/// Does the field get a part of its own: rows, named rows, or more fields than a line holds?
fn is_part(name: &str, value: &Value) -> bool {
    match value {
        _ if OPAQUE.contains(&name) || is_empty(value) || rule(value).is_some() => false,
        Value::Array(items) => items.iter().any(Value::is_object),
        Value::Object(fields) => {
            fields.values().all(Value::is_object) || flat(value).chars().count() > LONGEST_FIELD
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn is_long(row: &Map<String, Value>) -> bool {
    let brief = BRIEF.iter().any(|(known_by, _)| row.contains_key(*known_by));
    !brief && row.values().filter(|value| !is_empty(value)).count() > MOST_COLUMNS
}

/// How much of a field is shown in a cell when so much is let in. A name is of no use in part, and a sentence stands in the
/// last column and is read to its end.
pub(super) fn longest(name: &str, most: usize) -> usize {
    let is_whole = name == "sentence" || name == "id" || name == "name" || name.ends_with("_id");
    if is_whole { usize::MAX } else { most }
}

/// Is it a digest of something? It proves much and tells nothing, so people are not shown it in a table.
fn is_digest(name: &str) -> bool {
    name == "hash" || name.ends_with("_hash") || name.ends_with("_digest")
}

/// Does a column say the same of every row, which is what goes without saying? Then the others have its room.
fn is_dull(name: &str, rows: &[&Map<String, Value>]) -> bool {
    let all = |is: fn(&Value) -> bool| rows.iter().filter_map(|row| row.get(name)).all(is);
    match name {
        "superseded" | "refused" => all(|value| *value == Value::Bool(false)),
        "confidence" => all(|value| value.as_f64() == Some(1.0)),
        _ => false,
    }
}

/// Rows as a table, with their names in front when they have some; columns in which no row holds anything are left
/// out.
fn list(rows: &[&Map<String, Value>], names: Option<&[&str]>) -> String {
    let brief = BRIEF.iter().find(|(known_by, _)| rows.iter().any(|row| row.contains_key(*known_by)));
    let mut columns: Vec<&str> = Vec::new();
    for row in rows {
        for (name, value) in *row {
            if is_dull(name, rows) {
                continue;
            }
            let is_shown = brief.map_or(!is_digest(name), |(_, columns)| columns.contains(&name.as_str()));
            if is_shown && !is_empty(value) && !columns.contains(&name.as_str()) {
                columns.push(name);
            }
        }
    }
    if let Some((_, order)) = brief {
        columns.sort_by_key(|name| order.iter().position(|other| other == name));
    }
    fitted(&columns, rows, names, width())
}

/// The value of a field of this name as text.
pub(super) fn field(name: &str, value: &Value, longest: usize) -> String {
    match value {
        Value::Object(_) | Value::Array(_) if OPAQUE.contains(&name) => {
            cell(&Value::String(value.to_string()), longest)
        }
        _ => cell(value, longest),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.values().all(is_empty),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// One value as text: never empty, every character to be seen, cut when it is too long.
pub(super) fn cell(value: &Value, longest: usize) -> String {
    if is_empty(value) {
        return "-".into();
    }
    let shown = shortened(&flat(value), longest);
    if shown.is_empty() { "\"\"".into() } else { shown }
}

/// A text whose every character is to be seen, cut when it is too long.
pub(super) fn shortened(text: &str, longest: usize) -> String {
    let text = visible(text);
    let mut shown: String = text.chars().take(longest).collect();
    if text.chars().nth(longest).is_some() {
        shown.pop();
        shown.push('…');
    }
    shown
}

/// A text in which control characters, and characters that are not seen or move others about, stand by their numbers:
/// what somebody sent does not steer the terminal, and two texts that differ look different.
pub(super) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_shown(c) { shown.push(c) } else { shown.extend(c.escape_unicode()) }
    }
    shown
}

/// A value without brackets where it can be read without: `a, b` for a list, `name=value` for what has fields, rules
/// as `name(parameter=value)`.
fn flat(value: &Value) -> String {
    if let Some(rule) = rule(value) {
        return rule;
    }
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_f64() => decimal(number.as_f64().unwrap_or_default()),
        Value::Array(items) if items.iter().all(|item| !item.is_array() && !item.is_object()) => {
            items.iter().map(flat).collect::<Vec<_>>().join(", ")
        }
        // What has a name is told by its name; the rest of it is for machines.
        Value::Array(items) if items.iter().all(|item| item["name"].is_string()) => {
            items.iter().map(|item| flat(&item["name"])).collect::<Vec<_>>().join(", ")
        }
        Value::Object(fields) => {
            let filled = fields.iter().filter(|(_, value)| !is_empty(value));
            let pair = |(name, value): (&String, &Value)| match value {
                Value::Object(_) => format!("{name}=({})", flat(value)),
                other => format!("{name}={}", flat(other)),
            };
            filled.map(pair).collect::<Vec<_>>().join(" ")
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => value.to_string(),
    }
}

/// A number as people write it: six places say enough, and a whole number needs none.
fn decimal(number: f64) -> String {
    if number == 0.0 {
        return "0".into();
    }
    if !(1e-6..1e15).contains(&number.abs()) {
        return number.to_string();
    }
    let text = format!("{number:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A vote rule in one line, if the value is one: `at_least(fraction=2/3)`, `veto(voters=[fr], rule=required(count=9))`.
fn rule(value: &Value) -> Option<String> {
    let fields = value.as_object()?;
    let name = fields.get("rule")?.as_str()?;
    let params = fields.get("params").and_then(Value::as_object);
    if fields.len() != 1 + usize::from(params.is_some()) {
        return None;
    }
    let param = |(name, value): (&String, &Value)| match value {
        Value::Array(items) => {
            format!("{name}=[{}]", items.iter().map(flat).collect::<Vec<_>>().join(", "))
        }
        Value::Object(_) if rule(value).is_none() => format!("{name}=({})", flat(value)),
        other => format!("{name}={}", flat(other)),
    };
    let params: Vec<String> = params.into_iter().flatten().map(param).collect();
    Some(if params.is_empty() { name.to_owned() } else { format!("{name}({})", params.join(", ")) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_becomes_its_fields_and_then_its_lists() {
        let a = json!({ "id": "a", "ok": true, "tally": { "yes": 2, "by": ["x", "y"], "no": null } });
        let shown = tables(&json!({ "total": 2, "history": [a, { "id": "b", "why": null }] }));
        let lines =
            ["total  2", "", "history", "ID  OK    TALLY", "a   true  yes=2 by=x, y", "b   -     -", ""];
        assert_eq!(shown, lines.join("\n"));
    }

    #[test]
    fn what_goes_without_saying_leaves_its_room_to_the_reasons() {
        let vote = |voter: &str, confidence: f64| {
            json!({ "seq": 1, "voter_id": voter, "vote": true, "confidence": confidence, "counted": true,
                "superseded": false, "refused": false, "voter_reason": "the tests are green" })
        };
        let shown = tables(&json!({ "votes": [vote("ann", 1.0), vote("bob", 1.0)] }));
        assert!(shown.contains("SEQ  VOTER_ID  VOTE  COUNTED  VOTER_REASON\n"), "{shown}");
        assert!(shown.contains("the tests are green") && !shown.contains("CONFIDENCE"), "{shown}");
        let shown = tables(&json!({ "votes": [vote("ann", 1.0), vote("bob", 0.5)] }));
        assert!(shown.contains("CONFIDENCE"), "{shown}");
    }

    #[test]
    fn named_rows_and_many_fields_become_parts_of_their_own() {
        let votes =
            json!({ "ann": { "vote": "for", "weight": 2.5 }, "bob": { "vote": "abstain", "weight": null } });
        let shown =
            tables(&json!({ "rate": 0.666_666_666_7, "proposal": { "x": 1 }, "none": {}, "votes": votes,
            "health": { "healthy": 1, "failed": 0 } }));
        let lines = [
            "rate      0.666667",
            "proposal  {\"x\":1}",
            "none      -",
            "health    healthy=1 failed=0",
            "",
            "votes",
            "NAME  VOTE     WEIGHT",
            "ann   for      2.5",
            "bob   abstain  -",
            "",
        ];
        assert_eq!(shown, lines.join("\n"));
    }

    #[test]
    fn a_single_row_of_many_columns_is_told_downwards() {
        let row = |columns: usize| (0..columns).map(|n| (n.to_string(), json!(n))).collect::<Map<_, _>>();
        let lines = |rows: &[Map<String, Value>]| tables(&json!({ "rows": rows })).lines().count();
        assert_eq!(lines(&[row(MOST_COLUMNS)]), 5);
        assert_eq!(lines(&[row(MOST_COLUMNS + 1)]), 3 + MOST_COLUMNS + 1);
        assert_eq!(lines(&[row(MOST_COLUMNS + 1), row(MOST_COLUMNS + 1)]), 6);
    }

    #[test]
    fn rules_and_numbers_are_written_for_people() {
        let inner = json!({ "rule": "required", "params": { "count": 9 } });
        let veto = json!({ "rule": "veto", "params": { "voters": ["fr", "uk"], "rule": inner } });
        assert_eq!(flat(&veto), "veto(voters=[fr, uk], rule=required(count=9))");
        assert_eq!(flat(&json!({ "rule": "unanimous", "params": {} })), "unanimous");
        let numbers = json!([0.0, -0.0, 2.0, 101.72, -0.25, 1e-9, 7]);
        assert_eq!(flat(&numbers), "0, 0, 2, 101.72, -0.25, 0.000000001, 7");
    }

    #[test]
    fn a_cell_is_cut_and_never_controls_the_terminal() {
        assert_eq!(cell(&json!("\u{1b}[2Jx"), 20), "\\u{1b}[2Jx");
        assert_eq!(cell(&json!("yes\u{202e}on"), 20), "yes\\u{202e}on");
        assert_eq!(cell(&json!("a\u{200b}"), 20), "a\\u{200b}");
        let named = tables(&json!({ "totals": { "a\u{9b}1m": 1 } }));
        assert_eq!(named, "totals  a\\u{9b}1m=1\n");
        assert_eq!(cell(&json!("äbcd"), 3), "äb…");
        assert_eq!(cell(&json!(["a", "b"]), 9), "a, b");
    }
}
