//! What gates, managers and workers say to each other about jobs.
//!
//! ```text
//!            JobDispatch, JobGlobalTimeout, JobLeaderGateTransfer, JobCancelRequest
//!        ┌──────────────────────────────────────────────────────────────────────┐
//!       gate                                                                 manager (one per datacenter)
//!        └──────────────────────────────────────────────────────────────────────┘    │
//!            JobProgressReport, JobTimeoutReport, JobLeaderTransfer, JobFinalStatus,  │ WorkflowDispatch,
//!            JobRecall                                                                │
//!                                                                                     │ WorkflowCancel, WorkflowRevoke,
//!                                  WorkflowReport, HealthcheckExtensionRequest        │ JobLeaderWorkerTransfer
//!                                  ◄──────────────────────────────────────────── worker
//! ```
//!
//! Any message may be lost, doubled, late or overtaken. What must arrive stands in the sender's state (its *outbox*)
//! until a reply with the same [`Message::number`] comes back, and is sent again meanwhile; so every receiver recognises repeats.
//! Clocks of two parties are never compared: messages carry durations, and the receiver notes when they came.

use serde::{Deserialize, Serialize};

use super::recall::{Dispatch, JobRecall};
use super::token::{DispatchToken, FenceToken, GateEpoch};
use crate::jobs::manager::settings::Settings;
use crate::kernel::ids::EntityId;
use crate::load::stats::WireSignal;

/// A party that sends and receives.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Party {
    /// The gate that leads a job over all its datacenters.
    Gate(EntityId),
    /// The manager of a datacenter.
    Manager {
        /// The datacenter.
        datacenter: EntityId,
        /// The node that leads there, with its incarnation.
        node: Leader,
    },
    /// A worker.
    Worker(EntityId),
}

/// A leader: a node and which of its lives. A node that restarts under its old name is another leader.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Leader {
    /// The node.
    pub node: EntityId,
    /// Which of its lives.
    pub incarnation: u64,
}

/// One message about one job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// The job it is about.
    pub job_id: EntityId,
    /// The datacenter whose part of the job it is about.
    pub datacenter: EntityId,
    /// Who says it.
    pub from: Party,
    /// To whom.
    pub to: Party,
    /// In a message from an outbox: its number there. In a reply: the number it replies to. 0: sent once, not replied to.
    pub number: u64,
    /// What it says.
    pub body: Body,
    /// What the node that sends it for a manager asks of senders; none: it says nothing of it, and what was known stays.
    /// Filled in on the way out: the machines know nothing of the load.
    pub signal: Option<WireSignal>,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Body {
    /// Gate → manager: run this job in your datacenter.
    JobDispatch(Box<Dispatch>),
    /// Manager → gate: how it goes. Sent once every period, not repeated.
    JobProgressReport(JobProgressReport),
    /// Manager → gate: the job's time is over here.
    JobTimeoutReport(JobTimeoutReport),
    /// Manager → gate: another manager leads the job here.
    JobLeaderTransfer(JobLeaderTransfer),
    /// Manager → gate: the job has ended here.
    JobFinalStatus(JobFinalStatus),
    /// Manager → gate: everything it must know of the job to lead it again.
    JobRecall(Box<JobRecall>),
    /// Gate → manager: the job's time is over everywhere.
    JobGlobalTimeout(JobGlobalTimeout),
    /// Gate → manager: another gate leads the job.
    JobLeaderGateTransfer(JobLeaderGateTransfer),
    /// Anyone → gate, gate → manager: stop the job.
    JobCancelRequest(JobCancelRequest),
    /// Manager → worker: run this workflow.
    WorkflowDispatch(WorkflowDispatch),
    /// Manager → worker: stop these workflows.
    WorkflowCancel(WorkflowCancel),
    /// Manager → worker: another manager leads the job.
    JobLeaderWorkerTransfer(JobLeaderWorkerTransfer),
    /// Worker → manager: this became of a workflow.
    WorkflowReport(WorkflowReport),
    /// Worker → manager: more time, please.
    HealthcheckExtensionRequest(HealthcheckExtensionRequest),
    /// Reply to what a manager reports, and to a dispatch.
    ReportAck(ReportAck),
    /// Reply to a global timeout.
    GlobalTimeoutAck(ReportAck),
    /// Reply to a cancellation.
    JobCancelResponse(JobCancelResponse),
    /// Reply to what a manager tells a worker.
    WorkerAck(WorkerAck),
    /// Reply to a request for more time.
    HealthcheckExtensionResponse(HealthcheckExtensionResponse),
    /// Worker → manager: this became of a workflow, and reports of it were dropped that the manager was not told of.
    WorkflowReportAfterDrops(WorkflowReportAfterDrops),
    /// Manager → worker: these are not yours any more.
    WorkflowRevoke(WorkflowRevoke),
}

/// A job to run in one datacenter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobDispatch {
    /// Base budget in ms; `None` = no overall limit.
    pub timeout_ms: Option<u64>,
    /// Idle limit in ms.
    pub stuck_threshold_ms: u64,
    /// The workflows to run.
    pub workflows: Vec<WorkflowPlan>,
    /// Jobs whose durations are alike; deadlines can be learned per class.
    pub class: Option<EntityId>,
    /// Name of the timeout rule.
    pub timeout_rule: String,
    /// Every other number, the same in every datacenter.
    pub settings: Settings,
    /// The gate's epoch.
    pub gate_epoch: GateEpoch,
    /// Where the gate listens.
    pub gate_addr: String,
}

/// One workflow of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkflowPlan {
    /// Its id, unique within the job.
    pub workflow_id: EntityId,
    /// Workflows of the job that must be completed first.
    pub depends_on: Vec<EntityId>,
    /// The worker it is meant for, if that is decided.
    pub worker_id: Option<EntityId>,
}

/// How a job goes in one datacenter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobProgressReport {
    /// The manager.
    pub manager: Leader,
    /// Where it listens.
    pub manager_addr: String,
    /// Workflows of the job here.
    pub workflows_total: u64,
    /// Of those, completed.
    pub workflows_completed: u64,
    /// Of those, failed for good.
    pub workflows_failed: u64,
    /// Was there progress within the last 10 seconds?
    pub has_recent_progress: bool,
    /// The sender's wall clock in ms, for people; never compared.
    pub timestamp_ms: i64,
    /// Leadership of the job here.
    pub fence_token: FenceToken,
    /// Sum of all extensions granted, in ms.
    pub total_extensions_granted_ms: u64,
    /// Largest single extension, in ms.
    pub max_worker_extension_ms: u64,
    /// Workers with extensions.
    pub workers_with_extensions: u64,
    /// Orders the reports of one token.
    pub report_seq: u64,
    /// How long the job runs here, in ms.
    pub elapsed_ms: u64,
    /// Time since the last progress, in ms.
    pub idle_ms: u64,
}

/// Why time was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeoutKind {
    /// The budget with its extensions was used up.
    Overall,
    /// Nothing moved for too long.
    Stuck,
    /// The gate decided for all datacenters.
    GlobalDecision,
    /// The gate could not be reached for a decision.
    GateUnresponsiveFallback,
    /// The gate could be reached and did not decide.
    GateUndecidedFallback,
}

impl TimeoutKind {
    /// The name used in JSON, reasons and logs.
    pub fn name(self) -> &'static str {
        match self {
            TimeoutKind::Overall => "overall",
            TimeoutKind::Stuck => "stuck",
            TimeoutKind::GlobalDecision => "global_decision",
            TimeoutKind::GateUnresponsiveFallback => "gate_unresponsive_fallback",
            TimeoutKind::GateUndecidedFallback => "gate_undecided_fallback",
        }
    }
}

/// The job's time is over in one datacenter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobTimeoutReport {
    /// The manager.
    pub manager: Leader,
    /// Where it listens.
    pub manager_addr: String,
    /// Why, for people.
    pub reason: String,
    /// Why.
    pub kind: TimeoutKind,
    /// How long the job ran, in ms.
    pub elapsed_ms: u64,
    /// The budget with its extensions, in ms; `None` = no overall limit.
    pub effective_timeout_ms: Option<u64>,
    /// Leadership of the job here.
    pub fence_token: FenceToken,
}

/// Another manager leads the job in a datacenter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobLeaderTransfer {
    /// The new leader.
    pub new_leader: Leader,
    /// Where it listens.
    pub new_leader_addr: String,
    /// Its token.
    pub fence_token: FenceToken,
    /// How long the job runs, in ms.
    pub elapsed_ms: u64,
    /// Time since the last progress, in ms.
    pub idle_ms: u64,
}

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinalStatus {
    /// All workflows completed.
    Completed,
    /// A workflow failed for good.
    Failed,
    /// It was cancelled.
    Cancelled,
    /// Its time was over.
    Timeout,
}

impl FinalStatus {
    /// The name used in JSON and logs.
    pub fn name(self) -> &'static str {
        match self {
            FinalStatus::Completed => "completed",
            FinalStatus::Failed => "failed",
            FinalStatus::Cancelled => "cancelled",
            FinalStatus::Timeout => "timeout",
        }
    }
}

/// The job has ended in one datacenter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobFinalStatus {
    /// The manager.
    pub manager: Leader,
    /// How.
    pub status: FinalStatus,
    /// Why, for people.
    pub reason: String,
    /// Why time was over, if it was.
    pub kind: Option<TimeoutKind>,
    /// Leadership of the job here.
    pub fence_token: FenceToken,
    /// May a correction follow?
    pub provisional: bool,
}

/// The job's time is over everywhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobGlobalTimeout {
    /// Why, for people.
    pub reason: String,
    /// How long ago the gate decided, in ms.
    pub decided_ago_ms: u64,
    /// The receiver's leadership, as the gate knows it.
    pub fence_token: FenceToken,
    /// The gate's epoch.
    pub gate_epoch: GateEpoch,
    /// Which decision.
    pub decision_id: u64,
    /// The run that is over, by the epoch that its dispatches carry.
    pub run: GateEpoch,
}

/// Another gate leads the job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobLeaderGateTransfer {
    /// The new gate.
    pub new_gate: Leader,
    /// Where it listens.
    pub new_gate_addr: String,
    /// Its epoch.
    pub gate_epoch: GateEpoch,
    /// The gate before.
    pub old_gate: Option<Leader>,
    /// The gate has lost its memory of the job: it asks to be told everything of the run that began in this epoch.
    pub recall: Option<GateEpoch>,
}

/// Stop the job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobCancelRequest {
    /// Who asks.
    pub requester_id: String,
    /// Why.
    pub reason: String,
    /// The leadership the one who asks knows of; none = not checked.
    pub fence_token: FenceToken,
    /// The run that is to stop, by the epoch that its dispatches carry; none = whichever there is.
    pub run: GateEpoch,
}

/// What became of a request to stop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobCancelResponse {
    /// Is the job stopped by it, or was it before?
    pub success: bool,
    /// Workflows it stops.
    pub cancelled_workflow_count: u64,
    /// It was cancelled before.
    pub already_cancelled: bool,
    /// It was completed before.
    pub already_completed: bool,
    /// How it ended before, if not by a cancellation.
    pub already_terminal: Option<FinalStatus>,
    /// Why not.
    pub error: Option<String>,
}

/// What the receiver of a report says to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReportAck {
    /// What became of it.
    pub outcome: AckOutcome,
    /// The leadership of the job in that datacenter, as the receiver knows it.
    pub fence_token: FenceToken,
    /// Where the leader listens, as the receiver knows it.
    pub leader_addr: Option<String>,
}

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AckOutcome {
    /// Taken, or taken before.
    Accepted,
    /// The sender was replaced.
    Stale,
    /// The receiver does not know the job (it may be recovering).
    UnknownJob,
    /// The job has ended.
    AlreadyFinal(FinalStatus),
    /// The receiver has too much load and did not look at it.
    Refused {
        /// When to come again, in ms.
        retry_after_ms: u64,
    },
}

/// Run a workflow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkflowDispatch {
    /// The workflow.
    pub workflow_id: EntityId,
    /// Which try, from 1.
    pub attempt: u32,
    /// This handing over.
    pub dispatch_token: DispatchToken,
    /// Leadership of the job.
    pub fence_token: FenceToken,
}

/// Stop workflows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkflowCancel {
    /// Which.
    pub workflow_ids: Vec<EntityId>,
    /// Why.
    pub reason: String,
    /// Leadership of the job.
    pub fence_token: FenceToken,
}

/// Workflows are taken from a worker; it is not asked whether they stopped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkflowRevoke {
    /// Which, and which handing over of them: a later one stays.
    pub workflows: Vec<(EntityId, DispatchToken)>,
    /// Why the work is taken back, for people.
    pub reason: String,
    /// Leadership of the job.
    pub fence_token: FenceToken,
}

/// Another manager leads the job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobLeaderWorkerTransfer {
    /// The workflows it is about.
    pub workflow_ids: Vec<EntityId>,
    /// The new leader.
    pub new_manager: Leader,
    /// Where it listens.
    pub new_manager_addr: String,
    /// Its token.
    pub fence_token: FenceToken,
    /// The leader before.
    pub old_manager: Option<Leader>,
}

/// What a worker says became of a workflow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkflowReport {
    /// The worker.
    pub worker_id: EntityId,
    /// The workflow.
    pub workflow_id: EntityId,
    /// The handing over it answers.
    pub dispatch_token: DispatchToken,
    /// What became of it.
    pub outcome: WorkflowOutcome,
    /// Items done so far; only grows.
    pub completed_count: u64,
    /// What it made or why it failed, opaque.
    pub result: Option<String>,
}

/// A report before which others were dropped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkflowReportAfterDrops {
    /// What the worker says.
    pub report: WorkflowReport,
    /// Reports of this handing over that were dropped so far; only grows.
    pub dropped: u64,
}

/// What became of a workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkflowOutcome {
    /// It runs.
    Running,
    /// It is done.
    Completed,
    /// It failed.
    Failed,
    /// It was stopped.
    Cancelled,
    /// Nobody can say: its worker was lost, or never confirmed that it stopped.
    Lost,
}

impl WorkflowOutcome {
    /// The name used in JSON.
    pub fn name(self) -> &'static str {
        match self {
            WorkflowOutcome::Running => "running",
            WorkflowOutcome::Completed => "completed",
            WorkflowOutcome::Failed => "failed",
            WorkflowOutcome::Cancelled => "cancelled",
            WorkflowOutcome::Lost => "lost",
        }
    }
}

/// Why a worker cannot take a workflow now, though it may later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotNow {
    /// It runs as much as it can.
    Full,
    /// Nobody of this name serves yet, or any more.
    NotRegistered,
    /// It takes nothing new.
    Draining,
    /// It has it before it, and did not take it yet.
    NotTaken,
    /// It is lost, or left without having taken it.
    Lost,
}

impl NotNow {
    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            NotNow::Full => "full",
            NotNow::NotRegistered => "not_registered",
            NotNow::Draining => "draining",
            NotNow::NotTaken => "not_taken",
            NotNow::Lost => "lost",
        }
    }
}

/// What a worker says to what a manager told it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkerAck {
    /// Did it take it?
    pub accepted: bool,
    /// Why not.
    pub rejection_reason: Option<String>,
    /// It can take it later: the same may be sent again, under the same dispatch token.
    pub not_now: Option<NotNow>,
    /// The leadership of the job the worker knows of.
    pub fence_token_received: FenceToken,
    /// The workflows it is about, as the worker has them.
    pub workflow_states: Vec<(EntityId, WorkflowOutcome)>,
}

/// More time, please.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HealthcheckExtensionRequest {
    /// Who asks.
    pub worker_id: EntityId,
    /// Why, for people.
    pub reason: String,
    /// How far it is, any scale.
    pub current_progress: f64,
    /// When it hopes to be done, in ms from now.
    pub estimated_completion_ms: u64,
    /// Workflows it runs.
    pub active_workflow_count: u64,
    /// Items done.
    pub completed_items: Option<u64>,
    /// Items in all.
    pub total_items: Option<u64>,
    /// Recognises repeats of the request.
    pub request_id: Option<String>,
}

/// What a worker gets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HealthcheckExtensionResponse {
    /// Was time granted?
    pub granted: bool,
    /// How much, in ms.
    pub extension_ms: u64,
    /// When the worker must be heard of again, in ms from now.
    pub deadline_in_ms: u64,
    /// Grants left.
    pub remaining_extensions: u32,
    /// Why not: the name of the denial.
    pub denial_reason: Option<String>,
    /// Is this the grant after which few are left? Said once.
    pub is_exhaustion_warning: bool,
    /// Grace left before the worker is given up, in ms.
    pub grace_period_remaining_ms: u64,
    /// Has the grace begun?
    pub in_grace_period: bool,
}

#[cfg(test)]
#[path = "message_test.rs"]
mod tests;
