//! The line: order, grants, leaving, closing. Small cases by hand, then every interleaving of three senders and a reader.

use super::*;
use crate::load::flow::{DropPolicy, FlowConfig, Shape};

const NOW: Timestamp = Timestamp::EPOCH;

fn now() -> Timestamp {
    NOW
}

type Line = Gate<u64, u64>;

fn gate(capacity: usize, policy: DropPolicy) -> Line {
    let config = FlowConfig { max_buffer_size: capacity, drop_policy: policy, ..FlowConfig::default() };
    Gate::new(FlowBuffer::new(config).unwrap())
}

fn fill(gate: &mut Line, count: u64) {
    for n in 0..count {
        assert_eq!(gate.enter(&now, 0, Manner::TrySend), Pass::Go);
        gate.put(&now, n, 0);
    }
}

/// Sends through the gate and gives the ticket when it has to wait.
fn wait(gate: &mut Line) -> Ticket {
    match gate.enter(&now, 0, Manner::Send) {
        Pass::Wait { ticket, .. } => {
            assert_eq!(gate.claim(ticket, |_| ticket), Claim::Waiting);
            ticket
        }
        other => panic!("{other:?}"),
    }
}

fn wakes(gate: &mut Line) -> Vec<u64> {
    gate.take_wakes()
}

fn read(gate: &mut Line) -> Option<u64> {
    loop {
        match gate.take(&now) {
            Some(Read::Message(_, message)) => return Some(message),
            Some(Read::Lagged(_)) => {}
            None => return None,
        }
    }
}

#[test]
fn one_freed_slot_wakes_one_waiter_in_the_order_of_arrival() {
    let mut gate = gate(2, DropPolicy::Block);
    fill(&mut gate, 2);
    let [a, b, c] = [(); 3].map(|()| wait(&mut gate));
    assert!(wakes(&mut gate).is_empty());
    read(&mut gate);
    assert_eq!(wakes(&mut gate), [a]);
    assert_eq!(gate.claim(b, |_| b), Claim::Waiting);
    read(&mut gate);
    assert_eq!(wakes(&mut gate), [b]);
    assert_eq!(gate.claim(b, |_| b), Claim::Granted);
    assert!(matches!(gate.put_held(&now, 11, 0, 0), Offered::Sent(_)));
    assert_eq!(gate.claim(a, |_| a), Claim::Granted);
    assert!(matches!(gate.put_held(&now, 10, 0, 0), Offered::Sent(_)));
    assert_eq!((gate.waiting(), gate.buffer().len()), (1, 2));
    gate.cancel(c);
    assert_eq!(gate.waiting(), 0);
}

#[test]
fn who_comes_late_does_not_overtake_even_where_there_is_room() {
    let mut gate = gate(10, DropPolicy::Block);
    fill(&mut gate, 9);
    // Paused and not full: the first in line waits for the fill to fall below 0.7.
    let first = wait(&mut gate);
    read(&mut gate);
    read(&mut gate);
    assert_eq!((gate.buffer().len(), wakes(&mut gate).len()), (7, 0));
    assert_eq!(gate.enter(&now, 0, Manner::TrySend), Pass::Full);
    assert!(matches!(gate.enter(&now, 0, Manner::SendAfterDelay), Pass::Wait { paused: false, .. }));
    read(&mut gate);
    assert_eq!(gate.buffer().len(), 6);
    // Below the mark the first goes, and the second, whose delay has passed, right behind it.
    assert_eq!(wakes(&mut gate), [first]);
    assert_eq!(gate.waiting(), 0);
}

#[test]
fn waiters_are_released_up_to_the_resume_mark_and_not_all_at_once() {
    let mut gate = gate(10, DropPolicy::Block);
    fill(&mut gate, 9);
    let tickets = [(); 5].map(|()| wait(&mut gate));
    for _ in 0..4 {
        read(&mut gate);
    }
    // 5 are buffered; 2 more reach the mark of 7.
    assert_eq!(wakes(&mut gate), tickets[..2]);
    assert_eq!(gate.waiting(), 3);
}

#[test]
fn after_its_pause_a_sender_goes_if_there_is_room() {
    let mut gate = gate(10, DropPolicy::Block);
    fill(&mut gate, 9);
    let [a, b] = [(); 2].map(|()| wait(&mut gate));
    gate.ripen(b);
    assert_eq!(gate.claim(b, |_| b), Claim::Waiting, "the first still pauses");
    gate.ripen(a);
    assert_eq!(gate.claim(a, |_| a), Claim::Granted);
    gate.put_held(&now, 9, 0, 0);
    assert_eq!(gate.claim(b, |_| b), Claim::Waiting, "full");
    read(&mut gate);
    assert_eq!(gate.claim(b, |_| b), Claim::Granted);
}

#[test]
fn after_its_pause_a_dropping_policy_acts_if_there_is_no_room() {
    for policy in [DropPolicy::DropOldest, DropPolicy::DropNewest] {
        let mut gate = gate(10, policy);
        fill(&mut gate, 9);
        let [a, b] = [(); 2].map(|()| wait(&mut gate));
        gate.ripen(b);
        gate.ripen(a);
        assert_eq!(gate.claim(a, |_| a), Claim::Granted);
        gate.put_held(&now, 100, 0, 0);
        assert_eq!(wakes(&mut gate), [a, b]);
        assert_eq!(gate.claim(b, |_| b), Claim::Act);
        let offered = gate.put(&now, 101, 0);
        assert_eq!(matches!(offered, Offered::Sent(_)), policy == DropPolicy::DropOldest);
        assert_eq!(gate.buffer().len(), 10);
    }
}

#[test]
fn a_full_buffer_under_a_dropping_policy_makes_nobody_wait() {
    let mut gate = gate(10, DropPolicy::DropOldest);
    fill(&mut gate, 10);
    assert_eq!(gate.enter(&now, 0, Manner::Send), Pass::Go);
    assert_eq!(gate.enter(&now, 0, Manner::TrySend), Pass::Go);
    assert!(matches!(gate.enter(&now, 0, Manner::Reserve), Pass::Wait { paused: false, .. }));
    let mut blocking = self::gate(10, DropPolicy::Block);
    fill(&mut blocking, 10);
    assert_eq!(blocking.enter(&now, 0, Manner::TrySend), Pass::Full);
    assert!(matches!(blocking.enter(&now, 0, Manner::Send), Pass::Wait { paused: false, .. }));
}

#[test]
fn a_grant_that_is_given_up_goes_to_the_next() {
    let mut gate = gate(1, DropPolicy::Block);
    fill(&mut gate, 1);
    let [a, b] = [(); 2].map(|()| wait(&mut gate));
    read(&mut gate);
    assert_eq!(wakes(&mut gate), [a]);
    gate.cancel(a);
    assert_eq!(wakes(&mut gate), [b]);
    assert_eq!(gate.claim(b, |_| b), Claim::Granted);
}

#[test]
fn closing_tells_all_who_wait_and_takes_their_grants_back() {
    let mut gate = gate(1, DropPolicy::Block);
    fill(&mut gate, 1);
    let [a, b] = [(); 2].map(|()| wait(&mut gate));
    read(&mut gate);
    gate.wait_to_read(77);
    gate.close();
    assert_eq!(wakes(&mut gate), [a, b, 77]);
    assert_eq!(gate.claim(a, |_| a), Claim::Closed);
    assert_eq!(gate.claim(b, |_| b), Claim::Closed);
    assert!(gate.is_finished());
    assert_eq!(gate.enter(&now, 0, Manner::Send), Pass::Closed);
}

#[test]
fn a_closed_stream_is_not_finished_while_a_permit_is_out() {
    let mut gate = gate(4, DropPolicy::Block);
    assert_eq!(gate.enter(&now, 0, Manner::Reserve), Pass::Go);
    assert_eq!(gate.enter(&now, 0, Manner::Reserve), Pass::Go);
    gate.close();
    gate.wait_to_read(77);
    assert!(!gate.is_finished());
    assert!(matches!(gate.put_held(&now, 5, 0, 0), Offered::Sent(_)));
    assert_eq!(wakes(&mut gate), [77]);
    gate.wait_to_read(78);
    assert_eq!(read(&mut gate), Some(5));
    assert!(!gate.is_finished());
    gate.release(0);
    assert!(gate.is_finished());
    assert_eq!(wakes(&mut gate), [78]);
}

#[test]
fn one_wait_is_one_pause_event_and_a_throttled_decision_one_throttle_event() {
    let mut gate = gate(10, DropPolicy::Block);
    let events = |gate: &Line| {
        let stats = gate.buffer().stats(NOW);
        (stats.throttle_events, stats.pause_events)
    };
    fill(&mut gate, 7);
    assert_eq!(gate.enter(&now, 0, Manner::Send), Pass::Go, "the delay at the threshold is 0");
    assert_eq!(events(&gate), (1, 0));
    gate.put(&now, 7, 0);
    assert_eq!(gate.enter(&now, 0, Manner::Send), Pass::Delay(Duration::from_millis(250)));
    assert_eq!(gate.enter(&now, 0, Manner::SendAfterDelay), Pass::Go);
    gate.put(&now, 8, 0);
    assert_eq!(events(&gate), (2, 0));
    let ticket = wait(&mut gate);
    gate.ripen(ticket);
    gate.claim(ticket, |_| ticket);
    gate.put_held(&now, 9, 0, 0);
    assert_eq!(events(&gate), (2, 1));
    let blocked = wait(&mut gate);
    for _ in 0..5 {
        gate.claim(blocked, |_| blocked);
    }
    assert_eq!(events(&gate), (2, 2));
}

#[test]
fn a_large_message_waits_for_its_bytes_and_holds_up_the_small_ones() {
    let config =
        FlowConfig { max_buffer_bytes: Some(100), drop_policy: DropPolicy::Block, ..FlowConfig::default() };
    let shape = Shape { size_of: Some(|n: &u64| *n as usize), ..Shape::default() };
    let mut gate: Line = Gate::new(FlowBuffer::shaped(config, shape).unwrap());
    for _ in 0..3 {
        gate.put(&now, 20, 20);
    }
    let Pass::Wait { ticket: large, paused: false } = gate.enter(&now, 90, Manner::Send) else { panic!() };
    let Pass::Wait { ticket: small, .. } = gate.enter(&now, 10, Manner::Send) else { panic!() };
    read(&mut gate);
    read(&mut gate);
    assert_eq!(gate.claim(large, |_| 0), Claim::Waiting);
    assert_eq!(gate.claim(small, |_| 1), Claim::Waiting);
    read(&mut gate);
    assert_eq!(gate.claim(large, |_| 0), Claim::Granted);
    gate.put_held(&now, 90, 90, 90);
    assert_eq!(gate.claim(small, |_| 1), Claim::Granted);
    assert_eq!(gate.enter(&now, 101, Manner::Send), Pass::TooLarge);
}

#[test]
fn old_messages_make_room_for_those_who_would_wait() {
    let config = FlowConfig {
        max_buffer_size: 2,
        drop_policy: DropPolicy::Block,
        max_age: Some(Duration::from_millis(10)),
        ..FlowConfig::default()
    };
    let mut gate: Line = Gate::new(FlowBuffer::new(config).unwrap());
    fill(&mut gate, 2);
    let ticket = wait(&mut gate);
    let later = || Timestamp::from_millis(11);
    // The one in line comes first, then the newcomer.
    assert_eq!(gate.enter(&later, 0, Manner::Send), Pass::Go);
    assert_eq!(gate.claim(ticket, |_| ticket), Claim::Granted);
    assert_eq!(gate.take_trash().len(), 2);
}

// ---- every interleaving ----

#[derive(Clone, Copy, Debug, PartialEq)]
enum Act {
    Enter(usize),
    Look(usize),
    Ripen(usize),
    Cancel(usize),
    Read,
    Close,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum At {
    Outside,
    InLine { ticket: Ticket, armed: bool },
    Done,
}

/// Three senders with one message each before a gate, and what must always hold.
struct World {
    gate: Line,
    senders: [At; 3],
    woken: Vec<u64>,
    /// Tickets in the order in which they got in.
    in_order: Vec<Ticket>,
    seen: usize,
    lost: u64,
    given_back: u64,
}

impl World {
    fn new(capacity: usize, buffered: u64, policy: DropPolicy) -> Self {
        let mut gate = gate(capacity, policy);
        fill(&mut gate, buffered);
        World {
            gate,
            senders: [At::Outside; 3],
            woken: vec![],
            in_order: vec![],
            seen: 0,
            lost: 0,
            given_back: 0,
        }
    }

    fn choices(&self) -> Vec<Act> {
        let mut out = vec![Act::Read];
        // Senders are alike: the next to come is always the first that is outside.
        out.extend(self.senders.iter().position(|s| *s == At::Outside).map(Act::Enter));
        for (n, sender) in self.senders.iter().enumerate() {
            if let At::InLine { .. } = sender {
                out.extend([Act::Look(n), Act::Ripen(n), Act::Cancel(n)]);
            }
        }
        if !self.gate.is_closed() {
            out.push(Act::Close);
        }
        out
    }

    fn put(&mut self, offered: Offered<u64>) {
        match offered {
            Offered::Sent(sent) => self.lost += sent.evicted.len() as u64,
            Offered::Refused(_) | Offered::TooLarge(_) => self.given_back += 1,
            Offered::MustWait(_) => panic!("was let in and has no room"),
        }
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Enter(n) => {
                let waited = self.gate.waiting();
                self.senders[n] = match self.gate.enter(&now, 0, Manner::Send) {
                    Pass::Go => {
                        assert_eq!(waited, 0, "overtook somebody");
                        let offered = self.gate.put(&now, 100 + n as u64, 0);
                        self.put(offered);
                        At::Done
                    }
                    Pass::Wait { ticket, .. } => At::InLine { ticket, armed: false },
                    Pass::Delay(_) => At::Outside,
                    Pass::Closed => {
                        self.given_back += 1;
                        At::Done
                    }
                    other => panic!("{other:?}"),
                };
            }
            Act::Look(n) => {
                let At::InLine { ticket, .. } = self.senders[n] else { return };
                self.senders[n] = match self.gate.claim(ticket, |_| n as u64) {
                    Claim::Granted => {
                        self.in_order.push(ticket);
                        let offered = self.gate.put_held(&now, 100 + n as u64, 0, 0);
                        self.put(offered);
                        At::Done
                    }
                    Claim::Act => {
                        let others = self.senders.iter();
                        let earlier =
                            others.filter(|s| matches!(s, At::InLine { ticket: t, .. } if *t < ticket));
                        let granted = self.gate.granted.keys().filter(|t| **t < ticket).count();
                        assert_eq!(earlier.count(), granted, "acted before its turn");
                        let offered = self.gate.put(&now, 100 + n as u64, 0);
                        self.put(offered);
                        At::Done
                    }
                    Claim::Closed => {
                        assert!(self.gate.is_closed());
                        self.given_back += 1;
                        At::Done
                    }
                    Claim::Waiting => At::InLine { ticket, armed: true },
                };
            }
            Act::Ripen(n) => {
                if let At::InLine { ticket, .. } = self.senders[n] {
                    self.gate.ripen(ticket);
                }
            }
            Act::Cancel(n) => {
                if let At::InLine { ticket, .. } = self.senders[n] {
                    self.gate.cancel(ticket);
                    self.senders[n] = At::Done;
                    self.given_back += 1;
                }
            }
            Act::Read => {
                self.seen += usize::from(read(&mut self.gate).is_some());
            }
            Act::Close => self.gate.close(),
        }
        self.woken.extend(self.gate.take_wakes());
        self.check();
    }

    fn check(&self) {
        let buffer = self.gate.buffer();
        let capacity = buffer.flow().config().max_buffer_size;
        assert!(buffer.len() + buffer.held().messages <= capacity, "more than there is room for");
        assert_eq!(buffer.held().messages, self.gate.granted.len());
        assert!(buffer.stats(NOW).is_balanced());
        // Grants go from the front: everyone granted came before everyone who waits.
        if let (Some((last, _)), Some((first, _))) =
            (self.gate.granted.last_key_value(), self.gate.waiting.first_key_value())
        {
            assert!(last < first, "granted out of turn");
        }
        if let Some((_, first)) = self.gate.waiting.first_key_value() {
            assert!(!self.gate.is_closed());
            assert!(first.pausing || !buffer.has_room(0), "the first in line could go and does not");
            let resumes = buffer.flow().resumes(buffer.occupied());
            assert!(!(resumes && buffer.has_room(0)), "drained and nobody was let in");
        }
    }

    /// From here on everybody acts as a task does: looks once, then only when woken or when its pause has passed.
    fn finish(mut self) {
        for n in 0..3 {
            if let At::InLine { armed: false, .. } = self.senders[n] {
                self.act(Act::Look(n));
            }
        }
        for n in 0..3 {
            // The timer of a task fires, it looks, and goes back to sleep.
            self.act(Act::Ripen(n));
        }
        for _ in 0..20 {
            while let Some(n) = self.woken.pop() {
                self.act(Act::Look(n as usize));
            }
            self.act(Act::Read);
        }
        for sender in self.senders {
            assert!(!matches!(sender, At::InLine { .. }), "somebody was forgotten in line");
        }
        assert!(self.gate.buffer().is_empty());
        assert_eq!(self.gate.buffer().held().messages, 0);
        let stats = self.gate.buffer().stats(NOW);
        assert_eq!(stats.messages_delivered, self.seen as u64);
        assert_eq!(stats.messages_sent, self.seen as u64 + self.lost);
    }
}

fn explore(make: &dyn Fn() -> World, path: &mut Vec<Act>, depth: usize, ran: &mut u64) {
    let mut world = make();
    path.iter().for_each(|act| world.act(*act));
    let choices = world.choices();
    *ran += 1;
    world.finish();
    if path.len() < depth {
        for act in choices {
            path.push(act);
            explore(make, path, depth, ran);
            path.pop();
        }
    }
}

#[test]
fn no_interleaving_overfills_overtakes_or_forgets_anybody() {
    let mut ran = 0;
    for policy in [DropPolicy::Block, DropPolicy::DropOldest, DropPolicy::DropNewest, DropPolicy::DropAll] {
        // Full at once; and paused with one place left.
        for (capacity, buffered) in [(1, 1), (10, 9)] {
            explore(&|| World::new(capacity, buffered, policy), &mut vec![], 6, &mut ran);
        }
    }
    assert!(ran > 40_000, "{ran}");
}
