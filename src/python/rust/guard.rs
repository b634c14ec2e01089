//! What lapses unless it is renewed: a hold of capacity, the lease of a job. Renewed here, on threads that Python does not
//! hold up.
//!
//! ```text
//!  take ──► taken ──► renewed, three times in each lease ──► release
//!    │                  └──► refused, or nobody answers until the lease has ended ──► lost, and told
//!    └─ nobody waits any more: given back
//! ```

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use quorate_runtime::api::ops::{self, Operation};
use quorate_runtime::api::outcome::not_done;
use quorate_runtime::connect::again::named;
use quorate_runtime::error::{Error, ErrorKind};
use quorate_runtime::shell::clock::Stopwatch;
use serde_json::{Map, Value, json};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::place::Place;

/// A lease is renewed when a third of it has passed: two more tries fit into the rest.
const RENEWED_EVERY: u32 = 3;
/// After a renewal that nobody served the next one follows sooner by this.
const SOONER: u32 = 10;
/// Shortest pause between two renewals.
const SHORTEST: Duration = Duration::from_millis(1);
/// The lease of a token when a request does not say it.
const TOKEN_LEASE: Duration = Duration::from_secs(60);
/// How often a lease that another holds is asked for, at the least.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// The renewal of one lease: what is asked, and how it stands.
struct Renewal {
    op: &'static Operation,
    fields: Map<String, Value>,
    answered: Stopwatch,
}

/// What is held, renewed in the background until it is released or lost.
pub(crate) struct Guard {
    place: Arc<Place>,
    latest: Arc<Mutex<Value>>,
    lost: watch::Receiver<Option<Error>>,
    keeper: AbortHandle,
    runtime: Handle,
    /// What gives it back, as long as it is held.
    returns: Mutex<Vec<(&'static Operation, Map<String, Value>)>>,
}

/// Dropped, it is given back in the background.
impl Drop for Guard {
    fn drop(&mut self) {
        self.keeper.abort();
        let returns = self.returns();
        if returns.is_empty() {
            return;
        }
        let place = self.place.clone();
        self.place.later(&self.runtime, async move {
            for (op, fields) in returns {
                // What cannot be given back lapses.
                let _ = place.call_once(op, fields).await;
            }
        });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

impl Guard {
    fn new(
        place: Arc<Place>,
        taken: Value,
        renewals: Vec<Renewal>,
        returns: Vec<(&'static Operation, Map<String, Value>)>,
        lease: Option<Duration>,
    ) -> Self {
        let (tell, lost) = watch::channel(None);
        let latest = Arc::new(Mutex::new(taken));
        let kept = Kept { place: place.clone(), latest: latest.clone(), renewals, tell };
        let keeper = tokio::spawn(async move {
            if let Some(lease) = lease {
                kept.renew(lease).await;
            }
        });
        Guard {
            place,
            latest,
            lost,
            keeper: keeper.abort_handle(),
            runtime: Handle::current(),
            returns: Mutex::new(returns),
        }
    }

    /// What was answered last.
    pub(crate) fn latest(&self) -> Value {
        lock(&self.latest).clone()
    }

    /// Why it is lost, if it is.
    pub(crate) fn lost(&self) -> Option<Error> {
        self.lost.borrow().clone()
    }

    /// Waits until it is lost; for ever, if it is released first.
    pub(crate) async fn wait_lost(lost: watch::Receiver<Option<Error>>) -> Error {
        let mut lost = lost;
        match lost.wait_for(Option::is_some).await.map(|why| why.clone()) {
            Ok(Some(why)) => why,
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }

    /// What tells of the loss.
    pub(crate) fn watch(&self) -> watch::Receiver<Option<Error>> {
        self.lost.clone()
    }

    /// Renews no more, and gives nothing back: what was held has ended.
    pub(crate) fn ended(&self) {
        self.keeper.abort();
        lock(&self.returns).clear();
    }

    /// Gives everything back; a repeat does nothing.
    ///
    /// # Errors
    /// The first one; the rest is given back all the same.
    pub(crate) async fn release(&self) -> Result<(), Error> {
        self.keeper.abort();
        let mut first = Ok(());
        for (op, fields) in self.returns() {
            let done = self.place.call_once(op, fields).await.map(drop);
            first = first.and(done);
        }
        first
    }

    /// What is to be done to give it back, with the token in force; nothing any more after that.
    fn returns(&self) -> Vec<(&'static Operation, Map<String, Value>)> {
        let mut returns = std::mem::take(&mut *lock(&self.returns));
        let token = lock(&self.latest)["fence_token"].clone();
        for (_, fields) in &mut returns {
            if let Some(given) = fields.get_mut("fence_token") {
                *given = token.clone();
            }
        }
        returns
    }
}

/// What renews.
struct Kept {
    place: Arc<Place>,
    latest: Arc<Mutex<Value>>,
    renewals: Vec<Renewal>,
    tell: watch::Sender<Option<Error>>,
}

impl Kept {
    async fn renew(mut self, lease: Duration) {
        let pause = (lease / RENEWED_EVERY).max(SHORTEST);
        let soon = (pause / SOONER).max(SHORTEST);
        let mut next = pause;
        loop {
            tokio::time::sleep(next).await;
            next = pause;
            for renewal in &mut self.renewals {
                let begun = Stopwatch::start();
                let call = self.place.call_once(renewal.op, renewal.fields.clone());
                // One that hangs must not keep others from being tried.
                let answer = tokio::time::timeout(pause, call).await.unwrap_or_else(|_| Err(silence()));
                match answer {
                    Ok(reply) => {
                        renewal.answered = begun;
                        if let Some(token) = reply.get("fence_token") {
                            renewal.fields.insert("fence_token".into(), token.clone());
                            *lock(&self.latest) = reply;
                        }
                    }
                    Err(error) if error.is_retryable() && renewal.answered.elapsed() < lease => next = soon,
                    Err(error) => {
                        self.tell.send_replace(Some(told(error)));
                        return;
                    }
                }
            }
        }
    }
}

fn silence() -> Error {
    Error::new(ErrorKind::OutcomeUnknown, "a renewal was not answered in time")
}

/// A lease that nobody could renew has lapsed for all that is known here.
fn told(error: Error) -> Error {
    if !error.is_retryable() {
        return error;
    }
    let message = format!("nothing renewed the lease until it ended. cause={}", error.message());
    Error::new(ErrorKind::LeaseLost, message).with("cause", error.kind().name())
}

/// Asks for capacity and waits until it is granted.
///
/// # Errors
/// Those of `capacity.request` and `capacity.ack`; `expired`, `overloaded` and `cancelled` when nothing was granted.
pub(crate) async fn hold(place: Arc<Place>, mut fields: Map<String, Value>) -> Result<Guard, Error> {
    let request = ops::find("capacity.request")?;
    named(&mut fields, "need_id");
    if fields.get("renewable").is_none_or(Value::is_null) {
        fields.insert("renewable".into(), true.into());
    }
    // Said, so that it is known here whatever the server is configured to.
    if fields.get("lease_seconds").is_none_or(Value::is_null) {
        fields.insert("lease_seconds".into(), TOKEN_LEASE.as_secs().into());
    }
    let seconds = fields["lease_seconds"].as_f64().unwrap_or_default();
    let lease = Some(seconds).filter(|seconds| *seconds > 0.0);
    let lease = lease.map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or(TOKEN_LEASE));
    let renewable = fields["renewable"] == true;
    let (cell, need) = (fields["cell_id"].clone(), fields["need_id"].clone());
    let mut claim = Claim::of(place.clone(), "capacity.cancel", json!({ "cell_id": cell, "need_id": need }));
    fields.insert("wait".into(), true.into());
    let granted = place.call(request, fields).await;
    if let Ok(Some(refused)) = granted.as_ref().map(|reply| not_done(request, reply)) {
        claim.over();
        return Err(refused);
    }
    let granted = match granted {
        Ok(granted) => granted,
        Err(error) => {
            if !error.is_retryable() {
                claim.over();
            }
            return Err(error);
        }
    };
    let answered = Stopwatch::start();
    let (ack, renew, release) =
        (ops::find("capacity.ack")?, ops::find("capacity.renew")?, ops::find("capacity.release")?);
    let mut renewals = Vec::new();
    let mut returns = Vec::new();
    for token in granted["tokens"].as_array().into_iter().flatten() {
        let named = object(json!({ "token_id": token["token_id"], "cell_id": cell }));
        place.call_once(ack, named.clone()).await?;
        returns.push((release, named.clone()));
        renewals.push(Renewal { op: renew, fields: named, answered });
    }
    claim.over();
    let lease = lease.filter(|_| renewable);
    Ok(Guard::new(place, granted, renewals, returns, lease))
}

/// Takes the lease of a job; waits for it for so long while another holds it.
///
/// # Errors
/// Those of `job.acquire`: `lease_held` when the wait is over.
pub(crate) async fn lead(
    place: Arc<Place>,
    fields: Map<String, Value>,
    patience: Duration,
) -> Result<Guard, Error> {
    let (acquire, renew, release) =
        (ops::find("job.acquire")?, ops::find("job.renew")?, ops::find("job.release")?);
    let since = Stopwatch::start();
    let (led, answered) = loop {
        let answered = Stopwatch::start();
        // Goes on when nobody waits for it any more, so that what it takes can be given back.
        let (asking, request) = (place.clone(), fields.clone());
        let taking = tokio::spawn(async move { asking.call_once(acquire, request).await });
        let mut orphan = Orphan {
            place: place.clone(),
            fields: fields.clone(),
            taking: Some(taking),
            runtime: Handle::current(),
        };
        let answer = match &mut orphan.taking {
            Some(taking) => taking.await.unwrap_or_else(|_| Err(silence())),
            None => Err(silence()),
        };
        orphan.taking = None;
        match answer {
            Ok(led) => break (led, answered),
            Err(error) if error.kind() == ErrorKind::LeaseHeld && since.elapsed() < patience => {
                let left = error.detail("expires_in_ms").and_then(Value::as_u64).unwrap_or_default();
                let left = Duration::from_millis(left.saturating_add(1)).min(ASK_EVERY);
                tokio::time::sleep(left.min(patience.saturating_sub(since.elapsed()).max(SHORTEST))).await;
            }
            Err(error) => return Err(error),
        }
    };
    let lease = led["lease_ms"].as_u64().map(Duration::from_millis);
    let kept = kept_fields(&fields, &led);
    let renewals = vec![Renewal { op: renew, fields: kept.clone(), answered }];
    Ok(Guard::new(place, led, renewals, vec![(release, kept)], lease))
}

/// What a renewal and a return name.
fn kept_fields(fields: &Map<String, Value>, led: &Value) -> Map<String, Value> {
    let mut kept = fields.clone();
    kept.retain(|name, _| matches!(name.as_str(), "job_id" | "datacenter" | "holder_id" | "incarnation"));
    kept.insert("fence_token".into(), led["fence_token"].clone());
    kept
}

/// A lease that is being taken. Dropped before it is taken, it is given back once it is.
struct Orphan {
    place: Arc<Place>,
    fields: Map<String, Value>,
    taking: Option<tokio::task::JoinHandle<Result<Value, Error>>>,
    /// The future may be dropped anywhere.
    runtime: Handle,
}

impl Drop for Orphan {
    fn drop(&mut self) {
        let Some(taking) = self.taking.take() else { return };
        let (place, fields) = (self.place.clone(), self.fields.clone());
        self.place.later(&self.runtime, async move {
            if let (Ok(Ok(led)), Ok(release)) = (taking.await, ops::find("job.release")) {
                // What cannot be given back lapses.
                let _ = place.call_once(release, kept_fields(&fields, &led)).await;
            }
        });
    }
}

/// A need that is being asked for. Dropped before it is over, it is taken back, and so is what was granted meanwhile.
struct Claim {
    place: Arc<Place>,
    undo: Option<(&'static str, Map<String, Value>)>,
    /// The future may be dropped anywhere.
    runtime: Handle,
}

impl Claim {
    fn of(place: Arc<Place>, name: &'static str, fields: Value) -> Self {
        Claim { place, undo: Some((name, object(fields))), runtime: Handle::current() }
    }

    fn over(&mut self) {
        self.undo = None;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let Some((name, fields)) = self.undo.take() else { return };
        let place = self.place.clone();
        self.place.later(&self.runtime, async move {
            let cell = fields["cell_id"].clone();
            let (Ok(undo), Ok(release)) = (ops::find(name), ops::find("capacity.release")) else { return };
            // What cannot be taken back ends with its time in the queue or with its lease.
            let Ok(reply) = place.call_once(undo, fields).await else { return };
            for token in reply["tokens"].as_array().into_iter().flatten() {
                let named = object(json!({ "token_id": token["token_id"], "cell_id": cell }));
                let _ = place.call_once(release, named).await;
            }
        });
    }
}
