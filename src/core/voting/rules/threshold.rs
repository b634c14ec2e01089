//! More than a fraction of all eligible voters; half by default, which is a majority.
//!
//! Source: Robert's Rules of Order Newly Revised, 12th ed., 44:1 (a majority is *more than* half). Abstaining and
//! silence count against, unless the fraction is taken of the votes cast. A fraction of 1 means everyone, since more
//! than everyone is nobody. With `require_majority` half of the electorate must have taken part, abstaining or not,
//! before anything is approved; that only matters below one half, or when votes cast are counted.
//!
//! Worked example: 6 voters and one half need ⌊6/2⌋ + 1 = 4.

use std::collections::BTreeSet;

use super::{Electorate, Fraction, Law, Node, Parameter, Rule, RuleEntry, RuleSpec};
use crate::kernel::ids::VoterId;

/// The line in the table.
pub const ENTRY: RuleEntry = RuleEntry {
    name: "threshold",
    summary: "more than a fraction of all voters (default 0.5: a majority)",
    parameters: &[
        Parameter { name: "threshold", summary: "fraction from 0 to 1; default 0.5" },
        Parameter {
            name: "require_majority",
            summary: "half of the voters must take part before anything is approved; default true",
        },
        Parameter { name: "comparison", summary: "more_than (default) or at_least" },
        Parameter { name: "denominator", summary: "all voters (default) or votes cast for or against" },
        Parameter { name: "group", summary: "count only these voters" },
    ],
    source: "Robert's Rules of Order Newly Revised, 12th ed., 44:1",
    law: Law::MoreForNeverHurts,
    sample: || RuleSpec::new("threshold"),
    build: |params| {
        let at_least = params.second_of("comparison", ["more_than", "at_least"], false)?;
        Ok(Box::new(Threshold {
            fraction: match at_least {
                true => params.share("threshold", Fraction::HALF)?,
                false => params.fraction("threshold", Fraction::HALF)?,
            },
            require_majority: params.flag("require_majority", true)?,
            at_least,
            of_cast: params.second_of("denominator", ["all", "cast"], false)?,
            group: params.voters("group")?,
        }))
    },
};

#[derive(Debug)]
struct Threshold {
    fraction: Fraction,
    require_majority: bool,
    at_least: bool,
    of_cast: bool,
    group: Option<BTreeSet<VoterId>>,
}

impl Rule for Threshold {
    fn node(&self, electorate: &mut Electorate<'_>) -> Node {
        let heads = electorate.heads(self.group.as_ref());
        let bar = match (self.of_cast, self.at_least) {
            (true, at_least) => heads.of_cast(self.fraction, !at_least),
            (false, true) => heads.at_least(self.fraction),
            (false, false) => heads.more_than(self.fraction),
        };
        if self.require_majority && (self.of_cast || self.fraction.is_below_half()) {
            Node::All(vec![bar, heads.sum([2, 2, 2], heads.total())])
        } else {
            bar
        }
    }

    fn threshold(&self) -> f64 {
        self.fraction.to_f64()
    }
}
