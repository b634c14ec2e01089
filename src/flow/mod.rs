//! Senders and a reader with flow control around the pure [`core::flow`](crate::core::load::flow).
//!
//! ```text
//!  sender ─┐  send: one short critical section, then wait outside of it if need be
//!  sender ─┼──► [ gate ─► buffer ] ──► receiver        recv · drain · gaps are marked
//!  sender ─┘      │ counters, gauges: read without the lock
//!                 └─► FlowObserver    one call per change of state and per run of drops
//! ```
//!
//! It works in any tokio program, without the runtime of this crate and without a store. No lock is held across an await, and
//! what was dropped is destroyed outside of the lock.
//!
//! ```
//! use quorate::flow::{DropPolicy, FlowConfig};
//! use quorate::flow::channel;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! let config = FlowConfig { max_buffer_size: 64, drop_policy: DropPolicy::Block, ..FlowConfig::default() };
//! let (sender, mut receiver) = channel(config)?;
//! sender.send("hello").await?;
//! assert_eq!(receiver.recv().await?, "hello");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! # Inside an actor
//!
//! A handler must not sleep: it holds up every actor of its thread. There use
//! [`FlowControlledSender::try_send`](FlowControlledSender::try_send), ask
//! [`FlowControlledSender::verdict`](FlowControlledSender::verdict) how long to wait, and have the framework's timer come back.
//!
//! Sources: tokio documentation, `tokio::sync::mpsc` (`send` in the order of the calls, `reserve`, cancel safety, errors
//! that hand the message back) and `tokio::sync::broadcast` (`Lagged`).

mod clock;
mod error;
mod observer;
mod receiver;
mod sender;
mod shared;
mod wait;

pub use clock::{FlowClock, Sleep, TokioClock};
pub use error::{RecvError, SendError, TryRecvError};
pub use observer::FlowObserver;
pub use receiver::FlowReceiver;
pub use sender::{FlowBuilder, FlowControlledSender, Permit, channel};
pub use wait::wait_if_needed;

#[cfg(test)]
mod flow_test;
