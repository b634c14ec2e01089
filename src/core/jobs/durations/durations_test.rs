//! Recording and estimating, number by number.

use super::sketch::{Quantile, Sketch, UNIT, bucket_of, upper_edge};
use super::*;
use crate::kernel::driver::Driver;

type D = Driver<DurationsMachine>;

const S: u64 = 1_000_000;

fn finished(duration_s: u64, gap_s: u64) -> Record {
    Record { duration_us: duration_s * S, longest_gap_us: gap_s * S, ended: Ended::Finished }
}

fn stuck(duration_s: u64, gap_s: u64, silent_s: u64) -> Record {
    let ended = Ended::TimedOut { after: Limit::Stuck, silent_us: silent_s * S };
    Record { duration_us: duration_s * S, longest_gap_us: gap_s * S, ended }
}

fn told(records: impl IntoIterator<Item = Record>) -> D {
    let mut class = D::default();
    for record in records {
        assert!(class.step(Command::Record(record), Timestamp::EPOCH).reply.is_ok());
    }
    class
}

fn edge(value_s: u64) -> u64 {
    upper_edge(bucket_of(value_s * S))
}

/// Half of the jobs, twice as long, without bounds.
fn median() -> Settings {
    let limit = LimitSettings {
        quantile_ppm: 500_000,
        factor_permille: 2_000,
        follow_tail: false,
        floor_us: 0,
        ceiling_us: 10_000 * S,
    };
    Settings { overall: limit, stuck: limit, min_finished: 10, believed_dead_ppm: 100_000 }
}

#[test]
fn buckets_are_numbered_as_the_picture_says() {
    let picture = [
        (0, 0),
        (63, 63),
        (64, 64),
        (65, 64),
        (127, 95),
        (128, 96),
        (255, 127),
        (256, 128),
        (u64::MAX, 1_919),
    ];
    for (value, bucket) in picture {
        assert_eq!(bucket_of(value), bucket, "{value}");
    }
    assert_eq!([63, 64, 95, 128, 1_919, u16::MAX].map(upper_edge), [63, 65, 127, 263, u64::MAX, u64::MAX]);
}

#[test]
fn the_estimator_gives_the_worked_example_of_its_source() {
    // Kaplan and Meier 1958: deaths at 0.8, 3.1, 5.4 and 9.2 months, losses at 1.0, 2.7, 7.0 and 12.1. Survival
    // after the deaths: 7/8, 7/8 · 4/5 = 0.7, 0.7 · 3/4 = 0.525, 0.525 · 1/2 = 0.2625.
    let mut sketch = Sketch::default();
    [8, 31, 54, 92].into_iter().for_each(|tenths| sketch.finished.add(tenths));
    [10, 27, 70, 121].into_iter().for_each(|tenths| sketch.censored.add(tenths));
    let at = |survival_ppm: u32| sketch.quantile(1_000_000 - survival_ppm).unwrap();
    let reached = |value| Quantile { value: upper_edge(bucket_of(value)), reached: true };
    assert_eq!([875_000, 874_999].map(at), [reached(8), reached(31)]);
    assert_eq!([700_001, 699_999].map(at), [reached(31), reached(54)]);
    assert_eq!([525_001, 524_999].map(at), [reached(54), reached(92)]);
    assert_eq!(at(262_501), reached(92));
    assert_eq!(at(262_499), Quantile { value: upper_edge(bucket_of(121)), reached: false });
    assert_eq!(Sketch::default().quantile(500_000), None);
}

#[test]
fn an_estimate_carries_the_numbers_it_was_made_of() {
    let class = told((1..=9).map(|n| finished(10 * n, n)));
    assert_eq!(estimate(class.state(), &median()), None, "one too few");
    let class = told((1..=10).map(|n| finished(10 * n, n)).chain([stuck(400, 3, 200)]));
    let found = estimate(class.state(), &median()).unwrap();
    assert_eq!(found.evidence, Evidence { records: 11, finished: 10, censored: 1, doubtful: 1, doubt: 1 });
    // Eleven at risk, one of them known to have lived for 200 s: six end before half are left.
    let overall = Learned {
        quantile_ppm: 500_000,
        quantile_us: edge(60),
        reached: true,
        wider_us: None,
        factor_permille: 2_000,
        limit_us: 2 * edge(60),
    };
    assert_eq!(found.overall, overall);
    assert_eq!(found.stuck.quantile_us, edge(6));
    let bounds = |floor_us, ceiling_us| {
        let mut settings = median();
        (settings.overall.floor_us, settings.overall.ceiling_us) = (floor_us, ceiling_us);
        estimate(class.state(), &settings).unwrap().overall.limit_us
    };
    assert_eq!((bounds(500 * S, 600 * S), bounds(0, 90 * S)), (500 * S, 90 * S));
}

#[test]
fn a_tail_is_followed_by_the_step_that_a_tenth_as_many_take() {
    // Of a hundred jobs ten take more than 10 s, and one takes more than 40 s: the step is 4, up to the width of buckets.
    let class = told(
        (0..90).map(|_| finished(10, 1)).chain((0..9).map(|_| finished(40, 1))).chain([finished(41, 1)]),
    );
    let mut settings = median();
    (settings.overall.quantile_ppm, settings.overall.follow_tail) = (990_000, true);
    let found = estimate(class.state(), &settings).unwrap().overall;
    assert_eq!((found.quantile_us, found.wider_us), (edge(40), Some(edge(10))));
    assert_eq!(found.factor_permille, (edge(40) * 1_000).div_ceil(edge(10)));
    assert_eq!(found.limit_us, (edge(40) * found.factor_permille).div_ceil(1_000));
    settings.overall.factor_permille = 5_000;
    assert_eq!(estimate(class.state(), &settings).unwrap().overall.limit_us, 5 * edge(40));
    settings.overall.quantile_ppm = 899_999;
    assert!(settings.check().is_err());
    settings.overall.quantile_ppm = 900_000;
    assert_eq!(settings.check(), Ok(()));
    settings.overall.follow_tail = false;
    settings.overall.quantile_ppm = 499_999;
    assert!(settings.check().is_err());
}

#[test]
fn silence_at_the_end_counts_only_beyond_what_is_believed_dead() {
    let living = || (0..90).map(|_| finished(60, 2));
    let dead = |n| (0..n).map(|_| stuck(600, 1, 500));
    let limit = |records: Vec<Record>| {
        let mut settings = median();
        settings.stuck.quantile_ppm = 990_000;
        // Doubt is taken away again by the jobs that finish.
        let found = estimate(told(records).state(), &settings).unwrap();
        (found.stuck.quantile_us, found.stuck.reached)
    };
    assert_eq!(limit(dead(7).chain(living()).collect()), (edge(2), true));
    // Twenty of 110, of which eleven are believed: nine lived, more than the one in a hundred left.
    assert_eq!(limit(dead(20).chain(living()).collect()), (edge(500), false));
}

#[test]
fn after_eight_timeouts_in_silence_nothing_is_estimated_until_a_job_finishes() {
    let mut class = told((0..50).map(|_| finished(60, 2)));
    for doubt in 1..=8 {
        assert!(estimate(class.state(), &median()).is_some(), "{doubt}");
        let _ = class.step(Command::Record(stuck(10, 2, 8)), Timestamp::EPOCH);
        assert_eq!(class.state().doubt, doubt);
    }
    assert_eq!(estimate(class.state(), &median()), None);
    let cancelled = Record { ended: Ended::Cancelled { silent_us: 8 * S }, ..stuck(10, 2, 8) };
    let _ = class.step(Command::Record(cancelled), Timestamp::EPOCH);
    // Stopped in a silence that it had come out of before: no doubt.
    let _ = class.step(Command::Record(stuck(10, 5, 5)), Timestamp::EPOCH);
    assert_eq!((class.state().doubt, class.state().evidence().doubtful), (8, 9));
    let _ = class.step(Command::Record(finished(60, 2)), Timestamp::EPOCH);
    assert!(estimate(class.state(), &median()).is_some());
}

#[test]
fn a_stopped_job_counts_up_to_its_last_sign_of_life() {
    let class = told([stuck(100, 20, 70)]);
    let state = class.state();
    assert_eq!(state.durations.censored.iter().collect::<Vec<_>>(), [(bucket_of(30 * S), UNIT)]);
    assert_eq!(state.gaps.censored.iter().collect::<Vec<_>>(), [(bucket_of(20 * S), UNIT)]);
    assert_eq!(state.doubtful_durations.iter().collect::<Vec<_>>(), [(bucket_of(100 * S), UNIT)]);
    assert_eq!(state.doubtful_gaps.iter().collect::<Vec<_>>(), [(bucket_of(70 * S), UNIT)]);
    assert_eq!((state.durations.finished.weight(), state.records), (0, 1));
}

#[test]
fn a_tick_changes_nothing_and_a_record_is_answered_with_the_count() {
    let mut class = told([finished(1, 1)]);
    let step = class.step(Command::Tick, Timestamp::EPOCH);
    assert_eq!((step.reply, step.events.len()), (Ok(Reply { records: 1 }), 0));
    let at = Timestamp::from_millis(5);
    let step = class.step(Command::Record(finished(2, 1)), at);
    assert_eq!(step.reply, Ok(Reply { records: 2 }));
    assert_eq!(step.events, [Event::Recorded { record: finished(2, 1), at }]);
    assert_eq!([step.events[0].name(), Event::Aged { at }.name()], ["recorded", "aged"]);
    assert_eq!(class.state().last_at, Some(at));
}

#[test]
fn all_weights_halve_with_the_record_that_fills_the_memory_and_not_before() {
    let mut class = told((1..MEMORY - 1).map(|_| finished(10, 1)));
    let mut names = || -> Vec<&str> {
        let step = class.step(Command::Record(finished(10, 1)), Timestamp::EPOCH);
        step.events.iter().map(Event::name).collect()
    };
    assert_eq!(names(), ["recorded"]);
    assert_eq!(names(), ["recorded", "aged"]);
    // Half of it is left, so it takes half as many to fill it again.
    let next = (1..).find(|_| names().len() == 2);
    assert_eq!(next, Some(MEMORY / 2));
}

#[test]
fn settings_out_of_bounds_are_refused_and_named() {
    assert_eq!(Settings::default().check(), Ok(()));
    let refused = |change: fn(&mut Settings)| {
        let mut settings = Settings::default();
        change(&mut settings);
        settings.check().map_err(|e| e.to_string())
    };
    type Change = fn(&mut Settings);
    let texts: [(Change, &str); 10] = [
        (
            |s| s.overall.quantile_ppm = 499_999,
            "overall.quantile_ppm is out of bounds, expected 900000 to 999999. given=499999",
        ),
        (
            |s| s.stuck.quantile_ppm = 1_000_000,
            "stuck.quantile_ppm is out of bounds, expected 900000 to 999999. given=1000000",
        ),
        (
            |s| s.overall.factor_permille = 999,
            "overall.factor_permille is out of bounds, expected 1000 to 100000. given=999",
        ),
        (
            |s| s.stuck.factor_permille = 100_001,
            "stuck.factor_permille is out of bounds, expected 1000 to 100000. given=100001",
        ),
        (
            |s| s.overall.ceiling_us = 999,
            "overall.ceiling_us is out of bounds, expected 1000 to 315360000000000. given=999",
        ),
        (
            |s| s.stuck.ceiling_us = u64::MAX,
            "stuck.ceiling_us is out of bounds, expected 1000 to 315360000000000. given=18446744073709551615",
        ),
        (
            |s| s.stuck.floor_us = 86_400_000_001,
            "stuck.floor_us is out of bounds, expected 0 to 86400000000. given=86400000001",
        ),
        (|s| s.min_finished = 9, "min_finished is out of bounds, expected 10 to 2048. given=9"),
        (|s| s.min_finished = 2_049, "min_finished is out of bounds, expected 10 to 2048. given=2049"),
        (
            |s| s.believed_dead_ppm = 500_001,
            "believed_dead_ppm is out of bounds, expected 0 to 500000. given=500001",
        ),
    ];
    for (change, text) in texts {
        assert_eq!(refused(change), Err(text.to_owned()));
    }
}
