//! Messages from gates and workers. Every one may come twice, late or out of order.

use super::draft::Draft;
use super::work::{With, check_result, delay, follow, lost_at_worker, note_progress, step, workflow};
use super::{more, over, recall, stop, submit, work};
use crate::jobs::manager::command::{Reply, Submit};
use crate::jobs::manager::event::{Event, GateSeat};
use crate::jobs::manager::heard::Heard;
use crate::jobs::manager::outbox::{Entry, Notice, Recipient};
use crate::jobs::manager::rejection::{Rejection, invalid};
use crate::jobs::manager::settings::{check_sent_addr, check_text};
use crate::jobs::manager::state::{Phase, Run};
use crate::jobs::manager::workflow::WorkflowStatus;
use crate::jobs::protocol::message::{
    AckOutcome, Body, FinalStatus, JobLeaderGateTransfer, Message, Party, ReportAck, WorkerAck,
    WorkflowOutcome, WorkflowReport, WorkflowReportAfterDrops,
};
use crate::jobs::protocol::token::{DispatchToken, FenceToken, Standing, standing};
use crate::kernel::ids::EntityId;

pub(super) fn receive(draft: &mut Draft<'_>, message: Message, heard: &Heard) -> Result<Reply, Rejection> {
    if let Ok((job_id, datacenter)) = draft.ids() {
        submit::check_same("job_id", job_id, &message.job_id)?;
        submit::check_same("datacenter", datacenter, &message.datacenter)?;
    }
    hear_gate(draft, &message);
    match &message.body {
        Body::JobDispatch(_) => dispatched(draft, &message),
        Body::JobGlobalTimeout(decision) => over::global_timeout(draft, &message, decision),
        Body::JobLeaderGateTransfer(transfer) => gate_transfer(draft, &message, transfer),
        Body::JobCancelRequest(request) => over::cancel(draft, &message, request),
        Body::WorkflowReport(report) => reported(draft, &message, report, 0, heard),
        Body::WorkflowReportAfterDrops(WorkflowReportAfterDrops { report, dropped }) => {
            reported(draft, &message, report, *dropped, heard)
        }
        Body::HealthcheckExtensionRequest(request) => {
            let reply = more::extend(draft, request, false);
            match &reply {
                Ok(Reply::Extension { response, .. }) => {
                    draft.answer(&message, Body::HealthcheckExtensionResponse(response.clone()));
                }
                // Without an answer the worker would ask for ever.
                Err(Rejection::KeyReused { .. }) => {
                    let refused = more::key_reused();
                    draft.answer(&message, Body::HealthcheckExtensionResponse(refused));
                }
                Ok(_) | Err(_) => {}
            }
            reply
        }
        Body::ReportAck(ack) => acked(draft, message.number, ack),
        Body::WorkerAck(ack) => worker_acked(draft, message.number, ack),
        Body::JobProgressReport(_)
        | Body::JobTimeoutReport(_)
        | Body::JobLeaderTransfer(_)
        | Body::JobFinalStatus(_)
        | Body::JobRecall(_)
        | Body::WorkflowDispatch(_)
        | Body::WorkflowCancel(_)
        | Body::WorkflowRevoke(_)
        | Body::JobLeaderWorkerTransfer(_)
        | Body::GlobalTimeoutAck(_)
        | Body::JobCancelResponse(_)
        | Body::HealthcheckExtensionResponse(_) => {
            Err(Rejection::NotForManager { message: message.body.name() })
        }
    }
}

/// While its decision is waited for, every word of the gate that leads the job starts the wait for a sign of it again.
fn hear_gate(draft: &mut Draft<'_>, message: &Message) {
    let Party::Gate(from) = &message.from else { return };
    let Ok(run) = draft.run() else { return };
    let leads = run.gate.as_ref().is_some_and(|gate| gate.gate_id == *from);
    if run.phase() == Phase::AwaitingGate && leads && run.contact_from < draft.now {
        let at = draft.now;
        draft.push(Event::GateHeard { at });
    }
}

/// An answer with the leadership as it is here.
pub(super) fn ack(draft: &Draft<'_>, outcome: AckOutcome) -> ReportAck {
    match draft.run() {
        Ok(run) => ReportAck { outcome, fence_token: run.token, leader_addr: Some(run.leader_addr.clone()) },
        Err(_) => ReportAck { outcome, fence_token: FenceToken::NONE, leader_addr: None },
    }
}

pub(super) fn answer(draft: &mut Draft<'_>, message: &Message, outcome: AckOutcome) {
    let body = Body::ReportAck(ack(draft, outcome));
    draft.answer(message, body);
}

fn dispatched(draft: &mut Draft<'_>, message: &Message) -> Result<Reply, Rejection> {
    match Submit::of_dispatch(message) {
        Some(asked) => submit::submit(draft, asked),
        None => Err(invalid("from", format!("{:?}", message.from), "a gate, to a manager")),
    }
}

fn gate_transfer(
    draft: &mut Draft<'_>,
    message: &Message,
    transfer: &JobLeaderGateTransfer,
) -> Result<Reply, Rejection> {
    check_sent_addr("new_gate_addr", &transfer.new_gate_addr)?;
    match transfer.recall {
        Some(epoch) => recall::asked(draft, message, transfer, epoch),
        None => answer_transfer(draft, message, transfer),
    }
}

pub(super) fn answer_transfer(
    draft: &mut Draft<'_>,
    message: &Message,
    transfer: &JobLeaderGateTransfer,
) -> Result<Reply, Rejection> {
    let reply = accept_gate(draft, transfer);
    let outcome = match &reply {
        Ok(_) => AckOutcome::Accepted,
        Err(Rejection::UnknownJob) => AckOutcome::UnknownJob,
        Err(Rejection::StaleGate { .. } | Rejection::NoGate) => AckOutcome::Stale,
        Err(_) => return reply,
    };
    answer(draft, message, outcome);
    if let Err(Rejection::StaleGate { .. }) = &reply {
        recall::tell(draft, message.from.clone(), 0);
    }
    reply
}

pub(super) fn accept_gate(
    draft: &mut Draft<'_>,
    transfer: &JobLeaderGateTransfer,
) -> Result<Reply, Rejection> {
    let Some(gate) = draft.led()?.gate.clone() else { return Err(Rejection::NoGate) };
    let given = GateSeat {
        gate_id: transfer.new_gate.node.clone(),
        incarnation: Some(transfer.new_gate.incarnation),
        addr: transfer.new_gate_addr.clone(),
        epoch: transfer.gate_epoch,
    };
    let same = given.gate_id == gate.gate_id
        && gate.incarnation.is_none_or(|held| held == transfer.new_gate.incarnation);
    match standing(given.epoch, gate.epoch) {
        Standing::Current if same => return Ok(Reply::Changed(false)),
        Standing::Stale | Standing::Current => {
            draft.record_fence("gate_transfer", given.epoch, gate.epoch.get());
            return Err(Rejection::StaleGate { held: gate.epoch, given: given.epoch });
        }
        Standing::Newer => submit::adopt_gate(draft, given),
    }
    // What the gate before never answered is for the new one.
    let unanswered: Vec<Entry> =
        draft.state().outbox.values().filter(|entry| entry.to == Recipient::Gate).cloned().collect();
    unanswered.iter().for_each(|entry| draft.send_entry(entry));
    Ok(Reply::Changed(true))
}

/// What the gate says to a report.
fn acked(draft: &mut Draft<'_>, number: u64, ack: &ReportAck) -> Result<Reply, Rejection> {
    let run = draft.led()?;
    let (held, over) = (run.token, run.ended.is_some());
    let replaced = ack.outcome == AckOutcome::Stale && ack.fence_token > held && !over;
    let entry = draft.state().outbox.get(&number).filter(|entry| entry.to == Recipient::Gate).cloned();
    let at = draft.now;
    if let Some(entry) = entry {
        let of_this_run = entry.run == draft.state().runs;
        match ack.outcome {
            AckOutcome::Accepted => draft.push(Event::Acked { number, outcome: ack.outcome, at }),
            AckOutcome::UnknownJob => draft.push(Event::Deferred { number, at }),
            AckOutcome::AlreadyFinal(status) => {
                draft.push(Event::Acked { number, outcome: ack.outcome, at });
                if of_this_run && !over {
                    follow_gate(draft, status);
                }
            }
            // An answer to a copy that was sent under an earlier token says nothing about the one that holds now.
            AckOutcome::Stale if ack.fence_token > held || over || !of_this_run => {
                draft.push(Event::Acked { number, outcome: ack.outcome, at });
            }
            // It is sent again in its own time.
            AckOutcome::Stale | AckOutcome::Refused { .. } => {}
        }
    }
    if ack.outcome == AckOutcome::UnknownJob {
        recall::tell_gate(draft);
    }
    if replaced {
        draft.record_fence("report", held, ack.fence_token.get());
        let reason = format!("the gate knows of a later leader. token={}", ack.fence_token);
        // Once: whoever misses it is refused with its next report.
        work::tell_taken_away(draft, "another manager leads the job");
        draft.push(Event::Suspended { token: held, reason, at });
    }
    Ok(Reply::Changed(true))
}

/// The gate has ended the job, and the manager did not hear of it.
fn follow_gate(draft: &mut Draft<'_>, status: FinalStatus) {
    let at = draft.now;
    match status {
        FinalStatus::Timeout => {
            over::timed_out_by_gate(draft, 0, "Global timeout: the gate has ended the job".to_owned());
        }
        FinalStatus::Cancelled => {
            stop::end(draft, FinalStatus::Cancelled, "the gate has cancelled the job".to_owned(), None, at);
        }
        // The gate knows of an end here that this record does not know; what is here goes on.
        FinalStatus::Completed | FinalStatus::Failed => {}
    }
}

fn reported(
    draft: &mut Draft<'_>,
    message: &Message,
    report: &WorkflowReport,
    dropped: u64,
    heard: &Heard,
) -> Result<Reply, Rejection> {
    check_result(&report.result)?;
    let reply = take_report(draft, report, dropped, heard);
    let outcome = match &reply {
        Ok(_) => match draft.run()?.ended.as_ref() {
            Some(ended) => AckOutcome::AlreadyFinal(ended.status),
            None => AckOutcome::Accepted,
        },
        Err(Rejection::UnknownJob | Rejection::UnknownToken { .. }) => AckOutcome::UnknownJob,
        Err(Rejection::StaleDispatch { .. } | Rejection::UnknownWorkflow { .. }) => AckOutcome::Stale,
        Err(_) => return reply,
    };
    answer(draft, message, outcome);
    reply
}

fn take_report(
    draft: &mut Draft<'_>,
    report: &WorkflowReport,
    dropped: u64,
    heard: &Heard,
) -> Result<Reply, Rejection> {
    let given = report.dispatch_token;
    if given == DispatchToken::NONE {
        return Err(invalid("dispatch_token", given, "at least 1"));
    }
    let latest = draft.state().last_dispatch;
    let run = draft.led()?;
    if given > latest {
        let held = run.token;
        draft.record_fence("workflow_report", given, latest.get());
        return Err(Rejection::UnknownToken { held, given: FenceToken::shown(given.get()) });
    }
    let held = workflow(run, &report.workflow_id)?;
    let (worker, known) = (held.worker_id.clone(), held.reports_dropped);
    if held.dispatch_token != given {
        let held = held.dispatch_token;
        draft.record_fence("workflow_report", given, held.get());
        return Err(Rejection::StaleDispatch { held, given });
    }
    if worker.is_some_and(|worker| worker != report.worker_id) {
        return Err(invalid("worker_id", &report.worker_id, "the worker the workflow was handed to"));
    }
    // Told in sums: what comes twice or late tells nothing new.
    if dropped > known {
        let (workflow_id, worker_id) = (report.workflow_id.clone(), report.worker_id.clone());
        draft.push(Event::ReportsDropped { workflow_id, worker_id, dropped, at: draft.now });
    }
    apply(draft, report, heard)
}

/// A report of the handing over that is on record. What was reported before changes nothing.
fn apply(draft: &mut Draft<'_>, report: &WorkflowReport, heard: &Heard) -> Result<Reply, Rejection> {
    use WorkflowStatus::{
        Aggregated, Cancelled, Cancelling, Completed, Dispatched, Failed, FailedCancelingDeps, FailedReady,
        Pending, Running,
    };
    let id = &report.workflow_id;
    let run = draft.run()?;
    let (status, over) = (workflow(run, id)?.status, run.ended.is_some());
    match (status, report.outcome) {
        (Dispatched, WorkflowOutcome::Running) => {
            step(draft, id, Running, "its worker began", With::default());
            Ok(Reply::Changed(true))
        }
        (Running, WorkflowOutcome::Running) if !over => {
            note_progress(draft, Some((id.clone(), report.completed_count)), heard)
        }
        (Dispatched | Running, WorkflowOutcome::Completed) => {
            if status == Dispatched {
                step(draft, id, Running, "its worker began", With::default());
            }
            finish(draft, report, Completed, "its worker is done");
            Ok(Reply::Changed(true))
        }
        (Dispatched | Running, WorkflowOutcome::Failed) => {
            finish(draft, report, Failed, "its worker failed");
            Ok(Reply::Changed(true))
        }
        (Dispatched | Running, WorkflowOutcome::Cancelled) => {
            finish(draft, report, Failed, "its worker stopped it unasked");
            Ok(Reply::Changed(true))
        }
        (Dispatched | Running | Cancelling, WorkflowOutcome::Lost) => {
            lost_at_worker(draft, id, &report.worker_id);
            Ok(Reply::Changed(true))
        }
        (Cancelling, WorkflowOutcome::Completed | WorkflowOutcome::Failed | WorkflowOutcome::Cancelled) => {
            if report.outcome != WorkflowOutcome::Cancelled {
                late(draft, id, &report.result);
            }
            stopped(draft, std::slice::from_ref(id), "its worker confirms");
            Ok(Reply::Changed(true))
        }
        (Cancelled, WorkflowOutcome::Completed | WorkflowOutcome::Failed) => {
            late(draft, id, &report.result);
            Ok(Reply::Changed(false))
        }
        (
            Pending | Running | Completed | Failed | FailedCancelingDeps | FailedReady | Cancelling
            | Cancelled | Aggregated,
            WorkflowOutcome::Running
            | WorkflowOutcome::Completed
            | WorkflowOutcome::Failed
            | WorkflowOutcome::Cancelled
            | WorkflowOutcome::Lost,
        ) => Ok(Reply::Changed(false)),
    }
}

fn finish(draft: &mut Draft<'_>, report: &WorkflowReport, to: WorkflowStatus, reason: &str) {
    let with = With { result: report.result.clone(), ..With::default() };
    step(draft, &report.workflow_id, to, reason, with);
    follow(draft, &report.workflow_id, reason);
}

/// Keeps what came too late to count; the first stays.
pub(super) fn late(draft: &mut Draft<'_>, id: &EntityId, result: &Option<String>) {
    let known = draft.run().ok().and_then(|run| run.workflows.get(id));
    if known.is_some_and(|workflow| workflow.late_result.is_none()) {
        let (workflow_id, result, at) = (id.clone(), result.clone(), draft.now);
        draft.push(Event::LateResult { workflow_id, result, at });
    }
}

/// A worker confirmed that it does not run these any more.
fn stopped(draft: &mut Draft<'_>, ids: &[EntityId], reason: &str) {
    let at = draft.now;
    let asked: Vec<(u64, Vec<EntityId>)> = draft.state().outbox.values().filter_map(cancels).collect();
    for (number, workflow_ids) in asked {
        let left: Vec<EntityId> = workflow_ids.iter().filter(|id| !ids.contains(id)).cloned().collect();
        if left.is_empty() {
            draft.push(Event::Acked { number, outcome: AckOutcome::Accepted, at });
        } else if left.len() < workflow_ids.len() {
            draft.push(Event::CancelNarrowed { number, workflow_ids: left, at });
        }
    }
    for id in ids {
        let status = draft.run().ok().and_then(|run| run.workflows.get(id)).map(|workflow| workflow.status);
        if status == Some(WorkflowStatus::Cancelling) {
            step(draft, id, WorkflowStatus::Cancelled, reason, With::default());
            follow(draft, id, reason);
        }
    }
}

fn cancels(entry: &Entry) -> Option<(u64, Vec<EntityId>)> {
    match &entry.notice {
        Notice::Cancel { workflow_ids, .. } => Some((entry.number, workflow_ids.clone())),
        Notice::Final { .. }
        | Notice::Timeout { .. }
        | Notice::LeaderTransfer { .. }
        | Notice::Dispatch { .. }
        | Notice::WorkerTransfer { .. }
        | Notice::Revoke { .. } => None,
    }
}

/// What a worker says to what it was told.
fn worker_acked(draft: &mut Draft<'_>, number: u64, ack: &WorkerAck) -> Result<Reply, Rejection> {
    let reason = ack.rejection_reason.clone().unwrap_or_default();
    check_text("rejection_reason", &reason)?;
    let run = draft.led()?;
    let (held, over, at) = (run.token, run.ended.is_some(), draft.now);
    if !ack.accepted && ack.fence_token_received > held && !over {
        let reason = format!("a worker knows of a later leader. token={}", ack.fence_token_received);
        draft.push(Event::Suspended { token: held, reason, at });
        return Ok(Reply::Changed(true));
    }
    let Some(entry) = draft.state().outbox.get(&number).cloned() else { return Ok(Reply::Changed(false)) };
    let outcome = AckOutcome::Accepted;
    match (entry.notice, ack.accepted) {
        (Notice::Dispatch { .. }, true) => draft.push(Event::Acked { number, outcome, at }),
        (Notice::Dispatch { workflow_id, .. }, false) if ack.not_now.is_some() => {
            ack.not_now.into_iter().for_each(|why| delay(draft, number, workflow_id.clone(), why));
        }
        (Notice::Dispatch { workflow_id, .. }, false) => {
            step(
                draft,
                &workflow_id,
                WorkflowStatus::Failed,
                &format!("its worker refused it: {reason}"),
                With::default(),
            );
            follow(draft, &workflow_id, "its worker refused it");
        }
        (Notice::Cancel { workflow_ids, .. }, true) => {
            let runs = |id: &EntityId| {
                let said = |how| ack.workflow_states.contains(&(id.clone(), how));
                said(WorkflowOutcome::Running) || said(WorkflowOutcome::Lost)
            };
            let ids: Vec<EntityId> = workflow_ids.into_iter().filter(|id| !runs(id)).collect();
            stopped(draft, &ids, "its worker confirms");
        }
        // It is asked again, and in the end it is on record that nobody confirmed.
        (Notice::Cancel { .. }, false) => {}
        (Notice::WorkerTransfer { workflow_ids, .. }, true) => {
            draft.push(Event::Acked { number, outcome, at });
            reconcile(draft, &workflow_ids, ack);
        }
        // What it does not have, it does not run.
        (Notice::WorkerTransfer { .. }, false) | (Notice::Revoke { .. }, _) => {
            draft.push(Event::Acked { number, outcome, at });
        }
        // A worker has nothing to say to what is told the gate.
        (Notice::Final { .. } | Notice::Timeout { .. } | Notice::LeaderTransfer { .. }, _) => {}
    }
    Ok(Reply::Changed(true))
}

/// What the worker has against what is on record. A result it has is reported by itself.
fn reconcile(draft: &mut Draft<'_>, ids: &[EntityId], ack: &WorkerAck) {
    for id in ids {
        let run = draft.live().ok();
        let Some(status) = run.and_then(|run: &Run| run.workflows.get(id)).map(|w| w.status) else { return };
        let known = ack.workflow_states.iter().find(|(known, _)| known == id).map(|(_, outcome)| *outcome);
        match (status, known) {
            (WorkflowStatus::Dispatched, Some(WorkflowOutcome::Running)) => {
                step(draft, id, WorkflowStatus::Running, "its worker has it", With::default());
            }
            (WorkflowStatus::Running, None) => {
                step(
                    draft,
                    id,
                    WorkflowStatus::Failed,
                    "its worker does not have it any more",
                    With::default(),
                );
                follow(draft, id, "its worker does not have it any more");
            }
            (_, _) => {}
        }
    }
}
