//! Requests and replies about back-pressure between managers, workers and gates.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::core::kernel::ids::EntityId;
use crate::core::kernel::time::Timestamp;
use crate::core::load::stats::Level;

/// Asks who asks whom to slow down.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AskPressure {
    /// Show this worker too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker_id: Option<EntityId>,
    /// Show only this datacenter; all of which anything was heard when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datacenter: Option<EntityId>,
}

/// Who asks whom to slow down, as this process knows it. It is kept in memory only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PressureStatus {
    /// The level the managers of this node signal; null while it is not known.
    pub own_level: Option<Level>,
    /// The worst level any datacenter asks of the gates here.
    pub overall_level: Level,
    /// The datacenters managers told of.
    pub datacenters: Vec<DatacenterPressure>,
    /// The worker asked about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<WorkerPressure>,
}

/// What a datacenter asks of the gates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DatacenterPressure {
    /// Which.
    pub datacenter: EntityId,
    /// The worst level of its managers.
    pub level: Level,
    /// What that makes of what is sent to it: `no_backpressure`, `throttled`, `batch_only` or `reject`.
    pub state: String,
    /// The longest delay of its managers.
    pub delay_ms: u64,
    /// Its managers.
    pub managers: Vec<ManagerPressure>,
    /// Reports of progress that were not let on to it.
    pub refused: u64,
}

/// What a manager asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ManagerPressure {
    /// Where it leads.
    pub datacenter: EntityId,
    /// Which node it is.
    pub manager_id: EntityId,
    /// Its level now; one milder after each time to live without a newer signal.
    pub level: Level,
    /// Its delay now.
    pub delay_ms: u64,
}

/// What is asked of a worker, and what it does about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WorkerPressure {
    /// Which.
    pub worker_id: EntityId,
    /// The worst level of its managers.
    pub level: Level,
    /// What that makes it do: `no_backpressure`, `throttled`, `batch_only` or `reject`.
    pub state: String,
    /// The longest delay of its managers.
    pub delay_ms: u64,
    /// Its managers.
    pub managers: Vec<ManagerPressure>,
    /// Reports counted since the first signal.
    pub offered: u64,
    /// Reports that were taken.
    pub delivered: u64,
    /// Reports that held ones made way for.
    pub superseded: u64,
    /// Reports dropped at reject since the process began.
    pub dropped: u64,
    /// Reports dropped at reject on record, over all time.
    pub dropped_all_time: u64,
    /// Reports that wait.
    pub held: u64,
    /// Reports dropped that the managers were not told of yet, by job: the next report of the workflow tells.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub gaps: BTreeMap<EntityId, u64>,
    /// When it looks at what waits again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
}
