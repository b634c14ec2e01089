//! The transition table of the [module](super): a worker outside that asks for work and gives signs of life.

use std::time::Duration;

use super::command::Handed;
use super::decide::Draft;
use super::event::Event;
use super::rejection::Rejection;
use super::state::{Hand, Phase, Worker, Workflow};
use super::watch::BEAT_BOUNDS_MS;
use super::{Attempt, Effect};
use crate::kernel::ids::EntityId;
use crate::kernel::time::Timestamp;

/// Longest a worker can wait for work at a time, in ms.
pub const MAX_SILENT_MS: u64 = 600_000;

pub(super) fn enroll(
    draft: &mut Draft,
    beat_ms: Option<u64>,
    incarnation: Option<u64>,
) -> Result<(), Rejection> {
    let state = draft.state();
    if state.phase == Phase::Absent {
        return Err(Rejection::NotRegistered);
    }
    let (least, most) = BEAT_BOUNDS_MS;
    let beat_ms = beat_ms.unwrap_or(state.beat_ms);
    if !(least..=most).contains(&beat_ms) {
        let (field, given) = ("beat_ms", beat_ms.to_string());
        return Err(Rejection::Invalid { field, given, expected: format!("{least} to {most}") });
    }
    let incarnation = incarnation.or(state.incarnation);
    if beat_ms == state.beat_ms && incarnation == state.incarnation {
        return Ok(());
    }
    draft.push(Event::Enrolled { beat_ms, incarnation, at: draft.now });
    Ok(())
}

/// Hands out what was handed out and did not arrive for certain, then what waits. What it has by its own words has
/// arrived, and what it does not say it has may yet: an answer can be lost on the way, and comes again.
pub(super) fn take(draft: &mut Draft, has: &[Handed], most: u32, silent_ms: u64) -> Result<(), Rejection> {
    if silent_ms > MAX_SILENT_MS {
        let (field, given) = ("wait_ms", silent_ms.to_string());
        return Err(Rejection::Invalid { field, given, expected: format!("0 to {MAX_SILENT_MS}") });
    }
    come_back(draft)?;
    let confirmed = arrived(draft.state(), has);
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let offers = |hand: Hand| {
        let known = draft.state().jobs.iter().flat_map(|(job_id, job)| {
            job.running().map(move |(workflow_id, workflow)| (job_id, workflow_id, workflow))
        });
        known
            .filter(move |(_, _, workflow)| workflow.hand == hand && workflow.stop.is_none())
            .map(|(job_id, workflow_id, workflow)| workflow.attempt(job_id, workflow_id))
            .map(|attempt| self::handed(&attempt))
            .filter(|handed| !confirmed.contains(handed))
    };
    let again = offers(Hand::Taken).count();
    let handed: Vec<Handed> = offers(Hand::Offered).take(most.saturating_sub(again)).collect();
    let silent_ms = if again == 0 && handed.is_empty() { silent_ms } else { 0 };
    let silent_until = draft.now.plus(Duration::from_millis(silent_ms));
    if !handed.is_empty() || !confirmed.is_empty() || says_more(draft.state(), draft.now, silent_until) {
        draft.push(Event::Took { handed, confirmed, silent_until, at: draft.now });
    }
    Ok(())
}

pub(super) fn beat(draft: &mut Draft, has: &[Handed]) -> Result<(), Rejection> {
    come_back(draft)?;
    let confirmed = arrived(draft.state(), has);
    if !confirmed.is_empty() || says_more(draft.state(), draft.now, draft.now) {
        draft.push(Event::Beat { confirmed, at: draft.now });
    }
    Ok(())
}

/// A worker that was lost and is heard of again serves again, with nothing of what it had.
fn come_back(draft: &mut Draft) -> Result<(), Rejection> {
    let state = draft.state();
    let (Some(worker_id), Some(datacenter)) = (state.worker_id.clone(), state.datacenter.clone()) else {
        return Err(Rejection::NotRegistered);
    };
    let (capacity, settings, at) = (state.capacity, state.settings, draft.now);
    match state.phase {
        Phase::Serving | Phase::Draining => {}
        Phase::Absent => return Err(Rejection::NotRegistered),
        Phase::Lost => draft.push(Event::Registered { worker_id, datacenter, capacity, settings, at }),
    }
    Ok(())
}

fn handed(attempt: &Attempt) -> Handed {
    Handed {
        job_id: attempt.job_id.clone(),
        workflow_id: attempt.workflow_id.clone(),
        dispatch_token: attempt.dispatch_token,
    }
}

/// Of what a worker says it has: what was not known to have arrived.
fn arrived(state: &Worker, has: &[Handed]) -> Vec<Handed> {
    let unsure = |handed: &&Handed| {
        let known = state.jobs.get(&handed.job_id).and_then(|job| job.workflows.get(&handed.workflow_id));
        let same = |held: &Workflow| held.dispatch_token == handed.dispatch_token && held.runs();
        known.is_some_and(|held| same(held) && held.hand == Hand::Taken)
    };
    has.iter().filter(unsure).cloned().collect()
}

/// Is a sign of life worth a record? Those within half the span the worker gave are as good as one.
fn says_more(state: &Worker, now: Timestamp, silent_until: Timestamp) -> bool {
    let Some(watch) = &state.watch else { return true };
    let half = Duration::from_millis(state.beat_ms / 2);
    now >= watch.sign_at.plus(half)
        || silent_until > watch.from.plus(half)
        || silent_until.plus(half) < watch.from
}

/// A worker that was silent for too long has lost what it ran; whoever it was from gives it to another.
pub(super) fn lose(draft: &mut Draft) {
    let state = draft.state();
    let Some(watch) = state.watch.filter(|_| state.is_judged()) else { return };
    if watch.lost_at(state.beat_ms) <= draft.now {
        let (silent_since, limit_us) = (watch.sign_at, watch.limit_us(state.beat_ms));
        draft.push(Event::Lost { silent_since, limit_us, at: draft.now });
    }
}

/// Nobody outside has what was not taken yet: it has stopped when it is told to.
pub(super) fn stop_untaken(draft: &mut Draft, job_id: &EntityId, which: impl Fn(&EntityId) -> bool) {
    let state = draft.state();
    let Some(job) = state.jobs.get(job_id).filter(|_| state.watch.is_some()) else { return };
    let untaken = job.running().filter(|(name, workflow)| workflow.hand == Hand::Offered && which(name));
    let untaken: Vec<Attempt> = untaken.map(|(name, workflow)| workflow.attempt(job_id, name)).collect();
    if !untaken.is_empty() {
        let workflow_ids = untaken.iter().map(|attempt| attempt.workflow_id.clone()).collect();
        draft.push(Event::Aborted { job_id: job_id.clone(), workflow_ids, at: draft.now });
        untaken.into_iter().for_each(|attempt| draft.owe(Effect::Abort(attempt)));
    }
}

/// A worker that leaves takes nothing more: what it did not take goes elsewhere.
pub(super) fn give_back(draft: &mut Draft) {
    let state = draft.state();
    let jobs = state.jobs.iter().filter(|(_, job)| job.running().any(|(_, held)| held.hand == Hand::Offered));
    let jobs: Vec<EntityId> =
        jobs.filter(|_| state.watch.is_some()).map(|(job_id, _)| job_id.clone()).collect();
    for job_id in jobs {
        let offered = |job: &super::Job| {
            let offered = job.running().filter(|(_, held)| held.hand == Hand::Offered);
            offered.map(|(name, _)| name.clone()).collect::<Vec<_>>()
        };
        let workflow_ids = draft.state().jobs.get(&job_id).map(offered).unwrap_or_default();
        draft.push(Event::GivenBack { job_id, workflow_ids, at: draft.now });
    }
}
