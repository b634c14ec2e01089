//! Parts of how a session stands: who may vote, who may not any more, and what was proven.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::core::kernel::ids::VoterId;
use crate::core::kernel::time::Timestamp;
use crate::core::voting::signature::{Digest, PublicKey};

/// One voter of the electorate as it was frozen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ElectorView {
    /// Who.
    pub voter_id: VoterId,
    /// How much it counts.
    pub power: f64,
    /// How much it would count without the cap; left out when that is the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uncapped_power: Option<f64>,
    /// The key of its signatures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_key: Option<PublicKey>,
}

/// A voter that contributes nothing, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExclusionView {
    /// Who.
    pub voter_id: VoterId,
    /// `equivocation`, `inconsistent_across_rounds`, `quarantined` or `byzantine`.
    pub reason: String,
}

/// A proven fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EvidenceView {
    /// Its hash.
    pub evidence_id: Digest,
    /// Whose.
    pub voter_id: VoterId,
    /// Which.
    pub fault: String,
    /// `observed` by this process, or `transferable`: everybody can check it.
    pub level: String,
    /// In which round.
    pub round: u32,
    /// The hashes of both votes; the votes themselves stand in the history.
    pub votes: Vec<Digest>,
    /// It came after the end.
    pub late: bool,
    /// When.
    pub at: Timestamp,
}
