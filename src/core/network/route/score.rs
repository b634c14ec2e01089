//! How good a datacenter is for a job: lower is better.

use serde::{Deserialize, Serialize};

use super::candidate::{Eligible, HealthBucket};
use super::config::RoutingConfig;
use crate::kernel::ids::DatacenterId;

/// A score and what it is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scored {
    /// Which datacenter.
    pub datacenter_id: DatacenterId,
    /// The bucket in which it counts.
    pub bucket: HealthBucket,
    /// The bucket it said it is in; another one when that was long ago.
    pub original_bucket: HealthBucket,
    /// Round trip × load × penalty × preference × cooldown.
    pub score: f64,
    /// Upper bound of the round trip, in ms.
    pub rtt_ucb_ms: f64,
    /// 1 and more with load.
    pub load: f64,
    /// 1 and more with doubt of the distance.
    pub penalty: f64,
    /// Less than 1 for a preferred one of the primary bucket.
    pub preference: f64,
    /// More than 1 while a failure is recent.
    pub cooldown: f64,
}

/// The score without what is known of the datacenter anyway.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts {
    pub(super) score: f64,
    load: f64,
    penalty: f64,
    preference: f64,
    pub(super) cooldown: f64,
}

impl Parts {
    /// The score of this candidate.
    pub(super) fn of(self, eligible: &Eligible<'_>) -> Scored {
        Scored {
            datacenter_id: eligible.candidate.datacenter_id.clone(),
            bucket: eligible.bucket,
            original_bucket: eligible.original_bucket,
            score: self.score,
            rtt_ucb_ms: eligible.rtt_ucb_ms,
            load: self.load,
            penalty: self.penalty,
            preference: self.preference,
            cooldown: self.cooldown,
        }
    }
}

/// The score. `queued` are dispatches of this gate that the datacenter has not counted yet.
pub(super) fn score(
    eligible: &Eligible<'_>,
    queued: u64,
    is_preferred: bool,
    is_cooling: bool,
    config: &RoutingConfig,
) -> Parts {
    let candidate = eligible.candidate;
    let used = 1.0 - capacity(eligible);
    let queue = candidate.queue_depth.saturating_add(queued) as f64;
    let queue = queue / (queue + config.queue_smoothing);
    let pressure = candidate.circuit_breaker_pressure.min(1.0);
    let load = 1.0 + config.a_util * used + config.a_queue * queue + config.a_cb * pressure;
    let load = load.min(config.load_factor_max);
    let penalty = (1.0 + config.a_quality * (1.0 - eligible.quality)).min(config.quality_penalty_max);
    let preference = if is_preferred { config.preference_multiplier } else { 1.0 };
    let cooldown = if is_cooling { config.cooldown_multiplier } else { 1.0 };
    let score = eligible.rtt_ucb_ms * load * penalty * preference * cooldown;
    Parts { score, load, penalty, preference, cooldown }
}

/// The part of the cores that is free, 0 to 1; 0 where there are none.
pub(super) fn capacity(eligible: &Eligible<'_>) -> f64 {
    let candidate = eligible.candidate;
    (candidate.available_cores as f64 / candidate.total_cores.max(1) as f64).min(1.0)
}
