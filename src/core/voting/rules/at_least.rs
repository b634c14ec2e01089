//! At least a fraction of all eligible voters; two thirds by default.
//!
//! Source: Robert's Rules of Order Newly Revised, 12th ed., 44:3 (a two-thirds vote is *at least* two thirds).
//!
//! Worked example: 5 voters and two thirds need ⌈10/3⌉ = 4.

use std::collections::BTreeSet;

use super::{Electorate, Fraction, Law, Node, Parameter, Rule, RuleEntry, RuleSpec};
use crate::kernel::ids::VoterId;

/// The line in the table.
pub const ENTRY: RuleEntry = RuleEntry {
    name: "at_least",
    summary: "at least a fraction of all voters (default 2/3)",
    parameters: &[
        Parameter { name: "fraction", summary: "above 0 and up to 1; default 2/3" },
        Parameter { name: "group", summary: "count only these voters" },
    ],
    source: "Robert's Rules of Order Newly Revised, 12th ed., 44:3",
    law: Law::MoreForNeverHurts,
    sample: || RuleSpec::new("at_least"),
    build: |params| {
        Ok(Box::new(AtLeast {
            fraction: params.share("fraction", Fraction::TWO_THIRDS)?,
            group: params.voters("group")?,
        }))
    },
};

#[derive(Debug)]
struct AtLeast {
    fraction: Fraction,
    group: Option<BTreeSet<VoterId>>,
}

impl Rule for AtLeast {
    fn node(&self, electorate: &mut Electorate<'_>) -> Node {
        electorate.heads(self.group.as_ref()).at_least(self.fraction)
    }

    fn threshold(&self) -> f64 {
        self.fraction.to_f64()
    }
}
