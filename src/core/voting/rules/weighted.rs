//! More than a fraction of all weight; 0.6 by default. A voter of weight 0 is an observer.
//!
//! Source: International Bank for Reconstruction and Development, Articles of Agreement, Article V, section 3 (votes
//! by shares held). A fraction of 1 means all weight.
//!
//! Worked example: weights 3, 1, 1 and one half: the first alone has 3 of 5, which is more than 2.5.

use std::collections::BTreeSet;

use super::{Electorate, Fraction, Law, Node, Parameter, Rule, RuleEntry, RuleSpec, WeightTable};
use crate::kernel::ids::VoterId;

/// The line in the table.
pub const ENTRY: RuleEntry = RuleEntry {
    name: "weighted",
    summary: "more than a fraction of all weight (default 0.6)",
    parameters: &[
        Parameter { name: "threshold", summary: "fraction from 0 to 1; default 0.6" },
        Parameter { name: "agent_weights", summary: "weight by voter, 0 to 10^9, kept in millionths" },
        Parameter { name: "default_weight", summary: "weight of everybody else; default 1" },
        Parameter { name: "comparison", summary: "more_than (default) or at_least" },
        Parameter { name: "denominator", summary: "all weight (default) or weight cast for or against" },
        Parameter { name: "group", summary: "count only these voters" },
    ],
    source: "IBRD Articles of Agreement, Article V, section 3",
    law: Law::MoreForNeverHurts,
    sample: || RuleSpec::new("weighted"),
    build: |params| {
        let sixty = Fraction::new(3, 5).unwrap_or(Fraction::ONE);
        let at_least = params.second_of("comparison", ["more_than", "at_least"], false)?;
        Ok(Box::new(Weighted {
            fraction: match at_least {
                true => params.share("threshold", sixty)?,
                false => params.fraction("threshold", sixty)?,
            },
            weights: params.weights("agent_weights", "default_weight")?,
            at_least,
            of_cast: params.second_of("denominator", ["all", "cast"], false)?,
            group: params.voters("group")?,
        }))
    },
};

#[derive(Debug)]
struct Weighted {
    fraction: Fraction,
    weights: WeightTable,
    at_least: bool,
    of_cast: bool,
    group: Option<BTreeSet<VoterId>>,
}

impl Rule for Weighted {
    fn node(&self, electorate: &mut Electorate<'_>) -> Node {
        let weight = electorate.weights(&self.weights, self.group.as_ref());
        match (self.of_cast, self.at_least) {
            (true, at_least) => weight.of_cast(self.fraction, !at_least),
            (false, true) => weight.at_least(self.fraction),
            (false, false) => weight.more_than(self.fraction),
        }
    }

    fn threshold(&self) -> f64 {
        self.fraction.to_f64()
    }

    fn weights(&self) -> Option<&WeightTable> {
        Some(&self.weights)
    }
}
