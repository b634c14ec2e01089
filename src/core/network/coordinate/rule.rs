//! How one measured round trip moves a coordinate: the paper's rule, with four changes that were measured to help.
//!
//! | what | against |
//! |---|---|
//! | a low percentile of the link's recent round trips is the sample | delayed samples |
//! | a residual is clipped to 1.5 medians of the recent ones | outliers, and it makes the rule fit the median instead of the mean |
//! | the step is longer for near peers, shorter for far ones | few far pairs that decide over many near ones |
//! | a residual beyond three own errors counts as the other's doubt | nodes that lie about where they are |
//!
//! Gravity keeps the whole picture from drifting away from the origin.

use std::collections::VecDeque;

use super::config::VivaldiConfig;
use super::estimate::estimate_rtt_ms;
use super::point::{CoordinateParts, MAX_COMPONENT_SECONDS, MAX_ERROR_MS, NetworkCoordinate};
use crate::kernel::rng::Rng;
use crate::kernel::time::Timestamp;
use crate::network::{OutOfRange, ensure};

/// Points nearer than this are at the same place: the direction between them says nothing. In seconds.
const SAME_PLACE: f64 = 1e-6;
/// The residual clip looks at nothing before it has so many.
const ENOUGH_RESIDUALS: usize = 8;
/// A peer at this distance moves the point by the plain step, in seconds …
const PLAIN_STEP_AT: f64 = 0.256;
/// … and others by this much less or more.
const STEP_STRETCH: std::ops::RangeInclusive<f64> = 0.5..=4.0;
/// A relative error beyond so many own errors is put down to the other node.
const OWN_ERRORS: f64 = 3.0;
/// What `error_ms` counts of a residual is clipped to so many medians: it stands for the doubt of an estimate, so it must not
/// forget the pairs that fit badly.
const DOUBT_CLIP: f64 = 5.0;
/// How much of a new absolute residual one sample adds to `error_ms`.
const ERROR_MS_STEP: f64 = 0.25;

/// Why a sample was not taken. Nothing moved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The round trip is not finite, not above 0, or longer than the longest that counts.
    #[error(transparent)]
    RoundTrip(OutOfRange),
    /// The other node's coordinate has other dimensions. All nodes of a cluster must agree on them.
    #[error("coordinates have different dimensions. expected={expected}, given={given}")]
    Dimensions {
        /// Of this node.
        expected: usize,
        /// Of the other one.
        given: usize,
    },
}

/// The recent absolute residuals of a node, in seconds and not clipped.
#[derive(Clone, Debug, Default)]
pub(super) struct Residuals(VecDeque<f64>);

impl Residuals {
    /// Residuals as they were recorded, oldest first.
    pub(super) fn of(recent: impl Iterator<Item = f64>) -> Self {
        Residuals(recent.collect())
    }

    /// The newest one; 0 where there is none.
    pub(super) fn newest(&self) -> f64 {
        self.0.back().copied().unwrap_or(0.0)
    }

    /// The residual as it moves the point, and how much of it is doubt.
    fn take(&mut self, residual: f64, config: &VivaldiConfig) -> (f64, f64) {
        while self.0.len() >= config.residual_window {
            self.0.pop_front();
        }
        self.0.push_back(residual.abs());
        if self.0.len() < ENOUGH_RESIDUALS {
            return (residual, residual.abs());
        }
        let mut sorted: Vec<f64> = self.0.iter().copied().collect();
        let middle = sorted.len() / 2;
        let (_, median, _) = sorted.select_nth_unstable_by(middle, f64::total_cmp);
        let bound = (config.residual_clip * *median).max(config.residual_clip_floor_ms / 1_000.0);
        (residual.clamp(-bound, bound), residual.abs().min(bound.max(DOUBT_CLIP * *median)))
    }
}

/// Where a sample moved a coordinate.
pub(super) struct Step {
    pub(super) coordinate: NetworkCoordinate,
    /// What was predicted, in ms.
    pub(super) predicted_ms: f64,
    /// How wrong that was, relative to the sample.
    pub(super) relative_error: f64,
    /// The residual was unlike the others, and counted less.
    pub(super) is_clipped: bool,
    /// The numbers overflowed, and the coordinate begins anew.
    pub(super) is_reset: bool,
}

/// Refuses a round trip, in seconds, that cannot be one.
pub(super) fn check_rtt(rtt: f64, config: &VivaldiConfig) -> Result<(), Refused> {
    ensure(rtt > 0.0 && rtt * 1_000.0 <= config.rtt_max_ms, "rtt", rtt, "above 0 seconds, upto rtt_max_ms")
        .map_err(Refused::RoundTrip)
}

/// Refuses a coordinate that cannot be compared.
pub(super) fn check_dimensions(remote: &NetworkCoordinate, config: &VivaldiConfig) -> Result<(), Refused> {
    let (expected, given) = (config.dimensions, remote.dimensions());
    if expected == given { Ok(()) } else { Err(Refused::Dimensions { expected, given }) }
}

/// Moves `local` by a round trip of `rtt` seconds to `remote`. Both checks above have passed.
pub(super) fn step(
    local: &NetworkCoordinate,
    remote: &NetworkCoordinate,
    rtt: f64,
    residuals: &mut Residuals,
    config: &VivaldiConfig,
    now: Timestamp,
    rng: &mut Rng,
) -> Step {
    let predicted_ms = estimate_rtt_ms(local, remote).unwrap_or(rtt * 1_000.0);
    let dist = predicted_ms / 1_000.0;
    let relative_error = (dist - rtt).abs() / rtt;
    let (residual, doubted) = residuals.take(rtt - dist, config);
    let is_clipped = residual != rtt - dist;
    let rtt = (dist + residual).max(f64::MIN_POSITIVE);

    let mut next = local.parts().clone();
    let surprise = relative_error - OWN_ERRORS * local.error();
    let doubt = local.error() + remote.error().max(surprise);
    let share = if doubt > 0.0 { local.error() / doubt } else { 0.5 };
    let relative = (residual.abs() / rtt).min(config.max_error);
    let error = next.error + config.error_decay * share * (relative - next.error);
    next.error = error.clamp(config.min_error, config.max_error);
    next.error_ms += ERROR_MS_STEP * ((doubted * 1_000.0).min(MAX_ERROR_MS) - next.error_ms);

    let stretch = (PLAIN_STEP_AT / rtt).sqrt().clamp(*STEP_STRETCH.start(), *STEP_STRETCH.end());
    let force = (config.ce * stretch).min(1.0) * share * residual;
    push(&mut next, local, remote, force, config, rng);
    fall(&mut next.position, config);
    for component in &mut next.position {
        *component = component.clamp(-MAX_COMPONENT_SECONDS, MAX_COMPONENT_SECONDS);
    }
    next.sample_count = next.sample_count.saturating_add(1);
    match NetworkCoordinate::new(next, now) {
        Ok(coordinate) => Step { coordinate, predicted_ms, relative_error, is_clipped, is_reset: false },
        Err(_) => Step {
            coordinate: NetworkCoordinate::origin(config, now),
            predicted_ms,
            relative_error,
            is_clipped,
            is_reset: true,
        },
    }
}

/// Along the line between the two, point and height each by their part of the distance; where they are at the same
/// place, in any direction, so that nodes that start together do not stay on a line.
fn push(
    next: &mut CoordinateParts,
    local: &NetworkCoordinate,
    remote: &NetworkCoordinate,
    force: f64,
    config: &VivaldiConfig,
    rng: &mut Rng,
) {
    let apart = local.planar(remote).unwrap_or(0.0);
    if apart <= SAME_PLACE {
        for (component, unit) in next.position.iter_mut().zip(any_direction(config.dimensions, rng)) {
            *component += force * unit;
        }
        return;
    }
    let heights = local.height() + remote.height();
    let all = apart + heights;
    let ends = local.position().iter().zip(remote.position());
    for (component, (here, there)) in next.position.iter_mut().zip(ends) {
        *component += force * (here - there) / apart * (apart / all);
    }
    let height = local.height() + force * heights / all;
    next.height = height.clamp(config.height_min_ms / 1_000.0, MAX_COMPONENT_SECONDS);
}

/// Towards the origin by the square of the distance from it, never past it.
fn fall(position: &mut [f64], config: &VivaldiConfig) {
    let norm = norm(position);
    if norm > 0.0 {
        let pull = (norm * 1_000.0 / config.gravity_rho_ms).powi(2) / 1_000.0;
        let left = (1.0 - pull / norm).max(0.0);
        position.iter_mut().for_each(|component| *component *= left);
    }
}

fn norm(vector: &[f64]) -> f64 {
    vector.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// A unit vector in about any direction: sums of four uniform numbers lie almost like a normal distribution, and need
/// no function that differs between machines.
fn any_direction(dimensions: usize, rng: &mut Rng) -> Vec<f64> {
    let mut uniform = || (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64 - 0.5;
    let mut vector: Vec<f64> = (0..dimensions).map(|_| (0..4).map(|_| uniform()).sum()).collect();
    let length = norm(&vector);
    if length > 1e-9 {
        vector.iter_mut().for_each(|x| *x /= length);
    } else if let Some(first) = vector.first_mut() {
        *first = 1.0;
    }
    vector
}
