//! The naive twin: all records in a vector, every answer by looking at all of them.

use std::collections::BTreeMap;

use quorate_core::kernel::ids::{IdempotencyKey, StreamId};
use quorate_core::kernel::time::Timestamp;
use quorate_journal::codec::{self, AppendBuilder};
use quorate_journal::{Append, Appended, ChainHash, Due, Head, Position, Record, Seq, Store, VerifyCursor};

use super::support::now;

#[derive(Default)]
pub struct Twin {
    pub records: Vec<Record>,
    pub heads: BTreeMap<StreamId, Head>,
    pub keys: BTreeMap<IdempotencyKey, StreamId>,
}

/// An append and the records it becomes, without their positions.
pub struct Wanted {
    pub append: Append,
    records: Vec<Record>,
}

impl Wanted {
    pub fn new(
        stream: &StreamId,
        known: (Seq, ChainHash),
        events: &[String],
        at: Timestamp,
        due: Due,
        key: Option<IdempotencyKey>,
    ) -> Self {
        let mut whole = AppendBuilder::new(stream.clone(), known.0, known.1);
        let mut hash = known.1;
        let mut records = Vec::new();
        for (seq, event) in (known.0 + 1..).zip(events) {
            whole.push(at, event).unwrap();
            let mut one = AppendBuilder::new(stream.clone(), seq - 1, hash);
            one.push(at, event).unwrap();
            hash = one.finish(Due::Unchanged, None).hash;
            let payload = codec::encode(event).unwrap();
            records.push(Record {
                position: 0,
                stream: stream.clone(),
                seq,
                at,
                by: None,
                payload,
                hash,
                settles: false,
            });
        }
        records.last_mut().unwrap().settles = due == Due::Clear;
        Wanted { append: whole.finish(due, key), records }
    }
}

impl Twin {
    pub fn known(&self, stream: &StreamId) -> (Seq, ChainHash) {
        self.heads.get(stream).map(|head| (head.revision, head.hash)).unwrap_or_default()
    }

    /// Commits appends that stand or fall together.
    pub fn commit(&mut self, unit: &[Wanted]) -> Vec<Appended> {
        let refusals: Vec<_> = unit.iter().map(|wanted| self.refusal(wanted)).collect();
        if refusals.iter().any(Option::is_some) {
            return refusals.into_iter().map(|refusal| refusal.unwrap_or(Appended::Withheld)).collect();
        }
        unit.iter().map(|wanted| self.apply(wanted)).collect()
    }

    fn refusal(&self, wanted: &Wanted) -> Option<Appended> {
        let Append { stream, expected, key, .. } = &wanted.append;
        if let Some(taken) = key.as_ref().and_then(|key| self.keys.get(key)) {
            return Some(Appended::KeyTaken(taken.clone()));
        }
        let actual = self.known(stream).0;
        (actual != *expected).then_some(Appended::Conflict { actual })
    }

    fn apply(&mut self, wanted: &Wanted) -> Appended {
        let Append { stream, expected, hash, due, key, .. } = &wanted.append;
        for record in &wanted.records {
            self.records.push(Record { position: self.records.len() as Position + 1, ..record.clone() });
        }
        let before = self.heads.get(stream).and_then(|head| head.due);
        let due = match due {
            Due::Unchanged => before,
            Due::At(t) => Some(*t),
            Due::Clear => None,
        };
        let revision = expected + wanted.records.len() as u64;
        self.heads.insert(stream.clone(), Head { revision, hash: *hash, due });
        if let Some(key) = key {
            self.keys.insert(key.clone(), stream.clone());
        }
        Appended::Done(self.records.len() as Position)
    }

    fn deadlines(&self) -> Vec<(Timestamp, StreamId)> {
        let mut out: Vec<_> =
            self.heads.iter().filter_map(|(s, head)| Some((head.due?, s.clone()))).collect();
        out.sort();
        out
    }

    /// Asks the store everything and compares.
    pub fn check(&self, store: &dyn Store) {
        assert_eq!(now(store.tip()).unwrap().position, self.records.len() as u64);
        let all = |records: Vec<&Record>| records.into_iter().cloned().collect::<Vec<_>>();
        for (stream, head) in &self.heads {
            assert_eq!(now(store.head(stream)).unwrap().as_ref(), Some(head));
            let records = all(self.records.iter().filter(|r| r.stream == *stream).collect());
            assert_eq!(now(store.read(stream, 0, usize::MAX)).unwrap(), records);
            for after in [0, 1, head.revision / 2, head.revision.saturating_sub(1), head.revision, u64::MAX] {
                for limit in [0, 1, 3] {
                    let from = (after as usize).min(records.len());
                    let upto = (from + limit).min(records.len());
                    let page = now(store.read(stream, after, limit)).unwrap();
                    assert_eq!(page, records[from..upto], "{stream} after {after} limit {limit}");
                }
            }
        }
        self.check_pages(store);
        for (key, stream) in &self.keys {
            assert_eq!(now(store.find_key(key)).unwrap().as_ref(), Some(stream));
        }
        for page in [1, usize::MAX] {
            let mut cursor = VerifyCursor::default();
            loop {
                let step = now(store.verify(cursor, page)).unwrap();
                assert_eq!(step.broken, None);
                cursor = step.cursor;
                if step.done {
                    break;
                }
            }
            assert_eq!(cursor.position, self.records.len() as u64);
            assert_eq!(cursor.streams.len(), self.heads.len());
        }
    }

    fn check_pages(&self, store: &dyn Store) {
        for limit in [1, 7, usize::MAX] {
            let mut seen = Vec::new();
            loop {
                let after = seen.last().map_or(0, |record: &Record| record.position);
                let page = now(store.scan(after, limit)).unwrap();
                if page.is_empty() {
                    break;
                }
                seen.extend(page);
            }
            assert_eq!(seen, self.records, "scan by {limit}");

            let mut settled = Vec::new();
            loop {
                let before = settled.last().map_or(Position::MAX, |record: &Record| record.position);
                let page = now(store.settled_before(before, limit)).unwrap();
                if page.is_empty() {
                    break;
                }
                settled.extend(page);
            }
            let expected: Vec<_> = self.records.iter().rev().filter(|r| r.settles).cloned().collect();
            assert_eq!(settled, expected, "settled by {limit}");

            let mut due = Vec::new();
            loop {
                let page = now(store.deadlines(due.last().cloned(), limit)).unwrap();
                if page.is_empty() {
                    break;
                }
                due.extend(page);
            }
            assert_eq!(due, self.deadlines(), "deadlines by {limit}");
        }
        for step in [1, 2, 5, 70] {
            // Some behind the end, where there is none.
            let wanted: Vec<Position> = (1..self.records.len() as u64 + 9).step_by(step).collect();
            let found = now(store.records_at(&wanted)).unwrap();
            let fits = |record: &&Record| wanted.contains(&record.position);
            assert_eq!(found, self.records.iter().filter(fits).cloned().collect::<Vec<_>>(), "every {step}");
        }
        for after in 0..=self.records.len() {
            let page = now(store.scan(after as u64, 2)).unwrap();
            assert_eq!(page, self.records[after..(after + 2).min(self.records.len())]);
        }
    }
}
