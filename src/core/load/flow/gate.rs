//! Who may put a message into the buffer, and in which order: waiting, granting, giving up, closing.
//!
//! ```text
//!              enter                        room, first in line             claim
//!  sender ──► Wait(ticket) ──► waiting ──► granted (room is held) ──► buffered, or a permit
//!                                │  cancel      │  cancel: the room goes to the next in line
//!                                ▼              ▼
//! ```
//!
//! | waits for | goes on when first in line and |
//! |---|---|
//! | room (block, reserve) | there is room |
//! | a pause to end | there is room, and the fill fell below `resume_threshold` or the pause has passed |
//! | its turn, the pause passed, a policy that drops | its turn: the policy acts if there is no room |
//!
//! First come, first served: while somebody waits nobody overtakes, whatever the room. One slot that becomes free wakes one
//! waiter. The gate is as pure as the buffer: it hands out the wakers `W` that are to be called, and never waits.

use std::collections::BTreeMap;
use std::time::Duration;

use super::buffer::FlowBuffer;
use super::config::{FlowConfig, FlowConfigError};
use super::notice::Notice;
use super::parts::{Drained, Evicted, Offered, Read};
use super::state::FlowState;
use crate::kernel::time::Timestamp;

/// A place in the line.
pub type Ticket = u64;

/// How somebody comes to the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// With a message, ready to wait.
    Send,
    /// The same, after the delay it was given.
    SendAfterDelay,
    /// With a message, not ready to wait.
    TrySend,
    /// For a permit, ready to wait. Nothing is dropped for a message that does not exist yet.
    Reserve,
    /// The same, after the delay it was given.
    ReserveAfterDelay,
    /// For a permit, not ready to wait.
    TryReserve,
}

impl Manner {
    fn waits(self) -> bool {
        !matches!(self, Manner::TrySend | Manner::TryReserve)
    }

    fn has_message(self) -> bool {
        matches!(self, Manner::Send | Manner::SendAfterDelay | Manner::TrySend)
    }

    fn was_delayed(self) -> bool {
        matches!(self, Manner::SendAfterDelay | Manner::ReserveAfterDelay)
    }
}

/// The answer at the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// Go on at once; a message is put (the policy acts if there is no room), a permit's room is held.
    Go,
    /// Come back after so long.
    Delay(Duration),
    /// Wait in line; in a pause this is for one `pause_duration` at most.
    Wait {
        /// The place in the line.
        ticket: Ticket,
        /// It waits for a pause to end, else for room.
        paused: bool,
    },
    /// No room, or others wait already.
    Full,
    /// Closed.
    Closed,
    /// Larger than the whole buffer.
    TooLarge,
}

/// How it stands with somebody in line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Room is held: put the message, or keep the permit.
    Granted,
    /// It is its turn, there is no room, and the policy drops: put the message.
    Act,
    /// Still waiting.
    Waiting,
    /// Closed meanwhile.
    Closed,
}

#[derive(Debug)]
struct Waiter<W> {
    size: usize,
    /// Waits for a pause to end, which has not passed yet.
    pausing: bool,
    /// May the policy act for it?
    drops: bool,
    waker: Option<W>,
}

/// A buffer with a line of senders in front and a reader behind.
#[derive(Debug)]
pub struct Gate<T, W> {
    buffer: FlowBuffer<T>,
    waiting: BTreeMap<Ticket, Waiter<W>>,
    /// Size of the room held for each ticket.
    granted: BTreeMap<Ticket, usize>,
    next_ticket: Ticket,
    reader: Option<W>,
    wakes: Vec<W>,
    /// What was dropped for its age, until somebody lets it go outside.
    trash: Evicted<T>,
    closed: bool,
}

impl<T, W> Gate<T, W> {
    /// A gate before this buffer.
    pub fn new(buffer: FlowBuffer<T>) -> Self {
        Gate {
            buffer,
            waiting: BTreeMap::new(),
            granted: BTreeMap::new(),
            next_ticket: 0,
            reader: None,
            wakes: Vec::new(),
            trash: Evicted::none(),
            closed: false,
        }
    }

    /// The buffer.
    pub fn buffer(&self) -> &FlowBuffer<T> {
        &self.buffer
    }

    /// What is worth telling since the last time; see [`FlowBuffer::watch`].
    pub fn notices(&mut self) -> Vec<Notice> {
        self.buffer.notices()
    }

    /// What is still going on is worth telling, too: an open run of drops, changes that were held back.
    pub fn finish_notices(&mut self) {
        self.buffer.finish_notices();
    }

    /// Another configuration from now on; whoever may go on by it goes on. See [`FlowBuffer::reconfigure`].
    ///
    /// # Errors
    /// As [`FlowBuffer::reconfigure`].
    pub fn reconfigure(&mut self, now: Timestamp, config: FlowConfig) -> Result<(), FlowConfigError> {
        let reconfigured = self.buffer.reconfigure(now, config);
        self.pump();
        reconfigured
    }

    /// How many stand in line.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Closed?
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Closed, empty, and no permit left that could still bring a message.
    pub fn is_finished(&self) -> bool {
        self.closed && self.buffer.is_empty() && self.buffer.held().messages == 0
    }

    /// Is anybody to be woken, anything to be let go, anything to be told?
    #[inline]
    pub fn has_work(&self) -> bool {
        !self.wakes.is_empty() || !self.trash.0.is_empty() || self.buffer.has_notices()
    }

    /// Who is to be woken by what was done.
    pub fn take_wakes(&mut self) -> Vec<W> {
        std::mem::take(&mut self.wakes)
    }

    /// What was dropped for its age, to be let go outside of any lock.
    #[inline]
    pub fn take_trash(&mut self) -> Evicted<T> {
        std::mem::replace(&mut self.trash, Evicted::none())
    }

    /// Somebody comes with, or for the room of, a message of this size.
    #[inline]
    pub fn enter(&mut self, now: &impl Fn() -> Timestamp, size: usize, manner: Manner) -> Pass {
        if self.closed {
            return Pass::Closed;
        }
        let mut room = self.buffer.has_room(size);
        if !room {
            if !self.buffer.ever_fits(size) {
                return Pass::TooLarge;
            }
            if self.buffer.expire(now, &mut self.trash) {
                // Those in line come first.
                self.pump();
                room = self.buffer.has_room(size);
            }
        }
        let nobody_waits = self.waiting.is_empty();
        if !manner.waits() {
            return if nobody_waits && (room || manner.has_message() && self.policy_drops()) {
                self.go(size, manner)
            } else {
                Pass::Full
            };
        }
        let verdict = self.buffer.flow().peek(self.buffer.load());
        let mut paused = false;
        if !manner.was_delayed() {
            match verdict.state {
                FlowState::Normal => {}
                FlowState::Throttled => self.buffer.flow().count_throttle(verdict.delay),
                FlowState::Paused | FlowState::Dropping => paused = true,
            }
            if !paused && !verdict.delay.is_zero() {
                return Pass::Delay(verdict.delay);
            }
        }
        if nobody_waits && (room && !paused || !room && manner.has_message() && self.policy_drops()) {
            return self.go(size, manner);
        }
        // In line. With a policy that drops one never waits for room, only for those who came before.
        self.buffer.flow().count_pause();
        let drops = manner.has_message() && self.policy_drops();
        let pausing = paused && (room || drops);
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.waiting.insert(ticket, Waiter { size, pausing, drops, waker: None });
        Pass::Wait { ticket, paused: pausing }
    }

    fn go(&mut self, size: usize, manner: Manner) -> Pass {
        if !manner.has_message() {
            self.buffer.hold(size);
        }
        Pass::Go
    }

    fn policy_drops(&self) -> bool {
        self.buffer.flow().policy().lossy
    }

    /// Puts a message for which [`Pass::Go`] or [`Claim::Act`] was given.
    #[inline]
    pub fn put(&mut self, now: &impl Fn() -> Timestamp, message: T, size: usize) -> Offered<T> {
        let offered = self.buffer.put(now, message, size);
        if matches!(offered, Offered::Sent(_))
            && let Some(reader) = self.reader.take()
        {
            self.wakes.push(reader);
        }
        if !self.waiting.is_empty() {
            self.pump();
        }
        offered
    }

    /// Puts a message into the room that was held for it.
    pub fn put_held(
        &mut self,
        now: &impl Fn() -> Timestamp,
        message: T,
        size: usize,
        held: usize,
    ) -> Offered<T> {
        self.buffer.unhold(held);
        self.put(now, message, size)
    }

    /// Gives back room that was held.
    pub fn release(&mut self, held: usize) {
        self.buffer.unhold(held);
        // The reader may be waiting for the last permit of a closed stream.
        if self.is_finished() {
            self.wakes.extend(self.reader.take());
        }
        self.pump();
    }

    /// How it stands with a ticket. After [`Claim::Granted`], [`Claim::Act`] or [`Claim::Closed`] the ticket is gone. The
    /// waker is asked for while it waits.
    pub fn claim(&mut self, ticket: Ticket, waker: impl FnOnce(Option<W>) -> W) -> Claim {
        if self.granted.remove(&ticket).is_some() {
            return Claim::Granted;
        }
        let is_first = self.waiting.first_key_value().is_some_and(|(first, _)| *first == ticket);
        let Some(waiter) = self.waiting.get_mut(&ticket) else { return Claim::Closed };
        if is_first && waiter.drops && !waiter.pausing {
            self.waiting.remove(&ticket);
            return Claim::Act;
        }
        waiter.waker = Some(waker(waiter.waker.take()));
        Claim::Waiting
    }

    /// The pause of a ticket has passed.
    pub fn ripen(&mut self, ticket: Ticket) {
        if let Some(waiter) = self.waiting.get_mut(&ticket) {
            waiter.pausing = false;
            self.pump();
        }
    }

    /// Somebody leaves the line; the room it was granted goes to the next.
    pub fn cancel(&mut self, ticket: Ticket) {
        if let Some(held) = self.granted.remove(&ticket) {
            self.release(held);
        } else if self.waiting.remove(&ticket).is_some() {
            self.pump();
        }
    }

    /// Takes the next message or gap.
    #[inline]
    pub fn take(&mut self, now: &impl Fn() -> Timestamp) -> Option<Read<T>> {
        let read = self.buffer.take(now, &mut self.trash);
        self.taken();
        read
    }

    /// Takes up to `n` messages.
    pub fn take_many(&mut self, now: &impl Fn() -> Timestamp, n: usize, out: &mut Drained<T>) {
        self.buffer.take_many(now, n, out, &mut self.trash);
        self.taken();
    }

    /// Drops up to `n` of the oldest.
    pub fn shed(&mut self, now: Timestamp, n: usize) -> Evicted<T> {
        let evicted = self.buffer.shed(now, n);
        self.taken();
        evicted
    }

    #[inline]
    fn taken(&mut self) {
        if !self.waiting.is_empty() {
            self.pump();
        }
        if self.closed && self.is_finished() {
            self.wakes.extend(self.reader.take());
        }
    }

    /// The reader waits for the next message.
    pub fn wait_to_read(&mut self, waker: W) {
        self.reader = Some(waker);
    }

    /// Nobody comes in any more. Who waits or was granted room hears of it; permits may still be used.
    pub fn close(&mut self) {
        self.closed = true;
        let waiting = std::mem::take(&mut self.waiting);
        self.wakes.extend(waiting.into_values().filter_map(|waiter| waiter.waker));
        for (_, held) in std::mem::take(&mut self.granted) {
            self.buffer.unhold(held);
        }
        self.wakes.extend(self.reader.take());
        self.buffer.finish_notices();
    }

    /// Lets in who may go, from the front.
    fn pump(&mut self) {
        while let Some(mut first) = self.waiting.first_entry() {
            let waiter = first.get_mut();
            let room = self.buffer.has_room(waiter.size);
            if room && (!waiter.pausing || self.buffer.flow().resumes(self.buffer.occupied())) {
                let (ticket, waiter) = first.remove_entry();
                self.buffer.hold(waiter.size);
                self.granted.insert(ticket, waiter.size);
                self.wakes.extend(waiter.waker);
                continue;
            }
            if waiter.drops && !waiter.pausing {
                // It acts by itself when it is next looked at.
                self.wakes.extend(waiter.waker.take());
            }
            break;
        }
    }
}

#[cfg(test)]
#[path = "gate_test.rs"]
mod tests;
