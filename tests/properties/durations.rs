//! The sketch beside a sorted list and the product of Kaplan and Meier written down, and the laws of the class's machine.

use proptest::prelude::*;
use quorate_core::jobs::durations::sketch::{Buckets, Quantile, Sketch, bucket_of, upper_edge};
use quorate_core::jobs::durations::{
    Command, Durations, DurationsMachine, Ended, Event, Limit, MEMORY, Record, Rejection, Settings, estimate,
};
use quorate_core::kernel::driver::Driver;
use quorate_core::kernel::time::Timestamp;
use quorate_journal::codec::{decode, encode};

/// Values of every size.
fn value() -> impl Strategy<Value = u64> {
    (0..64_u32, any::<u64>()).prop_map(|(shift, value)| value >> shift)
}

/// Values, and whether each is known exactly.
fn values() -> impl Strategy<Value = Vec<(u64, bool)>> {
    prop::collection::vec((value(), prop::bool::weighted(0.7)), 1..80)
}

fn sketch(values: &[(u64, bool)]) -> Sketch {
    let mut out = Sketch::default();
    for (value, exact) in values {
        if *exact { out.finished.add(*value) } else { out.censored.add(*value) }
    }
    out
}

/// The quantile from the list, in floating point: the first value at which survival is down to the rest. `slack` moves the
/// rest to either side, for what rounding may do.
fn naive(values: &[(u64, bool)], ppm: u32, slack: f64) -> Quantile {
    let rounded = |value: u64| upper_edge(bucket_of(value));
    let mut list: Vec<(u64, bool)> = values.iter().map(|(value, exact)| (rounded(*value), !exact)).collect();
    list.sort_unstable();
    let mut survival = 1.0;
    for (n, (value, censored)) in list.iter().enumerate() {
        if !censored {
            let at_risk = (list.len() - n) as f64;
            survival *= (at_risk - 1.0) / at_risk;
            let last_here = list.get(n + 1).is_none_or(|next| next != &(*value, false));
            if last_here && survival <= f64::from(1_000_000 - ppm) / 1e6 + slack {
                return Quantile { value: *value, reached: true };
            }
        }
    }
    Quantile { value: list[list.len() - 1].0, reached: false }
}

proptest! {
    #[test]
    fn a_bucket_is_at_most_a_thirtysecond_wide_and_holds_its_values(value in value()) {
        let edge = upper_edge(bucket_of(value));
        prop_assert!(edge >= value && edge - value <= value / 32, "{} in {}", value, edge);
        prop_assert_eq!(bucket_of(edge), bucket_of(value));
        prop_assert!(edge == u64::MAX || bucket_of(edge + 1) == bucket_of(value) + 1);
        prop_assert!(bucket_of(value) < 1_920);
    }

    #[test]
    fn without_stopped_jobs_the_sketch_is_the_sorted_list_rounded_up(
        list in prop::collection::vec(value(), 1..80), ppm in 0..1_000_000_u32,
    ) {
        let exact: Vec<_> = list.iter().map(|value| (*value, true)).collect();
        let mut sorted = list.clone();
        sorted.sort_unstable();
        // The smallest value that at most the rest exceed.
        let beyond = (u64::from(1_000_000 - ppm) * list.len() as u64 / 1_000_000) as usize;
        let nth = sorted[(list.len() - 1).saturating_sub(beyond)];
        let found = sketch(&exact).quantile(ppm).unwrap();
        prop_assert_eq!(found, Quantile { value: upper_edge(bucket_of(nth)), reached: true });
        prop_assert!(found.value >= nth && found.value - nth <= nth / 32);
    }

    #[test]
    fn the_sketch_and_the_product_of_kaplan_and_meier_agree(list in values(), ppm in 0..1_000_000_u32) {
        let found = sketch(&list).quantile(ppm).unwrap();
        let candidates = [naive(&list, ppm, 1e-9), naive(&list, ppm, -1e-9)];
        prop_assert!(candidates.contains(&found), "{:?} is none of {:?}", found, candidates);
    }

    #[test]
    fn a_job_that_was_stopped_never_shortens_what_is_learned_below_where_it_was_stopped(
        list in values(), stopped in value(), ppm in 0..1_000_000_u32,
    ) {
        let before = sketch(&list).quantile(ppm).unwrap();
        let mut after = sketch(&list);
        after.censored.add(stopped);
        let found = after.quantile(ppm).unwrap();
        prop_assert!(found.value >= before.value, "{:?} then {:?}", before, found);
    }

    #[test]
    fn quantiles_grow_with_what_is_asked(list in values(), a in 0..1_000_000_u32, b in 0..1_000_000_u32) {
        let sketch = sketch(&list);
        let (low, high) = (sketch.quantile(a.min(b)).unwrap(), sketch.quantile(a.max(b)).unwrap());
        prop_assert!(low.value <= high.value && low.reached >= high.reached);
    }

    #[test]
    fn merging_is_recording_and_its_order_does_not_matter(a in values(), b in values(), c in values()) {
        let merged = |parts: &[&Vec<(u64, bool)>]| {
            let mut out = Sketch::default();
            parts.iter().for_each(|part| out.merge(&sketch(part)));
            out
        };
        let all: Vec<_> = a.iter().chain(&b).chain(&c).copied().collect();
        prop_assert_eq!(merged(&[&a, &b, &c]), sketch(&all));
        prop_assert_eq!(merged(&[&c, &a, &b]), sketch(&all));
    }

    #[test]
    fn ageing_changes_no_quantile_and_ends_with_nothing(list in values(), ppm in 0..1_000_000_u32) {
        let mut sketch = sketch(&list);
        let before = sketch.quantile(ppm);
        for _ in 0..16 {
            sketch.halve();
            prop_assert_eq!(sketch.quantile(ppm), before);
        }
        // A bucket of many lasts longer, but not for ever.
        for _ in 0..8 {
            sketch.halve();
        }
        prop_assert_eq!(sketch, Sketch::default());
    }
}

fn ended() -> impl Strategy<Value = Ended> {
    let limit = prop_oneof![Just(Limit::Overall), Just(Limit::Stuck)];
    prop_oneof![
        4 => Just(Ended::Finished),
        2 => (limit, value()).prop_map(|(after, silent_us)| Ended::TimedOut { after, silent_us }),
        1 => value().prop_map(|silent_us| Ended::Cancelled { silent_us }),
    ]
}

/// Mostly records whose numbers fit together.
fn record() -> impl Strategy<Value = Record> {
    (value(), 0..=40_u64, 0..=40_u64, ended(), prop::bool::weighted(0.9)).prop_map(
        |(duration_us, gap, silent, ended, fits)| {
            let duration_us = if fits { duration_us >> 20 } else { duration_us };
            let part = |share: u64| duration_us / 80 * share;
            let ended = match ended {
                Ended::TimedOut { after, .. } if fits => Ended::TimedOut { after, silent_us: part(silent) },
                Ended::Cancelled { .. } if fits => Ended::Cancelled { silent_us: part(silent) },
                other => other,
            };
            Record { duration_us, longest_gap_us: part(gap), ended }
        },
    )
}

fn told(records: &[Record]) -> (Driver<DurationsMachine>, Vec<Event>) {
    let mut class = Driver::default();
    let mut events = Vec::new();
    for (n, record) in records.iter().enumerate() {
        let step = class.step(Command::Record(*record), Timestamp::from_millis(n as i64));
        let fits = record.check().is_ok();
        assert_eq!((step.reply.is_ok(), step.events.is_empty()), (fits, !fits));
        events.extend(step.events);
    }
    (class, events)
}

proptest! {
    #[test]
    fn replay_of_stored_bytes_gives_the_live_class(records in prop::collection::vec(record(), 0..60)) {
        let (live, events) = told(&records);
        let mut again = Driver::<DurationsMachine>::default();
        for event in &events {
            again.replay(&decode(&encode(event).unwrap()).unwrap());
        }
        prop_assert_eq!(again.state(), live.state());
        let snapshot: Durations = decode(&encode(live.state()).unwrap()).unwrap();
        prop_assert_eq!(&snapshot, live.state());
        prop_assert_eq!(live.due(), None);
    }

    #[test]
    fn no_record_and_no_setting_makes_an_estimate_panic(
        records in prop::collection::vec(record(), 0..60),
        numbers in prop::array::uniform4(any::<u32>()), bounds in prop::array::uniform2(any::<u64>()),
    ) {
        let (live, _) = told(&records);
        let mut settings = Settings { min_finished: numbers[0] % 20, believed_dead_ppm: numbers[1], ..Settings::default() };
        (settings.stuck.quantile_ppm, settings.stuck.factor_permille) = (numbers[2], numbers[3]);
        [settings.stuck.floor_us, settings.stuck.ceiling_us] = bounds;
        if let Some(found) = estimate(live.state(), &settings) {
            prop_assert!(found.stuck.limit_us <= bounds[1]);
            prop_assert!(found.evidence.finished >= u64::from(settings.min_finished));
        }
    }

    #[test]
    fn limits_grow_with_quantile_factor_and_slower_jobs(
        records in prop::collection::vec(record(), 20..60), ppm in 500_000..999_999_u32, factor in 1_000..9_000_u32,
    ) {
        let (live, _) = told(&records);
        let mut settings = Settings { min_finished: 0, ..Settings::default() };
        settings.overall.floor_us = 0;
        (settings.overall.quantile_ppm, settings.overall.factor_permille) = (ppm, factor);
        let Some(before) = estimate(live.state(), &settings) else { return Ok(()) };
        for change in [
            |s: &mut Settings| s.overall.quantile_ppm += 1,
            |s: &mut Settings| s.overall.factor_permille += 1,
            |s: &mut Settings| s.overall.floor_us += 1_000,
        ] {
            let mut more = settings;
            change(&mut more);
            let after = estimate(live.state(), &more).unwrap();
            prop_assert!(after.overall.limit_us >= before.overall.limit_us);
        }
        let slow = Record { duration_us: 1 << 45, longest_gap_us: 1, ended: Ended::Finished };
        let (slower, _) = told(&records.iter().copied().chain([slow]).collect::<Vec<_>>());
        let after = estimate(slower.state(), &settings).unwrap();
        prop_assert!(after.overall.limit_us >= before.overall.limit_us);
    }

    #[test]
    fn two_datacenters_merged_know_what_one_would(
        a in prop::collection::vec(record(), 0..40), b in prop::collection::vec(record(), 0..40),
    ) {
        let merged = |first: &[Record], second: &[Record]| {
            let mut out = told(first).0.state().clone();
            out.merge(told(second).0.state());
            out
        };
        let both: Vec<_> = a.iter().chain(&b).copied().collect();
        let one = told(&both).0.state().clone();
        prop_assert_eq!(merged(&a, &b), merged(&b, &a));
        let merged = merged(&a, &b);
        prop_assert_eq!((&merged.durations, &merged.gaps), (&one.durations, &one.gaps));
        prop_assert_eq!((&merged.doubtful_gaps, merged.records), (&one.doubtful_gaps, one.records));
    }
}

#[test]
fn memory_is_bounded_and_halves_when_it_is_full() {
    let mut class = Driver::<DurationsMachine>::default();
    let record = Record { duration_us: 7, longest_gap_us: 3, ended: Ended::Finished };
    for n in 1..=3 * MEMORY {
        let step = class.step(Command::Record(record), Timestamp::EPOCH);
        let ages = n >= MEMORY && (n - MEMORY).is_multiple_of(MEMORY / 2);
        assert_eq!(step.events.len(), 1 + usize::from(ages), "{n}");
        assert!(class.state().evidence().finished < MEMORY);
    }
    assert_eq!((class.state().records, class.state().halvings), (3 * MEMORY, 5));
}

#[test]
fn numbers_that_do_not_fit_together_are_refused_and_named() {
    let refused = |record: Record| match record.check() {
        Err(Rejection::Invalid { field, given, expected }) => (field, given, expected),
        Ok(()) => panic!("{record:?} is taken"),
    };
    let ok = Record { duration_us: 10, longest_gap_us: 6, ended: Ended::Cancelled { silent_us: 4 } };
    assert_eq!(ok.check(), Ok(()));
    assert_eq!(refused(Record { longest_gap_us: 7, ..ok }), ("longest_gap_us", 7, "0 to 6".into()));
    let silent = Ended::TimedOut { after: Limit::Stuck, silent_us: 11 };
    assert_eq!(refused(Record { ended: silent, ..ok }), ("silent_us", 11, "0 to 10".into()));
    assert_eq!(refused(Record { duration_us: u64::MAX, ..ok }).0, "duration_us");
    assert_eq!(Buckets::default().weight(), 0);
}
