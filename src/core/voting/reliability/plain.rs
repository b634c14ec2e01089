//! Weights that need no model: all equal, as declared, and by agreement with the others.

use std::collections::BTreeMap;

use super::{Estimate, Learned, Past, Source, SourceEntry, by_weight, leading, log_odds};
use crate::kernel::number::WHOLE_WEIGHT;
use crate::voting::statistics::{Unfit, frozen};

/// Everyone weighs one.
pub const EQUAL: SourceEntry = SourceEntry {
    name: "equal",
    summary: "everyone weighs one; the answer with the most votes leads",
    source: "majority rule",
    version: 1,
    parameters: &[],
    build: |_| Box::new(Equal),
};

/// The weights that were declared.
pub const DECLARED: SourceEntry = SourceEntry {
    name: "declared",
    summary: "the weights voters were given when they were registered; one for everybody else",
    source: "as given",
    version: 1,
    parameters: &[],
    build: |_| Box::new(Declared),
};

/// Agreement with the aggregate.
pub const WAWA: SourceEntry = SourceEntry {
    name: "wawa",
    summary: "log-odds of agreeing with the majority, or with outcomes where they are known",
    source: "worker agreement with aggregate, Appen; as in Toloka crowd-kit",
    version: 1,
    parameters: &[],
    build: |_| Box::new(Wawa),
};

#[derive(Debug)]
struct Equal;

#[derive(Debug)]
struct Declared;

#[derive(Debug)]
struct Wawa;

fn learned(past: &Past, weights: BTreeMap<crate::kernel::ids::VoterId, u64>) -> Learned {
    let estimates = by_weight(&past.history, &weights);
    let unanchored = !past.history.is_anchored();
    Learned { weights, estimates, unanchored, passes: 1, settled: true }
}

impl Source for Equal {
    fn learn(&self, past: &Past) -> Result<Learned, Unfit> {
        Ok(learned(past, past.history.voters().iter().map(|v| (v.clone(), WHOLE_WEIGHT)).collect()))
    }
}

impl Source for Declared {
    fn learn(&self, past: &Past) -> Result<Learned, Unfit> {
        let weight = |voter| past.declared.get(voter).copied().unwrap_or(WHOLE_WEIGHT);
        Ok(learned(past, past.history.voters().iter().map(|v| (v.clone(), weight(v))).collect()))
    }
}

impl Source for Wawa {
    fn learn(&self, past: &Past) -> Result<Learned, Unfit> {
        let history = &past.history;
        let by_question = history.by_question();
        let right: Vec<Option<u32>> = (0..)
            .zip(&by_question)
            .map(|(question, casts)| match history.outcome_of(question) {
                Some(outcome) => Some(outcome),
                None => {
                    match leading(&history.heads(casts).iter().map(|n| u128::from(*n)).collect::<Vec<_>>()) {
                        Estimate::Option(option, _) => Some(option),
                        Estimate::Tie | Estimate::None => None,
                    }
                }
            })
            .collect();
        let mut agreed = vec![(1u32, 2u32); history.voters().len()];
        for cast in history.votes() {
            if let Some(right) = right[cast.question as usize] {
                let (good, all) = &mut agreed[cast.voter as usize];
                *good += u32::from(cast.option == right);
                *all += 1;
            }
        }
        let mut weights = BTreeMap::new();
        for (voter, (good, all)) in history.voters().iter().zip(agreed) {
            weights.insert(voter.clone(), frozen("weight", log_odds(f64::from(good) / f64::from(all)))?);
        }
        Ok(learned(past, weights))
    }
}
