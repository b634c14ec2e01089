//! The states of a workflow, and which step leads where.
//!
//! ```text
//!  pending ──► dispatched ──► running ──┬──► completed
//!     ▲            │             │      └──► aggregated
//!     │            └──► failed ◄─┘
//!     │                  │   └────────────────────────────────► cancelled
//!     │                  ▼
//!     │        failed_canceling_deps ──► failed_ready
//!     └─────────────────────────────────────┘
//!  pending, dispatched, running ──► cancelling ──► cancelled        pending ──► failed
//! ```
//!
//! Everything else is refused, also a step to where the workflow is, and `pending → cancelled` without `cancelling`.
//! Two steps are there unless the plain table is asked for: a failure that is being cleaned up can be cancelled, since
//! otherwise a job that is stopped would wait for a retry that never comes.
//!
//! A failure cancels everything that depends on the workflow, then starts a new attempt of it and of them, in the order
//! of their dependencies. An attempt that was cancelled stays cancelled; the new one has the next number.
//!
//! # Source
//! Success before deadline before failure policy, and failed attempts that are replaced and never revived, as in the
//! jobs of Kubernetes (*Job* and *JobSet* API documentation).

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::jobs::protocol::message::NotNow;
use crate::jobs::protocol::token::{DispatchToken, FenceToken};
use crate::kernel::ids::EntityId;
use crate::kernel::time::Timestamp;

/// Steps of one workflow that are kept in memory; all of them are on record.
pub const HISTORY_TAIL: usize = 64;

/// Where a workflow is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkflowStatus {
    /// It waits to be handed to a worker.
    Pending,
    /// It was handed to a worker.
    Dispatched,
    /// It runs.
    Running,
    /// It is done.
    Completed,
    /// It failed.
    Failed,
    /// It failed, and what depends on it is being cancelled.
    FailedCancelingDeps,
    /// It failed, and can be tried again.
    FailedReady,
    /// It is to stop.
    Cancelling,
    /// It was stopped.
    Cancelled,
    /// Its result went into another one.
    Aggregated,
}

use WorkflowStatus::{
    Aggregated, Cancelled, Cancelling, Completed, Dispatched, Failed, FailedCancelingDeps, FailedReady,
    Pending, Running,
};

impl WorkflowStatus {
    /// Every status.
    pub const ALL: [WorkflowStatus; 10] = [
        Pending,
        Dispatched,
        Running,
        Completed,
        Failed,
        FailedCancelingDeps,
        FailedReady,
        Cancelling,
        Cancelled,
        Aggregated,
    ];

    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Pending => "pending",
            Dispatched => "dispatched",
            Running => "running",
            Completed => "completed",
            Failed => "failed",
            FailedCancelingDeps => "failed_canceling_deps",
            FailedReady => "failed_ready",
            Cancelling => "cancelling",
            Cancelled => "cancelled",
            Aggregated => "aggregated",
        }
    }

    /// The status of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// The name told to those outside, who need not know how a failure is cleaned up.
    pub fn external_name(self) -> &'static str {
        match self {
            // A client has no use for the difference between waiting, being handed over and waiting again.
            Pending | Dispatched | FailedReady => "pending",
            Failed | FailedCancelingDeps => "failed",
            Cancelling | Cancelled => "cancelled",
            Running => "running",
            Completed => "completed",
            Aggregated => "aggregated",
        }
    }

    /// Does no step lead away from it?
    pub fn is_terminal(self) -> bool {
        match self {
            Completed | Cancelled | Aggregated => true,
            Pending | Dispatched | Running | Failed | FailedCancelingDeps | FailedReady | Cancelling => false,
        }
    }

    /// Does a worker have it, as far as is known?
    pub fn is_at_worker(self) -> bool {
        match self {
            Dispatched | Running | Cancelling => true,
            Pending | Completed | Failed | FailedCancelingDeps | FailedReady | Cancelled | Aggregated => {
                false
            }
        }
    }

    /// Does a step lead from here to there?
    ///
    /// ```
    /// use quorate_core::jobs::manager::WorkflowStatus::{Cancelled, FailedReady, Pending};
    ///
    /// assert!(!Pending.may_become(Cancelled, false));
    /// assert!(FailedReady.may_become(Cancelled, false));
    /// assert!(!FailedReady.may_become(Cancelled, true), "not in the plain table");
    /// ```
    pub fn may_become(self, to: WorkflowStatus, strict: bool) -> bool {
        match self {
            Pending => matches!(to, Dispatched | Cancelling | Failed),
            Dispatched => matches!(to, Running | Cancelling | Failed),
            Running => matches!(to, Completed | Failed | Cancelling | Aggregated),
            Failed => matches!(to, FailedCancelingDeps | Cancelled),
            FailedCancelingDeps => to == FailedReady || (to == Cancelled && !strict),
            FailedReady => to == Pending || (to == Cancelled && !strict),
            Cancelling => to == Cancelled,
            Completed | Cancelled | Aggregated => false,
        }
    }
}

/// One step of a workflow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// The workflow.
    pub workflow_id: EntityId,
    /// Which try, from 1.
    pub attempt: u32,
    /// From where.
    pub from: WorkflowStatus,
    /// To where.
    pub to: WorkflowStatus,
    /// Why, for people.
    pub reason: String,
    /// When.
    pub at: Timestamp,
    /// Which step of the job, from 1.
    pub seq: u64,
    /// The leadership under which it was taken.
    pub token: FenceToken,
    /// The worker it is handed to by this step, if any.
    pub worker_id: Option<EntityId>,
    /// The handing over made by this step, if any.
    pub dispatch_token: Option<DispatchToken>,
    /// What it made, or why it failed.
    pub result: Option<String>,
    /// Will nothing more happen to the workflow, though it failed?
    pub settles: bool,
}

/// What is known of one workflow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workflow {
    /// Workflows that must be completed first.
    pub depends_on: Vec<EntityId>,
    /// The worker it was meant for when the job was submitted.
    pub planned_worker: Option<EntityId>,
    /// The worker that has it, or had it last.
    pub worker_id: Option<EntityId>,
    /// Where it is.
    pub status: WorkflowStatus,
    /// Which try, from 1.
    pub attempt: u32,
    /// The last handing over.
    pub dispatch_token: DispatchToken,
    /// Items done in this attempt, as far as recorded.
    pub completed_count: u64,
    /// When it last moved or got on; its registration before it ever did.
    pub last_progress_at: Timestamp,
    /// What it made, or why it failed.
    pub result: Option<String>,
    /// What arrived after it no longer counted.
    pub late_result: Option<String>,
    /// It failed and will not be tried again.
    pub settled_failure: bool,
    /// Why its worker does not take it yet.
    pub waits: Option<NotNow>,
    /// Reports of the last handing over that its worker dropped, as far as it told.
    pub reports_dropped: u64,
    /// Was it to stop, and nobody confirmed that it did? Then it may still run.
    pub unconfirmed: bool,
    /// The newest steps, oldest first.
    pub history: VecDeque<Moved>,
}

impl Workflow {
    /// Will nothing more happen to it?
    pub fn is_settled(&self) -> bool {
        self.status.is_terminal() || (self.status == Failed && self.settled_failure)
    }

    pub(super) fn keep(&mut self, step: &Moved) {
        if self.history.len() == HISTORY_TAIL {
            self.history.pop_front();
        }
        self.history.push_back(step.clone());
    }
}
