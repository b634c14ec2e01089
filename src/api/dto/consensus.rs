//! Requests and replies about proposals.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{AllowedOperation, DelegationView, OperationView, id};
use crate::config::HealthPolicy;
use crate::core::kernel::ids::{EntityId, IdempotencyKey, VoterId, known};
use crate::core::kernel::time::Timestamp;
use crate::core::voting::agent::Grade;
use crate::core::voting::proposal::{Verdict, VoteChange, VoteOutcome};
use crate::core::voting::rules::{Choice, Param};
use crate::error::Error;

/// Puts a question to the registered agents.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestConsensus {
    /// What is asked: any JSON value but null.
    pub proposal: Value,
    /// Registered name of the algorithm that decides; the default one when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<String>,
    /// How long votes are taken, from 100 up to the configured `consensus.max_timeout` (366 days); 30000 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<i64>,
    /// Wait for the decision (default), or answer as soon as the question is put.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<bool>,
    /// Id of the proposal; a random one when left out. An id is never used twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal_id: Option<EntityId>,
    /// Ask only these registered agents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub participants: Option<Vec<VoterId>>,
    /// May votes change while the question is open? `reject` (default) or `replace`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vote_change: Option<VoteChange>,
    /// Are agents in bad health asked? `ignore` or `exclude_failed`; when left out, failed agents are not asked as soon
    /// as heartbeats are used at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_policy: Option<HealthPolicy>,
    /// With `exclude_failed`: the best grade that is left out, `degraded`, `critical` or `failed` (default).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exclude_grade: Option<Grade>,
    /// End before the deadline, as aborted, when approval needs the vote of an agent that failed; false when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fail_fast: Option<bool>,
    /// The operation that the decision allows; a decision for is used with `consensus.spend`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<AllowedOperation>,
    /// Ask for an answer beside the choice: a vote for must bring a `value` that fits this part of JSON Schema, up to 8 KiB.
    /// `type` is `boolean`, `integer`, `string` or `object`; beside it `enum`, `minimum`, `maximum`, `minLength`, `maxLength`,
    /// `properties`, `required`, `additionalProperties: false`, `title` and `description`. Anything else is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_schema: Option<Value>,
    /// Tell those whose votes are outstanding again this often, from 60000 on; never when left out. For up to 1000
    /// participants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remind_every_ms: Option<i64>,
    /// The caller's own name for this request: the same request again is answered with the proposal it opened first;
    /// another request under the same key is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<IdempotencyKey>,
    /// Whose personal data `proposal` holds: it is sealed with the key of this data subject, and readable until that is shredded. A name that
    /// stays on record, so a pseudonym.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_subject: Option<EntityId>,
}

impl RequestConsensus {
    /// A question with every setting at its default.
    pub fn new(proposal: Value) -> Self {
        RequestConsensus {
            proposal,
            algorithm: None,
            timeout_ms: None,
            wait: None,
            proposal_id: None,
            participants: None,
            vote_change: None,
            health_policy: None,
            exclude_grade: None,
            fail_fast: None,
            operation: None,
            answer_schema: None,
            remind_every_ms: None,
            idempotency_key: None,
            data_subject: None,
        }
    }

    /// The same question, decided by this algorithm.
    pub fn by(self, algorithm: &str) -> Self {
        RequestConsensus { algorithm: Some(algorithm.to_owned()), ..self }
    }

    /// The same question, asking for an answer of this shape, a JSON Schema.
    pub fn answered_by(self, schema: Value) -> Self {
        RequestConsensus { answer_schema: Some(schema), ..self }
    }

    /// The same question, open for so many milliseconds.
    pub fn within_ms(self, timeout_ms: i64) -> Self {
        RequestConsensus { timeout_ms: Some(timeout_ms), ..self }
    }
}

/// Votes on a proposal.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsensusVote {
    /// Which proposal.
    pub proposal_id: EntityId,
    /// Who votes.
    pub agent_id: VoterId,
    /// `for`, `against` or `abstain`.
    pub vote: Choice,
    /// The weight the agent claims, 0 to 10^9. Kept; what counts is the weight the algorithm gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
    /// What the agent adds, up to 16 KiB; kept with the vote, also with one that is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Map<String, Value>>,
    /// Why the agent votes so, up to 1024 bytes; kept likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The answer, up to 16 KiB, where the question has an `answer_schema`: a vote for must bring one that fits, another vote
    /// may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// Whose personal data `reason`, `metadata` and `value` hold: it is sealed with the key of this data subject, and readable until that is shredded. A name that
    /// stays on record, so a pseudonym.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_subject: Option<EntityId>,
}

impl ConsensusVote {
    /// A plain vote.
    ///
    /// # Errors
    /// `invalid_argument` when the agent's name is not an id.
    pub fn new(proposal_id: &EntityId, agent_id: &str, vote: Choice) -> Result<Self, Error> {
        let agent_id = id("agent_id", agent_id)?;
        let proposal_id = proposal_id.clone();
        Ok(ConsensusVote {
            proposal_id,
            agent_id,
            vote,
            weight: None,
            metadata: None,
            reason: None,
            value: None,
            data_subject: None,
        })
    }

    /// The same vote with an answer.
    pub fn answering(self, value: Value) -> Self {
        ConsensusVote { value: Some(value), ..self }
    }

    /// The same vote with a reason.
    pub fn because(self, reason: &str) -> Self {
        ConsensusVote { reason: Some(reason.to_owned()), ..self }
    }
}

/// What became of a vote that was taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConsensusVoted {
    /// Which proposal.
    pub proposal_id: EntityId,
    /// Who voted.
    pub agent_id: VoterId,
    /// How.
    pub vote: Choice,
    /// It is on record by this request.
    pub recorded: bool,
    /// `recorded` or `duplicate`.
    pub outcome: VoteOutcome,
    /// The same vote stood before; nothing changed, and what came with it now is not kept.
    pub duplicate: bool,
    /// It took the place of an earlier one.
    pub changed: bool,
    /// `open`, or how the question ended.
    pub state: String,
}

/// Asks how a proposal stands.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsensusRef {
    /// Which proposal.
    #[serde(deserialize_with = "known")]
    pub proposal_id: EntityId,
    /// Wait so long for the decision, 0 to 300000; 0 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<i64>,
}

/// Takes votes longer than was said: one of `timeout_ms` and `deadline`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExtendConsensus {
    /// Which proposal.
    #[serde(deserialize_with = "known")]
    pub proposal_id: EntityId,
    /// How long from now on, in milliseconds.
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

/// Withdraws a question.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelConsensus {
    /// Which proposal.
    #[serde(deserialize_with = "known")]
    pub proposal_id: EntityId,
    /// Who cancels, up to 256 bytes; on record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why, up to 1024 bytes; on record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A vote that stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BallotView {
    /// How.
    pub vote: Choice,
    /// The weight the agent claimed.
    pub weight: Option<f64>,
    /// What the agent added.
    pub metadata: Option<Value>,
    /// When it was received.
    pub cast_at: Timestamp,
    /// Why it voted so, in its own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The answer it brought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// The participant in whose place it was cast, when that one handed it on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_place_of: Option<VoterId>,
}

/// Numbers beside a result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConsensusMetadata {
    /// Agents that were asked.
    pub total_participants: u64,
    /// Those that voted, of those that were asked; 0 when nobody was.
    pub participation_rate: f64,
    /// Those that voted for, of those that were asked; 0 when nobody was.
    pub approval_rate: f64,
    /// Weight of all that were asked, where the algorithm weighs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_weight: Option<f64>,
    /// Weight of those that voted for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weighted_for: Option<f64>,
    /// Weight of those that voted against.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weighted_against: Option<f64>,
    /// Weight of those that voted for, of all weight; 0 when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weighted_approval: Option<f64>,
    /// Agents that were not asked because of their health.
    pub excluded_agents: Vec<VoterId>,
    /// Agents registered when the question was put, among those meant.
    pub registered_count: u64,
    /// Agents that the question reached: they took it from an inbox, or the coordinator says so. Agents without an inbox
    /// ask for the open proposals, and are not counted.
    pub reached: u64,
    /// Agents that could not be told so far.
    pub unreached_agents: Vec<VoterId>,
    /// Why the question could not be put or judged: `no_agents`, `insufficient_healthy_agents`, `unreachable` when too few
    /// were left to meet the algorithm, `algorithm_error`, or what the coordinator said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Why it ended other than by its votes: as `error`, or `algorithm_unavailable`; `zero_total_weight` in journals of
    /// earlier versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What exactly went wrong, or why it was cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// How often the time for votes was extended, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extensions: Option<u32>,
    /// Who asked for the latest extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extended_by: Option<String>,
    /// Who withdrew the question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelled_by: Option<String>,
}

/// How a proposal stands, or ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConsensusResult {
    /// Which proposal.
    pub proposal_id: EntityId,
    /// `open`, or as `decision`.
    pub state: String,
    /// `approved`, `rejected`, `timeout`, `cancelled`, or `aborted` for a question that could not be put or answered; none
    /// while it is open.
    pub decision: Option<Verdict>,
    /// Votes for.
    pub votes_for: u64,
    /// Votes against.
    pub votes_against: u64,
    /// Abstentions.
    pub votes_abstain: u64,
    /// The bar of the algorithm, a fraction or a count; none for a custom one.
    pub threshold: Option<f64>,
    /// The agents that voted, in the order of their first votes.
    pub participants: Vec<VoterId>,
    /// The agents that were asked and have not voted while it is open, by name.
    #[serde(default)]
    pub outstanding: Vec<VoterId>,
    /// Registered name of the algorithm.
    pub algorithm_used: String,
    /// Milliseconds from opening to end, or so far.
    pub duration_ms: f64,
    /// More numbers.
    pub metadata: ConsensusMetadata,
    /// What was asked.
    pub proposal: Value,
    /// The votes that stand, by who cast them.
    pub votes: BTreeMap<VoterId, BallotView>,
    /// What a vote for it must bring as its `value`, as a JSON Schema, where an answer is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_schema: Option<Value>,
    /// The answers of the votes that prevailed, by who gave them, once it is approved or rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<BTreeMap<VoterId, Value>>,
    /// The answer of all votes that prevailed, where they agree on one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Value>,
    /// Places that went to somebody else, in that order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub delegations: Vec<DelegationView>,
    /// How often those whose votes are outstanding were reminded, if they were.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reminded: BTreeMap<VoterId, u32>,
    /// How often they are reminded by themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remind_every_ms: Option<u64>,
    /// Who cast the deciding vote.
    pub decided_by: Option<VoterId>,
    /// When the question was put.
    pub opened_at: Timestamp,
    /// The last instant at which a vote is on time, after all extensions.
    pub deadline: Timestamp,
    /// When it ended: the deciding vote or the deadline.
    pub closed_at: Option<Timestamp>,
    /// When the end was noticed; later than `closed_at` after downtime.
    pub noticed_at: Option<Timestamp>,
    /// The operation that the decision allows, and what was used of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<OperationView>,
    /// The request was answered before under the same idempotency key, or an extension, a delegation or a cancellation changed
    /// nothing; told by those alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duplicate: Option<bool>,
    /// What of a repeated delegation is not as it was the first time, which stands: `reason`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differs: Vec<String>,
}

/// Asks for ended proposals.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsensusHistory {
    /// How many at most, 1 to 1000; 100 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// Where the page before starts: a `next_cursor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// Ended proposals, oldest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConsensusHistoryPage {
    /// The latest ones that ended before the cursor.
    pub history: Vec<ConsensusResult>,
    /// How many stand here.
    pub total: u64,
    /// How many ever ended.
    pub total_available: u64,
    /// Ask with this for older ones; the cursor that was given when this page is empty.
    pub next_cursor: Option<String>,
    /// There are older ones.
    pub more: bool,
    /// How many were pruned and are in no page; left out when none was. `total_available` counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pruned: Option<u64>,
}

/// Asks for open proposals.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenProposals {
    /// Only those that await the vote of this agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<VoterId>,
    /// Newest first; false when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_first: Option<bool>,
    /// Wait so long for one when there is none, 0 to 300000; 0 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<i64>,
    /// How many are looked at, 1 to 1000; 100 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// The `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// Open proposals by id, or newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OpenProposalsPage {
    /// The proposals.
    pub proposals: Vec<ConsensusResult>,
    /// Ask with this for what follows, now or later; none when this page is empty and was not asked for with a cursor.
    pub next_cursor: Option<String>,
    /// The end was not reached.
    pub more: bool,
    /// Filters whose names nobody here has, where nothing fits them: they may be misspelt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
}

/// Counters of one algorithm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AlgorithmStats {
    /// Proposals that ended.
    pub proposals: u64,
    /// Approved.
    pub approved: u64,
    /// Rejected.
    pub rejected: u64,
    /// Ended by their deadline.
    pub timeouts: u64,
    /// Approved of those that ended, 0 when none has.
    pub approval_rate: f64,
}

/// Counters over all proposals that ever were.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConsensusStats {
    /// Proposals that ended; approved, rejected and timeouts together.
    pub total_proposals: u64,
    /// Approved.
    pub approved: u64,
    /// Rejected.
    pub rejected: u64,
    /// Ended by their deadline.
    pub timeouts: u64,
    /// Mean milliseconds from opening to end, timeouts among them; 0 when none has ended.
    pub avg_duration_ms: f64,
    /// Approved of those that ended, 0 when none has.
    pub approval_rate: f64,
    /// Open now.
    pub active_proposals: u64,
    /// Those that could not be put to the agents; not among `total_proposals`.
    pub aborted: u64,
    /// Those that somebody withdrew; not among `total_proposals` either.
    pub cancelled: u64,
    /// Votes recorded, changes among them.
    pub votes: u64,
    /// Refused attempts.
    pub refused_votes: u64,
    /// Of these, after the close.
    pub late_votes: u64,
    /// By registered name of the algorithm.
    pub by_algorithm: BTreeMap<String, AlgorithmStats>,
}

/// Gives a rule a name.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterAlgorithm {
    /// The name, 1 to 256 bytes.
    pub name: String,
    /// The rule: a name of the table, a text such as `at_least:2/3`, or `{"rule": …, "params": {…}}`.
    pub rule: Param,
    /// Parameters of the rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub params: Option<BTreeMap<String, Param>>,
    /// Let the rule take the place of another one of this name; false when left out. Open proposals keep the rule they
    /// were opened with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replace: Option<bool>,
    /// Who registers it, up to 256 bytes; kept on record when it replaces another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

impl RegisterAlgorithm {
    /// A name for a rule that is not registered yet.
    pub fn new(name: &str, rule: Param) -> Self {
        RegisterAlgorithm { name: name.to_owned(), rule, params: None, replace: None, by: None }
    }
}
