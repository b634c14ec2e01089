//! What happened to a quorum. Stored: variants and fields are only ever appended, at the end.

use serde::{Deserialize, Serialize};

use super::command::FallbackPlan;
use super::tally::Tally;
use crate::kernel::ids::{CellId, EntityId, VoterId};
use crate::kernel::keyed::KeyedRequest;
use crate::kernel::time::Timestamp;
use crate::voting::extension::Extended;
use crate::voting::rules::{Formula, RuleSpec};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The question was opened.
    Opened(Box<Opened>),
    /// A vote was recorded; whether it counts stands in it.
    VoteCast(VoteCast),
    /// A vote was refused and the attempt kept.
    VoteRefused(VoteRefused),
    /// The question was closed; exactly one per quorum.
    Closed(Closed),
    /// The global quorum owed after a timeout was opened.
    FallbackOpened {
        /// Its id.
        child_id: EntityId,
    },
    /// The global quorum owed after a timeout cannot be opened.
    FallbackFailed {
        /// Its id.
        child_id: EntityId,
        /// Why not.
        reason: String,
    },
    /// The question was opened under a rule other than a plain number of approvals.
    OpenedByRule(Box<OpenedByRule>),
    /// The request that opened it bore an idempotency key; what it asked for.
    Keyed(KeyedRequest),
    /// A vote was recorded, and why it was cast so.
    VoteCastWithReason(Box<VoteReasoned>),
    /// A vote was refused, and the attempt kept with its reason.
    VoteRefusedWithReason(Box<RefusalReasoned>),
    /// Votes are taken longer than was said before.
    Extended(Box<Extended>),
}

impl Event {
    /// The name under which it is shown. A vote has one name, whether it came with a reason or not.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Opened(_) => "opened",
            Event::VoteCast(_) | Event::VoteCastWithReason(_) => "vote_cast",
            Event::VoteRefused(_) | Event::VoteRefusedWithReason(_) => "vote_refused",
            Event::Closed(_) => "closed",
            Event::FallbackOpened { .. } => "fallback_opened",
            Event::FallbackFailed { .. } => "fallback_failed",
            Event::OpenedByRule(_) => "opened_by_rule",
            Event::Keyed(_) => "keyed",
            Event::Extended(_) => "extended",
        }
    }
}

/// What kind of electorate was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuorumType {
    /// The neighbours of one cell.
    Local,
    /// The hub authorities.
    Global,
    /// The cells of one ring.
    Ring,
    /// The cells of one arm.
    Radial,
}

impl QuorumType {
    /// Every kind.
    pub const ALL: [QuorumType; 4] =
        [QuorumType::Local, QuorumType::Global, QuorumType::Ring, QuorumType::Radial];

    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            QuorumType::Local => "local",
            QuorumType::Global => "global",
            QuorumType::Ring => "ring",
            QuorumType::Radial => "radial",
        }
    }

    /// The kind of a name, upper or lower case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.name().eq_ignore_ascii_case(name))
    }
}

/// Where a quorum stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuorumState {
    /// Takes votes.
    Open,
    /// Enough approvals came in time.
    Approved,
    /// The bar could no longer be reached.
    Rejected,
    /// The deadline passed with the question open.
    TimedOut,
    /// Somebody ended it.
    Cancelled,
}

impl QuorumState {
    /// Every state.
    pub const ALL: [QuorumState; 5] = [
        QuorumState::Open,
        QuorumState::Approved,
        QuorumState::Rejected,
        QuorumState::TimedOut,
        QuorumState::Cancelled,
    ];

    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            QuorumState::Open => "open",
            QuorumState::Approved => "approved",
            QuorumState::Rejected => "rejected",
            QuorumState::TimedOut => "timed_out",
            QuorumState::Cancelled => "cancelled",
        }
    }

    /// The state of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name() == name)
    }
}

/// Who may vote: fixed when the quorum opens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Electorate {
    /// These voters, sorted, each once.
    Closed(Vec<VoterId>),
    /// Anyone: the membership was not known.
    Open,
}

impl Electorate {
    /// How many may vote, `None` when anyone may.
    pub fn size(&self) -> Option<u32> {
        match self {
            Electorate::Closed(voters) => Some(u32::try_from(voters.len()).unwrap_or(u32::MAX)),
            Electorate::Open => None,
        }
    }

    /// The voter's place among the voters; 0 where anyone may vote, or for a stranger.
    pub fn index(&self, voter: &VoterId) -> usize {
        match self {
            Electorate::Closed(voters) => voters.binary_search(voter).unwrap_or(0),
            Electorate::Open => 0,
        }
    }

    /// May this voter vote?
    pub fn admits(&self, voter: &VoterId) -> bool {
        match self {
            Electorate::Closed(voters) => voters.binary_search(voter).is_ok(),
            Electorate::Open => true,
        }
    }
}

/// May a voter change its vote while the quorum is open?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VoteChange {
    /// The new vote takes the place of the old one; both stay on record.
    Replace,
    /// The first vote is final.
    Reject,
}

impl VoteChange {
    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            VoteChange::Replace => "replace",
            VoteChange::Reject => "reject",
        }
    }
}

/// What becomes of votes from outside the electorate?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outsiders {
    /// Recorded, never counted.
    Record,
    /// Refused, the attempt recorded.
    Refuse,
}

impl Outsiders {
    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Outsiders::Record => "record",
            Outsiders::Refuse => "refuse",
        }
    }
}

/// How a quorum takes votes. Fixed when it opens.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// May votes change?
    pub vote_change: VoteChange,
    /// What becomes of outsiders?
    pub outsiders: Outsiders,
    /// Votes less sure than this stand but do not count; 0 counts all.
    pub min_confidence: f64,
    /// Most outsiders whose votes are recorded.
    pub max_outsiders: u32,
    /// Most voters of an open electorate.
    pub max_voters: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            vote_change: VoteChange::Replace,
            outsiders: Outsiders::Record,
            min_confidence: 0.0,
            max_outsiders: 1024,
            max_voters: 100_000,
        }
    }
}

/// The question as it was opened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Opened {
    /// What kind of electorate was asked for.
    pub quorum_type: QuorumType,
    /// Approvals needed.
    pub required_votes: u32,
    /// When it opened.
    pub opened_at: Timestamp,
    /// The last instant at which a vote is on time.
    pub deadline: Timestamp,
    /// The cell the question is about.
    pub cell_id: Option<CellId>,
    /// Known neighbours of the cell.
    pub neighbor_count: u32,
    /// Who may vote.
    pub electorate: Electorate,
    /// Where notices go.
    pub topic: String,
    /// Epoch of the mesh registry the electorate was read at.
    pub membership_epoch: u64,
    /// What is asked, opaque.
    pub subject: Option<String>,
    /// blake3 of the subject, in hex.
    pub subject_digest: Option<String>,
    /// How votes are taken.
    pub policy: Policy,
    /// The global quorum to open if this one times out.
    pub fallback: Option<FallbackPlan>,
    /// The timed-out quorum this one was opened for.
    pub parent: Option<EntityId>,
}

/// The question, and the rule that decides it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpenedByRule {
    /// The question; `required_votes` says with how few approvals, and no other votes, the rule can be met.
    pub opened: Opened,
    /// The rule as it was asked for.
    pub rule: RuleSpec,
    /// What it is for this electorate.
    pub formula: Formula,
}

/// Whether a recorded vote is part of the tally.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counting {
    /// It is.
    Counted,
    /// It is not: the voter is not in the electorate.
    Outsider,
    /// It is not: the confidence is below the floor.
    LowConfidence,
}

/// A recorded vote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VoteCast {
    /// Who voted.
    pub voter_id: VoterId,
    /// True approves.
    pub vote: bool,
    /// How sure the voter was, 0 to 1.
    pub confidence: f64,
    /// When it was received.
    pub cast_at: Timestamp,
    /// Whether it is part of the tally.
    pub counting: Counting,
    /// An earlier vote of this voter is superseded by this one.
    pub supersedes: bool,
}

/// A recorded vote with its reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VoteReasoned {
    /// The vote.
    pub cast: VoteCast,
    /// Why it was cast so, in the voter's words.
    pub reason: String,
}

/// Why an attempt to vote was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The quorum was closed before.
    Late,
    /// The voter's first vote is final.
    ChangeNotAllowed,
    /// The voter is not in the electorate.
    NotEligible,
}

/// A refused attempt to vote, kept for the audit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VoteRefused {
    /// Who tried.
    pub voter_id: VoterId,
    /// What the vote would have been.
    pub vote: bool,
    /// How sure the voter was.
    pub confidence: f64,
    /// When it was received.
    pub cast_at: Timestamp,
    /// Why it was refused.
    pub refusal: Refusal,
}

/// A refused attempt to vote with its reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RefusalReasoned {
    /// The attempt.
    pub refused: VoteRefused,
    /// Why the vote would have been so, in the voter's words.
    pub reason: String,
}

/// How the question ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Closed {
    /// The final state; never `Open`.
    pub state: QuorumState,
    /// When the question was opened.
    pub opened_at: Timestamp,
    /// When it ended: the deciding vote, the deadline or the cancellation.
    pub closed_at: Timestamp,
    /// When the end was noticed; later than `closed_at` after downtime.
    pub noticed_at: Timestamp,
    /// The final count.
    pub tally: Tally,
    /// Who cast the deciding vote.
    pub decided_by: Option<VoterId>,
    /// Who cancelled.
    pub cancelled_by: Option<String>,
    /// Why it was cancelled.
    pub reason: Option<String>,
}
