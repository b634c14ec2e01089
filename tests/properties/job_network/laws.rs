//! What must hold of every record, and which messages may have no effect.

use super::*;

/// A deadline is noticed in the microsecond after it, or at the first instant at which anybody could look.
pub(super) fn check_instant(at: Timestamp, deadline: Timestamp, excused: Timestamp) {
    let exact = at.as_micros() == deadline.as_micros() + 1;
    assert!(exact || (deadline < excused && at == excused), "noticed at {at}, due after {deadline}");
}

/// Is it said under a leadership that was replaced?
pub(super) fn stale_at_gate(gate: &Gate, message: &Message) -> bool {
    let token = match &message.body {
        Body::JobProgressReport(body) => body.fence_token,
        Body::JobTimeoutReport(body) => body.fence_token,
        Body::JobLeaderTransfer(body) => body.fence_token,
        Body::JobFinalStatus(body) => body.fence_token,
        _ => return false,
    };
    gate.run.is_some() && gate.floors.get(&message.datacenter).is_some_and(|floor| token < *floor)
}

pub(super) fn stale_at_manager(job: &Job, message: &Message) -> bool {
    let Some(run) = &job.run else { return false };
    let epoch = run.gate.as_ref().map_or(GateEpoch::NONE, |gate| gate.epoch);
    match &message.body {
        Body::JobGlobalTimeout(body) => {
            body.gate_epoch < epoch || (run.ended.is_none() && body.fence_token < run.token)
        }
        Body::JobLeaderGateTransfer(body) => body.gate_epoch < epoch,
        Body::JobDispatch(body) => body.led.max(body.plan.gate_epoch) < job.highest_epoch,
        Body::WorkflowReport(body) => {
            run.workflows.get(&body.workflow_id).unwrap().dispatch_token != body.dispatch_token
        }
        _ => false,
    }
}

pub(super) fn stale_at_worker(worker: &Worker, message: &Message) -> bool {
    let token = match &message.body {
        Body::WorkflowDispatch(body) => body.fence_token,
        Body::WorkflowCancel(body) => body.fence_token,
        Body::WorkflowRevoke(body) => body.fence_token,
        Body::JobLeaderWorkerTransfer(body) => body.fence_token,
        _ => return false,
    };
    worker.jobs.get(&message.job_id).is_some_and(|job| token < job.fence_token)
}

/// Each run ends once, is decided at most once, and epochs grow with every change of leadership.
pub(super) fn check_gate(log: &[gate::Event]) {
    let (mut open, mut decided, mut epoch) = (false, false, GateEpoch::NONE);
    for event in log {
        let minted = match event {
            gate::Event::Tracked(tracked) => {
                assert!(!open);
                (open, decided) = (true, false);
                Some(tracked.gate_epoch)
            }
            // A later run may take the place of one that was rebuilt by mistake.
            gate::Event::Rebuilt(rebuilt) => {
                (open, decided) = (true, false);
                Some(rebuilt.tracked.gate_epoch)
            }
            gate::Event::GateTransferred { gate_epoch, .. }
            | gate::Event::EpochAdopted { gate_epoch, .. }
            | gate::Event::Resumed { gate_epoch, .. } => Some(*gate_epoch),
            gate::Event::Declared { .. } | gate::Event::CancelRequested { .. } => {
                assert!(open && !decided, "decided twice");
                decided = true;
                None
            }
            gate::Event::Finished { .. } => {
                assert!(open, "finished twice");
                open = false;
                None
            }
            _ => None,
        };
        if let Some(minted) = minted {
            assert!(minted > epoch, "an epoch was used twice");
            epoch = minted;
        }
    }
    assert!(!open);
}

/// Of a record that was lost: epochs grew as long as it was there.
pub(super) fn check_epochs(log: &[gate::Event]) {
    let mut epoch = GateEpoch::NONE;
    for event in log {
        let minted = match event {
            gate::Event::Tracked(tracked) => tracked.gate_epoch,
            gate::Event::Rebuilt(rebuilt) => rebuilt.tracked.gate_epoch,
            gate::Event::GateTransferred { gate_epoch, .. }
            | gate::Event::EpochAdopted { gate_epoch, .. }
            | gate::Event::Resumed { gate_epoch, .. } => *gate_epoch,
            _ => continue,
        };
        assert!(minted > epoch, "an epoch was used twice");
        epoch = minted;
    }
}

/// Each run ends once; tokens grow with every leadership; time is over only when budget, extensions and idleness say so;
/// what had to arrive was answered, or is on record as given up.
pub(super) fn check_job(log: &[job::Event]) {
    let mut token = FenceToken::NONE;
    let (mut open, mut over) = (false, false);
    let (mut started, mut last_grant, mut granted) = (Timestamp::MIN, None::<Timestamp>, 0);
    let mut owed: BTreeSet<u64> = BTreeSet::new();
    for event in log {
        let minted = match event {
            job::Event::Submitted(submitted) => {
                assert!(!open, "begun twice");
                (open, over, started, last_grant, granted) = (true, false, submitted.at, None, 0);
                Some(submitted.token)
            }
            job::Event::LeaderChanged(changed) => Some(changed.token),
            job::Event::Resumed(resumed) => Some(resumed.token),
            job::Event::TokenAdopted { token, .. } => Some(*token),
            job::Event::ExtensionGranted(grant) => {
                assert!(open && !over, "more time for what is over");
                granted += grant.grant_us;
                assert_eq!(grant.total_us, granted);
                last_grant = Some(grant.at);
                None
            }
            job::Event::TimeoutDetected(found) => {
                assert!(open && !over, "noticed twice");
                over = true;
                let budget = Duration::from_millis(BUDGET_MS) + Duration::from_micros(granted);
                let since_grant = last_grant.map_or(Duration::MAX, |at| found.at.since(at));
                match found.kind {
                    TimeoutKind::Overall => assert!(found.at.since(started) > budget, "an extension covers"),
                    _ => assert!(since_grant > Duration::from_millis(STUCK_MS), "an extension covers"),
                }
                None
            }
            job::Event::Ended(_) => {
                assert!(open, "ended twice");
                open = false;
                None
            }
            job::Event::Queued(entry) => {
                if matches!(entry.notice, Notice::Final { .. }) {
                    owed.insert(entry.number);
                }
                None
            }
            job::Event::Acked { number, .. } => {
                owed.remove(number);
                None
            }
            _ => None,
        };
        if let Some(minted) = minted {
            assert!(minted > token, "a token was used twice");
            token = minted;
        }
    }
    assert!(!open);
    assert!(owed.is_empty(), "final statuses that nobody answered: {owed:?}");
}

/// How all ended together follows from how each did.
pub(super) fn check_verdict(finished: &gate::Finished) {
    let silent = finished.cancel.is_some().then_some(FinalStatus::Cancelled);
    let ends: Vec<_> = finished.datacenters.values().map(|dc| dc.own_final().or(silent)).collect();
    let any = |status| ends.contains(&Some(status));
    let expected = if ends.iter().all(|end| *end == Some(FinalStatus::Completed)) {
        FinalStatus::Completed
    } else if finished.decision.is_some() {
        FinalStatus::Timeout
    } else if any(FinalStatus::Failed) {
        FinalStatus::Failed
    } else if any(FinalStatus::Cancelled) {
        FinalStatus::Cancelled
    } else {
        FinalStatus::Timeout
    };
    assert_eq!(finished.status, expected, "{ends:?}");
    assert_eq!(finished.late_completion, expected == FinalStatus::Completed && finished.decision.is_some());
}

/// Did nothing happen but that something was put on record as refused?
pub(super) fn is_refused(names: &[&str]) -> bool {
    names.iter().all(|name| ["fence_rejected", "gate_heard"].contains(name))
}
