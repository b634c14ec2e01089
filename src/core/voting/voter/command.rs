//! What may be asked of a voter, and how it answers.

use std::time::Duration;

use super::event::Mark;
use super::profile::{Considered, Profile};
use super::state::Voter;
use crate::kernel::ids::{EntityId, VoterId};
use crate::kernel::time::Timestamp;
use crate::voting::judgement::Judgement;
use crate::voting::signature::{Digest, PublicKey, Signature};

/// A request to a voter.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Register it.
    Register {
        /// Who.
        voter_id: VoterId,
        /// The key of its signatures.
        public_key: Option<PublicKey>,
        /// The hash of its handle.
        handle_hash: Option<Digest>,
        /// How much it weighs, in millionths.
        weight: u64,
    },
    /// What a session, or the door, saw of it. Told again, it changes nothing.
    Note {
        /// Which session; none for the door.
        session_id: Option<EntityId>,
        /// In the order of their numbers.
        reports: Vec<Report>,
        /// The last sign of life that is known elsewhere.
        last_seen: Option<Timestamp>,
        /// May it be quarantined for its score, or are as many as may be?
        room: bool,
    },
    /// It gave a sign of life.
    Seen {
        /// When.
        at: Timestamp,
    },
    /// Let it vote in no session for so long.
    Quarantine {
        /// Why.
        reason: String,
        /// How long; by the number of its offences when left out.
        duration: Option<Duration>,
    },
    /// Let it vote again, on probation.
    Release {
        /// Why.
        reason: String,
        /// Even though a fault of it was proven.
        pardon: bool,
    },
    /// It answered a gold question so.
    Judge {
        /// Which question.
        question: EntityId,
        /// What came to light.
        judgement: Judgement,
        /// Who tells.
        by: Option<String>,
    },
    /// It signs with another key from now on.
    Rotate {
        /// The new one.
        to: PublicKey,
        /// The signature of the old one over the change; none where an operator asks.
        signature: Option<Signature>,
        /// Who asks.
        by: Option<String>,
        /// Why.
        reason: Option<String>,
    },
    /// It may be chosen by this.
    Profile {
        /// What is declared of it.
        profile: Profile,
        /// Who declares it.
        by: Option<String>,
    },
    /// It stood in a choice.
    Consider(Box<Considered>),
    /// The open sessions know of this change of standing.
    RecordSpread {
        /// Which.
        number: u64,
    },
    /// Time has passed.
    Tick,
}

/// What a session tells of one attempt.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Report {
    /// Its number in the session.
    pub number: u64,
    /// Of whom.
    pub voter_id: VoterId,
    /// What.
    pub mark: Mark,
    /// When.
    pub at: Timestamp,
}

/// The answer to an accepted command.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// It is registered.
    Registered {
        /// Newly.
        new: bool,
    },
    /// The state after the command.
    State(Box<Voter>),
    /// The same was told, or done, before.
    Known(Box<Voter>),
    /// Nothing to say.
    Done,
}

/// Something a voter owes to the outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Tell the open sessions that it votes no more.
    Spread {
        /// Which change of standing.
        number: u64,
        /// A fault of it was proven; otherwise it is quarantined.
        proven: bool,
    },
}
