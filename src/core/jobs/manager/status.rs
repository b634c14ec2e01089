//! A job as it is shown: how much time is left, who leads, how its workflows stand.

use std::time::Duration;

use super::event::{Ended, GateSeat};
use super::state::{Job, Phase, Run};
use super::timeout::Limits;
use super::workflow::{Moved, WorkflowStatus};
use crate::jobs::protocol::message::{FinalStatus, Leader, TimeoutKind};
use crate::jobs::protocol::token::{FenceToken, GateEpoch};
use crate::kernel::ids::EntityId;
use crate::kernel::time::{Timestamp, millis};

/// Where a job is, as told to those outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobStatus {
    /// Taken on; nothing of it was handed out.
    Submitted,
    /// All that is left of it waits to be handed out.
    Queued,
    /// Some of it was handed to workers, and none of it runs yet.
    Dispatching,
    /// Some of it runs.
    Running,
    /// Nothing of it is left to run, and some of it is still stopping.
    Completing,
    /// It is done.
    Completed,
    /// A workflow failed for good.
    Failed,
    /// It was cancelled.
    Cancelled,
    /// Its time was over.
    Timeout,
}

impl JobStatus {
    /// Every status.
    pub const ALL: [JobStatus; 9] = [
        JobStatus::Submitted,
        JobStatus::Queued,
        JobStatus::Dispatching,
        JobStatus::Running,
        JobStatus::Completing,
        JobStatus::Completed,
        JobStatus::Failed,
        JobStatus::Cancelled,
        JobStatus::Timeout,
    ];

    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            JobStatus::Submitted => "submitted",
            JobStatus::Queued => "queued",
            JobStatus::Dispatching => "dispatching",
            JobStatus::Running => "running",
            JobStatus::Completing => "completing",
            JobStatus::Completed => "completed",
            JobStatus::Failed => "failed",
            JobStatus::Cancelled => "cancelled",
            JobStatus::Timeout => "timeout",
        }
    }

    /// The status of a name; `timed_out` is another name of `timeout`.
    pub fn from_name(name: &str) -> Option<Self> {
        if name == "timed_out" {
            return Some(JobStatus::Timeout);
        }
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Does it end the job?
    pub fn is_terminal(self) -> bool {
        match self {
            JobStatus::Completed | JobStatus::Failed | JobStatus::Cancelled | JobStatus::Timeout => true,
            JobStatus::Submitted
            | JobStatus::Queued
            | JobStatus::Dispatching
            | JobStatus::Running
            | JobStatus::Completing => false,
        }
    }
}

impl From<FinalStatus> for JobStatus {
    fn from(status: FinalStatus) -> Self {
        match status {
            FinalStatus::Completed => JobStatus::Completed,
            FinalStatus::Failed => JobStatus::Failed,
            FinalStatus::Cancelled => JobStatus::Cancelled,
            FinalStatus::Timeout => JobStatus::Timeout,
        }
    }
}

/// A job at one instant.
#[derive(Clone, Debug, PartialEq)]
pub struct JobView {
    /// The job.
    pub job_id: EntityId,
    /// The datacenter.
    pub datacenter: EntityId,
    /// Which submission of this id it is.
    pub run: u64,
    /// Where it is.
    pub status: JobStatus,
    /// What it waits for.
    pub phase: Phase,
    /// Who leads it.
    pub leader: Leader,
    /// Where the leader listens.
    pub leader_addr: String,
    /// Leadership.
    pub token: FenceToken,
    /// Who holds the lease, if anybody does now.
    pub lease_holder: Option<Leader>,
    /// The identity that took it for its holder.
    pub lease_asked_by: Option<EntityId>,
    /// The gate, if one coordinates it.
    pub gate: Option<GateSeat>,
    /// Highest epoch of a gate ever seen.
    pub gate_epoch: GateEpoch,
    /// How much time it has, and why.
    pub limits: Limits,
    /// When it was submitted.
    pub started_at: Timestamp,
    /// How long it has run, in ms.
    pub elapsed_ms: u64,
    /// Budget with extensions, in ms.
    pub effective_ms: Option<u64>,
    /// The last instant of the budget.
    pub deadline: Option<Timestamp>,
    /// What is left of the budget, in ms.
    pub remaining_ms: Option<u64>,
    /// When it last got on.
    pub last_progress_at: Timestamp,
    /// Time since, in ms, downtime left out.
    pub idle_ms: u64,
    /// The last instant at which it is not stuck.
    pub stuck_deadline: Timestamp,
    /// Sum of extensions, in ms.
    pub extensions_ms: u64,
    /// Largest extension, in ms.
    pub max_extension_ms: u64,
    /// When the last one was granted.
    pub last_extension_at: Option<Timestamp>,
    /// Workers with extensions.
    pub extended_workers: Vec<EntityId>,
    /// Workers believed dead.
    pub lost_workers: Vec<EntityId>,
    /// Workflows by status, all ten.
    pub workflows: Vec<(WorkflowStatus, u64)>,
    /// Reports of its workflows that workers dropped, as far as they told.
    pub reports_dropped: u64,
    /// Messages that are not answered.
    pub outbox: u64,
    /// When it is next looked at.
    pub next_deadline: Option<Timestamp>,
    /// Why its time was found to be over here.
    pub timeout: Option<(TimeoutKind, String)>,
    /// How it ended.
    pub ended: Option<Ended>,
    /// How often a new process took it up.
    pub resumes: u64,
}

impl Job {
    /// The job at an instant, given progress that may not be on record; none before its first submission.
    pub fn view(&self, now: Timestamp, heard: Option<Timestamp>) -> Option<JobView> {
        let (run, job_id, datacenter) =
            (self.run.as_ref()?, self.job_id.as_ref()?, self.datacenter.as_ref()?);
        let idle_from = heard.unwrap_or(run.idle_from).max(run.idle_from);
        // What has ended stands still.
        let at = run.ended.as_ref().map_or(now, |ended| ended.at.min(now));
        let deadline = run.overall_deadline();
        Some(JobView {
            job_id: job_id.clone(),
            datacenter: datacenter.clone(),
            run: self.runs,
            status: run.status(),
            phase: run.phase(),
            leader: run.leader.clone(),
            leader_addr: run.leader_addr.clone(),
            token: run.token,
            lease_holder: self.lease.holder_at(now).cloned(),
            lease_asked_by: self.lease.holder_at(now).and(self.lease.asked_by.clone()),
            gate: run.gate.clone(),
            gate_epoch: self.highest_epoch,
            limits: run.limits.clone(),
            started_at: run.started_at,
            elapsed_ms: millis(run.elapsed(at)),
            effective_ms: run.effective_us().map(|us| us / 1_000),
            deadline,
            remaining_ms: deadline.map(|deadline| millis(deadline.since(at))),
            last_progress_at: run.last_progress_at.max(heard.unwrap_or(run.last_progress_at)),
            idle_ms: millis(at.since(idle_from)),
            stuck_deadline: idle_from.plus(Duration::from_millis(run.limits.stuck_ms)),
            extensions_ms: run.total_us / 1_000,
            max_extension_ms: run.max_us / 1_000,
            last_extension_at: run.last_extension_at,
            extended_workers: run.active.iter().cloned().collect(),
            lost_workers: run.lost.iter().cloned().collect(),
            workflows: run.status_counts(),
            reports_dropped: run.workflows.values().map(|w| w.reports_dropped).fold(0, u64::saturating_add),
            outbox: self.outbox.len() as u64,
            next_deadline: self.due(),
            timeout: run.timed_out.as_ref().map(|found| (found.kind, found.reason.clone())),
            ended: run.ended.clone(),
            resumes: run.resumes,
        })
    }
}

impl Run {
    /// Where the job is, as told to those outside.
    pub fn status(&self) -> JobStatus {
        if let Some(ended) = &self.ended {
            return ended.status.into();
        }
        let any = |wanted: WorkflowStatus| self.workflows.values().any(|workflow| workflow.status == wanted);
        let done = || any(WorkflowStatus::Completed) || any(WorkflowStatus::Aggregated);
        if any(WorkflowStatus::Running) {
            JobStatus::Running
        } else if any(WorkflowStatus::Dispatched) {
            if done() { JobStatus::Running } else { JobStatus::Dispatching }
        } else if any(WorkflowStatus::Pending) {
            if self.steps == 0 { JobStatus::Submitted } else { JobStatus::Queued }
        } else if any(WorkflowStatus::Cancelling) {
            JobStatus::Completing
        } else if self.got_on {
            // Without workflows of its own it is run elsewhere.
            JobStatus::Running
        } else {
            JobStatus::Submitted
        }
    }

    /// How many workflows are where, all ten statuses.
    pub fn status_counts(&self) -> Vec<(WorkflowStatus, u64)> {
        let count =
            |status| self.workflows.values().filter(|workflow| workflow.status == status).count() as u64;
        WorkflowStatus::ALL.into_iter().map(|status| (status, count(status))).collect()
    }

    /// The workflows that are there.
    pub fn workflows_in(&self, status: WorkflowStatus) -> Vec<&EntityId> {
        let there = self.workflows.iter().filter(|(_, workflow)| workflow.status == status);
        there.map(|(id, _)| id).collect()
    }

    /// Where a workflow is; pending if nothing is known of it.
    pub fn workflow_status(&self, id: &EntityId) -> WorkflowStatus {
        self.workflows.get(id).map_or(WorkflowStatus::Pending, |workflow| workflow.status)
    }

    /// The newest steps of a workflow, oldest first.
    pub fn history(&self, id: &EntityId) -> Vec<&Moved> {
        self.workflows.get(id).into_iter().flat_map(|workflow| &workflow.history).collect()
    }

    /// Time since a workflow got on, as recorded; none if nothing is known of it.
    pub fn since_progress(&self, id: &EntityId, now: Timestamp) -> Option<Duration> {
        self.workflows.get(id).map(|workflow| now.since(workflow.last_progress_at))
    }

    /// Workflows that did not get on for at least this long, longest first; those that are settled only if asked for.
    pub fn stuck_workflows(
        &self,
        threshold: Duration,
        exclude_settled: bool,
        now: Timestamp,
    ) -> Vec<(&EntityId, WorkflowStatus, Duration)> {
        let mut stuck = Vec::new();
        for (id, workflow) in self.workflows.iter() {
            let idle = now.since(workflow.last_progress_at);
            if idle >= threshold && !(exclude_settled && workflow.is_settled()) {
                stuck.push((id, workflow.status, idle));
            }
        }
        stuck.sort_by(|a, b| b.2.cmp(&a.2).then_with(|| a.0.cmp(b.0)));
        stuck
    }
}
