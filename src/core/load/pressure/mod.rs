//! Back-pressure at the other end: what workers and gates make of what coordinators signal.
//!
//! ```text
//!            ┌────────────── signal: level, delay, order, time to live, credits ──────────────┐
//!            ▼                                                                                │
//!  worker: Peers ──► pace ──► FlushPlanner ── updates, batches, probes ──► manager: stats ──► level
//!  gate:   GatePressure ── forward · hold · combine · drop ─────────────►  (Grants: who keeps to it?)
//! ```
//!
//! The loop is closed by answers, so it must not be possible to fall silent (something is always sent), to slow down
//! for ever (delays are those of now), or to obey somebody who is gone (signals wear off).
//!
//! # Sources
//! V. Jacobson, *Congestion Avoidance and Control*, SIGCOMM 1988 (conservation, probing after silence); I. Cho et al.,
//! *Breakwater*, OSDI 2020; N. Bronson et al., *Metastable Failures in Distributed Systems*, HotOS 2021 (loops that
//! keep an overload alive after its cause is gone).

pub mod flush;
pub mod gate;
pub mod pace;
pub mod peers;

pub use flush::{
    BatchTotals, Body, FlushConfig, FlushCounts, FlushPlanner, JobProgressBatch, Outgoing, Scope, Update,
};
pub use gate::{Forwarding, GatePressure};
pub use pace::PaceConfig;
pub use peers::{Applied, DecayConfig, Grants, Peers};
