//! The runtime of Quorate. A program depends on the package `quorate`, whose names are listed and few; the doors and the
//! tests of the project see what is here.
//!
//! | module | holds | feature |
//! |---|---|---|
//! | [`guard`] | guards by which files and rows refuse a leader that was replaced | |
//! | [`config`] | every knob: meaning, unit, bounds | |
//! | `owner` | the socket by which a data folder is shared | unix |
//! | `shell` | actors, writer, clock, supervisors | `runtime` |
//! | `flow` | senders and a reader with flow control, for any tokio program | `flow` |
//! | `api` | the handle `Quorate`, typed requests and replies, the table of operations | `runtime` |
//! | `connect` | the typed methods at a runtime of another process | `connect` |
//! | `error` | the one error of all doors and the table of its kinds | `runtime` |

#![forbid(unsafe_code)]

pub mod config;
pub mod guard;
#[cfg(unix)]
pub mod owner;

#[cfg(feature = "runtime")]
pub mod api;
#[cfg(feature = "connect")]
pub mod connect;
#[cfg(feature = "runtime")]
pub mod error;
#[cfg(feature = "flow")]
pub mod flow;
#[cfg(feature = "runtime")]
pub mod shell;

pub use quorate_core as core;
pub use quorate_journal as journal;
pub use quorate_journal::stores as store;

#[cfg(feature = "runtime")]
pub use api::Quorate;
pub use config::Config;
#[cfg(feature = "runtime")]
pub use error::{Error, ErrorKind};
