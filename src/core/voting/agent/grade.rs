//! How an agent is doing, from how long ago it was last heard of. Whole microseconds, no fractions.

use serde::{Deserialize, Serialize};

use super::rejection::Rejection;

/// How an agent is doing; later ones are worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// Heard of within the interval.
    Healthy,
    /// Not heard of for one interval.
    Degraded,
    /// Not heard of for two intervals.
    Critical,
    /// Not heard of for as many intervals as the failure threshold says.
    Failed,
}

impl Grade {
    /// Every grade, the best first.
    pub const ALL: [Grade; 4] = [Grade::Healthy, Grade::Degraded, Grade::Critical, Grade::Failed];

    /// The name, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Grade::Healthy => "healthy",
            Grade::Degraded => "degraded",
            Grade::Critical => "critical",
            Grade::Failed => "failed",
        }
    }

    /// The grade of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grade| grade.name() == name)
    }
}

/// The bounds of one setting.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The setting.
    pub field: &'static str,
    /// The least it may be.
    pub low: u32,
    /// The most it may be.
    pub high: u32,
}

impl Bounds {
    const fn of(field: &'static str, low: u32, high: u32) -> Self {
        Bounds { field, low, high }
    }

    /// The value, if it is within the bounds.
    ///
    /// # Errors
    /// [`Rejection::Invalid`], naming field, value and bounds.
    pub fn check(&self, value: i64) -> Result<u32, Rejection> {
        let inside = u32::try_from(value).ok().filter(|v| (self.low..=self.high).contains(v));
        inside.ok_or_else(|| Rejection::Invalid {
            field: self.field,
            given: value,
            expected: format!("{} to {}", self.low, self.high),
        })
    }
}

/// How an agent is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Milliseconds within which it is to be heard of.
    pub interval_ms: u32,
    /// Intervals without a sign of life after which it has failed.
    pub failure_threshold: u32,
    /// Milliseconds between two checks.
    pub check_period_ms: u32,
    /// Newest beats kept.
    pub history_size: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { interval_ms: 5_000, failure_threshold: 3, check_period_ms: 1_000, history_size: 100 }
    }
}

impl Settings {
    /// Bounds of the interval: 100 ms to 1 day.
    pub const INTERVAL_MS: Bounds = Bounds::of("interval_ms", 100, 86_400_000);
    /// Bounds of the failure threshold.
    pub const FAILURE_THRESHOLD: Bounds = Bounds::of("failure_threshold", 1, 1_000);
    /// Bounds of the check period: 100 ms to 1 day.
    pub const CHECK_PERIOD_MS: Bounds = Bounds::of("check_period_ms", 100, 86_400_000);
    /// Bounds of the history.
    pub const HISTORY_SIZE: Bounds = Bounds::of("history_size", 1, 10_000);

    /// The settings by name.
    pub fn named(&self) -> [(&'static str, u32); 4] {
        [
            (Self::INTERVAL_MS.field, self.interval_ms),
            (Self::FAILURE_THRESHOLD.field, self.failure_threshold),
            (Self::CHECK_PERIOD_MS.field, self.check_period_ms),
            (Self::HISTORY_SIZE.field, self.history_size),
        ]
    }

    /// These settings, with those of others where `given` says so, in the order of [`named`](Self::named).
    pub fn with(self, other: Settings, [interval, threshold, period, history]: [bool; 4]) -> Settings {
        let pick = |given: bool, own: u32, other: u32| if given { other } else { own };
        Settings {
            interval_ms: pick(interval, self.interval_ms, other.interval_ms),
            failure_threshold: pick(threshold, self.failure_threshold, other.failure_threshold),
            check_period_ms: pick(period, self.check_period_ms, other.check_period_ms),
            history_size: pick(history, self.history_size, other.history_size),
        }
    }

    /// Checks every number.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] for the first one out of bounds.
    pub fn check(&self) -> Result<(), Rejection> {
        let settings = [
            (Self::INTERVAL_MS, self.interval_ms),
            (Self::FAILURE_THRESHOLD, self.failure_threshold),
            (Self::CHECK_PERIOD_MS, self.check_period_ms),
            (Self::HISTORY_SIZE, self.history_size),
        ];
        settings.into_iter().try_for_each(|(bounds, value)| bounds.check(value.into()).map(|_| ()))
    }

    /// The grade after `elapsed_us` microseconds without a sign of life.
    ///
    /// ```
    /// use quorate_core::voting::agent::{Grade, Settings};
    ///
    /// let watched = Settings::default(); // an interval of 5 s, failed after 3 of them
    /// assert_eq!(watched.grade(4_999_999), Grade::Healthy);
    /// assert_eq!(watched.grade(5_000_000), Grade::Degraded);
    /// assert_eq!(watched.grade(10_000_000), Grade::Critical);
    /// assert_eq!(watched.grade(15_000_000), Grade::Failed);
    /// ```
    pub fn grade(&self, elapsed_us: u64) -> Grade {
        let interval = self.interval_us();
        if elapsed_us >= self.fails_after_us() {
            Grade::Failed
        } else if elapsed_us < interval {
            Grade::Healthy
        } else if elapsed_us < 2 * interval {
            Grade::Degraded
        } else {
            Grade::Critical
        }
    }

    /// The first elapsed time, in microseconds, that is graded worse than `grade`; `None` when nothing is worse.
    pub fn worse_after_us(&self, grade: Grade) -> Option<u64> {
        let bound = match grade {
            Grade::Healthy => self.interval_us(),
            Grade::Degraded => 2 * self.interval_us(),
            Grade::Critical => self.fails_after_us(),
            Grade::Failed => return None,
        };
        Some(bound.min(self.fails_after_us()))
    }

    /// The check period in microseconds; at least one, whatever was recorded.
    pub(super) fn check_period_us(&self) -> u64 {
        u64::from(self.check_period_ms.max(1)) * 1_000
    }

    fn interval_us(&self) -> u64 {
        u64::from(self.interval_ms) * 1_000
    }

    fn fails_after_us(&self) -> u64 {
        u64::from(self.failure_threshold) * self.interval_us()
    }
}
