//! Requests and replies about places that go to somebody else, and about being told again.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::core::kernel::ids::{EntityId, VoterId, known};
use crate::core::kernel::time::Timestamp;

/// Hands a place to somebody else, who votes in it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DelegateConsensus {
    /// Which proposal.
    #[serde(deserialize_with = "known")]
    pub proposal_id: EntityId,
    /// Who is asked and has not voted.
    pub from: VoterId,
    /// Who votes in its place: a registered agent that is not asked.
    pub to: VoterId,
    /// Why, up to 1024 bytes; on record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Tells those whose votes are outstanding again.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RemindConsensus {
    /// Which proposal.
    #[serde(deserialize_with = "known")]
    pub proposal_id: EntityId,
    /// Only this voter; all of them when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voter: Option<VoterId>,
    /// Who asks for it, up to 256 bytes; on record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// Who was told again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConsensusReminded {
    /// Which proposal.
    pub proposal_id: EntityId,
    /// Who was told again, by name, and how often each of them was reminded so far; those who were within the last minute
    /// are left out.
    pub reminded: BTreeMap<VoterId, u32>,
    /// The agents whose votes are outstanding, by name.
    pub outstanding: Vec<VoterId>,
}

/// A place that went to somebody else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DelegationView {
    /// Who had it.
    pub from: VoterId,
    /// Who took it over.
    pub to: VoterId,
    /// Who was asked for it at first: its vote counts as that one's, with its weight.
    pub in_place_of: VoterId,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When.
    pub at: Timestamp,
}
