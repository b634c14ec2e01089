//! Two bars at once: enough heads, and enough power behind them. Optionally few cannot block many: when those not in
//! favour are fewer than `blocking_minority`, the bar of power counts as met.
//!
//! Source: Treaty on European Union, Article 16 (4) (at least 55 % of the members of the Council, comprising at least
//! 65 % of the population; a blocking minority must include at least four members).
//!
//! Worked example: 27 states, 24 for with 60 % of the population: only three are not in favour, so it passes.

use super::{Electorate, Fraction, Law, Node, Parameter, Rule, RuleEntry, RuleSpec, WeightTable};

/// The line in the table.
pub const ENTRY: RuleEntry = RuleEntry {
    name: "dual",
    summary: "enough heads and enough power behind them (default 55 % and 65 %)",
    parameters: &[
        Parameter { name: "heads", summary: "fraction of voters, above 0 and up to 1; default 0.55" },
        Parameter { name: "power", summary: "fraction of weight, above 0 and up to 1; default 0.65" },
        Parameter { name: "heads_count", summary: "this many votes for, instead of a fraction of voters" },
        Parameter { name: "agent_weights", summary: "power by voter, 0 to 10^9, kept in millionths" },
        Parameter { name: "default_weight", summary: "power of everybody else; default 1" },
        Parameter {
            name: "blocking_minority",
            summary: "with fewer than so many not in favour the bar of power counts as met",
        },
        Parameter { name: "comparison", summary: "at_least (default) or more_than, for both bars" },
    ],
    source: "Treaty on European Union, Article 16 (4)",
    law: Law::MoreForNeverHurts,
    sample: || RuleSpec::new("dual"),
    build: |params| {
        let percent = |n| Fraction::new(n, 100).unwrap_or(Fraction::ONE);
        Ok(Box::new(Dual {
            heads: params.share("heads", percent(55))?,
            power: params.share("power", percent(65))?,
            heads_count: params.count("heads_count")?,
            weights: params.weights("agent_weights", "default_weight")?,
            blocking_minority: params.count("blocking_minority")?,
            strictly: params.second_of("comparison", ["at_least", "more_than"], false)?,
        }))
    },
};

#[derive(Debug)]
struct Dual {
    heads: Fraction,
    power: Fraction,
    heads_count: Option<u32>,
    weights: WeightTable,
    blocking_minority: Option<u32>,
    strictly: bool,
}

impl Rule for Dual {
    fn node(&self, electorate: &mut Electorate<'_>) -> Node {
        let heads = electorate.heads(None);
        let weight = electorate.weights(&self.weights, None);
        let enough_heads = match (self.heads_count, self.strictly) {
            (Some(count), _) => heads.sum([1, 0, 0], count.into()),
            (None, false) => heads.at_least(self.heads),
            (None, true) => heads.more_than(self.heads),
        };
        let enough_power =
            if self.strictly { weight.more_than(self.power) } else { weight.at_least(self.power) };
        let enough_power = match self.blocking_minority {
            None => enough_power,
            // Not in favour are all but those for: abstaining and silence do not help.
            Some(least) => {
                let too_few_against = heads.sum([1, 0, 0], heads.total() - i128::from(least) + 1);
                Node::Any(vec![enough_power, too_few_against])
            }
        };
        Node::All(vec![enough_heads, enough_power])
    }

    fn threshold(&self) -> f64 {
        self.heads_count.map_or(self.heads.to_f64(), f64::from)
    }

    fn weights(&self) -> Option<&WeightTable> {
        Some(&self.weights)
    }
}
