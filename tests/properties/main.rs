//! Laws of the pure machines, over random commands at random times.
//!
//! Times are drawn from a few dozen microseconds around the deadline, so that "exactly at" and "one later" are
//! common and not rare. A failure prints the smallest script that still fails.

mod absurd;
mod adaptive;
mod cells;
mod cells_twin;
mod decision;
mod durations;
mod gates;
mod heartbeats;
mod identities;
mod job_network;
mod jobs;
mod learning;
mod load;
mod log;
mod mesh;
mod moves;
mod node;
mod order;
mod outgoing;
mod outside;
mod proposals;
mod providers;
mod quotas;
mod replay;
mod routes;
mod rules;
mod script;
mod sessions;
mod stability;
mod takers;
mod time;
mod timeline;
