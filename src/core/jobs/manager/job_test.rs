//! Jobs, event by event.

use std::sync::{Arc, Mutex};

use super::event::{GateSeat, Manner};
use super::extension::Denial;
use super::heard::{LatestProgress, Memory};
use super::timeout::{Estimate, Strategy};
use super::*;
use crate::jobs::protocol::message::*;
use crate::jobs::protocol::token::{DispatchToken, FenceToken, GateEpoch};
use crate::kernel::driver::{Driver, Step};
use crate::kernel::ids::EntityId;

#[path = "job_gate_test.rs"]
mod gate;
#[path = "job_lead_test.rs"]
mod lead;
#[path = "job_more_test.rs"]
mod more;
#[path = "job_over_test.rs"]
mod over;
#[path = "job_recall_test.rs"]
mod recalls;
#[path = "job_send_test.rs"]
mod send;
#[path = "job_work_test.rs"]
mod work;

type J = Driver<JobMachine>;

/// A second, in microseconds.
const S: i64 = 1_000_000;

fn us(us: i64) -> Timestamp {
    Timestamp::from_micros(us)
}

fn id(name: &str) -> EntityId {
    EntityId::new(name).unwrap()
}

fn leader(name: &str) -> Leader {
    Leader { node: id(name), incarnation: 1 }
}

fn token(n: u64) -> FenceToken {
    FenceToken::shown(n)
}

fn plain() -> Submit {
    Submit {
        timeout_ms: Some(60_000),
        stuck_threshold_ms: 120_000,
        ..Submit::new(id("job"), id("dc"), leader("m1"), "m1:1")
    }
}

fn seat(epoch: u64) -> GateSeat {
    GateSeat {
        gate_id: id("g1"),
        incarnation: Some(1),
        addr: "g1:1".to_owned(),
        epoch: GateEpoch::shown(epoch),
    }
}

fn with_gate() -> Submit {
    Submit { gate: Some(seat(1)), ..plain() }
}

/// The same job from a gate that begins a run in this epoch.
fn dispatched(epoch: u64) -> Submit {
    Submit { gate: Some(seat(epoch)), dispatch_number: 9, ..plain() }
}

fn plan(name: &str, depends_on: &[&str], worker: Option<&str>) -> WorkflowPlan {
    WorkflowPlan {
        workflow_id: id(name),
        depends_on: depends_on.iter().map(|name| id(name)).collect(),
        worker_id: worker.map(id),
    }
}

fn started(submit: Submit) -> J {
    let mut job = J::default();
    submitted(&mut job, submit, us(0));
    job
}

fn submitted(job: &mut J, submit: Submit, at: Timestamp) -> Step<JobMachine> {
    let step = job.step(Command::Submit(Box::new(submit)), at);
    assert!(step.reply.is_ok(), "{:?}", step.reply);
    step
}

fn run(job: &J) -> &Run {
    job.state().run.as_ref().unwrap()
}

fn phase(job: &J) -> Phase {
    run(job).phase()
}

fn names(events: &[Event]) -> Vec<&'static str> {
    events.iter().map(Event::name).collect()
}

fn ended(job: &J) -> Option<(FinalStatus, Option<TimeoutKind>)> {
    run(job).ended.as_ref().map(|ended| (ended.status, ended.kind))
}

fn progress() -> Command {
    Command::Progress { workflow_id: None, completed_count: None, token: None }
}

fn bodies(effects: &[Effect]) -> Vec<Body> {
    effects.iter().map(|Effect::Send(message)| message.body.clone()).collect()
}

fn from_gate(number: u64, body: Body) -> Command {
    let from = Party::Gate(id("g1"));
    let to = Party::Manager { datacenter: id("dc"), node: leader("m1") };
    let message = Message { job_id: id("job"), datacenter: id("dc"), from, to, number, body, signal: None };
    Command::Receive(Box::new(message))
}

fn from_worker(worker: &str, number: u64, body: Body) -> Command {
    let to = Party::Manager { datacenter: id("dc"), node: leader("m1") };
    let from = Party::Worker(id(worker));
    let message = Message { job_id: id("job"), datacenter: id("dc"), from, to, number, body, signal: None };
    Command::Receive(Box::new(message))
}

fn acked(number: u64, outcome: AckOutcome, fence: u64) -> Command {
    let ack = ReportAck { outcome, fence_token: token(fence), leader_addr: None };
    from_gate(number, Body::ReportAck(ack))
}

/// A memory that a job asks.
struct Shared(Mutex<Memory>);

impl LatestProgress for Shared {
    fn at(&self, job_id: &EntityId, datacenter: &EntityId) -> Option<Timestamp> {
        self.0.lock().unwrap().at(job_id, datacenter)
    }
    fn count(&self, job: &EntityId, datacenter: &EntityId, workflow: &EntityId, attempt: u32) -> Option<u64> {
        self.0.lock().unwrap().count(job, datacenter, workflow, attempt)
    }
}

/// A job with a memory, and the memory.
fn remembering(submit: Submit) -> (J, Arc<Shared>) {
    let memory = Arc::new(Shared(Mutex::default()));
    let mut job = J::new(Heard::of(memory.clone()));
    submitted(&mut job, submit, us(0));
    (job, memory)
}

/// As the shell does: what counts is kept in memory.
fn noting(job: &mut J, memory: &Shared, command: Command, at: Timestamp) -> Vec<Event> {
    let step = job.step(command, at);
    if let Ok(Reply::Progress(Some(noted))) = step.reply {
        memory.0.lock().unwrap().note(&id("job"), &id("dc"), noted);
    }
    step.events
}

#[test]
fn a_job_is_alive_at_its_deadline_and_over_a_microsecond_later() {
    let mut job = started(plain());
    assert_eq!(job.due(), Some(us(60 * S + 1)));
    for at in [60 * S - 1, 60 * S] {
        assert_eq!(job.step(Command::Tick, us(at)).events, []);
    }
    let step = job.step(Command::Tick, us(60 * S + 1));
    assert_eq!(names(&step.events), ["timeout_detected", "ended"]);
    assert_eq!(ended(&job), Some((FinalStatus::Timeout, Some(TimeoutKind::Overall))));
    let end = run(&job).ended.clone().unwrap();
    assert_eq!((end.closed_at, end.at, end.elapsed_ms), (us(60 * S), us(60 * S + 1), 60_000));
    let reason = "overall: the budget is used up. elapsed_ms=60000, effective_ms=60000, base_ms=60000, extensions_ms=0";
    assert_eq!(end.reason, reason);
    assert_eq!((job.due(), job.wake()), (None, None));
}

#[test]
fn a_job_is_stuck_only_after_its_threshold() {
    let mut job = started(Submit { timeout_ms: None, ..plain() });
    job.step(progress(), us(5 * S));
    assert_eq!(job.due(), Some(us(125 * S + 1)));
    assert_eq!(job.step(Command::Tick, us(125 * S)).events, []);
    let step = job.step(Command::Tick, us(125 * S + 1));
    assert_eq!(names(&step.events), ["timeout_detected", "ended"]);
    assert_eq!(ended(&job), Some((FinalStatus::Timeout, Some(TimeoutKind::Stuck))));
    let reason = "stuck: no progress. idle_ms=120000, threshold_ms=120000, since_extension_ms=never";
    assert_eq!(run(&job).ended.clone().unwrap().reason, reason);
}

#[test]
fn a_job_that_is_both_over_its_budget_and_stuck_is_over_its_budget() {
    let mut job = started(Submit { timeout_ms: Some(130_000), ..plain() });
    job.step(Command::Tick, us(200 * S));
    assert_eq!(ended(&job), Some((FinalStatus::Timeout, Some(TimeoutKind::Overall))));
    let mut job = started(Submit { timeout_ms: Some(130_000), ..plain() });
    job.step(Command::Tick, us(130 * S));
    assert_eq!(ended(&job), Some((FinalStatus::Timeout, Some(TimeoutKind::Stuck))));
}

#[test]
fn what_comes_with_the_deadline_comes_first_and_what_comes_after_is_too_late() {
    let complete =
        || Command::Complete { status: FinalStatus::Completed, reason: "done".to_owned(), token: None };
    let mut job = started(plain());
    assert_eq!(
        job.step(complete(), us(60 * S)).reply,
        Ok(Reply::Ended { status: FinalStatus::Completed, again: false })
    );
    assert_eq!(
        job.step(complete(), us(61 * S)).reply,
        Ok(Reply::Ended { status: FinalStatus::Completed, again: true })
    );
    let mut late = started(plain());
    let step = late.step(complete(), us(60 * S + 1));
    assert_eq!(step.reply, Err(Rejection::AlreadyTerminal { status: FinalStatus::Timeout }));
    assert_eq!(names(&step.events), ["timeout_detected", "ended"]);
    assert_eq!(late.step(complete(), us(61 * S)).events, []);
}

#[test]
fn progress_is_written_once_a_second_and_the_deadline_is_exact_all_the_same() {
    let (mut job, memory) = remembering(Submit { timeout_ms: None, ..plain() });
    assert_eq!(run(&job).status(), JobStatus::Submitted);
    assert_eq!(names(&noting(&mut job, &memory, progress(), us(0))), ["progress_noted"], "it runs");
    assert_eq!(run(&job).status(), JobStatus::Running);
    assert_eq!(noting(&mut job, &memory, progress(), us(S - 1)), []);
    assert_eq!(names(&noting(&mut job, &memory, progress(), us(S))), ["progress_noted"]);
    for at in [S + 1, 2 * S - 1] {
        assert_eq!(noting(&mut job, &memory, progress(), us(at)), [], "{at}");
    }
    assert_eq!(job.due(), Some(us(121 * S + 1)), "the record knows of less");
    let step = job.step(Command::Tick, us(121 * S + 1));
    assert_eq!(names(&step.events), ["progress_noted"]);
    assert_eq!((job.due(), run(&job).last_progress_at), (Some(us(122 * S)), us(2 * S - 1)));
    assert_eq!(names(&job.step(Command::Tick, us(122 * S)).events), ["timeout_detected", "ended"]);
}

#[test]
fn a_late_tick_records_known_progress_and_times_out_from_there() {
    let (mut job, memory) = remembering(Submit { timeout_ms: None, ..plain() });
    noting(&mut job, &memory, progress(), us(0));
    assert_eq!(noting(&mut job, &memory, progress(), us(S / 2)), []);
    let step = job.step(Command::Tick, us(500 * S));
    assert_eq!(names(&step.events), ["progress_noted", "timeout_detected", "ended"]);
    assert_eq!(run(&job).ended.clone().unwrap().closed_at, us(120 * S + S / 2));
}

#[test]
fn without_an_overall_limit_only_idleness_ends_a_job() {
    let mut job = started(Submit { timeout_ms: None, ..plain() });
    for n in 1..1_000 {
        job.step(progress(), us(n * 120 * S));
    }
    assert_eq!(ended(&job), None);
}

#[test]
fn numbers_out_of_range_are_refused_by_name() {
    let refused = |submit: Submit| match J::default().step(Command::Submit(Box::new(submit)), us(0)).reply {
        Err(Rejection::Invalid { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(Submit { timeout_ms: Some(0), ..plain() }), "timeout_ms");
    assert_eq!(refused(Submit { timeout_ms: Some(u64::MAX), ..plain() }), "timeout_ms");
    assert_eq!(refused(Submit { stuck_threshold_ms: 0, ..plain() }), "stuck_threshold_ms");
    assert_eq!(refused(Submit { timeout_rule: "guess".to_owned(), ..plain() }), "timeout_rule");
    assert_eq!(refused(Submit { timeout_rule: "gate_coordinated".to_owned(), ..plain() }), "gate_addr");
    assert_eq!(refused(Submit { timeout_rule: "local_authority".to_owned(), ..with_gate() }), "timeout_rule");
    let set = |change: fn(&mut Settings)| {
        let mut settings = Settings::default();
        change(&mut settings);
        refused(Submit { settings, ..plain() })
    };
    assert_eq!(set(|s| s.extension.base_ms = 0), "extension.base_ms");
    assert_eq!(set(|s| s.extension.max_total_ms = Some(1_000_000_000_000_000)), "extension.max_total_ms");
    assert_eq!(set(|s| s.report_period_ms = 0), "report_period_ms");
    assert_eq!(set(|s| s.max_attempts = 0), "max_attempts");
    assert_eq!(set(|s| s.retry.max_ms = 999), "retry.max_ms");
    assert_eq!(set(|s| s.retry.jitter_percent = 51), "retry.jitter_percent");
    assert_eq!(set(|s| s.lease.margin_ms = 30_000), "lease.margin_ms");
    assert_eq!(set(|s| s.lease.renew_ms = 28_000), "lease.renew_ms");
}

#[test]
fn workflows_that_cannot_be_ordered_are_refused() {
    let refused = |workflows: Vec<WorkflowPlan>| {
        let submit = Submit { workflows, ..plain() };
        match J::default().step(Command::Submit(Box::new(submit)), us(0)).reply {
            Err(Rejection::Invalid { field, given, .. }) => (field, given),
            other => panic!("{other:?}"),
        }
    };
    let own = |field, given: &str| (field, given.to_owned());
    assert_eq!(refused(vec![plan("a", &[], None), plan("a", &[], None)]), own("workflow_id", "a"));
    assert_eq!(refused(vec![plan("a", &["b"], None)]), own("depends_on", "b"));
    assert_eq!(refused(vec![plan("a", &["a"], None)]), own("depends_on", "a"));
    let ring = vec![plan("a", &["c"], None), plan("b", &["a"], None), plan("c", &["b"], None)];
    assert_eq!(refused(ring), own("depends_on", "a"));
}

#[test]
fn nothing_is_known_of_a_job_that_was_never_submitted() {
    let commands = [
        progress(),
        Command::Complete { status: FinalStatus::Failed, reason: String::new(), token: None },
        Command::WorkerLost { worker_id: id("w") },
        Command::Suspend { token: token(1), reason: String::new() },
        Command::Transfer { to: leader("m2"), addr: String::new(), force: true, token: None },
        Command::AcquireLease {
            holder: leader("m2"),
            addr: String::new(),
            seen: None,
            force: true,
            lease_ms: None,
            in_process: false,
            by: None,
        },
        Command::RenewLease { holder: leader("m2"), token: token(1), lease_ms: None },
    ];
    for command in commands {
        let step = J::default().step(command.clone(), us(0));
        assert_eq!((step.reply, step.events), (Err(Rejection::UnknownJob), vec![]), "{command:?}");
    }
    assert_eq!(J::default().step(Command::Tick, us(0)).events, []);
    assert_eq!(errand(&Job::default(), us(0)), None);
}

#[test]
fn the_same_submission_again_is_recognised_and_another_is_refused() {
    let mut job = started(plain());
    let again = job.step(Command::Submit(Box::new(plain())), us(S));
    assert_eq!(again.reply, Ok(Reply::Submitted { token: token(1), again: true }));
    assert_eq!(again.events, []);
    assert_eq!(run(&job).started_at, us(0));
    let other = Submit { timeout_ms: Some(61_000), ..plain() };
    let asked = |submit: &Submit| Command::Submit(Box::new(submit.clone()));
    assert_eq!(job.step(asked(&other), us(S)).reply, Err(Rejection::AlreadyTracked));
    // After the end as well: whoever lost the reply must not run the job twice.
    let status = FinalStatus::Failed;
    job.step(Command::Complete { status, reason: String::new(), token: None }, us(2 * S));
    let again = job.step(asked(&plain()), us(3 * S));
    assert_eq!((again.reply, again.events), (Ok(Reply::Submitted { token: token(1), again: true }), vec![]));
    for other in [other, Submit { gate: Some(seat(1)), ..plain() }] {
        let step = job.step(asked(&other), us(3 * S));
        assert_eq!((step.reply, step.events), (Err(Rejection::IdOfEnded { status }), vec![]));
    }
}

#[test]
fn a_job_id_that_is_used_again_goes_on_with_a_higher_token() {
    let mut job = started(plain());
    let to = leader("m2");
    job.step(Command::Transfer { to, addr: String::new(), force: false, token: None }, us(S));
    job.step(Command::Tick, us(100 * S));
    let step = submitted(&mut job, dispatched(2), us(200 * S));
    assert_eq!(step.reply, Ok(Reply::Submitted { token: token(3), again: false }));
    assert_eq!((job.state().runs, run(&job).started_at, job.due()), (2, us(200 * S), Some(us(260 * S + 1))));
}

#[test]
fn the_strategy_follows_from_the_gate_and_the_learned_rule_from_the_evidence() {
    assert_eq!(run(&started(plain())).limits.strategy, Strategy::LocalAuthority);
    assert_eq!(run(&started(with_gate())).limits.strategy, Strategy::GateCoordinated);
    let learned = |estimate| started(Submit { timeout_rule: "learned".to_owned(), estimate, ..plain() });
    let none = learned(None);
    assert_eq!((run(&none).limits.overall_ms, run(&none).limits.stuck_ms), (Some(60_000), 120_000));
    let evidence = "p99 of 40 jobs".to_owned();
    let some = learned(Some(Estimate { overall_ms: Some(5_000), stuck_ms: None, samples: 40, evidence }));
    assert_eq!((run(&some).limits.overall_ms, run(&some).limits.stuck_ms), (Some(5_000), 120_000));
    assert_eq!(some.due(), Some(us(5 * S + 1)));
    assert_eq!(run(&some).limits.strategy, Strategy::LocalAuthority);
    let evidence = String::new();
    let idle = learned(Some(Estimate { overall_ms: None, stuck_ms: Some(7_000), samples: 40, evidence }));
    assert_eq!((run(&idle).limits.overall_ms, idle.due()), (Some(60_000), Some(us(7 * S + 1))));
}

#[test]
fn a_view_shows_what_is_left() {
    let job =
        started(Submit { workflows: vec![plan("a", &[], Some("w")), plan("b", &["a"], None)], ..plain() });
    let view = job.state().view(us(20 * S), Some(us(15 * S))).unwrap();
    assert_eq!((view.remaining_ms, view.idle_ms, view.elapsed_ms), (Some(40_000), 5_000, 20_000));
    assert_eq!(
        (view.status, view.phase, view.stuck_deadline),
        (JobStatus::Dispatching, Phase::Tracking, us(135 * S))
    );
    assert!(view.workflows.contains(&(WorkflowStatus::Dispatched, 1)));
    assert_eq!(view.workflows.len(), 10);
    assert_eq!(JobStatus::from_name("timed_out"), Some(JobStatus::Timeout));
    for status in JobStatus::ALL {
        assert_eq!(JobStatus::from_name(status.name()), Some(status));
    }
    let stuck = run(&job).stuck_workflows(std::time::Duration::from_secs(20), true, us(20 * S));
    assert_eq!(stuck.len(), 2);
    assert!(run(&job).stuck_workflows(std::time::Duration::from_secs(20), true, us(20 * S - 1)).is_empty());
}

#[test]
fn the_chain_of_reasons_names_beats_and_decisions_with_their_numbers() {
    let mut job = J::default();
    let mut record = Vec::new();
    let commands = [
        (0, Command::Submit(Box::new(plain()))),
        (2 * S, progress()),
        (4 * S, progress()),
        (60 * S + 1, Command::Tick),
    ];
    for (at, command) in commands {
        record.extend(job.step(command, us(at)).events.into_iter().map(|event| (us(at), event)));
    }
    let numbered = record.iter().enumerate().map(|(n, (at, event))| (n as u64 + 1, *at, event));
    let chain = why(numbered);
    let told: Vec<(u64, &str)> = chain.iter().map(|link| (link.seq, link.sentence.as_str())).collect();
    assert_eq!(told[0].0, 1);
    assert!(
        told[0].1.starts_with("submitted under token 1 by rule local_authority with a budget of 60000 ms")
    );
    assert_eq!(told[1], (3, "got on at 1970-01-01T00:00:04Z; recorded signs of progress in a row: 2"));
    assert!(told[2].1.starts_with("time was over: overall: "));
    assert!(told[3].1.starts_with("ended as timeout under token 1"));
}
