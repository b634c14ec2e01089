//! The opposite of a rule: won when it is not met. With it one says "unless": an approval that a minority can stop.
//!
//! Source: Boole, An Investigation of the Laws of Thought, 1854, chapter II (logical complement).
//!
//! Worked example: `not` of `required:2` among 3 voters is won as soon as two can no longer be for.

use super::{Electorate, Law, Node, Parameter, Rule, RuleEntry, RuleSpec, WeightTable};

/// The line in the table.
pub const ENTRY: RuleEntry = RuleEntry {
    name: "not",
    summary: "the opposite of a rule",
    parameters: &[Parameter { name: "rule", summary: "a rule; must be given" }],
    source: "Boole, Laws of Thought, chapter II",
    law: Law::AsItsParts,
    sample: || RuleSpec::new("not").with("rule", "threshold"),
    build: |params| Ok(Box::new(Not(params.needed_rule("rule")?))),
};

#[derive(Debug)]
struct Not(Box<dyn Rule>);

impl Rule for Not {
    fn node(&self, electorate: &mut Electorate<'_>) -> Node {
        self.0.node(electorate).negated()
    }

    fn node_for_anyone(&self) -> Option<Node> {
        self.0.node_for_anyone().map(Node::negated)
    }

    fn threshold(&self) -> f64 {
        self.0.threshold()
    }

    fn weights(&self) -> Option<&WeightTable> {
        self.0.weights()
    }
}
