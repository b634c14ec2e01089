//! What may be asked of a proposal, and how it answers.

use std::time::Duration;

use super::event::{Delivered, VoteChange};
use crate::kernel::ids::VoterId;
use crate::kernel::keyed::KeyedRequest;
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
    /// The custom rule may be known now.
    Reconsider,
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
    /// How long votes are taken, 100 ms to 300 s.
    pub timeout: Duration,
    /// May votes change?
    pub vote_change: VoteChange,
    /// End early when approval needs the vote of an agent that failed.
    pub fail_fast: bool,
    /// Participants that have failed already.
    pub absent: Vec<VoterId>,
    /// What was asked for, when the request bears an idempotency key.
    pub keyed: Option<KeyedRequest>,
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
}
