//! Voters who arrive together. Two co-arrive in a session when at most 5 s lie between their votes. Sessions of less than
//! 20 s say nothing, since everybody arrives together there. A pair is flagged when it co-arrives more often than all
//! pairs do on average: binomial upper tail, Holm over all pairs, ≤ 0.01.
//!
//! By itself this is a weak mark: two who are asked by the same scheduler arrive together. It corroborates
//! [`coordination`](super::coordination).

use std::collections::BTreeMap;
use std::time::Duration;

use super::p_value;
use crate::kernel::ids::VoterId;
use crate::kernel::time::Timestamp;
use crate::voting::statistics::exact::binomial_at_least;
use crate::voting::statistics::holm;

/// Votes not further apart arrive together.
const TOGETHER: Duration = Duration::from_secs(5);
/// Shorter sessions are left out.
const SHORTEST: Duration = Duration::from_secs(20);
/// Largest adjusted p-value that is flagged.
const SIGNIFICANT: f64 = 0.01;

/// Two voters who arrive together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The two, the smaller id first.
    pub voters: (VoterId, VoterId),
    /// Sessions in which they did.
    pub together: u64,
    /// Sessions they share.
    pub shared: u64,
    /// Adjusted for all pairs, in millionths, rounded up.
    pub p_value: u64,
}

/// Looks for voters who arrive together in sessions, each a list of who voted when by the coordinator's clock.
pub fn find(sessions: &[Vec<(VoterId, Timestamp)>]) -> Vec<Pair> {
    let mut counts: BTreeMap<(&VoterId, &VoterId), (u64, u64)> = BTreeMap::new();
    for votes in sessions {
        let first = votes.iter().map(|(_, at)| *at).min();
        let last = votes.iter().map(|(_, at)| *at).max();
        let span = first.zip(last).map_or(Duration::ZERO, |(first, last)| last.since(first));
        if span < SHORTEST {
            continue;
        }
        for (place, (one, at)) in votes.iter().enumerate() {
            for (other, then) in votes[place + 1..].iter().filter(|(other, _)| other != one) {
                let pair = if one < other { (one, other) } else { (other, one) };
                let apart = if at > then { at.since(*then) } else { then.since(*at) };
                let (together, shared) = counts.entry(pair).or_default();
                *together += u64::from(apart <= TOGETHER);
                *shared += 1;
            }
        }
    }
    let (together, shared) = counts.values().fold((0, 0), |(t, s), (together, all)| (t + together, s + all));
    let base = if shared > 0 { together as f64 / shared as f64 } else { 0.0 };
    let p: Vec<f64> = counts.values().map(|(t, s)| binomial_at_least(*s, *t, base)).collect();
    let adjusted = holm(&p, p.len());
    let flagged = counts.into_iter().zip(adjusted).filter(|(_, p)| *p <= SIGNIFICANT);
    flagged
        .map(|(((one, other), (together, shared)), p)| Pair {
            voters: (one.clone(), other.clone()),
            together,
            shared,
            p_value: p_value(p),
        })
        .collect()
}
