//! Lives: that a datagram was sealed for this life of this node, and comes once.
//!
//! Whoever wants to say something must name the life of the receiver, inside the seal. It learns that from a greeting:
//!
//! ```text
//!   A                                       B
//!   │ greeting, for no life ──────────────► │  opened, but it may be old: nothing changes
//!   │ ◄────────────── greeting, for life a  │  B answers where the sealed address says, a few times a second at most
//!   │ message, for life b ────────────────► │  made after b began and never seen before: taken
//! ```
//!
//! | an attacker who sees and sends everything, without a key | what becomes of it |
//! |---|---|
//! | makes up or changes datagrams | `unknown_key`, `forged`: nothing changes |
//! | repeats what it heard | `replayed`; after a restart of the receiver `unbound`; nothing changes |
//! | repeats it to another node | `unbound`: it names another life |
//! | sends it from another address | no matter: answers go to the sealed address |
//! | withholds, delays | as a bad network; what names a life that is over is `ended` or `unbound` |
//!
//! A node says in every datagram which keys it can open, and is answered with the first key of the own ring among these.
//! So a key can be put into the files of a cluster one by one, in any order. A greeting for nobody is sealed with each key of the
//! ring, for who hears it may have missed some.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::ring::{KeyId, KeyRing};
use super::seal::{SealError, Sealed};
use quorate_core::kernel::time::Timestamp;
use quorate_core::network::member::Address;

/// Messages that wait for the life of their receiver, for each.
const HELD: usize = 8;
/// They wait no longer than this.
const HELD_FOR: Duration = Duration::from_secs(2);
/// Between two greetings of the same peer.
const GREETED: Duration = Duration::from_millis(400);
/// Between two answers to greetings of the same life.
const ANSWERED: Duration = Duration::from_millis(200);
/// After so many messages without a word from the peer, its life is asked for anew.
const UNANSWERED: u32 = 3;
/// Lives that are remembered. One more, and this node begins a life of its own anew, which ends them all.
const MAX_LIVES: usize = 16_384;
/// Greetings that were answered lately.
const MAX_ANSWERED: usize = 4_096;
/// Peers that are kept.
const MAX_PEERS: usize = 32_768;

/// What happened to datagrams.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkCounters {
    /// Messages that were taken.
    pub taken: u64,
    /// Greetings that were taken.
    pub greetings: u64,
    /// Datagrams that were dropped, by the reason.
    pub dropped: BTreeMap<&'static str, u64>,
    /// Messages of this node that were never sent, because nobody answered a greeting.
    pub unsent: u64,
    /// Times this node began a life.
    pub lives: u64,
}

/// Which datagrams of a life came: the highest number, and those shortly below it.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    highest: u64,
    seen: u128,
    is_over: bool,
}

impl Window {
    /// Is it the first time that this number comes? It counts as seen from now on.
    fn take(&mut self, number: u64) -> bool {
        if number > self.highest {
            let shift = number - self.highest;
            self.seen = if shift < 128 { self.seen << shift } else { 0 };
            self.highest = number;
        }
        let Some(bit) = u32::try_from(self.highest - number).ok().and_then(|below| 1_u128.checked_shl(below))
        else {
            return false;
        };
        let is_new = self.seen & bit == 0;
        self.seen |= bit;
        is_new
    }
}

#[derive(Debug, Default)]
struct Peer {
    life: Option<u64>,
    /// What it can open, as it said last.
    keys: Vec<KeyId>,
    held: VecDeque<(Timestamp, Vec<u8>)>,
    unanswered: u32,
    greeted_at: Option<Timestamp>,
}

/// Where random numbers come from; `None` where there are none.
pub(crate) type Draw = Box<dyn FnMut() -> Option<u64> + Send>;
/// Bytes, and where they go.
pub(crate) type Out = Vec<(Address, Vec<u8>)>;

/// What a node knows of the lives of all others.
pub(crate) struct Links {
    me: Address,
    ring: KeyRing,
    life: u64,
    number: u64,
    peers: BTreeMap<Address, Peer>,
    windows: BTreeMap<u64, Window>,
    answered: BTreeMap<u64, Timestamp>,
    counters: LinkCounters,
    draw: Draw,
    out: Out,
}

impl std::fmt::Debug for Links {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Links").field("me", &self.me).field("ring", &self.ring).finish_non_exhaustive()
    }
}

impl Links {
    /// A node that others reach there; `None` where there are no random numbers.
    pub(crate) fn new(me: Address, ring: KeyRing, draw: Draw) -> Option<Self> {
        let (peers, windows, answered) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let (counters, out) = (LinkCounters::default(), Vec::new());
        let mut links = Links { me, ring, life: 0, number: 0, peers, windows, answered, counters, draw, out };
        links.begin().then_some(links)
    }

    /// Begins a life: all that was sealed for the one before is over.
    fn begin(&mut self) -> bool {
        let Some(life) = (self.draw)().filter(|life| *life != 0) else { return false };
        self.life = life;
        self.number = 0;
        self.windows.clear();
        self.counters.lives += 1;
        true
    }

    pub(crate) fn counters(&self) -> &LinkCounters {
        &self.counters
    }

    pub(crate) fn ring(&self) -> &KeyRing {
        &self.ring
    }

    /// Other keys from now on.
    pub(crate) fn set_ring(&mut self, ring: KeyRing) {
        self.ring = ring;
    }

    /// Sends a message of membership, or keeps it until its receiver has said its life.
    pub(crate) fn send(&mut self, to: &Address, message: Vec<u8>, now: Timestamp) -> Out {
        if self.peers.len() >= MAX_PEERS && !self.peers.contains_key(to) {
            let idle = self.peers.iter().find(|(_, peer)| peer.life.is_none());
            let gone = idle.map(|(address, _)| address.clone());
            match gone {
                Some(address) => self.peers.remove(&address),
                None => self.peers.pop_first().map(|(_, peer)| peer),
            };
        }
        let peer = self.peers.entry(to.clone()).or_default();
        peer.unanswered = peer.unanswered.saturating_add(1);
        let is_unsure = peer.life.is_none() || peer.unanswered > UNANSWERED;
        let life = peer.life;
        match life {
            Some(life) => self.seal(to, life, self.key_for(to), Some(message)),
            None => {
                peer.held.push_back((now, message));
                if peer.held.len() > HELD {
                    peer.held.pop_front();
                    self.counters.unsent += 1;
                }
            }
        }
        if is_unsure {
            self.greet(to, now);
        }
        std::mem::take(&mut self.out)
    }

    /// Asks a peer for its life, in every key it might have.
    fn greet(&mut self, to: &Address, now: Timestamp) {
        let Some(peer) = self.peers.get_mut(to) else { return };
        if peer.greeted_at.is_some_and(|at| now.since(at) < GREETED) {
            return;
        }
        peer.greeted_at = Some(now);
        for key in self.ring.ids().collect::<Vec<_>>() {
            self.seal(to, 0, Some(key), None);
        }
    }

    /// The first own key that a peer can open; the first of all where it did not say.
    fn key_for(&self, to: &Address) -> Option<KeyId> {
        let known = self.peers.get(to).map(|peer| &peer.keys);
        let shared = |key: &KeyId| known.is_some_and(|keys| keys.contains(key));
        self.ring.ids().find(shared).or_else(|| self.ring.ids().next())
    }

    fn seal(&mut self, to: &Address, life: u64, key: Option<KeyId>, message: Option<Vec<u8>>) {
        let (Some(key), Some(salt)) = (key, (self.draw)()) else { return };
        self.number += 1;
        let sealed = Sealed {
            key,
            life: self.life,
            number: self.number,
            to: life,
            keys: self.ring.ids().collect(),
            address: self.me.clone(),
            message,
        };
        match sealed.seal(&self.ring, salt) {
            Some(bytes) => self.out.push((to.clone(), bytes)),
            None => self.counters.unsent += 1,
        }
    }

    /// Takes what came over the wire: the message that is in it, with the address of its sender; and what is to be sent.
    pub(crate) fn receive(&mut self, bytes: &[u8], now: Timestamp) -> (Option<(Address, Vec<u8>)>, Out) {
        let taken = match self.take(bytes, now) {
            Ok(taken) => taken,
            Err(error) => {
                *self.counters.dropped.entry(error.name()).or_default() += 1;
                None
            }
        };
        (taken, std::mem::take(&mut self.out))
    }

    fn take(&mut self, bytes: &[u8], now: Timestamp) -> Result<Option<(Address, Vec<u8>)>, SealError> {
        let sealed = Sealed::open(&self.ring, bytes)?;
        if sealed.life == self.life || sealed.address == self.me {
            return Err(SealError::Reflected);
        }
        if sealed.to != self.life {
            self.answer(&sealed, now);
            return Err(SealError::Unbound);
        }
        if self.windows.len() >= MAX_LIVES && !self.windows.contains_key(&sealed.life) {
            self.begin();
            return Err(SealError::Unbound);
        }
        let window = self.windows.entry(sealed.life).or_default();
        if window.is_over {
            return Err(SealError::Ended);
        }
        if !window.take(sealed.number) {
            return Err(SealError::Replayed);
        }
        self.learn(&sealed, now);
        match sealed.message {
            Some(message) => {
                self.counters.taken += 1;
                Ok(Some((sealed.address, message)))
            }
            None => {
                self.counters.greetings += 1;
                Ok(None)
            }
        }
    }

    /// Somebody with a key speaks now: that is its life, and those are its keys.
    fn learn(&mut self, sealed: &Sealed, now: Timestamp) {
        let peer = self.peers.entry(sealed.address.clone()).or_default();
        let before = peer.life.replace(sealed.life);
        peer.keys.clone_from(&sealed.keys);
        peer.unanswered = 0;
        if let Some(before) = before.filter(|before| *before != sealed.life)
            && let Some(window) = self.windows.get_mut(&before)
        {
            window.is_over = true;
        }
        let held = std::mem::take(&mut peer.held);
        let key = self.key_for(&sealed.address);
        for (at, message) in held {
            if now.since(at) <= HELD_FOR {
                self.seal(&sealed.address, sealed.life, key, Some(message));
            } else {
                self.counters.unsent += 1;
            }
        }
    }

    /// Tells somebody with a key this node's life. What it sent may be old, so nothing else changes, and it is told where
    /// the seal says, not where the datagram came from.
    fn answer(&mut self, sealed: &Sealed, now: Timestamp) {
        self.answered.retain(|_, at| now.since(*at) < ANSWERED);
        if self.answered.contains_key(&sealed.life) || self.answered.len() >= MAX_ANSWERED {
            return;
        }
        self.answered.insert(sealed.life, now);
        let key = self.ring.ids().find(|key| sealed.keys.contains(key)).or(Some(sealed.key));
        self.seal(&sealed.address, sealed.life, key, None);
    }
}
