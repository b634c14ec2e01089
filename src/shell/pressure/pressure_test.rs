//! Signals as they arrive: ordering, unknown levels, replaced managers, and what a gate lets on.

use super::*;
use crate::config::{ClockConfig, Config};
use crate::core::jobs::protocol::message::{
    AckOutcome, Body, JobProgressReport, Leader, ReportAck, WorkflowDispatch,
};
use crate::core::jobs::protocol::token::{DispatchToken, FenceToken};
use crate::core::load::shed::{Class, Readings};
use crate::shell::load::{Fed, Source};
use crate::shell::post::{Mailbox, Transport};
use crate::shell::runtime::Runtime;
use crate::store::memory::MemoryStore;

fn id(name: &str) -> EntityId {
    EntityId::new(name).unwrap()
}

fn manager(datacenter: &str, node: &str) -> Manager {
    Manager { datacenter: id(datacenter), node: id(node) }
}

fn party(manager: &Manager) -> Party {
    let node = Leader { node: manager.node.clone(), incarnation: 1 };
    Party::Manager { datacenter: manager.datacenter.clone(), node }
}

fn wire(level: Level, seq: u64) -> WireSignal {
    let seq = crate::core::load::stats::SignalSeq { epoch: 1, seq };
    WireSignal::from(&SignalConfig::default().signal(level, seq))
}

fn ms(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

/// A transport that keeps what is sent.
#[derive(Debug, Default)]
struct Kept(Mutex<Vec<Message>>);

impl Transport for Kept {
    fn send(&self, message: Message, _: &Mailbox) {
        lock(&self.0).push(message);
    }
}

fn open() -> (Runtime, Arc<Kept>) {
    let kept = Arc::new(Kept::default());
    let clock = ClockConfig::Manual(Timestamp::EPOCH);
    let config = Config { clock, transport: Some(kept.clone()), ..Config::memory() };
    (Runtime::open(config, Arc::new(MemoryStore::new())).unwrap(), kept)
}

fn message(from: Party, to: Party, body: Body, signal: Option<WireSignal>) -> Message {
    Message { job_id: id("j"), datacenter: id("east"), from, to, number: 1, body, signal }
}

fn ack() -> Body {
    let outcome = AckOutcome::Accepted;
    Body::ReportAck(ReportAck { outcome, fence_token: FenceToken::NONE, leader_addr: None })
}

#[test]
fn only_managers_signal_and_only_a_level_that_is_known() {
    let pressure = Pressure::new(7).unwrap();
    let signal_of = |from: Party| {
        let mut message = message(from, Party::Worker(id("w")), ack(), None);
        pressure.stamp(&mut message, ms(0), Duration::from_secs(30));
        message.signal
    };
    let east = manager("east", "m");
    assert_eq!(signal_of(party(&east)), None);
    let recorded = |count| {
        lock(&pressure.inner).places = Places::of(vec![ms(0); count]);
    };
    recorded(699);
    let first = signal_of(party(&east)).unwrap();
    assert_eq!((first.backpressure_level, first.signal_epoch, first.signal_seq), (Some(0), 7, 1));
    recorded(950);
    assert_eq!(signal_of(Party::Worker(id("w"))), None);
    assert_eq!(signal_of(Party::Gate(id("g"))), None);
    let second = signal_of(party(&east)).unwrap();
    assert_eq!((second.backpressure_level, second.backpressure_delay_ms), (Some(3), Some(1_000)));
    assert_eq!(
        (second.backpressure_batch_only, second.backpressure_drop_non_critical),
        (Some(true), Some(true))
    );
    assert_eq!(second.signal_seq, 2);
}

#[test]
fn a_gate_obeys_the_newest_signal_until_it_wears_off_at_the_exact_instant() {
    let pressure = Pressure::new(1).unwrap();
    let east = manager("east", "m");
    let led = || Some(BTreeSet::from([manager("east", "m"), manager("west", "m")]));
    let hear = |level, seq, at| {
        pressure.gate_heard(at, &id("j"), (&party(&east), Some(&wire(level, seq))), led());
    };
    let level = |at| pressure.datacenters(at).first().map(|dc| (dc.asked.level, dc.asked.delay));
    let asks = |level, ms| Some((level, Duration::from_millis(ms)));
    hear(Level::Reject, 5, ms(0));
    hear(Level::Throttle, 4, ms(1));
    assert_eq!(level(ms(1)), asks(Level::Reject, 1_000));
    // Reject lives ten of its own delays, then becomes batch.
    assert_eq!(level(ms(9_999)), asks(Level::Reject, 1_000));
    assert_eq!(level(ms(10_000)), asks(Level::Batch, 500));
    // A message that says nothing of the level leaves what was known.
    pressure.gate_heard(ms(9_000), &id("j"), (&party(&east), None), led());
    assert_eq!(level(ms(9_000)), asks(Level::Reject, 1_000));
    assert!(pressure.progress_to(&id("west"), &id("j"), ms(9_000)).is_ok());
    hear(Level::Throttle, 6, ms(9_500));
    assert_eq!(level(ms(9_500)), asks(Level::Throttle, 100));
    hear(Level::None, 7, ms(9_600));
    assert_eq!((level(ms(9_600)), pressure.overall(ms(9_600))), (asks(Level::None, 0), Level::None));
}

#[test]
fn a_gate_keeps_the_level_of_a_manager_between_its_reports() {
    let pressure = Pressure::new(1).unwrap();
    lock(&pressure.inner).places = Places::of(vec![ms(0); 700]);
    let east = manager("east", "m");
    let led = || Some(BTreeSet::from([manager("east", "m")]));
    let report = |at| {
        let mut message = message(party(&east), Party::Gate(id("g")), ack(), None);
        pressure.stamp(&mut message, at, Duration::from_secs(30));
        pressure.gate_heard(at, &id("j"), (&party(&east), message.signal.as_ref()), led());
    };
    // A report every ten seconds, of which two get lost: throttle holds all the time.
    report(ms(0));
    assert_eq!(pressure.overall(ms(29_999)), Level::Throttle);
    report(ms(30_000));
    assert_eq!(pressure.overall(ms(59_999)), Level::Throttle);
    // The places have aged, and the next report says so.
    report(ms(60_000));
    assert_eq!(pressure.overall(ms(60_000)), Level::None);
}

#[test]
fn a_gate_forgets_managers_that_were_replaced_and_not_those_whose_job_ended() {
    let pressure = Pressure::new(1).unwrap();
    let (old, new) = (manager("east", "old"), manager("east", "new"));
    let hear = |job: &str, from: &Manager, level, led: &[&Manager]| {
        let led = Some(led.iter().map(|one| (*one).clone()).collect());
        pressure.gate_heard(ms(0), &id(job), (&party(from), Some(&wire(level, 1))), led);
    };
    hear("j", &old, Level::Reject, &[&old]);
    hear("k", &old, Level::Reject, &[&old]);
    // Another job still has it.
    hear("j", &new, Level::Throttle, &[&new]);
    assert_eq!(pressure.overall(ms(0)), Level::Reject);
    hear("k", &new, Level::Throttle, &[&new]);
    assert_eq!(pressure.overall(ms(0)), Level::Throttle);
    // Who was replaced and speaks all the same is not heard.
    hear("k", &old, Level::Reject, &[&new]);
    assert_eq!(pressure.overall(ms(0)), Level::Throttle);
    hear("j", &new, Level::Throttle, &[]);
    hear("k", &new, Level::Throttle, &[]);
    assert_eq!(pressure.overall(ms(0)), Level::Throttle);
    assert!(lock(&pressure.inner).led.is_empty());
}

#[test]
fn progress_to_a_datacenter_is_let_on_paced_or_refused_by_its_level() {
    let pressure = Pressure::new(1).unwrap();
    let east = manager("east", "m");
    let hear = |level, seq, at| {
        let led = Some(BTreeSet::from([east.clone()]));
        pressure.gate_heard(at, &id("j"), (&party(&east), Some(&wire(level, seq))), led);
    };
    let pass = |job: &str, at| {
        let passed = pressure.progress_to(&id("east"), &id(job), at);
        passed.map_err(|not_on| (not_on.level, not_on.retry_after.as_millis()))
    };
    assert_eq!([pass("j", ms(0)), pass("j", ms(0))], [Ok(()), Ok(())]);
    hear(Level::Throttle, 1, ms(0));
    assert_eq!([pass("j", ms(0)), pass("k", ms(0))], [Ok(()), Ok(())]);
    assert_eq!(pass("j", ms(99)), Err((Level::Throttle, 1)));
    assert_eq!(pass("j", ms(100)), Ok(()));
    hear(Level::Batch, 2, ms(100));
    assert_eq!(pass("j", ms(500)), Err((Level::Batch, 100)));
    assert_eq!(pass("j", ms(600)), Ok(()));
    hear(Level::Reject, 3, ms(600));
    assert_eq!(pass("j", ms(9_000)), Err((Level::Reject, 1_000)));
    hear(Level::None, 4, ms(9_000));
    assert_eq!(pass("j", ms(9_000)), Ok(()));
    assert_eq!(pressure.datacenters(ms(9_000))[0].refused, 3);
}

#[test]
fn a_worker_obeys_the_managers_of_its_jobs_only() {
    let (runtime, _) = open();
    let host = runtime.host();
    let (m, n) = (manager("east", "m"), manager("east", "n"));
    let hear = |from: &Manager, level, seq, led: &[(&str, &Manager)]| {
        let led = led.iter().map(|(job, one)| (id(job), (*one).clone())).collect();
        host.pressure.worker_heard(host, &id("w"), (&party(from), Some(&wire(level, seq))), Some(led));
    };
    let levels = || {
        let sight = host.pressure.worker(&id("w"), ms(0));
        sight.managers.iter().map(|(one, asked)| (one.node.to_string(), asked.level)).collect::<Vec<_>>()
    };
    let told = |node: &str, level| (node.to_owned(), level);
    hear(&m, Level::Reject, 2, &[("j", &m), ("k", &n)]);
    hear(&n, Level::Throttle, 1, &[("j", &m), ("k", &n)]);
    hear(&m, Level::None, 1, &[("j", &m), ("k", &n)]);
    assert_eq!(levels(), [told("m", Level::Reject), told("n", Level::Throttle)]);
    assert!(host.pressure.presses(&id("w"), ms(0)));
    hear(&m, Level::Reject, 3, &[("j", &n), ("k", &n)]);
    assert_eq!(levels(), [told("n", Level::Throttle)]);
    hear(&n, Level::None, 2, &[("j", &n), ("k", &n)]);
    assert_eq!(levels(), [told("n", Level::None)]);
    assert!(!host.pressure.presses(&id("w"), ms(0)));
    host.pressure.worker_heard(host, &id("w"), (&party(&n), Some(&wire(Level::Reject, 9))), None);
    assert_eq!(levels(), []);
}

#[tokio::test]
async fn a_gate_with_too_much_load_refuses_progress_says_so_and_hears_the_level() {
    let (runtime, kept) = open();
    let host = runtime.host();
    let east = manager("east", "m");
    let led = Some(BTreeSet::from([east.clone()]));
    host.pressure.gate_heard(ms(0), &id("j"), (&party(&east), Some(&wire(Level::None, 1))), led);
    let readings = Readings { cpu: Some(90.0), memory: None };
    let fed = Fed { latency: None, queue_delay: None, readings, pending: None };
    host.admission.feed(host, Source::Measured, fed).unwrap();
    let report = JobProgressReport {
        manager: Leader { node: id("m"), incarnation: 1 },
        manager_addr: "there".into(),
        workflows_total: 1,
        workflows_completed: 0,
        workflows_failed: 0,
        has_recent_progress: true,
        timestamp_ms: 0,
        fence_token: FenceToken::NONE,
        total_extensions_granted_ms: 0,
        max_worker_extension_ms: 0,
        workers_with_extensions: 0,
        report_seq: 1,
        elapsed_ms: 0,
        idle_ms: 0,
    };
    let body = Body::JobProgressReport(report);
    let gate = Party::Gate(id("g"));
    let sent = message(party(&east), gate.clone(), body, Some(wire(Level::Batch, 2)));
    crate::shell::jobs::deliver(host, sent).await;
    let answers = std::mem::take(&mut *lock(&kept.0));
    let [answer] = answers.as_slice() else { panic!("{answers:?}") };
    assert_eq!((&answer.from, &answer.to, answer.signal), (&gate, &party(&east), None));
    let Body::ReportAck(ReportAck { outcome: AckOutcome::Refused { retry_after_ms }, .. }) = answer.body
    else {
        panic!("{answer:?}")
    };
    assert!(retry_after_ms > 0);
    assert_eq!(host.pressure.overall(ms(0)), Level::Batch);
    assert_eq!(host.admission.at_the_doors(Class::Data).shed, 1);
    // What is not progress is looked at whatever the load.
    let dispatch = WorkflowDispatch {
        workflow_id: id("a"),
        attempt: 1,
        dispatch_token: DispatchToken::shown(1),
        fence_token: FenceToken::NONE,
    };
    let odd = message(party(&east), gate, Body::WorkflowDispatch(dispatch), None);
    crate::shell::jobs::deliver(host, odd).await;
    assert!(lock(&kept.0).is_empty());
    assert_eq!(host.admission.at_the_doors(Class::Data).shed, 1);
}
