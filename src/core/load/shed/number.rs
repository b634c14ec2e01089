//! Checked numbers: what is out of range is refused with field, value and range; ratios are exact.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::kernel::time::whole_parts;

/// A number that does not fit. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} is out of range, expected {expected}. given={given}")]
pub struct Invalid {
    /// Which field.
    pub field: &'static str,
    /// What was given.
    pub given: String,
    /// What is allowed.
    pub expected: &'static str,
}

impl Invalid {
    /// The refusal of one value.
    pub fn new(field: &'static str, given: impl ToString, expected: &'static str) -> Self {
        Invalid { field, given: given.to_string(), expected }
    }
}

/// Finite, or refused by name.
pub(crate) fn finite(field: &'static str, value: f64) -> Result<f64, Invalid> {
    if value.is_finite() { Ok(value) } else { Err(Invalid::new(field, value, "a finite number")) }
}

/// A part of a whole, 0 to 1, in whole millionths. Comparing a count with a ratio of a capacity is done on integers,
/// so that 85 of 100 is exactly 0.85 and not a little less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Ratio(u32);

const WHOLE: u32 = 1_000_000;

impl Ratio {
    /// Nothing.
    pub const ZERO: Ratio = Ratio(0);
    /// All.
    pub const ONE: Ratio = Ratio(WHOLE);

    /// Whole percents, held at 100.
    pub const fn percent(percent: u32) -> Self {
        Ratio(if percent > 100 { WHOLE } else { percent * (WHOLE / 100) })
    }

    /// A ratio from a number of 0 to 1 with at most six places.
    ///
    /// # Errors
    /// [`Invalid`] naming the field, when the number is outside, has more places or is not a number.
    pub fn new(field: &'static str, value: f64) -> Result<Self, Invalid> {
        match whole_parts(value, WHOLE).map(u32::try_from) {
            Some(Ok(millionths)) if millionths <= WHOLE => Ok(Ratio(millionths)),
            Some(_) | None => Err(Invalid::new(field, value, "0 to 1 with at most six places")),
        }
    }

    /// The ratio as a number of 0 to 1.
    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / f64::from(WHOLE)
    }

    /// Is `count` at least this part of `capacity`?
    pub fn reached(self, count: u64, capacity: u64) -> bool {
        u128::from(count) * u128::from(WHOLE) >= u128::from(self.0) * u128::from(capacity)
    }

    /// The first count that reaches this part of `capacity`.
    pub fn first(self, capacity: u64) -> u64 {
        (u128::from(self.0) * u128::from(capacity)).div_ceil(u128::from(WHOLE)) as u64
    }

    /// This ratio less another, not below zero.
    pub fn less(self, other: Ratio) -> Ratio {
        Ratio(self.0.saturating_sub(other.0))
    }
}

impl Serialize for Ratio {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_f64(self.as_f64())
    }
}

impl<'de> Deserialize<'de> for Ratio {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Ratio::new("ratio", f64::deserialize(d)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_reached_exactly_at_its_count_for_every_capacity() {
        for percent in [0, 1, 70, 80, 85, 90, 95, 100] {
            for capacity in 1..=2_000u64 {
                let ratio = Ratio::percent(percent);
                let first = (u64::from(percent) * capacity).div_ceil(100);
                assert_eq!(ratio.first(capacity), first);
                assert!(ratio.reached(first, capacity));
                assert!(first == 0 || !ratio.reached(first - 1, capacity));
            }
        }
    }

    #[test]
    fn what_is_not_a_ratio_is_refused_by_name() {
        for given in [f64::NAN, f64::INFINITY, -0.1, 1.000_001, 0.123_456_7, f64::NEG_INFINITY] {
            let refused = Ratio::new("throttle", given).unwrap_err();
            assert_eq!((refused.field, refused.expected), ("throttle", "0 to 1 with at most six places"));
            assert_eq!(refused.given, given.to_string());
        }
        assert_eq!(Ratio::new("throttle", 0.85).unwrap(), Ratio::percent(85));
        assert_eq!(
            Ratio::new("throttle", 2.5).unwrap_err().to_string(),
            "throttle is out of range, expected 0 to 1 with at most six places. given=2.5"
        );
    }
}
