//! The actor of one entity: it runs the driver, pipelines appends and lets answers go when they are durable.
//!
//! ```text
//!  started ── load from the journal (mailbox waits) ──► serving ──► asleep (idle) or dead (a bug)
//!  serving:  step at once ─► append queued ─► next message …       … durable ─► answer, notices, effects
//! ```
//!
//! Memory may run ahead of the disk, never an answer. If an append does not become durable the actor is *doomed*:
//! its memory is worth nothing, it answers with the failure and a new actor is built from the journal. Nothing is
//! written in `stopped`; a panic may have left the state half changed.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use actix::{Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, WrapFuture};
use tokio::sync::oneshot;

use super::host::{Host, wait};
use super::kinds::{Hosted, perform};
use super::writer::Failure;
use crate::core::driver::Driver;
use crate::core::ids::{IdempotencyKey, StreamId};
use crate::core::time::Timestamp;
use crate::journal::codec::{AppendBuilder, decode, encode};
use crate::journal::{ChainHash, Due, Fault, Seq, Snapshot, Store};

/// Records read from the store at a time while an entity is rebuilt.
const LOAD_PAGE: usize = 4096;

/// Bytes of a small event, on disk.
const SMALL_EVENT: usize = 100;

/// What the one who asked may look at: the state after the step, and the answer to a command.
pub(crate) struct View<'a, M: Hosted> {
    pub(crate) state: &'a M::State,
    pub(crate) now: Timestamp,
    pub(crate) reply: Option<Result<M::Reply, M::Rejection>>,
}

/// What is asked of an entity.
pub(crate) enum Action<M: Hosted> {
    /// Decide a command.
    Command(M::Command, Option<IdempotencyKey>),
    /// Look at the state.
    Read,
    /// Look at the state as soon as this holds, while the one who asked keeps the token.
    Until(fn(&M::State) -> bool, Weak<()>),
}

/// Lets a prepared answer go, or tells the one who asked why not.
pub(crate) type Release = Box<dyn FnOnce(Result<(), Failure>) + Send>;

/// Prepares the answer from the view, on the actor's thread, to be let go when it is durable.
pub(crate) type Respond<M> = Box<dyn FnOnce(Result<View<'_, M>, Failure>) -> Option<Release> + Send>;

/// A request to an entity.
pub(crate) struct Ask<M: Hosted> {
    pub(crate) action: Action<M>,
    pub(crate) respond: Respond<M>,
}

impl<M: Hosted> Message for Ask<M> {
    type Result = ();
}

impl<M: Hosted> Ask<M> {
    pub(crate) fn refuse(self, fault: Fault) {
        (self.respond)(Err(Failure::Refused(fault)));
    }
}

/// Look at what is due or owed. The sender hears when the entity next needs a tick, once all of it is durable;
/// it hears nothing when the entity died or could not be loaded.
#[derive(Debug)]
pub(crate) struct Poke {
    pub(crate) done: oneshot::Sender<Option<Timestamp>>,
}

impl Message for Poke {
    type Result = ();
}

/// Go to sleep if there is nothing to do.
#[derive(Debug)]
pub(crate) struct Sleep;

impl Message for Sleep {
    type Result = ();
}

/// An append did not become durable.
struct Doom;

impl Message for Doom {
    type Result = ();
}

/// Where an actor sits.
pub(crate) struct Seat {
    pub(crate) stream: StreamId,
    pub(crate) generation: u64,
    pub(crate) queued: Arc<AtomicUsize>,
    /// An earlier actor of this entity died; what it had queued must be settled before loading.
    pub(crate) after_death: bool,
    pub(crate) host: Arc<Host>,
}

/// Notices the death of an actor that was not let go.
struct DeathWatch<M: Hosted> {
    host: Arc<Host>,
    stream: StreamId,
    generation: u64,
    armed: bool,
    kind: std::marker::PhantomData<fn() -> M>,
}

impl<M: Hosted> Drop for DeathWatch<M> {
    fn drop(&mut self) {
        if self.armed && !self.host.is_closing() {
            M::registry(&self.host).retire(&self.stream.id, self.generation, false);
            self.host.restarts.died(&self.stream, self.host.clock.now());
        }
    }
}

/// The actor.
pub(crate) struct Entity<M: Hosted> {
    seat: Seat,
    watch: DeathWatch<M>,
    driver: Driver<M>,
    hash: ChainHash,
    /// The revision up to which everything is durable.
    durable: Arc<AtomicU64>,
    /// Set when an append did not become durable, or loading failed.
    doomed: Arc<OnceLock<Failure>>,
    /// What the deadline index and the wheel hold for this stream.
    indexed: Option<Timestamp>,
    armed: Option<Timestamp>,
    /// The revision from which the next snapshot is taken.
    next_snapshot: Seq,
    waiting: Vec<Waiting<M>>,
}

// Nothing in it is ever pinned.
impl<M: Hosted> Unpin for Entity<M> {}

/// Somebody who waits for the state to become so.
struct Waiting<M: Hosted> {
    until: fn(&M::State) -> bool,
    /// Gone when nobody waits any more.
    token: Weak<()>,
    respond: Respond<M>,
}

struct Loaded<M: Hosted> {
    driver: Driver<M>,
    hash: ChainHash,
    snapshot_at: Seq,
    indexed: Option<Timestamp>,
}

/// Rebuilds an entity: the latest usable snapshot, then the records after it.
fn load<M: Hosted>(store: &dyn Store, stream: &StreamId, context: M::Context) -> Result<Loaded<M>, Fault> {
    let driver = Driver::new(context);
    let Some(head) = wait(store.head(stream))? else {
        return Ok(Loaded { driver, hash: ChainHash::default(), snapshot_at: 0, indexed: None });
    };
    let snapshot = wait(store.load_snapshot(stream))?
        .filter(|s| s.version == M::STATE_VERSION && s.revision <= head.revision)
        .and_then(|s| Some((decode::<M::State>(&s.state).ok()?, s.revision, s.hash)));
    let (mut driver, mut hash, snapshot_at) = match snapshot {
        Some((state, revision, hash)) => (driver.restore(state, revision), hash, revision),
        None => (driver, ChainHash::default(), 0),
    };
    while driver.revision() < head.revision {
        let page = wait(store.read(stream, driver.revision(), LOAD_PAGE))?;
        if page.is_empty() {
            let what = format!("stream ends early. stream={stream}, expected={}", head.revision);
            return Err(Fault::Corrupt { what });
        }
        for record in page {
            if record.seq != driver.revision() + 1 {
                let what = format!("record is missing. stream={stream}, seq={}", driver.revision() + 1);
                return Err(Fault::Corrupt { what });
            }
            driver.replay(&decode::<M::Event>(&record.payload)?);
            hash = record.hash;
        }
    }
    if hash != head.hash {
        let what = format!("stream does not end in the hash the index holds. stream={stream}");
        return Err(Fault::Corrupt { what });
    }
    Ok(Loaded { driver, hash, snapshot_at, indexed: head.due })
}

/// The state of an entity as the journal has it, without an actor.
pub(crate) fn read_state<M: Hosted>(store: &dyn Store, stream: &StreamId) -> Result<M::State, Fault> {
    load::<M>(store, stream, M::Context::default()).map(|loaded| loaded.driver.state().clone())
}

impl<M: Hosted> Entity<M> {
    pub(crate) fn new(seat: Seat) -> Self {
        let watch = DeathWatch {
            host: seat.host.clone(),
            stream: seat.stream.clone(),
            generation: seat.generation,
            armed: true,
            kind: std::marker::PhantomData,
        };
        Entity {
            seat,
            watch,
            driver: Driver::default(),
            hash: ChainHash::default(),
            durable: Arc::default(),
            doomed: Arc::default(),
            indexed: None,
            armed: None,
            next_snapshot: 0,
            waiting: Vec::new(),
        }
    }

    fn on_loaded(&mut self, loaded: Result<Loaded<M>, Fault>, ctx: &mut Context<Self>) {
        match loaded {
            Ok(loaded) => {
                self.driver = loaded.driver;
                self.hash = loaded.hash;
                self.next_snapshot = loaded.snapshot_at + self.seat.host.config.snapshot_every;
                self.indexed = loaded.indexed;
                self.durable.store(self.driver.revision(), Ordering::Release);
                let resumed = self.driver.resume(self.seat.host.away);
                let now = self.seat.host.clock.now();
                self.submit(&ctx.address(), resumed.events, resumed.effects, now, None, Vec::new());
                self.arm();
                for effect in M::owed(self.driver.state()) {
                    perform::<M>(&self.seat.host, &self.seat.stream.id, effect);
                }
            }
            Err(fault) => {
                tracing::error!(stream = %self.seat.stream, %fault, "entity cannot be loaded");
                let _ = self.doomed.set(Failure::Refused(fault));
                ctx.address().do_send(Doom);
            }
        }
    }

    /// Tells the wheel when the entity next needs a tick.
    fn arm(&mut self) {
        let due = self.driver.due();
        if due != self.armed {
            self.armed = due;
            self.seat.host.wheel.arm(&self.seat.stream, due);
        }
    }

    /// Queues the events of a step; `releases` are let go when they, and everything before them, are durable.
    fn submit(
        &mut self,
        addr: &Addr<Self>,
        events: Vec<M::Event>,
        effects: Vec<M::Effect>,
        now: Timestamp,
        key: Option<IdempotencyKey>,
        mut releases: Vec<Release>,
    ) {
        self.answer_waiting(now, &mut releases);
        let revision = self.driver.revision();
        let (durable, doomed, host) = (self.durable.clone(), self.doomed.clone(), self.seat.host.clone());
        if events.is_empty() {
            if durable.load(Ordering::Acquire) >= revision {
                releases.into_iter().for_each(|release| release(Ok(())));
            } else if !releases.is_empty() {
                host.writer.barrier(Box::new(move |result| {
                    let result = match (result, durable.load(Ordering::Acquire) >= revision) {
                        (Ok(_), true) => Ok(()),
                        (Err(failure), _) => Err(failure),
                        (Ok(_), false) => Err(doomed.get().cloned().unwrap_or_else(lost)),
                    };
                    releases.into_iter().for_each(|release| release(result.clone()));
                }));
            }
            return;
        }
        let stream = self.seat.stream.clone();
        let mut append = AppendBuilder::new(stream.clone(), revision - events.len() as u64, self.hash);
        if let Err(fault) = events.iter().try_for_each(|event| append.push(now, event)) {
            let failure = Failure::Refused(fault);
            let _ = doomed.set(failure.clone());
            addr.do_send(Doom);
            releases.into_iter().for_each(|release| release(Err(failure.clone())));
            return;
        }
        let wake = self.driver.wake();
        let due = match wake {
            // What ends as soon as it begins never had a deadline to clear, and has ended all the same.
            None if M::ENDS && revision == events.len() as u64 => Due::Clear,
            _ if wake == self.indexed => Due::Unchanged,
            Some(at) => Due::At(at),
            None => Due::Clear,
        };
        self.indexed = wake;
        let append = append.finish(due, key);
        self.hash = append.hash;
        let notices = if host.bus.has_listeners() {
            M::notices(&host.config, &stream.id, self.driver.state(), &events)
        } else {
            vec![]
        };
        self.arm();
        self.keep_snapshot();
        let addr = addr.clone();
        self.seat.host.writer.commit(
            append,
            Box::new(move |result| match result {
                Ok(_) => {
                    durable.fetch_max(revision, Ordering::AcqRel);
                    M::observe(&host.counters, &stream.id, &events);
                    M::follow(&host, &stream.id, &events);
                    // Begun before the answer goes, so that whoever waits for effects after it sees them.
                    effects.into_iter().for_each(|effect| perform::<M>(&host, &stream.id, effect));
                    releases.into_iter().for_each(|release| release(Ok(())));
                    notices.into_iter().for_each(|notice| host.bus.publish(notice));
                }
                Err(failure) => {
                    let _ = doomed.set(failure.clone());
                    addr.do_send(Doom);
                    releases.into_iter().for_each(|release| release(Err(failure.clone())));
                }
            }),
        );
    }

    fn answer_waiting(&mut self, now: Timestamp, releases: &mut Vec<Release>) {
        self.waiting.retain(|waiting| waiting.token.strong_count() > 0);
        let state = self.driver.state();
        for waiting in self.waiting.extract_if(.., |waiting| (waiting.until)(state)) {
            releases.extend((waiting.respond)(Ok(View { state, now, reply: None })));
        }
    }

    /// Every so many events the state is kept, so that rebuilding a long-lived entity stays short. A large state
    /// is kept less often: about as many bytes of events are written between two snapshots as one takes.
    fn keep_snapshot(&mut self) {
        let revision = self.driver.revision();
        if revision < self.next_snapshot {
            return;
        }
        let Ok(state) = encode(self.driver.state()) else { return };
        let pause = self.seat.host.config.snapshot_every.max((state.len() / SMALL_EVENT) as u64);
        self.next_snapshot = revision + pause;
        let snapshot = Snapshot { revision, hash: self.hash, version: M::STATE_VERSION, state };
        let (host, stream) = (self.seat.host.clone(), self.seat.stream.clone());
        // Saved behind the append it includes; a snapshot ahead of the journal is ignored anyway.
        self.seat.host.writer.barrier(Box::new(move |result| {
            if result.is_err() {
                return;
            }
            host.tokio.clone().spawn_blocking(move || {
                if let Err(fault) = wait(host.store.save_snapshot(&stream, snapshot)) {
                    tracing::warn!(%stream, %fault, "snapshot not kept");
                }
            });
        }));
    }

    fn leave(&mut self, ctx: &mut Context<Self>) {
        self.watch.armed = false;
        ctx.stop();
    }
}

fn lost() -> Failure {
    Failure::Unknown(Fault::Unavailable {
        reason: "an append before this read did not become durable".into(),
    })
}

impl<M: Hosted> Actor for Entity<M> {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let (host, stream, after_death) =
            (self.seat.host.clone(), self.seat.stream.clone(), self.seat.after_death);
        let loading = async move {
            if after_death {
                let (done, settled) = oneshot::channel();
                host.writer.barrier(Box::new(move |_| {
                    let _ = done.send(());
                }));
                let _ = settled.await;
            }
            let context = M::context(&host);
            host.blocking(move |store| load::<M>(store, &stream, context)).await
        };
        ctx.wait(loading.into_actor(self).map(|loaded, actor, ctx| actor.on_loaded(loaded, ctx)));
    }
}

impl<M: Hosted> Handler<Ask<M>> for Entity<M> {
    type Result = ();

    fn handle(&mut self, ask: Ask<M>, ctx: &mut Context<Self>) {
        self.seat.queued.fetch_sub(1, Ordering::AcqRel);
        if let Some(failure) = self.doomed.get() {
            // This request was not begun, whatever became of the append that failed.
            ask.refuse(failure.fault().clone());
            return;
        }
        let now = self.seat.host.clock.now();
        let addr = ctx.address();
        match ask.action {
            Action::Command(command, key) => {
                let step = self.driver.step(command, now);
                let view = View { state: self.driver.state(), now, reply: Some(step.reply) };
                let release = (ask.respond)(Ok(view));
                self.submit(&addr, step.events, step.effects, now, key, release.into_iter().collect());
            }
            Action::Read => {
                let settled = self.driver.settle(now);
                let release = (ask.respond)(Ok(View { state: self.driver.state(), now, reply: None }));
                let releases = release.into_iter().collect();
                self.submit(&addr, settled.events, settled.effects, now, None, releases);
            }
            Action::Until(until, token) => {
                let settled = self.driver.settle(now);
                self.waiting.push(Waiting { until, token, respond: ask.respond });
                self.submit(&addr, settled.events, settled.effects, now, None, Vec::new());
            }
        }
        if self.driver.revision() == 0 {
            // Somebody asked for what does not exist; it need not stay in memory.
            self.seat.queued.fetch_add(1, Ordering::AcqRel);
            addr.do_send(Sleep);
        }
    }
}

impl<M: Hosted> Handler<Poke> for Entity<M> {
    type Result = ();

    fn handle(&mut self, poke: Poke, ctx: &mut Context<Self>) {
        self.seat.queued.fetch_sub(1, Ordering::AcqRel);
        if self.doomed.get().is_some() {
            return;
        }
        let now = self.seat.host.clock.now();
        let settled = self.driver.settle(now);
        // The wheel let go of its entry when it sent the poke.
        self.armed = None;
        self.arm();
        let due = self.driver.due();
        let done: Release = Box::new(move |result| {
            if result.is_ok() {
                let _ = poke.done.send(due);
            }
        });
        self.submit(&ctx.address(), settled.events, settled.effects, now, None, vec![done]);
    }
}

impl<M: Hosted> Handler<Sleep> for Entity<M> {
    type Result = ();

    fn handle(&mut self, _: Sleep, ctx: &mut Context<Self>) {
        self.seat.queued.fetch_sub(1, Ordering::AcqRel);
        self.waiting.retain(|waiting| waiting.token.strong_count() > 0);
        let busy = !self.waiting.is_empty() || self.durable.load(Ordering::Acquire) < self.driver.revision();
        if !busy && M::registry(&self.seat.host).retire(&self.seat.stream.id, self.seat.generation, true) {
            self.leave(ctx);
        }
    }
}

impl<M: Hosted> Handler<Doom> for Entity<M> {
    type Result = ();

    fn handle(&mut self, _: Doom, ctx: &mut Context<Self>) {
        M::registry(&self.seat.host).retire(&self.seat.stream.id, self.seat.generation, false);
        let failure = self.doomed.get().cloned().unwrap_or_else(lost);
        for waiting in self.waiting.drain(..) {
            (waiting.respond)(Err(failure.clone()));
        }
        // Messages that came before the actor left the registry are still answered, with the failure.
        if self.seat.queued.load(Ordering::Acquire) > 0 {
            ctx.address().do_send(Doom);
        } else {
            self.leave(ctx);
        }
    }
}
