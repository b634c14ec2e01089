//! Quorate.
pub mod config;
pub mod core;
pub mod journal;
pub mod store;

#[cfg(feature = "runtime")]
pub mod api;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "runtime")]
pub mod error;
#[cfg(feature = "runtime")]
pub mod shell;

#[cfg(feature = "runtime")]
pub use api::Quorate;
#[cfg(feature = "runtime")]
pub use api::dto::{StartQuorum, Vote};
pub use config::Config;
#[cfg(feature = "runtime")]
pub use error::{Error, ErrorKind};
