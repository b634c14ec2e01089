use super::*;
use crate::load::shed::class::Priority;
use crate::load::shed::number::Ratio;

fn ms(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn detector() -> Detector {
    Detector::new(DetectorConfig::default()).unwrap()
}

fn cpu(percent: f64) -> Readings {
    Readings { cpu: Some(percent), memory: Some(10.0) }
}

const NOTHING: Readings = Readings { cpu: None, memory: None };

#[test]
fn every_bound_of_a_resource_is_strict() {
    for (percent, state) in [
        (70.0, Load::Healthy),
        (70.000_001, Load::Busy),
        (85.0, Load::Busy),
        (85.000_001, Load::Stressed),
        (95.0, Load::Stressed),
        (95.000_001, Load::Overloaded),
        (400.0, Load::Overloaded),
    ] {
        assert_eq!(detector().evaluate(cpu(percent), ms(0)).unwrap().state, state, "{percent}");
        let memory = Readings { cpu: None, memory: Some(percent) };
        let verdict = detector().evaluate(memory, ms(0)).unwrap();
        assert_eq!(verdict.state, state, "{percent}");
        assert_eq!(verdict.cause, if state == Load::Healthy { Cause::None } else { Cause::Memory });
    }
}

#[test]
fn every_bound_of_the_average_is_strict() {
    for (latency, state) in [
        (200.0, Load::Healthy),
        (200.001, Load::Busy),
        (500.0, Load::Busy),
        (500.001, Load::Stressed),
        (2_000.0, Load::Stressed),
        (2_000.001, Load::Overloaded),
    ] {
        let mut detector = detector();
        for _ in 0..3 {
            detector.latency_ms(Observed::Served, latency, ms(0)).unwrap();
        }
        assert_eq!(detector.evaluate(NOTHING, ms(0)).unwrap().state, state, "{latency}");
    }
}

#[test]
fn fewer_than_three_live_latencies_make_no_state() {
    let mut detector = detector();
    for at in [0, 5_000] {
        detector.latency_ms(Observed::Served, 9_000.0, ms(at)).unwrap();
        assert_eq!(detector.evaluate(NOTHING, ms(at)).unwrap().state, Load::Healthy, "{at}");
    }
    // The first is too old now: there are two again.
    detector.latency_ms(Observed::Served, 9_000.0, ms(10_000)).unwrap();
    assert_eq!(detector.evaluate(NOTHING, ms(10_000)).unwrap().state, Load::Healthy);
    detector.latency_ms(Observed::Served, 9_000.0, ms(10_001)).unwrap();
    assert_eq!(detector.evaluate(NOTHING, ms(10_001)).unwrap().state, Load::Overloaded);
}

#[test]
fn one_low_reading_counts_once_however_often_it_is_looked_at() {
    let mut detector = detector();
    detector.evaluate(cpu(96.0), ms(0)).unwrap();
    for at in (250..=1_000).step_by(250) {
        detector.evaluate(NOTHING, ms(at)).unwrap();
    }
    // It comes right after a tick, so the next tick counts it; the ticks after that have nothing new.
    for at in (1_000..11_000).step_by(250) {
        let readings = if at == 1_000 { cpu(50.0) } else { NOTHING };
        assert_eq!(detector.evaluate(readings, ms(at)).unwrap().state, Load::Overloaded, "{at}");
    }
    // Nothing was heard for as long as a reading holds.
    assert_eq!(detector.evaluate(NOTHING, ms(11_000)).unwrap().state, Load::Healthy);
}

#[test]
fn a_second_low_reading_ends_it() {
    let mut detector = detector();
    detector.evaluate(cpu(96.0), ms(0)).unwrap();
    assert_eq!(detector.evaluate(cpu(50.0), ms(1_000)).unwrap().state, Load::Overloaded);
    assert_eq!(detector.evaluate(NOTHING, ms(1_250)).unwrap().state, Load::Overloaded);
    assert_eq!(detector.evaluate(cpu(50.0), ms(1_500)).unwrap().state, Load::Healthy);
}

#[test]
fn a_request_that_panics_or_is_given_up_is_not_pending() {
    let mut detector = detector();
    for _ in 0..900 {
        let request = detector.begin();
        let panicked = std::panic::catch_unwind(move || {
            let _open = request;
            std::panic::resume_unwind(Box::new("the handler broke"));
        });
        assert!(panicked.is_err());
        drop(detector.begin());
    }
    assert_eq!(detector.pending(), 0);
    assert_eq!(detector.evaluate(NOTHING, ms(0)).unwrap().state, Load::Healthy);
}

#[test]
fn pending_bounds_are_inclusive() {
    let mut detector = detector();
    let mut open: Vec<_> = (0..499).map(|_| detector.begin()).collect();
    let mut at = 0;
    for (count, state) in [
        (499, Load::Healthy),
        (500, Load::Busy),
        (699, Load::Busy),
        (700, Load::Stressed),
        (899, Load::Stressed),
        (900, Load::Overloaded),
    ] {
        open.extend((open.len()..count).map(|_| detector.begin()));
        at += 250;
        assert_eq!(detector.evaluate(NOTHING, ms(at)).unwrap().state, state, "{count}");
    }
    drop(open);
    assert_eq!(detector.diagnostics(ms(0)).pending, 0);
}

#[test]
fn the_delta_tier_keeps_silent_for_ten_samples() {
    let mut latency = Latency::new(LatencyConfig::default()).unwrap();
    for n in 0..9 {
        latency.record_ms(Observed::Served, if n < 6 { 10.0 } else { 100.0 }, ms(n)).unwrap();
    }
    assert_eq!(latency.verdict(ms(9)).state, Load::Healthy);
    latency.record_ms(Observed::Served, 100.0, ms(9)).unwrap();
    let seen = latency.diagnostics(ms(9));
    assert!(!seen.warming_up && seen.delta_state > Load::Healthy, "{seen:?}");
}

#[test]
fn both_baselines_begin_at_the_first_sample_and_take_every_one_before_the_comparison() {
    let config = LatencyConfig { warm_up: 2, min_samples: 1, ..LatencyConfig::default() };
    let mut latency = Latency::new(config).unwrap();
    latency.record_ms(Observed::Served, 100.0, ms(0)).unwrap();
    latency.record_ms(Observed::Served, 150.0, ms(1)).unwrap();
    let seen = latency.diagnostics(ms(1));
    assert_eq!((seen.baseline_ms, seen.slow_baseline_ms), (105.0, 101.0));
    assert_eq!((seen.average_ms, seen.trend_ms), (Some(125.0), 50.0));
    assert_eq!(seen.delta, 20.0 / 105.0);
    assert_eq!(seen.drift, 4.0 / 101.0);
}

#[test]
fn delta_bounds_are_strict_and_drift_makes_it_one_worse() {
    let mut latency = Latency::new(LatencyConfig::default()).unwrap();
    latency.record_ms(Observed::Served, 100.0, ms(0)).unwrap();
    for (delta, drift, average, state) in [
        (0.2, 0.15, 120.0, Load::Healthy),
        (0.200_1, 0.15, 120.0, Load::Busy),
        (0.200_1, 0.150_1, 120.0, Load::Stressed),
        (0.5, 0.0, 150.0, Load::Busy),
        (0.500_1, 0.0, 150.0, Load::Stressed),
        (1.0, 0.0, 200.0, Load::Stressed),
        (1.000_1, 0.0, 200.0, Load::Overloaded),
        (1.000_1, 9.0, 200.0, Load::Overloaded),
        (0.0, 0.30, 101.0, Load::Healthy),
        (0.0, 0.300_1, 101.0, Load::Busy),
        (0.0, 0.300_1, 100.0, Load::Healthy),
    ] {
        assert_eq!(latency.judged(delta, drift, average), state, "{delta} {drift} {average}");
    }
}

#[test]
fn a_latency_that_is_no_number_is_refused_and_poisons_nothing() {
    let mut detector = detector();
    for n in 0..20 {
        detector.latency_ms(Observed::Served, 10.0, ms(n)).unwrap();
    }
    let before = detector.diagnostics(ms(20)).latency;
    for given in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let refused = detector.latency_ms(Observed::Served, given, ms(20)).unwrap_err();
        assert_eq!((refused.field, refused.given), ("latency_ms", given.to_string()));
        assert!(detector.evaluate(cpu(given), ms(20)).is_err());
    }
    assert_eq!(detector.diagnostics(ms(20)).latency, before);
    detector.latency_ms(Observed::Served, -5.0, ms(20)).unwrap();
    detector.latency_ms(Observed::Served, f64::MAX, ms(20)).unwrap();
    assert!(detector.diagnostics(ms(20)).latency.baseline_ms.is_finite());
}

#[test]
fn a_baseline_of_zero_says_nothing() {
    let mut detector = detector();
    (0..30).for_each(|n| detector.latency(Observed::Served, Duration::ZERO, ms(n)));
    let verdict = detector.evaluate(NOTHING, ms(30)).unwrap();
    assert_eq!((verdict.state, verdict.cause), (Load::Healthy, Cause::None));
}

#[test]
fn only_what_was_served_is_a_sample() {
    let mut latency = Latency::new(LatencyConfig::default()).unwrap();
    (0..3).for_each(|_| latency.record(Observed::Served, Duration::from_secs(3), ms(0)));
    for observed in [Observed::Shed, Observed::LocalReply, Observed::Probe] {
        (0..100).for_each(|_| latency.record(observed, Duration::ZERO, ms(0)));
    }
    assert_eq!((latency.verdict(ms(0)).state, latency.ignored()), (Load::Overloaded, 300));
}

#[test]
fn samples_expire_so_that_total_shedding_ends() {
    let mut latency = Latency::new(LatencyConfig::default()).unwrap();
    (0..10).for_each(|_| latency.record(Observed::Served, Duration::from_secs(5), ms(0)));
    assert_eq!(latency.verdict(ms(9_999)).state, Load::Overloaded);
    assert_eq!(latency.verdict(ms(10_000)).state, Load::Healthy);
}

#[test]
fn it_gets_worse_at_once_and_better_after_two_quieter_evaluations() {
    let mut detector = detector();
    assert_eq!(detector.evaluate(cpu(99.0), ms(0)).unwrap().state, Load::Overloaded);
    assert_eq!(detector.evaluate(cpu(10.0), ms(250)).unwrap().state, Load::Overloaded);
    assert_eq!(detector.evaluate(cpu(99.0), ms(500)).unwrap().state, Load::Overloaded);
    assert_eq!(detector.evaluate(cpu(10.0), ms(750)).unwrap().state, Load::Overloaded);
    assert_eq!(detector.evaluate(cpu(10.0), ms(1_000)).unwrap().state, Load::Healthy);
}

#[test]
fn swinging_between_two_lower_states_ends_at_the_worse_of_them() {
    let mut detector = detector();
    detector.evaluate(cpu(99.0), ms(0)).unwrap();
    detector.evaluate(cpu(10.0), ms(250)).unwrap();
    assert_eq!(detector.evaluate(cpu(75.0), ms(500)).unwrap().state, Load::Busy);
    assert_eq!(detector.evaluate(cpu(10.0), ms(750)).unwrap().state, Load::Busy);
    assert_eq!(detector.evaluate(cpu(10.0), ms(1_000)).unwrap().state, Load::Healthy);
    detector.evaluate(cpu(99.0), ms(1_250)).unwrap();
    detector.evaluate(cpu(90.0), ms(1_500)).unwrap();
    assert_eq!(detector.evaluate(cpu(10.0), ms(1_750)).unwrap().state, Load::Stressed);
}

#[test]
fn reading_the_state_or_evaluating_too_often_relieves_nothing() {
    let mut detector = detector();
    detector.evaluate(cpu(99.0), ms(0)).unwrap();
    for n in 0..124 {
        assert_eq!(detector.state(), Load::Overloaded);
        detector.raw(ms(n));
        assert_eq!(detector.evaluate(cpu(10.0), ms(n)).unwrap().state, Load::Overloaded);
    }
    // Half a period is near enough for a timer.
    detector.evaluate(cpu(10.0), ms(125)).unwrap();
    assert_eq!(detector.evaluate(cpu(10.0), ms(250)).unwrap().state, Load::Healthy);
}

#[test]
fn a_failed_reading_leaves_the_last_one_for_its_time() {
    let mut detector = detector();
    detector.evaluate(cpu(99.0), ms(0)).unwrap();
    for at in (250..10_000).step_by(250) {
        assert_eq!(detector.evaluate(NOTHING, ms(at)).unwrap().state, Load::Overloaded);
    }
    detector.evaluate(NOTHING, ms(10_000)).unwrap();
    assert_eq!(detector.evaluate(NOTHING, ms(10_250)).unwrap().state, Load::Healthy);
}

#[test]
fn a_standing_queue_is_seen_and_a_burst_is_not() {
    let wait = Duration::from_millis;
    let mut queue = QueueDelay::new(QueueConfig::default()).unwrap();
    for n in 0..100 {
        queue.record(wait(if n == 50 { 1 } else { 500 }), ms(n));
    }
    assert_eq!(queue.verdict(ms(99)).state, Load::Healthy);
    for (waited, state) in [
        (20, Load::Healthy),
        (21, Load::Busy),
        (40, Load::Busy),
        (41, Load::Stressed),
        (80, Load::Stressed),
        (81, Load::Overloaded),
    ] {
        let mut queue = QueueDelay::new(QueueConfig::default()).unwrap();
        (0..100).for_each(|n| queue.record(wait(waited), ms(n)));
        assert_eq!(queue.verdict(ms(99)).state, Load::Healthy, "a whole interval is needed");
        assert_eq!(queue.verdict(ms(100)).state, state, "{waited}");
        queue.record(wait(waited), ms(100));
        assert_eq!(queue.verdict(ms(150)).state, state, "{waited}");
        assert_eq!(queue.verdict(ms(1_099)).state, state, "{waited}");
        assert_eq!(queue.verdict(ms(1_100)).state, Load::Healthy, "a queue nobody heard of is empty");
        queue.record(Duration::ZERO, ms(151));
        assert_eq!(queue.verdict(ms(151)).state, Load::Healthy, "one that got through at once ends it");
    }
}

#[test]
fn a_standing_queue_is_no_worse_than_the_state_that_refuses_it() {
    for (priority, state) in [
        (Priority::Critical, Load::Overloaded),
        (Priority::High, Load::Overloaded),
        (Priority::Normal, Load::Stressed),
        (Priority::Low, Load::Busy),
    ] {
        let mut detector = detector();
        (0..=100).for_each(|n| detector.waited(priority, Duration::from_secs(1), ms(n)));
        let verdict = detector.evaluate(NOTHING, ms(100)).unwrap();
        assert_eq!((verdict.state, verdict.cause, verdict.measured), (state, Cause::QueueDelay, 1_000.0));
    }
}

#[test]
fn numbers_that_make_no_sense_are_refused_by_name() {
    let good = DetectorConfig::default();
    let field = |config: DetectorConfig| Detector::new(config).unwrap_err().field;
    assert_eq!(field(DetectorConfig { cpu: [70.0, 70.0, 95.0], ..good }), "cpu");
    assert_eq!(field(DetectorConfig { memory: [70.0, f64::NAN, 95.0], ..good }), "memory");
    assert_eq!(field(DetectorConfig { hysteresis: 0, ..good }), "hysteresis");
    assert_eq!(field(DetectorConfig { every: Duration::ZERO, ..good }), "every");
    let latency = |latency: LatencyConfig| DetectorConfig { latency, ..good };
    assert_eq!(field(latency(LatencyConfig { fast: f64::NAN, ..good.latency })), "fast");
    assert_eq!(field(latency(LatencyConfig { slow: 0.0, ..good.latency })), "slow");
    assert_eq!(field(latency(LatencyConfig { delta: [0.5, 0.2, 1.0], ..good.latency })), "delta");
    assert_eq!(field(latency(LatencyConfig { drift_busy: f64::INFINITY, ..good.latency })), "drift_busy");
    assert_eq!(field(latency(LatencyConfig { window: 0, ..good.latency })), "window");
    let pending = PendingConfig { bounds: [50, 50, 90].map(Ratio::percent), ..good.pending };
    assert_eq!(field(DetectorConfig { pending, ..good }), "pending bounds");
    let queue = QueueConfig { target: Duration::ZERO, ..good.queue };
    assert_eq!(field(DetectorConfig { queue, ..good }), "target");
}

/// One window: this many at once, each taking `latency_ms`.
fn window(limit: &mut AdaptiveLimit, at_once: u32, latency_ms: u64, from: i64) {
    for running in 0..at_once {
        limit.admits(running);
    }
    for n in 0..10 {
        limit.record(Duration::from_millis(latency_ms), ms(from), ms(from + 91 + n));
    }
}

#[test]
fn the_limit_follows_latency_between_floor_and_ceiling() {
    let config = LimitConfig { ceiling: 50, ..LimitConfig::default() };
    let mut limit = AdaptiveLimit::new(config, ms(0)).unwrap();
    assert_eq!((limit.phase(), limit.limit()), (Phase::Probing, 2));
    window(&mut limit, 2, 10, 0);
    assert_eq!(
        (limit.phase(), limit.limit(), limit.base()),
        (Phase::Following, 20, Some(Duration::from_millis(10)))
    );
    let mut at = 100;
    for _ in 0..20 {
        let running = limit.limit();
        window(&mut limit, running, 10, at);
        at += 100;
    }
    assert_eq!(limit.limit(), 50);
    for _ in 0..11 {
        window(&mut limit, 50, 100, at);
        at += 100;
    }
    assert_eq!(limit.limit(), 4);
    assert_eq!(limit.phase(), Phase::Following);
}

#[test]
fn a_limit_that_is_not_used_does_not_grow() {
    let mut limit = AdaptiveLimit::new(LimitConfig::default(), ms(0)).unwrap();
    window(&mut limit, 2, 10, 0);
    (1..50).for_each(|n| window(&mut limit, 9, 10, n * 100));
    assert_eq!(limit.limit(), 20);
    window(&mut limit, 10, 10, 5_000);
    assert_eq!(limit.limit(), 29);
}

#[test]
fn after_five_windows_at_the_floor_the_base_is_measured_again() {
    let mut limit = AdaptiveLimit::new(LimitConfig::default(), ms(0)).unwrap();
    window(&mut limit, 2, 1, 0);
    let mut at = 100;
    while limit.phase() == Phase::Following {
        window(&mut limit, 4, 100, at);
        at += 100;
        assert!(at < 3_000, "it never doubts its base");
    }
    // The service has become slower for good: the new base is not a sign of overload.
    limit.record(Duration::from_millis(900), ms(at - 1_000), ms(at + 50));
    window(&mut limit, 2, 100, at);
    assert_eq!(limit.base(), Some(Duration::from_millis(100)), "what began before is not counted");
    let before = limit.limit();
    window(&mut limit, 4, 100, at + 100);
    assert!(limit.limit() > before);
}

#[test]
fn the_base_is_measured_again_in_time_and_not_by_all_at_once() {
    let begins = |seed| {
        let mut limit = AdaptiveLimit::new(LimitConfig { seed, ..LimitConfig::default() }, ms(0)).unwrap();
        window(&mut limit, 2, 10, 0);
        let mut at = 100;
        while limit.phase() == Phase::Following {
            window(&mut limit, 10, 10, at);
            at += 100;
        }
        at
    };
    let all: std::collections::BTreeSet<i64> = (0..20).map(begins).collect();
    assert!(all.len() > 5 && all.iter().all(|at| (60_000..=66_300).contains(at)), "{all:?}");
    assert_eq!(begins(3), begins(3));
}
