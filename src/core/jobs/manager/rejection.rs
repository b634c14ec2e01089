//! How a job says no.

use std::fmt::Display;

use super::workflow::WorkflowStatus;
use crate::jobs::protocol::message::{FinalStatus, Leader};
use crate::jobs::protocol::token::{DispatchToken, FenceToken, GateEpoch};
use crate::kernel::ids::EntityId;
use crate::kernel::keyed::Difference;

/// The domain says no. Only the attempts that name a replaced leader, an impossible step or a late result are recorded.
#[derive(Clone, Debug, PartialEq)]
pub enum Rejection {
    /// A field is out of range.
    Invalid {
        /// Which field.
        field: &'static str,
        /// What was given.
        given: String,
        /// What is allowed.
        expected: String,
    },
    /// Another request for more time had this name.
    KeyReused {
        /// The name.
        request_id: String,
        /// In what they differ.
        difference: Box<Difference>,
    },
    /// Nothing was ever submitted under this id.
    UnknownJob,
    /// Another submission runs under this id.
    AlreadyTracked,
    /// Another submission ran under this id, and has ended: an id is never used twice.
    IdOfEnded {
        /// How it ended.
        status: FinalStatus,
    },
    /// The job has ended.
    AlreadyTerminal {
        /// How.
        status: FinalStatus,
    },
    /// Somebody holds the lease of the job, and whoever asks shows no token.
    TokenMissing {
        /// Who holds it.
        holder: Leader,
    },
    /// Whoever asks was replaced and must step down.
    Stale {
        /// The token on record.
        held: FenceToken,
        /// The token shown.
        given: FenceToken,
    },
    /// The token was never minted here: either this record is behind, or the token is made up.
    UnknownToken {
        /// The token on record.
        held: FenceToken,
        /// The token shown.
        given: FenceToken,
    },
    /// The gate that speaks was replaced.
    StaleGate {
        /// The epoch on record.
        held: GateEpoch,
        /// The epoch shown.
        given: GateEpoch,
    },
    /// The handing over this is about was replaced by a later one.
    StaleDispatch {
        /// The one on record.
        held: DispatchToken,
        /// The one shown.
        given: DispatchToken,
    },
    /// Leadership was given up and nobody has taken it yet.
    Suspended {
        /// The last token.
        token: FenceToken,
    },
    /// No gate coordinates this job.
    NoGate,
    /// The job has no such workflow.
    UnknownWorkflow {
        /// The id given.
        workflow_id: EntityId,
    },
    /// The workflow cannot go there from where it is.
    IllegalTransition {
        /// Where it is.
        from: WorkflowStatus,
        /// Where it was to go.
        to: WorkflowStatus,
    },
    /// A workflow it depends on is not completed.
    Waiting {
        /// The workflow.
        workflow_id: EntityId,
        /// What it waits for.
        dependency: EntityId,
    },
    /// The job knows nothing of this worker.
    UnknownWorker {
        /// The id given.
        worker_id: EntityId,
    },
    /// Another leader holds the lease.
    LeaseHeld {
        /// Who.
        holder: Leader,
        /// For how much longer, in ms.
        expires_in_ms: u64,
    },
    /// The lease has ended, or nobody ever held one.
    LeaseExpired,
    /// The lease changed since the caller looked.
    LeaseChanged {
        /// Its version now.
        held: u64,
        /// The version the caller saw.
        given: u64,
    },
    /// A bound is reached.
    Limit {
        /// What is bounded.
        what: &'static str,
        /// How many there may be.
        limit: u64,
    },
    /// There are no tokens left: a token never starts again.
    TokensExhausted,
    /// The message is not for a manager.
    NotForManager {
        /// What it is.
        message: &'static str,
    },
}

pub(super) fn invalid(field: &'static str, given: impl Display, expected: impl Display) -> Rejection {
    Rejection::Invalid { field, given: given.to_string(), expected: expected.to_string() }
}

impl Display for Rejection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Rejection::Invalid { field, given, expected } => {
                write!(f, "{field} is out of range, expected {expected}. given={given}")
            }
            Rejection::KeyReused { request_id, difference } => {
                write!(
                    f,
                    "the request id was first used for another request. request_id={request_id}, {difference}"
                )
            }
            Rejection::UnknownJob => f.write_str("no such job was ever submitted"),
            Rejection::AlreadyTracked => f.write_str("another submission runs under this job id"),
            Rejection::IdOfEnded { status } => write!(
                f,
                "another submission ran under this job id, and has ended; choose another id. status={}",
                status.name()
            ),
            Rejection::TokenMissing { holder } => write!(
                f,
                "the job is under a lease, and only its holder may do this, under its token. \
                 missing=fence_token, holder={}",
                holder.node
            ),
            Rejection::AlreadyTerminal { status } => write!(f, "the job has ended. status={}", status.name()),
            Rejection::Stale { held, given } => write!(f, "stale fencing token. held={held}, given={given}"),
            Rejection::UnknownToken { held, given } => {
                write!(f, "fencing token was never minted. held={held}, given={given}")
            }
            Rejection::StaleGate { held, given } => {
                write!(f, "stale gate epoch. held={held}, given={given}")
            }
            Rejection::StaleDispatch { held, given } => {
                write!(f, "stale dispatch token. held={held}, given={given}")
            }
            Rejection::Suspended { token } => write!(f, "the job has no leader now. token={token}"),
            Rejection::NoGate => f.write_str("no gate coordinates this job"),
            Rejection::UnknownWorkflow { workflow_id } => {
                write!(f, "the job has no such workflow. given={workflow_id}")
            }
            Rejection::IllegalTransition { from, to } => {
                write!(f, "the workflow cannot go there. from={}, to={}", from.name(), to.name())
            }
            Rejection::Waiting { workflow_id, dependency } => {
                write!(f, "the workflow waits for another. workflow={workflow_id}, waits_for={dependency}")
            }
            Rejection::UnknownWorker { worker_id } => {
                write!(f, "the job knows no such worker. given={worker_id}")
            }
            Rejection::LeaseHeld { holder, expires_in_ms } => {
                write!(
                    f,
                    "another leader holds the lease. holder={}, expires_in_ms={expires_in_ms}",
                    holder.node
                )
            }
            Rejection::LeaseExpired => f.write_str("the lease has ended"),
            Rejection::LeaseChanged { held, given } => {
                write!(f, "the lease changed. held={held}, given={given}")
            }
            Rejection::Limit { what, limit } => write!(f, "too many {what}. limit={limit}"),
            Rejection::TokensExhausted => f.write_str("there are no tokens left"),
            Rejection::NotForManager { message } => {
                write!(f, "a manager does not take this message. given={message}")
            }
        }
    }
}
