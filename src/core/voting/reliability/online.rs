//! The same model as [`dawid_skene`](super::dawid_skene), vote by vote: no pass over the history, ready at any time.
//!
//! Each vote makes the answer of its question anew and moves the tables of those who voted on it by what that changed.
//! Answers that were made early, when the tables were poor, are made anew in turn: after each vote a few earlier
//! questions, from the votes that are remembered with them. So the cost of a vote does not grow with the history.
//!
//! Source: R. M. Neal, G. E. Hinton, "A view of the EM algorithm that justifies incremental, sparse, and other
//! variants", in *Learning in Graphical Models*, 1998.

use std::collections::BTreeMap;

use super::dawid_skene::{accuracy, most_probable, normalize};
use super::{Cast, Estimate, Learned, Parameter, Past, Source, SourceEntry, log_odds};
use crate::voting::statistics::{Unfit, frozen, within};

/// The line in the table.
pub const ENTRY: SourceEntry = SourceEntry {
    name: "dawid_skene_online",
    summary: "the same vote by vote: each vote is taken once, in order",
    source: "Neal, Hinton, Learning in Graphical Models, 1998",
    version: 1,
    parameters: &[
        Parameter {
            name: "agree",
            summary: "votes of each voter for each right answer assumed beforehand",
            range: (1e-6, 1e6),
            default: 1.0,
        },
        Parameter {
            name: "differ",
            summary: "votes of each voter for each wrong answer assumed beforehand",
            range: (1e-6, 1e6),
            default: 0.2,
        },
        Parameter {
            name: "revisits",
            summary: "earlier questions whose answer is made anew after each vote",
            range: (0.0, 100.0),
            default: 1.0,
        },
    ],
    build: |given| {
        Box::new(Settings {
            agree: given.number("agree"),
            differ: given.number("differ"),
            revisits: given.count("revisits"),
        })
    },
};

/// What is assumed, and how much is looked at again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Votes for each right answer assumed of each voter.
    pub agree: f64,
    /// Votes for each wrong answer assumed of each voter.
    pub differ: f64,
    /// Earlier questions whose answer is made anew after each vote.
    pub revisits: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { agree: 1.0, differ: 0.2, revisits: 1 }
    }
}

/// A question with votes.
#[derive(Clone, Debug)]
struct Asked {
    /// Voters and what they say.
    votes: Vec<(u32, u32)>,
    answer: Vec<f64>,
    outcome: Option<u32>,
}

/// The model as it stands.
#[derive(Clone, Debug)]
pub struct Online {
    settings: Settings,
    options: usize,
    /// For each voter and said option the expected number of such votes by right option.
    counts: Vec<f64>,
    /// The sums of `counts` over what was said.
    totals: Vec<f64>,
    /// How often each option was right, with one assumed of each.
    prior: Vec<f64>,
    questions: BTreeMap<u32, Asked>,
    /// The question to look at again next.
    next: u32,
}

impl Online {
    /// Knows nothing yet; questions have `options` options.
    ///
    /// # Errors
    /// [`Unfit`] for settings outside their ranges, and for fewer than two or more than 1,000 options.
    pub fn new(options: usize, settings: Settings) -> Result<Self, Unfit> {
        within("agree", settings.agree, 1e-6, 1e6)?;
        within("differ", settings.differ, 1e-6, 1e6)?;
        within("revisits", f64::from(settings.revisits), 0.0, 100.0)?;
        if !(2..=1000).contains(&options) {
            return Err(Unfit::new("options", options, "2 to 1000 options"));
        }
        Ok(Online {
            settings,
            options,
            counts: Vec::new(),
            totals: Vec::new(),
            prior: vec![1.0; options],
            questions: BTreeMap::new(),
            next: 0,
        })
    }

    /// Takes a vote. A second vote of a voter on a question takes the place of the first.
    ///
    /// # Errors
    /// [`Unfit`] for an option that there is not.
    pub fn vote(&mut self, cast: Cast) -> Result<(), Unfit> {
        self.check(cast.option)?;
        self.know(cast.voter);
        let k = self.options;
        let asked = self.questions.entry(cast.question).or_insert_with(|| Asked {
            votes: Vec::new(),
            answer: vec![0.0; k],
            outcome: None,
        });
        if let Some(at) = asked.votes.iter().position(|(voter, _)| *voter == cast.voter) {
            let (voter, said) = asked.votes.remove(at);
            for (right, p) in asked.answer.iter().enumerate() {
                self.counts[(voter as usize * k + said as usize) * k + right] -= p;
                self.totals[voter as usize * k + right] -= p;
            }
        }
        // The new vote is counted with the answer as it was, so that making it anew moves all votes alike.
        for (right, p) in asked.answer.iter().enumerate() {
            self.counts[(cast.voter as usize * k + cast.option as usize) * k + right] += p;
            self.totals[cast.voter as usize * k + right] += p;
        }
        asked.votes.push((cast.voter, cast.option));
        self.answer_anew(cast.question);
        for _ in 0..self.settings.revisits {
            let next = self.questions.range(self.next..).next().or_else(|| self.questions.iter().next());
            let Some((next, _)) = next.map(|(number, asked)| (*number, asked)) else { break };
            self.next = next.saturating_add(1);
            self.answer_anew(next);
        }
        Ok(())
    }

    /// The right answer became known.
    ///
    /// # Errors
    /// [`Unfit`] for an option that there is not, or a question without votes.
    pub fn outcome(&mut self, question: u32, option: u32) -> Result<(), Unfit> {
        self.check(option)?;
        match self.questions.get_mut(&question) {
            Some(asked) => asked.outcome = Some(option),
            None => return Err(Unfit::new("outcome.question", question, "a question with votes")),
        }
        self.answer_anew(question);
        Ok(())
    }

    fn check(&self, option: u32) -> Result<(), Unfit> {
        if (option as usize) < self.options {
            return Ok(());
        }
        Err(Unfit::new("option", option, format!("a number below {}", self.options)))
    }

    /// Makes room for a voter.
    fn know(&mut self, voter: u32) {
        let k = self.options;
        let Settings { agree, differ, .. } = self.settings;
        while self.totals.len() < (voter as usize + 1) * k {
            for index in 0..k * k {
                self.counts.push(if index / k == index % k { agree } else { differ });
            }
            self.totals.extend(std::iter::repeat_n(agree + differ * (k - 1) as f64, k));
        }
    }

    /// The probabilities of the options, by what is known now.
    fn probabilities(&self, asked: &Asked) -> Vec<f64> {
        let k = self.options;
        if let Some(outcome) = asked.outcome {
            return (0..k).map(|option| f64::from(u8::from(option == outcome as usize))).collect();
        }
        let mut answer: Vec<f64> = self.prior.iter().map(|count| count.ln()).collect();
        for (voter, said) in &asked.votes {
            let row = (*voter as usize * k + *said as usize) * k;
            let total = *voter as usize * k;
            for (right, log) in answer.iter_mut().enumerate() {
                // Rounding may carry a count that was taken back below what was assumed.
                let count = self.counts[row + right].max(1e-10);
                *log += (count / self.totals[total + right].max(1e-10)).ln();
            }
        }
        normalize(&mut answer);
        answer
    }

    fn answer_anew(&mut self, question: u32) {
        let k = self.options;
        let Some(asked) = self.questions.get(&question) else { return };
        let answer = self.probabilities(asked);
        let Some(asked) = self.questions.get_mut(&question) else { return };
        let moved: Vec<f64> = answer.iter().zip(&asked.answer).map(|(now, before)| now - before).collect();
        asked.answer = answer;
        for (right, by) in moved.iter().enumerate() {
            self.prior[right] = (self.prior[right] + by).max(1e-10);
            for (voter, said) in &asked.votes {
                self.counts[(*voter as usize * k + *said as usize) * k + right] += by;
                self.totals[*voter as usize * k + right] += by;
            }
        }
    }

    /// What the answer to a question most probably is, by the tables as they stand now.
    pub fn estimate(&self, question: u32) -> Estimate {
        match self.questions.get(&question) {
            Some(asked) if !asked.votes.is_empty() || asked.outcome.is_some() => {
                most_probable(&self.probabilities(asked))
            }
            Some(_) | None => Estimate::None,
        }
    }

    /// How probably a voter is right; what was assumed, for one who never voted.
    pub fn accuracy(&self, voter: u32) -> f64 {
        let k = self.options;
        let Settings { agree, differ, .. } = self.settings;
        if self.totals.len() < (voter as usize + 1) * k {
            return agree / (agree + differ * (k - 1) as f64);
        }
        let (table, totals) = (voter as usize * k * k, voter as usize * k);
        let errors: Vec<f64> =
            (0..k * k).map(|at| self.counts[table + at].max(0.0) / self.totals[totals + at % k]).collect();
        let sum: f64 = self.prior.iter().sum();
        let prior: Vec<f64> = self.prior.iter().map(|count| count / sum).collect();
        accuracy(&errors, &prior, 0)
    }

    /// The weight of a voter, in millionths.
    ///
    /// # Errors
    /// None are known: the weight is that of a probability.
    pub fn weight(&self, voter: u32) -> Result<u64, Unfit> {
        frozen("weight", log_odds(self.accuracy(voter)))
    }
}

impl Source for Settings {
    fn learn(&self, past: &Past) -> Result<Learned, Unfit> {
        let history = &past.history;
        let mut online = Online::new(history.options().len().max(2), *self)?;
        for cast in history.votes() {
            online.vote(*cast)?;
            // A gold question is one whose outcome is known before anybody votes.
            if let Some(outcome) = history.outcome_of(cast.question) {
                online.outcome(cast.question, outcome)?;
            }
        }
        let mut weights = BTreeMap::new();
        for (voter, number) in history.voters().iter().zip(0..) {
            weights.insert(voter.clone(), online.weight(number)?);
        }
        Ok(Learned {
            weights,
            estimates: (0..history.questions().len() as u32).map(|q| online.estimate(q)).collect(),
            unanchored: !history.is_anchored(),
            passes: 1,
            settled: true,
        })
    }
}
