use proptest::prelude::*;

use super::deadlines::Deadlines;
use crate::core::kernel::ids::{EntityId, StreamId, StreamKind};
use crate::core::kernel::time::Timestamp;

fn stream(name: &str) -> StreamId {
    StreamId::new(StreamKind::Quorum, EntityId::new(name).unwrap())
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

#[test]
fn deadlines_are_taken_in_time_order_and_once() {
    let mut deadlines = Deadlines::default();
    let all = [("b", Some(2)), ("a", Some(2)), ("c", Some(1)), ("c", Some(3)), ("d", Some(1)), ("d", None)];
    for (name, due) in all {
        deadlines.arm(&stream(name), due.map(at));
    }
    assert_eq!(deadlines.take(at(1)), None);
    assert_eq!(deadlines.take(at(2)), Some((at(2), stream("a"))));
    assert_eq!(deadlines.take(at(2)), Some((at(2), stream("b"))));
    assert_eq!(deadlines.take(at(2)), None);
    assert_eq!((deadlines.len(), deadlines.next()), (1, Some(at(3))));
}

/// Asks like one who sleeps until the instant named and then takes what is due.
fn wait_for_the_soonest(deadlines: &mut Deadlines) -> (Timestamp, StreamId, usize) {
    let mut asked = 0;
    loop {
        asked += 1;
        let next = deadlines.next().unwrap();
        if let Some((due, who)) = deadlines.take(next) {
            assert_eq!(due, next);
            return (due, who, asked);
        }
    }
}

#[test]
fn a_far_deadline_is_reached_in_a_few_steps_and_named_exactly_in_the_end() {
    for years in [0, 1, 10, 100, 5_000] {
        let mut deadlines = Deadlines::default();
        let due = Timestamp::from_micros(1_700_000_000_123_456 + years * 31_556_952_000_000);
        deadlines.arm(&stream("a"), Some(due));
        let (at, _, asked) = wait_for_the_soonest(&mut deadlines);
        assert_eq!(at, due);
        assert!(asked <= 8, "{asked}");
    }
}

#[test]
fn the_first_and_the_last_instant_there_are_have_their_place() {
    let mut deadlines = Deadlines::default();
    deadlines.arm(&stream("last"), Some(Timestamp::MAX));
    deadlines.arm(&stream("first"), Some(Timestamp::MIN));
    assert_eq!(deadlines.next(), Some(Timestamp::MIN));
    let taken: Vec<_> = std::iter::from_fn(|| deadlines.take(Timestamp::MAX)).map(|(at, _)| at).collect();
    assert_eq!(taken, [Timestamp::MIN, Timestamp::MAX]);
    assert_eq!((deadlines.len(), deadlines.next()), (0, None));
}

#[test]
fn who_waits_is_told_only_of_what_is_sooner_than_what_it_waits_for() {
    let mut deadlines = Deadlines::default();
    assert!(deadlines.arm(&stream("a"), Some(at(500))));
    while deadlines.next() != Some(at(500)) {
        let next = deadlines.next().unwrap();
        assert_eq!(deadlines.take(next), None);
    }
    assert!(!deadlines.arm(&stream("b"), Some(at(500))));
    assert!(!deadlines.arm(&stream("c"), Some(at(600))));
    assert!(deadlines.arm(&stream("d"), Some(at(499))));
    assert!(!deadlines.arm(&stream("e"), Some(at(499))));
    assert!(!deadlines.arm(&stream("d"), None));
    assert_eq!(deadlines.next(), Some(at(499)));
}

#[derive(Clone, Debug)]
enum Act {
    Arm(u8, Option<i64>),
    /// Time goes on by so much.
    Take(i64),
    Wait,
}

/// Microseconds, as often within a slot as across all levels.
fn spans() -> impl Strategy<Value = i64> {
    (0..52_u32, 0..8_i64, -2..3_i64).prop_map(|(power, times, more)| ((times << power) + more).max(0))
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let arm = (0..9_u8, prop::option::weighted(0.8, spans())).prop_map(|(who, due)| Act::Arm(who, due));
    prop::collection::vec(
        prop_oneof![6 => arm, 2 => spans().prop_map(Act::Take), 1 => Just(Act::Wait)],
        0..60,
    )
}

proptest! {
    #[test]
    fn deadlines_are_those_of_a_list_that_is_searched(start in -60_000_000_000_000_000..90_000_000_000_000_000_i64, acts in acts()) {
        let mut deadlines = Deadlines::default();
        let mut naive: Vec<(Timestamp, StreamId)> = Vec::new();
        let mut now = Timestamp::from_micros(start);
        for act in acts {
            match act {
                Act::Arm(who, due) => {
                    let who = stream(&who.to_string());
                    // Also into the past, by as much as lies ahead.
                    let due = due.map(|us| Timestamp::from_micros(now.as_micros() - 1_000_000 + us));
                    let waits_for = deadlines.next();
                    let sooner = due.is_some_and(|due| waits_for.is_none_or(|next| due < next));
                    let same = due.is_some_and(|due| naive.contains(&(due, who.clone())));
                    prop_assert_eq!(deadlines.arm(&who, due), sooner && !same);
                    naive.retain(|(_, other)| *other != who);
                    naive.extend(due.map(|due| (due, who)));
                    naive.sort();
                }
                Act::Take(us) => {
                    now = Timestamp::from_micros(now.as_micros() + us);
                    let due = naive.first().is_some_and(|(due, _)| *due <= now);
                    prop_assert_eq!(deadlines.take(now), due.then(|| naive.remove(0)));
                }
                Act::Wait => if !naive.is_empty() {
                    let (due, who, asked) = wait_for_the_soonest(&mut deadlines);
                    now = now.max(due);
                    prop_assert_eq!((due, who), naive.remove(0));
                    prop_assert!(asked <= 8, "{}", asked);
                }
            }
            let next = deadlines.next();
            prop_assert_eq!(next.is_some(), !naive.is_empty());
            prop_assert!(next <= naive.first().map(|(at, _)| *at));
            prop_assert_eq!(deadlines.len(), naive.len());
        }
    }
}
