//! What an actor has in memory of its entity, and how it gets from there to the writer.
//!
//! ```text
//!  load (snapshot, then records) ──► Memory ── events of a step ──► append ──► writer ──► durable: answers, effects
//!                                      │ ▲
//!                                 lent │ │ given back: while a joint decision over several entities is made
//!                                      ▼ │
//! ```

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use actix::Addr;

use super::entity::{Doom, Entity, Holds, Release, Respond, View};
use super::host::{Host, wait};
use super::hosts::{Hosted, perform};
use super::writer::{Failure, Write};
use crate::core::kernel::driver::Driver;
use crate::core::kernel::ids::{EntityId, IdempotencyKey, StreamId};
use crate::core::kernel::time::Timestamp;
use crate::journal::codec::{AppendBuilder, decode, encode};
use crate::journal::{ChainHash, Due, Fault, Position, Seq, Snapshot, Store};

/// Records read from the store at a time while an entity is rebuilt.
const LOAD_PAGE: usize = 4096;

/// Bytes of a small event, on disk.
const SMALL_EVENT: usize = 100;

/// Somebody who waits for the state to become so.
pub(crate) struct Waiting<M: Hosted> {
    pub(crate) until: Holds<M>,
    /// Gone when nobody waits any more.
    pub(crate) token: Weak<()>,
    pub(crate) respond: Respond<M>,
}

pub(crate) struct Loaded<M: Hosted> {
    driver: Driver<M>,
    hash: ChainHash,
    snapshot_at: Seq,
    indexed: Option<Timestamp>,
    /// Position of its last record in the journal; 0 when it has none.
    pub(crate) position: Position,
}

/// What goes into the journal beside the events of a step.
#[derive(Clone, Debug, Default)]
pub(crate) struct Said {
    /// The caller's own name for the request.
    pub(crate) key: Option<IdempotencyKey>,
    /// The identity under which it was asked.
    pub(crate) by: Option<EntityId>,
    /// How many of the events, from the first on, came about by themselves and so are nobody's.
    pub(crate) settled: usize,
}

/// Rebuilds an entity: the latest usable snapshot, then the records after it.
pub(crate) fn load<M: Hosted>(
    store: &dyn Store,
    stream: &StreamId,
    context: M::Context,
) -> Result<Loaded<M>, Fault> {
    let driver = Driver::new(context);
    let Some(head) = wait(store.head(stream))? else {
        return Ok(Loaded { driver, hash: ChainHash::default(), snapshot_at: 0, indexed: None, position: 0 });
    };
    let snapshot = wait(store.load_snapshot(stream))?
        .filter(|s| s.version == M::STATE_VERSION && s.revision <= head.revision)
        .and_then(|s| Some((decode::<M::State>(&s.state).ok()?, s.revision, s.hash)));
    let (mut driver, mut hash, snapshot_at) = match snapshot {
        Some((state, revision, hash)) => (driver.restore(state, revision), hash, revision),
        None => (driver, ChainHash::default(), 0),
    };
    let mut position = 0;
    if driver.revision() == head.revision {
        let last = wait(store.read(stream, head.revision.saturating_sub(1), 1))?;
        position = last.first().map_or(0, |record| record.position);
    }
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
            (hash, position) = (record.hash, record.position);
        }
    }
    if hash != head.hash {
        let what = format!("stream does not end in the hash the index holds. stream={stream}");
        return Err(Fault::Corrupt { what });
    }
    Ok(Loaded { driver, hash, snapshot_at, indexed: head.due, position })
}

/// The state of an entity as the journal has it, without an actor.
pub(crate) fn read_state<M: Hosted>(store: &dyn Store, stream: &StreamId) -> Result<M::State, Fault> {
    load::<M>(store, stream, M::Context::default()).map(|loaded| loaded.driver.state().clone())
}

/// Is an entity over for good, with nothing due and nothing owed?
#[cfg_attr(not(feature = "store-sled"), allow(dead_code))]
pub(crate) fn is_over<M: Hosted>(
    store: &dyn Store,
    stream: &StreamId,
    now: Timestamp,
) -> Result<bool, Fault> {
    let loaded = load::<M>(store, stream, M::Context::default())?;
    Ok(M::ENDS
        && loaded.indexed.is_none()
        && loaded.driver.wake().is_none()
        && M::is_over(loaded.driver.state(), now))
}

/// The state of an entity as it was right after an event.
pub(crate) fn read_state_at<M: Hosted>(
    store: &dyn Store,
    stream: &StreamId,
    seq: Seq,
) -> Result<M::State, Fault> {
    if wait(store.head(stream))?.is_none_or(|head| head.revision <= seq) {
        return read_state::<M>(store, stream);
    }
    let mut driver = Driver::<M>::new(M::Context::default());
    while driver.revision() < seq {
        let page = wait(store.read(stream, driver.revision(), LOAD_PAGE))?;
        if page.is_empty() {
            break;
        }
        for record in page.iter().filter(|record| record.seq <= seq) {
            driver.replay(&decode::<M::Event>(&record.payload)?);
        }
    }
    Ok(driver.state().clone())
}

/// An entity in memory. It runs ahead of the disk; nobody is told before the disk has caught up.
pub(crate) struct Memory<M: Hosted> {
    host: Arc<Host>,
    stream: StreamId,
    pub(crate) driver: Driver<M>,
    hash: ChainHash,
    /// The revision up to which everything is durable.
    durable: Arc<AtomicU64>,
    /// Set when an append did not become durable, or loading failed.
    pub(crate) doomed: Arc<OnceLock<Failure>>,
    /// What the deadline index and the wheel hold for this stream.
    indexed: Option<Timestamp>,
    armed: Option<Timestamp>,
    /// When the wheel of errands fires next.
    errand: Option<Timestamp>,
    /// The revision from which the next snapshot is taken.
    next_snapshot: Seq,
    pub(crate) waiting: Vec<Waiting<M>>,
}

impl<M: Hosted> Memory<M> {
    /// Of an entity that is not loaded yet, or that is lent to somebody.
    pub(crate) fn empty(host: Arc<Host>, stream: StreamId) -> Self {
        Memory {
            host,
            stream,
            driver: Driver::default(),
            hash: ChainHash::default(),
            durable: Arc::default(),
            doomed: Arc::default(),
            indexed: None,
            armed: None,
            errand: None,
            next_snapshot: 0,
            waiting: Vec::new(),
        }
    }

    /// Takes over what was read from the journal.
    pub(crate) fn fill(&mut self, loaded: Loaded<M>) {
        self.driver = loaded.driver;
        self.hash = loaded.hash;
        self.next_snapshot = loaded.snapshot_at + self.host.config.snapshot_every;
        self.indexed = loaded.indexed;
        self.durable.store(self.driver.revision(), Ordering::Release);
    }

    /// Is everything durable?
    pub(crate) fn is_durable(&self) -> bool {
        self.durable.load(Ordering::Acquire) >= self.driver.revision()
    }

    /// The wheel let go of its entry. If the entity was loaded since, it has one of before again.
    pub(crate) fn disarmed(&mut self) {
        self.armed = self.driver.due();
        self.host.wheel.arm(&self.stream, self.armed);
    }

    /// The wheel of errands let go of its entry.
    pub(crate) fn errand_begun(&mut self) {
        self.errand = None;
    }

    /// Tells the wheel of errands when it is the next one's turn. One that is due and on its way stays.
    pub(crate) fn arm_errand(&mut self, now: Timestamp) {
        if self.errand.is_some_and(|errand| errand <= now) {
            return;
        }
        let next = M::errand(self.driver.state(), now);
        if next != self.errand {
            self.errand = next;
            self.host.errands.arm(&self.stream, next);
        }
    }

    /// Tells the wheel when the entity next needs a tick.
    pub(crate) fn arm(&mut self) {
        let due = self.driver.due();
        if due != self.armed {
            self.armed = due;
            self.host.wheel.arm(&self.stream, due);
        }
    }

    /// Queues the events of a step; `releases` are let go when they, and everything before them, are durable.
    pub(crate) fn submit(
        &mut self,
        addr: &Addr<Entity<M>>,
        events: Vec<M::Event>,
        effects: Vec<M::Effect>,
        now: Timestamp,
        said: Said,
        releases: Vec<Release>,
    ) {
        if let Some((append, done)) = self.prepare(addr, events, effects, now, said, releases) {
            self.host.writer.commit(append, done);
            self.keep_snapshot();
        }
    }

    /// As [`Memory::submit`], but leaves it to the caller to hand the append to the writer, before the next one of
    /// this entity, and to keep a snapshot after that. There is none when nothing happened.
    pub(crate) fn prepare(
        &mut self,
        addr: &Addr<Entity<M>>,
        events: Vec<M::Event>,
        effects: Vec<M::Effect>,
        now: Timestamp,
        said: Said,
        mut releases: Vec<Release>,
    ) -> Option<Write> {
        self.answer_waiting(now, &mut releases);
        self.arm_errand(now);
        let revision = self.driver.revision();
        let (durable, doomed, host) = (self.durable.clone(), self.doomed.clone(), self.host.clone());
        if events.is_empty() {
            if !effects.is_empty() {
                let (host, id) = (host.clone(), self.stream.id.clone());
                let send: Release = Box::new(move |durable| {
                    if durable.is_ok() {
                        effects.into_iter().for_each(|effect| perform::<M>(&host, &id, effect));
                    }
                });
                releases.insert(0, send);
            }
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
            return None;
        }
        let stream = self.stream.clone();
        let mut append = AppendBuilder::new(stream.clone(), revision - events.len() as u64, self.hash);
        let by = |n: usize| said.by.as_ref().filter(|_| n >= said.settled);
        let mut numbered = events.iter().enumerate();
        if let Err(fault) = numbered.try_for_each(|(n, event)| append.push_by(now, by(n), event)) {
            let failure = Failure::Refused(fault);
            let _ = doomed.set(failure.clone());
            addr.do_send(Doom);
            releases.into_iter().for_each(|release| release(Err(failure.clone())));
            return None;
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
        let append = append.finish(due, said.key);
        self.hash = append.hash;
        let notices = if host.bus.has_listeners() {
            M::notices(&host.config, &stream.id, self.driver.state(), &events)
        } else {
            vec![]
        };
        self.arm();
        let (addr, asker, settled) = (addr.clone(), said.by, said.settled);
        let done = move |result: Result<_, Failure>| match result {
            Ok(_) => {
                durable.fetch_max(revision, Ordering::AcqRel);
                M::observe(&host.counters, &stream.id, &events);
                for (n, event) in events.iter().enumerate() {
                    let by = asker.as_ref().filter(|_| n >= settled);
                    host.counters.note_asked::<M>(&stream.id, by, event);
                }
                M::follow(&host, &stream.id, &events);
                // Begun before the answer goes, so that whoever waits for effects after it sees them.
                effects.into_iter().for_each(|effect| perform::<M>(&host, &stream.id, effect));
                releases.into_iter().for_each(|release| release(Ok(())));
                notices.into_iter().for_each(|notice| host.bus.publish(notice));
            }
            Err(failure) => {
                let _ = doomed.set(failure.clone());
                addr.do_send(Doom);
                if host.writer.failure().is_some() {
                    host.needs.close();
                }
                releases.into_iter().for_each(|release| release(Err(failure.clone())));
            }
        };
        Some((append, Box::new(done)))
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
    pub(crate) fn keep_snapshot(&mut self) {
        let revision = self.driver.revision();
        if revision < self.next_snapshot {
            return;
        }
        let Ok(state) = encode(self.driver.state()) else { return };
        let pause = self.host.config.snapshot_every.max((state.len() / SMALL_EVENT) as u64);
        self.next_snapshot = revision + pause;
        let snapshot = Snapshot { revision, hash: self.hash, version: M::STATE_VERSION, state };
        let (host, stream) = (self.host.clone(), self.stream.clone());
        // Saved behind the append it includes: one that is ahead of the journal would, after a crash, stand for a
        // past that never was.
        self.host.writer.barrier(Box::new(move |result| {
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
}

pub(crate) fn lost() -> Failure {
    Failure::Unknown(Fault::Unavailable {
        reason: "an append before this read did not become durable".into(),
    })
}
