//! Recorded votes and known answers, read from CSV.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::table::Table;
use crate::input::read_whole;
use quorate_runtime::core::kernel::ids::{EntityId, VoterId};
use quorate_runtime::core::kernel::time::Timestamp;
use quorate_runtime::error::Error;
use quorate_runtime::journal::chain::{ChainHash, digest};

/// Everything a file of votes says.
#[derive(Debug)]
pub(super) struct Votes {
    /// Fingerprint of the unpacked file.
    pub(super) digest: ChainHash,
    /// Questions in the order of the file.
    pub(super) questions: Vec<Question>,
    /// Workers in the order of the file.
    pub(super) workers: Vec<VoterId>,
    /// Votes in the order in which they are cast: by time when there are times, else as in the file.
    pub(super) rows: Vec<Row>,
    /// The votes carry times.
    pub(super) timed: bool,
    /// Votes of a worker on a question he had voted on before.
    pub(super) repeated: u64,
}

/// A question and who voted on it.
#[derive(Debug)]
pub(super) struct Question {
    /// Its name in the file.
    pub(super) name: String,
    /// Its distinct answers, as numbers and texts, in the order of the file.
    pub(super) answers: Vec<String>,
    /// Its distinct workers.
    pub(super) voters: Vec<u32>,
    /// Its votes, as indexes of rows, in the order in which they are cast.
    pub(super) rows: Vec<u32>,
}

/// One vote.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// Which question.
    pub(super) question: u32,
    /// Who voted.
    pub(super) voter: u32,
    /// For which of the question's answers.
    pub(super) answer: u32,
    /// Which of the question's votes it is, from 0.
    pub(super) nth: u32,
    /// When; the epoch when the file has no times.
    pub(super) at: Timestamp,
}

/// Known answers by question.
pub(super) type Truth = HashMap<String, String>;

impl Votes {
    /// Reads `question,worker,answer[,time]`.
    ///
    /// # Errors
    /// `invalid_argument` naming file, line and what is wrong.
    pub(super) fn read(path: &Path) -> Result<Self, Error> {
        let bytes = read_whole(path)?;
        let mut table = Table::new(path, &bytes)?;
        let columns = [table.column("question")?, table.column("worker")?, table.column("answer")?];
        let time = table.headers.iter().position(|name| name == "time");
        let mut found = Found::default();
        let mut votes = Votes {
            digest: digest(&bytes),
            questions: Vec::new(),
            workers: Vec::new(),
            rows: Vec::new(),
            timed: time.is_some(),
            repeated: 0,
        };
        while let Some(record) = table.next()? {
            let at = match time.and_then(|column| record.get(column)) {
                Some(text) => Timestamp::parse(text).map_err(|e| table.error(&format!("the time is {e}")))?,
                None => Timestamp::EPOCH,
            };
            let [question, worker, answer] = columns.map(|column| record.get(column).unwrap_or_default());
            found.add(&mut votes, [question, worker, answer], at).map_err(|e| table.error(&e))?;
        }
        if votes.rows.is_empty() {
            return Err(table.error("the file holds no votes"));
        }
        votes.order();
        Ok(votes)
    }

    /// Puts the rows in the order in which they are cast and numbers them within their questions.
    fn order(&mut self) {
        // Stable: votes of equal time keep the order of the file.
        self.rows.sort_by_key(|row| row.at);
        for (index, row) in self.rows.iter_mut().enumerate() {
            let of = &mut self.questions[row.question as usize].rows;
            row.nth = of.len() as u32;
            of.push(index as u32);
        }
    }

    /// Who cast a row.
    pub(super) fn voter(&self, row: &Row) -> &VoterId {
        &self.workers[row.voter as usize]
    }

    /// The votes of a question, in order.
    pub(super) fn of<'a>(&'a self, question: &'a Question) -> impl Iterator<Item = &'a Row> {
        question.rows.iter().map(|index| &self.rows[*index as usize])
    }
}

/// What has been met so far.
#[derive(Default)]
struct Found {
    questions: HashMap<String, u32>,
    workers: HashMap<String, u32>,
    answers: HashMap<(u32, String), u32>,
    pairs: HashSet<(u32, u32)>,
}

impl Found {
    fn add(
        &mut self,
        votes: &mut Votes,
        [question, worker, answer]: [&str; 3],
        at: Timestamp,
    ) -> Result<(), String> {
        if votes.rows.len() >= u32::MAX as usize {
            return Err("the file holds more than 4294967295 votes".into());
        }
        let question = match self.questions.get(question) {
            Some(known) => *known,
            None => {
                name("question", question)?;
                votes.questions.push(Question {
                    name: question.to_owned(),
                    answers: Vec::new(),
                    voters: Vec::new(),
                    rows: Vec::new(),
                });
                new(&mut self.questions, question.to_owned())
            }
        };
        let voter = match self.workers.get(worker) {
            Some(known) => *known,
            None => {
                votes.workers.push(VoterId::new(worker).map_err(|e| format!("the worker is no id: {e}"))?);
                new(&mut self.workers, worker.to_owned())
            }
        };
        let of = &mut votes.questions[question as usize];
        let key = (question, answer.to_owned());
        let answer = match self.answers.get(&key) {
            Some(known) => *known,
            None => {
                name("answer", answer)?;
                of.answers.push(answer.to_owned());
                let number = (of.answers.len() - 1) as u32;
                self.answers.insert(key, number);
                number
            }
        };
        if self.pairs.insert((question, voter)) {
            of.voters.push(voter);
        } else {
            votes.repeated += 1;
        }
        votes.rows.push(Row { question, voter, answer, nth: 0, at });
        Ok(())
    }
}

fn new(known: &mut HashMap<String, u32>, name: String) -> u32 {
    let number = known.len() as u32;
    known.insert(name, number);
    number
}

fn name(column: &str, text: &str) -> Result<(), String> {
    EntityId::new(text).map(|_| ()).map_err(|e| format!("the {column} is no id: {e}"))
}

/// Reads `question,truth`. A question that stands there twice has the last answer.
///
/// # Errors
/// `invalid_argument` naming file, line and what is wrong.
pub(super) fn read_truth(path: &Path) -> Result<Truth, Error> {
    let bytes = read_whole(path)?;
    let mut table = Table::new(path, &bytes)?;
    let columns = [table.column("question")?, table.column("truth")?];
    let mut truth = Truth::new();
    while let Some(record) = table.next()? {
        let [question, answer] = columns.map(|column| record.get(column).unwrap_or_default());
        name("question", question).and_then(|()| name("truth", answer)).map_err(|e| table.error(&e))?;
        truth.insert(question.to_owned(), answer.to_owned());
    }
    Ok(truth)
}
