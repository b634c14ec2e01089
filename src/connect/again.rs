//! What is sent again while a server is away, and for how long.
//!
//! | what came of a request | it is sent again |
//! |---|---|
//! | nobody heard it | yes |
//! | it may have been heard, and only reads | yes |
//! | it may have been heard, and a repeat changes nothing more: it has a name of its own, or its verb says so | yes |
//! | it may have been heard, and a repeat might do it twice | no: `outcome_unknown` |
//!
//! What begins something is given a name before it goes out, unless it has one: an `idempotency_key`, the `need_id` of a
//! need for capacity, or the `token_id` of a reservation. A wait is split into putting the question and looking for its end, so that it outlives the server
//! at which it began.

use std::future::Future;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::api::ops::{self, Operation};
use crate::error::{Error, ErrorKind};
use crate::shell::clock::Stopwatch;

/// The detail of an error after which a request may be sent again: no server has heard it, or it only asks.
pub const UNHEARD: &str = "unheard";
/// The detail of an error after which a server has most likely heard the request, and answered nothing.
pub const CUT_OFF: &str = "cut_off";
/// The detail of an error that answers a repeat: it may come from the first time, which was carried out.
pub const REPEATED: &str = "repeated";

/// The operations whose requests take an `idempotency_key`.
const KEYED: [&str; 4] = ["quorum.start", "consensus.request", "session.open", "capacity.release"];

/// How often is tried.
const TRY_EVERY: Duration = Duration::from_millis(25);
/// A server that was silent for so long before it was cut off was there until then.
const SERVED: Duration = Duration::from_secs(1);
/// How long one look at a decision waits.
const LOOK_MS: u64 = 60_000;

/// A way on which an operation is carried out once.
pub trait Way: Sync {
    /// Carries it out, or says by the details of the error how far it came.
    fn once(
        &self,
        op: &'static Operation,
        fields: Map<String, Value>,
    ) -> impl Future<Output = Result<Value, Error>> + Send;
}

/// Carries out an operation, and sends again what may be. A server that was not `met` before is not waited for.
///
/// # Errors
/// Those of the operation, and of the way to it.
pub async fn carried_out(
    way: &impl Way,
    op: &'static Operation,
    mut fields: Map<String, Value>,
    patience: Duration,
    met: bool,
) -> Result<Value, Error> {
    let waits = (op.waits)(&fields);
    name(op, &mut fields);
    match op.name {
        "consensus.request" if waits => decision(way, op, fields, patience, met).await,
        "capacity.request" if waits => grant(way, op, fields, patience, met).await,
        _ => again(way, op, fields, patience, met).await,
    }
}

/// Gives a request a name under which a repeat is known as such.
fn name(op: &Operation, fields: &mut Map<String, Value>) {
    match op.name {
        "capacity.request" => named(fields, "need_id"),
        "capacity.reserve" => named(fields, "token_id"),
        // A token is released as a whole and once.
        "capacity.release" if is_given(fields, "token_id") => {}
        _ if KEYED.contains(&op.name) => named(fields, "idempotency_key"),
        _ => {}
    }
}

/// Gives what is asked for a name, unless it has one: so a repeat is known as such.
pub fn named(fields: &mut Map<String, Value>, field: &str) {
    if !is_given(fields, field) {
        fields.insert(field.into(), uuid::Uuid::new_v4().to_string().into());
    }
}

fn is_given(fields: &Map<String, Value>, field: &str) -> bool {
    fields.get(field).is_some_and(|value| !value.is_null())
}

/// Does a second request with these fields change nothing more?
fn is_repeatable(op: &Operation, fields: &Map<String, Value>) -> bool {
    op.is_idempotent()
        || is_given(fields, "idempotency_key")
        || is_given(fields, "need_id")
        // A reservation is known by its token, which who asks names; a token is released as a whole and once.
        || op.name == "capacity.reserve"
        || op.name == "capacity.release" && is_given(fields, "token_id")
}

async fn again(
    way: &impl Way,
    op: &'static Operation,
    mut fields: Map<String, Value>,
    patience: Duration,
    mut met: bool,
) -> Result<Value, Error> {
    let repeatable = is_repeatable(op, &fields);
    let (begun, limit) = (Stopwatch::start(), limit(op, &fields));
    let mut away = Stopwatch::start();
    let mut may_be_done = false;
    loop {
        let sent = Stopwatch::start();
        let error = match way.once(op, fields.clone()).await {
            Ok(reply) => return Ok(reply),
            Err(error) => error,
        };
        let unheard = error.detail(UNHEARD).is_some();
        let cut_off = error.kind() == ErrorKind::OutcomeUnknown || error.detail(CUT_OFF).is_some();
        if !unheard && !cut_off {
            return Err(if may_be_done { error.with(REPEATED, true) } else { error });
        }
        may_be_done |= cut_off && !op.reads();
        if cut_off && (!met || sent.elapsed() >= SERVED) {
            (met, away) = (true, Stopwatch::start());
        }
        let goes_on = met && (unheard || repeatable) && away.elapsed() < patience;
        if !goes_on {
            return Err(if may_be_done { unknown(error) } else { error });
        }
        tokio::time::sleep(TRY_EVERY).await;
        if let Some((field, ms)) = limit {
            let passed = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
            fields.insert(field.into(), ms.saturating_sub(passed).into());
        }
    }
}

/// The field that says how long a wait lasts, and what it says.
fn limit(op: &Operation, fields: &Map<String, Value>) -> Option<(&'static str, u64)> {
    let field = if op.name.ends_with(".wait") { "timeout_ms" } else { "wait_ms" };
    (op.waits)(fields).then(|| fields.get(field)?.as_u64().map(|ms| (field, ms))).flatten()
}

/// What was heard once is not told as never heard.
fn unknown(error: Error) -> Error {
    if error.kind() == ErrorKind::OutcomeUnknown {
        return error;
    }
    Error::new(ErrorKind::OutcomeUnknown, error.message()).with(CUT_OFF, true)
}

/// Puts a question, and looks until it is decided.
async fn decision(
    way: &impl Way,
    op: &'static Operation,
    mut fields: Map<String, Value>,
    patience: Duration,
    met: bool,
) -> Result<Value, Error> {
    fields.insert("wait".into(), false.into());
    let mut result = again(way, op, fields, patience, met).await?;
    let (id, duplicate) = (result["proposal_id"].clone(), result["duplicate"].clone());
    let look = ops::find("consensus.result")?;
    while result["decision"].is_null() {
        let wait = json!({ "proposal_id": id, "wait_ms": LOOK_MS });
        let wait = wait.as_object().cloned().unwrap_or_default();
        result = again(way, look, wait, patience, true).await?;
        result["duplicate"] = duplicate.clone();
    }
    Ok(result)
}

/// Asks for capacity, and waits until the need has ended.
async fn grant(
    way: &impl Way,
    op: &'static Operation,
    mut fields: Map<String, Value>,
    patience: Duration,
    met: bool,
) -> Result<Value, Error> {
    fields.insert("wait".into(), false.into());
    let first = again(way, op, fields.clone(), patience, met).await?;
    let created = first["created"].clone();
    fields.insert("wait".into(), true.into());
    let mut asked = first;
    while asked["status"] == "pending" {
        asked = again(way, op, fields.clone(), patience, true).await?;
        if !created.is_null() {
            asked["created"] = created.clone();
        }
    }
    Ok(asked)
}

#[cfg(test)]
#[path = "again_test.rs"]
mod tests;
