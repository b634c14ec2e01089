//! How a session ended, with every number that was decided. Stored: variants and fields are only ever appended, at the end.

use serde::{Deserialize, Serialize};

use super::ballot::Pick;
use crate::kernel::ids::VoterId;
use crate::kernel::time::Timestamp;

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// An option reached the quorum.
    Decided,
    /// The votes against reached it.
    Rejected,
    /// No option can reach it any more.
    NoQuorum,
    /// The deadline passed first.
    Timeout,
    /// More faults were proven than the session bears.
    FaultBudgetExceeded,
    /// Somebody ended it.
    Cancelled,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Outcome; 6] = [
        Outcome::Decided,
        Outcome::Rejected,
        Outcome::NoQuorum,
        Outcome::Timeout,
        Outcome::FaultBudgetExceeded,
        Outcome::Cancelled,
    ];

    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Decided => "decided",
            Outcome::Rejected => "rejected",
            Outcome::NoQuorum => "no_quorum",
            Outcome::Timeout => "timeout",
            Outcome::FaultBudgetExceeded => "fault_budget_exceeded",
            Outcome::Cancelled => "cancelled",
        }
    }

    /// The status of the session.
    pub fn status(self) -> &'static str {
        match self {
            Outcome::Decided | Outcome::Rejected => "completed",
            Outcome::NoQuorum | Outcome::FaultBudgetExceeded | Outcome::Cancelled => "failed",
            Outcome::Timeout => "timeout",
        }
    }
}

/// What an option got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// Which.
    pub pick: Pick,
    /// Its share of the scores, weighed by all power there is, in millionths.
    pub selection_score: u32,
    /// The power behind it, in millionths.
    pub voting_power: u64,
    /// The heads behind it.
    pub votes_received: u32,
}

/// How the session ended, with every number that was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// How.
    pub outcome: Outcome,
    /// Which option, for one that was decided or rejected.
    pub pick: Option<Pick>,
    /// The options, best first.
    pub selections: Vec<Selection>,
    /// The best one's share of all selection scores, in millionths.
    pub confidence_score: u32,
    /// By how much the best one leads, in millionths.
    pub margin: u32,
    /// Heads behind the best of all heads, in millionths.
    pub support_share: u32,
    /// Power behind the best of all power, in millionths.
    pub power_share: u32,
    /// Votes that stand in the last round, those of excluded voters among them.
    pub total_votes: u32,
    /// Voters whose fault was proven in this session.
    pub byzantine_faults_detected: u32,
    /// The session bears a fault, has a quorum, and no more faults than it bears.
    pub byzantine_safe: bool,
    /// The round in which it ended.
    pub round: u32,
    /// Who supports something else.
    pub dissenters: Vec<VoterId>,
    /// Whose vote decided, if it was a vote.
    pub decided_by: Option<VoterId>,
    /// Promised, and never told.
    pub unrevealed: Vec<VoterId>,
    /// Who ended it, and why.
    pub cancelled: Option<(Option<String>, Option<String>)>,
    /// Since when it had been open.
    pub opened_at: Timestamp,
    /// When.
    pub closed_at: Timestamp,
    /// When that was noticed.
    pub noticed_at: Timestamp,
}
