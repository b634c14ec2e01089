//! What does not depend on the order of the votes.
//!
//! Promised: when every voter votes at most once, in time, the count of an undecided quorum and the final state
//! of any quorum are the same for every order. Not promised: the tally at the close of a decided quorum, and who
//! cast the deciding vote, because votes after the decision are late.

use proptest::prelude::*;
use quorate_core::kernel::time::Timestamp;
use quorate_core::voting::quorum::event::Outsiders;
use quorate_core::voting::quorum::{Command, Policy, QuorumState};

use crate::script::{Quorum, ballot, confidence, fork, question};

/// One vote per voter, in two orders, with the instants at which votes come in.
#[derive(Clone, Debug)]
struct Shuffled {
    size: Option<usize>,
    required: u32,
    floor: f64,
    one: Vec<(usize, bool, f64)>,
    other: Vec<(usize, bool, f64)>,
    instants: Vec<i64>,
}

fn shuffled() -> impl Strategy<Value = Shuffled> {
    let votes = prop::collection::vec((any::<bool>(), confidence()), 10);
    let size = prop_oneof![1 => Just(None), 4 => (1..=8usize).prop_map(Some)];
    (size, any::<u32>(), confidence(), votes, 0..=10usize).prop_flat_map(
        |(size, pick, floor, votes, silent)| {
            let votes: Vec<_> =
                votes.into_iter().enumerate().map(|(n, (vote, sure))| (n, vote, sure)).collect();
            let required = 1 + pick % size.map_or(6, |n| n as u32);
            let one = Just(votes).prop_shuffle().prop_map(move |v| v[silent..].to_vec());
            (one, prop::collection::vec(0..=9i64, 10)).prop_flat_map(move |(one, mut instants)| {
                instants.sort();
                (Just(one.clone()).prop_shuffle(), Just(one), Just(instants)).prop_map(
                    move |(other, one, instants)| Shuffled { size, required, floor, one, other, instants },
                )
            })
        },
    )
}

/// The quorum after these votes, and after its deadline.
fn run(case: &Shuffled, votes: &[(usize, bool, f64)]) -> (Quorum, Option<QuorumState>) {
    let policy = Policy { min_confidence: case.floor, outsiders: Outsiders::Record, ..Policy::default() };
    let mut quorum = Quorum::default();
    let start = question(case.size, Some(case.required), 9, policy);
    quorum.step(Command::Start(Box::new(start)), Timestamp::EPOCH);
    for ((n, vote, sure), at) in votes.iter().zip(&case.instants) {
        quorum.step(ballot(*n, *vote, *sure), Timestamp::from_micros(*at));
    }
    let voted = fork(&quorum);
    quorum.settle(Timestamp::from_micros(10));
    let end = quorum.state().state();
    (voted, end)
}

/// The final state from the set of votes alone.
fn from_the_set(case: &Shuffled) -> QuorumState {
    let eligible = case.one.iter().filter(|(n, ..)| case.size.is_none_or(|size| *n < size));
    let (yes, no): (Vec<_>, Vec<_>) =
        eligible.copied().partition(|&(_, vote, sure)| vote && sure >= case.floor);
    if yes.len() >= case.required as usize {
        QuorumState::Approved
    } else if case.size.is_some_and(|size| no.len() > size - case.required as usize) {
        QuorumState::Rejected
    } else {
        QuorumState::TimedOut
    }
}

proptest! {
    #[test]
    fn where_everybody_votes_once_and_in_time_the_end_depends_only_on_the_votes(case in shuffled()) {
        let ((_, one), (_, other)) = (run(&case, &case.one), run(&case, &case.other));
        prop_assert_eq!(one, other);
        prop_assert_eq!(one, Some(from_the_set(&case)));
    }

    #[test]
    fn the_count_of_an_undecided_quorum_does_not_depend_on_the_order(case in shuffled()) {
        let ((one, _), (other, _)) = (run(&case, &case.one), run(&case, &case.other));
        if one.state().state() == Some(QuorumState::Open) {
            prop_assert_eq!(one.state().tally(), other.state().tally());
            prop_assert_eq!(one.state().outsiders, other.state().outsiders);
        }
    }
}
