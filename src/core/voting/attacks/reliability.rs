//! Has a voter become unreliable? A sequential test of an error rate of 0.35 against one of 0.10: each error speaks for
//! the first, each right vote for the second, until one of them has enough on its side.
//!
//! ```text
//!  error    + ln(0.35/0.10) = +1.252763        ≥ ln(0.95/0.01) = 4.553877    unreliable
//!  right    + ln(0.65/0.90) = −0.325422        ≤ ln(0.05/0.99) = −2.985682   as expected; begins anew
//! ```
//!
//! An unreliable voter gets the least weight; it is not quarantined, for to be wrong is no malice. The variant of
//! cumulative sums never goes below 0 and so forgets good times: it finds a change sooner.
//!
//! Sources: A. Wald, *Sequential Analysis*, 1947; E. S. Page, "Continuous inspection schemes", Biometrika 41, 1954.

use crate::voting::statistics::share;

/// Error rates and the chances of mistaking one for the other.
const GOOD: f64 = 0.10;
const BAD: f64 = 0.35;
const FALSE_ALARM: f64 = 0.01;
const MISSED: f64 = 0.05;

/// How the votes are summed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Wald's test: it ends with either answer, and begins anew with the good one.
    Sequential,
    /// Page's cumulative sum: it never goes below 0.
    Cumulative,
}

/// What the votes so far say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    /// Not enough yet.
    Undecided,
    /// As few errors as expected; the sum begins anew.
    Reliable,
    /// Too many errors.
    Unreliable,
}

/// The running sum of one voter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Watch {
    kind: Kind,
    sum: f64,
}

impl Watch {
    /// Nothing seen yet.
    pub fn new(kind: Kind) -> Self {
        Watch { kind, sum: 0.0 }
    }

    /// Takes a vote that turned out right or wrong.
    pub fn note(&mut self, right: bool) -> Says {
        self.sum += if right { ((1.0 - BAD) / (1.0 - GOOD)).ln() } else { (BAD / GOOD).ln() };
        let alarm = ((1.0 - MISSED) / FALSE_ALARM).ln();
        let clear = (MISSED / (1.0 - FALSE_ALARM)).ln();
        if self.sum >= alarm {
            return Says::Unreliable;
        }
        match self.kind {
            Kind::Cumulative => {
                self.sum = self.sum.max(0.0);
                Says::Undecided
            }
            Kind::Sequential if self.sum <= clear => {
                self.sum = 0.0;
                Says::Reliable
            }
            Kind::Sequential => Says::Undecided,
        }
    }

    /// How far the sum has gone towards an alarm, in millionths; 0 on the other side.
    pub fn level(&self) -> u64 {
        share(self.sum / ((1.0 - MISSED) / FALSE_ALARM).ln())
    }
}
