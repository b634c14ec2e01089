//! Identities and stops of the first shard, followed by every process that serves others.
//!
//! ```text
//!  journal of the first shard ── read beside its owner, every 50 ms ──► directory, stops ──► door and runtime of each shard here
//!                                not read for a second ──► nothing is answered here
//! ```
//!
//! So what stands on the first shard is in force everywhere within [`BOUND`](super::spread::BOUND) of being durable: by then each process has read it,
//! or answers nothing. Who makes, changes or ends an identity there, or engages a stop, is answered only after that time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::super::{Quorate, on_thread};
use super::Shards;
use super::spread::Read;
use crate::config::Config;
use crate::core::kernel::ids::{StreamId, StreamKind};
use crate::core::trust::stop::{Stops, StopsMachine};
use crate::error::Error;
use crate::journal::codec::decode;
use crate::journal::{Fault, Position, Store};
use crate::shell::clock::Held;
use crate::shell::host::wait;
use crate::shell::hosts::stops_id;
use crate::shell::lock;
use crate::shell::memory::read_state;

/// How long it pauses between two readings.
const PAUSE: Duration = Duration::from_millis(50);
/// Records read at a time.
const PAGE: usize = 1_000;

/// Follows the first shard until it is dropped.
#[derive(Debug)]
pub struct Follower {
    over: Arc<AtomicBool>,
    /// Keeps the journal open for reading.
    _reader: Quorate,
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
    }
}

impl Follower {
    /// Reads what there is, and goes on. The settings are those under which the first shard is opened.
    ///
    /// # Errors
    /// Those of opening its journal for reading; `store_error` when there is no thread.
    pub async fn begin(config: Config, shards: &Arc<Shards>) -> Result<Self, Error> {
        let begun = Held::begin();
        let reader = Quorate::open_to_read(config).await?;
        let (store, at) = (reader.host().store.clone(), reader.host().opened_at);
        let directory = lock(&reader.host().counters.identities).clone();
        let stops = {
            let store = store.clone();
            on_thread(move || stops_of(store.as_ref())).await?
        };
        let so_far = SoFar { at, read: Read { directory, stops }, changed: false, stopped: false };
        shards.follow(&so_far.read, begun);
        let over = Arc::new(AtomicBool::new(false));
        let (ends, shards) = (over.clone(), Arc::downgrade(shards));
        let thread = std::thread::Builder::new().name("quorate-follow".into());
        thread.spawn(move || go_on(store.as_ref(), so_far, &shards, &ends)).map_err(|e| {
            Fault::Unavailable { reason: format!("no thread to follow the first shard: {e}") }
        })?;
        Ok(Follower { over, _reader: reader })
    }
}

fn stops_of(store: &dyn Store) -> Result<Stops, Fault> {
    read_state::<StopsMachine>(store, &StreamId::new(StreamKind::Stops, stops_id()))
}

/// How far the first shard was read, and what of it is not in force here yet.
struct SoFar {
    at: Position,
    read: Read,
    changed: bool,
    stopped: bool,
}

fn go_on(store: &dyn Store, mut so_far: SoFar, shards: &Weak<Shards>, over: &AtomicBool) {
    let mut told = false;
    while !over.load(Ordering::Acquire) {
        let begun = Held::begin();
        match so_far.read_on(store) {
            Ok(()) => {
                let Some(shards) = shards.upgrade() else { return };
                if std::mem::take(&mut so_far.changed) {
                    shards.follow(&so_far.read, begun);
                } else {
                    shards.still_followed(begun);
                }
                told = false;
            }
            Err(fault) if !told => {
                tracing::error!(%fault, "the first shard is not read: nothing is answered here until it is");
                told = true;
            }
            Err(_) => {}
        }
        std::thread::sleep(PAUSE);
    }
}

impl SoFar {
    fn read_on(&mut self, store: &dyn Store) -> Result<(), Fault> {
        let end = wait(store.tip())?.position;
        while self.at < end {
            let page = wait(store.scan(self.at, PAGE))?;
            let Some(last) = page.last().map(|record| record.position) else { break };
            for record in page {
                match record.stream.kind {
                    StreamKind::Identity => {
                        self.read.directory.apply(&record.stream.id, &decode(&record.payload)?);
                        self.changed = true;
                    }
                    StreamKind::Stops => self.stopped = true,
                    _ => {}
                }
            }
            self.at = last;
        }
        if self.stopped {
            self.read.stops = stops_of(store)?;
            (self.changed, self.stopped) = (true, false);
        }
        Ok(())
    }
}
