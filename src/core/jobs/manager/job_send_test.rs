//! Sending again and reporting progress, without writing.

use super::*;
use crate::kernel::time::Gap;

/// Every errand up to an instant, and what it sent.
fn errands(job: &mut J, mut after: i64, to: i64) -> Vec<(i64, Vec<Body>)> {
    let mut out = Vec::new();
    while let Some(due) = errand(job.state(), us(after)).filter(|due| *due <= us(to)) {
        assert!(due > us(after));
        let step = job.step(Command::RunErrands { due }, due);
        assert_eq!(step.events, [], "errands write nothing");
        assert!(!step.effects.is_empty(), "something falls due at {due}");
        after = due.as_micros();
        out.push((after, bodies(&step.effects)));
    }
    out
}

fn no_jitter(submit: Submit) -> Submit {
    let mut settings = submit.settings.clone();
    settings.retry.jitter_percent = 0;
    Submit { settings, ..submit }
}

#[test]
fn progress_is_reported_every_ten_seconds_from_a_phase_of_its_own() {
    let mut job = started(Submit { timeout_ms: Some(600_000), ..with_gate() });
    let sent = errands(&mut job, 0, 100 * S);
    assert_eq!(sent.len(), 10);
    assert!(sent[0].0 < 10 * S);
    assert!(sent.windows(2).all(|pair| pair[1].0 - pair[0].0 == 10 * S));
    let Body::JobProgressReport(report) = &sent[3].1[0] else { panic!() };
    assert_eq!(report.report_seq, sent[3].0 as u64 / 1_000);
    assert_eq!((report.elapsed_ms, report.fence_token), (report.report_seq, token(1)));
    let other = started(Submit { job_id: id("another"), timeout_ms: Some(600_000), ..with_gate() });
    assert_ne!(errand(other.state(), us(0)), Some(us(sent[0].0)), "jobs do not report all at once");
    assert_eq!(errand(started(plain()).state(), us(0)), None, "without a gate nobody is told");
}

#[test]
fn missed_instants_are_skipped_and_not_made_up_for() {
    let mut job = started(Submit { timeout_ms: Some(600_000), stuck_threshold_ms: 600_000, ..with_gate() });
    let first = errand(job.state(), us(0)).unwrap();
    assert_eq!(job.step(Command::RunErrands { due: first }, us(300 * S)).effects.len(), 1);
    assert_eq!(errand(job.state(), us(300 * S)), Some(us(first.as_micros() + 300 * S)));
    assert_eq!(job.step(Command::RunErrands { due: us(first.as_micros() + 1) }, us(301 * S)).effects, []);
}

#[test]
fn progress_is_recent_for_less_than_ten_seconds() {
    let mut job = started(Submit { timeout_ms: Some(600_000), ..with_gate() });
    let first = errand(job.state(), us(0)).unwrap();
    let recent =
        |job: &mut J, at| match &bodies(&job.step(Command::RunErrands { due: first }, us(at)).effects)[0] {
            Body::JobProgressReport(report) => report.has_recent_progress,
            other => panic!("{other:?}"),
        };
    assert_eq!((recent(&mut job, 10 * S - 1), recent(&mut job, 10 * S)), (true, false));
}

#[test]
fn a_report_is_sent_again_after_1_2_4_8_16_and_then_every_30_seconds() {
    let mut job = started(no_jitter(with_gate()));
    job.step(Command::Tick, us(60 * S + 1));
    let report = 60 * S + 1;
    let sent = errands(&mut job, report, report + 200 * S);
    let again = |(at, sent): &(i64, Vec<Body>)| {
        sent.iter().any(|body| matches!(body, Body::JobTimeoutReport(_))).then_some((at - report) / S)
    };
    let again: Vec<i64> = sent.iter().filter_map(again).collect();
    assert_eq!(again, [1, 3, 7, 15, 31, 61, 91, 121, 151, 181]);
}

#[test]
fn pauses_vary_by_a_fifth_and_the_same_way_each_time() {
    let mut job = started(with_gate());
    job.step(Command::Tick, us(60 * S + 1));
    let entry = job.state().outbox[&1].clone();
    let settings = Settings::default();
    let mut after = entry.since;
    let mut before = entry.since;
    for n in 0..200u32 {
        let at = entry.resend(&id("job"), &settings, after).unwrap();
        assert_eq!(entry.resend(&id("job"), &settings, us(at.as_micros() - 1)), Some(at));
        let pause = i64::min(1 << n.min(10), 30) * S;
        let gap = at.since(before).as_micros() as i64;
        assert!((pause * 8 / 10..=pause * 12 / 10).contains(&gap), "pause {n}: {gap}");
        (before, after) = (at, at);
    }
    let other = super::super::outbox::Entry { number: 2, ..entry.clone() };
    assert_ne!(
        other.resend(&id("job"), &settings, entry.since),
        entry.resend(&id("job"), &settings, entry.since)
    );
    let far = us(entry.since.as_micros() + 1_000_000 * 30 * S);
    let at = entry.resend(&id("job"), &settings, far).unwrap();
    assert!(at.since(far).as_secs() <= 36, "also after a year");
}

#[test]
fn a_gate_that_does_not_know_the_job_is_asked_again_every_30_seconds() {
    let mut job = started(no_jitter(with_gate()));
    job.step(Command::Tick, us(60 * S + 1));
    job.step(acked(1, AckOutcome::UnknownJob, 1), us(65 * S));
    let sent = errands(&mut job, 65 * S, 160 * S);
    let reports = sent.iter().filter(|(_, sent)| sent.iter().any(|b| matches!(b, Body::JobTimeoutReport(_))));
    let at: Vec<i64> = reports.map(|(at, _)| at / S).collect();
    assert_eq!(at, [95, 125, 155]);
}

#[test]
fn a_grant_is_reported_at_once_but_not_more_than_once_a_second() {
    let mut job = started(with_gate());
    let mut reports = |at, progress| {
        let request = HealthcheckExtensionRequest {
            worker_id: id("w"),
            reason: String::new(),
            current_progress: progress,
            estimated_completion_ms: 0,
            active_workflow_count: 1,
            completed_items: None,
            total_items: None,
            request_id: None,
        };
        job.step(Command::Extend { request: Box::new(request), in_every_job: false, token: None }, us(at))
            .effects
            .len()
    };
    assert_eq!([reports(5 * S, 0.0), reports(6 * S - 1, 1.0), reports(7 * S - 1, 2.0)], [1, 0, 1]);
}

#[test]
fn a_worker_is_asked_to_stop_three_times_and_then_the_doubt_is_on_record() {
    let mut job = started(Submit { workflows: vec![plan("a", &[], Some("w"))], ..plain() });
    job.step(Command::Tick, us(60 * S + 1));
    assert_eq!(run(&job).workflows[&id("a")].status, WorkflowStatus::Cancelling);
    let end = 60 * S + 1;
    let sent: Vec<i64> = errands(&mut job, end, end + 100 * S).iter().map(|(at, _)| (at - end) / S).collect();
    assert_eq!(sent, [5, 10]);
    assert_eq!(job.due(), Some(us(end + 15 * S)));
    assert_eq!(job.step(Command::Tick, us(end + 15 * S - 1)).events, []);
    assert_eq!(names(&job.step(Command::Tick, us(end + 15 * S)).events), ["cancel_unconfirmed"]);
    assert_eq!((job.due(), job.wake(), errand(job.state(), us(end))), (None, None, None), "nothing is left");
}

#[test]
fn a_worker_is_not_given_up_for_the_time_in_which_nobody_could_hear_it() {
    let mut job = started(Submit { workflows: vec![plan("a", &[], Some("w"))], ..plain() });
    let end = 60 * S + 1;
    job.step(Command::Tick, us(end));
    let away = Downtime { last_alive: us(end + 4 * S), began: us(end + 500 * S), gap: Gap::Restart };
    assert_eq!(names(&job.resume(away).events), ["stopping_resumed"]);
    assert_eq!(job.due(), Some(us(end + 511 * S)));
    assert_eq!(run(&job).token, token(1), "who has ended is not led again");
}
