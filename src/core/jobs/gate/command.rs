//! What may be asked of a gate about one job, and how it answers.

use super::event::Target;
use super::settings::Settings;
use crate::jobs::protocol::message::{AckOutcome, JobCancelResponse, JobDispatch, Leader, Message};
use crate::jobs::protocol::payload::Payloads;
use crate::jobs::protocol::token::GateEpoch;
use crate::kernel::ids::EntityId;
use crate::kernel::time::Timestamp;

/// A request about one job.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Track the job, and then hand it to its datacenters.
    Track(Box<Track>),
    /// A message about the job came in.
    Receive(Box<Message>),
    /// Stop the job everywhere.
    Cancel {
        /// Who asks.
        requester_id: String,
        /// Why.
        reason: String,
    },
    /// A datacenter did not take the job: another one gets it.
    Redirect {
        /// Which did not.
        from: EntityId,
        /// Which may get it, with their managers, the best first.
        chain: Vec<Target>,
        /// Why, for people.
        reason: String,
    },
    /// The manager that leads the job in a datacenter is gone: another one of the datacenter gets it.
    TakeOver {
        /// Where.
        datacenter: EntityId,
        /// Who is gone. Where another one leads meanwhile, nothing changes.
        from: Leader,
        /// Who gets it.
        to: Leader,
        /// Where that one listens.
        addr: String,
        /// What was dispatched, for the gate may have dropped it.
        plan: Box<JobDispatch>,
        /// Why, for people.
        reason: String,
    },
    /// A datacenter that has the job is gone, with all its managers: another one gets it, or it waits.
    DatacenterGone {
        /// Which.
        datacenter: EntityId,
        /// Who led the job there. Where another one leads meanwhile, nothing changes.
        from: Leader,
        /// Which may get it, with their managers, the best first; none where the submitter named the datacenter.
        chain: Vec<Target>,
        /// What was dispatched, for the gate may have dropped it.
        plan: Box<JobDispatch>,
        /// Why, for people.
        reason: String,
    },
    /// A datacenter has a manager again.
    DatacenterBack {
        /// Which.
        datacenter: EntityId,
    },
    /// Another gate leads the job from now on.
    Transfer {
        /// The new gate.
        to: Leader,
        /// Where it listens.
        addr: String,
    },
    /// This gate was away, or cut off: managers are told that it leads, and say if another one does.
    AskLeads,
    /// Send what falls due at exactly this instant, see [`errand`](super::errand).
    RunErrands {
        /// The instant.
        due: Timestamp,
    },
    /// Time has passed.
    Tick,
}

/// A job to be tracked.
#[derive(Clone, Debug, PartialEq)]
pub struct Track {
    /// The job: the id of its stream.
    pub job_id: EntityId,
    /// The gate that leads it.
    pub gate: Leader,
    /// Where the gate listens.
    pub gate_addr: String,
    /// Where the job runs; fixed from here on.
    pub targets: Vec<Target>,
    /// What is dispatched, with the budget. Its gate epoch is filled in.
    pub plan: JobDispatch,
    /// How the job is watched.
    pub settings: Settings,
    /// What is to be done, in the words of whoever submits it; dispatched with the plan.
    pub payloads: Payloads,
}

/// The answer to an accepted command.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// The job is tracked.
    Tracked {
        /// The epoch of this gate's leadership.
        gate_epoch: GateEpoch,
        /// Did it begin with this command?
        new: bool,
    },
    /// The message was taken; what its sender is told, if it reported something.
    Received(Option<AckOutcome>),
    /// What became of a request to stop the job.
    Cancelled(JobCancelResponse),
    /// Another gate leads.
    Transferred {
        /// The epoch of its leadership.
        gate_epoch: GateEpoch,
    },
    /// Nothing to say.
    Done,
}
