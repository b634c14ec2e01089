//! The pure core: deciders without clock, randomness, threads, files or hash-map order.
//!
//! ```text
//!   voting      capacity      jobs      load       network       a room knows the kernel; jobs also know the
//!   quorum      cell          manager   flow       coordinate    signal that load puts on its acknowledgements
//!   proposal                  gate      shed       member
//!   rules                     worker    stats      route
//!   agent                     durations pressure
//!   topology                  protocol  record
//!      └───────────┴────────────┴─────────┴────────────┘
//!                     kernel                         Machine, driver, time, ids, numbers
//! ```
//!
//! Every entity is a [`Machine`](kernel::Machine): see [`kernel`] for its laws. A new kind of entity is a folder in the
//! room it belongs to.

#![forbid(unsafe_code)]

pub mod capacity;
pub mod jobs;
pub mod kernel;
pub mod load;
pub mod network;
#[cfg(feature = "schema")]
mod schema;
pub mod voting;
