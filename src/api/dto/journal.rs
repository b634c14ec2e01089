//! Requests and replies about the journal as it is stored.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Asks for commit groups as they are stored.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadGroups {
    /// The number of the last group that is known; from the first one on when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// How many bytes of groups at most, 1 to 16777216; 4194304 when left out. One group is given whatever its size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
}

/// Commit groups as they are stored, and where the journal ends now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GroupPage {
    /// The number of the last group.
    pub tip_group: u64,
    /// The position of the last record.
    pub tip_position: u64,
    /// Hash of the last group: covers everything before it.
    pub tip_hash: String,
    /// The epoch in force.
    pub epoch: u64,
    /// The groups in order, each as base64 of its bytes; none behind the last.
    pub groups: Vec<String>,
}
