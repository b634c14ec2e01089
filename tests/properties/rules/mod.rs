//! The vote rules beside a naive twin: what a rule means is written a second time, for finished votes only, and every
//! early decision is compared with going through all ways in which the vote could still finish.
//!
//! | file | holds |
//! |---|---|
//! | `twin` | what each rule means, on votes where everybody's choice or silence is known |
//! | `specs` | random rules, drawn from the table |
//! | `exact` | decided exactly when all completions agree; counting; laws |
//! | `large` | many voters, where the completions cannot be enumerated |
//!
//! The table is the list: a rule or a parameter that is added to it and not taught here fails these tests.

mod exact;
mod large;
mod specs;
mod twin;

use proptest::test_runner::{Config, TestRunner};
use quorate_core::kernel::ids::VoterId;
use quorate_core::voting::rules::{Choice, Count, Formula, Outcome, Prepared, RuleSpec, build, prepare};

/// What one voter did: a choice, or silence.
type Done = Option<Choice>;

/// `v00`, `v01` and so on, in the order of an electorate.
fn voters(n: usize) -> Vec<VoterId> {
    (0..n).map(|i| VoterId::new(name(i)).unwrap()).collect()
}

fn name(index: usize) -> String {
    format!("v{index:02}")
}

fn prepared(spec: &RuleSpec, n: usize) -> Prepared {
    let rule = build(spec).unwrap_or_else(|e| panic!("{spec:?}: {e}"));
    prepare(rule.as_ref(), &voters(n))
}

/// A poll as its holder keeps it: a count that follows the votes, and who is outstanding.
struct Poll {
    formula: Formula,
    count: Count,
    /// By voter; `None` is outstanding.
    cast: Vec<Option<Done>>,
}

impl Poll {
    fn new(spec: &RuleSpec, n: usize) -> Self {
        let formula = prepared(spec, n).formula;
        let count = Count::new(&formula, Some(n as u32));
        Poll { formula, count, cast: vec![None; n] }
    }

    /// Takes a vote, which may take the place of an earlier one, or notes that the voter will stay silent.
    fn cast(&mut self, voter: usize, done: Done) {
        match (self.cast[voter], done) {
            (None, None) => self.count.silence(&self.formula, voter),
            (None, Some(choice)) => self.count.add(&self.formula, voter, choice),
            (Some(Some(before)), Some(choice)) => {
                self.count.remove(&self.formula, voter, before);
                self.count.add(&self.formula, voter, choice);
            }
            // Who is out of the poll stays out, and a vote is not taken back.
            (Some(None), _) | (Some(Some(_)), None) => return,
        }
        self.cast[voter] = Some(done);
    }

    fn outcome(&self) -> Outcome {
        let outstanding = || (0..self.cast.len()).filter(|voter| self.cast[*voter].is_none()).collect();
        self.formula.outcome(&self.count, outstanding)
    }
}

/// A runner whose failures are found again by their seed, printed with them.
fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() })
}
