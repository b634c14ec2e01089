//! The transition table of the [module](super): messages that come in.

use std::time::Duration;

use super::decide::{Decided, Draft, reported, sent_addr};
use super::event::Event;
use super::outbox::What;
use super::rejection::Rejection;
use super::state::{Hand, Job, Phase, Worker, Workflow};
use super::{Attempt, Effect, MAX_PARKED, take};
use crate::jobs::protocol::limits::clip;
use crate::jobs::protocol::message::{
    AckOutcome, Body, HealthcheckExtensionResponse, JobLeaderWorkerTransfer, Leader, Message, NotNow, Party,
    ReportAck, WorkerAck, WorkflowCancel, WorkflowDispatch, WorkflowRevoke,
};
use crate::jobs::protocol::token::{DispatchToken, FenceToken};
use crate::kernel::ids::EntityId;

/// Most notes of what was fenced, per leader of a job; what comes after them is refused without a note.
const MAX_FENCED: usize = 16;

pub(super) fn receive(mut draft: Draft, message: &Message) -> Decided {
    match &message.body {
        Body::WorkflowDispatch(dispatch) => {
            let taken = addressed(draft.state(), message)
                .and_then(|()| self::dispatch(&mut draft, message, dispatch));
            Ok(answer(draft, message, std::slice::from_ref(&dispatch.workflow_id), taken))
        }
        Body::WorkflowCancel(cancel) => {
            let taken =
                addressed(draft.state(), message).and_then(|()| self::cancel(&mut draft, message, cancel));
            Ok(answer(draft, message, &cancel.workflow_ids, taken))
        }
        Body::WorkflowRevoke(revoke) => {
            let about: Vec<EntityId> = revoke.workflows.iter().map(|(name, _)| name.clone()).collect();
            let taken =
                addressed(draft.state(), message).and_then(|()| self::revoke(&mut draft, message, revoke));
            Ok(answer(draft, message, &about, taken))
        }
        Body::JobLeaderWorkerTransfer(transfer) => {
            let taken = addressed(draft.state(), message)
                .and_then(|()| self::transfer(&mut draft, message, transfer));
            Ok(answer(draft, message, &transfer.workflow_ids, taken))
        }
        Body::ReportAck(ack) => {
            report_answered(&mut draft, message, ack)?;
            Ok(draft.decided(None))
        }
        Body::HealthcheckExtensionResponse(response) => {
            extension_answered(&mut draft, message, response);
            Ok(draft.decided(None))
        }
        Body::JobDispatch(_)
        | Body::JobProgressReport(_)
        | Body::JobTimeoutReport(_)
        | Body::JobLeaderTransfer(_)
        | Body::JobFinalStatus(_)
        | Body::JobRecall(_)
        | Body::JobGlobalTimeout(_)
        | Body::JobLeaderGateTransfer(_)
        | Body::JobCancelRequest(_)
        | Body::WorkflowReport(_)
        | Body::WorkflowReportAfterDrops(_)
        | Body::HealthcheckExtensionRequest(_)
        | Body::GlobalTimeoutAck(_)
        | Body::JobCancelResponse(_)
        | Body::WorkerAck(_) => Err(Rejection::NotForWorker { message: message.body.name() }),
    }
}

/// Is the message for this worker, and does it serve?
fn addressed(state: &Worker, message: &Message) -> Result<(), Rejection> {
    let (Some(worker_id), Some(datacenter)) = (&state.worker_id, &state.datacenter) else {
        return Err(Rejection::NotRegistered);
    };
    let other = |expected: &EntityId, given: &EntityId| {
        Err(Rejection::NotForMe { expected: expected.clone(), given: given.clone() })
    };
    match &message.to {
        Party::Worker(given) if given != worker_id => other(worker_id, given),
        Party::Worker(_) | Party::Gate(_) | Party::Manager { .. } if message.datacenter != *datacenter => {
            other(datacenter, &message.datacenter)
        }
        Party::Worker(_) | Party::Gate(_) | Party::Manager { .. } if state.phase == Phase::Absent => {
            Err(Rejection::NotRegistered)
        }
        Party::Worker(_) | Party::Gate(_) | Party::Manager { .. } if state.phase == Phase::Lost => {
            match &message.body {
                // It still says how things stand, and that what is to stop is not known to have stopped.
                Body::WorkflowDispatch(_) => Err(Rejection::Lost),
                _ => Ok(()),
            }
        }
        Party::Worker(_) | Party::Gate(_) | Party::Manager { .. } => Ok(()),
    }
}

/// The answer to what a leader says: taken or not, and how the workflows stand it is about.
fn answer(
    mut draft: Draft,
    message: &Message,
    about: &[EntityId],
    taken: Result<(), Rejection>,
) -> crate::kernel::Decision<super::WorkerMachine> {
    let job = draft.state().jobs.get(&message.job_id);
    let offered = |workflow: &Workflow| workflow.runs() && workflow.hand == Hand::Offered;
    let moves = matches!(message.body, Body::JobLeaderWorkerTransfer(_));
    let states = about.iter().filter_map(|name| {
        let workflow = job?.workflows.get(name)?;
        // What it did not take does not run, and a new leader must not believe so.
        (!(moves && offered(workflow))).then(|| (name.clone(), workflow.outcome))
    });
    let waits = matches!(message.body, Body::WorkflowDispatch(_))
        && about.iter().any(|name| job.and_then(|job| job.workflows.get(name)).is_some_and(offered));
    let not_taken = (taken.is_ok() && waits).then_some(NotNow::NotTaken);
    let ack = WorkerAck {
        accepted: taken.is_ok() && not_taken.is_none(),
        rejection_reason: taken.as_ref().err().map(Rejection::to_string),
        not_now: not_taken.or(taken.as_ref().err().and_then(Rejection::not_now)),
        fence_token_received: job.map_or(FenceToken::NONE, |job| job.fence_token),
        workflow_states: states.collect(),
    };
    draft.owe(message.answer(Body::WorkerAck(ack)));
    draft.decided(taken.err())
}

/// Refuses the token of a leader that was replaced, and puts that on record the first time.
fn fence(draft: &mut Draft, message: &Message, given: FenceToken) -> Result<(), Rejection> {
    let job = draft.state().jobs.get(&message.job_id);
    let held = job.map_or(FenceToken::NONE, |job| job.fence_token);
    if given >= held && given > FenceToken::NONE {
        return Ok(());
    }
    note_fenced(draft, message, held, given);
    Err(Rejection::Stale { held, given })
}

fn note_fenced(draft: &mut Draft, message: &Message, held: FenceToken, given: FenceToken) {
    let note = (message.body.name().to_owned(), given);
    let room = |job: &Job| job.fenced.len() < MAX_FENCED && !job.fenced.contains(&note);
    if draft.state().jobs.get(&message.job_id).is_some_and(room) {
        let (job_id, message) = (message.job_id.clone(), note.0);
        draft.push(Event::FenceRejected { job_id, message, held, given, at: draft.now });
    }
}

fn dispatch(draft: &mut Draft, message: &Message, dispatch: &WorkflowDispatch) -> Result<(), Rejection> {
    let WorkflowDispatch { workflow_id, attempt, dispatch_token, fence_token } = dispatch;
    fence(draft, message, *fence_token)?;
    let state = draft.state();
    let known = state.jobs.get(&message.job_id).and_then(|job| job.workflows.get(workflow_id));
    let held = known.map_or(DispatchToken::NONE, |workflow| workflow.dispatch_token);
    let given = *dispatch_token;
    if known.is_some_and(|workflow| held == given && workflow.attempt == *attempt) {
        return Ok(());
    }
    if given <= held {
        return Err(Rejection::StaleDispatch { held, given });
    }
    if state.phase == Phase::Draining {
        return Err(Rejection::Draining);
    }
    let replaced =
        known.filter(|workflow| workflow.runs()).map(|old| old.attempt(&message.job_id, workflow_id));
    let running = state.running().saturating_sub(replaced.is_some().into());
    if running >= state.capacity.into() {
        return Err(Rejection::Full { running, capacity: state.capacity });
    }
    let Party::Manager { node: leader, .. } = &message.from else {
        let (field, given) = ("from", "another party".to_owned());
        return Err(Rejection::Invalid { field, given, expected: "a manager".to_owned() });
    };
    let mut parked = state.parked.iter();
    let parked =
        parked.find(|parked| parked.job_id == message.job_id && parked.workflow_id == *workflow_id).cloned();
    draft.push(Event::Dispatched {
        job_id: message.job_id.clone(),
        workflow_id: workflow_id.clone(),
        attempt: *attempt,
        dispatch_token: given,
        leader: leader.clone(),
        fence_token: *fence_token,
        at: draft.now,
    });
    let held = draft.state().jobs.get(&message.job_id).map(|job| job.fence_token);
    if let Some(parked) = parked.filter(|parked| Some(parked.fence_token) > held) {
        let (leader, addr) = (parked.leader, Some(parked.addr));
        lead(draft, message, leader, addr, parked.fence_token, Vec::new());
    }
    replaced.into_iter().for_each(|old| draft.owe(Effect::Abort(old)));
    let state = draft.state();
    let taken = state.jobs.get(&message.job_id).and_then(|job| job.workflows.get(workflow_id));
    let start = taken.map(|workflow| Effect::Start(workflow.attempt(&message.job_id, workflow_id)));
    start.into_iter().for_each(|start| draft.owe(start));
    Ok(())
}

fn lead(
    draft: &mut Draft,
    message: &Message,
    leader: Leader,
    addr: Option<String>,
    fence_token: FenceToken,
    rescued: Vec<EntityId>,
) {
    let (job_id, at) = (message.job_id.clone(), draft.now);
    draft.push(Event::LeaderChanged { job_id, leader, addr, fence_token, rescued, at });
}

fn cancel(draft: &mut Draft, message: &Message, cancel: &WorkflowCancel) -> Result<(), Rejection> {
    fence(draft, message, cancel.fence_token)?;
    let named: std::collections::BTreeSet<_> = cancel.workflow_ids.iter().collect();
    take::stop_untaken(draft, &message.job_id, |name| named.contains(name));
    draft.ask_to_stop(&message.job_id, &clip(&cancel.reason), |name, _| named.contains(name));
    Ok(())
}

/// What the leader takes back does not run here any more, whatever it comes to.
fn revoke(draft: &mut Draft, message: &Message, revoke: &WorkflowRevoke) -> Result<(), Rejection> {
    fence(draft, message, revoke.fence_token)?;
    let Some(job) = draft.state().jobs.get(&message.job_id) else { return Ok(()) };
    let named = |(name, held): &(&EntityId, &Workflow)| {
        revoke.workflows.iter().any(|(id, token)| id == *name && *token == held.dispatch_token)
    };
    let taken: Vec<Attempt> =
        job.running().filter(named).map(|(name, held)| held.attempt(&message.job_id, name)).collect();
    if !taken.is_empty() {
        draft.push(Event::Revoked {
            job_id: message.job_id.clone(),
            workflow_ids: taken.iter().map(|attempt| attempt.workflow_id.clone()).collect(),
            reason: clip(&revoke.reason),
            at: draft.now,
        });
        taken.into_iter().for_each(|attempt| draft.owe(Effect::Abort(attempt)));
    }
    Ok(())
}

fn transfer(
    draft: &mut Draft,
    message: &Message,
    transfer: &JobLeaderWorkerTransfer,
) -> Result<(), Rejection> {
    let JobLeaderWorkerTransfer { workflow_ids, new_manager, new_manager_addr, fence_token, old_manager: _ } =
        transfer;
    sent_addr("new_manager_addr", new_manager_addr)?;
    fence(draft, message, *fence_token)?;
    let job = draft.state().jobs.get(&message.job_id);
    let other =
        |held: FenceToken, leader: &Leader| Rejection::OtherLeader { held, leader: leader.node.clone() };
    if let Some(job) = job.filter(|job| job.fence_token == *fence_token) {
        if job.leader == *new_manager {
            return Ok(());
        }
        let (held, leader) = (job.fence_token, job.leader.clone());
        note_fenced(draft, message, held, *fence_token);
        return Err(other(held, &leader));
    }
    let state = draft.state();
    let here = |name: &EntityId| job.is_some_and(|job| job.workflows.contains_key(name));
    let missing: std::collections::BTreeSet<_> = workflow_ids.iter().filter(|name| !here(name)).collect();
    let mut waiting = state.parked.iter().filter(|parked| parked.job_id == message.job_id);
    if let Some(parked) = waiting
        .clone()
        .find(|parked| missing.contains(&parked.workflow_id) && parked.fence_token > *fence_token)
    {
        return Err(Rejection::Stale { held: parked.fence_token, given: *fence_token });
    }
    let twin =
        waiting.find(|parked| missing.contains(&parked.workflow_id) && parked.fence_token == *fence_token);
    if let Some(parked) = twin.filter(|parked| parked.leader != *new_manager) {
        return Err(other(parked.fence_token, &parked.leader));
    }
    let known = |name: &EntityId| {
        let mut parked = state.parked.iter().filter(|parked| parked.job_id == message.job_id);
        parked.any(|parked| parked.workflow_id == *name && parked.fence_token == *fence_token)
    };
    let park: Vec<EntityId> = missing.into_iter().filter(|name| !known(name)).cloned().collect();
    if state.parked.len().saturating_add(park.len()) > MAX_PARKED {
        return Err(Rejection::TooManyParked { most: MAX_PARKED });
    }
    let until = draft.now.plus(Duration::from_millis(state.settings.parked_ms));
    if let Some(job) = job {
        let named = job.running().filter(|(name, _)| workflow_ids.contains(name));
        let rescued = named.map(|(name, _)| name.clone()).collect();
        lead(draft, message, new_manager.clone(), Some(new_manager_addr.clone()), *fence_token, rescued);
    }
    if !park.is_empty() {
        draft.push(Event::TransferParked {
            job_id: message.job_id.clone(),
            workflow_ids: park,
            leader: new_manager.clone(),
            addr: new_manager_addr.clone(),
            fence_token: *fence_token,
            until,
            at: draft.now,
        });
    }
    Ok(())
}

fn report_answered(draft: &mut Draft, message: &Message, ack: &ReportAck) -> Result<(), Rejection> {
    let Some(workflow_id) = reported(draft.state(), message) else { return Ok(()) };
    let Some(job) = draft.state().jobs.get(&message.job_id) else { return Ok(()) };
    let delivered = Event::ReportDelivered {
        number: message.number,
        job_id: message.job_id.clone(),
        workflow_id: workflow_id.clone(),
        at: draft.now,
    };
    match ack.outcome {
        AckOutcome::Accepted => draft.push(delivered),
        AckOutcome::AlreadyFinal(_) => {
            draft.push(delivered);
            draft.ask_to_stop(&message.job_id, "the job has ended", |_, _| true);
        }
        AckOutcome::Stale if ack.fence_token > job.fence_token => {
            ack.leader_addr.as_deref().map_or(Ok(()), |addr| sent_addr("leader_addr", addr))?;
            let leader = match &message.from {
                Party::Manager { node, .. } => node.clone(),
                Party::Gate(_) | Party::Worker(_) => job.leader.clone(),
            };
            lead(draft, message, leader, ack.leader_addr.clone(), ack.fence_token, Vec::new());
        }
        AckOutcome::Stale => {
            draft.push(delivered);
            let replaced = |name: &EntityId, _: &Workflow| *name == workflow_id;
            draft.ask_to_stop(&message.job_id, "another attempt took its place", replaced);
        }
        // The leader may be recovering, or has too much to do: it is asked again.
        AckOutcome::UnknownJob | AckOutcome::Refused { .. } => {}
    }
    Ok(())
}

fn extension_answered(draft: &mut Draft, message: &Message, response: &HealthcheckExtensionResponse) {
    let errand = draft.state().outbox.get(&message.number);
    let asked =
        errand.is_some_and(|errand| errand.job_id == message.job_id && errand.what == What::Extension);
    if asked {
        draft.push(Event::ExtensionAnswered {
            number: message.number,
            job_id: message.job_id.clone(),
            granted: response.granted,
            extension_ms: response.extension_ms,
            denial_reason: response.denial_reason.as_deref().map(clip),
            at: draft.now,
        });
    }
}
