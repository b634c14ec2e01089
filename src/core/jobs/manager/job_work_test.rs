//! Workflows: steps, reports, failures and what comes too late.

use super::super::workflow::HISTORY_TAIL;
use super::*;
use WorkflowStatus::*;

fn to(workflow: &str, to: WorkflowStatus) -> Command {
    let (workflow_id, reason) = (id(workflow), "asked".to_owned());
    Command::Transition { workflow_id, to, reason, result: None, token: None }
}

fn status(job: &J, name: &str) -> (WorkflowStatus, u32) {
    let workflow = &run(job).workflows[&id(name)];
    (workflow.status, workflow.attempt)
}

fn report(dispatch: u64, outcome: WorkflowOutcome) -> Command {
    reported("a", dispatch, outcome, 0)
}

fn reported(workflow: &str, dispatch: u64, outcome: WorkflowOutcome, completed_count: u64) -> Command {
    let report = WorkflowReport {
        worker_id: id("w"),
        workflow_id: id(workflow),
        dispatch_token: DispatchToken::shown(dispatch),
        outcome,
        completed_count,
        result: Some(format!("{outcome:?}")),
    };
    from_worker("w", 11, Body::WorkflowReport(report))
}

fn answer(step: &Step<JobMachine>) -> Option<AckOutcome> {
    bodies(&step.effects).into_iter().find_map(|body| match body {
        Body::ReportAck(ack) => Some(ack.outcome),
        _ => None,
    })
}

fn moves(events: &[Event]) -> Vec<(WorkflowStatus, WorkflowStatus)> {
    let step = |event: &Event| match event {
        Event::WorkflowMoved(step) => Some((step.from, step.to)),
        _ => None,
    };
    events.iter().filter_map(step).collect()
}

fn one(worker: Option<&str>) -> J {
    started(Submit { workflows: vec![plan("a", &[], worker)], ..plain() })
}

#[test]
fn only_the_steps_of_the_table_are_legal() {
    let legal = [
        (Pending, vec![Dispatched, Cancelling, Failed]),
        (Dispatched, vec![Running, Cancelling, Failed]),
        (Running, vec![Completed, Failed, Cancelling, Aggregated]),
        (Failed, vec![FailedCancelingDeps, Cancelled]),
        (FailedCancelingDeps, vec![FailedReady]),
        (FailedReady, vec![Pending]),
        (Cancelling, vec![Cancelled]),
        (Completed, vec![]),
        (Cancelled, vec![]),
        (Aggregated, vec![]),
    ];
    for (from, targets) in legal {
        for to in WorkflowStatus::ALL {
            let plain = targets.contains(&to);
            let extra = to == Cancelled && matches!(from, FailedCancelingDeps | FailedReady);
            assert_eq!(from.may_become(to, true), plain, "{from:?} {to:?}");
            assert_eq!(from.may_become(to, false), plain || extra, "{from:?} {to:?}");
        }
        assert_eq!(from.is_terminal(), targets.is_empty());
        assert_eq!(WorkflowStatus::from_name(from.name()), Some(from));
    }
    assert_eq!((FailedReady.external_name(), Cancelling.external_name()), ("pending", "cancelled"));
}

#[test]
fn a_step_that_leads_nowhere_changes_nothing_and_is_recorded_once() {
    let mut job = one(None);
    let before = run(&job).clone();
    let step = job.step(to("a", Cancelled), us(S));
    assert_eq!(step.reply, Err(Rejection::IllegalTransition { from: Pending, to: Cancelled }));
    assert_eq!(names(&step.events), ["step_refused"]);
    assert_eq!(*run(&job), before);
    assert_eq!(job.step(to("a", Cancelled), us(2 * S)).events, []);
    assert_eq!(job.step(to("a", Pending), us(3 * S)).events.len(), 1);
    assert_eq!(
        job.step(to("z", Running), us(3 * S)).reply,
        Err(Rejection::UnknownWorkflow { workflow_id: id("z") })
    );
}

#[test]
fn every_step_is_progress_with_its_number_and_token() {
    let mut job = one(None);
    job.step(to("a", Dispatched), us(100_000));
    job.step(to("a", Running), us(200_000));
    assert_eq!(run(&job).last_progress_at, us(200_000), "however short after the last");
    let history = run(&job).history(&id("a"));
    let kept: Vec<_> = history.iter().map(|step| (step.seq, step.from, step.to, step.token)).collect();
    assert_eq!(kept, [(1, Pending, Dispatched, token(1)), (2, Dispatched, Running, token(1))]);
    let step = job.step(to("a", Completed), us(300_000));
    assert_eq!(names(&step.events), ["workflow_moved", "ended"]);
    assert_eq!(ended(&job), Some((FinalStatus::Completed, None)));
}

#[test]
fn a_workflow_is_handed_out_when_what_it_waits_for_is_done() {
    let workflows = vec![plan("a", &[], Some("w")), plan("b", &["a"], Some("w"))];
    let mut job = J::default();
    let step = submitted(&mut job, Submit { workflows, ..plain() }, us(0));
    assert_eq!(
        names(&step.events),
        ["submitted", "workflow_moved", "queued"],
        "tracked before anything is handed out"
    );
    assert_eq!((status(&job, "a").0, status(&job, "b").0), (Dispatched, Pending));
    let waiting = Rejection::Waiting { workflow_id: id("b"), dependency: id("a") };
    assert_eq!(job.step(to("b", Dispatched), us(1)).reply, Err(waiting));
    let step = job.step(report(1, WorkflowOutcome::Completed), us(S));
    assert_eq!(moves(&step.events), [(Dispatched, Running), (Running, Completed), (Pending, Dispatched)]);
    let Some(Body::WorkflowDispatch(dispatch)) = bodies(&step.effects).into_iter().next() else { panic!() };
    assert_eq!((dispatch.dispatch_token, dispatch.attempt), (DispatchToken::shown(2), 1));
}

#[test]
fn a_result_before_the_acknowledgement_settles_both() {
    let mut job = one(Some("w"));
    let step = job.step(report(1, WorkflowOutcome::Completed), us(S));
    assert_eq!(
        (ended(&job), answer(&step)),
        (Some((FinalStatus::Completed, None)), Some(AckOutcome::AlreadyFinal(FinalStatus::Completed)))
    );
    assert!(job.state().outbox.is_empty());
    assert_eq!(run(&job).workflows[&id("a")].result.as_deref(), Some("Completed"));
    assert_eq!(job.step(report(1, WorkflowOutcome::Completed), us(2 * S)).events, []);
}

#[test]
fn a_failure_cancels_what_depends_on_it_and_makes_new_attempts_in_order() {
    let workflows = vec![plan("a", &[], Some("w")), plan("c", &["b"], None), plan("b", &["a"], None)];
    let mut job = started(Submit { workflows, ..plain() });
    let step = job.step(report(1, WorkflowOutcome::Failed), us(S));
    let expected = [
        (Dispatched, Failed),
        (Failed, FailedCancelingDeps),
        (Pending, Cancelling),
        (Cancelling, Cancelled),
        (Pending, Cancelling),
        (Cancelling, Cancelled),
        (FailedCancelingDeps, FailedReady),
        (FailedReady, Pending),
        (Pending, Dispatched),
    ];
    assert_eq!(moves(&step.events), expected);
    assert_eq!(
        [status(&job, "a"), status(&job, "b"), status(&job, "c")],
        [(Dispatched, 2), (Pending, 2), (Pending, 2)]
    );
    let made: Vec<_> = step
        .events
        .iter()
        .filter_map(|e| match e {
            Event::AttemptMade { workflow_id, .. } => Some(workflow_id.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(made, ["b", "c"]);
    let again = job.step(report(1, WorkflowOutcome::Failed), us(2 * S));
    assert_eq!(answer(&again), Some(AckOutcome::Stale), "the handing over was replaced");
    assert_eq!(status(&job, "a"), (Dispatched, 2));
}

#[test]
fn the_third_failure_settles_the_workflow_and_the_job() {
    let workflows = vec![plan("a", &[], Some("w")), plan("b", &["a"], Some("w"))];
    let mut job = started(Submit { workflows, ..plain() });
    for dispatch in 1..=2 {
        job.step(report(dispatch, WorkflowOutcome::Failed), us(S));
        assert_eq!(ended(&job), None);
    }
    job.step(report(3, WorkflowOutcome::Failed), us(2 * S));
    assert_eq!(ended(&job), Some((FinalStatus::Failed, None)));
    assert_eq!((status(&job, "a"), status(&job, "b").0), ((Failed, 3), Cancelled));
    assert!(job.state().outbox.is_empty());
}

#[test]
fn a_report_counts_only_under_the_handing_over_on_record() {
    let mut job = one(Some("w"));
    job.step(report(1, WorkflowOutcome::Failed), us(S));
    let stale = job.step(report(1, WorkflowOutcome::Completed), us(2 * S));
    assert_eq!(
        stale.reply,
        Err(Rejection::StaleDispatch { held: DispatchToken::shown(2), given: DispatchToken::shown(1) })
    );
    assert_eq!((answer(&stale), names(&stale.events)), (Some(AckOutcome::Stale), vec!["fence_rejected"]));
    let future = job.step(report(9, WorkflowOutcome::Completed), us(2 * S));
    assert_eq!(
        (answer(&future), names(&future.events)),
        (Some(AckOutcome::UnknownJob), vec!["fence_rejected"])
    );
    let mut other = report(2, WorkflowOutcome::Completed);
    if let Command::Receive(message) = &mut other
        && let Body::WorkflowReport(report) = &mut message.body
    {
        report.worker_id = id("x");
    }
    assert!(matches!(job.step(other, us(2 * S)).reply, Err(Rejection::Invalid { field: "worker_id", .. })));
    let none = job.step(report(0, WorkflowOutcome::Completed), us(2 * S));
    assert!(matches!(none.reply, Err(Rejection::Invalid { field: "dispatch_token", .. })));
    assert_eq!(status(&job, "a"), (Dispatched, 2));
}

#[test]
fn a_count_is_progress_only_when_it_grows_also_within_a_second() {
    let submit = Submit { timeout_ms: None, workflows: vec![plan("a", &[], Some("w"))], ..plain() };
    let (mut job, memory) = remembering(submit);
    job.step(report(1, WorkflowOutcome::Running), us(0));
    let count = |n| reported("a", 1, WorkflowOutcome::Running, n);
    assert_eq!(names(&noting(&mut job, &memory, count(5), us(2 * S))), ["progress_noted"]);
    assert_eq!(noting(&mut job, &memory, count(5), us(4 * S)), [], "no more than before");
    assert_eq!(names(&noting(&mut job, &memory, count(6), us(5 * S))), ["progress_noted"]);
    assert_eq!(noting(&mut job, &memory, count(7), us(5 * S + 1)), [], "in memory only");
    assert_eq!(noting(&mut job, &memory, count(7), us(9 * S)), [], "and known there");
    assert_eq!(names(&job.step(Command::Tick, us(125 * S + 1)).events), ["progress_noted"]);
    assert_eq!(job.due(), Some(us(125 * S + 2)));
}

#[test]
fn a_recorded_count_is_known_without_any_memory() {
    let mut job = started(Submit { workflows: vec![plan("a", &[], Some("w"))], ..plain() });
    job.step(report(1, WorkflowOutcome::Running), us(0));
    let count = |n| reported("a", 1, WorkflowOutcome::Running, n);
    assert_eq!(names(&job.step(count(5), us(2 * S)).events), ["progress_noted"]);
    assert_eq!(job.step(count(5), us(4 * S)).reply, Ok(Reply::Progress(None)));
    assert_eq!(job.step(count(4), us(4 * S)).reply, Ok(Reply::Progress(None)));
    let asked = |n| Command::Progress { workflow_id: Some(id("a")), completed_count: Some(n), token: None };
    assert_eq!(job.step(asked(5), us(5 * S)).reply, Ok(Reply::Progress(None)));
    assert!(matches!(job.step(asked(6), us(5 * S)).reply, Ok(Reply::Progress(Some(_)))));
    let loose = Command::Progress { workflow_id: None, completed_count: Some(6), token: None };
    assert!(matches!(
        job.step(loose, us(5 * S)).reply,
        Err(Rejection::Invalid { field: "completed_count", .. })
    ));
}

#[test]
fn a_result_after_the_end_is_kept_and_changes_nothing() {
    let mut job = one(Some("w"));
    job.step(report(1, WorkflowOutcome::Running), us(S));
    job.step(Command::Tick, us(60 * S + 1));
    let step = job.step(report(1, WorkflowOutcome::Completed), us(61 * S));
    assert_eq!(answer(&step), Some(AckOutcome::AlreadyFinal(FinalStatus::Timeout)));
    assert_eq!(names(&step.events), ["late_result", "acked", "workflow_moved"]);
    let workflow = &run(&job).workflows[&id("a")];
    assert_eq!((workflow.status, workflow.late_result.as_deref()), (Cancelled, Some("Completed")));
    assert_eq!(ended(&job), Some((FinalStatus::Timeout, Some(TimeoutKind::Overall))));
    assert_eq!(job.step(report(1, WorkflowOutcome::Completed), us(62 * S)).events, []);
    assert_eq!((job.due(), job.wake()), (None, None));
}

#[test]
fn a_worker_that_confirms_some_is_asked_again_only_about_the_others() {
    let workflows = vec![plan("a", &[], Some("w")), plan("b", &[], Some("w"))];
    let mut job = started(Submit { workflows, ..plain() });
    for (name, dispatch) in [("a", 1), ("b", 2)] {
        job.step(reported(name, dispatch, WorkflowOutcome::Running, 0), us(S));
    }
    job.step(
        Command::Cancel(JobCancelRequest {
            requester_id: "ops".to_owned(),
            reason: String::new(),
            fence_token: FenceToken::NONE,
            run: GateEpoch::NONE,
        }),
        us(2 * S),
    );
    let number = *job.state().outbox.keys().next().unwrap();
    let states = vec![(id("a"), WorkflowOutcome::Cancelled), (id("b"), WorkflowOutcome::Running)];
    let ack = WorkerAck {
        accepted: true,
        rejection_reason: None,
        not_now: None,
        fence_token_received: token(1),
        workflow_states: states,
    };
    let step = job.step(from_worker("w", number, Body::WorkerAck(ack)), us(3 * S));
    assert_eq!(names(&step.events), ["cancel_narrowed", "workflow_moved"]);
    assert_eq!((status(&job, "a").0, status(&job, "b").0), (Cancelled, Cancelling));
    job.step(reported("b", 2, WorkflowOutcome::Cancelled, 0), us(4 * S));
    assert_eq!((status(&job, "b").0, job.state().outbox.len(), job.due()), (Cancelled, 0, None));
}

#[test]
fn a_worker_that_refuses_has_failed_it_and_one_that_knows_a_later_leader_stops_this_one() {
    let refusal = |number, fence| {
        let ack = WorkerAck {
            accepted: false,
            rejection_reason: Some("the message is for somebody else".to_owned()),
            not_now: None,
            fence_token_received: token(fence),
            workflow_states: Vec::new(),
        };
        from_worker("w", number, Body::WorkerAck(ack))
    };
    let mut job = one(Some("w"));
    job.step(refusal(1, 1), us(S));
    assert_eq!(status(&job, "a"), (Dispatched, 2));
    job.step(refusal(2, 5), us(2 * S));
    assert_eq!(phase(&job), Phase::Suspended);
}

fn not_now(number: u64, why: NotNow) -> Command {
    let ack = WorkerAck {
        accepted: false,
        rejection_reason: Some("not now".to_owned()),
        not_now: Some(why),
        fence_token_received: FenceToken::NONE,
        workflow_states: Vec::new(),
    };
    from_worker("w", number, Body::WorkerAck(ack))
}

#[test]
fn a_worker_that_cannot_take_a_workflow_now_costs_no_attempt_and_is_asked_again() {
    let mut job = one(Some("w"));
    assert_eq!(names(&job.step(not_now(1, NotNow::NotRegistered), us(S)).events), ["dispatch_delayed"]);
    assert_eq!(job.step(not_now(1, NotNow::NotRegistered), us(2 * S)).events, [], "once for each reason");
    assert_eq!(names(&job.step(not_now(1, NotNow::Full), us(3 * S)).events), ["dispatch_delayed"]);
    assert_eq!(
        (status(&job, "a"), run(&job).workflows[&id("a")].waits),
        ((Dispatched, 1), Some(NotNow::Full))
    );
    assert!(errand(job.state(), us(3 * S)).is_some(), "it stands in the outbox");
    let ready = |worker| Command::WorkerReady { worker_id: id(worker), places: 1 };
    assert_eq!(job.step(ready("v"), us(4 * S)).effects, []);
    let offered = job.step(ready("w"), us(4 * S));
    assert!(matches!(&bodies(&offered.effects)[..], [Body::WorkflowDispatch(again)] if again.attempt == 1));
    assert_eq!((offered.events, offered.reply), (vec![], Ok(Reply::Changed(false))), "nothing more waits");
    let taken = WorkerAck {
        accepted: true,
        rejection_reason: None,
        not_now: None,
        fence_token_received: token(1),
        workflow_states: Vec::new(),
    };
    job.step(from_worker("w", 1, Body::WorkerAck(taken)), us(5 * S));
    assert_eq!((status(&job, "a"), run(&job).workflows[&id("a")].waits), ((Dispatched, 1), None));
    assert_eq!(job.step(ready("w"), us(6 * S)).effects, []);
}

#[test]
fn what_a_worker_does_not_take_can_go_to_another_and_waits_no_longer_than_the_job() {
    let mut job = one(Some("w"));
    let elsewhere = Command::Assign { workflow_id: id("a"), worker_id: id("v"), token: None };
    assert!(job.step(elsewhere.clone(), us(S)).reply.is_err(), "it may have been taken");
    job.step(not_now(1, NotNow::Draining), us(S));
    let step = job.step(elsewhere, us(2 * S));
    assert_eq!(
        (step.reply, names(&step.events)),
        (Ok(Reply::Changed(true)), vec!["workflow_moved", "queued"])
    );
    assert_eq!(status(&job, "a"), (Dispatched, 1));
    job.step(not_now(2, NotNow::Full), us(3 * S));
    job.step(Command::Tick, us(60 * S + 1));
    assert_eq!(ended(&job), Some((FinalStatus::Timeout, Some(TimeoutKind::Overall))));
}

#[test]
fn while_the_decision_of_the_gate_is_waited_for_nothing_is_handed_out_again() {
    let mut job = started(Submit { workflows: vec![plan("a", &[], Some("w"))], ..with_gate() });
    job.step(Command::Tick, us(60 * S + 1));
    assert_eq!(phase(&job), Phase::AwaitingGate);
    let dispatches = |effects: Vec<Effect>| {
        bodies(&effects).iter().filter(|body| matches!(body, Body::WorkflowDispatch(_))).count()
    };
    assert_eq!(dispatches(JobMachine::owed(job.state())), 0);
    let mut at = us(60 * S + 1);
    for _ in 0..8 {
        at = errand(job.state(), at).unwrap();
        assert_eq!(dispatches(job.step(Command::RunErrands { due: at }, at).effects), 0);
    }
}

#[test]
fn a_worker_that_lost_a_workflow_lets_it_be_tried_again() {
    let mut job = one(Some("w"));
    job.step(report(1, WorkflowOutcome::Running), us(S));
    job.step(
        Command::Transfer { to: leader("m2"), addr: String::new(), force: false, token: None },
        us(2 * S),
    );
    let number = *job.state().outbox.keys().next().unwrap();
    let ack = WorkerAck {
        accepted: true,
        rejection_reason: None,
        not_now: None,
        fence_token_received: token(2),
        workflow_states: Vec::new(),
    };
    job.step(from_worker("w", number, Body::WorkerAck(ack)), us(3 * S));
    assert_eq!(status(&job, "a"), (Dispatched, 2));
}

#[test]
fn nothing_is_handed_out_once_time_is_over() {
    let workflows = vec![plan("a", &[], Some("w")), plan("b", &["a"], Some("w"))];
    let mut job = started(Submit { workflows, ..with_gate() });
    job.step(report(1, WorkflowOutcome::Running), us(S));
    job.step(Command::Tick, us(60 * S + 1));
    job.step(report(1, WorkflowOutcome::Completed), us(61 * S));
    assert_eq!((status(&job, "a").0, status(&job, "b").0), (Completed, Pending));
}

#[test]
fn the_end_stops_everything_whatever_the_cause() {
    let workflows = vec![plan("a", &[], Some("w")), plan("b", &[], None), plan("c", &["b"], None)];
    let mut job = started(Submit { workflows, ..with_gate() });
    job.step(to("b", Dispatched), us(1));
    let step = job.step(
        Command::Complete { status: FinalStatus::Failed, reason: "enough".to_owned(), token: None },
        us(S),
    );
    assert_eq!(names(&step.events).first(), Some(&"ended"));
    assert_eq!(
        [status(&job, "a").0, status(&job, "b").0, status(&job, "c").0],
        [Cancelling, Cancelled, Cancelled]
    );
    let told = bodies(&step.effects);
    assert!(matches!(&told[..], [Body::WorkflowCancel(_), Body::JobFinalStatus(_)]), "{told:?}");
    assert_eq!(
        job.step(to("b", Running), us(2 * S)).reply,
        Err(Rejection::AlreadyTerminal { status: FinalStatus::Failed })
    );
}

#[test]
fn the_kept_history_is_bounded() {
    let settings = Settings { max_attempts: 1_000, ..Settings::default() };
    let mut job = started(Submit { settings, workflows: vec![plan("a", &[], None)], ..plain() });
    for n in 0..200 {
        job.step(to("a", Failed), us(n));
    }
    assert_eq!(run(&job).workflows[&id("a")].history.len(), HISTORY_TAIL);
    assert_eq!(status(&job, "a"), (Pending, 201));
}

#[test]
fn what_a_worker_dropped_is_noted_once_whatever_comes_twice_or_late() {
    let mut job = one(Some("w"));
    let after = |dropped, outcome| {
        let Command::Receive(mut message) = report(1, outcome) else { panic!() };
        let Body::WorkflowReport(report) = message.body else { panic!() };
        message.body = Body::WorkflowReportAfterDrops(WorkflowReportAfterDrops { report, dropped });
        Command::Receive(message)
    };
    let noted = |job: &J| run(job).workflows[&id("a")].reports_dropped;
    let began = job.step(after(3, WorkflowOutcome::Running), us(S));
    assert_eq!(names(&began.events), ["reports_dropped", "workflow_moved"]);
    assert_eq!((answer(&began), noted(&job)), (Some(AckOutcome::Accepted), 3));
    for again in [3, 2] {
        let step = job.step(after(again, WorkflowOutcome::Running), us(S));
        assert_eq!((answer(&step), names(&step.events)), (Some(AckOutcome::Accepted), vec![]));
    }
    // The end of the workflow ends the job, and says what is missing before it.
    let ended = job.step(after(5, WorkflowOutcome::Completed), us(3 * S));
    assert_eq!(names(&ended.events)[0], "reports_dropped");
    assert_eq!((noted(&job), job.state().view(us(3 * S), None).unwrap().reports_dropped), (5, 5));
    // Of a handing over that is over nothing is noted.
    let stale = job.step(report(9, WorkflowOutcome::Running), us(4 * S));
    assert_eq!((answer(&stale), noted(&job)), (Some(AckOutcome::UnknownJob), 5));
}

fn claim(worker: &str, places: u32) -> Command {
    Command::Claim { worker_id: id(worker), places }
}

fn at(job: &J, workflow: &str) -> (WorkflowStatus, Option<String>, u32, u64) {
    let held = &run(job).workflows[&id(workflow)];
    let worker = held.worker_id.as_ref().map(ToString::to_string);
    (held.status, worker, held.attempt, held.dispatch_token.get())
}

#[test]
fn work_without_a_worker_goes_to_whoever_asks_as_far_as_it_has_room() {
    let plans =
        vec![plan("a", &[], None), plan("b", &[], None), plan("c", &["a"], None), plan("d", &[], Some("w"))];
    let mut job = started(Submit { workflows: plans, ..plain() });
    assert_eq!(job.step(claim("x", 1), us(S)).reply, Ok(Reply::Changed(true)));
    assert_eq!(at(&job, "a"), (WorkflowStatus::Dispatched, Some("x".into()), 1, 2));
    assert_eq!(at(&job, "b").0, WorkflowStatus::Pending);
    job.step(claim("y", 9), us(S));
    assert_eq!(at(&job, "b").1, Some("y".into()));
    assert_eq!(at(&job, "c").0, WorkflowStatus::Pending, "it waits for a");
    assert_eq!(at(&job, "d").1, Some("w".into()), "it was meant for another");
    assert_eq!(job.step(claim("y", 9), us(S)).reply, Ok(Reply::Changed(false)));
}

#[test]
fn what_a_lost_worker_had_goes_elsewhere_and_only_what_it_ran_counts_as_a_try() {
    let plans = vec![plan("a", &[], Some("w")), plan("b", &[], Some("w"))];
    let mut job = started(Submit { workflows: plans, ..plain() });
    job.step(reported("a", 1, WorkflowOutcome::Running, 0), us(S));
    job.step(reported("a", 1, WorkflowOutcome::Lost, 0), us(2 * S));
    job.step(reported("b", 2, WorkflowOutcome::Lost, 0), us(2 * S));
    assert_eq!(at(&job, "a"), (WorkflowStatus::Dispatched, Some("w".into()), 2, 3), "it may come back");
    job.step(not_now(3, NotNow::Lost), us(2 * S));
    job.step(claim("x", 9), us(3 * S));
    assert_eq!(at(&job, "a"), (WorkflowStatus::Dispatched, Some("x".into()), 2, 4));
    assert_eq!(at(&job, "b"), (WorkflowStatus::Dispatched, Some("x".into()), 1, 5));
    let stale = job.step(reported("b", 2, WorkflowOutcome::Completed, 0), us(4 * S)).reply;
    assert!(matches!(stale, Err(Rejection::StaleDispatch { .. })), "{stale:?}");
}

#[test]
fn nobody_confirms_for_a_lost_worker_that_work_stopped() {
    let mut job = started(Submit { workflows: vec![plan("a", &[], Some("w"))], ..plain() });
    job.step(reported("a", 1, WorkflowOutcome::Running, 0), us(S));
    job.step(Command::Tick, us(60 * S + 1));
    assert_eq!(at(&job, "a").0, WorkflowStatus::Cancelling);
    let step = job.step(reported("a", 1, WorkflowOutcome::Lost, 0), us(61 * S));
    assert_eq!(names(&step.events), ["cancel_unconfirmed"]);
    assert!(run(&job).workflows[&id("a")].unconfirmed);
    assert_eq!(job.due(), None, "nothing is waited for any more");
}

#[test]
fn the_step_that_was_taken_last_is_answered_again_and_changes_nothing() {
    let mut job = one(None);
    for target in [Dispatched, Running, Completed] {
        assert_eq!(job.step(to("a", target), us(S)).reply, Ok(Reply::Changed(true)), "{target:?}");
        let before = job.state().clone();
        let again = job.step(to("a", target), us(2 * S));
        assert_eq!((again.reply, again.events.len()), (Ok(Reply::Changed(false)), 0), "{target:?}");
        assert_eq!(*job.state(), before);
    }
    assert!(ended(&job).is_some(), "what was answered last ended the job, and is answered again");
    let with = |reason: &str, result: Option<&str>| Command::Transition {
        workflow_id: id("a"),
        to: Completed,
        reason: reason.to_owned(),
        result: result.map(str::to_owned),
        token: None,
    };
    let refused = Err(Rejection::AlreadyTerminal { status: FinalStatus::Completed });
    assert_eq!(job.step(with("for another reason", None), us(3 * S)).reply, refused);
    assert_eq!(job.step(with("asked", Some("43")), us(3 * S)).reply, refused);
}

#[test]
fn a_failure_said_again_is_no_failure_of_the_next_attempt_until_somebody_has_that() {
    let mut job = one(None);
    for target in [Dispatched, Running, Failed] {
        job.step(to("a", target), us(S));
    }
    assert_eq!(status(&job, "a"), (Pending, 2));
    assert_eq!(job.step(to("a", Failed), us(2 * S)).reply, Ok(Reply::Changed(false)));
    assert_eq!(status(&job, "a"), (Pending, 2));
    job.step(to("a", Dispatched), us(3 * S));
    assert_eq!(job.step(to("a", Failed), us(4 * S)).reply, Ok(Reply::Changed(true)));
    assert_eq!(status(&job, "a"), (Pending, 3));
    // One that nobody ever had fails each time it is said to.
    let mut job = one(None);
    job.step(to("a", Failed), us(S));
    assert_eq!(job.step(to("a", Failed), us(2 * S)).reply, Ok(Reply::Changed(true)));
    assert_eq!(status(&job, "a"), (Pending, 3));
}
