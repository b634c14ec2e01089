//! A node of a cluster: it finds the others, watches them, and says who is there.
//!
//! ```text
//!  Node ── drive (a thread: socket, timers) ── engine ─┬─ core::network::member   who is there      pure
//!                                                      ├─ links ── seal ── ring   who speaks        pure
//!                                                      └─ disk                    what is kept
//! ```
//!
//! | file | holds |
//! |---|---|
//! | `config` | what a node is told at its start, checked |
//! | `ring` | keys: a file of them, of which the first one seals and all open |
//! | `seal` | one datagram, sealed and opened; its bytes |
//! | `links` | lives: that a datagram was meant for this life of this node, and comes once |
//! | `disk` | lock, name, incarnation, and whom the node knew, in `DIR/node` |
//! | `engine` | membership, links and disk as one, without a socket |
//! | `frames` | a connection as bytes: sealed, in order, in one direction |
//! | `carry` | messages of jobs between nodes, over a connection to each |
//! | `drive` | the socket, the clock, and the thread that is started again when it falls |
//! | `view` | what is told of it: members, metrics, validation |
//! | `map` | the coordinates as a picture |
//!
//! A node says who is there by datagrams, and carries messages of jobs over connections to the same addresses.

#![forbid(unsafe_code)]

mod carry;
mod config;
mod disk;
mod drive;
#[cfg(test)]
mod drive_test;
mod engine;
mod frames;
mod links;
#[cfg(test)]
mod links_test;
mod map;
mod ring;
mod seal;
mod view;

pub use config::NodeConfig;
pub use drive::Node;
pub use links::LinkCounters;
pub use map::draw;
pub use ring::{KeyId, KeyRing, MAX_KEYS, RingError};
pub use seal::{MAX_SEALED_BYTES, SealError, Sealed};
