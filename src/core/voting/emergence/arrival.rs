//! Patterns in the order and the times in which the votes of one round arrive.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Pattern, Sensitivity, Signal, Target, Vote};
use crate::kernel::time::Timestamp;
use crate::voting::attacks::p_value;
use crate::voting::statistics::exact::{binomial_at_least, expected_runs, fisher_at_least, runs_at_most};
use crate::voting::statistics::share;

/// Votes of one moment.
const MOMENT: Duration = Duration::from_millis(100);
/// Fewest votes that are one moment.
const FEWEST_AT_ONCE: usize = 3;

/// The fullest closed window of this length: where it begins, how many are in it, and how probable so many are.
pub(super) fn fullest(opened: Timestamp, arrivals: &[&Vote], length: Duration) -> (usize, usize, f64) {
    let (mut from, mut best) = (0, (0, 0));
    for (to, vote) in arrivals.iter().enumerate() {
        while vote.at.since(arrivals[from].at) > length {
            from += 1;
        }
        if to + 1 - from > best.1 {
            best = (from, to + 1 - from);
        }
    }
    let n = arrivals.len() as u64;
    let span = arrivals.last().map_or(Duration::ZERO, |vote| vote.at.since(opened));
    // Prompt answers right after the opening fill the whole span, which is nothing strange.
    let part = if span > length { length.as_secs_f64() / span.as_secs_f64() } else { 1.0 };
    let p = n as f64 * binomial_at_least(n.saturating_sub(1), best.1.saturating_sub(1) as u64, part);
    (best.0, best.1, p.min(1.0))
}

pub(super) fn synchronization(opened: Timestamp, arrivals: &[&Vote], sees: &Sensitivity) -> Option<Signal> {
    let (from, count, p) = fullest(opened, arrivals, MOMENT);
    let effect = count as f64 / arrivals.len() as f64;
    if count < FEWEST_AT_ONCE || !sees.sees(p, effect) {
        return None;
    }
    let inside = &arrivals[from..from + count];
    Some(Signal {
        pattern: Pattern::Synchronization {
            voters: inside.iter().map(|vote| vote.voter.clone()).collect(),
            window: inside[count - 1].at.since(inside[0].at),
        },
        strength: share(effect),
        p_value: Some(p_value(p)),
        n: arrivals.len() as u32,
        null_model: "arrivals are uniform from the opening to the last",
    })
}

pub(super) fn cascade(arrivals: &[&Vote], winner: u32, sees: &Sensitivity) -> Option<Signal> {
    let sides: Vec<bool> = arrivals.iter().map(|vote| vote.option == winner).collect();
    let ones = sides.iter().filter(|side| **side).count() as u64;
    let others = sides.len() as u64 - ones;
    let (mut runs, mut start, mut longest) = (0u64, 0, (0, 0));
    for at in 0..sides.len() {
        if at == 0 || sides[at] != sides[at - 1] {
            runs += 1;
            start = at;
        }
        if at + 1 - start > longest.1 {
            longest = (start, at + 1 - start);
        }
    }
    let p = runs_at_most(runs, ones, others)?;
    let effect = 1.0 - runs as f64 / expected_runs(ones, others);
    if !sees.sees(p, effect) {
        return None;
    }
    let run = &arrivals[longest.0..longest.0 + longest.1];
    Some(Signal {
        pattern: Pattern::Cascade {
            initiator: run[0].voter.clone(),
            influenced: run[1..].iter().map(|vote| vote.voter.clone()).collect(),
            lasted: run[run.len() - 1].at.since(run[0].at),
        },
        strength: share(effect),
        p_value: Some(p_value(p)),
        n: arrivals.len() as u32,
        null_model: "the order of the choices is random",
    })
}

/// Support for the winner in the second half of the arrivals against the first.
pub(super) fn convergence(
    opened: Timestamp,
    arrivals: &[&Vote],
    winner: u32,
    sees: &Sensitivity,
) -> Option<Signal> {
    let (early, late) = arrivals.split_at(arrivals.len() / 2);
    let count = |half: &[&Vote]| half.iter().filter(|vote| vote.option == winner).count() as u64;
    let (before, after) = (count(early), count(late));
    let (early_n, late_n) = (early.len() as u64, late.len() as u64);
    let p = fisher_at_least(after, late_n - after, before, early_n - before);
    let effect = after as f64 / late_n as f64 - before as f64 / early_n as f64;
    if !sees.sees(p, effect) {
        return None;
    }
    // The winner leads for good from the arrival after the last one at which it did not.
    let mut counts: BTreeMap<u32, u32> = BTreeMap::new();
    let mut settled = opened;
    for (at, vote) in arrivals.iter().enumerate() {
        *counts.entry(vote.option).or_default() += 1;
        let others = counts.iter().filter(|(option, _)| **option != winner).map(|(_, count)| *count);
        if counts.get(&winner).copied().unwrap_or(0) <= others.max().unwrap_or(0) {
            settled = arrivals.get(at + 1).map_or(vote.at, |next| next.at);
        }
    }
    let span = arrivals.last().map_or(0.0, |vote| vote.at.since(opened).as_secs_f64());
    Some(Signal {
        pattern: Pattern::Convergence {
            target: Target::Option(winner),
            rate: rate(effect, span),
            settled_after: settled.since(opened),
        },
        strength: share(effect),
        p_value: Some(p_value(p)),
        n: arrivals.len() as u32,
        null_model: "support does not change from the first half of the arrivals to the second",
    })
}

/// An effect per second, in millionths.
pub(super) fn rate(effect: f64, seconds: f64) -> u64 {
    if seconds > 0.0 { (effect / seconds * 1e6).round_ties_even() as u64 } else { 0 }
}
