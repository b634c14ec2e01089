//! Many records of the log at once, with what proves them.

use std::collections::{HashMap, HashSet};

use quorate_proofs::Hash;

use super::host::wait;
use super::transparency::{LogError, Transparency};
use crate::core::kernel::ids::StreamId;
use crate::journal::chain::ChainHash;
use crate::journal::{Fault, Position, Record, Seq, Store};

/// A record, the chain hash before it, and its path to the root.
pub(crate) type Included = (Record, ChainHash, Option<Vec<Hash>>);

/// Records are read in one go where they stand at most so many times as far apart as they are many.
const SPREAD: u64 = 4;

impl Transparency {
    /// Records at positions that grow, each with its path in the log of this size, or of the newest checkpoint. Blocks its
    /// thread.
    ///
    /// # Errors
    /// [`LogError::NoRecord`] for one that is not in it, and as [`Transparency::advance`].
    pub(crate) fn inclusions(
        &self,
        store: &dyn Store,
        positions: &[Position],
        size: Option<u64>,
        paths: bool,
    ) -> Result<(u64, Vec<Included>), LogError> {
        self.with(store, |log| {
            let newest = log.size();
            let size = size.unwrap_or(newest);
            if size > newest || positions.iter().any(|position| *position == 0 || *position > size) {
                return Err(LogError::NoRecord(size.min(newest)));
            }
            let mut known: HashMap<StreamId, (Seq, ChainHash)> = HashMap::new();
            let mut out = Vec::with_capacity(positions.len());
            for record in read(store, positions)? {
                let previous = match (record.seq, known.get(&record.stream)) {
                    (0 | 1, _) => ChainHash::default(),
                    (seq, Some((last, hash))) if last + 1 == seq => *hash,
                    (seq, _) => {
                        wait(store.read(&record.stream, seq - 2, 1))?
                            .pop()
                            .ok_or(LogError::NoRecord(size))?
                            .hash
                    }
                };
                known.insert(record.stream.clone(), (record.seq, record.hash));
                let hashes = if paths { Some(log.path(record.position - 1, size)?) } else { None };
                out.push((record, previous, hashes));
            }
            let there: HashSet<Position> = out.iter().map(|(record, ..)| record.position).collect();
            if let Some(missing) = positions.iter().find(|position| !there.contains(position)) {
                if let Some(run) = wait(store.pruned(missing - 1, 1))?.pop() {
                    let what = format!("the record at position {missing}");
                    return Err(Fault::Pruned { what, pruning: run.pruning }.into());
                }
                return Err(LogError::NoRecord(size));
            }
            Ok((size, out))
        })
    }
}

/// The records at these positions.
fn read(store: &dyn Store, positions: &[Position]) -> Result<Vec<Record>, Fault> {
    let (Some(first), Some(last)) = (positions.first(), positions.last()) else { return Ok(Vec::new()) };
    let span = last - first + 1;
    if span <= SPREAD.saturating_mul(positions.len() as u64) {
        let mut records = Vec::new();
        let mut at = first - 1;
        while at < *last {
            let page = wait(store.scan(at, usize::try_from(last - at).unwrap_or(usize::MAX)))?;
            let Some(end) = page.last() else { break };
            at = end.position;
            records.extend(page);
        }
        records.retain(|record| positions.binary_search(&record.position).is_ok());
        return Ok(records);
    }
    let mut records = Vec::new();
    for position in positions {
        let found = wait(store.scan(position - 1, 1))?;
        records.extend(found.into_iter().filter(|record| record.position == *position));
    }
    Ok(records)
}
