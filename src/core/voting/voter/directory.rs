//! All voters: a fold over the events of each.
//!
//! It knows whose key is whose (no key stands for two voters), how many are in which state, and so whether one more may be
//! quarantined for its score.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use serde::{Deserialize, Serialize};

use super::event::{Event, Standing};
use crate::kernel::ids::VoterId;
use crate::voting::session::threshold::most_faults;
use crate::voting::signature::{Digest, PublicKey};

/// What is known of one voter here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Line {
    standing: Standing,
    offline: bool,
    /// It was quarantined for its score.
    by_score: bool,
    handle: Option<Digest>,
    key: Option<PublicKey>,
}

/// Every voter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Directory {
    voters: BTreeMap<VoterId, Line>,
    keys: BTreeMap<PublicKey, VoterId>,
    /// Voters that are about to be quarantined for their score.
    reserved: BTreeSet<VoterId>,
}

/// How many voters are in which state. They are all that are registered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Registered.
    pub total: u32,
    /// Honest.
    pub honest: u32,
    /// Suspicious.
    pub suspicious: u32,
    /// Quarantined.
    pub quarantined: u32,
    /// Byzantine.
    pub byzantine: u32,
    /// On probation.
    pub probation: u32,
    /// Offline, whatever they were before.
    pub offline: u32,
}

impl Counts {
    /// How many faults so many voters bear.
    pub fn fault_capacity(&self) -> u32 {
        most_faults(self.total)
    }

    /// Voters that cannot be relied on now.
    pub fn current_faults(&self) -> u32 {
        self.byzantine + self.quarantined + self.offline
    }

    /// Do those that are left bear a fault?
    pub fn is_fault_tolerant(&self) -> bool {
        self.total >= 4 && u64::from(self.total) > 3 * u64::from(self.current_faults())
    }

    /// How many more faults are borne; below 0 when there are too many.
    pub fn safety_margin(&self) -> i64 {
        i64::from(self.fault_capacity()) - i64::from(self.current_faults())
    }

    /// What follows from these numbers for whoever runs the voters.
    pub fn recommended_actions(&self) -> Vec<&'static str> {
        let checks = [
            (self.total < 4, "register at least 4 voters: fewer bear no fault"),
            (self.safety_margin() < 0, "do not rely on decisions: there are more faults than are borne"),
            (self.safety_margin() == 0 && self.total >= 4, "register more voters: no further fault is borne"),
            (self.byzantine > 0, "look at the evidence, and replace the voters whose fault is proven"),
            (self.quarantined > 0, "look why voters are quarantined"),
            (self.offline > 0, "look why voters are silent"),
        ];
        checks.into_iter().filter(|(holds, _)| *holds).map(|(_, action)| action).collect()
    }
}

impl Directory {
    /// Adds one event of a voter.
    pub fn apply(&mut self, id: &VoterId, event: &Event) {
        match event {
            Event::Registered(registered) => {
                let line = self.voters.entry(id.clone()).or_default();
                line.handle = registered.handle_hash;
                line.key = registered.public_key;
                if let Some(key) = registered.public_key {
                    self.keys.insert(key, id.clone());
                }
            }
            Event::StandingChanged(change) => {
                let by_score = matches!(change.cause, super::event::Cause::Score { .. });
                let line = self.voters.entry(id.clone()).or_default();
                line.by_score = by_score && change.to.is_excluded();
                line.standing = change.to.clone();
                self.reserved.remove(id);
            }
            Event::WentOffline { .. } => self.voters.entry(id.clone()).or_default().offline = true,
            Event::Returned { .. } => self.voters.entry(id.clone()).or_default().offline = false,
            // An ended key stays this voter's: it is never that of another.
            Event::KeyRotated(rotated) => {
                self.voters.entry(id.clone()).or_default().key = Some(rotated.to);
                self.keys.insert(rotated.to, id.clone());
            }
            Event::Noted(_)
            | Event::Escalated { .. }
            | Event::Spread { .. }
            | Event::Judged(_)
            | Event::Profiled(_)
            | Event::Considered(_) => {}
        }
    }

    /// Takes a key for a voter that is about to be registered. False when it is another voter's.
    pub fn claim(&mut self, key: PublicKey, voter: &VoterId) -> bool {
        self.keys.entry(key).or_insert_with(|| voter.clone()) == voter
    }

    /// Is it this voter's, or was it?
    pub fn is_own(&self, key: &PublicKey, voter: &VoterId) -> bool {
        self.keys.get(key) == Some(voter)
    }

    /// The voter was not registered under this key.
    pub fn unclaim(&mut self, key: &PublicKey, voter: &VoterId) {
        let holds = self.voters.get(voter).is_some_and(|line| line.key.as_ref() == Some(key));
        if !holds && self.keys.get(key) == Some(voter) {
            self.keys.remove(key);
        }
    }

    /// What stands for the channel that only this voter has: its key where it signs, else its handle.
    pub fn channel(&self, voter: &VoterId, signs: bool) -> Option<Digest> {
        let line = self.voters.get(voter)?;
        if signs { line.key.map(|key| Digest::new(*key.as_bytes())) } else { line.handle }
    }

    /// Is it registered?
    pub fn contains(&self, voter: &VoterId) -> bool {
        self.voters.contains_key(voter)
    }

    /// Is it offline?
    pub fn is_offline(&self, voter: &VoterId) -> bool {
        self.voters.get(voter).is_some_and(|line| line.offline)
    }

    /// Those that may vote in a new session.
    pub fn eligible(&self) -> Vec<VoterId> {
        let may = self.voters.iter().filter(|(_, line)| !line.standing.is_excluded());
        may.map(|(voter, _)| voter.clone()).collect()
    }

    /// Voters with an id after this one, by id.
    pub fn after(&self, cursor: Option<&VoterId>) -> impl Iterator<Item = &VoterId> {
        let from = cursor.map_or(Bound::Unbounded, |id| Bound::Excluded(id.clone()));
        self.voters.range((from, Bound::Unbounded)).map(|(voter, _)| voter)
    }

    /// Keeps a place for a voter that may be quarantined for its score, if one is left: at most floor((N-1)/3) of N.
    pub fn reserve(&mut self, voter: &VoterId) -> bool {
        let most = self.voters.len().saturating_sub(1) / 3;
        let held = self.voters.iter().filter(|(_, line)| line.by_score).map(|(voter, _)| voter);
        let taken: BTreeSet<&VoterId> = held.chain(&self.reserved).filter(|other| *other != voter).collect();
        if taken.len() >= most {
            return false;
        }
        self.reserved.insert(voter.clone());
        true
    }

    /// The voter was not quarantined.
    pub fn unreserve(&mut self, voter: &VoterId) {
        self.reserved.remove(voter);
    }

    /// How many are in which state.
    pub fn counts(&self) -> Counts {
        let mut counts =
            Counts { total: u32::try_from(self.voters.len()).unwrap_or(u32::MAX), ..Counts::default() };
        for line in self.voters.values() {
            let state = match &line.standing {
                _ if line.offline => &mut counts.offline,
                Standing::Honest => &mut counts.honest,
                Standing::Suspicious { .. } => &mut counts.suspicious,
                Standing::Quarantined { .. } => &mut counts.quarantined,
                Standing::Byzantine { .. } => &mut counts.byzantine,
                Standing::Probation { .. } => &mut counts.probation,
            };
            *state += 1;
        }
        counts
    }
}
