//! What happens at open, before the first command is accepted, but for the end of a large backlog:
//!
//! 1. counters: the kept projection, then the records after it;
//! 2. deadlines: the index of open ones goes onto the wheel (no closed history is read);
//! 3. agents that were not healthy are due at once: like all others they have their interval anew, so the deadline
//!    in the index, if there is one, may be too late for them;
//! 4. what is overdue or owed is settled, soonest deadline first and a batch at a time: closed as of its deadline, effects
//!    carried out. A large backlog is settled to the end while others are served already: whoever asks for an entity finds
//!    it settled, and whoever asks about all of them waits for the backlog;
//! 5. open proposals of custom rules are judged by the rules that are known now;
//! 6. jobs, gates and workers that are not overdue are woken, in the background: each mints the token of this process.
//!    Not in a process that only carries out a command.
//!
//! A crash in the middle repeats the same steps: each is a fold or an ordinary command.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::core::jobs::gate::GateMachine;
use crate::core::jobs::gate::index::GateIndex;
use crate::core::kernel::ids::{EntityId, StreamId, StreamKind};
use crate::core::kernel::time::{Gap, Timestamp};
use crate::core::kernel::timeline::Mark;
use crate::core::trust::retention::{self, Counted};
use crate::core::voting::agent::Grade;
use crate::journal::codec::{decode, encode};
use crate::journal::{Fault, OpenReport, Position, Store, Tip};
use crate::shell::clock::Clock;
use crate::shell::counters::{Counters, FormerKept, Kept};
use crate::shell::entity::Poke;
use crate::shell::host::{Host, wait};
use crate::shell::hosts::retention_id;
use crate::shell::lock;
use crate::shell::memory::read_state;
use crate::shell::proposals::reconsider;

use super::timeouts;

/// Name of the kept counters; another one whenever they are kept in another form. A journal that was pruned holds them in the
/// form of then and cannot be counted anew: whoever changes the form makes `readable` read the former one too.
pub(crate) const COUNTERS: &str = "counters-9";

/// Name of the form before that one.
const FORMER_COUNTERS: &str = "counters-8";

/// Name under which earlier versions noted that a process lives.
const ALIVE: &str = "alive";

/// Entities woken at the same time at open; bounds the memory it takes.
const RESUMED_AT_ONCE: usize = 256;

/// Entities settled before the first command is accepted. What is left is settled while others are served; whoever asks
/// for one of them finds it settled all the same.
const SETTLED_BEFORE_SERVING: usize = 1024;

/// Records or index entries read at a time.
const PAGE: usize = 8192;

/// What recovery did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// What the store had to do to open.
    pub store: OpenReport,
    /// Records read to bring the counters up to date.
    pub records_counted: u64,
    /// Entities found with an open deadline.
    pub tracked: usize,
    /// Entities whose deadline has passed and that are shown as they are on record, because the journal is only read.
    pub overdue: usize,
    /// Entities settled before the first command because they were overdue, owed something, or are agents that were
    /// not healthy.
    pub settled: usize,
}

/// Brings the counters up to the journal's end.
pub(crate) fn counters(store: &dyn Store) -> Result<(Counters, u64), Fault> {
    let kept = wait(store.load_projection(COUNTERS))?;
    // What another version kept is of no use; everything is counted again.
    let kept = kept.and_then(|(position, bytes)| Some((decode(&bytes).ok()?, position)));
    let (counters, mut at) = match (kept, counted_when_pruned(store)?) {
        (Some((kept, position)), pruned) if pruned.as_ref().is_none_or(|(upto, _)| *upto <= position) => {
            (Counters::resume(kept), position)
        }
        (_, Some((upto, counted))) => (Counters::resume(readable(store, &counted)?), upto),
        (_, None) => (Counters::default(), 0),
    };
    let mut counted = 0;
    loop {
        let page = wait(store.scan(at, PAGE))?;
        let Some(last) = page.last() else { return Ok((counters, counted)) };
        at = last.position;
        counted += page.len() as u64;
        page.iter().try_for_each(|record| counters.replay(record))?;
    }
}

/// What the last pruning says had been counted, and up to which position. The records before it are not all there.
fn counted_when_pruned(store: &dyn Store) -> Result<Option<(Position, Counted)>, Fault> {
    let stream = StreamId::new(StreamKind::Retention, retention_id());
    let mut before = wait(store.head(&stream))?.map_or(0, |head| head.revision);
    while before > 0 {
        if let Some(record) = wait(store.read(&stream, before - 1, 1))?.first()
            && let retention::Event::Pruned(pruned) = decode(&record.payload)?
        {
            return Ok(Some((pruned.upto, pruned.counted)));
        }
        before -= 1;
    }
    Ok(None)
}

/// What had been counted, in the form of this program.
fn readable(store: &dyn Store, counted: &Counted) -> Result<Kept, Fault> {
    // Counted anew it would be wrong, and nobody would know.
    let unread = || Fault::Corrupt {
        what: format!(
            "what was counted before the journal was pruned is in a form that this program does not read. form={}, \
             expected={COUNTERS}",
            counted.form
        ),
    };
    match counted.form.as_str() {
        COUNTERS => decode(&counted.bytes.0).map_err(|_| unread()),
        FORMER_COUNTERS => {
            let former: FormerKept = decode(&counted.bytes.0).map_err(|_| unread())?;
            Ok(Kept { former, gates: tracked_now(store)? })
        }
        _ => Err(unread()),
    }
}

/// The jobs that gates track, as they stand. What is counted from an earlier position on comes to the same.
fn tracked_now(store: &dyn Store) -> Result<GateIndex, Fault> {
    let (mut index, mut after) = (GateIndex::default(), None);
    loop {
        let page = wait(store.deadlines(after, PAGE))?;
        let Some(last) = page.last().cloned() else { return Ok(index) };
        for (_, stream) in page.iter().filter(|(_, stream)| stream.kind == StreamKind::Gate) {
            index.stands(&stream.id, &read_state::<GateMachine>(store, stream)?);
        }
        after = Some(last);
    }
}

/// The counters as a pruning keeps them.
#[cfg_attr(not(feature = "store-sled"), allow(dead_code))]
pub(crate) fn count_to_prune(store: &dyn Store) -> Result<Counted, Fault> {
    let (counters, _) = counters(store)?;
    Ok(Counted { form: COUNTERS.to_owned(), bytes: retention::event::Kept(encode(&counters.keep())?) })
}

/// What a process keeps beside the journal every few seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Note {
    /// A process that served was alive then.
    pub(crate) alive: Timestamp,
    /// Later records are those of processes that only carried out commands.
    pub(crate) stands: bool,
    /// The journal's time beside the clocks of the host.
    pub(crate) mark: Mark,
}

/// The note, if there is one that can be read.
pub(crate) fn noted(store: &dyn Store) -> Result<Option<Note>, Fault> {
    Ok(wait(store.load_note())?.and_then(|bytes| decode(&bytes).ok()))
}

/// The last instant at which a process served this journal, as far as is known.
pub(crate) fn last_alive(store: &dyn Store, tip: &Tip, note: Option<&Note>) -> Result<Timestamp, Fault> {
    let sign = match note {
        Some(note) => Some(Alive { at: note.alive, stands: note.stands }),
        None => wait(store.load_projection(ALIVE))?.and_then(|(_, bytes)| decode(&bytes).ok()),
    };
    Ok(sign.map_or(tip.at, |sign| if sign.stands { sign.at } else { sign.at.max(tip.at) }))
}

/// A sign of life as earlier versions kept it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Alive {
    at: Timestamp,
    stands: bool,
}

/// Notes what the clocks show now. A process that serves was alive at `at`; one that only carries out a command leaves
/// that as it was. With `synced` the note survives a loss of power.
pub(crate) fn note_alive(host: &Host, at: Timestamp, synced: bool) {
    let serves = host.away.gap == Gap::Restart;
    let alive = if serves { at } else { host.away.last_alive };
    keep_note(host.store.as_ref(), &Note { alive, stands: !serves, mark: host.clock.mark() }, synced);
}

/// The first note of a process: it took the journal, and nobody serves yet.
pub(crate) fn note_opening(store: &dyn Store, clock: &Clock, last_alive: Timestamp, serves: bool) {
    keep_note(store, &Note { alive: last_alive, stands: !serves, mark: clock.mark() }, true);
}

/// Losing it costs what is told from it: how long nobody served, and how far the wall clock is off.
pub(crate) fn keep_note(store: &dyn Store, note: &Note, synced: bool) {
    let kept = encode(note).and_then(|bytes| wait(store.save_note(&bytes, synced)));
    if let Err(fault) = kept {
        tracing::debug!(%fault, "note not kept");
    }
}

/// The last instant at which a process under a manual clock noted that it lives.
pub(crate) fn last_beat(host: &Host) -> Timestamp {
    let every = timeouts::ALIVE_EVERY.as_micros().max(1);
    let passed = host.clock.now().since(host.began).as_micros();
    host.began.plus(Duration::from_micros(u64::try_from(passed - passed % every).unwrap_or(0)))
}

/// What is open in the journal.
pub(crate) struct Open {
    /// How many entities have a deadline.
    pub(crate) tracked: usize,
    /// Those that put on record that a new process serves them, soonest deadline first.
    pub(crate) resuming: Vec<StreamId>,
}

/// Loads every open deadline onto the wheel.
pub(crate) fn deadlines(host: &Host) -> Result<Open, Fault> {
    let mut after = None;
    let mut open = Open { tracked: 0, resuming: Vec::new() };
    loop {
        let page = wait(host.store.deadlines(after, PAGE))?;
        let Some(last) = page.last().cloned() else { return Ok(open) };
        open.tracked += page.len();
        for (due, stream) in page {
            host.wheel.arm(&stream, Some(due));
            if matches!(stream.kind, StreamKind::Job | StreamKind::Gate | StreamKind::Worker) {
                open.resuming.push(stream);
            }
        }
        after = Some(last);
    }
}

/// How many deadlines are at or before an instant.
pub(crate) fn passed(store: &dyn Store, upto: Timestamp) -> Result<usize, Fault> {
    let (mut count, mut after) = (0, None);
    loop {
        let page = wait(store.deadlines(after, PAGE))?;
        let passed = page.iter().take_while(|(due, _)| *due <= upto).count();
        count += passed;
        match page.last() {
            Some(last) if passed == page.len() => after = Some(last.clone()),
            _ => return Ok(count),
        }
    }
}

/// Wakes everybody whose leadership begins anew with this process, so that it is minted and told before anything else
/// is done under it. A batch at a time; what is overdue came first.
pub(crate) async fn resume(host: &Arc<Host>, streams: Vec<StreamId>) {
    let batch = if host.clock.is_manual() { 1 } else { RESUMED_AT_ONCE };
    for some in streams.chunks(batch) {
        let waking: Vec<_> = some
            .iter()
            .map(|stream| {
                let (done, awake) = oneshot::channel();
                host.kinds.of(stream.kind).poke(host, &stream.id, Poke::new(done));
                awake
            })
            .collect();
        for (stream, awake) in some.iter().zip(waking) {
            // One that cannot be read is in the log already; the others go on.
            let _ = awake.await;
            if host.clock.is_manual() {
                timeouts::sleep(host, stream).await;
            } else {
                host.kinds.of(stream.kind).rest(&stream.id, None);
            }
        }
        if host.is_closing() {
            return;
        }
        if host.clock.is_manual() {
            timeouts::quiet(host).await;
        }
    }
}

/// Makes every monitored agent that is not healthy on record due at once.
pub(crate) fn unwell_agents(host: &Host) {
    for (id, presence) in lock(&host.counters.agents).registered() {
        if presence.watch.as_ref().is_some_and(|watch| watch.recorded != Grade::Healthy) {
            host.wheel.arm(&StreamId::new(StreamKind::Agent, EntityId::from(id)), Some(host.began));
        }
    }
}

/// Lets the open proposals of custom rules that this process knows from the start see whether they are decided: their
/// votes may have come in while no process knew the rule.
pub(crate) fn custom_rules(host: &Arc<Host>) {
    host.custom.names().iter().for_each(|name| reconsider(host, name));
}

/// Settles what is overdue or owed at `now`, soonest deadline first. Returns how many entities, and whether that was all:
/// in real time the first of them are settled, so that a process with a large backlog serves soon.
pub(crate) async fn overdue(host: &Arc<Host>, now: Timestamp) -> (usize, bool) {
    if host.clock.is_manual() {
        return (timeouts::settle(host, now, true).await, true);
    }
    let settled = timeouts::settle_some(host, now, SETTLED_BEFORE_SERVING).await;
    (settled, settled < SETTLED_BEFORE_SERVING)
}
