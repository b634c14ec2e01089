//! The end of a job: one path, whatever the cause.

use super::draft::Draft;
use super::work;
use crate::jobs::manager::command::Reply;
use crate::jobs::manager::event::{Ended, Event};
use crate::jobs::manager::outbox::{Notice, Recipient};
use crate::jobs::manager::rejection::{Rejection, invalid};
use crate::jobs::manager::settings::check_text;
use crate::jobs::protocol::message::{FinalStatus, JobCancelRequest, JobCancelResponse, TimeoutKind};
use crate::jobs::protocol::token::FenceToken;
use crate::kernel::ids::EntityId;
use crate::kernel::time::{Timestamp, millis};

/// Ends the job, stops its work and reports it; the first end stands. Returns how many workflows it stopped.
pub(super) fn end(
    draft: &mut Draft<'_>,
    status: FinalStatus,
    reason: String,
    kind: Option<TimeoutKind>,
    closed_at: Timestamp,
) -> u64 {
    let Ok(run) = draft.live() else { return 0 };
    let ids: Vec<EntityId> = run.workflows.keys().cloned().collect();
    let ended = Ended {
        status,
        reason: reason.clone(),
        kind,
        token: run.token,
        elapsed_ms: millis(run.elapsed(draft.now)),
        closed_at,
        at: draft.now,
    };
    draft.push(Event::Ended(Box::new(ended)));
    let stopped = work::cancel_all(draft, &ids, &format!("the job ended. status={}", status.name()));
    draft.queue(Recipient::Gate, Notice::Final { status, reason, kind });
    stopped
}

pub(super) fn complete(draft: &mut Draft<'_>, status: FinalStatus, reason: &str) -> Result<Reply, Rejection> {
    check_text("reason", reason)?;
    match status {
        FinalStatus::Completed | FinalStatus::Failed => {}
        // The clock and a cancellation have ways of their own.
        FinalStatus::Cancelled | FinalStatus::Timeout => {
            return Err(invalid("status", status.name(), "completed or failed"));
        }
    }
    match &draft.led()?.ended {
        Some(ended) if ended.status == status => return Ok(Reply::Ended { status, again: true }),
        Some(ended) => return Err(Rejection::AlreadyTerminal { status: ended.status }),
        None => {}
    }
    let at = draft.now;
    end(draft, status, reason.to_owned(), None, at);
    Ok(Reply::Ended { status, again: false })
}

pub(super) fn cancel(draft: &mut Draft<'_>, request: &JobCancelRequest) -> Result<Reply, Rejection> {
    check_text("requester_id", &request.requester_id)?;
    check_text("reason", &request.reason)?;
    if let Some(ended) = &draft.led()?.ended {
        return Ok(Reply::Cancel(JobCancelResponse::over(ended.status, 0)));
    }
    // A cancellation without a token is from somebody who knows of none.
    let shown = Some(request.fence_token).filter(|token| *token != FenceToken::NONE);
    draft.check_fence("cancel", shown)?;
    let (at, reason) = (draft.now, words(request));
    let stopped = end(draft, FinalStatus::Cancelled, reason, None, at);
    Ok(Reply::Cancel(JobCancelResponse::stopped(stopped)))
}

/// Nobody will confirm that a workflow stopped: it may still run, and the record says so at once.
pub(super) fn unconfirmed(draft: &mut Draft<'_>, worker: &EntityId, id: &EntityId) {
    let at = draft.now;
    let asked = draft.state().outbox.values().filter(|entry| entry.to == Recipient::Worker(worker.clone()));
    let asked = asked.filter_map(|entry| match &entry.notice {
        Notice::Cancel { workflow_ids, .. } if workflow_ids.contains(id) => {
            let left: Vec<EntityId> = workflow_ids.iter().filter(|other| *other != id).cloned().collect();
            Some((entry.number, left))
        }
        Notice::Cancel { .. }
        | Notice::Final { .. }
        | Notice::Timeout { .. }
        | Notice::LeaderTransfer { .. }
        | Notice::Dispatch { .. }
        | Notice::WorkerTransfer { .. }
        | Notice::Revoke { .. } => None,
    });
    let asked: Vec<(u64, Vec<EntityId>)> = asked.collect();
    for (number, left) in asked {
        let (worker_id, workflow_ids) = (worker.clone(), vec![id.clone()]);
        if left.is_empty() {
            draft.push(Event::CancelUnconfirmed { number, worker_id, workflow_ids, at });
        } else {
            draft.push(Event::CancelNarrowed { number, workflow_ids: left, at });
            // Of the message the others are still asked by.
            draft.push(Event::CancelUnconfirmed { number: 0, worker_id, workflow_ids, at });
        }
    }
}

/// Who cancels and why, as far as it was said.
fn words(request: &JobCancelRequest) -> String {
    let by = |who: &str| if who.is_empty() { String::new() } else { format!(" by {who}") };
    let why = |reason: &str| if reason.is_empty() { String::new() } else { format!(": {reason}") };
    format!("cancelled{}{}", by(&request.requester_id), why(&request.reason))
}
