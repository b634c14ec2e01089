//! Policies, gaps, bytes, keys, age; and a naive twin over random scripts.

use std::time::Duration;

use proptest::prelude::*;

use super::super::notice::LONGEST_RUN;
use super::*;
use crate::load::flow::{Carries, DropPolicy, Health};

const NOW: Timestamp = Timestamp::EPOCH;

fn of(capacity: usize, policy: DropPolicy) -> FlowBuffer<u64> {
    FlowBuffer::new(FlowConfig { max_buffer_size: capacity, drop_policy: policy, ..FlowConfig::default() })
        .unwrap()
}

fn fill(buffer: &mut FlowBuffer<u64>, messages: std::ops::Range<u64>) {
    for message in messages {
        assert!(matches!(buffer.offer(NOW, message), Offered::Sent(_)), "{message}");
    }
}

fn gap(first: u64, last: u64) -> Lagged {
    Lagged { count: last - first + 1, first_seq: first, last_seq: last }
}

#[test]
fn drop_oldest_takes_exactly_one_from_the_head() {
    let mut buffer = of(3, DropPolicy::DropOldest);
    fill(&mut buffer, 0..3);
    assert_eq!(buffer.state(), FlowState::Paused);
    let Offered::Sent(sent) = buffer.offer(NOW, 3) else { panic!("refused") };
    assert_eq!(sent.evicted.into_messages().collect::<Vec<_>>(), [(0, 0)]);
    assert_eq!((sent.seq, buffer.len(), buffer.state()), (3, 3, FlowState::Dropping));
    let stats = buffer.stats(NOW);
    assert_eq!((stats.messages_sent, stats.messages_dropped, stats.evicted_oldest), (4, 1, 1));
    let drained = buffer.drain(NOW, 1);
    assert_eq!((drained.messages, drained.lagged), (vec![1], vec![gap(0, 0)]));
    assert_eq!(buffer.state(), FlowState::Normal);
    assert!(buffer.stats(NOW).is_balanced());
}

#[test]
fn drop_newest_leaves_the_buffer_and_gives_the_message_back() {
    let mut buffer = of(3, DropPolicy::DropNewest);
    fill(&mut buffer, 0..3);
    assert!(matches!(buffer.offer(NOW, 3), Offered::Refused(3)));
    let stats = buffer.stats(NOW);
    assert_eq!((stats.messages_sent, stats.messages_rejected, stats.messages_dropped), (3, 1, 1));
    assert_eq!(stats.flow_state, FlowState::Dropping);
    let drained = buffer.drain(NOW, 9);
    assert_eq!((drained.messages, drained.lagged), (vec![0, 1, 2], vec![]));
}

#[test]
fn block_asks_to_wait_and_counts_nothing() {
    let mut buffer = of(3, DropPolicy::Block);
    fill(&mut buffer, 0..3);
    assert!(matches!(buffer.offer(NOW, 3), Offered::MustWait(3)));
    let stats = buffer.stats(NOW);
    assert_eq!((stats.messages_offered, stats.messages_dropped), (3, 0));
    assert_eq!(stats.flow_state, FlowState::Paused);
}

#[test]
fn drop_all_starts_afresh_with_the_new_message() {
    let mut buffer = of(10, DropPolicy::DropAll);
    fill(&mut buffer, 0..10);
    let Offered::Sent(sent) = buffer.offer(NOW, 10) else { panic!("refused") };
    assert_eq!((sent.evicted.len(), buffer.len(), buffer.state()), (10, 1, FlowState::Normal));
    assert_eq!(buffer.stats(NOW).cleared, 10);
    assert_eq!(buffer.read(NOW), Some(Read::Lagged(gap(0, 9))));
    assert_eq!(buffer.read(NOW), Some(Read::Message(10, 10)));
    assert_eq!(buffer.read(NOW), None);
}

#[test]
fn drain_takes_the_oldest_and_never_more_than_there_is() {
    let mut buffer = of(10, DropPolicy::Block);
    fill(&mut buffer, 0..10);
    assert_eq!(buffer.stats(NOW).fill_percentage, 1.0);
    assert!(buffer.drain(NOW, 0).messages.is_empty());
    assert_eq!(buffer.drain(NOW, 4).messages, [0, 1, 2, 3]);
    let stats = buffer.stats(NOW);
    assert_eq!((stats.buffer_size, stats.fill_percentage, stats.flow_state), (6, 0.6, FlowState::Normal));
    assert_eq!(buffer.drain(NOW, 1_000).messages, [4, 5, 6, 7, 8, 9]);
    assert!(buffer.drain(NOW, 5).messages.is_empty());
}

#[test]
fn the_same_loss_is_the_same_rate_under_every_policy() {
    for policy in [DropPolicy::DropOldest, DropPolicy::DropNewest] {
        let mut buffer = of(50, policy);
        for message in 0..500 {
            buffer.offer(NOW, message);
        }
        let stats = buffer.stats(NOW);
        assert_eq!((stats.messages_dropped, stats.drop_rate, stats.health), (450, 0.9, Health::Unhealthy));
    }
}

fn sized(bytes: usize, policy: DropPolicy) -> FlowBuffer<u64> {
    let config = FlowConfig {
        max_buffer_size: 100,
        max_buffer_bytes: Some(bytes),
        drop_policy: policy,
        ..FlowConfig::default()
    };
    FlowBuffer::shaped(config, Shape { size_of: Some(|n| *n as usize), ..Shape::default() }).unwrap()
}

#[test]
fn bytes_make_as_many_give_way_as_the_message_needs() {
    let mut buffer = sized(100, DropPolicy::DropOldest);
    for size in [40, 30, 30] {
        buffer.offer(NOW, size);
    }
    assert_eq!(buffer.state(), FlowState::Paused);
    let Offered::Sent(sent) = buffer.offer(NOW, 50) else { panic!("refused") };
    assert_eq!(sent.evicted.len(), 2);
    assert_eq!(buffer.load(), Load { messages: 2, bytes: 80 });
    assert!(matches!(buffer.offer(NOW, 101), Offered::TooLarge(101)));
    let stats = buffer.stats(NOW);
    assert_eq!((stats.refused_too_large, stats.messages_dropped), (1, 2));
    assert!(stats.is_balanced());
}

#[test]
fn a_limit_of_bytes_needs_sizes_and_votes_allow_no_keys() {
    let bytes = FlowConfig { max_buffer_bytes: Some(10), ..FlowConfig::default() };
    assert_eq!(FlowBuffer::<u64>::new(bytes).unwrap_err().field, "max_buffer_bytes");
    let votes =
        FlowConfig { carries: Carries::Votes, drop_policy: DropPolicy::Block, ..FlowConfig::default() };
    let keyed = Shape { key_of: Some(|n: &u64| Some(*n)), ..Shape::default() };
    assert_eq!(FlowBuffer::shaped(votes, keyed).unwrap_err().field, "key_of");
}

/// The key is the tens, the message the whole number.
fn keyed(capacity: usize, policy: DropPolicy) -> FlowBuffer<u64> {
    let config = FlowConfig { max_buffer_size: capacity, drop_policy: policy, ..FlowConfig::default() };
    let key_of: fn(&u64) -> Option<u64> = |n| (*n < 1_000).then_some(n / 10);
    FlowBuffer::shaped(config, Shape { key_of: Some(key_of), ..Shape::default() }).unwrap()
}

#[test]
fn of_one_key_only_the_newest_is_kept_in_its_own_place() {
    let mut buffer = keyed(3, DropPolicy::DropNewest);
    for message in [10, 20, 11, 30, 21] {
        assert!(matches!(buffer.offer(NOW, message), Offered::Sent(_)));
    }
    assert!(matches!(buffer.offer(NOW, 40), Offered::Refused(40)));
    let stats = buffer.stats(NOW);
    assert_eq!((stats.conflated, stats.messages_dropped, stats.messages_evicted), (2, 1, 2));
    assert!(stats.is_balanced());
    let drained = buffer.drain(NOW, 9);
    assert_eq!((drained.messages, drained.lagged), (vec![11, 30, 21], vec![gap(0, 1)]));
    // Nothing is left behind of a key that was read.
    assert!(matches!(buffer.offer(NOW, 12), Offered::Sent(sent) if sent.evicted.is_empty()));
}

#[test]
fn a_message_that_is_refused_does_not_take_its_older_one_along() {
    let shape =
        Shape { size_of: Some(|n: &u64| *n as usize), key_of: Some(|_: &u64| Some(1)), ..Shape::default() };
    for policy in [DropPolicy::DropNewest, DropPolicy::Block] {
        let config = FlowConfig { max_buffer_bytes: Some(10), drop_policy: policy, ..FlowConfig::default() };
        let mut buffer = FlowBuffer::shaped(config, shape).unwrap();
        buffer.hold(6);
        buffer.offer(NOW, 3);
        assert!(!matches!(buffer.offer(NOW, 5), Offered::Sent(_)));
        assert_eq!(buffer.drain(NOW, 9).messages, [3]);
    }
}

#[test]
fn many_conflations_leave_no_growing_ring() {
    let mut buffer = keyed(100, DropPolicy::DropOldest);
    buffer.offer(NOW, 5_000);
    for n in 0..10_000 {
        buffer.offer(NOW, n % 10);
    }
    assert_eq!(buffer.len(), 2);
    assert!(buffer.entries.len() < 50, "{}", buffer.entries.len());
    assert_eq!(buffer.drain(NOW, 9).messages, [5_000, 9]);
}

#[test]
fn old_messages_are_dropped_first_and_never_delivered() {
    let config = FlowConfig {
        max_buffer_size: 3,
        max_age: Some(Duration::from_millis(10)),
        drop_policy: DropPolicy::DropNewest,
        ..FlowConfig::default()
    };
    let mut buffer = FlowBuffer::new(config).unwrap();
    let at = Timestamp::from_millis;
    for (ms, message) in [(0, 0), (0, 1), (5, 2)] {
        buffer.offer(at(ms), message);
    }
    assert!(matches!(buffer.offer(at(10), 3), Offered::Refused(3)), "10 ms old is not too old");
    assert!(matches!(buffer.offer(at(11), 3), Offered::Sent(_)));
    assert_eq!(buffer.read(at(16)), Some(Read::Lagged(gap(0, 2))));
    assert_eq!(buffer.read(at(16)), Some(Read::Message(3, 3)));
    let stats = buffer.stats(at(16));
    assert_eq!((stats.expired, stats.rejected_newest), (3, 1));
    assert!(stats.is_balanced());
}

#[test]
fn a_hole_that_is_old_takes_no_young_message_along() {
    let config = FlowConfig { max_age: Some(Duration::from_millis(10)), ..FlowConfig::default() };
    let shape = Shape { key_of: Some(|_: &u64| Some(1)), ..Shape::default() };
    let mut buffer = FlowBuffer::shaped(config, shape).unwrap();
    let at = Timestamp::from_millis;
    buffer.offer(at(0), 1);
    buffer.offer(at(20), 2);
    assert_eq!(buffer.drain(at(20), 9).messages, [2]);
}

#[test]
fn what_was_promised_to_others_does_not_give_way() {
    let mut buffer = of(2, DropPolicy::DropOldest);
    buffer.hold(0);
    buffer.offer(NOW, 1);
    assert!(matches!(buffer.offer(NOW, 2), Offered::Sent(sent) if sent.evicted.len() == 1));
    buffer.drain(NOW, 1);
    buffer.hold(0);
    assert!(matches!(buffer.offer(NOW, 3), Offered::Refused(3)));
}

#[test]
fn a_run_of_drops_is_one_notice_and_a_change_of_state_is_one() {
    let mut buffer = of(10, DropPolicy::DropOldest);
    buffer.watch();
    fill(&mut buffer, 0..1_010);
    buffer.drain(NOW, 2);
    buffer.drain(NOW, 8);
    let told = buffer.notices();
    let states = told.iter().filter_map(|n| match n {
        Notice::Transition(change) => Some((change.from, change.to)),
        Notice::Dropped(_) => None,
    });
    let states: Vec<_> = states.collect();
    use FlowState::{Dropping, Normal, Paused, Throttled};
    assert_eq!(
        states,
        [
            (Normal, Throttled),
            (Throttled, Paused),
            (Paused, Dropping),
            (Dropping, Throttled),
            (Throttled, Normal)
        ]
    );
    let runs = told.iter().filter_map(|n| match n {
        Notice::Dropped(run) => Some((run.count, run.seqs, run.reason)),
        Notice::Transition(_) => None,
    });
    assert_eq!(runs.collect::<Vec<_>>(), [(1_000, Some((0, 999)), DropReason::Oldest)]);
}

#[test]
fn a_flapping_state_is_told_at_most_twenty_times_a_second() {
    let mut buffer = of(10, DropPolicy::DropOldest);
    buffer.watch();
    fill(&mut buffer, 0..6);
    for n in 0..10_000 {
        buffer.offer(NOW, n);
        buffer.drain(NOW, 1);
    }
    assert_eq!(buffer.notices().len(), 20);
    buffer.finish_notices();
    let told = buffer.notices();
    let [Notice::Transition(last)] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((last.to, last.skipped), (FlowState::Normal, 20_000 - 20 - 1));
}

#[test]
fn an_endless_run_is_told_in_parts() {
    let mut buffer = of(1, DropPolicy::DropNewest);
    buffer.watch();
    for n in 0..200_001 {
        buffer.offer(NOW, n);
    }
    let counts = |told: Vec<Notice>| -> Vec<u64> {
        let runs = told.iter().filter_map(|n| match n {
            Notice::Dropped(run) => Some(run.count),
            Notice::Transition(_) => None,
        });
        runs.collect()
    };
    assert_eq!(counts(buffer.notices()), [LONGEST_RUN; 3]);
    buffer.finish_notices();
    assert_eq!(counts(buffer.notices()), [200_000 - 3 * LONGEST_RUN]);
}

// ---- a naive twin ----

#[derive(Clone, Debug)]
enum Step {
    Offer { key: u64, size: u64 },
    Drain(usize),
    Read,
    Shed(usize),
    Wait(u16),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0u64..6, 1u64..30).prop_map(|(key, size)| Step::Offer { key, size }),
        2 => (0usize..6).prop_map(Step::Drain),
        2 => Just(Step::Read),
        1 => (0usize..4).prop_map(Step::Shed),
        2 => (0u16..20).prop_map(Step::Wait),
    ];
    proptest::collection::vec(step, 0..120)
}

#[derive(Clone, Debug, PartialEq)]
struct Message {
    id: u64,
    key: u64,
    size: u64,
}

/// The same rules, written down plainly: a list and its history.
struct Twin {
    held: Vec<(u64, i64, Message)>,
    capacity: usize,
    bytes: u64,
    policy: DropPolicy,
    keys: bool,
    age: Option<i64>,
    next_seq: u64,
    lost: Vec<u64>,
    read: Vec<u64>,
    refused: u64,
}

impl Twin {
    fn is_full_for(&self, size: u64) -> bool {
        let bytes: u64 = self.held.iter().map(|(_, _, m)| m.size).sum();
        self.held.len() >= self.capacity || bytes + size > self.bytes
    }

    fn lose(&mut self, at: usize) {
        self.lost.push(self.held.remove(at).0);
    }

    fn expire(&mut self, now: i64) {
        while self.age.is_some_and(|age| self.held.first().is_some_and(|(_, at, _)| now - at > age)) {
            self.lose(0);
        }
    }

    /// True when accepted, none when it has to wait.
    fn offer(&mut self, now: i64, message: Message) -> Option<bool> {
        if message.size > self.bytes {
            return Some(false);
        }
        let same = |held: &[(u64, i64, Message)]| held.iter().position(|(_, _, m)| m.key == message.key);
        if self.keys
            && let Some(at) = same(&self.held)
        {
            let mut without = self.held.clone();
            without.remove(at);
            let before = std::mem::replace(&mut self.held, without);
            if self.is_full_for(message.size) {
                self.held = before;
            } else {
                self.lost.push(before[at].0);
            }
        }
        if self.is_full_for(message.size) {
            self.expire(now);
        }
        while self.is_full_for(message.size) {
            match self.policy {
                DropPolicy::DropOldest => self.lose(0),
                DropPolicy::DropAll => {
                    while !self.held.is_empty() {
                        self.lose(0);
                    }
                }
                DropPolicy::DropNewest => {
                    self.refused += 1;
                    return Some(false);
                }
                DropPolicy::Block => return None,
            }
        }
        if self.keys
            && let Some(at) = same(&self.held)
        {
            self.lose(at);
        }
        self.held.push((self.next_seq, now, message));
        self.next_seq += 1;
        Some(true)
    }
}

fn config(capacity: usize, bytes: usize, policy: DropPolicy, aging: bool) -> FlowConfig {
    FlowConfig {
        max_buffer_size: capacity,
        max_buffer_bytes: Some(bytes),
        drop_policy: policy,
        max_age: aging.then_some(Duration::from_millis(15)),
        ..FlowConfig::default()
    }
}

fn policies() -> impl Strategy<Value = DropPolicy> {
    proptest::sample::select(vec![
        DropPolicy::DropOldest,
        DropPolicy::DropNewest,
        DropPolicy::Block,
        DropPolicy::DropAll,
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn the_buffer_and_a_plain_list_agree_and_nothing_is_unaccounted_for(
        script in steps(), capacity in 1usize..8, bytes in 20usize..120, policy in policies(),
        keys: bool, aging: bool,
    ) {
        let shape = Shape {
            size_of: Some(|m: &Message| m.size as usize),
            key_of: if keys { Some((|m: &Message| Some(m.key)) as fn(&Message) -> Option<u64>) } else { None },
            ..Shape::default()
        };
        let mut buffer = FlowBuffer::shaped(config(capacity, bytes, policy, aging), shape).unwrap();
        let mut twin = Twin {
            held: vec![], capacity, bytes: bytes as u64, policy, keys, age: aging.then_some(15),
            next_seq: 0, lost: vec![], read: vec![], refused: 0,
        };
        let (mut now, mut missing, mut expected) = (0i64, 0u64, 0u64);
        for (id, step) in script.into_iter().enumerate() {
            let at = Timestamp::from_millis(now);
            let mut gaps = vec![];
            match step {
                Step::Offer { key, size } => {
                    let message = Message { id: id as u64, key, size };
                    let theirs = twin.offer(now, message.clone());
                    let ours = match buffer.offer(at, message) {
                        Offered::Sent(_) => Some(true),
                        Offered::Refused(_) | Offered::TooLarge(_) => Some(false),
                        Offered::MustWait(_) => None,
                    };
                    prop_assert_eq!(ours, theirs);
                }
                Step::Drain(n) => {
                    twin.expire(now);
                    let drained = buffer.drain(at, n);
                    let take = n.min(twin.held.len());
                    let theirs: Vec<_> = twin.held.drain(..take).collect();
                    twin.read.extend(theirs.iter().map(|(seq, _, _)| *seq));
                    let theirs: Vec<_> = theirs.into_iter().map(|(_, _, m)| m).collect();
                    prop_assert_eq!(drained.messages, theirs);
                    gaps = drained.lagged;
                    expected = twin.read.last().map_or(expected, |last| (last + 1).max(expected));
                }
                Step::Read => {
                    twin.expire(now);
                    match buffer.read(at) {
                        Some(Read::Lagged(gap)) => gaps.push(gap),
                        Some(Read::Message(seq, message)) => {
                            let theirs = twin.held.remove(0);
                            prop_assert_eq!((seq, message), (theirs.0, theirs.2));
                            twin.read.push(seq);
                        }
                        None => prop_assert!(twin.held.is_empty()),
                    }
                }
                Step::Shed(n) => {
                    let shed = buffer.shed(at, n);
                    prop_assert_eq!(shed.len(), n.min(twin.held.len()));
                    for _ in 0..n.min(twin.held.len()) {
                        twin.lose(0);
                    }
                }
                Step::Wait(ms) => now += i64::from(ms),
            }
            // Every gap names exactly messages that were lost, each once.
            for gap in gaps {
                prop_assert_eq!(gap.count, gap.last_seq - gap.first_seq + 1);
                for seq in gap.first_seq..=gap.last_seq {
                    prop_assert!(twin.lost.contains(&seq), "{} was not lost", seq);
                    missing += 1;
                }
            }
            let stats = buffer.stats(at);
            prop_assert!(buffer.len() <= capacity && buffer.load().bytes <= bytes);
            prop_assert_eq!(buffer.len(), twin.held.len());
            prop_assert!(stats.is_balanced(), "{:?}", stats);
            prop_assert_eq!(stats.messages_sent, twin.next_seq);
            prop_assert_eq!(stats.messages_evicted, twin.lost.len() as u64);
            prop_assert_eq!(stats.messages_rejected, twin.refused);
            prop_assert_eq!(stats.messages_delivered, twin.read.len() as u64);
            prop_assert!(twin.read.is_sorted());
            prop_assert_eq!(stats.flow_state == FlowState::Normal, stats.fill_percentage < 0.7);
            prop_assert!((0.0..=1.0).contains(&stats.drop_rate));
        }
        // Read to the end: every number was either read or named in a gap.
        loop {
            match buffer.read(Timestamp::from_millis(now)) {
                Some(Read::Lagged(gap)) => missing += gap.count,
                Some(Read::Message(seq, _)) => twin.read.push(seq),
                None => break,
            }
        }
        prop_assert_eq!(twin.read.len() as u64 + missing, twin.next_seq);
        prop_assert!(twin.read.is_sorted());
    }
}

#[test]
fn runs_that_follow_each_other_too_fast_are_told_as_one() {
    // A buffer of one that is read after every second offer: each second offer drops, and the run ends at once.
    let mut buffer = FlowBuffer::new(FlowConfig { max_buffer_size: 1, ..FlowConfig::default() }).unwrap();
    buffer.watch();
    let at = Timestamp::from_millis;
    let told = |notices: Vec<Notice>| -> Vec<u64> {
        let run = |notice: &Notice| match notice {
            Notice::Dropped(run) => Some(run.count),
            Notice::Transition(_) => None,
        };
        notices.iter().filter_map(run).collect()
    };
    for n in 0..1_000 {
        buffer.offer(at(5_000), 2 * n);
        buffer.offer(at(5_000), 2 * n + 1);
        buffer.drain(at(5_000), 1);
    }
    assert_eq!(told(buffer.notices()), [1; 20]);
    buffer.offer(at(6_000), 1);
    buffer.offer(at(6_000), 2);
    buffer.drain(at(6_000), 1);
    assert_eq!(told(buffer.notices()), [981], "the next second tells what was held back, as one");
}

#[test]
fn a_smaller_buffer_drops_nothing_and_takes_nothing_until_enough_was_read() {
    let now = Timestamp::EPOCH;
    for policy in [DropPolicy::DropOldest, DropPolicy::DropNewest, DropPolicy::DropAll, DropPolicy::Block] {
        let config = FlowConfig { drop_policy: policy, max_buffer_size: 4, ..FlowConfig::default() };
        let mut buffer = FlowBuffer::new(config.clone()).unwrap();
        (0..4).for_each(|n| assert!(matches!(buffer.offer(now, n), Offered::Sent(_))));
        buffer.reconfigure(now, FlowConfig { max_buffer_size: 2, ..config.clone() }).unwrap();
        assert_eq!((buffer.len(), buffer.state()), (4, FlowState::Paused));
        let refused = |offered| matches!(offered, Offered::Refused(9) | Offered::MustWait(9));
        assert!(refused(buffer.offer(now, 9)), "{policy:?}");
        assert_eq!(buffer.drain(now, 1).messages, [0]);
        assert!(refused(buffer.offer(now, 9)), "{policy:?}: still more than fits");
        assert_eq!(buffer.drain(now, 2).messages, [1, 2]);
        assert!(matches!(buffer.offer(now, 5), Offered::Sent(_)));
        let stats = buffer.stats(now);
        assert_eq!((stats.messages_sent, stats.messages_delivered, stats.evicted_oldest), (5, 3, 0));
        let bad = FlowConfig { max_buffer_size: 0, ..config };
        assert!(buffer.reconfigure(now, bad).is_err() && buffer.flow().config().max_buffer_size == 2);
    }
}
