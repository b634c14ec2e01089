//! Recorded votes in a compact form: who said what on which question, in order.

use std::collections::BTreeMap;

use crate::kernel::ids::VoterId;
use crate::voting::statistics::Unfit;

/// One vote: numbers into the lists of a [`History`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cast {
    /// Which question.
    pub question: u32,
    /// Who voted.
    pub voter: u32,
    /// For which option.
    pub option: u32,
}

/// Votes of many voters on many questions with the same options, in the order in which they came, and the outcomes
/// that became known. A second vote of a voter on a question takes the place of the first.
#[derive(Clone, Debug, Default)]
pub struct History {
    voters: Names<VoterId>,
    options: Names<String>,
    questions: Names<String>,
    votes: Vec<Cast>,
    /// Where the vote of a voter on a question stands in `votes`.
    places: BTreeMap<(u32, u32), usize>,
    outcomes: BTreeMap<u32, u32>,
}

/// Names and their numbers, in the order of their first appearance.
#[derive(Clone, Debug)]
struct Names<T> {
    list: Vec<T>,
    numbers: BTreeMap<T, u32>,
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Names { list: Vec::new(), numbers: BTreeMap::new() }
    }
}

impl<T: Ord + Clone> Names<T> {
    fn number(&mut self, name: &T) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = self.list.len() as u32;
        self.numbers.insert(name.clone(), number);
        self.list.push(name.clone());
        number
    }
}

impl History {
    /// Adds a vote. Voters, options and questions are known from their first appearance on.
    pub fn vote(&mut self, question: &str, voter: &VoterId, option: &str) -> Cast {
        let cast = Cast {
            question: self.questions.number(&question.to_owned()),
            voter: self.voters.number(voter),
            option: self.options.number(&option.to_owned()),
        };
        match self.places.get(&(cast.question, cast.voter)) {
            Some(place) => self.votes[*place] = cast,
            None => {
                self.places.insert((cast.question, cast.voter), self.votes.len());
                self.votes.push(cast);
            }
        }
        cast
    }

    /// Makes a voter known that may never have voted: it weighs what its source gives a stranger.
    pub fn voter_known(&mut self, voter: &VoterId) {
        self.voters.number(voter);
    }

    /// Makes an option known that nobody may have voted for.
    pub fn option(&mut self, option: &str) -> u32 {
        self.options.number(&option.to_owned())
    }

    /// Records what the right answer to a question was. A later record takes the place of an earlier one.
    ///
    /// # Errors
    /// [`Unfit`] for a question nobody voted on.
    pub fn outcome(&mut self, question: &str, option: &str) -> Result<(), Unfit> {
        let Some(number) = self.questions.numbers.get(question).copied() else {
            return Err(Unfit::new("outcome.question", question, "a question with votes"));
        };
        let option = self.options.number(&option.to_owned());
        self.outcomes.insert(number, option);
        Ok(())
    }

    /// The voters, by number.
    pub fn voters(&self) -> &[VoterId] {
        &self.voters.list
    }

    /// The options, by number.
    pub fn options(&self) -> &[String] {
        &self.options.list
    }

    /// The questions, by number.
    pub fn questions(&self) -> &[String] {
        &self.questions.list
    }

    /// The standing votes, in the order in which each voter first voted on its question.
    pub fn votes(&self) -> &[Cast] {
        &self.votes
    }

    /// The known outcome of a question.
    pub fn outcome_of(&self, question: u32) -> Option<u32> {
        self.outcomes.get(&question).copied()
    }

    /// Is any outcome known? Without one, a majority that errs together looks like the truth.
    pub fn is_anchored(&self) -> bool {
        !self.outcomes.is_empty()
    }

    /// The number of a voter.
    pub fn voter(&self, voter: &VoterId) -> Option<u32> {
        self.voters.numbers.get(voter).copied()
    }

    /// The votes of each question, in order.
    pub fn by_question(&self) -> Vec<Vec<Cast>> {
        let mut out = vec![Vec::new(); self.questions.list.len()];
        for cast in &self.votes {
            out[cast.question as usize].push(*cast);
        }
        out
    }

    /// How many votes each option of a question has.
    pub fn heads(&self, casts: &[Cast]) -> Vec<u32> {
        let mut heads = vec![0; self.options.list.len()];
        for cast in casts {
            heads[cast.option as usize] += 1;
        }
        heads
    }
}
