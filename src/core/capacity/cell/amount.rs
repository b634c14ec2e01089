//! Amounts of a resource in whole millionths: what is added up and taken away again leaves nothing behind.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::kernel::time::whole_parts;

/// One whole unit, in millionths.
pub const WHOLE: u64 = 1_000_000;
/// Largest amount, in millionths: 10^9 whole units, so that a few thousand of them still add up in 64 bits.
const MAX: u64 = 1_000_000_000 * WHOLE;

/// An amount of a resource in millionths, 0 to 10^9 whole units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Amount(u64);

impl Amount {
    /// Nothing.
    pub const ZERO: Amount = Amount(0);
    /// One whole unit: what a cell has of `capacity` unless told otherwise.
    pub const ONE: Amount = Amount(WHOLE);
    /// The largest amount.
    pub const MAX: Amount = Amount(MAX);

    /// An amount from millionths, at most [`Amount::MAX`].
    pub fn from_millionths(millionths: u64) -> Self {
        Amount(millionths.min(MAX))
    }

    /// An amount from a number of whole units.
    ///
    /// # Errors
    /// [`NotAnAmount`] when the number is no whole number of millionths, or not above 0 and up to 10^9.
    pub fn new(number: f64) -> Result<Self, NotAnAmount> {
        match whole_parts(number, WHOLE as u32) {
            Some(millionths) if (1..=MAX).contains(&millionths) => Ok(Amount(millionths)),
            Some(_) | None => Err(NotAnAmount),
        }
    }

    /// In millionths.
    pub fn millionths(self) -> u64 {
        self.0
    }

    /// Nothing?
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// In whole units, for display only.
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / WHOLE as f64
    }

    pub(super) fn plus(self, other: Amount) -> Amount {
        Amount(self.0.saturating_add(other.0))
    }

    pub(super) fn minus(self, other: Amount) -> Amount {
        Amount(self.0.saturating_sub(other.0))
    }
}

impl std::iter::Sum for Amount {
    fn sum<I: Iterator<Item = Amount>>(iter: I) -> Amount {
        iter.fold(Amount::ZERO, Amount::plus)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_f64())
    }
}

/// A number that is not an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an amount, expected 0.000001 to 10^9 with at most six places")]
pub struct NotAnAmount;

impl FromStr for Amount {
    type Err = NotAnAmount;

    fn from_str(text: &str) -> Result<Self, NotAnAmount> {
        text.parse::<f64>().map_err(|_| NotAnAmount).and_then(Amount::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_whole_millionths() {
        let amount = |x: f64| Amount::new(x).map(Amount::millionths);
        assert_eq!(amount(0.1), Ok(100_000));
        assert_eq!(amount(0.000001), Ok(1));
        assert_eq!(amount(999_999_999.999_999), Ok(MAX - 1));
        assert_eq!(amount(1e9), Ok(MAX));
        assert_eq!("0.7".parse(), Ok(Amount(700_000)));
    }

    #[test]
    fn what_is_not_finite_or_would_be_rounded_is_no_amount() {
        for bad in [
            0.0,
            -0.0,
            0.0000004,
            0.0000005,
            0.30000000000000004,
            0.1234567,
            -0.1,
            1.1e9,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
        ] {
            assert_eq!(Amount::new(bad), Err(NotAnAmount), "{bad}");
        }
        for bad in ["", "NaN", "inf", "1,5", "0x1"] {
            assert_eq!(bad.parse::<Amount>(), Err(NotAnAmount), "{bad}");
        }
    }

    #[test]
    fn ten_tenths_are_exactly_one() {
        let tenth = Amount::new(0.1).unwrap();
        assert_eq!(std::iter::repeat_n(tenth, 10).sum::<Amount>(), Amount::ONE);
    }
}
