//! A decision falls at the first vote after which nothing that can still come would change it, and not before.

use proptest::prelude::*;
use quorate_core::kernel::time::Timestamp;
use quorate_core::voting::quorum::{Command, Policy, QuorumState};

use crate::script::{Quorum, ballot, confidence, question};

/// The outcome on which all completions agree, found by trying every one of them: each voter who has not voted
/// either will approve, or will not (a rejection, an unsure vote and silence all fail to approve).
fn agreed(cast: &[bool], outstanding: u32, required: u32) -> Option<QuorumState> {
    let approvals = cast.iter().filter(|approves| **approves).count() as u32;
    let mut approved = (0..1u32 << outstanding).map(|later| approvals + later.count_ones() >= required);
    let first = approved.next()?;
    let outcome = if first { QuorumState::Approved } else { QuorumState::Rejected };
    approved.all(|other| other == first).then_some(outcome)
}

proptest! {
    #[test]
    fn a_decision_falls_exactly_when_all_completions_agree(
        votes in (1..=8usize).prop_flat_map(|n| {
            let ballots: Vec<_> = (0..n).map(|voter| (Just(voter), any::<bool>(), confidence())).collect();
            ballots.prop_shuffle()
        }),
        pick in any::<u32>(),
        floor in confidence(),
    ) {
        let size = votes.len() as u32;
        let required = 1 + pick % size;
        let policy = Policy { min_confidence: floor, ..Policy::default() };
        let mut quorum = Quorum::default();
        let start = question(Some(votes.len()), Some(required), 9, policy);
        quorum.step(Command::Start(Box::new(start)), Timestamp::EPOCH);
        let mut cast = Vec::new();
        prop_assert_eq!(agreed(&cast, size, required), None);
        for (voter, vote, sure) in votes {
            cast.push(vote && sure >= floor);
            quorum.step(ballot(voter, vote, sure), Timestamp::EPOCH);
            let expected = agreed(&cast, size - cast.len() as u32, required);
            prop_assert_eq!(quorum.state().state(), expected.or(Some(QuorumState::Open)));
            if expected.is_some() {
                return Ok(());
            }
        }
        prop_assert!(false, "when everyone has voted, the question is decided");
    }
}
