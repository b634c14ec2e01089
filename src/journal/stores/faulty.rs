//! Any store, failing on plan: to find out what an embedding does when the disk fails, call by call.
//!
//! Run once without faults, ask [`FaultyStore::calls`] how many calls there were, then run again once for every
//! call number and [`FaultKind`] and check what is left.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::{
    Append, Appended, Epoch, Fault, Head, OpenReport, Pending, Position, Pruned, Record, Seq, Snapshot,
    Store, Tip, VerifyCursor, VerifyStep,
};
use quorate_core::kernel::ids::{IdempotencyKey, StreamId};
use quorate_core::kernel::time::Timestamp;

/// How a planned call fails. All answer [`Fault::Unavailable`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// Nothing is done. Later calls work.
    FailBefore,
    /// Everything is done, the answer is lost. Later calls work.
    FailAfter,
    /// Nothing is done and every later call fails: the process died before the call.
    CutBefore,
    /// Everything is done and every later call fails: the process died before it could see the answer.
    CutAfter,
    /// The first half of a commit is done (of an odd number, the smaller half; joined appends are not parted) and
    /// every later call fails: the process died during the commit. For other calls the same as [`FaultKind::CutBefore`].
    CutInside,
}

impl FaultKind {
    /// Every kind.
    pub const ALL: [FaultKind; 5] = [
        FaultKind::FailBefore,
        FaultKind::FailAfter,
        FaultKind::CutBefore,
        FaultKind::CutAfter,
        FaultKind::CutInside,
    ];

    fn cuts(self) -> bool {
        match self {
            FaultKind::FailBefore | FaultKind::FailAfter => false,
            FaultKind::CutBefore | FaultKind::CutAfter | FaultKind::CutInside => true,
        }
    }

    fn is_done(self) -> bool {
        match self {
            FaultKind::FailAfter | FaultKind::CutAfter => true,
            FaultKind::FailBefore | FaultKind::CutBefore | FaultKind::CutInside => false,
        }
    }
}

/// One fault to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedFault {
    /// Which call fails, counted from 1 over all calls of the store.
    pub call: u64,
    /// How it fails.
    pub kind: FaultKind,
}

/// Wraps a store and lets planned calls fail. Counts every method of the port except
/// [`Store::open_report`], when its future is first polled.
pub struct FaultyStore {
    inner: Arc<dyn Store>,
    plan: Vec<PlannedFault>,
    calls: AtomicU64,
    cut: AtomicBool,
}

impl std::fmt::Debug for FaultyStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let calls = self.calls();
        f.debug_struct("FaultyStore").field("plan", &self.plan).field("calls", &calls).finish_non_exhaustive()
    }
}

impl FaultyStore {
    /// Wraps `inner`; an empty plan changes nothing.
    pub fn new(inner: Arc<dyn Store>, plan: Vec<PlannedFault>) -> Self {
        FaultyStore { inner, plan, calls: AtomicU64::new(0), cut: AtomicBool::new(false) }
    }

    /// Wraps `inner` with one fault at call number `call`, counted from 1.
    pub fn with_fault(inner: Arc<dyn Store>, call: u64, kind: FaultKind) -> Self {
        Self::new(inner, vec![PlannedFault { call, kind }])
    }

    /// How many calls were made so far, failed ones included.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    /// Counts a call and says how it is to fail, if at all.
    fn next_call(&self) -> Result<Option<PlannedFault>, Fault> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        if self.cut.load(Ordering::SeqCst) {
            return Err(Fault::Unavailable {
                reason: format!("planned cut before call {call}; reopen the store"),
            });
        }
        let planned = self.plan.iter().find(|fault| fault.call == call).copied();
        if planned.is_some_and(|fault| fault.kind.cuts()) {
            self.cut.store(true, Ordering::SeqCst);
        }
        Ok(planned)
    }

    fn through<'a, T: Send + 'a>(&'a self, call: Pending<'a, T>) -> Pending<'a, T> {
        Box::pin(async move {
            let Some(fault) = self.next_call()? else { return call.await };
            if fault.kind.is_done() {
                call.await?;
            }
            Err(planned(fault))
        })
    }
}

fn planned(fault: PlannedFault) -> Fault {
    Fault::Unavailable { reason: format!("planned fault. call={}, kind={:?}", fault.call, fault.kind) }
}

impl Store for FaultyStore {
    fn outlives_the_process(&self) -> bool {
        self.inner.outlives_the_process()
    }

    fn acquire<'a>(&'a self, owner: &'a str) -> Pending<'a, Epoch> {
        self.through(self.inner.acquire(owner))
    }

    fn commit<'a>(&'a self, epoch: Epoch, at: Timestamp, group: &'a [Append]) -> Pending<'a, Vec<Appended>> {
        Box::pin(async move {
            let Some(fault) = self.next_call()? else { return self.inner.commit(epoch, at, group).await };
            if fault.kind == FaultKind::CutInside {
                let half = (0..=group.len() / 2).rev().find(|at| group.get(*at).is_none_or(|a| !a.joined));
                self.inner.commit(epoch, at, &group[..half.unwrap_or(0)]).await?;
            } else if fault.kind.is_done() {
                self.inner.commit(epoch, at, group).await?;
            }
            Err(planned(fault))
        })
    }

    fn head<'a>(&'a self, stream: &'a StreamId) -> Pending<'a, Option<Head>> {
        self.through(self.inner.head(stream))
    }

    fn read<'a>(&'a self, stream: &'a StreamId, after: Seq, limit: usize) -> Pending<'a, Vec<Record>> {
        self.through(self.inner.read(stream, after, limit))
    }

    fn scan(&self, after: Position, limit: usize) -> Pending<'_, Vec<Record>> {
        self.through(self.inner.scan(after, limit))
    }

    fn pruned(&self, after: Position, limit: usize) -> Pending<'_, Vec<Pruned>> {
        self.through(self.inner.pruned(after, limit))
    }

    fn records_at<'a>(&'a self, positions: &'a [Position]) -> Pending<'a, Vec<Record>> {
        self.through(self.inner.records_at(positions))
    }

    fn settled_before(&self, before: Position, limit: usize) -> Pending<'_, Vec<Record>> {
        self.through(self.inner.settled_before(before, limit))
    }

    fn tip(&self) -> Pending<'_, Tip> {
        self.through(self.inner.tip())
    }

    fn deadlines(
        &self,
        after: Option<(Timestamp, StreamId)>,
        limit: usize,
    ) -> Pending<'_, Vec<(Timestamp, StreamId)>> {
        self.through(self.inner.deadlines(after, limit))
    }

    fn find_key<'a>(&'a self, key: &'a IdempotencyKey) -> Pending<'a, Option<StreamId>> {
        self.through(self.inner.find_key(key))
    }

    fn save_snapshot<'a>(&'a self, stream: &'a StreamId, snapshot: Snapshot) -> Pending<'a, ()> {
        self.through(self.inner.save_snapshot(stream, snapshot))
    }

    fn load_snapshot<'a>(&'a self, stream: &'a StreamId) -> Pending<'a, Option<Snapshot>> {
        self.through(self.inner.load_snapshot(stream))
    }

    fn save_projection<'a>(&'a self, name: &'a str, at: Position, bytes: Vec<u8>) -> Pending<'a, ()> {
        self.through(self.inner.save_projection(name, at, bytes))
    }

    fn load_projection<'a>(&'a self, name: &'a str) -> Pending<'a, Option<(Position, Vec<u8>)>> {
        self.through(self.inner.load_projection(name))
    }

    fn save_note<'a>(&'a self, note: &'a [u8], synced: bool) -> Pending<'a, ()> {
        self.through(self.inner.save_note(note, synced))
    }

    fn load_note(&self) -> Pending<'_, Option<Vec<u8>>> {
        self.through(self.inner.load_note())
    }

    fn groups(&self, after: u64, max_bytes: usize) -> Pending<'_, Vec<Arc<[u8]>>> {
        self.through(self.inner.groups(after, max_bytes))
    }

    fn verify(&self, from: VerifyCursor, limit: usize) -> Pending<'_, VerifyStep> {
        self.through(self.inner.verify(from, limit))
    }

    fn open_report(&self) -> OpenReport {
        self.inner.open_report()
    }

    fn close(&self) -> Pending<'_, ()> {
        self.through(self.inner.close())
    }
}

#[cfg(test)]
#[path = "faulty_test.rs"]
mod tests;
