//! Which state a fill is: exact comparisons of whole counts.
//!
//! | fill | state | may send |
//! |---|---|---|
//! | below `backpressure_threshold` | normal | yes |
//! | from `backpressure_threshold`, below `pause_threshold` | throttled | yes, after the delay |
//! | from `pause_threshold` | paused | no |
//! | full, and a dropping policy had to act | dropping | no |
//!
//! Lower bounds are inclusive. The first count of a zone is the threshold times the capacity, rounded up, so with small
//! capacities a zone may be empty: 2 of 3 are normal and 3 of 3 are full.

use serde::{Deserialize, Serialize};

use super::config::FlowConfig;
use super::delay::Ramp;

/// How hard the buffer presses back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlowState {
    /// There is room.
    #[default]
    Normal,
    /// Senders are slowed down.
    Throttled,
    /// Senders wait.
    Paused,
    /// The buffer is full and messages are being dropped.
    Dropping,
}

impl FlowState {
    /// May a sender go on without waiting for the buffer to drain?
    pub fn can_send(self) -> bool {
        match self {
            FlowState::Normal | FlowState::Throttled => true,
            FlowState::Paused | FlowState::Dropping => false,
        }
    }
}

/// How much is buffered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// Messages.
    pub messages: usize,
    /// Their bytes; 0 where bytes are not counted.
    pub bytes: usize,
}

impl From<usize> for Load {
    /// So many messages, bytes not counted.
    fn from(messages: usize) -> Self {
        Load { messages, bytes: 0 }
    }
}

/// The first count of every zone for one unit, messages or bytes.
#[derive(Debug)]
pub(super) struct Zones {
    pub capacity: usize,
    pub throttle_from: usize,
    pub pause_from: usize,
    pub resume_below: usize,
    pub ramp: Ramp,
}

impl Zones {
    pub fn new(config: &FlowConfig, capacity: usize) -> Self {
        let first = |ratio: super::Ratio| ratio.first_of(capacity as u64) as usize;
        Zones {
            capacity,
            throttle_from: first(config.backpressure_threshold),
            pause_from: first(config.pause_threshold),
            resume_below: first(config.resume_threshold()),
            ramp: Ramp::new(config, capacity),
        }
    }

    #[inline]
    pub fn state(&self, size: usize) -> FlowState {
        if size < self.throttle_from {
            FlowState::Normal
        } else if size < self.pause_from {
            FlowState::Throttled
        } else {
            FlowState::Paused
        }
    }

    pub fn fill(&self, size: usize) -> f64 {
        size as f64 / self.capacity as f64
    }
}
