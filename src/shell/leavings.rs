//! The leaves of the log over all records, whether the records are there or were pruned.

use quorate_proofs::Hash;
use quorate_proofs::entry::Entry;
use quorate_proofs::tree::WIDTH;

use super::host::wait;
use crate::journal::{Fault, Position, Store};

/// The leaves behind a position, in order: as many as there are without a gap, and at most `limit`.
pub(crate) fn leaves(store: &dyn Store, after: Position, limit: usize) -> Result<Vec<Hash>, Fault> {
    // What was pruned first: it says how few records stand between.
    let runs = wait(store.pruned(after, limit))?;
    let gone: usize = runs.iter().map(|run| run.leaves.len()).sum();
    let records = if gone >= limit { Vec::new() } else { wait(store.scan(after, limit - gone))? };
    let (mut leaves, mut records, mut runs) =
        (Vec::with_capacity(gone + records.len()), records.iter().peekable(), runs.into_iter().peekable());
    loop {
        let next = after + leaves.len() as u64 + 1;
        if let Some(record) = records.next_if(|record| record.position == next) {
            leaves.push(Entry::from(record).leaf());
        } else if let Some(run) = runs.next_if(|run| run.first_position == next) {
            leaves.extend(run.leaves.into_iter().map(Hash));
        } else {
            leaves.truncate(limit);
            return Ok(leaves);
        }
    }
}

/// The position before the first record of a full tile of level 0, by its path as the specification names it.
fn before_tile(path: &str) -> Option<Position> {
    let number = path.strip_prefix("tile/0/")?.replace("x", "").replace("/", "");
    number.parse::<u64>().ok()?.checked_mul(WIDTH as u64)
}

/// The hashes of a full tile of level 0 over nothing but what was pruned, from the journal. Any other is a file, and one that is
/// lost is made again.
pub(super) fn tile(store: &dyn Store, path: &str) -> Option<Vec<u8>> {
    if !is_pruned(store, path) {
        return None;
    }
    let leaves = leaves(store, before_tile(path)?, WIDTH).ok()?;
    (leaves.len() == WIDTH).then(|| leaves.iter().flat_map(|leaf| leaf.0).collect())
}

/// Is a tile over nothing but what was pruned? The journal holds its hashes then.
pub(super) fn is_pruned(store: &dyn Store, path: &str) -> bool {
    let runs = before_tile(path).and_then(|before| wait(store.pruned(before, WIDTH)).ok());
    runs.is_some_and(|runs| runs.iter().map(|run| run.leaves.len()).sum::<usize>() == WIDTH)
}
