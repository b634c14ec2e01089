//! Requests and replies about how things stood, why, and how often.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    AgentHealth, BudgetStatus, CapacityStatus, ConsensusResult, CoordinateView, IdentityView, JobStatusView,
    PrunedSpan, QuorumStatus, RouteState, SessionResult, VoterView,
};
use crate::core::kernel::ids::{EntityId, VoterId, known};
use crate::core::kernel::time::Timestamp;

/// How an entity stood, in the words in which its own operation shows how it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum PastState {
    /// A quorum.
    Quorum(Box<QuorumStatus>),
    /// A proposal.
    Proposal(Box<ConsensusResult>),
    /// A job.
    Job(Box<JobStatusView>),
    /// What a cell had of `capacity`.
    Cell(Box<CapacityStatus>),
    /// A session.
    Session(Box<SessionResult>),
    /// A voter.
    Voter(Box<VoterView>),
    /// An agent that was watched, by its own record: votes that no check had noted are not in it.
    Agent(Box<AgentHealth>),
    /// A budget.
    Budget(Box<BudgetStatus>),
    /// An identity.
    Identity(Box<IdentityView>),
    /// Where a job went.
    Route(Box<RouteState>),
    /// Where a node stood.
    Coordinate(Box<CoordinateView>),
    /// Of any other kind: a job at its gate and a worker as their operations show them, else everything the record says.
    Recorded(Box<RecordedState>),
}

/// What the record of an entity comes to at some point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordedState {
    /// Kind of the entity.
    pub kind: String,
    /// The entity that is told of.
    pub entity_id: EntityId,
    /// How it stood.
    pub state: Value,
}

/// Asks how an entity stood at an earlier point. One of `seq`, `position` and `at` says when.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StateAt {
    /// Which one. A job in a datacenter is named `job@datacenter`, a local one by its id alone.
    #[serde(deserialize_with = "known")]
    pub entity_id: EntityId,
    /// Its kind; needed only when several kinds have this id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// After this many events of its log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// After everything up to and with this place in the global order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
    /// After everything up to and with this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// Asks what led to how an entity stands.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AskWhy {
    /// Which one. A job in a datacenter is named `job@datacenter`, a local one by its id alone.
    #[serde(deserialize_with = "known")]
    pub entity_id: EntityId,
    /// Its kind; needed only when several kinds have this id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Only what names this: a token or a need of a cell, a voter of a session, a workflow or a worker of a job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<EntityId>,
}

/// What led to how an entity stands, oldest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EntityWhy {
    /// Kind of the entity.
    pub kind: String,
    /// The entity to explain.
    pub entity_id: EntityId,
    /// The newest 1000 links of the chain.
    pub chain: Vec<WhyStep>,
    /// How many older ones are left out.
    pub left_out: u64,
}

/// One link of the chain of what led to how an entity stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WhyStep {
    /// Place of the event in the global order.
    pub position: u64,
    /// Kind of the entity in whose log it stands: the one that is asked about, or one that it follows from.
    pub kind: String,
    /// The entity that is explained.
    pub entity_id: EntityId,
    /// Place in that log.
    pub seq: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// What it says.
    pub sentence: String,
}

/// How much of what happened.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HistoryCounts {
    /// Events that fit.
    pub events: u64,
    /// Of those, attempts that were refused.
    pub refused: u64,
    /// Events by kind and name.
    pub by_event: Vec<EventCount>,
    /// Ends by kind and outcome, and by hour or day when they are asked for so.
    pub outcomes: Vec<OutcomeCount>,
    /// From the beginning of what ended to its end, by kind.
    pub durations: Vec<DurationCounts>,
    /// Votes by voter, those with the most votes first.
    pub votes: Vec<VoterCount>,
    /// How many voters there are among the events.
    pub voters: u64,
    /// How two voters compare, when that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement: Option<Agreement>,
    /// What was pruned of the places that were counted over, by pruning: it is in no count here. Not told where one entity is
    /// named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pruned: Vec<PrunedSpan>,
    /// Filters whose names nobody here has, where nothing fits them: they may be misspelt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
}

/// How many events of one name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EventCount {
    /// Kind of their entities.
    pub kind: String,
    /// Their name.
    pub event: String,
    /// How many.
    pub count: u64,
}

/// How many ends with one outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OutcomeCount {
    /// When the hour or day began in which they were recorded; none over all time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began_at: Option<Timestamp>,
    /// What ended.
    pub kind: String,
    /// The outcome that is counted, such as `approved`.
    pub outcome: String,
    /// How many.
    pub count: u64,
}

/// How long it took until entities of a kind ended. A quantile is the smallest of the durations that at least so many of
/// a hundred do not exceed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DurationCounts {
    /// What ended.
    pub kind: String,
    /// How many ended.
    pub count: u64,
    /// The shortest, in milliseconds.
    pub min_ms: u64,
    /// Half took no longer.
    pub p50_ms: u64,
    /// 90 of 100 took no longer.
    pub p90_ms: u64,
    /// 99 of 100 took no longer.
    pub p99_ms: u64,
    /// The longest.
    pub max_ms: u64,
}

/// What one voter did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VoterCount {
    /// The voter whose votes are counted.
    pub voter_id: VoterId,
    /// Votes that were taken, changes of them among them.
    pub votes: u64,
    /// Questions it voted on.
    pub questions: u64,
    /// Attempts that were refused.
    pub refused: u64,
}

/// How two voters compare, by the last vote of each on every question: they agreed on `agreed` of `both`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Agreement {
    /// The two.
    pub voters: Vec<VoterId>,
    /// Questions on which both voted.
    pub both: u64,
    /// Of those, with the same vote.
    pub agreed: u64,
}
