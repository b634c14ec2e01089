//! What is known of a job in one datacenter: the fold of its events.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::event::{Ended, Event, GateSeat, Submitted, Terms, TimedOut, TokenDomain};
use super::extension::{Denial, Tracker};
use super::lease::Lease;
use super::outbox::{Entry, Notice, Recipient};
use super::timeout::Limits;
use super::workflow::{Workflow, WorkflowStatus};
use crate::jobs::protocol::message::{FinalStatus, Leader, NotNow};
use crate::jobs::protocol::payload::Payloads;
use crate::jobs::protocol::recall::Charter;
use crate::jobs::protocol::token::{DispatchToken, FenceToken, GateEpoch};
use crate::kernel::ids::EntityId;
use crate::kernel::layered::Layered;
use crate::kernel::time::{Gap, Timestamp};

/// Refused attempts that are remembered between two changes, so that each is recorded once.
pub const MAX_REMEMBERED: usize = 64;

/// State of one job in one datacenter. Empty before its first submission.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its id; none before its first submission.
    pub job_id: Option<EntityId>,
    /// The datacenter.
    pub datacenter: Option<EntityId>,
    /// Highest token ever seen, over all runs.
    pub highest_token: FenceToken,
    /// Highest gate epoch ever seen, over all runs.
    pub highest_epoch: GateEpoch,
    /// Last handing over, over all runs.
    pub last_dispatch: DispatchToken,
    /// Last number in the outbox, over all runs.
    pub last_number: u64,
    /// How often it was submitted.
    pub runs: u64,
    /// The latest run.
    pub run: Option<Run>,
    /// What must arrive, by number.
    pub outbox: Layered<u64, Entry>,
    /// The lease.
    pub lease: Lease,
    /// When the latest event was recorded.
    pub last_recorded: Timestamp,
    /// When the process began that last resumed it.
    pub resumed_in: Option<Timestamp>,
    /// When the wall clock was last found to be set.
    pub clock_set_at: Option<Timestamp>,
    /// Refused attempts since the last change.
    pub refused: BTreeSet<Refused>,
    /// The latest run of a gate that does not begin here any more.
    pub refused_run: Option<RefusedRun>,
}

/// A run of a gate that was over before it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedRun {
    /// The epoch that its dispatches carry; earlier ones begin nothing either.
    pub epoch: GateEpoch,
    /// What the gate was told of it.
    pub status: FinalStatus,
}

/// A refused attempt, as a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Refused {
    /// Under another leadership.
    Fence(String, TokenDomain, u64),
    /// A step that leads nowhere.
    Step(EntityId, WorkflowStatus),
    /// More time for somebody who gets none.
    Extension(EntityId, Denial),
}

/// One run of the job: from its submission to its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Leadership.
    pub token: FenceToken,
    /// Who leads.
    pub leader: Leader,
    /// Where the leader listens.
    pub leader_addr: String,
    /// Since when nobody leads, if nobody does.
    pub suspended_at: Option<Timestamp>,
    /// The gate that coordinates it.
    pub gate: Option<GateSeat>,
    /// What a gate that lost its memory of the job is told; none of a job that came without.
    pub charter: Option<Charter>,
    /// Who asked the gate to stop the job and why, if it was the gate that had it stopped.
    pub gate_cancel: Option<(String, String)>,
    /// What was asked for; the workflows are below.
    pub terms: Terms,
    /// How much time it has.
    pub limits: Limits,
    /// When it was submitted. Never changes.
    pub started_at: Timestamp,
    /// The budget counts from here: later than the start by the downtime it leaves out.
    pub budget_from: Timestamp,
    /// When it last got on. Never moves backwards.
    pub last_progress_at: Timestamp,
    /// Idleness counts from here: later than the last progress by the downtime since.
    pub idle_from: Timestamp,
    /// The last extension counts from here, likewise.
    pub extension_from: Option<Timestamp>,
    /// When the last extension was granted.
    pub last_extension_at: Option<Timestamp>,
    /// Sum of extensions, in microseconds. Only grows.
    pub total_us: u64,
    /// Largest single extension, in microseconds.
    pub max_us: u64,
    /// Workers with extensions.
    pub active: BTreeSet<EntityId>,
    /// Extensions by worker.
    pub trackers: BTreeMap<EntityId, Tracker>,
    /// Workers believed dead.
    pub lost: BTreeSet<EntityId>,
    /// How it was found that time is over here.
    pub timed_out: Option<TimedOut>,
    /// The wait for the gate's decision counts from here.
    pub reported_from: Timestamp,
    /// The wait for any sign of the gate counts from here.
    pub contact_from: Timestamp,
    /// The decision of the gate that was accepted.
    pub decision: Option<u64>,
    /// How it ended.
    pub ended: Option<Ended>,
    /// Its workflows.
    pub workflows: Layered<EntityId, Workflow>,
    /// Steps of all its workflows.
    pub steps: u64,
    /// Has it ever got on?
    pub got_on: bool,
    /// How often a new process took it up.
    pub resumes: u64,
    /// What is to be done.
    pub payloads: Payloads,
}

/// What a job waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// For its end or its deadlines.
    Tracking,
    /// Its time is over here; for the gate's decision.
    AwaitingGate,
    /// For a leader.
    Suspended,
    /// For nothing.
    Stopped,
}

impl Phase {
    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Tracking => "tracking",
            Phase::AwaitingGate => "awaiting_gate",
            Phase::Suspended => "suspended",
            Phase::Stopped => "stopped",
        }
    }
}

impl Run {
    /// What it waits for.
    pub fn phase(&self) -> Phase {
        match (&self.ended, &self.suspended_at, &self.timed_out) {
            (Some(_), _, _) => Phase::Stopped,
            (None, Some(_), _) => Phase::Suspended,
            (None, None, Some(_)) => Phase::AwaitingGate,
            (None, None, None) => Phase::Tracking,
        }
    }

    /// The budget with its extensions, in microseconds; none without an overall limit.
    pub fn effective_us(&self) -> Option<u64> {
        self.limits.overall_ms.map(|ms| micros(ms).saturating_add(self.total_us))
    }

    /// The last instant at which the budget is not used up.
    pub fn overall_deadline(&self) -> Option<Timestamp> {
        self.effective_us().map(|us| self.budget_from.plus(Duration::from_micros(us)))
    }

    /// The last instant at which the job is not stuck, as far as progress is recorded.
    pub fn stuck_deadline(&self) -> Timestamp {
        self.idle_from.plus(Duration::from_millis(self.limits.stuck_ms))
    }

    /// How long it has run, downtime left out as agreed.
    pub fn elapsed(&self, now: Timestamp) -> Duration {
        now.since(self.budget_from)
    }

    /// Time since the last recorded progress, downtime left out.
    pub fn idle(&self, now: Timestamp) -> Duration {
        now.since(self.idle_from)
    }

    /// Workflows that some worker has, by worker.
    pub fn at_workers(&self) -> BTreeMap<EntityId, Vec<EntityId>> {
        let mut out: BTreeMap<EntityId, Vec<EntityId>> = BTreeMap::new();
        for (id, workflow) in self.workflows.iter() {
            if let Some(worker) = workflow.worker_id.as_ref().filter(|_| workflow.status.is_at_worker()) {
                out.entry(worker.clone()).or_default().push(id.clone());
            }
        }
        out
    }

    /// May whoever asks for work have it, once nothing is waited for? So it is with what has no worker, or one that is lost.
    pub fn is_free(&self, workflow: &Workflow) -> bool {
        match (workflow.status, &workflow.planned_worker, workflow.waits) {
            (WorkflowStatus::Pending, None, _) => true,
            (WorkflowStatus::Pending, Some(worker), _) => self.lost.contains(worker),
            (WorkflowStatus::Dispatched, _, Some(why)) => why == NotNow::Lost,
            (_, _, _) => false,
        }
    }

    /// Has this worker a part in the job? Where no workflow names a worker, any may have.
    pub fn knows_worker(&self, worker: &EntityId) -> bool {
        let mut named = false;
        for workflow in self.workflows.values() {
            for id in [&workflow.planned_worker, &workflow.worker_id].into_iter().flatten() {
                if id == worker {
                    return true;
                }
                named = true;
            }
        }
        !named
    }
}

impl Job {
    pub(super) fn evolve(&mut self, event: &Event) {
        self.last_recorded = self.last_recorded.max(event.at());
        match event {
            Event::FenceRejected(event) => {
                return self.remember(Refused::Fence(event.what.clone(), event.domain, event.given));
            }
            Event::StepRefused { workflow_id, to, .. } => {
                return self.remember(Refused::Step(workflow_id.clone(), *to));
            }
            Event::ExtensionDenied(event) if !event.counts => {
                return self.remember(Refused::Extension(event.worker_id.clone(), event.denial));
            }
            Event::Submitted(event) => self.submitted(event),
            Event::Queued(entry) => {
                self.last_number = entry.number;
                self.outbox.insert(entry.number, (**entry).clone());
            }
            Event::Acked { number, .. } | Event::CancelUnconfirmed { number, .. } => {
                let entry = self.outbox.remove(number);
                let handed =
                    entry.as_ref().filter(|entry| entry.run == self.runs).and_then(Entry::dispatches);
                self.waits_for_worker(handed, None);
            }
            Event::DispatchDelayed { workflow_id, why, .. } => {
                self.waits_for_worker(Some(workflow_id), Some(*why));
            }
            Event::Deferred { number, at } => {
                if let Some(entry) = self.outbox.get_mut(number) {
                    (entry.since, entry.deferred) = (*at, true);
                }
            }
            Event::CancelNarrowed { number, workflow_ids: left, .. } => self.narrow(*number, left),
            Event::LeaseTaken { holder, token, expires_at, .. } => {
                self.take_lease(holder, *token, *expires_at);
            }
            Event::LeaseGranted { holder, token, expires_at, lease_ms, in_process, .. } => {
                self.take_lease(holder, *token, *expires_at);
                (self.lease.length_ms, self.lease.in_process) = (Some(*lease_ms), *in_process);
            }
            Event::LeaseRenewed { expires_at, .. } => self.lease.renew(*expires_at),
            Event::LeaseResized { lease_ms, expires_at, .. } => {
                self.lease.renew(*expires_at);
                self.lease.length_ms = Some(*lease_ms);
            }
            Event::LeaseReleased { .. } => self.lease.void(),
            Event::LeaseAskedBy { by, .. } => self.lease.asked_by = Some(by.clone()),
            Event::TokenAdopted { token, .. } => self.mint(*token),
            Event::RunRefused { epoch, status, .. } => {
                self.refused_run = Some(RefusedRun { epoch: *epoch, status: *status });
            }
            Event::LeaderChanged(event) => {
                self.outbox.retain(|_, entry| !entry.is_transfer());
                self.mint(event.token);
                self.wait_longer(Duration::from_micros(event.vacant_us));
                self.lease.void();
            }
            Event::Resumed(event) => {
                self.resumed_in = Some(event.began);
                self.wait_longer(Duration::from_micros(event.away_us));
                if event.gap == Gap::ClockJump {
                    self.lease.expires_at = self.lease.expires_at.plus(Duration::from_micros(event.away_us));
                }
                match event.gap {
                    Gap::Restart => {
                        self.outbox.retain(|_, entry| !entry.is_transfer());
                        self.mint(event.token);
                        self.lease.goes_on_under(event.token);
                    }
                    Gap::Command => self.lease.outlives_its_process(),
                    Gap::Suspend | Gap::ClockJump | Gap::Pause => {}
                }
            }
            Event::ClockStepped { at, .. } => {
                self.clock_set_at = Some(*at);
                return;
            }
            Event::StoppingResumed { began, away_us } => {
                self.resumed_in = Some(*began);
                self.wait_longer(Duration::from_micros(*away_us));
            }
            Event::GateChanged { gate, .. } => self.highest_epoch = self.highest_epoch.max(gate.epoch),
            Event::Ended(_) => {
                self.outbox.retain(|_, entry| entry.outlives_the_job());
                self.lease.void();
            }
            Event::WorkflowMoved(step) => {
                let latest = step.dispatch_token.unwrap_or_default();
                self.last_dispatch = self.last_dispatch.max(latest);
                // A worker that is handed it late would run what is over.
                self.outbox.retain(|_, entry| entry.dispatches() != Some(&step.workflow_id));
            }
            Event::WorkerLost { worker_id, .. } => self.drop_dispatches(worker_id),
            Event::ProgressNoted(_)
            | Event::AttemptMade { .. }
            | Event::LateResult { .. }
            | Event::ExtensionGranted(_)
            | Event::ExtensionDenied(_)
            | Event::ExtensionsReset { .. }
            | Event::ExtensionKeyed { .. }
            | Event::WorkerHealthy { .. }
            | Event::TimeoutDetected(_)
            | Event::GateHeard { .. }
            | Event::GlobalTimeoutAccepted { .. }
            | Event::CharterNoted { .. }
            | Event::RecallAsked { .. }
            | Event::GateCancelAccepted { .. }
            | Event::Suspended { .. }
            | Event::ReportsDropped { .. }
            | Event::PayloadNoted { .. } => {}
        }
        self.refused.clear();
        if let Some(run) = &mut self.run {
            run.evolve(event);
        }
    }

    fn submitted(&mut self, event: &Submitted) {
        self.job_id = Some(event.job_id.clone());
        self.datacenter = Some(event.datacenter.clone());
        self.highest_token = self.highest_token.max(event.token);
        if let Some(gate) = &event.gate {
            self.highest_epoch = self.highest_epoch.max(gate.epoch);
        }
        self.runs = self.runs.saturating_add(1);
        self.run = Some(Run::of(event));
    }

    fn take_lease(&mut self, holder: &Leader, token: FenceToken, expires_at: Timestamp) {
        self.highest_token = self.highest_token.max(token);
        self.lease = Lease {
            holder: Some(holder.clone()),
            token,
            version: self.lease.version.saturating_add(1),
            expires_at,
            taken_under: token,
            length_ms: None,
            in_process: false,
            asked_by: None,
        };
    }

    fn waits_for_worker(&mut self, workflow_id: Option<&EntityId>, why: Option<NotNow>) {
        let workflows = self.run.as_mut().map(|run| &mut run.workflows);
        if let (Some(workflows), Some(id)) = (workflows, workflow_id)
            && let Some(workflow) = workflows.get_mut(id)
        {
            workflow.waits = why;
        }
    }

    fn remember(&mut self, refused: Refused) {
        if self.refused.len() < MAX_REMEMBERED {
            self.refused.insert(refused);
        }
    }

    /// A new leadership; what this run still has to send is sent under it.
    fn mint(&mut self, token: FenceToken) {
        self.highest_token = self.highest_token.max(token);
        let runs = self.runs;
        self.outbox.update(|_, entry| entry.run == runs, |entry| entry.token = token);
    }

    fn wait_longer(&mut self, away: Duration) {
        self.outbox.update(|_, _| true, |entry| entry.since = entry.since.plus(away));
    }

    fn narrow(&mut self, number: u64, left: &[EntityId]) {
        if let Some(entry) = self.outbox.get_mut(&number)
            && let Notice::Cancel { workflow_ids, .. } = &mut entry.notice
        {
            *workflow_ids = left.to_vec();
        }
    }

    /// Nobody is there to take them.
    fn drop_dispatches(&mut self, worker: &EntityId) {
        self.outbox.retain(|_, entry| entry.to != Recipient::Worker(worker.clone()));
    }
}

/// Microseconds of so many milliseconds.
pub(super) fn micros(ms: u64) -> u64 {
    ms.saturating_mul(1_000)
}
