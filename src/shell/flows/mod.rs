//! The live buffers of flow-controlled streams, and how what happens in them comes on record.
//!
//! ```text
//!  offer, drain ──► Live: gate and buffer, in memory, one short lock
//!                     │ changes of state, ended runs of drops            at once
//!                     │ totals, an open run of drops                     five seconds after they moved
//!                     ▼
//!                  tell(Note) ──► the record's entity ──► journal
//! ```
//!
//! A sender that waits holds no thread: it stands in the gate's line and is woken by who makes room. Messages are not
//! recorded. A process that finds a stream on record and has no buffer of it begins an empty one, which is a new life of
//! the stream.
//!
//! *Memory is bounded twice*: the buffer of each stream in bytes of JSON, where its drop policy acts, and the messages
//! of all streams together in bytes of memory, where a message comes back. A message takes its memory when it is offered
//! and gives it back when it is dropped, wherever that is, so a sender that waits counts, too.

mod room;
mod wait;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::oneshot;

use self::room::{Room, bounded};
use super::access::Asks;
use super::entity::Action;
use super::host::Host;
use super::lock;
use super::runtime::ask;
use super::tell::tell;
use super::writer::Failure;
use crate::core::kernel::ids::{EntityId, StreamId, StreamKind};
use crate::core::kernel::time::Timestamp;
use crate::core::load::flow::record::{Command, Flow, FlowMachine, FlowTotals, Rejection, Reply};
use crate::core::load::flow::{
    Carries, Drained, FlowBuffer, FlowConfig, FlowConfigError, FlowRecommendation, FlowState, FlowStats,
    Gate, Manner, Notice, Offered, Pass, Returned, Shape,
};
use crate::journal::chain::digest;

/// How long totals and an open run of drops may be off the record.
const NOTE_AFTER: Duration = Duration::from_secs(5);

/// One buffered message.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) seq: u64,
    pub(crate) value: Value,
    pub(crate) sender: Option<String>,
    pub(crate) bytes: usize,
    pub(crate) key: Option<Key>,
    pub(crate) deadline: Option<Timestamp>,
    pub(crate) critical: bool,
    /// The memory it takes, from when it is offered until it is delivered, dropped or given back.
    room: Option<Room>,
}

impl Message {
    pub(crate) fn new(value: Value, bytes: usize) -> Self {
        Message { seq: 0, value, sender: None, bytes, key: None, deadline: None, critical: false, room: None }
    }
}

/// The name under which only the newest message counts, and a number made of it that no two names share in practice.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: String,
    number: u64,
}

impl Key {
    pub(crate) fn new(name: String) -> Self {
        let digest = digest(name.as_bytes());
        let number = digest.0.iter().take(8).fold(0, |number, byte| (number << 8) | u64::from(*byte));
        Key { name, number }
    }
}

/// Why a message went back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// No room, and the policy refuses the newest.
    Refused,
    /// No room, or others wait, and the sender does not.
    Full,
    /// It waited as long as it may.
    TimedOut,
    /// Nobody has use for it any more.
    Expired,
    /// The stream is closed.
    Closed,
    /// It is larger than the whole buffer.
    TooLarge,
    /// The messages of all streams together take as much memory as they may.
    MemoryFull,
}

/// What became of a message.
#[derive(Debug)]
pub(crate) enum Fate {
    /// It is buffered under this number.
    Accepted(u64),
    /// It went back.
    Returned(Why, Box<Message>),
}

/// What gave way to a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GaveWay {
    pub(crate) count: u64,
    pub(crate) first_seq: u64,
    pub(crate) last_seq: u64,
}

/// A stream at one instant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) state: FlowState,
    /// May a sender go on? Never once the stream is closed.
    pub(crate) can_send: bool,
    pub(crate) buffered: usize,
    pub(crate) fill: f64,
    /// How long the next sender is to wait, or to pause before it looks again.
    pub(crate) delay: Duration,
    /// The same as a pace: it never falls as the buffer fills.
    pub(crate) pace: Duration,
}

/// An offer and how the stream stands after it.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) fate: Fate,
    pub(crate) gave_way: Option<GaveWay>,
    pub(crate) seen: Seen,
}

/// One stream in memory.
pub(crate) struct Live {
    id: EntityId,
    pub(crate) life: u64,
    pub(crate) opened_at: Timestamp,
    /// The totals of earlier lives.
    before: FlowTotals,
    inner: Mutex<Inner>,
}

struct Inner {
    gate: Gate<Message, oneshot::Sender<()>>,
    /// The configuration on record; the gate's own is never without a bound in bytes.
    asked: FlowConfig,
    /// The wheel knows that there is something to note.
    armed: bool,
    noted: FlowTotals,
}

/// Every stream this process has a buffer of.
#[derive(Default)]
pub(crate) struct Flows {
    live: Mutex<HashMap<EntityId, Arc<Live>>>,
    /// The memory that the messages of all streams take.
    memory: Arc<AtomicUsize>,
    /// Held while a stream is opened, configured or closed: what is on record and what is live change together.
    changing: tokio::sync::Mutex<()>,
}

impl Live {
    fn new(id: EntityId, state: &Flow, most_bytes: usize) -> Result<Self, FlowConfigError> {
        let mut shape = Shape {
            size_of: Some(|message: &Message| message.bytes),
            critical_of: Some(|message: &Message| message.critical),
            ..Shape::default()
        };
        if state.config.carries == Carries::Anything {
            shape.key_of = Some(|message: &Message| message.key.as_ref().map(|key| key.number));
            shape.deadline_of = Some(|message: &Message| message.deadline);
        }
        let mut buffer = FlowBuffer::shaped(bounded(&state.config, most_bytes), shape)?;
        buffer.watch();
        let mut gate = Gate::new(buffer);
        if state.closed_at.is_some() {
            gate.close();
        }
        let opened_at = state.opened.as_ref().map_or(state.noted_at, |opened| opened.at);
        let inner = Inner { gate, asked: state.config.clone(), armed: false, noted: state.totals };
        Ok(Live { id, life: state.life, opened_at, before: state.totals, inner: Mutex::new(inner) })
    }

    /// Offers a message. One that may not wait is decided at once, as if the delay or pause asked of it had just passed.
    pub(crate) async fn offer(&self, host: &Arc<Host>, mut message: Message, wait: Duration) -> Outcome {
        let now = host.clock.now();
        message.room = host.flows.room(&message, host.config.flow.max_total_bytes);
        if message.room.is_none() {
            return self.give_back_now(host, Why::MemoryFull, message, now);
        }
        let wait = match message.deadline {
            Some(end) if end < now => return self.give_back_now(host, Why::Expired, message, now),
            Some(end) => wait.min(end.since(now)),
            None => wait,
        };
        if wait.is_zero() || host.clock.is_manual() {
            return self.offer_now(host, message);
        }
        self.offer_in_time(host, message, wait).await
    }

    fn give_back_now(&self, host: &Arc<Host>, why: Why, message: Message, now: Timestamp) -> Outcome {
        let mut inner = lock(&self.inner);
        let (fate, gave_way) = give_back(&mut inner.gate, why, message);
        self.after(host, &mut inner, now);
        Outcome { fate, gave_way, seen: inner.seen() }
    }

    fn offer_now(&self, host: &Arc<Host>, message: Message) -> Outcome {
        let now = host.clock.now();
        let mut inner = lock(&self.inner);
        let gate = &mut inner.gate;
        if !gate.is_closed() {
            gate.buffer().flow().decide(gate.buffer().load());
        }
        let (fate, gave_way) = match gate.enter(&|| now, message.bytes, Manner::TrySend) {
            Pass::Go => put(gate, now, message, None),
            Pass::Full | Pass::Delay(_) | Pass::Wait { .. } => give_back(gate, Why::Full, message),
            Pass::Closed => give_back(gate, Why::Closed, message),
            Pass::TooLarge => give_back(gate, Why::TooLarge, message),
        };
        self.after(host, &mut inner, now);
        Outcome { fate, gave_way, seen: inner.seen() }
    }

    /// Takes out up to so many messages, and the gaps before and between them.
    pub(crate) fn drain(&self, host: &Arc<Host>, count: usize) -> (Drained<Message>, Seen) {
        let now = host.clock.now();
        let mut inner = lock(&self.inner);
        let mut drained = Drained { messages: Vec::new(), lagged: Vec::new() };
        inner.gate.take_many(&|| now, count, &mut drained);
        self.after(host, &mut inner, now);
        (drained, inner.seen())
    }

    /// The figures of this life, the totals of all lives, and how the stream stands. Changes nothing.
    pub(crate) fn figures(&self, now: Timestamp) -> (FlowStats, FlowTotals, Seen, bool) {
        let inner = lock(&self.inner);
        let stats = inner.gate.buffer().stats(now);
        (stats, self.before.with(&FlowTotals::of(&stats)), inner.seen(), inner.gate.is_closed())
    }

    /// The configuration as it was asked for, and how many senders wait.
    pub(crate) fn config(&self) -> (FlowConfig, usize) {
        let inner = lock(&self.inner);
        (inner.asked.clone(), inner.gate.waiting())
    }

    /// Bytes of messages that fit.
    pub(crate) fn max_bytes(&self) -> usize {
        lock(&self.inner).gate.buffer().flow().config().max_buffer_bytes.unwrap_or(usize::MAX)
    }

    /// What to do about the stream. Changes nothing.
    pub(crate) fn recommendation(&self, now: Timestamp) -> FlowRecommendation {
        lock(&self.inner).gate.buffer().flow().recommendation(now)
    }

    /// Wakes who may go on, and sees to it that what happened comes on record.
    fn after(&self, host: &Arc<Host>, inner: &mut Inner, now: Timestamp) {
        for wake in inner.gate.take_wakes() {
            // Who waited may have left.
            let _ = wake.send(());
        }
        drop(inner.gate.take_trash());
        let notices = inner.gate.notices();
        let moved = !notices.is_empty() || self.totals(inner) != inner.noted;
        if !notices.is_empty() {
            self.note(host, inner, notices);
        }
        // Also after a note: a run may still be open, or a change held back.
        if moved && !inner.armed {
            inner.armed = true;
            host.wheel.arm(&self.stream(), Some(now.plus(NOTE_AFTER)));
        }
    }

    /// Tells what was not told so far.
    pub(crate) fn flush(&self, host: &Arc<Host>) {
        let mut inner = lock(&self.inner);
        inner.armed = false;
        inner.gate.finish_notices();
        let notices = inner.gate.notices();
        self.note(host, &mut inner, notices);
    }

    fn note(&self, host: &Arc<Host>, inner: &mut Inner, notices: Vec<Notice>) {
        if let Some(command) = self.to_note(inner, notices) {
            // Under the lock, so that notes of one stream keep their order.
            tell::<FlowMachine>(host, &self.id, command);
        }
    }

    fn to_note(&self, inner: &mut Inner, notices: Vec<Notice>) -> Option<Command> {
        let totals = self.totals(inner);
        if notices.is_empty() && totals == inner.noted {
            return None;
        }
        inner.noted = totals;
        let config = inner.gate.buffer().flow().config();
        Some(Command::Note {
            notices,
            totals: Box::new(totals),
            max_buffer_size: config.max_buffer_size as u64,
            max_buffer_bytes: config.max_buffer_bytes.map(|most| most as u64),
        })
    }

    fn totals(&self, inner: &Inner) -> FlowTotals {
        // The instant matters to the health of the window only.
        let stats = inner.gate.buffer().stats(Timestamp::EPOCH);
        self.before.with(&FlowTotals::of(&stats))
    }

    fn stream(&self) -> StreamId {
        StreamId::new(StreamKind::Flow, self.id.clone())
    }
}

impl Inner {
    fn seen(&self) -> Seen {
        let (flow, load) = (self.gate.buffer().flow(), self.gate.buffer().load());
        let verdict = flow.peek(load);
        Seen {
            state: verdict.state,
            can_send: verdict.state.can_send() && !self.gate.is_closed(),
            buffered: load.messages,
            fill: flow.fill(load),
            delay: verdict.delay,
            pace: flow.pacing_delay(load),
        }
    }
}

type Put = (Fate, Option<GaveWay>);

fn put(
    gate: &mut Gate<Message, oneshot::Sender<()>>,
    now: Timestamp,
    mut message: Message,
    held: Option<usize>,
) -> Put {
    message.seq = gate.buffer().next_seq();
    let bytes = message.bytes;
    let offered = match held {
        Some(held) => gate.put_held(&|| now, message, bytes, held),
        None => gate.put(&|| now, message, bytes),
    };
    match offered {
        Offered::Sent(sent) => {
            let mut gave_way: Option<GaveWay> = None;
            for (seq, _) in sent.evicted.into_messages() {
                let run = gave_way.get_or_insert(GaveWay { count: 0, first_seq: seq, last_seq: seq });
                (run.count, run.last_seq) = (run.count + 1, seq);
            }
            (Fate::Accepted(sent.seq), gave_way)
        }
        Offered::Refused(message) => (Fate::Returned(Why::Refused, Box::new(message)), None),
        Offered::MustWait(message) => give_back(gate, Why::Full, message),
        // Counted where it was found.
        Offered::TooLarge(message) => (Fate::Returned(Why::TooLarge, Box::new(message)), None),
    }
}

fn give_back(gate: &mut Gate<Message, oneshot::Sender<()>>, why: Why, message: Message) -> Put {
    let flow = gate.buffer().flow();
    match why {
        Why::Refused => {}
        Why::Full | Why::MemoryFull => flow.record_returned(Returned::Full),
        Why::TimedOut | Why::Expired => flow.record_returned(Returned::Timeout),
        Why::Closed => flow.record_returned(Returned::Closed),
        Why::TooLarge => flow.record_returned(Returned::TooLarge),
    }
    (Fate::Returned(why, Box::new(message)), None)
}

/// Why a stream cannot be used.
#[derive(Debug)]
pub(crate) enum NotLive {
    /// The record says no.
    Rejected(Rejection),
    /// The world failed.
    Failed(Failure),
    /// This process has as many streams as it may.
    TooMany,
}

impl From<Failure> for NotLive {
    fn from(failure: Failure) -> Self {
        NotLive::Failed(failure)
    }
}

impl From<Rejection> for NotLive {
    fn from(rejection: Rejection) -> Self {
        NotLive::Rejected(rejection)
    }
}

/// Opens a stream. Says whether it is new.
pub(crate) async fn open(
    caller: &impl Asks,
    id: &EntityId,
    config: FlowConfig,
) -> Result<(Arc<Live>, bool), NotLive> {
    let host = caller.host();
    let _alone = host.flows.changing.lock().await;
    if host.flows.find(id).is_none() && host.flows.len() >= host.config.flow.max_open {
        return Err(NotLive::TooMany);
    }
    let command = Command::Open { flow_id: id.clone(), config: Box::new(config) };
    let (state, reply) = decide(caller, id, command).await?;
    let live = match host.flows.find(id) {
        Some(live) => live,
        None if reply.changed => host.flows.add(host, id, &state)?,
        None => revive(host, id).await?,
    };
    Ok((live, reply.changed))
}

/// The buffer of a stream; an empty one when this process has none yet.
pub(crate) async fn live(host: &Arc<Host>, id: &EntityId) -> Result<Arc<Live>, NotLive> {
    if let Some(live) = host.flows.find(id) {
        return Ok(live);
    }
    let _alone = host.flows.changing.lock().await;
    match host.flows.find(id) {
        Some(live) => Ok(live),
        None => revive(host, id).await,
    }
}

async fn revive(host: &Arc<Host>, id: &EntityId) -> Result<Arc<Live>, NotLive> {
    let state = if host.reads_only {
        // Shown as it is on record; nobody's buffer begins anew.
        let seen = ask(host, &host.kinds.flow_records, id, Action::Read, |view| view.state.clone()).await?;
        seen.opened.as_ref().ok_or(Rejection::NotFound)?;
        seen
    } else {
        decide(host, id, Command::Revive).await?.0
    };
    host.flows.add(host, id, &state)
}

/// Changes the configuration, which `change` makes of the one in force. Says whether it is another one.
pub(crate) async fn configure<E>(
    caller: &impl Asks,
    id: &EntityId,
    change: impl FnOnce(&FlowConfig) -> Result<FlowConfig, E>,
) -> Result<Result<(Arc<Live>, bool), NotLive>, E> {
    let host = caller.host();
    let live = match live(host, id).await {
        Ok(live) => live,
        Err(e) => return Ok(Err(e)),
    };
    let _alone = host.flows.changing.lock().await;
    let config = change(&live.config().0)?;
    let decided = decide(caller, id, Command::Configure(Box::new(config.clone()))).await;
    let reply = match decided {
        Ok((_, reply)) => reply,
        Err(e) => return Ok(Err(e)),
    };
    let now = host.clock.now();
    {
        let mut inner = lock(&live.inner);
        if let Err(e) = inner.gate.reconfigure(now, bounded(&config, host.config.flow.max_stream_bytes)) {
            return Ok(Err(NotLive::Rejected(Rejection::Invalid(e))));
        }
        inner.asked = config;
        live.after(host, &mut inner, now);
    }
    Ok(Ok((live, reply.changed)))
}

/// Ends a stream: nobody sends any more, what is buffered may still be read. Says whether it was open.
pub(crate) async fn close(caller: &impl Asks, id: &EntityId) -> Result<(Arc<Live>, bool), NotLive> {
    let host = caller.host();
    let live = live(host, id).await?;
    let _alone = host.flows.changing.lock().await;
    let (_, reply) = decide(caller, id, Command::Close).await?;
    {
        let mut inner = lock(&live.inner);
        inner.gate.close();
        live.after(host, &mut inner, host.clock.now());
    }
    live.flush(host);
    Ok((live, reply.changed))
}

async fn decide(caller: &impl Asks, id: &EntityId, command: Command) -> Result<(Flow, Reply), NotLive> {
    let action = Action::Command(command, None);
    let answer = ask(caller, &caller.host().kinds.flow_records, id, action, |view| {
        let reply = view.reply.unwrap_or(Err(Rejection::NotFound));
        reply.map(|reply| (view.state.clone(), reply))
    });
    Ok(answer.await??)
}

impl Flows {
    fn find(&self, id: &EntityId) -> Option<Arc<Live>> {
        lock(&self.live).get(id).cloned()
    }

    fn add(&self, host: &Host, id: &EntityId, state: &Flow) -> Result<Arc<Live>, NotLive> {
        let most_bytes = host.config.flow.max_stream_bytes;
        let live = Live::new(id.clone(), state, most_bytes).map_err(Rejection::Invalid)?;
        let live = Arc::new(live);
        lock(&self.live).insert(id.clone(), live.clone());
        Ok(live)
    }

    /// Memory for a message, unless that would be more than all may take.
    fn room(&self, message: &Message, most: usize) -> Option<Room> {
        Room::take(&self.memory, room::weight(message), most)
    }

    /// The memory that the messages of all streams take, in bytes.
    pub(crate) fn memory(&self) -> usize {
        self.memory.load(Ordering::Acquire)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        lock(&self.live).len()
    }

    /// All of them, in the order of their ids.
    pub(crate) fn all(&self) -> Vec<Arc<Live>> {
        let mut all: Vec<_> = lock(&self.live).values().cloned().collect();
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all
    }

    /// Tells what was not told of one stream.
    pub(crate) fn flush(&self, host: &Arc<Host>, id: &EntityId) {
        if let Some(live) = self.find(id) {
            live.flush(host);
        }
    }

    /// The same for all of them at the end of the process, as requests that the end waits for.
    pub(crate) fn flush_all(&self, host: &Arc<Host>) {
        for live in self.all() {
            let mut inner = lock(&live.inner);
            inner.gate.finish_notices();
            let notices = inner.gate.notices();
            if let Some(command) = live.to_note(&mut inner, notices) {
                drop(ask(host, &host.kinds.flow_records, &live.id, Action::Command(command, None), |_| ()));
            }
        }
    }
}
