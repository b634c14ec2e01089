//! Requests and replies about what happened.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use quorate_proofs::proof::{Consistency, Inclusion};

use super::{CapacityStatus, ConsensusResult, JobStatusView, QuorumStatus, SessionResult, VoterView};
use crate::core::kernel::ids::{CellId, EntityId, VoterId, known, known_maybe};
use crate::core::kernel::time::Timestamp;
use crate::core::voting::rules::Choice;

/// Asks what happened, over all entities, in global order.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HistoryQuery {
    /// Only entities of this kind: `quorum`, `proposal`, `agent`, `cell`, `budget`, `job`, `gate`, `worker`, `flow`, `load`,
    /// `durations`, `topology`, `algorithms`, `identity`, `session` or `voter`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Only this entity; needs a kind only when several kinds have this id.
    #[serde(default, deserialize_with = "known_maybe", skip_serializing_if = "Option::is_none")]
    pub entity_id: Option<EntityId>,
    /// Only events that name this party, whatever its part in them: leader, worker, gate, agent, voter, cell; and its own.
    #[serde(default, deserialize_with = "known_maybe", skip_serializing_if = "Option::is_none")]
    pub party_id: Option<EntityId>,
    /// Only quorums about this cell, and the cell's own registration.
    #[serde(default, deserialize_with = "known_maybe", skip_serializing_if = "Option::is_none")]
    pub cell_id: Option<CellId>,
    /// Only votes and attempts of this voter.
    #[serde(default, deserialize_with = "known_maybe", skip_serializing_if = "Option::is_none")]
    pub voter_id: Option<VoterId>,
    /// Only what was done under this identity.
    #[serde(default, deserialize_with = "known_maybe", skip_serializing_if = "Option::is_none")]
    pub identity: Option<EntityId>,
    /// Only events of this name, such as `vote_cast` or `closed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// Only closes with this outcome: `approved`, `rejected`, `timed_out` and `cancelled` (quorums), `timeout` and `aborted` (proposals).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// Only what happened at or after this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Only what happened up to and with this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// How many at most, 1 to 1000; 100 when left out.
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
    /// The identity under which it was done; none where nobody was asked who calls, and where it followed by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// Chain hash of the entity's log up to here, in hex.
    pub hash: String,
}

/// A page of recorded events, oldest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EventPage {
    /// The events.
    pub events: Vec<EventView>,
    /// Ask with this for what follows, now or later; none when this page is empty and was not asked for with a cursor.
    pub next_cursor: Option<String>,
    /// The end was not reached.
    pub more: bool,
}

/// Names one entity's log.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EntityHistory {
    /// Kind of the entity; needed only when several kinds have this id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Which entity.
    #[serde(deserialize_with = "known")]
    pub entity_id: EntityId,
    /// How many events at most, 1 to 1000; 100 when left out.
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
    /// Why the voter voted so, in its own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voter_reason: Option<String>,
}

/// One vote or refused attempt on a proposal, with what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AuditBallotView {
    /// Place in the proposal's log.
    pub seq: u64,
    /// Who voted.
    pub voter_id: VoterId,
    /// How.
    pub vote: Choice,
    /// The weight the agent claimed.
    pub weight: Option<f64>,
    /// What the agent added.
    pub metadata: Option<Value>,
    /// When it was received.
    pub cast_at: Timestamp,
    /// Part of the count when it was cast.
    pub counted: bool,
    /// A later vote of the same agent took its place.
    pub superseded: bool,
    /// The attempt was refused.
    pub refused: bool,
    /// Why: `late`, `already_voted`, `not_participant`.
    pub reason: Option<String>,
    /// Why the agent voted so, in its own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voter_reason: Option<String>,
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
    /// For a proposal: the votes and refused attempts among the events of this page.
    pub ballots: Vec<AuditBallotView>,
    /// Ask with this for what follows, now or later; none when this page is empty and was not asked for with a cursor.
    pub next_cursor: Option<String>,
    /// The end was not reached.
    pub more: bool,
}

/// How an entity stood.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum PastState {
    /// A quorum.
    Quorum(Box<QuorumStatus>),
    /// A proposal.
    Proposal(Box<ConsensusResult>),
    /// A job.
    Job(Box<JobStatusView>),
    /// What a cell had of `capacity`.
    Cell(Box<CapacityStatus>),
    /// A session.
    Session(Box<SessionResult>),
    /// A voter.
    Voter(Box<VoterView>),
}

/// Asks how a quorum, a proposal, a job, a cell, a session or a voter stood at an earlier point.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StateAt {
    /// Which one. A job in a datacenter is named `job@datacenter`, a local one by its id alone.
    #[serde(deserialize_with = "known")]
    pub entity_id: EntityId,
    /// `quorum`, `proposal`, `job`, `cell`, `session` or `voter`; needed only when several have this id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
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
    /// Everything in the history fits, and nothing of it is missing.
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
    /// The store can be opened as it is. The history may be whole and the folder damaged elsewhere: then it opens only
    /// after `quorate recover`, or with `--accept-loss`.
    pub opens: bool,
    /// Why it cannot be opened, and what to do.
    pub refusal: Option<String>,
    /// Whether the journal begins with what the newest checkpoint in the folder was signed over; `null` when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<CheckpointCheck>,
    /// The same for the checkpoint that was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<CheckpointCheck>,
}

/// What the journal says to a checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CheckpointCheck {
    /// Every record that it was signed over is there, unchanged and in its place.
    pub contained: bool,
    /// How many records it was signed over; `null` when its signature does not fit.
    pub size: Option<u64>,
    /// Why it is not contained.
    pub why: Option<String>,
}

/// Asks to check the journal, and whether it contains a checkpoint that was kept elsewhere.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyHistory {
    /// The text of a signed checkpoint, as `history.checkpoint` gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
    /// The public key of the log, as `history.checkpoint` gave it then; that of the folder when left out. Whoever can rewrite
    /// the folder can replace its key, so keep this one elsewhere too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
}

/// The newest signed checkpoint of the log over all records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LogCheckpoint {
    /// The name of the log.
    pub origin: String,
    /// How many records it is signed over: all up to this position.
    pub size: u64,
    /// The public key by which it is checked: `name+hash+base64`.
    pub public_key: String,
    /// The signed text (C2SP tlog-checkpoint). Kept elsewhere, it shows later whether anything before it was changed.
    pub checkpoint: String,
}

/// Asks for the proof that a record is in the log. Give its position, or its entity and seq.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProveRecord {
    /// Its place in the global order, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
    /// Whose record, with `seq`, instead of its position.
    #[serde(default, deserialize_with = "known_maybe", skip_serializing_if = "Option::is_none")]
    pub entity_id: Option<EntityId>,
    /// Kind of the entity; needed only when several kinds have this id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Its place in the log of the entity, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// Show the record itself? True when left out; with false the proof holds, and what happened is kept back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub show: Option<bool>,
}

/// The proof that a record is in the log: what `quorate verify-proof` checks without a store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordProof {
    /// Places, hashes and the checkpoint.
    pub proof: Inclusion,
    /// What happened, as `history.query` shows it; `null` when it is kept back.
    pub event: Option<EventView>,
}

/// Asks for the proof that the log goes on from an older checkpoint.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProveConsistency {
    /// The text of the older checkpoint.
    pub old_checkpoint: String,
}

/// The proof that the log goes on from an older checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsistencyProof {
    /// Both checkpoints, and the hashes that lead from one to the other.
    pub proof: Consistency,
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
