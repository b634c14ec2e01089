//! What to do about a stream, in one value.
//!
//! | first that holds | action |
//! |---|---|
//! | fill ≥ `pause_threshold` | `pause` |
//! | fill ≥ `backpressure_threshold` | `throttle` |
//! | more than 30 % lost in the window | `disconnect` |
//! | 10 % to 30 % lost in the window | `warning` |
//! | otherwise | `ok` |
//!
//! The drop rate and what it means stand beside every action, so that a full buffer does not hide a loss.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::state::FlowState;
use super::stats::Health;

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlowAdvice {
    /// Go on.
    Ok,
    /// Send more slowly.
    Throttle,
    /// Stop sending for now.
    Pause,
    /// Look into the losses.
    Warning,
    /// Too much is lost: end the connection.
    Disconnect,
}

/// Why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlowReason {
    /// The buffer has room and little is lost.
    Flowing,
    /// The fill reached the lower threshold.
    BackpressureThreshold,
    /// The fill reached the upper threshold.
    PauseThreshold,
    /// The drop rate reached 10 %.
    DropRateHigh,
    /// The drop rate passed 30 %.
    DropRateUnhealthy,
}

/// A step that would help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SuggestedAction {
    /// Nothing to do.
    Continue,
    /// Wait so long between messages.
    SlowDown {
        /// The delay.
        delay: Duration,
    },
    /// Wait so long, then look again.
    WaitAndLookAgain {
        /// The pause.
        pause: Duration,
    },
    /// A larger buffer, a faster reader or fewer messages.
    GrowOrSlowDown,
    /// End the connection; its peer cannot follow.
    Disconnect,
}

/// What to do about a stream, and why.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlowRecommendation {
    /// What to do.
    pub action: FlowAdvice,
    /// Why.
    pub reason: FlowReason,
    /// The fill as a ratio.
    pub buffer_fill: f64,
    /// A step that would help.
    pub suggested_action: SuggestedAction,
    /// Lost among offered, over the sliding window, 0 to 1.
    pub drop_rate: f64,
    /// What the drop rate means.
    pub health: Health,
}

impl FlowRecommendation {
    pub(super) fn new(state: FlowState, fill: f64, delay: Duration, drop_rate: f64, health: Health) -> Self {
        let (action, reason, suggested_action) = match (state, health) {
            (FlowState::Paused | FlowState::Dropping, _) => (
                FlowAdvice::Pause,
                FlowReason::PauseThreshold,
                SuggestedAction::WaitAndLookAgain { pause: delay },
            ),
            (FlowState::Throttled, _) => {
                (FlowAdvice::Throttle, FlowReason::BackpressureThreshold, SuggestedAction::SlowDown { delay })
            }
            (FlowState::Normal, Health::Unhealthy) => {
                (FlowAdvice::Disconnect, FlowReason::DropRateUnhealthy, SuggestedAction::Disconnect)
            }
            (FlowState::Normal, Health::Warning) => {
                (FlowAdvice::Warning, FlowReason::DropRateHigh, SuggestedAction::GrowOrSlowDown)
            }
            (FlowState::Normal, Health::Healthy) => {
                (FlowAdvice::Ok, FlowReason::Flowing, SuggestedAction::Continue)
            }
        };
        FlowRecommendation { action, reason, buffer_fill: fill, suggested_action, drop_rate, health }
    }
}
