//! What of a coordinate survives a restart: the place, not the trust.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::config::VivaldiConfig;
use super::point::{CoordinateParts, NetworkCoordinate};
use crate::kernel::time::Timestamp;

/// A coordinate that was saved longer ago is not restored.
pub const TRUSTED_FOR: Duration = Duration::from_secs(3_600);
/// The error with which a restored coordinate begins, at least.
const RESTORED_ERROR: f64 = 0.5;

/// A node's own coordinate as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedCoordinate {
    /// Where the node stood.
    pub coordinate: NetworkCoordinate,
    /// When.
    pub saved_at: Timestamp,
}

impl SavedCoordinate {
    /// Where a node begins that starts at `now`: where it stood, with no samples and an error of at least one half; at the
    /// origin when that is an hour old, lies in the future, or has other dimensions.
    pub fn restore(&self, config: &VivaldiConfig, now: Timestamp) -> NetworkCoordinate {
        let is_recent = self.saved_at <= now && now.since(self.saved_at) < TRUSTED_FOR;
        let is_known = is_recent && self.coordinate.dimensions() == config.dimensions;
        let parts = self.coordinate.parts();
        let anew = CoordinateParts {
            error: parts.error.max(RESTORED_ERROR).clamp(config.min_error, config.max_error),
            sample_count: 0,
            ..parts.clone()
        };
        match NetworkCoordinate::new(anew, now) {
            Ok(restored) if is_known => restored,
            Ok(_) | Err(_) => NetworkCoordinate::origin(config, now),
        }
    }
}
