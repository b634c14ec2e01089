//! What goes into and comes out of the buffer.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::kernel::time::Timestamp;

/// What the buffer asks about a message.
#[derive(Debug)]
pub struct Shape<T> {
    /// Its bytes, where `max_buffer_bytes` counts them.
    pub size_of: Option<fn(&T) -> usize>,
    /// Its key, where only the newest message of a key matters.
    pub key_of: Option<fn(&T) -> Option<u64>>,
    /// The last instant at which it is of use. The same message always has the same.
    pub deadline_of: Option<fn(&T) -> Option<Timestamp>>,
    /// Does it never give way to others? The same message always says the same.
    pub critical_of: Option<fn(&T) -> bool>,
}

impl<T> Default for Shape<T> {
    fn default() -> Self {
        Shape { size_of: None, key_of: None, deadline_of: None, critical_of: None }
    }
}

impl<T> Clone for Shape<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Shape<T> {}

impl<T> Shape<T> {
    #[inline]
    pub(crate) fn size(&self, message: &T) -> usize {
        self.size_of.map_or(0, |size_of| size_of(message))
    }

    #[inline]
    pub(super) fn key(&self, message: &T) -> Option<u64> {
        self.key_of.and_then(|key_of| key_of(message))
    }

    #[inline]
    pub(super) fn deadline(&self, message: &T) -> Option<Timestamp> {
        self.deadline_of.and_then(|deadline_of| deadline_of(message))
    }

    #[inline]
    pub(super) fn is_critical(&self, message: &T) -> bool {
        self.critical_of.is_some_and(|critical_of| critical_of(message))
    }

    /// May a message have a key, a deadline or a mark that keeps it?
    pub(super) fn marks(&self) -> bool {
        self.key_of.is_some() || self.deadline_of.is_some() || self.critical_of.is_some()
    }

    /// May a buffered message give way to one that is not here yet, other than by the policy?
    pub(super) fn loses(&self) -> bool {
        self.key_of.is_some() || self.deadline_of.is_some()
    }
}

/// What a buffer knows of messages with a key, a deadline or a mark that keeps them.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// The number of the newest message of each key.
    pub(super) keys: BTreeMap<u64, u64>,
    /// The deadlines of buffered messages, with their numbers.
    pub(super) ends: BTreeSet<(Timestamp, u64)>,
    /// Buffered messages that do not give way.
    pub(super) critical: usize,
}

#[derive(Debug)]
pub(super) struct Entry<T> {
    pub(super) seq: u64,
    pub(super) at: Timestamp,
    pub(super) size: usize,
    /// None is the hole left by a message that was taken out of the middle.
    pub(super) message: Option<T>,
}

/// Messages that were dropped to make room.
#[derive(Debug)]
pub struct Evicted<T>(pub(super) VecDeque<Entry<T>>);

impl<T> Evicted<T> {
    pub(super) const fn none() -> Self {
        Evicted(VecDeque::new())
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.iter().filter(|entry| entry.message.is_some()).count()
    }

    /// None?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The messages with their numbers, in the order in which they gave way.
    pub fn into_messages(self) -> impl Iterator<Item = (u64, T)> {
        self.0.into_iter().filter_map(|entry| Some((entry.seq, entry.message?)))
    }
}

/// A message was accepted.
#[derive(Debug)]
pub struct Sent<T> {
    /// Its number: 0 for the first, then one more for each accepted message.
    pub seq: u64,
    /// What gave way to it.
    pub evicted: Evicted<T>,
}

/// What became of an offer.
#[derive(Debug)]
pub enum Offered<T> {
    /// It is buffered.
    Sent(Sent<T>),
    /// There is no room and the policy refuses it.
    Refused(T),
    /// There is no room and the policy is to wait. Not counted: offer it again.
    MustWait(T),
    /// It is larger than the whole buffer.
    TooLarge(T),
}

/// Messages are missing: these numbers were accepted and dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lagged {
    /// How many.
    pub count: u64,
    /// The first missing number.
    pub first_seq: u64,
    /// The last missing number.
    pub last_seq: u64,
}

/// What the reader comes upon.
#[derive(Debug, PartialEq, Eq)]
pub enum Read<T> {
    /// A message and its number.
    Message(u64, T),
    /// A gap.
    Lagged(Lagged),
}

/// What a drain took out.
#[derive(Debug)]
pub struct Drained<T> {
    /// The messages, oldest first.
    pub messages: Vec<T>,
    /// The gaps before and between them.
    pub lagged: Vec<Lagged>,
}

#[cfg(test)]
#[path = "parts_test.rs"]
mod tests;
