//! Quantiles in bounded memory, in integers only, also of values that are known only to be *at least* so large.
//!
//! Every power of two is cut into 32 buckets of equal width, so a bucket is at most 1/32 of its values wide:
//!
//! ```text
//!  value   0 1 2 … 63 │ 64–65  66–67 … 126–127 │ 128–131 … 252–255 │ 256–263 …            up to 2⁶⁴ − 1
//!  bucket  0 1 2 … 63 │ 64     65    …      95 │ 96      …     127 │ 128     …            1919
//! ```
//!
//! Two sketches are merged by adding weights. A new value weighs [`UNIT`]; halving all weights lets old ones fade.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a value weighs when it is new. A power of two, so that halving is exact sixteen times.
pub const UNIT: u64 = 1 << 16;

/// Buckets per power of two, as a power of two.
const BITS: u32 = 5;

/// Survival of one in fixed point.
const ONE: u128 = 1 << 40;

/// The bucket of a value.
pub fn bucket_of(value: u64) -> u16 {
    let exponent = value.checked_ilog2().unwrap_or(0);
    let shift = exponent.saturating_sub(BITS);
    // From 32 << 1 on the leading 6 bits are 32 to 63, and each shift adds 32 buckets.
    let bucket = u64::from(shift << BITS) + (value >> shift);
    u16::try_from(bucket).unwrap_or(u16::MAX)
}

/// The largest value of a bucket.
pub fn upper_edge(bucket: u16) -> u64 {
    let shift = u32::from(bucket >> BITS).saturating_sub(1);
    let leading = u64::from(bucket).saturating_sub(u64::from(shift << BITS));
    let Some(low) = leading.checked_shl(shift).filter(|low| low >> shift == leading) else { return u64::MAX };
    low | ((1_u64 << shift) - 1)
}

/// Weights of values, by bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Buckets {
    weights: BTreeMap<u16, u64>,
    total: u64,
}

impl Buckets {
    /// Adds one new value.
    pub fn add(&mut self, value: u64) {
        self.put(bucket_of(value), UNIT);
    }

    /// Adds all that is in another one.
    pub fn merge(&mut self, other: &Buckets) {
        other.weights.iter().for_each(|(bucket, weight)| self.put(*bucket, *weight));
    }

    /// Adds the share `numerator / denominator` of all that is in another one, rounded up.
    pub(super) fn merge_share(&mut self, other: &Buckets, numerator: u64, denominator: u64) {
        for (bucket, weight) in &other.weights {
            let share =
                (u128::from(*weight) * u128::from(numerator)).div_ceil(u128::from(denominator.max(1)));
            self.put(*bucket, u64::try_from(share).unwrap_or(u64::MAX));
        }
    }

    /// Halves every weight; what weighs nothing is gone.
    pub fn halve(&mut self) {
        self.weights.values_mut().for_each(|weight| *weight /= 2);
        self.weights.retain(|_, weight| *weight > 0);
        self.total = self.weights.values().sum();
    }

    /// All weights together.
    pub fn weight(&self) -> u64 {
        self.total
    }

    /// Buckets and their weights, the smallest values first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (u16, u64)> + '_ {
        self.weights.iter().map(|(bucket, weight)| (*bucket, *weight))
    }

    fn put(&mut self, bucket: u16, weight: u64) {
        // The total is at its end before any weight, so that the sum of the weights never overflows.
        let weight = weight.min(u64::MAX - self.total);
        if weight > 0 {
            *self.weights.entry(bucket).or_default() += weight;
            self.total += weight;
        }
    }
}

/// Values known exactly, and values known to be at least so large.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sketch {
    /// Known to the width of a bucket.
    pub finished: Buckets,
    /// At least so large.
    pub censored: Buckets,
}

/// A quantile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantile {
    /// The upper edge of its bucket.
    pub value: u64,
    /// False: too many values are only known to be at least so large, and this is the largest that was seen. The quantile
    /// is there or beyond.
    pub reached: bool,
}

impl Sketch {
    /// All weights together.
    pub fn weight(&self) -> u64 {
        self.finished.weight().saturating_add(self.censored.weight())
    }

    /// Adds all that is in another one.
    pub fn merge(&mut self, other: &Sketch) {
        self.finished.merge(&other.finished);
        self.censored.merge(&other.censored);
    }

    /// Halves every weight.
    pub fn halve(&mut self) {
        self.finished.halve();
        self.censored.halve();
    }

    /// The smallest value that at most `1 − ppm / 1,000,000` of all exceed, by Kaplan and Meier; `None` of nothing.
    ///
    /// A value that is at least as large as the bucket it is in counts as larger than what finished in that bucket.
    pub fn quantile(&self, ppm: u32) -> Option<Quantile> {
        let beyond = u128::from(1_000_000_u32.saturating_sub(ppm));
        // Survival is `base · at_risk / base_at_risk`. Between censored values the quotient telescopes, so that without
        // any it is exact; at one it is rounded up, towards the longer quantile.
        let mut at_risk = u128::from(self.finished.weight()) + u128::from(self.censored.weight());
        let (mut base, mut base_at_risk) = (ONE, at_risk);
        let mut largest = None;
        let (mut exact, mut at_least) = (self.finished.iter().peekable(), self.censored.iter().peekable());
        loop {
            let next = exact.peek().map(|(bucket, _)| *bucket).into_iter();
            let Some(bucket) = next.chain(at_least.peek().map(|(bucket, _)| *bucket)).min() else { break };
            let weight_here = |found: Option<(u16, u64)>| found.map_or(0, |(_, weight)| u128::from(weight));
            let finished = weight_here(exact.next_if(|(here, _)| *here == bucket));
            let censored = weight_here(at_least.next_if(|(here, _)| *here == bucket));
            at_risk = at_risk.saturating_sub(finished);
            if base * at_risk * 1_000_000 <= ONE * beyond * base_at_risk {
                return Some(Quantile { value: upper_edge(bucket), reached: true });
            }
            if censored > 0 {
                base = (base * at_risk).div_ceil(base_at_risk.max(1));
                at_risk = at_risk.saturating_sub(censored);
                base_at_risk = at_risk;
            }
            largest = Some(Quantile { value: upper_edge(bucket), reached: false });
        }
        largest
    }
}
