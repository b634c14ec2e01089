//! Counters over all proposals: a fold over their events, so that they survive restarts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::event::{Decision, Event, Refusal};

/// Counters of one algorithm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tallied {
    /// Approved.
    pub approved: u64,
    /// Rejected.
    pub rejected: u64,
    /// Ended by their deadline.
    pub timeouts: u64,
}

impl Tallied {
    fn add(&mut self, decision: Decision) {
        match decision {
            Decision::Approved => self.approved += 1,
            Decision::Rejected => self.rejected += 1,
            Decision::Timeout => self.timeouts += 1,
            // Counted apart.
            Decision::Aborted | Decision::Cancelled => {}
        }
    }

    /// All that ended.
    pub fn total(self) -> u64 {
        self.approved + self.rejected + self.timeouts
    }

    /// Approved of all that ended, 0 when none has.
    pub fn approval_rate(self) -> f64 {
        if self.total() == 0 { 0.0 } else { self.approved as f64 / self.total() as f64 }
    }
}

/// Counters over all proposals that ever were. Grow only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProposalStats {
    /// Proposals opened.
    pub opened: u64,
    /// Those that ended by their votes or deadline.
    pub ended: Tallied,
    /// Those that could not be put to the agents.
    pub aborted: u64,
    /// Those that somebody withdrew.
    pub cancelled: u64,
    /// Microseconds from opening to end, added up over those that ended.
    pub duration_us: u64,
    /// Votes recorded, changes among them.
    pub votes: u64,
    /// Refused attempts.
    pub refused_votes: u64,
    /// Of these, after the close.
    pub late_votes: u64,
    /// By registered name of the algorithm.
    pub by_algorithm: BTreeMap<String, Tallied>,
}

impl ProposalStats {
    /// Adds one event.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Opened(_) => self.opened += 1,
            Event::VoteCast(_) | Event::VoteCastWithReason(_) | Event::VoteCastWithValue(_) => {
                self.votes += 1
            }
            Event::VoteRefused(refused) => self.refuse(refused.refusal),
            Event::VoteRefusedWithReason(reasoned) => self.refuse(reasoned.refused.refusal),
            Event::VoteRefusedWithValue(valued) => self.refuse(valued.refused.refusal),
            Event::Closed(closed) if closed.decision == Decision::Cancelled => self.cancelled += 1,
            Event::Closed(closed) if closed.is_counted() => {
                self.ended.add(closed.decision);
                self.by_algorithm.entry(closed.algorithm.clone()).or_default().add(closed.decision);
                let took = closed.closed_at.since(closed.opened_at).as_micros();
                self.duration_us = self.duration_us.saturating_add(u64::try_from(took).unwrap_or(u64::MAX));
            }
            Event::Closed(_) => self.aborted += 1,
            Event::Broadcast(_)
            | Event::AbsenceChanged { .. }
            | Event::Handed { .. }
            | Event::Keyed(_)
            | Event::Mandated(_)
            | Event::Spent(_)
            | Event::Redeemed(_)
            | Event::Extended(_)
            | Event::AnswerAsked(_)
            | Event::Delegated(_)
            | Event::RemindersAsked { .. }
            | Event::Reminded(_)
            | Event::Told(_) => {}
        }
    }

    fn refuse(&mut self, refusal: Refusal) {
        self.refused_votes += 1;
        self.late_votes += u64::from(refusal == Refusal::Late);
    }

    /// Proposals still open.
    pub fn active(&self) -> u64 {
        self.opened.saturating_sub(self.ended.total() + self.aborted + self.cancelled)
    }

    /// Mean milliseconds from opening to end, timeouts among them; 0 when none has ended.
    pub fn avg_duration_ms(&self) -> f64 {
        match self.ended.total() {
            0 => 0.0,
            ended => self.duration_us as f64 / 1000.0 / ended as f64,
        }
    }
}
