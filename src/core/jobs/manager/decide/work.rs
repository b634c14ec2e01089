//! Workflows: steps, handing out, failures and retries, and signs of progress.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::draft::Draft;
use super::{inbox, more, stop};
use crate::jobs::manager::command::Reply;
use crate::jobs::manager::event::{Event, ProgressNoted};
use crate::jobs::manager::heard::{Heard, Noted};
use crate::jobs::manager::outbox::{Entry, Notice, Recipient};
use crate::jobs::manager::rejection::{Rejection, invalid};
use crate::jobs::manager::settings::{MAX_WORKERS, PROGRESS_WRITE_MS, check_bytes, check_text};
use crate::jobs::manager::state::{Refused, Run};
use crate::jobs::manager::workflow::{Moved, Workflow, WorkflowStatus};
use crate::jobs::protocol::limits::MAX_RESULT_BYTES;
use crate::jobs::protocol::message::{Body, FinalStatus, NotNow, Party, WorkflowRevoke};
use crate::jobs::protocol::token::DispatchToken;
use crate::kernel::ids::EntityId;

/// What comes with a step.
#[derive(Default)]
pub(super) struct With {
    pub(super) worker_id: Option<EntityId>,
    pub(super) dispatch_token: Option<DispatchToken>,
    pub(super) result: Option<String>,
}

pub(super) fn workflow<'a>(run: &'a Run, id: &EntityId) -> Result<&'a Workflow, Rejection> {
    run.workflows.get(id).ok_or_else(|| Rejection::UnknownWorkflow { workflow_id: id.clone() })
}

/// Takes a step that is known to be legal.
pub(super) fn step(draft: &mut Draft<'_>, id: &EntityId, to: WorkflowStatus, reason: &str, with: With) {
    let Ok(run) = draft.run() else { return };
    let Some(workflow) = run.workflows.get(id) else { return };
    // A failure that is tried again is tried as the next attempt.
    let retried = workflow.status == WorkflowStatus::FailedReady && to == WorkflowStatus::Pending;
    let moved = Moved {
        workflow_id: id.clone(),
        attempt: workflow.attempt.saturating_add(u32::from(retried)),
        from: workflow.status,
        to,
        reason: reason.to_owned(),
        at: draft.now,
        seq: run.steps.saturating_add(1),
        token: run.token,
        worker_id: with.worker_id,
        dispatch_token: with.dispatch_token,
        result: with.result,
        settles: to == WorkflowStatus::Failed && workflow.attempt >= run.terms.settings.max_attempts,
    };
    draft.push(Event::WorkflowMoved(moved));
}

pub(super) fn transition(
    draft: &mut Draft<'_>,
    id: &EntityId,
    to: WorkflowStatus,
    reason: &str,
    result: Option<String>,
) -> Result<Reply, Rejection> {
    check_text("reason", reason)?;
    check_result(&result)?;
    if workflow(draft.led()?, id).is_ok_and(|held| is_repeat(held, to, reason, &result)) {
        return Ok(Reply::Changed(false));
    }
    let stopped = |run: &Run| {
        let status = run.workflows.get(id).map(|workflow| workflow.status);
        run.ended.is_some() && status == Some(WorkflowStatus::Cancelled)
    };
    if result.is_some() && draft.run().is_ok_and(stopped) {
        inbox::late(draft, id, &result);
    }
    let run = draft.live()?;
    let (from, strict) = (workflow(run, id)?.status, run.terms.settings.strict_transitions);
    if !from.may_become(to, strict) {
        let key = Refused::Step(id.clone(), to);
        if draft.is_new(&key) {
            let (workflow_id, at) = (id.clone(), draft.now);
            draft.push(Event::StepRefused { workflow_id, from, to, at });
        }
        return Err(Rejection::IllegalTransition { from, to });
    }
    let held = workflow(run, id)?;
    let (planned, had) = (held.planned_worker.clone(), held.worker_id.clone());
    let had = had.filter(|worker| from.is_at_worker() && !run.lost.contains(worker));
    let taken = vec![(id.clone(), held.dispatch_token)];
    if to == WorkflowStatus::Dispatched {
        check_ready(run, id)?;
        if let Some(worker) = planned {
            if run.lost.contains(&worker) {
                return Err(Rejection::UnknownWorker { worker_id: worker });
            }
            assign(draft, id, &worker)?;
            return Ok(Reply::Changed(true));
        }
    }
    step(draft, id, to, reason, With { result, ..With::default() });
    if to == WorkflowStatus::Cancelling && from.is_at_worker() {
        tell_worker_to_cancel(draft, id, reason);
    }
    if let (WorkflowStatus::Failed, Some(worker)) = (to, had) {
        // Somebody else says that it failed: what its worker makes of it does not count.
        take_away(draft, worker, taken, reason);
    }
    follow(draft, id, reason);
    Ok(Reply::Changed(true))
}

/// Was just this step taken last, for this reason and with this result? Of a failure that is tried again also while nobody
/// has the new attempt: a second failure could only come from somebody who has it.
fn is_repeat(held: &Workflow, to: WorkflowStatus, reason: &str, result: &Option<String>) -> bool {
    let mut taken = held.history.iter().rev();
    let last = match held.status == WorkflowStatus::Pending && to == WorkflowStatus::Failed {
        true => taken.find(|step| step.to == WorkflowStatus::Failed).filter(|step| {
            step.from != WorkflowStatus::Pending && step.attempt.saturating_add(1) == held.attempt
        }),
        false => taken.next().filter(|step| step.to == to),
    };
    last.is_some_and(|step| {
        // What it was handed over for is not what whoever asked gave as the reason.
        let same_reason = step.reason == reason || step.worker_id.is_some();
        same_reason && step.result == *result
    })
}

pub(super) fn check_result(result: &Option<String>) -> Result<(), Rejection> {
    result.as_ref().map_or(Ok(()), |result| check_bytes("result", result, MAX_RESULT_BYTES))
}

fn check_ready(run: &Run, id: &EntityId) -> Result<(), Rejection> {
    let open = |on: &&EntityId| run.workflows.get(*on).is_none_or(|workflow| !is_done(workflow.status));
    match workflow(run, id)?.depends_on.iter().find(open) {
        Some(dependency) => {
            Err(Rejection::Waiting { workflow_id: id.clone(), dependency: dependency.clone() })
        }
        None => Ok(()),
    }
}

fn is_done(status: WorkflowStatus) -> bool {
    matches!(status, WorkflowStatus::Completed | WorkflowStatus::Aggregated)
}

pub(super) fn assign_asked(
    draft: &mut Draft<'_>,
    id: &EntityId,
    worker: &EntityId,
) -> Result<Reply, Rejection> {
    let run = draft.live()?;
    let held = workflow(run, id)?;
    if held.status == WorkflowStatus::Dispatched && held.worker_id.as_ref() == Some(worker) {
        return Ok(Reply::Changed(false));
    }
    // What no worker took can go to another; the one before is fenced by its dispatch token, should it take it late.
    let waits = held.status == WorkflowStatus::Dispatched && held.waits.is_some();
    if held.status != WorkflowStatus::Pending && !waits {
        return Err(Rejection::IllegalTransition { from: held.status, to: WorkflowStatus::Dispatched });
    }
    check_ready(run, id)?;
    if run.lost.contains(worker) {
        return Err(Rejection::UnknownWorker { worker_id: worker.clone() });
    }
    assign(draft, id, worker)?;
    Ok(Reply::Changed(true))
}

/// A worker does not take a workflow now: it stays handed to it and is offered again, for as long as the job has time.
pub(super) fn delay(draft: &mut Draft<'_>, number: u64, workflow_id: EntityId, why: NotNow) {
    let Ok(run) = draft.live() else { return };
    let Some(held) = run.workflows.get(&workflow_id) else { return };
    let (Some(worker_id), at) = (held.worker_id.clone(), draft.now) else { return };
    if held.waits != Some(why) {
        draft.push(Event::DispatchDelayed { number, workflow_id, worker_id, why, at });
    }
}

/// Offers a worker at once what waits for it, oldest first, as far as it has room; says whether more waits.
pub(super) fn worker_ready(draft: &mut Draft<'_>, worker: &EntityId, places: u32) -> Reply {
    let Ok(run) = draft.live() else { return Reply::Changed(false) };
    let waits = |entry: &&Entry| {
        let workflow = entry.dispatches().and_then(|id| run.workflows.get(id));
        // What stands before it already needs no offer.
        let waits = |held: &Workflow| held.waits.is_some_and(|why| why != NotNow::NotTaken);
        entry.to == Recipient::Worker(worker.clone()) && workflow.is_some_and(waits)
    };
    if run.timed_out.is_some() {
        return Reply::Changed(false);
    }
    let places = usize::try_from(places).unwrap_or(usize::MAX);
    let waiting = draft.state().outbox.values().filter(waits);
    let more = waiting.clone().nth(places).is_some();
    let offered: Vec<Entry> = waiting.take(places).cloned().collect();
    offered.iter().for_each(|entry| draft.send_entry(entry));
    Reply::Changed(more)
}

/// Gives a worker that asks for work what is ready: what has no worker, and what has one that is lost or did not take it.
pub(super) fn claim(draft: &mut Draft<'_>, worker: &EntityId, places: u32) -> Result<Reply, Rejection> {
    let run = draft.live()?;
    if run.timed_out.is_some() {
        return Ok(Reply::Changed(false));
    }
    // Whoever asks is well, whatever was said of it.
    let healed = run.lost.contains(worker);
    if healed {
        more::worker_healthy(draft, worker)?;
    }
    let run = draft.live()?;
    let free = |(id, held): (&EntityId, &Workflow)| run.is_free(held) && check_ready(run, id).is_ok();
    let free = run.workflows.iter().filter(|(id, held)| free((*id, *held))).map(|(id, _)| id.clone());
    let free: Vec<EntityId> = free.take(usize::try_from(places).unwrap_or(usize::MAX)).collect();
    free.iter().try_for_each(|id| assign(draft, id, worker))?;
    Ok(Reply::Changed(healed || !free.is_empty()))
}

/// Hands a workflow to a worker, under a number of its own.
fn assign(draft: &mut Draft<'_>, id: &EntityId, worker: &EntityId) -> Result<(), Rejection> {
    let dispatch_token =
        draft.state().last_dispatch.next(draft.context().floor()).ok_or(Rejection::TokensExhausted)?;
    let attempt = workflow(draft.live()?, id)?.attempt;
    let with = With { worker_id: Some(worker.clone()), dispatch_token: Some(dispatch_token), result: None };
    step(draft, id, WorkflowStatus::Dispatched, "handed to a worker", with);
    let notice = Notice::Dispatch { workflow_id: id.clone(), attempt, dispatch_token };
    draft.queue(Recipient::Worker(worker.clone()), notice);
    Ok(())
}

/// Hands out what waits for nothing and has a worker. Nothing is handed out once the job's time is over.
pub(super) fn dispatch_ready(draft: &mut Draft<'_>) {
    let Ok(run) = draft.live() else { return };
    if run.timed_out.is_some() {
        return;
    }
    let ready = |(id, workflow): (&EntityId, &Workflow)| {
        let worker = workflow.planned_worker.as_ref().filter(|worker| !run.lost.contains(*worker))?;
        let waits = workflow.status != WorkflowStatus::Pending || check_ready(run, id).is_err();
        (!waits).then(|| (id.clone(), worker.clone()))
    };
    let ready: Vec<_> = run.workflows.iter().filter_map(ready).collect();
    for (id, worker) in ready {
        // Only numbers that ran out refuse it; the workflow then waits, and the job's deadlines hold.
        let _ = assign(draft, &id, &worker);
    }
}

/// What follows from where a workflow is now.
pub(super) fn follow(draft: &mut Draft<'_>, id: &EntityId, reason: &str) {
    let Some(now) = draft.run().ok().and_then(|run| run.workflows.get(id)).cloned() else { return };
    if now.status == WorkflowStatus::Failed && !now.settled_failure {
        retry(draft, id, reason);
    } else if now.is_settled() && !is_done(now.status) {
        // What depends on it can never run.
        cancel_all(draft, &dependents(draft, id), "a workflow it depends on did not complete");
    }
    if let Some(worker) = now.worker_id.filter(|_| !now.status.is_at_worker()) {
        more::workflow_finished(draft, &worker);
    }
    dispatch_ready(draft);
    settle(draft);
}

/// Cancels what depends on a failed workflow, then makes new attempts of it and of them, dependencies first.
fn retry(draft: &mut Draft<'_>, id: &EntityId, reason: &str) {
    step(draft, id, WorkflowStatus::FailedCancelingDeps, reason, With::default());
    let dependents = dependents(draft, id);
    cancel_all(draft, &dependents, "a workflow it depends on failed");
    step(
        draft,
        id,
        WorkflowStatus::FailedReady,
        "everything that depends on it is cancelled",
        With::default(),
    );
    step(draft, id, WorkflowStatus::Pending, "tried again", With::default());
    for dependent in dependents {
        let Some(held) = draft.run().ok().and_then(|run| run.workflows.get(&dependent)) else { continue };
        let (attempt, at) = (held.attempt.saturating_add(1), draft.now);
        draft.push(Event::AttemptMade { workflow_id: dependent, attempt, at });
    }
}

/// Everything unsettled that waits for this workflow, directly or not, each after what it waits for.
fn dependents(draft: &Draft<'_>, id: &EntityId) -> Vec<EntityId> {
    let Ok(run) = draft.run() else { return Vec::new() };
    let mut waiting: BTreeMap<&EntityId, Vec<&EntityId>> = BTreeMap::new();
    for (dependent, workflow) in run.workflows.iter() {
        workflow.depends_on.iter().for_each(|on| waiting.entry(on).or_default().push(dependent));
    }
    let mut reached: BTreeSet<&EntityId> = BTreeSet::new();
    let mut next = vec![id];
    while let Some(id) = next.pop() {
        for dependent in waiting.get(id).into_iter().flatten() {
            let open = run.workflows.get(*dependent).is_some_and(|workflow| !workflow.is_settled());
            if open && reached.insert(*dependent) {
                next.push(*dependent);
            }
        }
    }
    let mut ordered: Vec<EntityId> = Vec::with_capacity(reached.len());
    let mut left: BTreeMap<&EntityId, usize> = BTreeMap::new();
    for dependent in &reached {
        let on = run.workflows.get(*dependent).map_or(&[][..], |workflow| workflow.depends_on.as_slice());
        let inside: BTreeSet<&EntityId> = on.iter().filter(|on| reached.contains(*on)).collect();
        left.insert(*dependent, inside.len());
    }
    let mut free: BTreeSet<&EntityId> = left.iter().filter(|(_, n)| **n == 0).map(|(id, _)| *id).collect();
    while let Some(id) = free.pop_first() {
        ordered.push(id.clone());
        let unique: BTreeSet<&&EntityId> = waiting.get(id).into_iter().flatten().collect();
        for dependent in unique {
            if let Some(n) = left.get_mut(*dependent) {
                *n = n.saturating_sub(1);
                if *n == 0 {
                    free.insert(dependent);
                }
            }
        }
    }
    ordered
}

/// Stops workflows; whoever has them is told.
pub(super) fn cancel_all(draft: &mut Draft<'_>, ids: &[EntityId], reason: &str) -> u64 {
    let mut told: BTreeMap<EntityId, Vec<EntityId>> = BTreeMap::new();
    let mut stopped = 0u64;
    for id in ids {
        let Some((before, worker, lost, strict)) = draft.run().ok().and_then(|run| {
            let workflow = run.workflows.get(id).filter(|workflow| !workflow.is_settled())?;
            let lost = workflow.worker_id.as_ref().is_some_and(|worker| run.lost.contains(worker));
            let strict = run.terms.settings.strict_transitions;
            Some((workflow.status, workflow.worker_id.clone(), lost, strict))
        }) else {
            continue;
        };
        if before == WorkflowStatus::Cancelling {
            continue;
        }
        stopped += 1;
        if before.may_become(WorkflowStatus::Cancelled, strict) {
            step(draft, id, WorkflowStatus::Cancelled, reason, With::default());
            continue;
        }
        step(draft, id, WorkflowStatus::Cancelling, reason, With::default());
        match worker.filter(|_| before.is_at_worker() && !lost) {
            Some(worker) => told.entry(worker).or_default().push(id.clone()),
            None => step(draft, id, WorkflowStatus::Cancelled, reason, With::default()),
        }
    }
    for (worker, workflow_ids) in told {
        let notice = Notice::Cancel { workflow_ids, reason: reason.to_owned() };
        draft.queue(Recipient::Worker(worker), notice);
    }
    stopped
}

/// The worker of a workflow that was just taken to `cancelling` is told.
fn tell_worker_to_cancel(draft: &mut Draft<'_>, id: &EntityId, reason: &str) {
    let worker = draft.run().ok().and_then(|run| {
        let worker = run.workflows.get(id)?.worker_id.clone()?;
        (!run.lost.contains(&worker)).then_some(worker)
    });
    if let Some(worker) = worker {
        let notice = Notice::Cancel { workflow_ids: vec![id.clone()], reason: reason.to_owned() };
        draft.queue(Recipient::Worker(worker), notice);
    }
}

/// A worker is told that workflows are not its own any more, before they go elsewhere.
fn take_away(
    draft: &mut Draft<'_>,
    worker: EntityId,
    workflows: Vec<(EntityId, DispatchToken)>,
    reason: &str,
) {
    if !workflows.is_empty() {
        draft.queue(Recipient::Worker(worker), Notice::Revoke { workflows, reason: reason.to_owned() });
    }
}

/// Every worker is told that what it has of the job is not its own any more. Not sent again: nobody leads the job here.
pub(super) fn tell_taken_away(draft: &mut Draft<'_>, reason: &str) {
    let Ok(run) = draft.run() else { return };
    let fence_token = run.token;
    let token = |id: EntityId| Some((id.clone(), run.workflows.get(&id)?.dispatch_token));
    let had: Vec<_> = run
        .at_workers()
        .into_iter()
        .map(|(worker, ids)| (worker, ids.into_iter().filter_map(token).collect::<Vec<_>>()))
        .collect();
    for (worker, workflows) in had {
        let revoke = WorkflowRevoke { workflows, reason: reason.to_owned(), fence_token };
        draft.send(Party::Worker(worker), 0, Body::WorkflowRevoke(revoke));
    }
}

/// Ends the job when nothing more will happen to any of its workflows.
fn settle(draft: &mut Draft<'_>) {
    let Ok(run) = draft.live() else { return };
    if run.workflows.is_empty() || !run.workflows.values().all(Workflow::is_settled) {
        return;
    }
    let failed =
        run.workflows.iter().find(|(_, workflow)| workflow.settled_failure).map(|(id, _)| id.clone());
    let (status, reason) = match failed {
        Some(id) => (FinalStatus::Failed, format!("workflow failed. workflow={id}")),
        None => (FinalStatus::Completed, "every workflow is done".to_owned()),
    };
    let at = draft.now;
    stop::end(draft, status, reason, None, at);
}

pub(super) fn progress(
    draft: &mut Draft<'_>,
    workflow_id: Option<EntityId>,
    completed_count: Option<u64>,
    heard: &Heard,
) -> Result<Reply, Rejection> {
    let run = draft.live()?;
    let count = match (workflow_id, completed_count) {
        (Some(id), count) => {
            let held = workflow(run, &id)?;
            if held.status != WorkflowStatus::Running {
                return Ok(Reply::Progress(None));
            }
            count.map(|count| (id, count))
        }
        (None, Some(count)) => {
            return Err(invalid("completed_count", count, "a count together with its workflow_id"));
        }
        (None, None) => None,
    };
    note_progress(draft, count, heard)
}

/// Progress counts when more is done than before. It is written down at most once a second; the first sign of a job
/// without workflows at once, since it says that the job runs.
pub(super) fn note_progress(
    draft: &mut Draft<'_>,
    count: Option<(EntityId, u64)>,
    heard: &Heard,
) -> Result<Reply, Rejection> {
    let run = draft.live()?;
    let mut attempt = 0;
    if let Some((id, count)) = &count {
        let (job_id, datacenter) = draft.ids()?;
        let held = workflow(run, id)?;
        attempt = held.attempt;
        let known = heard.count(job_id, datacenter, id, attempt).unwrap_or(0).max(held.completed_count);
        if *count <= known {
            return Ok(Reply::Progress(None));
        }
    }
    let noted = Noted { count: count.clone().map(|(id, count)| (id, attempt, count)), at: draft.now };
    let first = run.workflows.is_empty() && !run.got_on;
    if first || draft.now.since(run.last_progress_at) >= Duration::from_millis(PROGRESS_WRITE_MS) {
        let at = draft.now;
        draft.push(Event::ProgressNoted(ProgressNoted { at, count }));
    }
    Ok(Reply::Progress(Some(noted)))
}

pub(super) fn worker_lost(draft: &mut Draft<'_>, worker: &EntityId) -> Result<Reply, Rejection> {
    let run = draft.live()?;
    if !run.knows_worker(worker) && !run.trackers.contains_key(worker) {
        return Err(Rejection::UnknownWorker { worker_id: worker.clone() });
    }
    if run.lost.contains(worker) {
        return Ok(Reply::Changed(false));
    }
    if run.lost.len() >= MAX_WORKERS {
        return Err(Rejection::Limit { what: "lost workers", limit: MAX_WORKERS as u64 });
    }
    lose_worker(draft, worker, "the worker is gone");
    Ok(Reply::Changed(true))
}

/// A worker is lost, as it says itself or whoever watched it. What it had not taken waits for another; what it ran failed,
/// and is tried again if it may be; what it was to stop may still run.
pub(super) fn lost_at_worker(draft: &mut Draft<'_>, id: &EntityId, worker: &EntityId) {
    let reason = "its worker is lost";
    let Some(status) = draft.run().ok().and_then(|run| run.workflows.get(id)).map(|w| w.status) else {
        return;
    };
    let at = draft.now;
    match status {
        WorkflowStatus::Dispatched => {
            let number = draft.state().outbox.values().find(|entry| entry.dispatches() == Some(id));
            let number = number.map_or(0, |entry| entry.number);
            let (workflow_id, worker_id, why) = (id.clone(), worker.clone(), NotNow::Lost);
            draft.push(Event::DispatchDelayed { number, workflow_id, worker_id, why, at });
        }
        WorkflowStatus::Running => {
            step(draft, id, WorkflowStatus::Failed, reason, With::default());
            follow(draft, id, reason);
        }
        WorkflowStatus::Cancelling => {
            stop::unconfirmed(draft, worker, id);
            if draft.live().is_ok() {
                // What waits for its end goes on.
                let reason = "its worker is lost, and nobody confirmed that it stopped";
                step(draft, id, WorkflowStatus::Cancelled, reason, With::default());
                follow(draft, id, reason);
            }
        }
        WorkflowStatus::Pending
        | WorkflowStatus::Completed
        | WorkflowStatus::Failed
        | WorkflowStatus::FailedCancelingDeps
        | WorkflowStatus::FailedReady
        | WorkflowStatus::Cancelled
        | WorkflowStatus::Aggregated => {}
    }
}

/// What a lost worker had failed, or is cancelled without anybody to confirm it.
pub(super) fn lose_worker(draft: &mut Draft<'_>, worker: &EntityId, reason: &str) {
    let Ok(run) = draft.live() else { return };
    let had = run.at_workers().remove(worker).unwrap_or_default();
    let at = draft.now;
    draft.push(Event::WorkerLost { worker_id: worker.clone(), reason: reason.to_owned(), at });
    give_up(draft, worker, had, reason);
}

/// What was handed out before another manager led the job is done again: nobody here knows what became of it.
pub(super) fn give_up_all(draft: &mut Draft<'_>, reason: &str) {
    let Ok(run) = draft.live() else { return };
    for (worker, had) in run.at_workers() {
        give_up(draft, &worker, had, reason);
    }
}

/// Takes these from a worker, and tries them again.
fn give_up(draft: &mut Draft<'_>, worker: &EntityId, had: Vec<EntityId>, reason: &str) {
    let Ok(run) = draft.live() else { return };
    let token = |id: &EntityId| Some((id.clone(), run.workflows.get(id)?.dispatch_token));
    let taken: Vec<_> = had.iter().filter_map(token).collect();
    // It may be alive, and go on.
    take_away(draft, worker.clone(), taken, reason);
    for id in had {
        let Some(status) = draft.live().ok().and_then(|run| run.workflows.get(&id)).map(|w| w.status) else {
            return;
        };
        let to = match status {
            WorkflowStatus::Dispatched | WorkflowStatus::Running => WorkflowStatus::Failed,
            WorkflowStatus::Cancelling => WorkflowStatus::Cancelled,
            WorkflowStatus::Pending
            | WorkflowStatus::Completed
            | WorkflowStatus::Failed
            | WorkflowStatus::FailedCancelingDeps
            | WorkflowStatus::FailedReady
            | WorkflowStatus::Cancelled
            | WorkflowStatus::Aggregated => continue,
        };
        step(draft, &id, to, reason, With::default());
        follow(draft, &id, reason);
    }
}
