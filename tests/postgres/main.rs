//! Does the store in PostgreSQL keep what it acknowledged when connections, servers and owners go, and does it refuse
//! what cannot keep it? The laws of the port are in `conformance`.

mod cuts;
mod moving;
mod nodes;
mod owners;
#[path = "../support/postgres.rs"]
mod postgres;
mod server;
mod settings;
mod standbys;
mod support;
