//! What does a stranger see who speaks HTTP to the server?
#![cfg(feature = "http")]

mod agents;
mod capacity;
mod client;
mod consensus;
mod endpoints;
mod errors;
#[path = "../support/hooked.rs"]
mod hooked;
mod limits;
mod load;
mod openapi;
mod pages;
mod server;
mod voting;
