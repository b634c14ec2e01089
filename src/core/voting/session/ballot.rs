//! What a voter may say, and which options it supports by that.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::kernel::ids::{CandidateId, EntityId, VoterId};
use crate::voting::rules::Choice as Stance;
use crate::voting::signature::{Canon, Digest, Domain};

/// One whole, in millionths: the score of a vote that says nothing about it.
pub const WHOLE: u32 = 1_000_000;

/// From this score on a ballot of scores supports a candidate.
pub const SUPPORTS_FROM: u32 = WHOLE / 2;

/// How is voted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BallotType {
    /// For, against or abstain.
    #[default]
    Approve,
    /// One candidate.
    Choice,
    /// Up to so many candidates.
    Approval {
        /// How many at most.
        most: u32,
    },
    /// A score for each of some candidates.
    Scores,
}

impl BallotType {
    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            BallotType::Approve => "approve",
            BallotType::Choice => "choice",
            BallotType::Approval { .. } => "approval",
            BallotType::Scores => "scores",
        }
    }
}

/// What a voter says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ballot {
    /// For, against or abstain.
    Approve(Stance),
    /// This candidate.
    Choice(CandidateId),
    /// These candidates.
    Approval(BTreeSet<CandidateId>),
    /// These scores, in millionths.
    Scores(BTreeMap<CandidateId, u32>),
}

impl Ballot {
    /// The name of its type.
    pub fn type_name(&self) -> &'static str {
        match self {
            Ballot::Approve(_) => "approve",
            Ballot::Choice(_) => "choice",
            Ballot::Approval(_) => "approval",
            Ballot::Scores(_) => "scores",
        }
    }

    /// The candidates it names.
    pub fn candidates(&self) -> Vec<&CandidateId> {
        match self {
            Ballot::Approve(_) => Vec::new(),
            Ballot::Choice(candidate) => vec![candidate],
            Ballot::Approval(set) => set.iter().collect(),
            Ballot::Scores(map) => map.keys().collect(),
        }
    }

    /// The options it supports and the score it gives each; `score` is that of the whole vote.
    pub fn supports(&self, score: u32) -> Vec<(Pick, u32)> {
        match self {
            Ballot::Approve(Stance::For) => vec![(Pick::For, score)],
            Ballot::Approve(Stance::Against) => vec![(Pick::Against, score)],
            Ballot::Approve(Stance::Abstain) => Vec::new(),
            Ballot::Choice(candidate) => vec![(Pick::Candidate(candidate.clone()), score)],
            Ballot::Approval(set) => set.iter().map(|c| (Pick::Candidate(c.clone()), score)).collect(),
            Ballot::Scores(map) => map
                .iter()
                .filter(|(_, score)| **score >= SUPPORTS_FROM)
                .map(|(candidate, score)| (Pick::Candidate(candidate.clone()), *score))
                .collect(),
        }
    }

    /// Does it support this option?
    pub fn picks(&self, pick: &Pick) -> bool {
        match (self, pick) {
            (Ballot::Approve(stance), Pick::For) => *stance == Stance::For,
            (Ballot::Approve(stance), Pick::Against) => *stance == Stance::Against,
            (Ballot::Choice(candidate), Pick::Candidate(picked)) => candidate == picked,
            (Ballot::Approval(set), Pick::Candidate(picked)) => set.contains(picked),
            (Ballot::Scores(map), Pick::Candidate(picked)) => {
                map.get(picked).is_some_and(|score| *score >= SUPPORTS_FROM)
            }
            (Ballot::Approve(_), Pick::Candidate(_)) | (_, Pick::For | Pick::Against) => false,
        }
    }

    /// Do both support the same options? Two ballots of one voter that do not are an equivocation.
    pub fn agrees_with(&self, other: &Ballot) -> bool {
        let same = |(left, _): &(Pick, u32), (right, _): &(Pick, u32)| left == right;
        let (left, right) = (self.supports(WHOLE), other.supports(WHOLE));
        self.type_name() == other.type_name()
            && left.len() == right.len()
            && left.iter().zip(&right).all(|(left, right)| same(left, right))
    }

    /// Its canonical bytes.
    pub(super) fn write(&self, canon: Canon) -> Canon {
        match self {
            Ballot::Approve(stance) => canon.u8(1).u8(match stance {
                Stance::For => 1,
                Stance::Against => 2,
                Stance::Abstain => 3,
            }),
            Ballot::Choice(candidate) => canon.u8(2).text(candidate.as_str()),
            Ballot::Approval(set) => canon.u8(3).each(set.iter(), |canon, c| canon.text(c.as_str())),
            Ballot::Scores(map) => {
                canon.u8(4).each(map.iter(), |canon, (c, score)| canon.text(c.as_str()).u32(*score))
            }
        }
    }
}

/// What a promise of a vote holds besides the ballot. Voter and salt are in it, so that nobody can copy it or guess it.
#[derive(Clone, Copy, Debug)]
pub struct Promise<'a> {
    /// In which session.
    pub session_id: &'a EntityId,
    /// In which round.
    pub round: u32,
    /// Who votes.
    pub voter_id: &'a VoterId,
    /// What.
    pub ballot: &'a Ballot,
    /// With which score, in millionths.
    pub score: u32,
    /// With which confidence, in millionths.
    pub confidence: u32,
    /// What only the voter knows until it tells its vote, at least 16 bytes.
    pub salt: &'a [u8],
}

impl Promise<'_> {
    /// The promise.
    pub fn digest(&self) -> Digest {
        let canon = Canon::new(1).text(self.session_id.as_str()).u32(self.round).text(self.voter_id.as_str());
        let canon = self.ballot.write(canon).u32(self.score).u32(self.confidence).bytes(self.salt);
        Domain::Commit.hash(&canon.done())
    }
}

/// What a vote may support.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pick {
    /// The proposal.
    For,
    /// Its refusal.
    Against,
    /// A candidate.
    Candidate(CandidateId),
}

impl Pick {
    /// The name in replies: that of the candidate, `for` or `against`.
    pub fn name(&self) -> &str {
        match self {
            Pick::For => "for",
            Pick::Against => "against",
            Pick::Candidate(candidate) => candidate.as_str(),
        }
    }
}
