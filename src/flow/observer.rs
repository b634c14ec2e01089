//! Who hears of changes and losses, so that they can be put on record.

use crate::core::load::flow::{DropRun, Transition};

/// Hears of a stream. Called outside of any lock, in order, by whichever sender or reader caused it; it should be quick
/// or hand on. One call per change of state (at most twenty a second, the rest as one) and per run of drops, never per
/// message.
pub trait FlowObserver: Send + Sync {
    /// The state changed.
    fn transition(&self, change: &Transition);

    /// A run of drops ended, or is long enough to be told in parts.
    fn dropped(&self, run: &DropRun);
}
