//! Requests and replies about decisions that are bound to one operation.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::id;
use crate::core::kernel::ids::{EntityId, IdempotencyKey, known};
use crate::core::kernel::time::Timestamp;
use crate::core::voting::signature::Digest;
use crate::error::Error;

/// The one operation that a decision allows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AllowedOperation {
    /// The name of the operation, such as `job.submit` or the tool of an agent.
    pub tool: EntityId,
    /// Its arguments: any JSON value, compared in the form of RFC 8785. No arguments when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Value>,
    /// Instead of the arguments: the hash of tool and arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_hash: Option<Digest>,
    /// The last instant at which the decision may be used; no end when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// How often it may be used, 1 to 1000; once when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<u32>,
    /// The lowest fencing token under which it may be used. A use that shows a higher one raises it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fence: Option<u64>,
}

impl AllowedOperation {
    /// This operation with these arguments, once.
    ///
    /// # Errors
    /// `invalid_argument` when the name is not an id.
    pub fn once(tool: &str, arguments: Value) -> Result<Self, Error> {
        let tool = id("operation.tool", tool)?;
        let arguments = Some(arguments);
        Ok(AllowedOperation {
            tool,
            arguments,
            operation_hash: None,
            expires_at: None,
            uses: None,
            fence: None,
        })
    }
}

/// The operation that a decision allows, and what was used of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OperationView {
    /// Its name.
    pub tool: String,
    /// The hash of tool and arguments.
    pub operation_hash: Digest,
    /// The last instant at which the decision may be used.
    pub expires_at: Option<Timestamp>,
    /// How often it may be used.
    pub uses: u32,
    /// How often it was.
    pub spent: u32,
    /// The lowest fencing token under which it may be used now.
    pub fence: Option<u64>,
}

/// Uses the decision of a session for the operation it allows.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SpendSession {
    /// Which session.
    #[serde(deserialize_with = "known")]
    pub session_id: EntityId,
    /// The caller's own name for this use: the same again is answered as the first time.
    pub key: IdempotencyKey,
    /// The hash of what is to be done; or `tool` and `arguments`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_hash: Option<Digest>,
    /// The name of what is to be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<EntityId>,
    /// Its arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Value>,
    /// The fencing token under which it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fence: Option<u64>,
    /// Who does it, up to 256 bytes; on record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// Uses the decision of a proposal for the operation it allows.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SpendConsensus {
    /// Which proposal.
    #[serde(deserialize_with = "known")]
    pub proposal_id: EntityId,
    /// The caller's own name for this use: the same again is answered as the first time.
    pub key: IdempotencyKey,
    /// The hash of what is to be done; or `tool` and `arguments`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_hash: Option<Digest>,
    /// The name of what is to be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<EntityId>,
    /// Its arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Value>,
    /// The fencing token under which it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fence: Option<u64>,
    /// Who does it, up to 256 bytes; on record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// A use of a decision, on record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DecisionSpent {
    /// What the use is known by. `job.submit` takes it once.
    pub spend_token: EntityId,
    /// The name of the operation.
    pub tool: String,
    /// The hash of tool and arguments.
    pub operation_hash: Digest,
    /// Which use it is, from 1.
    pub number: u32,
    /// How often the decision may be used.
    pub uses: u32,
    /// When it was used.
    pub spent_at: Timestamp,
    /// The fencing token under which it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fence: Option<u64>,
    /// Who did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spent_by: Option<String>,
    /// It was used under this key before; nothing changed.
    pub duplicate: bool,
}

/// The use of a decision under which a job begins.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SpentFor {
    /// The session that decided; or the proposal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<EntityId>,
    /// The proposal that decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal_id: Option<EntityId>,
    /// The token of the use.
    pub spend_token: EntityId,
}
