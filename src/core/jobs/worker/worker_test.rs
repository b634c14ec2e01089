//! Dispatches, transfers, orphans, stops, reports and leaving, event by event.

use super::*;
use crate::jobs::protocol::message::*;
use crate::jobs::protocol::token::FenceToken;
use crate::kernel::driver::{Driver, Step};
use crate::kernel::time::Gap;

#[path = "worker_drops_test.rs"]
mod drops;
#[path = "worker_takes_test.rs"]
mod takes;

type W = Driver<WorkerMachine>;

const S: i64 = 1_000_000;

fn us(us: i64) -> Timestamp {
    Timestamp::from_micros(us)
}

fn id(name: &str) -> EntityId {
    EntityId::new(name).unwrap()
}

fn node(name: &str) -> Leader {
    Leader { node: id(name), incarnation: 1 }
}

fn token(number: u64) -> FenceToken {
    FenceToken::shown(number)
}

fn register(capacity: u32) -> Command {
    Command::Register { worker_id: id("k"), datacenter: id("d"), capacity, settings: Settings::default() }
}

fn worker(capacity: u32) -> W {
    let mut worker = W::default();
    assert_eq!(worker.step(register(capacity), us(0)).reply, Ok(Reply { changed: true }));
    worker
}

fn said(leader: &str, job: &str, number: u64, body: Body) -> Command {
    let from = Party::Manager { datacenter: id("d"), node: node(leader) };
    let to = Party::Worker(id("k"));
    Command::Receive(Box::new(Message {
        job_id: id(job),
        datacenter: id("d"),
        from,
        to,
        number,
        body,
        signal: None,
    }))
}

fn attempt(workflow: &str, attempt: u32, dispatch: u64, fence: u64) -> Command {
    let body = WorkflowDispatch {
        workflow_id: id(workflow),
        attempt,
        dispatch_token: DispatchToken::shown(dispatch),
        fence_token: token(fence),
    };
    said("m", "j", 7, Body::WorkflowDispatch(body))
}

fn dispatch(workflow: &str, number: u64, fence: u64) -> Command {
    attempt(workflow, 1, number, fence)
}

fn transfer(workflows: &[&str], leader: &str, fence: u64) -> Command {
    let body = JobLeaderWorkerTransfer {
        workflow_ids: workflows.iter().map(|name| id(name)).collect(),
        new_manager: node(leader),
        new_manager_addr: format!("{leader}:1"),
        fence_token: token(fence),
        old_manager: None,
    };
    said(leader, "j", 8, Body::JobLeaderWorkerTransfer(body))
}

fn stop(workflows: &[&str], fence: u64) -> Command {
    let workflow_ids = workflows.iter().map(|name| id(name)).collect();
    let body = WorkflowCancel { workflow_ids, reason: "enough".to_owned(), fence_token: token(fence) };
    said("m", "j", 9, Body::WorkflowCancel(body))
}

fn done(workflow: &str, outcome: WorkflowOutcome, completed_count: u64) -> Command {
    let (job_id, workflow_id) = (id("j"), id(workflow));
    let (dispatch_token, result) = (None, None);
    Command::Report(Box::new(Report {
        job_id,
        workflow_id,
        dispatch_token,
        outcome,
        completed_count: Some(completed_count),
        result,
    }))
}

fn acked(number: u64, outcome: AckOutcome, fence: u64) -> Command {
    let ack = ReportAck { outcome, fence_token: token(fence), leader_addr: Some("n:1".to_owned()) };
    said("n", "j", number, Body::ReportAck(ack))
}

fn ack(step: &Step<WorkerMachine>) -> WorkerAck {
    let acks = step.effects.iter().filter_map(|effect| match effect {
        Effect::Send(message) => match &message.body {
            Body::WorkerAck(ack) => Some(ack.clone()),
            _ => None,
        },
        _ => None,
    });
    let acks: Vec<_> = acks.collect();
    assert_eq!(acks.len(), 1, "{step:?}");
    acks[0].clone()
}

fn names(step: &Step<WorkerMachine>) -> Vec<&'static str> {
    step.events.iter().map(Event::name).collect()
}

fn one(workflow: &str, attempt: u32, dispatch: u64) -> Attempt {
    let dispatch_token = DispatchToken::shown(dispatch);
    Attempt { job_id: id("j"), workflow_id: id(workflow), attempt, dispatch_token }
}

/// The number under which the only unanswered message is sent.
fn number(worker: &W) -> u64 {
    let numbers: Vec<u64> = worker.state().outbox.keys().copied().collect();
    assert_eq!(numbers.len(), 1, "{:?}", worker.state().outbox);
    numbers[0]
}

fn leader(worker: &W) -> (String, Option<String>, u64) {
    let job = &worker.state().jobs[&id("j")];
    (job.leader.node.to_string(), job.addr.clone(), job.fence_token.get())
}

#[test]
fn a_dispatch_is_taken_once_and_its_repeat_is_answered_as_the_first_time() {
    let mut worker = worker(2);
    let first = worker.step(dispatch("w", 3, 1), us(1));
    assert_eq!(names(&first), ["dispatched"]);
    assert!(first.effects.contains(&Effect::Start(one("w", 1, 3))));
    let again = worker.step(dispatch("w", 3, 1), us(2));
    assert_eq!((again.events.len(), again.effects.len()), (0, 1));
    assert_eq!(ack(&first), ack(&again));
    assert_eq!((ack(&again).accepted, ack(&again).not_now), (false, Some(NotNow::NotTaken)));
    let held = DispatchToken::shown(3);
    for (command, given) in [(dispatch("w", 2, 1), 2), (attempt("w", 2, 3, 1), 3), (dispatch("x", 0, 1), 0)] {
        let step = worker.step(command, us(3));
        let held = if given == 0 { DispatchToken::NONE } else { held };
        let given = DispatchToken::shown(given);
        assert_eq!(step.reply, Err(Rejection::StaleDispatch { held, given }));
        assert!(step.events.is_empty() && !ack(&step).accepted);
    }
}

#[test]
fn a_repeat_that_comes_after_the_end_starts_nothing() {
    let mut worker = worker(2);
    worker.step(dispatch("w", 3, 1), us(1));
    worker.step(done("w", WorkflowOutcome::Completed, 1), us(2));
    worker.step(acked(number(&worker), AckOutcome::Accepted, 1), us(3));
    let again = worker.step(dispatch("w", 3, 1), us(4));
    assert!(again.events.is_empty() && ack(&again).accepted);
    assert_eq!(ack(&again).workflow_states, [(id("w"), WorkflowOutcome::Completed)]);
}

#[test]
fn a_full_worker_refuses_and_does_not_use_the_token_up() {
    let mut worker = worker(1);
    worker.step(dispatch("w", 1, 1), us(1));
    let full = worker.step(dispatch("x", 2, 1), us(2));
    assert_eq!(full.reply, Err(Rejection::Full { running: 1, capacity: 1 }));
    assert!(full.events.is_empty());
    let reason = ack(&full).rejection_reason;
    assert_eq!(reason.as_deref(), Some("the worker is full. running=1, capacity=1"));
    worker.step(done("w", WorkflowOutcome::Failed, 0), us(3));
    assert_eq!(names(&worker.step(dispatch("x", 2, 1), us(4))), ["dispatched"]);
}

#[test]
fn a_later_attempt_takes_the_place_of_the_one_that_runs() {
    let mut worker = worker(1);
    worker.step(dispatch("w", 1, 1), us(1));
    let step = worker.step(attempt("w", 2, 5, 1), us(2));
    assert_eq!(names(&step), ["dispatched"]);
    assert!(step.effects.contains(&Effect::Abort(one("w", 1, 1))));
    assert!(step.effects.contains(&Effect::Start(one("w", 2, 5))));
    let old = Command::Report(Box::new(Report {
        job_id: id("j"),
        workflow_id: id("w"),
        dispatch_token: Some(DispatchToken::shown(1)),
        outcome: WorkflowOutcome::Completed,
        completed_count: None,
        result: None,
    }));
    let (held, given) = (DispatchToken::shown(5), DispatchToken::shown(1));
    assert_eq!(worker.step(old, us(3)).reply, Err(Rejection::StaleDispatch { held, given }));
}

#[test]
fn a_leader_that_was_replaced_is_refused_and_noted_once() {
    let mut worker = worker(9);
    worker.step(dispatch("w", 1, 4), us(1));
    for (command, name) in [
        (dispatch("x", 2, 3), "workflow_dispatch"),
        (stop(&["w"], 3), "workflow_cancel"),
        (transfer(&["w"], "n", 3), "job_leader_worker_transfer"),
    ] {
        let step = worker.step(command.clone(), us(2));
        assert_eq!(step.reply, Err(Rejection::Stale { held: token(4), given: token(3) }));
        let (job_id, message, at) = (id("j"), name.to_owned(), us(2));
        let noted = Event::FenceRejected { job_id, message, held: token(4), given: token(3), at };
        assert_eq!(step.events, [noted]);
        assert_eq!(ack(&step).fence_token_received, token(4));
        assert!(worker.step(command, us(3)).events.is_empty());
    }
    let written: usize = (1..4_000).map(|n| worker.step(dispatch("x", n, n % 4), us(4)).events.len()).sum();
    assert!(written <= 13, "{written}");
    worker.step(transfer(&["w"], "n", 5), us(5));
    assert_eq!(names(&worker.step(stop(&["w"], 4), us(6))), ["fence_rejected"]);
    assert_eq!(worker.state().running(), 1);
}

#[test]
fn a_transfer_needs_a_higher_token_and_its_repeat_is_acknowledged() {
    let mut worker = worker(9);
    worker.step(dispatch("w", 1, 4), us(1));
    let other = worker.step(transfer(&["w"], "n", 4), us(2));
    assert_eq!(other.reply, Err(Rejection::OtherLeader { held: token(4), leader: id("m") }));
    assert_eq!(names(&other), ["fence_rejected"]);
    let step = worker.step(transfer(&["w"], "n", 5), us(3));
    assert_eq!((names(&step), ack(&step).accepted), (vec!["leader_changed"], true));
    assert_eq!(ack(&step).workflow_states, [], "what it did not take does not run");
    assert_eq!(leader(&worker), ("n".to_owned(), Some("n:1".to_owned()), 5));
    let again = worker.step(transfer(&["w"], "n", 5), us(4));
    assert_eq!((again.events.len(), ack(&again).accepted), (0, true));
}

#[test]
fn a_transfer_that_overtook_its_dispatch_waits_a_minute_for_it() {
    let mut early = worker(9);
    let step = early.step(transfer(&["w"], "n", 5), us(1));
    assert_eq!((names(&step), ack(&step).accepted), (vec!["transfer_parked"], true));
    assert!(early.step(transfer(&["w"], "n", 5), us(2)).events.is_empty());
    assert_eq!(
        early.step(transfer(&["w"], "o", 5), us(2)).reply.unwrap_err(),
        Rejection::OtherLeader { held: token(5), leader: id("n") }
    );
    let stale = Rejection::Stale { held: token(5), given: token(4) };
    assert_eq!(early.step(transfer(&["w"], "o", 4), us(2)).reply, Err(stale));
    assert_eq!(early.due(), Some(us(1 + 60 * S)));
    let mut late = W::default().restore(early.state().clone(), 0);
    assert_eq!(names(&early.step(dispatch("w", 1, 4), us(60 * S))), ["dispatched", "leader_changed"]);
    assert_eq!(leader(&early), ("n".to_owned(), Some("n:1".to_owned()), 5));
    assert_eq!(early.state().parked, []);
    let step = late.step(dispatch("w", 1, 4), us(1 + 60 * S));
    assert_eq!(names(&step), ["parked_expired", "dispatched"]);
    assert_eq!(leader(&late), ("m".to_owned(), None, 4));
}

#[test]
fn a_transfer_that_waited_is_dropped_when_the_dispatch_is_as_new() {
    let mut worker = worker(9);
    worker.step(transfer(&["w"], "n", 5), us(1));
    assert_eq!(names(&worker.step(dispatch("w", 1, 5), us(2))), ["dispatched"]);
    assert_eq!((leader(&worker).0, worker.state().parked.len()), ("m".to_owned(), 0));
}

#[test]
fn transfers_cannot_pile_up() {
    let mut worker = worker(9);
    let all: Vec<String> = (0..=MAX_PARKED).map(|n| format!("w{n}")).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let step = worker.step(transfer(&all, "n", 5), us(1));
    assert_eq!(step.reply, Err(Rejection::TooManyParked { most: MAX_PARKED }));
    assert!(worker.step(transfer(&all[1..], "n", 5), us(2)).reply.is_ok());
}

#[test]
fn after_five_seconds_without_a_leader_orphans_are_asked_to_stop_and_then_stopped() {
    let mut worker = worker(9);
    worker.step(dispatch("w", 1, 1), us(0));
    assert_eq!(names(&worker.step(Command::LeaderLost { job_id: id("j") }, us(S))), ["leader_lost"]);
    assert!(worker.step(Command::LeaderLost { job_id: id("j") }, us(2 * S)).events.is_empty());
    assert_eq!(worker.due(), Some(us(6 * S)));
    assert!(worker.step(Command::Tick, us(6 * S - 1)).events.is_empty());
    let step = worker.step(Command::Tick, us(6 * S));
    let (job_id, workflow_ids, at) = (id("j"), vec![id("w")], us(6 * S));
    let (reason, abort_at) = ("orphaned".to_owned(), us(16 * S));
    assert_eq!(step.events, [Event::StopAsked { job_id, workflow_ids, reason, abort_at, at }]);
    assert_eq!(step.effects, [Effect::Stop(one("w", 1, 1))]);
    assert!(worker.settle(us(16 * S - 1)).events.is_empty());
    let step = worker.step(Command::Tick, us(16 * S));
    assert_eq!(names(&step), ["aborted"]);
    assert_eq!(step.effects[0], Effect::Abort(one("w", 1, 1)));
    let Effect::Send(message) = &step.effects[1] else { panic!("{step:?}") };
    assert!(matches!(&message.body, Body::WorkflowReport(r) if r.outcome == WorkflowOutcome::Cancelled));
    assert_eq!(worker.due(), None);
}

#[test]
fn a_transfer_inside_the_grace_rescues_exactly_the_workflows_it_names() {
    let mut worker = worker(9);
    worker.step(dispatch("v", 1, 1), us(0));
    worker.step(dispatch("w", 2, 1), us(0));
    worker.step(Command::LeaderLost { job_id: id("j") }, us(S));
    worker.step(transfer(&["w"], "n", 2), us(6 * S - 1));
    let step = worker.step(Command::Tick, us(6 * S));
    assert_eq!(step.effects, [Effect::Stop(one("v", 1, 1))]);
    assert!(worker.settle(us(100 * S)).events.iter().all(|event| event.name() == "aborted"));
    assert_eq!(worker.state().running(), 1);
}

#[test]
fn at_the_end_of_the_grace_nothing_can_be_rescued() {
    let mut worker = worker(9);
    worker.step(dispatch("w", 1, 1), us(0));
    worker.step(Command::LeaderLost { job_id: id("j") }, us(S));
    let step = worker.step(transfer(&["w"], "n", 2), us(6 * S));
    assert_eq!(names(&step), ["stop_asked", "leader_changed"]);
    assert_eq!(worker.due(), Some(us(16 * S)));
}

#[test]
fn a_cancel_asks_once_and_a_workflow_that_ends_first_is_reported_as_it_ended() {
    let mut worker = worker(9);
    worker.step(dispatch("w", 1, 1), us(0));
    let step = worker.step(stop(&["w", "unknown"], 1), us(1));
    assert_eq!((names(&step), ack(&step).accepted), (vec!["stop_asked"], true));
    let again = worker.step(stop(&["w"], 1), us(2));
    assert_eq!((again.events.len(), ack(&again).accepted), (0, true));
    assert!(worker.step(Command::LeaderLost { job_id: id("j") }, us(2)).events.is_empty());
    worker.step(done("w", WorkflowOutcome::Completed, 3), us(3));
    assert!(worker.settle(us(100 * S)).events.is_empty());
    assert_eq!(worker.state().status().unwrap().workflows[0].outcome, WorkflowOutcome::Completed);
}

#[test]
fn a_report_is_sent_until_it_is_answered_and_the_next_takes_its_place() {
    let mut worker = worker(9);
    worker.step(dispatch("w", 1, 1), us(0));
    let step = worker.step(done("w", WorkflowOutcome::Running, 1), us(1));
    assert_eq!((names(&step), step.effects.len()), (vec!["reported"], 1));
    let first = number(&worker);
    assert!(worker.step(done("w", WorkflowOutcome::Running, 1), us(2)).events.is_empty());
    let fell = worker.step(done("w", WorkflowOutcome::Running, 0), us(2));
    assert_eq!(fell.reply, Err(Rejection::CountFell { held: 1, given: 0 }));
    worker.step(done("w", WorkflowOutcome::Completed, 2), us(3));
    assert!(worker.step(acked(first, AckOutcome::Accepted, 1), us(4)).events.is_empty());
    assert!(worker.step(done("w", WorkflowOutcome::Completed, 2), us(4)).events.is_empty());
    let ended = worker.step(done("w", WorkflowOutcome::Failed, 2), us(4));
    let outcome = WorkflowOutcome::Completed;
    assert_eq!(ended.reply, Err(Rejection::Ended { workflow_id: id("w"), outcome }));
    let next = errand(worker.state(), us(3)).unwrap();
    let repeat = worker.step(Command::RunErrands { due: next }, next);
    assert_eq!((repeat.events.len(), repeat.effects.len()), (0, 1));
    assert!(worker.step(acked(number(&worker), AckOutcome::UnknownJob, 1), us(5)).events.is_empty());
    let step = worker.step(acked(number(&worker), AckOutcome::Accepted, 1), us(5));
    assert_eq!(names(&step), ["report_delivered"]);
    assert_eq!((worker.due(), errand(worker.state(), us(5)), worker.state().running()), (None, None, 0));
    assert!(WorkerMachine::owed(worker.state()).is_empty());
}

#[test]
fn an_answer_that_the_job_has_ended_stops_all_of_it() {
    let mut worker = worker(9);
    worker.step(dispatch("v", 1, 1), us(0));
    worker.step(dispatch("w", 2, 1), us(0));
    worker.step(done("v", WorkflowOutcome::Running, 1), us(1));
    let ended = AckOutcome::AlreadyFinal(FinalStatus::Timeout);
    let step = worker.step(acked(number(&worker), ended, 1), us(2));
    assert_eq!(step.effects, [Effect::Stop(one("v", 1, 1)), Effect::Stop(one("w", 1, 2))]);
}

#[test]
fn a_stale_answer_stops_the_attempt_or_shows_the_way_to_the_leader() {
    let mut worker = worker(9);
    worker.step(dispatch("v", 1, 1), us(0));
    worker.step(dispatch("w", 2, 1), us(0));
    worker.step(done("v", WorkflowOutcome::Running, 1), us(1));
    let old = number(&worker);
    let step = worker.step(acked(old, AckOutcome::Stale, 2), us(2));
    assert_eq!((names(&step), step.effects.len()), (vec!["leader_changed"], 1));
    assert_eq!(leader(&worker), ("n".to_owned(), Some("n:1".to_owned()), 2));
    assert_ne!(number(&worker), old);
    let step = worker.step(acked(number(&worker), AckOutcome::Stale, 2), us(3));
    assert_eq!(names(&step), ["report_delivered", "stop_asked"]);
    assert_eq!(step.effects, [Effect::Stop(one("v", 1, 1))]);
}

fn more_time(progress: f64) -> Command {
    let request = HealthcheckExtensionRequest {
        worker_id: id("somebody"),
        reason: "large".to_owned(),
        current_progress: progress,
        estimated_completion_ms: 5,
        active_workflow_count: 99,
        completed_items: None,
        total_items: None,
        request_id: Some("r".to_owned()),
    };
    Command::RequestExtension { job_id: id("j"), request: Box::new(request) }
}

#[test]
fn more_time_is_asked_for_while_something_runs() {
    let mut worker = worker(9);
    assert_eq!(worker.step(more_time(0.5), us(0)).reply, Err(Rejection::UnknownJob { job_id: id("j") }));
    worker.step(dispatch("w", 1, 1), us(0));
    for bad in [f64::NAN, f64::INFINITY, -0.1] {
        let reply = worker.step(more_time(bad), us(1)).reply;
        assert!(matches!(reply, Err(Rejection::Invalid { field: "current_progress", .. })), "{reply:?}");
    }
    let step = worker.step(more_time(0.5), us(1));
    let Effect::Send(message) = &step.effects[0] else { panic!("{step:?}") };
    let Body::HealthcheckExtensionRequest(asked) = &message.body else { panic!("{message:?}") };
    assert_eq!((asked.worker_id.as_str(), asked.active_workflow_count), ("k", 1));
    assert!(worker.step(more_time(0.6), us(2)).events.is_empty(), "a repeat of the same request");
    let response = HealthcheckExtensionResponse {
        granted: true,
        extension_ms: 15_000,
        deadline_in_ms: 15_000,
        remaining_extensions: 4,
        denial_reason: None,
        is_exhaustion_warning: false,
        grace_period_remaining_ms: 0,
        in_grace_period: false,
    };
    let answer = |number| said("m", "j", number, Body::HealthcheckExtensionResponse(response.clone()));
    assert!(worker.step(answer(99), us(3)).events.is_empty());
    assert_eq!(names(&worker.step(answer(number(&worker)), us(3))), ["extension_answered"]);
    worker.step(more_time(0.7), us(4));
    worker.step(done("w", WorkflowOutcome::Completed, 0), us(5));
    assert_eq!(worker.state().outbox.len(), 1, "nothing runs that needs more time");
}

#[test]
fn a_draining_worker_takes_nothing_and_leaves_when_all_was_heard_of() {
    let mut worker = worker(9);
    worker.step(dispatch("w", 1, 1), us(0));
    worker.step(transfer(&["z"], "n", 2), us(0));
    assert_eq!(names(&worker.step(Command::Leave, us(1))), ["draining"]);
    assert!(worker.step(Command::Leave, us(1)).events.is_empty());
    assert_eq!(worker.step(dispatch("x", 2, 2), us(2)).reply, Err(Rejection::Draining));
    assert!(worker.step(dispatch("w", 1, 2), us(2)).reply.is_ok(), "a repeat is still answered");
    worker.step(done("w", WorkflowOutcome::Completed, 0), us(3));
    let step = worker.step(acked(number(&worker), AckOutcome::Accepted, 2), us(4));
    assert_eq!(names(&step), ["report_delivered", "left"]);
    assert_eq!((worker.due(), worker.state().parked.len()), (None, 0));
    assert_eq!(worker.step(dispatch("x", 3, 2), us(5)).reply, Err(Rejection::NotRegistered));
    worker.step(register(1), us(6));
    let stale = Rejection::Stale { held: token(2), given: token(1) };
    assert_eq!(worker.step(dispatch("x", 3, 1), us(7)).reply, Err(stale), "its tokens stay");
}

#[test]
fn an_idle_worker_leaves_at_once() {
    let mut worker = worker(1);
    assert_eq!(names(&worker.step(Command::Leave, us(1))), ["draining", "left"]);
}

#[test]
fn registering_again_changes_what_is_new_and_not_who_it_is() {
    let mut worker = worker(1);
    assert_eq!(worker.step(register(1), us(1)).reply, Ok(Reply { changed: false }));
    assert_eq!(worker.step(register(2), us(1)).reply, Ok(Reply { changed: true }));
    let elsewhere = Command::Register {
        worker_id: id("k"),
        datacenter: id("e"),
        capacity: 1,
        settings: Settings::default(),
    };
    let rejection = Rejection::NotForMe { expected: id("d"), given: id("e") };
    assert_eq!(worker.step(elsewhere, us(1)).reply, Err(rejection));
    for capacity in [0, MAX_CAPACITY + 1] {
        let reply = worker.step(register(capacity), us(1)).reply;
        assert!(matches!(reply, Err(Rejection::Invalid { field: "capacity", .. })));
    }
    for settings in [
        Settings { orphan_grace_ms: 0, ..Settings::default() },
        Settings { stop_grace_ms: 0, ..Settings::default() },
        Settings { parked_ms: 86_400_001, ..Settings::default() },
    ] {
        let (worker_id, datacenter) = (id("k"), id("d"));
        let reply =
            worker.step(Command::Register { worker_id, datacenter, capacity: 1, settings }, us(1)).reply;
        assert!(matches!(reply, Err(Rejection::Invalid { .. })));
    }
}

#[test]
fn messages_for_somebody_else_are_refused() {
    let mut worker = worker(1);
    let changed = |change: fn(&mut Message)| {
        let Command::Receive(mut message) = dispatch("w", 1, 1) else { panic!() };
        change(&mut message);
        Command::Receive(message)
    };
    let step = worker.step(changed(|message| message.to = Party::Worker(id("l"))), us(1));
    assert_eq!(step.reply, Err(Rejection::NotForMe { expected: id("k"), given: id("l") }));
    let step = worker.step(changed(|message| message.datacenter = id("e")), us(1));
    assert_eq!(step.reply, Err(Rejection::NotForMe { expected: id("d"), given: id("e") }));
    let ack = WorkerAck {
        accepted: true,
        rejection_reason: None,
        not_now: None,
        fence_token_received: token(1),
        workflow_states: Vec::new(),
    };
    let step = worker.step(said("m", "j", 1, Body::WorkerAck(ack)), us(1));
    assert_eq!(step.reply, Err(Rejection::NotForWorker { message: "worker_ack" }));
    assert_eq!(
        worker.step(dispatch("w", 1, 0), us(1)).reply,
        Err(Rejection::Stale { held: token(0), given: token(0) })
    );
    let absent = W::default().step(dispatch("w", 1, 1), us(1));
    assert!(!ack_of_absent(&absent).accepted);
}

fn ack_of_absent(step: &Step<WorkerMachine>) -> WorkerAck {
    assert_eq!(step.reply, Err(Rejection::NotRegistered));
    ack(step)
}

#[test]
fn a_new_process_starts_again_what_ran_and_waits_go_on() {
    let mut worker = worker(9);
    worker.step(dispatch("w", 1, 1), us(0));
    worker.step(dispatch("x", 2, 1), us(0));
    worker.step(done("w", WorkflowOutcome::Running, 1), us(S));
    worker.step(done("x", WorkflowOutcome::Running, 1), us(S));
    worker.step(stop(&["x"], 1), us(S));
    worker.step(Command::LeaderLost { job_id: id("j") }, us(S));
    worker.step(transfer(&["z"], "n", 2), us(S));
    let away = Downtime { last_alive: us(2 * S), began: us(102 * S), gap: Gap::Restart };
    let resumed = worker.resume(away);
    assert_eq!(resumed.events, [Event::Resumed { away_us: 100_000_000, at: us(102 * S) }]);
    let owed = WorkerMachine::owed(worker.state());
    assert_eq!(owed[..2], [Effect::Start(one("w", 1, 1)), Effect::Stop(one("x", 1, 2))]);
    assert_eq!(owed.len(), 4, "and both reports");
    assert_eq!(worker.due(), Some(us(106 * S)));
    worker.settle(us(106 * S));
    assert_eq!(worker.due(), Some(us(111 * S)));
    assert_eq!(worker.state().parked[0].until, us(161 * S));
}

#[test]
fn a_worker_with_nothing_to_do_is_not_resumed() {
    let mut worker = worker(9);
    assert!(worker.resume(Downtime { last_alive: us(1), began: us(2), gap: Gap::Restart }).events.is_empty());
}

#[test]
fn the_jobs_idle_for_longest_are_forgotten_first() {
    let mut worker = worker(9);
    let named = |n: usize| format!("j{n}");
    for n in 0..=state::MAX_IDLE_JOBS {
        let Command::Receive(mut message) = dispatch("w", 1, 1) else { panic!() };
        message.job_id = id(&named(n));
        worker.step(Command::Receive(message), us(n as i64));
        let Command::Report(mut report) = done("w", WorkflowOutcome::Completed, 0) else { panic!() };
        report.job_id = id(&named(n));
        worker.step(Command::Report(report), us(n as i64));
        let ack = ReportAck { outcome: AckOutcome::Accepted, fence_token: token(1), leader_addr: None };
        let answer = said("m", &named(n), number(&worker), Body::ReportAck(ack));
        worker.step(answer, us(n as i64));
    }
    assert_eq!(worker.state().jobs.len(), state::MAX_IDLE_JOBS);
    assert!(!worker.state().jobs.contains_key(&id("j0")));
}
