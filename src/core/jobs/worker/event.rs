//! What happened to a worker. Stored: variants and fields are only ever appended, at the end.

use serde::{Deserialize, Serialize};

use super::command::Handed;
use super::settings::Settings;
use crate::jobs::protocol::message::{HealthcheckExtensionRequest, Leader, WorkflowOutcome};
use crate::jobs::protocol::token::{DispatchToken, FenceToken};
use crate::kernel::ids::EntityId;
use crate::kernel::time::Timestamp;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The worker serves, with these settings from now on.
    Registered {
        /// The worker.
        worker_id: EntityId,
        /// Where it works.
        datacenter: EntityId,
        /// Most workflows it runs at the same time.
        capacity: u32,
        /// How long it waits for what.
        settings: Settings,
        /// When.
        at: Timestamp,
    },
    /// It took a workflow; only now is the dispatch token used up.
    Dispatched {
        /// The job.
        job_id: EntityId,
        /// The workflow.
        workflow_id: EntityId,
        /// Which try.
        attempt: u32,
        /// This handing over.
        dispatch_token: DispatchToken,
        /// Who handed it over.
        leader: Leader,
        /// Leadership of the job.
        fence_token: FenceToken,
        /// When.
        at: Timestamp,
    },
    /// Something became of a workflow; the leader must hear of it.
    Reported {
        /// The job.
        job_id: EntityId,
        /// The workflow.
        workflow_id: EntityId,
        /// What became of it.
        outcome: WorkflowOutcome,
        /// Items done so far.
        completed_count: u64,
        /// What it made or why it failed.
        result: Option<String>,
        /// When.
        at: Timestamp,
    },
    /// The leader heard what became of a workflow.
    ReportDelivered {
        /// The number under which it was sent.
        number: u64,
        /// The job.
        job_id: EntityId,
        /// The workflow.
        workflow_id: EntityId,
        /// When.
        at: Timestamp,
    },
    /// A job has another leader.
    LeaderChanged {
        /// The job.
        job_id: EntityId,
        /// Who leads it now.
        leader: Leader,
        /// Where it listens, if that was said.
        addr: Option<String>,
        /// Its token.
        fence_token: FenceToken,
        /// Workflows of a lost leader that it takes over.
        rescued: Vec<EntityId>,
        /// When.
        at: Timestamp,
    },
    /// A transfer overtook the workflows it is about, and waits for them.
    TransferParked {
        /// The job.
        job_id: EntityId,
        /// The workflows.
        workflow_ids: Vec<EntityId>,
        /// Who leads the job now.
        leader: Leader,
        /// Where it listens.
        addr: String,
        /// Its token.
        fence_token: FenceToken,
        /// Until when it waits.
        until: Timestamp,
        /// When.
        at: Timestamp,
    },
    /// Transfers whose workflows did not come were dropped.
    ParkedExpired {
        /// When: those that waited until then or earlier.
        at: Timestamp,
    },
    /// Workflows were asked to stop.
    StopAsked {
        /// The job.
        job_id: EntityId,
        /// The workflows.
        workflow_ids: Vec<EntityId>,
        /// Why.
        reason: String,
        /// When they are stopped by force.
        abort_at: Timestamp,
        /// When.
        at: Timestamp,
    },
    /// Workflows did not stop when asked, and were stopped by force.
    Aborted {
        /// The job.
        job_id: EntityId,
        /// The workflows.
        workflow_ids: Vec<EntityId>,
        /// When.
        at: Timestamp,
    },
    /// The leader of a job cannot be reached; what runs of it waits for another.
    LeaderLost {
        /// The job.
        job_id: EntityId,
        /// Until when it waits.
        until: Timestamp,
        /// When.
        at: Timestamp,
    },
    /// The worker asked for more time.
    ExtensionRequested {
        /// The job.
        job_id: EntityId,
        /// What it asked for.
        request: HealthcheckExtensionRequest,
        /// When.
        at: Timestamp,
    },
    /// The leader answered a request for more time.
    ExtensionAnswered {
        /// The number under which it was sent.
        number: u64,
        /// The job.
        job_id: EntityId,
        /// Was time granted?
        granted: bool,
        /// How much, in ms.
        extension_ms: u64,
        /// Why not.
        denial_reason: Option<String>,
        /// When.
        at: Timestamp,
    },
    /// A leader that was replaced said something, which had no effect. Recorded once per message and token until the
    /// leader changes.
    FenceRejected {
        /// The job.
        job_id: EntityId,
        /// What it said.
        message: String,
        /// The token on record.
        held: FenceToken,
        /// The token it showed.
        given: FenceToken,
        /// When.
        at: Timestamp,
    },
    /// The worker takes nothing new.
    Draining {
        /// When.
        at: Timestamp,
    },
    /// The worker is gone: everything ended and was heard of.
    Left {
        /// When.
        at: Timestamp,
    },
    /// A new process serves since this instant; waits go on where nobody watched them any more.
    Resumed {
        /// How long nobody watched, in microseconds.
        away_us: u64,
        /// When the process began to serve.
        at: Timestamp,
    },
    /// Reports that a workflow runs were dropped, because its leader asked for less; the next one of it that goes out
    /// says so.
    ReportsDropped {
        /// The job.
        job_id: EntityId,
        /// The workflow.
        workflow_id: EntityId,
        /// How many.
        count: u64,
        /// When.
        at: Timestamp,
    },
    /// How often the worker gives a sign of life from now on, and which of its lives this is. Of another life than
    /// before nothing runs any more.
    Enrolled {
        /// How often it gives a sign of life, in ms.
        beat_ms: u64,
        /// Which of its lives this is, if it said so.
        incarnation: Option<u64>,
        /// When.
        at: Timestamp,
    },
    /// The worker asked for work, and got this; its leaders must hear of it.
    Took {
        /// What it got.
        handed: Vec<Handed>,
        /// What it has, and thereby is known to have arrived.
        confirmed: Vec<Handed>,
        /// It waits for work until then, and is silent meanwhile.
        silent_until: Timestamp,
        /// When.
        at: Timestamp,
    },
    /// The worker gave a sign of life.
    Beat {
        /// What it has, and thereby is known to have arrived.
        confirmed: Vec<Handed>,
        /// When.
        at: Timestamp,
    },
    /// A worker that leaves did not take these, and they go elsewhere.
    GivenBack {
        /// The job.
        job_id: EntityId,
        /// The workflows.
        workflow_ids: Vec<EntityId>,
        /// When.
        at: Timestamp,
    },
    /// The worker was silent for too long: what it ran is lost, and goes elsewhere.
    Lost {
        /// Since when nothing was heard of it.
        silent_since: Timestamp,
        /// How long it may be silent, in microseconds.
        limit_us: u64,
        /// When.
        at: Timestamp,
    },
    /// The leader took these from the worker: what it says of them has no effect any more.
    Revoked {
        /// The job whose work is taken back.
        job_id: EntityId,
        /// The workflows.
        workflow_ids: Vec<EntityId>,
        /// Why it is taken back, for people.
        reason: String,
        /// When the worker was told.
        at: Timestamp,
    },
}

impl Event {
    /// The name of the variant, as in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Registered { .. } => "registered",
            Event::Dispatched { .. } => "dispatched",
            Event::Reported { .. } => "reported",
            Event::ReportDelivered { .. } => "report_delivered",
            Event::LeaderChanged { .. } => "leader_changed",
            Event::TransferParked { .. } => "transfer_parked",
            Event::ParkedExpired { .. } => "parked_expired",
            Event::StopAsked { .. } => "stop_asked",
            Event::Aborted { .. } => "aborted",
            Event::LeaderLost { .. } => "leader_lost",
            Event::ExtensionRequested { .. } => "extension_requested",
            Event::ExtensionAnswered { .. } => "extension_answered",
            Event::FenceRejected { .. } => "fence_rejected",
            Event::Draining { .. } => "draining",
            Event::Left { .. } => "left",
            Event::Resumed { .. } => "resumed",
            Event::ReportsDropped { .. } => "reports_dropped",
            Event::Enrolled { .. } => "enrolled",
            Event::Took { .. } => "took",
            Event::Beat { .. } => "beat",
            Event::GivenBack { .. } => "given_back",
            Event::Lost { .. } => "lost",
            Event::Revoked { .. } => "revoked",
        }
    }

    /// How many workflows more it has room for since.
    pub fn places(&self) -> u32 {
        match self {
            Event::Registered { capacity, .. } => *capacity,
            Event::Reported { outcome, .. } => u32::from(*outcome != WorkflowOutcome::Running),
            Event::Aborted { workflow_ids, .. } | Event::Revoked { workflow_ids, .. } => {
                u32::try_from(workflow_ids.len()).unwrap_or(u32::MAX)
            }
            Event::Dispatched { .. }
            | Event::ReportDelivered { .. }
            | Event::LeaderChanged { .. }
            | Event::TransferParked { .. }
            | Event::ParkedExpired { .. }
            | Event::StopAsked { .. }
            | Event::LeaderLost { .. }
            | Event::ExtensionRequested { .. }
            | Event::ExtensionAnswered { .. }
            | Event::FenceRejected { .. }
            | Event::Draining { .. }
            | Event::Left { .. }
            | Event::Resumed { .. }
            | Event::ReportsDropped { .. }
            | Event::Enrolled { .. }
            | Event::Took { .. }
            | Event::Beat { .. }
            | Event::GivenBack { .. }
            | Event::Lost { .. } => 0,
        }
    }

    /// When it happened.
    pub fn at(&self) -> Timestamp {
        match self {
            Event::Registered { at, .. }
            | Event::Dispatched { at, .. }
            | Event::Reported { at, .. }
            | Event::ReportDelivered { at, .. }
            | Event::LeaderChanged { at, .. }
            | Event::TransferParked { at, .. }
            | Event::ParkedExpired { at }
            | Event::StopAsked { at, .. }
            | Event::Aborted { at, .. }
            | Event::LeaderLost { at, .. }
            | Event::ExtensionRequested { at, .. }
            | Event::ExtensionAnswered { at, .. }
            | Event::FenceRejected { at, .. }
            | Event::Draining { at }
            | Event::Left { at }
            | Event::Resumed { at, .. }
            | Event::ReportsDropped { at, .. }
            | Event::Enrolled { at, .. }
            | Event::Took { at, .. }
            | Event::Beat { at, .. }
            | Event::GivenBack { at, .. }
            | Event::Lost { at, .. }
            | Event::Revoked { at, .. } => *at,
        }
    }
}
