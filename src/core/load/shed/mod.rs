//! Load shedding: what is let in, what is refused, and why, so that what matters goes on under any load.
//!
//! ```text
//!  message ──► Label { class, critical, deadline } ──► Admission ──► Permit ──► work ──► release
//!                                                      ▲    │ refused: reason, state, when to come again
//!                                    Verdict { state, cause }
//!                                                      │
//!  latency · waiting time · pending · cpu · memory ──► Detector ── one evaluation every 250 ms
//! ```
//!
//! | class | priority | under load |
//! |---|---|---|
//! | control | critical | never shed, never held back: liveness, votes, cancellation, leadership |
//! | dispatch | high | bounded; refused when overloaded |
//! | data | normal | slowed, batched; refused when stressed |
//! | telemetry | low | refused when busy |
//!
//! Criticality is a mark of one message, beside its class: a final result is dispatch and critical, and is delayed or
//! handed back but never dropped. Everything here is a value: no clock, no randomness, and nothing of it is stored,
//! because after a restart nothing is in flight and nothing has been measured.
//!
//! # Sources
//! B. Beyer et al., *Site Reliability Engineering*, O'Reilly 2016, chapters 21 and 22 (criticality, deadlines, shedding
//! with an answer); H. Zhou et al., *Overload Control for Scaling WeChat Microservices*, SoCC 2018 (waiting time as the
//! signal, priorities); M. Welsh, D. Culler, USITS 2003 (adaptive admission); each module names its own.

pub mod admission;
pub mod class;
pub mod deadline;
pub mod detector;
pub mod in_flight;
pub mod number;
pub mod shedder;

pub use admission::{Admission, AdmissionConfig, Reason, Refused};
pub use class::{Class, MessageKind, Named, Names, Priority};
pub use deadline::{Expired, Label};
pub use detector::{
    AdaptiveLimit, Detector, DetectorConfig, LatencyConfig, LimitConfig, Observed, Pending, PendingConfig,
    Phase, QueueConfig, QueueDelay, Readings,
};
pub use in_flight::{Caps, Counts, Full, InFlight, Limit, Permit, Warning};
pub use number::{Invalid, Ratio};
pub use shedder::{Cause, Explanation, Load, ShedMetrics, ShedTable, Shedder, Verdict};
