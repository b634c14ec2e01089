//! The coordinate that routing reads: a copy that moves seldom.
//!
//! The coordinate of the system moves a little with every sample. Whoever chooses by it would change its mind for nothing, so
//! a copy is published, when it has moved far enough to matter or is old.
//!
//! # Source
//! Ledlie et al., NSDI 2007, section 5: application-level coordinates.

use std::collections::VecDeque;
use std::time::Duration;

use super::point::NetworkCoordinate;
use crate::kernel::time::Timestamp;

/// A move of so many seconds is published …
const LEAST_MOVE: f64 = 0.005;
/// … or of this part of the median estimate, whichever is more.
const LEAST_PART: f64 = 0.1;
/// However little it moved, a copy is not kept longer.
const OLDEST: Duration = Duration::from_secs(30);
/// Estimates that the median is taken of.
pub(super) const ESTIMATES: usize = 32;

/// See the [module](self).
#[derive(Clone, Debug)]
pub(super) struct Application {
    published: NetworkCoordinate,
    at: Timestamp,
    estimates: VecDeque<f64>,
    times: u64,
}

impl Application {
    pub(super) fn new(first: NetworkCoordinate, now: Timestamp) -> Self {
        Application { published: first, at: now, estimates: VecDeque::new(), times: 0 }
    }

    /// The copy as it was recorded: what was published last, when, and the newest estimates in seconds, oldest first.
    pub(super) fn of(
        published: NetworkCoordinate,
        at: Timestamp,
        estimates: impl Iterator<Item = f64>,
    ) -> Self {
        Application { published, at, estimates: estimates.collect(), times: 0 }
    }

    /// The coordinate is now here, after a sample for which this was predicted.
    pub(super) fn follow(&mut self, current: &NetworkCoordinate, predicted_ms: f64, now: Timestamp) {
        while self.estimates.len() >= ESTIMATES {
            self.estimates.pop_front();
        }
        self.estimates.push_back(predicted_ms / 1_000.0);
        // Whoever knows nothing yet follows the first samples.
        let is_first = self.published.sample_count() == 0;
        if is_first || now.since(self.at) >= OLDEST || self.moved(current) > self.bound() {
            self.published = current.clone();
            self.at = now;
            self.times = self.times.saturating_add(1);
        }
    }

    pub(super) fn published(&self) -> &NetworkCoordinate {
        &self.published
    }

    pub(super) fn times(&self) -> u64 {
        self.times
    }

    fn moved(&self, current: &NetworkCoordinate) -> f64 {
        let heights = (current.height() - self.published.height()).abs();
        self.published.planar(current).map_or(f64::INFINITY, |planar| planar + heights)
    }

    fn bound(&self) -> f64 {
        let mut sorted: Vec<f64> = self.estimates.iter().copied().collect();
        let middle = sorted.len() / 2;
        let (_, median, _) = sorted.select_nth_unstable_by(middle, f64::total_cmp);
        LEAST_MOVE.max(LEAST_PART * *median)
    }
}
