//! What is shown of jobs, and how the numbers of requests about them are read.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use serde_json::Value;

use super::dto::{JobCancelled, JobExtended, JobLine, JobStats, JobStatusView, LeaseJob, SubmitJob};
use super::job_list::asker;
use crate::core::jobs::gate::status::GateStatus;
use crate::core::jobs::manager::settings::{DowntimePolicy, ExtensionMode, MAX_LEASE_MS};
use crate::core::jobs::manager::{self as job, Job, JobStatus, JobView, Reply};
use crate::core::jobs::protocol::limits::MAX_SPAN_MS;
use crate::core::jobs::protocol::message::{
    HealthcheckExtensionResponse, JobCancelResponse, Leader, TimeoutKind,
};
use crate::core::jobs::protocol::token::FenceToken;
use crate::core::kernel::ids::{EntityId, MAX_ID_BYTES, StreamKind};
use crate::core::kernel::time::{Timestamp, whole_parts};
use crate::error::{Error, ErrorKind};
use crate::shell::host::Host;
use crate::shell::jobs::job_stream;
use crate::shell::lock;
use crate::shell::supervisor::timeouts::Wheel;

/// How a job stands that waits for a datacenter all of whose managers are dead.
pub(super) const WAITING: &str = "waiting_for_datacenter";

/// Most workflows shown one by one.
const MAX_SHOWN: usize = 1_000;

pub(super) fn stream(job_id: &EntityId, datacenter: &EntityId) -> Result<EntityId, Error> {
    if datacenter.as_str().contains('@') {
        return Err(Error::invalid("datacenter", datacenter.as_str(), "a name without @"));
    }
    job_stream(job_id, datacenter).map_err(|_| {
        let given = format!("{} bytes", job_id.as_str().len());
        let most = MAX_ID_BYTES.saturating_sub(datacenter.as_str().len() + 1);
        let expected = format!("at most {most} bytes beside a datacenter of {}", datacenter.as_str().len());
        Error::invalid("job_id", given, &expected)
    })
}

/// What the gate says, as a status of the job.
pub(super) fn overall<'a>(gate: &GateStatus, parts: &'a [JobStatusView]) -> &'a str {
    if let Some(status) = gate.final_status {
        return JobStatus::from(status).name();
    }
    if gate.decision.is_some() {
        return JobStatus::Timeout.name();
    }
    let rank = |status: &str| JobStatus::ALL.into_iter().position(|of| of.name() == status);
    let live = parts.iter().filter(|part| part.ended_at.is_none());
    let mut open = gate.datacenters.iter().filter(|dc| !dc.is_final).peekable();
    if open.peek().is_some() && open.all(|dc| dc.lost_at.is_some()) {
        return WAITING;
    }
    // Its managers may be other processes, of which the gate knows what they told it.
    let is_heard = gate.dc_fence_tokens.values().any(|token| *token > FenceToken::NONE);
    let told = if is_heard && parts.is_empty() { JobStatus::Running } else { JobStatus::Submitted };
    live.map(|part| part.status.as_str()).max_by_key(|status| rank(status)).unwrap_or(told.name())
}

pub(super) fn line_of(view: &JobView) -> JobLine {
    JobLine {
        job_id: view.job_id.clone(),
        datacenter: view.datacenter.clone(),
        status: view.status.name().into(),
        leader_id: view.leader.node.clone(),
        started_at: view.started_at,
        next_deadline: view.next_deadline,
        fence_token: view.token.get(),
        gate_id: None,
        leader_addr: None,
        deadline: None,
        idle_seconds: None,
        is_stuck: None,
    }
}

/// A job at an instant, given progress that may not be on record.
pub(super) fn job_view(state: &Job, now: Timestamp, heard: Option<Timestamp>) -> Option<JobStatusView> {
    let workflows = state.run.iter().flat_map(|run| run.workflows.iter()).take(MAX_SHOWN);
    let workflows = workflows.map(|(id, workflow)| (id.clone(), workflow.status.name().into()));
    Some(status_view(state.view(now, heard)?, state, workflows.collect()))
}

pub(super) fn status_view(
    view: JobView,
    state: &Job,
    workflows: BTreeMap<EntityId, String>,
) -> JobStatusView {
    let seconds = |ms: u64| ms as f64 / 1_000.0;
    let kind =
        view.ended.as_ref().and_then(|ended| ended.kind).or(view.timeout.as_ref().map(|(kind, _)| *kind));
    let reason = view.ended.as_ref().filter(|ended| ended.kind.is_some()).map(|ended| ended.reason.clone());
    let run = state.run.as_ref();
    let gated = run.filter(|run| run.gate.is_some());
    let decision = run.and_then(|run| run.decision);
    let waits = run
        .into_iter()
        .flat_map(|run| run.workflows.iter())
        .filter_map(|(id, workflow)| Some((id.clone(), workflow.waits?.name().to_owned())));
    let unconfirmed = run.into_iter().flat_map(|run| run.workflows.iter());
    let unconfirmed = unconfirmed.filter(|(_, held)| held.unconfirmed).map(|(id, _)| id.clone());
    JobStatusView {
        job_id: view.job_id,
        datacenter: view.datacenter,
        status: view.status.name().into(),
        phase: view.phase.name().into(),
        strategy_type: view.limits.strategy.name().into(),
        timeout_rule: view.limits.rule,
        gate_addr: view.gate.map(|gate| gate.addr),
        run: view.run,
        started_at: view.started_at,
        last_progress_at: view.last_progress_at,
        elapsed_seconds: seconds(view.elapsed_ms),
        idle_seconds: seconds(view.idle_ms),
        timeout_seconds: view.limits.overall_ms.map(seconds),
        effective_timeout_seconds: view.effective_ms.map(seconds),
        remaining_seconds: view.remaining_ms.map(seconds),
        deadline: view.deadline,
        stuck_threshold: seconds(view.limits.stuck_ms),
        stuck_deadline: view.stuck_deadline,
        learned_from: view.limits.learned_from.map(|learned| learned.evidence),
        total_extensions_granted: seconds(view.extensions_ms),
        max_worker_extension: seconds(view.max_extension_ms),
        last_extension_at: view.last_extension_at,
        active_workers_with_extensions: view.extended_workers,
        lost_workers: view.lost_workers,
        locally_timed_out: view.timeout.is_some(),
        globally_timed_out: decision.is_some(),
        timeout_kind: kind.map(|kind| kind.name().to_owned()),
        timeout_reason: reason.or(view.timeout.map(|(_, reason)| reason)).unwrap_or_default(),
        timeout_reported_at: gated.and_then(|run| run.timed_out.as_ref()).map(|found| found.at),
        gate_last_contact_at: gated.map(|run| run.contact_from),
        gate_epoch: gated.map(|_| view.gate_epoch.get()),
        last_decision_id: decision,
        leader_id: view.leader.node,
        leader_incarnation: view.leader.incarnation,
        leader_addr: view.leader_addr,
        fence_token: view.token.get(),
        timeout_fence_token: view.token.get(),
        lease_asked_by: view
            .lease_holder
            .as_ref()
            .and_then(|holder| Some(asker(view.lease_asked_by?, holder))),
        lease_holder: view.lease_holder.map(|holder| holder.node),
        workflow_counts: view
            .workflows
            .into_iter()
            .map(|(status, n)| (status.name().to_owned(), n))
            .collect(),
        workflows,
        waiting_workflows: waits.take(MAX_SHOWN).collect(),
        cancel_unconfirmed: unconfirmed.take(MAX_SHOWN).collect(),
        reports_dropped: view.reports_dropped,
        unanswered: view.outbox,
        resume_count: view.resumes,
        ended_reason: view.ended.as_ref().map(|ended| ended.reason.clone()),
        ended_at: view.ended.map(|ended| ended.closed_at),
    }
}

pub(super) fn extended(
    job_ids: Vec<EntityId>,
    response: HealthcheckExtensionResponse,
    duplicate: bool,
) -> JobExtended {
    let seconds = |ms: u64| ms as f64 / 1_000.0;
    JobExtended {
        granted: response.granted,
        extension_seconds: seconds(response.extension_ms),
        new_deadline: seconds(response.deadline_in_ms),
        remaining_extensions: response.remaining_extensions,
        denial_reason: response.denial_reason,
        is_exhaustion_warning: response.is_exhaustion_warning,
        grace_period_remaining: seconds(response.grace_period_remaining_ms),
        in_grace_period: response.in_grace_period,
        job_ids,
        duplicate,
    }
}

pub(super) fn cancelled(job_id: EntityId, response: JobCancelResponse) -> JobCancelled {
    JobCancelled {
        job_id,
        success: response.success,
        cancelled_workflow_count: response.cancelled_workflow_count,
        already_cancelled: response.already_cancelled,
        already_completed: response.already_completed,
        already_terminal: response.already_terminal.map(|status| status.name().to_owned()),
        error: response.error,
    }
}

pub(super) fn holder(request: &LeaseJob) -> Result<Leader, Error> {
    let incarnation = count("incarnation", request.incarnation)?;
    Ok(Leader { node: request.holder_id.clone(), incarnation })
}

pub(super) fn lease_ms(request: &LeaseJob) -> Result<Option<u64>, Error> {
    let expected = format!("1 to {MAX_LEASE_MS}");
    let given = request.lease_ms;
    given.map(|ms| u64::try_from(ms).map_err(|_| Error::invalid("lease_ms", ms, &expected))).transpose()
}

/// The leadership a caller shows; 0 is the same as none.
pub(super) fn token(given: Option<i64>) -> Result<Option<FenceToken>, Error> {
    let shown = given.map(|n| count("fence_token", n)).transpose()?;
    Ok(shown.filter(|n| *n > 0).map(FenceToken::shown))
}

/// The token of whoever claims to hold something.
pub(super) fn needed(given: Option<i64>) -> Result<FenceToken, Error> {
    match token(given)? {
        Some(token) => Ok(token),
        None if given.is_some() => Err(Error::invalid("fence_token", 0, "the token of the holder, from 1")),
        None => Err(Error::missing("fence_token")),
    }
}

pub(super) fn count(field: &str, given: i64) -> Result<u64, Error> {
    u64::try_from(given).map_err(|_| Error::invalid(field, given, "0 to 9223372036854775807"))
}

/// Seconds as whole milliseconds, at least one.
pub(super) fn millis(field: &str, seconds: f64) -> Result<u64, Error> {
    match whole_parts(seconds, 1_000) {
        Some(ms) if (1..=MAX_SPAN_MS).contains(&ms) => Ok(ms),
        Some(_) | None => {
            let longest = MAX_SPAN_MS as f64 / 1_000.0;
            let expected = format!("above 0 and up to {longest}, with at most three places");
            Err(Error::invalid(field, real(seconds), &expected))
        }
    }
}

/// How a job is run, as far as the request says something else than the configuration.
pub(super) fn settings(mut settings: job::Settings, request: &SubmitJob) -> Result<job::Settings, Error> {
    if let Some(most) = request.max_attempts {
        settings.max_attempts = u32::try_from(most)
            .ok()
            .filter(|most| (1..=1_000).contains(most))
            .ok_or_else(|| Error::invalid("max_attempts", most, "1 to 1000"))?;
    }
    if let Some(most) = request.max_total_extension_seconds {
        settings.extension.max_total_ms = Some(millis("max_total_extension_seconds", most)?);
    }
    settings.extension.mode = match request.extension_mode.as_deref() {
        None => settings.extension.mode,
        Some("sum_all") => ExtensionMode::SumAll,
        Some("max_per_worker") => ExtensionMode::MaxPerWorker,
        Some(other) => return Err(Error::invalid("extension_mode", other, "sum_all or max_per_worker")),
    };
    settings.strict_transitions = request.strict_transitions.unwrap_or(settings.strict_transitions);
    settings.downtime = match request.downtime.as_deref() {
        None => settings.downtime,
        Some("count") => DowntimePolicy::Count,
        Some("exclude") => DowntimePolicy::Exclude,
        Some(other) => return Err(Error::invalid("downtime", other, "count or exclude")),
    };
    Ok(settings)
}

/// NaN and the infinities have no JSON number; they are named as text.
pub(super) fn real(number: f64) -> Value {
    if number.is_finite() { Value::from(number) } else { number.to_string().into() }
}

/// Who shows a stale token learns who leads now: perhaps it is itself, under a token that a restart minted.
pub(super) fn with_leader(error: Error, leader: Option<Leader>) -> Error {
    match leader.filter(|_| error.kind() == ErrorKind::StaleToken) {
        Some(leader) => {
            error.with("leader_id", leader.node.as_str()).with("leader_incarnation", leader.incarnation)
        }
        None => error,
    }
}

pub(super) fn unexpected(reply: Option<Result<Reply, job::Rejection>>) -> Error {
    match reply {
        Some(Err(rejection)) => rejection.into(),
        Some(Ok(_)) | None => strange(),
    }
}

/// A command and its reply belong together.
pub(super) fn strange() -> Error {
    Error::new(ErrorKind::Conflict, "the job answered something else; ask again")
}

/// Counters over all jobs.
pub(super) fn stats(host: &Host) -> JobStats {
    let (index, gates) = (lock(&host.counters.jobs), lock(&host.counters.gates));
    let by_kind = |wheel: &Wheel| {
        let of_jobs = [StreamKind::Job, StreamKind::Gate, StreamKind::Worker];
        of_jobs.map(|kind| (kind.name().to_owned(), wheel.len_of(kind) as u64)).into()
    };
    let by_reason = |counts: &BTreeMap<TimeoutKind, u64>| {
        counts.iter().map(|(kind, n)| (kind.name().to_owned(), *n)).collect()
    };
    JobStats {
        submitted: index.submitted,
        tracked_jobs: index.live.len() as u64,
        ended: index.ended.iter().map(|(status, n)| (status.name().to_owned(), *n)).collect(),
        timeouts_detected: by_reason(&index.detected),
        timed_out: by_reason(&index.timed_out),
        extensions: index.extensions,
        extensions_denied: index.denied,
        stale_rejections: index.fenced.values().sum(),
        stale_rejections_by: index.fenced.clone(),
        stale_reports: gates.fenced.clone(),
        tracked_elsewhere: gates.count(|datacenter| !host.fleet.manages(datacenter)),
        transfers: index.transfers,
        noted_in_memory: lock(&host.counters.heard).len() as u64,
        in_transit: host.mailbox.len() as u64,
        messages_sent: host.sent.load(Ordering::Relaxed),
        messages_repeated: host.repeated.load(Ordering::Relaxed),
        armed: by_kind(&host.wheel),
        unanswered: by_kind(&host.errands),
    }
}

/// The id of a job is in use.
pub(super) fn taken(message: &str) -> Error {
    Error::new(ErrorKind::AlreadyExists, message).with("field", "job_id")
}
