//! Does every store obey the port? Each test runs for every entry of `STORES`, alone and inside a `FaultyStore`
//! without faults.

mod folder;
mod laws;
#[path = "../support/postgres.rs"]
mod postgres;
mod random;
mod support;
mod twin;
