//! Requests and replies about the gates and workers of jobs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::LevelView;
use crate::core::kernel::ids::{EntityId, known};

/// Gives leadership of a job at the gate to another gate.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TransferGate {
    /// Which job.
    pub job_id: EntityId,
    /// Which gate is to lead.
    pub new_gate_id: EntityId,
    /// Where it listens.
    #[serde(default)]
    pub new_gate_addr: String,
}

/// Names a worker.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkerRef {
    /// Which worker.
    #[serde(deserialize_with = "known")]
    pub worker_id: EntityId,
}

/// Registers a worker.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterWorker {
    /// Which worker.
    pub worker_id: EntityId,
    /// Where it works; `local` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datacenter: Option<EntityId>,
    /// Most workflows it runs at the same time, 1 to 1000000; 1 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<i64>,
}

/// Says what became of a workflow.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkerReport {
    /// Which worker.
    pub worker_id: EntityId,
    /// Which job.
    pub job_id: EntityId,
    /// Which workflow.
    pub workflow_id: EntityId,
    /// `running`, `completed`, `failed` or `cancelled`.
    pub outcome: String,
    /// Items done so far, never fewer than before; as before when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_count: Option<i64>,
    /// What it made or why it failed, opaque.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// The handing over that was carried out; the last one when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dispatch_token: Option<i64>,
}

/// Says that a worker lost the leader of a job.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeaderLost {
    /// Which worker.
    pub worker_id: EntityId,
    /// Which job.
    pub job_id: EntityId,
}

/// Whether a worker changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WorkerChanged {
    /// Which worker.
    pub worker_id: EntityId,
    /// Something was not so before.
    pub changed: bool,
    /// Jobs it was told to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub job_ids: Vec<EntityId>,
    /// A report of progress waits in memory, for so long at the least, since its managers asked for less. The newest
    /// of each workflow goes out; at reject all but one a time are dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_ms: Option<u64>,
    /// After a report: what the managers of this node ask of senders once it is counted.
    #[serde(default, skip_serializing_if = "Option::is_none", flatten)]
    pub level: Option<LevelView>,
}

impl WorkerChanged {
    pub(crate) fn of(worker_id: EntityId, changed: bool) -> Self {
        WorkerChanged { worker_id, changed, job_ids: Vec::new(), held_ms: None, level: None }
    }
}
