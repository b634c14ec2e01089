//! Entities that have come to an end, latest first in the index, oldest first in a page. Each is shown as it ended: a
//! job whose id is used again has several ends.

use super::history::{Mark, entities_pruned};
use super::quorum::page_limit;
use crate::core::kernel::ids::EntityId;
use crate::error::Error;
use crate::journal::{Fault, Position, Store};
use crate::shell::host::{Host, wait};
use crate::shell::hosts::Hosted;
use crate::shell::memory::read_state_at;

/// Ends of other kinds read at a time while the next of this kind is sought.
const LOOK_AHEAD: usize = 64;

/// A page of ended entities, and where the page before it starts.
pub(super) struct Page<E> {
    pub(super) entries: Vec<E>,
    /// Where this page begins, or where it was asked to end when it is empty.
    pub(super) next_cursor: Option<String>,
    /// There are older ones.
    pub(super) more: bool,
    /// How many of the kind were pruned, if any: they are in no page.
    pub(super) pruned: Option<u64>,
}

/// The latest ended entities of a kind before a cursor, oldest first.
///
/// # Errors
/// `invalid_argument` for limit or cursor, and the faults of the store.
pub(super) async fn page<M: Hosted, E: Send + 'static>(
    host: &Host,
    limit: Option<i64>,
    cursor: Option<String>,
    entry: fn(&EntityId, &M::State) -> Option<E>,
) -> Result<Page<E>, Error> {
    let limit = page_limit(limit)?;
    let mark = Mark::of(cursor.as_deref())?;
    let before = if cursor.is_some() { mark.at } else { Position::MAX };
    let page = host.blocking(move |store| match mark.check(store)? {
        Ok(()) => read_page::<M, E>(store, before, limit, entry).map(Ok),
        Err(error) => Ok(Err(error)),
    });
    let mut page = page.await??;
    page.next_cursor = page.next_cursor.or(cursor);
    Ok(page)
}

fn read_page<M: Hosted, E>(
    store: &dyn Store,
    mut before: Position,
    limit: usize,
    entry: fn(&EntityId, &M::State) -> Option<E>,
) -> Result<Page<E>, Fault> {
    let mut entries = Vec::with_capacity(limit);
    let mut first = None;
    while entries.len() < limit {
        let ends = wait(store.settled_before(before, limit - entries.len()))?;
        let Some(oldest) = ends.last() else { break };
        before = oldest.position;
        for end in ends.iter().filter(|end| end.stream.kind == M::KIND) {
            entries.extend(entry(&end.stream.id, &read_state_at::<M>(store, &end.stream, end.seq)?));
            first = Some(end.position);
        }
    }
    entries.reverse();
    let next_cursor = first.map(|at| Mark::cursor(store, at)).transpose()?;
    let more = has_more::<M>(store, before)?;
    let pruned = Some(entities_pruned(store, M::KIND)?).filter(|pruned| *pruned > 0);
    Ok(Page { entries, next_cursor, more, pruned })
}

/// Did another entity of this kind end before? Those of other kinds stand in the same index.
fn has_more<M: Hosted>(store: &dyn Store, mut before: Position) -> Result<bool, Fault> {
    loop {
        let ends = wait(store.settled_before(before, LOOK_AHEAD))?;
        if ends.iter().any(|end| end.stream.kind == M::KIND) {
            return Ok(true);
        }
        match ends.last() {
            Some(oldest) => before = oldest.position,
            None => return Ok(false),
        }
    }
}
