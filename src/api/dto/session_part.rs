//! Parts of what is shown of a session.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::core::kernel::ids::VoterId;
use crate::core::kernel::time::Timestamp;
use crate::core::voting::signature::{Digest, PublicKey};

/// An option and what it got.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SelectionView {
    /// The candidate, or `for` or `against`.
    pub candidate: String,
    /// What sort of thing it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Its scores, weighed by all power there is, 0 to 1.
    pub selection_score: f64,
    /// The power behind it.
    pub voting_power: f64,
    /// The heads behind it.
    pub votes_received: u32,
    /// 1: nothing but proven collective intelligence changes the ranking.
    pub emergence_factor: f64,
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

/// A vote that stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionBallot {
    /// The options it supports.
    pub supports: Vec<String>,
    /// How good, 0 to 1.
    pub score: f64,
    /// How sure, 0 to 1.
    pub confidence: f64,
    /// The voter's own number of it.
    pub seq: u64,
    /// `signature`, `handle` or `none`.
    pub authenticity: String,
    /// How well it was verified.
    pub verification_score: f64,
    /// What is odd about it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    /// When it was received.
    pub received_at: Timestamp,
    /// What the voter says about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<String>,
    /// Whose place it was cast in, when that one had handed it on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_place_of: Option<VoterId>,
}

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
    /// The version of that key, of one that took the place of another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_version: Option<u32>,
}
