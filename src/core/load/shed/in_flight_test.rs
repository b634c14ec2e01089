use super::*;
use crate::kernel::rng::Rng;

fn fill(flight: &mut InFlight, priority: Priority, count: usize) -> Vec<Permit> {
    (0..count).map(|n| flight.try_acquire(priority).unwrap_or_else(|full| panic!("{n}: {full:?}"))).collect()
}

#[test]
fn every_cap_lets_in_exactly_its_count() {
    for caps in [Caps::default(), Caps::GATE, Caps::MANAGER, Caps::WORKER] {
        for priority in [Priority::High, Priority::Normal, Priority::Low] {
            let mut flight = InFlight::new(caps).unwrap();
            let cap = caps.cap(priority);
            let mut permits = fill(&mut flight, priority, cap as usize);
            let full = Full { limit: Limit::Priority, in_flight: cap, cap };
            assert_eq!(flight.try_acquire(priority).unwrap_err(), full);
            drop(permits.pop());
            permits.push(flight.try_acquire(priority).unwrap());
            assert_eq!(
                flight.counts(priority),
                Counts { in_flight: cap, acquired_total: cap + 1, shed_total: 1 }
            );
        }
    }
}

#[test]
fn critical_work_is_never_refused_and_counts_into_the_total() {
    let mut flight = InFlight::new(Caps::of(3, 2, 2, 2)).unwrap();
    let control = fill(&mut flight, Priority::Critical, 10_000);
    let full = Full { limit: Limit::Global, in_flight: 10_000, cap: 3 };
    assert_eq!(flight.try_acquire(Priority::High).unwrap_err(), full);
    control.into_iter().for_each(drop);
    assert_eq!(flight.total(), 0);
    assert_eq!(flight.counts(Priority::Critical).shed_total, 0);
}

#[test]
fn a_cap_of_zero_is_only_bounded_by_the_global_one() {
    let mut flight = InFlight::new(Caps::of(7, 0, 0, 0)).unwrap();
    let _all = fill(&mut flight, Priority::Low, 7);
    assert_eq!(flight.try_acquire(Priority::Low).unwrap_err().limit, Limit::Global);
}

#[test]
fn without_reserves_low_work_may_fill_everything() {
    let mut flight = InFlight::new(Caps::of(10, 10, 10, 10)).unwrap();
    let _low = fill(&mut flight, Priority::Low, 10);
    assert_eq!(flight.try_acquire(Priority::High).unwrap_err().limit, Limit::Global);
}

#[test]
fn a_reserve_is_there_for_its_priority_even_under_a_flood_of_control() {
    let caps = Caps { reserve_high: 2, ..Caps::of(10, 10, 10, 10) };
    let mut flight = InFlight::new(caps).unwrap();
    let _low = fill(&mut flight, Priority::Low, 8);
    let kept = Full { limit: Limit::Reserve, in_flight: 8, cap: 8 };
    assert_eq!(flight.try_acquire(Priority::Low).unwrap_err(), kept);
    assert_eq!(flight.try_acquire(Priority::Normal).unwrap_err(), kept);
    let _control = fill(&mut flight, Priority::Critical, 50);
    let _high = fill(&mut flight, Priority::High, 2);
    assert_eq!(flight.try_acquire(Priority::High).unwrap_err().limit, Limit::Global);
}

#[test]
fn caps_that_make_no_sense_are_refused_by_name() {
    assert_eq!(InFlight::new(Caps::of(0, 1, 1, 1)).unwrap_err().field, "global");
    let caps = Caps { reserve_high: 6, reserve_normal: 5, ..Caps::of(10, 0, 0, 0) };
    assert_eq!(
        caps.check().unwrap_err().to_string(),
        "reserves is out of range, expected at most the global cap together. given=11"
    );
    assert_eq!(Caps { warn: Ratio::ZERO, ..Caps::default() }.check().unwrap_err().field, "warn");
}

#[test]
fn a_warning_comes_at_eighty_percent_and_once() {
    let mut flight = InFlight::new(Caps::of(1_000, 100, 0, 0)).unwrap();
    let mut permits = fill(&mut flight, Priority::High, 79);
    assert_eq!(flight.take_warnings(), []);
    permits.push(flight.try_acquire(Priority::High).unwrap());
    assert_eq!(flight.take_warnings(), [Warning { priority: Some(Priority::High), in_flight: 80, cap: 100 }]);
    assert_eq!(flight.take_warnings(), []);
    // Around the mark there is no second warning; only after it was clearly left.
    permits.drain(70..).for_each(drop);
    assert_eq!(flight.take_warnings(), []);
    permits.extend(fill(&mut flight, Priority::High, 10));
    assert_eq!(flight.take_warnings(), []);
    permits.drain(69..).for_each(drop);
    assert_eq!(flight.take_warnings(), []);
    permits.extend(fill(&mut flight, Priority::High, 11));
    assert_eq!(flight.take_warnings().len(), 1);
}

#[test]
fn work_that_panics_or_is_given_up_gives_its_slot_back() {
    let mut flight = InFlight::new(Caps::default()).unwrap();
    for _ in 0..100 {
        let permit = flight.try_acquire(Priority::Normal).unwrap();
        let panicked = std::panic::catch_unwind(move || {
            let _held = permit;
            std::panic::resume_unwind(Box::new("the handler broke"));
        });
        assert!(panicked.is_err());
        // A future that is dropped before it is polled holds its permit like one that was.
        let permit = flight.try_acquire(Priority::Normal).unwrap();
        drop(async move {
            let _held = permit;
            std::future::pending::<()>().await
        });
    }
    let counts = Counts { in_flight: 0, acquired_total: 200, shed_total: 0 };
    assert_eq!((flight.counts(Priority::Normal), flight.total()), (counts, 0));
    assert_eq!(fill(&mut flight, Priority::Normal, 300).len(), 300, "every slot is there");
}

#[test]
fn a_permit_goes_back_to_the_tracker_that_gave_it() {
    let mut one = InFlight::new(Caps::default()).unwrap();
    let mut other = InFlight::new(Caps::default()).unwrap();
    let permit = one.try_acquire(Priority::Low).unwrap();
    let _held = other.try_acquire(Priority::Low).unwrap();
    drop(permit);
    assert_eq!((one.total(), other.total()), (0, 1));
}

/// The twin counts the permits it holds and knows nothing else.
#[test]
fn counts_are_those_of_a_naive_twin_and_never_exceed_their_caps() {
    for seed in 0..200 {
        let mut rng = Rng::new(seed);
        let mut below = |bound: u64| rng.next_u64() % bound;
        let mut caps = Caps::of(1 + below(20) as u32, below(12) as u32, below(12) as u32, below(12) as u32);
        if seed % 2 == 1 {
            caps.reserve_high = below(u64::from(caps.global) + 1) as u32;
        }
        let mut flight = InFlight::new(caps).unwrap();
        let mut held: Vec<Permit> = Vec::new();
        let (mut given, mut refused) = (0, 0);
        for _ in 0..400 {
            if below(5) < 3 {
                let priority = Priority::ALL[below(4) as usize];
                let count = |p: Priority| held.iter().filter(|permit| permit.priority() == p).count() as u64;
                let others = held.len() as u64 - count(Priority::Critical);
                let missing = u64::from(caps.reserve_high).saturating_sub(count(Priority::High));
                let kept = if priority > Priority::High { missing } else { 0 };
                let within = held.len() as u64 + kept < u64::from(caps.global)
                    || (priority == Priority::High && missing > 0 && others < u64::from(caps.global));
                let own = caps.cap(priority) == 0 || count(priority) < caps.cap(priority);
                let expected = priority == Priority::Critical || (within && own);
                let got = flight.try_acquire(priority);
                assert_eq!(got.is_ok(), expected, "seed {seed}: {caps:?} {held:?}");
                given += u64::from(expected);
                refused += u64::from(!expected);
                held.extend(got);
            } else if !held.is_empty() {
                drop(held.swap_remove(below(held.len() as u64) as usize));
            }
            assert_eq!(flight.total(), held.len() as u64);
            for priority in Priority::ALL {
                let count = held.iter().filter(|permit| permit.priority() == priority).count() as u64;
                assert_eq!(flight.counts(priority).in_flight, count);
                assert!(
                    priority == Priority::Critical || caps.cap(priority) == 0 || count <= caps.cap(priority)
                );
            }
        }
        let sum = |of: fn(Counts) -> u64| Priority::ALL.map(|p| of(flight.counts(p))).iter().sum::<u64>();
        assert_eq!((sum(|c| c.acquired_total), sum(|c| c.shed_total)), (given, refused));
        assert_eq!(flight.counts(Priority::Critical).shed_total, 0);
    }
}
