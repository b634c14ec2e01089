//! A coordinate as a value that is always valid: what is not a number never gets in.

use serde::{Deserialize, Serialize};

use super::config::VivaldiConfig;
use crate::kernel::time::Timestamp;
use crate::network::{OutOfRange, ensure};

/// Most dimensions of a point.
pub const MAX_DIMENSIONS: usize = 32;
/// Largest component and height, in seconds.
pub const MAX_COMPONENT_SECONDS: f64 = 10.0;
/// Largest adjustment, in seconds, either way.
pub const MAX_ADJUSTMENT_SECONDS: f64 = 1.0;
/// Largest relative error that is read.
const MAX_READ_ERROR: f64 = 10.0;
/// Largest absolute error, in ms.
pub(super) const MAX_ERROR_MS: f64 = 10_000.0;

/// Where a node stands. Seconds, except for `error`, which has no unit, and `error_ms`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "CoordinateParts", into = "CoordinateParts")]
pub struct NetworkCoordinate {
    parts: CoordinateParts,
    updated_at: Timestamp,
}

/// The numbers of a coordinate as they are sent and stored, not checked yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoordinateParts {
    /// The point, in seconds; as many components as there are dimensions, each within ±10.
    #[serde(rename = "vec")]
    pub position: Vec<f64>,
    /// The way from the node to the net, in seconds, 0 to 10.
    pub height: f64,
    /// A correction of every estimate, in seconds, within ±1.
    #[serde(default)]
    pub adjustment: f64,
    /// How wrong the estimates are, relative to the measured round trip, 0 to 10. It weighs samples and says when a
    /// coordinate has converged.
    pub error: f64,
    /// How wrong the estimates are, in ms, 0 to 10,000. It makes the upper bound and the quality.
    pub error_ms: f64,
    /// Samples that were taken.
    pub sample_count: u64,
}

impl NetworkCoordinate {
    /// The coordinate of a node that knows nothing yet.
    pub fn origin(config: &VivaldiConfig, now: Timestamp) -> Self {
        let parts = CoordinateParts {
            position: vec![0.0; config.dimensions],
            height: config.height_min_ms / 1_000.0,
            adjustment: 0.0,
            error: 1.0_f64.clamp(config.min_error, config.max_error),
            error_ms: config.sigma_default_ms,
            sample_count: 0,
        };
        NetworkCoordinate { parts, updated_at: now }
    }

    /// A coordinate that was received or read, as of `now`.
    ///
    /// # Errors
    /// [`OutOfRange`] naming the first number that is not finite or out of its range.
    pub fn new(parts: CoordinateParts, now: Timestamp) -> Result<Self, OutOfRange> {
        parts.check()?;
        Ok(NetworkCoordinate { parts, updated_at: now })
    }

    /// The point, in seconds.
    pub fn position(&self) -> &[f64] {
        &self.parts.position
    }

    /// Number of dimensions.
    pub fn dimensions(&self) -> usize {
        self.parts.position.len()
    }

    /// The way from the node to the net, in seconds.
    pub fn height(&self) -> f64 {
        self.parts.height
    }

    /// The correction of every estimate, in seconds.
    pub fn adjustment(&self) -> f64 {
        self.parts.adjustment
    }

    /// The relative error.
    pub fn error(&self) -> f64 {
        self.parts.error
    }

    /// The absolute error, in ms.
    pub fn error_ms(&self) -> f64 {
        self.parts.error_ms
    }

    /// Samples that were taken.
    pub fn sample_count(&self) -> u64 {
        self.parts.sample_count
    }

    /// When it was last moved or received, by this node's clock. Never sent.
    pub fn updated_at(&self) -> Timestamp {
        self.updated_at
    }

    /// The numbers.
    pub fn parts(&self) -> &CoordinateParts {
        &self.parts
    }

    /// The same as of another instant.
    pub fn as_of(mut self, now: Timestamp) -> Self {
        self.updated_at = now;
        self
    }

    /// Distance from one point to another without the heights, in seconds; `None` where dimensions differ.
    pub(super) fn planar(&self, other: &NetworkCoordinate) -> Option<f64> {
        if self.dimensions() != other.dimensions() {
            return None;
        }
        let squares = self.position().iter().zip(other.position()).map(|(a, b)| (a - b) * (a - b));
        Some(squares.sum::<f64>().sqrt())
    }
}

impl CoordinateParts {
    fn check(&self) -> Result<(), OutOfRange> {
        let dimensions = self.position.len();
        ensure((1..=MAX_DIMENSIONS).contains(&dimensions), "dimensions", dimensions, "1 to 32")?;
        let span = -MAX_COMPONENT_SECONDS..=MAX_COMPONENT_SECONDS;
        for component in &self.position {
            ensure(span.contains(component), "vec", component, "components of -10 to 10 seconds")?;
        }
        let height = self.height;
        ensure((0.0..=MAX_COMPONENT_SECONDS).contains(&height), "height", height, "0 to 10 seconds")?;
        let adjustment = self.adjustment;
        ensure(adjustment.abs() <= MAX_ADJUSTMENT_SECONDS, "adjustment", adjustment, "-1 to 1 seconds")?;
        ensure((0.0..=MAX_READ_ERROR).contains(&self.error), "error", self.error, "0 to 10")?;
        ensure((0.0..=MAX_ERROR_MS).contains(&self.error_ms), "error_ms", self.error_ms, "0 to 10000")
    }
}

impl TryFrom<CoordinateParts> for NetworkCoordinate {
    type Error = OutOfRange;

    fn try_from(parts: CoordinateParts) -> Result<Self, OutOfRange> {
        NetworkCoordinate::new(parts, Timestamp::EPOCH)
    }
}

impl From<NetworkCoordinate> for CoordinateParts {
    fn from(coordinate: NetworkCoordinate) -> Self {
        coordinate.parts
    }
}
