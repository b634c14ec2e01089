//! At least a large fraction, two thirds by default, of the votes cast for or against. Abstaining does not count;
//! silence keeps the question open, since the silent may still vote.
//!
//! Source: Charter of the United Nations, Article 18 (2) (important questions by a two-thirds majority of the members
//! present and voting; those who abstain are not voting).
//!
//! Worked example: of 9 votes, 5 for, 2 against, 2 abstaining: 5 of 7 cast is at least 2/3.

use super::{Electorate, Fraction, Law, Node, Parameter, Rule, RuleEntry, RuleSpec};

/// The line in the table.
pub const ENTRY: RuleEntry = RuleEntry {
    name: "supermajority",
    summary: "at least a fraction of the votes cast for or against (default 2/3)",
    parameters: &[Parameter { name: "fraction", summary: "above 0 and up to 1; default 2/3" }],
    source: "Charter of the United Nations, Article 18 (2)",
    law: Law::MoreForNeverHurts,
    sample: || RuleSpec::new("supermajority"),
    build: |params| Ok(Box::new(Supermajority(params.share("fraction", Fraction::TWO_THIRDS)?))),
};

#[derive(Debug)]
struct Supermajority(Fraction);

impl Rule for Supermajority {
    fn node(&self, electorate: &mut Electorate<'_>) -> Node {
        electorate.heads(None).of_cast(self.0, false)
    }

    fn threshold(&self) -> f64 {
        self.0.to_f64()
    }
}
