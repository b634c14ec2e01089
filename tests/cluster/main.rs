//! Do real processes on one machine find each other, and survive what is done to them?
//!
//! Nothing here depends on how fast the machine is: states are waited for, with limits that only a fault reaches.

#![cfg(unix)]

mod datacenters;
mod dead_datacenters;
mod doors;
mod flood;
mod harness;
mod jobs;
mod keys;
mod losses;
mod names;
mod records;
