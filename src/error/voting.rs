//! What proposals and agents reject, in the words of the public interface.

use super::{Error, ErrorKind, typed};
use crate::core::{agent, proposal};

impl From<proposal::Rejection> for Error {
    fn from(rejection: proposal::Rejection) -> Self {
        match rejection {
            proposal::Rejection::NotFound => {
                Error::new(ErrorKind::NotFound, "no proposal of this id was ever opened")
            }
            proposal::Rejection::AlreadyExists => Error::new(
                ErrorKind::AlreadyExists,
                "a proposal of this id was opened before; choose another id",
            ),
            proposal::Rejection::Closed { decision } => Error::new(
                ErrorKind::ProposalClosed,
                format!(
                    "the proposal has ended; the vote does not count, and is on record. state={}",
                    decision.name()
                ),
            )
            .with("state", decision.name()),
            proposal::Rejection::AlreadyVoted { held, given } => Error::new(
                ErrorKind::AlreadyVoted,
                format!(
                    "the first vote is final in this proposal. held={}, given={}",
                    held.name(),
                    given.name()
                ),
            )
            .with("held", held.name())
            .with("given", given.name()),
            proposal::Rejection::NotParticipant => Error::new(
                ErrorKind::NotEligible,
                "the agent is not among those that are asked; the attempt is on record",
            ),
            proposal::Rejection::Invalid { field, given, expected } => {
                Error::invalid(field, typed(field, &given), &expected)
            }
        }
    }
}

impl From<agent::Rejection> for Error {
    fn from(rejection: agent::Rejection) -> Self {
        match rejection {
            agent::Rejection::Invalid { field, given, expected } => Error::invalid(field, given, &expected),
            agent::Rejection::MetadataTooLarge { given } => {
                let expected = format!("up to {} bytes of JSON", agent::MAX_METADATA_BYTES);
                Error::invalid("metadata", format!("{given} bytes"), &expected)
            }
            agent::Rejection::NotRegistered => {
                Error::new(ErrorKind::NotFound, "no agent of this id is registered; register it first")
            }
            agent::Rejection::NotMonitored => {
                let message = "the agent is registered but not monitored; start with agent.monitor";
                Error::new(ErrorKind::NotFound, message)
            }
        }
    }
}
