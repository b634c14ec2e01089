//! Enough independent voices are for. A voter who is one of several that are made alike is only a part of a voice.
//!
//! With m voters of a group in the electorate, whose errors are correlated with ρ, each is `1/(1 + (m − 1)ρ)` of a
//! voice: together `m/(1 + (m − 1)ρ)`, which is one for copies. Where correlations were learned, each voter's share is
//! given instead. Shares are fixed when the question opens, and rounded up to a millionth, so that all of a group of
//! copies are not less than one voice.
//!
//! Source: L. Kish, Survey Sampling, Wiley 1965, section 5.4 (the design effect).
//!
//! Worked example: at least 2 voices, a and b are copies, c stands alone: a and b for make one, c with either one and a
//! half, all three two.

use std::collections::BTreeSet;

use super::{Electorate, Fraction, Law, Node, Parameter, Rule, RuleEntry, RuleSpec, WeightTable};
use crate::kernel::ids::VoterId;
use crate::kernel::number::{WHOLE_WEIGHT, Weight};

/// The line in the table.
pub const ENTRY: RuleEntry = RuleEntry {
    name: "effective_voters",
    summary: "enough independent voices are for (default 2); voters made alike share one",
    parameters: &[
        Parameter { name: "min", summary: "as many voices, above 0; default 2" },
        Parameter {
            name: "groups",
            summary: "lists of voters made alike; without it everyone is of one group",
        },
        Parameter {
            name: "correlation",
            summary: "of the errors within a group; default 1, without groups 0",
        },
        Parameter {
            name: "shares",
            summary: "part of a voice by voter; the smaller of this and the group's",
        },
        Parameter { name: "default_share", summary: "part of everybody else; default 1" },
    ],
    source: "Kish, Survey Sampling, 1965, section 5.4",
    law: Law::MoreForNeverHurts,
    sample: || RuleSpec::new("effective_voters"),
    build: |params| {
        let groups = params.groups("groups")?;
        let correlation = if groups.is_some() { Fraction::ONE } else { Fraction::ZERO };
        Ok(Box::new(EffectiveVoters {
            min: params.weight("min", 2 * WHOLE_WEIGHT)?,
            correlation: params.fraction("correlation", correlation)?,
            groups,
            shares: params.weights("shares", "default_share")?,
        }))
    },
};

#[derive(Debug)]
struct EffectiveVoters {
    min: u64,
    correlation: Fraction,
    groups: Option<Vec<BTreeSet<VoterId>>>,
    shares: WeightTable,
}

impl EffectiveVoters {
    /// The part of a voice of each of so many alike, in millionths.
    fn part(&self, alike: usize) -> u64 {
        let (n, d) = self.correlation.parts();
        let (n, d) = (n.unsigned_abs(), d.unsigned_abs());
        let others = alike.saturating_sub(1) as u128;
        let scaled = u128::from(WHOLE_WEIGHT) * u128::from(d);
        scaled.div_ceil(u128::from(d) + others * u128::from(n)) as u64
    }
}

impl Rule for EffectiveVoters {
    fn node(&self, electorate: &mut Electorate<'_>) -> Node {
        let alike = |voter: &VoterId| match &self.groups {
            None => electorate.voters.len(),
            Some(groups) => match groups.iter().find(|group| group.contains(voter)) {
                Some(group) => electorate.voters.iter().filter(|other| group.contains(*other)).count(),
                None => 1,
            },
        };
        let units = electorate.voters.iter().map(|voter| self.part(alike(voter)).min(self.shares.of(voter)));
        let units = units.collect();
        electorate.column(units).sum([1, 0, 0], self.min.into())
    }

    fn threshold(&self) -> f64 {
        self.min as f64 / Weight::ONE.millionths() as f64
    }
}
