//! How many requests were taken and are not finished, as part of the most that may be.

use serde::{Deserialize, Serialize};

use crate::load::shed::number::{Invalid, Ratio};
use crate::load::shed::shedder::{Cause, Load, Verdict};

/// The most that may be pending, and from which part of it on a state is reached; each bound is inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingConfig {
    /// The most, at least 1.
    pub max_pending: u32,
    /// Busy, stressed, overloaded from here on.
    pub bounds: [Ratio; 3],
}

impl Default for PendingConfig {
    fn default() -> Self {
        PendingConfig { max_pending: 1_000, bounds: [50, 70, 90].map(Ratio::percent) }
    }
}

impl PendingConfig {
    /// Checks the numbers.
    ///
    /// # Errors
    /// [`Invalid`] for no room at all, or bounds that do not ascend from above 0.
    pub fn check(&self) -> Result<(), Invalid> {
        if self.max_pending == 0 {
            return Err(Invalid::new("max_pending", 0, "at least 1"));
        }
        let [busy, stressed, overloaded] = self.bounds;
        if Ratio::ZERO < busy && busy < stressed && stressed < overloaded {
            Ok(())
        } else {
            Err(Invalid::new("pending bounds", format!("{:?}", self.bounds), "ascending, above 0"))
        }
    }

    /// The state with so many pending.
    ///
    /// ```
    /// use quorate_core::load::shed::{Load, PendingConfig};
    /// let config = PendingConfig::default();
    /// assert_eq!(config.verdict(499).state, Load::Healthy);
    /// assert_eq!(config.verdict(500).state, Load::Busy);
    /// assert_eq!(config.verdict(700).state, Load::Stressed);
    /// assert_eq!(config.verdict(900).state, Load::Overloaded);
    /// ```
    pub fn verdict(&self, pending: u64) -> Verdict {
        let max = u64::from(self.max_pending);
        let reached = self.bounds.iter().filter(|bound| bound.reached(pending, max)).count();
        let threshold = self.bounds[reached.saturating_sub(usize::from(reached > 0))].as_f64();
        let measured = pending as f64 / f64::from(self.max_pending);
        let cause = if reached > 0 { Cause::Pending } else { Cause::None };
        Verdict { state: Load::ALL[reached], cause, measured, threshold }
    }
}
