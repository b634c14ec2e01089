//! What may be asked of a job, how it answers, and what is to be sent.

use super::event::GateSeat;
use super::heard::Noted;
use super::settings::{DEFAULT_STUCK_MS, Settings};
use super::timeout::Estimate;
use super::workflow::WorkflowStatus;
use crate::jobs::protocol::message::{
    Body, FinalStatus, HealthcheckExtensionRequest, HealthcheckExtensionResponse, JobCancelRequest,
    JobCancelResponse, Leader, Message, Party, WorkflowPlan,
};
use crate::jobs::protocol::payload::Payloads;
use crate::jobs::protocol::recall::{Charter, Dispatch};
use crate::jobs::protocol::token::FenceToken;
use crate::kernel::ids::EntityId;
use crate::kernel::time::Timestamp;

/// A request about one job in one datacenter. A token is the leadership the caller acts under; none is not checked.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Take the job on.
    Submit(Box<Submit>),
    /// The job got on.
    Progress {
        /// The workflow that did.
        workflow_id: Option<EntityId>,
        /// How many of its items are done; counts only when it is more than before.
        completed_count: Option<u64>,
        /// The caller's leadership.
        token: Option<FenceToken>,
    },
    /// A worker asks for more time.
    Extend {
        /// What it asks.
        request: Box<HealthcheckExtensionRequest>,
        /// The worker asks in every job it has a part in, and not in this one alone.
        in_every_job: bool,
        /// The caller's leadership.
        token: Option<FenceToken>,
    },
    /// Hand a workflow to a worker.
    Assign {
        /// The workflow; it must be pending.
        workflow_id: EntityId,
        /// The worker.
        worker_id: EntityId,
        /// The caller's leadership.
        token: Option<FenceToken>,
    },
    /// Take a workflow one step.
    Transition {
        /// The workflow.
        workflow_id: EntityId,
        /// To where.
        to: WorkflowStatus,
        /// Why, for people.
        reason: String,
        /// What it made, or why it failed.
        result: Option<String>,
        /// The caller's leadership.
        token: Option<FenceToken>,
    },
    /// Give leadership to a leader.
    Transfer {
        /// To whom.
        to: Leader,
        /// Where it listens.
        addr: String,
        /// The leader before gives it, or somebody with authority does so whatever the lease says.
        force: bool,
        /// The leadership of the one who gives it; with it, the handover is graceful.
        token: Option<FenceToken>,
    },
    /// End the job as completed or failed.
    Complete {
        /// How.
        status: FinalStatus,
        /// Why, for people.
        reason: String,
        /// The caller's leadership.
        token: Option<FenceToken>,
    },
    /// Stop the job.
    Cancel(JobCancelRequest),
    /// A worker is gone.
    WorkerLost {
        /// The worker.
        worker_id: EntityId,
    },
    /// A worker is well again.
    WorkerHealthy {
        /// The worker.
        worker_id: EntityId,
    },
    /// A worker that could not take workflows can now: what waits for it is sent at once, as far as it has room. Writes
    /// nothing; the answer is whether more waits.
    WorkerReady {
        /// The worker.
        worker_id: EntityId,
        /// How many it can take.
        places: u32,
    },
    /// A worker asks for work: it is given up to so many workflows that are ready and have no worker, or one that is lost.
    /// The answer is whether it was given any.
    Claim {
        /// The worker.
        worker_id: EntityId,
        /// How many it can take.
        places: u32,
    },
    /// Leadership is lost or given up: do nothing until somebody takes it.
    Suspend {
        /// The leadership that is given up.
        token: FenceToken,
        /// Why, for people.
        reason: String,
    },
    /// Take the lease, and with it leadership.
    AcquireLease {
        /// Who.
        holder: Leader,
        /// Where it listens.
        addr: String,
        /// The version of the lease the caller saw, to be sure that nobody came between.
        seen: Option<u64>,
        /// Whatever the lease says.
        force: bool,
        /// How long it lasts, in ms; none = as the job is set, or as before.
        lease_ms: Option<u64>,
        /// The holder lives in the process that serves the job, and its lease ends with it.
        in_process: bool,
        /// The identity in whose name.
        by: Option<EntityId>,
    },
    /// Keep the lease.
    RenewLease {
        /// Who.
        holder: Leader,
        /// The token it knows: the one in force, or one it had since it took the lease.
        token: FenceToken,
        /// How long it lasts from now on, in ms; none = as before.
        lease_ms: Option<u64>,
    },
    /// Give the lease back.
    ReleaseLease {
        /// Who.
        holder: Leader,
        /// Its token.
        token: FenceToken,
    },
    /// A message came.
    Receive(Box<Message>),
    /// The gate of the job is gone: this other one is told everything, and leads it from then on if it agrees.
    TellGate {
        /// Which gate.
        gate: EntityId,
    },
    /// Send what falls due at exactly this instant; see [`errand`](super::errand). Writes nothing.
    RunErrands {
        /// The instant.
        due: Timestamp,
    },
    /// Time has passed.
    Tick,
}

/// A job to take on.
#[derive(Clone, Debug, PartialEq)]
pub struct Submit {
    /// The job.
    pub job_id: EntityId,
    /// The datacenter.
    pub datacenter: EntityId,
    /// Who leads it here.
    pub leader: Leader,
    /// Where the leader listens.
    pub leader_addr: String,
    /// The gate that coordinates it; none = this manager decides alone.
    pub gate: Option<GateSeat>,
    /// Budget in ms; none = no overall limit.
    pub timeout_ms: Option<u64>,
    /// Idle limit in ms.
    pub stuck_threshold_ms: u64,
    /// Every other number.
    pub settings: Settings,
    /// Jobs whose durations are alike.
    pub class: Option<EntityId>,
    /// Name of the timeout rule; empty = what fits the surroundings.
    pub timeout_rule: String,
    /// What such jobs took, for the rule `learned`.
    pub estimate: Option<Estimate>,
    /// The workflows.
    pub workflows: Vec<WorkflowPlan>,
    /// What is to be done, in the words of whoever submits it.
    pub payloads: Payloads,
    /// What a gate that lost its memory of the job will have to be told; none without a gate.
    pub charter: Option<Charter>,
    /// Number of the gate's message that brings it, which is then answered; 0 if none does.
    pub dispatch_number: u64,
    /// Leadership begins above this token, which another manager of the datacenter may have had.
    pub above: FenceToken,
}

impl Submit {
    /// A job without workflows, limits or gate, led by this leader.
    pub fn new(job_id: EntityId, datacenter: EntityId, leader: Leader, leader_addr: &str) -> Self {
        Submit {
            job_id,
            datacenter,
            leader,
            leader_addr: leader_addr.to_owned(),
            gate: None,
            timeout_ms: None,
            stuck_threshold_ms: DEFAULT_STUCK_MS,
            settings: Settings::default(),
            class: None,
            timeout_rule: String::new(),
            estimate: None,
            workflows: Vec::new(),
            payloads: Payloads::default(),
            charter: None,
            dispatch_number: 0,
            above: FenceToken::NONE,
        }
    }

    /// What a gate's dispatch asks for, with ids for addresses and no estimate; none for any other message, or one that
    /// is not from a gate to a manager. Whoever knows better fills it in and submits it; the gate is answered all the same.
    pub fn of_dispatch(message: &Message) -> Option<Self> {
        let (Body::JobDispatch(dispatch), Party::Gate(gate_id), Party::Manager { datacenter, node }) =
            (&message.body, &message.from, &message.to)
        else {
            return None;
        };
        let Dispatch { plan: dispatch, charter, payloads, above, led } = &**dispatch;
        let gate = GateSeat {
            gate_id: gate_id.clone(),
            incarnation: None,
            addr: dispatch.gate_addr.clone(),
            epoch: dispatch.gate_epoch.max(*led),
        };
        Some(Submit {
            gate: Some(gate),
            timeout_ms: dispatch.timeout_ms,
            stuck_threshold_ms: dispatch.stuck_threshold_ms,
            class: dispatch.class.clone(),
            timeout_rule: dispatch.timeout_rule.clone(),
            settings: dispatch.settings.clone(),
            workflows: dispatch.workflows.clone(),
            charter: Some(charter.clone()),
            payloads: payloads.clone(),
            dispatch_number: message.number,
            above: *above,
            ..Submit::new(message.job_id.clone(), datacenter.clone(), node.clone(), node.node.as_str())
        })
    }
}

/// The answer to an accepted command.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// The job is taken on, now or before.
    Submitted {
        /// Its token.
        token: FenceToken,
        /// It was before.
        again: bool,
    },
    /// A sign of progress. One that counts must be kept in memory until a later one is on record; see [`Heard`](super::Heard).
    Progress(Option<Noted>),
    /// What a worker gets.
    Extension {
        /// It.
        response: HealthcheckExtensionResponse,
        /// The same request was answered before.
        again: bool,
    },
    /// Whether anything changed.
    Changed(bool),
    /// Who leads.
    Leads {
        /// The token.
        token: FenceToken,
    },
    /// The lease.
    Lease {
        /// The holder's token.
        token: FenceToken,
        /// Its version.
        version: u64,
        /// The instant at which it has expired.
        expires_at: Timestamp,
    },
    /// The job has ended.
    Ended {
        /// How.
        status: FinalStatus,
        /// It had before.
        again: bool,
    },
    /// What became of a request to stop.
    Cancel(JobCancelResponse),
}

/// Something to be done outside.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Send a message.
    Send(Box<Message>),
}
