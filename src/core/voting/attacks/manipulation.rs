//! Breaches of the protocol around a vote. They are facts and no statistics: each is of full severity.

use crate::kernel::ids::VoterId;
use crate::kernel::time::Timestamp;

/// What was recorded of one attempt to vote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Who.
    pub voter: VoterId,
    /// When, by the coordinator's clock.
    pub at: Timestamp,
    /// The weight that the vote claims for itself, in millionths.
    pub claimed: Option<u64>,
    /// The weight that was assigned.
    pub assigned: u64,
    /// The voter was excluded before.
    pub excluded: bool,
    /// The voter has another ballot standing there, and the policy does not let it change.
    pub revises: bool,
}

/// A breach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Breach {
    /// It claimed another weight than it was assigned.
    WeightClaimed,
    /// It voted although excluded.
    AfterExclusion,
    /// It revised against the policy.
    RevisedAgainstPolicy,
}

/// Every breach of these attempts, in their order.
pub fn find(attempts: &[Attempt]) -> Vec<(VoterId, Timestamp, Breach)> {
    let mut found = Vec::new();
    for attempt in attempts {
        let breaches = [
            (attempt.claimed.is_some_and(|claimed| claimed != attempt.assigned), Breach::WeightClaimed),
            (attempt.excluded, Breach::AfterExclusion),
            (attempt.revises, Breach::RevisedAgainstPolicy),
        ];
        let breaches = breaches.into_iter().filter(|(is_so, _)| *is_so);
        found.extend(breaches.map(|(_, breach)| (attempt.voter.clone(), attempt.at, breach)));
    }
    found
}
