//! Rules no formula can say, brought along in Rust as pure functions.

use std::fmt;

use super::formula::{Choice, Outcome};
use crate::kernel::ids::VoterId;

/// Everything a custom rule may look at.
#[derive(Clone, Copy, Debug)]
pub struct Poll<'a> {
    /// Who may vote, in order, each once.
    pub participants: &'a [VoterId],
    /// Their weights, in the same order, in millionths.
    pub weights: &'a [u64],
    /// The votes so far, in the order in which they came.
    pub votes: &'a [(VoterId, Choice)],
    /// No more votes will come.
    pub deadline_reached: bool,
}

impl Poll<'_> {
    /// How many chose so.
    pub fn count(&self, choice: Choice) -> usize {
        self.votes.iter().filter(|(_, vote)| *vote == choice).count()
    }

    /// How much those who chose so weigh together, in millionths.
    pub fn weight(&self, choice: Choice) -> u128 {
        let cast = self.votes.iter().filter(|(_, vote)| *vote == choice);
        let weight = |voter| self.participants.binary_search(voter).ok().and_then(|i| self.weights.get(i));
        cast.filter_map(|(voter, _)| weight(voter)).map(|weight| u128::from(*weight)).sum()
    }
}

/// A pure function of a poll. The same poll must always give the same outcome: it is asked again after a restart.
///
/// It is asked after every vote, and once more at the deadline; it decides as early as it likes. Its panic ends the
/// one proposal it was asked about, rejected.
///
/// ```
/// use quorate_core::voting::rules::{Choice, CustomRule, Outcome, Poll};
/// // Whoever gets to three first.
/// let first_to_three = |poll: &Poll<'_>| match (poll.count(Choice::For), poll.count(Choice::Against)) {
///     (3.., _) => Outcome::Won,
///     (_, 3..) => Outcome::Lost,
///     _ => Outcome::Pending,
/// };
/// fn takes(_: impl CustomRule) {}
/// takes(first_to_three);
/// ```
pub trait CustomRule: Send + Sync {
    /// Where the poll stands.
    fn outcome(&self, poll: &Poll<'_>) -> Outcome;
}

impl<F: Fn(&Poll<'_>) -> Outcome + Send + Sync> CustomRule for F {
    fn outcome(&self, poll: &Poll<'_>) -> Outcome {
        self(poll)
    }
}

/// What came of asking a custom rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// It answered.
    Outcome(Outcome),
    /// No rule of that name is registered in this process.
    Unavailable,
    /// It panicked.
    Failed(String),
}

/// Where custom rules are looked up by name.
pub trait CustomRules: Send + Sync + fmt::Debug {
    /// Asks one rule about a poll.
    fn ask(&self, name: &str, poll: &Poll<'_>) -> Ruling;
}

/// Knows no rule.
#[derive(Clone, Copy, Debug)]
pub struct NoCustomRules;

impl CustomRules for NoCustomRules {
    fn ask(&self, _: &str, _: &Poll<'_>) -> Ruling {
        Ruling::Unavailable
    }
}
