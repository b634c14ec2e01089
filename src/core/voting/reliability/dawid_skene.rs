//! Error tables of voters and the most probable answers, learned together from who agreed with whom.
//!
//! Each voter has a table: how often it says `o` where the right answer is `c`. Given the tables, the answers follow by
//! Bayes' rule; given the answers, the tables are counts. The two steps are repeated until the votes are hardly more
//! likely than before.
//!
//! ```text
//!  shares of the votes ──► tables ──► answers ──► tables ──► … until a pass gains less than the tolerance per vote
//!   (majority)               ▲           │
//!                            └── known outcomes stay what they are
//! ```
//!
//! Sources: A. P. Dawid, A. M. Skene, "Maximum likelihood estimation of observer error-rates using the EM algorithm",
//! Applied Statistics 28, 1979; floors and the start from majority as in Toloka crowd-kit 1.4.2, with which the results
//! agree when nothing is assumed beforehand. The counts that are assumed are a Dirichlet prior (Beta where there are two
//! options): with them a voter of three votes is not taken for infallible.

use std::collections::BTreeMap;

use super::{Estimate, Given, History, Learned, Parameter, Past, Source, SourceEntry, log_odds};
use crate::kernel::ids::VoterId;
use crate::voting::statistics::{Unfit, frozen, share, within};

/// No count and no share is taken for smaller.
const FLOOR: f64 = 1e-10;

/// The parameters of this model.
pub(super) const PARAMETERS: &[Parameter] = &[
    Parameter {
        name: "passes",
        summary: "most passes over the history",
        range: (1.0, 10_000.0),
        default: 100.0,
    },
    Parameter {
        name: "tolerance",
        summary: "ends when a pass gains less log-likelihood per vote; below 0 never",
        range: (-1.0, 1.0),
        default: 1e-5,
    },
    Parameter {
        name: "agree",
        summary: "votes of each voter for each right answer assumed beforehand",
        range: (0.0, 1e6),
        default: 0.5,
    },
    Parameter {
        name: "differ",
        summary: "votes of each voter for each wrong answer assumed beforehand",
        range: (0.0, 1e6),
        default: 0.1,
    },
];

/// The line in the table.
pub const ENTRY: SourceEntry = SourceEntry {
    name: "dawid_skene",
    summary: "error tables and answers learned together over the whole history",
    source: "Dawid, Skene, Applied Statistics 28, 1979",
    version: 1,
    parameters: PARAMETERS,
    build: |given| Box::new(Settings::read(given)),
};

/// How to fit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Most passes.
    pub passes: u32,
    /// A pass that gains less log-likelihood per vote is the last one. Below 0 all passes are made.
    pub tolerance: f64,
    /// Votes for each right answer assumed of each voter.
    pub agree: f64,
    /// Votes for each wrong answer assumed of each voter.
    pub differ: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { passes: 100, tolerance: 1e-5, agree: 0.5, differ: 0.1 }
    }
}

impl Settings {
    fn read(given: &Given<'_>) -> Self {
        Settings {
            passes: given.count("passes"),
            tolerance: given.number("tolerance"),
            agree: given.number("agree"),
            differ: given.number("differ"),
        }
    }

    fn check(&self) -> Result<(), Unfit> {
        within("passes", f64::from(self.passes), 1.0, 10_000.0)?;
        within("tolerance", self.tolerance, -1.0, 1.0)?;
        within("agree", self.agree, 0.0, 1e6)?;
        within("differ", self.differ, 0.0, 1e6).map(drop)
    }
}

/// How often a voter said what where what was right, in millionths of a vote, by the names of the options. Kept from an
/// earlier history it is where a later one begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorTable {
    /// Said and right option to millionths of votes.
    pub counts: BTreeMap<(String, String), u64>,
}

/// A fitted model.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// How many options there are.
    pub options: usize,
    /// For each question the probability of each option: `options` numbers a question.
    pub answers: Vec<f64>,
    /// How common each option is as the right answer.
    pub prior: Vec<f64>,
    /// For each voter and said option the expected number of such votes by right option.
    pub counts: Vec<f64>,
    /// The same as probabilities: how probably the voter says it when that is right.
    pub errors: Vec<f64>,
    /// Passes made.
    pub passes: u32,
    /// The last pass gained less than the tolerance.
    pub settled: bool,
}

impl Fit {
    /// The probabilities of a question's options.
    pub fn answer(&self, question: u32) -> &[f64] {
        let from = question as usize * self.options;
        &self.answers[from..from + self.options]
    }

    /// How probably a voter is right.
    pub fn accuracy(&self, voter: u32) -> f64 {
        accuracy(&self.errors, &self.prior, voter as usize)
    }

    /// What was counted of a voter, to begin with another time.
    pub fn table(&self, history: &History, voter: u32) -> ErrorTable {
        let k = self.options;
        let mut counts = BTreeMap::new();
        for (said, said_name) in history.options().iter().enumerate() {
            for (right, right_name) in history.options().iter().enumerate() {
                let count = self.counts[(voter as usize * k + said) * k + right];
                if count >= 0.5e-6 {
                    let millionths = (count * 1e6).round_ties_even() as u64;
                    counts.insert((said_name.clone(), right_name.clone()), millionths);
                }
            }
        }
        ErrorTable { counts }
    }
}

/// How probably a voter is right, by its table and how common each answer is.
pub(super) fn accuracy(errors: &[f64], prior: &[f64], voter: usize) -> f64 {
    let k = prior.len();
    prior.iter().enumerate().map(|(c, p)| p * errors[(voter * k + c) * k + c]).sum()
}

/// The most probable option, ties kept apart.
pub(in crate::voting) fn most_probable(answer: &[f64]) -> Estimate {
    let most = answer.iter().copied().fold(0.0, f64::max);
    let mut leaders = answer.iter().enumerate().filter(|(_, p)| **p >= most - 1e-12);
    match (leaders.next(), leaders.next()) {
        (Some((option, p)), None) => Estimate::Option(option as u32, share(*p)),
        (Some(_), Some(_)) => Estimate::Tie,
        (None, _) => Estimate::None,
    }
}

/// Turns logarithms into probabilities in place; answers the logarithm of their sum.
pub(in crate::voting) fn normalize(logs: &mut [f64]) -> f64 {
    let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    for log in logs.iter_mut() {
        *log = (*log - most).exp();
        sum += *log;
    }
    for log in logs.iter_mut() {
        *log /= sum;
    }
    most + sum.ln()
}

/// Fits the model to a history. `earlier` are tables of some voters to begin with.
///
/// # Errors
/// [`Unfit`] for settings outside their ranges.
pub fn fit(
    history: &History,
    earlier: &BTreeMap<VoterId, ErrorTable>,
    settings: &Settings,
) -> Result<Fit, Unfit> {
    settings.check()?;
    Ok(Work::new(history, earlier, settings).run(settings))
}

/// The votes of a history in the order of their questions, and room for the two steps.
struct Work {
    k: usize,
    /// Where the votes of each question begin; one more at the end.
    starts: Vec<usize>,
    /// For each vote, where the row of its voter and said option begins in the tables.
    rows: Vec<usize>,
    outcomes: Vec<Option<u32>>,
    /// What is assumed before any vote.
    base: Vec<f64>,
    /// Rows of options that a voter has used, or of which something is assumed.
    used: Vec<bool>,
    logs: Vec<f64>,
    fit: Fit,
}

impl Work {
    fn new(history: &History, earlier: &BTreeMap<VoterId, ErrorTable>, settings: &Settings) -> Self {
        let k = history.options().len();
        let (questions, voters) = (history.questions().len(), history.voters().len());
        let mut base = vec![0.0; voters * k * k];
        for (index, count) in base.iter_mut().enumerate() {
            let (said, right) = (index / k % k, index % k);
            *count = if said == right { settings.agree } else { settings.differ };
        }
        let numbers: BTreeMap<&str, usize> = history.options().iter().map(String::as_str).zip(0..).collect();
        for (number, voter) in history.voters().iter().enumerate() {
            for ((said, right), millionths) in earlier.get(voter).map(|t| &t.counts).into_iter().flatten() {
                if let (Some(said), Some(right)) = (numbers.get(said.as_str()), numbers.get(right.as_str())) {
                    base[(number * k + said) * k + right] += *millionths as f64 / 1e6;
                }
            }
        }
        let mut used: Vec<bool> =
            base.chunks(k.max(1)).map(|row| row.iter().any(|count| *count > 0.0)).collect();
        let (mut starts, mut rows) = (vec![0], Vec::with_capacity(history.votes().len()));
        let mut outcomes = Vec::with_capacity(questions);
        let mut answers = vec![0.0; questions * k];
        for (question, casts) in history.by_question().iter().enumerate() {
            for cast in casts {
                let row = cast.voter as usize * k + cast.option as usize;
                used[row] = true;
                rows.push(row * k);
                answers[question * k + cast.option as usize] += 1.0 / casts.len() as f64;
            }
            starts.push(rows.len());
            outcomes.push(history.outcome_of(question as u32));
        }
        let fit = Fit {
            options: k,
            answers,
            prior: vec![0.0; k],
            counts: base.clone(),
            errors: vec![0.0; base.len()],
            passes: 0,
            settled: false,
        };
        Work { k, starts, rows, outcomes, logs: vec![0.0; base.len()], base, used, fit }
    }

    fn run(mut self, settings: &Settings) -> Fit {
        if self.rows.is_empty() {
            self.fit.settled = true;
            return self.fit;
        }
        self.clamp();
        self.count();
        let mut before = f64::NEG_INFINITY;
        while self.fit.passes < settings.passes && !self.fit.settled {
            let likelihood = self.answer() / self.rows.len() as f64;
            self.clamp();
            self.count();
            self.fit.passes += 1;
            self.fit.settled = likelihood - before < settings.tolerance;
            before = likelihood;
        }
        self.fit
    }

    /// Known outcomes are certain.
    fn clamp(&mut self) {
        for (answer, outcome) in self.fit.answers.chunks_mut(self.k).zip(&self.outcomes) {
            if let Some(outcome) = outcome {
                answer.fill(0.0);
                answer[*outcome as usize] = 1.0;
            }
        }
    }

    /// Tables and prior from the answers.
    fn count(&mut self) {
        let k = self.k;
        self.fit.counts.copy_from_slice(&self.base);
        self.fit.prior.fill(0.0);
        for (question, answer) in self.fit.answers.chunks(k).enumerate() {
            for row in &self.rows[self.starts[question]..self.starts[question + 1]] {
                for (count, p) in self.fit.counts[*row..*row + k].iter_mut().zip(answer) {
                    *count += p;
                }
            }
            for (prior, p) in self.fit.prior.iter_mut().zip(answer) {
                *prior += p;
            }
        }
        let questions = (self.starts.len() - 1) as f64;
        self.fit.prior.iter_mut().for_each(|prior| *prior = (*prior / questions).max(FLOOR));
        let mut sums = vec![0.0; k];
        for voter in 0..self.used.len() / k {
            let rows = voter * k..(voter + 1) * k;
            sums.fill(0.0);
            for row in rows.clone().filter(|row| self.used[*row]) {
                for (sum, count) in sums.iter_mut().zip(&self.fit.counts[row * k..(row + 1) * k]) {
                    *sum += count.max(FLOOR);
                }
            }
            for row in rows.filter(|row| self.used[*row]) {
                for (right, sum) in sums.iter().enumerate() {
                    let at = row * k + right;
                    self.fit.errors[at] = self.fit.counts[at].max(FLOOR) / sum;
                    self.logs[at] = self.fit.errors[at].ln();
                }
            }
        }
    }

    /// Answers from tables and prior; the log-likelihood of all votes.
    fn answer(&mut self) -> f64 {
        let k = self.k;
        let prior: Vec<f64> = self.fit.prior.iter().map(|p| p.ln()).collect();
        let mut likelihood = 0.0;
        for (question, answer) in self.fit.answers.chunks_mut(k).enumerate() {
            answer.copy_from_slice(&prior);
            for row in &self.rows[self.starts[question]..self.starts[question + 1]] {
                for (log, error) in answer.iter_mut().zip(&self.logs[*row..*row + k]) {
                    *log += error;
                }
            }
            likelihood += normalize(answer);
        }
        likelihood
    }
}

impl Source for Settings {
    fn learn(&self, past: &Past) -> Result<Learned, Unfit> {
        let history = &past.history;
        let fit = fit(history, &past.tables, self)?;
        let mut weights = BTreeMap::new();
        for (voter, number) in history.voters().iter().zip(0..) {
            weights.insert(voter.clone(), frozen("weight", log_odds(fit.accuracy(number)))?);
        }
        let estimates = (0..history.questions().len() as u32).map(|q| most_probable(fit.answer(q)));
        Ok(Learned {
            weights,
            estimates: estimates.collect(),
            unanchored: !history.is_anchored(),
            passes: fit.passes,
            settled: fit.settled,
        })
    }
}
