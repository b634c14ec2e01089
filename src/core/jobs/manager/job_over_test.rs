//! What a gate wants to be over, and which run it means.

use super::gate::{ack_of, handed_out};
use super::*;
use crate::jobs::protocol::recall::Dispatch;

const TIMEOUT: FinalStatus = FinalStatus::Timeout;
const CANCELLED: FinalStatus = FinalStatus::Cancelled;
const COMPLETED: FinalStatus = FinalStatus::Completed;

fn dispatch(epoch: u64) -> Command {
    dispatch_above(epoch, 0)
}

/// The run of this epoch, for a manager that leads above this token.
fn dispatch_above(epoch: u64, above: u64) -> Command {
    let plan = JobDispatch {
        timeout_ms: Some(60_000),
        stuck_threshold_ms: 120_000,
        workflows: Vec::new(),
        class: None,
        timeout_rule: "gate_coordinated".to_owned(),
        settings: Settings::default(),
        gate_epoch: GateEpoch::shown(epoch),
        gate_addr: "gate:1".into(),
    };
    let Body::JobDispatch(handed) = handed_out(plan) else { unreachable!() };
    from_gate(3, Body::JobDispatch(Box::new(Dispatch { above: token(above), ..*handed })))
}

/// The gate asks to stop the run of this epoch, and has not heard of this manager.
fn cancel(epoch: u64) -> Command {
    from_gate(
        5,
        Body::JobCancelRequest(JobCancelRequest {
            requester_id: "ann".to_owned(),
            reason: "enough".to_owned(),
            fence_token: FenceToken::NONE,
            run: GateEpoch::shown(epoch),
        }),
    )
}

/// The gate decides that the time of the run of this epoch is over, likewise.
fn decide(epoch: u64, fence: u64) -> Command {
    let decision = JobGlobalTimeout {
        reason: "majority".to_owned(),
        decided_ago_ms: 0,
        fence_token: token(fence),
        gate_epoch: GateEpoch::shown(epoch),
        decision_id: 7,
        run: GateEpoch::shown(epoch),
    };
    from_gate(6, Body::JobGlobalTimeout(decision))
}

fn complete() -> Command {
    Command::Complete { status: COMPLETED, reason: String::new(), token: None }
}

/// It had the run of this epoch, and completed it; the gate knows, unless its final status is still owed.
fn completed(epoch: u64, is_known: bool) -> J {
    let mut job = J::default();
    job.step(dispatch(epoch), us(0)).reply.unwrap();
    job.step(complete(), us(S)).reply.unwrap();
    if is_known {
        let number = *job.state().outbox.keys().next().unwrap();
        job.step(acked(number, AckOutcome::Accepted, 1), us(S));
        assert!(job.state().outbox.is_empty());
    }
    job
}

fn refused(job: &J) -> Option<(u64, FinalStatus)> {
    job.state().refused_run.map(|refused| (refused.epoch.get(), refused.status))
}

fn began(job: &J) -> u64 {
    run(job).charter.as_ref().unwrap().epoch.get()
}

#[test]
fn a_run_that_is_over_before_it_came_is_refused_once_and_begins_no_more() {
    for (ask, status) in [(cancel(2), CANCELLED), (decide(2, 0), TIMEOUT)] {
        let mut job = J::default();
        let step = job.step(ask.clone(), us(S));
        assert_eq!((step.reply, names(&step.events)), (Err(Rejection::UnknownJob), vec!["run_refused"]));
        assert_eq!(ack_of(&step.effects), [AckOutcome::UnknownJob]);
        assert_eq!(refused(&job), Some((2, status)));
        for again in [ask, cancel(1), decide(1, 0)] {
            let step = job.step(again, us(2 * S));
            assert_eq!((step.events, ack_of(&step.effects)), (vec![], vec![AckOutcome::UnknownJob]));
        }
        // To all others it is a job that nobody knows, which waits for nothing.
        assert_eq!((job.state().job_id.clone(), job.state().view(us(3 * S), None)), (None, None));
        assert_eq!((job.due(), errand(job.state(), us(3 * S))), (None, None));
        for late in [1, 2] {
            let step = job.step(dispatch(late), us(3 * S));
            assert_eq!(
                (step.events, ack_of(&step.effects)),
                (vec![], vec![AckOutcome::AlreadyFinal(status)])
            );
        }
        let later = job.step(dispatch(3), us(4 * S));
        assert_eq!(ack_of(&later.effects), [AckOutcome::Accepted]);
        assert_eq!((began(&job), phase(&job)), (3, Phase::Tracking));
    }
}

#[test]
fn a_higher_run_that_is_over_is_refused_too_and_a_lower_one_changes_nothing() {
    let mut job = J::default();
    job.step(cancel(2), us(S));
    assert_eq!(names(&job.step(decide(4, 0), us(S)).events), ["run_refused"]);
    assert!(job.step(cancel(3), us(S)).events.is_empty());
    assert_eq!(refused(&job), Some((4, TIMEOUT)));
}

#[test]
fn how_an_earlier_run_ended_that_its_gate_knows_is_no_answer_about_a_later_one() {
    for (ask, status) in [(cancel(2), CANCELLED), (decide(2, 0), TIMEOUT)] {
        let mut job = completed(1, true);
        let step = job.step(ask, us(2 * S));
        assert_eq!((step.reply, names(&step.events)), (Err(Rejection::UnknownJob), vec!["run_refused"]));
        let [Body::ReportAck(ack) | Body::GlobalTimeoutAck(ack)] = &bodies(&step.effects)[..] else {
            panic!("{:?}", step.effects)
        };
        assert_eq!((ack.outcome, ack.fence_token), (AckOutcome::UnknownJob, token(1)));
        let late = job.step(dispatch(2), us(3 * S));
        assert_eq!((late.events, ack_of(&late.effects)), (vec![], vec![AckOutcome::AlreadyFinal(status)]));
        assert_eq!((began(&job), ended(&job)), (1, Some((COMPLETED, None))));
    }
}

#[test]
fn an_end_that_the_gate_does_not_know_yet_answers_and_nothing_begins_after_it() {
    for ask in [cancel(2), decide(2, 0)] {
        let mut job = completed(1, false);
        let step = job.step(ask, us(2 * S));
        assert_eq!(names(&step.events), ["run_refused"]);
        assert_eq!(ack_of(&step.effects), [AckOutcome::AlreadyFinal(COMPLETED)]);
        let late = job.step(dispatch(2), us(3 * S));
        assert_eq!((late.events, ack_of(&late.effects)), (vec![], vec![AckOutcome::AlreadyFinal(COMPLETED)]));
    }
}

#[test]
fn of_the_run_that_is_asked_about_its_end_is_the_answer_and_nothing_is_refused() {
    let mut job = completed(2, true);
    let step = job.step(decide(2, 1), us(2 * S));
    assert_eq!((step.events, ack_of(&step.effects)), (vec![], vec![AckOutcome::AlreadyFinal(COMPLETED)]));
    // One that began later is none of it, and an earlier one cannot begin any more.
    let step = job.step(cancel(1), us(2 * S));
    assert_eq!((step.events, ack_of(&step.effects)), (vec![], vec![AckOutcome::UnknownJob]));
}

#[test]
fn what_runs_is_stopped_whichever_run_it_is_and_is_not_begun_again() {
    for (ask, status) in [(cancel(2), CANCELLED), (decide(2, 1), TIMEOUT)] {
        let mut job = J::default();
        job.step(dispatch(1), us(0)).reply.unwrap();
        let step = job.step(ask, us(S));
        assert_eq!(ended(&job).map(|(status, _)| status), Some(status));
        assert!(names(&step.events).contains(&"run_refused"), "{:?}", step.events);
        let late = job.step(dispatch(2), us(2 * S));
        assert_eq!((late.events, ack_of(&late.effects)), (vec![], vec![AckOutcome::AlreadyFinal(status)]));
    }
}

/// It led the job, another one did since, and it is to lead it again: what it ended meanwhile would not hinder it.
#[test]
fn a_run_that_is_over_is_not_taken_over_by_who_ended_it_before() {
    const ABOVE: u64 = 1 << 20;
    let mut free = completed(2, true);
    free.step(dispatch_above(2, ABOVE), us(2 * S)).reply.unwrap();
    assert_eq!(ended(&free), None);
    let mut job = completed(2, true);
    let step = job.step(cancel(2), us(2 * S));
    assert_eq!(names(&step.events), ["run_refused"]);
    assert_eq!(ack_of(&step.effects), [AckOutcome::AlreadyFinal(COMPLETED)]);
    let late = job.step(dispatch_above(2, ABOVE), us(3 * S));
    assert_eq!((late.events, ack_of(&late.effects)), (vec![], vec![AckOutcome::AlreadyFinal(COMPLETED)]));
}

#[test]
fn a_request_of_no_gate_refuses_nothing() {
    let mut job = J::default();
    let Command::Receive(message) = cancel(0) else { unreachable!() };
    let Body::JobCancelRequest(request) = message.body.clone() else { unreachable!() };
    let step = job.step(Command::Cancel(request), us(S));
    assert_eq!((step.reply, step.events), (Err(Rejection::UnknownJob), vec![]));
    // Nor does one of a gate that names no run.
    let step = job.step(Command::Receive(message), us(S));
    assert_eq!((step.events, ack_of(&step.effects)), (vec![], vec![AckOutcome::UnknownJob]));
}
