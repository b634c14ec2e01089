//! Requests and replies about who leads a job.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::core::kernel::ids::EntityId;
use crate::core::kernel::time::Timestamp;

/// Gives leadership of a job to another leader.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TransferJob {
    /// Which job.
    pub job_id: EntityId,
    /// Which datacenter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datacenter: Option<EntityId>,
    /// Who is to lead.
    pub new_leader_id: EntityId,
    /// Where the new leader listens.
    #[serde(default)]
    pub new_leader_addr: String,
    /// Whatever the lease says; it is on record.
    #[serde(default)]
    pub force: bool,
    /// The leadership of the one who gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fence_token: Option<i64>,
}

/// Who leads a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JobLed {
    /// Which job.
    pub job_id: EntityId,
    /// Which datacenter.
    pub datacenter: EntityId,
    /// Who leads it.
    pub leader_id: EntityId,
    /// Under which token.
    pub fence_token: u64,
    /// When the leader's lease has expired, if it holds one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_expires_at: Option<Timestamp>,
    /// How long its lease lasts from each renewal, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_ms: Option<u64>,
}

/// Takes, keeps or gives back the lease of a job.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeaseJob {
    /// Which job.
    pub job_id: EntityId,
    /// Which datacenter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datacenter: Option<EntityId>,
    /// Who.
    pub holder_id: EntityId,
    /// Which of the holder's lives: a node that restarts is another holder. 0 when left out.
    #[serde(default)]
    pub incarnation: i64,
    /// Taking it: where the holder listens.
    #[serde(default)]
    pub holder_addr: String,
    /// Taking it: whatever the lease says; it is on record.
    #[serde(default)]
    pub force: bool,
    /// Keeping it and giving it back: the holder's token, or one it had since it took the lease. A restart of what
    /// serves the job mints another; keeping the lease answers with the one in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fence_token: Option<i64>,
    /// Taking it and keeping it: how long it lasts from now on, in milliseconds, 1 to 86400000. The job's own 30000 when
    /// left out, or as it was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_ms: Option<i64>,
    /// Taking it: the holder lives in the process that serves the job, and its lease ends with that process. When left
    /// out, so it is for a holder without an address that comes through the Rust API, and for no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_process: Option<bool>,
}

impl LeaseJob {
    /// The request of a holder that most likely does not live in this process.
    pub(crate) fn held_elsewhere(self) -> Self {
        LeaseJob { in_process: Some(self.in_process.unwrap_or(false)), ..self }
    }
}
