//! Who is known, and whose key is gone: the fold of the events.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::event::{Event, KeyId, ShredAsked};
use crate::kernel::ids::EntityId;
use crate::kernel::time::Timestamp;

/// How a data subject stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Its data is sealed, and can be opened with its key.
    Active,
    /// Its key is to be destroyed; nothing is opened any more.
    Asked,
    /// Its key is destroyed.
    Shredded,
}

impl Status {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Status::Active => "active",
            Status::Asked => "shredding",
            Status::Shredded => "shredded",
        }
    }
}

/// One data subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// What its key is known by.
    pub key_id: KeyId,
    /// Since when it is known.
    pub since: Timestamp,
    /// That its key is to be destroyed.
    pub asked: Option<ShredAsked>,
    /// When its key was gone.
    pub shredded_at: Option<Timestamp>,
}

impl Standing {
    /// How it stands.
    pub fn status(&self) -> Status {
        match (&self.asked, self.shredded_at) {
            (_, Some(_)) => Status::Shredded,
            (Some(_), None) => Status::Asked,
            (None, None) => Status::Active,
        }
    }
}

/// All data subjects. Empty before the first one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subjects {
    /// By name.
    pub all: BTreeMap<EntityId, Standing>,
}

impl Subjects {
    /// Those whose key is to be destroyed and may still be there.
    pub fn asked(&self) -> impl Iterator<Item = &EntityId> {
        self.all.iter().filter(|(_, standing)| standing.status() == Status::Asked).map(|(name, _)| name)
    }

    /// Adds one event.
    pub fn evolve(&mut self, event: &Event) {
        match event {
            Event::Registered(registered) => {
                let standing = Standing {
                    key_id: registered.key_id,
                    since: registered.at,
                    asked: None,
                    shredded_at: None,
                };
                self.all.insert(registered.data_subject.clone(), standing);
            }
            Event::ShredAsked(asked) => {
                if let Some(standing) = self.all.get_mut(&asked.data_subject) {
                    standing.asked = Some(asked.as_ref().clone());
                }
            }
            Event::Shredded(shredded) => {
                if let Some(standing) = self.all.get_mut(&shredded.data_subject) {
                    standing.shredded_at = Some(shredded.at);
                }
            }
        }
    }
}
