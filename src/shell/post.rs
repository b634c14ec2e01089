//! How messages about jobs get from one party to another, and what can go wrong on the way.
//!
//! ```text
//!  machine ── Effect::Send ──► Transport ──► letters, by the instant they arrive ──► deliver: Command::Receive
//!                                  │
//!                                  └─ may lose, double, delay and reorder; the machines are made for it
//! ```
//!
//! Gates, managers and workers of one process share nothing but this. A transport between processes sends the message
//! over its wire, and the other end hands it in ([`Mailbox::arrive`]); since a wire takes time, there is a queue for each
//! destination before it ([`PerDestination`](super::outgoing::PerDestination)).
//!
//! Under a manual clock one letter is delivered at a time, each with all that follows from it, so that a script runs
//! the same way every time.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;

use super::lock;
use crate::core::jobs::protocol::message::{Message, Party};
use crate::core::kernel::ids::EntityId;
use crate::core::kernel::rng::Rng;
use crate::core::kernel::time::Timestamp;

/// A way for messages.
pub trait Transport: fmt::Debug + Send + Sync + 'static {
    /// Takes a message on. It may arrive never, once or several times, at once or later.
    fn send(&self, message: Message, mailbox: &Mailbox);
}

/// Within one process: everything arrives at once.
#[derive(Clone, Copy, Debug, Default)]
pub struct Direct;

impl Transport for Direct {
    fn send(&self, message: Message, mailbox: &Mailbox) {
        mailbox.arrive(message, Duration::ZERO);
    }
}

/// Nowhere, for a process that is about to be a node: until it is, a message for a gate or a manager elsewhere must not come to
/// this process as if it were that one. What matters is sent again until it is answered.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nowhere;

impl Transport for Nowhere {
    fn send(&self, _: Message, _: &Mailbox) {}
}

/// What goes wrong on a network that is tried out. The default is a network on which nothing does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NetworkFaults {
    /// How many of a million messages are lost.
    pub lost_ppm: u32,
    /// How many of a million arrive twice.
    pub doubled_ppm: u32,
    /// What every message takes.
    pub delay: Duration,
    /// What it takes beyond that, at random up to this; so they overtake each other.
    pub jitter: Duration,
    /// Datacenters, workers and gates nothing gets to or from.
    pub cut: BTreeSet<String>,
    /// Where chance begins.
    pub seed: u64,
}

/// A network with faults.
pub struct Lossy {
    faults: NetworkFaults,
    chance: Mutex<Rng>,
}

impl fmt::Debug for Lossy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lossy").field("faults", &self.faults).finish_non_exhaustive()
    }
}

impl Lossy {
    /// A network with these faults.
    pub fn new(faults: NetworkFaults) -> Self {
        let chance = Mutex::new(Rng::new(faults.seed));
        Lossy { faults, chance }
    }

    fn is_cut(&self, party: &Party) -> bool {
        let name = match party {
            Party::Gate(gate) => gate,
            Party::Manager { datacenter, .. } => datacenter,
            Party::Worker(worker) => worker,
        };
        self.faults.cut.contains(name.as_str())
    }
}

impl Transport for Lossy {
    fn send(&self, message: Message, mailbox: &Mailbox) {
        let mut chance = lock(&self.chance);
        let happens = |chance: &mut Rng, ppm: u32| chance.next_u64() % 1_000_000 < u64::from(ppm);
        let lost = happens(&mut chance, self.faults.lost_ppm);
        let copies = if happens(&mut chance, self.faults.doubled_ppm) { 2 } else { 1 };
        let jitter = u64::try_from(self.faults.jitter.as_micros()).unwrap_or(u64::MAX);
        let delays = [0; 2].map(|_| match jitter {
            0 => self.faults.delay,
            most => self.faults.delay + Duration::from_micros(chance.next_u64() % most.saturating_add(1)),
        });
        drop(chance);
        if lost || self.is_cut(&message.from) || self.is_cut(&message.to) {
            return;
        }
        for delay in delays.into_iter().take(copies) {
            mailbox.arrive(message.clone(), delay);
        }
    }
}

/// The way of messages in a process that is a node among others: those for parties elsewhere go over a wire.
#[derive(Debug)]
pub(crate) struct Split {
    /// Names of the gate and of the managers of this process.
    pub(crate) here: [EntityId; 2],
    /// The way to all others.
    pub(crate) far: Arc<dyn Transport>,
}

impl Transport for Split {
    fn send(&self, message: Message, mailbox: &Mailbox) {
        let is_here = match &message.to {
            Party::Gate(node) => self.here.contains(node),
            Party::Manager { node, .. } => self.here.contains(&node.node),
            // The record of a worker is where it registered.
            Party::Worker(_) => true,
        };
        if is_here { mailbox.arrive(message, Duration::ZERO) } else { self.far.send(message, mailbox) }
    }
}

/// Messages on their way, by the instant they arrive. Clones are handles to the same.
#[derive(Clone, Debug)]
pub struct Mailbox(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    clock: Arc<super::clock::Clock>,
    letters: Mutex<Letters>,
    sooner: Notify,
}

#[derive(Debug, Default)]
struct Letters {
    by_time: BTreeMap<(Timestamp, u64), Message>,
    sent: u64,
}

impl Mailbox {
    pub(crate) fn new(clock: Arc<super::clock::Clock>) -> Self {
        Mailbox(Arc::new(Shared { clock, letters: Mutex::default(), sooner: Notify::new() }))
    }

    /// A message that arrives after so long.
    pub fn arrive(&self, message: Message, after: Duration) {
        let at = self.0.clock.now().plus(after);
        let mut letters = lock(&self.0.letters);
        letters.sent += 1;
        let number = letters.sent;
        letters.by_time.insert((at, number), message);
        drop(letters);
        self.0.sooner.notify_one();
    }

    /// When the next one arrives.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        lock(&self.0.letters).by_time.keys().next().map(|(at, _)| *at)
    }

    /// How many are on their way.
    pub(crate) fn len(&self) -> usize {
        lock(&self.0.letters).by_time.len()
    }

    /// The next one that has arrived at `now`.
    pub(crate) fn take(&self, now: Timestamp) -> Option<Message> {
        let mut letters = lock(&self.0.letters);
        let entry = letters.by_time.first_entry().filter(|entry| entry.key().0 <= now)?;
        Some(entry.remove())
    }

    /// Waits until one comes that may arrive sooner than all before it.
    pub(crate) async fn sooner(&self) {
        self.0.sooner.notified().await;
    }
}
