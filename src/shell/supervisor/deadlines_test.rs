use proptest::prelude::*;

use super::deadlines::Deadlines;
use crate::core::ids::{EntityId, StreamId, StreamKind};
use crate::core::time::Timestamp;

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

#[derive(Clone, Debug)]
enum Act {
    Arm(u8, Option<i64>),
    Take(i64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let arm = (0..6_u8, prop::option::weighted(0.8, 0..9_i64)).prop_map(|(who, due)| Act::Arm(who, due));
    prop::collection::vec(prop_oneof![4 => arm, 1 => (0..9_i64).prop_map(Act::Take)], 0..60)
}

proptest! {
    #[test]
    fn deadlines_are_those_of_a_list_that_is_searched(acts in acts()) {
        let mut deadlines = Deadlines::default();
        let mut naive: Vec<(Timestamp, StreamId)> = Vec::new();
        for act in acts {
            match act {
                Act::Arm(who, due) => {
                    let (who, due) = (stream(&who.to_string()), due.map(at));
                    let sooner = due.is_some_and(|due| naive.iter().all(|(at, _)| due < *at));
                    prop_assert_eq!(deadlines.arm(&who, due), sooner);
                    naive.retain(|(_, other)| *other != who);
                    naive.extend(due.map(|due| (due, who)));
                    naive.sort();
                }
                Act::Take(now) => {
                    let due = naive.first().is_some_and(|(due, _)| *due <= at(now));
                    prop_assert_eq!(deadlines.take(at(now)), due.then(|| naive.remove(0)));
                }
            }
            prop_assert_eq!(deadlines.next(), naive.first().map(|(at, _)| *at));
            prop_assert_eq!(deadlines.len(), naive.len());
        }
    }
}
