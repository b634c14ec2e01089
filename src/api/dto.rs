//! Requests and replies: the same shapes in Rust, JSON, HTTP and on the command line.
//!
//! Requests refuse unknown fields. Instants are RFC 3339 strings; durations say their unit in their name.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::Value;

use crate::core::ids::{CellId, EntityId, IdempotencyKey, MAX_ID_BYTES, VoterId};
use crate::core::quorum::event::{Outsiders, VoteChange};
use crate::core::quorum::{QuorumState, QuorumType};
use crate::core::time::Timestamp;
use crate::error::Error;

macro_rules! schema_of_id {
    ($($name:ident),*) => { $(
        impl JsonSchema for $name {
            fn inline_schema() -> bool { true }
            fn schema_name() -> Cow<'static, str> { stringify!($name).into() }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "minLength": 1, "maxLength": MAX_ID_BYTES })
            }
        }
    )* };
}
schema_of_id!(EntityId, VoterId, CellId, IdempotencyKey);

impl JsonSchema for Timestamp {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

macro_rules! schema_of_names {
    ($name:ident: $($label:literal),*) => {
        impl JsonSchema for $name {
            fn inline_schema() -> bool { true }
            fn schema_name() -> Cow<'static, str> { stringify!($name).into() }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "enum": [$($label),*] })
            }
        }
    };
}
schema_of_names!(QuorumState: "open", "approved", "rejected", "timed_out", "cancelled");
schema_of_names!(VoteChange: "replace", "reject");
schema_of_names!(Outsiders: "record", "refuse");

/// A kind of quorum as asked for: upper or lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AskedType(pub QuorumType);

impl<'de> Deserialize<'de> for AskedType {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let name = String::deserialize(d)?;
        QuorumType::from_name(&name)
            .map(AskedType)
            .ok_or_else(|| D::Error::custom("expected one of local, global, ring, radial"))
    }
}

impl Serialize for AskedType {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(s)
    }
}

schema_of_names!(AskedType: "local", "global", "ring", "radial");
schema_of_names!(QuorumType: "local", "global", "ring", "radial");

/// Opens a quorum.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StartQuorum {
    /// Whose question it is: `local` (neighbours of a cell), `ring`, `radial` (an arm) or `global` (the hub).
    pub quorum_type: AskedType,
    /// Id of the quorum; a random one when left out. An id is never used twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quorum_id: Option<EntityId>,
    /// Approvals needed, 1 to the number of voters; a default for the kind and size when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required_votes: Option<i64>,
    /// How long votes are taken, above 0 up to the configured maximum (24 h); 30 when left out.
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
    /// Exactly these voters, each once, instead of the mesh membership.
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
    /// Open a global quorum if this one times out; false when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cmp_fallback: Option<bool>,
    /// Timeout of that global quorum; this quorum's own when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback_timeout_seconds: Option<f64>,
    /// The caller's own name for this request: the same key again answers with the quorum it opened first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<IdempotencyKey>,
}

impl StartQuorum {
    /// A quorum of this kind with every setting at its default.
    pub fn new(quorum_type: QuorumType) -> Self {
        StartQuorum {
            quorum_type: AskedType(quorum_type),
            quorum_id: None,
            required_votes: None,
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

/// Makes an id of a text, or the error that names the field.
///
/// # Errors
/// `invalid_argument` when the text is blank, longer than 256 bytes or holds a control character.
pub fn id<T: std::str::FromStr>(field: &str, text: &str) -> Result<T, Error> {
    text.parse()
        .map_err(|_| Error::invalid(field, text, "1 to 256 bytes, not blank, without control characters"))
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
        Ok(Vote { quorum_id: quorum_id.clone(), voter_id, vote, confidence: sure() })
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
    /// The same vote stood before; nothing changed.
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
    pub quorum_id: EntityId,
}

/// Waits for a quorum to close.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WaitQuorum {
    /// Which quorum.
    pub quorum_id: EntityId,
    /// How long to wait, 0 to 300000; 30000 when left out. The quorum's status then, whatever it is. In virtual time
    /// nothing moves while one waits, so the answer comes at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<i64>,
}

/// Ends a quorum without a decision.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelQuorum {
    /// Which quorum.
    pub quorum_id: EntityId,
    /// Who cancels, up to 256 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why, up to 1024 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
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
    /// Where it stands.
    pub state: QuorumState,
    /// More approvals than rejections; informational, not the outcome.
    pub consensus: bool,
    /// `closed` or `open`.
    pub electorate: String,
    /// How many may vote; none for an open electorate.
    pub voter_count: Option<u32>,
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
    /// What is asked.
    pub subject: Option<Value>,
    /// blake3 of the subject, in hex.
    pub subject_digest: Option<String>,
    /// Epoch of the mesh registry its electorate was read at.
    pub membership_epoch: u64,
    /// The timed-out quorum this one was opened for.
    pub parent_quorum_id: Option<EntityId>,
    /// The global quorum opened, or to be opened, if this one times out.
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
    /// How many at most, 0 to 1000; 100 when left out.
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
    /// Ask with this for the page before; none when there is none.
    pub next_cursor: Option<String>,
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

/// The vote of one voter that stood at the end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FinalVote {
    /// True approved.
    pub vote: bool,
    /// How sure the voter was.
    pub confidence: f64,
    /// It was part of the tally.
    pub counted: bool,
    /// When it was received.
    pub cast_at: Timestamp,
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

/// No fields.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

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

/// Sets a cell's entry in the mesh registry, in place of any earlier one.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterCell {
    /// Which cell.
    pub cell_id: CellId,
    /// Up to six other cells; duplicates and the cell itself drop out.
    #[serde(default)]
    pub neighbors: Vec<CellId>,
    /// The ring it lies on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ring: Option<u32>,
    /// The arm it lies on, an opaque label of 1 to 256 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arm: Option<String>,
    /// The department it works for, 1 to 256 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub department: Option<String>,
}

/// A cell of the mesh registry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CellView {
    /// Which cell.
    pub cell_id: CellId,
    /// Its neighbours.
    pub neighbors: Vec<CellId>,
    /// Its ring.
    pub ring: Option<u32>,
    /// Its arm.
    pub arm: Option<String>,
    /// Its department.
    pub department: Option<String>,
}

/// A cell as registered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CellRegistered {
    /// The entry.
    #[serde(flatten)]
    pub cell: CellView,
    /// Epoch of the registry after it.
    pub epoch: u64,
    /// The registry changed; false when the entry already was so.
    pub changed: bool,
}

/// Lists the mesh registry.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListCells {
    /// How many cells at most, 0 to 1000; 100 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// The last cell of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<CellId>,
}

/// A page of the mesh registry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CellPage {
    /// Cells by id.
    pub cells: Vec<CellView>,
    /// How many cells there are.
    pub total_available: u64,
    /// Ask with this for the next page; none when there is none.
    pub next_cursor: Option<CellId>,
    /// The authorities at the hub.
    pub authorities: Vec<VoterId>,
    /// Pairs in which the first lists the second as a neighbour but not the other way round; at most 1000.
    pub asymmetric_pairs: Vec<(CellId, CellId)>,
    /// Epoch of the registry.
    pub epoch: u64,
}

/// Registers a whole hexagonal mesh: a hub and this many rings, ids such as `hex:1,-1`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterMesh {
    /// Rings around the hub, 0 to 50.
    pub rings: i64,
}

/// What registering a mesh did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MeshRegistered {
    /// Cells of the mesh.
    pub cells: u64,
    /// Of these, new or changed.
    pub changed: u64,
    /// Epoch of the registry after it.
    pub epoch: u64,
}

/// Adds an authority at the hub.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterAuthority {
    /// Who.
    pub authority_id: VoterId,
}

/// An authority as registered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AuthorityRegistered {
    /// Who.
    pub authority_id: VoterId,
    /// Authorities there are now.
    pub authorities: u64,
    /// Epoch of the registry after it.
    pub epoch: u64,
    /// The registry changed; false when the authority was known.
    pub changed: bool,
}

/// Asks what happened, over all entities, in global order.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HistoryQuery {
    /// Only entities of this kind: `quorum` or `topology`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Only this entity; needs no kind when it is a quorum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity_id: Option<EntityId>,
    /// Only quorums about this cell, and the cell's own registration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cell_id: Option<CellId>,
    /// Only votes and attempts of this voter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voter_id: Option<VoterId>,
    /// Only events of this name, such as `vote_cast` or `closed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// Only closes with this outcome, such as `approved`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<QuorumState>,
    /// Only what happened at or after this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Only what happened up to and with this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// How many at most, 0 to 1000; 100 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// Where an earlier page ended; the beginning when left out. Not affected by what is appended meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// One recorded event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EventView {
    /// Place in the global order, from 1.
    pub position: u64,
    /// Kind of the entity.
    pub kind: String,
    /// Which entity.
    pub entity_id: EntityId,
    /// Place in the entity's log, from 1.
    pub seq: u64,
    /// When it was decided.
    pub at: Timestamp,
    /// The same in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// What happened.
    pub event: String,
    /// Everything recorded about it.
    pub data: Value,
    /// Chain hash of the entity's log up to here, in hex.
    pub hash: String,
}

/// A page of recorded events, oldest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EventPage {
    /// The events.
    pub events: Vec<EventView>,
    /// Ask with this for what follows; none when the end was reached.
    pub next_cursor: Option<String>,
}

/// Names one entity's log.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EntityHistory {
    /// Kind of the entity; `quorum` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Which entity.
    pub entity_id: EntityId,
    /// How many events at most, 0 to 1000; 100 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// The seq an earlier page ended at; the beginning when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// One vote or refused attempt, with what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AuditVoteView {
    /// Place in the quorum's log.
    pub seq: u64,
    /// Who voted.
    pub voter_id: VoterId,
    /// True approves.
    pub vote: bool,
    /// How sure the voter was.
    pub confidence: f64,
    /// When it was received.
    pub cast_at: Timestamp,
    /// Part of the tally when it was cast.
    pub counted: bool,
    /// A later vote of the same voter took its place.
    pub superseded: bool,
    /// The attempt was refused.
    pub refused: bool,
    /// Why it was not counted: `outsider`, `low_confidence`, `late`, `change_not_allowed`, `not_eligible`.
    pub reason: Option<String>,
}

/// The log of one entity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EntityLog {
    /// Kind of the entity.
    pub kind: String,
    /// Which entity.
    pub entity_id: EntityId,
    /// How many events its log holds.
    pub revision: u64,
    /// The events of this page.
    pub events: Vec<EventView>,
    /// For a quorum: the votes and refused attempts among the events of this page.
    pub votes: Vec<AuditVoteView>,
    /// Ask with this for what follows; none when the end was reached.
    pub next_cursor: Option<String>,
}

/// Asks how a quorum stood at an earlier point.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StateAt {
    /// Which quorum.
    pub entity_id: EntityId,
    /// After this many events of its log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// After everything up to and with this instant. One of `seq` and `at` must be given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// What checking every hash, link and sequence found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verified {
    /// Everything fits.
    pub ok: bool,
    /// Commit groups checked.
    pub groups: u64,
    /// Records checked.
    pub records: u64,
    /// Entities met.
    pub streams: u64,
    /// Hash of the last group: covers everything before it.
    pub tip_hash: String,
    /// The first thing that does not fit.
    pub broken: Option<BrokenView>,
}

/// The first broken entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BrokenView {
    /// The commit group it stands in.
    pub group: u64,
    /// Its place in the global order, when known.
    pub position: Option<u64>,
    /// Kind and id of its entity, when known.
    pub entity: Option<String>,
    /// Its place in the entity's log, when known.
    pub seq: Option<u64>,
    /// What does not fit.
    pub why: String,
}

/// How a runtime is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    /// `ok`, or `failed` when the store refuses work or the runtime is closed.
    pub status: String,
    /// Why it refuses.
    pub failure: Option<String>,
    /// Entities with an open deadline.
    pub tracked_deadlines: u64,
    /// Entity actors in memory.
    pub awake_entities: u64,
    /// Entities that used up their restart budget.
    pub parked_entities: u64,
    /// Requests admitted and not yet answered.
    pub in_flight: u64,
    /// Damaged ends of the journal dropped at open; never acknowledged.
    pub dropped_at_open: Vec<String>,
}
