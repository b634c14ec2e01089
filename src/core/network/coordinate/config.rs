//! Every knob of the coordinates, checked when a tracker is built.

use serde::{Deserialize, Serialize};

use super::point::{MAX_COMPONENT_SECONDS, MAX_DIMENSIONS};
use crate::network::{OutOfRange, ensure};

/// The knobs of network coordinates. All nodes of a cluster must agree on `dimensions`.
///
/// ```
/// use quorate_core::network::coordinate::VivaldiConfig;
///
/// assert!(VivaldiConfig::default().check().is_ok());
/// let refused = VivaldiConfig { dimensions: 0, ..VivaldiConfig::default() }.check().unwrap_err();
/// assert_eq!(refused.to_string(), "dimensions is out of range, expected 1 to 32. given=0");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VivaldiConfig {
    /// Dimensions of the point, 1 to 32; default 8. More fit better and cost four bytes each on every packet.
    pub dimensions: usize,
    /// How much of a residual one sample moves the point where the round trip is 256 ms, above 0, at most 1; default 0.25.
    /// Nearer peers move it by more. Too large never comes to rest, too small follows changes late.
    pub ce: f64,
    /// How much of a new relative error one sample adds to the error, above 0, at most 1; default 0.25.
    pub error_decay: f64,
    /// The error never falls below this, above 0; default 0.05. Zero would let a node trust itself for ever.
    pub min_error: f64,
    /// The error never rises above this; default 1.5: more than 150 % wrong says nothing more.
    pub max_error: f64,
    /// How many deviations the upper bound of an estimate lies above it, 0 to 100; default 2.
    pub k_sigma: f64,
    /// The estimate for a peer without a coordinate, in ms; default 100.
    pub rtt_default_ms: f64,
    /// The deviation for a peer without a coordinate, in ms; default 50.
    pub sigma_default_ms: f64,
    /// Smallest deviation, in ms; default 1.
    pub sigma_min_ms: f64,
    /// Largest deviation, in ms; default 500.
    pub sigma_max_ms: f64,
    /// Smallest upper bound, in ms; default 1.
    pub rtt_min_ms: f64,
    /// Largest upper bound, in ms, and the longest round trip that counts as a sample; at most 10 s, the default.
    pub rtt_max_ms: f64,
    /// Samples from which routing looks at coordinates, from 1; default 10.
    pub min_samples_for_routing: u64,
    /// An absolute error upto this, in ms, is full quality; from 1; default 20.
    pub error_good_ms: f64,
    /// A coordinate older than this loses quality, in seconds, from 1; default 300.
    pub coord_ttl_seconds: u64,
    /// Converged means an error upto this; default 0.5 …
    pub convergence_error_threshold: f64,
    /// … after at least so many samples; from 1; default 10.
    pub convergence_min_samples: u64,
    /// Smallest height, in ms; default 0.1.
    pub height_min_ms: f64,
    /// At this distance from the origin a sample pulls the point back by 1 ms, in ms, from 1; default 256. It keeps
    /// the whole picture from drifting; too small squeezes it.
    pub gravity_rho_ms: f64,
    /// Round trips of one link that the filter looks at, 1 to 64; default 8.
    pub filter_window: usize,
    /// Which percentile of them counts as the sample, 0 to 100; default 25.
    pub filter_percentile: u32,
    /// Residuals that the clip looks at, 8 to 256; default 32.
    pub residual_window: usize,
    /// A residual is clipped to so many medians of the recent ones, at least 1; default 1.5.
    pub residual_clip: f64,
    /// A residual upto this is never clipped, in ms; default 3.
    pub residual_clip_floor_ms: f64,
    /// Most peers that are kept, 1 to 1,000,000; default 10,000. The one heard longest ago gives way.
    pub max_tracked_peers: usize,
}

impl Default for VivaldiConfig {
    fn default() -> Self {
        VivaldiConfig {
            dimensions: 8,
            ce: 0.25,
            error_decay: 0.25,
            min_error: 0.05,
            max_error: 1.5,
            k_sigma: 2.0,
            rtt_default_ms: 100.0,
            sigma_default_ms: 50.0,
            sigma_min_ms: 1.0,
            sigma_max_ms: 500.0,
            rtt_min_ms: 1.0,
            rtt_max_ms: 10_000.0,
            min_samples_for_routing: 10,
            error_good_ms: 20.0,
            coord_ttl_seconds: 300,
            convergence_error_threshold: 0.5,
            convergence_min_samples: 10,
            height_min_ms: 0.1,
            gravity_rho_ms: 256.0,
            filter_window: 8,
            filter_percentile: 25,
            residual_window: 32,
            residual_clip: 1.5,
            residual_clip_floor_ms: 3.0,
            max_tracked_peers: 10_000,
        }
    }
}

impl VivaldiConfig {
    /// Checks every knob.
    ///
    /// # Errors
    /// [`OutOfRange`] naming the first knob that does not fit, its value and its range.
    pub fn check(&self) -> Result<(), OutOfRange> {
        let within = |field, value: f64, least: f64, most: f64, expected| {
            ensure((least..=most).contains(&value), field, value, expected)
        };
        let above = |field, value: f64, most: f64, expected| {
            ensure(value > 0.0 && value <= most, field, value, expected)
        };
        let most_ms = MAX_COMPONENT_SECONDS * 1_000.0;
        ensure((1..=MAX_DIMENSIONS).contains(&self.dimensions), "dimensions", self.dimensions, "1 to 32")?;
        above("ce", self.ce, 1.0, "above 0, at most 1")?;
        above("error_decay", self.error_decay, 1.0, "above 0, at most 1")?;
        within("min_error", self.min_error, 0.001, 1.0, "0.001 to 1")?;
        within("max_error", self.max_error, self.min_error, 10.0, "min_error to 10")?;
        within("k_sigma", self.k_sigma, 0.0, 100.0, "0 to 100")?;
        within("rtt_min_ms", self.rtt_min_ms, 0.001, most_ms, "0.001 to 10000")?;
        within("rtt_max_ms", self.rtt_max_ms, self.rtt_min_ms, most_ms, "rtt_min_ms to 10000")?;
        within("rtt_default_ms", self.rtt_default_ms, 0.0, most_ms, "0 to 10000")?;
        within("sigma_min_ms", self.sigma_min_ms, 0.0, most_ms, "0 to 10000")?;
        within("sigma_max_ms", self.sigma_max_ms, self.sigma_min_ms, most_ms, "sigma_min_ms to 10000")?;
        within("sigma_default_ms", self.sigma_default_ms, 0.0, most_ms, "0 to 10000")?;
        let (samples, converged) = (self.min_samples_for_routing, self.convergence_min_samples);
        ensure(samples >= 1, "min_samples_for_routing", samples, "at least 1")?;
        within("error_good_ms", self.error_good_ms, 1.0, most_ms, "1 to 10000")?;
        let ttl = self.coord_ttl_seconds;
        ensure((1..=31_536_000).contains(&ttl), "coord_ttl_seconds", ttl, "1 to 31536000")?;
        let error = self.convergence_error_threshold;
        within("convergence_error_threshold", error, self.min_error, 10.0, "min_error to 10")?;
        ensure(converged >= 1, "convergence_min_samples", converged, "at least 1")?;
        within("height_min_ms", self.height_min_ms, 0.0, 1_000.0, "0 to 1000")?;
        within("gravity_rho_ms", self.gravity_rho_ms, 1.0, 1e9, "1 to 1000000000")?;
        ensure((1..=64).contains(&self.filter_window), "filter_window", self.filter_window, "1 to 64")?;
        ensure(self.filter_percentile <= 100, "filter_percentile", self.filter_percentile, "0 to 100")?;
        let window = self.residual_window;
        ensure((8..=256).contains(&window), "residual_window", window, "8 to 256")?;
        within("residual_clip", self.residual_clip, 1.0, 1e6, "1 to 1000000")?;
        within("residual_clip_floor_ms", self.residual_clip_floor_ms, 0.001, most_ms, "0.001 to 10000")?;
        let peers = self.max_tracked_peers;
        ensure((1..=1_000_000).contains(&peers), "max_tracked_peers", peers, "1 to 1000000")
    }
}
