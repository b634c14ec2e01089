//! Takes, beats, silence, and what is handed out again.

use super::*;

fn handed(workflow: &str, number: u64) -> Handed {
    Handed { job_id: id("j"), workflow_id: id(workflow), dispatch_token: DispatchToken::shown(number) }
}

fn take(has: &[Handed], most: u32) -> Command {
    Command::Take { has: has.to_vec(), most, silent_ms: 0 }
}

fn beat(has: &[Handed]) -> Command {
    Command::Beat { has: has.to_vec() }
}

fn unsure(worker: &W) -> Vec<String> {
    worker.state().unsure().map(|attempt| attempt.workflow_id.to_string()).collect()
}

fn reports(step: &Step<WorkerMachine>) -> Vec<WorkflowOutcome> {
    let reports = step.effects.iter().filter_map(|effect| match effect {
        Effect::Send(message) => match &message.body {
            Body::WorkflowReport(report) => Some(report.outcome),
            _ => None,
        },
        _ => None,
    });
    reports.collect()
}

#[test]
fn a_dispatch_is_accepted_when_the_worker_takes_it_and_not_before() {
    let mut worker = worker(2);
    let step = worker.step(dispatch("a", 1, 1), us(0));
    let ack = ack(&step);
    assert_eq!((ack.accepted, ack.not_now), (false, Some(NotNow::NotTaken)));
    let step = worker.step(take(&[], 1), us(S));
    assert_eq!((names(&step), reports(&step)), (vec!["took"], vec![WorkflowOutcome::Running]));
    assert_eq!(unsure(&worker), ["a"]);
}

#[test]
fn what_was_handed_out_comes_again_until_the_worker_names_it() {
    let mut worker = worker(3);
    for (name, number) in [("a", 1), ("b", 2), ("c", 3)] {
        worker.step(dispatch(name, number, 1), us(0));
    }
    worker.step(take(&[], 1), us(0));
    assert_eq!(worker.step(take(&[], 1), us(1)).events, [], "the same again");
    assert_eq!(unsure(&worker), ["a"]);
    worker.step(take(&[handed("a", 1)], 1), us(2));
    assert_eq!(unsure(&worker), ["b"], "the next one");
    worker.step(beat(&[handed("a", 1), handed("b", 9)]), us(3));
    assert_eq!(unsure(&worker), ["b"], "another handing over says nothing of this one");
    worker.step(done("b", WorkflowOutcome::Running, 1), us(4));
    assert_eq!(unsure(&worker), Vec::<String>::new());
}

#[test]
fn a_silent_worker_is_lost_with_all_it_ran_and_one_that_never_took_is_not_judged() {
    let mut worker = worker(2);
    worker.step(dispatch("a", 1, 1), us(0));
    assert_eq!(worker.due(), None);
    worker.step(take(&[], 1), us(0));
    let limit = 15_015_000;
    assert_eq!(worker.due(), Some(us(limit)));
    assert_eq!(worker.step(Command::Tick, us(limit - 1)).events, []);
    let step = worker.step(Command::Tick, us(limit));
    assert_eq!((names(&step), reports(&step)), (vec!["lost"], vec![WorkflowOutcome::Lost]));
    let refused = worker.step(done("a", WorkflowOutcome::Completed, 1), us(limit + 1)).reply;
    assert_eq!(refused, Err(Rejection::Taken { workflow_id: id("a") }));
    assert_eq!(worker.step(dispatch("b", 2, 1), us(limit + 2)).reply, Err(Rejection::Lost));
    assert_eq!(names(&worker.step(beat(&[]), us(limit + 3))), ["registered", "beat"]);
    assert_eq!(worker.step(dispatch("b", 2, 1), us(limit + 4)).reply, Ok(Reply { changed: true }));
}

#[test]
fn beats_write_once_in_half_a_span_and_downtime_is_no_silence() {
    let mut worker = worker(1);
    worker.step(beat(&[]), us(0));
    assert_eq!(worker.step(beat(&[]), us(2 * S)).events, []);
    assert_eq!(names(&worker.step(beat(&[]), us(5 * S / 2))), ["beat"]);
    let due = worker.due().unwrap();
    let away = Downtime { last_alive: us(3 * S), began: us(1_003 * S), gap: Gap::Restart };
    worker.resume(away);
    assert!(worker.due().unwrap() >= Timestamp::from_micros(due.as_micros() + 1_000 * S));
}

#[test]
fn another_life_runs_nothing_of_what_the_one_before_ran() {
    let mut worker = worker(2);
    let enroll = |n| Command::Enroll { beat_ms: None, incarnation: Some(n) };
    assert_eq!(names(&worker.step(enroll(1), us(0))), ["enrolled"]);
    worker.step(dispatch("a", 1, 1), us(0));
    worker.step(dispatch("b", 2, 1), us(0));
    worker.step(take(&[], 1), us(0));
    assert_eq!(worker.step(enroll(1), us(1)).events, []);
    assert_eq!(reports(&worker.step(enroll(2), us(2))), [WorkflowOutcome::Lost]);
    worker.step(take(&[], 2), us(3));
    assert_eq!(unsure(&worker), ["b"], "what was not handed out yet is");
}

#[test]
fn what_was_not_taken_has_stopped_at_once_and_what_was_is_only_lost() {
    let mut worker = worker(2);
    worker.step(beat(&[]), us(0));
    worker.step(dispatch("a", 1, 1), us(0));
    let step = worker.step(stop(&["a"], 1), us(1));
    assert_eq!((names(&step), reports(&step)), (vec!["aborted"], vec![WorkflowOutcome::Cancelled]));
    worker.step(dispatch("b", 2, 1), us(2));
    worker.step(take(&[], 1), us(3));
    assert_eq!(names(&worker.step(stop(&["b"], 1), us(4))), ["stop_asked"]);
    worker.step(beat(&[handed("b", 2)]), us(9 * S));
    let step = worker.step(Command::Tick, us(10 * S + 4));
    assert_eq!((names(&step), reports(&step)), (vec!["aborted"], vec![WorkflowOutcome::Lost]));
}

#[test]
fn what_its_leader_takes_back_is_over_at_once_and_a_later_handing_over_stays() {
    let mut worker = worker(2);
    worker.step(dispatch("a", 3, 1), us(0));
    worker.step(take(&[], 1), us(0));
    worker.step(beat(&[handed("a", 3)]), us(1));
    let revoke = |number| {
        let workflows = vec![(id("a"), DispatchToken::shown(number))];
        let body = WorkflowRevoke { workflows, reason: "it is gone".to_owned(), fence_token: token(1) };
        said("m", "j", 9, Body::WorkflowRevoke(body))
    };
    let older = worker.step(revoke(2), us(2));
    assert_eq!((older.events.len(), ack(&older).accepted), (0, true));
    let step = worker.step(revoke(3), us(3));
    assert_eq!((names(&step), reports(&step)), (vec!["revoked"], vec![]));
    assert!(step.effects.contains(&Effect::Abort(one("a", 1, 3))), "{step:?}");
    assert_eq!((worker.state().running(), worker.state().outbox.len()), (0, 0));
    let late = worker.step(done("a", WorkflowOutcome::Completed, 1), us(4));
    assert_eq!(late.reply, Err(Rejection::Taken { workflow_id: id("a") }));
    let again = worker.step(revoke(3), us(5));
    assert_eq!((again.events.len(), ack(&again).accepted), (0, true));
}
