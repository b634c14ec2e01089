//! Reports that were dropped, how the leader hears of them, and reports that come again.

use super::*;

/// What the reports say that go out: how many before them were dropped, none where nothing is said of it.
fn told_dropped(step: &Step<WorkerMachine>) -> Vec<Option<u64>> {
    let said = step.effects.iter().filter_map(|effect| match effect {
        Effect::Send(message) => match &message.body {
            Body::WorkflowReport(_) => Some(None),
            Body::WorkflowReportAfterDrops(report) => Some(Some(report.dropped)),
            _ => None,
        },
        _ => None,
    });
    said.collect()
}

#[test]
fn what_was_dropped_is_told_with_every_report_until_the_leader_heard_of_it() {
    use WorkflowOutcome::{Completed, Running};
    let mut worker = worker(9);
    let dropped = |count, dispatch: u64| Command::NoteDropped {
        job_id: id("j"),
        workflow_id: id("w"),
        dispatch_token: DispatchToken::shown(dispatch),
        count,
    };
    let untold = |worker: &W| worker.state().jobs[&id("j")].workflows[&id("w")].untold();
    worker.step(dispatch("w", 1, 1), us(0));
    assert_eq!(told_dropped(&worker.step(done("w", Running, 1), us(1))), [None]);
    worker.step(acked(number(&worker), AckOutcome::Accepted, 1), us(2));
    // It is on record and waits for the next report.
    let step = worker.step(dropped(2, 1), us(3));
    assert_eq!((names(&step), told_dropped(&step), untold(&worker)), (vec!["reports_dropped"], vec![], 2));
    // Of another handing over nobody wants to know, and none is none.
    assert!(worker.step(dropped(5, 9), us(3)).events.is_empty());
    assert!(worker.step(dropped(0, 1), us(3)).events.is_empty());
    assert_eq!(told_dropped(&worker.step(done("w", Running, 4), us(4))), [Some(2)]);
    let before = number(&worker);
    // While that is on its way more are dropped: they are told under another number, in one sum.
    assert_eq!(told_dropped(&worker.step(dropped(1, 1), us(5))), [Some(3)]);
    assert!(worker.step(acked(before, AckOutcome::Accepted, 1), us(6)).events.is_empty());
    assert_eq!(untold(&worker), 3);
    worker.step(acked(number(&worker), AckOutcome::Accepted, 1), us(7));
    assert_eq!(untold(&worker), 0);
    // Told once is enough, and the end tells what was not told.
    assert_eq!(told_dropped(&worker.step(done("w", Running, 5), us(8))), [None]);
    worker.step(dropped(4, 1), us(9));
    assert_eq!(told_dropped(&worker.step(done("w", Completed, 6), us(10))), [Some(7)]);
    worker.step(acked(number(&worker), AckOutcome::AlreadyFinal(FinalStatus::Completed), 1), us(11));
    assert_eq!(untold(&worker), 0);
}

#[test]
fn a_result_that_was_reported_stands_and_only_the_same_again_is_a_repeat() {
    let report = |result: Option<&str>, count: u64| {
        let Command::Report(mut report) = done("w", WorkflowOutcome::Completed, count) else { panic!() };
        report.result = result.map(str::to_owned);
        Command::Report(report)
    };
    let (workflow_id, outcome) = (id("w"), WorkflowOutcome::Completed);
    let otherwise = Err(Rejection::ReportedOtherwise { workflow_id, outcome });
    let mut worker = worker(9);
    worker.step(dispatch("w", 1, 1), us(0));
    worker.step(report(Some("x"), 2), us(1));
    // The same before and after the leader heard of it, when the result itself is kept no more.
    for delivered in [false, true] {
        if delivered {
            worker.step(acked(number(&worker), AckOutcome::Accepted, 1), us(2));
        }
        let again = worker.step(report(Some("x"), 2), us(3));
        assert_eq!((again.reply, again.events), (Ok(Reply { changed: false }), vec![]));
        for other in [report(Some("y"), 2), report(None, 2), report(Some(""), 2), report(Some("x"), 3)] {
            let step = worker.step(other, us(3));
            assert_eq!((step.reply, step.events), (otherwise.clone(), vec![]));
        }
    }
}
