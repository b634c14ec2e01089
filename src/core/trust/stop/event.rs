//! What happened to stops. Stored: variants and fields are only ever appended, at the end.

use serde::{Deserialize, Serialize};

use crate::kernel::ids::{EntityId, VoterId};
use crate::kernel::time::Timestamp;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// Something is stopped.
    Engaged(Box<Engaged>),
    /// It goes on.
    Released(Box<Released>),
}

impl Event {
    /// The name under which it is shown.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Engaged(_) => "engaged",
            Event::Released(_) => "released",
        }
    }
}

/// What a stop stops.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Everything that acts.
    Everything,
    /// What one party does, whatever it is: an agent, a voter, a worker, the holder of a lease, a cell, an identity.
    Party(EntityId),
    /// What every party does whose name begins so.
    Prefix(String),
    /// What is done for jobs of one class.
    JobClass(EntityId),
}

/// Who lets a stop go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Those who may vote on it, and nobody else; by id, each once.
    pub voters: Vec<VoterId>,
    /// How many of them must be for it.
    pub need: u32,
}

/// A stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Engaged {
    /// Its name.
    pub stop_id: EntityId,
    /// Its number among all stops, from 1.
    pub number: u64,
    /// What it stops.
    pub scope: Scope,
    /// Who lets it go on.
    pub release: Release,
    /// Who stopped it.
    pub by: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// A stop that was let go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Released {
    /// Which.
    pub stop_id: EntityId,
    /// The kind of question that was decided: `session` or `proposal`.
    pub kind: String,
    /// Which one.
    pub decision_id: EntityId,
    /// Who was for it.
    pub supporters: Vec<VoterId>,
    /// Who asked for it.
    pub by: Option<String>,
    /// When.
    pub at: Timestamp,
}
