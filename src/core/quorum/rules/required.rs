//! A fixed count of approvals, whatever the size of the electorate.
//!
//! Source: Constitution of the United States, Article VII ("The Ratification of the Conventions of nine States,
//! shall be sufficient"): nine, of thirteen.
//!
//! Worked example: 13 voters and a count of 9 need 9.

use super::{Rule, RuleEntry, RuleError};

/// The line in the table.
pub const ENTRY: RuleEntry = RuleEntry {
    name: "required",
    summary: "a fixed number of approvals",
    parameter: "count from 1",
    source: "Constitution of the United States, Article VII",
    build: |parameter| match parameter.map(str::parse::<u32>) {
        Some(Ok(count)) if count >= 1 => Ok(Box::new(Required(count))),
        _ => Err(RuleError::Parameter {
            rule: "required",
            expected: "a count from 1 to 4294967295, as in required:9",
            given: parameter.unwrap_or_default().to_owned(),
        }),
    },
};

/// The count.
#[derive(Clone, Copy, Debug)]
pub struct Required(pub u32);

impl Rule for Required {
    fn approvals_needed(&self, _voters: u32) -> u32 {
        self.0.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nine_states_suffice() {
        assert_eq!((ENTRY.build)(Some("9")).unwrap().approvals_needed(13), 9);
    }

    #[test]
    fn a_count_must_be_given_and_positive() {
        assert!((ENTRY.build)(None).is_err());
        assert!((ENTRY.build)(Some("-1")).is_err());
    }
}
