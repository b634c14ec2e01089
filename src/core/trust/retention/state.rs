//! What is held, and what was pruned: the fold of the events.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::event::{Event, Held, Pruned, Rule, Scope};
use crate::kernel::ids::EntityId;
use crate::kernel::time::Timestamp;

/// A pruning, without what had been counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pruning {
    /// By which rule.
    pub rule: Rule,
    /// Entities that went, by kind.
    pub entities: BTreeMap<String, u64>,
    /// Records that went.
    pub records: u64,
    /// The position of the first of them.
    pub first_position: u64,
    /// The position of the last of them.
    pub last_position: u64,
    /// Who did it.
    pub by: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// What is held, and what was pruned. Empty before the first event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// What is held.
    #[serde(with = "listed")]
    pub holds: BTreeMap<Scope, Held>,
    /// What was pruned, by number.
    pub prunings: BTreeMap<u64, Pruning>,
}

/// Holds as a list: each names its scope, and a scope is no name of a member in JSON.
mod listed {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serializer};

    use super::{Held, Scope};

    pub fn serialize<S: Serializer>(holds: &BTreeMap<Scope, Held>, into: S) -> Result<S::Ok, S::Error> {
        into.collect_seq(holds.values())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<Scope, Held>, D::Error> {
        let held = Vec::<Held>::deserialize(from)?;
        Ok(held.into_iter().map(|held| (held.scope.clone(), held)).collect())
    }
}

impl Retention {
    /// The first hold that keeps this entity.
    pub fn holding(&self, kind: &str, id: &EntityId) -> Option<&Held> {
        self.holds.values().find(|held| held.scope.covers(kind, id))
    }

    pub(super) fn evolve(&mut self, event: &Event) {
        match event {
            Event::Held(held) => {
                self.holds.insert(held.scope.clone(), held.as_ref().clone());
            }
            Event::Released(released) => {
                self.holds.remove(&released.scope);
            }
            Event::Pruned(pruned) => {
                let Pruned { rule, entities, records, first_position, last_position, by, at, .. } =
                    pruned.as_ref().clone();
                let pruning = Pruning { rule, entities, records, first_position, last_position, by, at };
                self.prunings.insert(pruned.number, pruning);
            }
        }
    }
}
