//! Deadlines of entities, at most one for each, on a hierarchical timing wheel.
//!
//! ```text
//!  level     0        1         2        3         4         5          6
//!  a slot    0.13 s   8.4 s     8.9 min  9.5 h     25 days   4.5 years  285 years
//!            ▲ 64 slots each; a deadline hangs in the slot of the highest digit in which it differs from now
//!            │
//!  ready ◄───┴── the slot whose turn it is falls apart into the levels below it, and at last into what is ready
//! ```
//!
//! Setting, moving and clearing a deadline take constant time: find the entry, take it out of one list, put it into
//! another. An entry moves down at most once per level. Only what falls due within the running 0.13 s is sorted, so that
//! deadlines are taken in their exact order, however coarse the slots are. The levels reach over every instant there
//! is, so nothing wraps around and no deadline is too far away.
//!
//! # Source
//! G. Varghese, T. Lauck, *Hashed and Hierarchical Timing Wheels*, SOSP 1987, section 6.2.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

use crate::core::kernel::ids::{StreamId, StreamKind};
use crate::core::kernel::time::Timestamp;

/// Microseconds of a slot of the lowest level, as a power of two.
const TICK: u32 = 17;
/// Slots of a level, as a power of two.
const DIGIT: u32 = 6;
const SLOTS: usize = 1 << DIGIT;
/// Enough for all ticks between the first instant and the last.
const LEVELS: usize = 7;
/// Numbers a kind may have: a byte, with gaps.
const KINDS: usize = 1 << 8;
/// No entry.
const NONE: u32 = u32::MAX;

/// The deadlines.
#[derive(Debug)]
pub(crate) struct Deadlines {
    entries: Vec<Entry>,
    /// First of the unused entries.
    unused: u32,
    by_stream: HashTable<u32>,
    /// By the number of the kind.
    by_kind: [usize; KINDS],
    hasher: RandomState,
    /// Everything up to the end of this tick is ready.
    tick: u64,
    ready: BTreeSet<(Timestamp, StreamId)>,
    levels: Box<[Level; LEVELS]>,
    /// What [`Deadlines::next`] said last.
    said: Option<Timestamp>,
}

#[derive(Debug)]
struct Level {
    /// One bit for each slot with an entry.
    occupied: u64,
    first: [u32; SLOTS],
}

#[derive(Debug)]
struct Entry {
    /// None while unused.
    stream: Option<StreamId>,
    due: Timestamp,
    place: Place,
    before: u32,
    after: u32,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Ready,
    Slot { level: u8, slot: u8 },
}

impl Default for Deadlines {
    fn default() -> Self {
        Deadlines {
            entries: Vec::new(),
            unused: NONE,
            by_stream: HashTable::new(),
            by_kind: [0; KINDS],
            hasher: RandomState::new(),
            tick: 0,
            ready: BTreeSet::new(),
            levels: Box::new([const { Level { occupied: 0, first: [NONE; SLOTS] } }; LEVELS]),
            said: None,
        }
    }
}

fn tick_of(at: Timestamp) -> u64 {
    at.as_micros().abs_diff(Timestamp::MIN.as_micros()) >> TICK
}

/// The instant a tick begins.
fn start_of(tick: u64) -> Timestamp {
    Timestamp::from_micros(Timestamp::MIN.as_micros().saturating_add_unsigned(tick << TICK))
}

fn digit(tick: u64, level: usize) -> usize {
    (tick >> (DIGIT * level as u32)) as usize % SLOTS
}

impl Deadlines {
    /// Sets, moves or clears the deadline of one entity. True when it is sooner than what [`Deadlines::next`] said last,
    /// so that who waits must ask again.
    pub(crate) fn arm(&mut self, stream: &StreamId, due: Option<Timestamp>) -> bool {
        match (self.find(stream), due) {
            (None, None) => return false,
            (Some(entry), None) => {
                self.unlink(entry);
                self.remove(entry);
                return false;
            }
            (Some(entry), Some(due)) => {
                if self.entries[entry as usize].due == due {
                    return false;
                }
                self.unlink(entry);
                self.entries[entry as usize].due = due;
                self.link(entry);
            }
            (None, Some(due)) => {
                let entry = self.add(stream, due);
                self.link(entry);
            }
        }
        let sooner = self.said.is_none_or(|said| due.is_some_and(|due| due < said));
        if sooner {
            self.said = due;
        }
        sooner
    }

    /// The soonest deadline, or, as long as it is not near, an instant before it at which to ask again.
    pub(crate) fn next(&mut self) -> Option<Timestamp> {
        self.said = match self.ready.first() {
            Some((due, _)) => Some(*due),
            None => self.next_slot().map(|(_, _, tick)| start_of(tick)),
        };
        self.said
    }

    /// How many entities have a deadline.
    pub(crate) fn len(&self) -> usize {
        self.by_stream.len()
    }

    /// How many entities of a kind have a deadline.
    pub(crate) fn len_of(&self, kind: StreamKind) -> usize {
        self.by_kind[kind as usize]
    }

    /// Takes the soonest deadline if it is due at `now`; of several at one instant that of the first entity by name.
    pub(crate) fn take(&mut self, now: Timestamp) -> Option<(Timestamp, StreamId)> {
        self.advance(tick_of(now));
        if self.ready.first()?.0 > now {
            return None;
        }
        let (due, stream) = self.ready.pop_first()?;
        if let Some(entry) = self.find(&stream) {
            self.remove(entry);
        }
        Some((due, stream))
    }

    /// Turns the wheel until everything in ticks up to this one is ready.
    fn advance(&mut self, to: u64) {
        while self.tick < to {
            match self.next_slot() {
                Some((level, slot, tick)) if tick <= to => {
                    self.tick = tick;
                    self.levels[level].occupied &= !(1 << slot);
                    let mut entry = std::mem::replace(&mut self.levels[level].first[slot], NONE);
                    while entry != NONE {
                        let after = self.entries[entry as usize].after;
                        self.link(entry);
                        entry = after;
                    }
                }
                Some(_) | None => self.tick = to,
            }
        }
    }

    /// The first slot with an entry, and the tick with which it begins. Entries of a level share all higher digits with
    /// the tick of now, so the lowest level that has any has the soonest.
    fn next_slot(&self) -> Option<(usize, usize, u64)> {
        let level = self.levels.iter().position(|level| level.occupied != 0)?;
        let slot = self.levels[level].occupied.trailing_zeros() as usize;
        let below = DIGIT * level as u32;
        let higher = self.tick >> (below + DIGIT) << DIGIT;
        Some((level, slot, (higher | slot as u64) << below))
    }

    fn find(&self, stream: &StreamId) -> Option<u32> {
        let is_it = |entry: &u32| self.entries[*entry as usize].stream.as_ref() == Some(stream);
        self.by_stream.find(self.hasher.hash_one(stream), is_it).copied()
    }

    fn add(&mut self, stream: &StreamId, due: Timestamp) -> u32 {
        self.by_kind[stream.kind as usize] += 1;
        let new = Entry { stream: Some(stream.clone()), due, place: Place::Ready, before: NONE, after: NONE };
        let entry = match self.entries.get_mut(self.unused as usize) {
            Some(unused) => {
                let entry = std::mem::replace(&mut self.unused, unused.after);
                *unused = new;
                entry
            }
            None => {
                self.entries.push(new);
                self.entries.len() as u32 - 1
            }
        };
        let (entries, hasher) = (&self.entries, &self.hasher);
        let hash_of =
            |entry: &u32| hasher.hash_one(entries[*entry as usize].stream.as_ref().unwrap_or(stream));
        self.by_stream.insert_unique(hasher.hash_one(stream), entry, hash_of);
        entry
    }

    /// Forgets an entry that hangs nowhere.
    fn remove(&mut self, entry: u32) {
        let Some(stream) = self.entries[entry as usize].stream.take() else { return };
        self.by_kind[stream.kind as usize] -= 1;
        if let Ok(found) = self.by_stream.find_entry(self.hasher.hash_one(&stream), |other| *other == entry) {
            found.remove();
        }
        self.entries[entry as usize].after = std::mem::replace(&mut self.unused, entry);
    }

    /// Hangs an entry where its deadline says.
    fn link(&mut self, entry: u32) {
        let this = &mut self.entries[entry as usize];
        let tick = tick_of(this.due);
        if tick <= self.tick {
            this.place = Place::Ready;
            if let Some(stream) = &this.stream {
                self.ready.insert((this.due, stream.clone()));
            }
            return;
        }
        let level = (self.tick ^ tick).ilog2() / DIGIT;
        let slot = digit(tick, level as usize);
        let into = &mut self.levels[level as usize];
        into.occupied |= 1 << slot;
        let after = std::mem::replace(&mut into.first[slot], entry);
        (this.place, this.before, this.after) =
            (Place::Slot { level: level as u8, slot: slot as u8 }, NONE, after);
        if let Some(after) = self.entries.get_mut(after as usize) {
            after.before = entry;
        }
    }

    /// Takes an entry from where it hangs.
    fn unlink(&mut self, entry: u32) {
        let this = &mut self.entries[entry as usize];
        let (before, after) = (this.before, this.after);
        match this.place {
            Place::Ready => {
                if let Some(stream) = &this.stream {
                    self.ready.remove(&(this.due, stream.clone()));
                }
            }
            Place::Slot { level, slot } => {
                if let Some(after) = self.entries.get_mut(after as usize) {
                    after.before = before;
                }
                let of = &mut self.levels[level as usize];
                match self.entries.get_mut(before as usize) {
                    Some(before) => before.after = after,
                    None => of.first[slot as usize] = after,
                }
                if of.first[slot as usize] == NONE {
                    of.occupied &= !(1 << slot);
                }
            }
        }
    }
}
