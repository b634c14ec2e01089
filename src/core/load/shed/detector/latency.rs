//! Latency against fixed bounds, and against its own past.
//!
//! ```text
//!  average   mean of the newest 10 samples that are not too old
//!  fast      moving average of all samples, α = 0.1        delta = (average − fast) / fast
//!  slow      moving average of all samples, α = 0.02       drift = (fast − slow) / slow
//! ```
//!
//! A tier says nothing before the window holds a least number of samples: one slow request, or one report from
//! somebody, is no overload.
//!
//! Every comparison is a strict `>`. Because `fast` takes each sample in before the comparison, a pure step of latency
//! reaches a delta of about 0.5 and no more; the absolute bounds and the queueing delay are the signals to rely on.
//!
//! A sample is a request that was *served*. What was refused, answered on the spot, or only asked whether we live,
//! says nothing about the work and would pull the average down exactly when it should not.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::kernel::time::Timestamp;
use crate::load::shed::number::{Invalid, finite};
use crate::load::shed::shedder::{Cause, Load, Verdict};

/// Longest latency told apart; a longer one counts as this.
const LONGEST: Duration = Duration::from_secs(3_600);

/// What a latency belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Observed {
    /// A request that was worked on to its end.
    Served,
    /// A refusal.
    Shed,
    /// An answer without work.
    LocalReply,
    /// A control message.
    Probe,
}

/// The knobs of the latency tiers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LatencyConfig {
    /// Samples averaged.
    pub window: usize,
    /// Samples before the delta tier speaks.
    pub warm_up: u64,
    /// Samples in the window for either tier to speak, 1 to the window; default 3. Too small: one slow request makes an
    /// overload; too large: a quiet actor is never found slow.
    pub min_samples: usize,
    /// Weight of a new sample in the fast baseline.
    pub fast: f64,
    /// Weight of a new sample in the slow baseline.
    pub slow: f64,
    /// Busy, stressed, overloaded above these deltas.
    pub delta: [f64; 3],
    /// A delta counts one state worse above this drift.
    pub drift_worse: f64,
    /// Busy above this drift even without a delta.
    pub drift_busy: f64,
    /// Busy, stressed, overloaded above these averages, in milliseconds.
    pub absolute_ms: [f64; 3],
    /// Age from which a sample says nothing any more. Too large: what was shed away is still seen; too small: a quiet
    /// actor is judged by chance.
    pub sample_ttl: Duration,
}

impl Default for LatencyConfig {
    fn default() -> Self {
        LatencyConfig {
            window: 10,
            warm_up: 10,
            min_samples: 3,
            fast: 0.1,
            slow: 0.02,
            delta: [0.2, 0.5, 1.0],
            drift_worse: 0.15,
            drift_busy: 0.30,
            absolute_ms: [200.0, 500.0, 2_000.0],
            sample_ttl: Duration::from_secs(10),
        }
    }
}

/// Three finite numbers from above 0, each larger than the one before.
pub(super) fn ascending(field: &'static str, bounds: &[f64; 3]) -> Result<(), Invalid> {
    let all = bounds.iter().all(|bound| bound.is_finite()) && bounds[0] > 0.0;
    if all && bounds[0] < bounds[1] && bounds[1] < bounds[2] {
        Ok(())
    } else {
        Err(Invalid::new(field, format!("{bounds:?}"), "finite, ascending, above 0"))
    }
}

fn weight(field: &'static str, value: f64) -> Result<(), Invalid> {
    if value > 0.0 && value <= 1.0 { Ok(()) } else { Err(Invalid::new(field, value, "above 0, at most 1")) }
}

impl LatencyConfig {
    /// Checks the numbers.
    ///
    /// # Errors
    /// [`Invalid`] for the first that does not fit.
    pub fn check(&self) -> Result<(), Invalid> {
        if self.window == 0 || self.window > 10_000 {
            return Err(Invalid::new("window", self.window, "1 to 10000"));
        }
        if self.min_samples == 0 || self.min_samples > self.window {
            return Err(Invalid::new("min_samples", self.min_samples, "1 to the window"));
        }
        weight("fast", self.fast)?;
        weight("slow", self.slow)?;
        ascending("delta", &self.delta)?;
        ascending("absolute_ms", &self.absolute_ms)?;
        for (field, drift) in [("drift_worse", self.drift_worse), ("drift_busy", self.drift_busy)] {
            if finite(field, drift)? <= 0.0 {
                return Err(Invalid::new(field, drift, "above 0"));
            }
        }
        if self.sample_ttl.is_zero() {
            return Err(Invalid::new("sample_ttl", "0", "above 0"));
        }
        Ok(())
    }
}

/// What the latency tiers see, for people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LatencyDiagnostics {
    /// The fast baseline, in milliseconds.
    pub baseline_ms: f64,
    /// The slow baseline, in milliseconds.
    pub slow_baseline_ms: f64,
    /// Fast against slow.
    pub drift: f64,
    /// Mean of the live samples, in milliseconds; `None` without any.
    pub average_ms: Option<f64>,
    /// Average against the fast baseline.
    pub delta: f64,
    /// Change per sample over the window, in milliseconds; shown, never judged.
    pub trend_ms: f64,
    /// Samples so far.
    pub samples: u64,
    /// The delta tier does not speak yet.
    pub warming_up: bool,
    /// State by delta and drift.
    pub delta_state: Load,
    /// State by the fixed bounds.
    pub absolute_state: Load,
}

/// The latency tiers. Kept in memory only: after a restart they warm up again.
#[derive(Clone, Debug)]
pub struct Latency {
    config: LatencyConfig,
    newest: VecDeque<(Timestamp, f64)>,
    fast: f64,
    slow: f64,
    samples: u64,
    ignored: u64,
}

impl Latency {
    /// No samples yet.
    ///
    /// # Errors
    /// As [`LatencyConfig::check`].
    pub fn new(config: LatencyConfig) -> Result<Self, Invalid> {
        config.check()?;
        Ok(Latency { config, newest: VecDeque::new(), fast: 0.0, slow: 0.0, samples: 0, ignored: 0 })
    }

    /// Takes one latency; only what was served is a sample.
    pub fn record(&mut self, observed: Observed, latency: Duration, now: Timestamp) {
        match observed {
            Observed::Served => self.sample(latency.min(LONGEST).as_secs_f64() * 1_000.0, now),
            Observed::Shed | Observed::LocalReply | Observed::Probe => self.ignored += 1,
        }
    }

    /// As [`Latency::record`] for a number of milliseconds from outside; a negative one counts as 0.
    ///
    /// # Errors
    /// [`Invalid`] when it is not finite; nothing is taken.
    pub fn record_ms(&mut self, observed: Observed, latency_ms: f64, now: Timestamp) -> Result<(), Invalid> {
        let ms = finite("latency_ms", latency_ms)?.clamp(0.0, LONGEST.as_secs_f64() * 1_000.0);
        match observed {
            Observed::Served => self.sample(ms, now),
            Observed::Shed | Observed::LocalReply | Observed::Probe => self.ignored += 1,
        }
        Ok(())
    }

    fn sample(&mut self, ms: f64, now: Timestamp) {
        if self.samples == 0 {
            (self.fast, self.slow) = (ms, ms);
        } else {
            self.fast += self.config.fast * (ms - self.fast);
            self.slow += self.config.slow * (ms - self.slow);
        }
        self.samples = self.samples.saturating_add(1);
        if self.newest.len() == self.config.window {
            self.newest.pop_front();
        }
        self.newest.push_back((now, ms));
    }

    /// The samples of the window that still say something.
    fn live(&self, now: Timestamp) -> impl Iterator<Item = f64> {
        let ttl = self.config.sample_ttl;
        self.newest.iter().filter(move |(at, _)| now.since(*at) < ttl).map(|(_, ms)| *ms)
    }

    /// Everything seen. Changes nothing.
    pub fn diagnostics(&self, now: Timestamp) -> LatencyDiagnostics {
        let (mut count, mut sum) = (0usize, 0.0);
        for ms in self.live(now) {
            count += 1;
            sum += ms;
        }
        let drift = if self.slow > 0.0 { (self.fast - self.slow) / self.slow } else { 0.0 };
        let warming_up = self.samples < self.config.warm_up || count < self.config.min_samples;
        let mut out = LatencyDiagnostics {
            baseline_ms: self.fast,
            slow_baseline_ms: self.slow,
            drift,
            samples: self.samples,
            warming_up,
            ..LatencyDiagnostics::default()
        };
        if count == 0 {
            return out;
        }
        let average = sum / count as f64;
        out.average_ms = Some(average);
        if count >= self.config.min_samples {
            out.absolute_state = Load::above(&average, &self.config.absolute_ms);
        }
        let (first, last) = (self.live(now).next(), self.live(now).last());
        if let (Some(first), Some(last), true) = (first, last, count > 1) {
            out.trend_ms = (last - first) / (count - 1) as f64;
        }
        if self.fast > 0.0 {
            out.delta = (average - self.fast) / self.fast;
        }
        if !warming_up && self.fast > 0.0 {
            out.delta_state = self.judged(out.delta, drift, average);
        }
        out
    }

    /// The state by delta and drift.
    pub(super) fn judged(&self, delta: f64, drift: f64, average: f64) -> Load {
        let state = Load::above(&delta, &self.config.delta);
        if state > Load::Healthy && drift > self.config.drift_worse {
            state.worse()
        } else if state == Load::Healthy && drift > self.config.drift_busy && average > self.slow {
            Load::Busy
        } else {
            state
        }
    }

    /// The worse of both tiers. Changes nothing.
    pub fn verdict(&self, now: Timestamp) -> Verdict {
        let seen = self.diagnostics(now);
        let bound = |bounds: &[f64; 3], state: Load| bounds[(state as usize).saturating_sub(1)];
        let absolute = Verdict {
            state: seen.absolute_state,
            cause: Cause::Absolute,
            measured: seen.average_ms.unwrap_or(0.0),
            threshold: bound(&self.config.absolute_ms, seen.absolute_state),
        };
        let crept = Load::above(&seen.delta, &self.config.delta) == Load::Healthy;
        let relative = if crept {
            let (measured, threshold) = (seen.drift, self.config.drift_busy);
            Verdict { state: seen.delta_state, cause: Cause::Drift, measured, threshold }
        } else {
            let threshold = bound(&self.config.delta, Load::above(&seen.delta, &self.config.delta));
            Verdict { state: seen.delta_state, cause: Cause::Delta, measured: seen.delta, threshold }
        };
        absolute.max(relative)
    }

    /// Latencies that were no samples.
    pub fn ignored(&self) -> u64 {
        self.ignored
    }
}
