//! Every knob of flow control, checked when something is built from it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::drop::DropPolicy;
use super::ratio::Ratio;

/// What a stream carries. What may not be lost refuses policies that lose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Carries {
    /// Readings, progress, anything that may be lost.
    #[default]
    Anything,
    /// Votes.
    Votes,
    /// Fencing tokens.
    Tokens,
    /// States of jobs.
    JobState,
    /// Audit history.
    Audit,
}

impl Carries {
    /// The name, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Carries::Anything => "anything",
            Carries::Votes => "votes",
            Carries::Tokens => "tokens",
            Carries::JobState => "job_state",
            Carries::Audit => "audit",
        }
    }
}

/// The knobs of one flow-controlled stream.
///
/// ```
/// use quorate_core::load::flow::{DropPolicy, FlowConfig, FlowController};
///
/// let config = FlowConfig { max_buffer_size: 100, drop_policy: DropPolicy::Block, ..FlowConfig::default() };
/// let flow = FlowController::new(config.with_thresholds(0.5, 0.8)?)?;
/// assert!(flow.can_send(79) && !flow.can_send(80));
/// # Ok::<(), quorate_core::load::flow::FlowConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FlowConfig {
    /// Messages, 1 to 2^32; default 1000. Too small pauses senders over every hiccup of the reader, too large lets
    /// messages grow old in the buffer.
    pub max_buffer_size: usize,
    /// Bytes, 1 to 2^40, where messages have sizes; default none. The fill is the larger of the two.
    pub max_buffer_bytes: Option<usize>,
    /// From this fill on senders are slowed down; above 0 and at most `pause_threshold`; default 0.7.
    pub backpressure_threshold: Ratio,
    /// From this fill on senders wait; at most 1; default 0.9.
    pub pause_threshold: Ratio,
    /// Below this fill waiting senders go on; above 0 and at most `pause_threshold`; default `backpressure_threshold`. It
    /// says when waiting ends, never which state a fill is. Too close to `pause_threshold` wakes and stops senders
    /// over every message.
    pub resume_threshold: Option<Ratio>,
    /// What happens when there is no room; default `drop_oldest`.
    pub drop_policy: DropPolicy,
    /// What the stream carries; default anything.
    pub carries: Carries,
    /// After so long a paused sender looks again, and goes on if there is room; 1 ms to 24 h; default 50 ms.
    #[serde(rename = "pause_duration_ms", with = "millis")]
    pub pause_duration: Duration,
    /// Whether delays grow with the fill; without it they stay at `min_batch_delay`. Pausing is not affected. Default
    /// true.
    pub adaptive_throttling: bool,
    /// The delay at the lower threshold and below it, in whole milliseconds, at most `max_batch_delay`; default 0.
    #[serde(rename = "min_batch_delay_ms", with = "millis")]
    pub min_batch_delay: Duration,
    /// What the delay grows towards, in whole milliseconds, at most 24 h; default 500 ms.
    #[serde(rename = "max_batch_delay_ms", with = "millis")]
    pub max_batch_delay: Duration,
    /// After so long a blocked sender has its message back; 1 ms to 24 h, or none for no limit; default 5 s. Counts from
    /// when it is blocked, after any pause.
    #[serde(rename = "block_timeout_ms", with = "optional_millis")]
    pub block_timeout: Option<Duration>,
    /// Messages older than this are dropped instead of delivered, and before any other; 1 ms to 24 h; default none.
    #[serde(rename = "max_age_ms", with = "optional_millis")]
    pub max_age: Option<Duration>,
    /// Health looks at the last so long, 1 s to 24 h; default 60 s …
    #[serde(rename = "health_window_ms", with = "millis")]
    pub health_window: Duration,
    /// … or at the last so many offers, 1 to 1,000,000, whichever are more; default 1000.
    pub health_offers: u32,
}

impl Default for FlowConfig {
    fn default() -> Self {
        FlowConfig {
            max_buffer_size: 1_000,
            max_buffer_bytes: None,
            backpressure_threshold: Ratio::percent(70),
            pause_threshold: Ratio::percent(90),
            resume_threshold: None,
            drop_policy: DropPolicy::DropOldest,
            carries: Carries::Anything,
            pause_duration: Duration::from_millis(50),
            adaptive_throttling: true,
            min_batch_delay: Duration::ZERO,
            max_batch_delay: Duration::from_millis(500),
            block_timeout: Some(Duration::from_secs(5)),
            max_age: None,
            health_window: Duration::from_secs(60),
            health_offers: 1_000,
        }
    }
}

/// A knob that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} does not fit. given={given}, expected {expected}")]
pub struct FlowConfigError {
    /// The knob.
    pub field: &'static str,
    /// Its value.
    pub given: String,
    /// Its range.
    pub expected: String,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const MILLISECOND: Duration = Duration::from_millis(1);
pub(super) const MOST_MESSAGES: u64 = 1 << 32;
const MOST_BYTES: u64 = 1 << 40;

impl FlowConfig {
    /// The two thresholds as one writes them.
    ///
    /// # Errors
    /// A number that is no ratio, such as NaN. How they lie to each other is checked by [`FlowConfig::check`].
    pub fn with_thresholds(mut self, backpressure: f64, pause: f64) -> Result<Self, FlowConfigError> {
        let ratio = |field, x: f64| {
            Ratio::try_from(x).map_err(|_| misfit(field, x, "a number above 0, at most 1".to_owned()))
        };
        self.backpressure_threshold = ratio("backpressure_threshold", backpressure)?;
        self.pause_threshold = ratio("pause_threshold", pause)?;
        Ok(self)
    }

    /// Below which fill waiting senders go on.
    pub fn resume_threshold(&self) -> Ratio {
        self.resume_threshold.unwrap_or(self.backpressure_threshold)
    }

    /// Checks every knob. Whatever is built from a configuration checks it first.
    ///
    /// # Errors
    /// The first knob that does not fit, with its value and range; a policy that loses on a stream that may not.
    pub fn check(&self) -> Result<(), FlowConfigError> {
        count("max_buffer_size", self.max_buffer_size, MOST_MESSAGES)?;
        if let Some(bytes) = self.max_buffer_bytes {
            count("max_buffer_bytes", bytes, MOST_BYTES)?;
        }
        let up_to_pause = |field, ratio: Ratio| {
            if ratio.is_zero() || ratio > self.pause_threshold {
                let bound = format!("above 0, at most pause_threshold = {}", self.pause_threshold);
                return Err(misfit(field, ratio, bound));
            }
            Ok(())
        };
        up_to_pause("backpressure_threshold", self.backpressure_threshold)?;
        up_to_pause("resume_threshold", self.resume_threshold())?;
        span("pause_duration", self.pause_duration, MILLISECOND)?;
        span("max_batch_delay", self.max_batch_delay, Duration::ZERO)?;
        whole("min_batch_delay", self.min_batch_delay)?;
        if self.min_batch_delay > self.max_batch_delay {
            let bound = format!("at most max_batch_delay = {:?}", self.max_batch_delay);
            return Err(misfit("min_batch_delay", format_args!("{:?}", self.min_batch_delay), bound));
        }
        if let Some(timeout) = self.block_timeout {
            span("block_timeout", timeout, MILLISECOND)?;
        }
        if let Some(age) = self.max_age {
            span("max_age", age, MILLISECOND)?;
        }
        span("health_window", self.health_window, Duration::from_secs(1))?;
        count("health_offers", self.health_offers as usize, 1_000_000)?;
        self.check_losses()
    }

    /// Do the limits fit what is known about the messages?
    pub(super) fn check_shape(&self, sizes: bool, keys: bool) -> Result<(), FlowConfigError> {
        if let (Some(bytes), false) = (self.max_buffer_bytes, sizes) {
            let bound = "none, since nothing says how large a message is".to_owned();
            return Err(misfit("max_buffer_bytes", bytes, bound));
        }
        if keys && self.carries != Carries::Anything {
            let bound = format!("none, since the stream carries {}", self.carries.name());
            return Err(misfit("key_of", "a function", bound));
        }
        Ok(())
    }

    /// Votes, tokens, job states and audit are not lost for the sake of flow.
    fn check_losses(&self) -> Result<(), FlowConfigError> {
        if self.carries == Carries::Anything {
            return Ok(());
        }
        if self.drop_policy.is_lossy() {
            let bound =
                format!("a policy that loses nothing, since the stream carries {}", self.carries.name());
            return Err(misfit("drop_policy", self.drop_policy.name(), bound));
        }
        if let Some(age) = self.max_age {
            let bound = format!("none, since the stream carries {}", self.carries.name());
            return Err(misfit("max_age", format_args!("{age:?}"), bound));
        }
        Ok(())
    }
}

pub(super) fn misfit(field: &'static str, given: impl ToString, expected: String) -> FlowConfigError {
    FlowConfigError { field, given: given.to_string(), expected }
}

pub(super) fn count(field: &'static str, given: usize, most: u64) -> Result<(), FlowConfigError> {
    if given == 0 || given as u64 > most {
        return Err(misfit(field, given, format!("1 to {most}")));
    }
    Ok(())
}

fn whole(field: &'static str, given: Duration) -> Result<(), FlowConfigError> {
    if !given.subsec_nanos().is_multiple_of(1_000_000) {
        return Err(misfit(field, format_args!("{given:?}"), "whole milliseconds".to_owned()));
    }
    Ok(())
}

pub(super) fn span(field: &'static str, given: Duration, least: Duration) -> Result<(), FlowConfigError> {
    if given < least || given > DAY {
        return Err(misfit(field, format_args!("{given:?}"), format!("{least:?} to {DAY:?}")));
    }
    whole(field, given)
}

/// Durations on the wire: whole milliseconds.
pub(super) mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(d: &Duration, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_u64(crate::kernel::time::millis(*d))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Duration, D::Error> {
        u64::deserialize(d).map(Duration::from_millis)
    }
}

mod optional_millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(d: &Option<Duration>, s: S) -> Result<S::Ok, S::Error> {
        d.map(crate::kernel::time::millis).serialize(s)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(d)?.map(Duration::from_millis))
    }
}
