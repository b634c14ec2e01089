//! A rule that named voters can block: one vote against from any of them loses the question. Their abstention or
//! absence does not block.
//!
//! Source: Charter of the United Nations, Article 27 (3), as practised (International Court of Justice, Namibia,
//! Advisory Opinion of 21 June 1971, paragraph 22: abstention of a permanent member is no veto).
//!
//! Worked example: 9 of 15 for and one of the five against: lost.

use std::collections::BTreeSet;

use super::{Electorate, Law, Node, Parameter, Rule, RuleEntry, RuleSpec, WeightTable, build};
use crate::kernel::ids::VoterId;

/// The line in the table.
pub const ENTRY: RuleEntry = RuleEntry {
    name: "veto",
    summary: "another rule, which each of the named voters can block",
    parameters: &[
        Parameter { name: "voters", summary: "who can block; must be given" },
        Parameter { name: "rule", summary: "the rule that must be met besides; default threshold" },
    ],
    source: "Charter of the United Nations, Article 27 (3)",
    law: Law::AsItsParts,
    sample: || RuleSpec::new("veto").with("voters", Vec::<&str>::new()),
    build: |params| {
        let rule = match params.rule("rule")? {
            Some(rule) => rule,
            None => build(&RuleSpec::new("threshold"))?,
        };
        Ok(Box::new(Veto { voters: params.needed_voters("voters")?, rule }))
    },
};

#[derive(Debug)]
struct Veto {
    voters: BTreeSet<VoterId>,
    rule: Box<dyn Rule>,
}

impl Rule for Veto {
    fn node(&self, electorate: &mut Electorate<'_>) -> Node {
        let rule = self.rule.node(electorate);
        let blockers = electorate.heads(Some(&self.voters));
        Node::All(vec![rule, blockers.sum([0, -1, 0], 0)])
    }

    fn threshold(&self) -> f64 {
        self.rule.threshold()
    }

    fn weights(&self) -> Option<&WeightTable> {
        self.rule.weights()
    }
}
