//! What a worker knows: the fold of its events.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Attempt;
use super::command::Handed;
use super::event::Event;
use super::outbox::{Errand, What};
use super::settings::Settings;
use super::watch::{DEFAULT_BEAT_MS, Watch};
use crate::jobs::protocol::message::{HealthcheckExtensionRequest, Leader, WorkflowOutcome};
use crate::jobs::protocol::token::{DispatchToken, FenceToken};
use crate::kernel::ids::EntityId;
use crate::kernel::layered::Layered;
use crate::kernel::resend::fnv1a;
use crate::kernel::time::Timestamp;

/// Most jobs of which nothing runs any more whose tokens are kept; the one idle for longest is forgotten first.
pub const MAX_IDLE_JOBS: usize = 256;

/// State of one worker. Empty before it is first registered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Worker {
    /// The worker; none before it is first registered.
    pub worker_id: Option<EntityId>,
    /// Where it works.
    pub datacenter: Option<EntityId>,
    /// Does it serve?
    pub phase: Phase,
    /// Most workflows it runs at the same time.
    pub capacity: u32,
    /// How long it waits for what.
    pub settings: Settings,
    /// Jobs it ran something of, and the tokens they came with.
    pub jobs: Layered<EntityId, Job>,
    /// Transfers that overtook the workflows they are about.
    pub parked: Vec<Parked>,
    /// What leaders must hear of and did not answer.
    pub outbox: Layered<u64, Errand>,
    /// Messages numbered, for ever.
    pub last_number: u64,
    /// Jobs that became idle, for ever; orders them.
    pub idled: u64,
    /// The last instant on record.
    pub noted_at: Timestamp,
    /// When the process began to serve that last took over.
    pub served_since: Option<Timestamp>,
    /// How often it gives a sign of life, in ms.
    pub beat_ms: u64,
    /// Which of its lives this is, if it said so.
    pub incarnation: Option<u64>,
    /// Its signs of life; none before the first, and while it is lost.
    pub watch: Option<Watch>,
}

impl Default for Worker {
    fn default() -> Self {
        Worker {
            worker_id: None,
            datacenter: None,
            phase: Phase::default(),
            capacity: 0,
            settings: Settings::default(),
            jobs: Layered::default(),
            parked: Vec::new(),
            outbox: Layered::default(),
            last_number: 0,
            idled: 0,
            noted_at: Timestamp::default(),
            served_since: None,
            beat_ms: DEFAULT_BEAT_MS,
            incarnation: None,
            watch: None,
        }
    }
}

/// Does a worker serve?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// No.
    #[default]
    Absent,
    /// Yes.
    Serving,
    /// What it has, but nothing new.
    Draining,
    /// No: it was silent for too long. It serves again as soon as it is heard of.
    Lost,
}

impl Phase {
    /// The name used in JSON and logs.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Absent => "absent",
            Phase::Serving => "serving",
            Phase::Draining => "draining",
            Phase::Lost => "lost",
        }
    }
}

/// A job, as a worker has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Who leads it.
    pub leader: Leader,
    /// Where the leader listens, if that was said.
    pub addr: Option<String>,
    /// Its token; what lower ones say is stale.
    pub fence_token: FenceToken,
    /// Its workflows here, also those that ended: their tokens tell repeats apart.
    pub workflows: Layered<EntityId, Workflow>,
    /// The request for more time that is not answered.
    pub extension: Option<HealthcheckExtensionRequest>,
    /// What was fenced since the leader last changed.
    pub fenced: BTreeSet<(String, FenceToken)>,
    /// Where it stands among the idle jobs, if nothing of it runs or is to be heard of.
    pub idle: Option<u64>,
}

/// A workflow, as a worker has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workflow {
    /// Which try.
    pub attempt: u32,
    /// The last handing over that was taken.
    pub dispatch_token: DispatchToken,
    /// What became of it.
    pub outcome: WorkflowOutcome,
    /// Did who carries it out say anything of it?
    pub started: bool,
    /// Items done so far.
    pub completed_count: u64,
    /// What it made or why it failed, until the leader heard of it.
    pub result: Option<String>,
    /// Tells the result that was reported with the end from another one, also later.
    pub told: Option<u64>,
    /// Its leader is lost; until when it waits for another.
    pub orphan_until: Option<Timestamp>,
    /// It was asked to stop.
    pub stop: Option<Stop>,
    /// Reports of this handing over that were dropped.
    pub dropped: u64,
    /// Of those, how many the leader was told of.
    pub dropped_told: u64,
    /// How far it got to whoever carries it out.
    pub hand: Hand,
}

/// How far a workflow got to whoever carries it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hand {
    /// It stands before it.
    Offered,
    /// It was handed out, and the answer may be lost.
    Taken,
    /// It is there: it was named since.
    Confirmed,
}

/// A workflow is to stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// Why.
    pub reason: String,
    /// When it is stopped by force.
    pub abort_at: Timestamp,
}

/// A transfer that overtook a workflow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parked {
    /// The job.
    pub job_id: EntityId,
    /// The workflow.
    pub workflow_id: EntityId,
    /// Who leads the job now.
    pub leader: Leader,
    /// Where it listens.
    pub addr: String,
    /// Its token.
    pub fence_token: FenceToken,
    /// Until when it waits.
    pub until: Timestamp,
}

/// Tells one result from another.
fn mark(result: Option<&str>) -> u64 {
    fnv1a(result.into_iter().flat_map(|text| std::iter::once(1).chain(text.bytes())))
}

impl Workflow {
    /// Was this what was reported with the end? An end that nobody reported takes any.
    pub(super) fn ended_with(&self, result: Option<&str>) -> bool {
        self.told.is_none_or(|told| told == mark(result))
    }

    /// Does it run?
    pub fn runs(&self) -> bool {
        self.outcome == WorkflowOutcome::Running
    }

    /// Reports that were dropped and that the leader was not told of.
    pub fn untold(&self) -> u64 {
        self.dropped.saturating_sub(self.dropped_told)
    }

    fn end(&mut self, outcome: WorkflowOutcome) {
        self.outcome = outcome;
        self.orphan_until = None;
        self.stop = None;
    }
}

impl Job {
    /// Its workflows that run.
    pub fn running(&self) -> impl Iterator<Item = (&EntityId, &Workflow)> {
        self.workflows.iter().filter(|(_, workflow)| workflow.runs())
    }

    fn lead(&mut self, leader: &Leader, addr: Option<&String>, fence_token: FenceToken) {
        if self.leader != *leader || addr.is_some() {
            self.addr = addr.cloned();
        }
        self.leader = leader.clone();
        self.fence_token = fence_token;
        self.fenced.clear();
    }
}

impl Worker {
    /// Workflows it runs.
    pub fn running(&self) -> u64 {
        self.jobs.values().map(|job| job.running().count() as u64).fold(0, u64::saturating_add)
    }

    /// Is it lost when it is silent for too long? Whoever never asked for work nor gave a sign of life is not.
    pub fn is_judged(&self) -> bool {
        let serves = match self.phase {
            Phase::Serving | Phase::Draining => true,
            Phase::Absent | Phase::Lost => false,
        };
        serves && self.watch.is_some()
    }

    /// What was handed out and is not known to have arrived.
    pub fn unsure(&self) -> impl Iterator<Item = Attempt> {
        self.at_hand(|hand| hand == Hand::Taken)
    }

    /// Is there something for a worker that asks for work? What is not known to have arrived is.
    pub fn has_work(&self) -> bool {
        self.at_hand(|hand| hand != Hand::Confirmed).next().is_some()
    }

    /// Does something stand before it that was not handed out?
    pub fn has_offer(&self) -> bool {
        self.at_hand(|hand| hand == Hand::Offered).next().is_some()
    }

    /// What it is to stop.
    pub fn to_stop(&self) -> impl Iterator<Item = Attempt> {
        self.jobs.iter().flat_map(|(job_id, job)| {
            let stops = job.running().filter(|(_, workflow)| workflow.stop.is_some());
            stops.map(move |(workflow_id, workflow)| workflow.attempt(job_id, workflow_id))
        })
    }

    fn at_hand(&self, is_so: impl Fn(Hand) -> bool + Copy) -> impl Iterator<Item = Attempt> {
        self.jobs.iter().flat_map(move |(job_id, job)| {
            let running = job.running();
            let so = running.filter(move |(_, held)| is_so(held.hand) && held.stop.is_none());
            so.map(move |(workflow_id, workflow)| workflow.attempt(job_id, workflow_id))
        })
    }

    pub(super) fn due(&self) -> Option<Timestamp> {
        let running = self.jobs.values().flat_map(Job::running).map(|(_, workflow)| workflow);
        let waits = running.filter_map(|workflow| {
            let stop = workflow.stop.as_ref().map(|stop| stop.abort_at);
            stop.or(workflow.orphan_until)
        });
        let silent = self.watch.filter(|_| self.is_judged()).map(|watch| watch.lost_at(self.beat_ms));
        let parked = self.parked.iter().map(|parked| parked.until);
        waits.chain(parked).chain(silent).min().filter(|due| *due < Timestamp::MAX)
    }

    pub(super) fn evolve(&mut self, event: &Event) {
        self.noted_at = self.noted_at.max(event.at());
        match event {
            Event::Registered { worker_id, datacenter, capacity, settings, .. } => {
                self.worker_id = Some(worker_id.clone());
                self.datacenter = Some(datacenter.clone());
                self.capacity = *capacity;
                self.settings = *settings;
                self.phase = Phase::Serving;
            }
            Event::Dispatched { job_id, workflow_id, attempt, dispatch_token, leader, fence_token, at } => {
                self.drop_errands(|errand| errand.reports(job_id, workflow_id));
                let job = self.jobs.get_or_insert_with(job_id, || Job {
                    leader: leader.clone(),
                    addr: None,
                    fence_token: *fence_token,
                    workflows: Layered::default(),
                    extension: None,
                    fenced: BTreeSet::new(),
                    idle: None,
                });
                let higher = *fence_token > job.fence_token;
                if higher {
                    job.lead(leader, None, *fence_token);
                }
                let workflow = Workflow {
                    attempt: *attempt,
                    dispatch_token: *dispatch_token,
                    outcome: WorkflowOutcome::Running,
                    started: false,
                    completed_count: 0,
                    result: None,
                    told: None,
                    orphan_until: None,
                    stop: None,
                    dropped: 0,
                    dropped_told: 0,
                    hand: Hand::Offered,
                };
                job.workflows.insert(workflow_id.clone(), workflow);
                job.idle = None;
                self.parked.retain(|parked| parked.job_id != *job_id || parked.workflow_id != *workflow_id);
                if higher {
                    self.send_again(|errand| errand.job_id == *job_id, *at);
                }
            }
            Event::Reported { job_id, workflow_id, outcome, completed_count, result, at } => {
                if let Some(watch) = &mut self.watch {
                    watch.sign(*at, *at);
                }
                self.workflow(job_id, workflow_id, |workflow| {
                    (workflow.started, workflow.hand) = (true, Hand::Confirmed);
                    workflow.completed_count = *completed_count;
                    workflow.result = result.clone();
                    if *outcome != WorkflowOutcome::Running {
                        workflow.told = Some(mark(result.as_deref()));
                        workflow.end(*outcome);
                    }
                });
                self.drop_errands(|errand| errand.reports(job_id, workflow_id));
                self.send(job_id.clone(), What::Report(workflow_id.clone()), *at);
                self.tidy(job_id);
            }
            Event::ReportDelivered { number, job_id, workflow_id, .. } => {
                self.workflow(job_id, workflow_id, |workflow| {
                    if !workflow.runs() {
                        workflow.result = None;
                    }
                    workflow.dropped_told = workflow.dropped;
                });
                self.drop_errands(|errand| errand.number == *number);
                self.tidy(job_id);
            }
            Event::LeaderChanged { job_id, leader, addr, fence_token, rescued, at } => {
                if let Some(job) = self.jobs.get_mut(job_id) {
                    job.lead(leader, addr.as_ref(), *fence_token);
                    let named = |name: &EntityId, _: &Workflow| rescued.contains(name);
                    job.workflows.update(named, |workflow| workflow.orphan_until = None);
                }
                self.send_again(|errand| errand.job_id == *job_id, *at);
            }
            Event::TransferParked { job_id, workflow_ids, leader, addr, fence_token, until, .. } => {
                self.parked.retain(|old| old.job_id != *job_id || !workflow_ids.contains(&old.workflow_id));
                self.parked.extend(workflow_ids.iter().map(|workflow_id| Parked {
                    job_id: job_id.clone(),
                    workflow_id: workflow_id.clone(),
                    leader: leader.clone(),
                    addr: addr.clone(),
                    fence_token: *fence_token,
                    until: *until,
                }));
            }
            Event::ParkedExpired { at } => self.parked.retain(|parked| parked.until > *at),
            Event::StopAsked { job_id, workflow_ids, reason, abort_at, .. } => {
                for workflow_id in workflow_ids {
                    self.workflow(job_id, workflow_id, |workflow| {
                        workflow.orphan_until = None;
                        workflow.stop = Some(Stop { reason: reason.clone(), abort_at: *abort_at });
                    });
                }
            }
            Event::Aborted { job_id, workflow_ids, at } => {
                // Nobody outside has confirmed that it stopped.
                let outside = self.watch.is_some();
                for workflow_id in workflow_ids {
                    self.ended(job_id, workflow_id, *at, |workflow| match workflow.hand {
                        Hand::Taken | Hand::Confirmed if outside => WorkflowOutcome::Lost,
                        Hand::Offered | Hand::Taken | Hand::Confirmed => WorkflowOutcome::Cancelled,
                    });
                }
                self.tidy(job_id);
            }
            Event::LeaderLost { job_id, until, .. } => {
                if let Some(job) = self.jobs.get_mut(job_id) {
                    let alive =
                        |_: &_, w: &Workflow| w.runs() && w.stop.is_none() && w.orphan_until.is_none();
                    job.workflows.update(alive, |workflow| workflow.orphan_until = Some(*until));
                }
            }
            Event::ExtensionRequested { job_id, request, at } => {
                if let Some(job) = self.jobs.get_mut(job_id) {
                    job.extension = Some(request.clone());
                }
                self.drop_errands(|errand| errand.job_id == *job_id && errand.what == What::Extension);
                self.send(job_id.clone(), What::Extension, *at);
            }
            Event::ExtensionAnswered { number, job_id, .. } => {
                if let Some(job) = self.jobs.get_mut(job_id) {
                    job.extension = None;
                }
                self.drop_errands(|errand| errand.number == *number);
                self.tidy(job_id);
            }
            Event::FenceRejected { job_id, message, given, .. } => {
                if let Some(job) = self.jobs.get_mut(job_id) {
                    job.fenced.insert((message.clone(), *given));
                }
            }
            Event::Draining { .. } => self.phase = Phase::Draining,
            Event::Left { .. } => {
                self.phase = Phase::Absent;
                self.parked.clear();
                // The tokens of the jobs stay: a leader that was replaced stays so.
                self.jobs.update(|_, _| true, |job| job.workflows = Layered::default());
            }
            Event::ReportsDropped { job_id, workflow_id, count, at } => {
                self.workflow(job_id, workflow_id, |workflow| {
                    workflow.dropped = workflow.dropped.saturating_add(*count);
                });
                // An answer to a report that was sent before says nothing of these.
                self.send_again(|errand| errand.reports(job_id, workflow_id), *at);
            }
            Event::Enrolled { beat_ms, incarnation, at } => {
                let is_another = self.incarnation.is_some() && *incarnation != self.incarnation;
                (self.beat_ms, self.incarnation) = (*beat_ms, *incarnation);
                if is_another {
                    self.watch = None;
                    self.lose(|workflow| workflow.hand != Hand::Offered, *at);
                }
            }
            Event::Took { handed, confirmed, silent_until, at } => {
                self.heard_of(*at, *silent_until);
                self.confirm(confirmed);
                for Handed { job_id, workflow_id, .. } in handed {
                    self.workflow(job_id, workflow_id, |workflow| {
                        (workflow.started, workflow.hand) = (true, Hand::Taken);
                    });
                    self.drop_errands(|errand| errand.reports(job_id, workflow_id));
                    self.send(job_id.clone(), What::Report(workflow_id.clone()), *at);
                }
            }
            Event::Beat { confirmed, at } => {
                self.heard_of(*at, *at);
                self.confirm(confirmed);
            }
            Event::GivenBack { job_id, workflow_ids, at } => {
                for workflow_id in workflow_ids {
                    self.ended(job_id, workflow_id, *at, |_| WorkflowOutcome::Lost);
                }
            }
            Event::Revoked { job_id, workflow_ids, .. } => {
                for workflow_id in workflow_ids {
                    self.workflow(job_id, workflow_id, |workflow| {
                        workflow.end(WorkflowOutcome::Lost);
                        workflow.result = None;
                    });
                    // Its leader has decided, and need not hear of it.
                    self.drop_errands(|errand| errand.reports(job_id, workflow_id));
                }
                self.tidy(job_id);
            }
            Event::Lost { at, .. } => {
                self.watch = None;
                if self.phase == Phase::Serving {
                    self.phase = Phase::Lost;
                }
                self.lose(|_| true, *at);
            }
            Event::Resumed { away_us, at } => {
                self.served_since = Some(*at);
                self.shift(Duration::from_micros(*away_us));
                self.send_again(|_| true, *at);
            }
        }
    }

    fn heard_of(&mut self, at: Timestamp, silent_until: Timestamp) {
        match &mut self.watch {
            Some(watch) => watch.sign(at, silent_until),
            None => self.watch = Some(Watch::begin(self.beat_ms, at, silent_until)),
        }
    }

    fn confirm(&mut self, confirmed: &[Handed]) {
        for Handed { job_id, workflow_id, .. } in confirmed {
            self.workflow(job_id, workflow_id, |workflow| workflow.hand = Hand::Confirmed);
        }
    }

    /// What runs and is so is lost, and its leaders must hear of it.
    fn lose(&mut self, which: impl Fn(&Workflow) -> bool, at: Timestamp) {
        let running = self.jobs.iter().flat_map(|(job_id, job)| {
            let lost = job.running().filter(|(_, workflow)| which(workflow));
            lost.map(move |(workflow_id, _)| (job_id.clone(), workflow_id.clone()))
        });
        let lost: Vec<(EntityId, EntityId)> = running.collect();
        for (job_id, workflow_id) in lost {
            self.ended(&job_id, &workflow_id, at, |_| WorkflowOutcome::Lost);
        }
    }

    /// A workflow came to an end of which its leader must hear.
    fn ended(
        &mut self,
        job_id: &EntityId,
        workflow_id: &EntityId,
        at: Timestamp,
        how: impl FnOnce(&Workflow) -> WorkflowOutcome,
    ) {
        self.workflow(job_id, workflow_id, |workflow| workflow.end(how(workflow)));
        self.drop_errands(|errand| errand.reports(job_id, workflow_id));
        self.send(job_id.clone(), What::Report(workflow_id.clone()), at);
    }

    /// Nobody watched for this long. Who carries workflows out begins anew with the process.
    fn shift(&mut self, away: Duration) {
        self.parked.iter_mut().for_each(|parked| parked.until = parked.until.plus(away));
        self.watch.iter_mut().for_each(|watch| watch.shift(away));
        let shift = |workflow: &mut Workflow| {
            workflow.started = workflow.started && !workflow.runs();
            workflow.orphan_until = workflow.orphan_until.map(|until| until.plus(away));
            if let Some(stop) = &mut workflow.stop {
                stop.abort_at = stop.abort_at.plus(away);
            }
        };
        self.jobs.update(|_, _| true, |job| job.workflows.update(|_, _| true, shift));
    }

    fn workflow(&mut self, job_id: &EntityId, workflow_id: &EntityId, change: impl FnOnce(&mut Workflow)) {
        if let Some(workflow) = self.jobs.get_mut(job_id).and_then(|job| job.workflows.get_mut(workflow_id)) {
            change(workflow);
        }
    }

    /// A job of which nothing runs asks for no time; once nothing of it is to be heard of either, it is idle.
    fn tidy(&mut self, job_id: &EntityId) {
        let Some(job) = self.jobs.get_mut(job_id).filter(|job| job.running().next().is_none()) else {
            return;
        };
        job.extension = None;
        self.drop_errands(|errand| errand.job_id == *job_id && errand.what == What::Extension);
        if self.outbox.values().any(|errand| errand.job_id == *job_id) {
            return;
        }
        self.idled = self.idled.saturating_add(1);
        let idled = self.idled;
        if let Some(job) = self.jobs.get_mut(job_id) {
            job.idle.get_or_insert(idled);
        }
        let idle = || self.jobs.iter().filter_map(|(name, job)| Some((job.idle?, name)));
        if idle().count() > MAX_IDLE_JOBS
            && let Some(oldest) = idle().min().map(|(_, name)| name.clone())
        {
            self.jobs.remove(&oldest);
        }
    }
}
