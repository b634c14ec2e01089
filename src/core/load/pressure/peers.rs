//! What each peer last signalled: the newest by its own order, wearing off when it is not repeated.
//!
//! ```text
//!  level told ──► one milder after each time to live without a newer signal ──► none
//! ```
//!
//! Three ratchets are avoided. Level none is a signal like the others and takes the place of a higher one. Delays are
//! always those of the entries there are, never a maximum over the past. A peer that is removed takes its entry along.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::kernel::time::Timestamp;
use crate::load::shed::number::Invalid;
use crate::load::stats::{Decoded, Level, Signal, SignalConfig, SignalSeq};

/// The knobs of forgetting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecayConfig {
    /// The least time to live of a signal that names none.
    pub ttl: Duration,
    /// It lives at least this many of its own delays.
    pub ttl_delays: u32,
    /// The longest time to live, whatever a peer names.
    pub ttl_max: Duration,
    /// Delays of the levels a signal wears off to.
    pub signal: SignalConfig,
}

impl Default for DecayConfig {
    fn default() -> Self {
        DecayConfig {
            ttl: Duration::from_secs(5),
            ttl_delays: 10,
            ttl_max: Duration::from_secs(60),
            signal: SignalConfig::default(),
        }
    }
}

impl DecayConfig {
    /// How long a signal that names no time holds.
    pub fn holds(&self, signal: &Signal) -> Duration {
        self.ttl.max(signal.delay.saturating_mul(self.ttl_delays))
    }
}

/// What a signal came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// The level of the peer is another.
    Changed {
        /// What it was.
        from: Level,
        /// What it is.
        to: Level,
    },
    /// The level is the same; it holds anew.
    Refreshed,
    /// A newer one was heard before.
    Stale,
    /// The peer does not know its level; what was known stays.
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Heard {
    signal: Signal,
    at: Timestamp,
    ttl: Duration,
}

impl Heard {
    fn level(&self, now: Timestamp) -> Level {
        let ttl = self.ttl.as_micros().max(1);
        self.signal.level.milder(u64::try_from(now.since(self.at).as_micros() / ttl).unwrap_or(u64::MAX))
    }

    fn delay(&self, config: &SignalConfig, now: Timestamp) -> Duration {
        let level = self.level(now);
        if level == self.signal.level {
            self.signal.delay
        } else {
            self.signal.delay.min(config.delay(level))
        }
    }
}

/// The peers and what they told. Kept in memory only: after a restart nobody told anything.
#[derive(Clone, Debug)]
pub struct Peers<K> {
    config: DecayConfig,
    heard: BTreeMap<K, Heard>,
}

impl<K: Ord + Clone> Peers<K> {
    /// Nobody told anything.
    ///
    /// # Errors
    /// [`Invalid`] for a time to live of 0, or a longest one that is shorter.
    pub fn new(config: DecayConfig) -> Result<Self, Invalid> {
        config.signal.check()?;
        if config.ttl.is_zero() || config.ttl_max < config.ttl {
            return Err(Invalid::new("ttl", format!("{:?}", config.ttl), "above 0, upto ttl_max"));
        }
        Ok(Peers { config, heard: BTreeMap::new() })
    }

    /// Takes a signal.
    pub fn apply(&mut self, peer: &K, signal: Signal, now: Timestamp) -> Applied {
        let old = self.heard.get(peer);
        if old.is_some_and(|old| old.signal.seq >= signal.seq && signal.seq != SignalSeq::default()) {
            return Applied::Stale;
        }
        let from = old.map_or(Level::None, |old| old.level(now));
        let ttl = signal
            .ttl
            .unwrap_or_else(|| self.config.holds(&signal))
            .clamp(Duration::from_micros(1), self.config.ttl_max);
        self.heard.insert(peer.clone(), Heard { signal, at: now, ttl });
        if from == signal.level { Applied::Refreshed } else { Applied::Changed { from, to: signal.level } }
    }

    /// Takes what was read from the wire.
    pub fn apply_decoded(&mut self, peer: &K, decoded: Decoded, now: Timestamp) -> Applied {
        match decoded {
            Decoded::Known(signal) | Decoded::Newer(signal) => self.apply(peer, signal, now),
            Decoded::Unknown => Applied::Unknown,
        }
    }

    /// The peer has left.
    pub fn remove(&mut self, peer: &K) -> bool {
        self.heard.remove(peer).is_some()
    }

    /// The level of one peer; none for one that told nothing.
    pub fn level_of(&self, peer: &K, now: Timestamp) -> Level {
        self.heard.get(peer).map_or(Level::None, |heard| heard.level(now))
    }

    /// The delay of one peer.
    pub fn delay_of(&self, peer: &K, now: Timestamp) -> Duration {
        self.heard.get(peer).map_or(Duration::ZERO, |heard| heard.delay(&self.config.signal, now))
    }

    /// The worst level of all, none when there is nobody.
    pub fn level(&self, now: Timestamp) -> Level {
        self.heard.values().map(|heard| heard.level(now)).max().unwrap_or_default()
    }

    /// The longest delay of all.
    pub fn delay(&self, now: Timestamp) -> Duration {
        let delays = self.heard.values().map(|heard| heard.delay(&self.config.signal, now));
        delays.max().unwrap_or_default()
    }

    /// Up to which number data may be sent to the peer. `None` when it grants none, or its grant has run out: then the
    /// level decides.
    pub fn upto(&self, peer: &K, now: Timestamp) -> Option<u64> {
        self.heard
            .get(peer)
            .filter(|heard| now.since(heard.at) < heard.ttl)
            .and_then(|heard| heard.signal.upto)
    }

    /// Every peer that told anything, with its level and delay.
    pub fn all(&self, now: Timestamp) -> impl Iterator<Item = (&K, Level, Duration)> {
        let config = self.config.signal;
        self.heard.iter().map(move |(peer, heard)| (peer, heard.level(now), heard.delay(&config, now)))
    }

    /// Only these peers are there; the others have left.
    pub fn retain(&mut self, stays: impl Fn(&K) -> bool) {
        self.heard.retain(|peer, _| stays(peer));
    }

    /// Peers that ask for anything, with their levels.
    pub fn pressured(&self, now: Timestamp) -> impl Iterator<Item = (&K, Level)> {
        self.heard
            .iter()
            .map(move |(peer, heard)| (peer, heard.level(now)))
            .filter(|(_, level)| *level > Level::None)
    }
}

/// The other end of grants: what each sender was granted, and whether it keeps to it. A sender that does not is
/// refused, not trusted.
#[derive(Clone, Debug)]
pub struct Grants<K> {
    ttl: Duration,
    given: BTreeMap<K, Granted>,
}

#[derive(Clone, Copy, Debug)]
struct Granted {
    upto: u64,
    highest: u64,
    at: Timestamp,
}

impl<K: Ord + Clone> Grants<K> {
    /// Nobody was granted anything; a grant holds for `ttl`.
    pub fn new(ttl: Duration) -> Self {
        Grants { ttl, given: BTreeMap::new() }
    }

    /// Grants `credits` more than the highest number heard of the sender, never less than was granted before. Gives the
    /// number to send along.
    pub fn grant(&mut self, sender: &K, credits: u64, now: Timestamp) -> u64 {
        let granted = self.given.entry(sender.clone()).or_insert(Granted { upto: 0, highest: 0, at: now });
        granted.upto = granted.upto.max(granted.highest.saturating_add(credits));
        granted.at = now;
        granted.upto
    }

    /// A data message with this number came. Is it within what was granted? A sender without a grant that still holds
    /// is held by the levels alone.
    pub fn within(&mut self, sender: &K, number: u64, now: Timestamp) -> bool {
        let Some(granted) = self.given.get_mut(sender) else { return true };
        // What is refused has arrived all the same: were it not counted, a sender that once got ahead (by probes, say)
        // would be refused for ever. `no_livelock_at_reject_and_no_worker_is_deaf` shows it.
        granted.highest = granted.highest.max(number);
        now.since(granted.at) >= self.ttl || number <= granted.upto
    }

    /// The sender has left.
    pub fn remove(&mut self, sender: &K) {
        self.given.remove(sender);
    }
}

#[cfg(test)]
#[path = "peers_test.rs"]
mod tests;
