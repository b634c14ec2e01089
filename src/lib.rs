//! Quorate.
pub mod core;
pub mod journal;
pub mod store;
