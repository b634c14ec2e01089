//! A transport between processes: a queue for each destination, and one task for each that carries what is in it.
//!
//! ```text
//!  machine ── send ──► queue of gate g1     ──► task ── carry ──► Wire
//!                 ├──► queue of manager e/n ──► task ── carry ──► Wire     slow: only its own queue fills
//!                 └──► queue of worker w1   ──► (idle: no task)
//! ```
//!
//! You bring the [`Wire`] (TCP, HTTP, anything that takes a message and its time), and the other end hands in what
//! comes ([`Mailbox::arrive`]). A destination gets its messages one at a time and in the order in which they were sent. One that is slow
//! or dead delays nobody else, and what waits for it is bounded ([`Outgoing`]). The lock is held for one put or take, never
//! across an await.
//!
//! | what goes wrong | what happens |
//! |---|---|
//! | a queue is full | what is not critical gives way ([`Body::is_critical`](crate::core::jobs::protocol::message::Body::is_critical)), or the message is not taken |
//! | the wire says no, panics, or takes longer than [`WireConfig::carry_timeout`] | the message is given up, the next one is carried |
//! | the transport is dropped | its tasks end at once |
//!
//! Whatever is lost here only costs time: a message that must arrive stands in the outbox of its sender until it is
//! answered, and is sent again meanwhile. That is also why the receiver is not told of gaps: it knows repeats by their number,
//! and misses nothing for good.
//!
//! What changes is traced, never a single message: a queue that reaches a worse state and one that has drained, a
//! destination that begins to fail and one that is reached again.
//!
//! # Source
//! M. J. Karol, M. G. Hluchyj, S. P. Morgan, IEEE Transactions on Communications 35(12), 1987 (head-of-line blocking);
//! J. H. Saltzer, D. P. Reed, D. D. Clark, *End-to-End Arguments in System Design*, ACM TOCS 2(4), 1984 (what must
//! arrive is repeated by its sender, not by the network).

use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::lock;
use super::post::{Mailbox, Transport};
use crate::core::jobs::protocol::message::{Message, Party};
use crate::core::load::flow::{
    FlowConfigError, NotPlaced, Outgoing, OutgoingConfig, OutgoingState, OutgoingStats, OutgoingStatus,
    Placed, Read,
};

/// What carries messages to other processes.
///
/// ```
/// use quorate::Message;
/// use quorate::Wire;
///
/// struct Channel(tokio::sync::mpsc::Sender<Message>);
///
/// impl Wire for Channel {
///     type Error = &'static str;
///
///     async fn carry(&self, message: Message) -> Result<(), &'static str> {
///         self.0.send(message).await.map_err(|_| "nobody is there")
///     }
/// }
/// ```
pub trait Wire: Send + Sync + 'static {
    /// Why a message was not carried; it is traced.
    type Error: fmt::Display + Send;

    /// Carries a message to [`Message::to`], and returns when the next one for the same destination may follow. Asked for
    /// one message of a destination at a time, and for those of several destinations at once. May be dropped half-way.
    fn carry(&self, message: Message) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

impl<W: Wire> Wire for Arc<W> {
    type Error = W::Error;

    fn carry(&self, message: Message) -> impl Future<Output = Result<(), Self::Error>> + Send {
        (**self).carry(message)
    }
}

/// The knobs of a transport between processes.
#[derive(Clone, Debug, PartialEq)]
pub struct WireConfig {
    /// The queues.
    pub queues: OutgoingConfig,
    /// After so long a message that is being carried is given up, 1 ms to 24 h; default 30 s. Too short gives up what a
    /// slow wire would have carried, too long lets one message that hangs hold up its destination.
    pub carry_timeout: Duration,
}

impl Default for WireConfig {
    fn default() -> Self {
        WireConfig { queues: OutgoingConfig::default(), carry_timeout: Duration::from_secs(30) }
    }
}

/// How it stands with one destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DestinationStatus {
    /// Which.
    pub to: Party,
    /// Its queue. What is `taken` is carried, failed or being carried.
    pub queue: OutgoingStatus,
    /// Is a message being carried?
    pub carrying: bool,
    /// Messages carried.
    pub carried: u64,
    /// Messages given up.
    pub failed: u64,
}

/// A transport with a queue for each destination.
///
/// ```
/// # struct Nowhere;
/// # impl quorate::Wire for Nowhere {
/// #     type Error = &'static str;
/// #     async fn carry(&self, _: quorate::Message) -> Result<(), &'static str> { Ok(()) }
/// # }
/// use std::sync::Arc;
///
/// use quorate::{PerDestination, WireConfig};
/// use quorate::{Config, Quorate};
/// use tokio::runtime::Handle;
///
/// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let wire = Nowhere;
/// let transport = Arc::new(PerDestination::new(WireConfig::default(), wire, Handle::current())?);
/// let q = Quorate::open(Config { transport: Some(transport.clone()), ..Config::memory() }).await?;
/// let mailbox = q.mailbox(); // where the other end of a wire to this process hands in what comes
/// for destination in transport.status() {
///     println!("{:?}: {}", destination.to, destination.queue.state.name());
/// }
/// # q.close().await?;
/// # Ok(()) }
/// ```
pub struct PerDestination<W> {
    shared: Arc<Shared<W>>,
    tokio: Handle,
    /// Dropped with the transport, which ends them.
    tasks: Mutex<JoinSet<()>>,
}

#[derive(Debug)]
struct Shared<W> {
    wire: W,
    carry_timeout: Duration,
    lines: Mutex<Lines>,
}

#[derive(Debug)]
struct Lines {
    queues: Outgoing<Party, Message>,
    /// Of every destination the queues know.
    notes: BTreeMap<Party, Note>,
}

/// What is known of a destination beside its queue.
#[derive(Debug, Default)]
struct Note {
    /// The state that was traced last.
    told: OutgoingState,
    carrying: bool,
    carried: u64,
    failed: u64,
    /// Messages given up since the last one that was carried.
    failed_in_a_row: u64,
}

impl<W: Wire> PerDestination<W> {
    /// A transport over this wire, whose tasks run on this runtime; it needs tokio's timer.
    ///
    /// # Errors
    /// A knob that does not fit.
    pub fn new(config: WireConfig, wire: W, tokio: Handle) -> Result<Self, FlowConfigError> {
        let bounds = Duration::from_millis(1)..=Duration::from_secs(86_400);
        if !bounds.contains(&config.carry_timeout) {
            return Err(FlowConfigError {
                field: "carry_timeout",
                given: format!("{:?}", config.carry_timeout),
                expected: format!("{:?} to {:?}", bounds.start(), bounds.end()),
            });
        }
        let queues = Outgoing::new(config.queues, |message: &Message| message.body.is_critical())?;
        let lines = Mutex::new(Lines { queues, notes: BTreeMap::new() });
        let shared = Arc::new(Shared { wire, carry_timeout: config.carry_timeout, lines });
        Ok(PerDestination { shared, tokio, tasks: Mutex::default() })
    }

    /// How it stands with each destination, in their order.
    pub fn status(&self) -> Vec<DestinationStatus> {
        let lines = lock(&self.shared.lines);
        let status = |(to, queue): (&Party, OutgoingStatus)| {
            let note = lines.notes.get(to)?;
            let (carrying, carried, failed) = (note.carrying, note.carried, note.failed);
            Some(DestinationStatus { to: to.clone(), queue, carrying, carried, failed })
        };
        lines.queues.each().filter_map(status).collect()
    }

    /// How it stands with all of them.
    pub fn stats(&self) -> OutgoingStats {
        lock(&self.shared.lines).queues.stats()
    }
}

impl<W> fmt::Debug for PerDestination<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stats = lock(&self.shared.lines).queues.stats();
        f.debug_struct("PerDestination").field("stats", &stats).finish_non_exhaustive()
    }
}

impl<W: Wire> Transport for PerDestination<W> {
    fn send(&self, message: Message, _: &Mailbox) {
        let to = message.to.clone();
        let mut lines = lock(&self.shared.lines);
        let put = lines.put(&to, message);
        let begins = lines.queues.serve(&to);
        drop(lines);
        put.tell(&to);
        if begins {
            let mut tasks = lock(&self.tasks);
            // Those that have ended are let go of, so that there are about as many as destinations.
            while tasks.try_join_next().is_some() {}
            tasks.spawn_on(carry_all(self.shared.clone(), to), &self.tokio);
        }
    }
}

/// What became of a message that was sent; traced and dropped outside of the lock.
struct Put {
    placed: Result<Placed<Party, Message>, NotPlaced<Message>>,
    /// The state it had been in and the queue, if it is in a worse state now.
    worse: Option<(OutgoingState, OutgoingStatus)>,
}

impl Put {
    fn tell(&self, to: &Party) {
        if let Some((from, queue)) = &self.worse {
            let (from, state, queued) = (from.name(), queue.state.name(), queue.counts.queued);
            tracing::warn!(?to, from, state, queued, "messages to a destination pile up");
        }
        let forgotten = self.placed.as_ref().ok().and_then(|placed| placed.forgotten.as_ref());
        if let Some(forgotten) = forgotten.filter(|forgotten| !forgotten.messages.is_empty()) {
            let (to, dropped) = (&forgotten.destination, forgotten.messages.len());
            tracing::warn!(?to, dropped, "destination forgotten with what waited for it");
        }
    }
}

impl Lines {
    fn put(&mut self, to: &Party, message: Message) -> Put {
        let placed = self.queues.put(to, message);
        if let Ok(Placed { forgotten: Some(forgotten), .. }) = &placed {
            self.notes.remove(&forgotten.destination);
        }
        let mut worse = None;
        if let Some(queue) = self.queues.status(to) {
            let note = self.notes.entry(to.clone()).or_default();
            if queue.state > note.told {
                worse = Some((std::mem::replace(&mut note.told, queue.state), queue));
            }
        }
        Put { placed, worse }
    }
}

impl<W> Shared<W> {
    /// The next message for a destination; none when its task has to end.
    fn next(&self, to: &Party) -> Option<Message> {
        let mut lines = lock(&self.lines);
        let message = loop {
            match lines.queues.take(to) {
                Some(Read::Message(_, message)) => break Some(message),
                Some(Read::Lagged(_)) => {}
                None => break None,
            }
        };
        if message.is_none() {
            lines.queues.rest(to);
        }
        let counts = lines.queues.status(to).map(|queue| queue.counts).unwrap_or_default();
        let mut told = OutgoingState::Healthy;
        if let Some(note) = lines.notes.get_mut(to) {
            note.carrying = message.is_some();
            if counts.queued == 0 {
                told = std::mem::take(&mut note.told);
            }
        }
        drop(lines);
        // A state is told to be over when nothing is queued any more, so that a fill that swings is told once.
        if told > OutgoingState::Healthy {
            let (from, dropped, refused) = (told.name(), counts.dropped, counts.refused);
            tracing::info!(?to, from, dropped, refused, "messages to a destination no longer pile up");
        }
        message
    }

    /// A message was carried, or given up for this reason.
    fn ended(&self, to: &Party, failure: Option<String>) {
        let mut lines = lock(&self.lines);
        let Some(note) = lines.notes.get_mut(to) else { return };
        note.carrying = false;
        let before = note.failed_in_a_row;
        match failure {
            None => {
                note.carried += 1;
                note.failed_in_a_row = 0;
                drop(lines);
                if before > 0 {
                    tracing::info!(?to, failed = before, "destination is reached again");
                }
            }
            Some(error) => {
                note.failed += 1;
                note.failed_in_a_row += 1;
                drop(lines);
                if before == 0 {
                    tracing::warn!(?to, error, "destination is not reached; what matters is sent again");
                }
            }
        }
    }
}

/// Carries what is queued for a destination, one message after the other, until nothing is.
async fn carry_all<W: Wire>(shared: Arc<Shared<W>>, to: Party) {
    while let Some(message) = shared.next(&to) {
        let carry = async { shared.wire.carry(message).await.map_err(|error| error.to_string()) };
        let carried = match tokio::time::timeout(shared.carry_timeout, caught(carry)).await {
            Ok(carried) => carried,
            Err(_) => Err(format!("given up. carry_timeout={:?}", shared.carry_timeout)),
        };
        shared.ended(&to, carried.err());
        // A wire that is always ready lets the others run all the same.
        tokio::task::coop::consume_budget().await;
    }
}

/// One that panics is one that says no: the task goes on with the next message.
async fn caught(carry: impl Future<Output = Result<(), String>>) -> Result<(), String> {
    let mut carry = pin!(carry);
    poll_fn(|context| {
        let poll = catch_unwind(AssertUnwindSafe(|| carry.as_mut().poll(context)));
        poll.unwrap_or_else(|_| Poll::Ready(Err("the wire panicked".to_owned())))
    })
    .await
}

#[cfg(test)]
#[path = "outgoing_test.rs"]
mod tests;
