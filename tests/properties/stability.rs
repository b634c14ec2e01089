//! Does load shedding come to rest? Experiments in virtual time, the same for the same seed.

use std::collections::BTreeMap;
use std::time::Duration;

use quorate_core::kernel::rng::Rng;
use quorate_core::kernel::time::Timestamp;
use quorate_core::load::pressure::{
    Body, DecayConfig, FlushConfig, FlushPlanner, Grants, PaceConfig, Peers, Update,
};
use quorate_core::load::shed::{Cause, Detector, DetectorConfig, Load, Observed, Priority, Readings};
use quorate_core::load::stats::{
    Decoded, Level, Sample, SignalConfig, Signaller, StatsBuffer, StatsConfig, WireSignal,
};

use crate::load::{Setup, World};

fn ms(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

const ALL_ON: Setup = Setup { seed: 0, limit: true, signals: true };

/// Ten seconds as usual, ten at ten times the load, twelve as usual.
fn step(setup: Setup) -> World {
    let mut world = World::new(setup);
    world.run(10_000, 1);
    world.run(10_000, 10);
    world.run(12_000, 1);
    world
}

#[test]
fn control_keeps_its_goodput_through_ten_times_the_load_and_all_comes_back() {
    for seed in 0..5 {
        for (setup, back_after) in [
            (ALL_ON, 6),
            (Setup { signals: false, ..ALL_ON }, 8),
            (Setup { limit: false, ..ALL_ON }, 8),
            (Setup { limit: false, signals: false, ..ALL_ON }, 8),
        ] {
            let world = step(Setup { seed, ..setup });
            let report = format!(
                "{setup:?} seed {seed}: before {:?}, step {:?} at {}/s, after {:?}, control at most {} ms, {} waiting, {:?}",
                world.goodput(1, 10),
                world.goodput(10, 20),
                world.served(10, 20),
                world.goodput(20 + back_after, 31),
                world.longest_control_ms,
                world.most_waiting,
                world.transitions,
            );
            println!("{report}");
            for second in 0..31 {
                assert_eq!(world.goodput(second, second + 1)[0], 100, "second {second}, {report}");
            }
            assert!(world.longest_control_ms <= 30, "{report}");
            assert_eq!(world.goodput(1, 10), [100; 4], "{report}");
            assert_eq!(world.goodput(20 + back_after, 31), [100; 4], "{report}");
            // What can be served is served, the important first; without the limit more waits.
            assert!(world.served(10, 20) >= 2_500 && world.goodput(10, 20)[1] >= 80, "{report}");
            assert!(world.most_waiting <= if setup.limit { 1_000 } else { 2_000 }, "{report}");
        }
    }
}

#[test]
fn the_state_rests_before_and_after_and_moves_at_its_own_pace_between() {
    for seed in 0..5 {
        let world = step(Setup { seed, ..ALL_ON });
        assert!(
            world.transitions.iter().all(|(at, _)| (10_000..27_000).contains(at)),
            "{:?}",
            world.transitions
        );
        // Down takes two evaluations, so up and down take three.
        for three in world.transitions.windows(3) {
            assert!(three[2].0 - three[0].0 >= 500, "seed {seed}: {three:?}");
        }
    }
}

#[test]
fn the_same_seed_tells_the_same_story() {
    let run = |seed| {
        let mut world = World::new(Setup { seed, ..ALL_ON });
        world.run(2_000, 1);
        world.run(3_000, 10);
        (world.seconds, world.transitions)
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7).0, run(8).0);
}

const READ: fn(f64) -> Readings = |cpu| Readings { cpu: Some(cpu), memory: None };

#[test]
fn a_signal_around_its_threshold_does_not_make_the_state_flap() {
    let mut detector = Detector::new(DetectorConfig::default()).unwrap();
    let (mut changes, mut naive, mut before) = (0, 0, (Load::Healthy, Load::Healthy));
    for tick in 0..4_000i64 {
        let cpu = if tick % 2 == 0 { 69.0 } else { 71.0 };
        let patient = detector.evaluate(READ(cpu), ms(tick * 250)).unwrap().state;
        let hasty = detector.raw(ms(tick * 250)).state;
        changes += u32::from(patient != before.0);
        naive += u32::from(hasty != before.1);
        before = (patient, hasty);
    }
    assert_eq!((changes, naive), (1, 3_999));
}

#[test]
fn no_overload_poisons_the_baseline() {
    let mut detector = Detector::new(DetectorConfig::default()).unwrap();
    let mut tick = 0i64;
    let mut phase = |latency: Option<f64>, ticks: i64| {
        let mut last = Load::Healthy;
        for _ in 0..ticks {
            for n in 0..4 {
                let at = ms(tick * 250 + n);
                if let Some(latency) = latency {
                    detector.latency_ms(Observed::Served, latency, at).unwrap();
                }
                // Refusals, probes and nonsense come in all the time.
                detector.latency_ms(Observed::Shed, 0.0, at).unwrap();
                detector.latency_ms(Observed::Probe, 0.0, at).unwrap();
                assert!(detector.latency_ms(Observed::Served, f64::NAN, at).is_err());
            }
            last = detector.evaluate(Readings::default(), ms(tick * 250 + 10)).unwrap().state;
            tick += 1;
        }
        last
    };
    assert_eq!(phase(Some(50.0), 400), Load::Healthy);
    for _ in 0..5 {
        assert_eq!(phase(Some(3_000.0), 400), Load::Overloaded);
        // All is shed: nothing is measured any more, and after ten seconds that is no overload.
        assert_eq!(phase(None, 39), Load::Overloaded);
        assert_eq!(phase(None, 3), Load::Healthy);
        assert_eq!(phase(Some(50.0), 10), Load::Healthy);
    }
    // And the next one is seen as fast as the first.
    assert_eq!(phase(Some(50.0), 400), Load::Healthy);
    assert_eq!(phase(Some(3_000.0), 3), Load::Overloaded);
}

#[test]
fn a_standing_queue_is_seen_within_two_evaluations_and_its_end_within_three() {
    let mut detector = Detector::new(DetectorConfig::default()).unwrap();
    for at in 0..6_000i64 {
        let waited = if (2_000..4_000).contains(&at) { 60 } else { 1 };
        detector.waited(Priority::Normal, Duration::from_millis(waited), ms(at));
        if at % 250 == 0 {
            let verdict = detector.evaluate(Readings::default(), ms(at)).unwrap();
            match at {
                0..2_000 | 4_750.. => assert_eq!(verdict.state, Load::Healthy, "{at}"),
                2_500..4_000 => {
                    assert_eq!((verdict.state, verdict.cause), (Load::Stressed, Cause::QueueDelay), "{at}")
                }
                _ => {}
            }
        }
    }
}

/// To which worker, about which message, taken or not, and the signal unless it was lost.
type Answer = (usize, u64, bool, Option<WireSignal>);

/// Workers that report through a manager's statistics; signals travel only in answers, and 1 message of 20 is lost.
struct Reports {
    rng: Rng,
    now: i64,
    workers: Vec<(FlushPlanner<u8, u8, u8>, Peers<u8>)>,
    stats: StatsBuffer,
    signaller: Signaller,
    grants: Grants<usize>,
    answers: BTreeMap<i64, Vec<Answer>>,
    /// Newest heard, by worker and workflow.
    heard: BTreeMap<(usize, u8), u64>,
    last_heard: Vec<i64>,
    longest_silence: i64,
    seq: u64,
}

impl Reports {
    fn new(seed: u64, workers: usize) -> Self {
        let worker = |n: usize| {
            let config = FlushConfig {
                seed: n as u64,
                ack_timeout: Duration::from_millis(300),
                ..FlushConfig::default()
            };
            (FlushPlanner::new(config).unwrap(), Peers::new(DecayConfig::default()).unwrap())
        };
        Reports {
            rng: Rng::new(seed),
            now: 0,
            workers: (0..workers).map(worker).collect(),
            stats: StatsBuffer::new(StatsConfig { hot_max: 200, ..StatsConfig::default() }, 1).unwrap(),
            signaller: Signaller::new(SignalConfig::default(), 1).unwrap(),
            grants: Grants::new(Duration::from_secs(5)),
            answers: BTreeMap::new(),
            heard: BTreeMap::new(),
            last_heard: vec![0; workers],
            longest_silence: 0,
            seq: 0,
        }
    }

    /// Runs for so long; each worker makes an update of a workflow every `every` milliseconds, or none.
    fn run(&mut self, millis: i64, every: Option<i64>) {
        for _ in 0..millis / 10 {
            let now = ms(self.now);
            if every.is_some_and(|every| self.now.rem_euclid(every) == 0) {
                self.seq += 1;
                for (planner, _) in &mut self.workers {
                    let update = Update {
                        job: (self.seq % 2) as u8,
                        workflow: (self.seq % 3) as u8,
                        seq: self.seq,
                        completed: self.seq,
                        failed: 0,
                        rate: 1.0,
                        elapsed: Duration::ZERO,
                        critical: self.seq.is_multiple_of(50),
                    };
                    planner.offer(update, now).unwrap();
                }
            }
            for n in 0..self.workers.len() {
                let (planner, peers) = &mut self.workers[n];
                for send in planner.flush(peers, |_| Some(1), now) {
                    self.at_manager(n, send);
                }
            }
            for (n, id, accepted, signal) in self.answers.remove(&self.now).unwrap_or_default() {
                let (planner, peers) = &mut self.workers[n];
                if accepted {
                    planner.acked(id)
                } else {
                    planner.failed(id, now)
                }
                if let Some(wire) = signal {
                    let decoded = SignalConfig::default().decode(&wire);
                    peers.apply_decoded(&1, decoded, now);
                    self.longest_silence = self.longest_silence.max(self.now - self.last_heard[n]);
                    self.last_heard[n] = self.now;
                }
            }
            self.now += 10;
        }
    }

    fn at_manager(&mut self, n: usize, send: quorate_core::load::pressure::Outgoing<u8, u8, u8>) {
        let now = ms(self.now);
        if self.rng.next_u64().is_multiple_of(20) {
            return;
        }
        let critical = matches!(send.body, Body::Critical(_));
        let sample = Sample { critical, producer: Some(n as u64), ..Sample::of(1.0, now) };
        let allowed = send.number.is_none_or(|number| self.grants.within(&n, number, now));
        let accepted = allowed && self.stats.record(sample, now).is_ok();
        if accepted {
            let updates = match &send.body {
                Body::Critical(update) => std::slice::from_ref(update),
                Body::Batch(batch) => &batch.workflows,
            };
            for update in updates {
                let newest = self.heard.entry((n, update.workflow)).or_default();
                *newest = update.seq.max(*newest);
            }
        }
        let credits = self.stats.credits(self.workers.len() as u64, now);
        let upto = self.grants.grant(&n, credits, now);
        let signal = self.signaller.signal(self.stats.level(now), Some(upto));
        let wire = (!self.rng.next_u64().is_multiple_of(20)).then(|| WireSignal::from(&signal));
        let arrives = self.now + 10 * (1 + (self.rng.next_u64() % 5) as i64);
        self.answers.entry(arrives).or_default().push((n, send.id, accepted, wire));
    }

    /// Fills the manager from elsewhere.
    fn flood(&mut self) {
        while self.stats.record(Sample::of(1.0, ms(self.now)), ms(self.now)).is_ok() {}
        assert_eq!(self.stats.level(ms(self.now)), Level::Reject);
    }
}

#[test]
fn no_livelock_at_reject_and_no_worker_is_deaf() {
    for seed in 0..5 {
        let mut reports = Reports::new(seed, 4);
        reports.run(2_000, Some(200));
        reports.flood();
        reports.run(120_000, Some(200));
        // Every worker heard a signal at least once per longest pace, and a few losses.
        assert!(reports.longest_silence <= 15_000, "seed {seed}: {} ms", reports.longest_silence);
        let dropped: u64 = reports.workers.iter().map(|(planner, _)| planner.counts().dropped).sum();
        assert!(dropped > 0, "seed {seed}: the flood was felt");
        // Once the source is quiet the manager comes back, and so do the workers; nothing newest is missing.
        reports.run(70_000, Some(5_000));
        reports.run(70_000, None);
        assert_eq!(reports.stats.level(ms(reports.now)), Level::None);
        for (planner, peers) in &reports.workers {
            assert_eq!((planner.held(), peers.level(ms(reports.now))), (0, Level::None), "seed {seed}");
            let counts = planner.counts();
            assert_eq!(counts.offered, counts.delivered + counts.superseded + counts.stale + counts.dropped);
        }
        for newest in reports.heard.values() {
            assert!(*newest + 3 > reports.seq, "seed {seed}: {newest} of {}", reports.seq);
        }
    }
}

#[test]
fn delays_do_not_ratchet_over_an_hour_of_changing_levels() {
    let pace = PaceConfig::default();
    let mut peers: Peers<u8> = Peers::new(DecayConfig::default()).unwrap();
    let mut signaller = Signaller::new(SignalConfig::default(), 1).unwrap();
    let mut rng = Rng::new(1);
    for second in 0..3_600i64 {
        let level = Level::ALL[(rng.next_u64() % 4) as usize];
        let (manager, now) = ((rng.next_u64() % 3) as u8, ms(second * 1_000));
        peers.apply_decoded(&manager, Decoded::Known(signaller.signal(level, None)), now);
        let told = peers.delay(now);
        assert_eq!(
            told,
            SignalConfig::default().delay(peers.level(now)),
            "the delay is that of the level now"
        );
        assert!(pace.extra(peers.level(now), told) <= Duration::from_secs(4));
    }
    for manager in 0..3 {
        let none = signaller.signal(Level::None, None);
        peers.apply_decoded(&manager, Decoded::Known(none), ms(3_600_000));
    }
    let now = ms(3_600_000);
    assert_eq!(pace.interval(peers.level(now), peers.delay(now), 1, 1), Duration::from_millis(50));
}
