//! The recent round trips to one peer: a filter against delayed samples, and a smoothed measurement.

use std::collections::VecDeque;

use super::config::VivaldiConfig;
use crate::kernel::time::Timestamp;

/// Own samples from which the measurement of a link is used.
const ENOUGH_SAMPLES: u64 = 5;
/// Smallest deviation, in ms.
const LEAST_DEVIATION_MS: f64 = 1.0;

/// What was measured on one link.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// Smoothed round trip, in ms.
    pub srtt_ms: f64,
    /// Smoothed deviation, in ms.
    pub rttvar_ms: f64,
    /// Samples so far.
    pub samples: u64,
    /// The last of them.
    pub at: Timestamp,
}

impl Measured {
    /// An upper bound of the round trip, in ms.
    pub fn upper_ms(&self) -> f64 {
        self.srtt_ms + 4.0 * self.rttvar_ms.max(LEAST_DEVIATION_MS)
    }

    /// Does it rest on enough samples, the last of them not older than the coordinates' time to live?
    pub fn is_trusted(&self, config: &VivaldiConfig, now: Timestamp) -> bool {
        self.samples >= ENOUGH_SAMPLES && now.since(self.at).as_secs_f64() <= config.coord_ttl_seconds as f64
    }
}

/// See the [module](self).
#[derive(Clone, Debug, Default)]
pub(super) struct Link {
    recent: VecDeque<f64>,
    measured: Option<Measured>,
}

impl Link {
    /// A link as it was recorded: its newest round trips in seconds, oldest first.
    pub(super) fn of(recent: impl Iterator<Item = f64>, measured: Option<Measured>) -> Self {
        Link { recent: recent.collect(), measured }
    }

    /// Takes a round trip in seconds, and gives the one that the coordinate is moved by: a low percentile of the recent
    /// ones. Queues and pauses only ever add to a round trip.
    pub(super) fn take(&mut self, rtt: f64, config: &VivaldiConfig, now: Timestamp) -> f64 {
        self.measure(rtt * 1_000.0, now);
        while self.recent.len() >= config.filter_window {
            self.recent.pop_front();
        }
        self.recent.push_back(rtt);
        let mut sorted: Vec<f64> = self.recent.iter().copied().collect();
        sorted.sort_by(f64::total_cmp);
        let at = sorted.len() * config.filter_percentile as usize / 100;
        sorted[at.min(sorted.len() - 1)]
    }

    /// The smoothed measurement, gains as in RFC 6298.
    fn measure(&mut self, rtt_ms: f64, now: Timestamp) {
        self.measured = Some(match self.measured {
            None => Measured { srtt_ms: rtt_ms, rttvar_ms: rtt_ms / 2.0, samples: 1, at: now },
            Some(before) => Measured {
                rttvar_ms: before.rttvar_ms + ((before.srtt_ms - rtt_ms).abs() - before.rttvar_ms) / 4.0,
                srtt_ms: before.srtt_ms + (rtt_ms - before.srtt_ms) / 8.0,
                samples: before.samples.saturating_add(1),
                at: now,
            },
        });
    }

    pub(super) fn measured(&self) -> Option<Measured> {
        self.measured
    }

    /// The measurement, where it rests on enough samples and the last is not older than the coordinates' time to live.
    pub(super) fn trusted(&self, config: &VivaldiConfig, now: Timestamp) -> Option<Measured> {
        self.measured.filter(|measured| measured.is_trusted(config, now))
    }
}
