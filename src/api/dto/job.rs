//! Requests and replies about jobs, their gates and their workers.
//!
//! Spans are numbers of seconds; they are kept as whole milliseconds. A `fence_token` is the leadership the caller
//! acts under: a lower one than that on record is refused (`stale_token`). 0 or none is not checked, except that
//! progress, steps and the end of a job under a lease need one (`token_missing`).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Asker, JobPlace, LevelView, RoutedView, SpentFor};
use crate::core::kernel::ids::{EntityId, known};
use crate::core::kernel::time::Timestamp;
use crate::error::Error;

/// One workflow of a job.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanWorkflow {
    /// Its id, unique within the job.
    pub workflow_id: EntityId,
    /// Workflows of the job that must be completed first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<EntityId>,
    /// The worker it is handed to as soon as nothing is waited for; any that asks for work when left out, unless
    /// somebody hands it out with `job.workflow`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker_id: Option<EntityId>,
    /// What is to be done, handed to the worker with it; up to 65536 bytes of JSON. What the job says when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Value>,
}

impl PlanWorkflow {
    /// A workflow that waits for nothing and is for any worker.
    ///
    /// # Errors
    /// `invalid_argument` when the name is none.
    pub fn new(workflow_id: &str) -> Result<Self, Error> {
        let named = EntityId::new(workflow_id);
        let workflow_id = named.map_err(|e| Error::invalid("workflow_id", workflow_id, &e.to_string()))?;
        Ok(PlanWorkflow { workflow_id, depends_on: Vec::new(), worker_id: None, payload: None })
    }
}

/// Submits a job.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmitJob {
    /// Its id, without `@`; made when left out. An id is never used twice: the same submission again answers with the
    /// job there is, also after its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<EntityId>,
    /// Seconds the job may run, above 0; without an overall limit when left out. Being stuck is noticed all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<f64>,
    /// Seconds without progress after which it is stuck; 120 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stuck_threshold: Option<f64>,
    /// Address of the gate; with one, or with datacenters, the gate decides about timeouts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate_addr: Option<String>,
    /// The datacenters it runs in. When left out the router chooses among those that are known; while none is, it runs
    /// only here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub target_datacenters: Vec<EntityId>,
    /// How many datacenters the router chooses, 1 to 100; 1 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datacenter_count: Option<u64>,
    /// Datacenters that count as nearer by a tenth when the router chooses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub preferred_datacenters: Vec<EntityId>,
    /// What is to be done; none for work that is tracked as a whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workflows: Vec<PlanWorkflow>,
    /// What is to be done, handed to workers with the work; up to 65536 bytes of JSON. A job with a payload and without
    /// workflows has one, `main`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Value>,
    /// Jobs whose durations are alike; deadlines are learned per class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<EntityId>,
    /// `local_authority`, `gate_coordinated` or `learned`; what fits the surroundings when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_rule: Option<String>,
    /// Who leads it; this node when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader_id: Option<EntityId>,
    /// Datacenters whose time is over that end the job: `majority` (default), `any`, `any_without_extensions`, `all`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dc_timeout_policy: Option<String>,
    /// Tries of a workflow, 1 to 1000; 3 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<i64>,
    /// Most seconds all extensions of the job give together; no limit when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_total_extension_seconds: Option<f64>,
    /// How extensions of several workers add up: `sum_all` (default), or `max_per_worker`, where the job gets what the
    /// worker with the most has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension_mode: Option<String>,
    /// Only the plain table of workflow steps: no cancelling while a failure is being cleaned up. False when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strict_transitions: Option<bool>,
    /// Does the budget run while nobody serves? `count` (default) or `exclude`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub downtime: Option<String>,
    /// The use of a decision under which it begins: one that allows `job.submit` with the other fields of this request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spend: Option<SpentFor>,
    /// Whose personal data the payloads hold: it is sealed with the key of this data subject, and readable until that is shredded. A name that
    /// stays on record, so a pseudonym.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_subject: Option<EntityId>,
}

/// A job as submitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JobSubmitted {
    /// Its id.
    pub job_id: EntityId,
    /// `submitted`, or where it is if it was submitted before.
    pub status: String,
    /// Who decides that time is over: `local_authority` or `gate_coordinated`.
    pub strategy_type: String,
    /// Leadership of the job; with a gate each datacenter has its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fence_token: Option<u64>,
    /// Leadership of the job at the gate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate_epoch: Option<u64>,
    /// The datacenters it runs in.
    pub target_datacenters: Vec<EntityId>,
    /// Why there, if the router chose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routed: Option<RoutedView>,
    /// The very same job was submitted before; nothing changed.
    pub duplicate: bool,
}

/// Names a job, and one of its datacenters if it runs in several.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JobRef {
    /// Which job.
    #[serde(deserialize_with = "known")]
    pub job_id: EntityId,
    /// Which datacenter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datacenter: Option<EntityId>,
}

/// Waits for the end of a job.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WaitJob {
    /// Which job.
    #[serde(deserialize_with = "known")]
    pub job_id: EntityId,
    /// Which datacenter; with a gate the end everywhere when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datacenter: Option<EntityId>,
    /// How long to wait, 0 to 300000; 30000 when left out. The job's status then, whatever it is. In virtual time nothing
    /// moves while one waits, so the answer comes at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<i64>,
}

/// Says that a job got on.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JobProgress {
    /// Which job.
    pub job_id: EntityId,
    /// Which datacenter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datacenter: Option<EntityId>,
    /// Which of its workflows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow_id: Option<EntityId>,
    /// Items done so far; counts when it is more than before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_count: Option<i64>,
    /// The caller's leadership.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fence_token: Option<i64>,
}

/// A worker asks for more time.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExtendJob {
    /// Which job; every live job the worker has a part in when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<EntityId>,
    /// Which datacenter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datacenter: Option<EntityId>,
    /// Who asks.
    pub worker_id: EntityId,
    /// Why, for people.
    #[serde(default)]
    pub reason: String,
    /// How far it is, on any scale; the second and later grants need more than at the last grant.
    #[serde(default)]
    pub current_progress: f64,
    /// Seconds until it hopes to be done.
    #[serde(default)]
    pub estimated_completion: f64,
    /// Workflows it runs.
    #[serde(default)]
    pub active_workflow_count: i64,
    /// Items done; decides instead of `current_progress` when the last grant had it too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_items: Option<i64>,
    /// Items in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_items: Option<i64>,
    /// A name for the request: the same request again gets the same answer, and another request under this name is refused.
    /// The last eight of a worker in a job are remembered, until it is lost or the job ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The caller's leadership.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fence_token: Option<i64>,
}

/// What a worker gets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JobExtended {
    /// Was time granted?
    pub granted: bool,
    /// How many seconds.
    pub extension_seconds: f64,
    /// Seconds from now within which the worker must be heard of again.
    pub new_deadline: f64,
    /// Grants left.
    pub remaining_extensions: u32,
    /// Why not: the name of the denial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denial_reason: Option<String>,
    /// Is this the grant after which few are left? Said once.
    pub is_exhaustion_warning: bool,
    /// Seconds of grace left before the worker is given up.
    pub grace_period_remaining: f64,
    /// Has the grace begun?
    pub in_grace_period: bool,
    /// The jobs it counts for.
    pub job_ids: Vec<EntityId>,
    /// The same request was answered before, in all of these jobs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
}

/// Takes a workflow one step.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MoveWorkflow {
    /// Which job.
    pub job_id: EntityId,
    /// Which datacenter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datacenter: Option<EntityId>,
    /// Which workflow.
    pub workflow_id: EntityId,
    /// To where: `pending`, `dispatched`, `running`, `completed`, `failed`, `failed_canceling_deps`, `failed_ready`,
    /// `cancelling`, `cancelled` or `aggregated`.
    pub to: String,
    /// With `dispatched`: the worker it is handed to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker_id: Option<EntityId>,
    /// Why, for people.
    #[serde(default)]
    pub reason: String,
    /// What it made or why it failed, opaque.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// The caller's leadership.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fence_token: Option<i64>,
}

/// Whether anything changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JobChanged {
    /// Which job.
    pub job_id: EntityId,
    /// Where it is now.
    pub status: String,
    /// Something was not so before.
    pub changed: bool,
    /// It had come to this before, and this says so again; nothing changed.
    #[serde(default)]
    pub duplicate: bool,
    /// Of progress: what is asked of senders after it.
    #[serde(default, flatten, skip_serializing_if = "Option::is_none")]
    pub level: Option<LevelView>,
}

/// Ends a job that has no workflows, or whatever they say.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CompleteJob {
    /// Which job.
    pub job_id: EntityId,
    /// Which datacenter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datacenter: Option<EntityId>,
    /// `completed` (default) or `failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Why, for people.
    #[serde(default)]
    pub reason: String,
    /// The caller's leadership.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fence_token: Option<i64>,
}

/// Stops a job everywhere.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelJob {
    /// Which job.
    #[serde(deserialize_with = "known")]
    pub job_id: EntityId,
    /// Only in this datacenter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datacenter: Option<EntityId>,
    /// Who asks.
    #[serde(default)]
    pub requester_id: String,
    /// Why, for people.
    #[serde(default)]
    pub reason: String,
    /// The leadership the caller knows of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fence_token: Option<i64>,
}

/// What became of a request to stop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JobCancelled {
    /// Which job.
    pub job_id: EntityId,
    /// Is it stopped by it, or was it before?
    pub success: bool,
    /// Workflows it stops.
    pub cancelled_workflow_count: u64,
    /// It was cancelled before.
    pub already_cancelled: bool,
    /// It was completed before.
    pub already_completed: bool,
    /// How it ended before, if not by a cancellation: `completed`, `failed` or `timeout`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub already_terminal: Option<String>,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

fn is_nothing(count: &u64) -> bool {
    *count == 0
}

/// How a job stands in one datacenter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JobStatusView {
    /// Which job.
    pub job_id: EntityId,
    /// Which datacenter.
    pub datacenter: EntityId,
    /// `submitted`, `queued`, `dispatching`, `running`, `completing`, `completed`, `failed`, `cancelled`, `timeout`.
    pub status: String,
    /// What it waits for: `tracking`, `awaiting_gate`, `suspended`, `stopped`.
    pub phase: String,
    /// Who decides that time is over.
    pub strategy_type: String,
    /// The timeout rule.
    pub timeout_rule: String,
    /// Where reports go.
    pub gate_addr: Option<String>,
    /// Which submission of this id it is, from 1.
    pub run: u64,
    /// When it was submitted.
    pub started_at: Timestamp,
    /// When it last got on.
    pub last_progress_at: Timestamp,
    /// Seconds it ran.
    pub elapsed_seconds: f64,
    /// Seconds since it got on, without time nobody served.
    pub idle_seconds: f64,
    /// Seconds it may run without extensions.
    pub timeout_seconds: Option<f64>,
    /// Seconds it may run with them.
    pub effective_timeout_seconds: Option<f64>,
    /// Seconds left of them.
    pub remaining_seconds: Option<f64>,
    /// The last instant of the budget.
    pub deadline: Option<Timestamp>,
    /// Seconds without progress after which it is stuck.
    pub stuck_threshold: f64,
    /// The last instant at which it is not stuck.
    pub stuck_deadline: Timestamp,
    /// What the numbers were learned from, if they were.
    pub learned_from: Option<String>,
    /// Seconds of all extensions.
    pub total_extensions_granted: f64,
    /// Seconds of the largest one.
    pub max_worker_extension: f64,
    /// When the last one was granted.
    pub last_extension_at: Option<Timestamp>,
    /// Workers with extensions.
    pub active_workers_with_extensions: Vec<EntityId>,
    /// Workers believed dead.
    pub lost_workers: Vec<EntityId>,
    /// Time was found to be over here.
    pub locally_timed_out: bool,
    /// The gate's decision was accepted.
    pub globally_timed_out: bool,
    /// Why time was over: `overall`, `stuck`, `global_decision`, `gate_unresponsive_fallback`,
    /// `gate_undecided_fallback`.
    pub timeout_kind: Option<String>,
    /// The same for people.
    pub timeout_reason: String,
    /// When time was found to be over here, of which a gate is told.
    pub timeout_reported_at: Option<Timestamp>,
    /// When the gate was last heard of, later by the times nobody served since; the submission before that.
    pub gate_last_contact_at: Option<Timestamp>,
    /// Highest leadership at the gate ever seen.
    pub gate_epoch: Option<u64>,
    /// The gate's decision that was accepted.
    pub last_decision_id: Option<u64>,
    /// Who leads it.
    pub leader_id: EntityId,
    /// Which of the leader's lives.
    pub leader_incarnation: u64,
    /// Where the leader listens.
    pub leader_addr: String,
    /// Leadership.
    pub fence_token: u64,
    /// The leadership that messages about timeouts show; it is the same.
    pub timeout_fence_token: u64,
    /// Who holds the lease.
    pub lease_holder: Option<EntityId>,
    /// Who took it, where an identity did and the caller may act as the holder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_asked_by: Option<Asker>,
    /// Its workflows by status.
    pub workflow_counts: BTreeMap<String, u64>,
    /// Where each workflow is; the first thousand.
    pub workflows: BTreeMap<EntityId, String>,
    /// Workflows that their worker does not take yet, and why: `full`, `not_registered`, `draining`, `not_taken`, `lost`. They are offered
    /// again until the job's time is over, and it is no attempt. The first thousand.
    pub waiting_workflows: BTreeMap<EntityId, String>,
    /// Workflows that were to stop, and nobody confirmed that they did (`cancel_unconfirmed` on record): they may still run.
    /// The first thousand.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cancel_unconfirmed: Vec<EntityId>,
    /// Reports of progress that workers dropped because they were asked for less, as far as they told.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub reports_dropped: u64,
    /// Messages that are not answered yet.
    pub unanswered: u64,
    /// How often a new process took it up.
    pub resume_count: u64,
    /// How it ended, for people.
    pub ended_reason: Option<String>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// How a job stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JobStatusReply {
    /// Which job.
    pub job_id: EntityId,
    /// Where it is; over several datacenters what the gate says. `waiting_for_datacenter` where it runs in none, for all
    /// managers of those that have it are dead.
    pub status: String,
    /// Each datacenter that this process manages.
    pub datacenters: Vec<JobStatusView>,
    /// At a gate: each datacenter that another process manages, as the gate has it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elsewhere: Vec<JobPlace>,
    /// At a gate: the last instant of the budget of a job that runs elsewhere, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// Where the router sent it, and why, if it chose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routed: Option<RoutedView>,
}

/// One link of the chain of what decided about a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WhyLink {
    /// Number of the event in the job's record.
    pub seq: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// What it says.
    pub sentence: String,
}

/// Why a job stands as it does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JobWhy {
    /// Which job.
    pub job_id: EntityId,
    /// Which datacenter; none where a gate tells of the job as a whole, which managers in other processes run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datacenter: Option<EntityId>,
    /// Where it is.
    pub status: String,
    /// What led there, oldest first.
    pub chain: Vec<WhyLink>,
}
