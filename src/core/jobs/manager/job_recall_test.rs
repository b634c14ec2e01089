//! What a manager tells a gate that lost its memory of the job.

use super::gate::handed_out;
use super::*;
use crate::jobs::protocol::recall::JobRecall;

/// Handed out in epoch 3, in `a` and `dc`.
fn job() -> J {
    let mut job = J::default();
    job.step(from_gate(3, handed_out(asked(3))), us(0));
    job
}

fn asked(epoch: u64) -> JobDispatch {
    JobDispatch {
        timeout_ms: Some(60_000),
        stuck_threshold_ms: 120_000,
        workflows: Vec::new(),
        class: None,
        timeout_rule: "gate_coordinated".to_owned(),
        settings: Settings::default(),
        gate_epoch: GateEpoch::shown(epoch),
        gate_addr: "gate:1".into(),
    }
}

/// The gate asks for the run of this epoch, and leads under that one.
fn asks(began: u64, epoch: u64) -> Command {
    let transfer = JobLeaderGateTransfer {
        new_gate: leader("g1"),
        new_gate_addr: "g1:1".to_owned(),
        gate_epoch: GateEpoch::shown(epoch),
        old_gate: None,
        recall: Some(GateEpoch::shown(began)),
    };
    from_gate(70, Body::JobLeaderGateTransfer(transfer))
}

fn told(step: &Step<JobMachine>) -> Vec<JobRecall> {
    let recall = |body: Body| match body {
        Body::JobRecall(recall) => Some(*recall),
        _ => None,
    };
    bodies(&step.effects).into_iter().filter_map(recall).collect()
}

#[test]
fn a_gate_that_does_not_know_the_job_is_told_everything() {
    let mut job = job();
    assert_eq!(run(&job).charter.as_ref().map(|charter| charter.epoch), Some(GateEpoch::shown(3)));
    let step = job.step(acked(0, AckOutcome::UnknownJob, 0), us(20 * S));
    assert!(step.events.is_empty());
    let [recall] = &told(&step)[..] else { panic!("{:?}", step.effects) };
    assert_eq!((recall.answers, recall.highest_epoch), (0, GateEpoch::shown(3)));
    assert_eq!((recall.progress.elapsed_ms, recall.progress.fence_token), (20_000, token(1)));
    assert_eq!(recall.plan(), asked(3));
    assert_eq!((recall.end.is_none(), recall.timeout.is_none(), recall.decision), (true, true, None));
    let Effect::Send(message) = &step.effects[0];
    assert_eq!((message.number, &message.to), (0, &Party::Gate(id("g1"))));
    // Taken as taken: nothing more is told.
    assert!(told(&job.step(acked(0, AckOutcome::Accepted, 1), us(21 * S))).is_empty());
}

#[test]
fn a_job_that_came_without_a_gate_or_charter_has_nothing_to_tell() {
    let mut alone = started(plain());
    assert!(told(&alone.step(acked(0, AckOutcome::UnknownJob, 0), us(S))).is_empty());
    let mut bare = started(with_gate());
    assert!(told(&bare.step(acked(0, AckOutcome::UnknownJob, 0), us(S))).is_empty());
    let step = bare.step(asks(1, 2), us(2 * S));
    assert_eq!(names(&step.events), ["gate_changed"]);
}

#[test]
fn a_gate_that_asks_leads_from_then_on_and_is_told() {
    let mut job = job();
    let step = job.step(asks(3, 5), us(S));
    assert_eq!(names(&step.events), ["recall_asked", "gate_changed"]);
    let [recall] = &told(&step)[..] else { panic!("{:?}", step.effects) };
    assert_eq!((recall.answers, recall.gate.epoch), (70, GateEpoch::shown(5)));
    // A repeat of the question is answered, and not recorded again.
    let again = job.step(asks(3, 5), us(2 * S));
    assert_eq!((again.events.len(), told(&again).len()), (0, 1));
    // One of an epoch that is over leads nothing, and learns which one holds.
    let stale = job.step(asks(3, 4), us(3 * S));
    assert_eq!(
        (names(&stale.events), told(&stale)[0].highest_epoch),
        (vec!["fence_rejected"], GateEpoch::shown(5))
    );
    let why = why(step.events.iter().map(|event| (1, us(S), event)));
    assert!(why[0].sentence.contains("lost its memory of the job"), "{why:?}");
}

#[test]
fn a_run_that_is_not_here_is_unknown_and_a_later_one_is_told_of() {
    let mut job = job();
    let later = job.step(asks(4, 9), us(S));
    let outcomes: Vec<_> = bodies(&later.effects).into_iter().collect();
    let [Body::ReportAck(ack)] = &outcomes[..] else { panic!("{outcomes:?}") };
    assert_eq!((ack.outcome, ack.fence_token, later.events.len()), (AckOutcome::UnknownJob, token(1), 0));
    assert_eq!(job.state().highest_epoch, GateEpoch::shown(3), "nothing is adopted");
    let earlier = job.step(asks(2, 9), us(2 * S));
    assert_eq!((told(&earlier).len(), earlier.events.len()), (1, 0));
    let mut none = J::default();
    let step = none.step(asks(1, 2), us(S));
    assert_eq!(step.reply, Err(Rejection::UnknownJob));
    assert!(
        matches!(&bodies(&step.effects)[..], [Body::ReportAck(ack)] if ack.outcome == AckOutcome::UnknownJob)
    );
}

#[test]
fn whoever_is_refused_for_its_epoch_is_told_which_one_holds() {
    let mut job = job();
    job.step(asks(3, 5), us(S));
    let step = job.step(from_gate(3, handed_out(asked(4))), us(2 * S));
    assert_eq!(told(&step).len(), 1);
    let decision = JobGlobalTimeout {
        reason: String::new(),
        decided_ago_ms: 0,
        fence_token: token(1),
        gate_epoch: GateEpoch::shown(4),
        decision_id: 1,
        run: GateEpoch::shown(3),
    };
    assert_eq!(told(&job.step(from_gate(4, Body::JobGlobalTimeout(decision)), us(3 * S))).len(), 1);
    let transfer = JobLeaderGateTransfer {
        new_gate: leader("g2"),
        new_gate_addr: String::new(),
        gate_epoch: GateEpoch::shown(4),
        old_gate: None,
        recall: None,
    };
    assert_eq!(told(&job.step(from_gate(5, Body::JobLeaderGateTransfer(transfer)), us(4 * S))).len(), 1);
}

#[test]
fn how_it_ended_is_told_with_the_decision_or_the_request_that_ended_it() {
    let mut over = job();
    let decision = JobGlobalTimeout {
        reason: "so".to_owned(),
        decided_ago_ms: 0,
        fence_token: token(1),
        gate_epoch: GateEpoch::shown(3),
        decision_id: 4,
        run: GateEpoch::shown(3),
    };
    over.step(from_gate(4, Body::JobGlobalTimeout(decision)), us(S));
    let recall = told(&over.step(asks(3, 5), us(2 * S))).remove(0);
    let end = recall.end.unwrap();
    assert_eq!((end.status, end.kind), (FinalStatus::Timeout, Some(TimeoutKind::GlobalDecision)));
    assert_eq!((recall.decision, recall.cancel, recall.timeout), (Some(4), None, None));

    let request = |requester: &str| JobCancelRequest {
        requester_id: requester.to_owned(),
        reason: "enough".to_owned(),
        fence_token: FenceToken::NONE,
        run: GateEpoch::NONE,
    };
    let mut stopped = job();
    let step = stopped.step(from_gate(4, Body::JobCancelRequest(request("ann"))), us(S));
    assert_eq!(names(&step.events), ["ended", "queued", "gate_cancel_accepted"]);
    let again = stopped.step(from_gate(4, Body::JobCancelRequest(request("ann"))), us(S));
    assert!(again.events.is_empty());
    let recall = told(&stopped.step(asks(3, 5), us(2 * S))).remove(0);
    assert_eq!((recall.cancel, recall.decision), (Some(request("ann")), None));

    // Stopped here only: no request of the gate.
    let mut here = job();
    here.step(Command::Cancel(request("bob")), us(S));
    assert_eq!(told(&here.step(asks(3, 5), us(2 * S))).remove(0).cancel, None);
}

#[test]
fn a_wait_for_the_decision_is_told_until_it_is_over() {
    let mut job = job();
    job.step(Command::Tick, us(60 * S + 1));
    let recall = told(&job.step(asks(3, 5), us(61 * S))).remove(0);
    let timeout = recall.timeout.unwrap();
    assert_eq!((timeout.kind, timeout.fence_token, recall.end), (TimeoutKind::Overall, token(1), None));
    job.step(
        Command::Complete { status: FinalStatus::Completed, reason: String::new(), token: None },
        us(62 * S),
    );
    let recall = told(&job.step(asks(3, 5), us(63 * S))).remove(0);
    assert_eq!((recall.timeout, recall.end.map(|end| end.status)), (None, Some(FinalStatus::Completed)));
}

#[test]
fn a_charter_is_kept_until_the_job_is_handed_out_in_a_later_epoch() {
    let mut job = job();
    let began = |job: &J| run(job).charter.as_ref().map(|charter| charter.epoch.get());
    assert!(names(&job.step(from_gate(4, handed_out(asked(3))), us(S)).events).is_empty());
    let step = job.step(from_gate(5, handed_out(asked(6))), us(2 * S));
    assert_eq!((names(&step.events), began(&job)), (vec!["gate_changed", "charter_noted"], Some(6)));
}

#[test]
fn another_gate_is_told_everything_in_place_of_the_one_that_is_gone() {
    let mut job = job();
    let step = job.step(Command::TellGate { gate: id("g2") }, us(20 * S));
    assert!(step.events.is_empty());
    let Effect::Send(message) = &step.effects[0];
    assert_eq!(&message.to, &Party::Gate(id("g2")));
    let [recall] = &told(&step)[..] else { panic!("{:?}", step.effects) };
    assert_eq!((&recall.gate.gate_id, recall.plan()), (&id("g1"), asked(3)));
    // The gate that leads needs nobody to succeed it.
    assert!(job.step(Command::TellGate { gate: id("g1") }, us(20 * S)).effects.is_empty());
}

#[test]
fn the_end_of_a_job_that_no_gate_heard_of_is_told_to_the_next_one_and_then_to_nobody() {
    let mut job = job();
    let ended = job.step(
        Command::Complete { status: FinalStatus::Completed, reason: String::new(), token: None },
        us(20 * S),
    );
    assert!(ended.reply.is_ok(), "{:?}", ended.reply);
    let step = job.step(Command::TellGate { gate: id("g2") }, us(21 * S));
    let [recall] = &told(&step)[..] else { panic!("{:?}", step.effects) };
    assert_eq!(recall.end.as_ref().map(|end| end.status), Some(FinalStatus::Completed));
    let number = *job.state().outbox.keys().next().unwrap();
    job.step(acked(number, AckOutcome::Accepted, 1), us(22 * S));
    assert!(job.step(Command::TellGate { gate: id("g2") }, us(23 * S)).effects.is_empty());
}

#[test]
fn a_job_without_a_gate_has_none_to_be_succeeded() {
    let mut job = J::default();
    job.step(Command::Submit(Box::new(plain())), us(0));
    let step = job.step(Command::TellGate { gate: id("g2") }, us(S));
    assert_eq!((step.reply, step.effects.len()), (Err(Rejection::NoGate), 0));
}

/// The run of epoch 3, handed out by this gate under this epoch, to whoever leads above this token.
fn handed_on(gate: &str, led: u64, above: u64) -> Command {
    let Body::JobDispatch(mut dispatch) = handed_out(asked(3)) else { unreachable!() };
    (dispatch.led, dispatch.above) = (GateEpoch::shown(led), token(above));
    let Command::Receive(mut message) = from_gate(80, Body::JobDispatch(dispatch)) else { unreachable!() };
    message.from = Party::Gate(id(gate));
    Command::Receive(message)
}

fn answered(step: &Step<JobMachine>) -> Vec<AckOutcome> {
    let ack = |body: Body| match body {
        Body::ReportAck(ack) => Some(ack.outcome),
        _ => None,
    };
    bodies(&step.effects).into_iter().filter_map(ack).collect()
}

#[test]
fn a_run_that_a_later_gate_hands_on_is_the_same_run_also_where_it_was_led_and_ended() {
    let mut job = job();
    job.step(asks(3, 1 << 20), us(S));
    job.step(Command::Suspend { token: token(1), reason: String::new() }, us(2 * S));
    // The gate before, which does not know yet, changes nothing.
    let stale = job.step(handed_on("g0", 3, 1 << 20), us(3 * S));
    assert_eq!(answered(&stale), [AckOutcome::Stale]);
    let given = job.step(handed_on("g1", 1 << 20, 1 << 20), us(4 * S));
    assert_eq!((answered(&given), job.state().runs), (vec![AckOutcome::Accepted], 1));
    assert!(run(&job).suspended_at.is_none() && run(&job).token > token(1 << 20));
    job.step(
        Command::Complete { status: FinalStatus::Completed, reason: String::new(), token: None },
        us(5 * S),
    );
    let late = job.step(handed_on("g1", 1 << 20, 0), us(6 * S));
    assert_eq!(answered(&late), [AckOutcome::AlreadyFinal(FinalStatus::Completed)]);
    // Whoever leads by then: it is no new run.
    let later = job.step(handed_on("g2", 2 << 20, 0), us(7 * S));
    assert_eq!(answered(&later), [AckOutcome::AlreadyFinal(FinalStatus::Completed)]);
    assert_eq!(job.state().runs, 1);
}

#[test]
fn a_job_that_was_submitted_to_two_gates_is_led_by_one_and_the_other_is_told_which() {
    let mut job = job();
    let step = job.step(handed_on("g2", 3, 0), us(S));
    assert_eq!(answered(&step), [AckOutcome::Stale]);
    let [recall] = &told(&step)[..] else { panic!("{:?}", step.effects) };
    assert_eq!((&recall.gate.gate_id, job.state().runs), (&id("g1"), 1));
    // The other one goes above it, and then the first one is told, when it says anything.
    let step = job.step(handed_on("g2", 4, 0), us(2 * S));
    assert_eq!(answered(&step), [AckOutcome::Accepted]);
    let step = job.step(handed_on("g1", 3, 0), us(3 * S));
    assert_eq!((answered(&step), &told(&step)[0].gate.gate_id), (vec![AckOutcome::Stale], &id("g2")));
}

#[test]
fn a_manager_that_was_replaced_tells_no_other_gate_of_the_job() {
    let mut job = job();
    job.step(Command::Suspend { token: token(1), reason: String::new() }, us(S));
    let step = job.step(Command::TellGate { gate: id("g2") }, us(2 * S));
    assert_eq!((step.reply, step.effects.len()), (Err(Rejection::Suspended { token: token(1) }), 0));
}

#[test]
fn the_workers_of_a_manager_that_was_replaced_are_told_that_the_work_is_not_theirs() {
    let work = WorkflowPlan { workflow_id: id("a"), depends_on: Vec::new(), worker_id: Some(id("w")) };
    let mut job = J::default();
    job.step(from_gate(3, handed_out(JobDispatch { workflows: vec![work], ..asked(3) })), us(0));
    let step = job.step(acked(0, AckOutcome::Stale, 9), us(S));
    assert!(run(&job).suspended_at.is_some(), "{:?}", step.events);
    let revoked = |Effect::Send(message): &Effect| match (&message.to, &message.body) {
        (Party::Worker(worker), Body::WorkflowRevoke(revoke)) => {
            Some((worker.clone(), revoke.workflows.clone(), revoke.fence_token))
        }
        _ => None,
    };
    let revoked: Vec<_> = step.effects.iter().filter_map(revoked).collect();
    assert_eq!(revoked, [(id("w"), vec![(id("a"), DispatchToken::shown(1))], token(1))]);
}
