//! Every identity there is, and which of them a credential proves.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::event::{Event, PublicKey};
use super::state::Identity;
use crate::kernel::ids::EntityId;
use crate::kernel::time::Timestamp;

/// The identities by name, and by what proves them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Directory {
    identities: BTreeMap<EntityId, Identity>,
    /// Live tokens by the first half of their hash: whoever asks is then compared with the whole of it, in constant time.
    tokens: BTreeMap<[u8; 16], (EntityId, u32)>,
    uids: BTreeMap<u32, BTreeSet<EntityId>>,
}

impl Directory {
    /// Was there ever an identity? From then on nobody is served unknown.
    pub fn is_used(&self) -> bool {
        !self.identities.is_empty()
    }

    /// The identity of a name, live or over.
    pub fn get(&self, name: &EntityId) -> Option<&Identity> {
        self.identities.get(name)
    }

    /// Every identity after this name, by name.
    pub fn after(&self, name: Option<&EntityId>) -> impl Iterator<Item = (&EntityId, &Identity)> {
        use std::ops::Bound;
        let from = name.map_or(Bound::Unbounded, Bound::Excluded);
        self.identities.range::<EntityId, _>((from, Bound::Unbounded))
    }

    /// Whose token may have this hash: the name, the number of the token and its whole hash, which is still to be
    /// compared.
    pub fn by_token(&self, hash: &[u8; 32]) -> Option<(&EntityId, u32, &[u8; 32])> {
        let (name, number) = self.tokens.get(&half(hash))?;
        let token = self.identities.get(name)?.token(*number)?;
        Some((name, *number, &token.hash.0))
    }

    /// Whose user of the operating system this is; nobody's where several claim it.
    pub fn by_uid(&self, uid: u32, now: Timestamp) -> Option<&EntityId> {
        let names = self.uids.get(&uid)?;
        let is_active = |name: &&EntityId| self.get(name).is_some_and(|identity| identity.is_active(now));
        let mut active = names.iter().filter(is_active);
        active.next().filter(|_| active.next().is_none())
    }

    /// Whose public key this is; nobody's where several have it.
    pub fn by_key(&self, key: &PublicKey, now: Timestamp) -> Option<&EntityId> {
        let has = |identity: &Identity| {
            identity.is_active(now)
                && identity.granted.as_ref().is_some_and(|granted| granted.public_key.as_ref() == Some(key))
        };
        let mut active = self.identities.iter().filter(|(_, identity)| has(identity));
        let (name, _) = active.next()?;
        active.next().is_none().then_some(name)
    }

    /// Adds one durable event.
    pub fn apply(&mut self, name: &EntityId, event: &Event) {
        let identity = self.identities.entry(name.clone()).or_default();
        let before: Vec<[u8; 16]> = identity.tokens.iter().map(|token| half(&token.hash.0)).collect();
        let uids_before = identity.granted.as_ref().map(|granted| granted.uids.clone()).unwrap_or_default();
        identity.evolve(event);
        let after: BTreeMap<[u8; 16], u32> =
            identity.tokens.iter().map(|token| (half(&token.hash.0), token.number)).collect();
        let over = identity.end.is_some();
        let uids_after = identity.granted.as_ref().filter(|_| !over).map(|granted| granted.uids.clone());
        let uids_after = uids_after.unwrap_or_default();
        for gone in before.iter().filter(|hash| !after.contains_key(*hash)) {
            self.tokens.remove(gone);
        }
        for (hash, number) in after {
            self.tokens.insert(hash, (name.clone(), number));
        }
        for gone in uids_before.difference(&uids_after) {
            if let Some(names) = self.uids.get_mut(gone) {
                names.remove(name);
                if names.is_empty() {
                    self.uids.remove(gone);
                }
            }
        }
        for uid in uids_after {
            self.uids.entry(uid).or_default().insert(name.clone());
        }
    }
}

fn half(hash: &[u8; 32]) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&hash[..16]);
    half
}
