//! What happened to a job. Stored: variants and fields are only ever appended, at the end.

mod leadership;

use serde::{Deserialize, Serialize};

pub use self::leadership::{FenceRejected, LeaderChanged, Manner};
use super::extension::{Baseline, Denial};
use super::outbox::Entry;
use super::settings::Settings;
use super::timeout::Limits;
use super::workflow::{Moved, WorkflowStatus};
use crate::jobs::protocol::message::{AckOutcome, FinalStatus, Leader, NotNow, TimeoutKind, WorkflowPlan};
use crate::jobs::protocol::payload::Payloads;
use crate::jobs::protocol::recall::Charter;
pub use crate::jobs::protocol::token::TokenDomain;
use crate::jobs::protocol::token::{FenceToken, GateEpoch};
use crate::kernel::ids::EntityId;
use crate::kernel::keyed::KeyedRequest;
use crate::kernel::time::{Gap, Timestamp};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The job was taken on, before anything of it was handed out.
    Submitted(Box<Submitted>),
    /// It got on. Not every sign of it is recorded, but every one that matters for a deadline.
    ProgressNoted(ProgressNoted),
    /// A workflow went one step.
    WorkflowMoved(Moved),
    /// A workflow that was cancelled waits again, as a new attempt.
    AttemptMade {
        /// The workflow.
        workflow_id: EntityId,
        /// Which try.
        attempt: u32,
        /// When.
        at: Timestamp,
    },
    /// A step was asked for that leads nowhere.
    StepRefused {
        /// The workflow.
        workflow_id: EntityId,
        /// Where it is.
        from: WorkflowStatus,
        /// Where it was to go.
        to: WorkflowStatus,
        /// When.
        at: Timestamp,
    },
    /// A result came when it no longer counted.
    LateResult {
        /// The workflow.
        workflow_id: EntityId,
        /// What it made.
        result: Option<String>,
        /// When.
        at: Timestamp,
    },
    /// A worker got more time, and with it the job.
    ExtensionGranted(Box<Granted>),
    /// A worker got no more time.
    ExtensionDenied(Denied),
    /// A worker's extensions begin anew.
    ExtensionsReset {
        /// The worker.
        worker_id: EntityId,
        /// When.
        at: Timestamp,
    },
    /// A worker is gone.
    WorkerLost {
        /// The worker.
        worker_id: EntityId,
        /// Why, for people.
        reason: String,
        /// When.
        at: Timestamp,
    },
    /// A worker is well again.
    WorkerHealthy {
        /// The worker.
        worker_id: EntityId,
        /// When.
        at: Timestamp,
    },
    /// The job's time is over here.
    TimeoutDetected(Box<TimedOut>),
    /// The gate was heard of while its decision was waited for.
    GateHeard {
        /// When.
        at: Timestamp,
    },
    /// The gate decided that time is over everywhere.
    GlobalTimeoutAccepted {
        /// Which decision.
        decision_id: u64,
        /// Why, for people.
        reason: String,
        /// When it came.
        at: Timestamp,
    },
    /// Another gate leads the job, or the same one under a new epoch.
    GateChanged {
        /// The gate.
        gate: GateSeat,
        /// When.
        at: Timestamp,
    },
    /// The job ended; exactly one per submission.
    Ended(Box<Ended>),
    /// A message stands in the outbox.
    Queued(Box<Entry>),
    /// A message was answered and is not sent again.
    Acked {
        /// Its number.
        number: u64,
        /// What the receiver said.
        outcome: AckOutcome,
        /// When.
        at: Timestamp,
    },
    /// The receiver does not know the job; it is asked again later.
    Deferred {
        /// The message.
        number: u64,
        /// When.
        at: Timestamp,
    },
    /// A worker confirmed that some workflows stopped, and not others.
    CancelNarrowed {
        /// The message.
        number: u64,
        /// The workflows that may still run.
        workflow_ids: Vec<EntityId>,
        /// When.
        at: Timestamp,
    },
    /// A worker never confirmed that workflows stopped: they may still run.
    CancelUnconfirmed {
        /// The message.
        number: u64,
        /// The worker.
        worker_id: EntityId,
        /// The workflows.
        workflow_ids: Vec<EntityId>,
        /// When.
        at: Timestamp,
    },
    /// Another manager leads the job, or the same one anew.
    LeaderChanged(Box<LeaderChanged>),
    /// Leadership was given up; nothing happens until somebody takes it.
    Suspended {
        /// The last token.
        token: FenceToken,
        /// Why, for people.
        reason: String,
        /// When.
        at: Timestamp,
    },
    /// A new process serves the job.
    Resumed(Resumed),
    /// A higher token than any minted here was shown by one who may.
    TokenAdopted {
        /// The token.
        token: FenceToken,
        /// When.
        at: Timestamp,
    },
    /// A leader took the lease.
    LeaseTaken {
        /// Who.
        holder: Leader,
        /// Its token.
        token: FenceToken,
        /// The instant at which it has expired.
        expires_at: Timestamp,
        /// When.
        at: Timestamp,
    },
    /// The holder renewed it.
    LeaseRenewed {
        /// The instant at which it has expired.
        expires_at: Timestamp,
        /// When.
        at: Timestamp,
    },
    /// The holder gave it back.
    LeaseReleased {
        /// When.
        at: Timestamp,
    },
    /// Somebody who was replaced, or whose token was never minted, tried to do something.
    FenceRejected(FenceRejected),
    /// A new process serves a job that has ended, and asks its workers to stop for as long as the one before would
    /// have.
    StoppingResumed {
        /// When the process began.
        began: Timestamp,
        /// How long nobody served, in microseconds.
        away_us: u64,
    },
    /// What a gate that lost its memory will have to be told is kept. Follows the submission.
    CharterNoted {
        /// What came with the dispatch.
        charter: Box<Charter>,
        /// When.
        at: Timestamp,
    },
    /// A gate that lost its memory of the job asked to be told everything. Recorded once per epoch.
    RecallAsked {
        /// The epoch it leads under since.
        gate_epoch: GateEpoch,
        /// When.
        at: Timestamp,
    },
    /// The gate asked to stop the job, and it is stopped.
    GateCancelAccepted {
        /// Who asked the gate.
        requester_id: String,
        /// Why.
        reason: String,
        /// When it came.
        at: Timestamp,
    },
    /// A leader took the lease, for a length of its own or as long as its process lives.
    LeaseGranted {
        /// Who.
        holder: Leader,
        /// Its token.
        token: FenceToken,
        /// The instant at which it has expired.
        expires_at: Timestamp,
        /// How long it lasts each time, in ms.
        lease_ms: u64,
        /// It ends with the process that serves the job.
        in_process: bool,
        /// When.
        at: Timestamp,
    },
    /// The holder renewed it, for another length from then on.
    LeaseResized {
        /// How long it lasts each time, in ms.
        lease_ms: u64,
        /// The instant at which it has expired.
        expires_at: Timestamp,
        /// When.
        at: Timestamp,
    },
    /// A worker cannot take a workflow now. It is offered to it again, and this was no attempt.
    DispatchDelayed {
        /// The message that hands it over.
        number: u64,
        /// The workflow.
        workflow_id: EntityId,
        /// The worker.
        worker_id: EntityId,
        /// Why not.
        why: NotNow,
        /// When.
        at: Timestamp,
    },
    /// The wall clock was set. It moves no deadline: the journal's time does not follow it.
    ClockStepped {
        /// How far ahead, or back when negative, in microseconds.
        by_us: i64,
        /// When it was noticed.
        at: Timestamp,
    },
    /// A worker's request for more time had a name; what it asked for. The answer is the next event.
    ExtensionKeyed {
        /// The worker.
        worker_id: EntityId,
        /// The request.
        asked: KeyedRequest,
        /// When.
        at: Timestamp,
    },
    /// A worker told that it dropped reports of a workflow, because it was asked for less.
    ReportsDropped {
        /// The workflow.
        workflow_id: EntityId,
        /// The worker.
        worker_id: EntityId,
        /// Reports of this handing over that were dropped so far.
        dropped: u64,
        /// When.
        at: Timestamp,
    },
    /// What is to be done is kept. Follows the submission.
    PayloadNoted {
        /// In the words of whoever submitted it.
        payloads: Box<Payloads>,
        /// When.
        at: Timestamp,
    },
    /// The lease that was taken just before was asked for by an identity.
    LeaseAskedBy {
        /// The identity.
        by: EntityId,
        /// When.
        at: Timestamp,
    },
    /// The gate wants a run to be over that a dispatch could still begin here. Neither it nor an earlier one begins any more.
    RunRefused {
        /// The epoch that its dispatches carry.
        epoch: GateEpoch,
        /// What the gate was told of it.
        status: FinalStatus,
        /// When.
        at: Timestamp,
    },
}

impl Event {
    /// The name of the variant, as in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Submitted(_) => "submitted",
            Event::ProgressNoted(_) => "progress_noted",
            Event::WorkflowMoved(_) => "workflow_moved",
            Event::AttemptMade { .. } => "attempt_made",
            Event::StepRefused { .. } => "step_refused",
            Event::LateResult { .. } => "late_result",
            Event::ExtensionGranted(_) => "extension_granted",
            Event::ExtensionDenied(_) => "extension_denied",
            Event::ExtensionsReset { .. } => "extensions_reset",
            Event::WorkerLost { .. } => "worker_lost",
            Event::WorkerHealthy { .. } => "worker_healthy",
            Event::TimeoutDetected(_) => "timeout_detected",
            Event::GateHeard { .. } => "gate_heard",
            Event::GlobalTimeoutAccepted { .. } => "global_timeout_accepted",
            Event::GateChanged { .. } => "gate_changed",
            Event::Ended(_) => "ended",
            Event::Queued(_) => "queued",
            Event::Acked { .. } => "acked",
            Event::Deferred { .. } => "deferred",
            Event::CancelNarrowed { .. } => "cancel_narrowed",
            Event::CancelUnconfirmed { .. } => "cancel_unconfirmed",
            Event::LeaderChanged(_) => "leader_changed",
            Event::Suspended { .. } => "suspended",
            Event::Resumed(_) => "resumed",
            Event::TokenAdopted { .. } => "token_adopted",
            Event::LeaseTaken { .. } => "lease_taken",
            Event::LeaseRenewed { .. } => "lease_renewed",
            Event::LeaseReleased { .. } => "lease_released",
            Event::FenceRejected(_) => "fence_rejected",
            Event::StoppingResumed { .. } => "stopping_resumed",
            Event::CharterNoted { .. } => "charter_noted",
            Event::RecallAsked { .. } => "recall_asked",
            Event::GateCancelAccepted { .. } => "gate_cancel_accepted",
            Event::LeaseGranted { .. } => "lease_granted",
            Event::LeaseResized { .. } => "lease_resized",
            Event::DispatchDelayed { .. } => "dispatch_delayed",
            Event::ClockStepped { .. } => "clock_stepped",
            Event::ExtensionKeyed { .. } => "extension_keyed",
            Event::ReportsDropped { .. } => "reports_dropped",
            Event::PayloadNoted { .. } => "payload_noted",
            Event::LeaseAskedBy { .. } => "lease_asked_by",
            Event::RunRefused { .. } => "run_refused",
        }
    }

    /// When it was recorded. A sign of progress that was found later is of the instant it is about.
    pub fn at(&self) -> Timestamp {
        match self {
            Event::Submitted(event) => event.at,
            Event::ProgressNoted(event) => event.at,
            Event::WorkflowMoved(event) => event.at,
            Event::ExtensionGranted(event) => event.at,
            Event::ExtensionDenied(event) => event.at,
            Event::TimeoutDetected(event) => event.at,
            Event::Ended(event) => event.at,
            Event::Queued(entry) => entry.since,
            Event::LeaderChanged(event) => event.at,
            Event::Resumed(event) => event.began,
            Event::FenceRejected(event) => event.at,
            Event::StoppingResumed { began, .. } => *began,
            Event::AttemptMade { at, .. }
            | Event::StepRefused { at, .. }
            | Event::LateResult { at, .. }
            | Event::ExtensionsReset { at, .. }
            | Event::ExtensionKeyed { at, .. }
            | Event::WorkerLost { at, .. }
            | Event::WorkerHealthy { at, .. }
            | Event::GateHeard { at }
            | Event::GlobalTimeoutAccepted { at, .. }
            | Event::GateChanged { at, .. }
            | Event::Acked { at, .. }
            | Event::Deferred { at, .. }
            | Event::CancelNarrowed { at, .. }
            | Event::CancelUnconfirmed { at, .. }
            | Event::Suspended { at, .. }
            | Event::TokenAdopted { at, .. }
            | Event::LeaseTaken { at, .. }
            | Event::LeaseRenewed { at, .. }
            | Event::CharterNoted { at, .. }
            | Event::RecallAsked { at, .. }
            | Event::GateCancelAccepted { at, .. }
            | Event::LeaseGranted { at, .. }
            | Event::LeaseResized { at, .. }
            | Event::DispatchDelayed { at, .. }
            | Event::ClockStepped { at, .. }
            | Event::ReportsDropped { at, .. }
            | Event::PayloadNoted { at, .. }
            | Event::LeaseAskedBy { at, .. }
            | Event::RunRefused { at, .. }
            | Event::LeaseReleased { at } => *at,
        }
    }
}

/// A gate, and where it listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateSeat {
    /// The gate.
    pub gate_id: EntityId,
    /// Which of its lives, where that is known.
    pub incarnation: Option<u64>,
    /// Where it listens.
    pub addr: String,
    /// Its epoch.
    pub epoch: GateEpoch,
}

/// What was asked for when the job was submitted; the same again is recognised by it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Budget in ms; `None` = no overall limit.
    pub timeout_ms: Option<u64>,
    /// Idle limit in ms.
    pub stuck_threshold_ms: u64,
    /// Every other number.
    pub settings: Settings,
    /// Jobs whose durations are alike.
    pub class: Option<EntityId>,
    /// Name of the timeout rule; empty = what fits the surroundings.
    pub timeout_rule: String,
    /// The workflows.
    pub workflows: Vec<WorkflowPlan>,
}

/// The job as it was taken on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submitted {
    /// The job.
    pub job_id: EntityId,
    /// The datacenter.
    pub datacenter: EntityId,
    /// Who leads it here.
    pub leader: Leader,
    /// Where the leader listens.
    pub leader_addr: String,
    /// The gate that coordinates it, if any.
    pub gate: Option<GateSeat>,
    /// Number of the gate's message that brought it, 0 if none did.
    pub dispatch_number: u64,
    /// Its first token in this run.
    pub token: FenceToken,
    /// What was asked for.
    pub terms: Terms,
    /// What the timeout rule made of it.
    pub limits: Limits,
    /// When.
    pub at: Timestamp,
}

/// A sign of progress.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgressNoted {
    /// When the job got on.
    pub at: Timestamp,
    /// The workflow and how many of its items are done, if that was said.
    pub count: Option<(EntityId, u64)>,
}

/// Time that was given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Granted {
    /// The worker.
    pub worker_id: EntityId,
    /// The name of its request.
    pub request_id: Option<String>,
    /// Why it asked, for people.
    pub reason: String,
    /// How much, in microseconds.
    pub grant_us: u64,
    /// The job's sum with it, in microseconds.
    pub total_us: u64,
    /// The largest single grant with it, in microseconds.
    pub max_us: u64,
    /// The worker's sum with it, in microseconds.
    pub sum_us: u64,
    /// Grants left.
    pub remaining: u32,
    /// Does it warn that few are left?
    pub warning: bool,
    /// Does the sum pass the base budget with it?
    pub exceeds_base: bool,
    /// When the worker must be heard of again.
    pub deadline: Timestamp,
    /// How far the worker is.
    pub baseline: Baseline,
    /// When.
    pub at: Timestamp,
}

/// Time that was not given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denied {
    /// The worker.
    pub worker_id: EntityId,
    /// The name of its request.
    pub request_id: Option<String>,
    /// Why.
    pub denial: Denial,
    /// Does it count against the worker?
    pub counts: bool,
    /// Is the worker without grants from here on?
    pub exhausts: bool,
    /// When.
    pub at: Timestamp,
}

/// How it was found that time is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimedOut {
    /// Why.
    pub kind: TimeoutKind,
    /// Why, for people; begins with the kind.
    pub reason: String,
    /// The last instant at which time was not over.
    pub deadline: Timestamp,
    /// How long the job ran, in ms.
    pub elapsed_ms: u64,
    /// Budget with extensions, in ms.
    pub effective_ms: Option<u64>,
    /// Budget without extensions, in ms.
    pub base_ms: Option<u64>,
    /// Extensions, in ms.
    pub extensions_ms: u64,
    /// Time since the last progress, in ms.
    pub idle_ms: u64,
    /// Time since the last extension, in ms.
    pub since_extension_ms: Option<u64>,
    /// When it was found.
    pub at: Timestamp,
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// How.
    pub status: FinalStatus,
    /// Why, for people.
    pub reason: String,
    /// Why time was over, if it was.
    pub kind: Option<TimeoutKind>,
    /// The leadership that ended it.
    pub token: FenceToken,
    /// How long it ran, in ms.
    pub elapsed_ms: u64,
    /// When it ended: the deadline that passed, or when it was asked to.
    pub closed_at: Timestamp,
    /// When that was noticed; later after downtime.
    pub at: Timestamp,
}

/// A new process serves the job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resumed {
    /// When the process began.
    pub began: Timestamp,
    /// The token in force from then on.
    pub token: FenceToken,
    /// Why nobody served. The token is a new one after a restart only.
    pub gap: Gap,
    /// How long nobody served, in microseconds. Waiting and idleness leave it out.
    pub away_us: u64,
    /// How much of it the budget leaves out, in microseconds.
    pub unbudgeted_us: u64,
    /// How long the job ran until then, in ms.
    pub elapsed_ms: u64,
    /// Time since the last progress, in ms.
    pub idle_ms: u64,
}
