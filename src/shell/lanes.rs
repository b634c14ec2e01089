//! What waits for one entity: two lanes, so that control does not stand behind reads.
//!
//! ```text
//!  registry ── push ──► first   votes, leases, cancellation, every other command, deadlines ─┐ pop ──► the actor,
//!                  └──► then    reads, progress                                             ─┘         one per turn
//! ```
//!
//! *Order.* Within a lane requests keep the order in which they were sent. So commands of one caller are carried out in
//! its order, whatever waits beside them: a vote never passes the start of its quorum. What may be passed is a read, which
//! then shows the newer state, and progress, which is cumulative and says nothing that a later command contradicts: one
//! that comes after the end of its job is answered as such. A caller that wants its read before its command waits for
//! the answer.
//!
//! *Nobody starves.* After so many of the first lane in a row one of the other lane has its turn.
//!
//! # Source
//! H. Zhou et al., *Overload Control for Scaling WeChat Microservices*, SoCC 2018, section 4.2 (priority before
//! queueing order).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use super::entity::{Action, Ask, Errand, Lend, Poke, Wake};
use super::hosts::Hosted;

/// Turns of the first lane in a row, while others wait.
const IN_A_ROW: u32 = 32;

/// Places an empty lane keeps; there are as many lanes as entities.
const KEPT: usize = 16;

/// Where something waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// It is not passed.
    First,
    /// It may be passed.
    Then,
}

/// Something an entity is to do.
pub(crate) enum Queued<M: Hosted> {
    Ask(Ask<M>),
    Lend(Lend<M>),
    Wake(Wake),
    Poke(Poke),
    Errand(Errand),
}

impl<M: Hosted> Queued<M> {
    fn lane(&self) -> Lane {
        match self {
            Queued::Ask(ask) => match &ask.action {
                Action::Command(command, _) => M::lane(command),
                Action::Alone(..) => Lane::First,
                Action::Read | Action::Until(..) => Lane::Then,
            },
            Queued::Lend(_) | Queued::Wake(_) | Queued::Poke(_) | Queued::Errand(_) => Lane::First,
        }
    }
}

struct Waiting<T> {
    first: VecDeque<T>,
    then: VecDeque<T>,
    in_a_row: u32,
    /// The actor is gone: nothing waits any more.
    closed: bool,
}

impl<T> Default for Waiting<T> {
    fn default() -> Self {
        Waiting { first: VecDeque::new(), then: VecDeque::new(), in_a_row: 0, closed: false }
    }
}

impl<T> Waiting<T> {
    /// The item comes back when nobody serves it any more.
    fn push(&mut self, lane: Lane, item: T) -> Option<T> {
        match lane {
            _ if self.closed => return Some(item),
            Lane::First => self.first.push_back(item),
            Lane::Then => self.then.push_back(item),
        }
        None
    }

    fn pop(&mut self) -> Option<T> {
        let passed_over = !self.then.is_empty();
        if (self.in_a_row < IN_A_ROW || !passed_over)
            && let Some(item) = take(&mut self.first)
        {
            self.in_a_row = if passed_over { self.in_a_row + 1 } else { 0 };
            return Some(item);
        }
        self.in_a_row = 0;
        take(&mut self.then)
    }
}

/// The first of a lane. A lane that was long lets go of its memory when it is empty.
fn take<T>(lane: &mut VecDeque<T>) -> Option<T> {
    let item = lane.pop_front();
    if lane.is_empty() && lane.capacity() > KEPT {
        *lane = VecDeque::new();
    }
    item
}

/// The lanes of one actor, between it and the registry.
pub(crate) struct Lanes<M: Hosted>(Arc<Mutex<Waiting<Queued<M>>>>);

impl<M: Hosted> Clone for Lanes<M> {
    fn clone(&self) -> Self {
        Lanes(self.0.clone())
    }
}

impl<M: Hosted> Default for Lanes<M> {
    fn default() -> Self {
        Lanes(Arc::default())
    }
}

impl<M: Hosted> Lanes<M> {
    /// One more waits. Dropped, so that whoever waits for the answer hears of it, when the actor is gone.
    pub(crate) fn push(&self, item: Queued<M>) {
        let lane = item.lane();
        let back = self.0.lock().unwrap_or_else(PoisonError::into_inner).push(lane, item);
        // Without the lock: dropping it may tell somebody.
        drop(back);
    }

    /// The end at which the actor takes.
    pub(crate) fn serving(&self) -> Serving<M> {
        Serving(self.clone())
    }
}

/// The end at which the actor takes. Dropped with the actor, or with what was to start it, it drops what waits. The lanes
/// outlive the actor: the registry of the runtime holds them. An [`Ask`] that is left in them never answers, so its caller
/// waits for ever and with it the handle by which it asked; and where the closure of the ask holds the runtime itself, as a
/// look at the record of load did that was asked for again and again while jobs got on, the two keep each other, the store
/// and its folder alive. `a_runtime_that_ends_lets_go_of_what_waited_and_is_let_go_of` shows it.
pub(crate) struct Serving<M: Hosted>(Lanes<M>);

impl<M: Hosted> Serving<M> {
    /// Whose turn it is.
    pub(crate) fn pop(&self) -> Option<Queued<M>> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}

impl<M: Hosted> Drop for Serving<M> {
    fn drop(&mut self) {
        let mut waiting = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = std::mem::replace(&mut *waiting, Waiting { closed: true, ..Waiting::default() });
        drop(waiting);
        drop(left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting() -> Waiting<u32> {
        Waiting::default()
    }

    #[test]
    fn the_first_lane_passes_the_other_and_each_keeps_its_order() {
        let mut lanes = waiting();
        (0..1_000).for_each(|n| assert!(lanes.push(Lane::Then, n).is_none()));
        (1_000..1_010).for_each(|n| assert!(lanes.push(Lane::First, n).is_none()));
        let order: Vec<u32> = std::iter::from_fn(|| lanes.pop()).collect();
        let expected: Vec<u32> = (1_000..1_010).chain(0..1_000).collect();
        assert_eq!(order, expected);
    }

    #[test]
    fn what_comes_after_the_actor_is_gone_comes_back() {
        let mut lanes = Waiting { closed: true, ..waiting() };
        assert_eq!((lanes.push(Lane::First, 1), lanes.push(Lane::Then, 2)), (Some(1), Some(2)));
        assert_eq!(lanes.pop(), None);
    }

    #[test]
    fn a_lane_that_was_long_keeps_no_memory() {
        let mut lanes = waiting();
        for lane in [Lane::First, Lane::Then] {
            (0..1_000).for_each(|n| assert!(lanes.push(lane, n).is_none()));
        }
        while lanes.pop().is_some() {}
        assert_eq!((lanes.first.capacity(), lanes.then.capacity()), (0, 0));
    }

    #[test]
    fn under_a_flood_of_the_first_lane_the_other_goes_on() {
        let mut lanes = waiting();
        (0..1_000).for_each(|n| assert!(lanes.push(Lane::First, n).is_none()));
        (1_000..1_010).for_each(|n| assert!(lanes.push(Lane::Then, n).is_none()));
        let order: Vec<u32> = std::iter::from_fn(|| lanes.pop()).collect();
        let turns: Vec<usize> =
            order.iter().enumerate().filter(|(_, n)| **n >= 1_000).map(|(at, _)| at).collect();
        assert_eq!(turns, (1..=10).map(|n| n * 33 - 1).collect::<Vec<_>>());
        assert_eq!(order.len(), 1_010);
    }
}
