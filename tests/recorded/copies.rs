//! Copies of a voter are planted among the recorded ones: what a majority of heads then decides wrongly, and what a
//! majority of independent voices does.
//!
//! Correlations are learned from the questions of one half, whose answers are told, and used on those of the other.

use std::collections::{BTreeMap, BTreeSet};

use quorate_core::kernel::ids::VoterId;
use quorate_core::voting::independence::{Independence, Settings};
use quorate_core::voting::reliability::History;
use quorate_core::voting::rules::{Choice, Count, Outcome, Param, RuleSpec, build, prepare};

use super::data::{Recorded, recorded};

/// The votes with copies of some voters that vote as they do.
fn planted(recorded: &Recorded, copied: &BTreeSet<String>, copies: usize) -> Recorded {
    let mut votes = Vec::new();
    for vote in &recorded.votes {
        votes.push(vote.clone());
        let [question, voter, answer] = vote;
        for copy in (0..copies).filter(|_| copied.contains(voter)) {
            votes.push([question.clone(), format!("{voter}-{copy}"), answer.clone()]);
        }
    }
    Recorded { name: recorded.name, votes, truth: recorded.truth.clone() }
}

/// Right and wrong answers that a rule lets through: each answer of a question is put to its voters.
fn decided(
    recorded: &Recorded,
    all: &History,
    rule: impl Fn(&[VoterId]) -> RuleSpec,
    wanted: impl Fn(u32) -> bool,
) -> (usize, usize) {
    let (mut right, mut wrong) = (0, 0);
    for (question, casts) in (0..).zip(all.by_question()).filter(|(question, _)| wanted(*question)) {
        let mut voters: Vec<VoterId> = casts.iter().map(|c| all.voters()[c.voter as usize].clone()).collect();
        voters.sort();
        let formula = prepare(build(&rule(&voters)).unwrap().as_ref(), &voters).formula;
        for (option, name) in (0..).zip(all.options()) {
            let mut count = Count::new(&formula, Some(voters.len() as u32));
            for cast in &casts {
                let at = voters.binary_search(&all.voters()[cast.voter as usize]).unwrap();
                let choice = if cast.option == option { Choice::For } else { Choice::Against };
                count.add(&formula, at, choice);
            }
            if formula.outcome(&count, Vec::new) == Outcome::Won {
                let is_right = &recorded.truth[&all.questions()[question as usize]] == name;
                right += usize::from(is_right);
                wrong += usize::from(!is_right);
            }
        }
    }
    (right, wrong)
}

/// Right and wrong decisions by heads, by weight of independent voices, and by heads with a demand of voices.
fn measure(set: &'static str, worst: usize, copies: usize) -> Option<[(usize, usize); 3]> {
    let recorded = recorded(set)?;
    // Copied are the ten voters who err most among those with at least forty votes: copies of good ones do no harm.
    let mut errors: BTreeMap<&String, (f64, f64)> = BTreeMap::new();
    for [question, voter, answer] in &recorded.votes {
        let (wrong, all) = errors.entry(voter).or_default();
        *wrong += f64::from(u8::from(&recorded.truth[question] != answer));
        *all += 1.0;
    }
    let errors = errors.into_iter().filter(|(_, (_, all))| *all >= 40.0);
    let mut errors: Vec<(f64, &String)> = errors.map(|(voter, (wrong, all))| (wrong / all, voter)).collect();
    errors.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    let copied = errors.iter().take(worst).map(|(_, voter)| (*voter).clone()).collect();
    let planted = planted(&recorded, &copied, copies);
    let mut all = planted.history();
    for question in all.questions().to_vec().iter().step_by(2) {
        all.outcome(question, &planted.truth[question]).unwrap();
    }
    let known = Independence::declared(BTreeMap::new(), Settings::default()).unwrap().learn(&all);
    let table = |parts: BTreeMap<VoterId, u64>| {
        Param::Map(parts.into_iter().map(|(voter, part)| (voter.to_string(), millionths(part))).collect())
    };
    let unseen = |question: u32| question % 2 == 1;
    let heads = decided(&planted, &all, |_| RuleSpec::new("threshold"), unseen);
    let weighed = |voters: &[VoterId]| {
        RuleSpec::new("weighted").with("threshold", "1/2").with("agent_weights", table(known.weights(voters)))
    };
    let by_weight = decided(&planted, &all, weighed, unseen);
    let both = |voters: &[VoterId]| {
        let voices =
            RuleSpec::new("effective_voters").with("min", "2.5").with("shares", table(known.shares(voters)));
        RuleSpec::new("all").with("rules", vec![RuleSpec::new("threshold"), voices])
    };
    let demanded = decided(&planted, &all, both, unseen);
    let original = decided(&recorded, &recorded.history(), |_| RuleSpec::new("threshold"), unseen);
    eprintln!(
        "{set}, {copies} copies of each of {worst}: right and wrong by heads {heads:?}, by weight of voices {by_weight:?}, \
         by heads with 2.5 voices {demanded:?}; by heads without copies {original:?}"
    );
    Some([heads, by_weight, demanded])
}

#[test]
fn false_majorities_made_of_copies_fall_by_half_when_voices_are_counted() {
    let Some([heads, by_weight, demanded]) = measure("product", 10, 3) else { return };
    assert!(by_weight.1 * 2 <= heads.1, "{heads:?} {by_weight:?}");
    assert!(by_weight.0 > heads.0, "and more decisions are right: {heads:?} {by_weight:?}");
    assert!(demanded.1 * 2 <= heads.1, "{heads:?} {demanded:?}");
    // Here the questions are harder: of the false majorities most are there without any copy.
    let Some([heads, by_weight, _]) = measure("dogs", 10, 12) else { return };
    assert!(by_weight.1 * 3 <= heads.1 * 2 && by_weight.0 > heads.0, "{heads:?} {by_weight:?}");
}

fn millionths(share: u64) -> Param {
    Param::Number(format!("{}.{:06}", share / 1_000_000, share % 1_000_000))
}
