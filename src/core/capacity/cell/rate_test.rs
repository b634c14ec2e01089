use super::*;

fn at(us: i64) -> Timestamp {
    Timestamp::from_micros(us)
}

fn rate(amount: u64, period_us: u64, burst: u64) -> Rate {
    Rate { amount, period_us, burst, debt: 0, weights: Units::new() }
}

fn unit(name: &str) -> Resource {
    Resource::new(name).unwrap()
}

#[test]
fn a_bucket_that_is_looked_at_often_refills_as_one_that_is_looked_at_once() {
    let slow = rate(7, 60_000_000, 1_000);
    let empty = Bucket { level: 0, rest: 0, at: at(0) };
    let hour = 3_600_000_000;
    let once = empty.refilled(&slow, at(hour));
    let mut often = empty;
    for us in (0..=hour).step_by(999_983).chain([hour]) {
        often = often.refilled(&slow, at(us));
    }
    assert_eq!((once, once.level), (often, 420));
}

#[test]
fn a_clock_that_is_set_back_gives_nothing_and_takes_nothing() {
    let minute = rate(60, 60_000_000, 60);
    let half = Bucket { level: 30, rest: 5, at: at(10_000_000) };
    assert_eq!(half.refilled(&minute, at(0)), half);
    assert_eq!(half.refilled(&minute, at(0)).refilled(&minute, at(11_000_000)).level, 31);
    let until = Err(Short::For(11_000_000));
    assert_eq!(
        Bucket { rest: 0, ..half }.holds(&minute, 31, at(0)),
        until,
        "ten seconds back and one to gather"
    );
}

#[test]
fn what_is_said_to_suffice_does_and_a_microsecond_less_does_not() {
    let odd = rate(7, 60_000_000, 1_000);
    let bucket = Bucket { level: 3, rest: 59_999_999, at: at(0) };
    let Err(Short::For(us)) = bucket.holds(&odd, 20, at(0)) else { panic!("it has enough") };
    let us = us as i64;
    assert_eq!(bucket.refilled(&odd, at(us)).holds(&odd, 20, at(us)), Ok(()));
    assert!(bucket.refilled(&odd, at(us - 1)).holds(&odd, 20, at(us - 1)).is_err());
}

#[test]
fn more_than_a_bucket_can_hold_is_never_there() {
    let minute = rate(60, 60_000_000, 10);
    let full = Bucket::full(&minute, at(0));
    assert_eq!(full.holds(&minute, 10, at(0)), Ok(()));
    assert_eq!(full.holds(&minute, 11, at(0)), Err(Short::Never));
    assert_eq!(full.refilled(&minute, Timestamp::MAX).level, 10, "a full bucket gathers nothing");
}

#[test]
fn what_was_used_beyond_the_estimate_is_owed_as_far_as_the_rate_lets_it() {
    let owing = Rate { debt: 5, ..rate(60, 60_000_000, 10) };
    let bucket = Bucket { level: 2, rest: 0, at: at(0) };
    assert_eq!(bucket.owing(&owing, 4), (Bucket { level: -2, ..bucket }, 0));
    assert_eq!(bucket.owing(&owing, 9), (Bucket { level: -5, ..bucket }, 2));
    let less = Rate { debt: 0, ..owing };
    assert_eq!(Bucket { level: -3, ..bucket }.owing(&less, 9), (Bucket { level: -3, ..bucket }, 9));
    assert_eq!(Bucket { level: -2, ..bucket }.holds(&less, 1, at(0)), Err(Short::For(3_000_000)));
}

#[test]
fn units_cost_what_they_weigh() {
    let units = Units::from([(unit("input_tokens"), 1_000), (unit("output_tokens"), 100)]);
    let weights = Units::from([(unit("input_tokens"), 3), (unit("output_tokens"), 15)]);
    let money = Rate { weights, ..rate(1, 1_000, 1) };
    assert_eq!(money.cost(&unit("micro_usd"), &units), 4_500);
    assert_eq!(rate(1, 1_000, 1).cost(&unit("input_tokens"), &units), 1_000);
    assert_eq!(rate(1, 1_000, 1).cost(&unit("requests"), &units), 0);
}
