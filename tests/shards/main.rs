//! One journal over four shards, served by three processes: is anything lost, doubled, or shown that no longer holds, when the
//! processes are killed and stopped, and does every request find its shard?

mod doors;
mod fleet;
mod kills;
#[path = "../support/postgres.rs"]
mod postgres;
