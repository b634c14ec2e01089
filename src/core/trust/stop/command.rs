//! What may be asked of the stops, and how they answer.

use super::event::{Release, Scope};
use crate::kernel::ids::{EntityId, VoterId};
use crate::kernel::time::Timestamp;

/// A request.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Stop something.
    Engage(Box<Engage>),
    /// Let it go on.
    Release {
        /// Which stop.
        stop_id: EntityId,
        /// The decision that is shown.
        shown: Box<Shown>,
    },
    /// Time has passed.
    Tick,
}

/// What is to be stopped.
#[derive(Clone, Debug, PartialEq)]
pub struct Engage {
    /// Its name.
    pub stop_id: EntityId,
    /// What is stopped.
    pub scope: Scope,
    /// Who lets it go on.
    pub release: Release,
    /// Who stops it.
    pub by: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

/// The hash of an operation.
pub type Hash = [u8; 32];

/// How far the decision that is shown has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decided {
    /// It is open.
    No,
    /// For the operation.
    For,
    /// For it, by votes that do not stand any more.
    Tainted,
    /// It ended otherwise, in this word.
    Otherwise(&'static str),
}

/// A decision as it was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// `session` or `proposal`.
    pub kind: String,
    /// Its name.
    pub id: EntityId,
    /// How far it is decided.
    pub decided: Decided,
    /// The hash of the operation it allows, if it allows one.
    pub operation_hash: Option<Hash>,
    /// The hash of the operation that releases the stop.
    pub needed_hash: Hash,
    /// The last instant at which it may be used.
    pub expires_at: Option<Timestamp>,
    /// It was used as often as it may be.
    pub used_up: bool,
    /// It may be used under a fencing token only, and a release shows none.
    pub fenced: bool,
    /// It was begun before there was the stop.
    pub older: bool,
    /// Who could vote, by id.
    pub electorate: Vec<VoterId>,
    /// Who voted for it, and contributes.
    pub supporters: Vec<VoterId>,
    /// Who asks.
    pub by: Option<String>,
}

/// The answer to an accepted command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It is stopped.
    Engaged {
        /// It was before; nothing changed.
        duplicate: bool,
    },
    /// It goes on.
    Released {
        /// It did before; nothing changed.
        duplicate: bool,
    },
    /// Nothing to say.
    Done,
}

/// How the stops say no. Nothing changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// There is no stop of this id.
    NotFound,
    /// There was another stop of this id.
    AlreadyExists,
    /// As many are in force as may be.
    TooMany {
        /// How many that is.
        limit: usize,
    },
    /// The decision does not release the stop.
    NotReleasing {
        /// Why not, in a word.
        why: &'static str,
        /// In words.
        detail: String,
    },
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
