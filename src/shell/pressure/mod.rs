//! Back-pressure between the parties of this process: what managers signal, and what workers and gates make of it.
//!
//! ```text
//!  load record ── level ──► signal on every message of a manager
//!                                │
//!            to a worker ◄───────┴───────► to a gate
//!         level of its managers            level of each datacenter
//!                │                                │
//!  reports of progress: at once, or held     progress on its way to a datacenter: on, paced or refused
//!  and paced, the newest of each workflow
//! ```
//!
//! Signals answer: each is made when the message goes out, so after what the message answers was taken. Reports of
//! progress make the level together with the statistics on record; see [`places`]. While the level is not known (nobody
//! asked the record since the start) a message says nothing of it, and receivers keep what they knew; nothing but a
//! known level none clears a pressure. To a gate a signal holds over several reports of its manager, so that the gate
//! does not forget the level between two of them.
//!
//! Only reports that a workflow still runs are held. The first report of a workflow and its end go at once at every
//! level, and take the place of what was held of it. A held report was checked when it came, and is lost with the
//! process: counts are cumulative, so the next one repairs the picture. What is dropped is counted, and comes on record as
//! it is dropped; the next report of the workflow, by whichever way it goes, tells its manager how many there were.
//!
//! A gate paces instead of holding: at throttle and batch one report of progress of a job per delay is let on and the
//! others are told when to come again, so that who waits is the one who knows the newest count.
//!
//! Everything here is memory. After a restart nobody has asked for anything.
//!
//! # Sources
//! As [`core::pressure`](crate::core::load::pressure).

mod places;
mod side;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use self::places::Places;
pub(crate) use self::places::{arrived, know_level, look_again};
use self::side::{Dropped, Side};
use crate::core::jobs::gate::Gate;
use crate::core::jobs::protocol::message::{Message, Party, WorkflowOutcome};
use crate::core::jobs::worker::{self, Report, Worker, WorkerMachine};
use crate::core::kernel::Machine;
use crate::core::kernel::ids::{EntityId, StreamId, StreamKind};
use crate::core::kernel::time::Timestamp;
use crate::core::load::pressure::{Applied, DecayConfig, FlushCounts, Forwarding, GatePressure};
use crate::core::load::record::{Command, LoadMachine};
use crate::core::load::shed::{Invalid, Label, MessageKind};
use crate::core::load::stats::{Decoded, Level, Signal, SignalConfig, Signaller, WireSignal};
use crate::shell::entity::Action;
use crate::shell::host::Host;
use crate::shell::hosts::track;
use crate::shell::load::load_id;
use crate::shell::lock;
use crate::shell::runtime::ask;
use crate::shell::tell::tell;

/// Most jobs of which is remembered when their progress was last let on.
const MOST_PACED: usize = 4_096;

/// The manager of a datacenter. A node that manages several is as many managers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Manager {
    pub(crate) datacenter: EntityId,
    pub(crate) node: EntityId,
}

/// A level and the delay that goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) level: Level,
    pub(crate) delay: Duration,
}

/// How a worker stands towards its managers.
#[derive(Clone, Debug, Default)]
pub(crate) struct WorkerSight {
    pub(crate) managers: Vec<(Manager, Asked)>,
    pub(crate) counts: FlushCounts,
    pub(crate) held: usize,
    pub(crate) next_at: Option<Timestamp>,
}

/// How a datacenter stands, as the gates of this process have it.
#[derive(Clone, Debug)]
pub(crate) struct DatacenterSight {
    pub(crate) datacenter: EntityId,
    pub(crate) asked: Asked,
    pub(crate) managers: Vec<(Manager, Asked)>,
    /// Reports of progress not let on to it.
    pub(crate) refused: u64,
}

/// Progress is not let on to a datacenter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotOn {
    pub(crate) level: Level,
    pub(crate) retry_after: Duration,
}

/// What the parties of this process know of each other's load.
pub(crate) struct Pressure {
    inner: Mutex<Inner>,
}

struct Inner {
    /// What makes the level of this node.
    places: Places,
    signaller: Signaller,
    workers: BTreeMap<EntityId, Side>,
    due: BTreeSet<(Timestamp, EntityId)>,
    gate: GatePressure<EntityId, Manager>,
    /// The managers of each job at its gate.
    led: BTreeMap<EntityId, BTreeSet<Manager>>,
    /// When progress of a job was last let on, by datacenter and job.
    let_on: BTreeMap<(EntityId, EntityId), Timestamp>,
    refused: BTreeMap<EntityId, u64>,
}

/// The wheel's entry of all workers together.
fn timer() -> StreamId {
    match EntityId::new("pressure") {
        Ok(id) => StreamId::new(StreamKind::Load, id),
        Err(e) => unreachable!("the timer has a valid id: {e}"),
    }
}

/// Is this the entry of the timer?
pub(crate) fn is_timer(stream: &StreamId) -> bool {
    *stream == timer()
}

fn manager_of(party: &Party) -> Option<Manager> {
    match party {
        Party::Manager { datacenter, node } => {
            Some(Manager { datacenter: datacenter.clone(), node: node.node.clone() })
        }
        Party::Gate(_) | Party::Worker(_) => None,
    }
}

/// Who leads the jobs of a worker; none when it serves nobody.
pub(crate) fn leaders(worker: &Worker) -> Option<BTreeMap<EntityId, Manager>> {
    let datacenter = worker.datacenter.as_ref().filter(|_| worker.phase != worker::Phase::Absent)?;
    let led = |(job_id, job): (&EntityId, &worker::Job)| {
        (job_id.clone(), Manager { datacenter: datacenter.clone(), node: job.leader.node.clone() })
    };
    Some(worker.jobs.iter().map(led).collect())
}

/// Who leads a job in its datacenters; nobody when it has ended.
pub(crate) fn managers(gate: &Gate) -> BTreeSet<Manager> {
    let all = gate.datacenters().filter(|_| gate.finished.is_none()).into_iter().flatten();
    all.map(|(name, dc)| Manager { datacenter: name.clone(), node: dc.leader.node.clone() }).collect()
}

/// Reads a signal, and says so where it is of a kind nobody here knows.
fn decode(signal: Option<&WireSignal>) -> Decoded {
    let decoded = signal.map_or(Decoded::Unknown, |wire| SignalConfig::default().decode(wire));
    if let (Decoded::Newer(_), Some(wire)) = (decoded, signal) {
        tracing::warn!(level = wire.backpressure_level, "a level nobody here knows; it is taken for reject");
    }
    decoded
}

fn note(applied: Applied, from: &Manager, to: &str) {
    if let Applied::Changed { from: old, to: new } = applied {
        let (datacenter, node) = (&from.datacenter, &from.node);
        tracing::info!(%datacenter, %node, to, from = old.name(), level = new.name(), "back-pressure changed");
    }
}

impl Inner {
    fn side(&mut self, worker: &EntityId) -> Result<&mut Side, Invalid> {
        if !self.workers.contains_key(worker) {
            self.workers.insert(worker.clone(), Side::new(worker)?);
        }
        self.workers.get_mut(worker).ok_or_else(|| Invalid::new("worker", worker, "a worker"))
    }

    fn forget(&mut self, worker: &EntityId) {
        if let Some(due) = self.workers.remove(worker).and_then(|side| side.due) {
            self.due.remove(&(due, worker.clone()));
        }
    }

    /// Sends what is due of a worker, and sets its next time.
    fn pump(&mut self, worker: &EntityId, now: Timestamp) -> Vec<(u64, Vec<Report>)> {
        let Some(side) = self.workers.get_mut(worker) else { return Vec::new() };
        let sent = side.flush(now);
        let next = side.next(now);
        let before = std::mem::replace(&mut side.due, next);
        if let Some(before) = before {
            self.due.remove(&(before, worker.clone()));
        }
        if let Some(next) = next {
            self.due.insert((next, worker.clone()));
        }
        sent
    }

    fn next(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| *at)
    }
}

impl Pressure {
    /// Nobody asked for anything. `epoch` is that of the process.
    ///
    /// # Errors
    /// [`Invalid`] for knobs that do not fit.
    pub(crate) fn new(epoch: u64) -> Result<Self, Invalid> {
        let inner = Inner {
            places: Places::default(),
            signaller: Signaller::new(SignalConfig::default(), epoch)?,
            workers: BTreeMap::new(),
            due: BTreeSet::new(),
            gate: GatePressure::new(DecayConfig::default())?,
            led: BTreeMap::new(),
            let_on: BTreeMap::new(),
            refused: BTreeMap::new(),
        };
        Ok(Pressure { inner: Mutex::new(inner) })
    }

    /// The level managers of this node signal; none while it is not known.
    pub(crate) fn own_level(&self, now: Timestamp) -> Option<Level> {
        lock(&self.inner).places.level(now)
    }

    /// The level managers of this node signal once the reports that are on their way to them are counted.
    pub(crate) fn level_after(&self, reports: usize, now: Timestamp) -> Option<Level> {
        lock(&self.inner).places.level_after(reports, now)
    }

    /// Reports of progress that are not among the statistics on record.
    pub(crate) fn unrecorded(&self, now: Timestamp) -> usize {
        lock(&self.inner).places.unrecorded(now)
    }

    /// The signal of a message that goes out for a manager; one to a gate holds for at least so long.
    pub(crate) fn stamp(&self, message: &mut Message, now: Timestamp, to_gates: Duration) {
        if manager_of(&message.from).is_some() {
            let mut inner = lock(&self.inner);
            let level = inner.places.level(now);
            let signal: Option<Signal> = level.map(|level| {
                let signal = inner.signaller.signal(level, None);
                let ttl = match &message.to {
                    Party::Gate(_) => Some(DecayConfig::default().holds(&signal).max(to_gates)),
                    Party::Manager { .. } | Party::Worker(_) => signal.ttl,
                };
                Signal { ttl, ..signal }
            });
            message.signal = signal.as_ref().map(WireSignal::from);
        }
    }

    /// A worker took a message; `leaders` are those of its jobs after it, none when it serves nobody any more.
    pub(crate) fn worker_heard(
        &self,
        host: &Arc<Host>,
        worker: &EntityId,
        (from, signal): (&Party, Option<&WireSignal>),
        leaders: Option<BTreeMap<EntityId, Manager>>,
    ) {
        let now = host.clock.now();
        let mut inner = lock(&self.inner);
        let Some(leaders) = leaders else {
            inner.forget(worker);
            return self.arm(host, &inner);
        };
        let Ok(side) = inner.side(worker) else { return };
        side.led_by(leaders, now);
        if let Some(from) = manager_of(from).filter(|from| side.leaders.values().any(|led| led == from)) {
            note(side.peers.apply_decoded(&from, decode(signal), now), &from, worker.as_str());
        }
        self.pump(host, inner, worker, now);
    }

    /// A gate took a message, or refused to look at it; `managers` lead the job after it.
    pub(crate) fn gate_heard(
        &self,
        now: Timestamp,
        job: &EntityId,
        (from, signal): (&Party, Option<&WireSignal>),
        managers: Option<BTreeSet<Manager>>,
    ) {
        let mut inner = lock(&self.inner);
        let inner = &mut *inner;
        if let Some(managers) = managers {
            let ended = managers.is_empty();
            let before = inner.led.insert(job.clone(), managers).unwrap_or_default();
            if ended {
                inner.led.remove(job);
            }
            let leads = |manager: &Manager| inner.led.values().any(|led| led.contains(manager));
            // The end of a job says nothing of its managers; one that was replaced is gone.
            let gone: Vec<Manager> =
                if ended { Vec::new() } else { before.into_iter().filter(|one| !leads(one)).collect() };
            gone.iter().for_each(|manager| inner.gate.remove(manager));
        }
        let leads = |from: &Manager| inner.led.get(job).is_some_and(|led| led.contains(from));
        if let Some(from) = manager_of(from).filter(leads) {
            let decoded = decode(signal);
            if decoded != Decoded::Unknown {
                note(inner.gate.apply(&from.datacenter, &from, decoded, now), &from, "gate");
            }
        }
    }

    /// May progress of a job go on to its datacenter?
    ///
    /// # Errors
    /// [`NotOn`], counted: what is asked there, and when to come again.
    pub(crate) fn progress_to(
        &self,
        datacenter: &EntityId,
        job: &EntityId,
        now: Timestamp,
    ) -> Result<(), NotOn> {
        let mut inner = lock(&self.inner);
        let inner = &mut *inner;
        let level = inner.gate.level(datacenter, now).unwrap_or_default();
        let pause = match inner.gate.forwarding(datacenter, Label::of(MessageKind::JobProgress), false, now) {
            Forwarding::Forward => return Ok(()),
            Forwarding::Hold { delay } => Some(delay),
            Forwarding::Combine => Some(inner.gate.delay(datacenter, now)),
            Forwarding::Drop { retry_after } => {
                return Err(inner.refuse(datacenter, NotOn { level, retry_after }));
            }
        };
        let pause = pause.unwrap_or_default();
        let key = (datacenter.clone(), job.clone());
        let left = inner.let_on.get(&key).map(|last| pause.saturating_sub(now.since(*last)));
        if let Some(retry_after) = left.filter(|left| !left.is_zero()) {
            return Err(inner.refuse(datacenter, NotOn { level, retry_after }));
        }
        if inner.let_on.len() >= MOST_PACED {
            inner.let_on.retain(|_, last| now.since(*last) < pause);
        }
        inner.let_on.insert(key, now);
        Ok(())
    }

    /// The worst level any datacenter asks for.
    pub(crate) fn overall(&self, now: Timestamp) -> Level {
        lock(&self.inner).gate.overall(now)
    }

    /// Does anybody ask this worker for anything?
    pub(crate) fn presses(&self, worker: &EntityId, now: Timestamp) -> bool {
        lock(&self.inner).workers.get(worker).is_some_and(|side| side.peers.level(now) > Level::None)
    }

    /// Holds a report that was found good until its turn comes. Gives how long that is at the least; zero when it is on
    /// its way.
    ///
    /// # Errors
    /// What a worker says to a count that fell; a report that was held counts as one that was made.
    pub(crate) fn hold(
        &self,
        host: &Arc<Host>,
        worker: &EntityId,
        mut report: Report,
        leaders: BTreeMap<EntityId, Manager>,
    ) -> Result<Duration, worker::Rejection> {
        let now = host.clock.now();
        let mut inner = lock(&self.inner);
        let refused = |invalid: Invalid| worker::Rejection::Invalid {
            field: invalid.field,
            given: invalid.given,
            expected: invalid.expected.to_owned(),
        };
        let side = inner.side(worker).map_err(refused)?;
        let key = (report.job_id.clone(), report.workflow_id.clone());
        let before = side.reports.get(&key).filter(|before| before.dispatch_token == report.dispatch_token);
        if let Some(held) = before.and_then(|before| before.completed_count) {
            let given = *report.completed_count.get_or_insert(held);
            if given < held {
                return Err(worker::Rejection::CountFell { held, given });
            }
        }
        side.led_by(leaders, now);
        let update = side.update(&report, false);
        side.planner.offer(update, now).map_err(refused)?;
        side.reports.insert(key, report);
        let wait = side.next(now).map(|next| next.since(now)).unwrap_or_default();
        self.pump(host, inner, worker, now);
        Ok(wait)
    }

    /// A report went to the worker at once: what was held of its workflow is older.
    pub(crate) fn reported(&self, host: &Arc<Host>, worker: &EntityId, report: &Report) {
        let now = host.clock.now();
        let mut inner = lock(&self.inner);
        let Some(side) = inner.workers.get_mut(worker) else { return };
        if !side.leaders.contains_key(&report.job_id) {
            return;
        }
        let update = side.update(report, true);
        if side.planner.offer(update, now).is_ok() {
            let leaders = &side.leaders;
            for sent in side.planner.shutdown(|job| leaders.get(job).cloned(), now) {
                side.planner.acked(sent.id);
            }
        }
        side.planner.told(&report.job_id);
        side.tidy();
        self.pump(host, inner, worker, now);
    }

    /// Time has passed. Gives when to come again.
    pub(crate) fn tick(&self, host: &Arc<Host>) -> Option<Timestamp> {
        let now = host.clock.now();
        let due: Vec<EntityId> = {
            let inner = lock(&self.inner);
            inner.due.iter().take_while(|(at, _)| *at <= now).map(|(_, worker)| worker.clone()).collect()
        };
        for worker in due {
            self.pump(host, lock(&self.inner), &worker, now);
        }
        lock(&self.inner).next()
    }

    fn pump(
        &self,
        host: &Arc<Host>,
        mut inner: std::sync::MutexGuard<'_, Inner>,
        worker: &EntityId,
        now: Timestamp,
    ) {
        let sent = inner.pump(worker, now);
        let dropped = inner.workers.get_mut(worker).map(Side::take_dropped).unwrap_or_default();
        self.arm(host, &inner);
        drop(inner);
        note_drops(host, worker, dropped);
        for (id, reports) in sent {
            let (surroundings, worker) = (host.clone(), worker.clone());
            track(host, async move {
                let mut arrived = true;
                for report in reports {
                    let action = Action::Command(worker::Command::Report(Box::new(report)), None);
                    match ask(&surroundings, &surroundings.kinds.workers, &worker, action, |view| view.reply)
                        .await
                    {
                        Ok(Some(Err(rejection))) => {
                            tracing::debug!(%worker, %rejection, "a report that waited is of no use any more");
                        }
                        Ok(Some(Ok(_)) | None) => {}
                        Err(failure) => {
                            tracing::warn!(%worker, ?failure, "a report that waited was not taken; it waits on");
                            arrived = false;
                        }
                    }
                }
                surroundings.pressure.settled(&surroundings, &worker, id, arrived);
            });
        }
    }

    /// What went out was taken, or goes out again.
    fn settled(&self, host: &Arc<Host>, worker: &EntityId, id: u64, arrived: bool) {
        let now = host.clock.now();
        let mut inner = lock(&self.inner);
        let Some(side) = inner.workers.get_mut(worker) else { return };
        if arrived {
            side.planner.acked(id);
        } else {
            side.planner.failed(id, now);
        }
        side.tidy();
        self.pump(host, inner, worker, now);
    }

    fn arm(&self, host: &Arc<Host>, inner: &Inner) {
        host.wheel.arm(&timer(), inner.next());
    }

    /// How a worker stands; nobody asked for anything when it is not known.
    pub(crate) fn worker(&self, worker: &EntityId, now: Timestamp) -> WorkerSight {
        let inner = lock(&self.inner);
        let Some(side) = inner.workers.get(worker) else { return WorkerSight::default() };
        let all =
            side.peers.all(now).map(|(manager, level, delay)| (manager.clone(), Asked { level, delay }));
        WorkerSight {
            managers: all.collect(),
            counts: side.planner.counts(),
            held: side.planner.held(),
            next_at: side.due,
        }
    }

    /// How the datacenters stand that managers told of.
    pub(crate) fn datacenters(&self, now: Timestamp) -> Vec<DatacenterSight> {
        let inner = lock(&self.inner);
        let of = |manager: &Manager| {
            let level = inner.gate.manager_level(manager, now);
            (manager.clone(), Asked { level, delay: inner.gate.manager_delay(manager, now) })
        };
        let sight = |(name, managers): (&EntityId, &BTreeSet<Manager>)| DatacenterSight {
            datacenter: name.clone(),
            asked: Asked {
                level: inner.gate.level(name, now).unwrap_or_default(),
                delay: inner.gate.delay(name, now),
            },
            managers: managers.iter().map(of).collect(),
            refused: inner.refused.get(name).copied().unwrap_or(0),
        };
        inner.gate.datacenters().map(sight).collect()
    }
}

impl Inner {
    fn refuse(&mut self, datacenter: &EntityId, not_on: NotOn) -> NotOn {
        let refused = self.refused.entry(datacenter.clone()).or_default();
        *refused = refused.saturating_add(1);
        not_on
    }
}

/// Puts what was dropped on record: in the record of load, and with the worker, whose next report of the workflow tells
/// its manager.
fn note_drops(host: &Arc<Host>, worker_id: &EntityId, dropped: Vec<Dropped>) {
    if dropped.is_empty() {
        return;
    }
    let mut jobs: BTreeMap<EntityId, u64> = BTreeMap::new();
    for Dropped { job_id, workflow_id, dispatch_token, count } in dropped {
        *jobs.entry(job_id.clone()).or_default() += count;
        let note = worker::Command::NoteDropped { job_id, workflow_id, dispatch_token, count };
        tell::<WorkerMachine>(host, worker_id, note);
    }
    let jobs = jobs.into_iter().collect();
    tell::<LoadMachine>(host, &load_id(), Command::Dropped { worker_id: worker_id.clone(), jobs });
}

/// What becomes of a report: none when it is to go to the worker at once.
pub(crate) async fn hold(
    host: &Arc<Host>,
    worker_id: &EntityId,
    report: &Report,
) -> Option<Result<Duration, worker::Rejection>> {
    if report.outcome != WorkflowOutcome::Running || !host.pressure.presses(worker_id, host.clock.now()) {
        return None;
    }
    let mut report = report.clone();
    let asked = report.clone();
    let seen = ask(host, &host.kinds.workers, worker_id, Action::Read, move |view| {
        let workflow = view.state.jobs.get(&asked.job_id)?.workflows.get(&asked.workflow_id)?;
        let token = workflow.dispatch_token;
        // The first report of a workflow is critical.
        if !workflow.started {
            return None;
        }
        let command = worker::Command::Report(Box::new(asked));
        // What is refused, or says nothing new, is answered as ever.
        let news =
            WorkerMachine::decide(view.state, command, view.now, &()).is_ok_and(|d| !d.events.is_empty());
        leaders(view.state).filter(|_| news).map(|leaders| (token, leaders))
    });
    let (token, leaders) = seen.await.ok().flatten()?;
    report.dispatch_token = Some(token);
    Some(host.pressure.hold(host, worker_id, report, leaders))
}

#[cfg(test)]
#[path = "pressure_test.rs"]
mod tests;
