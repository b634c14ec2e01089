//! What may be asked of a quorum, and how it answers.

use std::time::Duration;

use super::event::{Policy, QuorumType};
use crate::kernel::ids::{CellId, EntityId, VoterId};
use crate::kernel::keyed::KeyedRequest;
use crate::voting::extension::Extend;
use crate::voting::rules::RuleSpec;

/// A request to a quorum.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Open the question.
    Start(Box<Start>),
    /// Cast or change a vote.
    Cast(Ballot),
    /// Take votes longer.
    Extend(Extend),
    /// End the question without a decision.
    Cancel(Cancel),
    /// The owed fallback quorum was opened, or cannot be opened for this reason.
    RecordFallback(Result<(), String>),
    /// Time has passed.
    Tick,
}

/// Everything a quorum needs to open. The electorate was resolved from the mesh by the caller; the quorum keeps
/// it as it was.
#[derive(Clone, Debug, PartialEq)]
pub struct Start {
    /// What kind of electorate was asked for.
    pub quorum_type: QuorumType,
    /// Approvals needed; `None` takes the default for the kind and size.
    pub required_votes: Option<u32>,
    /// The rule that decides, instead of a plain number of approvals.
    pub rule: Option<RuleSpec>,
    /// How long votes are taken; above zero.
    pub timeout: Duration,
    /// The cell the question is about.
    pub cell_id: Option<CellId>,
    /// Who may vote, or `None` when anyone may.
    pub voters: Option<Vec<VoterId>>,
    /// The voters were named one by one, not found in the mesh: without a number the default is a majority of them,
    /// also where one authority of the hub would do.
    pub named: bool,
    /// Known neighbours of the cell, whatever the kind of quorum.
    pub neighbor_count: u32,
    /// Where notices about this quorum go.
    pub topic: String,
    /// Epoch of the mesh registry the electorate was read at.
    pub membership_epoch: u64,
    /// What is asked, opaque, and its blake3 digest in hex.
    pub subject: Option<(String, String)>,
    /// How votes are taken.
    pub policy: Policy,
    /// The global quorum to open if this one times out.
    pub fallback: Option<FallbackPlan>,
    /// The timed-out quorum this one was opened for.
    pub parent: Option<EntityId>,
    /// What was asked for, when the request bears an idempotency key.
    pub keyed: Option<KeyedRequest>,
}

/// A global quorum to be opened when the quorum times out.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FallbackPlan {
    /// Id of the quorum to open, chosen at the start so that a repeat opens the same one.
    pub child_id: EntityId,
    /// How long it takes votes, in microseconds.
    pub timeout_us: u64,
}

/// One vote.
#[derive(Clone, Debug, PartialEq)]
pub struct Ballot {
    /// Who votes.
    pub voter_id: VoterId,
    /// True approves.
    pub vote: bool,
    /// How sure the voter is, 0 to 1. Never decides; may be too low to count.
    pub confidence: f64,
    /// Why it votes so, in its own words.
    pub reason: Option<String>,
}

/// A request to cancel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancel {
    /// Who cancels.
    pub by: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

/// The answer to an accepted command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The quorum is open.
    Started,
    /// The vote is in, or was already.
    Voted(Voted),
    /// Votes are taken until then.
    Extended {
        /// So they were before; nothing changed.
        duplicate: bool,
    },
    /// The quorum is cancelled; `duplicate` when it was before.
    Cancelled {
        /// It was cancelled before.
        duplicate: bool,
    },
    /// Nothing to say (ticks and records of effects).
    Done,
}

/// What became of a vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Voted {
    /// The vote is part of the tally.
    pub counted: bool,
    /// The same vote stood before; nothing changed.
    pub duplicate: bool,
    /// The vote replaced an earlier, different one.
    pub changed: bool,
}

/// Something a quorum owes to the outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Open this global quorum and record that it was opened.
    OpenFallback(FallbackPlan),
}
