//! Does the real runtime keep its promises from outside?

mod agents;
mod askers;
#[path = "../support/books.rs"]
mod books;
mod capacity;
mod consensus;
mod coordinators;
mod custom_rules;
mod durable;
mod events;
mod flows;
mod heartbeats;
mod history;
mod hold;
#[path = "../support/hooked.rs"]
mod hooked;
mod hooks;
mod inboxes;
mod jobs;
mod lead;
mod leadership;
mod lifecycle;
mod limits;
mod load;
mod proofs;
mod quorums;
mod quotas;
#[path = "../support/receiver.rs"]
mod receiver;
mod retention;
mod sessions;
mod shares;
mod stops;
mod transports;

use quorate_core::kernel::time::Timestamp;
use quorate_runtime::config::{ClockConfig, Config};

/// A runtime in virtual time with repeatable ids.
pub fn manual() -> Config {
    Config { clock: ClockConfig::Manual(Timestamp::EPOCH), seed: Some(7), ..Config::memory() }
}
