//! Leadership: tokens, handover, leases and restarts.

use super::super::lease::Challenger;
use super::super::settings::DowntimePolicy;
use super::*;
use crate::jobs::protocol::token::TokenBase;
use crate::kernel::time::{ClockStep, Gap};

fn transfer(to: &str, force: bool, shown: Option<u64>) -> Command {
    Command::Transfer { to: leader(to), addr: format!("{to}:1"), force, token: shown.map(token) }
}

fn acquire(holder: &str, seen: Option<u64>, force: bool) -> Command {
    let addr = format!("{holder}:1");
    Command::AcquireLease {
        holder: leader(holder),
        addr,
        seen,
        force,
        lease_ms: None,
        in_process: false,
        by: None,
    }
}

fn away(last_alive: i64, began: i64) -> Downtime {
    Downtime { last_alive: us(last_alive), began: us(began), gap: Gap::Restart }
}

#[test]
fn every_change_of_leadership_has_a_higher_token_and_is_told_under_it() {
    let workflows = vec![plan("a", &[], Some("w1")), plan("b", &[], Some("w2"))];
    let mut job = started(Submit { workflows, ..with_gate() });
    let step = job.step(transfer("m2", false, None), us(S));
    assert_eq!(step.reply, Ok(Reply::Leads { token: token(2) }));
    assert_eq!(names(&step.events), ["leader_changed", "queued", "queued", "queued"]);
    let told: Vec<_> = bodies(&step.effects);
    assert!(
        matches!(&told[0], Body::JobLeaderTransfer(t) if t.fence_token == token(2) && t.elapsed_ms == 1_000)
    );
    assert!(matches!(&told[1], Body::JobLeaderWorkerTransfer(t) if t.old_manager == Some(leader("m1"))));
    let again = job.step(transfer("m2", false, None), us(2 * S));
    assert_eq!((again.reply, again.events), (Ok(Reply::Leads { token: token(2) }), vec![]));
    for owed in JobMachine::owed(job.state()) {
        let Effect::Send(message) = owed;
        let Body::WorkflowDispatch(dispatch) = message.body else { continue };
        assert_eq!(dispatch.fence_token, token(2), "what was not acknowledged goes under the new token");
    }
}

#[test]
fn a_journal_that_goes_on_from_a_copy_mints_above_its_floor() {
    // The journal it was copied from may have gone on: 2, 3 and so on may be somebody's there.
    let workflows = vec![plan("a", &[], Some("w1")), plan("b", &[], None)];
    let before = started(Submit { workflows, ..with_gate() });
    let (state, revision) = (before.state().clone(), before.revision());
    let floor = 5 << 20;
    let above = || Heard::default().above(TokenBase::of(floor));
    let restored = || J::new(above()).restore(state.clone(), revision);
    let mut job = restored();
    job.resume(away(S, 2 * S));
    assert_eq!(run(&job).token, token(floor + 1));
    let step = job.step(transfer("m2", false, None), us(3 * S));
    assert_eq!(step.reply, Ok(Reply::Leads { token: token(floor + 2) }), "from there on one by one");
    let mut job = restored();
    let step = job.step(transfer("m2", false, None), us(3 * S));
    assert_eq!(step.reply, Ok(Reply::Leads { token: token(floor + 1) }));
    job.step(Command::Assign { workflow_id: id("b"), worker_id: id("w2"), token: None }, us(4 * S));
    assert_eq!(job.state().last_dispatch.get(), floor + 1);
    // A job that the copy does not know.
    let mut job = J::new(above());
    let step = submitted(&mut job, plain(), us(0));
    assert_eq!(step.reply, Ok(Reply::Submitted { token: token(floor + 1), again: false }));
}

#[test]
fn clocks_and_extensions_survive_a_transfer() {
    let mut job = started(plain());
    job.step(progress(), us(10 * S));
    job.step(transfer("m2", false, None), us(20 * S));
    assert_eq!(
        (run(&job).started_at, run(&job).last_progress_at, job.due()),
        (us(0), us(10 * S), Some(us(60 * S + 1)))
    );
}

#[test]
fn a_stale_token_changes_nothing_and_is_recorded_once_until_something_changes() {
    let mut job = started(plain());
    job.step(transfer("m2", false, None), us(S));
    let stale =
        |t: u64| Command::Progress { workflow_id: None, completed_count: None, token: Some(token(t)) };
    let step = job.step(stale(1), us(2 * S));
    assert_eq!(step.reply, Err(Rejection::Stale { held: token(2), given: token(1) }));
    assert_eq!(names(&step.events), ["fence_rejected"]);
    for at in 3..50 {
        assert_eq!(job.step(stale(1), us(at * S)).events, []);
    }
    assert_eq!(names(&job.step(stale(2), us(50 * S)).events), ["progress_noted"]);
    assert_eq!(names(&job.step(stale(1), us(51 * S)).events), ["fence_rejected"]);
    assert_eq!(
        job.step(stale(3), us(52 * S)).reply,
        Err(Rejection::UnknownToken { held: token(2), given: token(3) })
    );
    assert!(matches!(
        job.step(stale(0), us(52 * S)).reply,
        Err(Rejection::Invalid { field: "fence_token", .. })
    ));
    assert_eq!(run(&job).last_progress_at, us(50 * S));
}

#[test]
fn a_flood_of_different_stale_tokens_is_recorded_only_so_far() {
    let mut job = started(plain());
    let mut recorded = 0;
    for n in 2..1_000 {
        let command = Command::Suspend { token: token(n), reason: String::new() };
        recorded += job.step(command, us(S)).events.len();
    }
    assert_eq!(recorded, state::MAX_REMEMBERED);
}

#[test]
fn a_suspended_job_does_nothing_until_somebody_takes_it_and_does_not_look_idle() {
    let mut job = started(Submit { timeout_ms: Some(600_000), ..with_gate() });
    let suspend = |t| Command::Suspend { token: token(t), reason: "lost".to_owned() };
    assert_eq!(job.step(suspend(1), us(10 * S)).reply, Ok(Reply::Changed(true)));
    assert_eq!(job.step(suspend(1), us(11 * S)).reply, Ok(Reply::Changed(false)));
    assert_eq!((phase(&job), job.due(), job.wake()), (Phase::Suspended, None, None));
    assert_eq!(job.step(Command::Tick, us(300 * S)).events, []);
    let step = job.step(transfer("m1", false, Some(1)), us(310 * S));
    let Event::LeaderChanged(changed) = &step.events[0] else { panic!() };
    assert_eq!((changed.manner, changed.vacant_us, changed.token), (Manner::Graceful, 300_000_000, token(2)));
    assert_eq!((phase(&job), job.due()), (Phase::Tracking, Some(us(420 * S + 1))));
}

#[test]
fn an_active_lease_keeps_others_out_until_the_instant_it_ends() {
    let mut job = started(plain());
    let step = job.step(acquire("m1", None, false), us(0));
    let lease = Reply::Lease { token: token(2), version: 1, expires_at: us(30 * S) };
    assert_eq!(step.reply, Ok(lease));
    let held = |ms| Err(Rejection::LeaseHeld { holder: leader("m1"), expires_in_ms: ms });
    assert_eq!(job.step(acquire("m2", None, false), us(20 * S)).reply, held(10_000));
    assert_eq!(job.step(transfer("m2", false, None), us(20 * S)).reply, held(10_000));
    assert_eq!(job.step(acquire("m2", None, false), us(30 * S - 1)).reply, held(1));
    let taken = job.step(acquire("m2", None, false), us(30 * S));
    assert_eq!(taken.reply, Ok(Reply::Lease { token: token(3), version: 3, expires_at: us(60 * S) }));
    assert_eq!(run(&job).leader, leader("m2"));
}

#[test]
fn the_holder_renews_under_the_same_token_and_not_after_the_end() {
    let mut job = started(plain());
    job.step(acquire("m1", None, false), us(0));
    let renew = |t| Command::RenewLease { holder: leader("m1"), token: token(t), lease_ms: None };
    let renewed = Reply::Lease { token: token(2), version: 2, expires_at: us(59 * S) };
    assert_eq!(job.step(renew(2), us(29 * S)).reply, Ok(renewed));
    assert_eq!(job.step(acquire("m1", None, false), us(29 * S)).events.len(), 1, "renewed, not taken");
    assert!(job.step(renew(2), us(59 * S - 1)).reply.is_ok());
    let mut expired = started(plain());
    expired.step(acquire("m1", None, false), us(0));
    assert_eq!(expired.step(renew(2), us(30 * S)).reply, Err(Rejection::LeaseExpired));
    assert_eq!(
        expired.step(acquire("m1", None, false), us(31 * S)).reply,
        Ok(Reply::Lease { token: token(3), version: 3, expires_at: us(61 * S) })
    );
    assert_eq!(started(plain()).step(renew(1), us(S)).reply, Err(Rejection::LeaseExpired), "never taken");
}

#[test]
fn a_lease_that_was_given_back_is_free_and_its_next_holder_has_a_higher_token() {
    let mut job = started(plain());
    job.step(acquire("m1", None, false), us(0));
    let release = Command::ReleaseLease { holder: leader("m1"), token: token(2) };
    assert!(job.step(release.clone(), us(S)).reply.is_ok());
    assert_eq!(job.step(release, us(S)).reply, Err(Rejection::LeaseExpired));
    let Ok(Reply::Lease { token: taken, .. }) = job.step(acquire("m2", None, false), us(2 * S)).reply else {
        panic!()
    };
    assert_eq!(taken, token(3));
}

#[test]
fn a_forced_change_is_on_record_as_forced_and_voids_the_lease() {
    let mut job = started(plain());
    job.step(acquire("m1", None, false), us(0));
    let step = job.step(transfer("m2", true, None), us(S));
    let Event::LeaderChanged(changed) = &step.events[0] else { panic!() };
    assert_eq!(changed.manner, Manner::Forced);
    assert_eq!(job.state().lease.holder_at(us(S)), None);
    let renew = Command::RenewLease { holder: leader("m1"), token: token(2), lease_ms: None };
    assert_eq!(job.step(renew, us(2 * S)).reply, Err(Rejection::Stale { held: token(3), given: token(2) }));
}

#[test]
fn a_challenger_waits_a_full_duration_after_the_last_change_it_saw() {
    let settings = Settings::default().lease;
    let mut challenger = Challenger::new(1, us(0));
    assert_eq!(challenger.may_take(&settings, us(30 * S - 1)), None);
    assert_eq!(challenger.may_take(&settings, us(30 * S)), Some(1));
    challenger.sees(2, us(30 * S));
    assert_eq!(challenger.may_take(&settings, us(59 * S)), None);
    challenger.sees(2, us(59 * S));
    assert_eq!(challenger.may_take(&settings, us(60 * S)), Some(2));
    assert_eq!(settings.stops_at(us(5 * S)), us(33 * S));
    let mut job = started(plain());
    assert_eq!(
        job.step(acquire("m2", Some(1), false), us(0)).reply,
        Err(Rejection::LeaseChanged { held: 0, given: 1 })
    );
}

#[test]
fn a_process_that_only_carries_out_a_command_changes_nobodys_leadership() {
    let mut job = started(Submit { timeout_ms: Some(600_000), ..with_gate() });
    job.step(acquire("m1", None, false), us(0));
    let (held, queued) = (run(&job).token, job.state().outbox.len());
    let resumed = job.resume(Downtime { gap: Gap::Command, ..away(15 * S, 100 * S) });
    assert_eq!(names(&resumed.events), ["resumed"]);
    assert_eq!((run(&job).token, run(&job).resumes, job.state().outbox.len()), (held, 0, queued));
    assert_eq!(job.due(), Some(us((85 + 120) * S + 1)), "what nobody could see is no idleness all the same");
    assert_eq!(job.step(acquire("m2", None, true), us(101 * S)).reply.map(|_| ()), Ok(()));
    assert_eq!(
        run(&job).token.next(TokenBase::default()),
        job.state().highest_token.next(TokenBase::default())
    );
}

#[test]
fn a_clock_that_was_set_ahead_moves_no_deadline_and_a_suspend_only_the_budget() {
    let job = || {
        let mut job = started(Submit { timeout_ms: Some(600_000), ..plain() });
        job.step(acquire("m1", None, false), us(0));
        let token = Some(token(2));
        job.step(Command::Progress { workflow_id: None, completed_count: None, token }, us(10 * S));
        job
    };
    let gap = |gap| Downtime { gap, ..away(15 * S, 415 * S) };
    let mut jumped = job();
    jumped.resume(gap(Gap::ClockJump));
    assert_eq!(run(&jumped).elapsed(us(415 * S)).as_secs(), 15);
    assert_eq!(jumped.due(), Some(us((10 + 400 + 120) * S + 1)));
    let held = Err(Rejection::LeaseHeld { holder: leader("m1"), expires_in_ms: 1 });
    assert_eq!(jumped.step(acquire("m2", None, false), us(430 * S - 1)).reply, held);
    assert!(jumped.step(acquire("m2", None, false), us(430 * S)).reply.is_ok());
    assert_eq!(run(&jumped).overall_deadline(), Some(us(1_000 * S)));
    let mut slept = job();
    slept.resume(gap(Gap::Suspend));
    assert_eq!((run(&slept).token, run(&slept).resumes), (token(2), 0));
    assert_eq!(slept.due(), Some(us((10 + 400 + 120) * S + 1)));
    assert_eq!(run(&slept).overall_deadline(), Some(us(600 * S)));
    assert!(slept.step(acquire("m2", None, false), us(415 * S)).reply.is_ok(), "its lease is over");
}

#[test]
fn a_restart_mints_a_token_counts_downtime_as_budget_and_not_as_idleness() {
    let mut job = started(Submit { timeout_ms: Some(600_000), ..with_gate() });
    job.step(progress(), us(10 * S));
    let resumed = job.resume(away(15 * S, 100 * S));
    assert_eq!(names(&resumed.events), ["resumed", "queued"]);
    let Event::Resumed(event) = &resumed.events[0] else { panic!() };
    assert_eq!(
        (event.token, event.away_us, event.elapsed_ms, event.idle_ms),
        (token(2), 85_000_000, 100_000, 5_000)
    );
    assert_eq!(job.due(), Some(us((10 + 85 + 120) * S + 1)));
    assert_eq!(run(&job).elapsed(us(100 * S)).as_secs(), 100);
    let owed = JobMachine::owed(job.state());
    assert!(
        matches!(&bodies(&owed)[..], [Body::JobLeaderTransfer(transfer)] if transfer.fence_token == token(2))
    );
    assert_eq!(job.resume(away(150 * S, 200 * S)).events.len(), 2, "but in the next one");
    assert_eq!(job.state().outbox.len(), 1, "the older notice is overtaken");
}

#[test]
fn a_restart_in_the_instant_of_the_last_record_mints_a_token_too() {
    let mut job = started(with_gate());
    assert_eq!(names(&job.resume(away(0, 0)).events), ["resumed", "queued"]);
    assert_eq!((run(&job).token, run(&job).resumes), (token(2), 1));
}

#[test]
fn a_restart_leaves_the_lease_its_end_and_its_holder_who_is_told_the_token_when_it_renews() {
    let mut job = started(plain());
    job.step(acquire("m1", None, false), us(0));
    job.resume(away(5 * S, 10 * S));
    let held = Err(Rejection::LeaseHeld { holder: leader("m1"), expires_in_ms: 20_000 });
    assert_eq!(job.step(acquire("m2", None, false), us(10 * S)).reply, held);
    let renew = |t| Command::RenewLease { holder: leader("m1"), token: token(t), lease_ms: None };
    let told = |reply| match reply {
        Ok(Reply::Lease { token, expires_at, .. }) => (token, expires_at),
        other => panic!("{other:?}"),
    };
    let before = job.step(renew(1), us(10 * S)).reply;
    assert_eq!(before, Err(Rejection::Stale { held: token(3), given: token(1) }), "it had not taken it then");
    assert_eq!(told(job.step(renew(2), us(10 * S)).reply), (token(3), us(40 * S)));
    assert_eq!(told(job.step(renew(3), us(11 * S)).reply), (token(3), us(41 * S)));
    job.resume(away(35 * S, 40 * S));
    assert!(job.step(acquire("m2", None, false), us(41 * S)).reply.is_ok());
}

#[test]
fn downtime_begins_with_the_last_record_if_that_is_later_than_the_last_sign_of_life() {
    let mut job = started(Submit { timeout_ms: None, ..plain() });
    job.step(progress(), us(18 * S));
    job.resume(away(15 * S, 100 * S));
    assert_eq!(job.due(), Some(us(220 * S + 1)), "82 s away, idle for none");
}

#[test]
fn a_notice_of_an_earlier_leader_is_overtaken_and_an_end_of_an_earlier_run_keeps_its_token() {
    let mut job = started(with_gate());
    job.step(transfer("m2", false, None), us(S));
    job.step(transfer("m3", false, None), us(2 * S));
    assert_eq!(job.state().outbox.values().map(|entry| entry.token).collect::<Vec<_>>(), [token(3)]);
    job.step(
        Command::Complete { status: FinalStatus::Completed, reason: String::new(), token: None },
        us(3 * S),
    );
    submitted(&mut job, dispatched(2), us(4 * S));
    job.step(transfer("m4", false, None), us(5 * S));
    let owed = JobMachine::owed(job.state());
    let fence = |body: &Body| match body {
        Body::JobFinalStatus(body) => ("final", body.fence_token),
        Body::JobLeaderTransfer(body) => ("transfer", body.fence_token),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        bodies(&owed).iter().map(fence).collect::<Vec<_>>(),
        [("final", token(3)), ("transfer", token(5))]
    );
}

#[test]
fn tokens_end_and_never_begin_again() {
    let gate = Body::JobGlobalTimeout(JobGlobalTimeout {
        reason: String::new(),
        decided_ago_ms: 0,
        fence_token: token(u64::MAX),
        gate_epoch: GateEpoch::shown(1),
        decision_id: 1,
        run: GateEpoch::NONE,
    });
    let mut job = started(with_gate());
    job.step(from_gate(1, gate), us(S));
    let step = job.step(Command::Submit(Box::new(dispatched(2))), us(2 * S));
    assert_eq!(step.reply, Err(Rejection::TokensExhausted));
}

#[test]
fn a_budget_may_leave_downtime_out() {
    let settings = Settings { downtime: DowntimePolicy::Exclude, ..Settings::default() };
    let mut job = started(Submit { settings, ..plain() });
    job.resume(away(20 * S, 500 * S));
    assert_eq!(job.due(), Some(us((60 + 480) * S + 1)));
    let view = job.state().view(us(500 * S), None).unwrap();
    assert_eq!((view.elapsed_ms, view.started_at), (20_000, us(0)));
}

#[test]
fn a_job_that_ran_out_of_time_while_nobody_served_ends_as_of_its_deadline() {
    let mut job = started(plain());
    job.resume(away(10 * S, 500 * S));
    let step = job.settle(us(500 * S));
    assert_eq!(names(&step.events), ["timeout_detected", "ended"]);
    let end = run(&job).ended.clone().unwrap();
    assert_eq!((end.closed_at, end.at), (us(60 * S), us(500 * S)));
}

#[test]
fn the_wait_for_the_gate_leaves_downtime_out_and_the_report_goes_under_the_new_token() {
    let mut job = started(with_gate());
    job.step(Command::Tick, us(60 * S + 1));
    job.resume(away(100 * S, 1_000 * S));
    assert_eq!(job.due(), Some(us((60 + 300 + 900) * S + 2)));
    let reports = JobMachine::owed(job.state());
    assert!(
        bodies(&reports)
            .iter()
            .any(|body| matches!(body, Body::JobTimeoutReport(r) if r.fence_token == token(2)))
    );
}

#[test]
fn what_has_ended_or_is_suspended_is_not_taken_up_by_a_restart() {
    let mut job = started(plain());
    job.step(Command::Tick, us(61 * S));
    assert_eq!(job.resume(away(100 * S, 200 * S)).events, []);
    let mut job = started(plain());
    job.step(Command::Suspend { token: token(1), reason: String::new() }, us(S));
    assert_eq!(job.resume(away(2 * S, 20 * S)).events, []);
    assert_eq!(J::default().resume(away(2 * S, 20 * S)).events, []);
    let mut job = started(plain());
    job.step(progress(), us(30 * S));
    let suspend = Downtime { gap: Gap::Suspend, ..away(2 * S, 20 * S) };
    assert_eq!(job.resume(suspend).events, [], "it was left out before, or the job came after it");
}

#[test]
fn a_worker_that_is_lost_is_told_of_no_new_leader() {
    let workflows = vec![plan("one", &[], Some("w"))];
    let mut job = started(Submit { workflows, ..plain() });
    let transfer = Command::Transfer { to: leader("m2"), addr: "m2:1".to_owned(), force: true, token: None };
    job.step(transfer, us(S));
    let for_worker = |job: &J| {
        let to = outbox::Recipient::Worker(id("w"));
        job.state().outbox.values().filter(|entry| entry.to == to).count()
    };
    assert_eq!(for_worker(&job), 2, "the workflow and who leads");
    job.step(Command::WorkerLost { worker_id: id("w") }, us(2 * S));
    assert_eq!(for_worker(&job), 1, "that its work is taken back");
    let revoked = |entry: &outbox::Entry| matches!(entry.notice, outbox::Notice::Revoke { .. });
    assert!(job.state().outbox.values().any(revoked));
}

#[test]
fn a_job_under_a_lease_is_moved_and_ended_under_its_token_alone() {
    let mut job = started(Submit { workflows: vec![plan("a", &[], None)], ..plain() });
    let status = FinalStatus::Completed;
    let moves = |token: Option<FenceToken>| {
        let (workflow_id, worker_id, reason) = (id("a"), id("w"), String::new());
        let to = WorkflowStatus::Dispatched;
        [
            Command::Progress { workflow_id: None, completed_count: None, token },
            Command::Assign { workflow_id: workflow_id.clone(), worker_id, token },
            Command::Transition { workflow_id, to, reason: reason.clone(), result: None, token },
            Command::Complete { status, reason, token },
        ]
    };
    assert!(job.step(progress(), us(0)).reply.is_ok(), "nobody holds a lease");
    job.step(acquire("m1", None, false), us(S));
    let missing = Err(Rejection::TokenMissing { holder: leader("m1") });
    for without in moves(None) {
        let step = job.step(without, us(2 * S));
        assert_eq!((step.reply, step.events), (missing.clone(), vec![]));
    }
    // A worker asks, and somebody stops it, without knowing who leads.
    let cancel = JobCancelRequest {
        requester_id: "ada".into(),
        reason: String::new(),
        fence_token: FenceToken::NONE,
        run: GateEpoch::NONE,
    };
    let [_, _, _, complete] = moves(Some(token(2)));
    let mut stopped = J::default();
    submitted(&mut stopped, plain(), us(0));
    stopped.step(acquire("m1", None, false), us(S));
    assert!(stopped.step(Command::Cancel(cancel), us(2 * S)).reply.is_ok());
    assert_eq!(job.step(complete, us(3 * S)).reply, Ok(Reply::Ended { status, again: false }));
    // Of a job that has ended nothing is led any more: the same again is a repeat.
    let [_, _, _, without] = moves(None);
    assert_eq!(job.step(without, us(4 * S)).reply, Ok(Reply::Ended { status, again: true }));
    // A lease that is over asks nobody for its token.
    let mut over = started(plain());
    over.step(acquire("m1", None, false), us(S));
    assert!(over.step(progress(), us(31 * S)).reply.is_ok());
}

fn lease_of(length_ms: Option<u64>, in_process: bool) -> Command {
    let Command::AcquireLease { holder, addr, seen, force, .. } = acquire("m1", None, false) else {
        panic!()
    };
    Command::AcquireLease { holder, addr, seen, force, lease_ms: length_ms, in_process, by: None }
}

#[test]
fn a_lease_lasts_as_long_as_was_asked_and_a_renewal_may_ask_anew() {
    let mut job = started(Submit { stuck_threshold_ms: 600_000, timeout_ms: None, ..plain() });
    assert_eq!(
        names(&job.step(lease_of(Some(5_000), false), us(0)).events),
        ["leader_changed", "lease_granted"]
    );
    let renew = |lease_ms| Command::RenewLease { holder: leader("m1"), token: token(2), lease_ms };
    assert_eq!(names(&job.step(renew(None), us(4 * S)).events), ["lease_renewed"]);
    assert_eq!(job.state().lease.expires_at, us(9 * S));
    assert_eq!(names(&job.step(renew(Some(60_000)), us(5 * S)).events), ["lease_resized"]);
    assert_eq!(names(&job.step(lease_of(None, false), us(6 * S)).events), ["lease_renewed"]);
    assert_eq!(job.state().lease.expires_at, us(66 * S));
    for bad in [0, 86_400_001, u64::MAX] {
        for command in [renew(Some(bad)), lease_of(Some(bad), false)] {
            let step = job.step(command, us(7 * S));
            assert!(
                matches!(step.reply, Err(Rejection::Invalid { field: "lease_ms", .. })),
                "{:?}",
                step.reply
            );
            assert_eq!(step.events, []);
        }
    }
}

#[test]
fn a_lease_held_in_the_process_ends_with_it_and_one_from_elsewhere_does_not() {
    for (in_process, gap) in
        [(true, Gap::Restart), (true, Gap::Command), (false, Gap::Restart), (true, Gap::Suspend)]
    {
        let mut job = started(plain());
        job.step(lease_of(None, in_process), us(0));
        job.resume(Downtime { gap, ..away(S, 2 * S) });
        let next = job.step(acquire("m2", None, false), us(2 * S));
        let free = in_process && gap != Gap::Suspend;
        assert_eq!(next.reply.is_ok(), free, "{in_process} {gap:?}");
    }
}

#[test]
fn a_later_life_of_the_holder_need_not_wait_for_a_process_that_is_gone() {
    let life = |incarnation| {
        let Command::AcquireLease { addr, seen, force, lease_ms, in_process, .. } =
            acquire("m1", None, false)
        else {
            panic!()
        };
        let holder = Leader { incarnation, ..leader("m1") };
        Command::AcquireLease { holder, addr, seen, force, lease_ms, in_process, by: None }
    };
    let mut job = started(plain());
    job.step(life(5), us(0));
    assert!(job.step(life(6), us(S)).reply.is_err(), "both may live while the process does");
    job.resume(away(2 * S, 3 * S));
    assert!(job.step(life(4), us(3 * S)).reply.is_err());
    assert!(job.step(life(6), us(3 * S)).reply.is_ok());
    assert!(job.step(life(7), us(3 * S)).reply.is_err(), "the new one was taken from this process");
    assert!(job.step(acquire("m2", None, false), us(3 * S)).reply.is_err());
}

#[test]
fn each_step_of_the_wall_clock_is_on_record_once_and_moves_no_deadline() {
    let mut job = started(plain());
    let due = job.due();
    let hour = 3_600_000_000;
    let steps = [ClockStep { at: us(S), by_us: hour }, ClockStep { at: us(2 * S), by_us: -2 * hour }];
    for step in steps {
        assert_eq!(job.clock_stepped(step).events, [Event::ClockStepped { by_us: step.by_us, at: step.at }]);
    }
    for step in steps {
        assert_eq!(job.clock_stepped(step).events, [], "loaded again in the same process it is told again");
    }
    assert_eq!((job.due(), run(&job).elapsed(us(3 * S)).as_secs()), (due, 3));
    let mut later = J::default();
    submitted(&mut later, plain(), us(5 * S));
    assert_eq!(later.clock_stepped(steps[1]).events, [], "it began after it");
    job.step(Command::Tick, us(61 * S));
    assert_eq!(job.clock_stepped(ClockStep { at: us(70 * S), by_us: hour }).events, [], "it has ended");
}
