//! Opens each store in turn and builds small appends.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use quorate_core::kernel::ids::{EntityId, IdempotencyKey, StreamId, StreamKind};
use quorate_core::kernel::time::Timestamp;
use quorate_journal::codec::AppendBuilder;
use quorate_journal::stores::faulty::FaultyStore;
use quorate_journal::stores::{DatabaseUrl, Durability, STORES, StoreEntry, StoreOptions};
use quorate_journal::{Append, ChainHash, Due, Fault, Pending, Seq, Store};
use tempfile::TempDir;

/// Stores answer while they are polled.
pub fn now<T>(mut pending: Pending<'_, T>) -> Result<T, Fault> {
    match pending.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("a store answers when polled once"),
    }
}

pub fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

pub fn stream(name: &str) -> StreamId {
    StreamId::new(StreamKind::Quorum, EntityId::new(name).unwrap())
}

pub fn key(name: &str) -> IdempotencyKey {
    IdempotencyKey::new(name).unwrap()
}

/// An append of text events.
pub fn append(stream: &StreamId, known: (Seq, ChainHash), events: &[&str], due: Due) -> Append {
    let mut builder = AppendBuilder::new(stream.clone(), known.0, known.1);
    for event in events {
        builder.push(at(7), event).unwrap();
    }
    builder.finish(due, None)
}

/// The first append of a stream.
pub fn first(name: &str) -> Append {
    append(&stream(name), (0, ChainHash::default()), &["born"], Due::Unchanged)
}

/// A place where one kind of store can be opened again and again.
pub struct Place {
    pub entry: &'static StoreEntry,
    pub options: StoreOptions,
    wrapped: bool,
    _dir: TempDir,
}

impl Place {
    /// Opens the store; a store that is not persistent starts empty each time.
    pub fn open(&self) -> Arc<dyn Store> {
        let store = (self.entry.open)(&self.options).unwrap();
        if self.wrapped { Arc::new(FaultyStore::new(store, Vec::new())) } else { store }
    }
}

/// One place per store and wrapping, with a small ring so that it wraps around often.
pub fn places() -> Vec<Place> {
    let mut out = Vec::new();
    for entry in STORES {
        for wrapped in [false, true] {
            let dir = TempDir::new().unwrap();
            let mut url = None;
            if entry.database {
                let Some(server) = super::postgres::server() else { continue };
                url = DatabaseUrl::of(&server.fresh());
            }
            let options = StoreOptions {
                url,
                path: Some(dir.path().join("data")),
                durability: Durability::Process,
                slots: 4,
                slot_bytes: 1_000,
                pack_bytes: 2_000,
                ..StoreOptions::default()
            };
            out.push(Place { entry, options, wrapped, _dir: dir });
        }
    }
    out
}

/// Runs a test body for every store, each time on an empty one.
pub fn for_every_store(body: impl Fn(&Place, Arc<dyn Store>)) {
    for place in places() {
        println!("store: {}, wrapped: {}", place.entry.name, place.wrapped);
        let store = place.open();
        body(&place, store);
    }
}
