//! What is to be over: which run, and what datacenters that have nothing of it say.

use super::*;
use crate::kernel::time::{Downtime, Gap};

fn ack(outcome: AckOutcome, given: u64) -> ReportAck {
    ReportAck { outcome, fence_token: token(given), leader_addr: None }
}

fn cancel() -> Command {
    Command::Cancel { requester_id: "ann".to_owned(), reason: String::new() }
}

/// The run that each request to stop and each decision is about.
fn named(step: &Step<GateMachine>) -> Vec<u64> {
    let run = |message: Message| match message.body {
        Body::JobCancelRequest(request) => Some(request.run.get()),
        Body::JobGlobalTimeout(decision) => Some(decision.run.get()),
        _ => None,
    };
    sent(step).into_iter().filter_map(run).collect()
}

#[test]
fn what_is_to_be_over_is_named_by_the_epoch_that_its_dispatches_carry() {
    let again = |gate: &mut G, at| {
        let gap = Gap::Restart;
        let resumed = gate.resume(Downtime { last_alive: us(at), began: us(at + 1), gap });
        assert_eq!(resumed.events.len(), 1, "a new process leads under an epoch of its own");
        assert_eq!(gate.state().gate_epoch, GateEpoch::shown(2));
    };
    let mut stopped = tracked(&["a", "b"], Some(100_000));
    again(&mut stopped, 10);
    assert_eq!(named(&stopped.step(cancel(), us(S))), [1, 1]);
    let mut over = tracked(&["a"], Some(1_000));
    again(&mut over, 10);
    assert_eq!(named(&over.step(Command::Tick, us(S + 1))), [1]);
}

#[test]
fn a_datacenter_whose_record_shows_another_run_only_has_nothing_to_stop() {
    let mut gate = tracked(&["a"], None);
    // What was heard of it was about a run that this gate has forgotten.
    gate.step(progress("a", report("a", 1)), us(1));
    gate.step(cancel(), us(2));
    let number = errands(&gate)[0].0;
    let lost = message("a", number, Body::ReportAck(ack(AckOutcome::UnknownJob, 0)));
    assert!(gate.step(lost, us(3)).events.is_empty(), "one that lost its record cannot tell");
    let another = message("a", number, Body::ReportAck(ack(AckOutcome::UnknownJob, 1)));
    assert_eq!(names(&gate.step(another, us(4))), ["delivered", "datacenter_ended", "finished"]);
    assert_eq!(gate.state().finished.as_ref().unwrap().status, FinalStatus::Cancelled);
}

/// A gate that lost its memory of a request to stop hands the job out again where the request was faster than the job.
#[test]
fn a_dispatch_that_begins_nothing_any_more_ends_the_job_there() {
    let mut gate = tracked(&["a", "b"], None);
    let number = errands(&gate)[0].0;
    let refused =
        message("a", number, Body::ReportAck(ack(AckOutcome::AlreadyFinal(FinalStatus::Cancelled), 0)));
    assert_eq!(names(&gate.step(refused, us(1))), ["delivered", "datacenter_ended"]);
    let dc = &gate.state().run.as_ref().unwrap().datacenters[&id("a")];
    assert_eq!(dc.own_final(), Some(FinalStatus::Cancelled));
}

#[test]
fn an_end_under_a_leadership_that_was_replaced_does_not_count() {
    let mut gate = tracked(&["a"], Some(100_000));
    gate.step(progress("a", report("a", 1)), us(1));
    assert_eq!(names(&super::life::taken_over(&mut gate, 2)), ["taken_over"]);
    gate.step(cancel(), us(3));
    let number = errands(&gate)[0].0;
    let ended =
        message("a", number, Body::ReportAck(ack(AckOutcome::AlreadyFinal(FinalStatus::Completed), 1)));
    assert_eq!(names(&gate.step(ended, us(4))), ["delivered", "datacenter_ended", "finished"]);
    assert_eq!(gate.state().finished.as_ref().unwrap().status, FinalStatus::Cancelled);
}
