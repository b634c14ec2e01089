//! Vote rules, one file each: how many approvals an electorate of N needs.
//!
//! A rule is a pure function of N. The quorum counts in [`super::tally`]; the rule only says where the bar is.
//! Adding one is a file and a line in [`RULES`]; `quorate replay`, the command line and the conformance tests
//! read the table.

mod at_least;
mod required;
mod threshold;
mod unanimous;

use std::fmt;
use std::str::FromStr;

pub use at_least::AtLeast;
pub use required::Required;
pub use threshold::Threshold;
pub use unanimous::Unanimous;

/// Where the bar stands.
///
/// Laws: the bar is at least 1; it never falls when the electorate grows.
pub trait Rule: fmt::Debug + Send + Sync {
    /// Approvals needed among `voters` eligible voters. May exceed `voters`: then nothing can be approved.
    fn approvals_needed(&self, voters: u32) -> u32;
}

/// Builds a rule from its parameter, if one was given.
pub type BuildRule = fn(Option<&str>) -> Result<Box<dyn Rule>, RuleError>;

/// One line of the table of rules.
#[derive(Debug)]
pub struct RuleEntry {
    /// The name in commands and JSON.
    pub name: &'static str,
    /// One line for lists.
    pub summary: &'static str,
    /// What may follow the name after a colon, or empty.
    pub parameter: &'static str,
    /// Where the rule comes from.
    pub source: &'static str,
    /// Builds the rule from its parameter, if one was given.
    pub build: BuildRule,
}

/// Every rule.
pub const RULES: &[RuleEntry] = &[threshold::ENTRY, at_least::ENTRY, unanimous::ENTRY, required::ENTRY];

/// Why a rule cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// No rule of that name.
    #[error("unknown rule. given={given}, expected one of {expected}")]
    Unknown {
        /// The name asked for.
        given: String,
        /// The names there are.
        expected: String,
    },
    /// The parameter does not fit.
    #[error("rule {rule} needs {expected}. given={given:?}")]
    Parameter {
        /// The rule.
        rule: &'static str,
        /// What it takes.
        expected: &'static str,
        /// What was given.
        given: String,
    },
}

/// Builds a rule from `name` or `name:parameter`, as in `at_least:2/3`.
///
/// ```
/// use quorate::core::quorum::rules::build;
/// assert_eq!(build("threshold")?.approvals_needed(6), 4);
/// assert_eq!(build("at_least:2/3")?.approvals_needed(6), 4);
/// assert_eq!(build("required:9")?.approvals_needed(13), 9);
/// # Ok::<(), quorate::core::quorum::rules::RuleError>(())
/// ```
///
/// # Errors
/// [`RuleError`] for an unknown name or a parameter out of range.
pub fn build(text: &str) -> Result<Box<dyn Rule>, RuleError> {
    let (name, parameter) = match text.split_once(':') {
        Some((name, parameter)) => (name, Some(parameter)),
        None => (text, None),
    };
    match RULES.iter().find(|entry| entry.name == name) {
        Some(entry) => (entry.build)(parameter),
        None => Err(RuleError::Unknown {
            given: name.to_owned(),
            expected: RULES.iter().map(|e| e.name).collect::<Vec<_>>().join(", "),
        }),
    }
}

/// An exact fraction between 0 and 1, so that two thirds means two thirds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fraction {
    numerator: u64,
    denominator: u64,
}

impl Fraction {
    /// A fraction, or `None` unless 0 ≤ numerator ≤ denominator and 0 < denominator ≤ 10^9.
    pub const fn new(numerator: u64, denominator: u64) -> Option<Self> {
        if denominator == 0 || denominator > 1_000_000_000 || numerator > denominator {
            return None;
        }
        Some(Fraction { numerator, denominator })
    }

    /// The whole.
    pub fn is_one(self) -> bool {
        self.numerator == self.denominator
    }

    /// `n` times the fraction, rounded down.
    pub fn of_floor(self, n: u32) -> u32 {
        (u64::from(n) * self.numerator / self.denominator) as u32
    }

    /// `n` times the fraction, rounded up.
    pub fn of_ceil(self, n: u32) -> u32 {
        (u64::from(n) * self.numerator).div_ceil(self.denominator) as u32
    }
}

impl FromStr for Fraction {
    type Err = ();

    /// Reads `2/3`, `0.6`, `.5` or `1`; at most nine decimals.
    fn from_str(text: &str) -> Result<Self, ()> {
        let digits = |s: &str| -> Result<u64, ()> {
            if s.len() <= 10 && s.bytes().all(|b| b.is_ascii_digit()) {
                s.parse().map_err(|_| ())
            } else {
                Err(())
            }
        };
        if let Some((n, d)) = text.split_once('/') {
            return Fraction::new(digits(n)?, digits(d)?).ok_or(());
        }
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        if decimals.len() > 9 || (whole.is_empty() && decimals.is_empty()) {
            return Err(());
        }
        let scale = 10u64.pow(decimals.len() as u32);
        let whole = if whole.is_empty() { 0 } else { digits(whole)? };
        let part = if decimals.is_empty() { 0 } else { digits(decimals)? };
        Fraction::new(whole * scale + part, scale).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_are_exact_and_bounded() {
        assert_eq!("2/3".parse::<Fraction>().unwrap().of_ceil(6), 4);
        assert_eq!("0.66".parse::<Fraction>().unwrap().of_ceil(300), 198);
        assert!("1".parse::<Fraction>().unwrap().is_one());
        for bad in ["", ".", "4/3", "1/0", "1.5", "-0.5", "NaN", "0.1234567890", "99999999999999999999"] {
            assert!(bad.parse::<Fraction>().is_err(), "{bad}");
        }
    }

    #[test]
    fn every_rule_keeps_the_laws_with_its_default_or_a_plain_parameter() {
        for entry in RULES {
            let rule = (entry.build)(None).or_else(|_| (entry.build)(Some("3"))).unwrap();
            let mut before = 0;
            for voters in 1..200 {
                let bar = rule.approvals_needed(voters);
                assert!(bar >= 1 && bar >= before, "{} at {voters}", entry.name);
                before = bar;
            }
        }
    }

    #[test]
    fn an_unknown_rule_is_named_with_the_known_ones() {
        let message = build("plurality").unwrap_err().to_string();
        assert!(message.contains("plurality") && message.contains("threshold"), "{message}");
        assert!(build("threshold:NaN").is_err());
        assert!(build("required:0").is_err());
        assert!(build("unanimous:1").is_err());
    }
}
