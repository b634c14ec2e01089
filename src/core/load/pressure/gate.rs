//! The gate: what each manager and each datacenter asks, and what becomes of a message on its way there.
//!
//! | level of the datacenter | data and telemetry that is not critical |
//! |---|---|
//! | none | forward |
//! | throttle | hold for its delay, the newest of each key |
//! | batch | forward batches, combine the rest per job |
//! | reject | drop, and say so: reason and when to come again |
//!
//! Control, dispatch and whatever is critical is forwarded at every level.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::peers::{Applied, DecayConfig, Peers};
use crate::kernel::time::Timestamp;
use crate::load::shed::class::Class;
use crate::load::shed::deadline::Label;
use crate::load::shed::number::Invalid;
use crate::load::stats::{Decoded, Level};

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Forwarding {
    /// On it goes.
    Forward,
    /// Later, and only the newest of its key.
    Hold {
        /// For how long.
        delay: Duration,
    },
    /// Together with the others of its job.
    Combine,
    /// Not at all; its sender is told.
    Drop {
        /// When to come again.
        retry_after: Duration,
    },
}

/// What is known of managers and their datacenters. Kept in memory only.
#[derive(Clone, Debug)]
pub struct GatePressure<D, M> {
    peers: Peers<M>,
    home: BTreeMap<M, D>,
    members: BTreeMap<D, BTreeSet<M>>,
}

impl<D: Ord + Clone, M: Ord + Clone> GatePressure<D, M> {
    /// Nobody told anything.
    ///
    /// # Errors
    /// As [`Peers::new`].
    pub fn new(config: DecayConfig) -> Result<Self, Invalid> {
        Ok(GatePressure { peers: Peers::new(config)?, home: BTreeMap::new(), members: BTreeMap::new() })
    }

    /// A manager told its level, in a status or when it registered.
    pub fn apply(&mut self, datacenter: &D, manager: &M, decoded: Decoded, now: Timestamp) -> Applied {
        if self.home.get(manager).is_some_and(|home| home != datacenter) {
            self.leave(manager);
        }
        self.home.insert(manager.clone(), datacenter.clone());
        self.members.entry(datacenter.clone()).or_default().insert(manager.clone());
        self.peers.apply_decoded(manager, decoded, now)
    }

    /// The manager has left. A datacenter without managers asks nothing.
    pub fn remove(&mut self, manager: &M) {
        self.leave(manager);
        self.peers.remove(manager);
    }

    fn leave(&mut self, manager: &M) {
        let Some(home) = self.home.remove(manager) else { return };
        if let Some(members) = self.members.get_mut(&home) {
            members.remove(manager);
            if members.is_empty() {
                self.members.remove(&home);
            }
        }
    }

    /// Every datacenter a manager told of, with its managers.
    pub fn datacenters(&self) -> impl Iterator<Item = (&D, &BTreeSet<M>)> {
        self.members.iter()
    }

    /// The delay of a manager.
    pub fn manager_delay(&self, manager: &M, now: Timestamp) -> Duration {
        self.peers.delay_of(manager, now)
    }

    /// The level of a manager.
    pub fn manager_level(&self, manager: &M, now: Timestamp) -> Level {
        self.peers.level_of(manager, now)
    }

    /// The worst level of the managers there; `None` for a datacenter without managers.
    pub fn level(&self, datacenter: &D, now: Timestamp) -> Option<Level> {
        self.members.get(datacenter)?.iter().map(|manager| self.peers.level_of(manager, now)).max()
    }

    /// The longest delay of the managers there.
    pub fn delay(&self, datacenter: &D, now: Timestamp) -> Duration {
        let members = self.members.get(datacenter).into_iter().flatten();
        members.map(|manager| self.peers.delay_of(manager, now)).max().unwrap_or_default()
    }

    /// The worst level anywhere.
    pub fn overall(&self, now: Timestamp) -> Level {
        self.peers.level(now)
    }

    /// What becomes of a message to a datacenter; `batched` when it is a batch already.
    pub fn forwarding(&self, datacenter: &D, label: Label, batched: bool, now: Timestamp) -> Forwarding {
        match label.class {
            Class::Control | Class::Dispatch => return Forwarding::Forward,
            Class::Data | Class::Telemetry if label.critical => return Forwarding::Forward,
            Class::Data | Class::Telemetry => {}
        }
        match self.level(datacenter, now).unwrap_or_default() {
            Level::None => Forwarding::Forward,
            Level::Throttle => Forwarding::Hold { delay: self.delay(datacenter, now) },
            Level::Batch if batched => Forwarding::Forward,
            Level::Batch => Forwarding::Combine,
            Level::Reject => Forwarding::Drop { retry_after: self.delay(datacenter, now) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::shed::class::MessageKind;
    use crate::load::stats::{SignalConfig, SignalSeq};

    const AT: Timestamp = Timestamp::EPOCH;

    fn told(level: Level, seq: u64) -> Decoded {
        Decoded::Known(SignalConfig::default().signal(level, SignalSeq { epoch: 1, seq }))
    }

    fn gate() -> GatePressure<&'static str, u8> {
        GatePressure::new(DecayConfig::default()).unwrap()
    }

    #[test]
    fn a_datacenter_is_as_bad_as_its_worst_manager_and_recovers_when_that_leaves() {
        let mut gate = gate();
        assert_eq!(gate.level(&"east", AT), None);
        gate.apply(&"east", &1, told(Level::Throttle, 1), AT);
        gate.apply(&"east", &2, told(Level::Reject, 1), AT);
        gate.apply(&"west", &3, told(Level::None, 1), AT);
        assert_eq!(gate.level(&"east", AT), Some(Level::Reject));
        assert_eq!((gate.level(&"west", AT), gate.delay(&"west", AT)), (Some(Level::None), Duration::ZERO));
        assert_eq!(gate.overall(AT), Level::Reject);
        gate.remove(&2);
        assert_eq!(gate.level(&"east", AT), Some(Level::Throttle));
        gate.remove(&1);
        assert_eq!((gate.level(&"east", AT), gate.delay(&"east", AT)), (None, Duration::ZERO));
        assert_eq!(gate.overall(AT), Level::None);
    }

    #[test]
    fn a_manager_that_moves_takes_its_level_along() {
        let mut gate = gate();
        gate.apply(&"east", &1, told(Level::Batch, 1), AT);
        gate.apply(&"west", &1, told(Level::Batch, 2), AT);
        assert_eq!((gate.level(&"east", AT), gate.level(&"west", AT)), (None, Some(Level::Batch)));
    }

    #[test]
    fn each_level_does_to_each_class_what_the_table_says() {
        let ms = Duration::from_millis;
        for (level, single, batch) in [
            (Level::None, Forwarding::Forward, Forwarding::Forward),
            (Level::Throttle, Forwarding::Hold { delay: ms(100) }, Forwarding::Hold { delay: ms(100) }),
            (Level::Batch, Forwarding::Combine, Forwarding::Forward),
            (
                Level::Reject,
                Forwarding::Drop { retry_after: ms(1_000) },
                Forwarding::Drop { retry_after: ms(1_000) },
            ),
        ] {
            let mut gate = gate();
            gate.apply(&"east", &1, told(level, 1), AT);
            for kind in MessageKind::ALL {
                let label = Label::of(*kind);
                let held = label.droppable() && label.class >= Class::Data;
                for (batched, expected) in [(false, single), (true, batch)] {
                    let expected = if held { expected } else { Forwarding::Forward };
                    assert_eq!(gate.forwarding(&"east", label, batched, AT), expected, "{kind:?}");
                    assert_eq!(gate.forwarding(&"east", label.critical(), batched, AT), Forwarding::Forward);
                    assert_eq!(gate.forwarding(&"north", label, batched, AT), Forwarding::Forward);
                }
            }
        }
    }

    #[test]
    fn silence_of_a_manager_does_not_close_its_datacenter_for_ever() {
        let mut gate = gate();
        gate.apply(&"east", &1, told(Level::Reject, 1), AT);
        assert_eq!(gate.level(&"east", Timestamp::from_millis(29_999)), Some(Level::Throttle));
        assert_eq!(gate.level(&"east", Timestamp::from_millis(30_000)), Some(Level::None));
    }
}
