//! More time for workers.

use super::super::settings::ExtensionMode;
use super::*;

fn asks(worker: &str, progress: f64) -> HealthcheckExtensionRequest {
    HealthcheckExtensionRequest {
        worker_id: id(worker),
        reason: "busy".to_owned(),
        current_progress: progress,
        estimated_completion_ms: 1_000,
        active_workflow_count: 1,
        completed_items: None,
        total_items: None,
        request_id: None,
    }
}

fn extend(request: HealthcheckExtensionRequest) -> Command {
    Command::Extend { request: Box::new(request), in_every_job: false, token: None }
}

fn answered(job: &mut J, request: HealthcheckExtensionRequest, at: i64) -> HealthcheckExtensionResponse {
    match job.step(extend(request), us(at)).reply {
        Ok(Reply::Extension { response, .. }) => response,
        other => panic!("{other:?}"),
    }
}

#[test]
fn five_grants_halve_down_to_a_second_and_the_fourth_warns() {
    let mut job = started(plain());
    let grants =
        [(15_000, 4, false), (7_500, 3, false), (3_750, 2, false), (1_875, 1, true), (1_000, 0, false)];
    let mut sum = 0;
    for (n, (ms, remaining, warning)) in grants.into_iter().enumerate() {
        let got = answered(&mut job, asks("w", n as f64), n as i64 * S);
        assert_eq!((got.granted, got.extension_ms), (true, ms));
        sum += ms;
        assert_eq!(
            (got.remaining_extensions, got.is_exhaustion_warning, got.deadline_in_ms),
            (remaining, warning, sum - n as u64 * 1_000)
        );
    }
    assert_eq!((run(&job).total_us, run(&job).max_us), (29_125_000, 15_000_000));
    assert_eq!(run(&job).overall_deadline(), Some(us(60 * S + 29_125_000)));
    let denied = answered(&mut job, asks("w", 9.0), 4 * S + 500_000);
    assert_eq!(denied.denial_reason.as_deref(), Some("max_extensions_exceeded"));
    assert_eq!((denied.in_grace_period, denied.grace_period_remaining_ms), (true, 10_000));
}

#[test]
fn an_extension_moves_the_deadline_by_exactly_itself_and_counts_as_progress() {
    let mut job = started(plain());
    answered(&mut job, asks("w", 0.0), 50 * S);
    assert_eq!(run(&job).last_progress_at, us(50 * S));
    assert_eq!(job.step(Command::Tick, us(75 * S)).events, []);
    assert_eq!(names(&job.step(Command::Tick, us(75 * S + 1)).events), ["timeout_detected", "ended"]);
    assert!(run(&job).ended.clone().unwrap().reason.contains("extensions_ms=15000"));
}

#[test]
fn later_grants_need_more_than_at_the_last_grant_and_items_decide_where_there_are_items() {
    let mut job = started(plain());
    answered(&mut job, asks("w", 5.0), 0);
    let denied = answered(&mut job, asks("w", 5.0), S);
    assert_eq!((denied.denial_reason.as_deref(), denied.remaining_extensions), (Some("no_progress"), 4));
    assert!(answered(&mut job, asks("w", 5.5), 2 * S).granted);
    let items = |n, progress| HealthcheckExtensionRequest { completed_items: Some(n), ..asks("w", progress) };
    assert!(answered(&mut job, items(10, 6.0), 3 * S).granted, "no items before: progress decides");
    assert!(!answered(&mut job, items(10, 99.0), 4 * S).granted);
    assert!(answered(&mut job, items(11, 0.0), 5 * S).granted);
}

#[test]
fn three_denials_in_a_row_give_a_worker_up_and_a_grant_between_starts_again() {
    let mut job = started(Submit { workflows: vec![plan("a", &[], Some("w"))], ..plain() });
    answered(&mut job, asks("w", 1.0), 0);
    for _ in 0..2 {
        answered(&mut job, asks("w", 1.0), S);
    }
    assert!(answered(&mut job, asks("w", 2.0), S).granted);
    for _ in 0..2 {
        assert_eq!(names(&job.step(extend(asks("w", 2.0)), us(2 * S)).events), ["extension_denied"]);
    }
    let step = job.step(extend(asks("w", 2.0)), us(2 * S));
    let told = names(&step.events);
    assert_eq!(told[..2], ["extension_denied", "worker_lost"]);
    assert!(told.contains(&"workflow_moved"), "{told:?}");
    assert_eq!(answered(&mut job, asks("w", 3.0), 3 * S).denial_reason.as_deref(), Some("worker_suspect"));
    assert_eq!(run(&job).total_us, 22_500_000, "what was given stays given");
}

/// Used up all grants at 0, 1, 2, 3, 4 seconds; must be heard of at 29.125 s, their sum.
fn exhausted() -> J {
    let mut job = started(Submit { workflows: vec![plan("a", &[], Some("w"))], ..plain() });
    (0..5).for_each(|n| assert!(answered(&mut job, asks("w", n as f64), n * S).granted));
    job
}

#[test]
fn a_silent_worker_without_grants_is_given_up_ten_seconds_after_its_deadline() {
    let mut job = exhausted();
    let given_up = 39_125_000;
    assert_eq!(job.due(), Some(us(given_up)));
    assert_eq!(job.step(Command::Tick, us(given_up - 1)).events, []);
    assert_eq!(names(&job.step(Command::Tick, us(given_up)).events)[0], "worker_lost");
    assert!(run(&job).active.is_empty() && run(&job).trackers.is_empty());
}

#[test]
fn grace_begins_with_the_first_denial_if_that_is_earlier() {
    let mut job = exhausted();
    let denied = answered(&mut job, asks("w", 9.0), 4 * S + 1);
    assert!(denied.in_grace_period);
    assert_eq!(job.due(), Some(us(14 * S + 1)));
}

#[test]
fn a_worker_that_is_well_again_begins_anew_without_taking_anything_back() {
    let mut job = exhausted();
    let healthy = Command::WorkerHealthy { worker_id: id("w") };
    assert_eq!(names(&job.step(healthy.clone(), us(5 * S)).events), ["extensions_reset"]);
    assert_eq!(job.step(healthy, us(5 * S)).events, []);
    assert_eq!(answered(&mut job, asks("w", 0.0), 6 * S).extension_ms, 15_000);
    assert_eq!(run(&job).total_us, 29_125_000 + 15_000_000);
}

#[test]
fn a_worker_begins_anew_with_each_workflow_it_finishes_and_has_extensions_while_it_has_workflows() {
    let workflows = vec![plan("a", &[], Some("w")), plan("b", &[], Some("w")), plan("c", &[], None)];
    let mut job = started(Submit { workflows, ..plain() });
    answered(&mut job, asks("w", 1.0), 0);
    let to = |name: &str, to| {
        let (workflow_id, reason) = (id(name), String::new());
        Command::Transition { workflow_id, to, reason, result: None, token: None }
    };
    for name in ["a", "b"] {
        job.step(to(name, WorkflowStatus::Running), us(S));
    }
    let step = job.step(to("a", WorkflowStatus::Completed), us(2 * S));
    assert_eq!(names(&step.events), ["workflow_moved", "extensions_reset"]);
    assert_eq!((run(&job).active.len(), run(&job).total_us), (1, 15_000_000));
    let again = answered(&mut job, asks("w", 0.0), 2 * S);
    assert_eq!((again.extension_ms, again.remaining_extensions), (15_000, 4));
    let step = job.step(to("b", WorkflowStatus::Completed), us(2 * S));
    assert_eq!(names(&step.events), ["workflow_moved", "extensions_reset"]);
    assert_eq!((run(&job).active.len(), run(&job).total_us), (0, 30_000_000));
    job.step(
        Command::Complete { status: FinalStatus::Failed, reason: String::new(), token: None },
        us(3 * S),
    );
    assert!(run(&job).trackers.is_empty());
}

#[test]
fn the_sum_of_a_job_may_be_bounded_and_the_last_grant_is_trimmed() {
    let mut settings = Settings::default();
    settings.extension.max_total_ms = Some(20_000);
    let mut job = started(Submit { settings, ..plain() });
    assert_eq!(answered(&mut job, asks("w", 0.0), 0).extension_ms, 15_000);
    assert_eq!(answered(&mut job, asks("x", 0.0), 0).extension_ms, 5_000);
    let denied = answered(&mut job, asks("y", 0.0), 0);
    assert_eq!(denied.denial_reason.as_deref(), Some("max_extensions_exceeded"));
    assert_eq!(run(&job).total_us, 20_000_000);
}

#[test]
fn workers_side_by_side_multiply_the_budget_only_if_so_set() {
    for (mode, total) in [(ExtensionMode::SumAll, 52_500_000), (ExtensionMode::MaxPerWorker, 22_500_000)] {
        let mut settings = Settings::default();
        settings.extension.mode = mode;
        let mut job = started(Submit { settings, ..plain() });
        for worker in ["w", "x", "y"] {
            answered(&mut job, asks(worker, 0.0), 0);
        }
        answered(&mut job, asks("x", 1.0), S);
        assert_eq!(run(&job).total_us, total, "{}", mode.name());
    }
}

#[test]
fn passing_the_base_budget_is_noted_once() {
    let mut job = started(Submit { timeout_ms: Some(20_000), ..plain() });
    let exceeds = |job: &mut J, worker, at| match &job.step(extend(asks(worker, 0.0)), us(at)).events[0] {
        Event::ExtensionGranted(granted) => granted.exceeds_base,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        [exceeds(&mut job, "w", 0), exceeds(&mut job, "x", 0), exceeds(&mut job, "y", 0)],
        [false, true, false]
    );
}

#[test]
fn a_repeated_request_gets_the_same_answer_and_nothing_more() {
    let mut job = started(plain());
    let request = HealthcheckExtensionRequest { request_id: Some("r1".to_owned()), ..asks("w", 0.0) };
    let first = answered(&mut job, request.clone(), 0);
    let step = job.step(extend(request.clone()), us(S));
    assert_eq!(step.events, []);
    let Ok(Reply::Extension { response, again }) = step.reply else { panic!() };
    assert!(again);
    let same = (response.granted, response.extension_ms, response.deadline_in_ms);
    assert_eq!(same, (true, first.extension_ms, 14_000));
    // A worker that begins anew has not said something else.
    job.step(Command::WorkerHealthy { worker_id: id("w") }, us(2 * S));
    assert!(matches!(job.step(extend(request), us(2 * S)).reply, Ok(Reply::Extension { again: true, .. })));
}

#[test]
fn another_request_under_the_same_name_is_refused_and_gives_nothing() {
    let named = |request| HealthcheckExtensionRequest { request_id: Some("r1".to_owned()), ..request };
    let others = [
        ("current_progress", asks("w", 9.0)),
        ("reason", HealthcheckExtensionRequest { reason: "again".to_owned(), ..asks("w", 0.0) }),
        ("completed_items", HealthcheckExtensionRequest { completed_items: Some(1), ..asks("w", 0.0) }),
        (
            "estimated_completion_ms",
            HealthcheckExtensionRequest { estimated_completion_ms: 7, ..asks("w", 0.0) },
        ),
    ];
    let refused = |job: &mut J, request, field: &str| {
        let step = job.step(extend(named(request)), us(S));
        match step.reply {
            Err(Rejection::KeyReused { difference, .. }) => assert_eq!(difference.field, field),
            other => panic!("{field}: {other:?}"),
        }
        assert_eq!(step.events, [], "{field}");
    };
    for (field, request) in others {
        let mut job = started(plain());
        let events = job.step(extend(named(asks("w", 0.0))), us(0)).events;
        assert_eq!(names(&events)[..2], ["extension_keyed", "extension_granted"]);
        refused(&mut job, request, field);
    }
    // A denial is an answer too.
    let mut job = started(plain());
    job.step(extend(asks("w", 5.0)), us(0));
    let denied = job.step(extend(named(asks("w", 5.0))), us(0)).events;
    assert_eq!(names(&denied), ["extension_keyed", "extension_denied"]);
    refused(&mut job, asks("w", 6.0), "current_progress");
    // What an earlier version recorded is known by what it granted.
    let mut job = started(plain());
    let events = job.step(extend(named(asks("w", 0.0))), us(0)).events;
    let mut old = started(plain());
    events[1..].iter().for_each(|event| old.replay(event));
    refused(&mut old, asks("w", 1.0), "current_progress");
    let repeat = named(HealthcheckExtensionRequest { active_workflow_count: 7, ..asks("w", 0.0) });
    assert!(matches!(old.step(extend(repeat), us(S)).reply, Ok(Reply::Extension { again: true, .. })));
    // Another worker has names of its own.
    assert!(matches!(
        job.step(extend(named(asks("x", 3.0))), us(S)).reply,
        Ok(Reply::Extension { again: false, .. })
    ));
}

#[test]
fn after_the_flag_nothing_is_granted_and_the_denial_is_recorded_once() {
    let mut job = started(with_gate());
    job.step(Command::Tick, us(60 * S + 1));
    let step = job.step(extend(asks("w", 0.0)), us(61 * S));
    let Event::ExtensionDenied(denied) = &step.events[0] else { panic!() };
    assert_eq!((denied.denial, denied.counts), (Denial::AlreadyTimedOut, false));
    assert_eq!(job.step(extend(asks("w", 1.0)), us(62 * S)).events, []);
    let mut over = started(plain());
    over.step(Command::Tick, us(61 * S));
    assert_eq!(
        answered(&mut over, asks("w", 0.0), 62 * S).denial_reason.as_deref(),
        Some("already_timed_out")
    );
    let mut named = started(Submit { workflows: vec![plan("a", &[], Some("w"))], ..plain() });
    assert_eq!(
        answered(&mut named, asks("z", 0.0), 0).denial_reason.as_deref(),
        Some("worker_not_registered")
    );
}

#[test]
fn what_is_no_number_is_refused_and_uses_nothing_up() {
    let mut job = started(plain());
    for progress in [f64::NAN, f64::INFINITY, -0.5] {
        let step = job.step(extend(asks("w", progress)), us(0));
        assert!(matches!(step.reply, Err(Rejection::Invalid { field: "current_progress", .. })));
        assert_eq!(step.events, []);
    }
    let far =
        HealthcheckExtensionRequest { estimated_completion_ms: 1_000_000_000_000_000, ..asks("w", 0.0) };
    let reply = job.step(extend(far), us(0)).reply;
    assert!(matches!(reply, Err(Rejection::Invalid { field: "estimated_completion_ms", .. })));
    let more =
        HealthcheckExtensionRequest { completed_items: Some(3), total_items: Some(2), ..asks("w", 0.0) };
    assert!(matches!(
        job.step(extend(more), us(0)).reply,
        Err(Rejection::Invalid { field: "completed_items", .. })
    ));
    assert!(run(&job).trackers.is_empty());
}

#[test]
fn a_lost_worker_gives_back_no_seconds_and_its_work_is_tried_again() {
    let mut job = started(Submit { workflows: vec![plan("a", &[], Some("w"))], ..plain() });
    answered(&mut job, asks("w", 0.0), S);
    job.step(Command::WorkerLost { worker_id: id("w") }, us(2 * S));
    assert_eq!((run(&job).total_us, run(&job).active.len()), (15_000_000, 0));
    let workflow = &run(&job).workflows[&id("a")];
    assert_eq!((workflow.status, workflow.attempt), (WorkflowStatus::Pending, 2));
    let revoked = |entry: &outbox::Entry| matches!(entry.notice, outbox::Notice::Revoke { .. });
    assert!(
        job.state().outbox.values().all(revoked),
        "only that its work is taken back, should it come back"
    );
    job.step(Command::WorkerHealthy { worker_id: id("w") }, us(3 * S));
    assert_eq!(run(&job).workflows[&id("a")].status, WorkflowStatus::Dispatched);
}

#[test]
fn grants_at_once_add_up_and_none_shortens_the_time_of_another() {
    let mut job = started(Submit { timeout_ms: None, ..plain() });
    let mut within = Vec::new();
    for done in 1..=5 {
        within.push(answered(&mut job, asks("w", f64::from(done)), S).deadline_in_ms);
    }
    assert_eq!(within, [15_000, 22_500, 26_250, 28_125, 29_125]);
}
