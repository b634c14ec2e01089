//! The requests to take votes of a quorum longer, and to end it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::core::kernel::ids::{EntityId, known};
use crate::core::kernel::time::Timestamp;

/// Takes votes longer than was said: one of `timeout_seconds` and `deadline`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExtendQuorum {
    /// Which quorum.
    #[serde(deserialize_with = "known")]
    pub quorum_id: EntityId,
    /// How long from now on, in seconds, above 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<f64>,
    /// The last instant at which a vote is on time, later than so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// Who asks for it, up to 256 bytes; on record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why, up to 1024 bytes; on record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Ends a quorum without a decision.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelQuorum {
    /// Which quorum.
    #[serde(deserialize_with = "known")]
    pub quorum_id: EntityId,
    /// Who cancels, up to 256 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why, up to 1024 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
