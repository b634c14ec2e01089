//! Is it too much? Several signals, the worst of them, and patience on the way down.
//!
//! ```text
//!  pending ───────► of the most that may be   ≥ 0.5 · 0.7 · 0.9
//!  latency ───────► average, ms               > 200 · 500 · 2000 ┐
//!                   against its own past      > 0.2 · 0.5 · 1.0  ├─ worst ──► up at once, down after two
//!  processor ─────► percent                   > 70 · 85 · 95     │            evaluations that are all below
//!  memory ────────► percent                   > 70 · 85 · 95     │
//!  waiting time ──► least in 100 ms           > 20 · 40 · 80 ms  ┘ no worse than what refuses the one that waits
//! ```
//!
//! An *evaluation* is a tick of one timer (250 ms) that has new values. Reading the state is not one and changes
//! nothing; one that comes much too early, and a tick with nothing new, can make the state worse but not better: one low
//! reading counts once, however often it is looked at. A signal that falls silent for as long as its values hold has
//! nothing left to say, and ticks count again. What remains after two quieter evaluations is the *worst* of what they
//! saw, so a signal that swings between two lower states does not hold the highest for ever.
//!
//! # Sources
//! B. Beyer et al., *Site Reliability Engineering*, O'Reilly 2016, chapter 21; M. Welsh, D. Culler, *Adaptive Overload
//! Control for Busy Internet Servers*, USITS 2003; N. Bronson et al., *Metastable Failures in Distributed Systems*,
//! HotOS 2021 (why samples must expire).

mod latency;
mod limit;
mod pending;
mod queue;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use latency::{Latency, LatencyConfig, LatencyDiagnostics, Observed};
pub use limit::{AdaptiveLimit, LimitConfig, Phase};
pub use pending::PendingConfig;
pub use queue::{QueueConfig, QueueDelay};

use super::class::Priority;
use super::number::{Invalid, finite};
use super::shedder::{Cause, Load, Verdict};
use crate::kernel::time::Timestamp;

/// The knobs of the detector.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DetectorConfig {
    /// Requests taken and not finished.
    pub pending: PendingConfig,
    /// Latency.
    pub latency: LatencyConfig,
    /// Waiting time.
    pub queue: QueueConfig,
    /// Busy, stressed, overloaded above these percents of the processor.
    pub cpu: [f64; 3],
    /// Busy, stressed, overloaded above these percents of the memory.
    pub memory: [f64; 3],
    /// How long a reading of processor or memory stands when no newer one comes.
    pub reading_ttl: Duration,
    /// Quieter evaluations in a row before the state gets better.
    pub hysteresis: u32,
    /// The timer of evaluations.
    pub every: Duration,
}

impl Default for DetectorConfig {
    fn default() -> Self {
        DetectorConfig {
            pending: PendingConfig::default(),
            latency: LatencyConfig::default(),
            queue: QueueConfig::default(),
            cpu: [70.0, 85.0, 95.0],
            memory: [70.0, 85.0, 95.0],
            reading_ttl: Duration::from_secs(10),
            hysteresis: 2,
            every: Duration::from_millis(250),
        }
    }
}

/// What is known of the machine at one evaluation; `None` when the sampler failed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Readings {
    /// Processor, in percent; above 100 is fine.
    pub cpu: Option<f64>,
    /// Memory, in percent.
    pub memory: Option<f64>,
}

/// Everything the detector sees, for people.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Diagnostics {
    /// The state and its cause.
    pub verdict: Verdict,
    /// What the signals say now, without patience.
    pub raw: Verdict,
    /// Quieter evaluations in a row so far.
    pub quieter: u32,
    /// Requests taken and not finished.
    pub pending: u64,
    /// The latency tiers.
    pub latency: LatencyDiagnostics,
}

/// A request was taken, and is finished when this is dropped, whatever came of it.
#[must_use = "a request is finished when this is dropped"]
#[derive(Debug)]
pub struct Pending {
    finished: Arc<AtomicU64>,
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.finished.fetch_add(1, Ordering::Release);
    }
}

/// The detector. Kept in memory only: after a restart it is healthy and warms up.
#[derive(Debug)]
pub struct Detector {
    config: DetectorConfig,
    latency: Latency,
    queues: [QueueDelay; 4],
    begun: u64,
    /// Requests that were finished; shared with those that are not.
    finished: Arc<AtomicU64>,
    cpu: Option<(Timestamp, f64)>,
    memory: Option<(Timestamp, f64)>,
    verdict: Verdict,
    quieter: u32,
    worst_of_quieter: Verdict,
    counted: Option<Timestamp>,
    /// There are values no evaluation has counted.
    news: bool,
    /// When the newest value came.
    heard: Timestamp,
    /// Requests begun and finished at the last evaluation.
    moved: (u64, u64),
}

impl Detector {
    /// Healthy.
    ///
    /// # Errors
    /// [`Invalid`] for the first number that does not fit.
    pub fn new(config: DetectorConfig) -> Result<Self, Invalid> {
        config.pending.check()?;
        latency::ascending("cpu", &config.cpu)?;
        latency::ascending("memory", &config.memory)?;
        if config.hysteresis == 0 {
            return Err(Invalid::new("hysteresis", 0, "at least 1"));
        }
        for (field, given) in [("every", config.every), ("reading_ttl", config.reading_ttl)] {
            if given.is_zero() {
                return Err(Invalid::new(field, "0", "above 0"));
            }
        }
        let queue = QueueDelay::new(config.queue)?;
        Ok(Detector {
            latency: Latency::new(config.latency)?,
            queues: [queue.clone(), queue.clone(), queue.clone(), queue],
            config,
            begun: 0,
            finished: Arc::default(),
            cpu: None,
            memory: None,
            verdict: Verdict::default(),
            quieter: 0,
            worst_of_quieter: Verdict::default(),
            counted: None,
            news: false,
            heard: Timestamp::EPOCH,
            moved: (0, 0),
        })
    }

    /// A request was taken; it is pending until what this gives is dropped.
    pub fn begin(&mut self) -> Pending {
        self.begun += 1;
        Pending { finished: self.finished.clone() }
    }

    /// Requests taken and not finished.
    pub fn pending(&self) -> u64 {
        self.begun - self.finished.load(Ordering::Acquire)
    }

    fn hear(&mut self, now: Timestamp) {
        (self.news, self.heard) = (true, now);
    }

    /// A latency; only what was served is a sample.
    pub fn latency(&mut self, observed: Observed, latency: Duration, now: Timestamp) {
        self.latency.record(observed, latency, now);
        if observed == Observed::Served {
            self.hear(now);
        }
    }

    /// A latency in milliseconds from outside.
    ///
    /// # Errors
    /// [`Invalid`] when it is not finite.
    pub fn latency_ms(&mut self, observed: Observed, ms: f64, now: Timestamp) -> Result<(), Invalid> {
        self.latency.record_ms(observed, ms, now)?;
        if observed == Observed::Served {
            self.hear(now);
        }
        Ok(())
    }

    /// A message of this priority waited so long before work on it began; see [`QueueDelay::record`].
    ///
    /// Each priority has its own signal. Where the important goes first, the rest starves long before the whole is
    /// overloaded, and refusing what starves is the cure; so a standing queue makes the state no worse than the one
    /// that refuses its priority: low work busy, normal work stressed, the rest overloaded.
    pub fn waited(&mut self, priority: Priority, waited: Duration, now: Timestamp) {
        self.queues[priority.index()].record(waited, now);
        self.hear(now);
    }

    fn standing(&self, now: Timestamp) -> Verdict {
        let mut worst = self.queues[0].verdict(now);
        for (priority, queue) in Priority::ALL.into_iter().zip(&self.queues).skip(1) {
            let most = Load::ALL[Priority::ALL.len() - priority.index()];
            let verdict = queue.verdict(now);
            worst = worst.max(Verdict { state: verdict.state.min(most), ..verdict });
        }
        worst
    }

    /// One evaluation.
    ///
    /// # Errors
    /// [`Invalid`] for a reading that is not finite or negative; the evaluation does not take place.
    pub fn evaluate(&mut self, readings: Readings, now: Timestamp) -> Result<Verdict, Invalid> {
        for (field, reading) in [("cpu", readings.cpu), ("memory", readings.memory)] {
            if let Some(value) = reading
                && finite(field, value)? < 0.0
            {
                return Err(Invalid::new(field, value, "at least 0"));
            }
        }
        self.cpu = readings.cpu.map(|value| (now, value)).or(self.cpu);
        self.memory = readings.memory.map(|value| (now, value)).or(self.memory);
        let moved = (self.begun, self.finished.load(Ordering::Acquire));
        if readings.cpu.is_some() || readings.memory.is_some() || moved != self.moved {
            self.hear(now);
        }
        self.moved = moved;
        let raw = self.raw(now);
        if raw.state >= self.verdict.state {
            self.verdict = raw;
            (self.quieter, self.counted, self.news) = (0, Some(now), false);
        } else if self.on_time(now) && (self.news || self.is_silent(now)) {
            (self.counted, self.news) = (Some(now), false);
            let first = self.quieter == 0;
            self.worst_of_quieter = if first { raw } else { self.worst_of_quieter.max(raw) };
            self.quieter += 1;
            if self.quieter >= self.config.hysteresis {
                self.verdict = self.worst_of_quieter;
                self.quieter = 0;
            }
        }
        Ok(self.verdict)
    }

    /// Is this evaluation one of the timer's? Timers are not exact; half its period is near enough.
    fn on_time(&mut self, now: Timestamp) -> bool {
        let Some(counted) = self.counted else { return true };
        if now < counted {
            self.counted = Some(now);
        }
        now.since(counted) * 2 >= self.config.every
    }

    /// Has nothing been heard for as long as what made the state holds?
    fn is_silent(&self, now: Timestamp) -> bool {
        let holds = match self.verdict.cause {
            Cause::None | Cause::Pending | Cause::Cpu | Cause::Memory => self.config.reading_ttl,
            Cause::Delta | Cause::Drift | Cause::Absolute => self.config.latency.sample_ttl,
            Cause::QueueDelay => self.config.queue.ttl,
        };
        now.since(self.heard) >= holds
    }

    /// What the signals say now. Changes nothing.
    pub fn raw(&self, now: Timestamp) -> Verdict {
        let fresh = |reading: Option<(Timestamp, f64)>| {
            reading.filter(|(at, _)| now.since(*at) < self.config.reading_ttl).map(|(_, value)| value)
        };
        let resource = |value: Option<f64>, bounds: &[f64; 3], cause: Cause| {
            let measured = value.unwrap_or(0.0);
            let state = Load::above(&measured, bounds);
            Verdict { state, cause, measured, threshold: bounds[(state as usize).saturating_sub(1)] }
        };
        let worst = self
            .standing(now)
            .max(self.config.pending.verdict(self.pending()))
            .max(resource(fresh(self.cpu), &self.config.cpu, Cause::Cpu))
            .max(resource(fresh(self.memory), &self.config.memory, Cause::Memory))
            .max(self.latency.verdict(now));
        if worst.state == Load::Healthy { Verdict { cause: Cause::None, ..worst } } else { worst }
    }

    /// The state of the last evaluation and its cause. Changes nothing.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// The state of the last evaluation. Changes nothing.
    pub fn state(&self) -> Load {
        self.verdict.state
    }

    /// Everything seen. Changes nothing.
    pub fn diagnostics(&self, now: Timestamp) -> Diagnostics {
        Diagnostics {
            verdict: self.verdict,
            raw: self.raw(now),
            quieter: self.quieter,
            pending: self.pending(),
            latency: self.latency.diagnostics(now),
        }
    }
}

#[cfg(test)]
#[path = "detector_test.rs"]
mod tests;
