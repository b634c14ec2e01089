//! Deadlines by time and by entity, at most one for each.
//!
//! Setting, moving and clearing one take the logarithm of their number. Timing wheels do it in constant time, but give up
//! the exact order, or sort each slot again when its time comes. Measured, the logarithm hardly shows: from ten
//! thousand to a million deadlines the cost grows about as much as that of a plain hash map of as many entries, which is
//! to say by what no longer fits the caches (`cargo bench --bench jobs`).
//!
//! # Source
//! G. Varghese, T. Lauck, *Hashed and Hierarchical Timing Wheels*, SOSP 1987, sections 3 and 4.2 (ordered trees), 6.

use std::collections::{BTreeSet, HashMap};

use crate::core::ids::StreamId;
use crate::core::time::Timestamp;

/// The deadlines.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    by_time: BTreeSet<(Timestamp, StreamId)>,
    by_stream: HashMap<StreamId, Timestamp>,
}

impl Deadlines {
    /// Sets, moves or clears the deadline of one entity. True when it is sooner than all were before.
    pub(crate) fn arm(&mut self, stream: &StreamId, due: Option<Timestamp>) -> bool {
        let before = self.next();
        let old = match due {
            Some(due) => self.by_stream.insert(stream.clone(), due),
            None => self.by_stream.remove(stream),
        };
        if old == due {
            return false;
        }
        if let Some(old) = old {
            self.by_time.remove(&(old, stream.clone()));
        }
        let Some(due) = due else { return false };
        self.by_time.insert((due, stream.clone()));
        before.is_none_or(|before| due < before)
    }

    /// The soonest deadline.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// How many entities have a deadline.
    pub(crate) fn len(&self) -> usize {
        self.by_stream.len()
    }

    /// Takes the soonest deadline if it is due at `now`; of several at one instant that of the first entity by name.
    pub(crate) fn take(&mut self, now: Timestamp) -> Option<(Timestamp, StreamId)> {
        self.next().filter(|at| *at <= now)?;
        let (at, stream) = self.by_time.pop_first()?;
        self.by_stream.remove(&stream);
        Some((at, stream))
    }
}
