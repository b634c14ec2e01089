//! Jobs across datacenters: three parties that share nothing but messages.
//!
//! ```text
//!   gate ──dispatch──► manager ──workflow──► worker
//!     ◄──── reports ─────┘  ◄──── progress ────┘        protocol: what they say to each other
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`protocol`] | messages, tokens, what is told of a job after a loss, the limits every party keeps |
//! | [`gate`] | a job over all its datacenters |
//! | [`manager`] | a job in one datacenter |
//! | [`worker`] | the work itself |
//! | [`durations`] | how long jobs of a class took, and the deadlines that follow |

pub mod durations;
pub mod gate;
pub mod manager;
pub mod protocol;
pub mod worker;
