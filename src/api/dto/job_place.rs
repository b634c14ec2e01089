//! What a gate shows of jobs that are run by managers in other processes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::core::kernel::ids::EntityId;
use crate::core::kernel::time::Timestamp;

/// A job in a datacenter that another process manages, as its gate has it from what was told there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JobPlace {
    /// Which datacenter.
    pub datacenter: EntityId,
    /// `submitted` until it is heard of there, then `running`, `waiting_for_datacenter`, `completed`, `failed`, `timed_out` or
    /// `cancelled`.
    pub status: String,
    /// Is that final? A final status is not followed by another.
    pub is_final: bool,
    /// Why, for people; empty when there is nothing to say.
    pub reason: String,
    /// The manager that leads it there.
    pub leader_id: EntityId,
    /// Where that one listens.
    pub leader_addr: String,
    /// Its leadership; 0 before it was first heard of.
    pub fence_token: u64,
    /// Seconds since something last moved there; none once it has ended there.
    pub idle_seconds: Option<f64>,
    /// Seconds since the last report on record.
    pub since_report_seconds: Option<f64>,
    /// Did nothing move there for as long as the gate allows?
    pub is_stuck: bool,
    /// Since when every manager there is dead, as far as is known, and the job waits for the datacenter.
    pub lost_at: Option<Timestamp>,
    /// Workflows of the job there.
    pub workflows_total: u64,
    /// Of those, completed.
    pub workflows_completed: u64,
    /// Of those, failed for good.
    pub workflows_failed: u64,
}
