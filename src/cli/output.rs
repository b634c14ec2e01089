//! What goes to stdout and stderr, and the exit code.
//!
//! With `--json`, stdout holds one line of JSON: the reply, or `{"error": …}`. Without, stdout holds tables, and an
//! error is two lines on stderr: what happened, and what to do next.

use std::io::{self, Write};

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Map, Value, json};

use quorate_runtime::core::kernel::names::is_shown;
use quorate_runtime::error::{Error, ErrorKind};

/// Longest text of a table cell, in characters; what is longer is cut, `--json` shows it whole.
const LONGEST_CELL: usize = 72;
/// Longest text of a field that has fields itself, in characters; what is longer gets a part of its own.
const LONGEST_FIELD: usize = 80;

/// Most columns of a table that has a single row; one of more is told downwards, like a reply.
const MOST_COLUMNS: usize = 20;

/// Fields that hold what somebody brought along; shown as the JSON they are.
const OPAQUE: &[&str] = &["proposal", "subject"];

/// Rows too wide for a table, known by one of their fields, and the columns shown of them; `--json` shows all.
const BRIEF: &[(&str, &[&str])] = &[
    (
        "votes_abstain",
        &[
            "proposal_id",
            "state",
            "votes_for",
            "votes_against",
            "votes_abstain",
            "algorithm_used",
            "decided_by",
            "duration_ms",
            "deadline",
            "proposal",
        ],
    ),
    ("law", &["name", "parameters", "summary"]),
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

    /// Writes lines to stderr, every character of them to be seen.
    pub(super) fn complain(&self, text: &str) -> Result<(), Stop> {
        let lines: Vec<String> = text.split('\n').map(visible).collect();
        Ok(io::stderr().lock().write_all(lines.join("\n").as_bytes())?)
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
                    self.complain(&format!(
                        "error: {}\nnext: {}\n",
                        visible(error.message()),
                        advice(error.kind())
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

/// What to do about an error.
fn advice(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidArgument => "correct the value named above; --help lists what is allowed",
        ErrorKind::MalformedRequest => "correct the input at the place named above",
        ErrorKind::PayloadTooLarge => "send less at once",
        ErrorKind::UnknownOperation => "`quorate ops` lists every operation",
        ErrorKind::NotFound => "check the id; `quorate history query` shows what was ever recorded",
        ErrorKind::AlreadyExists => "choose another id, or ask for the status of the one that exists",
        ErrorKind::KeyReused => "use a new idempotency key; the entity named above has this one",
        ErrorKind::UnreachableRequirement => "require at most as many approvals as there are voters",
        ErrorKind::UnknownMembership => {
            "register the cells or authorities first (`quorate cell register`, `quorate cmp register`)"
        }
        ErrorKind::UnknownAlgorithm => {
            "`quorate algorithm list` shows them; `quorate algorithm register` adds one"
        }
        ErrorKind::CoordinatorError => "look at the cause, then try again; nothing was opened",
        ErrorKind::NotEligible => "vote as one of those who were asked",
        ErrorKind::ForeignHost => "use an address of the loopback in --url, or serve with --allow-host NAME",
        ErrorKind::ProofInvalid => "do not believe what it claims; ask who gave it for another",
        ErrorKind::ForeignOrigin => "ask from a program, not from a web page of elsewhere",
        ErrorKind::AlreadyVoted => "nothing; the first vote stands",
        ErrorKind::QuorumClosed | ErrorKind::QuorumTimeout => {
            "nothing; the outcome is final, and `quorate quorum status` shows it"
        }
        ErrorKind::ProposalClosed => {
            "nothing; the decision is final, and `quorate consensus result` shows it"
        }
        ErrorKind::Aborted => "look at the reason; `quorate agent list` shows who can be asked",
        ErrorKind::Expired => "ask again, with more time",
        ErrorKind::Cancelled => "nothing; ask again if it is still wanted",
        ErrorKind::NothingDone => "look at the reason; nothing changed",
        ErrorKind::NotAuthenticated => {
            "give the token of an identity with --token-file, --token or QUORATE_TOKEN; on the server's machine, `quorate identity rotate NAME --data DIR` makes a new one"
        }
        ErrorKind::NotAuthorized => "an admin may grant what is missing: `quorate identity grant`",
        ErrorKind::TokenNotFound => "`quorate history query --kind cell` shows the tokens that were granted",
        ErrorKind::NotTokenOwner => "the holder named in the message may act, or transfer the token",
        ErrorKind::TokenExpired | ErrorKind::TokenReleased | ErrorKind::TokenRevoked => {
            "request capacity again"
        }
        ErrorKind::NotRenewable => "request a renewable lease next time",
        ErrorKind::StaleToken => {
            "stop what is done under this token; `held` is in force. After a restart of the server the holder of a lease is told its new token by `quorate job renew`"
        }
        ErrorKind::UnknownToken => {
            "use the token that was granted; `quorate job status` shows the one in force"
        }
        ErrorKind::JobEnded => "nothing; `quorate job why` shows how it ended",
        ErrorKind::IllegalTransition => "`quorate job status` shows where the workflow is",
        ErrorKind::LeaseHeld => "wait until the lease ends, or take it with --force",
        ErrorKind::LeaseLost => "stop what is done under it, then take the lease again",
        ErrorKind::NoLeader => "take the job over first (`quorate job transfer`, `quorate job acquire`)",
        ErrorKind::UnknownDatacenter => "name a datacenter of the job, or of the configuration",
        ErrorKind::LimitExceeded => "wait until something ends, or raise the limit named above",
        ErrorKind::Overloaded | ErrorKind::Conflict => "try again",
        ErrorKind::Fenced => "stop this process; another one owns the journal now",
        ErrorKind::OutcomeUnknown => {
            "repeat the same command: under the same ids a repeat of what was done changes nothing"
        }
        ErrorKind::StoreError => "look at the cause, then try again; nothing took effect",
        ErrorKind::StoreLocked => {
            "stop the process that holds the folder, or ask it: it answers for the folder only if it is a server"
        }
        ErrorKind::StoreMissing => {
            "check the path; `quorate serve`, and operations that begin something (`quorum start`, `agent register`, `job submit`), make a store"
        }
        ErrorKind::StoreForeign => "choose a folder that is empty or holds a Quorate store",
        ErrorKind::StoreVersion => "use the newer version of quorate that wrote this folder",
        ErrorKind::InsufficientParticipants => {
            "register more voters (`quorate voter register`), or declare fewer faults"
        }
        ErrorKind::SessionClosed => "nothing; the outcome is final, and `quorate session result` shows it",
        ErrorKind::InvalidVote => "look at the reason; `quorate session result` shows round and hashes",
        ErrorKind::ByzantineFault => "`quorate voter state` shows why the voter is not trusted",
        ErrorKind::RateLimited => "wait a second, then try again",
        ErrorKind::NotCertifiable => "let voters register a key and sign their votes",
        ErrorKind::IntegrityViolation => {
            "do not act on it; ask for the certificate again, and from whom it came"
        }
        ErrorKind::StoreCorrupt => {
            "try `quorate recover DIR --to NEW` first: it keeps everything that verifies, in a new folder, and lists what is missing; --accept-loss opens this one, may keep less, and puts the loss on record"
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
    let pair = |(name, value): (&String, &Value)| vec![visible(name), field(name, value, usize::MAX)];
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

/// How much of a field fits into a cell. A sentence stands in the last column and is read to its end.
fn longest(name: &str) -> usize {
    if name == "sentence" { usize::MAX } else { LONGEST_CELL }
}

/// Rows as a table, with their names in front when they have some; columns in which no row holds anything are left
/// out.
fn list(rows: &[&Map<String, Value>], names: Option<&[&str]>) -> String {
    let brief = BRIEF.iter().find(|(known_by, _)| rows.iter().any(|row| row.contains_key(*known_by)));
    let mut columns: Vec<&str> = Vec::new();
    for row in rows {
        for (name, value) in *row {
            let is_shown = brief.is_none_or(|(_, columns)| columns.contains(&name.as_str()));
            if is_shown && !is_empty(value) && !columns.contains(&name.as_str()) {
                columns.push(name);
            }
        }
    }
    if let Some((_, order)) = brief {
        columns.sort_by_key(|name| order.iter().position(|other| other == name));
    }
    let line = |row: &Map<String, Value>| {
        columns
            .iter()
            .map(|name| field(name, row.get(*name).unwrap_or(&Value::Null), longest(name)))
            .collect()
    };
    match names {
        None => table(&columns, rows.iter().map(|row| line(row))),
        Some(names) => {
            let named = names.iter().zip(rows).map(|(name, row)| {
                let cells: Vec<String> = line(row);
                [vec![cell(&Value::from(*name), LONGEST_CELL)], cells].concat()
            });
            table(&[&["name"], &columns[..]].concat(), named)
        }
    }
}

/// The value of a field of this name as text.
fn field(name: &str, value: &Value, longest: usize) -> String {
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
fn cell(value: &Value, longest: usize) -> String {
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
        let row =
            |columns: usize| (0..columns).map(|n| (format!("c{n:02}"), json!(n))).collect::<Map<_, _>>();
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
