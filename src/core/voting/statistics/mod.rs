//! Exact tests and robust measures, as functions of plain numbers.
//!
//! | file | holds |
//! |---|---|
//! | [`exact`] | binomial, sign, Fisher's and Wald–Wolfowitz tests without approximation |
//! | [`robust`] | median, modified z, Gini, entropy, the phi coefficient |
//! | [`holm`] | p-values adjusted for many tests at once |
//!
//! Floats stay inside an estimate. What enters a decision or a record is frozen to millionths by [`frozen`]; what is
//! not a number, or lies outside its range, is an [`Unfit`] and goes no further.

pub mod exact;
mod holm;
pub mod robust;

pub use holm::holm;

/// A number that does not fit where it was given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} does not fit. given={value}, expected {range}")]
pub struct Unfit {
    /// What it was given for.
    pub field: String,
    /// What was given.
    pub value: String,
    /// What is taken there.
    pub range: String,
}

impl Unfit {
    /// This value does not fit this field.
    pub fn new(field: &str, value: impl ToString, range: impl ToString) -> Self {
        Unfit { field: field.to_owned(), value: value.to_string(), range: range.to_string() }
    }
}

/// The number, if it is one and lies in the closed range.
///
/// # Errors
/// [`Unfit`] naming field, value and range.
pub fn within(field: &str, value: f64, low: f64, high: f64) -> Result<f64, Unfit> {
    // Written so that a NaN is refused too.
    if value >= low && value <= high {
        // Minus zero is zero.
        Ok(value + 0.0)
    } else {
        Err(Unfit::new(field, value, format!("a number from {low} to {high}")))
    }
}

/// A number from 0 to 10^9 in millionths, half to even.
///
/// # Errors
/// [`Unfit`] for anything else, such as NaN.
pub fn frozen(field: &str, value: f64) -> Result<u64, Unfit> {
    let value = within(field, value, 0.0, 1e9)?;
    Ok((value * 1e6).round_ties_even() as u64)
}

/// A share from 0 to 1 in millionths, half to even. What rounding has carried past an end is put back on it.
pub(super) fn share(value: f64) -> u64 {
    if value.is_nan() { 0 } else { (value.clamp(0.0, 1.0) * 1e6).round_ties_even() as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_freeze_to_millionths_half_to_even_and_nan_is_refused() {
        assert_eq!(frozen("w", 0.000_000_5), Ok(0));
        assert_eq!(frozen("w", 0.000_001_5), Ok(2));
        assert_eq!(frozen("w", 0.000_002_5), Ok(2));
        assert_eq!(frozen("w", -0.0), Ok(0));
        assert_eq!(frozen("w", 1e9), Ok(1_000_000_000_000_000));
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1e-9, 1.1e9] {
            let refused = frozen("weight", bad).unwrap_err();
            assert_eq!((refused.field.as_str(), refused.value), ("weight", bad.to_string()));
        }
        let text = within("score", f64::NAN, 0.0, 1.0).unwrap_err().to_string();
        assert_eq!(text, "score does not fit. given=NaN, expected a number from 0 to 1");
    }
}
