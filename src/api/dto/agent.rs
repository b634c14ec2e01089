//! Requests and replies about agents and their heartbeats.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::id;
use crate::core::kernel::ids::{VoterId, known, known_maybe};
use crate::core::kernel::time::Timestamp;
use crate::core::voting::agent::Grade;
use crate::error::Error;

/// Registers an agent and watches its heartbeats.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterAgent {
    /// Who it is; it votes under this id. Not `register`, `stats`, `history` or `list`.
    pub agent_id: VoterId,
    /// Milliseconds within which it is to be heard of, 100 to 86400000; the configured 5000 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval_ms: Option<i64>,
    /// Intervals of silence after which it has failed, 1 to 1000; the configured 3 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_threshold: Option<i64>,
    /// Milliseconds between two checks, 100 to 86400000; the configured 1000 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check_period_ms: Option<i64>,
    /// Newest beats kept, 1 to 10000; the configured 100 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history_size: Option<i64>,
    /// Judge its silence from now on (`true`), or only from its first beat on (`false`). When left out: from now on if
    /// one of the numbers above is given, else from its first beat on. Until then it counts as healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitor: Option<bool>,
    /// If it is registered already: what is given here takes the place of what is so now, and its silence counts from now
    /// on. Otherwise settings that differ are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replace: Option<bool>,
}

impl RegisterAgent {
    /// An agent of this id with every setting at its default.
    ///
    /// # Errors
    /// `invalid_argument` when the name is not an id.
    pub fn new(agent_id: &str) -> Result<Self, Error> {
        Ok(RegisterAgent {
            agent_id: id("agent_id", agent_id)?,
            interval_ms: None,
            failure_threshold: None,
            check_period_ms: None,
            history_size: None,
            monitor: None,
            replace: None,
        })
    }

    /// The same agent, whose silence is judged from now on.
    pub fn monitored(self) -> Self {
        RegisterAgent { monitor: Some(true), ..self }
    }
}

/// Watches a registered agent again, from now on. What is left out takes the configured default.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MonitorAgent {
    /// Which agent.
    pub agent_id: VoterId,
    /// Milliseconds within which it is to be heard of, 100 to 86400000; the configured 5000 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval_ms: Option<i64>,
    /// Intervals of silence after which it has failed, 1 to 1000; the configured 3 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_threshold: Option<i64>,
    /// Milliseconds between two checks, 100 to 86400000; the configured 1000 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check_period_ms: Option<i64>,
    /// Newest beats kept, 1 to 10000; the configured 100 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history_size: Option<i64>,
    /// If its silence is judged already: what is given here takes the place of what is so now, and its silence counts
    /// from now on. Otherwise settings that differ are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replace: Option<bool>,
}

/// Names an agent.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentRef {
    /// Which agent.
    #[serde(deserialize_with = "known")]
    pub agent_id: VoterId,
}

/// How an agent is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WatchView {
    /// Milliseconds within which it is to be heard of.
    pub interval_ms: u32,
    /// Intervals of silence after which it has failed.
    pub failure_threshold: u32,
    /// Milliseconds between two checks.
    pub check_period_ms: u32,
    /// Newest beats kept.
    pub history_size: u32,
}

/// An agent as registered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AgentRegistered {
    /// Which agent.
    pub agent_id: VoterId,
    /// It is newly registered; false when it was before, and then nothing changed unless it was replaced.
    pub registered: bool,
    /// It was registered before, and other settings hold from now on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replaced: bool,
    /// It is being watched.
    pub monitored: bool,
    /// Its silence is judged; else it counts as healthy until its first beat.
    pub judged: bool,
    /// How, or how it last was.
    #[serde(flatten)]
    pub watch: WatchView,
}

/// What became of an agent that leaves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AgentLeft {
    /// Which agent.
    pub agent_id: VoterId,
    /// It was registered and is no longer; false when it had left before.
    pub left: bool,
}

/// What became of a request to watch an agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AgentMonitored {
    /// Which agent.
    pub agent_id: VoterId,
    /// Watching began now; false when the agent was being watched, and then nothing changed unless it was replaced.
    pub started: bool,
    /// It was being watched, and other settings hold from now on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replaced: bool,
    /// It is being watched.
    pub monitored: bool,
    /// How.
    #[serde(flatten)]
    pub watch: WatchView,
}

/// What became of a request to watch an agent no longer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AgentUnmonitored {
    /// Which agent.
    pub agent_id: VoterId,
    /// It was being watched and is no longer.
    pub stopped: bool,
    /// It is being watched: false.
    pub monitored: bool,
}

/// Says that an agent is alive.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Beat {
    /// Which agent.
    pub agent_id: VoterId,
    /// What it says about itself: a JSON object of up to 16 KiB, kept with the beat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Map<String, Value>>,
}

impl Beat {
    /// A beat that says nothing more.
    ///
    /// # Errors
    /// `invalid_argument` when the name is not an id.
    pub fn new(agent_id: &str) -> Result<Self, Error> {
        Ok(Beat { agent_id: id("agent_id", agent_id)?, metadata: None })
    }
}

/// What became of a beat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Beaten {
    /// Which agent.
    pub agent_id: VoterId,
    /// The beat is on record.
    pub recorded: bool,
    /// How the agent is doing now; none when it is not monitored.
    pub health: Option<Grade>,
}

/// How an agent is doing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AgentHealth {
    /// Which agent.
    pub agent_id: VoterId,
    /// How it is doing at this instant.
    pub health: Grade,
    /// Its last beat or vote, if there ever was one.
    pub last_heartbeat: Option<Timestamp>,
    /// Whole milliseconds of silence: since the last of heartbeat, start of monitoring and start of the process.
    pub elapsed_ms: u64,
    /// It is being watched: true.
    pub monitored: bool,
    /// Its silence is judged; else it counts as healthy until its first beat.
    pub judged: bool,
    /// Since when it is watched.
    pub monitored_since: Timestamp,
    /// When it was registered.
    pub registered_at: Option<Timestamp>,
    /// Its beats on record, over all time; votes are not among them.
    pub total_heartbeats: u64,
    /// How it is watched.
    #[serde(flatten)]
    pub watch: WatchView,
}

/// Asks for the beats of an agent.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentHistory {
    /// Which agent.
    pub agent_id: VoterId,
    /// Only beats at or after this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Only beats up to and with this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// How many at most, 1 to 1000; 100 when left out. The newest are taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
}

/// One beat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BeatView {
    /// When.
    pub at: Timestamp,
    /// What the agent said about itself.
    pub metadata: Option<Value>,
}

/// Kept beats of an agent, oldest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AgentHistoryPage {
    /// Which agent.
    pub agent_id: VoterId,
    /// The beats.
    pub beats: Vec<BeatView>,
    /// How many kept beats lie in the range.
    pub total_available: u64,
    /// Its beats on record, over all time; older ones than those kept are in the journal.
    pub total_heartbeats: u64,
}

/// Lists the registered agents.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListAgents {
    /// How many at most, 1 to 1000; 100 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// The last agent of the page before.
    #[serde(default, deserialize_with = "known_maybe", skip_serializing_if = "Option::is_none")]
    pub cursor: Option<VoterId>,
}

/// A registered agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AgentView {
    /// Which agent.
    pub agent_id: VoterId,
    /// How it is doing; none when it is not monitored.
    pub health: Option<Grade>,
    /// It is being watched.
    pub monitored: bool,
    /// Its silence is judged; else it counts as healthy until its first beat.
    pub judged: bool,
    /// Its last beat or vote since it was registered, if there was one.
    pub last_heartbeat: Option<Timestamp>,
    /// When it was registered.
    pub registered_at: Timestamp,
}

/// A page of registered agents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AgentPage {
    /// Agents by id.
    pub agents: Vec<AgentView>,
    /// How many there are.
    pub total_available: u64,
    /// Ask with this for what follows, now or later; none when this page is empty and was not asked for with a cursor.
    pub next_cursor: Option<VoterId>,
    /// The end was not reached.
    pub more: bool,
}

/// Counters over all agents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AgentStats {
    /// Agents registered now.
    pub total_agents: u64,
    /// Of these, being watched.
    pub monitored_agents: u64,
    /// How the watched ones are doing.
    pub health_distribution: HealthDistribution,
    /// Beats of all agents and votes that counted as one, over all time.
    pub total_heartbeats: u64,
}

/// How many agents are doing how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HealthDistribution {
    /// Heard of within the interval.
    pub healthy: u64,
    /// Not heard of for one interval.
    pub degraded: u64,
    /// Not heard of for two intervals.
    pub critical: u64,
    /// Not heard of for as many intervals as the failure threshold says.
    pub failed: u64,
}
