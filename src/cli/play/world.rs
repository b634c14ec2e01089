//! The world a script runs in: a runtime on a manual clock, and the journal that outlives its crashes.

use std::sync::Arc;

use crate::open::Place;
use quorate_runtime::api::Quorate;
use quorate_runtime::api::dto::{EventView, HistoryQuery};
use quorate_runtime::config::{ClockConfig, Config};
use quorate_runtime::core::kernel::time::Timestamp;
use quorate_runtime::error::{Error, ErrorKind};
use quorate_runtime::journal::Position;
use quorate_runtime::shell::post::{Lossy, NetworkFaults, Transport};

/// Events read at a time.
const PAGE: i64 = 1000;

/// A runtime, one life after the other, on one journal.
pub(super) struct World {
    // Ends before the place does: a temporary folder is removed only when nothing uses it.
    q: Option<Quorate>,
    place: Place,
    seed: u64,
    seen: Position,
    /// What goes wrong between gates, managers and workers.
    faults: Option<NetworkFaults>,
}

impl World {
    /// Opens the journal at `start`, or at its last commit if that is later.
    ///
    /// # Errors
    /// Those of [`Quorate::open`].
    pub(super) async fn begin(place: Place, seed: u64, start: Timestamp) -> Result<Self, Error> {
        let (q, seen) = life(&place, seed, start, false, None).await?;
        Ok(World { q: Some(q), place, seed, seen, faults: None })
    }

    /// The runtime of this life.
    pub(super) fn q(&self) -> &Quorate {
        match &self.q {
            Some(q) => q,
            None => unreachable!("a world without a runtime is dropped at once"),
        }
    }

    /// Ends this life as a kill would and begins the next at `to`.
    ///
    /// # Errors
    /// Those of [`Quorate::open`]; the world is at its end then.
    pub(super) async fn crash(&mut self, to: Timestamp) -> Result<(), Error> {
        if let Some(q) = self.q.take() {
            q.crash().await;
        }
        let (q, _) = life(&self.place, self.seed, to, true, self.faults.clone()).await?;
        self.q = Some(q);
        Ok(())
    }

    /// Lets this go wrong from now on, also in later lives.
    pub(super) fn network(&mut self, faults: NetworkFaults) {
        self.q().network_faults(faults.clone());
        self.faults = Some(faults);
    }

    /// The next page of events that were recorded since the world began and not yet asked for; empty at the end.
    ///
    /// # Errors
    /// Those of `history.query`.
    pub(super) async fn next_events(&mut self) -> Result<Vec<EventView>, Error> {
        let query = HistoryQuery {
            cursor: Some(self.seen.to_string()),
            limit: Some(PAGE),
            ..HistoryQuery::default()
        };
        let page = self.q().history().query(query).await?;
        if let Some(last) = page.events.last() {
            self.seen = last.position;
        }
        Ok(page.events)
    }

    /// Ends the last life cleanly.
    ///
    /// # Errors
    /// Those of [`Quorate::close`].
    pub(super) async fn end(mut self) -> Result<(), Error> {
        match self.q.take() {
            Some(q) => q.close().await,
            None => Err(Error::new(ErrorKind::StoreError, "the runtime has ended already")),
        }
    }
}

/// Opens a runtime; also answers how far the journal reached before.
async fn life(
    place: &Place,
    seed: u64,
    at: Timestamp,
    after_crash: bool,
    faults: Option<NetworkFaults>,
) -> Result<(Quorate, Position), Error> {
    let store = place.open(after_crash).await?;
    let position = store.tip().await?.position;
    let config = Config {
        // A folder for this script alone ends with it, as memory does.
        store: if place.keys().is_some() { place.store_name() } else { "memory" }.into(),
        subject_keys: place.keys(),
        clock: ClockConfig::Manual(at),
        // Every life mints other ids from it.
        seed: Some(seed),
        entity_threads: 1,
        transport: faults.map(|faults| Arc::new(Lossy::new(faults)) as Arc<dyn Transport>),
        ..Config::default()
    };
    Ok((Quorate::open_with(config, store).await?, position))
}
