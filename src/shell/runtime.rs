//! The running whole: opens a store, recovers, serves, and ends cleanly or as a crash would.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::Duration;

use actix::{Actor, Arbiter, System};
use tokio::sync::{oneshot, watch};

use super::access::Asks;
use super::clock::{Clock, Stopwatch};
use super::entity::{Action, Ask, Release, View};
use super::host::{Host, Parts, Permit, wait};
use super::hosts::{Hosted, stops_id, subjects_id};
use super::load::{self, AdmissionController};
use super::lock;
use super::memory::read_state;
use super::pressure::Pressure;
use super::registry::Registry;
use super::stops::StopOrder;
use super::subjects::Subjects;
use super::supervisor::recovery::{self, RecoveryReport};
use super::supervisor::restart::RestartSupervisor;
use super::supervisor::timeouts::{self, Timeouts};
use super::transparency::{self, Transparency};
use super::writer::{Failure, Writer};
use crate::config::{ClockConfig, Config};
use crate::core::kernel::ids::{EntityId, StreamId, StreamKind};
use crate::core::kernel::time::{Gap, Timestamp};
use crate::core::load::shed::Invalid;
use crate::core::trust::stop::{Acting, StopsMachine};
use crate::core::trust::subject::SubjectsMachine;
use crate::journal::codec::encode;
use crate::journal::{Epoch, Fault, Position, Store};

/// Records between two times the counters are kept; bounds what opening reads again.
const COUNTERS_EVERY: u64 = 50_000;

/// Threads that read the store at the same time, for entities that are loaded and for queries. More of them take memory,
/// and no disk or processor serves as many at once.
const READERS: usize = 32;

/// How long such a thread waits for more to read before it ends.
const READER_RESTS: Duration = Duration::from_secs(2);

/// How a runtime ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// What was accepted is committed, indexes are written, the store is closed.
    Clean,
    /// Everything in memory is dropped, as when the process is killed.
    Crash,
}

/// A running runtime. Ends cleanly when dropped.
pub(crate) struct Runtime {
    host: Arc<Host>,
    report: RecoveryReport,
    system: System,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Sends a request to an entity at once and answers with what `view` makes of its state, once that is durable.
///
/// The request is on its way when this returns, before the future is polled: two commands in a row reach one entity
/// in that order, and may pass reads and progress; see [`lanes`](super::lanes). Dropping the future cancels nothing.
pub(crate) fn ask<M: Hosted, R: Send + 'static>(
    caller: &impl Asks,
    registry: &Registry<M>,
    id: &EntityId,
    action: Action<M>,
    view: impl FnOnce(View<'_, M>) -> R + Send + 'static,
) -> Answer<R> {
    ask_acting(caller, registry, id, action, Acting::default(), view)
}

/// The same, where more is known of who acts than the command says.
pub(crate) fn ask_acting<M: Hosted, R: Send + 'static>(
    caller: &impl Asks,
    registry: &Registry<M>,
    id: &EntityId,
    action: Action<M>,
    also: Acting,
    view: impl FnOnce(View<'_, M>) -> R + Send + 'static,
) -> Answer<R> {
    let host = caller.host();
    let (answer, answered) = oneshot::channel();
    let mut kept = None;
    let admitted = match &action {
        Action::Command(..) | Action::Alone(..) if host.reads_only => Err(reads_only()),
        other => host.admit(matches!(other, Action::Until(..))),
    };
    match admitted {
        Err(fault) => {
            let _ = answer.send(Err(Failure::Refused(fault)));
        }
        Ok(permit) => {
            let measured = matches!(action, Action::Command(..)) && !host.clock.is_manual();
            let since = measured.then(|| (host.admission.clone(), Stopwatch::start()));
            // Who waits for a state gives the place back by no longer waiting; other requests are carried out to
            // their end even when nobody waits.
            let travels = match action {
                Action::Until(..) => {
                    kept = Some(permit);
                    None
                }
                Action::Command(..) | Action::Alone(..) | Action::Read => Some(permit),
            };
            let respond = move |seen: Result<View<'_, M>, Failure>| -> Option<Release> {
                match seen {
                    Ok(seen) => {
                        let prepared = view(seen);
                        Some(Box::new(move |durable| {
                            // First, so that the next request of the same caller finds the place free.
                            drop(travels);
                            if let Some((admission, since)) = since {
                                admission.answers.note(since);
                            }
                            let _ = answer.send(durable.map(|()| prepared));
                        }))
                    }
                    Err(failure) => {
                        drop(travels);
                        let _ = answer.send(Err(failure));
                        None
                    }
                }
            };
            let by = caller.by().cloned();
            registry.ask(host, id, Ask { action, by, also, respond: Box::new(respond) });
        }
    }
    Answer { answered, _kept: kept }
}

fn reads_only() -> Fault {
    Fault::Unavailable { reason: "the folder is open for reading only; nothing was done".into() }
}

/// The answer to a request, once it may be known.
pub(crate) struct Answer<R> {
    answered: oneshot::Receiver<Result<R, Failure>>,
    _kept: Option<Permit>,
}

impl<R> Future for Answer<R> {
    type Output = Result<R, Failure>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.answered).poll(context).map(|answer| {
            answer.unwrap_or_else(|_| {
                // The actor died with the request in hand, or the runtime ended: nobody can say what became of it.
                let reason = "the entity stopped before it answered; ask again".to_owned();
                Err(Failure::Unknown(Fault::Unavailable { reason }))
            })
        })
    }
}

impl Runtime {
    /// Opens the store, takes ownership, recovers, and only then returns. Blocks its thread.
    pub(crate) fn open(config: Config, store: Arc<dyn Store>) -> Result<Self, Fault> {
        config.check()?;
        let owner = format!("quorate {} pid {}", env!("CARGO_PKG_VERSION"), std::process::id());
        let epoch = wait(store.acquire(&owner))?;
        Self::start(config, store, Some(epoch))
    }

    /// Opens a store to read what is on record, at the instant of the last record. Nothing is written, owned or
    /// closed. Blocks its thread.
    #[cfg(feature = "store-sled")]
    pub(crate) fn open_to_read(config: Config, store: Arc<dyn Store>) -> Result<Self, Fault> {
        config.check()?;
        Self::start(config, store, None)
    }

    /// Starts what an owner of this epoch needs; nobody owns a store that is only read.
    fn start(config: Config, store: Arc<dyn Store>, owned: Option<Epoch>) -> Result<Self, Fault> {
        let reads_only = owned.is_none();
        let epoch = owned.unwrap_or_default();
        let tip = wait(store.tip())?;
        let note = if reads_only { None } else { recovery::noted(store.as_ref())? };
        let clock = Arc::new(match config.clock {
            _ if reads_only => Clock::manual(tip.at),
            ClockConfig::System => Clock::system(tip.at, note.as_ref().map(|note| &note.mark)),
            ClockConfig::Manual(start) if tip.position == 0 => Clock::manual(start),
            ClockConfig::Manual(start) => Clock::manual(start.max(tip.at)),
        });
        let last_alive = recovery::last_alive(store.as_ref(), &tip, note.as_ref())?;
        if !reads_only {
            recovery::note_opening(store.as_ref(), &clock, last_alive, config.jobs.take_over);
        }
        let unfit = |invalid: Invalid| Fault::Config {
            knob: invalid.field,
            value: invalid.given,
            range: invalid.expected.to_owned(),
        };
        let admission = AdmissionController::new(&config.shedding, clock.now()).map_err(unfit)?;
        let pressure = Pressure::new(epoch).map_err(unfit)?;
        let (counters, records_counted) = recovery::counters(store.as_ref())?;
        let counters = Arc::new(counters);
        let (kept, keeper) = (counters.clone(), store.clone());
        let last_kept = Mutex::new(tip.position);
        let bell = watch::Sender::new(tip.position);
        let ring = bell.clone();
        let on_group = Box::new(move |position: Position| {
            ring.send_replace(position);
            let mut last = lock(&last_kept);
            if position >= *last + COUNTERS_EVERY {
                *last = position;
                keep_counters(keeper.as_ref(), &kept, position);
            }
        });
        // In force before anybody is served, and before what is due is settled.
        let stops = StopOrder::default();
        let stream = StreamId::new(StreamKind::Stops, stops_id());
        match read_state::<StopsMachine>(store.as_ref(), &stream) {
            Ok(kept) => stops.set(&kept),
            // Nobody acts where it is only read, whatever can be read.
            Err(fault) if reads_only => tracing::warn!(%fault, "what is stopped cannot be read"),
            Err(fault) => return Err(fault),
        }
        let stream = StreamId::new(StreamKind::Subjects, subjects_id());
        match read_state::<SubjectsMachine>(store.as_ref(), &stream) {
            Ok(kept) => *lock(&counters.subjects) = kept,
            // What is sealed is shown as it is stored then.
            Err(fault) if reads_only => tracing::warn!(%fault, "whose data is sealed cannot be read"),
            Err(fault) => return Err(fault),
        }
        let in_flight = Arc::default();
        let writer = Writer::start(
            store.clone(),
            epoch,
            clock.clone(),
            config.group_bytes,
            Arc::clone(&in_flight),
            on_group,
        )?;
        let (started, parts) = std::sync::mpsc::channel();
        let threads = config.entity_threads;
        let thread = std::thread::Builder::new()
            .name("quorate-system".into())
            .spawn(move || run_system(threads, &started))
            .map_err(|e| Fault::Unavailable { reason: format!("no thread for the actor system: {e}") })?;
        let (system, tokio, arbiters) = parts
            .recv()
            .map_err(|_| Fault::Unavailable { reason: "the actor system did not start".into() })?;
        let opened = store.open_report();
        let transparency = Transparency::new(&config, store.clone(), reads_only, opened.accepted_loss);
        let report = RecoveryReport { store: opened, records_counted, ..Default::default() };
        let host = Arc::new(Host::new(Parts {
            config,
            epoch,
            clock,
            last_alive,
            reads_only,
            opened_at: tip.position,
            admission,
            pressure,
            store,
            writer,
            stops,
            transparency,
            in_flight,
            counters,
            bell,
            tokio,
            arbiters,
        }));
        let mut runtime = Runtime { host, report, system, thread: Mutex::new(Some(thread)) };
        runtime.recover()?;
        Ok(runtime)
    }

    fn recover(&mut self) -> Result<(), Fault> {
        let now = self.host.clock.now();
        let recovery::Open { tracked, mut resuming } = recovery::deadlines(&self.host)?;
        if self.host.reads_only {
            self.report.tracked = tracked;
            self.report.overdue = recovery::passed(self.host.store.as_ref(), Clock::system(now, None).now())?;
            return Ok(());
        }
        if self.host.away.gap == Gap::Command {
            resuming.clear();
        }
        self.report.tracked = tracked;
        recovery::unwell_agents(&self.host);
        if self.report.store.accepted_loss {
            load::note_loss(&self.host, self.report.store.dropped.clone());
        }
        let host = self.host.clone();
        let (done, settled) = std::sync::mpsc::channel();
        self.host.tokio.spawn(async move {
            Subjects::go_on(&host).await;
            let (count, all) = recovery::overdue(&host, now).await;
            if !all {
                // Served from here on.
                let _ = done.send(count);
                timeouts::settle(&host, now, false).await;
            }
            recovery::custom_rules(&host);
            timeouts::quiet(&host).await;
            if host.clock.is_manual() {
                recovery::resume(&host, resuming).await;
                let _ = done.send(count);
            } else {
                // Nobody hears it who was told already.
                let _ = done.send(count);
                recovery::resume(&host, resuming).await;
            }
        });
        self.report.settled =
            settled.recv().map_err(|_| Fault::Unavailable { reason: "recovery was cut off".into() })?;
        if let Some(fault) = self.host.writer.failure() {
            return Err(fault);
        }
        let host = self.host.clone();
        let manual = self.host.clock.is_manual();
        if !manual {
            self.host.tokio.spawn(transparency::follow(host.clone()));
        }
        self.system.arbiter().spawn_fn(move || {
            RestartSupervisor::new(host.clone()).start();
            if !manual {
                Timeouts::new(host).start();
            }
        });
        tracing::info!(report = ?self.report, "recovered");
        Ok(())
    }

    /// What actors and handles share.
    pub(crate) fn host(&self) -> &Arc<Host> {
        &self.host
    }

    /// What opening did.
    pub(crate) fn report(&self) -> &RecoveryReport {
        &self.report
    }

    /// Applies every expiry due now, in exact order under a manual clock. On return all of it is durable.
    pub(crate) fn settle(&self) -> impl Future<Output = ()> + Send + 'static {
        let host = self.host.clone();
        async move {
            timeouts::settle(&host, host.clock.now(), host.clock.is_manual()).await;
        }
    }

    /// Moves a manual clock to `to`; every deadline on the way fires at its own instant, in order.
    pub(crate) fn advance(&self, to: Timestamp) -> impl Future<Output = ()> + Send + 'static {
        let host = self.host.clone();
        async move {
            // What is under way began before time moves on.
            timeouts::quiet(&host).await;
            let next =
                || host.wheel.next().into_iter().chain(host.errands.next()).chain(host.mailbox.next()).min();
            while let Some(next) = next().filter(|next| *next <= to) {
                host.clock.move_to(next);
                // What arrives in time counts before what falls due at the same instant.
                timeouts::quiet(&host).await;
                timeouts::settle(&host, host.clock.now(), true).await;
                timeouts::run_errands(&host, host.clock.now(), true).await;
                timeouts::quiet(&host).await;
                if host.writer.failure().is_some() {
                    break;
                }
            }
            host.clock.move_to(to);
            recovery::note_alive(&host, recovery::last_beat(&host), false);
        }
    }

    /// Waits until nothing is under way.
    pub(crate) fn effects_done(&self) -> impl Future<Output = ()> + Send + 'static {
        let host = self.host.clone();
        async move { timeouts::quiet(&host).await }
    }

    /// Ends the runtime and waits until its threads are gone.
    pub(crate) fn end(&self, ending: Ending) -> Result<(), Fault> {
        let Some(thread) = lock(&self.thread).take() else { return Ok(()) };
        // Where nothing was written nothing is to be kept.
        let ending = if self.host.reads_only { Ending::Crash } else { ending };
        if matches!(ending, Ending::Clean) {
            self.host.needs.close();
            self.host.needs.settle();
            self.host.flows.flush_all(&self.host);
            self.host.admission.flush(&self.host);
        }
        self.host.begin_closing();
        self.host.needs.close();
        let closed = match ending {
            Ending::Crash => {
                self.host.writer.abandon();
                Ok(())
            }
            Ending::Clean => {
                self.drain();
                self.host.writer.drain();
                let failure = self.host.writer.failure();
                if failure.is_none() {
                    let store = self.host.store.as_ref();
                    wait(store.tip()).and_then(|tip| {
                        keep_counters(store, &self.host.counters, tip.position);
                        recovery::note_alive(&self.host, self.host.clock.now(), true);
                        wait(store.close())
                    })
                } else {
                    failure.map_or(Ok(()), Err)
                }
            }
        };
        self.system.stop();
        // A panic on the system thread leaves nothing to save: the journal holds what was acknowledged.
        let _ = thread.join();
        closed
    }

    /// Gives requests that were admitted a moment to reach the writer.
    fn drain(&self) {
        for _ in 0..200 {
            if self.host.in_flight() == 0 || self.host.writer.failure().is_some() {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if let Err(fault) = self.end(Ending::Clean) {
            tracing::error!(%fault, "runtime did not close cleanly; nothing acknowledged is lost");
        }
    }
}

fn keep_counters(store: &dyn Store, counters: &super::counters::Counters, position: Position) {
    let kept = encode(&counters.keep())
        .and_then(|bytes| wait(store.save_projection(recovery::COUNTERS, position, bytes)));
    if let Err(fault) = kept {
        tracing::warn!(%fault, "counters not kept; they are counted again at the next open");
    }
}

type SystemParts = (System, tokio::runtime::Handle, Vec<actix::ArbiterHandle>);

fn run_system(threads: usize, started: &std::sync::mpsc::Sender<SystemParts>) {
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(READERS)
        .thread_keep_alive(READER_RESTS)
        .build();
    let tokio = match tokio {
        Ok(tokio) => tokio,
        Err(e) => {
            tracing::error!(error = %e, "no tokio runtime for the actor system");
            return;
        }
    };
    let runner = System::with_tokio_rt(|| tokio);
    let arbiters: Vec<Arbiter> = (0..threads).map(|_| Arbiter::new()).collect();
    let handles = arbiters.iter().map(Arbiter::handle).collect();
    let tokio = runner.block_on(async { tokio::runtime::Handle::current() });
    if started.send((System::current(), tokio, handles)).is_err() {
        return;
    }
    if let Err(e) = runner.run() {
        tracing::error!(error = %e, "actor system ended with an error");
    }
    for arbiter in arbiters {
        arbiter.stop();
        // A panic of an arbiter's thread was noticed by the death watch of its actors.
        let _ = arbiter.join();
    }
}

#[cfg(test)]
#[path = "runtime_test.rs"]
mod tests;
