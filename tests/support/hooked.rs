//! A store with something done before every commit: a file written, a gate waited at, a count taken.

use std::sync::Arc;

use quorate_core::kernel::ids::{IdempotencyKey, StreamId};
use quorate_core::kernel::time::Timestamp;
use quorate_journal::{
    Append, Appended, Epoch, Fault, Head, OpenReport, Pending, Position, Pruned, Record, Seq, Snapshot,
    Store, Tip, VerifyCursor, VerifyStep,
};

type BeforeCommit = Box<dyn Fn(&[Append]) -> Result<(), Fault> + Send + Sync>;

pub struct Hooked {
    store: Box<dyn Store>,
    before_commit: BeforeCommit,
}

impl Hooked {
    pub fn new(
        store: impl Store + 'static,
        before_commit: impl Fn(&[Append]) -> Result<(), Fault> + Send + Sync + 'static,
    ) -> Self {
        Hooked { store: Box::new(store), before_commit: Box::new(before_commit) }
    }
}

impl Store for Hooked {
    fn outlives_the_process(&self) -> bool {
        self.store.outlives_the_process()
    }
    fn commit<'a>(&'a self, epoch: Epoch, at: Timestamp, group: &'a [Append]) -> Pending<'a, Vec<Appended>> {
        match (self.before_commit)(group) {
            Ok(()) => self.store.commit(epoch, at, group),
            Err(fault) => Box::pin(std::future::ready(Err(fault))),
        }
    }

    fn acquire<'a>(&'a self, owner: &'a str) -> Pending<'a, Epoch> {
        self.store.acquire(owner)
    }
    fn head<'a>(&'a self, stream: &'a StreamId) -> Pending<'a, Option<Head>> {
        self.store.head(stream)
    }
    fn read<'a>(&'a self, stream: &'a StreamId, after: Seq, limit: usize) -> Pending<'a, Vec<Record>> {
        self.store.read(stream, after, limit)
    }
    fn scan(&self, after: Position, limit: usize) -> Pending<'_, Vec<Record>> {
        self.store.scan(after, limit)
    }
    fn settled_before(&self, before: Position, limit: usize) -> Pending<'_, Vec<Record>> {
        self.store.settled_before(before, limit)
    }
    fn tip(&self) -> Pending<'_, Tip> {
        self.store.tip()
    }
    fn deadlines(
        &self,
        after: Option<(Timestamp, StreamId)>,
        limit: usize,
    ) -> Pending<'_, Vec<(Timestamp, StreamId)>> {
        self.store.deadlines(after, limit)
    }
    fn pruned(&self, after: Position, limit: usize) -> Pending<'_, Vec<Pruned>> {
        self.store.pruned(after, limit)
    }
    fn find_key<'a>(&'a self, key: &'a IdempotencyKey) -> Pending<'a, Option<StreamId>> {
        self.store.find_key(key)
    }
    fn save_snapshot<'a>(&'a self, stream: &'a StreamId, snapshot: Snapshot) -> Pending<'a, ()> {
        self.store.save_snapshot(stream, snapshot)
    }
    fn load_snapshot<'a>(&'a self, stream: &'a StreamId) -> Pending<'a, Option<Snapshot>> {
        self.store.load_snapshot(stream)
    }
    fn save_projection<'a>(&'a self, name: &'a str, at: Position, bytes: Vec<u8>) -> Pending<'a, ()> {
        self.store.save_projection(name, at, bytes)
    }
    fn load_projection<'a>(&'a self, name: &'a str) -> Pending<'a, Option<(Position, Vec<u8>)>> {
        self.store.load_projection(name)
    }
    fn groups(&self, after: u64, max_bytes: usize) -> Pending<'_, Vec<Arc<[u8]>>> {
        self.store.groups(after, max_bytes)
    }
    fn verify(&self, from: VerifyCursor, limit: usize) -> Pending<'_, VerifyStep> {
        self.store.verify(from, limit)
    }
    fn open_report(&self) -> OpenReport {
        self.store.open_report()
    }
    fn close(&self) -> Pending<'_, ()> {
        self.store.close()
    }
}
