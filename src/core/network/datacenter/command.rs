//! What may be asked about datacenters, and how the answer looks.

use super::event::Report;
use crate::kernel::ids::{DatacenterId, NodeId};
use crate::network::OutOfRange;
use crate::network::coordinate::NetworkCoordinate;
use crate::network::route::HealthBucket;

/// A request about datacenters.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// A datacenter says how it is.
    Update(Box<Change>),
    /// A datacenter is no more.
    Remove(DatacenterId),
    /// Time has passed; means nothing here.
    Tick,
}

/// What a datacenter says of itself. What is left out stays as it was.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Which datacenter.
    pub datacenter_id: DatacenterId,
    /// How well it is; `HEALTHY` at first.
    pub health_bucket: Option<HealthBucket>,
    /// Cores that are free.
    pub available_cores: Option<u64>,
    /// Cores that there are; at first as many as are free.
    pub total_cores: Option<u64>,
    /// Jobs that wait; 0 at first.
    pub queue_depth: Option<u64>,
    /// Its leader's local health, 1 to 9; 1 at first.
    pub lhm_multiplier: Option<f64>,
    /// The part of its managers that do not answer calls, 0 to 1; at first the part that is not healthy.
    pub circuit_breaker_pressure: Option<f64>,
    /// Managers that are registered; 1 at first.
    pub total_managers: Option<u64>,
    /// Managers that are alive and answer; at first all of them.
    pub healthy_managers: Option<u64>,
    /// Who leads it.
    pub leader: Option<NodeId>,
    /// Where the leader stands.
    pub coordinate: Option<NetworkCoordinate>,
    /// Upper bound of the round trip to it, in ms, for whoever measures it otherwise.
    pub rtt_ucb_ms: Option<f64>,
    /// How far that can be relied on, 0 to 1; 1 when only the round trip is said.
    pub coordinate_quality: Option<f64>,
}

impl Change {
    /// A sign of life that says nothing new.
    pub fn of(datacenter_id: DatacenterId) -> Self {
        Change {
            datacenter_id,
            health_bucket: None,
            available_cores: None,
            total_cores: None,
            queue_depth: None,
            lhm_multiplier: None,
            circuit_breaker_pressure: None,
            total_managers: None,
            healthy_managers: None,
            leader: None,
            coordinate: None,
            rtt_ucb_ms: None,
            coordinate_quality: None,
        }
    }
}

/// The answer to an accepted command.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// What is known of the datacenter now; none where it is no more.
    pub report: Option<Report>,
}

/// How a command about datacenters is refused. Nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// A number is out of range.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// There is no room for another one.
    #[error("no more datacenters can be known. limit={limit}")]
    Full {
        /// How many there may be.
        limit: usize,
    },
    /// Nothing was ever heard of it.
    #[error("nothing was heard of a datacenter of this name. datacenter={datacenter}")]
    Unknown {
        /// Which.
        datacenter: DatacenterId,
    },
}
