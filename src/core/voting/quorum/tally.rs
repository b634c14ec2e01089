//! The count of a quorum in heads, as it is shown and put on record. Counting by a rule is that of [`crate::voting::rules`].

use serde::{Deserialize, Serialize};

use crate::voting::rules::{Choice, Count};

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

impl Tally {
    /// The heads of a count.
    pub fn of(count: &Count) -> Self {
        let [approvals, rejections, unconfident] = Choice::ALL.map(|choice| count.heads(choice));
        Tally { approvals, rejections, unconfident }
    }

    /// Counted votes.
    pub fn total(self) -> u32 {
        self.approvals + self.rejections
    }

    /// More approvals than rejections; false without votes. Informational, not the outcome.
    pub fn consensus(self) -> bool {
        self.approvals > self.rejections
    }
}
