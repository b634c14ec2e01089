//! Voters who err together. For each pair the sessions they share are laid out as: both wrong in the same way, only one
//! wrong, only the other, neither. Two who decide for themselves err independently; a pair is flagged when their errors
//! coincide more often than that (Fisher's exact test, Holm over all pairs, ≤ 0.01) and closely (φ ≥ 0.5). Flagged pairs
//! that hang together are a group.
//!
//! What is right is the recorded outcome; where there is none, what the others decided, without the pair. Sessions in
//! which both are wrong in different ways belong to none of the four kinds and are left out.
//!
//! Sources: R. A. Fisher, *The Design of Experiments*, 1935; S. Holm, Scandinavian Journal of Statistics 6, 1979.

use std::collections::{BTreeMap, BTreeSet};

use super::p_value;
use crate::kernel::ids::VoterId;
use crate::voting::reliability::{Cast, Estimate, History, leading};
use crate::voting::statistics::exact::fisher_at_least;
use crate::voting::statistics::robust::phi;
use crate::voting::statistics::{holm, share};

/// Sessions that a pair must have in common.
const FEWEST_SHARED: u64 = 20;
/// Largest adjusted p-value that is flagged.
const SIGNIFICANT: f64 = 0.01;
/// Least φ that is flagged.
const CLOSE: f64 = 0.5;

/// Two voters who err together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The two, the smaller id first.
    pub voters: (VoterId, VoterId),
    /// Both wrong the same way, only the first, only the second, neither.
    pub table: [u64; 4],
    /// φ, in millionths.
    pub score: u64,
    /// Adjusted for all pairs, in millionths, rounded up.
    pub p_value: u64,
}

/// Voters who hang together by flagged pairs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its members.
    pub voters: BTreeSet<VoterId>,
    /// Its share of all power, in millionths.
    pub power: u64,
    /// It holds at least a third of all power.
    pub is_attack: bool,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The flagged pairs, by their ids.
    pub pairs: Vec<Pair>,
    /// The groups they make, by their smallest id.
    pub groups: Vec<Group>,
    /// How many pairs were tested.
    pub tested: usize,
}

/// The tables of all pairs, by numbers of voters.
fn tables(history: &History) -> BTreeMap<(u32, u32), [u64; 4]> {
    let mut tables: BTreeMap<(u32, u32), [u64; 4]> = BTreeMap::new();
    for (question, casts) in (0..).zip(history.by_question()) {
        let heads: Vec<u128> = history.heads(&casts).into_iter().map(u128::from).collect();
        for (at, one) in casts.iter().enumerate() {
            for other in &casts[at + 1..] {
                let right = history.outcome_of(question).or_else(|| without(&heads, one, other));
                let Some(right) = right else { continue };
                let (low, high) = if one.voter < other.voter { (one, other) } else { (other, one) };
                let cell = match (low.option == right, high.option == right) {
                    (false, false) if low.option == high.option => 0,
                    (false, false) => continue,
                    (false, true) => 1,
                    (true, false) => 2,
                    (true, true) => 3,
                };
                tables.entry((low.voter, high.voter)).or_default()[cell] += 1;
            }
        }
    }
    tables
}

/// What the others decided.
fn without(heads: &[u128], one: &Cast, other: &Cast) -> Option<u32> {
    let mut heads = heads.to_vec();
    heads[one.option as usize] -= 1;
    heads[other.option as usize] -= 1;
    match leading(&heads) {
        Estimate::Option(option, _) => Some(option),
        Estimate::Tie | Estimate::None => None,
    }
}

/// Looks for voters who err together. `powers` are those of all voters, also of such that did not vote.
pub fn find(history: &History, powers: &BTreeMap<VoterId, u64>) -> Found {
    let tables: Vec<((u32, u32), [u64; 4])> =
        tables(history).into_iter().filter(|(_, table)| table.iter().sum::<u64>() >= FEWEST_SHARED).collect();
    let p: Vec<f64> = tables.iter().map(|(_, [a, b, c, d])| fisher_at_least(*a, *b, *c, *d)).collect();
    let adjusted = holm(&p, p.len());
    let mut found = Found { tested: tables.len(), ..Found::default() };
    for ((numbers, table), p) in tables.into_iter().zip(adjusted) {
        let [a, b, c, d] = table;
        // Where one of them never errs, or always, φ says nothing and nothing is found.
        let Some(phi) = phi(a, b, c, d) else { continue };
        if p <= SIGNIFICANT && phi >= CLOSE {
            let [low, high] = [numbers.0, numbers.1].map(|n| history.voters()[n as usize].clone());
            let (low, high, table) = if low < high { (low, high, table) } else { (high, low, [a, c, b, d]) };
            found.pairs.push(Pair { voters: (low, high), table, score: share(phi), p_value: p_value(p) });
        }
    }
    found.pairs.sort_by(|a, b| a.voters.cmp(&b.voters));
    found.groups = groups(&found.pairs, powers);
    found
}

fn groups(pairs: &[Pair], powers: &BTreeMap<VoterId, u64>) -> Vec<Group> {
    let mut sets: Vec<BTreeSet<VoterId>> = Vec::new();
    for Pair { voters: (one, other), .. } in pairs {
        let (mut joined, apart): (Vec<_>, Vec<_>) =
            sets.into_iter().partition(|set| set.contains(one) || set.contains(other));
        let mut set: BTreeSet<VoterId> = joined.drain(..).flatten().collect();
        set.extend([one.clone(), other.clone()]);
        sets = apart;
        sets.push(set);
    }
    sets.sort();
    let all: u128 = powers.values().map(|power| u128::from(*power)).sum();
    let group = |voters: BTreeSet<VoterId>| {
        let power: u128 = voters.iter().filter_map(|v| powers.get(v)).map(|p| u128::from(*p)).sum();
        let of_all = (power * 1_000_000).checked_div(all).unwrap_or(0) as u64;
        Group { voters, power: of_all, is_attack: all > 0 && power * 3 >= all }
    };
    sets.into_iter().map(group).collect()
}
