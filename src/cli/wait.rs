//! Commands that wait for a decision or a grant: they say so on stderr, and a signal ends the waiting, not what is
//! waited for.

use std::future::Future;
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::ProgressBar;
use serde_json::{Map, Value};

use super::ops::Place;
use super::output::{Output, Stop};
use super::signals::Signals;
use quorate_runtime::api::ops::{self, Operation};
use quorate_runtime::error::Error;

/// How long one look at a proposal waits, in milliseconds; between two of them the progress is told.
const LOOK_MS: u64 = 1_000;

/// Waits for a call, or for a signal that ends the waiting.
///
/// # Errors
/// Those of the call; `Interrupted` after a signal.
pub(super) async fn interruptible(call: impl Future<Output = Result<Value, Error>>) -> Result<Value, Stop> {
    unless(Signals::listen()?, call).await
}

async fn unless(
    mut signals: Signals,
    call: impl Future<Output = Result<Value, Error>>,
) -> Result<Value, Stop> {
    tokio::select! {
        answer = call => Ok(answer?),
        () = signals.next() => Err(Stop::Interrupted),
    }
}

/// Puts a question and waits for the decision, unless told not to.
///
/// # Errors
/// Those of the operations; `Interrupted` after a signal. The proposal goes on then.
pub(super) async fn request(
    place: &Place,
    op: &'static Operation,
    mut fields: Map<String, Value>,
    output: &Output,
) -> Result<Value, Stop> {
    if fields.get("wait").is_some_and(|wait| *wait != true) {
        return Ok(place.call(op, fields).await?);
    }
    // Put first and waited for after, so that whoever stops waiting knows what to ask for later.
    fields.insert("wait".into(), false.into());
    let opened = place.call(op, fields).await?;
    if !opened["decision"].is_null() {
        return Ok(opened);
    }
    // Who is told that this waits may end it from then on.
    let signals = Signals::listen()?;
    let progress = Progress::begin(place, &opened, output)?;
    let decided = unless(signals, decision(place, &opened, &progress)).await;
    progress.end();
    if matches!(decided, Err(Stop::Interrupted)) {
        let id = text(&opened["proposal_id"]);
        output.complain(&format!(
            "the proposal goes on without you\nnext: quorate consensus result --proposal-id {id} --wait-ms 60000\n"
        ))?;
    }
    decided
}

async fn decision(place: &Place, opened: &Value, progress: &Progress) -> Result<Value, Error> {
    let look = ops::find("consensus.result")?;
    loop {
        let mut fields = Map::new();
        fields.insert("proposal_id".into(), opened["proposal_id"].clone());
        fields.insert("wait_ms".into(), LOOK_MS.into());
        let mut result = place.call(look, fields).await?;
        if !result["decision"].is_null() {
            result["duplicate"] = opened["duplicate"].clone();
            return Ok(result);
        }
        progress.tell(&result);
    }
}

/// Asks for capacity, and waits for the grant if told to.
///
/// # Errors
/// Those of the operations; `Interrupted` after a signal. The need waits on then.
pub(super) async fn need(
    place: &Place,
    op: &'static Operation,
    mut fields: Map<String, Value>,
    output: &Output,
) -> Result<Value, Stop> {
    if fields.get("wait").is_none_or(|wait| *wait != true) {
        return Ok(place.call(op, fields).await?);
    }
    fields.insert("wait".into(), false.into());
    let asked = place.call(op, fields.clone()).await?;
    if asked["status"] != "pending" {
        return Ok(asked);
    }
    let signals = Signals::listen()?;
    let (cell, need) = (text(&asked["cell_id"]), text(&asked["need_id"]));
    if !output.is_json() {
        let deadline = text(&asked["deadline"]);
        output.complain(&format!("waiting for the grant of {need}, until {deadline} at the latest\n"))?;
        if place.shuts_others_out() {
            output.complain(
                "this command holds the folder, so no other can give back meanwhile: only a lease that ends helps\n",
            )?;
        }
    }
    fields.insert("wait".into(), true.into());
    fields.insert("need_id".into(), need.into());
    let mut granted = unless(signals, grant(place, op, fields)).await;
    // That this command asks twice is no repeat of its caller.
    if let (Ok(Value::Object(reply)), Some(was)) = (&mut granted, asked.get("duplicate")) {
        reply.insert("duplicate".into(), was.clone());
    }
    if matches!(granted, Err(Stop::Interrupted)) {
        output.complain(&format!(
            "the need waits on without you\nnext: quorate capacity cancel --cell-id {cell} --need-id {need}\n"
        ))?;
    }
    granted
}

/// One wait after the other, until the need has ended.
async fn grant(place: &Place, op: &'static Operation, fields: Map<String, Value>) -> Result<Value, Error> {
    loop {
        let asked = place.call(op, fields.clone()).await?;
        if asked["status"] != "pending" {
            return Ok(asked);
        }
    }
}

/// What stderr shows meanwhile: a line that moves on a terminal, else one line at the beginning, for people only.
struct Progress(Option<ProgressBar>);

impl Progress {
    fn begin(place: &Place, opened: &Value, output: &Output) -> Result<Self, Stop> {
        let (id, deadline) = (text(&opened["proposal_id"]), text(&opened["deadline"]));
        if !output.is_json() {
            output
                .complain(&format!("waiting for the decision on {id}, until {deadline} at the latest\n"))?;
            if place.shuts_others_out() {
                output.complain(
                    "this command holds the folder, so no other can vote meanwhile: stop it, or use --wait false\n",
                )?;
            }
        }
        let bar = std::io::stderr().is_terminal().then(ProgressBar::new_spinner);
        if let Some(bar) = &bar {
            bar.enable_steady_tick(Duration::from_millis(100));
        }
        let progress = Progress(bar);
        progress.tell(opened);
        Ok(progress)
    }

    fn tell(&self, result: &Value) {
        if let Some(bar) = &self.0 {
            let voted = result["participants"].as_array().map_or(0, Vec::len);
            bar.set_message(format!("{voted} of {} have voted", result["metadata"]["total_participants"]));
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
