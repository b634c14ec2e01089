//! What a worker sends when: the newest update of each workflow at the pace its manager asks for, critical ones at once.
//!
//! ```text
//!  offer ──► newest per workflow ──► flush at the pace of the level
//!   │            ▲                     none, throttle   each workflow by itself
//!   │            │ failed, refused     batch            one batch per job, every workflow in it
//!   │            └─────────────────    reject           one batch as a probe; the rest is dropped and counted
//!   └ critical ──► outbox ──► at once, again and again until acknowledged
//! ```
//!
//! *Nothing leaves before it has arrived*: an update is removed when it is acknowledged, and stays when sending fails or
//! there is nobody to send to. *A batch loses nothing*: it carries totals and the newest update of every workflow.
//! *Nobody goes deaf*: signals come with answers and answers only to what is sent, so at reject, and without credits,
//! one message per interval still goes out. *A gap is told*: the next batch of a job says how many of its updates were
//! dropped. Progress is cumulative, so a later update makes the picture whole.
//!
//! *Nothing goes backwards*: an update that is not critical and older than the newest one offered of its workflow is
//! stale, wherever the newest one is: held, on its way, or delivered.
//!
//! `offered = delivered + superseded + stale + dropped + held`, always.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::pace::PaceConfig;
use super::peers::Peers;
use crate::kernel::time::Timestamp;
use crate::load::shed::number::{Invalid, finite};
use crate::load::stats::Level;

/// How far one workflow is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Update<J, W> {
    /// Its job.
    pub job: J,
    /// The workflow.
    pub workflow: W,
    /// Grows with every update of the workflow; the newest is the one with the largest, whenever it comes.
    pub seq: u64,
    /// Steps done.
    pub completed: u64,
    /// Steps failed.
    pub failed: u64,
    /// Steps per second.
    pub rate: f64,
    /// Time spent.
    pub elapsed: Duration,
    /// A change of status, an error, a result, a first report.
    pub critical: bool,
}

/// All workflows of a batch together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BatchTotals {
    /// Steps done.
    pub completed: u64,
    /// Steps failed.
    pub failed: u64,
    /// Steps per second.
    pub rate: f64,
    /// The longest time spent.
    pub elapsed: Duration,
}

/// Newest updates of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobProgressBatch<J, W> {
    /// The job.
    pub job: J,
    /// The workflows together.
    pub totals: BatchTotals,
    /// Each of them.
    pub workflows: Vec<Update<J, W>>,
    /// Updates of the job that were dropped since the last batch that arrived.
    pub dropped: u64,
}

/// What goes out in one message.
#[derive(Clone, Debug, PartialEq)]
pub enum Body<J, W> {
    /// One critical update.
    Critical(Update<J, W>),
    /// Progress: data.
    Batch(JobProgressBatch<J, W>),
}

/// One message to send. Its end is told by [`FlushPlanner::acked`] or [`FlushPlanner::failed`].
#[derive(Clone, Debug, PartialEq)]
pub struct Outgoing<J, W, M> {
    /// Names it in the answer.
    pub id: u64,
    /// Where it goes.
    pub to: M,
    /// Data is numbered, for credits.
    pub number: Option<u64>,
    /// What it says.
    pub body: Body<J, W>,
    /// It goes out although nothing should, to hear how things are.
    pub probe: bool,
}

/// Whose level sets the pace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// The worst of all managers.
    #[default]
    Worst,
    /// The manager the message goes to, so that one sick manager does not slow all jobs.
    PerManager,
}

/// The knobs of the planner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlushConfig {
    /// How long between two flushes.
    pub pace: PaceConfig,
    /// Whose level counts.
    pub scope: Scope,
    /// Without an answer for this long, a message counts as failed.
    pub ack_timeout: Duration,
    /// A critical update that failed goes out again after this.
    pub retry: Duration,
    /// Seed of the jitter.
    pub seed: u64,
}

impl Default for FlushConfig {
    fn default() -> Self {
        FlushConfig {
            pace: PaceConfig::default(),
            scope: Scope::Worst,
            ack_timeout: Duration::from_secs(5),
            retry: Duration::from_millis(500),
            seed: 0,
        }
    }
}

/// What became of the updates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlushCounts {
    /// Given to the planner.
    pub offered: u64,
    /// Acknowledged.
    pub delivered: u64,
    /// Replaced by a newer one of the same workflow.
    pub superseded: u64,
    /// Older than what was held.
    pub stale: u64,
    /// Dropped at reject.
    pub dropped: u64,
}

#[derive(Clone, Debug)]
struct Held<J, W> {
    update: Update<J, W>,
    out: bool,
}

#[derive(Clone, Debug)]
struct Critical<J, W> {
    update: Update<J, W>,
    out: bool,
    not_before: Timestamp,
}

#[derive(Clone, Debug)]
enum Sent<J, W> {
    Critical(u64),
    Batch { job: J, keys: Vec<(W, u64)>, dropped: u64 },
}

#[derive(Clone, Debug)]
struct Route<J> {
    last: Option<Timestamp>,
    flushes: u64,
    number: u64,
    /// The job after which the next one is taken when not all can go.
    turn: Option<J>,
    /// When a critical update last went out since the last flush.
    spoke: Option<Timestamp>,
}

/// The planner of one worker. The outbox and the gaps are worth storing, the rest is not.
#[derive(Clone, Debug)]
pub struct FlushPlanner<J, W, M> {
    config: FlushConfig,
    held: BTreeMap<J, BTreeMap<W, Held<J, W>>>,
    outbox: BTreeMap<u64, Critical<J, W>>,
    sent: BTreeMap<u64, (Timestamp, M, Sent<J, W>)>,
    routes: BTreeMap<M, Route<J>>,
    gaps: BTreeMap<J, u64>,
    /// Drops that were not taken to be put on record.
    fresh_drops: BTreeMap<J, BTreeMap<W, u64>>,
    /// The largest number offered of each workflow.
    newest: BTreeMap<J, BTreeMap<W, u64>>,
    counts: FlushCounts,
    next: u64,
}

impl<J: Ord + Clone, W: Ord + Clone, M: Ord + Clone> FlushPlanner<J, W, M> {
    /// Nothing held.
    ///
    /// # Errors
    /// [`Invalid`] for a pace that makes no sense, or times of 0.
    pub fn new(config: FlushConfig) -> Result<Self, Invalid> {
        config.pace.check()?;
        for (field, given) in [("ack_timeout", config.ack_timeout), ("retry", config.retry)] {
            if given.is_zero() {
                return Err(Invalid::new(field, "0", "above 0"));
            }
        }
        Ok(FlushPlanner {
            config,
            held: BTreeMap::new(),
            outbox: BTreeMap::new(),
            sent: BTreeMap::new(),
            routes: BTreeMap::new(),
            gaps: BTreeMap::new(),
            fresh_drops: BTreeMap::new(),
            newest: BTreeMap::new(),
            counts: FlushCounts::default(),
            next: 1,
        })
    }

    /// Takes an update.
    ///
    /// # Errors
    /// [`Invalid`] for a rate that is not finite.
    pub fn offer(&mut self, update: Update<J, W>, now: Timestamp) -> Result<(), Invalid> {
        finite("rate", update.rate)?;
        self.counts.offered += 1;
        let newest = self.newest.entry(update.job.clone()).or_default();
        let before = newest.get(&update.workflow).copied();
        if !update.critical && before.is_some_and(|before| before >= update.seq) {
            self.counts.stale += 1;
            return Ok(());
        }
        newest.insert(update.workflow.clone(), before.unwrap_or(0).max(update.seq));
        let held = self.held.get(&update.job).and_then(|job| job.get(&update.workflow));
        if held.is_some_and(|held| held.update.seq < update.seq) {
            self.counts.superseded += 1;
            self.forget(&update.job, &update.workflow);
        }
        if update.critical {
            let id = self.id();
            self.outbox.insert(id, Critical { update, out: false, not_before: now });
        } else {
            let job = self.held.entry(update.job.clone()).or_default();
            job.insert(update.workflow.clone(), Held { update, out: false });
        }
        Ok(())
    }

    fn forget(&mut self, job: &J, workflow: &W) {
        if let Some(held) = self.held.get_mut(job) {
            held.remove(workflow);
            if held.is_empty() {
                self.held.remove(job);
            }
        }
    }

    fn find(&mut self, job: &J, workflow: &W) -> Option<&mut Held<J, W>> {
        self.held.get_mut(job)?.get_mut(workflow)
    }

    fn id(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    /// What goes out now. `leader` says where the updates of a job go; where it knows nobody, they wait.
    pub fn flush(
        &mut self,
        peers: &Peers<M>,
        leader: impl Fn(&J) -> Option<M>,
        now: Timestamp,
    ) -> Vec<Outgoing<J, W, M>> {
        let lost = self.sent.iter().filter(|(_, (at, _, _))| now.since(*at) >= self.config.ack_timeout);
        for id in lost.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.failed(id, now);
        }
        let mut out = self.flush_critical(&leader, now);
        let mut jobs: BTreeMap<M, Vec<J>> = BTreeMap::new();
        for job in self.waiting_jobs() {
            if let Some(manager) = leader(&job) {
                jobs.entry(manager).or_default().push(job);
            }
        }
        for (manager, jobs) in jobs {
            if self.due_at(&manager, peers, now) <= now {
                self.flush_to(&manager, jobs, peers, now, &mut out);
            }
        }
        out
    }

    /// Only what is critical, whatever its pace: the last flush before the end.
    pub fn shutdown(&mut self, leader: impl Fn(&J) -> Option<M>, now: Timestamp) -> Vec<Outgoing<J, W, M>> {
        self.outbox.values_mut().for_each(|critical| critical.not_before = now);
        self.flush_critical(&leader, now)
    }

    fn flush_critical(
        &mut self,
        leader: &impl Fn(&J) -> Option<M>,
        now: Timestamp,
    ) -> Vec<Outgoing<J, W, M>> {
        let due = self.outbox.iter().filter(|(_, critical)| !critical.out && critical.not_before <= now);
        let mut due: Vec<_> = due.map(|(id, critical)| (*id, critical.update.clone())).collect();
        // Those of one workflow in their own order, however they came.
        due.sort_by(|(_, a), (_, b)| (&a.job, &a.workflow, a.seq).cmp(&(&b.job, &b.workflow, b.seq)));
        let mut out = Vec::new();
        for (place, update) in due {
            let Some(to) = leader(&update.job) else { continue };
            if let Some(critical) = self.outbox.get_mut(&place) {
                critical.out = true;
            }
            self.route(&to).spoke = Some(now);
            let id = self.id();
            self.sent.insert(id, (now, to.clone(), Sent::Critical(place)));
            out.push(Outgoing { id, to, number: None, body: Body::Critical(update), probe: false });
        }
        out
    }

    fn waiting_jobs(&self) -> BTreeSet<J> {
        let waits = |held: &BTreeMap<W, Held<J, W>>| held.values().any(|held| !held.out);
        self.held.iter().filter(|(_, held)| waits(held)).map(|(job, _)| job.clone()).collect()
    }

    fn route(&mut self, manager: &M) -> &mut Route<J> {
        let empty = Route { last: None, flushes: 0, number: 0, turn: None, spoke: None };
        self.routes.entry(manager.clone()).or_insert(empty)
    }

    fn pressure(&self, manager: &M, peers: &Peers<M>, now: Timestamp) -> (Level, Duration) {
        match self.config.scope {
            Scope::Worst => (peers.level(now), peers.delay(now)),
            Scope::PerManager => (peers.level_of(manager, now), peers.delay_of(manager, now)),
        }
    }

    /// When data may next go to the manager. Follows the level at once, whatever it was before.
    fn due_at(&self, manager: &M, peers: &Peers<M>, now: Timestamp) -> Timestamp {
        let Some(Route { last: Some(last), flushes, .. }) = self.routes.get(manager) else { return now };
        let (level, delay) = self.pressure(manager, peers, now);
        (*last).min(now).plus(self.config.pace.interval(level, delay, self.config.seed, *flushes))
    }

    fn flush_to(
        &mut self,
        manager: &M,
        mut jobs: Vec<J>,
        peers: &Peers<M>,
        now: Timestamp,
        out: &mut Vec<Outgoing<J, W, M>>,
    ) {
        let (level, delay) = self.pressure(manager, peers, now);
        let (pace, seed) = (self.config.pace, self.config.seed);
        let waiting: usize = jobs.iter().map(|job| self.waiting_of(job).count()).sum();
        let route = self.route(manager);
        let left = peers.upto(manager, now).map(|upto| upto.saturating_sub(route.number));
        // A critical update is as good as a probe for as long as a probe would be.
        let interval = pace.interval(level, delay, seed, route.flushes);
        let spoke = route.spoke.take().is_some_and(|at| now.since(at) < interval);
        route.last = Some(now);
        route.flushes += 1;
        // Those that were not reached last time come first.
        if let Some(turn) = &route.turn {
            let first = jobs.iter().position(|job| job > turn).unwrap_or(0);
            jobs.rotate_left(first);
        }
        let room = usize::try_from(left.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
        let probing = level == Level::Reject || room == 0;
        let most = match (probing, spoke) {
            (true, true) => 0,
            (true, false) => 1,
            (false, _) => room,
        };
        let single = level < Level::Batch && waiting <= most;
        for (place, job) in jobs.iter().enumerate() {
            let updates: Vec<_> = self.waiting_of(job).cloned().collect();
            if place < most || single {
                let batches =
                    if single { updates.into_iter().map(|u| vec![u]).collect() } else { vec![updates] };
                for updates in batches {
                    out.push(self.batch(manager, job, updates, probing, now));
                }
                if !single {
                    self.route(manager).turn = Some(job.clone());
                }
            } else if level == Level::Reject {
                for update in &updates {
                    self.forget(job, &update.workflow);
                }
                self.counts.dropped += updates.len() as u64;
                *self.gaps.entry(job.clone()).or_default() += updates.len() as u64;
                let fresh = self.fresh_drops.entry(job.clone()).or_default();
                updates.into_iter().for_each(|update| *fresh.entry(update.workflow).or_default() += 1);
            }
        }
    }

    fn waiting_of<'a>(&'a self, job: &J) -> impl Iterator<Item = &'a Update<J, W>> + use<'a, J, W, M> {
        let held = self.held.get(job).into_iter().flat_map(|held| held.values());
        held.filter(|held| !held.out).map(|held| &held.update)
    }

    fn batch(
        &mut self,
        to: &M,
        job: &J,
        workflows: Vec<Update<J, W>>,
        probe: bool,
        now: Timestamp,
    ) -> Outgoing<J, W, M> {
        let mut totals = BatchTotals::default();
        let mut keys = Vec::new();
        for update in &workflows {
            totals.completed = totals.completed.saturating_add(update.completed);
            totals.failed = totals.failed.saturating_add(update.failed);
            totals.rate += update.rate;
            totals.elapsed = totals.elapsed.max(update.elapsed);
            keys.push((update.workflow.clone(), update.seq));
            if let Some(held) = self.find(job, &update.workflow) {
                held.out = true;
            }
        }
        let dropped = self.gaps.get(job).copied().unwrap_or(0);
        let id = self.id();
        self.sent.insert(id, (now, to.clone(), Sent::Batch { job: job.clone(), keys, dropped }));
        let route = self.route(to);
        route.number += 1;
        let number = Some(route.number);
        let body = Body::Batch(JobProgressBatch { job: job.clone(), totals, workflows, dropped });
        Outgoing { id, to: to.clone(), number, body, probe }
    }

    /// The message arrived and was taken: what it carried is no longer held, unless something newer is.
    pub fn acked(&mut self, id: u64) {
        match self.sent.remove(&id) {
            Some((_, _, Sent::Critical(place))) => {
                self.counts.delivered += u64::from(self.outbox.remove(&place).is_some());
            }
            Some((_, _, Sent::Batch { job, keys, dropped })) => {
                for (workflow, seq) in keys {
                    if self.find(&job, &workflow).is_some_and(|held| held.update.seq == seq) {
                        self.forget(&job, &workflow);
                        self.counts.delivered += 1;
                    }
                }
                if let Some(gap) = self.gaps.get_mut(&job) {
                    *gap = gap.saturating_sub(dropped);
                    if *gap == 0 {
                        self.gaps.remove(&job);
                    }
                }
            }
            None => {}
        }
    }

    /// The message was refused or got lost: what it carried waits for the next flush.
    pub fn failed(&mut self, id: u64, now: Timestamp) {
        match self.sent.remove(&id) {
            Some((_, _, Sent::Critical(place))) => {
                if let Some(critical) = self.outbox.get_mut(&place) {
                    (critical.out, critical.not_before) = (false, now.plus(self.config.retry));
                }
            }
            Some((_, _, Sent::Batch { job, keys, .. })) => {
                for (workflow, seq) in keys {
                    if let Some(held) = self.find(&job, &workflow)
                        && held.update.seq == seq
                    {
                        held.out = false;
                    }
                }
            }
            None => {}
        }
    }

    /// The manager has left: what is on the way to it counts as lost.
    pub fn remove(&mut self, manager: &M, now: Timestamp) {
        self.routes.remove(manager);
        let lost = self.sent.iter().filter(|(_, (_, to, _))| to == manager).map(|(id, _)| *id);
        lost.collect::<Vec<_>>().into_iter().for_each(|id| self.failed(id, now));
    }

    /// Only these jobs go on: what is remembered of the others is let go.
    pub fn retain_jobs(&mut self, lives: impl Fn(&J) -> bool) {
        self.newest.retain(|job, _| lives(job));
        self.gaps.retain(|job, _| lives(job));
    }

    /// Drops since this was asked last, by job and workflow: to be put on record, and told.
    pub fn take_drops(&mut self) -> BTreeMap<J, BTreeMap<W, u64>> {
        std::mem::take(&mut self.fresh_drops)
    }

    /// A report of the job went another way and arrived: what was dropped before it is made good.
    pub fn told(&mut self, job: &J) {
        self.gaps.remove(job);
    }

    /// When to flush next; `None` when nothing waits. Ask again after every signal: a level that fell shortens it.
    pub fn due(
        &self,
        peers: &Peers<M>,
        leader: impl Fn(&J) -> Option<M>,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let waiting = self.outbox.values().filter(|critical| !critical.out);
        let critical =
            waiting.filter(|c| leader(&c.update.job).is_some()).map(|critical| critical.not_before);
        let data = self.waiting_jobs().into_iter().filter_map(|job| leader(&job));
        let data = data.map(|manager| self.due_at(&manager, peers, now));
        let lost = self.sent.values().map(|(at, _, _)| at.plus(self.config.ack_timeout));
        critical.chain(data).chain(lost).min()
    }

    /// What became of the updates.
    pub fn counts(&self) -> FlushCounts {
        self.counts
    }

    /// Updates not yet acknowledged.
    pub fn held(&self) -> usize {
        self.held.values().map(BTreeMap::len).sum::<usize>() + self.outbox.len()
    }

    /// Is an update of this workflow held that is not critical?
    pub fn is_held(&self, job: &J, workflow: &W) -> bool {
        self.held.get(job).is_some_and(|held| held.contains_key(workflow))
    }

    /// Critical updates not yet acknowledged, in the order they were offered: to be stored, and offered again after a
    /// restart.
    pub fn outbox(&self) -> impl Iterator<Item = &Update<J, W>> {
        self.outbox.values().map(|critical| &critical.update)
    }

    /// Updates dropped and not yet told, by job: to be stored.
    pub fn gaps(&self) -> &BTreeMap<J, u64> {
        &self.gaps
    }

    /// Gaps from before a restart.
    pub fn restore_gaps(&mut self, gaps: impl IntoIterator<Item = (J, u64)>) {
        for (job, dropped) in gaps {
            *self.gaps.entry(job).or_default() += dropped;
        }
    }
}

#[cfg(test)]
#[path = "flush_test.rs"]
mod tests;
