//! Requests and replies about what is kept of the journal, and what was pruned.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::core::kernel::ids::EntityId;
use crate::core::kernel::time::Timestamp;

/// Puts a hold on what ended: no pruning takes it until it is released. One of `everything`, `kind` and `entity_id` says what.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HoldRecords {
    /// Everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub everything: Option<bool>,
    /// Every entity of this kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The entities of this id, of every kind; it may be one that is not there yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity_id: Option<EntityId>,
    /// Why, up to 1024 bytes; on record.
    pub reason: String,
}

/// Releases a hold. The same of its fields says which as when it was put.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseRecords {
    /// The one on everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub everything: Option<bool>,
    /// The one on this kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The one on entities of this id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity_id: Option<EntityId>,
}

/// A hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RecordsHold {
    /// What is held: `all`, `kind:KIND` or `entity:ID`.
    pub hold: String,
    /// `held` or `released`.
    pub state: String,
    /// Why.
    pub reason: Option<String>,
    /// The identity that put it; none where nobody is asked who calls.
    pub held_by: Option<String>,
    /// Since when.
    pub held_at: Option<Timestamp>,
    /// It was so before; nothing changed. Told by `retention.hold` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duplicate: Option<bool>,
}

/// What was pruned at one time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PruningView {
    /// Which pruning of this journal, from 1.
    pub pruning: u64,
    /// When.
    pub pruned_at: Timestamp,
    /// Who did it.
    pub pruned_by: Option<String>,
    /// The rule in words.
    pub rule: String,
    /// How many entities went.
    pub entities: u64,
    /// How many records.
    pub records: u64,
    /// The position of the first of them.
    pub first_position: u64,
    /// The position of the last of them. Not everything in between went.
    pub last_position: u64,
}

/// What is held, and what was pruned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RetentionView {
    /// The holds.
    pub holds: Vec<RecordsHold>,
    /// The prunings, oldest first.
    pub prunings: Vec<PruningView>,
}
