//! Quorate.
pub mod config;
pub mod core;
pub mod journal;
pub mod store;
#[cfg(feature = "runtime")]
pub mod shell;
