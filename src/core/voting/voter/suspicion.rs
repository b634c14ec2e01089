//! How suspicious a voter is: two sums that halve each hour, as fixed-point numbers.
//!
//! `2^(-age)` is made of the square roots of a half, one for each binary digit of the age in hours. The roots are integers
//! of 62 binary places, made by the compiler; so every machine comes to the same sums, and a replay to the same states.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::kernel::time::{Timestamp, micros};

/// One whole: 32 binary places.
const ONE: u64 = 1 << 32;
/// The age at which a mark counts half, in microseconds.
const HALF_LIFE_US: u64 = 3_600_000_000;
/// Binary digits of an age in hours that count; the last of them is 0.2 ms.
const DIGITS: u32 = 24;
/// `ROOTS[k]` is `2^(-2^-(k+1))`, 62 binary places.
const ROOTS: [u64; DIGITS as usize] = roots();

const fn roots() -> [u64; DIGITS as usize] {
    let mut out = [0; DIGITS as usize];
    let (mut k, mut power) = (0, 1u128 << 61);
    while k < out.len() {
        power = (power << 62).isqrt();
        out[k] = power as u64;
        k += 1;
    }
    out
}

/// How much is left of something after a time.
fn decayed(sum: u64, age: Duration) -> u64 {
    let age = micros(age);
    let (halvings, rest) = (age / HALF_LIFE_US, age % HALF_LIFE_US);
    if halvings >= 64 {
        return 0;
    }
    let digits = (u128::from(rest) << DIGITS) / u128::from(HALF_LIFE_US);
    let mut factor = 1u128 << 62;
    for (k, root) in ROOTS.iter().enumerate() {
        if digits >> (DIGITS as usize - 1 - k) & 1 == 1 {
            factor = (factor * u128::from(*root)) >> 62;
        }
    }
    // Less than the sum was, so it fits.
    ((u128::from(sum >> halvings) * factor) >> 62) as u64
}

/// The sums at an instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspicion {
    /// Σ v·δ, 32 binary places.
    severity: u64,
    /// Σ m·δ, 32 binary places.
    evidence: u64,
    /// Of which instant.
    at: Timestamp,
}

/// How grave an attempt to vote was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Nothing was wrong.
    Clean,
    /// A flag.
    Flag,
    /// A violation of the protocol, or of the rate.
    Violation,
}

impl Suspicion {
    /// After a release: S = 0.25.
    pub fn released(at: Timestamp) -> Self {
        Suspicion { severity: ONE, evidence: ONE, at }
    }

    /// The same at a later instant.
    pub fn on(self, now: Timestamp) -> Self {
        if now <= self.at {
            return self;
        }
        let age = now.since(self.at);
        Suspicion { severity: decayed(self.severity, age), evidence: decayed(self.evidence, age), at: now }
    }

    /// With one attempt more; one of before counts as much as is left of it.
    pub fn with(self, severity: Severity, at: Timestamp) -> Self {
        let sums = self.on(at);
        let age = sums.at.since(at);
        let v = match severity {
            Severity::Clean => 0,
            Severity::Flag => ONE / 4,
            Severity::Violation => ONE,
        };
        Suspicion {
            severity: sums.severity.saturating_add(decayed(v, age)),
            evidence: sums.evidence.saturating_add(decayed(ONE, age)),
            at: sums.at,
        }
    }

    /// The score, in millionths, rounded down.
    pub fn score(self) -> u32 {
        let (top, bottom) = self.parts();
        u32::try_from(top * 1_000_000 / bottom).unwrap_or(u32::MAX)
    }

    /// Is the score above so many hundredths?
    pub fn is_above(self, hundredths: u32) -> bool {
        let (top, bottom) = self.parts();
        100 * top > u128::from(hundredths) * bottom
    }

    /// Is it below?
    pub fn is_below(self, hundredths: u32) -> bool {
        let (top, bottom) = self.parts();
        100 * top < u128::from(hundredths) * bottom
    }

    fn parts(self) -> (u128, u128) {
        let one = u128::from(ONE);
        (one / 2 + u128::from(self.severity), 5 * one + u128::from(self.evidence))
    }

    /// The first instant at which the score is below so many hundredths, if nothing else happens. None when it never is.
    pub fn falls_below(self, hundredths: u32) -> Option<Timestamp> {
        // Both sums halve alike, so the score only moves towards 0.1.
        if hundredths <= 10 {
            return None;
        }
        let after = |us: u64| self.on(self.at.plus(Duration::from_micros(us))).is_below(hundredths);
        let (mut low, mut high) = (0, 64 * HALF_LIFE_US);
        if after(low) {
            return Some(self.at);
        }
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if after(middle) { high = middle } else { low = middle }
        }
        Some(self.at.plus(Duration::from_micros(high)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(h: f64) -> Timestamp {
        Timestamp::from_micros((h * HALF_LIFE_US as f64) as i64)
    }

    #[test]
    fn a_fresh_voter_is_suspicious_by_a_tenth_and_flags_alone_never_reach_a_quarter() {
        let mut suspicion = Suspicion::default();
        assert_eq!(suspicion.score(), 100_000);
        for _ in 0..100_000 {
            suspicion = suspicion.with(Severity::Flag, Timestamp::EPOCH);
        }
        assert!(!suspicion.is_above(25) && suspicion.score() > 249_000, "{}", suspicion.score());
        assert_eq!(Suspicion::released(Timestamp::EPOCH).score(), 250_000);
    }

    #[test]
    fn marks_halve_each_hour_as_the_formula_says() {
        let two = Suspicion::default()
            .with(Severity::Violation, Timestamp::EPOCH)
            .with(Severity::Violation, Timestamp::EPOCH);
        assert_eq!(two.score(), 357_142); // (0.5 + 2) / (5 + 2)
        for h in [0.0, 0.25, 0.5, 1.0, 1.75, 3.3, 10.0, 63.9] {
            let d = 2f64.powf(-h);
            let wanted = (0.5 + 2.0 * d) / (5.0 + 2.0 * d);
            let got = f64::from(two.on(hours(h)).score()) / 1e6;
            assert!((wanted - got).abs() < 2e-6, "{h}: {wanted} {got}");
        }
        assert_eq!(two.on(hours(64.0)).score(), 100_000);
    }

    #[test]
    fn the_instant_of_falling_below_is_the_first_one() {
        let suspicion = (0..5).fold(Suspicion::default(), |s, _| s.with(Severity::Violation, hours(1.0)));
        let at = suspicion.falls_below(20).unwrap();
        assert!(suspicion.on(at).is_below(20));
        assert!(!suspicion.on(at.minus(Duration::from_micros(1))).is_below(20));
        assert_eq!(suspicion.falls_below(10), None);
    }

    #[test]
    fn a_mark_that_is_told_late_counts_as_much_as_is_left_of_it() {
        let told_late = Suspicion::default().on(hours(2.0)).with(Severity::Violation, hours(1.0));
        let told_at_once = Suspicion::default().with(Severity::Violation, hours(1.0)).on(hours(2.0));
        assert_eq!(told_late, told_at_once);
    }
}
