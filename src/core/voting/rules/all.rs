//! Several rules at once: won when each of them is.
//!
//! Source: Boole, An Investigation of the Laws of Thought, 1854, chapter II (logical product).
//!
//! Worked example: `all` of `threshold` and `required:5` among 6 voters needs 5.

use super::{Electorate, Law, Node, Parameter, Rule, RuleEntry, RuleSpec, WeightTable};

/// The line in the table.
pub const ENTRY: RuleEntry = RuleEntry {
    name: "all",
    summary: "each of several rules",
    parameters: &[Parameter { name: "rules", summary: "a list of rules; must be given" }],
    source: "Boole, Laws of Thought, chapter II",
    law: Law::AsItsParts,
    sample: || RuleSpec::new("all").with("rules", vec!["threshold", "supermajority"]),
    build: |params| Ok(Box::new(All(params.needed_rules("rules")?))),
};

#[derive(Debug)]
struct All(Vec<Box<dyn Rule>>);

impl Rule for All {
    fn node(&self, electorate: &mut Electorate<'_>) -> Node {
        Node::All(self.0.iter().map(|rule| rule.node(electorate)).collect())
    }

    fn node_for_anyone(&self) -> Option<Node> {
        self.0.iter().map(|rule| rule.node_for_anyone()).collect::<Option<_>>().map(Node::All)
    }

    fn threshold(&self) -> f64 {
        self.0.first().map_or(0.0, |rule| rule.threshold())
    }

    fn weights(&self) -> Option<&WeightTable> {
        self.0.iter().find_map(|rule| rule.weights())
    }
}
