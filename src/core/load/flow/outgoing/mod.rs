//! Outgoing queues, one for each destination, so that a slow one delays nobody else and holds a bounded part of memory.
//!
//! ```text
//!            ┌─► a: primary ████████░░ │ overflow ░░░   ──► taken in order
//!  put(d, m) ┼─► b: primary ██████████ │ overflow ██░   ──► slow, and only its own queue fills
//!            └─► c: primary ░░░░░░░░░░ │ overflow ░░░   ──► idle: the first to be forgotten for a new one
//! ```
//!
//! With one queue for all, the first message of a slow destination holds up everything behind it (*head-of-line blocking*).
//! A queue for each output is what switches do against it.
//!
//! | fill of the primary queue | state | suggested delay |
//! |---|---|---|
//! | below 0.7 | healthy | 0 |
//! | from 0.7 | throttled | 50 ms |
//! | from 0.85 | batching | 200 ms |
//! | from 0.95, or full | overflow | 350 ms |
//! | full, and the overflow ring is full | saturated | 500 ms |
//!
//! The numbers are the defaults of [`OutgoingConfig`]; lower bounds are inclusive.
//!
//! | a message comes to a full queue | it is | |
//! |---|---|---|
//! | the ring holds one that is not critical | queued | the oldest such gives way |
//! | the ring holds none, the primary queue does, and the newcomer is critical | queued | the oldest such gives way |
//! | else | refused | and handed back: [`NotPlaced::Saturated`] |
//!
//! Critical messages never give way. What gave way is handed to the caller, and the receiver reads one
//! [`Lagged`](super::Lagged) in its place. Order is strict: who takes gets the messages of a destination as they were put, whatever
//! part of the queue they went through.
//!
//! For a destination beyond the most there may be, the least recently used one that is empty is forgotten; if none is, the
//! least recently used one without critical messages, and its messages are handed to the caller; if none is, the
//! newcomer is refused ([`NotPlaced::TooManyDestinations`]). One that is being served ([`Outgoing::serve`]) is not forgotten: its
//! last message may still be on its way, and the next must not overtake it.
//!
//! No operation costs more than the logarithm of the number of destinations.
//!
//! # Source
//! M. J. Karol, M. G. Hluchyj, S. P. Morgan, *Input Versus Output Queueing on a Space-Division Packet Switch*, IEEE
//! Transactions on Communications 35(12), 1987 (head-of-line blocking and its price); Y. Tamir, G. L. Frazier,
//! *High-Performance Multi-Queue Buffers for VLSI Communication Switches*, ISCA 1988 (a queue for each output).

mod config;
mod line;
mod parts;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use self::config::Limits;
pub use self::config::{OutgoingConfig, OutgoingState};
use self::line::Line;
pub use self::parts::{Forgotten, NotPlaced, OutgoingCounts, OutgoingStats, OutgoingStatus, Placed};
use super::config::FlowConfigError;
use super::parts::{Drained, Evicted, Read};

/// Bounded queues of messages `T`, one for each destination `D`.
///
/// ```
/// use quorate_core::load::flow::{Outgoing, OutgoingConfig, OutgoingState, Read};
///
/// let config = OutgoingConfig { max_primary: 2, max_overflow: 1, ..OutgoingConfig::default() };
/// let mut queues = Outgoing::new(config, |message: &&str| message.starts_with('!'))?;
/// for message in ["!stop", "50 %", "60 %"] {
///     queues.put(&"slow", message).unwrap();
/// }
/// assert_eq!(queues.state(&"slow"), OutgoingState::Saturated);
/// let placed = queues.put(&"slow", "70 %").unwrap();
/// assert_eq!(placed.evicted.into_messages().collect::<Vec<_>>(), [(2, "60 %")]);
/// assert_eq!(queues.put(&"fast", "50 %").unwrap().state, OutgoingState::Healthy);
/// assert_eq!(queues.take(&"slow"), Some(Read::Message(0, "!stop")));
/// # Ok::<(), quorate_core::load::flow::FlowConfigError>(())
/// ```
#[derive(Debug)]
pub struct Outgoing<D, T> {
    config: OutgoingConfig,
    limits: Limits,
    critical_of: fn(&T) -> bool,
    lines: Vec<Line<D, T>>,
    /// Where in `lines` the line of a destination is.
    places: BTreeMap<D, usize>,
    /// Lines that may be forgotten, by when they were last used: the empty ones …
    idle: BTreeSet<(u64, usize)>,
    /// … and those that hold something, but nothing critical.
    yielding: BTreeSet<(u64, usize)>,
    uses: u64,
    totals: OutgoingCounts,
    forgotten: u64,
}

impl<D: Ord + Clone, T> Outgoing<D, T> {
    /// No destinations yet. `critical_of` says which messages never give way; of the same message always the same.
    ///
    /// # Errors
    /// A configuration that does not fit; see [`OutgoingConfig::check`].
    pub fn new(config: OutgoingConfig, critical_of: fn(&T) -> bool) -> Result<Self, FlowConfigError> {
        config.check()?;
        Ok(Outgoing {
            limits: Limits::new(&config),
            config,
            critical_of,
            lines: Vec::new(),
            places: BTreeMap::new(),
            idle: BTreeSet::new(),
            yielding: BTreeSet::new(),
            uses: 0,
            totals: OutgoingCounts::default(),
            forgotten: 0,
        })
    }

    /// The configuration.
    pub fn config(&self) -> &OutgoingConfig {
        &self.config
    }

    /// Queues a message for a destination, behind all that were queued for it before.
    ///
    /// # Errors
    /// There is no room and nothing that gives way; the message is handed back, and nothing else has changed.
    pub fn put(&mut self, destination: &D, message: T) -> Result<Placed<D, T>, NotPlaced<T>> {
        self.totals.offered += 1;
        let known = self.places.get(destination).copied();
        let Some((place, forgotten)) =
            known.map(|place| (place, None)).or_else(|| self.make_place(destination))
        else {
            self.totals.refused += 1;
            return Err(NotPlaced::TooManyDestinations(message));
        };
        let critical = (self.critical_of)(&message);
        let line = &mut self.lines[place];
        let placed = match line.put(&self.limits, message, critical) {
            Ok((seq, dropped)) => {
                let evicted = Evicted(VecDeque::from_iter(dropped));
                let state = line.state(&self.limits);
                self.totals.dropped += evicted.0.len() as u64;
                self.totals.queued += 1;
                self.totals.queued -= evicted.0.len() as u64;
                Ok(Placed { seq, state, evicted, forgotten })
            }
            Err(message) => {
                self.totals.refused += 1;
                Err(NotPlaced::Saturated(message))
            }
        };
        self.used(place);
        placed
    }

    /// The next message for a destination, or the gap before it; none when nothing is queued for it.
    pub fn take(&mut self, destination: &D) -> Option<Read<T>> {
        let place = *self.places.get(destination)?;
        let read = self.lines[place].take()?;
        if let Read::Message(..) = read {
            self.totals.queued -= 1;
            self.totals.taken += 1;
        }
        self.used(place);
        Some(read)
    }

    /// Up to `n` of the oldest messages for a destination, in order, with the gaps before and between them.
    pub fn take_many(&mut self, destination: &D, n: usize) -> Drained<T> {
        let mut out = Drained { messages: Vec::new(), lagged: Vec::new() };
        while out.messages.len() < n {
            match self.take(destination) {
                Some(Read::Message(_, message)) => out.messages.push(message),
                Some(Read::Lagged(gap)) => out.lagged.push(gap),
                None => break,
            }
        }
        out
    }

    /// From now on somebody carries what is queued for this destination, which is not forgotten meanwhile. False when it
    /// is unknown, or somebody does already.
    pub fn serve(&mut self, destination: &D) -> bool {
        let Some(&place) = self.places.get(destination) else { return false };
        let begins = !self.lines[place].served;
        self.lines[place].served = true;
        self.used(place);
        begins
    }

    /// Nobody carries for this destination any more; it may be forgotten again.
    pub fn rest(&mut self, destination: &D) {
        if let Some(&place) = self.places.get(destination) {
            self.lines[place].served = false;
            self.used(place);
        }
    }

    /// The state of a destination; one that is unknown is healthy.
    pub fn state(&self, destination: &D) -> OutgoingState {
        self.line(destination).map_or(OutgoingState::Healthy, |line| line.state(&self.limits))
    }

    /// What is suggested to those who send to it: how long to wait before the next message.
    pub fn suggested_delay(&self, destination: &D) -> Duration {
        self.config.delay(self.state(destination))
    }

    /// How it stands with a destination; none when it is unknown.
    pub fn status(&self, destination: &D) -> Option<OutgoingStatus> {
        self.line(destination).map(|line| self.status_of(line))
    }

    /// How it stands with each destination, in their order.
    pub fn each(&self) -> impl Iterator<Item = (&D, OutgoingStatus)> {
        self.places.iter().map(|(destination, &place)| (destination, self.status_of(&self.lines[place])))
    }

    /// How it stands with all of them.
    pub fn stats(&self) -> OutgoingStats {
        OutgoingStats {
            destinations: self.lines.len(),
            max_destinations: self.config.max_destinations,
            forgotten: self.forgotten,
            counts: self.totals,
        }
    }

    /// Forgets a destination, as its owner wishes: hands back what is queued for it, critical messages included, and counts
    /// it as dropped. One that is being served stays known, with nothing queued. None when it is unknown.
    pub fn forget(&mut self, destination: &D) -> Option<Forgotten<D, T>> {
        let place = *self.places.get(destination)?;
        let messages = self.clear(place);
        if self.lines[place].served {
            self.used(place);
        } else {
            self.remove(place);
        }
        Some(Forgotten { destination: destination.clone(), messages })
    }

    fn line(&self, destination: &D) -> Option<&Line<D, T>> {
        self.places.get(destination).map(|&place| &self.lines[place])
    }

    fn status_of(&self, line: &Line<D, T>) -> OutgoingStatus {
        let state = line.state(&self.limits);
        OutgoingStatus {
            state,
            suggested_delay_ms: crate::kernel::time::millis(self.config.delay(state)),
            primary: line.primary_len(),
            overflow: line.overflow_len(),
            counts: line.counts,
        }
    }

    /// A line for a new destination, and the destination that was forgotten for it; none when there is no place.
    fn make_place(&mut self, destination: &D) -> Option<(usize, Option<Forgotten<D, T>>)> {
        let mut forgotten = None;
        if self.lines.len() >= self.config.max_destinations {
            let &(_, place) = self.idle.first().or_else(|| self.yielding.first())?;
            let messages = self.clear(place);
            let line = self.remove(place);
            self.forgotten += 1;
            forgotten = Some(Forgotten { destination: line.destination, messages });
        }
        let place = self.lines.len();
        self.lines.push(Line::new(destination.clone()));
        self.places.insert(destination.clone(), place);
        Some((place, forgotten))
    }

    fn clear(&mut self, place: usize) -> Evicted<T> {
        let messages = self.lines[place].clear();
        self.totals.queued -= messages.len() as u64;
        self.totals.dropped += messages.len() as u64;
        Evicted(messages)
    }

    /// Takes a line out; the last one moves to its place.
    fn remove(&mut self, place: usize) -> Line<D, T> {
        self.unlist(place);
        let line = self.lines.swap_remove(place);
        self.places.remove(&line.destination);
        if let Some(moved) = self.lines.get(place) {
            if let Some(known) = self.places.get_mut(&moved.destination) {
                *known = place;
            }
            let (used, from) = (moved.used, self.lines.len());
            for list in [&mut self.idle, &mut self.yielding] {
                if list.remove(&(used, from)) {
                    list.insert((used, place));
                }
            }
        }
        line
    }

    /// A line was used just now, and what it holds may have changed.
    fn used(&mut self, place: usize) {
        self.unlist(place);
        self.uses += 1;
        let line = &mut self.lines[place];
        line.used = self.uses;
        if line.served || line.has_critical() {
            return;
        }
        let list = if line.len() == 0 { &mut self.idle } else { &mut self.yielding };
        list.insert((line.used, place));
    }

    fn unlist(&mut self, place: usize) {
        let listed = (self.lines[place].used, place);
        if !self.idle.remove(&listed) {
            self.yielding.remove(&listed);
        }
    }
}

#[cfg(test)]
#[path = "outgoing_test.rs"]
mod tests;
