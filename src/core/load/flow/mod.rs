//! Flow control for one stream: how full is too full, how long to wait, what gives way.
//!
//! ```text
//!  offer ──► FlowBuffer ──► drain            a ring; numbers every message and marks the gaps
//!                │ load
//!                ▼
//!        FlowController     state · delay · counters · health          no lock; time is an argument
//!                │ full
//!                ▼
//!        DROP_POLICIES      what gives way: the oldest, the newest, the sender's time, everything
//! ```
//!
//! | fill | state | a sender |
//! |---|---|---|
//! | below 0.7 | normal | sends |
//! | from 0.7 | throttled | waits 0 to 500 ms, growing with the fill, then sends |
//! | from 0.9 | paused | waits until the buffer drained below 0.7, or 50 ms, then sends if there is room |
//! | full | paused, or dropping once something was dropped | meets the drop policy |
//!
//! The numbers are the defaults of [`FlowConfig`]. `quorate::flow` puts senders and a reader around it that wait.
//!
//! Sources: *Reactive Streams* 1.0.4 (demand is bounded by who consumes); D. M. Chiu, R. Jain, *Analysis of the
//! Increase and Decrease Algorithms*, Computer Networks and ISDN Systems 17, 1989 (slow down before it is full); Netty
//! user guide, `WriteBufferWaterMark` (pausing and resuming at different marks); Akka Streams reference, *Buffers
//! and working with rate* (what gives way).

mod buffer;
mod config;
mod controller;
mod delay;
mod drop;
mod gate;
mod notice;
pub mod outgoing;
mod parts;
mod ratio;
mod recommendation;
pub mod record;
mod state;
mod stats;
mod window;

pub use buffer::FlowBuffer;
pub use config::{Carries, FlowConfig, FlowConfigError};
pub use controller::{FlowController, Verdict};
pub use drop::{DROP_POLICIES, DropPolicy, DropPolicyEntry, FlowAction, Relief};
pub use gate::{Claim, Gate, Manner, Pass, Ticket};
pub use notice::{DropReason, DropRun, Notice, Transition};
pub use outgoing::{
    Forgotten, NotPlaced, Outgoing, OutgoingConfig, OutgoingCounts, OutgoingState, OutgoingStats,
    OutgoingStatus, Placed,
};
pub use parts::{Drained, Evicted, Lagged, Offered, Read, Sent, Shape};
pub use ratio::{Ratio, RatioError};
pub use recommendation::{FlowAdvice, FlowReason, FlowRecommendation, SuggestedAction};
pub use state::{FlowState, Load};
pub use stats::{FlowStats, Health, Returned};
