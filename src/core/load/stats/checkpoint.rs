//! A buffer as a value that can be stored and taken in again, once.
//!
//! Samples that were folded into a bucket cannot be told apart any more, so "is it already inside?" is not answered by
//! looking at samples. Each buffer has an *origin* and counts what it takes; a checkpoint says how far it reaches into
//! each origin. That is a version vector: what reaches no further is inside already, what shares nothing is added, what
//! reaches at least as far everywhere takes the place of what is here, and anything else is refused.
//!
//! # Sources
//! D. S. Parker et al., *Detection of Mutual Inconsistency in Distributed Systems*, IEEE TSE 9(3), 1983 (version
//! vectors).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::buffer::{StatsBuffer, StatsConfig, Totals};
use super::entry::Entry;
use crate::kernel::time::Timestamp;
use crate::load::shed::number::Invalid;

/// Everything in a buffer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// How far it reaches into each origin.
    pub seen: BTreeMap<u64, u64>,
    /// Single entries and their producers, the oldest first.
    pub hot: Vec<(Entry, Option<u64>)>,
    /// Buckets of 10 s.
    pub warm: Vec<Entry>,
    /// Buckets of 60 s.
    pub cold: Vec<Entry>,
    /// What is older.
    pub archive: Option<Entry>,
    /// Counts.
    pub totals: Totals,
}

/// What an import came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Imported {
    /// All of it was inside already.
    Inside,
    /// It was added.
    Added,
    /// It holds all that was here and more, and took its place.
    Replaced,
}

/// Why nothing was imported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotImported {
    /// A number in it is not one.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// Some of it is inside and some is not, and they cannot be told apart.
    #[error("the checkpoint is partly inside already. origin={origin}, here={here}, there={there}")]
    Overlap {
        /// An origin of which it holds another part.
        origin: u64,
        /// How far this buffer reaches into it.
        here: u64,
        /// How far the checkpoint does.
        there: u64,
    },
}

impl StatsBuffer {
    /// Every sample inside, after what has aged moved on; places of reports are left out.
    pub fn export(&mut self, now: Timestamp) -> Checkpoint {
        self.advance(now);
        Checkpoint {
            seen: self.seen.clone(),
            hot: self.hot.values().filter(|(entry, _)| !entry.is_place()).copied().collect(),
            warm: self.warm.values().copied().collect(),
            cold: self.cold.values().copied().collect(),
            archive: self.archive,
            totals: self.totals,
        }
    }

    /// The buffer of a checkpoint under a new origin: what a restart does. What has aged meanwhile moves on first, so
    /// the level is that of what is still young.
    ///
    /// # Errors
    /// [`NotImported`]; also when the origin was used before.
    pub fn restore(
        config: StatsConfig,
        origin: u64,
        from: &Checkpoint,
        now: Timestamp,
    ) -> Result<Self, NotImported> {
        if from.seen.contains_key(&origin) {
            return Err(Invalid::new("origin", origin, "one that was not used before").into());
        }
        let mut buffer = StatsBuffer::new(config, origin)?;
        buffer.import(from, now)?;
        Ok(buffer)
    }

    /// Takes a checkpoint in. Doing it again changes nothing, however long ago the first time was.
    ///
    /// # Errors
    /// [`NotImported`]; nothing is changed.
    pub fn import(&mut self, from: &Checkpoint, now: Timestamp) -> Result<Imported, NotImported> {
        let entries =
            || from.hot.iter().map(|(e, _)| e).chain(&from.warm).chain(&from.cold).chain(&from.archive);
        entries().try_for_each(|entry| entry.check_upto(u64::MAX))?;
        let here = |origin: &u64| self.seen.get(origin).copied().unwrap_or(0);
        let there = |origin: &u64| from.seen.get(origin).copied().unwrap_or(0);
        if from.seen.iter().all(|(origin, n)| here(origin) >= *n) {
            return Ok(Imported::Inside);
        }
        let shared = from.seen.keys().find(|origin| here(origin) > 0);
        let replaces = self.seen.iter().all(|(origin, n)| there(origin) >= *n);
        if let Some(&origin) = shared
            && !replaces
        {
            return Err(NotImported::Overlap { origin, here: here(&origin), there: there(&origin) });
        }
        if shared.is_some() {
            self.clear();
        }
        for (origin, n) in &from.seen {
            self.seen.insert(*origin, *n);
        }
        // Its own numbers go on after what it gave out before.
        self.next = self.next.max(there(&self.origin));
        self.advance(now);
        entries().for_each(|entry| self.count(*entry));
        for (entry, producer) in &from.hot {
            let entry = Entry { at: entry.at.min(now), ..*entry };
            if now.since(entry.at) < self.config.hot_age {
                self.put_hot(entry, *producer, now);
            } else {
                self.put_warm(entry, now);
            }
        }
        from.warm.iter().for_each(|entry| self.put_warm(Entry { at: entry.at.min(now), ..*entry }, now));
        from.cold.iter().for_each(|entry| self.put_cold(Entry { at: entry.at.min(now), ..*entry }, now));
        from.archive.iter().for_each(|entry| self.put_archive(*entry));
        let (mine, theirs) = (&mut self.totals, &from.totals);
        mine.rejected = mine.rejected.saturating_add(theirs.rejected);
        mine.invalid = mine.invalid.saturating_add(theirs.invalid);
        mine.folded_early = mine.folded_early.saturating_add(theirs.folded_early);
        self.grade();
        Ok(if shared.is_some() { Imported::Replaced } else { Imported::Added })
    }
}
