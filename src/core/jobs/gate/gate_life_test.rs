//! Stopping, giving up, repeats, restarts, other gates, and what comes after the end.

use super::*;
use crate::jobs::protocol::token::TokenBase;

pub(super) fn cancel() -> Command {
    Command::Cancel { requester_id: "ann".to_owned(), reason: "enough".to_owned() }
}

fn cancelled(step: &Step<GateMachine>) -> JobCancelResponse {
    match &step.reply {
        Ok(Reply::Cancelled(response)) => response.clone(),
        other => panic!("{other:?}"),
    }
}

fn away(last_alive: i64, began: i64) -> Downtime {
    Downtime { last_alive: us(last_alive), began: us(began), gap: Gap::Restart }
}

/// A job in one datacenter whose time was declared over at 1 s and 1 µs.
fn declared() -> G {
    let mut gate = tracked(&["a"], Some(1_000));
    gate.settle(us(S + 1));
    gate
}

#[test]
fn an_hour_after_a_decision_the_silent_are_given_up_and_the_job_ends() {
    let mut gate = declared();
    let end = S + 1 + 3_600 * S;
    assert_eq!(gate.due(), Some(us(end)));
    assert!(gate.step(Command::Tick, us(end - 1)).events.is_empty());
    let step = gate.step(Command::Tick, us(end));
    assert_eq!(step.events[0], Event::Abandoned { datacenters: vec![id("a")], at: us(end) });
    assert_eq!(names(&step), ["abandoned", "finished"]);
    assert_eq!(status(&gate), Some(FinalStatus::Timeout));
    assert_eq!((gate.due(), errands(&gate).len()), (None, 0));
    let shown = gate.state().status(us(end)).unwrap();
    assert!(shown.datacenters[0].abandoned && !shown.tracked);
}

#[test]
fn an_abandoned_datacenter_that_comes_back_is_told_the_end_and_noted_once() {
    let mut gate = declared();
    gate.settle(us(S + 1 + 3_600 * S));
    let told = AckOutcome::AlreadyFinal(FinalStatus::Timeout);
    for command in [progress("a", report("a", 1)), over("a", 1)] {
        assert_eq!(outcome(&gate.step(command, us(4_000 * S))), told);
    }
    let late = gate.step(ends("a", 1, FinalStatus::Completed, false), us(4_001 * S));
    assert_eq!((names(&late), outcome(&late)), (vec!["late_final"], told));
    let again = gate.step(ends("a", 1, FinalStatus::Completed, false), us(4_002 * S));
    assert_eq!((again.events.len(), outcome(&again)), (0, told));
    assert_eq!(status(&gate), Some(FinalStatus::Timeout));
}

#[test]
fn a_repeated_final_status_after_the_end_is_acknowledged() {
    let mut gate = tracked(&["a"], None);
    gate.step(ends("a", 1, FinalStatus::Failed, false), us(1));
    let step = gate.step(ends("a", 1, FinalStatus::Failed, false), us(2));
    assert_eq!((step.events.len(), outcome(&step)), (0, AckOutcome::Accepted));
    let other = gate.step(ends("a", 1, FinalStatus::Completed, false), us(3));
    assert_eq!((other.events.len(), outcome(&other)), (0, AckOutcome::AlreadyFinal(FinalStatus::Failed)));
}

#[test]
fn a_job_that_completes_everywhere_after_all_is_completed() {
    let mut gate = declared();
    let step = gate.step(ends("a", 1, FinalStatus::Completed, false), us(2 * S));
    let finished = Event::Finished { status: FinalStatus::Completed, late_completion: true, at: us(2 * S) };
    assert_eq!(step.events.last(), Some(&finished));
    let mut two = tracked(&["a", "b"], Some(1_000));
    two.step(ends("a", 1, FinalStatus::Completed, false), us(1));
    two.settle(us(S + 1));
    two.step(ends("b", 1, FinalStatus::Failed, false), us(2 * S));
    let shown = two.state().status(us(0)).unwrap();
    assert_eq!(shown.final_status, Some(FinalStatus::Timeout));
    assert_eq!(shown.datacenters[0].status, "completed", "what was completed is kept");
}

#[test]
fn an_answer_that_the_job_has_ended_there_ends_it_there() {
    let mut gate = declared();
    let ended = AckOutcome::AlreadyFinal(FinalStatus::Completed);
    let ack = ReportAck { outcome: ended, fence_token: token(2), leader_addr: None };
    let step = gate.step(message("a", errands(&gate)[0].0, Body::GlobalTimeoutAck(ack)), us(2 * S));
    assert_eq!(names(&step), ["delivered", "leader_changed", "datacenter_ended", "finished"]);
    assert_eq!(status(&gate), Some(FinalStatus::Completed));
}

#[test]
fn a_request_to_stop_goes_everywhere_and_repeats_succeed() {
    let mut gate = tracked(&["a", "b"], Some(100_000));
    gate.step(progress("a", report("a", 1)), us(1));
    let step = gate.step(cancel(), us(2));
    assert!(cancelled(&step).success && !cancelled(&step).already_cancelled);
    let asked: Vec<_> = sent(&step)
        .into_iter()
        .map(|message| match message.body {
            Body::JobCancelRequest(asked) => (message.datacenter.to_string(), asked.fence_token.get()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(asked, [("a".to_owned(), 1), ("b".to_owned(), 0)]);
    let again = gate.step(cancel(), us(3));
    assert!(again.events.is_empty() && cancelled(&again).success && cancelled(&again).already_cancelled);
    let number = errands(&gate)[0].0;
    let response = |success, error| {
        Body::JobCancelResponse(JobCancelResponse {
            success,
            cancelled_workflow_count: 3,
            already_cancelled: false,
            already_completed: false,
            already_terminal: None,
            error,
        })
    };
    let refused = gate.step(message("a", number, response(false, Some("token".to_owned()))), us(4));
    assert_eq!((refused.events.len(), errands(&gate).len()), (0, 2));
    gate.step(message("a", number, response(true, None)), us(4));
    assert_eq!(errands(&gate).len(), 1);
    assert_eq!(cancelled(&gate.step(cancel(), us(5))).cancelled_workflow_count, 3);
    assert!(gate.settle(us(101 * S)).events.is_empty(), "no timeout is declared after it");
    gate.step(ends("a", 1, FinalStatus::Cancelled, false), us(102 * S));
    gate.settle(us(2 + 3_600 * S - 1));
    assert_eq!(status(&gate), None);
    gate.settle(us(2 + 3_600 * S));
    assert_eq!(status(&gate), Some(FinalStatus::Cancelled));
    let late = cancelled(&gate.step(cancel(), us(4_000 * S)));
    assert!(late.success && late.already_cancelled);
}

#[test]
fn what_came_before_a_request_to_stop_stands() {
    let mut over = declared();
    let step = over.step(cancel(), us(2 * S));
    assert!(step.events.is_empty() && !cancelled(&step).success && cancelled(&step).error.is_some());
    let mut done = tracked(&["a"], None);
    done.step(ends("a", 1, FinalStatus::Completed, false), us(1));
    let response = cancelled(&done.step(cancel(), us(2)));
    assert!(!response.success && response.already_completed);
    let mut failed = tracked(&["a"], None);
    failed.step(ends("a", 1, FinalStatus::Failed, false), us(1));
    let response = cancelled(&failed.step(cancel(), us(2)));
    assert!(!response.success && !response.already_completed);
    assert_eq!(response.already_terminal, Some(FinalStatus::Failed));
    assert_eq!(response.error.as_deref(), Some("the job has ended. status=failed"));
}

#[test]
fn a_request_to_stop_that_names_a_token_must_name_the_right_one() {
    let mut gate = tracked(&["a"], None);
    gate.step(progress("a", report("a", 1)), us(1));
    let request = |given| {
        let (requester_id, reason) = ("ann".to_owned(), String::new());
        let (fence_token, run) = (token(given), GateEpoch::NONE);
        let body = JobCancelRequest { requester_id, reason, fence_token, run };
        message("a", 3, Body::JobCancelRequest(body))
    };
    for given in [2, 9] {
        let step = gate.step(request(given), us(2));
        assert_eq!(step.reply, Err(Rejection::TokenMismatch { expected: token(1), given: token(given) }));
        assert!(step.events.is_empty());
        let Body::JobCancelResponse(response) = &sent(&step)[0].body else { panic!("{step:?}") };
        let error = format!("the fencing token is not the one on record. expected=1, given={given}");
        assert_eq!(response.error, Some(error));
    }
    assert!(cancelled(&gate.step(request(1), us(3))).success);
    assert!(cancelled(&gate.step(request(0), us(4))).already_cancelled);
}

#[test]
fn a_job_never_tracked_is_unknown() {
    let mut gate = G::default();
    let step = gate.step(over("a", 1), us(1));
    assert_eq!((step.reply.clone(), outcome(&step)), (Err(Rejection::NotTracked), AckOutcome::UnknownJob));
    assert!(step.events.is_empty());
    assert_eq!(gate.step(cancel(), us(1)).reply, Err(Rejection::NotTracked));
    let to = Command::Transfer { to: node("h"), addr: "h:1".to_owned() };
    assert_eq!(gate.step(to, us(1)).reply, Err(Rejection::NotTracked));
    assert_eq!((gate.due(), gate.state().status(us(1))), (None, None));
    let mut tracked = tracked(&["a"], None);
    let step = tracked.step(over("z", 1), us(1));
    assert_eq!(step.reply, Err(Rejection::UnknownDatacenter { datacenter: id("z") }));
    assert_eq!((step.events.len(), outcome(&step)), (0, AckOutcome::UnknownJob));
}

#[test]
fn what_is_unanswered_is_sent_again_at_its_own_instants_and_nothing_is_written() {
    let mut gate = declared();
    let from = gate.state().outbox().next().unwrap().since;
    let mut at = from;
    let mut waits = Vec::new();
    for _ in 0..7 {
        let next = errand(gate.state(), at).unwrap();
        waits.push((next.since(at).as_secs_f64()).round());
        let step = gate.step(Command::RunErrands { due: next }, next);
        assert_eq!((step.events.len(), step.effects.len()), (0, 1));
        let beside = Command::RunErrands { due: us(next.as_micros() + 1) };
        assert!(gate.step(beside, us(next.as_micros() + 1)).effects.is_empty());
        at = next;
    }
    let nominal = [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0];
    assert!(waits.iter().zip(nominal).all(|(wait, n)| (wait - n).abs() <= n / 5.0 + 0.5), "{waits:?}");
    assert_eq!(GateMachine::owed(gate.state()).len(), 1);
}

#[test]
fn a_dispatch_is_sent_until_the_datacenter_is_heard_of() {
    let mut gate = tracked(&["a", "b"], None);
    let ack = ReportAck { outcome: AckOutcome::Accepted, fence_token: token(1), leader_addr: None };
    let wrong = gate.step(message("b", 1, Body::ReportAck(ack.clone())), us(1));
    assert!(wrong.events.is_empty(), "the number is that of another datacenter");
    let kind = gate.step(message("a", 1, Body::GlobalTimeoutAck(ack.clone())), us(1));
    assert!(kind.events.is_empty(), "an answer to something else");
    let step = gate.step(message("a", 1, Body::ReportAck(ack)), us(1));
    assert_eq!(names(&step), ["delivered", "leader_changed"]);
    assert_eq!(errands(&gate), [(2, "b".to_owned(), "dispatch")]);
    gate.step(progress("b", report("b", 1)), us(2));
    assert_eq!(errands(&gate), []);
}

#[test]
fn another_gate_leads_under_a_higher_epoch_and_everybody_hears_of_it() {
    let mut gate = tracked(&["a", "b", "c"], None);
    gate.step(progress("a", report("a", 1)), us(1));
    gate.step(ends("c", 1, FinalStatus::Completed, false), us(1));
    let to = || Command::Transfer { to: node("h"), addr: "h:1".to_owned() };
    let step = gate.step(to(), us(2));
    assert_eq!(step.reply, Ok(Reply::Transferred { gate_epoch: GateEpoch::shown(2) }));
    let told: Vec<_> = sent(&step)
        .into_iter()
        .map(|message| match message.body {
            Body::JobLeaderGateTransfer(told) => {
                assert_eq!((told.new_gate, told.old_gate), (node("h"), Some(node("g"))));
                (message.datacenter.to_string(), told.gate_epoch.get())
            }
            Body::JobDispatch(sent) => (message.datacenter.to_string(), sent.plan.gate_epoch.get()),
            other => panic!("{other:?}"),
        })
        .collect();
    // The dispatch stays that of the run it began, so that it is never taken for another run.
    assert_eq!(told, [("b".to_owned(), 1), ("a".to_owned(), 2)]);
    assert!(gate.step(to(), us(3)).events.is_empty(), "a repeat changes nothing");
    gate.step(progress("b", report("b", 1)), us(4));
    let owed: Vec<_> = errands(&gate).into_iter().map(|(_, dc, what)| (dc, what)).collect();
    assert_eq!(owed, [("a".to_owned(), "gate_transfer"), ("b".to_owned(), "gate_transfer")]);
    let number = errands(&gate)[0].0;
    let ack = ReportAck { outcome: AckOutcome::Stale, fence_token: token(1), leader_addr: None };
    gate.step(message("a", number, Body::ReportAck(ack)), us(5));
    assert_eq!(errands(&gate).len(), 1, "a datacenter that follows a later gate is not asked again");
}

#[test]
fn a_new_process_leads_anew_and_what_nobody_watched_is_nobodys_silence() {
    let mut gate = tracked(&["a"], Some(1_000_000));
    gate.step(progress("a", report("a", 1)), us(10 * S));
    assert_eq!(gate.due(), Some(us(190 * S)));
    let resumed = gate.resume(away(20 * S, 500 * S));
    let event = Event::Resumed {
        gate_epoch: GateEpoch::shown(2),
        gap: Gap::Restart,
        away_us: 480_000_000,
        at: us(500 * S),
    };
    assert_eq!(resumed.events, [event]);
    assert_eq!(gate.due(), Some(us(670 * S)), "ten seconds of silence were seen before");
    assert_eq!(errands(&gate)[0].2, "gate_transfer");
    gate.step(progress("a", JobProgressReport { has_recent_progress: true, ..report("a", 2) }), us(501 * S));
    assert_eq!(gate.due(), Some(us(681 * S)));
    for at in [680, 850] {
        let moved = JobProgressReport { has_recent_progress: true, ..report("a", at) };
        gate.step(progress("a", moved), us(at as i64 * S));
    }
    assert_eq!(gate.due(), Some(us(1_000 * S + 1)), "the age of the job went on");
}

#[test]
fn a_journal_that_goes_on_from_a_copy_leads_under_epochs_above_its_floor() {
    let before = tracked(&["a"], None);
    let floor = 5 << 20;
    let above = || Datacenters::default().above(TokenBase::of(floor));
    let mut gate = G::new(above()).restore(before.state().clone(), before.revision());
    gate.resume(away(20 * S, 500 * S));
    assert_eq!(gate.state().gate_epoch, GateEpoch::shown(floor + 1));
    gate.step(Command::Transfer { to: node("g2"), addr: "g2:1".into() }, us(501 * S));
    assert_eq!(gate.state().gate_epoch, GateEpoch::shown(floor + 2));
}

#[test]
fn a_process_that_only_carries_out_a_command_leads_nothing_anew() {
    let mut gate = tracked(&["a"], Some(1_000_000));
    gate.step(progress("a", report("a", 1)), us(10 * S));
    let resumed = gate.resume(Downtime { gap: Gap::Command, ..away(20 * S, 500 * S) });
    assert_eq!((resumed.events.len(), gate.state().gate_epoch), (1, GateEpoch::shown(1)));
    assert_eq!((gate.due(), errands(&gate).len()), (Some(us(670 * S)), 0));
}

#[test]
fn a_clock_that_was_set_ahead_ages_no_job() {
    let mut gate = tracked(&["a"], Some(100_000));
    let age = |gate: &G, at| gate.state().status(us(at)).unwrap().elapsed_ms;
    gate.step(progress("a", report("a", 1)), us(10 * S));
    gate.resume(Downtime { gap: Gap::ClockJump, ..away(20 * S, 500 * S) });
    assert_eq!((gate.due(), age(&gate, 500 * S)), (Some(us(580 * S + 1)), 20_000));
    let mut slept = tracked(&["a"], Some(1_000_000));
    slept.resume(Downtime { gap: Gap::Suspend, ..away(20 * S, 500 * S) });
    assert_eq!((slept.state().gate_epoch, age(&slept, 500 * S)), (GateEpoch::shown(1), 500_000));
}

#[test]
fn a_process_that_dies_and_serves_again_in_the_same_instant_leads_anew() {
    let mut gate = tracked(&["a"], None);
    assert_eq!(gate.resume(away(0, 0)).events.len(), 1);
    assert_eq!(gate.state().gate_epoch, GateEpoch::shown(2));
}

#[test]
fn time_to_abandon_leaves_out_what_nobody_watched() {
    let mut gate = declared();
    gate.resume(away(2 * S, 10_002 * S));
    assert_eq!(gate.due(), Some(us(13_601 * S + 1)));
    let mut stopped = tracked(&["a"], None);
    stopped.step(cancel(), us(1));
    stopped.resume(away(2 * S, 10_002 * S));
    assert_eq!(stopped.due(), Some(us(13_600 * S + 1)));
}

#[test]
fn an_ended_job_is_not_resumed() {
    let mut gate = tracked(&["a"], None);
    gate.step(ends("a", 1, FinalStatus::Failed, false), us(1));
    assert!(gate.resume(away(2, 3)).events.is_empty());
    assert!(G::default().resume(away(2, 3)).events.is_empty());
}

#[test]
fn a_job_that_has_ended_is_not_run_again_and_the_same_submission_is_recognised() {
    let mut gate = tracked(&["a", "b"], None);
    for dc in ["a", "b"] {
        gate.step(ends(dc, 1, FinalStatus::Failed, false), us(1));
    }
    let plain = || asked(&["b", "a"], None, Settings::default());
    let same = gate.step(Command::Track(Box::new(plain())), us(2));
    let known = Ok(Reply::Tracked { gate_epoch: GateEpoch::shown(1), new: false });
    assert_eq!((same.reply, same.events), (known, vec![]));
    let payloads = Payloads { job: Some("1".into()), ..Payloads::default() };
    let settings = Settings { stuck_ms: 1_000, ..Settings::default() };
    for other in [
        asked(&["a"], None, Settings::default()),
        asked(&["a", "b"], Some(1_000), Settings::default()),
        asked(&["a", "b"], None, settings),
        Track { payloads, ..plain() },
    ] {
        let step = gate.step(Command::Track(Box::new(other)), us(2));
        assert_eq!((step.reply, step.events), (Err(Rejection::IdOfEnded { status: "failed" }), vec![]));
    }
}

#[test]
fn an_id_that_is_used_again_goes_on_above_all_it_ever_had() {
    let mut gate = tracked(&["a"], None);
    gate.step(over("a", 4), us(1));
    gate.step(ends("a", 4, FinalStatus::Timeout, false), us(2));
    let numbers = gate.state().last_number;
    // No gate takes an id twice; records of before hold such ids.
    let track = Command::Track(Box::new(asked(&["a", "b"], None, Settings::default())));
    let [Event::Tracked(tracked)] = &G::default().step(track, us(10)).events[..] else { panic!() };
    gate.replay(&Event::Tracked(Box::new(Tracked {
        gate_epoch: GateEpoch::shown(2),
        ..(**tracked).clone()
    })));
    assert!(errands(&gate).iter().all(|(number, ..)| *number > numbers));
    let late = gate.step(ends("a", 4, FinalStatus::Failed, false), us(11));
    assert_eq!(late.reply, Err(Rejection::Stale { held: token(4), given: token(4) }));
    gate.step(over("a", 5), us(12));
    gate.step(over("b", 1), us(13));
    let decision = gate.state().run.as_ref().unwrap().decision.as_ref().unwrap();
    assert_eq!(decision.decision_id, 2);
}

#[test]
fn a_message_for_somebody_else_is_refused() {
    let mut gate = tracked(&["a"], None);
    let Command::Receive(mut other) = over("a", 1) else { panic!() };
    other.job_id = id("k");
    let rejection = Rejection::OtherJob { expected: id("j"), given: id("k") };
    assert_eq!(gate.step(Command::Receive(other), us(1)).reply, Err(rejection));
    let ack = WorkerAck {
        accepted: true,
        rejection_reason: None,
        not_now: None,
        fence_token_received: token(1),
        workflow_states: Vec::new(),
    };
    let step = gate.step(message("a", 1, Body::WorkerAck(ack)), us(1));
    assert_eq!(step.reply, Err(Rejection::NotForGate { message: "worker_ack" }));
}

#[test]
fn long_texts_are_cut_between_characters() {
    let mut gate = tracked(&["a"], None);
    let long = |begins: &str| format!("{begins}{}", "é".repeat(5_000));
    let asked = Command::Cancel { requester_id: long(""), reason: String::new() };
    assert!(matches!(gate.step(asked, us(1)).reply, Err(Rejection::Invalid { field: "requester_id", .. })));
    let request = JobCancelRequest {
        requester_id: long(""),
        reason: long("x"),
        fence_token: FenceToken::NONE,
        run: GateEpoch::NONE,
    };
    gate.step(message("a", 1, Body::JobCancelRequest(request)), us(1));
    let cancel = gate.state().run.as_ref().unwrap().cancel.clone().unwrap();
    assert_eq!((cancel.requester_id.len(), cancel.reason.len()), (4_096, 4_095), "what came all the same");
}

#[test]
fn an_address_that_changes_under_the_same_token_is_followed() {
    let mut gate = declared();
    gate.step(progress("a", report("a", 1)), us(2 * S));
    let moved = JobProgressReport { manager_addr: "a:2".to_owned(), ..report("a", 2) };
    let step = gate.step(progress("a", moved), us(3 * S));
    assert!(names(&step).contains(&"leader_changed"));
    assert_eq!(gate.state().status(us(0)).unwrap().datacenters[0].manager_addr, "a:2");
}

#[test]
fn an_address_from_before_the_bound_was_lower_is_still_followed() {
    let mut gate = tracked(&["a"], None);
    let from = |bytes: usize| JobProgressReport { manager_addr: "x".repeat(bytes), ..report("a", 1) };
    assert!(gate.step(progress("a", from(4_096)), us(1)).reply.is_ok());
    assert_eq!(gate.state().status(us(1)).unwrap().datacenters[0].manager_addr.len(), 4_096);
    let longer = gate.step(progress("a", from(4_097)), us(2)).reply;
    assert!(matches!(longer, Err(Rejection::Invalid { field: "manager_addr", .. })), "{longer:?}");
}

#[test]
fn a_datacenter_that_does_not_take_the_job_is_followed_by_the_next_of_the_chain_and_told_to_stop() {
    let mut gate = tracked(&["a"], Some(100_000));
    let redirect = |from: &str| {
        let chain = asked(&["a", "b"], None, Settings::default()).targets;
        Command::Redirect { from: id(from), chain, reason: "no answer".to_owned() }
    };
    let step = gate.step(redirect("a"), us(7 * S));
    let to: Vec<_> = sent(&step).iter().map(|m| (m.datacenter.to_string(), m.body.name())).collect();
    assert_eq!((names(&step), to), (vec!["redirected"], vec![("b".to_owned(), "job_dispatch")]));
    let told = AckOutcome::AlreadyFinal(FinalStatus::Cancelled);
    let stops = |step: &Step<GateMachine>| {
        let stop =
            |m: &Message| matches!(&m.body, Body::JobCancelRequest(stop) if stop.fence_token == token(1));
        sent(step).iter().any(stop)
    };
    // Its answer was lost, and it has the job.
    let late = gate.step(progress("a", report("a", 1)), us(8 * S));
    assert_eq!((late.events.len(), outcome(&late), stops(&late)), (0, told, true));
    let ended = gate.step(ends("a", 1, FinalStatus::Completed, false), us(9 * S));
    assert_eq!((ended.events.len(), outcome(&ended), stops(&ended)), (0, told, false));
    assert!(gate.step(redirect("b"), us(14 * S)).events.is_empty(), "nothing is left of the chain");
    gate.step(progress("b", report("b", 1)), us(15 * S));
    gate.step(ends("b", 1, FinalStatus::Completed, false), us(16 * S));
    assert_eq!(status(&gate), Some(FinalStatus::Completed));
    assert!(stops(&gate.step(progress("a", report("a", 2)), us(17 * S))), "also after the end");
}

#[test]
fn what_took_the_job_or_is_to_end_is_not_redirected() {
    let chain = asked(&["b"], None, Settings::default()).targets;
    let redirect =
        || Command::Redirect { from: id("a"), chain: chain.clone(), reason: "no answer".to_owned() };
    let mut heard = tracked(&["a"], None);
    heard.step(progress("a", report("a", 1)), us(1));
    assert!(heard.step(redirect(), us(2)).events.is_empty());
    let mut stopped = tracked(&["a"], None);
    stopped.step(cancel(), us(1));
    assert!(stopped.step(redirect(), us(2)).events.is_empty());
    assert!(declared().step(redirect(), us(2 * S)).events.is_empty());
}

#[test]
fn where_a_job_never_came_it_ends_as_soon_as_that_is_known() {
    let unknown = |dc: &str, number, given, body: fn(ReportAck) -> Body, outcome| {
        message(dc, number, body(ReportAck { outcome, fence_token: token(given), leader_addr: None }))
    };
    let mut stopped = tracked(&["a"], None);
    stopped.step(cancel(), us(1));
    let number = errands(&stopped)[0].0;
    let step = stopped.step(unknown("a", number, 0, Body::ReportAck, AckOutcome::UnknownJob), us(2));
    assert_eq!(names(&step), ["delivered", "datacenter_ended", "finished"]);
    assert_eq!(status(&stopped), Some(FinalStatus::Cancelled));
    // The dispatch was late: it is asked to stop with its first report.
    let late = stopped.step(progress("a", report("a", 1)), us(3));
    let asked = |m: &Message| matches!(&m.body, Body::JobCancelRequest(stop) if stop.fence_token == token(1));
    assert!(sent(&late).iter().any(asked), "{late:?}");
    let mut over = declared();
    let number = errands(&over)[0].0;
    let step = over.step(unknown("a", number, 0, Body::GlobalTimeoutAck, AckOutcome::UnknownJob), us(2 * S));
    assert_eq!(names(&step), ["delivered", "datacenter_ended", "finished"]);
    assert_eq!(status(&over), Some(FinalStatus::Timeout));
}

/// The first manager is dead as far as the gate knows, and the job goes to another one of the datacenter.
pub(super) fn taken_over(gate: &mut G, at: i64) -> Step<GateMachine> {
    let command = Command::TakeOver {
        datacenter: id("a"),
        from: node("m-a"),
        to: node("n-a"),
        addr: "n:1".to_owned(),
        plan: Box::new(plan(Some(100_000))),
        reason: "it is dead".to_owned(),
    };
    gate.step(command, us(at))
}

#[test]
fn a_manager_that_is_gone_is_followed_by_another_one_above_every_token_it_may_mint() {
    let mut gate = tracked(&["a"], Some(100_000));
    gate.step(progress("a", report("a", 1)), us(S));
    assert!(gate.state().run.as_ref().unwrap().plan.is_none(), "it was not needed any more");
    let step = taken_over(&mut gate, 7 * S);
    assert_eq!(names(&step), ["taken_over"]);
    let given = &sent(&step)[0];
    assert_eq!(given.to, Party::Manager { datacenter: id("a"), node: node("n-a") });
    let Body::JobDispatch(dispatch) = &given.body else { panic!("{given:?}") };
    assert_eq!((dispatch.above, dispatch.plan.workflows.len()), (token(1 << 20), 1));
    let again = taken_over(&mut gate, 8 * S);
    assert_eq!((again.events.len(), again.reply), (0, Ok(Reply::Done)), "another one leads already");
    // The first one wakes up, and is started again a few times: what it says is stale, and it hears of the other.
    for given in [1, 2, 7, 1 << 20] {
        let late = JobProgressReport { fence_token: token(given), ..report("a", 9) };
        let late = gate.step(progress("a", late), us(9 * S));
        assert!(matches!(late.reply, Err(Rejection::Stale { .. })), "{late:?}");
        let answer = &sent(&late)[0];
        let Body::ReportAck(ack) = &answer.body else { panic!("{answer:?}") };
        assert_eq!((ack.outcome, ack.fence_token), (AckOutcome::Stale, token(1 << 20)));
        let ended = gate.step(ends("a", given, FinalStatus::Completed, false), us(9 * S));
        assert!(matches!(ended.reply, Err(Rejection::Stale { .. })), "{ended:?}");
    }
    assert_eq!(status(&gate), None);
    let by = |given| JobProgressReport { manager: node("n-a"), fence_token: token(given), ..report("a", 1) };
    let taken = gate.step(progress("a", by((1 << 20) + 1)), us(10 * S));
    assert_eq!(outcome(&taken), AckOutcome::Accepted);
    assert!(errands(&gate).is_empty(), "it has the job");
    gate.step(ends("a", (1 << 20) + 1, FinalStatus::Completed, false), us(11 * S));
    assert_eq!(status(&gate), Some(FinalStatus::Completed));
}

#[test]
fn a_job_that_is_to_end_ends_although_its_manager_is_gone() {
    let mut stopped = tracked(&["a"], Some(100_000));
    stopped.step(progress("a", report("a", 1)), us(1));
    stopped.step(cancel(), us(2));
    let step = taken_over(&mut stopped, 3);
    let told = &sent(&step)[0];
    assert_eq!(
        (told.to.clone(), told.body.name()),
        (Party::Manager { datacenter: id("a"), node: node("n-a") }, "job_cancel_request",)
    );
    let unknown =
        ReportAck { outcome: AckOutcome::UnknownJob, fence_token: FenceToken::NONE, leader_addr: None };
    let number = errands(&stopped)[0].0;
    stopped.step(message("a", number, Body::ReportAck(unknown)), us(4));
    assert_eq!(status(&stopped), Some(FinalStatus::Cancelled));
    // A manager that comes back to a job that has ended changes nothing.
    let late = stopped.step(ends("a", 1, FinalStatus::Completed, false), us(5));
    assert!(late.reply.is_err() && status(&stopped) == Some(FinalStatus::Cancelled), "{late:?}");
}
