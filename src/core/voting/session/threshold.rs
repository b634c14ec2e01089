//! How many heads and how much power decide, in integers alone.
//!
//! | | heads of n | power of W |
//! |---|---|---|
//! | strict (default) | `floor(2n/3) + 1` | `3·w > 2·W` |
//! | at least | `ceil(2n/3)` | `3·w >= 2·W` |
//! | f declared, n >= 3f+1 | `floor((n+f)/2) + 1` | `3·w > 2·W` |
//!
//! With f = floor((n-1)/3), the most voters that may be bad, the strict count is n - f, the largest that f silent voters
//! cannot block, and the count of *at least* is the smallest of which any two share more than f voters. Both are safe.
//! A flat 2f+1 is not: of ten voters with f = 1 three would approve while seven oppose.
//!
//! `0.67·n` in floating point is neither: from n = 103 on it asks for more than n - f, and some products round wrongly.
//!
//! # Source
//! M. Pease, R. Shostak, L. Lamport, *Reaching Agreement in the Presence of Faults*, JACM 27(2), 1980. D. Malkhi, M. Reiter,
//! *Byzantine quorum systems*, 1998 (the size of masking quorums).

use serde::{Deserialize, Serialize};

/// The most faults that are advertised, however many voters there are: 49 voters bear 16.
pub const MOST_FAULTS: u32 = 16;

/// Fewest voters of a session.
pub const FEWEST_VOTERS: u32 = 3;

/// How much is needed when no number of faults is declared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Threshold {
    /// More than two thirds.
    #[default]
    Strict,
    /// Two thirds.
    AtLeast,
}

impl Threshold {
    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Threshold::Strict => "strict",
            Threshold::AtLeast => "at_least",
        }
    }
}

/// What is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// Voters.
    Heads,
    /// Their power.
    Power,
    /// Both: the same option must reach either.
    #[default]
    Both,
}

impl Basis {
    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Basis::Heads => "heads",
            Basis::Power => "power",
            Basis::Both => "both",
        }
    }

    /// Do heads count?
    pub fn counts_heads(self) -> bool {
        self != Basis::Power
    }

    /// Does power count?
    pub fn counts_power(self) -> bool {
        self != Basis::Heads
    }
}

/// The rule of one session. Its numbers are those of the electorate as it was frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quorum {
    /// What is counted.
    pub basis: Basis,
    /// How much is needed.
    pub threshold: Threshold,
    /// The number of bad voters that was declared.
    pub declared_faults: Option<u32>,
    /// Voters in the electorate.
    pub n: u32,
    /// Heads that decide.
    pub heads: u32,
    /// Power of the whole electorate, in millionths.
    pub power: u64,
}

impl Quorum {
    /// The rule for `n` voters of this much power.
    pub fn new(basis: Basis, threshold: Threshold, declared: Option<u32>, n: u32, power: u64) -> Self {
        Quorum { basis, threshold, declared_faults: declared, n, heads: heads(threshold, declared, n), power }
    }

    /// Do so many heads of so much power decide?
    pub fn is_reached(&self, heads: u32, power: u64) -> bool {
        let by_heads = !self.basis.counts_heads() || heads >= self.heads;
        by_heads && (!self.basis.counts_power() || self.is_reached_by_power(power))
    }

    fn is_reached_by_power(&self, power: u64) -> bool {
        let (given, needed) = (3 * u128::from(power), 2 * u128::from(self.power));
        match (self.threshold, self.declared_faults) {
            (Threshold::Strict, _) | (Threshold::AtLeast, Some(_)) => given > needed,
            (Threshold::AtLeast, None) => given >= needed,
        }
    }

    /// How many proven faults the session bears before it says so instead of deciding.
    pub fn fault_budget(&self) -> u32 {
        self.declared_faults.unwrap_or_else(|| self.n.saturating_sub(1) / 3)
    }
}

/// Heads of `n` that decide.
pub fn heads(threshold: Threshold, declared: Option<u32>, n: u32) -> u32 {
    let n = u64::from(n);
    let needed = match (declared, threshold) {
        (Some(f), _) => (n + u64::from(f)) / 2 + 1,
        (None, Threshold::Strict) => 2 * n / 3 + 1,
        (None, Threshold::AtLeast) => (2 * n).div_ceil(3),
    };
    u32::try_from(needed).unwrap_or(u32::MAX)
}

/// The most bad voters among `n` that are advertised.
pub fn most_faults(n: u32) -> u32 {
    (n.saturating_sub(1) / 3).min(MOST_FAULTS)
}

/// Cuts powers to the largest whole number `c` with `3·c < Σ min(p, c)`, so that nobody holds a third. There is none for
/// three voters or fewer, or where too many have no power: then nothing is cut, and one voter's fault is borne by none.
pub fn capped(powers: &[u64]) -> Option<Vec<u64>> {
    let cut = |c: u64| powers.iter().map(move |p| (*p).min(c));
    let fits = |c: u64| 3 * u128::from(c) < cut(c).map(u128::from).sum();
    // The sum grows ever more slowly with c, so what fits is a range that begins at 1.
    let (mut low, mut high) = (0, powers.iter().copied().max()?);
    if fits(high) {
        return Some(powers.to_vec());
    }
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if fits(middle) { low = middle } else { high = middle }
    }
    (low > 0).then(|| cut(low).collect())
}

#[cfg(test)]
#[path = "threshold_test.rs"]
mod tests;
