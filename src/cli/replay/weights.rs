//! What the answers most probably are, by each source of weights: computed from the recorded votes alone, without
//! quorums. Where no truth is used to learn from, the accuracy is that of learning without being told anything.

use std::collections::BTreeSet;

use clap::ArgMatches;
use serde_json::{Value, json};

use super::votes::{Truth, Votes};
use crate::output::table;
use quorate_runtime::core::voting::reliability::{self, Estimate, History, Past, SOURCES, Source};
use quorate_runtime::error::Error;

/// Short names of what is asked for most.
const SHORT: [(&str, &str); 2] = [("learned", "dawid_skene"), ("learned-online", "dawid_skene_online")];

/// A source of weights, under the name that was asked for.
type Named = (String, Box<dyn Source>);

/// The sources asked for, each once, with the names they were asked by.
///
/// # Errors
/// `invalid_argument` naming the source or parameter that does not fit.
pub(super) fn asked(matches: &ArgMatches) -> Result<Vec<Named>, Error> {
    let mut sources: Vec<(String, Box<dyn Source>)> = Vec::new();
    for text in matches.get_many::<String>("weights").into_iter().flatten() {
        let (name, rest) = text.split_once(':').unwrap_or((text, ""));
        let name = SHORT.iter().find(|(short, _)| *short == name).map_or(name, |(_, long)| long);
        let text = if rest.is_empty() { name.to_owned() } else { format!("{name}:{rest}") };
        if sources.iter().all(|(known, _)| *known != text) {
            let source = reliability::read(&text).map_err(|e| Error::invalid(&e.field, e.value, &e.range))?;
            sources.push((text, source));
        }
    }
    Ok(sources)
}

/// The votes as a history. The known answers of the first `gold` questions that have one are its outcomes.
pub(super) fn history(votes: &Votes, truth: &Truth, gold: usize) -> Result<History, Error> {
    let mut history = History::default();
    for row in &votes.rows {
        let question = &votes.questions[row.question as usize];
        history.vote(&question.name, votes.voter(row), &question.answers[row.answer as usize]);
    }
    let known = votes.questions.iter().filter_map(|q| truth.get(&q.name).map(|answer| (&q.name, answer)));
    for (question, answer) in known.take(gold) {
        history.outcome(question, answer).map_err(|e| Error::invalid(&e.field, e.value, &e.range))?;
    }
    Ok(history)
}

/// How many answers were right.
#[derive(Clone, Debug, Default)]
pub(super) struct Right {
    /// Questions with an answer, in a tie, without any.
    pub(super) decided: usize,
    pub(super) ties: usize,
    pub(super) undecided: usize,
    /// Of the decided ones with a known answer that was not learned from: all, and right.
    pub(super) known_decided: usize,
    pub(super) correct: usize,
    /// Questions with a known answer that was not learned from.
    pub(super) known: usize,
    /// Where there are two answers: the rarer one, and its F1.
    pub(super) f1: Option<(String, f64)>,
}

impl Right {
    /// Measures estimates, question by question, against the truth.
    pub(super) fn of(history: &History, estimates: &[Estimate], truth: &Truth) -> Self {
        let mut right = Right::default();
        let (mut said, mut meant, mut hits) = ([0; 2], [0; 2], [0; 2]);
        for ((question, estimate), number) in history.questions().iter().zip(estimates).zip(0..) {
            let truth = truth.get(question).filter(|_| history.outcome_of(number).is_none());
            let truth = truth.map(|answer| history.options().iter().position(|option| option == answer));
            right.known += usize::from(truth.is_some());
            match estimate {
                Estimate::Option(option, _) => {
                    let option = *option as usize;
                    right.decided += 1;
                    right.known_decided += usize::from(truth.is_some());
                    right.correct += usize::from(truth == Some(Some(option)));
                    if truth.is_some() && option < 2 {
                        said[option] += 1;
                        hits[option] += usize::from(truth == Some(Some(option)));
                    }
                }
                Estimate::Tie => right.ties += 1,
                Estimate::None => right.undecided += 1,
            }
            if let Some(Some(answer @ (0 | 1))) = truth {
                meant[answer] += 1;
            }
        }
        if let ([first, second], true) = (history.options(), right.known > 0) {
            let rare = usize::from(meant[1] < meant[0]);
            let name = if rare == 0 { first } else { second };
            let f1 = (2 * hits[rare]) as f64 / (said[rare] + meant[rare]).max(1) as f64;
            right.f1 = Some((name.clone(), f1));
        }
        right
    }

    pub(super) fn accuracy(&self) -> Option<f64> {
        (self.known > 0).then(|| self.correct as f64 / self.known as f64)
    }

    pub(super) fn json(&self) -> Value {
        let of_decided = (self.known_decided > 0).then(|| self.correct as f64 / self.known_decided as f64);
        json!({
            "decided": self.decided,
            "ties": self.ties,
            "undecided": self.undecided,
            "correct": self.correct,
            "accuracy_of_decided": of_decided,
            "accuracy": self.accuracy(),
            "f1": self.f1.as_ref().map(|(answer, f1)| json!({ "answer": answer, "f1": f1 })),
        })
    }
}

/// What one source found.
struct Row {
    source: String,
    right: Right,
    passes: u32,
    settled: bool,
    unanchored: bool,
}

/// What every source found.
#[derive(Default)]
pub(super) struct Weighed {
    rows: Vec<Row>,
    /// Known answers that were learned from.
    gold: usize,
}

impl Weighed {
    /// Lets every source learn from the votes.
    ///
    /// # Errors
    /// `invalid_argument` where a source has not what it needs.
    pub(super) fn of(
        sources: &[(String, Box<dyn Source>)],
        votes: &Votes,
        truth: &Truth,
        gold: usize,
    ) -> Result<Self, Error> {
        let past = Past { history: history(votes, truth, gold)?, ..Past::default() };
        let names: BTreeSet<&str> = votes.questions.iter().map(|q| q.name.as_str()).collect();
        let known = truth.keys().filter(|question| names.contains(question.as_str())).count();
        let mut rows = Vec::new();
        for (name, source) in sources {
            let learned = source.learn(&past).map_err(|e| Error::invalid(&e.field, e.value, &e.range))?;
            rows.push(Row {
                source: name.clone(),
                right: Right::of(&past.history, &learned.estimates, truth),
                passes: learned.passes,
                settled: learned.settled,
                unanchored: learned.unanchored,
            });
        }
        Ok(Weighed { rows, gold: gold.min(known) })
    }

    pub(super) fn json(&self) -> Value {
        let row = |row: &Row| {
            let mut out = row.right.json();
            out["source"] = row.source.as_str().into();
            out["passes"] = row.passes.into();
            out["settled"] = row.settled.into();
            out["unanchored"] = row.unanchored.into();
            out
        };
        json!({ "gold": self.gold, "sources": self.rows.iter().map(row).collect::<Vec<_>>() })
    }

    pub(super) fn text(&self) -> String {
        if self.rows.is_empty() {
            return String::new();
        }
        let shown = |share: Option<f64>| share.map_or("-".into(), |share| format!("{share:.4}"));
        let rows = self.rows.iter().map(|row| {
            vec![
                row.source.clone(),
                row.right.decided.to_string(),
                row.right.ties.to_string(),
                shown(row.right.accuracy()),
                row.right.f1.as_ref().map_or("-".into(), |(answer, f1)| format!("{f1:.4} of {answer}")),
                format!("{}{}", row.passes, if row.settled { "" } else { ", not settled" }),
            ]
        });
        let mut out = String::from("\n");
        out += &table(&["weights", "decided", "ties", "accuracy", "F1", "passes"], rows);
        if self.rows.iter().any(|row| row.unanchored) {
            out += "unanchored: no answer was told beforehand, so voters who err together look reliable\n";
        }
        out
    }
}

/// The names of the sources, for help.
pub(crate) fn names() -> String {
    SOURCES.iter().map(|entry| entry.name).chain(SHORT.map(|(short, _)| short)).collect::<Vec<_>>().join(", ")
}
