//! The deadlines a class has taught, with the evidence they stand on.

use serde::{Deserialize, Serialize};

use super::MAX_DOUBT;
use super::settings::{LimitSettings, Settings};
use super::sketch::{Buckets, Sketch, UNIT};
use super::state::Durations;

/// What is known of a class. Counts are of records, after ageing, rounded down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Jobs ever recorded.
    pub records: u64,
    /// Jobs that finished.
    pub finished: u64,
    /// Jobs that did not.
    pub censored: u64,
    /// Those of them stopped in a silence longer than any they came out of.
    pub doubtful: u64,
    /// Timeouts in doubt less jobs that finished; nothing is estimated from [`MAX_DOUBT`] on.
    pub doubt: u32,
}

/// One learned limit, and how it came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Learned {
    /// Which quantile was asked for, in millionths.
    pub quantile_ppm: u32,
    /// Its value in microseconds.
    pub quantile_us: u64,
    /// False: the quantile is there or beyond, for too many jobs were stopped before.
    pub reached: bool,
    /// The value that ten times as many exceed, where the tail was followed.
    pub wider_us: Option<u64>,
    /// The factor in thousandths: the least one, or the quantile over the wider one.
    pub factor_permille: u64,
    /// Quantile times factor, not below the floor and not above the ceiling, in microseconds. At the limit itself a job
    /// is still on time.
    pub limit_us: u64,
}

/// Both limits of a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Estimate {
    /// On the whole duration.
    pub overall: Learned,
    /// On silence.
    pub stuck: Learned,
    /// What they were learned from.
    pub evidence: Evidence,
}

impl Durations {
    /// What is known.
    pub fn evidence(&self) -> Evidence {
        Evidence {
            records: self.records,
            finished: self.durations.finished.weight() / UNIT,
            censored: self.durations.censored.weight() / UNIT,
            doubtful: self.doubtful_gaps.weight() / UNIT,
            doubt: self.doubt,
        }
    }
}

/// The limits for the next job of the class. `None` when too few jobs finished or too much is in doubt: then the caller
/// uses the limits it would use without learning.
///
/// The settings are expected to be checked; others give limits that are of no use, and no panic.
pub fn estimate(state: &Durations, settings: &Settings) -> Option<Estimate> {
    let evidence = state.evidence();
    if evidence.finished < u64::from(settings.min_finished) || state.doubt >= MAX_DOUBT {
        return None;
    }
    let believed = settings.believed_dead_ppm;
    Some(Estimate {
        overall: learn(&state.durations, &state.doubtful_durations, believed, settings.overall)?,
        stuck: learn(&state.gaps, &state.doubtful_gaps, believed, settings.stuck)?,
        evidence,
    })
}

fn learn(seen: &Sketch, doubtful: &Buckets, believed_ppm: u32, limit: LimitSettings) -> Option<Learned> {
    let believed = u128::from(seen.weight()) * u128::from(believed_ppm) / 1_000_000;
    let excess = doubtful.weight().saturating_sub(u64::try_from(believed).unwrap_or(u64::MAX));
    let mut with_excess;
    let all = if excess == 0 {
        seen
    } else {
        // More than can be dead: the rest was alive, and at least so slow.
        with_excess = seen.clone();
        with_excess.censored.merge_share(doubtful, excess, doubtful.weight());
        &with_excess
    };
    let quantile = all.quantile(limit.quantile_ppm)?;
    let wider_ppm =
        1_000_000_u32.saturating_sub(1_000_000_u32.saturating_sub(limit.quantile_ppm).saturating_mul(10));
    let wider_us = if limit.follow_tail { all.quantile(wider_ppm).map(|wider| wider.value) } else { None };
    let step = wider_us.map_or(0, |wider| times(quantile.value, 1_000, wider.max(1)));
    let factor_permille = step.max(limit.factor_permille.into());
    Some(Learned {
        quantile_ppm: limit.quantile_ppm,
        quantile_us: quantile.value,
        reached: quantile.reached,
        wider_us,
        factor_permille,
        // Not `clamp`, which panics on a floor above the ceiling.
        limit_us: times(quantile.value, factor_permille, 1_000).max(limit.floor_us).min(limit.ceiling_us),
    })
}

/// `value · numerator / denominator`, rounded up.
fn times(value: u64, numerator: u64, denominator: u64) -> u64 {
    let product = (u128::from(value) * u128::from(numerator)).div_ceil(denominator.into());
    u64::try_from(product).unwrap_or(u64::MAX)
}
