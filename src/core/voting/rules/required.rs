//! A fixed count of approvals, whatever the size of the electorate.
//!
//! Source: Constitution of the United States, Article VII ("The Ratification of the Conventions of nine States,
//! shall be sufficient"), of the thirteen there were.
//!
//! Worked example: 13 voters and a count of 9 need 9.

use std::collections::BTreeSet;

use super::{Electorate, Formula, Law, Node, Parameter, Rule, RuleEntry, RuleSpec};
use crate::kernel::ids::VoterId;

/// The line in the table.
pub const ENTRY: RuleEntry = RuleEntry {
    name: "required",
    summary: "a fixed number of votes for",
    parameters: &[
        Parameter { name: "count", summary: "whole number from 1; must be given" },
        Parameter { name: "group", summary: "count only these voters" },
    ],
    source: "Constitution of the United States, Article VII",
    law: Law::MoreForNeverHurts,
    sample: || RuleSpec::new("required").with("count", 3),
    build: |params| {
        Ok(Box::new(Required { count: params.needed_count("count")?, group: params.voters("group")? }))
    },
};

#[derive(Debug)]
struct Required {
    count: u32,
    group: Option<BTreeSet<VoterId>>,
}

impl Rule for Required {
    fn node(&self, electorate: &mut Electorate<'_>) -> Node {
        electorate.heads(self.group.as_ref()).sum([1, 0, 0], self.count.into())
    }

    fn node_for_anyone(&self) -> Option<Node> {
        self.group.is_none().then(|| Formula::required(self.count).root)
    }

    fn threshold(&self) -> f64 {
        self.count.into()
    }
}
