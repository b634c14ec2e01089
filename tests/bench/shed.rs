//! What load shedding costs per message: classify, admit and release; a sample and an evaluation; a record and its
//! level; a signal; a flush.
//!
//! `cargo bench --bench shed`

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use quorate_core::kernel::time::Timestamp;
use quorate_core::load::pressure::{DecayConfig, FlushConfig, FlushPlanner, GatePressure, Peers, Update};
use quorate_core::load::shed::{
    Admission, AdmissionConfig, Caps, Detector, DetectorConfig, Label, LimitConfig, MessageKind, Names,
    Observed, Priority, Readings,
};
use quorate_core::load::stats::{Decoded, Level, Sample, SignalConfig, Signaller, StatsBuffer, StatsConfig};

/// A clock that moves on by so much with every reading.
struct Ticks(i64, i64);

impl Ticks {
    fn next(&mut self) -> Timestamp {
        self.0 += self.1;
        Timestamp::from_micros(self.0)
    }
}

fn door(c: &mut Criterion) {
    let mut group = c.benchmark_group("shed");
    for (name, limit) in [("caps", None), ("caps and limit", Some(LimitConfig::default()))] {
        let config = AdmissionConfig { caps: Caps::MANAGER, limit, ..AdmissionConfig::default() };
        let mut door = Admission::new(config, Timestamp::EPOCH).unwrap();
        let mut clock = Ticks(0, 10);
        group.bench_function(format!("classify, admit, release: {name}"), |b| {
            b.iter(|| {
                let now = clock.next();
                let label =
                    Label::of(black_box(MessageKind::Progress)).until(now.plus(Duration::from_secs(1)));
                let permit = door.admit(label, now).unwrap();
                door.served(Duration::from_millis(5), now, now);
                door.release(permit);
            });
        });
    }
    let mut names = Names::default();
    group.bench_function("classify by name", |b| b.iter(|| names.classify(black_box("workflow_dispatch"))));
    group.finish();
}

fn detector(c: &mut Criterion) {
    let mut detector = Detector::new(DetectorConfig::default()).unwrap();
    let mut clock = Ticks(0, 100);
    c.bench_function("detector: a latency and a wait", |b| {
        b.iter(|| {
            let now = clock.next();
            detector.latency(Observed::Served, Duration::from_millis(5), now);
            detector.waited(Priority::Normal, Duration::from_millis(1), now);
        });
    });
    clock.1 = 250_000;
    c.bench_function("detector: an evaluation", |b| {
        b.iter(|| {
            let now = clock.next();
            detector.latency(Observed::Served, Duration::from_millis(5), now);
            detector.evaluate(Readings { cpu: Some(50.0), memory: Some(50.0) }, now).unwrap().state
        });
    });
    c.bench_function("detector: reading the state", |b| b.iter(|| black_box(&detector).state()));
}

fn stats(c: &mut Criterion) {
    for hot_max in [1_000, 100_000] {
        let config = StatsConfig { hot_max, ..StatsConfig::default() };
        let mut buffer = StatsBuffer::new(config, 1).unwrap();
        // As many as leave in a minute come in: the buffer stays half full, and every tier is at work.
        let mut clock = Ticks(0, 60_000_000 / (hot_max as i64 / 2));
        c.bench_function(&format!("stats: record and level, {hot_max} places"), |b| {
            b.iter(|| {
                let now = clock.next();
                buffer.record(Sample::of(1.0, now), now).unwrap();
                buffer.level(now)
            });
        });
    }
}

fn signals(c: &mut Criterion) {
    let mut gate: GatePressure<u8, u32> = GatePressure::new(DecayConfig::default()).unwrap();
    let mut signaller = Signaller::new(SignalConfig::default(), 1).unwrap();
    let mut clock = Ticks(0, 100);
    c.bench_function("gate: a signal of one of 64 managers, and a decision", |b| {
        b.iter(|| {
            let now = clock.next();
            let manager = (now.as_micros() / 100 % 64) as u32;
            let signal = signaller.signal(Level::Throttle, None);
            gate.apply(&((manager % 4) as u8), &manager, Decoded::Known(signal), now);
            gate.forwarding(&1, Label::of(MessageKind::Progress), false, now)
        });
    });
    let mut peers: Peers<u8> = Peers::new(DecayConfig::default()).unwrap();
    peers.apply(&1, signaller.signal(Level::Batch, None), Timestamp::EPOCH);
    let full = || {
        let mut planner: FlushPlanner<u32, u32, u8> = FlushPlanner::new(FlushConfig::default()).unwrap();
        for n in 0..1_000 {
            let (job, workflow, seq) = (n / 10, n, u64::from(n));
            let elapsed = Duration::ZERO;
            let update =
                Update { job, workflow, seq, completed: 1, failed: 0, rate: 1.0, elapsed, critical: false };
            planner.offer(update, Timestamp::EPOCH).unwrap();
        }
        planner
    };
    c.bench_function("worker: flush 1000 updates of 100 jobs as batches", |b| {
        b.iter_batched_ref(
            full,
            |planner| planner.flush(&peers, |_| Some(1), Timestamp::EPOCH),
            BatchSize::SmallInput,
        );
    });
}

fn quick() -> Criterion {
    let (warm_up, measured) = (Duration::from_millis(300), Duration::from_secs(1));
    Criterion::default().sample_size(20).warm_up_time(warm_up).measurement_time(measured)
}

criterion_group! { name = benches; config = quick(); targets = door, detector, stats, signals }
criterion_main!(benches);
