//! How long a worker may be silent: as long as it is used to, and so much longer that a living one is hardly ever taken
//! for dead.
//!
//! ```text
//!   sign        sign        sign                                  limit
//!    │◄── gap ──►│◄── gap ──►│◄──────────── silence ──────────────►│ lost
//!                             mean + 5.612 deviations + what a pause may take
//! ```
//!
//! The limit is the φ-accrual detector at φ = 8: the silence that a worker whose gaps are distributed normally would
//! exceed once in 10⁸ times. Mean and deviation are moving averages of the gaps between signs on record, in whole
//! microseconds, so that the same record gives the same limit. They begin with what the worker said it would do, and
//! the limit stays between two and ten of these spans.
//!
//! A worker that waits for work is silent for as long as it said it would wait; its silence counts from there. One that
//! never asked for work and never gave a sign of life is not judged by its silence.
//!
//! # Source
//! N. Hayashibara, X. Défago, R. Yared, T. Katayama, *The φ Accrual Failure Detector*, SRDS 2004. Moving averages: V.
//! Jacobson, *Congestion Avoidance and Control*, SIGCOMM 1988.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::kernel::time::Timestamp;

/// How often a worker gives a sign of life unless it says otherwise, in ms.
pub const DEFAULT_BEAT_MS: u64 = 5_000;
/// Bounds of how often a worker may say it gives a sign of life, in ms.
pub const BEAT_BOUNDS_MS: (u64, u64) = (100, 600_000);
/// The silence that is exceeded once in 10⁸ times, in thousandths of a deviation.
const PHI_8: u64 = 5_612;
/// What a pause of the worker, or of the way to it, may take at most, in microseconds.
const LONGEST_PAUSE_US: u64 = 3_000_000;

/// What is known of the signs of life of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// Its silence counts from here: the last sign on record, or the end of its wait for work.
    pub from: Timestamp,
    /// The last sign on record.
    pub sign_at: Timestamp,
    /// Mean of the gaps, in microseconds.
    pub mean_us: u64,
    /// Mean deviation of the gaps, in microseconds.
    pub deviation_us: u64,
}

impl Watch {
    /// The first sign of life.
    pub(super) fn begin(beat_ms: u64, at: Timestamp, silent_until: Timestamp) -> Self {
        let beat_us = beat_ms.saturating_mul(1_000);
        Watch { from: silent_until.max(at), sign_at: at, mean_us: beat_us, deviation_us: beat_us / 5 }
    }

    /// A further one. Only silence beyond what was announced says how silent the worker is by itself.
    pub(super) fn sign(&mut self, at: Timestamp, silent_until: Timestamp) {
        if at > self.from {
            let gap = u64::try_from(at.since(self.from).as_micros()).unwrap_or(u64::MAX);
            let off = gap.abs_diff(self.mean_us);
            self.mean_us = average(self.mean_us, gap, 8);
            self.deviation_us = average(self.deviation_us, off, 4);
        }
        (self.from, self.sign_at) = (silent_until.max(at), at);
    }

    /// How long the worker may be silent, in microseconds.
    pub fn limit_us(&self, beat_ms: u64) -> u64 {
        let beat_us = beat_ms.saturating_mul(1_000);
        // A mean deviation is four fifths of a standard deviation.
        let deviation = (self.deviation_us.saturating_mul(5) / 4).max(beat_us / 4);
        let usual = self.mean_us.saturating_add(deviation.saturating_mul(PHI_8) / 1_000);
        let limit = usual.saturating_add(beat_us.min(LONGEST_PAUSE_US));
        limit.clamp(beat_us.saturating_mul(2), beat_us.saturating_mul(10))
    }

    /// The instant at which it has been silent for too long.
    pub fn lost_at(&self, beat_ms: u64) -> Timestamp {
        self.from.plus(Duration::from_micros(self.limit_us(beat_ms)))
    }

    /// Nobody listened for this long.
    pub(super) fn shift(&mut self, away: Duration) {
        (self.from, self.sign_at) = (self.from.plus(away), self.sign_at.plus(away));
    }
}

/// A moving average in which the newest counts for one part of so many.
fn average(old: u64, new: u64, parts: u64) -> u64 {
    let step = old.abs_diff(new) / parts;
    if new > old { old.saturating_add(step) } else { old.saturating_sub(step) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_micros(ms * 1_000)
    }

    #[test]
    fn a_worker_may_be_silent_for_as_long_as_it_is_used_to_and_three_pauses_more() {
        let mut watch = Watch::begin(1_000, at(0), at(0));
        assert_eq!(watch.limit_us(1_000), 1_000_000 + 1_403_000 + 1_000_000);
        for n in 1..=100 {
            watch.sign(at(n * 1_000), at(n * 1_000));
        }
        assert_eq!(watch.limit_us(1_000), 3_403_000, "what is regular stays at the least deviation");
        for n in 1..=100 {
            watch.sign(at(100_000 + n * 3_000), at(0));
        }
        assert!((5_300_000..5_500_000).contains(&watch.limit_us(1_000)), "{}", watch.limit_us(1_000));
    }

    #[test]
    fn announced_silence_does_not_count() {
        let mut watch = Watch::begin(1_000, at(0), at(60_000));
        assert_eq!(watch.lost_at(1_000), at(63_403));
        watch.sign(at(30_000), at(30_000));
        assert_eq!((watch.mean_us, watch.lost_at(1_000)), (1_000_000, at(33_403)));
    }

    #[test]
    fn the_limit_stays_between_two_and_ten_of_the_spans_it_gave() {
        let mut watch = Watch::begin(1_000, at(0), at(0));
        watch.sign(at(3_600_000), at(0));
        assert_eq!(watch.limit_us(1_000), 10_000_000);
        for n in 0..10_000 {
            watch.sign(at(3_600_000 + n), at(0));
        }
        assert!((2_403_000..2_405_000).contains(&watch.limit_us(1_000)), "{}", watch.limit_us(1_000));
    }
}
