//! What does a stranger see who speaks HTTP to the server?

mod agents;
mod authorisation;
mod browsers;
mod capacity;
mod client;
mod consensus;
mod endpoints;
mod errors;
mod events;
#[path = "../support/hooked.rs"]
mod hooked;
mod hostile;
mod jobs;
mod limits;
mod load;
mod mcp;
mod openapi;
mod page;
mod pages;
mod quotas;
#[path = "../support/rights.rs"]
mod rights;
mod server;
mod voting;
mod wire;
