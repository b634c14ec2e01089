//! A gate that lost its memory: what it is told, whom it asks, and what it must not decide meanwhile.

use super::super::event::Rebuilt;
use super::*;
use crate::jobs::manager::event::{GateSeat, Terms};
use crate::jobs::protocol::recall::{Charter, JobRecall};

fn epoch(number: u64) -> GateEpoch {
    GateEpoch::shown(number)
}

/// A recall of the run of epoch 3 in `a`, `b` and `c`, by a manager that saw epoch 5, under token 1.
pub(super) fn told(dc: &str, elapsed_ms: u64) -> JobRecall {
    let Track { targets, settings, plan, .. } = asked(&["a", "b", "c"], Some(100_000), Settings::default());
    let JobDispatch {
        timeout_ms, stuck_threshold_ms, workflows, class, timeout_rule, settings: numbers, ..
    } = plan;
    JobRecall {
        answers: 0,
        charter: Charter { epoch: epoch(3), gate_addr: "gate:1".to_owned(), targets, settings },
        terms: Terms { timeout_ms, stuck_threshold_ms, settings: numbers, class, timeout_rule, workflows },
        gate: GateSeat { gate_id: id("g"), incarnation: Some(1), addr: "g:1".to_owned(), epoch: epoch(5) },
        highest_epoch: epoch(5),
        progress: JobProgressReport { elapsed_ms, ..report(dc, 9) },
        timeout: None,
        end: None,
        decision: None,
        cancel: None,
        payloads: Default::default(),
    }
}

pub(super) fn recall(dc: &str, told: JobRecall) -> Command {
    message(dc, 0, Body::JobRecall(Box::new(told)))
}

/// Rebuilt at 500 s from what `a` told, for which the job was 20 s old.
fn rebuilt() -> (G, Step<GateMachine>) {
    let mut gate = G::default();
    let step = gate.step(recall("a", told("a", 20_000)), us(500 * S));
    assert_eq!(names(&step), ["rebuilt", "leader_changed", "recalled"]);
    (gate, step)
}

/// `a` and `b` told everything.
fn both() -> G {
    let (mut gate, _) = rebuilt();
    let mut knows = told("b", 20_000);
    (knows.gate.epoch, knows.highest_epoch) = (epoch(6), epoch(6));
    let step = gate.step(recall("b", knows), us(500 * S));
    assert_eq!(names(&step), ["leader_changed", "recalled"]);
    gate
}

fn run(gate: &G) -> &Run {
    gate.state().run.as_ref().unwrap()
}

fn kinds(gate: &G) -> Vec<(String, &'static str)> {
    errands(gate).into_iter().map(|(_, dc, what)| (dc, what)).collect()
}

fn pair(dc: &str, what: &'static str) -> (String, &'static str) {
    (dc.to_owned(), what)
}

#[test]
fn a_report_of_an_unknown_job_is_answered_so_and_a_recall_rebuilds_it() {
    let mut gate = G::default();
    for unknown in [progress("a", report("a", 1)), over("a", 1), ends("a", 1, FinalStatus::Completed, false)]
    {
        let step = gate.step(unknown, us(S));
        assert_eq!((outcome(&step), step.events.len()), (AckOutcome::UnknownJob, 0));
    }
    let (gate, step) = rebuilt();
    let Event::Rebuilt(event) = &step.events[0] else { panic!("{:?}", step.events) };
    let Rebuilt { tracked, told_by, submitted_at } = &**event;
    assert_eq!((told_by, *submitted_at), (&id("a"), us(480 * S)));
    assert_eq!((tracked.gate_epoch, tracked.plan.gate_epoch), (epoch(6), epoch(3)));
    assert_eq!((gate.state().gate_epoch, run(&gate).epoch), (epoch(6), epoch(3)));
    assert_eq!((run(&gate).timeout_ms, run(&gate).submitted_at), (Some(100_000), us(480 * S)));
    assert_eq!(outcome(&step), AckOutcome::Accepted);
    // Who told it hears who leads, the others are asked, all under numbers above any of before.
    assert_eq!(kinds(&gate), [pair("b", "recall"), pair("c", "recall"), pair("a", "gate_transfer")]);
    assert!(errands(&gate).iter().all(|(number, ..)| *number > 6 << 32));
    let sent: Vec<_> = sent(&step)[1..].iter().map(|message| message.body.clone()).collect();
    for body in &sent {
        let Body::JobLeaderGateTransfer(transfer) = body else { panic!("{body:?}") };
        assert_eq!(transfer.gate_epoch, epoch(6));
    }
    let asks = |body: &Body| matches!(body, Body::JobLeaderGateTransfer(t) if t.recall == Some(epoch(3)));
    assert_eq!(sent.iter().map(asks).collect::<Vec<_>>(), [true, true, false]);
    let shown = gate.state().status(us(501 * S)).unwrap();
    assert_eq!((shown.rebuilt_at, shown.unheard), (Some(us(500 * S)), vec![id("b"), id("c")]));
    assert_eq!(shown.elapsed_ms, 21_000);
}

#[test]
fn the_plan_that_is_handed_in_again_is_recognised_after_a_rebuild() {
    let (mut gate, _) = rebuilt();
    let again = asked(&["c", "b", "a"], Some(100_000), Settings::default());
    let step = gate.step(Command::Track(Box::new(again)), us(501 * S));
    assert_eq!(step.reply, Ok(Reply::Tracked { gate_epoch: epoch(6), new: false }));
}

#[test]
fn until_it_tells_everything_a_datacenter_reports_nothing() {
    let (mut gate, _) = rebuilt();
    for early in [progress("b", report("b", 1)), over("b", 1), ends("b", 1, FinalStatus::Completed, false)] {
        let step = gate.step(early, us(501 * S));
        assert_eq!(outcome(&step), AckOutcome::UnknownJob);
        assert_eq!(step.reply, Err(Rejection::Unheard { datacenter: id("b") }));
        assert!(step.events.is_empty());
    }
    gate.step(recall("b", told("b", 21_000)), us(501 * S));
    let ended = gate.step(ends("b", 1, FinalStatus::Completed, false), us(502 * S));
    assert_eq!((names(&ended), outcome(&ended)), (vec!["datacenter_ended"], AckOutcome::Accepted));
}

#[test]
fn a_repeated_recall_changes_nothing() {
    let (mut gate, _) = rebuilt();
    let again = gate.step(recall("a", told("a", 21_000)), us(501 * S));
    assert_eq!((again.events.len(), outcome(&again)), (0, AckOutcome::Accepted));
}

#[test]
fn the_greatest_age_that_is_told_counts() {
    let (mut gate, _) = rebuilt();
    gate.step(recall("b", told("b", 31_000)), us(501 * S));
    assert_eq!(run(&gate).submitted_at, us(470 * S));
    gate.step(recall("c", told("c", 5_000)), us(502 * S));
    assert_eq!(run(&gate).submitted_at, us(470 * S));
}

#[test]
fn a_clock_that_was_set_ahead_after_the_rebuild_does_not_age_the_job_twice() {
    let (mut gate, _) = rebuilt();
    let jump = Downtime { last_alive: us(500 * S), began: us(600 * S), gap: Gap::ClockJump };
    gate.resume(jump);
    gate.step(recall("b", told("b", 30_000)), us(600 * S));
    assert_eq!(gate.state().status(us(600 * S)).unwrap().elapsed_ms, 30_000);
}

#[test]
fn the_budget_waits_for_extensions_that_may_be_forgotten() {
    // 150 s of 100 s are over, as far as `a` knows.
    let mut gate = G::default();
    let step = gate.step(recall("a", told("a", 150_000)), us(500 * S));
    assert_eq!((names(&step).contains(&"declared"), gate.due()), (false, Some(us(680 * S))));
    let extended = |dc: &str| {
        let mut told = told(dc, 150_000);
        told.progress.total_extensions_granted_ms = 60_000;
        recall(dc, told)
    };
    gate.step(extended("b"), us(501 * S));
    let step = gate.step(extended("c"), us(502 * S));
    assert_eq!((names(&step).contains(&"declared"), rule(&gate)), (false, None));
    assert_eq!(gate.due(), Some(us(510 * S + 1)), "150 s were over at 500 s, 160 s are given");
    assert!(gate.step(Command::Tick, us(510 * S)).events.is_empty());
    gate.settle(us(510 * S + 1));
    assert_eq!(rule(&gate), Some(GlobalRule::Overall));
}

#[test]
fn the_budget_waits_no_longer_than_silence_counts() {
    let mut gate = G::default();
    gate.step(recall("a", told("a", 150_000)), us(500 * S));
    assert!(gate.step(Command::Tick, us(680 * S - 1)).events.is_empty());
    let step = gate.step(Command::Tick, us(680 * S));
    assert_eq!((names(&step), rule(&gate)), (vec!["declared"], Some(GlobalRule::Overall)));
}

#[test]
fn time_nobody_served_after_a_rebuild_is_nobodys_silence() {
    let mut gate = G::default();
    gate.step(recall("a", told("a", 150_000)), us(500 * S));
    gate.resume(Downtime { last_alive: us(500 * S), began: us(530 * S), gap: Gap::Restart });
    assert_eq!(gate.due(), Some(us(710 * S)));
    // Who is asked hears of the later epoch by the question itself.
    assert_eq!(kinds(&gate), [pair("b", "recall"), pair("c", "recall"), pair("a", "gate_transfer")]);
}

#[test]
fn the_silence_of_who_was_not_heard_of_counts_from_the_rebuild() {
    let mut gate = G::default();
    let mut endless = told("a", 1_000_000);
    endless.terms.timeout_ms = None;
    gate.step(recall("a", endless), us(500 * S));
    assert_eq!(gate.due(), Some(us(680 * S)));
    gate.settle(us(680 * S));
    assert_eq!(rule(&gate), Some(GlobalRule::AllStuck));
}

#[test]
fn a_decision_that_was_carried_out_stands_and_reaches_the_others() {
    let mut gate = both();
    let mut over = told("c", 20_000);
    over.decision = Some(4);
    over.end = Some(JobFinalStatus {
        manager: node("m-c"),
        status: FinalStatus::Timeout,
        reason: "Global timeout: overall: so".to_owned(),
        kind: Some(TimeoutKind::GlobalDecision),
        fence_token: token(1),
        provisional: false,
    });
    let step = gate.step(recall("c", over.clone()), us(501 * S));
    assert_eq!(names(&step), ["leader_changed", "recalled", "declared", "datacenter_ended"]);
    let decision = run(&gate).decision.clone().unwrap();
    assert_eq!(
        (decision.decision_id, decision.rule, decision.reason),
        (4, GlobalRule::Recalled, "overall: so".into())
    );
    let told = sent(&step).into_iter().filter(|m| matches!(m.body, Body::JobGlobalTimeout(_)));
    assert_eq!(told.map(|m| m.datacenter.to_string()).collect::<Vec<_>>(), ["a", "b"]);
    // The others failed by themselves; the whole ended as was decided.
    gate.step(ends("a", 1, FinalStatus::Failed, false), us(502 * S));
    gate.step(ends("b", 1, FinalStatus::Failed, false), us(502 * S));
    let finished = gate.state().finished.clone().unwrap();
    assert_eq!((finished.status, finished.rebuilt_at), (FinalStatus::Timeout, Some(us(500 * S))));
    let late = gate.step(recall("c", over), us(503 * S));
    assert_eq!((late.events.len(), outcome(&late)), (0, AckOutcome::AlreadyFinal(FinalStatus::Timeout)));
}

#[test]
fn a_request_to_stop_that_was_carried_out_reaches_the_others() {
    let mut gate = both();
    let mut stopped = told("c", 20_000);
    stopped.cancel = Some(JobCancelRequest {
        requester_id: "ann".to_owned(),
        reason: "enough".to_owned(),
        fence_token: FenceToken::NONE,
        run: GateEpoch::NONE,
    });
    stopped.end = Some(JobFinalStatus {
        manager: node("m-c"),
        status: FinalStatus::Cancelled,
        reason: "cancelled by ann: enough".to_owned(),
        kind: None,
        fence_token: token(1),
        provisional: false,
    });
    let step = gate.step(recall("c", stopped), us(501 * S));
    assert_eq!(names(&step), ["leader_changed", "recalled", "cancel_requested", "datacenter_ended"]);
    assert_eq!(run(&gate).cancel.as_ref().unwrap().requester_id, "ann");
    let asked = sent(&step).into_iter().filter(|m| matches!(m.body, Body::JobCancelRequest(_)));
    assert_eq!(asked.map(|m| m.datacenter.to_string()).collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn a_request_to_stop_after_the_rebuild_is_not_followed_by_a_decision_of_before() {
    let mut gate = both();
    gate.step(Command::Cancel { requester_id: "ann".to_owned(), reason: String::new() }, us(501 * S));
    let mut over = told("c", 20_000);
    over.decision = Some(4);
    over.end = Some(JobFinalStatus {
        manager: node("m-c"),
        status: FinalStatus::Timeout,
        reason: String::new(),
        kind: Some(TimeoutKind::GlobalDecision),
        fence_token: token(1),
        provisional: false,
    });
    let step = gate.step(recall("c", over), us(502 * S));
    assert_eq!(names(&step), ["leader_changed", "recalled", "datacenter_ended"]);
}

#[test]
fn a_datacenter_whose_time_is_over_tells_so() {
    let (mut gate, _) = rebuilt();
    let mut waits = told("b", 20_000);
    waits.timeout = Some(JobTimeoutReport {
        manager: node("m-b"),
        manager_addr: "b:1".to_owned(),
        reason: "stuck".to_owned(),
        kind: TimeoutKind::Stuck,
        elapsed_ms: 1,
        effective_timeout_ms: None,
        fence_token: token(1),
    });
    let step = gate.step(recall("b", waits), us(501 * S));
    assert_eq!(names(&step), ["leader_changed", "recalled", "datacenter_timed_out"]);
    assert_eq!(gate.state().datacenters().unwrap()[&id("b")].status, DcStatus::TimedOut);
}

#[test]
fn a_datacenter_where_the_job_has_ended_holds_up_no_decision() {
    let mut gate = both();
    assert!(run(&gate).held_until().is_some());
    let number = errands(&gate).into_iter().find(|(_, dc, _)| dc == "c").unwrap().0;
    let outcome = AckOutcome::AlreadyFinal(FinalStatus::Completed);
    let ack = ReportAck { outcome, fence_token: token(7), leader_addr: None };
    gate.step(message("c", number, Body::ReportAck(ack)), us(501 * S));
    assert_eq!(run(&gate).datacenters[&id("c")].final_status, Some(FinalStatus::Completed));
    assert_eq!(run(&gate).held_until(), None);
    // Twenty seconds old at 500 s, a hundred may it take: nothing else is waited for.
    assert_eq!(gate.due(), Some(us(580 * S + 1)));
}

#[test]
fn a_datacenter_that_does_not_have_the_job_gets_it() {
    let (mut gate, _) = rebuilt();
    let number = errands(&gate).into_iter().find(|(_, dc, _)| dc == "c").unwrap().0;
    let unknown = |fence| {
        let ack = ReportAck { outcome: AckOutcome::UnknownJob, fence_token: token(fence), leader_addr: None };
        message("c", number, Body::ReportAck(ack))
    };
    // It shows the token of an earlier run, which is stale in this one.
    let step = gate.step(unknown(7), us(501 * S));
    assert_eq!(names(&step), ["leader_changed", "delivered"]);
    let handed_out = sent(&step).into_iter().find_map(|message| match message.body {
        Body::JobDispatch(sent) => Some((message.datacenter, sent)),
        _ => None,
    });
    let (to, sent) = handed_out.unwrap();
    assert_eq!((to, sent.plan.gate_epoch, sent.charter.epoch), (id("c"), epoch(3), epoch(3)));
    assert_eq!(sent.charter.targets.len(), 3);
    let early = gate.step(ends("c", 7, FinalStatus::Failed, false), us(502 * S));
    assert_eq!(outcome(&early), AckOutcome::Stale);
    let first =
        gate.step(progress("c", JobProgressReport { fence_token: token(8), ..report("c", 1) }), us(503 * S));
    assert_eq!(outcome(&first), AckOutcome::Accepted);
    assert!(gate.step(unknown(7), us(504 * S)).events.is_empty());
    assert!(kinds(&gate).contains(&pair("c", "gate_transfer")), "it hears of the later epoch");
}

#[test]
fn a_rebuilt_run_keeps_the_epoch_it_began_in_whoever_refuses_it() {
    let (mut gate, _) = rebuilt();
    let number = errands(&gate).into_iter().find(|(_, dc, _)| dc == "c").unwrap().0;
    let ack = ReportAck { outcome: AckOutcome::UnknownJob, fence_token: token(0), leader_addr: None };
    gate.step(message("c", number, Body::ReportAck(ack)), us(501 * S));
    let mut earlier = told("c", 20_000);
    (earlier.charter.epoch, earlier.highest_epoch) = (epoch(2), epoch(4));
    assert!(gate.step(recall("c", earlier), us(502 * S)).events.is_empty());
    assert_eq!(run(&gate).epoch, epoch(3));
    // Nor when a higher one is adopted while it is still being handed out.
    assert!(kinds(&gate).contains(&pair("c", "dispatch")));
    let mut later = told("b", 20_000);
    (later.gate.epoch, later.highest_epoch) = (epoch(8), epoch(8));
    gate.step(recall("b", later), us(503 * S));
    assert_eq!((gate.state().gate_epoch, run(&gate).epoch), (epoch(9), epoch(3)));
}

#[test]
fn who_ends_by_the_decision_is_waited_for_no_longer() {
    let mut gate = both();
    gate.step(Command::Tick, us(680 * S));
    assert_eq!(rule(&gate), Some(GlobalRule::Overall));
    let asked = |what| errands(&gate).into_iter().find(|(_, dc, kind)| dc == "c" && *kind == what);
    let (number, ..) = asked("global_timeout").unwrap();
    assert!(asked("recall").is_some());
    let outcome = AckOutcome::AlreadyFinal(FinalStatus::Completed);
    let ack = ReportAck { outcome, fence_token: token(7), leader_addr: None };
    gate.step(message("c", number, Body::GlobalTimeoutAck(ack)), us(681 * S));
    assert!(kinds(&gate).iter().all(|(dc, _)| dc != "c"));
    assert!(run(&gate).rebuilt.as_ref().unwrap().unheard.is_empty());
}

#[test]
fn what_is_to_end_is_not_handed_out_again() {
    let (mut gate, _) = rebuilt();
    let stop = Command::Cancel { requester_id: "ann".to_owned(), reason: String::new() };
    gate.step(stop, us(501 * S));
    let number = errands(&gate).into_iter().find(|(_, dc, what)| dc == "c" && *what == "recall").unwrap().0;
    let ack = ReportAck { outcome: AckOutcome::UnknownJob, fence_token: token(0), leader_addr: None };
    gate.step(message("c", number, Body::ReportAck(ack)), us(502 * S));
    assert!(!kinds(&gate).contains(&pair("c", "dispatch")));
    assert!(!kinds(&gate).contains(&pair("c", "recall")));
}

#[test]
fn a_higher_epoch_that_another_manager_saw_is_adopted() {
    let (mut gate, _) = rebuilt();
    let mut later = told("b", 20_000);
    (later.gate.epoch, later.highest_epoch) = (epoch(8), epoch(8));
    let step = gate.step(recall("b", later), us(501 * S));
    assert_eq!(step.events[0], Event::EpochAdopted { gate_epoch: epoch(9), at: us(501 * S) });
    assert_eq!((gate.state().gate_epoch, run(&gate).epoch), (epoch(9), epoch(3)));
    let transfers = sent(&step).into_iter().filter(|message| match &message.body {
        Body::JobLeaderGateTransfer(transfer) => transfer.gate_epoch == epoch(9),
        _ => false,
    });
    assert_eq!(transfers.count(), 3, "everybody hears of it");
}

#[test]
fn an_epoch_that_another_gate_led_under_is_not_led_under() {
    let (mut gate, _) = rebuilt();
    let mut other = told("b", 20_000);
    (other.gate.epoch, other.highest_epoch, other.gate.incarnation) = (epoch(6), epoch(6), Some(2));
    let step = gate.step(recall("b", other), us(501 * S));
    assert_eq!(step.events[0], Event::EpochAdopted { gate_epoch: epoch(7), at: us(501 * S) });
}

#[test]
fn a_later_run_takes_the_place_of_one_that_was_rebuilt_by_mistake_and_an_earlier_one_does_not() {
    let (mut gate, _) = rebuilt();
    let mut later = told("b", 20_000);
    later.charter.epoch = epoch(5);
    let step = gate.step(recall("b", later), us(501 * S));
    assert_eq!(names(&step)[0], "rebuilt");
    assert_eq!((run(&gate).epoch, gate.state().gate_epoch), (epoch(5), epoch(7)));
    let earlier = gate.step(recall("a", told("a", 20_000)), us(502 * S));
    assert_eq!((earlier.events.len(), earlier.effects.len()), (0, 0));
    // What was seen of its leader while the earlier run was taken for the one under way may be of the later.
    let mut same = told("a", 20_000);
    same.charter.epoch = epoch(5);
    assert_eq!(outcome(&gate.step(recall("a", same), us(503 * S))), AckOutcome::Accepted);
}

#[test]
fn a_gate_that_began_anew_without_memory_hands_out_under_a_later_epoch() {
    let mut gate = tracked(&["a", "b", "c"], Some(100_000));
    let step = gate.step(recall("b", told("b", 20_000)), us(S));
    assert_eq!(names(&step), ["epoch_adopted"]);
    let epochs = sent(&step).into_iter().filter_map(|message| match message.body {
        Body::JobDispatch(sent) => Some(sent.plan.gate_epoch),
        _ => None,
    });
    assert_eq!(epochs.collect::<Vec<_>>(), [epoch(6); 3]);
    let again = gate.step(recall("b", told("b", 20_000)), us(2 * S));
    assert!(again.events.is_empty() && again.effects.is_empty(), "an earlier run tells nothing of this one");
}

#[test]
fn what_is_refused_for_the_epoch_of_its_run_is_handed_out_under_a_later_one() {
    let mut gate = tracked(&["a", "b", "c"], Some(100_000));
    for n in 2..=7 {
        let to = Leader { node: id("g"), incarnation: n };
        gate.step(Command::Transfer { to, addr: "g:1".to_owned() }, us(1));
    }
    // The gate leads under epoch 7, and its dispatches show epoch 1.
    let step = gate.step(recall("b", told("b", 20_000)), us(S));
    assert_eq!(step.events, [Event::EpochAdopted { gate_epoch: epoch(8), at: us(S) }]);
    assert_eq!(run(&gate).epoch, epoch(8));
}

#[test]
fn a_recall_of_no_use_is_refused_and_epochs_never_start_again() {
    let refused = |told: JobRecall| {
        let step = G::default().step(recall("a", told), us(S));
        assert!(step.events.is_empty() && step.effects.is_empty());
        step.reply.unwrap_err()
    };
    let mut elsewhere = told("a", 1);
    elsewhere.charter.targets.remove(0);
    assert_eq!(refused(elsewhere), Rejection::UnknownDatacenter { datacenter: id("a") });
    let mut last = told("a", 1);
    last.highest_epoch = epoch(u64::MAX);
    assert_eq!(refused(last), Rejection::EpochsExhausted);
    let mut none = told("a", 1);
    none.charter.targets.clear();
    assert_eq!(refused(none), Rejection::NoTargets);
    let known = Datacenters::of(|dc| dc.as_str() != "b");
    let step = G::new(known).step(recall("a", told("a", 1)), us(S));
    assert_eq!(step.reply, Err(Rejection::UnknownDatacenter { datacenter: id("b") }));
}
