//! The rules at their exact boundaries, and what is sent, fenced, corrected and given up.

use super::event::{FenceRejected, Tracked};
use super::*;
use crate::jobs::protocol::limits::{MAX_ADDR_BYTES, MAX_SPAN_MS};
use crate::jobs::protocol::message::*;
use crate::jobs::protocol::payload::Payloads;
use crate::jobs::protocol::token::{FenceToken, GateEpoch};
use crate::kernel::driver::{Driver, Step};

#[path = "gate_early_test.rs"]
mod early;
#[path = "gate_life_test.rs"]
mod life;
#[path = "gate_moves_test.rs"]
mod moves;
#[path = "gate_rebuild_test.rs"]
mod rebuild;
#[path = "gate_succession_test.rs"]
mod succession;

pub(super) type G = Driver<GateMachine>;

pub(super) const S: i64 = 1_000_000;

pub(super) fn us(us: i64) -> Timestamp {
    Timestamp::from_micros(us)
}

pub(super) fn id(name: &str) -> EntityId {
    EntityId::new(name).unwrap()
}

pub(super) fn node(name: &str) -> Leader {
    Leader { node: id(name), incarnation: 1 }
}

pub(super) fn token(number: u64) -> FenceToken {
    FenceToken::shown(number)
}

pub(super) fn plan(timeout_ms: Option<u64>) -> JobDispatch {
    JobDispatch {
        timeout_ms,
        stuck_threshold_ms: 120_000,
        workflows: vec![WorkflowPlan { workflow_id: id("w"), depends_on: Vec::new(), worker_id: None }],
        class: None,
        timeout_rule: "gate_coordinated".to_owned(),
        settings: crate::jobs::manager::Settings::default(),
        gate_epoch: GateEpoch::NONE,
        gate_addr: "gate:1".into(),
    }
}

pub(super) fn asked(dcs: &[&str], timeout_ms: Option<u64>, settings: Settings) -> Track {
    let target = |dc: &&str| Target {
        datacenter: id(dc),
        manager: node(&format!("m-{dc}")),
        manager_addr: format!("{dc}:1"),
    };
    Track {
        job_id: id("j"),
        gate: node("g"),
        gate_addr: "g:1".to_owned(),
        targets: dcs.iter().map(target).collect(),
        plan: plan(timeout_ms),
        settings,
        payloads: Default::default(),
    }
}

/// A job in these datacenters since 0; nothing was heard of any.
pub(super) fn tracked(dcs: &[&str], timeout_ms: Option<u64>) -> G {
    with(dcs, timeout_ms, TimeoutPolicy::Majority)
}

pub(super) fn with(dcs: &[&str], timeout_ms: Option<u64>, dc_timeout_policy: TimeoutPolicy) -> G {
    let settings = Settings { dc_timeout_policy, ..Settings::default() };
    let mut gate = G::default();
    let step = gate.step(Command::Track(Box::new(asked(dcs, timeout_ms, settings))), us(0));
    assert_eq!(step.reply, Ok(Reply::Tracked { gate_epoch: GateEpoch::shown(1), new: true }));
    gate
}

pub(super) fn message(dc: &str, number: u64, body: Body) -> Command {
    let from = Party::Manager { datacenter: id(dc), node: node(&format!("m-{dc}")) };
    let to = Party::Gate(id("g"));
    Command::Receive(Box::new(Message {
        job_id: id("j"),
        datacenter: id(dc),
        from,
        to,
        number,
        body,
        signal: None,
    }))
}

/// What a datacenter reports under token 1.
pub(super) fn report(dc: &str, seq: u64) -> JobProgressReport {
    JobProgressReport {
        manager: node(&format!("m-{dc}")),
        manager_addr: format!("{dc}:1"),
        workflows_total: 4,
        workflows_completed: 0,
        workflows_failed: 0,
        has_recent_progress: false,
        timestamp_ms: 0,
        fence_token: token(1),
        total_extensions_granted_ms: 0,
        max_worker_extension_ms: 0,
        workers_with_extensions: 0,
        report_seq: seq,
        elapsed_ms: seq,
        idle_ms: 0,
    }
}

pub(super) fn progress(dc: &str, report: JobProgressReport) -> Command {
    message(dc, 0, Body::JobProgressReport(report))
}

pub(super) fn over(dc: &str, given: u64) -> Command {
    let report = JobTimeoutReport {
        manager: node(&format!("m-{dc}")),
        manager_addr: format!("{dc}:1"),
        reason: "stuck".to_owned(),
        kind: TimeoutKind::Stuck,
        elapsed_ms: 1,
        effective_timeout_ms: None,
        fence_token: token(given),
    };
    message(dc, 5, Body::JobTimeoutReport(report))
}

pub(super) fn ends(dc: &str, given: u64, status: FinalStatus, provisional: bool) -> Command {
    let report = JobFinalStatus {
        manager: node(&format!("m-{dc}")),
        status,
        reason: String::new(),
        kind: None,
        fence_token: token(given),
        provisional,
    };
    message(dc, 6, Body::JobFinalStatus(report))
}

pub(super) fn sent(step: &Step<GateMachine>) -> Vec<Message> {
    step.effects.iter().map(|Effect::Send(message)| (**message).clone()).collect()
}

/// Who is sent what under which number, without answers.
pub(super) fn errands(gate: &G) -> Vec<(u64, String, &'static str)> {
    let entry =
        |errand: &super::outbox::Errand| (errand.number, errand.datacenter.to_string(), errand.what.name());
    gate.state().outbox().map(entry).collect()
}

pub(super) fn names(step: &Step<GateMachine>) -> Vec<&'static str> {
    step.events.iter().map(Event::name).collect()
}

pub(super) fn outcome(step: &Step<GateMachine>) -> AckOutcome {
    let Some(Effect::Send(message)) = step.effects.first() else { panic!("no answer in {step:?}") };
    let Body::ReportAck(ack) = &message.body else { panic!("no answer but {message:?}") };
    ack.outcome
}

pub(super) fn rule(gate: &G) -> Option<GlobalRule> {
    let state = gate.state();
    let run = state.run.as_ref().and_then(|run| run.decision.as_ref());
    run.or(state.finished.as_ref().and_then(|f| f.decision.as_ref())).map(|d| d.rule)
}

fn status(gate: &G) -> Option<FinalStatus> {
    gate.state().finished.as_ref().map(|finished| finished.status)
}

#[test]
fn a_job_is_tracked_before_it_is_dispatched_and_its_targets_stay() {
    let mut gate = G::default();
    let step = gate.step(Command::Track(Box::new(asked(&["b", "a"], None, Settings::default()))), us(7));
    assert_eq!(names(&step), ["tracked"]);
    let dispatched: Vec<_> = sent(&step).into_iter().map(|m| (m.number, m.datacenter.to_string())).collect();
    assert_eq!(dispatched, [(1, "a".to_owned()), (2, "b".to_owned())]);
    let again = gate.step(Command::Track(Box::new(asked(&["a", "b"], None, Settings::default()))), us(8));
    assert_eq!((again.events.len(), again.effects.len()), (0, 0));
    assert_eq!(again.reply, Ok(Reply::Tracked { gate_epoch: GateEpoch::shown(1), new: false }));
    let mut once = asked(&["a", "b"], None, Settings::default());
    once.plan.settings.max_attempts = 1;
    for other in [
        asked(&["a"], None, Settings::default()),
        asked(&["a", "b"], Some(1), Settings::default()),
        asked(&["a", "b"], None, Settings { stuck_ms: 1, ..Settings::default() }),
        once,
    ] {
        let refused = gate.step(Command::Track(Box::new(other)), us(9));
        assert_eq!(refused.reply, Err(Rejection::AlreadyTracked { gate_epoch: GateEpoch::shown(1) }));
    }
}

#[test]
fn targets_are_named_once_and_known_and_numbers_are_inside_their_bounds() {
    let refused = |track: Track| {
        let known = Datacenters::of(|dc| dc.as_str() != "nowhere");
        let mut gate = G::new(known);
        let step = gate.step(Command::Track(Box::new(track)), us(0));
        assert!(step.events.is_empty() && step.effects.is_empty());
        step.reply.unwrap_err()
    };
    let plain = Settings::default();
    assert_eq!(refused(asked(&[], None, plain)), Rejection::NoTargets);
    assert_eq!(refused(asked(&["a", "a"], None, plain)), Rejection::DuplicateTarget { datacenter: id("a") });
    let unknown = Rejection::UnknownDatacenter { datacenter: id("nowhere") };
    assert_eq!(refused(asked(&["a", "nowhere"], None, plain)), unknown);
    let field = |rejection| match rejection {
        Rejection::Invalid { field, given, .. } => (field, given),
        other => panic!("{other:?}"),
    };
    let zero = |text: &str| text.to_owned();
    assert_eq!(field(refused(asked(&["a"], Some(0), plain))), ("timeout_ms", zero("0")));
    assert_eq!(field(refused(asked(&["a"], Some(MAX_SPAN_MS + 1), plain))).0, "timeout_ms");
    assert_eq!(field(refused(asked(&["a"], None, Settings { stuck_ms: 0, ..plain }))).0, "stuck_ms");
    assert_eq!(field(refused(asked(&["a"], None, Settings { abandon_ms: 0, ..plain }))).0, "abandon_ms");
    let many: Vec<String> = (0..=MAX_TARGETS).map(|n| format!("d{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(field(refused(asked(&many, None, plain))).0, "targets");
    let mut long = asked(&["a"], None, plain);
    long.targets[0].manager_addr = "x".repeat(MAX_ADDR_BYTES + 1);
    assert_eq!(field(refused(long)).0, "manager_addr");
}

#[test]
fn at_exactly_its_timeout_a_job_is_alive_and_a_microsecond_later_it_is_not() {
    let mut gate = tracked(&["a", "b"], Some(100_000));
    assert_eq!(gate.due(), Some(us(100 * S + 1)));
    assert!(gate.step(Command::Tick, us(100 * S)).events.is_empty());
    let step = gate.step(Command::Tick, us(100 * S + 1));
    assert_eq!((names(&step), rule(&gate)), (vec!["declared"], Some(GlobalRule::Overall)));
}

#[test]
fn the_largest_extension_of_any_datacenter_moves_the_budget() {
    let mut gate = tracked(&["a", "b"], Some(100_000));
    let extended = |ms, seq| JobProgressReport { total_extensions_granted_ms: ms, ..report("a", seq) };
    gate.step(progress("a", extended(15_000, 1)), us(S));
    assert_eq!(gate.due(), Some(us(115 * S + 1)));
    let smaller = JobProgressReport { total_extensions_granted_ms: 2_000, ..report("b", 1) };
    gate.step(progress("b", smaller), us(2 * S));
    gate.step(progress("a", extended(5_000, 2)), us(3 * S));
    assert_eq!(gate.due(), Some(us(115 * S + 1)));
    gate.step(ends("a", 1, FinalStatus::Completed, false), us(4 * S));
    assert_eq!(gate.due(), Some(us(115 * S + 1)));
    assert!(gate.settle(us(115 * S)).events.is_empty());
    assert_eq!(gate.settle(us(115 * S + 1)).events.len(), 1);
}

#[test]
fn a_job_is_stuck_at_exactly_the_threshold_when_all_that_runs_is_stuck() {
    let mut gate = tracked(&["a", "b"], None);
    let moved = JobProgressReport { has_recent_progress: true, ..report("b", 1) };
    gate.step(progress("b", moved), us(10 * S));
    assert_eq!(gate.due(), Some(us(190 * S)));
    assert!(gate.step(Command::Tick, us(190 * S - 1)).events.is_empty());
    assert_eq!(names(&gate.step(Command::Tick, us(190 * S))), ["declared"]);
    assert_eq!(rule(&gate), Some(GlobalRule::AllStuck));
}

#[test]
fn when_budget_and_silence_end_together_the_budget_is_named() {
    let mut gate = tracked(&["a"], Some(179_999));
    assert_eq!(gate.due(), Some(us(179_999_001)));
    gate.step(Command::Tick, us(181 * S));
    assert_eq!(rule(&gate), Some(GlobalRule::Overall));
}

#[test]
fn silence_ends_only_when_something_moved() {
    let mut gate = tracked(&["a"], None);
    let mut seq = 0;
    let mut send = |gate: &mut G, at: i64, change: fn(&mut JobProgressReport)| {
        seq += 1;
        let mut said = report("a", seq);
        change(&mut said);
        gate.step(progress("a", said), us(at * S));
        gate.due().unwrap().as_micros() / S - 180
    };
    assert_eq!(send(&mut gate, 1, |_| {}), 1, "the first workflows are news");
    assert_eq!(send(&mut gate, 2, |_| {}), 1);
    assert_eq!(send(&mut gate, 3, |said| said.has_recent_progress = true), 3);
    assert_eq!(send(&mut gate, 4, |said| said.workflows_completed = 1), 4);
    assert_eq!(send(&mut gate, 5, |said| said.workflows_completed = 1), 4);
    assert_eq!(send(&mut gate, 6, |said| said.workflows_failed = 1), 6, "and one completed less");
    assert_eq!(send(&mut gate, 7, |said| said.total_extensions_granted_ms = 9), 7);
    assert_eq!(send(&mut gate, 8, |said| said.workers_with_extensions = 9), 7);
    assert_eq!(send(&mut gate, 9, |said| said.max_worker_extension_ms = 9), 7);
}

#[test]
fn a_report_with_nothing_new_is_answered_and_not_written() {
    let mut gate = tracked(&["a"], None);
    assert_eq!(names(&gate.step(progress("a", report("a", 1)), us(1))), ["leader_changed", "progressed"]);
    let same = gate.step(progress("a", report("a", 2)), us(2));
    assert_eq!((same.events.len(), outcome(&same)), (0, AckOutcome::Accepted));
}

#[test]
fn reports_are_ordered_by_token_and_number() {
    let mut gate = tracked(&["a"], None);
    let said = |seq, completed, given| JobProgressReport {
        workflows_completed: completed,
        fence_token: token(given),
        ..report("a", seq)
    };
    gate.step(progress("a", said(7, 2, 1)), us(1));
    for late in [6, 7] {
        let step = gate.step(progress("a", said(late, 3, 1)), us(2));
        assert_eq!((step.events.len(), outcome(&step)), (0, AckOutcome::Accepted));
    }
    assert_eq!(names(&gate.step(progress("a", said(0, 1, 2)), us(3))), ["leader_changed", "progressed"]);
    assert_eq!(gate.state().run.as_ref().unwrap().datacenters[&id("a")].totals.workflows_completed, 1);
}

#[test]
fn all_workflows_completed_is_provisional_and_none_at_all_is_not_completed() {
    let mut gate = tracked(&["a"], None);
    let shown = |gate: &G| gate.state().status(us(0)).unwrap().datacenters[0].clone();
    gate.step(progress("a", JobProgressReport { workflows_total: 0, ..report("a", 1) }), us(1));
    assert_eq!(shown(&gate).status, "running");
    gate.step(progress("a", JobProgressReport { workflows_completed: 4, ..report("a", 2) }), us(2));
    assert_eq!((&*shown(&gate).status, shown(&gate).is_final), ("completed", false));
    gate.step(progress("a", JobProgressReport { workflows_completed: 3, ..report("a", 3) }), us(3));
    assert_eq!(shown(&gate).status, "running");
    gate.step(ends("a", 1, FinalStatus::Failed, false), us(4));
    assert_eq!((&*shown(&gate).status, shown(&gate).is_final), ("failed", true));
    assert_eq!(status(&gate), Some(FinalStatus::Failed));
}

#[test]
fn time_is_over_when_more_than_half_say_so() {
    let mut gate = tracked(&["a", "b", "c", "d"], None);
    gate.step(over("a", 1), us(1));
    gate.step(over("b", 1), us(2));
    assert_eq!(rule(&gate), None, "two of four are not more than half");
    let step = gate.step(over("c", 1), us(3));
    assert_eq!(names(&step), ["leader_changed", "datacenter_timed_out", "declared"]);
    assert_eq!(rule(&gate), Some(GlobalRule::MajorityTimedOut));
}

#[test]
fn datacenters_that_have_ended_count_among_all() {
    let mut gate = tracked(&["a", "b", "c"], None);
    gate.step(ends("a", 1, FinalStatus::Completed, false), us(1));
    gate.step(over("b", 1), us(2));
    assert_eq!(rule(&gate), None, "one of three, though one of two that are left");
    gate.step(ends("c", 1, FinalStatus::Completed, false), us(3));
    assert_eq!(rule(&gate), Some(GlobalRule::NoneRunning));
}

#[test]
fn when_time_is_over_wherever_it_runs_it_is_over_everywhere() {
    let mut gate = with(&["a", "b"], None, TimeoutPolicy::All);
    gate.step(over("a", 1), us(1));
    assert_eq!(rule(&gate), None);
    gate.step(over("b", 1), us(2));
    assert_eq!(rule(&gate), Some(GlobalRule::NoneRunning));
    let mut one = with(&["a"], None, TimeoutPolicy::All);
    one.step(over("a", 1), us(1));
    assert_eq!(rule(&one), Some(GlobalRule::NoneRunning), "also with a single datacenter");
}

#[test]
fn the_policy_says_how_many_are_enough() {
    let mut any = with(&["a", "b", "c"], None, TimeoutPolicy::Any);
    any.step(over("a", 1), us(1));
    assert_eq!(rule(&any), Some(GlobalRule::AnyTimedOut));
    let mut without = with(&["a", "b", "c"], None, TimeoutPolicy::AnyWithoutExtensions);
    let extended = JobProgressReport { total_extensions_granted_ms: 1, ..report("a", 1) };
    without.step(progress("a", extended), us(1));
    without.step(over("a", 1), us(2));
    assert_eq!(rule(&without), None);
    without.step(over("b", 1), us(3));
    assert_eq!(rule(&without), Some(GlobalRule::AnyTimedOut));
}

#[test]
fn those_that_wait_for_a_decision_do_not_hold_up_those_that_are_stuck() {
    let mut gate = with(&["a", "b", "c"], None, TimeoutPolicy::All);
    gate.step(over("a", 1), us(100 * S));
    assert_eq!(gate.due(), Some(us(180 * S)));
}

#[test]
fn a_decision_goes_to_all_that_have_not_ended_each_with_its_own_token() {
    let mut gate = tracked(&["a", "b", "c"], Some(1_000));
    gate.step(ends("a", 1, FinalStatus::Timeout, false), us(1));
    gate.step(progress("b", JobProgressReport { fence_token: token(7), ..report("b", 1) }), us(2));
    let step = gate.step(Command::Tick, us(S + 1));
    let told: Vec<_> = sent(&step)
        .into_iter()
        .map(|message| match message.body {
            Body::JobGlobalTimeout(told) => (
                message.datacenter.to_string(),
                told.fence_token.get(),
                told.gate_epoch.get(),
                told.decision_id,
            ),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(told, [("b".to_owned(), 7, 1, 1), ("c".to_owned(), 0, 1, 1)]);
    assert!(gate.state().run.as_ref().unwrap().plan.is_none(), "nothing is dispatched any more");
    assert!(gate.step(over("b", 7), us(2 * S)).events.iter().all(|event| event.name() != "declared"));
}

#[test]
fn a_refused_decision_is_sent_again_at_once_with_the_token_that_holds() {
    let mut gate = tracked(&["a"], Some(1_000));
    gate.settle(us(S + 1));
    let number = errands(&gate)[0].0;
    let nack = |outcome, given| {
        let leader_addr = Some("a:9".to_owned());
        Body::GlobalTimeoutAck(ReportAck { outcome, fence_token: token(given), leader_addr })
    };
    let step = gate.step(message("a", number, nack(AckOutcome::Stale, 4)), us(2 * S));
    assert_eq!(names(&step), ["leader_changed"]);
    let again = sent(&step);
    assert_eq!((again.len(), again[0].number), (1, number + 1));
    assert!(matches!(&again[0].body, Body::JobGlobalTimeout(told) if told.fence_token == token(4)));
    let old = gate.step(message("a", number, nack(AckOutcome::Accepted, 4)), us(3 * S));
    assert!(old.events.is_empty(), "the old number was never answered");
    let lost = gate.step(message("a", number + 1, nack(AckOutcome::UnknownJob, 0)), us(3 * S));
    assert_eq!((lost.events.len(), errands(&gate).len()), (0, 1), "it had it, and its record is gone");
    let taken = gate.step(message("a", number + 1, nack(AckOutcome::Accepted, 4)), us(4 * S));
    assert_eq!((names(&taken), errands(&gate).len()), (vec!["delivered"], 0));
    assert_eq!(gate.state().status(us(0)).unwrap().datacenters[0].decision_ack, Some(AckOutcome::Accepted));
}

#[test]
fn an_undelivered_decision_goes_to_a_new_leader_at_once() {
    let mut gate = tracked(&["a"], Some(1_000));
    gate.settle(us(S + 1));
    let transfer = Body::JobLeaderTransfer(JobLeaderTransfer {
        new_leader: node("n"),
        new_leader_addr: "n:1".to_owned(),
        fence_token: token(3),
        elapsed_ms: 0,
        idle_ms: 0,
    });
    let step = gate.step(message("a", 9, transfer.clone()), us(2 * S));
    let to = Party::Manager { datacenter: id("a"), node: node("n") };
    assert_eq!(outcome(&step), AckOutcome::Accepted);
    assert!(sent(&step).iter().any(|m| m.to == to && matches!(m.body, Body::JobGlobalTimeout(_))));
    let again = gate.step(message("a", 9, transfer), us(3 * S));
    assert_eq!((again.events.len(), again.effects.len()), (0, 1), "a repeat is only answered");
}

#[test]
fn a_transfer_under_the_token_of_another_leader_is_refused() {
    let mut gate = tracked(&["a"], None);
    gate.step(progress("a", report("a", 1)), us(1));
    let transfer = Body::JobLeaderTransfer(JobLeaderTransfer {
        new_leader: Leader { incarnation: 2, ..node("m-a") },
        new_leader_addr: "a:1".to_owned(),
        fence_token: token(1),
        elapsed_ms: 0,
        idle_ms: 0,
    });
    let step = gate.step(message("a", 9, transfer), us(2));
    assert_eq!(step.reply, Err(Rejection::OtherLeader { held: token(1), leader: id("m-a") }));
    assert_eq!((names(&step), outcome(&step)), (vec!["fence_rejected"], AckOutcome::Stale));
}

#[test]
fn a_stale_report_has_no_effect_and_is_recorded_once_until_the_leader_changes() {
    let mut gate = tracked(&["a"], None);
    gate.step(progress("a", JobProgressReport { fence_token: token(2), ..report("a", 1) }), us(1));
    let before = gate.state().clone();
    let step = gate.step(ends("a", 1, FinalStatus::Failed, false), us(2));
    assert_eq!(step.reply, Err(Rejection::Stale { held: token(2), given: token(1) }));
    let noted = FenceRejected {
        datacenter: id("a"),
        message: "job_final_status".to_owned(),
        leader: node("m-a"),
        held: token(2),
        given: token(1),
        at: us(2),
    };
    assert_eq!((step.events.clone(), outcome(&step)), (vec![Event::FenceRejected(noted)], AckOutcome::Stale));
    assert_eq!(gate.state().run.as_ref().unwrap().outbox, before.run.unwrap().outbox);
    for command in [ends("a", 1, FinalStatus::Failed, false), ends("a", 1, FinalStatus::Completed, false)] {
        let again = gate.step(command, us(3));
        assert_eq!((again.events.len(), outcome(&again)), (0, AckOutcome::Stale));
    }
    assert_eq!(names(&gate.step(over("a", 1), us(4))), ["fence_rejected"]);
    gate.step(over("a", 3), us(5));
    assert_eq!(names(&gate.step(over("a", 1), us(6))), ["fence_rejected"]);
    assert_eq!(
        gate.step(over("a", 0), us(7)).reply,
        Err(Rejection::Stale { held: token(3), given: token(0) })
    );
}

#[test]
fn an_old_leader_cannot_fill_the_record() {
    let mut gate = tracked(&["a"], None);
    gate.step(over("a", 1_000), us(1));
    let written: usize = (1..1_000).map(|given| gate.step(over("a", given), us(2)).events.len()).sum();
    assert_eq!(written, 16);
}

#[test]
fn a_final_status_beats_a_timeout_and_nothing_beats_a_final_status() {
    let mut gate = tracked(&["a", "b"], None);
    gate.step(over("a", 1), us(1));
    assert_eq!(names(&gate.step(ends("a", 1, FinalStatus::Completed, false), us(2))), ["datacenter_ended"]);
    for (command, answer) in [
        (over("a", 2), AckOutcome::AlreadyFinal(FinalStatus::Completed)),
        (ends("a", 2, FinalStatus::Failed, false), AckOutcome::AlreadyFinal(FinalStatus::Completed)),
        (ends("a", 2, FinalStatus::Completed, false), AckOutcome::Accepted),
        (
            progress("a", JobProgressReport { fence_token: token(2), ..report("a", 9) }),
            AckOutcome::AlreadyFinal(FinalStatus::Completed),
        ),
    ] {
        let step = gate.step(command, us(3));
        assert!(step.events.iter().all(|event| event.name() == "leader_changed"), "{:?}", step.events);
        assert_eq!(outcome(&step), answer);
    }
}

#[test]
fn a_provisional_status_can_be_corrected_and_a_timeout_of_the_same_leader_does_not() {
    let mut gate = tracked(&["a"], None);
    gate.step(ends("a", 1, FinalStatus::Failed, true), us(1));
    assert!(gate.step(ends("a", 1, FinalStatus::Failed, true), us(1)).events.is_empty());
    assert!(gate.step(over("a", 1), us(2)).events.is_empty());
    assert_eq!(status(&gate), None);
    let step = gate.step(ends("a", 1, FinalStatus::Completed, false), us(3));
    assert!(matches!(&step.events[0], Event::DatacenterEnded { corrects: true, .. }));
    assert_eq!(status(&gate), Some(FinalStatus::Completed));
    let mut gate = tracked(&["a", "b"], None);
    gate.step(ends("a", 1, FinalStatus::Failed, true), us(1));
    assert_eq!(names(&gate.step(over("a", 2), us(2))), ["leader_changed", "datacenter_timed_out"]);
}

#[test]
fn the_whole_ends_as_its_parts_say() {
    use FinalStatus::{Cancelled, Completed, Failed, Timeout};
    for (a, b, whole) in [
        (Completed, Completed, Completed),
        (Completed, Timeout, Timeout),
        (Completed, Cancelled, Cancelled),
        (Timeout, Cancelled, Cancelled),
        (Cancelled, Failed, Failed),
        (Timeout, Failed, Failed),
    ] {
        let mut gate = tracked(&["a", "b"], None);
        gate.step(ends("a", 1, a, false), us(1));
        assert_eq!(status(&gate), None);
        gate.step(ends("b", 1, b, false), us(2));
        assert_eq!(status(&gate), Some(whole), "{a:?} {b:?}");
        assert_eq!((gate.due(), errands(&gate).len(), errand(gate.state(), us(2))), (None, 0, None));
    }
}
