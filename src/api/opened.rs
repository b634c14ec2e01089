//! Entities that are open: by name, or newest first. A cursor names the entity that the page before ended at, and in lists
//! by age also since when it was open, so that it marks its place when the entity has closed meanwhile.

use std::sync::Mutex;

use super::cursor;
use crate::core::kernel::ids::{EntityId, StreamKind};
use crate::core::kernel::openings::Openings;
use crate::core::kernel::time::Timestamp;
use crate::error::Error;
use crate::shell::host::Host;
use crate::shell::lock;

/// What is on a page, and how it goes on.
#[derive(Debug)]
pub(super) struct Page<E> {
    pub(super) entries: Vec<E>,
    /// Where the page ends; none when it is empty.
    pub(super) next_cursor: Option<String>,
    /// There are more.
    pub(super) more: bool,
}

/// The names on a page, and how it goes on.
#[derive(Debug)]
pub(super) struct OpenPage {
    pub(super) ids: Vec<EntityId>,
    /// Where the page ends; none when it is empty.
    pub(super) next_cursor: Option<String>,
    /// There are more.
    pub(super) more: bool,
}

/// A page of what is open.
///
/// # Errors
/// `invalid_argument` for a cursor that no page of this list ended at, and the faults of the store.
pub(super) async fn page<W>(
    host: &Host,
    kind: StreamKind,
    (watch, openings): (&Mutex<W>, fn(&W) -> &Openings),
    limit: usize,
    cursor: Option<&str>,
    newest_first: bool,
) -> Result<OpenPage, Error> {
    if newest_first {
        let mark = cursor.map(|given| mark(given).ok_or_else(|| cursor::unknown(given))).transpose()?;
        cursor::check(host, kind, mark.as_ref().map(|(_, id)| id.as_str())).await?;
        let mut marks: Vec<(Timestamp, EntityId)> =
            openings(&lock(watch)).before(mark.as_ref()).take(limit + 1).cloned().collect();
        let more = marks.len() > limit;
        marks.truncate(limit);
        let next_cursor = marks.last().map(|(since, id)| cursor_of(true, *since, id));
        return Ok(OpenPage { ids: marks.into_iter().map(|(_, id)| id).collect(), next_cursor, more });
    }
    cursor::check(host, kind, cursor).await?;
    let after = cursor.and_then(|given| EntityId::stored(given).ok());
    let mut ids: Vec<EntityId> =
        openings(&lock(watch)).after(after.as_ref()).take(limit + 1).cloned().collect();
    let more = ids.len() > limit;
    ids.truncate(limit);
    Ok(OpenPage { next_cursor: ids.last().map(EntityId::to_string), ids, more })
}

/// The cursor of a page that ended there.
pub(super) fn cursor_of(newest_first: bool, since: Timestamp, id: &EntityId) -> String {
    if newest_first { format!("{}:{id}", since.as_micros()) } else { id.to_string() }
}

/// The place that a cursor names; of a list by name, only its name.
///
/// # Errors
/// `invalid_argument`.
pub(super) fn mark_of(given: &str, newest_first: bool) -> Result<(Timestamp, EntityId), Error> {
    let named = || Some((Timestamp::EPOCH, EntityId::stored(given).ok()?));
    let found = if newest_first { mark(given) } else { named() };
    found.ok_or_else(|| cursor::unknown(given))
}

/// The place that a cursor of a list by age names.
fn mark(cursor: &str) -> Option<(Timestamp, EntityId)> {
    let (since, id) = cursor.split_once(':')?;
    Some((Timestamp::from_micros(since.parse().ok()?), EntityId::stored(id).ok()?))
}
