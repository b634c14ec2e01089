//! Quorate keeps quorums and proposals for long-running agents: questions that several voters decide, with a bar, a
//! deadline and a record that survives crashes.
//!
//! ```
//! # #[cfg(feature = "runtime")]
//! # mod runs { pub
//! async fn example() -> Result<(), quorate::Error> {
//!     use quorate::{Config, Quorate, StartQuorum, Vote};
//!
//!     let q = Quorate::open(Config::memory()).await?; // Config::at("folder") keeps it on disk
//!     let question = StartQuorum { required_votes: Some(2), ..StartQuorum::global() };
//!     let started = q.quorums().start(question.with_voters(["ann", "bob", "cid"])?).await?;
//!     q.quorums().vote(Vote::new(&started.quorum_id, "ann", true)?).await?;
//!     let last = q.quorums().vote(Vote::new(&started.quorum_id, "bob", true)?).await?;
//!     assert_eq!(last.state.name(), "approved"); // durable when the answer is here
//!     q.close().await
//! }
//! # }
//! # #[cfg(feature = "runtime")]
//! # fn main() {
//! #     let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
//! #     tokio.block_on(runs::example()).unwrap();
//! # }
//! # #[cfg(not(feature = "runtime"))]
//! # fn main() {}
//! ```
//!
//! # The picture
//!
//! ```text
//!    Rust API       HTTP       command line · play · replay        doors, they add no behaviour
//!        └───────────┴──────┬──────────────┘
//!                   table of operations                            api
//!  ┌────────────────────────▼──────────────────────────────┐
//!  │ registry ──► entity actor ──► driver.step(cmd, now)   │       shell: actors, threads, the clock
//!  │              one per quorum   settle · decide · evolve│       core: pure, no clock, no I/O
//!  │                    │ events                           │
//!  │              writer thread: all that waits, one group │
//!  │                    │              acks thread ─► reply · effects · notices
//!  └────────────────────┼──────────────────▲───────────────┘
//!                       ▼ commit           │ durable               journal: the port, the format, the chains
//!               ┌──────────────────────────┴─┐
//!               │  sled  ·  memory  ·  faulty│                     store: one flush for the whole group
//!               └────────────────────────────┘
//! ```
//!
//! A *quorum* is asked of cells of a mesh or of named voters, who approve or reject. A *proposal* is put to the agents that
//! are registered, and decided by a named algorithm: see `Quorate::consensus` and `Quorate::agents`.
//!
//! # Where to find what
//!
//! | module | holds | feature |
//! |---|---|---|
//! | [`core`] | the pure machines, the driver, vote rules, time and ids as values: the crate `quorate-core` | |
//! | [`journal`] | the port of a store, the format of what is stored, the hash chains: the crate `quorate-journal` | |
//! | [`store`] | the stores: memory, one that fails on plan, sled | `store-sled` for sled |
//! | [`guard`] | guards by which files and rows refuse a leader that was replaced | |
//! | [`config`] | every knob: meaning, unit, bounds | |
//! | `shell` | actors, writer, clock, supervisors; public are its clock, its notices, the port to the agents (`Coordinator`), the transport of messages about jobs and the set of custom rules | `runtime` |
//! | `flow` | senders and a reader with flow control, for any tokio program | `flow` |
//! | `api` | the handle `Quorate`, typed requests and replies, the table of operations | `runtime` |
//! | `error` | the one error of all doors and the table of its kinds | `runtime` |
//! | [`docs`] | architecture, journal format, guarantees, glossary, sources | |
//!
//! The HTTP door, and the guard of HTTP services, are the crate `quorate-http`; the command line with `serve`, `play` and
//! `replay` is the crate `quorate-cli`.
//!
//! With default features off only the parts without a feature remain. They build without actix, tokio and sled: what is
//! left cannot read a clock.

#![forbid(unsafe_code)]

pub mod config;
pub mod docs;
pub mod guard;

#[cfg(feature = "runtime")]
pub mod api;
#[cfg(feature = "runtime")]
pub mod error;
#[cfg(feature = "flow")]
pub mod flow;
#[cfg(feature = "runtime")]
pub mod shell;

pub use quorate_core as core;
pub use quorate_journal as journal;
pub use quorate_journal::stores as store;

#[cfg(feature = "runtime")]
pub use api::Quorate;
#[cfg(feature = "runtime")]
pub use api::dto::{
    Beat, CompleteJob, ConsensusResult, ConsensusVote, HeldToken, JobProgress, JobRef, OfferCapacity,
    RegisterAgent, RegisterAlgorithm, ReleaseCapacity, RequestCapacity, RequestConsensus, StartQuorum,
    SubmitJob, TransferJob, Vote,
};
#[cfg(feature = "runtime")]
pub use api::hold::Held;
pub use config::{Config, HealthPolicy};
pub use core::kernel::ids::{EntityId, VoterId};
pub use core::voting::proposal::{Verdict, VoteChange, VoteOutcome};
pub use core::voting::rules::{Choice, CustomRule, Outcome, Poll, RuleSpec, WeightTable};
#[cfg(feature = "runtime")]
pub use error::{Error, ErrorKind};
#[cfg(feature = "runtime")]
pub use shell::coordinator::{ConsensusRequest, Coordinator, Delivered, Told};
#[cfg(feature = "runtime")]
pub use shell::custom::CustomRuleSet;

/// The programs of the README are compiled and run with the documentation's.
#[cfg(all(doctest, feature = "runtime"))]
#[doc = include_str!("../README.md")]
struct Readme;
