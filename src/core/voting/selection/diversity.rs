//! How far candidates are apart, and choosing some that are not all alike.

use std::collections::{BTreeMap, BTreeSet};

use super::{Candidate, Rated, Settings};
use crate::voting::statistics::robust::entropy;

/// How far two candidates are apart, from 0 to 1: 0.6 for another kind, and 0.4 times the mean difference of their
/// traits, where one that only one of them has is 0 in the other.
pub fn distance(one: &Candidate, other: &Candidate) -> f64 {
    let names: BTreeSet<&String> = one.traits.keys().chain(other.traits.keys()).collect();
    let of = |candidate: &Candidate, name: &String| candidate.traits.get(name).copied().unwrap_or(0.0);
    let differences: f64 = names.iter().map(|name| (of(one, name) - of(other, name)).abs()).sum();
    let mean = if names.is_empty() { 0.0 } else { differences / names.len() as f64 };
    0.6 * f64::from(u8::from(one.kind != other.kind)) + 0.4 * mean
}

/// Maximal marginal relevance: the best first, then the one that is best and least like those chosen. `rated` stands in
/// the order of utility, equal ones by id.
pub(super) fn choose(
    mut rated: Vec<Rated>,
    settings: &Settings,
    apart: impl Fn(&Rated, &Rated) -> f64,
) -> Vec<Rated> {
    let relevance = 1.0 - settings.diversity;
    let mut chosen: Vec<Rated> = Vec::new();
    while chosen.len() < settings.maximum && !rated.is_empty() {
        let worth = |one: &Rated| {
            let nearest = chosen.iter().map(|other| apart(one, other)).fold(1.0, f64::min);
            let likeness = if chosen.is_empty() { 0.0 } else { 1.0 - nearest };
            let worth = relevance * one.utility as f64 / 1e6 - (1.0 - relevance) * likeness;
            // Frozen, so that a last bit does not decide between equals. The first one is the best.
            let worth =
                if chosen.is_empty() { one.utility as i64 } else { (worth * 1e6).round_ties_even() as i64 };
            let is_apart = chosen.is_empty() || !settings.strict || nearest >= settings.diversity;
            (is_apart, worth)
        };
        let mut best: Option<(usize, i64)> = None;
        for (at, one) in rated.iter().enumerate() {
            let (is_apart, worth) = worth(one);
            let is_better =
                best.is_none_or(|(then, most)| worth > most || worth == most && one.id < rated[then].id);
            if is_apart && is_better {
                best = Some((at, worth));
            }
        }
        let Some((at, _)) = best else { break };
        chosen.push(rated.remove(at));
    }
    chosen
}

/// The exponential of the entropy of the kinds, in millionths: one of a single kind, n of n that are equally common.
pub fn effective_kinds<'a>(kinds: impl Iterator<Item = &'a str>) -> u64 {
    let mut counts: BTreeMap<&str, f64> = BTreeMap::new();
    kinds.for_each(|kind| *counts.entry(kind).or_default() += 1.0);
    let counts: Vec<f64> = counts.into_values().collect();
    if counts.is_empty() { 0 } else { (entropy(&counts).exp() * 1e6).round_ties_even() as u64 }
}

/// The greedy most probable set of a determinantal point process with the kernel `quality_i · likeness_ij · quality_j`:
/// indexes in the order in which they were chosen, at most `maximum`, fewer when the rest adds nothing.
///
/// Each step takes the item of which the most is left when the part that the chosen ones explain is taken off.
pub fn determinantal(quality: &[f64], likeness: impl Fn(usize, usize) -> f64, maximum: usize) -> Vec<usize> {
    let n = quality.len();
    let kernel = |i: usize, j: usize| quality[i] * likeness(i, j) * quality[j];
    let mut left: Vec<f64> = (0..n).map(|i| kernel(i, i)).collect();
    let mut rows: Vec<Vec<f64>> = vec![Vec::new(); n];
    let mut chosen = Vec::new();
    while chosen.len() < maximum.min(n) {
        let free = (0..n).filter(|i| !chosen.contains(i));
        // The first of equals.
        let Some(best) = free.reduce(|a, b| if left[b] > left[a] { b } else { a }) else { break };
        if left[best].is_nan() || left[best] <= 1e-12 {
            break;
        }
        let root = left[best].sqrt();
        for i in 0..n {
            let explained: f64 = rows[best].iter().zip(&rows[i]).map(|(a, b)| a * b).sum();
            let part = (kernel(best, i) - explained) / root;
            if i != best && !chosen.contains(&i) {
                left[i] -= part * part;
                rows[i].push(part);
            }
        }
        chosen.push(best);
    }
    chosen
}
