//! Few voters, all completions.

use std::collections::BTreeSet;

use proptest::prelude::*;
use quorate_core::voting::rules::{Choice, Count, Law, Node, Outcome, Param, RULES, RuleSpec, build};

use super::specs::{any_rule, nests, rule_of};
use super::twin::Twin;
use super::{Done, Poll, prepared, runner};

const EVERY: [Done; 4] = [None, Some(Choice::For), Some(Choice::Against), Some(Choice::Abstain)];

/// The finished votes of `n` voters, all 4^n of them.
fn completions(n: usize) -> impl Iterator<Item = Vec<Done>> {
    (0..4usize.pow(n as u32)).map(move |code| (0..n).map(|i| EVERY[code >> (2 * i) & 3]).collect())
}

/// On which outcome all completions of what is cast agree.
fn agreed(met: &[(Vec<Done>, bool)], cast: &[Option<Done>]) -> Outcome {
    let fits =
        |votes: &[Done]| cast.iter().zip(votes).all(|(cast, done)| cast.is_none_or(|cast| cast == *done));
    let (mut wins, mut loses) = (false, false);
    for (_, met) in met.iter().filter(|(votes, _)| fits(votes)) {
        wins |= met;
        loses |= !met;
    }
    match (wins, loses) {
        (true, false) => Outcome::Won,
        (false, true) => Outcome::Lost,
        (true, true) => Outcome::Pending,
        (false, false) => unreachable!("there is always a completion"),
    }
}

/// Votes as they come: new ones, changed ones, and voters who are known to stay silent.
fn arrivals(n: usize) -> impl Strategy<Value = Vec<(usize, Done)>> {
    let choice = prop::sample::select(EVERY.to_vec());
    prop::collection::vec((0..n, choice), 0..=2 * n)
}

/// A few voters, one rule of an entry for them, and their votes.
fn polls(
    entry: &'static quorate_core::voting::rules::RuleEntry,
) -> impl Strategy<Value = (usize, RuleSpec, Vec<(usize, Done)>)> {
    // Few voters more often: all their completions are quickly tried, and most mistakes show there.
    let sizes = prop_oneof![4 => 1..=4usize, 2 => Just(5usize), 1 => Just(6usize)];
    sizes.prop_flat_map(move |n| (Just(n), rule_of(entry, n, 3), arrivals(n)))
}

#[test]
fn every_rule_decides_at_the_first_vote_after_which_all_completions_agree() {
    for entry in RULES {
        let checked = runner(400).run(&polls(entry), |(n, spec, arrivals)| {
            let twin = Twin::of(&spec);
            let met: Vec<_> =
                completions(n).map(|votes| (twin.met(&votes), votes)).map(|(m, v)| (v, m)).collect();
            let mut poll = Poll::new(&spec, n);
            prop_assert_eq!(poll.outcome(), agreed(&met, &poll.cast), "before any vote");
            for (step, (voter, done)) in arrivals.into_iter().enumerate() {
                poll.cast(voter, done);
                prop_assert_eq!(
                    poll.outcome(),
                    agreed(&met, &poll.cast),
                    "after step {} {:?}",
                    step,
                    &poll.cast
                );
            }
            Ok(())
        });
        checked.unwrap_or_else(|e| panic!("{}: {e}", entry.name));
    }
}

/// Walks every state of a poll: each voter outstanding or with a choice.
fn exact_in_every_state(spec: &RuleSpec, n: usize) {
    let twin = Twin::of(spec);
    let met: Vec<_> = completions(n).map(|votes| (votes.clone(), twin.met(&votes))).collect();
    for (state, _) in &met {
        let mut poll = Poll::new(spec, n);
        for (voter, done) in state.iter().enumerate().filter(|(_, done)| done.is_some()) {
            poll.cast(voter, *done);
        }
        assert_eq!(poll.outcome(), agreed(&met, &poll.cast), "{spec}: {state:?}");
    }
}

#[test]
fn every_sample_of_the_table_decides_exactly_too() {
    RULES.iter().for_each(|entry| exact_in_every_state(&(entry.sample)(), 5));
}

#[test]
fn rules_whose_parts_pull_apart_decide_exactly_too() {
    let not = |rule: &str| RuleSpec::new("not").with("rule", rule);
    let all = |rules: Vec<RuleSpec>| RuleSpec::new("all").with("rules", rules);
    let any = |rules: Vec<RuleSpec>| RuleSpec::new("any").with("rules", rules);
    // One for, and the others so silent that not even half take part.
    exact_in_every_state(&all(vec![RuleSpec::from_text("required:1"), not("threshold:0.1")]), 4);
    // Exactly two for; at most one or at least three.
    exact_in_every_state(&all(vec![RuleSpec::from_text("required:2"), not("required:3")]), 5);
    exact_in_every_state(&any(vec![not("required:2"), RuleSpec::from_text("required:3")]), 5);
    // Certain from the start, although neither part is.
    exact_in_every_state(&any(vec![not("supermajority"), RuleSpec::from_text("supermajority:1/2")]), 5);
    // A tie by weight: neither more than half nor less.
    let weights = [("v00", "3"), ("v01", "2"), ("v02", "2"), ("v04", "0.5")];
    let half = RuleSpec::new("weighted").with("agent_weights", weights).with("threshold", "1/2");
    let no_more = RuleSpec::new("not").with("rule", half.clone());
    exact_in_every_state(&all(vec![half.with("comparison", "at_least"), no_more]), 5);
}

#[test]
fn a_rule_in_which_nobody_weighs_anything_says_so_and_is_never_met_by_weight() {
    for entry in RULES {
        let polls = (1..=4usize).prop_flat_map(move |n| (Just(n), rule_of(entry, n, 2)));
        let checked = runner(200).run(&polls, |(n, spec)| {
            prop_assert_eq!(prepared(&spec, n).zero_weight, Twin::of(&spec).weighs_nobody(n));
            Ok(())
        });
        checked.unwrap_or_else(|e| panic!("{}: {e}", entry.name));
    }
}

/// Holds a rule's parts to what holds them: only `not` turns a rule around.
fn keeps_to_more_for_never_hurts(spec: &RuleSpec) -> bool {
    let law = RULES.iter().find(|entry| entry.name == spec.rule).expect("an entry").law;
    match law {
        Law::MoreForNeverHurts => true,
        Law::AsItsParts => {
            let mut parts = Vec::new();
            match (spec.params.get("rule"), spec.params.get("rules")) {
                (Some(rule), _) => parts.push(rule.clone()),
                (None, Some(Param::List(rules))) => parts.extend(rules.iter().cloned()),
                (None, _) => {}
            }
            let parts = parts.iter().map(|part| RuleSpec::from_param(part).expect("a rule"));
            spec.rule != "not" && parts.into_iter().all(|part| keeps_to_more_for_never_hurts(&part))
        }
    }
}

#[test]
fn law_another_vote_for_never_hurts() {
    for entry in RULES.iter().filter(|entry| entry.law == Law::MoreForNeverHurts) {
        assert!(!nests(entry), "{}: a rule with rules inside is as they are", entry.name);
    }
    for entry in RULES {
        let mut tried = 0u32;
        let polls = (1..=7usize).prop_flat_map(move |n| {
            let state =
                prop::collection::vec(prop::option::weighted(0.7, prop::sample::select(EVERY.to_vec())), n);
            (Just(n), rule_of(entry, n, 2), state, 0..n)
        });
        let rank = |outcome| match outcome {
            Outcome::Lost => 0,
            Outcome::Pending => 1,
            Outcome::Won => 2,
        };
        let tried_ref = std::cell::Cell::new(0u32);
        let checked = runner(600).run(&polls, |(n, spec, state, voter)| {
            if !keeps_to_more_for_never_hurts(&spec) || state[voter].is_none() {
                return Ok(());
            }
            tried_ref.set(tried_ref.get() + 1);
            let outcome = |state: &[Option<Done>]| {
                let mut poll = Poll::new(&spec, n);
                state
                    .iter()
                    .enumerate()
                    .filter_map(|(i, done)| done.map(|done| (i, done)))
                    .for_each(|(i, done)| poll.cast(i, done));
                poll.outcome()
            };
            let mut friendlier = state.clone();
            friendlier[voter] = Some(Some(Choice::For));
            let (before, after) = (outcome(&state), outcome(&friendlier));
            prop_assert!(rank(after) >= rank(before), "{before:?} became {after:?} by {voter} in {state:?}");
            Ok(())
        });
        checked.unwrap_or_else(|e| panic!("{}: {e}", entry.name));
        tried += tried_ref.get();
        assert!(tried > 50 || entry.name == "not", "{}: the law was hardly tried, {tried} times", entry.name);
    }
}

#[test]
fn the_fewest_votes_for_are_those_found_by_trying_every_set_of_voters() {
    let entries = RULES.iter().filter(|entry| entry.law == Law::MoreForNeverHurts);
    for entry in entries {
        let polls = (1..=7usize).prop_flat_map(move |n| (Just(n), rule_of(entry, n, 0)));
        let checked = runner(300).run(&polls, |(n, spec)| {
            let twin = Twin::of(&spec);
            let sets = 0..1u32 << n;
            let wins = sets.filter(|set| {
                let votes: Vec<Done> = (0..n).map(|i| (set >> i & 1 == 1).then_some(Choice::For)).collect();
                twin.met(&votes)
            });
            let fewest = wins.map(u32::count_ones).min();
            let formula = prepared(&spec, n).formula;
            prop_assert!(formula.columns.len() <= 1, "one table of weights");
            prop_assert_eq!(formula.fewest_for(Some(n as u32)), fewest);
            Ok(())
        });
        checked.unwrap_or_else(|e| panic!("{}: {e}", entry.name));
    }
}

proptest! {
    #[test]
    fn a_vote_taken_back_leaves_the_count_as_it_was(
        (n, spec, arrivals, (voter, choice)) in (1..=6usize).prop_flat_map(|n| {
            let vote = (0..n, prop::sample::select(Choice::ALL.to_vec()));
            (Just(n), any_rule(n, 2), arrivals(n), vote)
        }),
    ) {
        let mut poll = Poll::new(&spec, n);
        arrivals.into_iter().for_each(|(voter, done)| poll.cast(voter, done));
        prop_assume!(poll.cast[voter].is_none());
        let before = poll.count.clone();
        poll.count.add(&poll.formula, voter, choice);
        prop_assert_eq!(poll.count.heads(choice), before.heads(choice) + 1);
        poll.count.remove(&poll.formula, voter, choice);
        prop_assert_eq!(&poll.count, &before);
    }

    /// A rule and its opposite cannot both be won, and one is won when the other is lost.
    #[test]
    fn not_turns_every_outcome_around(
        (n, spec, arrivals) in (1..=5usize).prop_flat_map(|n| (Just(n), any_rule(n, 2), arrivals(n))),
    ) {
        let opposite = RuleSpec::new("not").with("rule", spec.clone());
        let (mut poll, mut other) = (Poll::new(&spec, n), Poll::new(&opposite, n));
        for (voter, done) in arrivals {
            poll.cast(voter, done);
            other.cast(voter, done);
            let turned = match poll.outcome() {
                Outcome::Won => Outcome::Lost,
                Outcome::Lost => Outcome::Won,
                Outcome::Pending => Outcome::Pending,
            };
            prop_assert_eq!(other.outcome(), turned);
        }
    }

    /// Where anyone may vote, nobody knows how many will. So a decision may only fall when it holds however many more
    /// come; and while no rule is asked twice in one, it falls then.
    #[test]
    fn among_anyone_a_decision_holds_whoever_comes_next(
        spec in open_rule(2),
        votes in prop::collection::vec(prop::sample::select(Choice::ALL.to_vec()), 0..12),
    ) {
        let rule = build(&spec).unwrap();
        let root = rule.node_for_anyone().expect("a rule for anyone");
        let formula = quorate_core::voting::rules::Formula { columns: Vec::new(), root };
        let twin = Twin::of(&spec);
        let mut count = Count::new(&formula, None);
        let mut cast: Vec<Done> = Vec::new();
        for step in 0..=votes.len() {
            // No count in these rules is above 8: more than so many votes for change nothing.
            let ends: BTreeSet<bool> = (0..=9).map(|more| {
                let later = std::iter::repeat_n(Some(Choice::For), more);
                twin.met(&cast.iter().copied().chain(later).collect::<Vec<_>>())
            }).collect();
            match formula.outcome(&count, Vec::new) {
                Outcome::Won => prop_assert_eq!(ends, BTreeSet::from([true])),
                Outcome::Lost => prop_assert_eq!(ends, BTreeSet::from([false])),
                Outcome::Pending if matches!(formula.root, Node::Sum(_)) => prop_assert_eq!(ends.len(), 2),
                Outcome::Pending => {}
            }
            if let Some(choice) = votes.get(step) {
                count.add(&formula, step, *choice);
                cast.push(Some(*choice));
            }
        }
    }
}

/// Rules that make sense where nobody knows how many may vote.
fn open_rule(depth: u32) -> BoxedStrategy<RuleSpec> {
    let required = (1..=8u32).prop_map(|n| RuleSpec::new("required").with("count", n)).boxed();
    if depth == 0 {
        return required;
    }
    let inside = move || open_rule(depth - 1).prop_map(Param::from);
    let several = move || prop::collection::vec(inside(), 1..=3).prop_map(Param::List);
    prop_oneof![
        required,
        inside().prop_map(|rule| RuleSpec::new("not").with("rule", rule)),
        several().prop_map(|rules| RuleSpec::new("all").with("rules", rules)),
        several().prop_map(|rules| RuleSpec::new("any").with("rules", rules)),
    ]
    .boxed()
}
