//! What is said of algorithms: names that stand for rules.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::core::voting::rules::RuleSpec;

/// A name stands for a rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AlgorithmRegistered {
    /// The name.
    pub name: String,
    /// False when the name stood for the same rule before; nothing changed.
    pub registered: bool,
    /// The rule under this name.
    pub rule: Option<RuleSpec>,
    /// The rule it took the place of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced: Option<RuleSpec>,
}

/// Names an algorithm.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlgorithmRef {
    /// Its registered name.
    pub name: String,
}

/// A name was taken away, if there was one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AlgorithmUnregistered {
    /// The name.
    pub name: String,
    /// False when nothing was registered under it.
    pub unregistered: bool,
    /// The default from now on.
    pub default: Option<String>,
}

/// The default was set, if there is such an algorithm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AlgorithmDefault {
    /// The name asked for.
    pub name: String,
    /// False when nothing is registered under it.
    pub set: bool,
    /// The default from now on.
    pub default: Option<String>,
}

/// A registered algorithm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AlgorithmView {
    /// Its name.
    pub name: String,
    /// Its rule; none for a custom one.
    pub rule: Option<RuleSpec>,
    /// It is a function registered in this process.
    pub custom: bool,
    /// It decides when no other is named.
    pub default: bool,
}

/// A parameter of a rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ParameterView {
    /// Its name.
    pub name: String,
    /// What it takes.
    pub summary: String,
}

/// A rule that can be given a name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RuleView {
    /// Its name in the table.
    pub name: String,
    /// What it says.
    pub summary: String,
    /// Its parameters.
    pub parameters: Vec<ParameterView>,
    /// What it keeps to.
    pub law: String,
    /// Where it comes from.
    pub source: String,
}

/// What can decide.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AlgorithmList {
    /// Registered algorithms, in the order in which they were registered; custom ones last.
    pub algorithms: Vec<AlgorithmView>,
    /// The default, when there is one.
    pub default: Option<String>,
    /// The rules that can be given a name.
    pub rules: Vec<RuleView>,
}
