//! Many voters: what was decided early is what the finished votes say, and stays so.

use proptest::prelude::*;
use quorate_core::voting::rules::{Choice, Count, Outcome, Param, RULES, RuleSpec};

use super::specs::rule_of;
use super::twin::Twin;
use super::{Done, Poll, name, runner};

/// Everybody's choice or silence, in the order in which it becomes known.
fn finished(n: usize) -> impl Strategy<Value = Vec<(usize, Done)>> {
    let lean = prop_oneof![Just([6, 1, 1, 1]), Just([1, 6, 1, 1]), Just([1, 1, 6, 2]), Just([1, 1, 1, 1])];
    lean.prop_flat_map(move |[yes, no, neither, silent]| {
        let done = prop_oneof![
            yes => Just(Some(Choice::For)),
            no => Just(Some(Choice::Against)),
            neither => Just(Some(Choice::Abstain)),
            silent => Just(None),
        ];
        (0..n).map(|voter| (Just(voter), done.clone())).collect::<Vec<_>>().prop_shuffle()
    })
}

#[test]
fn an_early_decision_is_that_of_the_finished_votes_and_never_reversed() {
    for entry in RULES {
        let polls = (7..=60usize).prop_flat_map(move |n| (Just(n), rule_of(entry, n, 2), finished(n)));
        let checked = runner(60).run(&polls, |(n, spec, finished)| {
            let mut poll = Poll::new(&spec, n);
            let mut decided = poll.outcome();
            let mut at_the_end: Vec<Done> = vec![None; n];
            for (voter, done) in finished {
                poll.cast(voter, done);
                at_the_end[voter] = done;
                // The count that followed the votes is the one made from all of them anew.
                let mut anew = Count::new(&poll.formula, Some(n as u32));
                for (voter, done) in poll.cast.iter().enumerate() {
                    match done {
                        Some(Some(choice)) => anew.add(&poll.formula, voter, *choice),
                        Some(None) => anew.silence(&poll.formula, voter),
                        None => {}
                    }
                }
                prop_assert_eq!(&anew, &poll.count);
                let now = poll.outcome();
                prop_assert!(decided == Outcome::Pending || now == decided, "{:?} became {:?}", decided, now);
                decided = now;
            }
            let met = if Twin::of(&spec).met(&at_the_end) { Outcome::Won } else { Outcome::Lost };
            prop_assert_eq!(decided, met);
            Ok(())
        });
        checked.unwrap_or_else(|e| panic!("{}: {e}", entry.name));
    }
}

/// Exactly half of the weight, held by voters whose weights meet in one way only: a subset sum. Nobody finds that way in
/// time, so the question stays open until few enough are outstanding; it is not taken for lost.
#[test]
fn a_way_that_is_too_hard_to_find_is_not_taken_for_none() {
    let n = 40;
    let mut weights: Vec<u64> = (1..=n).map(|i| 100_000_000 + i * i * i * 7_919 + i * 104_729).collect();
    let (one, other) =
        (weights.iter().step_by(2).sum::<u64>(), weights.iter().skip(1).step_by(2).sum::<u64>());
    weights[0] += other - one;
    let weights = weights.iter().enumerate().map(|(i, w)| (name(i), Param::Number(w.to_string())));
    let half = RuleSpec::new("weighted")
        .with("threshold", "1/2")
        .with("agent_weights", Param::Map(weights.collect()));
    let not_more = RuleSpec::new("not").with("rule", half.clone());
    let exactly = RuleSpec::new("all").with("rules", vec![half.with("comparison", "at_least"), not_more]);
    let mut poll = Poll::new(&exactly, n as usize);
    for voter in 0..n as usize {
        assert_eq!(poll.outcome(), Outcome::Pending, "with {voter} votes");
        poll.cast(voter, Some([Choice::For, Choice::Against][voter % 2]));
        if voter + 2 == n as usize {
            break;
        }
    }
    poll.cast(n as usize - 1, Some(Choice::Against));
    assert_eq!(poll.outcome(), Outcome::Won);
}
