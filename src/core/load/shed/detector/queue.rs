//! How long messages wait before work on them begins: the earliest sign of too much, and one that needs no baseline.
//!
//! A queue that is sometimes long is doing its work; a queue that never gets short is standing. So the *least* wait
//! within each interval is judged: above the target, nothing in a whole interval got through quickly.
//!
//! # Sources
//! K. Nichols, V. Jacobson, *Controlling Queue Delay*, ACM Queue 10(5), 2012 (the least sojourn time over 100 ms);
//! RFC 8289; H. Zhou et al., *Overload Control for Scaling WeChat Microservices*, SoCC 2018 (queueing time, 20 ms).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::kernel::time::Timestamp;
use crate::load::shed::number::Invalid;
use crate::load::shed::shedder::{Cause, Load, Verdict};

/// The knobs of the queueing delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueConfig {
    /// Busy above this wait, stressed above twice, overloaded above four times. Too small: a burst is taken for
    /// overload; too large: clients time out first.
    pub target: Duration,
    /// The least wait over this long is judged; longer than the longest harmless burst.
    pub interval: Duration,
    /// After this long without a message the queue is taken to be empty.
    pub ttl: Duration,
}

impl Default for QueueConfig {
    fn default() -> Self {
        QueueConfig {
            target: Duration::from_millis(20),
            interval: Duration::from_millis(100),
            ttl: Duration::from_secs(1),
        }
    }
}

/// The least wait of the current and of the last whole interval.
#[derive(Clone, Debug)]
pub struct QueueDelay {
    config: QueueConfig,
    began: Option<Timestamp>,
    least: Duration,
    last: Duration,
    heard: Timestamp,
}

impl QueueDelay {
    /// Nothing heard.
    ///
    /// # Errors
    /// [`Invalid`] for a target or interval of 0, or a time to live shorter than the interval.
    pub fn new(config: QueueConfig) -> Result<Self, Invalid> {
        for (field, given) in [("target", config.target), ("interval", config.interval)] {
            if given.is_zero() {
                return Err(Invalid::new(field, "0", "above 0"));
            }
        }
        if config.ttl < config.interval {
            return Err(Invalid::new("ttl", format!("{:?}", config.ttl), "at least the interval"));
        }
        let (zero, heard) = (Duration::ZERO, Timestamp::EPOCH);
        Ok(QueueDelay { config, began: None, least: zero, last: zero, heard })
    }

    /// A message waited this long before work on it began. Where nothing gets through, the age of the oldest that
    /// waits is told instead; where the queue is empty, zero.
    pub fn record(&mut self, waited: Duration, now: Timestamp) {
        if now.since(self.heard) >= self.config.ttl {
            (self.began, self.last) = (None, Duration::ZERO);
        }
        self.heard = now;
        match self.began {
            Some(began) if now >= began && now.since(began) < self.config.interval => {
                self.least = self.least.min(waited);
            }
            Some(_) => (self.began, self.last, self.least) = (Some(now), self.least, waited),
            None => (self.began, self.least) = (Some(now), waited),
        }
    }

    /// The least wait in the last whole interval; the present one can only make it shorter. Changes nothing.
    pub fn standing(&self, now: Timestamp) -> Duration {
        match self.began {
            Some(_) if now.since(self.heard) >= self.config.ttl => Duration::ZERO,
            Some(began) if now.since(began) >= self.config.interval => self.least,
            Some(_) => self.last.min(self.least),
            None => Duration::ZERO,
        }
    }

    /// The state. Changes nothing.
    pub fn verdict(&self, now: Timestamp) -> Verdict {
        let standing = self.standing(now);
        let target = self.config.target;
        let bounds = [target, target.saturating_mul(2), target.saturating_mul(4)];
        let state = Load::above(&standing, &bounds);
        let threshold = bounds[(state as usize).saturating_sub(1)];
        let ms = |d: Duration| d.as_secs_f64() * 1_000.0;
        Verdict { state, cause: Cause::QueueDelay, measured: ms(standing), threshold: ms(threshold) }
    }
}
