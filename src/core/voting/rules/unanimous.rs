//! Every eligible voter: the first vote against, or abstention, rejects.
//!
//! Source: Robert's Rules of Order Newly Revised, 12th ed., 4:58 (unanimous consent), read strictly: silence is not
//! consent, an agent that never answers leaves the question open until its deadline.
//!
//! Worked example: 3 voters need 3.

use std::collections::BTreeSet;

use super::{Electorate, Fraction, Law, Node, Parameter, Rule, RuleEntry, RuleSpec};
use crate::kernel::ids::VoterId;

/// The line in the table.
pub const ENTRY: RuleEntry = RuleEntry {
    name: "unanimous",
    summary: "every voter",
    parameters: &[Parameter { name: "group", summary: "count only these voters" }],
    source: "Robert's Rules of Order Newly Revised, 12th ed., 4:58",
    law: Law::MoreForNeverHurts,
    sample: || RuleSpec::new("unanimous"),
    build: |params| Ok(Box::new(Unanimous { group: params.voters("group")? })),
};

#[derive(Debug)]
struct Unanimous {
    group: Option<BTreeSet<VoterId>>,
}

impl Rule for Unanimous {
    fn node(&self, electorate: &mut Electorate<'_>) -> Node {
        electorate.heads(self.group.as_ref()).at_least(Fraction::ONE)
    }

    fn threshold(&self) -> f64 {
        1.0
    }
}
