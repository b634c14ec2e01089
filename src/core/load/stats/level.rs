//! How full a buffer is, in four levels.

use serde::{Deserialize, Serialize};

use crate::load::shed::number::{Invalid, Ratio};

/// What is asked of the senders; later ones ask more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Nothing.
    #[default]
    None = 0,
    /// Send less often.
    Throttle = 1,
    /// Send one message per job.
    Batch = 2,
    /// Send only what is critical.
    Reject = 3,
}

impl Level {
    /// Every level, the mildest first.
    pub const ALL: [Level; 4] = [Level::None, Level::Throttle, Level::Batch, Level::Reject];

    /// The number on the wire.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The level of a number; `None` for one that a newer peer may mean something by.
    pub fn from_number(number: u64) -> Option<Level> {
        usize::try_from(number).ok().and_then(|n| Level::ALL.get(n).copied())
    }

    /// This many levels milder; none at the least.
    #[must_use]
    pub fn milder(self, by: u64) -> Level {
        Level::ALL[usize::from(self.number()).saturating_sub(usize::try_from(by).unwrap_or(usize::MAX))]
    }

    /// The name, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Level::None => "none",
            Level::Throttle => "throttle",
            Level::Batch => "batch",
            Level::Reject => "reject",
        }
    }
}

/// From which fill on a level holds; each is inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Levels {
    /// Throttle from here on.
    pub throttle: Ratio,
    /// Batch from here on.
    pub batch: Ratio,
    /// Reject from here on.
    pub reject: Ratio,
    /// A level is left this much below where it was entered; 0 leaves it where it was entered.
    pub hysteresis: Ratio,
}

impl Default for Levels {
    fn default() -> Self {
        let [throttle, batch, reject] = [70, 85, 95].map(Ratio::percent);
        Levels { throttle, batch, reject, hysteresis: Ratio::ZERO }
    }
}

impl Levels {
    /// Checks the numbers.
    ///
    /// # Errors
    /// [`Invalid`] unless `hysteresis` < `throttle` < `batch` < `reject`.
    pub fn check(&self) -> Result<(), Invalid> {
        if self.throttle <= self.hysteresis {
            return Err(Invalid::new("throttle", self.throttle.as_f64(), "more than the hysteresis"));
        }
        if self.batch <= self.throttle {
            return Err(Invalid::new("batch", self.batch.as_f64(), "more than throttle"));
        }
        if self.reject <= self.batch {
            return Err(Invalid::new("reject", self.reject.as_f64(), "more than batch"));
        }
        Ok(())
    }

    /// The fewest entries with which a level, once entered, is held; `None` for the mildest, which needs none.
    pub fn held_from(&self, level: Level, capacity: u64) -> Option<u64> {
        let entered = match level {
            Level::None => return None,
            Level::Throttle => self.throttle,
            Level::Batch => self.batch,
            Level::Reject => self.reject,
        };
        Some(entered.less(self.hysteresis).first(capacity))
    }

    /// The level at this fill when it was `before`.
    ///
    /// ```
    /// use quorate_core::load::stats::{Level, Levels};
    /// let at = |count| Levels::default().level(count, 1_000, Level::None);
    /// assert_eq!([at(699), at(700), at(849)], [Level::None, Level::Throttle, Level::Throttle]);
    /// assert_eq!([at(850), at(949), at(950)], [Level::Batch, Level::Batch, Level::Reject]);
    /// ```
    pub fn level(&self, count: u64, capacity: u64, before: Level) -> Level {
        let entered = [Ratio::ZERO, self.throttle, self.batch, self.reject];
        let holds = |level: Level| {
            let entered = entered[usize::from(level.number())];
            let bound = if level <= before { entered.less(self.hysteresis) } else { entered };
            level == Level::None || bound.reached(count, capacity)
        };
        Level::ALL.into_iter().rev().find(|level| holds(*level)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_begin_exactly_at_their_fill_for_every_capacity() {
        let levels = Levels::default();
        for capacity in 1..=1_500u64 {
            for (level, percent) in [(Level::Throttle, 70u64), (Level::Batch, 85), (Level::Reject, 95)] {
                let first = (percent * capacity).div_ceil(100);
                assert!(levels.level(first, capacity, Level::None) >= level);
                assert!(levels.level(first - 1, capacity, Level::Reject) < level);
            }
        }
    }

    #[test]
    fn with_hysteresis_a_level_is_left_five_points_lower() {
        let levels = Levels { hysteresis: Ratio::percent(5), ..Levels::default() };
        levels.check().unwrap();
        for (entered, left, level) in
            [(95, 90, Level::Reject), (85, 80, Level::Batch), (70, 65, Level::Throttle)]
        {
            assert_eq!(levels.level(entered, 100, Level::None), level);
            assert_eq!(levels.level(left, 100, level), level);
            assert_eq!(levels.level(left - 1, 100, level), level.milder(1));
            assert!(levels.level(entered - 1, 100, Level::None) < level);
        }
        assert_eq!(levels.level(0, 100, Level::Reject), Level::None);
    }

    #[test]
    fn thresholds_that_do_not_ascend_are_refused_by_name() {
        let good = Levels::default();
        assert_eq!(Levels { throttle: Ratio::ZERO, ..good }.check().unwrap_err().field, "throttle");
        assert_eq!(Levels { batch: Ratio::percent(70), ..good }.check().unwrap_err().field, "batch");
        assert_eq!(Levels { reject: Ratio::percent(85), ..good }.check().unwrap_err().field, "reject");
        assert_eq!(Levels { hysteresis: Ratio::percent(70), ..good }.check().unwrap_err().field, "throttle");
    }
}
