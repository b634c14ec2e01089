//! How a quorum says no. Each variant carries both sides.

use super::event::QuorumState;
use crate::voting::rules::Unmeetable;

/// The domain says no; nothing but the attempt itself is recorded.
#[derive(Clone, Debug, PartialEq)]
pub enum Rejection {
    /// No quorum of this id was ever started.
    NotFound,
    /// A quorum of this id was started before.
    AlreadyExists,
    /// A field is out of range.
    Invalid {
        /// Which field.
        field: &'static str,
        /// What was given.
        given: String,
        /// What is allowed.
        expected: String,
    },
    /// More approvals are required than there are voters.
    Unreachable {
        /// Approvals asked for.
        required: u32,
        /// Voters there are.
        voters: u32,
    },
    /// The rule cannot be met by those who may vote.
    Unmeetable(Unmeetable),
    /// The quorum is closed.
    Closed {
        /// How it ended.
        state: QuorumState,
    },
    /// The quorum's deadline has passed.
    TimedOut {
        /// Seconds from opening to the deadline.
        elapsed_seconds: f64,
    },
    /// The voter's first vote is final.
    AlreadyVoted {
        /// The vote that stands.
        held: bool,
        /// The vote that was refused.
        given: bool,
    },
    /// The voter is not in the electorate.
    NotEligible,
    /// A bound is reached.
    Limit {
        /// What is bounded.
        what: &'static str,
        /// How many there may be.
        limit: u32,
    },
}
