//! Where the index says that something may fit: the way of a walk over all records that leaves out what cannot.

use std::sync::Arc;

use super::PAGE;
use crate::core::kernel::time::Timestamp;
use crate::journal::{ChainHash, Fault, Position, Record, Store};
use crate::shell::host::wait;
use crate::shell::index::{Block, Index, Part};

/// A block of which more than one in so many records may fit is read record by record.
const DENSE: usize = 4;

/// Records that were left out because none of them fits.
pub(super) struct Passed {
    /// Everything up to here was looked at.
    pub(super) upto: Position,
    /// Position and hash of the last record up to there, as far as it is known.
    pub(super) last: Option<(Position, ChainHash)>,
}

/// What may fit of a block.
enum May {
    /// Any record of a part that touches the time.
    All,
    /// These, counted from the first one.
    Some(Vec<u16>),
}

/// The way through the index.
pub(super) struct Guide<'a> {
    index: &'a Index,
    blocks: Vec<Arc<Block>>,
    all_of: Vec<Vec<u64>>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    /// The block that is gone through, by its place, and what may fit of it.
    at: Option<(usize, May)>,
}

impl<'a> Guide<'a> {
    /// The way to records that have one term of each list and are of that time.
    pub(super) fn new(
        index: &'a Index,
        store: &dyn Store,
        all_of: Vec<Vec<u64>>,
        (since, until): (Option<Timestamp>, Option<Timestamp>),
    ) -> Result<Self, Fault> {
        Ok(Guide { index, blocks: index.blocks(store)?, all_of, since, until, at: None })
    }

    /// The next records behind a position, and how far nothing else can fit. Both are empty at the end.
    pub(super) fn next(
        &mut self,
        store: &dyn Store,
        after: Position,
        upto: Position,
    ) -> Result<(Vec<Record>, Option<Passed>), Fault> {
        let number = self.blocks.partition_point(|block| block.upto() <= after);
        let block = self.blocks.get(number).filter(|block| block.first <= after + 1).cloned();
        // The last part that ends within what is asked for; only whole parts are passed.
        let whole = block.as_ref().map(|block| {
            let parts = (upto.min(block.upto()) + 1).saturating_sub(block.first) / block.part_len();
            block.first - 1 + parts * block.part_len()
        });
        let Some((block, end)) = block.zip(whole).filter(|(_, end)| *end > after) else {
            return Ok((wait(store.scan(after, PAGE))?, None));
        };
        if self.at.as_ref().is_none_or(|(at, _)| *at != number) {
            self.at = Some((number, self.may_fit(&block)));
        }
        match &self.at {
            Some((_, May::Some(hits))) => {
                let from = hits.partition_point(|hit| block.first + u64::from(*hit) <= after);
                let positions = hits[from..].iter().map(|hit| block.first + u64::from(*hit));
                let positions: Vec<Position> = positions.take_while(|at| *at <= end).take(PAGE).collect();
                let records =
                    if positions.is_empty() { Vec::new() } else { wait(store.records_at(&positions))? };
                let passed = match positions.last() {
                    // There may be more of them.
                    Some(last) if positions.len() == PAGE => Passed { upto: *last, last: None },
                    _ => passed(&block, end),
                };
                Ok((records, Some(passed)))
            }
            _ => {
                let part = |at: Position| ((at - block.first) / block.part_len()) as usize;
                let touches = |part: usize| block.parts[part].touches(self.since, self.until);
                let here = part(after + 1);
                if touches(here) {
                    let to = (block.first - 1 + (here as u64 + 1) * block.part_len()).min(end);
                    let limit = PAGE.min(usize::try_from(to - after).unwrap_or(PAGE));
                    return Ok((wait(store.scan(after, limit))?, None));
                }
                let next = (here..=part(end)).find(|part| touches(*part));
                let to = next.map_or(end, |part| block.first - 1 + part as u64 * block.part_len());
                Ok((Vec::new(), Some(passed(&block, to))))
            }
        }
    }

    fn may_fit(&self, block: &Block) -> May {
        if self.all_of.is_empty() {
            return May::All;
        }
        let touches = |part: &Part| part.touches(self.since, self.until);
        if !block.parts.iter().any(touches) {
            return May::Some(Vec::new());
        }
        let Some(mut hits) = self.index.hits(block, &self.all_of) else { return May::All };
        hits.retain(|hit| touches(&block.parts[(u64::from(*hit) / block.part_len()) as usize]));
        if hits.len() * DENSE > block.parts.len() * block.part_len() as usize {
            return May::All;
        }
        May::Some(hits)
    }
}

/// Up to the end of a part.
fn passed(block: &Block, upto: Position) -> Passed {
    let parts = ((upto + 1 - block.first) / block.part_len()) as usize;
    let last = block.parts[..parts.min(block.parts.len())].iter().rev().find_map(|part| part.last());
    Passed { upto, last }
}
