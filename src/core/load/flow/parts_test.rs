//! Messages with deadlines, and messages that do not give way.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::load::flow::{Carries, DropPolicy, FlowBuffer, FlowConfig};

/// A name, the millisecond until which it is of use, and whether it is critical.
type Message = (&'static str, Option<i64>, bool);

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn shape() -> Shape<Message> {
    Shape {
        deadline_of: Some(|(_, end, _)| end.map(at)),
        critical_of: Some(|(_, _, critical)| *critical),
        ..Shape::default()
    }
}

fn buffer(capacity: usize, policy: DropPolicy) -> FlowBuffer<Message> {
    let config = FlowConfig { max_buffer_size: capacity, drop_policy: policy, ..FlowConfig::default() };
    FlowBuffer::shaped(config, shape()).unwrap()
}

fn names(drained: Drained<Message>) -> Vec<&'static str> {
    drained.messages.into_iter().map(|(name, ..)| name).collect()
}

fn offer(buffer: &mut FlowBuffer<Message>, ms: i64, name: &'static str, critical: bool) -> Offered<Message> {
    buffer.offer(at(ms), (name, None, critical))
}

#[test]
fn a_message_is_of_use_at_its_deadline_and_not_after_it() {
    let mut buffer = buffer(9, DropPolicy::DropOldest);
    buffer.offer(at(0), ("for ever", None, false));
    buffer.offer(at(0), ("short", Some(10), false));
    buffer.offer(at(0), ("long", Some(11), false));
    assert_eq!(buffer.read(at(10)), Some(Read::Message(0, ("for ever", None, false))));
    assert_eq!(buffer.read(at(10)), Some(Read::Message(1, ("short", Some(10), false))));

    buffer.offer(at(10), ("late", Some(10), false));
    buffer.offer(at(10), ("last", None, false));
    let drained = buffer.drain(at(11), 9);
    assert_eq!(drained.lagged, [Lagged { count: 1, first_seq: 3, last_seq: 3 }]);
    assert_eq!(names(drained), ["long", "last"]);
    let stats = buffer.stats(at(11));
    assert_eq!((stats.expired, stats.messages_dropped, stats.messages_delivered), (1, 1, 4));
    assert!(stats.is_balanced());
}

#[test]
fn what_nobody_has_use_for_makes_room_before_anything_gives_way() {
    let mut buffer = buffer(2, DropPolicy::DropOldest);
    buffer.offer(at(0), ("old", None, false));
    buffer.offer(at(0), ("short", Some(5), false));
    buffer.offer(at(6), ("new", None, false));
    assert_eq!(names(buffer.drain(at(6), 9)), ["old", "new"]);
    assert_eq!(buffer.stats(at(6)).evicted_oldest, 0);
}

#[test]
fn the_oldest_that_is_not_critical_gives_way() {
    let mut buffer = buffer(3, DropPolicy::DropOldest);
    for (name, critical) in [("result", true), ("a", false), ("error", true), ("b", false), ("c", false)] {
        assert!(matches!(offer(&mut buffer, 0, name, critical), Offered::Sent(_)), "{name}");
    }
    let drained = buffer.drain(at(0), 9);
    assert_eq!(
        drained.lagged,
        [Lagged { count: 1, first_seq: 1, last_seq: 1 }, Lagged { count: 1, first_seq: 3, last_seq: 3 }]
    );
    assert_eq!(names(drained), ["result", "error", "c"]);
    assert!(buffer.is_empty() && buffer.stats(at(0)).is_balanced());
}

#[test]
fn where_all_is_critical_the_new_message_comes_back() {
    for policy in [DropPolicy::DropOldest, DropPolicy::DropAll] {
        let mut buffer = buffer(2, policy);
        offer(&mut buffer, 0, "a", true);
        offer(&mut buffer, 0, "b", true);
        assert!(matches!(offer(&mut buffer, 0, "c", true), Offered::Refused(("c", None, true))));
        assert_eq!(names(buffer.drain(at(0), 1)), ["a"]);
        assert!(matches!(offer(&mut buffer, 0, "d", false), Offered::Sent(_)));
        assert_eq!(names(buffer.drain(at(0), 9)), ["b", "d"]);
        assert!(buffer.stats(at(0)).is_balanced());
    }
}

#[test]
fn everything_gives_way_but_what_is_critical() {
    let mut buffer = buffer(4, DropPolicy::DropAll);
    for (name, critical) in [("a", false), ("b", true), ("c", false), ("d", false)] {
        offer(&mut buffer, 0, name, critical);
    }
    let Offered::Sent(sent) = offer(&mut buffer, 0, "e", false) else { panic!("refused") };
    assert_eq!(sent.evicted.len(), 3);
    assert_eq!(names(buffer.drain(at(0), 9)), ["b", "e"]);
}

#[test]
fn what_may_not_be_lost_has_no_deadline() {
    let config =
        FlowConfig { drop_policy: DropPolicy::Block, carries: Carries::Votes, ..FlowConfig::default() };
    assert!(FlowBuffer::shaped(config.clone(), shape()).is_err());
    let shape = Shape { deadline_of: None, ..shape() };
    assert!(FlowBuffer::shaped(config, shape).is_ok());
}

proptest! {
    #[test]
    fn nothing_critical_gives_way_nothing_is_read_too_late_and_all_is_accounted_for(
        steps in vec((0u8..4, 0i64..4, option::of(0i64..12), any::<bool>()), 0..120),
        capacity in 1usize..6,
        policy in select(vec![DropPolicy::DropOldest, DropPolicy::DropNewest, DropPolicy::DropAll]),
    ) {
        let config = FlowConfig { max_buffer_size: capacity, drop_policy: policy, ..FlowConfig::default() };
        let shape = Shape {
            deadline_of: Some(|(_, end, _): &(u64, Option<i64>, bool)| end.map(at)),
            critical_of: Some(|(_, _, critical): &(u64, Option<i64>, bool)| *critical),
            ..Shape::default()
        };
        let mut buffer = FlowBuffer::shaped(config, shape).unwrap();
        let (mut now, mut next_read) = (0i64, 0u64);
        for (what, pause, end, critical) in steps {
            now += pause;
            if what < 3 {
                let message = (buffer.next_seq(), end.map(|ms| now + ms), critical);
                if let Offered::Sent(sent) = buffer.offer(at(now), message) {
                    for (_, (_, end, critical)) in sent.evicted.into_messages() {
                        prop_assert!(!critical || end.is_some_and(|end| end < now));
                    }
                }
            } else {
                let drained = buffer.drain(at(now), 2);
                let missing: u64 = drained.lagged.iter().map(|gap| gap.count).sum();
                for (_, end, _) in &drained.messages {
                    prop_assert!(end.is_none_or(|end| end >= now));
                }
                prop_assert!(drained.messages.is_sorted_by_key(|(seq, ..)| *seq));
                next_read += missing + drained.messages.len() as u64;
                if let Some((seq, ..)) = drained.messages.last() {
                    prop_assert!(next_read > *seq);
                }
            }
            prop_assert!(buffer.len() <= capacity);
            prop_assert!(buffer.stats(at(now)).is_balanced());
        }
        let rest = buffer.drain(at(now), usize::MAX);
        let missing: u64 = rest.lagged.iter().map(|gap| gap.count).sum();
        prop_assert_eq!(next_read + missing + rest.messages.len() as u64, buffer.next_seq());
        prop_assert_eq!(buffer.len(), 0);
    }
}

#[test]
fn what_was_read_does_not_expire_later() {
    let mut buffer = buffer(9, DropPolicy::DropOldest);
    buffer.watch();
    buffer.offer(at(0), ("read", Some(10), false));
    buffer.read(at(5));
    buffer.offer(at(20), ("new", None, false));
    buffer.read(at(20));
    buffer.finish_notices();
    assert_eq!(buffer.notices(), []);
}
