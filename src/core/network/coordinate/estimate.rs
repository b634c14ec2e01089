//! What two coordinates say about the round trip between them. Symmetric, and never not a number.

use super::config::VivaldiConfig;
use super::link::Measured;
use super::point::NetworkCoordinate;
use crate::kernel::time::Timestamp;

/// Distance of the points plus both heights, in ms; `None` where the dimensions differ.
pub fn raw_rtt_ms(a: &NetworkCoordinate, b: &NetworkCoordinate) -> Option<f64> {
    Some((a.planar(b)? + (a.height() + b.height())) * 1_000.0)
}

/// The estimated round trip in ms: the raw distance with both adjustments, or without them where they would bring it
/// to nothing. `None` where the dimensions differ.
pub fn estimate_rtt_ms(a: &NetworkCoordinate, b: &NetworkCoordinate) -> Option<f64> {
    let raw = raw_rtt_ms(a, b)?;
    let adjusted = raw + (a.adjustment() + b.adjustment()) * 1_000.0;
    Some(if adjusted > 0.0 { adjusted } else { raw })
}

/// An upper bound of the round trip in ms, from the estimate and the doubt of both ends. A side that is missing, has no
/// samples, or has other dimensions makes it the default, 200 ms: it excludes nobody and prefers nobody.
///
/// ```
/// use quorate_core::network::coordinate::{VivaldiConfig, estimate_rtt_ucb_ms};
///
/// assert_eq!(estimate_rtt_ucb_ms(None, None, &VivaldiConfig::default()), 200.0);
/// ```
pub fn estimate_rtt_ucb_ms(
    local: Option<&NetworkCoordinate>,
    remote: Option<&NetworkCoordinate>,
    config: &VivaldiConfig,
) -> f64 {
    let known = |c: &&NetworkCoordinate| c.sample_count() > 0;
    let bound = match (local.filter(known), remote.filter(known)) {
        (Some(local), Some(remote)) => estimate_rtt_ms(local, remote).map(|estimate| {
            let sigma = local.error_ms() + remote.error_ms();
            estimate + config.k_sigma * sigma.clamp(config.sigma_min_ms, config.sigma_max_ms)
        }),
        (Some(_) | None, _) => None,
    };
    let bound = bound.unwrap_or(config.rtt_default_ms + config.k_sigma * config.sigma_default_ms);
    bound.clamp(config.rtt_min_ms, config.rtt_max_ms)
}

/// The same upper bound, and where the link was measured often enough and lately, no more than that allows: coordinates
/// serve the peers never measured.
pub(super) fn upper_rtt_ms(
    local: Option<&NetworkCoordinate>,
    remote: Option<&NetworkCoordinate>,
    measured: Option<Measured>,
    config: &VivaldiConfig,
) -> f64 {
    let predicted = estimate_rtt_ucb_ms(local, remote, config);
    let bound = measured.map_or(predicted, |measured| predicted.min(measured.upper_ms()));
    bound.clamp(config.rtt_min_ms, config.rtt_max_ms)
}

/// How far a coordinate can be relied on, 0 to 1: few samples, a large error and age lower it. 0 for none.
pub fn coordinate_quality(
    coordinate: Option<&NetworkCoordinate>,
    config: &VivaldiConfig,
    now: Timestamp,
) -> f64 {
    let Some(coordinate) = coordinate else { return 0.0 };
    let samples = coordinate.sample_count() as f64 / config.min_samples_for_routing as f64;
    let error = config.error_good_ms / coordinate.error_ms().max(1.0);
    let age = now.since(coordinate.updated_at()).as_secs_f64();
    let ttl = config.coord_ttl_seconds as f64;
    let fresh = if age <= ttl { 1.0 } else { ttl / age };
    samples.min(1.0) * error.min(1.0) * fresh
}

/// Has it settled: the error at most the threshold, after at least the least number of samples?
pub fn is_converged(coordinate: &NetworkCoordinate, config: &VivaldiConfig) -> bool {
    coordinate.error() <= config.convergence_error_threshold
        && coordinate.sample_count() >= config.convergence_min_samples
}
