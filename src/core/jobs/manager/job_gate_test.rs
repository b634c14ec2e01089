//! A manager with a gate: reports, decisions and waits.

use super::*;
use crate::jobs::protocol::recall::{Charter, Dispatch};

/// Over its budget, waiting for the gate since 60.000001 s.
fn waiting() -> J {
    let mut job = started(with_gate());
    let step = job.step(Command::Tick, us(60 * S + 1));
    assert_eq!(names(&step.events), ["timeout_detected", "queued"]);
    let [Body::JobTimeoutReport(report)] = &bodies(&step.effects)[..] else { panic!("{:?}", step.effects) };
    assert_eq!((report.kind, report.effective_timeout_ms), (TimeoutKind::Overall, Some(60_000)));
    assert_eq!((phase(&job), ended(&job)), (Phase::AwaitingGate, None));
    job
}

fn decision(fence: u64, epoch: u64) -> Command {
    let decision = JobGlobalTimeout {
        reason: "majority".to_owned(),
        decided_ago_ms: 0,
        fence_token: token(fence),
        gate_epoch: GateEpoch::shown(epoch),
        decision_id: 7,
        run: GateEpoch::NONE,
    };
    from_gate(40, Body::JobGlobalTimeout(decision))
}

pub(super) fn ack_of(effects: &[Effect]) -> Vec<AckOutcome> {
    let outcome = |body: Body| match body {
        Body::GlobalTimeoutAck(ack) | Body::ReportAck(ack) => Some(ack.outcome),
        _ => None,
    };
    bodies(effects).into_iter().filter_map(outcome).collect()
}

const REPORTED: i64 = 60 * S + 1;

#[test]
fn a_silent_gate_is_waited_for_300_seconds_and_not_longer() {
    let mut job = waiting();
    assert_eq!(job.due(), Some(us(REPORTED + 300 * S + 1)));
    assert_eq!(job.step(Command::Tick, us(REPORTED + 300 * S)).events, []);
    let step = job.step(Command::Tick, us(REPORTED + 300 * S + 1));
    assert_eq!(names(&step.events), ["ended", "queued"]);
    assert_eq!(ended(&job), Some((FinalStatus::Timeout, Some(TimeoutKind::GateUnresponsiveFallback))));
    assert_eq!(job.step(Command::Tick, us(2_000 * S)).events, [], "only once");
    assert_eq!(job.state().outbox.len(), 1, "the final status stays until the gate has it");
    assert_eq!(job.step(acked(2, AckOutcome::Accepted, 1), us(3_000 * S)).events.len(), 1);
    assert!(job.state().outbox.is_empty());
}

#[test]
fn a_gate_that_answers_and_does_not_decide_is_waited_for_900_seconds() {
    let mut job = waiting();
    for n in 1..=9 {
        job.step(acked(1, AckOutcome::UnknownJob, 1), us(REPORTED + n * 100 * S));
    }
    assert_eq!(job.due(), Some(us(REPORTED + 900 * S + 1)));
    job.step(Command::Tick, us(REPORTED + 900 * S + 1));
    assert_eq!(ended(&job), Some((FinalStatus::Timeout, Some(TimeoutKind::GateUndecidedFallback))));
}

#[test]
fn any_word_of_the_gate_starts_the_wait_for_it_again() {
    let mut job = waiting();
    job.step(acked(1, AckOutcome::Accepted, 1), us(REPORTED + 200 * S));
    assert_eq!(job.due(), Some(us(REPORTED + 500 * S + 1)));
    assert!(job.state().outbox.is_empty());
}

#[test]
fn a_decision_is_accepted_once_and_confirmed_each_time() {
    let mut job = started(with_gate());
    let step = job.step(decision(1, 1), us(5 * S));
    assert_eq!(names(&step.events), ["global_timeout_accepted", "ended", "queued"]);
    assert_eq!(ended(&job), Some((FinalStatus::Timeout, Some(TimeoutKind::GlobalDecision))));
    assert_eq!(run(&job).ended.clone().unwrap().reason, "Global timeout: majority");
    assert_eq!(ack_of(&step.effects), [AckOutcome::Accepted]);
    let again = job.step(decision(1, 1), us(6 * S));
    assert_eq!((ack_of(&again.effects), again.events), (vec![AckOutcome::Accepted], vec![]));
}

#[test]
fn a_decision_under_a_lower_token_or_epoch_is_refused_and_recorded_once() {
    let mut job = started(Submit { gate: Some(seat(5)), ..plain() });
    job.step(Command::Transfer { to: leader("m2"), addr: String::new(), force: false, token: None }, us(1));
    for (command, held, given) in [(decision(1, 5), 2, 1), (decision(2, 4), 5, 4)] {
        let step = job.step(command.clone(), us(S));
        assert_eq!(
            (names(&step.events), ack_of(&step.effects)),
            (vec!["fence_rejected"], vec![AckOutcome::Stale])
        );
        let Event::FenceRejected(rejected) = &step.events[0] else { panic!() };
        assert_eq!((rejected.held, rejected.given), (held, given));
        assert_eq!(job.step(command, us(2 * S)).events, [], "the same again is not recorded");
    }
    assert_eq!(ended(&job), None);
}

#[test]
fn a_decision_under_a_higher_token_is_accepted_and_the_token_adopted() {
    let mut job = started(with_gate());
    let step = job.step(decision(9, 3), us(S));
    assert_eq!(
        names(&step.events),
        ["gate_changed", "token_adopted", "global_timeout_accepted", "ended", "queued"]
    );
    assert_eq!((job.state().highest_token, job.state().highest_epoch), (token(9), GateEpoch::shown(3)));
    assert_eq!(
        submitted(&mut job, dispatched(4), us(2 * S)).reply,
        Ok(Reply::Submitted { token: token(10), again: false })
    );
}

#[test]
fn a_decision_about_a_job_that_ended_otherwise_is_corrected() {
    let mut job = started(with_gate());
    let complete = Command::Complete { status: FinalStatus::Completed, reason: String::new(), token: None };
    job.step(complete, us(S));
    let step = job.step(decision(1, 1), us(2 * S));
    assert_eq!(step.events, []);
    assert_eq!(ack_of(&step.effects), [AckOutcome::AlreadyFinal(FinalStatus::Completed)]);
    assert!(
        bodies(&step.effects).iter().any(
            |body| matches!(body, Body::JobFinalStatus(status) if status.status == FinalStatus::Completed)
        )
    );
    job.step(acked(1, AckOutcome::Accepted, 1), us(3 * S));
    let step = job.step(decision(1, 1), us(4 * S));
    assert!(
        bodies(&step.effects).iter().any(|body| matches!(body, Body::JobFinalStatus(_))),
        "also when acknowledged"
    );
}

#[test]
fn without_a_gate_nobody_decides_for_the_manager() {
    let mut job = started(plain());
    let step = job.step(decision(1, 1), us(S));
    assert_eq!((step.reply, step.events), (Err(Rejection::NoGate), vec![]));
}

#[test]
fn an_answer_that_the_job_is_final_is_followed() {
    let mut job = waiting();
    job.step(acked(1, AckOutcome::AlreadyFinal(FinalStatus::Timeout), 1), us(70 * S));
    assert_eq!(ended(&job), Some((FinalStatus::Timeout, Some(TimeoutKind::GlobalDecision))));
    let mut job = waiting();
    job.step(acked(1, AckOutcome::AlreadyFinal(FinalStatus::Cancelled), 1), us(70 * S));
    assert_eq!(ended(&job), Some((FinalStatus::Cancelled, None)));
    let mut job = waiting();
    job.step(acked(1, AckOutcome::AlreadyFinal(FinalStatus::Completed), 1), us(70 * S));
    assert_eq!((ended(&job), job.state().outbox.len()), (None, 0));
}

#[test]
fn an_answer_to_the_final_status_only_takes_it_out_of_the_outbox() {
    for outcome in [AckOutcome::Accepted, AckOutcome::Stale, AckOutcome::AlreadyFinal(FinalStatus::Timeout)] {
        let mut job = started(with_gate());
        let complete =
            Command::Complete { status: FinalStatus::Completed, reason: String::new(), token: None };
        job.step(complete, us(S));
        assert_eq!(names(&job.step(acked(1, outcome, 5), us(2 * S)).events), ["acked"]);
        assert_eq!(ended(&job), Some((FinalStatus::Completed, None)));
        assert_eq!(job.step(acked(1, outcome, 5), us(3 * S)).events, [], "an answer that comes twice");
    }
}

#[test]
fn a_stale_answer_under_a_higher_token_stops_everything_and_an_old_one_nothing() {
    let mut job = waiting();
    assert_eq!(
        job.step(acked(1, AckOutcome::Stale, 1), us(61 * S)).events.len(),
        1,
        "only that the gate was heard of"
    );
    assert_eq!((phase(&job), job.state().outbox.len()), (Phase::AwaitingGate, 1));
    job.step(acked(1, AckOutcome::Stale, 2), us(62 * S));
    assert_eq!((phase(&job), job.due(), errand(job.state(), us(62 * S))), (Phase::Suspended, None, None));
    assert!(JobMachine::owed(job.state()).is_empty());
    assert_eq!(job.step(progress(), us(63 * S)).reply, Err(Rejection::Suspended { token: token(1) }));
}

#[test]
fn completion_before_the_decision_stands_and_withdraws_the_report() {
    let mut job = waiting();
    let complete = Command::Complete { status: FinalStatus::Completed, reason: String::new(), token: None };
    job.step(complete, us(90 * S));
    assert_eq!(ended(&job), Some((FinalStatus::Completed, None)));
    let left: Vec<_> = job.state().outbox.keys().copied().collect();
    assert_eq!((left, job.due()), (vec![2], None), "only the final status");
}

#[test]
fn a_gate_of_a_higher_epoch_takes_over_and_gets_what_was_not_answered() {
    let mut job = waiting();
    let transfer = |node: &str, epoch: u64| {
        let transfer = JobLeaderGateTransfer {
            new_gate: leader(node),
            new_gate_addr: format!("{node}:1"),
            gate_epoch: GateEpoch::shown(epoch),
            old_gate: None,
            recall: None,
        };
        from_gate(9, Body::JobLeaderGateTransfer(transfer))
    };
    assert_eq!(job.step(transfer("g1", 1), us(61 * S)).reply, Ok(Reply::Changed(false)));
    let stale = Rejection::StaleGate { held: GateEpoch::shown(1), given: GateEpoch::shown(1) };
    assert_eq!(job.step(transfer("g2", 1), us(62 * S)).reply, Err(stale));
    let step = job.step(transfer("g2", 2), us(63 * S));
    let resent = step.effects.iter().any(|Effect::Send(message)| {
        message.to == Party::Gate(id("g2")) && matches!(message.body, Body::JobTimeoutReport(_))
    });
    assert!(resent);
    assert_eq!(
        job.step(transfer("g3", 1), us(64 * S)).reply.unwrap_err(),
        Rejection::StaleGate { held: GateEpoch::shown(2), given: GateEpoch::shown(1) }
    );
}

/// A plan as a gate hands it out to the datacenters `a` and `dc`.
pub(super) fn handed_out(plan: JobDispatch) -> Body {
    let target = |dc: &str| crate::jobs::gate::Target {
        datacenter: id(dc),
        manager: leader("m1"),
        manager_addr: format!("{dc}:1"),
    };
    let charter = Charter {
        epoch: plan.gate_epoch,
        gate_addr: plan.gate_addr.clone(),
        targets: vec![target("a"), target("dc")],
        settings: crate::jobs::gate::Settings::default(),
    };
    Body::JobDispatch(Box::new(Dispatch {
        plan,
        charter,
        payloads: Default::default(),
        above: FenceToken::NONE,
        led: GateEpoch::NONE,
    }))
}

#[test]
fn a_dispatch_that_comes_again_after_the_end_does_not_start_the_job_again() {
    let dispatch_of = |epoch, number| {
        let dispatch = JobDispatch {
            timeout_ms: Some(60_000),
            stuck_threshold_ms: 120_000,
            workflows: Vec::new(),
            class: None,
            timeout_rule: String::new(),
            settings: Settings::default(),
            gate_epoch: GateEpoch::shown(epoch),
            gate_addr: "gate:1".into(),
        };
        from_gate(number, handed_out(dispatch))
    };
    let dispatch = |number| dispatch_of(1, number);
    let mut job = J::default();
    let step = job.step(dispatch(3), us(0));
    assert_eq!(ack_of(&step.effects), [AckOutcome::Accepted]);
    assert_eq!(ack_of(&job.step(dispatch(3), us(1)).effects), [AckOutcome::Accepted]);
    job.step(decision(1, 1), us(S));
    let late = job.step(dispatch(3), us(2 * S));
    assert_eq!(
        (ack_of(&late.effects), late.events),
        (vec![AckOutcome::AlreadyFinal(FinalStatus::Timeout)], vec![])
    );
    // The gate numbers anew what it sends again under another leadership.
    let renumbered = job.step(dispatch(4), us(3 * S));
    assert_eq!(ack_of(&renumbered.effects), [AckOutcome::AlreadyFinal(FinalStatus::Timeout)]);
    assert_eq!(job.state().runs, 1);
    assert_eq!(ack_of(&job.step(dispatch_of(2, 5), us(4 * S)).effects), [AckOutcome::Accepted]);
    assert_eq!(job.state().runs, 2);
}

#[test]
fn a_dispatch_brings_every_number_the_job_was_submitted_with() {
    let mut settings = Settings { max_attempts: 1, ..Settings::default() };
    settings.extension.max_total_ms = Some(5_000);
    let dispatch = JobDispatch {
        timeout_ms: Some(60_000),
        stuck_threshold_ms: 120_000,
        workflows: Vec::new(),
        class: None,
        timeout_rule: String::new(),
        settings: settings.clone(),
        gate_epoch: GateEpoch::shown(1),
        gate_addr: "gate:1".into(),
    };
    let mut job = J::default();
    job.step(from_gate(3, handed_out(dispatch)), us(0));
    assert_eq!(job.state().run.as_ref().map(|run| &run.terms.settings), Some(&settings));
}

#[test]
fn a_gate_is_answered_however_its_dispatch_is_submitted_and_told_when_it_can_never_run() {
    let asked = Submit { dispatch_number: 8, ..with_gate() };
    let step = J::default().step(Command::Submit(Box::new(asked.clone())), us(0));
    assert_eq!(ack_of(&step.effects), [AckOutcome::Accepted]);
    let bad = Submit { timeout_rule: "guess".to_owned(), ..asked.clone() };
    let step = J::default().step(Command::Submit(Box::new(bad)), us(0));
    assert_eq!(
        (ack_of(&step.effects), step.events),
        (vec![AckOutcome::AlreadyFinal(FinalStatus::Failed)], vec![])
    );
    let mut job = started(Submit { gate: Some(seat(4)), ..plain() });
    let step = job.step(Command::Submit(Box::new(asked)), us(S));
    assert_eq!(
        (ack_of(&step.effects), names(&step.events)),
        (vec![AckOutcome::Stale], vec!["fence_rejected"])
    );
}

#[test]
fn messages_of_another_job_and_for_others_are_refused() {
    let mut job = started(with_gate());
    let from = Party::Gate(id("g1"));
    let to = Party::Manager { datacenter: id("dc"), node: leader("m1") };
    let body = Body::GlobalTimeoutAck(ReportAck {
        outcome: AckOutcome::Accepted,
        fence_token: token(1),
        leader_addr: None,
    });
    let message =
        Message { job_id: id("job"), datacenter: id("dc"), from, to, number: 1, body, signal: None };
    let elsewhere = Message { job_id: id("other"), ..message.clone() };
    let reply = job.step(Command::Receive(Box::new(elsewhere)), us(S)).reply;
    assert!(matches!(reply, Err(Rejection::Invalid { field: "job_id", .. })));
    let elsewhere = Message { datacenter: id("other"), ..message.clone() };
    let reply = job.step(Command::Receive(Box::new(elsewhere)), us(S)).reply;
    assert!(matches!(reply, Err(Rejection::Invalid { field: "datacenter", .. })));
    let reply = job.step(Command::Receive(Box::new(message)), us(S)).reply;
    assert_eq!(reply, Err(Rejection::NotForManager { message: "global_timeout_ack" }));
}

#[test]
fn a_cancellation_names_both_tokens_when_they_differ() {
    let cancel = |fence: u64| {
        let requester_id = "ops".to_owned();
        let (reason, fence_token, run) = ("stop".to_owned(), token(fence), GateEpoch::NONE);
        let request = JobCancelRequest { requester_id, reason, fence_token, run };
        from_gate(5, Body::JobCancelRequest(request))
    };
    let response = |step: &Step<JobMachine>| match &bodies(&step.effects)[..] {
        [.., Body::JobCancelResponse(response)] => response.clone(),
        other => panic!("{other:?}"),
    };
    let mut job = started(with_gate());
    let step = job.step(cancel(2), us(S));
    assert_eq!(response(&step).error.as_deref(), Some("fencing token was never minted. held=1, given=2"));
    let step = job.step(cancel(0), us(2 * S));
    assert!(
        step.effects.iter().any(|Effect::Send(m)| matches!(&m.body, Body::JobCancelResponse(r) if r.success))
    );
    let again = response(&job.step(cancel(1), us(3 * S)));
    assert_eq!((again.success, again.already_cancelled), (true, true));
    let mut done = started(with_gate());
    done.step(
        Command::Complete { status: FinalStatus::Completed, reason: String::new(), token: None },
        us(S),
    );
    let late = response(&done.step(cancel(1), us(2 * S)));
    assert_eq!((late.success, late.already_completed, late.already_cancelled), (false, true, false));
    assert_eq!(late.already_terminal, Some(FinalStatus::Completed));
    let mut over = waiting();
    over.step(decision(1, 1), us(61 * S));
    let late = response(&over.step(cancel(1), us(62 * S)));
    assert_eq!((late.success, late.already_completed, late.already_cancelled), (false, false, false));
    assert_eq!(late.already_terminal, Some(FinalStatus::Timeout));
}

#[test]
fn the_wait_for_a_sign_of_the_gate_leaves_out_what_nobody_watched_also_after_a_sign() {
    let mut job = waiting();
    assert_eq!(names(&job.step(acked(99, AckOutcome::Accepted, 1), us(100 * S)).events), ["gate_heard"]);
    assert_eq!(job.due(), Some(us(400 * S + 1)));
    job.resume(Downtime {
        last_alive: us(100 * S),
        began: us(300 * S),
        gap: crate::kernel::time::Gap::Suspend,
    });
    assert_eq!(job.due(), Some(us(600 * S + 1)));
}

#[test]
fn only_the_gate_that_leads_is_waited_for() {
    let mut job = waiting();
    let Command::Receive(mut message) = acked(99, AckOutcome::Accepted, 1) else { unreachable!() };
    message.from = Party::Gate(id("g2"));
    assert!(job.step(Command::Receive(message), us(100 * S)).events.is_empty());
    assert_eq!(job.due(), Some(us(360 * S + 2)));
}

#[test]
fn how_an_earlier_run_ended_at_the_gate_ends_no_later_one() {
    let mut job = started(with_gate());
    let complete = Command::Complete { status: FinalStatus::Failed, reason: String::new(), token: None };
    job.step(complete, us(S));
    submitted(&mut job, dispatched(2), us(2 * S));
    let step = job.step(acked(1, AckOutcome::AlreadyFinal(FinalStatus::Cancelled), 1), us(3 * S));
    assert_eq!((names(&step.events), ended(&job)), (vec!["acked"], None));
}

#[test]
fn whoever_takes_a_job_over_leads_above_the_one_before_also_where_it_led_or_ended_it_itself() {
    const ABOVE: u64 = 1 << 20;
    let given = |above| Submit { above: token(above), ..dispatched(1) };
    let mut fresh = started(given(ABOVE));
    assert_eq!(run(&fresh).token, token(ABOVE + 1));
    let again = submitted(&mut fresh, given(ABOVE), us(S));
    assert_eq!((again.events.len(), run(&fresh).token), (0, token(ABOVE + 1)), "a repeat mints nothing");
    // It led the job, heard of another leader, and is the one that is left.
    let mut led = started(given(0));
    assert_eq!(run(&led).token, token(1));
    let told = ReportAck { outcome: AckOutcome::Stale, fence_token: token(ABOVE), leader_addr: None };
    led.step(from_gate(0, Body::ReportAck(told)), us(S));
    assert!(run(&led).suspended_at.is_some());
    submitted(&mut led, given(2 * ABOVE), us(2 * S));
    assert_eq!((run(&led).token, run(&led).suspended_at), (token(2 * ABOVE + 1), None));
    // What it had handed out is tried again: nobody there knows what became of it.
    let workflows = vec![plan("a", &[], None)];
    let working = |above| Submit { workflows: workflows.clone(), ..given(above) };
    let mut handed = started(working(0));
    handed.step(Command::Claim { worker_id: id("w"), places: 1 }, us(S)).reply.unwrap();
    assert_eq!(run(&handed).workflows[&id("a")].attempt, 1);
    submitted(&mut handed, working(ABOVE), us(2 * S));
    let workflow = &run(&handed).workflows[&id("a")];
    assert_eq!((workflow.attempt, workflow.status, &workflow.worker_id), (2, WorkflowStatus::Pending, &None));
    // It ended the job when another one led it already: that end does not count.
    let mut ended = started(given(0));
    let complete = Command::Complete { status: FinalStatus::Completed, reason: String::new(), token: None };
    ended.step(complete, us(S)).reply.unwrap();
    let repeat = ended.step(Command::Submit(Box::new(given(0))), us(2 * S));
    assert_eq!(repeat.reply, Err(Rejection::AlreadyTerminal { status: FinalStatus::Completed }));
    submitted(&mut ended, given(ABOVE), us(3 * S));
    assert!(run(&ended).ended.is_none());
    assert_eq!(run(&ended).token, token(ABOVE + 1));
}
