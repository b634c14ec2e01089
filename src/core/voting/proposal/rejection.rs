//! How a proposal says no. Each variant carries both sides.

use super::event::Decision;
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
    /// The agent's first vote is final.
    AlreadyVoted {
        /// The vote that stands.
        held: Choice,
        /// The vote that was refused.
        given: Choice,
    },
    /// The agent is not among the participants.
    NotParticipant,
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
