//! The gates and managers of other processes, as the node of this one sees them: which gets a job, and what becomes of the jobs
//! of one that is gone.
//!
//! ```text
//!  node ── seen ──► managers of each datacenter ──► pick: a new job goes to one of them, by a hash of both names
//!                        │ a manager is dead
//!                        ├──► open jobs at this gate that it led ──► TakeOver ──► another manager of the datacenter
//!                        │ every manager of a datacenter is, and has been for a while
//!                        ├──► open jobs at this gate that it has ──► DatacenterGone ──► another datacenter, or it waits
//!                        │ a gate is dead
//!                        ├──► open jobs here that it led ──► TellGate ──► another gate, the same for all managers
//!                        │ this process stood still, or somebody came back
//!                        └──► open jobs at this gate ──► AskLeads
//! ```
//!
//! A node is gone when it is dead, as far as membership knows, or not known for [`UNKNOWN`]. What it says late is stale by its
//! token or epoch. While there is no other manager in the datacenter, or no other gate, its jobs wait for one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use super::clock::Stopwatch;
use super::dispatches::chain_now;
use super::entity::Action;
use super::heartbeats::Heartbeats;
use super::host::{Host, wait};
use super::jobs::{HERE, LOCAL};
use super::lock;
use super::runtime::ask;
use crate::core::jobs::gate::{self, Others, Seat};
use crate::core::jobs::manager as job;
use crate::core::jobs::protocol::message::{JobDispatch, Leader};
use crate::core::kernel::ids::{EntityId, StreamId, StreamKind};
use crate::core::kernel::rendezvous::weight;
use crate::core::network::member::{MemberState, NodeRole};
use crate::journal::codec::decode;
use crate::journal::{Fault, Store};

/// Between two looks at who is there.
const EVERY: Duration = Duration::from_millis(500);
/// While somebody is gone, or a job has nobody to go to, jobs are looked through again with every so many looks.
const AGAIN: u32 = 10;
/// A manager that nobody knows is gone when this process has been looking for so long: it may only not be found yet.
const UNKNOWN: Duration = Duration::from_secs(60);
/// A process that stood still for so long may have been taken for gone.
const STILL: Duration = Duration::from_secs(2);
/// Entries of the index of deadlines, or records, read at a time.
const PAGE: usize = 1_024;

/// Another node, as the node of this process sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Its name.
    pub node: EntityId,
    /// What it does, where that is known.
    pub role: Option<NodeRole>,
    /// Where it stands, where that is known.
    pub datacenter: Option<EntityId>,
    /// What is believed of it.
    pub state: MemberState,
    /// The highest incarnation that is known of it.
    pub incarnation: u64,
    /// Where it is reached.
    pub addr: String,
    /// What a round trip to it most likely stays below, in ms; none where nothing is known.
    pub rtt_ucb_ms: Option<f64>,
    /// How far that can be relied on, 0 to 1.
    pub quality: f64,
}

impl Seen {
    /// Is it there, as far as anybody knows? One that is suspected is, until it is found to be dead.
    pub(super) fn is_there(&self) -> bool {
        matches!(self.state, MemberState::Alive | MemberState::Suspect)
    }
}

/// The node of this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Own {
    /// Its name.
    pub node: EntityId,
    /// What it does.
    pub role: NodeRole,
    /// Where it stands.
    pub datacenter: EntityId,
}

/// A manager that jobs may go to.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Manager {
    leader: Leader,
    addr: String,
    /// One that is suspected gets a job where there is no other.
    is_sound: bool,
}

/// Which managers there are.
#[derive(Debug, Default)]
pub(crate) struct Fleet {
    own: OnceLock<Own>,
    /// Those that are there, by their datacenters.
    managers: Mutex<BTreeMap<EntityId, Vec<Manager>>>,
    known: Mutex<Arc<Known>>,
}

/// The other nodes, as of the last look.
#[derive(Debug, Default)]
struct Known {
    /// Names that mean this process.
    own: Vec<EntityId>,
    states: BTreeMap<EntityId, MemberState>,
    /// The gates that are there.
    gates: Vec<EntityId>,
    /// A node that is not among them is gone.
    is_complete: bool,
    /// Datacenters with managers that are known, and were not all dead for long enough.
    living: BTreeSet<EntityId>,
    /// Datacenters all of whose managers are dead, and have been for long enough.
    dead: BTreeSet<EntityId>,
}

/// Datacenters without a manager that is there, each since the look that found it so, as time after the first look.
#[derive(Debug, Default)]
struct Dark {
    since: BTreeMap<EntityId, Duration>,
}

impl Dark {
    /// Takes a look, `now` after the first one. The datacenters whose managers are known, of them those all of whose managers
    /// have been dead for `after` or longer. One of which too little is known is not dead.
    fn look(
        &mut self,
        seen: &[Seen],
        now: Duration,
        after: Duration,
    ) -> (BTreeSet<EntityId>, BTreeSet<EntityId>) {
        let managers = seen.iter().filter(|one| one.role == Some(NodeRole::Manager));
        let placed = managers.filter_map(|one| Some((one.datacenter.clone()?, one.state)));
        let mut is_dark: BTreeMap<EntityId, bool> = BTreeMap::new();
        for (datacenter, state) in placed {
            *is_dark.entry(datacenter).or_insert(true) &= state == MemberState::Down;
        }
        self.since.retain(|datacenter, _| is_dark.get(datacenter) == Some(&true));
        for (datacenter, _) in is_dark.iter().filter(|(_, is_dark)| **is_dark) {
            self.since.entry(datacenter.clone()).or_insert(now);
        }
        let is_old = |(_, since): &(&EntityId, &Duration)| now.saturating_sub(**since) >= after;
        let dead: BTreeSet<EntityId> =
            self.since.iter().filter(is_old).map(|(name, _)| name.clone()).collect();
        (is_dark.into_keys().filter(|name| !dead.contains(name)).collect(), dead)
    }
}

impl Known {
    /// Which gate a job gets whose own is gone: the same for everybody who sees the same gates.
    fn successor(&self, of: &EntityId, job_id: &EntityId) -> Option<&EntityId> {
        self.gates.iter().filter(|gate| *gate != of).max_by_key(|gate| rank(gate, job_id))
    }

    /// Is nobody left in this datacenter who could take its jobs, and has that been so for a while?
    fn is_dead(&self, datacenter: &EntityId) -> bool {
        self.dead.contains(datacenter) || (self.is_complete && !self.living.contains(datacenter))
    }
}

impl Others for Known {
    fn is_other(&self, node: &EntityId) -> bool {
        !self.own.contains(node)
    }

    fn is_gone(&self, node: &EntityId) -> bool {
        self.is_other(node)
            && self.states.get(node).map_or(self.is_complete, |state| *state == MemberState::Down)
    }
}

impl Fleet {
    /// The name of the node of this process, if it is one.
    pub(crate) fn me(&self) -> Option<&EntityId> {
        self.own.get().map(|own| &own.node)
    }

    /// Where the node of this process stands, if it manages jobs there.
    pub(crate) fn datacenter(&self) -> Option<&EntityId> {
        self.own.get().filter(|own| own.role == NodeRole::Manager).map(|own| &own.datacenter)
    }

    /// Is this process the node of a gate, which has no workers?
    pub(crate) fn is_gate(&self) -> bool {
        self.own.get().is_some_and(|own| own.role == NodeRole::Gate)
    }

    /// Does this process manage the jobs of a datacenter, as one that is no node does of each?
    pub(crate) fn manages(&self, datacenter: &EntityId) -> bool {
        let Some(own) = self.own.get() else { return true };
        datacenter.as_str() == LOCAL || (own.role == NodeRole::Manager && own.datacenter == *datacenter)
    }

    /// The manager in another process that a job of a datacenter goes to, and where it listens.
    pub(crate) fn pick(&self, datacenter: &EntityId, job_id: &EntityId) -> Option<(Leader, String)> {
        let managers = lock(&self.managers);
        let best = managers
            .get(datacenter)?
            .iter()
            .max_by_key(|manager| (manager.is_sound, rank(&manager.leader.node, job_id)))?;
        Some((best.leader.clone(), best.addr.clone()))
    }

    /// Datacenters all of whose managers are dead, and have been for a while.
    pub(crate) fn dead(&self) -> BTreeSet<EntityId> {
        lock(&self.known).dead.clone()
    }

    /// Is a manager there in a datacenter that is none of these?
    fn has_other(&self, than: &BTreeSet<EntityId>) -> bool {
        lock(&self.managers).keys().any(|datacenter| !than.contains(datacenter))
    }

    /// Is a manager there?
    fn has(&self, datacenter: &EntityId) -> bool {
        lock(&self.managers).contains_key(datacenter)
    }

    /// The gate of this process among others; none where it is no node.
    pub(crate) fn seat(&self, host: &Host) -> Option<Seat> {
        let gate = Leader { node: self.me()?.clone(), incarnation: host.epoch };
        Some(Seat { gate, addr: HERE.to_owned(), others: lock(&self.known).clone() })
    }

    fn see(
        &self,
        seen: &[Seen],
        own: Vec<EntityId>,
        is_complete: bool,
        (living, dead): (BTreeSet<EntityId>, BTreeSet<EntityId>),
    ) -> Arc<Known> {
        let mut managers: BTreeMap<EntityId, Vec<Manager>> = BTreeMap::new();
        let there = |one: &&Seen| one.role == Some(NodeRole::Manager) && one.is_there();
        for one in seen.iter().filter(there) {
            let Some(datacenter) = &one.datacenter else { continue };
            let leader = Leader { node: one.node.clone(), incarnation: one.incarnation };
            let (addr, is_sound) = (one.addr.clone(), one.state == MemberState::Alive);
            managers.entry(datacenter.clone()).or_default().push(Manager { leader, addr, is_sound });
        }
        *lock(&self.managers) = managers;
        let is_gate = |one: &&Seen| one.role == Some(NodeRole::Gate) && one.state == MemberState::Alive;
        let known = Arc::new(Known {
            own,
            states: seen.iter().map(|one| (one.node.clone(), one.state)).collect(),
            gates: seen.iter().filter(is_gate).map(|one| one.node.clone()).collect(),
            is_complete,
            living,
            dead,
        });
        *lock(&self.known) = known.clone();
        known
    }
}

/// The highest of those that are there gets a job.
fn rank(node: &EntityId, job_id: &EntityId) -> (u64, EntityId) {
    (weight(job_id.as_str(), node.as_str()), node.clone())
}

/// Looks who is there, and gives jobs of those that are gone to others, until the runtime ends.
pub(crate) fn keep(host: &Arc<Host>, own: Own, seen: impl Fn() -> Vec<Seen> + Send + 'static) {
    let names = vec![own.node.clone(), host.config.jobs.node.clone()];
    if host.fleet.me().is_some() {
        return;
    }
    // Before it is a node, for a gate that is asked in between has to know its own name.
    *lock(&host.fleet.known) = Arc::new(Known { own: names.clone(), ..Known::default() });
    if host.fleet.own.set(own).is_err() {
        return;
    }
    let (tokio, weak) = (host.tokio.clone(), Arc::downgrade(host));
    tokio.spawn(async move {
        let (mut before, mut left, mut looks) = (BTreeSet::new(), true, 0_u32);
        let (mut dark, mut dead_before) = (Dark::default(), BTreeSet::new());
        let (began, mut since, mut heartbeats) =
            (Stopwatch::start(), Stopwatch::start(), Heartbeats::default());
        loop {
            let Some(host) = weak.upgrade().filter(|host| !host.is_closing()) else { return };
            let (all, looked) = (seen(), EVERY.saturating_mul(looks));
            let state = dark.look(&all, began.elapsed(), host.config.jobs.datacenter_dead);
            let known = host.fleet.see(&all, names.clone(), looked >= UNKNOWN, state);
            if host.fleet.is_gate() {
                heartbeats.tell(&host, &all, began.elapsed());
            }
            let is_down = |(_, state): &(&EntityId, &MemberState)| **state == MemberState::Down;
            let gone: BTreeSet<EntityId> =
                known.states.iter().filter(is_down).map(|(id, _)| id.clone()).collect();
            // Also who is not known any more: only the jobs say whom to look for.
            let is_time = looked < UNKNOWN && looked + EVERY >= UNKNOWN;
            // A job may have been given to a manager in the instant in which it was found to be gone, and may have had nobody to go to.
            let is_again = (left || !gone.is_empty()) && looks.is_multiple_of(AGAIN);
            if is_time || is_again || gone != before || known.dead != dead_before {
                left = !(take_over(&host, &known).await & succeed(&host, &known).await);
            }
            // Whoever was cut off, or stood still, may have been taken for gone itself.
            if since.elapsed() > EVERY + STILL || before.difference(&gone).next().is_some() {
                ask_leads(&host).await;
            }
            before = gone;
            dead_before.clone_from(&known.dead);
            drop(host);
            since = Stopwatch::start();
            tokio::time::sleep(EVERY).await;
            looks = looks.saturating_add(1);
        }
    });
}

/// Tells other gates of the open jobs here whose gates are gone. False when some are left: they have to be looked at again.
/// What is told may be lost, or come before the other gate knows that the one before is gone: while that is so, it is told
/// again with every [`AGAIN`]th look.
async fn succeed(host: &Arc<Host>, known: &Arc<Known>) -> bool {
    let Ok(open) = host.blocking(|store| open(store, StreamKind::Job)).await else { return false };
    let mut is_done = true;
    for stream in open {
        let told = ask(host, &host.kinds.jobs, &stream, Action::Read, |view| {
            let gate = view.state.run.as_ref()?.gate.as_ref()?.gate_id.clone();
            Some((view.state.job_id.clone()?, gate))
        });
        let Ok(told) = told.await else {
            is_done = false;
            continue;
        };
        let Some((job_id, gate)) = told.filter(|(_, gate)| known.is_gone(gate)) else { continue };
        let Some(next) = known.successor(&gate, &job_id) else {
            is_done = false;
            continue;
        };
        tracing::info!(%job_id, from = %gate, to = %next, "a gate is gone; another one is told of its job");
        let command = job::Command::TellGate { gate: next.clone() };
        let told = ask(host, &host.kinds.jobs, &stream, Action::Command(command, None), |_| ()).await;
        is_done &= told.is_ok();
    }
    is_done
}

/// Asks the managers of the jobs that are open at this gate whether it still leads.
async fn ask_leads(host: &Arc<Host>) {
    let Ok(open) = host.blocking(|store| open(store, StreamKind::Gate)).await else { return };
    for job_id in open {
        let action = Action::Command(gate::Command::AskLeads, None);
        // A gate that was replaced says so, and a runtime that ends has nothing to ask.
        let _ = ask(host, &host.kinds.gates, &job_id, action, |_| ()).await;
    }
}

/// A job in a datacenter, as its gate has it.
struct Led {
    datacenter: EntityId,
    leader: Leader,
    addr: String,
    /// It waits for the datacenter.
    is_lost: bool,
    /// Datacenters that have the job, or had it.
    not_to: BTreeSet<EntityId>,
}

impl Led {
    /// Where the job is open.
    fn of(run: &gate::Run) -> Vec<Led> {
        let open = run.datacenters.iter().filter(|(_, dc)| !dc.ended);
        let led = open.map(|(datacenter, dc)| Led {
            datacenter: datacenter.clone(),
            leader: dc.leader.clone(),
            addr: dc.addr.clone(),
            is_lost: dc.lost_at.is_some(),
            not_to: run.datacenters.keys().chain(&run.withdrawn).cloned().collect(),
        });
        led.collect()
    }
}

/// Gives the open jobs of managers that are gone to others, there or in another datacenter. False when some are left: they have
/// to be looked at again.
async fn take_over(host: &Arc<Host>, known: &Known) -> bool {
    let Some(me) = host.fleet.me() else { return true };
    let Ok(open) = host.blocking(|store| open(store, StreamKind::Gate)).await else { return false };
    let mut is_done = true;
    for job_id in open {
        let led = ask(host, &host.kinds.gates, &job_id, Action::Read, |view| {
            view.state.run.iter().flat_map(Led::of).collect::<Vec<_>>()
        });
        let Ok(led) = led.await else {
            is_done = false;
            continue;
        };
        for one in led {
            let is_here = [HERE, me.as_str()].contains(&one.addr.as_str());
            if !is_here && known.is_gone(&one.leader.node) {
                is_done &= give(host, &job_id, one, known).await;
            } else if one.is_lost {
                is_done &= host.fleet.has(&one.datacenter);
                if host.fleet.has(&one.datacenter) {
                    let back = gate::Command::DatacenterBack { datacenter: one.datacenter };
                    is_done &= tell(host, &job_id, back).await;
                }
            }
        }
    }
    is_done
}

/// Gives one job to another manager of the datacenter, or to another datacenter when that is dead; false when there is none, or it
/// did not work.
async fn give(host: &Arc<Host>, job_id: &EntityId, led: Led, known: &Known) -> bool {
    let Led { datacenter, leader: from, is_lost, not_to, .. } = led;
    let manager = host.fleet.pick(&datacenter, job_id).filter(|(to, _)| to.node != from.node);
    let mut chain = Vec::new();
    if manager.is_none() {
        if !known.is_dead(&datacenter) {
            return false;
        }
        if host.fleet.has_other(&not_to) {
            let Some(found) = chain_now(host, job_id, &datacenter).await else { return false };
            chain = found.into_iter().filter(|to| !not_to.contains(&to.datacenter)).collect();
        }
        // That it waits is on record already.
        if chain.is_empty() && is_lost {
            return false;
        }
    }
    let stream = StreamId::new(StreamKind::Gate, job_id.clone());
    let plan = match host.blocking(move |store| last_plan(store, &stream)).await {
        Ok(Some(plan)) => Box::new(plan),
        Ok(None) => return true,
        Err(fault) => {
            tracing::warn!(%job_id, %fault, "the plan of a job cannot be read; its manager is gone");
            return false;
        }
    };
    let Some((to, addr)) = manager else {
        let to = chain.first().map(|to| to.datacenter.to_string());
        tracing::info!(%job_id, %datacenter, ?to, "a datacenter is gone; another one gets its job, or it waits");
        let reason = format!("every manager of {datacenter} is dead, as far as is known");
        let waits = chain.is_empty();
        let gone = gate::Command::DatacenterGone { datacenter, from, chain, plan, reason };
        return tell(host, job_id, gone).await && !waits;
    };
    tracing::info!(%job_id, %datacenter, from = %from.node, to = %to.node, "a manager is gone; another one gets its job");
    let reason = format!("{} is dead, as far as is known", from.node);
    tell(host, job_id, gate::Command::TakeOver { datacenter, from, to, addr, plan, reason }).await
}

/// Was it taken, or refused for good? A refusal means that the job has ended, or runs there no more.
async fn tell(host: &Arc<Host>, job_id: &EntityId, command: gate::Command) -> bool {
    let told = ask(host, &host.kinds.gates, job_id, Action::Command(command, None), |_| ());
    let told = told.await;
    if let Err(failure) = &told {
        tracing::warn!(%job_id, ?failure, "what becomes of a job whose manager is gone is not on record yet");
    }
    told.is_ok()
}

/// What is open of a kind: each has a deadline, or owes an answer to somebody.
fn open(store: &dyn Store, kind: StreamKind) -> Result<Vec<EntityId>, Fault> {
    let (mut open, mut after) = (Vec::new(), None);
    loop {
        let page = wait(store.deadlines(after, PAGE))?;
        let Some(last) = page.last().cloned() else { return Ok(open) };
        open.extend(page.into_iter().filter(|(_, of)| of.kind == kind).map(|(_, of)| of.id));
        after = Some(last);
    }
}

/// What was dispatched last under this id.
fn last_plan(store: &dyn Store, stream: &StreamId) -> Result<Option<JobDispatch>, Fault> {
    let (mut after, mut plan) = (0, None);
    loop {
        let page = wait(store.read(stream, after, PAGE))?;
        let Some(last) = page.last() else { return Ok(plan) };
        after = last.seq;
        for record in &page {
            match decode::<gate::Event>(&record.payload)? {
                gate::Event::Tracked(tracked) => plan = Some(tracked.plan),
                gate::Event::Rebuilt(rebuilt) => plan = Some(rebuilt.tracked.plan),
                gate::Event::TakenOver { plan: Some(again), .. }
                | gate::Event::Moved { plan: Some(again), .. } => plan = Some(*again),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
#[path = "fleet_test.rs"]
mod tests;
