//! The port, method by method. Calls block while they are polled.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::super::{lock, verify, walk};
use super::link::Trouble;
use super::owner::Whose;
use super::{Core, PostgresStore};
use crate::{
    Append, Appended, Epoch, Fault, Head, OpenReport, Pending, Position, Record, Seq, Snapshot, Store, Tip,
    VerifyCursor, VerifyStep,
};
use quorate_core::kernel::ids::{IdempotencyKey, StreamId};
use quorate_core::kernel::time::Timestamp;

/// A write of the side tables under way.
pub(super) type Side = Asking<()>;
/// A question to the database under way.
pub(super) type Asking<T> = Pin<Box<dyn Future<Output = Result<T, Trouble>> + Send>>;

impl PostgresStore {
    /// Runs `f` when polled, unless the store refuses work.
    fn call<'a, T: Send + 'a>(
        &'a self,
        f: impl FnOnce(&Arc<Core>) -> Result<T, Fault> + Send + 'a,
    ) -> Pending<'a, T> {
        Box::pin(async move {
            self.core.alive()?;
            f(&self.core)
        })
    }
}

impl Store for PostgresStore {
    fn acquire<'a>(&'a self, owner: &'a str) -> Pending<'a, Epoch> {
        self.call(move |core| core.acquire(owner, Whose::Anybodys))
    }

    fn commit<'a>(&'a self, epoch: Epoch, at: Timestamp, group: &'a [Append]) -> Pending<'a, Vec<Appended>> {
        self.call(move |core| core.commit(epoch, at, group))
    }

    fn head<'a>(&'a self, stream: &'a StreamId) -> Pending<'a, Option<Head>> {
        self.call(|core| Ok(core.head(stream)?.map(|entry| entry.head())))
    }

    fn read<'a>(&'a self, stream: &'a StreamId, after: Seq, limit: usize) -> Pending<'a, Vec<Record>> {
        self.call(move |core| walk::read(&core.seen()?, &core.trails, stream, after, limit))
    }

    fn scan(&self, after: Position, limit: usize) -> Pending<'_, Vec<Record>> {
        self.call(move |core| walk::scan(&core.seen()?, &core.trails, after, limit))
    }

    fn records_at<'a>(&'a self, positions: &'a [Position]) -> Pending<'a, Vec<Record>> {
        self.call(move |core| walk::records_at(&core.seen()?, &core.trails, positions))
    }

    fn settled_before(&self, before: Position, limit: usize) -> Pending<'_, Vec<Record>> {
        self.call(move |core| walk::settled_before(&core.seen()?, &core.trails, before, limit))
    }

    fn tip(&self) -> Pending<'_, Tip> {
        self.call(Core::end)
    }

    fn deadlines(
        &self,
        after: Option<(Timestamp, StreamId)>,
        limit: usize,
    ) -> Pending<'_, Vec<(Timestamp, StreamId)>> {
        self.call(move |core| core.deadlines(after.as_ref(), limit))
    }

    fn find_key<'a>(&'a self, key: &'a IdempotencyKey) -> Pending<'a, Option<StreamId>> {
        self.call(|core| core.key(key))
    }

    fn save_snapshot<'a>(&'a self, stream: &'a StreamId, snapshot: Snapshot) -> Pending<'a, ()> {
        self.call(move |core| core.save_snapshot(stream, snapshot))
    }

    fn load_snapshot<'a>(&'a self, stream: &'a StreamId) -> Pending<'a, Option<Snapshot>> {
        self.call(|core| core.load_snapshot(stream))
    }

    fn save_projection<'a>(&'a self, name: &'a str, at: Position, bytes: Vec<u8>) -> Pending<'a, ()> {
        self.call(move |core| core.save_projection(name, at, bytes))
    }

    fn load_projection<'a>(&'a self, name: &'a str) -> Pending<'a, Option<(Position, Vec<u8>)>> {
        self.call(|core| core.load_projection(name))
    }

    fn groups(&self, after: u64, max_bytes: usize) -> Pending<'_, Vec<Arc<[u8]>>> {
        self.call(move |core| walk::groups(&core.seen()?, after, max_bytes))
    }

    fn verify(&self, from: VerifyCursor, limit: usize) -> Pending<'_, VerifyStep> {
        self.call(move |core| verify::verify(&core.seen()?, from, limit))
    }

    fn open_report(&self) -> OpenReport {
        OpenReport::default()
    }

    fn close(&self) -> Pending<'_, ()> {
        self.call(|core| {
            lock(&core.state).closed = true;
            core.let_go();
            Ok(())
        })
    }
}
