//! What is stopped: the fold of the events.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::event::{Engaged, Event, Released, Scope};
use crate::kernel::ids::EntityId;
use crate::trust::identity::PartyKind;

/// One stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// It.
    pub engaged: Engaged,
    /// How it was let go.
    pub released: Option<Released>,
}

/// All stops. Empty before the first one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stops {
    /// Those that are in force, by number.
    pub in_force: BTreeMap<u64, EntityId>,
    /// All of them, by name.
    pub all: BTreeMap<EntityId, Stop>,
}

/// Who acts, and for what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acting {
    /// Everybody in whose name, or for whom, something is done.
    pub parties: Vec<String>,
    /// The class of the job it is done for.
    pub class: Option<EntityId>,
}

impl Acting {
    /// These act.
    pub fn as_parties(parties: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let parties = parties.into_iter().map(|party| party.as_ref().to_owned()).collect();
        Acting { parties, class: None }
    }

    /// The same for a job of this class.
    pub fn for_class(self, class: Option<EntityId>) -> Self {
        Acting { class, ..self }
    }
}

impl Scope {
    /// Is this stopped by it?
    pub fn covers(&self, acting: &Acting) -> bool {
        match self {
            Scope::Everything => true,
            Scope::Party(party) => {
                let (whole, bare) = (party.as_str(), bare(party.as_str()));
                acting.parties.iter().any(|name| name == whole || bare == Some(name.as_str()))
            }
            Scope::Prefix(prefix) => {
                let (whole, bare) = (prefix.as_str(), bare(prefix));
                let begins =
                    |name: &String| name.starts_with(whole) || bare.is_some_and(|b| name.starts_with(b));
                acting.parties.iter().any(begins)
            }
            Scope::JobClass(class) => acting.class.as_ref() == Some(class),
        }
    }
}

/// The id in `KIND:ID`, as identities and errors name parties.
fn bare(party: &str) -> Option<&str> {
    let (kind, id) = party.split_once(':')?;
    PartyKind::ALL.iter().any(|known| known.name() == kind).then_some(id)
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::Everything => f.write_str("everything"),
            Scope::Party(party) => write!(f, "party:{party}"),
            Scope::Prefix(prefix) => write!(f, "prefix:{prefix}"),
            Scope::JobClass(class) => write!(f, "job_class:{class}"),
        }
    }
}

impl Stops {
    /// The stops that are in force, by number.
    pub fn engaged(&self) -> impl Iterator<Item = &Engaged> {
        self.in_force.values().filter_map(|id| self.all.get(id)).map(|stop| &stop.engaged)
    }

    /// The first stop that covers this.
    pub fn covering(&self, acting: &Acting) -> Option<&Engaged> {
        self.engaged().find(|engaged| engaged.scope.covers(acting))
    }

    pub(super) fn evolve(&mut self, event: &Event) {
        match event {
            Event::Engaged(engaged) => {
                self.in_force.insert(engaged.number, engaged.stop_id.clone());
                let stop = Stop { engaged: engaged.as_ref().clone(), released: None };
                self.all.insert(engaged.stop_id.clone(), stop);
            }
            Event::Released(released) => {
                if let Some(stop) = self.all.get_mut(&released.stop_id) {
                    self.in_force.remove(&stop.engaged.number);
                    stop.released = Some(released.as_ref().clone());
                }
            }
        }
    }
}
