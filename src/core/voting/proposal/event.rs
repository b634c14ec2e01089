//! What happened to a proposal. Stored: variants and fields are only ever appended, at the end.

use serde::{Deserialize, Serialize};

use super::answer::AnswerSchema;
use crate::kernel::ids::VoterId;
use crate::kernel::keyed::KeyedRequest;
use crate::kernel::time::Timestamp;
use crate::voting::mandate::{Mandate, Redeemed, Spent};
use crate::voting::rules::{Choice, Formula, RuleSpec};

pub use crate::voting::extension::Extended;
pub use crate::voting::people::Reminded;
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
    /// Votes are taken longer than was said before.
    Extended(Box<Extended>),
    /// The decision allows this operation.
    Mandated(Box<Mandate>),
    /// The decision was used.
    Spent(Box<Spent>),
    /// A job begins under a use.
    Redeemed(Box<Redeemed>),
    /// A vote for the question must bring an answer of this shape.
    AnswerAsked(Box<AnswerSchema>),
    /// A vote was recorded with an answer.
    VoteCastWithValue(Box<VoteValued>),
    /// A vote was refused that came with an answer, and the attempt kept with it.
    VoteRefusedWithValue(Box<RefusalValued>),
    /// Somebody who is asked handed its place to somebody else.
    Delegated(Box<Delegated>),
    /// Those whose votes are outstanding are told again every so often.
    RemindersAsked {
        /// How often, in milliseconds.
        every_ms: u64,
    },
    /// Outstanding voters are to be told again.
    Reminded(Box<Reminded>),
    /// Those who were to be told again, or in the place of somebody, were.
    Told(Box<Told>),
}

impl Event {
    /// The name under which it is shown. A vote has one name, whether it came with a reason or not.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Opened(_) => "opened",
            Event::Broadcast(_) => "broadcast",
            Event::VoteCast(_) | Event::VoteCastWithReason(_) | Event::VoteCastWithValue(_) => "vote_cast",
            Event::VoteRefused(_) | Event::VoteRefusedWithReason(_) | Event::VoteRefusedWithValue(_) => {
                "vote_refused"
            }
            Event::AbsenceChanged { .. } => "absence_changed",
            Event::Closed(_) => "closed",
            Event::Keyed(_) => "keyed",
            Event::Handed { .. } => "handed",
            Event::Extended(_) => "extended",
            Event::Mandated(_) => "mandated",
            Event::Spent(_) => "spent",
            Event::Redeemed(_) => "redeemed",
            Event::AnswerAsked(_) => "answer_asked",
            Event::Delegated(_) => "delegated",
            Event::RemindersAsked { .. } => "reminders_asked",
            Event::Reminded(_) => "reminded",
            Event::Told(_) => "told",
        }
    }

    /// The vote that it records, if it does, whatever came with it.
    pub fn vote_cast(&self) -> Option<&VoteCast> {
        match self {
            Event::VoteCast(cast) => Some(cast),
            Event::VoteCastWithReason(with) => Some(&with.cast),
            Event::VoteCastWithValue(with) => Some(&with.cast),
            Event::Opened(_)
            | Event::Broadcast(_)
            | Event::Handed { .. }
            | Event::VoteRefused(_)
            | Event::VoteRefusedWithReason(_)
            | Event::VoteRefusedWithValue(_)
            | Event::AbsenceChanged { .. }
            | Event::Closed(_)
            | Event::Keyed(_)
            | Event::Mandated(_)
            | Event::Spent(_)
            | Event::Redeemed(_)
            | Event::Extended(_)
            | Event::AnswerAsked(_)
            | Event::Delegated(_)
            | Event::RemindersAsked { .. }
            | Event::Reminded(_)
            | Event::Told(_) => None,
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

/// A recorded vote with its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VoteValued {
    /// The vote.
    pub cast: VoteCast,
    /// Why it was cast so, in the agent's words.
    pub reason: Option<String>,
    /// The answer, as JSON text with the fields by name.
    pub value: String,
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
    /// The agent handed its place to somebody else.
    Delegated,
}

impl Refusal {
    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Refusal::Late => "late",
            Refusal::AlreadyVoted => "already_voted",
            Refusal::NotParticipant => "not_participant",
            Refusal::Delegated => "delegated",
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

/// A refused attempt to vote with an answer, with all that came with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RefusalValued {
    /// The attempt.
    pub refused: VoteRefused,
    /// What the agent added, as JSON text.
    pub metadata: Option<String>,
    /// Why it voted so, in its own words.
    pub reason: Option<String>,
    /// The answer, as JSON text with the fields by name.
    pub value: String,
}

/// A place went from one head to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delegated {
    /// Who had it.
    pub from: VoterId,
    /// Who has it now.
    pub to: VoterId,
    /// Whose place it is: the participant's that was asked when the question was put.
    pub place: VoterId,
    /// The new one has failed, and the question does not wait for those.
    pub absent: bool,
    /// Why.
    pub reason: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// Voters were told, or could not be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Who was to be told.
    pub voter_ids: Vec<VoterId>,
    /// Who took it; the others find it when they ask.
    pub taken: Vec<VoterId>,
    /// When.
    pub at: Timestamp,
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
    /// Somebody withdrew the question.
    Cancelled,
}

impl Decision {
    /// Every decision.
    pub const ALL: [Decision; 5] =
        [Decision::Approved, Decision::Rejected, Decision::Timeout, Decision::Aborted, Decision::Cancelled];

    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Decision::Approved => "approved",
            Decision::Rejected => "rejected",
            Decision::Timeout => "timeout",
            Decision::Aborted => "aborted",
            Decision::Cancelled => "cancelled",
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
    /// Somebody withdrew the question.
    Cancelled {
        /// Who.
        by: Option<String>,
        /// Why.
        reason: Option<String>,
    },
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
            Cause::Cancelled { .. } => "cancelled",
        }
    }

    /// What exactly went wrong, where there is more to say.
    pub fn detail(&self) -> Option<&str> {
        match self {
            Cause::AlgorithmError(message) => Some(message),
            Cause::Cancelled { by: _, reason } => reason.as_deref(),
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
            | Cause::Unreachable
            | Cause::Cancelled { .. } => false,
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
