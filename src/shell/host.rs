//! What every entity actor needs of its surroundings.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::{Notify, watch};

use super::bus::Bus;
use super::clock::Clock;
use super::coordinator::{Coordinator, InProcess};
use super::counters::Counters;
use super::custom::Custom;
use super::fleet::Fleet;
use super::flows::Flows;
use super::hooks::HooksAtWork;
use super::hosts::{AnyRegistry, Kinds};
use super::idle::Waiting;
use super::ids::IdSource;
use super::index::Index;
use super::load::AdmissionController;
use super::needs::Needs;
use super::post::{Direct, Mailbox, Transport};
use super::pressure::Pressure;
use super::refills::Refills;
use super::stops::StopOrder;
use super::subjects::Subjects;
use super::supervisor::restart::Restarts;
use super::supervisor::timeouts::Wheel;
use super::transparency::Transparency;
use super::writer::Writer;
use crate::config::Config;
use crate::core::jobs::protocol::token::TokenBase;
use crate::core::kernel::time::{Downtime, Gap, Timestamp};
use crate::journal::{Epoch, Fault, Position, Store, first_epoch_of_life};

/// The surroundings, shared by all actors and handles of one runtime.
pub(crate) struct Host {
    pub(crate) config: Config,
    pub(crate) clock: Arc<Clock>,
    /// When this runtime began to serve.
    pub(crate) began: Timestamp,
    /// The time before it in which nobody served.
    pub(crate) away: Downtime,
    /// Position of the last record when it began: what comes later was recorded by this runtime.
    pub(crate) opened_at: Position,
    pub(crate) store: Arc<dyn Store>,
    /// Nothing is decided here: every entity is shown as it is on record.
    pub(crate) reads_only: bool,
    /// Held by whoever begins a job under the use of a decision.
    pub(crate) redeeming: tokio::sync::Mutex<()>,
    /// What is known of hooks beside the record.
    pub(crate) hooks: HooksAtWork,
    pub(crate) writer: Writer,
    /// The stops in force.
    pub(crate) stops: StopOrder,
    /// The signed log over all records.
    pub(crate) transparency: Transparency,
    /// The keys of the data subjects.
    pub(crate) subjects: Subjects,
    /// Which records may be meant by a question about all of them.
    pub(crate) index: Arc<Index>,
    pub(crate) wheel: Wheel,
    /// When entities have something to send that is not worth a record.
    pub(crate) errands: Wheel,
    /// Messages between the parties of jobs, repeats among them.
    pub(crate) sent: AtomicU64,
    /// Messages sent again.
    pub(crate) repeated: AtomicU64,
    pub(crate) restarts: Restarts,
    pub(crate) bus: Bus,
    /// The position up to which the journal is durable and told; rung after each group, and at the end.
    pub(crate) bell: watch::Sender<Position>,
    pub(crate) ids: IdSource,
    /// The number of this process's ownership of the journal: which of its lives a node is in.
    pub(crate) epoch: Epoch,
    pub(crate) counters: Arc<Counters>,
    /// The actors, by kind.
    pub(crate) kinds: Kinds,
    /// The way between gates, managers and workers.
    pub(crate) transport: Mutex<Arc<dyn Transport>>,
    /// Messages on their way.
    pub(crate) mailbox: Mailbox,
    /// The managers of other processes, where this one is a node.
    pub(crate) fleet: Fleet,
    /// The live buffers of flow-controlled streams.
    pub(crate) flows: Flows,
    /// Where load is measured and judged.
    pub(crate) admission: Arc<AdmissionController>,
    /// What managers, workers and gates know of each other's load.
    pub(crate) pressure: Arc<Pressure>,
    /// The way to the agents.
    pub(crate) coordinator: Arc<dyn Coordinator>,
    /// Who waits for what becomes of a need.
    pub(crate) needs: Needs,
    /// Who waits for a refill.
    pub(crate) refills: Arc<Refills>,
    /// Jobs that wait for workers.
    pub(crate) waiting: Waiting,
    /// Inboxes of agents in this process.
    pub(crate) in_process: Arc<InProcess>,
    /// Custom rules registered in this process.
    pub(crate) custom: Arc<Custom>,
    /// Where effects run and blocking reads are handed off.
    pub(crate) tokio: tokio::runtime::Handle,
    /// Effects under way; one that rests before another try does not count.
    pub(crate) effects: AtomicUsize,
    /// Told when the last of them ended or rests.
    pub(crate) effects_rest: Notify,
    /// Admitted and not yet answered, apart from those who wait for a state.
    in_flight: Arc<AtomicUsize>,
    /// Those who wait for a state.
    waiters: Arc<AtomicUsize>,
    closing: AtomicBool,
}

/// One admitted request; gives its place back when dropped.
pub(crate) struct Permit(Arc<AtomicUsize>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The parts a host is put together from.
pub(crate) struct Parts {
    pub(crate) config: Config,
    pub(crate) epoch: Epoch,
    pub(crate) clock: Arc<Clock>,
    pub(crate) last_alive: Timestamp,
    pub(crate) reads_only: bool,
    pub(crate) opened_at: Position,
    pub(crate) admission: AdmissionController,
    pub(crate) pressure: Pressure,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) writer: Writer,
    pub(crate) stops: StopOrder,
    pub(crate) transparency: Transparency,
    pub(crate) in_flight: Arc<AtomicUsize>,
    pub(crate) bell: watch::Sender<Position>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) tokio: tokio::runtime::Handle,
    pub(crate) arbiters: Vec<actix::ArbiterHandle>,
}

impl Host {
    pub(crate) fn new(parts: Parts) -> Self {
        let in_process = Arc::new(InProcess::new(parts.counters.clone()));
        Host {
            ids: IdSource::new(parts.config.seed, parts.epoch, parts.config.shard.clone()),
            epoch: parts.epoch,
            restarts: Restarts::new(parts.config.restart.clone()),
            kinds: Kinds::new(&parts.arbiters),
            fleet: Fleet::default(),
            flows: Flows::default(),
            admission: Arc::new(parts.admission),
            pressure: Arc::new(parts.pressure),
            coordinator: parts.config.coordinator.clone().unwrap_or_else(|| in_process.clone()),
            transport: Mutex::new(parts.config.transport.clone().unwrap_or_else(|| Arc::new(Direct))),
            mailbox: Mailbox::new(parts.clock.clone()),
            needs: Needs::default(),
            refills: Arc::default(),
            waiting: Waiting::default(),
            in_process,
            custom: Arc::new(Custom::new(parts.config.custom_rules.clone())),
            away: Downtime {
                last_alive: parts.last_alive.min(parts.clock.now()),
                began: parts.clock.now(),
                gap: if parts.config.jobs.take_over { Gap::Restart } else { Gap::Command },
            },
            opened_at: parts.opened_at,
            transparency: parts.transparency,
            index: Arc::new(Index::new(&parts.config, parts.reads_only)),
            subjects: Subjects::new(&parts.config, parts.store.as_ref(), parts.counters.clone()),
            config: parts.config,
            began: parts.clock.now(),
            clock: parts.clock,
            store: parts.store,
            reads_only: parts.reads_only,
            redeeming: tokio::sync::Mutex::default(),
            hooks: HooksAtWork::default(),
            writer: parts.writer,
            stops: parts.stops,
            counters: parts.counters,
            tokio: parts.tokio,
            wheel: Wheel::default(),
            errands: Wheel::default(),
            sent: AtomicU64::new(0),
            repeated: AtomicU64::new(0),
            bus: Bus::default(),
            bell: parts.bell,
            effects: AtomicUsize::new(0),
            effects_rest: Notify::new(),
            in_flight: parts.in_flight,
            waiters: Arc::default(),
            closing: AtomicBool::new(false),
        }
    }

    /// Lets one more request in, or one more that waits for a state, unless too many are in flight or the runtime cannot serve it.
    pub(crate) fn admit(&self, waits: bool) -> Result<Permit, Fault> {
        if self.closing.load(Ordering::Acquire) {
            return Err(Fault::Unavailable { reason: "the runtime is closing".into() });
        }
        if let Some(fault) = self.writer.failure() {
            return Err(fault);
        }
        let places = if waits { &self.waiters } else { &self.in_flight };
        let permit = Permit(places.clone());
        if places.fetch_add(1, Ordering::AcqRel) >= self.config.max_in_flight {
            return Err(Fault::Overloaded { limit: self.config.max_in_flight });
        }
        Ok(permit)
    }

    /// Where the tokens of jobs begin in this life of the journal.
    pub(crate) fn token_floor(&self) -> TokenBase {
        TokenBase::of(first_epoch_of_life(self.epoch))
    }

    /// Requests admitted and not yet answered, apart from those who wait for a state: what is worked on.
    pub(crate) fn worked_on(&self) -> usize {
        self.in_flight.load(Ordering::Acquire)
    }

    /// Requests admitted and not yet answered, those who wait for a state among them.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Acquire) + self.waiters.load(Ordering::Acquire)
    }

    /// Since when this process can hear anybody: since it began, or since the last gap in which it could not.
    pub(crate) fn hears_since(&self) -> Timestamp {
        self.clock.last_gap().map_or(self.began, |gap| gap.max(self.began))
    }

    /// How many actors are awake.
    pub(crate) fn awake(&self) -> usize {
        self.kinds.all().map(AnyRegistry::awake).sum()
    }

    /// The most actors that were awake at the same time, counted for each kind by itself.
    pub(crate) fn most_awake(&self) -> usize {
        self.kinds.all().map(AnyRegistry::most_awake).sum()
    }

    /// From here on nothing new is admitted.
    pub(crate) fn begin_closing(&self) {
        self.closing.store(true, Ordering::Release);
        self.bell.send_modify(|_| {});
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// Waits until no effect is under way.
    pub(crate) async fn effects_done(&self) {
        loop {
            let rested = self.effects_rest.notified();
            if self.effects.load(Ordering::Acquire) == 0 {
                return;
            }
            rested.await;
        }
    }

    /// Runs a blocking read of the store where blocking is harmless.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dyn Store) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        // After a failed commit what the store would answer may be ahead of what anyone was told.
        if let Some(fault) = self.writer.failure() {
            return Err(fault);
        }
        let store = self.store.clone();
        match self.tokio.spawn_blocking(move || read(store.as_ref())).await {
            Ok(result) => result,
            Err(e) => Err(Fault::Unavailable { reason: format!("a read was cut off: {e}") }),
        }
    }
}

/// Waits on this thread for a store's answer. For threads on which blocking is harmless.
pub(crate) fn wait<T>(pending: crate::journal::Pending<'_, T>) -> Result<T, Fault> {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(std::thread::current())).into();
    let mut context = std::task::Context::from_waker(&waker);
    let mut pending = pending;
    loop {
        match pending.as_mut().poll(&mut context) {
            std::task::Poll::Ready(result) => return result,
            std::task::Poll::Pending => std::thread::park(),
        }
    }
}
