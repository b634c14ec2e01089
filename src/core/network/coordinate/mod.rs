//! Where a node stands in a space in which distance is round-trip time.
//!
//! Every node keeps a [`NetworkCoordinate`]: a point with a height above it. The round trip between two nodes is
//! about the distance of their points plus both heights, so a node can tell how far another one is that it never
//! measured. A measured round trip moves the point of the one who measured, like a spring:
//!
//! ```text
//!      a ●~~~~~~~~~~~~● b      measured > predicted: a moves away from b
//!        │            │        measured < predicted: a moves towards b
//!  height│            │height  how far: the residual, times the step, times a's share of the doubt
//! ───────┴────────────┴──────
//! ```
//!
//! | file | holds |
//! |---|---|
//! | `config` | every knob, checked |
//! | `point` | the coordinate as a value that is always valid |
//! | `estimate` | distance, upper bound, quality, convergence |
//! | `link` | the recent round trips of one pair: filter and smoothed measurement |
//! | `rule` | how a measured round trip moves a coordinate |
//! | `application` | the calmer copy that routing reads |
//! | `tracker` | the coordinates of a node's peers |
//! | `saved` | what survives a restart |
//! | [`record`] | the same for one node, on record |
//!
//! # Source
//! F. Dabek, R. Cox, F. Kaashoek, R. Morris, *Vivaldi: A Decentralized Network Coordinate System*, SIGCOMM 2004;
//! J. Ledlie, P. Gardner, M. Seltzer, *Network Coordinates in the Wild*, NSDI 2007 (filter, gravity, application
//! coordinates); RFC 6298 (smoothed round trip).

mod application;
mod config;
#[cfg(test)]
mod coordinate_test;
mod estimate;
mod link;
mod point;
pub mod record;
mod rule;
mod saved;
mod tracker;

pub use config::VivaldiConfig;
pub use estimate::{coordinate_quality, estimate_rtt_ms, estimate_rtt_ucb_ms, is_converged, raw_rtt_ms};
pub use link::Measured;
pub use point::{
    CoordinateParts, MAX_ADJUSTMENT_SECONDS, MAX_COMPONENT_SECONDS, MAX_DIMENSIONS, NetworkCoordinate,
};
pub use rule::Refused;
pub use saved::{SavedCoordinate, TRUSTED_FOR};
pub use tracker::{CoordinateCounters, CoordinateTracker, VivaldiMetrics};
