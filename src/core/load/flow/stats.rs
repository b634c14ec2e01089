//! What happened so far: counters without a lock, and the figures read from them.
//!
//! Every message offered ends in one of four ways, and at every instant
//!
//! ```text
//!   offered = delivered + buffered + evicted + returned
//! ```
//!
//! A message is offered when its way is decided: a sender that still waits has not offered yet. After a reset of the
//! counters, what was buffered then is carried over.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::{Deserialize, Serialize};

use super::notice::DropReason;
use super::state::{FlowState, Load};

/// A count that several may add to.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    #[inline]
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }

    /// The same where only one caller at a time adds, as under a lock: without an atomic addition.
    #[inline]
    pub fn add_alone(&self, n: u64) {
        self.0.store(self.0.load(Relaxed) + n, Relaxed);
    }

    #[inline]
    pub fn set(&self, n: u64) {
        self.0.store(n, Relaxed);
    }

    #[inline]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub sent: Counter,
    pub delivered: Counter,
    pub evicted_oldest: Counter,
    pub cleared: Counter,
    pub shed: Counter,
    pub expired: Counter,
    pub conflated: Counter,
    pub rejected_newest: Counter,
    pub timed_out: Counter,
    pub refused_closed: Counter,
    pub refused_full: Counter,
    pub refused_too_large: Counter,
    pub cancelled: Counter,
    pub throttle_events: Counter,
    pub pause_events: Counter,
    pub throttle_us: Counter,
    pub pause_us: Counter,
    pub current_delay_ms: Counter,
    pub carried_over: Counter,
}

impl Counters {
    pub fn all(&self) -> [&Counter; 19] {
        [
            &self.sent,
            &self.delivered,
            &self.evicted_oldest,
            &self.cleared,
            &self.shed,
            &self.expired,
            &self.conflated,
            &self.rejected_newest,
            &self.timed_out,
            &self.refused_closed,
            &self.refused_full,
            &self.refused_too_large,
            &self.cancelled,
            &self.throttle_events,
            &self.pause_events,
            &self.throttle_us,
            &self.pause_us,
            &self.current_delay_ms,
            &self.carried_over,
        ]
    }

    pub fn of_reason(&self, reason: DropReason) -> &Counter {
        match reason {
            DropReason::Oldest => &self.evicted_oldest,
            DropReason::Newest => &self.rejected_newest,
            DropReason::Cleared => &self.cleared,
            DropReason::Shed => &self.shed,
            DropReason::Expired => &self.expired,
            DropReason::Conflated => &self.conflated,
        }
    }
}

/// Why a message went back to its sender without the policy having refused it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returned {
    /// It waited too long.
    Timeout,
    /// The stream is closed.
    Closed,
    /// There was no room, or others waited already, and the sender would not wait.
    Full,
    /// It is larger than the whole buffer.
    TooLarge,
    /// Its sender gave up waiting.
    Cancelled,
}

/// The figures at one instant.
///
/// `messages_dropped` counts what the reader will never see although it was offered: evicted (oldest, cleared, shed,
/// expired) and refused by policy. A conflated message is evicted but not dropped: a newer one says the same.
/// A timeout, a closed stream or a `try_send` that finds no room hand the message back: returned, not dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FlowStats {
    /// Messages buffered.
    pub buffer_size: usize,
    /// Messages that fit.
    pub max_buffer_size: usize,
    /// Bytes buffered, where they are counted.
    pub buffer_bytes: usize,
    /// The fill as a ratio, 0 to 1: 0.5 is half full. The name is the one dashboards know.
    pub fill_percentage: f64,
    /// The state.
    pub flow_state: FlowState,
    /// Accepted into the buffer.
    pub messages_sent: u64,
    /// Taken out by the reader.
    pub messages_delivered: u64,
    /// Evicted or refused by policy: the sum of the five reasons below.
    pub messages_dropped: u64,
    /// Refused by policy, never accepted.
    pub messages_rejected: u64,
    /// Accepted and lost again, conflated ones included.
    pub messages_evicted: u64,
    /// Handed back to the sender, refused ones included.
    pub messages_returned: u64,
    /// Buffered when the counters were last reset.
    pub carried_over: u64,
    /// Everything offered: sent + returned.
    pub messages_offered: u64,
    /// Dropped as the oldest.
    pub evicted_oldest: u64,
    /// Refused as the newest.
    pub rejected_newest: u64,
    /// Dropped with everything.
    pub cleared: u64,
    /// Dropped by their owner.
    pub shed: u64,
    /// Dropped for their age.
    pub expired: u64,
    /// Replaced by a newer one with the same key.
    pub conflated: u64,
    /// Given back after the block timeout or the sender's own limit.
    pub timed_out: u64,
    /// Given back since the stream was closed.
    pub refused_closed: u64,
    /// Given back by `try_send`, which never waits.
    pub refused_full: u64,
    /// Given back since they are larger than the whole buffer.
    pub refused_too_large: u64,
    /// Senders that gave up waiting.
    pub cancelled: u64,
    /// Time senders spent paused or blocked, ended waits only.
    pub total_pause_time_ms: u64,
    /// Time senders spent in delays.
    pub total_throttle_time_ms: u64,
    /// The delay of the latest decision; 0 when it was not a throttled one.
    pub current_throttle_delay_ms: u64,
    /// Decisions taken in the throttled zone, those with delay 0 included.
    pub throttle_events: u64,
    /// Decisions to pause or block; one wait is one, however long.
    pub pause_events: u64,
    /// Lost among offered, over the sliding window, 0 to 1.
    pub drop_rate: f64,
    /// The same over all time.
    pub lifetime_drop_rate: f64,
    /// What the drop rate of the window means.
    pub health: Health,
}

/// What a drop rate means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Less than 10 % lost.
    #[default]
    Healthy,
    /// 10 % to 30 % lost, both inclusive.
    Warning,
    /// More than 30 % lost.
    Unhealthy,
}

impl Health {
    /// Of so many offers so many were lost. With nothing offered anything lost is everything.
    pub fn of(offered: u64, dropped: u64) -> Self {
        let (offered, dropped) = (u128::from(offered), u128::from(dropped));
        if dropped == 0 || dropped * 10 < offered {
            Health::Healthy
        } else if dropped * 10 <= offered * 3 {
            Health::Warning
        } else {
            Health::Unhealthy
        }
    }
}

/// Lost among offered, 0 to 1.
pub(super) fn rate(offered: u64, dropped: u64) -> f64 {
    if dropped == 0 { 0.0 } else { (dropped as f64 / offered.max(1) as f64).min(1.0) }
}

impl FlowStats {
    pub(super) fn read(counters: &Counters, load: Load) -> Self {
        let evicted_oldest = counters.evicted_oldest.get();
        let rejected_newest = counters.rejected_newest.get();
        let cleared = counters.cleared.get();
        let shed = counters.shed.get();
        let expired = counters.expired.get();
        let conflated = counters.conflated.get();
        let timed_out = counters.timed_out.get();
        let refused_closed = counters.refused_closed.get();
        let refused_full = counters.refused_full.get();
        let refused_too_large = counters.refused_too_large.get();
        let cancelled = counters.cancelled.get();
        let lost = evicted_oldest + cleared + shed + expired;
        let sent = counters.sent.get();
        let returned =
            rejected_newest + timed_out + refused_closed + refused_full + refused_too_large + cancelled;
        FlowStats {
            buffer_size: load.messages,
            buffer_bytes: load.bytes,
            messages_sent: sent,
            carried_over: counters.carried_over.get(),
            messages_delivered: counters.delivered.get(),
            messages_dropped: lost + rejected_newest,
            messages_rejected: rejected_newest,
            messages_evicted: lost + conflated,
            messages_returned: returned,
            messages_offered: sent + returned,
            evicted_oldest,
            rejected_newest,
            cleared,
            shed,
            expired,
            conflated,
            timed_out,
            refused_closed,
            refused_full,
            refused_too_large,
            cancelled,
            total_pause_time_ms: counters.pause_us.get() / 1_000,
            total_throttle_time_ms: counters.throttle_us.get() / 1_000,
            current_throttle_delay_ms: counters.current_delay_ms.get(),
            throttle_events: counters.throttle_events.get(),
            pause_events: counters.pause_events.get(),
            lifetime_drop_rate: rate(sent + rejected_newest, lost + rejected_newest),
            ..FlowStats::default()
        }
    }

    /// Is every message accounted for?
    pub fn is_balanced(&self) -> bool {
        let ends = self.messages_delivered
            + self.buffer_size as u64
            + self.messages_evicted
            + self.messages_returned;
        self.carried_over + self.messages_offered == ends
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_of_a_hundred_is_a_warning_and_thirty_one_unhealthy() {
        assert_eq!(Health::of(100, 9), Health::Healthy);
        assert_eq!(Health::of(100, 10), Health::Warning);
        assert_eq!(Health::of(100, 30), Health::Warning);
        assert_eq!(Health::of(100, 31), Health::Unhealthy);
        assert_eq!(Health::of(1_000_000, 101), Health::Healthy);
        assert_eq!(Health::of(50, 50), Health::Unhealthy);
    }

    #[test]
    fn who_dropped_everything_is_not_healthy() {
        assert_eq!(Health::of(0, 0), Health::Healthy);
        assert_eq!(Health::of(0, 1), Health::Unhealthy);
        assert_eq!(rate(0, 0), 0.0);
        assert_eq!(rate(0, 5), 1.0);
        assert_eq!(rate(3, 9), 1.0);
    }
}
