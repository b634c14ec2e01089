//! A store in memory: the reference for the others, and the disk of simulated crashes.
//!
//! What a [`MemoryStore`] holds outlives the handle: drop the runtime, [`MemoryStore::reopen`] and go on with
//! exactly the committed groups.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::heads::{Entry, Index};
use super::plan::{Limits, plan};
use super::walk::{GroupBytes, Trails, View};
use super::{StoreOptions, lock, verify, walk};
use crate::{
    Append, Appended, ChainHash, Epoch, Fault, Head, OpenReport, Pending, Position, Record, Seq, Snapshot,
    Store, Tip, VerifyCursor, VerifyStep,
};
use quorate_core::kernel::ids::{IdempotencyKey, StreamId};
use quorate_core::kernel::time::Timestamp;

/// A journal in memory. Handles made by [`MemoryStore::reopen`] share it.
#[derive(Debug)]
pub struct MemoryStore {
    disk: Arc<Mutex<Disk>>,
    trails: Trails,
    closed: AtomicBool,
    group_bytes: usize,
}

/// What survives a simulated crash.
#[derive(Debug)]
struct Disk {
    epoch: Epoch,
    groups: Vec<Arc<[u8]>>,
    index: Index,
    tip: Tip,
    snapshots: HashMap<StreamId, Snapshot>,
    projections: BTreeMap<String, (Position, Vec<u8>)>,
}

impl View for Disk {
    fn tip(&self) -> Tip {
        self.tip.clone()
    }

    fn entry(&self, stream: &StreamId) -> Result<Option<Entry>, Fault> {
        Ok(self.index.entry(stream).cloned())
    }

    fn key(&self, key: &IdempotencyKey) -> Result<Option<StreamId>, Fault> {
        Ok(self.index.key(key).cloned())
    }

    fn group(&self, number: u64) -> Result<Option<GroupBytes>, Fault> {
        let at = usize::try_from(number).ok().and_then(|n| n.checked_sub(1));
        Ok(at.and_then(|at| self.groups.get(at)).cloned().map(GroupBytes::whole))
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// An empty journal.
    pub fn new() -> Self {
        Self::with_options(&StoreOptions::default())
    }

    /// An empty journal whose groups are at most `slot_bytes` large; the other options do not matter here.
    pub fn with_options(options: &StoreOptions) -> Self {
        let disk = Disk {
            epoch: 0,
            groups: Vec::new(),
            index: Index::default(),
            tip: Tip { position: 0, group: 0, at: Timestamp::MIN, hash: ChainHash::default() },
            snapshots: HashMap::new(),
            projections: BTreeMap::new(),
        };
        Self::over(Arc::new(Mutex::new(disk)), options.bounded().slot_bytes)
    }

    /// A fresh handle to the same journal, as after a crash: committed groups are there, this handle is neither
    /// closed nor poisoned. Older handles go on working until [`Store::acquire`] fences them.
    pub fn reopen(&self) -> Self {
        Self::over(self.disk.clone(), self.group_bytes)
    }

    fn over(disk: Arc<Mutex<Disk>>, group_bytes: usize) -> Self {
        MemoryStore { disk, trails: Trails::default(), closed: AtomicBool::new(false), group_bytes }
    }

    fn with<'a, T: Send + 'a>(&'a self, f: impl FnOnce(&mut Disk) -> T + Send + 'a) -> Pending<'a, T> {
        Box::pin(async move { Ok(f(&mut lock(&self.disk))) })
    }

    fn try_with<'a, T: Send + 'a>(
        &'a self,
        f: impl FnOnce(&mut Disk) -> Result<T, Fault> + Send + 'a,
    ) -> Pending<'a, T> {
        Box::pin(async move { f(&mut lock(&self.disk)) })
    }
}

impl Disk {
    fn commit(
        &mut self,
        (epoch, at): (Epoch, Timestamp),
        appends: &[Append],
        group_bytes: usize,
    ) -> Result<Vec<Appended>, Fault> {
        if epoch != self.epoch {
            return Err(Fault::Fenced { held: self.epoch, given: epoch });
        }
        let limits = Limits { group_bytes, groups: usize::MAX };
        let plan = plan(self, &self.tip, (epoch, at), appends, limits)?;
        self.groups.extend(plan.groups);
        self.index.apply(plan.changes);
        self.tip = plan.tip;
        Ok(plan.answers)
    }
}

impl Store for MemoryStore {
    fn outlives_the_process(&self) -> bool {
        false
    }

    fn acquire<'a>(&'a self, _owner: &'a str) -> Pending<'a, Epoch> {
        self.with(|disk| {
            disk.epoch += 1;
            disk.epoch
        })
    }

    fn commit<'a>(&'a self, epoch: Epoch, at: Timestamp, group: &'a [Append]) -> Pending<'a, Vec<Appended>> {
        self.try_with(move |disk| {
            if self.closed.load(Ordering::Relaxed) {
                return Err(Fault::Unavailable { reason: "it was closed; open it again".into() });
            }
            disk.commit((epoch, at), group, self.group_bytes)
        })
    }

    fn head<'a>(&'a self, stream: &'a StreamId) -> Pending<'a, Option<Head>> {
        self.with(|disk| disk.index.entry(stream).map(Entry::head))
    }

    fn read<'a>(&'a self, stream: &'a StreamId, after: Seq, limit: usize) -> Pending<'a, Vec<Record>> {
        self.try_with(move |disk| walk::read(disk, &self.trails, stream, after, limit))
    }

    fn scan(&self, after: Position, limit: usize) -> Pending<'_, Vec<Record>> {
        self.try_with(move |disk| walk::scan(disk, &self.trails, after, limit))
    }

    fn records_at<'a>(&'a self, positions: &'a [Position]) -> Pending<'a, Vec<Record>> {
        self.try_with(move |disk| walk::records_at(disk, &self.trails, positions))
    }

    fn settled_before(&self, before: Position, limit: usize) -> Pending<'_, Vec<Record>> {
        self.try_with(move |disk| walk::settled_before(disk, &self.trails, before, limit))
    }

    fn tip(&self) -> Pending<'_, Tip> {
        self.with(|disk| disk.tip.clone())
    }

    fn deadlines(
        &self,
        after: Option<(Timestamp, StreamId)>,
        limit: usize,
    ) -> Pending<'_, Vec<(Timestamp, StreamId)>> {
        self.with(move |disk| disk.index.deadlines(after.as_ref()).take(limit).cloned().collect())
    }

    fn find_key<'a>(&'a self, key: &'a IdempotencyKey) -> Pending<'a, Option<StreamId>> {
        self.with(|disk| disk.index.key(key).cloned())
    }

    fn save_snapshot<'a>(&'a self, stream: &'a StreamId, snapshot: Snapshot) -> Pending<'a, ()> {
        self.with(move |disk| {
            disk.snapshots.insert(stream.clone(), snapshot);
        })
    }

    fn load_snapshot<'a>(&'a self, stream: &'a StreamId) -> Pending<'a, Option<Snapshot>> {
        self.with(|disk| {
            let revision = disk.index.entry(stream).map_or(0, |entry| entry.revision);
            disk.snapshots.get(stream).filter(|snapshot| snapshot.revision <= revision).cloned()
        })
    }

    fn save_projection<'a>(&'a self, name: &'a str, at: Position, bytes: Vec<u8>) -> Pending<'a, ()> {
        self.with(move |disk| {
            disk.projections.insert(name.to_owned(), (at, bytes));
        })
    }

    fn load_projection<'a>(&'a self, name: &'a str) -> Pending<'a, Option<(Position, Vec<u8>)>> {
        self.with(|disk| disk.projections.get(name).filter(|(at, _)| *at <= disk.tip.position).cloned())
    }

    fn groups(&self, after: u64, max_bytes: usize) -> Pending<'_, Vec<Arc<[u8]>>> {
        self.try_with(move |disk| walk::groups(disk, after, max_bytes))
    }

    fn verify(&self, from: VerifyCursor, limit: usize) -> Pending<'_, VerifyStep> {
        self.try_with(move |disk| verify::verify(disk, from, limit))
    }

    fn open_report(&self) -> OpenReport {
        OpenReport::default()
    }

    fn close(&self) -> Pending<'_, ()> {
        self.with(|_| self.closed.store(true, Ordering::Relaxed))
    }
}

#[cfg(test)]
#[path = "memory_test.rs"]
mod tests;
