//! Choosing among candidates by eight criteria, traits and context, and making the choice diverse.
//!
//! ```text
//!  candidate ─► excluded, with a reason: fitness too low, a required trait too low, a number that is none
//!            └► U8      = weighted mean of eight criteria, each from 0 to 1 by its bounds
//!               utility = (0.30·fitness + 0.40·U8 + 0.20·traits + 0.15·suitability + 0.10·emergence) / 1.15
//!  best first, then again and again the one with the greatest λ·utility − (1 − λ)·likeness to those chosen
//! ```
//!
//! Utilities are frozen to millionths before they are compared, and equal ones are ordered by id, so that the same
//! candidates are always chosen the same way. A candidate is excluded by itself: the others are still looked at.
//!
//! Sources: the criteria, block sizes and traits of CWTS Ultra; J. Carbonell, J. Goldstein, "The use of MMR,
//! diversity-based reranking", SIGIR 1998; L. Chen, G. Zhang, E. Zhou, "Fast greedy MAP inference for determinantal point
//! processes", NeurIPS 2018.

mod criteria;
mod diversity;

use std::collections::{BTreeMap, BTreeSet};

pub use criteria::{CRITERIA, Criterion, Direction};
pub use diversity::{determinantal, distance, effective_kinds};

use super::reliability::factors::Context;
use super::statistics::{Unfit, share, within};
use crate::kernel::ids::EntityId;

/// How much each block counts; they are divided by their sum.
const BLOCKS: [f64; 5] = [0.30, 0.40, 0.20, 0.15, 0.10];
/// How much each part of the context counts for suitability: volatility, volume, spread, trend, noise.
const CONTEXT: [f64; 5] = [0.25, 0.20, 0.20, 0.20, 0.15];
/// Least and greatest weight of a trait.
const TRAIT_BOUNDS: (f64, f64) = (0.01, 0.5);

/// The names of the preset traits.
pub const TRAITS: [&str; 8] = [
    "aggression",
    "adaptability",
    "efficiency",
    "resilience",
    "reaction_speed",
    "risk_tolerance",
    "cooperation",
    "stealth",
];

/// Who may be chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Its id.
    pub id: EntityId,
    /// A label; two of one kind are alike.
    pub kind: String,
    /// How fit it is, from 0 to 1.
    pub fitness: f64,
    /// What was measured, by the names of [`CRITERIA`].
    pub metrics: BTreeMap<String, f64>,
    /// Its traits, each from 0 to 1.
    pub traits: BTreeMap<String, f64>,
}

/// A trait that is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wanted {
    /// How much it counts beside the others.
    pub weight: f64,
    /// Below it a candidate is excluded.
    pub floor: f64,
}

/// How to choose.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The criteria, eight of them.
    pub criteria: Vec<Criterion>,
    /// Candidates of less fitness are excluded; 0.6.
    pub least_fitness: f64,
    /// Required traits.
    pub wanted: BTreeMap<String, Wanted>,
    /// What surrounds the choice; without it suitability is a half for everybody.
    pub context: Option<Context>,
    /// How well a trait serves in each part of the context, from 0 to 1, in the order of [`Context::parts`].
    pub affinity: BTreeMap<String, [f64; 5]>,
    /// From 0.10 to 0.99; how much cooperation and adaptability count.
    pub sensitivity: f64,
    /// Most candidates that are chosen; 5.
    pub maximum: usize,
    /// From 0 (only utility) to 1 (only diversity); 0.7.
    pub diversity: f64,
    /// Choose only candidates that are at least `diversity` away from all chosen ones.
    pub strict: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            criteria: CRITERIA.to_vec(),
            least_fitness: 0.6,
            wanted: BTreeMap::new(),
            context: None,
            affinity: BTreeMap::new(),
            sensitivity: 0.8,
            maximum: 5,
            diversity: 0.7,
            strict: false,
        }
    }
}

/// Why a candidate is not looked at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Excluded {
    /// It is not fit enough.
    #[error("fitness is below the least. given={given}, least={least}")]
    Fitness {
        /// In millionths.
        given: u64,
        /// In millionths.
        least: u64,
    },
    /// A required trait is below its floor, or missing.
    #[error("a required trait is below its floor. trait={name}, given={given}, floor={floor}")]
    Trait {
        /// Which.
        name: String,
        /// In millionths; 0 where it is missing.
        given: u64,
        /// In millionths.
        floor: u64,
    },
    /// A criterion that has no default was not measured.
    #[error("{0} was not measured, and there is no default")]
    Missing(String),
    /// A number is none, or outside its range.
    #[error(transparent)]
    Unfit(#[from] Unfit),
}

/// What speaks for a candidate, all in millionths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rated {
    /// Its id.
    pub id: EntityId,
    /// Its label.
    pub kind: String,
    /// What each criterion adds to `criteria`, by name.
    pub contributions: BTreeMap<String, u64>,
    /// The weighted mean of the criteria.
    pub criteria: u64,
    /// How well it has the required traits.
    pub traits: u64,
    /// How well its traits suit the context.
    pub suitability: u64,
    /// Its potential for emergence.
    pub emergence: u64,
    /// All together.
    pub utility: u64,
}

/// What was chosen, and why the others were not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// The chosen ones, in the order in which they were chosen.
    pub chosen: Vec<Rated>,
    /// Candidates that were not looked at.
    pub excluded: BTreeMap<EntityId, Excluded>,
    /// How many fewer were chosen than could have been, since the rest is too much alike; 0 unless strict.
    pub shortfall: usize,
    /// Candidates that no other beats in every criterion.
    pub front: BTreeSet<EntityId>,
    /// How many kinds there effectively are among the chosen, in millionths.
    pub effective_kinds: u64,
    /// The least distance of two chosen ones, in millionths; `None` of fewer than two.
    pub least_distance: Option<u64>,
}

impl Settings {
    /// # Errors
    /// [`Unfit`] naming the first setting outside its range.
    pub fn check(&self) -> Result<(), Unfit> {
        criteria::check(&self.criteria)?;
        within("least_fitness", self.least_fitness, 0.0, 1.0)?;
        within("sensitivity", self.sensitivity, 0.10, 0.99)?;
        within("diversity", self.diversity, 0.0, 1.0)?;
        within("maximum", self.maximum as f64, 1.0, 1_000.0)?;
        for (name, wanted) in &self.wanted {
            within(&format!("wanted.{name}.weight"), wanted.weight, TRAIT_BOUNDS.0, 1.0)?;
            within(&format!("wanted.{name}.floor"), wanted.floor, 0.0, 1.0)?;
        }
        for (name, row) in &self.affinity {
            row.iter().try_for_each(|a| within(&format!("affinity.{name}"), *a, 0.0, 1.0).map(drop))?;
        }
        self.context.as_ref().map_or(Ok(()), Context::check)
    }

    /// Rates one candidate.
    ///
    /// # Errors
    /// [`Excluded`] with the reason.
    fn rate(&self, candidate: &Candidate) -> Result<Rated, Excluded> {
        let fitness = within("fitness", candidate.fitness, 0.0, 1.0)?;
        for (name, value) in &candidate.traits {
            within(&format!("traits.{name}"), *value, 0.0, 1.0)?;
        }
        if fitness < self.least_fitness {
            return Err(Excluded::Fitness { given: share(fitness), least: share(self.least_fitness) });
        }
        let have = |name: &str| candidate.traits.get(name).copied().unwrap_or(0.0);
        for (name, Wanted { floor, .. }) in &self.wanted {
            if have(name) < *floor {
                let (given, floor) = (share(have(name)), share(*floor));
                return Err(Excluded::Trait { name: name.clone(), given, floor });
            }
        }
        let parts = criteria::rate(&self.criteria, &candidate.metrics)?;
        let criteria: f64 = parts.values().sum();
        let asked: f64 = self.wanted.values().map(|wanted| wanted.weight).sum();
        let met: f64 = self.wanted.iter().map(|(name, wanted)| wanted.weight * have(name)).sum();
        let traits = if asked > 0.0 { met / asked } else { 1.0 };
        let suitability = self.suitability(candidate);
        let emergence = f64::midpoint(have("cooperation"), have("adaptability")) * self.sensitivity;
        let blocks = [fitness, criteria, traits, suitability, emergence];
        let sum: f64 = BLOCKS.iter().zip(blocks).map(|(size, block)| size * block).sum();
        Ok(Rated {
            id: candidate.id.clone(),
            kind: candidate.kind.clone(),
            contributions: parts.into_iter().map(|(name, part)| (name, share(part))).collect(),
            criteria: share(criteria),
            traits: share(traits),
            suitability: share(suitability),
            emergence: share(emergence),
            utility: share(sum / BLOCKS.iter().sum::<f64>()),
        })
    }

    /// A part of the context that is strong asks for the traits that serve in it; one that is absent asks for nothing,
    /// which is a half.
    fn suitability(&self, candidate: &Candidate) -> f64 {
        let Some(context) = self.context else { return 0.5 };
        let part = |((at, (_, strength)), size): ((usize, (&str, f64)), f64)| {
            let (mut served, mut all) = (0.0, 0.0);
            for (name, row) in &self.affinity {
                served += row[at] * candidate.traits.get(name).copied().unwrap_or(0.0);
                all += row[at];
            }
            let fit = if all > 0.0 { served / all } else { 0.5 };
            size * (strength * fit + (1.0 - strength) * 0.5)
        };
        context.parts().into_iter().enumerate().zip(CONTEXT).map(part).sum()
    }
}

/// Chooses.
///
/// # Errors
/// [`Unfit`] for settings outside their ranges, and for two candidates of one id.
pub fn select(candidates: &[Candidate], settings: &Settings) -> Result<Selection, Unfit> {
    settings.check()?;
    let mut known: BTreeMap<&EntityId, &Candidate> = BTreeMap::new();
    for candidate in candidates {
        if known.insert(&candidate.id, candidate).is_some() {
            return Err(Unfit::new("candidate_id", &candidate.id, "each candidate once"));
        }
    }
    let (mut rated, mut excluded) = (Vec::new(), BTreeMap::new());
    for (id, candidate) in &known {
        match settings.rate(candidate) {
            Ok(one) => rated.push(one),
            Err(why) => {
                excluded.insert((*id).clone(), why);
            }
        }
    }
    rated.sort_by(|a, b| b.utility.cmp(&a.utility).then_with(|| a.id.cmp(&b.id)));
    let front = criteria::front(&rated);
    let wanted = settings.maximum.min(rated.len());
    let apart = |a: &Rated, b: &Rated| distance(known[&a.id], known[&b.id]);
    let chosen = diversity::choose(rated, settings, apart);
    let mut least: Option<u64> = None;
    for (at, one) in chosen.iter().enumerate() {
        for other in &chosen[at + 1..] {
            let between = share(apart(one, other));
            least = Some(least.map_or(between, |least| least.min(between)));
        }
    }
    Ok(Selection {
        shortfall: wanted - chosen.len(),
        effective_kinds: effective_kinds(chosen.iter().map(|one| one.kind.as_str())),
        least_distance: least,
        chosen,
        excluded,
        front,
    })
}

/// The weight of a trait after a performance from 0 to 1: nine parts of what it was and one of the performance, held
/// between 0.01 and 0.5; in millionths.
///
/// # Errors
/// [`Unfit`] for a performance outside 0 to 1 or a weight outside its bounds.
pub fn learn_trait(weight: u64, performance: f64) -> Result<u64, Unfit> {
    let weight = within("trait.weight", weight as f64 / 1e6, TRAIT_BOUNDS.0, TRAIT_BOUNDS.1)?;
    let performance = within("performance", performance, 0.0, 1.0)?;
    Ok(share((0.9 * weight + 0.1 * performance).clamp(TRAIT_BOUNDS.0, TRAIT_BOUNDS.1)))
}

#[cfg(test)]
#[path = "selection_test.rs"]
mod tests;
