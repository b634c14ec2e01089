//! What leaves: messages made of entries, progress reports, and when each is sent again.

use std::time::Duration;

use super::draft::Draft;
use crate::jobs::manager::command::{Effect, Reply};
use crate::jobs::manager::outbox::{Entry, Notice, Recipient, fnv};
use crate::jobs::manager::settings::RECENT_PROGRESS_MS;
use crate::jobs::manager::state::{Job, Phase, Run, micros};
use crate::jobs::manager::workflow::WorkflowStatus;
use crate::jobs::protocol::message::{
    Body, JobFinalStatus, JobLeaderTransfer, JobLeaderWorkerTransfer, JobProgressReport, JobTimeoutReport,
    Message, Party, WorkflowCancel, WorkflowDispatch, WorkflowRevoke,
};
use crate::kernel::ids::EntityId;
use crate::kernel::time::{Timestamp, millis};

/// What is owed to the outside: everything in the outbox, unless nobody leads.
pub(in crate::jobs::manager) fn owed(state: &Job) -> Vec<Effect> {
    if !may_send(state) {
        return Vec::new();
    }
    state
        .outbox
        .values()
        .filter(|entry| goes_out(state, entry))
        .filter_map(|entry| message_of(state, entry))
        .map(Effect::Send)
        .collect()
}

/// Is an entry sent, as things stand? Nothing is begun for a job whose time is over, whatever the gate decides.
fn goes_out(state: &Job, entry: &Entry) -> bool {
    let over = state.run.as_ref().is_some_and(|run| run.timed_out.is_some() && entry.run == state.runs);
    !over || entry.dispatches().is_none()
}

/// Is anything owed? As [`owed`], without making it.
pub(in crate::jobs::manager) fn owes(state: &Job) -> bool {
    may_send(state) && state.outbox.values().any(|entry| goes_out(state, entry))
}

fn may_send(state: &Job) -> bool {
    state.run.as_ref().is_some_and(|run| run.phase() != Phase::Suspended)
}

/// The first instant after `after` at which a progress report or something in the outbox falls due. Writes nothing and
/// depends on nothing but the state: instants that nobody saw are skipped.
pub(in crate::jobs::manager) fn errand(state: &Job, after: Timestamp) -> Option<Timestamp> {
    let (Some(job_id), Some(run)) = (&state.job_id, &state.run) else { return None };
    if !may_send(state) {
        return None;
    }
    let sent = state.outbox.values().filter(|entry| goes_out(state, entry));
    let resends = sent.filter_map(|e| e.resend(job_id, &run.terms.settings, after));
    resends.chain(next_report(job_id, run, after)).min()
}

/// The first instant after `after` at which progress is reported: whole periods from the start, and a phase of the job's
/// own, so that the jobs of a node do not all report at once.
fn next_report(job_id: &EntityId, run: &Run, after: Timestamp) -> Option<Timestamp> {
    if run.gate.is_none() || run.ended.is_some() {
        return None;
    }
    let period = micros(run.terms.settings.report_period_ms);
    let first = run.started_at.plus(Duration::from_micros(fnv(job_id.as_str().as_bytes(), &[]) % period));
    let at = if after < first {
        first
    } else {
        let passed = u64::try_from(after.since(first).as_micros()).unwrap_or(u64::MAX) / period;
        first.plus(Duration::from_micros(passed.saturating_add(1).saturating_mul(period)))
    };
    Some(at).filter(|at| *at > after && *at < Timestamp::MAX)
}

pub(super) fn run_errands(draft: &mut Draft<'_>, due: Timestamp) -> Reply {
    let before = Timestamp::from_micros(due.as_micros().saturating_sub(1));
    let state = draft.state();
    let (Some(job_id), Some(run)) = (&state.job_id, &state.run) else { return Reply::Changed(false) };
    if !may_send(state) {
        return Reply::Changed(false);
    }
    let settings = &run.terms.settings;
    let sent = state.outbox.values().filter(|entry| goes_out(state, entry));
    let resent = sent.filter(|entry| entry.resend(job_id, settings, before) == Some(due));
    let resent: Vec<Entry> = resent.cloned().collect();
    let reports = next_report(job_id, run, before) == Some(due);
    resent.iter().for_each(|entry| draft.send_entry(entry));
    if reports {
        report_progress(draft);
    }
    Reply::Changed(false)
}

/// Tells the gate how the job goes, once.
pub(super) fn report_progress(draft: &mut Draft<'_>) {
    let Ok(run) = draft.run() else { return };
    let Some(gate) = &run.gate else { return };
    let (to, report) = (Party::Gate(gate.gate_id.clone()), progress_report(run, draft.now));
    draft.send(to, 0, Body::JobProgressReport(report));
}

pub(super) fn progress_report(run: &Run, now: Timestamp) -> JobProgressReport {
    let count = |wanted: fn(WorkflowStatus) -> bool| {
        run.workflows.values().filter(|workflow| wanted(workflow.status)).count() as u64
    };
    JobProgressReport {
        manager: run.leader.clone(),
        manager_addr: run.leader_addr.clone(),
        workflows_total: run.workflows.len() as u64,
        workflows_completed: count(|s| matches!(s, WorkflowStatus::Completed | WorkflowStatus::Aggregated)),
        workflows_failed: run.workflows.values().filter(|w| w.settled_failure).count() as u64,
        has_recent_progress: run.idle(now) < Duration::from_millis(RECENT_PROGRESS_MS),
        timestamp_ms: now.as_millis(),
        fence_token: run.token,
        total_extensions_granted_ms: run.total_us / 1_000,
        max_worker_extension_ms: run.max_us / 1_000,
        workers_with_extensions: run.active.len() as u64,
        report_seq: millis(now.since(run.started_at)),
        elapsed_ms: millis(run.elapsed(now)),
        idle_ms: millis(run.idle(now)),
    }
}

/// A message from whoever leads the job.
pub(super) fn message(state: &Job, to: Party, number: u64, body: Body) -> Option<Message> {
    let (job_id, datacenter) = (state.job_id.clone()?, state.datacenter.clone()?);
    let node = state.run.as_ref()?.leader.clone();
    let from = Party::Manager { datacenter: datacenter.clone(), node };
    Some(Message { job_id, datacenter, from, to, number, body, signal: None })
}

/// What an entry says, with leader, address and gate as they are now.
pub(super) fn message_of(state: &Job, entry: &Entry) -> Option<Box<Message>> {
    let run = state.run.as_ref()?;
    let to = match &entry.to {
        Recipient::Gate => Party::Gate(run.gate.as_ref()?.gate_id.clone()),
        Recipient::Worker(worker) => Party::Worker(worker.clone()),
    };
    let fence_token = entry.token;
    let body = match entry.notice.clone() {
        Notice::Timeout { reason, kind, elapsed_ms, effective_ms } => {
            Body::JobTimeoutReport(JobTimeoutReport {
                manager: run.leader.clone(),
                manager_addr: run.leader_addr.clone(),
                reason,
                kind,
                elapsed_ms,
                effective_timeout_ms: effective_ms,
                fence_token,
            })
        }
        Notice::LeaderTransfer { elapsed_ms, idle_ms } => Body::JobLeaderTransfer(JobLeaderTransfer {
            new_leader: run.leader.clone(),
            new_leader_addr: run.leader_addr.clone(),
            fence_token,
            elapsed_ms,
            idle_ms,
        }),
        Notice::Final { status, reason, kind } => Body::JobFinalStatus(JobFinalStatus {
            manager: run.leader.clone(),
            status,
            reason,
            kind,
            fence_token,
            provisional: false,
        }),
        Notice::Dispatch { workflow_id, attempt, dispatch_token } => {
            Body::WorkflowDispatch(WorkflowDispatch { workflow_id, attempt, dispatch_token, fence_token })
        }
        Notice::Cancel { workflow_ids, reason } => {
            Body::WorkflowCancel(WorkflowCancel { workflow_ids, reason, fence_token })
        }
        Notice::Revoke { workflows, reason } => {
            Body::WorkflowRevoke(WorkflowRevoke { workflows, reason, fence_token })
        }
        Notice::WorkerTransfer { workflow_ids, old_manager } => {
            Body::JobLeaderWorkerTransfer(JobLeaderWorkerTransfer {
                workflow_ids,
                new_manager: run.leader.clone(),
                new_manager_addr: run.leader_addr.clone(),
                fence_token,
                old_manager,
            })
        }
    };
    message(state, to, entry.number, body).map(Box::new)
}
