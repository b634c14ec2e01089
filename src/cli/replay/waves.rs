//! How many votes are needed when the best voters are asked first and asking stops in time.
//!
//! The questions are parted in two halves. What is known of the voters when one half is asked was learned, without any
//! answer told, from the votes on the other, so that no question is weighed by what was learned from it.

use std::collections::BTreeMap;

use clap::ArgMatches;
use serde_json::Value;

use super::votes::{Truth, Votes};
use super::weights::{Right, history};
use crate::output::table;
use quorate_runtime::core::voting::reliability::dawid_skene::{self, Fit, fit};
use quorate_runtime::core::voting::reliability::{Cast, Estimate, History};
use quorate_runtime::core::voting::statistics::{Unfit, frozen, within};
use quorate_runtime::core::voting::waves::{By, Model, Plan, Settings, Why, plan};
use quorate_runtime::error::Error;

fn unfit(e: Unfit) -> Error {
    Error::invalid(&e.field, e.value, &e.range)
}

/// The bounds asked for, in millionths.
///
/// # Errors
/// `invalid_argument` for what is no chance from 0 to 1.
pub(super) fn asked(matches: &ArgMatches) -> Result<Vec<u64>, Error> {
    let bounds = matches.get_many::<String>("waves").into_iter().flatten();
    let read = |text: &String| {
        let bound = text.parse::<f64>().unwrap_or(f64::NAN);
        within("waves", bound, 0.0, 1.0)
            .and_then(|bound| frozen("waves", bound))
            .map_err(|e| Error::invalid(&e.field, text.as_str(), &e.range))
    };
    bounds.map(read).collect()
}

/// One line of the curve.
struct Row {
    by: By,
    bound: u64,
    votes: usize,
    whys: BTreeMap<Why, usize>,
    right: Right,
}

/// The curve.
#[derive(Default)]
pub(super) struct Curve {
    rows: Vec<Row>,
    /// Votes there are, and questions.
    all: (usize, usize),
}

impl Curve {
    /// Measures every bound, by heads and by error tables.
    ///
    /// # Errors
    /// `invalid_argument` where the votes cannot be learned from: fewer than two answers.
    pub(super) fn of(bounds: &[u64], wave: u32, votes: &Votes, truth: &Truth) -> Result<Self, Error> {
        if bounds.is_empty() {
            return Ok(Curve::default());
        }
        let history = history(votes, truth, 0)?;
        let models = [model(&history, 0)?, model(&history, 1)?];
        let by_question = history.by_question();
        let mut rows = Vec::new();
        for by in [By::Heads, By::Tables] {
            for bound in bounds {
                let settings = Settings { by, wave, bound: *bound };
                let mut row =
                    Row { by, bound: *bound, votes: 0, whys: BTreeMap::new(), right: Right::default() };
                let mut estimates = Vec::new();
                for (number, casts) in by_question.iter().enumerate() {
                    let (decision, why, asked) = ask(&models[number % 2], &settings, casts).map_err(unfit)?;
                    row.votes += asked;
                    *row.whys.entry(why).or_default() += 1;
                    estimates.push(decision);
                }
                row.right = Right::of(&history, &estimates, truth);
                rows.push(row);
            }
        }
        Ok(Curve { rows, all: (history.votes().len(), history.questions().len()) })
    }

    fn per_question(&self, votes: usize) -> f64 {
        votes as f64 / self.all.1.max(1) as f64
    }

    pub(super) fn json(&self) -> Value {
        let row = |row: &Row| {
            let count = |why| row.whys.get(&why).copied().unwrap_or(0);
            let mut out = row.right.json();
            out["by"] = by_name(row.by).into();
            out["bound"] = (row.bound as f64 / 1e6).into();
            out["votes_asked"] = row.votes.into();
            out["votes_per_question"] = self.per_question(row.votes).into();
            out["certain"] = count(Why::Certain).into();
            out["unlikely"] = count(Why::Unlikely).into();
            out["everyone_asked"] = count(Why::Everyone).into();
            out
        };
        self.rows.iter().map(row).collect()
    }

    pub(super) fn text(&self) -> String {
        if self.rows.is_empty() {
            return String::new();
        }
        let rows = self.rows.iter().map(|row| {
            let count = |why| row.whys.get(&why).copied().unwrap_or(0).to_string();
            vec![
                by_name(row.by).to_owned(),
                (row.bound as f64 / 1e6).to_string(),
                format!("{:.3} of {:.3}", self.per_question(row.votes), self.per_question(self.all.0)),
                count(Why::Certain),
                count(Why::Unlikely),
                count(Why::Everyone),
                row.right.accuracy().map_or("-".into(), |accuracy| format!("{accuracy:.4}")),
            ]
        });
        let header = ["waves by", "bound", "votes a question", "certain", "unlikely", "everyone", "accuracy"];
        String::from("\n") + &table(&header, rows)
    }
}

fn by_name(by: By) -> &'static str {
    match by {
        By::Heads => "heads",
        By::Tables => "tables",
    }
}

/// Asks wave after wave until the plan says stop: the decision, why, and how many were asked.
fn ask(model: &Model, settings: &Settings, casts: &[Cast]) -> Result<(Estimate, Why, usize), Unfit> {
    let mut left: Vec<u32> = casts.iter().map(|cast| cast.voter).collect();
    let mut votes: Vec<(u32, u32)> = Vec::new();
    loop {
        match plan(model, settings, &votes, &left)? {
            Plan::Ask(voters) => {
                left.retain(|voter| !voters.contains(voter));
                let said = casts.iter().filter(|cast| voters.contains(&cast.voter));
                votes.extend(said.map(|cast| (cast.voter, cast.option)));
            }
            Plan::Stop { decision, why, .. } => return Ok((decision, why, votes.len())),
        }
    }
}

/// What is learned from the votes on the questions of the other half, by the numbers of the whole.
fn model(all: &History, half: u32) -> Result<Model, Error> {
    let mut other = History::default();
    for option in all.options() {
        other.option(option);
    }
    for cast in all.votes().iter().filter(|cast| cast.question % 2 != half) {
        let question = &all.questions()[cast.question as usize];
        other.vote(question, &all.voters()[cast.voter as usize], &all.options()[cast.option as usize]);
    }
    let fit: Fit = fit(&other, &BTreeMap::new(), &dawid_skene::Settings::default()).map_err(unfit)?;
    let k = all.options().len();
    if k < 2 {
        return Err(Error::invalid("waves", k, "votes with at least two answers"));
    }
    // Without any vote in the other half, as common and as often right as nothing says otherwise.
    let prior = if other.votes().is_empty() { vec![1.0 / k as f64; k] } else { fit.prior.clone() };
    let known = (!other.votes().is_empty()).then(|| Model::of(&fit)).transpose().map_err(unfit)?;
    let mut errors = Vec::new();
    for voter in all.voters() {
        for at in 0..k * k {
            let (said, right) = (at / k, at % k);
            errors.push(match (&known, other.voter(voter)) {
                (Some(known), Some(number)) => known.error(number, said as u32, right as u32),
                (_, _) if said == right => 0.5,
                (_, _) => 0.5 / (k - 1) as f64,
            });
        }
    }
    Model::new(prior, errors).map_err(unfit)
}
