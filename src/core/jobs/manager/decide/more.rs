//! More time for workers, and workers that come back.

use super::draft::Draft;
use super::{post, work};
use crate::jobs::manager::command::Reply;
use crate::jobs::manager::event::{Denied, Event, Granted};
use crate::jobs::manager::extension::{self, Denial, Sums, Tracker};
use crate::jobs::manager::rejection::Rejection;
use crate::jobs::manager::settings::{EXTRA_REPORT_MS, MAX_WORKERS};
use crate::jobs::manager::state::{Refused, Run, micros};
use crate::jobs::protocol::message::{
    FinalStatus, HealthcheckExtensionRequest, HealthcheckExtensionResponse,
};
use crate::kernel::ids::EntityId;
use crate::kernel::keyed::KeyedRequest;
use crate::kernel::time::millis;

pub(super) fn extend(
    draft: &mut Draft<'_>,
    request: &HealthcheckExtensionRequest,
    in_every_job: bool,
) -> Result<Reply, Rejection> {
    extension::check(request)?;
    let run = draft.led()?;
    let settings = run.terms.settings.extension;
    let tracker = run.trackers.get(&request.worker_id).cloned().unwrap_or_default();
    let asked = extension::asked_for(request, in_every_job);
    if let Some(kept) = tracker.answered(request.request_id.as_deref()) {
        if let Some(difference) = kept.differs(&asked) {
            let request_id = kept.request_id.clone();
            return Err(Rejection::KeyReused { request_id, difference: Box::new(difference) });
        }
        let response = tracker.response(&settings, kept.grant_us, kept.warning, kept.denial, draft.now);
        return Ok(Reply::Extension { response, again: true });
    }
    let new = |response| Reply::Extension { response, again: false };
    if let Some(denial) = outsider(run, request) {
        deny_on_record(draft, request, asked, denial);
        return Ok(new(tracker.response(&settings, 0, false, Some(denial), draft.now)));
    }
    if run.trackers.len() >= MAX_WORKERS && !run.trackers.contains_key(&request.worker_id) {
        return Err(Rejection::Limit { what: "workers that ask for more time", limit: MAX_WORKERS as u64 });
    }
    let sums = Sums { total_us: run.total_us, max_us: run.max_us };
    match tracker.consider(&settings, sums, request, draft.now) {
        Ok(grant) => give(draft, request, asked, grant).map(new),
        Err(denial) => {
            deny(draft, request, asked, &tracker, denial);
            let tracker = current(draft, &request.worker_id);
            Ok(new(tracker.response(&settings, 0, false, Some(denial), draft.now)))
        }
    }
}

/// What is asked for goes on record before the answer, where the request has a name.
fn note_asked(draft: &mut Draft<'_>, request: &HealthcheckExtensionRequest, asked: KeyedRequest) {
    if request.request_id.is_some() {
        let (worker_id, at) = (request.worker_id.clone(), draft.now);
        draft.push(Event::ExtensionKeyed { worker_id, asked, at });
    }
}

/// The answer to a request under the name of another one: nothing is given, and nothing changes.
pub(super) fn key_reused() -> HealthcheckExtensionResponse {
    HealthcheckExtensionResponse {
        granted: false,
        extension_ms: 0,
        deadline_in_ms: 0,
        remaining_extensions: 0,
        denial_reason: Some("key_reused".to_owned()),
        is_exhaustion_warning: false,
        grace_period_remaining_ms: 0,
        in_grace_period: false,
    }
}

/// Why nothing is given whatever was given before, if so.
fn outsider(run: &Run, request: &HealthcheckExtensionRequest) -> Option<Denial> {
    let ended = run.ended.as_ref().map(|ended| ended.status);
    if ended == Some(FinalStatus::Timeout) || ended.is_none() && run.timed_out.is_some() {
        Some(Denial::AlreadyTimedOut)
    } else if ended.is_some() {
        Some(Denial::JobTerminal)
    } else if run.lost.contains(&request.worker_id) {
        Some(Denial::WorkerSuspect)
    } else if !run.knows_worker(&request.worker_id) {
        Some(Denial::WorkerNotRegistered)
    } else {
        None
    }
}

fn current(draft: &Draft<'_>, worker: &EntityId) -> Tracker {
    draft.run().ok().and_then(|run| run.trackers.get(worker)).cloned().unwrap_or_default()
}

fn give(
    draft: &mut Draft<'_>,
    request: &HealthcheckExtensionRequest,
    asked: KeyedRequest,
    grant: extension::Grant,
) -> Result<HealthcheckExtensionResponse, Rejection> {
    let run = draft.live()?;
    let (settings, base) = (run.terms.settings.extension, run.limits.overall_ms.map(micros));
    let (before, last) = (run.total_us, run.last_extension_at);
    let exceeds = |sum: u64| base.is_some_and(|base| sum > base);
    let (grant_us, warning) = (grant.grant_us, grant.warning);
    note_asked(draft, request, asked);
    draft.push(Event::ExtensionGranted(Box::new(Granted {
        worker_id: request.worker_id.clone(),
        request_id: request.request_id.clone(),
        reason: request.reason.clone(),
        grant_us,
        total_us: grant.total_us,
        max_us: grant.max_us,
        sum_us: grant.sum_us,
        remaining: grant.remaining,
        warning,
        exceeds_base: exceeds(grant.total_us) && !exceeds(before),
        deadline: grant.deadline,
        baseline: grant.baseline,
        at: draft.now,
    })));
    // The gate counts extensions too; it is told at once, but not for every one of a burst.
    if last.is_none_or(|at| millis(draft.now.since(at)) >= EXTRA_REPORT_MS) {
        post::report_progress(draft);
    }
    let tracker = current(draft, &request.worker_id);
    Ok(tracker.response(&settings, grant_us, warning, None, draft.now))
}

/// A denial that counts against the worker: a few in a row, and it is given up.
fn deny(
    draft: &mut Draft<'_>,
    request: &HealthcheckExtensionRequest,
    asked: KeyedRequest,
    tracker: &Tracker,
    denial: Denial,
) {
    let Ok(run) = draft.live() else { return };
    let threshold = run.terms.settings.extension.eviction_threshold;
    note_asked(draft, request, asked);
    draft.push(Event::ExtensionDenied(Denied {
        worker_id: request.worker_id.clone(),
        request_id: request.request_id.clone(),
        denial,
        counts: true,
        exhausts: denial == Denial::MaxExtensionsExceeded,
        at: draft.now,
    }));
    if tracker.denials.saturating_add(1) >= threshold {
        work::lose_worker(draft, &request.worker_id, "denied more time too often in a row");
    }
}

fn deny_on_record(
    draft: &mut Draft<'_>,
    request: &HealthcheckExtensionRequest,
    asked: KeyedRequest,
    denial: Denial,
) {
    if draft.is_new(&Refused::Extension(request.worker_id.clone(), denial)) {
        note_asked(draft, request, asked);
        draft.push(Event::ExtensionDenied(Denied {
            worker_id: request.worker_id.clone(),
            request_id: request.request_id.clone(),
            denial,
            counts: false,
            exhausts: false,
            at: draft.now,
        }));
    }
}

pub(super) fn worker_healthy(draft: &mut Draft<'_>, worker: &EntityId) -> Result<Reply, Rejection> {
    let run = draft.live()?;
    let (lost, at) = (run.lost.contains(worker), draft.now);
    if !lost && !run.knows_worker(worker) && !run.trackers.contains_key(worker) {
        return Err(Rejection::UnknownWorker { worker_id: worker.clone() });
    }
    let extended = run.trackers.get(worker).is_some_and(Tracker::is_used);
    if lost {
        draft.push(Event::WorkerHealthy { worker_id: worker.clone(), at });
    }
    if extended {
        draft.push(Event::ExtensionsReset { worker_id: worker.clone(), at });
    }
    if lost {
        work::dispatch_ready(draft);
    }
    Ok(Reply::Changed(lost || extended))
}

/// A worker that finished a workflow got on: what else it has of the job gets as much time as if it began now.
pub(super) fn workflow_finished(draft: &mut Draft<'_>, worker: &EntityId) {
    let Ok(run) = draft.live() else { return };
    let used = run.trackers.get(worker).is_some_and(Tracker::is_used);
    if used {
        let at = draft.now;
        draft.push(Event::ExtensionsReset { worker_id: worker.clone(), at });
    }
}
