//! Goes through the completions of a poll, for formulas whose sums pull apart.
//!
//! Voters with equal weights are interchangeable, so only how many of a group choose what is tried, and of choices
//! that no sum tells apart only one. At each node the ranges of the sums cut off whatever is certain already, and a
//! node met before is not entered again.

use std::collections::{BTreeMap, BTreeSet};

use super::formula::{Count, Formula, Held, Outcome, Sum};

/// Nodes visited at most: some milliseconds. Six voters of six weights have fewer, whatever the rule.
const MAX_NODES: usize = 8_000;

/// Votes assigned to the outstanding voters so far.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// Which group of equal voters is being assigned.
    group: usize,
    /// How many of it are assigned.
    done: usize,
    /// The last choice made in it; the next is never an earlier one, so that no order is tried twice.
    way: usize,
    held: Vec<Held>,
}

/// Is there a completion in which the question ends so (`Won` or `Lost`)? `None` when the bound was reached first.
pub(super) fn can_end(
    formula: &Formula,
    count: &Count,
    outstanding: Vec<usize>,
    sought: Outcome,
) -> Option<bool> {
    let mut equal: BTreeMap<Vec<u64>, usize> = BTreeMap::new();
    for voter in outstanding {
        *equal.entry(formula.weights_of(voter)).or_default() += 1;
    }
    let ways = ways(formula);
    // The heaviest first: they cut off the most.
    let groups: Vec<(Vec<u64>, usize)> = equal.into_iter().rev().collect();
    let mut seen = BTreeSet::new();
    let mut ahead = vec![Place { group: 0, done: 0, way: 0, held: count.columns.clone() }];
    while let Some(place) = ahead.pop() {
        let sum = |sum: &Sum| place.held.get(sum.column as usize).map_or(Outcome::Lost, |h| h.outcome(sum));
        let outcome = formula.root.decide(&sum);
        if outcome == sought {
            return Some(true);
        }
        if outcome != Outcome::Pending || seen.contains(&place) {
            continue;
        }
        if seen.len() >= MAX_NODES {
            return None;
        }
        if let Some((weights, size)) = groups.get(place.group) {
            let ways = ways.iter().filter(|way| **way >= place.way);
            ahead.extend(ways.map(|way| step(&place, weights, *size, *way)));
        }
        seen.insert(place);
    }
    Some(false)
}

/// What a voter may do: for, against, abstain, silence, without those that count as an earlier one does.
fn ways(formula: &Formula) -> Vec<usize> {
    let mut sums = Vec::new();
    formula.root.sums(&mut sums);
    let counts = |way: usize| sums.iter().map(move |sum| sum.per.get(way).copied().unwrap_or(0));
    (0..4).filter(|way| (0..*way).all(|earlier| !counts(earlier).eq(counts(*way)))).collect()
}

fn step(place: &Place, weights: &[u64], size: usize, way: usize) -> Place {
    let mut held = place.held.clone();
    for (held, units) in held.iter_mut().zip(weights) {
        held.open = held.open.map(|open| open.saturating_sub((*units).into()));
        if let Some(cast) = held.cast.get_mut(way) {
            *cast += u128::from(*units);
        }
    }
    if place.done + 1 == size {
        Place { group: place.group + 1, done: 0, way: 0, held }
    } else {
        Place { group: place.group, done: place.done + 1, way, held }
    }
}
