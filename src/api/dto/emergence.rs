//! Requests and replies about what a crowd does beyond its votes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::core::kernel::ids::{EntityId, VoterId, known};

/// Looks for patterns in how a session was voted.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScanEmergence {
    /// Which session.
    #[serde(deserialize_with = "known")]
    pub session_id: EntityId,
    /// From 0.10 to 0.99, 0.80 when left out; a greater one only sees more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sensitivity: Option<f64>,
    /// The right score, from 0 to 1, where it became known. Only then collective intelligence is looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<f64>,
}

impl From<EntityId> for ScanEmergence {
    /// With the usual sensitivity.
    fn from(session_id: EntityId) -> Self {
        ScanEmergence { session_id, sensitivity: None, outcome: None }
    }
}

/// What a crowd did beyond its votes. Advisory: no tally, quorum or decision depends on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EmergenceReport {
    /// Which session.
    pub session_id: EntityId,
    /// How sensitive the scan was.
    pub sensitivity: f64,
    /// Largest p-value of a pattern that is shown.
    pub significance: f64,
    /// Least strength of a pattern that is shown; anomalies have thresholds of their own.
    pub least_effect: f64,
    /// Rounds that were looked at.
    pub rounds: u32,
    /// Counted votes in the last of them; below 5 nothing is looked for.
    pub votes: u32,
    /// The patterns, in a fixed order.
    pub signals: Vec<EmergenceSignal>,
    /// How a ranking may be adjusted, 0.9 to 1.1: above 1 only for collective intelligence that the outcome has proven.
    pub emergence_factor: f64,
    /// What is said of every crowd, pattern or not.
    pub diagnosis: Diagnosis,
}

/// A pattern, and what speaks for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EmergenceSignal {
    /// `synchronization`, `cascade`, `collective_intelligence`, `convergence`, one of the anomalies (`outlier_voting`,
    /// `score_deviation`, `temporal_cluster`, `weight_manipulation`, `coordinated_attack`) or of the swarms (`dispersal`,
    /// `clustering`, `herding`, `schooling`, `flocking`).
    pub pattern: String,
    /// The effect, 0 to 1; for an anomaly the share of the power it concerns.
    pub strength: f64,
    /// How likely an effect as great is by chance; null where an anomaly has a threshold instead.
    pub p_value: Option<f64>,
    /// One less the p-value. It is no probability that the pattern is there.
    pub confidence: Option<f64>,
    /// How many votes, voters or movers were looked at.
    pub n: u32,
    /// What would be so without the pattern.
    pub null_model: String,
    /// Whom it concerns, where it concerns some.
    pub voters: Vec<VoterId>,
    /// What else the pattern has: its window, initiator, target and the like.
    pub details: Value,
}

/// What is said of every crowd.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Diagnosis {
    /// Entropy of the choices, in nats.
    pub entropy: f64,
    /// How many options there effectively were.
    pub effective_opinions: f64,
    /// 0 when all agree, 1 when half say 0 and half say 1.
    pub polarisation: f64,
    /// Who voted for something else than what won.
    pub dissenters: Vec<VoterId>,
}
