//! What happened to datacenters. Stored: variants and fields are only ever appended, at the end.

use serde::{Deserialize, Serialize};

use crate::kernel::ids::{DatacenterId, NodeId};
use crate::kernel::time::Timestamp;
use crate::network::coordinate::CoordinateParts;
use crate::network::route::HealthBucket;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A datacenter said how it is.
    Updated {
        /// Which.
        datacenter_id: DatacenterId,
        /// How it is from now on.
        report: Box<Report>,
        /// Did it say how many jobs wait there? Then it has counted all that was sent to it.
        says_queue: bool,
        /// When it was heard.
        at: Timestamp,
    },
    /// A datacenter is no more.
    Removed {
        /// Which.
        datacenter_id: DatacenterId,
        /// When.
        at: Timestamp,
    },
}

/// How a datacenter is, as far as it ever said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// How well it is.
    pub health_bucket: HealthBucket,
    /// Cores that are free.
    pub available_cores: u64,
    /// Cores that there are.
    pub total_cores: u64,
    /// Jobs that wait.
    pub queue_depth: u64,
    /// Its leader's local health, in thousandths.
    pub lhm_permille: u32,
    /// The part of its managers that do not answer calls, in millionths; the part that is not healthy where it is not
    /// said.
    pub pressure_ppm: Option<u32>,
    /// Managers that are registered.
    pub total_managers: u64,
    /// Managers that are alive and answer.
    pub healthy_managers: u64,
    /// Who leads it.
    pub leader: Option<NodeId>,
    /// Where the leader stood when that was last heard.
    pub coordinate: Option<CoordinateParts>,
    /// How far away it is, for whoever measures it otherwise.
    pub stated: Option<Stated>,
}

/// A distance that is said and not estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stated {
    /// Upper bound of the round trip, in microseconds.
    pub rtt_ucb_us: u64,
    /// How far that can be relied on, in millionths.
    pub quality_ppm: u32,
}

impl Event {
    /// The name of the variant, as in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Updated { .. } => "updated",
            Event::Removed { .. } => "removed",
        }
    }
}
