//! Ratios from 0 to 1, kept as exact fractions.
//!
//! A ratio is 0 to 1; percentages (0 to 100) are not used here, so that the two cannot be mixed up.
//! NaN and infinities are not values of the type. Comparing sizes with a ratio is integer arithmetic: 70 of 100 is
//! exactly 0.7, whichever float width the 0.7 was written in.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::kernel::number::Fraction;

/// A fraction between 0 and 1, both inclusive, in lowest terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ratio {
    numerator: u64,
    denominator: u64,
}

/// Why something is no ratio.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a ratio. given={given}, expected a finite number from 0 to 1 of up to 17 places, or a fraction like 2/3"
)]
pub struct RatioError {
    /// What was given.
    pub given: String,
}

impl Ratio {
    /// The whole.
    pub const ONE: Ratio = Ratio { numerator: 1, denominator: 1 };

    /// So many hundredths. More than 100 is held at the whole.
    pub const fn percent(hundredths: u8) -> Self {
        let n = if hundredths > 100 { 100 } else { hundredths as u64 };
        let divisor = gcd(n as u128, 100) as u64;
        Ratio { numerator: n / divisor, denominator: 100 / divisor }
    }

    /// The fewest units of `whole` that are at least this ratio of it.
    ///
    /// ```
    /// use quorate_core::load::flow::Ratio;
    /// assert_eq!(Ratio::percent(70).first_of(100), 70);
    /// assert_eq!(Ratio::percent(70).first_of(3), 3); // 2 of 3 are less than 0.7
    /// ```
    pub fn first_of(self, whole: u64) -> u64 {
        // At most `whole`, since the ratio is at most 1.
        (u128::from(whole) * u128::from(self.numerator)).div_ceil(u128::from(self.denominator)) as u64
    }

    /// Nothing?
    pub fn is_zero(self) -> bool {
        self.numerator == 0
    }

    /// The nearest double, for display.
    pub fn to_f64(self) -> f64 {
        self.numerator as f64 / self.denominator as f64
    }

    /// Numerator and denominator, the latter at most 10^9: exact for up to nine places, else the nearest billionth
    /// towards 0.
    pub(super) fn rounded(self) -> (u128, u128) {
        const BILLION: u128 = 1_000_000_000;
        let (n, d) = (u128::from(self.numerator), u128::from(self.denominator));
        if d <= BILLION { (n, d) } else { (n * BILLION / d, BILLION) }
    }
}

/// The greatest common divisor; of 0 and 0 it is 1, so that one may divide by it.
pub(super) const fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    if a == 0 { 1 } else { a }
}

impl PartialOrd for Ratio {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ratio {
    fn cmp(&self, other: &Self) -> Ordering {
        let cross = |a: &Ratio, b: &Ratio| u128::from(a.numerator) * u128::from(b.denominator);
        cross(self, other).cmp(&cross(other, self))
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_f64())
    }
}

impl FromStr for Ratio {
    type Err = RatioError;

    /// Reads `0.7` or `2/3`.
    fn from_str(text: &str) -> Result<Self, RatioError> {
        let fraction: Fraction =
            text.parse().map_err(|()| RatioError { given: text.chars().take(40).collect() })?;
        let (n, d) = fraction.parts();
        // A fraction is never negative.
        let (n, d) = (n.unsigned_abs(), d.unsigned_abs());
        let divisor = gcd(u128::from(n), u128::from(d)) as u64;
        Ok(Ratio { numerator: n / divisor, denominator: d / divisor })
    }
}

impl TryFrom<f64> for Ratio {
    type Error = RatioError;

    /// The decimal number one writes for this double: 0.7 is 7/10.
    fn try_from(x: f64) -> Result<Self, RatioError> {
        if x == 0.0 { "0".parse() } else { x.to_string().parse() }
    }
}

impl TryFrom<f32> for Ratio {
    type Error = RatioError;

    /// The decimal number one writes for this float: 0.85 is 17/20, though widened to a double it is not.
    fn try_from(x: f32) -> Result<Self, RatioError> {
        if x == 0.0 { "0".parse() } else { x.to_string().parse() }
    }
}

impl Serialize for Ratio {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if !s.is_human_readable() {
            return (self.numerator, self.denominator).serialize(s);
        }
        // As a number where the number reads back as the same ratio, else as a fraction.
        match Ratio::try_from(self.to_f64()) {
            Ok(same) if same == *self => s.serialize_f64(self.to_f64()),
            Ok(_) | Err(_) => s.collect_str(&format_args!("{}/{}", self.numerator, self.denominator)),
        }
    }
}

impl<'de> Deserialize<'de> for Ratio {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        if !d.is_human_readable() {
            let (n, d) = <(u64, u64)>::deserialize(d)?;
            return format!("{n}/{d}").parse().map_err(de::Error::custom);
        }
        d.deserialize_any(AsWritten)
    }
}

struct AsWritten;

impl de::Visitor<'_> for AsWritten {
    type Value = Ratio;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number from 0 to 1, or a fraction like \"2/3\"")
    }

    fn visit_f64<E: de::Error>(self, x: f64) -> Result<Ratio, E> {
        Ratio::try_from(x).map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, x: u64) -> Result<Ratio, E> {
        x.to_string().parse().map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, x: i64) -> Result<Ratio, E> {
        x.to_string().parse().map_err(E::custom)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Ratio, E> {
        text.parse().map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_percentage_is_hit_exactly_by_every_float_width() {
        for hundredths in 0..=100u8 {
            let exact = Ratio::percent(hundredths);
            assert_eq!(Ratio::try_from(f64::from(hundredths) / 100.0), Ok(exact));
            assert_eq!(Ratio::try_from(f32::from(hundredths) / 100.0), Ok(exact));
            assert_eq!(exact.first_of(100), u64::from(hundredths));
            assert_eq!(exact.first_of(1_000_000), u64::from(hundredths) * 10_000);
        }
    }

    #[test]
    fn nothing_but_a_number_from_0_to_1_is_a_ratio() {
        for bad in [f64::NAN, f64::INFINITY, -0.1, 1.000_000_1, f64::MAX] {
            assert!(Ratio::try_from(bad).is_err(), "{bad}");
        }
        for bad in ["", "NaN", "1.1", "3/2", "1/0", "70%"] {
            assert!(bad.parse::<Ratio>().is_err(), "{bad}");
        }
        assert!(Ratio::try_from(-0.0).unwrap().is_zero());
    }

    #[test]
    fn two_thirds_of_three_is_two() {
        assert_eq!("2/3".parse::<Ratio>().unwrap().first_of(3), 2);
        assert_eq!(Ratio::try_from(2.0 / 3.0).unwrap().first_of(3), 2);
        assert!("2/3".parse::<Ratio>().unwrap() < Ratio::percent(67));
        assert_eq!("2/4".parse::<Ratio>().unwrap(), Ratio::percent(50));
    }
}
