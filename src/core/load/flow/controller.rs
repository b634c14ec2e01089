//! Decisions about a fill, and the counters of a stream. No lock anywhere.
//!
//! *Peeking* ([`FlowController::state`], [`FlowController::peek`], [`FlowController::stats`]) changes nothing. *Deciding*
//! ([`FlowController::decide`], [`FlowController::calculate_delay`], [`FlowController::handle_buffer_full`]) counts, and is
//! what a sender does.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use super::config::{FlowConfig, FlowConfigError};
use super::drop::{DropPolicyEntry, FlowAction, Relief};
use super::notice::DropReason;
use super::recommendation::FlowRecommendation;
use super::state::{FlowState, Load, Zones};
use super::stats::{Counters, FlowStats, Health, Returned, rate};
use super::window::Window;
use crate::kernel::time::Timestamp;

/// What a fill means for a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The state.
    pub state: FlowState,
    /// How long to wait before sending (normal, throttled) or before looking again (paused, dropping).
    pub delay: Duration,
}

/// Flow control for one stream, with or without a [buffer](super::FlowBuffer) of ours.
///
/// ```
/// use quorate_core::load::flow::{FlowConfig, FlowController, FlowState};
/// use std::time::Duration;
///
/// let flow = FlowController::new(FlowConfig { max_buffer_size: 100, ..FlowConfig::default() })?;
/// assert_eq!(flow.state(69), FlowState::Normal);
/// assert_eq!(flow.state(70), FlowState::Throttled);
/// assert_eq!(flow.state(90), FlowState::Paused);
/// assert_eq!(flow.calculate_delay(80), Duration::from_millis(250)); // half way from 0 to 500
/// # Ok::<(), quorate_core::load::flow::FlowConfigError>(())
/// ```
#[derive(Debug)]
pub struct FlowController {
    config: FlowConfig,
    policy: &'static DropPolicyEntry,
    messages: Zones,
    bytes: Option<Box<Zones>>,
    /// A dropping policy acted on a full buffer, which has been full since.
    dropping: AtomicBool,
    size: AtomicUsize,
    size_bytes: AtomicUsize,
    pub(super) counters: Counters,
    window: Window,
}

impl FlowController {
    /// A controller for an empty stream.
    ///
    /// # Errors
    /// A configuration that does not fit; see [`FlowConfig::check`].
    pub fn new(config: FlowConfig) -> Result<Self, FlowConfigError> {
        config.check()?;
        Ok(FlowController {
            policy: config.drop_policy.entry(),
            messages: Zones::new(&config, config.max_buffer_size),
            bytes: config.max_buffer_bytes.map(|bytes| Box::new(Zones::new(&config, bytes))),
            dropping: AtomicBool::new(false),
            size: AtomicUsize::new(0),
            size_bytes: AtomicUsize::new(0),
            counters: Counters::default(),
            window: Window::new(&config),
            config,
        })
    }

    /// A controller with another configuration that goes on with the counters of this one. Health starts afresh when its
    /// window is another.
    ///
    /// # Errors
    /// A configuration that does not fit; see [`FlowConfig::check`].
    pub fn reconfigured(&self, config: FlowConfig) -> Result<Self, FlowConfigError> {
        let next = FlowController::new(config)?;
        for (to, from) in next.counters.all().into_iter().zip(self.counters.all()) {
            to.set(from.get());
        }
        let window = |config: &FlowConfig| (config.health_window, config.health_offers);
        if window(&next.config) == window(&self.config) {
            next.window.go_on_from(&self.window);
        }
        next.dropping.store(self.dropping.load(Relaxed), Relaxed);
        next.observe(self.load());
        Ok(next)
    }

    /// The configuration, as checked.
    pub fn config(&self) -> &FlowConfig {
        &self.config
    }

    /// The drop policy's line in the table.
    pub fn policy(&self) -> &'static DropPolicyEntry {
        self.policy
    }

    // ---- peeking ----

    /// The state of a buffer with so much in it. May exceed the capacity.
    #[inline]
    pub fn state(&self, load: impl Into<Load>) -> FlowState {
        let load = load.into();
        let by_fill = match &self.bytes {
            None => self.messages.state(load.messages),
            Some(bytes) => self.messages.state(load.messages).max(bytes.state(load.bytes)),
        };
        if by_fill == FlowState::Paused && self.dropping.load(Relaxed) && self.is_full(load) {
            return FlowState::Dropping;
        }
        by_fill
    }

    /// Is a sender free to go on?
    #[inline]
    pub fn can_send(&self, load: impl Into<Load>) -> bool {
        self.state(load).can_send()
    }

    /// State and delay, without counting. The delay is the minimum when normal, grows towards the maximum when throttled,
    /// and is one `pause_duration` when paused: the time after which to look again, which may well be shorter than the
    /// delay just below. To space messages out, use [`FlowController::pacing_delay`].
    #[inline]
    pub fn peek(&self, load: impl Into<Load>) -> Verdict {
        let load = load.into();
        let state = self.state(load);
        let delay = match state {
            FlowState::Normal => self.config.min_batch_delay,
            FlowState::Throttled if !self.config.adaptive_throttling => self.config.min_batch_delay,
            FlowState::Throttled => Duration::from_millis(self.ramp_ms(load)),
            FlowState::Paused | FlowState::Dropping => self.config.pause_duration,
        };
        Verdict { state, delay }
    }

    /// A delay that never falls as the buffer fills: as [`FlowController::peek`], and at least the maximum when paused.
    pub fn pacing_delay(&self, load: impl Into<Load>) -> Duration {
        let Verdict { state, delay } = self.peek(load);
        if state.can_send() { delay } else { delay.max(self.config.max_batch_delay) }
    }

    /// The fill: messages or bytes, whichever is more. May exceed 1.
    pub fn fill(&self, load: impl Into<Load>) -> f64 {
        let load = load.into();
        let messages = self.messages.fill(load.messages);
        self.bytes.as_ref().map_or(messages, |bytes| messages.max(bytes.fill(load.bytes)))
    }

    /// The latest size this controller was told of.
    pub fn load(&self) -> Load {
        Load { messages: self.size.load(Relaxed), bytes: self.size_bytes.load(Relaxed) }
    }

    /// Healthy: fewer than a tenth of the latest offers were lost.
    pub fn is_healthy(&self, now: Timestamp) -> bool {
        self.health(now).0 == Health::Healthy
    }

    /// What to do about the stream.
    pub fn recommendation(&self, now: Timestamp) -> FlowRecommendation {
        let load = self.load();
        let Verdict { state, delay } = self.peek(load);
        let (health, drop_rate) = self.health(now);
        FlowRecommendation::new(state, self.fill(load), delay, drop_rate, health)
    }

    /// All figures. Consistent when nobody records meanwhile.
    pub fn stats(&self, now: Timestamp) -> FlowStats {
        let load = self.load();
        let (health, drop_rate) = self.health(now);
        FlowStats {
            max_buffer_size: self.messages.capacity,
            fill_percentage: self.fill(load),
            flow_state: self.state(load),
            drop_rate,
            health,
            ..FlowStats::read(&self.counters, load)
        }
    }

    // ---- deciding ----

    /// State and delay, counted as one decision: a throttle event in the throttled zone, a pause event in the paused.
    #[inline]
    pub fn decide(&self, load: impl Into<Load>) -> Verdict {
        let load = load.into();
        self.observe(load);
        let verdict = self.peek(load);
        match verdict.state {
            FlowState::Normal => self.counters.current_delay_ms.set(0),
            FlowState::Throttled => self.count_throttle(verdict.delay),
            FlowState::Paused | FlowState::Dropping => self.count_pause(),
        }
        verdict
    }

    /// The delay of [`FlowController::decide`].
    #[inline]
    pub fn calculate_delay(&self, load: impl Into<Load>) -> Duration {
        self.decide(load).delay
    }

    /// What a caller that keeps the buffer itself does with a message when so much is buffered. Below the capacity that is
    /// [`FlowAction::Continue`]. The caller counts with the `record_` methods.
    pub fn handle_buffer_full(&self, load: impl Into<Load>) -> FlowAction {
        let load = load.into();
        self.observe(load);
        if !self.is_full(load) {
            return FlowAction::Continue;
        }
        match (self.policy.relief)(load) {
            Relief::Wait => self.count_pause(),
            Relief::Evict(_) | Relief::Refuse => self.dropping.store(true, Relaxed),
        }
        (self.policy.action)(self.config.pause_duration)
    }

    /// Takes note of the size after a push or a drain.
    #[inline]
    pub fn observe(&self, load: impl Into<Load>) {
        let load = load.into();
        self.size.store(load.messages, Relaxed);
        if self.bytes.is_some() {
            self.size_bytes.store(load.bytes, Relaxed);
        }
        if self.dropping.load(Relaxed) && !self.is_full(load) {
            self.dropping.store(false, Relaxed);
        }
    }

    /// A message was accepted. What a [buffer](super::FlowBuffer) of ours accepts and hands out it records itself.
    #[inline]
    pub fn record_sent(&self, now: Timestamp) {
        self.counters.sent.add(1);
        self.window.offered(|| now);
    }

    /// The same for a buffer, which is alone in recording; the clock is read only now and then.
    #[inline]
    pub(super) fn buffered(&self, now: impl FnOnce() -> Timestamp) {
        self.counters.sent.add_alone(1);
        self.window.offered_alone(now);
    }

    #[inline]
    pub(super) fn handed_out(&self, count: u64) {
        self.counters.delivered.add_alone(count);
    }

    /// A message was refused by policy, never accepted.
    pub fn record_rejected(&self, now: Timestamp) {
        self.counters.rejected_newest.add(1);
        self.window.offered(|| now);
        self.window.dropped(1);
    }

    /// A message that had been accepted was lost.
    pub fn record_dropped(&self) {
        self.record_lost(DropReason::Shed, 1);
    }

    /// So many messages that had been accepted were lost. Conflated ones are counted and not held against the stream.
    pub fn record_lost(&self, reason: DropReason, count: u64) {
        self.counters.of_reason(reason).add(count);
        if reason != DropReason::Conflated {
            self.window.dropped(count);
        }
    }

    /// So many messages were taken out by the reader.
    #[inline]
    pub fn record_delivered(&self, count: u64) {
        self.counters.delivered.add(count);
    }

    /// A message went back to its sender.
    pub fn record_returned(&self, why: Returned) {
        let counter = match why {
            Returned::Timeout => &self.counters.timed_out,
            Returned::Closed => &self.counters.refused_closed,
            Returned::Full => &self.counters.refused_full,
            Returned::TooLarge => &self.counters.refused_too_large,
            Returned::Cancelled => &self.counters.cancelled,
        };
        counter.add(1);
    }

    /// A sender really waited so long, paused or blocked.
    pub fn record_pause_time(&self, waited: Duration) {
        self.counters.pause_us.add(waited.as_micros() as u64);
    }

    /// A sender really waited so long, throttled.
    pub fn record_throttle_time(&self, waited: Duration) {
        self.counters.throttle_us.add(waited.as_micros() as u64);
    }

    /// Counters and window from zero. The gauges stay, since the buffer does; what is buffered now is carried over.
    pub fn reset_stats(&self) {
        for counter in self.counters.all() {
            counter.set(0);
        }
        self.counters.carried_over.set(self.size.load(Relaxed) as u64);
        self.window.reset();
    }

    // ---- for the buffer ----

    #[inline]
    pub(super) fn is_full(&self, load: Load) -> bool {
        load.messages >= self.messages.capacity
            || self.bytes.as_ref().is_some_and(|bytes| load.bytes >= bytes.capacity)
    }

    /// More than may be, which only a smaller limit leads to.
    pub(super) fn is_overfull(&self, load: Load) -> bool {
        load.messages > self.messages.capacity
            || self.bytes.as_ref().is_some_and(|bytes| load.bytes > bytes.capacity)
    }

    /// Does one more message of this size fit on top of `load`?
    #[inline]
    pub(super) fn fits(&self, load: Load, size: usize) -> bool {
        load.messages < self.messages.capacity
            && self
                .bytes
                .as_ref()
                .is_none_or(|bytes| load.bytes <= bytes.capacity && size <= bytes.capacity - load.bytes)
    }

    /// Low enough for waiting senders to go on?
    pub(super) fn resumes(&self, load: Load) -> bool {
        load.messages < self.messages.resume_below
            && self.bytes.as_ref().is_none_or(|bytes| load.bytes < bytes.resume_below)
    }

    pub(super) fn set_dropping(&self) {
        self.dropping.store(true, Relaxed);
    }

    pub(super) fn count_throttle(&self, delay: Duration) {
        self.counters.throttle_events.add(1);
        self.counters.current_delay_ms.set(delay.as_millis() as u64);
    }

    pub(super) fn count_pause(&self) {
        self.counters.pause_events.add(1);
        self.counters.current_delay_ms.set(0);
    }

    /// The larger of both delays, since the fill is the larger of both.
    fn ramp_ms(&self, load: Load) -> u64 {
        let part = |zones: &Zones, size: usize| match zones.state(size) {
            FlowState::Throttled => zones.ramp.at(size),
            FlowState::Normal | FlowState::Paused | FlowState::Dropping => 0,
        };
        let messages = part(&self.messages, load.messages);
        self.bytes.as_ref().map_or(messages, |bytes| messages.max(part(bytes, load.bytes)))
    }

    fn health(&self, now: Timestamp) -> (Health, f64) {
        let (offered, dropped) = self.window.read(now, self.config.health_window, self.config.health_offers);
        (Health::of(offered, dropped), rate(offered, dropped))
    }
}

#[cfg(test)]
#[path = "controller_test.rs"]
mod tests;
