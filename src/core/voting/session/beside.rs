//! What a session is opened with besides its question: the operation that is allowed, where its powers come from, which
//! keys its voters have changed to, and which gates look at its decision. Stored: fields are only ever appended.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ballot::BallotType;
use super::event::Terms;
use super::threshold::Quorum;
use crate::kernel::ids::{EntityId, VoterId};
use crate::kernel::time::Timestamp;
use crate::voting::gates::{Remedy, Verdict};
use crate::voting::mandate::Mandate;
use crate::voting::signature::{Canon, Digest, Domain};

/// What a session is opened with besides its question.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Beside {
    /// The operation that the decision allows.
    pub mandate: Option<Mandate>,
    /// Where the powers come from, when they were learned.
    pub weighed: Option<Weighed>,
    /// The versions of the keys that took the place of others.
    pub keys: BTreeMap<VoterId, u32>,
    /// Which gates look at the decision.
    pub gated: Option<Gated>,
}

/// Where the powers of an electorate come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weighed {
    /// The source with all its parameters.
    pub source: String,
    /// Its version.
    pub version: u32,
    /// Questions whose truth was told, that it learned from.
    pub questions: u32,
    /// Answers to them.
    pub answers: u32,
}

/// Which gates look at the decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gated {
    /// Their names, in the order of their table.
    pub gates: Vec<String>,
    /// The session that this one follows, opened anew since a gate asked for it.
    pub retry_of: Option<EntityId>,
    /// How many sessions it follows.
    pub retries: u32,
}

/// What one gate found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateFinding {
    /// Which gate.
    pub gate: String,
    /// What it looked at.
    pub input: String,
    /// What it compared that with.
    pub threshold: String,
    /// What it says.
    pub verdict: Verdict,
}

/// What the gates found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateEvaluated {
    /// The worst of it.
    pub verdict: Verdict,
    /// Each gate.
    pub findings: Vec<GateFinding>,
    /// When.
    pub at: Timestamp,
}

/// Something is done about what a gate found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemedyTriggered {
    /// What.
    pub remedy: Remedy,
    /// By which it is done once.
    pub key: String,
    /// When.
    pub at: Timestamp,
}

/// What became of that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemedyEnded {
    /// Which.
    pub key: String,
    /// What became of it.
    pub outcome: String,
    /// When.
    pub at: Timestamp,
}

impl Terms {
    /// The hash of the terms, and of the rule and what else is frozen with them.
    pub fn hash(&self, quorum: &Quorum, beside: &Beside) -> Digest {
        let canon = Canon::new(1).text(&self.proposal);
        let most = match self.ballot_type {
            BallotType::Approve => canon.u8(1),
            BallotType::Choice => canon.u8(2),
            BallotType::Approval { most } => canon.u8(3).u32(most),
            BallotType::Scores => canon.u8(4),
        };
        let canon = most.each(self.candidates.iter(), |canon, candidate| {
            canon.text(candidate.candidate_id.as_str()).text(&candidate.kind)
        });
        let number = |canon: Canon, value: u8| canon.u8(value);
        let canon = number(canon.u32(self.rounds), self.switch_policy as u8 + 1);
        let canon = number(number(canon, self.close_policy as u8 + 1), self.revision as u8 + 1);
        let canon = number(number(canon, self.authentication as u8 + 1), u8::from(self.commit_reveal));
        let canon = number(number(canon, u8::from(self.power_cap)), quorum.basis as u8 + 1);
        let canon = number(canon, quorum.threshold as u8 + 1).maybe(quorum.declared_faults, Canon::u32);
        Domain::Terms.hash(&beside.write(canon).done())
    }
}

impl Beside {
    /// What of it voters sign. Nothing follows where there is nothing: questions without are hashed as they ever were.
    fn write(&self, canon: Canon) -> Canon {
        let canon = match &self.mandate {
            Some(mandate) => mandate.write(canon.u8(1)),
            None => canon,
        };
        let canon = match &self.weighed {
            Some(Weighed { source, version, questions, answers }) => {
                canon.u8(2).text(source).u32(*version).u32(*questions).u32(*answers)
            }
            None => canon,
        };
        match self.keys.is_empty() {
            true => canon,
            false => canon
                .u8(3)
                .each(self.keys.iter(), |canon, (voter, version)| canon.text(voter.as_str()).u32(*version)),
        }
    }
}
