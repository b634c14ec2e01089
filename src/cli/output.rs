//! What goes to stdout and stderr, and the exit code.
//!
//! With `--json`, stdout holds one line of JSON: the reply, or `{"error": …}`. Without, stdout holds tables, and an
//! error is two lines on stderr: what happened, and what to do next.

use std::io::{self, Write};

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Map, Value, json};

use crate::error::{Error, ErrorKind};

/// Longest text of a table cell, in characters; what is longer is cut, `--json` shows it whole.
const LONGEST_CELL: usize = 72;

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
}

impl Output {
    /// For machines when `json`, else for people.
    pub(super) fn new(json: bool) -> Self {
        Output { json }
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

    /// Writes text to stderr as it is.
    pub(super) fn complain(&self, text: &str) -> Result<(), Stop> {
        Ok(io::stderr().lock().write_all(text.as_bytes())?)
    }

    /// Writes a reply: one line of JSON, or tables.
    pub(super) fn reply(&self, reply: &Value) -> Result<(), Stop> {
        if self.json { self.text(&format!("{reply}\n")) } else { self.text(&tables(reply)) }
    }

    /// Says why a command ended and returns its exit code.
    pub(super) fn stop(&self, stop: &Stop) -> u8 {
        match stop {
            Stop::Failed(error) => {
                // When not even this can be written, the exit code still says it.
                let _ = if self.json {
                    self.text(&format!("{}\n", json!({ "error": error.to_json() })))
                } else {
                    self.complain(&format!("error: {}\nnext: {}\n", error.message(), advice(error.kind())))
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

/// What to do about an error.
fn advice(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidArgument => "correct the value named above; --help lists what is allowed",
        ErrorKind::MalformedRequest => "correct the input at the place named above",
        ErrorKind::PayloadTooLarge => "send less at once",
        ErrorKind::UnknownOperation => "`quorate ops` lists every operation",
        ErrorKind::NotFound => {
            "check the id; `quorate quorum history` and `quorate history query` show what there is"
        }
        ErrorKind::AlreadyExists => "choose another id, or ask for the status of the one that exists",
        ErrorKind::UnreachableRequirement => "require at most as many approvals as there are voters",
        ErrorKind::UnknownMembership => {
            "register the cells or authorities first (`quorate cell register`, `quorate cmp register`)"
        }
        ErrorKind::UnknownAlgorithm => {
            "`quorate algorithm list` shows them; `quorate algorithm register` adds one"
        }
        ErrorKind::CoordinatorError => "look at the cause, then try again; nothing was opened",
        ErrorKind::NotEligible => "vote as one of the quorum's voters",
        ErrorKind::AlreadyVoted => "nothing; the first vote stands",
        ErrorKind::QuorumClosed | ErrorKind::QuorumTimeout => {
            "nothing; the outcome is final, and `quorate quorum status` shows it"
        }
        ErrorKind::LimitExceeded => "wait until something ends, or raise the limit named above",
        ErrorKind::Overloaded | ErrorKind::Conflict => "try again",
        ErrorKind::Fenced => "stop this process; another one owns the journal now",
        ErrorKind::OutcomeUnknown => "repeat the same command; repeats are safe",
        ErrorKind::StoreError => "look at the cause, then try again; nothing took effect",
        ErrorKind::StoreLocked => "use --url to reach the server that holds the folder, or stop it",
        ErrorKind::StoreMissing => {
            "check the path; `quorate serve`, `quorum start` and `cell register` make a store"
        }
        ErrorKind::StoreForeign => "choose a folder that is empty or holds a Quorate store",
        ErrorKind::StoreVersion => "use the newer version of quorate that wrote this folder",
        ErrorKind::StoreCorrupt => "keep a copy of the folder, then restore a backup",
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
        table.set_header(header.iter().map(|name| name.to_uppercase()));
    }
    table.add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n") + "\n"
}

/// A reply as tables: its plain fields first, then each list of objects in it.
fn tables(reply: &Value) -> String {
    let Value::Object(fields) = reply else { return cell(reply, usize::MAX) + "\n" };
    let is_list = |value: &Value| matches!(value, Value::Array(items) if items.iter().any(Value::is_object));
    let plain = fields.iter().filter(|(_, value)| !is_list(value));
    let mut out = table(&[], plain.map(|(name, value)| vec![name.clone(), cell(value, usize::MAX)]));
    for (name, value) in fields.iter().filter(|(_, value)| is_list(value)) {
        let rows: Vec<&Map<String, Value>> =
            value.as_array().into_iter().flatten().filter_map(Value::as_object).collect();
        out.push_str(&format!("\n{name}\n"));
        out.push_str(&list(&rows));
    }
    out
}

/// Rows as a table; columns in which no row holds anything are left out.
fn list(rows: &[&Map<String, Value>]) -> String {
    let mut columns: Vec<&str> = Vec::new();
    for row in rows {
        for (name, value) in *row {
            if !is_empty(value) && !columns.contains(&name.as_str()) {
                columns.push(name);
            }
        }
    }
    let line = |row: &&Map<String, Value>| {
        columns.iter().map(|name| cell(row.get(*name).unwrap_or(&Value::Null), LONGEST_CELL)).collect()
    };
    table(&columns, rows.iter().map(line))
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.values().all(is_empty),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// One value as text: never empty, without control characters, cut when it is too long.
fn cell(value: &Value, longest: usize) -> String {
    if is_empty(value) {
        return "-".into();
    }
    let shown = shortened(&flat(value), longest);
    if shown.is_empty() { "\"\"".into() } else { shown }
}

/// A text without control characters, cut when it is too long.
pub(super) fn shortened(text: &str, longest: usize) -> String {
    let visible = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let mut shown: String = text.chars().take(longest).map(visible).collect();
    if text.chars().nth(longest).is_some() {
        shown.pop();
        shown.push('…');
    }
    shown
}

/// A value without brackets where it can be read without: `a, b` for a list, `name=value` for what has fields.
fn flat(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(|item| !item.is_array() && !item.is_object()) => {
            items.iter().map(flat).collect::<Vec<_>>().join(", ")
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
    fn a_cell_is_cut_and_never_controls_the_terminal() {
        assert_eq!(cell(&json!("\u{1b}[2Jx"), 9), "\u{fffd}[2Jx");
        assert_eq!(cell(&json!("äbcd"), 3), "äb…");
        assert_eq!(cell(&json!(["a", "b"]), 9), "a, b");
    }
}
