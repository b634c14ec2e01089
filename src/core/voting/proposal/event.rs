//! What happened to a proposal. Stored: variants and fields are only ever appended, at the end.

use serde::{Deserialize, Serialize};

use crate::kernel::ids::VoterId;
use crate::kernel::keyed::KeyedRequest;
use crate::kernel::time::Timestamp;
use crate::voting::rules::{Choice, Formula, RuleSpec};

pub use crate::voting::quorum::event::VoteChange;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The question was put.
    Opened(Box<Opened>),
    /// The participants were told.
    Broadcast(Delivered),
    /// A vote was recorded.
    VoteCast(VoteCast),
    /// A vote was refused and the attempt kept.
    VoteRefused(VoteRefused),
    /// An outstanding participant failed, or came back.
    AbsenceChanged {
        /// Who.
        voter_id: VoterId,
        /// It failed.
        absent: bool,
        /// When.
        at: Timestamp,
    },
    /// The question was closed; exactly one per proposal.
    Closed(Closed),
    /// The request that opened it bore an idempotency key; what it asked for.
    Keyed(KeyedRequest),
    /// Participants took the question from their inboxes, each of them for the first time.
    Handed {
        /// Which participants.
        voter_ids: Vec<VoterId>,
        /// When.
        at: Timestamp,
    },
    /// A vote was recorded, and why it was cast so.
    VoteCastWithReason(Box<VoteReasoned>),
    /// A vote was refused, and the attempt kept with what came with it.
    VoteRefusedWithReason(Box<RefusalReasoned>),
}

impl Event {
    /// The name under which it is shown. A vote has one name, whether it came with a reason or not.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Opened(_) => "opened",
            Event::Broadcast(_) => "broadcast",
            Event::VoteCast(_) | Event::VoteCastWithReason(_) => "vote_cast",
            Event::VoteRefused(_) | Event::VoteRefusedWithReason(_) => "vote_refused",
            Event::AbsenceChanged { .. } => "absence_changed",
            Event::Closed(_) => "closed",
            Event::Keyed(_) => "keyed",
            Event::Handed { .. } => "handed",
        }
    }
}

/// The question as it was put.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Opened {
    /// What is asked, as JSON text.
    pub proposal: String,
    /// blake3 of it, in hex.
    pub digest: String,
    /// Registered name of the algorithm.
    pub algorithm: String,
    /// How it decides among these participants.
    pub decider: Algorithm,
    /// The bar, for display; custom rules have none.
    pub threshold: Option<f64>,
    /// Who may vote, sorted, each once.
    pub participants: Vec<VoterId>,
    /// Their weights in the same order, in millionths, where the algorithm weighs; else empty.
    pub weights: Vec<u64>,
    /// Agents that are not participants because of their health.
    pub excluded: Vec<VoterId>,
    /// When it was put.
    pub opened_at: Timestamp,
    /// The last instant at which a vote is on time.
    pub deadline: Timestamp,
    /// May votes change?
    pub vote_change: VoteChange,
    /// End early when approval needs the vote of an agent that failed.
    pub fail_fast: bool,
    /// Participants that had failed already.
    pub absent: Vec<VoterId>,
}

/// How a question is decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Algorithm {
    /// By a rule of the table.
    Rule {
        /// As it was registered.
        rule: RuleSpec,
        /// What it is for these participants.
        formula: Formula,
    },
    /// By a function known under the algorithm's name.
    Custom,
}

/// Who was told of a question.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivered {
    /// How many were told.
    pub reached: u32,
    /// Who could not be told.
    pub unreached: Vec<VoterId>,
}

/// A recorded vote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VoteCast {
    /// Who voted.
    pub voter_id: VoterId,
    /// How.
    pub vote: Choice,
    /// The weight the agent claimed.
    pub weight: Option<f64>,
    /// What the agent added, as JSON text.
    pub metadata: Option<String>,
    /// When it was received.
    pub cast_at: Timestamp,
    /// An earlier vote of this agent is superseded by this one.
    pub supersedes: bool,
}

/// A recorded vote with its reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VoteReasoned {
    /// The vote.
    pub cast: VoteCast,
    /// Why it was cast so, in the agent's words.
    pub reason: String,
}

/// Why a vote was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The question was closed before.
    Late,
    /// The agent had voted, and its first vote is final.
    AlreadyVoted,
    /// The agent is not among the participants.
    NotParticipant,
}

impl Refusal {
    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Refusal::Late => "late",
            Refusal::AlreadyVoted => "already_voted",
            Refusal::NotParticipant => "not_participant",
        }
    }
}

/// A refused attempt to vote, kept for the audit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VoteRefused {
    /// Who tried.
    pub voter_id: VoterId,
    /// What the vote would have been.
    pub vote: Choice,
    /// The weight the agent claimed.
    pub weight: Option<f64>,
    /// When it was received.
    pub cast_at: Timestamp,
    /// Why it was refused.
    pub refusal: Refusal,
}

/// A refused attempt to vote with all that came with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RefusalReasoned {
    /// The attempt.
    pub refused: VoteRefused,
    /// What the agent added, as JSON text.
    pub metadata: Option<String>,
    /// Why it voted so, in its own words.
    pub reason: Option<String>,
}

/// How a question ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// The algorithm's test was met.
    Approved,
    /// It could no longer be met. In journals of earlier versions also: the question could not be put.
    Rejected,
    /// The deadline passed with the question open.
    Timeout,
    /// The question could not be put: nobody was asked, or too few could be.
    Aborted,
}

impl Decision {
    /// Every decision.
    pub const ALL: [Decision; 4] =
        [Decision::Approved, Decision::Rejected, Decision::Timeout, Decision::Aborted];

    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Decision::Approved => "approved",
            Decision::Rejected => "rejected",
            Decision::Timeout => "timeout",
            Decision::Aborted => "aborted",
        }
    }
}

/// Why a question ended other than by its votes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// No agent is registered.
    NoAgents,
    /// Too few of the registered agents are healthy.
    InsufficientHealthyAgents,
    /// No agent could be told, for this reason.
    BroadcastFailed(String),
    /// The custom rule panicked, saying this.
    AlgorithmError(String),
    /// The custom rule was not known when it was needed.
    AlgorithmUnavailable,
    /// Nobody weighs anything.
    ZeroTotalWeight,
    /// Approval needs votes of agents that failed, and the question asked not to wait for them. In journals of earlier
    /// versions also of a question, then rejected, that could not be met from the start.
    Unreachable,
}

impl Cause {
    /// The short name, or the reason the transport gave.
    pub fn text(&self) -> &str {
        match self {
            Cause::NoAgents => "no_agents",
            Cause::InsufficientHealthyAgents => "insufficient_healthy_agents",
            Cause::BroadcastFailed(reason) => reason,
            Cause::AlgorithmError(_) => "algorithm_error",
            Cause::AlgorithmUnavailable => "algorithm_unavailable",
            Cause::ZeroTotalWeight => "zero_total_weight",
            Cause::Unreachable => "unreachable",
        }
    }

    /// What exactly went wrong, where there is more to say.
    pub fn detail(&self) -> Option<&str> {
        match self {
            Cause::AlgorithmError(message) => Some(message),
            Cause::NoAgents
            | Cause::InsufficientHealthyAgents
            | Cause::BroadcastFailed(_)
            | Cause::AlgorithmUnavailable
            | Cause::ZeroTotalWeight
            | Cause::Unreachable => None,
        }
    }

    /// The question was never really put, and never counted.
    pub fn is_abort(&self) -> bool {
        match self {
            Cause::NoAgents | Cause::InsufficientHealthyAgents | Cause::BroadcastFailed(_) => true,
            Cause::AlgorithmError(_)
            | Cause::AlgorithmUnavailable
            | Cause::ZeroTotalWeight
            | Cause::Unreachable => false,
        }
    }
}

/// How the question ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Closed {
    /// How.
    pub decision: Decision,
    /// Why, when it was not by its votes.
    pub cause: Option<Cause>,
    /// Registered name of the algorithm.
    pub algorithm: String,
    /// When the question was put.
    pub opened_at: Timestamp,
    /// When it ended: the deciding vote or the deadline.
    pub closed_at: Timestamp,
    /// When the end was noticed; later than `closed_at` after downtime.
    pub noticed_at: Timestamp,
    /// Heads for, against, abstaining.
    pub votes: [u32; 3],
    /// Who cast the deciding vote.
    pub decided_by: Option<VoterId>,
}

impl Closed {
    /// Was it no answer of the agents: the question could not be put or answered, or its algorithm failed?
    pub fn is_error(&self) -> bool {
        self.decision == Decision::Aborted || matches!(self.cause, Some(Cause::AlgorithmError(_)))
    }

    /// The same end in today's words: earlier versions recorded a question that could not be put as rejected.
    pub fn upcast(mut self) -> Self {
        if self.cause.as_ref().is_some_and(Cause::is_abort) {
            self.decision = Decision::Aborted;
        }
        self
    }

    /// Does it count in the statistics?
    pub fn is_counted(&self) -> bool {
        self.decision != Decision::Aborted && !self.cause.as_ref().is_some_and(Cause::is_abort)
    }
}
