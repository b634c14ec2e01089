//! The buffer: a ring that numbers every message, gives way by policy and marks the gaps.
//!
//! ```text
//!   next to be read ▼                           ▼ next number
//!                  │ 4 │ 5 │ · │ 7 │ 8 │         6 gave way to 8, which has the same key
//!   the reader has seen up to 1: first it reads Lagged { 2..=3 }, then 4, 5, Lagged { 6 }, 7, 8
//! ```
//!
//! Numbers are given in order and every number is either read or missing, so a gap needs no book-keeping: it is the
//! distance between the number expected and the number found.
//!
//! Nothing here waits, and nothing reads a clock unless it must know the time: then it asks the `now` it was given. What was
//! dropped is handed out, so that its destructors run wherever the caller wants.

use std::collections::VecDeque;
use std::sync::Arc;

use super::config::{FlowConfig, FlowConfigError};
use super::controller::FlowController;
use super::drop::Relief;
use super::notice::{DropReason, DropRun, Notice, Notices};
use super::parts::{Drained, Entry, Evicted, Lagged, Marks, Offered, Read, Sent, Shape};
use super::state::{FlowState, Load};
use super::stats::{FlowStats, Returned};
use crate::kernel::time::Timestamp;

/// Holes left by messages taken out of the middle before the ring is closed up.
const FEW_HOLES: usize = 32;

/// The ring of one stream and the counters that belong to it.
///
/// ```
/// use quorate_core::load::flow::{FlowBuffer, FlowConfig, Lagged, Read};
/// use quorate_core::kernel::time::Timestamp;
///
/// let now = Timestamp::EPOCH;
/// let mut buffer = FlowBuffer::new(FlowConfig { max_buffer_size: 2, ..FlowConfig::default() })?;
/// for message in ["a", "b", "c"] {
///     buffer.offer(now, message);
/// }
/// assert_eq!(buffer.read(now), Some(Read::Lagged(Lagged { count: 1, first_seq: 0, last_seq: 0 })));
/// assert_eq!(buffer.drain(now, 10).messages, ["b", "c"]);
/// # Ok::<(), quorate_core::load::flow::FlowConfigError>(())
/// ```
#[derive(Debug)]
pub struct FlowBuffer<T> {
    flow: Arc<FlowController>,
    shape: Shape<T>,
    entries: VecDeque<Entry<T>>,
    load: Load,
    /// Room promised to somebody and not yet used.
    held: Load,
    next_seq: u64,
    read_seq: u64,
    holes: usize,
    /// Only where messages may have any.
    marks: Option<Box<Marks>>,
    notices: Option<Box<Notices>>,
}

impl<T> FlowBuffer<T> {
    /// An empty buffer. It grows as needed and does not allocate before.
    ///
    /// # Errors
    /// A configuration that does not fit; see [`FlowConfig::check`].
    pub fn new(config: FlowConfig) -> Result<Self, FlowConfigError> {
        Self::shaped(config, Shape::default())
    }

    /// The same for messages with sizes or keys.
    ///
    /// # Errors
    /// As [`FlowBuffer::new`]; a limit of bytes without sizes; keys or deadlines on a stream that may not lose anything.
    pub fn shaped(config: FlowConfig, shape: Shape<T>) -> Result<Self, FlowConfigError> {
        config.check_shape(shape.size_of.is_some(), shape.loses())?;
        Ok(FlowBuffer {
            flow: Arc::new(FlowController::new(config)?),
            shape,
            entries: VecDeque::new(),
            load: Load::default(),
            held: Load::default(),
            next_seq: 0,
            read_seq: 0,
            holes: 0,
            marks: shape.marks().then(Box::default),
            notices: None,
        })
    }

    /// The controller with the counters.
    pub fn flow(&self) -> &Arc<FlowController> {
        &self.flow
    }

    /// The number the next accepted message gets.
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Another configuration from now on. Drops nothing: what is too much stays, and nothing enters until enough was read.
    ///
    /// # Errors
    /// As [`FlowBuffer::shaped`]; the old one stays.
    pub fn reconfigure(&mut self, now: Timestamp, config: FlowConfig) -> Result<(), FlowConfigError> {
        config.check_shape(self.shape.size_of.is_some(), self.shape.loses())?;
        self.flow = Arc::new(self.flow.reconfigured(config)?);
        self.settle(&|| now);
        Ok(())
    }

    /// What is asked about messages.
    pub fn shape(&self) -> Shape<T> {
        self.shape
    }

    /// Messages buffered.
    pub fn len(&self) -> usize {
        self.load.messages
    }

    /// Nothing buffered?
    pub fn is_empty(&self) -> bool {
        self.load.messages == 0
    }

    /// What is buffered.
    pub fn load(&self) -> Load {
        self.load
    }

    /// The state.
    pub fn state(&self) -> FlowState {
        self.flow.state(self.load)
    }

    /// All figures; every message is accounted for.
    pub fn stats(&self, now: Timestamp) -> FlowStats {
        self.flow.stats(now)
    }

    /// Offers a message. The policy acts on the size at this instant, in the same step as the push.
    pub fn offer(&mut self, now: Timestamp, message: T) -> Offered<T> {
        let size = self.shape.size(&message);
        self.put(&|| now, message, size)
    }

    /// The next message or gap.
    pub fn read(&mut self, now: Timestamp) -> Option<Read<T>> {
        self.take(&|| now, &mut Evicted::none())
    }

    /// Up to `n` of the oldest, in order.
    pub fn drain(&mut self, now: Timestamp, n: usize) -> Drained<T> {
        let mut out = Drained { messages: Vec::with_capacity(n.min(self.len())), lagged: Vec::new() };
        self.take_many(&|| now, n, &mut out, &mut Evicted::none());
        out
    }

    /// Drops up to `n` of the oldest, as their owner wishes.
    pub fn shed(&mut self, now: Timestamp, n: usize) -> Evicted<T> {
        let mut evicted = Evicted::none();
        self.evict(&|| now, n, DropReason::Shed, &mut evicted);
        self.settle(&|| now);
        evicted
    }

    /// Keeps what is worth telling from now on, to be taken with [`FlowBuffer::notices`]; it grows until it is taken.
    pub fn watch(&mut self) {
        let state = self.state();
        self.notices.get_or_insert_with(|| Box::new(Notices::new(state)));
    }

    /// What is worth telling since the last time.
    pub fn notices(&mut self) -> Vec<Notice> {
        self.notices.as_mut().map(|notices| std::mem::take(&mut notices.out)).unwrap_or_default()
    }

    /// What is still going on is worth telling, too: the stream ends.
    pub fn finish_notices(&mut self) {
        if let Some(notices) = &mut self.notices {
            notices.end_run();
            notices.tell_held();
        }
    }

    /// Is there anything to tell the observer?
    pub fn has_notices(&self) -> bool {
        self.notices.as_ref().is_some_and(|notices| !notices.out.is_empty())
    }

    /// Room left when what is promised is taken as used.
    #[inline]
    pub(super) fn occupied(&self) -> Load {
        Load { messages: self.load.messages + self.held.messages, bytes: self.load.bytes + self.held.bytes }
    }

    #[inline]
    pub(super) fn has_room(&self, size: usize) -> bool {
        self.flow.fits(self.occupied(), size)
    }

    pub(super) fn ever_fits(&self, size: usize) -> bool {
        self.flow.fits(Load::default(), size)
    }

    /// What room is held for.
    pub fn held(&self) -> Load {
        self.held
    }

    pub(super) fn hold(&mut self, size: usize) {
        self.held.messages += 1;
        self.held.bytes += size;
    }

    pub(super) fn unhold(&mut self, size: usize) {
        self.held.messages -= 1;
        self.held.bytes -= size;
    }

    /// Drops what is too old; true when something was.
    pub(super) fn expire(&mut self, now: &impl Fn() -> Timestamp, expired: &mut Evicted<T>) -> bool {
        let before = self.load.messages;
        if !self.entries.is_empty() {
            self.expire_old(now, expired);
        }
        if self.marks.is_some() {
            self.expire_overdue(now, expired);
        }
        self.load.messages < before
    }

    /// Drops what is older than the stream allows.
    fn expire_old(&mut self, now: &impl Fn() -> Timestamp, expired: &mut Evicted<T>) {
        let Some(age) = self.flow.config().max_age else { return };
        let now_is = now();
        loop {
            // A hole is as old as the message that left it, and is nothing to drop.
            self.trim();
            if self.entries.front().is_none_or(|entry| now_is.since(entry.at) <= age) {
                break;
            }
            self.evict(now, 1, DropReason::Expired, expired);
        }
    }

    /// Drops what has outlived its own deadline, wherever it stands. At its deadline a message is still of use.
    fn expire_overdue(&mut self, now: &impl Fn() -> Timestamp, expired: &mut Evicted<T>) {
        let soonest = |marks: &Marks| marks.ends.first().copied();
        if self.marks.as_deref().and_then(soonest).is_none() {
            return;
        }
        let now_is = now();
        while let Some(next) = self.marks.as_deref().and_then(soonest).filter(|(end, _)| *end < now_is) {
            let (_, seq) = next;
            self.pull(seq, DropReason::Expired, expired);
            // Also when the message names another deadline now.
            if let Some(marks) = &mut self.marks {
                marks.ends.remove(&next);
            }
            self.note_drops(now, DropReason::Expired, 1, Some((seq, seq)));
        }
    }

    /// One message in, or the reason why not.
    #[inline]
    pub(super) fn put(&mut self, now: &impl Fn() -> Timestamp, message: T, size: usize) -> Offered<T> {
        if self.has_room(size) && self.shape.key_of.is_none() {
            return Offered::Sent(Sent {
                seq: self.push(now, message, size, None),
                evicted: Evicted::none(),
            });
        }
        self.make_room_and_put(now, message, size)
    }

    fn make_room_and_put(&mut self, now: &impl Fn() -> Timestamp, message: T, size: usize) -> Offered<T> {
        if !self.ever_fits(size) {
            self.flow.record_returned(Returned::TooLarge);
            return Offered::TooLarge(message);
        }
        let mut evicted = Evicted::none();
        let key = self.shape.key(&message);
        let older = self.newest_of(key);
        if let Some(older) = older
            && self.fits_instead_of(older, size)
        {
            self.pull(older, DropReason::Conflated, &mut evicted);
        }
        if !self.has_room(size) {
            self.expire(now, &mut evicted);
        }
        while !self.has_room(size) {
            let policy = self.flow.policy();
            match (policy.relief)(self.load) {
                Relief::Evict(n)
                    if self.critical() < self.load.messages && !self.flow.is_overfull(self.load) =>
                {
                    let reason = policy.reason.unwrap_or(DropReason::Oldest);
                    if self.critical() == 0 {
                        self.evict(now, n, reason, &mut evicted);
                    } else {
                        self.evict_around_critical(now, n, reason, &mut evicted);
                    }
                    self.flow.set_dropping();
                }
                // All room is promised to others, nothing can give way, or the limit was lowered, which drops nothing.
                Relief::Evict(_) | Relief::Refuse => {
                    self.flow.record_rejected(now());
                    self.flow.set_dropping();
                    self.note_drops(now, DropReason::Newest, 1, None);
                    self.settle(now);
                    return Offered::Refused(message);
                }
                Relief::Wait => {
                    self.settle(now);
                    return Offered::MustWait(message);
                }
            }
        }
        // An older one that did not make room by itself is superseded all the same, if it is still there.
        if let Some(older) = self.newest_of(key) {
            self.pull(older, DropReason::Conflated, &mut evicted);
        }
        let seq = self.push(now, message, size, key);
        Offered::Sent(Sent { seq, evicted })
    }

    #[inline]
    fn push(&mut self, now: &impl Fn() -> Timestamp, message: T, size: usize, key: Option<u64>) -> u64 {
        let seq = self.next_seq;
        self.next_seq += 1;
        let at = if self.flow.config().max_age.is_some() { now() } else { Timestamp::EPOCH };
        if let Some(marks) = &mut self.marks {
            marks.ends.extend(self.shape.deadline(&message).map(|end| (end, seq)));
            marks.keys.extend(key.map(|key| (key, seq)));
            marks.critical += usize::from(self.shape.is_critical(&message));
        }
        self.entries.push_back(Entry { seq, at, size, message: Some(message) });
        self.load.messages += 1;
        self.load.bytes += size;
        self.flow.buffered(now);
        self.settle(now);
        seq
    }

    /// The next message or gap; what turned out to be too old goes to `expired`.
    #[inline]
    pub(super) fn take(&mut self, now: &impl Fn() -> Timestamp, expired: &mut Evicted<T>) -> Option<Read<T>> {
        if self.expire(now, expired) {
            self.settle(now);
        }
        let read = self.step();
        if let Some(Read::Message(..)) = read {
            self.flow.handed_out(1);
            self.settle(now);
        }
        read
    }

    /// Up to `n` messages in one go.
    pub(super) fn take_many(
        &mut self,
        now: &impl Fn() -> Timestamp,
        n: usize,
        out: &mut Drained<T>,
        expired: &mut Evicted<T>,
    ) {
        self.expire(now, expired);
        let mut taken = 0;
        while taken < n {
            match self.step() {
                Some(Read::Message(_, message)) => {
                    out.messages.push(message);
                    taken += 1;
                }
                Some(Read::Lagged(gap)) => out.lagged.push(gap),
                None => break,
            }
        }
        self.flow.handed_out(taken as u64);
        self.settle(now);
    }

    #[inline]
    fn step(&mut self) -> Option<Read<T>> {
        self.trim();
        let found = self.entries.front().map_or(self.next_seq, |entry| entry.seq);
        if found > self.read_seq {
            let gap = Lagged { count: found - self.read_seq, first_seq: self.read_seq, last_seq: found - 1 };
            self.read_seq = found;
            return Some(Read::Lagged(gap));
        }
        let entry = self.entries.pop_front()?;
        self.forget(&entry);
        self.read_seq = entry.seq + 1;
        entry.message.map(|message| Read::Message(entry.seq, message))
    }

    /// Holes at the head are of no use.
    #[inline]
    fn trim(&mut self) {
        while self.holes > 0 && self.entries.front().is_some_and(|entry| entry.message.is_none()) {
            self.entries.pop_front();
            self.holes -= 1;
        }
    }

    /// Takes a removed message off the books.
    #[inline]
    fn forget(&mut self, entry: &Entry<T>) {
        self.load.messages -= 1;
        self.load.bytes -= entry.size;
        let (Some(marks), Some(message)) = (&mut self.marks, &entry.message) else { return };
        if let Some(key) = self.shape.key(message)
            && marks.keys.get(&key) == Some(&entry.seq)
        {
            marks.keys.remove(&key);
        }
        if let Some(end) = self.shape.deadline(message) {
            marks.ends.remove(&(end, entry.seq));
        }
        marks.critical = marks.critical.saturating_sub(usize::from(self.shape.is_critical(message)));
    }

    /// The number of the newest message of a key.
    fn newest_of(&self, key: Option<u64>) -> Option<u64> {
        self.marks.as_deref()?.keys.get(&key?).copied()
    }

    /// How many messages do not give way.
    fn critical(&self) -> usize {
        self.marks.as_deref().map_or(0, |marks| marks.critical)
    }

    /// Drops up to `n` of the oldest.
    fn evict(
        &mut self,
        now: &impl Fn() -> Timestamp,
        n: usize,
        reason: DropReason,
        evicted: &mut Evicted<T>,
    ) {
        let count = n.min(self.load.messages);
        if count == 0 {
            return;
        }
        self.trim();
        let first = self.entries.front().map_or(0, |entry| entry.seq);
        let last = if count == self.load.messages {
            // Everything goes at once, however much it is.
            let all = std::mem::take(&mut self.entries);
            let last = all.back().map_or(first, |entry| entry.seq);
            (self.load, self.holes) = (Load::default(), 0);
            if let Some(marks) = &mut self.marks {
                **marks = Marks::default();
            }
            if evicted.0.is_empty() {
                evicted.0 = all
            } else {
                evicted.0.extend(all)
            }
            last
        } else {
            let mut last = first;
            for _ in 0..count {
                self.trim();
                let Some(entry) = self.entries.pop_front() else { break };
                self.forget(&entry);
                last = entry.seq;
                evicted.0.push_back(entry);
            }
            last
        };
        self.flow.record_lost(reason, count as u64);
        self.note_drops(now, reason, count as u64, Some((first, last)));
    }

    /// Would a message of this size fit if that older one were gone?
    fn fits_instead_of(&self, older: u64, size: usize) -> bool {
        let Ok(at) = self.entries.binary_search_by_key(&older, |entry| entry.seq) else { return false };
        let mut load = self.occupied();
        load.messages -= 1;
        load.bytes -= self.entries[at].size;
        self.flow.fits(load, size)
    }

    /// Drops up to `n` of the oldest that are not critical.
    fn evict_around_critical(
        &mut self,
        now: &impl Fn() -> Timestamp,
        n: usize,
        reason: DropReason,
        evicted: &mut Evicted<T>,
    ) {
        let gives_way = |entry: &&Entry<T>| {
            entry.message.as_ref().is_some_and(|message| !self.shape.is_critical(message))
        };
        let seqs: Vec<u64> = self.entries.iter().filter(gives_way).take(n).map(|entry| entry.seq).collect();
        for seq in &seqs {
            self.pull(*seq, reason, evicted);
        }
        if let (Some(first), Some(last)) = (seqs.first(), seqs.last()) {
            self.note_drops(now, reason, seqs.len() as u64, Some((*first, *last)));
        }
    }

    /// Takes a message out of the middle.
    fn pull(&mut self, seq: u64, reason: DropReason, evicted: &mut Evicted<T>) {
        let Ok(at) = self.entries.binary_search_by_key(&seq, |entry| entry.seq) else { return };
        let place = &mut self.entries[at];
        if place.message.is_none() {
            return;
        }
        let gone = Entry { seq, at: place.at, size: place.size, message: place.message.take() };
        self.holes += 1;
        self.forget(&gone);
        evicted.0.push_back(gone);
        self.flow.record_lost(reason, 1);
        if self.holes > FEW_HOLES && self.holes > self.load.messages {
            self.entries.retain(|entry| entry.message.is_some());
            self.holes = 0;
        }
    }

    /// The gauges follow, and what changed is noted.
    #[inline]
    fn settle(&mut self, now: &impl Fn() -> Timestamp) {
        self.flow.observe(self.load);
        if let Some(notices) = &mut self.notices {
            notices.state(self.flow.state(self.load), self.load, now);
        }
    }

    fn note_drops(
        &mut self,
        now: &impl Fn() -> Timestamp,
        reason: DropReason,
        count: u64,
        seqs: Option<(u64, u64)>,
    ) {
        if let Some(notices) = &mut self.notices {
            let now = now();
            let policy = self.flow.config().drop_policy;
            notices.drops(DropRun { policy, reason, count, seqs, from: now, upto: now });
        }
    }
}

#[cfg(test)]
#[path = "buffer_test.rs"]
mod tests;
