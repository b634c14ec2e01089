//! `quorate watch`: what is recorded, as it is recorded, a line each.
//!
//! ```text
//!  GET /api/v1/events ──lines──► reader thread ──► Said ──► one line of text, or of JSON
//!         ▲                                        │ silent for long, or cut off
//!         └──────── again, with Last-Event-ID ◄────┘
//! ```

use std::io::{self, BufRead, BufReader, IsTerminal};
use std::path::PathBuf;
use std::time::Duration;

use clap::ArgMatches;
use quorate_runtime::api::events::{FILTERS, NOT_FOLLOWED};
use quorate_runtime::api::ops::Operation;
use quorate_runtime::api::wire;
use quorate_runtime::error::{Error, ErrorKind};
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

use super::output::{Output, Stop, visible};
use super::remote::{self, Server};
use super::signals::Signals;
use super::{open, ops};

/// A server that says nothing for so long is gone: it gives a sign of life every 15 seconds.
const SILENCE: Duration = Duration::from_secs(45);
/// The first rest before another try.
const REST: Duration = Duration::from_millis(500);
/// The longest.
const LONGEST_REST: Duration = Duration::from_secs(10);
/// Lines read ahead of the terminal.
const AHEAD: usize = 64;

/// What came over the line.
enum Said {
    /// The follower stands here.
    At(String),
    /// This was recorded.
    Event(Value),
    /// This was pruned of what is followed.
    Pruned(Value),
    /// The server follows no more, for this reason.
    Failed(Error),
    /// Somebody is there.
    Alive,
}

/// Follows until a signal comes. A server that goes away is tried again, and nothing is missed or told twice.
///
/// # Errors
/// What the server answers; `no_answer` when there is none at the beginning; `Interrupted` after a signal.
pub(super) async fn run(matches: &ArgMatches, output: &Output) -> Result<u8, Stop> {
    let op = quorate_runtime::api::ops::find(FILTERS)?;
    let mut fields = ops::fields(op, &NOT_FOLLOWED, matches)?;
    let server = server(matches)?;
    let mut signals = Signals::listen()?;
    let (mut rest, mut began) = (REST, false);
    loop {
        let ended = tokio::select! {
            ended = follow(&server, op, &mut fields, output, &mut began, &mut rest) => ended?,
            () = signals.next() => return Err(Stop::Interrupted),
        };
        if !began || !ended.is_retryable() {
            return Err(Stop::Failed(ended));
        }
        output.complain(&format!("note: {}; trying again\n", ended.message()))?;
        tokio::select! {
            () = tokio::time::sleep(rest) => {}
            () = signals.next() => return Err(Stop::Interrupted),
        }
        rest = (rest * 2).min(LONGEST_REST);
    }
}

/// Where a server listens unless it is told otherwise.
const USUAL: &str = "http://127.0.0.1:7171";

/// The server to follow.
fn server(matches: &ArgMatches) -> Result<Server, Error> {
    let folder = match (matches.get_one::<String>("url"), matches.get_one::<PathBuf>("data")) {
        (Some(url), _) => return Server::at(url, matches),
        (None, Some(folder)) => folder.clone(),
        (None, None) => match ops::named_outside()? {
            Some(ops::Named::Url(url)) => return Server::at(&url, matches),
            Some(ops::Named::Data(folder)) => folder,
            None => return Server::at(USUAL, matches),
        },
    };
    if let Some((_, url)) = open::database(&folder)? {
        let expected = "a folder; the server of a database is named by --url";
        return Err(Error::invalid("data", url.to_string(), expected));
    }
    ops::owner_of(&folder).ok_or_else(|| {
        let message = format!(
            "nobody serves this folder, so nothing happens there; start `quorate serve`. data={}",
            folder.display()
        );
        Error::new(ErrorKind::NoAnswer, message)
    })
}

/// Follows over one connection. Gives why it ended, with the position reached in `fields`.
async fn follow(
    server: &Server,
    op: &'static Operation,
    fields: &mut Map<String, Value>,
    output: &Output,
    began: &mut bool,
    rest: &mut Duration,
) -> Result<Error, Stop> {
    let lost =
        |why: &str| Error::new(ErrorKind::NoAnswer, format!("the server was lost. {server}, cause={why}"));
    let mut told_of_pruned = *began;
    let (tell, mut heard) = mpsc::channel(AHEAD);
    let (from, asked) = (server.clone(), fields.clone());
    // A thread of its own, which nobody waits for: it ends with the connection, or when nobody listens any more.
    std::thread::spawn(move || {
        let said = match remote::follow(&from, op, asked) {
            Ok(body) => read(BufReader::new(body), &tell),
            Err(error) => Some(error),
        };
        if let Some(error) = said {
            let _ = tell.blocking_send(Said::Failed(error));
        }
    });
    loop {
        let said = match tokio::time::timeout(SILENCE, heard.recv()).await {
            Ok(Some(said)) => said,
            Ok(None) => return Ok(lost("the connection was closed")),
            Err(_) => return Ok(lost("it says nothing")),
        };
        if !matches!(said, Said::Failed(_)) {
            (*began, *rest) = (true, REST);
        }
        match said {
            Said::At(position) => {
                fields.insert("cursor".into(), position.into());
            }
            Said::Event(event) if output.is_json() => output.text(&format!("{event}\n"))?,
            Said::Event(event) => output.text(&line(&event, io::stdout().is_terminal()))?,
            // Once: who comes again after a cut was told.
            Said::Pruned(spans) if !told_of_pruned => {
                told_of_pruned = true;
                match output.is_json() {
                    true => output.text(&format!("{}\n", json!({ "pruned": spans })))?,
                    false => output.complain(&gap(&spans))?,
                }
            }
            Said::Pruned(_) => {}
            Said::Failed(error) => return Ok(error),
            Said::Alive => {}
        }
    }
}

/// Reads server-sent events to their end. Gives what went wrong, unless nobody listens any more.
fn read(body: impl BufRead, tell: &mpsc::Sender<Said>) -> Option<Error> {
    let (mut id, mut name, mut data) = (None, String::new(), String::new());
    let foreign = |e: serde_json::Error| {
        Error::new(ErrorKind::NoAnswer, format!("the server's events cannot be read. cause={e}"))
    };
    for text in body.lines() {
        let text = match text {
            Ok(text) => text,
            Err(e) => {
                return Some(Error::new(ErrorKind::NoAnswer, format!("the connection broke. cause={e}")));
            }
        };
        let (field, value) = text.split_once(':').unwrap_or((&text, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => id = Some(value.to_owned()),
            "event" => value.clone_into(&mut name),
            "data" => data.push_str(value),
            "" if text.is_empty() => {
                let told = match (std::mem::take(&mut name).as_str(), std::mem::take(&mut data)) {
                    (_, none) if none.is_empty() => Said::Alive,
                    ("failure", data) => match serde_json::from_str(&data) {
                        Ok(error) => Said::Failed(wire::error_of(error)),
                        Err(e) => return Some(foreign(e)),
                    },
                    ("pruned", data) => match serde_json::from_str(&data) {
                        Ok(spans) => Said::Pruned(spans),
                        Err(e) => return Some(foreign(e)),
                    },
                    (_, data) => match serde_json::from_str(&data) {
                        Ok(event) => Said::Event(event),
                        Err(e) => return Some(foreign(e)),
                    },
                };
                // The position counts once the event before it was handed on.
                let said = [Some(told), id.take().map(Said::At)];
                if said.into_iter().flatten().any(|said| tell.blocking_send(said).is_err()) {
                    return None;
                }
            }
            _ => {}
        }
    }
    None
}

/// What was pruned, for people.
fn gap(spans: &Value) -> String {
    let lines = spans.as_array().into_iter().flatten().map(|span| {
        let number = |field: &str| span[field].as_u64().unwrap_or_default();
        format!(
            "note: {} records between positions {} and {} were pruned and are not told. pruning={}\n",
            number("records"),
            number("from_position"),
            number("upto_position"),
            number("pruning")
        )
    });
    lines.collect()
}

/// An event for people: when, what of which entity, and what is recorded about it.
fn line(event: &Value, color: bool) -> String {
    let text =
        |value: &Value| visible(value.as_str().map_or_else(|| value.to_string(), str::to_owned).as_str());
    let mut data = String::new();
    for (name, value) in event["data"].as_object().into_iter().flatten().filter(|(_, value)| !value.is_null())
    {
        data.push_str(&format!(" {}={}", visible(name), text(value)));
    }
    if event["refused"] == true {
        data.push_str(" (refused)");
    }
    let [at, kind, id, what] = ["at", "kind", "entity_id", "event"].map(|field| text(&event[field]));
    if color {
        format!("\u{1b}[2m{at}\u{1b}[0m {kind} \u{1b}[36m{id}\u{1b}[0m \u{1b}[1m{what}\u{1b}[0m{data}\n")
    } else {
        format!("{at} {kind} {id} {what}{data}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// What is made of these bytes, with the error at the end.
    fn heard(bytes: &str) -> (Vec<String>, Option<Error>) {
        let (tell, mut heard) = mpsc::channel(100);
        let ended = read(bytes.as_bytes(), &tell);
        let mut all = Vec::new();
        while let Ok(said) = heard.try_recv() {
            all.push(match said {
                Said::At(position) => format!("at {position}"),
                Said::Event(event) => event.to_string(),
                Said::Failed(error) => format!("failed {}", error.kind().name()),
                Said::Pruned(spans) => format!("pruned {spans}"),
                Said::Alive => "alive".into(),
            });
        }
        (all, ended)
    }

    #[test]
    fn events_are_read_as_the_living_standard_writes_them() {
        // The examples of WHATWG HTML §9.2.6, with JSON for data.
        let (said, ended) = heard(
            ": test stream\n\ndata: {\"a\":1}\nid: 1\n\ndata:{\"b\":2}\nid\n\ndata:  3\n\n:\nid: 9\n\ndata: 4\n",
        );
        assert_eq!(said, ["alive", r#"{"a":1}"#, "at 1", r#"{"b":2}"#, "at ", "3", "alive", "at 9"]);
        assert!(ended.is_none(), "the last event is not complete, and not told");
        let failure = "event: failure\ndata: {\"kind\":\"store_error\",\"message\":\"m\"}\n\n";
        assert_eq!(heard(failure).0, ["failed store_error"]);
        assert!(heard("data: {\n\n").1.is_some());
    }

    #[test]
    fn a_line_shows_every_character_and_no_empty_field() {
        let event = json!({ "at": "2026-01-01T00:00:00Z", "kind": "quorum", "entity_id": "q", "event": "vote_cast",
            "data": { "voter_id": "ann", "vote": true, "reason": null, "why": "a\u{1b}[31mb" } });
        let shown = line(&event, false);
        assert!(
            shown.starts_with("2026-01-01T00:00:00Z quorum q vote_cast voter_id=ann vote=true why=a"),
            "{shown}"
        );
        assert!(!shown.contains('\u{1b}') && shown.ends_with('\n'), "{shown:?}");
        let refused = json!({ "at": "t", "kind": "quorum", "entity_id": "q", "event": "vote_refused", "refused": true });
        assert_eq!(line(&refused, false), "t quorum q vote_refused (refused)\n");
    }
}
