//! What is known of the end of each stream, the open deadlines and the idempotency keys.

use std::collections::{BTreeSet, HashMap};

use crate::{Append, ChainHash, Due, Head, Mark, Seq};
#[cfg(feature = "store-sled")]
use crate::{Fault, group::Group};
use quorate_core::kernel::ids::{IdempotencyKey, StreamId};
use quorate_core::kernel::time::Timestamp;

/// The end of one stream, and where to find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub revision: Seq,
    pub hash: ChainHash,
    pub due: Option<Timestamp>,
    /// Number of the group with the stream's last record.
    pub last_group: u64,
}

impl Entry {
    pub fn head(&self) -> Head {
        Head { revision: self.revision, hash: self.hash, due: self.due }
    }
}

/// What groups do to the index, not yet applied.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub entries: HashMap<StreamId, Entry>,
    pub keys: HashMap<IdempotencyKey, StreamId>,
    /// Names that were pruned, and by which pruning.
    pub pruned: HashMap<Mark, u64>,
}

impl Changes {
    /// Adds what one append does that goes into group `number`; `known` is the entry its stream had before.
    pub fn add(&mut self, append: &Append, known: Option<Entry>, number: u64) {
        let due = match append.due {
            Due::Unchanged => known.and_then(|entry| entry.due),
            Due::At(t) => Some(t),
            Due::Clear => None,
        };
        let revision = append.expected + u64::from(append.count);
        let entry = Entry { revision, hash: append.hash, due, last_group: number };
        self.entries.insert(append.stream.clone(), entry);
        if let Some(key) = &append.key {
            self.keys.insert(key.clone(), append.stream.clone());
        }
    }
}

#[cfg(feature = "store-sled")]
impl Changes {
    /// Adds what one stored group does. `base` answers the entry a stream had before all of these changes, `saw`
    /// is told what each frame did to its deadline.
    pub fn fold(
        &mut self,
        group: &Group<'_>,
        base: impl Fn(&StreamId) -> Result<Option<Entry>, Fault>,
        mut saw: impl FnMut(&StreamId, Due),
    ) -> Result<(), Fault> {
        for run in group.pruned()? {
            self.pruned.extend(run.marks.iter().map(|mark| (*mark, run.pruning)));
        }
        for frame in group.frames() {
            let frame = frame?;
            saw(&frame.stream, frame.due);
            let due = match frame.due {
                Due::At(t) => Some(t),
                Due::Clear => None,
                Due::Unchanged => match self.entries.get(&frame.stream) {
                    Some(entry) => entry.due,
                    None => base(&frame.stream)?.and_then(|entry| entry.due),
                },
            };
            let (revision, hash) = (frame.last_seq(), frame.hash()?);
            if let Some(key) = frame.key {
                self.keys.insert(key, frame.stream.clone());
            }
            self.entries.insert(frame.stream, Entry { revision, hash, due, last_group: group.header.number });
        }
        Ok(())
    }
}

/// An index held in memory: all of it (memory store) or the part not yet written elsewhere (sled).
#[derive(Debug, Default)]
pub(super) struct Index {
    heads: HashMap<StreamId, Entry>,
    /// One element for each head with a deadline.
    due: BTreeSet<(Timestamp, StreamId)>,
    keys: HashMap<IdempotencyKey, StreamId>,
    pruned: HashMap<Mark, u64>,
}

impl Index {
    pub fn entry(&self, stream: &StreamId) -> Option<&Entry> {
        self.heads.get(stream)
    }

    pub fn key(&self, key: &IdempotencyKey) -> Option<&StreamId> {
        self.keys.get(key)
    }

    pub fn apply(&mut self, changes: Changes) {
        for (stream, entry) in changes.entries {
            let due = entry.due;
            let before = match self.heads.get_mut(&stream) {
                Some(old) => std::mem::replace(old, entry).due,
                None => {
                    self.heads.insert(stream.clone(), entry);
                    None
                }
            };
            if before != due {
                if let Some(t) = before {
                    self.due.remove(&(t, stream.clone()));
                }
                if let Some(t) = due {
                    self.due.insert((t, stream));
                }
            }
        }
        self.keys.extend(changes.keys);
        self.pruned.extend(changes.pruned);
    }

    /// Open deadlines after the given entry, soonest first.
    pub fn deadlines(
        &self,
        after: Option<&(Timestamp, StreamId)>,
    ) -> impl Iterator<Item = &(Timestamp, StreamId)> {
        use std::ops::Bound::{Excluded, Unbounded};
        self.due.range((after.map_or(Unbounded, Excluded), Unbounded))
    }
}

#[cfg(feature = "store-sled")]
impl Index {
    /// The pruning that took what has this mark.
    pub fn pruned(&self, mark: &Mark) -> Option<u64> {
        self.pruned.get(mark).copied()
    }

    /// Takes a stream out if nothing newer than group `upto` touched it.
    pub fn take_until(&mut self, stream: &StreamId, upto: u64) -> Option<Entry> {
        if self.heads.get(stream)?.last_group > upto {
            return None;
        }
        let entry = self.heads.remove(stream)?;
        if let Some(t) = entry.due {
            self.due.remove(&(t, stream.clone()));
        }
        Some(entry)
    }

    pub fn forget_key(&mut self, key: &IdempotencyKey) {
        self.keys.remove(key);
    }
}
