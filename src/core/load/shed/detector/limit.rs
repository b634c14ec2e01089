//! How much at once is best: a limit that follows the measured latency.
//!
//! ```text
//!  gradient = base · (1 + buffer) / median of this window, held in 0.5 ..= 2
//!  limit    = gradient · limit + √limit, held in floor ..= ceiling
//!  base     = median while only `probe` requests run at once, measured again from time to time
//! ```
//!
//! Three traps it keeps out of. *Growth for nothing*: the limit only grows when it was used. *Old news*: a sample that
//! began before the phase it would be counted in is not counted, so that measuring the base is not disturbed by what was
//! queued before. *A base measured under load*: the probe size is its own number, small, and has nothing to do with the
//! floor, which is there to keep work going.
//!
//! # Sources
//! Netflix, *Performance Under Load*, 2018, and the project `Netflix/concurrency-limits` (gradient); Envoy, *Adaptive
//! Concurrency* filter documentation (the formula with `√limit`, measuring the base again, jitter, five windows at the
//! floor).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::kernel::rng::Rng;
use crate::kernel::time::{Timestamp, micros};
use crate::load::shed::number::{Invalid, Ratio};

/// The knobs of the adaptive limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitConfig {
    /// The least; work never stops.
    pub floor: u32,
    /// The most.
    pub ceiling: u32,
    /// Where it begins.
    pub initial: u32,
    /// Requests at once while the base is measured.
    pub probe: u32,
    /// How much slower than the base is fine. Too small: the limit falls for noise; too large: queues are let grow.
    pub buffer: Ratio,
    /// How long samples are gathered before the limit moves.
    pub window: Duration,
    /// Samples a window needs; fewer are kept for the next.
    pub min_samples: usize,
    /// How often the base is measured again, up to a tenth later.
    pub probe_every: Duration,
    /// Seed of that tenth, so that many actors do not measure at once.
    pub seed: u64,
}

impl Default for LimitConfig {
    fn default() -> Self {
        LimitConfig {
            floor: 4,
            ceiling: 1_000,
            initial: 20,
            probe: 2,
            buffer: Ratio::percent(25),
            window: Duration::from_millis(100),
            min_samples: 5,
            probe_every: Duration::from_secs(60),
            seed: 0,
        }
    }
}

impl LimitConfig {
    /// Checks the numbers.
    ///
    /// # Errors
    /// [`Invalid`] for the first that does not fit.
    pub fn check(&self) -> Result<(), Invalid> {
        if self.floor == 0 || self.floor > self.ceiling {
            return Err(Invalid::new("floor", self.floor, "1 to the ceiling"));
        }
        if !(self.floor..=self.ceiling).contains(&self.initial) {
            return Err(Invalid::new("initial", self.initial, "floor to ceiling"));
        }
        if self.probe == 0 {
            return Err(Invalid::new("probe", self.probe, "at least 1"));
        }
        if self.min_samples == 0 || self.min_samples > MOST_SAMPLES {
            return Err(Invalid::new("min_samples", self.min_samples, "1 to 256"));
        }
        if self.window.is_zero() || self.probe_every <= self.window {
            return Err(Invalid::new(
                "window",
                format!("{:?}", self.window),
                "above 0, less than probe_every",
            ));
        }
        Ok(())
    }
}

/// Samples kept of one window; more do not move a median.
const MOST_SAMPLES: usize = 256;
/// Windows at the floor after which the base is doubted.
const DOUBT_AFTER: u32 = 5;

/// What the limit is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Few at once, to see how fast it can be.
    Probing,
    /// The limit follows the latency.
    Following,
}

/// The limit. Kept in memory only.
#[derive(Clone, Debug)]
pub struct AdaptiveLimit {
    config: LimitConfig,
    rng: Rng,
    limit: f64,
    base_us: Option<u64>,
    phase: Phase,
    since: Timestamp,
    probe_at: Timestamp,
    samples: Vec<u64>,
    most_at_once: u32,
    at_floor: u32,
}

impl AdaptiveLimit {
    /// Begins by measuring the base.
    ///
    /// # Errors
    /// As [`LimitConfig::check`].
    pub fn new(config: LimitConfig, now: Timestamp) -> Result<Self, Invalid> {
        config.check()?;
        Ok(AdaptiveLimit {
            rng: Rng::new(config.seed),
            limit: f64::from(config.initial),
            config,
            base_us: None,
            phase: Phase::Probing,
            since: now,
            probe_at: now,
            samples: Vec::new(),
            most_at_once: 0,
            at_floor: 0,
        })
    }

    /// Most that may run at once now.
    pub fn limit(&self) -> u32 {
        match self.phase {
            Phase::Probing => self.config.probe,
            Phase::Following => self.limit as u32,
        }
    }

    /// May one more begin while so many run? Remembers how far the limit is used.
    pub fn admits(&mut self, running: u32) -> bool {
        let admits = running < self.limit();
        self.most_at_once = self.most_at_once.max(running.saturating_add(u32::from(admits)));
        admits
    }

    /// Work that began at `began` was finished after `latency`. Only what was served is told.
    pub fn record(&mut self, latency: Duration, began: Timestamp, now: Timestamp) {
        if began >= self.since && self.samples.len() < MOST_SAMPLES {
            self.samples.push(micros(latency).max(1));
        }
        self.advance(now);
    }

    /// Moves the limit where a window has passed. Called on every sample and on a timer.
    pub fn advance(&mut self, now: Timestamp) {
        if now < self.since {
            self.since = now;
        }
        if now.since(self.since) < self.config.window || self.samples.len() < self.config.min_samples {
            return;
        }
        let middle = self.samples.len() / 2;
        let median = *self.samples.select_nth_unstable(middle).1;
        match self.phase {
            Phase::Probing => {
                self.base_us = Some(median);
                self.phase = Phase::Following;
                self.at_floor = 0;
                let every = self.config.probe_every;
                let tenth = micros(every) / 10;
                let later = Duration::from_micros(self.rng.next_u64() % tenth.max(1));
                self.probe_at = now.plus(every).plus(later);
            }
            Phase::Following => {
                self.follow(median);
                if now >= self.probe_at || self.at_floor >= DOUBT_AFTER {
                    self.phase = Phase::Probing;
                }
            }
        }
        (self.since, self.most_at_once) = (now, 0);
        self.samples.clear();
    }

    fn follow(&mut self, median_us: u64) {
        let (floor, ceiling) = (f64::from(self.config.floor), f64::from(self.config.ceiling));
        let base = self.base_us.unwrap_or(median_us) as f64 * (1.0 + self.config.buffer.as_f64());
        let gradient = (base / median_us as f64).clamp(0.5, 2.0);
        let next = (gradient * self.limit + self.limit.sqrt()).clamp(floor, ceiling);
        let used = f64::from(self.most_at_once) * 2.0 >= self.limit;
        // With √limit added, halving leads to 4 and no lower: a limit that is halved and stays is at its floor, too.
        let stays = gradient <= 0.5 && self.limit - next < 1.0;
        if next < self.limit || used {
            self.limit = next;
        }
        self.at_floor = if stays || self.limit as u32 <= self.config.floor { self.at_floor + 1 } else { 0 };
    }

    /// What it is doing.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The latency with few at once, once it was measured.
    pub fn base(&self) -> Option<Duration> {
        self.base_us.map(Duration::from_micros)
    }
}
