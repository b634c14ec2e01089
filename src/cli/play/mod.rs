//! `quorate play`: a script of operations in virtual time.
//!
//! Reads a line, does it, waits until everything it set off is done, prints a line. So the output depends on the
//! script and the seed only.

mod world;

use std::io::{self, Write};

use clap::ArgMatches;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json as value};

use super::input::{Line, Lines, MAX_LINE};
use super::open::Place;
use super::output::{Output, Stop};
use std::time::Duration;

use quorate_runtime::api::NetworkFaults;
use quorate_runtime::api::{json, ops};
use quorate_runtime::core::kernel::time::{Timestamp, whole_parts};
use quorate_runtime::error::{Error, ErrorKind};
use quorate_runtime::store::STORES;
use world::World;

/// The member of a line that names the identity under which it is done.
const AS: &str = "as";

/// Runs a script. The exit code is 2 when a line was malformed.
pub(super) async fn run(matches: &ArgMatches, _: &Output) -> Result<u8, Stop> {
    let start = match matches.get_one::<String>("start") {
        Some(text) => Timestamp::parse(text)
            .map_err(|_| Error::invalid("start", text.as_str(), "an RFC 3339 instant or YYYY-MM-DD"))?,
        None => Timestamp::EPOCH,
    };
    let seed = matches.get_one::<u64>("seed").copied().unwrap_or_default();
    let file = matches.get_one::<String>("file").map_or("-", String::as_str);
    let mut lines = Lines::open(file)?;
    let place = Place::asked(matches, &STORES[0])?;
    let mut player = Player { world: World::begin(place, seed, start).await?, malformed: false };
    loop {
        match lines.next() {
            Ok(Some((number, line))) => player.line(number, line).await?,
            Ok(None) => break,
            Err(error) => {
                player.world.end().await?;
                return Err(error.into());
            }
        }
    }
    player.world.end().await?;
    Ok(if player.malformed { ErrorKind::MalformedRequest.entry().exit } else { 0 })
}

struct Player {
    world: World,
    malformed: bool,
}

impl Player {
    async fn line(&mut self, number: u64, line: Line) -> Result<(), Stop> {
        match read(number, line) {
            Ok(None) => Ok(()),
            Ok(Some((op, fields))) => self.step(number, op, fields).await,
            Err(error) => self.malformed(number, &error),
        }
    }

    /// A line that says nothing that could be done or refused: it is named, and the run goes on.
    fn malformed(&mut self, number: u64, error: &Error) -> Result<(), Stop> {
        self.malformed = true;
        print(&value!({ "line": number, "error": error.to_json() }))
    }

    async fn step(
        &mut self,
        number: u64,
        op: String,
        fields: Result<Map<String, Value>, Error>,
    ) -> Result<(), Stop> {
        let fields = match fields {
            Ok(fields) => fields,
            Err(error) => return self.answer(&op, Err(error)),
        };
        let done = match op.as_str() {
            "events" => match only(&fields, &[]) {
                Ok(()) => return self.events().await,
                Err(error) => return self.malformed(number, &error),
            },
            "clock.advance" => match self.pause(&fields, "ms", None) {
                Ok(to) => self.advance(to).await,
                Err(error) => return self.malformed(number, &error),
            },
            "crash" => match self.pause(&fields, "down_ms", Some(0)) {
                // A journal that cannot be opened again ends the run.
                Ok(to) => {
                    self.world.crash(to).await?;
                    Ok(value!({}))
                }
                Err(error) => return self.malformed(number, &error),
            },
            "network.fault" => match faults(&fields) {
                Ok(faults) => {
                    self.world.network(faults);
                    Ok(value!({}))
                }
                Err(error) => return self.malformed(number, &error),
            },
            name => match ops::find(name) {
                Ok(found) => self.operation(found, fields).await,
                Err(error) => return self.malformed(number, &error),
            },
        };
        self.world.q().effects_done().await;
        self.answer(&op, done)
    }

    /// Runs an operation: as the owner of the journal, or as the identity that the line names.
    async fn operation(
        &self,
        op: &'static ops::Operation,
        mut fields: Map<String, Value>,
    ) -> Result<Value, Error> {
        let q = self.world.q();
        match fields.shift_remove(AS) {
            None => op.call(q.clone(), fields).await,
            Some(Value::String(name)) => {
                let identified = q.as_identity(&name)?;
                // That it was used stands before what it does, in every run.
                q.effects_done().await;
                identified.call(op, fields).await
            }
            Some(other) => Err(Error::invalid(AS, other, "the name or a token of an identity")),
        }
    }

    fn answer(&self, op: &str, done: Result<Value, Error>) -> Result<(), Stop> {
        let at_ms = self.world.q().now().as_millis();
        print(&match done {
            Ok(reply) => value!({ "op": op, "at_ms": at_ms, "reply": reply }),
            Err(error) => value!({ "op": op, "at_ms": at_ms, "error": error.to_json() }),
        })
    }

    async fn advance(&self, to: Timestamp) -> Result<Value, Error> {
        self.world.q().advance_to(to).await?;
        Ok(value!({}))
    }

    /// The instant so many milliseconds from now as the one field says.
    fn pause(
        &self,
        fields: &Map<String, Value>,
        name: &str,
        default: Option<i64>,
    ) -> Result<Timestamp, Error> {
        only(fields, &[name])?;
        let given = fields.get(name).cloned().or(default.map(Value::from));
        let now = self.world.q().now();
        let latest = Timestamp::MAX.as_millis() - now.as_millis();
        // Whole milliseconds, also when they are written as 1e3; fractions are kept to the microsecond.
        let us = given.as_ref().and_then(|ms| match ms.as_i64() {
            Some(ms) => ms.checked_mul(1_000).filter(|us| *us >= 0),
            None => whole_parts(ms.as_f64()?, 1_000)?.try_into().ok(),
        });
        match us {
            Some(us) if us <= latest.saturating_mul(1_000) => {
                Ok(Timestamp::from_micros(now.as_micros().saturating_add(us)))
            }
            Some(_) | None => Err(Error::invalid(
                name,
                given.unwrap_or(Value::Null),
                &format!("milliseconds, 0 to {latest}, with at most three places"),
            )),
        }
    }

    async fn events(&mut self) -> Result<(), Stop> {
        loop {
            let page = self.world.next_events().await?;
            for event in &page {
                let line = serde_json::to_string(event).map_err(io::Error::from)?;
                write_line(&line)?;
            }
            if page.is_empty() {
                return Ok(());
            }
        }
    }
}

/// The name of what a line asks for, and its other fields, unless there is a number among them that cannot be kept, or a
/// member given twice.
type Request = (String, Result<Map<String, Value>, Error>);

/// The part of a line that says what it asks for.
#[derive(Deserialize)]
struct Asked {
    op: String,
}

/// What a line asks for; nothing when it is blank or a comment.
fn read(number: u64, line: Line) -> Result<Option<Request>, Error> {
    let malformed = |what: &str| Error::new(ErrorKind::MalformedRequest, format!("{what}. line={number}"));
    let bytes = match line {
        Line::Bytes(bytes) => bytes,
        Line::TooLong => {
            let message = format!("the line is longer than {MAX_LINE} bytes. line={number}");
            return Err(Error::new(ErrorKind::PayloadTooLarge, message));
        }
    };
    let text = std::str::from_utf8(&bytes).map_err(|_| malformed("the line is not UTF-8"))?;
    let text = if number == 1 { text.trim_start_matches('\u{feff}') } else { text }.trim();
    if text.is_empty() || text.starts_with('#') {
        return Ok(None);
    }
    let not_json = |e: serde_json::Error| {
        // The number of the line inside this one line says nothing.
        let cause = e.to_string();
        let cause = cause.split(" at line 1 ").next().unwrap_or_default().to_owned();
        malformed(&format!("the line is not JSON: {cause}")).with("column", e.column())
    };
    serde_json::from_str::<IgnoredAny>(text).map_err(not_json)?;
    if let Err(error) = json::check(text) {
        return match serde_json::from_str::<Asked>(text) {
            Ok(Asked { op }) => Ok(Some((op, Err(error)))),
            Err(_) => Err(error.with("line", number)),
        };
    }
    let value: Value = serde_json::from_str(text).map_err(not_json)?;
    let Value::Object(mut fields) = value else { return Err(malformed("the line is not a JSON object")) };
    match fields.shift_remove("op") {
        Some(Value::String(op)) => Ok(Some((op, Ok(fields)))),
        Some(_) => Err(malformed("the line's op is not a text")),
        None => Err(malformed("the line names no op")),
    }
}

/// What goes wrong on the network from here on; a line without fields mends it.
fn faults(fields: &Map<String, Value>) -> Result<NetworkFaults, Error> {
    only(fields, &["loss", "duplicate", "delay_ms", "jitter_ms", "cut", "seed"])?;
    let number = |name: &str, most: f64| match fields.get(name) {
        None => Ok(0.0),
        Some(given) => given
            .as_f64()
            .filter(|n| *n >= 0.0 && *n <= most)
            .ok_or_else(|| Error::invalid(name, given.clone(), &format!("a number from 0 to {most}"))),
    };
    let cut = match fields.get("cut") {
        None => Default::default(),
        Some(Value::Array(names)) => names
            .iter()
            .map(|name| name.as_str().map(str::to_owned))
            .collect::<Option<_>>()
            .ok_or_else(|| Error::invalid("cut", "a list", "names of datacenters, workers or gates"))?,
        Some(other) => return Err(Error::invalid("cut", other.clone(), "a list of names")),
    };
    const DAY_MS: f64 = 86_400_000.0;
    let parts = |name: &str, most: f64, parts_of_one: u32, places: &str| {
        whole_parts(number(name, most)?, parts_of_one).ok_or_else(|| {
            let given = fields.get(name).cloned().unwrap_or_default();
            Error::invalid(name, given, &format!("a number from 0 to {most} {places}"))
        })
    };
    let ppm = |name: &str| {
        parts(name, 1.0, 1_000_000, "with at most six places")
            .map(|ppm| u32::try_from(ppm).unwrap_or(u32::MAX))
    };
    let span =
        |name: &str| parts(name, DAY_MS, 1_000, "with at most three places").map(Duration::from_micros);
    Ok(NetworkFaults {
        lost_ppm: ppm("loss")?,
        doubled_ppm: ppm("duplicate")?,
        delay: span("delay_ms")?,
        jitter: span("jitter_ms")?,
        cut,
        seed: parts("seed", 9_007_199_254_740_992.0, 1, "without places")?,
    })
}

/// Refuses fields that a control line does not have.
fn only(fields: &Map<String, Value>, known: &[&str]) -> Result<(), Error> {
    match fields.iter().find(|(name, _)| !known.contains(&name.as_str())) {
        Some((name, value)) => {
            let expected =
                if known.is_empty() { "no fields".to_owned() } else { format!("only {}", known.join(", ")) };
            Err(Error::invalid(name, value.clone(), &expected))
        }
        None => Ok(()),
    }
}

fn print(value: &Value) -> Result<(), Stop> {
    write_line(&value.to_string())
}

/// Writes one line and hands it on at once, so that a script can be followed and driven through pipes.
fn write_line(line: &str) -> Result<(), Stop> {
    let mut out = io::stdout().lock();
    out.write_all(line.as_bytes())?;
    out.write_all(b"\n")?;
    Ok(out.flush()?)
}
