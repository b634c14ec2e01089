//! Requests and replies about the gates and workers of jobs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::LevelView;
use crate::core::jobs::worker::WorkerStatus;
use crate::core::kernel::ids::{EntityId, known};
use crate::core::kernel::time::Timestamp;

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
    /// How often it gives a sign of life, in milliseconds, 100 to 600000; 5000 when left out. It is lost when it is silent
    /// for much longer than it is used to; one that never took work nor beat is not judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beat_ms: Option<i64>,
    /// Which of its lives this is, such as the time it began. Under another one than before, what it ran is lost and goes
    /// elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incarnation: Option<i64>,
}

/// A workflow that was handed to a worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HandedWork {
    /// Which job.
    pub job_id: EntityId,
    /// Which workflow.
    pub workflow_id: EntityId,
    /// The handing over.
    pub dispatch_token: i64,
}

/// A worker asks for work.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TakeWork {
    /// Which worker.
    #[serde(deserialize_with = "known")]
    pub worker_id: EntityId,
    /// How long it waits for work, in milliseconds, up to 300000; not at all when left out. Meanwhile it gives no other
    /// sign of life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<i64>,
    /// Most workflows at a time, 1 to 1000; 1 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// What it has. What was handed out and is named neither here, nor in a beat, nor in a report is handed out again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub running: Vec<HandedWork>,
}

/// A worker says that it is alive.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BeatWorker {
    /// Which worker.
    #[serde(deserialize_with = "known")]
    pub worker_id: EntityId,
    /// What it has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub running: Vec<HandedWork>,
}

/// Work that a worker got. Nothing else runs under its dispatch token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TakenWork {
    /// Which job.
    pub job_id: EntityId,
    /// Which workflow.
    pub workflow_id: EntityId,
    /// Which try, from 1.
    pub attempt: u32,
    /// The handing over, to be shown with every report. A higher one than any before it.
    pub dispatch_token: u64,
    /// Leadership of the job.
    pub fence_token: u64,
    /// What is to be done: what the workflow says, else what the job says.
    pub payload: Option<Value>,
    /// What the job says, where the workflow says something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_payload: Option<Value>,
    /// When the budget of the job ends as it is now; none without an overall limit.
    pub deadline: Option<Timestamp>,
    /// How long until then, in milliseconds.
    pub remaining_ms: Option<u64>,
    /// How long the job may be without progress, in milliseconds.
    pub stuck_threshold_ms: u64,
}

/// Work that a worker is to stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StopWork {
    /// Which job.
    pub job_id: EntityId,
    /// Which workflow.
    pub workflow_id: EntityId,
    /// The handing over.
    pub dispatch_token: u64,
    /// Why, for people.
    pub reason: String,
}

/// What a worker that asked for work got.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WorkTaken {
    /// Which worker.
    pub worker_id: EntityId,
    /// Its work; none when there was none within the wait.
    pub work: Vec<TakenWork>,
    /// What it is to stop.
    pub stop: Vec<StopWork>,
    /// Silent for so long it is lost, in milliseconds.
    pub silence_limit_ms: u64,
}

/// What a worker that gave a sign of life is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WorkerBeaten {
    /// Which worker.
    pub worker_id: EntityId,
    /// What it is to stop.
    pub stop: Vec<StopWork>,
    /// Silent for so long it is lost, in milliseconds.
    pub silence_limit_ms: u64,
}

/// Asks for a page of workers.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListWorkers {
    /// Only those of this datacenter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datacenter: Option<EntityId>,
    /// How many at most, 1 to 1000; 100 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// The `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// Workers in the order of their names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WorkerPage {
    /// The workers.
    pub workers: Vec<WorkerStatus>,
    /// Where the next page begins.
    pub next_cursor: Option<String>,
    /// Is there one?
    pub more: bool,
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
    /// Whose personal data `result` holds: it is sealed with the key of this data subject, and readable until that is shredded. A name that
    /// stays on record, so a pseudonym.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_subject: Option<EntityId>,
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
    /// Of a report: the same was reported before; nothing changed.
    #[serde(default)]
    pub duplicate: bool,
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
    /// After a report of a worker that takes its work: what it is to stop.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<StopWork>,
}

impl WorkerChanged {
    pub(crate) fn of(worker_id: EntityId, changed: bool) -> Self {
        WorkerChanged {
            worker_id,
            changed,
            duplicate: false,
            job_ids: Vec::new(),
            held_ms: None,
            level: None,
            stop: Vec::new(),
        }
    }
}
