//! Which jobs have work that nobody has: a fold over the events of all jobs, so that a worker that asks for work need not
//! ask every job.
//!
//! It says what a job that is asked would say (see [`Run::is_free`](super::Run::is_free)). Where the two differ a worker
//! asks in vain or a little later; what it gets is decided by the job alone.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::event::Event;
use super::workflow::WorkflowStatus;
use crate::jobs::protocol::message::{NotNow, WorkflowPlan};
use crate::kernel::ids::EntityId;

/// The work of one job that has not ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// What is planned, as long as it is not done.
    plans: BTreeMap<EntityId, Plan>,
    /// Workers that are lost.
    lost: BTreeSet<EntityId>,
    /// Nobody leads it, or its time is over: nothing of it is handed out.
    rests: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Plan {
    waits_for: BTreeSet<EntityId>,
    worker: Option<EntityId>,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    Pending,
    /// It was handed to a worker that is lost.
    Untaken,
    Elsewhere,
}

impl Work {
    /// Of a job as it was submitted.
    pub fn of(plans: &[WorkflowPlan]) -> Self {
        let plan = |plan: &WorkflowPlan| Plan {
            waits_for: plan.depends_on.iter().cloned().collect(),
            worker: plan.worker_id.clone(),
            stage: Stage::Pending,
        };
        let plans = plans.iter().map(|given| (given.workflow_id.clone(), plan(given))).collect();
        Work { plans, ..Work::default() }
    }

    /// Has it work that nobody has?
    pub fn is_open(&self) -> bool {
        let free = |plan: &Plan| match plan.stage {
            Stage::Pending => {
                let nobody = plan.worker.as_ref().is_none_or(|worker| self.lost.contains(worker));
                nobody && plan.waits_for.iter().all(|on| !self.plans.contains_key(on))
            }
            Stage::Untaken => true,
            Stage::Elsewhere => false,
        };
        !self.rests && self.plans.values().any(free)
    }

    /// Adds one event; says whether it may have opened or closed something.
    pub fn apply(&mut self, event: &Event) -> bool {
        match event {
            Event::WorkflowMoved(moved) => match moved.to {
                WorkflowStatus::Pending => self.stage(&moved.workflow_id, Stage::Pending),
                WorkflowStatus::Completed | WorkflowStatus::Aggregated => {
                    self.plans.remove(&moved.workflow_id);
                }
                WorkflowStatus::Dispatched
                | WorkflowStatus::Running
                | WorkflowStatus::Failed
                | WorkflowStatus::FailedCancelingDeps
                | WorkflowStatus::FailedReady
                | WorkflowStatus::Cancelling
                | WorkflowStatus::Cancelled => self.stage(&moved.workflow_id, Stage::Elsewhere),
            },
            Event::AttemptMade { workflow_id, .. } => self.stage(workflow_id, Stage::Pending),
            Event::DispatchDelayed { workflow_id, why, .. } => {
                let stage = if *why == NotNow::Lost { Stage::Untaken } else { Stage::Elsewhere };
                self.stage(workflow_id, stage);
            }
            Event::WorkerLost { worker_id, .. } => {
                self.lost.insert(worker_id.clone());
            }
            Event::WorkerHealthy { worker_id, .. } => {
                self.lost.remove(worker_id);
            }
            Event::Suspended { .. } | Event::TimeoutDetected(_) => self.rests = true,
            Event::LeaderChanged(_) => self.rests = false,
            Event::Submitted(_)
            | Event::ProgressNoted(_)
            | Event::StepRefused { .. }
            | Event::LateResult { .. }
            | Event::ExtensionGranted(_)
            | Event::ExtensionDenied(_)
            | Event::ExtensionsReset { .. }
            | Event::ExtensionKeyed { .. }
            | Event::GateHeard { .. }
            | Event::GlobalTimeoutAccepted { .. }
            | Event::GateChanged { .. }
            | Event::GateCancelAccepted { .. }
            | Event::Ended(_)
            | Event::Queued(_)
            | Event::Acked { .. }
            | Event::Deferred { .. }
            | Event::CancelNarrowed { .. }
            | Event::CancelUnconfirmed { .. }
            | Event::Resumed(_)
            | Event::StoppingResumed { .. }
            | Event::TokenAdopted { .. }
            | Event::LeaseTaken { .. }
            | Event::LeaseRenewed { .. }
            | Event::LeaseReleased { .. }
            | Event::LeaseGranted { .. }
            | Event::LeaseResized { .. }
            | Event::LeaseAskedBy { .. }
            | Event::FenceRejected(_)
            | Event::CharterNoted { .. }
            | Event::RecallAsked { .. }
            | Event::ClockStepped { .. }
            | Event::ReportsDropped { .. }
            | Event::PayloadNoted { .. }
            | Event::RunRefused { .. } => return false,
        }
        true
    }

    fn stage(&mut self, id: &EntityId, stage: Stage) {
        if let Some(plan) = self.plans.get_mut(id) {
            plan.stage = stage;
        }
    }
}
