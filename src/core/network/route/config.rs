//! Every knob of routing, checked when a router is built.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::network::{OutOfRange, ensure};

/// The knobs of routing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoutingConfig {
    /// Weight of used cores, 0 to 100; default 0.5.
    pub a_util: f64,
    /// Weight of the queue, 0 to 100; default 0.3.
    pub a_queue: f64,
    /// Weight of managers that do not answer, 0 to 100; default 0.2.
    pub a_cb: f64,
    /// A queue of so many jobs counts as half a full one, 1 to 1,000,000; default 10.
    pub queue_smoothing: f64,
    /// Most that load multiplies a round trip by, 1 to 1000; default 5.
    pub load_factor_max: f64,
    /// Weight of a distance nobody relies on, 0 to 100; default 0.5.
    pub a_quality: f64,
    /// Most that doubt multiplies it by, 1 to 1000; default 2.
    pub quality_penalty_max: f64,
    /// What being preferred multiplies a score by, above 0, at most 1; default 0.9.
    pub preference_multiplier: f64,
    /// What a failure multiplies a score by while it is recent, 1 to 1000; default 2.
    pub cooldown_multiplier: f64,
    /// For how long a failure is recent, in seconds; default 120.
    pub cooldown_seconds: u64,
    /// A choice is kept for so long, in seconds; default 30. Shorter flaps, longer follows late.
    pub hold_down_seconds: u64,
    /// Another one must have at most this part of the score, above 0, at most 1; default 0.8.
    pub improvement: f64,
    /// A score that grew so many times over is bad, 1 to 1000; default 1.5 …
    pub degradation: f64,
    /// … when it stays so for so long, in seconds; default 10.
    pub degradation_seconds: u64,
    /// Datacenters that get a job at once, 1 to 100; default 2.
    pub max_primary_dcs: usize,
    /// Members within this part of the best score are equals for a first choice, 0 to 1; default 0.1.
    pub herd_margin: f64,
    /// A job's state is forgotten so long after its last use, in seconds; default 3600.
    pub idle_seconds: u64,
    /// Most jobs whose state is kept, 1 to 10,000,000; default 1,000,000.
    pub max_jobs: usize,
}

impl Default for RoutingConfig {
    fn default() -> Self {
        RoutingConfig {
            a_util: 0.5,
            a_queue: 0.3,
            a_cb: 0.2,
            queue_smoothing: 10.0,
            load_factor_max: 5.0,
            a_quality: 0.5,
            quality_penalty_max: 2.0,
            preference_multiplier: 0.9,
            cooldown_multiplier: 2.0,
            cooldown_seconds: 120,
            hold_down_seconds: 30,
            improvement: 0.8,
            degradation: 1.5,
            degradation_seconds: 10,
            max_primary_dcs: 2,
            herd_margin: 0.1,
            idle_seconds: 3_600,
            max_jobs: 1_000_000,
        }
    }
}

impl RoutingConfig {
    /// Checks every knob.
    ///
    /// # Errors
    /// [`OutOfRange`] naming the first knob that does not fit, its value and its range.
    pub fn check(&self) -> Result<(), OutOfRange> {
        for (field, weight) in [
            ("a_util", self.a_util),
            ("a_queue", self.a_queue),
            ("a_cb", self.a_cb),
            ("a_quality", self.a_quality),
        ] {
            ensure((0.0..=100.0).contains(&weight), field, weight, "0 to 100")?;
        }
        let smoothing = self.queue_smoothing;
        ensure((1.0..=1e6).contains(&smoothing), "queue_smoothing", smoothing, "1 to 1000000")?;
        for (field, factor) in [
            ("load_factor_max", self.load_factor_max),
            ("quality_penalty_max", self.quality_penalty_max),
            ("cooldown_multiplier", self.cooldown_multiplier),
            ("degradation", self.degradation),
        ] {
            ensure((1.0..=1_000.0).contains(&factor), field, factor, "1 to 1000")?;
        }
        for (field, part) in
            [("preference_multiplier", self.preference_multiplier), ("improvement", self.improvement)]
        {
            ensure(part > 0.0 && part <= 1.0, field, part, "above 0, at most 1")?;
        }
        ensure((0.0..=1.0).contains(&self.herd_margin), "herd_margin", self.herd_margin, "0 to 1")?;
        for (field, seconds) in [
            ("cooldown_seconds", self.cooldown_seconds),
            ("hold_down_seconds", self.hold_down_seconds),
            ("degradation_seconds", self.degradation_seconds),
            ("idle_seconds", self.idle_seconds),
        ] {
            ensure(seconds <= 31_536_000, field, seconds, "0 to 31536000")?;
        }
        let most = self.max_primary_dcs;
        ensure((1..=100).contains(&most), "max_primary_dcs", most, "1 to 100")?;
        ensure((1..=10_000_000).contains(&self.max_jobs), "max_jobs", self.max_jobs, "1 to 10000000")
    }

    pub(super) fn cooldown(&self) -> Duration {
        Duration::from_secs(self.cooldown_seconds)
    }

    pub(super) fn idle(&self) -> Duration {
        Duration::from_secs(self.idle_seconds)
    }

    /// How long a choice is kept.
    pub fn hold_down(&self) -> Duration {
        Duration::from_secs(self.hold_down_seconds)
    }
}
