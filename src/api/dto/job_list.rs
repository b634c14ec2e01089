//! Requests and replies about lists of jobs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::core::kernel::ids::EntityId;
use crate::core::kernel::time::Timestamp;

/// Asks for a page of jobs.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListJobs {
    /// `live` (default), `ended`, or a status: `running`, `failed` and the others; at a gate `waiting_for_datacenter` too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Only those led by this leader.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader_id: Option<EntityId>,
    /// Only those in this datacenter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datacenter: Option<EntityId>,
    /// Newest first; false when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_first: Option<bool>,
    /// Only live ones whose next deadline falls within so many seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_within_seconds: Option<f64>,
    /// How many at most, 1 to 1000; 100 when left out. Of ended ones: how many are looked at, at a gate with all their
    /// datacenters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// The `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// A job in a list. At a gate there is a line for each datacenter that another process manages: it says what the gate was told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JobLine {
    /// Which job.
    pub job_id: EntityId,
    /// Which datacenter.
    pub datacenter: EntityId,
    /// Where it is. At a gate: `submitted` until it is heard of there, then `running` or `completing`,
    /// `waiting_for_datacenter` while every manager there is dead, and how it ended.
    pub status: String,
    /// Who leads it: at a gate the manager there.
    pub leader_id: EntityId,
    /// When it was submitted.
    pub started_at: Timestamp,
    /// When it is next looked at.
    pub next_deadline: Option<Timestamp>,
    /// Leadership; at a gate 0 before it was first heard of.
    pub fence_token: u64,
    /// At a gate: that gate. Absent where this process manages the job, and so are the fields below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate_id: Option<EntityId>,
    /// Where its manager listens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader_addr: Option<String>,
    /// The last instant of its budget, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// Seconds since something last moved there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_seconds: Option<f64>,
    /// Did nothing move there for as long as the gate allows?
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_stuck: Option<bool>,
}

/// A page of jobs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JobPage {
    /// The jobs: live ones by name, ended ones in the order of their ends; or the newest first.
    pub jobs: Vec<JobLine>,
    /// Jobs that have not ended.
    pub live: u64,
    /// Ask with this for what follows, now or later; none when this page is empty and was not asked for with a cursor.
    pub next_cursor: Option<String>,
    /// The end was not reached.
    pub more: bool,
    /// Filters whose names nobody here has, where nothing fits them: they may be misspelt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
}
