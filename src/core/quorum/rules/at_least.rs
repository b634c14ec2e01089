//! At least a fraction of all eligible voters; two thirds by default.
//!
//! Source: Robert's Rules of Order Newly Revised, 12th ed., 44:3 (a two-thirds vote is *at least* two thirds).
//!
//! Worked example: 5 voters and two thirds need ⌈10/3⌉ = 4.

use super::{Fraction, Rule, RuleEntry, RuleError};

/// The line in the table.
pub const ENTRY: RuleEntry = RuleEntry {
    name: "at_least",
    summary: "at least a fraction of all voters (default 2/3)",
    parameter: "fraction above 0 to 1",
    source: "Robert's Rules of Order Newly Revised, 12th ed., 44:3",
    build: |parameter| match parameter.unwrap_or("2/3").parse::<Fraction>() {
        Ok(fraction) if fraction.of_ceil(1) == 1 => Ok(Box::new(AtLeast(fraction))),
        _ => Err(RuleError::Parameter {
            rule: "at_least",
            expected: "a fraction above 0 and up to 1",
            given: parameter.unwrap_or_default().to_owned(),
        }),
    },
};

/// At least the fraction.
#[derive(Clone, Copy, Debug)]
pub struct AtLeast(pub Fraction);

impl AtLeast {
    /// Two thirds or more.
    pub const TWO_THIRDS: AtLeast = match Fraction::new(2, 3) {
        Some(fraction) => AtLeast(fraction),
        None => panic!("two thirds is a fraction"),
    };
}

impl Rule for AtLeast {
    fn approvals_needed(&self, voters: u32) -> u32 {
        self.0.of_ceil(voters).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_thirds_of_six_is_four_and_of_three_is_two() {
        let needed: Vec<u32> = (1..=6).map(|n| AtLeast::TWO_THIRDS.approvals_needed(n)).collect();
        assert_eq!(needed, [1, 2, 2, 3, 4, 4]);
    }

    #[test]
    fn a_fraction_of_zero_is_refused() {
        assert!((ENTRY.build)(Some("0")).is_err());
    }
}
