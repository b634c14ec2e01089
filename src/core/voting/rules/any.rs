//! Several rules to choose from: won when one of them is.
//!
//! Source: Boole, An Investigation of the Laws of Thought, 1854, chapter II (logical sum).
//!
//! Worked example: `any` of `required:2` among the experts and `threshold` among all: two experts are enough.

use super::{Electorate, Law, Node, Parameter, Rule, RuleEntry, RuleSpec, WeightTable};

/// The line in the table.
pub const ENTRY: RuleEntry = RuleEntry {
    name: "any",
    summary: "one of several rules",
    parameters: &[Parameter { name: "rules", summary: "a list of rules; must be given" }],
    source: "Boole, Laws of Thought, chapter II",
    law: Law::AsItsParts,
    sample: || RuleSpec::new("any").with("rules", vec!["threshold", "required:3"]),
    build: |params| Ok(Box::new(Any(params.needed_rules("rules")?))),
};

#[derive(Debug)]
struct Any(Vec<Box<dyn Rule>>);

impl Rule for Any {
    fn node(&self, electorate: &mut Electorate<'_>) -> Node {
        Node::Any(self.0.iter().map(|rule| rule.node(electorate)).collect())
    }

    fn node_for_anyone(&self) -> Option<Node> {
        self.0.iter().map(|rule| rule.node_for_anyone()).collect::<Option<_>>().map(Node::Any)
    }

    fn threshold(&self) -> f64 {
        self.0.first().map_or(0.0, |rule| rule.threshold())
    }

    fn weights(&self) -> Option<&WeightTable> {
        self.0.iter().find_map(|rule| rule.weights())
    }
}
