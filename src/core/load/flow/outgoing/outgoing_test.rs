//! Boundaries, order, what gives way and who is forgotten, on small literal queues and on the defaults.

use super::*;
use crate::load::flow::{Lagged, Ratio};

/// Messages from 1000 on are critical.
fn critical(message: &u32) -> bool {
    *message >= 1_000
}

fn queues(max_primary: usize, max_overflow: usize, max_destinations: usize) -> Outgoing<u8, u32> {
    let config = OutgoingConfig { max_primary, max_overflow, max_destinations, ..OutgoingConfig::default() };
    Outgoing::new(config, critical).unwrap()
}

/// Puts them all to destination 1 and says what gave way.
fn put_all(queues: &mut Outgoing<u8, u32>, messages: impl IntoIterator<Item = u32>) -> Vec<u32> {
    let put = |message| queues.put(&1, message).unwrap().evicted.into_messages();
    messages.into_iter().flat_map(put).map(|(_, message)| message).collect()
}

fn balanced(queues: &Outgoing<u8, u32>) -> bool {
    queues.stats().counts.is_balanced() && queues.each().all(|(_, status)| status.counts.is_balanced())
}

#[test]
fn each_state_of_the_defaults_begins_exactly_at_its_count() {
    let mut queues = queues(500, 100, 1_000);
    let first = [
        (350, OutgoingState::Throttled, 50),
        (425, OutgoingState::Batching, 200),
        (475, OutgoingState::Overflow, 350),
        (600, OutgoingState::Saturated, 500),
    ];
    let mut before = (OutgoingState::Healthy, 0);
    for count in 1..=600u32 {
        let placed = queues.put(&1, count).unwrap();
        let at = first.iter().find(|(from, ..)| *from == count);
        let expected = at.map_or(before, |(_, state, delay)| (*state, *delay));
        let delay = queues.suggested_delay(&1).as_millis() as u64;
        assert_eq!((placed.state, delay), expected, "{count}");
        let status = queues.status(&1).unwrap();
        assert_eq!((status.state, status.suggested_delay_ms), expected);
        assert_eq!(
            (status.primary, status.overflow),
            (count.min(500) as usize, count.max(500) as usize - 500)
        );
        before = expected;
    }
    assert_eq!(
        (queues.state(&2), queues.suggested_delay(&2), queues.status(&2)),
        (OutgoingState::Healthy, Duration::ZERO, None)
    );
}

#[test]
fn a_state_ends_with_the_message_that_began_it() {
    let mut queues = queues(20, 2, 1);
    put_all(&mut queues, 0..22);
    let mut states = vec![queues.state(&1)];
    while queues.take(&1).is_some() {
        states.push(queues.state(&1));
    }
    let count = |state| states.iter().filter(|s| **s == state).count();
    // 22 are saturated, 19 to 21 overflow, 17 and 18 batching, 14 to 16 throttled.
    assert_eq!(count(OutgoingState::Saturated), 1);
    assert_eq!(count(OutgoingState::Overflow), 3);
    assert_eq!(count(OutgoingState::Batching), 2);
    assert_eq!(count(OutgoingState::Throttled), 3);
    assert_eq!(count(OutgoingState::Healthy), 14);
    assert!(states.is_sorted_by(|a, b| a >= b));
}

#[test]
fn a_queue_of_one_goes_from_healthy_to_overflow_to_saturated() {
    let mut queues = queues(1, 1, 1);
    assert_eq!(queues.put(&1, 0).unwrap().state, OutgoingState::Overflow);
    assert_eq!(queues.put(&1, 1).unwrap().state, OutgoingState::Saturated);
    assert_eq!(put_all(&mut queues, [2]), [1]);
    assert_eq!(queues.take_many(&1, 9).messages, [0, 2]);
    assert_eq!(queues.state(&1), OutgoingState::Healthy);
}

#[test]
fn what_went_through_the_ring_comes_out_behind_what_did_not_and_before_what_came_later() {
    let mut queues = queues(3, 3, 1);
    put_all(&mut queues, 0..6);
    assert_eq!(queues.take(&1), Some(Read::Message(0, 0)));
    // The oldest of the ring moved up, so there is room behind it and nothing is lost.
    let status = queues.status(&1).unwrap();
    assert_eq!((status.primary, status.overflow), (3, 2));
    assert!(put_all(&mut queues, [1_006]).is_empty());
    let all = queues.take_many(&1, 9);
    assert_eq!(all.messages, [1, 2, 3, 4, 5, 1_006]);
    assert!(all.lagged.is_empty());
}

#[test]
fn take_many_takes_so_many_and_no_more() {
    let mut queues = queues(3, 3, 1);
    put_all(&mut queues, 0..6);
    assert!(queues.take_many(&1, 0).messages.is_empty());
    assert_eq!(queues.take_many(&1, 4).messages, [0, 1, 2, 3]);
    assert_eq!(queues.take_many(&1, 4).messages, [4, 5]);
    assert!(queues.take_many(&2, 4).messages.is_empty());
    assert_eq!(queues.take(&1), None);
}

#[test]
fn the_oldest_of_the_ring_that_is_not_critical_gives_way_and_is_a_gap_to_the_receiver() {
    let mut queues = queues(2, 3, 1);
    put_all(&mut queues, [0, 1, 1_002, 3, 4]);
    assert_eq!(put_all(&mut queues, [5, 6]), [3, 4]);
    assert_eq!(queues.put(&1, 7).unwrap().evicted.into_messages().collect::<Vec<_>>(), [(5, 5)]);
    let all = queues.take_many(&1, 9);
    assert_eq!(all.messages, [0, 1, 1_002, 6, 7]);
    assert_eq!(all.lagged, [Lagged { count: 3, first_seq: 3, last_seq: 5 }]);
    let counts = queues.stats().counts;
    assert_eq!(
        (counts.offered, counts.taken, counts.queued, counts.dropped, counts.refused),
        (8, 5, 0, 3, 0)
    );
    assert_eq!(queues.each().map(|(_, status)| status.counts).collect::<Vec<_>>(), [counts]);
}

#[test]
fn one_that_is_not_critical_is_refused_where_the_ring_holds_only_critical_ones() {
    let mut queues = queues(2, 2, 1);
    put_all(&mut queues, [0, 1, 1_002, 1_003]);
    let refused = queues.put(&1, 4).unwrap_err();
    assert_eq!(refused.to_string(), "the queue is full and nothing in it gives way");
    assert_eq!(format!("{refused:?}"), "Saturated(..)");
    assert_eq!(refused, NotPlaced::Saturated(4));
    assert_eq!(refused.into_message(), 4);
    assert_eq!((queues.stats().counts.refused, balanced(&queues)), (1, true));
    // The number was not used up, so there is no gap.
    let all = queues.take_many(&1, 9);
    assert_eq!((all.messages, all.lagged), (vec![0, 1, 1_002, 1_003], vec![]));
}

#[test]
fn to_a_critical_one_the_oldest_of_the_primary_queue_gives_way_too_but_never_a_critical_one() {
    let mut queues = queues(3, 2, 1);
    put_all(&mut queues, [1_000, 1, 2, 1_003, 1_004]);
    assert_eq!(put_all(&mut queues, [1_005]), [1]);
    let status = queues.status(&1).unwrap();
    assert_eq!((status.primary, status.overflow), (3, 2));
    assert_eq!(put_all(&mut queues, [1_006]), [2]);
    assert_eq!(queues.put(&1, 1_007).unwrap_err(), NotPlaced::Saturated(1_007));
    let all = queues.take_many(&1, 9);
    assert_eq!(all.messages, [1_000, 1_003, 1_004, 1_005, 1_006]);
    assert_eq!(all.lagged, [Lagged { count: 2, first_seq: 1, last_seq: 2 }]);
    assert!(balanced(&queues));
}

#[test]
fn to_a_critical_one_the_ring_gives_way_before_the_primary_queue() {
    let mut queues = queues(1, 2, 1);
    put_all(&mut queues, [0, 1_001, 2]);
    assert_eq!(put_all(&mut queues, [1_003]), [2]);
}

#[test]
fn a_full_destination_delays_and_drops_nothing_of_another() {
    let mut queues = queues(2, 1, 2);
    put_all(&mut queues, 0..9);
    assert_eq!(queues.put(&2, 7).unwrap().state, OutgoingState::Healthy);
    assert_eq!(queues.take(&2), Some(Read::Message(0, 7)));
    assert_eq!(queues.state(&1), OutgoingState::Saturated);
}

#[test]
fn the_least_recently_used_empty_destination_is_forgotten_first() {
    let mut queues = queues(2, 1, 3);
    for destination in [1, 2, 3] {
        queues.put(&destination, 0).unwrap();
    }
    for destination in [3, 1] {
        queues.take(&destination).unwrap();
    }
    // 2 is the oldest of all but holds something; of the empty ones 3 was used before 1.
    let forgotten = queues.put(&4, 0).unwrap().forgotten.unwrap();
    assert_eq!((forgotten.destination, forgotten.messages.len()), (3, 0));
    let known: Vec<u8> = queues.each().map(|(destination, _)| *destination).collect();
    assert_eq!(known, [1, 2, 4]);
    let forgotten = queues.put(&5, 0).unwrap().forgotten.unwrap();
    assert_eq!(forgotten.destination, 1);
    assert_eq!((queues.stats().forgotten, queues.stats().counts.dropped), (2, 0));
}

#[test]
fn where_none_is_empty_the_least_recently_used_without_critical_messages_is_forgotten_and_reported() {
    let mut queues = queues(2, 1, 3);
    queues.put(&1, 1_000).unwrap();
    queues.put(&2, 20).unwrap();
    queues.put(&2, 21).unwrap();
    queues.put(&3, 30).unwrap();
    queues.put(&2, 22).unwrap();
    let forgotten = queues.put(&4, 1_040).unwrap().forgotten.unwrap();
    assert_eq!(forgotten.destination, 3);
    let forgotten = queues.put(&5, 1_050).unwrap().forgotten.unwrap();
    assert_eq!(forgotten.destination, 2);
    assert_eq!(forgotten.messages.into_messages().collect::<Vec<_>>(), [(0, 20), (1, 21), (2, 22)]);
    let counts = queues.stats().counts;
    assert_eq!((counts.dropped, counts.queued, balanced(&queues)), (4, 3, true));
    // The rest holds critical messages and stays.
    let refused = queues.put(&6, 1_060).unwrap_err();
    assert_eq!(refused, NotPlaced::TooManyDestinations(1_060));
    let text = "too many destinations that hold critical messages or are being served";
    assert_eq!(
        (refused.to_string(), format!("{refused:?}")),
        (text.into(), "TooManyDestinations(..)".into())
    );
    assert_eq!((queues.stats().counts.refused, balanced(&queues)), (1, true));
    assert_eq!(queues.stats().destinations, 3);
    // A critical message that was taken protects no longer, and a forgotten destination begins anew.
    assert_eq!(queues.take(&4), Some(Read::Message(0, 1_040)));
    assert_eq!(queues.put(&2, 23).unwrap().seq, 0);
    assert_eq!(queues.status(&4), None);
}

#[test]
fn a_destination_that_is_being_served_is_not_forgotten_until_it_rests() {
    let mut queues = queues(2, 1, 1);
    assert!(!queues.serve(&1), "unknown");
    queues.put(&1, 0).unwrap();
    assert!(queues.serve(&1));
    assert!(!queues.serve(&1), "somebody does already");
    queues.take(&1).unwrap();
    assert_eq!(queues.put(&2, 0).unwrap_err(), NotPlaced::TooManyDestinations(0));
    queues.rest(&1);
    assert_eq!(queues.put(&2, 0).unwrap().forgotten.unwrap().destination, 1);
    queues.rest(&9);
}

#[test]
fn who_forgets_a_destination_gets_what_was_queued_for_it() {
    let mut queues = queues(2, 2, 3);
    put_all(&mut queues, [0, 1_001, 1_002, 3]);
    queues.put(&2, 7).unwrap();
    queues.put(&3, 8).unwrap();
    let forgotten = queues.forget(&1).unwrap();
    let messages: Vec<_> = forgotten.messages.into_messages().collect();
    assert_eq!((forgotten.destination, messages), (1, vec![(0, 0), (1, 1_001), (2, 1_002), (3, 3)]));
    assert_eq!((queues.status(&1), queues.forget(&1).is_none(), balanced(&queues)), (None, true, true));
    // The others are where they were.
    assert_eq!(queues.take(&3), Some(Read::Message(0, 8)));
    assert_eq!(queues.take(&2), Some(Read::Message(0, 7)));
    assert_eq!((queues.stats().destinations, queues.stats().forgotten), (2, 0));
}

#[test]
fn a_destination_that_is_forgotten_while_it_is_served_stays_known_and_its_receiver_sees_the_gap() {
    let mut queues = queues(2, 2, 3);
    put_all(&mut queues, [0, 1]);
    queues.serve(&1);
    assert_eq!(queues.forget(&1).unwrap().messages.len(), 2);
    assert!(!queues.serve(&1));
    assert_eq!(queues.put(&1, 2).unwrap().seq, 2);
    assert_eq!(queues.take(&1), Some(Read::Lagged(Lagged { count: 2, first_seq: 0, last_seq: 1 })));
    assert_eq!(queues.take(&1), Some(Read::Message(2, 2)));
    assert!(balanced(&queues));
}

#[test]
fn every_knob_that_does_not_fit_is_refused_by_name() {
    let default = OutgoingConfig::default;
    let bad = [
        (OutgoingConfig { max_primary: 0, ..default() }, "max_primary"),
        (OutgoingConfig { max_overflow: 0, ..default() }, "max_overflow"),
        (OutgoingConfig { max_destinations: 0, ..default() }, "max_destinations"),
        (OutgoingConfig { max_destinations: 1_000_001, ..default() }, "max_destinations"),
        (OutgoingConfig { throttled_threshold: Ratio::percent(0), ..default() }, "throttled_threshold"),
        (OutgoingConfig { throttled_threshold: Ratio::percent(86), ..default() }, "throttled_threshold"),
        (OutgoingConfig { batching_threshold: Ratio::percent(96), ..default() }, "batching_threshold"),
        (OutgoingConfig { throttled_delay: Duration::from_millis(201), ..default() }, "batching_delay"),
        (OutgoingConfig { overflow_delay: Duration::from_millis(199), ..default() }, "overflow_delay"),
        (OutgoingConfig { saturated_delay: Duration::from_millis(349), ..default() }, "saturated_delay"),
        (OutgoingConfig { saturated_delay: Duration::from_secs(86_401), ..default() }, "saturated_delay"),
        (OutgoingConfig { throttled_delay: Duration::from_micros(1_500), ..default() }, "throttled_delay"),
    ];
    for (config, field) in bad {
        assert_eq!(config.check().unwrap_err().field, field, "{config:?}");
        assert!(Outgoing::<u8, u32>::new(config, critical).is_err());
    }
    let equal = Ratio::ONE;
    let fits = OutgoingConfig {
        throttled_threshold: equal,
        batching_threshold: equal,
        overflow_threshold: equal,
        throttled_delay: Duration::ZERO,
        saturated_delay: Duration::from_secs(86_400),
        ..default()
    };
    assert_eq!(fits.check(), Ok(()));
}

#[test]
fn there_are_never_more_than_a_thousand_destinations_by_default() {
    let mut queues = Outgoing::<u32, u32>::new(OutgoingConfig::default(), critical).unwrap();
    for destination in 0..5_000 {
        queues.put(&destination, destination % 1_000).unwrap();
    }
    let stats = queues.stats();
    assert_eq!((stats.destinations, stats.max_destinations, stats.forgotten), (1_000, 1_000, 4_000));
    assert_eq!((stats.counts.dropped, stats.counts.queued), (4_000, 1_000));
    assert!(queues.each().map(|(destination, _)| *destination).eq(4_000..5_000));
}
