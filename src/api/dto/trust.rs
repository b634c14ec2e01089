//! Requests and replies about what was right, what follows from it, and the keys of voters.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::core::kernel::ids::{CandidateId, EntityId, VoterId, known_maybe};
use crate::core::kernel::time::Timestamp;
use crate::core::voting::signature::{PublicKey, Signature};

/// Tells what had been right: of an ended session, or of a question with a known answer that was asked elsewhere.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TellTruth {
    /// Which session; it has ended.
    #[serde(default, deserialize_with = "known_maybe", skip_serializing_if = "Option::is_none")]
    pub session_id: Option<EntityId>,
    /// Your own name for a question that was asked elsewhere; told of a voter again, it is not counted again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question_id: Option<EntityId>,
    /// What had been right: `for`, `against`, or a candidate.
    pub truth: CandidateId,
    /// Of a question that was asked elsewhere: what each voter answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<BTreeMap<VoterId, CandidateId>>,
    /// How well the session turned out, 0 to 1; 1 when it decided for what had been right, else 0, when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// How useful the part of some voters was, 0 to 1: what is above a half raises their weight by `factors`, what is below
    /// lowers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ratings: Option<BTreeMap<VoterId, f64>>,
    /// Who tells; no voter of the question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// What had been right, as it is on record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TruthTaken {
    /// Which session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<EntityId>,
    /// Which question that was asked elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question_id: Option<EntityId>,
    /// What had been right.
    pub truth: CandidateId,
    /// The voters of whom something came to light by it.
    pub voters: Vec<VoterId>,
    /// The same was told before; nothing changed.
    pub duplicate: bool,
}

/// Lets another key take the place of the one a voter signs with.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateKey {
    /// Which voter.
    pub voter_id: VoterId,
    /// Its new Ed25519 key, 64 hexadecimal digits.
    pub public_key: PublicKey,
    /// The signature of its present key over the change; without it an admin has to ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
    /// Who asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The keys of a voter after a change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct KeyTaken {
    /// Which voter.
    pub voter_id: VoterId,
    /// The key it signs with.
    pub public_key: PublicKey,
    /// Its version: 1 is the one it was registered with.
    pub key_version: u32,
    /// Keys that ended, oldest first.
    pub ended: Vec<EndedKeyView>,
    /// It signed with this one before; nothing changed.
    pub duplicate: bool,
}

/// A key that ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EndedKeyView {
    /// Its version.
    pub version: u32,
    /// It.
    pub public_key: PublicKey,
    /// When it ended.
    pub ended_at: Timestamp,
}

/// What a voter's answers were worth, as far as the truth was told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LearnedView {
    /// Questions of which the truth was told, that it had a part in.
    pub judged: u64,
    /// Answers among the last 200 of them.
    pub answers: u32,
    /// Right ones.
    pub right: u32,
    /// Its weight by the source `factors` with its usual settings, as of the last of them.
    pub weight: f64,
    /// The eight measures behind it.
    pub factors: BTreeMap<String, f64>,
    /// The sum of ratings, as it moves the weight.
    pub bias: f64,
}

/// Where the powers of a session come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WeightsView {
    /// The source with all its parameters.
    pub source: String,
    /// Its version.
    pub version: u32,
    /// Questions whose truth was told, that it learned from.
    pub questions: u32,
    /// Answers to them.
    pub answers: u32,
}

/// What had been right in a session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TruthView {
    /// The right option.
    pub truth: String,
    /// How well the session turned out, 0 to 1.
    pub score: f64,
    /// Who told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// A gate that looks at the decision of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AskedGate {
    /// There was a quorum in time.
    Quorum,
    /// Two thirds of the voters voted.
    Participation,
    /// No fault was proven.
    Faults,
    /// Suspects and voters on probation hold less than a third of the power.
    Suspects,
    /// The winner is a tenth ahead.
    Margin,
    /// The winner has half of all scores.
    Confidence,
    /// No coordinated attack was seen, nor an anomaly of a third of the power.
    Attack,
    /// The decision stands without voters that were proven to lie since.
    Tainted,
}

/// What the gates found. They never change the decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GatesView {
    /// The gates that look.
    pub gates: Vec<String>,
    /// The worst of what they say: `pass`, `require_remediation`, `fail`, `escalate_to_human` or `block`; none before the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    /// Those that do not pass.
    pub failed: Vec<GateView>,
    /// What was done about it, by its key, and what became of that; none while it is under way.
    pub remedies: BTreeMap<String, Option<String>>,
    /// The session that this one follows, since a gate asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<EntityId>,
}

/// A gate that does not pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GateView {
    /// Which.
    pub gate: String,
    /// What it looked at.
    pub input: String,
    /// What it compared that with.
    pub threshold: String,
    /// What it says.
    pub verdict: String,
}
