//! How a worker says no.

use crate::jobs::protocol::message::{NotNow, WorkflowOutcome};
use crate::jobs::protocol::token::{DispatchToken, FenceToken};
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
    /// The worker does not serve.
    #[error("the worker is not registered")]
    NotRegistered,
    /// The worker takes nothing new.
    #[error("the worker is draining")]
    Draining,
    /// The worker runs as much as it can.
    #[error("the worker is full. running={running}, capacity={capacity}")]
    Full {
        /// Workflows it runs.
        running: u64,
        /// Most it runs.
        capacity: u32,
    },
    /// The message is for another worker or another datacenter.
    #[error("the message is for somebody else. expected={expected}, given={given}")]
    NotForMe {
        /// This one.
        expected: EntityId,
        /// That one.
        given: EntityId,
    },
    /// Such a message is not for a worker.
    #[error("a worker does not take such a message. message={message}")]
    NotForWorker {
        /// Which.
        message: &'static str,
    },
    /// The worker runs nothing of this job.
    #[error("the worker runs nothing of this job. job={job_id}")]
    UnknownJob {
        /// Which.
        job_id: EntityId,
    },
    /// The worker never had this workflow.
    #[error("the worker does not have this workflow. workflow={workflow_id}")]
    UnknownWorkflow {
        /// Which.
        workflow_id: EntityId,
    },
    /// The workflow has ended.
    #[error("the workflow has ended, and that stands. workflow={workflow_id}, held={}", outcome.name())]
    Ended {
        /// Which.
        workflow_id: EntityId,
        /// The outcome that stands.
        outcome: WorkflowOutcome,
    },
    /// The same end was reported with another result or count.
    #[error(
        "the workflow has ended, and the result that was reported first stands. workflow={workflow_id}, held={}",
        outcome.name()
    )]
    ReportedOtherwise {
        /// The workflow that was reported before.
        workflow_id: EntityId,
        /// The outcome that stands.
        outcome: WorkflowOutcome,
    },
    /// The worker was silent for too long, never confirmed that it stopped, or was given up by its leader, and the
    /// workflow was taken from it.
    #[error("the workflow was taken from the worker. workflow={workflow_id}")]
    Taken {
        /// Which.
        workflow_id: EntityId,
    },
    /// The worker was silent for too long, and was not heard of since.
    #[error("the worker is lost")]
    Lost,
    /// Items done can only grow.
    #[error("items done can only grow. held={held}, given={given}")]
    CountFell {
        /// On record.
        held: u64,
        /// Reported.
        given: u64,
    },
    /// The sender was replaced.
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
    /// A later handing over took the place of this one, or it was another attempt.
    #[error("stale dispatch token. held={held}, given={given}")]
    StaleDispatch {
        /// On record.
        held: DispatchToken,
        /// Shown.
        given: DispatchToken,
    },
    /// Too many transfers wait for workflows they overtook.
    #[error("too many transfers wait for their workflows. most={most}")]
    TooManyParked {
        /// Most that wait.
        most: usize,
    },
}

impl Rejection {
    /// May what is refused be taken later, as it is?
    pub fn not_now(&self) -> Option<NotNow> {
        match self {
            Rejection::Full { .. } => Some(NotNow::Full),
            Rejection::NotRegistered => Some(NotNow::NotRegistered),
            Rejection::Draining => Some(NotNow::Draining),
            Rejection::Lost => Some(NotNow::Lost),
            Rejection::Invalid { .. }
            | Rejection::NotForMe { .. }
            | Rejection::NotForWorker { .. }
            | Rejection::UnknownJob { .. }
            | Rejection::UnknownWorkflow { .. }
            | Rejection::Ended { .. }
            | Rejection::ReportedOtherwise { .. }
            | Rejection::Taken { .. }
            | Rejection::CountFell { .. }
            | Rejection::Stale { .. }
            | Rejection::OtherLeader { .. }
            | Rejection::StaleDispatch { .. }
            | Rejection::TooManyParked { .. } => None,
        }
    }
}
