//! Every eligible voter.
//!
//! Source: Robert's Rules of Order Newly Revised, 12th ed., 44:2 and 4:58 (unanimous consent), read strictly:
//! silence is not consent, an agent that never answers leaves the question open until its deadline.
//!
//! Worked example: 3 voters need 3.

use super::{Rule, RuleEntry, RuleError};

/// The line in the table.
pub const ENTRY: RuleEntry = RuleEntry {
    name: "unanimous",
    summary: "every voter",
    parameter: "",
    source: "Robert's Rules of Order Newly Revised, 12th ed., 4:58",
    build: |parameter| match parameter {
        None => Ok(Box::new(Unanimous)),
        Some(given) => {
            Err(RuleError::Parameter { rule: "unanimous", expected: "no parameter", given: given.to_owned() })
        }
    },
};

/// Everyone.
#[derive(Clone, Copy, Debug)]
pub struct Unanimous;

impl Rule for Unanimous {
    fn approvals_needed(&self, voters: u32) -> u32 {
        voters.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyone_is_everyone() {
        assert_eq!(Unanimous.approvals_needed(13), 13);
    }

    #[test]
    fn an_empty_electorate_still_needs_a_vote() {
        assert_eq!(Unanimous.approvals_needed(0), 1);
    }
}
