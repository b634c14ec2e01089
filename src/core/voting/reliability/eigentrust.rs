//! Voters endorse voters: trust flows from those who are trusted to begin with.
//!
//! `t ← (1 − a)·Cᵀt + a·p`, where row i of C holds what i says of the others, each as its share of what i says in
//! all, and p spreads trust evenly over the trusted. Who endorses nobody passes trust on to them. A ring that nobody
//! with trust endorses ends with none, however much its members praise each other.
//!
//! Source: S. D. Kamvar, M. T. Schlosser, H. Garcia-Molina, "The EigenTrust algorithm for reputation management in P2P
//! networks", WWW 2003, algorithm 2.

use std::collections::BTreeMap;

use super::{Given, Learned, Parameter, Past, Source, SourceEntry, by_weight};
use crate::kernel::ids::VoterId;
use crate::voting::statistics::{Unfit, frozen, within};

/// The line in the table.
pub const ENTRY: SourceEntry = SourceEntry {
    name: "eigentrust",
    summary: "trust that flows along endorsements from voters trusted to begin with; the mean is one",
    source: "Kamvar, Schlosser, Garcia-Molina, WWW 2003",
    version: 1,
    parameters: &[
        Parameter {
            name: "jump",
            summary: "share that returns to the trusted",
            range: (0.01, 1.0),
            default: 0.15,
        },
        Parameter { name: "passes", summary: "most passes", range: (1.0, 10_000.0), default: 100.0 },
        Parameter {
            name: "tolerance",
            summary: "ends when a pass moves less than this in all",
            range: (0.0, 1.0),
            default: 1e-9,
        },
    ],
    build: |given| Box::new(Settings::read(given)),
};

/// One voter says something of another; below 0 counts as nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Endorsement {
    /// Who.
    pub from: VoterId,
    /// Of whom; saying something of oneself is ignored.
    pub to: VoterId,
    /// How much.
    pub score: f64,
}

/// How to spread trust.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// The share that returns to the trusted.
    pub jump: f64,
    /// Most passes.
    pub passes: u32,
    /// A pass that moves less than this in all is the last.
    pub tolerance: f64,
}

impl Settings {
    fn read(given: &Given<'_>) -> Self {
        Settings {
            jump: given.number("jump"),
            passes: given.count("passes"),
            tolerance: given.number("tolerance"),
        }
    }
}

/// The trust of each voter, summing to one, with the passes it took and whether it settled.
///
/// # Errors
/// [`Unfit`] when nobody is trusted to begin with, or a score is not a number from −10^9 to 10^9.
pub fn spread(
    voters: &[VoterId],
    endorsements: &[Endorsement],
    trusted: &[VoterId],
    settings: &Settings,
) -> Result<(Vec<f64>, u32, bool), Unfit> {
    within("jump", settings.jump, 0.01, 1.0)?;
    let numbers: BTreeMap<&VoterId, usize> = voters.iter().zip(0..).collect();
    let mut start = vec![0.0; voters.len()];
    for voter in trusted {
        if let Some(number) = numbers.get(voter) {
            start[*number] = 1.0;
        }
    }
    let sum: f64 = start.iter().sum();
    if sum <= 0.0 {
        return Err(Unfit::new("trusted", "nobody", "at least one of the voters"));
    }
    start.iter_mut().for_each(|share| *share /= sum);
    let mut rows: Vec<BTreeMap<usize, f64>> = vec![BTreeMap::new(); voters.len()];
    for Endorsement { from, to, score } in endorsements {
        let score = within("endorsement.score", *score, -1e9, 1e9)?;
        if let (Some(from), Some(to), true) = (numbers.get(from), numbers.get(to), from != to) {
            *rows[*from].entry(*to).or_insert(0.0) += score;
        }
    }
    for row in &mut rows {
        row.retain(|_, score| *score > 0.0);
        let sum: f64 = row.values().sum();
        row.values_mut().for_each(|score| *score /= sum);
    }
    let mut trust = start.clone();
    for pass in 1..=settings.passes {
        let mut next: Vec<f64> = start.iter().map(|share| settings.jump * share).collect();
        for (row, held) in rows.iter().zip(&trust) {
            let flows = (1.0 - settings.jump) * held;
            if row.is_empty() {
                next.iter_mut().zip(&start).for_each(|(next, share)| *next += flows * share);
            }
            for (to, share) in row {
                next[*to] += flows * share;
            }
        }
        let moved: f64 = next.iter().zip(&trust).map(|(a, b)| (a - b).abs()).sum();
        trust = next;
        if moved < settings.tolerance {
            return Ok((trust, pass, true));
        }
    }
    Ok((trust, settings.passes, false))
}

impl Source for Settings {
    fn learn(&self, past: &Past) -> Result<Learned, Unfit> {
        let voters = past.history.voters();
        let (trust, passes, settled) = spread(voters, &past.endorsements, &past.trusted, self)?;
        let mut weights = BTreeMap::new();
        for (voter, share) in voters.iter().zip(trust) {
            weights.insert(voter.clone(), frozen("weight", share * voters.len() as f64)?);
        }
        let estimates = by_weight(&past.history, &weights);
        Ok(Learned { weights, estimates, unanchored: !past.history.is_anchored(), passes, settled })
    }
}
