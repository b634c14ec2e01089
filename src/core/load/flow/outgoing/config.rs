//! Every knob of outgoing queues, and which state a fill of one is.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::load::flow::Ratio;
use crate::load::flow::config::{FlowConfigError, MOST_MESSAGES, count, millis, misfit, span};

/// The knobs of outgoing queues, the same for every destination.
///
/// ```
/// use quorate_core::load::flow::{Outgoing, OutgoingConfig};
///
/// let config = OutgoingConfig { max_primary: 0, ..OutgoingConfig::default() };
/// let refused = Outgoing::<u8, u8>::new(config, |_| false).unwrap_err();
/// assert_eq!(refused.to_string(), "max_primary does not fit. given=0, expected 1 to 4294967296");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OutgoingConfig {
    /// Messages of the primary queue of a destination, 1 to 2^32; default 500. Too small loses over every hiccup of a
    /// destination, too large lets messages grow old before anybody notices.
    pub max_primary: usize,
    /// Messages of its overflow ring, 1 to 2^32; default 100. The oldest in it that is not critical gives way.
    pub max_overflow: usize,
    /// Destinations at a time, 1 to 1,000,000; default 1000. Too small forgets destinations that are still in use.
    pub max_destinations: usize,
    /// From this fill of the primary queue on it is throttled; above 0, at most `batching_threshold`; default 0.7.
    pub throttled_threshold: Ratio,
    /// From this fill on it is batching; at most `overflow_threshold`; default 0.85.
    pub batching_threshold: Ratio,
    /// From this fill on it overflows; at most 1; default 0.95.
    pub overflow_threshold: Ratio,
    /// What is suggested to senders while it is throttled, in whole milliseconds; default 50 ms. None of the four is
    /// less than the one before, and none above 24 h.
    #[serde(rename = "throttled_delay_ms", with = "millis")]
    pub throttled_delay: Duration,
    /// While it is batching; default 200 ms.
    #[serde(rename = "batching_delay_ms", with = "millis")]
    pub batching_delay: Duration,
    /// While it overflows; default 350 ms.
    #[serde(rename = "overflow_delay_ms", with = "millis")]
    pub overflow_delay: Duration,
    /// While it is saturated; default 500 ms.
    #[serde(rename = "saturated_delay_ms", with = "millis")]
    pub saturated_delay: Duration,
}

impl Default for OutgoingConfig {
    fn default() -> Self {
        OutgoingConfig {
            max_primary: 500,
            max_overflow: 100,
            max_destinations: 1_000,
            throttled_threshold: Ratio::percent(70),
            batching_threshold: Ratio::percent(85),
            overflow_threshold: Ratio::percent(95),
            throttled_delay: Duration::from_millis(50),
            batching_delay: Duration::from_millis(200),
            overflow_delay: Duration::from_millis(350),
            saturated_delay: Duration::from_millis(500),
        }
    }
}

impl OutgoingConfig {
    /// Checks every knob. Whatever is built from a configuration checks it first.
    ///
    /// # Errors
    /// The first knob that does not fit, with its value and range.
    pub fn check(&self) -> Result<(), FlowConfigError> {
        count("max_primary", self.max_primary, MOST_MESSAGES)?;
        count("max_overflow", self.max_overflow, MOST_MESSAGES)?;
        count("max_destinations", self.max_destinations, 1_000_000)?;
        let thresholds = [
            ("throttled_threshold", self.throttled_threshold),
            ("batching_threshold", self.batching_threshold),
            ("overflow_threshold", self.overflow_threshold),
        ];
        let (name, least) = thresholds[0];
        if least.is_zero() {
            return Err(misfit(name, least, "above 0".to_owned()));
        }
        for pair in thresholds.windows(2) {
            let ((name, ratio), (above, most)) = (pair[0], pair[1]);
            if ratio > most {
                return Err(misfit(name, ratio, format!("at most {above} = {most}")));
            }
        }
        let delays = [
            ("throttled_delay", self.throttled_delay),
            ("batching_delay", self.batching_delay),
            ("overflow_delay", self.overflow_delay),
            ("saturated_delay", self.saturated_delay),
        ];
        let mut least = Duration::ZERO;
        for (name, delay) in delays {
            span(name, delay, least)?;
            least = delay;
        }
        Ok(())
    }

    /// What is suggested to senders in this state.
    pub fn delay(&self, state: OutgoingState) -> Duration {
        match state {
            OutgoingState::Healthy => Duration::ZERO,
            OutgoingState::Throttled => self.throttled_delay,
            OutgoingState::Batching => self.batching_delay,
            OutgoingState::Overflow => self.overflow_delay,
            OutgoingState::Saturated => self.saturated_delay,
        }
    }
}

/// How hard the queue to a destination presses back; later ones press harder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutgoingState {
    /// There is room.
    #[default]
    Healthy,
    /// Senders do well to slow down.
    Throttled,
    /// Senders do well to send several things as one.
    Batching,
    /// The primary queue is full, or about to be.
    Overflow,
    /// The overflow ring is full, too: what comes now has to find something that gives way.
    Saturated,
}

impl OutgoingState {
    /// The name, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            OutgoingState::Healthy => "healthy",
            OutgoingState::Throttled => "throttled",
            OutgoingState::Batching => "batching",
            OutgoingState::Overflow => "overflow",
            OutgoingState::Saturated => "saturated",
        }
    }
}

/// The first count of every state: the threshold times the capacity, rounded up, so that 70 of 100 are exactly 0.7.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub primary: usize,
    pub overflow: usize,
    throttled_from: usize,
    batching_from: usize,
    overflow_from: usize,
}

impl Limits {
    pub fn new(config: &OutgoingConfig) -> Self {
        let first = |ratio: Ratio| ratio.first_of(config.max_primary as u64) as usize;
        Limits {
            primary: config.max_primary,
            overflow: config.max_overflow,
            throttled_from: first(config.throttled_threshold),
            batching_from: first(config.batching_threshold),
            overflow_from: first(config.overflow_threshold),
        }
    }

    /// The state of so many in the primary queue and so many in the overflow ring. The ring holds something only while
    /// the primary queue is full, so a full primary queue is never less than overflowing.
    pub fn state(&self, primary: usize, overflow: usize) -> OutgoingState {
        if overflow >= self.overflow {
            OutgoingState::Saturated
        } else if primary >= self.overflow_from {
            OutgoingState::Overflow
        } else if primary >= self.batching_from {
            OutgoingState::Batching
        } else if primary >= self.throttled_from {
            OutgoingState::Throttled
        } else {
            OutgoingState::Healthy
        }
    }
}
