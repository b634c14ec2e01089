//! How a worker stands, in plain numbers, for people and doors.

use serde::{Deserialize, Serialize};

use super::state::{Hand, Phase, Worker};
use crate::jobs::protocol::message::{Leader, WorkflowOutcome};
use crate::jobs::protocol::token::{DispatchToken, FenceToken};
use crate::kernel::ids::EntityId;
use crate::kernel::time::Timestamp;

/// How a worker stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerStatus {
    /// The worker.
    pub worker_id: EntityId,
    /// Where it works.
    pub datacenter: EntityId,
    /// Does it serve?
    pub phase: Phase,
    /// Most workflows it runs at the same time.
    pub capacity: u32,
    /// Workflows it runs.
    pub running: u64,
    /// Messages that are not answered.
    pub unanswered: usize,
    /// Transfers that wait for workflows they overtook.
    pub parked: usize,
    /// The last sign of life on record; none of a worker that never gave one, and of one that is lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heard_at: Option<Timestamp>,
    /// When it is lost unless it is heard of before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost_at: Option<Timestamp>,
    /// Workflows that run, or ended lately.
    pub workflows: Vec<WorkflowStatus>,
}

/// How a workflow stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkflowStatus {
    /// The job.
    pub job_id: EntityId,
    /// The workflow.
    pub workflow_id: EntityId,
    /// Which try.
    pub attempt: u32,
    /// The last handing over that was taken.
    pub dispatch_token: DispatchToken,
    /// Who leads the job.
    pub leader: Leader,
    /// Where the leader listens, if that was said.
    pub leader_addr: Option<String>,
    /// Its token.
    pub fence_token: FenceToken,
    /// What became of it.
    pub outcome: WorkflowOutcome,
    /// How far it got to whoever carries it out.
    pub hand: Hand,
    /// Items done so far.
    pub completed_count: u64,
    /// Reports that were dropped and that the leader was not told of.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub dropped_untold: u64,
    /// Its leader is lost; until when it waits for another.
    pub orphan_until: Option<Timestamp>,
    /// Why it was asked to stop.
    pub stop_reason: Option<String>,
    /// When it is stopped by force.
    pub abort_at: Option<Timestamp>,
}

/// Nothing to tell.
fn is_nothing(count: &u64) -> bool {
    *count == 0
}

impl Worker {
    /// How the worker stands; `None` before it was ever registered.
    pub fn status(&self) -> Option<WorkerStatus> {
        let all = self.jobs.iter().flat_map(|(job_id, job)| {
            job.workflows.iter().map(move |(workflow_id, workflow)| WorkflowStatus {
                job_id: job_id.clone(),
                workflow_id: workflow_id.clone(),
                attempt: workflow.attempt,
                dispatch_token: workflow.dispatch_token,
                leader: job.leader.clone(),
                leader_addr: job.addr.clone(),
                fence_token: job.fence_token,
                outcome: workflow.outcome,
                hand: workflow.hand,
                completed_count: workflow.completed_count,
                dropped_untold: workflow.untold(),
                orphan_until: workflow.orphan_until,
                stop_reason: workflow.stop.as_ref().map(|stop| stop.reason.clone()),
                abort_at: workflow.stop.as_ref().map(|stop| stop.abort_at),
            })
        });
        Some(WorkerStatus {
            worker_id: self.worker_id.clone()?,
            datacenter: self.datacenter.clone()?,
            phase: self.phase,
            capacity: self.capacity,
            running: self.running(),
            unanswered: self.outbox.len(),
            parked: self.parked.len(),
            heard_at: self.watch.map(|watch| watch.sign_at),
            lost_at: self.watch.filter(|_| self.is_judged()).map(|watch| watch.lost_at(self.beat_ms)),
            workflows: all.collect(),
        })
    }
}
