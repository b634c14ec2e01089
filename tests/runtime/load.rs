//! Load shedding and statistics in a running runtime.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use quorate::{Config, Error, ErrorKind, Quorate};
use quorate_core::kernel::time::Timestamp;
use quorate_core::load::shed::{Caps, Cause, Class, LatencyConfig, Load, Readings};
use quorate_core::load::stats::Level;
use quorate_journal::stores::memory::MemoryStore;
use quorate_runtime::api::dto::{
    AskSummary, CheckShed, HistoryQuery, JobProgress, RecordLoad, RecordStats, ReleasePermit, SubmitJob,
};
use quorate_runtime::api::ops;
use quorate_runtime::config::ClockConfig;
use quorate_runtime::shell::sampler::{Sampler, ThisMachine};
use serde_json::{Map, Value, json};

use crate::hooked::Hooked;
use crate::manual;

async fn call(q: &Quorate, name: &str) -> Result<Value, Error> {
    ops::find(name)?.call(q.clone(), Map::new()).await
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

/// A machine as busy as it is told to be.
#[derive(Debug, Default)]
struct Dial(AtomicUsize);

impl Sampler for Dial {
    fn sample(&self) -> Result<Readings, String> {
        Ok(Readings { cpu: Some(self.0.load(Ordering::SeqCst) as f64), memory: None })
    }
}

/// A runtime that measures the machine of this dial every few milliseconds.
async fn measured(dial: &Arc<Dial>) -> Quorate {
    let mut config = Config { sampler: Some(dial.clone()), ..Config::memory() };
    config.shedding.detector.every = Duration::from_millis(5);
    Quorate::open(config).await.unwrap()
}

async fn until_operations_are(q: &Quorate, state: Load) {
    for _ in 0..4_000 {
        if q.shedding().status().await.unwrap().operations_state == state {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("never {state:?}: {:?}", q.shedding().status().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_state_refuses_its_classes_of_operations() {
    let dial = Arc::<Dial>::default();
    let q = measured(&dial).await;
    let feeds =
        [(69, Load::Healthy, 5), (71, Load::Busy, 4), (86, Load::Stressed, 3), (96, Load::Overloaded, 2)];
    for (cpu, state, passing) in feeds {
        dial.0.store(cpu, Ordering::SeqCst);
        until_operations_are(&q, state).await;
        let mut passed = 0;
        for name in ["stats.level", "job.renew", "job.submit", "agent.list", "quorum.stats"] {
            let refused = call(&q, name).await.err().filter(|e| e.kind() == ErrorKind::Overloaded);
            passed += i32::from(refused.is_none());
        }
        assert_eq!(passed, passing, "{state:?}");
        // Who comes or comes back is heard at any load: whoever cannot register is taken for dead.
        for name in ["agent.register", "worker.register", "voter.register"] {
            let refused = call(&q, name).await.err().filter(|e| e.kind() == ErrorKind::Overloaded);
            assert_eq!(refused, None, "{name} {state:?}");
        }
    }
    q.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn at_overload_the_doors_refuse_what_the_check_refuses_and_nothing_that_keeps_a_lease() {
    let dial = Arc::new(Dial(AtomicUsize::new(99)));
    let q = measured(&dial).await;
    until_operations_are(&q, Load::Overloaded).await;
    for op in ops::OPERATIONS {
        let check = CheckShed { handler: Some(op.name.to_owned()), ..CheckShed::default() };
        let judged = q.shedding().check(check).await.unwrap();
        let refused = call(&q, op.name).await.err().is_some_and(|e| e.kind() == ErrorKind::Overloaded);
        assert_eq!((judged.class, judged.shed), (op.class, refused), "{}", op.name);
        assert!(!refused || op.class != Class::Control, "{}", op.name);
    }
    // A final result is told once; that a workflow still runs is told again.
    for (outcome, passes) in [("running", false), ("completed", true), ("failed", true), ("cancelled", true)]
    {
        let fields = Map::from_iter([("outcome".to_owned(), Value::from(outcome))]);
        let answer = ops::find("worker.report").unwrap().call(q.clone(), fields).await.unwrap_err();
        assert_eq!(answer.kind() != ErrorKind::Overloaded, passes, "{outcome}: {answer}");
    }
    q.close().await.unwrap();
}

/// Commands whose answers take long, since the store does.
async fn answer_slowly(q: &Quorate, shut: &Arc<Mutex<()>>) {
    let asked = {
        let _shut = shut.lock().unwrap();
        let start = |_| {
            let q = q.clone();
            let fields = json!({ "quorum_type": "global", "voters": ["ann", "bob"] });
            let Value::Object(fields) = fields else { panic!() };
            tokio::spawn(async move { ops::find("quorum.start").unwrap().call(q, fields).await.is_ok() })
        };
        let asked: Vec<_> = (0..16).map(start).collect();
        std::thread::sleep(Duration::from_millis(100));
        asked
    };
    for asked in asked {
        asked.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_answers_of_its_own_close_the_doors_and_open_them_again_when_they_are_past() {
    let shut = Arc::new(Mutex::new(()));
    let gate = shut.clone();
    let store = Hooked::new(MemoryStore::new(), move |_| {
        drop(gate.lock().unwrap());
        Ok(())
    });
    let mut config = Config::memory();
    config.shedding.detector.every = Duration::from_millis(5);
    let answers = LatencyConfig {
        window: 16,
        min_samples: 8,
        absolute_ms: [10.0, 20.0, 40.0],
        ..config.shedding.answers
    };
    config.shedding.answers = LatencyConfig { sample_ttl: Duration::from_secs(2), ..answers };
    let q = Quorate::open_with(config, Arc::new(store)).await.unwrap();
    let refused =
        async || call(&q, "capacity.configure").await.is_err_and(|e| e.kind() == ErrorKind::Overloaded);
    let closed = async {
        while !refused().await {
            answer_slowly(&q, &shut).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), closed).await.expect("no door was ever closed");
    let explain = q.shedding().status().await.unwrap();
    assert!(explain.classes[1].operations_shed > 0 && explain.classes[0].operations_shed == 0, "{explain:?}");
    // Nobody reported anything.
    assert_eq!(explain.detector.samples, 0);
    until_operations_are(&q, Load::Healthy).await;
    q.close().await.unwrap();
}

#[tokio::test]
async fn what_callers_report_closes_no_door() {
    let q = Quorate::open(manual()).await.unwrap();
    let slow = || RecordLoad { latency_ms: Some(3_000.0), ..RecordLoad::default() };
    let asked = async |q: &Quorate| {
        let check = CheckShed { handler: Some("quorum.start".into()), ..CheckShed::default() };
        q.shedding().check(check).await.unwrap().shed
    };
    assert_eq!(q.shedding().record(slow()).await.unwrap().state, Load::Healthy, "one is no overload");
    assert!(!asked(&q).await);
    q.shedding().record(slow()).await.unwrap();
    assert_eq!(q.shedding().record(slow()).await.unwrap().state, Load::Overloaded);
    assert!(asked(&q).await, "who asks hears it");
    let hot = RecordLoad { cpu_percent: Some(99.0), ..RecordLoad::default() };
    q.shedding().record(hot).await.unwrap();
    for op in ops::OPERATIONS {
        let refused = call(&q, op.name).await.err().map(|e| e.kind());
        assert_ne!(refused, Some(ErrorKind::Overloaded), "{}", op.name);
    }
    let status = q.shedding().status().await.unwrap();
    assert_eq!((status.state, status.operations_state), (Load::Overloaded, Load::Healthy));
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
    q.close().await.unwrap();

    let q = Quorate::open(Config::at(&path)).await.unwrap();
    let status = q.shedding().status().await.unwrap();
    assert_eq!((status.state, status.pending, status.total_requests), (Load::Healthy, 0, 0));
    assert_eq!(status.all_time.shed.data, 3);
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

#[cfg(feature = "store-sled")]
#[tokio::test]
async fn progress_makes_the_level_its_answer_carries_it_and_a_crash_keeps_it() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("data");
    let at = |ms| Config { clock: ClockConfig::Manual(Timestamp::from_millis(ms)), ..Config::at(&path) };
    let q = Quorate::open(at(0)).await.unwrap();
    let submit = SubmitJob { timeout_seconds: Some(3_600.0), ..SubmitJob::default() };
    let job_id = q.jobs().submit(submit).await.unwrap().job_id;
    let progress = async |q: &Quorate| {
        let got_on: JobProgress = serde_json::from_value(json!({ "job_id": job_id })).unwrap();
        q.jobs().progress(got_on).await.unwrap().level.unwrap().level
    };
    for n in 1..=30 {
        assert_eq!(progress(&q).await, Level::None);
        assert_eq!(q.stats().level().await.unwrap().hot_count, n);
    }
    // The answer tells of the level after its own report.
    for n in 31..=960u64 {
        let expected = match n {
            0..700 => Level::None,
            700..850 => Level::Throttle,
            850..950 => Level::Batch,
            950.. => Level::Reject,
        };
        assert_eq!(progress(&q).await, expected, "{n}");
    }
    q.advance(Duration::from_millis(1)).await.unwrap();
    let level = q.stats().level().await.unwrap();
    assert_eq!((level.level.level, level.hot_count), (Level::Reject, 950));
    // A report is no value.
    assert_eq!(q.stats().summary(AskSummary::default()).await.unwrap().count, 0);
    q.crash().await;

    let q = Quorate::open(at(59_999)).await.unwrap();
    assert_eq!(q.stats().level().await.unwrap().level.level, Level::Reject);
    assert_eq!(progress(&q).await, Level::Reject);
    q.advance(Duration::from_millis(1)).await.unwrap();
    assert_eq!(q.stats().level().await.unwrap().level.level, Level::None);
    assert_eq!(progress(&q).await, Level::None);
    q.crash().await;
}

#[tokio::test]
async fn the_answer_to_a_workers_report_carries_the_level_after_it() {
    let q = Quorate::open(manual()).await.unwrap();
    let call = async |name: &str, fields: Value| {
        let Value::Object(fields) = fields else { panic!("{fields}") };
        ops::find(name).unwrap().call(q.clone(), fields).await.unwrap_or_else(|e| panic!("{name}: {e}"))
    };
    let report = async |done: u64| {
        let fields = json!({ "worker_id": "w", "job_id": "j", "workflow_id": "a", "outcome": "running",
            "completed_count": done });
        let answer = call("worker.report", fields).await;
        (answer["level"].clone(), answer["backpressure_level"].clone(), answer["held_ms"].is_null())
    };
    call("worker.register", json!({ "worker_id": "w" })).await;
    let flows = json!([{ "workflow_id": "a", "worker_id": "w" }]);
    call("job.submit", json!({ "job_id": "j", "stuck_threshold": 3600, "workflows": flows })).await;
    q.advance(Duration::from_millis(1)).await.unwrap();
    assert_eq!(report(1).await, (json!("none"), json!(0), true));
    q.stats().record(RecordStats { values: Some(vec![1.0; 698]), ..RecordStats::default() }).await.unwrap();
    q.advance(Duration::from_millis(1)).await.unwrap();
    // This one makes it 700.
    assert_eq!(report(2).await, (json!("throttle"), json!(1), true));
    q.advance(Duration::from_millis(1)).await.unwrap();
    assert_eq!(q.stats().level().await.unwrap().hot_count, 700);
    q.stats().record(RecordStats { values: Some(vec![1.0; 260]), ..RecordStats::default() }).await.unwrap();
    q.advance(Duration::from_millis(1)).await.unwrap();
    assert_eq!(report(3).await.0, json!("reject"), "also of one that is held");
    q.close().await.unwrap();
}

#[cfg(feature = "store-sled")]
#[tokio::test]
async fn what_a_worker_drops_at_reject_is_on_record_and_the_next_report_tells_its_manager_also_after_a_crash()
{
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("data");
    let at = |ms| Config { clock: ClockConfig::Manual(Timestamp::from_millis(ms)), ..Config::at(&path) };
    let q = Quorate::open(at(0)).await.unwrap();
    let call = async |q: &Quorate, name: &str, fields: Value| {
        let Value::Object(fields) = fields else { panic!("{fields}") };
        ops::find(name).unwrap().call(q.clone(), fields).await.unwrap_or_else(|e| panic!("{name}: {e}"))
    };
    let report = async |q: &Quorate, job: &str, flow: &str, done: u64| {
        let fields = json!({ "worker_id": "w", "job_id": job, "workflow_id": flow, "outcome": "running",
            "completed_count": done });
        call(q, "worker.report", fields).await
    };
    let status = async |q: &Quorate| {
        let pressure = call(q, "pressure.status", json!({ "worker_id": "w" })).await;
        let worker = &pressure["worker"];
        (worker["dropped"].clone(), worker["dropped_all_time"].clone(), worker["gaps"].clone())
    };
    call(&q, "worker.register", json!({ "worker_id": "w", "capacity": 9 })).await;
    for job in ["j1", "j2", "j3"] {
        let flows = json!([{ "workflow_id": format!("{job}a"), "worker_id": "w" }]);
        let fields =
            json!({ "job_id": job, "timeout_seconds": 3600, "stuck_threshold": 3600, "workflows": flows });
        call(&q, "job.submit", fields).await;
        q.advance(Duration::from_millis(1)).await.unwrap();
        report(&q, job, &format!("{job}a"), 1).await;
    }
    q.stats().record(RecordStats { values: Some(vec![1.0; 960]), ..RecordStats::default() }).await.unwrap();
    // The first report after it hears of reject, the next wait for the turn of their manager: one job goes, two do not.
    for done in [2, 3] {
        for job in ["j1", "j2", "j3"] {
            report(&q, job, &format!("{job}a"), done).await;
            q.advance(Duration::from_millis(1)).await.unwrap();
        }
    }
    q.advance(Duration::from_secs(15)).await.unwrap();
    let (dropped, all_time, gaps) = status(&q).await;
    let count = dropped.as_u64().unwrap();
    assert!(count >= 1, "nothing was dropped");
    assert_eq!(all_time, dropped);
    assert_eq!(gaps.as_object().unwrap().values().filter_map(Value::as_u64).sum::<u64>(), count, "{gaps}");
    q.crash().await;

    // A crash forgets no drop. The samples have aged and the pressure is over: the next report of each workflow tells its
    // manager.
    let q = Quorate::open(at(200_000)).await.unwrap();
    assert_eq!(status(&q).await, (json!(0), json!(count), gaps));
    let missing = async |q: &Quorate| {
        let mut sum = 0;
        for job in ["j1", "j2", "j3"] {
            let status = call(q, "job.status", json!({ "job_id": job })).await;
            sum += status["datacenters"][0]["reports_dropped"].as_u64().unwrap_or(0);
        }
        sum
    };
    assert_eq!(missing(&q).await, 0);
    for done in [9, 10] {
        for job in ["j1", "j2", "j3"] {
            report(&q, job, &format!("{job}a"), done).await;
        }
        q.advance(Duration::from_secs(10)).await.unwrap();
        assert_eq!((status(&q).await.2, missing(&q).await), (Value::Null, count), "told, and told once");
    }
    let query = HistoryQuery { event: Some("updates_dropped".into()), ..HistoryQuery::default() };
    let told = q.history().query(query).await.unwrap().events;
    let sum: u64 = told.iter().filter_map(|event| event.data["count"].as_u64()).sum();
    assert_eq!(sum, count);
    q.crash().await;
}
