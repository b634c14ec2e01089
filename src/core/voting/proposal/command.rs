//! What may be asked of a proposal, and how it answers.

use std::collections::BTreeMap;
use std::time::Duration;

use super::answer::{AnswerSchema, AnswerValue};
use super::event::{Delivered, VoteChange};
use crate::kernel::ids::VoterId;
use crate::kernel::keyed::KeyedRequest;
pub use crate::voting::extension::{Extend, Until};
use crate::voting::mandate::{Begin, Mandate, Redeem, Spend, Use};
use crate::voting::rules::{Choice, RuleSpec, WeightTable};

/// A request to a proposal.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Put the question.
    Open(Box<Open>),
    /// Vote.
    Vote(Ballot),
    /// The agents were told of the question, or cannot be told for this reason.
    RecordBroadcast(Result<Delivered, String>),
    /// These agents took the question from their inboxes.
    RecordHanded {
        /// Which agents.
        taken: Vec<VoterId>,
        /// All inboxes there were have been tried, with this result; none when one agent opened an inbox later.
        broadcast: Option<Delivered>,
    },
    /// An agent failed, or came back.
    RecordAbsence {
        /// Which agent.
        agent_id: VoterId,
        /// It failed.
        absent: bool,
    },
    /// Take votes longer.
    Extend(Extend),
    /// Hand a place to somebody else.
    Delegate(Box<Delegate>),
    /// Tell outstanding voters again.
    Remind {
        /// Only this one.
        voter: Option<VoterId>,
        /// Who asks for it.
        by: Option<String>,
    },
    /// These voters were told again, or in the place of somebody.
    RecordTold {
        /// Who was to be told.
        voters: Vec<VoterId>,
        /// Who took it.
        taken: Vec<VoterId>,
    },
    /// Withdraw the question.
    Cancel {
        /// Who asks for it.
        by: Option<String>,
        /// Why.
        reason: Option<String>,
    },
    /// The custom rule may be known now.
    Reconsider,
    /// Use the decision for the operation it allows.
    Spend(Box<Spend>),
    /// Begin a job under a use; `true` when the caller named the job.
    Redeem(Box<Redeem>, bool),
    /// Time has passed.
    Tick,
}

/// Everything a proposal needs to open. Agents and algorithm were looked up by the caller; the proposal keeps them
/// as they were.
#[derive(Clone, Debug, PartialEq)]
pub struct Open {
    /// What is asked, as JSON text.
    pub proposal: String,
    /// Its blake3 digest in hex.
    pub digest: String,
    /// Registered name of the algorithm.
    pub algorithm: String,
    /// How it decides.
    pub decider: Decider,
    /// Who may vote.
    pub participants: Vec<VoterId>,
    /// Agents that would have been participants and are not, because of their health.
    pub excluded: Vec<VoterId>,
    /// How long votes are taken, from 100 ms on.
    pub timeout: Duration,
    /// May votes change?
    pub vote_change: VoteChange,
    /// End early when approval needs the vote of an agent that failed.
    pub fail_fast: bool,
    /// Participants that have failed already.
    pub absent: Vec<VoterId>,
    /// What was asked for, when the request bears an idempotency key.
    pub keyed: Option<KeyedRequest>,
    /// The operation that the decision allows.
    pub mandate: Option<Mandate>,
    /// What a vote for it must bring beside the choice.
    pub answer: Option<Box<AnswerSchema>>,
    /// How often those whose votes are outstanding are told again, from a minute on.
    pub remind_every: Option<Duration>,
}

/// A request to hand a place to somebody else, who was found to be registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delegate {
    /// Who has the place.
    pub from: VoterId,
    /// Who is to have it.
    pub to: VoterId,
    /// The new one has failed.
    pub absent: bool,
    /// Why.
    pub reason: Option<String>,
}

/// How an algorithm decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decider {
    /// By a rule of the table.
    Rule(RuleSpec),
    /// By a function known under the algorithm's name.
    Custom(WeightTable),
}

/// One vote.
#[derive(Clone, Debug, PartialEq)]
pub struct Ballot {
    /// Who votes.
    pub voter_id: VoterId,
    /// How.
    pub vote: Choice,
    /// The weight the agent claims. Kept, never used: weights are those of the algorithm.
    pub weight: Option<f64>,
    /// What the agent adds, as JSON text.
    pub metadata: Option<String>,
    /// Why it votes so, in its own words.
    pub reason: Option<String>,
    /// The answer, where one is asked for.
    pub value: Option<AnswerValue>,
}

/// The answer to an accepted command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The question is put.
    Opened,
    /// The vote is in, or was before.
    Voted {
        /// Which of the two.
        outcome: VoteOutcome,
        /// It took the place of an earlier one.
        changed: bool,
    },
    /// Votes are taken until then.
    Extended {
        /// So they were before; nothing changed.
        duplicate: bool,
    },
    /// The place is somebody else's.
    Delegated {
        /// It was before; nothing changed.
        duplicate: bool,
        /// It was for another reason, which stands.
        other_reason: bool,
    },
    /// These are told again.
    Reminded(Vec<VoterId>),
    /// The question is withdrawn.
    Cancelled {
        /// It was before; nothing changed.
        duplicate: bool,
    },
    /// The decision is used, or was before.
    Spent(Box<Use>),
    /// The job begins, or did before.
    Redeemed(Box<Begin>),
    /// Nothing to say.
    Done,
}

/// What became of a vote that was taken. One that was not taken is a rejection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VoteOutcome {
    /// It is in.
    Recorded,
    /// The same vote stood before; nothing changed.
    Duplicate,
}

/// Something a proposal owes to the outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Tell the participants, and record that they were told. Telling them twice is harmless: the proposal's id
    /// tells the same question.
    Broadcast(Box<Call>),
    /// Tell these voters again, or in the place of somebody, and record that it was done.
    Tell(Box<Call>),
}

/// What the participants are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// What is asked, as JSON text.
    pub proposal: String,
    /// Registered name of the algorithm.
    pub algorithm: String,
    /// How long votes are taken, in milliseconds from the opening.
    pub timeout_ms: u64,
    /// Who is to be told.
    pub participants: Vec<VoterId>,
    /// What a vote for it must bring.
    pub answer: Option<Box<AnswerSchema>>,
    /// How often each of them was reminded, beside those who never were.
    pub reminded: BTreeMap<VoterId, u32>,
}
