//! What is declared of a voter that may be chosen among others, and the choices it stood in. In integers: a choice is made
//! from what is on record, and comes out the same again. Stored: fields are only ever appended.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::kernel::ids::{EntityId, VoterId};
use crate::kernel::time::Timestamp;
use crate::voting::selection::Candidate;

/// What is declared of a candidate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// A label; two of one kind are alike.
    pub kind: String,
    /// How fit it is, in millionths.
    pub fitness: u32,
    /// What was measured, in millionths, by the names of the criteria.
    pub metrics: BTreeMap<String, i64>,
    /// Its traits, in millionths.
    pub traits: BTreeMap<String, u32>,
}

impl Profile {
    /// The same as those who choose look at it.
    pub fn candidate(&self, voter: &VoterId) -> Candidate {
        let metrics = self.metrics.iter().map(|(name, value)| (name.clone(), *value as f64 / 1e6));
        let traits = self.traits.iter().map(|(name, value)| (name.clone(), f64::from(*value) / 1e6));
        Candidate {
            id: EntityId::from(voter),
            kind: self.kind.clone(),
            fitness: f64::from(self.fitness) / 1e6,
            metrics: metrics.collect(),
            traits: traits.collect(),
        }
    }
}

/// It may be chosen, with this profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profiled {
    /// What is declared of it.
    pub profile: Profile,
    /// Who declared it.
    pub by: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// It stood in a choice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Considered {
    /// Which choice.
    pub selection_id: EntityId,
    /// Its place among the chosen ones, from 1; none when it was not chosen.
    pub place: Option<u32>,
    /// Why it was not.
    pub why: Option<String>,
    /// All that speaks for it, in millionths; none where it was not looked at.
    pub utility: Option<u64>,
    /// What each criterion added, in millionths.
    pub contributions: BTreeMap<String, u64>,
    /// How many stood in the choice.
    pub candidates: u32,
    /// The settings of the choice, as JSON text.
    pub settings: String,
    /// Who chose.
    pub by: Option<String>,
    /// When.
    pub at: Timestamp,
}

impl Considered {
    /// Is it the same choice with the same result?
    pub fn agrees_with(&self, other: &Considered) -> bool {
        Considered { at: other.at, by: other.by.clone(), ..self.clone() } == *other
    }
}
