//! What goes into and comes out of outgoing queues, and what is counted.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::config::OutgoingState;
use crate::load::flow::Evicted;

/// A message was queued.
#[derive(Debug)]
pub struct Placed<D, T> {
    /// Its number at the destination: 0 for the first, then one more for each message queued there.
    pub seq: u64,
    /// The state of the destination with it.
    pub state: OutgoingState,
    /// What gave way to it in the same queue, at most one; the receiver sees a gap.
    pub evicted: Evicted<T>,
    /// The destination that was forgotten to make room for this one.
    pub forgotten: Option<Forgotten<D, T>>,
}

/// A destination was forgotten. When it comes again, its messages are numbered anew.
#[derive(Debug)]
pub struct Forgotten<D, T> {
    /// Which.
    pub destination: D,
    /// What was queued for it, in order; counted as dropped.
    pub messages: Evicted<T>,
}

/// A message was not queued; here it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum NotPlaced<T> {
    /// The queue of its destination is full and nothing in it gives way to it.
    Saturated(T),
    /// There is no place for another destination: all hold critical messages or are being served.
    TooManyDestinations(T),
}

impl<T> NotPlaced<T> {
    /// The message.
    pub fn into_message(self) -> T {
        match self {
            NotPlaced::Saturated(message) | NotPlaced::TooManyDestinations(message) => message,
        }
    }

    fn parts(&self) -> (&'static str, &'static str) {
        match self {
            NotPlaced::Saturated(_) => ("Saturated", "the queue is full and nothing in it gives way"),
            NotPlaced::TooManyDestinations(_) => (
                "TooManyDestinations",
                "too many destinations that hold critical messages or are being served",
            ),
        }
    }
}

impl<T> fmt::Debug for NotPlaced<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(..)", self.parts().0)
    }
}

impl<T> fmt::Display for NotPlaced<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.parts().1)
    }
}

impl<T> std::error::Error for NotPlaced<T> {}

/// What became of messages. At every instant `offered = taken + queued + dropped + refused`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutgoingCounts {
    /// Offered.
    pub offered: u64,
    /// Taken out, to be carried.
    pub taken: u64,
    /// Still there.
    pub queued: u64,
    /// Queued and dropped again, to make room for another message or destination.
    pub dropped: u64,
    /// Handed back at once.
    pub refused: u64,
}

impl OutgoingCounts {
    /// Is every message accounted for?
    pub fn is_balanced(&self) -> bool {
        self.offered == self.taken + self.queued + self.dropped + self.refused
    }
}

/// How it stands with one destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutgoingStatus {
    /// The state.
    pub state: OutgoingState,
    /// What is suggested to senders, in milliseconds.
    pub suggested_delay_ms: u64,
    /// Messages in the primary queue.
    pub primary: usize,
    /// Messages in the overflow ring.
    pub overflow: usize,
    /// What became of its messages since it was last unknown.
    pub counts: OutgoingCounts,
}

impl OutgoingStatus {
    /// The delay as a duration.
    pub fn suggested_delay(&self) -> Duration {
        Duration::from_millis(self.suggested_delay_ms)
    }
}

/// How it stands with all destinations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutgoingStats {
    /// Destinations known.
    pub destinations: usize,
    /// How many can be known at a time.
    pub max_destinations: usize,
    /// Destinations forgotten to make room for others.
    pub forgotten: u64,
    /// What became of the messages of all destinations, forgotten ones and those that found no place included.
    pub counts: OutgoingCounts,
}
