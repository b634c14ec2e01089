//! The port, method by method. Calls block while they are polled.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::super::layout::corrupt;
use super::super::walk::View;
use super::super::{verify, walk};
use super::{FjallStore, Shared};
use crate::{
    Append, Appended, Epoch, Fault, Head, OpenReport, Pending, Position, Pruned, Record, Seq, Snapshot,
    Store, Tip, VerifyCursor, VerifyStep,
};
use quorate_core::kernel::ids::{IdempotencyKey, StreamId};
use quorate_core::kernel::time::Timestamp;

impl FjallStore {
    /// Runs `f` when polled, unless the store refuses work.
    fn call<'a, T: Send + 'a>(
        &'a self,
        f: impl FnOnce(&Shared) -> Result<T, Fault> + Send + 'a,
    ) -> Pending<'a, T> {
        Box::pin(async move {
            self.shared.alive()?;
            // What the engine asserts of its files was looked at before; one that changes under it may still end it.
            let answer = catch_unwind(AssertUnwindSafe(|| f(&self.shared)));
            answer.unwrap_or_else(|_| {
                let fault = corrupt("the database gave up");
                self.shared.refuse(&fault.to_string());
                Err(fault)
            })
        })
    }
}

impl Store for FjallStore {
    fn acquire<'a>(&'a self, owner: &'a str) -> Pending<'a, Epoch> {
        self.call(move |shared| shared.acquire(owner))
    }

    fn commit<'a>(&'a self, epoch: Epoch, at: Timestamp, group: &'a [Append]) -> Pending<'a, Vec<Appended>> {
        self.call(move |shared| shared.commit(epoch, at, group))
    }

    fn head<'a>(&'a self, stream: &'a StreamId) -> Pending<'a, Option<Head>> {
        self.call(|shared| walk::head(shared, stream))
    }

    fn read<'a>(&'a self, stream: &'a StreamId, after: Seq, limit: usize) -> Pending<'a, Vec<Record>> {
        self.call(move |shared| walk::read(shared, &shared.trails, stream, after, limit))
    }

    fn scan(&self, after: Position, limit: usize) -> Pending<'_, Vec<Record>> {
        self.call(move |shared| walk::scan(shared, &shared.trails, after, limit))
    }

    fn pruned(&self, after: Position, limit: usize) -> Pending<'_, Vec<Pruned>> {
        self.call(move |shared| walk::pruned(shared, &shared.trails, after, limit))
    }

    fn records_at<'a>(&'a self, positions: &'a [Position]) -> Pending<'a, Vec<Record>> {
        self.call(move |shared| walk::records_at(shared, &shared.trails, positions))
    }

    fn settled_before(&self, before: Position, limit: usize) -> Pending<'_, Vec<Record>> {
        self.call(move |shared| walk::settled_before(shared, &shared.trails, before, limit))
    }

    fn tip(&self) -> Pending<'_, Tip> {
        self.call(|shared| Ok(shared.tip()))
    }

    fn deadlines(
        &self,
        after: Option<(Timestamp, StreamId)>,
        limit: usize,
    ) -> Pending<'_, Vec<(Timestamp, StreamId)>> {
        self.call(move |shared| shared.disk.deadlines(after.as_ref(), limit))
    }

    fn find_key<'a>(&'a self, key: &'a IdempotencyKey) -> Pending<'a, Option<StreamId>> {
        self.call(|shared| walk::find_key(shared, key))
    }

    fn save_snapshot<'a>(&'a self, stream: &'a StreamId, snapshot: Snapshot) -> Pending<'a, ()> {
        self.call(move |shared| shared.save_snapshot(stream, &snapshot))
    }

    fn load_snapshot<'a>(&'a self, stream: &'a StreamId) -> Pending<'a, Option<Snapshot>> {
        self.call(|shared| shared.load_snapshot(stream))
    }

    fn save_projection<'a>(&'a self, name: &'a str, at: Position, bytes: Vec<u8>) -> Pending<'a, ()> {
        self.call(move |shared| shared.save_projection(name, at, &bytes))
    }

    fn load_projection<'a>(&'a self, name: &'a str) -> Pending<'a, Option<(Position, Vec<u8>)>> {
        self.call(|shared| shared.load_projection(name))
    }

    fn save_note<'a>(&'a self, note: &'a [u8], synced: bool) -> Pending<'a, ()> {
        self.call(move |shared| shared.note.save(note, synced))
    }

    fn load_note(&self) -> Pending<'_, Option<Vec<u8>>> {
        self.call(|shared| Ok(shared.note.load()))
    }

    fn groups(&self, after: u64, max_bytes: usize) -> Pending<'_, Vec<Arc<[u8]>>> {
        self.call(move |shared| walk::groups(shared, after, max_bytes))
    }

    fn verify(&self, from: VerifyCursor, limit: usize) -> Pending<'_, VerifyStep> {
        self.call(move |shared| verify::verify(shared, from, limit))
    }

    fn open_report(&self) -> OpenReport {
        self.report.clone()
    }

    fn close(&self) -> Pending<'_, ()> {
        self.call(|shared| shared.close())
    }
}
