//! One timer service for all entities. It keeps no truth of its own: every entry can be asked again of the entity,
//! and a late or repeated poke harms nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, WrapFuture};
use tokio::sync::{Notify, oneshot};

use crate::core::kernel::ids::{StreamId, StreamKind};
use crate::core::kernel::time::Timestamp;
use crate::shell::clock::PULSE;
use crate::shell::entity::{Errand, Poke, Wake};
use crate::shell::host::Host;
use crate::shell::hosts::{AnyRegistry, track};
use crate::shell::jobs::deliver;
use crate::shell::lock;
use crate::shell::sampler::Sampling;

use super::deadlines::Deadlines;
use super::recovery;

/// Entities settled together when many are due. Those that were asleep sleep again before the next batch, so it bounds
/// the memory a backlog takes; a smaller one is flushed more often.
pub(crate) const BATCH: usize = 256;
/// Errands run at the same time when many are due.
const BURST: usize = 1024;
/// Pause before an entity that did not answer its poke is poked again.
const AGAIN: Duration = Duration::from_secs(1);
/// Longest sleep, so that a suspend is noticed.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);
/// How often a process notes that it lives.
pub(crate) const ALIVE_EVERY: Duration = Duration::from_secs(5);

/// Every deadline, and who waits for the soonest.
#[derive(Debug, Default)]
pub(crate) struct Wheel {
    deadlines: Mutex<Deadlines>,
    sooner: Notify,
    /// How late they were taken.
    pub(crate) lags: Lags,
    /// Held while due entries are settled: whoever settles next finds them done, not merely begun.
    settling: tokio::sync::Mutex<()>,
}

impl Wheel {
    /// Sets or clears the deadline of one entity.
    pub(crate) fn arm(&self, stream: &StreamId, due: Option<Timestamp>) {
        if lock(&self.deadlines).arm(stream, due) {
            self.sooner.notify_one();
        }
    }

    /// The soonest deadline.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        lock(&self.deadlines).next()
    }

    /// How many entities have a deadline.
    pub(crate) fn len(&self) -> usize {
        lock(&self.deadlines).len()
    }

    /// How many entities of a kind have a deadline.
    pub(crate) fn len_of(&self, kind: StreamKind) -> usize {
        lock(&self.deadlines).len_of(kind)
    }

    /// Takes up to `limit` entries due at `now`, soonest first.
    fn take_due(&self, now: Timestamp, limit: usize) -> Vec<(Timestamp, StreamId)> {
        let mut deadlines = lock(&self.deadlines);
        let due: Vec<_> = std::iter::from_fn(|| deadlines.take(now)).take(limit).collect();
        drop(deadlines);
        due.iter().for_each(|(at, _)| self.lags.note(now.since(*at)));
        due
    }
}

/// How late deadlines were noticed: how many within each bound, and how long all together.
#[derive(Debug, Default)]
pub(crate) struct Lags {
    counts: [AtomicU64; LAGS_MS.len() + 1],
    sum_us: AtomicU64,
}

/// How late deadlines were noticed, since the process began.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lag {
    /// How many within each bound and not within the one before.
    pub counts: [u64; LAGS_MS.len() + 1],
    /// All together.
    pub sum: Duration,
}

/// Bounds of [`Lag::counts`] in ms; what is later counts as without bound.
pub const LAGS_MS: [u64; 6] = [1, 10, 100, 1_000, 10_000, 100_000];

impl Lags {
    fn note(&self, lag: Duration) {
        let within = LAGS_MS.partition_point(|bound| Duration::from_millis(*bound) < lag);
        self.counts[within].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(u64::try_from(lag.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// What was noted so far.
    pub(crate) fn read(&self) -> Lag {
        let counts = self.counts.each_ref().map(|count| count.load(Ordering::Relaxed));
        Lag { counts, sum: Duration::from_micros(self.sum_us.load(Ordering::Relaxed)) }
    }
}

/// Pokes everything due at `now`, until nothing is, soonest first. With `one_by_one` each is settled before the next, and
/// everything that follows from it; else a batch at a time. Returns how many were poked.
pub(crate) async fn settle(host: &Arc<Host>, now: Timestamp, one_by_one: bool) -> usize {
    if host.reads_only {
        return 0;
    }
    if !one_by_one {
        return settle_some(host, now, usize::MAX).await;
    }
    let _alone = host.wheel.settling.lock().await;
    let mut poked = 0;
    while let Some((_, stream)) = host.wheel.take_due(now, 1).pop() {
        poked += 1;
        let (done, settled) = oneshot::channel();
        host.kinds.of(stream.kind).poke(host, &stream.id, Poke::new(done));
        if has_ended(host, &stream, settled.await.ok()) {
            sleep(host, &stream).await;
        }
        // What follows from one expiry comes before the next.
        quiet(host).await;
    }
    poked
}

/// Lets an entity go to sleep, and waits until it does or will not. What is sent to it after that finds it in the same
/// state every time: one that is loaded anew sends anew what it owes.
pub(crate) async fn sleep(host: &Host, stream: &StreamId) {
    let (done, rests) = oneshot::channel();
    host.kinds.of(stream.kind).rest(&stream.id, Some(done));
    // Dropped when it sleeps.
    let _ = rests.await;
}

/// Pokes up to `limit` of what is due at `now`, soonest first and a batch at a time.
pub(crate) async fn settle_some(host: &Arc<Host>, now: Timestamp, limit: usize) -> usize {
    let surroundings = host.clone();
    // A task of its own: what was taken from the wheel is settled also when nobody waits for it any more.
    let task = host.tokio.spawn(async move { settle_batches(&surroundings, now, limit).await });
    // Cut off, the runtime ends.
    task.await.unwrap_or(0)
}

async fn settle_batches(host: &Arc<Host>, now: Timestamp, limit: usize) -> usize {
    let _alone = host.wheel.settling.lock().await;
    let mut poked = 0;
    while poked < limit && !host.is_closing() {
        let due = host.wheel.take_due(now, BATCH.min(limit - poked));
        if due.is_empty() {
            break;
        }
        poked += due.len();
        settle_batch(host, due).await;
    }
    poked
}

/// Settles a batch: its entities are loaded side by side, recorded in the order of their deadlines, and durable together.
async fn settle_batch(host: &Arc<Host>, due: Vec<(Timestamp, StreamId)>) {
    let loading: Vec<_> = due
        .into_iter()
        .map(|(_, stream)| {
            let (done, loaded) = oneshot::channel();
            let slept = host.kinds.of(stream.kind).wake(host, &stream.id, Wake { done });
            (stream, slept, loaded)
        })
        .collect();
    let mut settling = Vec::with_capacity(loading.len());
    for (stream, slept, loaded) in loading {
        // One that cannot be loaded is not settled either.
        let _ = loaded.await;
        let (begins, begun) = oneshot::channel();
        let (done, settled) = oneshot::channel();
        host.kinds.of(stream.kind).poke(host, &stream.id, Poke { begun: Some(begins), done });
        let _ = begun.await;
        settling.push((stream, slept, settled));
    }
    let mut resting = Vec::new();
    for (stream, slept, settled) in settling {
        // What has ended is most likely not asked for again, and what was asleep was not asked for: many of them would
        // fill memory.
        if has_ended(host, &stream, settled.await.ok()) || slept {
            let (done, rests) = oneshot::channel();
            host.kinds.of(stream.kind).rest(&stream.id, Some(done));
            resting.push(rests);
        }
    }
    for rests in resting {
        // Dropped when it sleeps.
        let _ = rests.await;
    }
}

/// Is nothing more due of an entity that was poked? One that did not answer is dead, parked or unreadable, and asked
/// again later.
fn has_ended(host: &Host, stream: &StreamId, answer: Option<Option<Timestamp>>) -> bool {
    match answer {
        Some(next) => next.is_none(),
        None => {
            if !host.is_closing() {
                host.wheel.arm(stream, Some(host.clock.now().plus(AGAIN)));
            }
            false
        }
    }
}

/// Makes everybody who has something to send at `now` send it. With `one_by_one` each is through before the next.
pub(crate) async fn run_errands(host: &Arc<Host>, now: Timestamp, one_by_one: bool) {
    loop {
        let due = host.errands.take_due(now, if one_by_one { 1 } else { BURST });
        if due.is_empty() {
            return;
        }
        let begin = |(due, stream): (Timestamp, StreamId)| {
            let (done, sent) = oneshot::channel();
            host.kinds.of(stream.kind).errand(host, &stream.id, Errand { due, done });
            sent
        };
        for sent in due.into_iter().map(begin).collect::<Vec<_>>() {
            // Who could not send is asked again at its next errand.
            let _ = sent.await;
        }
        if one_by_one {
            quiet(host).await;
        }
    }
}

/// Waits until nothing is under way: no effect, and under a manual clock no letter that has arrived either.
pub(crate) async fn quiet(host: &Arc<Host>) {
    loop {
        host.effects_done().await;
        if !host.clock.is_manual() {
            return;
        }
        let Some(message) = host.mailbox.take(host.clock.now()) else { return };
        deliver(host, message).await;
    }
}

/// The actor that watches the wheels and the mailbox in real time.
pub(crate) struct Timeouts {
    host: Arc<Host>,
}

impl Timeouts {
    pub(crate) fn new(host: Arc<Host>) -> Self {
        Timeouts { host }
    }
}

impl Actor for Timeouts {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        // A pause counts from the first instant.
        self.host.clock.pulse();
        ctx.spawn(watch(self.host.clone()).into_actor(self));
        ctx.spawn(watch_errands(self.host.clone()).into_actor(self));
        ctx.spawn(watch_mailbox(self.host.clone()).into_actor(self));
        ctx.run_interval(ALIVE_EVERY, |actor, _| {
            let host = actor.host.clone();
            actor.host.tokio.spawn_blocking(move || recovery::note_alive(&host, host.clock.now(), false));
        });
        ctx.run_interval(PULSE, |actor, _| {
            if actor.host.clock.pulse() {
                let host = actor.host.clone();
                actor.host.tokio.spawn_blocking(move || recovery::note_alive(&host, host.clock.now(), true));
            }
        });
        let sampling = Sampling::default();
        ctx.run_interval(self.host.config.shedding.detector.every, move |actor, _| {
            sampling.look(&actor.host);
            actor.host.admission.weigh_answers(&actor.host);
        });
        ctx.run_interval(self.host.config.idle_after / 2, |actor, _| {
            actor.host.kinds.all().for_each(AnyRegistry::sweep);
        });
    }
}

async fn watch(host: Arc<Host>) {
    loop {
        if until(&host, host.wheel.next(), host.wheel.sooner.notified()).await {
            settle(&host, host.clock.now(), false).await;
        }
    }
}

async fn watch_errands(host: Arc<Host>) {
    loop {
        if until(&host, host.errands.next(), host.errands.sooner.notified()).await {
            run_errands(&host, host.clock.now(), false).await;
        }
    }
}

async fn watch_mailbox(host: Arc<Host>) {
    loop {
        if until(&host, host.mailbox.next(), host.mailbox.sooner()).await {
            while let Some(message) = host.mailbox.take(host.clock.now()) {
                let surroundings = host.clone();
                track(&host, async move { deliver(&surroundings, message).await });
            }
        }
    }
}

/// Waits for an instant; false when something came in between and it is to be asked again.
async fn until(host: &Host, next: Option<Timestamp>, sooner: impl Future<Output = ()>) -> bool {
    let pause = next.map_or(Duration::MAX, |next| next.since(host.clock.now()).min(LONGEST_SLEEP));
    if pause.is_zero() {
        return true;
    }
    tokio::select! {
        () = tokio::time::sleep(pause) => true,
        () = sooner => false,
    }
}
