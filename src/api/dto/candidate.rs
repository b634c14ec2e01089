//! Requests and replies about choosing among candidates.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::core::kernel::ids::{EntityId, VoterId};

/// Declares what there is to choose a registered voter by.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterCandidate {
    /// Which voter.
    pub candidate_id: VoterId,
    /// A label in your words; two of one kind are alike.
    pub kind: String,
    /// How fit it is, 0 to 1.
    pub fitness: f64,
    /// What was measured, by the names of the criteria: `benefit_ratio`, `success_rate`, `latency`, `resource_efficiency`,
    /// `adaptability`, `risk_adjusted_return`, `context_correlation` (-1 to 1), `stability`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<BTreeMap<String, f64>>,
    /// Its traits, each 0 to 1, under names of your own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traits: Option<BTreeMap<String, f64>>,
    /// Who declares it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// A candidate as declared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CandidateRegistered {
    /// Which voter.
    pub candidate_id: VoterId,
    /// Its label.
    pub kind: String,
    /// How fit it is.
    pub fitness: f64,
    /// What was measured.
    pub metrics: BTreeMap<String, f64>,
    /// Its traits.
    pub traits: BTreeMap<String, f64>,
    /// The same was declared before; nothing changed.
    pub duplicate: bool,
}

/// A trait that is asked for.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WantedTrait {
    /// How much it counts beside the others, 0.01 to 1.
    pub weight: f64,
    /// Below it a candidate is left out, 0 to 1; 0 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor: Option<f64>,
}

/// What surrounds a choice, each part 0 to 1; 0 where left out.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChoiceContext {
    /// How fast things change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volatility: Option<f64>,
    /// How much there is to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<f64>,
    /// What it costs to act.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread: Option<f64>,
    /// How clear the direction is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trend_strength: Option<f64>,
    /// How much of what is seen is chance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise_level: Option<f64>,
}

/// Chooses among candidates by eight criteria, traits and context, such that the chosen ones are not all alike. Their ids fit
/// `voters` of `session.open`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SelectCandidates {
    /// Id of the choice; a random one when left out. Under one id one choice is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selection_id: Option<EntityId>,
    /// Who may be chosen; every candidate that may vote when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidates: Option<Vec<VoterId>>,
    /// Most that are chosen, 1 to 1000; 5 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum: Option<u32>,
    /// From 0 (only what speaks for each) to 1 (only that they differ); 0.7 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diversity: Option<f64>,
    /// Choose only who is at least `diversity` away from all chosen ones; false when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strict: Option<bool>,
    /// Less fit candidates are left out, 0 to 1; 0.6 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least_fitness: Option<f64>,
    /// What a criterion counts as that was not measured, by its name; a candidate without it is left out otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defaults: Option<BTreeMap<String, f64>>,
    /// How much each criterion counts, by its name; together 1, those left out as usual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub criteria: Option<BTreeMap<String, f64>>,
    /// Traits that are asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<BTreeMap<String, WantedTrait>>,
    /// What surrounds the choice; no adjustment when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<ChoiceContext>,
    /// How well a trait serves in each part of the context, in the order volatility, volume, spread, trend, noise; 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affinity: Option<BTreeMap<String, Vec<f64>>>,
    /// How much cooperation and adaptability count, 0.10 to 0.99; 0.8 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sensitivity: Option<f64>,
    /// Who chooses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// One that was chosen, and what speaks for it, each part from 0 to 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChosenView {
    /// Which.
    pub candidate_id: VoterId,
    /// Its label.
    pub kind: String,
    /// All together.
    pub utility: f64,
    /// The weighted mean of the criteria.
    pub criteria: f64,
    /// What each criterion adds to that.
    pub contributions: BTreeMap<String, f64>,
    /// How well it has the traits that are asked for.
    pub traits: f64,
    /// How well its traits suit the context.
    pub suitability: f64,
    /// Its potential for emergence.
    pub emergence: f64,
}

/// What was chosen, and why the others were not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CandidatesSelected {
    /// Id of the choice.
    pub selection_id: EntityId,
    /// The chosen ones, in the order in which they were chosen.
    pub chosen: Vec<ChosenView>,
    /// Their ids, as `session.open` takes them for its `voters`.
    pub voters: Vec<VoterId>,
    /// Why each of the others was not chosen.
    pub left_out: BTreeMap<VoterId, String>,
    /// How many fewer were chosen than could have been, since the rest is too much alike; 0 unless strict.
    pub shortfall: u32,
    /// Those that no other beats in every criterion.
    pub front: BTreeSet<VoterId>,
    /// How many kinds there effectively are among the chosen.
    pub effective_kinds: f64,
    /// The least distance of two chosen ones; none of fewer than two.
    pub least_distance: Option<f64>,
    /// The same choice was on record before; nothing changed.
    pub duplicate: bool,
}
