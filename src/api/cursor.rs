//! Cursors of lists by name: the name that the page before ended at.

use crate::core::kernel::ids::{EntityId, StreamId, StreamKind};
use crate::error::Error;
use crate::shell::host::{Host, wait};

/// The error for a cursor that no page ended at.
pub(super) fn unknown(given: &str) -> Error {
    Error::invalid("cursor", given, "a next_cursor of an earlier page")
}

/// Refuses a cursor that is not the name of an entity of this kind: a page behind it may be empty for no other reason.
/// One that has ended, or has left the list since, still marks its place.
///
/// # Errors
/// `invalid_argument`, and the faults of the store.
pub(super) async fn check(host: &Host, kind: StreamKind, cursor: Option<&str>) -> Result<(), Error> {
    let Some(given) = cursor else { return Ok(()) };
    let id = EntityId::stored(given).map_err(|_| unknown(given))?;
    let stream = StreamId::new(kind, id);
    match host.blocking(move |store| wait(store.head(&stream))).await? {
        Some(_) => Ok(()),
        None => Err(unknown(given)),
    }
}
