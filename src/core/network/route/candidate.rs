//! What is known of a datacenter.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::kernel::ids::DatacenterId;
use crate::kernel::time::Timestamp;

/// Health that is older than this is at best DEGRADED.
const STALE_HEALTH: Duration = Duration::from_secs(30);
/// The bound of a round trip that nobody knows, in ms.
pub const UNKNOWN_RTT_MS: f64 = 200.0;

/// How well a datacenter is. A full one that works is BUSY, not UNHEALTHY.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum HealthBucket {
    /// It has room.
    Healthy,
    /// It works, and has none.
    Busy,
    /// It works badly, or nobody knows how it works now.
    Degraded,
    /// It does not work. It is never chosen.
    Unhealthy,
}

/// One datacenter that a job might go to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatacenterCandidate {
    /// Which one.
    pub datacenter_id: DatacenterId,
    /// How well it is. `None` for a word that is not known.
    pub health_bucket: Option<HealthBucket>,
    /// Cores that are free.
    pub available_cores: u64,
    /// Cores that there are.
    pub total_cores: u64,
    /// Jobs that wait.
    pub queue_depth: u64,
    /// Its leader's local health, 1 to 9. Data; it has no weight.
    pub lhm_multiplier: f64,
    /// The part of its managers that do not answer calls, 0 to 1.
    pub circuit_breaker_pressure: f64,
    /// Managers that are registered.
    pub total_managers: u64,
    /// Managers that are alive and answer.
    pub healthy_managers: u64,
    /// Is the distance of its leader known?
    pub has_coordinate: bool,
    /// Upper bound of the round trip to its leader, in ms.
    pub rtt_ucb_ms: f64,
    /// How far that can be relied on, 0 to 1.
    pub coordinate_quality: f64,
    /// When its health was last heard.
    pub last_health_at: Timestamp,
}

/// Why a datacenter is in no list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Exclusion {
    /// A number that is none, or an id that came before.
    InvalidInput,
    /// A health that is no known word.
    UnknownBucket,
    /// It does not work.
    UnhealthyStatus,
    /// Nobody leads jobs there.
    NoRegisteredManagers,
    /// None of its managers answers.
    AllManagersCircuitOpen,
}

/// A datacenter that is in no list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excluded {
    /// Which one.
    pub datacenter_id: DatacenterId,
    /// The first reason that holds.
    pub reason: Exclusion,
}

/// A candidate that may be chosen, as it counts now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Eligible<'a> {
    pub(super) candidate: &'a DatacenterCandidate,
    pub(super) bucket: HealthBucket,
    /// The bucket it had before its health grew old.
    pub(super) original_bucket: HealthBucket,
    pub(super) rtt_ucb_ms: f64,
    pub(super) quality: f64,
}

impl HealthBucket {
    /// Every bucket, the best first.
    pub const ALL: [HealthBucket; 4] =
        [HealthBucket::Healthy, HealthBucket::Busy, HealthBucket::Degraded, HealthBucket::Unhealthy];

    /// The name used in JSON.
    pub fn name(self) -> &'static str {
        match self {
            HealthBucket::Healthy => "HEALTHY",
            HealthBucket::Busy => "BUSY",
            HealthBucket::Degraded => "DEGRADED",
            HealthBucket::Unhealthy => "UNHEALTHY",
        }
    }

    /// The bucket of a name, in upper or lower case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|bucket| bucket.name().eq_ignore_ascii_case(name))
    }
}

impl Exclusion {
    /// The name used in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Exclusion::InvalidInput => "INVALID_INPUT",
            Exclusion::UnknownBucket => "UNKNOWN_BUCKET",
            Exclusion::UnhealthyStatus => "UNHEALTHY_STATUS",
            Exclusion::NoRegisteredManagers => "NO_REGISTERED_MANAGERS",
            Exclusion::AllManagersCircuitOpen => "ALL_MANAGERS_CIRCUIT_OPEN",
        }
    }
}

impl DatacenterCandidate {
    fn exclusion(&self) -> Result<HealthBucket, Exclusion> {
        let numbers =
            [self.lhm_multiplier, self.circuit_breaker_pressure, self.rtt_ucb_ms, self.coordinate_quality];
        if numbers.iter().any(|number| !number.is_finite() || *number < 0.0) {
            return Err(Exclusion::InvalidInput);
        }
        match self.health_bucket {
            None => Err(Exclusion::UnknownBucket),
            Some(HealthBucket::Unhealthy) => Err(Exclusion::UnhealthyStatus),
            Some(_) if self.total_managers == 0 => Err(Exclusion::NoRegisteredManagers),
            Some(_) if self.healthy_managers == 0 => Err(Exclusion::AllManagersCircuitOpen),
            Some(bucket) => Ok(bucket),
        }
    }
}

/// Who may be chosen, and who not and why; both in the order given.
pub(super) fn filter(
    candidates: &[DatacenterCandidate],
    now: Timestamp,
) -> (Vec<Eligible<'_>>, Vec<Excluded>) {
    let (mut eligible, mut excluded) = (Vec::with_capacity(candidates.len()), Vec::new());
    // In order, no id comes twice; only otherwise are they remembered.
    let is_ordered = candidates.windows(2).all(|pair| pair[0].datacenter_id < pair[1].datacenter_id);
    let mut seen = BTreeSet::new();
    for candidate in candidates {
        let verdict = match is_ordered || seen.insert(&candidate.datacenter_id) {
            true => candidate.exclusion(),
            false => Err(Exclusion::InvalidInput),
        };
        match verdict {
            Err(reason) => {
                let datacenter_id = candidate.datacenter_id.clone();
                excluded.push(Excluded { datacenter_id, reason });
            }
            Ok(original_bucket) => {
                let is_stale = now.since(candidate.last_health_at) > STALE_HEALTH;
                let bucket =
                    if is_stale { original_bucket.max(HealthBucket::Degraded) } else { original_bucket };
                let known = candidate.has_coordinate;
                let rtt_ucb_ms = if known { candidate.rtt_ucb_ms } else { UNKNOWN_RTT_MS };
                let quality = if known { candidate.coordinate_quality.min(1.0) } else { 0.0 };
                eligible.push(Eligible { candidate, bucket, original_bucket, rtt_ucb_ms, quality });
            }
        }
    }
    (eligible, excluded)
}
