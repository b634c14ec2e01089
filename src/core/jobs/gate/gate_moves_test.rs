//! What becomes of the jobs of a datacenter that is gone.

use super::life::{cancel, taken_over};
use super::*;

const BLOCK: u64 = 1 << 20;

/// Every manager of `dc` is dead, and these may get its job.
fn gone(gate: &mut G, dc: &str, chain: &[&str], at: i64) -> Step<GateMachine> {
    let chain = if chain.is_empty() { Vec::new() } else { asked(chain, None, Settings::default()).targets };
    let command = Command::DatacenterGone {
        datacenter: id(dc),
        from: node(&format!("m-{dc}")),
        chain,
        plan: Box::new(plan(gate.state().run.as_ref().and_then(|run| run.timeout_ms))),
        reason: "it is dead".to_owned(),
    };
    gate.step(command, us(at))
}

fn back(gate: &mut G, dc: &str, at: i64) -> Step<GateMachine> {
    gate.step(Command::DatacenterBack { datacenter: id(dc) }, us(at))
}

/// What a datacenter reports under a token.
fn by(dc: &str, given: u64, seq: u64) -> Command {
    progress(dc, JobProgressReport { fence_token: token(given), ..report(dc, seq) })
}

fn above(step: &Step<GateMachine>) -> (String, u64, usize) {
    let messages = sent(step);
    let [message] = messages.as_slice() else { panic!("{step:?}") };
    let Body::JobDispatch(dispatch) = &message.body else { panic!("{message:?}") };
    (message.datacenter.to_string(), dispatch.above.get(), dispatch.plan.workflows.len())
}

fn stops(step: &Step<GateMachine>, given: u64) -> bool {
    let stop =
        |m: &Message| matches!(&m.body, Body::JobCancelRequest(stop) if stop.fence_token == token(given));
    sent(step).iter().any(stop)
}

fn shown(gate: &G, at: i64) -> Vec<(String, String)> {
    let all = gate.state().status(us(at)).unwrap().datacenters;
    all.into_iter().map(|dc| (dc.datacenter.to_string(), dc.status.into_owned())).collect()
}

#[test]
fn the_job_of_a_datacenter_that_is_gone_goes_to_the_next_above_all_its_tokens_and_what_it_says_later_is_stale()
 {
    let mut gate = tracked(&["a"], Some(100_000));
    gate.step(by("a", 7, 1), us(S));
    let extended = JobProgressReport {
        total_extensions_granted_ms: 9_000,
        max_worker_extension_ms: 5_000,
        fence_token: token(7),
        ..report("a", 2)
    };
    gate.step(progress("a", extended), us(2 * S));
    assert!(gate.state().run.as_ref().unwrap().plan.is_none(), "it was not needed any more");
    let due = gate.due();
    let step = gone(&mut gate, "a", &["a", "b", "c"], 3 * S);
    assert_eq!((names(&step), above(&step)), (vec!["moved"], ("b".to_owned(), BLOCK, 1)));
    assert_eq!(gate.due(), due, "time that was granted stays granted");
    // It is said again, by somebody who was late.
    let again = gone(&mut gate, "a", &["c"], 4 * S).reply;
    assert_eq!(again, Err(Rejection::UnknownDatacenter { datacenter: id("a") }));
    // It was only cut off, and its manager was started again: it is told to stop, and is on record once.
    for given in [7, 8, BLOCK] {
        let held = token(BLOCK);
        let late = gate.step(by("a", given, 9), us(5 * S));
        assert_eq!(late.reply, Err(Rejection::Stale { held, given: token(given) }));
        assert_eq!((names(&late), stops(&late, given)), (vec!["fence_rejected"], true));
        let ended = gate.step(ends("a", given, FinalStatus::Completed, false), us(6 * S));
        assert_eq!((ended.reply.is_err(), names(&ended)), (true, vec!["fence_rejected"]));
        assert_eq!(outcome(&ended), AckOutcome::AlreadyFinal(FinalStatus::Cancelled));
        assert!(gate.step(by("a", given, 10), us(6 * S)).events.is_empty(), "once");
    }
    assert_eq!(gate.state().status(us(6 * S)).unwrap().left_datacenters, [id("a")]);
    let low = gate.step(by("b", BLOCK, 1), us(7 * S)).reply;
    assert!(matches!(low, Err(Rejection::Stale { .. })), "nobody leads under that token: {low:?}");
    gate.step(by("b", BLOCK + 1, 1), us(7 * S));
    // The next one dies, too. The first one does not get the job again, whoever says so.
    let step = gone(&mut gate, "b", &["a", "b", "c"], 8 * S);
    assert_eq!(above(&step), ("c".to_owned(), 2 * BLOCK, 1));
    gate.step(ends("c", 2 * BLOCK + 1, FinalStatus::Completed, false), us(9 * S));
    assert_eq!(status(&gate), Some(FinalStatus::Completed));
    for dc in ["a", "b"] {
        let late = gate.step(ends(dc, BLOCK + 2, FinalStatus::Failed, false), us(10 * S));
        assert!(matches!(late.reply, Err(Rejection::Stale { .. })), "{late:?}");
        assert_eq!((status(&gate), names(&late)), (Some(FinalStatus::Completed), vec!["fence_rejected"]));
    }
}

#[test]
fn a_job_that_no_other_datacenter_may_get_waits_beyond_its_silence_and_goes_on_when_it_is_back() {
    let mut gate = tracked(&["a"], Some(1_000_000));
    gate.step(by("a", 1, 1), us(S));
    assert_eq!(names(&gone(&mut gate, "a", &[], 2 * S)), ["datacenter_lost"]);
    assert!(gone(&mut gate, "a", &["a"], 3 * S).events.is_empty(), "it is on record already");
    assert_eq!(shown(&gate, 3 * S), [("a".to_owned(), "waiting_for_datacenter".to_owned())]);
    // Longer than it may be silent, which is 180 s; its budget is 1,000 s.
    assert!(gate.step(Command::Tick, us(900 * S)).events.is_empty());
    assert_eq!(gate.due(), Some(us(1_000 * S + 1)));
    assert_eq!(names(&back(&mut gate, "a", 901 * S)), ["datacenter_back"]);
    assert_eq!(shown(&gate, 901 * S), [("a".to_owned(), "running".to_owned())]);
    assert!(back(&mut gate, "a", 902 * S).events.is_empty());
    assert!(gate.step(Command::Tick, us(990 * S)).events.is_empty(), "its silence counts from its return");
    gate.step(ends("a", 1, FinalStatus::Completed, false), us(991 * S));
    assert_eq!(status(&gate), Some(FinalStatus::Completed));
}

#[test]
fn whoever_says_something_is_not_gone() {
    for said in [by("a", 2, 2), ends("a", 1, FinalStatus::Completed, true), over("a", 1)] {
        let mut gate = tracked(&["a"], Some(1_000_000));
        gate.step(by("a", 1, 1), us(S));
        gone(&mut gate, "a", &[], 2 * S);
        gate.step(said, us(3 * S));
        assert_eq!(gate.state().run.as_ref().unwrap().datacenters[&id("a")].lost_at, None);
    }
}

#[test]
fn a_job_that_waits_for_a_datacenter_ends_at_its_deadline_with_that_reason_and_once() {
    let mut gate = tracked(&["a"], Some(300_000));
    gate.step(by("a", 1, 1), us(S));
    gone(&mut gate, "a", &[], 2 * S);
    assert!(gate.step(Command::Tick, us(300 * S)).events.is_empty(), "that instant is inside");
    let step = gate.step(Command::Tick, us(300 * S + 1));
    assert_eq!(names(&step), ["declared", "abandoned", "finished"]);
    let told = gate.state().status(us(300 * S + 1)).unwrap();
    assert_eq!(told.final_status, Some(FinalStatus::Timeout));
    assert!(told.timeout_reason.ends_with(", waiting_for_datacenter=a"), "{}", told.timeout_reason);
    // It is back, and had completed the job.
    let late = gate.step(ends("a", 1, FinalStatus::Completed, false), us(400 * S));
    assert_eq!(
        (names(&late), outcome(&late)),
        (vec!["late_final"], AckOutcome::AlreadyFinal(FinalStatus::Timeout))
    );
    assert_eq!(status(&gate), Some(FinalStatus::Timeout));
}

#[test]
fn a_job_without_a_budget_is_stuck_where_it_waits_for_a_datacenter() {
    let mut gate = tracked(&["a"], None);
    gate.step(by("a", 1, 1), us(S));
    gone(&mut gate, "a", &[], 2 * S);
    let step = gate.step(Command::Tick, us(200 * S));
    assert_eq!(names(&step), ["declared", "abandoned", "finished"]);
    assert_eq!(rule(&gate), Some(GlobalRule::AllStuck));
}

#[test]
fn what_is_to_end_moves_nowhere_and_does_not_wait_for_who_is_gone() {
    let mut gate = tracked(&["a", "b"], Some(100_000));
    for dc in ["a", "b"] {
        gate.step(by(dc, 1, 1), us(S));
    }
    gate.step(cancel(), us(2 * S));
    assert_eq!(names(&gone(&mut gate, "a", &["c"], 3 * S)), ["datacenter_lost"]);
    // The other one still answers.
    let step = gate.step(ends("b", 1, FinalStatus::Cancelled, false), us(4 * S));
    assert_eq!(names(&step), ["datacenter_ended", "abandoned", "finished"]);
    assert_eq!(status(&gate), Some(FinalStatus::Cancelled));
    // Where its time is over, it waits for the decision and runs nowhere else.
    let mut gate = with(&["a", "b", "c"], Some(100_000), TimeoutPolicy::Majority);
    gate.step(by("a", 1, 1), us(S));
    gate.step(over("a", 1), us(2 * S));
    assert_eq!(names(&gone(&mut gate, "a", &["d"], 3 * S)), ["datacenter_lost"]);
    assert_eq!(shown(&gate, 3 * S)[0], ("a".to_owned(), "timed_out".to_owned()));
}

#[test]
fn where_another_manager_leads_meanwhile_nothing_moves() {
    let mut gate = tracked(&["a"], Some(100_000));
    gate.step(by("a", 1, 1), us(S));
    let transfer = JobLeaderTransfer {
        new_leader: node("n-a"),
        new_leader_addr: "n:1".into(),
        fence_token: token(2),
        elapsed_ms: 0,
        idle_ms: 0,
    };
    gate.step(message("a", 3, Body::JobLeaderTransfer(transfer)), us(2 * S));
    let step = gone(&mut gate, "a", &["b"], 3 * S);
    assert_eq!((step.events.len(), step.reply), (0, Ok(Reply::Done)));
    gate.step(ends("a", 2, FinalStatus::Completed, false), us(4 * S));
    assert!(matches!(gone(&mut gate, "a", &["b"], 5 * S).reply, Err(Rejection::Ended { .. })));
}

#[test]
fn a_job_whose_next_manager_does_not_answer_either_goes_elsewhere_above_the_tokens_of_the_first() {
    let mut gate = tracked(&["a"], Some(100_000));
    gate.step(by("a", 7, 1), us(S));
    taken_over(&mut gate, 2 * S);
    let chain = asked(&["b"], None, Settings::default()).targets;
    let step =
        gate.step(Command::Redirect { from: id("a"), chain, reason: "no answer".to_owned() }, us(7 * S));
    assert_eq!((names(&step), above(&step)), (vec!["moved"], ("b".to_owned(), 2 * BLOCK, 1)));
    let late = gate.step(by("a", 7, 2), us(8 * S));
    assert_eq!(late.reply, Err(Rejection::Stale { held: token(2 * BLOCK), given: token(7) }));
}
