//! Who is there: a failure detector that knows how reliable it is itself.
//!
//! ```text
//!        heard of                heard from              no answer             nobody refuted
//!  absent ──────► UNCONFIRMED ──────────────► OK ──────────────► SUSPECT ──────────────────► DEAD
//!                      │                      ▲ ▲                    │                         │
//!                      │ never confirmed      │ └─ higher incarnation┘                         │ retention
//!                      ▼                      └──────────── higher incarnation ────────────────┤
//!                   removed                                                                    ▼
//!                                                                                           removed
//! ```
//!
//! | file | holds |
//! |---|---|
//! | `lifecycle` | the states and the table of their transitions |
//! | `node` | a node: inputs, effects, timers, the one place where a state changes |
//! | `probe` | rounds of probes, directly and by way of others |
//! | `confirm` | peers that were only heard of |
//! | `sync` | joining, the member list part by part, gossip |
//! | `tell` | what goes out with every datagram |
//! | `receive` | what a datagram does |
//! | `wire` | datagrams as bytes |
//! | `timeout` | how long a probe waits; local health |
//! | `suspicion` | how long a suspicion lasts |
//! | `twin` | two nodes of one name |
//! | `saved` | what survives a restart |
//! | `record` | what of it goes into the journal |
//! | `report` | counters, views, and whether it all hangs together |
//!
//! ```
//! use quorate_core::kernel::{ids::{DatacenterId, NodeId}, rng::Rng, time::Timestamp};
//! use quorate_core::network::member::*;
//!
//! let (now, mut rng) = (Timestamp::EPOCH, Rng::new(1));
//! let me = LocalNode {
//!     id: NodeId::new("m1")?,
//!     address: Address::new("10.0.0.1:7946")?,
//!     role: NodeRole::Manager,
//!     datacenter: DatacenterId::new("dc1")?,
//! };
//! let (mut node, effects) = Membership::new(me, 0, MemberConfig::default(), now)?;
//! // Nothing is sent before the host has stored what the first incarnation is.
//! assert_eq!(effects, [Effect::StoreIncarnations { upto: 17 }]);
//! node.handle(Input::Command(Command::IncarnationsStored { upto: 17 }), now, &mut rng);
//! let join = Command::Join(vec![Address::new("10.0.0.2:7946")?]);
//! let effects = node.handle(Input::Command(join), now, &mut rng);
//! assert!(matches!(&effects[..], [Effect::Send { .. }]));
//! assert!(node.due().is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Source
//! A. Das, I. Gupta, A. Motivala, *SWIM*, DSN 2002 (probes, suspicion, gossip on their back); A. Dadgar, J. Phillips,
//! J. Currey, *Lifeguard*, DSN 2018 (local health, suspicion by confirmers, telling the suspect).

mod address;
mod config;
mod confirm;
mod event;
mod gossip;
mod lifecycle;
#[cfg(test)]
mod member_test;
mod node;
mod probe;
mod receive;
pub mod record;
mod report;
mod role;
mod saved;
mod suspicion;
mod sync;
mod table;
mod tell;
mod timeout;
mod twin;
#[cfg(test)]
mod twin_test;
pub mod wire;

pub use address::{Address, MAX_NAME_BYTES};
pub use config::{DATAGRAM_BYTES, MemberConfig};
pub use event::{Command, Effect, Input, MemberEvent, RemovalReason};
pub use lifecycle::{Cause, Claim, MemberState, Verdict, verdict};
pub use node::{LocalNode, Membership};
pub use report::{MemberCounters, StateReport};
pub use role::{ConfirmationStrategy, NodeRole};
pub use saved::{SavedMember, SavedMembership};
pub use table::Member;
pub use timeout::{Degradation, PeerHealth, TimeoutFactors};
pub use twin::NameClaim;
