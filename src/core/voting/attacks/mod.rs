//! Patterns in votes that honest voters hardly make. They annotate: no finding here counts a vote out or calls anybody
//! a liar.
//!
//! | finding | asks | needs |
//! |---|---|---|
//! | [`own_history`] | is this score far from the voter's own? | 10 earlier scores |
//! | [`timing`] | do two voters arrive together more often than others do? | sessions that last 20 s |
//! | [`coordination`] | do two voters err in the same way more often than apart? | 20 sessions in common |
//! | [`manipulation`] | did a voter claim a weight, come back after exclusion, revise against the policy? | what was recorded |
//! | [`reliability`] | has a voter become wrong too often? | right or wrong, in order |
//! | [`concentration`] | who holds a third of the power, and how many voices are there? | powers |
//!
//! Agreement is no finding: honest voters agree. Errors that are shared are. With many pairs some look alike by chance,
//! so p-values are adjusted for all of them (Holm). Speed is never held against a voter: voters are programs.
//!
//! What none of these finds: liars who err together on fewer than 20 questions, who are right otherwise as often as the
//! honest, or of whom no outcome ever becomes known while they are the majority.

pub mod concentration;
pub mod coordination;
pub mod manipulation;
pub mod reliability;
pub mod timing;

use super::statistics::robust::modified_z;
use super::statistics::{Unfit, within};

/// Earlier scores that a comparison with oneself needs.
const FEWEST_SCORES: usize = 10;

/// A p-value in millionths, rounded up: at least the one that was computed.
pub(super) fn p_value(p: f64) -> u64 {
    ((p.clamp(0.0, 1.0) * 1e6).ceil()) as u64
}

/// The modified z of a score against the voter's own earlier ones, if it lies beyond the cut-off; `None` too with fewer
/// than ten of them, or when nothing can be said because all are equal.
///
/// # Errors
/// [`Unfit`] for scores outside 0 to 1 and a cut-off below 0.
pub fn own_history(score: f64, earlier: &[f64], cutoff: f64) -> Result<Option<f64>, Unfit> {
    within("score", score, 0.0, 1.0)?;
    within("cutoff", cutoff, 0.0, 1e9)?;
    earlier.iter().try_for_each(|score| within("earlier.score", *score, 0.0, 1.0).map(drop))?;
    if earlier.len() < FEWEST_SCORES {
        return Ok(None);
    }
    Ok(modified_z(score, earlier).filter(|z| z.abs() > cutoff))
}

#[cfg(test)]
#[path = "attacks_test.rs"]
mod tests;
