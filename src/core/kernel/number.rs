//! Exact numbers: fractions for bars, fixed-point weights. No float takes part in a decision.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Largest denominator: a decimal of seventeen places, as many as a double prints.
const MAX_DENOMINATOR: u64 = 100_000_000_000_000_000;

/// Digits after the point of a weight.
const WEIGHT_DIGITS: i32 = 6;
/// One whole unit of weight, in millionths.
pub const WHOLE_WEIGHT: u64 = 1_000_000;
/// Largest weight, in millionths.
const MAX_WEIGHT: u64 = 1_000_000_000 * WHOLE_WEIGHT;

/// An exact fraction between 0 and 1, so that two thirds means two thirds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fraction {
    numerator: u64,
    denominator: u64,
}

impl Fraction {
    /// Nothing.
    pub const ZERO: Fraction = Fraction { numerator: 0, denominator: 1 };
    /// One half.
    pub const HALF: Fraction = Fraction { numerator: 1, denominator: 2 };
    /// Two thirds.
    pub const TWO_THIRDS: Fraction = Fraction { numerator: 2, denominator: 3 };
    /// The whole.
    pub const ONE: Fraction = Fraction { numerator: 1, denominator: 1 };

    /// A fraction, or `None` unless 0 ≤ numerator ≤ denominator and 0 < denominator ≤ 10^17.
    pub const fn new(numerator: u64, denominator: u64) -> Option<Self> {
        if denominator == 0 || denominator > MAX_DENOMINATOR || numerator > denominator {
            return None;
        }
        Some(Fraction { numerator, denominator })
    }

    /// The whole?
    pub fn is_one(self) -> bool {
        self.numerator == self.denominator
    }

    /// Nothing?
    pub fn is_zero(self) -> bool {
        self.numerator == 0
    }

    /// Less than one half?
    pub fn is_below_half(self) -> bool {
        self.numerator < self.denominator.div_ceil(2)
    }

    /// Numerator and denominator.
    pub fn parts(self) -> (i64, i64) {
        // Both are at most 10^17.
        (self.numerator as i64, self.denominator as i64)
    }

    /// The fewest whole heads among `n` that are more than the fraction; all `n` when the fraction is the whole,
    /// since more than everyone is nobody. At least 1.
    pub fn more_than(self, n: u32) -> u32 {
        if self.is_one() { n.max(1) } else { (self.scaled(n) / u128::from(self.denominator)) as u32 + 1 }
    }

    /// The fewest whole heads among `n` that are at least the fraction. At least 1.
    pub fn at_least(self, n: u32) -> u32 {
        (self.scaled(n).div_ceil(u128::from(self.denominator)) as u32).max(1)
    }

    fn scaled(self, n: u32) -> u128 {
        u128::from(n) * u128::from(self.numerator)
    }

    /// The nearest double, for display only.
    pub fn to_f64(self) -> f64 {
        self.numerator as f64 / self.denominator as f64
    }
}

impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.numerator, self.denominator)
    }
}

impl FromStr for Fraction {
    type Err = ();

    /// Reads `2/3`, `0.6`, `.5`, `1` or `5e-1`, up to seventeen places.
    fn from_str(text: &str) -> Result<Self, ()> {
        if let Some((n, d)) = text.split_once('/') {
            let whole = |s: &str| if s.bytes().all(|b| b.is_ascii_digit()) { s.parse().ok() } else { None };
            return Fraction::new(whole(n).ok_or(())?, whole(d).ok_or(())?).map(Fraction::reduced).ok_or(());
        }
        let Decimal { digits, exponent } = Decimal::parse(text).ok_or(())?;
        let scale = |by: u32| 10u64.checked_pow(by).ok_or(());
        let (numerator, denominator) = if exponent < 0 {
            (u64::try_from(digits).map_err(|_| ())?, scale(exponent.unsigned_abs())?)
        } else {
            let whole = digits.checked_mul(scale(exponent.unsigned_abs())?.into()).ok_or(())?;
            (u64::try_from(whole).map_err(|_| ())?, 1)
        };
        Fraction::new(numerator, denominator).map(Fraction::reduced).ok_or(())
    }
}

impl Fraction {
    fn reduced(self) -> Self {
        let (mut a, mut b) = (self.denominator, self.numerator);
        while b > 0 {
            (a, b) = (b, a % b);
        }
        Fraction { numerator: self.numerator / a, denominator: self.denominator / a }
    }
}

/// A weight in millionths, 0 to 10^9 whole units. 0 is an observer: it votes and moves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Weight(u64);

impl Weight {
    /// One whole unit.
    pub const ONE: Weight = Weight(WHOLE_WEIGHT);

    /// In millionths.
    pub fn millionths(self) -> u64 {
        self.0
    }

    /// Is this text a number without a seventh place that would be rounded?
    pub fn is_exact(text: &str) -> bool {
        let Some(Decimal { digits, exponent }) = Decimal::parse(text) else { return false };
        let shift = exponent + WEIGHT_DIGITS;
        let scale = 10u128.checked_pow(shift.unsigned_abs());
        shift >= 0 || digits == 0 || scale.is_some_and(|scale| digits % scale == 0)
    }
}

impl FromStr for Weight {
    type Err = ();

    /// Reads a decimal from 0 to 10^9. Places after the sixth are rounded, but nothing above 0 is rounded to 0.
    fn from_str(text: &str) -> Result<Self, ()> {
        let Decimal { digits, exponent } = Decimal::parse(text).ok_or(())?;
        let shift = exponent + WEIGHT_DIGITS;
        let scale = 10u128.checked_pow(shift.unsigned_abs());
        let millionths = if shift >= 0 {
            digits.checked_mul(scale.ok_or(())?).ok_or(())?
        } else {
            // A scale beyond the type divides every number to nothing.
            scale.map_or(0, |scale| (digits + scale / 2) / scale)
        };
        let is_lost = millionths == 0 && digits > 0;
        match u64::try_from(millionths) {
            Ok(weight) if weight <= MAX_WEIGHT && !is_lost => Ok(Weight(weight)),
            Ok(_) | Err(_) => Err(()),
        }
    }
}

/// `digits` × 10^`exponent`.
struct Decimal {
    digits: u128,
    exponent: i32,
}

impl Decimal {
    /// Reads a number that is not negative, as JSON writes it; trailing zeros after the point do not count.
    fn parse(text: &str) -> Option<Decimal> {
        let (number, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let exponent: i32 = exponent.strip_prefix('+').unwrap_or(exponent).parse().ok()?;
        let (whole, places) = number.split_once('.').unwrap_or((number, ""));
        let places = places.trim_end_matches('0');
        let is_number = !number.is_empty() && number != "." && whole.len() + places.len() <= 30;
        let digits = format!("0{whole}{places}");
        if !is_number || !digits.bytes().all(|b| b.is_ascii_digit()) || exponent.abs() > 400 {
            return None;
        }
        let digits: u128 = digits.parse().ok()?;
        // Zero is zero whatever stands behind the e.
        let exponent = if digits == 0 { 0 } else { exponent - places.len() as i32 };
        Some(Decimal { digits, exponent })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_are_exact_and_bounded() {
        assert_eq!("2/3".parse::<Fraction>().unwrap().at_least(6), 4);
        assert_eq!("0.66".parse::<Fraction>().unwrap().at_least(300), 198);
        assert_eq!("0.6666666666666666".parse::<Fraction>().unwrap().more_than(3), 2);
        assert_eq!("0.6666666666666667".parse::<Fraction>().unwrap().more_than(3), 3);
        assert_eq!("1e-7".parse::<Fraction>(), Ok(Fraction { numerator: 1, denominator: 10_000_000 }));
        assert_eq!("0.50".parse::<Fraction>(), Ok(Fraction::HALF));
        assert_eq!("0".parse::<Fraction>().map(Fraction::is_zero), Ok(true));
        assert!("1".parse::<Fraction>().unwrap().is_one() && "1.0".parse::<Fraction>().unwrap().is_one());
        for bad in ["", ".", "4/3", "1/0", "1.5", "-0.5", "NaN", "inf", "1e9", "1e-18", "+1/2", "0x1"] {
            assert!(bad.parse::<Fraction>().is_err(), "{bad}");
        }
    }

    #[test]
    fn more_than_half_of_an_odd_number_is_its_larger_part() {
        let needed: Vec<u32> = (1..=7).map(|n| Fraction::HALF.more_than(n)).collect();
        assert_eq!(needed, [1, 2, 2, 3, 3, 4, 4]);
        assert!("0.49".parse::<Fraction>().unwrap().is_below_half());
        assert!(!Fraction::HALF.is_below_half() && !Fraction::new(2, 3).unwrap().is_below_half());
        assert!(Fraction::new(1, 3).unwrap().is_below_half());
    }

    #[test]
    fn weights_are_kept_in_millionths() {
        let weight = |text: &str| text.parse::<Weight>().map(Weight::millionths);
        assert_eq!(weight("1"), Ok(1_000_000));
        assert_eq!(weight("0.30000000000000004"), Ok(300_000));
        assert_eq!(weight("1e9"), Ok(1_000_000_000_000_000));
        assert_eq!(weight("0.0"), Ok(0));
        assert_eq!(weight("0e300"), Ok(0));
        for bad in ["-1", "1e-7", "1e-300", "1e300", "1000000001", "NaN", ""] {
            assert!(weight(bad).is_err(), "{bad}");
        }
        for (text, exact) in [("0.1", true), ("1e9", true), ("0.1234560", true), ("0e300", true)]
            .into_iter()
            .chain([("0.1234567", false), ("0.30000000000000004", false), ("1e-300", false), ("x", false)])
        {
            assert_eq!(Weight::is_exact(text), exact, "{text}");
        }
    }
}
