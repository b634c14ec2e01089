//! A contest: one vote rule over all questions, each answer of a question a poll of its own.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::json;

use super::past::Entry;
use super::votes::{Question, Votes};
use quorate_runtime::api::dto::{QuorumStatus, StartQuorum};
use quorate_runtime::core::kernel::ids::{EntityId, VoterId};
use quorate_runtime::core::voting::quorum::QuorumState;
use quorate_runtime::core::voting::rules::{self, Choice, Count, Formula, Outcome, Rule, RuleSpec};
use quorate_runtime::error::{Error, ErrorKind};
use quorate_runtime::journal::chain::digest;

/// One rule and its polls.
#[derive(Debug)]
pub(super) struct Contest {
    /// The rule in words, such as `required:9`.
    pub(super) rule: String,
    /// The rule as data.
    pub(super) spec: RuleSpec,
    built: Box<dyn Rule>,
    /// The polls, question by question, in the order of the questions' answers.
    pub(super) polls: Vec<Poll>,
    /// Where the polls of each question begin.
    pub(super) asked: Vec<Asked>,
}

/// Whether a question is put to the vote under a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Yes; this is the first of its polls.
    From(usize),
    /// No: the rule is met before anybody votes.
    MetBefore,
    /// No: the rule cannot be met by these voters.
    CannotBeMet,
}

/// One quorum: is this the answer?
#[derive(Debug)]
pub(super) struct Poll {
    /// The quorum's id. It follows from the file, the rule, the question and the answer alone.
    pub(super) id: EntityId,
    /// Which question.
    pub(super) question: usize,
    /// Which of its answers.
    pub(super) answer: usize,
    /// Approvals with which the rule can be met.
    pub(super) required: u32,
    /// An earlier run has opened it.
    pub(super) known: bool,
    /// How many of the question's votes an earlier run has cast on it.
    pub(super) on_record: u32,
    /// How it stands at the end.
    pub(super) end: Option<End>,
}

/// How a poll stands when all votes are cast.
#[derive(Debug)]
pub(super) struct End {
    /// Its state.
    pub(super) state: QuorumState,
    /// Who decided it.
    pub(super) decided_by: Option<VoterId>,
    /// Votes after its close.
    pub(super) late_votes: u32,
}

impl From<QuorumStatus> for End {
    fn from(status: QuorumStatus) -> Self {
        End { state: status.state, decided_by: status.decided_by, late_votes: status.late_votes }
    }
}

/// What became of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// This poll was approved, the first of its question.
    Decided(usize),
    /// None was; these many answers have the most votes.
    Tie,
    /// None was, and one answer has the most votes.
    Undecided,
}

impl Contest {
    /// Lays out the polls of a rule.
    ///
    /// # Errors
    /// `invalid_argument` for a rule that does not exist or whose parameters do not fit.
    pub(super) fn new(spec: RuleSpec, votes: &Votes) -> Result<Self, Error> {
        let rule = spec.to_string();
        let built = rules::build(&spec).map_err(|e| {
            let error = Error::new(ErrorKind::InvalidArgument, e.to_string());
            error.with("field", "rule").with("value", rule.as_str())
        })?;
        let mut contest = Contest { rule, spec, built, polls: Vec::new(), asked: Vec::new() };
        for (number, question) in votes.questions.iter().enumerate() {
            let voters = u32::try_from(question.voters.len()).unwrap_or(u32::MAX);
            let (_, formula) = contest.formula(votes, question);
            let everyone = || (0..question.voters.len()).collect();
            let asked = match formula.outcome(&Count::new(&formula, Some(voters)), everyone) {
                Outcome::Pending => Asked::From(contest.polls.len()),
                Outcome::Won => Asked::MetBefore,
                Outcome::Lost => Asked::CannotBeMet,
            };
            contest.asked.push(asked);
            if !matches!(asked, Asked::From(_)) {
                continue;
            }
            let required = formula.fewest_for(Some(voters)).unwrap_or(0);
            for (answer, text) in question.answers.iter().enumerate() {
                let id = poll_id(votes, &contest.spec, &question.name, text)?;
                contest.polls.push(Poll {
                    id,
                    question: number,
                    answer,
                    required,
                    known: false,
                    on_record: 0,
                    end: None,
                });
            }
        }
        Ok(contest)
    }

    /// The polls of a question: none where it is not put to the vote.
    pub(super) fn polls_of(&self, number: usize, question: &Question) -> &[Poll] {
        match self.asked[number] {
            Asked::From(first) => &self.polls[first..first + question.answers.len()],
            Asked::MetBefore | Asked::CannotBeMet => &[],
        }
    }

    /// What became of a question.
    pub(super) fn verdict(&self, number: usize, votes: &Votes) -> Verdict {
        let question = &votes.questions[number];
        let polls = self.polls_of(number, question);
        let approved =
            polls.iter().filter(|p| p.end.as_ref().is_some_and(|end| end.state == QuorumState::Approved));
        // A low bar may let several answers through; the one that got there first stands.
        if let Some(poll) = approved.min_by_key(|poll| self.deciding_vote(votes, question, poll)) {
            return Verdict::Decided(poll.answer);
        }
        let counts = standing(votes, question);
        let most = counts.iter().max().copied().unwrap_or_default();
        let is_tie = !polls.is_empty() && counts.iter().filter(|count| **count == most).count() > 1;
        if is_tie { Verdict::Tie } else { Verdict::Undecided }
    }

    /// The question's voters in order, and the rule made ready for them.
    fn formula(&self, votes: &Votes, question: &Question) -> (Vec<VoterId>, Formula) {
        let mut voters: Vec<VoterId> =
            question.voters.iter().map(|voter| votes.workers[*voter as usize].clone()).collect();
        voters.sort();
        let formula = rules::prepare(self.built.as_ref(), &voters).formula;
        (voters, formula)
    }

    /// Which of the question's votes decided for an answer.
    fn deciding_vote(&self, votes: &Votes, question: &Question, poll: &Poll) -> usize {
        let (voters, formula) = self.formula(votes, question);
        let mut count = Count::new(&formula, u32::try_from(voters.len()).ok());
        let mut cast: BTreeMap<usize, Choice> = BTreeMap::new();
        let decided = votes.of(question).position(|row| {
            let index = voters.binary_search(votes.voter(row)).unwrap_or_default();
            let choice = if row.answer as usize == poll.answer { Choice::For } else { Choice::Against };
            if let Some(before) = cast.insert(index, choice) {
                count.remove(&formula, index, before);
            }
            count.add(&formula, index, choice);
            let outstanding = || (0..voters.len()).filter(|index| !cast.contains_key(index)).collect();
            formula.outcome(&count, outstanding) == Outcome::Won
        });
        decided.unwrap_or(usize::MAX)
    }
}

fn poll_id(votes: &Votes, rule: &RuleSpec, question: &str, answer: &str) -> Result<EntityId, Error> {
    let named = json!([votes.digest.to_string(), rule, question, answer]).to_string();
    let mut name = digest(named.as_bytes()).to_string();
    name.truncate(32);
    quorate_runtime::api::dto::id("quorum_id", &format!("replay-{name}"))
}

impl Poll {
    /// The request that opens its quorum.
    pub(super) fn request(&self, spec: &RuleSpec, votes: &Votes, timeout_seconds: f64) -> StartQuorum {
        let question = &votes.questions[self.question];
        let voters = question.voters.iter().map(|voter| votes.workers[*voter as usize].clone());
        let answer = &question.answers[self.answer];
        StartQuorum {
            quorum_id: Some(self.id.clone()),
            rule: Some(spec.clone().into()),
            timeout_seconds: Some(timeout_seconds),
            voters: Some(voters.collect()),
            subject: Some(json!({ "question": question.name, "answer": answer, "rule": spec.to_string() })),
            ..StartQuorum::global()
        }
    }

    /// How many of the question's votes stand on its quorum's record. The record is what the first votes left
    /// there: each vote one entry, except one that repeats what its voter has standing or was refused before.
    pub(super) fn cast_before(&self, votes: &Votes, record: &[Entry]) -> u32 {
        let question = &votes.questions[self.question];
        let mut standing: HashMap<u32, bool> = HashMap::new();
        let mut refused: HashSet<(u32, bool)> = HashSet::new();
        let mut entries = record.iter();
        let mut cast = 0;
        for row in votes.of(question) {
            let vote = row.answer as usize == self.answer;
            if standing.get(&row.voter) != Some(&vote) && !refused.contains(&(row.voter, vote)) {
                match entries.next() {
                    Some(entry) if entry.voter == row.voter && entry.vote == vote => {
                        if entry.refused {
                            refused.insert((row.voter, vote));
                        } else {
                            standing.insert(row.voter, vote);
                        }
                    }
                    Some(_) | None => return cast,
                }
            }
            cast += 1;
        }
        cast
    }
}

/// How many workers stand by each answer at the end.
pub(super) fn standing(votes: &Votes, question: &Question) -> Vec<u32> {
    let last: HashMap<u32, u32> = votes.of(question).map(|row| (row.voter, row.answer)).collect();
    let mut counts = vec![0; question.answers.len()];
    for answer in last.into_values() {
        counts[answer as usize] += 1;
    }
    counts
}
