//! What is open, what waits for whom, what is overdue and what is wrong, on one screen.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::core::kernel::ids::VoterId;
use crate::core::kernel::time::Timestamp;

/// Asks for the overview.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShowOverview {
    /// How many lines of each list, 1 to 100; 5 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
}

/// How everything stands at one instant. Lists hold the first lines, and the counts beside them say of how many.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Overview {
    /// When.
    pub now: Timestamp,
    /// The last record, in a folder that nobody serves: what has fallen due since is settled when it is served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Timestamp>,
    /// `ok`; `clock_off` or `failed`, as the runtime is doing; or `problems` when it does well and some are listed below.
    pub status: String,
    /// How many are open, registered or out.
    pub open: OpenCounts,
    /// Open questions that end first.
    pub questions: Vec<OpenQuestion>,
    /// Who is waited for most.
    pub awaiting: Vec<AwaitedVoter>,
    /// Of how many voters.
    pub awaiting_total: u64,
    /// Jobs, and agents, whose time is over and that have not ended, the longest first; and in a folder that nobody serves,
    /// questions whose deadline has passed.
    pub overdue: Vec<OverdueLine>,
    /// Of how many.
    pub overdue_total: u64,
    /// What is wrong, and what to do about it.
    pub problems: Vec<ProblemLine>,
    /// Of how many.
    pub problems_total: u64,
    /// False when so much is open that only the newest of each kind was looked at for the lists; the counts hold all the same.
    pub complete: bool,
}

/// How many there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OpenCounts {
    /// Open quorums.
    pub quorums: u64,
    /// Open proposals.
    pub proposals: u64,
    /// Open sessions.
    pub sessions: u64,
    /// Jobs that have not ended.
    pub jobs: u64,
    /// Registered agents, by health; `unmonitored` are not watched.
    pub agents: BTreeMap<String, u64>,
    /// Cells that ever took part in capacity.
    pub cells: u64,
    /// Tokens of capacity that are out.
    pub tokens: u64,
}

/// An open question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OpenQuestion {
    /// `quorum`, `proposal` or `session`.
    pub kind: String,
    /// Which one.
    pub id: String,
    /// The operation that votes on it.
    pub answer_with: String,
    /// What is asked.
    pub question: Value,
    /// When it opened.
    pub opened_at: Timestamp,
    /// When it ends by itself.
    pub deadline: Timestamp,
    /// Until then, in milliseconds.
    pub left_ms: u64,
    /// How many have voted.
    pub voted: u64,
    /// How many were asked; none where anybody may vote.
    pub asked: Option<u64>,
    /// The first ten whose votes are outstanding, by name.
    pub outstanding: Vec<String>,
    /// How many they are.
    pub outstanding_count: u64,
    /// What a vote for it must bring as its `value`, as a JSON Schema, where an answer is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_schema: Option<Value>,
    /// In an inbox: who handed it on, whose place it was at first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_place_of: Option<VoterId>,
    /// In an inbox: how often the voter was reminded, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reminded: Option<u32>,
}

/// Somebody whose votes are outstanding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AwaitedVoter {
    /// Who.
    pub voter_id: String,
    /// How many open questions wait for it.
    pub questions: u64,
    /// When the first of them ends by itself.
    pub next_deadline: Timestamp,
    /// Until then, in milliseconds.
    pub left_ms: u64,
}

/// Something whose time is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OverdueLine {
    /// `job` or `agent`, or the kind of the question.
    pub kind: String,
    /// Which one.
    pub id: String,
    /// Why it is overdue.
    pub what: String,
    /// Since when.
    pub since: Timestamp,
    /// For how long, in milliseconds.
    pub for_ms: u64,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProblemLine {
    /// What, in a word: `store_failed`, `stopped`, `clock_off`, `parked_entities`, `journal_damaged`, `overloaded_cell`, `failed_agents`.
    pub problem: String,
    /// What exactly.
    pub detail: String,
    /// What to do next.
    pub next: String,
}

/// Asks what awaits somebody.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AskInbox {
    /// Whose votes: the name of a voter or an agent.
    pub voter_id: VoterId,
    /// Wait so long for a question when none is open, 0 to 300000; 0 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<i64>,
    /// How many at most, 1 to 1000; 100 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
}

/// What awaits somebody.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Inbox {
    /// Whose votes.
    pub voter_id: VoterId,
    /// When.
    pub now: Timestamp,
    /// The open questions that await them, those that end first in front.
    pub questions: Vec<OpenQuestion>,
    /// How many there are.
    pub total: u64,
    /// False when so much is open that only the newest was looked at.
    pub complete: bool,
    /// Filters whose names nobody here has, where nothing fits them: they may be misspelt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
}
