//! What a worker knows: the fold of its events.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::event::Event;
use super::outbox::{Errand, What};
use super::settings::Settings;
use crate::jobs::protocol::message::{HealthcheckExtensionRequest, Leader, WorkflowOutcome};
use crate::jobs::protocol::token::{DispatchToken, FenceToken};
use crate::kernel::ids::EntityId;
use crate::kernel::layered::Layered;
use crate::kernel::time::Timestamp;

/// Most jobs of which nothing runs any more whose tokens are kept; the one idle for longest is forgotten first.
pub const MAX_IDLE_JOBS: usize = 256;

/// State of one worker. Empty before it is first registered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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
}

impl Phase {
    /// The name used in JSON and logs.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Absent => "absent",
            Phase::Serving => "serving",
            Phase::Draining => "draining",
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
    /// Its leader is lost; until when it waits for another.
    pub orphan_until: Option<Timestamp>,
    /// It was asked to stop.
    pub stop: Option<Stop>,
    /// Reports of this handing over that were dropped.
    pub dropped: u64,
    /// Of those, how many the leader was told of.
    pub dropped_told: u64,
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

impl Workflow {
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

    pub(super) fn due(&self) -> Option<Timestamp> {
        let running = self.jobs.values().flat_map(Job::running).map(|(_, workflow)| workflow);
        let waits = running.filter_map(|workflow| {
            let stop = workflow.stop.as_ref().map(|stop| stop.abort_at);
            stop.or(workflow.orphan_until)
        });
        waits.chain(self.parked.iter().map(|parked| parked.until)).min().filter(|due| *due < Timestamp::MAX)
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
                    orphan_until: None,
                    stop: None,
                    dropped: 0,
                    dropped_told: 0,
                };
                job.workflows.insert(workflow_id.clone(), workflow);
                job.idle = None;
                self.parked.retain(|parked| parked.job_id != *job_id || parked.workflow_id != *workflow_id);
                if higher {
                    self.send_again(|errand| errand.job_id == *job_id, *at);
                }
            }
            Event::Reported { job_id, workflow_id, outcome, completed_count, result, at } => {
                self.workflow(job_id, workflow_id, |workflow| {
                    workflow.started = true;
                    workflow.completed_count = *completed_count;
                    workflow.result = result.clone();
                    if *outcome != WorkflowOutcome::Running {
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
                for workflow_id in workflow_ids {
                    self.workflow(job_id, workflow_id, |workflow| workflow.end(WorkflowOutcome::Cancelled));
                    self.drop_errands(|errand| errand.reports(job_id, workflow_id));
                    self.send(job_id.clone(), What::Report(workflow_id.clone()), *at);
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
            Event::Resumed { away_us, at } => {
                self.served_since = Some(*at);
                self.shift(Duration::from_micros(*away_us));
                self.send_again(|_| true, *at);
            }
        }
    }

    /// Nobody watched for this long. Who carries workflows out begins anew with the process.
    fn shift(&mut self, away: Duration) {
        self.parked.iter_mut().for_each(|parked| parked.until = parked.until.plus(away));
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
