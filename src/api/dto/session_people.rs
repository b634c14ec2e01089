//! Requests and replies about sessions that people take part in: more time, places that go to somebody else, and being told
//! again.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::core::kernel::ids::{EntityId, VoterId, known};
use crate::core::kernel::time::Timestamp;
use crate::core::voting::signature::{PublicKey, Signature};

/// Takes votes in a session longer than was said: one of `timeout_ms` and `deadline`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExtendSession {
    /// Which session.
    #[serde(deserialize_with = "known")]
    pub session_id: EntityId,
    /// How long from now on, in milliseconds, above 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<i64>,
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

/// Hands a place to another voter, who votes in it under its own name and key. Shown as a vote is: by handle or signature.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DelegateSession {
    /// Which session.
    #[serde(deserialize_with = "known")]
    pub session_id: EntityId,
    /// Who may vote and neither voted nor promised a vote.
    pub from: VoterId,
    /// Who votes in its place: a registered voter that may not vote in this session and is trusted in full.
    pub to: VoterId,
    /// Why, up to 1024 bytes; on record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When, by the clock of who has the place, at most 60 s off; now when left out. A signed request names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_at: Option<Timestamp>,
    /// The handle that who has the place was given when it was registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handle: Option<String>,
    /// The signature of who has the place, 128 hexadecimal digits; what is signed stands in `certificate_format`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
}

/// Tells those whose votes in a session are outstanding again.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RemindSession {
    /// Which session.
    #[serde(deserialize_with = "known")]
    pub session_id: EntityId,
    /// Only this voter; all of them when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voter: Option<VoterId>,
    /// Who asks for it, up to 256 bytes; on record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// Who was told again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionReminded {
    /// Which session.
    pub session_id: EntityId,
    /// Who was told again, by name, and how often each of them was reminded so far; those who were within the last minute
    /// are left out.
    pub reminded: BTreeMap<VoterId, u32>,
    /// The voters whose votes are outstanding, by name.
    pub outstanding: Vec<VoterId>,
}

/// A place in a session that went to another voter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionDelegation {
    /// Who had it.
    pub from: VoterId,
    /// Who took it over.
    pub to: VoterId,
    /// Whose place of the electorate it is: a vote in it counts as much as that one's.
    pub in_place_of: VoterId,
    /// The key under which votes in it are signed from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<PublicKey>,
    /// It was signed: only then a signed vote in this place stands in a certificate.
    pub signed: bool,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When.
    pub at: Timestamp,
}
