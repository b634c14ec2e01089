//! How a proposal says no. Each variant carries both sides.

use super::answer::AnswerMisfit;
use super::event::Decision;
use crate::kernel::ids::VoterId;
use crate::voting::mandate::Refusal as Unspendable;
use crate::voting::rules::{Choice, Unmeetable};

/// The domain says no; nothing but a refused attempt to vote is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// No proposal of this id was ever opened.
    NotFound,
    /// A proposal of this id was opened before.
    AlreadyExists,
    /// The algorithm cannot be met by those who may be asked.
    Unmeetable(Unmeetable),
    /// The question has ended.
    Closed {
        /// How.
        decision: Decision,
    },
    /// The question has ended, and another vote of the agent stood in it.
    Late {
        /// How.
        decision: Decision,
        /// The vote that stands.
        held: Choice,
        /// The vote that came late.
        given: Choice,
        /// The answer that stands, as JSON text.
        held_value: Option<String>,
        /// The answer that came late.
        given_value: Option<String>,
    },
    /// The agent's first vote is final.
    AlreadyVoted {
        /// The vote that stands.
        held: Choice,
        /// The vote that was refused.
        given: Choice,
        /// The answer that stands, as JSON text.
        held_value: Option<String>,
        /// The answer that was refused.
        given_value: Option<String>,
    },
    /// The agent is not among the participants.
    NotParticipant,
    /// The agent handed its place to this one, who votes in it.
    Delegated {
        /// Who has it now.
        to: VoterId,
    },
    /// The answer, or what was to be asked for, does not fit.
    Misfit(Box<AnswerMisfit>),
    /// They were told again so short a time ago.
    RemindedBefore {
        /// When it may be done again, in milliseconds from now.
        retry_after_ms: u64,
    },
    /// The decision is not used.
    Unspendable(Box<Unspendable>),
    /// A field is out of range.
    Invalid {
        /// Which field.
        field: &'static str,
        /// What was given.
        given: String,
        /// What is allowed.
        expected: String,
    },
}
