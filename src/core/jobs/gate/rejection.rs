//! How a gate says no about a job.

use crate::jobs::protocol::token::{FenceToken, GateEpoch};
use crate::kernel::ids::EntityId;

/// The domain says no. A stale token is on record, the first time it is shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// A field is out of range.
    #[error("{field} is out of range, expected {expected}. given={given}")]
    Invalid {
        /// Which field.
        field: &'static str,
        /// What was given.
        given: String,
        /// What is allowed.
        expected: String,
    },
    /// No datacenter was named.
    #[error("a job needs a datacenter to run in, none was named")]
    NoTargets,
    /// A datacenter was named twice.
    #[error("a datacenter is named twice. datacenter={datacenter}")]
    DuplicateTarget {
        /// Which.
        datacenter: EntityId,
    },
    /// No datacenter has this name, or the job does not run there.
    #[error("unknown datacenter. datacenter={datacenter}")]
    UnknownDatacenter {
        /// Which.
        datacenter: EntityId,
    },
    /// The gate lost its memory of the job, and this datacenter did not tell what it knows yet.
    #[error(
        "the memory of the job was lost, and the datacenter has to tell everything first. datacenter={datacenter}"
    )]
    Unheard {
        /// Which.
        datacenter: EntityId,
    },
    /// The job is tracked, with another plan.
    #[error("the job is tracked already, with another plan. gate_epoch={gate_epoch}")]
    AlreadyTracked {
        /// The epoch of the gate that leads it.
        gate_epoch: GateEpoch,
    },
    /// Another job of this id was tracked, and has ended: an id is never used twice.
    #[error("another submission ran under this job id, and has ended; choose another id. status={status}")]
    IdOfEnded {
        /// How it ended.
        status: &'static str,
    },
    /// No job of this id was ever tracked.
    #[error("no job of this id was ever tracked")]
    NotTracked,
    /// The job has ended.
    #[error("the job has ended. status={status}")]
    Ended {
        /// How.
        status: &'static str,
    },
    /// The message is about another job.
    #[error("the message is about another job. expected={expected}, given={given}")]
    OtherJob {
        /// This one.
        expected: EntityId,
        /// That one.
        given: EntityId,
    },
    /// Such a message is not for a gate.
    #[error("a gate does not take such a message. message={message}")]
    NotForGate {
        /// Which.
        message: &'static str,
    },
    /// The sender was replaced, or shows a token nobody minted.
    #[error("stale fencing token. held={held}, given={given}")]
    Stale {
        /// On record.
        held: FenceToken,
        /// Shown.
        given: FenceToken,
    },
    /// The token belongs to another leader.
    #[error("the token belongs to another leader. held={held}, leader={leader}")]
    OtherLeader {
        /// On record.
        held: FenceToken,
        /// Whose it is.
        leader: EntityId,
    },
    /// The one who wants to stop the job knows of another leadership than the gate.
    #[error("the fencing token is not the one on record. expected={expected}, given={given}")]
    TokenMismatch {
        /// On record.
        expected: FenceToken,
        /// Shown.
        given: FenceToken,
    },
    /// Another gate leads the job.
    #[error("another gate leads the job; ask it there. gate={gate}, gate_epoch={gate_epoch}")]
    LedElsewhere {
        /// Which.
        gate: EntityId,
        /// Its epoch, as far as is known here.
        gate_epoch: GateEpoch,
    },
    /// Epochs ran out; they never start again.
    #[error("no gate epoch is left, they never start again")]
    EpochsExhausted,
}
