//! The counts of a stream over all its lives.

use serde::{Deserialize, Serialize};

use crate::load::flow::FlowStats;

/// What happened to the messages of a stream, over all its lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowTotals {
    /// Accepted into the buffer.
    pub sent: u64,
    /// Taken out by the reader.
    pub delivered: u64,
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
    /// Given back after the time to wait.
    pub timed_out: u64,
    /// Given back since the stream was closed.
    pub refused_closed: u64,
    /// Given back for want of room.
    pub refused_full: u64,
    /// Given back since they are larger than the whole buffer.
    pub refused_too_large: u64,
    /// Senders that gave up waiting.
    pub cancelled: u64,
    /// Decisions taken in the throttled zone.
    pub throttle_events: u64,
    /// Decisions to pause or block.
    pub pause_events: u64,
    /// Milliseconds senders spent in delays.
    pub throttle_ms: u64,
    /// Milliseconds senders spent paused or blocked.
    pub pause_ms: u64,
    /// Buffered when a process ended, and lost with it.
    pub lost_in_restart: u64,
}

impl FlowTotals {
    /// The totals of one life.
    pub fn of(stats: &FlowStats) -> Self {
        FlowTotals {
            sent: stats.messages_sent,
            delivered: stats.messages_delivered,
            evicted_oldest: stats.evicted_oldest,
            rejected_newest: stats.rejected_newest,
            cleared: stats.cleared,
            shed: stats.shed,
            expired: stats.expired,
            conflated: stats.conflated,
            timed_out: stats.timed_out,
            refused_closed: stats.refused_closed,
            refused_full: stats.refused_full,
            refused_too_large: stats.refused_too_large,
            cancelled: stats.cancelled,
            throttle_events: stats.throttle_events,
            pause_events: stats.pause_events,
            throttle_ms: stats.total_throttle_time_ms,
            pause_ms: stats.total_pause_time_ms,
            lost_in_restart: 0,
        }
    }

    /// Both together: earlier lives and this one.
    #[must_use]
    pub fn with(&self, other: &FlowTotals) -> FlowTotals {
        let sum = |pick: fn(&FlowTotals) -> u64| pick(self).saturating_add(pick(other));
        FlowTotals {
            sent: sum(|t| t.sent),
            delivered: sum(|t| t.delivered),
            evicted_oldest: sum(|t| t.evicted_oldest),
            rejected_newest: sum(|t| t.rejected_newest),
            cleared: sum(|t| t.cleared),
            shed: sum(|t| t.shed),
            expired: sum(|t| t.expired),
            conflated: sum(|t| t.conflated),
            timed_out: sum(|t| t.timed_out),
            refused_closed: sum(|t| t.refused_closed),
            refused_full: sum(|t| t.refused_full),
            refused_too_large: sum(|t| t.refused_too_large),
            cancelled: sum(|t| t.cancelled),
            throttle_events: sum(|t| t.throttle_events),
            pause_events: sum(|t| t.pause_events),
            throttle_ms: sum(|t| t.throttle_ms),
            pause_ms: sum(|t| t.pause_ms),
            lost_in_restart: sum(|t| t.lost_in_restart),
        }
    }

    /// Accepted and lost again, conflated ones included.
    pub fn evicted(&self) -> u64 {
        [self.evicted_oldest, self.cleared, self.shed, self.expired, self.conflated, self.lost_in_restart]
            .into_iter()
            .fold(0, u64::saturating_add)
    }

    /// Accepted, not delivered and not lost: what is, or was, buffered.
    pub fn unread(&self) -> u64 {
        self.sent.saturating_sub(self.delivered).saturating_sub(self.evicted())
    }

    /// Handed back to the sender, refused ones included.
    pub fn returned(&self) -> u64 {
        [
            self.rejected_newest,
            self.timed_out,
            self.refused_closed,
            self.refused_full,
            self.refused_too_large,
            self.cancelled,
        ]
        .into_iter()
        .fold(0, u64::saturating_add)
    }

    /// Evicted or refused by policy; a conflated message is not dropped, since a newer one says the same.
    pub fn dropped(&self) -> u64 {
        self.evicted().saturating_sub(self.conflated).saturating_add(self.rejected_newest)
    }

    /// Everything offered.
    pub fn offered(&self) -> u64 {
        self.sent.saturating_add(self.returned())
    }

    /// Dropped among accepted and refused by policy, 0 to 1.
    pub fn drop_rate(&self) -> f64 {
        let (offered, dropped) = (self.sent.saturating_add(self.rejected_newest), self.dropped());
        if dropped == 0 { 0.0 } else { (dropped as f64 / offered.max(1) as f64).min(1.0) }
    }
}
