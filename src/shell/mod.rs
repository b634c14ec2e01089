//! The shell: everything that runs. The only users of actix and tokio.
//!
//! ```text
//!  ask ─► registry ─► entity actor ─ step ─► writer thread ─ commit(group) ─► store
//!         (starts on    │  (pure driver)       │   one flush for all that waited
//!          demand)      │                      ▼
//!                       │                  acks thread ─► reply · notices · counters · effects
//!                       │
//!  supervisors:  timeouts  one wheel of deadlines; pokes the entity that is due
//!                restart   hears of deaths; back-off and budget; wakes what died
//!                recovery  at open: what is owed and overdue is settled before anyone may ask
//! ```
//!
//! An entity decides and evolves at once and goes on to the next message (it *pipelines*); a reply, and any read
//! that saw the new state, is let go when the record it stands on is durable. If a commit fails, the store is
//! poisoned and nothing is acknowledged any more.

pub(crate) mod access;
pub(crate) mod answer_schema;
mod answers;
pub(crate) mod asked;
pub mod bus;
pub mod clock;
pub mod coordinator;
pub(crate) mod counters;
pub mod custom;
pub(crate) mod dispatches;
pub(crate) mod entity;
pub(crate) mod fleet;
pub(crate) mod flows;
mod heartbeats;
pub(crate) mod hooks;
pub(crate) mod host;
pub(crate) mod hosts;
pub(crate) mod idle;
pub(crate) mod ids;
pub(crate) mod inbox;
mod inclusions;
pub(crate) mod index;
pub(crate) mod jobs;
pub(crate) mod joint;
pub(crate) mod keyed;
mod lanes;
pub(crate) mod leavings;
pub(crate) mod load;
#[cfg(feature = "store-sled")]
pub(crate) mod log_files;
pub(crate) mod memory;
pub(crate) mod needs;
pub(crate) mod notes;
pub mod outgoing;
pub mod post;
pub(crate) mod pressure;
pub(crate) mod proposals;
pub(crate) mod refills;
pub(crate) mod registry;
pub(crate) mod runtime;
pub mod sampler;
pub(crate) mod stops;
pub(crate) mod subjects;
pub(crate) mod supervisor;
pub(crate) mod tell;
pub(crate) mod transparency;
pub(crate) mod voters;
pub(crate) mod writer;

/// A mutex whose holder panicked still guards consistent data here: every critical section only inserts or
/// removes whole entries.
pub(crate) fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
