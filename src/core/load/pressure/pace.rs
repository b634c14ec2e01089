//! How long a worker waits between two flushes.
//!
//! | level | wait besides the base of 50 ms, `d` the delay it was told |
//! |---|---|
//! | none | 0 |
//! | throttle | `d`, at least 500 ms |
//! | batch | 2·`d`, at least 1 s |
//! | reject | 4·`d`, at least 2 s |
//!
//! The factors come on top of delays that already grow with the level, so the wait is capped.
//!
//! # Sources
//! M. Brooker, *Exponential Backoff and Jitter*, AWS Architecture Blog, 2015 (cap, jitter).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::kernel::rng::Rng;
use crate::load::shed::number::{Invalid, Ratio};
use crate::load::stats::Level;

/// The knobs of the pace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaceConfig {
    /// Between two flushes when nothing is asked.
    pub base: Duration,
    /// The least wait of throttle, batch, reject.
    pub floors: [Duration; 3],
    /// Times the delay, at throttle, batch, reject.
    pub factors: [u32; 3],
    /// The longest wait.
    pub cap: Duration,
    /// The wait is longer or shorter by up to this part, so that workers do not flush together.
    pub jitter: Ratio,
}

impl Default for PaceConfig {
    fn default() -> Self {
        PaceConfig {
            base: Duration::from_millis(50),
            floors: [500, 1_000, 2_000].map(Duration::from_millis),
            factors: [1, 2, 4],
            cap: Duration::from_secs(10),
            jitter: Ratio::percent(10),
        }
    }
}

impl PaceConfig {
    /// Checks the numbers.
    ///
    /// # Errors
    /// [`Invalid`] for a base of 0, floors or factors that fall, a cap below the floors.
    pub fn check(&self) -> Result<(), Invalid> {
        if self.base.is_zero() {
            return Err(Invalid::new("base", "0", "above 0"));
        }
        if !self.floors.is_sorted() || self.floors[2] > self.cap {
            return Err(Invalid::new("floors", format!("{:?}", self.floors), "not falling, upto the cap"));
        }
        if !self.factors.is_sorted() || self.factors[0] == 0 {
            return Err(Invalid::new("factors", format!("{:?}", self.factors), "not falling, at least 1"));
        }
        Ok(())
    }

    /// The wait besides the base.
    pub fn extra(&self, level: Level, told: Duration) -> Duration {
        let Some(place) = usize::from(level.number()).checked_sub(1) else { return Duration::ZERO };
        told.saturating_mul(self.factors[place]).max(self.floors[place]).min(self.cap)
    }

    /// Base and wait, moved by the jitter of this flush of this worker; the wait never passes the cap.
    pub fn interval(&self, level: Level, told: Duration, seed: u64, flush: u64) -> Duration {
        let extra = self.extra(level, told).as_micros() as f64;
        let random = Rng::new(seed ^ flush.rotate_left(32)).next_u64() >> 11;
        let swing = (random as f64 / (1u64 << 53) as f64) * 2.0 - 1.0;
        let moved = extra * (1.0 + self.jitter.as_f64() * swing);
        self.base.saturating_add(Duration::from_micros(moved as u64).min(self.cap))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn floors_factors_and_cap_are_the_documented_ones() {
        let pace = PaceConfig::default();
        for (level, told, extra) in [
            (Level::None, 9_999, 0),
            (Level::Throttle, 0, 500),
            (Level::Throttle, 500, 500),
            (Level::Throttle, 501, 501),
            (Level::Batch, 500, 1_000),
            (Level::Batch, 501, 1_002),
            (Level::Reject, 500, 2_000),
            (Level::Reject, 501, 2_004),
            (Level::Reject, 1_000, 4_000),
            (Level::Reject, 2_500, 10_000),
            (Level::Reject, 2_501, 10_000),
        ] {
            assert_eq!(pace.extra(level, MS(told)), MS(extra), "{level:?} {told}");
        }
        assert_eq!(pace.extra(Level::Reject, Duration::MAX), MS(10_000));
    }

    #[test]
    fn jitter_stays_within_its_part_and_is_the_same_for_the_same_seed() {
        let pace = PaceConfig::default();
        let at = |flush| pace.interval(Level::Batch, MS(0), 7, flush);
        let all: Vec<_> = (0..1_000).map(at).collect();
        assert!(all.iter().all(|interval| (MS(950)..=MS(1_150)).contains(interval)));
        assert!(all.iter().any(|i| *i < MS(970)) && all.iter().any(|i| *i > MS(1_130)));
        assert_eq!(all, (0..1_000).map(at).collect::<Vec<_>>());
        let still = PaceConfig { jitter: Ratio::ZERO, ..pace };
        assert_eq!(still.interval(Level::Batch, MS(0), 7, 1), MS(1_050));
        assert_eq!(pace.interval(Level::None, MS(500), 7, 1), MS(50));
    }

    #[test]
    fn knobs_that_make_no_sense_are_refused_by_name() {
        let good = PaceConfig::default();
        assert_eq!(PaceConfig { base: MS(0), ..good }.check().unwrap_err().field, "base");
        assert_eq!(PaceConfig { cap: MS(1_999), ..good }.check().unwrap_err().field, "floors");
        assert_eq!(PaceConfig { factors: [2, 1, 4], ..good }.check().unwrap_err().field, "factors");
    }
}
