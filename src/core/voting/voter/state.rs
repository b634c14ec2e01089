//! What is known of a voter: the fold of its events.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::command::Effect;
use super::event::{Event, KeyRotated, Noted, Registered, Standing, StandingChanged};
use super::profile::{Considered, Profile};
use super::record::Record;
use super::suspicion::Suspicion;
use crate::kernel::ids::EntityId;
use crate::kernel::time::Timestamp;
use crate::voting::signature::PublicKey;

/// Sessions whose last mark is remembered, so that marks told again are not counted again.
const MOST_SESSIONS: usize = 1_000;
/// Choices that are remembered, so that one that is told again is not counted again.
const MOST_CHOICES: usize = 100;
/// From a score above so many hundredths on a voter is suspicious.
pub const SUSPICIOUS_ABOVE: u32 = 30;
/// Below so many hundredths it is no more.
pub const HONEST_BELOW: u32 = 20;
/// Above so many hundredths it is quarantined.
pub const QUARANTINED_ABOVE: u32 = 70;
/// Votes without a flag that end a probation.
pub const CLEAN_VOTES: u32 = 20;
/// How long the first quarantine lasts; each further one twice as long.
pub const QUARANTINE: Duration = Duration::from_secs(60);
/// No quarantine by its number lasts longer.
pub const LONGEST_QUARANTINE: Duration = Duration::from_secs(24 * 60 * 60);
/// Who owes a vote and gives no sign of life for so long is offline.
pub const OFFLINE_AFTER: Duration = Duration::from_secs(60);

/// A voter that gives no sign of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offline {
    /// Its last sign of life.
    pub last_seen: Option<Timestamp>,
    /// When that was noticed.
    pub since: Timestamp,
}

/// State of one voter. Empty before it is registered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Voter {
    /// As it was registered.
    pub registered: Option<Box<Registered>>,
    /// How far it is trusted.
    pub standing: Standing,
    /// It gives no sign of life.
    pub offline: Option<Offline>,
    /// How suspicious it is.
    pub suspicion: Suspicion,
    /// How often it was quarantined.
    pub offences: u32,
    /// Its last sign of life.
    pub last_seen: Option<Timestamp>,
    /// The last violation that counted.
    pub last_violation: Option<Timestamp>,
    /// Up to which number the marks of a session are in, and the order in which the sessions told last.
    pub noted: BTreeMap<EntityId, (u64, u64)>,
    /// How often marks came in.
    pub notes: u64,
    /// Changes of standing.
    pub changes: u64,
    /// The last of them, with its cause.
    pub last_change: Option<Box<StandingChanged>>,
    /// A change that open sessions are still to be told.
    pub to_spread: Option<u64>,
    /// What its answers were worth.
    pub record: Record,
    /// The keys it had before, oldest first, each with its end. The present one is that of `registered`.
    pub ended_keys: Vec<EndedKey>,
    /// What is declared of it, where it may be chosen.
    pub profile: Option<Box<Profile>>,
    /// The last choices it stood in, oldest first.
    pub considered: VecDeque<Considered>,
}

/// A key that a voter had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedKey {
    /// Its version, from 1.
    pub version: u32,
    /// It.
    pub key: PublicKey,
    /// When it ended.
    pub at: Timestamp,
}

impl Voter {
    /// The name of its state.
    pub fn state_name(&self) -> &'static str {
        if self.offline.is_some() { "offline" } else { self.standing.name() }
    }

    /// The key of its signatures.
    pub fn key(&self) -> Option<PublicKey> {
        self.registered.as_ref().and_then(|registered| registered.public_key)
    }

    /// The version of that key: 1 is the one it was registered with.
    pub fn key_version(&self) -> u32 {
        u32::try_from(self.ended_keys.len()).unwrap_or(u32::MAX).saturating_add(1)
    }

    /// Its weight in a new session, in millionths.
    pub fn power(&self) -> u64 {
        let weight = self.registered.as_ref().map_or(0, |registered| registered.weight);
        if matches!(self.standing, Standing::Probation { .. }) { weight / 2 } else { weight }
    }

    /// How long the next quarantine lasts.
    pub fn next_quarantine(&self) -> Duration {
        let factor = 1u32.checked_shl(self.offences).unwrap_or(u32::MAX);
        QUARANTINE.saturating_mul(factor).min(LONGEST_QUARANTINE)
    }

    pub(super) fn due(&self) -> Option<Timestamp> {
        match &self.standing {
            Standing::Quarantined { until, .. } => Some(*until),
            Standing::Suspicious { .. } => self.suspicion.falls_below(HONEST_BELOW),
            Standing::Honest | Standing::Byzantine { .. } | Standing::Probation { .. } => None,
        }
    }

    pub(super) fn owes(&self) -> bool {
        self.to_spread.is_some()
    }

    pub(super) fn owed(&self) -> Vec<Effect> {
        let proven = matches!(self.standing, Standing::Byzantine { .. });
        self.to_spread.map(|number| Effect::Spread { number, proven }).into_iter().collect()
    }

    pub(super) fn evolve(&mut self, event: &Event) {
        match event {
            Event::Registered(registered) => {
                self.suspicion = Suspicion::default().on(registered.at);
                self.registered = Some(registered.clone());
            }
            Event::Noted(noted) => self.note(noted),
            Event::StandingChanged(change) => self.change(change),
            Event::WentOffline { last_seen, at } => {
                self.offline = Some(Offline { last_seen: *last_seen, since: *at });
            }
            Event::Returned { at } => {
                self.offline = None;
                self.last_seen = self.last_seen.max(Some(*at));
            }
            Event::Escalated { .. } => {}
            Event::Spread { number, at: _ } => {
                if self.to_spread == Some(*number) {
                    self.to_spread = None;
                }
            }
            Event::Judged(judged) => self.record.apply(judged),
            Event::Profiled(profiled) => self.profile = Some(Box::new(profiled.profile.clone())),
            Event::Considered(considered) => {
                self.considered.push_back(considered.as_ref().clone());
                if self.considered.len() > MOST_CHOICES {
                    self.considered.pop_front();
                }
            }
            Event::KeyRotated(rotated) => {
                let KeyRotated { version, from, to, at, .. } = rotated.as_ref();
                let ended = EndedKey { version: version.saturating_sub(1), key: *from, at: *at };
                self.ended_keys.push(ended);
                if let Some(registered) = &mut self.registered {
                    registered.public_key = Some(*to);
                }
            }
        }
    }

    fn note(&mut self, noted: &Noted) {
        self.suspicion = noted.suspicion;
        self.last_seen = noted.last_seen;
        self.last_violation = noted.last_violation;
        if let (Standing::Probation { clean_needed, .. }, Some(needed)) =
            (&mut self.standing, noted.clean_needed)
        {
            *clean_needed = needed;
        }
        self.notes += 1;
        if let Some(session) = &noted.session_id {
            self.noted.insert(session.clone(), (noted.upto, self.notes));
        }
        if self.noted.len() > MOST_SESSIONS {
            let oldest = self.noted.iter().min_by_key(|(_, (_, order))| *order);
            if let Some(oldest) = oldest.map(|(session, _)| session.clone()) {
                self.noted.remove(&oldest);
            }
        }
    }

    fn change(&mut self, change: &StandingChanged) {
        if let Standing::Quarantined { offence, .. } = &change.to {
            self.offences = *offence;
        }
        if let Some(suspicion) = change.suspicion {
            self.suspicion = suspicion;
        }
        self.standing = change.to.clone();
        self.changes = change.number;
        self.to_spread = change.to.is_excluded().then_some(change.number);
        self.last_change = Some(Box::new(change.clone()));
    }
}
