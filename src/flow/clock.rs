//! The clock of flow control, which may be exchanged.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::core::kernel::time::Timestamp;

/// A wait for an instant.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where a sender's time comes from. Only distances between instants matter.
pub trait FlowClock: fmt::Debug + Send + Sync {
    /// The present instant; never less than an earlier answer.
    fn now(&self) -> Timestamp;

    /// Ends after so long by this clock. Ending early does no harm.
    fn sleep(&self, duration: Duration) -> Sleep;
}

/// Tokio's clock, counted from when it was made. It stands still where tokio's time is paused.
#[derive(Debug)]
pub struct TokioClock(tokio::time::Instant);

impl Default for TokioClock {
    fn default() -> Self {
        TokioClock(tokio::time::Instant::now())
    }
}

impl FlowClock for TokioClock {
    fn now(&self) -> Timestamp {
        Timestamp::EPOCH.plus(self.0.elapsed())
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// Tokio's clock without a detour, or another.
#[derive(Debug)]
pub(super) enum Clock {
    Tokio(TokioClock),
    Other(Arc<dyn FlowClock>),
}

impl FlowClock for Clock {
    fn now(&self) -> Timestamp {
        match self {
            Clock::Tokio(clock) => clock.now(),
            Clock::Other(clock) => clock.now(),
        }
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        match self {
            Clock::Tokio(clock) => clock.sleep(duration),
            Clock::Other(clock) => clock.sleep(duration),
        }
    }
}
