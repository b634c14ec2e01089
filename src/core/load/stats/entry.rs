//! One sample, or many of them as one.

use serde::{Deserialize, Serialize};

use crate::kernel::time::Timestamp;
use crate::load::shed::number::Invalid;

/// Largest value, either way; sums of any number of samples stay finite.
pub const LARGEST: f64 = 1e15;
/// Most samples one batch may stand for.
pub const MOST: u64 = 1_000_000_000_000;

/// Samples taken together; a single one is the case `count` = 1. A minimum of 0 is a minimum. With `count` = 0 it is the
/// place of a report.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When the latest of them was taken.
    pub at: Timestamp,
    /// How many.
    pub count: u64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
    /// All of them added.
    pub sum: f64,
}

impl Entry {
    /// One sample.
    pub fn one(value: f64, at: Timestamp) -> Self {
        Entry { at, count: 1, min: value, max: value, sum: value }
    }

    /// The place of a report of progress: it counts for the fill, and adds no value.
    pub(super) fn place(at: Timestamp) -> Self {
        Entry { at, count: 0, min: 0.0, max: 0.0, sum: 0.0 }
    }

    /// Is it only a place?
    pub fn is_place(&self) -> bool {
        self.count == 0
    }

    /// The mean.
    pub fn value(&self) -> f64 {
        self.sum / self.count as f64
    }

    /// Both together.
    #[must_use]
    pub fn with(self, other: Entry) -> Entry {
        Entry {
            at: self.at.max(other.at),
            count: self.count.saturating_add(other.count),
            min: self.min.min(other.min),
            max: self.max.max(other.max),
            sum: self.sum + other.sum,
        }
    }

    /// All of them as one.
    ///
    /// # Errors
    /// [`Invalid`] when there are none: nothing has no mean.
    pub fn of(entries: impl IntoIterator<Item = Entry>) -> Result<Entry, Invalid> {
        let all = entries.into_iter().reduce(Entry::with);
        all.ok_or_else(|| Invalid::new("entries", 0, "at least one"))
    }

    /// Can this be a batch of samples?
    ///
    /// # Errors
    /// [`Invalid`] for what is not a number or too large, a count of 0, bounds that do not fit.
    pub fn check(&self) -> Result<(), Invalid> {
        self.check_upto(MOST)
    }

    pub(super) fn check_upto(&self, most: u64) -> Result<(), Invalid> {
        for (field, value) in [("min", self.min), ("max", self.max)] {
            if value.is_nan() || value.abs() > LARGEST {
                let field = if self.count == 1 { "value" } else { field };
                return Err(Invalid::new(field, value, "a number within ±1e15"));
            }
        }
        if self.count == 0 || self.count > most {
            return Err(Invalid::new("count", self.count, "1 to 1e12"));
        }
        // Sums are rounded; what is far outside is not a sum of these.
        let slack = 1.0 + 1e-6 * self.min.abs().max(self.max.abs());
        let mean = self.value();
        if self.min > self.max || !(self.min - slack..=self.max + slack).contains(&mean) {
            return Err(Invalid::new("sum", self.sum, "a mean between min and max"));
        }
        Ok(())
    }
}
