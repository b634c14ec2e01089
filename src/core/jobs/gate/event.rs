//! What happened to a job at its gate. Stored: variants and fields are only ever appended, at the end.

use serde::{Deserialize, Serialize};

use super::settings::Settings;
use super::verdict::{Evidence, GlobalRule};
use crate::jobs::protocol::message::{
    AckOutcome, FinalStatus, JobDispatch, JobProgressReport, Leader, TimeoutKind,
};
use crate::jobs::protocol::payload::Payloads;
use crate::jobs::protocol::token::{FenceToken, GateEpoch};
use crate::kernel::ids::EntityId;
use crate::kernel::time::{Gap, Timestamp};

/// A datacenter a job runs in, and who manages it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The datacenter.
    pub datacenter: EntityId,
    /// Its manager.
    pub manager: Leader,
    /// Where the manager listens.
    pub manager_addr: String,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The job is tracked from now on; only then is it dispatched.
    Tracked(Box<Tracked>),
    /// A datacenter has another leader, or the one it has listens elsewhere. What it was not known to have heard is
    /// sent again.
    LeaderChanged {
        /// Where.
        datacenter: EntityId,
        /// Who leads there now.
        leader: Leader,
        /// Where it listens.
        addr: String,
        /// Its token.
        fence_token: FenceToken,
        /// When.
        at: Timestamp,
    },
    /// A datacenter reported something that is new.
    Progressed {
        /// Where.
        datacenter: EntityId,
        /// The totals from now on; those of extensions never shrink.
        totals: Totals,
        /// Did anything move there? If so, its silence counts from now.
        moved: bool,
        /// Orders the reports of one leader.
        report_seq: u64,
        /// When.
        at: Timestamp,
    },
    /// A datacenter reported that the job's time is over there, and waits for a decision.
    DatacenterTimedOut {
        /// Where.
        datacenter: EntityId,
        /// Why.
        kind: TimeoutKind,
        /// Why, for people.
        reason: String,
        /// How long the job ran there, in ms.
        elapsed_ms: u64,
        /// The budget there, with its extensions, in ms.
        effective_timeout_ms: Option<u64>,
        /// The leadership that reported it.
        fence_token: FenceToken,
        /// When.
        at: Timestamp,
    },
    /// The job has ended in a datacenter, or is said to have ended and may be corrected.
    DatacenterEnded {
        /// Where.
        datacenter: EntityId,
        /// How.
        status: FinalStatus,
        /// Why, for people.
        reason: String,
        /// Why time was over, if it was.
        kind: Option<TimeoutKind>,
        /// May a correction follow? Then the datacenter has not ended yet.
        provisional: bool,
        /// Does it replace a provisional status?
        corrects: bool,
        /// The leadership that reported it.
        fence_token: FenceToken,
        /// When.
        at: Timestamp,
    },
    /// The gate decided that the job's time is over everywhere. Happens at most once a run.
    Declared {
        /// Which decision of this gate.
        decision_id: u64,
        /// The rule that held.
        rule: GlobalRule,
        /// Why, for people.
        reason: String,
        /// What the rule looked at.
        evidence: Evidence,
        /// When.
        at: Timestamp,
    },
    /// A datacenter answered what it was sent; it is not sent again.
    Delivered {
        /// The number of what was sent.
        number: u64,
        /// Where.
        datacenter: EntityId,
        /// What it answered.
        outcome: AckOutcome,
        /// When.
        at: Timestamp,
    },
    /// Somebody asked to stop the job.
    CancelRequested {
        /// Who.
        requester_id: String,
        /// Why.
        reason: String,
        /// When.
        at: Timestamp,
    },
    /// A datacenter took the request to stop.
    CancelDelivered {
        /// The number of what was sent.
        number: u64,
        /// Where.
        datacenter: EntityId,
        /// Workflows it stops.
        cancelled_workflow_count: u64,
        /// When.
        at: Timestamp,
    },
    /// Datacenters that did not end within the time a decision gives them were given up.
    Abandoned {
        /// Which.
        datacenters: Vec<EntityId>,
        /// When.
        at: Timestamp,
    },
    /// The job has ended everywhere. Happens exactly once a run.
    Finished {
        /// How.
        status: FinalStatus,
        /// It completed everywhere although its time was declared over.
        late_completion: bool,
        /// When.
        at: Timestamp,
    },
    /// Another gate leads the job.
    GateTransferred {
        /// The new gate.
        gate: Leader,
        /// Where it listens.
        gate_addr: String,
        /// Its epoch.
        gate_epoch: GateEpoch,
        /// When.
        at: Timestamp,
    },
    /// A new process serves since this instant. Nobody could see progress while none did.
    Resumed {
        /// The epoch of its leadership.
        gate_epoch: GateEpoch,
        /// Why nobody watched. Leadership begins anew with a restart only.
        gap: Gap,
        /// How long nobody watched, in microseconds. It is nobody's silence.
        away_us: u64,
        /// When the process began to serve.
        at: Timestamp,
    },
    /// A leader that was replaced said something, which had no effect. Recorded once per message and token until the
    /// leader changes.
    FenceRejected(FenceRejected),
    /// A datacenter that was given up ended after all, too late to count. Recorded once per datacenter.
    LateFinal {
        /// Where.
        datacenter: EntityId,
        /// How.
        status: FinalStatus,
        /// The leadership that reported it.
        fence_token: FenceToken,
        /// When.
        at: Timestamp,
    },
    /// The gate had lost its memory of the job, and tracks it again by what a manager told it. Every other datacenter is
    /// asked to tell what it knows.
    Rebuilt(Box<Rebuilt>),
    /// A datacenter told everything it knows, after the memory was lost. Recorded once per rebuild.
    Recalled {
        /// Where.
        datacenter: EntityId,
        /// The totals from now on.
        totals: Totals,
        /// Orders the reports of one leader.
        report_seq: u64,
        /// When the job was submitted: as long ago as any datacenter says.
        submitted_at: Timestamp,
        /// Does it know who leads? Otherwise it is told.
        knows_gate: bool,
        /// When.
        at: Timestamp,
    },
    /// A datacenter knew of a higher epoch than this gate, which had begun anew without memory.
    EpochAdopted {
        /// The epoch it leads under from now on, higher than either.
        gate_epoch: GateEpoch,
        /// When.
        at: Timestamp,
    },
    /// What is to be done is kept, and dispatched with the plan. Follows the beginning of a run.
    PayloadNoted {
        /// In the words of whoever submitted it.
        payloads: Box<Payloads>,
        /// When.
        at: Timestamp,
    },
    /// A datacenter did not take the job, and another one gets it instead. What the first one says of it from then on is
    /// refused, and it is told to stop.
    Redirected {
        /// Which did not.
        from: EntityId,
        /// Which gets it.
        to: Target,
        /// Why, for people.
        reason: String,
        /// When the gate gave the first datacenter up.
        at: Timestamp,
    },
    /// The manager that led the job in a datacenter is gone, and another one of the datacenter gets it. What the first one says
    /// of it from then on is stale.
    TakenOver {
        /// Where.
        datacenter: EntityId,
        /// Who led it there.
        from: Leader,
        /// Who gets it.
        to: Leader,
        /// Where that one listens.
        addr: String,
        /// It leads above this token, which nobody in the datacenter had.
        above_token: FenceToken,
        /// What is dispatched, where the gate had dropped it.
        plan: Option<Box<JobDispatch>>,
        /// Why, for people.
        reason: String,
        /// When.
        at: Timestamp,
    },
    /// Another gate leads the job, which took this one for gone. Nothing more follows of it here.
    GateReplaced {
        /// The gate that leads.
        gate: EntityId,
        /// Its epoch.
        gate_epoch: GateEpoch,
        /// The datacenter that told it.
        told_by: EntityId,
        /// When.
        at: Timestamp,
    },
    /// The gate was away, and asks every datacenter whether it still leads.
    LeadershipAsked {
        /// When.
        at: Timestamp,
    },
    /// A datacenter that had the job is gone, with all its managers, and another one gets the job. What the first one says of
    /// it from then on is stale, and it is told to stop.
    Moved {
        /// Which is gone.
        from: EntityId,
        /// Which gets it.
        to: Target,
        /// It leads above this token, which nobody ever had.
        above_token: FenceToken,
        /// What is dispatched, where the gate had dropped it.
        plan: Option<Box<JobDispatch>>,
        /// Why, for people.
        reason: String,
        /// When.
        at: Timestamp,
    },
    /// A datacenter that has the job is gone, with all its managers, and no other one may get the job: it waits.
    DatacenterLost {
        /// Which.
        datacenter: EntityId,
        /// Why, for people.
        reason: String,
        /// When the gate knew.
        at: Timestamp,
    },
    /// A datacenter that the job waits for has a manager again. Its silence counts from here.
    DatacenterBack {
        /// Which.
        datacenter: EntityId,
        /// When.
        at: Timestamp,
    },
}

/// How the tracking of a job began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tracked {
    /// The job.
    pub job_id: EntityId,
    /// The gate that leads it.
    pub gate: Leader,
    /// Where the gate listens.
    pub gate_addr: String,
    /// The epoch of its leadership.
    pub gate_epoch: GateEpoch,
    /// Where the job runs.
    pub targets: Vec<Target>,
    /// What is dispatched.
    pub plan: JobDispatch,
    /// How the job is watched.
    pub settings: Settings,
    /// When.
    pub at: Timestamp,
}

/// How the tracking of a job began again, after the memory of it was lost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rebuilt {
    /// As it is tracked from now on. The plan shows the epoch in which the run once began.
    pub tracked: Tracked,
    /// The datacenter that told it.
    pub told_by: EntityId,
    /// When the job was submitted: as long before now as the manager says.
    pub submitted_at: Timestamp,
}

/// What a datacenter counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Workflows of the job there.
    pub workflows_total: u64,
    /// Of those, completed.
    pub workflows_completed: u64,
    /// Of those, failed for good.
    pub workflows_failed: u64,
    /// Sum of all extensions granted there, in ms.
    pub extensions_ms: u64,
    /// Largest single extension, in ms.
    pub max_extension_ms: u64,
    /// Workers with extensions.
    pub workers_with_extensions: u64,
}

impl Totals {
    /// What they are after a report. Time that was granted stays granted, whatever is told later.
    pub(super) fn after(&self, report: &JobProgressReport) -> Totals {
        Totals {
            workflows_total: report.workflows_total,
            workflows_completed: report.workflows_completed,
            workflows_failed: report.workflows_failed,
            extensions_ms: report.total_extensions_granted_ms.max(self.extensions_ms),
            max_extension_ms: report.max_worker_extension_ms.max(self.max_extension_ms),
            workers_with_extensions: report.workers_with_extensions,
        }
    }
}

/// A message of a leader that was replaced.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FenceRejected {
    /// Where.
    pub datacenter: EntityId,
    /// What it said.
    pub message: String,
    /// Who said it.
    pub leader: Leader,
    /// The token on record.
    pub held: FenceToken,
    /// The token it showed.
    pub given: FenceToken,
    /// When.
    pub at: Timestamp,
}

impl Event {
    /// The name of the variant, as in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Tracked(_) => "tracked",
            Event::LeaderChanged { .. } => "leader_changed",
            Event::Progressed { .. } => "progressed",
            Event::DatacenterTimedOut { .. } => "datacenter_timed_out",
            Event::DatacenterEnded { .. } => "datacenter_ended",
            Event::Declared { .. } => "declared",
            Event::Delivered { .. } => "delivered",
            Event::CancelRequested { .. } => "cancel_requested",
            Event::CancelDelivered { .. } => "cancel_delivered",
            Event::Abandoned { .. } => "abandoned",
            Event::Finished { .. } => "finished",
            Event::GateTransferred { .. } => "gate_transferred",
            Event::Resumed { .. } => "resumed",
            Event::FenceRejected(_) => "fence_rejected",
            Event::LateFinal { .. } => "late_final",
            Event::Rebuilt(_) => "rebuilt",
            Event::Recalled { .. } => "recalled",
            Event::EpochAdopted { .. } => "epoch_adopted",
            Event::PayloadNoted { .. } => "payload_noted",
            Event::Redirected { .. } => "redirected",
            Event::TakenOver { .. } => "taken_over",
            Event::GateReplaced { .. } => "gate_replaced",
            Event::LeadershipAsked { .. } => "leadership_asked",
            Event::Moved { .. } => "moved",
            Event::DatacenterLost { .. } => "datacenter_lost",
            Event::DatacenterBack { .. } => "datacenter_back",
        }
    }

    /// When it happened.
    pub fn at(&self) -> Timestamp {
        match self {
            Event::Tracked(tracked) => tracked.at,
            Event::Rebuilt(rebuilt) => rebuilt.tracked.at,
            Event::FenceRejected(rejected) => rejected.at,
            Event::LeaderChanged { at, .. }
            | Event::Progressed { at, .. }
            | Event::DatacenterTimedOut { at, .. }
            | Event::DatacenterEnded { at, .. }
            | Event::Declared { at, .. }
            | Event::Delivered { at, .. }
            | Event::CancelRequested { at, .. }
            | Event::CancelDelivered { at, .. }
            | Event::Abandoned { at, .. }
            | Event::Finished { at, .. }
            | Event::GateTransferred { at, .. }
            | Event::Resumed { at, .. }
            | Event::Recalled { at, .. }
            | Event::EpochAdopted { at, .. }
            | Event::PayloadNoted { at, .. }
            | Event::Redirected { at, .. }
            | Event::TakenOver { at, .. }
            | Event::GateReplaced { at, .. }
            | Event::LeadershipAsked { at }
            | Event::Moved { at, .. }
            | Event::DatacenterLost { at, .. }
            | Event::DatacenterBack { at, .. }
            | Event::LateFinal { at, .. } => *at,
        }
    }
}
