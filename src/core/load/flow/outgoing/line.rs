//! The queue of one destination: a primary queue, and behind it the overflow ring.
//!
//! ```text
//!   next to be taken ▼                               ▼ newest
//!     primary        0  1  2* 3  │ overflow   4* 5  6            * critical
//!     critical deque       2     │            4
//!     plain deque    0  1     3  │               5  6            each in the order of the numbers
//! ```
//!
//! Each half keeps critical and other messages in a deque of its own. The next to be taken is the lower number of
//! two heads, and the oldest that may give way is the head of one, so nothing is ever searched and nothing leaves a hole.
//!
//! Whenever a place in the primary queue becomes free, the oldest of the ring moves up. So the ring holds something only
//! while the primary queue is full, and the room of both is used before anything is lost.

use std::collections::VecDeque;

use super::config::{Limits, OutgoingState};
use super::parts::OutgoingCounts;
use crate::kernel::time::Timestamp;
use crate::load::flow::parts::{Entry, Lagged, Read};

/// Room that an emptied deque keeps, so that a burst does not hold memory for good.
const KEPT: usize = 16;

/// One half of a line.
#[derive(Debug)]
struct Lane<T> {
    critical: VecDeque<(u64, T)>,
    plain: VecDeque<(u64, T)>,
}

impl<T> Lane<T> {
    const fn new() -> Self {
        Lane { critical: VecDeque::new(), plain: VecDeque::new() }
    }

    fn len(&self) -> usize {
        self.critical.len() + self.plain.len()
    }

    fn of(&mut self, critical: bool) -> &mut VecDeque<(u64, T)> {
        if critical { &mut self.critical } else { &mut self.plain }
    }

    /// The number of the oldest, and whether it is critical.
    fn first(&self) -> Option<(u64, bool)> {
        let critical = self.critical.front().map(|(seq, _)| (*seq, true));
        let plain = self.plain.front().map(|(seq, _)| (*seq, false));
        critical.into_iter().chain(plain).min()
    }
}

/// The queue of one destination.
#[derive(Debug)]
pub(super) struct Line<D, T> {
    pub destination: D,
    pub counts: OutgoingCounts,
    /// Somebody is carrying its messages, so it is in use even while it is empty.
    pub served: bool,
    /// When it was last used, as a number that grows with every use.
    pub used: u64,
    primary: Lane<T>,
    overflow: Lane<T>,
    next_seq: u64,
    /// The next number its reader expects.
    read_seq: u64,
}

impl<D, T> Line<D, T> {
    pub fn new(destination: D) -> Self {
        Line {
            destination,
            counts: OutgoingCounts::default(),
            served: false,
            used: 0,
            primary: Lane::new(),
            overflow: Lane::new(),
            next_seq: 0,
            read_seq: 0,
        }
    }

    pub fn len(&self) -> usize {
        self.primary.len() + self.overflow.len()
    }

    pub fn primary_len(&self) -> usize {
        self.primary.len()
    }

    pub fn overflow_len(&self) -> usize {
        self.overflow.len()
    }

    pub fn has_critical(&self) -> bool {
        !(self.primary.critical.is_empty() && self.overflow.critical.is_empty())
    }

    pub fn state(&self, limits: &Limits) -> OutgoingState {
        limits.state(self.primary.len(), self.overflow.len())
    }

    /// Puts a message behind all others: its number, and what gave way to it. An error hands the message back.
    pub fn put(&mut self, limits: &Limits, message: T, critical: bool) -> Result<(u64, Option<Entry<T>>), T> {
        self.counts.offered += 1;
        let mut dropped = None;
        if self.primary.len() >= limits.primary && self.overflow.len() >= limits.overflow {
            dropped = self.give_way(critical);
            if dropped.is_none() {
                self.counts.refused += 1;
                return Err(message);
            }
            self.counts.dropped += 1;
            self.counts.queued -= 1;
        }
        let seq = self.next_seq;
        self.next_seq += 1;
        let lane = if self.primary.len() < limits.primary { &mut self.primary } else { &mut self.overflow };
        lane.of(critical).push_back((seq, message));
        self.counts.queued += 1;
        Ok((seq, dropped))
    }

    /// What gives way to a newcomer: the oldest of the ring that is not critical; to a critical one also the oldest of
    /// the primary queue.
    fn give_way(&mut self, critical: bool) -> Option<Entry<T>> {
        let (seq, message) = match self.overflow.plain.pop_front() {
            Some(oldest) => oldest,
            None if critical => {
                let oldest = self.primary.plain.pop_front()?;
                self.move_up();
                oldest
            }
            None => return None,
        };
        Some(entry(seq, message))
    }

    /// The next message, or the gap before it.
    pub fn take(&mut self) -> Option<Read<T>> {
        let first = self.primary.first();
        let found = first.map_or(self.next_seq, |(seq, _)| seq);
        if found > self.read_seq {
            let gap = Lagged { count: found - self.read_seq, first_seq: self.read_seq, last_seq: found - 1 };
            self.read_seq = found;
            return Some(Read::Lagged(gap));
        }
        let (seq, message) = self.primary.of(first?.1).pop_front()?;
        self.move_up();
        self.read_seq = seq + 1;
        self.counts.queued -= 1;
        self.counts.taken += 1;
        if self.counts.queued == 0 {
            self.shrink();
        }
        Some(Read::Message(seq, message))
    }

    /// Everything in it, in order; counted as dropped.
    pub fn clear(&mut self) -> VecDeque<Entry<T>> {
        let mut all = VecDeque::with_capacity(self.len());
        while let Some((_, critical)) = self.primary.first()
            && let Some((seq, message)) = self.primary.of(critical).pop_front()
        {
            all.push_back(entry(seq, message));
            self.move_up();
        }
        self.shrink();
        self.counts.dropped += all.len() as u64;
        self.counts.queued = 0;
        all
    }

    /// A place in the primary queue has become free: it is the oldest of the ring that takes it.
    fn move_up(&mut self) {
        if let Some((_, critical)) = self.overflow.first()
            && let Some(oldest) = self.overflow.of(critical).pop_front()
        {
            self.primary.of(critical).push_back(oldest);
        }
    }

    fn shrink(&mut self) {
        for lane in [&mut self.primary, &mut self.overflow] {
            lane.critical.shrink_to(KEPT);
            lane.plain.shrink_to(KEPT);
        }
    }
}

fn entry<T>(seq: u64, message: T) -> Entry<T> {
    // How old or large it is plays no part here.
    Entry { seq, at: Timestamp::EPOCH, size: 0, message: Some(message) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::flow::OutgoingConfig;

    #[test]
    fn memory_of_a_burst_is_given_back_when_the_queue_is_empty_again() {
        let limits = Limits::new(&OutgoingConfig::default());
        let mut line = Line::new(());
        let held = |line: &Line<(), u32>| {
            let lanes = [&line.primary, &line.overflow];
            lanes.iter().map(|lane| lane.plain.capacity() + lane.critical.capacity()).sum::<usize>()
        };
        for message in 0..600 {
            line.put(&limits, message, message % 2 == 0).unwrap();
        }
        assert!(held(&line) >= 600);
        while line.take().is_some() {}
        assert!(held(&line) <= 4 * KEPT, "{}", held(&line));
        line.put(&limits, 0, false).unwrap();
        assert_eq!(line.clear().len(), 1);
        assert!(held(&line) <= 4 * KEPT);
    }
}
