//! Which datacenter a job goes to: a pure function of the candidates, the job's own history and the time.
//!
//! ```text
//!  candidates ─► filter ──► buckets ──────────► order ───────────► hysteresis ─► chain
//!                excluded   HEALTHY > BUSY >    by score, or by    keep or       primaries, then fallback:
//!                + reason   DEGRADED            capacity at first  switch        every eligible one once
//! ```
//!
//! A score never crosses buckets: the nearest of those that are DEGRADED comes after the farthest of those that are HEALTHY. What
//! is UNHEALTHY is in no list.
//!
//! | file | holds |
//! |---|---|
//! | `candidate` | what is known of a datacenter, and who is left out why |
//! | `config` | every knob, checked |
//! | `score` | the score and its parts |
//! | `state` | what is kept for a job |
//! | `decide` | order, hysteresis, chain |
//! | `router` | the states of all jobs, and own dispatches between two heartbeats |
//! | [`record`] | the state of one job, on record |

mod candidate;
mod config;
mod decide;
pub mod record;
#[cfg(test)]
mod route_test;
mod router;
mod score;
mod state;

pub use candidate::{DatacenterCandidate, Excluded, Exclusion, HealthBucket, UNKNOWN_RTT_MS};
pub use config::RoutingConfig;
pub use decide::{LocalView, Reason, RoutingDecision, decide};
pub use router::{Router, StaleFence};
pub use score::Scored;
pub use state::JobRoutingState;
