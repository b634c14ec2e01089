//! Counting, and where the count stands against the bar. Deciding what to do about it is `decide`'s business.

use serde::{Deserialize, Serialize};

/// Counted votes. Outsiders never appear here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Standing approvals.
    pub approvals: u32,
    /// Standing rejections.
    pub rejections: u32,
    /// Eligible voters whose vote stands but does not count, because its confidence is below the floor.
    pub unconfident: u32,
}

/// Where a tally stands against its bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Outstanding votes can still decide either way.
    Pending,
    /// Enough approvals are in.
    Won,
    /// All outstanding voters together can no longer reach the bar.
    Lost,
}

/// How a standing vote bears on the tally.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// An approval that counts.
    Approval,
    /// A rejection that counts.
    Rejection,
    /// A vote that stands but does not count.
    Unconfident,
}

impl Tally {
    /// Counted votes.
    pub fn total(self) -> u32 {
        self.approvals + self.rejections
    }

    /// More approvals than rejections; false without votes. Informational, not the outcome.
    pub fn consensus(self) -> bool {
        self.approvals > self.rejections
    }

    /// Adds one standing vote.
    pub fn add(&mut self, standing: Standing) {
        *self.slot(standing) += 1;
    }

    /// Takes one standing vote back, because its voter replaced it.
    pub fn remove(&mut self, standing: Standing) {
        let slot = self.slot(standing);
        *slot = slot.saturating_sub(1);
    }

    fn slot(&mut self, standing: Standing) -> &mut u32 {
        match standing {
            Standing::Approval => &mut self.approvals,
            Standing::Rejection => &mut self.rejections,
            Standing::Unconfident => &mut self.unconfident,
        }
    }

    /// Compares with the bar. `voters` is the size of the electorate, `None` when anyone may vote: then nothing
    /// can be lost early, because nobody knows who is still to come.
    pub fn outcome(self, required: u32, voters: Option<u32>) -> Outcome {
        if self.approvals >= required {
            return Outcome::Won;
        }
        match voters {
            None => Outcome::Pending,
            Some(n) => {
                let spent = u64::from(self.rejections) + u64::from(self.unconfident);
                if u64::from(n).saturating_sub(spent) < u64::from(required) {
                    Outcome::Lost
                } else {
                    Outcome::Pending
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_of_six_is_lost_with_the_third_rejection() {
        let tally = |approvals, rejections| Tally { approvals, rejections, unconfident: 0 };
        assert_eq!(tally(3, 2).outcome(4, Some(6)), Outcome::Pending);
        assert_eq!(tally(3, 3).outcome(4, Some(6)), Outcome::Lost);
        assert_eq!(tally(4, 2).outcome(4, Some(6)), Outcome::Won);
        assert_eq!(tally(0, 900).outcome(4, None), Outcome::Pending);
    }

    #[test]
    fn a_vote_below_the_confidence_floor_is_spent_without_counting() {
        let tally = Tally { approvals: 1, rejections: 1, unconfident: 1 };
        assert_eq!(tally.outcome(2, Some(3)), Outcome::Lost);
        assert_eq!(tally.total(), 2);
    }
}
