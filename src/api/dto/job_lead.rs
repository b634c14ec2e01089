//! Requests and replies about who leads a job, what is stuck, and how long a class of jobs takes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::JobPlace;
use super::{Asker, id};
use crate::core::kernel::ids::{EntityId, known};
use crate::core::kernel::time::Timestamp;
use crate::error::Error;

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
    /// The lease of this job for this holder, as long each time as the job says.
    ///
    /// # Errors
    /// `invalid_argument` when a name is not an id.
    pub fn new(job_id: &str, holder_id: &str) -> Result<Self, Error> {
        Ok(LeaseJob {
            job_id: id("job_id", job_id)?,
            datacenter: None,
            holder_id: id("holder_id", holder_id)?,
            incarnation: 0,
            holder_addr: String::new(),
            force: false,
            fence_token: None,
            lease_ms: None,
            in_process: None,
        })
    }

    /// The request of a holder that most likely does not live in this process.
    pub(crate) fn held_elsewhere(self) -> Self {
        LeaseJob { in_process: Some(self.in_process.unwrap_or(false)), ..self }
    }
}

/// Lists the leases that are held.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListLeases {
    /// Only those of this holder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder_id: Option<EntityId>,
    /// Only those of jobs in this datacenter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datacenter: Option<EntityId>,
    /// How many at most, 1 to 1000; 100 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// The `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// Leases that are held.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LeasePage {
    /// The leases; those of the newest jobs first.
    pub leases: Vec<LeaseLine>,
    /// Ask with this for the next page.
    pub next_cursor: Option<String>,
    /// The end was not reached.
    pub more: bool,
    /// Filters whose names nobody here has, where nothing fits them: they may be misspelt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
}

/// A lease that is held.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LeaseLine {
    /// Of which job.
    pub job_id: EntityId,
    /// In which datacenter.
    pub datacenter: EntityId,
    /// Where the job is.
    pub status: String,
    /// Who holds it.
    pub holder_id: EntityId,
    /// Which of the holder's lives.
    pub incarnation: u64,
    /// The holder's token; 0 for a caller who may not act as the holder.
    pub fence_token: u64,
    /// How long it lasts from each renewal, in milliseconds.
    pub lease_ms: u64,
    /// When it has expired, unless it is kept.
    pub expires_at: Timestamp,
    /// How long until then, in milliseconds.
    pub left_ms: u64,
    /// The holder lives in the process that serves the job.
    pub in_process: bool,
    /// Who took it, where an identity did and the caller may act as the holder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_by: Option<Asker>,
}

/// Asks which workflows of a job did not get on for long.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StuckWorkflows {
    /// Which job.
    #[serde(deserialize_with = "known")]
    pub job_id: EntityId,
    /// Which datacenter; every one in which the job runs when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datacenter: Option<EntityId>,
    /// Stuck is what did not get on for at least so many seconds; the job's own `stuck_threshold` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold_seconds: Option<f64>,
    /// Leaves out workflows that have ended; true when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exclude_terminal: Option<bool>,
}

/// Workflows that did not get on for long.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StuckList {
    /// Which job.
    pub job_id: EntityId,
    /// The workflows, the longest silent first; at most 1,000.
    pub workflows: Vec<StuckWorkflow>,
    /// How many there are.
    pub total: u64,
    /// At a gate, which does not know the workflows that managers in other processes have: the datacenters in which nothing
    /// moved for so long. Which workflows they are is asked there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elsewhere: Vec<JobPlace>,
}

/// A workflow that did not get on for long.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StuckWorkflow {
    /// Which workflow.
    pub workflow_id: EntityId,
    /// In which datacenter.
    pub datacenter: EntityId,
    /// Where it is.
    pub status: String,
    /// Seconds since it got on, as on record.
    pub idle_seconds: f64,
}

/// Asks what is known of the durations of a class.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClassRef {
    /// Which class.
    #[serde(deserialize_with = "known")]
    pub class: EntityId,
}

/// What is known of the durations of a class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClassEstimate {
    /// Which class.
    pub class: EntityId,
    /// Is enough known for an estimate?
    pub enough: bool,
    /// Jobs on record.
    pub samples: u64,
    /// The budget it gives, in seconds.
    pub timeout_seconds: Option<f64>,
    /// The idle limit it gives, in seconds.
    pub stuck_threshold: Option<f64>,
    /// What it rests on, for people.
    pub evidence: String,
}
