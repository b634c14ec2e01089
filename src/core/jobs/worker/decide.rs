//! The transition table of the [module](super): what is asked of the worker itself.

use std::time::Duration;

use super::command::{Command, Reply, Report};
use super::event::Event;
use super::outbox::What;
use super::rejection::Rejection;
use super::settings::Settings;
use super::state::{Job, Phase, Worker, Workflow};
use super::{Attempt, Effect, MAX_CAPACITY, WorkerMachine, receive, take};
use crate::jobs::manager::{self as job, extension};
use crate::jobs::protocol::limits::{MAX_RESULT_BYTES, MAX_SENT_ADDR_BYTES, clip, too_long};
use crate::jobs::protocol::message::{HealthcheckExtensionRequest, Message, WorkflowOutcome};
use crate::jobs::protocol::token::DispatchToken;
use crate::kernel::Decision;
use crate::kernel::draft;
use crate::kernel::ids::EntityId;
use crate::kernel::time::Timestamp;

pub(super) type Decided = Result<Decision<WorkerMachine>, Rejection>;

/// Why work of a lost leader is stopped.
const ORPHANED: &str = "orphaned";

pub(super) fn decide(state: &Worker, command: Command, now: Timestamp) -> Decided {
    let mut draft = Draft::new(state, now);
    match command {
        Command::Register { worker_id, datacenter, capacity, settings } => {
            register(&mut draft, worker_id, datacenter, capacity, settings)?;
        }
        Command::Enroll { beat_ms, incarnation } => take::enroll(&mut draft, beat_ms, incarnation)?,
        Command::Take { has, most, silent_ms } => take::take(&mut draft, &has, most, silent_ms)?,
        Command::Beat { has } => take::beat(&mut draft, &has)?,
        Command::Receive(message) => return receive::receive(draft, &message),
        Command::Report(report) => self::report(&mut draft, *report)?,
        Command::NoteDropped { job_id, workflow_id, dispatch_token, count } => {
            note_dropped(&mut draft, job_id, workflow_id, dispatch_token, count);
        }
        Command::RequestExtension { job_id, request } => request_extension(&mut draft, job_id, *request)?,
        Command::LeaderLost { job_id } => leader_lost(&mut draft, job_id)?,
        Command::Leave if state.worker_id.is_none() => return Err(Rejection::NotRegistered),
        Command::Leave => {
            if state.phase == Phase::Serving {
                draft.push(Event::Draining { at: now });
                take::give_back(&mut draft);
            }
        }
        Command::RunErrands { due } => {
            let messages = state.messages(|errand| errand.sending().falls_on(due));
            let effects = messages.into_iter().map(Effect::from).collect();
            return Ok(Decision::answer(Reply { changed: false }).with_effects(effects));
        }
        Command::Tick => tick(&mut draft),
    }
    Ok(draft.decided(None))
}

/// A decision in the making.
pub(super) type Draft<'a> = draft::Draft<'a, WorkerMachine>;

impl Draft<'_> {
    /// The decision, with what is sent for the first time, and the end of a draining that has nothing left to do.
    pub(super) fn decided(mut self, refused: Option<Rejection>) -> Decision<WorkerMachine> {
        let state = self.state();
        if state.phase == Phase::Draining && state.running() == 0 && state.outbox.is_empty() {
            self.push(Event::Left { at: self.now });
        }
        let old = self.before().last_number;
        let sent = self.state().messages(|errand| errand.number > old);
        sent.into_iter().for_each(|message| self.owe(message));
        let changed = self.is_changed();
        self.decision(refused.map_or(Ok(Reply { changed }), Err))
    }

    /// Asks workflows that run to stop; those that were asked before are left to it.
    pub(super) fn ask_to_stop(
        &mut self,
        job_id: &EntityId,
        reason: &str,
        which: impl Fn(&EntityId, &Workflow) -> bool,
    ) {
        let state = self.state();
        let Some(job) = state.jobs.get(job_id) else { return };
        let asked =
            |(name, workflow): &(&EntityId, &Workflow)| workflow.stop.is_none() && which(name, workflow);
        let asked: Vec<Attempt> =
            job.running().filter(asked).map(|(name, workflow)| workflow.attempt(job_id, name)).collect();
        if asked.is_empty() {
            return;
        }
        let abort_at = self.now.plus(Duration::from_millis(state.settings.stop_grace_ms));
        self.push(Event::StopAsked {
            job_id: job_id.clone(),
            workflow_ids: asked.iter().map(|attempt| attempt.workflow_id.clone()).collect(),
            reason: clip(reason),
            abort_at,
            at: self.now,
        });
        asked.into_iter().for_each(|attempt| self.owe(Effect::Stop(attempt)));
    }
}

fn register(
    draft: &mut Draft,
    worker_id: EntityId,
    datacenter: EntityId,
    capacity: u32,
    settings: Settings,
) -> Result<(), Rejection> {
    settings.check()?;
    if !(1..=MAX_CAPACITY).contains(&capacity) {
        let expected = format!("1 to {MAX_CAPACITY}");
        return Err(Rejection::Invalid { field: "capacity", given: capacity.to_string(), expected });
    }
    let state = draft.state();
    let held = [(&state.worker_id, &worker_id), (&state.datacenter, &datacenter)];
    for (held, given) in held {
        if let Some(expected) = held.as_ref().filter(|held| *held != given) {
            return Err(Rejection::NotForMe { expected: expected.clone(), given: given.clone() });
        }
    }
    let same = state.phase == Phase::Serving && state.capacity == capacity && state.settings == settings;
    if !same {
        draft.push(Event::Registered { worker_id, datacenter, capacity, settings, at: draft.now });
    }
    Ok(())
}

fn report(draft: &mut Draft, report: Report) -> Result<(), Rejection> {
    let Report { job_id, workflow_id, dispatch_token, outcome, completed_count, result } = report;
    result.as_ref().map_or(Ok(()), |result| check_bytes("result", result, MAX_RESULT_BYTES))?;
    let job = job(draft.state(), &job_id)?;
    let Some(workflow) = job.workflows.get(&workflow_id) else {
        return Err(Rejection::UnknownWorkflow { workflow_id });
    };
    let held = workflow.dispatch_token;
    if let Some(given) = dispatch_token.filter(|given| *given != held) {
        return Err(Rejection::StaleDispatch { held, given });
    }
    if workflow.outcome == WorkflowOutcome::Lost {
        return Err(Rejection::Taken { workflow_id });
    }
    if !workflow.runs() {
        let held = workflow.outcome;
        let counted = completed_count.is_none_or(|count| count == workflow.completed_count);
        return match held == outcome {
            true if counted && workflow.ended_with(result.as_deref()) => Ok(()),
            true => Err(Rejection::ReportedOtherwise { workflow_id, outcome: held }),
            false => Err(Rejection::Ended { workflow_id, outcome: held }),
        };
    }
    let completed_count = completed_count.unwrap_or(workflow.completed_count);
    if completed_count < workflow.completed_count {
        return Err(Rejection::CountFell { held: workflow.completed_count, given: completed_count });
    }
    let same = workflow.started
        && workflow.outcome == outcome
        && workflow.completed_count == completed_count
        && workflow.result == result;
    if !same {
        let at = draft.now;
        draft.push(Event::Reported { job_id, workflow_id, outcome, completed_count, result, at });
    }
    Ok(())
}

/// What was dropped of a handing over that is not the last one is of no use to its leader any more.
fn note_dropped(
    draft: &mut Draft,
    job_id: EntityId,
    workflow_id: EntityId,
    dispatch_token: DispatchToken,
    count: u64,
) {
    let workflow = draft.state().jobs.get(&job_id).and_then(|job| job.workflows.get(&workflow_id));
    if count > 0 && workflow.is_some_and(|workflow| workflow.dispatch_token == dispatch_token) {
        draft.push(Event::ReportsDropped { job_id, workflow_id, count, at: draft.now });
    }
}

fn request_extension(
    draft: &mut Draft,
    job_id: EntityId,
    mut request: HealthcheckExtensionRequest,
) -> Result<(), Rejection> {
    // What the leader would refuse is never sent: it would be sent for ever.
    if let Err(job::Rejection::Invalid { field, given, expected }) = extension::check(&request) {
        return Err(Rejection::Invalid { field, given, expected });
    }
    let state = draft.state();
    let job = job(state, &job_id)?;
    let Some(worker_id) = state.worker_id.clone().filter(|_| job.running().next().is_some()) else {
        return Err(Rejection::UnknownJob { job_id });
    };
    request.worker_id = worker_id;
    request.active_workflow_count = state.running();
    let pending = job.extension.as_ref();
    let repeat =
        request.request_id.is_some() && pending.is_some_and(|old| old.request_id == request.request_id);
    if !repeat {
        draft.push(Event::ExtensionRequested { job_id, request, at: draft.now });
    }
    Ok(())
}

fn leader_lost(draft: &mut Draft, job_id: EntityId) -> Result<(), Rejection> {
    let state = draft.state();
    let grace = Duration::from_millis(state.settings.orphan_grace_ms);
    let lost = job(state, &job_id)?
        .running()
        .any(|(_, workflow)| workflow.orphan_until.is_none() && workflow.stop.is_none());
    if lost {
        draft.push(Event::LeaderLost { job_id, until: draft.now.plus(grace), at: draft.now });
    }
    Ok(())
}

fn tick(draft: &mut Draft) {
    let now = draft.now;
    take::lose(draft);
    let jobs: Vec<EntityId> = draft.state().jobs.keys().cloned().collect();
    for job_id in jobs {
        abort_overdue(draft, &job_id);
        draft.ask_to_stop(&job_id, ORPHANED, |_, workflow| {
            workflow.orphan_until.is_some_and(|until| until <= now)
        });
    }
    if draft.state().parked.iter().any(|parked| parked.until <= now) {
        draft.push(Event::ParkedExpired { at: now });
    }
}

fn abort_overdue(draft: &mut Draft, job_id: &EntityId) {
    let Some(job) = draft.state().jobs.get(job_id) else { return };
    let overdue = |workflow: &Workflow| workflow.stop.as_ref().is_some_and(|stop| stop.abort_at <= draft.now);
    let overdue = job.running().filter(|(_, workflow)| overdue(workflow));
    let overdue: Vec<Attempt> = overdue.map(|(name, workflow)| workflow.attempt(job_id, name)).collect();
    if !overdue.is_empty() {
        let workflow_ids = overdue.iter().map(|attempt| attempt.workflow_id.clone()).collect();
        draft.push(Event::Aborted { job_id: job_id.clone(), workflow_ids, at: draft.now });
        overdue.into_iter().for_each(|attempt| draft.owe(Effect::Abort(attempt)));
    }
}

fn job<'a>(state: &'a Worker, job_id: &EntityId) -> Result<&'a Job, Rejection> {
    if state.phase == Phase::Absent {
        return Err(Rejection::NotRegistered);
    }
    state.jobs.get(job_id).ok_or_else(|| Rejection::UnknownJob { job_id: job_id.clone() })
}

/// Checks an address in a message: it may have been said when more was allowed.
pub(super) fn sent_addr(field: &'static str, given: &str) -> Result<(), Rejection> {
    check_bytes(field, given, MAX_SENT_ADDR_BYTES)
}

fn check_bytes(field: &'static str, given: &str, most: usize) -> Result<(), Rejection> {
    too_long(given, most)
        .map_or(Ok(()), |(given, expected)| Err(Rejection::Invalid { field, given, expected }))
}

/// Is something of this workflow to be heard of under this number?
pub(super) fn reported(state: &Worker, message: &Message) -> Option<EntityId> {
    let errand = state.outbox.get(&message.number).filter(|errand| errand.job_id == message.job_id)?;
    match &errand.what {
        What::Report(workflow_id) => Some(workflow_id.clone()),
        What::Extension => None,
    }
}
