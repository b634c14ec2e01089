//! The port of a store, for reading alone.

use std::sync::Arc;

use super::super::{verify, walk};
use super::ReadStore;
use crate::group::Group;
use crate::{
    Append, Appended, Broken, Epoch, Fault, Head, OpenReport, Pending, Position, Pruned, Record, Seq,
    Snapshot, Store, Tip, VerifyCursor, VerifyStep,
};
use quorate_core::kernel::ids::{IdempotencyKey, StreamId};
use quorate_core::kernel::time::Timestamp;

fn refused<'a, T: Send + 'a>() -> Pending<'a, T> {
    Box::pin(async {
        Err(Fault::Unavailable { reason: "the folder is open for reading only; nothing was written".into() })
    })
}

fn call<'a, T: Send + 'a>(read: impl FnOnce() -> Result<T, Fault> + Send + 'a) -> Pending<'a, T> {
    Box::pin(async move { read() })
}

impl ReadStore {
    /// Records of the groups there are; gaps are stepped over.
    fn scan_line(&self, after: Position, limit: usize) -> Result<Vec<Record>, Fault> {
        let mut out = Vec::new();
        let start = self.line.partition_point(|found| found.header.last_position() <= after);
        for found in &self.line[start..] {
            let bytes = self.sound(found)?;
            for frame in Group::parse(&bytes)?.frames() {
                let records = frame?.records()?.into_iter().filter(|record| record.position > after);
                out.extend(records.take(limit - out.len()));
                if out.len() == limit {
                    return Ok(out);
                }
            }
        }
        Ok(out)
    }

    fn settled_in_line(&self, before: Position, limit: usize) -> Result<Vec<Record>, Fault> {
        let mut out = Vec::new();
        let end = self.line.partition_point(|found| found.header.first_position < before);
        for found in self.line[..end].iter().rev() {
            let bytes = self.sound(found)?;
            let frames = Group::parse(&bytes)?.frames_that_settle().collect::<Result<Vec<_>, _>>()?;
            for frame in frames.into_iter().rev().filter(|frame| frame.last_position() < before) {
                if out.len() == limit {
                    return Ok(out);
                }
                out.extend(frame.records()?.pop());
            }
        }
        Ok(out)
    }

    fn verify_step(&self, from: VerifyCursor, limit: usize) -> Result<VerifyStep, Fault> {
        let mut step = verify::verify(self, from, limit)?;
        if let Some(broken) = &mut step.broken {
            self.locate(broken);
        } else if step.done
            && let Some(why) = self.damage.sentence()
        {
            // Everything that is there fits; what is not there stood behind it.
            let gap = self.damage.gaps.first();
            let record = self.damage.streams.iter().next().map(|(stream, seq)| (stream.clone(), *seq));
            step.broken = Some(Broken {
                group: gap.map_or(self.tip.group, |gap| gap.first_group),
                position: gap.map(|gap| gap.first_position),
                record,
                why,
            });
        }
        Ok(step)
    }

    /// Adds where the broken group stands, and what it begins with.
    fn locate(&self, broken: &mut Broken) {
        let gap =
            self.damage.gaps.iter().find(|gap| (gap.first_group..=gap.last_group).contains(&broken.group));
        if let Some(gap) = gap {
            broken.position = broken.position.or(Some(gap.first_position));
        }
        let place = match self.suspects.get(&broken.group) {
            Some(suspect) => Some((self.files.path(suspect.place.file).to_owned(), suspect.place.offset)),
            None => gap.and_then(|gap| gap.place.clone()),
        };
        if let Some((path, offset)) = place {
            broken.why.push_str(&format!(". file={}, offset={offset}", path.display()));
        }
    }
}

impl Store for ReadStore {
    fn acquire<'a>(&'a self, _owner: &'a str) -> Pending<'a, Epoch> {
        refused()
    }

    fn commit<'a>(
        &'a self,
        _epoch: Epoch,
        _at: Timestamp,
        _group: &'a [Append],
    ) -> Pending<'a, Vec<Appended>> {
        refused()
    }

    fn head<'a>(&'a self, stream: &'a StreamId) -> Pending<'a, Option<Head>> {
        call(|| walk::head(self, stream))
    }

    fn read<'a>(&'a self, stream: &'a StreamId, after: Seq, limit: usize) -> Pending<'a, Vec<Record>> {
        call(move || walk::read(self, &self.trails, stream, after, limit))
    }

    fn scan(&self, after: Position, limit: usize) -> Pending<'_, Vec<Record>> {
        call(move || self.scan_line(after, limit))
    }

    fn pruned(&self, after: Position, limit: usize) -> Pending<'_, Vec<Pruned>> {
        call(move || walk::pruned(self, &self.trails, after, limit))
    }

    fn settled_before(&self, before: Position, limit: usize) -> Pending<'_, Vec<Record>> {
        call(move || self.settled_in_line(before, limit))
    }

    fn tip(&self) -> Pending<'_, Tip> {
        call(|| Ok(self.tip.clone()))
    }

    fn deadlines(
        &self,
        after: Option<(Timestamp, StreamId)>,
        limit: usize,
    ) -> Pending<'_, Vec<(Timestamp, StreamId)>> {
        call(move || Ok(self.index.deadlines(after.as_ref()).take(limit).cloned().collect()))
    }

    fn find_key<'a>(&'a self, key: &'a IdempotencyKey) -> Pending<'a, Option<StreamId>> {
        call(|| walk::find_key(self, key))
    }

    fn save_snapshot<'a>(&'a self, _stream: &'a StreamId, _snapshot: Snapshot) -> Pending<'a, ()> {
        refused()
    }

    fn load_snapshot<'a>(&'a self, _stream: &'a StreamId) -> Pending<'a, Option<Snapshot>> {
        call(|| Ok(None))
    }

    fn save_projection<'a>(&'a self, _name: &'a str, _at: Position, _bytes: Vec<u8>) -> Pending<'a, ()> {
        refused()
    }

    fn load_projection<'a>(&'a self, _name: &'a str) -> Pending<'a, Option<(Position, Vec<u8>)>> {
        call(|| Ok(None))
    }

    fn groups(&self, after: u64, max_bytes: usize) -> Pending<'_, Vec<Arc<[u8]>>> {
        call(move || walk::groups(self, after, max_bytes))
    }

    fn verify(&self, from: VerifyCursor, limit: usize) -> Pending<'_, VerifyStep> {
        call(move || self.verify_step(from, limit))
    }

    fn open_report(&self) -> OpenReport {
        let dropped = self.damage.sentence().into_iter().collect();
        OpenReport { dropped, refusal: self.refusal.clone(), ..OpenReport::default() }
    }

    fn close(&self) -> Pending<'_, ()> {
        call(|| Ok(()))
    }
}
