//! Counters over all quorums: a fold over their events, so that they survive restarts and retention.

use serde::{Deserialize, Serialize};

use super::event::{Counting, Event, QuorumState, Refusal, VoteCast};

/// Counters over all quorums that ever were. Grow only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuorumStats {
    /// Quorums opened.
    pub opened: u64,
    /// Closed by enough approvals.
    pub approved: u64,
    /// Closed because the bar could no longer be reached.
    pub rejected: u64,
    /// Closed by their deadline.
    pub timed_out: u64,
    /// Cancelled.
    pub cancelled: u64,
    /// Votes recorded, changes and outsiders among them.
    pub votes: u64,
    /// Votes that replaced an earlier one.
    pub changed_votes: u64,
    /// Votes of outsiders.
    pub outsider_votes: u64,
    /// New or changed votes after the close.
    pub late_votes: u64,
    /// Refused attempts, late ones among them.
    pub refused_votes: u64,
    /// Quorums whose end was noticed later than it fell, after downtime.
    pub recovery_closures: u64,
    /// Microseconds from opening to decision, added up over approved and rejected quorums.
    pub decision_time_us: u64,
}

impl QuorumStats {
    /// Adds one event.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Opened(_) | Event::OpenedByRule(_) => self.opened += 1,
            Event::VoteCast(cast) => self.cast(cast),
            Event::VoteCastWithReason(with) => self.cast(&with.cast),
            Event::VoteRefused(refused) => self.refuse(refused.refusal),
            Event::VoteRefusedWithReason(with) => self.refuse(with.refused.refusal),
            Event::Closed(closed) => {
                match closed.state {
                    QuorumState::Approved => self.approved += 1,
                    QuorumState::Rejected => self.rejected += 1,
                    QuorumState::TimedOut => self.timed_out += 1,
                    QuorumState::Cancelled => self.cancelled += 1,
                    QuorumState::Open => {}
                }
                // A timer fires one instant after the deadline; anything later was noticed late.
                let on_time = closed.noticed_at.since(closed.closed_at).as_secs() == 0;
                self.recovery_closures += u64::from(!on_time);
                if matches!(closed.state, QuorumState::Approved | QuorumState::Rejected) {
                    let took = closed.closed_at.since(closed.opened_at).as_micros();
                    self.decision_time_us =
                        self.decision_time_us.saturating_add(u64::try_from(took).unwrap_or(u64::MAX));
                }
            }
            Event::FallbackOpened { .. }
            | Event::FallbackFailed { .. }
            | Event::Keyed(_)
            | Event::Extended(_) => {}
        }
    }

    fn cast(&mut self, cast: &VoteCast) {
        self.votes += 1;
        self.changed_votes += u64::from(cast.supersedes);
        self.outsider_votes += u64::from(cast.counting == Counting::Outsider);
    }

    fn refuse(&mut self, refusal: Refusal) {
        self.refused_votes += 1;
        self.late_votes += u64::from(refusal == Refusal::Late);
    }

    /// Quorums closed, however.
    pub fn closed(&self) -> u64 {
        self.approved + self.rejected + self.timed_out + self.cancelled
    }

    /// Quorums still open.
    pub fn active(&self) -> u64 {
        self.opened.saturating_sub(self.closed())
    }

    /// Approved of closed, 0 when none is closed.
    pub fn success_rate(&self) -> f64 {
        if self.closed() == 0 { 0.0 } else { self.approved as f64 / self.closed() as f64 }
    }

    /// Mean milliseconds from opening to decision over approved and rejected quorums, 0 when there are none.
    pub fn avg_time_to_decision_ms(&self) -> f64 {
        let decided = self.approved + self.rejected;
        if decided == 0 { 0.0 } else { self.decision_time_us as f64 / 1000.0 / decided as f64 }
    }
}
