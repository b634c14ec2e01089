//! Outgoing queues beside a naive twin: one plain list per destination, searched from the front, and the times of use
//! looked through for the one to be forgotten. What one may do, the other does, and nothing is unaccounted for.

use proptest::prelude::*;
use quorate_core::load::flow::{Lagged, NotPlaced, Outgoing, OutgoingConfig, OutgoingState, Ratio, Read};

/// A message: its name, and whether it never gives way.
type Message = (u64, bool);

#[derive(Clone, Debug)]
enum Act {
    Put(u8, bool),
    Take(u8),
    TakeMany(u8, usize),
    Serve(u8),
    Rest(u8),
    Forget(u8),
}

#[derive(Debug)]
struct Queue {
    destination: u8,
    /// Numbers and messages, in order.
    queued: Vec<(u64, Message)>,
    next_seq: u64,
    expected: u64,
    served: bool,
    used: u64,
    offered: u64,
    taken: u64,
    dropped: u64,
    refused: u64,
}

/// What a put does: number and what gave way, or who was forgotten with what; or why not.
type Put = Result<(u64, Vec<(u64, Message)>, Option<(u8, Vec<(u64, Message)>)>), NotPlaced<Message>>;

#[derive(Debug)]
struct Twin {
    primary: usize,
    overflow: usize,
    most: usize,
    queues: Vec<Queue>,
    uses: u64,
}

impl Twin {
    fn of(&mut self, destination: u8) -> Option<&mut Queue> {
        self.uses += 1;
        let uses = self.uses;
        let queue = self.queues.iter_mut().find(|queue| queue.destination == destination)?;
        queue.used = uses;
        Some(queue)
    }

    fn put(&mut self, destination: u8, message: Message) -> Put {
        let mut forgotten = None;
        if !self.queues.iter().any(|queue| queue.destination == destination) {
            if self.queues.len() == self.most {
                let idle = |queue: &&Queue| queue.queued.is_empty();
                let free = self
                    .queues
                    .iter()
                    .filter(|queue| !queue.served && queue.queued.iter().all(|(_, (_, critical))| !critical));
                let chosen = free.clone().filter(idle).min_by_key(|queue| queue.used);
                let chosen = chosen.or_else(|| free.min_by_key(|queue| queue.used));
                let Some(chosen) = chosen.map(|queue| queue.destination) else {
                    return Err(NotPlaced::TooManyDestinations(message));
                };
                let at = self.queues.iter().position(|queue| queue.destination == chosen).unwrap();
                forgotten = Some((chosen, self.queues.remove(at).queued));
            }
            let (next_seq, expected, served, used) = (0, 0, false, 0);
            let (offered, taken, dropped, refused) = (0, 0, 0, 0);
            let queued = Vec::new();
            self.queues.push(Queue {
                destination,
                queued,
                next_seq,
                expected,
                served,
                used,
                offered,
                taken,
                dropped,
                refused,
            });
        }
        let (primary, most) = (self.primary, self.primary + self.overflow);
        let queue = self.of(destination).unwrap();
        queue.offered += 1;
        let mut gave_way = Vec::new();
        if queue.queued.len() == most {
            let plain = |(_, (_, critical)): &(u64, Message)| !critical;
            let in_ring = queue.queued[primary..].iter().position(plain).map(|at| at + primary);
            let at = in_ring.or_else(|| queue.queued.iter().position(plain).filter(|_| message.1));
            let Some(at) = at else {
                queue.refused += 1;
                return Err(NotPlaced::Saturated(message));
            };
            gave_way.push(queue.queued.remove(at));
            queue.dropped += 1;
        }
        let seq = queue.next_seq;
        queue.next_seq += 1;
        queue.queued.push((seq, message));
        Ok((seq, gave_way, forgotten))
    }

    fn take(&mut self, destination: u8) -> Option<Read<Message>> {
        let queue = self.queues.iter().find(|queue| queue.destination == destination)?;
        if queue.queued.is_empty() && queue.expected == queue.next_seq {
            return None;
        }
        let queue = self.of(destination)?;
        let found = queue.queued.first().map_or(queue.next_seq, |(seq, _)| *seq);
        if found > queue.expected {
            let (first_seq, last_seq) = (queue.expected, found - 1);
            queue.expected = found;
            return Some(Read::Lagged(Lagged { count: found - first_seq, first_seq, last_seq }));
        }
        queue.expected += 1;
        queue.taken += 1;
        let (seq, message) = queue.queued.remove(0);
        Some(Read::Message(seq, message))
    }

    fn state(&self, queued: usize) -> OutgoingState {
        let filled = queued.min(self.primary) * 100;
        match () {
            () if queued == self.primary + self.overflow => OutgoingState::Saturated,
            () if filled >= self.primary * 95 => OutgoingState::Overflow,
            () if filled >= self.primary * 85 => OutgoingState::Batching,
            () if filled >= self.primary * 70 => OutgoingState::Throttled,
            () => OutgoingState::Healthy,
        }
    }
}

fn act() -> impl Strategy<Value = Act> {
    let destination = || 0u8..6;
    prop_oneof![
        24 => (destination(), prop::bool::weighted(0.3)).prop_map(|(to, critical)| Act::Put(to, critical)),
        6 => destination().prop_map(Act::Take),
        2 => (destination(), 0usize..5).prop_map(|(to, n)| Act::TakeMany(to, n)),
        2 => destination().prop_map(Act::Serve),
        2 => destination().prop_map(Act::Rest),
        1 => destination().prop_map(Act::Forget),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn outgoing_queues_and_plain_lists_agree_and_nothing_is_unaccounted_for(
        (primary, overflow, most) in (1usize..22, 1usize..5, 1usize..5),
        acts in prop::collection::vec(act(), 1..200),
    ) {
        let config = OutgoingConfig {
            max_primary: primary,
            max_overflow: overflow,
            max_destinations: most,
            ..OutgoingConfig::default()
        };
        let mut queues = Outgoing::new(config, |message: &Message| message.1).unwrap();
        let mut twin = Twin { primary, overflow, most, queues: Vec::new(), uses: 0 };
        let (mut offered, mut out, mut kept) = (0u64, 0u64, 0u64);
        for (n, act) in acts.into_iter().enumerate() {
            match act {
                Act::Put(to, critical) => {
                    offered += 1;
                    let placed = queues.put(&to, (n as u64, critical)).map(|placed| {
                        let messages = |evicted: quorate_core::load::flow::Evicted<Message>| {
                            evicted.into_messages().collect::<Vec<_>>()
                        };
                        let forgotten = placed.forgotten.map(|gone| (gone.destination, messages(gone.messages)));
                        (placed.seq, messages(placed.evicted), forgotten)
                    });
                    prop_assert_eq!(&placed, &twin.put(to, (n as u64, critical)));
                    let lost = match placed {
                        Ok((_, evicted, forgotten)) => {
                            let forgotten = forgotten.into_iter().flat_map(|(_, messages)| messages);
                            evicted.into_iter().chain(forgotten).collect()
                        }
                        Err(refused) => vec![(0, refused.into_message())],
                    };
                    out += lost.len() as u64;
                    // What gave way was not critical; only the newcomer itself may be.
                    prop_assert!(lost.iter().all(|(_, (name, critical))| !critical || *name == n as u64));
                }
                Act::Take(to) => {
                    let read = queues.take(&to);
                    prop_assert_eq!(&read, &twin.take(to));
                    out += u64::from(matches!(read, Some(Read::Message(..))));
                }
                Act::TakeMany(to, most) => {
                    let drained = queues.take_many(&to, most);
                    let (mut messages, mut lagged) = (Vec::new(), Vec::new());
                    while messages.len() < most {
                        match twin.take(to) {
                            Some(Read::Message(_, message)) => messages.push(message),
                            Some(Read::Lagged(gap)) => lagged.push(gap),
                            None => break,
                        }
                    }
                    out += messages.len() as u64;
                    prop_assert_eq!((drained.messages, drained.lagged), (messages, lagged));
                }
                Act::Serve(to) => {
                    let begins = twin.of(to).is_some_and(|queue| !std::mem::replace(&mut queue.served, true));
                    prop_assert_eq!(queues.serve(&to), begins);
                }
                Act::Rest(to) => {
                    queues.rest(&to);
                    if let Some(queue) = twin.of(to) {
                        queue.served = false;
                    }
                }
                Act::Forget(to) => {
                    let gone = queues.forget(&to);
                    let gone = gone.map(|gone| gone.messages.into_messages().collect::<Vec<_>>());
                    let known = twin.of(to).map(|queue| {
                        queue.dropped += queue.queued.len() as u64;
                        std::mem::take(&mut queue.queued)
                    });
                    prop_assert_eq!(&gone, &known);
                    kept += gone.map_or(0, |messages| messages.len() as u64);
                    twin.queues.retain(|queue| queue.destination != to || queue.served);
                }
            }
            prop_assert!(twin.queues.len() <= most);
            let mut queued = 0;
            let mut known: Vec<&Queue> = twin.queues.iter().collect();
            known.sort_by_key(|queue| queue.destination);
            prop_assert_eq!(queues.stats().destinations, known.len());
            for ((destination, status), queue) in queues.each().zip(known) {
                let (counts, length) = (status.counts, queue.queued.len());
                prop_assert_eq!(*destination, queue.destination);
                prop_assert_eq!(status.state, twin.state(length));
                prop_assert_eq!(queues.state(destination), status.state);
                prop_assert_eq!(queues.suggested_delay(destination), status.suggested_delay());
                prop_assert_eq!((status.primary, status.overflow), (length.min(primary), length.saturating_sub(primary)));
                prop_assert!(status.overflow <= overflow);
                let naive = (queue.offered, queue.taken, queue.dropped, queue.refused, length as u64);
                let counted = (counts.offered, counts.taken, counts.dropped, counts.refused, counts.queued);
                prop_assert_eq!(counted, naive);
                prop_assert!(counts.is_balanced());
                queued += counts.queued;
            }
            let totals = queues.stats().counts;
            prop_assert!(totals.is_balanced());
            prop_assert_eq!((totals.offered, totals.queued), (offered, queued));
            prop_assert_eq!(totals.taken + totals.dropped + totals.refused, out + kept);
        }
    }

    #[test]
    fn states_begin_at_the_first_count_that_reaches_their_threshold(
        primary in 1usize..400,
        overflow in 1usize..4,
        mut marks in prop::array::uniform3(1u64..=1_000),
    ) {
        marks.sort_unstable();
        let [throttled, batching, full] = marks.map(|mark| format!("{mark}/1000").parse::<Ratio>().unwrap());
        let config = OutgoingConfig {
            max_primary: primary,
            max_overflow: overflow,
            throttled_threshold: throttled,
            batching_threshold: batching,
            overflow_threshold: full,
            ..OutgoingConfig::default()
        };
        let mut queues = Outgoing::new(config, |(): &()| false).unwrap();
        let mut delay = std::time::Duration::ZERO;
        for queued in 1..=primary + overflow {
            let state = queues.put(&0, ()).unwrap().state;
            let reached = marks.iter().filter(|mark| (queued.min(primary) * 1_000) as u64 >= *mark * primary as u64);
            let expected = match (queued == primary + overflow, reached.count()) {
                (true, _) => OutgoingState::Saturated,
                (false, 3) => OutgoingState::Overflow,
                (false, 2) => OutgoingState::Batching,
                (false, 1) => OutgoingState::Throttled,
                (false, _) => OutgoingState::Healthy,
            };
            prop_assert_eq!(state, expected);
            prop_assert!(queues.suggested_delay(&0) >= delay);
            delay = queues.suggested_delay(&0);
        }
    }
}
