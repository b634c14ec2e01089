//! What time does: deadlines of the job, of the gate, of cancellations and of workers.

use std::time::Duration;

use super::draft::Draft;
use super::{stop, work};
use crate::jobs::manager::command::Reply;
use crate::jobs::manager::event::{Event, ProgressNoted, TimedOut};
use crate::jobs::manager::heard::Heard;
use crate::jobs::manager::outbox::{Entry, Notice, Recipient};
use crate::jobs::manager::state::{Job, Phase, Run};
use crate::jobs::manager::timeout::Strategy;
use crate::jobs::protocol::message::{FinalStatus, TimeoutKind};
use crate::kernel::time::{Timestamp, millis};

impl Job {
    /// The first instant at which something falls due; see [`Machine::due`](crate::kernel::Machine::due).
    pub(in crate::jobs::manager) fn due(&self) -> Option<Timestamp> {
        let run = self.run.as_ref()?;
        let of_phase = match run.phase() {
            Phase::Suspended => return None,
            Phase::Stopped => None,
            Phase::AwaitingGate => run.fallback().map(|(_, deadline)| deadline),
            Phase::Tracking => {
                let deadlines = run.overall_deadline().into_iter().chain([run.stuck_deadline()]);
                deadlines.min()
            }
        };
        // A deadline is inclusive; one at the end of time is none.
        let of_phase = of_phase.filter(|at| *at < Timestamp::MAX).map(Timestamp::next);
        let unconfirmed = self.outbox.values().filter_map(|e| e.given_up_at(&run.terms.settings));
        let silent = run.trackers.values().filter_map(|t| t.given_up_at(&run.terms.settings.extension));
        of_phase.into_iter().chain(unconfirmed).chain(silent).min()
    }
}

impl Run {
    /// What ends the wait for the gate, and its last instant: whichever comes first.
    fn fallback(&self) -> Option<(TimeoutKind, Timestamp)> {
        self.timed_out.as_ref()?;
        let settings = &self.terms.settings;
        let silent =
            self.reported_from.max(self.contact_from).plus(Duration::from_millis(settings.fallback_ms));
        let undecided = self.reported_from.plus(Duration::from_millis(settings.undecided_ms));
        if silent <= undecided {
            Some((TimeoutKind::GateUnresponsiveFallback, silent))
        } else {
            Some((TimeoutKind::GateUndecidedFallback, undecided))
        }
    }
}

/// Each is taken up once, in this order; a tick that finds nothing to do records nothing.
pub(super) fn tick(draft: &mut Draft<'_>, heard: &Heard) -> Reply {
    if draft.led().is_err() {
        return Reply::Changed(false);
    }
    check_time(draft, heard);
    give_up_cancels(draft);
    give_up_workers(draft);
    Reply::Changed(false)
}

fn check_time(draft: &mut Draft<'_>, heard: &Heard) {
    let Ok(run) = draft.live() else { return };
    let now = draft.now;
    if let Some((kind, deadline)) = run.fallback() {
        if now > deadline {
            fall_back(draft, kind, deadline);
        }
        return;
    }
    // The budget comes first: a job that is both over its budget and stuck is over its budget.
    if let Some(deadline) = run.overall_deadline()
        && now > deadline
    {
        return time_out(draft, TimeoutKind::Overall, deadline);
    }
    if now <= run.stuck_deadline() {
        return;
    }
    let known = draft.ids().ok().and_then(|(job_id, datacenter)| heard.at(job_id, datacenter));
    if let Some(at) = known.map(|at| at.min(now)).filter(|at| *at > run.idle_from) {
        draft.push(Event::ProgressNoted(ProgressNoted { at, count: None }));
    }
    let Ok(run) = draft.live() else { return };
    let deadline = run.stuck_deadline();
    if now > deadline {
        time_out(draft, TimeoutKind::Stuck, deadline);
    }
}

/// Detection, and what follows from it, in one decision: alone the manager ends the job, with a gate it reports and
/// waits.
fn time_out(draft: &mut Draft<'_>, kind: TimeoutKind, deadline: Timestamp) {
    let Ok(run) = draft.live() else { return };
    let found = found(run, kind, deadline, draft.now);
    let (reason, strategy) = (found.reason.clone(), run.limits.strategy);
    let notice = Notice::Timeout {
        reason: reason.clone(),
        kind,
        elapsed_ms: found.elapsed_ms,
        effective_ms: found.effective_ms,
    };
    draft.push(Event::TimeoutDetected(Box::new(found)));
    match strategy {
        Strategy::LocalAuthority => {
            stop::end(draft, FinalStatus::Timeout, reason, Some(kind), deadline);
        }
        Strategy::GateCoordinated => draft.queue(Recipient::Gate, notice),
    }
}

fn found(run: &Run, kind: TimeoutKind, deadline: Timestamp, now: Timestamp) -> TimedOut {
    let elapsed_ms = millis(run.elapsed(now));
    let idle_ms = millis(run.idle(now));
    let effective_ms = run.effective_us().map(|us| us / 1_000);
    let (base_ms, extensions_ms) = (run.limits.overall_ms, run.total_us / 1_000);
    let since_extension_ms = run.extension_from.map(|at| millis(now.since(at)));
    let name = kind.name();
    let reason = match (kind, effective_ms, since_extension_ms) {
        (TimeoutKind::Stuck, _, Some(extension)) => format!(
            "{name}: no progress. idle_ms={idle_ms}, threshold_ms={}, since_extension_ms={extension}",
            run.limits.stuck_ms
        ),
        (TimeoutKind::Stuck, _, None) => format!(
            "{name}: no progress. idle_ms={idle_ms}, threshold_ms={}, since_extension_ms=never",
            run.limits.stuck_ms
        ),
        (_, effective, _) => format!(
            "{name}: the budget is used up. elapsed_ms={elapsed_ms}, effective_ms={}, base_ms={}, extensions_ms={extensions_ms}",
            effective.unwrap_or_default(),
            base_ms.unwrap_or_default()
        ),
    };
    TimedOut {
        kind,
        reason,
        deadline,
        elapsed_ms,
        effective_ms,
        base_ms,
        extensions_ms,
        idle_ms,
        since_extension_ms,
        at: now,
    }
}

/// The gate was waited for long enough.
fn fall_back(draft: &mut Draft<'_>, kind: TimeoutKind, deadline: Timestamp) {
    let Ok(run) = draft.live() else { return };
    let waited = millis(draft.now.since(run.reported_from));
    let found = run.timed_out.as_ref().map_or("", |found| found.reason.as_str());
    let reason = format!("{}: the gate did not decide. waited_ms={waited}, after={found}", kind.name());
    stop::end(draft, FinalStatus::Timeout, reason, Some(kind), deadline);
}

/// Workers that never confirmed that work stopped: it may still run, and the record says so.
fn give_up_cancels(draft: &mut Draft<'_>) {
    let Ok(run) = draft.led() else { return };
    let (now, settings) = (draft.now, &run.terms.settings);
    let is_over = |entry: &&Entry| entry.given_up_at(settings).is_some_and(|at| now >= at);
    let over: Vec<Entry> = draft.state().outbox.values().filter(is_over).cloned().collect();
    for entry in over {
        if let (Notice::Cancel { workflow_ids, .. }, Recipient::Worker(worker_id)) = (entry.notice, entry.to)
        {
            draft.push(Event::CancelUnconfirmed { number: entry.number, worker_id, workflow_ids, at: now });
        }
    }
}

/// Workers without grants left whose grace is over.
fn give_up_workers(draft: &mut Draft<'_>) {
    let Ok(run) = draft.live() else { return };
    let (now, settings) = (draft.now, run.terms.settings.extension);
    let over =
        run.trackers.iter().filter(|(_, tracker)| tracker.given_up_at(&settings).is_some_and(|at| now >= at));
    let over: Vec<_> = over.map(|(worker, _)| worker.clone()).collect();
    for worker in over {
        work::lose_worker(draft, &worker, "its grace is over and no extension is left");
    }
}
