use super::super::checkpoint::{Checkpoint, Imported, NotImported};
use super::*;
use crate::kernel::rng::Rng;

fn ms(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn buffer() -> StatsBuffer {
    StatsBuffer::new(StatsConfig::default(), 1).unwrap()
}

fn fill(buffer: &mut StatsBuffer, count: usize, at: Timestamp) {
    assert_eq!(buffer.record_batch(&vec![1.0; count], at), count);
}

/// What is in the tiers, counted one by one.
fn inside(buffer: &StatsBuffer) -> u64 {
    buffer
        .hot()
        .chain(buffer.warm())
        .chain(buffer.cold())
        .chain(&buffer.archive())
        .map(|entry| entry.count)
        .sum()
}

#[test]
fn levels_come_at_their_exact_counts() {
    let mut buffer = buffer();
    for (count, level) in [
        (699, Level::None),
        (1, Level::Throttle),
        (149, Level::Throttle),
        (1, Level::Batch),
        (99, Level::Batch),
        (1, Level::Reject),
    ] {
        fill(&mut buffer, count, ms(0));
        assert_eq!(buffer.level(ms(0)), level, "{}", buffer.hot.len());
    }
    let refused = buffer.record(Sample::of(1.0, ms(0)), ms(0)).unwrap_err();
    assert_eq!(refused, NotRecorded::Rejecting { hot: 950, max: 1_000 });
}

#[test]
fn a_full_buffer_without_traffic_comes_back_at_sixty_seconds() {
    let mut buffer = buffer();
    fill(&mut buffer, 950, ms(0));
    assert_eq!(buffer.level(ms(59_999)), Level::Reject);
    assert_eq!(buffer.level(ms(60_000)), Level::None);
    assert_eq!((buffer.hot().count(), buffer.warm().count(), inside(&buffer)), (0, 1, 950));
}

#[test]
fn a_refused_record_moves_on_what_has_aged_first() {
    let mut buffer = buffer();
    fill(&mut buffer, 950, ms(0));
    assert!(buffer.record(Sample::of(1.0, ms(59_999)), ms(59_999)).is_err());
    assert!(buffer.record(Sample::of(1.0, ms(60_000)), ms(60_000)).is_ok());
}

#[test]
fn at_reject_what_is_critical_is_taken_up_to_the_last_place_and_beyond() {
    let mut buffer = buffer();
    fill(&mut buffer, 950, ms(0));
    for n in 0..200 {
        let sample = Sample { critical: true, ..Sample::of(2.0, ms(n)) };
        assert!(buffer.record(sample, ms(n)).is_ok());
        assert!(buffer.hot().count() <= 1_000);
    }
    let metrics = buffer.metrics(ms(200));
    assert_eq!((metrics.hot, metrics.totals.folded_early, metrics.fill), (1_000, 150, 1.0));
    assert_eq!((inside(&buffer), metrics.totals.recorded), (1_150, 1_150));
}

#[test]
fn buckets_are_aligned_and_a_late_sample_finds_its_own() {
    let mut buffer = buffer();
    for at in [9_999, 10_000, 19_999, 20_000] {
        buffer.record(Sample::of(1.0, ms(at)), ms(at)).unwrap();
    }
    // An hour of silence does not make one bucket of all.
    buffer.advance(ms(100_000));
    let counts: Vec<_> = buffer.warm().map(|entry| (entry.at, entry.count)).collect();
    assert_eq!(counts, [(ms(9_999), 1), (ms(19_999), 2), (ms(20_000), 1)]);
    buffer.record(Sample::of(1.0, ms(12_000)), ms(100_000)).unwrap();
    assert_eq!(buffer.warm().map(|entry| entry.count).collect::<Vec<_>>(), [1, 3, 1]);
    assert_eq!(buffer.hot().count(), 0);
}

#[test]
fn an_early_head_does_not_keep_others_from_moving_on() {
    let mut buffer = buffer();
    buffer.record(Sample::of(1.0, ms(50_000)), ms(50_000)).unwrap();
    buffer.record(Sample::of(1.0, ms(1_000)), ms(50_000)).unwrap();
    buffer.advance(ms(61_000));
    assert_eq!(buffer.hot().map(|entry| entry.at).collect::<Vec<_>>(), [ms(50_000)]);
}

#[test]
fn warm_is_an_hour_cold_a_day_and_the_rest_is_archived() {
    let mut buffer = buffer();
    buffer.record(Sample::of(0.0, ms(0)), ms(0)).unwrap();
    let tiers =
        |b: &StatsBuffer| (b.hot().count(), b.warm().count(), b.cold().count(), b.archive().is_some());
    // The bucket ends at 10 s, and in the next tier at 60 s.
    for (at, expected) in [
        (59_999, (1, 0, 0, false)),
        (60_000, (0, 1, 0, false)),
        (3_609_999, (0, 1, 0, false)),
        (3_610_000, (0, 0, 1, false)),
        (86_459_999, (0, 0, 1, false)),
        (86_460_000, (0, 0, 0, true)),
    ] {
        buffer.advance(ms(at));
        assert_eq!(tiers(&buffer), expected, "{at}");
    }
    let archive = buffer.archive().unwrap();
    assert_eq!((archive.count, archive.min, archive.max, archive.value()), (1, 0.0, 0.0, 0.0));
}

#[test]
fn a_day_of_samples_stays_within_every_bound_and_loses_none() {
    let mut buffer = buffer();
    for second in 0..(26 * 3_600) {
        let at = ms(second * 1_000 + second % 7);
        buffer.record(Sample::of(1.0, at), at).unwrap();
        if second % 500 == 0 {
            let metrics = buffer.metrics(at);
            assert!(metrics.hot <= 61 && metrics.warm <= 360 && metrics.cold <= 1_440, "{metrics:?}");
        }
    }
    assert_eq!(inside(&buffer), 26 * 3_600);
    assert!(buffer.archive().is_some_and(|archive| archive.count > 3_000));
}

#[test]
fn zero_is_a_value_in_every_tier() {
    let mut buffer = buffer();
    for value in [5.0, 0.0, 7.0] {
        buffer.record(Sample::of(value, ms(0)), ms(0)).unwrap();
    }
    for at in [0, 60_000, 4_000_000, 90_000_000] {
        buffer.advance(ms(at));
        let all = buffer.hot().chain(buffer.warm()).chain(buffer.cold()).chain(&buffer.archive).copied();
        let all = Entry::of(all).unwrap();
        assert_eq!((all.min, all.max, all.sum, all.count), (0.0, 7.0, 12.0, 3), "{at}");
    }
    assert_eq!(Entry::of([]).unwrap_err().field, "entries");
}

#[test]
fn what_is_not_a_number_is_refused_and_counted() {
    let mut buffer = buffer();
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1.1e15] {
        let Err(NotRecorded::Invalid(invalid)) = buffer.record(Sample::of(value, ms(0)), ms(0)) else {
            panic!("{value} was taken");
        };
        assert_eq!(invalid.field, "value");
    }
    let lies = Entry { at: ms(0), count: 2, min: 1.0, max: 2.0, sum: 1e9 };
    let batch = Sample { entry: lies, ..Sample::of(0.0, ms(0)) };
    assert!(buffer.record(batch, ms(0)).is_err());
    assert_eq!((buffer.summary(), buffer.metrics(ms(0)).totals.invalid), (None, 5));
}

#[test]
fn a_sample_from_the_future_counts_as_of_now() {
    let mut buffer = buffer();
    buffer.record(Sample::of(1.0, ms(1_000_000_000)), ms(5)).unwrap();
    assert_eq!(buffer.hot().next().unwrap().at, ms(5));
    assert_eq!(buffer.level(ms(60_005)), Level::None);
    assert_eq!(buffer.hot().count(), 0);
}

#[test]
fn a_batch_takes_one_place_and_raw_values_take_theirs() {
    let mut buffer = buffer();
    let entry = Entry { at: ms(0), count: 500, min: 0.0, max: 2.0, sum: 400.0 };
    buffer.record(Sample { entry, ..Sample::of(0.0, ms(0)) }, ms(0)).unwrap();
    assert_eq!(buffer.record_batch(&[1.0, f64::NAN, 2.0], ms(0)), 2);
    assert_eq!((buffer.hot().count(), inside(&buffer)), (3, 502));
    assert_eq!(buffer.summary().unwrap().sum, 403.0);
}

#[test]
fn the_recent_average_looks_at_its_window_only() {
    let mut buffer = buffer();
    assert_eq!(buffer.recent_average(Duration::from_secs(60), ms(0)), None);
    buffer.record(Sample::of(10.0, ms(0)), ms(0)).unwrap();
    buffer.record(Sample::of(20.0, ms(30_000)), ms(30_000)).unwrap();
    assert_eq!(buffer.recent_average(Duration::from_millis(30_000), ms(30_000)), Some(20.0));
    assert_eq!(buffer.recent_average(Duration::from_millis(30_001), ms(30_000)), Some(15.0));
}

#[test]
fn a_producer_over_its_quota_is_counted_and_takes_nobodys_place() {
    let config = StatsConfig { quota: Some(Ratio::percent(10)), ..StatsConfig::default() };
    let mut buffer = StatsBuffer::new(config, 1).unwrap();
    let of = |producer| Sample { producer: Some(producer), ..Sample::of(1.0, ms(0)) };
    (0..5_000).for_each(|_| buffer.record(of(7), ms(0)).unwrap());
    buffer.record(of(8), ms(0)).unwrap();
    assert_eq!((buffer.hot().count(), inside(&buffer)), (101, 5_001));
    assert_eq!(buffer.level_for(7, ms(0)), Level::Batch);
    assert_eq!(buffer.level_for(8, ms(0)), Level::None);
    assert_eq!(buffer.level_for(7, ms(60_000)), Level::None);
}

#[test]
fn credits_share_the_room_before_reject_and_leave_everyone_one() {
    let mut buffer = buffer();
    assert_eq!(buffer.credits(10, ms(0)), 95);
    fill(&mut buffer, 949, ms(0));
    assert_eq!((buffer.credits(1, ms(0)), buffer.credits(10, ms(0))), (1, 1));
    assert_eq!(buffer.credits(0, ms(60_000)), 950);
}

#[test]
fn importing_twice_is_importing_once_also_after_folding() {
    let mut old = buffer();
    fill(&mut old, 100, ms(0));
    let checkpoint = old.export(ms(1_000));
    let mut new = StatsBuffer::restore(StatsConfig::default(), 2, &checkpoint, ms(2_000)).unwrap();
    fill(&mut new, 10, ms(2_000));
    for at in [2_000, 61_000, 5_000_000, 100_000_000] {
        assert_eq!(new.import(&checkpoint, ms(at)), Ok(Imported::Inside));
        new.advance(ms(at));
        assert_eq!((inside(&new), new.summary().unwrap().count), (110, 110));
    }
    assert_eq!(old.import(&new.export(ms(0)), ms(0)), Ok(Imported::Replaced));
    assert_eq!(inside(&old), 110);
    fill(&mut old, 1, ms(0));
    fill(&mut new, 1, ms(0));
    let overlap = NotImported::Overlap { origin: 1, here: 101, there: 100 };
    assert_eq!(old.import(&new.export(ms(0)), ms(0)), Err(overlap));
    assert_eq!(inside(&old), 111);
}

#[test]
fn after_a_restart_the_level_is_that_of_what_is_still_young() {
    let mut old = buffer();
    fill(&mut old, 950, ms(0));
    let checkpoint = old.export(ms(0));
    let level = |at| {
        let mut new = StatsBuffer::restore(StatsConfig::default(), 2, &checkpoint, ms(at)).unwrap();
        assert_eq!(inside(&new), 950);
        new.level(ms(at))
    };
    assert_eq!((level(59_999), level(60_000)), (Level::Reject, Level::None));
    assert!(StatsBuffer::restore(StatsConfig::default(), 1, &checkpoint, ms(0)).is_err());
}

#[test]
fn a_broken_checkpoint_changes_nothing() {
    let mut buffer = buffer();
    fill(&mut buffer, 3, ms(0));
    let before = buffer.clone();
    let entry = Entry { min: f64::NAN, ..Entry::one(1.0, ms(0)) };
    let broken = Checkpoint { seen: [(9, 1)].into(), warm: vec![entry], ..Checkpoint::default() };
    assert!(matches!(buffer.import(&broken, ms(0)), Err(NotImported::Invalid(_))));
    assert_eq!(buffer, before);
}

#[test]
fn clear_forgets_samples_and_counts() {
    let mut buffer = buffer();
    fill(&mut buffer, 950, ms(0));
    let checkpoint = buffer.export(ms(0));
    buffer.clear();
    assert_eq!((buffer.level(ms(0)), buffer.summary(), inside(&buffer)), (Level::None, None, 0));
    assert_eq!(buffer.import(&checkpoint, ms(0)), Ok(Imported::Inside));
    assert_eq!(buffer.metrics(ms(0)).totals, Totals::default());
}

#[test]
fn knobs_that_make_no_sense_are_refused_by_name() {
    let good = StatsConfig::default();
    let field = |config: StatsConfig| StatsBuffer::new(config, 1).unwrap_err().field;
    assert_eq!(field(StatsConfig { hot_max: 0, ..good }), "hot_max");
    assert_eq!(field(StatsConfig { warm: TierConfig { max: 0, ..good.warm }, ..good }), "warm");
    let bucket = Duration::from_secs(61);
    assert_eq!(field(StatsConfig { cold: TierConfig { bucket, ..good.cold }, ..good }), "cold bucket");
    assert_eq!(field(StatsConfig { hot_age: Duration::ZERO, ..good }), "age");
    assert_eq!(field(StatsConfig { quota: Some(Ratio::ZERO), ..good }), "quota");
}

/// The twin keeps every sample for ever in a list and only counts.
#[test]
fn counts_are_conserved_under_random_records_time_jumps_and_restarts() {
    for seed in 0..60 {
        let mut rng = Rng::new(seed);
        let mut below = |bound: u64| rng.next_u64() % bound;
        let mut config = StatsConfig { hot_max: 20, ..StatsConfig::default() };
        config.warm.max = 5;
        config.cold.max = 4;
        if seed % 2 == 0 {
            config.quota = Some(Ratio::percent(30));
            config.levels.hysteresis = Ratio::percent(5);
        }
        let mut origin = 1;
        let mut buffer = StatsBuffer::new(config, origin).unwrap();
        let mut twin: Vec<f64> = Vec::new();
        let mut now: i64 = 1_000_000;
        let mut saved: Option<Checkpoint> = None;
        for _ in 0..600 {
            match below(20) {
                0 => now += below(7_200_000) as i64,
                1 => now -= below(30_000) as i64,
                2..=4 => now += below(15_000) as i64,
                5 => saved = Some(buffer.export(ms(now))),
                6 => {
                    if let Some(saved) = &saved {
                        assert_eq!(buffer.import(saved, ms(now)), Ok(Imported::Inside));
                    }
                }
                7 => {
                    // A restart: what is in the checkpoint is all there is.
                    origin += 1;
                    let checkpoint = buffer.export(ms(now));
                    buffer = StatsBuffer::restore(config, origin, &checkpoint, ms(now)).unwrap();
                }
                _ => {
                    let at = now - 5_000 + below(100_000) as i64 - below(200_000) as i64;
                    let value = below(1_000) as f64 - 500.0;
                    let (critical, producer) = (below(3) == 0, Some(below(3)));
                    let sample = Sample { critical, producer, ..Sample::of(value, ms(at)) };
                    let rejecting = buffer.level(ms(now)) == Level::Reject;
                    let taken = buffer.record(sample, ms(now)).is_ok();
                    assert!(
                        taken || (rejecting && !critical),
                        "seed {seed}: only what is not critical is refused"
                    );
                    twin.extend(taken.then_some(value));
                }
            }
            assert_eq!(inside(&buffer), twin.len() as u64, "seed {seed}");
            let metrics = buffer.metrics(ms(now));
            assert!(metrics.hot <= 20 && metrics.warm <= 5 && metrics.cold <= 4, "seed {seed}");
            assert_eq!(metrics.totals.recorded, twin.len() as u64);
            if let Some(all) = buffer.summary() {
                // Whole numbers: their sums are exact in whatever order.
                assert_eq!(all.sum, twin.iter().sum::<f64>(), "seed {seed}");
                assert_eq!(all.min, twin.iter().copied().fold(f64::INFINITY, f64::min));
                assert_eq!(all.max, twin.iter().copied().fold(f64::NEG_INFINITY, f64::max));
            }
            let held: u64 = buffer.held.values().sum();
            assert_eq!(held as usize, buffer.hot.values().filter(|(_, producer)| producer.is_some()).count());
        }
    }
}
