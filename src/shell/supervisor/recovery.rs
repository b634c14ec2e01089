//! What happens at open, before the first command is accepted:
//!
//! 1. counters: the kept projection, then the records after it;
//! 2. deadlines: the index of open ones goes onto the wheel (no closed history is read);
//! 3. agents that were not healthy are due at once: like all others they have their interval anew, so the deadline
//!    in the index, if there is one, may be too late for them;
//! 4. everything overdue or owed is settled: closed as of its deadline, effects carried out;
//! 5. open proposals of custom rules are judged by the rules that are known now;
//! 6. jobs, gates and workers that are not overdue are woken, in the background: each mints the token of this process.
//!    Not in a process that only carries out a command.
//!
//! A crash in the middle repeats the same steps: each is a fold or an ordinary command.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::core::agent::Grade;
use crate::core::ids::{EntityId, StreamId, StreamKind};
use crate::core::time::{Gap, Timestamp};
use crate::journal::codec::{decode, encode};
use crate::journal::{Fault, OpenReport, Store, Tip};
use crate::shell::entity::Poke;
use crate::shell::host::{Host, wait};
use crate::shell::kinds::{Counters, poke, send_to_sleep};
use crate::shell::lock;
use crate::shell::proposals::reconsider;

use super::timeouts;

/// Name of the kept counters; another one whenever they are kept in another form.
pub(crate) const COUNTERS: &str = "counters-3";

/// Name under which a process notes that it lives.
const ALIVE: &str = "alive";

/// Entities woken at the same time at open; bounds the memory it takes.
const RESUMED_AT_ONCE: usize = 256;

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
    /// Entities settled before the first command because they were overdue, owed something, or are agents that were
    /// not healthy.
    pub settled: usize,
}

/// Brings the counters up to the journal's end.
pub(crate) fn counters(store: &dyn Store) -> Result<(Counters, u64), Fault> {
    let kept = wait(store.load_projection(COUNTERS))?;
    // What another version kept is of no use; everything is counted again.
    let kept = kept.and_then(|(position, bytes)| Some((decode(&bytes).ok()?, position)));
    let (counters, mut at) = match kept {
        Some((kept, position)) => (Counters::resume(kept), position),
        None => (Counters::default(), 0),
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

/// The last instant at which a process served this journal, as far as is known.
pub(crate) fn last_alive(store: &dyn Store, tip: &Tip) -> Result<Timestamp, Fault> {
    let noted = wait(store.load_projection(ALIVE))?.and_then(|(_, bytes)| decode::<Alive>(&bytes).ok());
    Ok(noted.map_or(tip.at, |noted| if noted.stands { noted.at } else { noted.at.max(tip.at) }))
}

/// A sign of life of a process that serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Alive {
    /// It was alive then.
    pub(crate) at: Timestamp,
    /// Later records are those of processes that only carried out commands.
    pub(crate) stands: bool,
}

/// Notes that this process lived at `at`, if it serves.
pub(crate) fn note_alive(host: &Host, at: Timestamp) {
    if host.away.gap == Gap::Restart {
        keep_alive_note(host.store.as_ref(), Alive { at, stands: false });
    }
}

/// Keeps a sign of life. Losing it costs only what is told from it: how long nobody served.
pub(crate) fn keep_alive_note(store: &dyn Store, alive: Alive) {
    let noted = encode(&alive).and_then(|bytes| wait(store.save_projection(ALIVE, 0, bytes)));
    if let Err(fault) = noted {
        tracing::debug!(%fault, "sign of life not kept");
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

/// Wakes everybody whose leadership begins anew with this process, so that it is minted and told before anything else
/// is done under it. A batch at a time; what is overdue came first.
pub(crate) async fn resume(host: &Arc<Host>, streams: Vec<StreamId>) {
    let batch = if host.clock.is_manual() { 1 } else { RESUMED_AT_ONCE };
    for some in streams.chunks(batch) {
        let waking: Vec<_> = some
            .iter()
            .map(|stream| {
                let (done, awake) = oneshot::channel();
                poke(host, stream, Poke { done });
                awake
            })
            .collect();
        for (stream, awake) in some.iter().zip(waking) {
            // One that cannot be read is in the log already; the others go on.
            let _ = awake.await;
            send_to_sleep(host, stream);
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

/// Settles everything overdue or owed at `now`. Returns how many entities.
pub(crate) async fn overdue(host: &Arc<Host>, now: Timestamp) -> usize {
    timeouts::settle(host, now, host.clock.is_manual()).await
}
