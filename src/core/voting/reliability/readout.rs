//! Weights as they are shown, carried away and brought back.

use std::collections::BTreeMap;

use super::WEIGHT_BOUNDS;
use crate::kernel::ids::VoterId;
use crate::kernel::number::WHOLE_WEIGHT;
use crate::voting::statistics::Unfit;

/// How many of the heaviest voters are listed.
const TOP: usize = 10;

/// One voter's weight beside the others'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// In millionths.
    pub weight: u64,
    /// Its share of all weight, in millionths; the shares of all voters sum to exactly one million.
    pub share: u64,
    /// The share of voters that weigh less, in millionths; of equal ones half count.
    pub percentile: u64,
}

/// All weights at a glance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readout {
    /// By voter.
    pub voters: BTreeMap<VoterId, Standing>,
    /// How many voters weigh from so much (in millionths) up to the next bound.
    pub buckets: Vec<(u64, u32)>,
    /// The heaviest first, equal ones by id.
    pub top: Vec<VoterId>,
}

/// Reads out weights.
pub fn read_out(weights: &BTreeMap<VoterId, u64>) -> Readout {
    let total: u128 = weights.values().map(|w| u128::from(*w)).sum();
    let mut sorted: Vec<u64> = weights.values().copied().collect();
    sorted.sort_unstable();
    let mut voters = BTreeMap::new();
    let mut rests = Vec::new();
    for (voter, weight) in weights {
        let scaled = u128::from(*weight) * 1_000_000;
        let share = scaled.checked_div(total).unwrap_or(0);
        let rest = scaled - share * total;
        let below = sorted.partition_point(|w| w < weight) as u64;
        let equal = sorted.partition_point(|w| w <= weight) as u64 - below;
        let percentile = (2 * below + equal) * 500_000 / sorted.len() as u64;
        voters.insert(voter.clone(), Standing { weight: *weight, share: share as u64, percentile });
        rests.push((std::cmp::Reverse(rest), voter.clone()));
    }
    // Millionths that rounding down has left over go to the largest remainders.
    let given: u64 = voters.values().map(|standing| standing.share).sum();
    rests.sort();
    if total > 0 {
        for (_, voter) in rests.iter().take((1_000_000 - given) as usize) {
            if let Some(standing) = voters.get_mut(voter) {
                standing.share += 1;
            }
        }
    }
    let bounds = [0, 100_000, 250_000, 500_000, 750_000, 1_000_000, 1_500_000, 2_000_000, 3_000_000];
    let bucket = |from: u64| sorted.partition_point(|w| *w < from);
    let ends = bounds.iter().skip(1).map(|from| bucket(*from)).chain([sorted.len()]);
    let buckets = bounds.iter().zip(ends).map(|(from, end)| (*from, (end - bucket(*from)) as u32)).collect();
    let mut top: Vec<(std::cmp::Reverse<u64>, VoterId)> =
        weights.iter().map(|(voter, weight)| (std::cmp::Reverse(*weight), voter.clone())).collect();
    top.sort();
    let top = top.into_iter().take(TOP).map(|(_, voter)| voter).collect();
    Readout { voters, buckets, top }
}

/// Takes weights that were written down elsewhere, all or none.
///
/// # Errors
/// [`Unfit`] naming the first voter whose weight is outside 0.1 to 3.
pub fn import(written: &BTreeMap<VoterId, u64>) -> Result<BTreeMap<VoterId, u64>, Unfit> {
    let (least, most) = WEIGHT_BOUNDS;
    match written.iter().find(|(_, weight)| !(least..=most).contains(weight)) {
        None => Ok(written.clone()),
        Some((voter, weight)) => Err(Unfit::new(
            &format!("weights.{voter}"),
            *weight as f64 / WHOLE_WEIGHT as f64,
            format!("{} to {}", least as f64 / WHOLE_WEIGHT as f64, most as f64 / WHOLE_WEIGHT as f64),
        )),
    }
}
