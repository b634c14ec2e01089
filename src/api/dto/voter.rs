//! Requests and replies about the voters of sessions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{LearnedView, id};
use crate::core::kernel::ids::{VoterId, known, known_maybe};
use crate::core::kernel::time::Timestamp;
use crate::core::voting::signature::PublicKey;
use crate::error::Error;

/// Registers a voter of sessions.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterVoter {
    /// Who it is; it votes under this id.
    pub voter_id: VoterId,
    /// The Ed25519 key of its signatures, 64 hexadecimal digits. One key stands for one voter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<PublicKey>,
    /// Its handle: a secret of at least 16 bytes that it presents with its votes. Minted when left out and no key is
    /// given; only its hash is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handle: Option<String>,
    /// How much it counts in sessions, 0 to 10^9, kept in millionths; 1 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
}

impl RegisterVoter {
    /// A voter of weight 1 that is given a handle.
    ///
    /// # Errors
    /// `invalid_argument` when the name is not an id.
    pub fn new(voter_id: &str) -> Result<Self, Error> {
        let voter_id = id("voter_id", voter_id)?;
        Ok(RegisterVoter { voter_id, public_key: None, handle: None, weight: None })
    }

    /// The same voter, which signs its votes.
    pub fn signing(self, public_key: PublicKey) -> Self {
        RegisterVoter { public_key: Some(public_key), ..self }
    }

    /// The same voter with another weight.
    pub fn weighing(self, weight: f64) -> Self {
        RegisterVoter { weight: Some(weight), ..self }
    }
}

/// A voter as registered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VoterRegistered {
    /// Which voter.
    pub voter_id: VoterId,
    /// It is newly registered; false when it was before, and then nothing changed.
    pub registered: bool,
    /// The handle that was minted. It is shown once, and nowhere on record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handle: Option<String>,
    /// The key of its signatures.
    pub public_key: Option<PublicKey>,
    /// How much it counts.
    pub weight: f64,
    /// How far it is trusted.
    pub state: String,
}

/// Names a voter.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VoterRef {
    /// Which voter.
    #[serde(deserialize_with = "known")]
    pub voter_id: VoterId,
}

/// Lets a voter vote in no session for a while.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QuarantineVoter {
    /// Which voter.
    pub voter_id: VoterId,
    /// Why.
    pub reason: String,
    /// How long, 1000 to 31536000000; 60000, doubled with each offence, up to a day, when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<i64>,
}

/// Lets a voter vote again, on probation.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseVoter {
    /// Which voter.
    pub voter_id: VoterId,
    /// Why.
    pub reason: String,
    /// Even though a fault of it is proven; false when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pardon: Option<bool>,
}

/// How far a voter is trusted, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VoterView {
    /// Which voter.
    pub voter_id: VoterId,
    /// `honest`, `suspicious`, `quarantined`, `byzantine`, `probation` or `offline`.
    pub state: String,
    /// Of one that is offline: the state it comes back to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
    /// How suspicious, 0 to 1: above 0.3 it is suspicious until below 0.2, above 0.7 it is quarantined.
    pub suspicion_score: f64,
    /// Why it is in that state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The session that led to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// The hash of the evidence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence_id: Option<String>,
    /// The fault that is proven.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Until when it is quarantined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// On probation: votes without a flag that are still needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clean_needed: Option<u32>,
    /// How often it was quarantined.
    pub offences: u32,
    /// Its last sign of life in a session.
    pub last_seen: Option<Timestamp>,
    /// The key of its signatures.
    pub public_key: Option<PublicKey>,
    /// The version of that key, of one that took the place of another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_version: Option<u32>,
    /// How much it counts as registered.
    pub weight: f64,
    /// How much it counts in a new session: half of that on probation.
    pub power: f64,
    /// What its answers were worth, once the truth of some was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learned: Option<LearnedView>,
    /// When it was registered.
    pub registered_at: Timestamp,
}

/// Lists voters.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListVoters {
    /// How many, 1 to 1000; 100 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// The id an earlier page ended at.
    #[serde(default, deserialize_with = "known_maybe", skip_serializing_if = "Option::is_none")]
    pub cursor: Option<VoterId>,
}

/// How many voters are in which state, and what follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VotersStatus {
    /// Registered.
    pub total: u32,
    /// Honest.
    pub honest: u32,
    /// Suspicious.
    pub suspicious: u32,
    /// Quarantined.
    pub quarantined: u32,
    /// Proven to lie.
    pub byzantine: u32,
    /// On probation.
    pub probation: u32,
    /// Silent while a vote is owed.
    pub offline: u32,
    /// Faults that so many voters bear, at most 16.
    pub fault_capacity: u32,
    /// Voters that are byzantine, quarantined or offline.
    pub current_faults: u32,
    /// At least four voters, and more than three times as many as faults.
    pub is_fault_tolerant: bool,
    /// Faults that are still borne; below 0 when there are too many.
    pub safety_margin: i64,
    /// What follows.
    pub recommended_actions: Vec<String>,
}

/// Voters by id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VoterPage {
    /// The voters.
    pub voters: Vec<VoterView>,
    /// All of them, counted.
    pub status: VotersStatus,
    /// Ask with this for what follows, now or later; none when this page is empty and was not asked for with a cursor.
    pub next_cursor: Option<VoterId>,
    /// The end was not reached.
    pub more: bool,
}
