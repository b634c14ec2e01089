//! Which entity is meant where only an id is given: every kind has ids of its own, and two kinds may have the same one.

use super::history::{SOUGHT, was_ever};
use crate::core::kernel::ids::{EntityId, StreamId, StreamKind};
use crate::error::Error;
use crate::journal::{Fault, Store};
use crate::shell::host::Host;

/// The kind that is meant: the one given, or else the only one that has this id; none when no kind has.
///
/// # Errors
/// `invalid_argument` naming the kinds, when more than one has the id, and the faults of the store.
pub(super) async fn kind_meant(
    host: &Host,
    given: Option<StreamKind>,
    id: &EntityId,
) -> Result<Option<StreamKind>, Error> {
    if given.is_some() {
        return Ok(given);
    }
    let sought = id.clone();
    let kinds = host.blocking(move |store| kinds_of(store, &sought)).await?;
    match kinds.as_slice() {
        [] => Ok(None),
        [only] => Ok(Some(*only)),
        several => {
            let names: Vec<&str> = several.iter().map(|kind| kind.name()).collect();
            let expected = format!("one of {}: more than one kind has the id {id}", names.join(", "));
            Err(Error::invalid("kind", (), &expected).with("entity_id", id.as_str()).with("kinds", names))
        }
    }
}

fn kinds_of(store: &dyn Store, id: &EntityId) -> Result<Vec<StreamKind>, Fault> {
    let mut kinds = Vec::new();
    for kind in SOUGHT {
        if was_ever(store, &StreamId::new(kind, id.clone()))? {
            kinds.push(kind);
        }
    }
    Ok(kinds)
}
