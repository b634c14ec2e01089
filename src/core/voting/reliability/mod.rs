//! How far each voter can be relied on: sources of weights, in one table.
//!
//! ```text
//!  Past (votes, outcomes, conduct, endorsements) ──Source──► Learned: weights in millionths, and what each
//!                                                            question's answer most probably is
//! ```
//!
//! | file | source |
//! |---|---|
//! | [`plain`] | `equal`, `declared`, `wawa` |
//! | [`factors`] | `factors`: eight measures of conduct with decay and feedback |
//! | [`dawid_skene`] | `dawid_skene`: error tables by expectation and maximisation over a whole history |
//! | [`online`] | `dawid_skene_online`: the same model, one vote at a time |
//! | [`eigentrust`] | `eigentrust`: voters endorse voters |
//! | [`readout`] | shares, percentiles, export and import of weights |
//!
//! Adding a source is a file and a line in [`SOURCES`]; `quorate replay` and the book read the table. Learning goes on
//! beside the votes, never while one is counted; what a session uses is frozen when it opens, and no session is weighed
//! by what it was itself learned from.
//!
//! A history without known outcomes is *unanchored*: voters who err together and are many enough look reliable in it,
//! whatever the method. Every result says so.

pub mod dawid_skene;
pub mod eigentrust;
pub mod factors;
mod history;
pub mod online;
pub mod plain;
pub mod readout;

use std::collections::BTreeMap;
use std::fmt;

pub use history::{Cast, History};

use super::statistics::{Unfit, within};
use crate::kernel::ids::VoterId;
use crate::kernel::time::Timestamp;

/// Least and greatest weight that is learned, in millionths.
pub const WEIGHT_BOUNDS: (u64, u64) = (100_000, 3_000_000);

/// Everything that a source may learn from.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// Votes and outcomes.
    pub history: History,
    /// Weights that were declared, in millionths.
    pub declared: BTreeMap<VoterId, u64>,
    /// What was recorded of each voter besides its votes.
    pub conduct: BTreeMap<VoterId, factors::Conduct>,
    /// Error tables that were learned before, to begin with.
    pub tables: BTreeMap<VoterId, dawid_skene::ErrorTable>,
    /// Who endorsed whom.
    pub endorsements: Vec<eigentrust::Endorsement>,
    /// Voters who are trusted to begin with.
    pub trusted: Vec<VoterId>,
    /// What surrounds what is weighed for; without it no adjustment.
    pub context: Option<factors::Context>,
    /// The time up to which records count, and from which their age is taken.
    pub now: Timestamp,
}

/// What the answer to a question most probably is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Estimate {
    /// This option, with this probability in millionths; for a source that has no probabilities, its share of the
    /// weight.
    Option(u32, u64),
    /// Several options are equal.
    Tie,
    /// Nobody voted.
    None,
}

/// What a source has learned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Learned {
    /// The weight of each voter, in millionths.
    pub weights: BTreeMap<VoterId, u64>,
    /// By question, in the order of the history.
    pub estimates: Vec<Estimate>,
    /// No outcome was known: see the module.
    pub unanchored: bool,
    /// Passes over the history.
    pub passes: u32,
    /// The last pass changed less than the tolerance; where there is nothing to repeat, true.
    pub settled: bool,
}

/// A source of weights, its parameters read.
pub trait Source: fmt::Debug + Send + Sync {
    /// Learns from the past.
    ///
    /// # Errors
    /// [`Unfit`] for records outside their ranges, or too few of them for this source.
    fn learn(&self, past: &Past) -> Result<Learned, Unfit>;
}

/// A parameter of a source.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it does, in one line.
    pub summary: &'static str,
    /// Least, greatest and default value.
    pub range: (f64, f64),
    /// What is taken without it.
    pub default: f64,
}

/// Parameters by name, read against those a source has.
#[derive(Clone, Debug)]
pub struct Given<'a> {
    parameters: &'static [Parameter],
    values: &'a BTreeMap<String, f64>,
}

impl Given<'_> {
    /// The value of a parameter, or its default.
    pub fn number(&self, name: &str) -> f64 {
        let default = || self.parameters.iter().find(|p| p.name == name).map_or(0.0, |p| p.default);
        self.values.get(name).copied().unwrap_or_else(default)
    }

    /// The same as a whole number.
    pub fn count(&self, name: &str) -> u32 {
        self.number(name) as u32
    }
}

/// One line of the table of sources.
#[derive(Debug)]
pub struct SourceEntry {
    /// The name in commands and JSON.
    pub name: &'static str,
    /// One line for lists.
    pub summary: &'static str,
    /// Where it comes from.
    pub source: &'static str,
    /// Counts up whenever the same past and parameters would give other weights than before.
    pub version: u32,
    /// Its parameters.
    pub parameters: &'static [Parameter],
    /// Builds it from parameters that lie in their ranges.
    pub build: fn(&Given<'_>) -> Box<dyn Source>,
}

/// Every source of weights.
pub const SOURCES: &[SourceEntry] = &[
    plain::EQUAL,
    plain::DECLARED,
    factors::ENTRY,
    plain::WAWA,
    dawid_skene::ENTRY,
    online::ENTRY,
    eigentrust::ENTRY,
];

/// Builds a source.
///
/// # Errors
/// [`Unfit`] for an unknown source, an unknown parameter, and a value outside its range.
pub fn build(name: &str, values: &BTreeMap<String, f64>) -> Result<Box<dyn Source>, Unfit> {
    let names = || SOURCES.iter().map(|entry| entry.name).collect::<Vec<_>>().join(", ");
    let entry = SOURCES.iter().find(|entry| entry.name == name);
    let entry = entry.ok_or_else(|| Unfit::new("weights", name, format!("one of {}", names())))?;
    for (given, value) in values {
        let Some(parameter) = entry.parameters.iter().find(|p| p.name == given) else {
            let known: Vec<&str> = entry.parameters.iter().map(|p| p.name).collect();
            let known = if known.is_empty() { "no parameters".to_owned() } else { known.join(", ") };
            return Err(Unfit::new(&format!("weights.{name}.{given}"), value, format!("only {known}")));
        };
        within(&format!("weights.{name}.{given}"), *value, parameter.range.0, parameter.range.1)?;
    }
    Ok((entry.build)(&Given { parameters: entry.parameters, values }))
}

/// Reads `name` or `name:parameter=value,…`.
///
/// # Errors
/// As [`build`], and [`Unfit`] for what is not written so.
pub fn read(text: &str) -> Result<Box<dyn Source>, Unfit> {
    let (name, values) = split(text)?;
    build(name, &values)
}

/// A source as it is put on record: with every parameter, whatever its default will be later, and with its version.
///
/// # Errors
/// As [`read`].
pub fn described(text: &str) -> Result<(String, u32), Unfit> {
    let (name, values) = split(text)?;
    build(name, &values)?;
    let entry = SOURCES.iter().find(|entry| entry.name == name);
    let entry = entry.ok_or_else(|| Unfit::new("weights", name, "a source of weights"))?;
    let given = Given { parameters: entry.parameters, values: &values };
    let all = entry.parameters.iter().map(|one| format!("{}={}", one.name, given.number(one.name)));
    let all = all.collect::<Vec<_>>().join(",");
    Ok((if all.is_empty() { name.to_owned() } else { format!("{name}:{all}") }, entry.version))
}

fn split(text: &str) -> Result<(&str, BTreeMap<String, f64>), Unfit> {
    let (name, rest) = text.split_once(':').unwrap_or((text, ""));
    let mut values = BTreeMap::new();
    for pair in rest.split(',').filter(|pair| !pair.is_empty()) {
        let pair = pair.split_once('=').map(|(key, value)| (key.trim(), value.trim().parse::<f64>()));
        let is_new = match pair {
            Some((key, Ok(value))) => values.insert(key.to_owned(), value).is_none(),
            Some((_, Err(_))) | None => false,
        };
        if !is_new {
            return Err(Unfit::new("weights", text, "name:parameter=number,… with each parameter once"));
        }
    }
    Ok((name, values))
}

/// The option with the most of something, ties kept apart; shares in millionths of the sum.
pub(in crate::voting) fn leading(amounts: &[u128]) -> Estimate {
    let sum: u128 = amounts.iter().sum();
    let most = amounts.iter().max().copied().unwrap_or(0);
    if most == 0 {
        return Estimate::None;
    }
    let mut leaders = amounts.iter().enumerate().filter(|(_, amount)| **amount == most);
    match (leaders.next(), leaders.next()) {
        (Some((option, _)), None) => {
            Estimate::Option(option as u32, u64::try_from(most * 1_000_000 / sum).unwrap_or(0))
        }
        _ => Estimate::Tie,
    }
}

/// The estimates of a vote by weight: each voter counts as much as it weighs.
pub fn by_weight(history: &History, weights: &BTreeMap<VoterId, u64>) -> Vec<Estimate> {
    let units: Vec<u64> =
        history.voters().iter().map(|voter| weights.get(voter).copied().unwrap_or(0)).collect();
    let mut amounts = vec![vec![0u128; history.options().len()]; history.questions().len()];
    for cast in history.votes() {
        amounts[cast.question as usize][cast.option as usize] += u128::from(units[cast.voter as usize]);
    }
    amounts.iter().map(|amounts| leading(amounts)).collect()
}

/// The weight of a voter who is right with this probability: its log-odds, `ln(p/(1 − p))`, with p held between 0.05
/// and 0.95, and nothing below a half. Optimal for two options and voters who err independently.
///
/// Source: S. Nitzan, J. Paroush, "Optimal decision rules in uncertain dichotomous choice situations", International
/// Economic Review 23, 1982.
pub fn log_odds(p: f64) -> f64 {
    let p = p.clamp(0.05, 0.95);
    (p / (1.0 - p)).ln().max(0.0)
}

#[cfg(test)]
#[path = "reliability_test.rs"]
mod tests;
