//! Vote rules, one file each, and the one way to count by them. Quorums and proposals both decide here.
//!
//! ```text
//!  RuleSpec (name, parameters) ──build──► Rule ──voters──► Formula ──votes──► Pending │ Won │ Lost
//!   as written down, stored       checked         integer sums      formula.outcome(count)
//! ```
//!
//! Adding a rule is a file and a line in [`RULES`]; `quorate replay`, the command line, HTTP and the conformance
//! tests read the table. A rule only says what its formula is; counting, and deciding as early as is certain, is
//! [`Formula`]'s business. A rule that no formula can say is a [`CustomRule`], brought along in Rust.

mod all;
mod any;
mod at_least;
mod custom;
mod dual;
mod effective_voters;
mod formula;
mod not;
pub mod presets;
mod required;
mod search;
mod spec;
mod supermajority;
mod threshold;
mod unanimous;
mod veto;
mod weighted;

use std::collections::BTreeSet;
use std::fmt;

pub use crate::kernel::number::{Fraction, WHOLE_WEIGHT, Weight};
pub use custom::{CustomRule, CustomRules, NoCustomRules, Poll, Ruling};
pub use formula::{Choice, Count, Formula, Held, Node, Outcome, Sum};
pub use spec::{Param, Params, RuleSpec, WeightTable};

use crate::kernel::ids::VoterId;

/// What a rule keeps to. The conformance tests check it on random polls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// A vote for instead of any other never turns won into lost.
    MoreForNeverHurts,
    /// It depends on the rules inside.
    AsItsParts,
}

impl Law {
    /// The law in words.
    pub fn text(self) -> &'static str {
        match self {
            Law::MoreForNeverHurts => "another vote for never hurts",
            Law::AsItsParts => "as the rules inside it",
        }
    }
}

/// A rule, its parameters read.
pub trait Rule: fmt::Debug + Send + Sync {
    /// The condition under which the question is won in this electorate.
    fn node(&self, electorate: &mut Electorate<'_>) -> Node;

    /// The condition when nobody knows who may vote; most rules have none.
    fn node_for_anyone(&self) -> Option<Node> {
        None
    }

    /// The bar, to be shown beside results: a fraction, or a count of votes.
    fn threshold(&self) -> f64;

    /// How much each voter weighs, when the rule weighs.
    fn weights(&self) -> Option<&WeightTable> {
        None
    }
}

/// The voters a formula is made for, and the tables of weights it needs.
#[derive(Debug)]
pub struct Electorate<'a> {
    voters: &'a [VoterId],
    columns: Vec<Vec<u64>>,
    zero_weight: bool,
}

/// A column of votes: which one, and how much can be cast in it.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    index: u32,
    total: i128,
}

impl Column {
    /// How much can be cast.
    pub fn total(self) -> i128 {
        self.total
    }

    /// `per` × the votes cast ≥ `at_least`.
    pub fn sum(self, per: [i64; 3], at_least: i128) -> Node {
        Node::Sum(Sum { column: self.index, per, at_least })
    }

    /// More than the fraction of all, or all where the fraction is the whole.
    pub fn more_than(self, fraction: Fraction) -> Node {
        let (n, d) = fraction.parts();
        if fraction.is_one() {
            self.sum([1, 0, 0], self.total.max(1))
        } else {
            self.sum([d, 0, 0], i128::from(n) * self.total + 1)
        }
    }

    /// At least the fraction of all, and something.
    pub fn at_least(self, fraction: Fraction) -> Node {
        let (n, d) = fraction.parts();
        self.sum([d, 0, 0], (i128::from(n) * self.total).max(1))
    }

    /// At least the fraction of what is cast for or against, and something; `strictly` more than it, or all where
    /// the fraction is the whole.
    pub fn of_cast(self, fraction: Fraction, strictly: bool) -> Node {
        let (n, d) = fraction.parts();
        let bar = i128::from(strictly && !fraction.is_one());
        Node::All(vec![self.sum([d - n, -n, 0], bar), self.sum([1, 1, 0], 1)])
    }
}

impl Electorate<'_> {
    /// Heads: of everyone, or of a group.
    pub fn heads(&mut self, group: Option<&BTreeSet<VoterId>>) -> Column {
        match group {
            None => Column { index: 0, total: self.voters.len() as i128 },
            Some(group) => {
                let units = self.voters.iter().map(|voter| u64::from(group.contains(voter))).collect();
                self.column(units)
            }
        }
    }

    /// Weights: of everyone, or of a group. Notes it when nobody weighs anything.
    pub fn weights(&mut self, table: &WeightTable, group: Option<&BTreeSet<VoterId>>) -> Column {
        let inside = |voter: &VoterId| group.is_none_or(|group| group.contains(voter));
        let units = self.voters.iter().map(|voter| if inside(voter) { table.of(voter) } else { 0 });
        let column = self.column(units.collect());
        self.zero_weight |= column.total == 0;
        column
    }

    fn column(&mut self, units: Vec<u64>) -> Column {
        let total = units.iter().map(|unit| i128::from(*unit)).sum();
        // The same weights twice are one column.
        let known = self.columns.iter().position(|column| *column == units);
        let index = known.unwrap_or_else(|| {
            self.columns.push(units);
            self.columns.len() - 1
        });
        Column { index: index as u32 + 1, total }
    }
}

/// A rule made ready for an electorate.
#[derive(Clone, Debug, PartialEq)]
pub struct Prepared {
    /// What is counted.
    pub formula: Formula,
    /// The bar, for display.
    pub threshold: f64,
    /// Somebody is to be weighed and nobody weighs anything.
    pub zero_weight: bool,
}

/// Makes a rule ready for these voters, each named once.
pub fn prepare(rule: &dyn Rule, voters: &[VoterId]) -> Prepared {
    let mut electorate = Electorate { voters, columns: Vec::new(), zero_weight: false };
    let root = rule.node(&mut electorate);
    let Electorate { columns, zero_weight, .. } = electorate;
    Prepared { formula: Formula { columns, root }, threshold: rule.threshold(), zero_weight }
}

/// A rule that no votes of those who may vote can meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmeetable {
    /// The rule, as it is written.
    pub rule: String,
    /// How many votes for it needs, where it is a plain number of them.
    pub required: Option<u64>,
    /// How many may vote.
    pub available: u32,
    /// Nobody of them weighs anything, and the rule weighs.
    pub weightless: bool,
}

impl Unmeetable {
    /// A rule with this formula, for so many voters.
    pub fn new(rule: impl fmt::Display, root: Option<&Node>, available: u32, weightless: bool) -> Self {
        let required = match root {
            Some(Node::Sum(Sum { column: 0, per: [1, 0, 0], at_least })) => u64::try_from(*at_least).ok(),
            Some(Node::Sum(_) | Node::All(_) | Node::Any(_)) | None => None,
        };
        Unmeetable { rule: rule.to_string(), required, available, weightless }
    }
}

/// A parameter of a rule.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it takes, and what is assumed without it.
    pub summary: &'static str,
}

/// Builds a rule from its parameters.
pub type BuildRule = fn(&Params<'_>) -> Result<Box<dyn Rule>, RuleError>;

/// One line of the table of rules.
#[derive(Debug)]
pub struct RuleEntry {
    /// The name in commands and JSON.
    pub name: &'static str,
    /// One line for lists.
    pub summary: &'static str,
    /// Its parameters; the first is the one a text after a colon fills.
    pub parameters: &'static [Parameter],
    /// Where the rule comes from.
    pub source: &'static str,
    /// What it keeps to.
    pub law: Law,
    /// The rule with plain parameters: what comparisons, tests and benchmarks run.
    pub sample: fn() -> RuleSpec,
    /// Builds it.
    pub build: BuildRule,
}

/// Every rule.
pub const RULES: &[RuleEntry] = &[
    threshold::ENTRY,
    at_least::ENTRY,
    supermajority::ENTRY,
    weighted::ENTRY,
    unanimous::ENTRY,
    required::ENTRY,
    dual::ENTRY,
    effective_voters::ENTRY,
    veto::ENTRY,
    all::ENTRY,
    any::ENTRY,
    not::ENTRY,
];

/// Why a rule cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// No rule of that name.
    #[error("unknown rule. given={given}, expected one of {expected}")]
    Unknown {
        /// The name asked for.
        given: String,
        /// The names there are.
        expected: String,
    },
    /// A parameter does not fit.
    #[error("{parameter} of rule {rule} does not fit. given={given}, expected {expected}")]
    Parameter {
        /// The rule.
        rule: String,
        /// Its parameter.
        parameter: String,
        /// What was given.
        given: String,
        /// What it takes.
        expected: String,
    },
}

fn entry_of(name: &str) -> Option<&'static RuleEntry> {
    RULES.iter().find(|entry| entry.name == name)
}

/// Builds a rule.
///
/// ```
/// use quorate_core::voting::rules::{RuleSpec, build, prepare};
/// # use quorate_core::kernel::ids::VoterId;
/// let voters: Vec<VoterId> = ["ann", "bob", "cyd"].map(|id| VoterId::new(id).unwrap()).into();
/// let rule = build(&RuleSpec::from_text("at_least:2/3"))?;
/// assert_eq!(prepare(rule.as_ref(), &voters).formula.fewest_for(Some(3)), Some(2));
/// # Ok::<(), quorate_core::voting::rules::RuleError>(())
/// ```
///
/// # Errors
/// [`RuleError`] for an unknown name or a parameter that is unknown, missing or out of range.
pub fn build(spec: &RuleSpec) -> Result<Box<dyn Rule>, RuleError> {
    build_within(spec, Reading { depth: 0, is_new: false })
}

/// The same for a rule that somebody asks for now: weights must be whole millionths and ids clear. What was taken by
/// an earlier version is still built by [`build`].
///
/// # Errors
/// As [`build`].
pub fn check(spec: &RuleSpec) -> Result<(), RuleError> {
    build_within(spec, Reading { depth: 0, is_new: true }).map(drop)
}

/// Do two rules say the same, however they are written? Rules that cannot be built are the same when they are written
/// alike.
pub fn are_same(one: &RuleSpec, other: &RuleSpec) -> bool {
    // A rule is its parameters as they were read, and their names and values are all that is shown of it.
    let meaning = |spec| build(spec).map(|rule| format!("{rule:?}"));
    one == other || matches!((meaning(one), meaning(other)), (Ok(one), Ok(other)) if one == other)
}

/// How the parameters of a rule are read.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    pub(super) depth: usize,
    pub(super) is_new: bool,
}

fn build_within(spec: &RuleSpec, reading: Reading) -> Result<Box<dyn Rule>, RuleError> {
    let entry = entry_of(&spec.rule).ok_or_else(|| RuleError::Unknown {
        given: spec.rule.chars().take(100).collect(),
        expected: RULES.iter().map(|e| e.name).collect::<Vec<_>>().join(", "),
    })?;
    let params = Params { rule: entry.name, known: entry.parameters, given: &spec.params, reading };
    params.check_names()?;
    (entry.build)(&params)
}

#[cfg(test)]
#[path = "rules_test.rs"]
mod tests;
