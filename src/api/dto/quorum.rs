//! Requests and replies about quorums.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{AskedType, id};
use crate::core::kernel::ids::{CellId, EntityId, IdempotencyKey, VoterId, known};
use crate::core::kernel::time::Timestamp;
use crate::core::voting::quorum::event::{Outsiders, VoteChange};
use crate::core::voting::quorum::{QuorumState, QuorumType};
use crate::core::voting::rules::{Param, RuleSpec};
use crate::error::Error;

/// Opens a quorum.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StartQuorum {
    /// Whose question it is: `local` (neighbours of a cell), `ring`, `radial` (an arm) or `global` (the hub).
    pub quorum_type: AskedType,
    /// Id of the quorum; a random one when left out. An id is never used twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quorum_id: Option<EntityId>,
    /// Approvals needed, 1 to the number of voters. When left out: for voters named one by one a majority of them (of
    /// a local quorum two thirds, rounded up); for the mesh two thirds of a cell's neighbours (local), a majority of the
    /// ring or arm, and one authority of the hub (global).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required_votes: Option<i64>,
    /// A rule that decides instead of a number of approvals: a text such as `at_least:2/3`, or `{"rule": …,
    /// "params": {…}}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<Param>,
    /// How long votes are taken, above 0 up to the configured maximum (366 days); 30 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<f64>,
    /// The cell the question is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cell_id: Option<CellId>,
    /// The ring, for a ring quorum; the cell's own when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ring: Option<u32>,
    /// The arm, for a radial quorum; the cell's own when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arm: Option<String>,
    /// Exactly these voters, each once, instead of the mesh membership. Without `required_votes` a majority of them
    /// approves, also of a global quorum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voters: Option<Vec<VoterId>>,
    /// What is asked: any JSON value, kept with its blake3 digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Value>,
    /// May votes change while the quorum is open? `replace` (default) or `reject`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vote_change: Option<VoteChange>,
    /// What becomes of votes from outside the electorate? `record` (default) or `refuse`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outsiders: Option<Outsiders>,
    /// Votes less sure than this, 0 to 1, stand but do not count; 0 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_confidence: Option<f64>,
    /// Refuse to start on unknown membership; the configured setting when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strict_membership: Option<bool>,
    /// Open a global quorum if this one times out, of the hub's authorities or, where none is registered, of the same
    /// voters by majority; false when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cmp_fallback: Option<bool>,
    /// Timeout of that global quorum; this quorum's own when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback_timeout_seconds: Option<f64>,
    /// The caller's own name for this request: the same request again is answered with the quorum it opened first;
    /// another request under the same key is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<IdempotencyKey>,
    /// Whose personal data `subject` holds: it is sealed with the key of this data subject, and readable until that is shredded. A name that
    /// stays on record, so a pseudonym.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_subject: Option<EntityId>,
}

impl StartQuorum {
    /// A quorum of this kind with every setting at its default.
    pub fn new(quorum_type: QuorumType) -> Self {
        StartQuorum {
            quorum_type: AskedType(quorum_type),
            quorum_id: None,
            required_votes: None,
            rule: None,
            timeout_seconds: None,
            cell_id: None,
            ring: None,
            arm: None,
            voters: None,
            subject: None,
            vote_change: None,
            outsiders: None,
            min_confidence: None,
            strict_membership: None,
            cmp_fallback: None,
            fallback_timeout_seconds: None,
            idempotency_key: None,
            data_subject: None,
        }
    }

    /// A question to the neighbours of a cell.
    pub fn local(cell_id: CellId) -> Self {
        StartQuorum { cell_id: Some(cell_id), ..Self::new(QuorumType::Local) }
    }

    /// A question to a ring.
    pub fn ring(ring: u32) -> Self {
        StartQuorum { ring: Some(ring), ..Self::new(QuorumType::Ring) }
    }

    /// A question to an arm.
    pub fn radial(arm: impl Into<String>) -> Self {
        StartQuorum { arm: Some(arm.into()), ..Self::new(QuorumType::Radial) }
    }

    /// A question to the authorities at the hub.
    pub fn global() -> Self {
        Self::new(QuorumType::Global)
    }

    /// The same question put to exactly these voters.
    ///
    /// # Errors
    /// `invalid_argument` when a name is not an id.
    pub fn with_voters<'a>(mut self, voters: impl IntoIterator<Item = &'a str>) -> Result<Self, Error> {
        let voters: Result<_, _> = voters.into_iter().map(|v| id("voters", v)).collect();
        self.voters = Some(voters?);
        Ok(self)
    }
}

/// A quorum as it was opened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Started {
    /// Its id.
    pub quorum_id: EntityId,
    /// Its kind.
    pub quorum_type: QuorumType,
    /// Approvals needed.
    pub required_votes: u32,
    /// Seconds votes are taken.
    pub timeout: f64,
    /// The same, under the name the other replies use.
    pub timeout_seconds: f64,
    /// The cell the question is about.
    pub cell_id: Option<CellId>,
    /// Known neighbours of that cell.
    pub neighbor_count: u32,
    /// `closed` (a fixed list of voters) or `open` (anyone counts, because the membership is unknown).
    pub electorate: String,
    /// How many may vote; none for an open electorate.
    pub voter_count: Option<u32>,
    /// Where it stands.
    pub state: QuorumState,
    /// When it opened.
    pub opened_at: Timestamp,
    /// The last instant at which a vote is on time.
    pub deadline: Timestamp,
    /// Epoch of the mesh registry its electorate was read at.
    pub membership_epoch: u64,
    /// blake3 of the subject, in hex.
    pub subject_digest: Option<String>,
    /// The global quorum that opens if this one times out.
    pub fallback_quorum_id: Option<EntityId>,
    /// The request was answered before under the same idempotency key.
    pub duplicate: bool,
}

/// Casts or changes a vote.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Vote {
    /// Which quorum.
    pub quorum_id: EntityId,
    /// Who votes.
    pub voter_id: VoterId,
    /// True approves, false rejects.
    pub vote: bool,
    /// How sure the voter is, 0 to 1; 1 when left out. Never decides.
    #[serde(default = "sure")]
    pub confidence: f64,
    /// Why the voter votes so, up to 1024 bytes; kept with the vote, also with one that is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whose personal data `reason` holds: it is sealed with the key of this data subject, and readable until that is shredded. A name that
    /// stays on record, so a pseudonym.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_subject: Option<EntityId>,
}

fn sure() -> f64 {
    1.0
}

impl Vote {
    /// A vote with full confidence.
    ///
    /// # Errors
    /// `invalid_argument` when the voter's name is not an id.
    pub fn new(quorum_id: &EntityId, voter: &str, vote: bool) -> Result<Self, Error> {
        let voter_id = id("voter_id", voter)?;
        Ok(Vote {
            quorum_id: quorum_id.clone(),
            voter_id,
            vote,
            confidence: sure(),
            reason: None,
            data_subject: None,
        })
    }

    /// The same vote with a reason.
    pub fn because(self, reason: &str) -> Self {
        Vote { reason: Some(reason.to_owned()), ..self }
    }
}

/// What became of a vote, and where the quorum stands after it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Voted {
    /// Which quorum.
    pub quorum_id: EntityId,
    /// Who voted.
    pub voter_id: VoterId,
    /// The vote.
    pub vote: bool,
    /// Counted votes.
    pub total_votes: u32,
    /// Counted approvals.
    pub approve_votes: u32,
    /// Counted rejections.
    pub reject_votes: u32,
    /// Approvals needed.
    pub required_votes: u32,
    /// Approvals have reached the number needed.
    pub quorum_reached: bool,
    /// More approvals than rejections; informational, not the outcome.
    pub consensus: bool,
    /// The voter is a neighbour of the cell; always true for kinds other than local.
    pub is_neighbor: bool,
    /// The vote is part of the tally.
    pub counted: bool,
    /// The same vote stood before; nothing changed, and a reason given now is not kept.
    pub duplicate: bool,
    /// The vote replaced an earlier, different one.
    pub changed: bool,
    /// Where the quorum stands.
    pub state: QuorumState,
}

/// Names one quorum.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QuorumRef {
    /// Which quorum.
    #[serde(deserialize_with = "known")]
    pub quorum_id: EntityId,
}

/// Waits for a quorum to close.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WaitQuorum {
    /// Which quorum.
    #[serde(deserialize_with = "known")]
    pub quorum_id: EntityId,
    /// How long to wait, 0 to 300000; 30000 when left out. The quorum's status then, whatever it is. In virtual time
    /// nothing moves while one waits, so the answer comes at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<i64>,
}

/// What became of a cancellation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cancelled {
    /// Which quorum.
    pub quorum_id: EntityId,
    /// Where it stands.
    pub state: QuorumState,
    /// When it ended.
    pub closed_at: Option<Timestamp>,
    /// It was cancelled before; nothing changed.
    pub duplicate: bool,
}

/// Everything about a quorum at one instant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct QuorumStatus {
    /// Which quorum.
    pub quorum_id: EntityId,
    /// Its kind.
    pub quorum_type: QuorumType,
    /// The cell the question is about.
    pub cell_id: Option<CellId>,
    /// Known neighbours of that cell.
    pub neighbor_count: u32,
    /// Counted votes.
    pub total_votes: u32,
    /// Counted approvals.
    pub approve_votes: u32,
    /// Counted rejections.
    pub reject_votes: u32,
    /// Approvals needed.
    pub required_votes: u32,
    /// Approvals have reached the number needed.
    pub quorum_reached: bool,
    /// Seconds since the opening; stands still at the close.
    pub elapsed_seconds: f64,
    /// Seconds votes are taken.
    pub timeout_seconds: f64,
    /// Voters of the electorate who voted, in the order of their first votes.
    pub valid_voters: Vec<VoterId>,
    /// Outsiders who voted, in the order of their first votes.
    pub invalid_voters: Vec<VoterId>,
    /// Standing votes by voter, outsiders among them. Refused votes are in the history.
    pub votes: BTreeMap<VoterId, FinalVote>,
    /// Where it stands.
    pub state: QuorumState,
    /// More approvals than rejections; informational, not the outcome.
    pub consensus: bool,
    /// `closed` or `open`.
    pub electorate: String,
    /// How many may vote; none for an open electorate.
    pub voter_count: Option<u32>,
    /// Who has not voted while it is open, by name; nobody is waited for in an open electorate.
    #[serde(default)]
    pub outstanding: Vec<VoterId>,
    /// When it ended: the deciding vote, the deadline or the cancellation.
    pub closed_at: Option<Timestamp>,
    /// When the end was noticed; later than `closed_at` after downtime.
    pub noticed_at: Option<Timestamp>,
    /// When it opened.
    pub opened_at: Timestamp,
    /// The last instant at which a vote is on time.
    pub deadline: Timestamp,
    /// Who cast the deciding vote.
    pub decided_by: Option<VoterId>,
    /// Who cancelled.
    pub cancelled_by: Option<String>,
    /// Why it was cancelled.
    pub reason: Option<String>,
    /// Mean confidence of counted approvals; none without approvals.
    pub mean_confidence: Option<f64>,
    /// New or changed votes that came after the close.
    pub late_votes: u32,
    /// The rule, when one was asked for.
    pub rule: Option<RuleSpec>,
    /// What is asked.
    pub subject: Option<Value>,
    /// blake3 of the subject, in hex.
    pub subject_digest: Option<String>,
    /// Epoch of the mesh registry its electorate was read at.
    pub membership_epoch: u64,
    /// The timed-out quorum this one was opened for.
    pub parent_quorum_id: Option<EntityId>,
    /// The global quorum that opens if this one times out, or opened; none once it is clear that it never will.
    pub fallback_quorum_id: Option<EntityId>,
    /// `none`, `planned`, `owed`, `opened` or `failed`.
    pub fallback: String,
    /// Why the fallback cannot be opened.
    pub fallback_error: Option<String>,
}

/// Asks for the latest closed quorums.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QuorumHistory {
    /// How many at most, 1 to 1000; 100 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// Where an earlier page ended; the latest when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// Closed quorums, oldest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct QuorumHistoryPage {
    /// One entry per closed quorum.
    pub history: Vec<QuorumHistoryEntry>,
    /// How many entries this page holds.
    pub total: u64,
    /// How many closed quorums there are.
    pub total_available: u64,
    /// Ask with this for older ones; the cursor that was given when this page is empty.
    pub next_cursor: Option<String>,
    /// There are older ones.
    pub more: bool,
    /// How many were pruned and are in no page; left out when none was. `total_available` counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pruned: Option<u64>,
}

/// The final count of a quorum.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FinalTally {
    /// Counted votes.
    pub total_votes: u32,
    /// Counted approvals.
    pub approve_votes: u32,
    /// Counted rejections.
    pub reject_votes: u32,
    /// Approvals needed.
    pub required_votes: u32,
    /// Approvals have reached the number needed.
    pub quorum_reached: bool,
    /// More approvals than rejections.
    pub consensus: bool,
}

/// The vote of one voter that stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FinalVote {
    /// True approves.
    pub vote: bool,
    /// How sure the voter was.
    pub confidence: f64,
    /// It is part of the tally.
    pub counted: bool,
    /// When it was received.
    pub cast_at: Timestamp,
    /// Why it was cast so, in the voter's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// One closed quorum.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct QuorumHistoryEntry {
    /// Which quorum.
    pub quorum_id: EntityId,
    /// Its kind.
    pub quorum_type: QuorumType,
    /// The final count.
    pub result: FinalTally,
    /// Standing votes by voter.
    pub votes: BTreeMap<VoterId, FinalVote>,
    /// When it ended.
    pub closed_at: Timestamp,
    /// How it ended.
    pub state: QuorumState,
    /// The cell the question was about.
    pub cell_id: Option<CellId>,
    /// Approvals needed.
    pub required_votes: u32,
    /// When it opened.
    pub opened_at: Timestamp,
    /// The last instant at which a vote was on time.
    pub deadline: Timestamp,
    /// Who cast the deciding vote.
    pub decided_by: Option<VoterId>,
    /// What was asked.
    pub subject: Option<Value>,
}

/// Counters over all quorums that ever were.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct QuorumStatsReply {
    /// Open and not past their deadline.
    pub active_quorums: u64,
    /// Closed, however.
    pub total_quorums: u64,
    /// Approved.
    pub successful_quorums: u64,
    /// Approved of closed, 0 when none is closed.
    pub success_rate: f64,
    /// Rejected.
    pub rejected_quorums: u64,
    /// Timed out.
    pub timed_out_quorums: u64,
    /// Cancelled.
    pub cancelled_quorums: u64,
    /// Votes recorded, changes and outsiders among them.
    pub votes: u64,
    /// Votes that replaced an earlier one.
    pub changed_votes: u64,
    /// Votes of outsiders.
    pub outsider_votes: u64,
    /// New or changed votes after the close.
    pub late_votes: u64,
    /// Refused attempts, late ones among them.
    pub refused_votes: u64,
    /// Quorums whose end was noticed only after downtime.
    pub recovery_closures: u64,
    /// Mean milliseconds from opening to decision over approved and rejected quorums.
    pub avg_time_to_decision_ms: f64,
}

/// Which quorums are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ListedQuorums {
    /// Open ones.
    Open,
    /// Closed ones, however they ended.
    Closed,
    /// Approved ones.
    Approved,
    /// Rejected ones.
    Rejected,
    /// Those that timed out.
    TimedOut,
    /// Cancelled ones.
    Cancelled,
}

impl ListedQuorums {
    /// The one state that is listed; none where several are.
    pub fn ends_as(self) -> Option<QuorumState> {
        match self {
            ListedQuorums::Open => Some(QuorumState::Open),
            ListedQuorums::Closed => None,
            ListedQuorums::Approved => Some(QuorumState::Approved),
            ListedQuorums::Rejected => Some(QuorumState::Rejected),
            ListedQuorums::TimedOut => Some(QuorumState::TimedOut),
            ListedQuorums::Cancelled => Some(QuorumState::Cancelled),
        }
    }
}

/// Lists quorums, newest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListQuorums {
    /// Only those that stand so: `open`, `closed`, or one of the ways to close. When left out: open ones, then closed ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<ListedQuorums>,
    /// Only those about this cell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cell_id: Option<CellId>,
    /// Only open ones that await the vote of this voter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voter_id: Option<VoterId>,
    /// How many are looked at, 1 to 1000; 100 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// The `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// Quorums, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct QuorumPage {
    /// Open ones by the time they were opened, then closed ones by their end.
    pub quorums: Vec<QuorumLine>,
    /// How many are open.
    pub open: u64,
    /// Ask with this for the next page.
    pub next_cursor: Option<String>,
    /// The end was not reached.
    pub more: bool,
    /// Filters whose names nobody here has, where nothing fits them: they may be misspelt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
}

/// A quorum in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct QuorumLine {
    /// Which quorum.
    pub quorum_id: EntityId,
    /// Its kind.
    pub quorum_type: QuorumType,
    /// The cell the question is about.
    pub cell_id: Option<CellId>,
    /// Where it stands.
    pub state: QuorumState,
    /// Counted approvals.
    pub approve_votes: u32,
    /// Counted rejections.
    pub reject_votes: u32,
    /// Approvals needed.
    pub required_votes: u32,
    /// How many may vote; none for an open electorate.
    pub voter_count: Option<u32>,
    /// How many have not voted while it is open.
    pub outstanding_count: u64,
    /// The first twenty of them, by name.
    pub outstanding: Vec<VoterId>,
    /// When it opened.
    pub opened_at: Timestamp,
    /// The last instant at which a vote is on time.
    pub deadline: Timestamp,
    /// When it ended.
    pub closed_at: Option<Timestamp>,
    /// What is asked.
    pub subject: Option<Value>,
}
