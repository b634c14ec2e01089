//! Requests and replies about what happened.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use quorate_proofs::proof::{Consistency, Inclusion};

use crate::core::kernel::ids::{CellId, EntityId, VoterId, known, known_maybe};
use crate::core::kernel::time::Timestamp;
use crate::core::voting::rules::Choice;

/// The filters of history, and what else a request has.
macro_rules! with_filters {
    ($(#[$about:meta])* pub struct $name:ident { $($rest:tt)* }) => {
        $(#[$about])*
        #[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// Only entities of this kind: `quorum`, `proposal`, `session`, `voter`, `agent`, `cell`, `budget`, `job`, `gate`,
            /// `worker`, `durations`, `flow`, `load`, `topology`, `algorithms`, `identity`, `datacenter`, `route` or `coordinate`.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub kind: Option<String>,
            /// Only this entity; needs a kind only when several kinds have this id.
            #[serde(default, deserialize_with = "known_maybe", skip_serializing_if = "Option::is_none")]
            pub entity_id: Option<EntityId>,
            /// Only events that name this party, whatever its part in them: leader, worker, gate, agent, voter, cell; and its own.
            #[serde(default, deserialize_with = "known_maybe", skip_serializing_if = "Option::is_none")]
            pub party_id: Option<EntityId>,
            /// Only what concerns this cell: its registration, its capacity and that of others as far as they deal with it, and
            /// quorums about it.
            #[serde(default, deserialize_with = "known_maybe", skip_serializing_if = "Option::is_none")]
            pub cell_id: Option<CellId>,
            /// Only votes and attempts of this voter, and its own record.
            #[serde(default, deserialize_with = "known_maybe", skip_serializing_if = "Option::is_none")]
            pub voter_id: Option<VoterId>,
            /// Only the record of this agent, and its votes and attempts.
            #[serde(default, deserialize_with = "known_maybe", skip_serializing_if = "Option::is_none")]
            pub agent_id: Option<EntityId>,
            /// Only the record of this worker, and what jobs say of it.
            #[serde(default, deserialize_with = "known_maybe", skip_serializing_if = "Option::is_none")]
            pub worker_id: Option<EntityId>,
            /// Only what concerns this node: where it stands, and what names it as leader, holder or peer.
            #[serde(default, deserialize_with = "known_maybe", skip_serializing_if = "Option::is_none")]
            pub node_id: Option<EntityId>,
            /// Only what concerns this datacenter: its reports, its jobs and its workers, and what gates and routes say of it.
            #[serde(default, deserialize_with = "known_maybe", skip_serializing_if = "Option::is_none")]
            pub datacenter: Option<EntityId>,
            /// Only what was done under this identity.
            #[serde(default, deserialize_with = "known_maybe", skip_serializing_if = "Option::is_none")]
            pub identity: Option<EntityId>,
            /// Only records that hold data of this data subject, readable or shredded.
            #[serde(default, deserialize_with = "known_maybe", skip_serializing_if = "Option::is_none")]
            pub data_subject: Option<EntityId>,
            /// Only events of this name, such as `vote_cast` or `closed`.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub event: Option<String>,
            /// Only ends with this outcome: `approved`, `rejected`, `timed_out` and `cancelled` (quorums), `timeout` and `aborted`
            /// (proposals), `decided`, `no_quorum` and `fault_budget_exceeded` (sessions), `completed` and `failed` (jobs and
            /// gates), `granted` and `expired` (needs of cells).
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub outcome: Option<String>,
            /// True: only attempts that were refused. False: only the others.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub refused: Option<bool>,
            /// Only what happened at or after this instant.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub since: Option<Timestamp>,
            /// Only what happened up to and with this instant.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub until: Option<Timestamp>,
            /// Only events with this number in the log of their entity, or a later one; numbers begin at 1.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub from_seq: Option<u64>,
            /// Only events up to and with this number in the log of their entity.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub upto_seq: Option<u64>,
            /// Only events at this place in the global order, or a later one; places begin at 1.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub from_position: Option<u64>,
            /// Only events up to and with this place in the global order.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub upto_position: Option<u64>,
            $($rest)*
        }
    };
}

with_filters! {
    /// Asks what happened, over all entities, in global order. Every filter may stand beside every other: what is answered
    /// fits all of them.
    pub struct HistoryQuery {
        /// How many at most, 1 to 1000; 100 when left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub limit: Option<i64>,
        /// Where an earlier page ended; the beginning when left out. Not affected by what is appended meanwhile. That of another
        /// journal is refused.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub cursor: Option<String>,
        /// Texts that are sealed for a data subject are told as they are stored, for proofs; false when left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub sealed: Option<bool>,
    }
}

with_filters! {
    /// Asks how much of what happened, over all that fits the filters.
    pub struct CountHistory {
        /// Counts outcomes for each `hour` or `day` by itself, in UTC; over all time when left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub per: Option<String>,
        /// Two voters: how often they voted on the same question, and how often alike.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub compare: Option<Vec<VoterId>>,
        /// How many voters at most, those with the most votes first, 1 to 1000; 100 when left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub limit: Option<i64>,
    }
}

impl CountHistory {
    /// What is counted.
    pub(crate) fn filters(&self) -> HistoryQuery {
        HistoryQuery {
            kind: self.kind.clone(),
            entity_id: self.entity_id.clone(),
            party_id: self.party_id.clone(),
            cell_id: self.cell_id.clone(),
            voter_id: self.voter_id.clone(),
            agent_id: self.agent_id.clone(),
            worker_id: self.worker_id.clone(),
            node_id: self.node_id.clone(),
            datacenter: self.datacenter.clone(),
            identity: self.identity.clone(),
            data_subject: self.data_subject.clone(),
            event: self.event.clone(),
            outcome: self.outcome.clone(),
            refused: self.refused,
            since: self.since,
            until: self.until,
            from_seq: self.from_seq,
            upto_seq: self.upto_seq,
            from_position: self.from_position,
            upto_position: self.upto_position,
            limit: None,
            cursor: None,
            sealed: None,
        }
    }
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
    /// It is an attempt that was refused, and had no other effect.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refused: bool,
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
    /// What was pruned of the places that the page is about, by pruning: nothing more can be said of it. Not told where one
    /// entity is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pruned: Vec<PrunedSpan>,
    /// Filters whose names nobody here has, where nothing fits them: they may be misspelt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
}

/// Records at some places that were pruned together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PrunedSpan {
    /// Which pruning took them, from 1.
    pub pruning: u64,
    /// When.
    pub pruned_at: Option<Timestamp>,
    /// By which rule, in words.
    pub rule: Option<String>,
    /// How many.
    pub records: u64,
    /// The place of the first of them.
    pub from_position: u64,
    /// The place of the last of them. Not everything in between was pruned.
    pub upto_position: u64,
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
    /// Why: `late`, `already_voted`, `not_participant`, `delegated`.
    pub reason: Option<String>,
    /// Why the agent voted so, in its own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voter_reason: Option<String>,
    /// The answer that came with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
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

/// What checking every hash, link and sequence found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verified {
    /// Everything in the history fits, and nothing of it is missing.
    pub ok: bool,
    /// Commit groups checked.
    pub groups: u64,
    /// Records checked, those that were pruned among them.
    pub records: u64,
    /// How many of them were pruned: their places and hashes are there, what they said is gone. Left out when none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pruned: Option<u64>,
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
    /// Why that was not looked at: whoever asks may not read the files of the log. It says nothing against the records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_unread: Option<String>,
    /// The same for the checkpoint that was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<CheckpointCheck>,
    /// Only this part was checked; groups, records and entities are those of its commit groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<VerifiedPart>,
}

/// A part of the journal that was checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VerifiedPart {
    /// Position of its first record.
    pub from: u64,
    /// Position of its last record; below `from` when there is none.
    pub upto: u64,
    /// What is shown when everything fits, as a sentence.
    pub shows: String,
    /// What it cannot show, as a sentence.
    pub leaves_open: String,
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

/// Asks to check the journal, a part of it, or whether it contains a checkpoint that was kept elsewhere.
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
    /// Checks only the records from this position on; 1 is the first. The reply says what a part cannot show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
    /// Checks only the records up to and with this position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upto: Option<u64>,
    /// The text of a signed checkpoint up to which everything was checked before: checks the records after it, and that the log
    /// goes on from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
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
