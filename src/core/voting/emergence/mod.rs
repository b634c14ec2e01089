//! What a crowd does beyond its votes: six patterns, each with a test, an effect and a null model. Advisory: no pattern
//! changes a tally, a quorum or a decision.
//!
//! | pattern | null model | p-value | effect |
//! |---|---|---|---|
//! | synchronization | arrivals are uniform up to the last | n · binomial tail of the fullest 100 ms | share of the votes in them |
//! | cascade | the order of choices is random | Wald–Wolfowitz, too few runs | 1 − runs / expected runs |
//! | collective intelligence | voters are as often better as worse than the crowd | sign test | diversity / mean error |
//! | convergence | distances grow as often as they shrink; or support does not change | sign test; Fisher | shrinkage; gain |
//! | anomaly | see the kinds | see the kinds | power affected |
//! | swarm behaviour | up is as likely as down | binomial, two-sided; sign test | polarisation |
//!
//! With sensitivity s a pattern is shown when there are 5 votes, p ≤ α(s)/6 and the effect is at least θ(s), where
//! `α = 10^(−3 + 1.7·(s − 0.1)/0.89)` and `θ = 1 − 0.5·s`. A greater s only adds patterns.
//!
//! Sources: A. Wald, J. Wolfowitz, 1940; S. E. Page, *The Difference*, 2007, for the identity of crowd error, individual
//! error and diversity; B. Iglewicz, D. Hoaglin, 1993.

mod anomaly;
mod arrival;
mod movement;
mod sightings;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub use sightings::{Cache, Sighting, Sightings};

use super::attacks::p_value;
use super::statistics::exact::sign_test;
use super::statistics::robust::{entropy, mean};
use super::statistics::{Unfit, share, within};
use crate::kernel::ids::VoterId;
use crate::kernel::time::Timestamp;

/// Fewest votes in which a pattern is looked for.
const FEWEST: usize = 5;
/// Families of patterns that share the significance.
const FAMILIES: f64 = 6.0;

/// A counted vote.
#[derive(Clone, Debug, PartialEq)]
pub struct Vote {
    /// Who.
    pub voter: VoterId,
    /// For which option.
    pub option: u32,
    /// From 0 to 1.
    pub score: f64,
    /// When it arrived, by the coordinator's clock.
    pub at: Timestamp,
}

/// One round of a session.
#[derive(Clone, Debug, PartialEq)]
pub struct Round {
    /// When it was opened.
    pub opened: Timestamp,
    /// Its counted votes, each voter once.
    pub votes: Vec<Vote>,
}

/// Alarms that were raised elsewhere, by the voters they concern.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alarms {
    /// Scores far from the voter's own, and voters who became unreliable.
    pub deviations: BTreeSet<VoterId>,
    /// Breaches around weights.
    pub manipulations: BTreeSet<VoterId>,
    /// Members of groups that err together and hold a third of the power.
    pub coordinated: BTreeSet<VoterId>,
}

/// Everything that is looked at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scene {
    /// The rounds in their order; the last one decided.
    pub rounds: Vec<Round>,
    /// The option that won, if one did.
    pub winner: Option<u32>,
    /// Voters could not see each other's votes.
    pub sealed: bool,
    /// The right score, from 0 to 1, where it became known.
    pub outcome: Option<f64>,
    /// Power by voter of the electorate, in millionths.
    pub powers: BTreeMap<VoterId, u64>,
    /// Alarms of others.
    pub alarms: Alarms,
}

/// What is seen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pattern {
    /// Votes arrive in the same moment.
    Synchronization {
        /// Those who do, by arrival.
        voters: Vec<VoterId>,
        /// From the first to the last of them.
        window: Duration,
    },
    /// Votes follow the ones before.
    Cascade {
        /// The first voter of the longest run.
        initiator: VoterId,
        /// The rest of that run.
        influenced: Vec<VoterId>,
        /// How long the run took.
        lasted: Duration,
    },
    /// The crowd knew better than its members.
    CollectiveIntelligence {
        /// How many options there effectively were, in millionths.
        complexity: u64,
    },
    /// Opinions came together.
    Convergence {
        /// Where to: a score in millionths, or an option.
        target: Target,
        /// The effect per second, in millionths.
        rate: u64,
        /// After how long the lead never fell back.
        settled_after: Duration,
    },
    /// Something is out of place.
    Anomaly {
        /// What.
        kind: AnomalyKind,
        /// Whom it concerns.
        voters: BTreeSet<VoterId>,
    },
    /// Voters move together.
    Swarm {
        /// How.
        kind: SwarmKind,
        /// How many moved.
        movers: u32,
    },
}

/// Where opinions come together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// This score, in millionths.
    Score(u64),
    /// This option.
    Option(u32),
}

/// What is out of place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AnomalyKind {
    /// A score far from those of the others. To be in the minority is none.
    OutlierVoting,
    /// A score far from the voter's own, or a voter who became unreliable.
    ScoreDeviation,
    /// Votes arrive within the same second.
    TemporalCluster,
    /// A breach around weights.
    WeightManipulation,
    /// A group that errs together holds a third of the power.
    CoordinatedAttack,
}

/// How voters move from the first round to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SwarmKind {
    /// Apart.
    Dispersal,
    /// Into two groups.
    Clustering,
    /// Towards one who stays.
    Herding,
    /// Equally fast.
    Schooling,
    /// In one direction.
    Flocking,
}

/// A pattern with what speaks for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Signal {
    /// What is seen.
    pub pattern: Pattern,
    /// The effect, in millionths; for an anomaly the share of power it concerns.
    pub strength: u64,
    /// In millionths, rounded up; nothing where an anomaly has a threshold of its own and no p-value.
    pub p_value: Option<u64>,
    /// How many votes, voters or movers were looked at.
    pub n: u32,
    /// What would be so without the pattern.
    pub null_model: &'static str,
}

/// The numbers that a sensitivity stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sensitivity {
    /// Largest p-value of one family.
    pub alpha: f64,
    /// Least effect.
    pub effect: f64,
    /// Largest modified z that is no outlier.
    pub cutoff: f64,
}

impl Sensitivity {
    /// Reads a sensitivity from 0.10 to 0.99; greater sees more.
    ///
    /// # Errors
    /// [`Unfit`] outside that range.
    pub fn new(s: f64) -> Result<Self, Unfit> {
        let s = within("sensitivity", s, 0.10, 0.99)?;
        Ok(Sensitivity {
            alpha: 10f64.powf(-3.0 + 1.7 * (s - 0.1) / 0.89) / FAMILIES,
            effect: 1.0 - 0.5 * s,
            cutoff: 2.5 + 2.5 * (0.99 - s) / 0.89,
        })
    }

    /// Is it seen?
    fn sees(&self, p: f64, effect: f64) -> bool {
        p <= self.alpha && effect >= self.effect
    }
}

/// Looks for every pattern. The answer stands in a fixed order: by kind of pattern, then by what it concerns.
///
/// # Errors
/// [`Unfit`] for a sensitivity, a score or an outcome outside its range.
pub fn scan(scene: &Scene, sensitivity: f64) -> Result<Vec<Signal>, Unfit> {
    let sensitivity = Sensitivity::new(sensitivity)?;
    for vote in scene.rounds.iter().flat_map(|round| &round.votes) {
        within("score", vote.score, 0.0, 1.0)?;
    }
    if let Some(outcome) = scene.outcome {
        within("outcome", outcome, 0.0, 1.0)?;
    }
    let Some(last) = scene.rounds.last().filter(|round| round.votes.len() >= FEWEST) else {
        return Ok(Vec::new());
    };
    let mut arrivals: Vec<&Vote> = last.votes.iter().collect();
    arrivals.sort_by(|a, b| a.at.cmp(&b.at).then_with(|| a.voter.cmp(&b.voter)));
    let mut signals = Vec::new();
    signals.extend(arrival::synchronization(last.opened, &arrivals, &sensitivity));
    if !scene.sealed {
        signals.extend(scene.winner.and_then(|winner| arrival::cascade(&arrivals, winner, &sensitivity)));
    }
    signals.extend(scene.outcome.and_then(|outcome| intelligence(&last.votes, outcome, &sensitivity)));
    if scene.rounds.len() >= 2 {
        let moves = movement::Moves::of(&scene.rounds);
        signals.extend(movement::convergence(&moves, &sensitivity));
        signals.extend(movement::swarm(&moves, &sensitivity));
    } else if let Some(winner) = scene.winner {
        signals.extend(arrival::convergence(last.opened, &arrivals, winner, &sensitivity));
    }
    signals.extend(anomaly::find(scene, last, &arrivals, &sensitivity));
    signals.sort();
    Ok(signals)
}

/// The errors of a crowd: its own, the mean of its members', and how they differ from each other. The first is the
/// second less the third.
///
/// Source: S. E. Page, *The Difference*, 2007, the diversity prediction theorem.
pub fn errors(scores: &[f64], outcome: f64) -> Option<(f64, f64, f64)> {
    let crowd = mean(scores)?;
    let square = |from: f64| move |score: &f64| (score - from) * (score - from);
    let individual = mean(&scores.iter().map(square(outcome)).collect::<Vec<_>>())?;
    let diversity = mean(&scores.iter().map(square(crowd)).collect::<Vec<_>>())?;
    Some(((crowd - outcome) * (crowd - outcome), individual, diversity))
}

fn intelligence(votes: &[Vote], outcome: f64, sensitivity: &Sensitivity) -> Option<Signal> {
    let scores: Vec<f64> = votes.iter().map(|vote| vote.score).collect();
    let (crowd, individual, diversity) = errors(&scores, outcome)?;
    if individual <= 0.0 {
        return None;
    }
    let of = |wanted: std::cmp::Ordering| {
        let error = |score: &f64| (score - outcome) * (score - outcome);
        scores.iter().filter(|score| error(score).total_cmp(&crowd) == wanted).count() as u64
    };
    let p = sign_test(of(std::cmp::Ordering::Greater), of(std::cmp::Ordering::Less));
    let effect = diversity / individual;
    let complexity = (entropy(&choices(votes)).exp() * 1e6).round_ties_even() as u64;
    sensitivity.sees(p, effect).then(|| Signal {
        pattern: Pattern::CollectiveIntelligence { complexity },
        strength: share(effect),
        p_value: Some(p_value(p)),
        n: votes.len() as u32,
        null_model: "a voter is as often better as worse than the crowd",
    })
}

/// How many votes each option has.
fn choices(votes: &[Vote]) -> Vec<f64> {
    let mut counts: BTreeMap<u32, f64> = BTreeMap::new();
    votes.iter().for_each(|vote| *counts.entry(vote.option).or_default() += 1.0);
    counts.into_values().collect()
}

/// What is said of every decision, pattern or not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics {
    /// Entropy of the choices, in millionths of a nat.
    pub entropy: u64,
    /// How many options there effectively were, in millionths.
    pub opinions: u64,
    /// Four times the variance of the scores: 0 when all agree, 1 when half say 0 and half 1; in millionths.
    pub polarisation: u64,
    /// Who voted for something else than what won.
    pub dissenters: Vec<VoterId>,
}

/// Diagnostics of the votes that decided.
pub fn diagnose(votes: &[Vote], winner: Option<u32>) -> Diagnostics {
    let scores: Vec<f64> = votes.iter().map(|vote| vote.score).collect();
    let variance = errors(&scores, 0.0).map_or(0.0, |(_, _, diversity)| diversity);
    let entropy = entropy(&choices(votes));
    let dissent = votes.iter().filter(|vote| winner.is_some_and(|winner| vote.option != winner));
    let mut dissenters: Vec<VoterId> = dissent.map(|vote| vote.voter.clone()).collect();
    dissenters.sort();
    let opinions = if votes.is_empty() { 0.0 } else { entropy.exp() };
    Diagnostics {
        entropy: (entropy * 1e6).round_ties_even() as u64,
        opinions: (opinions * 1e6).round_ties_even() as u64,
        polarisation: share(4.0 * variance),
        dissenters,
    }
}

/// How a ranking may be adjusted, in millionths from 900,000 to 1,100,000: above one only for collective intelligence
/// that an outcome has proven. Synchronized and cascading votes never raise it: they are fewer voices than heads.
pub fn factor(signals: &[Signal]) -> u64 {
    let proven = signals.iter().find(|s| matches!(s.pattern, Pattern::CollectiveIntelligence { .. }));
    1_000_000 + proven.map_or(0, |signal| (signal.strength / 10).min(100_000))
}

#[cfg(test)]
#[path = "emergence_test.rs"]
mod tests;
