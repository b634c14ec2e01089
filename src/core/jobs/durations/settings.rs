//! How deadlines are made from what is known.

use serde::{Deserialize, Serialize};

use super::rejection::Rejection;
use super::{MAX_DURATION_US, MEMORY};

/// One limit: a quantile of what was seen, times a factor, not below a floor and not above a ceiling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitSettings {
    /// The quantile in millionths, 500,000 to 999,999, and 900,000 at least where the tail is followed. Too low stops work that is only slow; too high hangs on the slowest
    /// few jobs of the memory.
    pub quantile_ppm: u32,
    /// The least factor, in thousandths, 1,000 to 100,000. It pays for what was never seen yet, and lets a limit grow that is
    /// too low: near 1 learned limits cut what they learn from. Too large finds dead work late.
    pub factor_permille: u32,
    /// The factor is at least the quantile over the one that ten times as many exceed. On a tail like any power of x that is
    /// the step to what a tenth as many exceed; on a lighter one it goes further. So the factor need not be guessed.
    pub follow_tail: bool,
    /// Never below so many microseconds; up to the ceiling. Too low stops short jobs for a hiccup of the network.
    pub floor_us: u64,
    /// Never above so many microseconds; 1 ms to 10 years. Too low stops work whatever was learned.
    pub ceiling_us: u64,
}

/// How both limits of a class are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// On the whole duration.
    pub overall: LimitSettings,
    /// On silence.
    pub stuck: LimitSettings,
    /// Jobs that must have finished before anything is estimated, 10 to 2,048. Too few and one odd job makes the limit; too
    /// many and a rare class never learns.
    pub min_finished: u32,
    /// Share of all jobs, in millionths, 0 to 500,000, that is believed to be dead when they are stopped in silence. Too low
    /// makes the limit on silence long when many jobs die; too high believes that slow work is dead.
    pub believed_dead_ppm: u32,
}

/// One second.
const SECOND: u64 = 1_000_000;

impl Default for Settings {
    /// For at most one job in a thousand stopped wrongly, in each class by itself and whatever power of x its tails are
    /// like. Five in a thousand are silent beyond the quantile, and following the tail leaves a tenth of those: 0.05 %, and
    /// 0.0625 % once that is cut off from what is learned. Of durations one in a thousand is beyond the quantile, and a
    /// tenth of those beyond the limit: 0.01 %. The least factors are for the beginning, when the jobs that finished are the
    /// short ones and the long ones still run.
    fn default() -> Self {
        Settings {
            overall: LimitSettings {
                quantile_ppm: 999_000,
                factor_permille: 4_000,
                follow_tail: true,
                floor_us: 10 * SECOND,
                ceiling_us: 7 * 86_400 * SECOND,
            },
            stuck: LimitSettings {
                quantile_ppm: 995_000,
                factor_permille: 2_000,
                follow_tail: true,
                floor_us: 5 * SECOND,
                ceiling_us: 86_400 * SECOND,
            },
            min_finished: 100,
            believed_dead_ppm: 100_000,
        }
    }
}

impl LimitSettings {
    fn check(&self, names: [&'static str; 4]) -> Result<(), Rejection> {
        let [quantile, factor, floor, ceiling] = names;
        let lowest = if self.follow_tail { 900_000 } else { 500_000 };
        Rejection::unless_within(quantile, self.quantile_ppm.into(), lowest, 999_999)?;
        Rejection::unless_within(factor, self.factor_permille.into(), 1_000, 100_000)?;
        Rejection::unless_within(ceiling, self.ceiling_us, 1_000, MAX_DURATION_US)?;
        Rejection::unless_within(floor, self.floor_us, 0, self.ceiling_us)
    }
}

impl Settings {
    /// Checks every number.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] for the first one out of bounds.
    pub fn check(&self) -> Result<(), Rejection> {
        self.overall.check([
            "overall.quantile_ppm",
            "overall.factor_permille",
            "overall.floor_us",
            "overall.ceiling_us",
        ])?;
        self.stuck.check([
            "stuck.quantile_ppm",
            "stuck.factor_permille",
            "stuck.floor_us",
            "stuck.ceiling_us",
        ])?;
        // Just after a halving only half of the memory weighs in.
        Rejection::unless_within("min_finished", self.min_finished.into(), 10, MEMORY / 2)?;
        Rejection::unless_within("believed_dead_ppm", self.believed_dead_ppm.into(), 0, 500_000)
    }
}
