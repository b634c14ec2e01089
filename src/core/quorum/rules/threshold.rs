//! More than a fraction of all eligible voters; half by default, which is a majority.
//!
//! Source: Robert's Rules of Order Newly Revised, 12th ed., 44:1 (majority is *more than* half). Abstaining and
//! silence count against. A fraction of 1 means everyone, since more than everyone is nobody.
//!
//! Worked example: 6 voters and one half need ⌊6/2⌋ + 1 = 4.

use super::{Fraction, Rule, RuleEntry, RuleError};

/// The line in the table.
pub const ENTRY: RuleEntry = RuleEntry {
    name: "threshold",
    summary: "strictly more than a fraction of all voters (default 0.5: a majority)",
    parameter: "fraction 0 to 1",
    source: "Robert's Rules of Order Newly Revised, 12th ed., 44:1",
    build: |parameter| match parameter.unwrap_or("0.5").parse() {
        Ok(fraction) => Ok(Box::new(Threshold(fraction))),
        Err(()) => Err(RuleError::Parameter {
            rule: "threshold",
            expected: "a fraction from 0 to 1",
            given: parameter.unwrap_or_default().to_owned(),
        }),
    },
};

/// Strictly more than the fraction.
#[derive(Clone, Copy, Debug)]
pub struct Threshold(pub Fraction);

impl Threshold {
    /// More than half.
    pub const MAJORITY: Threshold = match Fraction::new(1, 2) {
        Some(half) => Threshold(half),
        None => panic!("one half is a fraction"),
    };
}

impl Rule for Threshold {
    fn approvals_needed(&self, voters: u32) -> u32 {
        if self.0.is_one() { voters.max(1) } else { self.0.of_floor(voters) + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_majority_is_more_than_half() {
        let needed: Vec<u32> = (1..=7).map(|n| Threshold::MAJORITY.approvals_needed(n)).collect();
        assert_eq!(needed, [1, 2, 2, 3, 3, 4, 4]);
    }

    #[test]
    fn a_threshold_of_one_means_everyone() {
        assert_eq!(Threshold("1".parse().unwrap()).approvals_needed(5), 5);
    }
}
