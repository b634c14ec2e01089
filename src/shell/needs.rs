//! Who waits for what becomes of a need, and what is given back for those who no longer wait.
//!
//! ```text
//!  Waiter::new ── then the request ──► queued … granted, expired, cancelled ── durable ──► told
//!        └── dropped: nobody waits                                   the runtime ends ──► told that nobody will be
//! ```
//!
//! A waiter is there before its request goes out, so that no end of the need is missed. It is told by the events
//! themselves once they are durable: the cell's own memory of what has ended is short, and a queue may be long.
//!
//! Giving back is tried until it is done or the runtime ends; closing the runtime waits a moment for it.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::oneshot;

use super::access::Asks;
use super::host::{Host, Permit};
use super::hosts::track;
use super::joint;
use super::lock;
use crate::core::capacity::cell::event::{Event, Granted};
use crate::core::capacity::cell::{Op, Rejection, Reply};
use crate::core::kernel::ids::{CellId, EntityId, NeedId};
use crate::core::kernel::time::Timestamp;
use crate::journal::Fault;

/// First and longest pause before something is tried again.
const RETRY: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));
/// How often, and how many times, a runtime that closes looks whether all is given back.
const PATIENCE: (Duration, u32) = (Duration::from_millis(5), 200);
/// The first so many of these looks are for those who have yet to begin.
const PROMPT: u32 = 100;

/// How a need ended.
#[derive(Clone, Debug)]
pub(crate) enum Ended {
    /// It was granted.
    Granted(Granted),
    /// Its wait was over at this instant.
    Expired(Timestamp),
    /// It was no longer wanted.
    Cancelled,
}

/// Somebody who waits: its number, how it is told, and its place among all who wait.
type Waiting = (u64, oneshot::Sender<Ended>, Permit);

#[derive(Default)]
struct Book {
    /// By cell and need; several may wait for one need.
    waiting: BTreeMap<EntityId, BTreeMap<NeedId, Vec<Waiting>>>,
    next: u64,
    closed: bool,
}

/// Everybody who waits for the end of a need.
#[derive(Default)]
pub(crate) struct Needs {
    book: Mutex<Book>,
    /// How many wait. Nothing is looked up when nobody does.
    count: AtomicUsize,
    /// How many waiters there are, those who were told among them.
    waiters: AtomicUsize,
    giving_back: AtomicUsize,
}

impl Needs {
    /// Tells those who wait for a need that has ended. The events are durable.
    pub(crate) fn tell(&self, cell: &EntityId, events: &[Event]) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        for event in events {
            let (need, ended) = match event {
                Event::Granted(granted) => (&granted.need.id, Ended::Granted(granted.clone())),
                Event::NeedExpired { need, at } => (need, Ended::Expired(*at)),
                Event::NeedCancelled { need, at: _ } => (need, Ended::Cancelled),
                Event::Opened { .. }
                | Event::Configured { .. }
                | Event::NeedQueued(_)
                | Event::NeedBlocked { .. }
                | Event::NeedAskedBy { .. }
                | Event::TokenAskedBy { .. }
                | Event::OverloadRaised { .. }
                | Event::OverloadCleared { .. }
                | Event::OfferMade(_)
                | Event::OfferReceived(_)
                | Event::OfferClosed { .. }
                | Event::Lent { .. }
                | Event::Acked(_)
                | Event::Renewed(_)
                | Event::UseRefused { .. }
                | Event::Returned(_)
                | Event::HandedOver { .. }
                | Event::Received { .. }
                | Event::Released { .. } => continue,
            };
            for (_, told, place) in self.take(cell, need) {
                drop(place);
                // Whoever stopped waiting in this instant sees to it that nothing is left over.
                let _ = told.send(ended.clone());
            }
        }
    }

    fn take(&self, cell: &EntityId, need: &NeedId) -> Vec<Waiting> {
        let mut book = lock(&self.book);
        let Some(needs) = book.waiting.get_mut(cell) else { return Vec::new() };
        let told = needs.remove(need).unwrap_or_default();
        if needs.is_empty() {
            book.waiting.remove(cell);
        }
        self.count.fetch_sub(told.len(), Ordering::AcqRel);
        told
    }

    /// Nobody will be told any more: those who wait hear that at once.
    pub(crate) fn close(&self) {
        let waiting = {
            let mut book = lock(&self.book);
            book.closed = true;
            self.count.store(0, Ordering::Release);
            std::mem::take(&mut book.waiting)
        };
        drop(waiting);
    }

    /// Waits, for a moment at most and on this thread, until everything is given back that somebody let go of.
    pub(crate) fn settle(&self) {
        let (pause, times) = PATIENCE;
        for look in 0..times {
            // Whoever was told that the runtime ends is about to give back. Nobody may be there to poll it.
            let told = look < PROMPT && self.waiters.load(Ordering::Acquire) > 0;
            if !told && self.giving_back.load(Ordering::Acquire) == 0 {
                return;
            }
            std::thread::sleep(pause);
        }
    }
}

/// Somebody who waits for the end of one need. Dropped, nobody waits any more; the need goes on.
pub(crate) struct Waiter {
    host: Arc<Host>,
    cell: EntityId,
    need: NeedId,
    number: u64,
    told: oneshot::Receiver<Ended>,
}

impl Waiter {
    /// Begins to wait. The request goes out after this.
    ///
    /// # Errors
    /// [`Fault::Overloaded`] when too many wait already, [`Fault::Unavailable`] when the runtime ends.
    pub(crate) fn new(host: &Arc<Host>, cell: &CellId, need: &NeedId) -> Result<Self, Fault> {
        let place = host.admit(true)?;
        let (tell, told) = oneshot::channel();
        let cell = EntityId::from(cell);
        let number = {
            let mut book = lock(&host.needs.book);
            if book.closed {
                return Err(closed(host));
            }
            book.next += 1;
            let number = book.next;
            let needs = book.waiting.entry(cell.clone()).or_default();
            needs.entry(need.clone()).or_default().push((number, tell, place));
            host.needs.count.fetch_add(1, Ordering::AcqRel);
            host.needs.waiters.fetch_add(1, Ordering::AcqRel);
            number
        };
        let (host, need) = (host.clone(), need.clone());
        Ok(Waiter { host, cell, need, number, told })
    }

    /// How the need ended, as soon as that is durable.
    ///
    /// # Errors
    /// The fault of the store, or [`Fault::Unavailable`], when the runtime ends before the need does.
    pub(crate) async fn ended(&mut self) -> Result<Ended, Fault> {
        (&mut self.told).await.map_err(|_| closed(&self.host))
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.host.needs.waiters.fetch_sub(1, Ordering::AcqRel);
        let mut book = lock(&self.host.needs.book);
        let Some(needs) = book.waiting.get_mut(&self.cell) else { return };
        if let Some(waiting) = needs.get_mut(&self.need) {
            let before = waiting.len();
            waiting.retain(|(number, ..)| *number != self.number);
            self.host.needs.count.fetch_sub(before - waiting.len(), Ordering::AcqRel);
            if waiting.is_empty() {
                needs.remove(&self.need);
            }
        }
        if needs.is_empty() {
            book.waiting.remove(&self.cell);
        }
    }
}

fn closed(host: &Host) -> Fault {
    let ending =
        || Fault::Unavailable { reason: "the runtime is closing; the need stands as recorded".into() };
    host.writer.failure().unwrap_or_else(ending)
}

/// Carries out an operation, trying again until it is answered or the runtime ends; none then. Repeats must be safe.
pub(crate) async fn insist(caller: &impl Asks, op: Op) -> Option<Result<Reply, Rejection>> {
    let host = caller.host();
    let mut pause = RETRY.0;
    loop {
        match joint::run(caller, op.clone()).await {
            Ok(answer) => return Some(answer),
            Err(_) if host.is_closing() || host.writer.failure().is_some() => return None,
            Err(failure) => tracing::debug!(?op, ?failure, "will be tried again"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(RETRY.1);
    }
}

/// Gives something back in the background.
pub(crate) fn give_back(host: &Arc<Host>, work: impl Future<Output = ()> + Send + 'static) {
    struct GivingBack(Arc<Host>);
    impl Drop for GivingBack {
        fn drop(&mut self) {
            self.0.needs.giving_back.fetch_sub(1, Ordering::AcqRel);
        }
    }
    host.needs.giving_back.fetch_add(1, Ordering::AcqRel);
    let counted = GivingBack(host.clone());
    track(host, async move {
        work.await;
        drop(counted);
    });
}
