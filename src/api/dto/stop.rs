//! Requests and replies about stops.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::core::kernel::ids::{EntityId, VoterId, known};
use crate::core::kernel::time::Timestamp;

/// What a stop stops: one of its fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StopScope {
    /// Everything that acts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub everything: Option<bool>,
    /// What one party does: an agent, a voter, a worker, the holder of a lease, a cell, an identity. By its id; `agent:ann` is read
    /// as `ann` too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub party: Option<EntityId>,
    /// What every party does whose name begins so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<EntityId>,
    /// What is done for jobs of one class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_class: Option<EntityId>,
}

impl StopScope {
    /// Everything that acts.
    pub fn everything() -> Self {
        StopScope { everything: Some(true), ..StopScope::default() }
    }

    /// What one party does.
    pub fn party(party: EntityId) -> Self {
        StopScope { party: Some(party), ..StopScope::default() }
    }
}

/// Stops something, durably, until those who are named here let it go on.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EngageStop {
    /// Id of the stop; a random one when left out. An id is never used twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_id: Option<EntityId>,
    /// What is stopped: `{"everything":true}`, `{"party":"ann"}`, `{"prefix":"billing-"}` or `{"job_class":"migrate"}`.
    pub scope: StopScope,
    /// Who may release it: the voters of the session, or the agents of the proposal, that decides about it.
    pub release_voters: Vec<VoterId>,
    /// How many of them must be for it; more than half when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release_need: Option<u32>,
    /// Who stops it, up to 256 bytes; on record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why, up to 1024 bytes; on record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Releases a stop, by a decision of those it names about the operation `stop.release` with the arguments
/// `{"stop_id": ID}`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseStop {
    /// Which stop.
    #[serde(deserialize_with = "known")]
    pub stop_id: EntityId,
    /// The session that decided; or the proposal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<EntityId>,
    /// The proposal that decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal_id: Option<EntityId>,
    /// Who releases it, up to 256 bytes; on record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// Names a stop.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StopRef {
    /// Which stop.
    #[serde(deserialize_with = "known")]
    pub stop_id: EntityId,
}

/// Lists stops.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListStops {
    /// Those that were released too; false when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released: Option<bool>,
    /// Only those that would stop this party.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub party: Option<EntityId>,
}

/// A stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StopView {
    /// Its id.
    pub stop_id: EntityId,
    /// `in_force` or `released`.
    pub state: String,
    /// Its number among all stops, from 1.
    pub sequence: u64,
    /// The position of its record in the journal: nothing behind it acts in its scope, until it is released.
    pub position: Option<u64>,
    /// What it stops: `everything`, `party:ID`, `prefix:TEXT` or `job_class:ID`.
    pub scope: String,
    /// Who may release it.
    pub release_voters: Vec<VoterId>,
    /// How many of them must be for it.
    pub release_need: u32,
    /// When it was engaged.
    pub engaged_at: Timestamp,
    /// Who did it.
    pub engaged_by: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// When it was released.
    pub released_at: Option<Timestamp>,
    /// Who released it.
    pub released_by: Option<String>,
    /// The decision that released it.
    pub decision_id: Option<EntityId>,
    /// Who was for it.
    pub supporters: Vec<VoterId>,
    /// It was so before; nothing changed. Told by `stop.engage` and `stop.release` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duplicate: Option<bool>,
}

/// Stops, by their numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StopList {
    /// They.
    pub stops: Vec<StopView>,
    /// How many are in force.
    pub in_force: u64,
    /// Filters whose names nobody here has, where nothing fits them: they may be misspelt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
}
