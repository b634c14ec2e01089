//! Load shedding and statistics in a running runtime.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use quorate::api::dto::{AskSummary, CheckShed, HistoryQuery, RecordLoad, RecordStats, ReleasePermit};
use quorate::api::ops;
use quorate::config::ClockConfig;
use quorate::core::shed::{Caps, Cause, Class, Load, Readings};
use quorate::core::stats::Level;
use quorate::core::time::Timestamp;
use quorate::shell::sampler::{Sampler, ThisMachine};
use quorate::{Config, Error, ErrorKind, Quorate};
use serde_json::{Map, Value};

use crate::manual;

async fn call(q: &Quorate, name: &str) -> Result<Value, Error> {
    (ops::find(name)?.call)(q.clone(), Map::new()).await
}

#[tokio::test]
async fn nothing_is_shed_before_the_detector_is_fed() {
    let q = Quorate::open(Config::memory()).await.unwrap();
    for op in ops::OPERATIONS {
        let refused = call(&q, op.name).await.err().map(|e| e.kind());
        assert_ne!(refused, Some(ErrorKind::Overloaded), "{}", op.name);
    }
    let status = q.shedding().status().await.unwrap();
    assert!(status.classes.iter().all(|class| class.operations_shed == 0 && class.operations_in_flight == 0));
    let admitted: u64 = status.classes.iter().map(|class| class.operations_admitted).sum();
    assert_eq!(admitted, ops::OPERATIONS.len() as u64);
    q.close().await.unwrap();
}

#[tokio::test]
async fn each_state_refuses_its_classes_of_operations() {
    let q = Quorate::open(manual()).await.unwrap();
    let feeds = [
        (69.0, Load::Healthy, 4),
        (71.0, Load::Busy, 3),
        (86.0, Load::Stressed, 2),
        (96.0, Load::Overloaded, 1),
    ];
    for (cpu, state, passing) in feeds {
        let fed = RecordLoad { cpu_percent: Some(cpu), ..RecordLoad::default() };
        assert_eq!(q.shedding().record(fed).await.unwrap().state, state);
        let mut passed = 0;
        for name in ["stats.level", "agent.register", "agent.list", "quorum.stats"] {
            let refused = call(&q, name).await.err().filter(|e| e.kind() == ErrorKind::Overloaded);
            passed += i32::from(refused.is_none());
        }
        assert_eq!(passed, passing, "{state:?}");
    }
    q.close().await.unwrap();
}

#[tokio::test]
async fn a_held_place_is_given_back_once_or_when_its_time_is_over() {
    let mut config = manual();
    config.shedding.admission.caps = Caps::of(3, 2, 2, 1);
    let q = Quorate::open(config).await.unwrap();
    let hold = async |class| {
        let check = CheckShed { class: Some(class), hold_ms: Some(1_000), ..CheckShed::default() };
        q.shedding().check(check).await.unwrap()
    };
    let first = hold(Class::Telemetry).await.permit.unwrap();
    let full = hold(Class::Telemetry).await;
    assert_eq!((full.shed, full.reason.as_deref()), (true, Some("full_priority")));
    assert_eq!(full.full.map(|full| (full.in_flight, full.cap)), Some((1, 1)));
    let release = async |permit| {
        q.shedding().release(ReleasePermit { permit, latency_ms: None }).await.unwrap().released
    };
    assert_eq!((release(first).await, release(first).await), (true, false));
    for class in [Class::Telemetry, Class::Data, Class::Data] {
        assert!(hold(class).await.admitted);
    }
    assert_eq!(hold(Class::Dispatch).await.reason.as_deref(), Some("full_global"));
    assert!(hold(Class::Control).await.admitted, "control passes every cap");
    q.advance(Duration::from_millis(1_000)).await.unwrap();
    assert_eq!(q.shedding().status().await.unwrap().in_flight, 4, "the last instant is still held");
    q.advance(Duration::from_micros(1)).await.unwrap();
    let status = q.shedding().status().await.unwrap();
    assert_eq!((status.in_flight, status.all_time.full.telemetry, status.all_time.full.dispatch), (0, 1, 1));
    q.close().await.unwrap();
}

#[cfg(feature = "store-sled")]
#[tokio::test]
async fn what_was_shed_in_an_unfinished_minute_is_recorded_at_an_orderly_close() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("data");
    let q = Quorate::open(Config::at(&path)).await.unwrap();
    q.shedding().record(RecordLoad { pending: Some(900), ..RecordLoad::default() }).await.unwrap();
    for _ in 0..3 {
        let check = CheckShed { handler: Some("progress".into()), ..CheckShed::default() };
        assert!(q.shedding().check(check).await.unwrap().shed);
    }
    assert_eq!(call(&q, "agent.list").await.unwrap_err().kind(), ErrorKind::Overloaded);
    q.close().await.unwrap();

    let q = Quorate::open(Config::at(&path)).await.unwrap();
    let status = q.shedding().status().await.unwrap();
    assert_eq!((status.state, status.pending, status.total_requests), (Load::Healthy, 0, 0));
    assert_eq!(status.all_time.shed.data, 4);
    let query = HistoryQuery { event: Some("state_changed".into()), ..HistoryQuery::default() };
    let changes = q.history().query(query).await.unwrap().events;
    let told: Vec<_> = changes.iter().map(|e| (e.data["to"].clone(), e.data["cause"].clone())).collect();
    assert_eq!(told, [("overloaded".into(), "pending".into()), ("healthy".into(), "restarted".into())]);
    q.close().await.unwrap();
}

#[cfg(feature = "store-sled")]
#[tokio::test]
async fn statistics_survive_a_restart_and_what_has_aged_moves_on_first() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("data");
    let at = |ms| Config { clock: ClockConfig::Manual(Timestamp::from_millis(ms)), ..Config::at(&path) };
    let record = |count| RecordStats { values: Some(vec![1.0; count]), ..RecordStats::default() };
    let q = Quorate::open(at(0)).await.unwrap();
    assert_eq!(q.stats().record(record(800)).await.unwrap().level.level, Level::Throttle);
    q.crash().await;

    let q = Quorate::open(at(59_999)).await.unwrap();
    assert_eq!(q.stats().level().await.unwrap().level.level, Level::Throttle);
    assert_eq!(q.stats().record(record(100)).await.unwrap().level.level, Level::Batch);
    q.crash().await;

    let q = Quorate::open(at(60_000)).await.unwrap();
    let level = q.stats().level().await.unwrap();
    assert_eq!((level.level.level, level.hot_count), (Level::None, 100));
    let summary = q.stats().summary(AskSummary::default()).await.unwrap();
    assert_eq!((summary.count, summary.hot_count, summary.warm_count), (900, 100, 1));
    q.crash().await;
}

/// A machine that cannot be measured at first, and is busy then.
#[derive(Debug, Default)]
struct Busy(AtomicUsize);

impl Sampler for Busy {
    fn sample(&self) -> Result<Readings, String> {
        match self.0.fetch_add(1, Ordering::SeqCst) {
            0 => Err("no sensor".into()),
            1 => Ok(Readings { cpu: Some(f64::NAN), memory: None }),
            2 => panic!("the sensor broke"),
            _ => Ok(Readings { cpu: Some(95.5), memory: Some(40.0) }),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_load_of_the_machine_is_looked_at_again_and_again_whatever_goes_wrong() {
    let mut config = Config { sampler: Some(Arc::<Busy>::default()), ..Config::memory() };
    config.shedding.detector.every = Duration::from_millis(5);
    let q = Quorate::open(config).await.unwrap();
    for _ in 0..2_000 {
        let status = q.shedding().status().await.unwrap();
        if status.state == Load::Overloaded {
            let explain = status.explain;
            assert_eq!((explain.cause, explain.measured, explain.threshold), (Cause::Cpu, 95.5, 95.0));
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("never overloaded: {:?}", q.shedding().status().await);
}

#[test]
fn this_machine_is_measured_in_percent() {
    let machine = ThisMachine::default();
    for _ in 0..3 {
        let Readings { cpu: Some(cpu), memory: Some(memory) } = machine.sample().unwrap() else { panic!() };
        assert!((0.0..=100.5).contains(&cpu) && (0.1..=100.0).contains(&memory), "{cpu} {memory}");
    }
}
