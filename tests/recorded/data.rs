//! Reads the recorded votes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use flate2::read::GzDecoder;
use quorate_core::kernel::ids::VoterId;
use quorate_core::voting::reliability::{Estimate, History};

/// Votes and the known answers, by question.
pub struct Recorded {
    pub name: &'static str,
    /// Question, voter, answer, in order.
    pub votes: Vec<[String; 3]>,
    pub truth: BTreeMap<String, String>,
}

/// A set of recorded votes; without its files `None`, said loudly.
pub fn recorded(name: &'static str) -> Option<Recorded> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data/votes");
    let read = |what: &str| {
        let path = folder.join(format!("{name}-{what}.csv.gz"));
        let Ok(file) = File::open(&path) else {
            eprintln!("SKIPPED: {} is not here, so nothing was measured", path.display());
            return None;
        };
        let mut text = String::new();
        GzDecoder::new(file).read_to_string(&mut text).unwrap();
        Some(
            text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>()).collect(),
        )
    };
    let (answers, truth): (Vec<Vec<String>>, Vec<Vec<String>>) = (read("answers")?, read("truth")?);
    let votes = answers.into_iter().map(|row| row.try_into().unwrap()).collect();
    let truth = truth.into_iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    Some(Recorded { name, votes, truth })
}

/// How good a set of estimates is.
#[derive(Clone, Copy, Debug)]
pub struct Score {
    /// The share of questions with the right answer; a tie has none.
    pub accuracy: f64,
    /// F1 of the answer `1`.
    pub f1: f64,
}

impl Recorded {
    /// The votes as a history without outcomes.
    pub fn history(&self) -> History {
        let mut history = History::default();
        for [question, voter, answer] in &self.votes {
            history.vote(question, &VoterId::new(voter.as_str()).unwrap(), answer);
        }
        history
    }

    /// Measures estimates against the known answers, but for those that the history was told.
    pub fn score(&self, history: &History, estimates: &[Estimate]) -> Score {
        let (mut scored, mut right, mut hits, mut said, mut meant) = (0, 0, 0, 0, 0);
        let asked = (0..).zip(history.questions()).zip(estimates);
        for ((_, question), estimate) in
            asked.filter(|((number, _), _)| history.outcome_of(*number).is_none())
        {
            scored += 1;
            let truth = self.truth[question].as_str();
            let answer = match estimate {
                Estimate::Option(option, _) => history.options()[*option as usize].as_str(),
                Estimate::Tie | Estimate::None => "",
            };
            right += usize::from(answer == truth);
            hits += usize::from(answer == "1" && truth == "1");
            said += usize::from(answer == "1");
            meant += usize::from(truth == "1");
        }
        let f1 = 2.0 * hits as f64 / (said + meant) as f64;
        Score { accuracy: right as f64 / f64::from(scored), f1 }
    }
}
